/* tests/unit/base_proc_start.c: programs that are not found, may not run, or are not to be trusted;
 * and a machine that has no process left to give. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "tests/lib/owner.h"

enum { OUT_BYTES = 4096, PATIENCE_MS = 60 * 1000, PATH_BYTES = 256 };

static char folder[PATH_BYTES], path_entry[PATH_BYTES + 16];
static const char *environment[] = {path_entry, NULL};

/* Stands in front of libc's, which cannot be wrapped: it returns twice. The code under test gets a
 * fork, and its pipe has to carry the news of a failed execve. */
static int forks_to_refuse, refuse_with;
pid_t vfork(void)
{
    if (forks_to_refuse > 0) {
        forks_to_refuse--;
        errno = refuse_with;
        return -1;
    }
    return fork();
}

/* A kernel of before 5.3 has no pidfd and no close_range: all of this file runs as on such a one,
 * base_proc.c as on a new one. Nothing else in base/ calls syscall(). */
long syscall(long number, ...)
{
    (void)number;
    errno = ENOSYS;
    return -1;
}

int close_range(unsigned first, unsigned last, int flags)
{
    (void)first;
    (void)last;
    (void)flags;
    errno = ENOSYS;
    return -1;
}

static int begin(void **state)
{
    (void)state;
    forks_to_refuse = 0;
    (void)snprintf(folder, sizeof(folder), "/tmp/base_start.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path_entry, sizeof(path_entry), "PATH=%s", folder);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char path[PATH_BYTES + 64];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int end(void **state)
{
    (void)state;
    (void)unlink(in_folder("tool"));
    return rmdir(folder);
}

static void put_tool(const char *text, mode_t mode)
{
    struct err err = ERR_INIT;
    if (file_replace(in_folder("tool"), text, strlen(text), mode, &err) != 0)
        fail_msg("%s", err.text);
}

static int run(const char *name, const char *where, struct buf *out, struct err *err)
{
    const char *const argv[] = {name, NULL};
    const struct proc_request request = {
        .argv = argv,
        .environment = environment,
        .folder = where,
        .output = out,
        .deadline_ms = clock_in_ms(PATIENCE_MS),
        .what = "hook",
    };
    struct proc_result result = {0};
    if (proc_run(&request, ERR_USAGE, &result, err) != 0)
        return -1;
    return result.exit_code;
}

static void assert_fails(const char *name, const char *where, int sys_errno, const char *part)
{
    struct err err = ERR_INIT;
    assert_int_equal(run(name, where, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_int_equal(err.sys_errno, sys_errno);
    assert_text_has(err.text, "hook: run '");
    if (!strstr(err.text, part) && !strstr(err.hint, part))
        fail_msg("'%s' is neither in '%s' nor in '%s'", part, err.text, err.hint);
}

static void a_name_is_looked_for_in_the_request_s_path(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    put_tool("#!/bin/sh\necho found\n", 0755);
    assert_int_equal(run("tool", NULL, &out, &err), 0);
    assert_string_equal(buf_text(&out), "found\n");
    assert_fails("sh", NULL, ENOENT, path_entry + strlen("PATH=")); /* in ours it is */
}

static void a_name_with_a_slash_starts_from_the_folder(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    put_tool("#!/bin/sh\npwd\n", 0755);
    assert_int_equal(run("./tool", folder, &out, &err), 0);
    assert_text_has(buf_text(&out), folder);
    assert_fails("./tool", "/", ENOENT, "./tool");
    assert_int_equal(run(in_folder("tool"), "/", &out, &err), 0);
}

static void empty_and_relative_folders_of_the_path_are_passed_over(void **state)
{
    (void)state;
    put_tool("#!/bin/sh\n", 0755);
    char here[PATH_BYTES];
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(chdir(folder), 0);
    (void)snprintf(path_entry, sizeof(path_entry), "PATH=:.:..:");
    assert_fails("tool", NULL, ENOENT, "PATH");
    assert_int_equal(chdir(here), 0);
}

static void without_a_path_the_system_s_folders_are_used(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    (void)snprintf(path_entry, sizeof(path_entry), "OTHER=1");
    assert_int_equal(run("true", NULL, NULL, &err), 0);
}

static void a_file_without_execute_permission_is_denied_not_missing(void **state)
{
    (void)state;
    put_tool("#!/bin/sh\n", 0644);
    assert_fails("tool", NULL, EACCES, "Permission denied");
    assert_fails(in_folder("tool"), NULL, EACCES, "Permission denied");
    assert_fails("/usr", NULL, EACCES, "Permission denied"); /* a folder */
}

static void a_file_that_others_can_write_is_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = {0775, 0757, 0777};
    owner_set_members(OWNER_NAME, "bob");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        put_tool("#!/bin/sh\n", modes[i]);
        assert_fails("tool", NULL, EACCES, "can be written by others");
        assert_fails("./tool", folder, EACCES, "chmod go-w");
    }
}

/* The umask of Debian and Ubuntu for those who have a group of their own. */
static void a_file_that_only_its_owners_own_group_can_write_is_run(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    owner_set_members(NULL, NULL);
    put_tool("#!/bin/sh\n", 0775);
    if (run("tool", NULL, NULL, &err) != 0)
        fail_msg("%s", err.text);
    owner_set_members(OWNER_NAME, NULL);
    assert_int_equal(run("tool", NULL, NULL, &err), 0);
    put_tool("#!/bin/sh\n", 0777);
    assert_fails("tool", NULL, EACCES, "can be written by others");
    put_tool("#!/bin/sh\n", 0775);
    owner_is_elsewhere = true; /* it is in this one, too, which has its name by chance */
    assert_fails("tool", NULL, EACCES, "can be written by others");
    owner_is_elsewhere = false;
    owner_set_members(OWNER_NAME, "bob");
    assert_fails("tool", NULL, EACCES, "can be written by others");
}

static void a_missing_interpreter_is_told_from_a_missing_program(void **state)
{
    (void)state;
    put_tool("#!/nonexistent/interpreter\n", 0755);
    assert_fails("tool", NULL, ENOENT, "interpreter");
}

static void what_is_no_program_is_named_so(void **state)
{
    (void)state;
    put_tool("\x01\x02no program", 0755);
    assert_fails("tool", NULL, ENOEXEC, "is no program for this machine");
}

static void a_missing_folder_is_named(void **state)
{
    (void)state;
    put_tool("#!/bin/sh\n", 0755);
    assert_fails("tool", "/nonexistent/folder", ENOENT, "go to folder '/nonexistent/folder'");
}

static void an_empty_name_is_refused(void **state)
{
    (void)state;
    assert_fails("", NULL, ENOENT, "needs a name");
}

static void too_long_arguments_are_named_so(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024 }; /* one argument: at most 128 KiB (execve(2), limits) */
    AUTO_FREE char *large = malloc(SIZE);
    assert_non_null(large);
    memset(large, 'x', SIZE);
    large[SIZE - 1] = '\0';
    const char *const argv[] = {"true", large, NULL};
    const char *const usual[] = {"PATH=/usr/bin:/bin", NULL};
    struct proc_request request = {.argv = argv,
                                   .environment = usual,
                                   .deadline_ms = clock_in_ms(PATIENCE_MS),
                                   .what = "hook"};
    struct proc_result result = {0};
    struct err err = ERR_INIT;
    assert_int_equal(proc_run(&request, ERR_USAGE, &result, &err), -1);
    assert_int_equal(err.sys_errno, E2BIG);
    assert_text_has(err.hint, "too long");
    assert_text_lacks(err.text, "xxxx");
}

static void a_machine_short_of_processes_is_asked_again(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    put_tool("#!/bin/sh\nexit 6\n", 0755);
    forks_to_refuse = 3;
    refuse_with = EAGAIN;
    assert_int_equal(run("tool", NULL, NULL, &err), 6);
    assert_int_equal(forks_to_refuse, 0);
}

static void but_not_for_ever(void **state)
{
    (void)state;
    put_tool("#!/bin/sh\n", 0755);
    forks_to_refuse = 1000;
    refuse_with = EAGAIN;
    assert_fails("tool", NULL, EAGAIN, "start a process");
    assert_true(forks_to_refuse > 900);
}

static void on_an_old_kernel_too_it_has_descriptors_0_1_and_2_alone(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    put_tool("#!/bin/sh\nfor fd in /proc/$$/fd/[5-9]; do echo $fd; done; exit 3\n", 0755);
    AUTO_FD inheritable = open("/dev/null", O_RDONLY);
    AUTO_FD far = fcntl(inheritable, F_DUPFD, 5);
    assert_true(far >= 5);
    assert_int_equal(run("tool", NULL, &out, &err), 3);
    assert_text_has(buf_text(&out), "[5-9]"); /* the pattern found nothing */
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_name_is_looked_for_in_the_request_s_path),
        IN_FOLDER(a_name_with_a_slash_starts_from_the_folder),
        IN_FOLDER(empty_and_relative_folders_of_the_path_are_passed_over),
        IN_FOLDER(without_a_path_the_system_s_folders_are_used),
        IN_FOLDER(a_file_without_execute_permission_is_denied_not_missing),
        IN_FOLDER(a_file_that_others_can_write_is_refused),
        IN_FOLDER(a_file_that_only_its_owners_own_group_can_write_is_run),
        IN_FOLDER(a_missing_interpreter_is_told_from_a_missing_program),
        IN_FOLDER(what_is_no_program_is_named_so),
        IN_FOLDER(a_missing_folder_is_named),
        IN_FOLDER(an_empty_name_is_refused),
        IN_FOLDER(too_long_arguments_are_named_so),
        IN_FOLDER(a_machine_short_of_processes_is_asked_again),
        IN_FOLDER(but_not_for_ever),
        IN_FOLDER(on_an_old_kernel_too_it_has_descriptors_0_1_and_2_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
