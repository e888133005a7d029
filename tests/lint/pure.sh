#!/bin/bash
# Pure folders call only each other and a short list of libc, libsodium and protobuf-c
# functions: no clock, entropy, file, environment, stdio or malloc; and they own no
# mutable data.  Read from what the compiler made of them, so nothing hides in a macro.
#	pure.sh BUILD/VARIANT
set -eu
export LC_ALL=C
b=$1
table=$(MAKEFLAGS='' make -s --no-print-directory lint-table)
pure=$(sed -n 's/^pure //p' <<<"$table")
bad=0

complain() {
	echo "$*"
	bad=1
}

archive() { echo "$b/lib${1//\//-}.a"; }

# What every pure folder may call.
mem='mem(cpy|move|set|cmp|chr|rchr|mem)'
str='str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|pbrk)'
fortified='__(memcpy|memmove|memset|snprintf|vsnprintf)_chk'
compiler='__stack_chk_fail|__assert_fail|_GLOBAL_OFFSET_TABLE_'
compiler="$compiler|__(popcount|clz|ctz|bswap|udiv|umod|udivmod|mul|div|mod|ashl|lshr|ashr)[sdt]i[234]*"
sodium='crypto_[a-z0-9_]+'
sodium="$sodium|sodium_(memcmp|memzero|compare|is_zero|increment|add|sub|bin2hex|hex2bin|bin2base64|base642bin|base64_encoded_len)"
ok="^($mem|$str|v?snprintf|qsort|bsearch|$fortified|$compiler|$sodium|protobuf_c_[a-z0-9_]+)\$"
# Those of libsodium that draw random bytes themselves; key pairs come from seeds.
random='^crypto_.*(keypair|keygen|_random|_init_push|pwhash_str|box_seal)$'
seeded='^crypto_.*_seed_keypair$'
# A folder's own additions, each with its reason: more[FOLDER]='name|name'.
declare -A more=()

# Symbols that a pure folder asks for and no pure folder has.
check_calls() {
	local folder=$1
	nm -A "$(archive "$folder")" | awk -v ok="$ok" -v more="^(${more[$folder]:-})\$" \
		-v random="$random" -v seeded="$seeded" -v folder="$folder" -v have="$defined" '
		BEGIN { n = split(have, h, " "); for (i = 1; i <= n; i++) here[h[i]] = 1 }
		$(NF - 1) !~ /^[Uvw]$/ { next }
		$NF in here || $NF ~ more { next }
		$NF ~ ok && ($NF !~ random || $NF ~ seeded) { next }
		{
			split($1, at, ":")
			sub(/[.]o$/, ".c", at[2])
			printf "%s/%s: impure: calls %s\n", folder, at[2], $NF
			bad = 1
		}
		END { exit bad }' || bad=1
}

# Data that can be written: any section for it that is not empty.  Constants that hold
# addresses are in .data.rel.ro, which is read-only once loaded.
writable='^[.](t?data|t?bss|ldata|lbss)([.]|$)|^COMMON$|^[*]COM[*]$'
check_data() {
	local folder=$1 found
	found=$({
		nm -A -f sysv "$(archive "$folder")" | awk -F'|' '
			NF > 5 {
				split($1, at, ":")
				gsub(/[ \t]/, "", at[3]); gsub(/[ \t]/, "", $4); gsub(/[ \t]/, "", $NF)
				if ($4 != "SECTION" && $4 != "FILE")
					print at[2], $NF, at[3]
			}'
		# Data without a symbol of its own comes to light by the size of its section.
		objdump -h "$(archive "$folder")" | awk '
			/file format/ { object = $1; sub(/:$/, "", object) }
			$1 ~ /^[0-9]+$/ && $3 !~ /^0+$/ { print object, $2, "in " $2 }'
	} | awk -v writable="$writable" -v folder="$folder" '
		$2 !~ writable || $2 ~ /^[.]data[.]rel[.]ro/ || $1 ~ /[.]pb-c[.]o$/ { next }
		$3 == "in" && $1 in named { next }
		{
			named[$1] = 1
			sub(/[.]o$/, ".c", $1)
			printf "%s/%s: impure: mutable data %s\n", folder, $1, $3 == "in" ? $3 " " $4 : $3
		}')
	[ -z "$found" ] || complain "$found"
}

# Clocks, entropy and the kernel can also be had without calling anybody.
check_instructions() {
	local folder=$1
	objdump -d --no-show-raw-insn "$(archive "$folder")" | awk -v folder="$folder" '
		/file format/ { object = $1; sub(/:$/, "", object); sub(/[.]o$/, ".c", object) }
		/\t(syscall|sysenter|int +\$0x80|rdtscp?|rdrand|rdseed|rdpid|svc)([ \t]|$)/ {
			printf "%s/%s: impure: instruction %s\n", folder, object, $2
			bad = 1
		}
		END { exit bad }' || bad=1
}

defined=''
for folder in $pure; do
	[ -e "$(archive "$folder")" ] || { complain "$(archive "$folder") was not built"; continue; }
	defined="$defined $(nm -g --defined-only "$(archive "$folder")" 2>/dev/null |
		awk 'NF == 3 { print $3 }' | tr '\n' ' ')"
done
for folder in $pure; do
	[ -e "$(archive "$folder")" ] || continue
	# An archive without members is a folder without files yet.
	[ -n "$(ar t "$(archive "$folder")")" ] || continue
	check_calls "$folder"
	check_data "$folder"
	check_instructions "$folder"
done
exit $bad
