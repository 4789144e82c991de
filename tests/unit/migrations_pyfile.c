#include "tests/lib/unit.h"

#include <string.h>

#include "base/buf.h"
#include "migrations/internal.h"

struct read {
    struct arena arena;
    struct pyfile_space space;
    struct pyfile py;
};

static void drop_read(struct read *r)
{
    arena_release(&r->arena);
    pyfile_space_release(&r->space);
}

#define AUTO_READ CLEANUP(drop_read) struct read

static struct read read_bytes(const char *text, size_t length)
{
    struct read r = {0};
    struct err err = ERR_INIT;
    assert_int_equal(pyfile_read(&r.arena, &r.space, text, length, &r.py, &err), 0);
    return r;
}

/* What `revision` is after TEXT: "text:a", "list:a,b", "none", "absent", "computed:why", … */
static void revision_is(const char *text, const char *expected)
{
    static const char *const kinds[] = {
        [PY_ABSENT] = "absent", [PY_NONE] = "none",         [PY_TEXT] = "text:",
        [PY_LIST] = "list:",    [PY_COMPUTED] = "computed", [PY_WRONG] = "wrong",
    };
    AUTO_READ r = read_bytes(text, strlen(text));
    const struct py_value *v = &r.py.values[PY_REVISION];
    AUTO_BUF out = BUF_INIT(4096);
    if (r.py.trouble)
        fail_msg("%s in: %s", r.py.trouble, text);
    buf_adds(&out, kinds[v->kind]);
    for (size_t i = 0; i < v->count; i++)
        buf_addf(&out, "%s%s", i ? "," : "", v->items[i] ? v->items[i] : "None");
    if (strcmp(buf_text(&out), expected) != 0)
        fail_msg("%s, not %s (%s), in: %s", buf_text(&out), expected, v->why ? v->why : "", text);
    if (v->kind == PY_COMPUTED || v->kind == PY_WRONG)
        assert_true(v->why && *v->why && v->line > 0);
}

static void constants_are_read_in_all_their_forms(void **state)
{
    (void)state;
    revision_is("revision = 'a'", "text:a");
    revision_is("revision: str = 'a'", "text:a");
    revision_is("revision: Union[str, 'x:y', None] = ('a' 'b' \n 'c')", "text:abc");
    revision_is("revision = 'a' + ('b' + u'c')", "text:abc");
    revision_is("revision = None", "none");
    revision_is("revision = ()", "list:");
    revision_is("revision = {}", "list:");
    revision_is("revision = 'a',", "list:a");
    revision_is("revision = ['a', ('b'), None,]", "list:a,b,None");
    revision_is("x = revision = y = 'a'", "text:a");
    revision_is("x, (revision, y) = 1, ('a', z)", "text:a");
    revision_is("x = 1; revision = 'a'; y = 2", "text:a");
}

static void the_last_binding_counts(void **state)
{
    (void)state;
    revision_is("revision = 'a'\nrevision = 'b'", "text:b");
    revision_is("revision = f(x)\nrevision = 'b'", "text:b");
    revision_is("revision = 'b'\nrevision: str", "text:b");
    revision_is("revision = 'b'\ndel revision", "absent");
    revision_is("revision = 'b'\nif x: del revision", "computed");
    revision_is("revision = 'b'\nimport a.revision, revision as z", "text:b");
    revision_is("revision = 'b'\nimport z as revision", "computed");
    revision_is("revision = 'b'\nfrom z import (x,\n revision)", "computed");
    revision_is("revision = 'b'\nfrom z import revision as x", "text:b");
    revision_is("from z import *\nrevision = 'b'", "text:b");
    revision_is("from z import *", "computed");
    revision_is("def revision(): pass", "computed");
    revision_is("class revision: pass", "computed");
    revision_is("with x as revision: pass", "computed");
    revision_is("for a, revision in x: pass", "computed");
    revision_is("revision = 'a'\nrevision += 'b'", "computed");
    revision_is("revision = 'a'\nif (revision := 'b'): pass", "computed");
    revision_is("revision = 'a'\nx = [1, (revision := 'b')]", "computed");
}

static void blocks_run_or_not_by_their_constant_conditions(void **state)
{
    (void)state;
    revision_is("if True:\n  if 1:\n    revision = 'a'\n  else:\n    revision = 'b'", "text:a");
    revision_is("if False:\n  revision = 'a'\nelif not True:\n  revision = 'b'\nelse:\n"
                "  revision = 'c'",
                "text:c");
    revision_is("if x:\n  revision = 'a'\nelse:\n  revision = 'b'", "computed");
    revision_is("if x:\n  y = 1\n  if True:\n    revision = 'a'", "computed");
    revision_is("if x:\n  y = 1\nrevision = 'a'", "text:a");
    revision_is("try:\n  revision = 'a'\nexcept E:\n  y = 1\nelse:\n  revision = 'b'", "text:b");
    revision_is("try:\n  revision = 'a'\nexcept E:\n  revision = 'b'", "computed");
    revision_is("while False:\n  revision = 'a'\nelse:\n  revision = 'b'", "text:b");
    revision_is("while True:\n  revision = 'a'", "computed");
    revision_is("with a, b as c:\n  revision = 'a'", "text:a");
    revision_is("if typing.TYPE_CHECKING:\n  revision = 'a'\nrevision: str", "absent");
    revision_is("match x:\n  case 1:\n    revision = 'a'", "computed");
    revision_is("match = 1\ncase = 2\nrevision = 'a'", "text:a");
}

static void bodies_of_functions_and_classes_are_not_looked_into(void **state)
{
    (void)state;
    revision_is(
        "revision = 'a'\ndef f(x=lambda: 1, revision='y') -> {'a': 1}:\n  revision = 'x'\n\n"
        "  # c\n  if y:\n    revision = 'z'\nclass A(B): revision = 'x'\n"
        "async def g():\n  revision = 'x'",
        "text:a");
    revision_is("def f():\n  '''\nrevision = 'x'\n'''\n  x = (\nrevision)\nrevision = 'a'",
                "text:a");
    revision_is("revision = 'a'\ndef f():\n  global revision\n  revision = 'b'", "computed");
    revision_is("@d(revision='x')\ndef f(): pass\nrevision = 'a'", "text:a");
}

static void what_only_a_run_can_tell_is_computed(void **state)
{
    (void)state;
    revision_is("revision = f'a'", "computed");
    revision_is("revision = 'a' f'b'", "computed");
    revision_is("revision = 'a'.strip()", "computed");
    revision_is("revision = 'a' % 1", "computed");
    revision_is("revision = 'a' + b", "computed");
    revision_is("revision = b", "computed");
    revision_is("revision = 'a' if x else 'b'", "computed");
    revision_is("revision = lambda a, b=1: a", "computed");
    revision_is("revision = ['a', b]", "computed");
    revision_is("revision = {'a': 'b'}", "computed");
    revision_is("revision = [x for x in y]", "computed");
    revision_is("revision, x = 'ab'", "computed");
    revision_is("exec('revision = 1')", "computed");
    revision_is("globals()['revision'] = 'a'", "computed");
    revision_is("revision = -1", "computed");
}

static void constants_of_other_types_are_wrong(void **state)
{
    (void)state;
    revision_is("revision = 7", "wrong");
    revision_is("revision = True", "wrong");
    revision_is("revision = b'a'", "wrong");
    revision_is("revision = ['a', ['b']]", "wrong");
    revision_is("revision = 'a\\0b'", "wrong");
    revision_is("revision = '\\ud800'", "wrong");
    revision_is("revision = '\\N{DASH}'", "wrong");
    revision_is("revision = '\xff'", "wrong");
}

static void a_very_long_list_is_no_constant(void **state)
{
    (void)state;
    AUTO_BUF text = BUF_INIT(1 << 20);
    buf_adds(&text, "revision = [");
    for (int i = 0; i < 70000; i++)
        buf_adds(&text, "1,");
    buf_adds(&text, "]\ndown_revision = 'a'\n");
    AUTO_READ r = read_bytes(text.data, text.len);
    assert_int_equal(r.py.values[PY_REVISION].kind, PY_COMPUTED);
    assert_int_equal(r.py.values[PY_DOWN_REVISION].kind, PY_TEXT);
}

static void lines_are_those_of_the_names(void **state)
{
    (void)state;
    const char *text = "# c\r\n'''d\r\n'''\r\n\r\nrevision = (\r\n'a')\r\ndown_revision = 'b'\r\n";
    AUTO_READ r = read_bytes(text, strlen(text));
    assert_int_equal(r.py.values[PY_REVISION].line, 5);
    assert_int_equal(r.py.values[PY_DOWN_REVISION].line, 7);
}

static void message_is_the_docstrings_first_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"'''\n\n  first  \nsecond'''", "first"},
        {"# c\n\"a\" 'b'\n", "ab"},
        {"x = 1\n'no'", ""},
        {"f'no'", ""},
        {"'''a'''.strip()", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_READ r = read_bytes(cases[i].text, strlen(cases[i].text));
        assert_string_equal(r.py.message, cases[i].message);
    }
}

static void what_cannot_be_tokenised_is_trouble_with_a_line(void **state)
{
    (void)state;
    static const char *const texts[] = {"x\nrevision = 'a\n", "x\ndef f():\n  '''", "x\n(",
                                        "x\n  )"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO_READ r = read_bytes(texts[i], strlen(texts[i]));
        assert_non_null(r.py.trouble);
        assert_in_range(r.py.trouble_line, 2, 3);
    }
}

static void every_cut_and_every_wrong_byte_of_a_file_comes_to_an_end(void **state)
{
    (void)state;
    static const char text[] =
        "'''m'''\nif x and (y := 1): revision: str = f'{a[\"b\"]:>{c}}' + ('a', *b)\nelse:\n"
        "\tfor a, b in c: del a\n@d\ndef f(a, *, b=lambda: {1: [2]}) -> x:\n  global revision\n"
        "revision = down_revision = u'\\x41' 'b' \\\n 'c'; x[1:2] = ...\n";
    static const char wrong[] = "'\"()[]{}\\#:=,;\n\t \xff";
    char copy[sizeof text];
    for (size_t n = 0; n < sizeof text; n++) {
        AUTO_READ cut = read_bytes(text, n);
        for (size_t w = 0; n + 1 < sizeof text && w < sizeof wrong; w++) {
            memcpy(copy, text, sizeof text);
            copy[n] = wrong[w];
            AUTO_READ r = read_bytes(copy, sizeof text - 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_read_in_all_their_forms),
        cmocka_unit_test(the_last_binding_counts),
        cmocka_unit_test(blocks_run_or_not_by_their_constant_conditions),
        cmocka_unit_test(bodies_of_functions_and_classes_are_not_looked_into),
        cmocka_unit_test(what_only_a_run_can_tell_is_computed),
        cmocka_unit_test(constants_of_other_types_are_wrong),
        cmocka_unit_test(a_very_long_list_is_no_constant),
        cmocka_unit_test(lines_are_those_of_the_names),
        cmocka_unit_test(message_is_the_docstrings_first_line),
        cmocka_unit_test(what_cannot_be_tokenised_is_trouble_with_a_line),
        cmocka_unit_test(every_cut_and_every_wrong_byte_of_a_file_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
