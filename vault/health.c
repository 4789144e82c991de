/* health.c: what a node says of itself to everybody. */
#include <string.h>

#include "base/mem.h"
#include "vault/ask.h"

/* Whatever state it is in, it answers with 200 and says which. */
static const char any_state[] =
    "sys/"
    "health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200&drsecondarycode=200";

static void read_answer(struct ask *ask, struct vault_health *out)
{
    const json_t *time = ask_member(ask, "server_time_utc");
    const char *version = json_string_value(ask_member(ask, "version"));

    *out = (struct vault_health){
        .initialized = json_is_true(ask_member(ask, "initialized")),
        .sealed = json_is_true(ask_member(ask, "sealed")),
        .standby = json_is_true(ask_member(ask, "standby")),
        .server_time = json_is_integer(time) ? json_integer_value(time) : 0,
    };
    if (version)
        (void)snprintf(out->version, sizeof(out->version), "%s", version); /* cut: for people */
}

int vault_health(struct vault *v, int64_t deadline_ms, struct vault_health *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "look at the health of", NULL);

    ask.call.anonymous = true;
    ask.call.path = mem_dup(any_state);
    int result = ask.call.path ? flight_perform(v, &ask.call, deadline_ms, err) : err_nomem(err);
    if (result == 0 && ask.call.status != 200)
        result = ask_error(v, &ask, err);
    if (result == 0 && !json_is_boolean(ask_member(&ask, "sealed")))
        result = ask_unusable(v, &ask, "does not say whether it is sealed", err);
    if (result == 0)
        read_answer(&ask, out);
    ask_release(v, &ask);
    return result;
}
