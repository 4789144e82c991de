/* base/sarif.c: findings as a SARIF 2.1.0 log. */
#include "base/sarif.h"

#include <string.h>

#include "base/annotate.h"
#include "base/str.h"

static const char *const level_words[] = {"note", "warning", "error"};

/* A piece of text that is not whole fails the whole. */
static void pass_failure(struct buf *out, const struct buf *part)
{
    out->no_memory |= part->no_memory;
    out->too_long |= part->too_long;
}

/* A "message" or "description" object: SARIF has no bare texts. */
static void add_message(struct json *json, const char *key, const char *text)
{
    AUTO_BUF plain = BUF_INIT(json->out->max);
    annotate_add_lines(&plain, text, strlen(text), SARIF_MESSAGE_BYTES);
    pass_failure(json->out, &plain);
    json_begin_object(json, key);
    json_add_string_n(json, "text", buf_text(&plain), plain.len);
    json_end_object(json);
}

static void add_rule(struct json *json, const struct sarif_rule *rule)
{
    json_begin_object(json, NULL);
    json_add_string(json, "id", rule->id);
    add_message(json, "shortDescription", rule->says);
    if (rule->help)
        add_message(json, "help", rule->help);
    json_begin_object(json, "defaultConfiguration");
    json_add_string(json, "level", level_words[rule->level]);
    json_end_object(json);
    json_end_object(json);
}

void sarif_begin(struct sarif *sarif, struct buf *out, const struct sarif_run *run)
{
    *sarif = (struct sarif){.json = JSON_INIT(out), .run = *run};
    struct json *json = &sarif->json;
    json_begin_object(json, NULL);
    json_add_string(json, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_add_string(json, "version", "2.1.0");
    json_begin_array(json, "runs");
    json_begin_object(json, NULL);
    json_begin_object(json, "tool");
    json_begin_object(json, "driver");
    json_add_string(json, "name", "agent");
    json_add_string(json, "semanticVersion", AGENT_VERSION);
    json_begin_array(json, "rules");
    for (size_t i = 0; i < run->rule_count; i++)
        add_rule(json, &run->rules[i]);
    json_end_array(json);
    json_end_object(json);
    json_end_object(json);
    json_add_string(json, "columnKind", "unicodeCodePoints"); /* as all of ours are counted */
    /* The part before the last slash is the category: runs of another command are not replaced. */
    AUTO_BUF category = BUF_INIT(out->max);
    buf_addf(&category, "agent %s/", run->command);
    pass_failure(out, &category);
    json_begin_object(json, "automationDetails");
    json_add_string(json, "id", buf_text(&category));
    json_end_object(json);
    json_begin_array(json, "results");
}

/* A path as a URI: relative to what the reader takes for the root, or file: where it is absolute.
 * A first segment with a colon would read as a scheme; percent-encoding covers it. */
static void add_artifact(struct json *json, const char *file)
{
    AUTO_BUF uri = BUF_INIT(json->out->max);
    if (*file == '/')
        buf_adds(&uri, "file://");
    for (const char *part = file; *part;) {
        size_t length = strcspn(part, "/");
        str_add_percent(&uri, part, length);
        part += length;
        if (*part == '/') {
            buf_addc(&uri, '/');
            part++;
        }
    }
    pass_failure(json->out, &uri);
    json_begin_object(json, "artifactLocation");
    json_add_string(json, "uri", buf_text(&uri));
    json_end_object(json);
}

static void add_location(struct json *json, const struct sarif_finding *finding)
{
    json_begin_object(json, NULL);
    if (finding->file) {
        json_begin_object(json, "physicalLocation");
        add_artifact(json, finding->file);
        if (finding->line > 0) {
            json_begin_object(json, "region");
            json_add_int(json, "startLine", finding->line);
            if (finding->column > 0)
                json_add_int(json, "startColumn", finding->column);
            json_end_object(json);
        }
        json_end_object(json);
    }
    if (finding->thing) {
        json_begin_array(json, "logicalLocations");
        json_begin_object(json, NULL);
        json_add_string(json, "fullyQualifiedName", finding->thing);
        if (finding->kind)
            json_add_string(json, "kind", finding->kind);
        json_end_object(json);
        json_end_array(json);
    }
    json_end_object(json);
}

/* What stays the same from run to run, so that a service knows a finding again. */
static void add_fingerprint(struct json *json, const struct sarif_finding *finding)
{
    AUTO_BUF text = BUF_INIT(json->out->max);
    buf_addf(&text, "%s %s", finding->kind ? finding->kind : "", finding->thing);
    pass_failure(json->out, &text);
    json_begin_object(json, "partialFingerprints");
    json_add_string(json, "thing/v1", buf_text(&text));
    json_end_object(json);
}

void sarif_add(struct sarif *sarif, const struct sarif_finding *finding)
{
    struct json *json = &sarif->json;
    json_begin_object(json, NULL);
    json_add_string(json, "ruleId", sarif->run.rules[finding->rule].id);
    json_add_int(json, "ruleIndex", (int64_t)finding->rule);
    json_add_string(json, "level", level_words[finding->level]);
    add_message(json, "message", finding->message);
    if (finding->file || finding->thing) {
        json_begin_array(json, "locations");
        add_location(json, finding);
        json_end_array(json);
    }
    if (finding->thing)
        add_fingerprint(json, finding);
    if (finding->suppressed) {
        json_begin_array(json, "suppressions");
        json_begin_object(json, NULL);
        json_add_string(json, "kind", "external");
        json_add_string(json, "justification", finding->suppressed);
        json_end_object(json);
        json_end_array(json);
    }
    json_end_object(json);
}

void sarif_end(struct sarif *sarif, bool succeeded)
{
    struct json *json = &sarif->json;
    json_end_array(json);
    json_begin_array(json, "invocations");
    json_begin_object(json, NULL);
    json_add_bool(json, "executionSuccessful", succeeded);
    json_end_object(json);
    json_end_array(json);
    json_end_object(json);
    json_end_array(json);
    json_end_object(json);
    buf_addc(json->out, '\n');
}
