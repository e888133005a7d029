#!/bin/bash
# Fails when clang-format would change a C file; `make format` makes it so.
set -eu
mapfile -t files < <(tests/lint/files.sh '*.c' '*.h')
[ ${#files[@]} -gt 0 ] || { echo 'no C files to look at'; exit 1; }
if ! out=$(clang-format --dry-run -Werror "${files[@]}" 2>&1); then
	grep ': error:' <<<"$out" | awk -F: '
		!seen[$1]++ { first[$1] = $0; order[++n] = $1 }
		END { for (i = 1; i <= n; i++) print first[order[i]] " (" seen[order[i]] " places)" }'
	exit 1
fi
