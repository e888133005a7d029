/*
 * A name service for tests: this program's getaddrinfo() answers for some names itself, so that no
 * test asks the network.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_NET_NAMES_H
#define SMEG_TESTS_UNIT_SMEGD_NET_NAMES_H

#include "tests/unit/unit.h"

/*
 * "*.stuck" hangs until names_release(); "two.test" is ::1, then 127.0.0.1; "one.test" is
 * 127.0.0.1; "later.test" fails with EAI_AGAIN; "many.test" is 127.0.0.1 to 127.0.0.9.
 */
void names_block(void);
void names_release(void); /* and waits until nobody hangs any more */

/* How many hang now. */
unsigned names_stuck(void);

#endif
