# What every backend of smegd/kern must do on a real device.  Sourced by a script that has sourced
# lib.sh and set
#
#	backend   kernel or userspace
#	slow      factor on all deadlines
#
# Two hosts a and b with a device smegx each; kern_probe does the backend's work in them.  Each
# `probe` is a program run of its own, so each finds the device as after a restart of smegd.

probe_program=${SMEG_TOOLS:?run by make}/kern_probe

probe() {
	local host=$1
	shift
	host_exec "$host" "$probe_program" -b "$backend" smegx "$@"
}
apply() {
	local host=$1
	shift
	probe "$host" apply "$@" || fail "apply on $host: $*"
}

# reads HOST PATTERN: a line of what is read matches; reads_not: none does.
reads() {
	probe "$1" read >"$T/read" || fail "cannot read on $1"
	grep -q -- "$2" "$T/read" || { cat "$T/read"; fail "on $1 nothing reads $2"; }
}
reads_not() {
	probe "$1" read >"$T/read" || fail "cannot read on $1"
	! grep -q -- "$2" "$T/read" || { cat "$T/read"; fail "on $1 something reads $2"; }
}
reads_now() { probe "$1" read | grep -q -- "$2"; }
here() { host_exec "$@" >/dev/null || fail "fails: $*"; }
here_not() { ! host_exec "$@" >/dev/null 2>&1 || fail "does not fail: $*"; }
same() { [ "$1" = "$2" ] || fail "is '$1', not '$2'"; }

keys_make() {
	key_a=$(wg genkey) key_b=$(wg genkey)
	pub_a=$(echo "$key_a" | wg pubkey) pub_b=$(echo "$key_b" | wg pubkey)
	pub_c=$(wg genkey | wg pubkey) pub_f=$(wg genkey | wg pubkey)
}

kern_is_there_what_was_made() {
	say '- what was made reads back, all of it'
	reads a 'exists no'
	reads a 'foreign no'
	apply a link-add "key $key_a" 'port 5182' 'mtu 1400' 'address-add fd00:7::1/128' \
		'address-add 10.7.0.1/32' up \
		"peer $pub_b create keepalive=25 replace allowed=fd00:7::2/128,10.7.0.2/32" \
		'route-add fd00:7::/64' 'route-add fd00:8::/48 metric=77'
	probe a read | grep -v '^traffic' >"$T/made"
	cat >"$T/want" <<-END
		exists yes
		foreign no
		up yes
		mtu 1400
		key $key_a
		port 5182
		peer $pub_b keepalive=25 handshake=never allowed=10.7.0.2/32,fd00:7::2/128
		address 10.7.0.1/32
		address fd00:7::1/128
		route fd00:7::/64 metric=0
		route fd00:8::/48 metric=77
	END
	diff -u "$T/want" "$T/made" || fail 'the device is not as it was made'
	here_not a sh -c 'ip -6 addr show dev smegx | grep -q fe80'
	apply b link-add "key $key_b" 'port 5182' 'address-add fd00:7::2/128' up 'route-add fd00:7::/64' \
		"peer $pub_a create endpoint=$(host_address a):5182 replace allowed=fd00:7::1/128"
}

kern_again_is_fine() {
	say '- adding what is there and deleting what is not is fine'
	apply a link-add 'address-add fd00:7::1/128' 'route-add fd00:7::/64' 'address-del fd00:7::99/128' \
		'route-del fd00:99::/64' "peer-del $pub_c" 'address-del 10.9.9.9/32'
	probe a read | grep -v '^traffic' | diff -u "$T/want" - || fail 'the device has changed'
}

ping_through() { host_exec "$1" ping -q -c 1 -W 1 "$2" >/dev/null 2>&1; }

kern_tunnel_carries() {
	say '- two devices reach each other'
	wait_until $((5 * slow)) ping_through b fd00:7::1 || fail 'no ping through the tunnel'
	reads a "peer $pub_b endpoint=$(host_address b):5182 .*handshake=yes"
}

kern_roaming_is_kept() {
	say '- an endpoint that was learned stays, with handshake and counters'
	apply b 'port 5190'
	wait_until $((5 * slow)) ping_through b fd00:7::1 || fail 'no ping from the new port'
	wait_until $((5 * slow)) reads_now a "endpoint=$(host_address b):5190" || fail 'a did not roam'
	apply a "peer $pub_b keepalive=7" "peer $pub_b allowed=fd00:70::/64" \
		"peer $pub_b create replace allowed=fd00:7::2/128,fd00:71::/64"
	reads a "endpoint=$(host_address b):5190 keepalive=7 handshake=yes allowed=fd00:7::2/128,fd00:71::/64\$"
	reads_not a 'traffic rx=0'
}

kern_allowed_ips() {
	say '- allowed IPs are added, replaced and moved'
	apply a "peer $pub_b allowed=fd00:72::/64,10.72.0.0/16"
	reads a 'allowed=10.72.0.0/16,fd00:7::2/128,fd00:71::/64,fd00:72::/64$'
	apply a "peer $pub_c create allowed=fd00:72::/64"
	reads a "peer $pub_c .*allowed=fd00:72::/64\$"
	reads a "peer $pub_b .*allowed=10.72.0.0/16,fd00:7::2/128,fd00:71::/64\$"
	apply a "peer $pub_b replace allowed=fd00:7::2/128"
	reads a "peer $pub_b .*allowed=fd00:7::2/128\$"
}

kern_gone_stays_gone() {
	say '- a peer that is gone is not brought back'
	apply a "peer-del $pub_c"
	reads_not a "$pub_c"
	apply a "peer $pub_c keepalive=3 allowed=fd00:73::/64"
	reads_not a "$pub_c"
}

kern_foreign_is_left() {
	say '- peers, addresses and routes of others stay'
	host_exec a wg set smegx peer "$pub_f" allowed-ips fd00:f::/64 persistent-keepalive 9 || fail 'wg set'
	here a ip addr add fd00:7::f/128 dev smegx
	here a ip -6 route add fd00:f::/64 dev smegx proto static
	here a ip -6 route add fd00:e::/64 dev eth0 proto static
	apply a 'route-add fd00:e::/64' 'route-add fd00:d::/64' "peer $pub_b keepalive=8"
	reads a 'route fd00:e::/64'
	reads_not a 'route fd00:f::/64'
	reads a 'address fd00:7::f/128'
	apply a 'route-del fd00:e::/64' 'route-del fd00:f::/64' 'route-del fd00:d::/64'
	reads_not a 'route fd00:[ed]::/64'
	here a sh -c 'ip -6 route show fd00:e::/64 | grep -q eth0'
	here a sh -c 'ip -6 route show fd00:f::/64 | grep -q smegx'
	reads a "peer $pub_f keepalive=9"
}

# What `steady` with so many rounds asks for, by strace: "QUESTIONS WRITES".  A dump of WireGuard's
# family, which strace has no names for, shows as 0x300.
requests_of_steady() {
	local all
	host_exec a strace -qq -s 64 -o "$T/strace" -e trace=sendto,sendmsg,write \
		"$probe_program" -b "$backend" smegx steady "$1" || fail 'strace'
	all=$(grep -cE 'sendto|sendmsg' "$T/strace")
	set -- "$(grep -cE 'RTM_GET|NLM_F_DUMP|NLM_F_REQUEST\|0x300|get=1' "$T/strace")"
	echo "$1 $((all - $1))"
}

kern_steady_writes_nothing() {
	say '- reading and having nothing to do writes nothing'
	local none five
	none=$(requests_of_steady 0) || fail "$none"
	five=$(requests_of_steady 5) || fail "$five"
	[ "${five% *}" -ge $((${none% *} + 25)) ] || fail "strace sees too few questions: $none, $five"
	same "${five#* }" "${none#* }"
	host_spawn a "$T/monitor" ip monitor all
	probe a steady 3 || fail 'steady'
	sleep 0.2
	kill "$spawned"
	! grep smegx "$T/monitor" || fail 'a read shows in ip monitor'
}

# watched HOST COMMAND...: the command makes news of the device within a second.
watched() {
	local host=$1 watcher
	shift
	: >"$T/watch"
	host_spawn "$host" "$T/watch" "$probe_program" -b "$backend" smegx watch $((10 * slow))
	watcher=$spawned
	wait_until $((10 * slow)) grep -q watching "$T/watch" || fail 'the watcher does not start'
	here "$host" "$@"
	wait_until 1 grep -q devices "$T/watch" || fail "no news of: $*"
	wait "$watcher"
}

kern_news_are_heard() {
	say '- what others change is heard within a second'
	watched a ip addr del fd00:7::1/128 dev smegx
	reads_not a 'address fd00:7::1/128'
	watched a ip -6 route del fd00:7::/64 dev smegx
	watched a ip link set smegx mtu 1300
	apply a 'address-add fd00:7::1/128' 'route-add fd00:7::/64' 'mtu 1400'
	wait_until $((5 * slow)) ping_through b fd00:7::1 || fail 'no ping after it was put back'
}

kern_own_addresses() {
	say '- the addresses of the host are those of its links, and only fit ones'
	here a ip addr add fd09::99/64 dev eth0 nodad preferred_lft 0
	here a ip addr add 169.254.9.9/16 dev eth0
	probe a addresses | sed 's/ .*//' | sort >"$T/own"
	same "$(cat "$T/own" | tr '\n' ' ')" "$(host_address a) $(host_address6 a) "
}

kern_refusals_have_words() {
	say '- what is refused is said, with a hint'
	host_exec a setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
		"$probe_program" -b "$backend" smegx read >"$T/out" 2>&1 && fail 'works without permission'
	grep -q 'not permitted' "$T/out" && grep -q 'hint: run smegd as root' "$T/out" ||
		fail "no words: $(cat "$T/out")"
	here a ip tuntap add dev smegz mode tun
	host_exec a "$probe_program" -b "$backend" smegz read | grep -q 'foreign yes' || fail 'not foreign'
	host_exec a "$probe_program" -b "$backend" smegz apply link-add >"$T/out" 2>&1 &&
		fail 'takes a foreign device'
	grep -q 'another device of this name' "$T/out" || fail "no words: $(cat "$T/out")"
	here_not a "$probe_program" -b "$backend" smegz apply link-del
	here a ip link show smegz
}

kern_failed_operation_is_named() {
	say '- the operation that failed is named, and those before it are done'
	# There are no routes over a device that is down.
	host_exec a "$probe_program" -b "$backend" smegy apply link-add "peer $pub_b create" \
		"peer $pub_b keepalive=9" 'route-add fd00:5::/64' 'mtu 1333' >"$T/out" 2>&1 &&
		fail 'adds a route over a device that is down'
	grep -q '^operation 3$' "$T/out" && grep -q 'smegy: cannot add the route fd00:5::/64: ' "$T/out" ||
		fail "no words: $(cat "$T/out")"
	host_exec a "$probe_program" -b "$backend" smegy read >"$T/read"
	grep -q 'keepalive=9' "$T/read" || fail 'what was before it is not done'
	! grep -q 'mtu 1333' "$T/read" || fail 'what was after it is done'
	host_exec a "$probe_program" -b "$backend" smegy apply link-del || fail 'not removed'
}

kern_delete() {
	say '- a deleted device is gone'
	apply a link-del
	reads a 'exists no'
	reads a 'foreign no'
	apply a link-del
	here_not a ip link show smegx
}

kern_all() {
	need_program "$probe_program"
	keys_make
	host_new a
	host_new b
	kern_is_there_what_was_made
	kern_again_is_fine
	kern_tunnel_carries
	kern_roaming_is_kept
	kern_allowed_ips
	kern_gone_stays_gone
	kern_foreign_is_left
	kern_steady_writes_nothing
	kern_news_are_heard
	kern_own_addresses
	kern_refusals_have_words
	kern_failed_operation_is_named
}
