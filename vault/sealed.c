/* sealed.c: see vault/sealed.h. */
#include "vault/sealed.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "vault/sealed_store.h"

enum {
    STORE_MODE = 0644, /* it is for the repository */
    MODE_BITS = 0777,
    PURPOSE_BYTES = 64 + SEALED_NAME_BYTES,
    LIST_BYTES = SEALED_MAX_RECIPIENTS * (SEALED_LABEL_BYTES + 128),
};

/* What is authenticated with a value and with the list, so that neither can stand for the other,
 * nor for what a later version seals. */
#define VALUE_PURPOSE "agent sealed value 1"
#define LIST_PURPOSE  "agent sealed recipients 1"

/* ---- from and to the file -------------------------------------------------------------------- */

void sealed_free(struct sealed *store)
{
    if (!store)
        return;
    secret_release(&store->key);
    free(store->recipients);
    free(store->entries);
    arena_release(&store->arena);
    free(store);
}

static void auto_sealed(struct sealed **store)
{
    sealed_free(*store);
}

static struct sealed *store_at(const char *path)
{
    struct sealed *store = mem_new(1, sizeof *store);

    if (store && !(store->path = arena_dup(&store->arena, path)))
        sealed_free(TAKE_POINTER(store));
    return store;
}

int sealed_load(const char *path, struct sealed **out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(SEALED_MAX_BYTES);
    CLEANUP(auto_sealed) struct sealed *store = store_at(path);

    if (!store)
        return err_nomem(err);
    if (file_read_all(path, &text, err) != 0) {
        if (err->sys_errno != ENOENT && err->sys_errno != ENOTDIR)
            return -1;
        err_set(err, ERR_SOURCE_MISSING, "there is no sealed store '%s'", path);
        return err_hint(err,
                        "Run 'agent seal init' to begin one, or say in AGENT_SEALED where it is.");
    }
    if (sealed_read_text(store, &text, err) != 0)
        return -1;
    *out = TAKE_POINTER(store);
    return 0;
}

/* Whether STORE's list of recipients was made with KEY, which is then its data key. */
static int is_key_of(const struct sealed *store, const struct secret *key, bool *is,
                     struct err *err)
{
    uint8_t tag[CRYPT_TAG_BYTES];

    if (sealed_list_tag(store, key, tag, err) != 0)
        return -1;
    *is = crypt_same(tag, store->tag, sizeof tag);
    return 0;
}

int sealed_load_again(const struct sealed *store, struct sealed **out, struct err *err)
{
    CLEANUP(auto_sealed) struct sealed *again = NULL;
    bool same = false;

    if (sealed_load(store->path, &again, err) != 0 || !again)
        return -1;
    if (secret_is_set(&store->key) && is_key_of(again, &store->key, &same, err) != 0)
        return -1;
    if (same) {
        if (secret_set(&again->key, secret_reveal(&store->key), secret_length(&store->key), err) !=
            0)
            return -1;
        memcpy(again->opened_by, store->opened_by, sizeof again->opened_by);
    }
    *out = TAKE_POINTER(again);
    return 0;
}

int sealed_new(const char *path, struct sealed **out, struct err *err)
{
    CLEANUP(auto_sealed) struct sealed *store = NULL;
    struct stat st;

    if (lstat(path, &st) == 0) {
        err_set(err, ERR_USAGE, "there is a sealed store already: '%s'", path);
        return err_hint(err, "'agent seal rekey' changes who can open it.");
    }
    if (errno != ENOENT)
        return err_errno(err, ERR_FILE, "look at '%s'", path);
    store = store_at(path);
    if (!store)
        return err_nomem(err);
    if (crypt_new_key(&store->key, err) != 0)
        return -1;
    *out = TAKE_POINTER(store);
    return 0;
}

int sealed_save(const struct sealed *store, struct err *err)
{
    AUTO_BUF text = BUF_INIT(SEALED_MAX_BYTES);
    struct stat st;
    bool there = lstat(store->path, &st) == 0;
    mode_t mode = there ? st.st_mode & MODE_BITS : STORE_MODE;

    if (store->recipient_count == 0)
        return err_set(err, ERR_DEFECT, "a sealed store without recipients cannot be saved");
    if (there && S_ISLNK(st.st_mode)) { /* what others read behind it would stay as it is */
        (void)err_set(err, ERR_FILE, "the sealed store '%s' is a symbolic link", store->path);
        (void)err_hint(err, "Name the file that it points to in AGENT_SEALED.");
        return err_at(err, store->path, 0, 0);
    }
    sealed_write_text(store, &text);
    if (buf_check(&text, ERR_FILE, "the sealed store", err) != 0)
        return -1;
    return file_replace(store->path, buf_text(&text), text.len, mode, err);
}

/* ---- names ----------------------------------------------------------------------------------- */

size_t sealed_count(const struct sealed *store)
{
    return store->entry_count;
}

const char *sealed_name(const struct sealed *store, size_t index)
{
    return store->entries[index].name;
}

/* Where NAME is, or would be. */
static size_t place_of(const struct sealed *store, const char *name, bool *there)
{
    size_t from = 0, to = store->entry_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(store->entries[middle].name, name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *there = from < store->entry_count && str_eq(store->entries[from].name, name);
    return from;
}

bool sealed_has(const struct sealed *store, const char *name)
{
    bool there;

    (void)place_of(store, name, &there);
    return there;
}

int sealed_check_name(const char *name, struct err *err)
{
    if (sealed_is_variable(name, strlen(name)))
        return 0;
    err_set(err, ERR_USAGE, "that cannot be the name of a sealed value");
    return err_hint(err,
                    "A name has letters, digits and underscores, no digit first, and at most %d "
                    "bytes.",
                    SEALED_NAME_BYTES);
}

static int no_such_name(const struct sealed *store, const char *name, bool is_wanted,
                        struct err *err)
{
    AUTO_FREE const char **names = mem_new(store->entry_count + 1, sizeof *names);

    if (!names)
        return err_nomem(err);
    for (size_t i = 0; i < store->entry_count; i++)
        names[i] = store->entries[i].name;
    err_set(err, ERR_SOURCE_MISSING, "'%s' has no '%s'", store->path, name);
    const char *nearest = str_nearest(name, names);
    if (nearest)
        return err_hint(err, "Did you mean '%s'?", nearest);
    return is_wanted ? err_hint(err, "Run 'agent seal set %s' to put it there.", name)
                     : err_hint(err, "'agent seal list' shows the names that it has.");
}

/* ---- values ---------------------------------------------------------------------------------- */

static void purpose_of(const char *name, struct buf *out)
{
    buf_add(out, VALUE_PURPOSE, sizeof VALUE_PURPOSE); /* its NUL parts them */
    buf_adds(out, name);
}

static int open_entry(const struct sealed *store, const struct sealed_entry *entry,
                      struct secret *out, struct err *err)
{
    size_t written, most = entry->text_length / 4 * 3; /* base64's padding counted as bytes */
    AUTO_BUF purpose = BUF_INIT(PURPOSE_BYTES), raw = BUF_INIT(most);

    purpose_of(entry->name, &purpose);
    char *room = buf_reserve(&raw, most);
    if (buf_check(&purpose, ERR_DEFECT, "a name", err) != 0 || !room)
        return err_nomem(err);
    if (crypt_from_base64(entry->text, entry->text_length, room, most, &written) != 0)
        return err_set(err, ERR_DEFECT, "'%s' has '%s', which is not base64", store->path,
                       entry->name);
    if (crypt_open(&store->key, &purpose, room, written, out, err) == 0)
        return 0;
    if (err->kind != ERR_SOURCE_DATA)
        return -1;
    (void)err_set(err, ERR_SOURCE_DATA, "the sealed value of '%s' does not open", entry->name);
    (void)err_at(err, store->path, entry->line, entry->column);
    return err_hint(err,
                    "Its line was changed, comes from another name, or is from before a rekey: "
                    "take it from the history, or set it again with 'agent seal set %s'.",
                    entry->name);
}

int sealed_get(const struct sealed *store, const char *name, struct secret *out, struct err *err)
{
    bool there;
    size_t place = place_of(store, name, &there);

    return there ? open_entry(store, &store->entries[place], out, err)
                 : no_such_name(store, name, true, err);
}

/* ENTRY's text from VALUE, sealed with KEY. */
static int seal_entry(struct sealed *store, const struct secret *key, const struct secret *value,
                      struct sealed_entry *entry, struct err *err)
{
    AUTO_BUF purpose = BUF_INIT(PURPOSE_BYTES), raw = BUF_INIT(SEALED_RAW_MAX_BYTES);
    AUTO_BUF text = BUF_INIT((size_t)SEALED_RAW_MAX_BYTES * 2);

    purpose_of(entry->name, &purpose);
    if (buf_check(&purpose, ERR_USAGE, "the name", err) != 0 ||
        crypt_seal(key, &purpose, value, &raw, err) != 0)
        return -1;
    crypt_add_base64(&text, buf_text(&raw), raw.len);
    if (buf_check(&text, ERR_RESOURCE, "a sealed value", err) != 0)
        return -1;
    const char *kept = arena_dup_n(&store->arena, buf_text(&text), text.len);
    if (!kept)
        return err_nomem(err);
    entry->text = kept;
    entry->text_length = text.len;
    return 0;
}

static int check_value(const struct secret *value, struct err *err)
{
    size_t length = secret_length(value);

    if (length > SEALED_VALUE_MAX_BYTES)
        return err_set(err, ERR_USAGE, "a sealed value has at most %d bytes, not %zu",
                       SEALED_VALUE_MAX_BYTES, length);
    if (length > 0 && memchr(secret_reveal(value), '\0', length))
        return err_set(err, ERR_USAGE, "the value has a NUL byte: no environment could carry it");
    return 0;
}

/* Whether the value at PLACE is VALUE already. One that does not open is not: it may be
 * replaced. */
static bool is_same(const struct sealed *store, size_t place, const struct secret *value)
{
    AUTO_SECRET before = SECRET_INIT;
    struct err ignored = ERR_INIT;

    return open_entry(store, &store->entries[place], &before, &ignored) == 0 &&
           secret_equal(&before, value);
}

int sealed_set(struct sealed *store, const char *name, const struct secret *value, bool anew,
               bool *changed, struct err *err)
{
    struct sealed_entry entry = {0};
    bool there;

    if ((!sealed_is_record(name) && sealed_check_name(name, err) != 0) ||
        check_value(value, err) != 0)
        return -1;
    size_t place = place_of(store, name, &there);
    if (there && !anew && is_same(store, place, value)) {
        *changed = false;
        return 0;
    }
    if (!there && store->entry_count == SEALED_MAX_NAMES)
        return err_set(err, ERR_USAGE, "a sealed store has at most %d names", SEALED_MAX_NAMES);
    entry.name = there ? store->entries[place].name : arena_dup(&store->arena, name);
    if (!entry.name)
        return err_nomem(err);
    if (seal_entry(store, &store->key, value, &entry, err) != 0)
        return -1;
    if (!there) {
        if (mem_grow(&store->entries, store->entry_count, &store->entry_capacity,
                     sizeof *store->entries) != 0)
            return err_nomem(err);
        memmove(&store->entries[place + 1], &store->entries[place],
                (store->entry_count++ - place) * sizeof *store->entries);
    }
    store->entries[place] = entry;
    *changed = true;
    return 0;
}

int sealed_remove(struct sealed *store, const char *name, struct err *err)
{
    bool there;
    size_t place = place_of(store, name, &there);

    if (!there)
        return no_such_name(store, name, false, err);
    memmove(&store->entries[place], &store->entries[place + 1],
            (--store->entry_count - place) * sizeof *store->entries);
    return 0;
}

/* ---- recipients ------------------------------------------------------------------------------ */

size_t sealed_recipient_count(const struct sealed *store)
{
    return store->recipient_count;
}

void sealed_recipient(const struct sealed *store, size_t index, struct sealed_recipient_view *out)
{
    const struct sealed_recipient *recipient = &store->recipients[index];

    out->label = recipient->label;
    out->by_passphrase = recipient->by_passphrase;
    sealed_public_text(recipient->public_key, out->public_key);
}

int sealed_list_tag(const struct sealed *store, const struct secret *key,
                    uint8_t out[static CRYPT_TAG_BYTES], struct err *err)
{
    AUTO_BUF list = BUF_INIT(LIST_BYTES);

    buf_add(&list, LIST_PURPOSE, sizeof LIST_PURPOSE);
    for (size_t i = 0; i < store->recipient_count; i++) {
        const struct sealed_recipient *recipient = &store->recipients[i];
        buf_add(&list, recipient->label, strlen(recipient->label) + 1);
        buf_add(&list, recipient->public_key, sizeof recipient->public_key);
        buf_addf(&list, "%d %u %u ", recipient->by_passphrase, recipient->cost.passes,
                 recipient->cost.memory_kib);
        buf_add(&list, recipient->cost.salt, sizeof recipient->cost.salt);
    }
    if (buf_check(&list, ERR_FILE, "the list of recipients", err) != 0)
        return -1;
    return crypt_tag(key, &list, out, err);
}

static int add(struct sealed *store, const struct sealed_recipient *recipient, struct err *err)
{
    size_t place = 0;

    for (size_t i = 0; i < store->recipient_count; i++) {
        if (str_eq(store->recipients[i].label, recipient->label))
            return err_set(err, ERR_USAGE, "there is a recipient '%s' already", recipient->label);
        if (crypt_same(store->recipients[i].public_key, recipient->public_key, CRYPT_KEY_BYTES))
            return err_set(err, ERR_USAGE, "that key is a recipient already: '%s'",
                           store->recipients[i].label);
        place += strcmp(store->recipients[i].label, recipient->label) < 0;
    }
    if (store->recipient_count == SEALED_MAX_RECIPIENTS)
        return err_set(err, ERR_USAGE, "a sealed store has at most %d recipients",
                       SEALED_MAX_RECIPIENTS);
    if (mem_grow(&store->recipients, store->recipient_count, &store->recipient_capacity,
                 sizeof *store->recipients) != 0)
        return err_nomem(err);
    memmove(&store->recipients[place + 1], &store->recipients[place],
            (store->recipient_count++ - place) * sizeof *store->recipients);
    store->recipients[place] = *recipient;
    return 0;
}

static int new_recipient(struct sealed *store, const char *label, struct sealed_recipient *out,
                         struct err *err)
{
    if (!sealed_is_label(label, strlen(label))) {
        err_set(err, ERR_USAGE, "that cannot be a recipient's label");
        return err_hint(err,
                        "A label has letters, digits and . _ @ + - alone, and at most %d bytes.",
                        SEALED_LABEL_BYTES);
    }
    *out = (struct sealed_recipient){.label = arena_dup(&store->arena, label)};
    return out->label ? 0 : err_nomem(err);
}

int sealed_add_recipient(struct sealed *store, const char *label, const char *public_key,
                         struct err *err)
{
    struct sealed_recipient recipient;

    if (new_recipient(store, label, &recipient, err) != 0 ||
        sealed_public_parse(public_key, recipient.public_key, err) != 0)
        return -1;
    return add(store, &recipient, err);
}

int sealed_add_passphrase(struct sealed *store, const char *label, const struct secret *passphrase,
                          struct err *err)
{
    AUTO_SECRET private_key = SECRET_INIT;
    struct sealed_recipient recipient;

    if (new_recipient(store, label, &recipient, err) != 0 ||
        crypt_new_cost(&recipient.cost, err) != 0 ||
        crypt_passphrase_key(passphrase, &recipient.cost, &private_key, err) != 0 ||
        crypt_public(&private_key, recipient.public_key, err) != 0)
        return -1;
    recipient.by_passphrase = true;
    return add(store, &recipient, err);
}

int sealed_remove_recipient(struct sealed *store, const char *label, struct err *err)
{
    for (size_t i = 0; i < store->recipient_count; i++) {
        if (!str_eq(store->recipients[i].label, label))
            continue;
        if (store->recipient_count == 1)
            return err_set(err, ERR_USAGE, "'%s' is the last recipient: nobody could open it",
                           label);
        memmove(&store->recipients[i], &store->recipients[i + 1],
                (--store->recipient_count - i) * sizeof *store->recipients);
        return 0;
    }
    err_set(err, ERR_USAGE, "'%s' has no recipient of that label", store->path);
    return err_hint(err, "'agent seal list' shows them.");
}

bool sealed_keeps_us(const struct sealed *store)
{
    for (size_t i = 0; i < store->recipient_count; i++)
        if (crypt_same(store->recipients[i].public_key, store->opened_by, CRYPT_KEY_BYTES))
            return true;
    return false;
}

/* ---- a new data key -------------------------------------------------------------------------- */

static int seal_all(struct sealed *store, const struct secret *key, struct sealed_entry *entries,
                    struct err *err)
{
    for (size_t i = 0; i < store->entry_count; i++) {
        AUTO_SECRET value = SECRET_INIT;
        entries[i] = store->entries[i];
        if (open_entry(store, &store->entries[i], &value, err) != 0 ||
            seal_entry(store, key, &value, &entries[i], err) != 0)
            return -1;
    }
    return 0;
}

int sealed_rekey(struct sealed *store, struct err *err)
{
    AUTO_SECRET key = SECRET_INIT;
    AUTO_FREE struct sealed_entry *entries = mem_new(store->entry_count + 1, sizeof *entries);

    if (!entries)
        return err_nomem(err);
    if (crypt_new_key(&key, err) != 0 || seal_all(store, &key, entries, err) != 0)
        return -1;
    for (size_t i = 0; i < store->recipient_count; i++) {
        struct sealed_recipient *recipient = &store->recipients[i];
        if (crypt_wrap(&key, recipient->public_key, recipient->wrapped, err) != 0)
            return err_wrap(err, "recipient '%s'", recipient->label);
    }
    if (sealed_list_tag(store, &key, store->tag, err) != 0)
        return -1;
    if (store->entry_count > 0)
        memcpy(store->entries, entries, store->entry_count * sizeof *entries);
    secret_release(&store->key);
    store->key = key;
    key = SECRET_INIT;
    return 0;
}
