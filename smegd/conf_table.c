/*
 * The keys of the configuration file, and those of the prototype that are gone.
 *
 * This table is all there is to know about a key: the parser, the checks, --print-config, SIGHUP
 * and the manual's list (which a test compares) read it.  Names are the prototype's where the
 * meaning is, so those who come from there find their way; hence the camel case.
 */
#include "smegd/conf_priv.h"

#include "smegd/kern/kern.h"

#include <string.h>

static const char *const backends[] = {
	[BACKEND_AUTO] = "auto",
	[BACKEND_KERNEL] = "kernel",
	[BACKEND_USERSPACE] = "userspace",
	[BACKEND_NONE] = "none",
	NULL,
};

static const char *const levels[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
	NULL,
};

#define AT(field) .at = offsetof(struct conf, field)

/* clang-format off */
const struct conf_key conf_keys[] = {
	{ .name = "port", .type = CONF_NUMBER, AT(port), .min = 1, .max = 65535,
	  .standard = "21820",
	  .help = "TCP port on which other daemons reach this one.  Best below 32768: above, the "
		  "system may have given it to an outgoing connection." },
	{ .name = "listen", .type = CONF_ADDRESS, AT(has_listen), .standard = "",
	  .help = "The one address to listen on; empty: all, IPv6 and IPv4." },
	{ .name = "wireguardPort", .type = CONF_NUMBER, AT(wireguard_port), .min = 1,
	  .max = 65535 - LIMIT_MESHES, .standard = "51820",
	  .help = "UDP port of the first mesh's WireGuard device; further meshes count up." },
	{ .name = "backend", .type = CONF_CHOICE, AT(backend), .choices = backends,
	  .standard = "auto",
	  .help = "Which WireGuard: the kernel's, wireguard-go (userspace), or none at all.  auto: "
		  "the kernel's if it has it, else userspace." },
	{ .name = "stateDirectory", .type = CONF_PATH, AT(state_directory), .max = CONF_PATH_BYTES,
	  .standard = "/var/lib/smegmesh",
	  .help = "Where keys and the state of meshes are kept.  Only for the daemon's eyes." },
	{ .name = "runDirectory", .type = CONF_PATH, AT(run_directory), .max = CONF_RUN_PATH_BYTES,
	  .standard = "/run/smegmesh",
	  .help = "Where the control socket, smegd.sock, is made." },
	{ .name = "logLevel", .type = CONF_CHOICE, AT(log_level), .choices = levels,
	  .standard = "info", .is_live = true,
	  .help = "What is written to standard error, and by systemd to the journal." },
	{ .name = "devicePrefix", .type = CONF_PREFIX, AT(device_prefix), .max = 7,
	  .standard = "smeg",
	  .help = "WireGuard devices are called so, with a hyphen and the mesh's name.  Do not "
		  "change it while there are meshes: the old devices would stay behind." },
	{ .name = "mtu", .type = CONF_NUMBER, AT(mtu), .min = 1280, .max = 9000, .or_zero = true,
	  .unit = "bytes", .standard = "0",
	  .help = "Largest packet through a tunnel; 0: 1420." },
	{ .name = "keepAliveWg", .type = CONF_NUMBER, AT(keep_alive_s), .min = 0, .max = 65535,
	  .unit = "seconds", .standard = "0",
	  .help = "How often WireGuard sends something to keep the way through a NAT open; 0: "
		  "never." },
	{ .name = "alias", .type = CONF_LABEL, AT(alias), .standard = "",
	  .help = "This host's name in meshes that it creates or joins; empty: its host name, if "
		  "that is a DNS label." },
	{ .name = "endpoints", .type = CONF_PLACES, AT(endpoints), .standard = "",
	  .help = "Where others reach this host, as HOST or HOST:PORT, in meshes that it "
		  "creates or joins; none: the addresses of its interfaces.  PORT is TCP; "
		  "without it, ours." },
	{ .name = "group", .type = CONF_USER, AT(group), .standard = "smegmesh", .is_live = true,
	  .help = "Whose members may reach the control socket, and read.  Empty: only root." },
	{ .name = "admins", .type = CONF_USERS, AT(admins), .standard = "", .is_live = true,
	  .help = "Users who may change things besides root; they must be in the group, too." },
	{ .name = "heartbeatInterval", .type = CONF_DURATION, AT(heartbeat_interval_s), .min = 1,
	  .max = 600, .standard = "10s", .is_live = true,
	  .help = "How often the leader, which is the live peer with the lowest key, sends a "
		  "beat.  After three intervals without one, the next takes over.  Best the same "
		  "on all hosts of a mesh." },
	{ .name = "pullInterval", .type = CONF_DURATION, AT(pull_interval_s), .min = 1, .max = 3600,
	  .standard = "5s", .is_live = true,
	  .help = "How often to compare notes with a random neighbour, which finds whatever was "
		  "lost on the way." },
	{ .name = "timeout", .type = CONF_DURATION, AT(timeout_s), .min = 3, .max = 300,
	  .standard = "12s", .is_live = true,
	  .help = "After this time without an answer the other end of a session counts as lost, "
		  "and is dialled again." },
};
const size_t conf_keys_count = ARRAY_LEN(conf_keys);

const struct conf_old conf_olds[] = {
	{ "gRPCPort", "write port instead" },
	{ "stubWg", "write backend: none instead" },
	{ "certificatePath", "remove it: daemons know each other by their mesh keys" },
	{ "privateKeyPath", "remove it: keys are made and kept in stateDirectory" },
	{ "caCertificatePath", "remove it: daemons know each other by their mesh keys" },
	{ "skipCertVerification", "remove it: every daemon is always verified" },
	{ "syncInterval", "remove it: changes travel at once; pullInterval sets the repair" },
	{ "syncRate", "remove it: changes travel at once; pullInterval sets the repair" },
	{ "syncTime", "remove it: changes travel at once; pullInterval sets the repair" },
	{ "clusterSize", "remove it: who talks to whom follows from the members' keys" },
	{ "interClusterChance", "remove it: there are no clusters; who talks to whom follows "
				"from the members' keys" },
	{ "branch", "remove it: who talks to whom follows from the members' keys" },
	{ "branchRate", "remove it: who talks to whom follows from the members' keys" },
	{ "infectionCount", "remove it: news are told once to each neighbour; pullInterval sets "
			    "the repair" },
	{ "heartBeatTime", "write heartbeatInterval instead" },
	{ "pruneTime", "remove it: a silent session is lost after timeout; write that instead" },
	{ "advertiseRoutes", "remove it: it is not in this version" },
	{ "baseConfiguration", "write endpoints, keepAliveWg and alias at the top, and give the "
			       "role with smegctl invite --role" },
	{ "ipDiscovery", "remove it, or write endpoints: [HOST]" },
	{ "advertiseRoute", "remove it: it is not in this version" },
	{ "advertiseDefaults", "remove it: it is not in this version" },
	{ "publicEndpoint", "write endpoints: [HOST] instead" },
	{ "role", "give it with smegctl invite --role" },
	{ "preUp", "remove it: hooks are not in this version" },
	{ "postUp", "remove it: hooks are not in this version" },
	{ "preDown", "remove it: hooks are not in this version" },
	{ "postDown", "remove it: hooks are not in this version" },
};
const size_t conf_olds_count = ARRAY_LEN(conf_olds);
/* clang-format on */

const struct conf_key *conf_find(const char *name)
{
	for (size_t i = 0; i < conf_keys_count; i++)
		if (strcmp(conf_keys[i].name, name) == 0)
			return &conf_keys[i];
	return NULL;
}

const char *conf_key_name(size_t index)
{
	return index < conf_keys_count ? conf_keys[index].name : NULL;
}
