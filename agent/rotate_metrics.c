/* rotate_metrics.c: what --status shows, in Prometheus' text format, for node_exporter's textfile
 * collector. Source: prometheus.io, "Exposition formats", "Text-based format". */
#include "agent/rotate.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { METRICS_MODE = 0644, MS = 1000 }; /* a collector of another user reads it */

/* A label's value: backslash, quote and newline are escaped, and nothing else. */
static void add_label(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            buf_adds(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_addf(out, "\\%c", *value);
        else
            buf_addc(out, *value);
    }
    buf_addc(out, '"');
}

/* What a metric has of one secret. False: nothing. */
struct sample {
    const struct rotate_spec *spec;
    const struct rotate_status *status;
    const struct rotate_receipt *last;
    int64_t now;
};

static bool age(const struct sample *s, int64_t *out)
{
    *out = s->now > s->status->last_rotated ? s->now - s->status->last_rotated : 0;
    return s->status->last_rotated > 0;
}

static bool period(const struct sample *s, int64_t *out)
{
    *out = s->spec->every_ms / MS;
    return *out > 0;
}

static bool last_rotated(const struct sample *s, int64_t *out)
{
    *out = s->status->last_rotated;
    return *out > 0;
}

static bool due_at(const struct sample *s, int64_t *out)
{
    *out = s->status->due;
    return *out > 0;
}

static bool is_due(const struct sample *s, int64_t *out)
{
    *out = s->status->state == ROTATE_STATE_DUE || s->status->state == ROTATE_STATE_OVERDUE;
    return true;
}

static bool is_overdue(const struct sample *s, int64_t *out)
{
    *out = s->status->state == ROTATE_STATE_OVERDUE;
    return true;
}

static bool is_open(const struct sample *s, int64_t *out)
{
    *out = s->status->state == ROTATE_STATE_OPEN;
    return true;
}

static bool is_soaking(const struct sample *s, int64_t *out)
{
    *out = s->status->step == ROTATE_SOAK;
    return true;
}

static bool is_unknown(const struct sample *s, int64_t *out)
{
    *out = s->status->state == ROTATE_STATE_UNKNOWN;
    return true;
}

static bool succeeded(const struct sample *s, int64_t *out)
{
    *out = str_eq(s->last->result, "done");
    return *s->last->id != '\0';
}

static bool took(const struct sample *s, int64_t *out)
{
    *out = s->last->duration_ms;
    return *s->last->id != '\0';
}

static const struct metric {
    const char *name, *help;
    bool (*value)(const struct sample *s, int64_t *out);
} metrics[] = {
    {"agent_secret_age_seconds", "Since the secret was rotated, or else created.", age},
    {"agent_secret_period_seconds", "How often the contract wants it rotated.", period},
    {"agent_secret_last_rotated_timestamp_seconds", "When it was rotated, or else created.",
     last_rotated},
    {"agent_secret_due_timestamp_seconds", "When it is due.", due_at},
    {"agent_secret_due", "Whether it is due.", is_due},
    {"agent_secret_overdue", "Whether it is due by a quarter of its period or more.", is_overdue},
    {"agent_secret_open", "Whether a rotation stands open at a step.", is_open},
    {"agent_secret_soaking", "Whether the former one still works, until grace is over.",
     is_soaking},
    {"agent_secret_unknown", "Whether its age could not be found out.", is_unknown},
    {"agent_secret_last_rotation_success", "Whether the last rotation that ended was done.",
     succeeded},
    {"agent_secret_last_rotation_duration_milliseconds", "How long that one took.", took},
};

static void add_metric(const struct metric *metric, const struct sample *samples, size_t count,
                       struct buf *out)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", metric->name, metric->help, metric->name);
    for (size_t i = 0; i < count; i++) {
        int64_t value = 0;
        if (!metric->value(&samples[i], &value))
            continue;
        buf_addf(out, "%s{", metric->name);
        add_label(out, "name", samples[i].spec->variable);
        buf_addc(out, ',');
        add_label(out, "strategy", rotate_strategy_word(samples[i].spec->strategy));
        buf_addf(out, "} %lld\n", (long long)value);
    }
}

int rotate_metrics_text(const struct rotate_spec *specs, const struct rotate_status *status,
                        const struct rotate_receipt *last, size_t count, int64_t now,
                        struct buf *out, struct err *err)
{
    AUTO_FREE struct sample *samples = mem_new(count + 1, sizeof(*samples));

    if (!samples)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        samples[i] = (struct sample){&specs[i], &status[i], &last[i], now};
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        add_metric(&metrics[i], samples, count, out);
    buf_addf(out,
             "# HELP agent_rotate_timestamp_seconds When this was written.\n"
             "# TYPE agent_rotate_timestamp_seconds gauge\nagent_rotate_timestamp_seconds %lld\n",
             (long long)now);
    return buf_check(out, ERR_RESOURCE, "the metrics", err);
}

/* The newest receipt of each; one that can't be had leaves its metric out. */
static int read_last(const struct rotate_job *r, const struct rotate_status *status,
                     struct rotate_receipt *out, struct err *err)
{
    for (size_t i = 0; i < r->count; i++) {
        AUTO_FREE struct rotate_receipt *receipts = NULL;
        struct err own = ERR_INIT;
        size_t count = 0;
        if (status[i].err.kind != ERR_NONE)
            continue; /* said there */
        if (rotate_history(&r->specs[i], &r->context, 1, &receipts, &count, &own) != 0) {
            if (own.kind == ERR_SOURCE_DENIED)
                continue;
            *err = own;
            return -1;
        }
        if (count > 0)
            out[i] = receipts[0];
    }
    return 0;
}

int rotate_write_metrics(const struct rotate_job *r, const struct rotate_status *status,
                         struct err *err)
{
    AUTO_FREE struct rotate_receipt *last = mem_new(r->count + 1, sizeof(*last));
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);

    if (!last)
        return err_nomem(err);
    if (read_last(r, status, last, err) != 0 ||
        rotate_metrics_text(r->specs, status, last, r->count, clock_unix_seconds(), &text, err) !=
            0)
        return -1;
    return file_replace(r->options->metrics, buf_text(&text), text.len, METRICS_MODE, err);
}
