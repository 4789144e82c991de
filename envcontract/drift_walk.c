/* envcontract/drift_walk.c: folders → files, in the order of their names, each to its reader. */
#include "envcontract/drift_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* What others made: installed, built, versioned. */
static const char *const skipped_folders[] = {
    ".git",        ".hg",         ".svn",        "node_modules",  "venv",          ".venv",
    "__pycache__", "build",       "dist",        "target",        "site-packages", ".tox",
    ".nox",        ".mypy_cache", ".ruff_cache", ".pytest_cache", ".next",         ".terraform"};

enum { BINARY_LOOK_BYTES = 8 * 1024 };

static const struct {
    const char *ending;
    drift_reader *reader;
} endings[] = {
    {".py", drift_read_python},
    {".pyw", drift_read_python},
    {".js", drift_read_script},
    {".mjs", drift_read_script},
    {".cjs", drift_read_script},
    {".jsx", drift_read_script},
    {".ts", drift_read_script},
    {".mts", drift_read_script},
    {".cts", drift_read_script},
    {".tsx", drift_read_script},
    {".sh", drift_read_shell},
    {".bash", drift_read_shell},
    {".ksh", drift_read_shell},
    {".zsh", drift_read_shell},
    {".yaml", drift_read_yaml},
    {".yml", drift_read_yaml},
    {".env", drift_read_dotenv},
    {".dockerfile", drift_read_dockerfile},
    {".Dockerfile", drift_read_dockerfile},
};

drift_reader *drift_reader_by_name(const char *name)
{
    if (str_eq(name, "Dockerfile") || str_starts(name, "Dockerfile.") ||
        str_eq(name, "Containerfile") || str_starts(name, "Containerfile."))
        return drift_read_dockerfile;
    if (str_eq(name, ".envrc"))
        return drift_read_shell; /* direnv's: a script */
    if (str_starts(name, ".env.") || str_eq(name, ".env"))
        return drift_read_dotenv;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (str_ends(name, endings[i].ending))
            return endings[i].reader;
    return NULL;
}

drift_reader *drift_reader_by_text(const char *text, size_t length)
{
    static const struct {
        const char *word;
        drift_reader *reader;
    } programs[] = {{"python", drift_read_python}, {"node", drift_read_script},
                    {"bash", drift_read_shell},    {"dash", drift_read_shell},
                    {"ash", drift_read_shell},     {"zsh", drift_read_shell},
                    {"ksh", drift_read_shell},     {"sh", drift_read_shell}};
    const char *end = memchr(text, '\n', length);
    size_t line = end ? (size_t)(end - text) : length;

    if (line < 2 || text[0] != '#' || text[1] != '!')
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(programs); i++)
        if (memmem(text, line, programs[i].word, strlen(programs[i].word)))
            return programs[i].reader;
    return NULL;
}

/* ---- one file ------------------------------------------------------------------------------- */

static void warn(struct drift *d, const char *path, unsigned line, const char *hint,
                 const char *format, ...) PRINTF(5, 6);
static void warn(struct drift *d, const char *path, unsigned line, const char *hint,
                 const char *format, ...)
{
    const struct contract_position place = {.file = path, .line = line, .column = line ? 1 : 0};
    va_list args;

    if (++d->warnings > DRIFT_MAX_SHOWN)
        return; /* how many there are is said at the end */
    va_start(args, format);
    findings_addv(d->findings, FINDING_WARNING, NULL, "drift", &place, hint, format, args);
    va_end(args);
}

static void say_what_is_not_known(struct drift *d)
{
    d->all_computed += d->computed;
    const char *hint =
        "Which it is cannot be known from the text: write names where they are read.";
    if (d->computed == 1)
        warn(d, d->file, d->computed_line, hint, "computed name: not known");
    else if (d->computed > 1)
        warn(d, d->file, d->computed_line, hint,
             "computed names: not known; this is the first of %zu in the file", d->computed);
    if (d->unseen)
        warn(d, d->file, d->unseen_line, "Its names are not looked for.", "%s: not known",
             d->unseen);
}

void drift_read_text(struct drift *d, drift_reader *reader, const char *path, const char *text,
                     size_t length)
{
    size_t mark = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* of UTF-8 */

    d->file = path;
    d->text = text + mark;
    d->length = length - mark;
    d->line_start = 0;
    d->line_at = 1;
    d->computed = 0;
    d->unseen = NULL;
    d->files++;
    reader(d);
    say_what_is_not_known(d);
}

/* FD's bytes into d->buffer. -1: errno. */
static ssize_t read_whole(struct drift *d, int fd)
{
    size_t length = 0;

    while (length < DRIFT_MAX_FILE_BYTES) {
        ssize_t n = read(fd, d->buffer + length, DRIFT_MAX_FILE_BYTES - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        length += (size_t)n;
    }
    d->buffer[length] = '\0';
    return (ssize_t)length;
}

/* A file of folder FD. What cannot be read is said, and the others are read. */
static void read_file(struct drift *d, int folder, const char *name, const char *path)
{
    drift_reader *reader = drift_reader_by_name(name);
    struct stat st;

    if (!reader && strchr(name, '.'))
        return;
    AUTO_FD fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (reader)
            warn(d, path, 0, NULL, "could not be read: %s", strerrordesc_np(errno));
        return;
    }
    if (!S_ISREG(st.st_mode))
        return;
    if (st.st_size > DRIFT_MAX_FILE_BYTES) {
        if (reader)
            warn(d, path, 0, NULL, "is longer than %d bytes: not read", DRIFT_MAX_FILE_BYTES);
        return;
    }
    ssize_t length = read_whole(d, fd);
    if (length < 0) {
        warn(d, path, 0, NULL, "could not be read: %s", strerrordesc_np(errno));
        return;
    }
    size_t look = length < BINARY_LOOK_BYTES ? (size_t)length : BINARY_LOOK_BYTES;
    if (memchr(d->buffer, '\0', look))
        return;
    if (!reader)
        reader = drift_reader_by_text(d->buffer, (size_t)length);
    if (reader)
        drift_read_text(d, reader, path, d->buffer, (size_t)length);
}

/* ---- folders -------------------------------------------------------------------------------- */

struct listing {
    char **names;
    size_t count, capacity;
};

static void listing_release(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the folder FD, sorted: what is found does not hang on the file system's order. -1:
 * errno, 0 for no memory. */
static int list_folder(int fd, struct listing *out)
{
    int own = openat(fd, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    DIR *folder = own < 0 ? NULL : fdopendir(own);

    if (!folder) {
        if (own >= 0)
            (void)close(own); /* only read */
        return -1;
    }
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(folder)); errno = 0) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        char *name = mem_dup(entry->d_name);
        if (!name || mem_grow(&out->names, out->count, &out->capacity, sizeof(char *)) != 0) {
            free(name);
            (void)closedir(folder); /* only read */
            errno = 0;
            return -1;
        }
        out->names[out->count++] = name;
    }
    int error = errno;
    (void)closedir(folder); /* only read */
    errno = error;
    if (error != 0)
        return -1;
    if (out->count > 1)
        qsort(out->names, out->count, sizeof(char *), compare_names);
    return 0;
}

static bool is_skipped(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(skipped_folders); i++)
        if (str_eq(name, skipped_folders[i]))
            return true;
    return false;
}

static void walk(struct drift *d, int fd, const char *path, unsigned depth);

static void walk_below(struct drift *d, int folder, const char *name, const char *path,
                       unsigned depth)
{
    if (is_skipped(name))
        return;
    if (depth >= DRIFT_MAX_DEPTH) {
        warn(d, path, 0, NULL, "lies more than %d folders deep: not read", DRIFT_MAX_DEPTH);
        return;
    }
    AUTO_FD fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        warn(d, path, 0, NULL, "could not be read: %s", strerrordesc_np(errno));
    else
        walk(d, fd, path, depth + 1);
}

/* As deep as DRIFT_MAX_DEPTH allows. */
static void walk(struct drift *d, int fd, const char *path, unsigned depth)
{
    CLEANUP(listing_release) struct listing listing = {0};
    struct stat st;

    if (list_folder(fd, &listing) != 0) {
        d->no_memory = d->no_memory || errno == 0 || errno == ENOMEM;
        if (!d->no_memory)
            warn(d, path, 0, NULL, "could not be read: %s", strerrordesc_np(errno));
        return;
    }
    for (size_t i = 0; i < listing.count && !d->no_memory; i++) {
        const char *name = listing.names[i];
        char *below = str_eq(path, ".") ? arena_dup(&d->arena, name)
                                        : arena_printf(&d->arena, "%s/%s", path, name);
        if (!below)
            d->no_memory = true;
        else if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            warn(d, below, 0, NULL, "could not be read: %s", strerrordesc_np(errno));
        else if (S_ISDIR(st.st_mode))
            walk_below(d, fd, name, below, depth);
        else if (S_ISREG(st.st_mode))
            read_file(d, fd, name, below);
    }
}

int drift_walk(struct drift *d, const char *folder, struct err *err)
{
    AUTO_FD fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

    if (fd < 0) {
        (void)err_errno(err, ERR_FILE, "--drift: open the folder '%s'", folder);
        (void)err_hint(err, "Name a folder: every file below it is read.");
        return err_at(err, folder, 0, 0);
    }
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    char *path = arena_dup_n(&d->arena, folder, length);
    if (!path)
        return err_nomem(err);
    walk(d, fd, path, 0);
    return d->no_memory ? err_nomem(err) : 0;
}
