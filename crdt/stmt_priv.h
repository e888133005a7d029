/*
 * What the kinds of statement share inside this folder.
 *
 * A statement is read in two steps, so that one that is known already costs neither memory nor
 * arithmetic on curves: stmt_scan() borrows, stmt_keep() copies and has the key of the sets.
 */
#ifndef SMEG_CRDT_STMT_PRIV_H
#define SMEG_CRDT_STMT_PRIV_H

#include "crdt/codec_priv.h"
#include "crdt/record.h"

#define LABEL_APPOINT "smegmesh appoint 1"
#define LABEL_REVOKE "smegmesh revoke 1"
#define LABEL_ADMISSION "smegmesh admission 1"
#define LABEL_RECORD "smegmesh record 1"
#define LABEL_EXPEL "smegmesh expel 1"
#define LABEL_LEAVE "smegmesh leave 1"
#define LABEL_PRUNE "smegmesh prune 1"

/* Kinds whose fields are few; the room beyond is for fields of later versions. */
#define STMT_SMALL_BYTES_MAX 1024u
/* So that a remove, which contains a header, is never too big. */
#define RECORD_HEADER_BYTES_MAX 512u

/*
 * All of *ret_stmt but `member` (zero), `digest` and `refs` (0); `raw` is borrowed.  Errors as
 * stmt_parse(), but for -ENOMEM; ERR_BAD_KEY comes from stmt_member().
 */
int stmt_scan(struct bytes raw, struct stmt *ret_stmt) MUST_CHECK;

/* Fill in `member` from `subject`: a conversion of keys, some 50 us.  ERR_BAD_KEY. */
int stmt_member(struct stmt *s) MUST_CHECK;

/* The hash of one register's content; the signer counts where there is a register for each. */
struct digest_sum digest_of(const struct stmt *stmt);

/* Fill *s from `scanned`, whose member is known; `raw` is room for its bytes. */
void stmt_settle(struct stmt *s, const struct stmt *scanned, uint8_t *raw);

/* A copy on the heap, with its bytes and one reference; NULL when out of memory. */
struct stmt *stmt_keep(const struct mem *m, const struct stmt *scanned) MUST_CHECK;

struct seal {
	enum stmt_kind kind;
	const struct keypair *pair; /* the signer; borrowed, as the mesh */
	const struct key *mesh_public;
};

/* Sign `fields`, put the envelope around them and parse that.  ERR_TOO_BIG, and as stmt_parse(). */
int stmt_seal(const struct mem *m,
              const struct seal *seal,
              const struct writer *fields,
              struct stmt **ret_stmt) MUST_CHECK;

/* The envelope of a statement that was scanned. */
struct envelope stmt_envelope(const struct stmt *s);

/* Per kind: check the fields (and what follows the signature) and fill in the rest of *s. */
int appoint_scan(struct stmt *s, const struct envelope *e) MUST_CHECK;
int revoke_scan(struct stmt *s, const struct envelope *e) MUST_CHECK;
int admission_scan(struct stmt *s, const struct envelope *e) MUST_CHECK;
int expel_scan(struct stmt *s, const struct envelope *e) MUST_CHECK;
int record_scan(struct stmt *s, const struct envelope *e) MUST_CHECK;
int remove_scan(struct stmt *s, const struct envelope *e) MUST_CHECK;

/* The authority of a remove, beyond the owner's signature over the header. */
int remove_verify(const struct stmt *s,
                  const struct envelope *e,
                  const struct key *mesh_public) MUST_CHECK;

#define BODY_HASH_BYTES 24

/* The header that records and removes begin with. */
struct header {
	struct key subject;
	uint64_t counter;
	struct watcher_id watchers[LIMIT_WATCHERS];
	size_t watchers_count;
	uint8_t body_hash[BODY_HASH_BYTES];
};

int header_read(struct bytes fields, struct header *ret_header) MUST_CHECK;

/* Where among the watchers is the one with this key?  -1: nowhere. */
int header_watcher(const struct header *h, const struct key *sign_public);

#endif
