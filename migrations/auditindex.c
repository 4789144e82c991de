/* migrations/auditindex.c: the inventory: all migrations in a table, what they come to, and which
 * of them touched which table. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrations/auditparts.h"

/* ---- totals ---------------------------------------------------------------------------------- */

struct totals {
    size_t operations, rewriting, losing, locking, undoable, unknown, recorded, differing;
};

static struct totals count_all(const struct audit_revision *all, size_t count)
{
    struct totals t = {0};
    for (size_t i = 0; i < count; i++) {
        struct audit_sum sum;
        audit_sum_up(&all[i], &sum);
        t.operations += all[i].ops.count;
        t.rewriting += sum.rewrites == ANSWER_YES;
        t.losing += sum.loses == ANSWER_YES;
        t.locking += sum.heaviest && sum.heaviest->lock == LOCK_ACCESS_EXCLUSIVE;
        t.undoable += sum.reversible == ANSWER_YES;
        t.recorded += all[i].live.recorded;
        t.differing += audit_live_differs(&all[i]);
        t.unknown += sum.is_unknown;
    }
    return t;
}

static void add_heads(const char *what, const char **ids, size_t count, struct buf *out)
{
    buf_addf(out, "| %s |", what);
    for (size_t i = 0; i < count; i++) {
        buf_addc(out, ' ');
        audit_add_code(out, ids[i]);
    }
    buf_adds(out, " |\n");
}

static void add_totals(const struct graph *g, const struct audit_revision *all, struct buf *out)
{
    struct totals t = count_all(all, g->count);
    buf_addf(out,
             "| | |\n|---|---|\n| migrations | %zu |\n| operations | %zu |\n"
             "| that block reads and writes of a table | %zu |\n| that rewrite a table | %zu |\n"
             "| that lose data | %zu |\n| that can be undone | %zu |\n"
             "| that are not all known offline | %zu |\n",
             g->count, t.operations, t.locking, t.rewriting, t.losing, t.undoable, t.unknown);
    if (t.recorded > 0)
        buf_addf(out, "| whose live run did something else than was asked for | %zu |\n",
                 t.differing);
    add_heads("heads", g->heads, g->head_count, out);
    add_heads("bases", g->bases, g->base_count, out);
}

/* ---- migrations ------------------------------------------------------------------------------ */

static void add_migration(const struct audit_revision *r, struct buf *out)
{
    struct audit_sum sum;
    audit_sum_up(r, &sum);
    buf_addf(out, "| %.*s | [", (int)strspn(r->base_name, "0123456789"), r->base_name);
    audit_add_markdown(out, r->revision->id);
    buf_adds(out, "](");
    str_add_percent(out, r->base_name, strlen(r->base_name));
    buf_adds(out, ".md) | ");
    audit_add_markdown(out, r->revision->message);
    buf_adds(out, " | ");
    size_t day = strcspn(r->source.date, " T");
    AUTO_BUF date = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    buf_add(&date, r->source.date, day);
    out->no_memory |= date.no_memory;
    audit_add_markdown(out, buf_text(&date));
    buf_addf(out, " | %zu | %s | %s | %s | %s | ", r->ops.count,
             sum.heaviest ? audit_lock_word(sum.heaviest->lock) : "",
             audit_answer_word(sum.rewrites), audit_answer_word(sum.loses),
             audit_answer_word(sum.reversible));
    for (size_t i = 0; i < sum.rule_count; i++)
        buf_addf(out, "%s%s", i ? ", " : "", sum.rules[i]);
    buf_adds(out, " |\n");
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct touch {
    const char *schema, *table;
    const struct audit_revision *revision;
};

static int compare_touch(const void *a, const void *b)
{
    const struct touch *left = a, *right = b;
    int by_schema = strcmp(left->schema, right->schema);
    int by_table = by_schema ? by_schema : strcmp(left->table, right->table);
    if (by_table)
        return by_table;
    return (left->revision->number > right->revision->number) -
           (left->revision->number < right->revision->number);
}

static bool is_same_table(const struct touch *a, const struct touch *b)
{
    return str_eq(a->schema, b->schema) && str_eq(a->table, b->table);
}

static size_t list_touches(const struct audit_revision *r, struct touch *out)
{
    size_t count = 0;
    for (size_t i = 0; i < r->ops.count; i++) {
        const struct audit_op *op = &r->ops.list[i];
        bool makes = op->kind == KIND_CREATE_TABLE || op->kind == KIND_CREATE_TABLE_AS;
        struct touch t = {.schema = makes ? op->schema : op->table_schema,
                          .table = makes ? op->object : op->table,
                          .revision = r};
        bool known = *t.table == '\0' || strstr(op->object_type, "view") ||
                     str_eq(op->object_type, "sequence");
        for (size_t k = 0; k < count && !known; k++)
            known = is_same_table(&out[k], &t);
        if (!known)
            out[count++] = t;
    }
    return count;
}

static void add_tables(const struct audit_revision *all, size_t revisions, struct buf *out)
{
    size_t room = 0, count = 0;
    for (size_t i = 0; i < revisions; i++)
        room += all[i].ops.count;
    AUTO_FREE struct touch *touches = mem_new(room + 1, sizeof(*touches));
    if (!touches) {
        out->no_memory = true;
        return;
    }
    for (size_t i = 0; i < revisions; i++)
        count += list_touches(&all[i], touches + count);
    qsort(touches, count, sizeof(*touches), compare_touch);
    buf_adds(out, "\n## Tables\n\n| table | touched by |\n|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        bool first = i == 0 || !is_same_table(&touches[i - 1], &touches[i]);
        if (first) {
            buf_adds(out, i > 0 ? " |\n| " : "| ");
            audit_add_markdown(out, touches[i].schema);
            buf_adds(out, *touches[i].schema ? "." : "");
            audit_add_markdown(out, touches[i].table);
            buf_adds(out, " |");
        }
        const char *name = touches[i].revision->base_name;
        buf_addf(out, " [%.*s](", (int)strspn(name, "0123456789"), name);
        str_add_percent(out, name, strlen(name));
        buf_adds(out, ".md)");
    }
    buf_adds(out, count > 0 ? " |\n" : "");
}

void audit_write_inventory(const struct graph *graph, const struct audit_revision *all,
                           struct buf *out)
{
    buf_adds(out, "# Migrations\n\nWhat each migration asks for, from its offline SQL; written by "
                  "`agent audit`, which `agent audit --check` compares.\n\n");
    add_totals(graph, all, out);
    buf_adds(out, "\n![the revision graph](graph.svg)\n\n"
                  "| # | revision | message | date | operations | heaviest lock | rewrites | "
                  "loses data | can be undone | rules |\n"
                  "|---|---|---|---|---:|---|---|---|---|---|\n");
    for (size_t i = 0; i < graph->count; i++)
        add_migration(&all[i], out);
    add_tables(all, graph->count, out);
}
