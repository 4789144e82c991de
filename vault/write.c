/* write.c: one secret of KV version 2: read for writing, written, erased. */
#include "vault/write.h"

#include <string.h>

#include "vault/ask.h"

/* ---- reading -------------------------------------------------------------------------------- */

void vault_kv_release(struct vault_kv *kv)
{
    document_release(&kv->data);
    *kv = (struct vault_kv){0};
}

unsigned kv_version_number(const json_t *number)
{
    json_int_t version = json_integer_value(number);

    return version > 0 && version <= UINT32_MAX ? (unsigned)version : 0;
}

static enum vault_kv_state state_of(const json_t *metadata, const json_t *data)
{
    if (json_is_true(json_object_get(metadata, "destroyed")))
        return VAULT_KV_DESTROYED;
    return json_is_object(data) ? VAULT_KV_THERE : VAULT_KV_DELETED;
}

static int take_kv(struct vault *v, struct ask *ask, struct vault_kv *out, struct err *err)
{
    const json_t *data = ask_member(ask, "data");
    const json_t *metadata = json_object_get(data, "metadata");
    json_t *fields = json_object_get(data, "data");
    struct vault_kv kv = {.version = kv_version_number(json_object_get(metadata, "version"))};

    if (kv.version == 0)
        return ask_unusable(v, ask, "is not one of KV version 2: it has no version", err);
    kv.state = state_of(metadata, fields);
    kv.written_at = vault_json_time(json_object_get(metadata, "created_time"));
    if (kv.state == VAULT_KV_THERE &&
        document_from_json(fields, ask->call.path, ERR_SOURCE_DATA, true, &kv.data, err) != 0)
        return -1;
    *out = kv;
    return 0;
}

static int read_kv(struct vault *v, const char *path, const char *query, int64_t deadline_ms,
                   struct vault_kv *out, struct err *err)
{
    struct ask ask = ASK_INIT("GET", "read", "\"read\"");
    int result = -1;

    if (kv_path(v, &ask, path, "data", query, deadline_ms, err) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        /* A version that was deleted or destroyed is answered with 404 and its metadata. */
        bool is_told = json_is_object(json_object_get(ask_member(&ask, "data"), "metadata"));
        if (ask.call.status == 200 || (ask.call.status == 404 && is_told)) {
            result = take_kv(v, &ask, out, err);
        } else if (ask_is_missing(&ask)) {
            *out = (struct vault_kv){.state = VAULT_KV_MISSING};
            result = 0;
        } else {
            result = ask_error(v, &ask, err);
        }
    }
    ask_release(v, &ask);
    return result;
}

int vault_kv_read(struct vault *v, const char *path, int64_t deadline_ms, struct vault_kv *out,
                  struct err *err)
{
    return read_kv(v, path, "", deadline_ms, out, err);
}

int vault_kv_read_version(struct vault *v, const char *path, unsigned version, int64_t deadline_ms,
                          struct vault_kv *out, struct err *err)
{
    char query[32];

    (void)snprintf(query, sizeof query, "?version=%u", version);
    return read_kv(v, path, query, deadline_ms, out, err);
}

/* ---- writing -------------------------------------------------------------------------------- */

int kv_send(struct vault *v, struct ask *ask, const char *path, const struct secret *data,
            unsigned cas, int64_t deadline_ms, struct err *err)
{
    AUTO_BUF body = BUF_INIT(ASK_BODY_MAX_BYTES);

    buf_addf(&body, "{\"options\":{\"cas\":%u},\"data\":", cas);
    buf_add(&body, secret_reveal(data), secret_length(data));
    buf_addc(&body, '}');
    ask->call.once = true;
    if (ask_body(ask, &body, err) != 0 || kv_path(v, ask, path, "data", "", deadline_ms, err) != 0)
        return -1;
    return ask_send(v, ask, deadline_ms, err);
}

int kv_written_version(struct vault *v, struct ask *ask, enum vault_written *outcome,
                       unsigned *version, struct err *err)
{
    if (ask_outcome(v, ask, outcome, err) != 0)
        return -1;
    if (*outcome != VAULT_WRITTEN)
        return 0;
    unsigned written = kv_version_number(json_object_get(ask_member(ask, "data"), "version"));
    if (written > 0) {
        *version = written;
        answer_warnings(v, ask->call.path, ask->json);
        return 0;
    }
    /* Whoever said yes, these were not Vault's words. */
    (void)ask_unusable(v, ask, "has no version", err);
    *outcome = VAULT_IN_DOUBT;
    return 0;
}

int vault_kv_put(struct vault *v, const char *path, const struct document *doc, unsigned cas,
                 int64_t deadline_ms, enum vault_written *outcome, unsigned *version,
                 struct err *err)
{
    struct ask ask = ASK_INIT("POST", "write", "\"create\", \"update\"");
    AUTO_SECRET data = SECRET_INIT;
    int result = -1;

    if (document_write(doc, &data, err) == 0 &&
        kv_send(v, &ask, path, &data, cas, deadline_ms, err) == 0)
        result = kv_written_version(v, &ask, outcome, version, err);
    ask_release(v, &ask);
    return result;
}

int vault_kv_erase(struct vault *v, const char *path, int64_t deadline_ms,
                   enum vault_written *outcome, struct err *err)
{
    struct ask ask = ASK_INIT("DELETE", "erase", "\"delete\"");
    int result = -1;

    ask.call.once = true;
    if (kv_path(v, &ask, path, "metadata", "", deadline_ms, err) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        bool is_gone = ask_is_missing(&ask);
        if (is_gone)
            *outcome = VAULT_WRITTEN;
        result = is_gone ? 0 : ask_outcome(v, &ask, outcome, err);
    }
    ask_release(v, &ask);
    return result;
}
