/* migrations/questions.c: what is asked of a graph that was read, and a graph from Alembic's words.
 *
 * Questions use the graph's work space, so that none of them can run out of memory. */
#include "migrations/internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    NEAREST_PREFIX = 4,           /* letters of an id that are enough to name it, as in Alembic */
    HEADS_MAX_BYTES = 1024 * 1024 /* what `alembic heads` prints */
};

/* Mark START's ancestors, but not itself, unless it is one of theirs. */
static void mark_ancestors(const struct graph *g, size_t start)
{
    bool *mark = g->memory->mark;
    size_t *stack = g->memory->stack, depth = 0;
    stack[depth++] = start;
    while (depth > 0) {
        const struct revision *r = &g->revisions[stack[--depth]];
        for (size_t p = 0; p < r->parent_count; p++) {
            if (mark[r->parents[p]])
                continue;
            mark[r->parents[p]] = true;
            stack[depth++] = r->parents[p];
        }
    }
}

bool graph_is_ancestor(const struct graph *graph, const char *older, const char *newer)
{
    const struct revision *from = graph_find(graph, newer), *to = graph_find(graph, older);
    if (!from || !to || from == to)
        return false;
    memset(graph->memory->mark, 0, graph->count * sizeof *graph->memory->mark);
    mark_ancestors(graph, (size_t)(from - graph->revisions));
    return graph->memory->mark[to - graph->revisions];
}

const char *graph_nearest(const struct graph *graph, const char *id)
{
    const char *only = NULL;
    size_t found = 0;
    for (size_t i = 0; strlen(id) >= NEAREST_PREFIX && i < graph->count; i++) {
        if (!str_starts(graph->revisions[i].id, id))
            continue;
        only = graph->revisions[i].id;
        found++;
    }
    return found == 1 ? only : str_nearest(id, graph->memory->names);
}

/* The first ROOM of those to do in upgrade order. */
static size_t first_to_do(const struct graph *g, const bool *todo, const char **next, size_t room)
{
    struct err err = ERR_INIT;
    const size_t *order = g->order;
    size_t count = g->count, found = 0;
    AUTO_FREE size_t *made = NULL;
    /* A part of a graph can have another order than the same part of the whole. Where that can't be
     * worked out (a cycle; no memory), the order of the whole has parents first as well. */
    if (g->memory->up.start && (made = mem_new(g->count + 1, sizeof *made)) &&
        order_upgrade(g, todo, made, &count, &err) == 0)
        order = made;
    else
        count = g->count;
    for (size_t i = 0; i < count && found < room; i++) {
        if (todo[order[i]])
            next[found++] = g->revisions[order[i]].id;
    }
    return found;
}

size_t graph_behind(const struct graph *graph, const char *const *rows, size_t row_count,
                    const char **next, size_t room, size_t *next_count)
{
    bool *mark = graph->memory->mark;
    size_t behind = 0;
    memset(mark, 0, graph->count * sizeof *mark);
    for (size_t i = 0; i < row_count; i++) {
        const struct revision *r = graph_find(graph, rows[i]);
        if (!r)
            continue;
        mark[r - graph->revisions] = true;
        mark_ancestors(graph, (size_t)(r - graph->revisions));
    }
    for (size_t i = 0; i < graph->count; i++) {
        mark[i] = !mark[i];
        behind += mark[i];
    }
    size_t found = behind && room ? first_to_do(graph, mark, next, room) : 0;
    if (next_count)
        *next_count = found;
    return behind;
}

/* ---- from `alembic heads` ------------------------------------------------------------------------------ */

static const char *const no_names[] = {NULL};

/* `ID (labels) (head)` or `ID (effective head)`: the id's length; 0 when it is no such line. */
static size_t head_in(const char *line, size_t length, bool *effective)
{
    static const char *const endings[] = {" (effective head)", " (head)"};
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length <= ending || memcmp(line + length - ending, endings[i], ending) != 0)
            continue;
        *effective = i != 0; /* a head that another one depends on is called "effective head" */
        length -= ending;
        const char *labels = line[length - 1] == ')' ? memmem(line, length, " (", 2) : NULL;
        return labels ? (size_t)(labels - line) : length;
    }
    return 0;
}

static int bad_line(const char *line, size_t length, struct err *err)
{
    AUTO_BUF shown = BUF_INIT(ERR_TEXT_BYTES);
    str_add_sanitised(&shown, line, length < 200 ? length : 200);
    (void)err_set(err, ERR_DB_COMMAND, "the command for the heads printed '%s'", buf_text(&shown));
    return err_hint(err, "Each line has to be as `alembic heads` prints it: an identifier and "
                         "'(head)'.");
}

/* A revision of which nothing but the id is known. */
static int add_bare(struct graph_build *b, const char *bytes, size_t length, struct err *err)
{
    char *id = arena_dup_n(&b->graph->memory->arena, bytes, length);
    if (!id || mem_grow(&b->sources, b->count, &b->capacity, sizeof *b->sources) < 0)
        return err_nomem(err);
    b->sources[b->count] = (struct graph_source){.load_index = b->count,
                                                 .broken = true, /* its parents are not known */
                                                 .revision = {.id = id,
                                                              .message = "",
                                                              .file = "",
                                                              .down = no_names,
                                                              .depends_on = no_names,
                                                              .branch_labels = no_names}};
    b->count++;
    return 0;
}

static int add_head(struct graph_build *b, const char *line, size_t length, bool *effective,
                    struct err *err)
{
    size_t id_length = head_in(line, length, effective);
    if (id_length == 0 || strcspn(line, "@-+:") < id_length)
        return bad_line(line, length, err);
    return add_bare(b, line, id_length, err);
}

int graph_from_revision(const char *revision, struct graph **out, struct err *err)
{
    CLEANUP(graph_auto_free) struct graph *graph = graph_new();
    if (!graph)
        return err_nomem(err);
    CLEANUP(graph_build_release) struct graph_build build = {.graph = graph};
    if (add_bare(&build, revision, strlen(revision), err) < 0 || graph_finish(&build, err) < 0)
        return -1;
    *out = TAKE_POINTER(graph);
    return 0;
}

/* Which of the heads are no effective ones is told by Alembic, for nothing says who depends on them. */
static void drop_depended_on(struct graph *g, const bool *effective)
{
    g->effective_head_count = 0;
    for (size_t i = 0; i < g->count; i++) {
        g->revisions[i].is_effective_head = effective[g->memory->load_index[i]];
        if (g->revisions[i].is_effective_head)
            g->effective_heads[g->effective_head_count++] = g->revisions[i].id;
    }
    g->effective_heads[g->effective_head_count] = NULL;
}

int graph_from_heads_output(const char *text, size_t length, struct graph **out, struct err *err)
{
    CLEANUP(graph_auto_free) struct graph *graph = graph_new();
    if (!graph)
        return err_nomem(err);
    CLEANUP(graph_build_release) struct graph_build build = {.graph = graph};
    bool *effective = arena_new(&graph->memory->arena, length + 1, sizeof *effective);
    if (!effective)
        return err_nomem(err);
    if (length > HEADS_MAX_BYTES || memchr(text, '\0', length))
        return err_set(err, ERR_DB_COMMAND,
                       "the command for the heads printed something else: %zu bytes%s", length,
                       length > HEADS_MAX_BYTES ? "" : ", with a NUL");
    for (const char *at = text, *end = text + length; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *line = at;
        size_t size = (size_t)((stop ? stop : end) - at);
        at += size + 1;
        str_trim(&line, &size);
        if (size > 0 && add_head(&build, line, size, &effective[build.count], err) < 0)
            return -1;
    }
    if (build.count == 0) {
        (void)err_set(err, ERR_DB_COMMAND, "the command for the heads printed no head");
        return err_hint(err, "Where there are no revisions yet, there is nothing to stamp.");
    }
    if (graph_finish(&build, err) < 0)
        return -1;
    if (graph->error_count > 0)
        return err_set(err, ERR_DB_COMMAND, "the command for the heads printed one twice: %s",
                       graph->errors[0].message);
    drop_depended_on(graph, effective);
    *out = TAKE_POINTER(graph);
    return 0;
}
