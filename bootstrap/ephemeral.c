/* bootstrap/ephemeral.c: a throwaway PostgreSQL of our own; see scratch.h.
 *
 * Its folder is of mode 0700 and everything is in it: the cluster, the unix socket (there is no other
 * way in, so nobody needs a password), the log. Nothing is synced, as nothing is to survive. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "bootstrap/scratch.h"

#define FOLDER_PREFIX "agent-guard-"
#define SUPERUSER     "agent_guard"
#define MEMORY_FOLDER "/dev/shm"
#define USUAL_FOLDER  "/tmp"

/* What must be free of /dev/shm, and of memory, before a cluster is put there. */
#define MEMORY_ROOM_BYTES (UINT64_C(2) << 30)

enum {
    SAID_BYTES = 4096, /* the end of what initdb or the server wrote */
    SHOWN_BYTES = 400,
    LOG_MAX_BYTES = 4 * 1024 * 1024,
    POLL_BASE_MS = 10,
    POLL_CAP_MS = 100,
    START_MS = 60 * 1000,
    STOP_MS = 10 * 1000,
    PATH_BYTES = 4096,
};

/* ---- the programs --------------------------------------------------------------------------------- */

static bool can_run(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Take initdb and postgres from FOLDER when both are there. */
static bool take_folder(const char *folder, struct ephemeral *e)
{
    AUTO_FREE char *initdb = file_join(folder, "initdb");
    AUTO_FREE char *postgres = file_join(folder, "postgres");
    if (!initdb || !postgres || !can_run(initdb) || !can_run(postgres))
        return false;
    e->initdb = TAKE_POINTER(initdb);
    e->postgres = TAKE_POINTER(postgres);
    return true;
}

/* Distributions put a link to one program into PATH; the server lies beside what it points to. */
static bool find_in_path(const char *const *environment, struct ephemeral *e)
{
    struct err ignored = ERR_INIT;
    AUTO_FREE char *found = NULL;
    if (proc_find("initdb", environment, NULL, ERR_FILE, &found, &ignored) != 0)
        return false;
    AUTO_FREE char *real = realpath(found, NULL);
    AUTO_FREE char *folder = real ? file_folder(real) : NULL;
    return folder && take_folder(folder, e);
}

static bool find_by_pg_config(const char *const *environment, struct ephemeral *e)
{
    static const char *const argv[] = {"pg_config", "--bindir", NULL};
    AUTO_BUF output = BUF_INIT(PATH_BYTES);
    AUTO_BUF complaint = BUF_INIT(PATH_BYTES);
    struct err ignored = ERR_INIT;
    struct proc_result result;
    struct proc_request request = {.argv = argv,
                                   .environment = environment,
                                   .output = &output,
                                   .error_output = &complaint,
                                   .deadline_ms = clock_in_ms(START_MS),
                                   .what = "pg_config"};
    if (proc_run(&request, ERR_FILE, &result, &ignored) != 0 || result.exit_code != 0)
        return false;
    const char *folder = buf_text(&output);
    size_t length = output.len;
    str_trim(&folder, &length);
    AUTO_FREE char *copy = mem_dup_n(folder, length);
    return copy && take_folder(copy, e);
}

static long version_in(const char *path)
{
    const char *digits = path + strcspn(path, "0123456789");
    int64_t version = 0;
    return str_to_int64(digits, strspn(digits, "0123456789"), &version) == 0 ? (long)version : 0;
}

/* Debian and Red Hat keep each version in a folder of its own: the newest. */
static bool find_by_version(struct ephemeral *e)
{
    static const char *const patterns[] = {"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        glob_t found = {0};
        long best = -1;
        if (glob(patterns[i], 0, NULL, &found) == 0) {
            for (size_t k = 0; k < found.gl_pathc; k++) {
                struct ephemeral candidate = {0};
                if (version_in(found.gl_pathv[k]) <= best ||
                    !take_folder(found.gl_pathv[k], &candidate))
                    continue;
                best = version_in(found.gl_pathv[k]);
                free(e->initdb);
                free(e->postgres);
                e->initdb = candidate.initdb;
                e->postgres = candidate.postgres;
            }
        }
        globfree(&found);
        if (best >= 0)
            return true;
    }
    return false;
}

static int find_programs(const char *const *environment, struct ephemeral *e, struct err *err)
{
    if (find_in_path(environment, e) || find_by_pg_config(environment, e) || find_by_version(e))
        return 0;
    err_set(err, ERR_USAGE,
            "an ephemeral server needs PostgreSQL's initdb and postgres, and neither PATH nor "
            "`pg_config --bindir` nor /usr/lib/postgresql/*/bin has both");
    return err_hint(err, "Install the server's package (Debian and Ubuntu: postgresql; Fedora: "
                         "postgresql-server), or name a server: --server NAME.");
}

/* ---- folder and user ------------------------------------------------------------------------------ */

/* PostgreSQL refuses root. */
static int choose_user(const struct guard_settings *settings, struct ephemeral *e, struct err *err)
{
    const char *name = settings->ephemeral_user ? settings->ephemeral_user : "postgres";
    if (geteuid() != 0) {
        if (!settings->ephemeral_user)
            return 0;
        err_set(err, ERR_USAGE,
                "--ephemeral-user '%s': only root can start a server as another user", name);
        return err_hint(err, "Leave it away: the server runs as whoever calls.");
    }
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (!entry) {
        err_set(err, ERR_USAGE, "an ephemeral server cannot run as root, and there is no user '%s'",
                name);
        return err_hint(err, "Name one that is there: --ephemeral-user NAME; or call agent as "
                             "somebody else than root.");
    }
    if (entry->pw_uid == 0)
        return err_set(err, ERR_USAGE,
                       "--ephemeral-user '%s' is root, as whom PostgreSQL refuses to "
                       "run",
                       name);
    e->user = (struct proc_user){.user = entry->pw_uid, .group = entry->pw_gid};
    e->as_user = true;
    return 0;
}

/* $TMPDIR, unless a socket's path would be too long there; NULL: it says nothing of use. */
static const char *asked_folder(void)
{
    const char *folder = getenv("TMPDIR");
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) -
                  sizeof("/" FOLDER_PREFIX "XXXXXX/.s.PGSQL.5432");
    return folder && folder[0] == '/' && strlen(folder) < room ? folder : NULL;
}

/* A cluster is a thousand small files, four times over: in memory they cost half of the time. A
 * container's usual /dev/shm has too little room for that. */
static bool memory_has_room(void)
{
    struct statfs fs;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    long free_pages = sysconf(_SC_AVPHYS_PAGES);
    return statfs(MEMORY_FOLDER, &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
           (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= MEMORY_ROOM_BYTES && free_pages > 0 &&
           (uint64_t)free_pages * page >= MEMORY_ROOM_BYTES &&
           access(MEMORY_FOLDER, W_OK | X_OK) == 0;
}

static const char *choose_parent(void)
{
    const char *asked = asked_folder();
    if (asked)
        return asked;
    return memory_has_room() ? MEMORY_FOLDER : USUAL_FOLDER;
}

static int make_folder(struct ephemeral *e, struct err *err)
{
    AUTO_BUF path = BUF_INIT(PATH_BYTES);
    e->parent = choose_parent();
    buf_addf(&path, "%s/" FOLDER_PREFIX "XXXXXX", e->parent);
    AUTO_FREE char *folder = buf_take(&path);
    if (!folder)
        return err_nomem(err);
    if (!mkdtemp(folder)) {
        err_errno(err, ERR_RESOURCE, "make a folder for the ephemeral server in '%s'", e->parent);
        return err_hint(err, "Set TMPDIR to a folder with room.");
    }
    e->folder = TAKE_POINTER(folder);
    AUTO_FREE char *lock = file_join(e->folder, "lock");
    e->data = file_join(e->folder, "data");
    if (!lock || !e->data)
        return err_nomem(err);
    e->lock = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (e->lock < 0 || flock(e->lock, LOCK_EX | LOCK_NB) != 0)
        return err_errno(err, ERR_RESOURCE, "lock '%s'", lock);
    if (e->as_user && chown(e->folder, e->user.user, e->user.group) != 0)
        return err_errno(err, ERR_RESOURCE, "give '%s' to the server's user", e->folder);
    return 0;
}

static int find_leftovers_in(const char *parent, struct names *names, struct err *err)
{
    AUTO_BUF pattern = BUF_INIT(PATH_BYTES);
    glob_t found = {0};
    int result = 0;
    buf_addf(&pattern, "%s/" FOLDER_PREFIX "*/lock", parent);
    if (glob(buf_text(&pattern), GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; result == 0 && i < found.gl_pathc; i++) {
            AUTO_FD lock = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
            if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0)
                continue; /* somebody else's, or in use */
            AUTO_FREE char *folder = file_folder(found.gl_pathv[i]);
            AUTO_BUF text = BUF_INIT(PATH_BYTES);
            buf_addf(&text, "folder '%s'", folder ? folder : "?");
            result = names_add(names, buf_text(&text), err);
        }
    }
    globfree(&found);
    return result;
}

int ephemeral_find_leftovers(struct names *names, struct err *err)
{
    const char *asked = asked_folder();
    if (asked)
        return find_leftovers_in(asked, names, err);
    if (find_leftovers_in(USUAL_FOLDER, names, err) != 0)
        return -1;
    return find_leftovers_in(MEMORY_FOLDER, names, err);
}

/* ---- initdb ---------------------------------------------------------------------------------------- */

static int hint_at_room(const struct ephemeral *e, const char *said, struct err *err)
{
    if (strstr(said, strerror(ENOSPC)) || strstr(said, "No space left on device"))
        return err_hint(err, "'%s' is full: set TMPDIR to a folder with room.", e->parent);
    return -1;
}

/* The last line that is not blank. */
static void add_last_line(const char *text, struct buf *out)
{
    size_t length = strlen(text);
    str_trim(&text, &length);
    const char *newline = length ? memrchr(text, '\n', length) : NULL;
    if (newline) {
        length -= (size_t)(newline + 1 - text);
        text = newline + 1;
    }
    buf_add(out, text, length < SHOWN_BYTES ? length : SHOWN_BYTES);
}

/* initdb's last line is about what it has removed again: the cause stands before. */
static void add_cause(const char *text, struct buf *out)
{
    static const char *const marks[] = {"No space left on device", "FATAL: ", "error: "};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        const char *mark = strstr(text, marks[i]);
        const char *newline = mark ? memrchr(text, '\n', (size_t)(mark - text)) : NULL;
        const char *line = newline ? newline + 1 : text;
        if (!mark)
            continue;
        buf_addf(out, "%.*s", (int)strcspn(line, "\n"), line);
        return;
    }
    add_last_line(text, out);
}

/* What a server needs of an environment, and nothing of ours that would steer it. */
static const char *const plain_environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C",
                                                NULL};

static int make_cluster(const struct ephemeral *e, int64_t deadline_ms, struct err *err)
{
    const char *const argv[] = {e->initdb,     "-D",           e->data, "-U",
                                SUPERUSER,     "--auth=trust", "-E",    "UTF8",
                                "--no-locale", "--no-sync",    NULL};
    AUTO_BUF output = BUF_INIT(LOG_MAX_BYTES);
    AUTO_BUF said = BUF_INIT(SAID_BYTES);
    AUTO_BUF how = BUF_INIT(SAID_BYTES);
    struct proc_result result;
    struct proc_request request = {.argv = argv,
                                   .environment = plain_environment,
                                   .folder = e->folder,
                                   .output = &output,
                                   .error_output = &said,
                                   .deadline_ms = deadline_ms,
                                   .what = "initdb",
                                   .as = e->as_user ? &e->user : NULL};
    if (proc_run(&request, ERR_RESOURCE, &result, err) != 0) {
        if (err->sys_errno == EACCES && e->as_user)
            err_hint(err, "Its user has to reach '%s': set TMPDIR to a folder that is open to all.",
                     e->parent);
        return -1;
    }
    if (result.exit_code == 0)
        return 0;
    proc_describe(&result, &how);
    buf_adds(&how, ": ");
    add_cause(buf_text(&said), &how);
    err_set(err, ERR_RESOURCE, "initdb in '%s' %s", e->folder, buf_text(&how));
    return hint_at_room(e, buf_text(&said), err);
}

/* ---- the server ------------------------------------------------------------------------------------ */

static int start_server(struct ephemeral *e, struct err *err)
{
    const char *const argv[] = {
        e->postgres, "-D", e->data, "-k", e->folder, "-h", "", "-F", "-c", "port=5432",
        /* nothing is to survive */
        "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "autovacuum=off", "-c",
        "max_wal_size=256MB", "-c", "wal_level=logical", /* publications are asked for it */
        "-c", "shared_buffers=64MB", "-c", "max_connections=60", "-c",
        "max_prepared_transactions=10", "-c", "jit=off",
        /* nothing outside of the folder */
        "-c", "dynamic_shared_memory_type=mmap", "-c", "unix_socket_permissions=0700", "-c",
        "logging_collector=off", "-c", "log_min_messages=fatal", "-c",
        "log_min_error_statement=panic", NULL};
    AUTO_FREE char *path = file_join(e->folder, "log");
    if (!path)
        return err_nomem(err);
    AUTO_FD log = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log < 0)
        return err_errno(err, ERR_RESOURCE, "make '%s'", path);
    struct proc_request request = {.argv = argv,
                                   .environment = plain_environment,
                                   .folder = e->folder,
                                   .what = "the ephemeral server",
                                   .as = e->as_user ? &e->user : NULL};
    return proc_spawn(&request, log, log, ERR_RESOURCE, &e->server, err);
}

int ephemeral_check(const struct ephemeral *e, struct err *err)
{
    if (!e->folder || !proc_has_ended(&e->server))
        return 0;
    AUTO_FREE char *path = file_join(e->folder, "log");
    AUTO_BUF log = BUF_INIT(LOG_MAX_BYTES);
    AUTO_BUF last = BUF_INIT(SAID_BYTES);
    struct err unread = ERR_INIT;
    if (!path)
        return err_nomem(err);
    if (file_read_all(path, &log, &unread) != 0)
        buf_addf(&last, "its log could not be read: %s", unread.text);
    else
        add_last_line(buf_text(&log), &last);
    err_set(err, ERR_RESOURCE, "the ephemeral server in '%s' has ended: %s", e->folder,
            last.len ? buf_text(&last) : "it said nothing");
    return hint_at_room(e, buf_text(&log), err);
}

/* Until it answers. */
static int wait_for_server(const struct ephemeral *e, const struct secret *url, int64_t deadline_ms,
                           struct err *err)
{
    struct backoff backoff = {.base_ms = POLL_BASE_MS, .cap_ms = POLL_CAP_MS};
    struct db_target target = {0};
    if (db_target_parse(url, "the ephemeral server's URL", &target, err) != 0)
        return -1;
    int result = -1;
    for (;;) {
        AUTO_DB db = NULL;
        result = db_connect(&target, deadline_ms, &db, err);
        if (result == 0 || !db_should_wait(err) || ephemeral_check(e, err) != 0)
            break;
        if (!backoff_wait(&backoff, 0, deadline_ms)) {
            err_wrap(err, "waited in vain");
            break;
        }
    }
    db_target_release(&target);
    return result;
}

static int make_url(const struct guard_settings *settings, const struct ephemeral *e,
                    struct secret *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(PATH_BYTES);
    if (!e->folder)
        return err_set(err, ERR_DEFECT, "an ephemeral server without a folder has no URL");
    buf_addf(&text, "%s://" SUPERUSER "@/postgres?host=",
             settings->scheme ? settings->scheme : "postgresql");
    str_add_percent(&text, e->folder, strlen(e->folder));
    buf_adds(&text, "&port=5432");
    if (buf_check(&text, ERR_RESOURCE, "the ephemeral server's URL", err) != 0)
        return -1;
    return secret_set(out, buf_text(&text), text.len, err);
}

static int start(const struct guard_settings *settings, int64_t deadline_ms, struct ephemeral *e,
                 struct secret *url, struct err *err)
{
    if (find_programs(settings->command_environment, e, err) != 0 ||
        choose_user(settings, e, err) != 0 || make_folder(e, err) != 0 ||
        make_cluster(e, deadline_ms, err) != 0 || start_server(e, err) != 0 ||
        make_url(settings, e, url, err) != 0)
        return -1;
    return wait_for_server(e, url, deadline_ms, err);
}

int ephemeral_start(const struct guard_settings *settings, int64_t deadline_ms,
                    struct ephemeral *out, struct secret *url, struct err *err)
{
    struct ephemeral e = {.lock = -1, .server = PROC_CHILD_INIT};
    struct err second = ERR_INIT;
    int64_t until = clock_earlier(deadline_ms, clock_in_ms(START_MS));
    if (start(settings, until, &e, url, err) == 0) {
        *out = e;
        return 0;
    }
    secret_release(url);
    if (ephemeral_stop(&e, &second) != 0)
        log_msg(LOG_WARN, "%s", second.text);
    return err_wrap(err, "ephemeral server");
}

int ephemeral_stop(struct ephemeral *e, struct err *err)
{
    stop_shield(true); /* killed outright it would leave its shared memory */
    /* SIGQUIT is PostgreSQL's immediate shutdown: it ends its children and frees shared memory */
    proc_stop(&e->server, SIGQUIT, clock_in_ms(STOP_MS), NULL);
    stop_shield(false);
    int result = e->folder ? file_remove_tree(e->folder, err) : 0;
    if (e->lock >= 0)
        (void)close(e->lock);
    free(e->folder);
    free(e->data);
    free(e->initdb);
    free(e->postgres);
    *e = (struct ephemeral){.lock = -1, .server = PROC_CHILD_INIT};
    return result;
}
