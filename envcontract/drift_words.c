/* envcontract/drift_words.c: the words of a shell script: which of its names it sets itself. */
#include "envcontract/drift_shell.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/drift_lex.h"

size_t shell_name_length(const struct drift *d, size_t at)
{
    size_t start = at;

    if (at < d->length && d->text[at] >= '0' && d->text[at] <= '9')
        return 0;
    while (at < d->length && (unsigned char)d->text[at] < 0x80 && lex_is_name_byte(d->text[at]))
        at++;
    return at - start;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool has_small_letter(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] >= 'a' && text[i] <= 'z')
            return true;
    return false;
}

void shell_sets(struct shell *s, size_t start, size_t length)
{
    struct drift_name *entry = length <= DRIFT_MAX_NAME_BYTES
                                   ? drift_enter(s->d, s->d->text + start, length)
                                   : NULL;

    if (entry)
        entry->set_in = s->d->files;
}

static bool is_being_set(const struct shell *s, const char *name, size_t length)
{
    for (size_t i = 0; i < s->pending_count; i++)
        if (s->pending[i].length == length &&
            memcmp(s->d->text + s->pending[i].start, name, length) == 0)
            return true;
    return false;
}

void shell_reads(struct shell *s, size_t start, size_t length, bool is_asked)
{
    struct drift *d = s->d;
    const char *name = d->text + start;

    if (length > DRIFT_MAX_NAME_BYTES ||
        (has_small_letter(name, length) && !drift_declares(d, name, length)))
        return; /* by custom a script's own, or another script's */
    const struct drift_name *entry = drift_find(d, name, length);
    if (entry && entry->set_in == d->files)
        return;
    if (is_asked || is_being_set(s, name, length))
        drift_add(d, DRIFT_READ, name, length, start);
    else
        (void)token_push(d, TOKEN_NAME, 0, start, length); /* no memory: seen at the end */
}

void shell_settle(struct shell *s)
{
    struct drift *d = s->d;

    for (size_t i = 0; i < d->token_count; i++) {
        const struct drift_token *token = &d->tokens[i];
        const struct drift_name *entry = drift_find(d, d->text + token->start, token->length);
        if (!entry || entry->set_in != d->files)
            drift_add(d, DRIFT_READ, d->text + token->start, token->length, token->start);
    }
}

/* ---- words ---------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    enum shell_words words;
    bool at_command; /* what follows is a command again */
} commands[] = {
    {"if", WORDS_OF_COMMAND, true},      {"then", WORDS_OF_COMMAND, true},
    {"elif", WORDS_OF_COMMAND, true},    {"else", WORDS_OF_COMMAND, true},
    {"do", WORDS_OF_COMMAND, true},      {"while", WORDS_OF_COMMAND, true},
    {"until", WORDS_OF_COMMAND, true},   {"!", WORDS_OF_COMMAND, true},
    {"{", WORDS_OF_COMMAND, true},       {"time", WORDS_OF_COMMAND, true},
    {"env", WORDS_OF_COMMAND, true},     {"export", WORDS_DECLARED, false},
    {"readonly", WORDS_DECLARED, false}, {"local", WORDS_LOCAL, false},
    {"declare", WORDS_LOCAL, false},     {"typeset", WORDS_LOCAL, false},
    {"read", WORDS_LOCAL, false},        {"mapfile", WORDS_LOCAL, false},
    {"readarray", WORDS_LOCAL, false},   {"unset", WORDS_LOCAL, false},
    {"for", WORDS_FOR, false},           {"select", WORDS_FOR, false},
    {"getopts", WORDS_GETOPTS, false},   {"printf", WORDS_PRINTF, false},
    {"let", WORDS_LOCAL, false},         {"printenv", WORDS_PRINTENV, false},
    {"test", WORDS_TEST, false},         {"[", WORDS_TEST, false},
    {"[[", WORDS_TEST, false},
};

static void begin_word(struct shell *s, struct shell_level *level)
{
    size_t length = shell_name_length(s->d, s->at), behind = s->at + length;
    const char *text = s->d->text;

    level->in_word = true;
    level->is_plain = true;
    level->is_setting = false;
    level->word = s->at;
    bool may_set = level->at_command || level->words == WORDS_DECLARED ||
                   level->words == WORDS_LOCAL;
    if (length == 0 || !may_set)
        return;
    if (text[behind] == '[') { /* NAME[index]=: in the same word */
        size_t end = behind + strcspn(text + behind, "]=\n \t");
        behind = text[end] == ']' ? end + 1 : behind;
    }
    level->is_setting = text[behind] == '=' || (text[behind] == '+' && text[behind + 1] == '=');
    if (!level->is_setting)
        return;
    if (s->pending_count == SHELL_MAX_PENDING) {
        shell_sets(s, s->at, length);
        return;
    }
    s->pending[s->pending_count].start = s->at;
    s->pending[s->pending_count].length = length;
    s->pending[s->pending_count++].depth = s->depth;
}

void shell_word_byte(struct shell *s, bool is_plain)
{
    struct shell_level *level = &s->levels[s->depth];

    if (!level->in_word)
        begin_word(s, level);
    level->is_plain = level->is_plain && is_plain;
}

/* The first word of a command decides what the others are. */
static void take_command(struct shell_level *level, const char *word, size_t length)
{
    level->at_command = false;
    level->words = WORDS_OTHER;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strlen(commands[i].word) == length && memcmp(commands[i].word, word, length) == 0) {
            level->at_command = commands[i].at_command;
            level->words = commands[i].words;
            return;
        }
}

static void take_word(struct shell *s, struct shell_level *level, size_t length)
{
    const char *word = s->d->text + level->word;
    bool is_name = level->is_plain && drift_is_name(word, length);

    switch (level->words) {
    case WORDS_LOCAL:
        if (is_name)
            shell_sets(s, level->word, length);
        break;
    case WORDS_FOR:
        if (is_name)
            shell_sets(s, level->word, length);
        level->words = WORDS_OTHER;
        break;
    case WORDS_GETOPTS:
        level->words = WORDS_FOR;
        break;
    case WORDS_PRINTF:
        level->words = length == 2 && memcmp(word, "-v", 2) == 0 ? WORDS_FOR : WORDS_OTHER;
        break;
    case WORDS_PRINTENV:
        if (is_name)
            shell_reads(s, level->word, length, true);
        break;
    case WORDS_TEST:
        if (length == 2 && memcmp(word, "-v", 2) == 0)
            level->words = WORDS_TEST_NAME;
        break;
    case WORDS_TEST_NAME:
        if (is_name)
            shell_reads(s, level->word, length, true);
        level->words = WORDS_TEST;
        break;
    case WORDS_OF_COMMAND:
    case WORDS_DECLARED:
    case WORDS_OTHER:
    default:
        break;
    }
}

void shell_word_end(struct shell *s)
{
    struct shell_level *level = &s->levels[s->depth];

    while (s->pending_count > 0 && s->pending[s->pending_count - 1].depth >= s->depth) {
        s->pending_count--;
        shell_sets(s, s->pending[s->pending_count].start, s->pending[s->pending_count].length);
    }
    if (!level->in_word)
        return;
    level->in_word = false;
    size_t length = s->at - level->word;
    if (level->is_setting)
        return; /* what comes next is what it would have been */
    if (level->at_command && level->is_plain)
        take_command(level, s->d->text + level->word, length);
    else if (level->at_command)
        level->at_command = false;
    else
        take_word(s, level, length);
}

void shell_command_end(struct shell *s)
{
    struct shell_level *level = &s->levels[s->depth];

    shell_word_end(s);
    level->at_command = true;
    level->words = WORDS_OF_COMMAND;
}
