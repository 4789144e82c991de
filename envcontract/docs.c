/* envcontract/docs.c: `docs` of the contract, checked and listed; one file of it, rendered. */
#include "envcontract/docs.h"

#include <string.h>

#include "base/file.h"
#include "base/str.h"

static const struct {
    const char *word, *title;
    const struct docs_sections *sections; /* NULL: the file is whole, without sections */
} kinds[DOCS_KIND_COUNT] = {
    [DOCS_ENVIRONMENT] = {"environment", "Environment contract", &docs_environment_sections},
    [DOCS_DATABASE] = {"database", "Database authority", &docs_database_sections},
    [DOCS_ROTATION] = {"rotation", "Rotation of secrets", &docs_rotation_sections},
    [DOCS_ENV_EXAMPLE] = {"env-example", "Environment", &docs_example_sections},
    [DOCS_SCHEMA] = {"schema", "JSON Schema", NULL},
};

/* ---- the section `docs` ----------------------------------------------------------------------- */

/* What the file's own name says it is. */
static bool kind_of_name(const char *path, enum docs_kind *out)
{
#define X(kind, word, name) name,
    static const char *const names[] = {DOCS_KINDS(X)};
#undef X
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    for (int kind = 0; kind < DOCS_KIND_COUNT; kind++) {
        if (str_glob(names[kind], name, strlen(name))) {
            *out = (enum docs_kind)kind;
            return true;
        }
    }
    return false;
}

static bool kind_of_word(const char *word, enum docs_kind *out)
{
    for (int kind = 0; kind < DOCS_KIND_COUNT; kind++) {
        if (str_eq(kinds[kind].word, word)) {
            *out = (enum docs_kind)kind;
            return true;
        }
    }
    return false;
}

static const char *known_profile(const struct contract_document *d, const char *name, size_t length)
{
    for (size_t i = 0; d->profiles && i < d->profile_count; i++)
        if (strlen(d->profiles[i]) == length && memcmp(d->profiles[i], name, length) == 0)
            return d->profiles[i];
    return NULL;
}

/* `.env.<profile>.example`. */
static const char *profile_of_name(const struct contract_document *d, const char *path)
{
    static const char before[] = ".env.", behind[] = ".example";
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = strlen(name), around = sizeof before - 1 + sizeof behind - 1;

    if (length <= around || !str_starts(name, before) || !str_ends(name, behind))
        return NULL;
    return known_profile(d, name + sizeof before - 1, length - around);
}

static void read_profile(struct contract_document *d, const struct node *entry,
                         struct docs_file *out)
{
    const struct node *said = node_member(entry, "profile");
    const char *name = node_text(said);
    char hint[NEAREST_HINT_BYTES];

    if (name && out->kind != DOCS_ENV_EXAMPLE) {
        problem(d, said, AT_KEY, "Such a document is about all profiles: take it away.",
                "'profile' is for files of the kind env-example");
        return;
    }
    if (out->kind != DOCS_ENV_EXAMPLE || (!d->profiles && !name))
        return;
    if (name) {
        out->profile = known_profile(d, name, strlen(name));
        if (!out->profile && !problems_full(d))
            problem(d, said, AT_VALUE,
                    d->profiles ? nearest_hint(d, name, d->profiles, d->profile_count, hint) : NULL,
                    "'%.*s' is no profile of the contract", SHOWN(name));
        return;
    }
    out->profile = profile_of_name(d, entry->key);
    if (!out->profile) {
        const struct node *profile = node_member(d->files[0].root, "profile");
        const char *otherwise = node_text(node_member(profile, "default"));
        out->profile = otherwise ? known_profile(d, otherwise, strlen(otherwise)) : NULL;
    }
    if (!out->profile && d->profile_count > 0)
        problem(d, entry, AT_KEY, "Add \"profile\": \"…\".", "an example of which profile?");
}

static void unknown_section(struct contract_document *d, const struct node *item,
                            const struct docs_sections *sections)
{
    const char *names[DOCS_MAX_SECTIONS + 1] = {NULL};
    char nearest[NEAREST_HINT_BYTES];
    struct message hint = {0};

    if (problems_full(d))
        return;
    for (size_t i = 0; i < sections->count; i++) {
        names[i] = sections->list[i].name;
        message_addf(&hint, "%s%s", i == 0 ? "Sections are " : ", ", names[i]);
    }
    message_addf(&hint, ".");
    (void)nearest_hint(d, item->text, names, sections->count, nearest);
    problem(d, item, AT_VALUE, nearest[0] ? nearest : hint.text,
            "'%.*s' is no section of this document", SHOWN(item->text));
}

static void read_sections(struct contract_document *d, const struct node *entry,
                          struct docs_file *out)
{
    const struct node *list = node_member(entry, "sections");
    const struct docs_sections *sections = kinds[out->kind].sections;

    if (!list || list->kind != NODE_ARRAY)
        return;
    if (!sections) {
        problem(d, list, AT_KEY, "Take it away.", "a schema is whole: it has no sections");
        return;
    }
    if (list->count == 0)
        problem(d, list, AT_VALUE, "Without 'sections' a document has all.",
                "a document of no sections");
    bool seen[DOCS_MAX_SECTIONS] = {false};
    for (const struct node *item = list->first; item; item = item->next) {
        size_t i = 0;
        if (!node_text(item))
            continue; /* said */
        while (i < sections->count && !str_eq(sections->list[i].name, item->text))
            i++;
        if (i == sections->count)
            unknown_section(d, item, sections);
        else if (seen[i])
            problem(d, item, AT_VALUE, NULL, "the section '%s' is named twice", item->text);
        else
            seen[i] = true;
    }
    out->sections = node_list(list);
}

/* One entry; false where it was no document at all. Findings. */
static bool read_entry(struct contract_document *d, const struct node *entry, struct docs_file *out)
{
    const struct node *kind = node_member(entry, "kind");

    if (entry->kind != NODE_OBJECT)
        return false; /* said */
    *out = (struct docs_file){.path = entry->key};
    if (!*entry->key || str_ends(entry->key, "/")) {
        problem(d, entry, AT_KEY, NULL, "the path of a document names no file");
        return false;
    }
    if (kind && !kind_of_word(node_text(kind), &out->kind))
        return false; /* said */
    if (!kind && !kind_of_name(entry->key, &out->kind)) {
        problem(d, entry, AT_KEY,
                "Add \"kind\": environment, database, rotation, env-example or schema.",
                "'%.*s': its name does not say what it is", SHOWN(entry->key));
        return false;
    }
    for (size_t i = 0; i < d->file_count; i++) {
        AUTO_FREE char *joined = file_join(d->folder, entry->key);
        if (!joined)
            d->no_memory = true;
        else if (str_eq(joined, d->files[i].path))
            problem(d, entry, AT_KEY, NULL, "a document cannot take the place of the contract");
    }
    read_profile(d, entry, out);
    read_sections(d, entry, out);
    return true;
}

void docs_check(struct contract_document *d, const struct node *section)
{
    struct docs_file file;

    if (!section || section->kind != NODE_OBJECT)
        return;
    for (const struct node *entry = section->first; entry; entry = entry->next)
        (void)read_entry(d, entry, &file); /* what it found is a finding */
}

/* What the document itself, memory or its findings keep from being used. */
static int finish(struct contract_document *d, const struct findings *findings, struct err *err)
{
    d->findings = NULL;
    if (d->no_memory || findings->no_memory)
        return err_nomem(err);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *f = &findings->list[i];
        if (f->severity != FINDING_ERROR)
            continue;
        (void)err_set(err, ERR_CONTRACT, "%s%s%s", f->variable ? f->variable : "",
                      f->variable ? ": " : "", f->message);
        if (f->hint)
            (void)err_hint(err, "%s", f->hint);
        return err_at(err, f->file, f->line, f->column);
    }
    return 0;
}

int docs_list(struct contract *contract, struct arena *arena, const struct docs_file **out,
              size_t *count, struct err *err)
{
    struct contract_document *d = contract->document;
    const struct node *section = node_member(d->files[0].root, "docs");
    if (section && section->kind != NODE_OBJECT)
        section = NULL;
    struct docs_file *list = arena_new(arena, section ? section->count + 1 : 1, sizeof *list);
    AUTO_FINDINGS findings = FINDINGS_INIT;
    size_t listed = 0;

    if (!list)
        return err_nomem(err);
    d->findings = &findings;
    for (const struct node *entry = section ? section->first : NULL; entry; entry = entry->next)
        listed += read_entry(d, entry, &list[listed]) ? 1 : 0;
    if (finish(d, &findings, err) != 0)
        return -1;
    *out = list;
    *count = listed;
    return 0;
}

/* ---- one file ----------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What stands over a new document; it is the reader's from then on. */
static void add_intro(struct docs_look *look, struct buf *out)
{
    bool example = look->file->kind == DOCS_ENV_EXAMPLE;
    struct docs_words w = {.out = out, .style = example ? DOCS_COMMENT : DOCS_PROSE};

    docs_say(&w, "# ");
    docs_say(&w, kinds[look->file->kind].title);
    if (look->contract->project) {
        docs_say(&w, " of ");
        docs_text(&w, look->contract->project);
    }
    if (look->file->profile) {
        docs_say(&w, " in ");
        docs_text(&w, look->file->profile);
    }
    docs_say(&w, example ? "\n#\n# Made by agent docs from " : "\n\nMade by `agent docs` from ");
    docs_code(&w, base_name(look->contract->path));
    docs_say(&w, ": change that file, and run it again.");
    docs_say(&w, example ? "\n# " : " ");
    docs_say(&w, "What stands outside of the markers is kept as it is.\n");
}

/* One section as the lines of its block. */
static int write_block(struct docs_look *look, const struct docs_section *section,
                       struct docs_block *block, struct err *err)
{
    AUTO_BUF text = BUF_INIT(DOCS_FILE_MAX_BYTES), content = BUF_INIT(DOCS_FILE_MAX_BYTES);

    look->out = &content;
    section->write(look);
    look->out = NULL;
    if (look->d->no_memory)
        return err_nomem(err);
    if (buf_check(&content, ERR_FILE, "a section", err) != 0)
        return -1;
    buf_addf(&text, look->file->kind == DOCS_ENV_EXAMPLE ? "# ---- %s ----\n" : "## %s\n\n",
             section->title);
    buf_add(&text, buf_text(&content), content.len);
    if (buf_check(&text, ERR_FILE, "a section", err) != 0)
        return -1;
    *block = (struct docs_block){.name = section->name,
                                 .text = arena_dup_n(&look->arena, buf_text(&text), text.len),
                                 .length = text.len};
    return block->text ? 0 : err_nomem(err);
}

static const struct docs_section *find_section(const struct docs_sections *sections,
                                               const char *name)
{
    for (size_t i = 0; i < sections->count; i++)
        if (str_eq(sections->list[i].name, name))
            return &sections->list[i];
    return NULL;
}

/* The blocks that the contract wants, in its order. */
static int write_blocks(struct docs_look *look, struct docs_block *blocks, size_t *count,
                        struct err *err)
{
    const struct docs_sections *sections = kinds[look->file->kind].sections;
    const char *const *wanted = look->file->sections;

    for (size_t i = 0; wanted ? wanted[i] != NULL : i < sections->count; i++) {
        const struct docs_section *section = wanted ? find_section(sections, wanted[i])
                                                    : &sections->list[i];
        if (!section) /* docs_check said so: such a contract is not rendered */
            return err_set(err, ERR_DEFECT, "no section '%s'", wanted ? wanted[i] : "");
        if (write_block(look, section, &blocks[*count], err) != 0)
            return err_wrap(err, "section '%s'", section->name);
        ++*count;
    }
    return 0;
}

static void add_whole(struct docs_look *look, const struct docs_layout *layout, struct buf *out)
{
    add_intro(look, out);
    for (size_t i = 0; i < layout->block_count; i++) {
        buf_addc(out, '\n');
        docs_add_marker(layout, "begin", layout->blocks[i].name, out);
        buf_addc(out, '\n');
        buf_add(out, layout->blocks[i].text, layout->blocks[i].length);
        docs_add_marker(layout, "end", layout->blocks[i].name, out);
        buf_addc(out, '\n');
    }
}

static int render_sections(struct docs_look *look, const struct docs_present *present,
                           struct buf *out, struct err *err)
{
    const struct docs_sections *sections = kinds[look->file->kind].sections;
    const char *known[DOCS_MAX_SECTIONS + 1] = {NULL};
    struct docs_block blocks[DOCS_MAX_SECTIONS] = {{0}};
    struct docs_layout layout = {
        .comments = look->file->kind == DOCS_ENV_EXAMPLE, .known = known, .blocks = blocks};

    for (size_t i = 0; i < sections->count; i++)
        known[i] = sections->list[i].name;
    if (layout.comments) {
        docs_choose(look, &look->example);
        if (look->d->no_memory)
            return err_nomem(err);
    }
    if (write_blocks(look, blocks, &layout.block_count, err) != 0)
        return -1;
    if (present->text && present->length > 0)
        return docs_merge(&layout, present, out, err);
    add_whole(look, &layout, out);
    return buf_check(out, ERR_FILE, present->path, err);
}

/* A schema is written over one that is there, and over nothing else. */
static int render_schema(const struct docs_present *present, struct buf *out, struct err *err)
{
    static const char draft[] = "https://json-schema.org/draft/2020-12/schema";

    if (present->text && present->length > 0 &&
        !memmem(present->text, present->length, draft, sizeof draft - 1)) {
        (void)err_set(err, ERR_FILE,
                      "'%s' is there and is no JSON Schema: agent docs did not make it",
                      present->path);
        (void)err_hint(err, "Move it away, or give the schema another name. Nothing was written.");
        return err_at(err, present->path, 0, 0);
    }
    return contract_schema_write(out, err);
}

/* The profile whose database, guard and Vault are looked at; they are the same in each, or are
 * looked at one by one. */
static int select_any(struct contract *contract, const struct docs_file *file,
                      struct findings *findings, struct err *err)
{
    const char *profile = file->profile              ? file->profile
                          : contract->profile_values ? contract->profile_values[0]
                                                     : NULL;

    return contract_select(contract, profile, NULL, findings, err);
}

static int render(struct docs_look *look, const struct docs_present *present, struct buf *out,
                  struct err *err)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;

    if (select_any(look->contract, look->file, &findings, err) != 0)
        return -1;
    look->d->findings = &findings;
    int result = render_sections(look, present, out, err);
    struct err other = ERR_INIT;
    if (finish(look->d, &findings, &other) == 0 || result != 0)
        return result;
    *err = other;
    return -1;
}

int docs_render(struct contract *contract, const struct docs_file *file,
                const struct docs_migrations *migrations, const struct docs_present *present,
                struct buf *out, struct err *err)
{
    struct docs_look look = {.contract = contract,
                             .d = contract->document,
                             .file = file,
                             .migrations = migrations,
                             .arena = ARENA_INIT,
                             .scratch = ARENA_INIT};

    int result = kinds[file->kind].sections ? render(&look, present, out, err)
                                            : render_schema(present, out, err);
    arena_release(&look.scratch);
    arena_release(&look.arena);
    if (result != 0 && err->kind != ERR_FILE)
        return err_wrap(err, "make '%s'", file->path);
    return result;
}
