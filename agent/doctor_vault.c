/* doctor_vault.c: Vault itself: reached, sealed, its clock, and the token that we have. */
#include <inttypes.h>
#include <string.h>

#include "agent/doctor.h"
#include "base/clock.h"
#include "base/str.h"
#include "vault/engine.h"

enum {
    HEALTH_MS = 5000,
    TOKEN_MS = 10 * 1000,
    SKEW_WARN_S = 30,         /* short-lived JWTs begin to be refused */
    SKEW_ERROR_S = 5 * 60,    /* what most checks of times allow at most */
    SHORT_TTL_MS = 60 * 1000, /* hardly time for a start */
    MS_PER_S = 1000,
};

/* Something says where Vault is, or that it is needed. */
static bool is_used(const struct doctor *d)
{
    static const char *const names[] = {"VAULT_ADDR", "BAO_ADDR", "VAULT_AGENT_ADDR"};

    if (doctor_uses(d, REF_VAULT) || (d->loaded && d->job.contract->vault.present))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return true;
    }
    return false;
}

/* ---- the server -------------------------------------------------------------------------------------- */

/* Its clock has whole seconds, so one is no difference. */
static void look_at_clock(struct doctor *d, const struct vault_health *health, int64_t sent_s)
{
    int64_t now = clock_unix_seconds();
    int64_t ahead = health->server_time > now      ? health->server_time - now
                    : health->server_time < sent_s ? health->server_time - sent_s
                                                   : 0;
    int64_t by = ahead < 0 ? -ahead : ahead;

    if (health->server_time == 0)
        doctor_say(d, DOCTOR_WARNING, "clock", NULL,
                   "could not be compared with Vault's: it does not tell its time");
    else if (by < SKEW_WARN_S)
        doctor_say(d, DOCTOR_OK, "clock", NULL, "agrees with Vault's (to %" PRId64 " s)", by + 1);
    else
        doctor_say(
            d, by < SKEW_ERROR_S ? DOCTOR_WARNING : DOCTOR_ERROR, "clock",
            "Set both by NTP. JWTs and certificates are refused too early or too late, and the "
            "ages of rotated secrets are wrong.",
            "Vault's clock is %" PRId64 " s %s of this machine's", by,
            ahead > 0 ? "ahead" : "behind");
}

static bool is_open(struct doctor *d, const struct vault_health *health)
{
    const char *address = vault_address(d->vault);

    if (!health->initialized) {
        doctor_say(d, DOCTOR_ERROR, "vault", "`bao operator init` makes it usable, once.",
                   "'%s' answers, and was never initialized", address);
        return false;
    }
    if (health->sealed) {
        doctor_say(d, DOCTOR_ERROR, "vault",
                   "Unseal it: `bao operator unseal`. run waits for that, up to its deadline.",
                   "'%s' answers, and is sealed", address);
        return false;
    }
    doctor_say(d, DOCTOR_OK, "vault", NULL, "'%s' answers: version %s%s", address,
               *health->version ? health->version : "not told",
               health->standby ? ", a standby, which hands requests on" : "");
    return true;
}

static bool look_at_server(struct doctor *d)
{
    struct vault_health health = {0};
    struct err err = ERR_INIT;
    int64_t sent_s = clock_unix_seconds();

    if (vault_health(d->vault, clock_earlier(d->bounded.deadline_ms, clock_in_ms(HEALTH_MS)),
                     &health, &err) != 0) {
        /* One that answers at all may be a proxy, which does not tell of health. */
        bool answers = err.http_status > 0 && !err_try_again(err.kind);
        doctor_say_err(d, answers ? DOCTOR_WARNING : DOCTOR_ERROR, "vault", &err);
        return answers;
    }
    look_at_clock(d, &health, sent_s);
    return is_open(d, &health);
}

/* ---- the token --------------------------------------------------------------------------------------- */

static void add_policies(const struct vault_token_facts *facts, struct buf *out)
{
    for (size_t i = 0; i < facts->policies.count; i++)
        buf_addf(out, "%s%s", i ? ", " : "", facts->policies.items[i]);
}

static void say_ttl(struct doctor *d, const struct vault_token_facts *facts, bool ours)
{
    AUTO_BUF left = BUF_INIT(ERR_TEXT_BYTES);

    if (facts->ttl_ms == 0)
        return;
    str_add_duration(&left, facts->ttl_ms);
    if (facts->ttl_ms < SHORT_TTL_MS)
        doctor_say(d, DOCTOR_WARNING, "token", "Give its role a longer token_ttl, or log in later.",
                   "it ends in %s: hardly time for a start", buf_text(&left));
    if (!facts->renewable && !ours)
        doctor_say(d, DOCTOR_WARNING, "token",
                   "Have agent log in by itself (vault.auth): then it gets the next one, too.",
                   "it ends in %s, with every lease that hangs on it, and can't be renewed",
                   buf_text(&left));
}

static void judge_token(struct doctor *d, const struct vault_token_facts *facts)
{
    AUTO_BUF policies = BUF_INIT(ERR_TEXT_BYTES), left = BUF_INIT(ERR_TEXT_BYTES);
    struct vault_identity identity;

    vault_identity(d->vault, &identity);
    add_policies(facts, &policies);
    if (facts->ttl_ms > 0)
        str_add_duration(&left, facts->ttl_ms);
    doctor_say(d, DOCTOR_OK, "token", NULL, "%s '%s', policies %s, %s%s",
               identity.logged_in ? "logged in by" : "given, as", identity.method,
               buf_text(&policies), facts->ttl_ms > 0 ? "ends in " : "without an end",
               buf_text(&left));
    for (size_t i = 0; i < facts->policies.count; i++)
        d->is_root = d->is_root || str_eq(facts->policies.items[i], "root");
    if (d->is_root)
        doctor_say(d, DOCTOR_WARNING, "token",
                   "Give the application one of its own, with the policies that it needs.",
                   "it is a root token: it may do everything, so no right can be found missing");
    if (facts->uses_left > 0)
        doctor_say(d, DOCTOR_WARNING, "token", "Make one without num_uses.",
                   "it can be used %" PRId64 " more times only: each secret costs one",
                   facts->uses_left);
    say_ttl(d, facts, identity.logged_in);
}

/* A wrapping token works once: looking would take it away from `run`. */
static bool log_in_would_cost(const struct doctor *d)
{
    const char *token = getenv("BAO_TOKEN") ? getenv("BAO_TOKEN") : getenv("VAULT_TOKEN");

    if (!d->loaded || !d->job.contract->vault.secret_id_wrapped)
        return false;
    bool is_given = token && *token && !d->job.contract->profile_is_strict;
    return !is_given && !d->bounded.common.token_file;
}

static bool look_at_token(struct doctor *d)
{
    CLEANUP(vault_token_facts_release) struct vault_token_facts facts = {0};
    struct err err = ERR_INIT;

    if (log_in_would_cost(d)) {
        doctor_say(d, DOCTOR_WARNING, "token",
                   "With a token of the same policies (VAULT_TOKEN) doctor looks at the rest.",
                   "not looked at: the wrapped secret id works once, and run needs it");
        return false;
    }
    if (vault_self(d->vault, clock_earlier(d->bounded.deadline_ms, clock_in_ms(TOKEN_MS)), &facts,
                   &err) == 0) {
        judge_token(d, &facts);
        return true;
    }
    bool may_not_look = err.kind == ERR_SOURCE_DENIED && err.http_status == 403;
    struct vault_identity identity;
    vault_identity(d->vault, &identity);
    if (may_not_look && identity.logged_in) { /* the log-in itself was taken */
        doctor_say_err(d, DOCTOR_WARNING, "token", &err);
        return true;
    }
    doctor_say_err(d, DOCTOR_ERROR, "token", &err);
    return false;
}

void doctor_look_at_vault(struct doctor *d)
{
    struct err err = ERR_INIT;

    if (!is_used(d)) {
        doctor_say(d, DOCTOR_OK, "vault", NULL, "nothing here is in Vault");
        return;
    }
    d->vault_is = DOCTOR_VAULT_CLOSED;
    if (job_sources(&d->job, &err) != 0 ||
        source_open_vault(d->job.sources, &d->vault, &err) != 0) {
        doctor_say_err(d, DOCTOR_ERROR, "vault", &err);
        return;
    }
    if (look_at_server(d) && look_at_token(d))
        d->vault_is = DOCTOR_VAULT_OPEN;
}
