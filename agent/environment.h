/* agent/environment.h: the process's environment, indexed once, and the child's made from it.
 *
 * Looking a name up costs the same for ten variables as for a hundred thousand. What is set here
 * may be a secret: its bytes lie in the slab. */
#ifndef AGENT_ENVIRONMENT_H
#define AGENT_ENVIRONMENT_H

#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

struct environment {
    const char **entries; /* "NAME=value"; NULL where one was taken out */
    size_t count, capacity;
    size_t *slots; /* open addressing: index + 1 into entries, 0: free */
    size_t slot_count;
    struct secret *owned; /* what environment_set made */
    size_t owned_count, owned_capacity;
};

#define ENVIRONMENT_INIT ((struct environment){0})

/* Index LIST (NULL-terminated, borrowed). Of a name that is there twice the first stays, and a
 * warning names it; an entry without '=' is left out. */
MUST_USE int environment_index(struct environment *e, const char *const *list, struct err *err);

const char *environment_get(const struct environment *e, const char *name); /* value, or NULL */
MUST_USE int environment_set(struct environment *e, const char *name, const struct secret *value,
                             struct err *err);
void environment_unset(struct environment *e, const char *name);

/* All entries, NULL-terminated, for execve; the array is the caller's, what it points at is not. */
MUST_USE const char **environment_list(const struct environment *e, struct err *err);

void environment_release(struct environment *e);

#endif
