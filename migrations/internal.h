/* migrations/internal.h: what the files of this folder share. Never included elsewhere.
 *
 *   pytoken  Python's lexical rules: tokens, logical lines, string literals
 *   pyfile   the assignments of a revision file that Alembic looks at
 *   ini, toml, config   where the revision files are
 *   load     the files of a project, read into the graph
 *   graph    index, parents, heads, questions; order: Alembic's upgrade order
 *   picture, svg   the graph for people */
#ifndef MIGRATIONS_INTERNAL_H
#define MIGRATIONS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "migrations/graph.h"

/* ---- pytoken: Python's lexical rules ---------------------------------------------------------- */

enum {
    PY_MAX_BRACKETS = 200, /* as CPython's tokenizer */
};

enum py_token_kind { PY_END, PY_NEWLINE, PY_NAME, PY_STRING, PY_NUMBER, PY_OPERATOR };

struct py_token {
    enum py_token_kind kind;
    const char *text; /* into the file; a string with its prefix and quotes */
    size_t length;
    unsigned line; /* from 1 */
};

/* Reads a file in memory. Trouble (an open string or bracket) ends it: `trouble` says what, and
 * only PY_END comes from there on. */
struct py_scanner {
    const char *at, *end;
    unsigned line, depth; /* depth: brackets that are open */
    char open[PY_MAX_BRACKETS];
    const char *trouble;
    unsigned trouble_line;
};

void py_scanner_init(struct py_scanner *s, const char *text, size_t length);
void py_next(struct py_scanner *s, struct py_token *token);

/* At the start of a logical line: skip blank lines and comments, take the indentation (a tab goes to
 * the next multiple of 8). False at the end of the file. */
bool py_line_begin(struct py_scanner *s, unsigned *column);
void py_line_skip(struct py_scanner *s); /* to behind the end of this logical line, fast */

enum py_encoding { PY_UTF8, PY_LATIN1, PY_ASCII, PY_ENCODING_OTHER };

/* PEP 263: the cookie in the first two lines; UTF-8 without one. */
enum py_encoding py_encoding_of(const char *text, size_t length);

/* What the string literals between START and END say together (implicit concatenation, `+` and
 * brackets between them), as UTF-8 in the arena. -1 with *why: a static text, or NULL for no memory. */
MUST_USE int py_decode(struct arena *a, const char *start, const char *end,
                       enum py_encoding encoding, const char **out, const char **why);

bool py_is_text(const struct py_token *token, const char *text); /* of a name or an operator */

/* Whether the token is the name or operator TEXT. The first byte decides nearly always, and words are
 * asked for by the dozen. */
static inline bool py_is(const struct py_token *token, const char *text)
{
    return (token->kind == PY_NAME || token->kind == PY_OPERATOR) && token->text[0] == text[0] &&
           py_is_text(token, text);
}

bool py_string_is_plain(const struct py_token *token); /* neither bytes nor f- or t-string */

/* ---- pyfile: the assignments that Alembic looks at --------------------------------------------- */

enum py_value_kind {
    PY_ABSENT,   /* never bound */
    PY_NONE,     /* None */
    PY_TEXT,     /* one string */
    PY_LIST,     /* tuple, list or set of strings and None */
    PY_COMPUTED, /* known at run time only */
    PY_WRONG,    /* a constant that Alembic can't use */
};

struct py_value {
    enum py_value_kind kind;
    unsigned line;
    const char *const *items; /* PY_TEXT: one; NULL elements stand for None */
    size_t count;
    const char *why; /* PY_COMPUTED, PY_WRONG: a clause */
};

enum py_variable {
    PY_REVISION,
    PY_DOWN_REVISION,
    PY_BRANCH_LABELS,
    PY_DEPENDS_ON,
    PY_VARIABLES,
};

struct pyfile {
    struct py_value values[PY_VARIABLES];
    const char *message; /* the docstring's first line, or "" */
    const char *trouble; /* the file can't be read: why; NULL: it can */
    unsigned trouble_line;
};

extern const char *const py_variable_names[PY_VARIABLES];

/* Work space that is kept from file to file. */
struct pyfile_space {
    struct py_node *nodes;
    size_t node_capacity;
};
void pyfile_space_release(struct pyfile_space *space);

/* What a revision file binds at module level, the last binding winning; nothing is executed. -1
 * only without memory: what is wrong with the file is in *out. TEXT need not outlive the call. */
MUST_USE int pyfile_read(struct arena *a, struct pyfile_space *space, const char *text,
                         size_t length, struct pyfile *out, struct err *err);

/* ---- pyexpr: the expressions among them that are constants -------------------------------------- */

/* Whether the statements of a block run: always, perhaps, or never. */
enum py_runs { PY_RUNS, PY_MAY_RUN, PY_NEVER_RUNS };

enum py_node_kind {
    PY_NODE_NONE,
    PY_NODE_TEXT,
    PY_NODE_TUPLE,
    PY_NODE_LIST,
    PY_NODE_SET,
    PY_NODE_NAME,
    PY_NODE_WRONG,   /* a constant of another type */
    PY_NODE_COMPUTED /* everything else */
};

#define PY_NO_NODE UINT32_MAX

struct py_node {
    enum py_node_kind kind;
    struct py_token token; /* its first */
    const char *end;       /* of a text: behind its last literal or bracket */
    uint32_t first, next;  /* elements of a list: indexes of nodes */
    uint32_t count;
    const char *why; /* wrong, computed, name: a clause for people */
};

struct py_reader {
    struct arena *arena;
    struct pyfile_space *space;
    struct py_scanner s;
    struct py_token now; /* the token that is looked at */
    const char *before;  /* the end of the token before it */
    enum py_encoding encoding;
    size_t node_count; /* of this statement */
    struct pyfile *out;
    bool no_memory;
};

void py_advance(struct py_reader *r);
void py_pass(
    struct py_reader *r); /* advance, over what is not looked into: a `:=` binds even there */
bool py_at(const struct py_reader *r, const char *text);
bool py_at_line_end(const struct py_reader *r);
bool py_at_augmented(const struct py_reader *r); /* `+=` and its like */
struct py_node *py_node_at(const struct py_reader *r, uint32_t i);

/* Expressions with commas between them, up to what ends them at this LEVEL of brackets; one without
 * a comma is itself when KIND is PY_NODE_TUPLE. PY_NO_NODE: too long, or no memory. */
uint32_t py_parse_list(struct py_reader *r, enum py_node_kind kind, unsigned level);
void py_skip_item(struct py_reader *r, unsigned level);
void py_bind(struct py_reader *r, uint32_t target, uint32_t value, enum py_runs runs);

/* Something that is not looked into binds TOKEN: when it is one of the variables, it is computed. */
void py_bind_token(struct py_reader *r, const struct py_token *token, const char *why);

/* ---- ini, toml, config: where the revision files are ------------------------------------------- */

enum {
    CONFIG_MAX_BYTES = 1024 * 1024, /* alembic.ini, pyproject.toml */
    CONFIG_MAX_DEPTH = 64,          /* nesting of TOML values; interpolation has Python's 10 */
};

struct ini;

/* Python's ConfigParser (strict, basic interpolation): the whole file is checked, as Python does.
 * HERE is what %(here)s gives. Errors: ERR_FILE with file and line. */
MUST_USE int ini_parse(struct arena *a, const char *name, const char *text, size_t length,
                       const char *here, struct ini **out, struct err *err);
bool ini_has_section(const struct ini *ini, const char *section);

/* *value is NULL when the option is neither in the section nor in [DEFAULT]. */
MUST_USE int ini_get(struct arena *a, const struct ini *ini, const char *section,
                     const char *option, const char **value, struct err *err);

enum toml_kind { TOML_ABSENT, TOML_TEXT, TOML_BOOLEAN, TOML_TEXTS, TOML_OTHER };

struct toml_value {
    enum toml_kind kind;
    const char *text;         /* TOML_TEXT */
    bool boolean;             /* TOML_BOOLEAN */
    const char *const *texts; /* TOML_TEXTS: an array of strings only */
    size_t count;
    unsigned line;
};

struct toml_wanted {
    const char *name; /* a key of [tool.alembic] */
    struct toml_value value;
};

/* Read a TOML 1.0 document and fill in the wanted keys of [tool.alembic], however it is written
 * (tables, dotted keys, inline tables). Errors: ERR_FILE with file and line. */
MUST_USE int toml_read(struct arena *a, const char *name, const char *text, size_t length,
                       struct toml_wanted *wanted, size_t count, struct err *err);

struct config {
    const char *const *folders; /* absolute; where revision files are, in Alembic's order */
    size_t folder_count;
    bool recursive;
    bool must_exist; /* the caller named the folder: missing is an error, not an empty history */
};

/* What Alembic would read for these settings. Strings are the arena's. */
MUST_USE int config_resolve(struct arena *a, const struct graph_settings *settings,
                            struct config *out, struct err *err);

/* The path from the process's working folder when it is below that, else as it is. */
const char *config_shorten(const char *path, const char *working_folder);
MUST_USE int config_working_folder(struct arena *a, const char **out, struct err *err);

/* ---- graph: what belongs to it but is not for others -------------------------------------------- */

/* Rows of indexes: those of revision i are list[start[i]] .. list[start[i + 1]] (excluded). */
struct graph_edges {
    size_t *start, *list;
};

struct graph_memory {
    struct arena arena;
    size_t error_capacity;
    const char **names; /* all ids, NULL-terminated */
    size_t *load_index; /* by revision: where Alembic meets its file */
    /* What the order follows, in Alembic's words the normalized down revisions: each parent once,
     * without dependencies that an ancestor has too; and the same turned around. Not there when
     * the graph has a cycle. */
    struct graph_edges down, up;
    struct graph_edges
        depends; /* depends_on resolved, each once; parents by down too may be in it */
    /* Work space for questions: no question needs memory, and no two may be asked at once. */
    bool *mark;
    size_t *stack;
};

/* A revision as its file has it, before the graph is put together. */
struct graph_source {
    struct revision revision; /* everything but parents and the three flags */
    unsigned lines[PY_VARIABLES];
    size_t load_index;
    bool broken;           /* its parents could not be read: neither base nor to be judged */
    bool empty_dependency; /* depends_on = '' */
};

struct graph_build {
    struct graph *graph;
    struct graph_source *sources;
    size_t count, capacity;
};

void graph_build_release(struct graph_build *build);
struct graph *graph_new(void); /* NULL: no memory */
void graph_auto_free(struct graph **graph);

/* Sort, link and judge what is in BUILD: the rest of its graph. */
MUST_USE int graph_finish(struct graph_build *build, struct err *err);

/* Find and read the files; strings and errors become the graph's. */
MUST_USE int load_revisions(struct graph_build *build, const struct config *config,
                            struct err *err);

/* Note an error in the graph; FORMAT as err_set. -1: no memory. */
MUST_USE int graph_add_error(struct graph *graph, enum graph_error_kind kind, const char *file,
                             unsigned line, struct err *err, const char *format, ...) PRINTF(6, 7);
const char *graph_error_word(enum graph_error_kind kind); /* "missing-parent" */

/* Some order in which parents come first, by id as far as that leaves it open: the first *count
 * places of ORDER. Those on a cycle and behind it have none. */
MUST_USE int order_any(const struct graph *graph, size_t *order, size_t *count, struct err *err);

/* memory->down and up, of a graph without cycle; ANY is what order_any gave. */
MUST_USE int order_edges(struct graph *graph, const size_t *any, struct err *err);

/* Alembic's upgrade order of the revisions with TODO (of all, when it is NULL); with each of them
 * all that come after it are to do. Needs order_edges. */
MUST_USE int order_upgrade(const struct graph *graph, const bool *todo, size_t *order,
                           size_t *count, struct err *err);

#endif
