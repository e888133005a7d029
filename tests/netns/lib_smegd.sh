# Daemons in hosts.  Sourced after lib.sh:
#
#	smegd_options            array of options that every daemon here gets
#	smegd_bin HOST DIR       from now on HOST's programs are taken from DIR, not $SMEG_BIN
#	smegd_spawn HOST         start it; its process id is in $T/HOST.daemon
#	smegd_start HOST         and wait until it answers
#	smegd_kill HOST SIGNAL   and wait until it is gone
#	ctl HOST WORDS...        smegctl there
#	members HOST             sorted keys of the members in the group, as HOST sees them
#	sees HOST COUNT          so many, and reaches them all
#	mesh_of HOST...          the first makes a mesh called home, the others join it
#	members_json HOST        `smegctl list --json`, into $T/HOST.members
smegd_options=()

smegd_bin() { echo "$2" >"$T/$1.bin"; }
bin_of() { cat "$T/$1.bin" 2>/dev/null || echo "$SMEG_BIN"; }

smegd_spawn() {
	host_spawn "$1" "$T/$1.log" "$(bin_of "$1")/smegd" "${smegd_options[@]}"
	disown "$spawned"
	echo "$spawned" >"$T/$1.daemon"
}

answers() { ctl "$1" version >/dev/null 2>&1; }
smegd_ready() { wait_until 20 answers "$1" || fail "smegd on $1: $(tail -n 20 "$T/$1.log")"; }
smegd_start() { smegd_spawn "$1" && smegd_ready "$1"; }

is_gone() { [ ! -e "/proc/$1" ]; }
smegd_kill() {
	local pid
	pid=$(cat "$T/$1.daemon")
	kill "-$2" "$pid" || fail "smegd on $1 has ended: $(tail -n 20 "$T/$1.log")"
	wait_until 20 is_gone "$pid" || fail "smegd on $1 does not end by SIG$2"
}

ctl() {
	local host=$1
	shift
	host_exec "$host" "$(bin_of "$host")/smegctl" "$@"
}

members_json() { ctl "$1" list --json >"$T/$1.members" 2>&1; }
members() {
	members_json "$1" &&
		jq -r '.members[] | select(.standing == "in") | .key' "$T/$1.members" | sort
}
sees() {
	ctl "$1" status --json >"$T/$1.status" 2>/dev/null && jq -e --argjson n "$2" \
		'.meshes[0] | .members == $n and .reachable == $n' "$T/$1.status" >/dev/null
}

mesh_of() {
	local first=$1 h
	ctl "$first" create home --alias "$first" >"$T/created" 2>&1 || fail "create: $(cat "$T/created")"
	for h in "${@:2}"; do
		ctl "$first" invite --json >"$T/invite" || fail "invite: $(cat "$T/invite")"
		jq -r .token "$T/invite" | ctl "$h" join --alias "$h" - >"$T/joined" 2>&1 ||
			fail "$h cannot join: $(cat "$T/joined" "$T/$h.log")"
	done
	for h; do
		wait_until 20 sees "$h" $# || fail "$h does not see all: $(cat "$T/$h.status")"
	done
}
