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

void leave_vault_ended(const struct job *job)
{
    struct vault_identity identity;

    if (!job->sources || !source_vault(job->sources))
        return;
    vault_identity(source_vault(job->sources), &identity);
    size_t count = source_leases(job->sources, NULL, 0);
    AUTO_FREE struct source_lease *leases = mem_new(count + 1, sizeof(*leases));
    /* Those of a token of ours end with it, unless it is a batch token. Without memory they end by
     * themselves. */
    if (leases && (!identity.logged_in || identity.is_batch))
        end_leases(source_vault(job->sources), leases, source_leases(job->sources, leases, count));
    revoke_own_token(job);
}

void leave_vault_unused(const struct job *job)
{
    struct vault_identity identity;

    if (!job->sources || !source_vault(job->sources))
        return;
    struct vault *v = source_vault(job->sources);
    vault_identity(v, &identity);
    bool stays = !identity.logged_in || identity.is_batch;
    size_t count = stays ? source_leases(job->sources, NULL, 0) : 0;
    AUTO_FREE struct source_lease *leases = mem_new(count + 1, sizeof(*leases));
    size_t room = leases ? count : 0; /* without memory they end by themselves */
    (void)source_leases(job->sources, leases, room);
    for (size_t i = 0; i < room; i++)
        if (leases[i].lease->id)
            (void)vault_lease_revoke_quietly(v, leases[i].lease->id); /* said there */
    revoke_own_token(job);
}
