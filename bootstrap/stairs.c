/* bootstrap/stairs.c: each revision up, down and up again; see paths.h.
 *
 * A downgrade that leaves something behind, or takes too much away, is found the day on which it is
 * needed. So for each revision, in the order of an upgrade: up; down must give what was there before;
 * up again must give what was there after. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"
#include "bootstrap/catalog.h"
#include "bootstrap/paths.h"

enum { TARGET_BYTES = 1024 };

/* `alembic -c x upgrade heads` with another action and another target. */
struct steps {
    const char **argv;
    size_t action; /* index of "upgrade" */
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
        err_set(err, ERR_CONTRACT, "--stairway needs a database.migrate that is Alembic's upgrade");
        return err_hint(err, "\"migrate\": [\"alembic\", \"upgrade\", \"heads\"]");
    }
    steps->argv = mem_new(count + 1, sizeof(*steps->argv));
    if (!steps->argv)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        steps->argv[i] = settings->migrate[i];
    steps->action = action;
    return 0;
}

static int step(struct steps *steps, const struct scene *scene, const char *action,
                const char *target, struct err *err)
{
    steps->argv[steps->action] = action;
    steps->argv[steps->action + 1] = target;
    return plan_run_command(&scene->settings, action, steps->argv, NULL,
                            scene->settings.deadline_ms, err);
}

/* BEFORE is the catalog that REVISION starts from, and becomes the one that it leaves. */
static int climb(struct steps *steps, const struct scene *scene, const struct revision *revision,
                 struct catalog *before, struct err *err)
{
    AUTO_CATALOG up = CATALOG_INIT;
    AUTO_CATALOG down = CATALOG_INIT;
    AUTO_CATALOG up_again = CATALOG_INIT;
    AUTO_BUF back = BUF_INIT(TARGET_BYTES);
    /* the branch that it is the head of, one step: other branches stay where they are */
    buf_addf(&back, "%s@-1", revision->id);
    if (buf_check(&back, ERR_FILE, "a revision's id", err) != 0 ||
        step(steps, scene, "upgrade", revision->id, err) != 0 ||
        scene_catalog(scene, &up, err) != 0 ||
        step(steps, scene, "downgrade", buf_text(&back), err) != 0 ||
        scene_catalog(scene, &down, err) != 0 ||
        scene_compare(before, &down, "its downgrade does not bring back what was there", err) !=
            0 ||
        step(steps, scene, "upgrade", revision->id, err) != 0 ||
        scene_catalog(scene, &up_again, err) != 0 ||
        scene_compare(&up, &up_again, "its second upgrade does another thing than the first",
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

int stairs_run(struct path *path, struct scene *scene, struct err *err)
{
    const struct graph *graph = scene->settings.graph;
    AUTO_CATALOG before = CATALOG_INIT;
    struct log_progress progress = {0};
    struct steps steps = {0};
    (void)path;
    int result = steps_init(&scene->settings, &steps, err);
    if (result == 0)
        result = scene_catalog(scene, &before, err);
    for (size_t i = 0; result == 0 && i < graph->count; i++) {
        const struct revision *revision = &graph->revisions[graph->order[i]];
        log_progress(&progress, "stairway: %zu of %zu revisions are done", i, graph->count);
        if (climb(&steps, scene, revision, &before, err) != 0)
            result = explain(revision, err);
    }
    log_progress_end(&progress);
    free(steps.argv);
    return result;
}
