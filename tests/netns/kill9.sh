#!/bin/bash
# kill -9 at random moments takes nothing back.
#
# A mesh of three, without WireGuard, is being worked on: each host changes its description as fast
# as it is answered, a makes invites for two uses each, and three hosts of their own compete for each
# of some.  Meanwhile the daemon of a, at times that of b, is killed and started again, one time in
# four before it has come up.  After each kill
#
#	the database is whole, holds the founders, every answered `set` and every answered invite,
#	and a counter that is neither behind its last nor behind what c has seen of it;
#
# and after each start key and address are as before, the own record is not older than c has it, and
# no founder is missing.  At the end no invite has admitted more than it may, nobody who has joined
# is missing anywhere, and all three list the same.
#
#	KILLS=1000, else 1000 or as many as fit into 120 s   SEED=number, printed, to choose the same
#	moments again
#	BREAK=set|counter|invite|member   spoil what is compared; the test must fail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_smegd.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_TOOLS/storedump"

kills=${KILLS:-1000}
seconds=${KILLS:+100000}
seconds=${seconds:-120}
seed=${SEED:-$((${EPOCHREALTIME/./} % 32768))}
break=${BREAK:-}
uses=2
rivals=3
smegd_options=(--backend none)
RANDOM=$seed
say "SEED=$seed"

# --- shortcuts, for speed: nothing is entered to ask a daemon, and little is started ---

declare -A socket database key hex_key address disk_counter admissions
quick() {
	local host=$1
	shift
	"$SMEG_BIN/smegctl" --socket "${socket[$host]}" "$@"
}
die_now() {
	local pid
	pid=$(<"$T/$1.daemon")
	kill -KILL "$pid" || fail "smegd on $1 has ended by itself: $(tail -n 5 "$T/$1.log")"
	while [ -e "/proc/$pid" ]; do sleep 0.002; done
}
come_up() {
	local end=$((SECONDS + 30))
	until quick "$1" version >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] && [ -e "/proc/$(<"$T/$1.daemon")" ] ||
			fail "smegd on $1 does not start: $(tail -n 5 "$T/$1.log")"
		sleep 0.003
	done
}
# a_while MS: at most that many.
a_while() { sleep "$(printf '0.%03d' $((RANDOM % $1)))"; }
# A number in a file, for one to write and others to read: it is overwritten in one piece.
number_set() { printf '%9d\n' "$2" 1<>"$T/$1"; }
number() {
	local n=0
	[ ! -e "$T/$1" ] || read -r n <"$T/$1"
	echo "$n"
}

# table HOST: a line "key address standing counter alias description self" for each member.
table() {
	quick "$1" list --json 2>"$T/table.err" >"$T/table.json" || fail "list on $1: $(cat "$T/table.err")"
	awk -F'": ' '{ v = $2; sub(/,$/, "", v); gsub(/"/, "", v) }
		/^      "key"/ { k = v } /^      "address"/ { a = v } /^      "standing"/ { s = v }
		/^      "counter"/ { c = v } /^      "alias"/ { n = v } /^      "description"/ { d = v }
		/^        "self"/ { print k, a, s, c, n ? n : "-", d ? d : "-", v }' "$T/table.json"
}
counter_of() { table "$1" | awk -v k="$2" '$1 == k { print $4 }'; }

# --- those who work; each goes on until $T/working is gone, and never longer than the test ---

working() { [ -e "$T/working" ]; }
tested() { [ -d "$T" ]; }

worker() {
	local n=0
	while working; do
		n=$((n + 1))
		number_set "$1.tried" $n
		if quick "$1" set --description "desc-$n." >/dev/null 2>&1; then
			number_set "$1.kept" $n
		fi
		sleep 0.02
	done 2>/dev/null
}

# Numbers of invites whose token came; the tokens are in $T/token.N.
inviter() {
	local n=0
	while working; do
		if quick a invite --uses $uses --json >"$T/invite.new" 2>/dev/null; then
			n=$((n + 1))
			sed -n 's/^  "token": "\(.*\)",$/\1/p' "$T/invite.new" >"$T/token.$n"
			number_set invites $n
			sleep 0.1
		fi
		sleep 0.01
	done 2>/dev/null
}

# rival ROUND NUMBER: a new host that joins with the round's token, however often it must ask; or
# finds it used up.
rival() {
	local dir=/run/smegmesh/r$1.$2 log=$T/rival.$1.$2 end=$((SECONDS + 120)) pid
	local ask=("$SMEG_BIN/smegctl" --socket "/proc/$(host_pid d)/root$dir/smegd.sock")
	host_spawn d "$log.smegd" "$SMEG_BIN/smegd" --backend none --port $((22000 + $2)) \
		--state-dir $dir --run-dir $dir
	pid=$spawned
	disown $pid
	echo starting >"$log.step"
	wait_until 20 "${ask[@]}" version >/dev/null 2>&1 ||
		echo "does not start: $(tail -n 5 "$log.smegd")" >"$log"
	while [ ! -e "$log" ] && tested && [ $SECONDS -lt $end ]; do
		echo "joining since $SECONDS" >"$log.step"
		if "${ask[@]}" join --alias "r$1-$2" --json - <"$T/token.$1" >"$log.join" 2>&1; then
			sed -n 's/^ *"key": "\(.*\)",$/\1/p' "$log.join" | head -n 1 >"$log.key"
			echo "joined, unknown to c since $SECONDS" >"$log.step"
			# It stays until another host than the issuer knows it.
			while tested && ! knows c "$(<"$log.key")" && [ $SECONDS -lt $end ]; do sleep 0.05; done
			[ $SECONDS -lt $end ] && echo joined >"$log"
			break
		fi
		grep -q '"used-up"' "$log.join" && { echo used-up >"$log"; break; }
		sleep 0.1
	done
	tested || return
	[ -e "$log" ] || echo "gave up, $(<"$log.step"): $(tr -d '\n' <"$log.join"; tail -n 5 "$log.smegd")" >"$log"
	echo "ending since $SECONDS" >"$log.step"
	kill -TERM $pid
	wait_until 20 is_gone $pid || echo "smegd does not end: $(tail -n 5 "$log.smegd")" >"$log"
	echo ended >"$log.step"
}
knows() {
	"$SMEG_BIN/smegctl" --socket "${socket[$1]}" list --json 2>/dev/null |
		grep -A 9 -F "\"key\": \"$2\"" | grep -q '"standing": "in"'
}

# Rounds of rivals, one after the other, each for an invite of its own; not so many that the mesh
# grows large.
rivalry() {
	local n i pids round=0 last=0
	while working && [ $round -lt 12 ]; do
		n=$(number invites)
		if [ "$n" = $last ]; then
			sleep 0.1
			continue
		fi
		pids='' round=$((round + 1)) last=$n
		for ((i = 1; i <= rivals; i++)); do
			rival "$n" $i &
			pids="$pids $!"
		done
		wait $pids
		echo "$n" >>"$T/rounds"
		sleep 1
	done
}

# --- what must hold ---

# dump HOST: its database, of a daemon that is dead.
dump() {
	"$SMEG_TOOLS/storedump" "${database[$1]}" >"$T/dump" 2>"$T/dump.err" ||
		fail "the database of $1 is damaged: $(cat "$T/dump.err")"
}
# From the dump: the N of desc-N. in the mesh's row, the reserved counter, the number of invites, that
# of admissions, and that of the founders' records.
in_dump() {
	local hex counter
	read -r hex counter rows admitted founders < <(awk -v keys="${hex_key[*]}" '
		BEGIN { split(keys, list, " "); for (i in list) founder["04" list[i]] }
		$1 == "mesh" && match($4, /646573632d(3[0-9])+2e/) {
			hex = substr($4, RSTART + 10, RLENGTH - 12) }
		$1 == "counter" && $3 == "72657365727665642d636f756e746572" { counter = substr($4, 3) }
		$1 == "invite" { rows++ }
		$1 == "state" && $3 ~ /^03/ { admitted++ }
		$1 == "state" && ($3 in founder) { founders++ }
		END { print hex ? hex : "30", counter ? counter : "0", rows + 0, admitted + 0, founders + 0 }' "$T/dump")
	kept=''
	for ((; ${#hex} > 0; )); do
		kept=$kept${hex:1:1} hex=${hex:2}
	done
	reserved=$((16#$counter))
}

dead_is_whole() {
	local h=$1 kept answered tried rows reserved invites admitted founders
	answered=$(number "$h.kept") invites=$(number invites)
	dump "$h"
	tried=$(number "$h.tried")
	in_dump
	[ "$break" != set ] || [ "$kept" = 0 ] || kept=$((kept - 1))
	[ "$kept" -ge "$answered" ] && [ "$kept" -le "$tried" ] ||
		fail "$h keeps description $kept; answered was $answered, tried $tried"
	[ "$break" != invite ] || rows=$((rows - 4))
	[ "$h" != a ] || [ "$rows" -ge $((invites + 3)) ] ||
		fail "a keeps $rows invites; $invites and 3 were answered"
	[ "$founders" = 3 ] || fail "$h keeps the records of $founders of the three"
	# Those of a are its own, and so on the disk before anybody has heard of them.
	[ $h != a ] || [ "$admitted" -ge "${admissions[$h]}" ] ||
		fail "a keeps $admitted admissions and kept ${admissions[$h]}"
	admissions[$h]=$admitted
	own_seen=$(counter_of c "${key[$h]}")
	[ "$break" != counter ] || own_seen=$((own_seen + 5000))
	[ $reserved -ge "${disk_counter[$h]}" ] && [ $reserved -ge "$own_seen" ] ||
		fail "$h has reserved $reserved; before it was ${disk_counter[$h]}, and c has seen $own_seen"
	disk_counter[$h]=$reserved
}
risen_is_whole() {
	local h=$1 k a standing counter self founders=0
	[ "$break" != member ] || key[c]=none
	while read -r k a standing counter _ _ self; do
		[ "$standing" = in ] && case $k in
		"${key[a]}" | "${key[b]}" | "${key[c]}") founders=$((founders + 1)) ;;
		esac
		[ "$self" = true ] || continue
		[ "$k $a" = "${key[$h]} ${address[$h]}" ] ||
			fail "$h was ${key[$h]} ${address[$h]}, and is $k $a"
		[ "$counter" -ge "$own_seen" ] || fail "$h has its record of $counter; c has one of $own_seen"
	done < <(table "$h")
	[ $founders = 3 ] || fail "$h misses one of the three: $(table "$h")"
}

# --- the mesh ---
for h in a b c d; do
	host_new $h
	socket[$h]=/proc/$(host_pid $h)/root/run/smegmesh/smegd.sock
	database[$h]=/proc/$(host_pid $h)/root/var/lib/smegmesh/smegd.db
done
for h in a b c; do smegd_start $h; done
mesh_of a b c
for h in a b c; do
	read -r key[$h] address[$h] _ < <(table $h | grep ' true$')
	hex_key[$h]=$(echo "${key[$h]}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
	disk_counter[$h]=0 admissions[$h]=0
done

# What others say is stored within a second.
settled() {
	local rows founders reserved kept admitted
	for h in a b c; do
		dump $h
		in_dump
		[ "$founders" = 3 ] || return 1
	done
}
wait_until 20 settled || fail 'the founders are not stored'

: >"$T/working"
for h in a b c; do worker $h & done
inviter &
rivalry >"$T/rivalry" 2>&1 &
begun=$SECONDS
early=0
for ((i = 0; i < kills && SECONDS - begun < seconds; i++)); do
	h=a
	[ $((RANDOM % 4)) != 0 ] || h=b
	a_while 60
	die_now $h
	dead_is_whole $h
	smegd_spawn $h
	if [ $((RANDOM % 4)) = 0 ] && [ $((i + 1)) -lt "$kills" ]; then
		i=$((i + 1)) early=$((early + 1))
		a_while 20
		die_now $h
		dead_is_whole $h
		smegd_spawn $h
	fi
	come_up $h
	risen_is_whole $h
done
took=$((SECONDS - begun))
rm "$T/working"
say "$i kills in $took s, $early of them while starting; changed meanwhile:" \
	"$(for h in a b c; do echo "$h $(number $h.kept)"; done | paste -sd,), invites $(number invites)"

# --- at the end ---
# Nobody is killed any more: a join that is under way ends or fails within its 50 s.
no_jobs() { [ -z "$(jobs -pr)" ]; }
# What each rival without a result is at, and the clients that still wait.
at_work() {
	local f
	jobs -r
	for f in "$T"/rival.*.step; do
		f=${f%.step}
		case $(<"$f.step") in ended) continue ;; esac
		echo "${f##*/}: $(<"$f.step"); $(tail -c 600 "$f.join" 2>/dev/null); $(tail -n 3 "$f.smegd")"
	done
	ps -eo pid,etimes,stat,wchan:20,args | grep "smegctl --socket /proc/[0-9]*/root"
}
begun=$SECONDS
wait_until 90 no_jobs || fail "still at work at $SECONDS: $(at_work 2>&1)"
say "the last to work ended after $((SECONDS - begun)) s"
for n in $(cat "$T/rounds"); do
	results=$(cat "$T"/rival."$n".? | sort | uniq -c | xargs)
	[ "$results" = "$uses joined $((rivals - uses)) used-up" ] ||
		fail "invite $n for $uses uses and $rivals hosts: $results"
done
cat "$T"/rival.*.key >"$T/keys"
for h in a b c; do echo "${key[$h]}"; done >>"$T/keys"
sort -o "$T/keys" "$T/keys"
complete() {
	table "$1" | awk '$3 == "in" { print $1 }' | sort | cmp -s - "$T/keys"
}
same() {
	for h in a b c; do table $h | cut -d' ' -f1-6 | sort >"$T/$h.table"; done
	cmp -s "$T/a.table" "$T/b.table" && cmp -s "$T/a.table" "$T/c.table"
}
for h in a b c; do
	wait_until 60 complete $h || fail "$h lists $(table $h), and there are $(cat "$T/keys")"
done
wait_until 60 same || fail "the lists differ: $(diff "$T/a.table" "$T/c.table"; diff "$T/a.table" "$T/b.table")"
# What was answered last, or asked last without an answer.
told() {
	local h
	same || return 1
	for h in a b c; do
		grep -qF " $h desc-$(number $h.kept)." "$T/a.table" ||
			grep -qF " $h desc-$(number $h.tried)." "$T/a.table" || return 1
	done
}
wait_until 60 told ||
	fail "answered last $(for h in a b c; do number $h.kept; done | xargs); told is $(cat "$T/a.table")"
smegd_kill a TERM
dump a
invited=0
while read -r _ _ id value; do
	left=$((16#${value:2:8}))
	admitted=$(awk '$1 == "state" && $3 ~ /^03/ { print $4 }' "$T/dump" | grep -c "$id")
	invited=$((invited + admitted))
	[ $((admitted + left)) -le $uses ] || fail "an invite has admitted $admitted and has $left left"
done < <(grep '^invite' "$T/dump")
say "$(wc -l <"$T/keys") members, all known to all; $(wc -l <"$T/rounds") invites fought over;" \
	"$invited admitted by invites"
[ $invited = $(($(wc -l <"$T/keys") - 1)) ] || fail "$invited admitted by invites"
