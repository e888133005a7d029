#!/bin/bash
# Fifty daemons on one machine join one mesh, all at once: 15 seconds after the last join all lists
# are the same but for what is local to each host.  The lists are compared here, byte by byte.
#
#	COUNT=50      how many daemons
#	SLACK=10      tenfold time is allowed, for busy machines; the time wanted is printed too
#	BREAK=list|member|late   plant that failure; the test must fail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_many.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"

count=${COUNT:-50}
slack=${SLACK:-10}
break=${BREAK:-}
wanted=15
all=$(seq "$count")
many_host

begun=$(ms)
for n in $all; do many_start "$n"; done
many_wait $all
say "$count daemons answer after $(seconds $(($(ms) - begun))) s"

many_token 1 "$T/token"
begun=$(ms)
declare -A joins
for n in $all; do
	[ "$n" = 1 ] && continue
	[ "$break" = member ] && [ "$n" = "$count" ] && continue
	many_join "$n" "$T/token" &
	joins[$n]=$!
done
issued=$(ms)
for n in "${!joins[@]}"; do
	wait "${joins[$n]}" || fail "$n cannot join: $(cat "$T/n$n.joined"; tail "$T/n$n.log")"
done
joined=$(ms)
say "$((count - 1)) joins, all at once, took $(seconds $((joined - begun))) s"

[ "$break" = list ] && many_ctl 7 leave home
[ "$break" = late ] && kill -STOP "$(many_pid 9)" && slack=1
limit=$((wanted * slack))
if ! wait_until $limit many_agree "$count" $all; then
	[ "$break" = late ] && kill -CONT "$(many_pid 9)"
	many_why $all
	diff "$T/first.list" "$T/other.list" 2>/dev/null | head -n 40
	fail "the lists do not agree $limit s after the last join"
fi
agreed=$(ms)
say "all $count lists agree $(seconds $((agreed - joined))) s after the last join was done," \
	"$(seconds $((agreed - issued))) s after it was begun (wanted: $wanted s, allowed here: $limit s)"
[ $((agreed - issued)) -le $((limit * 1000)) ] || fail 'too late'

# A join where nothing went wrong must not look as if something had.
! grep -H 'event=refused' "$T"/n*.log >"$T/noise" || fail "the logs warn: $(tail -n 3 "$T/noise")"

for n in $all; do kill -TERM "$(many_pid "$n")"; done
for n in $all; do
	wait "$(many_pid "$n")" || fail "smegd $n ended with status $?: $(tail "$T/n$n.log")"
done
