/* envcontract/docs_example.c: .env.example: every variable of one profile, with what it is. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

/* TEXT as comment lines of at most DOCS_COMMENT_COLUMNS where it has blanks to break at. */
static void add_comment(struct buf *out, const struct buf *comment)
{
    const char *text = buf_text(comment);

    out->no_memory = out->no_memory || comment->no_memory;
    while (*text) {
        size_t length = strlen(text), room = DOCS_COMMENT_COLUMNS - 2;
        if (length > room) {
            size_t cut = room;
            while (cut > 0 && text[cut] != ' ')
                cut--;
            length = cut > 0 ? cut : strcspn(text, " ");
        }
        /* A line of the contract's must not be one of our markers. */
        buf_adds(out, strncmp(text, "agent:", 6) == 0 ? "# > " : "# ");
        buf_add(out, text, length);
        buf_addc(out, '\n');
        text += length;
        while (*text == ' ')
            text++;
    }
}

static void end_sentence(struct buf *b)
{
    if (b->len > 0 && !strchr(".!?", b->data[b->len - 1]))
        buf_addc(b, '.');
}

/* "Required.", "Required when …; forbidden when …." */
static void add_demand(struct docs_look *look, const struct docs_view *view, struct buf *line)
{
    AUTO_BUF demand = BUF_INIT(DOCS_TEXT_BYTES);
    struct docs_words w = {.out = &demand, .style = DOCS_COMMENT};

    docs_required(look, view, &w);
    const char *text = buf_text(&demand);
    if (str_starts(text, "yes"))
        buf_addf(line, " Required%s", text + 3);
    else if (str_starts(text, "no"))
        buf_addf(line, " Optional%s", text + 2);
    else
        buf_addf(line, " Required %s", text);
    line->no_memory = line->no_memory || demand.no_memory;
    end_sentence(line);
}

/* "One of dev, staging or prod. Required." */
static void add_shape(struct docs_look *look, const struct docs_view *view, struct buf *line)
{
    struct docs_words w = {.out = line, .style = DOCS_COMMENT};
    size_t start = line->len;

    docs_type(look, view, &w);
    if (line->len > start && line->data[start] >= 'a' && line->data[start] <= 'z')
        line->data[start] = (char)(line->data[start] - 'a' + 'A');
    end_sentence(line);
    if (!view->variable.rules->default_value) {
        add_demand(look, view, line);
        return;
    }
    docs_say(&w, " Without it: ");
    docs_code(&w, view->variable.rules->default_value);
    end_sentence(line);
}

static void add_groups(const struct docs_look *look, size_t index, struct buf *line)
{
    struct docs_words w = {.out = line, .style = DOCS_COMMENT};
    const struct docs_membership *one = look->example.groups[index];

    for (; one; one = one->next) {
        docs_say(&w, " ");
        docs_group(&w, one->group);
        end_sentence(line);
    }
}

static void add_deprecation(const struct docs_view *view, struct buf *out)
{
    const struct node *deprecated = view->layers.at[VARIABLE_DEPRECATED];
    AUTO_BUF line = BUF_INIT(DOCS_TEXT_BYTES);
    struct docs_words w = {.out = &line, .style = DOCS_COMMENT};

    if (!deprecated || deprecated->kind != NODE_OBJECT)
        return;
    docs_say(&w, "Deprecated");
    if (node_text(node_member(deprecated, "remove"))) {
        docs_say(&w, ", gone on ");
        docs_text(&w, node_text(node_member(deprecated, "remove")));
    }
    if (node_text(node_member(deprecated, "use"))) {
        docs_say(&w, "; use ");
        docs_text(&w, node_text(node_member(deprecated, "use")));
    }
    docs_say(&w, ".");
    add_comment(out, &line);
}

static void write_variable(struct docs_look *look, size_t index)
{
    const struct docs_choice *choice = &look->example.choices[index];
    AUTO_BUF line = BUF_INIT(DOCS_TEXT_BYTES);
    struct docs_words w = {.out = &line, .style = DOCS_COMMENT};
    struct docs_view view;

    docs_see(look, index, look->contract->profile, &view);
    buf_addc(look->out, '\n');
    if (node_text(view.layers.at[VARIABLE_DOC])) {
        docs_text(&w, node_text(view.layers.at[VARIABLE_DOC]));
        end_sentence(&line);
        add_comment(look->out, &line);
        buf_clear(&line);
    }
    add_shape(look, &view, &line);
    add_groups(look, index, &line);
    if (!view.variable.secret && !choice->text)
        buf_adds(&line, " To be filled in.");
    else if (choice->made_up && choice->used)
        buf_adds(&line, " The value is made up.");
    add_comment(look->out, &line);
    add_deprecation(&view, look->out);
    if (!choice->used)
        buf_addc(look->out, '#');
    docs_add_assignment(look->out, view.variable.name,
                        choice->text && (choice->used || !choice->made_up) ? choice->text : "");
    docs_forget(look);
}

/* ---- sections ----------------------------------------------------------------------------------- */

typedef bool (*belongs)(const struct contract_variable *variable, const struct docs_choice *choice);

static bool is_secret(const struct contract_variable *variable, const struct docs_choice *choice)
{
    return !variable->for_agent_only && choice->used && variable->secret;
}

static bool is_setting(const struct contract_variable *variable, const struct docs_choice *choice)
{
    return !variable->for_agent_only && choice->used && !variable->secret && !choice->is_default;
}

static bool is_default(const struct contract_variable *variable, const struct docs_choice *choice)
{
    return !variable->for_agent_only && choice->used && choice->is_default;
}

static bool is_optional(const struct contract_variable *variable, const struct docs_choice *choice)
{
    return !variable->for_agent_only && !choice->used;
}

static void write_those(struct docs_look *look, belongs belong)
{
    const struct contract *contract = look->contract;
    size_t count = 0;

    for (size_t i = 0; i < contract->variable_count && !look->d->no_memory; i++) {
        if (!belong(&contract->variables[i], &look->example.choices[i]))
            continue;
        write_variable(look, i);
        count++;
    }
    if (count == 0)
        buf_adds(look->out, "# None.\n");
}

static void write_secrets(struct docs_look *look)
{
    write_those(look, is_secret);
}

static void write_settings(struct docs_look *look)
{
    write_those(look, is_setting);
}

static void write_defaults(struct docs_look *look)
{
    write_those(look, is_default);
}

static void write_optional(struct docs_look *look)
{
    write_those(look, is_optional);
}

/* What agent reads for itself: said, and not set, since the application does not get it. */
static void write_agents(struct docs_look *look)
{
    const struct contract *contract = look->contract;
    size_t count = 0;

    for (size_t i = 0; i < contract->variable_count && !look->d->no_memory; i++) {
        AUTO_BUF line = BUF_INIT(DOCS_TEXT_BYTES);
        struct docs_words w = {.out = &line, .style = DOCS_COMMENT};
        struct docs_view view;
        if (!contract->variables[i].for_agent_only)
            continue;
        docs_see(look, i, contract->profile, &view);
        docs_code(&w, view.variable.name);
        docs_say(&w, view.variable.secret ? ", a secret: " : ": ");
        if (view.variable.doc)
            docs_text(&w, view.variable.doc);
        else
            docs_type(look, &view, &w);
        end_sentence(&line);
        add_comment(look->out, &line);
        docs_forget(look);
        count++;
    }
    if (count == 0)
        buf_adds(look->out, "# None.\n");
}

static const struct docs_section sections[] = {
    {"secrets", "Secrets: to be filled in", write_secrets},
    {"settings", "Settings", write_settings},
    {"defaults", "Settings with a default", write_defaults},
    {"optional", "Not needed here", write_optional},
    {"agent", "Read by agent alone", write_agents},
};

const struct docs_sections docs_example_sections = {sections, ARRAY_LEN(sections)};
