/* bootstrap/guard_text.c: what a guard found, for people at a terminal or in a log. */
#include "bootstrap/guard_report.h"

#include <string.h>

#include "base/annotate.h"
#include "base/str.h"

enum {
    LABEL_COLUMNS = 14,
    SIDE_COLUMNS = 40, /* definitions up to this long stand beside each other */
    OBJECT_COLUMNS = 50,
};

#define COLOR_RESET "\033[0m"
#define COLOR_DIM   "\033[2m"
#define COLOR_A     "\033[31m" /* words of path A that B does not have */
#define COLOR_B     "\033[32m"
#define COLOR_GOOD  "\033[1;32m"
#define COLOR_BAD   "\033[1;31m"

#define LABEL_INDENT "              " /* LABEL_COLUMNS */
#define SIDE_MARGIN  "      "
#define NOT_THERE    "(not there)"

static const char *const class_meanings[GUARD_CLASSES] = {
    "the schemas do not mean the same",
    "the same meaning in other words, which a column's history leaves behind",
    "comments and names of automatic constraints",
};
static const char *const class_colors[GUARD_CLASSES] = {"\033[1;31m", "\033[1;33m", "\033[1;36m"};

static void add_foreign(struct buf *out, const char *text)
{
    str_add_sanitised(out, text, strlen(text));
}

/* Where the text goes, and whether it may be coloured. */
struct page {
    struct buf *out;
    bool color;
};

static void paint(const struct page *page, const char *color)
{
    if (page->color)
        buf_adds(page->out, color);
}

static void add_label(const struct page *page, const char *label)
{
    buf_addf(page->out, "%-*s", LABEL_COLUMNS, label);
}

/* TEXT with each line after the first one behind INDENT. */
static void add_block(struct buf *out, const char *text, const char *indent)
{
    AUTO_BUF plain = BUF_INIT(out->max);
    annotate_add_lines(&plain, text, strlen(text), GUARD_TEXT_BYTES);
    guard_pass_failure(out, &plain);
    for (const char *line = buf_text(&plain);;) {
        size_t length = strcspn(line, "\n");
        buf_add(out, line, length);
        line += length;
        while (*line == '\n' && !line[1])
            line++;
        if (!*line)
            return;
        buf_addc(out, '\n');
        buf_adds(out, indent);
        line++;
    }
}

static void add_path(const struct page *page, const struct guard_path *path, char name)
{
    struct buf *out = page->out;
    const char label[] = {'p', 'a', 't', 'h', ' ', name, '\0'};
    add_label(page, label);
    guard_add_outcome(path, out);
    if (path->ok) {
        buf_adds(out, "; stamp ");
        guard_add_stamp(path, out);
    }
    if (path->idempotent_known)
        buf_adds(out, path->idempotent ? "; again: a no-op" : "; again: NOT a no-op");
    buf_addc(out, '\n');
    if (path->error) {
        add_label(page, "");
        add_block(out, path->error, LABEL_INDENT);
        buf_addc(out, '\n');
    }
    if (!path->ok && path->output && *path->output) {
        add_label(page, "");
        buf_adds(out, "| ");
        add_block(out, path->output, LABEL_INDENT "| ");
        buf_addc(out, '\n');
    }
}

static void add_extras(const struct page *page, const struct guard_report *r)
{
    for (size_t i = 0; i < r->extra_count; i++) {
        const struct guard_extra *extra = &r->extras[i];
        add_label(page, i == 0 ? "also" : "");
        add_foreign(page->out, extra->name);
        buf_adds(page->out, extra->ok ? ": ok" : ": failed");
        if (extra->error) {
            buf_adds(page->out, ": ");
            add_block(page->out, extra->error, LABEL_INDENT);
        }
        buf_addc(page->out, '\n');
    }
}

/* How many columns TEXT takes; sanitised text has one for each character (wide ones aside). */
static size_t columns_of(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xC0) != 0x80;
    return columns;
}

static void add_spaces(struct buf *out, size_t columns, size_t until)
{
    for (; columns < until; columns++)
        buf_addc(out, ' ');
}

/* One side's words; those that differ in COLOR. */
static void add_words(const struct page *page, const struct guard_words *words, const char *color,
                      const char *indent)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct guard_word *word = &words->list[i];
        if (word->differs)
            paint(page, color);
        for (size_t at = 0; at < word->length;) {
            const char *line = word->start + at;
            const char *end = memchr(line, '\n', word->length - at);
            size_t length = end ? (size_t)(end - line) : word->length - at;
            buf_add(page->out, line, length);
            at += length;
            if (end) {
                buf_addc(page->out, '\n');
                buf_adds(page->out, indent);
                at++;
            }
        }
        if (word->differs)
            paint(page, COLOR_RESET);
    }
}

static void add_side(const struct page *page, const char *margin, const char *text,
                     const struct guard_words *words, char name)
{
    buf_addf(page->out, "%s%c  ", margin, name);
    if (text) {
        add_words(page, words, name == 'A' ? COLOR_A : COLOR_B, "         ");
        return;
    }
    paint(page, COLOR_DIM);
    buf_adds(page->out, NOT_THERE);
    paint(page, COLOR_RESET);
}

static bool is_short(const char *text)
{
    return !text || (!strchr(text, '\n') && columns_of(text) <= SIDE_COLUMNS);
}

/* A definition made fit to be shown, without line feeds at its end; NULL stays NULL. */
static const char *plain_definition(const char *text, struct buf *plain, struct buf *out)
{
    if (!text)
        return NULL;
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    annotate_add_lines(plain, text, length, GUARD_TEXT_BYTES);
    guard_pass_failure(out, plain);
    return buf_text(plain);
}

static void add_sides(const struct page *page, const struct difference *d)
{
    struct buf *out = page->out;
    AUTO_BUF a_plain = BUF_INIT(out->max), b_plain = BUF_INIT(out->max);
    const char *a = plain_definition(d->a, &a_plain, out);
    const char *b = plain_definition(d->b, &b_plain, out);
    AUTO_GUARD_WORDS a_words = GUARD_WORDS_INIT, b_words = GUARD_WORDS_INIT;
    if (guard_words_compare(a, b, &a_words, &b_words) != 0) {
        out->no_memory = true;
        return;
    }
    bool beside = is_short(a) && is_short(b);
    add_side(page, SIDE_MARGIN, a, &a_words, 'A');
    if (beside)
        add_spaces(out, columns_of(a ? a : NOT_THERE), SIDE_COLUMNS);
    else
        buf_addc(out, '\n');
    add_side(page, beside ? "  " : SIDE_MARGIN, b, &b_words, 'B');
    buf_addc(out, '\n');
}

static void add_difference(const struct page *page, const struct difference *d)
{
    struct buf *out = page->out;
    AUTO_BUF object = BUF_INIT(out->max);
    add_foreign(&object, d->object);
    buf_adds(out, "    ");
    guard_add_buf(out, &object);
    if (d->revision || d->ignored) {
        add_spaces(out, columns_of(buf_text(&object)), OBJECT_COLUMNS);
        paint(page, COLOR_DIM);
        if (d->ignored)
            buf_adds(out, "  ignored");
        if (d->revision) {
            buf_adds(out, "  revision ");
            add_foreign(out, d->revision);
        }
        paint(page, COLOR_RESET);
    }
    buf_addc(out, '\n');
    add_sides(page, d);
}

static void add_class_head(const struct page *page, enum difference_class class_)
{
    buf_addc(page->out, '\n');
    paint(page, class_colors[class_]);
    buf_adds(page->out, guard_class_word(class_));
    paint(page, COLOR_RESET);
    buf_addf(page->out, ": %s\n", class_meanings[class_]);
}

static void add_kind(const struct page *page, const char *kind)
{
    buf_adds(page->out, "  ");
    add_foreign(page->out, kind);
    buf_addc(page->out, '\n');
}

static void add_differences(const struct page *page, const struct differences *differences)
{
    const struct difference *last = NULL;
    for (size_t i = 0; i < differences->count; i++) {
        const struct difference *d = &differences->list[i];
        bool new_class = !last || last->class_ != d->class_;
        if (new_class)
            add_class_head(page, d->class_);
        if (new_class || !str_eq(last->kind, d->kind))
            add_kind(page, d->kind);
        add_difference(page, d);
        last = d;
    }
    if (differences->count > 0)
        buf_addc(page->out, '\n');
}

static void add_closing_line(const struct page *page, const char *label, const char *text)
{
    if (!text || !*text)
        return;
    add_label(page, label);
    add_foreign(page->out, text);
    buf_addc(page->out, '\n');
}

static void add_coverage(const struct page *page, const struct differences *differences)
{
    add_closing_line(page, "compared", differences->compared);
    add_closing_line(page, "not compared", differences->not_compared);
}

void guard_write_text(const struct guard_report *report, bool color, struct buf *out)
{
    const struct page page = {.out = out, .color = color};
    add_label(&page, "guard");
    paint(&page, report->equal ? COLOR_GOOD : COLOR_BAD);
    guard_add_verdict(report, out);
    paint(&page, COLOR_RESET);
    buf_addc(out, '\n');
    add_path(&page, &report->a, 'A');
    add_path(&page, &report->b, 'B');
    add_extras(&page, report);
    add_differences(&page, &report->differences);
    for (size_t i = 0; report->leftovers && report->leftovers[i]; i++)
        add_closing_line(&page, i == 0 ? "left over" : "", report->leftovers[i]);
    add_coverage(&page, &report->differences);
}

void differences_write_text(const struct differences *d, bool color, struct buf *out)
{
    const struct page page = {.out = out, .color = color};
    add_differences(&page, d);
    add_coverage(&page, d);
}
