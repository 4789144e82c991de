/* base/redact_automaton.h: the inside of a redact_set, for redact_set.c and redact_stream.c alone.
 *
 * States are nodes of a trie, numbered from 1 as they are made; 0 is its root. A state stands for "the
 * last `depth` bytes are the first of some pattern, and no longer ending is". */
#ifndef BASE_REDACT_AUTOMATON_H
#define BASE_REDACT_AUTOMATON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/redact.h"
#include "base/redact_set.h"

enum {
    REDACT_ROOT = 0,
    REDACT_BYTE_VALUES = 256,
    /* Three bytes are looked at where a pattern that begins here would have its fourth to sixth: how
     * far the next place is at which one can begin. No pattern is shorter than REDACT_MIN_BYTES. */
    REDACT_GRAM_BYTES = 3,
    REDACT_GRAM_BITS = 15,
    REDACT_GRAMS = 1 << REDACT_GRAM_BITS,
    REDACT_SKIP_MAX = REDACT_MIN_BYTES - REDACT_GRAM_BYTES + 1,
    REDACT_BEGINS = 0x80, /* beside the distance: some pattern begins with these three */
};

struct redact_state {
    uint32_t child, sibling; /* 0: none */
    uint32_t fail;           /* the state of the longest ending that is a beginning too */
    uint16_t depth;
    uint16_t match; /* the length of the longest pattern that ends here, 0: none */
    unsigned char byte;
};
_Static_assert(sizeof(struct redact_state) == REDACT_STATE_BYTES, "what redact_set.h says");
_Static_assert(REDACT_PATTERN_BYTES <= UINT16_MAX, "depth has 16 bits");

struct redact_set {
    uint32_t first[REDACT_BYTE_VALUES]; /* the root's children */
    unsigned char skip[REDACT_GRAMS];
    struct redact_state *states;
    uint32_t count, capacity;
    bool closed;
};

static inline unsigned redact_gram(const unsigned char *at)
{
    uint32_t gram = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;

    return (gram * UINT32_C(2654435761)) >> (32 - REDACT_GRAM_BITS); /* Knuth's multiplier */
}

/* The child of STATE for BYTE, or 0. */
static inline uint32_t redact_child(const struct redact_set *set, uint32_t state,
                                    unsigned char byte)
{
    if (state == REDACT_ROOT)
        return set->first[byte];
    uint32_t child = set->states[state].child;
    while (child != 0 && set->states[child].byte != byte)
        child = set->states[child].sibling;
    return child;
}

static inline uint32_t redact_step(const struct redact_set *set, uint32_t state, unsigned char byte)
{
    for (;;) {
        uint32_t next = redact_child(set, state, byte);
        if (next != 0 || state == REDACT_ROOT)
            return next;
        state = set->states[state].fail;
    }
}

#endif
