/* tests/unit/base_secret.c: the slab, seen from outside: what the kernel says of its pages, what a
 * forked child finds, what is left after a release. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "tests/lib/child.h"

#define CANARY "canary-slab-7f3a91"

/* Stands in front of libc's. AddressSanitizer makes mlock do nothing, this one goes to the kernel. */
static bool refuse_to_lock;
int mlock(const void *from, size_t length)
{
    if (refuse_to_lock) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_mlock, from, length);
}

static struct secret make(const char *bytes, size_t length)
{
    struct secret s = SECRET_INIT;
    struct err err = ERR_INIT;
    if (secret_set(&s, bytes, length, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

static void a_value_comes_back_byte_for_byte(void **state)
{
    (void)state;
    AUTO_SECRET s = make("a\0b\n", 4);
    assert_true(secret_is_set(&s));
    assert_int_equal(secret_length(&s), 4);
    assert_memory_equal(secret_reveal(&s), "a\0b\n", 5); /* with the NUL behind it */
}

static void an_empty_value_is_set_and_nothing_is_not(void **state)
{
    (void)state;
    AUTO_SECRET empty = make(NULL, 0);
    AUTO_SECRET none = SECRET_INIT;
    assert_true(secret_is_set(&empty));
    assert_string_equal(secret_reveal(&empty), "");
    assert_false(secret_is_set(&none));
    assert_null(secret_reveal(&none));
    assert_false(secret_equal(&empty, &none));
    assert_true(secret_equal(&none, &none));
}

static void equal_looks_at_every_byte_and_the_length(void **state)
{
    (void)state;
    AUTO_SECRET a = make("abcdefgh", 8);
    AUTO_SECRET same = make("abcdefgh", 8);
    AUTO_SECRET last = make("abcdefgH", 8);
    AUTO_SECRET shorter = make("abcdefg", 7);
    assert_true(secret_equal(&a, &same));
    assert_false(secret_equal(&a, &last));
    assert_false(secret_equal(&a, &shorter));
    struct secret borrowed = secret_borrow("abcdefgh", 8);
    assert_true(secret_equal(&a, &borrowed));
}

static void a_released_value_is_wiped(void **state)
{
    (void)state;
    struct secret s = make(CANARY, strlen(CANARY));
    const char *bytes = secret_reveal(&s);
    struct secret wall = make("wall", 4); /* so that the block is not at the top */
    secret_release(&s);
    secret_release(&wall);
    assert_false(secret_is_set(&s));
    for (size_t i = 0; i < strlen(CANARY); i++)
        assert_int_equal(bytes[i], 0);
    secret_release(&s); /* a second time is nothing */
}

static void releasing_a_borrowed_one_leaves_its_bytes(void **state)
{
    (void)state;
    char bytes[] = CANARY;
    struct secret s = secret_borrow(bytes, strlen(bytes));
    secret_release(&s);
    assert_string_equal(bytes, CANARY);
    assert_false(secret_is_set(&s));
}

static void neighbours_that_are_free_become_one_place(void **state)
{
    (void)state;
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};
    char large[900];
    memset(large, 'x', sizeof(large));
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct secret three[3];
        for (size_t k = 0; k < 3; k++)
            three[k] = make(large, 300);
        struct secret wall = make("wall", 4);
        const char *first = secret_reveal(&three[0]);
        for (size_t k = 0; k < 3; k++)
            secret_release(&three[orders[i][k]]);
        AUTO_SECRET one = make(large, sizeof(large));
        assert_true(secret_reveal(&one) <= first); /* with a hole before it, perhaps */
        assert_memory_equal(secret_reveal(&one), large, sizeof(large));
        secret_release(&wall);
    }
}

static void many_values_of_all_sizes_do_not_touch_each_other(void **state)
{
    (void)state;
    enum { COUNT = 64, ROUNDS = 4000 };
    static struct secret held[COUNT];
    static unsigned char fill[COUNT];
    static char bytes[5000];
    uint32_t seed = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525U + 1013904223U;
        size_t at = (seed >> 8) % COUNT;
        size_t size = (seed >> 16) % sizeof(bytes);
        const char *is = secret_reveal(&held[at]);
        for (size_t i = 0; is && i < secret_length(&held[at]); i++)
            assert_int_equal((unsigned char)is[i], fill[at]);
        secret_release(&held[at]);
        if (round % 3 == 0)
            continue;
        fill[at] = (unsigned char)round;
        memset(bytes, fill[at], sizeof(bytes));
        held[at] = make(bytes, size);
    }
    for (size_t i = 0; i < COUNT; i++)
        secret_release(&held[i]);
}

static void a_value_that_is_too_long_leaves_the_target_alone(void **state)
{
    (void)state;
    AUTO_SECRET s = make("old", 3);
    struct err err = ERR_INIT;
    char *long_one = calloc(1, SECRET_MAX_BYTES + 1);
    assert_non_null(long_one);
    assert_int_equal(secret_set(&s, long_one, SECRET_MAX_BYTES + 1, &err), -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_text_has(err.text, "1048577");
    assert_string_equal(secret_reveal(&s), "old");
    free(long_one);
}

static void a_full_slab_says_so_and_works_again_after_a_release(void **state)
{
    (void)state;
    enum { MORE_THAN_FIT = SECRET_SLAB_BYTES / SECRET_MAX_BYTES + 1 };
    static struct secret held[MORE_THAN_FIT];
    struct err err = ERR_INIT;
    char *large = calloc(1, SECRET_MAX_BYTES);
    assert_non_null(large);
    size_t count = 0;
    while (count < MORE_THAN_FIT && secret_set(&held[count], large, SECRET_MAX_BYTES, &err) == 0)
        count++;
    assert_in_range(count, 1, MORE_THAN_FIT - 1);
    assert_false(secret_is_set(&held[count]));
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_text_has(err.text, "full");
    secret_release(&held[0]);
    assert_int_equal(secret_set(&held[0], large, SECRET_MAX_BYTES, &err), 0);
    for (size_t i = 0; i < count; i++)
        secret_release(&held[i]);
    free(large);
}

/* The VmFlags line of the mapping that holds BYTES. */
static void flags_of(const char *bytes, char *out, int size)
{
    AUTO_FILE smaps = fopen("/proc/self/smaps", "re");
    assert_non_null(smaps);
    static char line[4096];
    bool here = false;
    while (fgets(line, sizeof(line), smaps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = from <= (uintptr_t)bytes && (uintptr_t)bytes < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(out, (size_t)size, "%.*s", size - 1, line);
            return;
        }
    }
    fail_msg("no mapping holds the secret");
}

static void its_pages_are_locked_not_dumped_and_wiped_on_fork(void **state)
{
    (void)state;
    AUTO_SECRET s = make(CANARY, strlen(CANARY));
    char flags[256];
    flags_of(secret_reveal(&s), flags, sizeof(flags));
    if (secret_slab_is_locked())
        assert_text_has(flags, " lo");
    assert_text_has(flags, " dd");
    assert_text_has(flags, " wf");
}

/* The kernel reads for us: EFAULT in place of a signal. */
static bool is_readable(const char *at)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    bool readable = write(ends[1], at, 1) == 1;
    assert_int_equal(close(ends[0]) | close(ends[1]), 0);
    return readable;
}

static void what_lies_beside_the_slab_cannot_be_read(void **state)
{
    (void)state;
    AUTO_SECRET s = make(CANARY, strlen(CANARY)); /* in the first page */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const char *start = secret_reveal(&s) - (uintptr_t)secret_reveal(&s) % page;
    assert_true(is_readable(start));
    assert_false(is_readable(start - 1));
    assert_false(is_readable(start + SECRET_SLAB_BYTES));
}

static struct secret inherited;

static int child_looks_at_what_it_inherited(void)
{
    const char *bytes = secret_reveal(&inherited);
    for (size_t i = 0; i < secret_length(&inherited); i++)
        if (bytes[i] != 0)
            return 1;
    struct err err = ERR_INIT;
    struct secret own = SECRET_INIT;
    if (secret_set(&own, "own", 3, &err) != 0 || strcmp(secret_reveal(&own), "own") != 0)
        return 2;
    secret_release(&inherited); /* must not hurt its own */
    return strcmp(secret_reveal(&own), "own") == 0 ? 0 : 3;
}

static void a_forked_child_sees_none_of_it_and_has_a_slab_of_its_own(void **state)
{
    (void)state;
    inherited = make(CANARY, strlen(CANARY));
    assert_int_equal(child_status(child_looks_at_what_it_inherited), 0);
    assert_string_equal(secret_reveal(&inherited), CANARY);
    secret_release(&inherited);
}

static int child_releases_twice(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(null, STDERR_FILENO);
    (void)signal(SIGABRT, SIG_DFL);
    struct secret s = make(CANARY, strlen(CANARY));
    struct secret copy = s;
    secret_release(&s);
    secret_release(&copy);
    return 0;
}

static void two_owners_are_a_defect_that_ends_the_process(void **state)
{
    (void)state;
    int status = child_status(child_releases_twice);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static int log_end;

static int child_cannot_lock(void)
{
    (void)dup2(log_end, STDERR_FILENO);
    refuse_to_lock = true;
    static char large[20000]; /* several pages, so several refusals */
    if (!secret_slab_is_locked())
        return 1;
    struct secret a = make(CANARY, strlen(CANARY));
    struct secret b = make(large, sizeof(large));
    struct secret c = make(large, sizeof(large));
    if (strcmp(secret_reveal(&a), CANARY) != 0 || !secret_is_set(&b) || !secret_is_set(&c))
        return 2;
    return secret_slab_is_locked() ? 3 : 0;
}

static void a_refused_lock_is_warned_of_once_and_the_values_still_work(void **state)
{
    (void)state;
    AUTO_FD file = memfd_create("stderr", MFD_CLOEXEC);
    assert_true(file >= 0);
    log_end = file;
    assert_int_equal(child_status(child_cannot_lock), 0);
    char text[4096] = "";
    assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
    assert_text_has(text, "warn ");
    assert_text_has(text, "RLIMIT_MEMLOCK=");
    assert_text_has(text, "ENOMEM");
    assert_ptr_equal(strstr(text, "warn "), strrchr(text, '\n') ? text : NULL);
    assert_null(strstr(text + 5, "warn "));
    assert_text_lacks(text, CANARY);
}

/* ---- tables ------------------------------------------------------------------------------------ */

static void a_table_is_zeroed_aligned_and_wiped(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    enum { TABLE_BYTES = 5000 };
    for (int turn = 0; turn < 2; turn++) {
        char *table = secret_table_new(TABLE_BYTES, &err);
        assert_non_null(table);
        assert_int_equal((uintptr_t)table % 16, 0);
        for (size_t i = 0; i < TABLE_BYTES; i++)
            assert_int_equal(table[i], 0);
        memset(table, 'x', TABLE_BYTES);
        secret_table_free(table, TABLE_BYTES);
        for (size_t i = 64; i < TABLE_BYTES; i++) /* behind what a free block says of itself */
            assert_int_equal(table[i], 0);
    }
    secret_table_free(NULL, 1);
}

static void a_table_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_null(secret_table_new(SECRET_TABLE_MAX_BYTES + 1, &err));
    assert_int_equal(err.kind, ERR_RESOURCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_beside_the_slab_cannot_be_read),
        cmocka_unit_test(a_value_comes_back_byte_for_byte),
        cmocka_unit_test(an_empty_value_is_set_and_nothing_is_not),
        cmocka_unit_test(equal_looks_at_every_byte_and_the_length),
        cmocka_unit_test(a_released_value_is_wiped),
        cmocka_unit_test(releasing_a_borrowed_one_leaves_its_bytes),
        cmocka_unit_test(neighbours_that_are_free_become_one_place),
        cmocka_unit_test(many_values_of_all_sizes_do_not_touch_each_other),
        cmocka_unit_test(a_value_that_is_too_long_leaves_the_target_alone),
        cmocka_unit_test(its_pages_are_locked_not_dumped_and_wiped_on_fork),
        cmocka_unit_test(a_forked_child_sees_none_of_it_and_has_a_slab_of_its_own),
        cmocka_unit_test(two_owners_are_a_defect_that_ends_the_process),
        cmocka_unit_test(a_refused_lock_is_warned_of_once_and_the_values_still_work),
        cmocka_unit_test(a_table_is_zeroed_aligned_and_wiped),
        cmocka_unit_test(a_table_that_is_too_large_is_refused),
        cmocka_unit_test(a_full_slab_says_so_and_works_again_after_a_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
