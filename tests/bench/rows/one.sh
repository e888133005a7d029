#!/bin/bash
# What one real smegd costs in a mesh of NODES members: to join it, and to be in it.  The others are
# the simulator's hosts, which run the shipped node and hub in real time behind real sockets
# (tests/sim/gate.h), all in one network namespace.
#
#	tests/bench/rows/one.sh NODES
#	IDLE=60     seconds of idling that are measured
#	SETTLE=30   seconds before that
#	BACKEND=userspace   with a device (the same with --backend none by default: no kernel is needed)
#	PERF=FILE   record the join with perf
#
# Prints join_cpu_s (user and system time of all threads until it lists all members), join_mb (what
# it sent and received meanwhile, without TCP/IP), rss_mib, pss_mib and idle_cpu_percent.
. "$(dirname "$0")/../../netns/lib.sh"
. "$(dirname "$0")/../../netns/lib_many.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"
need_program "$SMEG_BIN/smegsim"
await=$SMEG_BIN/../tools/await
need_program "$await"

count=${1:?how many}
idle=${IDLE:-60}
settle=${SETTLE:-30}
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
figure() { printf '{"name":"%s","nodes":%d,"value":%s,"unit":"%s"}\n' "$1" "$count" "$2" "$3"; }
note() { say "$@" >&2; }

cpu_ns() { awk '{ n += $1 } END { printf "%d\n", n }' /proc/"$1"/task/*/schedstat; }
kib() { awk -v what="$2:" '$1 == what { print $2 }' "$1"; }
# A field of the crowd's latest report.
crowd() { tail -n 2 "$T/crowd.out" | head -n 1 | jq ".$1"; }
per() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f\n", a / b }'; }

host_new many
host_exec many sh -c 'ip -6 route add local fd09::/32 dev lo && ip -6 addr add fd0a::1/128 dev lo' ||
	fail 'no addresses'
(exec nsenter -t "$(host_pid many)" -n -- "$SMEG_BIN/smegsim" --crowd --nodes $((count - 1)) \
	--seed "${SEED:-1}") >"$T/crowd.out" 2>"$T/crowd.err" &
crowd_pid=$!
disown $crowd_pid
has_token() { grep -q token "$T/crowd.out" || ! kill -0 $crowd_pid 2>/dev/null; }
begun=$(ms)
wait_until 1500 has_token
sed -n 's/.*"token":"\([^"]*\)".*/\1/p' "$T/crowd.out" >"$T/token"
[ -s "$T/token" ] || fail "no crowd: $(cat "$T/crowd.out" "$T/crowd.err")"
note "the crowd is there after $(seconds $(($(ms) - begun))) s"

many_start 1 ${BACKEND:+--backend "$BACKEND"}
disown "$spawned"
many_wait 1
pid=$(many_pid 1)
sleep 1
before=$(cpu_ns "$pid")
bytes_before=$(($(crowd received_bytes) + $(crowd sent_bytes)))
[ -z "${PERF:-}" ] || perf record -q -g -o "$PERF" -p "$pid" -- sleep 8 2>/dev/null &
begun=$(ms)
many_ctl 1 join - --alias real --endpoint '[fd0a::1]' --timeout 120s <"$T/token" >"$T/joined" 2>&1 ||
	fail "no join: $(cat "$T/joined"; tail "$T/n1.log")"
"$await" "$count" 120 "$T/n1/run/smegd.sock" >"$T/took" || fail "not all: $(tail "$T/n1.log")"
after=$(cpu_ns "$pid")
note "the join took $(seconds $(($(ms) - begun))) s, load $(cut -d ' ' -f 1 /proc/loadavg)"
sleep 0.5 # the crowd's report is of every 0.2 s
bytes=$(($(crowd received_bytes) + $(crowd sent_bytes) - bytes_before))
listed=$(many_ctl 1 list --json | jq '[.members[] | select(.standing == "in")] | length')
[ "$listed" = "$count" ] || fail "lists $listed"
figure join_cpu_s "$(per $((after - before)) 1000000000)" s
figure join_mb "$(per $bytes 1000000)" MB

sleep "$settle"
before=$(cpu_ns "$pid")
bytes_before=$(($(crowd received_bytes) + $(crowd sent_bytes)))
begun=$(ms)
sleep "$idle"
took=$(($(ms) - begun))
after=$(cpu_ns "$pid")
bytes=$(($(crowd received_bytes) + $(crowd sent_bytes) - bytes_before))
figure idle_cpu_percent "$(per $((after - before)) $((took * 10000)))" %
figure rss_mib "$(per "$(kib "/proc/$pid/status" VmRSS)" 1024)" MiB
figure pss_mib "$(per "$(kib "/proc/$pid/smaps_rollup" Pss)" 1024)" MiB
note "idle: $((bytes * 1000 / took)) bytes a second to and fro;" \
	"$(many_ctl 1 status --json | jq -c '.meshes[0] | [.members, .reachable, .sessions]')"
kill -0 $crowd_pid || fail "the crowd has ended: $(tail -n 3 "$T/crowd.out" "$T/crowd.err")"
note "$(grep -E '^(Rss|Pss|Private_Dirty|Shared_Clean|Anonymous)' "/proc/$pid/smaps_rollup" | tr -s ' \n' ' ')"
