/* What Prometheus gets of rotations. */
#include "tests/lib/unit.h"

#include <string.h>

#include "agent/rotate.h"

enum { NOW = 2000000000 };

static struct err err;

static void write_metrics(const struct rotate_spec *spec, const struct rotate_status *status,
                          const struct rotate_receipt *last, struct buf *out)
{
    if (rotate_metrics_text(spec, status, last, 1, NOW, out, &err) != 0)
        fail_msg("%s", err.text);
}

static void what_is_known_is_a_sample_each(void **state)
{
    const struct rotate_spec spec = {
        .variable = "KEY", .strategy = ROTATE_RANDOM, .every_ms = 3600 * 1000};
    const struct rotate_status status = {
        .state = ROTATE_STATE_OVERDUE, .last_rotated = NOW - 7200, .due = NOW - 3600};
    const struct rotate_receipt last = {.id = "x", .result = "aborted", .duration_ms = 12};
    AUTO_BUF text = BUF_INIT(16 * 1024);

    (void)state;
    write_metrics(&spec, &status, &last, &text);
#define LABELS "{name=\"KEY\",strategy=\"random\"} "
    assert_text_has(buf_text(&text), "\nagent_secret_age_seconds" LABELS "7200\n");
    assert_text_has(buf_text(&text), "\nagent_secret_period_seconds" LABELS "3600\n");
    assert_text_has(buf_text(&text), "\nagent_secret_due" LABELS "1\n");
    assert_text_has(buf_text(&text), "\nagent_secret_overdue" LABELS "1\n");
    assert_text_has(buf_text(&text), "\nagent_secret_open" LABELS "0\n");
    assert_text_has(buf_text(&text), "\nagent_secret_last_rotation_success" LABELS "0\n");
    assert_text_has(buf_text(&text), "\nagent_rotate_timestamp_seconds 2000000000\n");
}

static void what_is_not_known_has_no_sample(void **state)
{
    const struct rotate_spec spec = {.variable = "KEY", .strategy = ROTATE_HOOK};
    const struct rotate_status status = {.state = ROTATE_STATE_UNKNOWN};
    const struct rotate_receipt never = {.id = ""};
    AUTO_BUF text = BUF_INIT(16 * 1024);

    (void)state;
    write_metrics(&spec, &status, &never, &text);
    assert_text_lacks(buf_text(&text), "\nagent_secret_age_seconds{");
    assert_text_lacks(buf_text(&text), "\nagent_secret_period_seconds{");
    assert_text_lacks(buf_text(&text), "\nagent_secret_due_timestamp_seconds{");
    assert_text_lacks(buf_text(&text), "\nagent_secret_last_rotation_success{");
    assert_text_has(buf_text(&text), "\nagent_secret_unknown{name=\"KEY\",strategy=\"hook\"} 1\n");
}

static void a_clock_that_went_back_makes_no_negative_age(void **state)
{
    const struct rotate_spec spec = {.variable = "KEY", .strategy = ROTATE_RANDOM};
    const struct rotate_status status = {.state = ROTATE_STATE_OK, .last_rotated = NOW + 60};
    const struct rotate_receipt never = {.id = ""};
    AUTO_BUF text = BUF_INIT(16 * 1024);

    (void)state;
    write_metrics(&spec, &status, &never, &text);
    assert_text_has(buf_text(&text), "\nagent_secret_age_seconds" LABELS "0\n");
}

static void a_label_is_escaped(void **state)
{
    const struct rotate_spec spec = {.variable = "A\"\\\nB", .strategy = ROTATE_RANDOM};
    const struct rotate_status status = {.state = ROTATE_STATE_OK, .last_rotated = NOW};
    const struct rotate_receipt never = {.id = ""};
    AUTO_BUF text = BUF_INIT(16 * 1024);

    (void)state;
    write_metrics(&spec, &status, &never, &text);
    assert_text_has(buf_text(&text), "{name=\"A\\\"\\\\\\nB\",");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_a_sample_each),
        cmocka_unit_test(what_is_not_known_has_no_sample),
        cmocka_unit_test(a_clock_that_went_back_makes_no_negative_age),
        cmocka_unit_test(a_label_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
