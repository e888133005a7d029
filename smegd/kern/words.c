/*
 * Words for people about what the kernel refused: what was tried, on what, why, and what helps.
 */
#include "smegd/kern/words_priv.h"

#include <errno.h>
#include <stdio.h>

enum subject {
	NOTHING,
	A_PORT,
	A_PEER,
	AN_ADDRESS,
	A_ROUTE
};

static const struct {
	const char *verb;
	enum subject subject;
} phrases[] = {
	[OP_LINK_ADD] = { "make the device", NOTHING },
	[OP_LINK_DEL] = { "remove the device", NOTHING },
	[OP_LINK_MTU] = { "set the MTU", NOTHING },
	[OP_LINK_UP] = { "bring the device up", NOTHING },
	[OP_DEVICE_KEY] = { "set the private key", NOTHING },
	[OP_DEVICE_PORT] = { "set the UDP port ", A_PORT },
	[OP_PEER_SET] = { "set the peer ", A_PEER },
	[OP_PEER_DEL] = { "remove the peer ", A_PEER },
	[OP_ADDRESS_ADD] = { "add the address ", AN_ADDRESS },
	[OP_ADDRESS_DEL] = { "remove the address ", AN_ADDRESS },
	[OP_ROUTE_ADD] = { "add the route ", A_ROUTE },
	[OP_ROUTE_DEL] = { "remove the route ", A_ROUTE },
};

#define SUBJECT_BYTES PREFIX_TEXT_BYTES

static void subject_text(const struct op *op, enum subject subject, char out[SUBJECT_BYTES])
{
	struct prefix p = { .addr = op->address.addr, .bits = op->address.bits };

	out[0] = 0;
	switch (subject) {
	case NOTHING:
		break;
	case A_PORT:
		snprintf(out, SUBJECT_BYTES, "%u", op->port);
		break;
	case A_PEER:
		key_text(&op->peer.key, out);
		break;
	case AN_ADDRESS:
		prefix_text(&p, out);
		break;
	case A_ROUTE:
		prefix_text(&op->route.to, out);
		break;
	}
}

static void hint_permission(struct diag *diag)
{
	diag_hint(diag, "run smegd as root or with CAP_NET_ADMIN");
}

int words_for_op(struct diag *diag, const struct op *op, const char *name, int err)
{
	bool is_port = op->kind == OP_DEVICE_PORT || op->kind == OP_LINK_UP;
	char subject[SUBJECT_BYTES];

	if (err == -EADDRINUSE && is_port)
		err = ERR_PORT_IN_USE;
	if (!diag || diag->text[0])
		return err;
	subject_text(op, phrases[op->kind].subject, subject);
	diag_set(diag, err, "%s: cannot %s%s: %s", name, phrases[op->kind].verb, subject,
	         err_text(err));
	if (err == -EPERM)
		hint_permission(diag);
	if (err == ERR_PORT_IN_USE)
		diag_hint(diag, "choose another port, or see who has it: ss -ulpn");
	return err;
}

int words_for_permission(struct diag *diag)
{
	diag_set(diag, -EPERM, "cannot configure network devices: %s", err_text(-EPERM));
	hint_permission(diag);
	return -EPERM;
}
