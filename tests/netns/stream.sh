#!/bin/bash
# No packet is lost while smegd is killed, restarted and replaced by another build.
#
# A stream of numbered datagrams runs from a to b by overlay address through wireguard-go, and a
# thinner one from b to a.  Meanwhile each daemon is killed several times and started again, and at
# last ended by SIGTERM and another build started on its state.  After each start key, address and
# members are as before; wireguard-go is the same process with the same interface, and neither its
# counters nor its last handshake have gone back.
#
#	STREAM_SECONDS=30 or until all is done   STREAM_RATE=2000 packets a second   STREAM_KILLS=5 of each daemon
#	SMEG_OTHER_BIN=     the other build; else the one by clang if there, else a copy
#	BREAK=loss|device   plant that failure; the test must fail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_smegd.sh"
need_root
need_userspace
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_TOOLS/stream"

seconds=${STREAM_SECONDS:-30}
rate=${STREAM_RATE:-2000}
kills=${STREAM_KILLS:-5}
break=${BREAK:-}
device=smeg-home
smegd_options=(--backend userspace)

other_build() {
	local dir=${SMEG_OTHER_BIN:-$SMEG_BIN/../../../clang/release/bin}
	[ -x "$dir/smegd" ] && [ ! "$dir" -ef "$SMEG_BIN" ] || dir=$SMEG_BIN
	mkdir "$T/other" && cp "$dir/smegd" "$dir/smegctl" "$T/other" || fail 'copy'
	cmp -s "$T/other/smegd" "$SMEG_BIN/smegd" && say '(the other build is a copy of this one)'
}

pings() { host_exec "$1" ping -6 -q -c 3 -i 0.2 -W 2 "$2" >"$T/ping" 2>&1; }

# A wireguard-go that the machine lets wait for a tenth of a second has full queues before and behind
# it, and drops.  That is not what is measured here, so it goes before all others, and its device
# has room for more.  Not everybody may: then it must do without.
unhindered() {
	chrt -a -r -p 1 "$(wireguard_pid "$1")" >"$T/chrt" 2>&1 || say "  ($(head -n 1 "$T/chrt"))"
	host_exec "$1" ip link set $device txqueuelen 10000 || fail 'txqueuelen'
}

# listener HOST, sender HOST TO RATE: ends of a stream; sender_stop HOST.
listener() {
	host_spawn "$1" "$T/$1.received" nice -n -10 "$SMEG_TOOLS/stream" receive 7007
	echo "$spawned" >"$T/$1.listener"
	disown "$spawned"
	wait_until 10 grep -qs listening "$T/$1.received" || fail "no receiver: $(cat "$T/$1.received")"
}
sender() {
	host_spawn "$1" "$T/$1.sent" nice -n -10 \
		"$SMEG_TOOLS/stream" send "$(cat "$T/$2.address")" 7007 "$3" $((seconds + 240))
	echo "$spawned" >"$T/$1.sender"
	disown "$spawned"
}
sender_stop() {
	local pid
	pid=$(cat "$T/$1.sender")
	kill -TERM "$pid" || fail "the sender on $1 has ended: $(cat "$T/$1.sent")"
	wait_until 20 is_gone "$pid" || fail "the sender on $1 does not end"
	say "  from $1: $(cat "$T/$1.sent")"
}

# state HOST: what must be the same after each start, one line; and numbers that may only grow.
wireguard_pid() {
	local p
	for p in $(host_ps "$1"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = wireguard-go ] && echo "$p"
	done
}
state() {
	ctl "$1" status --json >"$T/$1.status" || fail "status: $(cat "$T/$1.status")"
	echo "wireguard-go $(wireguard_pid "$1")" \
		"index $(host_exec "$1" cat /sys/class/net/$device/ifindex)" \
		"device $(host_exec "$1" wg show $device public-key)" \
		"$(jq -r '.meshes[0] | "key \(.key) address \(.address)"' "$T/$1.status")" \
		"members $(members "$1" | tr '\n' ' ')"
}
# last handshake, received, sent
numbers() { host_exec "$1" wg show $device dump | awk 'NR == 2 { print $5, $6, $7 }'; }

# as_before HOST: compare with the state at the start, and the numbers with the last ones.
as_before() {
	local now then
	now=$(state "$1")
	[ "$now" = "$(cat "$T/$1.state")" ] || fail "$1 was $(cat "$T/$1.state") and is $now"
	now=$(numbers "$1") then=$(cat "$T/$1.numbers")
	echo "$then $now" | awk '{ exit !($4 >= $1 && $4 > 0 && $5 >= $2 && $6 >= $3) }' ||
		fail "$1: handshake, received and sent were $then and are $now"
	echo "$now" >"$T/$1.numbers"
}

# What the queues of the machine have dropped, before and behind wireguard-go, on both hosts.
dropped() {
	local h sum=0 some
	for h in a b; do
		some=$(host_exec "$h" sh -c "cat /sys/class/net/$device/statistics/tx_dropped
			awk '/^Udp: [0-9]/ { print \$6 }' /proc/net/snmp
			awk '/^Udp6RcvbufErrors/ { print \$2 }' /proc/net/snmp6" | paste -sd+)
		sum=$((sum + some))
	done
	echo $sum
}

# count HOST: what its listener has counted; adds to $lost.
count() {
	local line
	wait_until 40 is_gone "$(cat "$T/$1.listener")" || fail "the receiver on $1 does not end"
	line=$(tail -n 1 "$T/$1.received")
	case $line in
	'sent '[1-9]*) say "  to $1: $line" ;;
	*) fail "the stream to $1 broke off: $line" ;;
	esac
	lost=$((lost + $(echo "$line" | sed 's/.* lost \([0-9]*\) .*/\1/')))
}

# pause_until MICROSECONDS: of the wall clock.
pause_until() {
	local left=$(($1 - ${EPOCHREALTIME/./}))
	[ $left -le 0 ] || sleep "$(printf '%d.%06d' $((left / 1000000)) $((left % 1000000)))"
}

# --- the mesh ---
other_build
for h in a b; do
	host_new $h
	smegd_start $h
done
mesh_of a b
for h in a b; do ctl $h status --json | jq -r '.meshes[0].address' >"$T/$h.address"; done
wait_until 20 pings a "$(cat "$T/b.address")" || fail "no ping: $(cat "$T/ping")"
wait_until 20 pings b "$(cat "$T/a.address")" || fail "no ping: $(cat "$T/ping")"
for h in a b; do
	unhindered $h
	state $h >"$T/$h.state"
	numbers $h >"$T/$h.numbers"
done

# --- the stream and the kills ---
# One restart of each kind, then the other build; $1 counts them.
restart() {
	local h=a away
	[ $(($1 % 2)) = 0 ] || h=b
	if [ "$1" -lt $((2 * kills)) ]; then
		smegd_kill $h KILL
		[ "$break" != device ] || [ "$1" != 3 ] || host_exec $h ip link del $device
	else
		smegd_kill $h TERM
		smegd_bin $h "$T/other"
	fi
	[ "$break" != loss ] || [ "$1" != 3 ] || { host_unplug b && sleep 0.1 && host_plug b; }
	away=${EPOCHREALTIME/./}
	smegd_start $h
	away=$((${EPOCHREALTIME/./} - away))
	[ $away -le $longest ] || longest=$away
	as_before $h
}

# The whole; in $lost what it has lost.
stream() {
	local begun turns=$((2 * kills + 2)) i
	for h in a b; do rm -f "$T/$h.bin" "$T/$h.received" "$T/$h.sent"; done
	listener a
	listener b
	sender a b "$rate"
	sender b a $((rate / 10))
	begun=${EPOCHREALTIME/./} longest=0 lost=0
	for ((i = 0; i < turns; i++)); do
		pause_until $((begun + (i + 1) * seconds * 1000000 / (turns + 2)))
		restart $i
	done
	say "  $turns starts; the longest took $((longest / 1000)) ms until it answered"
	pause_until $((begun + seconds * 1000000))
	sender_stop a
	sender_stop b
	count b
	count a
}

say "$rate packets a second for $seconds s from a to b, $((rate / 10)) back;" \
	"$kills times kill -9 of each daemon, then another build"
for ((try = 1;; try++)); do
	drops=$(dropped)
	stream
	[ $lost != 0 ] || break
	drops=$(($(dropped) - drops))
	say "  $lost lost; queues of the machine have dropped $drops"
	# All of it, so nothing of it is ours, unless it happens again.
	[ $try -lt 3 ] && [ $drops -ge $lost ] || fail 'packets were lost'
done
for h in a b; do
	as_before $h
	wait_until 20 sees $h 2 || fail "$h does not reach all: $(cat "$T/$h.status")"
done
for h in a b; do say "  $h: $(cut -d' ' -f1-4 "$T/$h.state") as at the start"; done
