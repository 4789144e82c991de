/* migrations/config.c: where Alembic would look for revision files.
 *
 * alembic.ini wins option by option; what it lacks comes from the working folder's pyproject.toml,
 * [tool.alembic]. Source: Alembic's documentation, "Tutorial" (pyproject.toml, path_separator), and
 * its behaviour (1.16 to 1.20). */
#include "migrations/internal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static const char ini_section[] = "alembic";
static const char toml_name[] = "pyproject.toml";
static const char ini_name[] = "alembic.ini";

enum { WANT_SCRIPT, WANT_VERSIONS, WANT_RECURSIVE, WANT_SOURCELESS, WANT_COUNT };

static const char *const option_names[WANT_COUNT] = {
    [WANT_SCRIPT] = "script_location",
    [WANT_VERSIONS] = "version_locations",
    [WANT_RECURSIVE] = "recursive_version_locations",
    [WANT_SOURCELESS] = "sourceless",
};

/* Both files, as far as they are there. */
struct sources {
    struct arena *arena;
    const char *working_folder; /* Alembic's; absolute */
    const char *process_folder; /* ours: where the paths of files start */
    const char *ini_path, *toml_path, *toml_here;
    struct ini *ini;
    struct toml_wanted toml[WANT_COUNT];
};

static const char advice[] =
    "Name the folder of the revision files in the contract (\"stamp\": {\"dir\": ...}), or let "
    "Alembic answer (\"heads\": [\"alembic\", \"heads\"]).";

/* ---- paths ------------------------------------------------------------------------------------------- */

int config_working_folder(struct arena *a, const char **out, struct err *err)
{
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here))
        return err_errno(err, ERR_FILE, "find the working folder");
    *out = arena_dup(a, here);
    if (*out)
        return 0;
    (void)err_nomem(err);
    return -1;
}

/* FOLDER/PATH without empty and `.` steps, `..` kept, as pathlib joins. NULL: no memory. */
static const char *absolute(struct arena *a, const char *folder, const char *path)
{
    size_t room = strlen(folder) + strlen(path) + 3;
    char *out = arena_new(a, room, 1), *at = out;
    if (!out)
        return NULL;
    const char *parts[] = {*path == '/' ? "" : folder, path};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (const char *p = parts[i]; *p;) {
            size_t length = strcspn(p, "/");
            if (length > 0 && !(length == 1 && *p == '.')) {
                *at++ = '/';
                memcpy(at, p, length);
                at += length;
            }
            p += length + (p[length] == '/');
        }
    }
    if (at == out)
        *at = '/';
    return out;
}

const char *config_shorten(const char *path, const char *working_folder)
{
    size_t length = strlen(working_folder);
    if (str_starts(path, working_folder) && path[length] == '/' && path[length + 1])
        return path + length + 1;
    return path;
}

static const char *parent_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path ? arena_dup_n(a, path, (size_t)(slash - path)) : "/";
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* ---- reading the two files ------------------------------------------------------------------------------ */

static int read_ini(struct sources *s, const char *path, struct err *err)
{
    AUTO_BUF text = BUF_INIT(CONFIG_MAX_BYTES);
    const char *full = absolute(s->arena, s->process_folder, path);
    if (file_read_all(path, &text, err) < 0)
        return err_wrap(err, "Alembic's settings");
    const char *kept = arena_dup_n(s->arena, buf_text(&text), text.len);
    const char *here = full ? parent_of(s->arena, full) : NULL;
    if (!kept || !here)
        return err_nomem(err);
    s->ini_path = path;
    return ini_parse(s->arena, path, kept, text.len, here, &s->ini, err);
}

static int read_toml(struct sources *s, const char *path, struct err *err)
{
    AUTO_BUF text = BUF_INIT(CONFIG_MAX_BYTES);
    const char *full = absolute(s->arena, s->process_folder, path);
    if (file_read_all(path, &text, err) < 0)
        return err_wrap(err, "Alembic's settings");
    s->toml_here = full ? parent_of(s->arena, full) : NULL;
    if (!s->toml_here)
        return err_nomem(err);
    s->toml_path = path;
    return toml_read(s->arena, path, buf_text(&text), text.len, s->toml, WANT_COUNT, err);
}

static int read_sources(struct sources *s, const char *path, struct err *err)
{
    bool is_toml = str_eq(base_name(path), toml_name);
    const char *other = absolute(s->arena, s->working_folder, is_toml ? ini_name : toml_name);
    if (!other)
        return err_nomem(err);
    other = config_shorten(other, s->process_folder);
    for (size_t i = 0; i < WANT_COUNT; i++)
        s->toml[i].name = option_names[i];
    if ((is_toml ? read_toml(s, path, err) : read_ini(s, path, err)) < 0)
        return -1;
    if (!is_there(other))
        return 0;
    return is_toml ? read_ini(s, other, err) : read_toml(s, other, err);
}

/* ---- options ------------------------------------------------------------------------------------------ */

static int toml_wrong(const struct sources *s, const struct toml_wanted *w, const char *what,
                      struct err *err)
{
    (void)err_set(err, ERR_FILE, "%s:%u: %s %s", s->toml_path, w->value.line, w->name, what);
    return err_at(err, s->toml_path, w->value.line, 0);
}

/* Alembic puts TOML's texts through Python's `%` with `here` as the only name. */
static int format_text(const struct sources *s, const struct toml_wanted *w, const char *text,
                       const char **out, struct err *err)
{
    static const char here[] = "%(here)s";
    AUTO_BUF made = BUF_INIT(CONFIG_MAX_BYTES);
    while (*text) {
        size_t plain = strcspn(text, "%");
        buf_add(&made, text, plain);
        text += plain;
        if (str_starts(text, "%%")) {
            buf_addc(&made, '%');
            text += 2;
        } else if (str_starts(text, here)) {
            buf_adds(&made, s->toml_here);
            text += sizeof here - 1;
        } else if (*text) {
            return toml_wrong(s, w, "has a `%` that is neither `%%` nor `%(here)s`", err);
        }
    }
    if (buf_check(&made, ERR_FILE, w->name, err) < 0)
        return -1;
    *out = arena_dup(s->arena, buf_text(&made));
    if (*out)
        return 0;
    (void)err_nomem(err);
    return -1;
}

/* *value is NULL when neither file has it. */
static int get_text(const struct sources *s, int option, const char **value, struct err *err)
{
    const struct toml_wanted *w = &s->toml[option];
    if (ini_get(s->arena, s->ini, ini_section, option_names[option], value, err) < 0)
        return -1;
    if (*value || w->value.kind == TOML_ABSENT)
        return 0;
    if (w->value.kind != TOML_TEXT)
        return toml_wrong(s, w, "is not a string", err);
    return format_text(s, w, w->value.text, value, err);
}

/* In the ini exactly `true`, in TOML a boolean; as Alembic has it. */
static int get_boolean(const struct sources *s, int option, bool *value, struct err *err)
{
    const struct toml_wanted *w = &s->toml[option];
    const char *text;
    if (ini_get(s->arena, s->ini, ini_section, option_names[option], &text, err) < 0)
        return -1;
    if (!text && w->value.kind != TOML_ABSENT && w->value.kind != TOML_BOOLEAN)
        return toml_wrong(s, w, "is not true or false", err);
    *value = text ? str_eq(text, "true") : w->value.boolean;
    return 0;
}

/* ---- version_locations ----------------------------------------------------------------------------------- */

struct folder_list {
    const char **paths;
    size_t count;
};

static int add_folder(const struct sources *s, struct folder_list *list, const char *start,
                      size_t length, struct err *err)
{
    const char *path = arena_dup_n(s->arena, start, length);
    if (!path)
        return err_nomem(err);
    if (*path != '/' && strchr(path, ':')) {
        (void)err_set(
            err, ERR_FILE,
            "version_locations: '%s' is a Python package's folder: where it is depends on "
            "Python's import path",
            path);
        return err_hint(err, "%s", advice);
    }
    list->paths[list->count] = absolute(s->arena, s->working_folder, path);
    return list->paths[list->count++] ? 0 : err_nomem(err);
}

/* The separator that the ini asks for: ' ', '\n', ':', ';', or '\0' for none (blanks and commas). */
static int get_separator(const struct sources *s, char *separator, struct err *err)
{
    static const char *const options[] = {"path_separator", "version_path_separator"};
    static const struct {
        const char *name;
        char separator;
    } known[] = {{"os", ':'}, {"space", ' '}, {"newline", '\n'}, {":", ':'}, {";", ';'}};
    const char *name = NULL;
    size_t option = 0;
    *separator = '\0';
    for (; option < ARRAY_LEN(options); option++) {
        if (ini_get(s->arena, s->ini, ini_section, options[option], &name, err) < 0)
            return -1;
        if (name)
            break;
    }
    if (!name)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_eq(known[i].name, name)) {
            *separator = known[i].separator;
            return 0;
        }
    }
    (void)err_set(err, ERR_FILE, "%s: %s is '%s', not one of space, newline, os, :, ;", s->ini_path,
                  options[option], name);
    return err_at(err, s->ini_path, 0, 0);
}

/* One separator of the old way: `, *` or blanks. Its length at P, or 0. */
static size_t old_separator(const char *p)
{
    return *p == ',' ? 1 + strspn(p + 1, " ") : strspn(p, " ");
}

static int split_locations(const struct sources *s, const char *text, struct folder_list *list,
                           struct err *err)
{
    char separator;
    list->paths = arena_new(s->arena, strlen(text) + 2, sizeof *list->paths);
    if (!list->paths)
        return err_nomem(err);
    if (get_separator(s, &separator, err) < 0)
        return -1;
    const char *start = text, *p = text;
    for (;; p++) {
        size_t width = *p == '\0'          ? 0
                       : separator == '\0' ? old_separator(p)
                                           : (size_t)(*p == separator);
        if (*p && width == 0)
            continue;
        const char *part = start;
        size_t length = (size_t)(p - start);
        bool wanted = separator == '\0' || length > 0; /* the old way keeps empty parts: "." */
        if (separator != '\0')
            str_trim(&part, &length);
        if (wanted && add_folder(s, list, part, length, err) < 0)
            return -1;
        if (!*p)
            return 0;
        start = p + width;
        p = start - 1;
    }
}

/* list->count 0: not given. */
static int get_locations(const struct sources *s, struct folder_list *list, struct err *err)
{
    const struct toml_wanted *w = &s->toml[WANT_VERSIONS];
    const char *text;
    if (ini_get(s->arena, s->ini, ini_section, w->name, &text, err) < 0)
        return -1;
    if (text && *text)
        return split_locations(s, text, list, err);
    if (w->value.kind == TOML_ABSENT)
        return 0;
    if (w->value.kind != TOML_TEXTS)
        return toml_wrong(s, w, "is not a list of strings", err);
    list->paths = arena_new(s->arena, w->value.count + 1, sizeof *list->paths);
    if (!list->paths)
        return err_nomem(err);
    for (size_t i = 0; i < w->value.count; i++) {
        const char *path = "";
        if (format_text(s, w, w->value.texts[i], &path, err) < 0 ||
            add_folder(s, list, path, strlen(path), err) < 0)
            return -1;
    }
    return 0;
}

/* ---- script_location ------------------------------------------------------------------------------------ */

static int no_script_location(const struct sources *s, struct err *err)
{
    const char *path = s->ini_path ? s->ini_path : s->toml_path;
    (void)err_set(err, ERR_FILE, "%s%s%s: no script_location", path,
                  s->ini_path && s->toml_path ? " and " : "",
                  s->ini_path && s->toml_path ? s->toml_path : "");
    (void)err_hint(err, "It belongs in [alembic] of alembic.ini or in [tool.alembic] of "
                        "pyproject.toml, and is the folder that env.py is in.");
    return err_at(err, path, 0, 0);
}

/* Where the files are when no version_locations say so: <script_location>/versions. */
static int default_location(const struct sources *s, bool needed, struct folder_list *list,
                            struct err *err)
{
    const char *location;
    if (get_text(s, WANT_SCRIPT, &location, err) < 0)
        return -1;
    if (!location)
        return no_script_location(s, err);
    bool package = *location != '/' && strchr(location, ':');
    if (package && !needed)
        return 0; /* only env.py lies there */
    if (package) {
        (void)err_set(err, ERR_FILE,
                      "script_location '%s' is a Python package's folder: where it is depends on "
                      "Python's import path",
                      location);
        return err_hint(err, "%s", advice);
    }
    const char *folder = absolute(s->arena, s->working_folder, location);
    if (!folder)
        return err_nomem(err);
    if (!is_there(folder)) {
        (void)err_errno(err, ERR_FILE, "script_location '%s'", folder);
        (void)err_hint(err, "A relative script_location starts at the working folder, not at the "
                            "file; %%(here)s is the file's folder.");
        return err_at(err, s->ini_path ? s->ini_path : s->toml_path, 0, 0);
    }
    if (!needed)
        return 0;
    list->paths = arena_new(s->arena, 1, sizeof *list->paths);
    if (!list->paths)
        return err_nomem(err);
    list->paths[0] = absolute(s->arena, folder, "versions");
    list->count = 1;
    return list->paths[0] ? 0 : err_nomem(err);
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

static int set_one_folder(struct arena *a, const char *base, const char *path, struct config *out,
                          struct err *err)
{
    const char **paths = arena_new(a, 1, sizeof *paths);
    const char *whole = absolute(a, base, path);
    if (!paths || !whole) {
        (void)err_nomem(err);
        return -1;
    }
    paths[0] = whole;
    out->folders = paths;
    out->folder_count = 1;
    return 0;
}

static int resolve_files(struct sources *s, const struct graph_settings *settings,
                         struct config *out, struct err *err)
{
    bool sourceless = false;
    struct folder_list list = {0};
    if (read_sources(s, settings->path, err) < 0 ||
        get_boolean(s, WANT_RECURSIVE, &out->recursive, err) < 0 ||
        get_boolean(s, WANT_SOURCELESS, &sourceless, err) < 0)
        return -1;
    if (sourceless) {
        (void)err_set(err, ERR_FILE, "%s: sourceless is true: compiled revisions can't be read",
                      settings->path);
        return err_hint(err, "Let Alembic answer: \"heads\": [\"alembic\", \"heads\"].");
    }
    if (out->folder_count > 0)
        return 0; /* the caller named the folder */
    if (get_locations(s, &list, err) < 0 || default_location(s, list.count == 0, &list, err) < 0)
        return -1;
    out->folders = list.paths;
    out->folder_count = list.count;
    return 0;
}

/* A script folder in place of a file of settings. */
static int resolve_folder(struct arena *a, const char *here, const char *path, struct config *out,
                          struct err *err)
{
    const char *folder = absolute(a, here, path);
    const char *env = folder ? absolute(a, folder, "env.py") : NULL;
    if (!env || set_one_folder(a, folder, "versions", out, err) < 0)
        return err_nomem(err);
    if (is_there(out->folders[0]) || is_there(env))
        return 0;
    (void)err_set(err, ERR_FILE, "'%s' is no script folder: neither 'versions' nor 'env.py' in it",
                  path);
    (void)err_hint(err, "Name the folder that env.py is in, alembic.ini or pyproject.toml.");
    return err_at(err, path, 0, 0);
}

int config_resolve(struct arena *a, const struct graph_settings *settings, struct config *out,
                   struct err *err)
{
    struct config made = {0};
    struct sources s = {.arena = a, .process_folder = ""};
    struct stat st;
    if (config_working_folder(a, &s.process_folder, err) < 0)
        return -1;
    const char *here = s.process_folder;
    s.working_folder = absolute(a, here, settings->working_folder ? settings->working_folder : "");
    if (!s.working_folder)
        return err_nomem(err);
    if (settings->versions) {
        made.must_exist = true;
        if (set_one_folder(a, here, settings->versions, &made, err) < 0)
            return -1;
    }
    if (settings->path && stat(settings->path, &st) != 0) {
        (void)err_errno(err, ERR_FILE, "open '%s'", settings->path);
        return err_at(err, settings->path, 0, 0);
    }
    if (settings->path && !S_ISDIR(st.st_mode)) {
        if (resolve_files(&s, settings, &made, err) < 0)
            return -1;
    } else if (!settings->versions &&
               resolve_folder(a, here, settings->path ? settings->path : ".", &made, err) < 0) {
        return -1;
    }
    *out = made;
    return 0;
}
