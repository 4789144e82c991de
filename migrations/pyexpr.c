/* migrations/pyexpr.c: the expressions of a revision file that are constants, and what they bind.
 *
 * None, strings (concatenated, added, in brackets), and lists of these are kept; of anything else
 * only that it is something else. Levels are numbers of open brackets: those inside a list are
 * read while the scanner's depth is at least the list's level. */
#include "migrations/internal.h"

#include <string.h>

#include "base/mem.h"

enum {
    PY_MAX_NODES = 64 * 1024, /* of one statement: beyond them it is no constant */
};

static const char no_constant[] = "it is the result of an expression";

/* ---- tokens ------------------------------------------------------------------------------------ */

void py_advance(struct py_reader *r)
{
    r->before = r->s.at;
    py_next(&r->s, &r->now);
}

bool py_at(const struct py_reader *r, const char *text)
{
    return py_is(&r->now, text);
}

bool py_at_line_end(const struct py_reader *r)
{
    return r->now.kind == PY_NEWLINE || r->now.kind == PY_END;
}

static bool at_one_of(const struct py_reader *r, const char *operators)
{
    return r->now.kind == PY_OPERATOR && r->now.length == 1 && strchr(operators, r->now.text[0]);
}

bool py_at_augmented(const struct py_reader *r)
{
    const struct py_token *t = &r->now;
    return t->kind == PY_OPERATOR && t->length >= 2 && t->text[t->length - 1] == '=' &&
           !(t->length == 2 && strchr("=!<>:", t->text[0]));
}

static bool ends_item(const struct py_reader *r, unsigned level)
{
    if (py_at_line_end(r) || r->s.depth < level)
        return true;
    return r->s.depth == level && (at_one_of(r, ",:;=") || py_at_augmented(r));
}

static int variable_of(const struct py_token *token)
{
    for (int v = 0; token->kind == PY_NAME && v < PY_VARIABLES; v++) {
        if (py_is(token, py_variable_names[v]))
            return v;
    }
    return -1;
}

void py_bind_token(struct py_reader *r, const struct py_token *token, const char *why)
{
    int v = variable_of(token);
    if (v >= 0)
        r->out->values[v] = (struct py_value){.kind = PY_COMPUTED, .line = token->line, .why = why};
}

/* Behind NAME: when `:=` follows, it is bound, wherever that stands. */
static void look_for_walrus(struct py_reader *r, const struct py_token *name)
{
    if (py_at(r, ":="))
        py_bind_token(r, name, "it is bound by `:=`");
}

void py_pass(struct py_reader *r)
{
    struct py_token token = r->now;
    py_advance(r);
    look_for_walrus(r, &token);
}

void py_skip_item(struct py_reader *r, unsigned level)
{
    unsigned lambdas = 0; /* whose `:` is still to come: `lambda a, b=1: a` */
    while (!py_at_line_end(r)) {
        bool here = r->s.depth == level;
        if (here && py_at(r, "lambda")) {
            lambdas++;
        } else if (ends_item(r, level)) {
            if (lambdas == 0 || !here || !at_one_of(r, ",:="))
                return;
            lambdas -= at_one_of(r, ":");
        }
        py_pass(r);
    }
}

/* ---- nodes --------------------------------------------------------------------------------------- */

static uint32_t new_node(struct py_reader *r, enum py_node_kind kind, const char *why)
{
    struct pyfile_space *space = r->space;
    if (r->node_count >= PY_MAX_NODES)
        return PY_NO_NODE;
    if (mem_grow(&space->nodes, r->node_count, &space->node_capacity, sizeof *space->nodes) < 0) {
        r->no_memory = true;
        return PY_NO_NODE;
    }
    space->nodes[r->node_count] = (struct py_node){.kind = kind,
                                                   .token = r->now,
                                                   .end = r->now.text + r->now.length,
                                                   .first = PY_NO_NODE,
                                                   .next = PY_NO_NODE,
                                                   .why = why};
    return (uint32_t)r->node_count++;
}

struct py_node *py_node_at(const struct py_reader *r, uint32_t i)
{
    return i == PY_NO_NODE ? NULL : &r->space->nodes[i];
}

static bool is_kind(const struct py_reader *r, uint32_t i, enum py_node_kind kind)
{
    return i != PY_NO_NODE && r->space->nodes[i].kind == kind;
}

static void make_computed(struct py_reader *r, uint32_t i, const char *why)
{
    if (i == PY_NO_NODE)
        return;
    r->space->nodes[i].kind = PY_NODE_COMPUTED;
    r->space->nodes[i].why = why;
}

/* ---- expressions ---------------------------------------------------------------------------------- */

static uint32_t parse_item(struct py_reader *r, unsigned level);

uint32_t py_parse_list(struct py_reader *r, enum py_node_kind kind, unsigned level)
{
    uint32_t list = new_node(r, kind, NULL), last = PY_NO_NODE, count = 0;
    bool comma = false;
    while (!ends_item(r, level)) {
        uint32_t item = parse_item(r, level);
        if (item == PY_NO_NODE || list == PY_NO_NODE)
            make_computed(r, list, "it is too long");
        else if (last == PY_NO_NODE)
            r->space->nodes[list].first = item;
        else
            r->space->nodes[last].next = item;
        last = item;
        count++;
        if (r->s.depth != level || !py_at(r, ","))
            break;
        comma = true;
        py_advance(r);
    }
    if (list == PY_NO_NODE)
        return list;
    r->space->nodes[list].count = count;
    bool one = count == 1 && !comma && kind == PY_NODE_TUPLE;
    return one ? last : list;
}

/* At an opening bracket: behind the closing one. */
static uint32_t parse_brackets(struct py_reader *r)
{
    const char *start = r->now.text;
    unsigned inside = r->s.depth;
    enum py_node_kind kind = *start == '('   ? PY_NODE_TUPLE
                             : *start == '[' ? PY_NODE_LIST
                                             : PY_NODE_SET;
    py_advance(r);
    uint32_t list = py_parse_list(r, kind, inside);
    if (!py_at_line_end(r) && r->s.depth >= inside) {
        make_computed(r, list, "it is a dictionary or a comprehension");
        while (!py_at_line_end(r) && r->s.depth >= inside)
            py_pass(r);
    }
    py_advance(r);
    if (is_kind(r, list, PY_NODE_TEXT)) { /* ('a'): decoding wants brackets that are whole */
        r->space->nodes[list].token.text = start;
        r->space->nodes[list].end = r->before;
    }
    return list;
}

/* One string literal, or several that are concatenated because they stand side by side. */
static uint32_t parse_strings(struct py_reader *r)
{
    uint32_t text = new_node(r, PY_NODE_TEXT, NULL);
    for (; r->now.kind == PY_STRING; py_advance(r)) {
        struct py_node *n = py_node_at(r, text);
        if (!n)
            continue;
        n->end = r->now.text + r->now.length;
        if (py_string_is_plain(&r->now))
            continue;
        bool bytes = memchr(r->now.text, 'b', 2) || memchr(r->now.text, 'B', 2);
        n->kind = bytes ? PY_NODE_WRONG : PY_NODE_COMPUTED;
        n->why = bytes ? "it is bytes, not a string" : "it is an f-string";
    }
    return text;
}

static uint32_t parse_word(struct py_reader *r)
{
    uint32_t word;
    if (py_at(r, "None"))
        word = new_node(r, PY_NODE_NONE, NULL);
    else if (py_at(r, "True") || py_at(r, "False"))
        word = new_node(r, PY_NODE_WRONG, "it is True or False");
    else
        word = new_node(r, PY_NODE_NAME, "it is the value of another name");
    py_pass(r);
    return word;
}

/* `'a' + 'b'` of literals is folded: LEFT becomes both. */
static void parse_sum(struct py_reader *r, uint32_t left)
{
    while (py_at(r, "+") && is_kind(r, left, PY_NODE_TEXT)) {
        py_advance(r);
        uint32_t right = PY_NO_NODE;
        if (r->now.kind == PY_STRING)
            right = parse_strings(r);
        else if (py_at(r, "("))
            right = parse_brackets(r);
        if (is_kind(r, right, PY_NODE_TEXT))
            r->space->nodes[left].end = r->space->nodes[right].end;
        else
            make_computed(r, left, no_constant);
    }
}

static uint32_t parse_item(struct py_reader *r, unsigned level)
{
    uint32_t item;
    if (r->now.kind == PY_STRING) {
        item = parse_strings(r);
    } else if (at_one_of(r, "([{")) {
        item = parse_brackets(r);
    } else if (r->now.kind == PY_NUMBER || py_at(r, "...")) {
        item = new_node(r, PY_NODE_WRONG, "it is a number");
        py_advance(r);
    } else if (r->now.kind == PY_NAME && !py_at(r, "lambda")) {
        item = parse_word(r);
    } else {
        item = new_node(r, PY_NODE_COMPUTED, no_constant);
        py_skip_item(r, level);
    }
    parse_sum(r, item);
    if (!ends_item(r, level)) {
        make_computed(r, item, no_constant);
        py_skip_item(r, level);
    }
    return item;
}

/* ---- what an expression binds -------------------------------------------------------------------- */

/* 0, or -1 with *value saying why not. */
static int decode(struct py_reader *r, const struct py_node *n, const char **out,
                  struct py_value *value)
{
    const char *why = NULL;
    if (py_decode(r->arena, n->token.text, n->end, r->encoding, out, &why) == 0)
        return 0;
    r->no_memory |= !why;
    value->kind = PY_WRONG;
    value->why = why;
    return -1;
}

static void take_items(struct py_reader *r, const struct py_node *list, struct py_value *value)
{
    const char **items = arena_new(r->arena, (size_t)list->count + 1, sizeof *items);
    size_t n = 0;
    if (!items) {
        r->no_memory = true;
        return;
    }
    for (const struct py_node *item = py_node_at(r, list->first); item;
         item = py_node_at(r, item->next), n++) {
        if (item->kind == PY_NODE_TEXT) {
            if (decode(r, item, &items[n], value) < 0)
                return;
        } else if (item->kind != PY_NODE_NONE) {
            bool computed = item->kind == PY_NODE_COMPUTED || item->kind == PY_NODE_NAME;
            value->kind = computed ? PY_COMPUTED : PY_WRONG;
            value->line = item->token.line;
            value->why = item->why ? item->why : "there is a list in it";
            return;
        }
    }
    value->kind = PY_LIST;
    value->items = items;
    value->count = n;
}

/* The value of an expression. */
static struct py_value value_of(struct py_reader *r, uint32_t i)
{
    const struct py_node *n = py_node_at(r, i);
    struct py_value value = {.kind = PY_COMPUTED, .why = n ? n->why : "it is too long"};
    if (!n)
        return value;
    switch (n->kind) {
    case PY_NODE_NONE:
        value.kind = PY_NONE;
        break;
    case PY_NODE_TEXT: {
        const char **items = arena_new(r->arena, 2, sizeof *items);
        if (!items) {
            r->no_memory = true;
        } else if (decode(r, n, items, &value) == 0) {
            value.kind = PY_TEXT;
            value.items = items;
            value.count = 1;
        }
        break;
    }
    case PY_NODE_TUPLE:
    case PY_NODE_LIST:
    case PY_NODE_SET:
        take_items(r, n, &value);
        break;
    case PY_NODE_WRONG:
        value.kind = PY_WRONG;
        break;
    case PY_NODE_NAME:
    case PY_NODE_COMPUTED:
        break;
    }
    return value;
}

/* TARGET = VALUE; lists of targets take their values one by one. With a `*rest` among as many targets
 * as there are values, that takes one too. */
void py_bind(struct py_reader *r, uint32_t target, uint32_t value, enum py_runs runs)
{
    static const char condition[] = "it is bound under a condition, in a loop or in a handler";
    const struct py_node *t = py_node_at(r, target), *v = py_node_at(r, value);
    if (!t || runs == PY_NEVER_RUNS)
        return;
    int variable = t->kind == PY_NODE_NAME ? variable_of(&t->token) : -1;
    if (variable >= 0) {
        struct py_value bound = {.kind = PY_COMPUTED, .why = condition};
        if (runs == PY_RUNS)
            bound = value_of(r, value);
        if (!bound.line)
            bound.line = t->token.line;
        r->out->values[variable] = bound;
        return;
    }
    if (t->kind != PY_NODE_TUPLE && t->kind != PY_NODE_LIST)
        return;
    bool matches = v && (v->kind == PY_NODE_TUPLE || v->kind == PY_NODE_LIST) &&
                   v->count == t->count;
    uint32_t part = matches ? v->first : PY_NO_NODE;
    for (uint32_t i = t->first; i != PY_NO_NODE; i = py_node_at(r, i)->next) {
        py_bind(r, i, part, runs);
        part = part == PY_NO_NODE ? part : py_node_at(r, part)->next;
    }
}
