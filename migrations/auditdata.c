/* migrations/auditdata.c: statements about rows, queries, code that is run, settings. */
#include <string.h>

#include "base/str.h"
#include "migrations/auditparts.h"
#include "migrations/sqlparts.h"

enum {
    LOCK_MODE_FIRST = 1, /* the server's numbers of lock modes: AccessShareLock ... */
    LOCK_MODE_LAST = 8,  /* ... AccessExclusiveLock */
};

static size_t length_of(const char *list)
{
    size_t count = 0;
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e))
        count++;
    return count;
}

static struct audit_op *add_on_table(struct audit_work *w, enum audit_kind kind, const char *range)
{
    struct audit_op *op = audit_add(w, kind);
    if (op)
        audit_on_table(w, op, range);
    return op;
}

static int done(const struct audit_op *op)
{
    return op ? 0 : -1;
}

static const char *target_names(struct audit_work *w, const char *list)
{
    const char *text = "";
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e))
        text = audit_printf(w, "%s%s%s", text, *text ? ", " : "",
                            audit_word(w, sql_tree_path(e, "ResTarget.name")));
    return text;
}

/* Whether each column that is set was added by the same revision: then nothing is overwritten. */
static bool sets_new_columns(struct audit_work *w, const struct audit_op *op, const char *list)
{
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        const char *name = audit_word(w, sql_tree_path(e, "ResTarget.name"));
        if (!audit_known_column_is_new(w->known, op->schema, op->object, name))
            return false;
    }
    return sql_tree_first(list);
}

static int on_insert(struct audit_work *w)
{
    struct audit_op *op = add_on_table(w, KIND_INSERT, sql_tree_member(w->body, "relation"));
    if (!op)
        return -1;
    size_t rows = length_of(sql_tree_path(w->body, "selectStmt.SelectStmt.valuesLists"));
    op->lock = op->on_new ? LOCK_NONE : LOCK_ROW_EXCLUSIVE;
    op->column = target_names(w, sql_tree_member(w->body, "cols"));
    op->detail = rows ? audit_printf(w, "%zu row%s", rows, rows == 1 ? "" : "s") : "from a query";
    if (sql_tree_is(sql_tree_path(w->body, "onConflictClause.action"), "ONCONFLICT_UPDATE") &&
        !op->on_new) {
        op->destructive = ANSWER_MAYBE;
        op->detail = audit_printf(w, "%s, updates on conflict", op->detail);
    }
    return 0;
}

static int on_update(struct audit_work *w)
{
    const char *targets = sql_tree_member(w->body, "targetList");
    struct audit_op *op = add_on_table(w, KIND_UPDATE, sql_tree_member(w->body, "relation"));
    if (!op)
        return -1;
    op->column = target_names(w, targets);
    op->detail = sql_tree_member(w->body, "whereClause") ? "rows of a condition" : "every row";
    if (sets_new_columns(w, op, targets))
        op->destructive = ANSWER_NO;
    return 0;
}

static int on_delete(struct audit_work *w)
{
    struct audit_op *op = add_on_table(w, KIND_DELETE, sql_tree_member(w->body, "relation"));
    if (op)
        op->detail = sql_tree_member(w->body, "whereClause") ? "rows of a condition" : "every row";
    return done(op);
}

static int on_merge(struct audit_work *w)
{
    return done(add_on_table(w, KIND_MERGE, sql_tree_member(w->body, "relation")));
}

static int on_truncate(struct audit_work *w)
{
    bool cascade = sql_tree_is(sql_tree_member(w->body, "behavior"), "DROP_CASCADE");
    const char *list = sql_tree_member(w->body, "relations");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        struct audit_op *op = add_on_table(w, KIND_TRUNCATE, sql_tree_member(e, "RangeVar"));
        if (!op)
            return -1;
        op->detail = cascade ? "cascade" : "";
        if (cascade)
            audit_op_rule(op, "ban-truncate-cascade");
    }
    return 0;
}

static int on_copy(struct audit_work *w)
{
    struct audit_op *op = add_on_table(w, KIND_COPY, sql_tree_member(w->body, "relation"));
    if (op && !sql_tree_true(sql_tree_member(w->body, "is_from")))
        op->lock = op->on_new ? LOCK_NONE : LOCK_ACCESS_SHARE;
    return done(op);
}

/* A function can do anything, and only its name is here. */
static int on_select(struct audit_work *w)
{
    static const char key[] = "\"FuncCall\":";
    struct audit_op *op = audit_add(w, KIND_SELECT);
    if (!op)
        return -1;
    const char *call = strstr(w->body, key), *end = sql_tree_behind(w->body);
    if (!call || call > end)
        return 0;
    audit_names(w, sql_tree_member(call + sizeof(key) - 1, "funcname"), &op->schema, &op->object);
    op->detail = audit_printf(w, "calls %s()", op->object);
    op->destructive = ANSWER_MAYBE;
    return 0;
}

static int on_do(struct audit_work *w)
{
    struct audit_op *op = audit_add(w, KIND_DO);
    if (op)
        op->detail = "what it does is known when it runs";
    return done(op);
}

static int on_call(struct audit_work *w)
{
    struct audit_op *op = audit_add(w, KIND_DO);
    if (!op)
        return -1;
    audit_names(w, sql_tree_path(w->body, "funccall.funcname"), &op->schema, &op->object);
    op->detail = "a procedure is called";
    return 0;
}

static int on_lock(struct audit_work *w)
{
    size_t mode = sql_tree_number(sql_tree_member(w->body, "mode"));
    const char *list = sql_tree_member(w->body, "relations");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        struct audit_op *op = add_on_table(w, KIND_LOCK, sql_tree_member(e, "RangeVar"));
        if (!op)
            return -1;
        if (!op->on_new && mode >= LOCK_MODE_FIRST && mode <= LOCK_MODE_LAST)
            op->lock = (enum audit_lock)mode; /* in the same order as the server's */
    }
    return 0;
}

static int on_set(struct audit_work *w)
{
    struct audit_op *op = audit_add(w, KIND_SET);
    if (op)
        op->object = audit_word(w, sql_tree_member(w->body, "name"));
    return done(op);
}

static int on_vacuum(struct audit_work *w)
{
    bool vacuums = sql_tree_true(sql_tree_member(w->body, "is_vacuumcmd")), full = false;
    const char *options = sql_tree_member(w->body, "options");
    for (const char *e = sql_tree_first(options); e; e = sql_tree_next(e))
        full |= sql_tree_is(sql_tree_path(e, "DefElem.defname"), "full");
    struct audit_op *op = audit_add(w, vacuums ? KIND_VACUUM : KIND_ANALYZE);
    if (!op)
        return -1;
    const char *first = sql_tree_first(sql_tree_member(w->body, "rels"));
    if (first)
        audit_on_table(w, op, sql_tree_path(first, "VacuumRelation.relation"));
    if (full && !op->on_new) {
        op->lock = LOCK_ACCESS_EXCLUSIVE;
        op->rewrites = ANSWER_YES;
        op->detail = "full";
    }
    return 0;
}

static int on_cluster(struct audit_work *w)
{
    return done(add_on_table(w, KIND_CLUSTER, sql_tree_member(w->body, "relation")));
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *node;
    int (*take)(struct audit_work *w);
} nodes[] = {
    {"InsertStmt", on_insert},     {"UpdateStmt", on_update},
    {"DeleteStmt", on_delete},     {"MergeStmt", on_merge},
    {"TruncateStmt", on_truncate}, {"CopyStmt", on_copy},
    {"SelectStmt", on_select},     {"DoStmt", on_do},
    {"CallStmt", on_call},         {"LockStmt", on_lock},
    {"VariableSetStmt", on_set},   {"VacuumStmt", on_vacuum},
    {"ClusterStmt", on_cluster},
};

/* The statements of WITH that change data: they come first. */
static int take_with(struct audit_work *w, const char *body)
{
    const char *list = sql_tree_path(body, "withClause.ctes");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        const char *query = sql_tree_path(e, "CommonTableExpr.ctequery");
        if (query && !sql_tree_member(query, "SelectStmt") && audit_take_data(w, query) != 0)
            return -1;
    }
    return 0;
}

int audit_take_data(struct audit_work *w, const char *statement)
{
    size_t i = 0;
    while (i < ARRAY_LEN(nodes) && !(w->body = sql_tree_member(statement, nodes[i].node)))
        i++;
    if (i == ARRAY_LEN(nodes))
        return audit_take_object(w, statement);
    const char *body = w->body;
    if (take_with(w, body) != 0)
        return -1;
    w->body = body;
    return nodes[i].take(w);
}
