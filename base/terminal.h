/* base/terminal.h: a secret typed at the terminal, without echo. */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

/* A longer line is cut by the terminal itself; here it is an error. */
enum { TERMINAL_LINE_BYTES = 4094 };

/* Ask for WHAT ("the passphrase of 'office'") at the controlling terminal, whatever stdin and
 * stderr are, and take the line that is typed. The echo is back on every way out: signals that
 * would end or stop the process wait for that. With TWICE the line is asked for again and both have
 * to be the same. Errors: ERR_USAGE (no terminal, nothing typed, too long, not the same),
 * ERR_STOPPED, ERR_RESOURCE. */
MUST_USE int terminal_ask(const char *what, bool twice, int64_t deadline_ms, struct secret *out,
                          struct err *err);

#endif
