/* bootstrap/diff_revision.c: which revision touched an object last, as far as its file tells.
 *
 * A file tells by holding the object's name and its table's as words, in quotes or in SQL. Files
 * are read from the last revision backwards, each once, until every object has one: memory is that
 * of the largest file, time that of all files once. An automatic name is in no file: there the
 * names that it is made of are looked for. */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/diff_internal.h"
#include "migrations/graph.h"

struct word {
    const char *text;
    size_t length;
    bool is_plain; /* letters, digits, '_': a token; else it is searched for as it is */
    bool is_here;  /* in the file that is looked at */
};

struct words {
    struct word *list; /* sorted, each once */
    size_t count, capacity;
};

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static int compare_words(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->text, y->text, shorter);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static struct word *find_word(const struct words *words, const char *text, size_t length)
{
    const struct word key = {.text = text, .length = length};
    return words->count ? bsearch(&key, words->list, words->count, sizeof(key), compare_words)
                        : NULL;
}

/* ---- the words of an object ------------------------------------------------------------------ */

/* CALL for each word, until it says no. True when it never did, and there was one. */
static bool each_word(const struct catalog_object *o,
                      bool (*call)(void *context, const char *text, size_t length), void *context)
{
    const char *const names[] = {o->automatic_name ? "" : o->word, o->relation,
                                 o->automatic_name ? o->words : ""};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (const char *at = names[i]; *at;) {
            size_t length = strcspn(at, "\n"); /* columns come one a line */
            if (!call(context, at, length))
                return false;
            count++;
            at += length + (at[length] == '\n');
        }
    return count > 0;
}

struct collecting {
    struct words words;
    bool no_memory;
};

static bool collect(void *context, const char *text, size_t length)
{
    struct collecting *c = context;
    struct words *words = &c->words;
    struct word word = {.text = text, .length = length, .is_plain = true};
    for (size_t i = 0; i < length; i++)
        word.is_plain = word.is_plain && is_word_byte(text[i]);
    c->no_memory = mem_grow(&words->list, words->count, &words->capacity, sizeof(word)) != 0;
    if (c->no_memory)
        return false;
    words->list[words->count++] = word;
    return true;
}

static void sort_words(struct words *words)
{
    size_t kept = 0;
    if (words->count == 0)
        return;
    qsort(words->list, words->count, sizeof(*words->list), compare_words);
    for (size_t i = 1; i < words->count; i++)
        if (compare_words(&words->list[kept], &words->list[i]) != 0)
            words->list[++kept] = words->list[i];
    words->count = kept + 1;
}

static bool has_object(const struct diff_found *found)
{
    return found->about && (*found->about->word || *found->about->relation);
}

static int collect_words(const struct diff_found *list, size_t count, struct words *out,
                         struct err *err)
{
    struct collecting c = {0};
    for (size_t i = 0; i < count && !c.no_memory; i++)
        if (has_object(&list[i]))
            (void)each_word(list[i].about, collect, &c); /* c says what matters */
    if (c.no_memory) {
        free(c.words.list);
        return err_nomem(err);
    }
    sort_words(&c.words);
    *out = c.words;
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void mark_words(struct words *words, const char *text, size_t length)
{
    for (size_t i = 0; i < words->count; i++) {
        struct word *w = &words->list[i];
        w->is_here = !w->is_plain && memmem(text, length, w->text, w->length) != NULL;
    }
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && is_word_byte(text[end]))
            end++;
        struct word *w = end > at ? find_word(words, text + at, end - at) : NULL;
        if (w)
            w->is_here = true;
        at = end + (end == at);
    }
}

static bool is_here(void *context, const char *text, size_t length)
{
    const struct word *w = find_word(context, text, length);
    return w && w->is_here;
}

/* How many are still without a revision. */
static size_t settle(struct diff_found *list, size_t count, struct words *words, const char *id)
{
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        if (!has_object(&list[i]) || list[i].difference.revision)
            continue;
        if (each_word(list[i].about, is_here, words))
            list[i].difference.revision = id;
        else
            open++;
    }
    return open;
}

int diff_find_revisions(const struct graph *graph, struct diff_found *list, size_t count,
                        struct err *err)
{
    struct words words = {0};
    AUTO_BUF text = BUF_INIT(GRAPH_FILE_MAX_BYTES);
    size_t open = count;
    int result = 0;
    if (!graph || !graph->order || count == 0)
        return 0;
    result = collect_words(list, count, &words, err);
    for (size_t i = graph->count; result == 0 && open > 0 && i-- > 0;) {
        const struct revision *r = &graph->revisions[graph->order[i]];
        struct err why = ERR_INIT;
        if (!r->file) /* from `alembic heads`: an id and nothing else */
            continue;
        if (file_read_all(r->file, &text, &why) != 0) {
            log_line(LOG_DEBUG, "a revision's file tells nothing", "why", why.text, NULL);
            if (why.kind == ERR_RESOURCE) {
                *err = why;
                result = -1;
            }
            continue;
        }
        mark_words(&words, buf_text(&text), text.len);
        open = settle(list, count, &words, r->id);
    }
    free(words.list);
    return result;
}
