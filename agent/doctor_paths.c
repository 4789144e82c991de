/* doctor_paths.c: each path of the contract: what our token may do there, and the policy that is missing. */
#include <string.h>

#include "agent/doctor.h"
#include "base/mem.h"
#include "base/str.h"
#include "vault/engine.h"
#include "vault/write.h"

enum { POLICY_BYTES = 8 * 1024, SUBJECT_BYTES = 2048 };

/* ---- what would help ---------------------------------------------------------------------------------- */

/* The path as the policy has it, which is that of the request, too: what stands between the first quotes.
 * One with an escape in it is left out: no shell should be handed half of it. */
static bool add_path_of(const char *policy, struct buf *out)
{
    const char *start = strchr(policy, '"');
    size_t length = start ? strcspn(start + 1, "\"\\") : 0;

    if (!start || start[1 + length] != '"')
        return false;
    str_add_shell(out, start + 1, length);
    return true;
}

static const char *environment_of_vaults(const char *bao, const char *vault, const char *contracts)
{
    const char *value = getenv(bao) ? getenv(bao) : getenv(vault);

    return value && *value ? value : contracts;
}

static void add_option(const char *option, const char *prefix, const char *value, struct buf *out)
{
    AUTO_BUF word = BUF_INIT(POLICY_BYTES);

    if (!value || !*value)
        return;
    buf_addf(&word, "%s%s", prefix, value);
    buf_addf(out, " %s ", option);
    str_add_shell(out, buf_text(&word), word.len);
}

/* The request by hand. Its token comes from the shell's own variable. */
static void add_curl(const struct doctor *d, const char *policy, struct buf *out)
{
    const struct contract_vault *vault = d->loaded ? &d->job.contract->vault : NULL;
    const char *address = vault_address(d->vault);
    AUTO_BUF path = BUF_INIT(POLICY_BYTES);

    if (!add_path_of(policy, &path))
        return;
    buf_adds(out, "\nTry it by hand: curl -sS -H \"X-Vault-Token: $VAULT_TOKEN\"");
    add_option(
        "-H", "X-Vault-Namespace: ",
        environment_of_vaults("BAO_NAMESPACE", "VAULT_NAMESPACE", vault ? vault->name_space : NULL),
        out);
    if (str_starts(address, "https://"))
        add_option(
            "--cacert", "",
            environment_of_vaults("BAO_CACERT", "VAULT_CACERT", vault ? vault->ca_cert : NULL),
            out);
    if (str_starts(address, "unix://")) {
        add_option("--unix-socket", "", address + strlen("unix://"), out);
        address = "http://localhost";
    }
    buf_addc(out, ' ');
    str_add_shell(out, address, strlen(address));
    buf_addf(out, "/v1/%s", buf_text(&path));
}

void doctor_add_remedy(struct doctor *d, const struct vault_need *need, struct buf *out)
{
    AUTO_BUF policy = BUF_INIT(POLICY_BYTES);
    struct err err = ERR_INIT;

    if (vault_policy_text(d->vault, need, 1, &policy, &err) != 0) {
        buf_adds(out, err.text);
        return;
    }
    buf_adds(out, "This policy would allow it:\n");
    buf_add(out, buf_text(&policy), policy.len - (policy.len > 0)); /* without its last newline */
    add_curl(d, buf_text(&policy), out);
}

/* ---- the paths ---------------------------------------------------------------------------------------- */

/* A path that the contract reads, once. */
struct wanted_path {
    const char *path, *variable; /* the first one that reads it */
    bool needed;                 /* of what `run` resolves; else only agent's */
};

struct wanted_paths {
    struct wanted_path *list;
    size_t count;
};

static int collect(const struct contract *contract, struct wanted_paths *out)
{
    size_t room = 0;

    for (size_t i = 0; i < contract->variable_count; i++)
        room += contract->variables[i].part_count;
    out->list = mem_new(room + 1, sizeof(*out->list));
    if (!out->list)
        return -1;
    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        for (size_t k = 0; k < variable->part_count; k++) {
            const struct ref *ref = &variable->parts[k].ref;
            size_t at = 0;
            if (ref->kind != REF_VAULT)
                continue;
            while (at < out->count && !str_eq(out->list[at].path, ref->path))
                at++;
            if (at == out->count)
                out->list[out->count++] = (struct wanted_path){ref->path, variable->name, false};
            out->list[at].needed = out->list[at].needed || !variable->for_agent_only;
        }
    }
    return 0;
}

static bool makes_login(const char *path)
{
    CLEANUP(vault_login_release) struct vault_login login = {0};
    struct err ignored = ERR_INIT; /* then it is a path of KV */

    return vault_login_of(path, &login, &ignored) == 0;
}

/* Ask what we may do at PATH; of what is no KV version 2, as it is written. */
static int ask(struct doctor *d, const char *path, struct vault_need *need, struct err *err)
{
    *need = (struct vault_need){.path = path,
                                .kind = makes_login(path) ? VAULT_NEED_PLAIN : VAULT_NEED_DATA,
                                .wanted = VAULT_CAN_READ};
    if (vault_capabilities(d->vault, need, 1, d->bounded.deadline_ms, err) == 0)
        return 0;
    if (err->kind != ERR_CONTRACT)
        return -1;
    need->kind = VAULT_NEED_PLAIN;
    return vault_capabilities(d->vault, need, 1, d->bounded.deadline_ms, err);
}

static void look_at_path(struct doctor *d, const struct wanted_path *wanted)
{
    enum doctor_severity severity = wanted->needed ? DOCTOR_ERROR : DOCTOR_WARNING;
    AUTO_BUF subject = BUF_INIT(SUBJECT_BYTES), remedy = BUF_INIT(DOCTOR_TEXT_BYTES);
    struct vault_need need;
    struct err err = ERR_INIT;

    buf_addf(&subject, "vault:%s", wanted->path);
    bool known = ask(d, wanted->path, &need, &err) == 0;
    bool refused = known ? !vault_need_is_met(&need)
                         : err.kind == ERR_SOURCE_DENIED && err.http_status == 403;
    if (!known && !refused) {
        doctor_say_err(d, severity, buf_text(&subject), &err);
    } else if (!refused) {
        doctor_say(d, DOCTOR_OK, buf_text(&subject), NULL, "may be read (%s)", wanted->variable);
    } else {
        doctor_add_remedy(d, &need, &remedy);
        doctor_say(d, severity, buf_text(&subject), buf_text(&remedy),
                   "the token may not read it, which %s needs%s", wanted->variable,
                   wanted->needed ? "" : " (agent alone; run does without it)");
    }
}

void doctor_look_at_paths(struct doctor *d)
{
    struct wanted_paths paths = {0};

    if (!d->loaded || d->vault_is != DOCTOR_VAULT_OPEN)
        return;
    if (collect(d->job.contract, &paths) != 0)
        d->no_memory = true;
    for (size_t i = 0; i < paths.count; i++)
        look_at_path(d, &paths.list[i]);
    free(paths.list);
}
