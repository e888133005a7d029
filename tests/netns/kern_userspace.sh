#!/bin/bash
# The userspace backend with a real wireguard-go.
. "$(dirname "$0")/lib.sh"
backend=userspace slow=1
. "$(dirname "$0")/lib_kern.sh"

need_root
need_userspace

wireguard_of() {
	local p
	for p in $(host_ps "$1"); do
		[ "$(cat "/proc/$p/comm")" = wireguard-go ] && echo "$p"
	done
}
gone() { ! [ -e "/proc/$1" ]; }

kern_all

say '- it has a session of its own and nothing of ours open'
pid=$(wireguard_of a)
[ "$(ps -o sid= -p "$pid")" != "$(ps -o sid= -p $$)" ] || fail 'is in our session'
[ "$(ps -o ppid= -p "$pid" | tr -d ' ')" = 1 ] || say "  (its parent is $(ps -o ppid= -p "$pid"))"
for fd in 0 1 2; do
	# In a chroot the link shows the path outside of it.
	case $(readlink "/proc/$pid/fd/$fd") in */dev/null) ;; *) fail "descriptor $fd is not /dev/null" ;; esac
done
! ls -l "/proc/$pid/fd" | grep -q smegtest || fail 'has a file of ours open'

say '- a device that stands is adopted'
apply a link-add
same "$(wireguard_of a)" "$pid"
reads a "peer $pub_b .*handshake=yes"

say '- one that hangs does not hang us'
kill -STOP "$pid"
before=${EPOCHREALTIME/./}
probe a read >"$T/out" 2>&1 && fail 'a stopped wireguard-go answers'
after=${EPOCHREALTIME/./}
kill -CONT "$pid"
grep -qi 'timed out' "$T/out" || fail "$(cat "$T/out")"
[ $((after - before)) -lt 4000000 ] || fail 'took too long'

say '- one that crashed is not there, and is made anew'
kill -KILL "$pid"
wait_until 2 gone "$pid"
host_exec a test -S /run/wireguard/smegx.sock || fail 'no stale socket: nothing is tested here'
reads a 'exists no'
apply a link-add "key $key_a" up
reads a "key $key_a"

say '- one whose link was deleted is replaced within a second'
old=$(wireguard_of a)
here a ip link del smegx
reads a 'exists no'
before=${EPOCHREALTIME/./}
apply a link-add "key $key_b" up
after=${EPOCHREALTIME/./}
reads a "key $key_b"
[ $((after - before)) -lt 1000000 ] || fail "took $((after - before)) us"
wait_until 3 gone "$old" || fail 'the old one lives'
reads a "key $key_b"

say '- one that is still dying is waited for'
old=$(wireguard_of a)
kill -STOP "$old"
here a ip link del smegx
reads a 'exists no'
(sleep 0.5; kill -CONT "$old") &
apply a link-add "key $key_a" up
reads a "key $key_a"
wait_until 3 gone "$old" || fail 'the old one lives'

say '- one that was started by hand is adopted, and removed'
host_exec b "$probe_program" -b userspace smegy read | grep -q 'exists no' || fail 'smegy is there'
host_exec b wireguard-go smegy >/dev/null 2>&1
host_exec b "$probe_program" -b userspace smegy apply link-add "key $key_a" || fail 'not adopted'
host_exec b ip link del smegy
host_exec b "$probe_program" -b userspace smegy apply link-add || fail 'not made again'
host_exec b "$probe_program" -b userspace smegy read | grep -q 'key none' || fail 'the old one answers'
host_exec b "$probe_program" -b userspace smegy apply link-del || fail 'not removed'

kern_delete
no_wireguard() { [ -z "$(wireguard_of a)" ]; }
wait_until 3 no_wireguard || fail 'wireguard-go lives on'
host_exec a test ! -e /run/wireguard/smegx.sock || fail 'its socket is left'

say '- a missing program is said, with its package'
host_exec a "$probe_program" -b userspace -g /nonexistent/wireguard-go smegx read >"$T/out" 2>&1 &&
	fail 'works without a program'
grep -q 'no-wireguard' "$T/out" && grep -q 'hint: apt install wireguard-go' "$T/out" ||
	fail "$(cat "$T/out")"
say '- a program that fails is said'
host_exec a "$probe_program" -b userspace -g /bin/false smegx apply link-add >"$T/out" 2>&1 &&
	fail 'works with /bin/false'
grep -q 'ended at once' "$T/out" || fail "$(cat "$T/out")"

say '- without any backend the host is still seen'
same "$(host_exec a "$probe_program" -b none smegx addresses | wc -l)" 2
host_exec a "$probe_program" -b none smegx read | grep -q 'exists no' || fail 'none reads a device'
say ok
