#!/bin/bash
# The kernel backend with the kernel's WireGuard.
. tests/netns/lib.sh
backend=kernel slow=10
. tests/netns/lib_kern.sh

need_root
modprobe wireguard || skip 'the kernel has no WireGuard'

kern_all

say '- auto chooses the kernel'
same "$(host_exec a "$probe_program" smegx backend)" kernel

say '- a port in use is said'
host_exec b "$probe_program" -b kernel smegx apply 'port 5190' || fail 'cannot set its own port again'
host_exec a "$probe_program" -b kernel smegy apply link-add 'port 5182' up >"$T/out" 2>&1 &&
	fail 'two devices on one port'
grep -q 'port-in-use' "$T/out" || fail "$(cat "$T/out")"
host_exec a "$probe_program" -b kernel smegy apply link-del || fail 'not removed'

say '- many peers with many allowed IPs go there and come back whole'
apply a link-del link-add
for i in $(seq 40); do
	list=''
	for j in $(seq 60); do list="$list,fd00:$i:$j::/64"; done
	set -- "$@" "peer $(wg genkey | wg pubkey) create replace allowed=${list#,}"
done
apply a "$@"
probe a read >"$T/read"
same "$(grep -c ^peer "$T/read")" 40
same "$(sed -n 's/.*allowed=//p' "$T/read" | tr ',' '\n' | sort -u | wc -l)" 2400
sed -n 's/^peer.*allowed=//p' "$T/read" | while read -r list; do
	same "$(echo "$list" | tr ',' '\n' | wc -l)" 60
done || fail 'a peer has lost allowed IPs'

kern_delete
say ok
