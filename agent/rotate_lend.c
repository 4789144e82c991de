/* rotate_lend.c: what rotate/ borrows from agent. */
#include "agent/rotate.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"
#include "base/terminal.h"
#include "vault/engine.h"
#include "vault/sealed.h"

enum {
    HOST_BYTES = 128,
    USER_BUFFER_BYTES = 16 * 1024,
    AHEAD_MORE = 4,
    VALUE_MAX_BYTES = 256 * 1024, /* of one that is typed or read */
};

void rotate_job_release(struct rotate_job *r)
{
    rotate_strays_release(&r->strays);
    free(r->environment_list);
    environment_release(&r->environment);
    free(r->sealed_path);
}

/* ---- the functions ------------------------------------------------------------------------------- */

static int lend_vault(void *owner, struct vault **out, struct err *err)
{
    struct rotate_job *r = owner;

    if (job_sources(r->job, err) != 0)
        return -1;
    return source_open_vault(r->job->sources, out, err);
}

static int lend_value_of(void *owner, const char *variable, struct secret *out, struct err *err)
{
    return rotate_value_of(owner, variable, out, err);
}

static int lend_value_with(void *owner, const char *variable, const struct document *fields,
                           struct secret *out, struct err *err)
{
    return rotate_value_with(owner, variable, fields, out, err);
}

static void say(void *owner, const struct rotate_spec *spec, const char *text)
{
    (void)owner;
    log_line(LOG_INFO, text, "variable", spec->variable, NULL);
}

/* ---- a value that somebody has -------------------------------------------------------------------- */

static int read_value(struct secret *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(VALUE_MAX_BYTES + 1); /* the newline that goes */

    if (file_read_fd(STDIN_FILENO, "standard input", &text, err) != 0)
        return -1;
    size_t length = text.len;
    if (length > 0 && text.data[length - 1] == '\n')
        length--;
    if (length == 0)
        return err_set(err, ERR_USAGE, "standard input has no value");
    return secret_set(out, buf_text(&text), length, err);
}

/* There is no terminal. Of --due that is no mistake of the call: it is how a timer runs it. */
static int nobody_is_there(const struct rotate_job *r, const struct rotate_spec *spec,
                           struct err *err)
{
    if (!r->options->due)
        return err_hint(err, "Without a terminal the value comes from standard input, with "
                             "--value-stdin.");
    (void)err_set(err, ERR_VIOLATION, "it is due, and waits for a person to make its new value");
    return err_hint(err,
                    "agent rotate %s at a terminal asks for it; with --value-stdin it is read "
                    "from standard input.",
                    spec->variable);
}

static int ask_value(void *owner, const struct rotate_spec *spec, struct secret *out,
                     struct err *err)
{
    const struct rotate_job *r = owner;
    AUTO_BUF what = BUF_INIT(ERR_TEXT_BYTES);
    size_t number = 0;

    if (r->options->value_stdin)
        return read_value(out, err) != 0 ? -1 : redact_register_value(out, err);
    for (const char *const *step = spec->steps; step && *step; step++)
        log_msg(LOG_WARN, "%s, %zu: %s", spec->variable, ++number, *step);
    buf_addf(&what, "the new value of %s", spec->variable);
    if (terminal_ask(buf_text(&what), true, r->job->call->deadline_ms, out, err) != 0)
        return err->sys_errno == ENXIO ? nobody_is_there(r, spec, err) : -1;
    return redact_register_value(out, err);
}

/* ---- who ------------------------------------------------------------------------------------------ */

static void user_and_host(char *out, size_t size)
{
    char host[HOST_BYTES] = "", buffer[USER_BUFFER_BYTES];
    struct passwd entry, *found = NULL;

    if (gethostname(host, sizeof(host) - 1) != 0)
        (void)snprintf(host, sizeof(host), "unknown");
    if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) == 0 && found)
        (void)snprintf(out, size, "%s@%s", found->pw_name, host);
    else
        (void)snprintf(out, size, "%u@%s", (unsigned)geteuid(), host);
}

/* The paths that VARIABLE comes from. */
static size_t vault_paths(const struct rotate_job *r, const char *variable, const char **out,
                          size_t room)
{
    const struct contract_variable *v = variable ? contract_find(r->job->contract, variable) : NULL;
    size_t count = 0;

    for (size_t i = 0; v && i < v->part_count && count < room; i++)
        if (v->parts[i].ref.kind == REF_VAULT)
            out[count++] = v->parts[i].ref.path;
    return count;
}

void rotate_lend_ahead(struct rotate_job *r, const struct rotate_spec *spec)
{
    const char *more[AHEAD_MORE + 1] = {NULL};
    struct err ignored; /* who needs Vault says why it can't be had */
    struct vault *v;

    if (r->ahead == spec || spec->place.kind == ROTATE_IN_SEALED ||
        lend_vault(r, &v, &ignored) != 0)
        return;
    (void)vault_paths(r, spec->admin, more, AHEAD_MORE);
    rotate_ask_ahead(spec, v, more, !r->ahead, r->context.deadline_ms);
    r->ahead = spec;
}

int rotate_find_out_who(struct rotate_job *r, struct err *err)
{
    CLEANUP(vault_token_facts_release) struct vault_token_facts self = {0};
    bool needs_vault = false;
    struct vault *v;

    user_and_host(r->by, sizeof(r->by));
    for (size_t i = 0; i < r->count; i++)
        needs_vault = needs_vault || r->specs[i].place.kind != ROTATE_IN_SEALED;
    if (!needs_vault)
        return 0;
    if (lend_vault(r, &v, err) != 0)
        return -1;
    if (r->count == 1)
        rotate_lend_ahead(r, &r->specs[0]);
    if (vault_self(v, r->context.deadline_ms, &self, err) != 0) {
        /* A token that may not look at itself can rotate all the same. */
        return err->kind == ERR_SOURCE_DENIED && err->http_status == 403 ? 0 : -1;
    }
    if (self.display_name && *self.display_name)
        (void)snprintf(r->by, sizeof(r->by), "%s", self.display_name);
    return 0;
}

/* ---- the environment of programs -------------------------------------------------------------------- */

/* A name that the contract declares has its variable's value: a provider's key from Vault, say. */
static int lend_variable(struct rotate_job *r, const char *name, struct err *err)
{
    AUTO_SECRET value = SECRET_INIT;

    if (!contract_find(r->job->contract, name))
        return 0;
    if (rotate_value_of(r, name, &value, err) != 0)
        return -1;
    return environment_set(&r->environment, name, &value, err);
}

int rotate_lend_environment(struct rotate_job *r, const struct rotate_spec *spec, struct err *err)
{
    free(r->environment_list);
    r->environment_list = NULL;
    environment_release(&r->environment);
    r->environment = ENVIRONMENT_INIT;
    if (environment_index(&r->environment, (const char *const *)environ, err) != 0)
        return -1;
    for (const char *const *name = spec->environment; name && *name; name++)
        if (lend_variable(r, *name, err) != 0)
            return err_wrap(err, "'env' of the rotation of '%s'", spec->variable);
    r->environment_list = environment_list(&r->environment, err);
    r->context.environment = r->environment_list;
    return r->environment_list ? 0 : -1;
}

/* ---- all of it ------------------------------------------------------------------------------------ */

int rotate_lend(struct rotate_job *r, struct err *err)
{
    const struct job *job = r->job;

    if (sealed_path(job->contract->folder, &r->sealed_path, err) != 0)
        return -1;
    r->context = (struct rotate_context){
        .owner = r,
        .vault = lend_vault,
        .value_of = lend_value_of,
        .value_with = lend_value_with,
        .ask_value = ask_value,
        .say = say,
        .folder = job->contract->folder,
        .environment = (const char *const *)environ,
        .sealed_path = r->sealed_path,
        .profile = job->contract->profile,
        .by = r->by,
        .reason = r->options->reason,
        .deadline_ms = job->call->deadline_ms,
        .wait = r->options->wait,
        .terminate = r->options->terminate,
        .revoke_others = r->options->revoke_others,
        .no_grace = r->options->no_grace,
    };
    return 0;
}
