/* tests/lib/unit.h: what every unit test shares. Include it first: cmocka needs its four headers in
 * this order. */
#ifndef TESTS_LIB_UNIT_H
#define TESTS_LIB_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void assert_text_has(const char *text, const char *part);
void assert_text_lacks(const char *text, const char *part);

/* Skip a test that measures memory where valgrind would be what is measured (tests/lib/valgrind.sh). */
void skip_under_valgrind(void);

/* "SigIgn:\t...\n" of this process: whoever started the tests may have had signals ignored (a shell does
 * for what it puts into the background). Valid until the next call. */
const char *ignored_signals(void);

/* The largest resident size of this program, in KiB. (getrusage's counts what it was before its exec,
 * too: that of whoever started it.) */
long peak_kib(void);

#endif
