/* bootstrap/guard_words.c: which words of two texts differ.
 *
 * The shortest edit script after E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986):
 * for each number of edits D, how far along A one comes on each diagonal K (words of A less words of
 * B). All rows are kept to walk back along them, so memory grows with the square of what differs, not
 * with the texts: at most GUARD_WORDS_MAX_EDITS squared numbers. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "bootstrap/guard_report.h"

void guard_words_release(struct guard_words *words)
{
    free(words->list);
    *words = GUARD_WORDS_INIT;
}

/* ---- splitting ------------------------------------------------------------------------------------ */

enum word_class { WORD_NAME, WORD_SPACE, WORD_OTHER };

/* Bytes of UTF-8 sequences count as letters: a character is never cut. */
static enum word_class class_of(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
        (unsigned char)c >= 0x80)
        return WORD_NAME;
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' ? WORD_SPACE : WORD_OTHER;
}

static int split(const char *text, struct guard_words *words)
{
    while (text && *text) {
        enum word_class class_ = class_of(*text);
        size_t length = 1;
        while (class_ != WORD_OTHER && text[length] && class_of(text[length]) == class_)
            length++;
        if (mem_grow(&words->list, words->count, &words->capacity, sizeof *words->list) != 0)
            return -1;
        words->list[words->count++] = (struct guard_word){.start = text, .length = length};
        text += length;
    }
    return 0;
}

static bool same(const struct guard_word *a, const struct guard_word *b)
{
    return a->length == b->length && memcmp(a->start, b->start, a->length) == 0;
}

/* ---- the shortest way from one to the other ---------------------------------------------------------- */

/* The words between what both texts begin and end with. */
struct middle {
    struct guard_word *a, *b;
    int32_t a_count, b_count;
};

/* Row D has the furthest place in A on the diagonals -D, -D+2, ... D: D + 1 numbers, the rows one
 * behind the other. */
static size_t row_start(int32_t d)
{
    return (size_t)d * (size_t)(d + 1) / 2;
}

static int32_t *row_at(int32_t *rows, int32_t d, int32_t k)
{
    return &rows[row_start(d) + (size_t)((k + d) / 2)];
}

/* Whether the last edit on diagonal K of row D took a word in from B (else one out of A). */
static bool came_from_b(int32_t *rows, int32_t d, int32_t k)
{
    return k == -d || (k != d && *row_at(rows, d - 1, k - 1) < *row_at(rows, d - 1, k + 1));
}

/* Where row D begins on diagonal K: behind the last edit. */
static int32_t place_after_edit(int32_t *rows, int32_t d, int32_t k)
{
    if (d == 0)
        return 0;
    if (came_from_b(rows, d, k))
        return *row_at(rows, d - 1, k + 1);
    return *row_at(rows, d - 1, k - 1) + 1;
}

/* Fill row D. Whether it reaches the end of both. A place beyond an end stays where it is. */
static bool fill_row(const struct middle *m, int32_t *rows, int32_t d)
{
    for (int32_t k = -d; k <= d; k += 2) {
        int32_t x = place_after_edit(rows, d, k), y = x - k;
        while (x < m->a_count && y < m->b_count && same(&m->a[x], &m->b[y])) {
            x++;
            y++;
        }
        *row_at(rows, d, k) = x;
        if (x >= m->a_count && y >= m->b_count)
            return true;
    }
    return false;
}

/* Back from the end of row D, marking each edit. */
static void mark_edits(const struct middle *m, int32_t *rows, int32_t d)
{
    int32_t k = m->a_count - m->b_count;
    for (; d > 0; d--) {
        int32_t x = place_after_edit(rows, d, k);
        bool from_b = came_from_b(rows, d, k);
        if (from_b && x - k - 1 < m->b_count)
            m->b[x - k - 1].differs = true;
        else if (!from_b && x - 1 < m->a_count)
            m->a[x - 1].differs = true;
        k += from_b ? 1 : -1;
    }
}

static void mark_all(struct guard_word *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words[i].differs = true;
}

/* Rows grow as they are needed: most texts differ in a few words. */
static int mark_middle(const struct middle *m)
{
    int32_t *rows = NULL;
    size_t capacity = 0;
    int result = 0;
    for (int32_t d = 0;; d++) {
        if (d > GUARD_WORDS_MAX_EDITS) {
            mark_all(m->a, (size_t)m->a_count);
            mark_all(m->b, (size_t)m->b_count);
            break;
        }
        while (capacity < row_start(d + 1) && result == 0)
            result = mem_grow(&rows, capacity, &capacity, sizeof *rows);
        if (result != 0)
            break;
        if (fill_row(m, rows, d)) {
            mark_edits(m, rows, d);
            break;
        }
    }
    free(rows);
    return result;
}

/* ---- for the eye -------------------------------------------------------------------------------------- */

/* White space between two words that differ belongs to them: one mark instead of two. */
static void join_marks(struct guard_words *words)
{
    for (size_t i = 1; i + 1 < words->count; i++) {
        struct guard_word *word = &words->list[i];
        if (class_of(*word->start) == WORD_SPACE && word[-1].differs && word[1].differs)
            word->differs = true;
    }
}

static int compare(struct guard_words *a, struct guard_words *b)
{
    if (!a->list || !b->list) { /* an empty text: all of the other one is new */
        mark_all(a->list, a->count);
        mark_all(b->list, b->count);
        return 0;
    }
    size_t head = 0, tail = 0;
    size_t least = a->count < b->count ? a->count : b->count;
    while (head < least && same(&a->list[head], &b->list[head]))
        head++;
    while (tail < least - head &&
           same(&a->list[a->count - 1 - tail], &b->list[b->count - 1 - tail]))
        tail++;
    size_t a_count = a->count - head - tail, b_count = b->count - head - tail;
    if (a_count > INT32_MAX / 2 || b_count > INT32_MAX / 2)
        return 0; /* more words than a definition can have bytes: shown without marks */
    const struct middle middle = {.a = a->list + head,
                                  .b = b->list + head,
                                  .a_count = (int32_t)a_count,
                                  .b_count = (int32_t)b_count};
    if (mark_middle(&middle) != 0)
        return -1;
    join_marks(a);
    join_marks(b);
    return 0;
}

int guard_words_compare(const char *a, const char *b, struct guard_words *a_words,
                        struct guard_words *b_words)
{
    AUTO_GUARD_WORDS a_own = GUARD_WORDS_INIT, b_own = GUARD_WORDS_INIT;
    *a_words = *b_words = GUARD_WORDS_INIT;
    if (split(a, &a_own) != 0 || split(b, &b_own) != 0)
        return -1;
    if (a && b && compare(&a_own, &b_own) != 0)
        return -1;
    *a_words = a_own;
    *b_words = b_own;
    a_own = b_own = GUARD_WORDS_INIT;
    return 0;
}
