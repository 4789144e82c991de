/* migrations/auditops.c: what a statement does, read from the tree of PostgreSQL's parser.
 *
 * Data is never copied: of INSERT, UPDATE and DELETE only tables, columns and counts are told, of
 * code only its language. A definition (a column's, an index's) is the statement's own text. */
#include "migrations/auditparts.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrations/sqlparts.h"

/* ---- operations ------------------------------------------------------------------------------ */

struct audit_op *audit_add(struct audit_work *w, enum audit_kind kind)
{
    struct audit_ops *ops = w->ops;
    const struct audit_kind_row *row = &audit_kinds[kind];
    if (mem_grow(&ops->list, ops->count, &ops->capacity, sizeof(*ops->list)) != 0) {
        err_nomem(w->err);
        return NULL;
    }
    struct audit_op *op = &ops->list[ops->count++];
    *op = (struct audit_op){.kind = kind,
                            .object_type = row->object_type,
                            .schema = "",
                            .object = "",
                            .column = "",
                            .detail = "",
                            .new_name = "",
                            .table_schema = "",
                            .table = "",
                            .lock = row->lock,
                            .rewrites = row->rewrites,
                            .destructive = row->destructive,
                            .line = w->line,
                            .statement = w->statement};
    if (row->rule)
        audit_op_rule(op, row->rule);
    return op;
}

/* IF NOT EXISTS of what the chain has made: it stays what it was, and whose it was. */
bool audit_makes_nothing(struct audit_work *w, struct audit_op *op)
{
    if (!sql_tree_true(sql_tree_member(w->body, "if_not_exists")) ||
        !audit_known_is_there(w->known, op->schema, op->object))
        return false;
    op->detail = "is there already";
    return true;
}

/* Nobody waits for a table that the same revision makes, and there is nothing in it to rewrite. */
void audit_lock_table(struct audit_work *w, struct audit_op *op, const char *schema,
                      const char *table)
{
    op->table_schema = schema;
    op->table = table;
    op->on_new = audit_known_is_new(w->known, schema, table);
    if (!op->on_new)
        return;
    op->lock = LOCK_NONE;
    op->rewrites = ANSWER_NO;
    op->destructive = ANSWER_NO;
    op->rule_count = 0;
}

void audit_on_table(struct audit_work *w, struct audit_op *op, const char *range)
{
    audit_relation(w, range, &op->schema, &op->object);
    audit_lock_table(w, op, op->schema, op->object);
}

void audit_of_table(struct audit_work *w, struct audit_op *op, const char *range, const char *name,
                    const char *more)
{
    const char *schema, *table;
    audit_relation(w, range, &schema, &table);
    audit_lock_table(w, op, schema, table);
    op->schema = schema;
    op->object = name;
    op->detail = audit_printf(w, "on %s%s", table, *more ? ": " : "");
    op->detail = audit_printf(w, "%s%s", op->detail, more);
}

/* ---- indexes --------------------------------------------------------------------------------- */

static const char *index_columns(struct audit_work *w, const char *list)
{
    const char *text = "";
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        const char *name = audit_word(w, sql_tree_path(e, "IndexElem.name"));
        text = audit_printf(w, "%s%s%s", text, *text ? ", " : "", *name ? name : "(expression)");
    }
    return text;
}

static int on_index(struct audit_work *w)
{
    bool concurrent = sql_tree_true(sql_tree_member(w->body, "concurrent"));
    const char *relation = sql_tree_member(w->body, "relation");
    struct audit_op *op = audit_add(w, concurrent ? KIND_CREATE_INDEX_CONCURRENTLY
                                                  : KIND_CREATE_INDEX);
    if (!op)
        return -1;
    audit_of_table(w, op, relation, audit_word(w, sql_tree_member(w->body, "idxname")), "");
    op->column = index_columns(w, sql_tree_member(w->body, "indexParams"));
    op->detail = audit_printf(w, "%son %s",
                              sql_tree_true(sql_tree_member(w->body, "unique")) ? "unique " : "",
                              audit_clause(w, sql_tree_member(relation, "location")));
    if (concurrent && w->in_transaction)
        audit_op_rule(op, "ban-concurrent-index-creation-in-transaction");
    return 0;
}

static int on_reindex(struct audit_work *w)
{
    bool concurrent = false;
    const char *params = sql_tree_member(w->body, "params");
    for (const char *e = sql_tree_first(params); e; e = sql_tree_next(e))
        concurrent |= sql_tree_is(sql_tree_path(e, "DefElem.defname"), "concurrently");
    struct audit_op *op = audit_add(w, concurrent ? KIND_REINDEX_CONCURRENTLY : KIND_REINDEX);
    if (!op)
        return -1;
    const char *relation = sql_tree_member(w->body, "relation");
    if (relation)
        audit_relation(w, relation, &op->schema, &op->object);
    else
        op->object = audit_word(w, sql_tree_member(w->body, "name"));
    return 0;
}

/* ---- drops ----------------------------------------------------------------------------------- */

static const struct {
    const char *type;
    enum audit_kind kind;
    bool of_table; /* the name's last part is its own, those before it a table's */
} drops[] = {
    {"OBJECT_TABLE", KIND_DROP_TABLE, false},
    {"OBJECT_FOREIGN_TABLE", KIND_DROP_TABLE, false},
    {"OBJECT_VIEW", KIND_DROP_VIEW, false},
    {"OBJECT_MATVIEW", KIND_DROP_MATERIALIZED_VIEW, false},
    {"OBJECT_INDEX", KIND_DROP_INDEX, false},
    {"OBJECT_SEQUENCE", KIND_DROP_SEQUENCE, false},
    {"OBJECT_TYPE", KIND_DROP_TYPE, false},
    {"OBJECT_DOMAIN", KIND_DROP_DOMAIN, false},
    {"OBJECT_FUNCTION", KIND_DROP_FUNCTION, false},
    {"OBJECT_PROCEDURE", KIND_DROP_FUNCTION, false},
    {"OBJECT_ROUTINE", KIND_DROP_FUNCTION, false},
    {"OBJECT_AGGREGATE", KIND_DROP_FUNCTION, false},
    {"OBJECT_TRIGGER", KIND_DROP_TRIGGER, true},
    {"OBJECT_POLICY", KIND_DROP_POLICY, true},
    {"OBJECT_RULE", KIND_DROP_RULE, true},
    {"OBJECT_STATISTIC_EXT", KIND_DROP_STATISTICS, false},
    {"OBJECT_SCHEMA", KIND_DROP_SCHEMA, false},
    {"OBJECT_EXTENSION", KIND_DROP_EXTENSION, false},
};

/* ["s", "t", "trigger"] */
static void name_on_table(struct audit_work *w, struct audit_op *op, const char *items)
{
    const char *parts[3] = {"", "", ""};
    for (const char *e = sql_tree_first(items); e; e = sql_tree_next(e)) {
        parts[0] = parts[1];
        parts[1] = parts[2];
        parts[2] = audit_word(w, sql_tree_path(e, "String.sval"));
    }
    audit_lock_table(w, op, parts[0], parts[1]);
    op->schema = parts[0];
    op->object = parts[2];
    op->detail = audit_printf(w, "on %s", parts[1]);
}

static void name_dropped(struct audit_work *w, struct audit_op *op, const char *object)
{
    const char *function = sql_tree_member(object, "ObjectWithArgs");
    const char *type = sql_tree_member(object, "TypeName");
    if (function)
        audit_names(w, sql_tree_member(function, "objname"), &op->schema, &op->object);
    else if (type)
        audit_names(w, sql_tree_member(type, "names"), &op->schema, &op->object);
    else if (sql_tree_member(object, "List"))
        audit_names(w, sql_tree_path(object, "List.items"), &op->schema, &op->object);
    else
        op->object = audit_word(w, sql_tree_path(object, "String.sval"));
}

static void judge_drop(struct audit_work *w, struct audit_op *op)
{
    bool cascade = sql_tree_is(sql_tree_member(w->body, "behavior"), "DROP_CASCADE");
    if (cascade)
        op->detail = audit_printf(w, "%s%scascade", op->detail, *op->detail ? ", " : "");
    if (op->kind == KIND_DROP_SCHEMA && cascade)
        op->destructive = ANSWER_YES;
    else if (cascade && op->destructive == ANSWER_NO && !op->on_new)
        op->destructive = ANSWER_MAYBE; /* a column of a type that goes, goes with it */
    if (op->kind == KIND_DROP_TABLE)
        audit_known_drop(w->known, op->schema, op->object, NULL);
}

static int on_drop(struct audit_work *w)
{
    const char *type = sql_tree_member(w->body, "removeType");
    const char *objects = sql_tree_member(w->body, "objects");
    bool concurrent = sql_tree_true(sql_tree_member(w->body, "concurrent"));
    size_t row = 0;
    while (row < ARRAY_LEN(drops) && !sql_tree_is(type, drops[row].type))
        row++;
    bool known = row < ARRAY_LEN(drops);
    for (const char *e = sql_tree_first(objects); e; e = sql_tree_next(e)) {
        enum audit_kind kind = known ? drops[row].kind : KIND_DROP;
        if (kind == KIND_DROP_INDEX && concurrent)
            kind = KIND_DROP_INDEX_CONCURRENTLY;
        struct audit_op *op = audit_add(w, kind);
        if (!op)
            return -1;
        if (known && drops[row].of_table)
            name_on_table(w, op, sql_tree_path(e, "List.items"));
        else
            name_dropped(w, op, e);
        if (op->lock == LOCK_ACCESS_EXCLUSIVE && !(known && drops[row].of_table) &&
            kind != KIND_DROP_INDEX) /* whose table the statement does not name */
            audit_lock_table(w, op, op->schema, op->object);
        if (!known)
            op->detail = audit_word(w, type);
        judge_drop(w, op);
    }
    return 0;
}

/* ---- names and places ------------------------------------------------------------------------ */

void audit_name_object(struct audit_work *w, struct audit_op *op, const char *objtype)
{
    static const struct {
        const char *type, *word;
        enum audit_kind kind; /* in place of ALTER TABLE's; KIND_COUNT: as it is */
    } types[] = {
        {"OBJECT_VIEW", "view", KIND_ALTER_VIEW},
        {"OBJECT_MATVIEW", "materialized view", KIND_COUNT},
        {"OBJECT_INDEX", "index", KIND_ALTER_INDEX},
        {"OBJECT_SEQUENCE", "sequence", KIND_ALTER_SEQUENCE},
        {"OBJECT_TYPE", "type", KIND_ALTER_TYPE},
        {"OBJECT_DOMAIN", "domain", KIND_COUNT},
        {"OBJECT_FUNCTION", "function", KIND_COUNT},
        {"OBJECT_SCHEMA", "schema", KIND_COUNT},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!sql_tree_is(objtype, types[i].type))
            continue;
        op->object_type = types[i].word;
        if (types[i].kind != KIND_COUNT && op->kind != KIND_CHANGE_OWNER) {
            op->kind = types[i].kind;
            op->lock = op->on_new ? LOCK_NONE : audit_kinds[op->kind].lock;
            op->rule_count = 0;
        }
        if (!str_ends(types[i].word, "view") && !str_eq(types[i].word, "sequence") &&
            !str_eq(types[i].word, "index"))
            op->lock = LOCK_NONE;
    }
    w->no_memory |= !op->object_type;
}

static int on_rename(struct audit_work *w)
{
    static const struct {
        const char *type;
        enum audit_kind kind;
    } kinds[] = {
        {"OBJECT_TABLE", KIND_RENAME_TABLE},
        {"OBJECT_COLUMN", KIND_RENAME_COLUMN},
        {"OBJECT_TABCONSTRAINT", KIND_RENAME_CONSTRAINT},
        {"OBJECT_INDEX", KIND_RENAME_INDEX},
        {"OBJECT_VIEW", KIND_RENAME_VIEW},
    };
    const char *type = sql_tree_member(w->body, "renameType");
    const char *relation = sql_tree_member(w->body, "relation");
    size_t row = 0;
    while (row < ARRAY_LEN(kinds) && !sql_tree_is(type, kinds[row].type))
        row++;
    struct audit_op *op = audit_add(w, row < ARRAY_LEN(kinds) ? kinds[row].kind : KIND_RENAME);
    if (!op)
        return -1;
    const char *old = audit_word(w, sql_tree_member(w->body, "subname"));
    const char *new = audit_word(w, sql_tree_member(w->body, "newname"));
    if (relation)
        audit_on_table(w, op, relation);
    else
        name_dropped(w, op, sql_tree_member(w->body, "object"));
    if (op->kind == KIND_RENAME) {
        audit_name_object(w, op, type);
        op->lock = relation ? op->lock : LOCK_NONE;
    }
    if (op->kind == KIND_RENAME_CONSTRAINT)
        audit_of_table(w, op, relation, old, "");
    if (op->kind == KIND_RENAME_COLUMN)
        op->column = old;
    op->detail = audit_printf(w, "%s%sto %s", op->detail, *op->detail ? ": " : "", new);
    op->new_name = new;
    const char *column = op->kind == KIND_RENAME_COLUMN ? old : NULL;
    if ((column || op->kind == KIND_RENAME_TABLE) &&
        audit_known_rename(w->known, op->schema, op->object, column, new) != 0)
        return err_nomem(w->err);
    return 0;
}

/* ALTER ... SET SCHEMA, ALTER ... OWNER TO of what is no table. */
static int on_move(struct audit_work *w, enum audit_kind kind, const char *where)
{
    struct audit_op *op = audit_add(w, kind);
    const char *relation = sql_tree_member(w->body, "relation");
    if (!op)
        return -1;
    if (relation)
        audit_on_table(w, op, relation);
    else
        name_dropped(w, op, sql_tree_member(w->body, "object"));
    audit_name_object(w, op, sql_tree_member(w->body, "objectType"));
    op->lock = relation ? op->lock : LOCK_NONE;
    op->detail = *where ? audit_printf(w, "to %s", where) : "";
    return 0;
}

static int on_set_schema(struct audit_work *w)
{
    return on_move(w, KIND_CHANGE_SCHEMA, audit_word(w, sql_tree_member(w->body, "newschema")));
}

static int on_owner(struct audit_work *w)
{
    return on_move(w, KIND_CHANGE_OWNER,
                   audit_word(w, sql_tree_path(w->body, "newowner.rolename")));
}

/* ---- comments, rights ------------------------------------------------------------------------ */

static int on_comment(struct audit_work *w)
{
    struct audit_op *op = audit_add(w, KIND_COMMENT);
    if (!op)
        return -1;
    const char *type = sql_tree_member(w->body, "objtype");
    const char *object = sql_tree_member(w->body, "object");
    bool of_column = sql_tree_is(type, "OBJECT_COLUMN");
    bool of_table = sql_tree_is(type, "OBJECT_TABCONSTRAINT") ||
                    sql_tree_is(type, "OBJECT_TRIGGER") || sql_tree_is(type, "OBJECT_POLICY");
    if (of_column || of_table)
        name_on_table(w, op, sql_tree_path(object, "List.items"));
    else
        name_dropped(w, op, object);
    if (of_column) {
        op->column = op->object;
        op->object = op->table;
    } else if (sql_tree_is(type, "OBJECT_TABLE")) {
        audit_lock_table(w, op, op->schema, op->object);
    }
    op->object_type = of_column ? "column" : of_table ? "constraint" : "table";
    if (sql_tree_is(type, "OBJECT_TRIGGER") || sql_tree_is(type, "OBJECT_POLICY"))
        op->object_type = sql_tree_is(type, "OBJECT_TRIGGER") ? "trigger" : "policy";
    audit_name_object(w, op, type);
    op->lock = *op->table && !op->on_new ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_NONE;
    op->kind = KIND_COMMENT;
    op->detail = sql_tree_member(w->body, "comment") ? "" : "removed";
    return 0;
}

static const char *privileges_text(struct audit_work *w, const char *list)
{
    const char *text = "";
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e))
        text = audit_printf(w, "%s%s%s", text, *text ? ", " : "",
                            audit_word(w, sql_tree_path(e, "AccessPriv.priv_name")));
    return *text ? text : "all";
}

static int on_grant(struct audit_work *w)
{
    bool grants = sql_tree_true(sql_tree_member(w->body, "is_grant"));
    const char *objects = sql_tree_member(w->body, "objects");
    const char *roles = "";
    const char *grantees = sql_tree_member(w->body, "grantees");
    for (const char *e = sql_tree_first(grantees); e; e = sql_tree_next(e)) {
        const char *name = audit_word(w, sql_tree_path(e, "RoleSpec.rolename"));
        roles = audit_printf(w, "%s%s%s", roles, *roles ? ", " : "", *name ? name : "public");
    }
    const char *what = privileges_text(w, sql_tree_member(w->body, "privileges"));
    for (const char *e = sql_tree_first(objects); e; e = sql_tree_next(e)) {
        struct audit_op *op = audit_add(w, grants ? KIND_GRANT : KIND_REVOKE);
        if (!op)
            return -1;
        const char *range = sql_tree_member(e, "RangeVar");
        if (range)
            audit_relation(w, range, &op->schema, &op->object);
        else
            name_dropped(w, op, e);
        op->object_type = range ? "table" : "object";
        audit_name_object(w, op, sql_tree_member(w->body, "objtype"));
        op->kind = grants ? KIND_GRANT : KIND_REVOKE;
        op->lock = LOCK_NONE;
        op->detail = audit_printf(w, "%s %s %s", what, grants ? "to" : "from", roles);
    }
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *node;
    int (*take)(struct audit_work *w);
} nodes[] = {
    {"CreateStmt", audit_on_create_table},
    {"AlterTableStmt", audit_on_alter_table},
    {"IndexStmt", on_index},
    {"ReindexStmt", on_reindex},
    {"DropStmt", on_drop},
    {"RenameStmt", on_rename},
    {"AlterObjectSchemaStmt", on_set_schema},
    {"AlterOwnerStmt", on_owner},
    {"CommentStmt", on_comment},
    {"GrantStmt", on_grant},
};

int audit_take_statement(struct audit_work *w, const char *node)
{
    const char *statement = sql_tree_member(node, "stmt");
    size_t i = 0;
    while (i < ARRAY_LEN(nodes) && !(w->body = sql_tree_member(statement, nodes[i].node)))
        i++;
    int rc = i < ARRAY_LEN(nodes) ? nodes[i].take(w) : audit_take_data(w, statement);
    return rc == 0 && w->no_memory ? err_nomem(w->err) : rc;
}
