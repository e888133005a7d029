#!/bin/bash
# A host is expelled: it is out everywhere, its sessions and tunnels are closed, its own daemon says
# so and takes its device down.  It gets no byte any more, and does not come back with its key, not
# even from a backup in which it knows nothing of all this; invites that it issued are void.
#
#	BREAK=keep|leave|show   plant: the invites are kept, the host leaves instead of being expelled,
#	                        somebody sends it something after all
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_smegd.sh"
need_root
for p in "$SMEG_BIN/smegd" "$SMEG_BIN/smegctl" "$SMEG_TOOLS/capture"; do need_program "$p"; done
for p in jq tcpdump wg ss; do command -v $p >/dev/null || skip "$p is not installed"; done
need_userspace
break=${BREAK:-}
smegd_options=(--backend userspace)

ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
address() { ctl "$1" status --json | jq -r '.meshes[0].address'; }
pings() { host_exec "$1" ping -6 -q -c 1 -W 1 "$2" >"$T/ping" 2>&1; }
# refused STATUS CODE HOST WORDS...: smegctl ends so; what it says is in $T/refused.
refused() {
	local want=$1 code=$2 host=$3 status
	shift 3
	ctl "$host" "$@" --json >"$T/refused" 2>&1
	status=$?
	[ $status = "$want" ] && [ "$(jq -r .error.code "$T/refused")" = "$code" ] ||
		fail "$* on $host: status $status, not $want with $code: $(cat "$T/refused")"
}
join_with() { jq -r .token "$2" | ctl "$1" join --alias "$1" - >"$T/joined" 2>&1; }
sees_out() { [ "$(members "$1" | wc -l)" = "$2" ]; }
no_session() {
	! host_exec "$1" ss -Htn state established |
		grep -qF -e "$(host_address "$2")" -e "$(host_address6 "$2")"
}
no_device() { ! host_exec "$1" ip -o link | grep -q smeg-; }
no_tunnel() { ! host_exec "$1" wg show smeg-home peers | grep -qF "$2"; }
alone() { ctl c status --json | jq -e '.meshes == [] and .expelled_from == ["home"]' >/dev/null; }

for h in a b c e f; do
	host_new $h
	smegd_start $h
done
mesh_of a b c
address_a=$(address a)
wait_until 20 pings c "$address_a" || fail "c does not reach a before: $(cat "$T/ping")"

say 'who is no administrator cannot expel, nor appoint'
refused 4 not-authorised b expel c
grep -q 'who is: a' "$T/refused" || fail "it does not say who: $(cat "$T/refused")"
refused 4 not-authorised b appoint b
refused 5 no-such-member a expel nobody
refused 2 usage a expel a
jq -e '.error.hint == "smegctl leave home"' "$T/refused" >/dev/null || fail "$(cat "$T/refused")"
[ "$(members b | wc -l)" = 3 ] || fail 'somebody is out'

say 'c is appointed; an invite of c works'
ctl a appoint c >"$T/out" 2>&1 || fail "appoint: $(cat "$T/out")"
is_administrator() { ctl "$1" status --json | jq -e '.meshes[0].administrator' >/dev/null; }
wait_until 10 is_administrator c || fail 'c is no administrator'
ctl c invite --uncounted --json >"$T/invite.c" || fail "invite: $(cat "$T/invite.c")"
join_with e "$T/invite.c" || fail "e cannot join: $(cat "$T/joined")"
for h in a b c e; do wait_until 20 sees $h 4 || fail "$h does not see all: $(cat "$T/$h.status")"; done

say 'a expels c'
smegd_kill c TERM
cp -a "/proc/$(host_pid c)/root/var/lib/smegmesh" "$T/backup" || fail 'no backup'
smegd_start c
wait_until 20 sees c 4 || fail "c does not see all: $(cat "$T/c.status")"
key_c=$(ctl c status --json | jq -r '.meshes[0].key')
keep=()
[ "$break" != keep ] || keep=(--keep-invites)
start=$(ms)
if [ "$break" = leave ]; then
	ctl c leave home >"$T/out" 2>&1
else
	ctl a expel c "${keep[@]}" >"$T/out" 2>&1 || fail "expel: $(cat "$T/out")"
	grep -q "smegctl revoke $key_c --stolen" "$T/out" || fail "no word of its office: $(cat "$T/out")"
fi
for h in a b e; do wait_until 10 sees_out $h 3 || fail "c is still in: $(members $h)"; done
wait_until 10 alone || fail "c says: $(ctl c status)"
say "   known to all after $(($(ms) - start)) ms"
ctl c status 2>/dev/null | grep -q 'this host has been expelled from home' || fail "c says: $(ctl c status)"
grep -q 'event=mesh-left.*error=expelled' "$T/c.log" || fail "c logs: $(tail -n 3 "$T/c.log")"
refused 1 expelled c status home
for h in a b e; do
	wait_until 10 no_session $h c || fail "$h still talks with c"
	wait_until 10 no_tunnel $h "$key_c" || fail "$h still has a tunnel to c"
done
wait_until 10 no_device c || fail "its device is there: $(host_exec c ip -o link)"

say 'an invite that c issued is void'
join_with f "$T/invite.c" && fail 'f has joined with it'
grep -q 'no valid answer' "$T/joined" || fail "f hears: $(cat "$T/joined")"
ctl a invite --json >"$T/invite.a" || fail "invite: $(cat "$T/invite.a")"
join_with f "$T/invite.a" || fail "f cannot join by an invite of a: $(cat "$T/joined")"
for h in a b e f; do wait_until 20 sees $h 4 || fail "$h does not see all: $(cat "$T/$h.status")"; done

say 'c does not come back by a new invite'
ctl a invite --json >"$T/invite.a" || fail "invite: $(cat "$T/invite.a")"
join_with c "$T/invite.a" && fail 'c has joined'
grep -q 'expelled' "$T/joined" || fail "c hears: $(cat "$T/joined")"

say 'nor from a backup: it gets no byte'
smegd_kill c TERM
host_exec c sh -c 'rm -rf /var/lib/smegmesh/*'
host_exec c cp -a "$T/backup/." /var/lib/smegmesh/ || fail 'the backup does not come back'
host_spawn c "$T/dump.log" tcpdump -i eth0 -s 0 -U --immediate-mode -Z root -w "$T/c.pcap" tcp
dump=$spawned
: >>"$T/dump.log"
wait_until 10 grep -q 'listening on' "$T/dump.log" || skip "tcpdump: $(cat "$T/dump.log")"
smegd_start c
[ "$break" != show ] || {
	host_spawn c "$T/nc.log" socat -u TCP-LISTEN:9999 OPEN:/dev/null
	wait_until 5 host_exec a sh -c "echo hello | socat -u - TCP:$(host_address c):9999"
}
reaches_nobody() { ctl c status --json | jq -e '.meshes[0].reachable == 1' >/dev/null; }
wait_until 60 reaches_nobody || fail "c says: $(ctl c status)"
pings c "$address_a" && fail 'c reaches a through a tunnel'
for h in a b e f; do
	[ "$(members $h | wc -l)" = 4 ] || fail "$h has c back: $(members $h)"
	no_session $h c || fail "$h talks with c"
done
kill -TERM "$dump"
wait "$dump"
"$SMEG_TOOLS/capture" flows "$T/c.pcap" >"$T/flows" || fail 'capture'
said=$(awk -v c4="$(host_address c)" -v c6="$(host_address6 c)" \
	'{ if ($3 == c4 || $3 == c6) got += $5; else sent += $5 } END { print got + 0, sent + 0 }' "$T/flows")
say "   got and sent: $said bytes"
[ "${said#* }" -gt 100 ] || fail 'c has not even tried'
[ "${said% *}" = 0 ] || fail "c got ${said% *} bytes: $(cat "$T/flows")"
