/* tests/unit/migrations_project.h: a project of revision files in a folder of its own. */
#ifndef TESTS_UNIT_MIGRATIONS_PROJECT_H
#define TESTS_UNIT_MIGRATIONS_PROJECT_H

#include "tests/lib/unit.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "migrations/graph.h"

struct project {
    char folder[64]; /* below it: alembic.ini, m/env.py, m/versions/ */
    struct graph *graph;
    struct err err;
};

static inline void path_of(const struct project *p, const char *name, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%s", p->folder, name);
}

/* Write FOLDER/NAME, with the folders that it needs. */
static inline void put_bytes(const struct project *p, const char *name, const void *bytes,
                             size_t length)
{
    char path[PATH_MAX];
    struct err err = ERR_INIT;
    path_of(p, name, path);
    for (char *slash = path + strlen(p->folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    if (file_replace(path, bytes, length, 0600, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void put(const struct project *p, const char *name, const char *text)
{
    put_bytes(p, name, text, strlen(text));
}

/* A revision file; DOWN and MORE are Python. */
static inline void put_revision(const struct project *p, const char *id, const char *down,
                                const char *more)
{
    char name[128];
    AUTO_BUF text = BUF_INIT(4096);
    (void)snprintf(name, sizeof name, "m/versions/%s.py", id);
    buf_addf(&text, "'''message of %s'''\nrevision = '%s'\ndown_revision = %s\n%s\n", id, id, down,
             more);
    put(p, name, buf_text(&text));
}

static inline struct project new_project(void)
{
    struct project p = {.folder = "/tmp/agent-graph-XXXXXX", .err = ERR_INIT};
    assert_non_null(mkdtemp(p.folder));
    put(&p, "alembic.ini", "[alembic]\nscript_location = %(here)s/m\n");
    put(&p, "m/env.py", "");
    return p;
}

static inline int load_from(struct project *p, const char *name)
{
    char path[PATH_MAX];
    path_of(p, name, path);
    struct graph_settings settings = {.path = path, .working_folder = p->folder};
    graph_free(p->graph);
    p->graph = NULL;
    return graph_load(&settings, &p->graph, &p->err);
}

static inline void load(struct project *p)
{
    if (load_from(p, "alembic.ini") != 0)
        fail_msg("%s", p->err.text);
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

static inline void drop_project(struct project *p)
{
    graph_free(p->graph);
    assert_int_equal(nftw(p->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#define AUTO_PROJECT CLEANUP(drop_project) struct project

/* Names with a blank between them. */
static inline void assert_names(const char *const *names, size_t count, const char *expected)
{
    AUTO_BUF text = BUF_INIT(4096);
    for (size_t i = 0; i < count; i++)
        buf_addf(&text, "%s%s", i ? " " : "", names[i]);
    assert_string_equal(buf_text(&text), expected);
    assert_null(names[count]);
}

static inline void assert_order(const struct graph *g, const char *expected)
{
    AUTO_BUF text = BUF_INIT(4096);
    for (size_t i = 0; i < g->count; i++)
        buf_addf(&text, "%s%s", i ? " " : "", g->revisions[g->order[i]].id);
    assert_string_equal(buf_text(&text), expected);
}

#endif
