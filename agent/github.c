#include "agent/github.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* Open it; *size is how long it is. The runner has made it: where it is not, this is no runner's. */
static int open_env_file(int *out, const char **path, off_t *size, struct err *err)
{
    struct stat st;

    *path = getenv("GITHUB_ENV");
    if (!*path || !**path) {
        err_set(err, ERR_USAGE, "--format github needs GITHUB_ENV, and it is not set");
        return err_hint(err, "GitHub's runner sets it in each step; elsewhere use another format.");
    }
    AUTO_FD fd = open(*path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        err_errno(err, ERR_FILE, "open '%s' (GITHUB_ENV)", *path);
        err_at(err, *path, 0, 0);
        return err_hint(err, "GitHub's runner makes it; in a container, mount its folder.");
    }
    if (fstat(fd, &st) != 0)
        return err_errno(err, ERR_FILE, "look at '%s' (GITHUB_ENV)", *path);
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_FILE, "'%s' (GITHUB_ENV) is no regular file", *path);
        return err_at(err, *path, 0, 0);
    }
    *size = st.st_size;
    *out = TAKE_FD(fd);
    return 0;
}

int github_env_check(struct err *err)
{
    AUTO_FD fd = -1;
    const char *path;
    off_t size;

    return open_env_file(&fd, &path, &size, err);
}

/* Somebody's last line that has no end would swallow our first one. */
static int ends_in_a_line(int fd, const char *path, off_t size, bool *out, struct err *err)
{
    char last = '\n';

    if (size > 0 && pread(fd, &last, 1, size - 1) < 0)
        return err_errno(err, ERR_FILE, "read '%s' (GITHUB_ENV)", path);
    *out = last == '\n';
    return 0;
}

int github_env_append(const struct buf *masks, const struct buf *text, struct err *err)
{
    AUTO_FD fd = -1;
    const char *path;
    off_t size;
    bool whole = false;

    if (open_env_file(&fd, &path, &size, err) != 0 ||
        ends_in_a_line(fd, path, size, &whole, err) != 0)
        return -1;
    /* First, so that nothing that later steps print can come before its mask. */
    if (file_write_all(STDOUT_FILENO, "standard output", buf_text(masks), masks->len, err) != 0)
        return -1;
    if ((whole || file_write_all(fd, path, "\n", 1, err) == 0) &&
        file_write_all(fd, path, buf_text(text), text->len, err) == 0)
        return 0;
    if (ftruncate(fd, size) != 0)
        err_hint(err, "'%s' may have a part of the values, and could not be cut back (errno %d).",
                 path, errno);
    return -1;
}
