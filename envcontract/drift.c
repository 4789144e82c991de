/* envcontract/drift.c: what the contract declares against what was found in use. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/keys.h"

enum { HINT_BYTES = 512, TIMES_BYTES = 64 };

/* ---- what the contract says ----------------------------------------------------------------- */

static const struct node *first_of(const struct node *list)
{
    return list && (list->kind == NODE_ARRAY || list->kind == NODE_OBJECT) ? list->first : NULL;
}

static void enter_agents(struct drift *d, const char *name, size_t length)
{
    struct drift_name *entry = name ? drift_enter(d, name, length) : NULL;

    if (entry)
        entry->is_agents = true;
}

/* NODE: a name, or a list of names. */
static void enter_agents_of(struct drift *d, const struct node *node)
{
    const char *text = node ? node_text(node) : NULL;

    if (text)
        enter_agents(d, text, strlen(text));
    for (const struct node *item = text ? NULL : first_of(node); item; item = item->next)
        if (node_text(item))
            enter_agents(d, node_text(item), strlen(node_text(item)));
}

/* Every `env:NAME` in the contract: agent looks there, whatever the key is. */
static void enter_references(struct drift *d, const struct node *node)
{
    const char *text = node_text(node), *name = text ? ref_behind(text, REF_ENV) : NULL;

    if (name)
        enter_agents(d, name, strlen(name));
    for (const struct node *item = text ? NULL : first_of(node); item; item = item->next)
        enter_references(d, item); /* as deep as a contract may be: CONTRACT_MAX_DEPTH */
}

/* The names in the templates of `files`. */
static void enter_files(struct drift *d, const struct node *files)
{
    for (const struct node *file = first_of(files); file; file = file->next) {
        const char *text = node_text(node_member(file, "template"));
        struct template parsed;
        struct err err; /* what is wrong with it is said where it is read */

        enter_agents_of(d, node_member(file, "var"));
        if (!text)
            continue;
        if (template_parse(&d->arena, text, &parsed, &err) != 0) {
            d->no_memory = d->no_memory || err.kind == ERR_RESOURCE;
            continue;
        }
        for (size_t i = 0; i < parsed.count; i++)
            if (parsed.pieces[i].name)
                enter_agents(d, parsed.pieces[i].name, strlen(parsed.pieces[i].name));
    }
}

static void enter_sections(struct drift *d, const struct node *root)
{
    const struct node *database = node_member(root, "database"),
                      *guard = node_member(root, "guard");

    enter_agents_of(d, node_member(node_member(root, "profile"), "var"));
    enter_agents_of(d, node_member(database, "url"));
    enter_agents_of(d, node_member(database, "admin_url"));
    enter_agents_of(d, node_member(database, "env"));
    enter_agents_of(d, node_member(node_member(database, "authority"), "var"));
    enter_agents_of(d, node_member(guard, "server"));
    enter_agents_of(d, node_member(guard, "env"));
    enter_files(d, node_member(root, "files"));
}

static void enter_aliases(struct drift *d, const struct node *declaration)
{
    for (const struct node *alias = first_of(node_member(declaration, "aliases")); alias;
         alias = alias->next) {
        const char *name = alias->kind == NODE_OBJECT ? NULL : node_text(alias);
        if (node_member(alias, "name"))
            name = node_text(node_member(alias, "name"));
        struct drift_name *entry = name ? drift_enter(d, name, strlen(name)) : NULL;
        if (entry && !entry->declaration)
            entry->alias_of = declaration;
    }
}

static void enter_contract(struct drift *d)
{
    const struct contract_document *document = d->document;

    d->declared_count = SIZE_MAX / 2; /* no ceiling but the contract's own */
    for (size_t i = 0; i < document->variable_count; i++) {
        const char *name = document->variables[i]->key;
        struct drift_name *entry = drift_enter(d, name, strlen(name));
        if (entry)
            entry->declaration = document->variables[i];
    }
    for (size_t i = 0; i < document->variable_count; i++) {
        const struct node *rotate = node_member(document->variables[i], "rotate");
        enter_aliases(d, document->variables[i]);
        enter_agents_of(d, node_member(rotate, "admin"));
        enter_agents_of(d, node_member(rotate, "env"));
    }
    for (size_t i = 0; i < document->file_count; i++)
        if (document->files[i].root)
            enter_references(d, document->files[i].root);
    enter_sections(d, document->files[0].root);
    d->declared_count = d->name_count;
}

int drift_begin(struct drift *d, struct contract *contract, struct findings *findings,
                struct err *err)
{
    *d = (struct drift){.document = contract->document,
                        .contract = contract,
                        .findings = findings,
                        .parts_left = DRIFT_MAX_PARTS};
    d->slots = mem_new(DRIFT_TABLE_SLOTS, sizeof(*d->slots));
    d->buffer = mem_new(DRIFT_MAX_FILE_BYTES + 1, 1);
    if (d->slots && d->buffer)
        enter_contract(d);
    return !d->slots || !d->buffer || d->no_memory ? err_nomem(err) : 0;
}

void drift_release(struct drift *d)
{
    arena_release(&d->arena);
    free(d->names);
    free(d->slots);
    free(d->buffer);
    free(d->tokens);
}

/* ---- used, and not declared ----------------------------------------------------------------- */

static bool is_ignored(const struct drift *d, const struct drift_name *name)
{
    const struct node *ignore = node_member(node_member(d->document->files[0].root, "unknown"),
                                            "ignore");

    for (const struct node *glob = first_of(ignore); glob; glob = glob->next)
        if (node_text(glob) && str_glob(node_text(glob), name->text, name->length))
            return true;
    return drift_is_system(name->text) ||
           (name->counts[DRIFT_READ] == 0 && drift_is_image(name->text));
}

static const char *use_in_words(enum drift_use use)
{
    static const char *const words[DRIFT_USES] = {
        [DRIFT_READ] = "is read here",
        [DRIFT_GIVEN] = "is given to a process here",
        [DRIFT_WORKFLOW] = "is given to steps of a workflow here",
        [DRIFT_ASSIGNED] = "is set here",
    };
    return words[use];
}

static size_t times_used(const struct drift_name *name)
{
    size_t count = 0;

    for (size_t i = 0; i < DRIFT_USES; i++)
        count += name->counts[i];
    return count;
}

static struct contract_position place_of(const struct drift_name *name)
{
    return (struct contract_position){
        .file = name->file, .line = name->line, .column = name->column};
}

static void say_undeclared(struct drift *d, const struct drift_name *name)
{
    const struct node *level = node_member(node_member(d->document->files[0].root, "unknown"),
                                           "level");
    bool is_warning = name->best == DRIFT_WORKFLOW ||
                      (level && str_eq(node_text(level), "warning"));
    const char *nearest = document_nearest(d->document, name->text, d->document->names,
                                           d->document->variable_count);
    const struct contract_position place = place_of(name);
    size_t more = times_used(name) - 1;
    char hint[HINT_BYTES] = "", times[TIMES_BYTES] = "";

    if (more > 0)
        (void)snprintf(times, sizeof times, " (and %zu more time%s)", more, more == 1 ? "" : "s");
    if (nearest)
        (void)snprintf(hint, sizeof hint, "Did you mean '%.*s'? Else declare", SHOWN(nearest));
    size_t used = strlen(hint);
    (void)snprintf(hint + used, sizeof hint - used, "%s it in vars, or list it in unknown.ignore.",
                   nearest ? "" : "Declare");
    findings_addf(d->findings, is_warning ? FINDING_WARNING : FINDING_ERROR, name->text, "unknown",
                  &place, hint, "%s%s, and the contract does not declare it",
                  use_in_words(name->best), times);
}

static void say_alias(struct drift *d, const struct drift_name *name)
{
    const struct contract_position place = place_of(name);

    findings_addf(d->findings, FINDING_WARNING, name->text, "alias", &place,
                  "Use the new name: the old one will not be there for ever.",
                  "%s, and is the old name of '%.*s'", use_in_words(name->best),
                  SHOWN(name->alias_of->key));
}

static void say_used(struct drift *d)
{
    size_t shown = 0, more = 0;

    for (size_t i = 0; i < d->name_count; i++) {
        const struct drift_name *name = &d->names[i];
        if (name->best == DRIFT_USES || name->declaration)
            continue;
        if (name->alias_of ? name->best == DRIFT_ASSIGNED : name->is_agents || is_ignored(d, name))
            continue;
        if (shown++ >= DRIFT_MAX_SHOWN)
            more++;
        else if (name->alias_of)
            say_alias(d, name);
        else
            say_undeclared(d, name);
    }
    if (more + d->names_left_out > 0)
        findings_addf(d->findings, FINDING_ERROR, NULL, "unknown", NULL, NULL,
                      "%zu more names are used and not declared", more + d->names_left_out);
}

/* ---- declared, and not used ----------------------------------------------------------------- */

static bool may_go_unused(struct drift *d, const struct drift_name *name, size_t index)
{
    struct layers layers;

    if (name->is_agents)
        return true;
    layers_merge(d->document, index, NULL, &layers);
    const struct node *expose = layers.at[VARIABLE_EXPOSE];
    return (expose && str_eq(node_text(expose), "agent")) || layers.at[VARIABLE_DEPRECATED];
}

static bool is_used_by_its_old_name(const struct drift *d, const struct node *declaration)
{
    for (const struct node *alias = first_of(node_member(declaration, "aliases")); alias;
         alias = alias->next) {
        const struct node *name = alias->kind == NODE_OBJECT ? node_member(alias, "name") : alias;
        const char *text = name ? node_text(name) : NULL;
        const struct drift_name *entry = text ? drift_find(d, text, strlen(text)) : NULL;
        if (entry && entry->best < DRIFT_ASSIGNED)
            return true;
    }
    return false;
}

static void say_unused(struct drift *d, size_t computed)
{
    size_t shown = 0;

    for (size_t i = 0; i < d->document->variable_count; i++) {
        const struct node *declaration = d->document->variables[i];
        const struct drift_name *name = drift_find(d, declaration->key, strlen(declaration->key));
        if (!name || name->best < DRIFT_ASSIGNED || may_go_unused(d, name, i) ||
            is_used_by_its_old_name(d, declaration))
            continue;
        if (++shown > DRIFT_MAX_SHOWN)
            break;
        const struct contract_position place = node_position(d->document, &d->arena, declaration,
                                                             AT_KEY);
        findings_addf(d->findings, FINDING_WARNING, name->text, "drift", &place,
                      shown > 1      ? NULL /* for all of them */
                      : computed > 0 ? "It may be one of the computed names."
                                     : "Take it out, or say \"expose\": \"agent\" where only agent "
                                       "needs it.",
                      "is declared, and nothing that was read uses it%s",
                      name->best == DRIFT_ASSIGNED ? " (a .env file has it)" : "");
    }
}

/* ---- both ----------------------------------------------------------------------------------- */

/* What the walk had to say, behind what is said of the contract. */
static void say_notes(struct drift *d, const struct findings *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        findings_add(d->findings, &notes->list[i]);
    d->no_memory = d->no_memory || notes->no_memory;
    if (d->warnings > DRIFT_MAX_SHOWN)
        findings_addf(d->findings, FINDING_WARNING, NULL, "drift", NULL, NULL,
                      "%zu more warnings about files", d->warnings - DRIFT_MAX_SHOWN);
}

int drift_look(struct contract *contract, const char *const *folders, struct findings *findings,
               struct drift_counts *out, struct err *err)
{
    AUTO_FINDINGS notes = FINDINGS_INIT;
    AUTO_DRIFT d = {0};

    if (drift_begin(&d, contract, &notes, err) != 0)
        return -1;
    for (const char *const *folder = folders; *folder; folder++)
        if (drift_walk(&d, *folder, err) != 0)
            return -1;
    d.findings = findings;
    say_unused(&d, d.all_computed);
    say_notes(&d, &notes);
    say_used(&d);
    findings_sort(findings);
    if (d.no_memory || d.document->no_memory)
        return err_nomem(err);
    *out = (struct drift_counts){.files = d.files, .declared = d.document->variable_count};
    return findings_check(findings, err);
}

struct drift_need drift_need(struct contract *contract, const struct contract_variable *variable)
{
    const struct contract_rules *rules = variable->rules;
    struct layers layers;

    layers_merge(contract->document, (size_t)(variable - contract->variables), contract->profile,
                 &layers);
    int64_t every = node_duration_ms(node_member(layers.at[VARIABLE_ROTATE], "every"), 0);
    return (struct drift_need){
        .required = rules->required && !rules->required_when,
        .conditional = rules->required && rules->required_when,
        .every_ms = every,
    };
}
