#!/bin/bash
# Boots Debian's kernel under QEMU once and runs tests/kernel/in/*.sh inside, one after the other.
#
#	tests/kernel/run.sh [PATTERN]      only those whose name matches the shell pattern
#
# Each of them is a script like those of tests/netns: status 0 passed, 77 skipped with the reason on
# its last line.  It may change whatever it likes: all is thrown away.  Everything is slow in there
# (a process 30 ms), so deadlines must be ten times what they are outside.
set -u
cd "$(dirname "$0")/../.." || exit 1
limit=420 # seconds for one script

inside() {
	local script log=/run/log status failed=0 passed=0 name
	for script in tests/kernel/in/$1.sh; do
		name=kernel/$(basename "$script" .sh) SECONDS=0
		timeout -k 5 $limit bash "$script" >$log 2>&1 </dev/null
		status=$?
		case $status in
		0) echo "ok $name (${SECONDS}s)"; passed=$((passed + 1)) ;;
		77) echo "skip $name: $(tail -n 1 $log)" ;;
		*) echo "FAIL $name (status $status)"; tail -n 100 $log | sed 's/^/    /'; failed=1 ;;
		esac
	done
	[ $failed = 0 ] || exit 1
	[ $passed -gt 0 ] || { echo 'every test inside was skipped'; exit 77; }
	exit 0
}
[ "${1:-}" != --inside ] || inside "$2"

skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip 'not root'
[ "$(uname -m)" = x86_64 ] || skip 'the kernel for tests is for x86_64 only'
ls tests/kernel/in/${1:-*}.sh >/dev/null 2>&1 || skip 'there is no such test'
tests/kernel/kernel-run -p || skip 'the kernel for tests cannot be had (no network?)'
exec tests/kernel/kernel-run -t 1700 -e SMEG_BIN -e SMEG_TOOLS tests/kernel/run.sh --inside "${1:-*}"
