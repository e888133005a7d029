#!/bin/bash
# Rows of the bench in a small form.
set -u
sim=${SMEG_BIN:-build/release/bin}/smegsim
[ -x "$sim" ] || { echo "FAIL: $sim was not built"; exit 1; }
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
echo "seed $seed (repeat with SEED=$seed)"
bad=0
# ROW NODES NAME MOST
row() {
	local value
	value=$("$sim" --row "$1" --nodes "$2" --seeds 1 --seed "$seed" |
		jq -r --arg name "$3" 'select(.name == $name) | .value') || bad=1
	echo "$1, $2 nodes: $3 = $value, at most $4"
	jq -en --argjson value "${value:-null}" --argjson most "$4" '$value != null and $value <= $most' \
		>/dev/null || { echo "FAIL: $1"; bad=1; }
}

row repair 100 repair_1_bytes 250
row repair 100 repair_16_bytes 700
row hostile 60 hostile_bad 0
row churn_short 10 churn_state_ratio 2
exit $bad
