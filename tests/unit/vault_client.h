/* tests/unit/vault_client.h: a client and what is written with it; for the test programs that write. */
#ifndef TESTS_UNIT_VAULT_CLIENT_H
#define TESTS_UNIT_VAULT_CLIENT_H

#include <string.h>

#include "base/clock.h"
#include "vault/document.h"
#include "vault/vault.h"
#include "vault/write.h"

enum { LONG_MS = 60000 };

/* NULL: at the address that the environment names. */
static inline struct vault *open_at(const char *url)
{
    const struct vault_settings settings = {.address = url};
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    if (vault_open(&settings, &v, &err) != 0)
        fail_msg("%s", err.text);
    return v;
}

static inline int64_t soon(void)
{
    return clock_in_ms(LONG_MS);
}

static inline struct document parsed(const char *text)
{
    struct document doc = DOCUMENT_INIT;
    struct err err = ERR_INIT;

    if (document_parse(text, strlen(text), "it", ERR_DEFECT, &doc, &err) != 0)
        fail_msg("%s", err.text);
    return doc;
}

static inline enum vault_written put(struct vault *v, const char *path, const char *text,
                                     unsigned cas, unsigned *version)
{
    enum vault_written outcome = VAULT_IN_DOUBT;
    struct err err = ERR_INIT;
    AUTO_DOCUMENT doc = parsed(text);

    if (vault_kv_put(v, path, &doc, cas, soon(), &outcome, version, &err) != 0)
        fail_msg("%s", err.text);
    return outcome;
}

#endif
