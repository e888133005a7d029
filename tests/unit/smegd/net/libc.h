/*
 * What tests replace of the C library, for everything in the program, nng too: a name service that
 * asks no network, and a connect() that is slow.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_NET_LIBC_H
#define SMEG_TESTS_UNIT_SMEGD_NET_LIBC_H

#include "tests/unit/unit.h"

#include <stdbool.h>

/*
 * "*.stuck" hangs until names_release(); "two.test" is ::1, then 127.0.0.1; "one.test" is
 * 127.0.0.1; "later.test" fails with EAI_AGAIN; "many.test" is 127.0.0.1 to 127.0.0.9.
 */
void names_block(void);
void names_release(void); /* and waits until nobody hangs any more */

/* How many hang now. */
unsigned names_stuck(void);

/*
 * connect() waits a little before it begins.  That is time enough for nng's poller to see a socket
 * that is not connecting yet, and to take it for connected afterwards (smegd/net/link.c).
 */
void connect_slowly(bool slowly);

#endif
