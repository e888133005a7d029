#!/bin/bash
# Finds files that nothing uses.
set -eu
export LC_ALL=C
lint=tests/lint
bad=0
complain() {
	echo "$*"
	bad=1
}
table=$(MAKEFLAGS='' make -s --no-print-directory lint-table)
libs=" $(sed -n 's/^libs //p' <<<"$table") "
protos=" $(sed -n 's/^protos //p' <<<"$table") "
mapfile -t code < <($lint/files.sh '*.c' '*.h')
mapfile -t scripts < <($lint/files.sh '*.sh')

# A header that only its own .c includes tells nobody anything.
while read -r header; do
	complain "$header: included by no other file"
done < <(grep -HoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]+"' "${code[@]}" /dev/null |
	awk -F'"' '
		FNR == NR { if ($0 ~ /[.]h$/) headers[$0] = 1; next }
		{
			from = $1
			sub(/:.*/, "", from)
			own = from
			sub(/[.]c$/, ".h", own)
			if ($2 != own)
				used[$2] = 1
		}
		END { for (h in headers) if (!(h in used)) print h }' <(printf '%s\n' "${code[@]}") - | sort)

for f in "${code[@]}"; do
	case $f in
	tests/unit/*/*.c)
		dir=${f#tests/unit/}
		dir=${dir%/*}
		case "$libs smegd smegctl " in
		*" $dir "*) ;;
		*) complain "$f: a unit test of no folder of the Makefile" ;;
		esac
		;;
	tests/unit/*.c) complain "$f: a unit test stands in the folder of what it tests" ;;
	tests/fuzz/fuzz_*.c)
		name=${f#tests/fuzz/fuzz_}
		[ -d "tests/fuzz/corpus/${name%.c}" ] || complain "$f: has no tests/fuzz/corpus/${name%.c}"
		;;
	tests/fuzz/*.c) complain "$f: a fuzz target is called fuzz_NAME.c" ;;
	esac
done

for d in tests/fuzz/corpus/*/; do
	[ -n "$(ls -A "$d" 2>/dev/null)" ] || continue
	name=$(basename "$d")
	[ -f "tests/fuzz/fuzz_$name.c" ] || complain "$d: no fuzz target reads it"
done

while read -r f; do
	case $protos in
	*" $f "*) ;;
	*) complain "$f: no GEN line in the Makefile" ;;
	esac
done < <($lint/files.sh '*.proto')

for f in "${scripts[@]}"; do
	base=${f##*/}
	case $f in
	tests/*/lib*.sh)
		grep -qF "$base" $(printf '%s\n' "${scripts[@]}" | grep -vxF "$f") /dev/null ||
			complain "$f: sourced by nobody"
		;;
	*)
		[ -x "$f" ] || complain "$f: not executable"
		;;
	esac
done
exit $bad
