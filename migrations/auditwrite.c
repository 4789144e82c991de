/* migrations/auditwrite.c: a revision as CSV and as a summary in Markdown. The CSV is quoted as RFC
 * 4180 has it; its lines end with a line feed alone, since a record is kept in a repository, whose
 * tools turn CRLF into it on some machines and not on others. */
#include <string.h>

#include "base/str.h"
#include "migrations/auditparts.h"

enum { SENTENCE_NAMES = 4 }; /* of one kind of operation; the others are counted */

/* ---- Markdown -------------------------------------------------------------------------------- */

/* A piece of text that is no control byte; those appear as \xHH, and a line feed as a blank. */
static void add_plain(struct buf *out, const char *text, const char *escaped)
{
    for (size_t left = strlen(text); left > 0;) {
        char piece[STR_PIECE_BYTES];
        size_t length, taken = str_sanitise_step(text, left, piece, &length);
        if (*text == '\n' || *text == '\r' || *text == '\t')
            buf_addc(out, ' ');
        else if (taken == 1 && strchr(escaped, *text))
            buf_addf(out, "\\%c", *text);
        else
            buf_add(out, piece, length);
        text += taken;
        left -= taken;
    }
}

void audit_add_markdown(struct buf *out, const char *text)
{
    add_plain(out, text, "\\`*_[]<>|#&");
}

void audit_add_code(struct buf *out, const char *text)
{
    const char *fence = strchr(text, '`') ? "`` " : "`";
    buf_adds(out, fence);
    add_plain(out, text, "|"); /* of a table's cell, even inside of code */
    buf_adds(out, fence[1] ? " ``" : "`");
}

/* ---- CSV ------------------------------------------------------------------------------------- */

/* A field of RFC 4180: quoted where it holds a comma, a quote or the end of a line. */
static void add_field(struct buf *out, const char *text, char end)
{
    bool quoted = text[strcspn(text, ",\"\r\n")] != '\0' || *text == ' ' ||
                  (*text && text[strlen(text) - 1] == ' ');
    if (quoted)
        buf_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_addc(out, '"');
        buf_addc(out, *text);
    }
    if (quoted)
        buf_addc(out, '"');
    buf_addc(out, end);
}

static void add_row(const struct audit_revision *r, size_t number, struct buf *out)
{
    const struct audit_op *op = &r->ops.list[number];
    AUTO_BUF detail = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    buf_adds(&detail, op->detail);
    for (size_t i = 0; i < op->rule_count; i++)
        buf_addf(&detail, "%s%s", i ? ", " : detail.len ? "; rules: " : "rules: ", op->rules[i]);
    out->no_memory |= detail.no_memory;
    buf_addf(out, "%zu,", number + 1);
    add_field(out, r->revision->id, ',');
    add_field(out, audit_kinds[op->kind].word, ',');
    add_field(out, op->object_type, ',');
    add_field(out, op->schema, ',');
    add_field(out, op->object, ',');
    add_field(out, op->column, ',');
    add_field(out, buf_text(&detail), ',');
    add_field(out, audit_lock_word(op->lock), ',');
    add_field(out, audit_answer_word(op->rewrites), ',');
    add_field(out, audit_answer_word(op->destructive), ',');
    add_field(out, audit_answer_word(op->reversible), ',');
    buf_addf(out, "%u\n", op->line);
}

void audit_write_csv(const struct audit_revision *r, struct buf *out)
{
    buf_adds(out, "seq,revision,operation,object_type,schema,object,column,detail,lock,"
                  "rewrites_table,destructive,reversible,line\n");
    for (size_t i = 0; i < r->ops.count; i++)
        add_row(r, i, out);
}

/* ---- what it comes to ------------------------------------------------------------------------ */

static void note_rules(const struct audit_op *op, struct audit_sum *out)
{
    for (size_t i = 0; i < op->rule_count; i++) {
        size_t k = 0;
        while (k < out->rule_count && !str_eq(out->rules[k], op->rules[i]))
            k++;
        if (k == out->rule_count && k < ARRAY_LEN(out->rules))
            out->rules[out->rule_count++] = op->rules[i];
    }
}

/* What is not known may be anything, but for the strongest lock, than which there is no worse. */
static bool is_heavier(const struct audit_op *op, const struct audit_op *than)
{
    if (op->lock == LOCK_NONE)
        return false;
    return !than || (op->lock > than->lock && than->lock != LOCK_ACCESS_EXCLUSIVE) ||
           (op->lock == LOCK_ACCESS_EXCLUSIVE && than->lock == LOCK_UNKNOWN);
}

static void judge_reversal(const struct audit_revision *r, struct audit_sum *out)
{
    static const char *const whys[] = {
        [DOWNGRADE_ABSENT] = "there is no downgrade()",
        [DOWNGRADE_EMPTY] = "downgrade() does nothing",
        [DOWNGRADE_RAISES] = "downgrade() refuses",
        [DOWNGRADE_REAL] = "",
    };
    out->why_not = whys[r->source.downgrade];
    out->reversible = ANSWER_YES;
    if (r->ops.count == 0 && !r->source.asks) {
        out->why_not = "there is nothing to undo";
    } else if (r->source.downgrade != DOWNGRADE_REAL) {
        out->reversible = ANSWER_NO;
    } else if (out->loses == ANSWER_YES) {
        out->reversible = ANSWER_NO;
        out->why_not = "the structure comes back, the data that is lost does not";
    } else if (out->loses == ANSWER_MAYBE || r->source.asks) {
        out->reversible = ANSWER_MAYBE;
        out->why_not = r->source.asks ? "what it does is not all known"
                                      : "old values may be overwritten";
    }
}

void audit_sum_up(const struct audit_revision *r, struct audit_sum *out)
{
    *out = (struct audit_sum){.is_unknown = r->source.asks || r->source.tells_offline};
    for (size_t i = 0; i < r->ops.count; i++) {
        const struct audit_op *op = &r->ops.list[i];
        if (is_heavier(op, out->heaviest))
            out->heaviest = op;
        if (op->rewrites > out->rewrites) {
            out->rewrites = op->rewrites;
            out->rewriting = op;
        }
        if (op->destructive > out->loses) {
            out->loses = op->destructive;
            out->losing = op;
        }
        out->is_unknown |= op->lock == LOCK_UNKNOWN;
        note_rules(op, out);
    }
    judge_reversal(r, out);
}

/* ---- the sentence ---------------------------------------------------------------------------- */

static void add_name(const struct audit_op *op, struct buf *out)
{
    bool of_column = str_eq(op->object_type, "column") && *op->column;
    if (*op->schema) {
        audit_add_markdown(out, op->schema);
        buf_addc(out, '.');
    }
    audit_add_markdown(out, *op->object ? op->object : "(automatic name)");
    if (of_column) {
        buf_addc(out, '.');
        audit_add_markdown(out, op->column);
    }
}

/* Constraints of a table are told with the table. */
static bool is_told(const struct audit_revision *r, size_t i)
{
    const struct audit_op *op = &r->ops.list[i];
    while (i > 0 && r->ops.list[i - 1].statement == op->statement) {
        if (r->ops.list[--i].kind == KIND_CREATE_TABLE)
            return true;
    }
    return false;
}

static bool has_name(const struct audit_op *op)
{
    return *op->object || str_eq(op->object_type, "constraint");
}

static void add_noun(const char *noun, size_t count, struct buf *out)
{
    size_t length = strlen(noun);
    bool whole = strstr(noun, " of") || strstr(noun, " into"); /* "rows of": it has no plural */
    if (count == 1 || whole)
        buf_adds(out, noun);
    else if (noun[length - 1] == 'y')
        buf_addf(out, "%.*sies", (int)length - 1, noun);
    else if (strchr("xs", noun[length - 1]))
        buf_addf(out, "%ses", noun);
    else
        buf_addf(out, "%ss", noun);
}

/* All operations of the kind of the one at FIRST: "creates tables a and b". */
static void add_kind(const struct audit_revision *r, size_t first, struct buf *out)
{
    const struct audit_kind_row *row = &audit_kinds[r->ops.list[first].kind];
    size_t count = 0, named = 0;
    for (size_t i = first; i < r->ops.count; i++)
        count += r->ops.list[i].kind == r->ops.list[first].kind && !is_told(r, i);
    buf_addf(out, "%s ", row->verb);
    if (!has_name(&r->ops.list[first]) && count > 1)
        buf_addf(out, "%zu ", count);
    add_noun(str_eq(row->noun, "object") ? r->ops.list[first].object_type : row->noun, count, out);
    for (size_t i = first; i < r->ops.count && has_name(&r->ops.list[first]); i++) {
        if (r->ops.list[i].kind != r->ops.list[first].kind || is_told(r, i))
            continue;
        if (named == SENTENCE_NAMES) {
            buf_addf(out, " and %zu more", count - named);
            return;
        }
        named++;
        buf_adds(out, named == 1 ? " " : named == count ? " and " : ", ");
        add_name(&r->ops.list[i], out);
    }
}

void audit_write_sentence(const struct audit_revision *r, struct buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < r->ops.count; i++) {
        bool again = is_told(r, i);
        for (size_t k = 0; k < i && !again; k++)
            again = r->ops.list[k].kind == r->ops.list[i].kind && !is_told(r, k);
        if (again)
            continue;
        if (out->len > start)
            buf_adds(out, "; ");
        add_kind(r, i, out);
    }
    if (out->len == start && r->revision->down_count > 1)
        buf_addf(out, "joins %zu branches and changes nothing", r->revision->down_count);
    else if (out->len == start)
        buf_adds(out, r->source.asks ? "does what only the database tells" : "changes nothing");
    if (out->data && out->len > start && out->data[start] >= 'a' && out->data[start] <= 'z')
        out->data[start] = (char)(out->data[start] - ('a' - 'A'));
    buf_addc(out, '.');
}

/* ---- the summary ----------------------------------------------------------------------------- */

static void add_ids(const char *const *ids, struct buf *out)
{
    for (size_t i = 0; ids && ids[i]; i++) {
        buf_adds(out, i > 0 ? ", " : "");
        audit_add_code(out, ids[i]);
    }
}

static void add_parents(const struct revision *r, struct buf *out)
{
    if (r->down && r->down[0])
        add_ids(r->down, out);
    else
        buf_adds(out, "none: it is a first one");
    if (r->depends_on && r->depends_on[0]) {
        buf_adds(out, "; depends on ");
        add_ids(r->depends_on, out);
    }
}

static void add_children(const struct graph *graph, const struct audit_revision *all,
                         const struct audit_revision *r, struct buf *out)
{
    size_t index = (size_t)(r->revision - graph->revisions), count = 0;
    for (size_t i = 0; i < graph->count; i++) {
        const struct revision *other = all[i].revision;
        bool is_child = false;
        for (size_t p = 0; p < other->parent_count && !is_child; p++)
            is_child = other->parents[p] == index;
        if (!is_child)
            continue;
        buf_adds(out, count++ > 0 ? ", " : "");
        audit_add_code(out, other->id);
    }
    if (count == 0)
        buf_adds(out, "none: it is a head");
}

static void add_lock(const struct audit_sum *sum, struct buf *out)
{
    const struct audit_op *op = sum->heaviest;
    if (!op) {
        buf_adds(out, "none on a table that was there before");
        return;
    }
    buf_adds(out, audit_lock_word(op->lock));
    if (*op->table) {
        buf_adds(out, " on ");
        audit_add_code(out, op->table);
    } else if (op->kind == KIND_DROP_INDEX) {
        buf_adds(out, " on the table of ");
        audit_add_code(out, op->object);
    }
    buf_addf(out, ": blocks %s", audit_lock_blocks(op->lock));
}

static void add_answer(const struct audit_revision *r, const char *what, enum audit_answer answer,
                       const struct audit_op *op, struct buf *out)
{
    buf_addf(out, "| %s | %s", what, audit_answer_word(answer));
    if (op)
        buf_addf(out, ": operation %zu, %s", (size_t)(op - r->ops.list) + 1,
                 audit_kinds[op->kind].word);
    buf_adds(out, " |\n");
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_facts(const struct graph *graph, const struct audit_revision *all,
                      const struct audit_revision *r, const struct audit_sum *sum, struct buf *out)
{
    buf_adds(out, "| | |\n|---|---|\n| file | ");
    audit_add_code(out, base_of(r->revision->file));
    if (*r->source.date) {
        buf_adds(out, " |\n| date | ");
        audit_add_markdown(out, r->source.date);
    }
    if (*r->source.author) {
        buf_adds(out, " |\n| author | ");
        audit_add_markdown(out, r->source.author);
    }
    buf_adds(out, " |\n| parents | ");
    add_parents(r->revision, out);
    buf_adds(out, " |\n| children | ");
    add_children(graph, all, r, out);
    buf_adds(out, " |\n| heaviest lock | ");
    add_lock(sum, out);
    buf_adds(out, " |\n");
    add_answer(r, "rewrites a table", sum->rewrites, sum->rewriting, out);
    add_answer(r, "loses data", sum->loses, sum->losing, out);
    buf_addf(out, "| can be undone | %s%s%s |\n", audit_answer_word(sum->reversible),
             *sum->why_not ? ": " : "", sum->why_not);
}

static void add_operations(const struct audit_revision *r, struct buf *out)
{
    if (r->ops.count == 0)
        return;
    buf_adds(out, "\n## Objects\n\n| # | operation | object | detail | lock |\n"
                  "|---:|---|---|---|---|\n");
    for (size_t i = 0; i < r->ops.count; i++) {
        const struct audit_op *op = &r->ops.list[i];
        buf_addf(out, "| %zu | %s | ", i + 1, audit_kinds[op->kind].word);
        if (*op->object || *op->column) {
            buf_addf(out, "%s ", op->object_type);
            add_name(op, out);
        } else {
            buf_adds(out, op->object_type);
        }
        buf_adds(out, " | ");
        if (*op->detail)
            audit_add_code(out, op->detail);
        buf_addf(out, " | %s%s |\n", audit_lock_word(op->lock), op->on_new ? "(new table)" : "");
    }
}

static void add_rules(const struct audit_revision *r, const struct audit_sum *sum, struct buf *out)
{
    if (sum->rule_count == 0)
        return;
    buf_adds(out, "\n## Dangerous on a table that is in use\n\n");
    for (size_t k = 0; k < sum->rule_count; k++) {
        const struct audit_rule *rule = audit_rule_find(sum->rules[k]);
        size_t count = 0;
        buf_addf(out, "- `%s` (operation", sum->rules[k]);
        for (size_t i = 0; i < r->ops.count; i++) {
            const struct audit_op *op = &r->ops.list[i];
            for (size_t n = 0; n < op->rule_count; n++) {
                if (str_eq(op->rules[n], sum->rules[k]))
                    buf_addf(out, "%s %zu", count++ ? "," : "", i + 1);
            }
        }
        buf_addf(out, "): %s %s\n", rule ? rule->why : "", rule ? rule->instead : "");
    }
}

static void add_unknown(const struct audit_revision *r, struct buf *out)
{
    const struct audit_source *s = &r->source;
    AUTO_BUF list = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    if (s->asks)
        buf_addf(&list,
                 "- Line %u of the file asks the database as it runs (`%s`): what it does "
                 "with the answer is not in the offline SQL.\n",
                 s->asks_line, s->asks);
    if (s->tells_offline)
        buf_adds(&list, "- It looks whether it runs offline, and may do something else online.\n");
    if (s->autocommit_block)
        buf_adds(&list, "- `autocommit_block()` commits what came before it: when it fails behind "
                        "that, the version stays behind what is already there.\n");
    for (size_t i = 0; i < r->ops.count; i++) {
        const struct audit_op *op = &r->ops.list[i];
        if (op->kind == KIND_UNPARSED)
            buf_addf(&list,
                     "- Operation %zu: PostgreSQL's parser does not know the statement; what "
                     "it does is left open.\n",
                     i + 1);
        else if (op->lock == LOCK_UNKNOWN)
            buf_addf(&list,
                     "- Operation %zu runs code (`%s`): only the server knows what it "
                     "does.\n",
                     i + 1, audit_kinds[op->kind].word);
    }
    out->no_memory |= list.no_memory;
    if (list.len > 0)
        buf_addf(out, "\n## Not known offline\n\n%s", buf_text(&list));
}

void audit_write_summary(const struct graph *graph, const struct audit_revision *all,
                         const struct audit_revision *r, struct buf *out)
{
    struct audit_sum sum;
    audit_sum_up(r, &sum);
    buf_addf(out, "# %.*s ", (int)strspn(r->base_name, "0123456789"), r->base_name);
    audit_add_markdown(out, r->revision->id);
    if (*r->revision->message) {
        buf_adds(out, ": ");
        audit_add_markdown(out, r->revision->message);
    }
    buf_adds(out, "\n\n");
    audit_write_sentence(r, out);
    buf_adds(out, "\n\n");
    add_facts(graph, all, r, &sum, out);
    add_operations(r, out);
    audit_write_live(r, out);
    add_rules(r, &sum, out);
    add_unknown(r, out);
}
