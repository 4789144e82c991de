/* base/endpoint.h: where a server of ours listens: `unix:PATH` or `ADDR:PORT`.
 *
 * ADDR is a number, 127.0.0.1 or [::1]: no name is looked up. */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/err.h"

struct endpoint {
    struct sockaddr_storage address;
    socklen_t length;
    bool is_unix;
};

/* A relative PATH starts from FOLDER (NULL: the working directory's, as it is written). Errors: ERR_USAGE,
 * what is wrong with TEXT. */
MUST_USE int endpoint_parse(const char *text, const char *folder, struct endpoint *out,
                            struct err *err);

/* The path of one that is a socket in the file system; "" for another. */
const char *endpoint_path(const struct endpoint *e);

#endif
