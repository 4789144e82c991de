/* rotate_stray.c: records of rotations that belong to no variable: that they are there, and what to do. */
#include "agent/rotate.h"

#include "base/log.h"

enum { TEXT_BYTES = 2 * 1024 };

void rotate_describe_stray(const struct rotate_job *r, const struct rotate_stray *stray,
                           struct buf *message, struct buf *hint)
{
    const char *name = stray->variable;
    enum rotate_step step = stray->status.step;
    bool is_there = contract_find(r->job->contract, name) != NULL;

    buf_addf(message, "a rotation of '%s' is open", name);
    if (step != ROTATE_IDLE)
        buf_addf(message, " at the step '%s'", rotate_step_word(step));
    buf_addf(message, ", and %s: its record %s belongs to no variable, and has secrets in it",
             is_there ? "that is not what the contract rotates by this name now"
                      : "the contract has no variable of that name",
             stray->place);
    buf_addf(hint,
             is_there ? "Give '%s' the 'rotate' and the 'source' again that it had"
                      : "Where it was renamed, give it the name '%s' again",
             name);
    buf_addf(hint, "; then 'agent rotate --resume %s' goes on with it", name);
    if (step > ROTATE_IDLE && step <= ROTATE_PROMOTE)
        buf_addf(hint, ", --abort %s goes back", name);
    else if (step > ROTATE_PROMOTE && step <= ROTATE_RETIRE)
        buf_addf(hint, ", --rollback %s goes back", name);
    buf_adds(hint,
             ". Rename it when nothing is open. Where another contract rotates it, it is that "
             "one's. Nothing deletes it unasked.");
}

static void say(const struct rotate_job *r, const struct rotate_stray *stray)
{
    AUTO_BUF message = BUF_INIT(TEXT_BYTES), hint = BUF_INIT(TEXT_BYTES);
    const struct rotate_status *status = &stray->status;

    rotate_describe_stray(r, stray, &message, &hint);
    log_line(LOG_WARN, buf_text(&message), "by", *status->by ? status->by : NULL, "since",
             *status->started ? status->started : NULL, "unread",
             status->err.kind == ERR_NONE ? NULL : status->err.text, "hint", buf_text(&hint), NULL);
}

void rotate_look_for_strays(struct rotate_job *r)
{
    struct err err = ERR_INIT;

    if (rotate_find_strays(r->specs, r->count, &r->context, &r->strays, &err) != 0) {
        log_line(LOG_WARN,
                 "whether a rotation is open that belongs to no variable could not be found out",
                 "reason", err.text, "hint", *err.hint ? err.hint : NULL, NULL);
        return;
    }
    for (size_t i = 0; i < r->strays.count; i++)
        say(r, &r->strays.list[i]);
    if (r->strays.more > 0)
        log_msg(LOG_WARN, "%zu more rotations are open that belong to no variable", r->strays.more);
    if (r->strays.denied.kind != ERR_NONE)
        log_line(LOG_DEBUG, "records of renamed variables were not looked for everywhere", "reason",
                 r->strays.denied.text, NULL);
}
