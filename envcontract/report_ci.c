/* envcontract/report_ci.c: findings for code scanning (SARIF) and beside the lines of a pull request
 * (GitHub's annotations). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/mem.h"
#include "base/sarif.h"
#include "base/str.h"
#include "envcontract/internal.h"

enum { CI_MESSAGE_BYTES = 64 * 1024 };

/* What a finding of each rule means. A rule that is not here is shown by its name. */
static const struct {
    const char *rule, *says;
} meanings[] = {
    {"contract", "The contract itself is wrong."},
    {"required", "A variable that must be set has no value."},
    {"forbidden", "A variable is set that must not be."},
    {"empty", "A value is empty."},
    {"type", "A value is not of its variable's type."},
    {"values", "A value is none of those that are right."},
    {"min", "A value is too small."},
    {"max", "A value is too large."},
    {"length", "A value has too few or too many characters."},
    {"pattern", "A value does not match its variable's pattern."},
    {"prefix", "A value does not begin as it must."},
    {"scheme", "A URL has a scheme that is not right."},
    {"host", "A URL goes to a host that is not right."},
    {"user", "A URL has a user that is not right, or none."},
    {"password", "A URL has a password or has none, against the contract."},
    {"query", "A URL's parameters are not right."},
    {"port", "A URL has a port that is not right."},
    {"path", "What must be at a path is not there."},
    {"placeholder", "A secret is a text that waits to be replaced."},
    {"unresolved", "A value is still a reference or ciphertext."},
    {"fence", "A value belongs to another profile."},
    {"distinct", "One secret is used in two variables."},
    {"deprecated", "A variable is used that is on its way out."},
    {"removed", "A name is used that is not taken any more."},
    {"alias", "An older name is used."},
    {"unknown", "A name is used that no variable has."},
    {"shadowed", "The environment has another value than the source."},
    {"group", "Variables are not set together as they must be."},
    {"rule", "Values do not fit together."},
    {"expired", "A value is at its end, or past it."},
    {"authority", "The database is not on a host of its authority."},
    {"source", "A source did not give what it was asked for."},
    {"env-file", "A line of an env file is wrong."},
    {"drift", "The contract and the code differ."},
};

/* The rules that findings have, in the order in which they are met. */
struct rule_list {
    struct sarif_rule *list;
    size_t count, capacity;
};

static void rule_list_release(struct rule_list *rules)
{
    free(rules->list);
}

static const char *meaning_of(const char *rule)
{
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (str_eq(meanings[i].rule, rule))
            return meanings[i].says;
    }
    for (int kind = ERR_NONE; kind < ERR_KIND_COUNT; kind++) { /* of an error that ended all */
        if (str_eq(err_word((enum err_kind)kind), rule))
            return err_meaning((enum err_kind)kind);
    }
    return rule;
}

static enum sarif_level level_of(const struct finding *finding)
{
    return finding->severity == FINDING_ERROR ? SARIF_ERROR : SARIF_WARNING;
}

/* RULE's place in the list, or its length. */
static size_t place_of(const struct rule_list *rules, const char *rule)
{
    size_t i = 0;

    while (i < rules->count && !str_eq(rules->list[i].id, rule))
        i++;
    return i;
}

static int collect_rules(const struct findings *f, struct rule_list *rules)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct finding *finding = &f->list[i];
        if (place_of(rules, finding->rule) < rules->count)
            continue;
        if (mem_grow(&rules->list, rules->count, &rules->capacity, sizeof *rules->list) != 0)
            return -1;
        rules->list[rules->count++] = (struct sarif_rule){
            .id = finding->rule, .says = meaning_of(finding->rule), .level = level_of(finding)};
    }
    return 0;
}

/* "API_KEY: 41 characters, expected the prefix `re_`", and the hint in a line of its own. */
static void add_message(const struct finding *finding, struct buf *out)
{
    if (finding->variable)
        buf_addf(out, "%s: ", finding->variable);
    buf_adds(out, finding->message);
    if (finding->hint)
        buf_addf(out, "\n%s", finding->hint);
}

/* As the repository knows it: from the working directory, where the file lies below. */
static const char *file_of(const struct finding *finding, const char *folder)
{
    return finding->file && folder ? annotate_relative(finding->file, folder) : finding->file;
}

static void pass_failure(struct buf *to, const struct buf *from)
{
    to->no_memory |= from->no_memory;
    to->too_long |= from->too_long;
}

void findings_write_sarif(const struct findings *f, bool succeeded, struct buf *out)
{
    CLEANUP(rule_list_release) struct rule_list rules = {0};
    AUTO_FREE char *folder = getcwd(NULL, 0);
    struct sarif sarif;

    if (collect_rules(f, &rules) != 0) {
        out->no_memory = true;
        return;
    }
    const struct sarif_run run = {
        .command = "check", .rules = rules.list, .rule_count = rules.count};
    sarif_begin(&sarif, out, &run);
    for (size_t i = 0; i < f->count; i++) {
        const struct finding *finding = &f->list[i];
        AUTO_BUF message = BUF_INIT(CI_MESSAGE_BYTES);
        add_message(finding, &message);
        pass_failure(out, &message);
        sarif_add(&sarif, &(struct sarif_finding){.rule = place_of(&rules, finding->rule),
                                                  .level = level_of(finding),
                                                  .message = buf_text(&message),
                                                  .file = file_of(finding, folder),
                                                  .line = finding->line,
                                                  .column = finding->column,
                                                  .kind = finding->variable ? "variable" : NULL,
                                                  .thing = finding->variable});
    }
    sarif_end(&sarif, succeeded);
}

void findings_write_github(const struct findings *f, struct buf *out)
{
    AUTO_FREE char *folder = getcwd(NULL, 0);

    for (size_t i = 0; i < f->count; i++) {
        const struct finding *finding = &f->list[i];
        AUTO_BUF message = BUF_INIT(CI_MESSAGE_BYTES), title = BUF_INIT(CI_MESSAGE_BYTES);
        add_message(finding, &message);
        buf_addf(&title, "agent check: %s", finding->rule);
        pass_failure(out, &message);
        pass_failure(out, &title);
        annotate_github(&(struct annotation){.level = finding->severity == FINDING_ERROR
                                                          ? ANNOTATION_ERROR
                                                          : ANNOTATION_WARNING,
                                             .file = file_of(finding, folder),
                                             .line = finding->line,
                                             .column = finding->column,
                                             .title = buf_text(&title),
                                             .message = buf_text(&message)},
                        out);
    }
}
