/*
 * Meshes to show: the same every time, with something of every kind in them.
 */
#ifndef SMEG_TESTS_UNIT_API_MODEL_SAMPLE_MESH_H
#define SMEG_TESTS_UNIT_API_MODEL_SAMPLE_MESH_H

#include "tests/unit/unit.h"

#include "api/model/mesh.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SAMPLE_NOW_MS 1700000000000

PRINTF_LIKE(2, 3)
static inline const char *sample_text(struct arena *a, const char *format, ...)
{
	char text[96];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return arena_dup(a, text, strlen(text) + 1);
}

static inline void sample_member(struct arena *a, size_t i, struct member_info *m)
{
	static const char *const aliases[] = { "gate", "printer", "" };
	static const char *endpoints[] = { "192.0.2.1:51820", "[2001:db8::1]:51820" };
	static struct service_info services[] = { { "http", "8080" }, { "ssh", "port=22" } };
	static const char *prefixes[] = { "192.168.1.0/24" };

	*m = (struct member_info){
		.key = sample_text(a, "%04zuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", i),
		.alias = i < 2        ? aliases[i]
		         : i % 7 == 2 ? ""
		                      : sample_text(a, "node-%zu", i),
		.description = i == 0 ? "the way in, \"<second>\" floor" : "",
		.address = sample_text(a, "fd5e:1dea:4c21:1:8c2f:41ff:%zx:7a01", i + 0x1000),
		.role = i % 5 == 1 ? "client" : "peer",
		.standing = "in",
		.is_self = i == 0,
		.is_administrator = i == 0,
		.is_reachable = i % 11 != 2,
		.reachability = i % 11 == 2   ? "unreachable"
		                : i % 11 == 4 ? "suspect"
		                              : "reachable",
		.has_session = i > 0 && (i == 1 || i % 9 == 3),
		.has_tunnel = i > 0 && i % 11 != 2,
		.since_ms = SAMPLE_NOW_MS - 245000,
		.endpoint =
			i > 0 && i % 11 != 2 ? sample_text(a, "198.51.100.7:%zu", 51820 + i) : "",
		.handshake_ms = i > 0 && i % 11 != 2 ? SAMPLE_NOW_MS - 42000 : 0,
		.rx_bytes = i * 123456,
		.tx_bytes = i * 7890,
		.counter = SAMPLE_NOW_MS + i,
	};
	if (i == 0) {
		m->endpoints = endpoints;
		m->endpoints_count = 2;
		m->services = services;
		m->services_count = 2;
		m->prefixes = prefixes;
		m->prefixes_count = 1;
	}
}

static inline struct mesh_info sample_mesh(struct arena *a, size_t count)
{
	struct mesh_info mesh = {
		.id = "k3jq7d2mzv5xw4ta",
		.name = "home",
		.device = "smeg-home",
		.address = "fd5e:1dea:4c21:1:8c2f:41ff:1000:7a01",
		.prefix = "fd5e:1dea:4c21:1::/64",
		.key = "0000AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		.role = "peer",
		.is_administrator = true,
		.wg_port = 51820,
		.members_count = (uint32_t)count,
		.reachable_count = (uint32_t)count - (uint32_t)((count + 8) / 11),
		.sessions_count = 1,
		.digest = "00112233445566778899aabbccddeeff",
		.clock_ahead_ms = 12,
		.leader = "0000AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		.beat_age_ms = 3400,
		.beat_members = (uint32_t)count - 1,
		.carrier = "",
		.problem = "",
		.hint = "",
		.members = arena_alloc(a, count * sizeof(struct member_info)),
		.members_listed = count,
	};

	assert_non_null(mesh.members);
	for (size_t i = 0; i < count; i++)
		sample_member(a, i, &mesh.members[i]);
	return mesh;
}

#endif
