/* document.c: JSON objects of texts, with one level of groups.
 *
 * Reading goes through jansson, whose tree is wiped; writing through base/json.h, with numbers
 * and booleans put in as they are kept. */
#include "vault/document.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/internal.h"

enum { NUMBER_BYTES = 24, MEMBER_NAME_BYTES = 128 };

#define EXACT_MAX (INT64_C(1) << 53)

/* ---- entries and groups --------------------------------------------------------------------- */

static const char *find_group(const struct document *doc, const char *group)
{
    for (size_t i = 0; group && i < doc->group_count; i++)
        if (str_eq(doc->groups[i], group))
            return doc->groups[i];
    return NULL;
}

static struct document_entry *find(const struct document *doc, const char *group, const char *name)
{
    for (size_t i = 0; i < doc->count; i++)
        if (str_eq(doc->list[i].group, group) && str_eq(doc->list[i].name, name))
            return &doc->list[i];
    return NULL;
}

static void release_entry(struct document_entry *entry)
{
    free(entry->name);
    secret_release(&entry->value);
}

static int taken(const char *name, struct err *err)
{
    return err_set(err, ERR_DEFECT, "a document's '%s' was to be both a value and a group", name);
}

/* The document's own name of GROUP, made where it is not there. NULL: no memory. */
static const char *own_group(struct document *doc, const char *group, struct err *err)
{
    const char *there = find_group(doc, group);

    if (there)
        return there;
    if (find(doc, NULL, group)) {
        (void)taken(group, err);
        return NULL;
    }
    char *copy = mem_dup(group);
    if (!copy ||
        mem_grow(&doc->groups, doc->group_count, &doc->group_capacity, sizeof(*doc->groups)) != 0) {
        free(copy);
        (void)err_nomem(err);
        return NULL;
    }
    return doc->groups[doc->group_count++] = copy;
}

/* Put an entry at the end, whose name nobody has. GROUP is the document's own. */
static int append(struct document *doc, const char *group, const char *name,
                  enum document_type type, const char *bytes, size_t length, struct err *err)
{
    struct document_entry entry = {.group = group, .type = type};

    if (doc->count >= DOCUMENT_MAX_ENTRIES)
        return err_set(err, ERR_RESOURCE, "a document has at most %d values", DOCUMENT_MAX_ENTRIES);
    if (mem_grow(&doc->list, doc->count, &doc->capacity, sizeof(*doc->list)) != 0)
        return err_nomem(err);
    entry.name = mem_dup(name);
    if (!entry.name)
        return err_nomem(err);
    if (secret_set(&entry.value, bytes, length, err) != 0) {
        free(entry.name);
        return -1;
    }
    doc->list[doc->count++] = entry;
    return 0;
}

static int set_typed(struct document *doc, const char *group, const char *name,
                     enum document_type type, const char *bytes, size_t length, struct err *err)
{
    struct document_entry *there = find(doc, group, name);
    AUTO_SECRET value = SECRET_INIT;

    if (there) {
        if (secret_set(&value, bytes, length, err) != 0)
            return -1;
        secret_release(&there->value);
        there->value = value;
        there->type = type;
        value = SECRET_INIT; /* it is the document's */
        return 0;
    }
    if (!group)
        return find_group(doc, name) ? taken(name, err)
                                     : append(doc, NULL, name, type, bytes, length, err);
    bool is_new = !find_group(doc, group);
    const char *own = own_group(doc, group, err);
    if (!own)
        return -1;
    if (append(doc, own, name, type, bytes, length, err) == 0)
        return 0;
    if (is_new)
        document_remove_group(doc, own);
    return -1;
}

int document_set(struct document *doc, const char *group, const char *name,
                 const struct secret *value, struct err *err)
{
    if (!secret_is_set(value))
        return err_set(err, ERR_DEFECT, "a document's '%s' was to be set to nothing", name);
    return set_typed(doc, group, name, DOCUMENT_STRING, secret_reveal(value), secret_length(value),
                     err);
}

int document_set_text(struct document *doc, const char *group, const char *name, const char *text,
                      struct err *err)
{
    return set_typed(doc, group, name, DOCUMENT_STRING, text, strlen(text), err);
}

int document_set_number(struct document *doc, const char *group, const char *name, int64_t number,
                        struct err *err)
{
    char text[NUMBER_BYTES];

    if (number > EXACT_MAX || number < -EXACT_MAX)
        return err_set(err, ERR_DEFECT, "a document's '%s' was to be a number beyond 2^53", name);
    int length = snprintf(text, sizeof text, "%" PRId64, number);
    return set_typed(doc, group, name, DOCUMENT_NUMBER, text, (size_t)length, err);
}

int document_add_group(struct document *doc, const char *group, struct err *err)
{
    return own_group(doc, group, err) ? 0 : -1;
}

const struct secret *document_get(const struct document *doc, const char *group, const char *name)
{
    const struct document_entry *entry = find(doc, group, name);

    return entry ? &entry->value : NULL;
}

const char *document_text(const struct document *doc, const char *group, const char *name)
{
    const struct secret *value = document_get(doc, group, name);

    return value ? secret_reveal(value) : NULL;
}

bool document_number(const struct document *doc, const char *group, const char *name, int64_t *out)
{
    const struct document_entry *entry = find(doc, group, name);

    return entry && entry->type == DOCUMENT_NUMBER &&
           str_to_int64(secret_reveal(&entry->value), secret_length(&entry->value), out) == 0;
}

bool document_has_group(const struct document *doc, const char *group)
{
    return find_group(doc, group) != NULL;
}

void document_remove(struct document *doc, const char *group, const char *name)
{
    struct document_entry *entry = find(doc, group, name);

    if (!entry)
        return;
    release_entry(entry);
    size_t behind = (size_t)(doc->list + doc->count - entry) - 1;
    memmove(entry, entry + 1, behind * sizeof(*entry));
    doc->count--;
}

void document_remove_group(struct document *doc, const char *group)
{
    size_t kept = 0, groups = 0;

    for (size_t i = 0; i < doc->count; i++) {
        if (doc->list[i].group && str_eq(doc->list[i].group, group))
            release_entry(&doc->list[i]);
        else
            doc->list[kept++] = doc->list[i];
    }
    doc->count = kept;
    for (size_t i = 0; i < doc->group_count; i++) {
        if (str_eq(doc->groups[i], group))
            free(doc->groups[i]);
        else
            doc->groups[groups++] = doc->groups[i];
    }
    doc->group_count = groups;
}

int document_copy(struct document *to, const struct document *from, struct err *err)
{
    AUTO_DOCUMENT copy = DOCUMENT_INIT;

    copy.is_partial = from->is_partial;
    for (size_t i = 0; i < from->group_count; i++)
        if (document_add_group(&copy, from->groups[i], err) != 0)
            return -1;
    for (size_t i = 0; i < from->count; i++) {
        const struct document_entry *entry = &from->list[i];
        if (append(&copy, find_group(&copy, entry->group), entry->name, entry->type,
                   secret_reveal(&entry->value), secret_length(&entry->value), err) != 0)
            return -1;
    }
    document_release(to);
    *to = copy;
    copy = DOCUMENT_INIT;
    return 0;
}

void document_release(struct document *doc)
{
    for (size_t i = 0; i < doc->count; i++)
        release_entry(&doc->list[i]);
    for (size_t i = 0; i < doc->group_count; i++)
        free(doc->groups[i]);
    free(doc->list);
    free(doc->groups);
    *doc = DOCUMENT_INIT;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    struct document *doc;
    const char *what;
    enum err_kind kind;
    bool known_only; /* what has no place in a document is left out */
};

/* What VALUE is when it has no place in a document; NULL: it has one. */
static const char *misfit(const json_t *value)
{
    json_int_t number;

    switch (json_typeof(value)) {
    case JSON_INTEGER:
        number = json_integer_value(value);
        return number > EXACT_MAX || number < -EXACT_MAX ? "a number beyond 2^53" : NULL;
    case JSON_REAL:
        return "a number that is not a whole one up to 2^53";
    case JSON_STRING:
        if (json_string_length(value) > SECRET_MAX_BYTES)
            return "a string that is longer than a secret may be";
        return memchr(json_string_value(value), '\0', json_string_length(value))
                   ? "a string with a NUL byte"
                   : NULL;
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        return "an object";
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return NULL;
}

static int refuse(const struct reader *r, const char *group, const char *name, const char *is,
                  struct err *err)
{
    if (r->known_only) {
        r->doc->is_partial = true;
        return 0;
    }
    (void)err_set(err, r->kind, "%s: '%s%s%.*s' is %s", r->what, group ? group : "",
                  group ? "." : "", MEMBER_NAME_BYTES, name, is);
    return err_hint(err, "What fits there: strings, whole numbers, true, false, and one level of "
                         "objects with those.");
}

/* jansson has seen that no name is there twice. GROUP is the document's own. */
static int read_value(const struct reader *r, const char *group, const char *name,
                      const json_t *value, struct err *err)
{
    const char *is = misfit(value);
    const char *word = json_is_true(value) ? "true" : "false";
    char number[NUMBER_BYTES];

    if (is)
        return refuse(r, group, name, is, err);
    if (json_is_null(value)) {
        r->doc->is_partial = r->doc->is_partial || r->known_only; /* it would be lost on writing */
        return 0;
    }
    if (json_is_string(value))
        return append(r->doc, group, name, DOCUMENT_STRING, json_string_value(value),
                      json_string_length(value), err);
    if (!json_is_integer(value))
        return append(r->doc, group, name, DOCUMENT_BOOL, word, strlen(word), err);
    int length = snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT,
                          json_integer_value(value));
    int result = append(r->doc, group, name, DOCUMENT_NUMBER, number, (size_t)length, err);
    mem_wipe(number, sizeof number);
    return result;
}

static int read_group(const struct reader *r, const char *name, json_t *object, struct err *err)
{
    const char *group = own_group(r->doc, name, err);
    json_t *value;

    if (!group)
        return -1;
    json_object_foreach(object, name,
                        value) if (read_value(r, group, name, value, err) != 0) return -1;
    return 0;
}

static int read_top(const struct reader *r, json_t *object, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name,
                        value) if ((json_is_object(value)
                                        ? read_group(r, name, value, err)
                                        : read_value(r, NULL, name, value, err)) != 0) return -1;
    return 0;
}

int document_from_json(json_t *object, const char *what, enum err_kind kind, bool known_only,
                       struct document *out, struct err *err)
{
    AUTO_DOCUMENT doc = DOCUMENT_INIT;
    const struct reader r = {&doc, what, kind, known_only};

    if (!json_is_object(object))
        return err_set(err, kind, "%s is no object", what);
    if (read_top(&r, object, err) != 0)
        return -1;
    *out = doc;
    doc = DOCUMENT_INIT;
    return 0;
}

static int parse(const char *bytes, size_t length, const char *what, enum err_kind kind,
                 bool known_only, struct document *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(DOCUMENT_MAX_BYTES);
    AUTO_JSON json = NULL;

    vault_json_use_memory(); /* there may be no Vault: a hook's output is read without one */
    buf_add(&text, bytes, length);
    if (buf_check(&text, kind, what, err) != 0)
        return -1;
    if (vault_json_parse(&text, what, &json, err) != 0) {
        if (err->kind == ERR_SOURCE_DATA)
            err->kind = kind;
        return -1;
    }
    return document_from_json(json, what, kind, known_only, out, err);
}

int document_parse(const char *bytes, size_t length, const char *what, enum err_kind kind,
                   struct document *out, struct err *err)
{
    return parse(bytes, length, what, kind, false, out, err);
}

int document_parse_known(const char *bytes, size_t length, const char *what, enum err_kind kind,
                         struct document *out, struct err *err)
{
    return parse(bytes, length, what, kind, true, out, err);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void add_entry(struct buf *text, const char *separator, const struct document_entry *entry)
{
    const char *value = secret_reveal(&entry->value);
    size_t length = secret_length(&entry->value);

    buf_adds(text, separator);
    str_add_json(text, entry->name, strlen(entry->name));
    buf_addc(text, ':');
    if (entry->type == DOCUMENT_STRING)
        str_add_json(text, value, length);
    else
        buf_add(text, value, length);
}

/* The members of GROUP (NULL: of the top) behind SEPARATOR; what the next one has before it. */
static const char *add_members(struct buf *text, const struct document *doc, const char *group)
{
    const char *separator = "";

    for (size_t i = 0; i < doc->count; i++) {
        if (!str_eq(doc->list[i].group, group))
            continue;
        add_entry(text, separator, &doc->list[i]);
        separator = ",";
    }
    return separator;
}

int document_write(const struct document *doc, struct secret *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(SECRET_MAX_BYTES);

    if (doc->is_partial)
        return err_set(err, ERR_DEFECT, "a document that was read in part was to be written whole");
    buf_addc(&text, '{');
    const char *separator = add_members(&text, doc, NULL);
    for (size_t i = 0; i < doc->group_count; i++) {
        buf_adds(&text, separator);
        str_add_json(&text, doc->groups[i], strlen(doc->groups[i]));
        buf_adds(&text, ":{");
        (void)add_members(&text, doc, doc->groups[i]);
        buf_addc(&text, '}');
        separator = ",";
    }
    buf_addc(&text, '}');
    if (buf_check(&text, ERR_USAGE, "a document", err) != 0)
        return -1;
    AUTO_SECRET written = SECRET_INIT;
    if (secret_set(&written, buf_text(&text), text.len, err) != 0)
        return -1;
    secret_release(out);
    *out = written;
    written = SECRET_INIT;
    return 0;
}
