/* envcontract/document.h: the contract's files as trees with positions, and what is read off them.
 * Shared by scan, keys, parse, rules, select, lint and cond; nothing else sees it.
 *
 *   document_read   file → tree of nodes (scan.c)
 *   keys_check      tree × tables of keys → findings, each node's key_id and cache (keys.c)
 *   layers_merge    base, variable, profile → one node for each key (rules.c)
 *   rules_build     merged nodes → struct contract_variable (rules.c)
 *
 * Everything here is linear (times a logarithm) in the bytes of the contract, whatever they are:
 * a contract comes from a repository, and CI reads those of strangers. */
#ifndef ENVCONTRACT_DOCUMENT_H
#define ENVCONTRACT_DOCUMENT_H

#include "envcontract/internal.h"

enum {
    CONTRACT_MAX_VALUES = 320 * 1000,    /* JSON values in all files together */
    CONTRACT_MAX_VARIABLES = 100 * 1000, /* in all files together */
    CONTRACT_MAX_INCLUDES = 64,
    CONTRACT_MAX_PROFILES = 32,
    CONTRACT_MAX_KEY_BYTES = 256,
    CONTRACT_MAX_NUMBER_BYTES = 64,
    CONTRACT_MAX_POINTER_BYTES = 1024, /* a longer one is cut: it then names a parent */
    CONTRACT_MAX_PROBLEMS = 1000,      /* errors, and warnings; one more says that there are more */
    CONTRACT_MAX_LIST = 1000, /* entries of a list or map that each variable may be held against */
    CONTRACT_MAX_PARTS = 16,  /* of one composed value */
    CONTRACT_MAX_PIECES = 64, /* of one `compose` */
    CONTRACT_MAX_ALL_PIECES = 200 * 1000, /* of all of them and of files' templates */
    CONTRACT_MAX_PATTERNS = 4000,         /* compiling one may take 0.1 ms */
    CONTRACT_MAX_LOOKS = 320 * 1000,      /* variables times the profiles in which they differ */
    CONTRACT_MAX_SOURCE_BYTES = 16 * 1024 * 1024, /* of all variables, base's counted each time */
    CONTRACT_NEAREST_BUDGET = 200 * 1000, /* names compared for proposals, in one document */
    CONTRACT_MADE_RULES = 64,             /* a power of two */
    SHOWN_BYTES = 64,                     /* of a name in a message */
};

/* ---- the tree ------------------------------------------------------------------------------- */

enum node_kind {
    NODE_NULL,
    NODE_BOOL,
    NODE_INTEGER,
    NODE_NUMBER, /* with a fraction or an exponent */
    NODE_STRING,
    NODE_ARRAY,
    NODE_OBJECT,
};

/* One JSON value. Strings lie in the file's text, NUL-terminated, without NUL in them. */
struct node {
    unsigned char kind;    /* enum node_kind */
    unsigned char key_id;  /* 1 + the key's place in its section's table, 0: none (keys_check) */
    unsigned short file;   /* index into the document's files */
    unsigned count;        /* members, items; bytes of a string */
    unsigned line, column; /* of the value */
    union {
        unsigned key_line; /* in an object */
        unsigned index;    /* in an array */
    };
    unsigned key_column;
    const char *key; /* NULL in arrays and at the root */
    union {
        bool truth;
        const char *text; /* string; number as it was written */
        struct node *first;
    };
    struct node *next, *parent;
    const void *built; /* what was made of it, where that is worth keeping: a list, a reference */
};

struct document_file {
    const char *path;
    char *text; /* the tree's strings point into it */
    size_t length;
    struct node *root; /* NULL: not JSON, said in the findings */
};

struct contract_document {
    struct arena arena;    /* the trees and what is made of them */
    struct arena selected; /* what contract_select made last */
    struct arena scratch;  /* for what is only looked at; emptied now and then */
    size_t scratch_uses;
    const char *folder; /* of the contract: where relative paths start */
    bool has_profiles;  /* the contract has a `profile` */
    struct document_file files[1 + CONTRACT_MAX_INCLUDES];
    size_t file_count;
    size_t bytes_left, values_left, nearest_left, patterns_left, pieces_left, looks_left,
        source_bytes_left;
    uint64_t condition_steps_left; /* of holding values against conditions' globs, in one pass */
    size_t problems, warnings;
    struct findings *findings; /* the caller's, while a call runs */
    const char *looking_at;    /* the variable on whose behalf a node of `base` is looked at */
    bool no_memory;

    const struct node **variables; /* declarations: the contract's, then those of each include */
    const char **names;            /* of them, NULL-terminated, for proposals */
    const unsigned *by_name;       /* their indices, sorted by name */
    size_t variable_count;
    const struct node *base;                              /* object, or NULL */
    const char *const *profiles, *const *strict_profiles; /* NULL-terminated; may be NULL */
    size_t profile_count;
    struct contract_rules plain_rules; /* of a required string without constraints */
    struct contract_rules
        *made[CONTRACT_MADE_RULES]; /* in `selected`, by their hash: to be shared */
};

/* ---- problems ------------------------------------------------------------------------------- */

enum problem_at { AT_VALUE, AT_KEY };

/* Add a finding of rule "contract" at NODE (NULL: of no place), of the variable in which it lies.
 * Beyond CONTRACT_MAX_PROBLEMS nothing is added. HINT: a whole text or NULL. */
void problem(struct contract_document *d, const struct node *node, enum problem_at at,
             const char *hint, const char *format, ...) PRINTF(5, 6);
void problem_warning(struct contract_document *d, const struct node *node, enum problem_at at,
                     const char *hint, const char *format, ...) PRINTF(5, 6);
/* What a function of base or of this folder said; no memory is no problem of the contract's. */
void problem_from(struct contract_document *d, const struct node *node, const struct err *err);
/* Whether the ceiling of errors is reached: there is no use in looking for more. */
bool problems_full(const struct contract_document *d);

/* NODE's place; the pointer is in arena A. Memory: pointer is NULL, d->no_memory is set. */
struct contract_position node_position(struct contract_document *d, struct arena *a,
                                       const struct node *node, enum problem_at at);

/* The nearest of NAMES within the document's budget, or NULL. */
const char *document_nearest(struct contract_document *d, const char *name,
                             const char *const *names, size_t count);

/* "Did you mean 'x'?" for HINT, where there is a nearest one; else hint is "". */
enum { NEAREST_HINT_BYTES = 256 };
const char *nearest_hint(struct contract_document *d, const char *name, const char *const *names,
                         size_t count, char hint[static NEAREST_HINT_BYTES]);

/* ---- reading a file (scan.c) ---------------------------------------------------------------- */

/* Read PATH and make its tree the last of d->files. 0 also when it isn't JSON: then root is NULL
 * and a finding says why. -1: it could not be read (ERR_FILE), or memory is gone. */
MUST_USE int document_read(struct contract_document *d, const char *path, int64_t deadline_ms,
                           struct err *err);

/* The same for a TEXT in memory, which the tree lies in from then on. It stays the caller's. */
const struct node *document_scan(struct contract_document *d, const char *path, char *text,
                                 size_t length);

/* Decode the LENGTH bytes of a JSON string between its quotes in place; each escape is well formed.
 * -1: one stands for NUL, or is half of a pair. */
MUST_USE int text_decode(char *text, size_t *length);

/* Report the keys that OBJECT (two members at least) has twice; the first of each stays. -1: no
 * memory (d->no_memory). */
MUST_USE int document_drop_duplicates(struct contract_document *d, struct node *object);

/* ---- the tree, read ------------------------------------------------------------------------- */

const struct node *node_member(const struct node *object, const char *key); /* NULL: not there */
const char *node_text(const struct node *node);                             /* NULL: no string */
bool node_truth(const struct node *node, bool otherwise);
const char *node_scalar(const struct node *node); /* string, number, bool as text */
int64_t node_integer(const struct node *node, int64_t otherwise);
int64_t node_duration_ms(const struct node *node, int64_t otherwise);
/* What keys_check made of a list (or of the one string that may stand for it): NULL-terminated.
 * NULL where NODE is NULL or was wrong. */
const char *const *node_list(const struct node *node);
const char *node_kind_words(const struct node *node); /* "a string", for messages */

/* Names sorted, for look-ups: index of NAME among the variables, or -1. */
long document_find(const struct contract_document *d, const char *name);
bool document_has_profile(const struct contract_document *d, const char *name);

/* A piece of foreign text for a message: at most SHOWN_BYTES, to be used as "%.*s". */
#define SHOWN(text) (int)shown_length(text), (text)
size_t shown_length(const char *text);

#endif
