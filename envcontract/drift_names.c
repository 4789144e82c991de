/* envcontract/drift_names.c: the names that were met, and those that are nobody's configuration. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    COLUMN_REACH = 4096
}; /* a column beyond it is not counted: such a line is no one's to read */

/* Names that the system, the shell, the language's own tools, CI or the cluster give. Globs; in the
 * order of docs/man/agent.1, which lists them too. */
static const char *const system_names[] = {
    /* the login and the terminal */
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "LANG", "LANGUAGE", "LC_*", "TZ",
    "TERM", "TERM_PROGRAM", "COLORTERM", "COLUMNS", "LINES", "EDITOR", "VISUAL", "PAGER", "DISPLAY",
    "WAYLAND_DISPLAY", "TMPDIR", "TMP", "TEMP", "HOSTNAME", "MAIL", "SSH_*", "SUDO_*", "XDG_*",
    "NO_COLOR", "FORCE_COLOR", "CLICOLOR*", "LD_LIBRARY_PATH", "LD_PRELOAD",
    /* the way out */
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    /* a shell's own */
    "_", "IFS", "UID", "EUID", "GROUPS", "PPID", "SHLVL", "RANDOM", "SRANDOM", "SECONDS", "LINENO",
    "EPOCHSECONDS", "EPOCHREALTIME", "FUNCNAME", "OPTARG", "OPTIND", "OPTERR", "REPLY",
    "PIPESTATUS", "DIRSTACK", "BASH", "BASHPID", "BASH_*", "COMP_*", "COMPREPLY", "ZSH_*",
    "PS[0-4]", "CDPATH", "ENV", "HIST*", "HOSTTYPE", "MACHTYPE", "OSTYPE", "COPROC", "MAPFILE",
    "SHELLOPTS", "BASHOPTS", "TIMEFORMAT", "POSIXLY_CORRECT",
    /* CI */
    "CI", "CI_*", "GITHUB_*", "RUNNER_*", "ACTIONS_*", "GITLAB_*",
    /* the languages' tools */
    "PYTHON*", "VIRTUAL_ENV", "PIP_*", "UV_*", "POETRY_*", "PIPENV_*", "CONDA_*", "PYTEST_*",
    "NODE_ENV", "NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_*", "npm_*",
    "YARN_*", "PNPM_*", "DEBIAN_FRONTEND",
    /* what starts the process */
    "KUBERNETES_*", "NOTIFY_SOCKET", "WATCHDOG_*", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
    "INVOCATION_ID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY", "COMPOSE_*", "DOCKER_*", "BUILDKIT_*", "TARGETARCH", "TARGETOS",
    "TARGETPLATFORM", "TARGETVARIANT", "BUILDARCH", "BUILDOS", "BUILDPLATFORM",
    /* agent's own, and its Vault's */
    "AGENT_*", "VAULT_*", "BAO_*"};

static const char *const image_names[] = {
    "POSTGRES_*",          "PGDATA*",      "MYSQL_*",      "MARIADB_*",    "MONGO_INITDB_*",
    "RABBITMQ_*",          "MINIO_*",      "PGADMIN_*",    "KEYCLOAK_*",   "KC_*",
    "ELASTIC_PASSWORD",    "ES_JAVA_OPTS", "CLICKHOUSE_*", "LOCALSTACK_*", "GF_*",
    "ALLOW_EMPTY_PASSWORD"};

static bool is_one_of(const char *const *globs, size_t count, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < count; i++)
        if (str_glob(globs[i], name, length))
            return true;
    return false;
}

bool drift_is_system(const char *name)
{
    return is_one_of(system_names, ARRAY_LEN(system_names), name);
}

bool drift_is_image(const char *name)
{
    return is_one_of(image_names, ARRAY_LEN(image_names), name);
}

bool drift_is_name(const char *name, size_t length)
{
    if (length == 0 || length > DRIFT_MAX_NAME_BYTES || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!is_letter && !(c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

/* ---- the table ------------------------------------------------------------------------------ */

static size_t hash(const char *name, size_t length) /* FNV-1a */
{
    uint64_t value = 14695981039346656037U;

    for (size_t i = 0; i < length; i++)
        value = (value ^ (unsigned char)name[i]) * 1099511628211U;
    return (size_t)(value ^ (value >> 32));
}

/* The slot that has NAME, or the free one where it would be. There are always free ones. */
static size_t slot_of(const struct drift *d, const char *name, size_t length)
{
    size_t slot = hash(name, length) & (DRIFT_TABLE_SLOTS - 1);

    for (; d->slots[slot] != 0; slot = (slot + 1) & (DRIFT_TABLE_SLOTS - 1)) {
        const struct drift_name *entry = &d->names[d->slots[slot] - 1];
        if (entry->length == length && memcmp(entry->text, name, length) == 0)
            break;
    }
    return slot;
}

struct drift_name *drift_find(const struct drift *d, const char *name, size_t length)
{
    unsigned index = d->slots[slot_of(d, name, length)];

    return index == 0 ? NULL : &d->names[index - 1];
}

struct drift_name *drift_enter(struct drift *d, const char *name, size_t length)
{
    size_t slot = slot_of(d, name, length);

    if (d->slots[slot] != 0)
        return &d->names[d->slots[slot] - 1];
    if (d->name_count >= d->declared_count + DRIFT_MAX_NAMES) {
        d->names_left_out++;
        return NULL;
    }
    char *text = arena_dup_n(&d->arena, name, length);
    if (!text || mem_grow(&d->names, d->name_count, &d->name_capacity, sizeof(*d->names)) != 0) {
        d->no_memory = true;
        return NULL;
    }
    d->names[d->name_count] = (struct drift_name){
        .text = text, .length = length, .best = DRIFT_USES};
    d->slots[slot] = (unsigned)++d->name_count;
    return &d->names[d->name_count - 1];
}

bool drift_declares(const struct drift *d, const char *name, size_t length)
{
    const struct drift_name *entry = drift_find(d, name, length);

    return entry && (entry->declaration || entry->alias_of);
}

/* ---- places --------------------------------------------------------------------------------- */

/* The cursor moves to and fro by what lies between: readers go forward, and back within a class. */
unsigned drift_line(struct drift *d, size_t offset)
{
    const char *text = d->text;

    while (offset < d->line_start) {
        const char *before = d->line_start > 1 ? memrchr(text, '\n', d->line_start - 1) : NULL;
        d->line_start = before ? (size_t)(before - text) + 1 : 0;
        d->line_at--;
    }
    for (const char *end; (end = memchr(text + d->line_start, '\n', offset - d->line_start));) {
        d->line_start = (size_t)(end - text) + 1;
        d->line_at++;
    }
    return (unsigned)d->line_at;
}

void drift_add(struct drift *d, enum drift_use use, const char *name, size_t length, size_t offset)
{
    struct drift_name *entry = drift_is_name(name, length) ? drift_enter(d, name, length) : NULL;

    if (!entry)
        return;
    entry->counts[use]++;
    if (use >= entry->best)
        return;
    entry->best = use;
    entry->file = d->file;
    entry->line = drift_line(d, offset);
    size_t column = offset - d->line_start + 1;
    entry->column = column <= COLUMN_REACH ? (unsigned)column : 0;
}

void drift_add_computed(struct drift *d, size_t offset)
{
    if (d->computed++ == 0)
        d->computed_line = drift_line(d, offset);
}

void drift_add_unseen(struct drift *d, const char *what, size_t offset)
{
    if (d->unseen)
        return;
    d->unseen = what;
    d->unseen_line = drift_line(d, offset);
}
