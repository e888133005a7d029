#!/bin/bash
# Two hosts: one makes a mesh, the other joins it; both list the same members.  First without
# WireGuard, then with wireguard-go, where pings by overlay addresses pass both ways.
. "$(dirname "$0")/lib.sh"
need_root
need_program "$SMEG_BIN/smegd"
need_program "$SMEG_BIN/smegctl"
for tool in jq socat; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done

ctl() {
	local host=$1
	shift
	host_exec "$host" "$SMEG_BIN/smegctl" "$@"
}

# daemon HOST BACKEND: start one, and wait until it answers.
daemon() {
	host_spawn "$1" "$T/$1.log" "$SMEG_BIN/smegd" --backend "$2"
	echo "$spawned" >"$T/$1.daemon"
	wait_until 10 ctl "$1" status >/dev/null 2>&1 || fail "smegd on $1: $(cat "$T/$1.log")"
}

# stop HOST: SIGTERM must end it, with status 0.
stop() {
	local pid status
	pid=$(cat "$T/$1.daemon")
	kill -TERM "$pid" || fail "smegd on $1 is gone: $(cat "$T/$1.log")"
	wait "$pid"
	status=$?
	[ "$status" = 0 ] || fail "smegd on $1 ended with status $status: $(cat "$T/$1.log")"
}

# Keys and addresses of the members in the group.
members() {
	ctl "$1" list --json | jq -S '[.. | objects | select(has("standing")) |
		select(.standing == "in") | {key, address}] | sort_by(.key)'
}
address() { ctl "$1" status --json | jq -r '.meshes[0].address'; }

agree() {
	members a >"$T/a.list" && members b >"$T/b.list" || return 1
	[ "$(jq length "$T/a.list")" = 2 ] && cmp -s "$T/a.list" "$T/b.list"
}

# mesh BACKEND: two daemons and a mesh of two.
mesh() {
	daemon a "$1"
	daemon b "$1"
	ctl a create home >"$T/created" 2>&1 || fail "create: $(cat "$T/created" "$T/a.log")"
	ctl a invite home --json >"$T/invite" || fail "invite: $(cat "$T/invite")"
	jq -r .token "$T/invite" | ctl b join --name house - >"$T/joined" 2>&1 ||
		fail "join: $(cat "$T/joined" "$T/b.log")"
	wait_until 10 agree || fail "the lists differ: $(cat "$T/a.list" "$T/b.list")"
}

pings() { host_exec "$1" ping -6 -q -c 3 -i 0.2 -W 2 "$2" >"$T/ping" 2>&1; }

say 'without WireGuard'
host_new a
host_new b
mesh none

say 'the invite works once'
jq -r .token "$T/invite" | ctl b join --name again - >"$T/joined" 2>&1 && fail 'joined twice'

say 'after a restart all is as before'
address=$(address b)
stop b
daemon b none
[ "$(address b)" = "$address" ] || fail "another address: $(address b), not $address"
wait_until 15 agree || fail "the lists differ: $(cat "$T/a.list" "$T/b.list")"

say 'a second daemon on the same state is refused'
host_exec a "$SMEG_BIN/smegd" --backend none --port 4000 --run-dir /run/smegmesh/second \
	>"$T/second" 2>&1 && fail 'it runs'
grep -q 'error=busy' "$T/second" || fail "it says: $(cat "$T/second")"

say 'a port in use is named'
host_exec a "$SMEG_BIN/smegd" --backend none --state-dir /var/lib/smegmesh/second \
	--run-dir /run/smegmesh/second >"$T/second" 2>&1 && fail 'it runs'
grep -q 'error=port-in-use.*21820.*ss -ltnp' "$T/second" || fail "it says: $(cat "$T/second")"

say 'a full disk ends the daemon, which says so'
host_new full
host_exec full mount -t tmpfs -o size=200k,mode=700 smegtest /var/lib/smegmesh
daemon full none
host_exec full sh -c 'cat /dev/zero >/var/lib/smegmesh/fill' 2>/dev/null
ctl full create home >"$T/created" 2>&1 && fail 'created on a full disk'
wait "$(cat "$T/full.daemon")"
status=$?
[ "$status" = 1 ] || fail "status $status"
grep -q 'event=failed error="no space left' "$T/full.log" || fail "it says: $(cat "$T/full.log")"

say 'SIGHUP applies what can be, and says what cannot'
host_new c
printf 'backend: none\n' >"$T/c.yaml"
host_spawn c "$T/manager.log" socat -u UNIX-RECV:"$T/notify" "CREATE:$T/told"
wait_until 5 test -S "$T/notify" || fail 'no socat'
host_spawn c "$T/c.log" env NOTIFY_SOCKET="$T/notify" WATCHDOG_USEC=400000 \
	"$SMEG_BIN/smegd" -c "$T/c.yaml"
logged() { grep -qx "$1" "$T/c.log"; }
told() { grep -qa "$1" "$T/told"; }
wait_until 5 told READY=1 || fail "READY=1 was not told: $(cat "$T/c.log")"
printf 'backend: none\nlogLevel: debug\nport: 4000\nadmins: [root]\ntimeout: 5s\n' >"$T/c.yaml"
kill -HUP "$spawned"
for line in port:needs-restart logLevel:applied admins:applied timeout:applied; do
	wait_until 5 logged "event=config key=${line%:*} result=${line#*:}" ||
		fail "no word of ${line%:*}: $(cat "$T/c.log")"
done
printf 'port: x\n' >"$T/c.yaml"
kill -HUP "$spawned"
wait_until 5 grep -q 'event=config text=".*c.yaml:1:7: port is' "$T/c.log" ||
	fail "no word of the error: $(cat "$T/c.log")"
ctl c version >/dev/null || fail 'it has ended'
wait_until 5 told WATCHDOG=1 || fail 'the watchdog was not told'
wait_until 5 told RELOADING=1 || fail 'the reload was not told'
wait_until 5 told 'STATUS=0 meshes, 0 members, 0 sessions' || fail 'no status was told'
kill -TERM "$spawned"
wait "$spawned" || fail "status $?"
wait_until 5 told STOPPING=1 || fail 'the end was not told'
host_del c
host_del full

say 'who leaves is gone from both lists'
ctl b leave house >"$T/left" 2>&1 || fail "leave: $(cat "$T/left")"
left() { [ "$(members a | jq length)" = 1 ]; }
wait_until 10 left || fail "still there: $(members a)"
stop a
stop b
host_cleanup

need_userspace
say 'with wireguard-go'
host_new a
host_new b
mesh userspace
wait_until 20 pings a "$(address b)" || fail "a to b: $(cat "$T/ping"; ctl a status)"
wait_until 20 pings b "$(address a)" || fail "b to a: $(cat "$T/ping"; ctl b status)"

say 'tunnels stand while daemons are away'
addresses=$(address a)
stop a
stop b
pings b "$addresses" || fail "no more: $(cat "$T/ping")"
daemon a userspace
daemon b userspace
wait_until 15 agree || fail "the lists differ: $(cat "$T/a.list" "$T/b.list")"
pings b "$addresses" || fail "no more after a restart: $(cat "$T/ping")"

say 'leave takes the device down'
ctl b leave house >"$T/left" 2>&1 || fail "leave: $(cat "$T/left")"
no_device() { ! host_exec b ip -o link | grep -q smeg-; }
wait_until 10 no_device || fail "there is: $(host_exec b ip -o link)"
stop a
stop b
