#!/bin/bash
# Bad input of every kind: each has an exit status, a stable code, words that say what was tried and
# why it failed, a hint, and changes nothing: not the databases of either side (but for a prepared
# key and the memory of who has called), and no device is left over.
#
#	BREAK=code|change|device   plant that failure; the test must fail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_many.sh"
need_root
for p in "$SMEG_BIN/smegd" "$SMEG_BIN/smegctl" "$SMEG_TOOLS/storedump"; do need_program "$p"; done
for p in nft socat setpriv jq; do command -v $p >/dev/null || skip "$p is not installed"; done
break=${BREAK:-}
port=21820
faketime=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null | head -n 1)

many_ctl() {
	local host=$1
	shift
	host_exec "$host" "$SMEG_BIN/smegctl" "$@"
}
# daemon HOST [OPTION...]; with $before the words in front of smegd
before=''
daemon() {
	local h=$1
	shift
	host_spawn "$h" "$T/n$h.log" $before "$SMEG_BIN/smegd" --backend none "$@"
	echo "$spawned" >"$T/n$h.pid"
	many_wait "$h"
}
end() {
	kill -TERM "$(cat "$T/n$1.pid")" || fail "smegd on $1 is gone: $(tail -n 3 "$T/n$1.log")"
	wait "$(cat "$T/n$1.pid")" || fail "smegd on $1 ended with $?: $(tail -n 3 "$T/n$1.log")"
}
# token HOST OPTION...
token() {
	local host=$1
	shift
	many_ctl "$host" invite "$@" --json >"$T/invited" || fail "invite: $(cat "$T/invited")"
	jq -r .token "$T/invited"
}
# What a host knows for good, and its devices.
state() {
	host_exec "$1" "$SMEG_TOOLS/storedump" /var/lib/smegmesh/smegd.db 2>"$T/dump.err" |
		grep -v "^seen \|^counter - $(printf prepared-key | od -An -tx1 | tr -d ' \n') "
	host_exec "$1" ip -o link | grep -o 'smeg-[a-z0-9]*'
}
cases=0
wrongs=0
# All are tried before the test fails.
wrong() {
	say "WRONG: $*"
	wrongs=$((wrongs + 1))
}
# It must have ended so: $status, and $T/out (JSON), are what it came to.
judge() {
	local what=$1 want_status=$2 code=$3 words=$4 hint=$5
	cases=$((cases + 1))
	[ "$break" = code ] && [ $cases = 7 ] && code=ok
	jq -e --arg c "$code" '.error.code == $c' "$T/out" >/dev/null && [ "$status" = "$want_status" ] ||
		wrong "$what: status $status, $(cat "$T/out"); not $want_status, $code"
	jq -r .error.message "$T/out" | grep -Eq -e "$words" || wrong "$what: the words are not like $words"
	jq -r .error.hint "$T/out" | grep -Eq -e "$hint" || wrong "$what: the hint is not like $hint"
	printf '   %s: %s %s: %s | %s\n' "$what" "$status" "$(jq -r .error.code "$T/out")" "$(jq -r .error.message "$T/out")" \
		"$(jq -r .error.hint "$T/out")"
}
# refused WHAT HOST STATUS CODE WORDS HINT COMMAND...: smegctl there fails so, and nothing changes
refused() {
	local what=$1 host=$2 want_status=$3 code=$4 words=$5 hint=$6 h
	shift 6
	for h in a $host; do state $h >"$T/before.$h"; done
	many_ctl "$host" "$@" --json >"$T/out" 2>"$T/talk" <"${input:-/dev/null}"
	status=$?
	judge "$what" "$want_status" "$code" "$words" "$hint"
	[ "$break" = change ] && [ $cases = 5 ] && many_ctl a set --alias changed 2>/dev/null
	for h in a $host; do
		state $h >"$T/after.$h"
		cmp -s "$T/before.$h" "$T/after.$h" ||
			wrong "$what changed $h: $(diff "$T/before.$h" "$T/after.$h" | cut -c -100)"
	done
}
# join WHAT TOKEN STATUS CODE WORDS HINT OPTION...: on $joiner
joiner=b
join() {
	local what=$1 given=$2
	shift 2
	printf '%s\n' "$given" >"$T/given"
	input=$T/given refused "$what" $joiner "$1" "$2" "$3" "$4" join - "${@:5}"
}

for h in a b c o; do
	host_new $h
	daemon $h
done
many_ctl a create home >"$T/out" 2>&1 || fail "create: $(cat "$T/out")"
short=$(token a --expires 1m)
short_ms=$(ms)
good=$(token a)
used=$(token a)
printf '%s\n' "$used" | many_ctl c join - >"$T/out" 2>&1 || fail "join: $(cat "$T/out")"
wait_until 20 many_agree 2 a c || fail "no agreement: $(many_why a c)"
members() { many_ctl a list --json | jq '[.members[] | select(.standing == "in")] | length'; }
# Rows that can wait are written within a second.
settled() {
	state a >"$T/settled"
	sleep 1.2
	state a | cmp -s "$T/settled" -
}
wait_until 20 settled || fail 'a keeps writing'
state a | grep -q '^state ' || fail "storedump shows nothing: $(cat "$T/dump.err")"

say 'tokens'
ask='smegctl invite'
join 'not a token' 'smeg1_####' 1 truncated 'cut short or mistyped' "$ask"
join 'another kind of token' 'smeg_1234' 1 bad-token 'not a smegmesh token' "$ask"
join 'no token at all' 'hello' 1 bad-token 'standard input holds no invite' "$ask"
join 'nothing' '' 1 bad-token 'standard input holds no invite' "$ask"
join 'truncated' "${good:0:150}" 1 truncated 'cut short' "$ask"
join 'mistyped' "${good:0:80}$(printf %s "${good:80:1}" | tr 'a-zA-Z0-9' 'b-zaB-ZA1-90')${good:81}" 1 truncated \
	'cut short or mistyped' "$ask"
join 'of a later version' "smeg2_${good#smeg1_}" 1 version 'newer version' "$ask"
join 'used up' "$used" 1 used-up '198.18.*the token has been used as often' "$ask"
join 'for a client, as a peer' "$(token a --role client)" 1 wrong-role 'admits a client, not a peer' \
	'--role' --role peer
join 'for another key' "$(token a --for "$(many_ctl c key)")" 4 not-authorised "another host's key" 'smegctl key'
joiner=c
join 'for a mesh that we are in' "$good" 1 already-member 'member of that mesh already, as "home"' 'smegctl status home'
joiner=b

say 'the way to the introducer'
# other A PLACE: an invite of the mesh of o that points there
other() {
	many_ctl o leave other >/dev/null 2>&1
	many_ctl o create other --endpoint "$1" --json >"$T/other" 2>&1 || fail "create: $(cat "$T/other")"
	jq -r .token "$T/other"
}
join 'a name nobody knows' "$(other nosuch.invalid)" 1 name-unknown 'nosuch.invalid:21820.*name' 'getent'
join 'refused' "$(other "$(host_address a):$((port + 1))")" 1 connection-refused \
	"$(host_address a):$((port + 1)).*refused" 'smegd runs there'
host_exec b ip route add unreachable 198.51.100.0/24
join 'no route' "$(other 198.51.100.7)" 1 unreachable '198.51.100.7:21820.*route' .
host_exec b ip route add 203.0.113.0/24 dev eth0
host_exec b nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; };
	add rule inet cut out ip daddr 203.0.113.0/24 drop' || fail 'nft'
join 'no answer to the connection' "$(other 203.0.113.9)" 6 connect-timeout '203.0.113.9:21820.*no answer' .
join 'a daemon of another mesh' "$(other "$(host_address a)")" 1 no-valid-answer \
	"$(host_address a):21820.*no valid answer" 'no member of that mesh, or does not know this token'
for answer in 'sleep 20' 'head -c 100 /dev/urandom; sleep 20' 'true' 'printf "HTTP/1.1 400 Bad Request\r\n\r\n"'; do
	host_spawn o "$T/socat.log" socat TCP-LISTEN:4000,fork,reuseaddr SYSTEM:"$answer"
	fake=$spawned
	listening() { host_exec o ss -ltn | grep -q ':4000 '; }
	wait_until 10 listening || fail 'socat'
	join "a program that does: $answer" "$(other "$(host_address o):4000")" 1 no-valid-answer \
		"$(host_address o):4000.*no valid answer" 'no member of that mesh'
	kill -KILL $fake
	wait $fake 2>/dev/null
done
say 'the administrator is away'
counted=$(token a)
kill -TERM "$(cat "$T/na.pid")"
wait "$(cat "$T/na.pid")"
printf '%s\n' "$counted" | many_ctl b join - --json >"$T/out" 2>/dev/null
status=$?
judge 'a counted invite, by another member' 1 issuer-away 'issuer' 'must be up'
daemon a
wait_until 60 many_agree 2 a c || fail "no agreement: $(many_why a c)"
wait_until 20 settled || fail 'a keeps writing'

say 'names'
refused 'a mesh name' b 1 bad-name '"Bad_Name" is not a DNS label.*1 to 63' 'bad-name' create Bad_Name
refused 'a mesh name of 64' b 2 usage 'NAME|long' . create "$(printf '%064d' 0)"
refused 'an alias' a 1 bad-name '"-x" is not a DNS label' 'example: x' set home --alias=-x
refused 'an alias, at joining' b 1 bad-name '"x_y" is not a DNS label' 'x-y' join "$good" --alias x_y
refused 'a mesh that is not there' a 5 no-such-mesh 'no mesh "nope"' 'smegctl list' set nope --alias x
refused 'a word too many' a 2 usage . 'smegctl set --help|--help' set home home
refused 'an option that is not there' a 2 usage '--alais' '--alias|--help' set home --alais x
refused 'an endpoint' a 2 usage "HOST:PORT.*not 'a b'" 'smegctl set --help' set home --endpoint 'a b'
refused 'a role' a 2 usage 'role' . invite --role king
refused 'a key' a 1 bad-key '"xyz" is not a key' 'smegctl key' invite --for xyz
refused 'a duration' a 2 usage 'soon' . invite --expires soon
refused 'no administrator' c 4 not-administrator 'not an administrator' 'on an administrator' invite

say 'the daemon'
refused 'a daemon that does not run' a 3 daemon-unreachable '/run/nowhere' 'systemctl start smegd|smegd' \
	list --socket /run/nowhere/smegd.sock
host_exec a setpriv --reuid=65534 --regid=65534 --clear-groups "$SMEG_BIN/smegctl" list --json >"$T/out"
status=$?
judge 'the socket, as nobody' 4 not-permitted '/run/smegmesh/smegd.sock' 'sudo|group'
end c
printf 'group: nogroup\n' >"$T/group.conf"
daemon c -c "$T/group.conf"
host_exec c setpriv --reuid=65534 --regid=65534 --groups="$(getent group nogroup | cut -d: -f3)" \
	"$SMEG_BIN/smegctl" list >"$T/out" 2>&1 || wrong "a member of the group cannot read: $(cat "$T/out")"
host_exec c setpriv --reuid=65534 --regid=65534 --groups="$(getent group nogroup | cut -d: -f3)" \
	"$SMEG_BIN/smegctl" leave home --json >"$T/out"
status=$?
judge 'a change, by one who may only read' 4 not-permitted . 'sudo|root|admins'

# starts WHAT STATUS WORDS OPTION...: smegd does not, and says why
starts() {
	local what=$1 want_status=$2 words=$3
	shift 3
	host_exec b timeout 10 $before "$SMEG_BIN/smegd" "$@" >"$T/out" 2>&1
	status=$?
	cases=$((cases + 1))
	[ $status = "$want_status" ] && tr '\n' ' ' <"$T/out" | grep -Eq -e "$words" ||
		wrong "$what: status $status, $(cat "$T/out"); not $want_status, $words"
	say "   $what: $status $(tr '\n' ' ' <"$T/out")"
}
own="--state-dir $T/second --run-dir $T/second.run"
starts 'a port in use' 1 "error=port-in-use.*21820.*hint=.*ss -ltnp" --backend none $own
starts 'a port that is none' 2 '--port.*1.*65535' --port 0 --check
starts 'an option that is not there' 2 '--prot.*hint: smegd --help' --prot 1
conf() { printf "$1" >"$T/bad.conf"; }
conf 'port: 4000\nlogLvel: debug\n'
starts 'an unknown key' 2 'bad.conf:2:1:.*logLvel.*logLevel' -c "$T/bad.conf" --check
conf 'port: 4000\nmtu: 99999\n'
starts 'a value out of range' 2 'bad.conf:2:6:.*99999.*1280.*9000' -c "$T/bad.conf" --check
conf 'port: 12abc\n'
starts 'a value that is no number' 2 'bad.conf:1:7:.*12abc.*1.*65535' -c "$T/bad.conf" --check
conf 'backend: kernal\n'
starts 'a choice that is not there' 2 'bad.conf:1:10:.*kernal.*kernel' -c "$T/bad.conf" --check
conf 'alias: Bad_Alias\n'
starts 'an alias in the file' 2 'bad.conf:1:8:.*Bad_Alias.*1 to 63 of a-z' -c "$T/bad.conf" --check
conf 'alias: "gate\n'
starts 'YAML that is none' 2 'bad.conf:[12]:[0-9]+: ' -c "$T/bad.conf" --check
starts 'a file that is not there' 2 'nowhere.conf' -c "$T/nowhere.conf"
before="setpriv --reuid=65534 --regid=65534 --clear-groups"
starts 'a state directory that is not ours' 4 "$T/second" --backend none --port 4001 $own
before=''

say 'WireGuard without the right to it'
if command -v wireguard-go >/dev/null && [ -c /dev/net/tun ]; then
	before='setpriv --bounding-set -net_admin --inh-caps -net_admin --ambient-caps -net_admin'
	for backend in userspace auto; do
		starts "without CAP_NET_ADMIN, $backend" 4 'cannot configure network devices.*hint=.*CAP_NET_ADMIN' \
			--backend $backend --port 4001 $own
	done
	before=''
	end b
	daemon b --backend userspace
	host_exec b mount --bind /dev/null /dev/net/tun || fail 'mount'
	refused 'create, without /dev/net/tun' b 1 no-wireguard '/dev/net/tun|wireguard-go' . create shop
	join 'join, without /dev/net/tun' "$good" 1 no-wireguard '/dev/net/tun|wireguard-go' .
	host_exec b umount /dev/net/tun
	join 'refused, after a device was made' "$(other "$(host_address a):$((port + 1))")" 1 connection-refused refused .
	[ "$break" != device ] || host_exec b ip link add smeg-left type bridge
	[ -z "$(state b)" ] || wrong "left over: $(state b)"
	end b
	daemon b
else
	say '   not tried: wireguard-go is not installed'
fi

say 'clocks'
late() { [ $(($(ms) - short_ms)) -gt 61000 ]; }
if [ -n "$faketime" ]; then
	# A host that has not called before: who has is not heard again with an earlier time.
	host_new d
	joiner=d
	for off in -1h +1h -5m; do
		[ ! -e "$T/nd.pid" ] || end d
		before="env LD_PRELOAD=$faketime FAKETIME=$off FAKETIME_DONT_FAKE_MONOTONIC=1"
		daemon d
		before=''
		[ $off != -5m ] || break
		join "a clock $off" "$good" 1 clock-off 'clock' 'timedatectl'
	done
	wait_until 90 late
	join 'expired, as the introducer says' "$short" 1 expired '198.18.*the token has expired' "$ask"
	joiner=b
else
	say '   not tried: libfaketime is not installed'
fi
wait_until 90 late
join 'expired' "$short" 1 expired 'expired' "$ask"

say 'after all of that, the token that was good still is, once'
[ "$(members)" = 2 ] || wrong "$(members) members, not 2"
printf '%s\n' "$good" | many_ctl b join - >"$T/out" 2>&1 || fail "join: $(cat "$T/out")"
wait_until 20 many_agree 3 a b c || fail "no agreement: $(many_why a b c)"
[ $wrongs = 0 ] || fail "$wrongs of $cases cases are wrong"
say "$cases cases"
