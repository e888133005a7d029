#ifndef SMEG_TESTS_UNIT_UNIT_H
#define SMEG_TESTS_UNIT_UNIT_H

/* cmocka 1.1.5 needs these before it, in this order; a sorting formatter must not touch them. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
