#include "agent/environment.h"

#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

enum { ENVIRONMENT_SLOTS_MIN = 64 };

static size_t hash_name(const char *name, size_t length)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a, 64 bits */

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 1099511628211ULL;
    return (size_t)hash;
}

/* The slot of NAME: the one that holds it, or the free one where it would go. */
static size_t *slot_of(const struct environment *e, const char *name, size_t length)
{
    size_t at = hash_name(name, length) & (e->slot_count - 1);

    for (;; at = (at + 1) & (e->slot_count - 1)) {
        size_t *slot = &e->slots[at];
        if (*slot == 0)
            return slot;
        const char *entry = e->entries[*slot - 1];
        if (entry && strncmp(entry, name, length) == 0 && entry[length] == '=')
            return slot;
    }
}

static int index_again(struct environment *e, size_t slot_count, struct err *err)
{
    size_t *slots = mem_new(slot_count, sizeof(*slots));

    if (!slots)
        return err_nomem(err);
    free(e->slots);
    e->slots = slots;
    e->slot_count = slot_count;
    for (size_t i = 0; i < e->count; i++) {
        if (!e->entries[i])
            continue;
        size_t length = (size_t)(strchr(e->entries[i], '=') - e->entries[i]);
        *slot_of(e, e->entries[i], length) = i + 1;
    }
    return 0;
}

static int add_entry(struct environment *e, const char *entry, struct err *err)
{
    if (mem_grow(&e->entries, e->count, &e->capacity, sizeof(*e->entries)) != 0)
        return err_nomem(err);
    e->entries[e->count++] = entry;
    return 0;
}

int environment_index(struct environment *e, const char *const *list, struct err *err)
{
    size_t count = 0, slots = ENVIRONMENT_SLOTS_MIN;

    while (list[count])
        count++;
    while (slots < 2 * (count + 1))
        slots *= 2;
    if (index_again(e, slots, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(list[i], '=');
        if (!equals || equals == list[i])
            continue;
        size_t *slot = slot_of(e, list[i], (size_t)(equals - list[i]));
        if (*slot) {
            AUTO_BUF name = BUF_INIT(SECRET_MAX_BYTES);
            buf_add(&name, list[i], (size_t)(equals - list[i]));
            log_line(LOG_WARN, "the environment has a name twice; the first one counts", "variable",
                     buf_text(&name), NULL);
            continue;
        }
        if (add_entry(e, list[i], err) != 0)
            return -1;
        *slot = e->count;
    }
    return 0;
}

const char *environment_get(const struct environment *e, const char *name)
{
    size_t length = strlen(name);

    if (e->slot_count == 0)
        return NULL;
    size_t slot = *slot_of(e, name, length);
    return slot ? e->entries[slot - 1] + length + 1 : NULL;
}

int environment_set(struct environment *e, const char *name, const struct secret *value,
                    struct err *err)
{
    AUTO_BUF text = BUF_INIT(SECRET_MAX_BYTES);
    AUTO_SECRET entry = SECRET_INIT;

    buf_adds(&text, name);
    buf_addc(&text, '=');
    buf_add(&text, secret_reveal(value), secret_length(value));
    if (buf_check(&text, ERR_VIOLATION, name, err) != 0 ||
        secret_set(&entry, buf_text(&text), text.len, err) != 0)
        return -1;
    if (mem_grow(&e->owned, e->owned_count, &e->owned_capacity, sizeof(*e->owned)) != 0)
        return err_nomem(err);
    if (2 * (e->count + 1) > e->slot_count && index_again(e, 2 * e->slot_count, err) != 0)
        return -1;
    const char *bytes = secret_reveal(&entry);
    size_t *slot = slot_of(e, name, strlen(name));
    if (*slot) {
        e->entries[*slot - 1] = bytes;
    } else {
        if (add_entry(e, bytes, err) != 0)
            return -1;
        *slot = e->count;
    }
    e->owned[e->owned_count++] = entry;
    entry = SECRET_INIT;
    return 0;
}

void environment_unset(struct environment *e, const char *name)
{
    if (e->slot_count == 0)
        return;
    size_t slot = *slot_of(e, name, strlen(name));
    if (slot)
        e->entries[slot - 1] = NULL; /* the slot stays taken: those behind it are still found */
}

const char **environment_list(const struct environment *e, struct err *err)
{
    const char **list = mem_new(e->count + 1, sizeof(*list));
    size_t count = 0;

    if (!list) {
        err_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < e->count; i++)
        if (e->entries[i])
            list[count++] = e->entries[i];
    return list;
}

void environment_release(struct environment *e)
{
    for (size_t i = 0; i < e->owned_count; i++)
        secret_release(&e->owned[i]);
    free(e->owned);
    free(e->entries);
    free(e->slots);
    *e = ENVIRONMENT_INIT;
}
