/* tests/unit/bootstrap_report.c: what is known of a database, as text and as JSON. */
#include "tests/lib/unit.h"

#include <string.h>

#include "bootstrap/internal.h"

enum { OUTPUT_BYTES = 64 * 1024 };

static char **list_of(const char *first, const char *second)
{
    struct names names = {0};
    struct err err = ERR_INIT;
    if (first)
        assert_int_equal(names_add(&names, first, &err), 0);
    if (second)
        assert_int_equal(names_add(&names, second, &err), 0);
    char **list = names_take(&names);
    assert_non_null(list);
    return list;
}

static void set(char **field, const char *text)
{
    struct err err = ERR_INIT;
    assert_int_equal(report_set(field, &err, "%s", text), 0);
}

static struct database_report behind_report(void)
{
    struct database_report r = {.state = STATE_BEHIND,
                                .state_known = true,
                                .state_before = STATE_BEHIND,
                                .tls = true,
                                .table_count = 12,
                                .behind = 2};
    set(&r.why, "public.alembic_version holds a1, 2 revisions behind; next: b2 and c3");
    set(&r.hint, "Upgrade it: alembic upgrade heads.");
    set(&r.server_version, "15.20");
    set(&r.host, "db.acme.io");
    set(&r.port, "5432");
    set(&r.database, "app");
    set(&r.user, "app_rw");
    set(&r.tls_version, "TLSv1.3");
    r.missing = list_of(NULL, NULL);
    r.heads = list_of("c3", NULL);
    r.stamped = list_of("a1", NULL);
    r.next = list_of("b2", "c3");
    r.rights = list_of("schema public: USAGE yes, CREATE no", "may not create schemas");
    return r;
}

static void text_says_everything_that_verify_promises(void **state)
{
    (void)state;
    AUTO_REPORT report = behind_report();
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    verify_write_text(&report, &out);
    assert_string_equal(
        buf_text(&out),
        "server      PostgreSQL 15.20 at db.acme.io:5432\n"
        "database    app\n"
        "role        app_rw\n"
        "rights      schema public: USAGE yes, CREATE no\n"
        "            may not create schemas\n"
        "tls         TLSv1.3\n"
        "state       behind\n"
        "why         public.alembic_version holds a1, 2 revisions behind; next: b2 and c3\n"
        "heads       c3\n"
        "stamped     a1\n"
        "tables      12\n"
        "missing     none\n"
        "hint        Upgrade it: alembic upgrade heads.\n");
}

static void json_has_the_fields_of_the_specification(void **state)
{
    (void)state;
    AUTO_REPORT report = behind_report();
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    struct json json = JSON_INIT(&out);
    json_begin_object(&json, NULL);
    verify_write_json(&report, &json);
    json_end_object(&json);
    assert_string_equal(
        buf_text(&out),
        "{\"state\":\"behind\",\"why\":\"public.alembic_version holds a1, 2 revisions "
        "behind; next: b2 and c3\",\"hint\":\"Upgrade it: alembic upgrade heads.\","
        "\"server_version\":\"15.20\",\"host\":\"db.acme.io\",\"port\":5432,"
        "\"database\":\"app\",\"user\":\"app_rw\",\"tls\":true,\"read_only\":false,"
        "\"tables\":12,\"missing\":[],\"heads\":[\"c3\"],\"stamped\":[\"a1\"],"
        "\"behind\":2,\"next\":[\"b2\",\"c3\"]}");
}

static void what_a_command_made_is_in_no_transaction_of_ours(void **state)
{
    (void)state;
    AUTO_REPORT report = behind_report();
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    report.state = STATE_CURRENT;
    report.created = report.verified = report.by_command = true;
    bootstrap_write_text(&report, &out);
    assert_text_has(buf_text(&out),
                    "made it: create.command, and the stamp behind it in a transaction");
    assert_null(strstr(buf_text(&out), "one transaction"));
    assert_null(strstr(buf_text(&out), "rights")); /* they are those of before */
}

static void bootstrap_adds_what_it_did(void **state)
{
    (void)state;
    AUTO_REPORT report = behind_report();
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    struct json json = JSON_INIT(&out);
    report.state = STATE_CURRENT;
    report.state_before = STATE_FRESH;
    report.created = report.verified = true;
    report.statements = 42;
    report.waited_ms = 1500;
    report.duration_ms = 2000;
    json_begin_object(&json, NULL);
    bootstrap_write_json(&report, &json);
    json_end_object(&json);
    assert_text_has(
        buf_text(&out),
        "\"created\":true,\"state_before\":\"fresh\",\"statements\":42,\"waited_ms\":1500,"
        "\"duration_ms\":2000,\"verified\":true}");
    buf_clear(&out);
    bootstrap_write_text(&report, &out);
    assert_text_has(buf_text(&out),
                    "bootstrap   made it: 42 statements, one transaction, in 2s, of "
                    "which waited 1s500ms; read back from a new connection\n"
                    "server      PostgreSQL 15.20");
}

static void a_report_of_nothing_is_not_blank(void **state)
{
    (void)state;
    const struct database_report report = REPORT_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    struct json json = JSON_INIT(&out);
    verify_write_text(&report, &out);
    assert_text_has(buf_text(&out), "state       not known\n");
    buf_clear(&out);
    json_begin_object(&json, NULL);
    verify_write_json(&report, &json);
    json_end_object(&json);
    assert_text_has(buf_text(&out), "{\"state\":null,");
    assert_text_has(buf_text(&out), "\"missing\":[],\"heads\":[]");
}

static void foreign_bytes_are_escaped_in_text(void **state)
{
    (void)state;
    AUTO_REPORT report = behind_report();
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    set(&report.server_version, "15\033[2J");
    names_free_list(report.stamped);
    report.stamped = list_of("a\nstate       current", NULL);
    verify_write_text(&report, &out);
    assert_text_has(buf_text(&out), "15\\x1b[2J");
    assert_text_has(buf_text(&out), "stamped     a\\x0astate       current\n");
}

static void a_read_only_session_and_ipv6_are_shown(void **state)
{
    (void)state;
    AUTO_REPORT report = behind_report();
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    report.read_only = true;
    report.tls = false;
    set(&report.host, "::1");
    verify_write_text(&report, &out);
    assert_text_has(buf_text(&out), " at [::1]:5432\n");
    assert_text_has(buf_text(&out), "session     read-only (default_transaction_read_only)\n");
    assert_text_has(buf_text(&out), "tls         off\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_says_everything_that_verify_promises),
        cmocka_unit_test(json_has_the_fields_of_the_specification),
        cmocka_unit_test(what_a_command_made_is_in_no_transaction_of_ours),
        cmocka_unit_test(bootstrap_adds_what_it_did),
        cmocka_unit_test(a_report_of_nothing_is_not_blank),
        cmocka_unit_test(foreign_bytes_are_escaped_in_text),
        cmocka_unit_test(a_read_only_session_and_ipv6_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
