#include "tests/unit/migrations_project.h"

#include <unistd.h>

#include "migrations/internal.h"

/* The folders that CONFIG names, without PROJECT's own, each in <>. */
static void folders_are(const struct project *p, const char *name, const char *expected)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct config config;
    char path[PATH_MAX];
    AUTO_BUF out = BUF_INIT(4096);
    path_of(p, name, path);
    struct graph_settings settings = {.path = path, .working_folder = p->folder};
    if (config_resolve(&arena, &settings, &config, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < config.folder_count; i++)
        buf_addf(&out, "<%s>", config_shorten(config.folders[i], p->folder));
    buf_adds(&out, config.recursive ? " recursive" : "");
    assert_string_equal(buf_text(&out), expected);
}

static struct err refusal(const struct project *p, const char *name)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct config config;
    char path[PATH_MAX];
    path_of(p, name, path);
    struct graph_settings settings = {.path = path, .working_folder = p->folder};
    assert_int_equal(config_resolve(&arena, &settings, &config, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    return err;
}

static void versions_lie_below_the_script_folder(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    folders_are(&p, "alembic.ini", "<m/versions>");
    folders_are(&p, "m", "<m/versions>");
    put(&p, "c/alembic.ini", "[alembic]\nscript_location = ./m//\n");
    folders_are(&p, "c/alembic.ini", "<m/versions>");
}

static void locations_are_split_by_their_separator(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    static const struct {
        const char *options, *folders;
    } cases[] = {
        {"path_separator = os\nversion_locations = a:%(here)s/b::c d\n", "<a><b><c d>"},
        {"path_separator = :\nversion_locations = a : b\n", "<a><b>"},
        {"path_separator = ;\nversion_locations = a; b;\n", "<a><b>"},
        {"path_separator = space\nversion_locations = a  b\n", "<a><b>"},
        {"path_separator = newline\nversion_locations =\n  a b\n\n  c\n", "<a b><c>"},
        {"version_path_separator = ;\nversion_locations = a;b\n", "<a><b>"},
        {"version_locations = a,  b c\n", "<a><b><c>"},
        {"version_locations =\n", "<m/versions>"},
        {"recursive_version_locations = true\n", "<m/versions> recursive"},
        {"recursive_version_locations = True\n", "<m/versions>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF text = BUF_INIT(4096);
        buf_addf(&text, "[alembic]\nscript_location = m\n%s", cases[i].options);
        put(&p, "alembic.ini", buf_text(&text));
        folders_are(&p, "alembic.ini", cases[i].folders);
    }
}

static void pyproject_fills_in_what_the_ini_lacks(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put(&p, "pyproject.toml",
        "[tool.alembic]\nscript_location = 'nowhere'\nversion_locations = ['%(here)s/a', '%%b']\n"
        "recursive_version_locations = true\n");
    folders_are(&p, "alembic.ini", "<a><%b> recursive");
    folders_are(&p, "pyproject.toml", "<a><%b> recursive");
    put(&p, "alembic.ini",
        "[alembic]\nscript_location = m\nversion_locations = c\n"
        "recursive_version_locations = no\n");
    folders_are(&p, "alembic.ini", "<c>");
}

static void each_refusal_names_the_file_and_the_option(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    static const struct {
        const char *ini, *toml, *part, *hint;
    } cases[] = {
        {"[alembic]\n", "", "no script_location", "env.py"},
        {"[alembic]\nscript_location = x\n", "", "No such file", "working folder"},
        {"[alembic]\nscript_location = pkg:x\n", "", "'pkg:x'",
         "\"heads\": [\"alembic\", \"heads\"]"},
        {"[alembic]\nscript_location = m\nversion_locations = pkg:x\n", "", "'pkg:x'", "\"dir\""},
        {"[alembic]\nscript_location = m\nsourceless = true\n", "", "sourceless", "\"heads\""},
        {"[alembic]\nscript_location = m\nversion_locations = x\npath_separator = ,\n", "",
         "path_separator is ','", ""},
        {"[alembic]\n", "[tool.alembic]\nscript_location = 1\n", "is not a string", ""},
        {"[alembic]\n", "[tool.alembic]\nscript_location = '%s'\n", "`%`", ""},
        {"[alembic]\nscript_location = m\n", "[tool.alembic]\nversion_locations = 'x'\n",
         "is not a list of strings", ""},
        {"[alembic]\nscript_location = m\n", "[tool.alembic]\nsourceless = 1\n",
         "is not true or false", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put(&p, "alembic.ini", cases[i].ini);
        put(&p, "pyproject.toml", cases[i].toml);
        struct err err = refusal(&p, "alembic.ini");
        assert_text_has(err.text, cases[i].part);
        assert_text_has(err.hint, cases[i].hint);
    }
}

static void a_package_of_scripts_does_not_matter_when_the_versions_are_named(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put(&p, "alembic.ini", "[alembic]\nscript_location = pkg:x\nversion_locations = a\n");
    folders_are(&p, "alembic.ini", "<a>");
}

static void a_folder_that_is_named_needs_no_settings(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    AUTO_ARENA arena = ARENA_INIT;
    struct config config;
    char versions[PATH_MAX];
    path_of(&p, "m/versions", versions);
    struct graph_settings settings = {.versions = versions};
    assert_int_equal(config_resolve(&arena, &settings, &config, &p.err), 0);
    assert_int_equal(config.folder_count, 1);
    assert_string_equal(config.folders[0], versions);
    assert_true(config.must_exist);
}

static void a_folder_without_scripts_is_refused(void **state)
{
    (void)state;
    AUTO_PROJECT p = new_project();
    put(&p, "other/x.py", "");
    assert_text_has(refusal(&p, "other").text, "neither 'versions' nor 'env.py'");
    assert_text_has(refusal(&p, "nowhere").text, "No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_lie_below_the_script_folder),
        cmocka_unit_test(locations_are_split_by_their_separator),
        cmocka_unit_test(pyproject_fills_in_what_the_ini_lacks),
        cmocka_unit_test(each_refusal_names_the_file_and_the_option),
        cmocka_unit_test(a_package_of_scripts_does_not_matter_when_the_versions_are_named),
        cmocka_unit_test(a_folder_that_is_named_needs_no_settings),
        cmocka_unit_test(a_folder_without_scripts_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
