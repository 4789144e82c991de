/* agent/cmd.h: the table of commands, and what every command shares: its options, its one JSON
 * document, and how an error ends it. */
#ifndef AGENT_CMD_H
#define AGENT_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/opt.h"

enum {
    OUTPUT_MAX_BYTES = 256 * 1024 * 1024, /* one result */
    EXIT_RUN_FAILED = 125,                /* `run`: agent failed before starting the command */
    EXIT_RUN_CANNOT = 126,                /* `run`: not executable */
    EXIT_RUN_NOT_FOUND = 127,             /* `run`: not found */
};

/* Options for every command. */
struct common_options {
    const char *contract; /* --contract, else $AGENT_CONTRACT, else NULL: contract.json here */
    const char *profile;
    const char *token_file;
    bool json, help, quiet;
    const char *log_format, *color;
    int verbose;
    int64_t timeout_ms; /* 0: none */
};

/* One call of one command. */
struct invocation {
    const struct command *command;
    struct common_options common;
    const char *const *words; /* what is neither option nor behind `--` */
    size_t word_count;
    char **rest;         /* behind `--`; NULL without one */
    int64_t deadline_ms; /* of the whole command; CLOCK_NEVER where none */
};

struct command {
    const char *name, *arguments, *summary;
    const char *first_words; /* what its first word may be, "a|b|c"; NULL: anything */
    const char *details;     /* a paragraph for `agent help NAME` */
    const struct opt *options;
    int (*run)(const struct invocation *call); /* returns the exit code */
};

extern const struct command *const commands[]; /* NULL-terminated, in the order of `agent help` */
extern const struct opt common_options_table[];

const struct command *command_find(const char *name); /* NULL: no such command */

/* ERR_USAGE: there is no command NAME; the hint has the nearest. */
int command_unknown(const char *name, struct err *err);

/* Parse ARGV (argv[0] is the program) and run it. Returns the exit code. */
int command_main(char **argv);

/* ---- results ---------------------------------------------------------------------------------- */

/* Begin the document {"command", "ok", "version": 1, ...}; end it and print it. Returns EXIT_CODE,
 * or the code of the failure to print. */
void document_begin(struct json *json, const char *command, bool ok);
int document_print(struct json *json, int exit_code);

/* Print a text result on stdout. Returns EXIT_CODE, or the code of the failure to print. */
int text_print(const struct buf *text, int exit_code);

/* A text that is the whole result of CALL: as it is, or with --json as the document's "text". */
int text_result(const struct invocation *call, const struct buf *text);

/* Say the error on stderr and, with --json, as the document on stdout. Returns its exit code. */
int command_failed(const struct invocation *call, const struct err *err);
int command_failed_with(const struct invocation *call, const struct err *err, int exit_code);

/* As command_failed, for `run`: 125 says who failed; the code is in the message and the document. */
int run_not_started(const struct invocation *call, struct err *err);

/* Refuses standard output as the place for values: a terminal, unless REVEAL, and one that is shut, where
 * they, or the masks of those that went elsewhere, would be lost without a word. ERR_USAGE. */
MUST_USE int command_check_output(bool reveal, const char *hint, struct err *err);

/* The FILE of --output; "-" is standard output, which is NULL, and no file of that name. */
const char *command_output_file(const char *file);

/* The error alone on stderr, with its exit code. */
void command_say_error(const struct err *err);

/* ERR_USAGE unless there are at most MOST words. */
MUST_USE int command_words_at_most(const struct invocation *call, size_t most, struct err *err);

bool stdout_wants_color(const struct invocation *call);
bool stderr_wants_color(const struct invocation *call);

/* ---- the commands, one file each ----------------------------------------------------------------- */
extern const struct command command_run, command_fetch, command_check, command_bootstrap,
    command_verify, command_guard, command_graph, command_audit, command_rotate, command_docs,
    command_seal, command_doctor, command_completion, command_help, command_version;

void help_write(struct buf *out);                                        /* `agent help` */
void help_write_command(const struct command *command, struct buf *out); /* `agent help NAME` */

#endif
