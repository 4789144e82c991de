/* kv_answer.c: what came back for one path: its fields, or why there are none. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/kv.h"

/* What came back can't be used. */
static void fail_with(struct reading *r, const struct call *call, const struct err *cause)
{
    r->read->err = *cause;
    (void)err_wrap(&r->read->err, "read '%s' at '%s'", call->path,
                   r->all->v->config.nodes[call->node].address);
}

static bool is_versioned(const json_t *json)
{
    const json_t *data = json_object_get(json, "data");
    const json_t *metadata = json_object_get(data, "metadata");

    return json_is_object(metadata) && json_is_integer(json_object_get(metadata, "version")) &&
           json_object_get(data, "data");
}

static int fill(struct reading *r, const struct call *call, const json_t *json, struct err *err)
{
    struct vault_read *read = r->read;
    const json_t *data = json_object_get(json, "data");
    bool versioned = r->shape != SHAPE_PLAIN && is_versioned(json);
    struct vault_field *fields = NULL;
    size_t count = 0;
    struct vault_lease lease;

    if (vault_json_fields(versioned ? json_object_get(data, "data") : data, "the answer", &fields,
                          &count, err) != 0)
        return -1;
    if (lease_from_answer(json, path_is_login(read->path), call->sent_ms, &lease, err) != 0) {
        vault_fields_free(fields, count);
        return -1;
    }
    const json_t *metadata = versioned ? json_object_get(data, "metadata") : NULL;
    json_int_t version = json_integer_value(json_object_get(metadata, "version"));
    read->written_at_ns = vault_json_time_ns(json_object_get(metadata, "created_time"));
    read->version = version > 0 && version <= UINT32_MAX ? (unsigned)version : 0;
    read->fields = fields;
    read->field_count = count;
    read->lease = lease;
    return 0;
}

/* Take the answer of CALL, whose status is 200. False: it has not the shape that was expected. */
bool kv_accept(struct reading *r, struct call *call)
{
    struct err err = ERR_INIT;
    AUTO_JSON json = NULL;

    if (vault_json_parse(&call->exchange.answer, "the answer", &json, &err) != 0) {
        fail_with(r, call, &err);
        return true;
    }
    if (r->shape == SHAPE_VERSIONED && !is_versioned(json))
        return false;
    if (fill(r, call, json, &err) != 0) {
        fail_with(r, call, &err);
        return true;
    }
    r->all->any_answered = true;
    answer_warnings(r->all->v, r->read->path, json);
    return true;
}

/* KV v2 answers 404 with a body for a version that was deleted or destroyed: said as such. */
bool kv_is_deleted(struct reading *r, struct call *call)
{
    struct err err = ERR_INIT;
    AUTO_JSON json = NULL;

    if (call->status != 404 || call->exchange.answer.len == 0 ||
        vault_json_parse(&call->exchange.answer, "the answer", &json, &err) != 0)
        return false;
    const json_t *metadata = json_object_get(json_object_get(json, "data"), "metadata");
    if (!json_is_object(metadata))
        return false;
    long long version = json_integer_value(json_object_get(metadata, "version"));
    const char *when = json_string_value(json_object_get(metadata, "deletion_time"));
    if (json_is_true(json_object_get(metadata, "destroyed")))
        (void)err_set(&err, ERR_SOURCE_MISSING, "version %lld was destroyed", version);
    else
        (void)err_set(&err, ERR_SOURCE_MISSING, "version %lld was deleted at %s", version,
                      when && *when ? when : "a time that is not told");
    (void)err_hint(&err, json_is_true(json_object_get(metadata, "destroyed"))
                             ? "Write the secret again."
                             : "Undelete that version, or write the secret again.");
    err.http_status = call->status;
    fail_with(r, call, &err);
    return true;
}

/* KV v2 answers 404 with a warning, and no data, to a path without "data/". */
bool kv_wants_data(struct call *call)
{
    struct err ignored;
    AUTO_JSON json = NULL;

    return call->status == 404 && call->exchange.answer.len > 0 &&
           vault_json_parse(&call->exchange.answer, "the answer", &json, &ignored) == 0 &&
           json_array_size(json_object_get(json, "warnings")) > 0;
}

static void hint_at_policy(const struct call *call, struct err *err)
{
    AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);

    if (str_percent_decode(&path, call->path, strlen(call->path)) == 0)
        (void)err_hint(err,
                       "A policy would allow it with: path \"%s\" { capabilities = [\"read\"] }",
                       buf_text(&path));
}

static void hint_at_absence(const struct call *call, struct err *err)
{
    static const struct {
        const char *words, *hint;
    } known[] = {
        {"no handler for route \\\"v1/", "The address needs no /v1 behind it."},
        {"no handler for route", "Nothing is mounted where that path begins: `bao secrets list` "
                                 "(`vault secrets list`) shows what is."},
        {"namespace not found",
         "There is no such namespace: `bao namespace list` (`vault namespace "
         "list`) shows what is below another."},
        {"unsupported path",
         "What is mounted there has no such path, or takes no such name in it."},
        {"", "Write what belongs there, or mend the path: `bao kv list` (`vault kv list`) shows "
             "what is "
             "beside it."},
    };
    const struct buf *answer = &call->exchange.answer;
    size_t i = 0;

    while (known[i].words[0] &&
           !memmem(buf_text(answer), answer->len, known[i].words, strlen(known[i].words)))
        i++;
    (void)err_hint(err, "%s", known[i].hint);
}

/* CALL is R's last word, and no answer. */
void kv_fail(struct reading *r, struct call *call)
{
    struct err *err = &r->read->err;

    if (call->status == 200) {
        struct err cause;
        (void)err_set(&cause, ERR_SOURCE_DATA, "the answer is not one of KV version 2");
        fail_with(r, call, &cause);
        return;
    }
    (void)answer_error(r->all->v, call, "read", err);
    if (err->kind == ERR_SOURCE_MISSING)
        hint_at_absence(call, err);
    r->refused = call->status == 403;
    if (r->refused)
        hint_at_policy(call, err);
    if (call == &r->first && r->refused && r->last.status == 403) {
        (void)err_hint(err, "Or, if the mount is KV version 1:");
        hint_at_policy(&r->last, err);
    }
    if (r->step == SETTLED && kv_wants_data(call))
        (void)err_hint(err, "The mount is KV version 2, the contract's vault.kv says otherwise.");
}
