/* bootstrap/guard_report.c: what a guard found: released, its verdict in words, and as JSON. */
#include "bootstrap/guard_report.h"

#include <string.h>

#include "base/str.h"
#include "bootstrap/internal.h"

static const char *const class_words[GUARD_CLASSES] = {"semantic", "textual", "cosmetic"};

static void release_path(struct guard_path *path)
{
    free(path->error);
    free(path->output);
    names_free_list(path->stamp);
}

void guard_report_release(struct guard_report *report)
{
    release_path(&report->a);
    release_path(&report->b);
    differences_release(&report->differences);
    for (size_t i = 0; report->extras && i < report->extra_count; i++)
        free(report->extras[i].error);
    free(report->extras);
    names_free_list(report->leftovers);
    guard_memory_free(report->memory);
    *report = GUARD_REPORT_INIT;
}

/* ---- what every format says ---------------------------------------------------------------------- */

const char *guard_class_word(enum difference_class class_)
{
    return class_words[class_];
}

void guard_pass_failure(struct buf *out, const struct buf *part)
{
    out->no_memory |= part->no_memory;
    out->too_long |= part->too_long;
}

void guard_add_buf(struct buf *out, const struct buf *part)
{
    guard_pass_failure(out, part);
    buf_add(out, buf_text(part), part->len);
}

/* Rows of a version table have no order of their own. */
static size_t times_in(char *const *list, const char *text)
{
    size_t times = 0;
    for (size_t i = 0; list && list[i]; i++)
        times += str_eq(list[i], text);
    return times;
}

static bool all_in(char *const *list, char *const *other)
{
    for (size_t i = 0; list && list[i]; i++)
        if (times_in(list, list[i]) != times_in(other, list[i]))
            return false;
    return true;
}

bool guard_stamps_equal(const struct guard_report *report)
{
    return all_in(report->a.stamp, report->b.stamp) && all_in(report->b.stamp, report->a.stamp);
}

void guard_add_counts(const struct differences *differences, struct buf *out)
{
    const size_t counts[GUARD_CLASSES] = {differences->semantic, differences->textual,
                                          differences->cosmetic};
    size_t total = 0, left = 0;
    for (size_t i = 0; i < GUARD_CLASSES; i++) {
        total += counts[i];
        left += counts[i] > 0;
    }
    if (total == 0)
        buf_adds(out, "no difference");
    for (size_t i = 0; i < GUARD_CLASSES; i++) {
        if (counts[i] == 0)
            continue;
        left--;
        buf_addf(out, "%zu %s%s", counts[i], class_words[i],
                 left > 1    ? ", "
                 : left == 1 ? " and "
                             : " ");
        if (left == 0)
            buf_adds(out, total == 1 ? "difference" : "differences");
    }
    if (differences->ignored > 0)
        buf_addf(out, ", %zu ignored", differences->ignored);
}

void guard_add_outcome(const struct guard_path *path, struct buf *out)
{
    if (!path->ran) {
        buf_adds(out, "did not run");
        return;
    }
    buf_adds(out, path->ok ? "done in " : "failed after ");
    str_add_duration(out, path->duration_ms);
}

void guard_add_stamp(const struct guard_path *path, struct buf *out)
{
    if (!path->stamp || !path->stamp[0])
        buf_adds(out, "none");
    for (size_t i = 0; path->stamp && path->stamp[i]; i++) {
        if (i > 0)
            buf_adds(out, ", ");
        str_add_sanitised(out, path->stamp[i], strlen(path->stamp[i]));
    }
}

/* What stands before a cause: a colon before the first one. */
static void begin_cause(struct buf *out, bool *any)
{
    buf_adds(out, *any ? "; " : ": ");
    *any = true;
}

static void add_path_causes(const struct guard_path *path, char name, struct buf *out, bool *any)
{
    if (!path->ok) {
        begin_cause(out, any);
        buf_addf(out, "path %c %s", name, path->ran ? "failed" : "did not run");
    } else if (path->idempotent_known && !path->idempotent) {
        begin_cause(out, any);
        buf_addf(out, "migrating again was not a no-op on path %c", name);
    }
}

static void add_causes(const struct guard_report *r, struct buf *out)
{
    bool any = false, both = r->a.ok && r->b.ok;
    add_path_causes(&r->a, 'A', out, &any);
    add_path_causes(&r->b, 'B', out, &any);
    const struct differences *d = &r->differences;
    if (d->semantic + d->textual + d->cosmetic > 0) {
        begin_cause(out, &any);
        guard_add_counts(d, out);
    }
    if (both && !guard_stamps_equal(r)) {
        begin_cause(out, &any);
        buf_adds(out, "the stamps differ");
    } else if (both && (!r->a.stamp || !r->a.stamp[0])) {
        begin_cause(out, &any);
        buf_adds(out, "there is no stamp");
    }
    for (size_t i = 0; i < r->extra_count; i++) {
        if (r->extras[i].ok)
            continue;
        begin_cause(out, &any);
        str_add_sanitised(out, r->extras[i].name, strlen(r->extras[i].name));
        buf_adds(out, " failed");
    }
}

void guard_add_verdict(const struct guard_report *r, struct buf *out)
{
    const struct differences *d = &r->differences;
    if (!r->equal) {
        buf_adds(out, r->a.ok && r->b.ok ? "not equal" : "not proven equal");
        if (r->strict)
            buf_adds(out, " (strict)");
        add_causes(r, out);
        return;
    }
    buf_addf(out, "equal%s: both paths give one schema", r->strict ? " (strict)" : "");
    if (d->semantic + d->textual + d->cosmetic + d->ignored > 0) {
        buf_adds(out, " (");
        guard_add_counts(d, out);
        buf_adds(out, ")");
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void add_list(struct json *json, const char *key, char *const *list)
{
    json_begin_array(json, key);
    for (size_t i = 0; list && list[i]; i++)
        json_add_string(json, NULL, list[i]);
    json_end_array(json);
}

static void add_path_json(struct json *json, const char *key, const struct guard_path *path)
{
    json_begin_object(json, key);
    json_add_bool(json, "ok", path->ok);
    json_add_bool(json, "ran", path->ran);
    json_add_int(json, "duration_ms", path->duration_ms);
    json_add_string(json, "error", path->error);
    json_add_string(json, "output", path->ok ? NULL : path->output);
    json_end_object(json);
}

static void add_difference_json(struct json *json, const struct difference *d)
{
    json_begin_object(json, NULL);
    json_add_string(json, "kind", d->kind);
    json_add_string(json, "class", class_words[d->class_]);
    json_add_string(json, "object", d->object);
    json_add_string(json, "a", d->a);
    json_add_string(json, "b", d->b);
    json_add_string(json, "revision", d->revision);
    json_add_bool(json, "ignored", d->ignored);
    json_end_object(json);
}

void differences_write_json(const struct differences *differences, struct json *json)
{
    json_begin_array(json, "differences");
    for (size_t i = 0; i < differences->count; i++)
        add_difference_json(json, &differences->list[i]);
    json_end_array(json);
}

/* null: not tried, because something before it failed. */
static void add_idempotent(struct json *json, const char *key, const struct guard_path *path)
{
    if (path->idempotent_known)
        json_add_bool(json, key, path->idempotent);
    else
        json_add_string(json, key, NULL);
}

static void add_extras_json(struct json *json, const struct guard_report *r)
{
    json_begin_array(json, "also");
    for (size_t i = 0; i < r->extra_count; i++) {
        json_begin_object(json, NULL);
        json_add_string(json, "name", r->extras[i].name);
        json_add_bool(json, "ok", r->extras[i].ok);
        json_add_string(json, "error", r->extras[i].error);
        json_end_object(json);
    }
    json_end_array(json);
}

void guard_write_json(const struct guard_report *r, struct json *json)
{
    json_add_bool(json, "equal", r->equal);
    json_add_bool(json, "strict", r->strict);
    json_begin_object(json, "paths");
    add_path_json(json, "a", &r->a);
    add_path_json(json, "b", &r->b);
    json_end_object(json);
    differences_write_json(&r->differences, json);
    json_begin_object(json, "stamp");
    add_list(json, "a", r->a.stamp);
    add_list(json, "b", r->b.stamp);
    json_end_object(json);
    json_begin_object(json, "idempotent");
    add_idempotent(json, "a", &r->a);
    add_idempotent(json, "b", &r->b);
    json_end_object(json);
    add_extras_json(json, r);
    json_add_string(json, "compared", r->differences.compared);
    json_add_string(json, "not_compared", r->differences.not_compared);
    add_list(json, "leftovers", r->leftovers);
}
