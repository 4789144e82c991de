/* envcontract/source.c: `source`: a reference, a command, or an object of several. */
#include "envcontract/keys.h"

#include <string.h>

#include "base/str.h"

enum {
    SCRATCH_USES = 1024, /* between two emptyings: releasing for each would be slow */
    /* Each placeholder has six bytes at least, and stands for a key at most. */
    SUBSTITUTED_BYTES = KEY_SOURCE_MAX_BYTES / 6 * CONTRACT_MAX_KEY_BYTES + KEY_SOURCE_MAX_BYTES,
};

#define SOURCE_FORMS                                                                 \
    "A source is env, env:NAME, vault:PATH#FIELD, sealed:NAME, file:PATH, none, or " \
    "{\"command\": [\"program\", …]}."

static const char *const placeholders[] = {"profile", "name", "lower_name", NULL};

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

/* The next `{word}` at or behind TEXT; *length is the word's. NULL: none. */
static const char *next_placeholder(const char *text, size_t *length)
{
    for (const char *open = strchr(text, '{'); open; open = strchr(open + 1, '{')) {
        const char *end = open + 1;
        while (is_name_char(*end))
            end++;
        if (*end == '}' && end > open + 1) {
            *length = (size_t)(end - open - 1);
            return open;
        }
    }
    return NULL;
}

static bool is_word(const char *word, size_t length, const char *wanted)
{
    return length == strlen(wanted) && memcmp(word, wanted, length) == 0;
}

static void no_profile(struct contract_document *d, const struct node *value)
{
    problem(d, value, AT_VALUE, "Add \"profile\": {\"var\": …, \"values\": […]}.",
            "'{profile}' in a contract without 'profile'");
}

/* Every `{word}` of a reference is one of ours. */
static void check_placeholders(struct contract_document *d, const struct node *value)
{
    size_t length;

    for (const char *at = next_placeholder(value->text, &length); at;
         at = next_placeholder(at + 1, &length)) {
        bool known = false;
        for (size_t i = 0; placeholders[i]; i++)
            known = known || is_word(at + 1, length, placeholders[i]);
        if (!known)
            problem(d, value, AT_VALUE, "Known are {profile}, {name} and {lower_name}.",
                    "'{%.*s}' is not known in a source",
                    (int)(length < SHOWN_BYTES ? length : SHOWN_BYTES), at + 1);
        else if (is_word(at + 1, length, "profile") && !d->has_profiles)
            no_profile(d, value);
    }
}

static struct arena *scratch(struct contract_document *d)
{
    if (++d->scratch_uses % SCRATCH_USES == 0)
        arena_release(&d->scratch);
    return &d->scratch;
}

/* The sealed store's names are those that variables can have; a placeholder stands for a part of one. */
static void check_sealed_name(struct contract_document *d, const struct node *value,
                              const char *name)
{
    size_t length;

    for (const char *c = name; *c; c++) {
        if (*c == '{' && next_placeholder(c, &length) == c) {
            c += length + 1;
        } else if (!is_name_char(*c) || (c == name && !is_name_start(*c))) {
            problem(d, value, AT_VALUE,
                    "A name has letters, digits and underscores, and no digit first.",
                    "'sealed:' with what cannot be a name");
            return;
        }
    }
}

static void check_text_source(struct contract_document *d, const struct node *value)
{
    struct ref ref;
    struct err err = ERR_INIT;

    if (value->count > KEY_SOURCE_MAX_BYTES) {
        problem(d, value, AT_VALUE, NULL, "a source has at most %d bytes", KEY_SOURCE_MAX_BYTES);
        return;
    }
    if (ref_parse(scratch(d), value->text, &ref, &err) != 0)
        problem_from(d, value, &err);
    else if (ref.kind == REF_SEALED)
        check_sealed_name(d, value, ref.path);
    check_placeholders(d, value);
}

/* {"command": ["program", …]}: the list, or NULL. */
static struct node *command_of(const struct node *value)
{
    struct node *first = value->kind == NODE_OBJECT ? value->first : NULL;

    return first && str_eq(first->key, "command") && first->kind == NODE_ARRAY && !first->next
               ? first
               : NULL;
}

/* Other braces are the command's own; that one nobody would mean to be handed on as it is. */
static void check_word(struct contract_document *d, const struct node *word)
{
    size_t length;

    for (const char *at = next_placeholder(word->text, &length); at && !d->has_profiles;
         at = next_placeholder(at + 1, &length)) {
        if (!is_word(at + 1, length, "profile"))
            continue;
        no_profile(d, word);
        return;
    }
}

static void check_command(struct contract_document *d, struct node *argv)
{
    static const struct key command = {.name = "command", .kind = KIND_ARGV};

    kind_check(d, &command, argv);
    for (const struct node *word = argv->first; word; word = word->next) {
        if (word->kind != NODE_STRING)
            continue;
        if (word->count > KEY_SOURCE_MAX_BYTES)
            problem(d, word, AT_VALUE, "Put it into a file.",
                    "a word of a command has at most %d bytes", KEY_SOURCE_MAX_BYTES);
        else
            check_word(d, word);
    }
}

static bool is_part_name(const char *name)
{
    if (!is_name_start(*name))
        return false;
    while (is_name_char(*name))
        name++;
    return *name == '\0';
}

static void check_part(struct contract_document *d, struct node *part)
{
    if (!is_part_name(part->key))
        problem(d, part, AT_KEY, "Letters, digits and underscores.",
                "'%.*s' cannot be the name of a part", SHOWN(part->key));
    if (part->kind == NODE_STRING)
        check_text_source(d, part);
    else if (command_of(part))
        check_command(d, command_of(part));
    else
        problem(d, part, AT_VALUE, SOURCE_FORMS, "a part of a source cannot be %s",
                node_kind_words(part));
}

void source_check(struct contract_document *d, struct node *value)
{
    if (value->kind == NODE_STRING) {
        check_text_source(d, value);
        return;
    }
    if (value->kind != NODE_OBJECT) {
        problem(d, value, AT_VALUE, SOURCE_FORMS, "'source' cannot be %s", node_kind_words(value));
        return;
    }
    if (command_of(value)) {
        check_command(d, command_of(value));
        return;
    }
    if (value->count == 0 || value->count > CONTRACT_MAX_PARTS) {
        problem(d, value, AT_VALUE, SOURCE_FORMS, "a source of several has from 1 to %d parts",
                CONTRACT_MAX_PARTS);
        return;
    }
    for (struct node *part = value->first; part; part = part->next)
        check_part(d, part);
}

void source_check_written(struct contract_document *d, const struct node *value, bool record)
{
    static const char record_hint[] = "Write \"vault:secret/…/.agent/{name}\", without a field.";
    const char *text = node_text(value), *whole = text;
    struct arena *a = scratch(d); /* asked for once: it may be emptied then */
    struct ref ref;
    struct err err = ERR_INIT;

    if (!text || value->count == 0 || value->count > KEY_SOURCE_MAX_BYTES)
        return; /* said, but for the length: no path is as long, and Vault says so */
    if (record && !(whole = arena_printf(a, "%s#field", text))) {
        d->no_memory = true;
        return;
    }
    if (ref_parse(a, whole, &ref, &err) != 0 || (record && strchr(text, '#'))) {
        d->no_memory = d->no_memory || err.kind == ERR_RESOURCE;
        problem(d, value, AT_VALUE, record ? record_hint : "Write vault:PATH#FIELD or sealed:NAME.",
                record ? "'records' is no path in Vault" : "a mirror that is no place to write to");
        return;
    }
    if (ref.kind == REF_SEALED && !record)
        check_sealed_name(d, value, ref.path);
    else if (ref.kind != REF_VAULT)
        problem(d, value, AT_VALUE, record ? record_hint : "Write vault:PATH#FIELD or sealed:NAME.",
                record ? "'records' is no path in Vault" : "a mirror that is no place to write to");
    check_placeholders(d, value);
}

/* What logs in must not lie in the repository with the contract. */
void source_check_reference(struct contract_document *d, const struct key *key, struct node *value)
{
    struct ref ref;
    struct err err = ERR_INIT;

    if (value->kind != NODE_STRING) {
        problem(d, value, AT_VALUE, "For example \"env:VAULT_SECRET_ID\".",
                "'%s' takes a reference, not %s", key->name, node_kind_words(value));
        return;
    }
    if (ref_parse(scratch(d), value->text, &ref, &err) != 0) {
        d->no_memory = d->no_memory || err.kind == ERR_RESOURCE;
        problem(d, value, AT_VALUE,
                "Write where it is: env:NAME, file:PATH or sealed:NAME. What stood here is in the "
                "repository's history: replace it.",
                "'%s' takes a reference, not a secret itself", key->name);
        return;
    }
    if (ref.kind == REF_SEALED)
        check_sealed_name(d, value, ref.path);
    else if (ref.kind == REF_VAULT || ref.kind == REF_NONE)
        problem(d, value, AT_VALUE, "Use env:NAME, file:PATH or sealed:NAME.",
                "'%s' is what logs in to Vault: it cannot come from there", key->name);
    check_placeholders(d, value);
}

/* ---- building ------------------------------------------------------------------------------- */

static void add_lower(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_addc(out, *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text);
}

const char *source_substitute(struct contract_document *d, struct arena *a, const char *text,
                              const char *variable, const char *profile)
{
    size_t length;
    const char *at = next_placeholder(text, &length), *from = text;
    AUTO_BUF out = BUF_INIT(SUBSTITUTED_BYTES);

    if (!at)
        return text;
    for (; at; at = next_placeholder(from, &length)) {
        const char *word = at + 1;
        buf_add(&out, from, (size_t)(at - from));
        if (profile && is_word(word, length, "profile"))
            buf_adds(&out, profile);
        else if (variable && is_word(word, length, "name"))
            buf_adds(&out, variable);
        else if (variable && is_word(word, length, "lower_name"))
            add_lower(&out, variable);
        else
            buf_add(&out, at, length + 2); /* a brace of a command's own */
        from = word + length + 1;
    }
    buf_adds(&out, from);
    if (out.too_long)
        return text; /* above KEY_SOURCE_MAX_BYTES: said when it was checked */
    const char *copy = out.no_memory ? NULL : arena_dup_n(a, out.data, out.len);
    if (!copy)
        d->no_memory = true;
    return copy;
}

/* What `base` says of a source is multiplied by the variables that have it. */
static bool may_take(struct contract_document *d, const struct node *source, size_t bytes)
{
    if (d->source_bytes_left >= bytes) {
        d->source_bytes_left -= bytes;
        return true;
    }
    if (d->source_bytes_left > 0)
        problem(d, source, AT_VALUE, "Split the contract.",
                "the sources of all variables have more than %d bytes together",
                CONTRACT_MAX_SOURCE_BYTES);
    d->source_bytes_left = 0;
    return false;
}

static bool may_build(struct contract_document *d, const struct node *source, const char *text)
{
    return text && may_take(d, source, strlen(text) + 1);
}

static void build_command(struct contract_document *d, struct arena *a, const struct node *argv,
                          const char *variable, const char *profile, struct ref *ref)
{
    const char *const *written = node_list(argv);
    size_t count = 0;

    ref->kind = REF_COMMAND;
    ref->folder = d->folder;
    while (written && written[count])
        count++;
    if (!may_take(d, argv, (count + 1) * sizeof(char *)))
        return;
    const char **words = arena_new(a, count + 1, sizeof *words);
    if (!words) {
        d->no_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        words[i] = source_substitute(d, a, written[i], variable, profile);
        if (!may_build(d, argv, words[i]))
            return;
    }
    ref->argv = words;
}

static void build_reference(struct contract_document *d, struct arena *a, const struct node *source,
                            const char *variable, const char *profile, struct ref *ref)
{
    struct err err = ERR_INIT;
    const char *text = node_text(source);

    if (text && d->source_bytes_left > 0) {
        text = source_substitute(d, a, text, variable, profile);
        if (may_build(d, source, text) && ref_parse(a, text, ref, &err) != 0)
            d->no_memory = d->no_memory || err.kind == ERR_RESOURCE; /* else source_check said it */
    }
    if (ref->kind == REF_ENV && !ref->path)
        ref->path = variable;
    if (ref->kind == REF_FILE)
        ref->folder = d->folder;
}

static void build_part(struct contract_document *d, struct arena *a, const struct node *source,
                       const char *variable, const char *profile, struct contract_part *part)
{
    const struct node *argv = source ? command_of(source) : NULL;

    part->ref = (struct ref){.kind = REF_ENV};
    if (argv)
        build_command(d, a, argv, variable, profile, &part->ref);
    else
        build_reference(d, a, source, variable, profile, &part->ref);
}

void source_build(struct contract_document *d, struct arena *a, const struct node *source,
                  const char *profile, struct contract_variable *variable)
{
    bool several = source && source->kind == NODE_OBJECT && !command_of(source);
    size_t count = several ? source->count : 1;

    if (several && !may_take(d, source, count * sizeof(struct contract_part)))
        return;
    struct contract_part *parts = arena_new(a, count, sizeof *parts);

    if (!parts) {
        d->no_memory = true;
        return;
    }
    variable->parts = parts;
    variable->part_count = count;
    if (!source || !several) {
        build_part(d, a, source, variable->name, profile, &parts[0]);
        return;
    }
    for (const struct node *part = source->first; part; part = part->next, parts++) {
        parts->name = part->key;
        build_part(d, a, part, variable->name, profile, parts);
    }
}
