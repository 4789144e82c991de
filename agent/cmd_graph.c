/* agent/cmd_graph.c: `agent graph`: the revision graph, without Python and without a database. */
#include <unistd.h>

#include "agent/cmd.h"
#include "agent/job.h"
#include "base/log.h"
#include "base/str.h"
#include "migrations/graph.h"

static const char *graph_format;

static const struct opt graph_options[] = {
    {"--format", 0, OPT_CHOICE, "FORMAT", "text|json|dot|mermaid|svg", "how to show it",
     &graph_format},
    {0},
};

/* The words say where; else the contract's stamp; else the alembic.ini that Alembic would take. */
static int load(const struct invocation *call, struct graph **out, struct err *err)
{
    if (call->word_count == 1) {
        struct graph_settings settings = {.path = call->words[0], .working_folder = "."};
        return graph_load(&settings, out, err);
    }
    if (!job_has_contract(call)) {
        const char *config = getenv("ALEMBIC_CONFIG");
        if (!config)
            config = access("alembic.ini", F_OK) != 0 && access("pyproject.toml", F_OK) == 0
                         ? "pyproject.toml"
                         : "alembic.ini";
        struct graph_settings settings = {.path = config, .working_folder = "."};
        return graph_load(&settings, out, err);
    }
    AUTO_JOB job = JOB_INIT(call);
    if (job_load(&job, err) == 0 && job_graph(&job, out, err) == 0)
        return 0;
    job_say_findings(&job);
    return -1;
}

static int show(const struct invocation *call, const struct graph *graph, int code, struct err *err)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);

    if (call->common.json || str_eq(graph_format, "json")) {
        struct json json = JSON_INIT(&text);
        document_begin(&json, "graph", code == 0);
        graph_write_json(graph, &json);
        return document_print(&json, code);
    }
    if (str_eq(graph_format, "dot")) {
        graph_write_dot(graph, &text);
    } else if (str_eq(graph_format, "mermaid")) {
        graph_write_mermaid(graph, &text);
    } else if (str_eq(graph_format, "svg")) {
        if (graph_write_svg(graph, &text, err) != 0)
            return command_failed(call, err);
    } else {
        graph_write_text(graph, &text);
    }
    return text_print(&text, code);
}

static int graph_run(const struct invocation *call)
{
    struct graph *graph = NULL;
    struct err err = ERR_INIT;

    if (command_words_at_most(call, 1, &err) != 0 || load(call, &graph, &err) != 0)
        return command_failed(call, &err);
    for (size_t i = 0; i < graph->error_count; i++) {
        const struct graph_error *e = &graph->errors[i];
        struct err said = ERR_INIT;
        err_set(&said, ERR_FILE, "%s", e->message);
        if (e->file)
            err_at(&said, e->file, e->line, 0);
        log_err(&said, 1);
    }
    int code = show(call, graph, graph->error_count ? 1 : 0, &err);
    graph_free(graph);
    return code;
}

const struct command command_graph = {
    .name = "graph",
    .arguments = "[PATH]",
    .summary = "the migrations' revision graph: heads, order, errors, a picture",
    .details =
        "PATH is an alembic.ini, a pyproject.toml or a script folder; without it the\n"
        "contract's database.stamp.alembic, else alembic.ini here. Revision files are read,\n"
        "not executed. Exit 1 when the graph has errors.",
    .options = graph_options,
    .run = graph_run,
};
