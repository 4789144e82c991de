#include "agent/leave.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/engine.h"
#include "vault/renew.h"

enum { LEASES_SHOWN = 64 };

void leave_say_ends(const struct job *job)
{
    size_t lease_count = source_leases(job->sources, NULL, 0);
    struct vault_identity identity;
    char when[CLOCK_RFC3339_BYTES];
    struct source_lease leases[LEASES_SHOWN];
    size_t shown = source_leases(job->sources, leases, LEASES_SHOWN);

    for (size_t i = 0; i < shown && i < LEASES_SHOWN; i++) {
        int64_t left_ms = clock_left_ms(leases[i].lease->expires_ms);
        clock_rfc3339(clock_unix_seconds() + left_ms / 1000, when);
        log_line(LOG_WARN, "a lease will end and nobody renews it", "path", leases[i].path, "ends",
                 when, NULL);
    }
    if (lease_count > LEASES_SHOWN)
        log_msg(LOG_WARN, "%zu more leases will end", lease_count - LEASES_SHOWN);
    vault_identity(source_vault(job->sources), &identity);
    if (lease_count == 0 || !identity.logged_in || identity.expires_ms == CLOCK_NEVER)
        return;
    clock_rfc3339(clock_unix_seconds() + clock_left_ms(identity.expires_ms) / 1000, when);
    log_line(LOG_WARN, "the token that the leases hang on will end", "method", identity.method,
             "ends", when, NULL);
}

static void revoke_own_token(const struct job *job)
{
    struct err err = ERR_INIT;

    if (vault_revoke_own_token(source_vault(job->sources), &err) != 0)
        log_line(LOG_WARN, "the token of this log-in could not be revoked; it ends by itself",
                 "reason", err.text, NULL);
}

void leave_vault(const struct job *job)
{
    if (!job->sources || !source_vault(job->sources))
        return;
    size_t lease_count = source_leases(job->sources, NULL, 0);
    leave_say_ends(job);
    if (lease_count == 0)
        revoke_own_token(job);
}

static void end_leases(struct vault *v, const struct source_lease *leases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = ERR_INIT;
        if (leases[i].lease->id && vault_lease_revoke(v, leases[i].lease->id, false,
                                                      clock_in_ms(VAULT_REVOKE_MS), &err) != 0)
            log_line(LOG_WARN, "a lease could not be ended; it ends by itself", "path",
                     leases[i].path, "reason", err.text, NULL);
    }
}

/* What does not end with the token: of one that was given, and of a batch token. The caller frees; NULL
 * without memory: they end by themselves then. */
static struct source_lease *what_stays(const struct job *job, size_t *count)
{
    struct vault_identity identity;

    vault_identity(source_vault(job->sources), &identity);
    bool stays = !identity.logged_in || identity.is_batch;
    size_t room = stays ? source_leases(job->sources, NULL, 0) : 0;
    struct source_lease *leases = mem_new(room + 1, sizeof(*leases));
    (void)source_leases(job->sources, leases, leases ? room : 0);
    *count = leases ? room : 0;
    return leases;
}

void leave_vault_ended(const struct job *job)
{
    size_t count;

    if (!job->sources || !source_vault(job->sources))
        return;
    AUTO_FREE struct source_lease *leases = what_stays(job, &count);
    end_leases(source_vault(job->sources), leases, count);
    revoke_own_token(job);
}

void leave_vault_unused(const struct job *job)
{
    size_t count;

    if (!job->sources || !source_vault(job->sources))
        return;
    AUTO_FREE struct source_lease *leases = what_stays(job, &count);
    for (size_t i = 0; i < count; i++)
        if (leases[i].lease->id)
            (void)vault_lease_revoke_quietly(source_vault(job->sources),
                                             leases[i].lease->id); /* said there */
    revoke_own_token(job);
}
