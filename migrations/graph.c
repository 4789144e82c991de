/* migrations/graph.c: revisions put together: parents, heads, bases, what is wrong, questions. */
#include "migrations/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    GRAPH_CYCLE_NAMES = 8, /* of a cycle, in its message */
};

struct label {
    const char *name;
    size_t revision, load_index;
};

static const char heads_advice[] =
    "Let Alembic answer in its place: \"stamp\": {\"heads\": [\"alembic\", \"heads\"]} in the "
    "contract.";

static const char *const error_words[] = {
    [GRAPH_MISSING_PARENT] = "missing-parent",
    [GRAPH_CYCLE] = "cycle",
    [GRAPH_DUPLICATE] = "duplicate",
    [GRAPH_UNREADABLE] = "unreadable",
    [GRAPH_COMPUTED] = "computed",
};

const char *graph_error_word(enum graph_error_kind kind)
{
    return error_words[kind];
}

void graph_free(struct graph *graph)
{
    if (!graph)
        return;
    free(graph->errors);
    if (graph->memory)
        arena_release(&graph->memory->arena);
    free(graph->memory);
    free(graph);
}

void graph_auto_free(struct graph **graph)
{
    graph_free(*graph);
}

struct graph *graph_new(void)
{
    struct graph *graph = mem_new(1, sizeof *graph);
    if (graph && !(graph->memory = mem_new(1, sizeof *graph->memory))) {
        free(graph);
        return NULL;
    }
    return graph;
}

/* ---- index -------------------------------------------------------------------------------------------- */

static int compare_sources(const void *a, const void *b)
{
    const struct graph_source *left = a, *right = b;
    int by_id = strcmp(left->revision.id, right->revision.id);
    if (by_id)
        return by_id;
    return (left->load_index > right->load_index) - (left->load_index < right->load_index);
}

/* Sort by id. Of several files with one id the last counts, as in Alembic; each is an error. */
static int sort_sources(struct graph_build *b, struct err *err)
{
    size_t kept = 0;
    if (b->count > 0)
        qsort(b->sources, b->count, sizeof *b->sources, compare_sources);
    for (size_t i = 0; i < b->count; i++) {
        const struct revision *r = &b->sources[i].revision;
        const struct revision *before = i > 0 ? &b->sources[i - 1].revision : NULL;
        if (before && str_eq(before->id, r->id)) {
            if (graph_add_error(b->graph, GRAPH_DUPLICATE, r->file, r->line, err,
                                "%s:%u: revision '%s' is in %s too", r->file, r->line, r->id,
                                before->file) < 0)
                return -1;
            kept--;
        }
        if (kept != i)
            b->sources[kept] = b->sources[i];
        kept++;
    }
    b->count = kept;
    return 0;
}

static int place_revisions(struct graph_build *b, struct err *err)
{
    struct graph *g = b->graph;
    struct graph_memory *m = g->memory;
    size_t n = b->count;
    g->revisions = arena_new(&m->arena, n + 1, sizeof *g->revisions);
    g->order = arena_new(&m->arena, n + 1, sizeof *g->order);
    g->heads = arena_new(&m->arena, n + 1, sizeof *g->heads);
    g->effective_heads = arena_new(&m->arena, n + 1, sizeof *g->effective_heads);
    g->bases = arena_new(&m->arena, n + 1, sizeof *g->bases);
    m->names = arena_new(&m->arena, n + 1, sizeof *m->names);
    m->load_index = arena_new(&m->arena, n + 1, sizeof *m->load_index);
    m->mark = arena_new(&m->arena, n + 1, sizeof *m->mark);
    m->stack = arena_new(&m->arena, n + 1, sizeof *m->stack);
    if (!g->revisions || !g->order || !g->heads || !g->effective_heads || !g->bases || !m->names ||
        !m->load_index || !m->mark || !m->stack)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        g->revisions[i] = b->sources[i].revision;
        m->names[i] = g->revisions[i].id;
        m->load_index[i] = b->sources[i].load_index;
    }
    g->count = n;
    return 0;
}

const struct revision *graph_find(const struct graph *graph, const char *id)
{
    size_t low = 0, high = graph->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(graph->revisions[middle].id, id);
        if (order == 0)
            return &graph->revisions[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static size_t index_of(const struct graph *graph, const struct revision *revision)
{
    return (size_t)(revision - graph->revisions);
}

/* ---- branch labels ---------------------------------------------------------------------------------------- */

static int compare_labels(const void *a, const void *b)
{
    const struct label *left = a, *right = b;
    int by_name = strcmp(left->name, right->name);
    if (by_name)
        return by_name;
    return (left->load_index > right->load_index) - (left->load_index < right->load_index);
}

static int check_labels(struct graph_build *b, const struct label *labels, size_t count,
                        struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct graph_source *s = &b->sources[labels[i].revision];
        const struct revision *taken = graph_find(b->graph, labels[i].name);
        if (!taken && i > 0 && str_eq(labels[i].name, labels[i - 1].name))
            taken = &b->graph->revisions[labels[i - 1].revision];
        if (!taken)
            continue;
        unsigned line = s->lines[PY_BRANCH_LABELS];
        if (graph_add_error(b->graph, GRAPH_DUPLICATE, s->revision.file, line, err,
                            "%s:%u: branch label '%s' is already used by revision '%s' (%s)",
                            s->revision.file, line, labels[i].name, taken->id, taken->file) < 0)
            return -1;
    }
    return 0;
}

/* All labels, sorted by name. */
static int collect_labels(struct graph_build *b, struct label **out, size_t *count, struct err *err)
{
    size_t total = 0;
    for (size_t i = 0; i < b->count; i++) {
        for (const char *const *l = b->sources[i].revision.branch_labels; l && *l; l++)
            total++;
    }
    struct label *labels = mem_new(total + 1, sizeof *labels);
    if (!labels)
        return err_nomem(err);
    *count = 0;
    for (size_t i = 0; i < b->count; i++) {
        for (const char *const *l = b->sources[i].revision.branch_labels; l && *l; l++)
            labels[(*count)++] = (struct label){*l, i, b->sources[i].load_index};
    }
    if (total > 0)
        qsort(labels, total, sizeof *labels, compare_labels);
    *out = labels;
    return check_labels(b, labels, total, err);
}

static const struct label *find_label(const struct label *labels, size_t count, const char *name)
{
    const struct label wanted = {.name = name};
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(labels[middle].name, wanted.name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && str_eq(labels[low].name, name) ? &labels[low] : NULL;
}

/* ---- parents ---------------------------------------------------------------------------------------------- */

struct linker {
    struct graph_build *build;
    struct label *labels;
    size_t label_count;
    size_t *seen;    /* by revision: the revision + 1 that has it as a parent already */
    size_t *depends; /* the same for dependencies */
};

static void linker_release(struct linker *l)
{
    free(l->labels);
    free(l->seen);
    free(l->depends);
}

static int missing(const struct linker *l, size_t i, enum py_variable v, const char *name,
                   struct err *err)
{
    const struct graph_source *s = &l->build->sources[i];
    unsigned line = s->lines[v] ? s->lines[v] : 1;
    bool label = v == PY_DOWN_REVISION && find_label(l->labels, l->label_count, name);
    return graph_add_error(l->build->graph, GRAPH_MISSING_PARENT, s->revision.file, line, err,
                           "%s:%u: %s '%s' of revision '%s' is %s", s->revision.file, line,
                           py_variable_names[v], name, s->revision.id,
                           label ? "a branch label, not a revision" : "in no file");
}

static int link_parent(const struct linker *l, size_t i, enum py_variable v, const char *name,
                       struct err *err)
{
    struct graph *g = l->build->graph;
    struct revision *r = &g->revisions[i];
    const struct revision *found = graph_find(g, name);
    if (!found && v == PY_DEPENDS_ON) {
        const struct label *label = find_label(l->labels, l->label_count, name);
        found = label ? &g->revisions[label->revision] : NULL;
    }
    if (!found)
        return missing(l, i, v, name, err);
    size_t parent = index_of(g, found);
    unsigned line = l->build->sources[i].lines[v];
    if (parent == i)
        return graph_add_error(g, GRAPH_CYCLE, r->file, line, err,
                               "%s:%u: revision '%s' names itself in %s", r->file, line, r->id,
                               py_variable_names[v]);
    if (v == PY_DEPENDS_ON && l->depends[parent] != i + 1) {
        struct graph_edges *depends = &g->memory->depends;
        l->depends[parent] = i + 1;
        depends->list[depends->start[i + 1]++] = parent;
    }
    if (l->seen[parent] == i + 1)
        return 0; /* named twice */
    l->seen[parent] = i + 1;
    r->parents[r->parent_count++] = parent;
    return 0;
}

static int link_revision(const struct linker *l, size_t i, struct err *err)
{
    const struct graph_source *s = &l->build->sources[i];
    struct revision *r = &l->build->graph->revisions[i];
    size_t names = 0;
    if (s->broken)
        return 0;
    for (const char *const *d = r->down; *d; d++)
        names++;
    for (const char *const *d = r->depends_on; *d; d++)
        names++;
    r->parents = arena_new(&l->build->graph->memory->arena, names + 1, sizeof *r->parents);
    if (!r->parents)
        return err_nomem(err);
    for (const char *const *d = r->down; *d; d++) {
        if (link_parent(l, i, PY_DOWN_REVISION, *d, err) < 0)
            return -1;
    }
    r->down_count = r->parent_count;
    r->is_base = !r->down[0];
    /* Alembic takes depends_on = '' for none, except that a base with it is no start any more. */
    if (s->empty_dependency)
        return r->is_base ? missing(l, i, PY_DEPENDS_ON, "", err) : 0;
    for (const char *const *d = r->depends_on; *d; d++) {
        if (link_parent(l, i, PY_DEPENDS_ON, *d, err) < 0)
            return -1;
    }
    return 0;
}

/* Room for the dependencies of all. */
static int place_dependencies(struct graph_build *b)
{
    struct graph_memory *m = b->graph->memory;
    size_t total = 0;
    for (size_t i = 0; i < b->count; i++) {
        for (const char *const *d = b->sources[i].revision.depends_on; d && *d; d++)
            total++;
    }
    m->depends.start = arena_new(&m->arena, b->count + 2, sizeof *m->depends.start);
    m->depends.list = arena_new(&m->arena, total + 1, sizeof *m->depends.list);
    return m->depends.start && m->depends.list ? 0 : -1;
}

static int link_revisions(struct graph_build *b, struct err *err)
{
    CLEANUP(linker_release) struct linker l = {.build = b};
    l.seen = mem_new(b->count + 1, sizeof *l.seen);
    l.depends = mem_new(b->count + 1, sizeof *l.depends);
    if (!l.seen || !l.depends || place_dependencies(b) < 0)
        return err_nomem(err);
    if (collect_labels(b, &l.labels, &l.label_count, err) < 0)
        return -1;
    size_t *ends = b->graph->memory->depends.start;
    for (size_t i = 0; i < b->count; i++) {
        ends[i + 1] = ends[i]; /* link_parent moves it on */
        if (link_revision(&l, i, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- heads, cycles, order ------------------------------------------------------------------------------------ */

static void find_ends(struct graph *g)
{
    for (size_t i = 0; i < g->count; i++)
        g->revisions[i].is_head = g->revisions[i].is_effective_head = true;
    for (size_t i = 0; i < g->count; i++) {
        const struct revision *r = &g->revisions[i];
        for (size_t p = 0; p < r->parent_count; p++) {
            struct revision *parent = &g->revisions[r->parents[p]];
            parent->is_effective_head = false;
            parent->is_head &= p >= r->down_count;
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        const struct revision *r = &g->revisions[i];
        if (r->is_head)
            g->heads[g->head_count++] = r->id;
        if (r->is_effective_head)
            g->effective_heads[g->effective_head_count++] = r->id;
        if (r->is_base)
            g->bases[g->base_count++] = r->id;
    }
}

/* The revisions from START along `next` back to START: "a, b, c". */
static int report_cycle(struct graph *g, const size_t *next, size_t start, struct err *err)
{
    AUTO_BUF names = BUF_INIT(ERR_TEXT_BYTES);
    size_t count = 0, at = start;
    do {
        if (count < GRAPH_CYCLE_NAMES)
            buf_addf(&names, "%s'%s'", count ? " -> " : "", g->revisions[at].id);
        count++;
        at = next[at];
    } while (at != start);
    if (count > GRAPH_CYCLE_NAMES)
        buf_addf(&names, " and %zu more", count - GRAPH_CYCLE_NAMES);
    const struct revision *r = &g->revisions[start];
    return graph_add_error(g, GRAPH_CYCLE, r->file, r->line, err,
                           "%s:%u: these revisions come before themselves: %s", r->file, r->line,
                           buf_text(&names));
}

/* Follow, from each revision that has no place in an order, one parent that has none either: that
 * ends in a cycle. Each cycle that is met in this way is told once. */
static int report_cycles(struct graph *g, const bool *placed, struct err *err)
{
    AUTO_FREE size_t *next = mem_new(g->count + 1, sizeof *next);
    AUTO_FREE size_t *met = mem_new(g->count + 1, sizeof *met); /* the walk + 1 that came by */
    if (!next || !met)
        return err_nomem(err);
    for (size_t start = 0; start < g->count; start++) {
        size_t at = start;
        while (!placed[at] && met[at] == 0) {
            const struct revision *r = &g->revisions[at];
            met[at] = start + 1;
            for (size_t p = r->parent_count; p > 0; p--) {
                if (!placed[r->parents[p - 1]])
                    next[at] = r->parents[p - 1];
            }
            at = next[at];
        }
        if (!placed[start] && met[at] == start + 1 && met[start] == start + 1 && at < g->count &&
            report_cycle(g, next, at, err) < 0)
            return -1;
    }
    return 0;
}

/* With a cycle there is no order: what is before it, then the rest by id. */
static int order_around_cycle(struct graph *g, size_t count, struct err *err)
{
    bool *placed = g->memory->mark;
    memset(placed, 0, g->count * sizeof *placed);
    for (size_t i = 0; i < count; i++)
        placed[g->order[i]] = true;
    if (report_cycles(g, placed, err) < 0)
        return -1;
    for (size_t i = 0; i < g->count; i++) {
        if (!placed[i])
            g->order[count++] = i;
    }
    return 0;
}

static int put_in_order(struct graph *g, struct err *err)
{
    size_t count = 0;
    if (order_any(g, g->order, &count, err) < 0)
        return -1;
    if (count < g->count)
        return order_around_cycle(g, count, err);
    if (order_edges(g, g->order, err) < 0)
        return -1;
    return order_upgrade(g, NULL, g->order, &count, err);
}

int graph_finish(struct graph_build *b, struct err *err)
{
    if (sort_sources(b, err) < 0 || place_revisions(b, err) < 0 || link_revisions(b, err) < 0)
        return -1;
    find_ends(b->graph);
    return put_in_order(b->graph, err);
}

void graph_build_release(struct graph_build *b)
{
    free(b->sources);
}

int graph_load(const struct graph_settings *settings, struct graph **out, struct err *err)
{
    CLEANUP(graph_auto_free) struct graph *graph = graph_new();
    if (!graph)
        return err_nomem(err);
    CLEANUP(graph_build_release) struct graph_build build = {.graph = graph};
    struct config config;
    if (config_resolve(&graph->memory->arena, settings, &config, err) < 0 ||
        load_revisions(&build, &config, err) < 0 || graph_finish(&build, err) < 0)
        return -1;
    *out = TAKE_POINTER(graph);
    return 0;
}

int graph_require_sound(const struct graph *graph, struct err *err)
{
    if (graph->error_count == 0)
        return 0;
    const struct graph_error *e = &graph->errors[0];
    (void)err_set(err, ERR_FILE, "%s", e->message);
    if (graph->error_count > 1)
        (void)err_hint(err, "There are %zu more problems: `agent graph` lists them.",
                       graph->error_count - 1);
    if (e->kind == GRAPH_COMPUTED)
        (void)err_hint(err, "%s", heads_advice);
    return e->file ? err_at(err, e->file, e->line, 0) : -1;
}
