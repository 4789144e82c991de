/* agent/supervise.c: see agent/supervise.h. Raises the events of supervise_table.c and does what it
 * says. */
#include "agent/supervise.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cmd.h"
#include "agent/supervise_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/str.h"

enum {
    SIGNALS_AT_ONCE = 8,
    REAPED_AT_ONCE = 4096, /* before signals and times have their turn again */
    SIGNAL_BASE = 128,
    PID_ONE = 1,
    KILL_AGAIN_MS = 500, /* what was born meanwhile is killed then; doubled each time */
    KILLS_MAX = 6,       /* some 16 s, before we end beside what can't be killed */
};

/* ---- what is sent for what came --------------------------------------------------------------- */

static int mapped(const struct contract_pair *pairs, size_t count, int from, int otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (pairs[i].from == from)
            return pairs[i].to;
    return otherwise;
}

/* What who started us ignores (nohup, a script's `&`) is ignored by the application too. */
static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static bool asks_for_the_end(const struct supervisor *s, int number)
{
    if (s->state == SUPERVISE_PREPARING) /* nobody else is there who could be meant */
        return (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT) &&
               !is_ignored(number);
    return number == SIGTERM || number == s->run->stop_signal;
}

static int outgoing(const struct supervisor *s, int number)
{
    const struct contract_run *run = s->run;
    int otherwise = number == SIGTERM ? run->stop_signal : number;

    return mapped(run->rewrite, run->rewrite_count, number, otherwise);
}

static void on_signal(struct supervisor *s, int number)
{
    s->came = number;
    s->outgoing = outgoing(s, number);
    if (number == SIGCONT)
        supervise_terminal_give(s); /* `fg`, when it was in the background */
    supervise_raise(s, asks_for_the_end(s, number) ? SUPERVISE_STOP : SUPERVISE_SIGNAL);
    s->came = 0;
}

/* What we caused ourselves (EPIPE of a line of the log, our own TSTP), and what the terminal has to
 * say of our own group's reading and writing, is not the application's. */
static bool is_for_the_application(const struct supervisor *s, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;

    if (number == SIGCHLD || (info->ssi_code <= 0 && (pid_t)info->ssi_pid == s->own))
        return false;
    return info->ssi_code != SI_KERNEL || (number != SIGTTIN && number != SIGTTOU);
}

void supervise_read_signals(struct supervisor *s)
{
    struct signalfd_siginfo infos[SIGNALS_AT_ONCE];
    bool child = false;

    ssize_t length = read(s->signals, infos, sizeof infos); /* what there is more comes next time */
    size_t count = length > 0 ? (size_t)length / sizeof infos[0] : 0;
    for (size_t i = 0; i < count; i++) {
        child = child || infos[i].ssi_signo == SIGCHLD;
        if (is_for_the_application(s, &infos[i]))
            on_signal(s, (int)infos[i].ssi_signo);
    }
    if (child)
        supervise_reap(s);
}

/* ---- reaping ---------------------------------------------------------------------------------- */

static struct proc_result result_of(const siginfo_t *info)
{
    bool exited = info->si_code == CLD_EXITED;

    return (struct proc_result){.exit_code = exited ? info->si_status
                                                    : SIGNAL_BASE + info->si_status,
                                .signal = exited ? 0 : info->si_status};
}

static void application_ended(struct supervisor *s, const siginfo_t *info)
{
    const struct contract_run *run = s->run;
    struct proc_result result = result_of(info);

    s->pid = 0;
    supervise_terminal_take(s, s->group);
    s->exit_code = mapped(run->exit_codes, run->exit_code_count, result.exit_code,
                          result.exit_code);
    supervise_raise(s, SUPERVISE_EXITED);
}

static void one_changed(struct supervisor *s, const siginfo_t *info)
{
    struct supervise_other *other = supervise_program_other(s, info->si_pid);

    if (info->si_code == CLD_STOPPED || info->si_code == CLD_TRAPPED) {
        s->came = info->si_status;
        if (info->si_pid == s->pid)
            supervise_raise(s, SUPERVISE_SUSPENDED);
        s->came = 0;
    } else if (info->si_pid == s->pid) {
        application_ended(s, info);
    } else if (other) {
        struct supervise_other ended = *other;
        struct proc_result result = result_of(info);
        *other = (struct supervise_other){0};
        if (ended.callback)
            ended.callback(ended.owner, &result);
    } /* else an orphan, which is nobody's any more */
}

/* Whether nothing of the application is left, where that is what is waited for. */
static void look_around(struct supervisor *s, bool childless)
{
    if (s->state != SUPERVISE_CLEARING && s->state != SUPERVISE_SWEEPING)
        return;
    int left = childless ? 0 : supervise_program_sweep(s, s->kills > 0 ? SIGKILL : 0, true);
    if (left == 0)
        supervise_raise(s, SUPERVISE_ALONE);
}

void supervise_reap(struct supervisor *s)
{
    s->reap_more = false;
    for (int i = 0; i < REAPED_AT_ONCE; i++) {
        siginfo_t info = {0};
        bool childless = waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) != 0; /* ECHILD */
        if (childless || info.si_pid == 0) {
            look_around(s, childless);
            return;
        }
        one_changed(s, &info);
        if (s->state == SUPERVISE_ENDED)
            return;
    }
    s->reap_more = true;
}

/* ---- actions ---------------------------------------------------------------------------------- */

/* As the kernel keeps them: those of real time each, others once, and CONT or what stops, whichever came
 * last. */
static void hold(struct supervisor *s, int number)
{
    bool stops = number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;

    if (stops)
        s->held[SIGCONT] = 0;
    else if (number == SIGCONT)
        s->held[SIGTSTP] = s->held[SIGTTIN] = s->held[SIGTTOU] = 0;
    if (number >= SIGRTMIN || s->held[number] == 0)
        s->held[number]++;
}

/* False: nobody is there. */
static bool send_on(struct supervisor *s, int number)
{
    if (number == SIGTSTP)
        s->sent_stop = true;
    else if (number == SIGCONT)
        s->sent_stop = false;
    return supervise_program_signal(s, number);
}

static void start(struct supervisor *s)
{
    supervise_timer(s, &s->deadline, CLOCK_NEVER);
    s->kills = 0;
    s->sent_stop = false;
    if (s->group != 0) { /* it ran before */
        s->restarts++;
        if (s->settings->ended)
            s->settings->ended(s->settings->owner, true);
    }
    if (supervise_program_start(s, &s->exit_code, &s->error) != 0) {
        s->failed = true;
        supervise_raise(s, SUPERVISE_FAILED);
        return;
    }
    s->started_ms = clock_now_ms();
    for (int number = 1; number < NSIG; number++)
        for (; s->held[number] > 0; s->held[number]--)
            (void)send_on(s, outgoing(s, number));
    if (s->settings->started)
        s->settings->started(s->settings->owner, s->pid);
}

static void forward(struct supervisor *s)
{
    if (send_on(s, s->outgoing))
        supervise_tell_forwarded(s);
}

/* A program that is stopped sees its signal only when it is continued. */
static void end_it(struct supervisor *s)
{
    supervise_timer(s, &s->restart, CLOCK_NEVER);
    s->kills = 0;
    (void)supervise_program_signal(s, s->outgoing);
    (void)supervise_program_signal(s, SIGCONT);
    supervise_timer(s, &s->deadline, clock_in_ms(s->run->stop_timeout_ms));
}

static void clear(struct supervisor *s)
{
    /* Its group had the signal with it. */
    if (supervise_program_sweep(s, s->kills > 0 ? SIGKILL : s->run->stop_signal, s->kills > 0) == 0)
        supervise_raise(s, SUPERVISE_ALONE);
}

static void kill_all(struct supervisor *s)
{
    if (s->kills++ == 0)
        log_line(LOG_WARN, "the application did not end in time and is killed", "state",
                 supervise_state_word(s->state), NULL);
    (void)supervise_program_signal(s, SIGKILL);
    int left = supervise_program_sweep(s, SIGKILL, true);
    unsigned doublings = s->kills < KILLS_MAX ? s->kills - 1 : KILLS_MAX - 1;
    supervise_timer(s, &s->deadline, clock_in_ms((int64_t)KILL_AGAIN_MS << doublings));
    if (s->kills == KILLS_MAX) {
        log_line(LOG_WARN, "what the application started can't be killed, and is waited for",
                 "state", supervise_state_word(s->state), NULL);
        supervise_raise(s, SUPERVISE_HOPELESS);
    } else if (left < 0 && s->pid == 0 && s->kills > 1) {
        supervise_raise(s, SUPERVISE_ALONE); /* where nothing tells us what is left */
    }
}

static void act(struct supervisor *s, enum supervise_action action)
{
    switch (action) {
    case SUPERVISE_NOTHING:
    case SUPERVISE_ACTION_COUNT:
        break;
    case SUPERVISE_HOLD:
        hold(s, s->came);
        break;
    case SUPERVISE_START:
        start(s);
        break;
    case SUPERVISE_FORWARD:
        forward(s);
        break;
    case SUPERVISE_DELAY:
        supervise_delay_restart(s);
        break;
    case SUPERVISE_END_IT:
        end_it(s);
        break;
    case SUPERVISE_CLEAR:
        clear(s);
        break;
    case SUPERVISE_KILL:
        kill_all(s);
        break;
    case SUPERVISE_SUSPEND:
        supervise_terminal_suspend(s, s->came);
        break;
    case SUPERVISE_RESUME:
        (void)supervise_program_signal(s, SIGCONT);
        break;
    case SUPERVISE_FINISH:
        if (s->state == SUPERVISE_ENDED && !s->settings)
            s->exit_code = SIGNAL_BASE + s->came;
        break;
    }
}

void supervise_raise(struct supervisor *s, enum supervise_event event)
{
    struct supervise_step step = supervise_step(s->state, event);
    enum supervise_state before = s->state;

    if (log_enabled(LOG_DEBUG) && step.action != SUPERVISE_NOTHING)
        log_line(LOG_DEBUG, supervise_event_meaning(event), "state", supervise_state_word(s->state),
                 "next", supervise_state_word(step.next), "action",
                 supervise_action_meaning(step.action), NULL);
    s->state = step.next;
    supervise_tell_way(s, before);
    act(s, step.action);
}

/* ---- what others ask for ---------------------------------------------------------------------- */

static void on_deadline(void *owner)
{
    supervise_raise(owner, SUPERVISE_DEADLINE);
}

bool supervise_signal(struct supervisor *s, int number)
{
    return supervise_program_signal(s, number);
}

void supervise_stop(struct supervisor *s)
{
    on_signal(s, SIGTERM);
}

void supervise_environment(struct supervisor *s, const char *const *environment)
{
    s->environment = environment;
}

int supervise_child(struct supervisor *s, pid_t pid, supervise_on_end *callback, void *owner,
                    struct err *err)
{
    struct supervise_other *place = supervise_program_other(s, 0);
    size_t ours = 0;

    for (size_t i = 0; i < ARRAY_LEN(s->others); i++)
        ours += s->others[i].pid != 0 && s->others[i].callback != NULL;
    if (!place || ours >= SUPERVISE_CHILDREN_MAX)
        return err_set(err, ERR_DEFECT, "more than %d programs run beside the application",
                       SUPERVISE_CHILDREN_MAX);
    *place = (struct supervise_other){.pid = pid, .callback = callback, .owner = owner};
    return 0;
}

int supervise_stop_signal(const struct supervisor *s)
{
    return !s->settings && s->state == SUPERVISE_ENDED ? s->exit_code - SIGNAL_BASE : 0;
}

enum supervise_state supervise_state(const struct supervisor *s)
{
    return s->state;
}

unsigned supervise_restarts(const struct supervisor *s)
{
    return s->restarts;
}

pid_t supervise_pid(const struct supervisor *s)
{
    return s->pid;
}

/* ---- the whole -------------------------------------------------------------------------------- */

int supervise_init(struct supervisor **out, struct err *err)
{
    AUTO_SUPERVISOR s = mem_new(1, sizeof *s);
    sigset_t all;

    if (!s)
        return err_nomem(err);
    *s = (struct supervisor){.epoll = -1, .signals = -1, .clock = -1, .children = -1};
    s->run = &contract_run_default;
    s->terminal = -1;
    s->own = getpid();
    s->deadline = (struct supervise_timer){.callback = on_deadline, .owner = s};
    supervise_restart_init(s);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &s->before);
    if (supervise_loop_init(s, err) != 0)
        return -1;
    supervise_program_init(s);
    supervise_terminal_init(s);
    *out = TAKE_POINTER(s);
    return 0;
}

void supervise_give_back(struct supervisor *s)
{
    for (int number = 1; number < NSIG; number++)
        for (; s->held[number] > 0; s->held[number]--)
            (void)kill(s->own, number);
}

void supervise_free(struct supervisor *s)
{
    if (!s)
        return;
    supervise_loop_release(s);
    auto_close(&s->children);
    auto_close(&s->terminal);
    /* At the end of the application signals have nobody left: they stay blocked, so that what comes
     * late does not take the place of its exit code. */
    if (!s->settings) {
        supervise_give_back(s);
        (void)sigprocmask(SIG_SETMASK, &s->before, NULL);
    }
    free(s);
}

void supervise_auto_free(struct supervisor **s)
{
    supervise_free(*s);
}

int supervise_meanwhile(struct supervisor *s, const bool *done, struct err *err)
{
    char name[SIGNAL_NAME_BYTES];

    while (!*done && s->state == SUPERVISE_PREPARING)
        if (supervise_wait(s, err) != 0)
            return -1;
    if (s->state == SUPERVISE_PREPARING)
        return 0;
    return err_set(err, ERR_STOPPED, "stopped by %s",
                   signal_name(s->exit_code - SIGNAL_BASE, name));
}

int supervise_run(struct supervisor *s, const struct supervise_settings *settings, int *exit_code,
                  struct err *err)
{
    struct err problem = ERR_INIT;
    int result = 0;

    /* Orphans become our children, so that they are reaped, and found at the end. Not before it is sure
     * that we stay: an execve keeps this, and whoever we became would have to reap. */
    if (s->own != PID_ONE)
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* can't fail with this value */
    s->settings = settings;
    s->run = settings->run;
    s->environment = settings->environment;
    log_hurry(true);
    supervise_raise(s, SUPERVISE_READY);
    supervise_shed_memory(); /* the application is under way already */
    while (s->state != SUPERVISE_ENDED && result == 0)
        result = supervise_wait(s, &problem);
    log_hurry(false);
    if (settings->ended && s->group != 0)
        settings->ended(settings->owner, false);
    *exit_code = result == 0 ? s->exit_code : EXIT_RUN_FAILED;
    if (result == 0 && !s->failed)
        return 0;
    *err = result != 0 ? problem : s->error;
    return -1;
}
