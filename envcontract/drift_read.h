/* envcontract/drift_read.h: what drift's readers share; it never leaves this folder.
 *
 *   drift.c         names × contract → findings
 *   drift_names.c   the table of names, and which are the system's own
 *   drift_walk.c    folders → files, each to its reader
 *   drift_token.c   Python and JavaScript → tokens: what is code, and what text or comment
 *   drift_python.c  os.environ and its like;  drift_settings.c  pydantic's settings classes
 *   drift_script.c  process.env and its like (JavaScript, TypeScript)
 *   drift_shell.c   $NAME, with drift_words.c for what a shell script sets itself
 *   drift_yaml.c    Compose, Kubernetes, GitHub workflows
 *   drift_lines.c   Dockerfiles and .env files */
#ifndef ENVCONTRACT_DRIFT_READ_H
#define ENVCONTRACT_DRIFT_READ_H

#include "envcontract/document.h"
#include "envcontract/drift.h"

enum {
    DRIFT_MAX_NAME_BYTES = 256,         /* longer ones are no names */
    DRIFT_MAX_PARTS = 20 * 1000 * 1000, /* comparisons of drift_settings.c, in all files */
    DRIFT_MAX_SHOWN = 1000,             /* findings of one sort; how many more there are is said */
    DRIFT_TABLE_SLOTS = 1 << 20, /* a power of two; more than twice what a contract can name, and
                                    DRIFT_MAX_NAMES */
};

/* How a name is used. The smaller one says more: it decides which place is shown. */
enum drift_use {
    DRIFT_READ,     /* code asks for it */
    DRIFT_GIVEN,    /* a file hands it to a process: Compose, Kubernetes, ENV */
    DRIFT_WORKFLOW, /* a CI job hands it to its own steps */
    DRIFT_ASSIGNED, /* a .env file has it: an example, or values; nobody uses it by that */
    DRIFT_USES
};

/* One name that is declared, used, or both. */
struct drift_name {
    const char *text;
    size_t length;
    const struct node *declaration; /* NULL: not declared */
    const struct node *alias_of;    /* the declaration whose old name it is, or NULL */
    bool is_agents;                 /* agent itself reads it: env:NAME, database.url, files */
    enum drift_use best;            /* of what was seen; DRIFT_USES: nothing yet */
    const char *file;               /* the first place of that use */
    unsigned line, column;
    size_t set_in; /* the number of the last script that sets it itself */
    size_t counts[DRIFT_USES];
};

struct drift_token;

struct drift {
    struct contract_document *document;
    const struct contract *contract;
    struct findings *findings;
    struct arena arena;
    struct drift_name *names; /* in the order in which they were met, declared ones first */
    size_t name_count, name_capacity, declared_count;
    unsigned *slots; /* 1 + index; 0: free */
    size_t names_left_out, all_computed, warnings;
    size_t files; /* that were read, the present one too: its number */
    size_t
        parts_left; /* comparisons for nested settings; none are left: parts are not looked for */
    char *buffer;   /* DRIFT_MAX_FILE_BYTES + 1 */
    struct drift_token *tokens; /* kept from file to file */
    size_t token_count, token_capacity;
    bool no_memory;
    /* the file that is being read */
    const char *file;
    const char *text; /* a NUL behind its LENGTH bytes; it may have others within */
    size_t length;
    size_t line_start, line_at; /* line_at is the number of the line that holds line_start */
    size_t computed;            /* names that are computed in it */
    unsigned computed_line;     /* the first one's */
    const char *unseen;         /* what else of it could not be known, or NULL */
    unsigned unseen_line;
};

/* ---- what a reader says (drift_names.c) ------------------------------------------------------ */

/* A name of the file's text at OFFSET. What is no name (A-Z, a-z, 0-9, _) is not taken. */
void drift_add(struct drift *d, enum drift_use use, const char *name, size_t length, size_t offset);
void drift_add_computed(struct drift *d, size_t offset);
/* Something in it gives names that are not written there: WHAT is a static text. */
void drift_add_unseen(struct drift *d, const char *what, size_t offset);
bool drift_is_name(const char *name, size_t length);
bool drift_declares(const struct drift *d, const char *name, size_t length);

/* The table's entry for NAME, a new one where there is none. NULL: it is full, or memory is gone. */
struct drift_name *drift_enter(struct drift *d, const char *name, size_t length);
struct drift_name *drift_find(const struct drift *d, const char *name, size_t length);
unsigned drift_line(struct drift *d, size_t offset);

/* Whether the system, a shell, CI or agent itself gives NAME its meaning (a documented list). */
bool drift_is_system(const char *name);
/* Whether it configures a well-known image: as a container's, not as what our code reads. */
bool drift_is_image(const char *name);

/* ---- tokens (drift_token.c) ------------------------------------------------------------------- */

enum drift_kind {
    TOKEN_END, /* behind the last one */
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_STRING,   /* its bytes between the quotes, as they are written */
    TOKEN_COMPUTED, /* a string that is put together; the tokens of its expressions follow */
    TOKEN_SIGN,     /* one byte */
    TOKEN_LINE,     /* Python: a new logical line; length is its indentation */
};

struct drift_token {
    unsigned char kind; /* enum drift_kind */
    char sign;          /* TOKEN_SIGN, else NUL */
    unsigned start, length;
};

/* Make d->tokens of d->text; TOKEN_END is behind them. False: no memory. */
bool drift_tokenise_python(struct drift *d);
bool drift_tokenise_script(struct drift *d);

/* Whether token I is that sign, that name. Beyond the end: false. */
bool token_is(const struct drift *d, size_t i, char sign);
bool token_is_name(const struct drift *d, size_t i, const char *name);
bool token_has(const struct drift *d, size_t i, const char *text, size_t length);

/* Where the bracket that token I opens is closed, or TOKEN_END's place. Looks at MOST tokens. */
size_t token_closing(const struct drift *d, size_t i, size_t most);

/* ---- readers ---------------------------------------------------------------------------------- */

void drift_read_python(struct drift *d);
/* What a settings class says of its names; texts lie in the file's. */
struct drift_class {
    const char *name, *prefix, *delimiter; /* the last two may be NULL */
    size_t name_length, prefix_length, delimiter_length;
    bool case_sensitive;
};
enum { DRIFT_MAX_CLASSES = 64 };
struct drift_classes {
    struct drift_class list[DRIFT_MAX_CLASSES];
    size_t count;
};
/* The class whose keyword `class` is token I, when it is one of settings; *known are those of the
 * file so far. */
void drift_read_settings(struct drift *d, size_t i, struct drift_classes *known);
/* `BaseSettings as NAME` of an import, whose first word is token I: NAME is such a class. */
void drift_rename_settings(const struct drift *d, size_t i, struct drift_classes *known);
void drift_read_script(struct drift *d);
void drift_read_shell(struct drift *d);
void drift_read_yaml(struct drift *d);
void drift_read_dockerfile(struct drift *d);
void drift_read_dotenv(struct drift *d);

/* `$NAME` and `${NAME…}` in LENGTH bytes at OFFSET, as Compose puts values in (`$$` is a dollar). */
void drift_read_interpolated(struct drift *d, size_t offset, size_t length);

/* ---- files (drift_walk.c) --------------------------------------------------------------------- */

typedef void drift_reader(struct drift *d);

/* Which reader a file has by its NAME (the last step of its path); NULL: none. */
drift_reader *drift_reader_by_name(const char *name);
/* Or by its first line, `#!/bin/sh`: for names without a dot. */
drift_reader *drift_reader_by_text(const char *text, size_t length);

/* Read every file below FOLDER. Errors: ERR_FILE (it is not there), ERR_RESOURCE. */
MUST_USE int drift_walk(struct drift *d, const char *folder, struct err *err);

/* Read one text as the file PATH. */
void drift_read_text(struct drift *d, drift_reader *reader, const char *path, const char *text,
                     size_t length);

/* A table for CONTRACT, with its names in it; -1: ERR_RESOURCE. */
MUST_USE int drift_begin(struct drift *d, struct contract *contract, struct findings *findings,
                         struct err *err);
void drift_release(struct drift *d);
#define AUTO_DRIFT CLEANUP(drift_release) struct drift

#endif
