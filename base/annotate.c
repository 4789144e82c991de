/* base/annotate.c: findings as lines that GitHub Actions shows beside the code. */
#include "base/annotate.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

static const char *const level_words[] = {"notice", "warning", "error"};

void annotate_add_lines(struct buf *out, const char *text, size_t length, size_t max_bytes)
{
    size_t at = 0;
    while (at < length) {
        if (at >= max_bytes) {
            buf_adds(out, "...");
            return;
        }
        if (text[at] == '\n' || text[at] == '\t') {
            buf_addc(out, text[at++]);
            continue;
        }
        if (text[at] == '\r' && at + 1 < length && text[at + 1] == '\n') {
            at++;
            continue;
        }
        char piece[STR_PIECE_BYTES];
        size_t piece_length;
        at += str_sanitise_step(text + at, length - at, piece, &piece_length);
        buf_add(out, piece, piece_length);
    }
}

/* A percent sign and line ends are escaped everywhere; what separates properties only in those. */
static void add_escaped(struct buf *out, const char *text, bool property)
{
    AUTO_BUF plain = BUF_INIT(out->max);
    annotate_add_lines(&plain, text, strlen(text), ANNOTATE_MESSAGE_BYTES);
    out->no_memory |= plain.no_memory;
    out->too_long |= plain.too_long;
    for (const char *c = buf_text(&plain); *c; c++) {
        if (*c == '%')
            buf_adds(out, "%25");
        else if (*c == '\n')
            buf_adds(out, "%0A");
        else if (property && *c == ':')
            buf_adds(out, "%3A");
        else if (property && *c == ',')
            buf_adds(out, "%2C");
        else
            buf_addc(out, *c);
    }
}

static void add_property(struct buf *out, const char *name, const char *text, bool *any)
{
    buf_addf(out, "%c%s=", *any ? ',' : ' ', name);
    add_escaped(out, text, true);
    *any = true;
}

static void add_number(struct buf *out, const char *name, unsigned number, bool *any)
{
    buf_addf(out, "%c%s=%u", *any ? ',' : ' ', name, number);
    *any = true;
}

void annotate_github(const struct annotation *annotation, struct buf *out)
{
    bool any = false;
    buf_addf(out, "::%s", level_words[annotation->level]);
    if (annotation->file) {
        add_property(out, "file", annotation->file, &any);
        if (annotation->line > 0)
            add_number(out, "line", annotation->line, &any);
        if (annotation->line > 0 && annotation->column > 0)
            add_number(out, "col", annotation->column, &any);
    }
    if (annotation->title)
        add_property(out, "title", annotation->title, &any);
    buf_adds(out, "::");
    add_escaped(out, annotation->message, false);
    buf_addc(out, '\n');
}

const char *annotate_relative(const char *file, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/')
        length--;
    if (length > 0 && strncmp(file, folder, length) == 0 && file[length] == '/')
        file += length;
    else if (str_starts(file, "./"))
        file += 1;
    else
        return file;
    while (*file == '/')
        file++;
    return file;
}
