#!/bin/bash
# One daemon in two meshes: 1 and 2 are in red, 2 and 3 in blue.  Neither mesh shows in the other,
# what happens in one does not touch the other, and both outlive a restart and the leaving of one.
#
#	BREAK=mix|loss   plant that failure; the test must fail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_many.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"
break=${BREAK:-}

many_host
for n in 1 2 3; do many_start $n; done
many_wait 1 2 3

# token MESH ON: an invite on standard output.
token() { many_ctl "$2" invite "$1" --json | jq -r .token; }
members() { many_ctl "$1" list "$2" --json | jq -c '[.members[] | select(.standing == "in").alias] | sort'; }
fact() { many_ctl "$1" status "$2" --json | jq -r ".meshes[0].$3"; }
# sees N MESH ALIASES
sees() { [ "$(members "$1" "$2")" = "$3" ]; }
must_see() {
	wait_until 15 sees "$@" || fail "$1 sees in $2 $(members "$1" "$2"), not $3; $(tail -n 5 "$T/n$1.log")"
}

many_ctl 1 create red --alias one --endpoint 127.0.0.1 >"$T/out" 2>&1 || fail "create: $(cat "$T/out")"
many_ctl 3 create blue --alias three --endpoint 127.0.0.1 >"$T/out" 2>&1 || fail "create: $(cat "$T/out")"

say 'one join at a time, since each needs a key of its own; create does not wait'
token red 1 >"$T/red.token"
token blue 3 >"$T/blue.token"
kill -STOP "$(many_pid 1)"
: >"$T/red.out"
many_ctl 2 join - --alias two-red --endpoint 127.0.0.1 <"$T/red.token" >"$T/red.out" 2>&1 &
red=$!
wait_until 15 grep -q connecting "$T/red.out" || fail "join red: $(cat "$T/red.out")"
many_ctl 2 join - --alias two-blue --endpoint 127.0.0.1 --json <"$T/blue.token" >"$T/blue.out" 2>/dev/null
[ $? = 1 ] && jq -e '.error.code == "busy"' "$T/blue.out" >/dev/null || fail "it says: $(cat "$T/blue.out")"
many_ctl 2 create green --endpoint 127.0.0.1 >"$T/out" 2>&1 || fail "create: $(cat "$T/out")"
kill -CONT "$(many_pid 1)"
wait $red || fail "join red: $(cat "$T/red.out")"
many_ctl 2 join - --alias two-blue --endpoint 127.0.0.1 <"$T/blue.token" >"$T/blue.out" 2>&1 ||
	fail "join blue: $(cat "$T/blue.out")"
many_ctl 2 leave green >"$T/out" 2>&1 || fail "leave: $(cat "$T/out")"

say 'each mesh has its own members'
[ "$break" != mix ] || { token red 1 | many_ctl 3 join - --alias three-red --endpoint 127.0.0.1 2>/dev/null; }
for n in 1 2; do must_see $n red '["one","two-red"]'; done
for n in 2 3; do must_see $n blue '["three","two-blue"]'; done
[ "$(many_ctl 1 status --json | jq -c '[.meshes[].name]')" = '["red"]' ] || fail '1 knows more than red'
[ "$(many_ctl 3 status --json | jq -c '[.meshes[].name]')" = '["blue"]' ] || fail '3 knows more than blue'

say 'and its own key, address, prefix and port'
for f in id key address prefix wg_port; do
	r=$(fact 2 red $f)
	b=$(fact 2 blue $f)
	[ -n "$r" ] && [ "$r" != null ] && [ "$r" != "$b" ] || fail "$f: $r and $b"
	say "   $f: $r and $b"
done

say 'a name that is taken is refused, another one works'
many_ctl 1 create home >"$T/out" 2>&1 || fail "create: $(cat "$T/out")"
token home 1 | many_ctl 2 join - --name red --json >"$T/out" 2>&1
[ $? = 1 ] && jq -e '.error.code == "mesh-exists"' "$T/out" >/dev/null || fail "it says: $(cat "$T/out")"
many_ctl 2 create red --json >"$T/out" 2>&1
[ $? = 1 ] && jq -e '.error.code == "mesh-exists"' "$T/out" >/dev/null || fail "it says: $(cat "$T/out")"
many_ctl 1 leave home >"$T/out" 2>&1 || fail "leave: $(cat "$T/out")"

say 'with two meshes, the one that is meant must be named'
many_ctl 2 set --alias other --json >"$T/out" 2>&1
[ $? = 5 ] && jq -e '.error.code == "no-such-mesh"' "$T/out" >/dev/null || fail "it says: $(cat "$T/out")"

say 'an alias changes in one of them only'
many_ctl 2 set red --alias renamed >"$T/out" 2>&1 || fail "set: $(cat "$T/out")"
must_see 1 red '["one","renamed"]'
must_see 3 blue '["three","two-blue"]'

say 'a mesh whose other members are away is no burden to the other'
kill -STOP "$(many_pid 1)"
many_ctl 3 set blue --alias third >"$T/out" 2>&1 || fail "set: $(cat "$T/out")"
must_see 2 blue '["third","two-blue"]'
kill -CONT "$(many_pid 1)"

say 'both are there after a restart'
before=$(fact 2 red address)$(fact 2 blue address)
many_stop 2
many_ctl 1 set red --alias first >"$T/out" 2>&1 || fail "set: $(cat "$T/out")"
[ "$break" != loss ] || rm "$T"/n2/state/*.db*
many_start 2
many_wait 2
[ "$(fact 2 red address)$(fact 2 blue address)" = "$before" ] || fail 'other addresses'
must_see 2 red '["first","renamed"]'
must_see 2 blue '["third","two-blue"]'

say 'leaving one leaves the other alone'
many_ctl 2 leave red >"$T/out" 2>&1 || fail "leave: $(cat "$T/out")"
must_see 1 red '["first"]'
must_see 3 blue '["third","two-blue"]'
[ "$(many_ctl 2 status --json | jq -c '[.meshes[].name]')" = '["blue"]' ] || fail '2 still shows red'
many_ctl 3 set blue --alias three >"$T/out" 2>&1 || fail "set: $(cat "$T/out")"
must_see 2 blue '["three","two-blue"]'

say 'create leaves alone the key that was shown for an invite'
key=$(many_ctl 3 key)
many_ctl 3 create white >"$T/out" 2>&1 || fail "create: $(cat "$T/out")"
[ "$(many_ctl 3 key)" = "$key" ] || fail 'another key'

say 'and joining again gives the same address'
address=${before%"$(fact 2 blue address)"}
token red 1 | many_ctl 2 join - --alias back --endpoint 127.0.0.1 >"$T/out" 2>&1 || fail "join: $(cat "$T/out")"
must_see 1 red '["back","first"]'
[ "$(fact 2 red address)" = "$address" ] || fail "another address: $(fact 2 red address), not $address"
for n in 1 2 3; do many_stop $n; done
