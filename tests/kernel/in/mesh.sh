#!/bin/bash
# Three hosts in a mesh with the kernel's WireGuard, which smegd chooses by itself.
#
# What smegd writes is counted by strace: WG_CMD_SET_DEVICE to WireGuard, RTM_NEW*, RTM_DEL* and
# RTM_SET* to the rest of the kernel.  It sees also those that change nothing.
. tests/kernel/lib_guest.sh
need_guest
need_program "$SMEG_BIN/smegd"
modinfo wireguard >/dev/null 2>&1 || skip 'the kernel has no WireGuard'

here() { host_exec a "$@" >"$T/here" 2>&1 || fail "fails: $*: $(cat "$T/here")"; }
setting() { ctl "$1" status --json | jq -r ".meshes[0].$2"; }

# --- who watches ---

# In its network namespace: elsewhere strace cannot tell one kind of netlink socket from another.
strace_start() {
	rm -f "$T/strace" "$T/strace.talk"
	host_spawn a "$T/strace.talk" strace -f -A -e trace=sendto,sendmsg,sendmmsg,write,writev \
		-xx -s 16 -o "$T/strace" -p "$(cat "$T/a.daemon")"
	strace=$spawned
	disown "$strace"
	wait_until 10 grep -q attached "$T/strace.talk" || fail "strace: $(cat "$T/strace.talk")"
}
strace_stop() {
	kill "$strace" 2>/dev/null
	wait_until 10 is_gone "$strace"
}
# Of generic netlink only the command is of interest, the first byte after the header.
reads() { grep -c 'nlmsg_type=wireguard.*}, "\\x00\\x01' "$T/strace"; }
sets() { grep -c 'nlmsg_type=wireguard.*}, "\\x01\\x01' "$T/strace"; }
requests() { grep -cE 'RTM_(NEW|DEL|SET)' "$T/strace"; }
has_read() { [ "$(reads)" -gt "$1" ]; }

# pass: make smegd read its device, by a change that is none of its business.  What follows from a
# read is done when the next comes.
touched=0
pass() {
	local before
	before=$(reads)
	touched=$((touched + 1))
	here ip link set $device alias "touched $touched"
	wait_until 3 has_read "$before" || fail "a change of the link makes no read: $(tail -n 5 "$T/strace")"
}
rests() {
	local before
	before=$(sets).$(requests)
	pass
	pass
	[ "$(sets).$(requests)" = "$before" ]
}

# unchanged COUNT: so many passes write nothing.
unchanged() {
	local i before
	strace_start
	wait_until 6 rests || fail "it does not come to rest: $(tail -n 5 "$T/strace")"
	: >"$T/strace"
	for ((i = 0; i < $1; i++)); do pass; done
	# One by itself: with no other news it reads every ten seconds.
	before=$(reads)
	wait_until 3 has_read "$before" || fail 'no read by itself'
	pass
	strace_stop
	say "  $(reads) passes: $(sets) writes to WireGuard, $(requests) to the rest of the kernel"
	[ "$(grep -c RTM_GET "$T/strace")" -ge "$1" ] || fail "strace saw no reads: $(head "$T/strace")"
	! grep -q 'NLMSG_???' "$T/strace" || fail "strace does not understand: $(grep -m 1 '???' "$T/strace")"
	[ "$(sets).$(requests)" = 0.0 ] ||
		fail "it wrote: $(grep -E 'RTM_(NEW|DEL|SET)|wireguard.*}, "\\x01' "$T/strace" | head -n 3)"
}

# back SECONDS WHAT CHECK...: what was just taken away is there again.
back() {
	local limit=$1 what=$2 begun=${EPOCHREALTIME/./} took
	shift 2
	wait_until "$limit" "$@" || fail "$what does not come back"
	took=$(((${EPOCHREALTIME/./} - begun) / 1000))
	say "  $what: back after $took ms"
}
has_address() { host_exec a ip -6 -o addr show dev $device | grep -qw "$1"; }
has_route() { host_exec a ip -6 route show dev $device | grep -q "^$1"; }
is_up() { host_exec a ip link show $device up 2>/dev/null | grep -q $device; }
has_peer() { host_exec a wg show $device allowed-ips 2>/dev/null | grep -q "^$1.*$2"; }
whole() { has_address "$(overlay a)" && is_up && has_route "$prefix"; }
endpoint_of() { host_exec a wg show $device endpoints | awk -v k="$1" '$1 == k { print $2 }'; }

# --- the world ---

say 'three hosts, the kernel'\''s WireGuard by itself'
for h in a b c; do
	host_new $h
	smegd_spawn $h
done
for h in a b c; do smegd_ready $h; done
mesh_of a b c
for h in a b c; do in_kernel $h; done
! ps -e -o comm= | grep -q wireguard-go || fail 'a wireguard-go runs'
ping_all a b c
prefix=$(setting a prefix) port=$(setting a wg_port)
key_b=$(setting b key) key_c=$(setting c key)

say 'smegd is killed and started again, and again ended by SIGTERM'
for h in a b c; do
	members $h >"$T/$h.before"
	device_note $h
done
stream_start b a
for h in a b; do
	smegd_kill $h KILL
	smegd_start $h
	wait_until 20 sees $h 3 || fail "$h: $(cat "$T/$h.status")"
done
smegd_kill a TERM
smegd_start a
wait_until 20 sees a 3 || fail "a: $(cat "$T/a.status")"
stream_stop
for h in a b c; do
	members $h | cmp -s - "$T/$h.before" || fail "$h has other members"
	device_same $h 'after restarts'
	in_kernel $h
done

say 'b roams: it sends from an address that it tells nobody'
ctl b set --endpoint "$(host_address b)" >"$T/set" 2>&1 || fail "set: $(cat "$T/set")"
told() { ctl a list --json | jq -e --arg k "$key_b" \
	'.members[] | select(.key == $k) | .endpoints | length == 1' >/dev/null; }
wait_until 20 told || fail 'a does not hear what b tells'
host_exec b sh -c "ip addr del $(host_address b)/16 dev eth0 && ip addr add 198.18.77.7/16 dev eth0" ||
	fail 'roaming'
roamed() { pings b a; [ "$(endpoint_of "$key_b")" = "198.18.77.7:$port" ]; }
wait_until 20 roamed || fail "a sees b at $(endpoint_of "$key_b")"

say 'nothing has changed: nothing is written'
unchanged 10
[ "$(endpoint_of "$key_b")" = "198.18.77.7:$port" ] || fail "b is at $(endpoint_of "$key_b")"
device_same a 'while nothing changed'

say 'smegd is killed and started again: b stays where it is'
smegd_kill a KILL
smegd_start a
wait_until 20 sees a 3 || fail "$(cat "$T/a.status")"
strace_start
pass
pass
strace_stop
[ "$(endpoint_of "$key_b")" = "198.18.77.7:$port" ] || fail "b is at $(endpoint_of "$key_b")"
device_same a 'after a restart, b elsewhere'

say 'what was taken away'
stream_start b c # which is none of their business
strace_start
here ip addr del "$(overlay a)/128" dev $device
back 1 'the address' has_address "$(overlay a)"
here ip -6 route del "$prefix" dev $device
back 1 'the route' has_route "$prefix"
here ip link set $device down
back 1 'the link, with address and route' whole
device_same a 'what was put back'
here wg set $device peer "$key_c" remove
back 10 'a peer' has_peer "$key_c" "$(overlay c)"
here wg set $device peer "$key_b" allowed-ips fd00:99::/64
back 10 "a peer's allowed IP" has_peer "$key_b" "$(overlay b)"
strace_stop
# Had nothing been counted here, the zeros above would mean nothing.
[ "$(sets)" -ge 2 ] && [ "$(requests)" -ge 3 ] || fail "only $(sets) and $(requests) writes were seen"
say "  by $(sets) writes to WireGuard, $(requests) to the rest of the kernel"
ping_all a b c
stream_stop

say 'what somebody else has added stays'
foreign=$(wg genkey | wg pubkey)
here wg set $device peer "$foreign" allowed-ips fd00:f::/64 persistent-keepalive 9
here ip addr add fd00:7::f/128 dev $device
here ip -6 route add fd00:f::/64 dev $device proto static
unchanged 3
has_peer "$foreign" fd00:f::/64 || fail 'the peer is gone'
has_address fd00:7::f || fail 'the address is gone'
has_route fd00:f::/64 || fail 'the route is gone'
here wg set $device peer "$foreign" remove

say 'the interface itself is deleted'
here ip link del $device
back 1 'the interface, with address and route' whole
back 1 'its peers' has_peer "$key_c" "$(overlay c)"
wait_until 20 pings b a || fail "b, which nobody finds where it says, cannot ping a: $(cat "$T/ping")"
ping_all a b c

say 'leave takes it down, and only there'
device_note c
ctl b leave home >"$T/left" 2>&1 || fail "leave: $(cat "$T/left")"
no_device() { ! host_exec b ip -o link | grep -q "$device"; }
wait_until 10 no_device || fail "there is: $(host_exec b ip -o link)"
no_peer() { ! has_peer "$key_b" ''; }
wait_until 10 no_peer || fail 'a still has b for a peer'
ping_all a c
