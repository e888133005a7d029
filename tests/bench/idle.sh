#!/bin/bash
# What one smegd costs that has nothing to do: memory, processor time and traffic of each of COUNT
# daemons that form one mesh, backend none.
#
#	COUNT=50 SETTLE=40 SECONDS_IDLE=60 make bench ONLY=%/idle.sh
#
# Memory is VmRSS of /proc/PID/status and Pss of /proc/PID/smaps_rollup (shared pages counted once);
# processor time is that of all threads, from /proc/PID/task/*/schedstat; traffic is all that passes
# over the loopback on which they talk.  With LIMITS=1 it fails above 10 MiB or 0.3 % of a core.
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/../netns/lib_many.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"

count=${COUNT:-50}
settle=${SETTLE:-40}
length=${SECONDS_IDLE:-60}
all=$(seq "$count")

# Nanoseconds on a processor, of process $1.
cpu_ns() { awk '{ n += $1 } END { printf "%d\n", n }' /proc/"$1"/task/*/schedstat; }
wakes() { awk '/ctxt_switches/ { n += $2 } END { print n }' /proc/"$1"/task/*/status; }
traffic() { host_exec many awk '/lo:/ { print $2, $3 }' /proc/net/dev; }
kib() { awk -v what="$2:" '$1 == what { print $2 }' "$1"; }
# Least, median and greatest of numbers, one a line.
spread() { sort -n | awk '{ v[NR] = $1 } END { print v[1], v[int((NR + 1) / 2)], v[NR] }'; }
row() { printf '| %-34s | %9s | %9s | %9s |\n' "$@"; }

many_host
for n in $all; do many_start "$n"; done
many_wait $all
many_token 1 "$T/token"
for n in $all; do
	[ "$n" = 1 ] || many_join "$n" "$T/token" || fail "$n cannot join: $(cat "$T/n$n.joined")"
done
wait_until 150 many_agree "$count" $all || fail 'the lists do not agree'
# Sessions from the time of joining that nobody needs any more are closed after a while.
sleep "$settle"

for n in $all; do
	echo "$n $(cpu_ns "$(many_pid "$n")") $(wakes "$(many_pid "$n")")"
done >"$T/before"
read -r bytes packets < <(traffic)
begun=$(ms)
sleep "$length"
took=$(($(ms) - begun))
read -r bytes_after packets_after < <(traffic)
while read -r n cpu wake; do
	echo "$(($(cpu_ns "$(many_pid "$n")") - cpu)) $(($(wakes "$(many_pid "$n")") - wake))"
done <"$T/before" >"$T/spent"

for n in $all; do
	p=/proc/$(many_pid "$n")
	echo "$(kib "$p/status" VmRSS) $(kib "$p/smaps_rollup" Pss) $(kib "$p/status" Threads)" \
		"$(many_ctl "$n" status --json | jq '.meshes[0].sessions')"
done >"$T/size"
column() { awk -v i="$1" -v by="$2" '{ printf "%.3f\n", $i / by }' "$3" | spread; }
echo "one smegd of $count in one mesh, nothing happens, over $((took / 1000)) s:"
row '' least median greatest
row RSS,\ MiB $(column 1 1024 "$T/size")
row PSS,\ MiB $(column 2 1024 "$T/size")
row 'processor, % of one core' $(column 1 $((took * 10000)) "$T/spent")
row 'thread switches a second' $(awk -v ms=$took '{ printf "%.1f\n", $2 * 1000 / ms }' "$T/spent" | spread)
row sessions $(column 4 1 "$T/size")
row threads $(column 3 1 "$T/size")
echo "traffic: $(((bytes_after - bytes) * 1000 / took / count)) bytes and" \
	"$(((packets_after - packets) * 1000 / took / count)) packets a second for each member"

[ -z "${LIMITS:-}" ] || {
	column 1 1024 "$T/size" | awk '{ exit $3 > 10 }' || fail 'more than 10 MiB'
	column 1 $((took * 10000)) "$T/spent" | awk '{ exit $2 > 0.3 }' || fail 'more than 0.3 % of a core'
}
