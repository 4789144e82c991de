/* tests/unit/envcontract_output.c: values written for other readers, and read back. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/proc.h"
#include "envcontract/internal.h"

enum { OUTPUT_MAX_BYTES = 1024 * 1024, SHELL_MS = 20 * 1000 };

static int write_one(enum value_format format, const char *name, const char *bytes, size_t length,
                     struct buf *out, struct err *err)
{
    struct secret value = secret_borrow(bytes, length);
    struct value_writer writer = {.format = format, .out = out, .object = "app"};
    if (values_begin(&writer, err) != 0 || values_add(&writer, name, &value, true, err) != 0)
        return -1;
    return values_end(&writer, err);
}

static void assert_written(enum value_format format, const char *value, const char *expected)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    if (write_one(format, "A", value, strlen(value), &out, &err) != 0)
        fail_msg("'%s': %s", value, err.text);
    assert_string_equal(buf_text(&out), expected);
}

static void each_format_writes_its_own_way(void **state)
{
    (void)state;
    assert_written(FORMAT_ENV, " a \"b\" $c 'd' # \\", "A= a \"b\" $c 'd' # \\\n");
    assert_written(FORMAT_ENV, "", "A=\n");
    assert_written(FORMAT_ENV, "a\rb", "A=a\rb\n");
    assert_written(FORMAT_JSON, "a\"\n\xc3\xb6", "{\"A\":\"a\\\"\\n\xc3\xb6\"}\n");
    assert_written(FORMAT_SHELL, "plain", "export A=plain\n");
    assert_written(FORMAT_SHELL, "it's\n$x", "export A='it'\\''s\n$x'\n");
    assert_written(FORMAT_SHELL, "", "export A=''\n");
    assert_written(FORMAT_DOTENV, "", "A=\n");
    assert_written(FORMAT_DOTENV, "https://u:p@h/x?y=z", "A='https://u:p@h/x?y=z'\n");
    assert_written(FORMAT_DOTENV, "a/b:c,d=e", "A=a/b:c,d=e\n");
    assert_written(FORMAT_DOTENV, "a b #c\n$d \"e\"", "A='a b #c\n$d \"e\"'\n");
    assert_written(FORMAT_DOTENV, "it's", "A=\"it's\"\n");
    assert_written(FORMAT_DOTENV, "it's $x", "A='it\\'s $x'\n");
    assert_written(FORMAT_DOTENV, "a\\b", "A=a\\b\n");
    assert_written(FORMAT_DOTENV, "a\\b#c", "A='a\\\\b#c'\n");
    assert_written(FORMAT_DOTENV, "a\r\\\"", "A=\"a\\r\\\\\\\"\"\n");
    assert_written(FORMAT_DOTENV, "C:\\x\\", "A=C:\\x\\\n");
    assert_written(FORMAT_SYSTEMD, "a-b", "A=a-b\n");
    assert_written(FORMAT_SYSTEMD, "", "A=\n");
    assert_written(FORMAT_SYSTEMD, "a\t\"$`\\'\n", "A=\"a\t\\\"\\$\\`\\\\'\n\"\n");
    assert_written(FORMAT_KUBERNETES, "a\xff",
                   "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"app\"\n"
                   "type: Opaque\ndata:\n  \"A\": \"Yf8=\"\n");
}

static void members_of_json_are_separated(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    struct secret value = secret_borrow("x", 1), none = SECRET_INIT;
    struct value_writer writer = {.format = FORMAT_JSON, .out = &out};
    assert_int_equal(values_begin(&writer, &err), 0);
    assert_int_equal(values_add(&writer, "A", &value, false, &err), 0);
    assert_int_equal(values_add(&writer, "B", &value, false, &err), 0);
    assert_int_equal(values_add(&writer, "C", &none, false, &err), 0);
    assert_int_equal(values_end(&writer, &err), 0);
    assert_string_equal(buf_text(&out), "{\"A\":\"x\",\"B\":\"x\",\"C\":\"\"}\n");
}

static void what_a_format_cannot_carry_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        enum value_format format;
        const char *value, *why, *hint;
    } cases[] = {
        {FORMAT_ENV, "CANARY\nx", "as env: a line break", "json, dotenv or shell"},
        {FORMAT_ENV, "CANARY\r", "as env: a carriage return at the end", "json"},
        {FORMAT_ENV, "CANARY\xff", "as env: a value that is not UTF-8", "shell or kubernetes"},
        {FORMAT_JSON, "CANARY\xff", "as json: a value that is not UTF-8", "shell"},
        {FORMAT_DOTENV, "CANARY\xff", "as dotenv: a value that is not UTF-8",
         "shell or kubernetes"},
        {FORMAT_DOTENV, "CANARY${x}", "as dotenv: ${...} in the value", "json"},
        {FORMAT_DOTENV, "CANARY${x:-y}", "as dotenv: ${...} in the value", "json"},
        {FORMAT_DOTENV, "${a:b}${x}", "as dotenv: ${...} in the value", "json"},
        {FORMAT_DOTENV, "CANARY \\", "as dotenv: a backslash at the end", "json"},
        {FORMAT_DOTENV, "'CANARY\\", "as dotenv: a backslash at the end", "json"},
        {FORMAT_GITHUB, "CANARY\xff", "as github: a value that is not UTF-8", "shell"},
        {FORMAT_SYSTEMD, "CANARY\xff", "as systemd: a value that is not UTF-8", "shell"},
        {FORMAT_SYSTEMD, "CANARY\r", "as systemd: a control character", "shell"},
        {FORMAT_SYSTEMD, "CANARY\x7f", "as systemd: a control character", "shell"},
        {FORMAT_SYSTEMD, "CANARY\xef\xb7\x90", "as systemd: a noncharacter", "shell"},
        {FORMAT_SYSTEMD, "CANARY\xef\xbf\xbf", "as systemd: a noncharacter", "shell"},
        {FORMAT_SYSTEMD, "CANARY\xf0\x9f\xbf\xbe", "as systemd: a noncharacter", "shell"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
        struct err err = ERR_INIT;
        if (write_one(cases[i].format, "NAME", cases[i].value, strlen(cases[i].value), &out,
                      &err) == 0)
            fail_msg("'%s' is written as '%s'", cases[i].value, buf_text(&out));
        assert_int_equal(err.kind, ERR_VIOLATION);
        assert_text_has(err.text, "'NAME' cannot be written");
        assert_text_has(err.text, cases[i].why);
        assert_text_has(err.hint, cases[i].hint);
        assert_text_lacks(err.text, "CANARY");
        assert_text_lacks(buf_text(&out), "CANARY");
    }
}

static void what_only_looks_like_a_reference_is_carried(void **state)
{
    (void)state;
    static const char *const values[] = {"$x", "${x", "${a:b}", "x}${", "${a:b-c}", "$ {x}"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
        struct err err = ERR_INIT;
        if (write_one(FORMAT_DOTENV, "A", values[i], strlen(values[i]), &out, &err) != 0)
            fail_msg("'%s': %s", values[i], err.text);
    }
}

static void a_line_longer_than_docker_reads_is_refused(void **state)
{
    (void)state;
    enum { LONG = 64 * 1024 };
    char *value = malloc(LONG + 1);
    assert_non_null(value);
    memset(value, 'x', LONG);
    value[LONG] = '\0';
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    assert_int_equal(write_one(FORMAT_ENV, "A", value, LONG - 4, &out, &err), 0);
    assert_int_equal(write_one(FORMAT_ENV, "A", value, LONG - 3, &out, &err), -1);
    assert_text_has(err.text, "64 KiB");
    assert_int_equal(write_one(FORMAT_SHELL, "A", value, LONG, &out, &err), 0);
    free(value);
}

static void nul_and_bad_names_are_refused_everywhere(void **state)
{
    (void)state;
    for (unsigned format = FORMAT_ENV; format <= FORMAT_SYSTEMD; format++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
        struct err err = ERR_INIT;
        assert_int_equal(write_one((enum value_format)format, "A", "a\0b", 3, &out, &err), -1);
        assert_text_has(err.text, "a NUL byte");
        assert_text_lacks(err.hint, "--format");
        if (format != FORMAT_JSON) {
            assert_int_equal(write_one((enum value_format)format, "A;id", "x", 1, &out, &err), -1);
            assert_text_has(err.text, "no identifier");
        }
    }
}

/* ---- github ---------------------------------------------------------------------------------- */

/* In place of the kernel's: `canned` while there is some, so that a delimiter can be foreseen. */
static const char *canned;
static bool starved;

ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
    if (starved) {
        errno = ENOSYS;
        return -1;
    }
    memset(bytes, canned && *canned ? *canned++ : 0x77, length);
    (void)flags;
    return (ssize_t)length;
}

static void write_github(const char *name, const char *bytes, bool secret, struct buf *out,
                         struct buf *masks)
{
    struct secret value = secret_borrow(bytes, strlen(bytes));
    struct value_writer writer = {.format = FORMAT_GITHUB, .out = out, .masks = masks};
    struct err err = ERR_INIT;
    assert_int_equal(values_begin(&writer, &err), 0);
    if (values_add(&writer, name, &value, secret, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(values_end(&writer, &err), 0);
}

#define DELIMITER_OF_A "agent_61616161616161616161616161616161"
#define DELIMITER_OF_B "agent_62626262626262626262626262626262"

static void githubs_delimiter_is_one_that_the_value_has_not(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES), masks = BUF_INIT(OUTPUT_MAX_BYTES);
    canned = "ab";
    write_github("A", "x\n" DELIMITER_OF_A "\nEVIL<<y", false, &out, &masks);
    assert_string_equal(buf_text(&out), "A<<" DELIMITER_OF_B "\nx\n" DELIMITER_OF_A
                                        "\nEVIL<<y\n" DELIMITER_OF_B "\n");
    assert_int_equal(masks.len, 0);
}

static void without_random_bytes_nothing_is_written_for_github(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    starved = true;
    assert_int_equal(write_one(FORMAT_GITHUB, "A", "x", 1, &out, &err), -1);
    starved = false;
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_text_has(err.text, "random bytes");
    assert_int_equal(out.len, 0);
}

static void each_line_of_a_secret_is_masked_for_github(void **state)
{
    (void)state;
    static const struct {
        const char *value, *masks;
    } cases[] = {
        {"", ""},
        {"one", "::add-mask::one\n"},
        {"one\ntwo\n", "::add-mask::one\n::add-mask::two\n"},
        {"one\r\n\r\n  \n two \r\n", "::add-mask::one\n::add-mask:: two \n"},
        {"100%\rx", "::add-mask::100%25%0Dx\n"},
        {"::add-mask::x\n::stop-commands::y",
         "::add-mask::::add-mask::x\n::add-mask::::stop-commands::y\n"},
        {"redis://u:p%40ss@h/0",
         "::add-mask::redis://u:p%2540ss@h/0\n::add-mask::p%2540ss\n::add-mask::p@ss\n"},
        {"redis://u:pass@h/0", "::add-mask::redis://u:pass@h/0\n::add-mask::pass\n"},
        {"redis://u:@h/0", "::add-mask::redis://u:@h/0\n"},
        {"{\"user\":\"u\",\"password\":\"p\\n100%\"}",
         "::add-mask::{\"user\":\"u\",\"password\":\"p\\n100%25\"}\n::add-mask::p\n"
         "::add-mask::100%25\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES), masks = BUF_INIT(OUTPUT_MAX_BYTES);
        write_github("A", cases[i].value, true, &out, &masks);
        assert_string_equal(buf_text(&masks), cases[i].masks);
    }
}

static void names_of_githubs_runner_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"GITHUB_TOKEN", "RUNNER_OS", "NODE_OPTIONS"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
        struct err err = ERR_INIT;
        assert_int_equal(write_one(FORMAT_GITHUB, names[i], "x", 1, &out, &err), -1);
        assert_text_has(err.text, names[i]);
        assert_text_has(err.text, "keeps for itself");
        assert_int_equal(write_one(FORMAT_SHELL, names[i], "x", 1, &out, &err), 0);
    }
}

/* ---- kubernetes ------------------------------------------------------------------------------- */

static void a_secret_of_kubernetes_needs_a_name_that_it_takes(void **state)
{
    (void)state;
    static const struct {
        const char *object, *name_space, *error;
    } cases[] = {
        {"acme-api.v1", "prod-1", NULL},
        {"a", NULL, NULL},
        {NULL, NULL, "needs a name"},
        {"", NULL, "'' cannot be the name"},
        {"Acme", NULL, "'Acme' cannot be the name"},
        {"acme_api", NULL, "cannot be the name"},
        {"-acme", NULL, "cannot be the name"},
        {"acme-", NULL, "cannot be the name"},
        {"acme.-x", NULL, "cannot be the name"},
        {"acme..x", NULL, "cannot be the name"},
        {".acme", NULL, "cannot be the name"},
        {"acme\": x", NULL, "cannot be the name"},
        {"acme", "a.b", "'a.b' cannot be a namespace"},
        {"acme", "", "cannot be a namespace"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
        struct value_writer writer = {.format = FORMAT_KUBERNETES,
                                      .out = &out,
                                      .object = cases[i].object,
                                      .name_space = cases[i].name_space};
        struct err err = ERR_INIT;
        int result = values_begin(&writer, &err);
        if (!cases[i].error) {
            assert_int_equal(result, 0);
            continue;
        }
        assert_int_equal(result, -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_text_has(err.text, cases[i].error);
    }
}

static void a_secret_of_kubernetes_without_values_is_empty(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct value_writer writer = {
        .format = FORMAT_KUBERNETES, .out = &out, .object = "a", .name_space = "b"};
    struct err err = ERR_INIT;
    assert_int_equal(values_begin(&writer, &err), 0);
    assert_int_equal(values_end(&writer, &err), 0);
    assert_text_has(buf_text(&out), "  namespace: \"b\"\n");
    assert_text_has(buf_text(&out), "\ndata: {}\n");
}

static void what_is_too_much_for_a_reader_is_refused(void **state)
{
    (void)state;
    enum { MEBIBYTE = 1024 * 1024, LONG_NAME = 254 };
    char *value = malloc(MEBIBYTE), name[LONG_NAME + 1];
    assert_non_null(value);
    memset(value, 'x', MEBIBYTE);
    value[MEBIBYTE - 1] = '\0';
    memset(name, 'N', LONG_NAME);
    name[LONG_NAME] = '\0';
    AUTO_BUF out = BUF_INIT(4 * OUTPUT_MAX_BYTES);
    struct value_writer writer = {.format = FORMAT_KUBERNETES, .out = &out, .object = "a"};
    struct secret all = secret_borrow(value, MEBIBYTE - 1), two = secret_borrow("xy", 2);
    struct secret one = secret_borrow("x", 1);
    struct err err = ERR_INIT;
    assert_int_equal(values_begin(&writer, &err), 0);
    assert_int_equal(values_add(&writer, "A", &all, true, &err), 0);
    assert_int_equal(values_add(&writer, "B", &two, true, &err), -1);
    assert_text_has(err.text, "'B'");
    assert_text_has(err.text, "1 MiB together");
    assert_int_equal(values_add(&writer, name, &one, true, &err), -1);
    assert_text_has(err.text, "253 characters");
    assert_int_equal(values_add(&writer, "C", &one, true, &err), 0);
    assert_int_equal(values_end(&writer, &err), 0);
    buf_clear(&out);
    value[128 * 1024 - 3] = '\0';
    assert_int_equal(write_one(FORMAT_SYSTEMD, "A", value, 128 * 1024 - 3, &out, &err), 0);
    value[128 * 1024 - 3] = 'x';
    value[128 * 1024 - 2] = '\0';
    assert_int_equal(write_one(FORMAT_SYSTEMD, "A", value, 128 * 1024 - 2, &out, &err), -1);
    assert_text_has(err.text, "128 KiB");
    free(value);
}

/* ---- round trips ---------------------------------------------------------------------------- */

/* Values in which each byte but NUL stands alone, and beside quotes, backslashes and blanks. */
static size_t value_of_byte(unsigned char byte, unsigned shape, char value[static 8])
{
    static const char *const shapes[] = {"%", "a%b", "'%'", "\"%", "\\%", "% ", "%%"};
    size_t length = 0;
    for (const char *c = shapes[shape]; *c; c++)
        value[length++] = (char)(*c == '%' ? byte : (unsigned char)*c);
    return length;
}

enum { SHAPES = 7 };

static void every_byte_survives_json_or_is_refused(void **state)
{
    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        for (unsigned shape = 0; shape < SHAPES; shape++) {
            char value[8];
            size_t length = value_of_byte((unsigned char)byte, shape, value);
            AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
            struct err err = ERR_INIT;
            if (write_one(FORMAT_JSON, "A", value, length, &out, &err) != 0) {
                assert_true(byte >= 0x80); /* alone it is not UTF-8 */
                continue;
            }
            json_t *root = json_loads(buf_text(&out), 0, NULL);
            assert_non_null(root);
            const json_t *member = json_object_get(root, "A");
            assert_int_equal(json_string_length(member), length);
            assert_memory_equal(json_string_value(member), value, length);
            json_decref(root);
        }
    }
}

/* Feed the script to a real shell; what it prints. */
static void run_shell(const char *shell, const struct buf *script, struct buf *output)
{
    const char *const argv[] = {shell, NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    struct proc_request request = {
        .argv = argv,
        .environment = environment,
        .input = buf_text(script),
        .input_length = script->len,
        .output = output,
        .deadline_ms = clock_in_ms(SHELL_MS),
        .what = shell,
    };
    struct proc_result result;
    struct err err = ERR_INIT;
    if (proc_run(&request, ERR_FILE, &result, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(result.exit_code, 0);
}

static void every_byte_survives_a_shell(void **state)
{
    (void)state;
    static const char *const shells[] = {"bash", "dash"};
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        AUTO_BUF script = BUF_INIT(OUTPUT_MAX_BYTES), expected = BUF_INIT(OUTPUT_MAX_BYTES);
        AUTO_BUF output = BUF_INIT(OUTPUT_MAX_BYTES);
        struct err err = ERR_INIT;
        for (unsigned byte = 1; byte < 256; byte++) {
            for (unsigned shape = 0; shape < SHAPES; shape++) {
                char value[8];
                size_t length = value_of_byte((unsigned char)byte, shape, value);
                assert_int_equal(write_one(FORMAT_SHELL, "A", value, length, &script, &err), 0);
                buf_adds(&script, "printf '%s|' \"$A\"\n");
                buf_add(&expected, value, length);
                buf_addc(&expected, '|');
            }
        }
        run_shell(shells[i], &script, &output);
        assert_int_equal(output.len, expected.len);
        assert_memory_equal(output.data, expected.data, expected.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_writes_its_own_way),
        cmocka_unit_test(members_of_json_are_separated),
        cmocka_unit_test(what_a_format_cannot_carry_is_refused_by_name),
        cmocka_unit_test(what_only_looks_like_a_reference_is_carried),
        cmocka_unit_test(a_line_longer_than_docker_reads_is_refused),
        cmocka_unit_test(nul_and_bad_names_are_refused_everywhere),
        cmocka_unit_test(githubs_delimiter_is_one_that_the_value_has_not),
        cmocka_unit_test(without_random_bytes_nothing_is_written_for_github),
        cmocka_unit_test(each_line_of_a_secret_is_masked_for_github),
        cmocka_unit_test(names_of_githubs_runner_are_refused),
        cmocka_unit_test(a_secret_of_kubernetes_needs_a_name_that_it_takes),
        cmocka_unit_test(a_secret_of_kubernetes_without_values_is_empty),
        cmocka_unit_test(what_is_too_much_for_a_reader_is_refused),
        cmocka_unit_test(every_byte_survives_json_or_is_refused),
        cmocka_unit_test(every_byte_survives_a_shell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
