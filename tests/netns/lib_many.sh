# Many daemons without WireGuard on one host; source lib.sh first.  They share the host's loopback and
# differ in port and directories; their control sockets are reached from outside.
#
#	many_host                  the host: "many"
#	many_start N [OPTION...]   start daemon N, port 22000 + N, directories $T/nN, log $T/nN.log
#	many_wait N...             until these answer
#	many_pid N                 its process
#	many_stop N                SIGTERM; it must end with status 0
#	many_ctl N WORDS...        smegctl, to daemon N
#	many_token N FILE          make a mesh "home" on N, and an invite for all others in FILE
#	many_join N FILE WORDS...  join with its token; says nothing unless it fails
#	shared_list N [MESH]       its list as JSON, without what is local to it
#	many_agree COUNT N...      these see COUNT members in the group and agree on everything else, too
#	many_why N...              the state of each, for a failure
#	ms                         now, in milliseconds

ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }

many_host() { host_new many; }

many_port() { echo $((22000 + $1)); }
many_start() {
	local n=$1
	shift
	mkdir -p "$T/n$n"
	host_spawn many "$T/n$n.log" "$SMEG_BIN/smegd" --backend none --port "$(many_port "$n")" \
		--state-dir "$T/n$n/state" --run-dir "$T/n$n/run" "$@"
	echo "$spawned" >"$T/n$n.pid"
}
many_pid() { cat "$T/n$1.pid"; }
many_ctl() {
	local n=$1
	shift
	"$SMEG_BIN/smegctl" --socket "$T/n$n/run/smegd.sock" "$@"
}
many_answers() { many_ctl "$1" version --timeout 5s >/dev/null 2>&1; }
many_wait() {
	local n
	for n; do
		wait_until 60 many_answers "$n" || fail "smegd $n: $(cat "$T/n$n.log")"
	done
}
many_stop() {
	local pid status
	pid=$(many_pid "$1")
	kill -TERM "$pid" || fail "smegd $1 is gone: $(tail "$T/n$1.log")"
	wait "$pid"
	status=$?
	[ $status = 0 ] || fail "smegd $1 ended with status $status: $(tail "$T/n$1.log")"
}

many_token() {
	many_ctl "$1" create home --alias "host-$1" --endpoint 127.0.0.1 --json >"$T/created" 2>&1 ||
		fail "create: $(cat "$T/created" "$T/n$1.log")"
	many_ctl "$1" invite home --uses 1000 --json >"$T/invite" || fail "invite: $(cat "$T/invite")"
	jq -r .token "$T/invite" >"$2"
}
many_join() {
	local n=$1 token=$2
	shift 2
	many_ctl "$n" join - --alias "host-$n" --endpoint 127.0.0.1 --timeout 120s "$@" \
		<"$token" >"$T/n$n.joined" 2>&1
}

shared_list() { many_ctl "$1" list ${2:-} --json | jq -S 'del(.. | .local?)'; }

many_agree() {
	local count=$1 first=$2 n in
	shift
	shared_list "$first" >"$T/first.list" || return 1
	in=$(jq '[.members[] | select(.standing == "in")] | length' "$T/first.list") || return 1
	[ "$in" = "$count" ] || return 1
	for n; do
		shared_list "$n" >"$T/other.list" && cmp -s "$T/first.list" "$T/other.list" || return 1
	done
}
many_why() {
	local n
	for n; do
		printf '%s: %s\n' "$n" "$(many_ctl "$n" status --json |
			jq -c '.meshes[] | [.members, .reachable, .sessions, .digest]')"
	done
}
