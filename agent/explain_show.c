#include "agent/explain_show.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"

enum {
    CELL_MAX_BYTES = 16 * 1024,
    GAP = 2, /* blanks between columns */
    MS_PER_S = 1000,
};

enum column { VARIABLE, ORIGIN, SOURCE, LEASE, FINGERPRINT, NOTES, COLUMNS };

static const char *const titles[COLUMNS] = {"VARIABLE",   "FROM",        "SOURCE",
                                            "LEASE ENDS", "FINGERPRINT", "NOTES"};

/* "vault:secret/app#user@3" */
static void describe_source(const struct trace_part *part, struct buf *out)
{
    AUTO_BUF text = BUF_INIT(CELL_MAX_BYTES);

    ref_describe(&part->ref, &text);
    str_add_sanitised(out, buf_text(&text), text.len);
    if (part->version > 0)
        buf_addf(out, "@%u", part->version);
}

/* When the lease ends on the wall clock; false: there is none, or it does not end. */
static bool lease_end(const struct vault_lease *lease, char when[static CLOCK_RFC3339_BYTES])
{
    if (!lease || lease->expires_ms == CLOCK_NEVER)
        return false;
    clock_rfc3339(clock_unix_seconds() + clock_left_ms(lease->expires_ms) / MS_PER_S, when);
    return true;
}

/* The lease of all of a variable that ends first, or NULL. */
static const struct vault_lease *first_lease(const struct explained *one)
{
    const struct vault_lease *first = NULL;

    for (size_t i = 0; i < one->trace->part_count; i++) {
        const struct vault_lease *lease = one->trace->parts[i].lease;
        if (lease && (!first || lease->expires_ms < first->expires_ms))
            first = lease;
    }
    return first;
}

static const char *state_note(enum source_state state)
{
    return state == SOURCE_FAILED ? "failed" : state == SOURCE_ABSENT ? "absent" : NULL;
}

/* ---- text ----------------------------------------------------------------------------------- */

static void add_note(struct buf *out, const char *note)
{
    if (out->len > 0)
        buf_adds(out, ", ");
    str_add_sanitised(out, note, strlen(note));
}

static void add_notes(const struct explained *one, const struct trace_part *part, bool first,
                      struct buf *out)
{
    if (part && part->environment) {
        AUTO_BUF note = BUF_INIT(CELL_MAX_BYTES);
        buf_addf(&note, "by env:%s", part->environment);
        add_note(out, buf_text(&note));
    }
    if (part && one->trace->part_count > 1 && state_note(part->state))
        add_note(out, state_note(part->state));
    if (!first)
        return;
    if (one->stale) {
        AUTO_BUF age = BUF_INIT(CELL_MAX_BYTES);
        str_add_duration(&age, one->stale_age_s * MS_PER_S);
        buf_adds(&age, " old");
        add_note(out, buf_text(&age));
    }
    for (const char *const *note = one->notes; *note; note++)
        add_note(out, *note);
    if (one->because)
        add_note(out, one->because);
}

/* The text of one cell of the row of a variable's part number INDEX. */
static void add_cell(const struct explained *one, size_t index, enum column column, struct buf *out)
{
    const struct trace_part *part = index < one->trace->part_count ? &one->trace->parts[index]
                                                                   : NULL;
    char when[CLOCK_RFC3339_BYTES];

    switch (column) {
    case VARIABLE:
        if (index == 0)
            str_add_sanitised(out, one->name, strlen(one->name));
        break;
    case ORIGIN:
        if (index == 0)
            buf_adds(out, one->origin);
        break;
    case SOURCE:
        if (part && part->name)
            buf_addf(out, "%s: ", part->name);
        if (part)
            describe_source(part, out);
        break;
    case LEASE:
        if (part && lease_end(part->lease, when))
            buf_adds(out, when);
        break;
    case FINGERPRINT:
        if (index == 0)
            buf_adds(out, one->fingerprint);
        break;
    case NOTES:
        add_notes(one, part, index == 0, out);
        break;
    case COLUMNS:
        break;
    }
}

static size_t width_of(const struct buf *text)
{
    size_t width = 0;

    for (size_t i = 0; i < text->len; i++) /* UTF-8: each character once */
        width += ((unsigned char)text->data[i] & 0xc0) != 0x80;
    return width;
}

static size_t rows_of(const struct explained *one)
{
    return one->trace->part_count > 0 ? one->trace->part_count : 1;
}

/* 0: nothing stands in that column. */
static void measure(const struct explained *list, size_t count, size_t widths[static COLUMNS])
{
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < rows_of(&list[i]); row++)
            for (unsigned column = 0; column < COLUMNS; column++) {
                AUTO_BUF cell = BUF_INIT(CELL_MAX_BYTES);
                add_cell(&list[i], row, column, &cell);
                size_t width = width_of(&cell);
                if (width > widths[column])
                    widths[column] = width;
            }
    for (unsigned column = 0; column < COLUMNS; column++)
        if (widths[column] > 0 && widths[column] < strlen(titles[column]))
            widths[column] = strlen(titles[column]);
}

/* Blanks are owed until something stands behind them: no line ends in one. */
static void put_cell(struct buf *out, const struct buf *cell, size_t width, size_t *owed)
{
    if (cell->len > 0) {
        buf_addf(out, "%*s", (int)*owed, "");
        buf_add(out, buf_text(cell), cell->len);
        *owed = 0;
    }
    *owed += width - width_of(cell) + GAP;
}

void explain_write_text(const struct explained *list, size_t count, struct buf *out)
{
    size_t widths[COLUMNS] = {0}, owed = 0;

    measure(list, count, widths);
    for (unsigned column = 0; column < COLUMNS && count > 0; column++) {
        AUTO_BUF title = BUF_INIT(CELL_MAX_BYTES);
        buf_adds(&title, titles[column]);
        if (widths[column] > 0)
            put_cell(out, &title, widths[column], &owed);
    }
    if (count > 0)
        buf_addc(out, '\n');
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < rows_of(&list[i]); row++) {
            owed = 0;
            for (unsigned column = 0; column < COLUMNS; column++) {
                AUTO_BUF cell = BUF_INIT(CELL_MAX_BYTES);
                add_cell(&list[i], row, column, &cell);
                if (widths[column] > 0)
                    put_cell(out, &cell, widths[column], &owed);
            }
            buf_addc(out, '\n');
        }
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void add_version(struct json *json, unsigned version)
{
    if (version > 0)
        json_add_int(json, "version", version);
    else
        json_add_string(json, "version", NULL);
}

static void add_source(struct json *json, const struct trace_part *part)
{
    AUTO_BUF source = BUF_INIT(CELL_MAX_BYTES);

    if (part)
        ref_describe(&part->ref, &source);
    json_add_string(json, "source", part ? buf_text(&source) : NULL);
    add_version(json, part ? part->version : 0);
}

static void add_lease(struct json *json, const struct vault_lease *lease)
{
    char when[CLOCK_RFC3339_BYTES];

    json_add_string(json, "lease_ends", lease_end(lease, when) ? when : NULL);
}

static void add_part(struct json *json, const struct trace_part *part)
{
    json_begin_object(json, NULL);
    json_add_string(json, "name", part->name);
    add_source(json, part);
    add_lease(json, part->lease);
    json_add_string(json, "by", part->environment);
    json_add_string(json, "state", state_note(part->state) ? state_note(part->state) : "set");
    json_end_object(json);
}

void explain_write_json(const struct explained *list, size_t count, struct json *json)
{
    json_begin_array(json, "variables");
    for (size_t i = 0; i < count; i++) {
        const struct explained *one = &list[i];
        size_t notes = 0;
        while (one->notes[notes])
            notes++;
        json_begin_object(json, NULL);
        json_add_string(json, "name", one->name);
        json_add_string(json, "origin", one->origin);
        json_add_bool(json, "secret", one->secret);
        add_source(json, one->trace->part_count == 1 ? one->trace->parts : NULL);
        add_lease(json, first_lease(one));
        json_add_string(json, "fingerprint", *one->fingerprint ? one->fingerprint : NULL);
        if (one->stale)
            json_add_int(json, "stale_age_s", one->stale_age_s);
        else
            json_add_string(json, "stale_age_s", NULL);
        json_add_string(json, "because", one->because);
        json_add_strings(json, "notes", one->notes, notes);
        json_begin_array(json, "parts");
        for (size_t part = 0; part < one->trace->part_count; part++)
            add_part(json, &one->trace->parts[part]);
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}
