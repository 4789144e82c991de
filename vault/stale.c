/* stale.c: see vault/stale.h. */
#include "vault/stale.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypt.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define COPY_PURPOSE "agent stale copy 1"
#define NAME_PURPOSE "agent stale name 1"
#define NAME_SUFFIX  ".stale"

enum {
    FOLDER_MODE = 0700,
    FILE_MODE = 0600,
    OTHERS = 077,
    SUBJECT_BYTES = 64 * 1024,
    TIMES_BYTES = 64, /* "FETCHED EXPIRES\n" in front of the value */
    COPY_BYTES = SECRET_MAX_BYTES + CRYPT_OVERHEAD_BYTES,
    NAME_HASH_BYTES = 8,
    TEMPORARY_SUFFIX_BYTES = 8,
    MS_PER_S = 1000,
};

struct stale {
    char *directory;
    struct secret key;
};

void stale_free(struct stale *s)
{
    if (!s)
        return;
    secret_release(&s->key);
    free(s->directory);
    free(s);
}

static void auto_stale(struct stale **s)
{
    stale_free(*s);
}

/* ---- the folder and the key ------------------------------------------------------------------ */

/* A folder that somebody else could write, or list, is refused. */
static int check_folder(const char *path, struct err *err)
{
    struct stat st;
    AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)err_errno(err, ERR_FILE, "open the folder of stale copies '%s'", path);
        return err_at(err, path, 0, 0);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        (void)err_set(err, ERR_FILE,
                      "the folder of stale copies '%s' belongs to user %u, neither to "
                      "us (%u) nor to root",
                      path, st.st_uid, geteuid());
        return err_at(err, path, 0, 0);
    }
    if ((st.st_mode & OTHERS) == 0)
        return 0;
    (void)err_set(err, ERR_FILE, "the folder of stale copies '%s' is open to others (mode %04o)",
                  path, st.st_mode & 07777U);
    (void)err_hint(err, "Run 'chmod 0700 %s'.", path);
    return err_at(err, path, 0, 0);
}

static int make_folder(const char *path, struct err *err)
{
    if (mkdir(path, FOLDER_MODE) == 0 || errno == EEXIST)
        return 0;
    (void)err_errno(err, ERR_FILE, "make the folder of stale copies '%s'", path);
    return err_at(err, path, 0, 0);
}

/* A new key under PATH, unless somebody else makes one at the same moment: then that one counts. */
static int make_key(const char *path, struct err *err)
{
    AUTO_SECRET key = SECRET_INIT;
    uint8_t suffix[TEMPORARY_SUFFIX_BYTES];
    AUTO_BUF temporary = BUF_INIT(ERR_FILE_BYTES * 8);

    if (crypt_new_key(&key, err) != 0 || crypt_random(suffix, sizeof suffix, err) != 0)
        return -1;
    buf_addf(&temporary, "%s.", path);
    for (size_t i = 0; i < sizeof suffix; i++)
        buf_addf(&temporary, "%02x", suffix[i]);
    if (buf_check(&temporary, ERR_FILE, "the name of the key file", err) != 0 ||
        file_replace(buf_text(&temporary), secret_reveal(&key), secret_length(&key), FILE_MODE,
                     err) != 0)
        return -1;
    int linked = link(buf_text(&temporary), path);
    int reason = errno;
    (void)unlink(buf_text(&temporary)); /* another name of the key, or a key of nothing */
    if (linked == 0 || reason == EEXIST)
        return 0;
    errno = reason;
    return err_errno(err, ERR_FILE, "make the key file '%s'", path);
}

static int read_key(const char *path, struct secret *out, struct err *err)
{
    AUTO_BUF bytes = BUF_INIT(CRYPT_KEY_BYTES + 1);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0) {
        (void)err_errno(err, ERR_FILE, "open the key file of stale copies '%s'", path);
        return err_at(err, path, 0, 0);
    }
    if (file_check_mode(fd, path, true, err) != 0 || file_read_fd(fd, path, &bytes, err) != 0)
        return -1;
    if (bytes.len != CRYPT_KEY_BYTES) {
        (void)err_set(err, ERR_FILE, "the key file '%s' has %s%zu bytes, not %d", path,
                      bytes.len > CRYPT_KEY_BYTES ? "at least " : "", bytes.len, CRYPT_KEY_BYTES);
        (void)err_hint(err, "Remove it: a new key is made, and copies are fetched anew.");
        return err_at(err, path, 0, 0);
    }
    return secret_set(out, buf_text(&bytes), bytes.len, err);
}

int stale_open(const char *directory, const char *key_file, bool make, struct stale **out,
               struct err *err)
{
    CLEANUP(auto_stale) struct stale *s = mem_new(1, sizeof *s);

    if (!s || !(s->directory = mem_dup(directory)))
        return err_nomem(err);
    if ((make && make_folder(directory, err) != 0) || check_folder(directory, err) != 0)
        return -1;
    if (make && access(key_file, F_OK) != 0 && errno == ENOENT && make_key(key_file, err) != 0)
        return -1;
    if (read_key(key_file, &s->key, err) != 0)
        return -1;
    *out = TAKE_POINTER(s);
    return 0;
}

/* ---- one copy -------------------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *text)
{
    buf_adds(out, text ? text : "");
    buf_addc(out, '\0');
}

static int purpose_of(const struct stale_subject *subject, struct buf *out, struct err *err)
{
    add_text(out, COPY_PURPOSE);
    add_text(out, subject->project);
    add_text(out, subject->profile);
    add_text(out, subject->variable);
    add_text(out, subject->origin);
    return buf_check(out, ERR_CONTRACT, "what a stale copy is of", err);
}

/* VARIABLE-HASH.stale: a copy for each project and profile, whose names may have any byte. */
static int path_of(const struct stale *s, const struct stale_subject *subject, char **out,
                   struct err *err)
{
    AUTO_BUF name = BUF_INIT(SUBJECT_BYTES), of = BUF_INIT(SUBJECT_BYTES);
    uint8_t tag[CRYPT_TAG_BYTES];

    add_text(&of, NAME_PURPOSE);
    add_text(&of, subject->project);
    add_text(&of, subject->profile);
    if (buf_check(&of, ERR_CONTRACT, "project and profile", err) != 0 ||
        crypt_tag(&s->key, &of, tag, err) != 0)
        return -1;
    buf_addf(&name, "%s-", subject->variable);
    for (size_t i = 0; i < NAME_HASH_BYTES; i++)
        buf_addf(&name, "%02x", tag[i]);
    buf_adds(&name, NAME_SUFFIX);
    if (buf_check(&name, ERR_CONTRACT, "a variable's name", err) != 0)
        return -1;
    char *path = file_join(s->directory, buf_text(&name));
    if (!path)
        return err_nomem(err);
    *out = path;
    return 0;
}

int stale_keep(const struct stale *s, const struct stale_subject *subject,
               const struct secret *value, int64_t now_s, int64_t expires_s, struct err *err)
{
    AUTO_BUF purpose = BUF_INIT(SUBJECT_BYTES), plain = BUF_INIT(SECRET_MAX_BYTES);
    AUTO_BUF sealed = BUF_INIT(COPY_BYTES);
    AUTO_SECRET both = SECRET_INIT;
    AUTO_FREE char *path = NULL;

    buf_addf(&plain, "%" PRId64 " %" PRId64 "\n", now_s, expires_s);
    buf_add(&plain, secret_reveal(value), secret_length(value));
    if (purpose_of(subject, &purpose, err) != 0 || path_of(s, subject, &path, err) != 0 ||
        buf_check(&plain, ERR_RESOURCE, "a stale copy", err) != 0 ||
        secret_set(&both, buf_text(&plain), plain.len, err) != 0 ||
        crypt_seal(&s->key, &purpose, &both, &sealed, err) != 0)
        return -1;
    return file_replace(path, buf_text(&sealed), sealed.len, FILE_MODE, err);
}

static int read_copy(const char *path, struct buf *out, struct err *err)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_SOURCE_MISSING, "there is no copy");
    if (fd < 0)
        return err_errno(err, ERR_FILE, "open the stale copy '%s'", path);
    if (file_check_mode(fd, path, true, err) != 0)
        return -1;
    return file_read_fd(fd, path, out, err);
}

/* The two times in front of the value; where it starts. */
static int take_times(const struct secret *both, int64_t *fetched_s, int64_t *expires_s,
                      size_t *value_at, struct err *err)
{
    const char *text = secret_reveal(both);
    const char *newline = memchr(text, '\n', secret_length(both));
    const char *blank = newline ? memchr(text, ' ', (size_t)(newline - text)) : NULL;

    if (!blank || str_to_int64(text, (size_t)(blank - text), fetched_s) != 0 ||
        str_to_int64(blank + 1, (size_t)(newline - blank - 1), expires_s) != 0)
        return err_set(err, ERR_SOURCE_DATA, "the copy has no times in it");
    *value_at = (size_t)(newline - text) + 1;
    return 0;
}

static int check_times(int64_t fetched_s, int64_t expires_s, int64_t now_s, int64_t max_age_s,
                       struct err *err)
{
    AUTO_BUF age = BUF_INIT(TIMES_BYTES), most = BUF_INIT(TIMES_BYTES);

    if (fetched_s > now_s + STALE_CLOCK_SLACK_S)
        return err_set(err, ERR_SOURCE_MISSING,
                       "the copy is from the future: this machine's clock "
                       "was set back");
    if (expires_s != 0 && now_s >= expires_s)
        return err_set(err, ERR_SOURCE_MISSING, "the copy's lease has ended");
    if (now_s - fetched_s <= max_age_s)
        return 0;
    str_add_duration(&age, (now_s - fetched_s) * MS_PER_S);
    str_add_duration(&most, max_age_s * MS_PER_S);
    return err_set(err, ERR_SOURCE_MISSING, "the copy is %s old, and stale_ok is %s",
                   buf_text(&age), buf_text(&most));
}

int stale_get(const struct stale *s, const struct stale_subject *subject, int64_t now_s,
              int64_t max_age_s, struct secret *out, int64_t *age_s, struct err *err)
{
    AUTO_BUF purpose = BUF_INIT(SUBJECT_BYTES), sealed = BUF_INIT(COPY_BYTES);
    AUTO_SECRET both = SECRET_INIT;
    AUTO_FREE char *path = NULL;
    int64_t fetched_s, expires_s;
    size_t at = 0;

    if (purpose_of(subject, &purpose, err) != 0 || path_of(s, subject, &path, err) != 0 ||
        read_copy(path, &sealed, err) != 0)
        return -1;
    if (crypt_open(&s->key, &purpose, buf_text(&sealed), sealed.len, &both, err) != 0)
        return err->kind != ERR_SOURCE_DATA
                   ? -1
                   : err_set(err, ERR_SOURCE_DATA,
                             "the copy '%s' does not open: it was changed, or "
                             "is of another source",
                             path);
    if (take_times(&both, &fetched_s, &expires_s, &at, err) != 0 ||
        check_times(fetched_s, expires_s, now_s, max_age_s, err) != 0)
        return -1;
    if (secret_set(out, secret_reveal(&both) + at, secret_length(&both) - at, err) != 0)
        return -1;
    *age_s = now_s > fetched_s ? now_s - fetched_s : 0;
    return 0;
}
