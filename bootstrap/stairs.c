/* bootstrap/stairs.c: one revision after the other; see paths.h.
 *
 * stairs_run: a downgrade that leaves something behind, or takes too much away, is found the day on
 * which it is needed. So for each revision, in the order of an upgrade: up; down must give what was
 * there before; up again must give what was there after.
 * each_run: what a revision says it does is in its offline SQL; what it really did is the difference of
 * two catalogs. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"
#include "bootstrap/catalog.h"
#include "bootstrap/paths.h"

enum {
    TARGET_BYTES = 1024,
    RECORD_MAX_BYTES = 64 * 1024 * 1024, /* of one revision */
    RECORD_MODE = 0644,
    FOLDER_MODE = 0755,
};

/* `alembic -c x upgrade heads` with another action and another target. */
struct steps {
    const char **argv;
    size_t action, count; /* index of "upgrade"; words */
};

static int steps_init(const struct database_settings *settings, struct steps *steps,
                      struct err *err)
{
    size_t count = 0, action = SIZE_MAX;
    while (settings->migrate[count]) {
        if (str_eq(settings->migrate[count], "upgrade"))
            action = count;
        count++;
    }
    if (action == SIZE_MAX || action + 1 >= count || settings->plain_stamp) {
        err_set(err, ERR_CONTRACT,
                "--stairway and --each need a database.migrate that is Alembic's upgrade");
        return err_hint(err, "\"migrate\": [\"alembic\", \"upgrade\", \"heads\"]");
    }
    steps->argv = mem_new(count + 1, sizeof(*steps->argv));
    if (!steps->argv)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        steps->argv[i] = settings->migrate[i];
    steps->action = action;
    steps->count = count;
    return 0;
}

static int step(struct steps *steps, const struct scene *scene, const char *action,
                const char *target, struct err *err)
{
    if (!steps->argv || steps->action + 1 >= steps->count)
        return err_set(err, ERR_DEFECT, "there is no Alembic command to run");
    steps->argv[steps->action] = action;
    steps->argv[steps->action + 1] = target;
    return plan_run_command(&scene->settings, action, steps->argv, NULL,
                            scene->settings.deadline_ms, err);
}

static const struct revision *revision_at(const struct graph *graph, size_t index)
{
    return &graph->revisions[graph->order[index]];
}

/* BEFORE is the catalog that the revision starts from, and becomes the one that it leaves. */
static int climb(struct steps *steps, const struct scene *scene, size_t index,
                 struct catalog *before, const char *folder, struct err *err)
{
    const struct revision *revision = revision_at(scene->settings.graph, index);
    AUTO_CATALOG up = CATALOG_INIT;
    AUTO_CATALOG down = CATALOG_INIT;
    AUTO_CATALOG up_again = CATALOG_INIT;
    AUTO_BUF back = BUF_INIT(TARGET_BYTES);
    (void)folder; /* nothing is recorded */
    /* the branch that it is the head of, one step: other branches stay where they are. A merge has
     * several ways back, and -1 is ambiguous there: any of its parents means the same step. */
    if (revision->down_count > 1)
        buf_addf(&back, "%s@%s", revision->id, revision->down[0]);
    else
        buf_addf(&back, "%s@-1", revision->id);
    if (buf_check(&back, ERR_FILE, "a revision's id", err) != 0 ||
        step(steps, scene, "upgrade", revision->id, err) != 0 ||
        scene_catalog(scene, &up, err) != 0 ||
        step(steps, scene, "downgrade", buf_text(&back), err) != 0 ||
        scene_catalog(scene, &down, err) != 0 ||
        scene_compare(before, &down, false, "its downgrade does not bring back what was there",
                      err) != 0 ||
        step(steps, scene, "upgrade", revision->id, err) != 0 ||
        scene_catalog(scene, &up_again, err) != 0 ||
        scene_compare(&up, &up_again, false, "its second upgrade does another thing than the first",
                      err) != 0)
        return -1;
    catalog_release(before);
    *before = up_again;
    up_again = CATALOG_INIT;
    return 0;
}

static int explain(const struct revision *revision, struct err *err)
{
    err_wrap(err, "revision '%s'", revision->id);
    if (revision->file && !err->file[0])
        err_at(err, revision->file, revision->line, 0);
    return -1;
}

/* VISIT each revision in the order of an upgrade, with the catalog that it starts from. */
typedef int (*climber)(struct steps *steps, const struct scene *scene, size_t index,
                       struct catalog *before, const char *folder, struct err *err);

static int walk(const struct scene *scene, const char *what, const char *folder, climber visit,
                struct err *err)
{
    const struct graph *graph = scene->settings.graph;
    AUTO_CATALOG before = CATALOG_INIT;
    struct log_progress progress = {0};
    struct steps steps = {0};
    int result = steps_init(&scene->settings, &steps, err);
    if (result == 0)
        result = scene_catalog(scene, &before, err);
    for (size_t i = 0; result == 0 && i < graph->count; i++) {
        log_progress(&progress, "%s: %zu of %zu revisions are done", what, i, graph->count);
        if (visit(&steps, scene, i, &before, folder, err) != 0)
            result = explain(revision_at(graph, i), err);
    }
    log_progress_end(&progress);
    free(steps.argv);
    return result;
}

int stairs_run(const struct scene *scene, struct err *err)
{
    return walk(scene, "stairway", NULL, climb, err);
}

/* ---- what each one really does ------------------------------------------------------------------------ */

static const char *change_word(const struct difference *d)
{
    if (!d->a)
        return "added";
    return d->b ? "changed" : "removed";
}

/* A line for each object that is another one now. */
static void add_lines(const struct revision *revision, const struct differences *d, struct buf *out)
{
    for (size_t i = 0; i < d->count; i++) {
        struct json json = JSON_INIT(out);
        json_begin_object(&json, NULL);
        json_add_string(&json, "revision", revision->id);
        json_add_string(&json, "change", change_word(&d->list[i]));
        json_add_string(&json, "kind", d->list[i].kind);
        json_add_string(&json, "object", d->list[i].object);
        json_add_string(&json, "before", d->list[i].a);
        json_add_string(&json, "after", d->list[i].b);
        json_end_object(&json);
        buf_addc(out, '\n');
    }
}

/* A slash in an id would lead out of the folder. */
static char *record_path(const char *folder, size_t number, const struct revision *revision)
{
    AUTO_BUF name = BUF_INIT(TARGET_BYTES);
    buf_addf(&name, "%03zu_", number);
    for (const char *c = revision->id; *c; c++)
        buf_addc(&name, *c == '/' ? '-' : *c);
    buf_adds(&name, ".jsonl");
    return name.too_long ? NULL : file_join(folder, buf_text(&name));
}

static int record(const struct revision *revision, size_t number, const char *folder,
                  const struct differences *d, struct err *err)
{
    AUTO_BUF text = BUF_INIT(RECORD_MAX_BYTES);
    AUTO_FREE char *path = record_path(folder, number, revision);
    if (!path)
        return err_nomem(err);
    add_lines(revision, d, &text);
    if (buf_check(&text, ERR_RESOURCE, path, err) != 0)
        return -1;
    return file_replace(path, buf_text(&text), text.len, RECORD_MODE, err);
}

static int climb_once(struct steps *steps, const struct scene *scene, size_t index,
                      struct catalog *before, const char *folder, struct err *err)
{
    const struct compare_options options = {.strict_order = true};
    const struct revision *revision = revision_at(scene->settings.graph, index);
    AUTO_CATALOG after = CATALOG_INIT;
    struct differences d = {0};
    if (step(steps, scene, "upgrade", revision->id, err) != 0 ||
        scene_catalog(scene, &after, err) != 0 ||
        catalog_compare(before, &after, &options, &d, err) != 0)
        return -1;
    int result = record(revision, index + 1, folder, &d, err);
    differences_release(&d);
    catalog_release(before);
    *before = after;
    after = CATALOG_INIT;
    return result;
}

int each_run(const struct scene *scene, const char *folder, struct err *err)
{
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return err_errno(err, ERR_FILE, "make folder '%s'", folder);
    return walk(scene, "each revision", folder, climb_once, err);
}
