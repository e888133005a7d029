#!/bin/bash
# The unit file under a real systemd, which runs as process 1 of host a; on host b runs a plain smegd.
#
# First with the kernel's WireGuard, then with wireguard-go.  Pings from b to a go on all the time.
. tests/kernel/lib_guest.sh
need_guest
need_program "$SMEG_BIN/smegd"
manager=/lib/systemd/systemd
[ -x $manager ] || skip 'systemd is not installed'
need_userspace
modinfo wireguard >/dev/null 2>&1 || skip 'the kernel has no WireGuard'
units=$T/units conf=/etc/smegmesh/configuration.yaml

# --- systemd as process 1 of a PID namespace ---

# Only the units that ours needs, so that nothing of the machine's is started.
units_make() {
	local u
	mkdir "$units"
	for u in sysinit basic shutdown sockets network-pre slices timers paths; do
		ln -s /lib/systemd/system/$u.target "$units"
	done
	printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n' >"$units/rest.target"
}

# As `make install` does it, PREFIX=/usr.
install_all() {
	install -D -m 0755 "$SMEG_BIN/smegd" /usr/sbin/smegd
	install -D -m 0755 "$SMEG_BIN/smegctl" /usr/bin/smegctl
	install -D -m 0644 smegd/smegd.service "$units/smegd.service"
}

systemd_start() {
	local outer
	# shellcheck disable=SC2016
	host_spawn a "$T/systemd" bash -c '
		mount -t cgroup2 cgroup /sys/fs/cgroup && mkdir -p /sys/fs/cgroup/smegtest &&
		echo $$ >/sys/fs/cgroup/smegtest/cgroup.procs || exit
		exec unshare --cgroup --pid --fork --mount --mount-proc --propagation private bash -c "$@"' a '
		umount /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup &&
		mount -t tmpfs -o mode=755 run /run || exit
		exec env -i PATH="$PATH" container=smegtest SYSTEMD_UNIT_PATH="$0" SYSTEMD_LOG_TARGET=console \
			SYSTEMD_LOG_COLOR=0 "$1" --unit=rest.target --show-status=no' "$units" "$manager"
	outer=$spawned
	disown "$outer"
	child_of() {
		read -r init _ <"/proc/$outer/task/$outer/children" # which has no end of line
		[ "$(cat "/proc/$init/comm" 2>/dev/null)" = systemd ]
	}
	wait_until 5 child_of || fail "no systemd: $(cat "$T/systemd")"
	wait_until 10 is_running || fail "systemd: $(cat "$T/up" "$T/systemd")"
}
is_running() { on a systemctl is-system-running >"$T/up" 2>&1; }

on() {
	if [ "$1" = a ]; then
		nsenter -t "$init" -n -m -u -p -C -- "${@:2}"
	else
		host_exec "$@"
	fi
}

# --- asking it ---

property() { on a systemctl show -P "$1" smegd; }
is() { [ "$(property "$1")" = "$2" ]; }
has_status() { property StatusText | grep -q "$1"; }
has_pid_but() { ! is MainPID "$1" && is ActiveState active; } # in this order
settled() {
	is ActiveState active || fail "smegd is $(property ActiveState): $(cat "$T/a.log")"
	wait_until 20 sees a 2 || fail "a does not see b again: $(cat "$T/a.status")"
}
systemctl() { on a systemctl "$@" >"$T/systemctl" 2>&1 || fail "systemctl $*: $(cat "$T/systemctl" "$T/a.log")"; }
drop_in() {
	mkdir -p "$units/smegd.service.d"
	cat >"$units/smegd.service.d/$1.conf"
	systemctl daemon-reload
}

# --- the unit itself ---

units_make
install_all
say 'systemd-analyze verify'
SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no "$units/smegd.service" >"$T/verify" 2>&1 ||
	fail "it refuses: $(cat "$T/verify")"
[ ! -s "$T/verify" ] || fail "it warns: $(cat "$T/verify")"
systemd-analyze security --offline=true --no-pager "$units/smegd.service" >"$T/security" 2>&1 ||
	fail "systemd-analyze security: $(cat "$T/security")"
say "$(tail -n 1 "$T/security")"

# --- start ---

host_new a
host_new b
# The kernel loads the module when smegd asks for WireGuard; the unit forbids smegd to.
wait_until 5 modprobe -q -r wireguard || fail 'WireGuard is in use'
systemd_start
drop_in log <<E
[Service]
StandardError=append:$T/a.log
E

say 'start: active when it is ready, and not before'
on a mkfifo /run/gate
drop_in gate <<E
[Service]
ExecStart=
ExecStart=/bin/sh -c 'read line </run/gate; exec /usr/sbin/smegd'
E
systemctl start --no-block smegd
exec {gate}>"/proc/$init/root/run/gate" # opens when the other end does, so the process is there
is ActiveState activating || fail "not ready, but $(property ActiveState)"
echo go >&"$gate"
exec {gate}>&-
systemctl start smegd # waits for the same start
ctl a version >"$T/out" 2>&1 || fail "active, but does not answer: $(cat "$T/out")"
rm "$units/smegd.service.d/gate.conf"
systemctl daemon-reload

say 'a mesh of two, WireGuard in the kernel'
smegd_start b
mesh_of b a # b stays when a leaves, and can invite it again
in_kernel a
in_kernel b
ping_all a b
wait_until 10 has_status '1 mesh, 2 members, 1 session' || fail "STATUS: $(property StatusText)"
on a systemctl status --no-pager smegd >"$T/out" 2>&1 || fail "status: $(cat "$T/out")"
grep -q 'Status: "1 mesh, 2 members, 1 session' "$T/out" || fail "no STATUS: $(cat "$T/out")"

# --- what must not disturb the tunnel ---

# life [CHECK]: all that befalls a daemon, while pings go on; CHECK after each start.
life() {
	local pid restarts
	device_note a
	device_note b
	stream_start b a
	pid=$(property MainPID)

	say "reload: the same process"
	echo 'logLevel: debug' >>$conf
	systemctl reload smegd
	reloaded() { grep -q 'event=config.*key=logLevel.*result=applied' "$T/a.log"; }
	wait_until 3 reloaded || fail "it has not read $conf again: $(cat "$T/a.log")"
	is MainPID "$pid" || fail 'another process'
	sed -i '/logLevel/d' $conf
	: >"$T/a.log"

	say 'restart'
	systemctl restart smegd
	has_pid_but "$pid" || fail "restarted, but it is $(property MainPID)"
	settled
	[ -z "${1:-}" ] || "$1"

	say 'kill -9: started again by itself'
	pid=$(property MainPID) restarts=$(property NRestarts)
	systemctl kill --kill-who=main --signal=KILL smegd
	wait_until 5 has_pid_but "$pid" || fail "it stays away: $(property ActiveState)"
	is NRestarts $((restarts + 1)) || fail "$(property NRestarts) restarts"
	settled
	[ -z "${1:-}" ] || "$1"

	say 'stop: the tunnel stands'
	systemctl stop smegd
	is ActiveState inactive && is Result success || fail "stopped: $(property ActiveState) $(property Result)"
	device_same a 'stopped'
	stream_stop
	systemctl start smegd
	settled
	[ -z "${1:-}" ] || "$1"
	device_same a 'started again'
	device_same b 'at the other end'
}
mkdir -p /etc/smegmesh
: >$conf
life

say 'a configuration that is wrong: no further attempts'
systemctl stop smegd
echo 'prt: 21820' >$conf
on a systemctl start smegd >"$T/out" 2>&1 && fail 'it starts'
is ActiveState failed && is ExecMainStatus 2 && is NRestarts 0 ||
	fail "$(property ActiveState), status $(property ExecMainStatus), $(property NRestarts) restarts"
pings b a || fail "the tunnel is gone: $(cat "$T/ping")"

say 'a daemon that hangs: found by the watchdog, started again'
: >$conf
drop_in watchdog <<E
[Service]
WatchdogSec=8
E
systemctl start smegd
settled
pid=$(property MainPID)
systemctl kill --kill-who=main --signal=STOP smegd
wait_until 10 has_pid_but "$pid" || fail "it still hangs: $(property ActiveState)"
settled
rm "$units/smegd.service.d/watchdog.conf"
systemctl daemon-reload

# --- wireguard-go ---

wireguard_pid() { pgrep -x wireguard-go; }
no_wireguard() { ! wireguard_pid >/dev/null; }
same_wireguard() {
	[ "$(wireguard_pid)" = "$wireguard" ] || fail "wireguard-go was $wireguard and is $(wireguard_pid)"
}
no_device() { ! on a ip -o link | grep -q "$device"; }

say 'leave takes the tunnel down'
ctl a leave home >"$T/out" 2>&1 || fail "leave: $(cat "$T/out")"
wait_until 10 no_device || fail 'the device stays'

say 'with wireguard-go'
echo 'backend: userspace' >$conf
systemctl restart smegd
ctl b invite --json >"$T/invite" || fail 'invite'
jq -r .token "$T/invite" | ctl a join --alias a - >"$T/out" 2>&1 || fail "join: $(cat "$T/out" "$T/a.log")"
rm -f "$T/a.overlay"
ping_all a b
wireguard=$(wireguard_pid) || fail 'it does not run'
life same_wireguard
ctl a leave home >"$T/out" 2>&1 || fail "leave: $(cat "$T/out")"
wait_until 10 no_device || fail 'the device stays'
wait_until 10 no_wireguard || fail 'wireguard-go stays'
systemctl stop smegd
say ok
