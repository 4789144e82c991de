/* agent/supervise_table.c: see agent/supervise_table.h. One row for each state; what is not said in
 * a row changes nothing. */
#include "agent/supervise_table.h"

#include "base/attr.h"

/* What stays as it is has no entry: entries hold 1 + the next state, so that 0 is "no entry". */
struct cell {
    unsigned char next_and_one, action;
};

#define GO(next, action)                         \
    {                                            \
        SUPERVISE_##next + 1, SUPERVISE_##action \
    }

static const struct cell table[SUPERVISE_STATE_COUNT][SUPERVISE_EVENT_COUNT] = {
    /* Whoever asks for the end now gets it; other signals are for the application. */
    [SUPERVISE_PREPARING] =
        {
            [SUPERVISE_READY] = GO(RUNNING, START),
            [SUPERVISE_SIGNAL] = GO(PREPARING, HOLD),
            [SUPERVISE_STOP] = GO(ENDED, FINISH),
            [SUPERVISE_FAILED] = GO(ENDED, FINISH),
        },
    /* What ends by itself ends us, at once and with its code, whatever it leaves behind. */
    [SUPERVISE_RUNNING] =
        {
            [SUPERVISE_SIGNAL] = GO(RUNNING, FORWARD),
            [SUPERVISE_STOP] = GO(STOPPING, END_IT),
            [SUPERVISE_RESTART] = GO(RESTARTING, END_IT),
            [SUPERVISE_RESTART_LATER] = GO(DELAYED, DELAY),
            [SUPERVISE_EXITED] = GO(ENDED, FINISH),
            [SUPERVISE_FAILED] = GO(ENDED, FINISH),
            [SUPERVISE_SUSPENDED] = GO(RUNNING, SUSPEND),
        },
    /* An application with old values is better than none: it runs on while the restart waits. */
    [SUPERVISE_DELAYED] =
        {
            [SUPERVISE_SIGNAL] = GO(DELAYED, FORWARD),
            [SUPERVISE_STOP] = GO(STOPPING, END_IT),
            [SUPERVISE_RESTART] = GO(RESTARTING, END_IT),
            [SUPERVISE_RESTART_DUE] = GO(RESTARTING, END_IT),
            [SUPERVISE_EXITED] = GO(ENDED, FINISH),
            [SUPERVISE_SUSPENDED] = GO(DELAYED, SUSPEND),
        },
    /* The start that is to come takes the newest values: another restart is this one. */
    [SUPERVISE_RESTARTING] =
        {
            [SUPERVISE_SIGNAL] = GO(RESTARTING, FORWARD),
            [SUPERVISE_STOP] = GO(STOPPING, FORWARD),
            [SUPERVISE_DEADLINE] = GO(RESTARTING, KILL),
            [SUPERVISE_EXITED] = GO(CLEARING, CLEAR),
            [SUPERVISE_SUSPENDED] = GO(RESTARTING, RESUME),
        },
    /* Two of them never run beside each other, so what can't be killed is waited for. */
    [SUPERVISE_CLEARING] =
        {
            [SUPERVISE_SIGNAL] = GO(CLEARING, HOLD),
            [SUPERVISE_STOP] = GO(SWEEPING, NOTHING),
            [SUPERVISE_DEADLINE] = GO(CLEARING, KILL),
            [SUPERVISE_ALONE] = GO(RUNNING, START),
        },
    /* Who asks twice is heard twice; the deadline is the first one's. */
    [SUPERVISE_STOPPING] =
        {
            [SUPERVISE_SIGNAL] = GO(STOPPING, FORWARD),
            [SUPERVISE_STOP] = GO(STOPPING, FORWARD),
            [SUPERVISE_DEADLINE] = GO(STOPPING, KILL),
            [SUPERVISE_EXITED] = GO(SWEEPING, CLEAR),
            [SUPERVISE_SUSPENDED] = GO(STOPPING, RESUME),
        },
    [SUPERVISE_SWEEPING] =
        {
            [SUPERVISE_DEADLINE] = GO(SWEEPING, KILL),
            [SUPERVISE_ALONE] = GO(ENDED, FINISH),
            [SUPERVISE_HOPELESS] = GO(ENDED, FINISH),
        },
    /* [SUPERVISE_ENDED]: nothing happens any more. */
};

struct supervise_step supervise_step(enum supervise_state state, enum supervise_event event)
{
    struct cell cell = table[state][event];

    if (cell.next_and_one == 0)
        return (struct supervise_step){state, SUPERVISE_NOTHING};
    return (struct supervise_step){(enum supervise_state)(cell.next_and_one - 1),
                                   (enum supervise_action)cell.action};
}

#define WORD(name, word, meaning)    [name] = (word),
#define MEANING(name, word, meaning) [name] = (meaning),
#define SAID(name, meaning)          [name] = (meaning),

const char *supervise_state_word(enum supervise_state state)
{
    static const char *const words[] = {SUPERVISE_STATES(WORD)};
    return words[state];
}

const char *supervise_state_meaning(enum supervise_state state)
{
    static const char *const meanings[] = {SUPERVISE_STATES(MEANING)};
    return meanings[state];
}

const char *supervise_event_meaning(enum supervise_event event)
{
    static const char *const meanings[] = {SUPERVISE_EVENTS(SAID)};
    return meanings[event];
}

const char *supervise_action_meaning(enum supervise_action action)
{
    static const char *const meanings[] = {SUPERVISE_ACTIONS(SAID)};
    return meanings[action];
}
