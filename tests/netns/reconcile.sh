#!/bin/bash
# What others do to a device of ours: nothing that is right is written again, what was taken away
# comes back, and what somebody has added stays.
#
# Writes are counted on both ways in: to WireGuard by a proxy before wireguard-go's socket, to the
# kernel by strace (which sees also what changes nothing) and by `ip monitor`.
#
# Times are printed; those on an idle machine should be within 1 s, of peers within 10 s.  SLOW=10
# times that is allowed for busy ones.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_smegd.sh"
need_root
need_userspace
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_TOOLS/uapi_proxy"

slow=${SLOW:-10}
device=smeg-home
log=$T/proxy.log
smegd_options=(--backend userspace)

here() { host_exec a "$@" >/dev/null || fail "fails: $*"; }
pings() { host_exec "$1" ping -6 -q -c 3 -i 0.2 -W 2 "$2" >"$T/ping" 2>&1; }
setting() { ctl "$1" status --json | jq -r ".meshes[0].$2"; }

# --- who watches ---

# wireguard-go ends when its socket gets or loses a name by link(2) or unlink(2); rename(2) it does
# not mind.  So that smegd does not look just then, it is stopped.
proxy_start() {
	local socket=/run/wireguard/$device.sock
	kill -STOP "$(cat "$T/a.daemon")"
	here mv $socket $socket.real
	host_spawn a "$T/proxy.talk" "$SMEG_TOOLS/uapi_proxy" $socket $socket.real "$log"
	proxy=$spawned
	disown $proxy
	wait_until 10 host_exec a test -S $socket || fail "no proxy: $(cat "$T/proxy.talk")"
	kill -CONT "$(cat "$T/a.daemon")"
}
proxy_stop() {
	here mv -f /run/wireguard/$device.sock.real /run/wireguard/$device.sock
	kill $proxy
}
monitor_start() {
	host_spawn a "$T/monitor" ip monitor link address route
	monitor=$spawned
	disown $monitor
}
strace_start() {
	strace_talk=$T/strace.talk
	: >"$strace_talk"
	strace -f -e trace=sendto,sendmsg -s 16 -o "$T/strace" -p "$(cat "$T/a.daemon")" 2>"$strace_talk" &
	strace=$!
	disown $strace
	wait_until 20 grep -q attached "$strace_talk" || fail "strace: $(cat "$strace_talk")"
}
strace_stop() {
	kill $strace 2>/dev/null
	wait_until 10 is_gone $strace
}

reads() { grep -c '^get' "$log"; }
sets() { grep -c '^set' "$log"; }
# Requests to the kernel of one kind, get or write.  Of a process that runs already strace may
# not know the names; the two lowest bits of the number tell as much.
requests() {
	local kind='RTM_(NEW|DEL|SET)|0x[0-9a-f]*[01345789bcdf] '
	[ "$1" = write ] || kind='RTM_GET|0x[0-9a-f]*[26ae] '
	grep -E "nlmsg_type=($kind)" "$T/strace"
}
has_read() { [ "$(reads)" -gt "$1" ]; }

# pass: make smegd read its device, by a change that is none of its business.  The answer to `get`
# and what follows from it are done when the next read is.
touched=0
pass() {
	local before
	before=$(reads)
	touched=$((touched + 1))
	here ip link set $device alias "touched $touched"
	wait_until $((3 * slow)) has_read "$before" || fail 'a change of the link makes no read'
}

# unchanged COUNT [poll]: so many passes write nothing; and one that smegd makes by itself.
unchanged() {
	local sets_before changes_before before i
	# What was under way comes to rest: two passes without a write, the second seen by a third.
	wait_until $((3 * slow)) rests || fail "it does not come to rest: $(tail -n 3 "$log")"
	strace_start
	sets_before=$(sets) changes_before=$(wc -l <"$T/monitor")
	for ((i = 0; i < $1; i++)); do pass; done
	if [ -n "${2:-}" ]; then
		before=$(reads)
		wait_until $((10 * slow)) has_read "$before" || fail 'no read by itself'
	fi
	pass
	strace_stop
	[ "$(requests get | wc -l)" -ge "$1" ] || fail "strace saw no reads: $(head "$T/strace")"
	say "  $(($1 + 1)) passes${2:+ and a poll}: $(($(sets) - sets_before)) writes to WireGuard," \
		"$(requests write | wc -l) to the kernel"
	[ "$(sets)" = "$sets_before" ] || fail "it wrote: $(grep '^set' "$log" | tail -n 3)"
	[ -z "$(requests write)" ] || fail "it wrote: $(requests write | head -n 3)"
	# The touches themselves are the only news.
	tail -n +$((changes_before + 1)) "$T/monitor" | grep -v '^ ' | grep -v "$device: <" >"$T/changes"
	[ ! -s "$T/changes" ] || fail "the kernel tells of changes: $(cat "$T/changes")"
}
rests() {
	local before
	before=$(sets)
	pass
	pass
	pass
	[ "$(sets)" = "$before" ]
}

# Nothing is under way that could see what happens next by chance.
quiet() {
	local before=-1 i
	for ((i = 0; i < 50 * slow; i++)); do
		[ "$(reads)" != "$before" ] || return 0
		before=$(reads)
		sleep 0.3
	done
	fail 'smegd reads its device all the time'
}

# back SECONDS WHAT CHECK...: what was just taken away is there again.
back() {
	local limit=$1 what=$2 begun=${EPOCHREALTIME/./} took
	shift 2
	wait_until $((limit * slow)) "$@" || fail "$what does not come back"
	took=$(((${EPOCHREALTIME/./} - begun) / 1000))
	say "  $what: back after $took ms$([ $took -le $((limit * 1000)) ] || echo ", more than $limit s")"
}
has_address() { host_exec a ip -6 -o addr show dev $device 2>/dev/null | grep -qw "$1"; }
has_route() { host_exec a ip -6 route show dev $device 2>/dev/null | grep -q "^$1"; }
is_up() { host_exec a ip link show $device up 2>/dev/null | grep -q $device; }
has_mtu() { host_exec a ip link show $device 2>/dev/null | grep -q "mtu $1 "; }
has_peer() { host_exec a wg show $device allowed-ips 2>/dev/null | grep -q "^$1.*$2"; }
has_port() { [ "$(host_exec a wg show $device listen-port 2>/dev/null)" = "$1" ]; }
whole() { has_address "$address" && is_up && has_route "$prefix" && has_mtu 1420; }
endpoint_of() { host_exec a wg show $device endpoints | awk -v k="$1" '$1 == k { print $2 }'; }

# --- the world ---

for h in a b c; do
	host_new $h
	smegd_start $h
done
mesh_of a b c
address=$(setting a address) prefix=$(setting a prefix) port=$(setting a wg_port)
key_b=$(setting b key) key_c=$(setting c key) address_b=$(setting b address) address_c=$(setting c address)
for to in "$address_b" "$address_c"; do
	wait_until 20 pings a "$to" || fail "no ping to $to: $(cat "$T/ping")"
done

say 'b roams: it sends from an address that it tells nobody'
ctl b set --endpoint "$(host_address b)" >"$T/set" 2>&1 || fail "set: $(cat "$T/set")"
told() { ctl a list --json | jq -e --arg k "$key_b" \
	'.members[] | select(.key == $k) | .endpoints | length == 1' >/dev/null; }
wait_until 20 told || fail 'a does not hear what b tells'
host_exec b sh -c "ip addr del $(host_address b)/16 dev eth0 && ip addr add 198.18.77.7/16 dev eth0" ||
	fail 'roaming'
roamed() { pings b "$address"; [ "$(endpoint_of "$key_b")" = "198.18.77.7:$port" ]; }
wait_until 20 roamed || fail "a sees b at $(endpoint_of "$key_b")"

proxy_start
monitor_start
say 'nothing has changed: nothing is written'
unchanged 10 poll
[ "$(endpoint_of "$key_b")" = "198.18.77.7:$port" ] || fail "b is at $(endpoint_of "$key_b")"

say 'smegd is killed and started again: nothing is written'
before=$(sets) changes=$(wc -l <"$T/monitor")
smegd_kill a KILL
smegd_start a
wait_until 20 sees a 3 || fail "$(cat "$T/a.status")"
pass
pass
[ "$(sets)" = "$before" ] || fail "it wrote: $(grep '^set' "$log" | tail -n 3)"
tail -n +$((changes + 1)) "$T/monitor" | grep -v '^ ' | grep -v "$device: <" >"$T/changes"
[ ! -s "$T/changes" ] || fail "the kernel tells of changes: $(cat "$T/changes")"

say 'what was taken away'
quiet
here ip addr del "$address/128" dev $device
back 1 'the address' has_address "$address"
quiet
here ip -6 route del "$prefix" dev $device
back 1 'the route' has_route "$prefix"
quiet
here ip link set $device down
back 1 'the link, with address and route' whole
quiet
here ip link set $device mtu 1300
back 1 'the MTU' has_mtu 1420
# Of these there are no news, so they wait for the next poll; the pass was the last one.
quiet
pass
here wg set $device peer "$key_c" remove
here wg set $device peer "$key_b" allowed-ips fd00:99::/64
here wg set $device listen-port 5999
back 10 'a peer' has_peer "$key_c" "$address_c"
back 10 "a peer's allowed IP, then" has_peer "$key_b" "$address_b"
back 10 'the port, then' has_port "$port"
wait_until 20 pings a "$address_c" || fail "no ping any more: $(cat "$T/ping")"

say 'what somebody else has added stays'
foreign=$(wg genkey | wg pubkey)
here wg set $device peer "$foreign" allowed-ips fd00:f::/64 persistent-keepalive 9
here ip addr add fd00:7::f/128 dev $device
here ip -6 route add fd00:f::/64 dev $device proto static
here ip -6 route add fd00:e::/64 dev eth0 proto static
unchanged 3
has_peer "$foreign" fd00:f::/64 || fail 'the peer is gone'
has_address fd00:7::f || fail 'the address is gone'
has_route fd00:f::/64 || fail 'the route is gone'
host_exec a ip -6 route show fd00:e::/64 | grep -q eth0 || fail 'the route elsewhere is gone'

say 'the interface itself is deleted'
proxy_stop
here ip link del $device
back 1 'the interface, with address and route' whole
back 1 'its peers' has_peer "$key_c" "$address_c"
wait_until 20 pings a "$address_c" || fail "no ping any more: $(cat "$T/ping")"
