/* redact_set.c: see base/redact_set.h. */
#include "base/redact_automaton.h"

#include <string.h>

#include "base/redact_forms.h"

enum { FIRST_CAPACITY = 512 };

static size_t table_bytes(uint32_t capacity)
{
    return capacity * sizeof(struct redact_state);
}

struct redact_set *redact_set_new(struct err *err)
{
    struct redact_set *set = secret_table_new(sizeof *set, err);

    if (!set)
        return NULL;
    set->states = secret_table_new(table_bytes(FIRST_CAPACITY), err);
    if (!set->states) {
        redact_set_free(set);
        return NULL;
    }
    set->capacity = FIRST_CAPACITY;
    set->count = 1; /* the root */
    memset(set->skip, REDACT_SKIP_MAX, sizeof set->skip);
    return set;
}

void redact_set_free(struct redact_set *set)
{
    if (!set)
        return;
    secret_table_free(set->states, table_bytes(set->capacity));
    secret_table_free(set, sizeof *set);
}

/* ---- patterns into the trie ------------------------------------------------------------------- */

static int make_room(struct redact_set *set, struct err *err)
{
    if (set->count < set->capacity)
        return 0;
    if (set->capacity >= REDACT_STATES_MAX) {
        (void)err_set(err, ERR_RESOURCE, "the values to hide in the output are too long together");
        return err_hint(err, "Their shapes may have %d bytes. Hand long ones over as files.",
                        REDACT_STATES_MAX);
    }
    uint32_t capacity = set->capacity * 2;
    struct redact_state *states = secret_table_new(table_bytes(capacity), err);
    if (!states)
        return -1;
    memcpy(states, set->states, table_bytes(set->count));
    secret_table_free(set->states, table_bytes(set->capacity));
    set->states = states;
    set->capacity = capacity;
    return 0;
}

/* The child of STATE for BYTE, made where there is none. */
static int descend(struct redact_set *set, uint32_t *state, unsigned char byte, struct err *err)
{
    uint32_t next = redact_child(set, *state, byte);

    if (next == 0) {
        if (make_room(set, err) != 0)
            return -1;
        next = set->count++;
        uint32_t *link = *state == REDACT_ROOT ? &set->first[byte] : &set->states[*state].child;
        set->states[next] = (struct redact_state){
            .sibling = *link, /* the root's are in an array, and have none: it is 0 */
            .depth = (uint16_t)(set->states[*state].depth + 1),
            .byte = byte,
        };
        *link = next;
    }
    *state = next;
    return 0;
}

static int add_pattern(struct redact_set *set, const unsigned char *pattern, size_t length,
                       struct err *err)
{
    uint32_t state = REDACT_ROOT;

    for (size_t i = 0; i < length; i++)
        if (descend(set, &state, pattern[i], err) != 0)
            return -1;
    set->states[state].match = (uint16_t)length;
    for (size_t i = 0; i < REDACT_SKIP_MAX; i++) {
        unsigned char *skip = &set->skip[redact_gram(pattern + i)];
        unsigned char distance = (unsigned char)(REDACT_SKIP_MAX - 1 - i);
        if (distance < (*skip & ~REDACT_BEGINS))
            *skip = (unsigned char)(distance | (*skip & REDACT_BEGINS));
    }
    set->skip[redact_gram(pattern)] |= REDACT_BEGINS;
    return 0;
}

/* A redact_form_sink. Pieces overlap by a byte, so that one that follows another is hidden with it. */
static int add_form(void *owner, const char *form, size_t length, struct err *err)
{
    struct redact_set *set = owner;
    const unsigned char *from = (const unsigned char *)form;

    if (length < REDACT_MIN_BYTES)
        return 0;
    while (length > REDACT_PATTERN_BYTES) {
        if (add_pattern(set, from, REDACT_PATTERN_BYTES, err) != 0)
            return -1;
        from += REDACT_PATTERN_BYTES - 1;
        length -= REDACT_PATTERN_BYTES - 1;
    }
    if (length < REDACT_MIN_BYTES) { /* the last piece of a long one, made long enough */
        from -= REDACT_MIN_BYTES - length;
        length = REDACT_MIN_BYTES;
    }
    return add_pattern(set, from, length, err);
}

int redact_set_add(struct redact_set *set, const struct secret *value, struct err *err)
{
    size_t length = secret_length(value);

    if (set->closed)
        return err_set(err, ERR_DEFECT, "a value for a closed set");
    if (!secret_is_set(value) || length < REDACT_MIN_BYTES)
        return 0;
    if (length > REDACT_VALUE_MAX_BYTES)
        return err_set(err, ERR_RESOURCE, "a value of %zu bytes can't be hidden: at most %d can",
                       length, REDACT_VALUE_MAX_BYTES);
    return redact_each_form(secret_reveal(value), length, add_form, set, err);
}

/* ---- the links back ----------------------------------------------------------------------------- */

/* STATE's fail link is known: its children's follow. What they are is put behind the queue. */
static uint32_t link_children(struct redact_set *set, uint32_t state, uint32_t *queue,
                              uint32_t queued)
{
    for (uint32_t child = set->states[state].child; child != 0;
         child = set->states[child].sibling) {
        struct redact_state *c = &set->states[child];
        c->fail = redact_step(set, set->states[state].fail, c->byte);
        if (c->match == 0)
            c->match = set->states[c->fail].match;
        queue[queued++] = child;
    }
    return queued;
}

int redact_set_close(struct redact_set *set, struct err *err)
{
    uint32_t *queue = secret_table_new(set->count * sizeof *queue, err);
    uint32_t queued = 0;

    if (!queue)
        return -1;
    for (unsigned byte = 0; byte < REDACT_BYTE_VALUES; byte++)
        if (set->first[byte] != 0)
            queue[queued++] = set->first[byte]; /* they fall back to the root, 0 */
    /* By depth: what a link leads to is always nearer to the root, and done. */
    for (uint32_t i = 0; i < queued; i++)
        queued = link_children(set, queue[i], queue, queued);
    secret_table_free(queue, set->count * sizeof *queue);
    set->closed = true;
    return 0;
}
