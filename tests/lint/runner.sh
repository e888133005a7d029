#!/bin/bash
# A runner that cannot fail proves nothing: tests/run is given tests that fail in every
# way, and must say so.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

# says STATUS LINE ARGUMENT...: tests/run exits with STATUS and one line matches.
says() {
	local status=$1 line=$2 out got=0
	shift 2
	out=$(tests/run "$@" 2>&1) || got=$?
	if [ "$got" != "$status" ] || ! grep -qxE -- "$line" <<<"$out"; then
		echo "tests/run $*: status $got ($status), no line '$line' in:"
		sed 's/^/  /' <<<"$out"
		bad=1
	fi
}

cmocka() { # PASSED FAILED SKIPPED: the closing lines of such a program
	printf 'printf "[  PASSED  ] %d test(s).\\n[  SKIPPED ] %d test(s), listed below:\\n' "$1" "$3"
	[ "$2" = 0 ] || printf '[  FAILED  ] %d test(s), listed below:\\n' "$2"
	printf '"; exit %d' "$2"
}

says 0 'ok a \([0-9.]+s\)' x:a=true
says 1 'FAIL a' x:a=false
says 1 'FAIL a' x:a
says 1 'FAIL a' 'x:a=kill -SEGV $$'
says 1 '    \| \(stopped after 1 s\)' -t 1 'x:a=sleep 20'
says 0 'skip a: no such device' 'x:a=echo words; echo no such device; exit 77'
says 1 '    \| 9 passed, 0 failed, 0 skipped' 'x:a=echo 9 passed, 0 failed, 0 skipped; exit 1'
says 1 '2 passed, 1 failed, 1 skipped' -j 2 x:a=true x:b=false x:c=true 'x:d=exit 77'
says 1 '0 passed, 0 failed, 0 skipped'
says 0 '3 passed, 0 failed, 1 skipped' "unit:a=$(cmocka 3 0 1)"
says 1 '3 passed, 2 failed, 0 skipped' "unit:a=$(cmocka 3 2 0)"
# A program that leaves early, and one whose tests pass and which then fails.
says 1 '0 passed, 1 failed, 0 skipped' unit:a=true
says 1 '3 passed, 1 failed, 0 skipped' "unit:a=($(cmocka 3 0 0)); exit 9"
# A script of many tests says for each how it went.
says 0 'ok b \(2 s\)' 'many:a=echo "ok b (2 s)"; echo words; echo "skip c: why"'
says 0 'skip c: why' 'many:a=echo "ok b (2 s)"; echo words; echo "skip c: why"'
says 0 '1 passed, 0 failed, 1 skipped' 'many:a=echo "ok b"; echo words; echo "skip c: why"'
says 1 'FAIL a' 'many:a=echo "ok b"; echo "FAIL c"; exit 1'
says 1 '1 passed, 1 failed, 0 skipped' 'many:a=echo "ok b"; echo "FAIL c"; exit 1'
says 1 '1 passed, 1 failed, 0 skipped' 'many:a=echo "ok b"; exit 1'
says 1 '0 passed, 1 failed, 0 skipped' 'many:a=echo okay'
says 0 'skip a: no kernel' 'many:a=echo no kernel; exit 77'
# What is added up over several calls.
says 0 'FAIL b' -r "$tmp/results" x:a=true x:b=false
says 0 'ok c .*' -r "$tmp/results" x:c=true
says 1 '2 passed, 1 failed, 0 skipped' -c "$tmp/results"
: >"$tmp/results"
says 1 '0 passed, 0 failed, 0 skipped' -c "$tmp/results"
exit $bad
