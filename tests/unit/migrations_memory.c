/* Memory runs out at every allocation of reading a project, one after the other. */
#include "tests/lib/heap.h"
#include "tests/unit/migrations_project.h"

static struct project with_everything(void)
{
    struct project p = new_project();
    put(&p, "alembic.ini",
        "[DEFAULT]\nx = m\n[alembic]\nscript_location = %(here)s/%(x)s\npath_separator = os\n"
        "version_locations = %(here)s/m/versions:%(here)s/nowhere\n");
    put(&p, "pyproject.toml",
        "[tool.alembic]\nrecursive_version_locations = true\nversion_locations = ['%(here)s/a']\n");
    put_revision(&p, "a", "None", "branch_labels = ['l', 'm']");
    put_revision(&p, "b", "('a',)", "");
    put_revision(&p, "c", "'a'", "depends_on = ['b']");
    put_revision(&p, "d", "['b', 'c']", "depends_on = 'l'");
    put_revision(&p, "e", "'nope'", "x = [1, (2, 3)]");
    put_revision(&p, "f", "g()", "");
    put(&p, "m/versions/below/b.py", "revision = 'b'\ndown_revision = None\nbranch_labels = 'l'\n");
    return p;
}

/* Run ACT with each allocation failing in turn, until none is left; each failure says so. */
static void fail_each(struct project *p, int (*act)(struct project *))
{
    long k = 0;
    for (;; k++) {
        err_clear(&p->err);
        heap_fail_after(k);
        int rc = act(p);
        bool failed = heap_successes < 0;
        heap_fail_after(-1);
        if (rc == 0 && !failed)
            break;
        if (rc != 0 && p->err.kind != ERR_RESOURCE)
            fail_msg("allocation %ld: %s", k, p->err.text);
    }
    assert_in_range(k, 10, 10000);
}

static int read_project(struct project *p)
{
    return load_from(p, "alembic.ini");
}

static void reading_a_project_fails_cleanly_at_every_allocation(void **state)
{
    (void)state;
    NEEDS_HEAP();
    AUTO_PROJECT p = with_everything();
    fail_each(&p, read_project);
}

static int read_heads(struct project *p)
{
    static const char text[] = "a (head)\nb (l) (head)\nc (effective head)\n";
    graph_free(p->graph);
    p->graph = NULL;
    return graph_from_heads_output(text, sizeof text - 1, &p->graph, &p->err);
}

static void reading_heads_fails_cleanly_at_every_allocation(void **state)
{
    (void)state;
    NEEDS_HEAP();
    AUTO_PROJECT p = new_project();
    fail_each(&p, read_heads);
}

static void questions_are_answered_without_memory(void **state)
{
    (void)state;
    NEEDS_HEAP();
    AUTO_PROJECT p = new_project();
    const char *next[3] = {NULL};
    size_t count = 0;
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "'a'", "");
    load(&p);
    heap_fail_after(0);
    size_t behind = graph_behind(p.graph, NULL, 0, next, 2, &count);
    bool older = graph_is_ancestor(p.graph, "a", "b");
    heap_fail_after(-1);
    assert_int_equal(behind, 2);
    assert_names(next, count, "a b");
    assert_true(older);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_a_project_fails_cleanly_at_every_allocation),
        cmocka_unit_test(reading_heads_fails_cleanly_at_every_allocation),
        cmocka_unit_test(questions_are_answered_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
