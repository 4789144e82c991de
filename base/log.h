/* base/log.h: lines for people and machines on stderr, sanitised and redacted at the sink.
 *
 * Text: `level message key=value ...`; JSON: an object per line with ts, level, msg and the keys.
 * Folders below agent/ use it for what happens on the way (a wait, a notice of the server, a
 * warning); results are printed by agent/ alone, and errors are returned, not logged. Never blocks
 * for good: a line that stderr does not take is dropped and counted. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_format format, enum log_level least, bool color);
bool log_enabled(enum log_level level);

/* While ON no line is waited for, where a line may be for a fifth of a second: for a loop in which
 * somebody else's signals wait. */
void log_hurry(bool on);

/* Message, then pairs of key and value, then NULL. A NULL value leaves its key out. */
void log_line(enum log_level level, const char *message, ...) SENTINEL;

/* `error <text>` with the hint on a line of its own; code, kind, sqlstate, file, line in JSON. */
void log_err(const struct err *err, int exit_code);

/* As log_line for one formatted message without keys. */
void log_msg(enum log_level level, const char *format, ...) PRINTF(2, 3);

uint64_t log_dropped(void); /* lines that stderr did not take, since the process began */

/* What takes long says what it is doing: at once after two seconds, then each ten seconds (on a
 * terminal a line that is rewritten). *state is a caller's zeroed struct. */
struct log_progress {
    long long started_ms, said_ms;
    bool on_line;
};
void log_progress(struct log_progress *p, const char *format, ...) PRINTF(2, 3);

/* When the next line of it would be shown, on base/clock.h's clock, for who waits and has nothing to say
 * it on; CLOCK_NEVER: before the first log_progress, or when the level shows none. */
int64_t log_progress_due_ms(const struct log_progress *p);
void log_progress_end(struct log_progress *p);

#endif
