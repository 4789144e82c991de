/* Numbers, durations, globs, encodings: what is read and written again is the same. */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM_BYTES = 8 * 1024 * 1024 };

static void check_duration(const char *text, size_t size)
{
    int64_t ms, again;
    AUTO_BUF written = BUF_INIT(ROOM_BYTES);

    if (str_to_go_duration(text, size, &ms) == 0)
        PROMISE(ms >= 0);
    if (str_to_duration(text, size, &ms) != 0)
        return;
    PROMISE(ms >= 0);
    str_add_duration(&written, ms);
    PROMISE(str_to_duration(buf_text(&written), written.len, &again) == 0);
    PROMISE(again == ms);
}

static void check_number(const char *text, size_t size)
{
    int64_t number, again;
    AUTO_BUF written = BUF_INIT(ROOM_BYTES);

    if (str_to_int64(text, size, &number) != 0)
        return;
    buf_addf(&written, "%lld", (long long)number);
    PROMISE(str_to_int64(buf_text(&written), written.len, &again) == 0 && again == number);
}

static void check_percent(const char *text, size_t size)
{
    AUTO_BUF encoded = BUF_INIT(ROOM_BYTES);
    AUTO_BUF decoded = BUF_INIT(ROOM_BYTES);

    str_add_percent(&encoded, text, size);
    PROMISE(str_percent_decode(&decoded, buf_text(&encoded), encoded.len) == 0);
    PROMISE(decoded.len == size && memcmp(buf_text(&decoded), text, size) == 0);
    buf_clear(&decoded);
    if (str_percent_decode(&decoded, text, size) != 0)
        PROMISE(decoded.len == 0);
}

/* What people are shown is printable, and showing it twice changes nothing. */
static void check_sanitised(const char *text, size_t size)
{
    AUTO_BUF shown = BUF_INIT(ROOM_BYTES);
    AUTO_BUF again = BUF_INIT(ROOM_BYTES);

    str_add_sanitised(&shown, text, size);
    for (size_t i = 0; i < shown.len; i++)
        PROMISE((unsigned char)shown.data[i] >= 0x20 && shown.data[i] != 0x7f);
    str_add_sanitised(&again, buf_text(&shown), shown.len);
    PROMISE(strcmp(buf_text(&shown), buf_text(&again)) == 0);
    str_add_json(&again, text, size);
    str_add_shell(&again, text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t decoded;

    check_duration(text, size);
    check_number(text, size);
    check_percent(text, size);
    check_sanitised(text, size);
    if (str_base64_length(text, size, &decoded) == 0)
        PROMISE(decoded <= size);
    AUTO_BUF pattern = BUF_INIT(ROOM_BYTES);
    buf_add(&pattern, text, size / 2);
    if (size)
        (void)str_glob(buf_text(&pattern), text + size / 2, size - size / 2);
    return 0;
}
