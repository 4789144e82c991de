/* The client against real OpenBao servers: one in plain http, one with TLS. */
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/bao.h"
#include "tests/lib/pg.h"
#include "vault/internal.h"
#include "vault/renew.h"
#include "vault/source.h"

enum { LONG_MS = 60000, MANY = 20, ODD_PATHS = 12, RELAY_BACKLOG = 16 };

static struct bao *plain, *over_tls;
static struct pg *postgres; /* for the tests that make logins */

static void run(const struct bao *bao, const char *word, const char *path, const char *value)
{
    free(bao_run(bao, word, path, value, NULL));
}

static int start_servers(void **state)
{
    (void)state;
    plain = bao_start(false);
    over_tls = bao_start(true);
    free(bao_run(plain, "secrets", "enable", "-path=old", "-version=1", "kv", NULL));
    free(bao_run(plain, "secrets", "enable", "-path=team/kv", "-version=2", "kv", NULL));
    run(plain, "write", "old/app", "f=one");
    free(bao_run(plain, "kv", "put", "-mount=team/kv", "app/db", "f=two", NULL));
    free(bao_run(plain, "kv", "put", "-mount=secret", "app", "f=canary value", "g=2", NULL));
    free(bao_run(plain, "kv", "put", "-mount=secret", "gone", "f=x", NULL));
    free(bao_run(plain, "kv", "delete", "-mount=secret", "gone", NULL));
    free(bao_run(over_tls, "kv", "put", "-mount=secret", "app", "f=tls", NULL));
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    bao_stop(plain);
    bao_stop(over_tls);
    if (postgres)
        pg_stop(postgres);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    clearenv();
    setenv("VAULT_TOKEN", BAO_ROOT_TOKEN, 1);
    return setenv("VAULT_ADDR", bao_address(plain), 1);
}

static struct vault *open_with(const struct vault_settings *settings)
{
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    if (vault_open(settings, &v, &err) != 0)
        fail_msg("%s", err.text);
    return v;
}

static int read_one(const struct vault_settings *settings, struct vault_read *read, struct err *err)
{
    struct vault *v = open_with(settings);
    int result = vault_read_all(v, read, 1, clock_in_ms(LONG_MS), err);

    vault_free(v);
    return result;
}

static void assert_reads(const struct vault_settings *settings, const char *path,
                         const char *expected)
{
    struct vault_read read = {.path = path};
    struct err err = ERR_INIT;

    if (read_one(settings, &read, &err) != 0)
        fail_msg("%s: %s %s", path, err.text, err.hint);
    assert_non_null(vault_read_field(&read, "f"));
    assert_string_equal(secret_reveal(&vault_read_field(&read, "f")->value), expected);
    vault_read_release(&read);
}

static struct err refused(const struct vault_settings *settings, const char *path)
{
    struct vault_read read = {.path = path};
    struct err err = ERR_INIT;

    assert_int_equal(read_one(settings, &read, &err), -1);
    assert_text_lacks(err.text, "canary");
    assert_text_lacks(err.hint, "canary");
    vault_read_release(&read);
    return err;
}

static void every_kind_of_mount_is_read_by_its_plain_path(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    assert_reads(&none, "secret/app", "canary value");
    assert_reads(&none, "secret/data/app", "canary value");
    assert_reads(&none, "old/app", "one");
    assert_reads(&none, "team/kv/app/db", "two");
    assert_reads(&none, "team/kv/data/app/db", "two");
}

static void all_of_them_together_take_one_answer_each(void **state)
{
    const struct vault_settings none = {0};
    struct vault_read reads[] = {{.path = "secret/app"},
                                 {.path = "old/app"},
                                 {.path = "team/kv/app/db"},
                                 {.path = "secret/none"}};
    struct err err = ERR_INIT;
    struct vault *v = open_with(&none);

    (void)state;
    assert_int_equal(vault_read_all(v, reads, ARRAY_LEN(reads), clock_in_ms(LONG_MS), &err), -1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(reads[i].err.kind, ERR_NONE);
    assert_int_equal(reads[3].err.kind, ERR_SOURCE_MISSING);
    for (size_t i = 0; i < ARRAY_LEN(reads); i++)
        vault_read_release(&reads[i]);
    vault_free(v);
}

static void missing_and_deleted_are_told_apart(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    assert_text_has(refused(&none, "secret/gone").text, "version 1 was deleted at 20");
    assert_text_has(refused(&none, "secret/none").text, "nothing at that path");
    assert_text_has(refused(&none, "nowhere/at/all").text, "no handler for route");
    assert_int_equal(refused(&none, "old/none").kind, ERR_SOURCE_MISSING);
    assert_int_equal(refused(&none, "secret/creds/x").kind, ERR_SOURCE_MISSING);
}

static void a_path_reaches_the_server_as_it_is_written(void **state)
{
    static const char *const names[ODD_PATHS] = {"a b",  "q?x", "h#x", "p%",   "s;x", "plus+",
                                                 "at@x", "c:x", "..a", "a...", "t~x", "e=x&y"};
    const struct vault_settings none = {0};

    (void)state;
    for (size_t i = 0; i < ODD_PATHS; i++) {
        char path[64], value[64];
        (void)snprintf(path, sizeof path, "odd-%zu/%s", i, names[i]);
        (void)snprintf(value, sizeof value, "f=value-%zu", i);
        char full[96];
        (void)snprintf(full, sizeof full, "old/%s", path);
        run(plain, "write", full, value);
        assert_reads(&none, full, value + 2);
    }
}

/* The policy "narrow": PATH may be read, and nothing else. */
static void write_policy(const char *path)
{
    char rules[256];

    (void)snprintf(rules, sizeof rules, "path \"%s\" { capabilities = [\"read\"] }\n", path);
    bao_policy(plain, "narrow", rules);
}

/* An AppRole whose token may read POLICY_PATH and nothing else. */
static void make_role(const char *policy_path)
{
    static bool enabled;

    write_policy(policy_path);
    if (!enabled)
        free(bao_run(plain, "auth", "enable", "approle", NULL));
    enabled = true;
    free(bao_run(plain, "write", "auth/approle/role/app", "token_policies=narrow", "token_ttl=60s",
                 NULL));
    char *role = bao_run(plain, "read", "-field=role_id", "auth/approle/role/app/role-id", NULL);
    char *secret = bao_run(plain, "write", "-f", "-field=secret_id",
                           "auth/approle/role/app/secret-id", NULL);
    setenv("VAULT_ROLE_ID", role, 1);
    setenv("VAULT_SECRET_ID", secret, 1);
    unsetenv("VAULT_TOKEN");
    free(role);
    free(secret);
}

static void an_approle_logs_in_reads_and_leaves_no_token(void **state)
{
    const struct vault_settings approle = {.method = VAULT_AUTH_APPROLE}, unsaid = {0};
    struct vault_read read = {.path = "secret/app"};
    struct err err = ERR_INIT;

    (void)state;
    make_role("secret/data/app");
    assert_reads(&unsaid, "secret/app", "canary value"); /* a role id is there, and no token */
    struct vault *v = open_with(&approle);
    assert_int_equal(vault_read_all(v, &read, 1, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(v->token_expires_ms == CLOCK_NEVER, false);
    char *token = strdup(secret_reveal(&v->token));
    assert_int_equal(vault_revoke_own_token(v, &err), 0);
    vault_read_release(&read);
    vault_free(v);
    setenv("VAULT_TOKEN", token, 1);
    assert_text_has(refused(&unsaid, "secret/app").text, "expired, was revoked");
    free(token);
}

static void a_narrow_policy_is_enough_and_what_is_outside_is_named(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    make_role("secret/data/app");
    struct err err = refused(&none, "secret/other");
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.hint, "path \"secret/data/other\" { capabilities = [\"read\"] }");
    make_role("old/app");
    assert_reads(&none, "old/app", "one");
    setenv("VAULT_SECRET_ID", "canary-wrong", 1);
    err = refused(&none, "secret/app");
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.text, "log in");
}

static void a_user_logs_in_with_a_password(void **state)
{
    const struct vault_settings user = {
        .method = VAULT_AUTH_USERPASS, .username = "ann", .password = "env:PASSWORD"};
    (void)state;
    write_policy("secret/data/app");
    free(bao_run(plain, "auth", "enable", "userpass", NULL));
    free(bao_run(plain, "write", "auth/userpass/users/ann", "password=canary-pw", "policies=narrow",
                 NULL));
    unsetenv("VAULT_TOKEN");
    setenv("PASSWORD", "canary-pw\n", 1);
    assert_reads(&user, "secret/app", "canary value");
    setenv("PASSWORD", "canary-wrong", 1);
    assert_int_equal(refused(&user, "secret/app").kind, ERR_SOURCE_DENIED);
}

static void a_namespace_is_where_the_path_is_looked_for(void **state)
{
    const struct vault_settings in_it = {.name_space = "corner"},
                                astray = {.name_space = "nowhere"};

    (void)state;
    free(bao_run(plain, "namespace", "create", "corner", NULL));
    free(bao_run(plain, "secrets", "enable", "-namespace=corner", "-path=secret", "-version=2",
                 "kv", NULL));
    free(
        bao_run(plain, "kv", "put", "-namespace=corner", "-mount=secret", "app", "f=corner", NULL));
    assert_reads(&in_it, "secret/app", "corner");
    struct err err = refused(&astray, "secret/app");
    assert_text_has(err.hint, "nowhere");
}

static void a_sealed_server_is_said_as_sealed(void **state)
{
    const struct vault_settings none = {0};
    struct bao *own = bao_start(false);

    (void)state;
    setenv("VAULT_ADDR", bao_address(own), 1);
    setenv("VAULT_MAX_RETRIES", "0", 1);
    free(bao_run(own, "operator", "seal", NULL));
    struct err err = refused(&none, "secret/app");
    assert_int_equal(err.kind, ERR_SOURCE_DOWN);
    assert_text_has(err.text, "Vault is sealed");
    bao_stop(own);
}

/* ---- database logins ------------------------------------------------------------------------ */

/* OpenBao's database engine at "database", with the roles "app" and "brief" (ten seconds, twenty at
 * most) and the static one "fixed". */
static int have_database_engine(void **state)
{
    char url[256];

    (void)clean(state);
    if (postgres)
        return 0;
    postgres = pg_start(NULL);
    (void)snprintf(url, sizeof url,
                   "connection_url=postgresql://{{username}}:{{password}}@127.0.0.1:%u/postgres"
                   "?sslmode=disable",
                   pg_port(postgres));
    pg_sql(postgres, "postgres", "CREATE ROLE fixed_login LOGIN PASSWORD 'canary-first'");
    free(bao_run(plain, "secrets", "enable", "database", NULL));
    free(bao_run(plain, "write", "database/config/pg", "plugin_name=postgresql-database-plugin",
                 "allowed_roles=*", url, "username=postgres", "password=" PG_SUPERUSER_PASSWORD,
                 NULL));
    free(bao_run(plain, "write", "database/roles/app", "db_name=pg", "default_ttl=5m",
                 "creation_statements=CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
                 "VALID UNTIL '{{expiration}}'",
                 NULL));
    free(bao_run(plain, "write", "database/roles/brief", "db_name=pg", "default_ttl=10s",
                 "max_ttl=20s",
                 "creation_statements=CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
                 "VALID UNTIL '{{expiration}}'",
                 NULL));
    free(bao_run(plain, "write", "database/static-roles/fixed", "db_name=pg",
                 "username=fixed_login", "rotation_period=1h", NULL));
    return 0;
}

static size_t count_leases(void)
{
    char *list = bao_run(plain, "list", "-format=json", "sys/leases/lookup/database/creds/app",
                         NULL);
    size_t count = 0;

    for (const char *c = list; (c = strchr(c, '"')) != NULL; c++)
        count++;
    free(list);
    return count / 2;
}

static void variables_of_one_login_share_one_lease(void **state)
{
    const struct vault_settings none = {0};
    const struct ref user = {.kind = REF_VAULT, .path = "database/creds/app", .field = "username"};
    const struct ref word = {.kind = REF_VAULT, .path = "database/creds/app", .field = "password"};
    const struct ref fixed = {
        .kind = REF_VAULT, .path = "database/static-creds/fixed", .field = "username"};
    struct source_request requests[] = {
        {.ref = user}, {.ref = word}, {.ref = user}, {.ref = fixed}};
    struct source_lease leases[4];
    struct source_set *set = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(source_set_new(&none, NULL, &set, &err), 0);
    if (source_resolve(set, requests, ARRAY_LEN(requests), clock_in_ms(LONG_MS), &err) != 0)
        fail_msg("%s", err.text);
    assert_true(secret_equal(&requests[0].value, &requests[2].value));
    assert_string_equal(secret_reveal(&requests[3].value), "fixed_login");
    assert_int_equal(count_leases(), 1);
    assert_int_equal(source_leases(set, leases, ARRAY_LEN(leases)), 2);
    assert_ptr_equal(requests[0].lease, requests[1].lease);
    assert_true(str_starts(requests[0].lease->id, "database/creds/app/"));
    assert_int_equal(requests[0].lease->duration_ms, 300000);
    assert_null(requests[3].lease->id);
    assert_in_range(requests[3].lease->duration_ms, 1, 3600 * 1000);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        secret_release(&requests[i].value);
    source_set_free(set);
}

static void a_lease_is_renewed_to_its_maximum_and_gone_with_its_token(void **state)
{
    enum { TEN_S = 10000, TWENTY_S = 20000, LONGER_MS = 60000 };
    const struct vault_settings none = {0};
    struct vault_read read = {.path = "database/creds/brief"};
    struct vault_term term;
    struct err err = ERR_INIT;

    (void)state;
    char *token = bao_run(plain, "token", "create", "-field=token", "-ttl=30s",
                          "-explicit-max-ttl=40s", NULL);
    assert_int_equal(setenv("VAULT_TOKEN", token, 1), 0);
    struct vault *v = open_with(&none);
    if (vault_read_all(v, &read, 1, clock_in_ms(LONG_MS), &err) != 0)
        fail_msg("%s", err.text);
    assert_true(read.lease.id && read.lease.renewable);
    int64_t soon = clock_in_ms(LONG_MS);
    assert_int_equal(vault_lease_renew(v, read.lease.id, TEN_S, soon, &term, &err), 0);
    assert_int_equal(term.duration_ms, TEN_S);
    assert_false(term.is_short);
    assert_int_equal(vault_lease_renew(v, read.lease.id, LONGER_MS, soon, &term, &err), 0);
    assert_in_range(term.duration_ms, 1, TWENTY_S);
    assert_true(term.is_short);
    assert_int_equal(vault_token_term(v, soon, &term, &err), 0);
    assert_true(term.renewable);
    assert_in_range(term.duration_ms, TEN_S, TWENTY_S + TEN_S);
    assert_int_equal(vault_token_renew_self(v, LONGER_MS, soon, &term, &err), 0);
    assert_true(term.is_short);
    free(bao_run(plain, "token", "revoke", token, NULL));
    assert_int_equal(vault_lease_renew(v, read.lease.id, TEN_S, soon, &term, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    free(token);
    vault_free(v);
    assert_int_equal(setenv("VAULT_TOKEN", BAO_ROOT_TOKEN, 1), 0);
    v = open_with(
        &none); /* another token: the lease has ended with the one that it was made with */
    assert_int_equal(vault_lease_renew(v, read.lease.id, TEN_S, soon, &term, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_MISSING);
    vault_read_release(&read);
    vault_free(v);
}

static void an_unknown_role_is_refused_with_the_servers_words(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    struct err err = refused(&none, "database/creds/nobody");
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.text, "400");
    assert_text_has(err.text, "nobody");
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static int clean_tls(void **state)
{
    (void)clean(state);
    return setenv("VAULT_ADDR", bao_address(over_tls), 1);
}

static void an_authority_from_file_or_bytes_or_contract_is_believed(void **state)
{
    static char bytes[64 * 1024];
    const struct vault_settings none = {0}, contract = {.ca_cert = bao_ca_file(over_tls)};

    (void)state;
    assert_reads(&contract, "secret/app", "tls");
    setenv("VAULT_CACERT", bao_ca_file(over_tls), 1);
    assert_reads(&none, "secret/app", "tls");
    unsetenv("VAULT_CACERT");
    AUTO_FD fd = open(bao_ca_file(over_tls), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, bytes, sizeof bytes - 1) > 0);
    setenv("VAULT_CACERT_BYTES", bytes, 1);
    assert_reads(&none, "secret/app", "tls");
}

static void an_unknown_authority_or_another_name_is_refused_at_once(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    struct err err = refused(&none, "secret/app");
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.hint, "VAULT_CACERT");
    setenv("VAULT_CACERT", bao_ca_file(over_tls), 1);
    setenv("VAULT_TLS_SERVER_NAME", "another.example", 1);
    err = refused(&none, "secret/app");
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    setenv("VAULT_TLS_SERVER_NAME", "localhost", 1);
    assert_reads(&none, "secret/app", "tls");
    clearenv();
    setenv("VAULT_TOKEN", BAO_ROOT_TOKEN, 1);
    setenv("VAULT_ADDR", bao_address(over_tls), 1);
    setenv("VAULT_SKIP_VERIFY", "true", 1);
    assert_reads(&none, "secret/app", "tls");
}

static void the_wrong_scheme_is_said_both_ways(void **state)
{
    const struct vault_settings none = {0};
    char address[64];

    (void)state;
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%u", bao_port(over_tls));
    setenv("VAULT_ADDR", address, 1);
    struct err err = refused(&none, "secret/app");
    assert_text_has(err.hint, "https://");
    (void)snprintf(address, sizeof address, "https://127.0.0.1:%u", bao_port(plain));
    setenv("VAULT_ADDR", address, 1);
    err = refused(&none, "secret/app");
    assert_text_has(err.hint, "http://");
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
}

static void relay(int a, int b)
{
    struct pollfd ends[] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    static char bytes[64 * 1024];

    while (poll(ends, 2, -1) > 0)
        for (size_t i = 0; i < 2; i++) {
            if (!(ends[i].revents & (POLLIN | POLLHUP | POLLERR)))
                continue;
            ssize_t n = recv(ends[i].fd, bytes, sizeof bytes, 0);
            if (n <= 0 || send(ends[1 - i].fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
                return;
        }
}

/* As a proxy: take the CONNECT, and say that it is done. False: it is none. */
static bool take_connect(int client)
{
    static const char done[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    char text[4096];
    size_t have = 0;

    while (have < sizeof text - 1) {
        ssize_t n = recv(client, text + have, sizeof text - 1 - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
        text[have] = '\0';
        if (strstr(text, "\r\n\r\n"))
            break;
    }
    /* What a proxy sees is where to, and nothing of ours. */
    return strncmp(text, "CONNECT ", 8) == 0 && !strstr(text, "canary") &&
           !strstr(text, "X-Vault") &&
           send(client, done, sizeof done - 1, MSG_NOSIGNAL) == (ssize_t)sizeof done - 1;
}

/* Pass what comes to LISTENER on to PORT of this machine, each connection counted. */
static pid_t start_relay(int listener, unsigned port, bool is_proxy, atomic_int *count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    pid_t pid = fork();

    if (pid != 0) {
        (void)close(listener);
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);
        atomic_fetch_add(count, 1);
        if (fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            if ((!is_proxy || take_connect(client)) &&
                connect(server, (struct sockaddr *)&address, sizeof address) == 0)
                relay(client, server);
            _exit(0);
        }
        (void)close(client);
        (void)close(server);
    }
}

static int listen_on_port(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, RELAY_BACKLOG), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static atomic_int *new_count(void)
{
    atomic_int *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(count != MAP_FAILED);
    return count;
}

static void stop_relay(pid_t pid, atomic_int *count)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)munmap(count, sizeof *count);
}

static void a_unix_socket_is_spoken_to(void **state)
{
    const struct vault_settings none = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char url[sizeof address.sun_path + 16];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.60s/socket", bao_folder(plain));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, RELAY_BACKLOG), 0);
    atomic_int *count = new_count();
    pid_t pid = start_relay(fd, bao_port(plain), false, count);
    (void)snprintf(url, sizeof url, "unix://%s", address.sun_path);
    setenv("VAULT_ADDR", url, 1);
    assert_reads(&none, "secret/app", "canary value");
    assert_true(atomic_load(count) >= 1);
    stop_relay(pid, count);
}

static void a_proxy_that_is_named_sees_a_tunnel_and_no_token(void **state)
{
    const struct vault_settings none = {0};
    char url[64];
    unsigned port;

    (void)state;
    atomic_int *count = new_count();
    int fd = listen_on_port(&port);
    pid_t pid = start_relay(fd, bao_port(over_tls), true, count);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    setenv("VAULT_PROXY_ADDR", url, 1);
    setenv("NO_PROXY", "127.0.0.1", 1); /* is for https_proxy only */
    setenv("VAULT_CACERT", bao_ca_file(over_tls), 1);
    assert_reads(&none, "secret/app", "tls");
    assert_int_equal(atomic_load(count), 1);
    stop_relay(pid, count);
}

static void twenty_paths_over_tls_use_one_connection(void **state)
{
    const struct vault_settings none = {0};
    struct vault_read reads[MANY] = {{0}};
    char paths[MANY][16], address[64];
    struct err err = ERR_INIT;
    unsigned port;

    (void)state;
    atomic_int *count = new_count();
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "p%zu", i);
        free(bao_run(over_tls, "kv", "put", "-mount=secret", paths[i], "f=x", NULL));
        (void)snprintf(paths[i], sizeof paths[i], "secret/p%zu", i);
        reads[i].path = paths[i];
    }
    int fd = listen_on_port(&port);
    pid_t pid = start_relay(fd, bao_port(over_tls), false, count);
    (void)snprintf(address, sizeof address, "https://127.0.0.1:%u", port);
    setenv("VAULT_ADDR", address, 1);
    setenv("VAULT_CACERT", bao_ca_file(over_tls), 1);
    struct vault *v = open_with(&none);
    if (vault_read_all(v, reads, MANY, clock_in_ms(LONG_MS), &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(atomic_load(count), 1);
    for (size_t i = 0; i < MANY; i++)
        vault_read_release(&reads[i]);
    vault_free(v);
    stop_relay(pid, count);
}

#define plain_test(f) cmocka_unit_test_setup(f, clean)
#define tls_test(f)   cmocka_unit_test_setup(f, clean_tls)

int main(void)
{
    const struct CMUnitTest tests[] = {
        plain_test(every_kind_of_mount_is_read_by_its_plain_path),
        plain_test(all_of_them_together_take_one_answer_each),
        plain_test(missing_and_deleted_are_told_apart),
        plain_test(a_path_reaches_the_server_as_it_is_written),
        plain_test(an_approle_logs_in_reads_and_leaves_no_token),
        plain_test(a_narrow_policy_is_enough_and_what_is_outside_is_named),
        plain_test(a_user_logs_in_with_a_password),
        plain_test(a_namespace_is_where_the_path_is_looked_for),
        plain_test(a_sealed_server_is_said_as_sealed),
        cmocka_unit_test_setup(variables_of_one_login_share_one_lease, have_database_engine),
        cmocka_unit_test_setup(a_lease_is_renewed_to_its_maximum_and_gone_with_its_token,
                               have_database_engine),
        plain_test(an_unknown_role_is_refused_with_the_servers_words),
        tls_test(an_authority_from_file_or_bytes_or_contract_is_believed),
        tls_test(an_unknown_authority_or_another_name_is_refused_at_once),
        tls_test(the_wrong_scheme_is_said_both_ways),
        plain_test(a_unix_socket_is_spoken_to),
        tls_test(a_proxy_that_is_named_sees_a_tunnel_and_no_token),
        tls_test(twenty_paths_over_tls_use_one_connection),
    };
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
