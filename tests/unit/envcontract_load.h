/* tests/unit/envcontract_load.h: contracts written into a folder of the test's own, and loaded.
 *
 * Texts have single quotes for double ones, and ` for a single one, so that they can be read. */
#ifndef TESTS_UNIT_ENVCONTRACT_LOAD_H
#define TESTS_UNIT_ENVCONTRACT_LOAD_H

#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "envcontract/contract.h"

struct loaded {
    char folder[64], path[96];
    struct contract *contract;
    struct findings findings;
    struct err err;
};

static inline void write_file(const char *folder, const char *name, const char *text, size_t length)
{
    char path[256];
    struct err err = ERR_INIT;

    assert_in_range(snprintf(path, sizeof path, "%s/%s", folder, name), 1, sizeof path - 1);
    if (file_replace(path, text, length, 0600, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void new_folder(struct loaded *l)
{
    *l = (struct loaded){.folder = "/tmp/agent-contract-XXXXXX"};
    assert_non_null(mkdtemp(l->folder));
    (void)snprintf(l->path, sizeof l->path, "%s/contract.json", l->folder);
}

/* Write NAME with TEXT's quotes put right. */
static inline void write_contract(struct loaded *l, const char *name, const char *text)
{
    size_t length = strlen(text);
    char *copy = malloc(length + 1);

    assert_non_null(copy);
    for (size_t i = 0; i <= length; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i] == '`' ? '\'' : text[i];
    write_file(l->folder, name, copy, length);
    free(copy);
}

static inline void load(struct loaded *l)
{
    if (contract_load(l->path, CLOCK_NEVER, &l->contract, &l->findings, &l->err) != 0)
        fail_msg("contract_load: %s", l->err.text);
}

static inline struct loaded load_text(const char *text)
{
    struct loaded l;

    new_folder(&l);
    write_contract(&l, "contract.json", text);
    load(&l);
    return l;
}

static inline void remove_file(const struct loaded *l, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", l->folder, name);
    (void)unlink(path); /* it may not be there */
}

static inline void unload(struct loaded *l)
{
    findings_release(&l->findings);
    contract_free(l->contract);
    remove_file(l, "contract.json");
    remove_file(l, "more.json");
    remove_file(l, "other.json");
    assert_int_equal(rmdir(l->folder), 0);
}

static inline void select_profile(struct loaded *l, const char *profile)
{
    if (contract_select(l->contract, profile, NULL, &l->findings, &l->err) != 0)
        fail_msg("contract_select: %s", l->err.text);
}

static inline void print_findings(const struct loaded *l)
{
    for (size_t i = 0; i < l->findings.count; i++) {
        const struct finding *f = &l->findings.list[i];
        print_message("  %u:%u %s %s: %s (%s)\n", f->line, f->column, f->pointer ? f->pointer : "-",
                      f->rule, f->message, f->hint ? f->hint : "");
    }
}

/* The one finding whose message has PART. */
static inline const struct finding *find_finding(const struct loaded *l, const char *part)
{
    for (size_t i = 0; i < l->findings.count; i++) {
        if (strstr(l->findings.list[i].message, part))
            return &l->findings.list[i];
    }
    print_findings(l);
    fail_msg("no finding says '%s'", part);
    return NULL;
}

static inline void assert_clean(const struct loaded *l)
{
    if (l->findings.count == 0)
        return;
    print_findings(l);
    fail_msg("there are findings");
}

/* A text with one problem, and where it is. */
struct wrong {
    const char *text;
    unsigned line, column;
    const char *pointer;        /* NULL: there is none */
    const char *message, *hint; /* parts of them; hint may be NULL */
};

static inline void assert_wrong(const struct wrong *w)
{
    struct loaded l = load_text(w->text);
    const struct finding *f = find_finding(&l, w->message);

    if (l.findings.count != 1 || f->line != w->line || f->column != w->column ||
        (w->pointer == NULL) != (f->pointer == NULL) ||
        (w->pointer && strcmp(w->pointer, f->pointer) != 0) ||
        (w->hint && (!f->hint || !strstr(f->hint, w->hint)))) {
        print_findings(&l);
        fail_msg("%s\n  expected %u:%u %s: %s (%s)", w->text, w->line, w->column,
                 w->pointer ? w->pointer : "-", w->message, w->hint ? w->hint : "");
    }
    assert_string_equal(f->rule, "contract");
    assert_string_equal(f->file, l.path);
    assert_int_equal(l.findings.errors, f->severity == FINDING_ERROR);
    unload(&l);
}

static inline void assert_all_wrong(const struct wrong *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_wrong(&list[i]);
}

static inline void assert_all_right(const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct loaded l = load_text(list[i]);
        assert_clean(&l);
        unload(&l);
    }
}

#endif
