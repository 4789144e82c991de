/* migrations/ini.c: alembic.ini as Python's ConfigParser reads it.
 *
 * Strict mode, delimiters `=` and `:`, comments of whole lines with `#` and `;`, values over several
 * lines by indentation, option names in lower case, [DEFAULT], basic interpolation. Source: the
 * documentation of configparser, "Supported INI File Structure"; details tried on Python 3.11. */
#include "migrations/internal.h"

#include <string.h>

#include "base/str.h"

enum { INI_MAX_INTERPOLATION = 10 }; /* configparser.MAX_INTERPOLATION_DEPTH */

static const char default_section[] = "DEFAULT";

/* A line of a value, stripped; values may go over several. */
struct value_line {
    const char *text;
    size_t length;
    struct value_line *next;
};

struct option {
    const char *name;
    struct value_line *first, *last;
    bool given; /* by the caller, not by the file, which may say something else */
    struct option *next;
};

struct section {
    const char *name;
    bool in_file;
    struct option *options; /* newest first */
    struct section *next;
};

struct ini {
    const char *file;
    struct section *sections; /* DEFAULT is always there */
};

struct parser {
    struct arena *arena;
    struct ini *ini;
    struct section *section; /* NULL before the first header */
    struct option *option;   /* whose value may go on; NULL: none */
    size_t indent;
    unsigned line;
};

static int wrong(const struct parser *p, struct err *err, const char *what)
{
    (void)err_set(err, ERR_FILE, "%s:%u: %s", p->ini->file, p->line, what);
    return err_at(err, p->ini->file, p->line, 0);
}

/* Python's str.strip() for the bytes that a file of settings has. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

static void strip(const char **start, size_t *length)
{
    while (*length > 0 && is_space(**start)) {
        (*start)++;
        (*length)--;
    }
    while (*length > 0 && is_space((*start)[*length - 1]))
        (*length)--;
}

static struct section *find_section(const struct ini *ini, const char *name)
{
    struct section *s = ini->sections;
    while (s && !str_eq(s->name, name))
        s = s->next;
    return s;
}

static struct option *find_option(const struct section *section, const char *name)
{
    struct option *o = section ? section->options : NULL;
    while (o && !str_eq(o->name, name))
        o = o->next;
    return o;
}

static struct section *add_section(struct arena *a, struct ini *ini, const char *name)
{
    struct section *s = arena_new(a, 1, sizeof *s);
    if (!s)
        return NULL;
    s->name = name;
    s->next = ini->sections;
    ini->sections = s;
    return s;
}

static int add_line(struct arena *a, struct option *o, const char *text, size_t length)
{
    struct value_line *line = arena_new(a, 1, sizeof *line);
    if (!line)
        return -1;
    *line = (struct value_line){.text = text, .length = length};
    if (o->last)
        o->last->next = line;
    else
        o->first = line;
    o->last = line;
    return 0;
}

static struct option *add_option(struct arena *a, struct section *section, const char *name,
                                 const char *value, size_t length)
{
    struct option *o = arena_new(a, 1, sizeof *o);
    if (!o || add_line(a, o, value, length) < 0)
        return NULL;
    o->name = name;
    o->next = section->options;
    section->options = o;
    return o;
}

/* The option's raw value: its lines, without the empty ones at the end. NULL: no memory. */
static char *value_of(struct arena *a, const struct option *o)
{
    size_t length = 0;
    for (const struct value_line *l = o->first; l; l = l->next)
        length += l->length + 1;
    char *text = arena_new(a, length + 1, 1), *at = text;
    if (!text)
        return NULL;
    for (const struct value_line *l = o->first; l; l = l->next) {
        memcpy(at, l->text, l->length);
        at += l->length;
        *at++ = '\n';
    }
    while (at > text && is_space(at[-1]))
        at--;
    *at = '\0';
    return text;
}

static int read_header(struct parser *p, const char *text, size_t length, struct err *err)
{
    const char *name = arena_dup_n(p->arena, text, length);
    if (!name)
        return err_nomem(err);
    struct section *s = find_section(p->ini, name);
    p->option = NULL;
    if (s && s->in_file && !str_eq(name, default_section))
        return wrong(p, err, "this section is there twice");
    if (!s)
        s = add_section(p->arena, p->ini, name);
    if (!s)
        return err_nomem(err);
    s->in_file = true;
    p->section = s;
    return 0;
}

static int read_option(struct parser *p, const char *text, size_t length, struct err *err)
{
    const char *delimiter = text;
    while (delimiter < text + length && *delimiter != '=' && *delimiter != ':')
        delimiter++;
    if (delimiter == text + length)
        return wrong(p, err, "neither `name = value` nor `[section]`");
    size_t name_length = (size_t)(delimiter - text);
    strip(&text, &name_length);
    if (name_length == 0)
        return wrong(p, err, "a value without a name");
    char *name = arena_dup_n(p->arena, text, name_length);
    if (!name)
        return err_nomem(err);
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    const char *value = delimiter + 1;
    size_t value_length = length - (size_t)(value - text);
    strip(&value, &value_length);
    struct option *known = find_option(p->section, name);
    if (known && !known->given)
        return wrong(p, err, "this option is there twice in its section");
    p->option = add_option(p->arena, p->section, name, value, value_length);
    return p->option ? 0 : err_nomem(err);
}

static int read_line(struct parser *p, const char *line, size_t length, struct err *err)
{
    const char *text = line;
    size_t size = length;
    strip(&text, &size);
    bool comment = size > 0 && (*text == '#' || *text == ';');
    if (size == 0 || comment)
        return size == 0 && p->option && add_line(p->arena, p->option, text, 0) < 0 ? err_nomem(err)
                                                                                    : 0;
    size_t indent = (size_t)(text - line);
    if (p->option && indent > p->indent)
        return add_line(p->arena, p->option, text, size) < 0 ? err_nomem(err) : 0;
    p->indent = indent;
    const char *close = *text == '[' ? memrchr(text, ']', size) : NULL;
    if (close && close > text + 1)
        return read_header(p, text + 1, (size_t)(close - text) - 1, err);
    if (!p->section)
        return wrong(p, err, "text before the first `[section]`");
    return read_option(p, text, size, err);
}

int ini_parse(struct arena *a, const char *name, const char *text, size_t length, const char *here,
              struct ini **out, struct err *err)
{
    struct ini *ini = arena_new(a, 1, sizeof *ini);
    if (!ini)
        return err_nomem(err);
    ini->file = name;
    struct section *defaults = add_section(a, ini, default_section);
    struct option *o = defaults ? add_option(a, defaults, "here", here, strlen(here)) : NULL;
    if (!o)
        return err_nomem(err);
    o->given = true;
    struct parser p = {.arena = a, .ini = ini};
    for (const char *at = text, *end = text + length; at < end;) {
        const char *stop = at;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        p.line++;
        if (memchr(at, '\0', (size_t)(stop - at)))
            return wrong(&p, err, "a NUL byte");
        if (read_line(&p, at, (size_t)(stop - at), err) < 0)
            return -1;
        at = stop + (end - stop > 1 && stop[0] == '\r' && stop[1] == '\n' ? 2 : 1);
    }
    *out = ini;
    return 0;
}

bool ini_has_section(const struct ini *ini, const char *section)
{
    return ini && find_section(ini, section);
}

/* ---- interpolation ---------------------------------------------------------------------------------- */

struct lookup {
    struct arena *arena;
    const struct ini *ini;
    const char *section, *option; /* what was asked for */
};

static const struct option *look_up(const struct lookup *l, const char *name)
{
    const struct option *o = find_option(find_section(l->ini, l->section), name);
    return o ? o : find_option(find_section(l->ini, default_section), name);
}

static int bad_value(const struct lookup *l, struct err *err, const char *what, const char *about)
{
    (void)err_set(err, ERR_FILE, "%s: [%s] %s: %s '%s'", l->ini->file, l->section, l->option, what,
                  about);
    return err_at(err, l->ini->file, 0, 0);
}

static int interpolate(const struct lookup *l, const struct option *o, unsigned depth,
                       struct buf *out, struct err *err)
{
    if (depth > INI_MAX_INTERPOLATION)
        return bad_value(l, err, "%(...)s is nested too deeply, in", o->name);
    const char *at = value_of(l->arena, o);
    if (!at)
        return err_nomem(err);
    const char *end = at + strlen(at);
    while (at < end) {
        const char *percent = memchr(at, '%', (size_t)(end - at));
        const char *stop = percent ? percent : end;
        buf_add(out, at, (size_t)(stop - at));
        if (!percent)
            break;
        at = percent + 1;
        if (at < end && *at == '%') {
            buf_addc(out, '%');
            at++;
            continue;
        }
        const char *close = at < end && *at == '(' ? memchr(at, ')', (size_t)(end - at)) : NULL;
        if (!close || close == at + 1 || end - close < 2 || close[1] != 's')
            return bad_value(l, err, "`%` is neither `%%` nor `%(name)s`, in", o->name);
        char *name = arena_dup_n(l->arena, at + 1, (size_t)(close - at) - 1);
        if (!name)
            return err_nomem(err);
        for (char *c = name; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
        const struct option *inner = look_up(l, name);
        if (!inner)
            return bad_value(l, err, "%(...)s names an option that is not there:", name);
        if (interpolate(l, inner, depth + 1, out, err) < 0)
            return -1;
        at = close + 2;
    }
    return 0;
}

int ini_get(struct arena *a, const struct ini *ini, const char *section, const char *option,
            const char **value, struct err *err)
{
    const struct lookup l = {.arena = a, .ini = ini, .section = section, .option = option};
    const struct option *o = ini && find_section(ini, section) ? look_up(&l, option) : NULL;
    if (!o) {
        *value = NULL;
        return 0;
    }
    AUTO_BUF text = BUF_INIT(CONFIG_MAX_BYTES);
    if (interpolate(&l, o, 1, &text, err) < 0 || buf_check(&text, ERR_FILE, option, err) < 0)
        return -1;
    char *copy = arena_dup_n(a, buf_text(&text), text.len);
    if (!copy)
        return err_nomem(err);
    *value = copy;
    return 0;
}
