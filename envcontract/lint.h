/* envcontract/lint.h: one variable in one profile under the eyes of lint; shared by the files that
 * look. */
#ifndef ENVCONTRACT_LINT_H
#define ENVCONTRACT_LINT_H

#include "envcontract/keys.h"

enum { LINT_MAX_SAID = 64 }; /* problems of one variable that are remembered */

struct look {
    struct contract_document *d;
    size_t index;
    const char *profile; /* NULL: the contract has none */
    bool one_profile;    /* something lies over it there: messages name the profile */
    uint32_t profiles;   /* for which it stands, a bit each; 1 where the contract has none */
    struct layers layers;
    struct contract_variable variable;
};

/* Who changes something, and where that is said. */
struct use {
    const struct node *node;
    uint32_t profiles; /* as in a look */
    size_t index;
};

/* A login of a database that a variable's rotation changes. */
struct login_use {
    struct use by;
    const char *login;
    long admin; /* the variable with the admin's URL; negative: none */
};

/* All of them, of all variables. */
struct login_uses {
    struct login_use *list;
    size_t count, capacity;
};

/* A place that a variable's rotation writes to. */
struct place_use {
    struct use by;
    const char *path;  /* in KV, without data/; NULL: the sealed store */
    const char *field; /* or the name there */
    bool is_mirror;
};

/* All of them. */
struct place_uses {
    struct place_use *list;
    size_t count, capacity;
    struct arena texts;
    size_t bytes_left; /* mirrors of base, and profiles, multiply what the contract says */
};

/* What was said of the variable so far, in other profiles. */
struct said {
    const void *what[LINT_MAX_SAID]; /* a node and a text make one */
    const char *text[LINT_MAX_SAID];
    size_t count;
    struct budget *budget;     /* lint.c: what is left for the whole document */
    struct login_uses *logins; /* so far */
    struct place_uses *places; /* the same */
};

/* Whether TEXT was said of WHAT; from now on it was. */
bool lint_said_before(struct said *said, const void *what, const char *text);

/* A problem of the variable at NODE. TEXT is a literal: it is remembered. */
void lint_say(const struct look *look, struct said *said, const struct node *node,
              enum problem_at at, const char *hint, const char *text);

/* What is wrong with `rotate` and with how long a stale value is good (lint_rotate.c). */
void lint_rotation(const struct look *look, struct said *said);

/* What `rotate` of OBJECT, a variable's keys, names: variables that exist, places and commands. */
void lint_rotation_names(struct contract_document *d, const struct node *object);

/* Note the logins that are rotated by AT, the keys of the variable's `rotate` (lint_logins.c). */
void lint_note_logins(const struct look *look, struct said *said, const struct node *const *at);

/* No login is to be rotated by two variables. */
void lint_logins(struct contract_document *d, const struct login_uses *uses);
void login_uses_release(struct login_uses *uses);

/* Note the places that are written to by AT, as above (lint_places.c). */
void lint_note_places(const struct look *look, struct said *said, const struct node *const *at);

/* No place is to be written to by the rotations of two variables, or twice by that of one. */
void lint_places(struct contract_document *d, const struct place_uses *uses);
struct place_uses place_uses_new(void);
void place_uses_release(struct place_uses *uses);

/* Note in OWNERS, of one thing, who has it in the profiles of USE; the first use of another variable that has
 * it in one of them, or NULL. */
const struct use *lint_take(const struct use *owners[static CONTRACT_MAX_PROFILES],
                            const struct use *use);

/* The mount of PATH as `vault.kv` says it; LENGTH 0: nothing is said. */
struct kv_mount {
    size_t length;
    int64_t version;
};
struct kv_mount lint_kv_mount(const struct look *look, const char *path);

/* Whether PATH is what an engine makes, MOUNT/creds/ROLE and its like: nothing that can be written. */
bool lint_is_of_engine(const char *path);

/* No secret is to be rotated after itself. */
void lint_rotation_cycles(struct contract_document *d);

/* Aliases, deprecation and overriding as OBJECT, a variable's keys, has them (lint_life.c). STRICT:
 * it lies over the variable in a strict profile. */
void lint_life(struct contract_document *d, const struct node *object, bool strict);

/* No alias stands for two variables, or for one that is there itself. */
void lint_aliases(struct contract_document *d);

#endif
