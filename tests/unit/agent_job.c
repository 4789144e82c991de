/* tests/unit/agent_job.c: from a contract to checked values, without a server. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/job.h"

enum { PATH_BYTES = 64 };

/* A contract in a file of its own, and a call that names it. */
struct site {
    char path[PATH_BYTES];
    struct invocation call;
};

static void write_contract(struct site *site, const char *text)
{
    *site = (struct site){.path = "/tmp/agent-job-XXXXXX"};
    int fd = mkstemp(site->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    site->call.common.contract = site->path;
}

static void remove_contract(const struct site *site)
{
    assert_int_equal(unlink(site->path), 0);
}

/* Load the contract with ENVIRONMENT in place of the process's own. */
static void load(struct job *job, const char *const *environment)
{
    struct err err = ERR_INIT;

    job->given_environment = environment;
    if (job_load(job, &err) != 0)
        fail_msg("%s", err.text);
}

static void a_wrong_contract_is_counted_and_its_first_problem_named(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site,
                   "{\"contract\": 1, \"vars\": {\"A\": {\"typo\": 1}, \"B\": {\"tpye\": 2}}}");
    AUTO_JOB job = JOB_INIT(&site.call);
    struct err err = ERR_INIT;
    assert_int_equal(job_load(&job, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_non_null(strstr(err.text, "2 problems, the first: A: "));
    assert_non_null(strstr(err.text, "typo"));
    assert_int_equal(job.findings.errors, 2);
    remove_contract(&site);
}

static void with_json_the_error_has_the_place_of_the_first_problem(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site, "{\"contract\": 1,\n \"vars\": {\"A\": {\"typo\": 1}}}");
    site.call.common.json = true;
    AUTO_JOB job = JOB_INIT(&site.call);
    struct err err = ERR_INIT;
    assert_int_equal(job_load(&job, &err), -1);
    assert_string_equal(err.file, site.path);
    assert_int_equal(err.line, 2);
    remove_contract(&site);
}

static void a_variable_with_several_parts_may_be_absent_from_the_environment(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site, "{\"contract\": 1, \"vars\": {\"URL\": {\"required\": false, \"source\": "
                          "{\"a\": \"vault:kv/x#a\", \"b\": \"vault:kv/x#b\"}, "
                          "\"compose\": \"{a}:{b}\"}, \"ONE\": {\"source\": \"vault:kv/x#c\"}}}");
    static const char *const environment[] = {NULL};
    AUTO_JOB job = JOB_INIT(&site.call);
    struct err err = ERR_INIT;
    load(&job, environment);
    assert_int_equal(job_take_environment(&job, &err), 0);
    assert_int_equal(job_check(&job, &err), -1);
    assert_int_equal(err.kind, ERR_VIOLATION);
    assert_int_equal(job.findings.errors, 1);
    assert_string_equal(job.findings.list[0].variable, "ONE");
    remove_contract(&site);
}

static void the_chosen_profile_is_its_variables_value(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site,
                   "{\"contract\": 1, \"profile\": {\"var\": \"ROLE\", \"values\": [\"dev\", "
                   "\"prod\"]}, \"vars\": {\"ROLE\": {\"source\": \"env\"}}}");
    static const char *const environment[] = {NULL};
    site.call.common.profile = "prod";
    AUTO_JOB job = JOB_INIT(&site.call);
    struct err err = ERR_INIT;
    load(&job, environment);
    assert_int_equal(job_resolve(&job, NULL, &err), 0);
    assert_int_equal(job_check(&job, &err), 0);
    assert_true(job.values[0].resolved);
    assert_string_equal(secret_reveal(&job.values[0].bytes), "prod");
    remove_contract(&site);
}

static void the_given_environment_says_the_profile(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site,
                   "{\"contract\": 1, \"profile\": {\"var\": \"ROLE\", \"values\": [\"dev\", "
                   "\"prod\"]}, \"vars\": {\"ROLE\": {\"source\": \"env\"}}}");
    static const char *const environment[] = {"ROLE=dev", NULL};
    AUTO_JOB job = JOB_INIT(&site.call);
    load(&job, environment);
    assert_string_equal(job.contract->profile, "dev");
    remove_contract(&site);
}

static void a_file_that_is_not_there_is_the_sources_refusal(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site,
                   "{\"contract\": 1, \"vars\": {\"A\": {\"source\": \"file:/no/such/file\"}}}");
    static const char *const environment[] = {NULL};
    AUTO_JOB job = JOB_INIT(&site.call);
    struct err err = ERR_INIT;
    load(&job, environment);
    assert_int_equal(job_resolve(&job, NULL, &err), 0);
    assert_int_equal(job_check(&job, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_MISSING);
    assert_non_null(strstr(err.text, "/no/such/file"));
    remove_contract(&site);
}

static void a_name_that_is_no_variable_gets_the_nearest(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site, "{\"contract\": 1, \"vars\": {\"DATABASE_URL\": {\"source\": \"env\"}}}");
    static const char *const environment[] = {"DATABASE_URL=x", NULL};
    static const char *const names[] = {"DATABSE_URL", NULL};
    AUTO_JOB job = JOB_INIT(&site.call);
    struct err err = ERR_INIT;
    load(&job, environment);
    assert_int_equal(job_resolve(&job, names, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_string_equal(err.hint, "Did you mean 'DATABASE_URL'?");
    remove_contract(&site);
}

static void a_contract_without_a_database_says_what_to_add(void **state)
{
    (void)state;
    struct site site;
    write_contract(&site, "{\"contract\": 1, \"vars\": {}}");
    static const char *const environment[] = {NULL};
    AUTO_JOB job = JOB_INIT(&site.call);
    AUTO_DATABASE_JOB database = DATABASE_JOB_INIT;
    struct err err = ERR_INIT;
    load(&job, environment);
    assert_int_equal(job_database(&job, &database, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_non_null(strstr(err.hint, "\"database\""));
    remove_contract(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_contract_is_counted_and_its_first_problem_named),
        cmocka_unit_test(with_json_the_error_has_the_place_of_the_first_problem),
        cmocka_unit_test(a_variable_with_several_parts_may_be_absent_from_the_environment),
        cmocka_unit_test(the_chosen_profile_is_its_variables_value),
        cmocka_unit_test(the_given_environment_says_the_profile),
        cmocka_unit_test(a_file_that_is_not_there_is_the_sources_refusal),
        cmocka_unit_test(a_name_that_is_no_variable_gets_the_nearest),
        cmocka_unit_test(a_contract_without_a_database_says_what_to_add),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
