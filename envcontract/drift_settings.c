/* envcontract/drift_settings.c: the names that pydantic's settings classes read.
 *
 *   class Settings(BaseSettings):
 *       model_config = SettingsConfigDict(env_prefix="APP_")   or  class Config: env_prefix = …
 *       port: int = 8000                                       APP_PORT
 *       url: str = Field(validation_alias=AliasChoices("DATABASE_URL", "DB_URL"))
 *
 * A class is one when a base is called BaseSettings, by whatever name that was imported, or is such a
 * class of the same file. pydantic
 * ignores case, so a name is looked for in upper case unless case_sensitive is set. An alias has no
 * prefix. Where several names do, the declared one is meant. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/str.h"

enum {
    MAX_HEADER_TOKENS = 256,
    MAX_FIELD_TOKENS = 4096, /* of one field, its annotation and default */
    MAX_PREFIX_BYTES = DRIFT_MAX_NAME_BYTES,
    MAX_ALIASES = 16,
};

struct settings {
    struct drift *d;
    size_t body, end; /* tokens of the class: from the first line of its body on */
    unsigned indent;  /* of that line */
    const struct drift_classes *known;
    struct drift_class config;
};

/* The settings class that token I names, or NULL; for BaseSettings itself *is_base is set. */
static const struct drift_class *known_class(const struct drift *d, size_t i,
                                             const struct drift_classes *known, bool *is_base)
{
    *is_base = token_is_name(d, i, "BaseSettings");
    for (size_t k = 0; k < known->count && d->tokens[i].kind == TOKEN_NAME; k++)
        if (token_has(d, i, known->list[k].name, known->list[k].name_length))
            return &known->list[k];
    return NULL;
}

/* KEY = "text" or "key": "text" at token I. */
static bool is_setting(const struct drift *d, size_t i, const char *key, size_t *value)
{
    bool is_key = token_is_name(d, i, key) ||
                  (d->tokens[i].kind == TOKEN_STRING && token_has(d, i, key, strlen(key)));

    *value = i + 2;
    return is_key && (token_is(d, i + 1, '=') || token_is(d, i + 1, ':')) && i + 2 < d->token_count;
}

static void take_setting(struct settings *s, size_t i)
{
    const struct drift *d = s->d;
    size_t value;

    if (is_setting(d, i, "env_prefix", &value) && d->tokens[value].kind == TOKEN_STRING) {
        s->config.prefix = d->text + d->tokens[value].start;
        s->config.prefix_length = d->tokens[value].length;
    } else if (is_setting(d, i, "env_nested_delimiter", &value) &&
               d->tokens[value].kind == TOKEN_STRING) {
        s->config.delimiter = d->text + d->tokens[value].start;
        s->config.delimiter_length = d->tokens[value].length;
    } else if (is_setting(d, i, "case_sensitive", &value)) {
        s->config.case_sensitive = token_is_name(d, value, "True");
    }
}

/* ---- fields --------------------------------------------------------------------------------- */

/* The letters from FIRST to LAST in the other case. */
static void put_in_case(const char *name, size_t length, char first, char last, char *out)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(name[i] >= first && name[i] <= last ? name[i] ^ ('a' ^ 'A') : name[i]);
}

/* NAME as the environment has it: as it is written, or in small letters, where that is declared, else
 * in upper case. The text is in ROOM. NULL: it is too long to be a name. */
static const char *spelled(const struct settings *s, const char *name, size_t length,
                           char room[static DRIFT_MAX_NAME_BYTES])
{
    if (length > DRIFT_MAX_NAME_BYTES)
        return NULL;
    if (s->config.case_sensitive || drift_declares(s->d, name, length))
        return memcpy(room, name, length);
    put_in_case(name, length, 'A', 'Z', room);
    if (!drift_declares(s->d, room, length))
        put_in_case(name, length, 'a', 'z', room);
    return room;
}

static void add_name(struct settings *s, const char *name, size_t length, size_t offset)
{
    char upper[DRIFT_MAX_NAME_BYTES];
    const char *text = spelled(s, name, length, upper);

    if (text)
        drift_add(s->d, DRIFT_READ, text, length, offset);
}

static bool is_declared(const struct settings *s, const char *name, size_t length)
{
    char upper[DRIFT_MAX_NAME_BYTES];
    const char *text = spelled(s, name, length, upper);

    return text && drift_declares(s->d, text, length);
}

/* The names in `alias=`, `validation_alias=` or `env=`, whose value begins at token I: a string, or
 * a list or AliasChoices of them. Returns how many tokens stand for names. */
static size_t aliases_at(const struct drift *d, size_t i, size_t end, size_t *out)
{
    size_t count = 0;

    if (d->tokens[i].kind == TOKEN_STRING) {
        out[0] = i;
        return 1;
    }
    if (token_is_name(d, i, "AliasPath") && token_is(d, i + 1, '(') &&
        d->tokens[i + 2].kind == TOKEN_STRING) {
        out[0] = i + 2; /* a part of its value */
        return 1;
    }
    if (token_is_name(d, i, "AliasChoices"))
        i++;
    if (!token_is(d, i, '(') && !token_is(d, i, '['))
        return 0;
    size_t closing = token_closing(d, i, MAX_FIELD_TOKENS);
    for (i++; i < closing && i < end && count < MAX_ALIASES; i++) {
        if (d->tokens[i].kind == TOKEN_STRING)
            out[count++] = i;
        if (!token_is_name(d, i, "AliasPath") || !token_is(d, i + 1, '('))
            continue;
        if (d->tokens[i + 2].kind ==
            TOKEN_STRING) /* AliasPath("NAME", 0): a part of NAME's value */
            out[count++] = i + 2;
        i = token_closing(d, i + 1, MAX_FIELD_TOKENS);
    }
    return count;
}

/* Of several names that mean one field: the declared ones, else the first. */
static void add_aliases(struct settings *s, const size_t *aliases, size_t count)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        const struct drift_token *token = &s->d->tokens[aliases[i]];
        if (!is_declared(s, s->d->text + token->start, token->length))
            continue;
        add_name(s, s->d->text + token->start, token->length, token->start);
        any = true;
    }
    if (!any) {
        const struct drift_token *token = &s->d->tokens[aliases[0]];
        add_name(s, s->d->text + token->start, token->length, token->start);
    }
}

/* With a delimiter a field may be a model, whose parts are NAME<delimiter>PART. True: some of those
 * are declared, and they are what is read. */
static bool add_parts(struct settings *s, const char *name, size_t length, size_t offset)
{
    struct drift *d = s->d;
    char start[2 * DRIFT_MAX_NAME_BYTES];
    size_t delimiter = s->config.delimiter_length, count = d->declared_count;
    bool any = false;

    if (delimiter == 0 || length + delimiter > sizeof start || d->parts_left < count)
        return false;
    d->parts_left -= count;
    memcpy(start, name, length);
    memcpy(start + length, s->config.delimiter, delimiter);
    for (size_t i = 0; i < count; i++) {
        const struct drift_name *entry = &d->names[i];
        if (!entry->declaration || entry->length <= length + delimiter ||
            strncasecmp(entry->text, start, length + delimiter) != 0)
            continue;
        drift_add(d, DRIFT_READ, entry->text, entry->length, offset);
        any = true;
    }
    return any;
}

/* Whether the annotation from token I to END names a class of settings: one of this file, or one that
 * is called so. It reads names of its own; that pydantic would take all of it from one variable, as
 * JSON, is meant only where that is declared. */
static bool is_of_settings(const struct settings *s, size_t i, size_t end)
{
    static const char word[] = "Settings";
    const struct drift *d = s->d;
    bool is_base;

    for (; i < end && !token_is(d, i, '='); i++) {
        const struct drift_token *token = &d->tokens[i];
        size_t length = sizeof word - 1;
        if (token->kind != TOKEN_NAME)
            continue;
        if (known_class(d, i, s->known, &is_base) ||
            (token->length > length &&
             memcmp(d->text + token->start + token->length - length, word, length) == 0))
            return true;
    }
    return false;
}

/* The field whose name is token I; END is behind its last token. */
static void read_field(struct settings *s, size_t i, size_t end)
{
    const struct drift *d = s->d;
    const struct drift_token *field = &d->tokens[i];
    size_t aliases[MAX_ALIASES];

    if (d->text[field->start] == '_' || token_is_name(d, i + 2, "ClassVar") ||
        (token_is(d, i + 3, '.') && token_is_name(d, i + 4, "ClassVar")))
        return;
    for (size_t k = i + 2; k + 2 < end; k++) {
        bool is_alias = token_is_name(d, k, "alias") || token_is_name(d, k, "validation_alias") ||
                        token_is_name(d, k, "env");
        if (!is_alias || !token_is(d, k + 1, '=') || token_is(d, k + 2, '='))
            continue;
        size_t count = aliases_at(d, k + 2, end, aliases);
        if (count > 0)
            add_aliases(s, aliases, count);
        else if (!token_is_name(d, k + 2, "None"))
            drift_add_computed(s->d, d->tokens[k + 2].start);
        return;
    }
    char name[MAX_PREFIX_BYTES + DRIFT_MAX_NAME_BYTES];
    size_t prefix = s->config.prefix_length, length = prefix + field->length;
    if (length > sizeof name)
        return;
    if (prefix > 0)
        memcpy(name, s->config.prefix, prefix);
    memcpy(name + prefix, d->text + field->start, field->length);
    if (!add_parts(s, name, length, field->start) &&
        (is_declared(s, name, length) || !is_of_settings(s, i + 2, end)))
        add_name(s, name, length, field->start);
}

/* ---- the class ------------------------------------------------------------------------------ */

/* The next TOKEN_LINE behind I, or the class's end. */
static size_t next_line(const struct settings *s, size_t i)
{
    while (i < s->end && s->d->tokens[i].kind != TOKEN_LINE)
        i++;
    return i;
}

/* Where the body of the class whose header ends at token I lies. False: it has none. */
static bool find_body(struct settings *s, size_t i, unsigned indent)
{
    const struct drift *d = s->d;

    if (d->tokens[i].kind != TOKEN_LINE || d->tokens[i].length <= indent)
        return false;
    s->body = i;
    s->indent = d->tokens[i].length;
    for (; d->tokens[i].kind != TOKEN_END; i++)
        if (d->tokens[i].kind == TOKEN_LINE && d->tokens[i].length <= indent)
            break;
    s->end = i;
    return true;
}

/* Settings of the class: in its body's own lines, and in those of `class Config`. */
static void read_config(struct settings *s)
{
    bool in_config = false;

    for (size_t i = s->body; i < s->end; i = next_line(s, i + 1)) {
        const struct drift *d = s->d;
        if (d->tokens[i].length <= s->indent)
            in_config = token_is_name(d, i + 1, "class") && token_is_name(d, i + 2, "Config");
        if (!in_config && !token_is_name(d, i + 1, "model_config"))
            continue;
        size_t end = next_line(s, i + 1);
        for (size_t k = i + 1; k < end; k++)
            take_setting(s, k);
    }
}

static void read_fields(struct settings *s)
{
    const struct drift *d = s->d;

    for (size_t i = s->body; i < s->end;) {
        size_t end = next_line(s, i + 1);
        if (d->tokens[i].length == s->indent && d->tokens[i + 1].kind == TOKEN_NAME &&
            token_is(d, i + 2, ':') && !token_is_name(d, i + 1, "else") &&
            !token_is_name(d, i + 1, "try"))
            read_field(s, i + 1, end < i + MAX_FIELD_TOKENS ? end : i + MAX_FIELD_TOKENS);
        i = end;
    }
}

static void keep_class(const struct drift *d, size_t i, struct drift_class class,
                       struct drift_classes *known)
{
    if (d->tokens[i].kind != TOKEN_NAME || known->count == DRIFT_MAX_CLASSES)
        return;
    class.name = d->text + d->tokens[i].start;
    class.name_length = d->tokens[i].length;
    known->list[known->count++] = class;
}

void drift_rename_settings(const struct drift *d, size_t i, struct drift_classes *known)
{
    if (token_is_name(d, i, "BaseSettings") && token_is_name(d, i + 1, "as"))
        keep_class(d, i + 2, (struct drift_class){0}, known);
}

void drift_read_settings(struct drift *d, size_t i, struct drift_classes *known)
{
    struct settings s = {.d = d, .known = known};
    unsigned indent = i > 0 && d->tokens[i - 1].kind == TOKEN_LINE ? d->tokens[i - 1].length : 0;
    bool is_settings = false;

    if (d->tokens[i + 1].kind != TOKEN_NAME || !token_is(d, i + 2, '('))
        return;
    size_t end = token_closing(d, i + 2, MAX_HEADER_TOKENS);
    for (size_t k = i + 3; k < end; k++) {
        bool is_base;
        const struct drift_class *base = known_class(d, k, known, &is_base);
        if (base)
            s.config = *base;
        is_settings = is_settings || is_base || base;
        take_setting(&s, k);
    }
    if (!is_settings || !token_is(d, end + 1, ':'))
        return;
    if (find_body(&s, end + 2, indent)) {
        read_config(&s);
        read_fields(&s);
    }
    keep_class(d, i + 1, s.config, known);
}
