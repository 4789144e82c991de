#include "agent/start.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"

enum { LISTEN_FDS_MAX = 1024 };

/* Vault's own credentials: what logs in is agent's business, unless the contract says otherwise. */
static const char *const vault_credentials[] = {
    "VAULT_TOKEN",  "BAO_TOKEN",           "VAULT_SECRET_ID", "BAO_SECRET_ID", "VAULT_PASSWORD",
    "BAO_PASSWORD", "VAULT_WRAPPED_TOKEN", "VAULT_JWT",       "BAO_JWT",       NULL,
};

/* What --only-contract leaves of the process's own environment. */
static const char *const basic_names[] = {"PATH", "HOME", "USER", "LANG", "TZ", "TERM", NULL};

static bool in_list(const char *const *list, const char *name, size_t length)
{
    for (; list && *list; list++)
        if (strlen(*list) == length && strncmp(*list, name, length) == 0)
            return true;
    return false;
}

static void keep_basic_only(struct environment *e)
{
    for (size_t i = 0; i < e->count; i++) {
        const char *entry = e->entries[i];
        if (entry && !in_list(basic_names, entry, (size_t)(strchr(entry, '=') - entry)))
            e->entries[i] = NULL;
    }
}

/* The variables that proc_harden kept away from our libraries belong to the application. */
static int give_back_withheld(struct environment *e, struct err *err)
{
    for (const char *const *entry = proc_withheld_environment(); entry && *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (!equals)
            continue;
        AUTO_FREE char *name = mem_dup_n(*entry, (size_t)(equals - *entry));
        if (!name)
            return err_nomem(err);
        struct secret value = secret_borrow(equals + 1, strlen(equals + 1));
        if (environment_set(e, name, &value, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- names of what only agent uses ---------------------------------------------------------- */

/* Names in the environment, sorted. */
struct name_list {
    const char **list;
    size_t count, capacity;
    bool no_memory;
};

static void name_list_release(struct name_list *names)
{
    free(names->list);
}

static void add_name(struct name_list *names, const char *name)
{
    if (mem_grow(&names->list, names->count, &names->capacity, sizeof(*names->list)) != 0)
        names->no_memory = true;
    else
        names->list[names->count++] = name;
}

/* Every name under which VARIABLE's value, or a part of it, may stand in the environment. */
static void add_names_of(struct name_list *names, const struct contract_variable *variable)
{
    add_name(names, variable->name);
    for (const char *const *alias = variable->aliases; alias && *alias; alias++)
        add_name(names, *alias);
    for (size_t i = 0; i < variable->part_count; i++)
        if (variable->parts[i].ref.kind == REF_ENV && variable->parts[i].ref.path)
            add_name(names, variable->parts[i].ref.path);
}

/* "env:NAME", as vault.auth has what logs in. */
static void add_reference(struct name_list *names, const char *reference)
{
    const char *name = reference ? ref_behind(reference, REF_ENV) : NULL;
    if (name)
        add_name(names, name);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A name that is the application's as well stays: one host may be in two URLs. */
static int take_out_agents_own(struct job *job, struct err *err)
{
    const struct contract *contract = job->contract;
    CLEANUP(name_list_release) struct name_list agents = {0};
    CLEANUP(name_list_release) struct name_list applications = {0};

    add_reference(&agents, contract->vault.secret_id);
    add_reference(&agents, contract->vault.password);
    add_reference(&agents, contract->vault.jwt);
    add_reference(&agents, contract->vault.token);
    for (size_t i = 0; i < contract->variable_count; i++)
        if (contract->variables[i].for_agent_only)
            add_names_of(&agents, &contract->variables[i]);
    for (size_t i = 0; agents.count > 0 && i < contract->variable_count; i++)
        if (!contract->variables[i].for_agent_only)
            add_names_of(&applications, &contract->variables[i]);
    if (agents.no_memory || applications.no_memory)
        return err_nomem(err);
    if (applications.count > 0)
        qsort(applications.list, applications.count, sizeof(char *), compare_names);
    for (size_t i = 0; i < agents.count; i++)
        if (applications.count == 0 || !bsearch(&agents.list[i], applications.list,
                                                applications.count, sizeof(char *), compare_names))
            environment_unset(&job->environment, agents.list[i]);
    return 0;
}

static int set_declared(struct job *job, struct err *err)
{
    const struct contract *contract = job->contract;

    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        const struct secret *bytes = &job->values[i].bytes;
        if (variable->for_agent_only || !secret_is_set(bytes))
            environment_unset(&job->environment, variable->name);
        else if (environment_set(&job->environment, variable->name, bytes, err) != 0)
            return -1;
    }
    if (!contract->profile_variable || !contract->profile)
        return 0;
    struct secret profile = secret_borrow(contract->profile, strlen(contract->profile));
    return environment_set(&job->environment, contract->profile_variable, &profile, err);
}

int start_environment(struct job *job, struct err *err)
{
    const struct contract *contract = job->contract;

    if (contract && contract->run_only_contract)
        keep_basic_only(&job->environment);
    else if (give_back_withheld(&job->environment, err) != 0)
        return -1;
    for (const char *const *name = vault_credentials; *name; name++)
        environment_unset(&job->environment, *name);
    if (contract && (take_out_agents_own(job, err) != 0 || set_declared(job, err) != 0))
        return -1;
    for (const char *const *name = contract ? contract->run_unset : NULL; name && *name; name++)
        environment_unset(&job->environment, *name);
    return 0;
}

static const char *value_in(const char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

int start_first_closed(const char *const *environment)
{
    const char *pid = value_in(environment, "LISTEN_PID");
    const char *count = value_in(environment, "LISTEN_FDS");
    int64_t number = 0, handed_on = 0;

    if (!pid || !count || str_to_int64(pid, strlen(pid), &number) != 0 || number != getpid() ||
        str_to_int64(count, strlen(count), &handed_on) != 0 || handed_on < 0 ||
        handed_on > LISTEN_FDS_MAX)
        return STDERR_FILENO + 1;
    return STDERR_FILENO + 1 + (int)handed_on;
}

int start_find(const char *name, const char *const *environment, char **out, int *exit_code,
               struct err *err)
{
    if (proc_find(name, environment, NULL, ERR_USAGE, out, err) == 0)
        return 0;
    *exit_code = err->kind == ERR_RESOURCE  ? EXIT_RUN_FAILED
                 : err->sys_errno == EACCES ? EXIT_RUN_CANNOT
                                            : EXIT_RUN_NOT_FOUND;
    return -1;
}

int start_refused(const char *file, int reason, int *exit_code, struct err *err)
{
    *exit_code = reason == ENOENT || reason == ENOTDIR ? EXIT_RUN_NOT_FOUND : EXIT_RUN_CANNOT;
    errno = reason;
    err_errno(err, ERR_USAGE, "start '%s'", file);
    if (reason == E2BIG)
        err_hint(err, "Its arguments and environment together are larger than the system takes.");
    if (reason == ENOENT) /* it was found before */
        err_hint(
            err,
            "'%s' is there. What runs it is missing: its loader, or the interpreter of its '#!' "
            "line (line ends of Windows become a part of that name).",
            file);
    if (reason == ENOEXEC)
        err_hint(err, "It is a program for another architecture, or a script without a first line "
                      "such as #!/bin/sh.");
    return -1;
}

int start_exec(const struct job *job, char **argv, int *exit_code, struct err *err)
{
    AUTO_FREE char *found = NULL;
    AUTO_FREE const char **list = environment_list(&job->environment, err);

    *exit_code = EXIT_RUN_FAILED;
    if (!list || start_find(argv[0], list, &found, exit_code, err) != 0)
        return -1;
    proc_close_at_exec(start_first_closed(list));
    proc_restore_for_child();
    /* POSIX: execve takes char *const[] and changes none of it. It comes back only on failure. */
    (void)execve(found, argv, (char *const *)(uintptr_t)list);
    return start_refused(found, errno, exit_code, err);
}
