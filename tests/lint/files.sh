#!/bin/sh
# The project's files that match the patterns (of names, not of paths): those in git
# or, in an export without git, those on disk.
#	files.sh '*.c' '*.h'
set -eu
if git ls-files --error-unmatch Makefile >/dev/null 2>&1; then
	git ls-files -- "$@"
else
	for pattern; do
		find . -name build -prune -o -name "$pattern" -type f -print
	done | sed 's|^\./||' | sort -u
fi | while read -r f; do
	# A file that is deleted but not yet committed is none.
	[ ! -f "$f" ] || echo "$f"
done
