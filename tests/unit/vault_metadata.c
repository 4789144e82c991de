/* What is at a path without its values, with a server that answers by script. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/script_server.h"
#include "vault/write.h"

#define CANARY "canary-token-71c4"

enum { LONG_MS = 60000, WRITTEN_S = 1580702706 }; /* 2020-02-03T04:05:06Z */

static const char denied[] = "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}";
static const char nothing[] = "{\"errors\":[]}";
static const char unsupported[] =
    "{\"errors\":[\"1 error occurred:\\n\\t* unsupported path\\n\\n\"]}";

static int clean(void **state)
{
    (void)state;
    clearenv();
    return setenv("VAULT_TOKEN", CANARY, 1);
}

/* What is answered to a path; what is in none of them is refused. */
struct page {
    const char *path;
    int status;
    const char *body;
};

/* The paths that may be asked for: a request for any other one, a value's above all, is a canary. */
static bool looks_up(struct script_turn *turn)
{
    for (const struct page *page = turn->context; page->path; page++)
        if (str_eq(turn->path, page->path))
            return script_answer(turn, page->status, "", page->body);
    atomic_fetch_add(&turn->counts->by_key[0], 1);
    return script_answer(turn, 403, "", denied);
}

struct meeting {
    struct script_server *server;
    struct vault *vault;
    struct vault_outline outline;
    struct err err;
    int result, others; /* requests that no page answers */
};

/* Look at PATH; "kv" is known to be version 2, "old" version 1. */
static struct meeting meet(const char *path, const struct page *pages)
{
    static const struct vault_kv_mount mounts[] = {{"kv", 2}, {"old", 1}};
    struct meeting m = {.err = ERR_INIT, .outline = {.path = path}};
    union {
        const struct page *in;
        void *out;
    } unconst = {.in = pages};

    m.server = script_start(looks_up, unconst.out, CANARY);
    const struct vault_settings settings = {
        .address = script_url(m.server), .kv_mounts = mounts, .kv_mount_count = 2};
    if (vault_open(&settings, &m.vault, &m.err) != 0)
        fail_msg("%s", m.err.text);
    m.result = vault_outline_all(m.vault, &m.outline, 1, clock_in_ms(LONG_MS), &m.err);
    m.others = atomic_load(&script_counts_of(m.server)->by_key[0]);
    return m;
}

static void part(struct meeting *m)
{
    vault_outline_release(&m->outline);
    vault_free(m->vault);
    script_stop(m->server);
}

#define METADATA(more) \
    "\"metadata\":{\"version\":3,\"created_time\":\"2020-02-03T04:05:06.789Z\"" more "}"

static void subkeys_give_names_and_the_versions_age(void **state)
{
    static const struct page pages[] = {
        {"/v1/kv/subkeys/app", 200,
         "{\"data\":{\"subkeys\":{\"user\":null,\"deep\":{\"a\":null}}," METADATA(
             ",\"destroyed\":false,\"deletion_time\":\"\",\"custom_metadata\":{\"agent.URL\":"
             "\"{\\\"at\\\":\\\"2020-02-03T05:05:06+01:00\\\"}\",\"agent.BAD\":\"x\"}") "}}"},
        {NULL, 0, NULL}};

    (void)state;
    struct meeting m = meet("kv/data/app", pages);
    assert_int_equal(m.result, 0);
    assert_int_equal(m.others, 0);
    const struct vault_outline *o = &m.outline;
    assert_int_equal(o->state, VAULT_OUTLINE_THERE);
    assert_true(o->names_known);
    assert_int_equal(o->name_count, 2);
    for (size_t i = 0; i < o->name_count; i++) {
        bool is_deep = str_eq(o->names[i].name, "deep");
        assert_true(is_deep || str_eq(o->names[i].name, "user"));
        assert_true(str_eq(o->names[i].text, is_deep ? "object" : NULL));
    }
    assert_int_equal(o->version, 3);
    assert_int_equal(o->written_at, WRITTEN_S);
    assert_int_equal(vault_outline_rotated_at(o, "URL"), WRITTEN_S);
    assert_int_equal(vault_outline_rotated_at(o, "BAD"), 0);
    assert_int_equal(vault_outline_rotated_at(o, "NONE"), 0);
    part(&m);
}

static void a_deleted_and_a_destroyed_version_are_told_apart(void **state)
{
    static const struct page deleted[] = {{"/v1/kv/subkeys/app", 404,
                                           "{\"data\":{\"subkeys\":null," METADATA(
                                               ",\"deletion_time\":\"2020-02-04T00:00:00Z\"") "}}"},
                                          {NULL, 0, NULL}};
    static const struct page destroyed[] = {
        {"/v1/kv/subkeys/app", 404,
         "{\"data\":{\"subkeys\":null," METADATA(",\"destroyed\":true") "}}"},
        {NULL, 0, NULL}};
    static const struct page to_be_deleted[] = {
        {"/v1/kv/subkeys/app", 200,
         "{\"data\":{\"subkeys\":{}," METADATA(",\"deletion_time\":\"2199-01-01T00:00:00Z\"") "}}"},
        {NULL, 0, NULL}};
    static const struct {
        const struct page *pages;
        enum vault_outline_state state;
    } cases[] = {{deleted, VAULT_OUTLINE_DELETED},
                 {destroyed, VAULT_OUTLINE_DESTROYED},
                 {to_be_deleted, VAULT_OUTLINE_THERE}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct meeting m = meet("kv/app", cases[i].pages);
        assert_int_equal(m.result, 0);
        assert_int_equal(m.outline.state, cases[i].state);
        part(&m);
    }
}

static void metadata_stands_in_where_subkeys_are_refused_or_unknown(void **state)
{
    static const char body[] = "{\"data\":{\"current_version\":2,\"versions\":{\"1\":{},\"2\":"
                               "{\"created_time\":\"2020-02-03T04:05:06Z\",\"destroyed\":false}}}}";
    static const struct page refused[] = {
        {"/v1/kv/subkeys/app", 403, denied}, {"/v1/kv/metadata/app", 200, body}, {NULL, 0, NULL}};
    static const struct page older[] = {{"/v1/kv/subkeys/app", 404, unsupported},
                                        {"/v1/kv/metadata/app", 200, body},
                                        {NULL, 0, NULL}};
    static const struct page *const both[] = {refused, older};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct meeting m = meet("kv/app", both[i]);
        assert_int_equal(m.result, 0);
        assert_int_equal(m.outline.state, VAULT_OUTLINE_THERE);
        assert_false(m.outline.names_known);
        assert_int_equal(m.outline.version, 2);
        assert_int_equal(m.outline.written_at, WRITTEN_S);
        part(&m);
    }
}

static void what_is_not_there_is_missing_and_what_is_refused_is_not_known(void **state)
{
    static const struct page missing[] = {{"/v1/kv/subkeys/app", 404, nothing}, {NULL, 0, NULL}};
    static const struct page alive[] = {
        {"/v1/auth/token/lookup-self", 200, "{\"data\":{\"policies\":[\"default\"]}}"},
        {NULL, 0, NULL}};
    static const struct page broken[] = {{"/v1/kv/subkeys/app", 200, "<html>"}, {NULL, 0, NULL}};

    (void)state;
    struct meeting m = meet("kv/app", missing);
    assert_int_equal(m.outline.state, VAULT_OUTLINE_MISSING);
    part(&m);

    m = meet("kv/app", alive);
    assert_int_equal(m.result, 0);
    assert_int_equal(m.outline.state, VAULT_OUTLINE_UNKNOWN);
    assert_int_equal(m.outline.err.http_status, 403);
    assert_text_has(m.outline.err.hint, "path \"kv/subkeys/app\" { capabilities = [\"read\"] }");
    part(&m);

    m = meet("kv/app", broken);
    assert_int_equal(m.outline.state, VAULT_OUTLINE_UNKNOWN);
    assert_true(m.outline.err.text[0] != '\0');
    part(&m);
}

static void a_token_that_may_nothing_at_all_is_an_error(void **state)
{
    static const struct page pages[] = {{NULL, 0, NULL}};

    (void)state;
    struct meeting m = meet("kv/app", pages);
    assert_int_equal(m.result, -1);
    assert_int_equal(m.err.kind, ERR_SOURCE_DENIED);
    assert_text_has(m.err.text, "the token has expired");
    part(&m);
}

static void a_log_in_is_looked_at_by_its_role(void **state)
{
    static const struct page pages[] = {
        {"/v1/database/roles/app", 200, "{\"data\":{\"db_name\":\"main\"}}"},
        {"/v1/team/db/static-roles/app", 200,
         "{\"data\":{\"last_vault_rotation\":\"2020-02-03T04:05:06.1Z\",\"rotation_period\":60}}"},
        {"/v1/ldap/static-role/app", 200, "{\"data\":{}}"},
        {"/v1/database/roles/nobody", 404, nothing},
        {"/v1/odd/roles/app", 404, unsupported},
        {NULL, 0, NULL}};
    static const struct {
        const char *path;
        enum vault_outline_state state;
        int64_t written_at;
    } cases[] = {{"database/creds/app", VAULT_OUTLINE_THERE, 0},
                 {"team/db/static-creds/app", VAULT_OUTLINE_THERE, WRITTEN_S},
                 {"ldap/static-cred/app", VAULT_OUTLINE_THERE, 0},
                 {"database/creds/nobody", VAULT_OUTLINE_MISSING, 0},
                 {"odd/creds/app", VAULT_OUTLINE_UNKNOWN, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct meeting m = meet(cases[i].path, pages);
        assert_int_equal(m.result, 0);
        assert_int_equal(m.outline.state, cases[i].state);
        assert_int_equal(m.outline.written_at, cases[i].written_at);
        assert_int_equal(m.others, 0);
        part(&m);
    }
}

static void version_1_is_not_asked_at_all(void **state)
{
    static const struct page pages[] = {{NULL, 0, NULL}};

    (void)state;
    struct meeting m = meet("old/app", pages);
    assert_int_equal(m.result, 0);
    assert_int_equal(m.others, 0);
    assert_int_equal(m.outline.state, VAULT_OUTLINE_UNKNOWN);
    assert_text_has(m.outline.err.text, "KV version 2");
    part(&m);
}

static void a_mount_that_nobody_names_is_looked_up_or_guessed(void **state)
{
    static const struct page told[] = {
        {"/v1/sys/internal/ui/mounts/team/kv/app", 200,
         "{\"data\":{\"path\":\"team/kv/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}"},
        {"/v1/team/kv/subkeys/app", 200, "{\"data\":{\"subkeys\":{\"a\":null}," METADATA("") "}}"},
        {NULL, 0, NULL}};
    static const struct page guessed[] = {
        {"/v1/team/subkeys/kv/app", 200, "{\"data\":{\"subkeys\":{\"a\":null}," METADATA("") "}}"},
        {NULL, 0, NULL}};

    (void)state;
    struct meeting m = meet("team/kv/app", told);
    assert_int_equal(m.others, 0);
    assert_int_equal(m.outline.state, VAULT_OUTLINE_THERE);
    part(&m);

    m = meet("team/kv/app", guessed);
    assert_int_equal(m.outline.state, VAULT_OUTLINE_THERE);
    part(&m);
}

static void times_that_are_none_are_not_known(void **state)
{
    static const char *const times[] = {"",
                                        "yesterday",
                                        "2020-02-03T04:05:06",
                                        "2020-02-03T04:05:06+1",
                                        "2020-02-03T04:05:06Zx",
                                        "2020-02-03"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char body[256];
        (void)snprintf(body, sizeof body, "{\"data\":{\"last_vault_rotation\":\"%s\"}}", times[i]);
        const struct page pages[] = {{"/v1/database/static-roles/a", 200, body}, {NULL, 0, NULL}};
        struct meeting m = meet("database/static-creds/a", pages);
        assert_int_equal(m.outline.state, VAULT_OUTLINE_THERE);
        assert_int_equal(m.outline.written_at, 0);
        part(&m);
    }
}

/* ---- names beneath ------------------------------------------------------------------------------ */

static bool lists(struct script_turn *turn)
{
    if (str_eq(turn->path, "/v1/kv/metadata/app.pending?list=true"))
        return script_answer(turn, 200, "", "{\"data\":{\"keys\":[\"A\",\"folder/\",7]}}");
    if (str_eq(turn->path, "/v1/kv/metadata?list=true")) /* the mount by itself */
        return script_answer(turn, 200, "", "{\"data\":{\"keys\":[\"app.pending/\"]}}");
    if (str_eq(turn->path, "/v1/kv/metadata/none?list=true"))
        return script_answer(turn, 404, "", "{\"errors\":[]}");
    return script_answer(turn, 403, "", "{\"errors\":[\"permission denied\"]}");
}

static void names_beneath_several_paths_come_together(void **state)
{
    static const struct vault_kv_mount mounts[] = {{"kv", 2}, {"old", 1}};
    struct script_server *server = script_start(lists, NULL, CANARY);
    const struct vault_settings settings = {
        .address = script_url(server), .kv_mounts = mounts, .kv_mount_count = ARRAY_LEN(mounts)};
    struct vault_names names[] = {{.path = "kv/data/app.pending"},
                                  {.path = "kv"},
                                  {.path = "kv/none"},
                                  {.path = "kv/closed"},
                                  {.path = "old/app.pending"}};
    struct vault *vault = NULL;
    struct err err = ERR_INIT;

    (void)state;
    if (vault_open(&settings, &vault, &err) != 0 ||
        vault_kv_names(vault, names, ARRAY_LEN(names), clock_in_ms(LONG_MS), &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(names[0].found.count, 2);
    assert_string_equal(names[0].found.items[0], "A");
    assert_string_equal(names[0].found.items[1], "folder/");
    assert_int_equal(names[1].found.count, 1);
    assert_int_equal(names[2].found.count, 0);
    assert_int_equal(names[2].err.kind, ERR_NONE);
    assert_int_equal(names[3].err.kind, ERR_SOURCE_DENIED);
    assert_non_null(
        strstr(names[3].err.hint, "path \"kv/metadata/closed\" { capabilities = [\"list\"] }"));
    assert_non_null(strstr(names[4].err.text, "is not in KV version 2"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        vault_list_release(&names[i].found);
    vault_free(vault);
    script_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(subkeys_give_names_and_the_versions_age, clean),
        cmocka_unit_test_setup(a_deleted_and_a_destroyed_version_are_told_apart, clean),
        cmocka_unit_test_setup(metadata_stands_in_where_subkeys_are_refused_or_unknown, clean),
        cmocka_unit_test_setup(what_is_not_there_is_missing_and_what_is_refused_is_not_known,
                               clean),
        cmocka_unit_test_setup(a_token_that_may_nothing_at_all_is_an_error, clean),
        cmocka_unit_test_setup(a_log_in_is_looked_at_by_its_role, clean),
        cmocka_unit_test_setup(version_1_is_not_asked_at_all, clean),
        cmocka_unit_test_setup(a_mount_that_nobody_names_is_looked_up_or_guessed, clean),
        cmocka_unit_test_setup(times_that_are_none_are_not_known, clean),
        cmocka_unit_test_setup(names_beneath_several_paths_come_together, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
