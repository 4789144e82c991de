/* migrations/auditalter.c: ALTER TABLE and CREATE TABLE: columns, constraints, and what a table is
 * told besides. */
#include "migrations/auditparts.h"

#include <string.h>

#include "base/str.h"
#include "migrations/sqlparts.h"

/* ---- defaults -------------------------------------------------------------------------------- */

/* Functions whose result is the same for each row of a statement (immutable or stable). Source: the
 * manual's "Function Volatility Categories"; pg_proc.provolatile of PostgreSQL 15. */
static const char *const steady_functions[] = {"now",
                                               "transaction_timestamp",
                                               "statement_timestamp",
                                               "current_setting",
                                               "date_trunc",
                                               "jsonb_build_object",
                                               "jsonb_build_array",
                                               "json_build_object",
                                               "json_build_array",
                                               "make_interval",
                                               "to_jsonb",
                                               "to_timestamp",
                                               "timezone",
                                               "lower",
                                               "upper",
                                               "md5",
                                               "concat",
                                               "length",
                                               "round",
                                               "decode",
                                               "encode",
                                               NULL};
static const char *const volatile_functions[] = {"gen_random_uuid",
                                                 "uuid_generate_v1",
                                                 "uuid_generate_v1mc",
                                                 "uuid_generate_v4",
                                                 "gen_random_bytes",
                                                 "random",
                                                 "clock_timestamp",
                                                 "timeofday",
                                                 "nextval",
                                                 NULL};

static bool is_one_of(const char *value, const char *const *names)
{
    for (; *names; names++) {
        if (sql_tree_is(value, *names))
            return true;
    }
    return false;
}

/* Whether an expression has to be computed for each row. A quote inside of a JSON string is
 * escaped, so that this text occurs as a key alone. */
static enum audit_answer is_volatile(const char *expression)
{
    static const char key[] = "\"FuncCall\":";
    enum audit_answer answer = ANSWER_NO;
    const char *end = expression ? sql_tree_behind(expression) : NULL;
    for (const char *p = expression ? strstr(expression, key) : NULL; p && p < end;
         p = strstr(p, key)) {
        p += sizeof(key) - 1;
        const char *name = sql_tree_path(sql_tree_last(sql_tree_member(p, "funcname")),
                                         "String.sval");
        if (is_one_of(name, volatile_functions))
            return ANSWER_YES;
        if (!is_one_of(name, steady_functions))
            answer = ANSWER_MAYBE;
    }
    return answer;
}

/* ---- constraints ----------------------------------------------------------------------------- */

static const struct {
    const char *type;
    enum audit_kind kind;
} constraint_kinds[] = {
    {"CONSTR_PRIMARY", KIND_ADD_PRIMARY_KEY}, {"CONSTR_UNIQUE", KIND_ADD_UNIQUE},
    {"CONSTR_CHECK", KIND_ADD_CHECK},         {"CONSTR_FOREIGN", KIND_ADD_FOREIGN_KEY},
    {"CONSTR_EXCLUSION", KIND_ADD_EXCLUSION},
};

/* KIND_COUNT: NOT NULL, a default and the like, which belong to the column. */
static enum audit_kind kind_of_constraint(const char *constraint)
{
    const char *type = sql_tree_member(constraint, "contype");
    for (size_t i = 0; i < ARRAY_LEN(constraint_kinds); i++) {
        if (sql_tree_is(type, constraint_kinds[i].type))
            return constraint_kinds[i].kind;
    }
    return KIND_COUNT;
}

static void judge_foreign_key(struct audit_work *w, struct audit_op *op, const char *constraint)
{
    const char *schema, *name;
    audit_relation(w, sql_tree_member(constraint, "pktable"), &schema, &name);
    bool other_is_new = audit_known_is_new(w->known, schema, name);
    if (op->on_new && other_is_new)
        return;
    if (op->on_new) { /* who writes to the other table waits */
        op->table_schema = schema;
        op->table = name;
        op->on_new = false;
        op->lock = LOCK_SHARE_ROW_EXCLUSIVE;
        op->rule_count = 0;
        return;
    }
    if (!sql_tree_true(sql_tree_member(constraint, "skip_validation")))
        audit_op_rule(op, "constraint-missing-not-valid");
    else
        op->rule_count = 0;
}

static void judge_constraint(struct audit_work *w, struct audit_op *op, const char *constraint)
{
    bool not_valid = sql_tree_true(sql_tree_member(constraint, "skip_validation"));
    if (op->kind == KIND_ADD_FOREIGN_KEY)
        judge_foreign_key(w, op, constraint);
    else if (op->kind == KIND_ADD_CHECK && !op->on_new && !not_valid)
        audit_op_rule(op, "constraint-missing-not-valid");
    else if (sql_tree_member(constraint, "indexname")) /* USING INDEX: it is built already */
        op->rule_count = 0;
}

static int add_constraint(struct audit_work *w, const char *relation, const char *constraint,
                          const char *column)
{
    enum audit_kind kind = kind_of_constraint(constraint);
    if (kind == KIND_COUNT)
        return 0;
    struct audit_op *op = audit_add(w, kind);
    if (!op)
        return -1;
    const char *keys = sql_tree_member(constraint,
                                       kind == KIND_ADD_FOREIGN_KEY ? "fk_attrs" : "keys");
    audit_of_table(w, op, relation, audit_word(w, sql_tree_member(constraint, "conname")),
                   audit_clause(w, sql_tree_member(constraint, "location")));
    op->column = keys ? audit_list_text(w, keys) : column;
    judge_constraint(w, op, constraint);
    return 0;
}

/* ---- columns --------------------------------------------------------------------------------- */

struct column_facts {
    bool not_null, has_default, generated, identity, primary, serial;
    enum audit_answer is_volatile;
};

static struct column_facts facts_of(const char *column, const char *type)
{
    struct column_facts f = {.serial = str_ends(type, "serial")};
    const char *list = sql_tree_member(column, "constraints");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        const char *c = sql_tree_member(e, "Constraint");
        const char *kind = sql_tree_member(c, "contype");
        f.not_null |= sql_tree_is(kind, "CONSTR_NOTNULL");
        f.primary |= sql_tree_is(kind, "CONSTR_PRIMARY");
        f.generated |= sql_tree_is(kind, "CONSTR_GENERATED");
        f.identity |= sql_tree_is(kind, "CONSTR_IDENTITY");
        if (sql_tree_is(kind, "CONSTR_DEFAULT")) {
            const char *expression = sql_tree_member(c, "raw_expr");
            /* DEFAULT NULL is none */
            f.has_default = !sql_tree_path(expression, "A_Const.isnull");
            f.is_volatile = is_volatile(expression);
        }
    }
    return f;
}

static int take_constraints(struct audit_work *w, const char *relation, const char *column,
                            const char *name)
{
    const char *list = sql_tree_member(column, "constraints");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        if (add_constraint(w, relation, sql_tree_member(e, "Constraint"), name) != 0)
            return -1;
    }
    return 0;
}

static void judge_new_column(struct audit_op *op, const struct column_facts *f)
{
    bool filled = f->has_default || f->generated || f->identity || f->serial;
    if (f->generated || f->identity || f->serial)
        op->rewrites = ANSWER_YES;
    else if (f->has_default)
        op->rewrites = f->is_volatile;
    if (op->on_new) {
        op->rewrites = ANSWER_NO;
        return;
    }
    if ((f->not_null || f->primary) && !filled) {
        audit_op_rule(op, "adding-required-field");
        audit_op_rule(op, "adding-not-nullable-field");
    }
    if (f->primary && (f->serial || f->identity))
        audit_op_rule(op, "adding-serial-primary-key-field");
    if (op->rewrites != ANSWER_NO)
        audit_op_rule(op, "adding-field-with-default");
}

static int on_add_column(struct audit_work *w, const char *relation, const char *command)
{
    const char *column = sql_tree_path(command, "def.ColumnDef");
    const char *type_node = sql_tree_member(column, "typeName");
    struct audit_op *op = audit_add(w, KIND_ADD_COLUMN);
    if (!op)
        return -1;
    audit_on_table(w, op, relation);
    const char *type = audit_type_text(w, type_node);
    struct column_facts facts = facts_of(column, type);
    op->column = audit_word(w, sql_tree_member(column, "colname"));
    op->detail = audit_clause(w, sql_tree_member(type_node, "location"));
    judge_new_column(op, &facts);
    if (audit_known_column(w->known, op->schema, op->object, op->column, type) != 0)
        return err_nomem(w->err);
    return take_constraints(w, relation, column, op->column);
}

/* Whether USING only says what is done without it: the column, or a cast of it to its new type. */
static bool is_own_cast(struct audit_work *w, const char *expression, const char *column,
                        const char *type)
{
    const char *cast = sql_tree_member(expression, "TypeCast");
    if (cast && !str_eq(audit_type_text(w, sql_tree_member(cast, "typeName")), type))
        return false;
    expression = cast ? sql_tree_member(cast, "arg") : expression;
    const char *first = sql_tree_first(sql_tree_path(expression, "ColumnRef.fields"));
    return first && !sql_tree_next(first) &&
           sql_tree_is(sql_tree_path(first, "String.sval"), column);
}

static int on_change_type(struct audit_work *w, const char *relation, const char *command)
{
    const char *definition = sql_tree_path(command, "def.ColumnDef");
    struct audit_op *op = audit_add(w, KIND_CHANGE_TYPE);
    if (!op)
        return -1;
    audit_on_table(w, op, relation);
    op->column = audit_word(w, sql_tree_member(command, "name"));
    const char *type = audit_type_text(w, sql_tree_member(definition, "typeName"));
    const char *old = audit_known_type(w->known, op->schema, op->object, op->column);
    const char *clause = audit_clause(w, sql_tree_path(definition, "typeName.location"));
    op->detail = old ? audit_printf(w, "from %s to %s", old, clause) : clause;
    audit_type_change(old, type, &op->rewrites, &op->destructive);
    const char *using = sql_tree_member(definition, "raw_default");
    if (using && !is_own_cast(w, using, op->column, type)) { /* it can be anything, NULL too */
        op->rewrites = ANSWER_YES;
        op->destructive = ANSWER_MAYBE;
    }
    if (op->on_new || (op->rewrites == ANSWER_NO && old))
        op->rule_count = 0;
    if (op->on_new)
        op->rewrites = ANSWER_NO;
    if (audit_known_column(w->known, op->schema, op->object, op->column, type) != 0)
        return err_nomem(w->err);
    return 0;
}

static int on_default(struct audit_work *w, const char *relation, const char *command)
{
    const char *expression = sql_tree_member(command, "def");
    struct audit_op *op = audit_add(w, expression ? KIND_SET_DEFAULT : KIND_DROP_DEFAULT);
    if (!op)
        return -1;
    audit_on_table(w, op, relation);
    op->column = audit_word(w, sql_tree_member(command, "name"));
    return 0;
}

/* ---- the other commands ---------------------------------------------------------------------- */

enum subject { OF_TABLE, OF_COLUMN, OF_CONSTRAINT, OF_TRIGGER, OF_OPTIONS, OF_PARTITION };

static const struct {
    const char *subtype;
    enum audit_kind kind;
    enum subject subject;
    const char *detail;
} commands[] = {
    {"AT_DropColumn", KIND_DROP_COLUMN, OF_COLUMN, ""},
    {"AT_SetNotNull", KIND_SET_NOT_NULL, OF_COLUMN, ""},
    {"AT_DropNotNull", KIND_DROP_NOT_NULL, OF_COLUMN, ""},
    {"AT_AddIdentity", KIND_CHANGE_IDENTITY, OF_COLUMN, "added"},
    {"AT_SetIdentity", KIND_CHANGE_IDENTITY, OF_COLUMN, "changed"},
    {"AT_DropIdentity", KIND_CHANGE_IDENTITY, OF_COLUMN, "dropped"},
    {"AT_DropExpression", KIND_DROP_EXPRESSION, OF_COLUMN, ""},
    {"AT_SetStatistics", KIND_TUNE_COLUMN, OF_COLUMN, "statistics"},
    {"AT_SetOptions", KIND_TUNE_COLUMN, OF_COLUMN, "options"},
    {"AT_ResetOptions", KIND_TUNE_COLUMN, OF_COLUMN, "options reset"},
    {"AT_SetStorage", KIND_STORE_COLUMN, OF_COLUMN, "storage"},
    {"AT_SetCompression", KIND_STORE_COLUMN, OF_COLUMN, "compression"},
    {"AT_ValidateConstraint", KIND_VALIDATE_CONSTRAINT, OF_CONSTRAINT, ""},
    {"AT_AlterConstraint", KIND_ALTER_CONSTRAINT, OF_CONSTRAINT, ""},
    {"AT_DropConstraint", KIND_DROP_CONSTRAINT, OF_CONSTRAINT, ""},
    {"AT_EnableTrig", KIND_SWITCH_TRIGGER, OF_TRIGGER, "enabled"},
    {"AT_EnableAlwaysTrig", KIND_SWITCH_TRIGGER, OF_TRIGGER, "always"},
    {"AT_EnableReplicaTrig", KIND_SWITCH_TRIGGER, OF_TRIGGER, "on a replica"},
    {"AT_DisableTrig", KIND_SWITCH_TRIGGER, OF_TRIGGER, "disabled"},
    {"AT_EnableTrigAll", KIND_SWITCH_TRIGGER, OF_TABLE, "all enabled"},
    {"AT_DisableTrigAll", KIND_SWITCH_TRIGGER, OF_TABLE, "all disabled"},
    {"AT_EnableTrigUser", KIND_SWITCH_TRIGGER, OF_TABLE, "the user's enabled"},
    {"AT_DisableTrigUser", KIND_SWITCH_TRIGGER, OF_TABLE, "the user's disabled"},
    {"AT_SetRelOptions", KIND_TUNE_TABLE, OF_OPTIONS, ""},
    {"AT_ResetRelOptions", KIND_TUNE_TABLE, OF_OPTIONS, "reset: "},
    {"AT_SetTableSpace", KIND_MOVE_TABLE, OF_TABLE, ""},
    {"AT_SetLogged", KIND_CHANGE_PERSISTENCE, OF_TABLE, "logged"},
    {"AT_SetUnLogged", KIND_CHANGE_PERSISTENCE, OF_TABLE, "unlogged"},
    {"AT_SetAccessMethod", KIND_CHANGE_PERSISTENCE, OF_TABLE, "another access method"},
    {"AT_ChangeOwner", KIND_CHANGE_OWNER, OF_TABLE, ""},
    {"AT_EnableRowSecurity", KIND_ROW_SECURITY, OF_TABLE, "on"},
    {"AT_DisableRowSecurity", KIND_ROW_SECURITY, OF_TABLE, "off"},
    {"AT_ForceRowSecurity", KIND_ROW_SECURITY, OF_TABLE, "for the owner too"},
    {"AT_NoForceRowSecurity", KIND_ROW_SECURITY, OF_TABLE, "not for the owner"},
    {"AT_AttachPartition", KIND_ATTACH_PARTITION, OF_PARTITION, ""},
    {"AT_DetachPartition", KIND_DETACH_PARTITION, OF_PARTITION, ""},
    {"AT_DetachPartitionFinalize", KIND_DETACH_PARTITION_CONCURRENTLY, OF_PARTITION, "finalize"},
    {"AT_ClusterOn", KIND_TUNE_TABLE, OF_TABLE, "cluster on an index"},
    {"AT_DropCluster", KIND_TUNE_TABLE, OF_TABLE, "without cluster"},
};

static const char *option_names(struct audit_work *w, const char *list)
{
    const char *text = "";
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e))
        text = audit_printf(w, "%s%s%s", text, *text ? ", " : "",
                            audit_word(w, sql_tree_path(e, "DefElem.defname")));
    return text;
}

static void describe_partition(struct audit_work *w, struct audit_op *op, const char *relation,
                               const char *command)
{
    const char *schema, *name;
    audit_relation(w, sql_tree_path(command, "def.PartitionCmd.name"), &schema, &name);
    if (op->kind == KIND_DETACH_PARTITION &&
        sql_tree_true(sql_tree_path(command, "def.PartitionCmd.concurrent"))) {
        op->kind = KIND_DETACH_PARTITION_CONCURRENTLY;
        op->lock = audit_kinds[op->kind].lock;
        op->rule_count = 0;
    }
    audit_of_table(w, op, relation, name, "");
    op->schema = schema;
}

static void describe(struct audit_work *w, struct audit_op *op, const char *relation,
                     const char *command, size_t row)
{
    const char *name = audit_word(w, sql_tree_member(command, "name"));
    switch (commands[row].subject) {
    case OF_PARTITION:
        describe_partition(w, op, relation, command);
        return;
    case OF_CONSTRAINT:
        audit_of_table(w, op, relation,
                       op->kind == KIND_ALTER_CONSTRAINT
                           ? audit_word(w, sql_tree_path(command, "def.Constraint.conname"))
                           : name,
                       "");
        return;
    case OF_TRIGGER:
        audit_of_table(w, op, relation, name, commands[row].detail);
        return;
    case OF_TABLE:
    case OF_COLUMN:
    case OF_OPTIONS:
        break;
    }
    audit_on_table(w, op, relation);
    op->detail = commands[row].detail;
    if (commands[row].subject == OF_COLUMN)
        op->column = name;
    if (commands[row].subject == OF_OPTIONS)
        op->detail = audit_printf(w, "%s%s", op->detail,
                                  option_names(w, sql_tree_path(command, "def.List.items")));
}

static int on_other_command(struct audit_work *w, const char *relation, const char *command)
{
    const char *subtype = sql_tree_member(command, "subtype");
    size_t row = 0;
    while (row < ARRAY_LEN(commands) && !sql_tree_is(subtype, commands[row].subtype))
        row++;
    struct audit_op *op = audit_add(w, row < ARRAY_LEN(commands) ? commands[row].kind
                                                                 : KIND_ALTER_TABLE);
    if (!op)
        return -1;
    if (row < ARRAY_LEN(commands)) {
        describe(w, op, relation, command, row);
    } else {
        audit_on_table(w, op, relation);
        op->detail = audit_word(w, subtype); /* AT_...: as the parser calls it */
    }
    if (op->kind == KIND_DROP_COLUMN) {
        bool new = audit_known_column_is_new(w->known, op->schema, op->object, op->column);
        op->destructive = new ? ANSWER_NO : ANSWER_YES;
        audit_known_drop(w->known, op->schema, op->object, op->column);
    }
    return 0;
}

int audit_on_alter_table(struct audit_work *w)
{
    const char *relation = sql_tree_member(w->body, "relation");
    const char *objtype = sql_tree_member(w->body, "objtype");
    const char *list = sql_tree_member(w->body, "cmds");
    int rc = 0;
    for (const char *e = sql_tree_first(list); rc == 0 && e; e = sql_tree_next(e)) {
        const char *command = sql_tree_member(e, "AlterTableCmd");
        const char *subtype = sql_tree_member(command, "subtype");
        size_t first = w->ops->count;
        if (sql_tree_is(subtype, "AT_AddColumn"))
            rc = on_add_column(w, relation, command);
        else if (sql_tree_is(subtype, "AT_AddConstraint"))
            rc = add_constraint(w, relation, sql_tree_path(command, "def.Constraint"), "");
        else if (sql_tree_is(subtype, "AT_AlterColumnType"))
            rc = on_change_type(w, relation, command);
        else if (sql_tree_is(subtype, "AT_ColumnDefault"))
            rc = on_default(w, relation, command);
        else
            rc = on_other_command(w, relation, command);
        for (size_t i = first; i < w->ops->count && !sql_tree_is(objtype, "OBJECT_TABLE"); i++)
            audit_name_object(w, &w->ops->list[i], objtype);
    }
    return rc;
}

/* ---- CREATE TABLE ---------------------------------------------------------------------------- */

/* A table that is no table of its own: what the one above it waits for. */
static void lock_parent(struct audit_work *w, struct audit_op *op)
{
    const char *parent = sql_tree_member(sql_tree_first(sql_tree_member(w->body, "inhRelations")),
                                         "RangeVar");
    const char *schema, *name;
    if (!parent)
        return;
    audit_relation(w, parent, &schema, &name);
    bool partition = sql_tree_member(w->body, "partbound");
    op->detail = audit_printf(w, "%s of %s%s%s", partition ? "partition" : "child", schema,
                              *schema ? "." : "", name);
    if (audit_known_is_new(w->known, schema, name))
        return;
    op->table_schema = schema;
    op->table = name;
    op->lock = partition ? LOCK_ACCESS_EXCLUSIVE : LOCK_SHARE_UPDATE_EXCLUSIVE;
}

static int take_columns(struct audit_work *w, const char *relation, const char *schema,
                        const char *table, const char **names)
{
    size_t count = 0;
    const char *list = sql_tree_member(w->body, "tableElts"), *text = "";
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        const char *column = sql_tree_member(e, "ColumnDef");
        const char *constraint = sql_tree_member(e, "Constraint");
        const char *name = audit_word(w, sql_tree_member(column, "colname"));
        if (constraint && add_constraint(w, relation, constraint, "") != 0)
            return -1;
        if (!column)
            continue;
        count++;
        text = audit_printf(w, "%s%s%s", text, *text ? ", " : "", name);
        const char *type = audit_type_text(w, sql_tree_member(column, "typeName"));
        if (audit_known_column(w->known, schema, table, name, type) != 0)
            return err_nomem(w->err);
        if (take_constraints(w, relation, column, name) != 0)
            return -1;
    }
    *names = count ? audit_printf(w, "%zu column%s: %s", count, count == 1 ? "" : "s", text) : "";
    return 0;
}

int audit_on_create_table(struct audit_work *w)
{
    const char *relation = sql_tree_member(w->body, "relation"), *names = "";
    size_t at = w->ops->count;
    struct audit_op *op = audit_add(w, KIND_CREATE_TABLE);
    if (!op)
        return -1;
    audit_relation(w, relation, &op->schema, &op->object);
    if (audit_makes_nothing(w, op))
        return 0;
    lock_parent(w, op);
    if (audit_known_table(w->known, op->schema, op->object) != 0)
        return err_nomem(w->err);
    const char *schema = op->schema, *object = op->object;
    if (take_columns(w, relation, schema, object, &names) != 0)
        return -1;
    op = &w->ops->list[at]; /* the list may have moved */
    if (*op->detail == '\0')
        op->detail = names;
    return 0;
}
