/* envcontract/run.c: the section `run`: its kinds, and what is read off it. */
#include <signal.h>
#include <string.h>

#include "base/signals.h"
#include "base/str.h"
#include "envcontract/keys.h"

enum { DEFAULT_STOP_TIMEOUT_MS = 30 * 1000, DEFAULT_SPLAY_MS = 30 * 1000 };

#define CHANGE_SIGNAL "signal:"

const struct contract_run contract_run_default = {
    .on_change = CONTRACT_CHANGE_RESTART,
    .stop_signal = SIGTERM,
    .stop_timeout_ms = DEFAULT_STOP_TIMEOUT_MS,
    .splay_ms = DEFAULT_SPLAY_MS,
};

/* ---- kinds ------------------------------------------------------------------------------------ */

/* The signal that TEXT names, or 0 (said). */
static int signal_of(struct contract_document *d, const struct node *node, enum problem_at at,
                     const char *text)
{
    int number = signal_by_name(text, strlen(text));

    if (number == 0)
        problem(d, node, at, "Signals are TERM, SIGHUP, USR1, RTMIN+3 and so on.",
                "'%.*s' is no signal", SHOWN(text));
    return number;
}

void signal_check(struct contract_document *d, const struct key *key, struct node *value)
{
    if (value->kind != NODE_STRING)
        problem(d, value, AT_VALUE, NULL, "'%s' takes a signal such as \"TERM\", not %s", key->name,
                node_kind_words(value));
    else
        (void)signal_of(d, value, AT_VALUE, value->text);
}

/* A signal that a process can see come, and that is not our own business. */
static void check_rewritten(struct contract_document *d, const struct node *member)
{
    int number = signal_of(d, member, AT_KEY, member->key);

    if (number == SIGKILL || number == SIGSTOP)
        problem(d, member, AT_KEY, NULL, "nobody sees %s come, so it can't become another",
                member->key);
    else if (number == SIGCHLD)
        problem(d, member, AT_KEY, NULL, "%s tells us of the application's end, and is not sent on",
                member->key);
    for (const struct node *other = member->parent->first; number && other != member;
         other = other->next) {
        if (signal_by_name(other->key, strlen(other->key)) == number)
            problem(d, member, AT_KEY, NULL, "'%s' stands here as '%s' too", member->key,
                    other->key);
    }
}

void signals_check(struct contract_document *d, const struct key *key, struct node *value)
{
    if (value->kind != NODE_OBJECT) {
        problem(d, value, AT_VALUE, NULL, "'%s' takes an object of signals, not %s", key->name,
                node_kind_words(value));
        return;
    }
    if (value->count > CONTRACT_MAX_LIST) {
        problem(d, value, AT_VALUE, NULL, "'%s' has more than %d entries", key->name,
                CONTRACT_MAX_LIST);
        return;
    }
    for (struct node *member = value->first; member; member = member->next) {
        check_rewritten(d, member);
        signal_check(d, key, member);
    }
}

/* "0" to "255" as it is printed; -1: anything else. */
static int code_of(const char *text)
{
    int64_t code = -1;

    if ((text[0] == '0' && text[1]) || text[0] == '-' || text[0] == '+' ||
        str_to_int64(text, strlen(text), &code) != 0 || code < 0 || code > KEY_EXIT_CODE_MAX)
        return -1;
    return (int)code;
}

void codes_check(struct contract_document *d, const struct key *key, struct node *value)
{
    if (value->kind != NODE_OBJECT) {
        problem(d, value, AT_VALUE, NULL, "'%s' takes an object of exit codes, not %s", key->name,
                node_kind_words(value));
        return;
    }
    for (const struct node *member = value->first; member; member = member->next) {
        int64_t to = node_integer(member, -1);
        if (code_of(member->key) < 0)
            problem(d, member, AT_KEY, "For example {\"143\": 0}.", "'%.*s' is no exit code",
                    SHOWN(member->key));
        if (member->kind != NODE_INTEGER || to < 0 || to > KEY_EXIT_CODE_MAX)
            problem(d, member, AT_VALUE, NULL, "an exit code is a number from 0 to %d",
                    KEY_EXIT_CODE_MAX);
    }
}

void change_check(struct contract_document *d, const struct key *key, struct node *value)
{
    static const struct key hook = {.name = "on_change", .kind = KIND_ARGV};
    static const char hint[] = "It is restart, signal:HUP or another signal, none, or a list: the "
                               "command that is run.";

    if (value->kind == NODE_ARRAY)
        kind_check(d, &hook, value);
    else if (value->kind != NODE_STRING)
        problem(d, value, AT_VALUE, hint, "'%s' takes a string or a command's list, not %s",
                key->name, node_kind_words(value));
    else if (str_starts(value->text, CHANGE_SIGNAL))
        (void)signal_of(d, value, AT_VALUE, value->text + strlen(CHANGE_SIGNAL));
    else if (!str_eq(value->text, "restart") && !str_eq(value->text, "none"))
        problem(d, value, AT_VALUE, hint, "'%.*s' is not known as %s", SHOWN(value->text),
                key->name);
}

/* ---- what it says ----------------------------------------------------------------------------- */

static int signal_at(const struct node *node, int otherwise)
{
    const char *text = node_text(node);
    int number = text ? signal_by_name(text, strlen(text)) : 0;

    return number ? number : otherwise;
}

static void read_change(const struct node *node, struct contract_run *out)
{
    const char *text = node_text(node);

    if (node && node->kind == NODE_ARRAY) {
        out->on_change = CONTRACT_CHANGE_HOOK;
        out->change_hook = node_list(node);
    } else if (text && str_starts(text, CHANGE_SIGNAL)) {
        text += strlen(CHANGE_SIGNAL);
        out->on_change = CONTRACT_CHANGE_SIGNAL;
        out->change_signal = signal_by_name(text, strlen(text));
    } else if (str_eq(text, "none")) {
        out->on_change = CONTRACT_CHANGE_NONE;
    }
}

/* The members of OBJECT as pairs of numbers; what is wrong was said, and is left out. */
static const struct contract_pair *
read_pairs(struct contract_document *d, const struct node *object, bool signals, size_t *count)
{
    if (!object || object->kind != NODE_OBJECT || object->count == 0)
        return NULL;
    struct contract_pair *pairs = arena_new(&d->arena, object->count, sizeof *pairs);
    if (!pairs) {
        d->no_memory = true;
        return NULL;
    }
    int least = signals ? 1 : 0; /* below it is what is none */
    for (const struct node *member = object->first; member; member = member->next) {
        struct contract_pair pair = {
            .from = signals ? signal_by_name(member->key, strlen(member->key))
                            : code_of(member->key),
            .to = signals ? signal_at(member, 0) : (int)node_integer(member, -1),
        };
        if (pair.from >= least && pair.to >= least)
            pairs[(*count)++] = pair;
    }
    return pairs;
}

void run_read(struct contract_document *d, const struct node *section, struct contract_run *out)
{
    const struct node *at[RUN_KEY_COUNT] = {NULL};

    keys_merge(section, at, RUN_KEY_COUNT);
    *out = contract_run_default;
    read_change(at[RUN_ON_CHANGE], out);
    out->stop_signal = signal_at(at[RUN_STOP_SIGNAL], out->stop_signal);
    out->stop_timeout_ms = node_duration_ms(at[RUN_STOP_TIMEOUT], out->stop_timeout_ms);
    out->refresh_ms = node_duration_ms(at[RUN_REFRESH], out->refresh_ms); /* "off" is none */
    out->splay_ms = node_duration_ms(at[RUN_SPLAY], out->splay_ms);
    out->keep_leases = node_truth(at[RUN_KEEP_LEASES], false);
    out->status = node_text(at[RUN_STATUS]);
    out->rewrite = read_pairs(d, at[RUN_REWRITE], true, &out->rewrite_count);
    out->exit_codes = read_pairs(d, at[RUN_EXIT_CODES], false, &out->exit_code_count);
}
