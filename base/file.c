/* file.c: files written, and whose they are; see base/file.h. What reads them is file_read.c. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/internal.h"
#include "base/mem.h"

#define ACCESS_LIST "system.posix_acl_access"

enum {
    TEMPORARY_BYTES = 32, /* of the temporary name */
    TEMPORARY_ATTEMPTS = 16,
    TEMPORARY_MODE = 0600, /* until it has the mode that was asked for */
    NAMES_BYTES = 4096,    /* of a user or a group with its members; longer: not known */
    OTHERS_MAY_READ = S_IRGRP | S_IROTH,
};

/* What this machine has run out of is not the file's fault. Keeps errno. */
static enum err_kind kind_of(int reason)
{
    switch (reason) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT:
    case EIO:
        return ERR_RESOURCE;
    default:
        return ERR_FILE;
    }
}

int file_fail(struct err *err, const char *tried, const char *name)
{
    enum err_kind kind = kind_of(errno);

    (void)err_errno(err, kind, "%s '%s'", tried, name);
    return kind == ERR_FILE ? err_at(err, name, 0, 0) : -1;
}

static int wait_for_room(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};

    return poll(&one, 1, -1) < 0 && errno != EINTR ? -1 : 0;
}

const char *file_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

static int write_failed(const char *name, struct err *err)
{
    bool is_unread = errno == EPIPE;

    (void)file_fail(err, "write", name);
    return is_unread ? err_hint(err, "Its reader has ended before all was written.") : -1;
}

int file_write_all(int fd, const char *name, const void *bytes, size_t length, struct err *err)
{
    const char *from = bytes;

    while (length > 0) {
        ssize_t n = write(fd, from, length);
        if (n < 0 && errno == EAGAIN && wait_for_room(fd) == 0)
            continue;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_failed(name, err);
        from += n;
        length -= (size_t)n;
    }
    return 0;
}

int file_open_unshared(int fd)
{
    char path[sizeof "/proc/self/fd/-2147483648"];
    struct stat st;

    if (fstat(fd, &st) != 0 || (!S_ISFIFO(st.st_mode) && isatty(fd) != 1))
        return -1;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Create a file under a new name in FOLDER. The name is put into NAME. */
static int create_temporary(int folder, const char *path, char name[static TEMPORARY_BYTES],
                            struct err *err)
{
    for (int attempt = 0; attempt < TEMPORARY_ATTEMPTS; attempt++) {
        uint64_t bits = 0;
        if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
            return err_errno(err, ERR_RESOURCE, "get random bytes for a temporary name");
        (void)snprintf(name, TEMPORARY_BYTES, ".agent-%016llx", (unsigned long long)bits);
        int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        TEMPORARY_MODE);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    return file_fail(err, "create a temporary file beside", path);
}

/* Some file systems have no fsync of a folder, and say so. */
static int sync_folder(int folder, const char *path, struct err *err)
{
    if (fsync(folder) != 0 && errno != EINVAL && errno != ENOTSUP)
        return file_fail(err, "write to disk the folder of", path);
    return 0;
}

/* What goes into the temporary file, down to the disk. */
static int fill(int fd, const char *path, const void *bytes, size_t length,
                const struct file_rights *rights, struct err *err)
{
    bool as_it_is = rights->owner == FILE_OWNER_OURS && rights->group == FILE_GROUP_OURS;

    /* Whose it becomes, before there is something to read in it. */
    if (!as_it_is && fchown(fd, rights->owner, rights->group) != 0)
        return file_fail(err, "set the owner of", path);
    if (file_write_all(fd, path, bytes, length, err) != 0)
        return -1;
    if (fchmod(fd, rights->mode) != 0)
        return file_fail(err, "set the mode of", path);
    if (fsync(fd) != 0)
        return file_fail(err, "write to disk", path);
    return 0;
}

/* /dev/stdout and its like: a link into /proc. */
static bool leads_into_proc(int folder, const char *base)
{
    char target[sizeof "/proc/"];
    ssize_t length = readlinkat(folder, base, target, sizeof target);

    return length == (ssize_t)sizeof target && memcmp(target, "/proc/", strlen("/proc/")) == 0;
}

/* A name in /dev is for all: as root we could put a file with secrets in its place. */
static int check_place(int folder, const char *base, const char *path, struct err *err)
{
    struct stat st;

    if (fstatat(folder, base, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : file_fail(err, "look at", path);
    bool is_link = S_ISLNK(st.st_mode);
    if (is_link ? !leads_into_proc(folder, base) : S_ISREG(st.st_mode))
        return 0;
    (void)err_set(err, ERR_FILE, "'%s' is %s, not a file that could be replaced", path,
                  is_link ? "a process's own" : file_kind(st.st_mode));
    (void)err_hint(err, "Name a file; what a pipe or a device is to get goes through '>' of the "
                        "shell.");
    return err_at(err, path, 0, 0);
}

/* The temporary file under its name. MADE: NULL, or only where nothing has that name. */
static int put_in_place(int folder, const char *temporary, const char *base, const char *path,
                        bool *made, struct err *err)
{
    if (made && linkat(folder, temporary, folder, base, 0) == 0) {
        *made = true;
        (void)unlinkat(folder, temporary, 0); /* another name of the same file */
        return 0;
    }
    if (made && errno == EEXIST) {
        *made = false;
        (void)unlinkat(folder, temporary, 0); /* nobody's */
        return 0;
    }
    if (made && errno != EPERM && errno != EOPNOTSUPP) /* those: it has no hard links */
        return file_fail(err, "make", path);
    if (renameat(folder, temporary, folder, base) != 0)
        return file_fail(err, "replace", path);
    if (made)
        *made = true;
    return 0;
}

static int write_file(const char *path, const void *bytes, size_t length,
                      const struct file_rights *rights, bool *made, struct err *err)
{
    AUTO_FREE char *folder_path = file_folder(path);
    if (!folder_path)
        return err_nomem(err);
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    char temporary[TEMPORARY_BYTES];

    AUTO_FD folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return file_fail(err, "open the folder of", path);
    if (!made && check_place(folder, base, path, err) != 0)
        return -1;
    AUTO_FD fd = create_temporary(folder, path, temporary, err);
    if (fd < 0)
        return -1;
    int result = fill(fd, path, bytes, length, rights, err);
    /* Network file systems report a failed write here at last. */
    if (close(TAKE_FD(fd)) != 0 && result == 0 && errno != EINTR)
        result = file_fail(err, "write", path);
    if (result == 0)
        result = put_in_place(folder, temporary, base, path, made, err);
    if (result != 0) {
        (void)unlinkat(folder, temporary, 0); /* the first error is the one to report */
        return -1;
    }
    return sync_folder(folder, path, err);
}

int file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct err *err)
{
    return file_replace_as(path, bytes, length,
                           &(struct file_rights){mode, FILE_OWNER_OURS, FILE_GROUP_OURS}, err);
}

int file_make(const char *path, const void *bytes, size_t length, mode_t mode, bool *made,
              struct err *err)
{
    return write_file(path, bytes, length,
                      &(struct file_rights){mode, FILE_OWNER_OURS, FILE_GROUP_OURS}, made, err);
}

int file_replace_as(const char *path, const void *bytes, size_t length,
                    const struct file_rights *rights, struct err *err)
{
    return write_file(path, bytes, length, rights, NULL, err);
}

/* Debian and Ubuntu give each user a group of its own and, with it, an umask of 002. */
static bool group_is_the_owner_alone(const struct stat *st)
{
    char user_bytes[NAMES_BYTES], group_bytes[NAMES_BYTES];
    struct passwd user, *owner = NULL;
    struct group made, *group = NULL;

    if (getpwuid_r(st->st_uid, &user, user_bytes, sizeof user_bytes, &owner) != 0 || !owner ||
        getgrgid_r(st->st_gid, &made, group_bytes, sizeof group_bytes, &group) != 0 || !group ||
        owner->pw_gid != st->st_gid || strcmp(group->gr_name, owner->pw_name) != 0)
        return false;
    for (char *const *member = group->gr_mem; *member; member++)
        if (strcmp(*member, owner->pw_name) != 0)
            return false;
    return true;
}

bool file_others_may_write(int fd, const char *path, const struct stat *st)
{
    if (!(st->st_mode & S_IWGRP) || (st->st_mode & S_IWOTH))
        return st->st_mode & S_IWOTH;
    /* The group's bits are then the most that anybody in the list has. */
    ssize_t list = fd >= 0 ? fgetxattr(fd, ACCESS_LIST, NULL, 0)
                           : getxattr(path, ACCESS_LIST, NULL, 0);
    return list >= 0 || (errno != ENODATA && errno != EOPNOTSUPP) || !group_is_the_owner_alone(st);
}

int file_check_mode(int fd, const char *name, bool secret, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return file_fail(err, "look at", name);
    unsigned mode = st.st_mode & 07777U;
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        (void)err_set(err, ERR_FILE, "'%s' belongs to user %u, neither to us (%u) nor to root",
                      name, st.st_uid, geteuid());
        (void)err_hint(err, "Run 'chown %u %s'.", geteuid(), name);
        return err_at(err, name, 0, 0);
    }
    if ((secret && (mode & S_IWGRP)) || file_others_may_write(fd, name, &st)) {
        (void)err_set(err, ERR_FILE, "'%s' can be written by others (mode %04o)", name, mode);
        (void)err_hint(err, "Run 'chmod go-w %s'.", name);
        return err_at(err, name, 0, 0);
    }
    if (secret && (mode & OTHERS_MAY_READ)) {
        (void)err_set(err, ERR_FILE, "'%s' holds a secret and can be read by others (mode %04o)",
                      name, mode);
        (void)err_hint(err, "Run 'chmod go-rwx %s'.", name);
        return err_at(err, name, 0, 0);
    }
    return 0;
}

char *file_join(const char *folder, const char *path)
{
    size_t folder_length = strlen(folder), path_length = strlen(path);

    if (path[0] == '/' || folder_length == 0 || strcmp(folder, ".") == 0)
        return mem_dup_n(path, path_length);
    bool slash = folder[folder_length - 1] != '/';
    char *both = malloc(folder_length + slash + path_length + 1);
    if (!both)
        return NULL;
    memcpy(both, folder, folder_length);
    if (slash)
        both[folder_length] = '/';
    memcpy(both + folder_length + slash, path, path_length);
    both[folder_length + slash + path_length] = '\0';
    return both;
}

char *file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_dup_n(".", 1);
    while (slash > path && slash[-1] == '/')
        slash--;
    return mem_dup_n(path, slash == path ? 1 : (size_t)(slash - path));
}
