#include "smegd/core/node_priv.h"
void beat_start(struct step *st, struct mesh *m)
{
	(void)st;
	(void)m;
}
void beat_end(struct mesh *m)
{
	(void)m;
}
void beat_member(struct step *st, struct mesh *m, const struct entry *e)
{
	(void)st;
	(void)m;
	(void)e;
}
void beat_session_down(struct step *st, const struct session *s)
{
	(void)st;
	(void)s;
}
void beat_message(struct step *st, struct session *s, const struct msg *msg)
{
	(void)st;
	(void)s;
	(void)msg;
}
void beat_tick(struct step *st, struct mesh *m)
{
	(void)st;
	(void)m;
}
int64_t beat_deadline(const struct mesh *m)
{
	(void)m;
	return TIME_NEVER;
}
bool beat_is_fresh(const struct mesh *m, struct instant now)
{
	(void)m;
	(void)now;
	return true;
}
