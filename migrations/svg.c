/* migrations/svg.c: the graph as a layered drawing. The same bytes everywhere.
 *
 * One row for each revision, the newest on top, in upgrade order; a dot in a lane on the left, its
 * id and message on the right. A lane is a column: a revision stands in the one that its first child
 * kept for it, so that a branch is one straight line; lanes become free where a branch begins. */
#include "migrations/internal.h"

#include <string.h>

#include "base/str.h"

enum { /* pixels */
       ROW = 28,
       LANE = 18,
       MARGIN = 20,
       RADIUS = 5,
       LETTER = 7, /* a monospaced letter of 12 pixels */
       TEXT_DOWN = 4,
};

enum {
    MAX_LANES = 256,        /* more than that no screen shows: the rest share the last one */
    MAX_MESSAGE_BYTES = 80, /* of a message; longer ones are cut */
};

#define NO_LANE SIZE_MAX

static const char *const colours[] = {"#0b6bcb", "#c2410c", "#15803d", "#7e22ce",
                                      "#b91c1c", "#0f766e", "#a16207", "#475569"};

struct drawing {
    const struct graph *graph;
    struct buf *out;
    size_t *row;              /* by revision: from 0 on top */
    size_t *lane;             /* by revision */
    size_t holder[MAX_LANES]; /* the revision that a lane is kept for, NO_LANE: free */
    size_t lanes;             /* in use at most */
};

/* ---- layout ---------------------------------------------------------------------------------------------- */

static size_t free_lane(struct drawing *d)
{
    size_t lane = 0;
    while (lane + 1 < MAX_LANES && d->holder[lane] != NO_LANE)
        lane++;
    if (lane >= d->lanes)
        d->lanes = lane + 1;
    return lane;
}

/* From the newest down: a revision stands in the lane that was kept for it, and keeps lanes for those
 * parents that have none yet: its own for the first. */
static void lay_out(struct drawing *d)
{
    const struct graph *g = d->graph;
    for (size_t l = 0; l < MAX_LANES; l++)
        d->holder[l] = NO_LANE;
    for (size_t n = 0; n < g->count; n++) {
        size_t index = g->order[g->count - 1 - n];
        const struct revision *r = &g->revisions[index];
        size_t lane = d->lane[index];
        d->row[index] = n;
        if (lane == NO_LANE)
            lane = free_lane(d);
        d->lane[index] = lane;
        d->holder[lane] = NO_LANE;
        for (size_t p = 0; p < r->down_count; p++) {
            size_t parent = r->parents[p];
            if (d->lane[parent] != NO_LANE)
                continue;
            size_t kept = d->holder[lane] == NO_LANE ? lane : free_lane(d);
            d->holder[kept] = parent;
            d->lane[parent] = kept;
        }
    }
}

static size_t x_of(size_t lane)
{
    return MARGIN + lane * LANE;
}

static size_t y_of(size_t row)
{
    return MARGIN + row * ROW;
}

static const char *colour_of(size_t lane)
{
    return colours[lane % ARRAY_LEN(colours)];
}

/* ---- drawing ------------------------------------------------------------------------------------------------ */

/* Text of XML; control characters, which XML can't have, as \xHH. */
static void add_xml(struct buf *out, const char *text, size_t most)
{
    size_t length = strlen(text), shown = length;
    if (shown > most) {
        shown = most;
        while (shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80)
            shown--; /* not inside of a character */
    }
    AUTO_BUF clean = BUF_INIT(shown * STR_PIECE_BYTES + 1);
    str_add_sanitised(&clean, text, shown);
    out->no_memory = out->no_memory || clean.no_memory; /* a picture without a name is none */
    for (const char *c = buf_text(&clean); *c; c++) {
        if (*c == '<')
            buf_adds(out, "&lt;");
        else if (*c == '>')
            buf_adds(out, "&gt;");
        else if (*c == '&')
            buf_adds(out, "&amp;");
        else if (*c == '"')
            buf_adds(out, "&quot;");
        else
            buf_addc(out, *c);
    }
    if (shown < length)
        buf_adds(out, "...");
}

/* From a child down to its parent: over into the parent's lane at once and down in it, for that lane
 * is kept for the parent, so that no dot lies on the line. */
static void draw_line(const struct drawing *d, size_t child, size_t parent)
{
    size_t x1 = x_of(d->lane[child]), y1 = y_of(d->row[child]);
    size_t x2 = x_of(d->lane[parent]), y2 = y_of(d->row[parent]), turned = y1 + ROW;
    buf_addf(d->out, "<path d=\"M%zu %zu", x1, y1);
    if (y2 < y1)
        buf_addf(d->out, "L%zu %zu", x2, y2); /* a cycle: there is no way down */
    else if (x1 == x2)
        buf_addf(d->out, "V%zu", y2);
    else
        buf_addf(d->out, "C%zu %zu %zu %zu %zu %zuV%zu", x1, turned, x2, y1, x2, turned, y2);
    buf_addf(d->out, "\" stroke=\"%s\"/>\n", colour_of(d->lane[parent]));
}

/* A dependency has no lane: a dashed bow to the right of all lanes. */
static void draw_bow(const struct drawing *d, size_t child, size_t parent)
{
    size_t x1 = x_of(d->lane[child]), y1 = y_of(d->row[child]), bow = x_of(d->lanes);
    size_t x2 = x_of(d->lane[parent]), y2 = y_of(d->row[parent]);
    buf_addf(d->out,
             "<path d=\"M%zu %zuC%zu %zu %zu %zu %zu %zu\" stroke=\"#94a3b8\" "
             "stroke-dasharray=\"4 3\"/>\n",
             x1, y1, bow, y1, bow, y2, x2, y2);
}

static void draw_edges(const struct drawing *d)
{
    const struct graph *g = d->graph;
    buf_adds(d->out, "<g fill=\"none\" stroke-width=\"2\">\n");
    for (size_t n = g->count; n > 0; n--) {
        size_t index = g->order[n - 1];
        const struct revision *r = &g->revisions[index];
        for (size_t p = 0; p < r->down_count; p++)
            draw_line(d, index, r->parents[p]);
        for (size_t p = r->down_count; p < r->parent_count; p++)
            draw_bow(d, index, r->parents[p]);
    }
    buf_adds(d->out, "</g>\n");
}

static void draw_revision(const struct drawing *d, size_t index, size_t text_x)
{
    const struct revision *r = &d->graph->revisions[index];
    size_t x = x_of(d->lane[index]), y = y_of(d->row[index]);
    buf_addf(d->out, "<circle cx=\"%zu\" cy=\"%zu\" r=\"%d\" fill=\"%s\" stroke=\"%s\"/>", x, y,
             RADIUS, r->is_head ? colour_of(d->lane[index]) : "#ffffff", colour_of(d->lane[index]));
    buf_addf(d->out, "<text x=\"%zu\" y=\"%zu\"><tspan font-weight=\"bold\">", text_x,
             y + TEXT_DOWN);
    add_xml(d->out, r->id, MAX_MESSAGE_BYTES);
    buf_adds(d->out, "</tspan>");
    for (const char *const *l = r->branch_labels; l && *l; l++) {
        buf_adds(d->out, " @");
        add_xml(d->out, *l, MAX_MESSAGE_BYTES);
    }
    if (r->is_head)
        buf_adds(d->out, r->is_effective_head ? " (head)" : " (head, depended on)");
    if (*r->message) {
        buf_addc(d->out, ' ');
        add_xml(d->out, r->message, MAX_MESSAGE_BYTES);
    }
    buf_adds(d->out, "</text>\n");
}

/* The longest line of text, in letters. */
static size_t widest(const struct graph *g)
{
    size_t most = 0;
    for (size_t i = 0; i < g->count; i++) {
        const struct revision *r = &g->revisions[i];
        size_t id = strlen(r->id), message = strlen(r->message),
               width = sizeof " (head, depended on)";
        width += id < MAX_MESSAGE_BYTES ? id : MAX_MESSAGE_BYTES + 3;
        width += message < MAX_MESSAGE_BYTES ? message : MAX_MESSAGE_BYTES + 3;
        for (const char *const *l = r->branch_labels; l && *l; l++)
            width += strlen(*l) + 2;
        most = width > most ? width : most;
    }
    return most;
}

int graph_write_svg(const struct graph *g, struct buf *out, struct err *err)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct drawing d = {.graph = g, .out = out, .lanes = 1};
    d.row = arena_new(&arena, g->count + 1, sizeof *d.row);
    d.lane = arena_new(&arena, g->count + 1, sizeof *d.lane);
    if (!d.row || !d.lane)
        return err_nomem(err);
    for (size_t i = 0; i < g->count; i++)
        d.lane[i] = NO_LANE;
    lay_out(&d);
    size_t text_x = x_of(d.lanes), width = text_x + widest(g) * LETTER + MARGIN;
    size_t height = (size_t)2 * MARGIN + (g->count ? g->count - 1 : 0) * ROW;
    buf_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
             "viewBox=\"0 0 %zu %zu\" font-family=\"monospace\" font-size=\"12\">\n",
             width, height, width, height);
    buf_adds(out, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    draw_edges(&d);
    buf_adds(out, "<g stroke-width=\"2\">\n");
    for (size_t n = g->count; n > 0; n--) {
        size_t index = g->order[n - 1];
        draw_revision(&d, index, text_x);
    }
    buf_adds(out, "</g>\n</svg>\n");
    return 0;
}
