#include "tests/unit/migrations_project.h"

#include <unistd.h>

#include "base/json.h"

/* A merge, a dependency, a label, and what each format has to quote. */
static struct project drawn(void)
{
    struct project p = new_project();
    put_revision(&p, "a", "None", "branch_labels = 'l\"'");
    put_revision(&p, "b", "'a'", "");
    put_revision(&p, "m", "('a', 'b')", "");
    put(&p, "m/versions/q.py",
        "'''\"q\" <\\x1b> #\\\\'''\nrevision = 'q\\\"\\\\'\ndown_revision = None\ndepends_on = "
        "'b'\n");
    load(&p);
    assert_int_equal(p.graph->error_count, 0);
    return p;
}

static void text_has_a_line_for_each_revision_in_order(void **state)
{
    (void)state;
    AUTO_PROJECT p = drawn();
    AUTO_BUF out = BUF_INIT(4096);
    graph_write_text(p.graph, &out);
    assert_string_equal(buf_text(&out), "<base> -> a [l\"], message of a\n"
                                        "a -> b, message of b\n"
                                        "<base> -> q\"\\ (depends on b) (head), \"q\" <\\x1b> #\\\n"
                                        "a, b -> m (head), message of m\n"
                                        "\n4 revisions, 2 bases, 2 heads: m, q\"\\\n");
}

static void text_tells_heads_from_what_the_version_table_holds(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    AUTO_BUF out = BUF_INIT(4096);
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "None", "depends_on = 'a'");
    put_revision(&p, "c", "'nope'", "");
    load(&p);
    graph_write_text(p.graph, &out);
    assert_text_has(buf_text(&out), "-> a (head, depended on)");
    assert_text_has(buf_text(&out), "3 heads: a, b, c; in the version table: b, c\n1 error\n");
}

static void json_has_the_members_that_are_promised(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    AUTO_BUF out = BUF_INIT(1 << 16);
    struct json json = JSON_INIT(&out);
    put_revision(&p, "a", "None", "branch_labels = ['l']");
    put_revision(&p, "b", "('a',)", "depends_on = 'l'");
    put_revision(&p, "c", "'nope'", "");
    load(&p);
    json_begin_object(&json, NULL);
    graph_write_json(p.graph, &json);
    json_end_object(&json);
    assert_int_equal(buf_check(&out, ERR_DEFECT, "json", &p.err), 0);
    assert_text_has(out.data,
                    "{\"heads\":[\"b\",\"c\"],\"effective_heads\":[\"b\",\"c\"],\"bases\":[\"a\"],"
                    "\"count\":3,\"order\":[\"c\",\"a\",\"b\"],\"revisions\":[{\"revision\":\"c\"");
    assert_text_has(out.data,
                    "{\"revision\":\"b\",\"down_revision\":[\"a\"],\"depends_on\":[\"l\"],"
                    "\"branch_labels\":[],\"message\":\"message of b\",\"file\":\"/");
    assert_text_has(out.data, "\"errors\":[{\"kind\":\"missing-parent\",\"message\":\"/");
    assert_text_has(out.data, "/c.py\",\"line\":3}]}");
}

static void json_leaves_out_a_line_that_is_not_known(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    AUTO_BUF out = BUF_INIT(1 << 16);
    struct json json = JSON_INIT(&out);
    char path[PATH_MAX];
    put_revision(&p, "a", "None", "");
    path_of(&p, "m/versions/gone.py", path);
    assert_int_equal(symlink("nowhere", path), 0);
    load(&p);
    json_begin_object(&json, NULL);
    graph_write_json(p.graph, &json);
    json_end_object(&json);
    assert_int_equal(buf_check(&out, ERR_DEFECT, "json", &p.err), 0);
    assert_text_has(out.data, "\"errors\":[{\"kind\":\"unreadable\"");
    assert_text_has(out.data, "/gone.py\"}]}");
    assert_text_lacks(out.data, "\"line\"");
}

static void dot_quotes_what_its_strings_cannot_hold(void **state)
{
    (void)state;
    AUTO_PROJECT p = drawn();
    AUTO_BUF out = BUF_INIT(1 << 16);
    graph_write_dot(p.graph, &out);
    assert_text_has(buf_text(&out), "digraph revisions {\n");
    assert_text_has(buf_text(&out), "    \"a\" [label=\"a @l\\\"\\nmessage of a\"];\n");
    assert_text_has(buf_text(&out),
                    "    \"q\\\"\\\\\" [label=\"q\\\"\\\\\\n\\\"q\\\" <\\\\x1B> #\\\\\", "
                    "style=bold];\n");
    assert_text_has(buf_text(&out), "    \"a\" -> \"m\";\n    \"b\" -> \"m\";\n");
    assert_text_has(buf_text(&out), "    \"b\" -> \"q\\\"\\\\\" [style=dashed];\n");
}

static void mermaid_writes_marks_as_codes(void **state)
{
    (void)state;
    AUTO_PROJECT p = drawn();
    AUTO_BUF out = BUF_INIT(1 << 16);
    graph_write_mermaid(p.graph, &out);
    assert_text_has(buf_text(&out), "flowchart BT\n    r0[\"a @l#34;<br/>message of a\"]\n");
    assert_text_has(buf_text(&out), "    r3[\"q#34;#92;<br/>#34;q#34; #60;\\x1B#62; #35;#92;\"]"
                                    ":::head\n");
    assert_text_has(buf_text(&out), "    r0 --> r2\n    r1 --> r2\n");
    assert_text_has(buf_text(&out), "    r1 -.-> r3\n");
    put(&p, "m/versions/z.py", "'''a\\x7fb'''\nrevision = 'z'\ndown_revision = 'b'\n");
    load(&p);
    buf_clear(&out);
    graph_write_mermaid(p.graph, &out);
    assert_text_has(buf_text(&out), "z<br/>a\\x7Fb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_has_a_line_for_each_revision_in_order),
        cmocka_unit_test(text_tells_heads_from_what_the_version_table_holds),
        cmocka_unit_test(json_has_the_members_that_are_promised),
        cmocka_unit_test(json_leaves_out_a_line_that_is_not_known),
        cmocka_unit_test(dot_quotes_what_its_strings_cannot_hold),
        cmocka_unit_test(mermaid_writes_marks_as_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
