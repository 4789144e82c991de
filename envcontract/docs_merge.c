/* envcontract/docs_merge.c: sections put between the markers of a text that somebody else wrote. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

#define BEGIN "agent:begin"
#define END   "agent:end"

/* A pair of markers; places are offsets into the text. */
struct place {
    const char *name;      /* one of layout->known */
    size_t start;          /* of the line of the first marker */
    size_t content;        /* behind that line */
    size_t stop, end;      /* of the line of the second marker, and behind it */
    unsigned line;         /* of the first marker, from 1 */
    bool carriage_returns; /* the first marker's line ends in \r\n */
};

struct reader {
    const struct docs_layout *layout;
    const struct docs_present *present;
    struct place places[DOCS_MAX_SECTIONS];
    size_t count;
    bool open; /* the last place has no end yet */
    unsigned line;
};

void docs_add_marker(const struct docs_layout *layout, const char *word, const char *name,
                     struct buf *out)
{
    buf_addf(out, layout->comments ? "# agent:%s %s" : "<!-- agent:%s %s -->", word, name);
}

PRINTF(5, 6)
static int broken(const struct reader *r, struct err *err, unsigned line, const char *hint,
                  const char *format, ...)
{
    struct message what = {0};
    va_list args;

    va_start(args, format);
    message_addv(&what, format, args);
    va_end(args);
    (void)err_set(err, ERR_FILE, "%s", what.text);
    (void)err_hint(err, "%s Nothing was written.", hint);
    return err_at(err, r->present->path, line, 0);
}

/* What stands behind "<!--" or "#" when it is one of our words. */
static bool skip(const char **at, size_t *length, const char *prefix)
{
    size_t wanted = strlen(prefix);

    if (*length < wanted || memcmp(*at, prefix, wanted) != 0)
        return false;
    *at += wanted;
    *length -= wanted;
    return true;
}

/* The name in a marker's line, behind its word; NULL: it is not as we write it. */
static const char *name_of(const struct docs_layout *layout, const char *at, size_t length,
                           char name[static SHOWN_BYTES])
{
    str_trim(&at, &length);
    if (!layout->comments) {
        if (length < 3 || memcmp(at + length - 3, "-->", 3) != 0)
            return NULL;
        length -= 3;
        str_trim(&at, &length);
    }
    if (length == 0 || length >= SHOWN_BYTES || memchr(at, ' ', length) || memchr(at, '\t', length))
        return NULL;
    memcpy(name, at, length);
    name[length] = '\0';
    return name;
}

static int unknown(const struct reader *r, const char *name, struct err *err)
{
    const char *nearest = str_nearest(name, r->layout->known);
    AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);

    if (nearest)
        buf_addf(&hint, "Did you mean '%s'?", nearest);
    else
        for (size_t i = 0; r->layout->known[i]; i++)
            buf_addf(&hint, "%s%s", i == 0 ? "Sections here are " : ", ", r->layout->known[i]);
    buf_adds(&hint, nearest ? "" : ".");
    return broken(r, err, r->line, buf_text(&hint), "'%s' is no section of this document", name);
}

static int take_begin(struct reader *r, const char *name, size_t start, size_t end, struct err *err)
{
    const char *known = NULL;

    if (r->open) {
        const struct place *last = &r->places[r->count - 1];
        return broken(r, err, r->line, "End it first: sections do not lie in one another.",
                      "'%s' begins inside of '%s', which began at line %u", name, last->name,
                      last->line);
    }
    for (size_t i = 0; r->layout->known[i]; i++)
        if (str_eq(r->layout->known[i], name))
            known = r->layout->known[i];
    if (!known)
        return unknown(r, name, err);
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(r->places[i].name, name))
            return broken(r, err, r->line, "Keep one of them.", "'%s' begins a second time", name);
    r->places[r->count++] = (struct place){
        .name = known,
        .start = start,
        .content = end,
        .line = r->line,
        .carriage_returns = end >= 2 && r->present->text[end - 2] == '\r',
    };
    r->open = true;
    return 0;
}

static int take_end(struct reader *r, const char *name, size_t start, size_t end, struct err *err)
{
    if (!r->open)
        return broken(r, err, r->line, "Its begin is missing, or stands behind it.",
                      "'%s' ends without having begun", name);
    struct place *last = &r->places[r->count - 1];
    if (!str_eq(last->name, name))
        return broken(r, err, r->line, "End that one first.",
                      "'%s' ends where '%s', which began at line %u, is open", name, last->name,
                      last->line);
    last->stop = start;
    last->end = end;
    r->open = false;
    return 0;
}

/* One line of the text, from START to END, its line feed included. */
static int take_line(struct reader *r, size_t start, size_t end, struct err *err)
{
    const char *at = r->present->text + start;
    size_t length = end - start;
    char name[SHOWN_BYTES];

    if (start == 0)
        (void)skip(&at, &length, "\xef\xbb\xbf"); /* some editors begin a file with it */
    str_trim(&at, &length);
    if (!skip(&at, &length, r->layout->comments ? "#" : "<!--"))
        return 0;
    str_trim(&at, &length);
    bool begins = skip(&at, &length, BEGIN);
    if (!begins && !skip(&at, &length, END))
        return 0;
    if (length > 0 && *at != ' ' && *at != '\t' && *at != '-')
        return 0; /* another word, which only begins as ours do */
    if (!name_of(r->layout, at, length, name)) {
        AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);
        buf_adds(&hint, "Write it as ");
        docs_add_marker(r->layout, begins ? "begin" : "end", r->layout->known[0], &hint);
        buf_adds(&hint, " on a line of its own.");
        return broken(r, err, r->line, buf_text(&hint), "a broken marker: %s",
                      begins ? BEGIN : END);
    }
    return begins ? take_begin(r, name, start, end, err) : take_end(r, name, start, end, err);
}

static int read_places(struct reader *r, struct err *err)
{
    const char *text = r->present->text;

    for (size_t start = 0, end; start < r->present->length; start = end) {
        const char *feed = memchr(text + start, '\n', r->present->length - start);
        end = feed ? (size_t)(feed - text) + 1 : r->present->length;
        r->line++;
        if (take_line(r, start, end, err) != 0)
            return -1;
    }
    if (r->open) {
        const struct place *last = &r->places[r->count - 1];
        return broken(r, err, last->line, "Its end is missing.", "'%s' begins and does not end",
                      last->name);
    }
    if (r->count > 0)
        return 0;
    AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);
    buf_adds(&hint, "Put ");
    docs_add_marker(r->layout, "begin", r->layout->known[0], &hint);
    buf_adds(&hint, " and ");
    docs_add_marker(r->layout, "end", r->layout->known[0], &hint);
    buf_adds(&hint, " where the text is to stand, each on a line of its own, or move the file "
                    "away.");
    return broken(r, err, 0, buf_text(&hint),
                  "'%s' is there and has no markers: agent docs did not make it", r->present->path);
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* Lines of ours, ending as the lines around them do. */
static void add_lines(struct buf *out, const char *text, size_t length, bool carriage_returns)
{
    for (const char *end = text + length; text < end;) {
        const char *feed = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((feed ? feed : end) - text);
        buf_add(out, text, line);
        buf_adds(out, carriage_returns ? "\r\n" : "\n");
        text += line + 1;
    }
}

static const struct place *place_of(const struct reader *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(r->places[i].name, name))
            return &r->places[i];
    return NULL;
}

/* A block that the text has not had so far. */
static void add_block(const struct reader *r, const struct docs_block *block, bool carriage_returns,
                      struct buf *out)
{
    AUTO_BUF whole = BUF_INIT(out->max);

    docs_add_marker(r->layout, "begin", block->name, &whole);
    buf_addc(&whole, '\n');
    buf_add(&whole, block->text, block->length);
    docs_add_marker(r->layout, "end", block->name, &whole);
    buf_addc(&whole, '\n');
    out->no_memory = out->no_memory || whole.no_memory;
    out->too_long = out->too_long || whole.too_long;
    add_lines(out, buf_text(&whole), whole.len, carriage_returns);
}

/* Those behind the block AT that have no place, up to one that has. */
static void add_missing_behind(const struct reader *r, size_t at, bool carriage_returns,
                               struct buf *out)
{
    for (size_t i = at + 1; i < r->layout->block_count; i++) {
        if (place_of(r, r->layout->blocks[i].name))
            return;
        if (out->len > 0 && out->data[out->len - 1] != '\n')
            buf_adds(out, carriage_returns ? "\r\n" : "\n");
        buf_adds(out, carriage_returns ? "\r\n" : "\n");
        add_block(r, &r->layout->blocks[i], carriage_returns, out);
    }
}

/* Those that come before every block which has a place. */
static void add_missing_first(const struct reader *r, struct buf *out)
{
    bool carriage_returns = r->places[0].carriage_returns;

    for (size_t i = 0; i < r->layout->block_count; i++) {
        if (place_of(r, r->layout->blocks[i].name))
            return;
        add_block(r, &r->layout->blocks[i], carriage_returns, out);
        buf_adds(out, carriage_returns ? "\r\n" : "\n");
    }
}

/* What stands where PLACE stood; gives how far the text is used up. */
static size_t replace(const struct reader *r, const struct place *place, struct buf *out)
{
    const char *text = r->present->text;
    size_t length = r->present->length;

    for (size_t i = 0; i < r->layout->block_count; i++) {
        const struct docs_block *block = &r->layout->blocks[i];
        if (!str_eq(block->name, place->name))
            continue;
        buf_add(out, text + place->start, place->content - place->start);
        add_lines(out, block->text, block->length, place->carriage_returns);
        buf_add(out, text + place->stop, place->end - place->stop);
        add_missing_behind(r, i, place->carriage_returns, out);
        return place->end;
    }
    size_t end = place->end; /* not wanted any more, nor the blank line behind it */
    if (end < length && text[end] == '\r')
        end++;
    return end < length && text[end] == '\n' ? end + 1 : place->end;
}

int docs_merge(const struct docs_layout *layout, const struct docs_present *present,
               struct buf *out, struct err *err)
{
    struct reader r = {.layout = layout, .present = present};
    size_t position = 0;

    if (read_places(&r, err) != 0)
        return -1;
    for (size_t i = 0; i < r.count; i++) {
        buf_add(out, present->text + position, r.places[i].start - position);
        if (i == 0)
            add_missing_first(&r, out);
        position = replace(&r, &r.places[i], out);
    }
    buf_add(out, present->text + position, present->length - position);
    return buf_check(out, ERR_FILE, present->path, err);
}
