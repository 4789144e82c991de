/* tests/unit/base_signals.c: signals by their names. */
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/signals.h"

static int by_name(const char *name)
{
    return signal_by_name(name, strlen(name));
}

static void a_name_is_known_with_and_without_its_prefix(void **state)
{
    (void)state;
    assert_int_equal(by_name("TERM"), SIGTERM);
    assert_int_equal(by_name("SIGTERM"), SIGTERM);
    assert_int_equal(by_name("USR1"), SIGUSR1);
    assert_int_equal(signal_by_name("HUPS", 3), SIGHUP);
}

static void real_time_signals_are_counted_from_both_ends(void **state)
{
    (void)state;
    assert_int_equal(by_name("RTMIN"), SIGRTMIN);
    assert_int_equal(by_name("SIGRTMIN+3"), SIGRTMIN + 3);
    assert_int_equal(by_name("RTMAX-1"), SIGRTMAX - 1);
    assert_int_equal(by_name("RTMIN+30"), SIGRTMAX);
}

static void what_is_no_name_is_no_signal(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",         "SIG",    "TERMS",     "term",     "15",      "SIGSIGTERM", "RTMIN+31",
        "RTMIN-1",  "RTMIN+", "RTMIN+-1",  "RTMIN+01", "RTMAX+1", "RTMAX-31",   "RTMINX",
        "RTMIN+1 ", " RTMIN", "RTMIN+100", "NULL",     "EXIT",    "RTMI",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(by_name(wrong[i]), 0);
}

static void every_signal_has_a_name_that_is_its_own(void **state)
{
    (void)state;
    char name[SIGNAL_NAME_BYTES];
    for (int number = 1; number <= SIGRTMAX; number++) {
        if (number >= 32 && number < SIGRTMIN) /* libc's own */
            assert_int_equal(by_name(signal_name(number, name)), 0);
        else
            assert_int_equal(by_name(signal_name(number, name)), number);
    }
    assert_string_equal(signal_name(SIGKILL, name), "SIGKILL");
    assert_string_equal(signal_name(0, name), "signal 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_known_with_and_without_its_prefix),
        cmocka_unit_test(real_time_signals_are_counted_from_both_ends),
        cmocka_unit_test(what_is_no_name_is_no_signal),
        cmocka_unit_test(every_signal_has_a_name_that_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
