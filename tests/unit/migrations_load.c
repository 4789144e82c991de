#include "tests/unit/migrations_project.h"

#include <fcntl.h>
#include <unistd.h>

static void only_one_error(const struct project *p, enum graph_error_kind kind, const char *part)
{
    assert_int_equal(p->graph->error_count, 1);
    assert_int_equal(p->graph->errors[0].kind, kind);
    assert_text_has(p->graph->errors[0].message, part);
    assert_non_null(p->graph->errors[0].file);
}

static void file_names_are_filtered_as_alembic_filters_them(void **state)
{
    (void)state;
    static const char *const names[] = {"a.py",   ".b.py", "_c.py", "__init__.py", "__init__d.py",
                                        ".#e.py", "f.PY",  "g.py~", "h.pyc"};
    AUTO_PROJECT p = new_project();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char name[64], text[64];
        (void)snprintf(name, sizeof name, "m/versions/%s", names[i]);
        (void)snprintf(text, sizeof text, "revision = '%zu'\ndown_revision = None\n", i);
        put(&p, name, text);
    }
    load(&p);
    assert_names(p.graph->heads, p.graph->head_count, "0 1 2");
}

static void a_link_is_judged_by_what_it_leads_to_and_loaded_once(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    char link[PATH_MAX], target[PATH_MAX];
    put_revision(&p, "a", "None", "");
    put(&p, "outside.py", "revision = 'b'\ndown_revision = 'a'\n");
    put(&p, "text.txt", "revision = 'c'\ndown_revision = 'a'\n");
    path_of(&p, "m/versions/again.py", link);
    assert_int_equal(symlink("a.py", link), 0);
    path_of(&p, "m/versions/no_suffix", link);
    path_of(&p, "outside.py", target);
    assert_int_equal(symlink(target, link), 0);
    path_of(&p, "m/versions/text.py", link);
    path_of(&p, "text.txt", target);
    assert_int_equal(symlink(target, link), 0);
    load(&p);
    assert_int_equal(p.graph->error_count, 0);
    assert_order(p.graph, "a b");
}

static void folders_below_are_read_when_asked_for(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put(&p, "m/versions/x/y/b.py", "revision = 'b'\ndown_revision = 'a'\n");
    put(&p, "m/versions/__pycache__/c.py", "revision = 'c'\ndown_revision = 'a'\n");
    load(&p);
    assert_order(p.graph, "a");
    put(&p, "alembic.ini",
        "[alembic]\nscript_location = %(here)s/m\nrecursive_version_locations = true\n");
    load(&p);
    assert_order(p.graph, "a b");
}

static void a_missing_folder_of_versions_is_an_empty_history(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    load(&p);
    assert_int_equal(p.graph->count, 0);
    assert_int_equal(p.graph->error_count, 0);
    struct graph_settings named = {.versions = "/nowhere/versions"};
    struct graph *graph = NULL;
    assert_int_equal(graph_load(&named, &graph, &p.err), -1);
    assert_text_has(p.err.text, "'/nowhere/versions': No such file");
}

static void what_is_no_file_or_too_long_is_unreadable(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    char path[PATH_MAX];
    put_revision(&p, "a", "None", "");
    path_of(&p, "m/versions/b.py", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    load(&p);
    only_one_error(&p, GRAPH_UNREADABLE, "b.py");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere.py", path), 0);
    load(&p);
    only_one_error(&p, GRAPH_UNREADABLE, "No such file");
    assert_int_equal(unlink(path), 0);
    put(&p, "m/versions/b.py", "");
    assert_int_equal(truncate(path, GRAPH_FILE_MAX_BYTES + 1), 0);
    load(&p);
    only_one_error(&p, GRAPH_UNREADABLE, "File too large");
    assert_order(p.graph, "a");
}

static void an_old_file_is_named_after_its_revision(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put(&p, "m/versions/c0ffee1.py", "down_revision = None\n");
    load(&p);
    assert_names(p.graph->heads, p.graph->head_count, "c0ffee1");
    put(&p, "m/versions/c0ffee1_x.py", "down_revision = None\n");
    load(&p);
    only_one_error(&p, GRAPH_UNREADABLE, "c0ffee1_x.py:1: revision: it is not set");
}

static void values_that_no_revision_can_have_are_unreadable(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        enum graph_error_kind kind;
        unsigned line;
    } cases[] = {
        {"revision = 'a'\n", "down_revision: it is not set", GRAPH_UNREADABLE, 1},
        {"revision = None\ndown_revision = None\n", "not a string", GRAPH_UNREADABLE, 1},
        {"\nrevision = ('a',)\ndown_revision = None\n", "not a string", GRAPH_UNREADABLE, 2},
        {"revision = 7\ndown_revision = None\n", "a number", GRAPH_UNREADABLE, 1},
        {"revision = 'a-b'\ndown_revision = None\n", "may not hold", GRAPH_UNREADABLE, 1},
        {"revision = 'a'\ndown_revision = (None, 'a')\n", "a None in it", GRAPH_UNREADABLE, 2},
        {"revision = 'a'\ndown_revision = f()\n", "only running Python", GRAPH_COMPUTED, 2},
        {"revision = 'a'\ndown_revision = None\ndepends_on = x\n", "depends_on", GRAPH_COMPUTED, 3},
        {"revision = f'a'\ndown_revision = None\n", "an f-string", GRAPH_COMPUTED, 1},
        {"revision = 'a'\ndown_revision = None\n'", "not Python", GRAPH_UNREADABLE, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_PROJECT p = new_project();
        put(&p, "m/versions/x.py", cases[i].text);
        load(&p);
        only_one_error(&p, cases[i].kind, cases[i].part);
        assert_int_equal(p.graph->errors[0].line, cases[i].line);
        assert_int_equal(p.graph->base_count, 0);
    }
}

static void a_child_of_a_broken_file_is_no_error_of_its_own(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "x()", "");
    put_revision(&p, "b", "'a'", "");
    load(&p);
    only_one_error(&p, GRAPH_COMPUTED, "a.py:3");
    assert_names(p.graph->heads, p.graph->head_count, "b");
}

static void a_computed_value_has_alembic_answer_by_its_hint(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "x()", "");
    load(&p);
    assert_int_equal(graph_require_sound(p.graph, &p.err), -1);
    assert_int_equal(p.err.kind, ERR_FILE);
    assert_int_equal(p.err.line, 3);
    assert_text_has(p.err.file, "a.py");
    assert_text_has(p.err.hint, "\"heads\": [\"alembic\", \"heads\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_names_are_filtered_as_alembic_filters_them),
        cmocka_unit_test(a_link_is_judged_by_what_it_leads_to_and_loaded_once),
        cmocka_unit_test(folders_below_are_read_when_asked_for),
        cmocka_unit_test(a_missing_folder_of_versions_is_an_empty_history),
        cmocka_unit_test(what_is_no_file_or_too_long_is_unreadable),
        cmocka_unit_test(an_old_file_is_named_after_its_revision),
        cmocka_unit_test(values_that_no_revision_can_have_are_unreadable),
        cmocka_unit_test(a_child_of_a_broken_file_is_no_error_of_its_own),
        cmocka_unit_test(a_computed_value_has_alembic_answer_by_its_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
