/*
 * Sketches: find out in what two sets of 48-bit items differ, at a cost that goes by the
 * difference and not by the sets.  A rateless invertible Bloom lookup table.
 *
 * A set has one endless sequence of symbols under a key.  The sender gives any part of it, keeping
 * nothing in between; the receiver takes parts in order until it knows the difference, which takes
 * some 1.4 symbols per item that differs (more for few), whatever the size of the sets.
 *
 * Both ends use one secret key per session.  Members that do not know it cannot choose statements
 * that spoil the sketches of others; the peer of the session can, and gets SKETCH_FAILED or a list
 * of items that do not exist, for a bounded amount of our work.
 */
#ifndef SMEG_CRDT_SKETCH_H
#define SMEG_CRDT_SKETCH_H

#include "base/bytes.h"
#include "base/limits.h"

struct mem;
struct sketch_decoder;

#define SKETCH_KEY_BYTES 16
#define SKETCH_DIGEST_BYTES 16

/* What a part of `count` symbols takes on the wire at most. */
#define SKETCH_HEAD_BYTES_MAX 8u
#define SKETCH_SYMBOL_BYTES_MAX 14u
#define SKETCH_BYTES_MAX(count) (SKETCH_HEAD_BYTES_MAX + (count)*SKETCH_SYMBOL_BYTES_MAX)

struct sketch_key {
	uint8_t b[SKETCH_KEY_BYTES];
};

/* A set to be compared: distinct items, in any order.  Borrowed wherever it is passed. */
struct sketch_set {
	const uint64_t *items; /* of SKETCH_ITEM_BITS */
	size_t count;          /* <= LIMIT_SKETCH_ITEMS (asserted) */
};

#define SKETCH_ITEM_BITS 48u
#define SKETCH_CHECK_BITS 24u

struct sketch_symbol {
	uint64_t items;  /* exclusive or of the items in it: SKETCH_ITEM_BITS */
	uint32_t checks; /* of their checks: SKETCH_CHECK_BITS */
	int32_t count;   /* how many */
};

/* Symbols from .. from + count - 1 of a set. */
struct sketch_part {
	uint32_t total; /* items in the set: also the count of symbol 0 */
	uint32_t from;  /* from + count <= LIMIT_SKETCH_INDEX */
	uint32_t count; /* 1 .. LIMIT_SKETCH_SYMBOLS */
	struct sketch_symbol *symbols;
};

enum sketch_state {
	SKETCH_MORE = 1,   /* further symbols are needed */
	SKETCH_DONE = 2,   /* the difference is known */
	SKETCH_FAILED = 3, /* contradictory, or too large a difference: repair by other means */
};

/* Known when the state is SKETCH_DONE; belongs to the decoder. */
struct sketch_difference {
	const uint64_t *theirs; /* items that only they have, ascending */
	size_t theirs_count;
	const uint32_t *ours; /* places in our set of the items that only we have, ascending */
	size_t ours_count;
};

/* The item that stands for a statement (or whatever has a digest that nobody can collide). */
uint64_t sketch_item(const struct sketch_key *key, const uint8_t digest[SKETCH_DIGEST_BYTES]);

/*
 * Write the symbols of `set` that `part` names by from and count into part->symbols, and the total.
 * part->count may be anything up to LIMIT_SKETCH_INDEX here; the bounds are asserted.
 *
 * The same bytes on every machine.  Per item one SipHash and some 2 ln(from + count) steps: what
 * came before `from` is walked over again.
 */
void sketch_make(const struct sketch_key *key,
                 const struct sketch_set *set,
                 struct sketch_part *part);

/* An error stays in `w`; some 10 bytes per symbol, SKETCH_BYTES_MAX(count) at most. */
void sketch_write(const struct sketch_part *part, struct writer *w);

/*
 * Read a part to the end of `src`.
 *
 * symbols   filled; ret_part->symbols then points to it.  `cap` is in symbols.
 * Returns 0; ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_BIG (a limit, or more than `cap`).
 */
int sketch_read(struct bytes src,
                struct sketch_symbol *symbols,
                size_t cap,
                struct sketch_part *ret_part) MUST_CHECK;

/*
 * A decoder that compares `ours` with a set whose symbols it will be given, max_symbols of them at
 * most (1 .. LIMIT_SKETCH_INDEX, asserted).  `m` and the items of `ours` are borrowed until
 * sketch_decoder_free().  It never holds more than 256 bytes and 100 per symbol of the
 * budget. Returns 0 or -ENOMEM.
 */
int sketch_decoder_new(const struct mem *m,
                       const struct sketch_key *key,
                       const struct sketch_set *ours,
                       size_t max_symbols,
                       struct sketch_decoder **ret_decoder) MUST_CHECK;
void sketch_decoder_free(struct sketch_decoder *d); /* NULL is fine */

/* Symbols taken so far: where the next part has to begin. */
uint32_t sketch_received(const struct sketch_decoder *d);

/*
 * Take the next part.  What is beyond the budget is not looked at.  A part that does not begin
 * where the last one ended, or has another total, fails the decoder: the other set has changed.
 * Once done or failed, the state stays and parts are ignored.
 *
 * Costs some 2 ln(symbols) steps per symbol of all parts together, and sketch_make() of `ours` each
 * time that the number of symbols doubles, however the peer cuts its parts.
 * Returns 0 with *ret_state set, or -ENOMEM.
 */
int sketch_decode(struct sketch_decoder *d,
                  const struct sketch_part *part,
                  enum sketch_state *ret_state) MUST_CHECK;

/* Only after SKETCH_DONE (asserted). */
struct sketch_difference sketch_difference(const struct sketch_decoder *d);

#endif
