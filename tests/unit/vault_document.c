/* Documents: what is read, what is refused and how, and that what is written is read the same. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/lib/heap.h"
#include "vault/document.h"

#define CANARY "canary-value-40b7"

static struct document parsed(const char *text)
{
    struct document doc = DOCUMENT_INIT;
    struct err err = ERR_INIT;

    if (document_parse(text, strlen(text), "the record", ERR_ROTATION, &doc, &err) != 0)
        fail_msg("%s", err.text);
    return doc;
}

static void assert_written(const struct document *doc, const char *expected)
{
    AUTO_SECRET text = SECRET_INIT;
    struct err err = ERR_INIT;

    if (document_write(doc, &text, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(secret_reveal(&text), expected);
}

static struct err refused_n(const char *text, size_t length)
{
    struct document doc = DOCUMENT_INIT;
    struct err err = ERR_INIT;

    assert_int_equal(document_parse(text, length, "the record", ERR_ROTATION, &doc, &err), -1);
    assert_int_equal(doc.count, 0);
    assert_text_lacks(err.text, "canary");
    assert_text_lacks(err.hint, "canary");
    assert_text_has(err.text, "the record");
    return err;
}

static struct err refused(const char *text)
{
    return refused_n(text, strlen(text));
}

static void what_is_read_is_written_as_the_same_types(void **state)
{
    static const char text[] =
        "{\"id\":\"x\",\"n\":-17,\"on\":true,\"off\":false,"
        "\"fields\":{\"p\":\"a\\\"b\\n\xc3\xa9\",\"port\":5432},\"former\":{}}";
    AUTO_DOCUMENT doc = parsed(text);
    int64_t number = 0;

    (void)state;
    assert_written(&doc, text);
    assert_string_equal(document_text(&doc, NULL, "id"), "x");
    assert_true(document_number(&doc, NULL, "n", &number));
    assert_int_equal(number, -17);
    assert_false(document_number(&doc, NULL, "id", &number));
    assert_false(document_number(&doc, NULL, "on", &number));
    assert_string_equal(document_text(&doc, "fields", "p"), "a\"b\n\xc3\xa9");
    assert_null(document_get(&doc, NULL, "p"));
    assert_null(document_get(&doc, "former", "p"));
    assert_int_equal(doc.count, 6);
}

static void an_empty_group_is_not_none(void **state)
{
    AUTO_DOCUMENT doc = parsed("{\"secret\":{},\"gone\":null}");

    (void)state;
    assert_true(document_has_group(&doc, "secret"));
    assert_false(document_has_group(&doc, "other"));
    assert_false(document_has_group(&doc, "gone"));
    assert_int_equal(doc.count, 0);
    document_remove_group(&doc, "secret");
    assert_false(document_has_group(&doc, "secret"));
    assert_written(&doc, "{}");
}

static void what_has_no_place_is_named_by_its_name_and_type(void **state)
{
    static const struct {
        const char *text, *member, *type;
    } cases[] = {
        {"{\"a\":[\"" CANARY "\"]}", "'a'", "an array"},
        {"{\"g\":{\"a\":[]}}", "'g.a'", "an array"},
        {"{\"g\":{\"a\":{\"b\":\"" CANARY "\"}}}", "'g.a'", "an object"},
        {"{\"a\":1.5}", "'a'", "not a whole one"},
        {"{\"a\":1e3}", "'a'", "not a whole one"},
        {"{\"a\":9007199254740993}", "'a'", "beyond 2^53"},
        {"{\"a\":123456789012345678901234567890}", "'a'", "not a whole one"},
        {"{\"a\":\"" CANARY "\\u0000\"}", "'a'", "NUL"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = refused(cases[i].text);
        assert_int_equal(err.kind, ERR_ROTATION);
        if (!strstr(err.text, cases[i].member) || !strstr(err.text, cases[i].type))
            fail_msg("case %zu: %s", i, err.text);
    }
    AUTO_DOCUMENT largest = parsed("{\"a\":9007199254740992}");
    assert_written(&largest, "{\"a\":9007199254740992}");
}

static void what_is_no_object_is_refused_without_quoting_it(void **state)
{
    (void)state;
    assert_text_has(refused("").text, "empty");
    assert_text_has(refused("[\"" CANARY "\"]").text, "not an object");
    assert_text_has(refused("\"" CANARY "\"").text, "not");
    assert_text_has(refused("{\"a\":\"" CANARY "\"").text, "not JSON from byte");
    assert_text_has(refused("{\"a\":\"" CANARY "\"} x").text, "not JSON");
    assert_text_has(refused("{\"a\":\"" CANARY "\",\"a\":\"2\"}").text, "a name twice");
    assert_text_has(refused("{\"g\":{\"a\":1,\"a\":2}}").text, "a name twice");
    assert_text_has(refused("{\"\\u0000\":1}").text, "not JSON");
    assert_text_has(refused("{\"a\":\"\xff" CANARY "\"}").text, "not JSON");
    assert_text_has(refused_n("{\"a\":\0}", 7).text, "not JSON");
}

static void more_than_the_ceiling_is_refused(void **state)
{
    size_t length = DOCUMENT_MAX_BYTES + 1;
    char *text = mem_new(length + 1, 1);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    memcpy(text, "{}", 2);
    assert_text_has(refused_n(text, length).text, "longer than");
    free(text);
}

static void what_others_keep_beside_ours_is_left_out_and_not_written_back(void **state)
{
    static const char text[] =
        "{\"user\":\"u\",\"list\":[1],\"ratio\":1.5,\"deep\":{\"a\":{\"b\":1}}}";
    AUTO_DOCUMENT doc = DOCUMENT_INIT;
    AUTO_DOCUMENT whole = DOCUMENT_INIT;
    AUTO_SECRET written = SECRET_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(document_parse_known(text, strlen(text), "x", ERR_SOURCE_DATA, &doc, &err), 0);
    assert_true(doc.is_partial);
    assert_string_equal(document_text(&doc, NULL, "user"), "u");
    assert_int_equal(doc.count, 1);
    assert_int_equal(document_write(&doc, &written, &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    AUTO_DOCUMENT copy = DOCUMENT_INIT;
    assert_int_equal(document_copy(&copy, &doc, &err), 0);
    assert_true(copy.is_partial);
    assert_int_equal(
        document_parse_known("{\"user\":\"u\"}", 12, "x", ERR_SOURCE_DATA, &whole, &err), 0);
    assert_false(whole.is_partial);
    AUTO_DOCUMENT with_null = DOCUMENT_INIT;
    assert_int_equal(
        document_parse_known("{\"user\":null}", 13, "x", ERR_SOURCE_DATA, &with_null, &err), 0);
    assert_true(with_null.is_partial);
}

static void values_are_set_replaced_and_removed(void **state)
{
    AUTO_DOCUMENT doc = DOCUMENT_INIT;
    AUTO_SECRET value = SECRET_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(secret_set(&value, "one", 3, &err), 0);
    assert_int_equal(document_set(&doc, "fields", "p", &value, &err), 0);
    assert_int_equal(document_set_text(&doc, NULL, "step", "set", &err), 0);
    assert_int_equal(document_set_number(&doc, NULL, "base", 7, &err), 0);
    assert_int_equal(document_add_group(&doc, "former", &err), 0);
    assert_written(&doc, "{\"step\":\"set\",\"base\":7,\"fields\":{\"p\":\"one\"},\"former\":{}}");
    assert_ptr_not_equal(secret_reveal(document_get(&doc, "fields", "p")), secret_reveal(&value));
    assert_int_equal(document_set_text(&doc, NULL, "base", "text", &err), 0);
    assert_int_equal(document_set_text(&doc, "fields", "p", "two", &err), 0);
    assert_written(&doc,
                   "{\"step\":\"set\",\"base\":\"text\",\"fields\":{\"p\":\"two\"},\"former\":{}}");
    document_remove(&doc, NULL, "step");
    document_remove(&doc, NULL, "none");
    document_remove(&doc, "fields", "p");
    assert_written(&doc, "{\"base\":\"text\",\"fields\":{},\"former\":{}}");
}

static void a_copy_stands_by_itself(void **state)
{
    AUTO_DOCUMENT doc = parsed("{\"a\":\"1\",\"g\":{\"b\":2,\"c\":true},\"e\":{}}");
    AUTO_DOCUMENT copy = parsed("{\"old\":1}");
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(document_copy(&copy, &doc, &err), 0);
    document_release(&doc);
    assert_written(&copy, "{\"a\":\"1\",\"g\":{\"b\":2,\"c\":true},\"e\":{}}");
}

static void one_name_is_no_value_and_group_at_once(void **state)
{
    AUTO_DOCUMENT doc = parsed("{\"a\":\"1\",\"g\":{}}");
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(document_set_text(&doc, NULL, "g", "x", &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    assert_int_equal(document_set_text(&doc, "a", "b", "x", &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    assert_int_equal(document_set_number(&doc, NULL, "n", INT64_C(1) << 54, &err), -1);
    assert_int_equal(document_set(&doc, NULL, "n", &SECRET_INIT, &err), -1);
    assert_written(&doc, "{\"a\":\"1\",\"g\":{}}");
}

/* Reading, setting, copying and writing, with the heap as it is. */
static int do_all(struct err *err)
{
    static const char text[] = "{\"a\":\"" CANARY "\",\"g\":{\"b\":\"" CANARY "\"},\"e\":{}}";
    AUTO_DOCUMENT doc = DOCUMENT_INIT, copy = DOCUMENT_INIT;
    AUTO_SECRET written = SECRET_INIT;

    if (document_parse(text, sizeof text - 1, "the record", ERR_ROTATION, &doc, err) != 0 ||
        document_set_text(&doc, "new", "name", CANARY, err) != 0 ||
        document_copy(&copy, &doc, err) != 0)
        return -1;
    return document_write(&copy, &written, err);
}

static void memory_that_runs_out_is_said_and_no_value_stays_in_the_heap(void **state)
{
    struct err err = ERR_INIT;
    long k = 0;

    (void)state;
    NEEDS_HEAP();
    assert_int_equal(do_all(&err), 0); /* the slab is there now */
    heap_watch(CANARY);
    for (;; k++) {
        heap_fail_after(k);
        int result = do_all(&err);
        heap_fail_after(-1);
        if (result == 0)
            break;
        assert_int_equal(err.kind, ERR_RESOURCE);
        err_clear(&err);
    }
    assert_true(k > 10);
    assert_int_equal(heap_leaks, 0);
    heap_watch(NULL);
}

static void a_set_that_fails_leaves_the_document_as_it_was(void **state)
{
    struct err err = ERR_INIT;
    int result = -1;

    (void)state;
    NEEDS_HEAP();
    AUTO_DOCUMENT doc = parsed("{\"a\":\"1\"}");
    for (long k = 0; result != 0; k++) {
        heap_fail_after(k);
        result = document_set_text(&doc, "g", "b", "2", &err);
        heap_fail_after(-1);
        if (result != 0)
            assert_written(&doc, "{\"a\":\"1\"}");
    }
    assert_written(&doc, "{\"a\":\"1\",\"g\":{\"b\":\"2\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_as_the_same_types),
        cmocka_unit_test(an_empty_group_is_not_none),
        cmocka_unit_test(what_has_no_place_is_named_by_its_name_and_type),
        cmocka_unit_test(what_is_no_object_is_refused_without_quoting_it),
        cmocka_unit_test(more_than_the_ceiling_is_refused),
        cmocka_unit_test(what_others_keep_beside_ours_is_left_out_and_not_written_back),
        cmocka_unit_test(values_are_set_replaced_and_removed),
        cmocka_unit_test(a_copy_stands_by_itself),
        cmocka_unit_test(one_name_is_no_value_and_group_at_once),
        cmocka_unit_test(memory_that_runs_out_is_said_and_no_value_stays_in_the_heap),
        cmocka_unit_test(a_set_that_fails_leaves_the_document_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
