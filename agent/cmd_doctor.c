/* agent/cmd_doctor.c: `agent doctor`: look at everything that `run` would need. */
#include "agent/doctor.h"
#include "agent/leave.h"
#include "base/clock.h"

static bool rotates;

static const struct opt doctor_options[] = {
    {"--rotate", 0, OPT_FLAG, NULL, NULL,
     "this token is the one that rotates: what that needs, too", &rotates},
    {0},
};

static void look_at_contract(struct doctor *d)
{
    struct job *job = &d->job;
    struct err err = ERR_INIT;

    if (!job_has_contract(&d->bounded)) {
        doctor_say(d, DOCTOR_WARNING, "contract",
                   "Name it with --contract FILE or AGENT_CONTRACT, or start in its folder.",
                   "there is none here: only what the environment says can be looked at");
        return;
    }
    int result = job_load(job, &err);
    d->loaded = result == 0;
    if (result == 0 && contract_lint(job->contract, &job->findings, &err) != 0)
        result = -1;
    bool said = doctor_take_findings(d);
    if (result != 0 && !said)
        doctor_say_err(d, DOCTOR_ERROR, "contract", &err);
    if (!d->loaded)
        return;
    doctor_say(d, DOCTOR_OK, "contract", NULL, "'%s' can be used: %zu variables%s%s%s",
               job->contract->path, job->contract->variable_count,
               job->contract->profile ? ", profile '" : "",
               job->contract->profile ? job->contract->profile : "",
               job->contract->profile ? "'" : "");
}

/* In the order in which one needs the other. */
static void (*const parts[])(struct doctor *d) = {
    look_at_contract,         doctor_look_at_host,   doctor_look_at_environment,
    doctor_look_at_libraries, doctor_look_at_files,  doctor_look_at_vault,
    doctor_look_at_paths,     doctor_look_at_values, doctor_look_at_rotation,
    doctor_look_at_database,  doctor_look_at_env_py,
};

static void look(struct doctor *d)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        doctor_part(d, DOCTOR_MS);
        parts[i](d);
    }
    if (clock_passed(d->deadline_ms))
        doctor_say(d, DOCTOR_WARNING, "doctor", "Give it more with --timeout.",
                   "time ran out: what comes last was not looked at to its end");
}

static int show(const struct doctor *d)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    int code = d->errors > 0 ? err_exit_code(ERR_VIOLATION) : 0;

    if (d->no_memory) {
        (void)err_nomem(&err);
        return command_failed(&d->bounded, &err);
    }
    if (d->bounded.common.json) {
        struct json json = JSON_INIT(&out);
        document_begin(&json, "doctor", code == 0);
        doctor_write_json(d, &json);
        return document_print(&json, code);
    }
    doctor_write_text(d, stdout_wants_color(&d->bounded), &out);
    return text_print(&out, code);
}

static int doctor_command(const struct invocation *call)
{
    CLEANUP(doctor_release) struct doctor d = {.bounded = *call, .rotates = rotates};
    struct err err = ERR_INIT;

    if (command_words_at_most(call, 0, &err) != 0)
        return command_failed(call, &err);
    d.job = JOB_INIT(&d.bounded);
    d.deadline_ms = call->deadline_ms != CLOCK_NEVER ? call->deadline_ms : clock_in_ms(DOCTOR_MS);
    look(&d);
    leave_vault_ended(&d.job);
    return show(&d);
}

const struct command command_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "look at everything that run would need, and say what is wrong and what to do",
    .details =
        "The contract, this machine, the environment, libraries, files, Vault and each path in "
        "it,\n"
        "values, rotations, the database: a line each, and what to do where something is wrong.\n"
        "A refusal comes with the policy that would allow it. It changes nothing, takes 30 s at\n"
        "most unless --timeout says otherwise, and exits 1 when there is an error.",
    .options = doctor_options,
    .run = doctor_command,
};
