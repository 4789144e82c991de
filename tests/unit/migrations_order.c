/* The expected orders are what Alembic 1.20 gave for the same files. */
#include "tests/unit/migrations_project.h"

static void a_chain_is_in_its_own_order(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "c", "None", "");
    put_revision(&p, "a", "'c'", "");
    put_revision(&p, "b", "'a'", "");
    load(&p);
    assert_order(p.graph, "c a b");
}

static void heads_stand_in_the_order_of_their_files(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put(&p, "m/versions/1.py", "revision = 'z'\ndown_revision = None\n");
    put(&p, "m/versions/2.py", "revision = 'a'\ndown_revision = None\n");
    put(&p, "m/versions/3.py", "revision = 'm'\ndown_revision = None\n");
    load(&p);
    assert_order(p.graph, "m a z");
}

static void a_branch_is_walked_down_to_where_it_began(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b1", "'a'", "");
    put_revision(&p, "b2", "'b1'", "");
    put_revision(&p, "c1", "'a'", "");
    put_revision(&p, "c2", "'c1'", "");
    put_revision(&p, "m", "('c2', 'b2')", "");
    put_revision(&p, "n", "'m'", "");
    load(&p);
    assert_order(p.graph, "a b1 b2 c1 c2 m n");
    put_revision(&p, "m", "('b2', 'c2')", "");
    load(&p);
    assert_order(p.graph, "a c1 c2 b1 b2 m n");
}

static void dependencies_come_first_as_well(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a1", "None", "depends_on = 'b2'");
    put_revision(&p, "a2", "'a1'", "");
    put_revision(&p, "b1", "None", "");
    put_revision(&p, "b2", "'b1'", "");
    put_revision(&p, "b3", "'b2'", "");
    load(&p);
    assert_order(p.graph, "b1 b2 b3 a1 a2");
}

static void a_dependency_that_an_ancestor_has_too_does_not_count(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "d", "None", "");
    put_revision(&p, "e", "None", "");
    put_revision(&p, "a1", "None", "depends_on = 'd'");
    put_revision(&p, "a2", "'a1'", "depends_on = ('d', 'e')");
    put_revision(&p, "a3", "'a2'", "depends_on = ('e', 'd')");
    load(&p);
    assert_int_equal(p.graph->error_count, 0);
    assert_order(p.graph, "e d a1 a2 a3");
}

static void a_merge_may_list_its_own_ancestor(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "'a'", "");
    put_revision(&p, "c", "('b', 'a')", "");
    load(&p);
    assert_int_equal(p.graph->error_count, 0);
    assert_order(p.graph, "a b c");
}

static void a_long_ladder_of_branches_and_merges_keeps_parents_first(void **state)
{
    (void)state;
    enum { RUNGS = 60 };
    AUTO_PROJECT p = new_project();
    put_revision(&p, "m0", "None", "");
    for (unsigned i = 1; i <= RUNGS; i++) {
        char id[16], down[64];
        (void)snprintf(down, sizeof down, "'m%u'", i - 1);
        (void)snprintf(id, sizeof id, "l%u", i);
        put_revision(&p, id, down, "");
        (void)snprintf(id, sizeof id, "r%u", i);
        put_revision(&p, id, down, i > 5 ? "depends_on = 'l2'" : "");
        (void)snprintf(id, sizeof id, "m%u", i);
        (void)snprintf(down, sizeof down, "('l%u', 'r%u')", i, i);
        put_revision(&p, id, down, "");
    }
    load(&p);
    assert_int_equal(p.graph->count, 3 * RUNGS + 1);
    bool seen[3 * RUNGS + 1] = {false};
    for (size_t i = 0; i < p.graph->count; i++) {
        const struct revision *r = &p.graph->revisions[p.graph->order[i]];
        for (size_t d = 0; d < r->parent_count; d++)
            assert_true(seen[r->parents[d]]);
        assert_false(seen[p.graph->order[i]]);
        seen[p.graph->order[i]] = true;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_in_its_own_order),
        cmocka_unit_test(heads_stand_in_the_order_of_their_files),
        cmocka_unit_test(a_branch_is_walked_down_to_where_it_began),
        cmocka_unit_test(dependencies_come_first_as_well),
        cmocka_unit_test(a_dependency_that_an_ancestor_has_too_does_not_count),
        cmocka_unit_test(a_merge_may_list_its_own_ancestor),
        cmocka_unit_test(a_long_ladder_of_branches_and_merges_keeps_parents_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
