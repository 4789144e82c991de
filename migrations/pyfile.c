/* migrations/pyfile.c: what a revision file binds at module level, without running it.
 *
 * Statements are read in order. Blocks whose condition is constant (`if True:`) are read or left
 * out, the bodies of functions and classes are left out, and what is bound anywhere else is known at
 * run time only: PY_COMPUTED. The last binding wins, as in Python. */
#include "migrations/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    PY_MAX_BLOCKS = 100,     /* nested blocks: CPython's limit of indentation levels */
    PY_CONDITION_TOKENS = 4, /* of a condition that is constant */
};

const char *const py_variable_names[PY_VARIABLES] = {
    [PY_REVISION] = "revision",
    [PY_DOWN_REVISION] = "down_revision",
    [PY_BRANCH_LABELS] = "branch_labels",
    [PY_DEPENDS_ON] = "depends_on",
};

struct block {
    unsigned column;
    enum py_runs runs;
    enum py_runs else_runs; /* of the last if, try or loop in this block: its next elif or else */
};

struct module {
    struct py_reader r;
    struct block blocks[PY_MAX_BLOCKS];
    size_t block_count;
    bool in_front;      /* nothing but comments so far: a string is the docstring */
    unsigned star_line; /* of an `import *`, which may bind anything; 0: none */
};

void pyfile_space_release(struct pyfile_space *space)
{
    free(space->nodes);
    *space = (struct pyfile_space){0};
}

static struct block *innermost(struct module *m)
{
    return &m->blocks[m->block_count - 1];
}

static enum py_runs both(enum py_runs a, enum py_runs b)
{
    return a > b ? a : b; /* the less certain one */
}

static void push_block(struct module *m, unsigned column, enum py_runs runs)
{
    if (m->block_count == PY_MAX_BLOCKS) {
        m->r.s.trouble = "blocks are nested too deeply";
        m->r.s.trouble_line = m->r.s.line;
        return;
    }
    m->blocks[m->block_count++] = (struct block){.column = column, .runs = runs};
}

/* ---- simple statements ---------------------------------------------------------------------------- */

static bool at_statement_end(const struct module *m)
{
    return py_at_line_end(&m->r) || (m->r.s.depth == 0 && py_at(&m->r, ";"));
}

/* The first line of the stripped docstring; what can't be decoded is no reason to fail. */
static void take_docstring(struct module *m, const struct py_node *text)
{
    const char *whole, *why = NULL;
    struct py_reader *r = &m->r;
    if (py_decode(r->arena, text->token.text, text->end, r->encoding, &whole, &why) < 0) {
        r->no_memory |= !why;
        return;
    }
    const char *start = whole;
    size_t length = strlen(whole);
    str_trim(&start, &length);
    length = strcspn(start, "\n") < length ? strcspn(start, "\n") : length;
    str_trim(&start, &length);
    const char *line = arena_dup_n(r->arena, start, length);
    r->no_memory |= !line;
    if (line)
        r->out->message = line;
}

/* Behind `import` or `from`: to the statement's end. */
static void read_import(struct module *m, bool from)
{
    static const char why[] = "it is imported";
    struct py_reader *r = &m->r;
    while (from && !at_statement_end(m) && !py_at(r, "import"))
        py_advance(r);
    if (from && !at_statement_end(m))
        py_advance(r);
    while (!at_statement_end(m)) {
        struct py_token name = r->now;
        if (py_at(r, "*"))
            m->star_line = r->now.line;
        py_advance(r);
        if (name.kind != PY_NAME)
            continue;
        while (py_at(r, ".")) { /* `import a.b` binds a, `import a.b as c` binds c */
            py_advance(r);
            py_advance(r);
        }
        if (py_at(r, "as")) {
            py_advance(r);
            name = r->now;
        }
        py_bind_token(r, &name, why);
    }
}

static void unbind(struct module *m, uint32_t target, enum py_runs runs)
{
    struct py_reader *r = &m->r;
    const struct py_node *n = py_node_at(r, target);
    if (!n)
        return;
    if (n->kind == PY_NODE_TUPLE || n->kind == PY_NODE_LIST) {
        for (uint32_t i = n->first; i != PY_NO_NODE; i = py_node_at(r, i)->next)
            unbind(m, i, runs);
        return;
    }
    for (int v = 0; n->kind == PY_NODE_NAME && v < PY_VARIABLES; v++) {
        if (py_is(&n->token, py_variable_names[v]) && runs == PY_RUNS)
            r->out->values[v] = (struct py_value){.kind = PY_ABSENT};
        else if (py_is(&n->token, py_variable_names[v]))
            py_bind_token(r, &n->token, "it is deleted under a condition");
    }
}

/* Behind the first target, at `=`: the other targets, the value, and the bindings. */
static void read_assignment(struct module *m, uint32_t first, enum py_runs runs)
{
    struct py_reader *r = &m->r;
    uint32_t last = first;
    while (py_at(r, "=")) {
        py_advance(r);
        uint32_t part = py_parse_list(r, PY_NODE_TUPLE, 0);
        if (last != PY_NO_NODE)
            py_node_at(r, last)->next = part; /* a target's own `next` is free at this level */
        last = part;
    }
    for (uint32_t t = first; t != PY_NO_NODE && t != last; t = py_node_at(r, t)->next)
        py_bind(r, t, last, runs);
}

/* These can bind any name in ways that are not looked into. */
static bool binds_anything(const struct py_node *n)
{
    static const char *const names[] = {"exec", "globals", "locals", "vars"};
    for (size_t i = 0; n && i < ARRAY_LEN(names); i++) {
        if (py_is(&n->token, names[i]))
            return n->kind == PY_NODE_COMPUTED; /* called, not only named */
    }
    return false;
}

static void read_expression(struct module *m, enum py_runs runs)
{
    struct py_reader *r = &m->r;
    bool in_front = m->in_front;
    uint32_t first = py_parse_list(r, PY_NODE_TUPLE, 0);
    const struct py_node *n = py_node_at(r, first);
    if (binds_anything(n)) {
        for (int v = 0; v < PY_VARIABLES; v++)
            r->out->values[v] = (struct py_value){.kind = PY_COMPUTED,
                                                  .line = n->token.line,
                                                  .why = "the file changes its names as it runs"};
    }
    if (in_front && n && n->kind == PY_NODE_TEXT && at_statement_end(m)) {
        take_docstring(m, n);
    } else if (py_at(r, "=")) {
        read_assignment(m, first, runs);
    } else if (py_at(r, ":")) {
        py_advance(r);
        py_skip_item(r, 0);
        if (py_at(r, "="))
            read_assignment(m, first, runs);
    } else if (py_at_augmented(r) && n && n->kind == PY_NODE_NAME) {
        struct py_token name = n->token;
        py_bind_token(r, &name, "it is the result of an augmented assignment");
    }
}

/* Simple statements with `;` between them, to the end of the line. */
static void read_simple(struct module *m, enum py_runs runs)
{
    struct py_reader *r = &m->r;
    while (!py_at_line_end(r)) {
        bool from = py_at(r, "from");
        r->node_count = 0;
        if (from || py_at(r, "import")) {
            py_advance(r);
            read_import(m, from);
        } else if (py_at(r, "del")) {
            py_advance(r);
            unbind(m, py_parse_list(r, PY_NODE_TUPLE, 0), runs);
        } else {
            read_expression(m, runs);
        }
        m->in_front = false;
        while (!at_statement_end(m))
            py_pass(r);
        if (!py_at_line_end(r))
            py_advance(r);
    }
}

/* ---- compound statements ---------------------------------------------------------------------------- */

enum truth { IS_TRUE, IS_FALSE, IS_OPEN };

static enum truth truth_of_words(const struct py_token *t, size_t count)
{
    if (count == 1 && (py_is(t, "True") || (t->kind == PY_NUMBER && *t->text >= '1')))
        return IS_TRUE;
    if (count == 1 && (py_is(t, "False") || py_is(t, "None") || py_is(t, "TYPE_CHECKING") ||
                       (t->kind == PY_NUMBER && t->length == 1 && *t->text == '0')))
        return IS_FALSE;
    if (count == 3 && py_is(&t[1], ".") && py_is(&t[2], "TYPE_CHECKING"))
        return IS_FALSE;
    if (count == 3 && py_is(t, "__name__") && py_is(&t[1], "==") && t[2].kind == PY_STRING &&
        t[2].length > 2 && memcmp(t[2].text + 1, "__main__", 8) == 0)
        return IS_FALSE;
    return IS_OPEN;
}

/* Over a header, up to its `:`; whether its condition is a constant. */
static enum truth read_condition(struct module *m)
{
    struct py_token words[PY_CONDITION_TOKENS];
    size_t count = 0;
    struct py_reader *r = &m->r;
    for (; !py_at_line_end(r) && !(r->s.depth == 0 && py_at(r, ":")); count++) {
        if (count < ARRAY_LEN(words))
            words[count] = r->now;
        py_pass(r);
    }
    if (count == 0 || count > ARRAY_LEN(words))
        return IS_OPEN;
    if (!py_is(words, "not"))
        return truth_of_words(words, count);
    enum truth inner = truth_of_words(words + 1, count - 1);
    return inner == IS_OPEN ? IS_OPEN : inner == IS_TRUE ? IS_FALSE : IS_TRUE;
}

/* Over a header, up to its `:`, taking the names that it binds: those behind `as`, and with LOOP
 * those before `in`. */
static void read_bindings(struct module *m, bool loop, const char *why)
{
    struct py_reader *r = &m->r;
    bool target = loop;
    while (!py_at_line_end(r) && !(r->s.depth == 0 && py_at(r, ":"))) {
        bool as = py_at(r, "as");
        if (loop && py_at(r, "in"))
            target = false;
        if (target)
            py_bind_token(r, &r->now, why);
        py_pass(r);
        if (as)
            py_bind_token(r, &r->now, why);
    }
}

static enum py_runs read_if(struct module *m, enum py_runs reached)
{
    enum truth truth = read_condition(m);
    struct block *b = innermost(m);
    b->else_runs = truth == IS_TRUE ? PY_NEVER_RUNS
                                    : both(reached, truth == IS_FALSE ? PY_RUNS : PY_MAY_RUN);
    return truth == IS_FALSE ? PY_NEVER_RUNS
                             : both(reached, truth == IS_TRUE ? PY_RUNS : PY_MAY_RUN);
}

/* At the first word of a line. When it begins a compound statement: up to the `:` of its header,
 * and whether its body runs. */
static bool read_header(struct module *m, enum py_runs *runs)
{
    struct py_reader *r = &m->r;
    struct block *b = innermost(m);
    struct py_token word = r->now;
    if (word.kind != PY_NAME)
        return false;
    *runs = PY_RUNS;
    if (py_is(&word, "async")) {
        py_advance(r);
        word = r->now;
    }
    bool definition = py_is(&word, "def") || py_is(&word, "class");
    if (py_is(&word, "if") || py_is(&word, "elif")) {
        py_advance(r);
        *runs = read_if(m, py_is(&word, "if") ? b->runs : b->else_runs);
    } else if (py_is(&word, "else") || py_is(&word, "finally") || py_is(&word, "try")) {
        *runs = py_is(&word, "else") ? b->else_runs : b->runs;
        b->else_runs = b->runs;
        (void)read_condition(m);
    } else if (py_is(&word, "while")) {
        py_advance(r);
        bool never = read_condition(m) == IS_FALSE;
        b->else_runs = both(b->runs, never ? PY_RUNS : PY_MAY_RUN);
        *runs = never ? PY_NEVER_RUNS : PY_MAY_RUN;
    } else if (py_is(&word, "for") || py_is(&word, "except")) {
        py_advance(r);
        read_bindings(m, py_is(&word, "for"), "it is bound in a loop or in a handler");
        *runs = PY_MAY_RUN;
        if (py_is(&word, "for"))
            b->else_runs = PY_MAY_RUN;
    } else if (py_is(&word, "with")) {
        py_advance(r);
        read_bindings(m, false, "it is bound by `with`");
        *runs = b->runs;
    } else if (definition) {
        py_advance(r);
        py_bind_token(r, &r->now, "it is a function or a class");
        (void)read_condition(m);
        *runs = PY_NEVER_RUNS;
    } else {
        return false;
    }
    *runs = both(*runs, b->runs);
    return true;
}

/* A line in a body that is left out: only `global` reaches out of it. */
static void leave_out_line(struct module *m)
{
    static const char word[] = "global";
    struct py_reader *r = &m->r;
    size_t left = (size_t)(r->s.end - r->s.at), length = sizeof word - 1;
    if (left <= length || memcmp(r->s.at, word, length) != 0 || !strchr(" \t", r->s.at[length])) {
        py_line_skip(&r->s);
        return;
    }
    for (py_advance(r); !py_at_line_end(r); py_advance(r))
        py_bind_token(r, &r->now, "a function declares it `global`");
}

/* One logical line at COLUMN, and the body that is left out with it. Returns whether there is
 * another line, with *column. */
static bool read_line(struct module *m, unsigned *column)
{
    struct py_reader *r = &m->r;
    unsigned header = *column;
    enum py_runs runs = PY_RUNS;
    py_advance(r);
    bool compound = read_header(m, &runs);
    if (compound)
        m->in_front = false;
    if (compound && py_at(r, ":"))
        py_advance(r);
    bool inline_body = compound && !py_at_line_end(r);
    if (!compound)
        read_simple(m, innermost(m)->runs);
    else if (inline_body && runs != PY_NEVER_RUNS)
        read_simple(m, runs);
    while (!py_at_line_end(r))
        py_advance(r);
    bool more = py_line_begin(&r->s, column);
    if (!compound || inline_body)
        return more;
    if (more && *column > header && runs != PY_NEVER_RUNS)
        push_block(m, *column, runs);
    while (more && *column > header && runs == PY_NEVER_RUNS && !r->s.trouble) {
        leave_out_line(m);
        more = py_line_begin(&r->s, column);
    }
    return more;
}

int pyfile_read(struct arena *a, struct pyfile_space *space, const char *text, size_t length,
                struct pyfile *out, struct err *err)
{
    *out = (struct pyfile){.message = ""};
    struct module m = {.block_count = 1, .in_front = true};
    m.r.arena = a;
    m.r.space = space;
    m.r.out = out;
    m.r.encoding = py_encoding_of(text, length);
    py_scanner_init(&m.r.s, text, length);

    unsigned column = 0;
    bool more = py_line_begin(&m.r.s, &column);
    while (more && !m.r.s.trouble && !m.r.no_memory) {
        while (m.block_count > 1 && column < innermost(&m)->column)
            m.block_count--;
        if (column > innermost(&m)->column) /* `match` and `case`, which are no keywords here */
            push_block(&m, column, both(innermost(&m)->runs, PY_MAY_RUN));
        more = read_line(&m, &column);
    }
    if (m.r.no_memory)
        return err_nomem(err);
    out->trouble = m.r.s.trouble;
    out->trouble_line = m.r.s.trouble_line;
    if (out->values[PY_REVISION].kind == PY_ABSENT && m.star_line > 0)
        out->values[PY_REVISION] = (struct py_value){
            .kind = PY_COMPUTED, .line = m.star_line, .why = "it may come from an `import *`"};
    return 0;
}
