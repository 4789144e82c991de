/* tests/unit/bootstrap_db_resolve.c: names to addresses, and work in a child under a deadline. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bootstrap/db_internal.h"

enum { LONG_MS = 20 * 1000, SHORT_MS = 100 };

static void say(void *argument, int fd)
{
    const char *text = argument;
    if (write(fd, text, strlen(text)) < 0)
        _exit(1);
}

static void hang(void *argument, int fd)
{
    (void)argument;
    (void)fd;
    for (;;)
        (void)pause();
}

static void what_a_child_writes_is_read_and_it_is_reaped(void **state)
{
    (void)state;
    char text[] = "one\ntwo\n";
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(1024);
    assert_int_equal(db_in_child(say, text, clock_in_ms(LONG_MS), &out, &err), 0);
    assert_string_equal(buf_text(&out), text);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_child_that_hangs_is_killed_at_the_deadline(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(1024);
    assert_int_equal(db_in_child(hang, NULL, clock_in_ms(SHORT_MS), &out, &err), 1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void addresses_and_sockets_need_no_resolver(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "10.2.3.4", "::1", "fe80::1%lo"};
    struct db_addresses found;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        assert_int_equal(db_resolve(addresses[i], "here", 0, &found, &err), 0); /* no time at all */
        assert_int_equal(found.count, 1);
        assert_string_equal(found.list[0], addresses[i]);
    }
    assert_int_equal(db_resolve("/run/postgresql", "here", 0, &found, &err), 0);
    assert_int_equal(found.count, 0);
}

static void localhost_has_an_address(void **state)
{
    (void)state;
    struct db_addresses found = {0};
    struct err err = ERR_INIT;
    if (db_resolve("localhost", "here", clock_in_ms(LONG_MS), &found, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(found.count >= 1);
    assert_true(strcmp(found.list[0], "127.0.0.1") == 0 || strcmp(found.list[0], "::1") == 0);
}

static void a_resolver_without_time_is_named(void **state)
{
    (void)state;
    struct db_addresses found;
    struct err err = ERR_INIT;
    assert_int_equal(db_resolve("db.acme.invalid", "db.acme.invalid:5432", 0, &found, &err), -1);
    assert_string_equal(err.step, "resolve");
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_int_equal(err.sys_errno, ETIMEDOUT);
    assert_text_has(err.text, "no answer for 'db.acme.invalid'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_child_writes_is_read_and_it_is_reaped),
        cmocka_unit_test(a_child_that_hangs_is_killed_at_the_deadline),
        cmocka_unit_test(addresses_and_sockets_need_no_resolver),
        cmocka_unit_test(localhost_has_an_address),
        cmocka_unit_test(a_resolver_without_time_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
