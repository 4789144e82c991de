/* tests/unit/base_file_race.c: a file that is replaced and read while somebody else swaps what is at its
 * place, and the folder that it is in, as fast as they can.
 *
 * Whatever comes of each try, it is whole: what the links led to keeps its text and its mode, nothing is
 * put where a link leads, no temporary name stays, nothing waits for a pipe, and no error is blank. */
#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/file.h"

enum { TRIES = 10000, TEXT_BYTES = 64, PATIENCE_SECONDS = 300, FOLDER_EVERY = 7 };

static const char victims_text[] = "the victim's text";
static const char new_text[] = "what is written";

/* To the disk is no part of this, and would be all of its time. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- what is put at the place ---------------------------------------------------------------- */

static int make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

static int make_file(const char *name)
{
    AUTO_FD fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return write(fd, victims_text, strlen(victims_text)) > 0 ? 0 : -1;
}

/* Eight kinds; made as "swap" in the working folder, and renamed. */
static int make_kind(unsigned kind)
{
    switch (kind % 8) {
    case 0:
        return symlink("../victim", "swap");
    case 1:
        return symlink("../nowhere", "swap");
    case 2:
        return symlink("../elsewhere", "swap");
    case 3:
        return symlink("/proc/self/fd/2", "swap");
    case 4:
        return link("victim", "swap");
    case 5:
        return mkfifo("swap", 0600);
    case 6:
        return make_socket("swap");
    default:
        return make_file("swap");
    }
}

/* In a child, until it is killed. Between two of them nothing is there, or a folder. */
static _Noreturn void swap_for_ever(void)
{
    for (unsigned turn = 0;; turn++) {
        if (make_kind(turn) == 0 && rename("swap", "inner/place") != 0)
            (void)unlink("swap");
        if (turn % FOLDER_EVERY == 0) {
            (void)unlink("inner/place");
            (void)mkdir("inner/place", 0700);
            (void)rmdir("inner/place");
        }
        if (turn % FOLDER_EVERY == 1) { /* the folder becomes a link to another, and itself again */
            (void)rename("inner", "kept");
            if (symlink("other", "inner") == 0)
                (void)unlink("inner");
            (void)rename("kept", "inner");
        }
    }
}

/* ---- what must be so --------------------------------------------------------------------------- */

static void assert_victim_is_whole(void)
{
    char text[TEXT_BYTES] = "";
    struct stat st;
    AUTO_FD fd = open("victim", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && fstat(fd, &st) == 0);
    assert_string_equal(text, victims_text);
    assert_int_equal(st.st_mode & 07777, 0640);
}

/* Nothing but NAME (NULL: nothing at all) is in the folder PATH. */
static void assert_holds_only(const char *path, const char *name)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (!name || strcmp(entry->d_name, name) != 0))
            fail_msg("'%s' is in '%s'", entry->d_name, path);
    assert_int_equal(closedir(dir), 0);
}

static void assert_named(const struct err *err)
{
    assert_true(err->kind == ERR_FILE || err->kind == ERR_RESOURCE);
    assert_text_has(err->text, "inner/place");
}

/* One try: 1 where it was replaced. */
static unsigned try_to_write(void)
{
    struct err err = ERR_INIT;
    if (file_replace("inner/place", new_text, strlen(new_text), 0400, &err) == 0)
        return 1;
    assert_named(&err);
    return 0;
}

static unsigned try_to_read(void)
{
    struct err err = ERR_INIT;
    AUTO_BUF text = BUF_INIT(TEXT_BYTES);
    if (file_read_all("inner/place", &text, &err) != 0) {
        assert_named(&err);
        return 0;
    }
    bool is_new = strcmp(buf_text(&text), new_text) == 0;
    if (!is_new && text.len > 0) /* empty: the swapper's own, which is not filled yet */
        assert_string_equal(buf_text(&text), victims_text);
    return 1;
}

/* ---- the race ------------------------------------------------------------------------------------ */

static char folder[] = "/tmp/base_file_race.XXXXXX";
static pid_t swapper; /* 0: there is none */

static void stop_swapper(void)
{
    if (swapper > 0) {
        (void)kill(swapper, SIGKILL);
        assert_int_equal(waitpid(swapper, NULL, 0), swapper);
    }
    swapper = 0;
}

static int begin(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0 || mkdir("inner", 0700) != 0 ||
        mkdir("other", 0700) != 0 || mkdir("elsewhere", 0700) != 0)
        return -1;
    AUTO_FD fd = open("victim", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, victims_text, strlen(victims_text)) > 0 && fchmod(fd, 0640) == 0
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    stop_swapper(); /* it is there still where the test failed */
    return chdir("/") == 0 ? file_remove_tree(folder, &err) : -1;
}

static void whoever_swaps_what_is_there_gets_nothing_written_elsewhere(void **state)
{
    (void)state;
    unsigned written = 0, was_read = 0;
    (void)alarm(PATIENCE_SECONDS); /* a call that waits for a pipe would wait for ever */
    swapper = fork();
    assert_true(swapper >= 0);
    if (swapper == 0)
        swap_for_ever();
    for (unsigned i = 0; i < TRIES; i++) {
        written += try_to_write();
        was_read += try_to_read();
        assert_victim_is_whole();
    }
    stop_swapper();
    (void)alarm(0);
    assert_true(written > 0 && written < TRIES);
    assert_true(was_read > 0 && was_read < TRIES);
    assert_holds_only("elsewhere", NULL);
    assert_holds_only("other", "place");
    struct stat st;
    bool is_away = lstat("inner", &st) != 0 || S_ISLNK(st.st_mode); /* killed in between */
    assert_holds_only(is_away ? "kept" : "inner", "place");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_swaps_what_is_there_gets_nothing_written_elsewhere,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
