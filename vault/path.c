/* path.c: paths of references → paths of requests.
 *
 * A path reaches the server as it was written, or not at all: every segment is encoded by itself,
 * and what a client, a proxy or the server would fold into another path is refused. */
#include "vault/internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* NULL, or what is wrong with a segment. */
static const char *segment_defect(const char *segment, size_t length)
{
    if (length == 0)
        return "has an empty segment";
    if (segment[0] == '.' && (length == 1 || (length == 2 && segment[1] == '.')))
        return "has '.' or '..' as a segment";
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)segment[i];
        if (c < 0x20 || c == 0x7f)
            return "has a control byte";
        if (c == '%' && length - i > 2 && str_hex_digit(segment[i + 1]) >= 0 &&
            str_hex_digit(segment[i + 2]) >= 0)
            return "is percent-encoded already (write the character itself)";
    }
    return NULL;
}

int path_encode(const char *path, struct buf *out, struct err *err)
{
    for (const char *segment = path;;) {
        const char *end = strchrnul(segment, '/');
        const char *defect = segment_defect(segment, (size_t)(end - segment));
        if (defect)
            return err_set(err, ERR_CONTRACT, "the path '%s' %s", path, defect);
        str_add_percent(out, segment, (size_t)(end - segment));
        if (*end == '\0')
            break;
        buf_addc(out, '/');
        segment = end + 1;
    }
    return buf_check(out, ERR_CONTRACT, "the path of a request", err);
}

size_t path_prefix(const char *path, size_t count)
{
    const char *end = path;

    for (size_t i = 0; i < count; i++) {
        if (i > 0 && *end == '/')
            end++;
        end = strchrnul(end, '/');
    }
    return (size_t)(end - path);
}

size_t path_segments(const char *path)
{
    size_t count = 1;

    for (const char *c = path; *c; c++)
        count += *c == '/';
    return count;
}

bool path_is_below(const char *path, const char *mount, size_t length)
{
    return strncmp(path, mount, length) == 0 && path[length] == '/';
}

bool path_is_login(const char *path)
{
    static const char *const words[] = {"creds", "static-creds", "static-cred"};
    const char *role = strrchr(path, '/');

    if (!role || role == path)
        return false;
    const char *word = role - 1;
    while (word > path && word[-1] != '/')
        word--;
    if (word == path) /* no mount before it */
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(role - word) == length && memcmp(word, words[i], length) == 0)
            return true;
    }
    return false;
}

int path_request(const char *path, size_t mount_length, char **out, struct err *err)
{
    AUTO_BUF checked = BUF_INIT(VAULT_PATH_MAX_BYTES);
    AUTO_BUF written = BUF_INIT(VAULT_PATH_MAX_BYTES);
    const char *rest = path + mount_length;

    if (path_encode(path, &checked, err) != 0) /* what is wrong is said of what was written */
        return -1;

    if (mount_length > 0 && rest[0] == '/' && !str_starts(rest, "/data/")) {
        buf_add(&written, path, mount_length);
        buf_adds(&written, "/data");
        buf_adds(&written, rest);
    } else {
        buf_adds(&written, path);
    }
    if (buf_check(&written, ERR_CONTRACT, "the path of a request", err) != 0)
        return -1;
    AUTO_BUF encoded = BUF_INIT(VAULT_PATH_MAX_BYTES);
    if (path_encode(buf_text(&written), &encoded, err) != 0)
        return -1;
    char *text = buf_take(&encoded);
    if (!text)
        return err_nomem(err);
    *out = text;
    return 0;
}

int path_beside(const char *path, size_t mount_length, const char *word, struct buf *out,
                struct err *err)
{
    const char *rest = path + mount_length;

    if (str_starts(rest, "/data/"))
        rest += strlen("/data");
    buf_add(out, path, mount_length);
    buf_addf(out, "/%s%s", word, rest);
    return buf_check(out, ERR_CONTRACT, "the path of a request", err);
}
