/* base/diff.c: see base/diff.h. */
#include "base/diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "base/mem.h"

struct line {
    const char *text;
    size_t length; /* without the line feed */
    bool ends;     /* a line feed follows */
};

struct lines {
    struct line *list;
    size_t count;
};

/* One line of the result: kept, taken away or added. */
struct edit {
    char mark;       /* ' ', '-', '+' */
    size_t old, new; /* indexes of lines; of those that the mark speaks of */
};

struct script {
    struct edit *list;
    size_t count, capacity;
};

static void lines_release(struct lines *l)
{
    free(l->list);
}

static void script_release(struct script *s)
{
    free(s->list);
}

#define AUTO_LINES  CLEANUP(lines_release) struct lines
#define AUTO_SCRIPT CLEANUP(script_release) struct script

static int split(const struct diff_text *text, struct lines *out, struct err *err)
{
    const char *end = text->text + text->length;
    size_t feeds = 0;
    for (const char *p = text->text; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        feeds++;
    out->list = mem_new(feeds + 1, sizeof(*out->list)); /* the last line may have none */
    if (!out->list)
        return err_nomem(err);
    for (const char *p = text->text; p < end;) {
        const char *feed = memchr(p, '\n', (size_t)(end - p));
        out->list[out->count++] = (struct line){
            .text = p, .length = (size_t)((feed ? feed : end) - p), .ends = feed};
        p = feed ? feed + 1 : end;
    }
    return 0;
}

static bool is_same(const struct line *a, const struct line *b)
{
    return a->length == b->length && a->ends == b->ends && memcmp(a->text, b->text, a->length) == 0;
}

static int push(struct script *s, char mark, size_t old, size_t new, struct err *err)
{
    if (mem_grow(&s->list, s->count, &s->capacity, sizeof(*s->list)) != 0)
        return err_nomem(err);
    s->list[s->count++] = (struct edit){.mark = mark, .old = old, .new = new};
    return 0;
}

/* ---- the shortest edit ----------------------------------------------------------------------- */

/* What is left to compare when the lines are cut off that both begin and end with. Row d of `rows`
 * is how far a path of d edits gets on each diagonal from -d to d. */
struct problem {
    const struct line *old, *new;
    size_t old_count, new_count;
    int **rows;
    int row_count;
};

static void problem_release(struct problem *p)
{
    for (int d = 0; d < p->row_count; d++)
        free(p->rows[d]);
    free(p->rows);
}

#define AUTO_PROBLEM CLEANUP(problem_release) struct problem

static int reach(const struct problem *p, int d, int diagonal)
{
    const int *row = p->rows[d];
    return diagonal < -d || diagonal > d ? -1 : row[diagonal + d];
}

/* Whether the last of D edits that lead to DIAGONAL adds a line; else it takes one away. */
static bool is_added(const struct problem *p, int d, int diagonal)
{
    if (diagonal == -d || diagonal == d)
        return diagonal == -d;
    return reach(p, d - 1, diagonal - 1) < reach(p, d - 1, diagonal + 1);
}

/* Where a path of D edits comes to on DIAGONAL before it follows equal lines. */
static int start_of(const struct problem *p, int d, int diagonal)
{
    if (d == 0)
        return 0;
    return is_added(p, d, diagonal) ? reach(p, d - 1, diagonal + 1)
                                    : reach(p, d - 1, diagonal - 1) + 1;
}

/* Fill row D. Whether it reaches the end of both; -1: no memory. */
static int fill_row(struct problem *p, int d, bool *ends, struct err *err)
{
    int *row = mem_new((size_t)d * 2 + 1, sizeof(*row));
    if (!row)
        return err_nomem(err);
    p->rows[p->row_count++] = row;
    for (int diagonal = -d; diagonal <= d; diagonal += 2) {
        int x = start_of(p, d, diagonal), y = x - diagonal;
        while (x >= 0 && y >= 0 && (size_t)x < p->old_count && (size_t)y < p->new_count &&
               is_same(&p->old[x], &p->new[y])) {
            x++;
            y++;
        }
        row[diagonal + d] = x;
        if (x >= 0 && y >= 0 && (size_t)x >= p->old_count && (size_t)y >= p->new_count)
            *ends = true;
    }
    return 0;
}

/* Back from the end of both to their start: the edits, last one first. */
static int trace(const struct problem *p, size_t before, struct script *out, struct err *err)
{
    int x = (int)p->old_count, y = (int)p->new_count;
    for (int d = p->row_count - 1; d >= 0; d--) {
        int start = start_of(p, d, x - y), start_y = start - (x - y);
        for (; x > start && y > start_y; x--, y--)
            if (push(out, ' ', before + (size_t)x - 1, before + (size_t)y - 1, err) != 0)
                return -1;
        if (d == 0)
            break;
        bool added = is_added(p, d, x - y);
        x -= !added;
        y -= added;
        if (push(out, added ? '+' : '-', before + (size_t)x, before + (size_t)y, err) != 0)
            return -1;
    }
    return 0;
}

static void reverse(struct edit *list, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct edit swap = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = swap;
    }
}

/* The edits between two texts; all of the middle where it would take too many. */
static int solve(struct problem *p, size_t before, struct script *out, struct err *err)
{
    bool ends = false;
    p->rows = mem_new(DIFF_MAX_EDITS + 1, sizeof(*p->rows));
    if (!p->rows)
        return err_nomem(err);
    for (int d = 0; d <= DIFF_MAX_EDITS && !ends; d++) {
        if (fill_row(p, d, &ends, err) != 0)
            return -1;
    }
    size_t first = out->count;
    if (ends) {
        if (trace(p, before, out, err) != 0)
            return -1;
        reverse(out->list + first, out->count - first);
        return 0;
    }
    for (size_t i = 0; i < p->old_count; i++)
        if (push(out, '-', before + i, before, err) != 0)
            return -1;
    for (size_t i = 0; i < p->new_count; i++)
        if (push(out, '+', before + p->old_count, before + i, err) != 0)
            return -1;
    return 0;
}

static int compare(const struct lines *old, const struct lines *new, struct script *out,
                   struct err *err)
{
    size_t before = 0, behind = 0, least = old->count < new->count ? old->count : new->count;
    while (before < least && is_same(&old->list[before], &new->list[before])) {
        if (push(out, ' ', before, before, err) != 0)
            return -1;
        before++;
    }
    while (behind < least - before &&
           is_same(&old->list[old->count - behind - 1], &new->list[new->count - behind - 1]))
        behind++;
    AUTO_PROBLEM p = {.old = old->list + before,
                      .new = new->list + before,
                      .old_count = old->count - before - behind,
                      .new_count = new->count - before - behind};
    if ((p.old_count > 0 || p.new_count > 0) && solve(&p, before, out, err) != 0)
        return -1;
    for (size_t i = behind; i > 0; i--)
        if (push(out, ' ', old->count - i, new->count - i, err) != 0)
            return -1;
    return 0;
}

/* ---- hunks ----------------------------------------------------------------------------------- */

static void add_line(char mark, const struct line *line, struct buf *out)
{
    /* A carriage return before the line feed does no harm, and without it no patch(1) would take
     * the diff of a file that was made on Windows. */
    bool returns = line->ends && line->length > 0 && line->text[line->length - 1] == '\r';

    buf_addc(out, mark);
    annotate_add_lines(out, line->text, line->length - returns, line->length + 1);
    buf_adds(out, returns ? "\r\n" : line->ends ? "\n" : "\n\\ No newline at end of file\n");
}

/* "12,3": lines are counted from 1; where there is none, the line before. */
static void add_range(size_t start, size_t count, struct buf *out)
{
    buf_addf(out, count == 1 ? "%zu" : "%zu,%zu", count == 0 ? start : start + 1, count);
}

static void add_hunk(const struct script *s, size_t from, size_t to, const struct lines *old,
                     const struct lines *new, struct buf *out)
{
    size_t old_count = 0, new_count = 0;
    for (size_t i = from; i < to; i++) {
        old_count += s->list[i].mark != '+';
        new_count += s->list[i].mark != '-';
    }
    buf_adds(out, "@@ -");
    add_range(s->list[from].old, old_count, out);
    buf_adds(out, " +");
    add_range(s->list[from].new, new_count, out);
    buf_adds(out, " @@\n");
    for (size_t i = from; i < to; i++) {
        const struct edit *e = &s->list[i];
        add_line(e->mark, e->mark == '+' ? &new->list[e->new] : &old->list[e->old], out);
    }
}

/* The end of the hunk that begins at an edit at FROM: until more lines are equal than the
 * contexts of two edits hold. */
static size_t hunk_end(const struct script *s, size_t from)
{
    size_t last = from;
    for (size_t i = from; i < s->count && i - last <= DIFF_CONTEXT_LINES * 2 + 1; i++)
        last = s->list[i].mark != ' ' ? i : last;
    size_t end = last + 1 + DIFF_CONTEXT_LINES;
    return end < s->count ? end : s->count;
}

static void add_name(const char *mark, const char *name, struct buf *out)
{
    buf_adds(out, mark);
    if (name)
        annotate_add_lines(out, name, strlen(name), strlen(name) + 1);
    else
        buf_adds(out, "/dev/null");
    buf_addc(out, '\n');
}

int diff_unified(const struct diff_text *old, const struct diff_text *new, struct buf *out,
                 struct err *err)
{
    AUTO_LINES old_lines = {0}, new_lines = {0};
    AUTO_SCRIPT script = {0};
    if (split(old, &old_lines, err) != 0 || split(new, &new_lines, err) != 0 ||
        compare(&old_lines, &new_lines, &script, err) != 0)
        return -1;
    bool said = false;
    for (size_t i = 0; i < script.count; i++) {
        if (script.list[i].mark == ' ')
            continue;
        if (!said) {
            add_name("--- ", old->name, out);
            add_name("+++ ", new->name, out);
            said = true;
        }
        size_t from = i > DIFF_CONTEXT_LINES ? i - DIFF_CONTEXT_LINES : 0;
        size_t end = hunk_end(&script, i);
        add_hunk(&script, from, end, &old_lines, &new_lines, out);
        i = end - 1;
    }
    return 0;
}
