/* tests/lib/proxy.h: a TCP proxy before a PostgreSQL socket, which counts messages, delays them,
 * and cuts the connection at the one that holds a given text.
 *
 * It runs in processes of its own (one for each connection), which end with the test. */
#ifndef TESTS_LIB_PROXY_H
#define TESTS_LIB_PROXY_H

#include <stdbool.h>

struct proxy;

enum proxy_action {
    PROXY_PASS,
    PROXY_CUT_BEFORE,  /* the message does not arrive; both sides are closed */
    PROXY_CUT_AFTER,   /* it arrives and is answered; the answer is kept, both sides are closed */
    PROXY_HALF_OPEN,   /* it does not arrive; the client is closed, the server's side stays open */
    PROXY_HOLD_BEFORE, /* it does not arrive, and both sides stay open until the client ends */
    PROXY_HOLD_AFTER,  /* it arrives and is answered; the answer is kept, as above */
};

/* SOCKET: the path of the server's unix socket. */
struct proxy *proxy_start(const char *socket);
void proxy_stop(struct proxy *proxy);

/* A URL of the proxy without TLS; the caller frees. */
char *proxy_url(const struct proxy *proxy, const char *user, const char *database);

/* Do ACTION at the next TIMES messages with TEXT in them; "=COMMIT" is a query of exactly that
 * text, "" any query. */
void proxy_rule(struct proxy *proxy, enum proxy_action action, const char *text, unsigned times);
void proxy_skip(struct proxy *proxy, unsigned matches); /* pass so many messages before the rule */
bool proxy_holds(const struct proxy *proxy);            /* a message is being held */
void proxy_delay(struct proxy *proxy, unsigned ms);     /* of each message to the server */
void proxy_refuse(struct proxy *proxy, bool refuse);    /* close new connections at once */

unsigned proxy_queries(const struct proxy *proxy);     /* simple query messages so far */
unsigned proxy_connections(const struct proxy *proxy); /* accepted so far */
void proxy_reset(struct proxy *proxy);                 /* counts to 0, no rule, no delay */

#endif
