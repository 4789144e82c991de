/* envcontract/docs_database.c: DB_AUTHORITY.md: whose database it is, how a fresh one is made, the
 * migrations, what proves them, and the states in which the application starts. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

/* The database's keys, and the words for a paragraph about them. */
struct about {
    struct docs_look *look;
    const struct node *at[DATABASE_KEY_COUNT];
    struct docs_words w;
};

/* False, and said, where the contract has no database. */
static bool begin(struct docs_look *look, enum docs_style style, struct about *out)
{
    const struct node *section = node_member(look->d->files[0].root, "database");

    *out = (struct about){.look = look, .w = {.out = look->out, .style = style}};
    keys_merge(section, out->at, DATABASE_KEY_COUNT);
    if (section)
        return true;
    docs_say(&out->w, "The contract has no database.\n");
    return false;
}

/* ---- authority --------------------------------------------------------------------------------- */

static void add_authority(struct docs_look *look, const struct docs_view *view,
                          struct docs_words *w)
{
    docs_type(look, view, w);
    if (view->variable.rules->default_value) {
        docs_say(w, "; ");
        docs_code(w, view->variable.rules->default_value);
        docs_say(w, " where it is not set");
    }
}

static void add_aspect(struct docs_look *look, const char *name, const char *profile,
                       docs_aspect aspect, struct docs_words *w)
{
    long index = name ? document_find(look->d, name) : -1;
    struct docs_view view;

    if (index < 0) {
        docs_say(w, "–");
        return;
    }
    docs_see(look, (size_t)index, profile, &view);
    aspect(look, &view, w);
    docs_forget(look);
}

static void write_hosts(struct about *a, const struct node *hosts)
{
    if (!hosts || hosts->kind != NODE_OBJECT || hosts->count == 0)
        return;
    docs_say(&a->w, "\n| authority | hosts |\n|---|---|\n");
    for (const struct node *m = hosts->first; m; m = m->next) {
        docs_say(&a->w, "| ");
        docs_code(&a->w, m->key);
        docs_say(&a->w, " | ");
        if (node_list(m)) {
            docs_codes(&a->w, node_list(m), "or");
        } else {
            for (const struct node *h = m->kind == NODE_ARRAY ? m->first : NULL; h; h = h->next) {
                docs_say(&a->w, h == m->first ? "" : ", ");
                docs_code(&a->w, node_text(h) ? node_text(h) : "");
            }
        }
        docs_say(&a->w, " |\n");
    }
}

static void write_authority(struct docs_look *look)
{
    struct about a;

    if (!begin(look, DOCS_CELL, &a))
        return;
    const char *variable = node_text(node_member(a.at[DATABASE_AUTHORITY], "var"));
    const char *url = node_text(a.at[DATABASE_URL]);
    if (variable) {
        docs_say(&a.w, "Who owns the database says ");
        docs_code(&a.w, variable);
        docs_say(&a.w, "; the host of ");
        docs_code(&a.w, url ? url : "");
        docs_say(&a.w, " has to be one of that authority's.\n\n| profile | ");
        docs_code(&a.w, variable);
        docs_say(&a.w, " | ");
    } else {
        docs_say(&a.w, "| profile | ");
    }
    docs_code(&a.w, url ? url : "");
    docs_say(&a.w, variable ? " | comes from |\n|---|---|---|---|\n"
                            : " | comes from |\n|---|---|---|\n");
    for (size_t i = 0; i < docs_profile_count(look); i++) {
        const char *profile = docs_profile(look, i);
        docs_say(&a.w, "| ");
        docs_text(&a.w, profile ? profile : "all");
        docs_say(&a.w, " | ");
        if (variable) {
            add_aspect(look, variable, profile, add_authority, &a.w);
            docs_say(&a.w, " | ");
        }
        add_aspect(look, url, profile, docs_type, &a.w);
        docs_say(&a.w, " | ");
        add_aspect(look, url, profile, docs_source, &a.w);
        docs_say(&a.w, " |\n");
    }
    write_hosts(&a, node_member(a.at[DATABASE_AUTHORITY], "hosts"));
}

/* ---- a fresh database -------------------------------------------------------------------------- */

static void add_create(struct about *a)
{
    const struct node *create = a->at[DATABASE_CREATE];
    const struct node *sql = node_member(create, "sql");
    const struct node *emit = node_member(create, "emit");
    const struct node *command = node_member(create, "command");

    docs_say(&a->w, "- Made by ");
    if (sql) {
        docs_say(&a->w, "the SQL in ");
        docs_codes(&a->w, node_list(sql), "and");
    } else if (emit) {
        docs_say(&a->w, "the SQL that ");
        docs_argv(&a->w, emit);
        docs_say(&a->w, " prints");
    } else if (command) {
        docs_argv(&a->w, command);
        docs_say(&a->w, ", which connects by itself; the stamp comes after the expected tables");
    } else {
        docs_say(&a->w, "hand: the contract has no `database.create`");
    }
    docs_say(&a->w, ".\n");
}

static void write_facts(struct about *a)
{
    const char *owner = node_text(a->at[DATABASE_OWNER]);
    const struct contract_database *database = &a->look->contract->database;

    add_create(a);
    docs_say(&a->w, "- The version table is ");
    docs_code(&a->w, database->schema ? database->schema : "public");
    docs_say(&a->w, ".");
    docs_code(&a->w, database->table ? database->table : "alembic_version");
    docs_say(&a->w, ", stamped with the heads");
    docs_say(&a->w, node_member(a->at[DATABASE_CREATE], "command")
                        ? ".\n"
                        : " in the same transaction: tables and stamp are both there, or neither "
                          "is.\n");
    if (owner) {
        docs_say(&a->w, "- Everything belongs to the role ");
        docs_code(&a->w, owner);
        docs_say(&a->w, ", which cannot log in.\n");
    }
    if (database->expect && database->expect[0]) {
        docs_say(&a->w, "- Then there must be the tables ");
        docs_codes(&a->w, database->expect, "and");
        docs_say(&a->w, ".\n");
    }
    docs_say(&a->w, "- The rows and the tables are read again from a new connection; only then is "
                    "it a success.\n\n");
}

/* A command of the procedure; PROFILE is added where there are any. */
static void add_command(struct about *a, const char *command)
{
    docs_say(&a->w, "agent ");
    docs_say(&a->w, command);
    if (a->look->d->profile_count > 0)
        docs_say(&a->w, " --profile \"$PROFILE\"");
    docs_say(&a->w, "\n");
}

/* Roles and databases are made by hand, once: agent makes what is in one. */
static void write_owner(struct about *a)
{
    const char *owner = node_text(a->at[DATABASE_OWNER]);
    AUTO_BUF name = BUF_INIT(DOCS_TEXT_BYTES), quoted = BUF_INIT(DOCS_TEXT_BYTES);
    struct docs_words line = {.out = &name, .style = DOCS_COMMENT};

    if (!owner)
        return;
    for (const char *c = owner; *c; c++)
        buf_adds(&quoted, *c == '"' ? "\"\"" : (const char[]){*c, '\0'});
    docs_text(&line, buf_text(&quoted)); /* one line: nothing of it ends the block */
    docs_say(&a->w, "Once, by an administrator of the server, with `psql -v login=LOGIN` for the "
                    "login of ");
    docs_code(&a->w, node_text(a->at[DATABASE_URL]) ? node_text(a->at[DATABASE_URL]) : "");
    buf_addf(a->w.out,
             ":\n\n```sql\n"
             "CREATE ROLE \"%s\" NOLOGIN;\n"
             "GRANT CREATE, USAGE ON SCHEMA public TO \"%s\";\n"
             "GRANT \"%s\" TO :\"login\";\n"
             "```\n\n",
             buf_text(&name), buf_text(&name), buf_text(&name));
    if (name.no_memory || quoted.no_memory)
        a->w.out->no_memory = true;
}

static void write_fresh(struct docs_look *look)
{
    struct about a;

    if (!begin(look, DOCS_PROSE, &a))
        return;
    write_facts(&a);
    write_owner(&a);
    docs_say(&a.w, "In the folder of the contract");
    if (look->d->profile_count > 0) {
        docs_say(&a.w, ", with `PROFILE` set to ");
        docs_codes(&a.w, look->d->profiles, "or");
    }
    docs_say(&a.w, ":\n\n```sh\nagent check --lint\n");
    add_command(&a, "bootstrap --dry-run");
    add_command(&a, "bootstrap");
    add_command(&a, "verify");
    docs_say(&a.w,
             "```\n\nThe first looks at the contract alone, the second shows the SQL and changes "
             "nothing, the third makes the database or finds it `current`, the last exits 0 "
             "where it is. Any number of them at once are safe: one makes it, the others wait "
             "and find it made. `agent run --bootstrap -- COMMAND` does the same before it "
             "starts the application.\n");
    if (a.at[DATABASE_MIGRATE]) {
        docs_say(&a.w, "\nA database that is `behind` is brought up by ");
        docs_argv(&a.w, a.at[DATABASE_MIGRATE]);
        docs_say(&a.w, ", which `agent bootstrap --migrate` runs; one whose stamp was lost by "
                       "`agent bootstrap --adopt`, after the schema was proved equal.\n");
    }
}

/* ---- migrations -------------------------------------------------------------------------------- */

static void write_migrations(struct docs_look *look)
{
    const struct docs_migrations *m = look->migrations;
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};

    if (!m || m->absent) {
        docs_say(&w, "There is no inventory: ");
        docs_text(&w, m ? m->absent : "nobody read the migrations");
        docs_say(&w, ".\n");
    }
    if (m && m->heads && m->heads[0]) {
        docs_say(&w, "Heads: ");
        docs_codes(&w, m->heads, "and");
        docs_say(&w, ".");
        if (m->count > 0)
            buf_addf(w.out, " %zu migrations, in the order of an upgrade:", m->count);
        docs_say(&w, "\n");
    }
    if (!m || m->count == 0)
        return;
    docs_say(&w, "\n| # | revision | message | parents | file |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < m->count; i++) {
        buf_addf(w.out, "| %zu | ", i + 1);
        docs_code(&w, m->list[i].id);
        docs_say(&w, m->list[i].is_head ? " (head) | " : " | ");
        docs_text(&w, m->list[i].message);
        docs_say(&w, " | ");
        docs_codes(&w, m->list[i].parents, "and");
        docs_say(&w, " | ");
        docs_code(&w, m->list[i].file);
        docs_say(&w, " |\n");
    }
}

/* ---- governance --------------------------------------------------------------------------------- */

static const struct {
    const char *command, *proves, *when, *exits;
} tools[] = {
    {"agent check --lint", "the contract is sound; nothing is run or contacted", "each change",
     "0 sound, 2 not"},
    {"agent check", "every source answers, and what it gives is what the contract asks for",
     "before a deployment, in its environment",
     "0 right, 1 violations, 3 a source is down, 4 a source refused"},
    {"agent graph", "the revisions hang together: no missing parent, no cycle, none twice",
     "each change", "0 sound, 1 not"},
    {"agent guard",
     "the migrations and `database.create` give one schema, the stamp is there from "
     "a new connection, and a second upgrade changes nothing",
     "each change", "0 one schema, 1 two, 2 refused in this profile, 5 no server"},
    {"agent audit --check --out DIR",
     "the record of what each migration locks, rewrites and loses is up to date", "each change",
     "0 up to date, 1 stale"},
    {"agent verify", "what state a database is in, by its catalogs", "after a deployment, any time",
     "0 `current`, 1 another state, 5 unreachable, 6 refused"},
    {"agent docs --check", "this document and its like are what the contract says", "each change",
     "0 up to date, 1 stale, 2 broken markers"},
};

static void write_governance(struct docs_look *look)
{
    const struct contract_guard *guard = &look->contract->guard;
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};

    docs_say(&w, "| tool | proves that | when | exit code |\n|---|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        docs_say(&w, "| ");
        docs_code(&w, tools[i].command);
        buf_addf(w.out, " | %s | %s | %s |\n", tools[i].proves, tools[i].when, tools[i].exits);
    }
    if (!node_member(look->d->files[0].root, "guard"))
        return;
    docs_say(&w, "\n`agent guard` works ");
    if (guard->server) {
        docs_say(&w, "in scratch databases on the server of ");
        docs_code(&w, guard->server);
    } else {
        docs_say(&w, guard->ephemeral ? "on a throwaway server"
                                      : "where `--server` or "
                                        "`--ephemeral` says");
    }
    docs_say(&w, ", and is refused in ");
    docs_codes(&w, guard->refuse_profiles, "and");
    docs_say(&w, ".\n");
    if (guard->ignore_count > 0)
        docs_say(&w, "\n| known difference | object | until | why |\n|---|---|---|---|\n");
    for (size_t i = 0; i < guard->ignore_count; i++) {
        const char *const cells[] = {guard->ignore[i].kind, guard->ignore[i].object,
                                     guard->ignore[i].until, guard->ignore[i].why};
        for (size_t k = 0; k < ARRAY_LEN(cells); k++) {
            docs_say(&w, "| ");
            docs_text(&w, cells[k] ? cells[k] : "");
            docs_say(&w, " ");
        }
        docs_say(&w, "|\n");
    }
}

/* ---- states ------------------------------------------------------------------------------------- */

static const struct {
    const char *state, *means, *next;
} states[] = {
    {"fresh", "nothing of the user's is there", "`agent bootstrap` makes it"},
    {"current", "the stamp is exactly the heads", "nothing"},
    {"behind", "the stamp is known and not all heads", "migrate: `agent bootstrap --migrate`"},
    {"unknown-revision", "the stamp is one that no script has: a newer image migrated already",
     "deploy that image, or find the script"},
    {"lost-stamp", "tables, and a version table without a row", "`agent bootstrap --adopt`"},
    {"unstamped", "tables, and no version table", "`agent bootstrap --adopt`"},
    {"redundant", "the rows have a head and an ancestor of it", "take the ancestor's row away"},
    {"stamp-only", "a stamp, and none of the tables", "find out who dropped them"},
    {"incomplete", "stamped, and an expected table is missing or an index invalid",
     "find out what stopped half-way"},
    {"invisible", "there is something that this role may not read", "grant what `verify` names"},
};

static bool is_accepted(const struct contract_database *database, const char *state)
{
    for (const char *const *accept = database->accept; accept && *accept; accept++)
        if (str_eq(*accept, state))
            return true;
    return false;
}

static void write_states(struct docs_look *look)
{
    struct about a;

    if (!begin(look, DOCS_CELL, &a))
        return;
    docs_say(&a.w, "With `agent run --bootstrap` the application starts in ");
    docs_codes(&a.w, look->contract->database.accept, "and");
    docs_say(&a.w, " only. `agent verify` says the state.\n\n"
                   "| state | means | starts | what to do |\n|---|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        buf_addf(a.w.out, "| `%s` | %s | %s | %s |\n", states[i].state, states[i].means,
                 is_accepted(&look->contract->database, states[i].state) ? "yes" : "no",
                 states[i].next);
}

static const struct docs_section sections[] = {
    {"authority", "Authority by profile", write_authority},
    {"fresh", "A fresh database", write_fresh},
    {"migrations", "Migrations", write_migrations},
    {"governance", "Governance tools", write_governance},
    {"states", "States", write_states},
};

const struct docs_sections docs_database_sections = {sections, ARRAY_LEN(sections)};
