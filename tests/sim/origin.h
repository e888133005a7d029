/*
 * Who signed what: noted while the key is at hand, so that what hosts believe can be judged without
 * the code that verifies (invariant.c).
 *
 * Process-wide, as crypto.h is.  What real daemons sign behind a gate is not seen.
 */
#ifndef SMEG_TESTS_SIM_ORIGIN_H
#define SMEG_TESTS_SIM_ORIGIN_H

#include "base/bytes.h"
#include "base/key.h"

/* Labels of docs/protocol/statements.md that are noted; others are nobody's business here. */
#define ORIGIN_RECORD "smegmesh record 1"
#define ORIGIN_LEAVE "smegmesh leave 1"
#define ORIGIN_PRUNE "smegmesh prune 1"
#define ORIGIN_ADMISSION "smegmesh admission 1"
#define ORIGIN_EXPEL "smegmesh expel 1"
#define ORIGIN_APPOINT "smegmesh appoint 1"
#define ORIGIN_REVOKE "smegmesh revoke 1"

struct signer;

/* libsodium's secret key signed `message` (label, 0, mesh key, fields). */
void origin_note(const uint8_t sig[SIGNATURE_BYTES],
                 struct bytes message,
                 const uint8_t secret[64]);

/* The one whose key made this signature over these fields; NULL: nobody's did. */
const struct signer *origin_of(const uint8_t sig[SIGNATURE_BYTES],
                               const char *label,
                               struct bytes fields);

const struct key *signer_key(const struct signer *s);   /* Ed25519 */
const struct key *signer_box(const struct signer *s);   /* X25519 */
bool signer_is_mesh(const struct signer *s);            /* a mesh's own key */
bool origin_is_administrator(const struct key *signer); /* a mesh's key has appointed it, ever */

/*
 * A node's step is under way: its records must have ever greater counters.  Returns how many since
 * the last call had not.
 */
void origin_watch_counters(bool watch);
unsigned origin_take_setbacks(void);

/* A new world begins: keys may sign with their first counters again. */
void origin_begin(void);

/* Records that steps have signed so far. */
uint64_t origin_records(void);

#endif
