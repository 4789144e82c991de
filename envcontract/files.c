/* envcontract/files.c: the section `files`: what is written for the application, and its kinds. */
#include <string.h>

#include "base/endpoint.h"
#include "base/str.h"
#include "envcontract/keys.h"

enum {
    DEFAULT_MODE = 0400,
    MODE_DIGITS_MIN = 3,
    MODE_DIGITS_MAX = 4,
    MODE_MAX = 0777,
    MODE_OTHERS_WRITE = 0022, /* the group's too: whoever may write it may choose the secret */
    MODE_OTHERS_READ = 0004,
    OCTAL_BITS = 3,
};

/* ---- kinds ------------------------------------------------------------------------------------ */

/* "0400" and "400" as a number; -1: it is none. */
static int mode_of(const char *text)
{
    size_t digits = strlen(text);
    int mode = 0;

    if (digits < MODE_DIGITS_MIN || digits > MODE_DIGITS_MAX || strspn(text, "01234567") != digits)
        return -1;
    for (; *text; text++)
        mode = mode << OCTAL_BITS | (*text - '0');
    return mode <= MODE_MAX ? mode : -1;
}

void mode_check(struct contract_document *d, const struct key *key, struct node *value)
{
    int mode = value->kind == NODE_STRING ? mode_of(value->text) : -1;

    if (mode < 0)
        problem(d, value, AT_VALUE, "Write it as \"0400\", in octal digits, as a string.",
                "'%s' takes permissions such as \"0400\"", key->name);
    else if (mode & MODE_OTHERS_WRITE)
        problem(d, value, AT_VALUE, NULL, "'%s' lets others write the file (%s)", key->name,
                value->text);
}

void listen_check(struct contract_document *d, const struct key *key, struct node *value)
{
    struct endpoint unused;
    struct err err = ERR_INIT;

    if (value->kind != NODE_STRING)
        problem(d, value, AT_VALUE, NULL, "'%s' takes unix:PATH or ADDR:PORT, not %s", key->name,
                node_kind_words(value));
    else if (endpoint_parse(value->text, d->folder, &unused, &err) != 0)
        problem_from(d, value, &err);
}

void period_check(struct contract_document *d, const struct key *key, struct node *value)
{
    const struct key duration = {.name = key->name, .kind = KIND_DURATION, .no_zero = key->no_zero};

    if (value->kind == NODE_STRING && str_eq(value->text, "off"))
        return;
    if (value->kind == NODE_STRING)
        kind_check(d, &duration, value);
    else
        problem(d, value, AT_VALUE, NULL,
                "'%s' takes a duration such as \"5m\", or \"off\", not %s", key->name,
                node_kind_words(value));
}

/* ---- what is wrong beyond keys ------------------------------------------------------------------ */

static void check_name(struct contract_document *d, const struct node *node, const char *name)
{
    char hint[NEAREST_HINT_BYTES];

    if (name && *name && document_find(d, name) < 0 && !problems_full(d))
        problem(d, node, AT_VALUE, nearest_hint(d, name, d->names, d->variable_count, hint),
                "'%.*s' is no variable of the contract", SHOWN(name));
}

/* Two that are written to one place. */
static void check_path(struct contract_document *d, const struct node *list,
                       const struct node *file, const struct node *path)
{
    const char *text = node_text(path);

    if (!path) {
        problem(d, file, AT_VALUE, "Relative paths start from the contract's folder.",
                "an entry of 'files' without 'path'");
        return;
    }
    if (text && str_ends(text, "/"))
        problem(d, path, AT_VALUE, NULL, "'%.*s' is a folder's path", SHOWN(text));
    for (const struct node *other = list->first; text && other != file; other = other->next) {
        if (str_eq(node_text(node_member(other, "path")), text)) {
            problem(d, path, AT_VALUE, NULL, "'%.*s' is written twice", SHOWN(text));
            return;
        }
    }
}

static void check_file(struct contract_document *d, const struct node *list,
                       const struct node *file, const struct node *const at[static FILE_KEY_COUNT])
{
    const struct template *template = at[FILE_TEMPLATE] ? at[FILE_TEMPLATE]->built : NULL;

    check_path(d, list, file, at[FILE_PATH]);
    if (!at[FILE_TEMPLATE] == !at[FILE_VAR])
        problem(d, file, AT_VALUE,
                "Its content is a variable's value, or a text with {NAME} in it.",
                at[FILE_VAR] ? "an entry of 'files' with both 'var' and 'template'"
                             : "an entry of 'files' with neither 'var' nor 'template'");
    check_name(d, at[FILE_VAR], node_text(at[FILE_VAR]));
    for (size_t i = 0; template && i < template->count; i++)
        check_name(d, at[FILE_TEMPLATE], template->pieces[i].name);
}

/* ---- what it says ------------------------------------------------------------------------------- */

/* The names that FILE is made of, NULL-terminated. */
static const char *const *names_of(struct contract_document *d, const struct contract_file *file)
{
    size_t most = file->variable ? 1 : file->template->count, count = 0;
    const char **names = arena_new(&d->arena, most + 1, sizeof *names);

    if (!names) {
        d->no_memory = true;
        return NULL;
    }
    if (file->variable)
        names[count++] = file->variable;
    for (size_t i = 0; file->template && i < file->template->count; i++)
        if (file->template->pieces[i].name)
            names[count++] = file->template->pieces[i].name;
    return names;
}

/* False: it is not complete, which was said. */
static bool read_file(struct contract_document *d, const struct node *file,
                      const struct node *const at[static FILE_KEY_COUNT], struct contract_file *out)
{
    const char *mode = node_text(at[FILE_MODE]);
    int number = mode ? mode_of(mode) : DEFAULT_MODE;

    *out = (struct contract_file){
        .position = node_position(d, &d->arena, file, AT_VALUE),
        .path = node_text(at[FILE_PATH]),
        .variable = node_text(at[FILE_VAR]),
        .template = at[FILE_TEMPLATE] ? at[FILE_TEMPLATE]->built : NULL,
        .mode = number < 0 ? DEFAULT_MODE : (unsigned)number,
        .owner = node_text(at[FILE_OWNER]),
        .group = node_text(at[FILE_GROUP]),
    };
    if (!out->path || (!out->variable && !out->template))
        return false;
    out->names = names_of(d, out);
    return out->names != NULL;
}

void files_read(struct contract *contract, const struct node *list)
{
    struct contract_document *d = contract->document;

    if (!list || list->kind != NODE_ARRAY || list->count == 0)
        return;
    if (list->count > CONTRACT_MAX_LIST) {
        problem(d, list, AT_VALUE, NULL, "'files' has more than %d entries", CONTRACT_MAX_LIST);
        return;
    }
    struct contract_file *files = arena_new(&d->arena, list->count, sizeof *files);
    if (!files) {
        d->no_memory = true;
        return;
    }
    for (const struct node *file = list->first; file; file = file->next) {
        const struct node *at[FILE_KEY_COUNT] = {NULL};
        if (file->kind != NODE_OBJECT)
            continue; /* said */
        keys_merge(file, at, FILE_KEY_COUNT);
        check_file(d, list, file, at);
        if (read_file(d, file, at, &files[contract->file_count]))
            contract->file_count++;
    }
    contract->files = files;
}

/* ---- its content -------------------------------------------------------------------------------- */

static const struct secret *value_of(const struct contract *contract,
                                     const struct contract_value *values, const char *name,
                                     struct err *err)
{
    const struct contract_variable *variable = contract_find(contract, name);
    const struct contract_value *value = variable ? &values[variable - contract->variables] : NULL;

    if (value && secret_is_set(&value->bytes))
        return &value->bytes;
    (void)err_set(err, ERR_VIOLATION, "'%s' has no value", name);
    (void)err_hint(err, "What a file is made of is required, or has a default.");
    return NULL;
}

static int fill_in(const struct contract *contract, const struct template *template,
                   const struct contract_value *values, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_piece *piece = &template->pieces[i];
        buf_add(out, piece->text, piece->text_length);
        if (!piece->name)
            continue;
        const struct secret *value = value_of(contract, values, piece->name, err);
        if (!value)
            return -1;
        if (template_fill(piece, value, out, err) != 0)
            return err_wrap(err, "'%s'", piece->name);
    }
    return 0;
}

int contract_render_file(const struct contract *contract, const struct contract_file *file,
                         const struct contract_value *values, struct buf *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(out->max);

    if (file->template) {
        if (fill_in(contract, file->template, values, &text, err) != 0)
            return err_wrap(err, "'%s'", file->path);
    } else {
        const struct secret *value = value_of(contract, values, file->variable, err);
        if (!value)
            return err_wrap(err, "'%s'", file->path);
        buf_add(&text, secret_reveal(value), secret_length(value));
    }
    if (buf_check(&text, ERR_VIOLATION, "its content", err) != 0)
        return err_wrap(err, "'%s'", file->path);
    buf_move(out, &text);
    return 0;
}
