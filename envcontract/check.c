/* envcontract/check.c: values × model → findings. */
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "envcontract/check.h"
#include "envcontract/document.h"

enum { EXPIRY_NOTICE_DAYS = 14 };

static void add(struct check *c, const struct contract_variable *variable, const char *rule,
                const char *hint, const char *message)
{
    findings_addf(c->findings, FINDING_ERROR, variable->name, rule, &variable->position, hint, "%s",
                  message);
}

/* What ran out of memory must not pass for a whole text: the check fails then. */
static void watch(struct check *c, const struct buf *text)
{
    if (text->no_memory)
        c->findings->no_memory = true;
}

bool check_spend(struct check *c, uint64_t steps)
{
    return steps_take(&c->steps_left, steps);
}

bool check_may_show(struct check *c, enum finding_severity severity)
{
    if (c->shown < CHECK_SHOWN) {
        c->shown++;
        return true;
    }
    if (c->more++ == 0 || severity == FINDING_ERROR)
        c->severity_of_more = severity;
    return false;
}

static void say_more(struct check *c)
{
    if (c->more > 0)
        findings_addf(c->findings, c->severity_of_more, NULL, "contract", NULL, "Mend these first.",
                      "%zu more of groups, rules, fences and values that are to be distinct",
                      c->more);
}

void check_add_at(struct check *c, enum finding_severity severity, const char *variable,
                  const char *rule, const struct node *node, const char *message)
{
    AUTO_ARENA arena = ARENA_INIT;
    if (!check_may_show(c, severity))
        return;
    struct contract_position position = relation_position(c->contract, &arena, node);

    if (!position.pointer)
        c->findings->no_memory = true;
    findings_addf(c->findings, severity, variable, rule, &position, NULL, "%s", message);
}

void check_add_because(struct check *c, const struct contract_condition *condition,
                       struct message *out)
{
    AUTO_BUF text = BUF_INIT(CHECK_MESSAGE_BYTES);

    if (!condition)
        return;
    condition_describe(condition, &text);
    watch(c, &text);
    message_addf(out, ", because %s", buf_text(&text));
}

/* Where the value should have come from, when that is one place: " in the environment". In the
 * message and not a hint: a fresh environment lacks many, and the report stays a line for each. */
static void add_origin(struct buf *out, const struct contract_variable *variable)
{
    if (variable->part_count != 1 || variable->rules->compose)
        return;
    const struct ref *ref = &variable->parts[0].ref;
    if (ref->kind == REF_NONE) {
        buf_adds(out, ": it has neither a source nor a default");
    } else if (ref->kind == REF_ENV) {
        buf_adds(out, " in the environment");
        if (ref->path && strcmp(ref->path, variable->name) != 0)
            buf_addf(out, " (as %s)", ref->path);
    } else {
        buf_adds(out, " in ");
        ref_describe(ref, out);
    }
}

/* Whether the variable must have none now. Where it must not, it need not. */
static enum truth is_forbidden(struct check *c, const struct contract_rules *rules)
{
    if (!rules->forbidden)
        return TRUTH_NO;
    return rules->forbidden_when ? condition_holds(rules->forbidden_when, c->contract, c->values)
                                 : TRUTH_YES;
}

/* Whether the variable must have a value now; *BECAUSE gets the condition in words. Where the
 * condition hangs on what nobody resolved, nothing can be said. */
static bool is_required(struct check *c, const struct contract_rules *rules, struct buf *because)
{
    if (!rules->required || is_forbidden(c, rules) != TRUTH_NO)
        return false;
    if (!rules->required_when)
        return true;
    if (condition_holds(rules->required_when, c->contract, c->values) != TRUTH_YES)
        return false;
    buf_adds(because, ", and required because ");
    condition_describe(rules->required_when, because);
    return true;
}

static void check_missing(struct check *c, const struct contract_variable *variable,
                          const struct contract_value *value)
{
    AUTO_BUF because = BUF_INIT(CHECK_MESSAGE_BYTES), origin = BUF_INIT(CHECK_MESSAGE_BYTES);
    struct message message = {0};
    if (!is_required(c, variable->rules, &because))
        return;
    bool empty = secret_is_set(&value->bytes);
    if (value->looked_in)
        buf_addf(&origin, " in %s", value->looked_in);
    else if (empty || !value->absent_because) /* a source that says why says where, too */
        add_origin(&origin, variable);
    message_addf(&message, "%s%s%s", empty ? "empty" : "not set", buf_text(&origin),
                 buf_text(&because));
    if (!empty && value->absent_because)
        message_addf(&message, ": %s", value->absent_because);
    watch(c, &because);
    watch(c, &origin);
    add(c, variable, empty ? "empty" : "required", empty ? NULL : value->absent_hint, message.text);
}

/* A placeholder hides in a URL's password, too. */
static bool has_placeholder_password(struct check *c, enum contract_type type, const char *bytes,
                                     size_t length)
{
    struct url url;
    struct err unused = ERR_INIT; /* what is no URL is types_validate's to report */
    if (!(contract_type_constraints(type) & HAS_URL) ||
        url_parse(bytes, length, &url, ERR_VIOLATION, &unused) != 0 || url.password.length == 0)
        return false;
    AUTO_BUF password = BUF_INIT(url.password.length);
    bool decoded = url_decode(&url.password, &password) == 0;
    watch(c, &password);
    return decoded && placeholder_is(buf_text(&password), password.len);
}

/* What is still a reference, by its own look or by that of a part before it was composed. */
static bool check_unresolved(struct check *c, const struct contract_variable *variable,
                             const struct contract_value *value, const char *bytes, size_t length)
{
    struct message message = {0};
    const char *unresolved = placeholder_unresolved(bytes, length);
    AUTO_ARENA arena = ARENA_INIT;
    struct err defect = ERR_INIT;
    struct ref unused;

    if (!unresolved && !value->unresolved_part)
        return false;
    shape_add_length(&message, bytes, length);
    if (unresolved)
        message_addf(&message, ", still %s and no value", unresolved);
    else
        message_addf(&message,
                     ", and its part `%s` is still a reference or ciphertext and no value",
                     value->unresolved_part);
    if (unresolved && ref_is_broken(bytes) && ref_parse(&arena, bytes, &unused, &defect) != 0 &&
        defect.kind == ERR_CONTRACT)
        message_addf(&message, ": %s", defect.text);
    add(c, variable, "unresolved", "Whatever fills it in did not run before this check.",
        message.text);
    return true;
}

/* What stands in for a value is one finding: what else is wrong with it goes with it. */
static bool check_stand_in(struct check *c, const struct contract_variable *variable,
                           const struct contract_value *value, const char *bytes, size_t length)
{
    struct message message = {0};
    if (check_unresolved(c, variable, value, bytes, length))
        return true;
    if (!variable->secret || variable->rules->placeholder_ok)
        return false;
    bool whole = placeholder_is(bytes, length);
    if (!whole && !has_placeholder_password(c, variable->rules->type, bytes, length))
        return false;
    shape_add_length(&message, bytes, length);
    message_addf(&message, "%s", whole ? ", a placeholder" : ", a placeholder as the password");
    add(c, variable, "placeholder", NULL, message.text);
    return true;
}

/* ---- a value that should not be there ------------------------------------------------------- */

static void check_forbidden(struct check *c, const struct contract_variable *variable)
{
    struct message message = {0};
    if (is_forbidden(c, variable->rules) != TRUTH_YES)
        return;
    message_addf(&message, "set and forbidden");
    check_add_because(c, variable->rules->forbidden_when, &message);
    add(c, variable, "forbidden", "Unset it.", message.text);
}

static void check_deprecated(struct check *c, const struct contract_variable *variable,
                             const struct contract_life *life)
{
    struct message message = {0}, hint = {0};
    bool removed = life->remove.text && c->today >= life->remove.day;
    if (!removed && life->since.text && c->today < life->since.day)
        return;
    if (removed)
        message_addf(&message, "set, and taken away on %s", life->remove.text);
    else
        message_addf(&message, "set, and deprecated");
    if (!removed && life->remove.text)
        message_addf(&message, ": it goes away on %s", life->remove.text);
    if (life->use)
        message_addf(&hint, "Use %s in its place.", life->use);
    findings_addf(c->findings, removed ? FINDING_ERROR : FINDING_WARNING, variable->name,
                  removed ? "removed" : "deprecated", &variable->position, hint.text, "%s",
                  message.text);
}

static void check_expiry(struct check *c, const struct contract_variable *variable,
                         const struct contract_day *expires)
{
    int64_t left = expires->day - c->today;
    if (left > EXPIRY_NOTICE_DAYS)
        return;
    struct message message = {0};
    if (left < 0)
        message_addf(&message, "expired on %s", expires->text);
    else
        message_addf(&message, "expires on %s, in %lld day%s", expires->text, (long long)left,
                     left == 1 ? "" : "s");
    findings_addf(c->findings, left < 0 ? FINDING_ERROR : FINDING_WARNING, variable->name,
                  "expired", &variable->position, "Replace it, and mend 'expires'.", "%s",
                  message.text);
}

/* A default is the contract's own word: nobody has set a variable that only has one. */
static void check_life(struct check *c, const struct contract_variable *variable,
                       const struct contract_value *value)
{
    const struct contract_life *life = variable->life;
    if (!life || value_is_there(variable, value) != TRUTH_YES)
        return;
    if (life->deprecated && value->origin != VALUE_DEFAULT)
        check_deprecated(c, variable, life);
    if (life->expires.text)
        check_expiry(c, variable, &life->expires);
}

static void check_value(struct check *c, const struct contract_variable *variable,
                        const struct contract_value *value)
{
    if (!value->resolved)
        return;
    const char *bytes = secret_reveal(&value->bytes);
    size_t length = secret_length(&value->bytes);
    if (!bytes || length == 0) {
        if (!bytes || !variable->rules->empty_ok)
            check_missing(c, variable, value);
        return;
    }
    check_forbidden(c, variable);
    check_life(c, variable, value);
    if (check_stand_in(c, variable, value, bytes, length))
        return;
    struct validation validation = {
        .variable = variable,
        .position = &variable->position,
        .subject = "",
        .findings = c->findings,
        .patterns = &c->patterns,
        .steps_left = &c->steps_left,
    };
    types_validate(&validation, variable->rules, bytes, length);
}

static void check_release(struct check *c)
{
    pattern_cache_release(&c->patterns);
}

/* What was not looked at must not pass for right. */
static void check_steps(struct check *c)
{
    if (c->steps_left == 0)
        findings_addf(
            c->findings, FINDING_ERROR, NULL, "contract", NULL,
            "Give it shorter lists, values and patterns, and fences fewer globs.",
            "constraints, fences and rules take more than %llu steps on these values: what "
            "is beyond them was not looked at",
            CHECK_MAX_STEPS);
    if (c->contract->document && c->contract->document->condition_steps_left == 0)
        findings_addf(c->findings, FINDING_ERROR, NULL, "contract", NULL,
                      "Give conditions fewer globs with '*', or shorter values.",
                      "conditions take more than %llu steps on these values: what hangs on those "
                      "beyond them was not looked at",
                      CONDITION_MAX_STEPS);
}

int contract_check(const struct contract *contract, const struct contract_value *values,
                   struct findings *findings, struct err *err)
{
    CLEANUP(check_release)
    struct check c = {.contract = contract,
                      .values = values,
                      .findings = findings,
                      .today = date_today(),
                      .steps_left = CHECK_MAX_STEPS};
    c.patterns.steps_left = &c.steps_left;
    if (contract->document)
        contract->document->condition_steps_left = CONDITION_MAX_STEPS;
    for (size_t i = 0; i < contract->variable_count && !findings_are_full(findings); i++)
        check_value(&c, &contract->variables[i], &values[i]);
    check_distinct(&c);
    if (contract->relations) {
        check_groups(&c);
        check_rules(&c);
        check_fences(&c);
        check_authority(&c);
    }
    check_steps(&c);
    say_more(&c);
    findings_sort(findings);
    return findings_check(findings, err);
}
