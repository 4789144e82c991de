/* bootstrap/guard_html.c: what a guard found, as one page that needs nothing else: no network, no
 * server, and the script only for the filter. */
#include <string.h>

#include "base/annotate.h"
#include "bootstrap/guard_report.h"

static const char *const class_meanings[GUARD_CLASSES] = {
    "the schemas do not mean the same",
    "the same meaning in other words, which a column\u2019s history leaves behind",
    "comments and names of automatic constraints",
};

/* ---- escaping ---------------------------------------------------------------------------------------- */

static void add_escaped(struct buf *out, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        switch (bytes[i]) {
        case '&':
            buf_adds(out, "&amp;");
            break;
        case '<':
            buf_adds(out, "&lt;");
            break;
        case '>':
            buf_adds(out, "&gt;");
            break;
        case '"':
            buf_adds(out, "&quot;");
            break;
        case '\'':
            buf_adds(out, "&#39;");
            break;
        default:
            buf_addc(out, bytes[i]);
        }
    }
}

/* Foreign text: sanitised, lines kept, escaped for an element or a quoted attribute. */
static void add_text_n(struct buf *out, const char *text, size_t length)
{
    AUTO_BUF plain = BUF_INIT(out->max);
    annotate_add_lines(&plain, text, length, GUARD_TEXT_BYTES);
    guard_pass_failure(out, &plain);
    add_escaped(out, buf_text(&plain), plain.len);
}

static void add_text(struct buf *out, const char *text)
{
    add_text_n(out, text, strlen(text));
}

static void add_lines(struct buf *out, const char *const *lines)
{
    for (; *lines; lines++) {
        buf_adds(out, *lines);
        buf_addc(out, '\n');
    }
}

/* ---- the head ---------------------------------------------------------------------------------------- */

static void add_head(const struct guard_report *r, struct buf *out)
{
    buf_addf(out,
             "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "style-src 'sha256-%s'; script-src 'sha256-%s'; base-uri 'none'; form-action "
             "'none'\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n"
             "<title>%s \u2013 agent guard</title>\n<style>",
             guard_page_style_hash, guard_page_script_hash, r->equal ? "Equal" : "Not equal");
    add_lines(out, guard_page_style);
    buf_adds(out, "</style>\n</head>\n<body>\n<main>\n<h1>Two paths, one schema</h1>\n");
    AUTO_BUF verdict = BUF_INIT(out->max);
    guard_add_verdict(r, &verdict);
    guard_pass_failure(out, &verdict);
    buf_addf(out, "<p class=\"verdict %s\">", r->equal ? "equal" : "unequal");
    add_text(out, buf_text(&verdict));
    buf_adds(out, "</p>\n");
}

/* ---- the paths --------------------------------------------------------------------------------------- */

static void begin_row(struct buf *out, const char *label)
{
    buf_addf(out, "<tr><th scope=\"row\">%s</th>", label);
}

static void add_result_cell(const struct guard_path *path, struct buf *out)
{
    buf_addf(out, "<td><span class=\"%s\">", path->ok ? "good" : "bad");
    guard_add_outcome(path, out);
    buf_adds(out, "</span>");
    if (path->error) {
        buf_adds(out, "<pre>");
        add_text(out, path->error);
        buf_adds(out, "</pre>");
    }
    if (path->output && *path->output) {
        buf_addf(out, "<details%s><summary>What its commands printed</summary><pre>",
                 path->ok ? "" : " open");
        add_text(out, path->output);
        buf_adds(out, "</pre></details>");
    }
    buf_adds(out, "</td>");
}

static void add_stamp_cell(const struct guard_path *path, struct buf *out)
{
    AUTO_BUF stamp = BUF_INIT(out->max);
    guard_add_stamp(path, &stamp);
    guard_pass_failure(out, &stamp);
    buf_adds(out, "<td><code>");
    add_text(out, buf_text(&stamp));
    buf_adds(out, "</code></td>");
}

static void add_again_cell(const struct guard_path *path, struct buf *out)
{
    if (!path->idempotent_known)
        buf_adds(out, "<td>not tried</td>");
    else if (path->idempotent)
        buf_adds(out, "<td><span class=\"good\">changes nothing</span></td>");
    else
        buf_adds(out, "<td><span class=\"bad\">changes the database</span></td>");
}

static void add_paths(const struct guard_report *r, struct buf *out)
{
    buf_adds(
        out,
        "<table class=\"paths\" aria-label=\"The paths\">\n<colgroup><col><col><col></colgroup>\n"
        "<thead><tr><td></td><th scope=\"col\">Path A: migrations on an empty database"
        "</th><th scope=\"col\">Path B: created, then stamped</th></tr></thead>\n"
        "<tbody>\n");
    begin_row(out, "Result");
    add_result_cell(&r->a, out);
    add_result_cell(&r->b, out);
    buf_adds(out, "</tr>\n");
    begin_row(out, "Stamp, read again");
    add_stamp_cell(&r->a, out);
    add_stamp_cell(&r->b, out);
    buf_adds(out, "</tr>\n");
    begin_row(out, "Migrating again");
    add_again_cell(&r->a, out);
    add_again_cell(&r->b, out);
    buf_adds(out, "</tr>\n");
    for (size_t i = 0; i < r->extra_count; i++) {
        const struct guard_extra *extra = &r->extras[i];
        buf_adds(out, "<tr><th scope=\"row\">Also: ");
        add_text(out, extra->name);
        buf_addf(out, "</th><td colspan=\"2\"><span class=\"%s\">%s</span>",
                 extra->ok ? "good" : "bad", extra->ok ? "ok" : "failed");
        if (extra->error) {
            buf_adds(out, "<pre>");
            add_text(out, extra->error);
            buf_adds(out, "</pre>");
        }
        buf_adds(out, "</td></tr>\n");
    }
    buf_adds(out, "</tbody>\n</table>\n");
}

/* ---- what differs ------------------------------------------------------------------------------------ */

static void add_checkbox(struct buf *out, const char *value, size_t count)
{
    buf_addf(out,
             "<label><input type=\"checkbox\" name=\"class\" value=\"%s\" checked> %s (%zu)"
             "</label>\n",
             value, value, count);
}

/* Hidden until the script, which it is for, has run. */
static void add_filter(const struct differences *d, struct buf *out)
{
    buf_adds(out, "<form id=\"filter\" role=\"search\" hidden>\n"
                  "<label>Filter <input type=\"search\" id=\"q\" placeholder=\"object, kind, "
                  "revision or definition\" autocomplete=\"off\"></label>\n");
    add_checkbox(out, "semantic", d->semantic);
    add_checkbox(out, "textual", d->textual);
    add_checkbox(out, "cosmetic", d->cosmetic);
    if (d->ignored > 0)
        add_checkbox(out, "ignored", d->ignored);
    buf_adds(out, "<output id=\"shown\" for=\"q\" aria-live=\"polite\"></output>\n</form>\n");
}

/* Words that differ, neighbours under one mark. */
static void add_words(const struct guard_words *words, char side, struct buf *out)
{
    bool marked = false;
    for (size_t i = 0; i < words->count; i++) {
        const struct guard_word *word = &words->list[i];
        if (word->differs && !marked)
            buf_addf(out, "<mark class=\"%c\">", side);
        if (!word->differs && marked)
            buf_adds(out, "</mark>");
        marked = word->differs;
        add_text_n(out, word->start, word->length);
    }
    if (marked)
        buf_adds(out, "</mark>");
}

static void add_side(const char *text, const struct guard_words *words, char side, struct buf *out)
{
    buf_addf(out, "<td class=\"side%s\" data-side=\"Path %c\">", text ? "" : " absent",
             side == 'a' ? 'A' : 'B');
    if (text)
        add_words(words, side, out);
    else
        buf_adds(out, "not there");
    buf_adds(out, "</td>");
}

static void add_difference(const struct difference *d, struct buf *out)
{
    AUTO_GUARD_WORDS a = GUARD_WORDS_INIT, b = GUARD_WORDS_INIT;
    if (guard_words_compare(d->a, d->b, &a, &b) != 0) {
        out->no_memory = true;
        return;
    }
    buf_addf(out, "<tr data-class=\"%s\"%s><th scope=\"row\"><span class=\"kind\">",
             d->ignored ? "ignored" : guard_class_word(d->class_),
             d->ignored ? " class=\"ignored\"" : "");
    add_text(out, d->kind);
    buf_adds(out, "</span><code>");
    add_text(out, d->object);
    buf_adds(out, "</code>");
    if (d->revision) {
        buf_adds(out, "<span class=\"about\">last touched by revision <code>");
        add_text(out, d->revision);
        buf_adds(out, "</code></span>");
    }
    if (d->ignored)
        buf_adds(out, "<span class=\"about\">ignored by the contract</span>");
    buf_adds(out, "</th>");
    add_side(d->a, &a, 'a', out);
    add_side(d->b, &b, 'b', out);
    buf_adds(out, "</tr>\n");
}

/* The class that begins at FIRST; where the next one does. */
static size_t add_class(const struct differences *d, size_t first, struct buf *out)
{
    enum difference_class class_ = d->list[first].class_;
    size_t end = first;
    while (end < d->count && d->list[end].class_ == class_)
        end++;
    const char *word = guard_class_word(class_);
    size_t ignored = 0;
    for (size_t i = first; i < end; i++)
        ignored += d->list[i].ignored;
    buf_addf(out, "<section class=\"%s\" data-differences>\n<h2 id=\"h-%s\"><b>%c%s</b> <small>%zu",
             word, word, word[0] - 'a' + 'A', word + 1, end - first - ignored);
    if (ignored > 0)
        buf_addf(out, " and %zu ignored", ignored);
    buf_addf(out,
             ": %s</small></h2>\n<table class=\"found\" aria-labelledby=\"h-%s\">\n"
             "<colgroup><col><col><col></colgroup>\n"
             "<thead><tr><th scope=\"col\">Object</th><th scope=\"col\">Path A</th>"
             "<th scope=\"col\">Path B</th></tr></thead>\n<tbody>\n",
             class_meanings[class_], word);
    for (size_t i = first; i < end; i++)
        add_difference(&d->list[i], out);
    buf_adds(out, "</tbody>\n</table>\n</section>\n");
    return end;
}

static void add_differences(const struct guard_report *r, struct buf *out)
{
    const struct differences *d = &r->differences;
    if (d->count == 0) {
        buf_adds(out,
                 r->a.ok && r->b.ok
                     ? "<p>No object differs.</p>\n"
                     : "<p>The schemas were not compared: a path did not come to its end.</p>\n");
        return;
    }
    add_filter(d, out);
    for (size_t i = 0; i < d->count;)
        i = add_class(d, i, out);
}

/* ---- the foot ---------------------------------------------------------------------------------------- */

static void add_term(struct buf *out, const char *term, const char *text)
{
    if (!text || !*text)
        return;
    buf_addf(out, "<dt>%s</dt><dd>", term);
    add_text(out, text);
    buf_adds(out, "</dd>\n");
}

static void add_foot(const struct guard_report *r, struct buf *out)
{
    buf_adds(out, "<footer>\n<dl>\n");
    add_term(out, "Compared", r->differences.compared);
    add_term(out, "Not compared", r->differences.not_compared);
    for (size_t i = 0; r->leftovers && r->leftovers[i]; i++)
        add_term(out, "Left by an earlier run", r->leftovers[i]);
    buf_adds(out, "</dl>\n<p>Made by <code>agent guard --format html</code>, version " AGENT_VERSION
                  ".</p>\n</footer>\n</main>\n<script>");
    add_lines(out, guard_page_script);
    buf_adds(out, "</script>\n</body>\n</html>\n");
}

void guard_write_html(const struct guard_report *report, struct buf *out)
{
    add_head(report, out);
    add_paths(report, out);
    add_differences(report, out);
    add_foot(report, out);
}
