/* bootstrap/diff_revision.c: which revision touched an object last, as far as that can be told.
 *
 * The operations of the offline SQL tell it surely. What they do not tell is looked for in the files.
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

/* ---- operations ------------------------------------------------------------------------------ */

struct search {
    const struct graph *graph;
    struct diff_found *list;
    size_t count;
    struct words words;
    struct buf text; /* of a file */
};

/* Settle what has all of its words in the revision's file. */
static int look_into_file(struct search *s, const struct revision *r, size_t *open, struct err *err)
{
    struct err why = ERR_INIT;
    if (!r->file) /* from `alembic heads`: an id and nothing else */
        return 0;
    if (file_read_all(r->file, &s->text, &why) != 0) {
        log_line(LOG_DEBUG, "a revision's file tells nothing", "why", why.text, NULL);
        if (why.kind != ERR_RESOURCE)
            return 0;
        *err = why;
        return -1;
    }
    mark_words(&s->words, buf_text(&s->text), s->text.len);
    *open = settle(s->list, s->count, &s->words, r->id);
    return 0;
}

static void settle_touched(struct search *s, struct diff_wanted *wanted,
                           const struct audit_touch *touch)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->list[i].difference.revision && diff_is_touched(&wanted[i], touch))
            s->list[i].difference.revision = touch->revision;
}

/* From the last operation backwards. A revision that runs code may have touched anything: there its
 * file is looked into once its operations have said nothing. */
static int walk_trace(struct search *s, const struct audit_trace *trace, struct diff_wanted *wanted,
                      struct err *err)
{
    size_t open = s->count;
    for (size_t i = trace->count; i > 0 && open > 0;) {
        const char *id = trace->list[i - 1].revision;
        bool is_opaque = false;
        for (; i > 0 && str_eq(trace->list[i - 1].revision, id); i--) {
            settle_touched(s, wanted, &trace->list[i - 1]);
            is_opaque = is_opaque || trace->list[i - 1].is_opaque;
        }
        const struct revision *r = is_opaque ? graph_find(s->graph, id) : NULL;
        if (r && look_into_file(s, r, &open, err) != 0)
            return -1;
    }
    return 0;
}

static int use_trace(struct search *s, const struct audit_trace *trace, struct err *err)
{
    AUTO_FREE struct diff_wanted *wanted = mem_new(s->count + 1, sizeof(*wanted));
    if (!wanted)
        return err_nomem(err);
    for (size_t i = 0; i < s->count; i++) {
        const struct catalog_object *o = s->list[i].about;
        if (o)
            wanted[i] = (struct diff_wanted){.object = o, .word = o->word, .relation = o->relation};
    }
    return walk_trace(s, trace, wanted, err);
}

/* SQL that is not that of these revisions tells nothing; that is said where it matters. */
static int search_operations(struct search *s, const struct audit_settings *offline,
                             struct err *err)
{
    struct audit_trace trace = {0};
    struct err why = ERR_INIT;
    if (audit_trace_make(offline, &trace, &why) != 0) {
        if (why.kind == ERR_RESOURCE) {
            *err = why;
            return -1;
        }
        log_line(LOG_DEBUG, "the offline SQL tells no revisions", "why", why.text, NULL);
        return 0;
    }
    int result = use_trace(s, &trace, err);
    audit_trace_release(&trace);
    return result;
}

static int search_files(struct search *s, struct err *err)
{
    size_t open = s->count;
    for (size_t i = s->graph->count; open > 0 && i-- > 0;)
        if (look_into_file(s, &s->graph->revisions[s->graph->order[i]], &open, err) != 0)
            return -1;
    return 0;
}

int diff_find_revisions(const struct compare_options *options, struct diff_found *list,
                        size_t count, struct err *err)
{
    struct search s = {.graph = options->graph,
                       .list = list,
                       .count = count,
                       .text = BUF_INIT(GRAPH_FILE_MAX_BYTES)};
    if (!s.graph || !s.graph->order || count == 0)
        return 0;
    int result = collect_words(list, count, &s.words, err);
    if (result == 0 && options->offline)
        result = search_operations(&s, options->offline, err);
    if (result == 0)
        result = search_files(&s, err);
    free(s.words.list);
    buf_release(&s.text);
    return result;
}
