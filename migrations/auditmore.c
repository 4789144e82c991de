/* migrations/auditmore.c: views, types, functions, triggers and their like: what is no table, and
 * has a statement of its own. */
#include <string.h>

#include "base/str.h"
#include "migrations/auditparts.h"
#include "migrations/sqlparts.h"

static struct audit_op *add_on_table(struct audit_work *w, enum audit_kind kind, const char *range)
{
    struct audit_op *op = audit_add(w, kind);
    if (op)
        audit_on_table(w, op, range);
    return op;
}

/* Something with a name of its own, by a list of String nodes. */
static struct audit_op *add_named(struct audit_work *w, enum audit_kind kind, const char *names)
{
    struct audit_op *op = audit_add(w, kind);
    if (op)
        audit_names(w, names, &op->schema, &op->object);
    return op;
}

static struct audit_op *add_word(struct audit_work *w, enum audit_kind kind, const char *member)
{
    struct audit_op *op = audit_add(w, kind);
    if (op)
        op->object = audit_word(w, sql_tree_member(w->body, member));
    return op;
}

static int done(const struct audit_op *op)
{
    return op ? 0 : -1;
}

/* ---- views and tables of a query ------------------------------------------------------------- */

static int on_view(struct audit_work *w)
{
    bool replace = sql_tree_true(sql_tree_member(w->body, "replace"));
    struct audit_op *op = audit_add(w, replace ? KIND_REPLACE_VIEW : KIND_CREATE_VIEW);
    if (!op)
        return -1;
    audit_relation(w, sql_tree_member(w->body, "view"), &op->schema, &op->object);
    if (replace)
        audit_lock_table(w, op, op->schema, op->object);
    else if (audit_known_table(w->known, op->schema, op->object) != 0)
        return err_nomem(w->err);
    return 0;
}

static int on_create_as(struct audit_work *w)
{
    bool view = sql_tree_is(sql_tree_member(w->body, "objtype"), "OBJECT_MATVIEW");
    struct audit_op *op = audit_add(w, view ? KIND_CREATE_MATERIALIZED_VIEW : KIND_CREATE_TABLE_AS);
    if (!op)
        return -1;
    audit_relation(w, sql_tree_path(w->body, "into.rel"), &op->schema, &op->object);
    if (!audit_makes_nothing(w, op) && audit_known_table(w->known, op->schema, op->object) != 0)
        return err_nomem(w->err);
    return 0;
}

static int on_refresh(struct audit_work *w)
{
    bool concurrent = sql_tree_true(sql_tree_member(w->body, "concurrent"));
    return done(add_on_table(w, concurrent ? KIND_REFRESH_CONCURRENTLY : KIND_REFRESH,
                             sql_tree_member(w->body, "relation")));
}

/* ---- sequences, types ------------------------------------------------------------------------ */

static int on_create_sequence(struct audit_work *w)
{
    struct audit_op *op = audit_add(w, KIND_CREATE_SEQUENCE);
    if (!op)
        return -1;
    audit_relation(w, sql_tree_member(w->body, "sequence"), &op->schema, &op->object);
    if (!audit_makes_nothing(w, op) && audit_known_table(w->known, op->schema, op->object) != 0)
        return err_nomem(w->err);
    return 0;
}

static int on_alter_sequence(struct audit_work *w)
{
    return done(add_on_table(w, KIND_ALTER_SEQUENCE, sql_tree_member(w->body, "sequence")));
}

static int on_enum(struct audit_work *w)
{
    struct audit_op *op = add_named(w, KIND_CREATE_TYPE, sql_tree_member(w->body, "typeName"));
    if (op)
        op->detail = audit_printf(w, "enum: %s",
                                  audit_list_text(w, sql_tree_member(w->body, "vals")));
    return done(op);
}

static int on_composite(struct audit_work *w)
{
    struct audit_op *op = audit_add(w, KIND_CREATE_TYPE);
    if (!op)
        return -1;
    audit_relation(w, sql_tree_member(w->body, "typevar"), &op->schema, &op->object);
    op->detail = "composite";
    return 0;
}

static int on_range(struct audit_work *w)
{
    struct audit_op *op = add_named(w, KIND_CREATE_TYPE, sql_tree_member(w->body, "typeName"));
    if (op)
        op->detail = "range";
    return done(op);
}

static int on_alter_enum(struct audit_work *w)
{
    const char *old = audit_word(w, sql_tree_member(w->body, "oldVal"));
    const char *new = audit_word(w, sql_tree_member(w->body, "newVal"));
    const char *neighbour = audit_word(w, sql_tree_member(w->body, "newValNeighbor"));
    struct audit_op *op = add_named(w, *old ? KIND_RENAME_ENUM_VALUE : KIND_ADD_ENUM_VALUE,
                                    sql_tree_member(w->body, "typeName"));
    if (!op)
        return -1;
    bool after = sql_tree_true(sql_tree_member(w->body, "newValIsAfter"));
    if (*old)
        op->detail = audit_printf(w, "%s to %s", old, new);
    else if (*neighbour)
        op->detail = audit_printf(w, "%s %s %s", new, after ? "after" : "before", neighbour);
    else
        op->detail = new;
    return 0;
}

static int on_domain(struct audit_work *w)
{
    struct audit_op *op = add_named(w, KIND_CREATE_DOMAIN, sql_tree_member(w->body, "domainname"));
    if (!op)
        return -1;
    op->detail = audit_clause(w, sql_tree_path(w->body, "typeName.location"));
    const char *list = sql_tree_member(w->body, "constraints");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        if (sql_tree_is(sql_tree_path(e, "Constraint.contype"), "CONSTR_CHECK"))
            audit_op_rule(op, "ban-create-domain-with-constraint");
    }
    return 0;
}

static int on_alter_domain(struct audit_work *w)
{
    struct audit_op *op = add_named(w, KIND_ALTER_DOMAIN, sql_tree_member(w->body, "typeName"));
    if (!op)
        return -1;
    const char *constraint = sql_tree_path(w->body, "def.Constraint");
    if (constraint) {
        op->detail = audit_clause(w, sql_tree_member(constraint, "location"));
        audit_op_rule(op, "ban-alter-domain-with-add-constraint");
    }
    return 0;
}

/* ---- functions, triggers, policies, rules ---------------------------------------------------- */

static int on_function(struct audit_work *w)
{
    bool replace = sql_tree_true(sql_tree_member(w->body, "replace"));
    struct audit_op *op = add_named(w, replace ? KIND_REPLACE_FUNCTION : KIND_CREATE_FUNCTION,
                                    sql_tree_member(w->body, "funcname"));
    if (!op)
        return -1;
    const char *language = "sql", *options = sql_tree_member(w->body, "options");
    for (const char *e = sql_tree_first(options); e; e = sql_tree_next(e)) {
        if (sql_tree_is(sql_tree_path(e, "DefElem.defname"), "language"))
            language = audit_word(w, sql_tree_path(e, "DefElem.arg.String.sval"));
    }
    if (sql_tree_true(sql_tree_member(w->body, "is_procedure")))
        op->detail = audit_printf(w, "procedure, in %s", language);
    else
        op->detail = audit_printf(w, "returns %s, in %s",
                                  audit_type_text(w, sql_tree_member(w->body, "returnType")),
                                  language);
    return 0;
}

static int on_alter_function(struct audit_work *w)
{
    return done(add_named(w, KIND_ALTER_FUNCTION, sql_tree_path(w->body, "func.objname")));
}

static int add_of_table(struct audit_work *w, enum audit_kind kind, const char *name,
                        const char *table, const char *more)
{
    struct audit_op *op = audit_add(w, kind);
    if (op)
        audit_of_table(w, op, sql_tree_member(w->body, table),
                       audit_word(w, sql_tree_member(w->body, name)), more);
    return done(op);
}

static int on_trigger(struct audit_work *w)
{
    const char *schema, *function;
    audit_names(w, sql_tree_member(w->body, "funcname"), &schema, &function);
    return add_of_table(w,
                        sql_tree_true(sql_tree_member(w->body, "replace")) ? KIND_REPLACE_TRIGGER
                                                                           : KIND_CREATE_TRIGGER,
                        "trigname", "relation", audit_printf(w, "runs %s()", function));
}

static int on_policy(struct audit_work *w)
{
    return add_of_table(w, KIND_CREATE_POLICY, "policy_name", "table", "");
}

static int on_alter_policy(struct audit_work *w)
{
    return add_of_table(w, KIND_ALTER_POLICY, "policy_name", "table", "");
}

static int on_rule(struct audit_work *w)
{
    return add_of_table(w, KIND_CREATE_RULE, "rulename", "relation", "");
}

static int on_statistics(struct audit_work *w)
{
    struct audit_op *op = audit_add(w, KIND_CREATE_STATISTICS);
    if (!op)
        return -1;
    const char *schema, *name;
    audit_names(w, sql_tree_member(w->body, "defnames"), &schema, &name);
    audit_of_table(w, op,
                   sql_tree_path(sql_tree_first(sql_tree_member(w->body, "relations")), "RangeVar"),
                   name, "");
    return 0;
}

/* ---- schemas, extensions, databases ---------------------------------------------------------- */

static int on_schema(struct audit_work *w)
{
    return done(add_word(w, KIND_CREATE_SCHEMA, "schemaname"));
}

static int on_extension(struct audit_work *w)
{
    return done(add_word(w, KIND_CREATE_EXTENSION, "extname"));
}

static int on_alter_extension(struct audit_work *w)
{
    return done(add_word(w, KIND_ALTER_EXTENSION, "extname"));
}

static int on_drop_database(struct audit_work *w)
{
    return done(add_word(w, KIND_DROP_DATABASE, "dbname"));
}

/* What takes no lock on a table and loses nothing, but has no row of its own: by the parser's name
 * for it, without its text, which may hold a password. */
static int on_other(struct audit_work *w, const char *statement)
{
    static const char *const harmless[] = {"CreateRoleStmt",
                                           "AlterRoleStmt",
                                           "GrantRoleStmt",
                                           "AlterDefaultPrivilegesStmt",
                                           "DefineStmt",
                                           "CreateCastStmt",
                                           "CreateForeignServerStmt",
                                           "CreateUserMappingStmt",
                                           "CreateFdwStmt",
                                           "CreatePublicationStmt",
                                           "CreateEventTrigStmt",
                                           "CreatePLangStmt",
                                           "VariableShowStmt",
                                           "CheckPointStmt",
                                           "NotifyStmt",
                                           NULL};
    struct audit_op *op = audit_add(w, KIND_OTHER);
    if (!op)
        return -1;
    const char *name = statement ? statement + strlen("{\"") : "";
    op->detail = audit_printf(w, "%.*s", (int)strcspn(name, "\""), name);
    for (const char *const *h = harmless; *h; h++) {
        if (!str_eq(op->detail, *h))
            continue;
        op->lock = LOCK_NONE;
        op->rewrites = op->destructive = ANSWER_NO;
    }
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *node;
    int (*take)(struct audit_work *w);
} nodes[] = {
    {"ViewStmt", on_view},
    {"CreateTableAsStmt", on_create_as},
    {"RefreshMatViewStmt", on_refresh},
    {"CreateSeqStmt", on_create_sequence},
    {"AlterSeqStmt", on_alter_sequence},
    {"CreateEnumStmt", on_enum},
    {"CompositeTypeStmt", on_composite},
    {"CreateRangeStmt", on_range},
    {"AlterEnumStmt", on_alter_enum},
    {"CreateDomainStmt", on_domain},
    {"AlterDomainStmt", on_alter_domain},
    {"CreateFunctionStmt", on_function},
    {"AlterFunctionStmt", on_alter_function},
    {"CreateTrigStmt", on_trigger},
    {"CreatePolicyStmt", on_policy},
    {"AlterPolicyStmt", on_alter_policy},
    {"RuleStmt", on_rule},
    {"CreateStatsStmt", on_statistics},
    {"CreateSchemaStmt", on_schema},
    {"CreateExtensionStmt", on_extension},
    {"AlterExtensionStmt", on_alter_extension},
    {"DropdbStmt", on_drop_database},
};

int audit_take_object(struct audit_work *w, const char *statement)
{
    size_t i = 0;
    while (i < ARRAY_LEN(nodes) && !(w->body = sql_tree_member(statement, nodes[i].node)))
        i++;
    return i < ARRAY_LEN(nodes) ? nodes[i].take(w) : on_other(w, statement);
}
