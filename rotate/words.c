/* words.c: strategies, steps and states by the words of contract, records and --json. */
#include "base/mem.h"
#include "base/str.h"
#include "rotate/internal.h"

static const char *const strategy_words[] = {
#define X(name, word) [name] = word,
    ROTATE_STRATEGIES(X)
#undef X
};

static const char *const step_words[] = {
#define X(name, word) [name] = word,
    ROTATE_STEPS(X)
#undef X
};

const char *rotate_strategy_word(enum rotate_strategy strategy)
{
    return strategy < ROTATE_STRATEGY_COUNT ? strategy_words[strategy] : "none";
}

enum rotate_strategy rotate_strategy_find(const char *word)
{
    for (int i = 0; word && i < ROTATE_STRATEGY_COUNT; i++)
        if (str_eq(word, strategy_words[i]))
            return (enum rotate_strategy)i;
    return ROTATE_STRATEGY_COUNT;
}

const char *rotate_step_word(enum rotate_step step)
{
    return step_words[step];
}
