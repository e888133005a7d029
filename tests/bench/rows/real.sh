#!/bin/bash
# Real daemons on one machine, backend none: how long until all have joined and agree, and until all
# know of ten that were killed at once.  Wall-clock time, from the start of the last join.
#
#	tests/bench/rows/real.sh NODES
# Prints real_join_s, real_join_failed and real_crash_known_s.
. "$(dirname "$0")/../../netns/lib.sh"
. "$(dirname "$0")/../../netns/lib_many.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"

await=$SMEG_BIN/../tools/await
need_program "$await"
count=${1:?how many}
killed=10
[ "$count" -gt $((2 * killed)) ] || fail 'too few'
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
all=$(seq "$count")
figure() { printf '{"name":"%s","nodes":%d,"value":%s,"unit":"%s"}\n' "$1" "$count" "$2" "$3"; }
note() { say "$@" >&2; }

sockets() {
	local n
	for n; do echo "$T/n$n/run/smegd.sock"; done
}

# Processor time of all of them, as the program and as the kernel, and how often a thread of theirs waited.
cpu() {
	cat $(printf '/proc/%s/stat ' $pids) $(printf '/proc/%s/task/*/status ' $pids) 2>/dev/null |
		awk -v hz="$(getconf CLK_TCK)" '/^[0-9]/ { u += $14; k += $15 } /ctxt/ { n += $2 }
			END { printf "%.1f s (%.1f + %.1f), %d switches\n", (u + k) / hz, u / hz, k / hz, n }'
}
ticks() { cat $(printf '/proc/%s/stat ' $pids) 2>/dev/null | awk '{ n += $14 + $15 } END { print n }'; }
# Together they take less than a quarter of one processor, over a second.
are_idle() {
	local before
	before=$(ticks)
	sleep 1
	[ $(($(ticks) - before)) -lt $(($(getconf CLK_TCK) / 4)) ]
}
frames() {
	for n in $all; do many_ctl "$n" status --json 2>/dev/null; done |
		jq -s '[.[].smegd.frames_sent] | add'
}

many_host
for n in $all; do
	many_start "$n"
	disown "$spawned"
done
many_wait $all
pids=$(for n in $all; do many_pid "$n"; done)
note "$count daemons answer, processor time $(cpu); load $(cut -d ' ' -f 1 /proc/loadavg)"
many_token 1 "$T/token"

declare -A joins
first=$(ms)
for n in $all; do
	[ "$n" = 1 ] && continue
	begun=$(ms)
	many_join "$n" "$T/token" &
	joins[$n]=$!
done
note "the joins were begun within $(seconds $((begun - first))) s"
failed=0
for n in "${!joins[@]}"; do
	wait "${joins[$n]}" && continue
	failed=$((failed + 1))
	note "$n: $(grep -v hint: "$T/n$n.joined" | tail -n 1)"
	kill -0 "$(many_pid "$n")" 2>/dev/null || note "daemon $n has ended: $(tail -n 3 "$T/n$n.log")"
done
note "the joins took $(seconds $(($(ms) - begun))) s, and processor time $(cpu) so far"
figure real_join_failed $failed 1
[ $failed = 0 ] || exit 1

"$await" "$count" 300 $(sockets $all) >"$T/took" || exit 1
took=$(($(ms) - begun))
note "all count $count: processor time $(cpu), $(frames) frames so far"
wait_until 60 many_agree "$count" $all || {
	note 'the lists do not agree'
	exit 1
}
figure real_join_s "$(seconds $took)" s

# Ten at once, not the one that administers; known when all others count them out (those that lost a
# watcher sign a record some seconds later, and till all have that the digests differ).  First all that was
# put off while many joined is done: it is a crash that is measured, not a crash amid a storm.
settled=$(ms)
wait_until 180 are_idle || {
	note "they do not come to rest: processor time $(cpu)"
	exit 1
}
note "idle after $(seconds $(($(ms) - settled))) s: processor time $(cpu), $(frames) frames so far"
dead=$(shuf -i 2-"$count" -n $killed)
doomed=$(for n in $dead; do many_pid "$n"; done)
left=$(comm -23 <(printf '%s\n' $all | sort) <(printf '%s\n' $dead | sort))
"$await" $((count - killed)) 120 $(printf -- '-k %s ' $doomed) $(sockets $left) >"$T/took" || exit 1
read -r known agreed <"$T/took"
note "processor time $(cpu); all agree after $(seconds "$agreed") s"
figure real_crash_known_s "$(seconds "$known")" s
