/* envcontract/docs_text.c: what the contract says, as Markdown or as a comment. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* TEXT on one line: white space of any kind is one blank, what is not for people is \xHH. */
static void add_line(struct buf *out, const char *text)
{
    AUTO_BUF line = BUF_INIT(DOCS_TEXT_BYTES);
    bool blank = false;

    for (const char *c = text; *c; c++) {
        if (*c == ' ' || (*c >= '\t' && *c <= '\r')) {
            blank = line.len > 0;
            continue;
        }
        if (blank)
            buf_addc(&line, ' ');
        blank = false;
        buf_addc(&line, *c);
    }
    if (line.no_memory)
        out->no_memory = true;
    str_add_sanitised(out, buf_text(&line), line.len);
}

void docs_say(struct docs_words *w, const char *ours)
{
    buf_adds(w->out, ours);
}

/* An underscore within a word is no markup; NAMES_LIKE_THIS stay readable in the source. */
static bool is_markup(const char *text, size_t at)
{
    if (at == 0 && strchr("#+-=", text[at]))
        return true; /* a heading or a list, where it begins a line */
    if (text[at] != '_')
        return strchr("\\`*|<>[]~&", text[at]) != NULL;
    return at == 0 || !is_alphanumeric(text[at - 1]) || !is_alphanumeric(text[at + 1]);
}

void docs_text(struct docs_words *w, const char *foreign)
{
    AUTO_BUF line = BUF_INIT(DOCS_TEXT_BYTES);
    const char *text;

    add_line(&line, foreign);
    text = buf_text(&line);
    for (size_t i = 0; i < line.len; i++) {
        if (w->style != DOCS_COMMENT && is_markup(text, i))
            buf_addc(w->out, '\\');
        buf_addc(w->out, text[i]);
    }
    if (line.no_memory)
        w->out->no_memory = true;
}

/* The longest run of backticks in TEXT: a span's fence is one longer. */
static size_t longest_run(const char *text)
{
    size_t longest = 0, run = 0;

    for (; *text; text++) {
        run = *text == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void add_fence(struct buf *out, size_t length)
{
    while (length-- > 0)
        buf_addc(out, '`');
}

/* In a cell no span can have a backslash before a bar: GFM takes the two for one escape. */
static void add_entities(struct buf *out, const char *text)
{
    buf_adds(out, "<code>");
    for (; *text; text++) {
        if (is_alphanumeric(*text) || *text == ' ' || (unsigned char)*text >= 0x80)
            buf_addc(out, *text);
        else
            buf_addf(out, "&#%d;", *text);
    }
    buf_adds(out, "</code>");
}

void docs_code(struct docs_words *w, const char *foreign)
{
    AUTO_BUF line = BUF_INIT(DOCS_TEXT_BYTES);
    const char *text;

    add_line(&line, foreign);
    text = buf_text(&line);
    if (line.no_memory)
        w->out->no_memory = true;
    if (w->style == DOCS_COMMENT) { /* quotes where it would not be seen for what it is */
        bool seen = line.len > 0 && text[strcspn(text, " ")] == '\0' &&
                    (line.len > 1 || is_alphanumeric(text[0]));
        buf_adds(w->out, seen ? "" : "\"");
        buf_adds(w->out, text);
        buf_adds(w->out, seen ? "" : "\"");
        return;
    }
    if (line.len == 0) {
        buf_adds(w->out, "(empty)");
        return;
    }
    if (w->style == DOCS_CELL && strstr(text, "\\|")) {
        add_entities(w->out, text);
        return;
    }
    size_t fence = longest_run(text) + 1;
    bool padded = text[0] == '`' || text[line.len - 1] == '`';
    add_fence(w->out, fence);
    buf_adds(w->out, padded ? " " : "");
    for (size_t i = 0; i < line.len; i++) {
        if (text[i] == '|' && w->style == DOCS_CELL)
            buf_addc(w->out, '\\'); /* GFM cuts cells before it looks for spans */
        buf_addc(w->out, text[i]);
    }
    buf_adds(w->out, padded ? " " : "");
    add_fence(w->out, fence);
}

void docs_link(struct docs_words *w, const char *title, const char *url)
{
    if (w->style == DOCS_COMMENT || (!str_starts(url, "https://") && !str_starts(url, "http://"))) {
        docs_text(w, url);
        return;
    }
    buf_addf(w->out, "[%s](<", title);
    for (const char *c = url; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("<>|\\", *c))
            buf_addf(w->out, "%%%02X", (unsigned char)*c);
        else
            buf_addc(w->out, *c);
    }
    buf_adds(w->out, ">)");
}

void docs_codes(struct docs_words *w, const char *const *list, const char *word)
{
    for (size_t i = 0; list && list[i]; i++) {
        if (i > 0) {
            docs_say(w, list[i + 1] ? ", " : " ");
            if (!list[i + 1])
                buf_addf(w->out, "%s ", word);
        }
        docs_code(w, list[i]);
    }
}

void docs_condition(struct docs_words *w, const struct node *node)
{
    AUTO_BUF text = BUF_INIT(DOCS_TEXT_BYTES);

    if (!node || node->kind == NODE_BOOL || !node->built) {
        docs_say(w, node && node_truth(node, false) ? "always" : "never");
        return;
    }
    condition_describe(node->built, &text);
    if (text.no_memory)
        w->out->no_memory = true;
    docs_text(w, buf_text(&text));
}

void docs_argv(struct docs_words *w, const struct node *list)
{
    AUTO_BUF line = BUF_INIT(DOCS_TEXT_BYTES);

    for (const struct node *word = list ? list->first : NULL; word; word = word->next) {
        if (!node_text(word))
            continue;
        buf_adds(&line, line.len > 0 ? " " : "");
        str_add_shell(&line, word->text, word->count);
    }
    if (line.no_memory)
        w->out->no_memory = true;
    docs_code(w, buf_text(&line));
}

/* ---- variables in their profiles ------------------------------------------------------------- */

size_t docs_profile_count(const struct docs_look *look)
{
    return look->d->profile_count > 0 ? look->d->profile_count : 1;
}

const char *docs_profile(const struct docs_look *look, size_t i)
{
    return look->d->profile_count > 0 ? look->d->profiles[i] : NULL;
}

uint32_t docs_all_profiles(const struct docs_look *look)
{
    return (uint32_t)((UINT64_C(1) << docs_profile_count(look)) - 1);
}

size_t docs_looks(const struct docs_look *look, size_t index)
{
    static const char *const keys[] = {"profiles",
                                       "override"}; /* strict profiles have no override */

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (node_member(look->d->base, keys[i]) || node_member(look->d->variables[index], keys[i]))
            return docs_profile_count(look);
    return 1;
}

void docs_see(struct docs_look *look, size_t index, const char *profile, struct docs_view *out)
{
    *out = (struct docs_view){.index = index, .profile = profile};
    layers_merge(look->d, index, profile, &out->layers);
    look->d->source_bytes_left = CONTRACT_MAX_SOURCE_BYTES; /* one variable's are built at a time */
    rules_build(look->d, &look->scratch, index, &out->layers, profile, &out->variable);
    for (const char *const *strict = look->d->strict_profiles; profile && strict && *strict;
         strict++)
        if (str_eq(*strict, profile))
            out->variable.overridable = false;
    if (!out->variable.rules)
        out->variable.rules = &look->d->plain_rules; /* no memory: said in look->d */
}

void docs_forget(struct docs_look *look)
{
    arena_release(&look->scratch);
}

void docs_profiles(const struct docs_look *look, uint32_t profiles, struct docs_words *w)
{
    const char *names[CONTRACT_MAX_PROFILES + 1] = {NULL};
    size_t count = 0, all = docs_profile_count(look);

    for (size_t i = 0; i < all && docs_profile(look, i); i++)
        if (profiles & (UINT32_C(1) << i))
            names[count++] = docs_profile(look, i);
    if (count == 0 || count == all)
        docs_say(w, "all");
    for (size_t i = 0; i < count && count < all; i++) {
        docs_say(w, i > 0 ? ", " : "");
        docs_text(w, names[i]);
    }
}

struct said {
    struct buf text;
    uint32_t profiles;
};

static void said_release(struct said (*all)[CONTRACT_MAX_PROFILES])
{
    for (size_t i = 0; i < CONTRACT_MAX_PROFILES; i++)
        buf_release(&(*all)[i].text);
}

void docs_by_profile(struct docs_look *look, size_t index, docs_aspect aspect, struct docs_words *w)
{
    CLEANUP(said_release) struct said all[CONTRACT_MAX_PROFILES] = {0};
    size_t count = 0;

    for (size_t i = 0; i < docs_looks(look, index); i++) {
        struct docs_view view;
        struct said *mine = &all[count];
        size_t same = 0;
        mine->text = BUF_INIT(DOCS_TEXT_BYTES);
        struct docs_words words = {.out = &mine->text, .style = w->style};
        docs_see(look, index, docs_profile(look, i), &view);
        aspect(look, &view, &words);
        if (mine->text.no_memory)
            w->out->no_memory = true;
        while (!str_eq(buf_text(&all[same].text), buf_text(&mine->text)))
            same++; /* it ends at itself */
        all[same].profiles |= UINT32_C(1) << i;
        if (same == count)
            count++;
        else
            buf_release(&mine->text);
    }
    for (size_t i = 0; i < count; i++) {
        if (count > 1) {
            docs_say(w, i == 0 ? "" : w->style == DOCS_CELL ? "<br>" : "; ");
            docs_profiles(look, all[i].profiles, w);
            docs_say(w, ": ");
        }
        docs_say(w, count > 1 && all[i].text.len == 0 ? "–" : buf_text(&all[i].text));
    }
}

bool docs_is_secret(struct docs_look *look, size_t index)
{
    bool secret = false;

    for (size_t i = 0; i < docs_looks(look, index) && !secret; i++) {
        struct layers layers;
        layers_merge(look->d, index, docs_profile(look, i), &layers);
        secret = node_truth(layers.at[VARIABLE_SECRET], false);
    }
    return secret;
}

bool docs_is_agents(struct docs_look *look, size_t index)
{
    for (size_t i = 0; i < docs_looks(look, index); i++) {
        struct layers layers;
        layers_merge(look->d, index, docs_profile(look, i), &layers);
        if (!str_eq(node_text(layers.at[VARIABLE_EXPOSE]), "agent"))
            return false;
    }
    return true;
}

const struct node *docs_next_section(const struct docs_look *look, const char *key, size_t *file)
{
    while (*file < look->d->file_count) {
        const struct node *section = node_member(look->d->files[(*file)++].root, key);
        if (section)
            return section;
    }
    return NULL;
}
