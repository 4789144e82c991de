/* machine.c: what comes next. A pure table: no I/O, no memory, no clock.
 *
 * The state is what is recorded: the step that is to be done, or was being done when its runner died.
 * So every step may have been done already when it is entered by `resume`; each finds that out itself.
 * Nothing goes back before `promote` but by RESTORE, and behind it but by ROLLBACK. */
#include "base/mem.h"
#include "rotate/internal.h"

/* ---- words ---------------------------------------------------------------------------------- */

static const char *const event_words[] = {
#define X(name, word) [name] = word,
    ROTATE_EVENTS(X)
#undef X
};

/* ---- the table ------------------------------------------------------------------------------ */

#define DO(step)                                         \
    {                                                    \
        ACT_STEP, ROTATE_##step, ROTATE_ENDED_OPEN, NULL \
    }
#define DO_SAYING(step, why)                            \
    {                                                   \
        ACT_STEP, ROTATE_##step, ROTATE_ENDED_OPEN, why \
    }
#define END(step, ending, why)                             \
    {                                                      \
        ACT_END, ROTATE_##step, ROTATE_ENDED_##ending, why \
    }
#define REFUSE(step, ending, why)                             \
    {                                                         \
        ACT_REFUSE, ROTATE_##step, ROTATE_ENDED_##ending, why \
    }

#define OPEN_ALREADY "one is open: --resume goes on with it"
#define TOO_EARLY    "nothing was promoted yet: --abort goes back"
#define TOO_LATE     "it was promoted: --rollback goes back, where the former still works"
#define STAYS        "it stays as it is, for --resume or --abort"
#define STAYS_BEHIND "it stays as it is, for --resume or --rollback"

static const struct machine_move table[ROTATE_STEP_COUNT][EVENT_COUNT] =
    {
        [ROTATE_IDLE] =
            {
                [EVENT_BEGIN] = DO(STAGE),
                [EVENT_RESUME] = END(IDLE, NOTHING, "nothing is open"),
                [EVENT_ABORT] = END(IDLE, NOTHING, "nothing is open"),
                [EVENT_ROLLBACK] = REFUSE(IDLE, NOTHING,
                                          "nothing is open: the former is known no more"),
            },
        [ROTATE_STAGE] =
            {
                [EVENT_DONE] = DO(SET),
                [EVENT_FAILED] = END(IDLE, UNDONE, "nothing was begun"),
                [EVENT_LATER] = END(IDLE, UNDONE, "nothing was begun"),
                [EVENT_CONFLICT] = REFUSE(IDLE, OPEN, OPEN_ALREADY),
            },
        [ROTATE_SET] =
            {
                [EVENT_BEGIN] = REFUSE(SET, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(SET),
                [EVENT_DONE] = DO(TEST),
                [EVENT_FAILED] = END(SET, OPEN, STAYS),
                [EVENT_LATER] = END(SET, OPEN, STAYS),
                [EVENT_CONFLICT] = END(SET, OPEN, STAYS),
                [EVENT_ABORT] = DO(RESTORE),
                [EVENT_ROLLBACK] = REFUSE(SET, OPEN, TOO_EARLY),
            },
        [ROTATE_TEST] =
            {
                [EVENT_BEGIN] = REFUSE(TEST, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(TEST),
                [EVENT_DONE] = DO(PROMOTE),
                [EVENT_FAILED] = DO_SAYING(RESTORE,
                                           "what was taken away is given back; current stays"),
                [EVENT_LATER] = END(TEST, OPEN, STAYS),
                [EVENT_CONFLICT] = END(TEST, OPEN, STAYS),
                [EVENT_ABORT] = DO(RESTORE),
                [EVENT_ROLLBACK] = REFUSE(TEST, OPEN, TOO_EARLY),
            },
        [ROTATE_PROMOTE] =
            {
                [EVENT_BEGIN] = REFUSE(PROMOTE, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(PROMOTE),
                [EVENT_DONE] = DO(PROPAGATE),
                [EVENT_FAILED] = END(PROMOTE, OPEN, STAYS),
                [EVENT_LATER] = END(PROMOTE, OPEN, STAYS),
                [EVENT_CONFLICT] = END(PROMOTE, OPEN,
                                       "current was changed by somebody else: all is kept"),
                [EVENT_ABORT] = DO(RESTORE),
                [EVENT_ROLLBACK] = REFUSE(PROMOTE, OPEN, TOO_EARLY),
            },
        [ROTATE_PROPAGATE] =
            {
                [EVENT_BEGIN] = REFUSE(PROPAGATE, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(PROPAGATE),
                [EVENT_DONE] = DO(SOAK),
                [EVENT_FAILED] = DO_SAYING(SOAK, "with warnings: --resume repeats what failed"),
                [EVENT_LATER] = DO_SAYING(SOAK, "with warnings: --resume repeats what failed"),
                [EVENT_CONFLICT] = END(PROPAGATE, OPEN, STAYS_BEHIND),
                [EVENT_ABORT] = REFUSE(PROPAGATE, OPEN, TOO_LATE),
                [EVENT_ROLLBACK] = DO(ROLLBACK),
            },
        [ROTATE_SOAK] =
            {
                [EVENT_BEGIN] = DO_SAYING(PROPAGATE, "goes on with the one that soaks"),
                [EVENT_RESUME] = DO_SAYING(PROPAGATE, "repeats what failed there"),
                [EVENT_DONE] = DO(RETIRE),
                [EVENT_WAITING] = END(SOAK, SOAKING, "the former works until grace is over"),
                [EVENT_FAILED] = END(SOAK, OPEN, STAYS_BEHIND),
                [EVENT_LATER] = END(SOAK, OPEN, STAYS_BEHIND),
                [EVENT_CONFLICT] = END(SOAK, OPEN, STAYS_BEHIND),
                [EVENT_ABORT] = REFUSE(SOAK, OPEN, TOO_LATE),
                [EVENT_ROLLBACK] = DO(ROLLBACK),
            },
        [ROTATE_RETIRE] =
            {
                [EVENT_BEGIN] = REFUSE(RETIRE, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(RETIRE),
                [EVENT_DONE] = DO(DONE),
                [EVENT_FAILED] = END(RETIRE, WITH_WARNINGS, "the former is left, and reported"),
                [EVENT_LATER] = END(RETIRE, OPEN, STAYS_BEHIND),
                [EVENT_CONFLICT] = END(RETIRE, OPEN, STAYS_BEHIND),
                [EVENT_ABORT] = REFUSE(RETIRE, OPEN, TOO_LATE),
                [EVENT_ROLLBACK] = DO(ROLLBACK),
            },
        [ROTATE_RESTORE] =
            {
                [EVENT_BEGIN] = REFUSE(RESTORE, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(RESTORE),
                [EVENT_DONE] = END(IDLE, UNDONE, "what was is; nothing is open"),
                [EVENT_FAILED] = END(RESTORE, OPEN, STAYS),
                [EVENT_LATER] = END(RESTORE, OPEN, STAYS),
                [EVENT_CONFLICT] = END(RESTORE, OPEN, STAYS),
                [EVENT_ABORT] = DO(RESTORE),
                [EVENT_ROLLBACK] = DO(RESTORE),
            },
        [ROTATE_ROLLBACK] =
            {
                [EVENT_BEGIN] = REFUSE(ROLLBACK, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(ROLLBACK),
                [EVENT_DONE] = DO_SAYING(RESTORE, "the former is current again"),
                [EVENT_FAILED] = END(SOAK, OPEN, "it can't be rolled back: --resume goes on"),
                [EVENT_LATER] = END(ROLLBACK, OPEN, "it stays as it is, for --resume"),
                [EVENT_CONFLICT] = END(ROLLBACK, OPEN,
                                       "current was changed by somebody else: all is kept"),
                [EVENT_ABORT] = REFUSE(ROLLBACK, OPEN, "it is being rolled back: --resume goes on"),
                [EVENT_ROLLBACK] = DO(ROLLBACK),
            },
        [ROTATE_DONE] =
            {
                [EVENT_BEGIN] = REFUSE(DONE, OPEN, OPEN_ALREADY),
                [EVENT_RESUME] = DO(DONE),
                [EVENT_DONE] = END(IDLE, DONE, "the former works no more"),
                [EVENT_FAILED] = END(DONE, OPEN, "only its notes are missing: --resume goes on"),
                [EVENT_LATER] = END(DONE, OPEN, "only its notes are missing: --resume goes on"),
                [EVENT_CONFLICT] = END(DONE, OPEN, "only its notes are missing: --resume goes on"),
                [EVENT_ABORT] = REFUSE(DONE, OPEN, "it is done: --resume cleans up"),
                [EVENT_ROLLBACK] = REFUSE(DONE, OPEN, "it is done: the former works no more"),
            },
};

static bool is_cell(const struct machine_move *move)
{
    return move->action != ACT_NONE;
}

struct machine_move machine_move(enum rotate_step state, enum rotate_event event)
{
    const struct machine_move *move = &table[state][event];

    if (is_cell(move))
        return *move;
    return (struct machine_move){ACT_REFUSE, state, ROTATE_ENDED_OPEN, "this cannot come up here"};
}

/* ---- for people ----------------------------------------------------------------------------- */

static const struct {
    enum rotate_step step;
    const char *effect;
} effects[] = {
    {ROTATE_STAGE, "the next secret is written beside the current one: lock and record in one"},
    {ROTATE_SET, "the other side accepts it; nothing that anybody uses has changed"},
    {ROTATE_TEST, "it is used as the application would, over a new connection"},
    {ROTATE_PROMOTE, "it becomes current, where that was not changed meanwhile"},
    {ROTATE_PROPAGATE, "`after` and `mirrors`, each once"},
    {ROTATE_SOAK, "both work until `grace` is over"},
    {ROTATE_RETIRE, "the former stops working, and is proven to"},
    {ROTATE_DONE, "the record goes; when, who and why stay"},
    {ROTATE_RESTORE, "before promote: what set took away is given back"},
    {ROTATE_ROLLBACK, "behind promote: the former becomes current again"},
};

static void write_move(struct buf *out, enum rotate_step state, enum rotate_event event)
{
    const struct machine_move *move = &table[state][event];

    if (!is_cell(move))
        return;
    buf_addf(out, "  %-10s %-9s ", rotate_step_word(state), event_words[event]);
    if (move->action == ACT_STEP)
        buf_addf(out, "-> %s", rotate_step_word(move->next));
    else
        buf_addf(out, "%s", move->action == ACT_END ? "ends" : "refused");
    if (move->action == ACT_END && move->next != ROTATE_IDLE)
        buf_addf(out, " at %s", rotate_step_word(move->next));
    if (move->why)
        buf_addf(out, " (%s)", move->why);
    buf_addc(out, '\n');
}

void rotate_machine_write(struct buf *out)
{
    buf_adds(out,
             "Every secret is rotated by one machine. What is recorded is the step that is to be\n"
             "done; each can be repeated, and finds out itself whether it was done before.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(effects); i++)
        buf_addf(out, "  %-10s %s\n", rotate_step_word(effects[i].step), effects[i].effect);
    buf_adds(out, "\nstate      event     what follows\n");
    for (int state = 0; state < ROTATE_STEP_COUNT; state++)
        for (int event = 0; event < EVENT_COUNT; event++)
            write_move(out, (enum rotate_step)state, (enum rotate_event)event);
}
