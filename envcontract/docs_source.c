/* envcontract/docs_source.c: where values come from: of one variable, by path of Vault, by kind. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/docs.h"

static const struct node *command_in(const struct node *value)
{
    const struct node *argv = node_member(value, "command");

    return argv && argv->kind == NODE_ARRAY ? argv : NULL;
}

/* One reference as the contract has it, with the variable's name put in and {profile} left. */
static void add_reference(struct docs_look *look, const struct docs_view *view,
                          const struct node *source, struct docs_words *w)
{
    if (!source) {
        docs_code(w, "env");
    } else if (command_in(source)) {
        docs_say(w, "the command ");
        docs_argv(w, command_in(source));
    } else if (node_text(source)) {
        const char *text = source_substitute(look->d, &look->scratch, source->text,
                                             view->variable.name, NULL);
        docs_code(w, text ? text : "");
    }
}

void docs_source(struct docs_look *look, const struct docs_view *view, struct docs_words *w)
{
    const struct node *source = view->layers.at[VARIABLE_SOURCE];
    bool several = source && source->kind == NODE_OBJECT && !command_in(source);

    if (!several)
        add_reference(look, view, source, w);
    for (const struct node *part = several ? source->first : NULL; part; part = part->next) {
        docs_say(w, part == source->first ? "" : ", ");
        docs_text(w, part->key);
        docs_say(w, " from ");
        add_reference(look, view, part, w);
    }
    if (view->variable.overridable)
        docs_say(w, " (the environment wins)");
}

/* ---- Vault's paths ---------------------------------------------------------------------------- */

/* One field that one variable reads; texts lie in look->arena. */
struct reading {
    const char *path, *field, *variable;
    uint32_t profiles;
};

struct readings {
    struct reading *list;
    size_t count, capacity;
};

static void readings_release(struct readings *r)
{
    free(r->list);
}

static const char *keep(struct docs_look *look, const char *text)
{
    const char *kept = text ? arena_dup(&look->arena, text) : NULL;

    if (!kept)
        look->d->no_memory = true;
    return kept;
}

static void add_reading(struct docs_look *look, struct readings *r, const struct ref *ref,
                        const char *variable, uint32_t profiles)
{
    for (size_t i = r->count; i > 0 && str_eq(r->list[i - 1].variable, variable); i--) {
        struct reading *known = &r->list[i - 1];
        if (str_eq(known->path, ref->path) && str_eq(known->field, ref->field)) {
            known->profiles |= profiles;
            return;
        }
    }
    if (mem_grow(&r->list, r->count, &r->capacity, sizeof *r->list) != 0) {
        look->d->no_memory = true;
        return;
    }
    struct reading reading = {.path = keep(look, ref->path),
                              .field = keep(look, ref->field),
                              .variable = variable,
                              .profiles = profiles};
    if (reading.path && reading.field)
        r->list[r->count++] = reading;
}

/* The references of one variable in one profile, {profile} as it is written. */
static void take_readings(struct docs_look *look, struct readings *r, size_t index, size_t profile)
{
    const char *name = look->d->variables[index]->key;
    struct contract_variable variable = {.name = name};
    uint32_t profiles = docs_looks(look, index) == 1 ? docs_all_profiles(look)
                                                     : UINT32_C(1) << profile;
    struct layers layers;

    layers_merge(look->d, index, docs_profile(look, profile), &layers);
    look->d->source_bytes_left = CONTRACT_MAX_SOURCE_BYTES;
    source_build(look->d, &look->scratch, layers.at[VARIABLE_SOURCE], NULL, &variable);
    for (size_t i = 0; i < variable.part_count; i++) {
        const struct ref *ref = &variable.parts[i].ref;
        if (ref->kind == REF_VAULT && ref->path && ref->field)
            add_reading(look, r, ref, name, profiles);
    }
}

static int compare_readings(const void *left, const void *right)
{
    const struct reading *a = left, *b = right;
    int order = strcmp(a->path, b->path);

    if (order == 0)
        order = strcmp(a->field, b->field);
    return order != 0 ? order : strcmp(a->variable, b->variable);
}

/* One row: a path, and what is read from it. */
static size_t write_path(struct docs_look *look, const struct readings *r, size_t first)
{
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};
    uint32_t profiles = 0;
    size_t end = first;

    for (; end < r->count && str_eq(r->list[end].path, r->list[first].path); end++)
        profiles |= r->list[end].profiles;
    docs_say(&w, "| ");
    docs_code(&w, r->list[first].path);
    docs_say(&w, " | ");
    for (size_t i = first; i < end; i++) {
        bool same = i > first && str_eq(r->list[i].field, r->list[i - 1].field);
        docs_say(&w, i == first ? "" : same ? ", " : "<br>");
        if (!same) {
            docs_code(&w, r->list[i].field);
            docs_say(&w, " → ");
        }
        docs_code(&w, r->list[i].variable);
        if (r->list[i].profiles != profiles) {
            docs_say(&w, " (");
            docs_profiles(look, r->list[i].profiles, &w);
            docs_say(&w, ")");
        }
    }
    docs_say(&w, " | ");
    docs_profiles(look, profiles, &w);
    docs_say(&w, " |\n");
    return end;
}

void docs_write_vault(struct docs_look *look)
{
    CLEANUP(readings_release) struct readings r = {0};

    for (size_t i = 0; i < look->d->variable_count && !look->d->no_memory; i++) {
        for (size_t profile = 0; profile < docs_looks(look, i); profile++)
            take_readings(look, &r, i, profile);
        docs_forget(look);
    }
    if (r.count == 0) {
        buf_adds(look->out, "Nothing is read from Vault.\n");
        return;
    }
    qsort(r.list, r.count, sizeof *r.list, compare_readings);
    buf_adds(look->out, "Variables that read the same path share one request, and one lease where "
                        "there is one.\n\n"
                        "| path | field → variable | profiles |\n|---|---|---|\n");
    for (size_t i = 0; i < r.count;)
        i = write_path(look, &r, i);
}

/* ---- canonical sources ------------------------------------------------------------------------ */

static const struct {
    enum ref_kind kind;
    const char *name, *what;
} kinds[] = {
    {REF_ENV, "environment",
     "whoever starts the process: the platform's settings, a unit, a shell"},
    {REF_VAULT, "Vault", "the server and the way to log in stand under the bootstrap variables"},
    {REF_SEALED, "sealed store", "values encrypted one by one, beside the contract"},
    {REF_FILE, "file", "a mounted secret; one line break at its end is dropped"},
    {REF_COMMAND, "command", "what a program prints, run without a shell"},
    {REF_NONE, "none", "no value of its own: a default, or what an administrator keeps"},
};

/* The profiles in which a variable has a part from each kind. */
struct origins {
    uint32_t profiles[ARRAY_LEN(kinds)];
};

static void find_origins(struct docs_look *look, size_t index, struct origins *out)
{
    size_t looks = docs_looks(look, index);

    for (size_t i = 0; i < looks; i++) {
        uint32_t profiles = looks == 1 ? docs_all_profiles(look) : UINT32_C(1) << i;
        struct docs_view view;
        docs_see(look, index, docs_profile(look, i), &view);
        for (size_t k = 0; k < view.variable.part_count; k++)
            for (size_t row = 0; row < ARRAY_LEN(kinds); row++)
                if (view.variable.parts[k].ref.kind == kinds[row].kind)
                    out->profiles[row] |= profiles;
    }
    docs_forget(look);
}

static void write_kind(struct docs_look *look, const struct origins *origins, size_t row)
{
    AUTO_BUF names = BUF_INIT(look->out->max);
    struct docs_words w = {.out = &names, .style = DOCS_CELL};

    for (size_t i = 0; i < look->d->variable_count; i++) {
        uint32_t profiles = origins[i].profiles[row];
        if (!profiles)
            continue;
        docs_say(&w, names.len > 0 ? ", " : "");
        docs_code(&w, look->d->variables[i]->key);
        if (profiles != docs_all_profiles(look)) {
            docs_say(&w, " (");
            docs_profiles(look, profiles, &w);
            docs_say(&w, ")");
        }
    }
    if (names.no_memory)
        look->out->no_memory = true;
    if (names.len > 0)
        buf_addf(look->out, "| %s | %s | %s |\n", kinds[row].name, kinds[row].what,
                 buf_text(&names));
}

/* Variables whose environment may win, and where it never does. */
static void write_precedence(struct docs_look *look)
{
    struct docs_words w = {.out = look->out, .style = DOCS_PROSE};
    size_t count = 0;

    docs_say(&w, "The source is canonical. A different value that is in the process's environment "
                 "already is not used, and is reported as `shadowed`.");
    for (size_t i = 0; i < look->d->variable_count && !look->d->no_memory; i++) {
        bool overridable = false;
        for (size_t k = 0; k < docs_looks(look, i); k++) {
            struct layers layers;
            layers_merge(look->d, i, docs_profile(look, k), &layers);
            overridable = overridable || node_truth(layers.at[VARIABLE_OVERRIDE], false);
        }
        if (!overridable)
            continue;
        docs_say(&w, count++ == 0 ? " The environment wins for " : ", ");
        docs_code(&w, look->d->variables[i]->key);
    }
    docs_say(&w, count > 0 ? "." : "");
    if (count > 0 && look->d->strict_profiles && look->d->strict_profiles[0]) {
        docs_say(&w, " In ");
        docs_codes(&w, look->d->strict_profiles, "and");
        docs_say(&w, " it never does.");
    }
    docs_say(&w, "\n\n");
}

void docs_write_sources(struct docs_look *look)
{
    AUTO_FREE struct origins *origins = mem_new(look->d->variable_count + 1, sizeof *origins);

    if (!origins) {
        look->d->no_memory = true;
        return;
    }
    for (size_t i = 0; i < look->d->variable_count && !look->d->no_memory; i++)
        find_origins(look, i, &origins[i]);
    write_precedence(look);
    buf_adds(look->out, "| source | whose it is | variables |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        write_kind(look, origins, i);
}
