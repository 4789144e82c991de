/* `item` and `separator` in a contract: its own table of keys, and what a schema cannot say of it. */
#include "tests/unit/envcontract_load.h"

#include "envcontract/internal.h"

#define LIST(rest) "{'contract': 1, 'vars': {'A': {'type': 'list', " rest "}}}"

static void what_is_wrong_in_an_item_is_said_at_its_place(void **state)
{
    static const struct wrong list[] = {
        {LIST("'item': 'int'"), 1, 56, "/vars/A/item", "'item' takes an object", NULL},
        {LIST("'item': {'typ': 'int'}"), 1, 57, "/vars/A/item/typ", "unknown key 'typ' in 'item'",
         "Did you mean 'type'?"},
        {LIST("'item': {'type': 'prot'}"), 1, 65, "/vars/A/item/type", "not known as a type",
         "Did you mean 'port'?"},
        {LIST("'item': {'type': 'list'}"), 1, 65, "/vars/A/item/type", "an item is no list", NULL},
        {LIST("'item': {'item': {}}"), 1, 57, "/vars/A/item/item", "unknown key 'item'", NULL},
        {LIST("'item': {'secret': true}"), 1, 57, "/vars/A/item/secret", "unknown key", NULL},
        {LIST("'item': {'min': 1}"), 1, 57, "/vars/A/item/min", "this type has no 'min'", NULL},
        {LIST("'item': {'type': 'bool', 'max': 1}"), 1, 73, "/vars/A/item/max",
         "this type has no 'max'", NULL},
        {LIST("'item': {'type': 'int', 'min_bytes': 1}"), 1, 72, "/vars/A/item/min_bytes",
         "this type has no 'min_bytes'", NULL},
        {LIST("'item': {'url': {}}"), 1, 57, "/vars/A/item/url", "this type has no 'url'",
         "It is for url, postgres-url and redis-url."},
        {LIST("'item': {'path': {}}"), 1, 57, "/vars/A/item/path", "this type has no 'path'", NULL},
        {LIST("'item': {'type': 'enum'}"), 1, 65, "/vars/A/item/type", "an enum without 'values'",
         "Add"},
        {LIST("'item': {'type': 'date', 'min': '2027-02-30'}"), 1, 80, "/vars/A/item/min",
         "'min' is no value of its type", "It is to be a day such as 2027-01-31."},
        {LIST("'item': {'type': 'semver', 'max': 2}"), 1, 82, "/vars/A/item/max",
         "'max' is no value of its type", NULL},
        {LIST("'item': {'type': 'bytes', 'min': '1MiB', 'max': '1MB'}"), 1, 96, "/vars/A/item/max",
         "'max' is below 'min'", NULL},
        {LIST("'item': {'pattern': '('}"), 1, 68, "/vars/A/item/pattern", "does not compile", NULL},
        {LIST("'item': {'type': null}"), 1, 65, "/vars/A/item/type", "takes a type's name", NULL},
        {LIST("'separator': ''"), 1, 61, "/vars/A/separator", "'separator' is empty", NULL},
        {LIST("'min': 1"), 1, 48, "/vars/A/min", "this type has no 'min'", NULL},
        {"{'contract': 1, 'vars': {'A': {'item': {}}}}", 1, 32, "/vars/A/item",
         "this type has no 'item'", NULL},
        {"{'contract': 1, 'vars': {'A': {'type': 'string', 'separator': ';'}}}", 1, 50,
         "/vars/A/separator", "this type has no 'separator'", NULL},
    };
    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_default_is_held_against_its_type(void **state)
{
    static const struct {
        const char *keys, *rule, *message;
    } list[] = {
        {"'type': 'list', 'item': {'type': 'port'}, 'default': '80,http'", "type",
         "the default: item 2: 4 characters, expected a port"},
        {"'type': 'list', 'default': 'a,,b'", "empty", "the default: item 2: nothing in it"},
        {"'type': 'bytes', 'default': '10M'", "type", "the default: 3 characters, expected a"},
        {"'type': 'bytes', 'default': 10, 'min': '1kB'", "min", "below the minimum of 1kB"},
        {"'type': 'host', 'default': 'a_b'", "type", "trouble at character 2"},
        {"'type': 'ip', 'default': 10", "type", "expected an IPv4 or IPv6 address"},
        {"'type': 'cidr', 'default': '10.0.0.1/8'", "type", "bits behind the prefix"},
        {"'type': 'semver', 'default': 1.4", "type", "expected a version"},
        {"'type': 'semver', 'default': '1.4.0', 'min': '1.4.1'", "min", "below the minimum"},
        {"'type': 'date', 'default': '2027-02-29'", "type", "the calendar"},
        {"'type': 'date', 'default': '2027-02-28', 'max': '2027-02-27'", "max", "above"},
        {"'type': 'hex', 'default': 'abc'", "type", "an odd number"},
        {"'type': 'hex', 'default': 'ab', 'min_bytes': 2", "length", "1 byte after decoding"},
        {"'type': 'json', 'default': '{'", "type", "the end of the text"},
        {"'type': 'pem', 'default': 'x'", "type", "no BEGIN"},
        {"'type': 'jwt', 'default': 'a.b'", "type", "fewer than three parts"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "{'contract': 1, 'vars': {'A': {%s}}}", list[i].keys);
        struct loaded l = load_text(text);
        const struct finding *f = find_finding(&l, list[i].message);
        assert_int_equal(l.findings.count, 1);
        assert_string_equal(f->rule, list[i].rule);
        assert_string_equal(f->pointer, "/vars/A/default");
        unload(&l);
    }
}

static void base_gives_items_to_the_lists_alone(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'base': {'item': {'type': 'int'}, 'separator': "
                                "';'}, 'vars': {'A': {'type': 'list', 'default': '1;2'}, "
                                "'B': {'type': 'int', 'default': 1}, "
                                "'C': {'type': 'list', 'item': {'type': 'bool', 'values': [true]}, "
                                "'separator': null, 'default': 'true,true'}}}");
    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    const struct contract_rules *a = contract_find(l.contract, "A")->rules;
    const struct contract_rules *b = contract_find(l.contract, "B")->rules;
    const struct contract_rules *c = contract_find(l.contract, "C")->rules;
    assert_int_equal(a->item->type, TYPE_INT);
    assert_string_equal(a->separator, ";");
    assert_null(b->item);
    assert_null(b->separator);
    assert_int_equal(c->item->type, TYPE_BOOL);
    assert_string_equal(c->item->values[0], "true");
    assert_null(c->separator);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_in_an_item_is_said_at_its_place),
        cmocka_unit_test(a_default_is_held_against_its_type),
        cmocka_unit_test(base_gives_items_to_the_lists_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
