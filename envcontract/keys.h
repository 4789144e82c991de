/* envcontract/keys.h: every key of the contract, in one table for each section.
 *
 * The tables are what a contract is checked against, what unknown keys are compared with, and what
 * the sections are read by: a row is KEY(enumerator, name, kind, status, detail). UNUSED keys are
 * checked for their kind and not looked at.
 * Over 500 lines: it is the list of all keys, and a list in two places is read in neither. */
#ifndef ENVCONTRACT_KEYS_H
#define ENVCONTRACT_KEYS_H

#include "envcontract/document.h"

enum key_kind {
    KIND_ANY,           /* not looked into */
    KIND_TEXT,          /* a string that is not empty */
    KIND_FREE_TEXT,     /* a string, also "" */
    KIND_BOOL,          /* true, false */
    KIND_COUNT,         /* a whole number from 0 */
    KIND_DURATION,      /* "30s" */
    KIND_WORD,          /* one of words */
    KIND_TEXTS,         /* a list of strings that are not empty */
    KIND_ARGV,          /* such a list with at least one */
    KIND_WORDS,         /* a list of words */
    KIND_TEXT_OR_TEXTS, /* one string or a list */
    KIND_SCALAR,        /* a string, number or bool: a value as text */
    KIND_SCALARS,       /* a list of those */
    KIND_SECTION,       /* an object with the keys of section */
    KIND_SECTION_MAP,   /* an object of names, each with the keys of section */
    KIND_SECTION_LIST,  /* a list of objects with the keys of section */
    KIND_REFERENCE,     /* env:NAME, file:PATH …: what must not stand in a contract itself */
    KIND_SOURCE,        /* a reference, {"command": […]}, or an object of several */
    KIND_CONDITION,     /* true, false or a condition */
    KIND_BOUND,         /* min, max: a number or a string */
    KIND_LENGTH,        /* [min, max], max may be null */
    KIND_PATTERN,       /* PCRE2 */
    KIND_TEMPLATE,      /* compose */
    KIND_DEMAND,        /* "required", "forbidden" */
    KIND_DEMAND_OR_TEXTS,
    KIND_PORTS,      /* a port or a list of ports */
    KIND_QUERY,      /* {name: true, false, string or list} */
    KIND_MOUNTS,     /* {mount: 1 or 2} */
    KIND_URL_RULES,  /* a section, made into struct contract_url_rules */
    KIND_ITEM_RULES, /* a section, made into struct contract_rules */
    KIND_PATH_RULES, /* a section, made into struct contract_path_rules */
    KIND_TYPE,       /* a variable's type */
    KIND_ITEM_TYPE,  /* the type of a list's item: any but a list */
    KIND_VERSION,    /* 1 */
    KIND_DATE,       /* "2027-01-31" */
    KIND_TEXTS_MAP,  /* an object of lists of strings */
    KIND_MATCH,      /* an object of patterns, by VAR or VAR#part */
    KIND_SIGNAL,     /* "TERM" */
    KIND_SIGNALS,    /* {signal: signal} */
    KIND_EXIT_CODES, /* {"143": 0} */
    KIND_ON_CHANGE,  /* restart, signal:HUP, none, or a command */
    KIND_MODE,       /* "0400" */
    KIND_LISTEN,     /* "unix:PATH" or "ADDR:PORT" */
    KIND_PERIOD,     /* "5m", or "off" */
    KIND_COUNT_OF_KINDS
};

/* What kinds.c and source.c refuse, and the JSON Schema says. */
enum {
    KEY_VERSION = 1, /* of the format */
    KEY_PORT_MAX = 65535,
    KEY_EXIT_CODE_MAX = 255,
    KEY_SOURCE_MAX_BYTES = 4096, /* of one reference or one word of a command */
};

enum key_status { BUILT, UNUSED };

struct section;

struct key {
    const char *name;
    enum key_kind kind;
    enum key_status status;
    const struct section *section; /* kinds SECTION…: of what is inside */
    const char *const *words;      /* kinds WORD…: NULL-terminated */
    const char *no_zero;           /* durations: what to do instead; NULL: a zero says something */
};

struct section {
    const char *name;  /* of its definition in the JSON Schema: "guard_ignore" */
    const char *title; /* for messages: "the vault section" */
    const struct key *keys;
    size_t count;
    bool nullable;   /* null takes a key away: a variable's sections, vault's */
    bool in_profile; /* the table's `profiles` has no place in it */
};

/* clang-format off */
#define TOP_KEYS(KEY)                                                                              \
    KEY(TOP_SCHEMA, "$schema", KIND_FREE_TEXT, UNUSED, NOTHING)                                    \
    KEY(TOP_CONTRACT, "contract", KIND_VERSION, BUILT, NOTHING)                                    \
    KEY(TOP_PROJECT, "project", KIND_TEXT, BUILT, NOTHING)                                         \
    KEY(TOP_INCLUDE, "include", KIND_TEXTS, BUILT, NOTHING)                                        \
    KEY(TOP_PROFILE, "profile", KIND_SECTION, BUILT, SECTION(profile))                             \
    KEY(TOP_STRICT_PROFILES, "strict_profiles", KIND_TEXTS, BUILT, NOTHING)                        \
    KEY(TOP_RECORDS, "records", KIND_TEXT, BUILT, NOTHING)                                         \
    KEY(TOP_VAULT, "vault", KIND_SECTION, BUILT, SECTION(vault))                                   \
    KEY(TOP_BASE, "base", KIND_SECTION, BUILT, SECTION(variable))                                  \
    KEY(TOP_UNKNOWN, "unknown", KIND_SECTION, BUILT, SECTION(unknown))                             \
    KEY(TOP_FENCES, "fences", KIND_SECTION_MAP, BUILT, SECTION(fence))                             \
    KEY(TOP_VARS, "vars", KIND_SECTION_MAP, BUILT, SECTION(variable))                              \
    KEY(TOP_GROUPS, "groups", KIND_SECTION_LIST, BUILT, SECTION(group))                            \
    KEY(TOP_RULES, "rules", KIND_SECTION_LIST, BUILT, SECTION(rule))                               \
    KEY(TOP_DATABASE, "database", KIND_SECTION, BUILT, SECTION(database))                          \
    KEY(TOP_GUARD, "guard", KIND_SECTION, BUILT, SECTION(guard))                                   \
    KEY(TOP_RUN, "run", KIND_SECTION, BUILT, SECTION(run))                                         \
    KEY(TOP_FILES, "files", KIND_SECTION_LIST, BUILT, SECTION(file))                               \
    KEY(TOP_DOCS, "docs", KIND_SECTION_MAP, BUILT, SECTION(doc))

#define INCLUDED_KEYS(KEY)                                                                         \
    KEY(INCLUDED_SCHEMA, "$schema", KIND_FREE_TEXT, UNUSED, NOTHING)                               \
    KEY(INCLUDED_CONTRACT, "contract", KIND_VERSION, BUILT, NOTHING)                               \
    KEY(INCLUDED_VARS, "vars", KIND_SECTION_MAP, BUILT, SECTION(variable))                         \
    KEY(INCLUDED_GROUPS, "groups", KIND_SECTION_LIST, BUILT, SECTION(group))                       \
    KEY(INCLUDED_RULES, "rules", KIND_SECTION_LIST, BUILT, SECTION(rule))                          \
    KEY(INCLUDED_FENCES, "fences", KIND_SECTION_MAP, BUILT, SECTION(fence))

#define PROFILE_KEYS(KEY)                                                                          \
    KEY(PROFILE_VAR, "var", KIND_TEXT, BUILT, NOTHING)                                             \
    KEY(PROFILE_VALUES, "values", KIND_TEXTS, BUILT, NOTHING)                                      \
    KEY(PROFILE_DEFAULT, "default", KIND_TEXT, BUILT, NOTHING)

#define VAULT_KEYS(KEY)                                                                            \
    KEY(VAULT_ADDRESS, "address", KIND_TEXT, BUILT, NOTHING)                                       \
    KEY(VAULT_ADDRESSES, "addresses", KIND_TEXTS, BUILT, NOTHING)                                  \
    KEY(VAULT_NAMESPACE, "namespace", KIND_TEXT, BUILT, NOTHING)                                   \
    KEY(VAULT_AUTH, "auth", KIND_SECTION, BUILT, SECTION(auth))                                    \
    KEY(VAULT_CA_CERT, "ca_cert", KIND_TEXT, BUILT, NOTHING)                                       \
    KEY(VAULT_CA_PATH, "ca_path", KIND_TEXT, BUILT, NOTHING)                                       \
    KEY(VAULT_TLS_SERVER_NAME, "tls_server_name", KIND_TEXT, BUILT, NOTHING)                       \
    KEY(VAULT_REDIRECT_HOSTS, "redirect_hosts", KIND_TEXTS, BUILT, NOTHING)                        \
    KEY(VAULT_ALLOW_HTTP, "allow_http", KIND_BOOL, BUILT, NOTHING)                                 \
    KEY(VAULT_TIMEOUT, "timeout", KIND_DURATION, BUILT,                                            \
        NO_ZERO("One request may take so long: 10s without the key."))                             \
    KEY(VAULT_DEADLINE, "deadline", KIND_DURATION, BUILT,                                          \
        NO_ZERO("A request and its retries may take so long: 60s without the key."))               \
    KEY(VAULT_RETRIES, "retries", KIND_COUNT, BUILT, NOTHING)                                      \
    KEY(VAULT_KV, "kv", KIND_MOUNTS, BUILT, NOTHING)                                               \
    KEY(VAULT_PROFILES, "profiles", KIND_SECTION_MAP, BUILT, SECTION(vault_profile))

#define AUTH_KEYS(KEY)                                                                             \
    KEY(AUTH_METHOD, "method", KIND_WORD, BUILT, WORDS(auth_method))                               \
    KEY(AUTH_MOUNT, "mount", KIND_TEXT, BUILT, NOTHING)                                            \
    KEY(AUTH_ROLE, "role", KIND_TEXT, BUILT, NOTHING)                                              \
    KEY(AUTH_ROLE_ID, "role_id", KIND_TEXT, BUILT, NOTHING)                                        \
    KEY(AUTH_SECRET_ID, "secret_id", KIND_REFERENCE, BUILT, NOTHING)                               \
    KEY(AUTH_SECRET_ID_WRAPPED, "secret_id_wrapped", KIND_BOOL, BUILT, NOTHING)                    \
    KEY(AUTH_USERNAME, "username", KIND_TEXT, BUILT, NOTHING)                                      \
    KEY(AUTH_PASSWORD, "password", KIND_REFERENCE, BUILT, NOTHING)                                 \
    KEY(AUTH_JWT, "jwt", KIND_REFERENCE, BUILT, NOTHING)                                           \
    KEY(AUTH_TOKEN, "token", KIND_REFERENCE, BUILT, NOTHING)                                       \
    KEY(AUTH_CERT, "cert", KIND_TEXT, BUILT, NOTHING)                                              \
    KEY(AUTH_KEY, "key", KIND_TEXT, BUILT, NOTHING)

#define VARIABLE_KEYS(KEY)                                                                         \
    KEY(VARIABLE_TYPE, "type", KIND_TYPE, BUILT, NOTHING)                                          \
    KEY(VARIABLE_VALUES, "values", KIND_SCALARS, BUILT, NOTHING)                                   \
    KEY(VARIABLE_MIN, "min", KIND_BOUND, BUILT, NOTHING)                                           \
    KEY(VARIABLE_MAX, "max", KIND_BOUND, BUILT, NOTHING)                                           \
    KEY(VARIABLE_LENGTH, "length", KIND_LENGTH, BUILT, NOTHING)                                    \
    KEY(VARIABLE_MIN_BYTES, "min_bytes", KIND_COUNT, BUILT, NOTHING)                               \
    KEY(VARIABLE_PATTERN, "pattern", KIND_PATTERN, BUILT, NOTHING)                                 \
    KEY(VARIABLE_PREFIX, "prefix", KIND_TEXT, BUILT, NOTHING)                                      \
    KEY(VARIABLE_ITEM, "item", KIND_ITEM_RULES, BUILT, SECTION(item))                              \
    KEY(VARIABLE_SEPARATOR, "separator", KIND_TEXT, BUILT, NOTHING)                                \
    KEY(VARIABLE_URL, "url", KIND_URL_RULES, BUILT, SECTION(url))                                  \
    KEY(VARIABLE_PATH, "path", KIND_PATH_RULES, BUILT, SECTION(path))                              \
    KEY(VARIABLE_SECRET, "secret", KIND_BOOL, BUILT, NOTHING)                                      \
    KEY(VARIABLE_DISTINCT, "distinct", KIND_BOOL, BUILT, NOTHING)                                  \
    KEY(VARIABLE_PLACEHOLDER_OK, "placeholder_ok", KIND_BOOL, BUILT, NOTHING)                      \
    KEY(VARIABLE_EXPOSE, "expose", KIND_WORD, BUILT, WORDS(expose))                                \
    KEY(VARIABLE_REQUIRED, "required", KIND_CONDITION, BUILT, NOTHING)                             \
    KEY(VARIABLE_FORBIDDEN, "forbidden", KIND_CONDITION, BUILT, NOTHING)                           \
    KEY(VARIABLE_EMPTY, "empty", KIND_WORD, BUILT, WORDS(empty))                                   \
    KEY(VARIABLE_DEFAULT, "default", KIND_SCALAR, BUILT, NOTHING)                                  \
    KEY(VARIABLE_SOURCE, "source", KIND_SOURCE, BUILT, NOTHING)                                    \
    KEY(VARIABLE_COMPOSE, "compose", KIND_TEMPLATE, BUILT, NOTHING)                                \
    KEY(VARIABLE_OVERRIDE, "override", KIND_BOOL, BUILT, NOTHING)                                  \
    KEY(VARIABLE_STALE_OK, "stale_ok", KIND_DURATION, BUILT, NOTHING)                              \
    KEY(VARIABLE_DOC, "doc", KIND_FREE_TEXT, BUILT, NOTHING)                                       \
    KEY(VARIABLE_EXAMPLE, "example", KIND_SCALAR, BUILT, NOTHING)                                  \
    KEY(VARIABLE_OWNER, "owner", KIND_TEXT, BUILT, NOTHING)                                        \
    KEY(VARIABLE_LINK, "link", KIND_TEXT, BUILT, NOTHING)                                          \
    KEY(VARIABLE_EXPIRES, "expires", KIND_DATE, BUILT, NOTHING)                                    \
    KEY(VARIABLE_ALIASES, "aliases", KIND_SECTION_LIST, BUILT, SECTION(alias))                     \
    KEY(VARIABLE_DEPRECATED, "deprecated", KIND_SECTION, BUILT, SECTION(deprecated))               \
    KEY(VARIABLE_PROFILES, "profiles", KIND_SECTION_MAP, BUILT, SECTION(variable_profile))         \
    KEY(VARIABLE_ROTATE, "rotate", KIND_SECTION, BUILT, SECTION(rotate))

#define UNKNOWN_KEYS(KEY)                                                                          \
    KEY(UNKNOWN_PREFIX, "prefix", KIND_ARGV, BUILT, NOTHING)                                       \
    KEY(UNKNOWN_LEVEL, "level", KIND_WORD, BUILT, WORDS(level))                                    \
    KEY(UNKNOWN_IGNORE, "ignore", KIND_TEXTS, BUILT, NOTHING)

#define FENCE_KEYS(KEY)                                                                            \
    KEY(FENCE_HOSTS, "hosts", KIND_TEXTS, BUILT, NOTHING)                                          \
    KEY(FENCE_VALUES, "values", KIND_TEXTS, BUILT, NOTHING)

#define GROUP_KEYS(KEY)                                                                            \
    KEY(GROUP_EXACTLY_ONE, "exactly_one", KIND_ARGV, BUILT, NOTHING)                               \
    KEY(GROUP_AT_LEAST_ONE, "at_least_one", KIND_ARGV, BUILT, NOTHING)                             \
    KEY(GROUP_AT_MOST_ONE, "at_most_one", KIND_ARGV, BUILT, NOTHING)                               \
    KEY(GROUP_ALL_OR_NONE, "all_or_none", KIND_ARGV, BUILT, NOTHING)                               \
    KEY(GROUP_WHEN, "when", KIND_CONDITION, BUILT, NOTHING)                                        \
    KEY(GROUP_DOC, "doc", KIND_FREE_TEXT, BUILT, NOTHING)

#define RULE_KEYS(KEY)                                                                             \
    KEY(RULE_ID, "id", KIND_TEXT, BUILT, NOTHING)                                                  \
    KEY(RULE_WHEN, "when", KIND_CONDITION, BUILT, NOTHING)                                         \
    KEY(RULE_MATCH, "match", KIND_MATCH, BUILT, NOTHING)                                           \
    KEY(RULE_EQUAL, "equal", KIND_ARGV, BUILT, NOTHING)                                            \
    KEY(RULE_DIFFER, "differ", KIND_ARGV, BUILT, NOTHING)                                          \
    KEY(RULE_LEVEL, "level", KIND_WORD, BUILT, WORDS(level))                                       \
    KEY(RULE_SAY, "say", KIND_TEXT, BUILT, NOTHING)

#define ALIAS_KEYS(KEY)                                                                            \
    KEY(ALIAS_NAME, "name", KIND_TEXT, BUILT, NOTHING)                                             \
    KEY(ALIAS_REMOVE, "remove", KIND_DATE, BUILT, NOTHING)

#define DEPRECATED_KEYS(KEY)                                                                       \
    KEY(DEPRECATED_SINCE, "since", KIND_DATE, BUILT, NOTHING)                                      \
    KEY(DEPRECATED_REMOVE, "remove", KIND_DATE, BUILT, NOTHING)                                    \
    KEY(DEPRECATED_USE, "use", KIND_TEXT, BUILT, NOTHING)

#define ITEM_KEYS(KEY)                                                                             \
    KEY(ITEM_TYPE, "type", KIND_ITEM_TYPE, BUILT, NOTHING)                                         \
    KEY(ITEM_VALUES, "values", KIND_SCALARS, BUILT, NOTHING)                                       \
    KEY(ITEM_MIN, "min", KIND_BOUND, BUILT, NOTHING)                                               \
    KEY(ITEM_MAX, "max", KIND_BOUND, BUILT, NOTHING)                                               \
    KEY(ITEM_LENGTH, "length", KIND_LENGTH, BUILT, NOTHING)                                        \
    KEY(ITEM_MIN_BYTES, "min_bytes", KIND_COUNT, BUILT, NOTHING)                                   \
    KEY(ITEM_PATTERN, "pattern", KIND_PATTERN, BUILT, NOTHING)                                     \
    KEY(ITEM_PREFIX, "prefix", KIND_TEXT, BUILT, NOTHING)                                          \
    KEY(ITEM_URL, "url", KIND_URL_RULES, BUILT, SECTION(url))                                      \
    KEY(ITEM_PATH, "path", KIND_PATH_RULES, BUILT, SECTION(path))

#define URL_KEYS(KEY)                                                                              \
    KEY(URL_SCHEME, "scheme", KIND_TEXT_OR_TEXTS, BUILT, NOTHING)                                  \
    KEY(URL_HOST, "host", KIND_TEXT_OR_TEXTS, BUILT, NOTHING)                                      \
    KEY(URL_DENY_HOST, "deny_host", KIND_TEXT_OR_TEXTS, BUILT, NOTHING)                            \
    KEY(URL_PORT, "port", KIND_PORTS, BUILT, NOTHING)                                              \
    KEY(URL_USER, "user", KIND_DEMAND_OR_TEXTS, BUILT, NOTHING)                                    \
    KEY(URL_PASSWORD, "password", KIND_DEMAND, BUILT, NOTHING)                                     \
    KEY(URL_QUERY, "query", KIND_QUERY, BUILT, NOTHING)

#define PATH_KEYS(KEY)                                                                             \
    KEY(PATH_MUST_EXIST, "must_exist", KIND_BOOL, BUILT, NOTHING)                                  \
    KEY(PATH_DIR, "dir", KIND_BOOL, BUILT, NOTHING)                                                \
    KEY(PATH_READABLE, "readable", KIND_BOOL, BUILT, NOTHING)

#define ROTATE_KEYS(KEY)                                                                           \
    KEY(ROTATE_STRATEGY, "strategy", KIND_WORD, BUILT, WORDS(strategy))                            \
    KEY(ROTATE_EVERY, "every", KIND_DURATION, BUILT,                                               \
        NO_ZERO("Without the key nothing is due by its age."))                                     \
    KEY(ROTATE_GRACE, "grace", KIND_DURATION, BUILT, NOTHING)                                      \
    KEY(ROTATE_HOOK, "hook", KIND_ARGV, BUILT, NOTHING)                                            \
    KEY(ROTATE_ENV, "env", KIND_TEXTS, BUILT, NOTHING)                                             \
    KEY(ROTATE_TIMEOUT, "timeout", KIND_DURATION, BUILT,                                           \
        NO_ZERO("One command may take so long: 60s without the key."))                             \
    KEY(ROTATE_CONFIG, "config", KIND_ANY, BUILT, NOTHING)                                         \
    KEY(ROTATE_DEPENDS_ON, "depends_on", KIND_TEXTS, BUILT, NOTHING)                               \
    KEY(ROTATE_AFTER, "after", KIND_SECTION_LIST, BUILT, SECTION(after))                           \
    KEY(ROTATE_MIRRORS, "mirrors", KIND_TEXTS, BUILT, NOTHING)                                     \
    KEY(ROTATE_LOGINS, "logins", KIND_TEXTS, BUILT, NOTHING)                                       \
    KEY(ROTATE_OWNER, "owner", KIND_TEXT, BUILT, NOTHING)                                          \
    KEY(ROTATE_LOGIN, "login", KIND_TEXT, BUILT, NOTHING)                                          \
    KEY(ROTATE_ADMIN, "admin", KIND_TEXT, BUILT, NOTHING)                                          \
    KEY(ROTATE_PASSWORD, "password", KIND_WORD, BUILT, WORDS(password))                            \
    KEY(ROTATE_MOUNT, "mount", KIND_TEXT, BUILT, NOTHING)                                          \
    KEY(ROTATE_ROLE, "role", KIND_TEXT, BUILT, NOTHING)                                            \
    KEY(ROTATE_CONNECTION, "connection", KIND_TEXT, BUILT, NOTHING)                                \
    KEY(ROTATE_BYTES, "bytes", KIND_COUNT, BUILT, NOTHING)                                         \
    KEY(ROTATE_AS, "as", KIND_WORD, BUILT, WORDS(encoding))                                        \
    KEY(ROTATE_LENGTH, "length", KIND_COUNT, BUILT, NOTHING)                                       \
    KEY(ROTATE_ALPHABET, "alphabet", KIND_TEXT, BUILT, NOTHING)                                    \
    KEY(ROTATE_KEEP, "keep", KIND_COUNT, BUILT, NOTHING)                                           \
    KEY(ROTATE_STEPS, "steps", KIND_TEXTS, BUILT, NOTHING)                                         \
    KEY(ROTATE_TEST, "test", KIND_SECTION, BUILT, SECTION(test))                                   \
    KEY(ROTATE_WHY, "why", KIND_TEXT, BUILT, NOTHING)

#define AFTER_KEYS(KEY)                                                                            \
    KEY(AFTER_COMMAND, "command", KIND_ARGV, BUILT, NOTHING)                                       \
    KEY(AFTER_SIGNAL, "signal", KIND_SIGNAL, BUILT, NOTHING)                                       \
    KEY(AFTER_PIDFILE, "pidfile", KIND_TEXT, BUILT, NOTHING)

#define TEST_KEYS(KEY)                                                                             \
    KEY(TEST_COMMAND, "command", KIND_ARGV, BUILT, NOTHING)

#define DATABASE_KEYS(KEY)                                                                         \
    KEY(DATABASE_URL, "url", KIND_TEXT, BUILT, NOTHING)                                            \
    KEY(DATABASE_ADMIN_URL, "admin_url", KIND_TEXT, BUILT, NOTHING)                                \
    KEY(DATABASE_OWNER, "owner", KIND_TEXT, BUILT, NOTHING)                                        \
    KEY(DATABASE_CREATE, "create", KIND_SECTION, BUILT, SECTION(create))                           \
    KEY(DATABASE_ACCEPT, "accept", KIND_WORDS, BUILT, WORDS(state))                                \
    KEY(DATABASE_ENV, "env", KIND_TEXTS, BUILT, NOTHING)                                           \
    KEY(DATABASE_OFFLINE, "offline", KIND_ARGV, BUILT, NOTHING)                                    \
    KEY(DATABASE_CWD, "cwd", KIND_TEXT, BUILT, NOTHING)                                            \
    KEY(DATABASE_STAMP, "stamp", KIND_SECTION, BUILT, SECTION(stamp))                              \
    KEY(DATABASE_MIGRATE, "migrate", KIND_ARGV, BUILT, NOTHING)                                    \
    KEY(DATABASE_AUTHORITY, "authority", KIND_SECTION, BUILT, SECTION(authority))                  \
    KEY(DATABASE_EXPECT, "expect", KIND_TEXTS, BUILT, NOTHING)                                     \
    KEY(DATABASE_SCHEMAS, "schemas", KIND_TEXTS, BUILT, NOTHING)                                   \
    KEY(DATABASE_WAIT, "wait", KIND_DURATION, BUILT, NOTHING)                                      \
    KEY(DATABASE_LOCK_TIMEOUT, "lock_timeout", KIND_DURATION, BUILT, NOTHING)                      \
    KEY(DATABASE_LOCK_WAIT, "lock_wait", KIND_DURATION, BUILT, NOTHING)                            \
    KEY(DATABASE_STATEMENT_TIMEOUT, "statement_timeout", KIND_DURATION, BUILT, NOTHING)            \
    KEY(DATABASE_CONNECT_TIMEOUT, "connect_timeout", KIND_DURATION, BUILT,                         \
        NO_ZERO("One connection may take so long: 5s without the key."))

#define AUTHORITY_KEYS(KEY)                                                                        \
    KEY(AUTHORITY_VAR, "var", KIND_TEXT, BUILT, NOTHING)                                           \
    KEY(AUTHORITY_HOSTS, "hosts", KIND_TEXTS_MAP, BUILT, NOTHING)

#define CREATE_KEYS(KEY)                                                                           \
    KEY(CREATE_SQL, "sql", KIND_ARGV, BUILT, NOTHING)                                              \
    KEY(CREATE_EMIT, "emit", KIND_ARGV, BUILT, NOTHING)                                            \
    KEY(CREATE_COMMAND, "command", KIND_ARGV, BUILT, NOTHING)

#define STAMP_KEYS(KEY)                                                                            \
    KEY(STAMP_ALEMBIC, "alembic", KIND_TEXT, BUILT, NOTHING)                                       \
    KEY(STAMP_STYLE, "style", KIND_WORD, BUILT, WORDS(stamp_style))                                \
    KEY(STAMP_DIR, "dir", KIND_TEXT, BUILT, NOTHING)                                               \
    KEY(STAMP_TABLE, "table", KIND_TEXT, BUILT, NOTHING)                                           \
    KEY(STAMP_SCHEMA, "schema", KIND_TEXT, BUILT, NOTHING)                                         \
    KEY(STAMP_REVISION, "revision", KIND_TEXT, BUILT, NOTHING)                                     \
    KEY(STAMP_HEADS, "heads", KIND_ARGV, BUILT, NOTHING)

#define GUARD_KEYS(KEY)                                                                            \
    KEY(GUARD_SERVER, "server", KIND_TEXT, BUILT, NOTHING)                                         \
    KEY(GUARD_STAMP, "stamp", KIND_ARGV, BUILT, NOTHING)                                           \
    KEY(GUARD_ENV, "env", KIND_TEXTS, BUILT, NOTHING)                                              \
    KEY(GUARD_EPHEMERAL, "ephemeral", KIND_BOOL, BUILT, NOTHING)                                   \
    KEY(GUARD_REFUSE_PROFILES, "refuse_profiles", KIND_TEXTS, BUILT, NOTHING)                      \
    KEY(GUARD_IGNORE, "ignore", KIND_SECTION_LIST, BUILT, SECTION(guard_ignore))                   \
    KEY(GUARD_STRICT, "strict", KIND_BOOL, BUILT, NOTHING)                                         \
    KEY(GUARD_STRICT_ORDER, "strict_order", KIND_BOOL, BUILT, NOTHING)                             \
    KEY(GUARD_JOBS, "jobs", KIND_COUNT, BUILT, NOTHING)                                            \
    KEY(GUARD_TIMEOUT, "timeout", KIND_DURATION, BUILT,                                            \
        NO_ZERO("All of it may take so long: 30m without the key."))

#define GUARD_IGNORE_KEYS(KEY)                                                                     \
    KEY(GUARD_IGNORE_KIND, "kind", KIND_TEXT, BUILT, NOTHING)                                      \
    KEY(GUARD_IGNORE_OBJECT, "object", KIND_TEXT, BUILT, NOTHING)                                  \
    KEY(GUARD_IGNORE_UNTIL, "until", KIND_DATE, BUILT, NOTHING)                                    \
    KEY(GUARD_IGNORE_WHY, "why", KIND_TEXT, BUILT, NOTHING)

#define RUN_KEYS(KEY)                                                                              \
    KEY(RUN_ON_CHANGE, "on_change", KIND_ON_CHANGE, BUILT, NOTHING)                                \
    KEY(RUN_STOP_SIGNAL, "stop_signal", KIND_SIGNAL, BUILT, NOTHING)                               \
    KEY(RUN_STOP_TIMEOUT, "stop_timeout", KIND_DURATION, BUILT, NOTHING)                           \
    KEY(RUN_REFRESH, "refresh", KIND_PERIOD, BUILT,                                                \
        NO_ZERO("Where nothing is to be read again it is \"off\"."))                               \
    KEY(RUN_SPLAY, "splay", KIND_DURATION, BUILT, NOTHING)                                         \
    KEY(RUN_STALE, "stale", KIND_SECTION, BUILT, SECTION(stale))                                   \
    KEY(RUN_REWRITE, "rewrite", KIND_SIGNALS, BUILT, NOTHING)                                      \
    KEY(RUN_EXIT_CODES, "exit_codes", KIND_EXIT_CODES, BUILT, NOTHING)                             \
    KEY(RUN_UNSET, "unset", KIND_TEXTS, BUILT, NOTHING)                                            \
    KEY(RUN_ONLY_CONTRACT, "only_contract", KIND_BOOL, BUILT, NOTHING)                             \
    KEY(RUN_KEEP_LEASES, "keep_leases", KIND_BOOL, BUILT, NOTHING)                                 \
    KEY(RUN_STATUS, "status", KIND_LISTEN, BUILT, NOTHING)

#define STALE_KEYS(KEY)                                                                            \
    KEY(STALE_DIR, "dir", KIND_TEXT, BUILT, NOTHING)                                               \
    KEY(STALE_KEY_FILE, "key_file", KIND_TEXT, BUILT, NOTHING)

#define FILE_KEYS(KEY)                                                                             \
    KEY(FILE_PATH, "path", KIND_TEXT, BUILT, NOTHING)                                              \
    KEY(FILE_TEMPLATE, "template", KIND_TEMPLATE, BUILT, NOTHING)                                  \
    KEY(FILE_VAR, "var", KIND_TEXT, BUILT, NOTHING)                                                \
    KEY(FILE_MODE, "mode", KIND_MODE, BUILT, NOTHING)                                              \
    KEY(FILE_OWNER, "owner", KIND_TEXT, BUILT, NOTHING)                                            \
    KEY(FILE_GROUP, "group", KIND_TEXT, BUILT, NOTHING)

#define DOC_KEYS(KEY)                                                                              \
    KEY(DOC_PROFILE, "profile", KIND_TEXT, BUILT, NOTHING)                                         \
    KEY(DOC_SECTIONS, "sections", KIND_TEXTS, BUILT, NOTHING)                                      \
    KEY(DOC_KIND, "kind", KIND_WORD, BUILT, WORDS(docs_kind))
/* clang-format on */

#define KEY_ENUMERATOR(id, name, kind, status, detail) id,
enum top_key { TOP_KEYS(KEY_ENUMERATOR) TOP_KEY_COUNT };
enum included_key { INCLUDED_KEYS(KEY_ENUMERATOR) INCLUDED_KEY_COUNT };
enum profile_key { PROFILE_KEYS(KEY_ENUMERATOR) PROFILE_KEY_COUNT };
enum vault_key { VAULT_KEYS(KEY_ENUMERATOR) VAULT_KEY_COUNT };
enum auth_key { AUTH_KEYS(KEY_ENUMERATOR) AUTH_KEY_COUNT };
enum unknown_key { UNKNOWN_KEYS(KEY_ENUMERATOR) UNKNOWN_KEY_COUNT };
enum fence_key { FENCE_KEYS(KEY_ENUMERATOR) FENCE_KEY_COUNT };
enum group_key { GROUP_KEYS(KEY_ENUMERATOR) GROUP_KEY_COUNT };
enum rule_key { RULE_KEYS(KEY_ENUMERATOR) RULE_KEY_COUNT };
enum alias_key { ALIAS_KEYS(KEY_ENUMERATOR) ALIAS_KEY_COUNT };
enum deprecated_key { DEPRECATED_KEYS(KEY_ENUMERATOR) DEPRECATED_KEY_COUNT };
enum variable_key { VARIABLE_KEYS(KEY_ENUMERATOR) VARIABLE_KEY_COUNT };
enum url_key { URL_KEYS(KEY_ENUMERATOR) URL_KEY_COUNT };
enum path_key { PATH_KEYS(KEY_ENUMERATOR) PATH_KEY_COUNT };
enum item_key { ITEM_KEYS(KEY_ENUMERATOR) ITEM_KEY_COUNT };
enum rotate_key { ROTATE_KEYS(KEY_ENUMERATOR) ROTATE_KEY_COUNT };
enum database_key { DATABASE_KEYS(KEY_ENUMERATOR) DATABASE_KEY_COUNT };
enum authority_key { AUTHORITY_KEYS(KEY_ENUMERATOR) AUTHORITY_KEY_COUNT };
enum create_key { CREATE_KEYS(KEY_ENUMERATOR) CREATE_KEY_COUNT };
enum stamp_key { STAMP_KEYS(KEY_ENUMERATOR) STAMP_KEY_COUNT };
enum guard_key { GUARD_KEYS(KEY_ENUMERATOR) GUARD_KEY_COUNT };
enum guard_ignore_key { GUARD_IGNORE_KEYS(KEY_ENUMERATOR) GUARD_IGNORE_KEY_COUNT };
enum run_key { RUN_KEYS(KEY_ENUMERATOR) RUN_KEY_COUNT };
enum stale_key { STALE_KEYS(KEY_ENUMERATOR) STALE_KEY_COUNT };
enum file_key { FILE_KEYS(KEY_ENUMERATOR) FILE_KEY_COUNT };
#undef KEY_ENUMERATOR

extern const struct section section_top, section_included;

/* Hold OBJECT against the section's table, and what lies in it against theirs: every problem is a
 * finding. Gives each member its key_id, and builds what is worth keeping (lists, conditions). */
void keys_check(struct contract_document *d, const struct section *section, struct node *object);

/* Put OBJECT's members over what MERGED (one entry for each key of its section) has: null takes a
 * key away. OBJECT may be NULL, or no object. keys_check has been there. */
void keys_merge(const struct node *object, const struct node **merged, size_t count);

/* ---- kinds that have a grammar (kinds.c) ---------------------------------------------------- */

/* Check one value, which is not null; findings. What is made of it is put into value->built: lists
 * (const char *const *), conditions, templates, the rules of `url`, `path`. */
void kind_check(struct contract_document *d, const struct key *key, struct node *value);

/* Each item of VALUE, a list, as text into value->built; findings for items that are none. SCALARS:
 * numbers and bools count as text too. */
void kind_build_list(struct contract_document *d, const struct key *key, struct node *value,
                     bool scalars);

/* ---- sources (source.c) --------------------------------------------------------------------- */

void source_check(struct contract_document *d, struct node *value);
/* Where a rotation writes to: RECORD, a path in Vault without a field (`records`); else what a mirror
 * is, a field in Vault or a name of the sealed store. */
void source_check_written(struct contract_document *d, const struct node *value, bool record);
/* A reference in vault's auth: a secret itself must not stand in the contract. */
void source_check_reference(struct contract_document *d, const struct key *key, struct node *value);

/* TEXT with {profile}, {name} and {lower_name} put in. PROFILE may be NULL (then it has none).
 * NULL: no memory (d->no_memory). */
const char *source_substitute(struct contract_document *d, struct arena *a, const char *text,
                              const char *variable, const char *profile);

/* The parts of VARIABLE's SOURCE (NULL: env). What is wrong in it was said by source_check. */
void source_build(struct contract_document *d, struct arena *a, const struct node *source,
                  const char *profile, struct contract_variable *variable);

/* ---- the section `run` (run.c) --------------------------------------------------------------- */

void signal_check(struct contract_document *d, const struct key *key, struct node *value);
void signals_check(struct contract_document *d, const struct key *key, struct node *value);
void codes_check(struct contract_document *d, const struct key *key, struct node *value);
void change_check(struct contract_document *d, const struct key *key, struct node *value);
/* What SECTION says (NULL: nothing), in the contract's arena. */
void run_read(struct contract_document *d, const struct node *section, struct contract_run *out);

/* ---- files (files.c) -------------------------------------------------------------------------- */

void mode_check(struct contract_document *d, const struct key *key, struct node *value);
void listen_check(struct contract_document *d, const struct key *key, struct node *value);
void period_check(struct contract_document *d, const struct key *key, struct node *value);
/* What LIST (NULL: nothing) says, in the contract's arena; and what is wrong beyond its keys. */
void files_read(struct contract *contract, const struct node *list);

/* ---- conditions (cond.c) -------------------------------------------------------------------- */

/* Build the condition in value->built; findings. */
void condition_build(struct contract_document *d, struct node *value);

/* Say which of its names are no variables and no profiles. */
void condition_check_names(struct contract_document *d, const struct contract_condition *condition);

/* ---- one variable (rules.c) ----------------------------------------------------------------- */

void rules_build_url(struct contract_document *d, struct node *value);
void rules_build_path(struct contract_document *d, struct node *value);

/* The type and its constraints from a variable's keys; the rest of RULES is left as it is. */
void rules_build_constraints(const struct node *const at[static VARIABLE_KEY_COUNT],
                             struct contract_rules *rules);

/* The rules of a list's item, where they stand (types_item.c); findings for what a schema cannot
 * say of them. */
void item_build(struct contract_document *d, struct node *value);

/* The type that NODE names; string where it is NULL or names none. */
enum contract_type rules_type(const struct node *node);

/* What LAYERS say of the variable's life (life.c), in arena A: NULL when nothing. */
const struct contract_life *life_build(struct contract_document *d, struct arena *a,
                                       const struct node *const at[static VARIABLE_KEY_COUNT]);
/* Its aliases' names, NULL-terminated; NULL where it has none. */
const char *const *life_alias_names(struct contract_document *d, struct arena *a,
                                    const struct contract_life *life);

/* A variable's keys as they are in one profile. */
struct layers {
    const struct node *at[VARIABLE_KEY_COUNT];    /* NULL: not said, or taken away by null */
    const struct node *under[VARIABLE_KEY_COUNT]; /* what `base` says */
};

/* Lay base, base's profile, the variable INDEX and its profile over one another; key by key: what
 * lies on top replaces a key's value whole. PROFILE may be NULL. */
void layers_merge(const struct contract_document *d, size_t index, const char *profile,
                  struct layers *out);

/* The variable INDEX from its LAYERS, in arena A. What is wrong in them is left out. */
void rules_build(struct contract_document *d, struct arena *a, size_t index,
                 const struct layers *layers, const char *profile, struct contract_variable *out);

/* ---- the other sections (sections.c) -------------------------------------------------------- */

/* Profile, strict profiles and run; what is checked once about them and the database. */
void sections_read(struct contract *contract);
void sections_check(struct contract *contract);

/* The keys of a `profiles` object (NULL: none) are profiles of the contract. */
void sections_check_profiles(struct contract_document *d, const struct node *map);

/* What `vault` or a profile of it says of where and how Vault is reached: what cannot be used there. */
void reach_check(struct contract_document *d, const struct node *const at[VAULT_KEY_COUNT]);

/* Vault with the keys of its PROFILE (may be NULL), and the database, in the arena `selected`. */
void sections_select(struct contract *contract, const char *profile);

/* Whether NODE (NULL: fine) names a variable that is a postgres-url; findings. */
void sections_check_url_variable(struct contract_document *d, const struct node *node);

/* ---- several variables together (relations.c) ------------------------------------------------- */

/* contract->relations, and what is wrong in their sections. */
void relations_read(struct contract *contract);
/* Its fences, unknown names and authority (boundaries.c). */
void boundaries_read(struct contract_document *d, struct contract_relations *out);

/* Call VISIT for the members of SECTION, a list or an object, in each file one after another. */
typedef void (*relation_visit)(struct contract_document *d, const struct node *entry,
                               void *context);
void relation_each(struct contract_document *d, const char *section, enum node_kind kind,
                   relation_visit visit, void *context);
size_t relation_count(const struct contract_document *d, const char *section);

/* COUNT of them in the contract's arena; NULL also when COUNT is 0. */
void *relation_list(struct contract_document *d, size_t count, size_t size);

/* NODE names NAME, which is to be a variable: its index, or -1 (said). */
long relation_variable(struct contract_document *d, const struct node *node, enum problem_at at,
                       const char *name);
enum finding_severity relation_severity(const struct node *level);

/* ---- the guard's section (guard.c) ------------------------------------------------------------ */

void guard_check(struct contract_document *d, const struct node *section);
/* In the arena `selected`. */
void guard_select(struct contract_document *d, const struct node *section,
                  struct contract_guard *out);

/* ---- derived documents (docs.c) --------------------------------------------------------------- */

/* `docs` of the contract: paths, kinds, profiles, sections; findings. */
void docs_check(struct contract_document *d, const struct node *section);

/* Whether a rotation by STRATEGY has that key (lint_rotate.c). */
bool rotation_has_key(const char *strategy, enum rotate_key key);
/* Whether it can't do without. */
bool rotation_needs_key(const char *strategy, enum rotate_key key);
enum { ROTATION_LOGINS = 2 }; /* that take turns */

/* ---- checks beyond keys (lint.c) ------------------------------------------------------------ */

/* Every variable in every profile in which it differs, and the names that others use. */
void lint_variables(struct contract_document *d);

enum { LINT_SCRATCH_VARIABLES = 256 }; /* looked at between two emptyings of the scratch arena */

#endif
