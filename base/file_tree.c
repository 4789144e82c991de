/* file_tree.c: remove a folder with what is in it; see base/file.h.
 *
 * By descriptors, never by paths: whoever may write in the folder (a server's user) could put a
 * symlink into the place of one that was just looked at, and have us remove something else. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    TREE_MAX_DEPTH = 64,
    TREE_ATTEMPTS = 5, /* somebody who is just ending may still make files */
};

static int empty_folder(int fd, const char *name, unsigned depth, struct err *err);

static int remove_entry(int folder, const char *name, unsigned depth, struct err *err)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* EPERM: POSIX's word for a folder */
        return err_errno(err, ERR_FILE, "remove '%s'", name);
    AUTO_FD inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return err_errno(err, ERR_FILE, "open folder '%s'", name);
    for (int attempt = 1;; attempt++) {
        if (empty_folder(inner, name, depth + 1, err) != 0)
            return -1;
        if (unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if ((errno != ENOTEMPTY && errno != EEXIST) || attempt == TREE_ATTEMPTS)
            return err_errno(err, ERR_FILE, "remove folder '%s'", name);
    }
}

static int empty_folder(int fd, const char *name, unsigned depth, struct err *err)
{
    if (depth > TREE_MAX_DEPTH)
        return err_set(err, ERR_FILE, "remove folder '%s': more than %d folders deep", name,
                       TREE_MAX_DEPTH);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    if (!entries) {
        err_errno(err, ERR_FILE, "read folder '%s'", name);
        if (copy >= 0)
            (void)close(copy);
        return -1;
    }
    rewinddir(entries); /* the copy shares its place with fd */
    int result = 0;
    for (const struct dirent *e; result == 0 && (e = readdir(entries));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            result = remove_entry(fd, e->d_name, depth, err);
    (void)closedir(entries);
    return result;
}

int file_remove_tree(const char *path, struct err *err)
{
    if (remove_entry(AT_FDCWD, path, 0, err) == 0)
        return 0;
    return err_wrap(err, "remove '%s'", path);
}
