/* envcontract/drift.h: the contract against the code and the files around it.
 *
 *   drift_look   folders × contract → findings: names that are used and not declared, declared and
 *                not used, computed where they are used
 *   drift_need   what a variable asks of its source, without its value: for whoever looks there
 *
 * What is read as what, and what the readers do not see, is in docs/DESIGN.md. Nothing is executed,
 * nothing contacted, no symlink followed. The time is linear in the bytes that are read, whatever
 * they are: they come from a repository, and CI reads those of strangers. */
#ifndef ENVCONTRACT_DRIFT_H
#define ENVCONTRACT_DRIFT_H

#include "envcontract/contract.h"

enum {
    DRIFT_MAX_FILE_BYTES = 1024 * 1024, /* a longer file is named and left out */
    DRIFT_MAX_DEPTH = 64,               /* folders in folders */
    DRIFT_MAX_NAMES = 100 * 1000,       /* different ones; those beyond are counted as left out */
};

struct drift_counts {
    size_t files;    /* that were read */
    size_t declared; /* variables of the contract */
};

/* Read FOLDERS (NULL-terminated), in the order of their names, and hold what they use against the
 * contract; contract_load was enough, no profile is needed. Findings, in the order of the contract
 * and then of the files:
 *   unknown  error    used, and not declared (unknown.level: warning); of a workflow: a warning
 *   alias    warning  used by its old name
 *   drift    warning  declared, and not used; a computed name; a file that could not be read
 * Errors: ERR_FILE: one of FOLDERS is not there, or no folder; ERR_RESOURCE. */
MUST_USE int drift_look(struct contract *contract, const char *const *folders,
                        struct findings *findings, struct drift_counts *out, struct err *err);

/* What a variable asks of its source in the selected profile. */
struct drift_need {
    bool required; /* always; false: not, or under a condition that hangs on values */
    bool conditional;
    int64_t every_ms; /* rotate.every, or 0 */
};
struct drift_need drift_need(struct contract *contract, const struct contract_variable *variable);

#endif
