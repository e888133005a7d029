/*
 * The add entry: a header (key, counter, watchers, hash of the body) that its owner signs, and a
 * body.  Also the remove entry, which contains a covered header.
 *
 *   record := 4 | version | u16 header bytes | header | signature 64 | body
 *   remove := 5 | version | u16 header bytes | header | signature 64 | cause u8 | authority
 *
 * Header and body are fields in ascending order of tag: tag varint | length varint | value.
 */
#ifndef SMEG_CRDT_RECORD_H
#define SMEG_CRDT_RECORD_H

#include "base/addr.h"
#include "crdt/stmt.h"

#include <string.h>

#define WATCHER_ID_BYTES 12

/* How a record names a watcher: the first bytes of its Ed25519 key. */
struct watcher_id {
	uint8_t b[WATCHER_ID_BYTES];
};

static inline struct watcher_id watcher_id_of(const struct key *sign_public)
{
	struct watcher_id id;

	memcpy(id.b, sign_public->b, sizeof(id.b));
	return id;
}

static inline int watcher_id_compare(const struct watcher_id *a, const struct watcher_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

enum place_kind {
	PLACE_GIVEN = 1,     /* the operator named this address */
	PLACE_INTERFACE = 2, /* an address of one of the member's interfaces */
	PLACE_NAME = 3,      /* a host name that the operator gave */
};

/* Where a member can be reached.  A port of 0 means: not at this place. */
struct place {
	enum place_kind kind;
	struct addr addr;     /* kinds 1 and 2 */
	struct bytes name;    /* kind 3: a host name, not terminated */
	uint16_t gossip_port; /* TCP, between daemons */
	uint16_t wg_port;     /* UDP, WireGuard */
};

struct service {
	struct bytes name;  /* a DNS label */
	struct bytes value; /* printable UTF-8 not required; <= LIMIT_SERVICE_VALUE_BYTES */
};

/* A record as plain values.  All struct bytes are borrowed from the statement it was read from. */
struct record {
	struct key subject; /* Ed25519 */
	uint64_t counter;
	struct watcher_id watchers[LIMIT_WATCHERS]; /* ascending, none twice, none the subject */
	size_t watchers_count;
	enum role role;
	bool has_carrier;
	struct key carrier; /* X25519 */
	struct bytes alias; /* empty or a DNS label */
	struct bytes description;
	struct place places[LIMIT_ENDPOINTS];
	size_t places_count;
	struct service services[LIMIT_SERVICES]; /* ascending by name, no name twice */
	size_t services_count;
	struct prefix prefixes[LIMIT_PREFIXES]; /* ascending, none twice; both families */
	size_t prefixes_count;
};

/*
 * Encode, sign and parse back in one go: r->subject is ignored and set from `owner`.
 * ERR_TOO_BIG beyond LIMIT_RECORD_BYTES, ERR_MALFORMED for fields that stmt_parse() would refuse;
 * nothing is sorted here, neither watchers nor services nor prefixes.
 */
int record_sign(const struct mem *m,
                const struct record *r,
                const struct keypair *owner,
                const struct key *mesh_public,
                struct stmt **ret_stmt) MUST_CHECK;

/* Read a STMT_RECORD (asserted).  Cannot fail: stmt_parse() has checked it. */
void record_read(const struct stmt *s, struct record *ret_r);

/* Parts of it, without reading the rest: for those who look at every member often. */
enum role record_role(const struct stmt *s);
bool record_has_places(const struct stmt *s); /* with a gossip port: where it can be dialled */
bool record_watches(const struct stmt *s, const struct key *sign_public); /* is it a watcher? */
size_t record_watchers(const struct stmt *s, struct watcher_id out[LIMIT_WATCHERS]);

/* Do the two bodies say the same (counter and watchers aside)? */
bool record_same_body(const struct record *a, const struct record *b);

/* The member itself leaves: a remove that covers `record` (a STMT_RECORD of the owner). */
int remove_sign_leave(const struct mem *m,
                      const struct stmt *record,
                      const struct keypair *owner,
                      const struct key *mesh_public,
                      struct stmt **ret_stmt) MUST_CHECK;

/* One watcher's part of a prune certificate. */
struct attest {
	struct key watcher; /* Ed25519 */
	struct signature signature;
};

void prune_attest(const struct stmt *record,
                  const struct keypair *watcher,
                  const struct key *mesh_public,
                  struct attest *ret_attest);

/* ERR_NOT_AUTHORISED (the record has no id of this watcher), ERR_BAD_SIGNATURE. */
int attest_verify(const struct stmt *record,
                  const struct attest *attest,
                  const struct key *mesh_public) MUST_CHECK;

/*
 * A remove by the quorum (3 of 4, 2 of 3, 2 of 2; with fewer watchers there is none).  The attests
 * should have been verified; those of others than the record's watchers are left out, and of two
 * with one id (which only one who holds both keys, or 2^96 tries, can bring about) the second.
 * ERR_NOT_AUTHORISED: no quorum.
 */
int remove_make_prune(const struct mem *m,
                      const struct stmt *record,
                      const struct attest *attests,
                      size_t count,
                      struct stmt **ret_stmt) MUST_CHECK;

/* Is `remove` (a STMT_REMOVE) a prune certificate with a part by this watcher (Ed25519)? */
bool remove_signed_by(const struct stmt *remove, const struct key *watcher);
/* Are these the bytes of this remove, but for which watchers have signed it? */
bool remove_is_same(const struct stmt *remove, struct bytes raw);

#endif
