/* migrations/sqlversion.c: statements about the version table: what Alembic's offline SQL and a
 * dump of a stamped database hold. */
#include "migrations/sqlparts.h"

#include "base/str.h"

int sql_set_class(struct sql_work *w, enum sql_class class_, const char *reason)
{
    w->out->class_ = class_;
    w->out->reason = reason;
    return 0;
}

char *sql_work_text(struct sql_work *w, const char *value)
{
    char *text = sql_tree_text(w->context->memory, value);
    if (!text && value && *value == '"')
        w->no_memory = true;
    return text;
}

bool sql_is_version_table(struct sql_work *w, const char *relation)
{
    const struct sql_settings *s = w->context->settings;
    if (!s->version_table)
        return false;
    const char *name = sql_work_text(w, sql_tree_member(relation, "relname"));
    const char *schema = sql_work_text(w, sql_tree_member(relation, "schemaname"));
    return str_eq(name, s->version_table) &&
           (!schema || !s->version_schema || str_eq(schema, s->version_schema));
}

const char *sql_constant_text(struct sql_work *w, const char *node)
{
    return sql_work_text(w, sql_tree_path(node, "A_Const.sval.sval"));
}

/* ---- the version table ----------------------------------------------------------------------- */

static int type_width(const char *type)
{
    const char *name = sql_tree_path(sql_tree_last(sql_tree_member(type, "names")), "String.sval");
    const char *typmod = sql_tree_first(sql_tree_member(type, "typmods"));
    if (typmod)
        return (int)sql_tree_number(sql_tree_path(typmod, "A_Const.ival.ival"));
    return sql_tree_is(name, "bpchar") ? 1 : SQL_WIDTH_UNBOUNDED;
}

int sql_version_on_create(struct sql_work *w)
{
    if (!sql_is_version_table(w, sql_tree_member(w->body, "relation")))
        return sql_set_class(w, SQL_PLAIN, NULL);
    const char *list = sql_tree_member(w->body, "tableElts");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        const char *column = sql_tree_member(e, "ColumnDef");
        if (sql_tree_is(sql_tree_member(column, "colname"), "version_num"))
            w->out->version_width = type_width(sql_tree_member(column, "typeName"));
    }
    return sql_set_class(w, SQL_VERSION_TABLE, NULL);
}

int sql_version_on_alter(struct sql_work *w)
{
    bool key_only = true;
    for (const char *e = sql_tree_first(sql_tree_member(w->body, "cmds")); e;
         e = sql_tree_next(e)) {
        const char *command = sql_tree_member(e, "AlterTableCmd");
        const char *subtype = sql_tree_member(command, "subtype");
        if (sql_tree_is(subtype, "AT_AlterColumnType"))
            w->out->version_width = type_width(sql_tree_path(command, "def.ColumnDef.typeName"));
        key_only = key_only && sql_tree_is(subtype, "AT_AddConstraint") &&
                   sql_tree_is(sql_tree_path(command, "def.Constraint.contype"), "CONSTR_PRIMARY");
    }
    if (key_only)
        return sql_set_class(w, SQL_VERSION_TABLE, "the primary key");
    return sql_set_class(w, SQL_VERSION_OTHER, NULL);
}

static int other_rows(struct sql_work *w, const char *reason)
{
    return sql_set_class(w, SQL_VERSION_OTHER, reason);
}

/* INSERT INTO alembic_version (version_num) VALUES ('a'), ('b') */
int sql_version_on_insert(struct sql_work *w)
{
    static const char reason[] = "an INSERT of other than literal ids";
    if (!sql_is_version_table(w, sql_tree_member(w->body, "relation")))
        return sql_set_class(w, SQL_PLAIN, NULL);
    const char *lists = sql_tree_path(w->body, "selectStmt.SelectStmt.valuesLists");
    size_t count = 0;
    for (const char *e = sql_tree_first(lists); e; e = sql_tree_next(e))
        count++;
    const char **more = arena_new(w->context->memory, count + 1, sizeof(*more));
    if (!more)
        return err_nomem(w->err);
    size_t i = 0;
    for (const char *e = sql_tree_first(lists); e; e = sql_tree_next(e), i++) {
        const char *items = sql_tree_path(e, "List.items");
        const char *id = sql_constant_text(w, sql_tree_first(items));
        if (!id || sql_tree_next(sql_tree_first(items)))
            return other_rows(w, reason);
        *(i == 0 ? &w->out->new_revision : &more[i - 1]) = id;
    }
    if (count == 0)
        return other_rows(w, reason);
    *w->more = count > 1 ? more : NULL;
    return sql_set_class(w, SQL_VERSION_INSERT, NULL);
}

/* The literal of WHERE version_num = 'literal', or NULL. */
static const char *where_equals(struct sql_work *w)
{
    const char *expr = sql_tree_path(w->body, "whereClause.A_Expr");
    const char *equals = sql_tree_first(sql_tree_member(expr, "name"));
    if (!sql_tree_is(sql_tree_member(expr, "kind"), "AEXPR_OP") ||
        !sql_tree_is(sql_tree_path(equals, "String.sval"), "=") ||
        !sql_tree_path(expr, "lexpr.ColumnRef"))
        return NULL;
    return sql_constant_text(w, sql_tree_member(expr, "rexpr"));
}

int sql_version_on_update(struct sql_work *w)
{
    if (!sql_is_version_table(w, sql_tree_member(w->body, "relation")))
        return sql_set_class(w, SQL_PLAIN, NULL);
    const char *target = sql_tree_first(sql_tree_member(w->body, "targetList"));
    const char *id = sql_constant_text(w, sql_tree_path(target, "ResTarget.val"));
    const char *old = where_equals(w);
    if (!id || !old || sql_tree_next(target))
        return other_rows(w, "an UPDATE that does not name one id");
    w->out->old_revision = old;
    w->out->new_revision = id;
    return sql_set_class(w, SQL_VERSION_UPDATE, NULL);
}

int sql_version_on_delete(struct sql_work *w)
{
    if (!sql_is_version_table(w, sql_tree_member(w->body, "relation")))
        return sql_set_class(w, SQL_PLAIN, NULL);
    w->out->old_revision = where_equals(w);
    if (!w->out->old_revision)
        return other_rows(w, "a DELETE that does not name one id");
    return sql_set_class(w, SQL_VERSION_DELETE, NULL);
}

int sql_version_on_truncate(struct sql_work *w)
{
    const char *list = sql_tree_member(w->body, "relations");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        if (sql_is_version_table(w, sql_tree_member(e, "RangeVar")))
            return other_rows(w, "a TRUNCATE");
    }
    return sql_set_class(w, SQL_PLAIN, NULL);
}

/* COPY of data is told from the tokens (the cutter must know where the data starts); here it only
 * matters whether it fills the version table: sql.c reads the rows. */
int sql_version_on_copy(struct sql_work *w)
{
    if (sql_is_version_table(w, sql_tree_member(w->body, "relation")) &&
        sql_tree_true(sql_tree_member(w->body, "is_from")))
        return sql_set_class(w, SQL_VERSION_INSERT, NULL);
    return sql_set_class(w, SQL_PLAIN, NULL);
}
