/* vault/kv.h: one reading on its way, shared by kv.c and kv_answer.c. */
#ifndef VAULT_KV_H
#define VAULT_KV_H

#include "vault/internal.h"

enum step { GUESS, DIRECT, SPELLED, SETTLED };

/* Which answers are taken for one. */
enum shape { SHAPE_ANY, SHAPE_PLAIN, SHAPE_VERSIONED };

/* One look at a mount. */
struct look {
    struct readings *all;
    struct call call;
    const char *path; /* that it was made for */
    bool sent, answered;
};

struct reading {
    struct readings *all;
    struct vault_read *read;
    enum step step;
    enum shape shape; /* of the last request */
    struct call first, last;
    struct look *look;
    bool own_look; /* a shared one found another mount */
    bool waiting;  /* for the look */
    bool refused;  /* 403 was the end */
};

struct readings {
    struct vault *v;
    struct reading *list;
    struct look *looks; /* room for two each */
    size_t count, look_count;
    bool any_answered;
};

/* Take the answer of CALL, whose status is 200: R's fields, or what is wrong with them as its error.
 * False: it has not the shape that was expected. */
bool kv_accept(struct reading *r, struct call *call);

/* KV v2 answers 404 with a body for a version that was deleted or destroyed: R's error says which. */
bool kv_is_deleted(struct reading *r, struct call *call);

/* KV v2 answers 404 with a warning, and no data, to a path without "data/". */
bool kv_wants_data(struct call *call);

/* CALL is R's last word, and no answer. */
void kv_fail(struct reading *r, struct call *call);

#endif
