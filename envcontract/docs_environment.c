/* envcontract/docs_environment.c: ENVIRONMENT_CONTRACT.md: the registry of variables, and what
 * agent itself needs before it can ask anybody. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/docs.h"

/* ---- the registry ----------------------------------------------------------------------------- */

enum group { GROUP_SECRETS, GROUP_SETTINGS, GROUP_AGENTS, GROUP_COUNT };

static const struct {
    const char *title, *head, *rule;
    bool has_default; /* a secret has none */
} groups[GROUP_COUNT] = {
    [GROUP_SECRETS] = {"Secrets", "| name | type | required | source | what it is | owner |",
                       "|---|---|---|---|---|---|", false},
    [GROUP_SETTINGS] = {"Settings",
                        "| name | type | required | default | source | what it is | owner |",
                        "|---|---|---|---|---|---|---|", true},
    [GROUP_AGENTS] = {"For agent alone, never handed to the application",
                      "| name | type | required | default | source | what it is | owner |",
                      "|---|---|---|---|---|---|---|", true},
};

static void add_doc(struct docs_look *look, const struct docs_view *view, struct docs_words *w)
{
    const struct node *const *at = view->layers.at;

    if (node_text(at[VARIABLE_DOC]))
        docs_text(w, node_text(at[VARIABLE_DOC]));
    if (docs_is_agents(look, view->index) && docs_is_secret(look, view->index))
        docs_say(w, w->out->len > 0 ? " Secret." : "Secret.");
    if (node_text(at[VARIABLE_EXPIRES])) {
        docs_say(w, " Expires on ");
        docs_text(w, node_text(at[VARIABLE_EXPIRES]));
        docs_say(w, ".");
    }
    if (node_text(at[VARIABLE_LINK])) {
        docs_say(w, w->out->len > 0 ? " " : "");
        docs_link(w, "More", node_text(at[VARIABLE_LINK]));
    }
}

static void add_owner(struct docs_look *look, const struct docs_view *view, struct docs_words *w)
{
    (void)look;
    if (node_text(view->layers.at[VARIABLE_OWNER]))
        docs_text(w, node_text(view->layers.at[VARIABLE_OWNER]));
}

static void write_row(struct docs_look *look, size_t index, enum group group)
{
    static const docs_aspect aspects[] = {docs_type,   docs_required, docs_default,
                                          docs_source, add_doc,       add_owner};
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};

    docs_say(&w, "| ");
    docs_code(&w, look->d->variables[index]->key);
    docs_say(&w, " |");
    for (size_t i = 0; i < ARRAY_LEN(aspects); i++) {
        if (aspects[i] == docs_default && !groups[group].has_default)
            continue;
        docs_say(&w, " ");
        docs_by_profile(look, index, aspects[i], &w);
        docs_say(&w, " |");
        docs_forget(look);
    }
    docs_say(&w, "\n");
}

/* "### Secrets", and whose they are: PATH is NULL for the contract's own. */
static void begin_group(struct docs_look *look, enum group group, const char *path)
{
    struct docs_words w = {.out = look->out, .style = DOCS_PROSE};
    size_t folder = strlen(look->d->folder);

    docs_say(&w, look->out->len > 0 ? "\n" : "");
    buf_addf(look->out, "### %s", groups[group].title);
    if (path) {
        bool below = strncmp(path, look->d->folder, folder) == 0 && path[folder] == '/';
        docs_say(&w, " of ");
        docs_code(&w, below ? path + folder + 1 : path);
    }
    buf_addf(look->out, "\n\n%s\n%s\n", groups[group].head, groups[group].rule);
}

/* Those of one group that the file number FILE declares. */
static void write_group(struct docs_look *look, const unsigned char *group_of, enum group group,
                        size_t file, const char *path)
{
    bool first = true;

    for (size_t i = 0; i < look->d->variable_count && !look->d->no_memory; i++) {
        if (group_of[i] != group || look->d->variables[i]->file != file)
            continue;
        if (first)
            begin_group(look, group, path);
        first = false;
        write_row(look, i, group);
    }
}

static void write_variables(struct docs_look *look)
{
    AUTO_FREE unsigned char *group_of = mem_new(look->d->variable_count + 1, 1);

    if (!group_of) {
        look->d->no_memory = true;
        return;
    }
    for (size_t i = 0; i < look->d->variable_count; i++)
        group_of[i] = docs_is_agents(look, i)   ? GROUP_AGENTS
                      : docs_is_secret(look, i) ? GROUP_SECRETS
                                                : GROUP_SETTINGS;
    for (size_t file = 0; file < look->d->file_count; file++)
        for (enum group group = GROUP_SECRETS; group < GROUP_COUNT; group++)
            write_group(look, group_of, group, file, file == 0 ? NULL : look->d->files[file].path);
    if (look->d->variable_count == 0)
        buf_adds(look->out, "The contract has no variables.\n");
}

/* ---- what agent needs ------------------------------------------------------------------------- */

/* One thing that has to be there: a variable or a file, and what it is for. */
struct need {
    const char *name, *what;
    uint32_t profiles;
};

/* A log-in has a dozen keys, and a profile may have others for each of them. */
enum { MAX_NEEDS = 16 * CONTRACT_MAX_PROFILES };

struct needs {
    struct need list[MAX_NEEDS];
    size_t count;
};

static void need(struct docs_look *look, struct needs *n, size_t profile, const char *name,
                 const char *what)
{
    const char *kept_name = arena_dup(&look->arena, name);
    const char *kept_what = arena_dup(&look->arena, what);

    if (!kept_name || !kept_what) {
        look->d->no_memory = true;
        return;
    }
    size_t place = n->count;
    for (size_t i = 0; i < n->count; i++) {
        if (!str_eq(n->list[i].name, name))
            continue;
        place = i + 1; /* what has one name stands together */
        if (str_eq(n->list[i].what, what)) {
            n->list[i].profiles |= UINT32_C(1) << profile;
            return;
        }
    }
    if (n->count == MAX_NEEDS)
        return;
    memmove(&n->list[place + 1], &n->list[place], (n->count - place) * sizeof n->list[0]);
    n->list[place] = (struct need){kept_name, kept_what, UINT32_C(1) << profile};
    n->count++;
}

static void need_text(struct docs_look *look, struct needs *n, size_t profile, const char *name,
                      const struct buf *what)
{
    if (what->no_memory)
        look->d->no_memory = true;
    else
        need(look, n, profile, name, buf_text(what));
}

/* Each key of the log-in that is read from somewhere. */
static void need_login(struct docs_look *look, struct needs *n, size_t profile,
                       const struct node *auth)
{
    const char *method = node_text(node_member(auth, "method"));

    for (const struct node *m = auth && auth->kind == NODE_OBJECT ? auth->first : NULL; m;
         m = m->next) {
        AUTO_BUF what = BUF_INIT(DOCS_TEXT_BYTES);
        const char *text = node_text(m);
        struct ref ref = {0};
        struct err err = ERR_INIT;
        text = text ? source_substitute(look->d, &look->scratch, text, NULL,
                                        docs_profile(look, profile))
                    : NULL;
        if (!text)
            continue;
        if (ref_parse(&look->scratch, text, &ref, &err) != 0) {
            look->d->no_memory = look->d->no_memory || err.kind == ERR_RESOURCE;
            continue; /* a literal: nothing has to be there */
        }
        if (!ref.path || (ref.kind != REF_ENV && ref.kind != REF_FILE))
            continue;
        buf_addf(&what, "logs in to Vault (%s%s%s)%s", method ? method : "", method ? ", " : "",
                 m->key, ref.kind == REF_FILE ? ": a file" : "");
        need_text(look, n, profile, ref.path, &what);
    }
    if (!method || str_eq(method, "token"))
        need(look, n, profile, "VAULT_TOKEN", "logs in to Vault; else `~/.vault-token`");
}

static void need_vault(struct docs_look *look, struct needs *n, size_t profile,
                       const struct node *section)
{
    const struct node *at[VAULT_KEY_COUNT] = {NULL};
    AUTO_BUF what = BUF_INIT(DOCS_TEXT_BYTES);
    struct docs_words w = {.out = &what, .style = DOCS_CELL};
    const char *name = docs_profile(look, profile);

    keys_merge(section, at, VAULT_KEY_COUNT);
    if (name)
        keys_merge(node_member(at[VAULT_PROFILES], name), at, VAULT_KEY_COUNT);
    if (node_text(at[VAULT_ADDRESS]) || at[VAULT_ADDRESSES]) {
        docs_say(&w, "where Vault is; not needed, and wins over ");
        if (node_text(at[VAULT_ADDRESS]))
            docs_code(&w, node_text(at[VAULT_ADDRESS]));
        else
            docs_say(&w, "the contract's addresses");
    } else {
        docs_say(&w, "where Vault is");
    }
    need_text(look, n, profile, "VAULT_ADDR", &what);
    if (node_text(at[VAULT_NAMESPACE])) {
        buf_clear(&what);
        docs_say(&w, "not needed; wins over ");
        docs_code(&w, node_text(at[VAULT_NAMESPACE]));
        need_text(look, n, profile, "VAULT_NAMESPACE", &what);
    }
    need_login(look, n, profile, at[VAULT_AUTH]);
}

/* Whether any variable has a part from KIND in the profile. */
static bool reads_from(struct docs_look *look, size_t profile, enum ref_kind kind)
{
    bool found = false;

    for (size_t i = 0; i < look->d->variable_count && !found && !look->d->no_memory; i++) {
        struct docs_view view;
        docs_see(look, i, docs_profile(look, profile), &view);
        for (size_t k = 0; k < view.variable.part_count; k++)
            found = found || view.variable.parts[k].ref.kind == kind;
        docs_forget(look);
    }
    return found;
}

static void need_store(struct docs_look *look, struct needs *n, size_t profile)
{
    need(look, n, profile, "AGENT_SEALED_KEY_FILE",
         "the key of the sealed store; without it `agent/sealed.key` in the user's settings");
    need(look, n, profile, "AGENT_SEALED",
         "not needed; the sealed store, where it is not `sealed.json` beside the contract");
}

/* The variable that chooses the profile. */
static void need_profile(struct docs_look *look, struct needs *n)
{
    const struct contract *contract = look->contract;
    AUTO_BUF what = BUF_INIT(DOCS_TEXT_BYTES);
    struct docs_words w = {.out = &what, .style = DOCS_CELL};

    if (!contract->profile_variable || !contract->profile_values)
        return;
    docs_say(&w, "chooses the profile, as `--profile` does: ");
    docs_codes(&w, contract->profile_values, "or");
    if (contract->profile_default) {
        docs_say(&w, "; without it ");
        docs_code(&w, contract->profile_default);
    }
    for (size_t i = 0; i < docs_profile_count(look); i++)
        need_text(look, n, i, contract->profile_variable, &what);
}

static void write_bootstrap(struct docs_look *look)
{
    const struct node *vault = node_member(look->d->files[0].root, "vault");
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};
    struct needs n = {.count = 0};

    need_profile(look, &n);
    for (size_t i = 0; i < docs_profile_count(look); i++) {
        need(look, &n, i, "AGENT_CONTRACT",
             "where the contract is, as `--contract` says it; without it `contract.json` in the "
             "working folder");
        if (reads_from(look, i, REF_VAULT))
            need_vault(look, &n, i, vault);
        if (reads_from(look, i, REF_SEALED))
            need_store(look, &n, i);
    }
    docs_say(&w,
             "What has to be there before anything can be fetched. `agent run` keeps Vault's own "
             "credentials to itself.\n\n| name | what it does | profiles |\n|---|---|---|\n");
    for (size_t i = 0; i < n.count; i++) {
        docs_say(&w, "| ");
        docs_code(&w, n.list[i].name);
        buf_addf(w.out, " | %s | ", n.list[i].what);
        docs_profiles(look, n.list[i].profiles, &w);
        docs_say(&w, " |\n");
    }
}

static const struct docs_section sections[] = {
    {"variables", "Variables", write_variables},
    {"vault", "Paths in Vault", docs_write_vault},
    {"sources", "Canonical sources", docs_write_sources},
    {"bootstrap", "What agent itself needs", write_bootstrap},
    {"groups", "Groups", docs_write_groups},
    {"rules", "Rules", docs_write_rules},
    {"fences", "Fences", docs_write_fences},
    {"deprecated", "Aliases and deprecations", docs_write_deprecated},
};

const struct docs_sections docs_environment_sections = {sections, ARRAY_LEN(sections)};
