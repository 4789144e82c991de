#include "agent/writing.h"

#include "agent/job.h"

static void say(const struct writing *w, const char *name, const struct contract_position *where,
                const struct err *why)
{
    struct finding finding = {
        .severity = FINDING_ERROR,
        .variable = name,
        .rule = "format",
        .message = why->text,
        .hint = *why->hint ? why->hint : NULL,
    };

    if (where) {
        finding.file = where->file;
        finding.pointer = where->pointer;
        finding.line = where->line;
        finding.column = where->column;
    }
    findings_add(w->findings, &finding);
}

int writing_add(const struct writing *w, const char *name, const struct contract_position *where,
                const struct secret *bytes, bool secret, struct err *err)
{
    struct err why = ERR_INIT;

    if (values_add(w->to, name, bytes, secret, &why) == 0)
        return 0;
    if (why.kind != ERR_VIOLATION) {
        *err = why;
        return -1;
    }
    say(w, name, where, &why);
    return 0;
}

int writing_end(const struct writing *w, struct err *err)
{
    if (problems_refuse(w->call, w->findings, ERR_VIOLATION, "the output", err) != 0)
        return -1;
    return values_end(w->to, err);
}
