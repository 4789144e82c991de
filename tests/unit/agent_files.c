/* tests/unit/agent_files.c: the contract's files on the disk. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/files.h"
#include "base/clock.h"
#include "base/file.h"

enum { FILES = 2, PATH_BYTES = 128 };

#define CONTRACT "{\"contract\": 1, \"vars\": {\"A\": {}, \"B\": {\"required\": false}}}"

/* A job with the variable A, and files that are its value. */
struct made {
    char folder[32];
    struct contract *contract;
    struct contract_value values[2];
    struct contract_file files[FILES];
    struct job job;
    struct findings findings;
    struct err err;
};

static const char *path_of(const struct made *m, const char *name);

static void make(struct made *m, const char *value)
{
    *m = (struct made){.folder = "/tmp/agent-files-XXXXXX"};
    assert_non_null(mkdtemp(m->folder));
    const char *path = path_of(m, "contract.json");
    if (file_replace(path, CONTRACT, strlen(CONTRACT), 0600, &m->err) != 0 ||
        contract_load(path, CLOCK_NEVER, &m->contract, &m->findings, &m->err) != 0 ||
        contract_select(m->contract, NULL, NULL, &m->findings, &m->err) != 0)
        fail_msg("%s", m->err.text);
    assert_int_equal(m->findings.count, 0);
    m->values[0].bytes = secret_borrow(value, strlen(value));
    m->contract->files = m->files;
    m->contract->file_count = 1;
    for (size_t i = 0; i < FILES; i++)
        m->files[i] = (struct contract_file){.position = {.file = "contract.json", .line = 7},
                                             .path = i == 0 ? "a" : "b",
                                             .variable = "A",
                                             .mode = 0400};
    m->job.contract = m->contract;
    m->job.values = m->values;
}

static const char *path_of(const struct made *m, const char *name)
{
    static char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", m->folder, name);
    return path;
}

static void done(struct made *m)
{
    struct err err = ERR_INIT;
    contract_free(m->contract);
    findings_release(&m->findings);
    assert_int_equal(file_remove_tree(m->folder, &err), 0);
}

static size_t write_files(struct made *m)
{
    size_t changed = 0;
    if (files_write(&m->job, &changed, &m->err) != 0)
        fail_msg("%s", m->err.text);
    return changed;
}

static void assert_content(const struct made *m, const char *name, const char *expected)
{
    AUTO_BUF text = BUF_INIT(4096);
    struct err err = ERR_INIT;
    if (file_read_all(path_of(m, name), &text, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&text), expected);
}

static void a_file_is_there_with_its_mode(void **state)
{
    (void)state;
    struct made m;
    struct stat st;
    make(&m, "canary\n");
    assert_int_equal(write_files(&m), 1);
    assert_content(&m, "a", "canary\n");
    assert_int_equal(stat(path_of(&m, "a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    m.files[0].mode = 0440;
    assert_int_equal(write_files(&m), 1);
    assert_int_equal(stat(path_of(&m, "a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0440);
    done(&m);
}

/* Who watches it sees a change where there is one. */
static void what_is_the_same_is_left_alone(void **state)
{
    (void)state;
    struct made m;
    struct stat before, after;
    make(&m, "canary");
    assert_int_equal(write_files(&m), 1);
    assert_int_equal(stat(path_of(&m, "a"), &before), 0);
    assert_int_equal(write_files(&m), 0);
    assert_int_equal(stat(path_of(&m, "a"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    m.values[0].bytes = secret_borrow("canarx", 6); /* of the same length */
    assert_int_equal(write_files(&m), 1);
    assert_content(&m, "a", "canarx");
    done(&m);
}

static void a_symbolic_link_is_refused_and_its_target_left_alone(void **state)
{
    (void)state;
    struct made m;
    make(&m, "canary");
    char target[PATH_BYTES];
    (void)snprintf(target, sizeof target, "%s/target", m.folder);
    assert_int_equal(file_replace(target, "kept", 4, 0600, &m.err), 0);
    assert_int_equal(symlink(target, path_of(&m, "a")), 0);
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_int_equal(m.err.kind, ERR_FILE);
    assert_text_has(m.err.text, "is a symbolic link");
    assert_text_has(m.err.text, path_of(&m, "a"));
    assert_content(&m, "target", "kept");
    done(&m);
}

static void a_folder_or_a_pipe_at_the_place_is_refused(void **state)
{
    (void)state;
    struct made m;
    make(&m, "canary");
    assert_int_equal(mkdir(path_of(&m, "a"), 0700), 0);
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_text_has(m.err.text, "is no file");
    assert_int_equal(rmdir(path_of(&m, "a")), 0);
    assert_int_equal(mkfifo(path_of(&m, "a"), 0600), 0);
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_text_has(m.err.text, "is no file");
    done(&m);
}

/* The second can't be: the first is not written. */
static void nothing_is_written_unless_all_can_be_rendered(void **state)
{
    (void)state;
    struct made m;
    make(&m, "canary");
    m.contract->file_count = 2;
    m.files[1].variable = "B";
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_int_equal(m.err.kind, ERR_VIOLATION);
    assert_text_has(m.err.text, "'b': 'B' has no value");
    assert_int_equal(m.err.line, 7);
    assert_int_equal(access(path_of(&m, "a"), F_OK), -1);
    m.files[1].variable = "A";
    assert_int_equal(symlink("nowhere", path_of(&m, "b")), 0);
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_int_equal(access(path_of(&m, "a"), F_OK), -1);
    done(&m);
}

static void an_owner_that_is_nobody_is_named_with_its_place(void **state)
{
    (void)state;
    struct made m;
    make(&m, "canary");
    m.files[0].owner = "no-such-user-here";
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_text_has(m.err.text, "no user 'no-such-user-here'");
    assert_string_equal(m.err.file, "contract.json");
    m.files[0].owner = NULL;
    m.files[0].group = "no-such-group-here";
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_text_has(m.err.text, "no group 'no-such-group-here'");
    done(&m);
}

static void an_owner_by_number_gets_it(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root gives files away */
    struct made m;
    struct stat st;
    make(&m, "canary");
    m.files[0].owner = "1234";
    m.files[0].group = "2345";
    assert_int_equal(write_files(&m), 1);
    assert_int_equal(stat(path_of(&m, "a"), &st), 0);
    assert_int_equal(st.st_uid, 1234);
    assert_int_equal(st.st_gid, 2345);
    assert_int_equal(write_files(&m), 0);
    done(&m);
}

static void a_folder_that_is_not_there_is_said(void **state)
{
    (void)state;
    struct made m;
    make(&m, "canary");
    m.files[0].path = "none/a";
    assert_int_equal(files_write(&m.job, NULL, &m.err), -1);
    assert_int_equal(m.err.kind, ERR_FILE);
    assert_text_has(m.err.text, "none/a");
    done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_there_with_its_mode),
        cmocka_unit_test(what_is_the_same_is_left_alone),
        cmocka_unit_test(a_symbolic_link_is_refused_and_its_target_left_alone),
        cmocka_unit_test(a_folder_or_a_pipe_at_the_place_is_refused),
        cmocka_unit_test(nothing_is_written_unless_all_can_be_rendered),
        cmocka_unit_test(an_owner_that_is_nobody_is_named_with_its_place),
        cmocka_unit_test(an_owner_by_number_gets_it),
        cmocka_unit_test(a_folder_that_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
