/* tests/unit/base_file.c: real files in a folder of their own, and faults at each step of a write. */
#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/lib/owner.h"

enum { OUT_BYTES = 4096, PATH_BYTES = 256, NOBODY = 65534 };

static char folder[PATH_BYTES];

/* ---- faults: these stand in front of libc's ------------------------------------------------- */

static struct {
    int write_errno, fsync_errno, rename_errno; /* 0: works */
    bool one_byte_at_a_time;
    bool interrupt; /* each second call */
    unsigned calls, folder_syncs, file_syncs;
} fault;

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (fd > STDERR_FILENO && fault.write_errno) {
        errno = fault.write_errno;
        return -1;
    }
    if (fd > STDERR_FILENO && fault.interrupt && fault.calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (fd > STDERR_FILENO && fault.one_byte_at_a_time && length > 1)
        length = 1;
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t read(int fd, void *bytes, size_t length)
{
    if (fault.interrupt && fault.calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (fault.one_byte_at_a_time && length > 1)
        length = 1;
    return syscall(SYS_read, fd, bytes, length);
}

int fsync(int fd)
{
    struct stat st;
    if (fault.fsync_errno) {
        errno = fault.fsync_errno;
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        fault.folder_syncs++;
    else
        fault.file_syncs++;
    return (int)syscall(SYS_fsync, fd);
}

int renameat(int from, const char *old, int to, const char *new)
{
    if (fault.rename_errno) {
        errno = fault.rename_errno;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

/* ---- helpers ------------------------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
    static char path[2][PATH_BYTES + 64];
    static unsigned turn;
    turn = !turn;
    (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void put(const char *name, const char *text)
{
    struct err err = ERR_INIT;
    if (file_replace(in_folder(name), text, strlen(text), 0600, &err) != 0)
        fail_msg("%s", err.text);
}

static void assert_holds(const char *name, const char *text)
{
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    if (file_read_all(in_folder(name), &out, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&out), text);
}

static unsigned names_in_folder(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    unsigned count = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    assert_int_equal(closedir(dir), 0);
    return count;
}

static int begin(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof(fault));
    (void)snprintf(folder, sizeof(folder), "/tmp/base_file.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof(fault));
    DIR *dir = opendir(folder);
    if (!dir)
        return -1;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    (void)closedir(dir);
    return rmdir(folder);
}

/* ---- reading ------------------------------------------------------------------------------- */

static void a_file_of_exactly_the_ceiling_is_read(void **state)
{
    (void)state;
    put("f", "12345678");
    AUTO_BUF out = BUF_INIT(8);
    struct err err = ERR_INIT;
    assert_int_equal(file_read_all(in_folder("f"), &out, &err), 0);
    assert_string_equal(buf_text(&out), "12345678");
}

static void one_byte_more_is_refused_and_named_and_the_target_stays(void **state)
{
    (void)state;
    put("f", "123456789");
    AUTO_BUF out = BUF_INIT(8);
    struct err err = ERR_INIT;
    buf_adds(&out, "old");
    assert_int_equal(file_read_all(in_folder("f"), &out, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, in_folder("f"));
    assert_text_has(err.text, "longer than 8 bytes");
    assert_string_equal(err.file, in_folder("f"));
    assert_string_equal(buf_text(&out), "old");
}

static void what_is_missing_is_named_with_its_reason(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    assert_int_equal(file_read_all(in_folder("none"), &out, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_text_has(err.text, in_folder("none"));
    assert_text_has(err.text, "No such file");
}

static void folders_pipes_and_devices_are_refused_without_waiting(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    assert_int_equal(file_read_all(folder, &out, &err), -1);
    assert_text_has(err.text, "is a folder, not a file");
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(file_read_all(in_folder("pipe"), &out, &err), -1);
    assert_text_has(err.text, "is a pipe, not a file");
    assert_int_equal(file_read_all("/dev/zero", &out, &err), -1);
    assert_text_has(err.text, "is a device, not a file");
}

static void a_file_whose_size_is_not_known_is_read_to_its_end(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;
    assert_int_equal(file_read_all("/proc/self/status", &out, &err), 0);
    assert_text_has(buf_text(&out), "Name:\tbase_file");
}

static void a_descriptor_may_be_a_pipe_even_a_non_blocking_one(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    AUTO_FD from = ends[0];
    assert_int_equal(write(ends[1], "piped", 5), 5);
    assert_int_equal(close(ends[1]), 0);
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    assert_int_equal(file_read_fd(from, "stdin", &out, &err), 0);
    assert_string_equal(buf_text(&out), "piped");
}

static void short_reads_and_interruptions_change_nothing(void **state)
{
    (void)state;
    put("f", "a text of some length");
    fault.one_byte_at_a_time = true;
    fault.interrupt = true;
    assert_holds("f", "a text of some length");
    assert_true(fault.calls > 20);
}

/* ---- replacing ------------------------------------------------------------------------------ */

static void a_file_is_made_and_replaced_and_nothing_is_left_beside_it(void **state)
{
    (void)state;
    put("f", "first");
    assert_holds("f", "first");
    put("f", "second");
    assert_holds("f", "second");
    assert_int_equal(names_in_folder(), 1);
    assert_int_equal(fault.file_syncs, 2);
    assert_int_equal(fault.folder_syncs, 2);
}

static void the_mode_is_what_was_asked_whatever_the_umask(void **state)
{
    (void)state;
    struct stat st;
    struct err err = ERR_INIT;
    mode_t before = umask(077);
    assert_int_equal(file_replace(in_folder("f"), "x", 1, 0644, &err), 0);
    (void)umask(before);
    assert_int_equal(stat(in_folder("f"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
}

static void a_symlink_is_replaced_and_its_target_left_alone(void **state)
{
    (void)state;
    struct stat st;
    put("target", "old");
    assert_int_equal(symlink("target", in_folder("link")), 0);
    put("link", "new");
    assert_holds("target", "old");
    assert_holds("link", "new");
    assert_int_equal(lstat(in_folder("link"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void what_is_no_file_is_not_replaced(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct stat st;

    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(file_replace(in_folder("pipe"), "x", 1, 0600, &err), -1);
    assert_text_has(err.text, "is a pipe, not a file");
    assert_text_has(err.hint, "Name a file");
    assert_int_equal(symlink("/proc/self/fd/1", in_folder("stdout")), 0);
    assert_int_equal(file_replace(in_folder("stdout"), "x", 1, 0600, &err), -1);
    assert_text_has(err.text, "not a file");
    assert_int_equal(lstat(in_folder("stdout"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(file_replace(in_folder("."), "x", 1, 0600, &err), -1);
    assert_text_has(err.text, "is a folder");
}

static void short_writes_and_interruptions_write_all_of_it(void **state)
{
    (void)state;
    fault.one_byte_at_a_time = true;
    fault.interrupt = true;
    put("f", "a text of some length");
    fault.one_byte_at_a_time = false;
    fault.interrupt = false;
    assert_holds("f", "a text of some length");
}

static void every_fault_leaves_the_old_file_whole_and_no_temporary_one(void **state)
{
    (void)state;
    static const struct {
        int write_errno, fsync_errno, rename_errno;
        enum err_kind kind;
        const char *text;
    } rows[] = {
        {.write_errno = ENOSPC, .kind = ERR_RESOURCE, .text = "No space left"},
        {.write_errno = EDQUOT, .kind = ERR_RESOURCE, .text = "quota"},
        {.write_errno = EFBIG, .kind = ERR_FILE, .text = "write"},
        {.fsync_errno = EIO, .kind = ERR_RESOURCE, .text = "write to disk"},
        {.rename_errno = EACCES, .kind = ERR_FILE, .text = "replace"},
    };
    put("f", "old");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        fault.write_errno = rows[i].write_errno;
        fault.fsync_errno = rows[i].fsync_errno;
        fault.rename_errno = rows[i].rename_errno;
        assert_int_equal(file_replace(in_folder("f"), "new", 3, 0600, &err), -1);
        memset(&fault, 0, sizeof(fault));
        assert_int_equal(err.kind, rows[i].kind);
        assert_text_has(err.text, rows[i].text);
        assert_text_has(err.text, in_folder("f"));
        assert_holds("f", "old");
        assert_int_equal(names_in_folder(), 1);
    }
}

static void a_folder_that_is_missing_is_named(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(file_replace(in_folder("none/f"), "x", 1, 0600, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_text_has(err.text, "none/f");
}

/* ---- modes and paths ------------------------------------------------------------------------ */

static void judge_every_mode(unsigned of_others)
{
    put("f", "x");
    AUTO_FD fd = open(in_folder("f"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (unsigned mode = 0; mode < 010000; mode++) {
        struct err err = ERR_INIT;
        assert_int_equal(fchmod(fd, mode), 0);
        int plain = file_check_mode(fd, "f", false, &err);
        int secret = file_check_mode(fd, "f", true, &err);
        assert_int_equal(plain, mode & of_others ? -1 : 0);
        assert_int_equal(secret, mode & 0066 ? -1 : 0);
        if (secret != 0)
            assert_text_has(err.hint, "chmod go-");
    }
}

static void every_mode_is_judged_by_who_else_may_do_what(void **state)
{
    (void)state;
    owner_set_members(OWNER_NAME, "bob");
    judge_every_mode(0022);
    owner_set_members(NULL, NULL);
    judge_every_mode(0002);
}

/* With a list of who may what, the group's bits are the most that anybody in it has. */
static void a_list_of_others_is_not_taken_for_the_group(void **state)
{
    (void)state;
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, rights;
            uint32_t id;
        } entries[5];
    } list = {2,
              {{0x01, 6, UINT32_MAX},
               {0x02, 6, NOBODY},
               {0x04, 4, UINT32_MAX},
               {0x10, 6, UINT32_MAX},
               {0x20, 0, UINT32_MAX}}};
    struct err err = ERR_INIT;
    owner_set_members(NULL, NULL);
    put("f", "x");
    AUTO_FD fd = open(in_folder("f"), O_RDONLY | O_CLOEXEC);
    if (fsetxattr(fd, "system.posix_acl_access", &list, sizeof list, 0) != 0) {
        assert_int_equal(errno, EOPNOTSUPP);
        skip(); /* this file system has none */
    }
    assert_int_equal(file_check_mode(fd, "f", false, &err), -1);
    assert_text_has(err.text, "written by others");
}

static void a_file_of_somebody_else_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    put("f", "x");
    assert_int_equal(chown(in_folder("f"), NOBODY, NOBODY), 0);
    AUTO_FD fd = open(in_folder("f"), O_RDONLY | O_CLOEXEC);
    struct err err = ERR_INIT;
    assert_int_equal(file_check_mode(fd, "f", false, &err), -1);
    assert_text_has(err.text, "user 65534");
}

static void paths_are_joined_and_parted(void **state)
{
    (void)state;
    static const char *const joined[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"},   {"", "b", "b"},
        {".", "b", "b"},   {"/", "b", "/b"},   {"..", "b", "../b"},
    };
    static const char *const parted[][2] = {
        {"f", "."},       {"a/f", "a"},  {"/f", "/"},         {"//f", "/"},
        {"a/b/f", "a/b"}, {"a//f", "a"}, {"/a/b//f", "/a/b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(joined); i++) {
        AUTO_FREE char *path = file_join(joined[i][0], joined[i][1]);
        assert_string_equal(path, joined[i][2]);
    }
    for (size_t i = 0; i < ARRAY_LEN(parted); i++) {
        AUTO_FREE char *path = file_folder(parted[i][0]);
        assert_string_equal(path, parted[i][1]);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_of_exactly_the_ceiling_is_read),
        IN_FOLDER(one_byte_more_is_refused_and_named_and_the_target_stays),
        IN_FOLDER(what_is_missing_is_named_with_its_reason),
        IN_FOLDER(folders_pipes_and_devices_are_refused_without_waiting),
        IN_FOLDER(a_file_whose_size_is_not_known_is_read_to_its_end),
        IN_FOLDER(a_descriptor_may_be_a_pipe_even_a_non_blocking_one),
        IN_FOLDER(short_reads_and_interruptions_change_nothing),
        IN_FOLDER(a_file_is_made_and_replaced_and_nothing_is_left_beside_it),
        IN_FOLDER(the_mode_is_what_was_asked_whatever_the_umask),
        IN_FOLDER(a_symlink_is_replaced_and_its_target_left_alone),
        IN_FOLDER(what_is_no_file_is_not_replaced),
        IN_FOLDER(short_writes_and_interruptions_write_all_of_it),
        IN_FOLDER(every_fault_leaves_the_old_file_whole_and_no_temporary_one),
        IN_FOLDER(a_folder_that_is_missing_is_named),
        IN_FOLDER(every_mode_is_judged_by_who_else_may_do_what),
        IN_FOLDER(a_list_of_others_is_not_taken_for_the_group),
        IN_FOLDER(a_file_of_somebody_else_is_refused),
        cmocka_unit_test(paths_are_joined_and_parted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
