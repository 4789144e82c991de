/* store_sealed.c: the record of a rotation in the sealed store, beside the values of its variables.
 *
 *   NAME            the value
 *   NAME.pending    the record; its member "version" counts its writes
 *   NAME.receipts   who rotated last, and the receipts, each a group
 *
 * Every change is made under the store's lock: what is there is read again, held against what was read
 * before, and the file is replaced in one step. So check-and-set is a comparison. */
#include "rotate/store_sealed.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#define VERSION         "version"
#define PREVIOUS_SUFFIX "_PREVIOUS" /* random.c: `keep` */

/* ---- the file --------------------------------------------------------------------------------- */

void sealed_opened_release(struct sealed_opened *opened)
{
    sealed_free(opened->store);
    if (opened->lock >= 0)
        (void)close(opened->lock); /* gives it up; nothing was written through it */
}

/* The store as it is now, under its lock where it is to be changed. KEPT (may be NULL) is one that was
 * opened before: nobody is asked for a passphrase twice. */
static int open_store(const struct rotate_context *context, struct sealed **kept, bool change,
                      struct sealed_opened *out, struct err *err)
{
    const struct sealed_access access = {.deadline_ms = context->deadline_ms};

    if (change && sealed_lock(context->sealed_path, context->deadline_ms, &out->lock, err) != 0)
        return -1;
    if (kept && *kept ? sealed_load_again(*kept, &out->store, err) != 0
                      : sealed_load(context->sealed_path, &out->store, err) != 0)
        return -1;
    if (sealed_unlock(out->store, &access, err) != 0)
        return -1;
    return kept && !*kept ? sealed_load_again(out->store, kept, err) : 0;
}

int sealed_open_for(struct rotation *r, bool change, struct sealed_opened *out, struct err *err)
{
    struct sealed *kept = r->store_private;
    int result = open_store(r->context, &kept, change, out, err);

    r->store_private = kept;
    return result;
}

int sealed_open_to_look(const struct rotate_context *context, struct sealed_opened *out,
                        struct err *err)
{
    return open_store(context, NULL, false, out, err);
}

static void sealed_store_release(struct rotation *r)
{
    sealed_free(r->store_private);
    r->store_private = NULL;
}

/* What could not be saved may have been: the file is replaced before its folder is on the disk. */
static enum store_written save(const struct sealed *store, struct err *err)
{
    return sealed_save(store, err) == 0 ? STORE_WRITTEN : STORE_IN_DOUBT;
}

/* ---- documents -------------------------------------------------------------------------------- */

int sealed_name_of(const struct rotate_spec *spec, const char *suffix, struct buf *out,
                   struct err *err)
{
    buf_addf(out, "%s%s", spec->variable, suffix);
    return buf_check(out, ERR_CONTRACT, "the name of a record", err);
}

/* The document that stands under NAME; *there is false where there is none. */
int sealed_read_document(const struct sealed *store, const char *name, struct document *out,
                         bool *there, struct err *err)
{
    AUTO_SECRET text = SECRET_INIT;

    *there = sealed_has(store, name);
    if (!*there)
        return 0;
    if (sealed_get(store, name, &text, err) != 0)
        return -1;
    if (document_parse_known(secret_reveal(&text), secret_length(&text), name, ERR_ROTATION, out,
                             err) == 0)
        return 0;
    return err_hint(err,
                    "Nothing was changed. Once it is certain that no rotation is on its way there, "
                    "take it out with 'agent seal rm %s'.",
                    name);
}

int sealed_set_document(struct sealed *store, const char *name, const struct document *doc,
                        struct err *err)
{
    AUTO_SECRET text = SECRET_INIT;
    bool changed;

    if (document_write(doc, &text, err) != 0)
        return -1;
    return sealed_set(store, name, &text, true, &changed, err);
}

/* ---- the values ------------------------------------------------------------------------------- */

static int take_value(const struct sealed *store, const char *name, struct document *out,
                      struct err *err)
{
    AUTO_SECRET value = SECRET_INIT;

    if (!name || !sealed_has(store, name) || document_get(out, NULL, name))
        return 0;
    if (sealed_get(store, name, &value, err) != 0)
        return -1;
    return document_set(out, NULL, name, &value, err);
}

/* What this rotation may have to do with: the place's names, what `keep` publishes, what the record is to
 * make current. Others' values are left closed. */
static int take_values(const struct rotation *r, const struct sealed *store, struct document *out,
                       struct err *err)
{
    const struct rotate_place *place = &r->spec->place;
    const struct document *record = &r->record.data;
    AUTO_BUF previous = BUF_INIT(SEALED_RECORD_NAME_BYTES);

    if (sealed_name_of(r->spec, PREVIOUS_SUFFIX, &previous, err) != 0 ||
        take_value(store, place->value_field, out, err) != 0 ||
        take_value(store, place->user_field, out, err) != 0 ||
        take_value(store, place->password_field, out, err) != 0 ||
        take_value(store, buf_text(&previous), out, err) != 0)
        return -1;
    for (size_t i = 0; i < record->count; i++)
        if (str_eq(record->list[i].group, "fields") &&
            take_value(store, record->list[i].name, out, err) != 0)
            return -1;
    return 0;
}

static int read_current(struct rotation *r, struct document *out, unsigned *version,
                        struct err *err)
{
    AUTO_DOCUMENT values = DOCUMENT_INIT;
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;

    if (sealed_open_for(r, false, &opened, err) != 0 ||
        take_values(r, opened.store, &values, err) != 0)
        return -1;
    *version = values.count > 0 ? 1 : 0; /* there are none; promote compares the values */
    *out = values;
    values = DOCUMENT_INIT;
    return 0;
}

/* Whether NAME has now what it had when r->current was read. */
static int is_unchanged(const struct rotation *r, const struct sealed *store, const char *name,
                        bool *unchanged, struct err *err)
{
    const struct secret *before = document_get(&r->current, NULL, name);
    AUTO_SECRET now = SECRET_INIT;

    if (sealed_has(store, name) && sealed_get(store, name, &now, err) != 0)
        return -1;
    *unchanged = before ? secret_equal(&now, before) : !secret_is_set(&now);
    return 0;
}

static int promote(struct rotation *r, const struct document *fields, unsigned base_version,
                   enum store_written *outcome, struct err *err)
{
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    bool unchanged = true, changed;

    (void)base_version; /* the values themselves are compared */
    if (sealed_open_for(r, true, &opened, err) != 0)
        return -1;
    for (size_t i = 0; i < fields->count && unchanged; i++)
        if (is_unchanged(r, opened.store, fields->list[i].name, &unchanged, err) != 0)
            return -1;
    if (!unchanged) {
        *outcome = STORE_CONFLICT;
        return 0;
    }
    for (size_t i = 0; i < fields->count; i++)
        if (sealed_set(opened.store, fields->list[i].name, &fields->list[i].value, true, &changed,
                       err) != 0)
            return -1;
    *outcome = save(opened.store, err);
    return 0;
}

/* ---- the record ------------------------------------------------------------------------------- */

static void describe(const struct rotate_spec *spec, const struct rotate_context *context,
                     struct buf *out)
{
    buf_addf(out, "'%s%s' in '%s'", spec->variable, SEALED_PENDING, context->sealed_path);
}

static void describe_record(struct rotation *r, struct buf *out)
{
    describe(r->spec, r->context, out);
}

/* The record in STORE as the engine knows it: the counter apart. */
static int take_record(const struct rotate_spec *spec, const struct rotate_context *context,
                       const struct sealed *store, struct record *out, struct err *err)
{
    AUTO_BUF name = BUF_INIT(SEALED_RECORD_NAME_BYTES), place = BUF_INIT(ERR_TEXT_BYTES);
    AUTO_DOCUMENT data = DOCUMENT_INIT;
    int64_t version = 0;
    bool there;

    if (sealed_name_of(spec, SEALED_PENDING, &name, err) != 0 ||
        sealed_read_document(store, buf_text(&name), &data, &there, err) != 0)
        return -1;
    if (!there)
        return 0;
    describe(spec, context, &place);
    if (record_check(spec, buf_text(&place), &data, err) != 0)
        return -1;
    (void)document_number(&data, NULL, VERSION, &version); /* 0 where there is none */
    document_remove(&data, NULL, VERSION);
    *out = (struct record){.data = data, .version = (unsigned)version, .open = true};
    data = DOCUMENT_INIT;
    return 0;
}

static int read_record(struct rotation *r, struct err *err)
{
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    struct record record = RECORD_INIT;

    if (sealed_open_for(r, false, &opened, err) != 0 ||
        take_record(r->spec, r->context, opened.store, &record, err) != 0)
        return -1;
    record_release(&r->record);
    r->record = record;
    return 0;
}

/* The record becomes version NEXT in STORE. */
static int put_record(struct rotation *r, struct sealed *store, unsigned next,
                      enum store_written *outcome, struct err *err)
{
    AUTO_BUF name = BUF_INIT(SEALED_RECORD_NAME_BYTES);
    AUTO_DOCUMENT data = DOCUMENT_INIT;

    if (sealed_name_of(r->spec, SEALED_PENDING, &name, err) != 0 ||
        document_copy(&data, &r->record.data, err) != 0 ||
        document_set_number(&data, NULL, VERSION, next, err) != 0 ||
        sealed_set_document(store, buf_text(&name), &data, err) != 0)
        return -1;
    *outcome = save(store, err);
    if (*outcome == STORE_WRITTEN) {
        r->record.version = next;
        r->record.open = true;
    }
    return 0;
}

static int create_record(struct rotation *r, enum store_written *outcome, struct err *err)
{
    AUTO_BUF name = BUF_INIT(SEALED_RECORD_NAME_BYTES);
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;

    if (sealed_name_of(r->spec, SEALED_PENDING, &name, err) != 0 ||
        sealed_open_for(r, true, &opened, err) != 0)
        return -1;
    if (sealed_has(opened.store, buf_text(&name))) {
        *outcome = STORE_CONFLICT;
        return 0;
    }
    return put_record(r, opened.store, 1, outcome, err);
}

static int write_record(struct rotation *r, enum store_written *outcome, struct err *err)
{
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    struct record there = RECORD_INIT;

    if (sealed_open_for(r, true, &opened, err) != 0 ||
        take_record(r->spec, r->context, opened.store, &there, err) != 0)
        return -1;
    bool same = there.open && there.version == r->record.version;
    record_release(&there);
    if (!same) {
        *outcome = STORE_CONFLICT;
        return 0;
    }
    return put_record(r, opened.store, r->record.version + 1, outcome, err);
}

static int erase_record(struct rotation *r, struct err *err)
{
    AUTO_BUF name = BUF_INIT(SEALED_RECORD_NAME_BYTES);
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    struct record there = RECORD_INIT;

    if (sealed_name_of(r->spec, SEALED_PENDING, &name, err) != 0 ||
        sealed_open_for(r, true, &opened, err) != 0 ||
        take_record(r->spec, r->context, opened.store, &there, err) != 0)
        return -1;
    bool ours = there.open && str_eq(record_id(&there), record_id(&r->record));
    record_release(&there);
    if (!ours)
        return 0; /* somebody else's, or gone */
    if (sealed_remove(opened.store, buf_text(&name), err) != 0)
        return -1;
    return sealed_save(opened.store, err);
}

/* ---- looking ---------------------------------------------------------------------------------- */

static int look_at_one(const struct sealed *store, const struct rotate_spec *spec,
                       const struct rotate_context *context, struct rotate_status *out,
                       struct err *err)
{
    AUTO_BUF receipts = BUF_INIT(SEALED_RECORD_NAME_BYTES),
             pending = BUF_INIT(SEALED_RECORD_NAME_BYTES);
    AUTO_DOCUMENT all = DOCUMENT_INIT;
    struct record record = RECORD_INIT;
    bool there;

    if (sealed_name_of(spec, SEALED_RECEIPTS, &receipts, err) != 0 ||
        sealed_name_of(spec, SEALED_PENDING, &pending, err) != 0 ||
        sealed_read_document(store, buf_text(&receipts), &all, &there, err) != 0)
        return -1;
    out->last_rotated = sealed_last_rotated(&all);
    if (!sealed_has(store, buf_text(&pending)))
        return 0;
    out->state = ROTATE_STATE_OPEN; /* also one that can't be read */
    if (take_record(spec, context, store, &record, err) != 0)
        return -1;
    store_status_of_record(&record.data, out);
    record_release(&record);
    return 0;
}

static int look(const struct rotate_spec *const *specs, struct rotate_status *const *out,
                size_t count, const struct rotate_context *context, struct err *err)
{
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;

    if (count == 0)
        return 0;
    if (sealed_open_to_look(context, &opened, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        (void)look_at_one(opened.store, specs[i], context, out[i], &out[i]->err); /* said there */
    return 0;
}

static int plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    AUTO_SEALED_OPENED opened = SEALED_OPENED_INIT;
    AUTO_FREE char *folder = file_folder(r->context->sealed_path);

    if (!folder)
        return err_nomem(err);
    if (sealed_open_for(r, false, &opened, err) != 0)
        return -1;
    buf_adds(out, "  record in ");
    describe_record(r, out);
    buf_addc(out, '\n');
    if (access(*folder ? folder : ".", W_OK) == 0)
        return 0;
    *ready = false;
    buf_addf(out, "  the folder '%s' can't be written: the store is replaced in one step there\n",
             folder);
    return 0;
}

const struct store store_sealed = {
    .read_current = read_current,
    .read_record = read_record,
    .create_record = create_record,
    .write_record = write_record,
    .erase_record = erase_record,
    .promote = promote,
    .note_done = sealed_note_done,
    .history = sealed_history,
    .look = look,
    .plan = plan,
    .describe_record = describe_record,
    .release = sealed_store_release,
};
