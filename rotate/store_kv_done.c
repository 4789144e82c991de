/* store_kv_done.c: what stays of a rotation in KV: who and when as metadata of the secret, and a receipt.
 *
 * Both may be repeated: the metadata says the same again, and a receipt with our id is not written
 * twice. */
#include "rotate/store_kv.h"

#include "base/mem.h"
#include "base/str.h"

enum {
    MARK_NAME_BYTES = 512,
    RECEIPT_ATTEMPTS = 8, /* others write receipts of the same secret rarely: after aborts */
};

#define MARK_PREFIX "agent." /* vault_outline_rotated_at reads it */

/* ---- metadata --------------------------------------------------------------------------------- */

static int denied_metadata(struct vault *v, const char *path, unsigned wanted, unsigned or_else,
                           struct err *err)
{
    const struct vault_need need = {
        .path = path, .kind = VAULT_NEED_METADATA, .wanted = wanted, .or_else = or_else};

    return kv_denied(v, &need, err);
}

/* A path of `records` has no secret, so at first there is nothing that metadata could be put on. */
static int make_metadata(struct rotation *r, struct vault *v, const char *path, unsigned versions,
                         struct err *err)
{
    enum vault_written outcome = VAULT_WRITTEN;

    if (vault_kv_set_max_versions(v, path, versions, r->context->deadline_ms, &outcome, err) != 0)
        return denied_metadata(v, path, VAULT_CAN_CREATE | VAULT_CAN_UPDATE, 0, err);
    return outcome == VAULT_IN_DOUBT ? -1 : 0;
}

static int patch_mark(struct rotation *r, struct vault *v, const struct vault_pair *pair,
                      struct err *err)
{
    enum vault_written outcome = VAULT_WRITTEN;

    if (vault_kv_custom_patch(v, kv_base(r->spec), pair, 1, r->context->deadline_ms, &outcome,
                              err) != 0)
        return -1;
    return outcome == VAULT_IN_DOUBT ? -1 : 0;
}

static int put_mark(struct rotation *r, struct vault *v, const struct rotate_receipt *receipt,
                    struct err *err)
{
    AUTO_BUF name = BUF_INIT(MARK_NAME_BYTES), text = BUF_INIT(SECRET_MAX_BYTES);
    struct err first = ERR_INIT;

    buf_addf(&name, MARK_PREFIX "%s", r->spec->variable);
    if (buf_check(&name, ERR_CONTRACT, "the name of a mark", err) != 0 ||
        store_mark(receipt, VAULT_CUSTOM_MAX_BYTES, &text, err) != 0)
        return -1;
    const struct vault_pair pair = {buf_text(&name), buf_text(&text)};
    if (patch_mark(r, v, &pair, &first) == 0)
        return 0;
    if (first.kind == ERR_SOURCE_MISSING && r->spec->place.kind != ROTATE_IN_KV)
        return make_metadata(r, v, kv_base(r->spec), 1, err) == 0 ? patch_mark(r, v, &pair, err)
                                                                  : -1;
    *err = first;
    return denied_metadata(v, kv_base(r->spec), VAULT_CAN_PATCH, VAULT_CAN_READ | VAULT_CAN_UPDATE,
                           err);
}

/* ---- receipts --------------------------------------------------------------------------------- */

/* One look and one attempt to write. *done: it is there, by us or by who was before us. */
static int add_receipt_once(struct rotation *r, struct vault *v, const char *path,
                            const struct document *doc, bool *done, struct err *err)
{
    const struct vault_need need = {
        .path = path, .kind = VAULT_NEED_DATA, .wanted = KV_RECORD_NEEDS};
    AUTO_VAULT_KV newest = {0};
    enum vault_written outcome = VAULT_CONFLICT;
    unsigned version;

    if (vault_kv_read(v, path, r->context->deadline_ms, &newest, err) != 0)
        return kv_denied(v, &need, err);
    *done = newest.state == VAULT_KV_THERE &&
            str_eq(document_text(&newest.data, NULL, "id"), document_text(doc, NULL, "id"));
    if (*done)
        return 0;
    if (newest.version == 0 && make_metadata(r, v, path, ROTATE_RECEIPTS_KEPT, err) != 0)
        return -1;
    if (vault_kv_put(v, path, doc, newest.version, r->context->deadline_ms, &outcome, &version,
                     err) != 0)
        return kv_denied(v, &need, err);
    *done = outcome == VAULT_WRITTEN;
    return 0;
}

static int add_receipt(struct rotation *r, struct vault *v, const struct rotate_receipt *receipt,
                       struct err *err)
{
    AUTO_BUF path = BUF_INIT(KV_PATH_BYTES);
    AUTO_DOCUMENT doc = DOCUMENT_INIT;
    bool done = false;

    if (kv_beside(r->spec, KV_RECEIPTS, &path, err) != 0 || receipt_write(receipt, &doc, err) != 0)
        return -1;
    for (int attempt = 0; attempt < RECEIPT_ATTEMPTS && !done; attempt++)
        if (add_receipt_once(r, v, buf_text(&path), &doc, &done, err) != 0)
            return -1;
    if (done)
        return 0;
    return err_set(err, ERR_ROTATION, "the receipt '%s' could not be written: others wrote there",
                   buf_text(&path));
}

int kv_note_done(struct rotation *r, const struct rotate_receipt *receipt, struct err *err)
{
    struct vault *v;

    if (r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    /* What was undone rotated nothing: the age stays. */
    if (str_eq(receipt->result, "done") && put_mark(r, v, receipt, err) != 0)
        return err_wrap(err, "note the rotation at '%s'", kv_base(r->spec));
    return add_receipt(r, v, receipt, err);
}

/* ---- history ---------------------------------------------------------------------------------- */

/* The version's receipt, or nothing where it is gone by now. */
static int read_receipt(struct rotation *r, struct vault *v, const char *path,
                        const struct vault_kv_version *version, struct rotate_receipt *out,
                        size_t *count, struct err *err)
{
    AUTO_VAULT_KV kv = {0};

    if (version->deleted || version->destroyed)
        return 0;
    if (vault_kv_read_version(v, path, version->version, r->context->deadline_ms, &kv, err) != 0)
        return -1;
    if (kv.state == VAULT_KV_THERE)
        receipt_read(&kv.data, &out[(*count)++]);
    return 0;
}

int kv_history(struct rotation *r, size_t most, struct rotate_receipt **out, size_t *count,
               struct err *err)
{
    AUTO_BUF path = BUF_INIT(KV_PATH_BYTES);
    CLEANUP(vault_kv_history_release) struct vault_kv_history versions = {0};
    struct vault *v;
    size_t found = 0;

    if (kv_beside(r->spec, KV_RECEIPTS, &path, err) != 0 ||
        r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    if (vault_kv_versions(v, buf_text(&path), r->context->deadline_ms, &versions, err) != 0)
        return denied_metadata(v, buf_text(&path), VAULT_CAN_READ, 0, err);
    AUTO_FREE struct rotate_receipt *list = mem_new(versions.count + 1, sizeof(*list));
    if (!list)
        return err_nomem(err);
    for (size_t i = versions.count; i > 0 && found < most; i--)
        if (read_receipt(r, v, buf_text(&path), &versions.list[i - 1], list, &found, err) != 0)
            return -1;
    *out = TAKE_POINTER(list);
    *count = found;
    return 0;
}
