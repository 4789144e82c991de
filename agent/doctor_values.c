/* doctor_values.c: every variable as `run` gets it: from its source, held against the contract; and the
 * leases that came with them. They are ended when doctor ends. */
#include "agent/doctor.h"

#include <string.h>

#include "agent/files.h"
#include "agent/inline.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

enum { SUBJECT_BYTES = 2048 };

/* Whether one of its parts is in Vault, by the contract or by what the environment refers to. */
static bool is_in_vault(const struct doctor *d, const struct contract_variable *variable)
{
    for (size_t i = 0; i < variable->part_count; i++) {
        const struct ref *ref = &variable->parts[i].ref;
        if (ref->kind == REF_VAULT)
            return true;
        const char *text = ref->kind == REF_ENV
                               ? job_environment(&d->job, variable,
                                                 ref->path ? ref->path : variable->name)
                               : NULL;
        if (text && ref_behind(text, REF_VAULT))
            return true;
    }
    return false;
}

/* The names that can be resolved without Vault; *left says how many can't. NULL: no memory. */
static const char **names_without_vault(const struct doctor *d, size_t *left)
{
    const struct contract *contract = d->job.contract;
    const char **names = mem_new(contract->variable_count + 1, sizeof(*names));
    size_t count = 0;

    for (size_t i = 0; names && i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        if (variable->for_agent_only)
            continue;
        if (is_in_vault(d, variable))
            ++*left;
        else
            names[count++] = variable->name;
    }
    return names;
}

static int resolve(struct doctor *d, size_t *left, struct err *err)
{
    if (d->vault_is != DOCTOR_VAULT_CLOSED)
        return job_resolve(&d->job, NULL, err) != 0 ? -1 : files_resolve(&d->job, err);
    AUTO_FREE const char **names = names_without_vault(d, left);
    return names ? job_resolve(&d->job, names, err) : err_nomem(err);
}

static void look_at_leases(struct doctor *d)
{
    size_t count = d->job.sources ? source_leases(d->job.sources, NULL, 0) : 0;
    AUTO_FREE struct source_lease *leases = mem_new(count + 1, sizeof(*leases));

    if (!leases) {
        d->no_memory = true;
        return;
    }
    count = count > 0 ? source_leases(d->job.sources, leases, count) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct vault_lease *lease = leases[i].lease;
        AUTO_BUF subject = BUF_INIT(SUBJECT_BYTES), lasts = BUF_INIT(SUBJECT_BYTES);
        buf_addf(&subject, "lease of %s", leases[i].path);
        str_add_duration(&lasts, lease->duration_ms);
        if (lease->id && !lease->renewable)
            doctor_say(
                d, DOCTOR_WARNING, buf_text(&subject),
                "Let the role's leases be renewable, or longer than what the application does.",
                "it lasts %s and can't be renewed: run replaces it before", buf_text(&lasts));
        else
            doctor_say(d, DOCTOR_OK, buf_text(&subject), NULL, "it lasts %s%s", buf_text(&lasts),
                       lease->id ? ", and is renewed by run" : " until the engine rotates it");
    }
}

/* Without a contract, `run` resolves what the environment refers to. */
static void look_at_references(struct doctor *d)
{
    AUTO_INLINE_VALUES values = INLINE_VALUES_INIT;
    struct err err = ERR_INIT;

    if (d->vault_is == DOCTOR_VAULT_CLOSED) /* what is wrong with it was said */
        return;
    int resolved = inline_resolve(&d->job, NULL, &values, &err);
    bool said = doctor_take_findings(d);
    if (resolved != 0 && !said)
        doctor_say_err(d, DOCTOR_ERROR, "variables", &err);
    if (resolved == 0 && values.count > 0)
        doctor_say(d, DOCTOR_OK, "variables", NULL,
                   values.count == 1 ? "%zu variable of the environment refers to what is there"
                                     : "%zu variables of the environment refer to what is there",
                   values.count);
    look_at_leases(d);
}

void doctor_look_at_values(struct doctor *d)
{
    struct err err = ERR_INIT;
    size_t left = 0;

    if (!d->loaded && !job_has_contract(&d->bounded))
        look_at_references(d);
    if (!d->loaded)
        return;
    int resolved = resolve(d, &left, &err);
    bool said = doctor_take_findings(d);
    if (resolved != 0 && !said)
        doctor_say_err(d, DOCTOR_ERROR, "variables", &err);
    int checked = job_check(&d->job, &err);
    bool broken = doctor_take_findings(d);
    if (checked != 0 && resolved == 0 && !broken)
        doctor_say_err(d, DOCTOR_ERROR, "variables", &err);
    if (left > 0)
        doctor_say(d, DOCTOR_WARNING, "variables", "Mend what is said of Vault, and ask again.",
                   "%zu could not be looked at: they are in Vault", left);
    else if (resolved == 0 && checked == 0)
        doctor_say(d, DOCTOR_OK, "variables", NULL, "all are there, and as the contract has them");
    look_at_leases(d);
}
