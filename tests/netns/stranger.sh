#!/bin/bash
# Strangers at the port get not one byte, whatever they say, and who listens in on a join learns
# nothing: no alias, no description, no key of a member and nothing of the token is in the capture.
#
# That the search can find is shown on the same patterns, sent in the open.
#
#	BREAK=answer|open|blind   plant: a service that answers at the port, a join over a wire on which
#	                          somebody says it all aloud, a search whose patterns are not what was sent
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_many.sh"
need_root
for p in "$SMEG_BIN/smegd" "$SMEG_BIN/smegctl" "$SMEG_TOOLS/stranger" "$SMEG_TOOLS/capture"; do
	need_program "$p"
done
for p in tcpdump openssl curl nft; do command -v $p >/dev/null || skip "$p is not installed"; done
break=${BREAK:-}
port=21820

many_ctl() {
	local host=$1
	shift
	host_exec "$host" "$SMEG_BIN/smegctl" "$@"
}
daemon() {
	host_spawn "$1" "$T/n$1.log" "$SMEG_BIN/smegd" --backend none
	echo "$spawned" >"$T/n$1.pid"
	many_wait "$1"
}
# listen HOST FILE: capture there until deaf FILE.
listen() {
	host_spawn "$1" "$2.log" tcpdump -i eth0 -s 0 -U --immediate-mode -Z root -w "$2" tcp
	echo "$spawned" >"$2.pid"
	: >>"$2.log"; wait_until 10 grep -q "listening on" "$2.log" || skip "tcpdump: $(cat "$2.log")"
}
# All that was sent before is in the file: a last connection, to a port where nobody is, marks it.
marked() { [ -s "$1" ] && tcpdump -nr "$1" "tcp dst port $2" 2>/dev/null | grep -q .; }
deaf() {
	host_exec s "$SMEG_TOOLS/stranger" "$(host_address "$2")" 9 1 >/dev/null 2>&1
	wait_until 10 marked "$1" 9 || fail 'the capture has no end'
	kill -TERM "$(cat "$1.pid")"
	wait "$(cat "$1.pid")" || fail "tcpdump: $(cat "$1.log")"
	grep -q '^0 packets dropped by kernel' "$1.log" || fail "the capture is not whole: $(cat "$1.log")"
}
# said_by HOST FILE: bytes from its port to s, over IPv4 and IPv6.
said_by() {
	"$SMEG_TOOLS/capture" flows "$2" | awk -v port=$port -v a4="$(host_address "$1")" \
		-v a6="$(host_address6 "$1")" -v s4="$(host_address s)" -v s6="$(host_address6 s)" \
		'($1 == a4 && $3 == s4 || $1 == a6 && $3 == s6) && $2 == port { c++; n += $5 }
		END { print n + 0, c + 0 }'
}
hex() { od -An -v -tx1 "$@" | tr -d ' \n'; }
unhex() { sed 's/../\\x&/g' | xargs -0 printf '%b'; }
hex_of() { printf %s "$1" | hex; }
raw_of() { printf %s "$1" | base64 -d | hex; }
# hello FROM TO FILE OUT: the first frame that FROM sent to TO's port.
hello() {
	local n bytes
	n=$("$SMEG_TOOLS/capture" flows "$3" | awk -v f="$(host_address "$1") $(host_address6 "$1")" \
		-v t="$(host_address "$2") $(host_address6 "$2")" -v port=$port \
		'index(" " f " ", " " $1 " ") && index(" " t " ", " " $3 " ") && $4 == port && $5 > 100 { print NR; exit }')
	[ -n "$n" ] || fail "no hello from $1 to $2 was recorded"
	"$SMEG_TOOLS/capture" said "$3" "$n" >"$4.all" || fail 'capture'
	bytes=$((16#$(head -c 4 "$4.all" | hex) + 4))
	head -c $bytes "$4.all" >"$4"
	[ "$(head -c 5 "$4" | tail -c 1 | hex)" = 01 ] || fail "what $1 sent first is no hello"
}

# --- a mesh of a and c, another one of d and e; s is the stranger ------------------------------

for h in a b c d e s; do host_new $h; done
for h in a b c d e; do daemon $h; done
many_ctl a create zebrafinch --alias ocelot --description 'cellar, third shelf' >"$T/out" 2>&1 ||
	fail "create: $(cat "$T/out")"
many_ctl a invite --json | jq -r .token >"$T/token.c"
many_ctl c join - --alias capybara --description 'attic, behind the chimney' <"$T/token.c" >"$T/out" 2>&1 ||
	fail "join: $(cat "$T/out")"
many_ctl d create other >"$T/out" 2>&1 || fail "create: $(cat "$T/out")"
many_ctl d invite --json | jq -r .token >"$T/token.e"
listen e "$T/other.pcap"
many_ctl e join - <"$T/token.e" >"$T/out" 2>&1 || fail "join: $(cat "$T/out")"
deaf "$T/other.pcap" e
hello e d "$T/other.pcap" "$T/hello.other"

# --- a join, listened to -----------------------------------------------------------------------

many_ctl a invite --json | jq -r .token >"$T/token"
key=$(many_ctl b key)
listen b "$T/join.pcap"
many_ctl b join - --alias wolverine --description 'shed, under the bench' <"$T/token" >"$T/out" 2>&1 ||
	fail "join: $(cat "$T/out")"
wait_until 20 many_agree 3 a b c || fail "no agreement: $(many_why a b c)"
many_ctl b set --alias pangolin >"$T/out" 2>&1 || fail "set: $(cat "$T/out")"
wait_until 20 many_agree 3 a b c || fail "no agreement: $(many_why a b c)"

# Name and hexadecimal pattern of all that must not be seen.
{
	for w in zebrafinch ocelot capybara wolverine pangolin; do echo "$w $(hex_of $w)"; done
	for w in 'third shelf' 'behind the chimney' 'under the bench'; do echo "description $(hex_of "$w")"; done
	many_ctl a list --json | jq -r '.members[].key' | while read -r k; do
		echo "key:$k $(raw_of "$k")"
		echo "key-as-text:$k $(hex_of "${k:0:20}")"
	done
	echo "joiner's-signing-key $(raw_of "$key")"
	echo "the-same-as-text $(hex_of "${key:0:20}")"
	echo "mesh-id $(hex_of "$(many_ctl a status --json | jq -r '.meshes[0].id')")"
	text=$(sed 's/^smeg1_//' "$T/token")
	for ((i = 0; i + 24 <= ${#text}; i += 8)); do echo "token[$i] $(hex_of "${text:i:24}")"; done
	# Of its bytes: version 1, then fields; 1 the mesh's key, 2 its name, 3 the secret, 4 the invite.
	pad=$(((4 - ${#text} % 4) % 4))
	bytes=$(printf '%s%.*s' "$text" $pad '===' | tr '_-' '/+' | base64 -d | hex)
	echo "mesh-key ${bytes:6:64}"
	name=$((16#${bytes:72:2}))
	secret=${bytes:$((74 + 2 * name)):68}
	[ "${secret:0:4}" = 0320 ] && [ "${bytes:0:6}" = 010120 ] || fail "the token is made otherwise: $bytes"
	echo "secret ${secret:4:64}"
	for ((i = 0; i + 32 <= ${#bytes}; i += 32)); do echo "token-bytes[$i] ${bytes:i:32}"; done
} >"$T/patterns"
count=$(wc -l <"$T/patterns")
[ "$count" -gt 30 ] || fail "only $count patterns"

[ "$break" != open ] || {
	cut -d' ' -f2 "$T/patterns" | head -n 3 | tr -d '\n' | unhex >"$T/aloud"
	host_exec b "$SMEG_TOOLS/stranger" "$(host_address a)" $port 1 "$T/aloud"
}
deaf "$T/join.pcap" b
search() { "$SMEG_TOOLS/capture" find "$1" $(cut -d' ' -f2 "$T/patterns") >"$T/found" || fail 'search'; }
search "$T/join.pcap"
paste -d' ' "$T/patterns" "$T/found" | awk '$2 != $3 || $4 != 0' >"$T/seen"
[ ! -s "$T/seen" ] || fail "the join shows: $(cat "$T/seen")"
read -r total < <("$SMEG_TOOLS/capture" flows "$T/join.pcap" | awk '{ n += $5 } END { print n }')
[ "$total" -gt 2000 ] || fail "the join was not captured: $total bytes"
say "a join of $total bytes shows none of $count patterns"

hello b a "$T/join.pcap" "$T/hello.join"
hello b c "$T/join.pcap" "$T/hello.c"
ephemeral=$(head -c 53 "$T/hello.join" | tail -c 32 | hex)
"$SMEG_TOOLS/capture" find "$T/join.pcap" "$ephemeral" | grep -q ' 1$' || fail 'the search does not find what is there'
say "but the ephemeral key that it does show, once"

# The same patterns said in the open, half of them in a packet of their own, few at a time: whoever says
# what is no hello is cut off.
cut -d' ' -f2 "$T/patterns" | { [ "$break" = blind ] && sed 2d || cat; } | split -l 12 - "$T/part."
listen a "$T/open.pcap"
for part in "$T"/part.*; do
	tr -d '\n' <"$part" | unhex >"$T/aloud"
	host_exec s "$SMEG_TOOLS/stranger" "$(host_address a)" $port 6 "$T/aloud" >"$T/out" || fail 'stranger'
done
deaf "$T/open.pcap" a
search "$T/open.pcap"
paste -d' ' "$T/patterns" "$T/found" | awk '$4 == 0' >"$T/seen"
[ ! -s "$T/seen" ] || fail "the search is blind to $(cut -d' ' -f1 "$T/seen" | head -n 5)"
say "and the search finds all $count where they are said aloud"

# --- strangers ---------------------------------------------------------------------------------

[ "$break" != answer ] || {
	kill -TERM "$(cat "$T/na.pid")"
	host_spawn a "$T/fake.log" socat TCP-LISTEN:$port,fork,reuseaddr SYSTEM:'echo hello'
	sleep 1
}
listen a "$T/strangers.pcap"
calls=0
# stranger WHAT FILE [ADDRESS]
stranger() {
	local got
	got=$(host_exec s "$SMEG_TOOLS/stranger" "${3:-$(host_address a)}" $port 8 "$2") || fail "$1: cannot connect"
	calls=$((calls + 1))
	say "   $1: $got ms"
	case $got in
	'received 0 closed after '*) ;;
	*) fail "$1: $got" ;;
	esac
}

say 'strangers'
stranger 'silent' -
stranger 'silent, IPv6' - "$(host_address6 a)"
printf '\0' >"$T/say"
stranger 'one byte, then silent' "$T/say"
head -c 1000 /dev/urandom >"$T/say"
stranger '1000 random bytes' "$T/say"
head -c 500000 /dev/urandom >"$T/say"
stranger '500 000 random bytes' "$T/say"
{ printf '\0\0\0\311\001'; head -c 200 /dev/urandom; } >"$T/say"
stranger 'a hello of random bytes' "$T/say"
{ printf '\377\377\377\377\001'; head -c 200 /dev/urandom; } >"$T/say"
stranger 'a frame of 4 GiB' "$T/say"
{ printf '\0\0\0\311\020'; head -c 200 /dev/urandom; } >"$T/say"
stranger 'a sealed frame' "$T/say"
head -c 100 "$T/hello.join" >"$T/say"
stranger 'half of a hello' "$T/say"
stranger 'the hello of a join, again' "$T/hello.join"
stranger 'the same, and once more' "$T/hello.join"
stranger 'the hello to another member' "$T/hello.c"
stranger 'the hello of another mesh' "$T/hello.other"
head -c -1 "$T/hello.join" >"$T/say"
printf '\0' >>"$T/say"
stranger 'the hello with another last byte' "$T/say"
printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' >"$T/say"
stranger 'HTTP' "$T/say"
host_exec s curl -sS -m 8 "http://$(host_address a):$port/" >"$T/out" 2>&1 && fail "curl: $(cat "$T/out")"
calls=$((calls + 1))
grep -qi 'empty reply\|reset' "$T/out" || fail "curl: $(cat "$T/out")"
say "   curl: $(cat "$T/out")"
host_exec s timeout 8 openssl s_client -connect "$(host_address a):$port" </dev/null >"$T/out" 2>&1
calls=$((calls + 1))
grep -q 'read 0 bytes' "$T/out" || fail "openssl: $(cat "$T/out")"
say "   openssl: $(grep 'read 0 bytes' "$T/out")"

say 'after the daemon has restarted'
kill -TERM "$(cat "$T/na.pid")"
wait "$(cat "$T/na.pid")" || fail "smegd ended with $?"
daemon a
stranger 'the hello of a join' "$T/hello.join"

say 'a hello of a session, after the daemon that answered it was killed'
listen b "$T/session.pcap"
kill -KILL "$(cat "$T/na.pid")"
wait "$(cat "$T/na.pid")" 2>/dev/null # it holds its database until it is gone
# a cannot dial, so b does.
host_exec a nft "add table inet mute; add chain inet mute out { type filter hook output priority 0; };
	add rule inet mute out tcp dport $port drop" || fail 'nft'
daemon a
up() { [ "$(many_ctl b list --json | jq '.members[] | select(.alias == "ocelot") | .local.session')" = true ]; }
wait_until 60 up || fail 'b does not come back to a'
kill -KILL "$(cat "$T/na.pid")"
wait "$(cat "$T/na.pid")" 2>/dev/null # it holds its database until it is gone
host_exec a nft delete table inet mute || fail 'nft'
deaf "$T/session.pcap" b
daemon a
hello b a "$T/session.pcap" "$T/hello.session"
stranger 'the hello of a session' "$T/hello.session"
deaf "$T/strangers.pcap" a

read -r bytes connections < <(said_by a "$T/strangers.pcap")
say "$connections connections from the stranger, of which $calls counted bytes; payload from the daemon: $bytes bytes"
[ "$bytes" = 0 ] || fail 'it said something'
[ "$connections" -ge "$calls" ] || fail 'the capture is not whole'

many_ctl b set --alias afterwards >"$T/out" 2>&1 || fail "set: $(cat "$T/out")"
wait_until 60 many_agree 3 a b c || fail "no agreement: $(many_why a b c)"
