/* store_kv.c: the record of a rotation beside its secret in KV version 2.
 *
 *   <base>                  the secret; where the value lies in no KV path, the contract's `records`
 *   <base>.pending/<NAME>   the record: made with cas 0, so it is lock and write-ahead log in one
 *   <base>.receipts/<NAME>  each version is a receipt
 *   metadata of <base>      agent.<NAME>: when, which, who
 *
 * Every write but the last erasing has a check-and-set; one whose reply was lost is left to the engine,
 * which reads back. */
#include "rotate/store_kv.h"

#include "base/str.h"
#include "vault/engine.h"

enum {
    HINT_POLICY_BYTES = 1024,
    SELF_MS = 5 * 1000, /* of a question that only makes an error clearer */
    ERASE_ATTEMPTS = 3, /* each after having looked that ours still stands there */
};

const char *kv_base(const struct rotate_spec *spec)
{
    return spec->place.kind == ROTATE_IN_KV ? spec->place.path : spec->records;
}

int kv_beside(const struct rotate_spec *spec, const char *suffix, struct buf *out, struct err *err)
{
    buf_addf(out, "%s%s/%s", kv_base(spec), suffix, spec->variable);
    return buf_check(out, ERR_CONTRACT, "the path of a rotation's record", err);
}

/* ---- errors ----------------------------------------------------------------------------------- */

/* TEXT on one line, with single blanks. */
static void add_on_one_line(const char *text, struct buf *out)
{
    bool blank = false;

    for (; *text; text++) {
        bool is_blank = *text == ' ' || *text == '\n';
        if (!is_blank && blank && out->len > 0)
            buf_addc(out, ' ');
        if (!is_blank)
            buf_addc(out, *text);
        blank = is_blank;
    }
}

/* Whether it is the token's end that was answered with 403, and no policy's want. */
static bool token_is_dead(struct vault *v)
{
    CLEANUP(vault_token_facts_release) struct vault_token_facts self = {0};
    struct err ignored = ERR_INIT; /* a refusal is the answer */

    return vault_self(v, clock_in_ms(SELF_MS), &self, &ignored) != 0 || !self.is_alive;
}

/* What a policy would have to say, behind what Vault refused. */
int kv_denied(struct vault *v, const struct vault_need *need, struct err *err)
{
    AUTO_BUF policy = BUF_INIT(HINT_POLICY_BYTES), line = BUF_INIT(HINT_POLICY_BYTES);
    struct err ignored = ERR_INIT; /* then there is the refusal alone */

    if (err->kind != ERR_SOURCE_DENIED || err->http_status != 403 || token_is_dead(v))
        return -1;
    if (vault_policy_text(v, need, 1, &policy, &ignored) != 0)
        return -1;
    add_on_one_line(buf_text(&policy), &line);
    if (buf_check(&line, ERR_DEFECT, "a policy", &ignored) != 0)
        return -1;
    return err_hint(err, "A rotation needs this in the policy: %s", buf_text(&line));
}

/* PATH's values are refused: WANTED is what is needed of them. */
static int denied_data(struct vault *v, const char *path, unsigned wanted, struct err *err)
{
    const struct vault_need need = {.path = path, .kind = VAULT_NEED_DATA, .wanted = wanted};

    return kv_denied(v, &need, err);
}

static enum store_written written_of(enum vault_written outcome)
{
    return outcome == VAULT_WRITTEN    ? STORE_WRITTEN
           : outcome == VAULT_CONFLICT ? STORE_CONFLICT
                                       : STORE_IN_DOUBT;
}

/* ---- the secret ------------------------------------------------------------------------------- */

static int kv_read_current(struct rotation *r, struct document *out, unsigned *version,
                           struct err *err)
{
    AUTO_VAULT_KV kv = {0};
    const char *path = r->spec->place.path;
    struct vault *v;

    if (r->spec->place.kind != ROTATE_IN_KV) {
        *out = DOCUMENT_INIT;
        *version = 0;
        return 0;
    }
    if (r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    if (vault_kv_read(v, path, r->context->deadline_ms, &kv, err) != 0)
        return denied_data(v, path, VAULT_CAN_READ, err);
    *out = kv.data;
    kv.data = DOCUMENT_INIT;
    *version = kv.version;
    return 0;
}

/* Where there is nothing (left) to be patched, FIELDS are the next version by themselves. */
static int promote_into_nothing(struct rotation *r, struct vault *v, const struct document *fields,
                                unsigned base_version, enum vault_written *outcome, struct err *err)
{
    unsigned version;

    if (vault_kv_put(v, r->spec->place.path, fields, base_version, r->context->deadline_ms, outcome,
                     &version, err) != 0)
        return denied_data(v, r->spec->place.path, VAULT_CAN_CREATE | VAULT_CAN_UPDATE, err);
    return 0;
}

static int kv_promote(struct rotation *r, const struct document *fields, unsigned base_version,
                      enum store_written *outcome, struct err *err)
{
    enum vault_written written = VAULT_CONFLICT;
    struct err patched = ERR_INIT;
    struct vault *v;
    unsigned version;

    if (r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    int result = base_version > 0
                     ? vault_kv_patch(v, r->spec->place.path, fields, base_version,
                                      r->context->deadline_ms, &written, &version, &patched)
                     : -1;
    if (base_version == 0 || (result != 0 && patched.kind == ERR_SOURCE_MISSING)) {
        if (promote_into_nothing(r, v, fields, base_version, &written, err) != 0)
            return -1;
    } else if (result != 0) {
        *err = patched;
        return denied_data(v, r->spec->place.path, VAULT_CAN_PATCH, err);
    } else if (written == VAULT_IN_DOUBT) {
        *err = patched;
    }
    *outcome = written_of(written);
    return 0;
}

/* ---- the record ------------------------------------------------------------------------------- */

static void kv_describe_record(struct rotation *r, struct buf *out)
{
    struct err ignored = ERR_INIT; /* the address is left out */
    struct vault *v = NULL;

    buf_addf(out, "'%s%s/%s'", kv_base(r->spec), KV_PENDING, r->spec->variable);
    if (r->context->vault(r->context->owner, &v, &ignored) == 0)
        buf_addf(out, " at '%s'", vault_address(v));
}

/* The record that KV has becomes RECORD's. */
static int take_record(struct rotation *r, struct vault_kv *kv, struct err *err)
{
    AUTO_BUF place = BUF_INIT(ERR_TEXT_BYTES);

    record_release(&r->record);
    if (kv->state != VAULT_KV_THERE)
        return 0;
    kv_describe_record(r, &place);
    if (record_check(r->spec, buf_text(&place), &kv->data, err) != 0)
        return -1;
    r->record = (struct record){.data = kv->data, .version = kv->version, .open = true};
    kv->data = DOCUMENT_INIT;
    return 0;
}

static int kv_read_record(struct rotation *r, struct err *err)
{
    AUTO_BUF path = BUF_INIT(KV_PATH_BYTES);
    AUTO_VAULT_KV kv = {0};
    struct vault *v;

    if (kv_beside(r->spec, KV_PENDING, &path, err) != 0 ||
        r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    if (vault_kv_read(v, buf_text(&path), r->context->deadline_ms, &kv, err) != 0)
        return denied_data(v, buf_text(&path), KV_RECORD_NEEDS, err);
    return take_record(r, &kv, err);
}

/* By check-and-set on CAS. */
static int put_record(struct rotation *r, const char *path, unsigned cas,
                      enum vault_written *outcome, struct err *err)
{
    struct vault *v;
    unsigned version = 0;

    if (r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    if (vault_kv_put(v, path, &r->record.data, cas, r->context->deadline_ms, outcome, &version,
                     err) != 0)
        return denied_data(v, path, KV_RECORD_NEEDS, err);
    if (*outcome == VAULT_WRITTEN) {
        r->record.version = version;
        r->record.open = true;
    }
    return 0;
}

/* A record that somebody deleted without its metadata keeps the counter: cas 0 is refused there, and no
 * rotation is open all the same. */
static int create_over_deleted(struct rotation *r, const char *path, enum vault_written *outcome,
                               struct err *err)
{
    AUTO_VAULT_KV kv = {0};
    struct vault *v;

    if (r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    if (vault_kv_read(v, path, r->context->deadline_ms, &kv, err) != 0)
        return denied_data(v, path, KV_RECORD_NEEDS, err);
    if (kv.state != VAULT_KV_DELETED && kv.state != VAULT_KV_DESTROYED)
        return 0;
    return put_record(r, path, kv.version, outcome, err);
}

static int kv_create_record(struct rotation *r, enum store_written *outcome, struct err *err)
{
    AUTO_BUF path = BUF_INIT(KV_PATH_BYTES);
    enum vault_written written = VAULT_CONFLICT;

    if (kv_beside(r->spec, KV_PENDING, &path, err) != 0 ||
        put_record(r, buf_text(&path), 0, &written, err) != 0)
        return -1;
    if (written == VAULT_CONFLICT && create_over_deleted(r, buf_text(&path), &written, err) != 0)
        return -1;
    *outcome = written_of(written);
    return 0;
}

static int kv_write_record(struct rotation *r, enum store_written *outcome, struct err *err)
{
    AUTO_BUF path = BUF_INIT(KV_PATH_BYTES);
    enum vault_written written = VAULT_CONFLICT;

    if (kv_beside(r->spec, KV_PENDING, &path, err) != 0 ||
        put_record(r, buf_text(&path), r->record.version, &written, err) != 0)
        return -1;
    *outcome = written_of(written);
    return 0;
}

/* Whether our record still stands at PATH: what is not ours is not erased. */
static int record_stands(struct rotation *r, struct vault *v, const char *path, bool *stands,
                         struct err *err)
{
    AUTO_VAULT_KV kv = {0};

    if (vault_kv_read(v, path, r->context->deadline_ms, &kv, err) != 0)
        return denied_data(v, path, KV_RECORD_NEEDS, err);
    *stands = kv.state == VAULT_KV_THERE &&
              str_eq(document_text(&kv.data, NULL, "id"), record_id(&r->record));
    return 0;
}

static int kv_erase_record(struct rotation *r, struct err *err)
{
    AUTO_BUF path = BUF_INIT(KV_PATH_BYTES);
    struct err doubt = ERR_INIT;
    struct vault *v;

    if (kv_beside(r->spec, KV_PENDING, &path, err) != 0 ||
        r->context->vault(r->context->owner, &v, err) != 0)
        return -1;
    const struct vault_need need = {
        .path = buf_text(&path), .kind = VAULT_NEED_METADATA, .wanted = VAULT_CAN_DELETE};
    for (int attempt = 0; attempt < ERASE_ATTEMPTS; attempt++) {
        enum vault_written outcome = VAULT_WRITTEN;
        bool stands = true;
        if (vault_kv_erase(v, buf_text(&path), r->context->deadline_ms, &outcome, &doubt) != 0) {
            *err = doubt;
            return kv_denied(v, &need, err);
        }
        if (outcome == VAULT_WRITTEN)
            return 0;
        if (record_stands(r, v, buf_text(&path), &stands, err) != 0)
            return -1;
        if (!stands)
            return 0;
    }
    *err = doubt;
    return err_wrap(err, "erase the record '%s'", buf_text(&path));
}

const struct store store_kv = {
    .read_current = kv_read_current,
    .read_record = kv_read_record,
    .create_record = kv_create_record,
    .write_record = kv_write_record,
    .erase_record = kv_erase_record,
    .promote = kv_promote,
    .note_done = kv_note_done,
    .history = kv_history,
    .look = kv_look,
    .plan = kv_plan,
    .describe_record = kv_describe_record,
};
