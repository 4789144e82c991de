#include "tests/unit/migrations_project.h"

/* Two lines from `a`, merged in `m`; `x` stands apart and depends on `b1`. */
static struct project braided(void)
{
    struct project p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b1", "'a'", "");
    put_revision(&p, "c1", "'a'", "");
    put_revision(&p, "m", "('b1', 'c1')", "");
    put_revision(&p, "x", "None", "depends_on = 'b1'");
    load(&p);
    return p;
}

static void ancestors_are_those_by_parents_and_dependencies(void **state)
{
    (void)state;
    AUTO_PROJECT p = braided();
    assert_true(graph_is_ancestor(p.graph, "a", "m"));
    assert_true(graph_is_ancestor(p.graph, "a", "x"));
    assert_true(graph_is_ancestor(p.graph, "b1", "x"));
    assert_false(graph_is_ancestor(p.graph, "c1", "x"));
    assert_false(graph_is_ancestor(p.graph, "m", "a"));
    assert_false(graph_is_ancestor(p.graph, "m", "m"));
    assert_false(graph_is_ancestor(p.graph, "nope", "m"));
    assert_false(graph_is_ancestor(p.graph, "a", "nope"));
}

static void behind_counts_what_an_upgrade_would_run(void **state)
{
    (void)state;
    AUTO_PROJECT p = braided();
    /* As Alembic 1.20 has it. Behind b1, x comes before c1: a part's order is not the whole's. */
    static const struct {
        const char *rows[2];
        size_t count, behind;
        const char *next;
    } cases[] = {
        {{NULL}, 0, 5, "a c1 b1 x m"},    {{"a"}, 1, 4, "c1 b1 x m"}, {{"b1"}, 1, 3, "x c1 m"},
        {{"c1"}, 1, 3, "b1 x m"},         {{"m"}, 1, 1, "x"},         {{"m", "x"}, 2, 0, ""},
        {{"b1", "nope"}, 2, 3, "x c1 m"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *next[6] = {NULL};
        size_t count = 99;
        assert_int_equal(graph_behind(p.graph, cases[i].rows, cases[i].count, next, 5, &count),
                         cases[i].behind);
        assert_int_equal(count, cases[i].behind);
        assert_names(next, count, cases[i].next);
    }
    const char *one[2] = {NULL, NULL};
    size_t count = 0;
    assert_int_equal(graph_behind(p.graph, NULL, 0, one, 1, &count), 5);
    assert_names(one, count, "a");
}

static void behind_is_told_of_a_broken_graph_too(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "('a', 'c')", "");
    put_revision(&p, "c", "'b'", "");
    load(&p);
    const char *next[4] = {NULL};
    size_t count = 0;
    assert_int_equal(graph_behind(p.graph, (const char *const[]){"a"}, 1, next, 3, &count), 2);
    assert_names(next, count, "b c");
}

static void nearest_is_the_only_one_that_begins_so_or_looks_alike(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "deadbeef0001", "None", "");
    put_revision(&p, "deadc0de0002", "'deadbeef0001'", "");
    load(&p);
    assert_string_equal(graph_nearest(p.graph, "deadb"), "deadbeef0001");
    assert_string_equal(graph_nearest(p.graph, "deadbeef0011"), "deadbeef0001");
    assert_null(graph_nearest(p.graph, "0123456789ab"));
}

static void heads_are_read_from_alembics_words(void **state)
{
    (void)state;
    static const char text[] =
        "b2 (effective head)\n\nx1 (other, more) (head)\r\nwith space (head)\n";
    struct graph *g = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(graph_from_heads_output(text, sizeof text - 1, &g, &err), 0);
    assert_names(g->heads, g->head_count, "b2 with space x1");
    assert_names(g->effective_heads, g->effective_head_count, "with space x1");
    assert_int_equal(g->base_count, 0);
    assert_non_null(graph_find(g, "x1"));
    assert_false(graph_is_ancestor(g, "b2", "x1"));
    assert_int_equal(graph_require_sound(g, &err), 0);
    graph_free(g);
}

static void other_words_are_refused_and_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "no head"},
        {"\n \n", "no head"},
        {"FAILED: Multiple\x1b heads", "'FAILED: Multiple\\x1b heads'"},
        {"a1 (head)\nb2\n", "'b2'"},
        {"(head)\n", "'(head)'"},
        {"Rev: a1 (head)\n", "'Rev: a1 (head)'"},
        {"a1 (head)\na1 (head)\n", "twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct graph *g = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(graph_from_heads_output(cases[i].text, strlen(cases[i].text), &g, &err),
                         -1);
        assert_int_equal(err.kind, ERR_DB_COMMAND);
        assert_text_has(err.text, cases[i].part);
        assert_null(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ancestors_are_those_by_parents_and_dependencies),
        cmocka_unit_test(behind_counts_what_an_upgrade_would_run),
        cmocka_unit_test(behind_is_told_of_a_broken_graph_too),
        cmocka_unit_test(nearest_is_the_only_one_that_begins_so_or_looks_alike),
        cmocka_unit_test(heads_are_read_from_alembics_words),
        cmocka_unit_test(other_words_are_refused_and_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
