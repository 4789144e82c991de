/* envcontract/document.c: problems at their places, and the tree's nodes read. */
#include "envcontract/document.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

bool problems_full(const struct contract_document *d)
{
    return d->problems >= CONTRACT_MAX_PROBLEMS;
}

/* A pointer that is being written. Room for the ceiling and one more segment, escaped. */
struct pointer {
    char text[CONTRACT_MAX_POINTER_BYTES + 2 * CONTRACT_MAX_KEY_BYTES + 2];
    size_t length;
};

/* RFC 6901: "~" and "/" in a key are escaped. */
static void add_segment(struct pointer *out, const struct node *node)
{
    out->text[out->length++] = '/';
    if (node->parent->kind == NODE_ARRAY) {
        int digits = snprintf(out->text + out->length, sizeof out->text - out->length, "%u",
                              node->index);
        out->length += (size_t)digits; /* the ceiling has room for any unsigned */
        return;
    }
    for (const char *c = node->key; *c; c++) {
        if (*c == '~' || *c == '/') {
            out->text[out->length++] = '~';
            out->text[out->length++] = *c == '~' ? '0' : '1';
        } else {
            out->text[out->length++] = *c;
        }
    }
}

/* The pointer of NODE, or of its nearest ancestor whose pointer fits. */
static void write_pointer(const struct node *node, struct pointer *out)
{
    const struct node *path[CONTRACT_MAX_DEPTH + 1];
    size_t depth = 0;

    out->length = 0;
    for (; node->parent && depth < ARRAY_LEN(path); node = node->parent)
        path[depth++] = node;
    while (depth > 0) {
        size_t before = out->length;
        add_segment(out, path[--depth]);
        if (out->length > CONTRACT_MAX_POINTER_BYTES) {
            out->length = before;
            break;
        }
    }
    out->text[out->length] = '\0';
}

static struct contract_position place(const struct contract_document *d, const struct node *node,
                                      enum problem_at at)
{
    bool key = at == AT_KEY && node->key;

    return (struct contract_position){
        .file = d->files[node->file].path,
        .line = key ? node->key_line : node->line,
        .column = key ? node->key_column : node->column,
    };
}

struct contract_position node_position(struct contract_document *d, struct arena *a,
                                       const struct node *node, enum problem_at at)
{
    struct contract_position position = place(d, node, at);
    struct pointer pointer;

    write_pointer(node, &pointer);
    position.pointer = arena_dup_n(a, pointer.text, pointer.length);
    if (!position.pointer)
        d->no_memory = true;
    return position;
}

/* The variable in whose declaration NODE lies, or NULL. */
static const char *variable_around(const struct node *node)
{
    for (; node && node->parent; node = node->parent) {
        const struct node *above = node->parent;
        if (above->parent && !above->parent->parent && str_eq(above->key, "vars"))
            return node->key;
    }
    return NULL;
}

PRINTF(6, 0)
static void add_problem(struct contract_document *d, enum finding_severity severity,
                        const struct node *node, enum problem_at at, const char *hint,
                        const char *format, va_list args)
{
    size_t *count = severity == FINDING_ERROR ? &d->problems : &d->warnings;
    struct contract_position position = {.file = d->files[0].path};
    struct pointer pointer;

    if (*count >= CONTRACT_MAX_PROBLEMS)
        return;
    ++*count;
    if (node) {
        position = place(d, node, at);
        write_pointer(node, &pointer);
        position.pointer = pointer.text;
    }
    const char *variable = variable_around(node);
    findings_addv(d->findings, severity, variable ? variable : d->looking_at, "contract", &position,
                  hint, format, args);
    if (*count < CONTRACT_MAX_PROBLEMS)
        return;
    position = (struct contract_position){.file = d->files[0].path};
    findings_addf(d->findings, severity, NULL, "contract", &position, "Mend these first.",
                  "%d %s: what is beyond them is not shown", CONTRACT_MAX_PROBLEMS,
                  severity == FINDING_ERROR ? "problems" : "warnings");
}

void problem(struct contract_document *d, const struct node *node, enum problem_at at,
             const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_problem(d, FINDING_ERROR, node, at, hint, format, args);
    va_end(args);
}

void problem_warning(struct contract_document *d, const struct node *node, enum problem_at at,
                     const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_problem(d, FINDING_WARNING, node, at, hint, format, args);
    va_end(args);
}

void problem_from(struct contract_document *d, const struct node *node, const struct err *err)
{
    if (err->kind == ERR_RESOURCE)
        d->no_memory = true;
    else
        problem(d, node, AT_VALUE, err->hint, "%s", err->text);
}

const char *document_nearest(struct contract_document *d, const char *name,
                             const char *const *names, size_t count)
{
    if (problems_full(d) || d->nearest_left < count)
        return NULL;
    d->nearest_left -= count;
    return str_nearest(name, names);
}

const char *nearest_hint(struct contract_document *d, const char *name, const char *const *names,
                         size_t count, char hint[static NEAREST_HINT_BYTES])
{
    const char *nearest = document_nearest(d, name, names, count);

    hint[0] = '\0';
    if (nearest)
        (void)snprintf(hint, NEAREST_HINT_BYTES, "Did you mean '%.*s'?", SHOWN(nearest));
    return hint;
}

size_t shown_length(const char *text)
{
    size_t length = strnlen(text, SHOWN_BYTES);

    while (length == SHOWN_BYTES && length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--; /* not half a character */
    return length;
}

/* ---- duplicates ---------------------------------------------------------------------------- */

static int compare_keys(const void *left, const void *right)
{
    const struct node *a = *(const struct node *const *)left;
    const struct node *b = *(const struct node *const *)right;
    int order = strcmp(a->key, b->key);

    if (order == 0)
        order = (a->key_line > b->key_line) - (a->key_line < b->key_line);
    if (order == 0)
        order = (a->key_column > b->key_column) - (a->key_column < b->key_column);
    return order;
}

/* Report the keys that OBJECT has twice and leave the first of each in the tree. Sorting keeps this
 * near linear for any keys; a hash table would have to defend itself. */
int document_drop_duplicates(struct contract_document *d, struct node *object)
{
    size_t count = object->count;
    AUTO_FREE struct node **sorted = mem_new(count, sizeof(void *));
    bool found = false;

    if (!sorted) {
        d->no_memory = true;
        return -1;
    }
    size_t n = 0;
    for (struct node *member = object->first; member; member = member->next)
        sorted[n++] = member;
    qsort(sorted, count, sizeof(void *), compare_keys);
    const struct node *first = sorted[0];
    for (size_t i = 1; i < count; i++) {
        if (!str_eq(first->key, sorted[i]->key)) {
            first = sorted[i];
            continue;
        }
        found = true;
        problem(d, sorted[i], AT_KEY, "Keep one of them.",
                "the key '%.*s' stands here twice; the first is at line %u, column %u",
                SHOWN(first->key), first->key_line, first->key_column);
        sorted[i]->key = NULL; /* marks it */
    }
    if (!found)
        return 0;
    for (struct node **link = &object->first; *link;) {
        if ((*link)->key) {
            link = &(*link)->next;
        } else {
            *link = (*link)->next;
            object->count--;
        }
    }
    return 0;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

const struct node *node_member(const struct node *object, const char *key)
{
    if (!object || object->kind != NODE_OBJECT)
        return NULL;
    for (const struct node *member = object->first; member; member = member->next) {
        if (str_eq(member->key, key))
            return member;
    }
    return NULL;
}

const char *node_text(const struct node *node)
{
    return node && node->kind == NODE_STRING ? node->text : NULL;
}

bool node_truth(const struct node *node, bool otherwise)
{
    return node && node->kind == NODE_BOOL ? node->truth : otherwise;
}

const char *node_scalar(const struct node *node)
{
    if (!node)
        return NULL;
    switch ((enum node_kind)node->kind) {
    case NODE_STRING:
    case NODE_INTEGER:
    case NODE_NUMBER:
        return node->text;
    case NODE_BOOL:
        return node->truth ? "true" : "false";
    case NODE_NULL:
    case NODE_ARRAY:
    case NODE_OBJECT:
        break;
    }
    return NULL;
}

int64_t node_integer(const struct node *node, int64_t otherwise)
{
    int64_t number;

    if (!node || node->kind != NODE_INTEGER || str_to_int64(node->text, node->count, &number) != 0)
        return otherwise;
    return number;
}

int64_t node_duration_ms(const struct node *node, int64_t otherwise)
{
    int64_t ms;

    if (!node_text(node) || str_to_duration(node->text, node->count, &ms) != 0)
        return otherwise;
    return ms;
}

const char *const *node_list(const struct node *node)
{
    return node ? node->built : NULL;
}

const char *node_kind_words(const struct node *node)
{
    switch ((enum node_kind)node->kind) {
    case NODE_NULL:
        return "null";
    case NODE_BOOL:
        return node->truth ? "true" : "false";
    case NODE_INTEGER:
    case NODE_NUMBER:
        return "a number";
    case NODE_STRING:
        return "a string";
    case NODE_ARRAY:
        return "a list";
    case NODE_OBJECT:
        return "an object";
    }
    return "something else";
}
