#!/bin/bash
# Does the simulator count what real daemons send?  The scenario of tests/sim/rows/calibration.c is
# played by NODES daemons, backend none, and by as many simulated hosts; frames are counted by each
# daemon (smegctl status --json) and by the simulated network.
#
#	tests/bench/rows/calibration.sh NODES
#	SETTLE=60 IDLE=60 CHANGES=20 TAIL=10    as in the simulator; for trying things out
#
# Prints calibration: by how much per cent the two counts differ over the whole scenario.
. "$(dirname "$0")/../../netns/lib.sh"
. "$(dirname "$0")/../../netns/lib_many.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"
need_program "$SMEG_BIN/smegsim"
await=$SMEG_BIN/../tools/await
need_program "$await"

count=${1:?how many}
all=$(seq "$count")
note() { say "$@" >&2; }

"$SMEG_BIN/smegsim" --row calibration --nodes "$count" --seeds 5 --seed "${SEED:-1}" >"$T/sim" 2>"$T/sim.err" ||
	fail "the simulator: $(cat "$T/sim" "$T/sim.err")"
simulated() { sed -n "s/^{.*\"name\": *\"$1\".*/&/p" "$T/sim" | jq .value; }
sim_idle=$(simulated calibration_idle)
sim_changes=$(simulated calibration_changes)
[ -n "$sim_idle" ] && [ -n "$sim_changes" ] || fail "no figures: $(cat "$T/sim")"

frames() {
	local n sum=0
	for n in $all; do
		sum=$((sum + $(many_ctl "$n" status --json | jq .smegd.frames_sent))) || return 1
	done
	echo $sum
}
removed() { cat "$T"/n*.log | grep -c 'event=member-out'; }

many_host
for n in $all; do
	many_start "$n"
	disown "$spawned"
done
many_wait $all
many_token 1 "$T/token"
declare -A joins
for n in $all; do
	[ "$n" = 1 ] && continue
	many_join "$n" "$T/token" &
	joins[$n]=$!
done
for n in "${!joins[@]}"; do
	wait "${joins[$n]}" || fail "$n cannot join: $(cat "$T/n$n.joined")"
done
"$await" "$count" 120 $(for n in $all; do echo "$T/n$n/run/smegd.sock"; done) >/dev/null ||
	fail 'they do not agree'
sleep "${SETTLE:-60}"

before=$(frames)
begun=$(ms)
sleep "${IDLE:-60}"
idle=$(($(frames) - before))
took=$(($(ms) - begun))
# Asking takes a while; the rate is what counts.
idle=$((idle * ${IDLE:-60} * 1000 / took))

before=$(frames)
begun=$(ms)
for ((i = 0; i < ${CHANGES:-20}; i++)); do
	many_ctl $((RANDOM % count + 1)) set home --description "change $i" >"$T/set" 2>&1 ||
		fail "set: $(cat "$T/set")"
	sleep 1
done
sleep "${TAIL:-10}"
changes=$(($(frames) - before))
took=$(($(ms) - begun))
# What it took longer than the simulator's is idling.
extra=$((took - (${CHANGES:-20} + ${TAIL:-10}) * 1000))
changes=$((changes - idle * extra / (${IDLE:-60} * 1000)))

note "idle: $idle frames, simulated $sim_idle; changes: $changes frames, simulated $sim_changes;" \
	"members that went out: $(removed); load $(cut -d ' ' -f 1 /proc/loadavg)"
awk -v nodes="$count" -v real=$((idle + changes)) -v sim="$(jq -n "$sim_idle + $sim_changes")" 'BEGIN {
	d = 100 * (real - sim) / sim
	printf "{\"name\":\"calibration\",\"nodes\":%d,\"value\":%.2f,\"unit\":\"%%\",\"note\":\"real %d, simulated %d frames\"}\n",
		nodes, d < 0 ? -d : d, real, sim
}'
