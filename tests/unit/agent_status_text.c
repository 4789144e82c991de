/* tests/unit/agent_status_text.c: what run.status answers to what. */
#include "tests/lib/unit.h"

#include <string.h>

#include "agent/status.h"
#include "base/clock.h"

static const struct status_view running = {.runs = true, .state = "running", .restarts = 3};

/* The whole answer to REQUEST; valid until the next. */
static const char *ask_as(const char *request, const struct status_facts *facts,
                          const struct status_view *view)
{
    static struct buf out;
    buf_release(&out);
    out = BUF_INIT(STATUS_ANSWER_BYTES);
    status_answer(request, strlen(request), facts, view, &out);
    return buf_text(&out);
}

static const char *ask(const char *request)
{
    static const struct status_facts none = {.token_expires_ms = CLOCK_NEVER};
    return ask_as(request, &none, &running);
}

static void assert_starts(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("'%s' does not start with '%s'", text, start);
}

static void what_runs_is_live_and_ready(void **state)
{
    (void)state;
    assert_starts(ask("GET /live HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
    assert_text_has(ask("GET /ready HTTP/1.0\r\n\r\n"), "\r\n\r\nready\n");
    assert_text_has(ask("GET /ready?verbose=1 HTTP/1.1\r\n\r\n"), "200 OK");
    assert_text_has(ask("GET /ready HTTP/1.1\r\n\r\n"), "Content-Length: 6\r\n");
}

static void what_does_not_run_is_live_and_not_ready(void **state)
{
    (void)state;
    const struct status_view stopping = {.runs = false, .state = "stopping"};
    const struct status_facts facts = STATUS_FACTS_INIT;
    const char *answer = ask_as("GET /ready HTTP/1.1\r\n\r\n", &facts, &stopping);
    assert_starts(answer, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_text_has(answer, "the application is stopping\n");
    assert_text_has(ask_as("GET /live HTTP/1.1\r\n\r\n", &facts, &stopping), "200 OK");
}

static void a_lease_that_has_ended_is_not_ready_and_named(void **state)
{
    (void)state;
    struct status_facts facts = STATUS_FACTS_INIT;
    facts.lease_count = 2;
    facts.leases[0].path = "database/creds/a";
    facts.leases[0].expires_ms = clock_now_ms() + 100000;
    facts.leases[1].path = "database/creds/b\x1b[m";
    facts.leases[1].expires_ms = clock_now_ms() - 1;
    const char *answer = ask_as("GET /ready HTTP/1.1\r\n\r\n", &facts, &running);
    assert_starts(answer, "HTTP/1.1 503 ");
    assert_text_has(answer, "the lease of 'database/creds/b\\x1b[m' has ended\n");
    assert_text_lacks(answer, "creds/a");
}

static void metrics_have_leases_and_escape_their_names(void **state)
{
    (void)state;
    struct status_facts facts = STATUS_FACTS_INIT;
    facts.lease_count = 1;
    facts.leases[0].path = "a\"b\\c\nd\xff";
    facts.leases[0].expires_ms = clock_now_ms() + 100500;
    facts.token_expires_ms = clock_now_ms() - 5500;
    facts.stale_count = 1;
    facts.stale[0].variable = "KEY";
    facts.stale[0].since_ms = clock_now_ms() - 60500;
    facts.renewals = 7;
    const char *answer = ask_as("GET /metrics HTTP/1.1\r\n\r\n", &facts, &running);
    assert_text_has(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_text_has(answer,
                    "\nagent_lease_seconds_left{path=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 100\n");
    assert_text_has(answer, "\nagent_token_seconds_left -5\n");
    assert_text_has(answer, "\nagent_stale_age_seconds{variable=\"KEY\"} 60\n");
    assert_text_has(answer, "\nagent_application_restarts_total 3\n");
    assert_text_has(answer, "\nagent_renewals_total 7\n");
    assert_text_has(answer, "# TYPE agent_renewals_total counter\n");
    assert_text_lacks(ask("GET /metrics HTTP/1.1\r\n\r\n"), "token_seconds");
}

static void other_requests_are_told_what_there_is(void **state)
{
    (void)state;
    assert_starts(ask("GET /nope HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 ");
    assert_starts(ask("GET /readyx HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 ");
    const char *answer = ask("POST /ready HTTP/1.1\r\n\r\n");
    assert_starts(answer, "HTTP/1.1 405 ");
    assert_text_has(answer, "Allow: GET, HEAD\r\n");
    answer = ask("HEAD /ready HTTP/1.1\r\n\r\n");
    assert_starts(answer, "HTTP/1.1 200 ");
    assert_text_has(answer, "Content-Length: 6\r\n");
    assert_string_equal(answer + strlen(answer) - 4, "\r\n\r\n");
}

static void what_is_no_request_is_told_so(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "\r\n\r\n",
                                      "GET\r\n\r\n",
                                      "GET /ready\r\n\r\n",
                                      "GET /ready HTTP/2.0\r\n\r\n",
                                      "GET /ready HTTP/1.1 \r\n\r\n",
                                      "GET  /ready HTTP/1.1\r\n\r\n",
                                      "\x16\x03\x01\x02\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_starts(ask(bad[i]), "HTTP/1.1 400 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_runs_is_live_and_ready),
        cmocka_unit_test(what_does_not_run_is_live_and_not_ready),
        cmocka_unit_test(a_lease_that_has_ended_is_not_ready_and_named),
        cmocka_unit_test(metrics_have_leases_and_escape_their_names),
        cmocka_unit_test(other_requests_are_told_what_there_is),
        cmocka_unit_test(what_is_no_request_is_told_so),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    return result;
}
