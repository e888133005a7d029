#!/bin/bash
# House numbers and forms: function length and parameters, file length, line width,
# comments, header guards, own header first.
#
# A function may be exempt for a reason, told in the comment above it as
# "lint: long, REASON" or "lint: params, REASON"; at most EXEMPTIONS in the tree.
set -eu
export LC_ALL=C
EXEMPTIONS=5
lint=tests/lint
bad=0

mapfile -t code < <($lint/files.sh '*.c' '*.h')
mapfile -t other < <($lint/files.sh '*.sh' '*.awk' '*.proto' Makefile run deps)
[ ${#code[@]} -gt 0 ] || { echo 'no C files to look at'; exit 1; }
libs=$(MAKEFLAGS='' make -s --no-print-directory lint-table | sed -n 's/^libs //p')

awk -v libs="$libs" -v exemptions="$EXEMPTIONS" -f $lint/strip.awk -f $lint/tidy.awk \
	"${code[@]}" || bad=1

# Left-over notes to oneself, in anything.
! grep -nE '\b(F[I]XME|X[X]X|H[A]CK)\b' "${code[@]}" "${other[@]}" /dev/null || bad=1

command -v ctags >/dev/null || { echo 'ctags is missing'; exit 1; }
ctags -x --kinds-C=f --language-force=C --fields=+eS \
	--_xformat='%F %n %{end} %N %S' "${code[@]}" | awk '
	# True if the comment above line `from` exempts the function from `what`.
	function exempt(what,    i, text) {
		for (i = from - 1; i > 0 && i >= from - 12; i--) {
			text = line[file, i]
			if (text ~ "lint: " what ", .")
				return 1
			if (text ~ /^}/)
				return 0
		}
		return 0
	}
	function read_in(    text, n) {
		if (file in have)
			return
		have[file] = 1
		while ((getline text < file) > 0)
			line[file, ++n] = text
		close(file)
	}
	# Commas outside of inner parentheses separate parameters.
	function parameters(list,    i, c, depth, n) {
		if (list ~ /^\((void)?\)$/)
			return 0
		for (i = 1; i <= length(list); i++) {
			c = substr(list, i, 1)
			depth += (c == "(") - (c == ")")
			n += c == "," && depth == 1
		}
		return n + 1
	}
	{
		file = $1; from = $2; long = $3 - $2 + 1; name = $4
		sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "")
		count = parameters($0)
		read_in()
		if (long > 70 && !exempt("long")) {
			printf "%s:%d: %s is %d lines long (70)\n", file, from, name, long
			bad = 1
		}
		if (count > 5 && !exempt("params")) {
			printf "%s:%d: %s has %d parameters (5); a struct, perhaps\n", file, from, name, count
			bad = 1
		}
	}
	END { exit bad }' || bad=1
exit $bad
