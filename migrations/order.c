/* migrations/order.c: the order in which `alembic upgrade heads` runs revisions.
 *
 * Parents come first; where that leaves a choice, the order is Alembic's (seen in 1.13 to 1.20). It
 * is made from the newest revision down and turned around. Heads stand in a line, at first in the
 * order in which their files were met. One head walks down its parents as long as nobody above the
 * revision it stands on is left; when somebody is, the first head in the line from which it can be
 * reached walks on instead. A revision with several parents goes on to its first; the others join
 * the end of the line. A head with nowhere to go leaves the line, and the one before it walks on.
 *
 * Time: linear in revisions and parents, but for looking up "the first head from which this can be
 * reached", which walks over what is left above. Where several dependencies of one revision count,
 * Alembic takes them in the order of a Python set, different in each run: ours is as written. */
#include "migrations/internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NOWHERE SIZE_MAX

/* ---- edges ------------------------------------------------------------------------------------------ */

/* START holds how many each row has, in start[i + 1]: make them offsets. */
static void sum_up(size_t *start, size_t count)
{
    for (size_t i = 0; i < count; i++)
        start[i + 1] += start[i];
}

/* EDGES turned around. */
static int turn_around(struct arena *a, const struct graph_edges *edges, size_t count,
                       struct graph_edges *out)
{
    size_t total = edges->start[count];
    AUTO_FREE size_t *next = mem_new(count + 1, sizeof *next);
    out->start = arena_new(a, count + 2, sizeof *out->start);
    out->list = arena_new(a, total + 1, sizeof *out->list);
    if (!next || !out->start || !out->list)
        return -1;
    for (size_t e = 0; e < total; e++)
        out->start[edges->list[e] + 1]++;
    sum_up(out->start, count);
    memcpy(next, out->start, count * sizeof *next);
    for (size_t i = 0; i < count; i++) {
        for (size_t e = edges->start[i]; e < edges->start[i + 1]; e++)
            out->list[next[edges->list[e]]++] = i;
    }
    return 0;
}

static int parent_edges(const struct graph *g, struct arena *a, struct graph_edges *out)
{
    size_t total = 0;
    out->start = arena_new(a, g->count + 2, sizeof *out->start);
    if (!out->start)
        return -1;
    for (size_t i = 0; i < g->count; i++) {
        total += g->revisions[i].parent_count;
        out->start[i + 1] = total;
    }
    out->list = arena_new(a, total + 1, sizeof *out->list);
    if (!out->list)
        return -1;
    for (size_t i = 0; i < g->count; i++) {
        const struct revision *r = &g->revisions[i];
        if (r->parent_count > 0)
            memcpy(out->list + out->start[i], r->parents, r->parent_count * sizeof *out->list);
    }
    return 0;
}

int order_any(const struct graph *graph, size_t *order, size_t *count, struct err *err)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct graph_edges down, up;
    size_t *waiting = arena_new(&arena, graph->count + 1, sizeof *waiting);
    if (!waiting || parent_edges(graph, &arena, &down) < 0 ||
        turn_around(&arena, &down, graph->count, &up) < 0)
        return err_nomem(err);
    size_t filled = 0;
    for (size_t i = 0; i < graph->count; i++) {
        waiting[i] = graph->revisions[i].parent_count;
        if (waiting[i] == 0)
            order[filled++] = i;
    }
    for (size_t done = 0; done < filled; done++) {
        size_t i = order[done];
        for (size_t e = up.start[i]; e < up.start[i + 1]; e++) {
            if (--waiting[up.list[e]] == 0)
                order[filled++] = up.list[e];
        }
    }
    *count = filled;
    return 0;
}

/* ---- dependencies that count ------------------------------------------------------------------------------ */

/* Alembic leaves out a dependency that an ancestor (by down_revision alone) has as well. */
struct sieve {
    const struct graph *graph;
    const size_t *rank;    /* a place in some order with parents first */
    const size_t *lowest;  /* by revision: the lowest rank that depends on it */
    size_t *dependents;    /* by revision: how many depend on it */
    size_t *seen, *wanted; /* marks: the revision + 1 for which they were made */
    size_t *stack;
};

/* Mark in s->wanted which of REVISION's dependencies count. Only ancestors that rank above the
 * lowest of the other dependents are looked at. */
static void sift(const struct sieve *s, size_t revision)
{
    const struct graph_edges *depends = &s->graph->memory->depends;
    size_t floor = SIZE_MAX, open = 0, depth = 0;
    for (size_t d = depends->start[revision]; d < depends->start[revision + 1]; d++) {
        size_t target = depends->list[d];
        s->wanted[target] = revision + 1;
        open += s->dependents[target] > 1;
        if (s->dependents[target] > 1 && s->lowest[target] < floor)
            floor = s->lowest[target];
    }
    if (open > 0)
        s->stack[depth++] = revision;
    while (depth > 0 && open > 0) {
        size_t at = s->stack[--depth];
        const struct revision *r = &s->graph->revisions[at];
        for (size_t d = depends->start[at]; at != revision && d < depends->start[at + 1]; d++) {
            if (s->wanted[depends->list[d]] == revision + 1) {
                s->wanted[depends->list[d]] = 0;
                open--;
            }
        }
        for (size_t d = 0; d < r->down_count; d++) {
            size_t parent = r->parents[d];
            if (s->seen[parent] == revision + 1 || s->rank[parent] < floor)
                continue;
            s->seen[parent] = revision + 1;
            s->stack[depth++] = parent;
        }
    }
}

/* What others depend on: how many, and the lowest of them. */
static void count_dependents(const struct graph *g, const size_t *rank, size_t *dependents,
                             size_t *lowest)
{
    const struct graph_edges *depends = &g->memory->depends;
    for (size_t i = 0; i < g->count; i++)
        lowest[i] = SIZE_MAX;
    for (size_t i = 0; i < g->count; i++) {
        for (size_t d = depends->start[i]; d < depends->start[i + 1]; d++) {
            size_t target = depends->list[d];
            dependents[target]++;
            if (rank[i] < lowest[target])
                lowest[target] = rank[i];
        }
    }
}

static void fill_down(const struct sieve *s, struct graph_edges *down)
{
    const size_t *depends = s->graph->memory->depends.start;
    size_t total = 0;
    for (size_t i = 0; i < s->graph->count; i++) {
        const struct revision *r = &s->graph->revisions[i];
        if (depends[i + 1] > depends[i])
            sift(s, i);
        for (size_t d = 0; d < r->parent_count; d++) {
            if (d < r->down_count || s->wanted[r->parents[d]] == i + 1)
                down->list[total++] = r->parents[d];
        }
        down->start[i + 1] = total;
    }
}

int order_edges(struct graph *graph, const size_t *any, struct err *err)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct graph_memory *m = graph->memory;
    size_t n = graph->count, total = 0;
    size_t *rank = arena_new(&arena, n + 1, sizeof *rank);
    size_t *lowest = arena_new(&arena, n + 1, sizeof *lowest);
    struct sieve s = {.graph = graph, .rank = rank, .lowest = lowest};
    s.dependents = arena_new(&arena, n + 1, sizeof *s.dependents);
    s.seen = arena_new(&arena, n + 1, sizeof *s.seen);
    s.wanted = arena_new(&arena, n + 1, sizeof *s.wanted);
    s.stack = arena_new(&arena, n + 1, sizeof *s.stack);
    if (!rank || !lowest || !s.dependents || !s.seen || !s.wanted || !s.stack)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        rank[any[i]] = i;
        total += graph->revisions[i].parent_count;
    }
    m->down.start = arena_new(&m->arena, n + 2, sizeof *m->down.start);
    m->down.list = arena_new(&m->arena, total + 1, sizeof *m->down.list);
    if (!m->down.start || !m->down.list)
        return err_nomem(err);
    count_dependents(graph, rank, s.dependents, lowest);
    fill_down(&s, &m->down);
    return turn_around(&m->arena, &m->down, n, &m->up) < 0 ? err_nomem(err) : 0;
}

/* ---- the walk ---------------------------------------------------------------------------------------------- */

/* A place in the line is named after the revision that stood there first: its number in `age` says
 * which of two comes first, for places are only ever added at the end. */
struct place {
    size_t at; /* the revision that stands here now */
    size_t before, behind, age;
};

struct walk {
    const struct graph *graph;
    const bool *todo;
    struct place *places;
    size_t first, last, place_count;
    size_t *place_of; /* by revision: where it stands, NOWHERE */
    size_t *above;    /* by revision: how many of its children are left */
    bool *done;
    size_t *seen, *stack, search;
};

static bool is_left(const struct walk *w, size_t revision)
{
    return !w->done[revision] && (!w->todo || w->todo[revision]);
}

static void join_line(struct walk *w, size_t revision)
{
    size_t p = w->place_count++;
    w->places[p] = (struct place){.at = revision, .before = w->last, .behind = NOWHERE, .age = p};
    if (w->last == NOWHERE)
        w->first = p;
    else
        w->places[w->last].behind = p;
    w->last = p;
    w->place_of[revision] = p;
}

/* Returns where the walk goes on: the place before, or else the first. */
static size_t leave_line(struct walk *w, size_t p)
{
    const struct place *place = &w->places[p];
    if (place->before == NOWHERE)
        w->first = place->behind;
    else
        w->places[place->before].behind = place->behind;
    if (place->behind == NOWHERE)
        w->last = place->before;
    else
        w->places[place->behind].before = place->before;
    return place->before == NOWHERE ? w->first : place->before;
}

/* The first place in the line from which REVISION, which is not alone, can be reached. */
static size_t first_above(struct walk *w, size_t revision)
{
    const struct graph_edges *up = &w->graph->memory->up;
    size_t depth = 0, best = NOWHERE;
    w->search++;
    w->stack[depth++] = revision;
    while (depth > 0) {
        size_t at = w->stack[--depth];
        for (size_t e = up->start[at]; e < up->start[at + 1]; e++) {
            size_t child = up->list[e];
            if (!is_left(w, child) || w->seen[child] == w->search)
                continue;
            w->seen[child] = w->search;
            w->stack[depth++] = child;
            size_t p = w->place_of[child];
            if (p != NOWHERE && (best == NOWHERE || w->places[p].age < w->places[best].age))
                best = p;
        }
    }
    return best;
}

/* The revision at place P is put down; the walk moves to its parents. Returns where it goes on. */
static size_t step(struct walk *w, size_t p)
{
    const struct graph_edges *down = &w->graph->memory->down;
    size_t revision = w->places[p].at;
    bool moved = false;
    w->done[revision] = true;
    w->place_of[revision] = NOWHERE;
    for (size_t e = down->start[revision]; e < down->start[revision + 1]; e++) {
        size_t parent = down->list[e];
        w->above[parent]--;
        if (!is_left(w, parent) || w->place_of[parent] != NOWHERE)
            continue;
        if (moved) {
            join_line(w, parent);
            continue;
        }
        w->places[p].at = parent;
        w->place_of[parent] = p;
        moved = true;
    }
    return moved ? p : leave_line(w, p);
}

static size_t count_left(const struct walk *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->graph->count; i++)
        left += is_left(w, i);
    return left;
}

static int compare_sizes(const void *a, const void *b)
{
    const size_t *left = a, *right = b;
    return (left[0] > right[0]) - (left[0] < right[0]);
}

/* The effective heads that are left, in the order in which their files were met. */
static int stand_in_line(struct walk *w, struct arena *a)
{
    const struct graph *g = w->graph;
    size_t count = 0;
    size_t(*heads)[2] = arena_new(a, g->count + 1, sizeof *heads);
    if (!heads)
        return -1;
    for (size_t i = 0; i < g->count; i++) {
        w->place_of[i] = NOWHERE;
        for (size_t e = g->memory->up.start[i]; e < g->memory->up.start[i + 1]; e++)
            w->above[i] += is_left(w, g->memory->up.list[e]);
        if (g->revisions[i].is_effective_head && is_left(w, i)) {
            heads[count][0] = g->memory->load_index[i];
            heads[count++][1] = i;
        }
    }
    qsort(heads, count, sizeof *heads, compare_sizes);
    for (size_t i = 0; i < count; i++)
        join_line(w, heads[i][1]);
    return 0;
}

int order_upgrade(const struct graph *graph, const bool *todo, size_t *order, size_t *count,
                  struct err *err)
{
    AUTO_ARENA arena = ARENA_INIT;
    size_t n = graph->count, filled = 0;
    struct walk w = {.graph = graph, .todo = todo, .first = NOWHERE, .last = NOWHERE};
    w.places = arena_new(&arena, n + 1, sizeof *w.places);
    w.place_of = arena_new(&arena, n + 1, sizeof *w.place_of);
    w.above = arena_new(&arena, n + 1, sizeof *w.above);
    w.done = arena_new(&arena, n + 1, sizeof *w.done);
    w.seen = arena_new(&arena, n + 1, sizeof *w.seen);
    w.stack = arena_new(&arena, n + 1, sizeof *w.stack);
    if (!w.places || !w.place_of || !w.above || !w.done || !w.seen || !w.stack ||
        stand_in_line(&w, &arena) < 0)
        return err_nomem(err);
    size_t expected = count_left(&w);
    for (size_t p = w.first; p != NOWHERE;) {
        if (w.above[w.places[p].at] > 0) {
            p = first_above(&w, w.places[p].at);
            continue;
        }
        order[filled++] = w.places[p].at;
        p = step(&w, p);
    }
    if (filled != expected)
        return err_set(err, ERR_DEFECT, "the order of revisions has %zu of %zu", filled, expected);
    for (size_t i = 0; i < filled / 2; i++) {
        size_t swapped = order[i];
        order[i] = order[filled - 1 - i];
        order[filled - 1 - i] = swapped;
    }
    *count = filled;
    return 0;
}
