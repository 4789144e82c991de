/* store.c: which store, and what both have in common. */
#include "rotate/store.h"

#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/str.h"

const struct store *store_of(const struct rotate_spec *spec)
{
    return spec->place.kind == ROTATE_IN_SEALED ? &store_sealed : &store_kv;
}

/* ---- times ------------------------------------------------------------------------------------ */

int64_t store_time(const char *rfc3339)
{
    struct tm tm = {0};
    const char *end = rfc3339 ? strptime(rfc3339, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;

    return end && !*end ? timegm(&tm) : 0;
}

/* ---- marks ------------------------------------------------------------------------------------ */

/* At most BY_LENGTH bytes of who did it, whole characters. */
static void write_mark(const struct rotate_receipt *receipt, size_t by_length, struct buf *out)
{
    struct json json = JSON_INIT(out);
    const char *by = receipt->by;

    while (by_length > 0 && ((unsigned char)by[by_length] & 0xC0) == 0x80)
        by_length--;
    json_begin_object(&json, NULL);
    json_add_string(&json, "at", receipt->at);
    json_add_string(&json, "id", receipt->id);
    json_add_string_n(&json, "by", by, by_length);
    json_end_object(&json);
}

int store_mark(const struct rotate_receipt *receipt, size_t most, struct buf *out, struct err *err)
{
    size_t by_length = strnlen(receipt->by, sizeof(receipt->by) - 1);

    do {
        buf_clear(out);
        write_mark(receipt, by_length, out);
    } while (out->len > most && by_length-- > 0);
    return buf_check(out, ERR_DEFECT, "the mark of a rotation", err);
}

/* ---- receipts --------------------------------------------------------------------------------- */

int receipt_write(const struct rotate_receipt *receipt, struct document *out, struct err *err)
{
    const struct {
        const char *name, *text;
    } members[] = {
        {"id", receipt->id},         {"at", receipt->at},
        {"by", receipt->by},         {"strategy", receipt->strategy},
        {"result", receipt->result}, {"reason", receipt->reason},
    };

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (document_set_text(out, NULL, members[i].name, members[i].text, err) != 0)
            return -1;
    return document_set_number(out, NULL, "duration_ms", receipt->duration_ms, err);
}

static void take_text(const struct document *doc, const char *name, char *out, size_t size)
{
    const char *text = document_text(doc, NULL, name);

    (void)snprintf(out, size, "%s", text ? text : ""); /* too long: cut */
}

void receipt_read(const struct document *doc, struct rotate_receipt *out)
{
    *out = (struct rotate_receipt){0};
    take_text(doc, "id", out->id, sizeof(out->id));
    take_text(doc, "at", out->at, sizeof(out->at));
    take_text(doc, "by", out->by, sizeof(out->by));
    take_text(doc, "strategy", out->strategy, sizeof(out->strategy));
    take_text(doc, "result", out->result, sizeof(out->result));
    take_text(doc, "reason", out->reason, sizeof(out->reason));
    (void)document_number(doc, NULL, "duration_ms", &out->duration_ms); /* 0 where there is none */
}

/* ---- what is open ----------------------------------------------------------------------------- */

void store_status_of_record(const struct document *data, struct rotate_status *out)
{
    struct record record = {.data = *data, .open = true}; /* borrowed */

    out->step = record_step(&record);
    out->soak_until = record_state_number(&record, "soak_until");
    out->state = out->step == ROTATE_SOAK ? ROTATE_STATE_SOAKING : ROTATE_STATE_OPEN;
    take_text(data, "by", out->by, sizeof(out->by));
    take_text(data, "started", out->started, sizeof(out->started));
    take_text(data, "id", out->id, sizeof(out->id));
}
