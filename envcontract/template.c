/* envcontract/template.c: text × values: `compose`, and what `files` is made with; and which value a
 * variable has. */
#include <string.h>

#include "base/str.h"
#include "envcontract/internal.h"

enum { MESSAGE_BYTES = 64 * 1024 }; /* a ceiling: references are the contract's */

/* ---- parse ---------------------------------------------------------------------------------- */

static const char *const filter_names[] = {[FILTER_URL] = "url",
                                           [FILTER_BASE64] = "base64",
                                           [FILTER_JSON] = "json",
                                           [FILTER_TRIM] = "trim",
                                           [FILTER_SHELL] = "shell",
                                           [FILTER_PGPASS] = "pgpass",
                                           NULL};

static int fail_at(struct err *err, const char *text, const char *where, const char *what)
{
    return err_set(err, ERR_CONTRACT, "%s at byte %zu", what, (size_t)(where - text) + 1);
}

/* NAME|FILTER|..., between START and END; TEXT is the whole for positions. */
static int parse_reference(struct arena *a, const char *text, const char *start, const char *end,
                           struct template_piece *piece, struct err *err)
{
    const char *bar = memchr(start, '|', (size_t)(end - start));
    const char *name_end = bar ? bar : end;
    if (name_end == start)
        return fail_at(err, text, start, "no name between the braces");
    piece->name = arena_dup_n(a, start, (size_t)(name_end - start));
    if (!piece->name)
        return err_nomem(err);

    for (const char *at = name_end; at < end;) {
        const char *filter = at + 1;
        const char *next = memchr(filter, '|', (size_t)(end - filter));
        at = next ? next : end;
        const char *name = arena_dup_n(a, filter, (size_t)(at - filter));
        if (!name)
            return err_nomem(err);
        size_t which = 0;
        while (filter_names[which] && strcmp(filter_names[which], name) != 0)
            which++;
        if (!filter_names[which]) {
            (void)fail_at(err, text, filter, "no such filter");
            const char *nearest = str_nearest(name, filter_names);
            return nearest
                       ? err_hint(err, "Did you mean `%s`?", nearest)
                       : err_hint(err, "Filters are url, base64, json, trim, shell and pgpass.");
        }
        if (piece->filter_count == TEMPLATE_MAX_FILTERS)
            return fail_at(err, text, filter, "more filters than are allowed");
        piece->filters[piece->filter_count++] = (enum template_filter)which;
    }
    return 0;
}

/* The text up to the next reference, into ROOM with doubled braces made single. Returns where it
 * stopped: at a '{' that begins a reference, or at the end; NULL on a brace that fits nowhere. */
static const char *take_text(const char *text, const char *at, char *room, size_t *length,
                             struct err *err)
{
    *length = 0;
    for (; *at; at++) {
        if (*at == '{' && at[1] != '{')
            return at;
        if (*at == '}' && at[1] != '}') {
            (void)fail_at(err, text, at, "a '}' without its '{'");
            (void)err_hint(err, "A brace that is meant as such is doubled: {{ or }}.");
            return NULL;
        }
        if (*at == '{' || *at == '}')
            at++;
        room[(*length)++] = *at;
    }
    return at;
}

int template_parse(struct arena *a, const char *text, struct template *out, struct err *err)
{
    size_t most = 1;
    for (const char *c = text; *c; c++)
        most += *c == '{';
    struct template_piece *pieces = arena_new(a, most, sizeof *pieces);
    char *room = arena_new(a, strlen(text) + 1, 1);
    if (!pieces || !room)
        return err_nomem(err);

    size_t count = 0;
    for (const char *at = text; *at;) {
        struct template_piece *piece = &pieces[count++];
        piece->text = room;
        at = take_text(text, at, room, &piece->text_length, err);
        if (!at)
            return -1;
        room += piece->text_length;
        if (!*at)
            break;
        const char *close = strchr(at, '}');
        if (!close)
            return fail_at(err, text, at, "a '{' that is not closed");
        if (parse_reference(a, text, at + 1, close, piece, err) != 0)
            return -1;
        at = close + 1;
    }
    *out = (struct template){.pieces = pieces, .count = count};
    return 0;
}

/* ---- fill in -------------------------------------------------------------------------------- */

static bool is_utf8(const char *bytes, size_t length)
{
    for (size_t at = 0, step; at < length; at += step)
        if ((step = str_utf8(bytes + at, length - at)) == 0)
            return false;
    return true;
}

/* A field of a password file of PostgreSQL's: a line each, fields between colons. */
static int add_pgpass(const char *bytes, size_t length, struct buf *out, struct err *err)
{
    if (memchr(bytes, '\n', length) || memchr(bytes, '\r', length))
        return err_set(err, ERR_SOURCE_DATA, "has a line break, which no password file can carry");
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == ':' || bytes[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, bytes[i]);
    }
    return 0;
}

static int apply_filter(enum template_filter filter, const char *bytes, size_t length,
                        struct buf *out, struct err *err)
{
    switch (filter) {
    case FILTER_URL:
        str_add_percent(out, bytes, length);
        return 0;
    case FILTER_BASE64:
        str_add_base64(out, bytes, length);
        return 0;
    case FILTER_JSON: /* str_add_json would put U+FFFD in place of what is not UTF-8 */
        if (!is_utf8(bytes, length))
            return err_set(err, ERR_SOURCE_DATA, "is not UTF-8, and JSON carries nothing else");
        str_add_json(out, bytes, length);
        return 0;
    case FILTER_TRIM:
        str_trim(&bytes, &length);
        buf_add(out, bytes, length);
        return 0;
    case FILTER_SHELL:
        str_add_shell(out, bytes, length);
        return 0;
    case FILTER_PGPASS:
        return add_pgpass(bytes, length, out, err);
    }
    return err_set(err, ERR_DEFECT, "a filter that nobody knows");
}

int template_fill(const struct template_piece *piece, const struct secret *value, struct buf *out,
                  struct err *err)
{
    const char *bytes = secret_reveal(value);
    size_t length = secret_length(value);
    AUTO_BUF now = BUF_INIT(SECRET_MAX_BYTES);
    for (size_t i = 0; i < piece->filter_count; i++) {
        AUTO_BUF next = BUF_INIT(SECRET_MAX_BYTES);
        if (apply_filter(piece->filters[i], bytes, length, &next, err) != 0 ||
            buf_check(&next, ERR_SOURCE_DATA, "its filtered value", err) != 0)
            return -1;
        buf_move(&now, &next);
        bytes = buf_text(&now);
        length = now.len;
    }
    buf_add(out, bytes, length);
    return 0;
}

/* What a variable is made of on the way to its value. */
struct assembly {
    const struct contract *contract;
    const struct contract_variable *variable;
    const struct contract_input *input;
    const char *missing_part;    /* of compose: the first without a value, or NULL */
    const char *unresolved_part; /* of compose: the first that stands for a value, or NULL */
    struct findings *findings;
};

/* An empty part is as good as none: user:@host is no login. */
static bool is_usable(const struct assembly *a, const struct secret *value)
{
    return value && secret_is_set(value) &&
           (secret_length(value) > 0 || a->variable->rules->empty_ok);
}

static const struct secret *find_part(const struct assembly *a, const char *name, bool *known)
{
    for (size_t i = 0; i < a->variable->part_count; i++) {
        if (str_eq(a->variable->parts[i].name, name)) {
            *known = true;
            return a->input->parts ? a->input->parts[i] : NULL;
        }
    }
    *known = false;
    return NULL;
}

/* A part that is missing makes the whole missing: *out stays unset then. */
static int compose(struct assembly *a, struct secret *out, struct err *err)
{
    const struct template *template = a->variable->rules->compose;
    AUTO_BUF text = BUF_INIT(SECRET_MAX_BYTES);
    for (size_t i = 0; i < template->count; i++) {
        const struct template_piece *piece = &template->pieces[i];
        buf_add(&text, piece->text, piece->text_length);
        if (!piece->name)
            continue;
        bool known;
        const struct secret *part = find_part(a, piece->name, &known);
        if (!known)
            return err_set(err, ERR_CONTRACT, "compose names `%s`, which is no part of its source",
                           piece->name);
        if (!is_usable(a, part)) {
            a->missing_part = piece->name;
            return 0;
        }
        if (!a->unresolved_part && placeholder_unresolved(secret_reveal(part), secret_length(part)))
            a->unresolved_part = piece->name;
        if (template_fill(piece, part, &text, err) != 0)
            return err_wrap(err, "part `%s`", piece->name);
    }
    if (buf_check(&text, ERR_SOURCE_DATA, "the composed value", err) != 0)
        return -1;
    return secret_set(out, buf_text(&text), text.len, err);
}

static int from_source(struct assembly *a, struct secret *out, struct err *err)
{
    const struct contract_variable *variable = a->variable;
    if (variable->rules->compose)
        return compose(a, out, err);
    if (variable->part_count == 0)
        return 0;
    if (variable->part_count > 1)
        return err_set(err, ERR_CONTRACT, "several sources, and no `compose` that joins them");
    const struct secret *part = a->input->parts ? a->input->parts[0] : NULL;
    if (!part || !secret_is_set(part))
        return 0;
    return secret_set(out, secret_reveal(part), secret_length(part), err);
}

/* ---- which value wins ----------------------------------------------------------------------- */

/* Whether the one source is the environment, and whether under the variable's own name: then there
 * is nothing that could be shadowed. */
static bool is_from_environment(const struct contract_variable *variable, bool *own_name)
{
    *own_name = false;
    if (variable->part_count != 1 || variable->rules->compose ||
        variable->parts[0].ref.kind != REF_ENV)
        return false;
    const char *name = variable->parts[0].ref.path;
    *own_name = !name || strcmp(name, variable->name) == 0;
    return true;
}

static void add_source(struct buf *out, const struct contract_variable *variable)
{
    for (size_t i = 0; i < variable->part_count; i++) {
        buf_adds(out, i ? ", " : "");
        ref_describe(&variable->parts[i].ref, out);
    }
    if (variable->part_count == 0)
        buf_adds(out, "none");
}

static void add_shadowed(const struct assembly *a, const struct contract_value *value)
{
    AUTO_BUF source = BUF_INIT(MESSAGE_BYTES);
    add_source(&source, a->variable);
    if (source.no_memory)
        a->findings->no_memory = true;
    const char *instead = value->origin == VALUE_NONE      ? "there is none"
                          : value->origin == VALUE_DEFAULT ? "the default is used"
                                                           : "the source's value is used";
    findings_addf(a->findings, FINDING_WARNING, a->variable->name, "shadowed",
                  &a->variable->position,
                  a->contract->profile_is_strict
                      ? "Unset it in the environment; in this profile nothing there wins."
                      : "Unset it in the environment, or let it win: \"override\": true.",
                  "the environment has another value, which is not used: %s (source: %s)", instead,
                  buf_text(&source));
}

/* Why there is no value, for `required`: the source's word, or the part that lacks one. */
static const char *absence(const struct assembly *a)
{
    if (a->input->absent_because || !a->missing_part)
        return a->input->absent_because;
    const char *text = arena_printf(&a->findings->arena, "its part `%s` has no value",
                                    a->missing_part);
    if (!text)
        a->findings->no_memory = true;
    return text;
}

/* The source's value, else the default; empty counts as missing. */
static int choose(struct assembly *a, bool from_environment, struct contract_value *value,
                  struct err *err)
{
    const char *fallback = a->variable->rules->default_value;
    if (from_source(a, &value->bytes, err) != 0)
        return -1;
    if (is_usable(a, &value->bytes)) {
        value->origin = from_environment ? VALUE_ENVIRONMENT : VALUE_SOURCE;
        return 0;
    }
    if (fallback) {
        secret_release(&value->bytes);
        if (secret_set(&value->bytes, fallback, strlen(fallback), err) != 0)
            return -1;
        value->origin = VALUE_DEFAULT;
        return 0;
    }
    if (secret_is_set(&value->bytes)) /* empty: `check` says so, and where it came from */
        value->origin = from_environment ? VALUE_ENVIRONMENT : VALUE_SOURCE;
    return 0;
}

int contract_assemble(const struct contract *contract, const struct contract_variable *variable,
                      const struct contract_input *input, struct contract_value *out,
                      struct findings *findings, struct err *err)
{
    struct assembly a = {
        .contract = contract, .variable = variable, .input = input, .findings = findings};
    struct contract_value value = {.resolved = true};
    bool own_name, from_environment = is_from_environment(variable, &own_name);
    const char *there = own_name ? NULL : input->environment; /* else it is the part itself */
    struct secret environment = there ? secret_borrow(there, strlen(there)) : SECRET_INIT;

    if (is_usable(&a, &environment) && variable->overridable) {
        if (secret_set(&value.bytes, secret_reveal(&environment), secret_length(&environment),
                       err) != 0)
            return err_wrap(err, "'%s'", variable->name);
        value.origin = VALUE_ENVIRONMENT;
        *out = value;
        return 0;
    }
    if (choose(&a, from_environment, &value, err) != 0) {
        secret_release(&value.bytes);
        return err_wrap(err, "'%s'", variable->name);
    }
    if (value.origin == VALUE_SOURCE)
        value.unresolved_part = a.unresolved_part;
    value.absent_because = absence(&a);
    value.absent_hint = input->absent_hint;
    if (is_usable(&a, &environment) &&
        !(secret_is_set(&value.bytes) && secret_equal(&environment, &value.bytes)))
        add_shadowed(&a, &value);
    if (findings_check(findings, err) != 0) {
        secret_release(&value.bytes);
        return -1;
    }
    *out = value;
    return 0;
}
