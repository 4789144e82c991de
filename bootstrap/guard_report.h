/* bootstrap/guard_report.h: what the files that write a guard's report share; of this folder alone.
 *
 *   guard_report.c    release, the verdict in words, JSON
 *   guard_text.c      text
 *   guard_findings.c  SARIF, GitHub's annotations
 *   guard_html.c      the page; guard_page.c has its style and its script
 *   guard_words.c     which words of two texts differ
 *
 * Everything foreign (definitions, errors, what commands printed) is sanitised here, and escaped for
 * where it goes. A writer never fails by itself: OUT does, and remembers it. */
#ifndef BOOTSTRAP_GUARD_REPORT_H
#define BOOTSTRAP_GUARD_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "bootstrap/guard.h"

enum {
    GUARD_TEXT_BYTES = 1024 * 1024, /* of one definition, error or output; longer ones are cut */
    GUARD_CLASSES = 3,
};

/* ---- guard_report.c ------------------------------------------------------------------------------- */

/* "semantic", "textual", "cosmetic": the words of --json. */
const char *guard_class_word(enum difference_class class_);

/* One sentence, without a line feed: whether both paths give one schema, and if not, every cause. */
void guard_add_verdict(const struct guard_report *report, struct buf *out);

/* "3 semantic, 1 textual and 2 cosmetic differences, 1 ignored"; "no difference". */
void guard_add_counts(const struct differences *differences, struct buf *out);

/* What came of a path: "done in 2s", "failed after 3s", "did not run". */
void guard_add_outcome(const struct guard_path *path, struct buf *out);

/* "c3, d4"; "none". */
void guard_add_stamp(const struct guard_path *path, struct buf *out);

/* Whether both paths left the same rows, in any order. */
bool guard_stamps_equal(const struct guard_report *report);

/* A piece of text that is not whole fails the whole: OUT fails where PART has. */
void guard_pass_failure(struct buf *out, const struct buf *part);
void guard_add_buf(struct buf *out, const struct buf *part); /* the same, and PART's bytes */

/* ---- guard_words.c --------------------------------------------------------------------------------- */

/* A run of letters, digits and underscores, a run of white space, or one other character. */
struct guard_word {
    const char *start; /* borrowed */
    size_t length;
    bool differs; /* the other side does not have it here */
};

struct guard_words {
    struct guard_word *list;
    size_t count, capacity;
};
#define GUARD_WORDS_INIT ((struct guard_words){0})
#define AUTO_GUARD_WORDS CLEANUP(guard_words_release) struct guard_words
void guard_words_release(struct guard_words *words);

/* Split A and B and mark what differs, as few words as possible; where more than GUARD_WORDS_MAX_EDITS
 * do, everything between the first and the last one. A or B may be NULL: no words on that side, and no
 * marks on the other. Both are the caller's (guard_words_release). -1: no memory, both empty. */
enum { GUARD_WORDS_MAX_EDITS = 1000 };
MUST_USE int guard_words_compare(const char *a, const char *b, struct guard_words *a_words,
                                 struct guard_words *b_words);

/* ---- guard_page.c ---------------------------------------------------------------------------------- */

/* Lines, NULL-terminated. Their hashes are what the page's Content-Security-Policy admits; a test
 * computes them anew. */
extern const char *const guard_page_style[], *const guard_page_script[];
extern const char guard_page_style_hash[], guard_page_script_hash[];

/* ---- guard.c ---------------------------------------------------------------------------------------- */

void guard_memory_free(struct guard_memory *memory); /* NULL is fine */

#endif
