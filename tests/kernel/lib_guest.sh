# For tests inside the kernel under QEMU; sources what tests/netns has, from the top of the tree:
#
#	need_guest                  these tests change the machine, so never outside
#	wait_until SECONDS CMD...   as there, but ten times as patient: all is slow in here
#	device                      the mesh's WireGuard device
#	overlay HOST                its address in the mesh
#	pings FROM TO               a few, by overlay address
#	ping_all HOST...            between all pairs of them, within a time
#	stream_start FROM TO        ping twenty times a second by overlay address until ...
#	stream_stop                 ... here; fails if one was lost
#	device_note HOST            note interface, peers, handshakes and counters ...
#	device_same HOST WHAT       ... and fail if it is another device now, or a number has gone back
#	in_kernel HOST              its device is the kernel's, and smegd says so
#
# A test may define on(), how a command is run at a host; else it is host_exec.
. tests/netns/lib.sh
. tests/netns/lib_smegd.sh

device=smeg-home

# Waits without a process: one is dear here, and what is waited for needs the processor.
exec {never}<> <(:)
wait_until() {
	local end=$((${EPOCHREALTIME/./} + $1 * 10000000))
	shift
	while ! "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		read -r -t 0.2 -u "$never"
	done
	return 0
}

# With the seconds since the test began.
say() { printf '%4d  %s\n' $SECONDS "$*"; }

need_guest() { [ -n "${KERNEL_RUN:-}" ] || skip 'only in a kernel under QEMU: tests/kernel/run.sh'; }

on() { host_exec "$@"; }
ctl() { on "$1" "$SMEG_BIN/smegctl" "${@:2}"; }

overlay() {
	[ -s "$T/$1.overlay" ] || ctl "$1" status --json | jq -r '.meshes[0].address' >"$T/$1.overlay"
	cat "$T/$1.overlay"
}

pings() { on "$1" ping -6 -q -c 2 -i 0.2 -W 5 "$(overlay "$2")" >"$T/ping" 2>&1; }
ping_all() {
	local from to
	for from; do
		for to; do
			[ "$from" = "$to" ] && continue
			wait_until 20 pings "$from" "$to" || fail "$from cannot ping $to: $(cat "$T/ping")"
		done
	done
}

# The first one may wait for a handshake: wait until it has come.
stream_start() {
	: >"$T/stream"
	host_spawn "$1" "$T/stream" ping -6 -n -i 0.05 "$(overlay "$2")"
	stream=$spawned
	disown "$stream"
	wait_until 20 grep -q 'icmp_seq=' "$T/stream" || fail "no stream: $(cat "$T/stream")"
}
# A reply that is still under way at the end is not a lost one, so numbers count, not ping's sum; and
# replies must go on coming, else the last ones could all be missing unseen.
stream_stop() {
	local said least
	least=$(($(grep -c ' bytes from ' "$T/stream") + 20))
	wait_until 20 stream_has $least || fail "few pings: $(tail -n 3 "$T/stream")"
	kill -INT "$stream"
	wait_until 10 is_gone "$stream"
	said=$(awk 'match($0, /icmp_seq=[0-9]+/) && / bytes from / {
			n = substr($0, RSTART + 9, RLENGTH - 9) + 0
			if (seen[n]++) next
			got++
			if (n > last) last = n
			if (match($0, /time=[0-9.]+/) && substr($0, RSTART + 5, RLENGTH - 5) + 0 > most)
				most = substr($0, RSTART + 5, RLENGTH - 5) + 0
		}
		END { printf "%d pings, %d lost, longest %d ms\n", last, last - got, most }' "$T/stream")
	say "  $said"
	case $said in
	*', 0 lost,'*) ;;
	*) fail "pings were lost: $(grep -v ' bytes from ' "$T/stream")" ;;
	esac
}
stream_has() { [ "$(grep -c ' bytes from ' "$T/stream")" -ge "$1" ]; }

# Interface number, then PEER ALLOWED HANDSHAKE RECEIVED SENT of each peer.
device_read() {
	on "$1" ip -o link show "$device" | cut -d: -f1
	on "$1" wg show "$device" dump | awk 'NR > 1 { print $1, $4, $5, $6, $7 }' | sort
}
device_note() { device_read "$1" >"$T/$1.noted" 2>&1 || fail "no device: $(cat "$T/$1.noted")"; }
device_same() {
	device_read "$1" >"$T/$1.now" 2>&1 || fail "$2: no device: $(cat "$T/$1.now")"
	paste -d ' ' "$T/$1.noted" "$T/$1.now" | awk '
		NF == 2 && $1 == $2 { next }
		NF == 10 && $1 == $6 && $2 == $7 && $3 <= $8 && $4 <= $9 && $5 <= $10 && $8 > 0 { next }
		{ wrong = 1; print }
		END { exit wrong || NR < 2 }' >"$T/wrong" || fail "$2: not the same device: $(cat "$T/wrong")"
	mv "$T/$1.now" "$T/$1.noted"
}

in_kernel() {
	on "$1" ip -d -o link show "$device" | grep -qw wireguard || fail "$1: no device of the kernel's"
	ctl "$1" status | grep -q 'WireGuard in the kernel' || fail "$1: $(ctl "$1" status)"
}
