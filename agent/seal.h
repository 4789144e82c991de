/* agent/seal.h: `agent seal`: what its operations share.
 *
 *   cmd_seal.c     options, the table of operations
 *   seal_keys.c    init, rekey, list: who can open the store
 *   seal_values.c  set, get, rm, export: what is in it */
#ifndef AGENT_SEAL_H
#define AGENT_SEAL_H

#include "agent/cmd.h"
#include "vault/sealed.h"

struct seal_options {
    const char *label, *add, *remove, *new_passphrase_file; /* init, rekey */
    bool key_only;                                          /* init */
    bool passphrase;
    const char *passphrase_file, *passphrase_fd;
    const char *value_file; /* set */
    bool keep_newline, anew, force;
    const char *format, *output, *object_name, *name_space; /* export */
    bool reveal;                                            /* get, export */
};

struct seal {
    const struct invocation *call;
    const struct seal_options *options;
    char *path;                  /* of the store */
    struct sealed_access access; /* as the options say */
    char passphrase_path[32];    /* of --passphrase-fd */
    int lock;                    /* -1: none */
    struct sealed *store;        /* NULL before seal_open */
};

#define AUTO_SEAL CLEANUP(seal_release) struct seal
void seal_release(struct seal *s);

/* Read and unlock the store; to CHANGE it under its lock. */
MUST_USE int seal_open(struct seal *s, bool change, struct err *err);

/* The words behind the operation's. */
size_t seal_word_count(const struct seal *s);
const char *seal_word(const struct seal *s, size_t index);

/* Each returns the exit code, or -1 with the error for the caller to say. */
int seal_init(struct seal *s, struct err *err);
int seal_rekey(struct seal *s, struct err *err);
int seal_list(struct seal *s, struct err *err);
int seal_set(struct seal *s, struct err *err);
int seal_get(struct seal *s, struct err *err);
int seal_rm(struct seal *s, struct err *err);
int seal_export(struct seal *s, struct err *err);

/* Refuse secrets on a terminal without --reveal. */
MUST_USE int seal_check_terminal(const struct seal *s, struct err *err);

/* The members "store", and "recipients" with label, public_key and passphrase each. */
void seal_add_recipients(const struct seal *s, struct json *json);

#endif
