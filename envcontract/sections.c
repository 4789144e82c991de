/* envcontract/sections.c: profile, run, vault and database, read off the tree. */
#include "envcontract/keys.h"

#include <string.h>

#include "base/str.h"

enum {
    DEFAULT_WAIT_MS = 60 * 1000,
    DEFAULT_LOCK_TIMEOUT_MS = 30 * 1000,
    DEFAULT_LOCK_WAIT_MS = 10 * 60 * 1000,
    DEFAULT_STATEMENT_TIMEOUT_MS = 5 * 60 * 1000,
    DEFAULT_CONNECT_TIMEOUT_MS = 5 * 1000,
};

static const char *const no_names[] = {NULL};
static const char *const default_accept[] = {"current", NULL};

/* What the root has, one entry for each of its keys. */
struct top {
    const struct node *at[TOP_KEY_COUNT];
};

static struct top top_of(const struct contract_document *d)
{
    struct top top = {0};

    keys_merge(d->files[0].root, top.at, TOP_KEY_COUNT);
    return top;
}

static size_t list_length(const char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    return count;
}

/* ---- profile and run ------------------------------------------------------------------------ */

void sections_read(struct contract *contract)
{
    struct contract_document *d = contract->document;
    struct top top = top_of(d);
    const struct node *profile[PROFILE_KEY_COUNT] = {NULL};
    const struct node *run[RUN_KEY_COUNT] = {NULL}, *stale[STALE_KEY_COUNT] = {NULL};

    contract->project = node_text(top.at[TOP_PROJECT]);
    keys_merge(top.at[TOP_PROFILE], profile, PROFILE_KEY_COUNT);
    d->profiles = node_list(profile[PROFILE_VALUES]);
    d->profile_count = list_length(d->profiles);
    if (d->profile_count > CONTRACT_MAX_PROFILES) /* said by sections_check */
        d->profile_count = CONTRACT_MAX_PROFILES;
    d->strict_profiles = node_list(top.at[TOP_STRICT_PROFILES]);
    contract->profile_variable = node_text(profile[PROFILE_VAR]);
    contract->profile_values = d->profiles;
    contract->profile_default = node_text(profile[PROFILE_DEFAULT]);
    keys_merge(top.at[TOP_RUN], run, RUN_KEY_COUNT);
    run_read(d, top.at[TOP_RUN], &contract->run);
    contract->run_unset = node_list(run[RUN_UNSET]);
    contract->run_only_contract = node_truth(run[RUN_ONLY_CONTRACT], false);
    keys_merge(run[RUN_STALE], stale, STALE_KEY_COUNT);
    contract->stale_dir = node_text(stale[STALE_DIR]);
    contract->stale_key_file = node_text(stale[STALE_KEY_FILE]);
}

/* NAME, which stands at NODE, is a profile of the contract. */
static void check_profile_name(struct contract_document *d, const struct node *node,
                               enum problem_at at, const char *name)
{
    char hint[NEAREST_HINT_BYTES];

    if (!name || document_has_profile(d, name) || problems_full(d))
        return;
    if (!d->profiles)
        problem(d, node, at, "Add \"profile\": {\"var\": …, \"values\": […]}.",
                "the profile '%.*s' in a contract without 'profile'", SHOWN(name));
    else
        problem(d, node, at, nearest_hint(d, name, d->profiles, d->profile_count, hint),
                "'%.*s' is no profile of the contract", SHOWN(name));
}

void sections_check_profiles(struct contract_document *d, const struct node *map)
{
    if (!map || map->kind != NODE_OBJECT)
        return;
    for (const struct node *member = map->first; member; member = member->next)
        check_profile_name(d, member, AT_KEY, member->key);
}

/* The name of a variable of the contract. Its index, or -1 (said). */
static long check_variable_name(struct contract_document *d, const struct node *node)
{
    char hint[NEAREST_HINT_BYTES];
    const char *name = node_text(node);
    long index = name ? document_find(d, name) : -1;

    if (name && name[0] && index < 0 && !problems_full(d))
        problem(d, node, AT_VALUE, nearest_hint(d, name, d->names, d->variable_count, hint),
                "'%.*s' is no variable of the contract", SHOWN(name));
    return index;
}

static void check_values(struct contract_document *d, const struct node *values)
{
    if (d->profile_count == 0 || list_length(d->profiles) > CONTRACT_MAX_PROFILES)
        problem(d, values, AT_VALUE, NULL, "a contract has from 1 to %d profiles",
                CONTRACT_MAX_PROFILES);
    for (size_t i = 0; i < d->profile_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (str_eq(d->profiles[i], d->profiles[k]))
                problem(d, values, AT_VALUE, NULL, "the profile '%.*s' is named twice",
                        SHOWN(d->profiles[i]));
        }
    }
}

static void check_profile(struct contract_document *d, const struct node *section)
{
    const struct node *at[PROFILE_KEY_COUNT] = {NULL};

    if (!section || section->kind != NODE_OBJECT)
        return;
    keys_merge(section, at, PROFILE_KEY_COUNT);
    if (!at[PROFILE_VAR])
        problem(d, section, AT_KEY, NULL, "'profile' has no 'var'");
    (void)check_variable_name(d, at[PROFILE_VAR]);
    if (!at[PROFILE_VALUES])
        problem(d, section, AT_KEY, NULL, "'profile' has no 'values'");
    else if (d->profiles)
        check_values(d, at[PROFILE_VALUES]);
    if (at[PROFILE_VALUES])
        check_profile_name(d, at[PROFILE_DEFAULT], AT_VALUE, node_text(at[PROFILE_DEFAULT]));
}

/* ---- vault ---------------------------------------------------------------------------------- */

static const char *text_for(struct contract_document *d, const struct node *node,
                            const char *profile)
{
    const char *text = node_text(node);

    return text ? source_substitute(d, &d->selected, text, NULL, profile) : NULL;
}

static const char *const *texts_for(struct contract_document *d, const struct node *list,
                                    const char *profile)
{
    const char *const *texts = node_list(list);

    if (!texts)
        return NULL;
    const char **out = arena_new(&d->selected, list_length(texts) + 1, sizeof *out);
    if (!out) {
        d->no_memory = true;
        return NULL;
    }
    for (size_t i = 0; texts[i]; i++)
        out[i] = source_substitute(d, &d->selected, texts[i], NULL, profile);
    return out;
}

static void select_auth(struct contract_document *d, const struct node *section,
                        const char *profile, struct contract_vault *out)
{
    const struct node *at[AUTH_KEY_COUNT] = {NULL};

    keys_merge(section, at, AUTH_KEY_COUNT);
    out->auth_method = node_text(at[AUTH_METHOD]);
    out->auth_mount = node_text(at[AUTH_MOUNT]);
    out->role = text_for(d, at[AUTH_ROLE], profile);
    out->role_id = text_for(d, at[AUTH_ROLE_ID], profile);
    out->secret_id = text_for(d, at[AUTH_SECRET_ID], profile);
    out->username = text_for(d, at[AUTH_USERNAME], profile);
    out->password = text_for(d, at[AUTH_PASSWORD], profile);
    out->jwt = text_for(d, at[AUTH_JWT], profile);
    out->token = text_for(d, at[AUTH_TOKEN], profile);
    out->cert = text_for(d, at[AUTH_CERT], profile);
    out->key = text_for(d, at[AUTH_KEY], profile);
    out->secret_id_wrapped = node_truth(at[AUTH_SECRET_ID_WRAPPED], false);
}

/* Vault itself lists them as "secret/". NULL: no memory. */
static const char *without_slashes(struct contract_document *d, const char *mount)
{
    mount += strspn(mount, "/");
    size_t length = strlen(mount);
    while (length > 0 && mount[length - 1] == '/')
        length--;
    return arena_dup_n(&d->selected, mount, length);
}

static void select_mounts(struct contract_document *d, const struct node *mounts,
                          struct contract_vault *out)
{
    if (!mounts || mounts->kind != NODE_OBJECT || mounts->count == 0)
        return;
    const char **names = arena_new(&d->selected, mounts->count, sizeof *names);
    unsigned *versions = arena_new(&d->selected, mounts->count, sizeof *versions);
    if (!names || !versions) {
        d->no_memory = true;
        return;
    }
    size_t count = 0;
    for (const struct node *member = mounts->first; member; member = member->next) {
        names[count] = without_slashes(d, member->key);
        if (!names[count]) {
            d->no_memory = true;
            return;
        }
        versions[count++] = (unsigned)node_integer(member, 0);
    }
    out->kv_mounts = names;
    out->kv_versions = versions;
    out->kv_mount_count = count;
}

static void merge_vault(const struct node *section, const char *profile, const struct node **at)
{
    const struct node *over[VAULT_KEY_COUNT] = {NULL};

    keys_merge(section, at, VAULT_KEY_COUNT);
    if (!profile)
        return;
    const struct node *own = node_member(at[VAULT_PROFILES], profile);
    keys_merge(own, over, VAULT_KEY_COUNT);
    /* A profile's Vault is one of its own: its nodes are no addition to those of the others. */
    if (over[VAULT_ADDRESS] || over[VAULT_ADDRESSES])
        at[VAULT_ADDRESS] = at[VAULT_ADDRESSES] = NULL;
    keys_merge(own, at, VAULT_KEY_COUNT);
}

static void select_vault(struct contract_document *d, const struct node *section,
                         const char *profile, struct contract_vault *out)
{
    const struct node *at[VAULT_KEY_COUNT] = {NULL};

    *out = (struct contract_vault){.present = section != NULL};
    merge_vault(section, profile, at);
    out->address = text_for(d, at[VAULT_ADDRESS], profile);
    out->addresses = texts_for(d, at[VAULT_ADDRESSES], profile);
    out->name_space = text_for(d, at[VAULT_NAMESPACE], profile);
    out->ca_cert = node_text(at[VAULT_CA_CERT]);
    out->ca_path = node_text(at[VAULT_CA_PATH]);
    out->tls_server_name = node_text(at[VAULT_TLS_SERVER_NAME]);
    out->redirect_hosts = node_list(at[VAULT_REDIRECT_HOSTS]);
    out->allow_http = node_truth(at[VAULT_ALLOW_HTTP], false);
    out->timeout_ms = node_duration_ms(at[VAULT_TIMEOUT], 0);
    out->deadline_ms = node_duration_ms(at[VAULT_DEADLINE], 0);
    out->retries = (int)node_integer(at[VAULT_RETRIES], 0);
    out->no_retries = node_integer(at[VAULT_RETRIES], 1) == 0;
    select_mounts(d, at[VAULT_KV], out);
    select_auth(d, at[VAULT_AUTH], profile, out);
}

/* What a method can do without where the environment brings it (VAULT_ROLE_ID, VAULT_JWT_FILE,
 * VAULT_CLIENT_CERT and their like) may be left out; userpass has nothing of that kind. */
static void check_auth(struct contract_document *d, const struct node *section)
{
    static const struct {
        enum auth_key key;
        const char *name;
    } needs[] = {{AUTH_USERNAME, "username"}, {AUTH_PASSWORD, "password"}};
    const struct node *at[AUTH_KEY_COUNT] = {NULL};

    if (!section || section->kind != NODE_OBJECT)
        return;
    keys_merge(section, at, AUTH_KEY_COUNT);
    if (!at[AUTH_METHOD])
        problem(d, section, AT_KEY, "One of token, approle, userpass, kubernetes, jwt, cert.",
                "'auth' has no 'method'");
    for (size_t i = 0; str_eq(node_text(at[AUTH_METHOD]), "userpass") && i < ARRAY_LEN(needs); i++)
        if (!at[needs[i].key])
            problem(d, section, AT_KEY, NULL, "the method 'userpass' needs '%s'", needs[i].name);
}

static void check_vault(struct contract_document *d, const struct node *section)
{
    const struct node *at[VAULT_KEY_COUNT] = {NULL};

    keys_merge(section, at, VAULT_KEY_COUNT);
    check_auth(d, at[VAULT_AUTH]);
    reach_check(d, at);
    const struct node *profiles = at[VAULT_PROFILES];
    sections_check_profiles(d, profiles);
    if (!profiles || profiles->kind != NODE_OBJECT)
        return;
    for (const struct node *profile = profiles->first; profile; profile = profile->next) {
        const struct node *over[VAULT_KEY_COUNT] = {NULL};
        keys_merge(profile, over, VAULT_KEY_COUNT);
        check_auth(d, over[VAULT_AUTH]);
        reach_check(d, over);
    }
}

/* ---- database ------------------------------------------------------------------------------- */

static void select_create(const struct node *section, struct contract_database *out)
{
    static const enum contract_create kinds[CREATE_KEY_COUNT] = {
        [CREATE_SQL] = CONTRACT_CREATE_SQL,
        [CREATE_EMIT] = CONTRACT_CREATE_EMIT,
        [CREATE_COMMAND] = CONTRACT_CREATE_COMMAND,
    };
    const struct node *at[CREATE_KEY_COUNT] = {NULL};

    keys_merge(section, at, CREATE_KEY_COUNT);
    for (size_t i = 0; i < CREATE_KEY_COUNT; i++) {
        if (at[i]) {
            out->create = kinds[i];
            out->create_list = node_list(at[i]);
        }
    }
}

static const char *text_or(const struct node *node, const char *otherwise)
{
    const char *text = node_text(node);

    return text ? text : otherwise;
}

static void select_stamp(const struct node *section, struct contract_database *out)
{
    const struct node *at[STAMP_KEY_COUNT] = {NULL};

    keys_merge(section, at, STAMP_KEY_COUNT);
    out->alembic = node_text(at[STAMP_ALEMBIC]);
    out->alembic_dir = node_text(at[STAMP_DIR]);
    out->table = text_or(at[STAMP_TABLE], "alembic_version");
    out->schema = text_or(at[STAMP_SCHEMA], "public");
    out->heads = node_list(at[STAMP_HEADS]);
    if (str_eq(node_text(at[STAMP_STYLE]), "plain"))
        out->plain_revision = node_text(at[STAMP_REVISION]);
}

static void select_database(struct contract_document *d, const struct node *section,
                            struct contract_database *out)
{
    const struct node *at[DATABASE_KEY_COUNT] = {NULL};

    *out = (struct contract_database){.present = section != NULL};
    keys_merge(section, at, DATABASE_KEY_COUNT);
    if (section)
        out->position = node_position(d, &d->selected, section, AT_KEY);
    out->url = node_text(at[DATABASE_URL]);
    out->admin_url = node_text(at[DATABASE_ADMIN_URL]);
    out->owner = node_text(at[DATABASE_OWNER]);
    out->accept = at[DATABASE_ACCEPT] ? node_list(at[DATABASE_ACCEPT]) : default_accept;
    out->env = at[DATABASE_ENV] ? node_list(at[DATABASE_ENV]) : no_names;
    out->offline = node_list(at[DATABASE_OFFLINE]);
    out->cwd = node_text(at[DATABASE_CWD]);
    out->migrate = node_list(at[DATABASE_MIGRATE]);
    out->expect = at[DATABASE_EXPECT] ? node_list(at[DATABASE_EXPECT]) : no_names;
    out->schemas = node_list(at[DATABASE_SCHEMAS]);
    out->authority_variable = node_text(node_member(at[DATABASE_AUTHORITY], "var"));
    out->wait_ms = node_duration_ms(at[DATABASE_WAIT], DEFAULT_WAIT_MS);
    out->lock_timeout_ms = node_duration_ms(at[DATABASE_LOCK_TIMEOUT], DEFAULT_LOCK_TIMEOUT_MS);
    out->lock_wait_ms = node_duration_ms(at[DATABASE_LOCK_WAIT], DEFAULT_LOCK_WAIT_MS);
    out->statement_timeout_ms = node_duration_ms(at[DATABASE_STATEMENT_TIMEOUT],
                                                 DEFAULT_STATEMENT_TIMEOUT_MS);
    out->connect_timeout_ms = node_duration_ms(at[DATABASE_CONNECT_TIMEOUT],
                                               DEFAULT_CONNECT_TIMEOUT_MS);
    select_create(at[DATABASE_CREATE], out);
    select_stamp(at[DATABASE_STAMP], out);
}

void sections_check_url_variable(struct contract_document *d, const struct node *node)
{
    long index = check_variable_name(d, node);
    struct layers layers;

    if (index < 0 || !node)
        return;
    layers_merge(d, (size_t)index, NULL, &layers);
    const struct node *type = layers.at[VARIABLE_TYPE];
    if (!type || !str_eq(node_text(type), contract_type_name(TYPE_POSTGRES_URL)))
        problem(d, node, AT_VALUE, "Give it \"type\": \"postgres-url\".",
                "the variable '%.*s' is no postgres-url", SHOWN(node->text));
}

static void check_create(struct contract_document *d, const struct node *section,
                         const struct node *expect)
{
    const struct node *at[CREATE_KEY_COUNT] = {NULL};
    size_t forms = 0;

    if (!section || section->kind != NODE_OBJECT)
        return;
    keys_merge(section, at, CREATE_KEY_COUNT);
    for (size_t i = 0; i < CREATE_KEY_COUNT; i++)
        forms += at[i] != NULL;
    if (forms != 1)
        problem(d, section, AT_KEY, "Exactly one of sql, emit and command.",
                forms == 0 ? "'create' says nothing" : "'create' says it in several ways");
    if (at[CREATE_COMMAND] && (!expect || expect->count == 0))
        problem(d, at[CREATE_COMMAND], AT_KEY,
                "Add \"expect\": [tables] to 'database': what a command made can only be "
                "known by looking.",
                "'create.command' without 'expect'");
}

/* Style plain has a revision of its own and nothing of Alembic's; Alembic's has the heads. */
static void check_stamp(struct contract_document *d, const struct node *section)
{
    const struct node *at[STAMP_KEY_COUNT] = {NULL};
    static const enum stamp_key alembics[] = {STAMP_ALEMBIC, STAMP_DIR, STAMP_HEADS};

    keys_merge(section, at, STAMP_KEY_COUNT);
    const char *revision = node_text(at[STAMP_REVISION]);
    if (!str_eq(node_text(at[STAMP_STYLE]), "plain")) {
        if (revision && revision[0] && !str_eq(revision, "heads"))
            problem(d, at[STAMP_REVISION], AT_VALUE, "Use \"heads\".",
                    "a 'revision' other than heads is not in this version");
        if (at[STAMP_DIR] && !at[STAMP_ALEMBIC])
            problem(d, at[STAMP_DIR], AT_KEY, "Name Alembic's configuration, or its script folder.",
                    "'dir' without 'alembic'");
        return;
    }
    if (!revision || !revision[0])
        problem(d, at[STAMP_STYLE], AT_VALUE, "Add \"revision\": the text to stamp with.",
                "a plain stamp without 'revision'");
    for (size_t i = 0; i < ARRAY_LEN(alembics); i++) {
        if (at[alembics[i]])
            problem(d, at[alembics[i]], AT_KEY, "Take one of the two away.",
                    "a key of Alembic's in a plain stamp");
    }
}

static void check_database(struct contract_document *d, const struct node *section)
{
    const struct node *at[DATABASE_KEY_COUNT] = {NULL};

    if (!section || section->kind != NODE_OBJECT)
        return;
    keys_merge(section, at, DATABASE_KEY_COUNT);
    if (!at[DATABASE_URL])
        problem(d, section, AT_KEY, "Name the variable that has the database's URL.",
                "'database' has no 'url'");
    sections_check_url_variable(d, at[DATABASE_URL]);
    sections_check_url_variable(d, at[DATABASE_ADMIN_URL]);
    check_create(d, at[DATABASE_CREATE], at[DATABASE_EXPECT]);
    check_stamp(d, at[DATABASE_STAMP]);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Where stale copies lie, and the key that they are sealed with: the one is no use without the other. */
static void check_stale(struct contract_document *d, const struct node *run)
{
    const struct node *stale = node_member(run, "stale");

    if (!stale || stale->kind != NODE_OBJECT)
        return;
    for (const char *const *key = (const char *const[]){"dir", "key_file", NULL}; *key; key++)
        if (!node_member(stale, *key))
            problem(d, stale, AT_VALUE, "Both are paths; the key is made on first use.",
                    "'run.stale' without '%s'", *key);
}

void sections_check(struct contract *contract)
{
    struct contract_document *d = contract->document;
    struct top top = top_of(d);
    const struct node *strict = top.at[TOP_STRICT_PROFILES];

    check_profile(d, top.at[TOP_PROFILE]);
    source_check_written(d, top.at[TOP_RECORDS], true);
    if (strict && strict->kind == NODE_ARRAY) {
        for (const struct node *item = strict->first; item; item = item->next)
            check_profile_name(d, item, AT_VALUE, node_text(item));
    }
    check_vault(d, top.at[TOP_VAULT]);
    check_database(d, top.at[TOP_DATABASE]);
    guard_check(d, top.at[TOP_GUARD]);
    check_stale(d, top.at[TOP_RUN]);
    files_read(contract, top.at[TOP_FILES]);
    docs_check(d, top.at[TOP_DOCS]);
}

void sections_select(struct contract *contract, const char *profile)
{
    struct contract_document *d = contract->document;
    struct top top = top_of(d);

    select_vault(d, top.at[TOP_VAULT], profile, &contract->vault);
    select_database(d, top.at[TOP_DATABASE], &contract->database);
    guard_select(d, top.at[TOP_GUARD], &contract->guard);
}
