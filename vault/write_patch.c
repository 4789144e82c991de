/* write_patch.c: some fields of a secret are replaced, every other byte of it stays.
 *
 * PATCH does it in one request and shows the other fields to nobody. It is a right of its own,
 * which older policies don't give; then the secret is read, cut up as it was written, and put
 * back with the same check-and-set. Nothing goes through numbers or strings of ours on that way.
 * (OpenBao makes floating point of numbers itself, when they are first written.) */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/ask.h"
#include "vault/span.h"

/* ---- putting together ----------------------------------------------------------------------- */

static void add_value(struct buf *out, const struct document_entry *entry)
{
    if (entry->type == DOCUMENT_STRING)
        str_add_json(out, secret_reveal(&entry->value), secret_length(&entry->value));
    else
        buf_add(out, secret_reveal(&entry->value), secret_length(&entry->value));
}

static size_t index_of(const struct document *doc, const char *name)
{
    size_t i = 0;

    while (i < doc->count && !str_eq(doc->list[i].name, name))
        i++;
    return i;
}

/* Append FIELDS with those of DOC in place of theirs, the new ones behind. DONE has room for a mark
 * for each of DOC. */
static int replace_fields(struct span fields, const struct document *doc, bool *done,
                          struct buf *out, struct err *err)
{
    struct span_member member;
    const char *separator = "{";

    for (size_t at = 0; span_next(fields, &at, &member); separator = ",") {
        AUTO_BUF name = BUF_INIT(VAULT_BODY_MAX_BYTES);
        if (span_name(member.name, &name, err) != 0)
            return -1;
        size_t index = index_of(doc, buf_text(&name));
        buf_adds(out, separator);
        buf_add(out, member.name.start, member.name.length);
        buf_addc(out, ':');
        if (index < doc->count) {
            add_value(out, &doc->list[index]);
            done[index] = true;
        } else {
            buf_add(out, member.value.start, member.value.length);
        }
    }
    for (size_t i = 0; i < doc->count; i++) {
        if (done[i])
            continue;
        buf_adds(out, separator);
        str_add_json(out, doc->list[i].name, strlen(doc->list[i].name));
        buf_addc(out, ':');
        add_value(out, &doc->list[i]);
        separator = ",";
    }
    buf_adds(out, str_eq(separator, "{") ? "{}" : "}");
    return buf_check(out, ERR_USAGE, "the secret with its new fields", err);
}

/* ---- read, replace, write ------------------------------------------------------------------- */

static int nothing_there(struct vault *v, struct ask *ask, struct err *err)
{
    (void)answer_error(v, &ask->call, ask->tried, err);
    err->kind = ERR_SOURCE_MISSING;
    return err_hint(err, "There is no version whose fields could be replaced: write the secret "
                         "first.");
}

/* The fields of the newest version, as they were written, with DOC's in them. *matches: that
 * version is CAS. */
static int read_and_replace(struct vault *v, const char *path, const struct document *doc,
                            unsigned cas, int64_t deadline_ms, bool *matches, struct secret *out,
                            struct err *err)
{
    struct ask ask = ASK_INIT("GET", "read", "\"read\"");
    AUTO_BUF written = BUF_INIT(VAULT_BODY_MAX_BYTES);
    AUTO_BUF text = BUF_INIT(ASK_BODY_MAX_BYTES);
    AUTO_FREE bool *done = mem_new(doc->count + 1, sizeof(*done));
    struct span data, fields;
    int result = -1;

    if (!done)
        return err_nomem(err);
    if (kv_path(v, &ask, path, "data", "", deadline_ms, err) == 0 &&
        ask_send(v, &ask, deadline_ms, err) == 0) {
        /* Parsing may change the bytes: a long number is none that jansson holds. */
        buf_add(&written, ask.call.exchange.answer.data, ask.call.exchange.answer.len);
        struct span whole = {buf_text(&written), written.len};
        const json_t *metadata = json_object_get(ask_member(&ask, "data"), "metadata");
        if (ask.call.status == 404)
            result = nothing_there(v, &ask, err);
        else if (ask.call.status != 200)
            result = ask_error(v, &ask, err);
        else if (buf_check(&written, ERR_SOURCE_DATA, "the secret", err) != 0)
            result = -1;
        else if (!span_find(whole, "data", &data) || !span_find(data, "data", &fields) ||
                 fields.length == 0 || fields.start[0] != '{')
            result = ask_unusable(v, &ask, "has no data", err);
        else
            result = replace_fields(fields, doc, done, &text, err);
        *matches = kv_version_number(json_object_get(metadata, "version")) == cas;
    }
    ask_release(v, &ask);
    return result != 0 ? -1 : secret_set(out, buf_text(&text), text.len, err);
}

static int patch_by_writing(struct vault *v, const char *path, const struct document *doc,
                            unsigned cas, int64_t deadline_ms, enum vault_written *outcome,
                            unsigned *version, struct err *err)
{
    struct ask ask = ASK_INIT("POST", "write", "\"update\"");
    AUTO_SECRET data = SECRET_INIT;
    bool matches = false;

    if (read_and_replace(v, path, doc, cas, deadline_ms, &matches, &data, err) != 0)
        return err_wrap(err, "replace fields without the right to patch");
    if (!matches) {
        *outcome = VAULT_CONFLICT;
        return 0;
    }
    int result = -1;
    if (kv_send(v, &ask, path, &data, cas, deadline_ms, err) == 0)
        result = kv_written_version(v, &ask, outcome, version, err);
    ask_release(v, &ask);
    return result == 0 ? 0 : err_wrap(err, "replace fields without the right to patch");
}

static int defective(const struct document *doc, unsigned cas, struct err *err)
{
    if (doc->group_count > 0)
        return err_set(err, ERR_DEFECT, "fields of a secret were to be replaced by groups");
    if (doc->count == 0 || cas == 0)
        return err_set(err, ERR_DEFECT, "no fields, or those of no version, were to be replaced");
    return 0;
}

int vault_kv_patch(struct vault *v, const char *path, const struct document *doc, unsigned cas,
                   int64_t deadline_ms, enum vault_written *outcome, unsigned *version,
                   struct err *err)
{
    struct ask ask = ASK_INIT("PATCH", "patch", "\"patch\"");
    AUTO_SECRET data = SECRET_INIT;
    int result = -1;

    if (defective(doc, cas, err) != 0 || document_write(doc, &data, err) != 0)
        return -1;
    ask.call.is_patch = true;
    ask.refusal_is_expected = true;
    bool was_sent = kv_send(v, &ask, path, &data, cas, deadline_ms, err) == 0;
    int status = ask.call.status;
    if (was_sent && status == 404)
        result = nothing_there(v, &ask, err);
    else if (was_sent && status != 403 && status != 405)
        result = kv_written_version(v, &ask, outcome, version, err);
    ask_release(v, &ask);
    if (was_sent && (status == 403 || status == 405)) /* refused, or a Vault that has no PATCH */
        return patch_by_writing(v, path, doc, cas, deadline_ms, outcome, version, err);
    return result;
}
