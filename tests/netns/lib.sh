# Hosts for tests, made of namespaces.  For bash; source it first:
#
#	. "$(dirname "$0")/lib.sh"
#	host_new a
#	host_new b
#	host_exec a ping -c 1 "$(host_address b)"
#
# A host is a network namespace, with a mount namespace in which /run/wireguard, /run/smegmesh and
# /var/lib/smegmesh are its own, and a host name.  A holder process keeps it alive.  All hosts of a
# test hang on one bridge in a namespace of its own, the wire; nothing in it reaches the machine.
# The namespaces have no names, so two tests cannot collide and nothing stays behind in /run/netns.
#
# Whatever way the test ends, everything that runs in its namespaces is ended and $T removed: by a
# trap, and, should the test be killed, by a janitor process in a session of its own.
#
#	$T                         temporary directory of this test, the same for all hosts
#	say WORDS...               one line of progress
#	fail WORDS...              end the test as failed
#	skip WORDS...              end the test as skipped; the words are the reason
#	need_root                  skip where namespaces cannot be made
#	need_userspace             skip where wireguard-go cannot run
#	need_program PATH          fail where something was not built
#	wait_until SECONDS CMD...  try CMD until it succeeds; status 1 if it never does
#	holds CMD...               CMD must succeed, else the test fails
#	host_new NAME              198.18.x.y/16 and fd09::n/64 on eth0, up at once
#	host_address NAME          its IPv4 address; host_address6 the other one
#	host_exec NAME CMD...      run there
#	host_spawn NAME LOG CMD... run there in the background; its process id in $spawned
#	host_ps NAME               ids of all processes there but the holder
#	host_unplug NAME           take its cable out; host_plug puts it back
#	host_del NAME              end all its processes, and it
#	host_cleanup               all hosts; done at exit anyway
#	keep_hosts                 not at this exit: bash $T/down does it later
#
# Directories: an empty /run/smegmesh and /var/lib/smegmesh stay on the machine, as mount points.
# Removing them would unmount them from under other tests.
set -u

hosts_count=0
spawned=''
lib_pid=$BASHPID # not $$: the test may be a subshell of something that goes on
T=$(mktemp -d "${TMPDIR:-/tmp}/smegtest.XXXXXX") || exit 1
mkdir "$T/.hosts"

say() { printf '%s\n' "$*"; }
fail() {
	printf 'FAIL: %s\n' "$*"
	exit 1
}
skip() {
	printf '%s\n' "$*"
	exit 77
}

# Ids of the processes whose network namespace is one of the given ones.
ps_in() {
	local p ns
	for p in /proc/[0-9]*; do
		ns=$(readlink "$p/ns/net" 2>/dev/null) || continue
		case " $* " in
		*" $ns "*) echo "${p#/proc/}" ;;
		esac
	done
}

# End what lives in namespaces that this test made; only those are ever recorded.
hosts_end() {
	local spaces pids i
	spaces=$(cat "$T"/.hosts/*.ns 2>/dev/null | tr '\n' ' ')
	[ -n "$spaces" ] || return 0
	for ((i = 0; i < 5; i++)); do
		pids=$(ps_in $spaces)
		[ -n "$pids" ] || break
		kill -KILL $pids 2>/dev/null
		sleep 0.05
	done
	rm -f "$T"/.hosts/*
}

host_cleanup() {
	hosts_end
	hosts_count=0
}

lib_exit() {
	local status=$?
	trap '' HUP INT TERM
	[ "$BASHPID" = "$lib_pid" ] || return
	{ hosts_end; rm -rf "$T"; } 2>/dev/null
	exit $status
}
trap lib_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The janitor; not a child of ours that a kill of the process group would end too.
export -f ps_in hosts_end
T=$T setsid bash -c 'tail --pid="$0" -f /dev/null; hosts_end; rm -rf "$T"' "$lib_pid" \
	</dev/null >/dev/null 2>&1 &
janitor=$!
disown

# Leave all standing when the test ends; $T/down ends it.
keep_hosts() {
	trap - EXIT
	kill -- "-$janitor" 2>/dev/null
	{
		echo '#!/bin/bash'
		printf 'T=%q\n' "$T"
		declare -f ps_in hosts_end
		echo 'hosts_end; rm -rf "$T"'
	} >"$T/down"
}

need_root() {
	[ "$(id -u)" = 0 ] || skip 'not root'
	unshare -n -m true 2>/dev/null || skip 'namespaces cannot be made here'
}
need_userspace() {
	command -v wireguard-go >/dev/null || skip 'wireguard-go is not installed'
	[ -c /dev/net/tun ] || skip 'there is no /dev/net/tun'
}
need_program() { [ -x "$1" ] || fail "$1 was not built"; }

wait_until() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	while ! "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.05
	done
}

holds() { "$@" || fail "does not hold: $*"; }

# space_new NAME: a holder in new namespaces.
space_new() {
	local dir="$T/.hosts" holder
	mkdir -p /run/wireguard /run/smegmesh /var/lib/smegmesh
	# The holder marks itself ready only when all is mounted.
	unshare -n -m -u --propagation private bash -c '
		hostname "$1" && mount -t sysfs sysfs /sys &&
		for d in /run/wireguard /run/smegmesh /var/lib/smegmesh; do
			mount -t tmpfs -o mode=755 smegtest $d || exit 1
		done && : >"$2" && exec sleep infinity' holder "$1" "$dir/$1.ready" </dev/null &
	holder=$!
	disown
	wait_until 20 test -e "$dir/$1.ready" || fail "no namespace for $1"
	echo $holder >"$dir/$1.pid"
	readlink "/proc/$holder/ns/net" >"$dir/$1.ns"
	# Addresses must be usable at once.
	host_exec "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad; ip link set lo up' ||
		fail "cannot set up $1"
}

host_pid() { cat "$T/.hosts/$1.pid"; }
host_number() { cat "$T/.hosts/$1.number"; }
host_address() { printf '198.18.%d.%d\n' $(($(host_number "$1") / 250)) $(($(host_number "$1") % 250 + 1)); }
host_address6() { printf 'fd09::%x\n' $(($(host_number "$1") + 1)); }

host_exec() {
	local holder
	holder=$(host_pid "$1") || fail "there is no host $1"
	shift
	nsenter -t "$holder" -n -m -u -r -w -- "$@"
}

host_spawn() {
	local holder log=$2
	holder=$(host_pid "$1") || fail "there is no host $1"
	shift 2
	# Replaced, not forked: the id is that of the command.
	(exec nsenter -t "$holder" -n -m -u -r -w -- "$@") </dev/null >>"$log" 2>&1 &
	spawned=$!
}

host_ps() {
	local holder
	holder=$(host_pid "$1") || fail "there is no host $1"
	ps_in "$(cat "$T/.hosts/$1.ns")" | grep -vx "$holder"
}

wire_new() {
	space_new wire
	host_exec wire sh -c 'ip link add br0 type bridge && ip link set br0 up' ||
		fail 'cannot make a bridge'
}

host_new() {
	local name=$1 n=$hosts_count
	[ -e "$T/.hosts/wire.pid" ] || wire_new
	[ ! -e "$T/.hosts/$name.pid" ] || fail "there is a host $name already"
	hosts_count=$((hosts_count + 1))
	space_new "$name"
	echo "$n" >"$T/.hosts/$name.number"
	host_exec wire sh -c "ip link add p$n type veth peer name eth0 netns $(host_pid "$name") &&
		ip link set p$n master br0 up" || fail "cannot connect $name"
	host_exec "$name" sh -c "ip addr add $(host_address "$name")/16 dev eth0 &&
		ip addr add $(host_address6 "$name")/64 dev eth0 nodad &&
		ip link set eth0 up" || fail "cannot address $name"
}

host_unplug() { host_exec wire ip link set "p$(host_number "$1")" down; }
host_plug() { host_exec wire ip link set "p$(host_number "$1")" up; }

host_del() {
	local pids i
	for ((i = 0; i < 5; i++)); do
		pids=$(ps_in "$(cat "$T/.hosts/$1.ns")")
		[ -n "$pids" ] || break
		kill -KILL $pids 2>/dev/null
		sleep 0.05
	done
	rm -f "$T/.hosts/$1".*
}
