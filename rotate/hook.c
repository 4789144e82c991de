/* hook.c: the strategy `hook`: an executable speaks with the provider, we keep the record.
 *
 * A provider may show a new key only once, so `create` is not called before there is a record: stage
 * records the intent alone, set calls `create` and records what came back before anything else. When we die
 * between the two, `create` is called again with the same id and an attempt beyond the first, and finds
 * what it had made by that id.
 *
 *   step        gets               78, "this provider has no such step", means
 *   create      current            we generate the secret: bytes, as, length, alphabet
 *   set         current, pending   nothing to do
 *   test        pending            nothing to do
 *   promote     -                  nothing to do
 *   retire      current, pending   whether the former still works is the provider's affair
 *   rollback    current, pending   nothing was taken away */
#include <string.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"
#include "rotate/generate.h"
#include "rotate/place.h"
#include "rotate/program.h"

enum {
    EXIT_DONE = 0,
    EXIT_ALREADY = 10,
    EXIT_LATER = 20,
    EXIT_NO_SUCH_STEP = 78,
    WHAT_BYTES = 64,
    MESSAGE_MAX_BYTES = 2 * 1024,
};

#define GROUP_SECRET "secret"
#define PASSWORD     "password" /* what `create` may give where the place is a URL */
#define USER         "user"

enum hook_step { CREATE, SET, TEST, PROMOTED, RETIRE, ROLLBACK };

static const struct {
    const char *word;
    bool current, pending; /* what it gets */
} steps[] = {
    [CREATE] = {"create", true, false}, [SET] = {"set", true, true},
    [TEST] = {"test", false, true},     [PROMOTED] = {"promote", false, false},
    [RETIRE] = {"retire", true, true},  [ROLLBACK] = {"rollback", true, true},
};

/* What it answered. */
struct answer {
    int exit_code;
    bool has_message;
    struct buf message;       /* redacted */
    struct document document; /* the whole of it */
};

static void answer_release(struct answer *answer)
{
    buf_release(&answer->message);
    document_release(&answer->document);
}

#define AUTO_ANSWER CLEANUP(answer_release) struct answer
#define ANSWER_INIT                            \
    {                                          \
        .message = BUF_INIT(MESSAGE_MAX_BYTES) \
    }

/* ---- what it answers ----------------------------------------------------------------------------- */

static bool is_blank(const char *text, size_t length)
{
    str_trim(&text, &length);
    return length == 0;
}

/* It put out WHAT 'NAME', which is WHY. */
static int lies(struct err *err, enum hook_step step, const char *what, const char *name,
                const char *why)
{
    (void)err_set(err, ERR_SOURCE_DATA, "it put out %s '%s', which is %s", what, name, why);
    if (step == CREATE)
        return err_hint(err, "One JSON object is expected: {\"secret\": {\"FIELD\": \"...\"}, "
                             "\"message\": \"...\"}.");
    return err_hint(err, "One JSON object is expected: {} or {\"message\": \"...\"}.");
}

static int check_shape(const struct document *document, enum hook_step step, struct err *err)
{
    for (size_t i = 0; i < document->group_count; i++)
        if (!str_eq(document->groups[i], GROUP_SECRET) || step != CREATE)
            return lies(err, step, "the object", document->groups[i], "none of this step's");
    for (size_t i = 0; i < document->count; i++) {
        const struct document_entry *entry = &document->list[i];
        if (!entry->group && !str_eq(entry->name, "message"))
            return lies(err, step, "the member", entry->name, "none of the protocol's");
        if (entry->type != DOCUMENT_STRING)
            return lies(err, step, "the member", entry->name, "no string");
        if (entry->group && secret_length(&entry->value) == 0)
            return lies(err, step, "the secret's field", entry->name, "empty");
    }
    return 0;
}

/* Nothing at all is taken for {}. What is new and secret is hidden from here on, also in MESSAGE. */
static int read_answer(const struct rotation *r, enum hook_step step, const struct secret *output,
                       struct answer *answer, struct err *err)
{
    if (is_blank(secret_reveal(output), secret_length(output)))
        return 0;
    if (document_parse(secret_reveal(output), secret_length(output), "its stdout", ERR_SOURCE_DATA,
                       &answer->document, err) != 0)
        return -1;
    if (check_shape(&answer->document, step, err) != 0)
        return -1;
    for (size_t i = 0; i < answer->document.count; i++)
        if (answer->document.list[i].group &&
            !str_eq(answer->document.list[i].name, r->spec->place.user_field) &&
            program_hide(r, &answer->document.list[i].value, err) != 0)
            return -1;
    const char *message = document_text(&answer->document, NULL, "message");
    if (message && *message) {
        answer->has_message = true;
        redact_add(&answer->message, message, strlen(message));
    }
    return 0;
}

static const char *message_of(const struct answer *answer)
{
    return answer->message.too_long ? "(its message is too long)" : buf_text(&answer->message);
}

/* DONE, ALREADY and NO_SUCH_STEP are for the caller. */
static int judge(struct rotation *r, enum hook_step step, const struct answer *answer,
                 struct err *err)
{
    const char *name = r->spec->hook[0], *message = message_of(answer);
    const char *colon = answer->has_message ? ": " : "";

    switch (answer->exit_code) {
    case EXIT_DONE:
    case EXIT_ALREADY:
    case EXIT_NO_SUCH_STEP:
        if (answer->has_message)
            engine_say(r, "%s: %s", steps[step].word, message);
        return 0;
    case EXIT_LATER:
        return err_set(err, ERR_SOURCE_DOWN, "hook '%s', step '%s': it says try again later%s%s",
                       name, steps[step].word, colon, message);
    default:
        return err_set(err, step == RETIRE ? ERR_VIOLATION : ERR_SOURCE_DATA,
                       "hook '%s', step '%s': it failed with exit code %d%s%s", name,
                       steps[step].word, answer->exit_code, colon, message);
    }
}

/* Ask for STEP. 0: answer->exit_code is DONE, ALREADY or NO_SUCH_STEP. */
static int call(struct rotation *r, enum hook_step step, struct answer *answer, struct err *err)
{
    char what[WHAT_BYTES];
    AUTO_SECRET input = SECRET_INIT, output = SECRET_INIT;

    (void)snprintf(what, sizeof what, "hook step '%s'", steps[step].word);
    const struct program program = {
        .argv = r->spec->hook,
        .environment = r->spec->environment,
        .input = &input,
        .what = what,
    };
    if (program_input(r, steps[step].word, steps[step].current, steps[step].pending, &input, err) !=
            0 ||
        program_run(r, &program, &answer->exit_code, &output, err) != 0)
        return -1;
    if (read_answer(r, step, &output, answer, err) != 0)
        return err_wrap(err, "hook '%s', step '%s', exit code %d", r->spec->hook[0],
                        steps[step].word, answer->exit_code);
    return judge(r, step, answer, err);
}

/* ---- create -------------------------------------------------------------------------------------- */

/* A URL of which only user and password were given. */
static int take_login(struct rotation *r, const struct document *given, struct err *err)
{
    const struct secret *password = document_get(given, GROUP_SECRET, PASSWORD);
    const char *user = document_text(given, GROUP_SECRET, USER);
    const char *name = r->spec->place.value_field;
    AUTO_SECRET url = SECRET_INIT;

    if (!user)
        return place_stage_generated(r, password, err);
    const struct secret *current = place_current(r, name);
    if (!current)
        return err_set(err, ERR_CONTRACT, "field '%s' has no URL yet to put a log-in into", name);
    if (surgery_replace_login(current, user, password, &url, err) != 0)
        return -1;
    return place_stage(r, name, &url, err);
}

static int take_fields(struct rotation *r, const struct document *given, struct err *err)
{
    const char *needed = place_field(r->spec);

    if (!needed)
        return err_set(err, ERR_CONTRACT, "'%s' has no field that a rotation could write",
                       r->spec->variable);
    if (r->spec->place.value_is_url && !document_get(given, GROUP_SECRET, needed) &&
        document_get(given, GROUP_SECRET, PASSWORD))
        return take_login(r, given, err);
    if (!document_get(given, GROUP_SECRET, needed)) {
        (void)err_set(err, ERR_SOURCE_DATA, "it handed out no secret in the field '%s'", needed);
        return err_hint(err,
                        "It puts out {\"secret\": {\"%s\": \"...\"}}, or exits with 78 so that "
                        "agent generates one.",
                        needed);
    }
    for (size_t i = 0; i < given->count; i++)
        if (given->list[i].group &&
            place_stage(r, given->list[i].name, &given->list[i].value, err) != 0)
            return -1;
    return 0;
}

static int generate(struct rotation *r, struct err *err)
{
    AUTO_SECRET value = SECRET_INIT;

    if (generate_value(r->spec, &value, err) != 0)
        return -1;
    return place_stage_generated(r, &value, err);
}

static bool is_created(const struct rotation *r)
{
    return place_field(r->spec) && record_field(&r->record, place_field(r->spec));
}

/* What was made is in the record before anything else is done. */
static int create(struct rotation *r, struct err *err)
{
    AUTO_ANSWER answer = ANSWER_INIT;

    if (place_load(r, err) != 0) /* what becomes the former */
        return -1;
    if (call(r, CREATE, &answer, err) != 0)
        return -1;
    if (answer.exit_code == EXIT_NO_SUCH_STEP) {
        if (generate(r, err) != 0)
            return -1;
    } else if (take_fields(r, &answer.document, err) != 0) {
        return err_wrap(err, "hook '%s', step 'create'", r->spec->hook[0]);
    }
    return engine_keep_record(r, err);
}

/* ---- the steps ----------------------------------------------------------------------------------- */

static struct program program_of(const struct rotation *r)
{
    return (struct program){
        .argv = r->spec->hook, .environment = r->spec->environment, .what = "rotate.hook"};
}

static int hook_stage(struct rotation *r, struct err *err)
{
    const struct program program = program_of(r);

    return program_check(r, &program, err);
}

static int hook_set(struct rotation *r, struct err *err)
{
    AUTO_ANSWER answer = ANSWER_INIT;

    if (!is_created(r) && create(r, err) != 0)
        return -1;
    return call(r, SET, &answer, err);
}

static int hook_test(struct rotation *r, struct err *err)
{
    AUTO_ANSWER answer = ANSWER_INIT;

    return call(r, TEST, &answer, err);
}

/* It was published: what the provider does when it knows that. */
static int hook_promoted(struct rotation *r, struct err *err)
{
    AUTO_ANSWER answer = ANSWER_INIT;

    return call(r, PROMOTED, &answer, err);
}

/* A hook that says so is believed where the contract has no test. */
static int hook_retire(struct rotation *r, struct err *err)
{
    AUTO_ANSWER answer = ANSWER_INIT;

    if (call(r, RETIRE, &answer, err) != 0)
        return -1;
    if (answer.exit_code != EXIT_NO_SUCH_STEP)
        return program_former_is_refused(r, err);
    engine_say(r,
               "hook '%s' has no step 'retire': whether the former still works is the provider's "
               "affair",
               r->spec->hook[0]);
    return 0;
}

/* The provider takes back what it was told: before promote, and behind it once the former is current
 * again, so that nobody is left with a key that works no more. */
static int hook_restore(struct rotation *r, struct err *err)
{
    AUTO_ANSWER answer = ANSWER_INIT;

    return call(r, ROLLBACK, &answer, err);
}

/* Within grace the former still works; nothing was ended yet. */
static int hook_rollback(struct rotation *r, struct err *err)
{
    (void)r;
    (void)err;
    return 0;
}

static int hook_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    const struct program program = program_of(r);
    struct err why = ERR_INIT;

    (void)err;
    buf_addf(out, "  '%s' is called with create, set, test and, when grace is over, retire\n",
             r->spec->hook[0]);
    if (program_check(r, &program, &why) == 0)
        return 0;
    *ready = false;
    buf_addf(out, "  it can't be run: %s\n", why.text);
    return 0;
}

const struct strategy strategy_hook = {
    .kind = ROTATE_HOOK,
    .overlap = "both work until `retire`, where the provider allows two",
    .reads_current = true,
    .promotes = true,
    .ends_former = true,
    .stage = hook_stage,
    .set = hook_set,
    .test = hook_test,
    .restore = hook_restore,
    .promoted = hook_promoted,
    .retire = hook_retire,
    .rollback = hook_rollback,
    .plan = hook_plan,
};
