#include "agent/mask.h"

#include <string.h>

#include "base/redact.h"
#include "base/str.h"
#include "base/url.h"

static int mask_bytes(const char *bytes, size_t length, struct err *err)
{
    struct secret view = secret_borrow(bytes, length);

    return length < REDACT_MIN_BYTES ? 0 : redact_register(&view, err);
}

static bool has_bytes(const char *from, const char *to, const char *bytes, size_t length)
{
    return from && from < to && memmem(from, (size_t)(to - from), bytes, length);
}

/* Whether BYTES stand in URL where everybody may see them. */
static bool is_open(const struct url *url, const char *bytes, size_t length)
{
    const struct url_span *password = &url->password;
    const char *start = url->scheme.start, *path = url->path.start;
    bool is_database = url_is_postgres(url) && url->path.length == length + 1 &&
                       memcmp(path + 1, bytes, length) == 0;

    if (!password->start)
        return is_database || has_bytes(start, path, bytes, length);
    return is_database || has_bytes(start, password->start, bytes, length) ||
           has_bytes(password->start + password->length, path, bytes, length);
}

/* A part as it is, or as it was encoded. */
static int mask_part(const struct url *url, const struct secret *part, struct err *err)
{
    AUTO_BUF encoded = BUF_INIT(SECRET_MAX_BYTES);
    const char *bytes = secret_reveal(part);
    size_t length = secret_length(part);

    str_add_percent(&encoded, bytes, length);
    if (length == 0 ||
        (url && (is_open(url, bytes, length) || is_open(url, buf_text(&encoded), encoded.len))))
        return 0;
    return mask_bytes(bytes, length, err);
}

int mask_value(const struct secret *value, const struct secret *const *parts, size_t part_count,
               struct err *err)
{
    struct err no_url = ERR_INIT;
    struct url url;

    if (redact_register_value(value, err) != 0)
        return -1;
    bool is_url = url_parse(secret_reveal(value), secret_length(value), &url, ERR_VIOLATION,
                            &no_url) == 0;
    for (size_t i = 0; i < part_count; i++)
        if (parts[i] && secret_is_set(parts[i]) &&
            mask_part(is_url ? &url : NULL, parts[i], err) != 0)
            return -1;
    return 0;
}
