/* tests/unit/agent_mask.c: a secret is hidden whole and in part. */
#include "tests/lib/unit.h"

#include <string.h>

#include "agent/mask.h"
#include "base/redact.h"

static void mask(const char *value, const char *const *parts, size_t count)
{
    struct err err = ERR_INIT;
    struct secret whole = secret_borrow(value, strlen(value)), made[4];
    const struct secret *list[4] = {0};

    for (size_t i = 0; i < count; i++) {
        if (!parts[i])
            continue;
        made[i] = secret_borrow(parts[i], strlen(parts[i]));
        list[i] = &made[i];
    }
    assert_int_equal(mask_value(&whole, list, count, &err), 0);
}

static void assert_shown(const char *text, const char *wanted)
{
    AUTO_BUF out = BUF_INIT(4096);
    redact_add(&out, text, strlen(text));
    assert_string_equal(buf_text(&out), wanted);
}

static void the_password_of_a_url_is_hidden_alone_too(void **state)
{
    (void)state;
    mask("postgresql://acme:can%40ary-one@db.acme.io/app", NULL, 0);
    assert_shown("FATAL for can@ary-one at db.acme.io", "FATAL for *** at db.acme.io");
    assert_shown("FATAL for can%40ary-one", "FATAL for ***");
    assert_shown("user acme", "user acme");
}

static void the_password_in_json_is_hidden_alone_too(void **state)
{
    (void)state;
    mask("{\"user\": \"acme\", \"password\": \"canary\\u002djson\"}", NULL, 0);
    assert_shown("canary-json of acme", "*** of acme");
}

static void each_part_of_a_composed_value_is_hidden(void **state)
{
    (void)state;
    static const char *const parts[] = {"canary-left", NULL, "canary-right"};
    mask("canary-left+canary-right", parts, 3);
    assert_shown("only canary-right here", "only *** here");
    assert_shown("canary-left", "***");
}

static void what_a_url_is_composed_of_is_hidden_wherever_it_stands(void **state)
{
    (void)state;
    static const char *const parts[] = {"canary/token", "canary-path", "hooks.acme.io",
                                        "https://hooks.acme.io"};
    mask("https://hooks.acme.io/s/canary-path?token=canary%2Ftoken", parts, 4);
    assert_shown("401 for canary/token", "401 for ***");
    assert_shown("no such hook: canary-path", "no such hook: ***");
    assert_shown("https://hooks.acme.io is away", "https://hooks.acme.io is away");
}

static void where_a_composed_url_goes_is_not_hidden(void **state)
{
    (void)state;
    static const char *const parts[] = {"acme-app", "canary@pass", "db.acme.io", "acme_prod"};
    mask("postgresql://acme-app:canary%40pass@db.acme.io:5432/acme_prod", parts, 4);
    assert_shown("acme-app at db.acme.io, acme_prod", "acme-app at db.acme.io, acme_prod");
    assert_shown("FATAL for canary@pass", "FATAL for ***");
}

static void a_part_too_short_to_hide_ruins_no_text(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "canary-long"};
    mask("a canary-long", parts, 2);
    assert_shown("a banana", "a banana");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_password_of_a_url_is_hidden_alone_too),
        cmocka_unit_test(the_password_in_json_is_hidden_alone_too),
        cmocka_unit_test(each_part_of_a_composed_value_is_hidden),
        cmocka_unit_test(what_a_url_is_composed_of_is_hidden_wherever_it_stands),
        cmocka_unit_test(where_a_composed_url_goes_is_not_hidden),
        cmocka_unit_test(a_part_too_short_to_hide_ruins_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
