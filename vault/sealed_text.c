/* sealed_text.c: the sealed store's file.
 *
 *     {
 *       "sealed": 1,
 *       "recipients": {
 *         "anna": {"public": "...", "key": "..."},
 *         "office": {"public": "...", "key": "...", "salt": "...", "passes": 3, "memory_kib": 9}
 *       },
 *       "tag": "...",
 *       "values": {
 *         "API_TOKEN": "...",
 *         "DATABASE_URL": "...",
 *         "": "end"
 *       }
 *     }
 *
 * It is JSON with its members in this order, and no escapes: everything in it is a name or base64.
 * The last line of the values is always the same one, so that each value's line ends in a comma: a
 * new last name does not touch its neighbour's line, and both sides of a merge may simply be kept.
 * The reader is ours because jansson has no positions, and a mistake here has to be found by
 * hand. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/sealed_store.h"

enum {
    VERSION = 1,
    VERSION_MAX = 1000000, /* that is told as one */
    MESSAGE_BYTES = 256,
    BASE64_MAX_BYTES = (SEALED_RAW_MAX_BYTES + 2) / 3 * 4,
};

#define END_NAME  ""
#define END_VALUE "end"

struct reader {
    const char *path, *text;
    size_t length, at;
    unsigned line;
    size_t line_start;
    struct err *err;
};

/* ---- pieces ---------------------------------------------------------------------------------- */

static unsigned column_of(const struct reader *r, size_t at)
{
    return (unsigned)(at - r->line_start + 1);
}

static int fail_at(struct reader *r, size_t at, const char *format, ...) PRINTF(3, 4);
static int fail_at(struct reader *r, size_t at, const char *format, ...)
{
    AUTO_BUF message = BUF_INIT(MESSAGE_BYTES);
    va_list args;

    va_start(args, format);
    buf_addv(&message, format, args);
    va_end(args);
    (void)err_set(r->err, ERR_FILE, "%s", buf_text(&message));
    return err_at(r->err, r->path, r->line, column_of(r, at));
}

static void skip_space(struct reader *r)
{
    while (r->at < r->length && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at]) {
        if (r->text[r->at++] == '\n') {
            r->line++;
            r->line_start = r->at;
        }
    }
}

/* What a merge that nobody has finished leaves behind. */
static bool at_merge_marker(const struct reader *r)
{
    static const char *const markers[] = {"<<<<<<<", "=======", ">>>>>>>", "|||||||"};
    size_t left = r->length - r->at;

    for (size_t i = 0; i < ARRAY_LEN(markers); i++)
        if (left >= strlen(markers[i]) &&
            memcmp(r->text + r->at, markers[i], strlen(markers[i])) == 0)
            return true;
    return false;
}

static int expected(struct reader *r, const char *what)
{
    if (r->at >= r->length)
        return fail_at(r, r->at, "the file ends where %s was expected", what);
    if (!at_merge_marker(r))
        return fail_at(r, r->at, "expected %s", what);
    (void)fail_at(r, r->at, "this is a merge that was not finished");
    return err_hint(r->err, "Keep the value lines of both sides and take the marks out. If the "
                            "recipients differ, take one side and run 'agent seal set' for the "
                            "other's values.");
}

static bool is_next(struct reader *r, char c)
{
    skip_space(r);
    return r->at < r->length && r->text[r->at] == c;
}

static int take(struct reader *r, char c)
{
    const char what[] = {'\'', c, '\'', '\0'};

    if (!is_next(r, c))
        return expected(r, what);
    r->at++;
    return 0;
}

/* A text without escapes; *start is where its first byte is. */
static int take_text(struct reader *r, const char *what, size_t most, size_t *start, size_t *length)
{
    if (!is_next(r, '"'))
        return expected(r, what);
    size_t from = ++r->at;
    for (; r->at < r->length && r->text[r->at] != '"'; r->at++) {
        unsigned char c = (unsigned char)r->text[r->at];
        if (c < 0x20 || c >= 0x7F || c == '\\')
            return fail_at(r, r->at, "a byte that has no place in %s", what);
        if (r->at - from >= most)
            return fail_at(r, from, "%s has more than %zu bytes", what, most);
    }
    if (r->at >= r->length)
        return fail_at(r, r->at, "the file ends in %s", what);
    *start = from;
    *length = r->at++ - from;
    return 0;
}

static bool is_text(const struct reader *r, size_t start, size_t length, const char *wanted)
{
    return length == strlen(wanted) && memcmp(r->text + start, wanted, length) == 0;
}

/* `"KEY":` */
static int take_key(struct reader *r, const char *key)
{
    char what[MESSAGE_BYTES];
    size_t start, length;

    (void)snprintf(what, sizeof what, "\"%s\"", key);
    if (!is_next(r, '"'))
        return expected(r, what);
    size_t at = r->at;
    if (take_text(r, what, SEALED_LABEL_BYTES, &start, &length) != 0)
        return -1;
    if (!is_text(r, start, length, key))
        return fail_at(r, at, "expected %s", what);
    return take(r, ':');
}

static int take_number(struct reader *r, const char *what, unsigned most, unsigned *out)
{
    unsigned number = 0;

    skip_space(r);
    size_t from = r->at;
    for (; r->at < r->length && r->text[r->at] >= '0' && r->text[r->at] <= '9'; r->at++) {
        number = number * 10 + (unsigned)(r->text[r->at] - '0');
        if (number > most)
            return fail_at(r, from, "%s is at most %u", what, most);
    }
    if (r->at == from)
        return expected(r, "a number");
    *out = number;
    return 0;
}

/* `"KEY": "base64 of LENGTH bytes"` */
static int take_bytes(struct reader *r, const char *key, uint8_t *out, size_t length)
{
    size_t start, text_length, written;

    if (take_key(r, key) != 0 || take_text(r, "base64", MESSAGE_BYTES, &start, &text_length) != 0)
        return -1;
    if (crypt_from_base64(r->text + start, text_length, out, length, &written) != 0 ||
        written != length)
        return fail_at(r, start, "\"%s\" is not base64 of %zu bytes", key, length);
    return 0;
}

/* ---- recipients ------------------------------------------------------------------------------ */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool sealed_is_label(const char *label, size_t length)
{
    if (length == 0 || length > SEALED_LABEL_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_letter_or_digit(label[i]) && (!label[i] || !strchr("._@+-", label[i])))
            return false;
    return true;
}

static int read_cost(struct reader *r, struct crypt_cost *cost)
{
    if (take(r, ',') != 0 || take_bytes(r, "salt", cost->salt, sizeof cost->salt) != 0 ||
        take(r, ',') != 0 || take_key(r, "passes") != 0 ||
        take_number(r, "\"passes\"", CRYPT_PASSES_MAX, &cost->passes) != 0)
        return -1;
    if (cost->passes == 0)
        return fail_at(r, r->at - 1, "\"passes\" is at least 1");
    if (take(r, ',') != 0 || take_key(r, "memory_kib") != 0)
        return -1;
    skip_space(r);
    size_t at = r->at;
    if (take_number(r, "\"memory_kib\"", CRYPT_MEMORY_MAX_KIB, &cost->memory_kib) != 0)
        return -1;
    return cost->memory_kib < CRYPT_MEMORY_LEAST_KIB
               ? fail_at(r, at, "\"memory_kib\" is at least %d", CRYPT_MEMORY_LEAST_KIB)
               : 0;
}

static int recipient_again(struct reader *r, size_t at, const struct sealed_recipient *first)
{
    (void)fail_at(r, at, "the recipient '%s' is in line %u too", first->label, first->line);
    return err_hint(r->err, "Where both sides of a merge have changed who can open it, take one "
                            "side's file whole, and run 'agent seal set' for the other's values.");
}

static int read_recipient(struct reader *r, struct sealed *store)
{
    struct sealed_recipient recipient = {0};
    size_t start, length;

    if (take_text(r, "a recipient's label", SEALED_LABEL_BYTES, &start, &length) != 0)
        return -1;
    recipient.line = r->line;
    if (!sealed_is_label(r->text + start, length))
        return fail_at(r, start, "a label has letters, digits and . _ @ + - alone");
    recipient.label = arena_dup_n(&store->arena, r->text + start, length);
    if (!recipient.label)
        return err_nomem(r->err);
    for (size_t i = 0; i < store->recipient_count; i++)
        if (str_eq(store->recipients[i].label, recipient.label))
            return recipient_again(r, start, &store->recipients[i]);
    if (store->recipient_count == SEALED_MAX_RECIPIENTS)
        return fail_at(r, start, "there are more than %d recipients", SEALED_MAX_RECIPIENTS);
    if (take(r, ':') != 0 || take(r, '{') != 0 ||
        take_bytes(r, "public", recipient.public_key, sizeof recipient.public_key) != 0 ||
        take(r, ',') != 0 || take_bytes(r, "key", recipient.wrapped, sizeof recipient.wrapped) != 0)
        return -1;
    recipient.by_passphrase = is_next(r, ',');
    if ((recipient.by_passphrase && read_cost(r, &recipient.cost) != 0) || take(r, '}') != 0)
        return -1;
    if (mem_grow(&store->recipients, store->recipient_count, &store->recipient_capacity,
                 sizeof *store->recipients) != 0)
        return err_nomem(r->err);
    store->recipients[store->recipient_count++] = recipient;
    return 0;
}

static int read_recipients(struct reader *r, struct sealed *store)
{
    if (take_key(r, "recipients") != 0 || take(r, '{') != 0)
        return -1;
    do {
        if (read_recipient(r, store) != 0)
            return -1;
        if (is_next(r, '}')) {
            r->at++;
            return take(r, ',');
        }
    } while (take(r, ',') == 0);
    return -1;
}

/* ---- values ---------------------------------------------------------------------------------- */

bool sealed_is_variable(const char *name, size_t length)
{
    if (length == 0 || length > SEALED_NAME_BYTES || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_letter_or_digit(name[i]) && name[i] != '_')
            return false;
    return true;
}

/* What rotations keep beside a variable. */
static const char *const record_suffixes[] = {SEALED_PENDING, SEALED_RECEIPTS};

static bool is_record(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_LEN(record_suffixes); i++) {
        size_t suffix = strlen(record_suffixes[i]);
        if (length > suffix && memcmp(name + length - suffix, record_suffixes[i], suffix) == 0)
            return sealed_is_variable(name, length - suffix);
    }
    return false;
}

bool sealed_is_record(const char *name)
{
    return is_record(name, strlen(name));
}

bool sealed_is_name(const char *name, size_t length)
{
    return sealed_is_variable(name, length) || is_record(name, length);
}

static int read_value(struct reader *r, struct sealed *store, size_t name, size_t name_length,
                      struct buf *scratch)
{
    struct sealed_entry entry = {0};
    size_t start, written;

    if (!sealed_is_name(r->text + name, name_length))
        return fail_at(r, name, "a name has letters, digits and underscores, and no digit first");
    if (store->entry_count == SEALED_MAX_NAMES)
        return fail_at(r, name, "there are more than %d names", SEALED_MAX_NAMES);
    if (take_text(r, "a sealed value", BASE64_MAX_BYTES, &start, &entry.text_length) != 0)
        return -1;
    entry.line = r->line;
    entry.column = column_of(r, start);
    buf_clear(scratch);
    char *room = buf_reserve(scratch, entry.text_length);
    if (!room)
        return err_nomem(r->err);
    if (crypt_from_base64(r->text + start, entry.text_length, room, entry.text_length, &written) !=
        0)
        return fail_at(r, start, "the sealed value of '%.*s' is not base64", (int)name_length,
                       r->text + name);
    entry.name = arena_dup_n(&store->arena, r->text + name, name_length);
    entry.text = arena_dup_n(&store->arena, r->text + start, entry.text_length);
    if (!entry.name || !entry.text ||
        mem_grow(&store->entries, store->entry_count, &store->entry_capacity,
                 sizeof *store->entries) != 0)
        return err_nomem(r->err);
    store->entries[store->entry_count++] = entry;
    return 0;
}

static int read_end(struct reader *r)
{
    size_t start, length;
    if (take_text(r, "\"" END_VALUE "\"", SEALED_LABEL_BYTES, &start, &length) != 0)
        return -1;
    if (!is_text(r, start, length, END_VALUE))
        return fail_at(r, start, "expected \"" END_VALUE "\"");
    return take(r, '}');
}

static int read_values(struct reader *r, struct sealed *store)
{
    AUTO_BUF scratch = BUF_INIT(BASE64_MAX_BYTES);
    size_t start, length;

    if (take_key(r, "values") != 0 || take(r, '{') != 0)
        return -1;
    for (;;) {
        if (take_text(r, "a name", SEALED_NAME_BYTES, &start, &length) != 0 || take(r, ':') != 0)
            return -1;
        if (is_text(r, start, length, END_NAME))
            return read_end(r);
        if (read_value(r, store, start, length, &scratch) != 0 || take(r, ',') != 0)
            return -1;
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct sealed_entry *one = a, *other = b;
    int order = strcmp(one->name, other->name);

    return order != 0 ? order : (one->line > other->line) - (one->line < other->line);
}

static int by_label(const void *a, const void *b)
{
    const struct sealed_recipient *one = a, *other = b;

    return strcmp(one->label, other->label);
}

/* A merge may have put lines in another order, and git's union of two sides repeats the lines
 * between two places that both have changed: what is there twice and is the same counts once. */
static int sort(struct sealed *store, struct err *err)
{
    struct sealed_entry *e = store->entries;
    size_t kept = 0;

    qsort(store->recipients, store->recipient_count, sizeof *store->recipients, by_label);
    if (store->entry_count > 0)
        qsort(e, store->entry_count, sizeof *e, by_name);
    for (size_t i = 0; i < store->entry_count; i++) {
        if (kept == 0 || !str_eq(e[kept - 1].name, e[i].name)) {
            e[kept++] = e[i];
        } else if (!str_eq(e[kept - 1].text, e[i].text)) {
            (void)err_set(err, ERR_FILE, "'%s' has another value in line %u", e[i].name,
                          e[kept - 1].line);
            (void)err_at(err, store->path, e[i].line, 1);
            return err_hint(err,
                            "Take one of the two lines out; 'agent seal get %s' then shows "
                            "which value it was.",
                            e[i].name);
        }
    }
    store->entry_count = kept;
    return 0;
}

static int read_version(struct reader *r)
{
    unsigned version;

    if (take(r, '{') != 0 || take_key(r, "sealed") != 0)
        return -1;
    skip_space(r);
    size_t at = r->at;
    if (take_number(r, "the version", VERSION_MAX, &version) != 0)
        return -1;
    if (version == VERSION)
        return take(r, ',');
    (void)fail_at(r, at, "version %u of the sealed store, where this agent knows %d", version,
                  VERSION);
    return err_hint(r->err, "Use the agent that wrote it, or a newer one.");
}

static int read_all(struct reader *r, struct sealed *store)
{
    if (read_version(r) != 0 || read_recipients(r, store) != 0 ||
        take_bytes(r, "tag", store->tag, sizeof store->tag) != 0 || take(r, ',') != 0 ||
        read_values(r, store) != 0 || take(r, '}') != 0)
        return -1;
    skip_space(r);
    return r->at < r->length ? fail_at(r, r->at, "something stands behind the end") : 0;
}

int sealed_read_text(struct sealed *store, const struct buf *text, struct err *err)
{
    struct reader r = {
        .path = store->path, .text = buf_text(text), .length = text->len, .line = 1, .err = err};

    if (text->len == 0) {
        (void)err_set(err, ERR_FILE, "'%s' is empty", store->path);
        (void)err_at(err, store->path, 1, 1);
        return err_hint(err, "Take it from the repository's history, or remove it and run "
                             "'agent seal init'.");
    }
    if (read_all(&r, store) == 0)
        return sort(store, err);
    if (!err->hint[0] && err->kind == ERR_FILE)
        (void)err_hint(err, "Something else than agent changed it: mend this place, or take the "
                            "file from the repository's history.");
    return -1;
}

static void write_bytes(struct buf *out, const char *before, const uint8_t *bytes, size_t length)
{
    buf_addf(out, "%s: \"", before);
    crypt_add_base64(out, bytes, length);
    buf_addc(out, '"');
}

static void write_recipient(const struct sealed_recipient *recipient, struct buf *out)
{
    buf_addf(out, "    \"%s\": {", recipient->label);
    write_bytes(out, "\"public\"", recipient->public_key, sizeof recipient->public_key);
    write_bytes(out, ", \"key\"", recipient->wrapped, sizeof recipient->wrapped);
    if (recipient->by_passphrase) {
        write_bytes(out, ", \"salt\"", recipient->cost.salt, sizeof recipient->cost.salt);
        buf_addf(out, ", \"passes\": %u, \"memory_kib\": %u", recipient->cost.passes,
                 recipient->cost.memory_kib);
    }
    buf_addc(out, '}');
}

void sealed_write_text(const struct sealed *store, struct buf *out)
{
    buf_addf(out, "{\n  \"sealed\": %d,\n  \"recipients\": {\n", VERSION);
    for (size_t i = 0; i < store->recipient_count; i++) {
        write_recipient(&store->recipients[i], out);
        buf_adds(out, i + 1 < store->recipient_count ? ",\n" : "\n");
    }
    buf_adds(out, "  },\n  ");
    write_bytes(out, "\"tag\"", store->tag, sizeof store->tag);
    buf_adds(out, ",\n  \"values\": {\n");
    for (size_t i = 0; i < store->entry_count; i++) {
        buf_addf(out, "    \"%s\": \"", store->entries[i].name);
        buf_add(out, store->entries[i].text, store->entries[i].text_length);
        buf_adds(out, "\",\n");
    }
    buf_adds(out, "    \"" END_NAME "\": \"" END_VALUE "\"\n  }\n}\n");
}
