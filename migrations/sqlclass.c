/* migrations/sqlclass.c: what a statement is to somebody who wants to run it in a transaction. */
#include "migrations/sqlparts.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

enum { ENCODING_BYTES = 64 }; /* of an encoding's name; PostgreSQL's longest has 15 */

bool sql_needs_parser(const struct sql_piece *piece)
{
    const uint64_t always = WORD_BIT(WORD_VERSION_TABLE) | WORD_BIT(WORD_SET_CONFIG);
    const uint64_t leading = WORD_BIT(WORD_BEGIN) | WORD_BIT(WORD_START) | WORD_BIT(WORD_COMMIT) |
                             WORD_BIT(WORD_END) | WORD_BIT(WORD_ROLLBACK) | WORD_BIT(WORD_ABORT) |
                             WORD_BIT(WORD_PREPARE) | WORD_BIT(WORD_SAVEPOINT) |
                             WORD_BIT(WORD_RELEASE) | WORD_BIT(WORD_VACUUM) |
                             WORD_BIT(WORD_REINDEX) | WORD_BIT(WORD_CLUSTER) | WORD_BIT(WORD_SET) |
                             WORD_BIT(WORD_RESET) | WORD_BIT(WORD_DISCARD);
    const uint64_t defining = WORD_BIT(WORD_CREATE) | WORD_BIT(WORD_ALTER) | WORD_BIT(WORD_DROP) |
                              WORD_BIT(WORD_COMMENT);
    const uint64_t objects = WORD_BIT(WORD_CONCURRENTLY) | WORD_BIT(WORD_DATABASE) |
                             WORD_BIT(WORD_TABLESPACE) | WORD_BIT(WORD_SUBSCRIPTION) |
                             WORD_BIT(WORD_SYSTEM) | WORD_BIT(WORD_EXTENSION) |
                             WORD_BIT(WORD_OWNER);
    uint64_t first = WORD_BIT(piece->first);
    return (piece->words & always) || (first & leading) ||
           ((first & defining) && (piece->words & objects));
}

/* ---- what the handlers share ----------------------------------------------------------------- */

static const char *statement_text(const struct sql_work *w)
{
    return w->context->cutter->text + w->out->offset;
}

static int plain(struct sql_work *w)
{
    return sql_set_class(w, SQL_PLAIN, NULL);
}

/* The place of the first unquoted WORD of the statement at parenthesis depth 0, behind FROM. */
static bool find_word(const char *text, size_t length, size_t from, const char *word, size_t *found)
{
    size_t word_length = strlen(word), depth = 0;
    for (size_t i = sql_skip_blank(text, from, length); i < length;
         i = sql_skip_blank(text, i, length)) {
        if (text[i] == '"' || text[i] == '\'') {
            const char *close = memchr(text + i + 1, text[i], length - i - 1);
            i = close ? (size_t)(close - text) + 1 : length;
            continue;
        }
        size_t end = i;
        while (end < length && (text[end] == '_' || (text[end] & 0x80) ||
                                ((text[end] | 0x20) >= 'a' && (text[end] | 0x20) <= 'z') ||
                                (end > i && text[end] >= '0' && text[end] <= '9')))
            end++;
        if (depth == 0 && end - i == word_length && strncasecmp(text + i, word, word_length) == 0) {
            *found = i;
            return true;
        }
        depth += end == i && text[i] == '(';
        depth -= end == i && text[i] == ')' && depth > 0;
        i = end > i ? end : i + 1;
    }
    return false;
}

/* rewritten = the statement with LENGTH bytes at AT replaced by TEXT. */
static int rewrite(struct sql_work *w, size_t at, size_t length, const char *text)
{
    const char *old = statement_text(w);
    size_t behind = at + length;
    w->out->rewritten = arena_printf(w->context->memory, "%.*s%s%.*s", (int)at, old, text,
                                     (int)(w->out->length - behind), old + behind);
    return w->out->rewritten ? 0 : err_nomem(w->err);
}

static int without_concurrently(struct sql_work *w, const char *reason)
{
    size_t at;
    if (!find_word(statement_text(w), w->out->length, 0, "CONCURRENTLY", &at))
        return sql_set_class(w, SQL_CANNOT,
                             reason); /* REINDEX (CONCURRENTLY): an option in brackets */
    sql_set_class(w, SQL_CONCURRENTLY, reason);
    return rewrite(w, at, strlen("CONCURRENTLY"), "");
}

/* ---- transactions, settings ------------------------------------------------------------------ */

static int on_transaction(struct sql_work *w)
{
    static const struct {
        const char *kind;
        enum sql_class class_;
        const char *reason;
    } kinds[] = {
        {"TRANS_STMT_BEGIN", SQL_BEGIN, "BEGIN"},
        {"TRANS_STMT_START", SQL_BEGIN, "START TRANSACTION"},
        {"TRANS_STMT_COMMIT", SQL_COMMIT, "COMMIT"},
        {"TRANS_STMT_ROLLBACK", SQL_ROLLBACK, "ROLLBACK"},
        {"TRANS_STMT_SAVEPOINT", SQL_SAVEPOINT, NULL},
        {"TRANS_STMT_RELEASE", SQL_SAVEPOINT, NULL},
        {"TRANS_STMT_ROLLBACK_TO", SQL_SAVEPOINT, NULL},
        {"TRANS_STMT_PREPARE", SQL_ROLLBACK, "PREPARE TRANSACTION"},
        {"TRANS_STMT_COMMIT_PREPARED", SQL_ROLLBACK, "COMMIT PREPARED"},
        {"TRANS_STMT_ROLLBACK_PREPARED", SQL_ROLLBACK, "ROLLBACK PREPARED"},
    };
    const char *kind = sql_tree_member(w->body, "kind");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!sql_tree_is(kind, kinds[i].kind))
            continue;
        bool chain = sql_tree_true(sql_tree_member(w->body, "chain"));
        if (chain) /* it would begin a transaction that we do not know of */
            return sql_set_class(w, SQL_CANNOT, "COMMIT or ROLLBACK AND CHAIN");
        return sql_set_class(w, kinds[i].class_, kinds[i].reason);
    }
    return sql_set_class(w, SQL_CANNOT, "a transaction statement that is not known");
}

static bool is_ours_to_set(const char *name)
{
    return strcasecmp(name, "role") == 0 || strcasecmp(name, "session_authorization") == 0 ||
           (strlen(name) > 8 && strcasecmp(name + strlen(name) - 8, "_timeout") == 0);
}

/* An encoding's name as the server compares it: letters and digits alone, in small letters. */
static void clean_encoding(const char *value, char out[ENCODING_BYTES])
{
    size_t length = 0;
    for (; *value && length < ENCODING_BYTES - 1; value++) {
        bool is_digit = *value >= '0' && *value <= '9';
        if (is_digit || ((*value | 0x20) >= 'a' && (*value | 0x20) <= 'z'))
            out[length++] = is_digit ? *value : (char)(*value | 0x20);
    }
    out[length] = '\0';
}

/* Encodings whose characters hold bytes of ASCII: the server would cut the rest of the text in another
 * way than we did. */
static int note_encoding(struct sql_work *w, const char *value)
{
    static const char *const unsafe[] = {
        "sjis",       "shiftjis", "shiftjis2004", "mskanji", "win932",     "gbk",
        "windows932", "big5",     "win950",       "win936",  "windows950", "windows936",
        "uhc",        "win949",   "windows949",   "gb18030", "johab"};
    char name[ENCODING_BYTES] = "utf8"; /* the session's own: RESET, TO DEFAULT */
    if (value)
        clean_encoding(value, name);
    for (size_t i = 0; i < ARRAY_LEN(unsafe); i++) {
        if (strcmp(name, unsafe[i]) == 0)
            return sql_error_at(w->context->cutter, w->err, w->out->offset,
                                "client_encoding %s is not read here: convert the file to UTF-8",
                                value);
    }
    bool is_utf8 = strcmp(name, "utf8") == 0 || strcmp(name, "unicode") == 0;
    w->out->encoding = is_utf8 ? SQL_ENCODING_UTF8 : SQL_ENCODING_OTHER;
    return 0;
}

/* Settings under which the rest of the text is another one. */
static int look_at_setting(struct sql_work *w, const char *name, const char *value)
{
    if (strcasecmp(name, "client_encoding") == 0)
        return note_encoding(w, value);
    if (value && strcasecmp(name, "standard_conforming_strings") == 0 &&
        strcasecmp(value, "on") != 0 && strcasecmp(value, "true") != 0 && strcmp(value, "1") != 0)
        return sql_error_at(
            w->context->cutter, w->err, w->out->offset,
            "standard_conforming_strings = %s is not read here: write the strings in "
            "the standard form, or as E'...'",
            value);
    return 0;
}

/* A LOCAL one is plain, unless it has to be told from those beside it. */
static int local_already(struct sql_work *w)
{
    if (w->out->encoding == SQL_ENCODING_UNSAID)
        return plain(w);
    w->out->class_ = SQL_SET;
    return rewrite(w, 0, 0, "");
}

static int set_to_local(struct sql_work *w, const char *name)
{
    const char *text = statement_text(w);
    size_t length = w->out->length, at = strlen("SET"), session;
    w->out->class_ = SQL_SET;
    if (sql_tree_is(sql_tree_member(w->body, "kind"), "VAR_RESET")) {
        w->out->rewritten = arena_printf(w->context->memory, "SET LOCAL %s TO DEFAULT", name);
        return w->out->rewritten ? 0 : err_nomem(w->err);
    }
    size_t next = sql_skip_blank(text, at, length);
    if (find_word(text, length, at, "SESSION", &session) && session == next)
        return rewrite(w, session, strlen("SESSION"), "LOCAL");
    return rewrite(w, at, 0, " LOCAL");
}

static int on_set(struct sql_work *w)
{
    const char *kind = sql_tree_member(w->body, "kind");
    if (sql_tree_is(kind, "VAR_RESET_ALL"))
        return sql_set_class(w, SQL_SET_DROPPED, "RESET ALL");
    if (sql_tree_is(kind, "VAR_SET_MULTI"))
        return sql_set_class(w, SQL_SET_DROPPED, "SET TRANSACTION");
    const char *name = sql_work_text(w, sql_tree_member(w->body, "name"));
    if (!name)
        return err_nomem(w->err);
    const char *first = sql_tree_first(sql_tree_member(w->body, "args"));
    const char *value = sql_constant_text(w, first);
    if (sql_tree_path(first, "A_Const.ival"))
        value = sql_tree_number(sql_tree_path(first, "A_Const.ival.ival")) ? "1" : "0";
    if (look_at_setting(w, name, value) != 0)
        return -1;
    if (is_ours_to_set(name))
        return sql_set_class(w, SQL_SET_DROPPED, name);
    if (sql_tree_true(sql_tree_member(w->body, "is_local")))
        return local_already(w);
    return set_to_local(w, name);
}

static int on_discard(struct sql_work *w)
{
    if (sql_tree_is(sql_tree_member(w->body, "target"), "DISCARD_ALL"))
        return sql_set_class(w, SQL_CANNOT, "DISCARD ALL");
    return plain(w);
}

/* One set_config(name, value, false) of a SELECT. */
static int on_set_config(struct sql_work *w, const char *call)
{
    const char *name_node = sql_tree_first(sql_tree_member(call, "args"));
    const char *value_node = sql_tree_next(name_node);
    const char *local = sql_tree_next(value_node);
    const char *flag = sql_tree_path(local, "A_Const.boolval");
    const char *name = sql_constant_text(w, name_node);
    if (!name)
        return 0;
    if (look_at_setting(w, name, sql_constant_text(w, value_node)) != 0)
        return -1;
    if (is_ours_to_set(name))
        return sql_set_class(w, SQL_SET_DROPPED, name);
    if (w->out->rewritten)
        return 0;
    if (!flag || sql_tree_true(sql_tree_member(flag, "boolval")))
        return local_already(w);
    w->out->class_ = SQL_SET;
    return rewrite(w, sql_tree_number(sql_tree_path(local, "A_Const.location")), strlen("false"),
                   "true");
}

/* A quote inside of a JSON string is escaped, so that this text occurs as a key alone. */
static int look_for_set_config(struct sql_work *w)
{
    static const char key[] = "\"FuncCall\":";
    for (const char *p = strstr(w->body, key); p && w->out->class_ == SQL_PLAIN;
         p = strstr(p, key)) {
        p += sizeof(key) - 1;
        const char *last = sql_tree_last(sql_tree_member(p, "funcname"));
        if (sql_tree_is(sql_tree_path(last, "String.sval"), "set_config") &&
            on_set_config(w, p) != 0)
            return -1;
    }
    return 0;
}

/* ---- objects --------------------------------------------------------------------------------- */

static int on_index(struct sql_work *w)
{
    if (sql_tree_true(sql_tree_member(w->body, "concurrent")))
        return without_concurrently(w, "CREATE INDEX CONCURRENTLY");
    return plain(w);
}

static bool has_option(const char *list, const char *name)
{
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        if (sql_tree_is(sql_tree_path(e, "DefElem.defname"), name))
            return true;
    }
    return false;
}

static int on_reindex(struct sql_work *w)
{
    const char *kind = sql_tree_member(w->body, "kind");
    if (sql_tree_is(kind, "REINDEX_OBJECT_DATABASE") ||
        sql_tree_is(kind, "REINDEX_OBJECT_SYSTEM") || sql_tree_is(kind, "REINDEX_OBJECT_SCHEMA"))
        return sql_set_class(w, SQL_CANNOT, "REINDEX of a schema, database or system");
    if (has_option(sql_tree_member(w->body, "params"), "concurrently"))
        return without_concurrently(w, "REINDEX CONCURRENTLY");
    return plain(w);
}

static int on_cluster(struct sql_work *w)
{
    return sql_tree_member(w->body, "relation")
               ? sql_set_class(w, SQL_PLAIN, NULL)
               : sql_set_class(w, SQL_CANNOT, "CLUSTER of all tables");
}

static int on_alter_database(struct sql_work *w)
{
    if (has_option(sql_tree_member(w->body, "options"), "tablespace"))
        return sql_set_class(w, SQL_CANNOT, "ALTER DATABASE SET TABLESPACE");
    return plain(w);
}

static int on_vacuum(struct sql_work *w)
{
    return sql_tree_true(sql_tree_member(w->body, "is_vacuumcmd"))
               ? sql_set_class(w, SQL_CANNOT, "VACUUM")
               : sql_set_class(w, SQL_PLAIN, NULL);
}

/* A subscription may be made in a transaction when it makes no slot: create_slot or connect off. */
static int on_subscription(struct sql_work *w)
{
    const char *options = sql_tree_member(w->body, "options");
    for (const char *e = sql_tree_first(options); e; e = sql_tree_next(e)) {
        const char *name = sql_tree_path(e, "DefElem.defname");
        if (!sql_tree_is(name, "create_slot") && !sql_tree_is(name, "connect"))
            continue;
        const char *text = sql_tree_path(e, "DefElem.arg.String.sval");
        if (!text)
            text = sql_tree_path(sql_tree_first(sql_tree_path(e, "DefElem.arg.TypeName.names")),
                                 "String.sval");
        const char *number = sql_tree_path(e, "DefElem.arg.Integer");
        if (sql_tree_is(text, "false") || sql_tree_is(text, "off") ||
            (number && sql_tree_number(sql_tree_member(number, "ival")) == 0))
            return plain(w);
    }
    return sql_set_class(w, SQL_CANNOT, "CREATE SUBSCRIPTION with a replication slot");
}

static int on_extension(struct sql_work *w)
{
    return sql_set_class(w, SQL_EXTENSION, NULL);
}

static int on_create_extension(struct sql_work *w)
{
    const char *name = sql_work_text(w, sql_tree_member(w->body, "extname"));
    return name ? sql_set_class(w, SQL_EXTENSION, name) : err_nomem(w->err);
}

static int on_comment(struct sql_work *w)
{
    if (sql_tree_is(sql_tree_member(w->body, "objtype"), "OBJECT_EXTENSION"))
        return on_extension(w);
    return plain(w);
}

static int on_owner(struct sql_work *w)
{
    return sql_set_class(w, SQL_OWNER_TO, NULL);
}

static int on_drop(struct sql_work *w)
{
    if (sql_tree_is(sql_tree_member(w->body, "removeType"), "OBJECT_EXTENSION"))
        return on_extension(w);
    if (sql_tree_true(sql_tree_member(w->body, "concurrent")))
        return without_concurrently(w, "DROP INDEX CONCURRENTLY");
    return plain(w);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static int on_alter_table(struct sql_work *w)
{
    const char *commands = sql_tree_member(w->body, "cmds");
    const char *first = sql_tree_member(sql_tree_first(commands), "AlterTableCmd");
    bool single = !sql_tree_next(sql_tree_first(commands));
    if (single && sql_tree_is(sql_tree_member(first, "subtype"), "AT_ChangeOwner"))
        return on_owner(w);
    if (sql_tree_true(sql_tree_path(first, "def.PartitionCmd.concurrent")))
        return without_concurrently(w, "DETACH PARTITION CONCURRENTLY");
    if (sql_is_version_table(w, sql_tree_member(w->body, "relation")))
        return sql_version_on_alter(w);
    return plain(w);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *node;
    int (*classify)(struct sql_work *w);
    const char *cannot; /* where there is nothing to look at */
} nodes[] = {
    {"TransactionStmt", on_transaction, NULL},
    {"VariableSetStmt", on_set, NULL},
    {"DiscardStmt", on_discard, NULL},
    {"IndexStmt", on_index, NULL},
    {"ReindexStmt", on_reindex, NULL},
    {"ClusterStmt", on_cluster, NULL},
    {"VacuumStmt", on_vacuum, NULL},
    {"AlterDatabaseStmt", on_alter_database, NULL},
    {"CreatedbStmt", NULL, "CREATE DATABASE"},
    {"DropdbStmt", NULL, "DROP DATABASE"},
    {"CreateTableSpaceStmt", NULL, "CREATE TABLESPACE"},
    {"DropTableSpaceStmt", NULL, "DROP TABLESPACE"},
    {"AlterSystemStmt", NULL, "ALTER SYSTEM"},
    {"CreateSubscriptionStmt", on_subscription, NULL},
    {"CreateExtensionStmt", on_create_extension, NULL},
    {"AlterExtensionStmt", on_extension, NULL},
    {"AlterExtensionContentsStmt", on_extension, NULL},
    {"CommentStmt", on_comment, NULL},
    {"AlterOwnerStmt", on_owner, NULL},
    {"DropStmt", on_drop, NULL},
    {"AlterTableStmt", on_alter_table, NULL},
    {"CreateStmt", sql_version_on_create, NULL},
    {"InsertStmt", sql_version_on_insert, NULL},
    {"UpdateStmt", sql_version_on_update, NULL},
    {"DeleteStmt", sql_version_on_delete, NULL},
    {"TruncateStmt", sql_version_on_truncate, NULL},
    {"CopyStmt", sql_version_on_copy, NULL},
};

int sql_classify(const struct sql_context *context, const char *node, struct sql_statement *out,
                 const char ***more_revisions, struct err *err)
{
    struct sql_work w = {
        .context = context, .body = node, .out = out, .more = more_revisions, .err = err};
    *more_revisions = NULL;
    out->class_ = SQL_PLAIN;
    const char *statement = sql_tree_member(node, "stmt");
    size_t i = 0;
    while (i < ARRAY_LEN(nodes) && !(w.body = sql_tree_member(statement, nodes[i].node)))
        i++;
    int rc;
    if (i == ARRAY_LEN(nodes)) {
        w.body = node;
        rc = look_for_set_config(&w);
    } else if (nodes[i].classify) {
        rc = nodes[i].classify(&w);
    } else {
        rc = sql_set_class(&w, SQL_CANNOT, nodes[i].cannot);
    }
    return rc == 0 && w.no_memory ? err_nomem(err) : rc;
}
