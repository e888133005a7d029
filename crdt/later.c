#include "crdt/later.h"
#include "crdt/set_priv.h"
#include "crdt/stmt_priv.h"
void stmt_digest16(const struct stmt *s, uint8_t out[16])
{
	struct digest_sum sum = digest_of(s);
	digest_bytes(&sum, out);
}
int set_visit_all(const struct set *s, set_visit *visit, void *ctx)
{
	const struct entry *e;
	int err = set_visit_member(s, NULL, visit, ctx);
	for (size_t i = 0; !err && (e = set_at(s, i)); i++)
		err = set_visit_member(s, &e->member, visit, ctx);
	return err;
}
