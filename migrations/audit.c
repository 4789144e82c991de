/* migrations/audit.c: see audit.h. The offline SQL is cut into the parts of its revisions by the
 * `-- Running upgrade X -> Y` lines that Alembic writes between statements; each statement is then
 * parsed and told apart. What is inside of a statement (a string that holds such a line) is none.
 * */
#include "migrations/audit.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrations/auditparts.h"
#include "migrations/sqlparts.h"

static const char running_upgrade[] = "-- Running upgrade ";

struct audit_memory {
    struct arena arena;
    struct buf *texts; /* one a file */
    size_t text_count;
};

/* On the way from the SQL to the files. */
struct maker {
    const struct audit_settings *settings;
    struct audit *audit;
    struct arena *arena;
    struct audit_known *known;
    struct audit_revision *revisions; /* in upgrade order */
    size_t *number_of;                /* by the graph's index: place in revisions */
    struct sql_script script;
    bool in_transaction;
    struct err *err;
};

static void maker_release(struct maker *m)
{
    for (size_t i = 0; m->revisions && i < m->settings->graph->count; i++)
        free(m->revisions[i].ops.list);
    free(m->revisions);
    free(m->number_of);
    sql_release(&m->script);
}

#define AUTO_MAKER CLEANUP(maker_release) struct maker

void audit_free(struct audit *audit)
{
    if (!audit)
        return;
    struct audit_memory *memory = audit->memory;
    for (size_t i = 0; memory && i < memory->text_count; i++)
        buf_release(&memory->texts[i]);
    if (memory) {
        free(memory->texts);
        arena_release(&memory->arena);
    }
    free(memory);
    free(audit->files);
    free(audit);
}

/* ---- revisions ------------------------------------------------------------------------------- */

static unsigned digits_of(size_t count)
{
    unsigned digits = 1;
    for (; count >= 10; count /= 10)
        digits++;
    return digits > AUDIT_NUMBER_DIGITS ? digits : AUDIT_NUMBER_DIGITS;
}

/* NNN_<revision>: an id may hold anything, a file's name may not. */
static const char *base_name_of(struct maker *m, const char *id, size_t number)
{
    AUTO_BUF name = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    buf_addf(&name, "%0*zu_", (int)digits_of(m->settings->graph->count), number);
    str_add_percent(&name, id, strlen(id));
    return name.no_memory ? NULL : arena_dup(m->arena, buf_text(&name));
}

static int list_revisions(struct maker *m)
{
    const struct graph *g = m->settings->graph;
    m->revisions = mem_new(g->count + 1, sizeof(*m->revisions));
    m->number_of = mem_new(g->count + 1, sizeof(*m->number_of));
    if (!m->revisions || !m->number_of)
        return err_nomem(m->err);
    for (size_t i = 0; i < g->count; i++) {
        struct audit_revision *r = &m->revisions[i];
        r->revision = &g->revisions[g->order[i]];
        r->number = i + 1;
        r->base_name = base_name_of(m, r->revision->id, r->number);
        m->number_of[g->order[i]] = i;
        if (!r->base_name)
            return err_nomem(m->err);
        if (audit_read_source(m->arena, r->revision->file, &r->source, m->err) != 0)
            return -1;
        if (m->settings->each_folder &&
            audit_read_live(m->arena, m->settings->each_folder, r->number, r->revision->id,
                            &r->live, m->err) != 0)
            return -1;
    }
    return 0;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static int begin_part(struct maker *m, const char *id, unsigned line, struct audit_revision **out)
{
    const struct graph *g = m->settings->graph;
    const struct revision *found = graph_find(g, id);
    if (!found) {
        err_set(m->err, ERR_DB_COMMAND, "%s:%u: it runs revision '%s', which is in no file",
                m->settings->sql_name, line, id);
        return err_hint(m->err, "The command must print the migrations of the same folder that "
                                "stamp.alembic names.");
    }
    struct audit_revision *r = &m->revisions[m->number_of[found - g->revisions]];
    if (r->seen)
        return err_set(m->err, ERR_DB_COMMAND, "%s:%u: it runs revision '%s' twice",
                       m->settings->sql_name, line, id);
    r->seen = true;
    r->seen_line = line;
    audit_known_begin(m->known, r->number);
    *out = r;
    return 0;
}

/* The `-- Running upgrade` lines between two statements: the last one begins the part of what
 * follows. LINE is that of byte FROM, and becomes that of byte TO. */
static int pass_between(struct maker *m, size_t from, size_t to, unsigned *line,
                        struct audit_revision **current)
{
    const char *text = m->settings->sql;
    while (from < to) {
        const char *start = text + from, *newline = memchr(start, '\n', to - from);
        size_t length = newline ? (size_t)(newline - start) : to - from;
        size_t prefix = sizeof(running_upgrade) - 1, id_length = length;
        if (length > prefix && memcmp(start, running_upgrade, prefix) == 0) {
            const char *arrow = memmem(start, length, " -> ", 4), *id = start;
            for (; arrow; arrow = memmem(id, length - (size_t)(id - start), " -> ", 4))
                id = arrow + 4;
            id_length = length - (size_t)(id - start);
            str_trim(&id, &id_length);
            const char *kept = arena_dup_n(m->arena, id, id_length);
            if (!kept)
                return err_nomem(m->err);
            if (begin_part(m, kept, *line, current) != 0)
                return -1;
        }
        from += length + (newline != NULL);
        *line += newline != NULL;
    }
    return 0;
}

/* ---- statements ------------------------------------------------------------------------------ */

static int take_tree(void *context, const char *node, const char *trouble, struct err *err)
{
    struct audit_work *w = context;
    w->err = err;
    if (node)
        return audit_take_statement(w, node);
    struct audit_op *op = audit_add(w, KIND_UNPARSED);
    if (!op)
        return -1;
    op->detail = audit_printf(w, "%s", trouble ? trouble : "an empty statement");
    return w->no_memory ? err_nomem(err) : 0;
}

static int take_statement(struct maker *m, const struct sql_statement *s, struct audit_revision *r)
{
    switch (s->class_) {
    case SQL_BEGIN:
        m->in_transaction = true;
        return 0;
    case SQL_COMMIT:
    case SQL_ROLLBACK:
        m->in_transaction = false;
        return 0;
    case SQL_SAVEPOINT:
    case SQL_VERSION_TABLE:
    case SQL_VERSION_INSERT:
    case SQL_VERSION_UPDATE:
    case SQL_VERSION_DELETE:
        return 0;
    case SQL_PLAIN:
    case SQL_UNPARSED:
    case SQL_CANNOT:
    case SQL_CONCURRENTLY:
    case SQL_SET:
    case SQL_SET_DROPPED:
    case SQL_OWNER_TO:
    case SQL_EXTENSION:
    case SQL_COPY_DATA:
    case SQL_VERSION_OTHER:
        break;
    }
    if (!r) /* before the first revision: what env.py says */
        return 0;
    AUTO_FREE char *text = mem_dup_n(m->settings->sql + s->offset, s->length);
    if (!text)
        return err_nomem(m->err);
    struct audit_work w = {.arena = m->arena,
                           .known = m->known,
                           .ops = &r->ops,
                           .text = text,
                           .line = s->line - r->seen_line + 1,
                           .statement = s->offset,
                           .in_transaction = m->in_transaction,
                           .err = m->err};
    if (sql_with_tree(text, take_tree, &w, m->err) != 0)
        return err_wrap(m->err, "%s:%u", m->settings->sql_name, s->line);
    return 0;
}

static int read_parts(struct maker *m)
{
    const struct audit_settings *s = m->settings;
    struct audit_revision *current = NULL;
    size_t behind = 0;
    unsigned line = 1;
    for (size_t i = 0; i < m->script.count; i++) {
        const struct sql_statement *statement = &m->script.statements[i];
        if (statement->repeat == 0) /* a further row of the statement before */
            continue;
        if (pass_between(m, behind, statement->offset, &line, &current) != 0 ||
            take_statement(m, statement, current) != 0)
            return -1;
        behind = statement->offset + statement->length;
        for (const char *p = s->sql + statement->offset; p < s->sql + behind; p++)
            line += *p == '\n';
    }
    return pass_between(m, behind, s->sql_length, &line, &current);
}

static int require_all_parts(struct maker *m)
{
    for (size_t i = 0; i < m->settings->graph->count; i++) {
        if (m->revisions[i].seen)
            continue;
        err_set(m->err, ERR_DB_COMMAND, "%s: it has no part for revision '%s'",
                m->settings->sql_name, m->revisions[i].revision->id);
        return err_hint(m->err, "It must print the whole chain, from nothing to the heads: "
                                "alembic upgrade heads --sql");
    }
    return 0;
}

/* Whether what an operation did can be undone: by what the operation loses, and by downgrade(). */
static void judge_downgrades(struct maker *m)
{
    for (size_t i = 0; i < m->settings->graph->count; i++) {
        struct audit_revision *r = &m->revisions[i];
        for (size_t k = 0; k < r->ops.count; k++) {
            struct audit_op *op = &r->ops.list[k];
            bool real = r->source.downgrade == DOWNGRADE_REAL;
            op->reversible = !real || op->destructive == ANSWER_YES ? ANSWER_NO
                             : op->destructive == ANSWER_MAYBE      ? ANSWER_MAYBE
                                                                    : ANSWER_YES;
        }
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static int keep_file(struct maker *m, const char *name, struct buf *text)
{
    struct audit *a = m->audit;
    struct buf *kept = &a->memory->texts[a->memory->text_count++];
    *kept = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    buf_move(kept, text);
    if (buf_check(kept, ERR_RESOURCE, name, m->err) != 0)
        return -1;
    a->files[a->file_count++] = (struct audit_file){
        .name = name, .text = buf_text(kept), .length = kept->len};
    return 0;
}

static int write_revision(struct maker *m, const struct audit_revision *r)
{
    AUTO_BUF csv = BUF_INIT(AUDIT_FILE_MAX_BYTES), summary = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    const char *csv_name = arena_printf(m->arena, "%s.csv", r->base_name);
    const char *summary_name = arena_printf(m->arena, "%s.md", r->base_name);
    if (!csv_name || !summary_name)
        return err_nomem(m->err);
    audit_write_csv(r, &csv);
    audit_write_summary(m->settings->graph, m->revisions, r, &summary);
    return keep_file(m, csv_name, &csv) == 0 ? keep_file(m, summary_name, &summary) : -1;
}

static int write_whole(struct maker *m)
{
    const struct graph *g = m->settings->graph;
    AUTO_BUF inventory = BUF_INIT(AUDIT_FILE_MAX_BYTES), svg = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    AUTO_BUF dot = BUF_INIT(AUDIT_FILE_MAX_BYTES), mermaid = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    audit_write_inventory(g, m->revisions, &inventory);
    graph_write_dot(g, &dot);
    graph_write_mermaid(g, &mermaid);
    if (graph_write_svg(g, &svg, m->err) != 0)
        return -1;
    if (keep_file(m, "INVENTORY.md", &inventory) != 0 || keep_file(m, "graph.svg", &svg) != 0 ||
        keep_file(m, "graph.dot", &dot) != 0)
        return -1;
    return keep_file(m, "graph.mmd", &mermaid);
}

static int write_files(struct maker *m)
{
    enum { FILES_OF_REVISION = 2, FILES_OF_WHOLE = 4 };
    struct audit *a = m->audit;
    size_t count = m->settings->graph->count * FILES_OF_REVISION + FILES_OF_WHOLE;
    a->files = mem_new(count, sizeof(*a->files));
    a->memory->texts = mem_new(count, sizeof(*a->memory->texts));
    if (!a->files || !a->memory->texts)
        return err_nomem(m->err);
    for (size_t i = 0; i < m->settings->graph->count; i++) {
        if (write_revision(m, &m->revisions[i]) != 0)
            return -1;
    }
    return write_whole(m);
}

static int read_all(struct maker *m)
{
    const struct audit_settings *s = m->settings;
    struct sql_settings sql = {.version_schema = s->version_schema,
                               .version_table = s->version_table};
    m->known = audit_known_new(m->arena);
    if (!m->known)
        return err_nomem(m->err);
    if (list_revisions(m) != 0)
        return -1;
    if (sql_read(s->sql_name, s->sql, s->sql_length, &sql, &m->script, m->err) != 0) {
        m->err->kind = m->err->kind == ERR_FILE ? ERR_DB_COMMAND : m->err->kind;
        return -1;
    }
    if (read_parts(m) != 0 || require_all_parts(m) != 0)
        return -1;
    judge_downgrades(m);
    return 0;
}

static int make_record(struct maker *m, void *unused)
{
    (void)unused;
    return write_files(m);
}

/* ---- all operations ---------------------------------------------------------------------------- */

static const char *label_of(const struct audit_op *op)
{
    static const struct {
        enum audit_kind kind;
        const char *label;
    } labels[] = {
        {KIND_ADD_PRIMARY_KEY, "pkey"}, {KIND_ADD_UNIQUE, "key"},     {KIND_ADD_CHECK, "check"},
        {KIND_ADD_FOREIGN_KEY, "fkey"}, {KIND_ADD_EXCLUSION, "excl"},
    };
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        if (op->kind == labels[i].kind)
            return labels[i].label;
    return "";
}

static bool is_opaque(const struct audit_op *op)
{
    return op->kind == KIND_DO || op->kind == KIND_SELECT || op->kind == KIND_OTHER ||
           op->kind == KIND_UNPARSED;
}

static int make_trace(struct maker *m, void *context)
{
    struct audit_trace *trace = context;
    size_t count = 0;
    for (size_t i = 0; i < m->settings->graph->count; i++)
        count += m->revisions[i].ops.count;
    trace->list = mem_new(count + 1, sizeof(*trace->list));
    if (!trace->list)
        return err_nomem(m->err);
    for (size_t i = 0; i < m->settings->graph->count; i++) {
        const struct audit_revision *r = &m->revisions[i];
        for (size_t k = 0; k < r->ops.count; k++) {
            const struct audit_op *op = &r->ops.list[k];
            trace->list[trace->count++] = (struct audit_touch){
                .revision = r->revision->id,
                .type = op->object_type,
                .schema = op->schema,
                .object = op->object,
                .column = op->column,
                .table = op->table,
                .label = label_of(op),
                .new_name = op->new_name,
                .is_definition = op->kind == KIND_CREATE_TABLE,
                .is_grant = op->kind == KIND_GRANT || op->kind == KIND_REVOKE,
                .is_opaque = is_opaque(op),
            };
        }
    }
    return 0;
}

void audit_trace_release(struct audit_trace *trace)
{
    free(trace->list);
    audit_free(trace->audit);
    *trace = (struct audit_trace){0};
}

/* ---- the whole --------------------------------------------------------------------------------- */

/* Read everything, and FINISH with it. */
static int make(const struct audit_settings *settings,
                int (*finish)(struct maker *m, void *context), void *context, struct audit **out,
                struct err *err)
{
    struct audit *audit = mem_new(1, sizeof(*audit));
    if (audit)
        audit->memory = mem_new(1, sizeof(*audit->memory));
    if (!audit || !audit->memory) {
        audit_free(audit);
        return err_nomem(err);
    }
    AUTO_MAKER m = {
        .settings = settings, .audit = audit, .arena = &audit->memory->arena, .err = err};
    audit->revision_count = settings->graph->count;
    if (read_all(&m) != 0 || finish(&m, context) != 0) {
        audit_free(audit);
        return -1;
    }
    *out = audit;
    return 0;
}

int audit_make(const struct audit_settings *settings, struct audit **out, struct err *err)
{
    return make(settings, make_record, NULL, out, err);
}

int audit_trace_make(const struct audit_settings *settings, struct audit_trace *out,
                     struct err *err)
{
    struct audit_trace made = {0};
    if (make(settings, make_trace, &made, &made.audit, err) != 0) {
        free(made.list);
        return -1;
    }
    *out = made;
    return 0;
}

bool audit_is_revision_file(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits >= AUDIT_NUMBER_DIGITS && name[digits] == '_' &&
           (str_ends(name, ".csv") || str_ends(name, ".md"));
}
