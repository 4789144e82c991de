/* base/str.h: numbers, durations, globs, quoting, nearest name. None of it allocates unless said. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* A whole decimal number, the whole text: 0, or -1 for anything else or out of range. */
MUST_USE int str_to_int64(const char *text, size_t length, int64_t *out);

/* "500ms", "30s", "5m", "2h", "30d", "1w"; sums such as "1h30m" too. No unit: -1. Unit: ms. */
MUST_USE int str_to_duration(const char *text, size_t length, int64_t *out_ms);
void str_add_duration(struct buf *b, int64_t ms); /* "1h30m", "250ms", "0s", "-5s" */

/* Go's durations for Vault's variables: a bare number is seconds, "1.5h", "300us", and "1d" as Vault
 * itself adds. Unit: ms, rounded up so that what is not 0 does not become 0. Negative: -1. */
MUST_USE int str_to_go_duration(const char *text, size_t length, int64_t *out_ms);

/* Go's strconv.ParseBool: 1, t, T, TRUE, true, True, 0, f, F, FALSE, false, False. */
MUST_USE int str_to_go_bool(const char *text, bool *out);

/* Shell glob on the whole text: `*` any bytes, `?` one byte, `[a-z]`, `[!a-z]`, `\` quotes; a `[`
 * that is not closed stands for itself. No backtracking beyond the last `*`: the time is at most the
 * product of both lengths, for any pattern. */
bool str_glob(const char *pattern, const char *text, size_t length);
/* The same in at most *STEPS_LEFT steps, which are taken off it. Where they run out it is 0, and the
 * answer false, which says nothing. */
bool str_glob_within(const char *pattern, const char *text, size_t length, uint64_t *steps_left);

/* Damerau-Levenshtein nearest of NAMES (NULL-terminated), or NULL when none is near enough to be
 * worth proposing (more than a third of NAME's letters would have to change). Upper and lower case
 * are the same letter; names of more than STR_NEAREST_BYTES are not looked at. */
enum { STR_NEAREST_BYTES = 128 };
const char *str_nearest(const char *name, const char *const *names);

/* ASCII white space off both ends, in place of copying: sets *start and *length. */
void str_trim(const char **start, size_t *length);

/* RFC 3986: the unreserved characters stay, any other byte becomes %HH. */
void str_add_percent(struct buf *b, const char *bytes, size_t length);
/* -1: a bad escape, and nothing is added. */
MUST_USE int str_percent_decode(struct buf *b, const char *bytes, size_t length);
void str_add_base64(struct buf *b, const void *bytes, size_t length);
/* Standard or URL alphabet, padding optional; *bytes decoded. -1: not base64. */
MUST_USE int str_base64_length(const char *text, size_t length, size_t *decoded);
/* A JSON string (RFC 8259) with its quotes; each byte that is not UTF-8 becomes U+FFFD. */
void str_add_json(struct buf *b, const char *bytes, size_t length);
/* One word for sh: as it is, or '...' where needed. */
void str_add_shell(struct buf *b, const char *bytes, size_t length);
/* Foreign bytes for people: C0, DEL, C1, invalid UTF-8 and bidirectional controls become \xHH. */
void str_add_sanitised(struct buf *b, const char *bytes, size_t length);

/* The same, a character at a time into the caller's array, for where there is no buffer. Returns how
 * many of the LENGTH (at least 1) bytes were read; *piece_length are in PIECE, without a NUL. */
enum { STR_PIECE_BYTES = 12 }; /* three bytes as \xHH */
size_t str_sanitise_step(const char *bytes, size_t length, char piece[static STR_PIECE_BYTES],
                         size_t *piece_length);

/* The length of the valid UTF-8 sequence at S (at most N bytes), 0 where it is not one. */
size_t str_utf8(const char *s, size_t n);
/* A code point, up to U+10FFFF, as UTF-8 (a surrogate too, which is none), without a NUL. How many bytes
 * that took: 4 at most. */
size_t str_put_utf8(uint32_t point, char *out);
int str_hex_digit(char c); /* 0 to 15, -1: it is none */
/* Whether WORD is in the LENGTH bytes of TEXT, in capitals or not (ASCII). */
bool str_has_word(const char *text, size_t length, const char *word);

#endif
