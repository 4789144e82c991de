/* envcontract/output_kubernetes.c: values as the manifest of a Secret, for `kubectl apply -f -`.
 *
 * Values are in base64, as the API has them in `data`, so any byte but NUL is carried (a container's
 * environment takes UTF-8 only, a mounted file any). All scalars are in double quotes: to readers of
 * YAML 1.1 a variable that is called NO or ON would be a truth value, and `1e10` a number. */
#include "envcontract/output.h"

#include <string.h>

#include "base/str.h"

/* Of Kubernetes' API: metadata.name is a DNS subdomain, a namespace a DNS label, a key of `data` has
 * at most 253 characters, and all values of one Secret together have a mebibyte. */
enum {
    OBJECT_NAME_MAX_BYTES = 253,
    NAMESPACE_MAX_BYTES = 63,
    KEY_MAX_BYTES = 253,
    SECRET_DATA_MAX_BYTES = 1024 * 1024,
};

static bool is_lower_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 1123: labels of lower-case letters, digits and inner hyphens; DOTS: several of them. */
static bool is_dns_name(const char *name, size_t most, bool dots)
{
    size_t length = strlen(name);

    if (length == 0 || length > most)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool at_edge = i == 0 || i + 1 == length || name[i - 1] == '.' || name[i + 1] == '.';
        if (is_lower_alphanumeric(name[i]) || (name[i] == '-' && !at_edge))
            continue;
        if (!dots || name[i] != '.' || at_edge)
            return false;
    }
    return true;
}

int output_kubernetes_begin(struct value_writer *w, struct err *err)
{
    if (!w->object) {
        (void)err_set(err, ERR_USAGE, "a Secret needs a name, and none is known");
        return err_hint(err, "Say --name NAME; 'agent fetch' takes the contract's 'project' else.");
    }
    if (!is_dns_name(w->object, OBJECT_NAME_MAX_BYTES, true)) {
        (void)err_set(err, ERR_USAGE, "'%s' cannot be the name of a Secret", w->object);
        return err_hint(err,
                        "Say --name NAME: lower-case letters, digits, '-' and '.', at most %d.",
                        OBJECT_NAME_MAX_BYTES);
    }
    if (w->name_space && !is_dns_name(w->name_space, NAMESPACE_MAX_BYTES, false)) {
        (void)err_set(err, ERR_USAGE, "'%s' cannot be a namespace of Kubernetes", w->name_space);
        return err_hint(err, "Lower-case letters, digits and '-', at most %d.",
                        NAMESPACE_MAX_BYTES);
    }
    buf_addf(w->out, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"%s\"\n", w->object);
    if (w->name_space)
        buf_addf(w->out, "  namespace: \"%s\"\n", w->name_space);
    buf_adds(w->out, "type: Opaque\ndata:");
    return 0;
}

refusal output_kubernetes(struct value_writer *w, const struct outgoing *value)
{
    if (strlen(value->name) > KEY_MAX_BYTES)
        return "a name of more than 253 characters, which Kubernetes refuses";
    if (value->length > SECRET_DATA_MAX_BYTES - w->data_bytes)
        return "the values have more than 1 MiB together, which Kubernetes refuses";
    w->data_bytes += value->length;
    buf_addf(w->out, "\n  \"%s\": \"", value->name);
    str_add_base64(w->out, value->bytes, value->length);
    buf_addc(w->out, '"');
    return NULL;
}

void output_kubernetes_end(struct value_writer *w)
{
    buf_adds(w->out, w->count > 0 ? "\n" : " {}\n");
}
