/* envcontract/check.h: one pass of values over the model, shared by the files that hold one against
 * the other. Shared by check, groups, fences and names, and by docs_choose, which keeps its
 * examples off the fences; nothing else sees it. */
#ifndef ENVCONTRACT_CHECK_H
#define ENVCONTRACT_CHECK_H

#include "envcontract/internal.h"

enum {
    CHECK_MESSAGE_BYTES = 2 * FINDING_MESSAGE_BYTES, /* a ceiling: conditions are the contract's */
    CHECK_NAMES_SHOWN = 8,                           /* of a list of variables in a message */
    CHECK_SHOWN = 1000, /* findings of what is said of several variables */
};

/* Steps of constraints, fences and rules over values, a quarter of a second of them: honest ones take
 * some hundred for each variable. What is beyond them was not looked at, and is an error. */
#define CHECK_MAX_STEPS (50ULL * 1000 * 1000)

struct check {
    const struct contract *contract;
    const struct contract_value *values; /* parallel to contract->variables */
    struct findings *findings;
    struct pattern_cache patterns;
    int64_t today;
    uint64_t steps_left;
    size_t shown, more;
    enum finding_severity severity_of_more; /* the worst of them */
};

/* Take STEPS off what is left. False: there are none, which is an error once. */
bool check_spend(struct check *c, uint64_t steps);

/* Whether one more finding of several variables may be added; else it is counted: a contract may have
 * a hundred thousand of them, and nobody reads those. */
bool check_may_show(struct check *c, enum finding_severity severity);

/* A finding of rule RULE at NODE of the contract; VARIABLE (may be NULL) is whose. */
void check_add_at(struct check *c, enum finding_severity severity, const char *variable,
                  const char *rule, const struct node *node, const char *message);

/* ", because EMAIL_MODE is 'resend'", where WHEN has a condition. */
void check_add_because(struct check *c, const struct contract_condition *condition,
                       struct message *out);

void check_groups(struct check *c);    /* groups.c */
void check_rules(struct check *c);     /* groups.c */
void check_fences(struct check *c);    /* fences.c */
void check_authority(struct check *c); /* fences.c */
void check_distinct(struct check *c);  /* distinct.c */

/* ---- URLs as a connection would use them (hosts.c) ------------------------------------------- */

/* One host: in lower case, decoded, without a last dot. False: no more are wanted. */
typedef bool (*host_visit)(const char *host, size_t length, void *context);

/* Each host of BYTES, a URL or a host by its TYPE: what PostgreSQL's ?host= and ?hostaddr= name wins over what stands
 * before the path, as in libpq; a postgres URL without any has "/", the folder of sockets. What
 * is neither has none. False: memory is gone. */
bool hosts_each(enum contract_type type, const char *bytes, size_t length, host_visit visit,
                void *context);

/* The PART of the URL BYTES, decoded, appended to OUT: scheme and host in lower case, of several
 * hosts the list with commas, the scheme's own port where none is written. False: there is none. */
bool url_part_add(const char *bytes, size_t length, const struct contract_reference *part,
                  struct buf *out);

#endif
