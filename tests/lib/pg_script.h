/* tests/lib/pg_script.h: a server that plays a scripted part of PostgreSQL's protocol, wrongly.
 *
 * It runs in a child process on a free port of 127.0.0.1 and dies with the test. Each connection is
 * handled alone, one after the other, by the part that was asked for. Source of the messages:
 * PostgreSQL's manual, "Frontend/Backend Protocol". */
#ifndef TESTS_LIB_PG_SCRIPT_H
#define TESTS_LIB_PG_SCRIPT_H

#include <sys/types.h>

enum pg_part {
    PG_PART_CLOSE_AT_ONCE,       /* accepts and closes */
    PG_PART_CLOSE_AFTER_STARTUP, /* reads the startup packet, then closes */
    PG_PART_HANG,                /* accepts, says nothing */
    PG_PART_HTTP,                /* answers as a web server */
    PG_PART_EMPTY_ERROR,         /* ErrorResponse without fields */
    PG_PART_BLANK_ERROR,         /* ErrorResponse with severity and an empty message */
    PG_PART_ERROR,               /* ErrorResponse with `sqlstate` and `message` */
    PG_PART_WRONG_LENGTH,        /* a message whose length can't be */
    PG_PART_NOTICES,             /* lets in, then sends notices without end to a query */
    PG_PART_CLOSE_ON_QUERY,      /* lets in, closes when a query comes */
    PG_PART_HANG_ON_QUERY,       /* lets in, says nothing to a query; takes cancel requests */
    PG_PART_TAG,                 /* lets in, answers each query with the command tag `message` */
    PG_PART_ECHO_ON_QUERY,       /* lets in, answers a query with an error that has `message` */
};

struct pg_script {
    enum pg_part part;
    const char *sqlstate, *message;
    unsigned port; /* set by pg_script_start */
    pid_t pid;
};

void pg_script_start(struct pg_script *script); /* answers N to a request for TLS */
void pg_script_stop(struct pg_script *script);

#endif
