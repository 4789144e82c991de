/* tests/unit/envcontract_docs.c: derived documents: what is listed, what is kept, what is said. */
#include "tests/unit/envcontract_load.h"

#include "base/arena.h"
#include "envcontract/docs.h"

enum { ROOM = 1024 * 1024 };

static const char *const no_text[] = {NULL};

/* The text of PATH as it would be written over PRESENT (NULL: nothing). -1: l->err says why. */
static int render(struct loaded *l, const char *path, const char *present, size_t length,
                  struct buf *out)
{
    AUTO_ARENA arena = ARENA_INIT;
    const struct docs_migrations migrations = {.heads = no_text, .absent = "a test has none"};
    const struct docs_present there = {.path = path, .text = present, .length = length};
    const struct docs_file *files;
    size_t count;

    err_clear(&l->err);
    if (docs_list(l->contract, &arena, &files, &count, &l->err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (strcmp(files[i].path, path) == 0)
            return docs_render(l->contract, &files[i], &migrations, &there, out, &l->err);
    fail_msg("no document '%s'", path);
    return -1;
}

static void must_render(struct loaded *l, const char *path, const char *present, struct buf *out)
{
    if (render(l, path, present, present ? strlen(present) : 0, out) != 0)
        fail_msg("%s: %s", path, l->err.text);
}

#define CONTRACT(vars, docs) "{'contract': 1, 'vars': {" vars "}, 'docs': {" docs "}}"
#define SECRET               "'K': {'secret': true, 'source': 'env', 'rotate': {'strategy': 'none', 'why': 'w'}}"

/* ---- the section `docs` ----------------------------------------------------------------------- */

#define PROFILES "'profile': {'var': 'R', 'values': ['dev', 'prod']}, 'vars': {'R': {}}"

static void a_mistake_in_docs_has_its_place(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {}, 'docs': {'NOTES.md': {}}}", 1, 38, "/docs/NOTES.md",
         "its name does not say what it is", "kind"},
        {"{'contract': 1, 'vars': {}, 'docs': {'x.md': {'kind': 'rotatoin'}}}", 1, 55,
         "/docs/x.md/kind", "'rotatoin' is not known as kind", "rotation"},
        {"{'contract': 1, 'vars': {}, 'docs': {'d/': {'kind': 'rotation'}}}", 1, 38, "/docs/d~1",
         "names no file", NULL},
        {"{'contract': 1, 'vars': {}, 'docs': {'contract.json': {'kind': 'schema'}}}", 1, 38,
         "/docs/contract.json", "take the place of the contract", NULL},
        {"{'contract': 1, 'vars': {}, 'docs': {'DB_AUTHORITY.md': {'sections': ['frehs']}}}", 1, 71,
         "/docs/DB_AUTHORITY.md/sections/0", "'frehs' is no section", "Did you mean 'fresh'?"},
        {"{'contract': 1, 'vars': {}, 'docs': {'DB_AUTHORITY.md': {'sections': ['x', 'y']}}}", 1,
         71, "/docs/DB_AUTHORITY.md/sections/0", "'x' is no section", "authority, fresh"},
        {"{'contract': 1, 'vars': {}, 'docs': {'DB_AUTHORITY.md': {'sections': ['fresh', "
         "'fresh']}}}",
         1, 80, "/docs/DB_AUTHORITY.md/sections/1", "the section 'fresh' is named twice", NULL},
        {"{'contract': 1, 'vars': {}, 'docs': {'DB_AUTHORITY.md': {'sections': []}}}", 1, 70,
         "/docs/DB_AUTHORITY.md/sections", "a document of no sections", NULL},
        {"{'contract': 1, 'vars': {}, 'docs': {'a.schema.json': {'sections': ['x']}}}", 1, 56,
         "/docs/a.schema.json/sections", "a schema is whole", NULL},
        {"{'contract': 1, " PROFILES ", 'docs': {'.env.example': {}}}", 1, 95, "/docs/.env.example",
         "an example of which profile?", "profile"},
        {"{'contract': 1, " PROFILES ", 'docs': {'.env.example': {'profile': 'prdo'}}}", 1, 123,
         "/docs/.env.example/profile", "'prdo' is no profile", "prod"},
        {"{'contract': 1, " PROFILES ", 'docs': {'DB_AUTHORITY.md': {'profile': 'dev'}}}", 1, 115,
         "/docs/DB_AUTHORITY.md/profile", "is for files of the kind env-example", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct loaded l = load_text(list[i].text);
        const struct finding *f = find_finding(&l, list[i].message);
        assert_string_equal(f->pointer, list[i].pointer);
        assert_int_equal(f->line, list[i].line);
        if (list[i].hint)
            assert_text_has(f->hint, list[i].hint);
        unload(&l);
    }
}

static void a_file_is_what_its_name_or_its_kind_says(void **state)
{
    static const struct {
        const char *path;
        enum docs_kind kind;
        const char *profile;
    } wanted[] = {
        {"doc/ENVIRONMENT_CONTRACT.md", DOCS_ENVIRONMENT, NULL},
        {"DB_AUTHORITY.md", DOCS_DATABASE, NULL},
        {"../SECRETS_ROTATION.md", DOCS_ROTATION, NULL},
        {".env.example", DOCS_ENV_EXAMPLE, "dev"},
        {"deploy/.env.prod.example", DOCS_ENV_EXAMPLE, "prod"},
        {".env.production.example", DOCS_ENV_EXAMPLE, "prod"},
        {"contract.schema.json", DOCS_SCHEMA, NULL},
        {"prod.md", DOCS_ROTATION, NULL},
    };
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod'], 'default': 'dev'},"
        "'vars': {'R': {}}, 'docs': {'doc/ENVIRONMENT_CONTRACT.md': {}, 'DB_AUTHORITY.md': {},"
        "'../SECRETS_ROTATION.md': {}, '.env.example': {}, 'deploy/.env.prod.example': {},"
        "'.env.production.example': {'profile': 'prod'}, 'contract.schema.json': {},"
        "'prod.md': {'kind': 'rotation', 'sections': ['gaps']}}}");
    AUTO_ARENA arena = ARENA_INIT;
    const struct docs_file *files;
    size_t count;

    (void)state;
    assert_clean(&l);
    assert_int_equal(docs_list(l.contract, &arena, &files, &count, &l.err), 0);
    assert_int_equal(count, ARRAY_LEN(wanted));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(files[i].path, wanted[i].path);
        assert_int_equal(files[i].kind, wanted[i].kind);
        if (wanted[i].profile)
            assert_string_equal(files[i].profile, wanted[i].profile);
        else
            assert_null(files[i].profile);
    }
    assert_string_equal(files[7].sections[0], "gaps");
    unload(&l);
}

static void a_contract_without_docs_has_none(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'vars': {}}");
    AUTO_ARENA arena = ARENA_INIT;
    const struct docs_file *files;
    size_t count = 1;

    (void)state;
    assert_int_equal(docs_list(l.contract, &arena, &files, &count, &l.err), 0);
    assert_int_equal(count, 0);
    unload(&l);
}

/* ---- markers ----------------------------------------------------------------------------------- */

#define BEGIN(name) "<!-- agent:begin " name " -->"
#define END(name)   "<!-- agent:end " name " -->"
#define GAPS        "## Gaps\n\nNone: the contract says of every secret how it is replaced, or why not.\n"

static struct loaded load_rotation(void)
{
    return load_text(CONTRACT(SECRET, "'SECRETS_ROTATION.md': {'sections': ['gaps']}"));
}

static void what_is_outside_of_the_markers_is_kept_byte_for_byte(void **state)
{
    static const struct {
        const char *before, *inside, *after, *eol;
    } list[] = {
        {"# Mine\n\n", "old\n", "\nbelow", "\n"},
        {"", "", "", "\n"},
        {"\xef\xbb\xbf", "old\n", "", "\n"},
        {"a\r\nb\n\r", "old\r\n", "c \t\r\n\n\n", "\r\n"},
        {"\xff\xfe\x01 <!-- agent:other -->\n", "x", "\xff", "\n"},
    };
    struct loaded l = load_rotation();

    (void)state;
    assert_clean(&l);
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        AUTO_BUF present = BUF_INIT(ROOM), out = BUF_INIT(ROOM), wanted = BUF_INIT(ROOM);
        bool carriage = strcmp(list[i].eol, "\r\n") == 0;
        bool broken_line = list[i].inside[0] == 'x'; /* the end marker is not on its own line */
        buf_addf(&present, "%s" BEGIN("gaps") "%s%s" END("gaps"), list[i].before, list[i].eol,
                 list[i].inside);
        buf_addf(&present, "%s%s", list[i].after[0] ? list[i].eol : "", list[i].after);
        if (broken_line) {
            assert_int_equal(
                render(&l, "SECRETS_ROTATION.md", buf_text(&present), present.len, &out), -1);
            continue;
        }
        must_render(&l, "SECRETS_ROTATION.md", buf_text(&present), &out);
        buf_addf(&wanted, "%s" BEGIN("gaps") "%s", list[i].before, list[i].eol);
        for (const char *c = GAPS; *c; c++) {
            if (*c == '\n' && carriage)
                buf_addc(&wanted, '\r');
            buf_addc(&wanted, *c);
        }
        buf_addf(&wanted, END("gaps") "%s%s", list[i].after[0] ? list[i].eol : "", list[i].after);
        assert_string_equal(buf_text(&out), buf_text(&wanted));
    }
    unload(&l);
}

static void broken_markers_are_an_error_with_their_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *message, *hint;
    } list[] = {
        {"# Mine\n", 0, "has no markers", "<!-- agent:begin overview -->"},
        {BEGIN("gaps") "\n", 1, "'gaps' begins and does not end", "end is missing"},
        {"\n" END("gaps") "\n", 2, "'gaps' ends without having begun", "begin is missing"},
        {BEGIN("gaps") "\n" BEGIN("flows") "\n", 2, "'flows' begins inside of 'gaps'", "line 1"},
        {BEGIN("gaps") "\n" END("flows") "\n", 2, "'flows' ends where 'gaps'", "line 1"},
        {BEGIN("gaps") "\n" END("gaps") "\n" BEGIN("gaps") "\n" END("gaps") "\n", 3,
         "'gaps' begins a second time", "Keep one"},
        {BEGIN("gasp") "\n" END("gasp") "\n", 1, "'gasp' is no section", "Did you mean 'gaps'?"},
        {BEGIN("zzzzzzzz") "\n", 1, "'zzzzzzzz' is no section", "overview, flows"},
        {"<!-- agent:begin -->\n", 1, "a broken marker", "on a line of its own"},
        {"\n\n<!-- agent:begin gaps\n-->\n", 3, "a broken marker", "agent:begin"},
        {"<!-- agent:end gaps extra -->\n", 1, "a broken marker", "agent:end"},
        {"<!--agent:begin gaps --> text\n", 1, "a broken marker", NULL},
    };
    struct loaded l = load_rotation();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        AUTO_BUF out = BUF_INIT(ROOM);
        assert_int_equal(
            render(&l, "SECRETS_ROTATION.md", list[i].text, strlen(list[i].text), &out), -1);
        AUTO_BUF said = BUF_INIT(ROOM);
        buf_addf(&said, "%s %s", l.err.text, l.err.hint);
        assert_text_has(l.err.text, list[i].message);
        if (list[i].hint)
            assert_text_has(buf_text(&said), list[i].hint);
        assert_text_has(l.err.hint, "Nothing was written.");
        assert_int_equal(l.err.kind, ERR_FILE);
        assert_int_equal(l.err.line, list[i].line);
        assert_string_equal(l.err.file, "SECRETS_ROTATION.md");
    }
    unload(&l);
}

static void sections_come_and_go_with_the_contract(void **state)
{
    struct loaded l = load_text(
        CONTRACT(SECRET, "'SECRETS_ROTATION.md': {'sections': ['exempt', 'gaps', 'overview']}"));
    AUTO_BUF out = BUF_INIT(ROOM);
    const char *text;

    (void)state;
    must_render(&l, "SECRETS_ROTATION.md",
                "top\n\n" BEGIN("flows") "\nold\n" END("flows") "\n\nmiddle\n" BEGIN(
                    "gaps") "\n" END("gaps"),
                &out);
    text = buf_text(&out);
    assert_memory_equal(text, "top\n\n" BEGIN("exempt") "\n", strlen("top\n\n" BEGIN("exempt")));
    assert_null(strstr(text, "flows"));
    assert_text_has(text, END("exempt") "\n\nmiddle\n" BEGIN("gaps") "\n## Gaps\n");
    assert_text_has(text, END("gaps") "\n\n" BEGIN("overview") "\n## Overview\n");

    AUTO_BUF again = BUF_INIT(ROOM); /* and it stays so */
    must_render(&l, "SECRETS_ROTATION.md", text, &again);
    assert_string_equal(buf_text(&again), text);
    unload(&l);
}

static void a_new_document_is_whole_and_stays_as_it_is(void **state)
{
    static const char *const paths[] = {"ENVIRONMENT_CONTRACT.md", "DB_AUTHORITY.md",
                                        "SECRETS_ROTATION.md", ".env.example"};
    struct loaded l = load_text(CONTRACT(SECRET, "'ENVIRONMENT_CONTRACT.md': {},"
                                                 "'DB_AUTHORITY.md': {}, 'SECRETS_ROTATION.md': {},"
                                                 "'.env.example': {}"));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        AUTO_BUF first = BUF_INIT(ROOM), empty = BUF_INIT(ROOM), again = BUF_INIT(ROOM);
        must_render(&l, paths[i], NULL, &first);
        must_render(&l, paths[i], "", &empty);
        must_render(&l, paths[i], buf_text(&first), &again);
        assert_string_equal(buf_text(&first), buf_text(&empty));
        assert_string_equal(buf_text(&first), buf_text(&again));
        assert_text_has(buf_text(&first), "agent:begin ");
    }
    unload(&l);
}

static void a_schema_takes_the_place_of_a_schema_only(void **state)
{
    struct loaded l = load_text(CONTRACT("", "'contract.schema.json': {}"));
    AUTO_BUF out = BUF_INIT(ROOM), again = BUF_INIT(ROOM), refused = BUF_INIT(ROOM);

    (void)state;
    must_render(&l, "contract.schema.json", NULL, &out);
    must_render(&l, "contract.schema.json", buf_text(&out), &again);
    assert_string_equal(buf_text(&out), buf_text(&again));
    assert_int_equal(render(&l, "contract.schema.json", "{}", 2, &refused), -1);
    assert_text_has(l.err.text, "is no JSON Schema");
    unload(&l);
}

/* ---- what the contract says is no markup ------------------------------------------------------- */

static void markup_of_the_contracts_is_text(void **state)
{
    struct loaded l = load_text(
        CONTRACT("'A': {'source': 'env', 'default': 'a|b\\u0060\\u0060c', 'doc': 'x | "
                 "y\\nz \\u0060q\\u0060 <i> *b* _u_ in_word\\u001b',"
                 "'link': 'https://h/a b|c>d', 'owner': 'a|b'}",
                 "'ENVIRONMENT_CONTRACT.md': {'sections': ['variables']}"));
    AUTO_BUF out = BUF_INIT(ROOM);

    (void)state;
    must_render(&l, "ENVIRONMENT_CONTRACT.md", NULL, &out);
    assert_text_has(
        buf_text(&out),
        "| `A` | text | no | ```a\\|b``c``` | `env` | x \\| y z \\`q\\` \\<i\\> \\*b\\* "
        "\\_u\\_ in_word\\\\x1b [More](<https://h/a%20b%7Cc%3Ed>) | a\\|b |\n");
    unload(&l);
}

static void a_backslash_before_a_bar_does_not_cut_a_cell(void **state)
{
    struct loaded l = load_text(CONTRACT("'A': {'source': 'env', 'pattern': 'a\\\\|b'}",
                                         "'ENVIRONMENT_CONTRACT.md': {'sections': ['variables']}"));
    AUTO_BUF out = BUF_INIT(ROOM);

    (void)state;
    must_render(&l, "ENVIRONMENT_CONTRACT.md", NULL, &out);
    assert_text_has(buf_text(&out), "| text, matching <code>a&#92;&#124;b</code> |");
    unload(&l);
}

static void a_marker_in_the_contract_is_none_in_the_document(void **state)
{
    struct loaded l = load_text(CONTRACT(
        "'A': {'source': 'env', 'doc': 'agent:end settings'}, 'B': {'secret': true,"
        "'source': 'env', 'doc': '<!-- agent:end flows -->', 'rotate': {'strategy': 'none',"
        "'why': '\\n<!-- agent:end exempt -->\\n'}}",
        "'SECRETS_ROTATION.md': {}, 'ENVIRONMENT_CONTRACT.md': {}, '.env.example': {}"));
    static const char *const paths[] = {"SECRETS_ROTATION.md", "ENVIRONMENT_CONTRACT.md",
                                        ".env.example"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        AUTO_BUF out = BUF_INIT(ROOM), again = BUF_INIT(ROOM);
        must_render(&l, paths[i], NULL, &out);
        must_render(&l, paths[i], buf_text(&out), &again);
        assert_string_equal(buf_text(&out), buf_text(&again));
    }
    unload(&l);
}

/* ---- types in words ---------------------------------------------------------------------------- */

static void a_type_is_said_in_words(void **state)
{
    static const struct {
        const char *keys, *words;
    } list[] = {
        {"", "text"},
        {"'type': 'enum', 'values': ['a', 'b', 'c']", "one of `a`, `b` or `c`"},
        {"'type': 'enum', 'values': ['a']", "only `a`"},
        {"'type': 'int', 'values': [1, 2]", "a whole number, one of `1` or `2`"},
        {"'type': 'int', 'min': 1", "a whole number, at least 1"},
        {"'type': 'number', 'min': 0.5, 'max': 1", "a number, from 0.5 to 1"},
        {"'type': 'duration', 'max': '2m'", "a duration such as 30s, at most 2m"},
        {"'length': [0, 9]", "text, at most 9 characters"},
        {"'length': [3, null]", "text, at least 3 characters"},
        {"'type': 'base64', 'min_bytes': 32", "base64, at least 32 bytes when decoded"},
        {"'type': 'url', 'url': {'scheme': 'https', 'host': ['a', 'b'], 'port': [1, 2], 'user': "
         "'forbidden', 'password': 'required', 'query': {'x': true, 'y': false, 'z': ['1', '2']}}",
         "a URL, scheme `https`, host `a` or `b`, port `1` or `2`, without a user, with a "
         "password, with the parameter `x`, without the parameter `y`, with the parameter `z` `1` "
         "or `2`"},
        {"'type': 'path', 'path': {'dir': true, 'must_exist': true, 'readable': true}",
         "a path, a folder, which exists, readable"},
        {"'type': 'list', 'separator': ';', 'item': {'type': 'enum', 'values': ['a', 'b']}",
         "a list, separated by `;`, of each one of `a` or `b`"},
        {"'empty': 'ok'", "text, may be empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        AUTO_BUF text = BUF_INIT(ROOM), out = BUF_INIT(ROOM), wanted = BUF_INIT(ROOM);
        buf_addf(&text,
                 CONTRACT("'A': {'source': 'env'%s%s}",
                          "'ENVIRONMENT_CONTRACT.md': {'sections': ['variables']}"),
                 list[i].keys[0] ? ", " : "", list[i].keys);
        struct loaded l = load_text(buf_text(&text));
        assert_clean(&l);
        must_render(&l, "ENVIRONMENT_CONTRACT.md", NULL, &out);
        buf_addf(&wanted, "| `A` | %s |", list[i].words);
        assert_text_has(buf_text(&out), buf_text(&wanted));
        unload(&l);
    }
}

static void what_differs_is_said_by_profile(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['a', 'b', 'c']}, 'strict_profiles': "
        "['c'], 'vars': {'R': {}, 'V': {'source': 'vault:kv/{profile}/x#{lower_name}', 'override': "
        "true, 'profiles': {'a': {'source': 'env', 'default': '1'}}}},"
        "'docs': {'ENVIRONMENT_CONTRACT.md': {'sections': ['variables', 'vault']}}}");
    AUTO_BUF out = BUF_INIT(ROOM);

    (void)state;
    must_render(&l, "ENVIRONMENT_CONTRACT.md", NULL, &out);
    assert_text_has(buf_text(&out),
                    "| `V` | text | a: no<br>b, c: yes | a: `1`<br>b, c: – | a: `env` (the "
                    "environment wins)<br>b: `vault:kv/{profile}/x#v` (the environment wins)<br>c: "
                    "`vault:kv/{profile}/x#v` |");
    assert_text_has(buf_text(&out), "| `kv/{profile}/x` | `v` → `V` | b, c |");
    unload(&l);
}

/* ---- example files ----------------------------------------------------------------------------- */

static void a_value_is_written_as_the_reader_reads_it(void **state)
{
    static const char *const values[] = {
        "",      "plain",      "a b",          "a#b",      "'",        "\"",         "\\",
        "a\\nb", "a\nb\r\t\v", "${X}",         "  edge  ", "\x01\x7f", "it's \"x\"", "é ü",
        "a'b\\", "end\\",      "$HOME `x` !y",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO_BUF line = BUF_INIT(ROOM), wanted = BUF_INIT(ROOM);
        AUTO_ARENA arena = ARENA_INIT;
        AUTO_FINDINGS findings = FINDINGS_INIT;
        struct loaded l;
        const char *const *list;
        char path[128];
        new_folder(&l);
        docs_add_assignment(&line, "NAME", values[i]);
        assert_int_equal(strcspn(buf_text(&line), "\n"), line.len - 1); /* one line */
        write_file(l.folder, "contract.json", buf_text(&line), line.len);
        (void)snprintf(path, sizeof path, "%s/contract.json", l.folder);
        assert_int_equal(envfile_read(path, &arena, &list, &findings, &l.err), 0);
        assert_int_equal(findings.count, 0);
        buf_addf(&wanted, "NAME=%s", values[i]);
        assert_string_equal(list[0], buf_text(&wanted));
        remove_file(&l, "contract.json");
        assert_int_equal(rmdir(l.folder), 0);
    }
}

static void a_backslash_at_the_end_stands_without_quotes(void **state)
{
    AUTO_BUF out = BUF_INIT(ROOM);

    (void)state;
    docs_add_assignment(&out, "NAME", "C:\\dir\\"); /* python-dotenv would read on behind it */
    assert_string_equal(buf_text(&out), "NAME=C:\\dir\\\n");
}

/* What is set in an example file of one variable A with KEYS beside others. */
static void assert_example(const char *vars, const char *line)
{
    AUTO_BUF text = BUF_INIT(ROOM), out = BUF_INIT(ROOM), wanted = BUF_INIT(ROOM);

    buf_addf(&text, CONTRACT("%s", "'.env.example': {}"), vars);
    struct loaded l = load_text(buf_text(&text));
    must_render(&l, ".env.example", NULL, &out);
    buf_addf(&wanted, "\n%s\n", line);
    if (!strstr(buf_text(&out), buf_text(&wanted)))
        fail_msg("no line '%s' in\n%s", line, buf_text(&out));
    unload(&l);
}

static void an_example_has_a_value_for_what_is_needed(void **state)
{
    (void)state;
    assert_example("'A': {'source': 'env', 'default': 'x y'}", "A='x y'");
    assert_example("'A': {'source': 'env', 'example': 'e'}", "A=e");
    assert_example("'A': {'type': 'int', 'source': 'env', 'min': 7}", "A=7");
    assert_example("'A': {'type': 'int', 'source': 'env', 'max': -3}", "A=-3");
    assert_example("'A': {'type': 'enum', 'values': ['q', 'r'], 'source': 'env'}", "A=q");
    assert_example("'A': {'type': 'list', 'item': {'type': 'int', 'min': 3}, 'source': 'env'}",
                   "A=3");
    assert_example("'A': {'source': 'env', 'prefix': 'pk_', 'length': [12, 14]}", "A=pk_examplexx");
    assert_example("'A': {'type': 'url', 'source': 'env', 'url': {'scheme': ['http'], 'host': "
                   "['*.x.io'], 'port': 81, 'query': {'m': ['v*']}}}",
                   "A='http://example.x.io:81/?m=vexample'");
    assert_example("'A': {'type': 'path', 'source': 'env', 'path': {'must_exist': true}, "
                   "'example': '/nowhere/at/all'}",
                   "A=/nowhere/at/all");
    assert_example("'A': {'source': 'env', 'pattern': '[0-9]{9}'}",
                   "# Text, matching [0-9]{9}. Required. To be filled in.\nA=");
    assert_example("'A': {'source': 'env', 'required': false, 'example': 'e'}", "#A=e");
    assert_example("'A': {'secret': true, 'source': 'env'}", "A=");
    assert_example("'A': {'secret': true, 'source': 'env', 'required': false}", "#A=");
}

static void an_example_follows_conditions(void **state)
{
    (void)state;
    assert_example("'M': {'source': 'env', 'default': 'x'}, "
                   "'A': {'secret': true, 'source': 'env', 'required': {'M': 'x'}}",
                   "A=");
    assert_example("'M': {'source': 'env', 'default': 'y'}, "
                   "'A': {'secret': true, 'source': 'env', 'required': {'M': 'x'}}",
                   "#A=");
    assert_example("'A': {'source': 'env', 'example': '1', 'required': {'B': true}}, "
                   "'B': {'source': 'env', 'example': '2', 'required': {'C': true}}, "
                   "'C': {'secret': true, 'source': 'env'}",
                   "A=1");
}

static void an_example_follows_groups_and_fences(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']}, 'fences': {'prod': "
        "{'values': ['live_*', 'fen*']}}, 'base': {'source': 'env'}, 'vars': {'R': {}, "
        "'A': {'required': false, 'example': 'a'}, 'B': {'required': false}, "
        "'C': {'required': false}, 'D': {'example': 'd'}, 'E': {'example': 'live_1'}, "
        "'F': {'values': ['fenced'], 'required': true}, "
        "'G': {'default': 'g', 'forbidden': {'@profile': 'dev'}}, "
        "'H': {'expose': 'agent', 'required': false}, 'I': {'required': false}}, 'groups': "
        "[{'at_least_one': ['A', 'B']}, {'all_or_none': ['C', 'D']}, {'exactly_one': ['H', 'I']}], "
        "'docs': {'.env.dev.example': {}, '.env.prod.example': {}}}");
    AUTO_BUF dev = BUF_INIT(ROOM), prod = BUF_INIT(ROOM);

    (void)state;
    assert_clean(&l);
    must_render(&l, ".env.dev.example", NULL, &dev);
    must_render(&l, ".env.prod.example", NULL, &prod);
    assert_text_has(buf_text(&dev), "\nR=dev\n");
    assert_text_has(buf_text(&dev), "At least one of A and B.\nA=a\n");
    assert_text_has(buf_text(&dev), "\n#B=\n");
    assert_text_has(buf_text(&dev), "\nC=example\n"); /* D is set, so C has to be */
    assert_text_has(buf_text(&dev), "\nE=example\n"); /* its example belongs to prod */
    assert_text_has(buf_text(&prod), "\nE=live_1\n");
    assert_text_has(buf_text(&dev), "Required. To be filled in.\nF=\n");
    assert_text_has(buf_text(&prod), "\nF=fenced\n");
    assert_text_has(buf_text(&dev), "\n#G=g\n");
    assert_text_has(buf_text(&prod), "\nG=g\n");
    assert_text_has(buf_text(&dev), "\n#I=\n"); /* agent's own H may be the one */
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_in_docs_has_its_place),
        cmocka_unit_test(a_file_is_what_its_name_or_its_kind_says),
        cmocka_unit_test(a_contract_without_docs_has_none),
        cmocka_unit_test(what_is_outside_of_the_markers_is_kept_byte_for_byte),
        cmocka_unit_test(broken_markers_are_an_error_with_their_line),
        cmocka_unit_test(sections_come_and_go_with_the_contract),
        cmocka_unit_test(a_new_document_is_whole_and_stays_as_it_is),
        cmocka_unit_test(a_schema_takes_the_place_of_a_schema_only),
        cmocka_unit_test(markup_of_the_contracts_is_text),
        cmocka_unit_test(a_backslash_before_a_bar_does_not_cut_a_cell),
        cmocka_unit_test(a_marker_in_the_contract_is_none_in_the_document),
        cmocka_unit_test(a_type_is_said_in_words),
        cmocka_unit_test(what_differs_is_said_by_profile),
        cmocka_unit_test(a_value_is_written_as_the_reader_reads_it),
        cmocka_unit_test(a_backslash_at_the_end_stands_without_quotes),
        cmocka_unit_test(an_example_has_a_value_for_what_is_needed),
        cmocka_unit_test(an_example_follows_conditions),
        cmocka_unit_test(an_example_follows_groups_and_fences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
