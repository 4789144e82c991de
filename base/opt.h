/* base/opt.h: one table of options → parsing, help, completion, and the check of the man page.
 *
 * Options may stand anywhere before `--`; `--name=value` and `--name value`; `-v`, `-vv`, `-ofile`.
 * A mistyped option gets the nearest right one. */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum opt_kind { OPT_FLAG, OPT_COUNT, OPT_STRING, OPT_STRINGS, OPT_DURATION, OPT_CHOICE };

/* What OPT_STRINGS, an option that may be given several times, fills in. */
enum { OPT_MAX_STRINGS = 64 };
struct opt_strings {
    const char *list[OPT_MAX_STRINGS + 1]; /* NULL-terminated */
    size_t count;
};

struct opt {
    const char *name; /* "--format" */
    char letter;      /* 'o', or 0 */
    enum opt_kind kind;
    const char *argument; /* "FILE", for help; NULL for flags */
    const char *choices;  /* OPT_CHOICE: "text|json" */
    const char *help;     /* a clause, lower case */
    void *target;         /* bool*, int*, const char**, struct opt_strings*, int64_t* (ms),
                     const char** */
};

struct opt_result {
    const char **words; /* what is no option, in order; the caller frees the array */
    size_t word_count;
    char **rest; /* behind `--`, NULL-terminated; NULL when there was no `--` */
};

/* ARGV is what follows the program's name, NULL-terminated. TABLES is a NULL-terminated list of
 * tables, each ended by an entry without a name. Targets are set as options are met, the last one
 * wins; *result is set on success only, and its strings lie in ARGV. Errors: ERR_USAGE, never with
 * the value of an unknown option (it may be a secret), ERR_RESOURCE. */
MUST_USE int opt_parse(char **argv, const struct opt *const *tables, struct opt_result *result,
                       struct err *err);

/* A line or more for each option, aligned, at most 80 columns. */
void opt_help(struct buf *out, const struct opt *table);

#endif
