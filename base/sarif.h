/* base/sarif.h: findings as a SARIF 2.1.0 log, which code scanning services read.
 *
 *     sarif_begin(&sarif, &out, &run);   the tool and its rules
 *     sarif_add(&sarif, &finding);       as often as there are findings
 *     sarif_end(&sarif, true);
 *
 * One log has one run. OUT keeps track of failure (buf_check); the texts are borrowed for the call.
 * Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0". */
#ifndef BASE_SARIF_H
#define BASE_SARIF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/json.h"

enum {
    SARIF_MESSAGE_BYTES = 64 * 1024, /* longer ones are cut, with "..." */
};

enum sarif_level { SARIF_NOTE, SARIF_WARNING, SARIF_ERROR };

struct sarif_rule {
    const char *id;         /* a stable word: "semantic-difference" */
    const char *says;       /* what a finding of it means, a sentence */
    const char *help;       /* what to do about it, or NULL */
    enum sarif_level level; /* of its findings, as a rule */
};

struct sarif_run {
    const char *command; /* "guard": what tells this log from others of the same commit */
    const struct sarif_rule *rules;
    size_t rule_count;
};

struct sarif_finding {
    size_t rule; /* its place in the run's rules */
    enum sarif_level level;
    const char *message;      /* may have several lines */
    const char *file;         /* a path, best from the repository's root; NULL: not known */
    unsigned line, column;    /* from 1; 0: not known */
    const char *kind, *thing; /* what it is about where that is no place in a file: "table",
                               * "public.users"; NULL: nothing */
    const char *suppressed;   /* why it does not count; NULL: it counts */
};

struct sarif {
    struct json json;
    struct sarif_run run;
};

void sarif_begin(struct sarif *sarif, struct buf *out, const struct sarif_run *run);
void sarif_add(struct sarif *sarif, const struct sarif_finding *finding);

/* SUCCEEDED: the tool could do its work, whatever it found. Ends with a line feed. */
void sarif_end(struct sarif *sarif, bool succeeded);

#endif
