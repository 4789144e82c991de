/* Requests of anybody who can reach run.status: each gets one whole answer, and a known one. */
#include <string.h>

#include "agent/status.h"
#include "base/clock.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

static const char *const known[] = {"200 OK", "400 Bad Request", "404 Not Found",
                                    "405 Method Not Allowed", "503 Service Unavailable"};

static bool is_known(const char *answer)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_starts(answer + strlen("HTTP/1.1 "), known[i]))
            return true;
    return false;
}

/* The first byte says what there is to tell; the rest is the request, and the name of a lease. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct status_facts facts = STATUS_FACTS_INIT;
    unsigned how = size > 0 ? data[0] : 0;
    const struct status_view view = {.runs = how & 1, .state = "stopping"};
    const char *request = (const char *)data + (size > 0);
    size_t length = size > 0 ? size - 1 : 0;
    AUTO_BUF out = BUF_INIT(STATUS_ANSWER_BYTES);
    char path[64] = "";

    memcpy(path, request, length < sizeof path ? length : sizeof path - 1);
    facts.lease_count = how >> 1 & 1;
    facts.leases[0].path = path;
    facts.leases[0].expires_ms = how & 4 ? CLOCK_NEVER : 0;
    status_answer(request, length, &facts, &view, &out);
    PROMISE(out.len > 0 && !out.no_memory && !out.too_long);
    PROMISE(str_starts(buf_text(&out), "HTTP/1.1 ") && is_known(buf_text(&out)));
    const char *body = strstr(buf_text(&out), "\r\n\r\n");
    const char *said = strstr(buf_text(&out), "Content-Length: ");
    PROMISE(body && said && said < body);
    size_t rest = out.len - (size_t)(body + 4 - buf_text(&out));
    PROMISE(rest == 0 || rest == strtoul(said + strlen("Content-Length: "), NULL, 10));
    return 0;
}
