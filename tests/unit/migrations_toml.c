#include "tests/lib/unit.h"

#include <string.h>

#include "base/buf.h"
#include "migrations/internal.h"

/* What [tool.alembic] k is: "text:x", "texts:a,b", "true", "other", "absent". */
static void k_is(const char *text, const char *expected)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct toml_wanted wanted[] = {{.name = "k"}};
    AUTO_BUF out = BUF_INIT(4096);
    if (toml_read(&arena, "x.toml", text, strlen(text), wanted, 1, &err) != 0)
        fail_msg("%s in: %s", err.text, text);
    const struct toml_value *v = &wanted[0].value;
    static const char *const kinds[] = {"absent", "text:", "", "texts:", "other"};
    buf_adds(&out, kinds[v->kind]);
    if (v->kind == TOML_TEXT)
        buf_adds(&out, v->text);
    if (v->kind == TOML_BOOLEAN)
        buf_adds(&out, v->boolean ? "true" : "false");
    for (size_t i = 0; i < v->count; i++)
        buf_addf(&out, "%s%s", i ? "," : "", v->texts[i]);
    assert_string_equal(buf_text(&out), expected);
}

static void is_refused(const char *text, const char *part, unsigned line)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct toml_wanted wanted[] = {{.name = "k"}};
    assert_int_equal(toml_read(&arena, "x.toml", text, strlen(text), wanted, 1, &err), -1);
    assert_text_has(err.text, part);
    assert_string_equal(err.file, "x.toml");
    assert_int_equal(err.line, line);
}

static void a_key_is_found_however_it_is_written(void **state)
{
    (void)state;
    k_is("[tool.alembic]\nk = 'v'", "text:v");
    k_is("[ tool . 'alembic' ] # c\r\n\"k\"=\"v\"\r\n", "text:v");
    k_is("tool.alembic.k = 'v'", "text:v");
    k_is("[tool]\nalembic.k = 'v'", "text:v");
    k_is("[tool]\nalembic = {a = 1, k = 'v'}", "text:v");
    k_is("tool = {alembic = {k = 'v',\n# c\n},}", "text:v");
    k_is("[project]\nlicense = {text = 'MIT'}\nname = 'x'\n\n[tool.alembic]\nk = 'v'", "text:v");
    k_is("a = [{b = {c = 1}} , {} ]\r\nb = { c = {} } # d\r\n\r\ntool.alembic.k = 'v'", "text:v");
    k_is("[tool.alembic]\n[tool.other]\nk = 'v'", "absent");
    k_is("k = 'v'\n[alembic]\nk = 'v'\n[tool.alembic.x]\nk = 'v'\n[x.tool.alembic]\nk = 'v'",
         "absent");
    k_is("[[tool.alembic]]\nk = 'v'", "absent");
    k_is("x = [{tool = {alembic = {k = 'v'}}}]", "absent");
    k_is("", "absent");
}

static void values_have_the_types_of_toml(void **state)
{
    (void)state;
    k_is("tool.alembic.k = true", "true");
    k_is("tool.alembic.k = false # c", "false");
    k_is("tool.alembic.k = 17", "other");
    k_is("tool.alembic.k = 1979-05-27 07:32:00.5Z\n", "other");
    k_is("tool.alembic.k = [\n'a', # c\n\"b\"\n,]", "texts:a,b");
    k_is("tool.alembic.k = []", "texts:");
    k_is("tool.alembic.k = ['a', 1]", "other");
    k_is("tool.alembic.k = [['a']]", "other");
    k_is("tool.alembic.k = {}", "other");
}

static void strings_are_read_by_their_quotes(void **state)
{
    (void)state;
    k_is("tool.alembic.k = \"a\\t\\\"\\u00e9\\U0001f600\\\\\"",
         "text:a\t\"\xc3\xa9\xf0\x9f\x98\x80\\");
    k_is("tool.alembic.k = 'a\\t\"'", "text:a\\t\"");
    k_is("tool.alembic.k = \"\"\"\na\r\nb\\\n   \n  c\"\"\"\"\"", "text:a\nbc\"\"");
    k_is("tool.alembic.k = '''\na''b\\'''", "text:a''b\\");
    k_is("tool.alembic.k = ''", "text:");
}

static void what_is_no_toml_is_refused_with_its_line(void **state)
{
    (void)state;
    is_refused("a = 1\nb = nonsense", "not TOML", 2);
    is_refused("a = 'x\n'", "not closed", 1);
    is_refused("a = \"\"\"x\n\n", "not closed", 3);
    is_refused("a = \"\\q\"", "escape", 1);
    is_refused("a = \"\\u12\"", "escape", 1);
    is_refused("a = [1 2]", "`,` or `]`", 1);
    is_refused("a = {b = 1 c = 2}", "`,` or `}`", 1);
    is_refused("a = 1 b = 2", "end of a line", 1);
    is_refused("a = {b = 1} c = 2", "end of a line", 1);
    is_refused("[a\n", "not closed", 1);
    is_refused("[]\n", "key was expected", 1);
    is_refused("a\n", "`=`", 1);
    is_refused("a =\n", "value was expected", 1);
    is_refused("\n= 1", "key was expected", 2);
    is_refused("tool.alembic.k = 1\ntool.alembic.k = 2", "twice", 2);
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    char text[CONFIG_MAX_DEPTH * 4];
    memset(text, '[', sizeof text);
    memcpy(text, "a = ", 4);
    text[sizeof text - 1] = '\0';
    is_refused(text, "too deeply", 1);
}

static void every_cut_and_every_wrong_byte_comes_to_an_end(void **state)
{
    (void)state;
    static const char text[] =
        "[tool.'a'] # c\nk.\"b\" = [1, {c = '''x'''}, \"\"\"\\\n \\u0041\"\"\"]\n"
        "d = 1979-05-27 07:32:00\ne = true\n[[f]]\n";
    static const char wrong[] = "'\"[]{}\\#=,.\n\t \xff";
    char copy[sizeof text];
    for (size_t n = 0; n + 1 < sizeof text; n++) {
        for (size_t w = 0; w < sizeof wrong; w++) {
            AUTO_ARENA arena = ARENA_INIT;
            struct err err = ERR_INIT;
            memcpy(copy, text, sizeof text);
            copy[n] = wrong[w];
            int rc = toml_read(&arena, "x", copy, w ? sizeof text - 1 : n, NULL, 0, &err);
            assert_true(rc == 0 || err.line > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_however_it_is_written),
        cmocka_unit_test(values_have_the_types_of_toml),
        cmocka_unit_test(strings_are_read_by_their_quotes),
        cmocka_unit_test(what_is_no_toml_is_refused_with_its_line),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(every_cut_and_every_wrong_byte_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
