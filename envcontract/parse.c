/* envcontract/parse.c: the contract and what it includes → the model. */
#include "envcontract/keys.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- variables ------------------------------------------------------------------------------ */

static const struct node *vars_of(const struct document_file *file)
{
    const struct node *vars = node_member(file->root, "vars");

    return vars && vars->kind == NODE_OBJECT ? vars : NULL;
}

/* What a shell and every language can name. */
static bool is_variable_name(const char *name)
{
    if (*name >= '0' && *name <= '9')
        return false;
    const char *c = name;
    while ((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
           *c == '_')
        c++;
    return c > name && *c == '\0';
}

/* By name, equal ones by their place; for qsort_r with the nodes. */
static int compare_names(const void *left, const void *right, void *nodes)
{
    const struct node *const *variables = nodes;
    unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
    int order = strcmp(variables[a]->key, variables[b]->key);

    return order != 0 ? order : (a > b) - (a < b);
}

static void sort_names(struct contract_document *d, unsigned *by_name)
{
    for (unsigned i = 0; i < d->variable_count; i++)
        by_name[i] = i;
    qsort_r(by_name, d->variable_count, sizeof *by_name, compare_names, d->variables);
}

/* A name that a second file declares too: say both places; the first one counts. */
static void drop_second_declarations(struct contract_document *d, const unsigned *by_name)
{
    AUTO_FREE bool *second = mem_new(d->variable_count, sizeof *second);
    size_t kept = 0;

    if (!second) {
        d->no_memory = true;
        return;
    }
    unsigned first = by_name[0];
    for (size_t i = 1; i < d->variable_count; i++) {
        const struct node *one = d->variables[first], *other = d->variables[by_name[i]];
        if (!str_eq(one->key, other->key)) {
            first = by_name[i];
            continue;
        }
        second[by_name[i]] = true;
        problem(d, other, AT_KEY, "Keep one of them.",
                "'%.*s' is declared twice; the first is in %s, line %u, column %u",
                SHOWN(other->key), d->files[one->file].path, one->key_line, one->key_column);
    }
    for (size_t i = 0; i < d->variable_count; i++) {
        if (!second[i])
            d->variables[kept++] = d->variables[i];
    }
    d->variable_count = kept;
}

static size_t count_variables(const struct contract_document *d)
{
    size_t count = 0;

    for (size_t i = 0; i < d->file_count; i++) {
        const struct node *vars = vars_of(&d->files[i]);
        count += vars ? vars->count : 0;
    }
    return count;
}

static void add_variables(struct contract_document *d, const struct node *vars)
{
    for (const struct node *member = vars ? vars->first : NULL; member; member = member->next) {
        if (!is_variable_name(member->key))
            problem(d, member, AT_KEY, "Letters, digits and underscores; no digit at the begin.",
                    "'%.*s' cannot be the name of a variable", SHOWN(member->key));
        d->variables[d->variable_count++] = member;
    }
}

/* Every declaration, in the order of the files, and their names sorted. */
static void collect_variables(struct contract_document *d)
{
    size_t count = count_variables(d);

    if (count > CONTRACT_MAX_VARIABLES) {
        problem(d, vars_of(&d->files[0]), AT_KEY, NULL, "more than %d variables",
                CONTRACT_MAX_VARIABLES);
        count = 0;
    }
    unsigned *by_name = arena_new(&d->arena, count + 1, sizeof *by_name);
    d->variables = arena_new(&d->arena, count + 1, sizeof(void *));
    d->names = arena_new(&d->arena, count + 1, sizeof *d->names);
    if (!by_name || !d->variables || !d->names) {
        d->no_memory = true;
        return;
    }
    for (size_t i = 0; count > 0 && i < d->file_count; i++)
        add_variables(d, vars_of(&d->files[i]));
    if (d->variable_count > 0) {
        sort_names(d, by_name);
        drop_second_declarations(d, by_name);
        sort_names(d, by_name);
    }
    for (size_t i = 0; i < d->variable_count; i++)
        d->names[i] = d->variables[i]->key;
    d->by_name = by_name;
}

long document_find(const struct contract_document *d, const char *name)
{
    size_t low = 0, high = d->variable_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, d->variables[d->by_name[middle]]->key);
        if (order == 0)
            return (long)d->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

bool document_has_profile(const struct contract_document *d, const char *name)
{
    for (size_t i = 0; i < d->profile_count; i++) {
        if (str_eq(d->profiles[i], name))
            return true;
    }
    return false;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* What a file must have and be. */
static void check_file(struct contract_document *d, const struct document_file *file,
                       const struct section *section, const char *const *needed)
{
    struct node *root = file->root;

    if (!root)
        return; /* not JSON: said */
    if (root->kind != NODE_OBJECT) {
        problem(d, root, AT_VALUE, "It begins with {\"contract\": 1, \"vars\": {",
                "a contract is an object, not %s", node_kind_words(root));
        return;
    }
    keys_check(d, section, root);
    for (; *needed; needed++) {
        if (!node_member(root, *needed))
            problem(d, root, AT_VALUE, NULL, "'%s' is missing", *needed);
    }
}

static int read_included(struct contract_document *d, const struct node *item, struct err *err)
{
    static const char *const needed[] = {"contract", NULL};
    AUTO_FREE char *joined = file_join(d->folder, item->text);
    const char *path = joined ? arena_dup(&d->arena, joined) : NULL;

    if (!path)
        return err_nomem(err);
    for (size_t i = 0; i < d->file_count; i++) {
        if (str_eq(d->files[i].path, path)) {
            problem(d, item, AT_VALUE, NULL, "this file is included already");
            return 0;
        }
    }
    size_t before = d->file_count;
    if (document_read(d, path, CLOCK_NEVER, err) != 0) {
        if (err->kind == ERR_RESOURCE)
            return -1;
        problem_from(d, item, err);
        err_clear(err);
        return 0;
    }
    check_file(d, &d->files[before], &section_included, needed);
    return 0;
}

static int read_includes(struct contract_document *d, struct err *err)
{
    const struct node *include = node_member(d->files[0].root, "include");
    size_t count = 0;

    if (!include || include->kind != NODE_ARRAY)
        return 0;
    for (const struct node *item = include->first; item; item = item->next) {
        if (item->kind != NODE_STRING || item->count == 0)
            continue; /* said */
        if (++count > CONTRACT_MAX_INCLUDES) {
            problem(d, item, AT_VALUE, NULL, "more than %d files are included",
                    CONTRACT_MAX_INCLUDES);
            return 0;
        }
        if (read_included(d, item, err) != 0)
            return -1;
    }
    return 0;
}

static int read_files(struct contract *contract, int64_t deadline_ms, struct err *err)
{
    static const char *const needed[] = {"contract", "vars", NULL};
    struct contract_document *d = contract->document;

    if (document_read(d, contract->path, deadline_ms, err) != 0)
        return -1;
    d->has_profiles = node_member(d->files[0].root, "profile") != NULL;
    check_file(d, &d->files[0], &section_top, needed);
    return read_includes(d, err);
}

/* ---- the contract --------------------------------------------------------------------------- */

static struct contract *new_contract(const char *path)
{
    struct contract *contract = mem_new(1, sizeof *contract);
    struct contract_document *d = mem_new(1, sizeof *d);
    AUTO_FREE char *folder = file_input_folder(path);

    if (!contract || !d || !folder) {
        free(contract);
        free(d);
        return NULL;
    }
    contract->document = d;
    contract->path = arena_dup(&d->arena, path);
    contract->folder = d->folder = arena_dup(&d->arena, folder);
    if (!contract->path || !contract->folder) {
        contract_free(contract);
        return NULL;
    }
    d->bytes_left = CONTRACT_MAX_BYTES;
    d->values_left = CONTRACT_MAX_VALUES;
    d->nearest_left = CONTRACT_NEAREST_BUDGET;
    d->patterns_left = CONTRACT_MAX_PATTERNS;
    d->pieces_left = CONTRACT_MAX_ALL_PIECES;
    d->plain_rules = (struct contract_rules){
        .type = TYPE_STRING, .required = true, .length_max = SIZE_MAX};
    return contract;
}

static int load(struct contract *contract, int64_t deadline_ms, struct err *err)
{
    struct contract_document *d = contract->document;

    if (read_files(contract, deadline_ms, err) != 0)
        return -1;
    d->base = node_member(d->files[0].root, "base");
    collect_variables(d);
    if (!d->no_memory) {
        sections_read(contract);
        sections_check(contract);
        relations_read(contract);
        lint_variables(d);
    }
    findings_sort(d->findings);
    return d->no_memory ? err_nomem(err) : findings_check(d->findings, err);
}

int contract_load(const char *path, int64_t deadline_ms, struct contract **out,
                  struct findings *findings, struct err *err)
{
    struct contract *contract = new_contract(path);

    if (!contract)
        return err_nomem(err);
    contract->document->findings = findings;
    int result = load(contract, deadline_ms, err);
    contract->document->findings = NULL;
    arena_release(&contract->document->scratch);
    if (result != 0) {
        contract_free(contract);
        return err_wrap(err, "read the contract");
    }
    *out = contract;
    return 0;
}

struct contract_variable *contract_find(const struct contract *contract, const char *name)
{
    long index = contract->variables ? document_find(contract->document, name) : -1;

    return index < 0 ? NULL : &contract->variables[index];
}

const char *contract_nearest_name(const struct contract *contract, const char *name)
{
    const char *const *names = contract->document->names;

    return names ? str_nearest(name, names) : NULL;
}

void contract_free(struct contract *contract)
{
    if (!contract)
        return;
    struct contract_document *d = contract->document;
    for (size_t i = 0; i < d->file_count; i++)
        free(d->files[i].text);
    arena_release(&d->scratch);
    arena_release(&d->selected);
    arena_release(&d->arena);
    free(d);
    free(contract);
}
