/* The engine against a world of its own: a store and a provider that die, lose replies and refuse at each
 * operation in turn. What must hold: the current secret is always accepted; whoever resumes ends with the
 * new one current, the former refused and no record; one rotation has one effect. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "rotate/internal.h"

enum { MAX_ACCEPTED = 16, TRIES = 3, FIRST_VERSION = 7, GRACE_MS = 3600 * 1000 };

enum weather {
    FAIR,
    DIES_BEFORE, /* the operation has no effect, and nothing after it */
    DIES_AFTER,  /* it has its effect, and nothing after it has */
    LOSES_REPLY, /* it has its effect, and the runner is not told */
    REFUSES,     /* it says no, for good */
};

/* ---- the world --------------------------------------------------------------------------------- */

static struct {
    enum weather weather;
    unsigned at, done; /* the operation that it meets; how many there were */
    bool dead;
    char current[64], other[64];
    unsigned version;
    struct document record;
    bool has_record;
    unsigned record_version;
    char accepted[MAX_ACCEPTED][64];
    size_t accepted_count, made; /* how many secrets were ever accepted */
    unsigned receipts, afters, secrets;
    char last_result[24];
    bool fails_test, changed_by_others, test_runs, refuses_to_promote, refuses_after;
} world;

static struct rotate_spec spec;
static struct rotate_context context;
static struct err err;

static bool accepts(const char *value)
{
    for (size_t i = 0; i < world.accepted_count; i++)
        if (str_eq(world.accepted[i], value))
            return true;
    return false;
}

static void accept(const char *value)
{
    if (accepts(value))
        return;
    assert_true(world.accepted_count < MAX_ACCEPTED);
    (void)snprintf(world.accepted[world.accepted_count++], 64, "%s", value);
    world.made++;
}

static void reject(const char *value)
{
    for (size_t i = 0; i < world.accepted_count; i++)
        if (str_eq(world.accepted[i], value))
            memmove(&world.accepted[i], &world.accepted[--world.accepted_count], 64);
}

/* One operation comes. 0: it goes well; 1: it has its effect, and is reported as lost; -1: it has none. */
static int meet(struct err *e)
{
    assert_true(accepts(world.current)); /* at every instant */
    if (world.dead) {
        err_set(e, ERR_STOPPED, "dead");
        return -1;
    }
    bool now = ++world.done == world.at;
    if (!now || world.weather == FAIR)
        return 0;
    if (world.weather == REFUSES) {
        err_set(e, ERR_SOURCE_DENIED, "refused by the test");
        return -1;
    }
    if (world.weather == LOSES_REPLY) {
        err_set(e, ERR_SOURCE_DOWN, "the reply was lost by the test");
        return 1;
    }
    world.dead = true;
    err_set(e, ERR_STOPPED, "died by the test");
    return world.weather == DIES_AFTER ? 1 : -1;
}

static int read_current(struct rotation *r, struct document *out, unsigned *version, struct err *e)
{
    (void)r;
    if (meet(e) != 0)
        return -1;
    document_release(out);
    if (*world.current && document_set_text(out, NULL, "value", world.current, e) != 0)
        return -1;
    *version = world.version;
    return 0;
}

static int read_record(struct rotation *r, struct err *e)
{
    if (meet(e) != 0)
        return -1;
    record_release(&r->record);
    if (!world.has_record)
        return 0;
    r->record.open = true;
    r->record.version = world.record_version;
    if (document_copy(&r->record.data, &world.record, e) != 0)
        return -1;
    return record_check(r->spec, "'x'", &r->record.data, e);
}

static int create_record(struct rotation *r, enum store_written *outcome, struct err *e)
{
    int met = meet(e);

    if (met < 0)
        return -1;
    if (world.has_record) {
        *outcome = STORE_CONFLICT;
        return 0;
    }
    world.has_record = true;
    world.record_version = 1;
    assert_int_equal(document_copy(&world.record, &r->record.data, e), 0);
    *outcome = met == 0 ? STORE_WRITTEN : STORE_IN_DOUBT;
    if (met == 0)
        r->record.version = 1;
    return 0;
}

static int write_record(struct rotation *r, enum store_written *outcome, struct err *e)
{
    int met = meet(e);

    if (met < 0)
        return -1;
    if (!world.has_record || world.record_version != r->record.version) {
        *outcome = STORE_CONFLICT;
        return 0;
    }
    world.record_version++;
    assert_int_equal(document_copy(&world.record, &r->record.data, e), 0);
    *outcome = met == 0 ? STORE_WRITTEN : STORE_IN_DOUBT;
    if (met == 0)
        r->record.version = world.record_version;
    return 0;
}

static int erase_record(struct rotation *r, struct err *e)
{
    int met = meet(e);

    (void)r;
    if (met < 0)
        return -1;
    world.has_record = false;
    document_release(&world.record);
    return met == 0 ? 0 : -1;
}

static int promote(struct rotation *r, const struct document *fields, unsigned base_version,
                   enum store_written *outcome, struct err *e)
{
    int met = meet(e);

    (void)r;
    if (world.refuses_to_promote)
        return err_set(e, ERR_SOURCE_DENIED, "refused by the test");
    if (met < 0)
        return -1;
    if (base_version != world.version) {
        *outcome = STORE_CONFLICT;
        return 0;
    }
    (void)snprintf(world.current, sizeof(world.current), "%s",
                   document_text(fields, NULL, "value"));
    world.version++;
    *outcome = met == 0 ? STORE_WRITTEN : STORE_IN_DOUBT;
    assert_true(accepts(world.current));
    return 0;
}

static int note_done(struct rotation *r, const struct rotate_receipt *receipt, struct err *e)
{
    int met = meet(e);

    (void)r;
    if (met < 0)
        return -1;
    world.receipts++;
    (void)snprintf(world.last_result, sizeof(world.last_result), "%s", receipt->result);
    return met == 0 ? 0 : -1;
}

static void describe_record(struct rotation *r, struct buf *out)
{
    (void)r;
    buf_adds(out, "'x'");
}

static const struct store store = {.read_current = read_current,
                                   .read_record = read_record,
                                   .create_record = create_record,
                                   .write_record = write_record,
                                   .erase_record = erase_record,
                                   .promote = promote,
                                   .note_done = note_done,
                                   .describe_record = describe_record};

const struct store *store_of(const struct rotate_spec *s)
{
    (void)s;
    return &store;
}

/* ---- the provider ------------------------------------------------------------------------------ */

static int stage(struct rotation *r, struct err *e)
{
    char value[64];

    (void)snprintf(value, sizeof(value), "secret-%u", ++world.secrets);
    if (document_set_text(&r->record.data, "fields", "value", value, e) != 0)
        return -1;
    const struct secret *now = document_get(&r->current, NULL, "value");
    return now ? document_set(&r->record.data, "former", "value", now, e) : 0;
}

static const char *group_value(const struct rotation *r, const char *group)
{
    const char *value = document_text(&r->record.data, group, "value");

    return value ? value : "";
}

static int set(struct rotation *r, struct err *e)
{
    int met = meet(e);

    if (met < 0)
        return -1;
    accept(group_value(r, "fields"));
    return met == 0 ? 0 : -1;
}

static int test(struct rotation *r, struct err *e)
{
    if (meet(e) != 0)
        return -1;
    if (world.fails_test || !accepts(group_value(r, "fields")))
        return err_set(e, ERR_DB_REFUSED, "the new one does not log in");
    return 0;
}

static int restore(struct rotation *r, struct err *e)
{
    int met = meet(e);

    if (met < 0)
        return -1;
    reject(group_value(r, "fields"));
    return met == 0 ? 0 : -1;
}

static int retire(struct rotation *r, struct err *e)
{
    int met = meet(e);

    if (met < 0)
        return -1;
    reject(group_value(r, "former"));
    return met == 0 ? 0 : -1;
}

static int roll_back(struct rotation *r, struct err *e)
{
    if (meet(e) != 0)
        return -1;
    if (!accepts(group_value(r, "former")))
        return err_set(e, ERR_DB_REFUSED, "the former does not log in");
    return 0;
}

static const struct strategy strategy = {.kind = ROTATE_RANDOM,
                                         .reads_current = true,
                                         .promotes = true,
                                         .ends_former = true,
                                         .stage = stage,
                                         .set = set,
                                         .test = test,
                                         .restore = restore,
                                         .retire = retire,
                                         .rollback = roll_back};

const struct strategy *strategy_of(enum rotate_strategy kind)
{
    (void)kind;
    return &strategy;
}

int rotation_value(struct rotation *r, const char *group, struct secret *out, struct err *e)
{
    const struct secret *value = document_get(&r->record.data, group, "value");

    assert_non_null(value);
    return secret_set(out, group_value(r, group), secret_length(value), e);
}

void rotation_admin_end(struct rotation *r)
{
    (void)r; /* this strategy has none */
}

int program_run(struct rotation *r, const struct program *program, int *exit_code,
                struct secret *output, struct err *e)
{
    int met = meet(e);

    (void)r;
    (void)program;
    (void)output;
    if (world.refuses_after)
        return err_set(e, ERR_VIOLATION, "refused by the test");
    if (met < 0)
        return -1;
    world.afters++;
    *exit_code = 0;
    return met == 0 ? 0 : -1;
}

int program_input(struct rotation *r, const char *step, bool current, bool pending,
                  struct secret *out, struct err *e)
{
    (void)r, (void)step, (void)current, (void)pending;
    return secret_set(out, "{}", 2, e);
}

/* ---- running it -------------------------------------------------------------------------------- */

static const char *const after_argv[] = {"./rollout", NULL};
static const struct rotate_after after[] = {{.command = after_argv}};

static void begin_world(enum weather weather, unsigned at)
{
    document_release(&world.record);
    memset(&world, 0, sizeof(world));
    world.weather = weather;
    world.at = at;
    (void)snprintf(world.current, sizeof(world.current), "first");
    accept("first");
    world.made = 0;
    world.version = FIRST_VERSION;
    spec = (struct rotate_spec){
        .variable = "TOKEN",
        .strategy = ROTATE_RANDOM,
        .place = {.kind = ROTATE_IN_KV, .path = "secret/x", .value_field = "value"},
        .after = after,
        .after_count = 1};
    context = (struct rotate_context){.by = "tester", .deadline_ms = CLOCK_NEVER, .folder = "."};
}

static enum rotate_ending run(enum rotate_how how)
{
    struct rotate_result result = {0};

    err_clear(&err);
    int code = rotate_do(&spec, &context, how, &result, &err);
    enum rotate_ending ending = result.ending;
    assert_true((code == 0) == (err.kind == ERR_NONE));
    if (code != 0)
        assert_text_has(err.text, "rotate 'TOKEN'");
    rotate_result_release(&result);
    return ending;
}

/* What must hold when all is over. */
static void assert_rotated(void)
{
    assert_false(world.has_record);
    assert_string_equal(world.current, "secret-1");
    assert_true(accepts("secret-1"));
    assert_false(accepts("first"));
    assert_int_equal(world.accepted_count, 1);
    assert_int_equal(world.made, 1);
    assert_string_equal(world.last_result, "done");
}

static void assert_undone(void)
{
    assert_false(world.has_record);
    assert_string_equal(world.current, "first");
    assert_int_equal(world.accepted_count, 1);
}

static unsigned count_operations(enum rotate_how how)
{
    unsigned before = world.done;

    (void)run(how);
    return world.done - before;
}

static void a_rotation_ends_with_the_former_refused(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_DONE);
    assert_rotated();
    assert_int_equal(world.afters, 1);
    assert_int_equal(world.receipts, 1);
}

/* Whoever died where, --resume ends it; where nothing had begun, another rotation does. */
static void finish(void)
{
    world.dead = false;
    world.weather = FAIR;
    for (int i = 0; i < TRIES; i++) {
        enum rotate_ending ending = run(ROTATE_HOW_RESUME);
        if (ending == ROTATE_ENDED_DONE)
            return;
        assert_int_equal(ending, ROTATE_ENDED_NOTHING);
        if (str_eq(world.current, "secret-1"))
            return;
        world.secrets = 0;
        assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_DONE);
        return;
    }
}

static void at_every_operation(enum weather weather)
{
    begin_world(FAIR, 0);
    unsigned operations = count_operations(ROTATE_HOW_BEGIN);
    assert_true(operations > 12);
    for (unsigned at = 1; at <= operations; at++) {
        begin_world(weather, at);
        (void)run(ROTATE_HOW_BEGIN);
        finish();
        assert_rotated();
    }
}

static void death_before_any_operation_loses_nothing(void **state)
{
    (void)state;
    at_every_operation(DIES_BEFORE);
}

static void death_behind_any_operation_loses_nothing(void **state)
{
    (void)state;
    at_every_operation(DIES_AFTER);
}

static void a_lost_reply_never_has_two_effects(void **state)
{
    (void)state;
    at_every_operation(LOSES_REPLY);
}

static void a_refusal_at_any_operation_is_gone_on_from(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    unsigned operations = count_operations(ROTATE_HOW_BEGIN);
    for (unsigned at = 1; at <= operations; at++) {
        begin_world(REFUSES, at);
        (void)run(ROTATE_HOW_BEGIN);
        finish();
        assert_false(world.has_record);
        assert_int_equal(world.accepted_count, 1);
        assert_true(accepts(world.current));
        assert_string_not_equal(world.current, "first");
    }
}

/* Dead at every operation, and the one who resumes is dead at every operation of its own too. */
static void a_runner_that_resumes_may_die_as_well(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    unsigned operations = count_operations(ROTATE_HOW_BEGIN);
    for (unsigned at = 1; at <= operations; at++)
        for (unsigned again = 1; again <= operations; again++) {
            begin_world(DIES_AFTER, at);
            (void)run(ROTATE_HOW_BEGIN);
            world.dead = false;
            world.weather = again % 2 ? DIES_AFTER : DIES_BEFORE;
            world.at = world.done + again;
            (void)run(ROTATE_HOW_RESUME);
            finish();
            assert_rotated();
        }
}

/* ---- others ------------------------------------------------------------------------------------ */

static void an_open_one_is_refused_with_who_and_since_when(void **state)
{
    (void)state;
    begin_world(DIES_AFTER, 5);
    (void)run(ROTATE_HOW_BEGIN);
    world.dead = false;
    world.weather = FAIR;
    assert_true(world.has_record);
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_OPEN);
    assert_int_equal(err.kind, ERR_ROTATION);
    assert_text_has(err.text, "held by 'tester' since 20");
    assert_text_has(err.text, "--resume");
    assert_string_equal(world.current, "first");
}

static void what_somebody_else_wrote_is_not_overwritten(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    unsigned operations = count_operations(ROTATE_HOW_BEGIN);
    for (unsigned at = 1; at <= operations; at++) {
        begin_world(DIES_AFTER, at);
        (void)run(ROTATE_HOW_BEGIN);
        if (!world.has_record || !str_eq(world.current, "first"))
            continue;
        world.dead = false;
        world.weather = FAIR;
        (void)snprintf(world.current, sizeof(world.current), "theirs");
        accept("theirs");
        world.version++;
        assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_OPEN);
        assert_int_equal(err.kind, ERR_ROTATION);
        assert_string_equal(world.current, "theirs");
        assert_true(world.has_record);
    }
}

static void a_failed_test_gives_back_what_was_taken(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    world.fails_test = true;
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_UNDONE);
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_text_has(err.text, "the new one does not log in");
    assert_undone();
    assert_string_equal(world.last_result, "failed");
}

static void abort_before_promote_goes_back_and_is_refused_behind_it(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    unsigned operations = count_operations(ROTATE_HOW_BEGIN), aborted = 0, refused = 0;
    for (unsigned at = 1; at <= operations; at++) {
        begin_world(DIES_AFTER, at);
        (void)run(ROTATE_HOW_BEGIN);
        world.dead = false;
        world.weather = FAIR;
        if (!world.has_record)
            continue;
        bool promoted = !str_eq(world.current, "first");
        enum rotate_ending ending = run(ROTATE_HOW_ABORT);
        assert_int_equal(ending, promoted ? ROTATE_ENDED_OPEN : ROTATE_ENDED_UNDONE);
        if (!promoted)
            assert_undone();
        aborted += !promoted;
        refused += promoted;
    }
    assert_true(aborted > 2 && refused > 2);
}

static void nothing_open_is_nothing_to_resume_or_to_abort(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_NOTHING);
    assert_int_equal(err.kind, ERR_NONE);
    assert_int_equal(run(ROTATE_HOW_ABORT), ROTATE_ENDED_NOTHING);
    assert_int_equal(err.kind, ERR_NONE);
    assert_int_equal(run(ROTATE_HOW_ROLLBACK), ROTATE_ENDED_NOTHING);
    assert_int_equal(err.kind, ERR_VIOLATION);
}

/* ---- grace ------------------------------------------------------------------------------------- */

/* They use the former still, and nothing tells how many they are. */
static void the_former_is_left_while_not_everybody_was_told(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    world.refuses_after = true;
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_WITH_WARNINGS);
    assert_int_equal(err.kind, ERR_VIOLATION);
    assert_text_has(err.text, "the former is left");
    assert_text_has(err.hint, "--resume TOKEN");
    assert_true(accepts("first") && accepts("secret-1"));
    assert_string_equal(world.current, "secret-1");
    assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_WITH_WARNINGS);
    assert_true(accepts("first"));
    world.refuses_after = false;
    assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_DONE);
    assert_rotated();
    assert_int_equal(world.afters, 1);
}

static void what_has_leaked_ends_whoever_was_told(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    world.refuses_after = true;
    context.no_grace = true;
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_WITH_WARNINGS);
    assert_false(accepts("first"));
}

static void the_former_works_until_grace_is_over(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    spec.grace_ms = GRACE_MS;
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_SOAKING);
    assert_int_equal(err.kind, ERR_NONE);
    assert_true(accepts("first") && accepts("secret-1"));
    unsigned written = world.record_version;
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_SOAKING); /* no second one is begun */
    assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_SOAKING);
    assert_int_equal(world.record_version, written); /* it was looked at, not written */
    assert_int_equal(document_set_number(&world.record, "state", "soak_until", 1, &err), 0);
    assert_int_equal(run(ROTATE_HOW_BEGIN), ROTATE_ENDED_DONE);
    assert_rotated();
    assert_int_equal(world.afters, 1);
}

static void rollback_makes_the_former_current_again(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    spec.grace_ms = GRACE_MS;
    (void)run(ROTATE_HOW_BEGIN);
    assert_int_equal(run(ROTATE_HOW_ROLLBACK), ROTATE_ENDED_UNDONE);
    assert_int_equal(err.kind, ERR_NONE);
    assert_undone();
    assert_true(accepts("first"));
    assert_string_equal(world.last_result, "rolled back");
    assert_int_equal(world.afters, 2); /* of the new one, and of the former again */
}

static void a_rollback_that_dies_anywhere_is_gone_on_with(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    spec.grace_ms = GRACE_MS;
    (void)run(ROTATE_HOW_BEGIN);
    unsigned operations = count_operations(ROTATE_HOW_ROLLBACK);
    for (unsigned at = 1; at <= operations; at++)
        for (int after_effect = 0; after_effect < 2; after_effect++) {
            begin_world(FAIR, 0);
            spec.grace_ms = GRACE_MS;
            (void)run(ROTATE_HOW_BEGIN);
            world.weather = after_effect ? DIES_AFTER : DIES_BEFORE;
            world.at = world.done + at;
            (void)run(ROTATE_HOW_ROLLBACK);
            world.dead = false;
            world.weather = FAIR;
            if (world.has_record)
                assert_int_equal(run(ROTATE_HOW_ROLLBACK), ROTATE_ENDED_UNDONE);
            assert_undone();
        }
}

/* The strategy may have given the former back already: going on from soak would end it. */
static void a_rollback_that_may_not_publish_stays_one(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    spec.grace_ms = GRACE_MS;
    (void)run(ROTATE_HOW_BEGIN);
    world.refuses_to_promote = true;
    assert_int_equal(run(ROTATE_HOW_ROLLBACK), ROTATE_ENDED_OPEN);
    assert_int_equal(err.kind, ERR_ROTATION);
    assert_text_has(err.text, "refused by the test");
    assert_string_equal(document_text(&world.record, NULL, "step"), "rollback");
    world.refuses_to_promote = false;
    context.no_grace = true;
    assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_UNDONE);
    assert_undone();
    assert_true(accepts("first"));
}

/* Whoever reads a mirror, or waits for a roll-out, would go on with what is withdrawn. */
static void a_rollback_that_not_everybody_was_told_of_stays_one(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    spec.grace_ms = GRACE_MS;
    (void)run(ROTATE_HOW_BEGIN);
    world.refuses_after = true;
    assert_int_equal(run(ROTATE_HOW_ROLLBACK), ROTATE_ENDED_OPEN);
    assert_text_has(err.text, "after[0]: refused by the test");
    assert_string_equal(document_text(&world.record, NULL, "step"), "rollback");
    assert_string_equal(world.current, "first");
    assert_true(accepts("secret-1"));
    world.refuses_after = false;
    assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_UNDONE);
    assert_undone();
    assert_int_equal(world.afters, 2);
    assert_string_equal(world.last_result, "rolled back");
}

static void what_was_retired_cannot_be_rolled_back(void **state)
{
    (void)state;
    begin_world(FAIR, 0);
    spec.grace_ms = GRACE_MS;
    (void)run(ROTATE_HOW_BEGIN);
    reject("first");
    assert_int_equal(run(ROTATE_HOW_ROLLBACK), ROTATE_ENDED_OPEN);
    assert_text_has(err.text, "the former does not log in");
    assert_string_equal(world.current, "secret-1");
    assert_string_equal(document_text(&world.record, NULL, "step"), "soak");
}

/* ---- records ----------------------------------------------------------------------------------- */

static void a_record_that_is_not_understood_is_left_alone(void **state)
{
    static const struct {
        const char *name, *text;
        int64_t number;
        const char *said;
    } cases[] = {
        {"format", NULL, 2, "later version"}, {"format", "x", 0, "none of agent's"},
        {"step", "dance", 0, "no step"},      {"strategy", "pg-login", 0, "'pg-login'"},
        {"variable", "OTHER", 0, "'OTHER'"},  {"id", "", 0, "no 'id'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_world(DIES_AFTER, 5);
        (void)run(ROTATE_HOW_BEGIN);
        world.dead = false;
        world.weather = FAIR;
        if (cases[i].text)
            assert_int_equal(
                document_set_text(&world.record, NULL, cases[i].name, cases[i].text, &err), 0);
        else
            assert_int_equal(
                document_set_number(&world.record, NULL, cases[i].name, cases[i].number, &err), 0);
        unsigned version = world.record_version;
        assert_int_equal(run(ROTATE_HOW_RESUME), ROTATE_ENDED_OPEN);
        assert_int_equal(err.kind, ERR_ROTATION);
        assert_text_has(err.text, cases[i].said);
        assert_text_has(err.hint, "Nothing was changed");
        assert_int_equal(world.record_version, version);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_ends_with_the_former_refused),
        cmocka_unit_test(death_before_any_operation_loses_nothing),
        cmocka_unit_test(death_behind_any_operation_loses_nothing),
        cmocka_unit_test(a_lost_reply_never_has_two_effects),
        cmocka_unit_test(a_refusal_at_any_operation_is_gone_on_from),
        cmocka_unit_test(a_runner_that_resumes_may_die_as_well),
        cmocka_unit_test(an_open_one_is_refused_with_who_and_since_when),
        cmocka_unit_test(what_somebody_else_wrote_is_not_overwritten),
        cmocka_unit_test(a_failed_test_gives_back_what_was_taken),
        cmocka_unit_test(abort_before_promote_goes_back_and_is_refused_behind_it),
        cmocka_unit_test(nothing_open_is_nothing_to_resume_or_to_abort),
        cmocka_unit_test(the_former_is_left_while_not_everybody_was_told),
        cmocka_unit_test(what_has_leaked_ends_whoever_was_told),
        cmocka_unit_test(the_former_works_until_grace_is_over),
        cmocka_unit_test(rollback_makes_the_former_current_again),
        cmocka_unit_test(a_rollback_that_dies_anywhere_is_gone_on_with),
        cmocka_unit_test(a_rollback_that_may_not_publish_stays_one),
        cmocka_unit_test(a_rollback_that_not_everybody_was_told_of_stays_one),
        cmocka_unit_test(what_was_retired_cannot_be_rolled_back),
        cmocka_unit_test(a_record_that_is_not_understood_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
