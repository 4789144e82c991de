#include "agent/files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { MODE_BITS = 07777 };

/* One file on its way. */
struct rendered {
    const struct contract_file *file;
    char *path;
    struct buf content; /* a secret; wiped with it */
    struct file_rights rights;
    bool is_there; /* as it has to be */
};

struct rendering {
    struct rendered *list;
    size_t count;
};

static void rendering_release(struct rendering *r)
{
    for (size_t i = 0; i < r->count; i++) {
        buf_release(&r->list[i].content);
        free(r->list[i].path);
    }
    free(r->list);
}

int files_resolve(struct job *job, struct err *err)
{
    const struct contract *contract = job->contract;

    for (size_t i = 0; i < contract->file_count; i++)
        if (job_resolve(job, contract->files[i].names, err) != 0)
            return -1;
    return 0;
}

/* ---- whose it is -------------------------------------------------------------------------------- */

static bool is_number(const char *text, unsigned *out)
{
    int64_t number;

    /* the last one stands for "as it is" */
    if (str_to_int64(text, strlen(text), &number) != 0 || number < 0 || number >= UINT32_MAX)
        return false;
    *out = (unsigned)number;
    return true;
}

static int nobody(const struct contract_file *file, const char *what, const char *name, int reason,
                  struct err *err)
{
    errno = reason;
    if (reason != 0)
        (void)err_errno(err, ERR_FILE, "'%s': look the %s '%s' up", file->path, what, name);
    else
        (void)err_set(err, ERR_FILE, "'%s': there is no %s '%s' here", file->path, what, name);
    return err_at(err, file->position.file, file->position.line, file->position.column);
}

static int find_rights(const struct contract_file *file, struct file_rights *out, struct err *err)
{
    struct file_rights rights = {file->mode, FILE_OWNER_OURS, FILE_GROUP_OURS};

    errno = 0;
    if (file->owner && !is_number(file->owner, &rights.owner)) {
        const struct passwd *user = getpwnam(file->owner);
        if (!user)
            return nobody(file, "user", file->owner, errno, err);
        rights.owner = user->pw_uid;
    }
    if (file->group && !is_number(file->group, &rights.group)) {
        const struct group *group = getgrnam(file->group);
        if (!group)
            return nobody(file, "group", file->group, errno, err);
        rights.group = group->gr_gid;
    }
    *out = rights;
    return 0;
}

/* ---- what is there ------------------------------------------------------------------------------ */

static bool has_rights(const struct stat *st, const struct file_rights *rights)
{
    return (st->st_mode & MODE_BITS) == rights->mode &&
           st->st_uid == (rights->owner == FILE_OWNER_OURS ? geteuid() : rights->owner) &&
           (rights->group == FILE_GROUP_OURS || st->st_gid == rights->group);
}

/* Whether it is there as it has to be. What can't be read is not, and is replaced. */
static bool has_content(const struct rendered *r, const struct stat *st)
{
    AUTO_BUF present = BUF_INIT(r->content.len + 1);
    struct err unread = ERR_INIT;

    return S_ISREG(st->st_mode) && (size_t)st->st_size == r->content.len &&
           file_read_all(r->path, &present, &unread) == 0 && present.len == r->content.len &&
           memcmp(buf_text(&present), buf_text(&r->content), present.len) == 0;
}

static int look(struct rendered *r, struct err *err)
{
    struct stat st;

    if (lstat(r->path, &st) != 0) {
        if (errno == ENOENT)
            return 0;
        (void)err_errno(err, ERR_FILE, "look at '%s'", r->path);
        return err_at(err, r->path, 0, 0);
    }
    if (S_ISLNK(st.st_mode)) {
        (void)err_set(err, ERR_FILE, "'%s' is a symbolic link, and is not written through",
                      r->path);
        (void)err_hint(err, "Name the place itself in 'files', or take the link away.");
        return err_at(err, r->path, 0, 0);
    }
    if (!S_ISREG(st.st_mode)) {
        (void)err_set(err, ERR_FILE, "'%s' is there already, and is no file", r->path);
        return err_at(err, r->path, 0, 0);
    }
    r->is_there = has_rights(&st, &r->rights) && has_content(r, &st);
    return 0;
}

/* ---- all of them -------------------------------------------------------------------------------- */

static int render(const struct job *job, const struct contract_file *file, struct rendered *r,
                  struct err *err)
{
    *r = (struct rendered){.file = file, .content = BUF_INIT(CONTRACT_FILE_MAX_BYTES)};
    r->path = file_join(job->contract->folder, file->path);
    if (!r->path)
        return err_nomem(err);
    if (contract_render_file(job->contract, file, job->values, &r->content, err) != 0)
        return err_at(err, file->position.file, file->position.line, file->position.column);
    return find_rights(file, &r->rights, err) != 0 ? -1 : look(r, err);
}

static int write_one(const struct rendered *r, struct err *err)
{
    if (file_replace_as(r->path, buf_text(&r->content), r->content.len, &r->rights, err) == 0) {
        log_line(LOG_DEBUG, "a file was written", "path", r->path, NULL);
        return 0;
    }
    if (err->sys_errno == EPERM && r->file->owner)
        (void)err_hint(err,
                       "Only root gives files away: start agent as root, or leave 'owner' out.");
    return -1;
}

int files_write(const struct job *job, size_t *changed, struct err *err)
{
    CLEANUP(rendering_release) struct rendering all = {0};
    size_t count = job->contract ? job->contract->file_count : 0, written = 0;

    all.list = mem_new(count, sizeof *all.list);
    if (!all.list)
        return err_nomem(err);
    for (; all.count < count; all.count++)
        if (render(job, &job->contract->files[all.count], &all.list[all.count], err) != 0) {
            all.count++; /* what it has so far is released too */
            return -1;
        }
    for (size_t i = 0; i < count; i++) {
        if (all.list[i].is_there)
            continue;
        if (write_one(&all.list[i], err) != 0)
            return -1;
        written++;
    }
    if (changed)
        *changed = written;
    return 0;
}
