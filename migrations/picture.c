/* migrations/picture.c: the graph as text, JSON, Graphviz and Mermaid. The same bytes everywhere. */
#include "migrations/internal.h"

#include <string.h>

#include "base/str.h"

static size_t length_of(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

void graph_write_json(const struct graph *g, struct json *json)
{
    json_add_strings(json, "heads", g->heads, g->head_count);
    json_add_strings(json, "effective_heads", g->effective_heads, g->effective_head_count);
    json_add_strings(json, "bases", g->bases, g->base_count);
    json_add_int(json, "count", (int64_t)g->count);
    json_begin_array(json, "order");
    for (size_t i = 0; i < g->count; i++)
        json_add_string(json, NULL, g->revisions[g->order[i]].id);
    json_end_array(json);
    json_begin_array(json, "revisions");
    for (size_t i = 0; i < g->count; i++) {
        const struct revision *r = &g->revisions[g->order[i]];
        json_begin_object(json, NULL);
        json_add_string(json, "revision", r->id);
        json_add_strings(json, "down_revision", r->down, length_of(r->down));
        json_add_strings(json, "depends_on", r->depends_on, length_of(r->depends_on));
        json_add_strings(json, "branch_labels", r->branch_labels, length_of(r->branch_labels));
        json_add_string(json, "message", r->message);
        json_add_string(json, "file", r->file);
        json_end_object(json);
    }
    json_end_array(json);
    json_begin_array(json, "errors");
    for (size_t i = 0; i < g->error_count; i++) {
        const struct graph_error *e = &g->errors[i];
        json_begin_object(json, NULL);
        json_add_string(json, "kind", graph_error_word(e->kind));
        json_add_string(json, "message", e->message);
        json_add_string(json, "file", e->file);
        if (e->line > 0)
            json_add_int(json, "line", e->line);
        json_end_object(json);
    }
    json_end_array(json);
}

/* ---- text ------------------------------------------------------------------------------------------------ */

static void add_names(struct buf *out, const char *before, const char *const *names,
                      const char *after)
{
    if (!names || !names[0])
        return;
    buf_adds(out, before);
    for (size_t i = 0; names[i]; i++) {
        if (i > 0)
            buf_adds(out, ", ");
        str_add_sanitised(out, names[i], strlen(names[i]));
    }
    buf_adds(out, after);
}

static void add_count(struct buf *out, size_t count, const char *one, const char *many)
{
    buf_addf(out, "%zu %s", count, count == 1 ? one : many);
}

static void add_revision_line(struct buf *out, const struct revision *r)
{
    if (r->is_base)
        buf_adds(out, "<base>");
    else
        add_names(out, "", r->down, "");
    buf_adds(out, " -> ");
    str_add_sanitised(out, r->id, strlen(r->id));
    add_names(out, " [", r->branch_labels, "]");
    add_names(out, " (depends on ", r->depends_on, ")");
    if (r->is_head)
        buf_adds(out, r->is_effective_head ? " (head)" : " (head, depended on)");
    if (*r->message) {
        buf_adds(out, ", ");
        str_add_sanitised(out, r->message, strlen(r->message));
    }
    buf_addc(out, '\n');
}

void graph_write_text(const struct graph *g, struct buf *out)
{
    for (size_t i = 0; i < g->count; i++)
        add_revision_line(out, &g->revisions[g->order[i]]);
    if (g->count > 0)
        buf_addc(out, '\n');
    add_count(out, g->count, "revision", "revisions");
    buf_adds(out, ", ");
    add_count(out, g->base_count, "base", "bases");
    buf_adds(out, ", ");
    add_count(out, g->head_count, "head", "heads");
    add_names(out, ": ", g->heads, "");
    if (g->effective_head_count != g->head_count)
        add_names(out, "; in the version table: ", g->effective_heads, "");
    buf_addc(out, '\n');
    if (g->error_count > 0) {
        add_count(out, g->error_count, "error", "errors");
        buf_addc(out, '\n');
    }
}

/* ---- Graphviz ---------------------------------------------------------------------------------------------- */

/* Inside "..." of the DOT language. */
static void add_dot(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buf_addc(out, '\\');
        if (c < 0x20 || c == 0x7F)
            buf_addf(out, "\\\\x%02X", c);
        else
            buf_addc(out, *text);
    }
}

void graph_write_dot(const struct graph *g, struct buf *out)
{
    buf_adds(out, "digraph revisions {\n    rankdir=BT;\n"
                  "    node [shape=box, fontname=\"monospace\"];\n");
    for (size_t i = 0; i < g->count; i++) {
        const struct revision *r = &g->revisions[g->order[i]];
        buf_adds(out, "    \"");
        add_dot(out, r->id);
        buf_adds(out, "\" [label=\"");
        add_dot(out, r->id);
        for (const char *const *l = r->branch_labels; l && *l; l++) {
            buf_adds(out, " @");
            add_dot(out, *l);
        }
        if (*r->message) {
            buf_adds(out, "\\n");
            add_dot(out, r->message);
        }
        buf_addf(out, "\"%s];\n", r->is_effective_head ? ", style=bold" : "");
    }
    for (size_t i = 0; i < g->count; i++) {
        const struct revision *r = &g->revisions[g->order[i]];
        for (size_t p = 0; p < r->parent_count; p++) {
            buf_adds(out, "    \"");
            add_dot(out, g->revisions[r->parents[p]].id);
            buf_adds(out, "\" -> \"");
            add_dot(out, r->id);
            buf_addf(out, "\"%s;\n", p < r->down_count ? "" : " [style=dashed]");
        }
    }
    buf_adds(out, "}\n");
}

/* ---- Mermaid ----------------------------------------------------------------------------------------------- */

/* Inside a quoted label: Mermaid's entity codes for what would end or format it. */
static void add_mermaid(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && c != ' ' && strchr("\"#<>&`*_\\;[]{}()|", c))
            buf_addf(out, "#%u;", c);
        else if (c < 0x20 || c == 0x7F)
            buf_addf(out, "\\x%02X", c);
        else
            buf_addc(out, *text);
    }
}

void graph_write_mermaid(const struct graph *g, struct buf *out)
{
    buf_adds(out, "flowchart BT\n");
    for (size_t i = 0; i < g->count; i++) {
        size_t index = g->order[i];
        const struct revision *r = &g->revisions[index];
        buf_addf(out, "    r%zu[\"", index);
        add_mermaid(out, r->id);
        for (const char *const *l = r->branch_labels; l && *l; l++) {
            buf_adds(out, " @");
            add_mermaid(out, *l);
        }
        if (*r->message) {
            buf_adds(out, "<br/>");
            add_mermaid(out, r->message);
        }
        buf_addf(out, "\"]%s\n", r->is_effective_head ? ":::head" : "");
    }
    for (size_t i = 0; i < g->count; i++) {
        size_t index = g->order[i];
        const struct revision *r = &g->revisions[index];
        for (size_t p = 0; p < r->parent_count; p++)
            buf_addf(out, "    r%zu %s r%zu\n", r->parents[p], p < r->down_count ? "-->" : "-.->",
                     index);
    }
    buf_adds(out, "    classDef head stroke-width:3px\n");
}
