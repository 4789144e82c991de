#include "agent/probe.h"

#include <string.h>

#include "agent/job.h"
#include "agent/status.h"
#include "base/clock.h"
#include "base/str.h"

enum { PROBE_MS = 5000, HTTP_OK = 200, ADDRESS_BYTES = 4096 };

static const char *const paths[] = {"/ready", "/live", "/metrics", NULL};

static bool is_path(const char *what)
{
    for (const char *const *path = paths; *path; path++)
        if (str_eq(what, *path))
            return true;
    return false;
}

/* Where the contract's own status is. */
static int find_contracts(struct job *job, struct endpoint *out, struct err *err)
{
    if (job_open(job, err) != 0)
        return -1;
    if (job->contract->run.status)
        return endpoint_parse(job->contract->run.status, job->contract->folder, out, err);
    (void)err_set(err, ERR_CONTRACT, "'%s' has no run.status to ask", job_contract_path(job->call));
    return err_hint(err, "Add \"run\": {\"status\": \"unix:/run/agent.sock\"}.");
}

static int find_written(const char *what, struct endpoint *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(ADDRESS_BYTES);

    buf_addf(&text, "%s%s", what[0] == '/' ? "unix:" : "", what);
    if (buf_check(&text, ERR_USAGE, "the address to ask", err) != 0 ||
        endpoint_parse(buf_text(&text), NULL, out, err) != 0)
        return err_wrap(err, "--probe");
    return 0;
}

int probe_run(const struct invocation *call, const char *what)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_BUF body = BUF_INIT(STATUS_ANSWER_BYTES);
    struct err err = ERR_INIT;
    struct endpoint where;
    bool own = is_path(what);

    if ((own ? find_contracts(&job, &where, &err) : find_written(what, &where, &err)) != 0)
        return job_failed(&job, &err);
    int64_t deadline = clock_earlier(call->deadline_ms, clock_in_ms(PROBE_MS));
    int code = status_probe(&where, own ? what : paths[0], deadline, &body, &err);
    if (code < 0)
        (void)err_wrap(&err, "ask '%s'", own ? job.contract->run.status : what);
    else if (code != HTTP_OK)
        (void)err_set(&err, ERR_VIOLATION, "%s answered %d: %.*s", own ? what : paths[0], code,
                      (int)strcspn(buf_text(&body), "\n"), buf_text(&body));
    else
        return text_result(call, &body);
    return command_failed_with(call, &err, err_exit_code(ERR_VIOLATION));
}
