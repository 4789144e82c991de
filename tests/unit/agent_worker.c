/* tests/unit/agent_worker.c: work that a child does, and every way in which it can fail to. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/worker.h"
#include "base/clock.h"
#include "tests/lib/child.h"

enum { LARGE = 700 * 1000 };

/* ---- the wire ----------------------------------------------------------------------------------- */

static void what_is_put_comes_back_and_nothing_else(void **state)
{
    AUTO_BUF out = BUF_INIT(4096);
    AUTO_SECRET value = SECRET_INIT, back = SECRET_INIT, absent = SECRET_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(secret_set(&value, "canary", 6, &err), 0);
    wire_put_number(&out, -3);
    wire_put_text(&out, "a text");
    wire_put_text(&out, NULL);
    wire_put_secret(&out, &value);
    wire_put_secret(&out, &(struct secret){0});
    struct wire wire = {.at = out.data, .left = out.len};
    assert_int_equal(wire_number(&wire), -3);
    AUTO_FREE char *text = wire_text(&wire);
    assert_string_equal(text, "a text");
    assert_null(wire_text(&wire));
    wire_secret(&wire, &back);
    assert_true(secret_equal(&value, &back));
    wire_secret(&wire, &absent);
    assert_false(secret_is_set(&absent));
    assert_int_equal(wire_check(&wire, &err), 0);
}

static void a_message_that_is_cut_anywhere_fails(void **state)
{
    AUTO_BUF out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    (void)state;
    wire_put_number(&out, 1);
    wire_put_text(&out, "a text");
    wire_put_number(&out, 2);
    for (size_t length = 0; length < out.len; length++) {
        struct wire wire = {.at = out.data, .left = length};
        (void)wire_number(&wire);
        AUTO_FREE char *text = wire_text(&wire);
        (void)wire_number(&wire);
        assert_int_equal(wire_check(&wire, &err), -1);
        assert_string_not_equal(err.text, "");
    }
}

static void a_count_that_can_not_be_is_no_count(void **state)
{
    const int64_t counts[] = {-1, 3, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        const int64_t bytes[] = {counts[i], 0, 0};
        struct wire wire = {.at = (const char *)bytes, .left = sizeof bytes};
        assert_int_equal(wire_count(&wire, sizeof(int64_t)), 0);
        assert_true(wire.failed);
    }
}

/* ---- the worker --------------------------------------------------------------------------------- */

/* What a test hands to the child, and what came of it. */
struct world {
    struct secret given;
    struct secret *secrets[1];
    bool done, failed;
    struct err err;
    int64_t number;
    struct secret back;
};

static void on_answer(void *owner, struct wire *answer, const struct err *err)
{
    struct world *w = owner;

    w->done = true;
    w->failed = err != NULL;
    if (err)
        w->err = *err;
    w->number = wire_number(answer);
    wire_secret(answer, &w->back);
}

/* Signals stay blocked in who supervised, so each test is a process of its own. */
static int have_it_done(struct world *w, worker_work *work, int64_t deadline_ms)
{
    AUTO_SUPERVISOR s = NULL;
    struct worker worker = WORKER_INIT;
    struct err err = ERR_INIT;
    const struct worker_task task = {.work = work,
                                     .context = w,
                                     .what = "test",
                                     .secrets = w->secrets,
                                     .secret_count = secret_is_set(&w->given),
                                     .deadline_ms = deadline_ms,
                                     .done = on_answer,
                                     .owner = w};

    w->secrets[0] = &w->given;
    if (supervise_init(&s, &err) != 0 || worker_start(&worker, s, &task, &err) != 0 ||
        supervise_meanwhile(s, &w->done, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return worker_works(&worker) ? -1 : 0;
}

static int echo(void *context, struct buf *answer, struct err *err)
{
    struct world *w = context;

    (void)err;
    wire_put_number(answer, getppid());
    wire_put_secret(answer, &w->given);
    return 0;
}

static int large_secret_there_and_back(void)
{
    static char bytes[LARGE];
    struct world w = {0};

    memset(bytes, 'x', sizeof bytes);
    CHECK(secret_set(&w.given, bytes, sizeof bytes, &w.err) == 0);
    CHECK(have_it_done(&w, echo, CLOCK_NEVER) == 0);
    CHECK(!w.failed && w.number == getpid());
    CHECK(secret_equal(&w.given, &w.back)); /* more than the pipes hold, each way */
    return 0;
}

static int look_at_what_was_not_sent(void *context, struct buf *answer, struct err *err)
{
    const struct world *w = context;

    (void)err;
    wire_put_number(answer, *secret_reveal(&w->back)); /* it stays where it was: wiped */
    return 0;
}

static int nothing_else_is_there(void)
{
    struct world w = {0};
    struct secret kept = SECRET_INIT;

    CHECK(secret_set(&kept, "canary", 6, &w.err) == 0);
    w.back = kept;
    CHECK(have_it_done(&w, look_at_what_was_not_sent, CLOCK_NEVER) == 0);
    CHECK(!w.failed && w.number == 0);
    return 0;
}

static int refuse(void *context, struct buf *answer, struct err *err)
{
    (void)context;
    wire_put_number(answer, 7);
    (void)err_set(err, ERR_SOURCE_DENIED, "vault said no");
    err->http_status = 403;
    (void)err_sqlstate(err, "28P01");
    return err_hint(err, "Ask for it.");
}

static int an_error_comes_whole(void)
{
    struct world w = {0};

    CHECK(have_it_done(&w, refuse, CLOCK_NEVER) == 0);
    CHECK(w.failed && w.err.kind == ERR_SOURCE_DENIED && w.err.http_status == 403);
    CHECK(strcmp(w.err.text, "vault said no") == 0 && strcmp(w.err.hint, "Ask for it.") == 0);
    CHECK(strcmp(w.err.sqlstate, "28P01") == 0 && w.number == 7);
    return 0;
}

static int die(void *context, struct buf *answer, struct err *err)
{
    (void)context, (void)answer, (void)err;
    return raise(SIGKILL);
}

static int its_death_is_an_error(void)
{
    struct world w = {0};

    CHECK(have_it_done(&w, die, CLOCK_NEVER) == 0);
    CHECK(w.failed && w.err.kind == ERR_RESOURCE && strstr(w.err.text, "SIGKILL"));
    return 0;
}

static int hang(void *context, struct buf *answer, struct err *err)
{
    (void)context, (void)answer, (void)err;
    while (pause() == -1)
        continue;
    return 0;
}

static int what_hangs_is_killed(void)
{
    struct world w = {0};

    CHECK(have_it_done(&w, hang, clock_now_ms() - WORKER_SLACK_MS) == 0);
    CHECK(w.failed && w.err.kind == ERR_SOURCE_DOWN && strstr(w.err.text, "in time"));
    return 0;
}

static int flood(void *context, struct buf *answer, struct err *err)
{
    static const char bytes[1024 * 1024];

    (void)context, (void)err;
    for (int i = 0; i < 64; i++)
        buf_add(answer, bytes, sizeof bytes);
    return 0;
}

static int a_flood_is_an_error(void)
{
    struct world w = {0};

    CHECK(have_it_done(&w, flood, CLOCK_NEVER) == 0);
    CHECK(w.failed && w.err.kind == ERR_RESOURCE);
    return 0;
}

static int outside_of_the_loop(void)
{
    struct world w = {0};
    struct err err = ERR_INIT;
    struct worker_task task = {
        .work = refuse, .context = &w, .what = "test", .deadline_ms = clock_in_ms(60000)};

    CHECK(worker_do(&task, &err) == -1 && err.kind == ERR_SOURCE_DENIED);
    task.work = hang;
    task.deadline_ms = clock_now_ms();
    CHECK(worker_do(&task, &err) == -1 && strstr(err.text, "in time"));
    return 0;
}

/* Stdout is told when TERM does not end it any more. */
static int answer_when_asked_to_end(void *context, struct buf *answer, struct err *err)
{
    sigset_t end;
    int number;

    (void)context, (void)err;
    (void)sigemptyset(&end);
    (void)sigaddset(&end, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &end, NULL);
    (void)!write(STDOUT_FILENO, "", 1);
    (void)sigwait(&end, &number);
    wire_put_number(answer, number);
    return 0;
}

static void on_ready(void *owner, int fd, uint32_t events)
{
    (void)fd, (void)events;
    *(bool *)owner = true;
}

static int what_it_made_is_known(void)
{
    AUTO_SUPERVISOR s = NULL;
    struct worker worker = WORKER_INIT;
    struct world w = {0};
    int ready[2];
    bool is_ready = false;
    const struct worker_task task = {.work = answer_when_asked_to_end,
                                     .what = "test",
                                     .deadline_ms = CLOCK_NEVER,
                                     .done = on_answer,
                                     .owner = &w};

    CHECK(pipe2(ready, O_CLOEXEC) == 0 && dup2(ready[1], STDOUT_FILENO) == STDOUT_FILENO);
    CHECK(supervise_init(&s, &w.err) == 0);
    CHECK(worker_start(&worker, s, &task, &w.err) == 0);
    CHECK(supervise_watch(s, ready[0], EPOLLIN, on_ready, &is_ready, &w.err) == 0);
    CHECK(supervise_meanwhile(s, &is_ready, &w.err) == 0);
    worker_stop(&worker);
    CHECK(!worker_works(&worker));
    CHECK(w.done && !w.failed && w.number == SIGTERM);
    return 0;
}

static void secrets_come_there_and_back_whatever_their_size(void **state)
{
    (void)state;
    assert_int_equal(in_child(large_secret_there_and_back), 0);
}

static void a_worker_sees_no_secret_that_it_was_not_sent(void **state)
{
    (void)state;
    assert_int_equal(in_child(nothing_else_is_there), 0);
}

static void a_workers_error_comes_whole(void **state)
{
    (void)state;
    assert_int_equal(in_child(an_error_comes_whole), 0);
}

static void a_worker_that_dies_hangs_or_floods_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(in_child(its_death_is_an_error), 0);
    assert_int_equal(in_child(what_hangs_is_killed), 0);
    assert_int_equal(in_child(a_flood_is_an_error), 0);
}

static void work_can_be_waited_for_outside_of_the_loop(void **state)
{
    (void)state;
    assert_int_equal(in_child(outside_of_the_loop), 0);
}

static void what_was_done_before_it_ended_is_handed_over_where_it_is_stopped(void **state)
{
    (void)state;
    assert_int_equal(in_child(what_it_made_is_known), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_comes_back_and_nothing_else),
        cmocka_unit_test(a_message_that_is_cut_anywhere_fails),
        cmocka_unit_test(a_count_that_can_not_be_is_no_count),
        cmocka_unit_test(secrets_come_there_and_back_whatever_their_size),
        cmocka_unit_test(a_worker_sees_no_secret_that_it_was_not_sent),
        cmocka_unit_test(a_workers_error_comes_whole),
        cmocka_unit_test(a_worker_that_dies_hangs_or_floods_is_an_error),
        cmocka_unit_test(work_can_be_waited_for_outside_of_the_loop),
        cmocka_unit_test(what_was_done_before_it_ended_is_handed_over_where_it_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
