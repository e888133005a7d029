#!/bin/bash
# Two clients that can only dial, and four peers.  Each client reaches everybody through its carrier.
# The daemon of a carrier is killed, its tunnel stays: the client moves and loses next to nothing.
# Then the next carrier is unplugged, silently: the client has its reach again within the time below.
# What the rest say then still comes to each of them, and the first, when it is back, does not take
# the client back at once.
#
#	SLACK=3       threefold time is allowed, for busy machines; the time wanted is printed too
#	BREAK=stay    all peers but the carriers are unplugged as well; the test must fail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_smegd.sh"
need_root
need_userspace
need_program "$SMEG_BIN/smegd"
command -v nft >/dev/null || skip 'nft is not installed'

slack=${SLACK:-3}
break=${BREAK:-}
peers='p q r s'
clients='x y'
device=smeg-home
moved=5   # seconds until a client has another carrier when the daemon of its own is killed
regained=15 # and reaches all again when its carrier's cable is cut
smegd_options=(--backend userspace)

# What a NAT does to those outside: nothing comes in but answers.
behind_nat() {
	host_exec "$1" nft -f - <<-N || skip 'nft cannot track connections here'
		table inet nat {
			chain in { type filter hook input priority 0; policy accept;
				iif eth0 ct state new tcp dport 0-65535 drop
				iif eth0 ct state new udp dport 0-65535 drop
			}
		}
	N
}
key_of() { cat "$T/$1.key"; }
alias_of() {
	local h
	for h in $peers $clients; do
		[ "$(key_of $h)" = "$1" ] && echo $h
	done
}
# Whom this client sends through, by WireGuard's own word.
carrier() { alias_of "$(host_exec "$1" wg show $device peers)"; }
has_other_carrier() {
	local now
	now=$(carrier "$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}
pings() { host_exec "$1" ping -6 -q -c 1 -W 1 "$(cat "$T/$2.address")" >"$T/ping" 2>&1; }
reaches() {
	local from=$1 h
	shift
	for h; do [ "$h" = "$from" ] || pings "$from" "$h" || return 1; done
}
# until_so SECONDS CMD...: in $took, the milliseconds that it took.
until_so() {
	local limit=$1 begun=${EPOCHREALTIME/./}
	shift
	wait_until $((limit * slack)) "$@" || return 1
	took=$(((${EPOCHREALTIME/./} - begun) / 1000))
}
without() { printf '%s\n' $peers $clients | grep -vx "$1" | grep -vx "${2:-$1}" | tr '\n' ' '; }
description() { members_json "$1" && jq -r --arg a "$2" '.members[] | select(.alias == $a).description' "$T/$1.members"; }
has_description() { [ "$(description "$1" "$2")" = "$3" ]; }
counts() { ctl "$1" status --json >"$T/$1.status" && [ "$(jq '.meshes[0].members' "$T/$1.status")" = "$2" ]; }
why() {
	local h
	for h in $clients; do
		say "$h:"
		ctl $h status
		ctl $h list
		host_exec $h wg show $device
		tail -n 15 "$T/$h.log"
	done
}

for h in $peers $clients; do
	host_new $h
	smegd_start $h
done
for h in $clients; do behind_nat $h; done
# Whoever carries forwards; smegd leaves that switch to the host.
for h in $peers; do host_exec $h sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'; done
mesh_of $peers
for h in $clients; do
	ctl p invite home --role client --json | jq -r .token >"$T/token"
	ctl $h join --alias $h --role client - <"$T/token" >"$T/joined" 2>&1 ||
		fail "$h cannot join: $(cat "$T/joined" "$T/$h.log")"
done
for h in $peers $clients; do
	wait_until 20 counts $h 6 || fail "$h does not see all: $(cat "$T/$h.status")"
	ctl $h status --json >"$T/$h.status"
	jq -r '.meshes[0].address' "$T/$h.status" >"$T/$h.address"
	jq -r '.meshes[0].key' "$T/$h.status" >"$T/$h.key"
done
for h in $clients; do
	wait_until 20 reaches $h $peers $clients || { why; fail "$h does not reach all: $(cat "$T/ping")"; }
	say "$h reaches all through $(carrier $h)"
done

# --- the carrier's daemon is killed ---
first=$(carrier x)
host_spawn x "$T/stream" ping -6 -i 0.1 -q "$(cat "$T/y.address")"
stream=$spawned
disown $stream
smegd_kill $first KILL
until_so $moved has_other_carrier x $first || { why; fail "x stays with $first"; }
second=$(carrier x)
say "smegd on $first killed: x goes through $second after $took ms (wanted: $((moved * 1000)))"
until_so $moved reaches x $(without $first) || { why; fail "x does not reach all: $(cat "$T/ping")"; }
sleep 1
kill -INT $stream
wait_until 5 is_gone $stream || fail 'ping does not end'
lost=$(awk '/packets transmitted/ { print $1 - $4 }' "$T/stream")
say "of a ping each tenth of a second to y it has lost $lost"
[ "$lost" -le 25 ] || { why; fail "$lost pings lost"; }

# --- the next carrier goes without a word ---
host_unplug $second
[ "$break" != stay ] || for h in $(without $first $second); do [[ " $clients " = *" $h "* ]] || host_unplug $h; done
until_so $regained reaches x $(without $first $second) || { why; fail "x does not reach the rest: $(cat "$T/ping")"; }
say "$second unplugged: x reaches the rest through $(carrier x) after $took ms (wanted: $((regained * 1000)))"

# --- what others say still comes, and goes out ---
left=$(without $first $second)
for h in $left; do
	ctl $h set home --description "of $h" >"$T/out" 2>&1 || fail "set: $(cat "$T/out")"
done
for h in $left; do
	for other in $left; do
		until_so $moved has_description $h $other "of $other" ||
			{ why; fail "$h has not heard of $other"; }
	done
done
say "what each of the rest says has come to each"
for h in $clients; do
	ctl $h status --json >"$T/$h.status" || fail "status on $h"
	jq -e '.meshes[0] | .sessions >= 1' "$T/$h.status" >/dev/null || fail "no session: $(cat "$T/$h.status")"
	ctl $h status | grep -q "session" || fail "status does not tell of sessions on $h"
	ctl $h status | grep -Eq "^ +carrier +($(carrier $h))\$" || fail "status does not name the carrier of $h"
done

# --- back again: a restart of the first ---
smegd_start $first
until_so $regained reaches x $(without $second) || { why; fail "x does not reach $first again: $(cat "$T/ping")"; }
say "$first is back: x reaches it after $took ms through $(carrier x)"
[ "$(carrier x)" != $first ] || fail 'x has gone back at once'
