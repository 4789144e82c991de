/* tests/lib/script_server.h: an HTTP server that answers what a test says, and counts.
 *
 * A child process listens on a free port of 127.0.0.1; each connection has a process of its own, so
 * that an answer may take its time. The counts are shared with the test and exact. It dies with the
 * test; what fails here ends the program with a text. */
#ifndef TESTS_LIB_SCRIPT_SERVER_H
#define TESTS_LIB_SCRIPT_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { SCRIPT_PATH_BYTES = 1024, SCRIPT_KEYS = 8 };

struct script_counts {
    atomic_int connections, requests;
    atomic_int ended;               /* connections */
    atomic_int canaries;            /* requests with the canary anywhere in them */
    atomic_int by_key[SCRIPT_KEYS]; /* the test's own */
    atomic_int waiting;             /* in script_wait_for */
};

/* One request, and where its answer goes. */
struct script_turn {
    const char *method, *path; /* "/v1/..." */
    const char *head, *body;   /* the request's */
    int number;                /* from 1, over all connections */
    int fd;
    struct script_counts *counts;
    void *context; /* the test's, as it was when the server started */
};

/* Answer TURN. False: close the connection. */
typedef bool script_handler(struct script_turn *turn);

struct script_server;

/* CANARY is looked for in every request. */
struct script_server *script_start(script_handler *handler, void *context, const char *canary);
void script_stop(struct script_server *server);
const char *script_url(const struct script_server *server); /* "http://127.0.0.1:PORT" */
struct script_counts *script_counts_of(struct script_server *server);

/* Wait until every connection that was made has ended (the client has closed its own): what was
 * sent over them is counted then. */
void script_settle(const struct script_server *server);

/* STATUS with HEADERS ("Name: value\r\n...", or "") and BODY, whose length is sent along. */
bool script_answer(struct script_turn *turn, int status, const char *headers, const char *body);
bool script_send(struct script_turn *turn, const void *bytes, size_t length);

/* Hold this answer back until COUNT requests wait like it: proof that they are in flight together. */
void script_wait_for(struct script_turn *turn, int count);

#endif
