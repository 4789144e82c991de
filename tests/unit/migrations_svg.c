#include "tests/unit/migrations_project.h"

static char *draw(struct project *p)
{
    AUTO_BUF out = BUF_INIT(1 << 20);
    load(p);
    assert_int_equal(graph_write_svg(p->graph, &out, &p->err), 0);
    assert_int_equal(buf_check(&out, ERR_DEFECT, "svg", &p->err), 0);
    return buf_take(&out);
}

static void a_chain_is_one_straight_line(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "'a'", "");
    put_revision(&p, "c", "'b'", "");
    AUTO_FREE char *svg = draw(&p);
    assert_text_has(svg, "<path d=\"M20 20V48\"");
    assert_text_has(svg, "<path d=\"M20 48V76\"");
    assert_text_has(svg, "<circle cx=\"20\" cy=\"76\"");
    assert_text_lacks(svg, "cx=\"38\"");
}

static void a_branch_has_a_lane_of_its_own_between_branching_and_merging(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "'a'", "");
    put_revision(&p, "c", "'a'", "");
    put_revision(&p, "m", "('b', 'c')", "");
    AUTO_FREE char *svg = draw(&p);
    assert_text_has(svg, "<path d=\"M20 20V48\"");                      /* m to b */
    assert_text_has(svg, "<path d=\"M20 20C20 48 38 20 38 48V76\"");    /* m to c */
    assert_text_has(svg, "<path d=\"M20 48V104\"");                     /* b to a */
    assert_text_has(svg, "<path d=\"M38 76C38 104 20 76 20 104V104\""); /* c to a */
}

static void a_dependency_is_dashed_and_takes_no_lane(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    put_revision(&p, "b", "None", "depends_on = 'a'");
    AUTO_FREE char *svg = draw(&p);
    assert_text_has(svg, "stroke-dasharray");
    assert_text_lacks(svg, "cx=\"38\"");
}

static void heads_and_labels_are_told(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "branch_labels = 'one'");
    put_revision(&p, "b", "None", "depends_on = 'a'");
    put_revision(&p, "c", "'b'", "");
    AUTO_FREE char *svg = draw(&p);
    assert_text_has(svg, ">a</tspan> @one (head, depended on) message of a<");
    assert_text_has(svg, ">b</tspan> message of b<");
    assert_text_has(svg, ">c</tspan> (head) message of c<");
}

static void what_xml_cannot_hold_is_quoted_and_long_text_is_cut(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put(&p, "m/versions/x.py",
        "'''<&\">\\x01 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "\\u00e9\\u00e9'''\nrevision = 'a'\ndown_revision = None\n");
    AUTO_FREE char *svg = draw(&p);
    assert_text_has(svg, "&lt;&amp;&quot;&gt;\\x01 a");
    assert_text_has(svg, "a\xc3\xa9...</text>");
}

static void cycles_and_empty_graphs_are_drawn_too(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    AUTO_FREE char *empty = draw(&p);
    assert_text_has(empty, "</svg>");
    put_revision(&p, "a", "'b'", "");
    put_revision(&p, "b", "'a'", "");
    AUTO_FREE char *cycle = draw(&p);
    assert_text_has(cycle, "L20 20");
}

static void more_lanes_than_a_screen_has_share_the_last_one(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put_revision(&p, "a", "None", "");
    for (unsigned i = 0; i < 300; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "h%u", i);
        put_revision(&p, id, "None", "");
    }
    AUTO_BUF down = BUF_INIT(1 << 14);
    for (unsigned i = 0; i < 300; i++)
        buf_addf(&down, "'h%u',", i);
    AUTO_BUF text = BUF_INIT(1 << 15);
    buf_addf(&text, "revision = 'm'\ndown_revision = (%s)\n", buf_text(&down));
    put(&p, "m/versions/m.py", buf_text(&text));
    AUTO_FREE char *svg = draw(&p);
    assert_text_has(svg, "cx=\"4610\""); /* lane 255 */
    assert_text_lacks(svg, "cx=\"4628\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_one_straight_line),
        cmocka_unit_test(a_branch_has_a_lane_of_its_own_between_branching_and_merging),
        cmocka_unit_test(a_dependency_is_dashed_and_takes_no_lane),
        cmocka_unit_test(heads_and_labels_are_told),
        cmocka_unit_test(what_xml_cannot_hold_is_quoted_and_long_text_is_cut),
        cmocka_unit_test(cycles_and_empty_graphs_are_drawn_too),
        cmocka_unit_test(more_lanes_than_a_screen_has_share_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
