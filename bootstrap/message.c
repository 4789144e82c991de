/* bootstrap/message.c: statements as messages of bounded size, with a map back to file and line.
 *
 * One message is one round trip, whatever the number of statements in it. Statements are copied as
 * they stand, so that a position which the server gives leads to line and column of the source.
 *
 * The server reads a whole message in one encoding: a script that changes it (as the dump of a database
 * in LATIN1 does) ends the message there, and another one takes the session back to UTF-8, in which
 * everything of ours is. A script in UTF-8 costs none of that. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"

enum { QUOTED_BYTES = 8 }; /* of a character, by the server in an error */

#define NOT_IN_ENCODING "22021"
#define UNTRANSLATABLE  "22P05"

void message_release(struct message *message)
{
    buf_release(&message->text);
    free(message->parts);
    free(message->copies);
    *message = MESSAGE_INIT;
}

static void message_clear(struct message *message)
{
    buf_clear(&message->text);
    message->part_count = message->copy_count = message->statements = 0;
}

static int begin_part(struct message *m, size_t source, size_t entry, bool verbatim,
                      struct err *err)
{
    if (mem_grow(&m->parts, m->part_count, &m->part_capacity, sizeof(*m->parts)) != 0)
        return err_nomem(err);
    m->parts[m->part_count++] = (struct message_part){.start = m->text.len,
                                                      .first_statement = m->statements,
                                                      .source = source,
                                                      .entry = entry,
                                                      .verbatim = verbatim};
    return 0;
}

int message_add_ours(struct message *m, const char *what, const char *sql, size_t statements,
                     struct err *err)
{
    if (begin_part(m, SIZE_MAX, 0, false, err) != 0)
        return -1;
    m->parts[m->part_count - 1].what = what;
    buf_adds(&m->text, sql);
    m->statements += statements;
    return buf_check(&m->text, ERR_FILE, "a statement", err);
}

static int add_role(struct message *m, const char *role, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    buf_adds(&sql, "SET LOCAL ROLE ");
    if (role)
        db_add_identifier(&sql, role);
    else
        buf_adds(&sql, "NONE"); /* the login again, within the transaction */
    buf_adds(&sql, ";\n");
    if (buf_check(&sql, ERR_CONTRACT, "database.owner", err) != 0)
        return -1;
    return message_add_ours(m, "database.owner", buf_text(&sql), 1, err);
}

static int add_copy(struct message *m, const struct sql_script *script,
                    const struct sql_statement *s, struct err *err)
{
    if (mem_grow(&m->copies, m->copy_count, &m->copy_capacity, sizeof(*m->copies)) != 0)
        return err_nomem(err);
    m->copies[m->copy_count++] = (struct db_copy_data){.data = script->text + s->data_offset,
                                                       .length = s->data_length};
    return 0;
}

static int add_text(struct message *m, const struct sql_script *script, size_t source, size_t entry,
                    bool rewritten, struct err *err)
{
    const struct sql_statement *s = &script->statements[entry];
    if (begin_part(m, source, entry, !rewritten, err) != 0)
        return -1;
    if (rewritten)
        buf_adds(&m->text, s->rewritten);
    else
        buf_add(&m->text, script->text + s->offset, s->length);
    buf_adds(&m->text, ";\n");
    m->statements += s->repeat;
    return s->class_ == SQL_COPY_DATA ? add_copy(m, script, s, err) : 0;
}

static int add_version_table(const struct database_settings *settings, const struct plan *plan,
                             struct message_cursor *c, struct message *m, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    if (c->version_table_made)
        return 0;
    c->version_table_made = true;
    stamp_add_table(settings, plan->version_width, &sql);
    if (buf_check(&sql, ERR_CONTRACT, "the version table's name", err) != 0)
        return -1;
    return message_add_ours(m, "the version table", buf_text(&sql), 1, err);
}

static int add_entry(const struct database_settings *settings, const struct plan *plan,
                     struct message_cursor *c, struct message *m, struct err *err)
{
    const struct sql_script *script = &plan->sources[c->source].script;
    switch (plan_action_of(settings, plan, &script->statements[c->entry])) {
    case PLAN_SEND:
        return add_text(m, script, c->source, c->entry, false, err);
    case PLAN_SEND_REWRITTEN:
        return add_text(m, script, c->source, c->entry, true, err);
    case PLAN_AS_LOGIN:
        if (add_role(m, NULL, err) != 0 ||
            add_text(m, script, c->source, c->entry, false, err) != 0)
            return -1;
        return add_role(m, settings->owner, err);
    case PLAN_VERSION_TABLE:
        return add_version_table(settings, plan, c, m, err);
    case PLAN_SKIP:
        break;
    }
    return 0;
}

/* Whether the message ends behind ENTRY, since the server will read the next one in another encoding. */
static bool changes_encoding(struct message_cursor *c, const struct sql_statement *entry)
{
    bool was_other = c->other_encoding;
    if (entry->encoding == SQL_ENCODING_UNSAID)
        return false;
    c->other_encoding = entry->encoding == SQL_ENCODING_OTHER;
    return was_other || c->other_encoding;
}

int message_next(const struct database_settings *settings, const struct plan *plan,
                 struct message_cursor *cursor, struct message *message, bool *more,
                 struct err *err)
{
    *more = false;
    message_clear(message);
    message->other_encoding = cursor->other_encoding;
    if (!cursor->begun && settings->owner && add_role(message, settings->owner, err) != 0)
        return -1;
    cursor->begun = true;
    for (; cursor->source < plan->count; cursor->source++, cursor->entry = 0) {
        const struct sql_script *script = &plan->sources[cursor->source].script;
        for (; cursor->entry < script->count; cursor->entry++) {
            size_t length = script->statements[cursor->entry].length;
            if (message->part_count > 0 && message->text.len + length > MESSAGE_BYTES) {
                *more = true;
                return 0;
            }
            if (add_entry(settings, plan, cursor, message, err) != 0 ||
                buf_check(&message->text, ERR_FILE, "a statement", err) != 0)
                return -1;
            if (changes_encoding(cursor, &script->statements[cursor->entry])) {
                cursor->entry++;
                *more = true;
                return 0;
            }
        }
    }
    if (!cursor->other_encoding)
        return 0;
    cursor->other_encoding = false;
    *more = true;
    return message_add_ours(message, "the session's encoding",
                            "SET LOCAL client_encoding = 'UTF8';\n", 1, err);
}

/* ---- back to the source ---------------------------------------------------------------------- */

/* Where in the message it failed: at a byte, or (NOWHERE) somewhere in a statement. */
#define NOWHERE SIZE_MAX

/* The byte of character POSITION (from 1). What is not UTF-8 is taken for an encoding of single bytes. */
static size_t byte_of(const struct message *m, size_t position)
{
    const char *p = buf_text(&m->text), *end = p + m->text.len;
    if (m->other_encoding)
        return position - 1 < m->text.len ? position - 1 : m->text.len;
    for (size_t character = 1; p < end; p++) {
        if (((unsigned char)*p & 0xC0) == 0x80)
            continue;
        if (character++ == position)
            break;
    }
    return (size_t)(p - buf_text(&m->text));
}

/* Bytes as the server writes them, "0xe4 0x73 0x65", from *TEXT on, which moves behind them. */
static size_t read_bytes(const char **text, char out[QUOTED_BYTES])
{
    size_t length = 0;
    int high, low;
    for (const char *p = *text; length < QUOTED_BYTES && str_starts(p, "0x") &&
                                (high = str_hex_digit(p[2])) >= 0 &&
                                (low = str_hex_digit(p[3])) >= 0;) {
        out[length++] = (char)(high << 4 | low);
        *text = p += strlen("0x00");
        if (str_starts(p, " 0x"))
            p++;
    }
    return length;
}

/* A message with bytes that are no text of its encoding, or that the database's has not, is refused as a
 * whole, before any statement is known; but the server quotes the bytes. */
static size_t byte_of_quoted(const struct message *m, const struct err *err)
{
    if (!str_eq(err->sqlstate, NOT_IN_ENCODING) && !str_eq(err->sqlstate, UNTRANSLATABLE))
        return NOWHERE;
    for (const char *p = strstr(err->text, "0x"); p; p = strstr(p, "0x")) {
        char bytes[QUOTED_BYTES];
        size_t length = read_bytes(&p, bytes);
        const char *at = length ? memmem(buf_text(&m->text), m->text.len, bytes, length) : NULL;
        if (at)
            return (size_t)(at - buf_text(&m->text));
        p += length ? 0 : strlen("0x");
    }
    return NOWHERE;
}

static void hint_at_encoding(struct err *err)
{
    if (str_eq(err->sqlstate, NOT_IN_ENCODING))
        err_hint(
            err,
            "Convert it to UTF-8, or say what it is in, as pg_dump does: SET client_encoding = "
            "'LATIN1';");
    else if (str_eq(err->sqlstate, UNTRANSLATABLE))
        err_hint(err, "The database's encoding has no such character: make the database anew, with "
                      "ENCODING 'UTF8'.");
}

static const struct message_part *part_at(const struct message *m, const struct db_failure *failure,
                                          size_t byte)
{
    const struct message_part *found = NULL;
    for (size_t i = 0; i < m->part_count; i++) {
        const struct message_part *part = &m->parts[i];
        bool before = byte != NOWHERE ? part->start <= byte
                                      : part->first_statement <= failure->statement;
        if (before)
            found = part;
    }
    return found;
}

/* The server says at which line of its data a COPY failed: "COPY users, line 3". */
static unsigned copy_line(const struct err *err)
{
    static const char before[] = ", line ";
    const char *copy = strstr(err->text, "COPY ");
    const char *line = copy ? strstr(copy, before) : NULL;
    unsigned number = 0;
    for (line = line ? line + strlen(before) : ""; *line >= '0' && *line <= '9'; line++)
        number = number * 10 + (unsigned)(*line - '0');
    return number;
}

int message_explain(const struct plan *plan, const struct message *message,
                    const struct db_failure *failure, struct err *err)
{
    size_t byte = failure->position ? byte_of(message, failure->position)
                                    : byte_of_quoted(message, err);
    hint_at_encoding(err);
    const struct message_part *part = part_at(message, failure, byte);
    if (!part || part->source == SIZE_MAX)
        return err_wrap(err, "%s", part ? part->what : "bootstrap's own statement");
    const struct plan_source *source = &plan->sources[part->source];
    const struct sql_statement *entry = &source->script.statements[part->entry];
    bool placed = byte != NOWHERE && part->verbatim;
    size_t offset = placed ? entry->offset + (byte - part->start) : SQL_NO_OFFSET;
    struct sql_statement s = sql_within_run(&source->script, entry,
                                            failure->statement - part->first_statement, offset);
    unsigned line, column;
    sql_position(&source->script, placed ? offset : s.offset, &line, &column);
    AUTO_BUF first = BUF_INIT(OWN_SQL_MAX_BYTES);
    sql_first_line(&source->script, &s, &first);
    unsigned data_line = s.class_ == SQL_COPY_DATA ? copy_line(err) : 0;
    if (data_line) {
        sql_position(&source->script, s.data_offset, &line, &column);
        line += data_line - 1;
        column = 1;
    }
    if (s.class_ == SQL_OWNER_TO)
        err_hint(err, "database.owner gives everything one owner and leaves OWNER TO out; so does "
                      "`pg_dump --no-owner`.");
    err_wrap(err, "%s:%u:%u: %s", source->name, line, column, buf_text(&first));
    return err_at(err, source->name, line, column);
}
