/* envcontract/docs.h: what the files that write derived documents share; it never leaves the folder.
 *
 *   docs.c              `docs` of the contract → files; one file → its text
 *   docs_merge.c        sections between the markers of a text that is there already
 *   docs_text.c         words of ours and of the contract's, as Markdown or as a comment
 *   docs_type.c         a type and its constraints in words
 *   docs_source.c       where values come from, in words
 *   docs_environment.c  ENVIRONMENT_CONTRACT.md   docs_rules.c  its part about rules
 *   docs_database.c     DB_AUTHORITY.md
 *   docs_rotation.c     SECRETS_ROTATION.md
 *   docs_example.c      .env.example              docs_choose.c, docs_value.c  values for it
 *
 * All of it is read off the tree, so a document has what the contract says in each profile, and no
 * value of a secret can be in it: a contract has none. The same contract gives the same bytes
 * everywhere. */
#ifndef ENVCONTRACT_DOCS_H
#define ENVCONTRACT_DOCS_H

#include "envcontract/keys.h"

enum {
    DOCS_TEXT_BYTES = 1024 * 1024, /* one cell, one line, one comment */
    DOCS_COMMENT_COLUMNS = 100,    /* of an example file's comments */
    DOCS_MAX_SECTIONS = 16,        /* of one kind */
};

/* ---- what an example file says of each variable --------------------------------------------- */

struct docs_choice {
    const char *text; /* "" for a secret; NULL: nothing can be made up that fits */
    bool used;        /* the variable is in the file with a value, not as a comment */
    bool made_up;     /* neither default nor example: it only has the right shape */
    bool is_default;
};

/* A group that a variable is in; each variable has a list of them. */
struct docs_membership {
    const struct node *group;
    const struct docs_membership *next;
};

struct docs_example {
    struct docs_choice *choices;           /* parallel to contract->variables */
    struct contract_value *values;         /* the same, for conditions */
    const struct docs_membership **groups; /* the same; NULL: in none */
};

/* ---- one document --------------------------------------------------------------------------- */

struct docs_look {
    struct contract *contract;
    struct contract_document *d;
    const struct docs_file *file;
    const struct docs_migrations *migrations;
    struct arena arena;   /* for the whole document */
    struct arena scratch; /* for one variable: docs_forget */
    struct buf *out;
    struct docs_example example; /* of an example file; else zero */
};

/* A section of a kind of documents. WRITE appends lines to look->out; memory that ran out shows in
 * the buffer, or in d->no_memory. */
struct docs_section {
    const char *name, *title;
    void (*write)(struct docs_look *look);
};

struct docs_sections {
    const struct docs_section *list;
    size_t count;
};

extern const struct docs_sections docs_environment_sections, docs_database_sections,
    docs_rotation_sections, docs_example_sections;

/* ---- markers (docs_merge.c) ------------------------------------------------------------------ */

struct docs_block {
    const char *name;
    const char *text; /* lines, each with its '\n' */
    size_t length;
};

struct docs_layout {
    bool comments;            /* "# agent:begin NAME" in place of "<!-- agent:begin NAME -->" */
    const char *const *known; /* every section of this kind, NULL-terminated */
    const struct docs_block *blocks; /* those that are wanted, in their order */
    size_t block_count;
};

void docs_add_marker(const struct docs_layout *layout, const char *word, const char *name,
                     struct buf *out);

/* PRESENT with what stands between its markers made anew; every other byte is as it was. A wanted
 * block that it has not is put behind the one before it; one that is not wanted goes. Lines end as
 * the block's first marker does. Errors: ERR_FILE with the line: no markers, or broken ones. */
MUST_USE int docs_merge(const struct docs_layout *layout, const struct docs_present *present,
                        struct buf *out, struct err *err);

/* ---- words (docs_text.c) --------------------------------------------------------------------- */

enum docs_style { DOCS_COMMENT, DOCS_PROSE, DOCS_CELL };

/* Text under way: what is the contract's is escaped as the style demands. */
struct docs_words {
    struct buf *out;
    enum docs_style style;
};

void docs_say(struct docs_words *w, const char *ours);     /* as it is */
void docs_text(struct docs_words *w, const char *foreign); /* one line, nothing of it markup */
void docs_code(struct docs_words *w, const char *foreign); /* `foreign` */
void docs_link(struct docs_words *w, const char *title, const char *url);
/* `a`, `b` WORD `c`; NULL: nothing. */
void docs_codes(struct docs_words *w, const char *const *list, const char *word);
/* The condition that kind_check built in NODE; "always" and "never" for a bool. */
void docs_condition(struct docs_words *w, const struct node *node);
void docs_argv(struct docs_words *w, const struct node *list); /* `a b c`, quoted as for sh */

/* ---- variables ------------------------------------------------------------------------------- */

/* One variable as it is in one profile. */
struct docs_view {
    size_t index;
    const char *profile; /* NULL: the contract has none */
    struct layers layers;
    struct contract_variable variable;
};

size_t docs_profile_count(const struct docs_look *look); /* 1 where there are none */
const char *docs_profile(const struct docs_look *look, size_t i);
/* The profiles to look at: 1 where the variable is the same in each. */
size_t docs_looks(const struct docs_look *look, size_t index);
uint32_t docs_all_profiles(const struct docs_look *look); /* as bits */
void docs_see(struct docs_look *look, size_t index, const char *profile, struct docs_view *out);
void docs_forget(struct docs_look *look); /* the views so far are gone */

/* What an aspect says in each profile; once where all say the same. */
typedef void (*docs_aspect)(struct docs_look *look, const struct docs_view *view,
                            struct docs_words *w);
void docs_by_profile(struct docs_look *look, size_t index, docs_aspect aspect,
                     struct docs_words *w);

/* "`dev`, `prod`", of the bits of PROFILES; "all" where it is all of them. */
void docs_profiles(const struct docs_look *look, uint32_t profiles, struct docs_words *w);

bool docs_is_secret(struct docs_look *look, size_t index); /* in any profile */
bool docs_is_agents(struct docs_look *look, size_t index); /* expose: agent, in every profile */

/* An object of the root, the included files' too: NULL behind the last. *file starts at 0. */
const struct node *docs_next_section(const struct docs_look *look, const char *key, size_t *file);

void docs_type(struct docs_look *look, const struct docs_view *view, struct docs_words *w);
void docs_required(struct docs_look *look, const struct docs_view *view, struct docs_words *w);
void docs_default(struct docs_look *look, const struct docs_view *view, struct docs_words *w);
void docs_source(struct docs_look *look, const struct docs_view *view, struct docs_words *w);

/* ---- values for an example file (docs_choose.c, docs_value.c) ------------------------------------------ */

/* Choose for every variable of the selected profile, such that the file passes the check once its
 * secrets are filled in, as far as conditions and groups can say; in look->arena. */
void docs_choose(struct docs_look *look, struct docs_example *out);

/* A value of the variable's type that passes its rules, in look->arena, or NULL. */
const char *docs_made_up(struct docs_look *look, const struct contract_variable *variable,
                         const struct layers *layers);

/* Whether TEXT passes the variable's rules, files aside: those are another machine's. */
bool docs_value_fits(struct docs_look *look, const struct contract_variable *variable,
                     const char *text);

/* NAME=value as envfile_read reads it. */
void docs_add_assignment(struct buf *out, const char *name, const char *value);

/* docs_rules.c */
void docs_write_groups(struct docs_look *look);
void docs_group(struct docs_words *w, const struct node *group); /* "Exactly one of A and B" */
/* Call VISIT for each list of names that GROUP has. */
void docs_group_names(const struct node *group,
                      void (*visit)(const struct node *group, const struct node *names,
                                    void *context),
                      void *context);
void docs_write_rules(struct docs_look *look);
void docs_write_fences(struct docs_look *look);
void docs_write_deprecated(struct docs_look *look);
/* docs_source.c */
void docs_write_vault(struct docs_look *look);
void docs_write_sources(struct docs_look *look);

#endif
