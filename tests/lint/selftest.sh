#!/bin/bash
# Plants one fault after another and demands that lint names it: in a small skeleton of
# every folder, and in a copy of the real tree.  A gate that no fault trips guards nothing.
set -eu
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL RESULTS BUILD VARIANT WERROR CC CFLAGS
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

fail() {
	echo "$*"
	bad=1
}

# A library folder of the skeleton: one file, which uses one of the folder below.
make_folder() { # FOLDER FUNCTION [HEADER CALLED]
	local guard
	guard=SMEG_$(echo "$1/$2" | tr 'a-z/' 'A-Z_')_H
	mkdir -p "$1"
	printf '#ifndef %s\n#define %s\n\nint %s(int x);\n\n#endif\n' "$guard" "$guard" "$2" >"$1/$2.h"
	{
		printf '#include "%s/%s.h"\n\n' "$1" "$2"
		[ $# = 2 ] || printf '#include "%s"\n\n' "$3"
		printf 'int %s(int x)\n{\n\treturn %s;\n}\n' "$2" "${4:+$4(x) + }x + 1"
	} >"$1/$2.c"
}

make_skeleton() {
	mkdir -p "$1"
	cp Makefile .clang-format "$1"
	tar -cf - tests/lint tests/run tests/unit/unit.h | tar -xf - -C "$1"
	cd "$1"
	make_folder base low
	make_folder crdt set base/low.h low
	make_folder smegd/core node crdt/set.h set
	make_folder smegd/wire frame smegd/core/node.h node
	make_folder smegd/kern kern smegd/core/node.h node
	make_folder api/model view base/low.h low
	cat >smegd/main.c <<'END'
#include "api/model/view.h"
#include "smegd/kern/kern.h"
#include "smegd/wire/frame.h"

int main(void)
{
	return view(frame(1)) + kern(1);
}
END
	mkdir -p tests/unit/base
	cat >tests/unit/base/test_low.c <<'END'
#include "tests/unit/unit.h"

#include "base/low.h"

static void test_low(void **state)
{
	(void)state;
	assert_int_equal(low(1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_low) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
END
	cd "$root"
}

copy_tree() {
	mkdir -p "$1"
	{
		tests/lint/files.sh '*.c' '*.h' '*.proto' '*.sh' '*.awk'
		ls Makefile .clang-format tests/run tests/lint/*
		find tests/fuzz/corpus -type f
	} | sort -u | tar -cf - -T - | tar -xf - -C "$1"
}

# -O1 is quick and keeps what the gates look at.
build_pure() {
	MAKEFLAGS='' make -s -j2 CFLAGS=-O1 pure-archives >/dev/null 2>build.log || {
		cat build.log
		return 1
	}
}

gate() { # GATE: its output, and its status
	case $1 in
	pure)
		build_pure || return
		tests/lint/pure.sh build/release
		;;
	*) "tests/lint/$1.sh" ;;
	esac
}

# planted GATE FILE PATTERN <<TEXT: with TEXT as FILE, GATE fails and a line matches.
planted() {
	local gate=$1 file=$2 pattern=$3 out
	cat >"$file"
	if out=$(gate "$gate" 2>&1); then
		fail "$tree: $gate lets pass: $file ($pattern)"
	elif ! grep -qE -- "$pattern" <<<"$out"; then
		fail "$tree: $gate does not name $file ($pattern); it says:"
		sed 's/^/  /' <<<"$out"
	fi
	rm -f "$file"
}

# harmless GATE FILE <<TEXT: GATE says nothing about FILE.
harmless() {
	local gate=$1 file=$2 out
	cat >"$file"
	out=$(gate "$gate" 2>&1) || :
	if grep -qF -- "$file" <<<"$out"; then
		fail "$tree: $gate complains about what is right:"
		sed 's/^/  /' <<<"$out"
	fi
	rm -f "$file"
}

P=planted_fault

import_faults() {
	local f=crdt/$P.c
	planted imports $f "^$f:1: may not import smegd/core/" <<<'#include "smegd/core/x.h"'
	planted imports $f "^$f:1: .*relative" <<<'#include "../base/x.h"'
	planted imports $f "^$f:1: .*relative" <<<'#include "base/../smegd/core/x.h"'
	planted imports $f "^$f:1: .*root" <<<'#include "x.h"'
	planted imports $f "^$f:1: may not" <<<'#include "smegd/core/x.h" /* as an exception */'
	planted imports $f "^$f:1: may not" <<<'#include "smegd/core/x.h" // as an exception'
	planted imports $f "^$f:1: may not" <<<'   #	 include"smegd/core/x.h"  '
	planted imports $f "^$f:1: may not" <<<'/**/ # /* */ include /* */ "smegd/core/x.h"'
	planted imports $f "^$f:2: may not" <<<$'#include \\\n"smegd/core/x.h"'
	planted imports $f "^$f:2: .*plainly" <<<$'#define X "smegd/core/x.h"\n#include X'
	planted imports $f "^$f:1: .*only headers" <<<'#include "base/x.c"'
	planted imports $f "^$f:1: .*private" <<<'#include "base/x_priv.h"'
	planted imports $f "^$f:1: .*api/control.pb-c.h" <<<'#include "api/control.pb-c.h"'
	planted imports $f "^$f:1: .*sqlite3.h" <<<'#include <sqlite3.h>'
	planted imports base/$P.h "^base/$P.h:1: may not import crdt/" <<<'#include "crdt/x.h"'
	planted imports smegd/core/$P.c "may not import smegd/kern/" <<<'#include "smegd/kern/x.h"'
	planted imports smegd/kern/$P.c "may not import smegd/net/" <<<'#include "smegd/net/x.h"'
	planted imports tests/unit/base/$P.c "may not import crdt/" <<<'#include "crdt/x.h"'
	planted imports tests/unit/base/$P.c "may not import tests/unit/crdt/" \
		<<<'#include "tests/unit/crdt/x.h"'
	planted imports crdt/$P.c "may not import tests/unit/base/" <<<'#include "tests/unit/base/x.h"'
	mkdir -p tests/unit/crdt
	harmless imports tests/unit/crdt/$P.c <<<'#include "tests/unit/base/x.h"'
	mkdir -p stray
	planted imports stray/$P.c "stray.*belongs to nothing" <<<'int x;'
	rmdir stray
	harmless imports $f <<<$'/*\n#include "smegd/x.h"\n*/ // #include "smegd/x.h"\nconst char *s = "/*";'
}

purity_faults() {
	local f
	f=crdt/$P.c
	planted pure $f "^$f: .*calls smegd_log" <<-'END'
		void smegd_log(int);
		void planted(void);
		void planted(void)
		{
			smegd_log(1);
		}
	END
	for f in smegd/core/$P.c smegd/wire/$P.c; do
		planted pure $f "^$f: .*calls time\$" <<-'END'
			#include <time.h>
			long planted(void);
			long planted(void)
			{
				return (long)time(NULL);
			}
		END
	done
	f=base/$P.c
	planted pure $f "^$f: .*calls malloc" <<-'END'
		#include <stdlib.h>
		void *planted(void);
		void *planted(void)
		{
			return malloc(8);
		}
	END
	planted pure $f "^$f: .*calls crypto_sign_keypair" <<-'END'
		#include <sodium.h>
		int planted(unsigned char *pk, unsigned char *sk);
		int planted(unsigned char *pk, unsigned char *sk)
		{
			return crypto_sign_keypair(pk, sk);
		}
	END
	planted pure $f "^$f: .*mutable data planted_global" <<<'int planted_global;'
	planted pure $f "^$f: .*mutable data planted_table" <<-'END'
		extern const char *planted_table[];
		const char *planted_table[] = { "a" };
	END
	planted pure $f "^$f: .*mutable data planted_own" <<<'_Thread_local int planted_own;'
	f=api/model/$P.c
	planted pure $f "^$f: .*mutable data planted_count" <<-'END'
		int planted(void);
		int planted(void)
		{
			static int planted_count;
			return ++planted_count;
		}
	END
	planted pure $f "^$f: .*instruction rdtsc" <<-'END'
		int planted(void);
		int planted(void)
		{
			return (int)__builtin_ia32_rdtsc();
		}
	END
	harmless pure $f <<-'END'
		#include <string.h>
		extern const char *const planted_names[];
		const char *const planted_names[] = { "a", "b" };
		int planted(const char *s);
		int planted(const char *s)
		{
			return strcmp(s, planted_names[1]);
		}
	END
	# What was planted last is still in the archive.
	build_pure || :
}

function_of() { # LINES PARAMETERS
	printf 'int planted(%s)\n{\n' "$2"
	for ((i = 3; i < $1; i++)); do printf '\ta++;\n'; done
	printf '}\n'
}

tidy_faults() {
	local f=crdt/$P.c six='int a, int b, int c, int d, int e, int f'
	planted tidy $f "^$f:1: planted is 71 lines" < <(function_of 71 'int a')
	harmless tidy $f < <(function_of 70 'int a, int b, int c, int d, void (*e)(int, int)')
	planted tidy $f "^$f:1: planted has 6 parameters" < <(function_of 9 "$six")
	harmless tidy $f < <(echo '/* lint: params, a table of the kernel */' && function_of 9 "$six")
	planted tidy $f "^$f:1: line of 101 columns" <<<"$(printf '\t%093d' 1)"
	harmless tidy $f <<<"$(printf '\t%092d' 1)"
	planted tidy $f "^$f: 801 lines" < <(yes '' | head -n 801)
	planted tidy $f "^$f:1: a comment" <<<'int x; // why'
	harmless tidy $f <<<'const char *s = "http://x"; /* // */'
	planted tidy $f "^$f:1:.*F[I]XME" <<<"/* $(echo FIX)ME */"
	planted tidy $f "^$f:1: includes <*string.h" <<<'#include <string.h>'
	planted tidy crdt/$P.h "^crdt/$P.h: the header guard" <<<'#pragma once'
}

other_faults() {
	planted format crdt/$P.c "^crdt/$P.c:1" <<<'int   planted ;'
	planted dead crdt/$P.h "^crdt/$P.h: included by no other" <<<'int planted(void);'
	mkdir -p tests/unit/stray
	planted dead tests/unit/stray/test_$P.c "of no folder" <<<'int planted(void);'
	rmdir tests/unit/stray
	planted dead $P.proto "^$P.proto: no GEN" <<<'syntax = "proto3";'
}

root=$PWD
make_skeleton "$tmp/skeleton"
copy_tree "$tmp/copy"
for tree in skeleton copy; do
	cd "$tmp/$tree"
	# Folders that have no files yet.
	mkdir -p base crdt api/model smegd/core smegd/wire smegd/kern tests/unit/base
	for g in imports tidy format dead pure; do
		out=$(gate $g 2>&1) || {
			fail "$tree: $g does not pass as it stands: $(head -n 1 <<<"$out") ..."
		}
	done
	import_faults
	purity_faults
	tidy_faults
	other_faults
	cd "$root"
done
exit $bad
