/* migrations/load.c: the revision files of a project, found as Alembic finds them and read. */
#include "migrations/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    LOAD_MAX_DEPTH = 64,          /* folders below a recursive version location */
    LOAD_FIRST_BYTES = 64 * 1024, /* the read buffer at first */
};

struct file {
    const char *folder, *name;
    const char *real; /* resolved path: a file that is reached twice is loaded once */
    size_t order;
    bool again;
};

struct loader {
    struct arena *arena;
    struct graph_build *build;
    const struct config *config;
    const char *here; /* the process's working folder */
    struct file *files;
    size_t file_count, file_capacity;
    char *text; /* the read buffer */
    size_t text_capacity;
    struct pyfile_space space;
};

static void loader_release(struct loader *l)
{
    free(l->files);
    free(l->text);
    pyfile_space_release(&l->space);
}

#define AUTO_LOADER CLEANUP(loader_release) struct loader

/* ---- finding ------------------------------------------------------------------------------------------ */

struct name_list {
    const char **names;
    size_t count, capacity;
};

static void name_list_release(struct name_list *list)
{
    free(list->names);
}

static void auto_closedir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir); /* nothing was written */
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_names(struct name_list *list)
{
    if (list->count > 1) /* qsort takes no NULL */
        qsort(list->names, list->count, sizeof *list->names, compare_names);
}

static int add_name(struct loader *l, struct name_list *list, const char *name, struct err *err)
{
    const char *copy = arena_dup(l->arena, name);
    if (!copy || mem_grow(&list->names, list->count, &list->capacity, sizeof *list->names) < 0)
        return err_nomem(err);
    list->names[list->count++] = copy;
    return 0;
}

/* Whether an entry is a folder. A link to one is not walked into, and is no file either. */
static bool is_folder(int fd, const struct dirent *entry, bool *link)
{
    struct stat st;
    *link = entry->d_type == DT_LNK;
    if (entry->d_type != DT_UNKNOWN && !*link)
        return entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return false; /* it went away: the read will say so */
        *link = S_ISLNK(st.st_mode);
    }
    return fstatat(fd, entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int add_file(struct loader *l, const char *folder, const char *real_folder, const char *name,
                    bool link, struct err *err)
{
    char resolved[PATH_MAX];
    const char *real = NULL;
    if (link && snprintf(resolved, sizeof resolved, "%s/%s", folder, name) < (int)sizeof resolved) {
        AUTO_FREE char *target = realpath(resolved, NULL);
        if (!target && errno == ENOMEM)
            return err_nomem(err);
        real = target ? arena_dup(l->arena, target) : NULL;
    }
    if (!real)
        real = arena_printf(l->arena, "%s/%s", real_folder, name);
    if (!real || mem_grow(&l->files, l->file_count, &l->file_capacity, sizeof *l->files) < 0)
        return err_nomem(err);
    l->files[l->file_count] = (struct file){
        .folder = folder, .name = name, .real = real, .order = l->file_count};
    l->file_count++;
    return 0;
}

/* Alembic judges the name of the file itself, not that of a link to it. */
static bool is_revision_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return str_ends(name, ".py") && !str_starts(name, ".#") && !str_starts(name, "__init__");
}

static int unreadable(struct loader *l, const char *path, struct err *err)
{
    int why = errno;
    if (why == EMFILE || why == ENFILE || why == ENOMEM) {
        errno = why;
        return err_errno(err, ERR_RESOURCE, "read '%s'", path);
    }
    return graph_add_error(l->build->graph, GRAPH_UNREADABLE, config_shorten(path, l->here), 0, err,
                           "%s: %s", config_shorten(path, l->here), strerror(why));
}

static int find_in(struct loader *l, const char *folder, const char *real, unsigned depth,
                   struct err *err);

static int find_below(struct loader *l, const char *folder, const char *real,
                      const struct name_list *folders, unsigned depth, struct err *err)
{
    for (size_t i = 0; i < folders->count; i++) {
        const char *inner = arena_printf(l->arena, "%s/%s", folder, folders->names[i]);
        const char *inner_real = arena_printf(l->arena, "%s/%s", real, folders->names[i]);
        if (!inner || !inner_real)
            return err_nomem(err);
        if (find_in(l, inner, inner_real, depth + 1, err) < 0)
            return -1;
    }
    return 0;
}

/* The files of a folder in the order of their names, then those of the folders in it. */
static int find_in(struct loader *l, const char *folder, const char *real, unsigned depth,
                   struct err *err)
{
    CLEANUP(name_list_release) struct name_list files = {0}, folders = {0}, links = {0};
    CLEANUP(auto_closedir) DIR *dir = opendir(folder);
    if (!dir || depth > LOAD_MAX_DEPTH) {
        errno = dir ? ELOOP : errno;
        return unreadable(l, folder, err);
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        bool link, is_dir = is_folder(dirfd(dir), entry, &link);
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") || (is_dir && link))
            continue;
        if (!is_dir && !link && !is_revision_name(entry->d_name))
            continue;
        if (add_name(l, is_dir ? &folders : &files, entry->d_name, err) < 0 ||
            (link && add_name(l, &links, entry->d_name, err) < 0))
            return -1;
    }
    if (errno != 0)
        return unreadable(l, folder, err);
    sort_names(&files);
    sort_names(&folders);
    sort_names(&links);
    for (size_t i = 0, at = 0; i < files.count && !str_ends(folder, "__pycache__"); i++) {
        bool link = at < links.count && str_eq(links.names[at], files.names[i]);
        at += link;
        if (add_file(l, folder, real, files.names[i], link, err) < 0)
            return -1;
    }
    return l->config->recursive ? find_below(l, folder, real, &folders, depth, err) : 0;
}

static int compare_real(const void *a, const void *b)
{
    const struct file *left = a, *right = b;
    int by_path = strcmp(left->real, right->real);
    return by_path ? by_path : (left->order > right->order) - (left->order < right->order);
}

static int compare_order(const void *a, const void *b)
{
    const struct file *left = a, *right = b;
    return (left->order > right->order) - (left->order < right->order);
}

/* A file that is reached twice counts where it was met first. */
static void mark_repeated(struct loader *l)
{
    if (l->file_count == 0)
        return;
    qsort(l->files, l->file_count, sizeof *l->files, compare_real);
    for (size_t i = 1; i < l->file_count; i++)
        l->files[i].again = str_eq(l->files[i].real, l->files[i - 1].real);
    qsort(l->files, l->file_count, sizeof *l->files, compare_order);
}

static int find_files(struct loader *l, struct err *err)
{
    for (size_t i = 0; i < l->config->folder_count; i++) {
        const char *folder = l->config->folders[i];
        struct stat st;
        if (stat(folder, &st) != 0 && errno == ENOENT && !l->config->must_exist)
            continue; /* as Alembic: not there is empty */
        AUTO_FREE char *real = realpath(folder, NULL);
        if (!real && errno == ENOMEM)
            return err_nomem(err);
        if (!real) {
            (void)err_errno(err, ERR_FILE, "open the folder of revisions '%s'", folder);
            return err_at(err, folder, 0, 0);
        }
        if (!S_ISDIR(st.st_mode)) {
            (void)err_set(err, ERR_FILE, "the folder of revisions '%s' is a file", folder);
            return err_at(err, folder, 0, 0);
        }
        const char *kept = arena_dup(l->arena, real);
        if (!kept)
            return err_nomem(err);
        if (find_in(l, folder, kept, 0, err) < 0)
            return -1;
    }
    mark_repeated(l);
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static int grow_text(struct loader *l, size_t wanted)
{
    size_t capacity = l->text_capacity ? l->text_capacity : LOAD_FIRST_BYTES;
    while (capacity < wanted)
        capacity *= 2;
    if (capacity == l->text_capacity)
        return 0;
    char *text = realloc(l->text, capacity);
    if (!text)
        return -1;
    l->text = text;
    l->text_capacity = capacity;
    return 0;
}

/* The file's bytes into l->text. 0, or -1 with errno; EFBIG when it is too long. */
static int read_text(struct loader *l, int folder_fd, const char *name, size_t *length)
{
    AUTO_FD fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    size_t size = st.st_size > 0 ? (size_t)st.st_size : 0, n = 0;
    if (size > GRAPH_FILE_MAX_BYTES) {
        errno = EFBIG;
        return -1;
    }
    for (;;) {
        if (grow_text(l, (size > n ? size : n) + 1) < 0) {
            errno = ENOMEM;
            return -1;
        }
        ssize_t got = read(fd, l->text + n, l->text_capacity - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        n += (size_t)got;
        if (n > GRAPH_FILE_MAX_BYTES) {
            errno = EFBIG;
            return -1;
        }
        if (got == 0 || n == size) {
            *length = n;
            return 0;
        }
    }
}

int graph_add_error(struct graph *graph, enum graph_error_kind kind, const char *file,
                    unsigned line, struct err *err, const char *format, ...)
{
    struct graph_memory *m = graph->memory;
    va_list args;
    char text[ERR_TEXT_BYTES];
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): begun in the line before */
    (void)vsnprintf(text, sizeof text, format, args); /* cut where it is longer */
    va_end(args);
    const char *message = arena_dup(&m->arena, text);
    const char *name = file ? arena_dup(&m->arena, file) : NULL;
    if (!message || (file && !name) ||
        mem_grow(&graph->errors, graph->error_count, &m->error_capacity, sizeof *graph->errors) < 0)
        return err_nomem(err);
    graph->errors[graph->error_count++] = (struct graph_error){
        .kind = kind, .message = message, .file = name, .line = line};
    return 0;
}

/* ---- what a file says --------------------------------------------------------------------------------------- */

/* A revision file that was read. */
struct reading {
    struct loader *loader;
    struct graph_source *source;
    const struct pyfile *py;
    const char *file;
    struct err *err;
};

static int complain(const struct reading *r, enum graph_error_kind kind, unsigned line,
                    const char *what, const char *why)
{
    r->source->broken = true;
    return graph_add_error(r->loader->build->graph, kind, r->file, line, r->err, "%s:%u: %s: %s%s",
                           r->file, line ? line : 1, what, why,
                           kind == GRAPH_COMPUTED ? ": only running Python tells what it is" : "");
}

/* A value that is no constant of the right type. */
static int complain_of_value(const struct reading *r, enum py_variable v)
{
    const struct py_value *value = &r->py->values[v];
    return complain(r, value->kind == PY_COMPUTED ? GRAPH_COMPUTED : GRAPH_UNREADABLE, value->line,
                    py_variable_names[v], value->why);
}

/* None, a string or a list of strings → a NULL-terminated list. */
static int take_list(const struct reading *r, enum py_variable v, const char *const **out)
{
    static const char *const nothing[] = {NULL};
    const struct py_value *value = &r->py->values[v];
    *out = nothing;
    if (value->kind == PY_COMPUTED || value->kind == PY_WRONG)
        return complain_of_value(r, v);
    if (value->kind != PY_TEXT && value->kind != PY_LIST)
        return 0;
    if (value->kind == PY_LIST && value->count == 1 && !value->items[0])
        return 0; /* (None,) is None to Alembic */
    for (size_t i = 0; i < value->count; i++) {
        if (!value->items[i])
            return complain(r, GRAPH_UNREADABLE, value->line, py_variable_names[v],
                            "there is a None in it");
    }
    *out = value->items;
    return 0;
}

/* Old projects have no `revision`; their file's name is the id. */
static const char *legacy_id(struct arena *a, const char *name)
{
    size_t length = strspn(name, "0123456789abcdef");
    return length > 0 && str_eq(name + length, ".py") ? arena_dup_n(a, name, length) : NULL;
}

/* The id into source->revision.id, NULL when there is none. */
static int take_id(const struct reading *r, const char *name)
{
    const struct py_value *value = &r->py->values[PY_REVISION];
    struct revision *revision = &r->source->revision;
    revision->line = value->line;
    if (value->kind == PY_COMPUTED || value->kind == PY_WRONG)
        return complain_of_value(r, PY_REVISION);
    if (value->kind == PY_ABSENT && !r->py->trouble)
        revision->id = legacy_id(r->loader->arena, name);
    else if (value->kind == PY_TEXT)
        revision->id = value->items[0];
    if (r->py->trouble)
        return 0;
    if (!revision->id)
        return complain(r, GRAPH_UNREADABLE, value->line, "revision",
                        value->kind == PY_ABSENT ? "it is not set in this file"
                                                 : "it is not a string");
    if (strpbrk(revision->id, "@-+:"))
        return complain(r, GRAPH_UNREADABLE, value->line, revision->id,
                        "an identifier may not hold '@', '-', '+' or ':'");
    return 0;
}

static int take_links(const struct reading *r)
{
    struct revision *revision = &r->source->revision;
    const struct py_value *down = &r->py->values[PY_DOWN_REVISION];
    if (take_list(r, PY_DOWN_REVISION, &revision->down) < 0 ||
        take_list(r, PY_DEPENDS_ON, &revision->depends_on) < 0 ||
        take_list(r, PY_BRANCH_LABELS, &revision->branch_labels) < 0)
        return -1;
    if (down->kind == PY_ABSENT)
        return complain(r, GRAPH_UNREADABLE, revision->line, "down_revision",
                        "it is not set in this file (None for the first one)");
    r->source->empty_dependency = r->py->values[PY_DEPENDS_ON].kind == PY_TEXT &&
                                  str_eq(revision->depends_on[0], "");
    return 0;
}

static int take_file(struct loader *l, const struct file *file, size_t length, struct err *err)
{
    struct graph_build *b = l->build;
    struct pyfile py;
    const char *path = arena_printf(l->arena, "%s/%s", file->folder, file->name);
    if (!path || mem_grow(&b->sources, b->count, &b->capacity, sizeof *b->sources) < 0)
        return err_nomem(err);
    struct graph_source *source = &b->sources[b->count];
    *source = (struct graph_source){.load_index = file->order};
    struct reading r = {.loader = l,
                        .source = source,
                        .py = &py,
                        .file = config_shorten(path, l->here),
                        .err = err};
    if (pyfile_read(l->arena, &l->space, l->text, length, &py, err) < 0)
        return -1;
    source->revision.file = r.file;
    source->revision.message = py.message;
    for (int v = 0; v < PY_VARIABLES; v++)
        source->lines[v] = py.values[v].line;
    const char *slash = strrchr(file->real, '/');
    if (take_id(&r, slash ? slash + 1 : file->real) < 0)
        return -1;
    if (py.trouble && complain(&r, GRAPH_UNREADABLE, py.trouble_line, "not Python", py.trouble) < 0)
        return -1;
    if (!source->broken && take_links(&r) < 0)
        return -1;
    b->count += source->revision.id != NULL;
    return 0;
}

static int read_files(struct loader *l, struct err *err)
{
    const char *opened = NULL;
    AUTO_FD folder_fd = -1;
    for (size_t i = 0; i < l->file_count; i++) {
        const struct file *file = &l->files[i];
        size_t length = 0;
        if (file->again || !is_revision_name(file->real))
            continue;
        if (!opened || !str_eq(opened, file->folder)) {
            auto_close(&folder_fd);
            opened = file->folder;
            folder_fd = open(opened, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (folder_fd >= 0 && read_text(l, folder_fd, file->name, &length) == 0) {
            if (take_file(l, file, length, err) < 0)
                return -1;
            continue;
        }
        int why = errno;
        const char *path = arena_printf(l->arena, "%s/%s", file->folder, file->name);
        if (!path)
            return err_nomem(err);
        errno = why;
        if (unreadable(l, path, err) < 0)
            return -1;
    }
    return 0;
}

int load_revisions(struct graph_build *build, const struct config *config, struct err *err)
{
    AUTO_LOADER l = {.arena = &build->graph->memory->arena, .build = build, .config = config};
    if (config_working_folder(l.arena, &l.here, err) < 0 || find_files(&l, err) < 0)
        return -1;
    return read_files(&l, err);
}
