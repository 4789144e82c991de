/* tests/unit/base_quote.c: what is quoted is read back by somebody else's reader. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

enum { CEILING = 100000 };

/* 0, 1, ... 255. */
static void every_byte(char bytes[static 256])
{
    for (int byte = 0; byte < 256; byte++)
        bytes[byte] = (char)byte;
}

static void percent_encoding_leaves_only_unreserved_characters(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);

    str_add_percent(&b, "aZ09-._~ /?#[]@!$&'()*+,;=:%\"\xC3\xBC\0", 32);
    assert_string_equal(buf_text(&b), "aZ09-._~%20%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B"
                                      "%3D%3A%25%22%C3%BC%00");
}

static void every_byte_survives_percent_encoding(void **state)
{
    (void)state;
    AUTO_BUF encoded = BUF_INIT(CEILING), decoded = BUF_INIT(CEILING);
    char bytes[256];

    every_byte(bytes);
    str_add_percent(&encoded, bytes, sizeof bytes);
    assert_int_equal(str_percent_decode(&decoded, encoded.data, encoded.len), 0);
    assert_int_equal(decoded.len, sizeof bytes);
    assert_memory_equal(decoded.data, bytes, sizeof bytes);
}

static void a_bad_percent_escape_adds_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"%", "%4", "abc%", "%4g", "%g4", "ok%41%", "%%41"};
    AUTO_BUF b = BUF_INIT(CEILING);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(str_percent_decode(&b, bad[i], strlen(bad[i])), -1);
    assert_int_equal(b.len, 0);
    assert_int_equal(str_percent_decode(&b, "%41", 2), -1); /* the length counts, not the NUL */
    assert_int_equal(str_percent_decode(&b, "a+%2f%2F", 8), 0);
    assert_string_equal(buf_text(&b), "a+//");
}

static void base64_is_what_libsodium_writes(void **state)
{
    (void)state;
    char bytes[256];

    every_byte(bytes);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        AUTO_BUF b = BUF_INIT(CEILING);
        char expected[sodium_base64_ENCODED_LEN(sizeof bytes, sodium_base64_VARIANT_ORIGINAL)];
        const char *from = bytes + sizeof bytes - length; /* high bytes too */
        str_add_base64(&b, from, length);
        sodium_bin2base64(expected, sizeof expected, (const unsigned char *)from, length,
                          sodium_base64_VARIANT_ORIGINAL);
        assert_string_equal(buf_text(&b), expected);

        size_t decoded = 0;
        assert_int_equal(str_base64_length(expected, strlen(expected), &decoded), 0);
        assert_int_equal(decoded, length);
        static const int urls[] = {sodium_base64_VARIANT_URLSAFE,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING,
                                   sodium_base64_VARIANT_ORIGINAL_NO_PADDING};
        for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
            sodium_bin2base64(expected, sizeof expected, (const unsigned char *)from, length,
                              urls[i]);
            assert_int_equal(str_base64_length(expected, strlen(expected), &decoded), 0);
            assert_int_equal(decoded, length);
        }
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"A",     "AAAAA", "=",     "====",    "AA=",
                                      "AAA==", "A===",  "AAAA=", "AA=A",    "AA A",
                                      "AA\n",  "AA+-_", "a+_b",  "\xFF\xFF"};
    size_t decoded = 99;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(str_base64_length(bad[i], strlen(bad[i]), &decoded), -1);
    assert_int_equal(str_base64_length("A\0AA", 4, &decoded), -1);
    assert_int_equal(decoded, 99);
}

static void json_text_is_escaped_and_quoted(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);

    str_add_json(&b, "a\"b\\c\b\f\n\r\t\x01\x1F/\x7F\xC3\xBC\0", 17);
    assert_string_equal(buf_text(&b), "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001f/\x7F\xC3\xBC"
                                      "\\u0000\"");
}

static void every_pair_of_bytes_makes_json_that_jansson_reads(void **state)
{
    (void)state;

    for (unsigned pair = 0; pair < 65536; pair++) {
        const char bytes[] = {(char)(pair >> 8), (char)(pair & 0xFF)};
        AUTO_BUF b = BUF_INIT(CEILING);
        json_error_t why;
        str_add_json(&b, bytes, sizeof bytes);
        json_t *read = json_loadb(b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
        if (!read)
            fail_msg("%02x %02x: %s", pair >> 8, pair & 0xFF, why.text);
        size_t first = str_utf8(bytes, 2);
        if (first == 2 || (first == 1 && str_utf8(bytes + 1, 1) == 1)) {
            assert_int_equal(json_string_length(read), 2);
            assert_memory_equal(json_string_value(read), bytes, 2);
        }
        json_decref(read);
    }
}

static void bytes_that_are_not_utf8_become_replacement_characters_in_json(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);

    str_add_json(&b, "a\xFF\xC3", 3);
    assert_string_equal(buf_text(&b), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void plain_words_need_no_quotes_in_a_shell(void **state)
{
    (void)state;
    static const struct {
        const char *word, *quoted;
    } cases[] = {
        {"", "''"},
        {"postgresql://h:5432/app", "postgresql://h:5432/app"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"$HOME", "'$HOME'"},
        {"~", "'~'"},
        {"a\nb", "'a\nb'"},
        {"*", "'*'"},
        {"\xC3\xBC", "'\xC3\xBC'"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF b = BUF_INIT(CEILING);
        str_add_shell(&b, cases[i].word, strlen(cases[i].word));
        assert_string_equal(buf_text(&b), cases[i].quoted);
    }
}

/* What sh prints for `printf %s WORD`. */
static void shell_reads(const char *word, struct buf *out)
{
    AUTO_BUF script = BUF_INIT(CEILING);
    int ends[2];
    buf_addf(&script, "printf %%s %s", word);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execl("/bin/sh", "sh", "-c", buf_text(&script), (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    for (;;) {
        char *room = buf_reserve(out, 1024);
        assert_non_null(room);
        ssize_t got = read(ends[0], room, 1024);
        assert_true(got >= 0);
        if (got == 0)
            break;
        buf_commit(out, (size_t)got);
    }
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_shell_reads_every_byte_back(void **state)
{
    (void)state;
    AUTO_BUF quoted = BUF_INIT(CEILING), read_back = BUF_INIT(CEILING);
    char bytes[256];

    every_byte(bytes);
    str_add_shell(&quoted, bytes + 1, sizeof bytes - 1); /* sh has no NUL */
    shell_reads(buf_text(&quoted), &read_back);
    assert_int_equal(read_back.len, sizeof bytes - 1);
    assert_memory_equal(read_back.data, bytes + 1, sizeof bytes - 1);

    for (int byte = 33; byte < 127; byte++) { /* alone, where quotes may have been left out */
        AUTO_BUF one = BUF_INIT(CEILING), back = BUF_INIT(CEILING);
        str_add_shell(&one, bytes + byte, 1);
        shell_reads(buf_text(&one), &back);
        assert_int_equal(back.len, 1);
        assert_int_equal(back.data[0], byte);
    }
}

static void foreign_bytes_are_shown_and_not_obeyed(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *shown;
    } cases[] = {
        {"plain \xC3\xBC \xE2\x82\xAC \xF0\x9F\x94\x91",
         "plain \xC3\xBC \xE2\x82\xAC \xF0\x9F\x94\x91"},
        {"\x1B[2J", "\\x1b[2J"},
        {"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
        {"\x7F", "\\x7f"},
        {"\xC2\x80\xC2\x9F\xC2\xA0", "\\xc2\\x80\\xc2\\x9f\xC2\xA0"},
        {"\xD8\x9C", "\\xd8\\x9c"},
        {"\xE2\x80\x8D\xE2\x80\x8E\xE2\x80\x8F\xE2\x80\x90",
         "\xE2\x80\x8D\\xe2\\x80\\x8e\\xe2\\x80\\x8f\xE2\x80\x90"},
        {"\xE2\x80\xA9\xE2\x80\xAA\xE2\x80\xAE\xE2\x80\xAF",
         "\xE2\x80\xA9\\xe2\\x80\\xaa\\xe2\\x80\\xae\xE2\x80\xAF"},
        {"\xE2\x81\xA5\xE2\x81\xA6\xE2\x81\xA9\xE2\x81\xAA",
         "\xE2\x81\xA5\\xe2\\x81\\xa6\\xe2\\x81\\xa9\xE2\x81\xAA"},
        {"\xED\xA0\x80", "\\xed\\xa0\\x80"},
        {"\xC0\xAF", "\\xc0\\xaf"},
        {"cut \xE2\x82", "cut \\xe2\\x82"},
        {"\\", "\\"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF b = BUF_INIT(CEILING);
        str_add_sanitised(&b, cases[i].raw, strlen(cases[i].raw));
        assert_string_equal(buf_text(&b), cases[i].shown);
    }
}

static void every_byte_alone_is_printable_when_sanitised(void **state)
{
    (void)state;

    for (unsigned byte = 0; byte < 256; byte++) {
        AUTO_BUF b = BUF_INIT(CEILING), escape = BUF_INIT(CEILING);
        const char raw = (char)byte;
        str_add_sanitised(&b, &raw, 1);
        if (byte >= 0x20 && byte < 0x7F)
            buf_addc(&escape, raw);
        else
            buf_addf(&escape, "\\x%02x", byte);
        assert_string_equal(buf_text(&b), buf_text(&escape));
    }
}

static void sanitising_twice_changes_nothing(void **state)
{
    (void)state;
    AUTO_BUF once = BUF_INIT(CEILING), twice = BUF_INIT(CEILING);
    char bytes[256];

    every_byte(bytes);
    str_add_sanitised(&once, bytes, sizeof bytes);
    str_add_sanitised(&twice, once.data, once.len);
    assert_string_equal(buf_text(&once), buf_text(&twice));
}

/* A code point by the definition of UTF-8, without looking at which bytes are valid. */
static size_t encode(unsigned long point, char out[static 4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3F));
    out[0] = (char)((0xF00 >> length & 0xF0) | point);
    return length;
}

static void utf8_is_every_code_point_but_surrogates(void **state)
{
    (void)state;
    char bytes[4];

    for (unsigned long point = 0; point < 0x120000; point++) {
        size_t length = encode(point, bytes);
        bool is_valid = point < 0xD800 || (point > 0xDFFF && point < 0x110000);
        char written[4];
        if (point < 0x110000 && (str_put_utf8((uint32_t)point, written) != length ||
                                 memcmp(written, bytes, length) != 0))
            fail_msg("U+%04lX is written in another way", point);
        if (str_utf8(bytes, length) != (is_valid ? length : 0) ||
            (length > 1 && str_utf8(bytes, length - 1) != 0))
            fail_msg("U+%04lX", point);
    }
    assert_int_equal(str_utf8("", 0), 0);
    assert_int_equal(str_utf8("\xC1\xBF", 2), 0);         /* overlong */
    assert_int_equal(str_utf8("\xE0\x9F\xBF", 3), 0);     /* overlong */
    assert_int_equal(str_utf8("\xF0\x8F\xBF\xBF", 4), 0); /* overlong */
    assert_int_equal(str_utf8("\x80", 1), 0);
    assert_int_equal(str_utf8("\xC3x", 2), 0);
    assert_int_equal(str_utf8("\xF5\x80\x80\x80", 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_encoding_leaves_only_unreserved_characters),
        cmocka_unit_test(every_byte_survives_percent_encoding),
        cmocka_unit_test(a_bad_percent_escape_adds_nothing),
        cmocka_unit_test(base64_is_what_libsodium_writes),
        cmocka_unit_test(what_is_not_base64_is_refused),
        cmocka_unit_test(json_text_is_escaped_and_quoted),
        cmocka_unit_test(every_pair_of_bytes_makes_json_that_jansson_reads),
        cmocka_unit_test(bytes_that_are_not_utf8_become_replacement_characters_in_json),
        cmocka_unit_test(plain_words_need_no_quotes_in_a_shell),
        cmocka_unit_test(a_shell_reads_every_byte_back),
        cmocka_unit_test(foreign_bytes_are_shown_and_not_obeyed),
        cmocka_unit_test(every_byte_alone_is_printable_when_sanitised),
        cmocka_unit_test(sanitising_twice_changes_nothing),
        cmocka_unit_test(utf8_is_every_code_point_but_surrogates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
