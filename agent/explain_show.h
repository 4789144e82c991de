/* agent/explain_show.h: what explain.c found out, as a table or as JSON. */
#ifndef AGENT_EXPLAIN_SHOW_H
#define AGENT_EXPLAIN_SHOW_H

#include "agent/explain.h"
#include "base/fingerprint.h"

enum { EXPLAINED_NOTES = 8 };

/* One variable. Strings are the job's or static. */
struct explained {
    const char *name;
    const char *origin; /* a word of explain.c's, the same in text and JSON */
    bool secret;
    const struct trace *trace;
    const char *because; /* why it has no value, or NULL */
    bool stale;          /* the last known value, from stale_age_s ago */
    int64_t stale_age_s;
    const char *notes[EXPLAINED_NOTES]; /* rules of findings: shadowed, alias; NULL-terminated */
    char fingerprint[FINGERPRINT_TEXT_BYTES]; /* "": none */
};

/* A row for each part, in columns; those that no row needs are left out. */
void explain_write_text(const struct explained *list, size_t count, struct buf *out);

/* The member "variables" of the document that was begun. */
void explain_write_json(const struct explained *list, size_t count, struct json *json);

#endif
