/* agent/cmd_docs.c: `agent docs`: what is derived from the contract, written or compared.
 *
 * Every file is made before the first is written, so that a file which cannot be made leaves all of
 * them as they were. Nothing is run and nobody is asked. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/cmd.h"
#include "agent/job.h"
#include "base/annotate.h"
#include "base/diff.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    DOCS_FILE_MODE = 0644, /* documents for all to read: nothing of them is secret */
    DOCS_FOLDER_MODE = 0755,
};

static bool docs_compare, docs_schema;
static const char *docs_format;

static const struct opt docs_options[] = {
    {"--check", 0, OPT_FLAG, NULL, NULL, "write nothing: compare with what is there",
     &docs_compare},
    {"--schema", 0, OPT_FLAG, NULL, NULL, "print the contract's JSON Schema, and that alone",
     &docs_schema},
    {"--format", 0, OPT_CHOICE, "FORMAT", "text|json|github", "how to say what was done",
     &docs_format},
    {0},
};

/* One file, as it is and as it is to be. */
struct page {
    char *path; /* from the working folder */
    struct buf old, text;
    bool there, changed;
    mode_t mode;
};

struct pages {
    struct page *list;
    size_t count;
};

static void pages_release(struct pages *pages)
{
    for (size_t i = 0; i < pages->count; i++) {
        free(pages->list[i].path);
        buf_release(&pages->list[i].old);
        buf_release(&pages->list[i].text);
    }
    free(pages->list);
}

#define AUTO_PAGES CLEANUP(pages_release) struct pages

/* ---- the migrations ---------------------------------------------------------------------------- */

/* TO as it is seen from FROM, both absolute and without links: "../versions/a.py". */
static const char *relative_path(struct arena *arena, const char *from, const char *to)
{
    AUTO_BUF out = BUF_INIT((size_t)2 * PATH_MAX);
    size_t same = 0;

    for (size_t i = 0;; i++) {
        bool from_ends = from[i] == '/' || from[i] == '\0', to_ends = to[i] == '/';
        if (from_ends && to_ends)
            same = i;
        if (from[i] != to[i] || from[i] == '\0')
            break;
    }
    for (const char *c = from + same; *c; c++)
        buf_adds(&out, *c == '/' && c[1] ? "../" : "");
    buf_adds(&out, to + same + 1);
    return out.no_memory || out.too_long ? NULL : arena_dup(arena, buf_text(&out));
}

/* A path that is the same wherever the command was started. */
static const char *path_from_contract(const struct job *job, struct arena *arena, const char *path)
{
    AUTO_FREE char *folder = realpath(job->contract->folder, NULL);
    AUTO_FREE char *real = realpath(path, NULL);

    if (!folder || !real)
        return arena_dup(arena, path); /* read a moment ago: somebody took it away */
    return relative_path(arena, folder, real);
}

static int list_migrations(const struct job *job, const struct graph *graph, struct arena *arena,
                           struct docs_migrations *out, struct err *err)
{
    struct docs_migration *list = arena_new(arena, graph->count + 1, sizeof(*list));

    if (!list)
        return err_nomem(err);
    for (size_t i = 0; i < graph->count; i++) {
        const struct revision *r = &graph->revisions[graph->order[i]];
        list[i] = (struct docs_migration){.id = r->id,
                                          .message = r->message,
                                          .file = path_from_contract(job, arena, r->file),
                                          .parents = r->down,
                                          .is_head = r->is_head};
        if (!list[i].file)
            return err_nomem(err);
    }
    *out = (struct docs_migrations){
        .list = list, .count = graph->count, .heads = graph->effective_heads};
    return 0;
}

/* *GRAPH, which *OUT points into, is the caller's; NULL where there are no files to read. */
static int read_migrations(struct job *job, struct graph **graph, struct docs_migrations *out,
                           struct err *err)
{
    const struct contract_database *database = &job->contract->database;

    *out = (struct docs_migrations){.absent = "the contract names no migration files"};
    if (!database->present) {
        out->absent = "the contract has no database";
    } else if (database->plain_revision) {
        out->absent = "the stamp is a revision that the contract says, without files";
    } else if (database->heads) {
        out->absent = "database.stamp.heads asks a program for the heads, and nothing is run here";
    } else if (database->alembic) {
        if (job_graph(job, graph, err) != 0 || graph_require_sound(*graph, err) != 0)
            return -1;
        return list_migrations(job, *graph, &job->arena, out, err);
    }
    return 0;
}

/* ---- the files --------------------------------------------------------------------------------- */

static int read_present(struct page *page, struct err *err)
{
    struct stat st;

    page->mode = DOCS_FILE_MODE;
    if (lstat(page->path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        err_errno(err, ERR_FILE, "look at '%s'", page->path);
        return err_at(err, page->path, 0, 0);
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_FILE, "'%s' is %s", page->path,
                S_ISDIR(st.st_mode)   ? "a folder"
                : S_ISLNK(st.st_mode) ? "a symbolic link"
                                      : "no file");
        err_hint(err, "Documents are files: move it away, or give the document another name. "
                      "Nothing was written.");
        return err_at(err, page->path, 0, 0);
    }
    page->there = true;
    page->mode = st.st_mode & 0777;
    return file_read_all(page->path, &page->old, err);
}

static int make_page(struct job *job, const struct docs_file *file,
                     const struct docs_migrations *migrations, struct page *page, struct err *err)
{
    page->old = BUF_INIT(DOCS_FILE_MAX_BYTES);
    page->text = BUF_INIT(DOCS_FILE_MAX_BYTES);
    page->path = file_join(job->contract->folder, file->path);
    if (!page->path)
        return err_nomem(err);
    if (read_present(page, err) != 0)
        return -1;
    const struct docs_present present = {.path = page->path,
                                         .text = page->there ? buf_text(&page->old) : NULL,
                                         .length = page->old.len};
    if (docs_render(job->contract, file, migrations, &present, &page->text, err) != 0)
        return -1;
    page->changed = !page->there || page->old.len != page->text.len ||
                    memcmp(buf_text(&page->old), buf_text(&page->text), page->text.len) != 0;
    return 0;
}

static int no_docs(const struct job *job, struct err *err)
{
    err_set(err, ERR_CONTRACT, "'%s' has no docs", job->contract->path);
    return err_hint(err, "Add for example \"docs\": {\"ENVIRONMENT_CONTRACT.md\": {}, "
                         "\".env.example\": {}}.");
}

static int make_pages(struct job *job, struct pages *out, struct err *err)
{
    const struct docs_file *files;
    struct docs_migrations migrations;
    struct graph *graph = NULL;
    size_t count;
    int result = -1;

    if (docs_list(job->contract, &job->arena, &files, &count, err) != 0)
        return -1;
    if (count == 0)
        return no_docs(job, err);
    out->list = mem_new(count, sizeof(*out->list));
    if (!out->list)
        return err_nomem(err);
    if (read_migrations(job, &graph, &migrations, err) == 0)
        result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        out->count++;
        result = make_page(job, &files[i], &migrations, &out->list[i], err);
    }
    graph_free(graph);
    return result;
}

/* The folders above PATH. */
static int make_folders(const char *path, struct err *err)
{
    AUTO_FREE char *copy = mem_dup(path);

    if (!copy)
        return err_nomem(err);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(copy, DOCS_FOLDER_MODE);
        if ((made != 0 && errno != EEXIST) || (made == 0 && chmod(copy, DOCS_FOLDER_MODE) != 0))
            return err_errno(err, ERR_FILE, "make folder '%s'", copy);
        *slash = '/';
    }
    return 0;
}

static int write_pages(const struct pages *pages, struct err *err)
{
    for (size_t i = 0; i < pages->count; i++) {
        const struct page *page = &pages->list[i];
        if (!page->changed)
            continue;
        if (make_folders(page->path, err) != 0 ||
            file_replace(page->path, buf_text(&page->text), page->text.len, page->mode, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the result -------------------------------------------------------------------------------- */

static void add_paths(struct json *json, const char *key, const struct pages *pages, bool wanted,
                      bool changed)
{
    json_begin_array(json, key);
    for (size_t i = 0; i < pages->count && wanted; i++)
        if (pages->list[i].changed == changed)
            json_add_string(json, NULL, pages->list[i].path);
    json_end_array(json);
}

static int show_json(const struct pages *pages, int code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    document_begin(&json, "docs", code == 0);
    add_paths(&json, "written", pages, !docs_compare, true);
    add_paths(&json, "unchanged", pages, true, false);
    add_paths(&json, "stale", pages, docs_compare, true);
    return document_print(&json, code);
}

static int show_github(const struct pages *pages, int code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    for (size_t i = 0; i < pages->count && docs_compare; i++) {
        const struct annotation annotation = {
            .level = ANNOTATION_ERROR,
            .file = pages->list[i].path,
            .title = "agent docs",
            .message = "is not what the contract says: run agent docs again",
        };
        if (pages->list[i].changed)
            annotate_github(&annotation, &out);
    }
    return text_print(&out, code);
}

static int show_text(const struct invocation *call, const struct pages *pages, int code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    size_t stale = 0;

    for (size_t i = 0; i < pages->count; i++) {
        const struct page *page = &pages->list[i];
        struct diff_text old = {.name = page->there ? page->path : NULL,
                                .text = buf_text(&page->old),
                                .length = page->old.len};
        struct diff_text new = {
            .name = page->path, .text = buf_text(&page->text), .length = page->text.len};
        stale += page->changed ? 1 : 0;
        if (!docs_compare)
            buf_addf(&out, "%-9s  %s\n", page->changed ? "written" : "unchanged", page->path);
        else if (page->changed && diff_unified(&old, &new, &out, &err) != 0)
            return command_failed(call, &err);
    }
    if (docs_compare)
        buf_addf(&out, "%zu of %zu files %s\n", stale, pages->count,
                 stale == 1 ? "is stale" : "are stale");
    return text_print(&out, code);
}

static int show(const struct invocation *call, const struct pages *pages)
{
    int code = 0;

    for (size_t i = 0; i < pages->count && docs_compare; i++)
        if (pages->list[i].changed)
            code = err_exit_code(ERR_VIOLATION);
    if (call->common.json || str_eq(docs_format, "json"))
        return show_json(pages, code);
    if (str_eq(docs_format, "github"))
        return show_github(pages, code);
    return show_text(call, pages, code);
}

static int print_schema(const struct invocation *call)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    if (contract_schema_write(&out, &err) != 0)
        return command_failed(call, &err);
    return text_print(&out, 0); /* a JSON document itself, also with --json */
}

/* Each file says its own profile; the database's section is the same in all. */
static int open_contract(struct job *job, struct err *err)
{
    if (job_open(job, err) != 0)
        return -1;
    struct contract *contract = job->contract;
    const char *profile = contract->profile_values ? contract->profile_values[0] : NULL;
    if (contract_select(contract, profile, NULL, &job->findings, err) != 0)
        return -1;
    return job_refuse_problems(job, ERR_CONTRACT, job_contract_path(job->call), err);
}

static int check_call(const struct invocation *call, struct err *err)
{
    if (command_words_at_most(call, 0, err) != 0)
        return -1;
    if (docs_schema && docs_compare)
        return err_set(err, ERR_USAGE, "--schema and --check exclude each other");
    if (!call->common.profile)
        return 0;
    err_set(err, ERR_USAGE, "'agent docs' takes no --profile");
    return err_hint(err, "The contract's docs say for each file of which profile it is.");
}

static int docs_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_PAGES pages = {.count = 0};
    struct err err = ERR_INIT;

    if (check_call(call, &err) != 0)
        return command_failed(call, &err);
    if (docs_schema)
        return print_schema(call);
    if (open_contract(&job, &err) != 0 || make_pages(&job, &pages, &err) != 0 ||
        (!docs_compare && write_pages(&pages, &err) != 0))
        return job_failed(&job, &err);
    return show(call, &pages);
}

const struct command command_docs = {
    .name = "docs",
    .arguments = "",
    .summary = "write or check what is derived from the contract",
    .details =
        "Writes the documents, example files and JSON Schema that the contract's docs list.\n"
        "In a document that is there already only what stands between its markers is\n"
        "rewritten; a file without markers is refused. Nothing is run and nobody is asked.\n"
        "With --check nothing is written: exit 1, with a diff, when a file is stale.",
    .options = docs_options,
    .run = docs_command,
};
