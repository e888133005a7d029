#!/bin/bash
# Every scenario once from a fixed seed, small; the same seed twice gives the same trace, and so do the
# stand-ins for cryptography; and one round from a fresh seed, which is printed.  Everything is virtual
# time.
set -u
sim=${SMEG_BIN:-build/release/bin}/smegsim
[ -x "$sim" ] || { echo "FAIL: $sim was not built"; exit 1; }
fresh=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
echo "fresh seed $fresh (repeat with SEED=$fresh)"
bad=0
run() { "$sim" "$@" || { echo "FAIL: smegsim $*"; bad=1; }; }
hash() { "$sim" --scenario change --nodes 40 --seed 3 --prepared --no-devices "$@" | awk '/trace hash/ { print $3 }'; }

run --scenario standins
real=$(hash --crypto real)
[ -n "$real" ] && [ "$real" = "$(hash --crypto model)" ] || { echo 'FAIL: the stand-ins change what happens'; bad=1; }
run --scenario join --nodes 12 --seed 1 --twice
run --scenario storm --nodes 100 --seed 1 --loss 5 --delay-us 5000 --jitter-us 10000
run --scenario regions --nodes 38 --seed 1
run --scenario clients --nodes 16 --seed 1
run --scenario islet --nodes 24 --seed 1
# Rows, small: that they run, and that no invariant fails in them.
for r in calm,crash,broken,lossy,heal,leader world pausing steady; do
	"$sim" --row $r --nodes 24 --seeds 1 --minutes 5 2>/dev/null | grep -q '"value":null' && { echo "FAIL: row $r"; bad=1; }
done
for s in change leave alone early split crashes backup clocks drift pauses takeover oneway disks leader-dies; do
	run --scenario $s --nodes 24 --seed 2
	run --scenario $s --nodes 16 --seed "$fresh"
	run --scenario $s --nodes 16 --seed "$fresh" --loss 10 --delay-us 20000 --jitter-us 30000
done
exit $bad
