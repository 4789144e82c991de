/* agent/supervise_table.h: what the supervisor does: states × events → next state and action.
 *
 * The table is pure: it knows no process and no clock. supervise.c raises the events and carries out
 * the actions; a new rule is a cell here and nothing elsewhere. */
#ifndef AGENT_SUPERVISE_TABLE_H
#define AGENT_SUPERVISE_TABLE_H

/* state, word (for status and log), meaning */
#define SUPERVISE_STATES(X)                                                                \
    X(SUPERVISE_PREPARING, "preparing", "nothing was started yet")                         \
    X(SUPERVISE_RUNNING, "running", "the application runs")                                \
    X(SUPERVISE_DELAYED, "delayed", "it runs, and a restart waits for its time")           \
    X(SUPERVISE_RESTARTING, "restarting", "it was asked to end, and will be started anew") \
    X(SUPERVISE_CLEARING, "clearing", "it ended; what it left goes before it starts anew") \
    X(SUPERVISE_STOPPING, "stopping", "it was asked to end, and so will we")               \
    X(SUPERVISE_SWEEPING, "sweeping", "it ended; what it left behind goes, then we end")   \
    X(SUPERVISE_ENDED, "ended", "all is over")

/* event, what happened */
#define SUPERVISE_EVENTS(X)                                                       \
    X(SUPERVISE_READY, "the application can be started")                          \
    X(SUPERVISE_SIGNAL, "a signal came for the application")                      \
    X(SUPERVISE_STOP, "a signal came that asks for the end")                      \
    X(SUPERVISE_RESTART, "a restart was asked for, and may be at once")           \
    X(SUPERVISE_RESTART_LATER, "a restart was asked for, too soon after another") \
    X(SUPERVISE_RESTART_DUE, "the time of a restart that waited has come")        \
    X(SUPERVISE_DEADLINE, "stop_timeout has passed, or the time after a KILL")    \
    X(SUPERVISE_EXITED, "the application's process has ended")                    \
    X(SUPERVISE_ALONE, "none of its processes is left")                           \
    X(SUPERVISE_HOPELESS, "what is left can't be killed")                         \
    X(SUPERVISE_FAILED, "the application could not be started")                   \
    X(SUPERVISE_SUSPENDED, "the application was stopped, as ^Z does")

/* action, what is done */
#define SUPERVISE_ACTIONS(X)                                                 \
    X(SUPERVISE_NOTHING, "nothing")                                          \
    X(SUPERVISE_HOLD, "keep the signal for the next start")                  \
    X(SUPERVISE_START, "start it, and send it what was kept")                \
    X(SUPERVISE_FORWARD, "send the signal on")                               \
    X(SUPERVISE_DELAY, "have the restart's time come")                       \
    X(SUPERVISE_END_IT, "send the stop signal, and have stop_timeout begin") \
    X(SUPERVISE_CLEAR, "send the stop signal to what it left behind")        \
    X(SUPERVISE_KILL, "send KILL to all of it, and look again soon")         \
    X(SUPERVISE_SUSPEND, "stop ourselves too, until we are continued")       \
    X(SUPERVISE_RESUME, "have it continue")                                  \
    X(SUPERVISE_FINISH, "leave the loop")

#define SUPERVISE_ENUMERATOR(name, ...) name,
enum supervise_state { SUPERVISE_STATES(SUPERVISE_ENUMERATOR) SUPERVISE_STATE_COUNT };
enum supervise_event { SUPERVISE_EVENTS(SUPERVISE_ENUMERATOR) SUPERVISE_EVENT_COUNT };
enum supervise_action { SUPERVISE_ACTIONS(SUPERVISE_ENUMERATOR) SUPERVISE_ACTION_COUNT };
#undef SUPERVISE_ENUMERATOR

struct supervise_step {
    enum supervise_state next;
    enum supervise_action action;
};

struct supervise_step supervise_step(enum supervise_state state, enum supervise_event event);

const char *supervise_state_word(enum supervise_state state);    /* "running" */
const char *supervise_state_meaning(enum supervise_state state); /* "the application runs" */
const char *supervise_event_meaning(enum supervise_event event);
const char *supervise_action_meaning(enum supervise_action action);

#endif
