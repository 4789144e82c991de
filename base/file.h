/* base/file.h: files, read whole with a ceiling and replaced atomically. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct stat;

/* Read PATH whole: a regular file, or by descriptor a pipe too. More than out->max bytes is an
 * error that names both. *out is replaced, and unchanged on failure. Errors: ERR_FILE, with the file
 * in err->file; ERR_RESOURCE where this machine has run out of something. */
MUST_USE int file_read_all(const char *path, struct buf *out, struct err *err);
MUST_USE int file_read_fd(int fd, const char *name, struct buf *out, struct err *err);

/* As file_read_all, for what the call itself names: also "-" (standard input) and a pipe (/dev/stdin,
 * <(...), a FIFO, whose writer is waited for), to its end, until DEADLINE or, where that is
 * CLOCK_NEVER, for FILE_INPUT_MS (ERR_FILE then; ERR_STOPPED). A FIFO that others may write to is
 * refused. */
enum { FILE_INPUT_MS = 60 * 1000 };
MUST_USE int file_read_input(const char *path, int64_t deadline_ms, struct buf *out,
                             struct err *err);
/* Where relative paths in it start: its folder, and "." of what is no file. The caller frees. */
MUST_USE char *file_input_folder(const char *path);

/* Write LENGTH bytes to FD whole, through EINTR and short writes. */
MUST_USE int file_write_all(int fd, const char *name, const void *bytes, size_t length,
                            struct err *err);

/* The pipe or the terminal that FD is, opened once more for writing, so that a write that would wait fails
 * with EAGAIN: O_NONBLOCK on FD itself would be on whatever else was handed the same. Poll alone does not
 * tell: of a terminal it says that there is room for a byte, of a shared pipe what was so a moment ago. The
 * caller closes. -1: FD is neither, or it may not be opened (it was somebody else's). */
int file_open_unshared(int fd);

/* Make PATH hold LENGTH bytes with MODE: a temporary name in the same folder (O_EXCL), fsync,
 * rename, fsync of the folder. The old file stays whole on failure. A symlink in PATH's last step
 * is replaced, not followed. Folders, devices, pipes and links into /proc (/dev/stdout) are refused. */
MUST_USE int file_replace(const char *path, const void *bytes, size_t length, mode_t mode,
                          struct err *err);

/* The same, but what PATH is already stays as it is, also when somebody else makes it at this moment:
 * *made says whose it is. (A file system without hard links has no way to tell, and replaces.) */
MUST_USE int file_make(const char *path, const void *bytes, size_t length, mode_t mode, bool *made,
                       struct err *err);

/* The same as file_replace, with an owner and a group. */
struct file_rights {
    mode_t mode;
    uid_t owner; /* FILE_OWNER_OURS: as a file that we make is */
    gid_t group; /* FILE_GROUP_OURS */
};
#define FILE_OWNER_OURS ((uid_t)-1) /* as fchown has it */
#define FILE_GROUP_OURS ((gid_t)-1)
MUST_USE int file_replace_as(const char *path, const void *bytes, size_t length,
                             const struct file_rights *rights, struct err *err);

/* Remove PATH, a file or a folder with all that is in it; no symlink is followed. Nothing there: 0. */
MUST_USE int file_remove_tree(const char *path, struct err *err);

/* Whether somebody else than its owner may write the file of ST, open as FD or, with -1, at PATH: the
 * world, or a group that is more than its owner's own. */
bool file_others_may_write(int fd, const char *path, const struct stat *st);

/* Refuse a file that somebody else could have written (file_others_may_write, or owned by neither us
 * nor root), or with SECRET one that a group or others may read or write. Open once, then check the
 * fd. */
MUST_USE int file_check_mode(int fd, const char *name, bool secret, struct err *err);

/* FOLDER/PATH, or PATH when it is absolute or FOLDER is "" or ".". The caller frees. NULL: memory. */
MUST_USE char *file_join(const char *folder, const char *path);
MUST_USE char *file_folder(const char *path); /* "." for a bare name; the caller frees */

#endif
