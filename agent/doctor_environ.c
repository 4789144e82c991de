/* doctor_environ.c: the environment: what steers us, what wins over what, what is not used. */
#include <string.h>

#include "agent/doctor.h"
#include "base/proc.h"
#include "base/str.h"

enum { NAME_BYTES = 64 };

/* ---- what is kept away ------------------------------------------------------------------------------ */

static void look_at_withheld(struct doctor *d)
{
    for (const char *const *entry = proc_withheld_environment(); *entry; entry++) {
        size_t length = strcspn(*entry, "=");
        bool keys = str_starts(*entry, "SSLKEYLOGFILE=");
        doctor_say(
            d, DOCTOR_WARNING, "environment",
            keys ? "Unset it: the application's library writes the keys of its TLS sessions there."
                 : "Unset it, unless the application is to have it.",
            "%.*s is set: agent keeps it away from its own libraries, the application gets it",
            (int)length, *entry);
    }
}

static void look_at_preload(struct doctor *d)
{
    static const char *const names[] = {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            doctor_say(d, DOCTOR_WARNING, "environment", "Unset it, unless you know what it loads.",
                       "%s is set: code from there runs inside of agent and sees every secret",
                       names[i]);
    }
}

/* ---- Vault's variables ------------------------------------------------------------------------------- */

/* Those that name a place or a switch: their twins are compared, and never shown. */
static const char *const suffixes[] = {
    "ADDR",        "AGENT_ADDR",      "TOKEN",       "NAMESPACE",  "CACERT",      "CACERT_BYTES",
    "CAPATH",      "TLS_SERVER_NAME", "CLIENT_CERT", "CLIENT_KEY", "SKIP_VERIFY", "CLIENT_TIMEOUT",
    "MAX_RETRIES", "RATE_LIMIT",      "PROXY_ADDR",  "HTTP_PROXY", "AUTH_METHOD", "ROLE",
    "ROLE_ID",     "SECRET_ID",
};

static const char *vaults(const char *prefix, const char *suffix)
{
    char name[NAME_BYTES];

    (void)snprintf(name, sizeof(name), "%s_%s", prefix, suffix);
    return getenv(name);
}

static void look_at_twins(struct doctor *d)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        const char *bao = vaults("BAO", suffixes[i]), *vault = vaults("VAULT", suffixes[i]);
        if (!bao || str_eq(bao, vault) || (!vault && *bao))
            continue;
        if (!vault) {
            doctor_say(d, DOCTOR_WARNING, "environment", "Unset it, or give it a value.",
                       "BAO_%s is set and empty: it counts as not set", suffixes[i]);
            continue;
        }
        doctor_say(d, DOCTOR_WARNING, "environment", "Unset the one that is not meant.",
                   "BAO_%s wins over VAULT_%s, and they differ%s", suffixes[i], suffixes[i],
                   *bao ? "" : " (the first is empty, and wins all the same)");
    }
    const char *bao_skip = vaults("BAO", "SKIP_VERIFY");
    const char *skip = bao_skip ? bao_skip : vaults("VAULT", "SKIP_VERIFY");
    bool skips = false;
    if (skip && *skip && str_to_go_bool(skip, &skips) == 0 && skips)
        doctor_say(d, DOCTOR_WARNING, "environment",
                   "Name the authority of its certificate with VAULT_CACERT or vault.ca_cert.",
                   "VAULT_SKIP_VERIFY is set: anybody on the way can be Vault");
}

/* ---- PostgreSQL's variables -------------------------------------------------------------------------- */

static void look_at_postgres(struct doctor *d)
{
    static const char *const names[] = {
        "PGHOST",     "PGHOSTADDR", "PGPORT",     "PGUSER",        "PGDATABASE",
        "PGPASSWORD", "PGSERVICE",  "PGPASSFILE", "PGSERVICEFILE", "PGOPTIONS",
    };
    AUTO_BUF found = BUF_INIT(ERR_TEXT_BYTES);

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getenv(names[i]))
            buf_addf(&found, "%s%s", found.len > 0 ? ", " : "", names[i]);
    if (found.len == 0 || !d->loaded || !d->job.contract->database.present)
        return;
    doctor_say(d, DOCTOR_WARNING, "environment",
               "Unset them: the URL says where to go. A library of the application may obey them.",
               "set, and not used for the database by agent: %s", buf_text(&found));
}

void doctor_look_at_environment(struct doctor *d)
{
    size_t before = d->count;

    look_at_withheld(d);
    look_at_preload(d);
    look_at_twins(d);
    look_at_postgres(d);
    if (d->count == before)
        doctor_say(d, DOCTOR_OK, "environment", NULL,
                   "nothing in it steers libraries, contradicts itself or is left unused");
}
