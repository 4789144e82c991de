#include "agent/mask.h"

#include "base/redact.h"
#include "base/url.h"

static int mask_bytes(const char *bytes, size_t length, struct err *err)
{
    struct secret view = secret_borrow(bytes, length);

    return length < REDACT_MIN_BYTES ? 0 : redact_register(&view, err);
}

static int mask_password(const struct url *url, struct err *err)
{
    AUTO_BUF decoded = BUF_INIT(SECRET_MAX_BYTES);

    if (!url->password.start)
        return 0;
    if (mask_bytes(url->password.start, url->password.length, err) != 0)
        return -1;
    if (url_decode(&url->password, &decoded) != 0 ||
        (decoded.len == url->password.length &&
         memcmp(buf_text(&decoded), url->password.start, decoded.len) == 0))
        return 0;
    return mask_bytes(buf_text(&decoded), decoded.len, err);
}

int mask_value(const struct secret *value, const struct secret *const *parts, size_t part_count,
               struct err *err)
{
    struct err no_url = ERR_INIT;
    struct url url;

    if (redact_register(value, err) != 0)
        return -1;
    if (url_parse(secret_reveal(value), secret_length(value), &url, ERR_VIOLATION, &no_url) == 0)
        return mask_password(&url, err);
    for (size_t i = 0; part_count > 1 && i < part_count; i++)
        if (parts[i] && mask_bytes(secret_reveal(parts[i]), secret_length(parts[i]), err) != 0)
            return -1;
    return 0;
}
