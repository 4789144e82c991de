/* agent/supervise_loop.c: the one wait: signals, the clock, and the descriptors of others. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/supervise_parts.h"
#include "base/clock.h"

enum {
    EVENTS_AT_ONCE = 16,
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
    GENERATION_SHIFT = 32,
};

/* What epoll tells us by in place of a watch's number. */
enum { SIGNALS_SLOT = SUPERVISE_WATCHES_MAX, CLOCK_SLOT };

/* ---- descriptors ------------------------------------------------------------------------------ */

static struct supervise_watch *find_watch(struct supervisor *s, int fd)
{
    for (size_t i = 0; i < ARRAY_LEN(s->watches); i++)
        if (s->watches[i].fd == fd)
            return &s->watches[i];
    return NULL;
}

/* The generation tells a watch from an earlier one in the same place, whose event may still be in
 * the batch at hand. */
static struct epoll_event event_of(const struct supervisor *s, const struct supervise_watch *watch,
                                   uint32_t events)
{
    uint64_t slot = (uint64_t)(watch - s->watches);

    return (struct epoll_event){
        .events = events, .data.u64 = ((uint64_t)watch->generation << GENERATION_SHIFT) | slot};
}

int supervise_watch(struct supervisor *s, int fd, uint32_t events, supervise_on_fd *callback,
                    void *owner, struct err *err)
{
    struct supervise_watch *watch = find_watch(s, -1);

    if (!watch)
        return err_set(err, ERR_DEFECT, "more than %d descriptors are watched",
                       SUPERVISE_WATCHES_MAX);
    struct epoll_event event = event_of(s, watch, events);
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return err_errno(err, ERR_RESOURCE, "watch descriptor %d", fd);
    watch->fd = fd;
    watch->callback = callback;
    watch->owner = owner;
    return 0;
}

void supervise_watch_for(struct supervisor *s, int fd, uint32_t events)
{
    const struct supervise_watch *watch = fd < 0 ? NULL : find_watch(s, fd);

    if (!watch)
        return;
    struct epoll_event event = event_of(s, watch, events);
    (void)epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &event); /* it is watched, so this can't fail */
}

void supervise_unwatch(struct supervisor *s, int fd)
{
    struct supervise_watch *watch = fd < 0 ? NULL : find_watch(s, fd);

    if (!watch)
        return;
    (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL); /* it is watched, so this can't fail */
    *watch = (struct supervise_watch){.fd = -1, .generation = watch->generation + 1};
}

/* ---- times ------------------------------------------------------------------------------------ */

static void unlink_timer(struct supervisor *s, struct supervise_timer *timer)
{
    struct supervise_timer **at = &s->timers;

    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
    timer->next = NULL;
    timer->is_set = false;
}

void supervise_timer(struct supervisor *s, struct supervise_timer *timer, int64_t due_ms)
{
    if (timer->is_set)
        unlink_timer(s, timer);
    timer->due_ms = due_ms;
    if (due_ms == CLOCK_NEVER)
        return;
    struct supervise_timer **at = &s->timers;
    while (*at && (*at)->due_ms <= due_ms)
        at = &(*at)->next;
    timer->next = *at;
    timer->is_set = true;
    *at = timer;
}

/* Once, however many of its periods the machine slept through. One that is set again from its own
 * callback has its turn in the next round, so that descriptors and signals have theirs. */
static void run_due_timers(struct supervisor *s)
{
    int64_t now = clock_now_ms();
    size_t count = 0;

    for (const struct supervise_timer *timer = s->timers; timer; timer = timer->next)
        count++;
    for (; count > 0 && s->timers && s->timers->due_ms <= now; count--) {
        struct supervise_timer *timer = s->timers;
        unlink_timer(s, timer);
        timer->callback(timer->owner);
    }
}

/* The kernel's clock is set for the earliest time, and only when that is another one than before. */
static void set_clock(struct supervisor *s)
{
    int64_t due = s->timers ? s->timers->due_ms : CLOCK_NEVER;
    struct itimerspec when = {0}; /* never */

    if (due == s->armed_ms)
        return;
    if (due != CLOCK_NEVER) {
        int64_t at = due > 0 ? due : 1; /* 0 is never */
        when.it_value.tv_sec = at / MS_PER_S;
        when.it_value.tv_nsec = at % MS_PER_S * NS_PER_MS;
    }
    (void)timerfd_settime(s->clock, TFD_TIMER_ABSTIME, &when, NULL); /* the value is in range */
    s->armed_ms = due;
}

/* ---- the wait --------------------------------------------------------------------------------- */

static void on_clock(struct supervisor *s)
{
    uint64_t expirations;

    (void)!read(s->clock, &expirations, sizeof expirations); /* how often does not matter */
    s->armed_ms = CLOCK_NEVER;
    run_due_timers(s);
}

static void dispatch(struct supervisor *s, const struct epoll_event *event)
{
    uint64_t slot = event->data.u64 & UINT32_MAX;

    if (slot == SIGNALS_SLOT) {
        supervise_read_signals(s);
    } else if (slot == CLOCK_SLOT) {
        on_clock(s);
    } else {
        const struct supervise_watch *watch = &s->watches[slot];
        if (watch->fd >= 0 && watch->generation == event->data.u64 >> GENERATION_SHIFT)
            watch->callback(watch->owner, watch->fd, event->events);
    }
}

int supervise_wait(struct supervisor *s, struct err *err)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    set_clock(s);
    int count = epoll_wait(s->epoll, events, EVENTS_AT_ONCE, s->reap_more ? 0 : -1);
    if (count < 0 && errno != EINTR)
        return err_errno(err, ERR_DEFECT, "wait for events");
    for (int i = 0; i < count && s->state != SUPERVISE_ENDED; i++)
        dispatch(s, &events[i]);
    if (s->reap_more && s->state != SUPERVISE_ENDED)
        supervise_reap(s);
    return 0;
}

/* ---- its own descriptors ---------------------------------------------------------------------- */

static int add(struct supervisor *s, int fd, uint64_t slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = slot};

    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
}

int supervise_loop_init(struct supervisor *s, struct err *err)
{
    sigset_t all;

    for (size_t i = 0; i < ARRAY_LEN(s->watches); i++)
        s->watches[i].fd = -1;
    s->armed_ms = CLOCK_NEVER;
    (void)sigfillset(&all); /* but for those that libc keeps to itself */
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    s->clock = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->epoll < 0 || s->signals < 0 || s->clock < 0 || add(s, s->signals, SIGNALS_SLOT) != 0 ||
        add(s, s->clock, CLOCK_SLOT) != 0)
        return err_errno(err, ERR_RESOURCE, "make the descriptors to supervise with");
    return 0;
}

void supervise_loop_release(struct supervisor *s)
{
    auto_close(&s->epoll);
    auto_close(&s->signals);
    auto_close(&s->clock);
}
