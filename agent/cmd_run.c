/* agent/cmd_run.c: the story: load, fetch, check, make the database, become the application or stay
 * as its parent. */
#include "agent/beside.h"
#include "agent/cmd.h"
#include "agent/files.h"
#include "agent/inline.h"
#include "agent/job.h"
#include "agent/leave.h"
#include "agent/probe.h"
#include "agent/renew.h"
#include "agent/stale.h"
#include "agent/start.h"
#include "agent/supervise.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"

#include <string.h>
#include <unistd.h>

static bool with_bootstrap, replace, supervise, only_contract, redact;
static const char *probe;

static const struct opt run_options[] = {
    {"--bootstrap", 0, OPT_FLAG, NULL, NULL, "make the database first where it is fresh",
     &with_bootstrap},
    {"--replace", 0, OPT_FLAG, NULL, NULL, "become the command: no process stays between",
     &replace},
    {"--supervise", 0, OPT_FLAG, NULL, NULL, "stay as the command's parent", &supervise},
    {"--only-contract", 0, OPT_FLAG, NULL, NULL,
     "pass on the contract's variables and a basic set alone", &only_contract},
    {"--redact", 0, OPT_FLAG, NULL, NULL,
     "stay as the command's parent, and hide secrets in what it puts out", &redact},
    {"--probe", 0, OPT_STRING, "PATH", NULL,
     "ask run.status for /ready, /live or /metrics; or the socket PATH for /ready", &probe},
    {0},
};

static int check_call(const struct invocation *call, struct err *err)
{
    if (supervise && replace)
        return err_set(err, ERR_USAGE, "--supervise and --replace exclude each other");
    if (redact && replace)
        return err_set(err, ERR_USAGE, "--redact and --replace exclude each other");
    if (call->word_count > 0)
        err_set(err, ERR_USAGE, "'%s' stands before '--'", call->words[0]);
    else if (!call->rest || !call->rest[0])
        err_set(err, ERR_USAGE, "a command to start is missing");
    else
        return 0;
    return err_hint(err, "The form is: agent run [OPTIONS] -- CMD [ARG...]");
}

static bool accepted(const struct job *job, enum database_state state)
{
    for (const char *const *word = job->contract->database.accept; word && *word; word++)
        if (str_eq(*word, state_word(state)))
            return true;
    return false;
}

/* Make the database when it is fresh; the application starts only in the states that the contract
 * accepts. */
static int ensure_database(struct job *job, struct err *err)
{
    AUTO_DATABASE_JOB database = DATABASE_JOB_INIT;
    AUTO_REPORT report = REPORT_INIT;

    if (job_database(job, &database, err) != 0)
        return -1;
    if (bootstrap_run(&database.settings, false, &report, err) != 0) {
        if (err->kind != ERR_DB_STATE || !report.state_known || !accepted(job, report.state))
            return -1;
        log_line(LOG_INFO, "the database is in a state that the contract accepts", "state",
                 state_word(report.state), "why", report.why, NULL);
        return 0;
    }
    log_line(LOG_INFO,
             report.created ? "the database was made and stamped" : "the database is current",
             "database", report.database, "host", report.host, NULL);
    return 0;
}

/* What is asked for and can't be had without a contract must not be passed over in silence. */
static int do_without_contract(struct job *job, struct err *err)
{
    AUTO_INLINE_VALUES values = INLINE_VALUES_INIT;
    const char *option = with_bootstrap ? "--bootstrap" : only_contract ? "--only-contract" : NULL;

    if (inline_allowed(job->call, option, err) != 0 || inline_resolve(job, NULL, &values, err) != 0)
        return -1;
    for (size_t i = 0; i < values.count; i++)
        if (environment_set(&job->environment, values.requests[i].variable,
                            &values.requests[i].value, err) != 0)
            return -1;
    return 0;
}

static int load(struct job *job, struct err *err)
{
    if (!job_has_contract(job->call))
        return 0;
    if (job_load(job, err) != 0)
        return -1;
    if (only_contract)
        job->contract->run_only_contract = true;
    return 0;
}

static int fetch_and_check(struct job *job, struct err *err)
{
    if (!job->contract)
        return do_without_contract(job, err);
    if (job_resolve(job, NULL, err) != 0 || files_resolve(job, err) != 0 ||
        (with_bootstrap && job_resolve_for_database(job, err) != 0))
        return job_check_besides(job, err);
    if (job_check(job, err) != 0)
        return -1;
    return with_bootstrap ? ensure_database(job, err) : 0;
}

/* All that has to be done before the application starts. */
static int prepare(struct job *job, struct err *err)
{
    if (fetch_and_check(job, err) != 0 || files_write(job, NULL, err) != 0)
        return -1;
    stale_refresh(job, true);
    return 0;
}

int run_not_started(const struct invocation *call, struct err *err)
{
    err_wrap(err, "not started (code %d)", err_exit_code(err->kind));
    (void)command_failed(call, err); /* prints the code that any other command would end with */
    return EXIT_RUN_FAILED;
}

/* TERM, INT or HUP before there is an application end the preparation. */
static int prepare_until_stopped(struct job *job, struct err *err)
{
    if (stop_begin(err) != 0)
        return -1;
    stop_hurry(true);
    int result = prepare(job, err);
    if (stop_requested())
        result = stop_error(err); /* whatever it broke off first */
    stop_hurry(false);
    stop_end();
    return result;
}

/* What a start has at hand. */
struct start {
    struct job *job;
    struct supervisor *supervisor; /* NULL: agent does not stay in any case */
    struct renew *renew;           /* NULL: the same */
    struct beside *beside;
    struct supervise_settings inner; /* what BESIDE wants to be told */
};

static int not_started(const struct start *start, struct err *err)
{
    const struct job *job = start->job;
    int exit_code = EXIT_RUN_FAILED, number = stop_signal();

    if (number == 0 && start->supervisor)
        number = supervise_stop_signal(start->supervisor);
    job_say_findings(job);
    if (err->kind == ERR_STOPPED)
        exit_code = command_failed_with(job->call, err, STOP_EXIT_BASE + number);
    else
        (void)run_not_started(job->call, err);
    leave_vault_unused(job);
    if (start->renew)
        renew_end(start->renew, false);
    return exit_code;
}

/* Whether libraries are needed for it that this process shall not load, where it may stay: curl and TLS for
 * Vault, libpq. Then a child prepares the start. */
static bool needs_libraries(const struct job *job)
{
    const struct contract *contract = job->contract;

    /* What changes is all a child's: nothing here points at a former value then. */
    if (with_bootstrap || (contract && contract->run.refresh_ms > 0))
        return true;
    for (size_t i = 0; contract && i < contract->variable_count; i++)
        for (size_t k = 0; k < contract->variables[i].part_count; k++)
            if (contract->variables[i].parts[k].ref.kind == REF_VAULT)
                return true;
    for (char **entry = environ; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals && ref_is_inline(equals + 1))
            return true;
    }
    return false;
}

/* Whether there is something to do while the application runs. */
static bool has_to_stay(const struct start *start)
{
    const struct job *job = start->job;
    const struct contract_run *run = job->contract ? &job->contract->run : &contract_run_default;

    return supervise || redact || getpid() == 1 || run->status || run->refresh_ms > 0 ||
           renew_has_leases(start->renew);
}

static void on_start(void *owner, pid_t pid)
{
    const struct start *start = owner;

    start->inner.started(start->inner.owner, pid);
}

static void on_forwarded(void *owner, int number)
{
    const struct start *start = owner;

    start->inner.forwarded(start->inner.owner, number);
}

static void on_ending(void *owner, bool for_a_restart)
{
    const struct start *start = owner;

    start->inner.ending(start->inner.owner, for_a_restart);
}

static void on_end(void *owner, bool for_a_restart)
{
    const struct start *start = owner;

    if (!for_a_restart)
        return;
    redaction_application_restarts(start->beside->redaction);
    renew_application_restarts(start->renew);
}

static int stay(struct start *start)
{
    struct job *job = start->job;
    AUTO_BESIDE beside = BESIDE_INIT;
    AUTO_FREE const char **environment = NULL;
    struct supervise_settings settings = SUPERVISE_SETTINGS_INIT;
    struct change change;
    struct err err = ERR_INIT;
    int exit_code = EXIT_RUN_FAILED;

    if (beside_open(&beside, job, start->supervisor, redact, &settings, &err) != 0)
        return not_started(start, &err);
    environment = environment_list(&job->environment, &err);
    if (!environment)
        return not_started(start, &err);
    start->beside = &beside;
    start->inner = settings;
    settings.started = on_start;
    settings.forwarded = on_forwarded;
    settings.ending = on_ending;
    settings.ended = on_end;
    settings.owner = start;
    settings.argv = job->call->rest;
    settings.environment = environment;
    settings.run = job->contract ? &job->contract->run : &contract_run_default;
    change_init(&change, job, start->supervisor, &beside);
    renew_begin(start->renew, &change, &beside.facts);
    if (supervise_run(start->supervisor, &settings, &exit_code, &err) != 0)
        (void)command_failed_with(job->call, &err, exit_code);
    beside_finish(&beside);
    change_release(&change);
    renew_end(start->renew, settings.run->keep_leases);
    return exit_code;
}

static int run_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_SUPERVISOR supervisor = NULL;
    AUTO_RENEW renew = NULL;
    struct start start = {.job = &job};
    struct err err = ERR_INIT;
    int exit_code = EXIT_RUN_FAILED;

    if (probe)
        return probe_run(call, probe);
    if (check_call(call, &err) != 0 || (!replace && supervise_init(&supervisor, &err) != 0) ||
        load(&job, &err) != 0 ||
        (supervisor && renew_new(&job, supervisor, redact, &renew, &err) != 0))
        return not_started(&start, &err);
    start.supervisor = supervisor;
    start.renew = renew;
    if (renew && needs_libraries(&job) ? renew_prepare(renew, prepare, &err) != 0
                                       : prepare_until_stopped(&job, &err) != 0)
        return not_started(&start, &err);
    job_say_findings(&job);
    if (start_environment(&job, &err) != 0)
        return not_started(&start, &err);
    if (renew && has_to_stay(&start))
        return stay(&start);
    leave_vault(&job);
    if (supervisor)
        supervise_give_back(supervisor);
    start_exec(&job, call->rest, &exit_code, &err);
    return command_failed_with(call, &err, exit_code);
}

const struct command command_run = {
    .name = "run",
    .arguments = "-- CMD [ARG...]",
    .summary = "resolve, check, (make the database,) start CMD",
    .details =
        "Every variable of the contract is resolved from its source and checked; only then\n"
        "CMD starts, and no shell is involved. It takes agent's place, and no process stays\n"
        "between; but as PID 1, with a lease or with --supervise agent stays as its parent.\n"
        "Without a contract, values of the environment that are references (vault:PATH#FIELD,\n"
        "file:PATH) are resolved in place. Exit 125: agent failed, CMD was not started.",
    .options = run_options,
    .run = run_command,
};
