/*
 * Rings: the members in the order of their keys, clockwise from the top, so that the pictures of
 * two hosts can be laid beside each other.
 *
 * A ring of a thousand would be all rim, so beyond a number they fill a disc: one in the middle,
 * and ring k holds 6k, which is what fits at equal distances.
 *
 * Angles are fractions of a turn in integers, and sine is Bhaskara's approximation (7th century),
 * off by less than 0.17 %: libm is not the same on every machine, and a picture must be.
 */
#include "api/model/layout.h"

#include <assert.h>

#define FEW_MAX 16
#define RING_MAX 120
#define HALF_TURN (1 << 16)
#define SCALE 10000

/* `angle` in HALF_TURNs, [0, 2 * HALF_TURN). */
static int32_t sine(int64_t angle)
{
	int64_t x = angle % HALF_TURN;
	int64_t p = x * (HALF_TURN - x);
	int64_t value = 16 * p * SCALE / (5 * (int64_t)HALF_TURN * HALF_TURN - 4 * p);

	return (int32_t)(angle < HALF_TURN ? value : -value);
}

static int64_t angle_of(size_t at, size_t of)
{
	return (int64_t)(at % of) * 2 * HALF_TURN / (int64_t)of;
}

int32_t turn_sin(size_t at, size_t of)
{
	return sine(angle_of(at, of));
}

int32_t turn_cos(size_t at, size_t of)
{
	return sine((angle_of(at, of) + HALF_TURN / 2) % (2 * HALF_TURN));
}

/* Rings around the middle that `count` members need: 1 + 6 + 12 + ... + 6k. */
static size_t disc_rings(size_t count)
{
	size_t rings = 0;

	while (1 + 3 * rings * (rings + 1) < count)
		rings++;
	return rings;
}

#define DISC_STEP 440

void layout_init(struct layout *l, size_t count)
{
	int32_t n = (int32_t)count;

	*l = (struct layout){ .count = count };
	if (count <= FEW_MAX) {
		l->kind = LAYOUT_FEW;
		l->radius = count > 1 ? 1100 + 120 * n : 0;
		l->node = 170;
	} else if (count <= RING_MAX) {
		l->kind = LAYOUT_RING;
		l->radius = MAX_OF(1800, n * 160 * 100 / 628);
		l->node = 65;
	} else {
		l->kind = LAYOUT_DISC;
		l->radius = (int32_t)disc_rings(count) * DISC_STEP;
		l->node = 75;
	}
}

static struct point on_ring(int32_t radius, size_t at, size_t of)
{
	return (struct point){
		.x = (int32_t)((int64_t)radius * turn_sin(at, of) / SCALE),
		.y = (int32_t)(-(int64_t)radius * turn_cos(at, of) / SCALE),
	};
}

struct point layout_at(const struct layout *l, size_t index)
{
	size_t ring = 0;
	size_t first = 0; /* index of the ring's first */

	assert(index < l->count);
	if (l->kind != LAYOUT_DISC)
		return on_ring(l->radius, index, l->count);
	while (index >= first + (ring > 0 ? 6 * ring : 1)) {
		first += ring > 0 ? 6 * ring : 1;
		ring++;
	}
	if (ring == 0)
		return (struct point){ 0, 0 };
	/* The last ring may not be full; its members spread over all of it. */
	return on_ring((int32_t)ring * DISC_STEP, index - first,
	               MIN_OF(6 * ring, l->count - first));
}
