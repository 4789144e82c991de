/* tests/lib/guard_sample.h: made-up reports of a guard, for tests of what is written about them. */
#ifndef TESTS_LIB_GUARD_SAMPLE_H
#define TESTS_LIB_GUARD_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bootstrap/guard_report.h"

enum { SAMPLE_OUTPUT_BYTES = 16 * 1024 * 1024 };

static struct difference sample_list[] = {
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "column",
     .object = "public.orders.total",
     .a = "numeric(10,2) not null",
     .b = "numeric(12,2) not null",
     .revision = "8d3f0c51"},
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "column",
     .object = "public.users.email",
     .a = "character varying(255) collate pg_catalog.\"C\" not null default ''::character varying",
     .b = "text not null",
     .revision = "1a2b3c4d"},
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "constraint",
     .object = "public.orders.orders_user_id_fkey",
     .a = "FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE",
     .b = "FOREIGN KEY (user_id) REFERENCES public.users(id)",
     .revision = "8d3f0c51"},
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "function",
     .object = "public.touch()",
     .a = "CREATE OR REPLACE FUNCTION public.touch()\n RETURNS trigger\n LANGUAGE plpgsql\n"
          "AS $function$\nBEGIN\n    NEW.updated_at := now();\n    RETURN NEW;\nEND\n$function$\n",
     .b = "CREATE OR REPLACE FUNCTION public.touch()\n RETURNS trigger\n LANGUAGE plpgsql\n"
          "AS $function$\nBEGIN\n    NEW.updated_at := clock_timestamp();\n    RETURN NEW;\nEND\n"
          "$function$\n"},
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "index",
     .object = "public.ix_users_email",
     .a = "unique btree (lower(email)) where (deleted_at IS NULL)",
     .revision = "1a2b3c4d"},
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "sequence",
     .object = "public.legacy_seq",
     .a = "bigint start 1",
     .ignored = true},
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "table",
     .object = "public.audit_log",
     .b = "owner acme\n  column id bigint not null generated always as identity\n  column at "
          "timestamp with time zone not null default now()\n  column what jsonb\n  constraint "
          "audit_log_pkey PRIMARY KEY (id)"},
    {.class_ = DIFFERENCE_TEXTUAL,
     .kind = "constraint",
     .object = "public.orders.orders_state_check",
     .a = "CHECK (((state)::text = ANY (ARRAY['open'::text, 'paid'::text])))",
     .b = "CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'paid'::character "
          "varying])::text[])))",
     .revision = "8d3f0c51"},
    {.class_ = DIFFERENCE_COSMETIC,
     .kind = "comment",
     .object = "table public.users",
     .a = "Who may sign in",
     .b = "Who can sign in"},
    {.class_ = DIFFERENCE_COSMETIC,
     .kind = "constraint",
     .object = "public.users.users_email_key",
     .a = "users_email_key",
     .b = "uq_users_email"},
};

/* Everything that could end a row, an element, a string, a command or a line too early. */
#define SAMPLE_HOSTILE                                                                 \
    "</script><script>document.title='owned'</script>\"'><img src=x onerror="          \
    "document.title='owned'>&amp;\n::error::injected\r\n%0A]]>\033[2J\xff\xe2\x80\xae" \
    "<!--\t`${document.title='owned'}`\x01"

static struct difference sample_hostile_list[] = {
    {.class_ = DIFFERENCE_SEMANTIC,
     .kind = "table" SAMPLE_HOSTILE,
     .object = "public." SAMPLE_HOSTILE,
     .a = "A " SAMPLE_HOSTILE,
     .b = "B " SAMPLE_HOSTILE " more",
     .revision = SAMPLE_HOSTILE},
};

static inline char *sample_text(const char *text)
{
    char *copy = mem_dup(text);
    if (!copy)
        abort();
    return copy;
}

static inline char **sample_names(const char *first, const char *second)
{
    char **list = mem_new(3, sizeof *list);
    if (!list)
        abort();
    if (first)
        list[0] = sample_text(first);
    if (first && second)
        list[1] = sample_text(second);
    return list;
}

static inline void sample_count(struct differences *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct difference *one = &d->list[i];
        if (one->ignored)
            d->ignored++;
        else if (one->class_ == DIFFERENCE_SEMANTIC)
            d->semantic++;
        else if (one->class_ == DIFFERENCE_TEXTUAL)
            d->textual++;
        else
            d->cosmetic++;
    }
}

static inline struct guard_path sample_path(int64_t duration_ms, const char *stamp)
{
    return (struct guard_path){.ran = true,
                               .ok = true,
                               .duration_ms = duration_ms,
                               .output = sample_text("INFO  [alembic] Running upgrade\n"),
                               .stamp = sample_names(stamp, NULL),
                               .idempotent_known = true,
                               .idempotent = true};
}

static inline void sample_extras(struct guard_report *r, const char *name, const char *error)
{
    r->extras = mem_new(2, sizeof *r->extras);
    if (!r->extras)
        abort();
    r->extras[0] = (struct guard_extra){.name = "project's stamp", .ok = true};
    r->extras[1] = (struct guard_extra){
        .name = name, .ok = !error, .error = error ? sample_text(error) : NULL};
    r->extra_count = 2;
}

/* NAME is equal, different, failed, hostile, or nothing. Freed with sample_release. */
static inline struct guard_report sample_report(const char *name)
{
    struct guard_report r = GUARD_REPORT_INIT;
    if (strcmp(name, "nothing") == 0)
        return r;
    r.a = sample_path(2300, "8d3f0c51");
    r.b = sample_path(1000, "8d3f0c51");
    r.differences.compared = "4 tables, 31 columns, 9 constraints, 6 indexes, 1 function";
    r.differences.not_compared = "";
    r.equal = strcmp(name, "equal") == 0;
    if (r.equal) {
        sample_extras(&r, "offline SQL", NULL);
    } else if (strcmp(name, "different") == 0) {
        r.differences.list = sample_list;
        r.differences.count = ARRAY_LEN(sample_list);
        r.differences.not_compared = "2 casts, 1 text search configuration";
        sample_extras(&r, "offline SQL", "it differs from path A: index public.ix_users_email");
        r.leftovers = sample_names("database agent_guard_0f3a91c2_a, made 2026-11-24 by a run that "
                                   "was killed",
                                   NULL);
        r.a.idempotent = false;
    } else if (strcmp(name, "failed") == 0) {
        r.b.ok = r.b.idempotent_known = false;
        r.b.error = sample_text("database.create: 'python' ended with 1");
        free(r.b.output);
        r.b.output = sample_text(
            "Traceback (most recent call last):\n  File \"models.py\", line 3\n"
            "ModuleNotFoundError: No module named 'acme'\n");
        r.b.stamp[0] = (free(r.b.stamp[0]), NULL);
        r.differences.compared = NULL;
    } else {
        r.differences.list = sample_hostile_list;
        r.differences.count = ARRAY_LEN(sample_hostile_list);
        r.differences.compared = r.differences.not_compared = SAMPLE_HOSTILE;
        r.a.ok = false;
        r.a.error = sample_text(SAMPLE_HOSTILE);
        free(r.a.output);
        r.a.output = sample_text(SAMPLE_HOSTILE);
        free(r.b.stamp[0]);
        r.b.stamp[0] = sample_text(SAMPLE_HOSTILE);
        sample_extras(&r, SAMPLE_HOSTILE, SAMPLE_HOSTILE);
        r.leftovers = sample_names(SAMPLE_HOSTILE, NULL);
    }
    sample_count(&r.differences);
    return r;
}

/* The list of differences is not the report's own here. */
static inline void sample_release(struct guard_report *report)
{
    report->differences = (struct differences){0};
    guard_report_release(report);
}
#define AUTO_SAMPLE CLEANUP(sample_release) struct guard_report

static inline bool sample_write(const struct guard_report *report, const char *format,
                                const struct graph *graph, struct buf *out)
{
    if (strcmp(format, "text") == 0) {
        guard_write_text(report, false, out);
    } else if (strcmp(format, "color") == 0) {
        guard_write_text(report, true, out);
    } else if (strcmp(format, "json") == 0) {
        struct json json = JSON_INIT(out);
        json_begin_object(&json, NULL);
        guard_write_json(report, &json);
        json_end_object(&json);
    } else if (strcmp(format, "sarif") == 0) {
        guard_write_sarif(report, graph, out);
    } else if (strcmp(format, "github") == 0) {
        guard_write_github(report, graph, out);
    } else if (strcmp(format, "html") == 0) {
        guard_write_html(report, out);
    } else {
        return false;
    }
    return true;
}

/* The program's other half, for tests in Python: SAMPLE FORMAT [SCRIPT FOLDER] to stdout. */
static inline int sample_main(int argc, char **argv)
{
    AUTO_SAMPLE report = sample_report(argv[1]);
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    struct err err = ERR_INIT;
    struct graph *graph = NULL;
    const char *folder = argc > 3 ? argv[3] : NULL;
    const struct graph_settings settings = {.path = folder, .working_folder = "."};
    int result = folder ? graph_load(&settings, &graph, &err) : 0;
    if (result == 0 && !sample_write(&report, argv[2], graph, &out))
        result = err_set(&err, ERR_USAGE, "there is no format '%s'", argv[2]);
    if (result == 0)
        result = buf_check(&out, ERR_DEFECT, "the sample", &err);
    if (result != 0)
        (void)fprintf(stderr, "%s\n", err.text);
    else if (fwrite(buf_text(&out), 1, out.len, stdout) != out.len)
        result = -1;
    graph_free(graph);
    return result == 0 ? 0 : 1;
}

#endif
