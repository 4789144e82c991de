#include "tests/unit/migrations_project.h"

static void errors_are(const struct project *p, enum graph_error_kind kind, size_t count,
                       const char *part)
{
    if (p->graph->error_count != count)
        fail_msg("%zu errors, the first: %s", p->graph->error_count,
                 p->graph->error_count ? p->graph->errors[0].message : "-");
    assert_int_equal(p->graph->errors[0].kind, kind);
    assert_text_has(p->graph->errors[0].message, part);
}

static void heads_are_what_no_down_revision_names(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "'a'", "");
    put_revision(&p, "c", "('a',)", "");
    put_revision(&p, "m", "('b', 'c', 'b')", "");
    put_revision(&p, "z", "None", "");
    load(&p);
    assert_int_equal(p.graph->error_count, 0);
    assert_names(p.graph->heads, p.graph->head_count, "m z");
    assert_names(p.graph->effective_heads, p.graph->effective_head_count, "m z");
    assert_names(p.graph->bases, p.graph->base_count, "a z");
    const struct revision *m = graph_find(p.graph, "m");
    assert_int_equal(m->parent_count, 2);
    assert_int_equal(m->down_count, 2);
    assert_string_equal(p.graph->revisions[m->parents[0]].id, "b");
    assert_string_equal(m->message, "message of m");
    assert_text_has(m->file, "/m/versions/m.py");
}

static void a_head_that_another_depends_on_is_no_effective_head(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "branch_labels = ['la', 'lb']");
    put_revision(&p, "b", "'a'", "");
    put_revision(&p, "x", "None", "depends_on = ('b', 'la')");
    load(&p);
    assert_int_equal(p.graph->error_count, 0);
    assert_names(p.graph->heads, p.graph->head_count, "b x");
    assert_names(p.graph->effective_heads, p.graph->effective_head_count, "x");
    const struct revision *x = graph_find(p.graph, "x");
    assert_true(x->is_base);
    assert_int_equal(x->down_count, 0);
    assert_int_equal(x->parent_count, 2);
    assert_string_equal(p.graph->revisions[x->parents[1]].id, "a");
    assert_string_equal(x->depends_on[1], "la");
}

static void a_parent_that_is_in_no_file_is_named(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "abcdef", "None", "branch_labels = 'l'");
    put_revision(&p, "b", "'abcd'", "");
    load(&p);
    errors_are(&p, GRAPH_MISSING_PARENT, 1,
               "b.py:3: down_revision 'abcd' of revision 'b' is in no file");
    assert_int_equal(p.graph->errors[0].line, 3);
    put_revision(&p, "b", "'l'", "");
    load(&p);
    errors_are(&p, GRAPH_MISSING_PARENT, 1, "is a branch label");
    put_revision(&p, "b", "''", "");
    load(&p);
    errors_are(&p, GRAPH_MISSING_PARENT, 1, "down_revision ''");
    put_revision(&p, "b", "'abcdef'", "depends_on = 'ABCDEF'");
    load(&p);
    errors_are(&p, GRAPH_MISSING_PARENT, 1, "depends_on 'ABCDEF'");
}

static void one_id_twice_is_an_error_that_names_both_files(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put(&p, "m/versions/1.py", "revision = 'a'\ndown_revision = None\n");
    put(&p, "m/versions/2.py", "\nrevision = 'a'\ndown_revision = None\n");
    put(&p, "m/versions/3.py", "revision = 'a'\ndown_revision = None\n");
    load(&p);
    errors_are(&p, GRAPH_DUPLICATE, 2, "2.py:2: revision 'a' is in ");
    assert_text_has(p.graph->errors[0].message, "1.py too");
    assert_text_has(p.graph->errors[1].message, "2.py too");
    assert_int_equal(p.graph->count, 1);
}

static void a_branch_label_is_nobodys_but_one_revisions(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "branch_labels = 'l'");
    put_revision(&p, "b", "'a'", "branch_labels = ('l',)");
    load(&p);
    errors_are(&p, GRAPH_DUPLICATE, 1, "b.py:4: branch label 'l' is already used by revision 'a'");
    put_revision(&p, "b", "'a'", "branch_labels = 'a'");
    load(&p);
    errors_are(&p, GRAPH_DUPLICATE, 1, "branch label 'a'");
    put_revision(&p, "b", "'a'", "branch_labels = ['x', 'x']");
    load(&p);
    errors_are(&p, GRAPH_DUPLICATE, 1, "branch label 'x'");
}

static void each_cycle_is_told_once_with_its_members(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "('a', 'd')", "");
    put_revision(&p, "c", "'b'", "");
    put_revision(&p, "d", "'c'", "");
    put_revision(&p, "e", "'d'", "");
    put_revision(&p, "x", "None", "depends_on = 'y'");
    put_revision(&p, "y", "None", "depends_on = 'x'");
    load(&p);
    errors_are(&p, GRAPH_CYCLE, 2, "before themselves: 'b' -> 'd' -> 'c'");
    assert_text_has(p.graph->errors[1].message, "'x' -> 'y'");
    assert_order(p.graph, "a b c d e x y");
    assert_int_equal(graph_require_sound(p.graph, &p.err), -1);
    assert_text_has(p.err.hint, "1 more problem");
}

static void a_long_cycle_names_eight_and_counts_the_rest(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    for (int i = 0; i < 11; i++) {
        char id[8], down[8];
        (void)snprintf(id, sizeof id, "r%02d", i);
        (void)snprintf(down, sizeof down, "'r%02d'", (i + 1) % 11);
        put_revision(&p, id, down, "");
    }
    load(&p);
    errors_are(&p, GRAPH_CYCLE, 1, "'r06' -> 'r07' and 3 more");
}

static void a_revision_that_names_itself_is_a_cycle(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "'a'", "");
    load(&p);
    errors_are(&p, GRAPH_CYCLE, 1, "names itself in down_revision");
    put_revision(&p, "a", "None", "branch_labels = 'l'\ndepends_on = 'l'");
    load(&p);
    errors_are(&p, GRAPH_CYCLE, 1, "names itself in depends_on");
}

static void an_id_is_found_by_its_exact_bytes(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "abcd", "None", "");
    put_revision(&p, "ABCD", "'abcd'", "");
    put(&p, "m/versions/u.py", "revision = 'it\\'s \\u00fc'\ndown_revision = 'ABCD'\n");
    load(&p);
    assert_int_equal(graph_require_sound(p.graph, &p.err), 0);
    assert_string_equal(graph_find(p.graph, "abcd")->id, "abcd");
    assert_non_null(graph_find(p.graph, "it's \xc3\xbc"));
    assert_null(graph_find(p.graph, "abc"));
    assert_null(graph_find(p.graph, ""));
}

static void an_empty_history_has_no_heads(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    load(&p);
    assert_names(p.graph->heads, p.graph->head_count, "");
    assert_int_equal(graph_require_sound(p.graph, &p.err), 0);
    assert_null(graph_find(p.graph, "a"));
    assert_null(graph_nearest(p.graph, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_what_no_down_revision_names),
        cmocka_unit_test(a_head_that_another_depends_on_is_no_effective_head),
        cmocka_unit_test(a_parent_that_is_in_no_file_is_named),
        cmocka_unit_test(one_id_twice_is_an_error_that_names_both_files),
        cmocka_unit_test(a_branch_label_is_nobodys_but_one_revisions),
        cmocka_unit_test(each_cycle_is_told_once_with_its_members),
        cmocka_unit_test(a_long_cycle_names_eight_and_counts_the_rest),
        cmocka_unit_test(a_revision_that_names_itself_is_a_cycle),
        cmocka_unit_test(an_id_is_found_by_its_exact_bytes),
        cmocka_unit_test(an_empty_history_has_no_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
