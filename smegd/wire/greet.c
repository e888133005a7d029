/*
 * The payloads of the handshake: versions, capabilities, clocks, an invite.
 *
 * They are read before it is known whether this version understands the sender at all, therefore
 * the form may never change: tags and lengths, nothing else.  Protobuf was rejected here: it
 * allocates, and what a stranger with a stolen invite can make us do before he is admitted should
 * fit on one page.
 *
 * A table says for each tag how long its value may be; the rest is a switch.  A field that must be
 * there and is not, or that is there twice, makes the whole malformed.
 *
 * The timestamp guards against replay and so must grow even when the sender's clock was set back;
 * the clock is what is compared with ours.  Mostly they are the same.
 */
#include "smegd/wire/greet.h"

#include "base/err.h"

#include <assert.h>
#include <string.h>

enum hello_tag {
	HELLO_VERSIONS = 1,
	HELLO_CAPABILITIES = 2,
	HELLO_TIMESTAMP = 3,
	HELLO_CLOCK = 4,
	HELLO_INVITE = 5,
	HELLO_PROOF = 6,
	HELLO_JOINER = 7,
	HELLO__COUNT
};

enum welcome_tag {
	WELCOME_ERROR = 1,
	WELCOME_VERSION = 2,
	WELCOME_CAPABILITIES = 3,
	WELCOME_CLOCK = 4,
	WELCOME__COUNT
};

/* Lengths of a tag's value; max 0: a tag that we don't know. */
struct span {
	uint16_t min;
	uint16_t max;
};

static const struct span hello_spans[HELLO__COUNT] = {
	[HELLO_VERSIONS] = { 4, 4 },
	[HELLO_CAPABILITIES] = { 8, 8 },
	[HELLO_TIMESTAMP] = { 8, 8 },
	[HELLO_CLOCK] = { 8, 8 },
	[HELLO_INVITE] = { 1, INVITE_LIMITS_BYTES_MAX },
	[HELLO_PROOF] = { SIGNATURE_BYTES, SIGNATURE_BYTES },
	[HELLO_JOINER] = { KEY_BYTES, KEY_BYTES },
};

static const struct span welcome_spans[WELCOME__COUNT] = {
	[WELCOME_ERROR] = { 2, 2 },
	[WELCOME_VERSION] = { 2, 2 },
	[WELCOME_CAPABILITIES] = { 8, 8 },
	[WELCOME_CLOCK] = { 8, 8 },
};

#define BIT(tag) (1u << (tag))

/* One payload under way: its table, and the fields by tag. */
struct fields {
	const struct span *spans;
	unsigned count; /* tags in the table */
	struct bytes value[HELLO__COUNT];
	unsigned seen;
};

_Static_assert((unsigned)WELCOME__COUNT <= (unsigned)HELLO__COUNT, "both fit into struct fields");

static void write_head(struct writer *w, unsigned tag, size_t bytes)
{
	write_u8(w, (uint8_t)tag);
	write_u16(w, (uint16_t)bytes);
}

static void write_u64_field(struct writer *w, unsigned tag, uint64_t v)
{
	write_head(w, tag, 8);
	write_u64(w, v);
}

static void write_u16_field(struct writer *w, unsigned tag, uint16_t v)
{
	write_head(w, tag, 2);
	write_u16(w, v);
}

static void write_copy_field(struct writer *w, unsigned tag, struct bytes value)
{
	write_head(w, tag, value.count);
	write_copy(w, value.at, value.count);
}

static int read_field(struct reader *r, unsigned *last, struct fields *f)
{
	unsigned tag = read_u8(r);
	struct bytes value = read_bytes(r, read_u16(r));

	if (r->err)
		return r->err;
	if (tag <= *last)
		return ERR_MALFORMED;
	*last = tag;
	if (tag >= f->count)
		return 0;
	if (value.count < f->spans[tag].min || value.count > f->spans[tag].max)
		return ERR_MALFORMED;
	f->value[tag] = value;
	f->seen |= BIT(tag);
	return 0;
}

static int read_fields(struct bytes src, struct fields *f)
{
	struct reader r;
	unsigned last = 0;
	int err = 0;

	reader_init(&r, src);
	while (!err && reader_left(&r) > 0)
		err = read_field(&r, &last, f);
	return err;
}

static uint64_t field_u64(const struct fields *f, unsigned tag)
{
	struct reader r;

	reader_init(&r, f->value[tag]);
	return f->seen & BIT(tag) ? read_u64(&r) : 0;
}

static uint16_t field_u16(const struct fields *f, unsigned tag, size_t skip)
{
	struct reader r;

	reader_init(&r, f->value[tag]);
	read_bytes(&r, skip);
	return f->seen & BIT(tag) ? read_u16(&r) : 0;
}

static void field_copy(const struct fields *f, unsigned tag, void *out, size_t bytes)
{
	assert(f->seen & BIT(tag));
	assert(f->value[tag].count == bytes);
	memcpy(out, f->value[tag].at, bytes);
}

void greet_hello_write(const struct greet_hello *g, struct writer *w)
{
	write_head(w, HELLO_VERSIONS, 4);
	write_u16(w, g->version_min);
	write_u16(w, g->version_max);
	write_u64_field(w, HELLO_CAPABILITIES, g->capabilities);
	write_u64_field(w, HELLO_TIMESTAMP, g->timestamp_ms);
	write_u64_field(w, HELLO_CLOCK, g->clock_ms);
	if (!g->has_invite)
		return;
	write_copy_field(w, HELLO_INVITE, g->invite);
	write_copy_field(w, HELLO_PROOF,
	                 (struct bytes){ .at = g->proof.b, .count = SIGNATURE_BYTES });
	write_copy_field(w, HELLO_JOINER, (struct bytes){ .at = g->joiner.b, .count = KEY_BYTES });
}

void greet_welcome_write(const struct greet_welcome *g, struct writer *w)
{
	write_u16_field(w, WELCOME_ERROR, greet_error_number(g->err));
	write_u16_field(w, WELCOME_VERSION, g->version);
	write_u64_field(w, WELCOME_CAPABILITIES, g->capabilities);
	write_u64_field(w, WELCOME_CLOCK, g->clock_ms);
}

int greet_hello_read(struct bytes src, struct greet_hello *ret_g)
{
	const unsigned always = BIT(HELLO_VERSIONS) | BIT(HELLO_TIMESTAMP);
	const unsigned joining = BIT(HELLO_INVITE) | BIT(HELLO_PROOF) | BIT(HELLO_JOINER);
	struct fields f = { .spans = hello_spans, .count = HELLO__COUNT };
	struct greet_hello g = { 0 };
	int err = read_fields(src, &f);

	if (err)
		return err;
	if ((f.seen & always) != always || ((f.seen & joining) && (f.seen & joining) != joining))
		return ERR_MALFORMED;
	g.version_min = field_u16(&f, HELLO_VERSIONS, 0);
	g.version_max = field_u16(&f, HELLO_VERSIONS, 2);
	g.capabilities = field_u64(&f, HELLO_CAPABILITIES);
	g.timestamp_ms = field_u64(&f, HELLO_TIMESTAMP);
	g.clock_ms = f.seen & BIT(HELLO_CLOCK) ? field_u64(&f, HELLO_CLOCK) : g.timestamp_ms;
	if (g.version_min > g.version_max || g.timestamp_ms > GREET_TIME_MAX ||
	    g.clock_ms > GREET_TIME_MAX)
		return ERR_MALFORMED;
	g.has_invite = f.seen & joining;
	if (g.has_invite) {
		g.invite = f.value[HELLO_INVITE];
		field_copy(&f, HELLO_PROOF, g.proof.b, SIGNATURE_BYTES);
		field_copy(&f, HELLO_JOINER, g.joiner.b, KEY_BYTES);
	}
	*ret_g = g;
	return 0;
}

int greet_welcome_read(struct bytes src, struct greet_welcome *ret_g)
{
	const unsigned always = BIT(WELCOME_ERROR) | BIT(WELCOME_VERSION) | BIT(WELCOME_CLOCK);
	struct fields f = { .spans = welcome_spans, .count = WELCOME__COUNT };
	struct greet_welcome g = { 0 };
	int err = read_fields(src, &f);

	if (err)
		return err;
	if ((f.seen & always) != always)
		return ERR_MALFORMED;
	g.err = greet_error_from(field_u16(&f, WELCOME_ERROR, 0));
	g.version = field_u16(&f, WELCOME_VERSION, 0);
	g.capabilities = field_u64(&f, WELCOME_CAPABILITIES);
	g.clock_ms = field_u64(&f, WELCOME_CLOCK);
	if (g.clock_ms > GREET_TIME_MAX)
		return ERR_MALFORMED;
	*ret_g = g;
	return 0;
}

uint16_t greet_version(const struct greet_hello *theirs, uint16_t min, uint16_t max)
{
	uint16_t low = MAX_OF(theirs->version_min, min);
	uint16_t high = MIN_OF(theirs->version_max, max);

	return low <= high ? high : 0;
}

uint16_t greet_error_number(int err)
{
	if (err == 0)
		return 0;
	/* What the system said to us is nobody else's business. */
	if (err > ERR_MALFORMED || err < ERR_INTERNAL)
		err = ERR_INTERNAL;
	return (uint16_t)-err;
}

int greet_error_from(uint64_t number)
{
	if (number == 0)
		return 0;
	if (number < (uint64_t)-ERR_MALFORMED || number > (uint64_t)-ERR_INTERNAL)
		return ERR_INTERNAL;
	return -(int)number;
}
