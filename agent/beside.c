#include "agent/beside.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { SENTENCE_BYTES = NOTIFY_STATUS_BYTES, MS_PER_S = 1000 };

static void on_start(void *owner, pid_t pid)
{
    struct beside *b = owner;
    char sentence[SENTENCE_BYTES];

    b->facts.started_s = clock_unix_seconds();
    b->starts++;
    (void)snprintf(sentence, sizeof sentence, "The application runs (process %d).", (int)pid);
    notify_ready(&b->notify, sentence);
}

static void on_ending(void *owner, bool for_a_restart)
{
    struct beside *b = owner;

    if (for_a_restart)
        notify_reloading(&b->notify, "The application is stopped, and started anew.");
    else if (supervise_pid(b->notify.supervisor) != 0)
        notify_stopping(&b->notify, "The application is stopped.");
    else
        notify_stopping(&b->notify, "The application has ended.");
}

/* `systemctl reload` of a unit with Type=notify-reload: HUP, and both messages are waited for. When the
 * application has read its files again nobody tells us; that it was asked to is what there is to say. */
static void on_forwarded(void *owner, int number)
{
    struct beside *b = owner;
    enum supervise_state state = supervise_state(b->notify.supervisor);

    if (number != SIGHUP || (state != SUPERVISE_RUNNING && state != SUPERVISE_DELAYED))
        return; /* a restart is under way, whose end is told */
    notify_reloading(&b->notify, NULL);
    notify_ready(&b->notify, NULL);
}

static void take_leases(struct beside *b, const struct job *job)
{
    struct source_lease leases[STATUS_LEASES];
    size_t count = source_leases(job->sources, leases, STATUS_LEASES);
    struct vault_identity identity;

    for (size_t i = 0; i < count && i < STATUS_LEASES; i++) {
        b->facts.leases[i].path = leases[i].path;
        b->facts.leases[i].expires_ms = leases[i].lease->expires_ms;
        b->facts.lease_count++;
    }
    if (!source_vault(job->sources))
        return;
    vault_identity(source_vault(job->sources), &identity);
    b->facts.token_expires_ms = identity.logged_in ? identity.expires_ms : CLOCK_NEVER;
}

void beside_take_facts(struct beside *b, const struct job *job)
{
    size_t variables = job->contract ? job->contract->variable_count : 0;

    b->facts.lease_count = b->facts.stale_count = 0;
    for (size_t i = 0; i < variables; i++) {
        if (!job->values[i].stale || b->facts.stale_count == STATUS_STALE)
            continue;
        b->facts.stale[b->facts.stale_count].variable = job->contract->variables[i].name;
        b->facts.stale[b->facts.stale_count].since_ms = clock_now_ms() -
                                                        job->values[i].stale_age_s * MS_PER_S;
        b->facts.stale_count++;
    }
    if (b->facts.stale_count == 0)
        b->facts.last_success_s = clock_unix_seconds();
    if (job->sources)
        take_leases(b, job);
}

static const char *const managers[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", NULL};

/* We are the unit's main process as long as we stay: see agent/notify.h. */
void beside_environment(struct job *job)
{
    for (const char *const *name = managers; *name; name++)
        environment_unset(&job->environment, *name);
}

int beside_open(struct beside *b, struct job *job, struct supervisor *s, bool redact,
                struct supervise_settings *settings, struct err *err)
{
    const char *where = job->contract ? job->contract->run.status : NULL;
    struct endpoint endpoint;

    beside_take_facts(b, job);
    if (where && (endpoint_parse(where, job->contract->folder, &endpoint, err) != 0 ||
                  status_open(s, &endpoint, where, &b->facts, &b->status, err) != 0))
        return -1;
    if (redact && redaction_open(s, &b->redaction, err) != 0)
        return -1;
    if (b->redaction)
        redaction_fds(b->redaction, settings->fds);
    notify_open(&b->notify, s, getenv(managers[0]), getenv(managers[1]), getenv(managers[2]));
    beside_environment(job);
    settings->started = on_start;
    settings->forwarded = on_forwarded;
    settings->ending = on_ending;
    settings->owner = b;
    return 0;
}

void beside_finish(struct beside *b)
{
    redaction_finish(b->redaction);
}

void beside_release(struct beside *b)
{
    redaction_free(TAKE_POINTER(b->redaction));
    status_close(TAKE_POINTER(b->status));
    notify_close(&b->notify);
}
