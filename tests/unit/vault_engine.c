/* What makes credentials, on a real OpenBao with a real PostgreSQL, and with a server that loses
 * replies by script. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/bao.h"
#include "tests/lib/pg.h"
#include "tests/lib/script_server.h"
#include "tests/unit/vault_client.h"
#include "vault/engine.h"
#include "vault/internal.h"

#define CANARY "canary-8e52"

static struct bao *server;
static struct pg *postgres;

static void set_up_database(void)
{
    char url[256];

    (void)snprintf(url, sizeof url,
                   "connection_url=postgresql://{{username}}:{{password}}@127.0.0.1:%u/postgres"
                   "?sslmode=disable",
                   pg_port(postgres));
    pg_sql(postgres, "postgres",
           "CREATE ROLE fixed_login LOGIN PASSWORD '" CANARY "-first';"
           "CREATE ROLE engine LOGIN SUPERUSER PASSWORD '" CANARY "-engine'");
    free(bao_run(server, "secrets", "enable", "database", NULL));
    free(bao_run(server, "write", "database/config/pg", "plugin_name=postgresql-database-plugin",
                 "allowed_roles=app,fixed", url, "username=engine", "password=" CANARY "-engine",
                 "password_authentication=scram-sha-256", NULL));
    free(bao_run(server, "write", "database/roles/app", "db_name=pg", "default_ttl=5m",
                 "max_ttl=1h",
                 "creation_statements=CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
                 "VALID UNTIL '{{expiration}}'",
                 NULL));
    free(bao_run(server, "write", "database/static-roles/fixed", "db_name=pg",
                 "username=fixed_login", "rotation_period=1h", NULL));
}

static int start_servers(void **state)
{
    (void)state;
    server = bao_start(false);
    postgres = pg_start(NULL);
    set_up_database();
    free(bao_run(server, "auth", "enable", "approle", NULL));
    bao_policy(server, "reader", "path \"secret/data/app\" { capabilities = [\"read\"] }\n");
    free(bao_run(server, "write", "auth/approle/role/app", "token_policies=default",
                 "token_ttl=60s", "secret_id_num_uses=9", NULL));
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    bao_stop(server);
    pg_stop(postgres);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    clearenv();
    setenv("VAULT_TOKEN", BAO_ROOT_TOKEN, 1);
    return setenv("VAULT_ADDR", bao_address(server), 1);
}

static void worked(int result, const struct err *err)
{
    assert_text_lacks(err->text, CANARY);
    if (result != 0)
        fail_msg("%s %s", err->text, err->hint);
}

/* A client with the default policy alone, or another one. */
static struct vault *open_narrow(const char *policy)
{
    char option[64];

    (void)snprintf(option, sizeof option, "-policy=%s", policy);
    char *token = bao_run(server, "token", "create", option, "-ttl=5m", "-field=token", NULL);
    setenv("VAULT_TOKEN", token, 1);
    free(token);
    struct vault *v = open_at(NULL);
    struct vault_token_facts self = {0};
    struct err err = ERR_INIT;
    worked(vault_self(v, soon(), &self, &err), &err); /* it has its token now */
    vault_token_facts_release(&self);
    return v;
}

/* ---- paths ---------------------------------------------------------------------------------- */

static void a_path_names_the_log_in_it_makes(void **state)
{
    struct vault_login login;
    struct err err = ERR_INIT;

    (void)state;
    worked(vault_login_of("team/db/static-creds/app", &login, &err), &err);
    assert_true(login.is_static);
    assert_string_equal(login.mount, "team/db");
    assert_string_equal(login.role, "app");
    vault_login_release(&login);
    worked(vault_login_of("database/creds/app", &login, &err), &err);
    assert_false(login.is_static);
    assert_string_equal(login.mount, "database");
    vault_login_release(&login);
    assert_int_equal(vault_login_of("secret/app", &login, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
}

/* ---- the database engine -------------------------------------------------------------------- */

static void a_static_password_is_rotated_and_read(void **state)
{
    struct vault_creds before = {0}, after = {0};
    enum vault_written outcome = VAULT_IN_DOUBT;
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(vault_static_read(v, "database", "fixed", soon(), &before, &err), &err);
    worked(vault_static_rotate(v, "database", "fixed", soon(), &outcome, &err), &err);
    assert_int_equal(outcome, VAULT_WRITTEN);
    worked(vault_static_read(v, "database", "fixed", soon(), &after, &err), &err);
    assert_string_equal(after.username, "fixed_login");
    assert_false(secret_equal(&before.password, &after.password));
    assert_true(after.rotated_ns > before.rotated_ns);
    assert_true(str_starts(after.rotated, "20"));
    assert_in_range(after.lease.duration_ms, 1, 3600 * 1000);
    assert_null(after.lease.id);
    vault_creds_release(&before);
    vault_creds_release(&after);
    vault_free(v);
}

static void an_unknown_role_is_refused_with_vaults_words(void **state)
{
    enum vault_written outcome;
    struct vault_creds creds;
    struct vault_role role;
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    assert_int_equal(vault_static_rotate(v, "database", "none", soon(), &outcome, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.text, "no static role found");
    assert_int_equal(vault_static_read(v, "database", "none", soon(), &creds, &err), -1);
    assert_text_has(err.text, "unknown role: none");
    assert_int_equal(vault_creds_new(v, "database", "none", soon(), &creds, &err), -1);
    assert_text_has(err.text, "unknown role: none");
    assert_text_lacks(err.hint, "may have been made");
    assert_int_equal(vault_role_lookup(v, "database", "none", false, soon(), &role, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_MISSING);
    vault_free(v);
}

static void roles_and_connections_say_how_they_are_made(void **state)
{
    struct vault_role role = {0};
    struct vault_connection connection = {0};
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(vault_role_lookup(v, "database", "app", false, soon(), &role, &err), &err);
    assert_string_equal(role.connection, "pg");
    assert_null(role.username);
    assert_int_equal(role.creation.count, 1);
    assert_true(str_starts(role.creation.items[0], "CREATE ROLE"));
    assert_int_equal(role.revocation.count, 0);
    assert_int_equal(role.ttl_ms, 300 * 1000);
    assert_int_equal(role.max_ttl_ms, 3600 * 1000);
    vault_role_release(&role);
    worked(vault_role_lookup(v, "database", "fixed", true, soon(), &role, &err), &err);
    assert_string_equal(role.connection, "pg");
    assert_string_equal(role.username, "fixed_login");
    assert_int_equal(role.period_ms, 3600 * 1000);
    vault_role_release(&role);
    worked(vault_connection_lookup(v, "database", "pg", soon(), &connection, &err), &err);
    assert_string_equal(connection.username, "engine");
    assert_true(str_starts(connection.url, "postgresql://{{username}}:{{password}}@"));
    assert_int_equal(connection.allowed_roles.count, 2);
    vault_connection_release(&connection);
    vault_free(v);
}

static void the_engines_own_password_is_rotated_and_it_goes_on(void **state)
{
    enum vault_written outcome = VAULT_IN_DOUBT;
    struct vault_creds creds = {0};
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(vault_root_rotate(v, "database", "pg", soon(), &outcome, &err), &err);
    assert_int_equal(outcome, VAULT_WRITTEN);
    worked(vault_creds_new(v, "database", "app", soon(), &creds, &err), &err);
    assert_true(str_starts(creds.username, "v-"));
    worked(vault_lease_revoke(v, creds.lease.id, true, soon(), &err), &err);
    vault_creds_release(&creds);
    worked(vault_root_rotate(v, "database", "none", soon(), &outcome, &err), &err);
    assert_int_equal(outcome, VAULT_IN_DOUBT); /* OpenBao says 500 to a name that it has not */
    assert_text_has(err.text, "none");
    vault_free(v);
}

/* ---- leases --------------------------------------------------------------------------------- */

static bool lists(struct vault *v, const char *id)
{
    struct vault_list list = {0};
    struct err err = ERR_INIT;
    bool found = false;

    worked(vault_leases_list(v, "database/creds/app", soon(), &list, &err), &err);
    for (size_t i = 0; i < list.count; i++)
        found = found || str_eq(list.items[i], id);
    vault_list_release(&list);
    return found;
}

static void a_lease_is_listed_looked_up_and_revoked(void **state)
{
    struct vault_creds creds = {0};
    struct vault_lease_facts facts;
    struct vault_list none = {0};
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(vault_creds_new(v, "database", "app", soon(), &creds, &err), &err);
    assert_true(secret_length(&creds.password) > 10);
    assert_int_equal(creds.lease.duration_ms, 300 * 1000);
    assert_true(lists(v, creds.lease.id));
    worked(vault_lease_lookup(v, creds.lease.id, soon(), &facts, &err), &err);
    assert_true(facts.is_there && facts.renewable);
    assert_true(facts.expires_at - facts.issued_at >= 299);
    assert_in_range(facts.ttl_ms, 1, 300 * 1000);
    worked(vault_lease_revoke(v, creds.lease.id, true, soon(), &err), &err);
    assert_false(lists(v, creds.lease.id));
    worked(vault_lease_lookup(v, creds.lease.id, soon(), &facts, &err), &err);
    assert_false(facts.is_there);
    worked(vault_lease_revoke(v, creds.lease.id, true, soon(), &err), &err); /* ended already */
    worked(vault_leases_list(v, "nowhere/creds/none", soon(), &none, &err), &err);
    assert_int_equal(none.count, 0);
    vault_creds_release(&creds);
    vault_free(v);
}

static void a_revocation_that_fails_keeps_the_databases_words(void **state)
{
    struct vault_creds creds = {0};
    char sql[256];
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(vault_creds_new(v, "database", "app", soon(), &creds, &err), &err);
    (void)snprintf(sql, sizeof sql, "CREATE TABLE owned (); ALTER TABLE owned OWNER TO \"%s\"",
                   creds.username);
    pg_sql(postgres, "postgres", sql);
    setenv("VAULT_MAX_RETRIES", "0", 1);
    struct vault *once = open_at(NULL);
    assert_int_equal(vault_lease_revoke(once, creds.lease.id, true, soon(), &err), -1);
    assert_text_has(err.text, creds.lease.id);
    assert_text_has(err.text, "cannot be dropped");
    assert_text_has(err.text, "2BP01");
    assert_true(lists(v, creds.lease.id));
    pg_sql(postgres, "postgres", "ALTER TABLE owned OWNER TO postgres");
    worked(vault_lease_revoke(once, creds.lease.id, true, soon(), &err), &err);
    vault_creds_release(&creds);
    vault_free(once);
    vault_free(v);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void a_token_is_made_like_another_and_the_old_one_ends(void **state)
{
    char *items[] = {(char[]){"default"}, (char[]){"reader"}};
    const struct vault_list policies = {items, 2};
    AUTO_DOCUMENT meta = DOCUMENT_INIT;
    AUTO_SECRET old = SECRET_INIT, new = SECRET_INIT;
    char *old_accessor = NULL, *new_accessor = NULL;
    struct vault_token_facts facts = {0}, again = {0};
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(document_set_text(&meta, NULL, "owner", "team", &err), &err);
    const struct vault_token_wish wish = {.display_name = "ci",
                                          .policies = &policies,
                                          .meta = &meta,
                                          .ttl_ms = 600 * 1000,
                                          .explicit_max_ttl_ms = 7200 * 1000};
    worked(vault_token_create(v, &wish, soon(), &old, &old_accessor, &err), &err);
    worked(vault_token_lookup(v, &old, soon(), &facts, &err), &err);
    assert_true(facts.is_alive && facts.renewable && !facts.orphan);
    assert_string_equal(facts.display_name, "token-ci");
    assert_string_equal(facts.accessor, old_accessor);
    assert_string_equal(facts.type, "service");
    assert_int_equal(facts.policies.count, 2);
    assert_int_equal(facts.creation_ttl_ms, 600 * 1000);
    assert_int_equal(facts.explicit_max_ttl_ms, 7200 * 1000);
    assert_string_equal(document_text(&facts.meta, NULL, "owner"), "team");
    const struct vault_token_wish same = vault_token_like(&facts);
    worked(vault_token_create(v, &same, soon(), &new, &new_accessor, &err), &err);
    assert_false(secret_equal(&old, &new));
    worked(vault_token_revoke(v, &old, soon(), &err), &err);
    worked(vault_token_revoke(v, &old, soon(), &err), &err); /* a dead one */
    worked(vault_token_lookup(v, &old, soon(), &again, &err), &err);
    assert_false(again.is_alive);
    worked(vault_token_lookup_accessor(v, old_accessor, soon(), &again, &err), &err);
    assert_false(again.is_alive);
    worked(vault_token_lookup_accessor(v, new_accessor, soon(), &again, &err), &err);
    assert_true(again.is_alive);
    assert_string_equal(again.display_name, "token-ci");
    assert_int_equal(again.policies.count, 2);
    assert_int_equal(again.creation_ttl_ms, 600 * 1000);
    assert_string_equal(document_text(&again.meta, NULL, "owner"), "team");
    vault_token_facts_release(&again);
    worked(vault_token_revoke_accessor(v, new_accessor, soon(), &err), &err);
    worked(vault_token_revoke_accessor(v, new_accessor, soon(), &err), &err);
    worked(vault_token_lookup(v, &new, soon(), &again, &err), &err);
    assert_false(again.is_alive);
    vault_token_facts_release(&facts);
    free(old_accessor);
    free(new_accessor);
    vault_free(v);
}

static void orphans_roles_and_periods_are_kept(void **state)
{
    char *items[] = {(char[]){"reader"}};
    const struct vault_list policies = {items, 1};
    AUTO_SECRET token = SECRET_INIT;
    char *accessor = NULL;
    struct vault_token_facts facts = {0};
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    const struct vault_token_wish orphan = {
        .policies = &policies, .period_ms = 900 * 1000, .orphan = true, .no_default_policy = true};
    worked(vault_token_create(v, &orphan, soon(), &token, &accessor, &err), &err);
    worked(vault_token_lookup(v, &token, soon(), &facts, &err), &err);
    assert_true(facts.orphan);
    assert_int_equal(facts.period_ms, 900 * 1000);
    assert_int_equal(facts.policies.count, 1);
    struct vault_token_wish like = vault_token_like(&facts);
    assert_true(like.orphan && like.no_default_policy);
    assert_null(like.display_name);
    vault_token_facts_release(&facts);
    free(accessor);
    free(bao_run(server, "write", "auth/token/roles/ci", "allowed_policies=reader", "orphan=true",
                 NULL));
    secret_release(&token);
    const struct vault_token_wish of_role = {.role = "ci", .policies = &policies};
    worked(vault_token_create(v, &of_role, soon(), &token, &accessor, &err), &err);
    worked(vault_token_lookup(v, &token, soon(), &facts, &err), &err);
    assert_string_equal(facts.role, "ci");
    assert_string_equal(vault_token_like(&facts).role, "ci");
    vault_token_facts_release(&facts);
    free(accessor);
    vault_free(v);
}

static void without_rights_over_others_a_token_is_asked_itself(void **state)
{
    char *items[] = {(char[]){"default"}};
    const struct vault_list policies = {items, 1};
    const struct vault_token_wish wish = {.policies = &policies, .ttl_ms = 600 * 1000};
    AUTO_SECRET token = SECRET_INIT;
    char *accessor = NULL;
    struct vault_token_facts facts = {0};
    struct err err = ERR_INIT;
    struct vault *root = open_at(NULL);

    (void)state;
    worked(vault_token_create(root, &wish, soon(), &token, &accessor, &err), &err);
    struct vault *v = open_narrow("default");
    worked(vault_token_lookup(v, &token, soon(), &facts, &err), &err);
    assert_true(facts.is_alive);
    assert_string_equal(facts.accessor, accessor);
    vault_token_facts_release(&facts);
    worked(vault_token_revoke(v, &token, soon(), &err), &err);
    worked(vault_token_lookup(root, &token, soon(), &facts, &err), &err);
    assert_false(facts.is_alive);
    assert_int_equal(vault_token_lookup(v, &token, soon(), &facts, &err), -1); /* who knows */
    assert_text_has(err.hint, "may not look at itself either");
    assert_text_lacks(err.text, secret_reveal(&token));
    assert_int_equal(vault_token_revoke(v, &token, soon(), &err), -1);
    assert_text_lacks(err.text, secret_reveal(&token));
    assert_int_equal(vault_token_create(v, &wish, soon(), &token, &accessor, &err), -1);
    assert_text_has(err.hint, "path \"auth/token/create\"");
    free(accessor);
    vault_free(v);
    vault_free(root);
}

static void who_does_it_is_known(void **state)
{
    struct vault_token_facts self = {0};
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(vault_self(v, soon(), &self, &err), &err);
    assert_true(self.is_alive);
    assert_string_equal(self.display_name, "token"); /* of the root that dev mode makes */
    assert_int_equal(self.ttl_ms, 0);
    vault_token_facts_release(&self);
    vault_free(v);
}

/* ---- AppRole -------------------------------------------------------------------------------- */

static bool knows(struct vault *v, const char *accessor)
{
    struct vault_list list = {0};
    struct err err = ERR_INIT;
    bool found = false;

    worked(vault_secret_ids_list(v, "approle", "app", soon(), &list, &err), &err);
    for (size_t i = 0; i < list.count; i++)
        found = found || str_eq(list.items[i], accessor);
    vault_list_release(&list);
    return found;
}

static bool logs_in(struct vault *v, const struct secret *role_id, const struct secret *secret_id)
{
    struct err err = ERR_INIT;
    bool accepted = false;

    worked(vault_approle_login_try(v, "approle", role_id, secret_id, soon(), &accepted, &err),
           &err);
    return accepted;
}

static void a_secret_id_is_made_tried_and_destroyed(void **state)
{
    AUTO_SECRET role_id = SECRET_INIT, first = SECRET_INIT, second = SECRET_INIT;
    AUTO_DOCUMENT meta = DOCUMENT_INIT;
    char *accessor = NULL, *other = NULL;
    struct vault_secret_id_facts facts = {0};
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(document_set_text(&meta, NULL, "rotation", "4f\"1", &err), &err);
    worked(vault_role_id_read(v, "approle", "app", soon(), &role_id, &err), &err);
    worked(vault_secret_id_new(v, "approle", "app", &meta, soon(), &first, &accessor, &err), &err);
    worked(vault_secret_id_new(v, "approle", "app", NULL, soon(), &second, &other, &err), &err);
    assert_true(knows(v, accessor) && knows(v, other));
    worked(vault_secret_id_lookup(v, "approle", "app", &first, soon(), &facts, &err), &err);
    assert_true(facts.is_there);
    assert_string_equal(facts.accessor, accessor);
    assert_true(facts.created_at > 1600000000);
    assert_int_equal(facts.uses_left, 9);
    assert_string_equal(document_text(&facts.meta, NULL, "rotation"), "4f\"1");
    vault_secret_id_facts_release(&facts);
    worked(vault_secret_id_lookup_accessor(v, "approle", "app", accessor, soon(), &facts, &err),
           &err);
    assert_true(facts.is_there);
    assert_string_equal(document_text(&facts.meta, NULL, "rotation"), "4f\"1");
    vault_secret_id_facts_release(&facts);
    assert_true(logs_in(v, &role_id, &first));
    worked(vault_secret_id_destroy(v, "approle", "app", &first, soon(), &err), &err);
    worked(vault_secret_id_destroy(v, "approle", "app", &first, soon(), &err), &err);
    assert_false(logs_in(v, &role_id, &first));
    assert_true(logs_in(v, &role_id, &second));
    worked(vault_secret_id_destroy_accessor(v, "approle", "app", other, soon(), &err), &err);
    worked(vault_secret_id_destroy_accessor(v, "approle", "app", other, soon(), &err), &err);
    assert_false(logs_in(v, &role_id, &second));
    assert_false(knows(v, accessor) || knows(v, other));
    worked(vault_secret_id_lookup(v, "approle", "app", &first, soon(), &facts, &err), &err);
    assert_false(facts.is_there);
    worked(vault_secret_id_lookup_accessor(v, "approle", "app", other, soon(), &facts, &err), &err);
    assert_false(facts.is_there);
    free(accessor);
    free(other);
    vault_free(v);
}

static void a_try_to_log_in_leaves_no_token(void **state)
{
    AUTO_SECRET role_id = SECRET_INIT, word = SECRET_INIT;
    char *accessor = NULL;
    struct vault_list before = {0}, after = {0};
    struct err err = ERR_INIT;
    bool accepted = true;
    struct vault *v = open_at(NULL);

    (void)state;
    worked(vault_role_id_read(v, "approle", "app", soon(), &role_id, &err), &err);
    worked(vault_secret_id_new(v, "approle", "app", NULL, soon(), &word, &accessor, &err), &err);
    worked(vault_leases_list(v, "auth/approle/login", soon(), &before, &err), &err);
    assert_true(logs_in(v, &role_id, &word));
    worked(vault_leases_list(v, "auth/approle/login", soon(), &after, &err), &err);
    assert_int_equal(before.count, after.count);
    assert_int_equal(
        vault_approle_login_try(v, "nowhere", &role_id, &word, soon(), &accepted, &err), -1);
    assert_text_lacks(err.text, secret_reveal(&word));
    vault_list_release(&before);
    vault_list_release(&after);
    free(accessor);
    vault_free(v);
}

/* ---- lost replies --------------------------------------------------------------------------- */

static bool loses_all(struct script_turn *turn)
{
    if (strstr(turn->path, "lookup-self")) /* so that a kept connection is there */
        return script_answer(turn, 200, "", "{\"data\":{\"display_name\":\"x\"}}");
    (void)atomic_fetch_add(&turn->counts->by_key[0], 1);
    return false;
}

enum deed { ROTATE, ROOT, CREDS, TOKEN, SECRET_ID, DEEDS };

/* 0: in doubt by its outcome; -1: by its hint. */
static int do_it(struct vault *v, enum deed deed, struct err *err)
{
    const struct vault_token_wish wish = {.ttl_ms = 1000};
    enum vault_written outcome = VAULT_WRITTEN;
    AUTO_SECRET made = SECRET_INIT;
    struct vault_creds creds;
    char *accessor;

    switch (deed) {
    case ROTATE:
        return vault_static_rotate(v, "db", "r", soon(), &outcome, err) == 0 &&
                       outcome == VAULT_IN_DOUBT
                   ? 0
                   : -2;
    case ROOT:
        return vault_root_rotate(v, "db", "r", soon(), &outcome, err) == 0 &&
                       outcome == VAULT_IN_DOUBT
                   ? 0
                   : -2;
    case CREDS:
        return vault_creds_new(v, "db", "r", soon(), &creds, err);
    case TOKEN:
        return vault_token_create(v, &wish, soon(), &made, &accessor, err);
    case SECRET_ID:
        return vault_secret_id_new(v, "approle", "r", NULL, soon(), &made, &accessor, err);
    case DEEDS:
        break;
    }
    return -2;
}

static void an_effect_whose_answer_is_lost_is_not_repeated(void **state)
{
    (void)state;
    for (int deed = ROTATE; deed < DEEDS; deed++) {
        struct vault_token_facts self = {0};
        struct err err = ERR_INIT;
        struct script_server *script = script_start(loses_all, NULL, CANARY);
        unsetenv("VAULT_ADDR");
        struct vault *v = open_at(script_url(script));
        worked(vault_self(v, soon(), &self, &err), &err);
        vault_token_facts_release(&self);
        int result = do_it(v, (enum deed)deed, &err);
        int requests = atomic_load(&script_counts_of(script)->by_key[0]);
        if (result != (deed <= ROOT ? 0 : -1) || requests != 1)
            fail_msg("deed %d: %d, %d requests: %s", deed, result, requests, err.text);
        assert_int_equal(err.kind, ERR_SOURCE_DOWN);
        assert_text_has(err.hint, deed <= ROOT ? "may have had its effect" : "may have been made");
        vault_free(v);
        script_stop(script);
    }
}

static bool takes_no_secret_in_a_path(struct script_turn *turn)
{
    if (strstr(turn->path, CANARY))
        (void)atomic_fetch_add(&turn->counts->by_key[0], 1);
    return script_answer(turn, 400, "", "{\"errors\":[\"bad thing " CANARY "-word\"]}");
}

static void no_secret_goes_into_a_url_or_comes_back_in_an_error(void **state)
{
    AUTO_SECRET word = SECRET_INIT;
    struct vault_token_facts facts;
    struct vault_secret_id_facts id_facts;
    struct err errs[6];
    bool accepted;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errs); i++)
        errs[i] = ERR_INIT;
    assert_int_equal(secret_set(&word, CANARY "-word", strlen(CANARY "-word"), &errs[0]), 0);
    struct script_server *script = script_start(takes_no_secret_in_a_path, NULL, CANARY);
    unsetenv("VAULT_ADDR");
    struct vault *v = open_at(script_url(script));
    assert_int_equal(vault_token_lookup(v, &word, soon(), &facts, &errs[0]), -1);
    assert_int_equal(vault_token_revoke(v, &word, soon(), &errs[1]), -1);
    assert_int_equal(vault_secret_id_lookup(v, "a", "r", &word, soon(), &id_facts, &errs[2]), -1);
    assert_int_equal(vault_secret_id_destroy(v, "a", "r", &word, soon(), &errs[3]), -1);
    assert_int_equal(vault_approle_login_try(v, "a", &word, &word, soon(), &accepted, &errs[4]),
                     -1);
    assert_int_equal(vault_token_lookup_accessor(v, "an-accessor", soon(), &facts, &errs[5]), -1);
    assert_text_has(errs[5].text, "bad thing");
    for (size_t i = 0; i < 5; i++) {
        assert_text_has(errs[i].text, "bad thing ***");
        assert_text_lacks(errs[i].text, CANARY);
    }
    assert_int_equal(atomic_load(&script_counts_of(script)->by_key[0]), 0);
    assert_int_equal(atomic_load(&script_counts_of(script)->canaries), 5);
    vault_free(v);
    script_stop(script);
}

/* Last: without its database, the engine says 500, and nobody knows. */
static void a_database_that_is_down_leaves_a_doubt(void **state)
{
    enum vault_written outcome = VAULT_WRITTEN;
    struct err err = ERR_INIT;
    struct vault *v = open_at(NULL);

    (void)state;
    pg_stop(postgres);
    postgres = NULL;
    worked(vault_static_rotate(v, "database", "fixed", soon(), &outcome, &err), &err);
    assert_int_equal(outcome, VAULT_IN_DOUBT);
    assert_text_has(err.text, "unable to finish rotating credentials");
    assert_text_lacks(err.text, CANARY);
    vault_free(v);
}

#define clean_test(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(a_path_names_the_log_in_it_makes),
        clean_test(a_static_password_is_rotated_and_read),
        clean_test(an_unknown_role_is_refused_with_vaults_words),
        clean_test(roles_and_connections_say_how_they_are_made),
        clean_test(the_engines_own_password_is_rotated_and_it_goes_on),
        clean_test(a_lease_is_listed_looked_up_and_revoked),
        clean_test(a_revocation_that_fails_keeps_the_databases_words),
        clean_test(a_token_is_made_like_another_and_the_old_one_ends),
        clean_test(orphans_roles_and_periods_are_kept),
        clean_test(without_rights_over_others_a_token_is_asked_itself),
        clean_test(who_does_it_is_known),
        clean_test(a_secret_id_is_made_tried_and_destroyed),
        clean_test(a_try_to_log_in_leaves_no_token),
        clean_test(an_effect_whose_answer_is_lost_is_not_repeated),
        clean_test(no_secret_goes_into_a_url_or_comes_back_in_an_error),
        clean_test(a_database_that_is_down_leaves_a_doubt),
    };
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
