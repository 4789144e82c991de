/* envcontract/contract.h: the contract file as a model, and an environment held against it.
 *
 *   contract_load     file(s) → model of every profile, each problem with line, column, pointer
 *   contract_select   model × profile → the variables as they are in that profile
 *   contract_assemble what the sources gave → values (compose, filters, defaults, overrides)
 *   contract_check    values × model → findings
 *   findings_write_*  findings → text, JSON, SARIF, annotations
 *
 * The model is immutable once selected; strings live as long as the contract. No function here
 * contacts anything: agent/ hands in what the sources said. Messages are value-free. */
#ifndef ENVCONTRACT_CONTRACT_H
#define ENVCONTRACT_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/secret.h"

struct json; /* base/json.h */

enum {
    CONTRACT_MAX_BYTES = 4 * 1024 * 1024,
    CONTRACT_MAX_DEPTH = 64,
    CONTRACT_ENV_FILE_MAX_BYTES = 4 * 1024 * 1024,
};

/* ---- findings ---------------------------------------------------------------------------- */

enum finding_severity { FINDING_ERROR, FINDING_WARNING };

struct finding {
    enum finding_severity severity;
    const char *variable;       /* NULL: of no variable */
    const char *rule;           /* the specification's rule name; "contract" for the file itself */
    const char *message, *hint; /* hint may be NULL */
    const char *file;           /* the contract or env file, or NULL */
    const char *pointer;        /* JSON pointer into the contract, or NULL */
    unsigned line, column;      /* from 1; 0: not known */
};

struct findings {
    struct arena arena;
    struct finding *list;
    size_t count, capacity;
    size_t errors, warnings; /* added, those beyond FINDINGS_SHOWN too, which are not in the list */
    size_t text_bytes;
    bool errors_ended, warnings_ended; /* said */
    bool no_memory;
};

/* Of a severity, and bytes of all texts: a contract may have a hundred thousand, and nobody reads
 * those. One more says that there are more. */
enum { FINDINGS_SHOWN = 5 * 1000, FINDINGS_TEXT_BYTES = 4 * 1024 * 1024 };

#define FINDINGS_INIT ((struct findings){0})
#define AUTO_FINDINGS CLEANUP(findings_release) struct findings
void findings_release(struct findings *f);

/* ---- the model ----------------------------------------------------------------------------- */

struct contract_position {
    const char *file, *pointer;
    unsigned line, column;
};

/* One reference that a variable's value is made of. */
struct contract_part {
    const char *name; /* the key in an object of sources; NULL for a plain source */
    struct ref ref;   /* {profile}, {name}, {lower_name} are substituted */
};

struct contract_variable {
    const char *name;
    struct contract_position position;
    bool secret;
    bool for_agent_only; /* "expose": "agent" */
    bool overridable;    /* "override": true, and the profile is not strict */
    struct contract_part *parts;
    size_t part_count;
    const char *doc;                  /* or NULL */
    int64_t stale_ok_ms;              /* how old a last known value may be; 0: none is used */
    const char *const *aliases;       /* other names in the environment, NULL-terminated; or NULL */
    struct contract_rules *rules;     /* opaque: envcontract/internal.h */
    const struct contract_life *life; /* opaque: aliases, deprecation, expiry; NULL: none is said */
};

struct contract_vault {
    bool present;
    const char *address, *name_space, *auth_method, *auth_mount, *role, *role_id, *secret_id,
        *username, *password, *jwt, *token, *cert, *key, *ca_cert, *ca_path, *tls_server_name;
    bool secret_id_wrapped;
    const char *const *addresses;      /* NULL-terminated, or NULL */
    const char *const *redirect_hosts; /* NULL-terminated, or NULL */
    const char *const *kv_mounts;      /* names, parallel to kv_versions */
    const unsigned *kv_versions;
    size_t kv_mount_count;
    bool allow_http;
    int64_t timeout_ms, deadline_ms; /* 0: unsaid */
    int retries;                     /* 0: unsaid, as many as the deadline allows */
    bool no_retries;                 /* it says 0 */
};

enum contract_create {
    CONTRACT_CREATE_NONE,
    CONTRACT_CREATE_SQL,
    CONTRACT_CREATE_EMIT,
    CONTRACT_CREATE_COMMAND
};

struct contract_database {
    bool present;
    struct contract_position position;
    const char *url, *admin_url; /* names of variables */
    const char *owner;           /* role, or NULL */
    enum contract_create create;
    const char *const *create_list; /* files or argv, NULL-terminated */
    const char *const *accept;      /* states; default {"current"} */
    const char *const *env;         /* names handed to commands; may be empty */
    const char *const *offline;     /* argv that prints the migrations as SQL, or NULL */
    const char *cwd;                /* from the contract's folder, or NULL: that folder */
    const char *alembic;        /* path of alembic.ini, pyproject.toml or script folder; or NULL */
    const char *plain_revision; /* stamp.style plain: its revision; NULL: Alembic's style */
    const char *alembic_dir;    /* stamp.dir, or NULL */
    const char *table, *schema; /* alembic_version, public */
    const char *const *heads;   /* argv that asks Alembic, or NULL */
    const char *const *migrate; /* argv, or NULL */
    const char *const *expect;  /* tables, as written */
    const char *const *schemas; /* managed; NULL: all of the user's */
    const char *authority_variable; /* or NULL */
    int64_t wait_ms, lock_timeout_ms, lock_wait_ms, statement_timeout_ms, connect_timeout_ms;
};

/* A known difference between the two paths, until that day. */
struct contract_ignore {
    const char *kind, *object; /* globs */
    const char *until, *why;   /* "2027-01-31" */
};

struct contract_guard {
    const char *server;                 /* name of a variable, or NULL */
    const char *const *stamp;           /* argv, or NULL: Alembic's stamp */
    const char *const *env;             /* names handed to commands; may be empty */
    const char *const *refuse_profiles; /* default {"prod", "production"} */
    const struct contract_ignore *ignore;
    size_t ignore_count;
    bool ephemeral, strict, strict_order;
    int jobs; /* 1 or 2 */
    int64_t timeout_ms;
};

/* What happens when a value has changed while the application runs. */
enum contract_on_change {
    CONTRACT_CHANGE_RESTART,
    CONTRACT_CHANGE_SIGNAL, /* change_signal */
    CONTRACT_CHANGE_NONE,
    CONTRACT_CHANGE_HOOK, /* change_hook */
};

struct contract_pair {
    int from, to;
};

/* How `agent run` treats the application. */
struct contract_run {
    enum contract_on_change on_change;
    int change_signal;
    const char *const *change_hook; /* argv */
    int stop_signal;
    int64_t stop_timeout_ms;
    const struct contract_pair *rewrite; /* signals; each `from` is there once */
    size_t rewrite_count;
    const struct contract_pair *exit_codes; /* 0 to 255 */
    size_t exit_code_count;
    int64_t refresh_ms; /* how often sources are asked again; 0: never */
    int64_t splay_ms;   /* by how much replicas spread what they do on a change */
    bool keep_leases;   /* nothing is revoked at the end */
    const char *status; /* unix:PATH (from the folder) or ADDR:PORT; NULL: nowhere */
};
extern const struct contract_run contract_run_default; /* without a word of the contract */

/* A file that is written before the application starts, and again when a value has changed. */
struct contract_file {
    struct contract_position position;
    const char *path;                /* from the contract's folder */
    const char *variable;            /* whose value it is; NULL: template */
    const struct template *template; /* opaque */
    unsigned mode;                   /* 0400 */
    const char *owner, *group;       /* a name or a number; NULL: ours */
    const char *const *names;        /* of the variables that it is made of, NULL-terminated */
};
enum { CONTRACT_FILE_MAX_BYTES = 4 * 1024 * 1024 }; /* of one, rendered */

struct contract {
    const char *path, *folder;         /* folder is what relative paths start from */
    const char *project;               /* or NULL */
    const char *profile_variable;      /* or NULL: no profiles */
    const char *const *profile_values; /* NULL-terminated */
    const char *profile_default;       /* or NULL */
    const char *profile;               /* what contract_select chose, or NULL */
    bool profile_is_strict;
    struct contract_variable *variables; /* in the order of the file; after contract_select */
    size_t variable_count;
    struct contract_vault vault;
    struct contract_database database;
    struct contract_guard guard;
    struct contract_run run;
    const struct contract_file *files;
    size_t file_count;
    const char *const *run_unset; /* run.unset, or NULL */
    bool run_only_contract;
    const char *stale_dir, *stale_key_file;     /* run.stale, from the folder; NULL: nowhere */
    const struct contract_relations *relations; /* opaque; NULL: a model made by hand */
    struct contract_document *document;         /* opaque */
};

/* Read the file (or a pipe, until DEADLINE: file_read_input) and what it includes, and check both in
 * every profile. 0 with *out set, also when
 * there are problems: they are findings (errors among them mean that the contract must not be used;
 * what is not JSON gives an empty model). -1 only when the file could not be read at all (ERR_FILE)
 * or memory is gone. Costs at most about a second and 64 MB, whatever the file has. */
MUST_USE int contract_load(const char *path, int64_t deadline_ms, struct contract **out,
                           struct findings *findings, struct err *err);

/* The profile: WANTED (--profile) or NULL; FROM_ENVIRONMENT is the value of the profile's variable
 * in the process's environment, or NULL. They differ: ERR_USAGE. Unknown or missing: ERR_USAGE with
 * the nearest. Fills variables, vault (with its profile's keys), database. */
MUST_USE int contract_select(struct contract *contract, const char *wanted,
                             const char *from_environment, struct findings *findings,
                             struct err *err);

/* What --lint says beyond contract_load: warnings of what stays unsaid at every start (a secret
 * without `rotate`). Findings only. */
MUST_USE int contract_lint(struct contract *contract, struct findings *findings, struct err *err);

/* What is run, or signalled, when a rotated value is current. */
struct contract_after {
    const char *const *command; /* argv, NULL-terminated; or NULL */
    const char *signal;         /* "HUP", or NULL */
    const char *pidfile;
};

/* A variable's `rotate`. NULL and 0: unsaid. Lists are NULL-terminated. */
struct contract_rotation {
    const char *strategy; /* "none" is none */
    int64_t every_ms, grace_ms, timeout_ms;
    const char *const *hook, *const *env, *const *depends_on,
                                              *const *logins, *const *steps, *const *test_command;
    const char *const *mirrors; /* references, substituted */
    const struct contract_after *after;
    size_t after_count;
    const char *owner, *login, *admin;
    bool plain_password;
    const char *mount, *role, *connection;
    size_t bytes, length, keep;
    const char *as, *alphabet;
    const char *config;    /* JSON text, or NULL */
    const char *records;   /* the contract's, as a path: "secret/acme/.agent/NAME"; or NULL */
    const char *separator; /* the variable's own, of a list; or NULL */
    bool value_is_url;     /* the variable's type is one of URLs */
};

/* How VARIABLE is rotated in the selected profile; NULL: the contract says nothing. Built when it is
 * asked for, so that a start does not pay for it; it lives until the next contract_select. Errors:
 * ERR_RESOURCE, ERR_CONTRACT (a config that is too long). */
MUST_USE int contract_rotation_of(struct contract *contract,
                                  const struct contract_variable *variable,
                                  const struct contract_rotation **out, struct err *err);

/* How a URL of VARIABLE begins ("postgresql+psycopg"): its compose says it, or url.scheme where that
 * allows one only. NULL: neither does. */
const char *contract_url_scheme(struct contract *contract,
                                const struct contract_variable *variable);

struct contract_variable *contract_find(const struct contract *contract, const char *name);
const char *contract_nearest_name(const struct contract *contract, const char *name);
void contract_free(struct contract *contract);

/* ---- values -------------------------------------------------------------------------------- */

enum value_origin { VALUE_NONE, VALUE_SOURCE, VALUE_ENVIRONMENT, VALUE_DEFAULT };

struct contract_value {
    struct secret bytes; /* not set: the variable has no value */
    enum value_origin origin;
    bool resolved; /* false: nobody asked (agent variables, names not wanted): not checked */
    bool stale;    /* the last known value, its source could not be reached: fetched before */
    int64_t stale_age_s;
    const char *absent_because;  /* for `required`: what the source said, or NULL; borrowed */
    const char *absent_hint;     /* and what to do about it, or NULL; borrowed */
    const char *unresolved_part; /* of compose: its value is still a reference or ciphertext, which
                              the whole may not show any more; or NULL; the contract's */
    const char *looked_in;       /* the one place that was looked into instead of the sources ("the
                              environment"), or NULL; borrowed */
};

/* What the sources gave for one variable, parallel to its parts. */
struct contract_input {
    const struct secret *const *parts; /* an entry is NULL: absent; NULL: none was asked */
    const char *environment;           /* the process's own value of that name, or NULL */
    const char *absent_because;        /* or NULL */
    const char *absent_hint;           /* or NULL */
};

/* One variable's value: the source's, composed and filtered, else the default; the environment
 * where its source is env or overriding is allowed. A differing environment value is a finding
 * (shadowed). *out's bytes are the caller's (secret_release). */
MUST_USE int contract_assemble(const struct contract *contract,
                               const struct contract_variable *variable,
                               const struct contract_input *input, struct contract_value *out,
                               struct findings *findings, struct err *err);

/* Hold VALUES (parallel to contract->variables) against the model; every problem is a finding, in
 * the order of the file. */
MUST_USE int contract_check(const struct contract *contract, const struct contract_value *values,
                            struct findings *findings, struct err *err);

/* Hold the process's environment itself against the model, where ENTRIES (NAME=value, COUNT of them,
 * each name once; NULL ones are passed over) are all of it: names that nobody declared (`unknown`),
 * and aliases in place of their variables. A few steps for each entry. */
MUST_USE int contract_check_environment(const struct contract *contract,
                                        const struct contract_value *values,
                                        const char *const *entries, size_t count,
                                        struct findings *findings, struct err *err);

/* Whether TEXT counts as a value of VARIABLE: an empty one does where `empty` is `ok`. TEXT may be
 * NULL: none. */
bool contract_is_value(const struct contract_variable *variable, const char *text);

/* An env file (--env-file): NAME=value lines as docker, systemd and dotenv share them: comments,
 * blank lines, `export `, single and double quotes. Problems are findings with the file's line (rule
 * `env-file`); of a name that is set twice the last counts.
 * Names and values live in the arena: *out is a NULL-terminated list of NAME=value. */
MUST_USE int envfile_read(const char *path, struct arena *arena, const char *const **out,
                          struct findings *findings, struct err *err);

/* The same, or of a pipe until DEADLINE (file_read_input), and *LINES says which line sets which name;
 * in the arena too, but its path. */
struct envfile_lines {
    const char *path;
    const char *const *entries; /* NAME=value, COUNT of them */
    const unsigned *lines;      /* parallel to them, from 1 */
    size_t count;
};
MUST_USE int envfile_read_lines(const char *path, int64_t deadline_ms, struct arena *arena,
                                const char *const **out, struct envfile_lines *lines,
                                struct findings *findings, struct err *err);

/* Have the findings about variables that the file sets point to its lines, and sort them again. */
MUST_USE int envfile_place(const struct envfile_lines *lines, struct findings *findings,
                           struct err *err);

/* What FILE is to have, with VALUES (parallel to contract->variables), put in place of what OUT has: a
 * secret. Errors: ERR_VIOLATION, a value is missing or it is too long for OUT; ERR_SOURCE_DATA, a filter
 * can't carry a value; ERR_RESOURCE. */
MUST_USE int contract_render_file(const struct contract *contract, const struct contract_file *file,
                                  const struct contract_value *values, struct buf *out,
                                  struct err *err);

/* ---- the JSON Schema ------------------------------------------------------------------------- */

/* Append the contract's JSON Schema (draft 2020-12), derived from the tables that a contract is
 * checked against; the same bytes each time. Of a key that is not built it has nothing. Errors:
 * ERR_RESOURCE, ERR_DEFECT. */
MUST_USE int contract_schema_write(struct buf *out, struct err *err);

/* ---- the report ------------------------------------------------------------------------------ */

/* Aligned, a line each and its hint beneath; errors first, then warnings, each in the findings' order;
 * and a line with their count. */
void findings_write_text(const struct findings *f, bool color, struct buf *out);
/* "profile", "checked", "problems": members of the document that agent/ has begun. */
void findings_write_json(const struct findings *f, const char *profile, size_t checked,
                         struct json *json);

/* As a SARIF 2.1.0 log. SUCCEEDED: what was to be looked at could be, whatever was found. */
void findings_write_sarif(const struct findings *f, bool succeeded, struct buf *out);
/* As GitHub's annotations, a line each. Files are named from the working directory in both. */
void findings_write_github(const struct findings *f, struct buf *out);

/* Add one (agent/ has findings of its own: a source that failed). Strings are copied. */
void findings_add(struct findings *f, const struct finding *finding);

/* ---- writing values out (fetch, seal export) ------------------------------------------------- */

/* What each is for, and what its reader would change, is in envcontract/output.c. */
enum value_format {
    FORMAT_ENV,
    FORMAT_DOTENV,
    FORMAT_JSON,
    FORMAT_SHELL,
    FORMAT_GITHUB,
    FORMAT_KUBERNETES,
    FORMAT_SYSTEMD
};
#define VALUE_FORMATS "env|dotenv|json|shell|github|kubernetes|systemd" /* in the enum's order */

/* The format of that word of VALUE_FORMATS; NULL: env. */
enum value_format value_format_of(const char *word);

/* One document of many values: values_begin, values_add for each, values_end. Set format and out,
 * and what the format needs besides; leave the rest zero. What fails leaves the buffers unusable:
 * write nothing of them. OUT and MASKS hold secrets. */
struct value_writer {
    enum value_format format;
    struct buf *out;
    struct buf *masks;      /* github: what goes to stdout, before anything else */
    const char *object;     /* kubernetes: the name of the Secret */
    const char *name_space; /* kubernetes: its namespace, or NULL */
    size_t count, data_bytes;
};

/* Errors: ERR_USAGE, what the format needs besides is missing or wrong. */
MUST_USE int values_begin(struct value_writer *w, struct err *err);

/* Errors: ERR_VIOLATION, with the variable and the format, where it can't carry the value;
 * ERR_RESOURCE. SECRET: github masks it. */
MUST_USE int values_add(struct value_writer *w, const char *name, const struct secret *bytes,
                        bool secret, struct err *err);
MUST_USE int values_end(struct value_writer *w, struct err *err);

/* ---- derived documents (docs) ---------------------------------------------------------------- */

/* kind, its word in the contract, the name of a file that is one by its name alone */
#define DOCS_KINDS(X)                                             \
    X(DOCS_ENVIRONMENT, "environment", "ENVIRONMENT_CONTRACT.md") \
    X(DOCS_DATABASE, "database", "DB_AUTHORITY.md")               \
    X(DOCS_ROTATION, "rotation", "SECRETS_ROTATION.md")           \
    X(DOCS_ENV_EXAMPLE, "env-example", ".env*.example")           \
    X(DOCS_SCHEMA, "schema", "*.schema.json")

enum docs_kind {
#define X(kind, word, name) kind,
    DOCS_KINDS(X)
#undef X
        DOCS_KIND_COUNT
};

enum { DOCS_FILE_MAX_BYTES = 64 * 1024 * 1024 }; /* one of them, as it is and as it is to be */

/* One file of `docs`. */
struct docs_file {
    const char *path; /* as the contract has it: from its folder */
    enum docs_kind kind;
    const char *profile;         /* of an example; NULL: the contract has none */
    const char *const *sections; /* NULL-terminated, in their order; NULL: all */
};

/* One migration, for the inventory; agent/ reads them with migrations/. */
struct docs_migration {
    const char *id, *message, *file; /* file: from the contract's folder */
    const char *const *parents;      /* NULL-terminated */
    bool is_head;
};

struct docs_migrations {
    const struct docs_migration *list; /* in the order of an upgrade */
    size_t count;
    const char *const *heads; /* NULL-terminated */
    const char *absent;       /* why there is no list, a clause; NULL: there is one */
};

/* What is there already: TEXT is NULL where nothing is. PATH is for errors. */
struct docs_present {
    const char *path, *text;
    size_t length;
};

/* What `docs` asks for, in the order of the contract; in ARENA. COUNT is 0 where it has none. */
MUST_USE int docs_list(struct contract *contract, struct arena *arena, const struct docs_file **out,
                       size_t *count, struct err *err);

/* FILE as it has to be, appended to OUT: what is between the markers of PRESENT made anew and all
 * else kept, or the whole of it. The same contract gives the same bytes everywhere. It selects
 * profiles: variables of CONTRACT are others afterwards. Errors: ERR_FILE, PRESENT has no markers or
 * broken ones (with the line), or is nothing that agent made; ERR_CONTRACT; ERR_RESOURCE. */
MUST_USE int docs_render(struct contract *contract, const struct docs_file *file,
                         const struct docs_migrations *migrations,
                         const struct docs_present *present, struct buf *out, struct err *err);

#endif
