/* URLs: every span lies in the text, every host and query is walked to an end. */
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "tests/fuzz/fuzz.h"

static void check_span(const struct url_span *span, const char *text, size_t size)
{
    if (!span->start || span->length == 0)
        return;
    PROMISE(span->start >= text && span->start + span->length <= text + size);
    AUTO_BUF decoded = BUF_INIT(size + 1);
    if (url_decode(span, &decoded) == 0)
        PROMISE(decoded.len <= span->length && !memchr(buf_text(&decoded), 0, decoded.len));
    (void)url_span_is(span, "localhost");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct err err = ERR_INIT;
    struct url url;
    struct url_span first, second;

    if (url_parse(text, size, &url, ERR_CONTRACT, &err) != 0) {
        fuzz_check_error(&err, ERR_CONTRACT);
        return 0;
    }
    PROMISE(url.scheme.start == text && url.scheme.length > 0);
    const struct url_span *const spans[] = {&url.scheme, &url.user, &url.password, &url.host,
                                            &url.port,   &url.path, &url.query,    &url.fragment};
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        check_span(spans[i], text, size);
    size_t hosts = 0, pairs = 0;
    for (size_t at = 0; url_next_host(&url, &at, &first, &second); hosts++) {
        check_span(&first, text, size);
        check_span(&second, text, size);
        PROMISE(hosts <= size);
    }
    for (size_t at = 0; url_next_query(&url, &at, &first, &second); pairs++) {
        check_span(&first, text, size);
        check_span(&second, text, size);
        PROMISE(pairs <= size);
    }
    (void)url_query(&url, "sslmode");
    (void)url_is_postgres(&url);
    (void)url_host_is_loopback(&url);
    return 0;
}
