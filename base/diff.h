/* base/diff.h: two texts as a unified diff, for `--check`: what is on disk against what would be
 * written.
 *
 * The lines that are kept are a longest common subsequence (Myers, "An O(ND) Difference Algorithm
 * and Its Variations"), up to DIFF_MAX_EDITS; texts that differ in more are shown as replaced from
 * the first line that differs to the last. Control bytes but the tab, and a
 * carriage return at a line's end, appear as \xHH. */
#ifndef BASE_DIFF_H
#define BASE_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    DIFF_CONTEXT_LINES = 3,
    DIFF_MAX_EDITS = 1000, /* memory grows with its square: 4 MB at most */
};

struct diff_text {
    const char *name; /* behind --- or +++; NULL: /dev/null, the file is not there */
    const char *text;
    size_t length;
};

/* Append the diff from OLD to NEW, with its two header lines; nothing where they are equal. -1: no
 * memory. */
MUST_USE int diff_unified(const struct diff_text *old, const struct diff_text *new, struct buf *out,
                          struct err *err);

#endif
