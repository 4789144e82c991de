/* bootstrap/guard_findings.c: what a guard found, for code scanning (SARIF) and beside the code of a
 * pull request (GitHub's annotations). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "base/sarif.h"
#include "base/str.h"
#include "bootstrap/guard_report.h"
#include "migrations/graph.h"

/* The first three in the order of enum difference_class. */
enum rule {
    RULE_SEMANTIC,
    RULE_TEXTUAL,
    RULE_COSMETIC,
    RULE_PATH,
    RULE_STAMP,
    RULE_AGAIN,
    RULE_ALSO,
    RULE_COUNT
};

static const struct sarif_rule rules[RULE_COUNT] = {
    {"semantic-difference", "The two migration paths give schemas that do not mean the same.",
     "Change the models or add a migration, until both paths make the same object; or list the "
     "difference under guard.ignore with a reason and an end.",
     SARIF_ERROR},
    {"textual-difference", "The two migration paths give the same meaning in other words.",
     "It comes from a column's history, and matters to tools that compare text.", SARIF_WARNING},
    {"cosmetic-difference",
     "The two migration paths give other comments or other names of automatic constraints.",
     "Name the constraint in the model (a naming convention of the metadata does it for all).",
     SARIF_NOTE},
    {"path-failed", "A path did not make its schema.",
     "Run the path's command by hand on an empty database.", SARIF_ERROR},
    {"stamp-differs",
     "The version table does not have the same rows after both paths, or has none.",
     "See whether env.py commits what it does: the rows are read from a new connection.",
     SARIF_ERROR},
    {"not-idempotent", "Migrating a database that is up to date is not a no-op.",
     "Look for statements in env.py that run on each call.", SARIF_ERROR},
    {"further-path-failed",
     "A further way to the schema (offline SQL, emitted DDL, the project's own stamp) is not as "
     "path A.",
     NULL, SARIF_ERROR},
};

/* One thing to say, for either format. */
struct finding {
    enum rule rule;
    enum sarif_level level;
    const char *message, *title;
    const struct revision *revision;     /* where it was made; NULL: not known */
    const struct difference *difference; /* NULL: it is about a path */
};

struct format {
    const struct graph *graph;
    bool strict;
    char *folder; /* the working directory; NULL where there is none */
    struct sarif *sarif;
    struct buf *out;
};

static void add_to_sarif(const struct format *format, const struct finding *f, const char *file)
{
    const struct difference *d = f->difference;
    const struct sarif_finding finding = {
        .rule = f->rule,
        .level = f->level,
        .message = f->message,
        .file = file,
        .line = f->revision ? f->revision->line : 0,
        .kind = d ? d->kind : NULL,
        .thing = d ? d->object : NULL,
        .suppressed = d && d->ignored ? "listed under guard.ignore in the contract" : NULL,
    };
    sarif_add(format->sarif, &finding);
}

static void add_to_github(const struct format *format, const struct finding *f, const char *file)
{
    if (f->difference && f->difference->ignored)
        return; /* nobody needs to look at it */
    const struct annotation annotation = {
        .level = f->level == SARIF_ERROR ? ANNOTATION_ERROR : ANNOTATION_WARNING,
        .file = file,
        .line = f->revision ? f->revision->line : 0,
        .title = f->title,
        .message = f->message,
    };
    annotate_github(&annotation, format->out);
}

static void add_finding(const struct format *format, const struct finding *finding)
{
    const char *file = finding->revision ? finding->revision->file : NULL;
    if (file && format->folder)
        file = annotate_relative(file, format->folder);
    if (format->sarif)
        add_to_sarif(format, finding, file);
    else
        add_to_github(format, finding, file);
}

static void add_side(struct buf *message, char name, const char *definition)
{
    buf_addf(message, "\n%c: %s", name, definition ? definition : "(not there)");
}

/* What fails the gate is an error, whatever it is otherwise. */
static enum sarif_level level_of(const struct format *format, const struct difference *d)
{
    return format->strict && !d->ignored ? SARIF_ERROR : rules[d->class_].level;
}

static void add_difference(const struct format *format, const struct difference *d)
{
    AUTO_BUF message = BUF_INIT(format->out->max), title = BUF_INIT(format->out->max);
    const char *how = !d->a ? "is on path B only" : !d->b ? "is on path A only" : "differs";
    buf_addf(&message, "%s %s %s", d->kind, d->object, how);
    if (d->revision)
        buf_addf(&message, "; revision %s touched it last", d->revision);
    add_side(&message, 'A', d->a);
    add_side(&message, 'B', d->b);
    buf_addf(&title, "agent guard: %s difference", guard_class_word(d->class_));
    guard_pass_failure(format->out, &message);
    guard_pass_failure(format->out, &title);
    const struct revision *revision = format->graph && d->revision
                                          ? graph_find(format->graph, d->revision)
                                          : NULL;
    add_finding(format, &(struct finding){.rule = (enum rule)d->class_,
                                          .level = level_of(format, d),
                                          .message = buf_text(&message),
                                          .title = buf_text(&title),
                                          .revision = revision,
                                          .difference = d});
}

/* A finding that is about a path; MESSAGE is whole or has failed. */
static void add_plain(const struct format *format, enum rule rule, const struct buf *message)
{
    guard_pass_failure(format->out, message);
    add_finding(format, &(struct finding){.rule = rule,
                                          .level = rules[rule].level,
                                          .message = buf_text(message),
                                          .title = "agent guard"});
}

static void add_path(const struct format *format, const struct guard_path *path, char name)
{
    AUTO_BUF message = BUF_INIT(format->out->max);
    if (!path->ok) {
        buf_addf(&message, "path %c ", name);
        guard_add_outcome(path, &message);
        if (path->error)
            buf_addf(&message, ": %s", path->error);
        if (path->output && *path->output)
            buf_addf(&message, "\nIts commands printed:\n%s", path->output);
        add_plain(format, RULE_PATH, &message);
    } else if (path->idempotent_known && !path->idempotent) {
        buf_addf(&message, "path %c: migrating again changed the database", name);
        if (path->error)
            buf_addf(&message, ": %s", path->error);
        add_plain(format, RULE_AGAIN, &message);
    }
}

static void add_stamps(const struct format *format, const struct guard_report *r)
{
    bool none = !r->a.stamp || !r->a.stamp[0];
    if (!r->a.ok || !r->b.ok || (guard_stamps_equal(r) && !none))
        return;
    AUTO_BUF message = BUF_INIT(format->out->max);
    buf_adds(&message, "the version table, read from a new connection, has after path A: ");
    guard_add_stamp(&r->a, &message);
    buf_adds(&message, "; after path B: ");
    guard_add_stamp(&r->b, &message);
    add_plain(format, RULE_STAMP, &message);
}

static void add_findings(const struct format *format, const struct guard_report *r)
{
    add_path(format, &r->a, 'A');
    add_path(format, &r->b, 'B');
    add_stamps(format, r);
    for (size_t i = 0; i < r->extra_count; i++) {
        if (r->extras[i].ok)
            continue;
        AUTO_BUF message = BUF_INIT(format->out->max);
        buf_addf(&message, "%s failed%s%s", r->extras[i].name, r->extras[i].error ? ": " : "",
                 r->extras[i].error ? r->extras[i].error : "");
        add_plain(format, RULE_ALSO, &message);
    }
    for (size_t i = 0; i < r->differences.count; i++)
        add_difference(format, &r->differences.list[i]);
}

/* The working directory, or NULL where it has none (it was removed): files keep their whole names. */
static char *working_folder(struct buf *out)
{
    char *folder = getcwd(NULL, 0);
    if (!folder && errno == ENOMEM)
        out->no_memory = true;
    return folder;
}

void guard_write_sarif(const struct guard_report *report, const struct graph *graph,
                       struct buf *out)
{
    AUTO_FREE char *folder = working_folder(out);
    const struct sarif_run run = {.command = "guard", .rules = rules, .rule_count = RULE_COUNT};
    struct sarif sarif;
    sarif_begin(&sarif, out, &run);
    const struct format format = {
        .graph = graph, .strict = report->strict, .folder = folder, .sarif = &sarif, .out = out};
    add_findings(&format, report);
    sarif_end(&sarif, report->a.ok && report->b.ok);
}

/* GitHub shows the first ten of each level in a step: the verdict goes before all. */
void guard_write_github(const struct guard_report *report, const struct graph *graph,
                        struct buf *out)
{
    AUTO_FREE char *folder = working_folder(out);
    const struct format format = {
        .graph = graph, .strict = report->strict, .folder = folder, .out = out};
    AUTO_BUF verdict = BUF_INIT(out->max);
    guard_add_verdict(report, &verdict);
    guard_pass_failure(out, &verdict);
    annotate_github(
        &(struct annotation){.level = report->equal ? ANNOTATION_NOTICE : ANNOTATION_ERROR,
                             .title = "agent guard",
                             .message = buf_text(&verdict)},
        out);
    add_findings(&format, report);
}
