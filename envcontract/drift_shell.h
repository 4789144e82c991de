/* envcontract/drift_shell.h: a shell script while it is read (drift_shell.c, drift_words.c). */
#ifndef ENVCONTRACT_DRIFT_SHELL_H
#define ENVCONTRACT_DRIFT_SHELL_H

#include "envcontract/drift_read.h"

enum {
    SHELL_MAX_NESTED = 64,  /* quotes, ${} and $() within one another; deeper ones are text */
    SHELL_MAX_PENDING = 16, /* assignments whose value is being read */
    SHELL_MAX_HEREDOCS = 8, /* that begin on one line */
};

enum shell_kind {
    SHELL_CODE,     /* the script, ( ), $( ), <( ) */
    SHELL_BACKTICK, /* code up to a backtick */
    SHELL_QUOTE,    /* "…" */
    SHELL_BRACE,    /* ${…} behind the name */
    SHELL_NUMBERS,  /* $((…)) */
};

/* What the words of a command are. */
enum shell_words {
    WORDS_OF_COMMAND,
    WORDS_DECLARED, /* export, readonly: NAME=value; NAME alone is not set */
    WORDS_LOCAL,    /* local, declare, read, unset: each name is the script's own */
    WORDS_FOR,      /* the next one is set */
    WORDS_GETOPTS,  /* the one behind the next */
    WORDS_PRINTF,   /* the one behind -v */
    WORDS_PRINTENV, /* each is read */
    WORDS_TEST,     /* the one behind -v is read */
    WORDS_TEST_NAME,
    WORDS_OTHER,
};

/* One level of the script: code, a quote, …. */
struct shell_level {
    enum shell_kind kind;
    bool is_quoted;  /* lies within a quote */
    unsigned parens; /* SHELL_NUMBERS */
    bool in_word;    /* code: a word has begun, at WORD */
    bool is_plain;   /* no quote or $ in it so far */
    bool is_setting; /* it is NAME=… */
    bool at_command; /* the next word is a command, or an assignment before one */
    enum shell_words words;
    size_t word;
};

struct shell_heredoc {
    size_t start, length; /* of its delimiter */
    bool is_quoted, strips_tabs;
};

struct shell {
    struct drift *d;
    size_t at;
    struct shell_level levels[SHELL_MAX_NESTED];
    size_t depth; /* the present level's index */
    struct {
        size_t start, length, depth;
    } pending[SHELL_MAX_PENDING];
    size_t pending_count;
    struct shell_heredoc heredocs[SHELL_MAX_HEREDOCS];
    size_t heredoc_count;
    size_t numbers_open_until; /* no (( is closed before that place */
};

/* ---- drift_words.c -------------------------------------------------------------------------- */

/* A byte of a word is at s->at; a new word begins where none has. */
void shell_word_byte(struct shell *s, bool is_plain);
/* The word before s->at is over, if there is one. */
void shell_word_end(struct shell *s);
/* So is the command. */
void shell_command_end(struct shell *s);

/* The script reads NAME. IS_ASKED: in a way that allows for its absence, so that it may come from
 * outside even where the script sets it later. */
void shell_reads(struct shell *s, size_t start, size_t length, bool is_asked);
void shell_sets(struct shell *s, size_t start, size_t length);

/* At the end of the script: what was read and is not set by it anywhere. */
void shell_settle(struct shell *s);

size_t shell_name_length(const struct drift *d, size_t at);

#endif
