/*
 * What the node reports, as lines of the log.
 *
 * Its traces have a kind and numbers, no words; a table gives each kind its level.  A device's
 * trouble has words that only the shell saw, so it is told here, once until it changes: the node
 * tries again every few seconds, and the tenth line of a kind says nothing new.
 */
#include "smegd/daemon_priv.h"

#include <stdio.h>
#include <string.h>

static enum log_level level_of(enum trace_kind kind, int err)
{
	switch (kind) {
	case TRACE_MESH_CREATED:
	case TRACE_MESH_JOINED:
	case TRACE_MESH_LEFT:
	case TRACE_MEMBER_IN:
	case TRACE_MEMBER_OUT:
	case TRACE_INVITE_USED:
	case TRACE_SUSPECT:
	case TRACE_ATTESTED:
	case TRACE_ABSTAINED:
	case TRACE_UPLINK_MOVED:
	case TRACE_CARRIER_MOVED:
		return LOG_INFO;
	case TRACE_REFUSED_STATEMENT:
		/* A record overtakes its admission in every join; repair brings both. */
		return err == ERR_NOT_ADMITTED ? LOG_DEBUG : LOG_WARNING;
	case TRACE_CLOCK_OFF:
	case TRACE_LOCATOR_CLASH:
	case TRACE_REFUSED_JOIN:
	case TRACE_REFUTED: /* others could not hear us */
		return LOG_WARNING;
	case TRACE_SESSION_UP:
	case TRACE_SESSION_DOWN:
	case TRACE_DIAL_FAILED:
	case TRACE_DEVICE_ERROR: /* daemon_problem() has told */
	case TRACE_APPLIED:
	case TRACE_REPAIR:
		return LOG_DEBUG;
	}
	return LOG_DEBUG;
}

void daemon_trace(const struct effect *trace)
{
	enum trace_kind kind = trace->u.trace.kind;
	struct log_line l;

	log_begin(&l, level_of(kind, trace->u.trace.err), trace_name(kind), trace->u.trace.mesh,
	          &trace->u.trace.member);
	log_error(&l, trace->u.trace.err);
	if (trace->u.trace.number)
		log_number(&l, "number", (int64_t)trace->u.trace.number);
	log_end(&l);
}

static const char *const op_names[] = {
	[OP_LINK_ADD] = "link-add",       [OP_LINK_DEL] = "link-del",
	[OP_LINK_MTU] = "link-mtu",       [OP_LINK_UP] = "link-up",
	[OP_DEVICE_KEY] = "device-key",   [OP_DEVICE_PORT] = "device-port",
	[OP_PEER_SET] = "peer-set",       [OP_PEER_DEL] = "peer-del",
	[OP_ADDRESS_ADD] = "address-add", [OP_ADDRESS_DEL] = "address-del",
	[OP_ROUTE_ADD] = "route-add",     [OP_ROUTE_DEL] = "route-del",
};

/* Which operations, each kind once with how many of it; never what is in them. */
void daemon_trace_plan(const char *device, const char *mesh, const struct plan *plan)
{
	int64_t counts[ARRAY_LEN(op_names)] = { 0 };
	struct log_line l;

	for (size_t i = 0; i < plan->count; i++)
		counts[plan->ops[i].kind]++;
	log_begin(&l, LOG_DEBUG, "apply", mesh, NULL);
	log_text(&l, "device", device);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (counts[i])
			log_number(&l, op_names[i], counts[i]);
	log_end(&l);
}

void daemon_problem(struct daemon *d, const char *device, const char *mesh, const struct diag *diag)
{
	bool is_new = strcmp(d->problem, diag->text) != 0;
	struct log_line l;

	snprintf(d->problem, sizeof(d->problem), "%s", diag->text);
	log_begin(&l, is_new ? LOG_WARNING : LOG_DEBUG, "device-problem", mesh, NULL);
	log_text(&l, "device", device);
	log_text(&l, "text", diag->text);
	if (diag->hint[0])
		log_text(&l, "hint", diag->hint);
	log_end(&l);
}
