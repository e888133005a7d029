#!/bin/bash
# Three hosts make a mesh while you watch: `make demo`.  Real daemons, real WireGuard (the kernel's if
# it has it, else wireguard-go), real packets; hosts are network namespaces on one bridge.
#
#	KEEP=1      leave it standing and say what to try
#	BREAK=ping|loss|leak|svg   plant that failure; the demo must notice it and fail
#
# Ends with status 0 only if everything that it says really happened.
. "$(dirname "$0")/lib.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"
modinfo wireguard >/dev/null 2>&1 || need_userspace

break=${BREAK:-}
picture=${DEMO_SVG:-$PWD/build/demo/home.svg}
hosts='alpha beta gamma'
case $break in
'' | ping | loss | leak | svg) ;;
*) fail "BREAK=$break: it is ping, loss, leak or svg" ;;
esac

title() { printf '\n== %s\n' "$*"; }
show() { sed 's/^/   /'; }
ctl() {
	local host=$1
	shift
	host_exec "$host" "$SMEG_BIN/smegctl" "$@"
}
ask() { printf '%s# smegctl %s\n' "$1" "${*:2}"; }

start() {
	host_spawn "$1" "$T/$1.log" "$SMEG_BIN/smegd"
	disown "$spawned"
	echo "$spawned" >"$T/$1.daemon"
	wait_until 15 ctl "$1" version >/dev/null 2>&1 || fail "smegd on $1: $(cat "$T/$1.log")"
}

address() { cat "$T/$1.address"; }
token_of() { grep -o 'smeg1_[A-Za-z0-9_-]*' "$1" | head -n 1; }

# take_address HOST FILE: what create or join printed.
take_address() { awk '$1 == "address" { print $2; exit }' "$2" >"$T/$1.address"; }

join() {
	ask "$1" "join smeg1_… --alias $1"
	token_of "$2" | ctl "$1" join - --alias "$1" >"$T/$1.joined" 2>"$T/$1.progress" ||
		fail "$1 cannot join: $(cat "$T/$1.progress" "$T/$1.log")"
	show <"$T/$1.progress"
	show <"$T/$1.joined"
	take_address "$1" "$T/$1.joined"
}

sees_all() {
	ctl "$1" status >"$T/$1.status" 2>&1 && grep -q 'members .*3, 3 reachable' "$T/$1.status"
}

dead() { ! readlink "/proc/$1/exe" >/dev/null 2>&1; }
pings() { host_exec "$1" ping -6 -q -c 3 -i 0.2 -W 2 "$(address "$2")" >"$T/ping" 2>&1; }

# ---------------------------------------------------------------------------------------------

title 'three hosts: network namespaces on one bridge, a smegd on each'
for h in $hosts; do
	host_new $h
	start $h
	say "   $h: $(host_address $h), $(host_address6 $h), smegd is process $(cat "$T/$h.daemon")"
done

title 'the first one makes a mesh'
ask alpha 'create home --alias alpha'
ctl alpha create home --alias alpha >"$T/created" 2>"$T/created.talk" ||
	fail "create: $(cat "$T/created.talk" "$T/alpha.log")"
sed 's/\(smeg1_.\{24\}\).*/\1…/' "$T/created" | show
take_address alpha "$T/created"

title 'the others join: one with the line that create printed, one with a further invite'
join beta "$T/created"
ask alpha invite
ctl alpha invite >"$T/invited" 2>/dev/null || fail 'invite'
join gamma "$T/invited"

title 'as seen by the second host'
wait_until 15 sees_all beta || fail "beta does not see all: $(cat "$T/beta.status")"
ask beta status
show <"$T/beta.status"
ask beta list
ctl beta list | show

title 'pings by overlay address between every pair, through WireGuard'
[ "$break" != ping ] ||
	host_exec beta ip -6 route add blackhole "$(address gamma)/128" || fail 'planting'
for a in $hosts; do
	for b in $hosts; do
		[ $a = $b ] && continue
		wait_until 20 pings $a $b || fail "$a cannot ping $b: $(cat "$T/ping")"
		say "   $a -> $b: $(sed -n 's/^rtt [^=]*= //p' "$T/ping")"
	done
done

title 'the picture'
mkdir -p "$(dirname "$picture")"
ctl beta visualise -o "$picture" || fail 'visualise'
[ "$break" != svg ] || truncate -s 100 "$picture"
grep -aq "<svg " "$picture" || fail "$picture is no SVG"
tail -n 1 "$picture" | grep -aq '</svg>' || fail "$picture is not complete"
for h in $hosts; do
	grep -aq ">$h<" "$picture" || fail "$h is not in $picture"
done
say "   $picture"

title 'smegd on alpha is killed and started again, while beta pings alpha 100 times a second'
host_spawn beta "$T/stream" ping -6 -q -c 400 -i 0.01 -W 2 "$(address alpha)"
stream=$spawned
killed=$(cat "$T/alpha.daemon")
kill -KILL "$killed" || fail 'kill'
# Until it is really gone it holds its database.
wait_until 10 dead "$killed" || fail 'it does not die'
[ "$break" != loss ] || { host_unplug alpha && sleep 0.3 && host_plug alpha; }
start alpha
wait "$stream"
show <"$T/stream"
grep -q '400 packets transmitted, 400 received' "$T/stream" || fail 'packets were lost'
wait_until 30 sees_all alpha || fail "alpha lost members: $(cat "$T/alpha.status")"
say "   alpha knows all members again, and its address is still $(address alpha)"
ctl alpha list | grep -q "$(address alpha)" || fail 'alpha has another address'

title "gamma's cable is pulled"
sees_cut() { ctl "$1" status 2>/dev/null | grep -q 'gamma .*unreachable'; }
host_unplug gamma
begun=$SECONDS
for h in alpha beta; do
	wait_until 60 sees_cut $h || fail "$h does not notice: $(ctl $h status)"
	say "   $h noticed after $((SECONDS - begun)) s: $(ctl $h status | grep -o 'gamma.*')"
done
host_plug gamma
for h in $hosts; do
	wait_until 60 sees_all $h || fail "$h does not see all again: $(cat "$T/$h.status")"
done
say "   back in: all see all again after $((SECONDS - begun)) s"

if [ -n "${KEEP:-}" ]; then
	title 'left standing; try'
	keep_hosts
	for h in $hosts; do
		say "   nsenter -t $(host_pid $h) -n -m -u -r $SMEG_BIN/smegctl status      # $h"
	done
	say "   nsenter -t $(host_pid beta) -n -m -u -r ping $(address gamma)"
	say "   nsenter -t $(host_pid beta) -n -m -u -r wg show"
	say "   $picture"
	say "and to end it:"
	say "   bash $T/down"
	exit 0
fi

title 'tear-down'
spaces=$(cat "$T"/.hosts/*.ns)
[ "$break" != leak ] || mv "$T/.hosts/gamma.ns" "$T/forgotten"
host_cleanup
left=$(ps_in $spaces)
if [ -n "$left" ]; then
	say "   still there: $(for p in $left; do tr '\0' ' ' <"/proc/$p/cmdline"; done)"
	[ ! -e "$T/forgotten" ] || mv "$T/forgotten" "$T/.hosts/gamma.ns"
	fail 'processes or namespaces were left behind'
fi
dir=$T
rm -rf "$T"
[ ! -e "$dir" ] || fail "$dir was left behind"
mkdir -p "$T" # for the exit trap
say '   no process, no namespace and no file is left but the picture'
say
say 'The demo is complete: all of it happened.'
