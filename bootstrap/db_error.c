/* bootstrap/db_error.c: texts of the server and of libpq → an error that is never blank.
 *
 * libpq gives a failed connection's SQLSTATE only inside of its verbose text, and blank texts in
 * cases that matter: an ErrorResponse without fields, or a connection that we ourselves gave up. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "bootstrap/db_internal.h"

/* PostgreSQL's manual, appendix A: those that a user of agent may meet. */
static const struct {
    const char *sqlstate, *name;
} conditions[] = {
    {"01000", "warning"},
    {"08000", "connection_exception"},
    {"08001", "sqlclient_unable_to_establish_sqlconnection"},
    {"08003", "connection_does_not_exist"},
    {"08004", "sqlserver_rejected_establishment_of_sqlconnection"},
    {"08006", "connection_failure"},
    {"08P01", "protocol_violation"},
    {"0A000", "feature_not_supported"},
    {"0LP01", "invalid_grant_operation"},
    {"21000", "cardinality_violation"},
    {"22001", "string_data_right_truncation"},
    {"22003", "numeric_value_out_of_range"},
    {"22007", "invalid_datetime_format"},
    {"22008", "datetime_field_overflow"},
    {"22012", "division_by_zero"},
    {"22021", "character_not_in_repertoire"},
    {"22023", "invalid_parameter_value"},
    {"22P02", "invalid_text_representation"},
    {"22P04", "bad_copy_file_format"},
    {"22P05", "untranslatable_character"},
    {"23000", "integrity_constraint_violation"},
    {"23502", "not_null_violation"},
    {"23503", "foreign_key_violation"},
    {"23505", "unique_violation"},
    {"23514", "check_violation"},
    {"23P01", "exclusion_violation"},
    {"25000", "invalid_transaction_state"},
    {"25001", "active_sql_transaction"},
    {"25006", "read_only_sql_transaction"},
    {"25P01", "no_active_sql_transaction"},
    {"25P02", "in_failed_sql_transaction"},
    {"25P03", "idle_in_transaction_session_timeout"},
    {"26000", "invalid_sql_statement_name"},
    {"28000", "invalid_authorization_specification"},
    {"28P01", "invalid_password"},
    {"2BP01", "dependent_objects_still_exist"},
    {"2D000", "invalid_transaction_termination"},
    {"3D000", "invalid_catalog_name"},
    {"3F000", "invalid_schema_name"},
    {"40001", "serialization_failure"},
    {"40003", "statement_completion_unknown"},
    {"40P01", "deadlock_detected"},
    {"42501", "insufficient_privilege"},
    {"42601", "syntax_error"},
    {"42602", "invalid_name"},
    {"42622", "name_too_long"},
    {"42701", "duplicate_column"},
    {"42703", "undefined_column"},
    {"42704", "undefined_object"},
    {"42710", "duplicate_object"},
    {"42723", "duplicate_function"},
    {"42804", "datatype_mismatch"},
    {"42830", "invalid_foreign_key"},
    {"42883", "undefined_function"},
    {"42939", "reserved_name"},
    {"42P01", "undefined_table"},
    {"42P04", "duplicate_database"},
    {"42P06", "duplicate_schema"},
    {"42P07", "duplicate_table"},
    {"42P16", "invalid_table_definition"},
    {"42P17", "invalid_object_definition"},
    {"53000", "insufficient_resources"},
    {"53100", "disk_full"},
    {"53200", "out_of_memory"},
    {"53300", "too_many_connections"},
    {"53400", "configuration_limit_exceeded"},
    {"54000", "program_limit_exceeded"},
    {"54001", "statement_too_complex"},
    {"55000", "object_not_in_prerequisite_state"},
    {"55006", "object_in_use"},
    {"55P02", "cant_change_runtime_param"},
    {"55P03", "lock_not_available"},
    {"55P04", "unsafe_new_enum_value_usage"},
    {"57014", "query_canceled"},
    {"57P01", "admin_shutdown"},
    {"57P02", "crash_shutdown"},
    {"57P03", "cannot_connect_now"},
    {"57P04", "database_dropped"},
    {"57P05", "idle_session_timeout"},
    {"58000", "system_error"},
    {"58030", "io_error"},
    {"58P01", "undefined_file"},
    {"P0001", "raise_exception"},
    {"P0002", "no_data_found"},
    {"P0004", "assert_failure"},
    {"XX000", "internal_error"},
    {"XX001", "data_corrupted"},
    {"XX002", "index_corrupted"},
};

const char *db_condition(const char *sqlstate)
{
    for (size_t i = 0; sqlstate && i < ARRAY_LEN(conditions); i++)
        if (str_eq(conditions[i].sqlstate, sqlstate))
            return conditions[i].name;
    return NULL;
}

enum err_kind db_kind(const char *sqlstate)
{
    static const struct {
        const char *start;
        enum err_kind kind;
    } kinds[] = {
        {"08", ERR_DB_DOWN},       {"53300", ERR_DB_DOWN},    {"57P01", ERR_DB_DOWN},
        {"57P02", ERR_DB_DOWN},    {"57P03", ERR_DB_DOWN},    {"57P05", ERR_DB_DOWN},
        {"25006", ERR_DB_DOWN},    {"25P03", ERR_DB_DOWN},    {"55P03", ERR_DB_LOCK},
        {"28", ERR_DB_REFUSED},    {"3D000", ERR_DB_REFUSED}, {"42501", ERR_DB_REFUSED},
        {"57P04", ERR_DB_REFUSED},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts(sqlstate, kinds[i].start))
            return kinds[i].kind;
    return ERR_DB_SQL;
}

void db_said_part(char *part, const char *text, size_t length)
{
    str_trim(&text, &length);
    if (length >= DB_SAID_BYTES)
        length = DB_SAID_BYTES - 1;
    if (length)
        memcpy(part, text, length);
    part[length] = '\0';
}

static bool is_sqlstate(const char *text)
{
    for (size_t i = 0; i < 5; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z')))
            return false;
    return true;
}

/* "FATAL:  28P01: password authentication failed": the SQLSTATE, and what stands behind it. A
 * severity may be in the server's language, so it is known by its two blanks. */
static const char *past_severity(const char *text, size_t length, char sqlstate[static 6])
{
    const char *blanks = memmem(text, length, ":  ", 3);
    if (!blanks || blanks - text > 32)
        return text;
    const char *rest = blanks + 3;
    size_t left = length - (size_t)(rest - text);
    if (left >= 6 && is_sqlstate(rest) && rest[5] == ':') {
        memcpy(sqlstate, rest, 5);
        sqlstate[5] = '\0';
        return rest + 6;
    }
    return rest;
}

/* Where a line that starts a part goes, or NULL for one that is left out. */
static bool line_part(struct db_said *said, const char *line, size_t length, char **part,
                      size_t *skip)
{
    static const char *const left_out[] = {"LOCATION:", "LINE ", "QUERY:", "STATEMENT:"};
    const struct {
        const char *start;
        char *part;
    } parts[] = {{"DETAIL:", said->detail}, {"HINT:", said->hint}, {"CONTEXT:", said->context}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t n = strlen(parts[i].start);
        if (length >= n && memcmp(line, parts[i].start, n) == 0) {
            *part = parts[i].part;
            *skip = n;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(left_out); i++) {
        size_t n = strlen(left_out[i]);
        if (length >= n && memcmp(line, left_out[i], n) == 0) {
            *part = NULL;
            return true;
        }
    }
    return false;
}

static void part_extend(char *part, const char *text, size_t length)
{
    str_trim(&text, &length);
    size_t used = strlen(part);
    if (used && length && used + 1 < DB_SAID_BYTES)
        part[used++] = ' ';
    if (length >= DB_SAID_BYTES - used)
        length = DB_SAID_BYTES - used - 1;
    if (length)
        memcpy(part + used, text, length);
    part[used + length] = '\0';
}

/* libpq tries once more by itself where the server does not know application_name, and has then the same
 * text twice, the second time with the server's place before it. */
static bool is_repeated(const struct db_said *said, const char *line, size_t length)
{
    static const char failed[] = " failed: ";
    const char *reason = str_starts(line, "connection to server ")
                             ? memmem(line, length, failed, strlen(failed))
                             : NULL;
    char sqlstate[6] = "";
    if (!reason)
        return false;
    reason += strlen(failed);
    const char *text = past_severity(reason, length - (size_t)(reason - line), sqlstate);
    size_t left = length - (size_t)(text - line);
    str_trim(&text, &left);
    return left == strlen(said->primary) && memcmp(text, said->primary, left) == 0;
}

void db_said_from_text(struct db_said *said, const char *text)
{
    *said = (struct db_said){0};
    if (!text)
        return;
    if (str_starts(text, "connection to server ")) {
        const char *reason = strstr(text, " failed: ");
        if (reason)
            text = reason + strlen(" failed: ");
    }
    char *part = said->primary;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        const char *next = line[length] ? line + length + 1 : line + length;
        char *new_part = NULL;
        size_t skip = 0;
        if (line[0] == '\t' || is_repeated(said, line, length)) {
            /* libpq's guesses ("Is the server running on that host ..."): the hint is ours to give */
            line = next;
            continue;
        }
        if (line_part(said, line, length, &new_part, &skip)) {
            part = new_part;
        } else if (part == said->primary) {
            char sqlstate[6] = "";
            const char *rest = past_severity(line, length, sqlstate);
            skip = (size_t)(rest - line);
            if (!said->sqlstate[0])
                memcpy(said->sqlstate, sqlstate, sizeof(sqlstate));
        } else if (!part && line[0] != ' ') {
            part = said->primary; /* libpq's own words behind a server's message */
        }
        if (part)
            part_extend(part, line + skip, length - skip);
        line = next;
    }
}

static void hide_in(char *part, const char *password, size_t length)
{
    for (char *at = part; (at = strstr(at, password)) != NULL; at += 3) {
        memmove(at + 3, at + length, strlen(at + length) + 1);
        at[0] = at[1] = at[2] = '*';
    }
}

/* A text that was cut may end within the password. */
static void hide_cut(char *part, const char *password, size_t length)
{
    size_t end = strlen(part);
    if (end + 1 < DB_SAID_BYTES)
        return;
    for (size_t n = length - 1; n >= DB_REDACT_LEAST; n--)
        if (memcmp(part + end - n, password, n) == 0) {
            memcpy(part + end - n, "***", sizeof("***"));
            return;
        }
}

void db_said_hide(struct db_said *said, const struct secret *password)
{
    size_t length = secret_length(password);
    if (!secret_is_set(password) || length < DB_REDACT_LEAST)
        return;
    const char *bytes = secret_reveal(password);
    char *parts[] = {said->primary, said->detail, said->hint, said->context};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        hide_cut(parts[i], bytes, length < DB_SAID_BYTES ? length : DB_SAID_BYTES - 1);
        hide_in(parts[i], bytes, length);
    }
}

int db_said_errno(const struct db_said *said)
{
    static const int candidates[] = {
        ECONNREFUSED, ECONNRESET, ENOENT,       EHOSTUNREACH,  ENETUNREACH, ETIMEDOUT,
        EACCES,       EPIPE,      ECONNABORTED, EADDRNOTAVAIL, EMFILE,      ENFILE,
        ENOTSOCK,     ENOTDIR,    ENAMETOOLONG, EAGAIN}; /* of a socket file whose queue is full */
    static const char *const closed[] = {"server closed the connection unexpectedly",
                                         "EOF detected", "no connection to the server",
                                         "connection not open"};
    static const char *const foreign[] = {
        "expected authentication request",
        "SSL negotiation",
        "received invalid", /* since libpq 16, of a length that cannot be */
        "lost synchronization",
        "unexpected response",
        "message contents do not agree",
        "out-of-order",
        "invalid message",
        "unexpected message",
        "does not support protocol",
        "insufficient data"};
    for (size_t i = 0; i < ARRAY_LEN(closed); i++)
        if (strstr(said->primary, closed[i]))
            return ECONNRESET;
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
        if (strstr(said->primary, foreign[i]))
            return EPROTO;
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++)
        if (strstr(said->primary, strerror(candidates[i]))) /* libpq prints the same text */
            return candidates[i];
    return 0;
}

bool db_said_of_pooler(const struct db_said *said)
{
    static const char *const words[] = {"no such user", "SASL authentication failed",
                                        "password authentication failed", "auth failed"};
    if (!str_eq(said->sqlstate, "08P01"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(said->primary, words[i]))
            return true;
    return false;
}

const char *db_said_of_session(const struct db_said *said)
{
    static const struct {
        const char *words, *hint;
    } known[] = {
        {"session is read-only",
         "target_session_attrs asks for a server that takes writes: this one is a standby, or "
         "default_transaction_read_only is set."},
        {"session is not read-only",
         "target_session_attrs asks for a server that takes no writes, and this one does."},
        {"server is in hot standby mode",
         "target_session_attrs asks for the primary, and this server is a standby."},
        {"server is not in hot standby mode",
         "target_session_attrs asks for a standby, and this server is a primary."},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(said->primary, known[i].words))
            return known[i].hint;
    return NULL;
}

bool db_said_of_parameter(const struct db_said *said)
{
    return !said->sqlstate[0] && str_starts(said->primary, "invalid ") &&
           (strstr(said->primary, " value: \"") || strstr(said->primary, "connection option"));
}

const char *db_said_hint(const struct db_said *said)
{
    static const char files[] =
        "It is this side's own certificate: sslcert and sslkey in the URL, or PGSSLCERT and "
        "PGSSLKEY; sslpassword opens a key.";
    static const struct {
        const char *words, *hint;
    } known[] = {
        {"does not support SSL",
         "Over a network that is trusted, sslmode=disable in the URL goes without."},
        {"no pg_hba.conf entry",
         "The server's pg_hba.conf has no line for this user, this database and this address with "
         "or without TLS, as it was said: add one, or ask with another sslmode."},
        {"valid client certificate",
         "The server wants a certificate of this side: name it and its key with sslcert and sslkey "
         "in the URL, or PGSSLCERT and PGSSLKEY; a certificate that is not there is passed over."},
        {"certificate authentication failed",
         "Is the name in the certificate (CN) the user's, or mapped to it in pg_ident.conf?"},
        {" alert ",
         "The server refused the certificate of this side: is sslcert signed by what its "
         "ssl_ca_file trusts, and still valid?"},
        {"root certificate", NULL},
        {"private key file", files},
        {"certificate file", files},
    };
    static const struct {
        const char *sqlstate, *hint;
    } states[] = {
        {"57P03", "The server is starting or stopping: try again."},
        {"53300",
         "All connections are taken: try again, or raise what limits them: max_connections, or the "
         "CONNECTION LIMIT of the role or of the database."},
        {"3D000", "Is the database's name right, and was it created?"},
        {"55000", "ALTER DATABASE ... ALLOW_CONNECTIONS true lets sessions in."},
    };
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_eq(said->sqlstate, states[i].sqlstate))
            return states[i].hint;
    if (db_said_of_parameter(said))
        return "The URL's query, or a PG* variable of TLS, says so.";
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strstr(said->primary, known[i].words))
            return known[i].hint;
    return NULL;
}

int db_error(struct err *err, enum err_kind kind, const char *place, const char *phase,
             const struct db_said *said)
{
    char code[64] = "";
    const char *condition = db_condition(said->sqlstate);
    if (said->sqlstate[0])
        (void)snprintf(code, sizeof(code), " (%s%s%s)", said->sqlstate, condition ? " " : "",
                       condition ? condition : ""); /* cut at worst, and it can't be */
    const char *primary = said->primary;
    if (!primary[0])
        primary = said->sqlstate[0] ? "the server gave a code and no text"
                                    : "the server gave no text and no code";
    err_set(err, kind, "%s: %s: %s%s%s%s%s%s", place, phase, primary, code,
            said->detail[0] ? "; detail: " : "", said->detail, said->context[0] ? "; in: " : "",
            said->context);
    err_sqlstate(err, said->sqlstate);
    if (said->hint[0])
        err_hint(err, "The server's hint: %s", said->hint);
    return -1;
}

bool db_should_wait(const struct err *err)
{
    static const char *const codes[] = {"57P03", "53300", "57P01", "57P02",
                                        "08001", "08004", "08006"};
    static const int numbers[] = {ECONNREFUSED, ECONNRESET, ENOENT,    EHOSTUNREACH, ENETUNREACH,
                                  ECONNABORTED, EPIPE,      ETIMEDOUT, EAGAIN};
    if (err->kind != ERR_DB_DOWN)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (str_eq(err->sqlstate, codes[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (!err->sqlstate[0] && err->sys_errno == numbers[i])
            return true;
    /* PgBouncer has one code for all that it refuses. */
    return str_eq(err->sqlstate, "08P01") && strstr(err->text, "no more connections");
}
