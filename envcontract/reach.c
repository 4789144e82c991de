/* envcontract/reach.c: where the contract says that Vault is, and how it is reached. What only a start
 * would have met is told by every command that reads the contract. */
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "envcontract/keys.h"

#define UNIX_SCHEME "unix://"
#define LOOKS_LIKE  "It looks like https://vault.example:8200."

/* What is of another kind, or empty, was said when its key was checked. */
static bool is_text(const struct node *node)
{
    return node && node->kind == NODE_STRING && node->count > 0;
}

/* "{profile}" is filled in later, and any of its values may stand in a host: so it is taken for one. */
static void without_placeholders(const struct node *node, struct buf *out)
{
    static const char placeholder[] = "{profile}";

    for (const char *at = node->text; *at;) {
        if (str_starts(at, placeholder)) {
            buf_addc(out, 'p');
            at += strlen(placeholder);
        } else {
            buf_addc(out, *at++);
        }
    }
}

/* The text is not shown: somebody may have put a password into it. MAY_BE_SOCKET: an origin is none. */
static void check_address(struct contract_document *d, const struct node *node, const char *key,
                          bool may_be_socket)
{
    AUTO_BUF text = BUF_INIT((size_t)node->count + 1);
    struct err err = ERR_INIT;
    struct url url;

    without_placeholders(node, &text);
    if (text.no_memory) {
        d->no_memory = true;
        return;
    }
    const char *schemes = may_be_socket ? "https://, http:// or unix://" : "https:// or http://";
    if (may_be_socket && str_starts(buf_text(&text), UNIX_SCHEME)) {
        if (buf_text(&text)[strlen(UNIX_SCHEME)] != '/')
            problem(d, node, AT_VALUE, "It looks like unix:///run/vault.sock.",
                    "'%s' has no absolute path of a socket behind unix://", key);
    } else if (url_parse(buf_text(&text), text.len, &url, ERR_CONTRACT, &err) != 0) {
        problem(d, node, AT_VALUE, LOOKS_LIKE, "'%s': %s", key, err.text);
    } else if (!url_scheme_is(&url, "https") && !url_scheme_is(&url, "http")) {
        problem(d, node, AT_VALUE, LOOKS_LIKE, "'%s' has to start with %s", key, schemes);
    } else if (url.host.length == 0 || url.has_host_list) {
        problem(d, node, AT_VALUE, LOOKS_LIKE, "'%s' is no address of one host", key);
    } else if (url.user.start || url.password.start || url.query.start || url.fragment.start) {
        problem(d, node, AT_VALUE, LOOKS_LIKE, "'%s' has a user name, a query or a fragment in it",
                key);
    }
}

static void check_list(struct contract_document *d, const struct node *list, const char *key,
                       bool may_be_socket)
{
    if (!list || list->kind != NODE_ARRAY)
        return;
    for (const struct node *item = list->first; item; item = item->next)
        if (is_text(item))
            check_address(d, item, key, may_be_socket);
}

/* A header's value: visible ASCII, white space at its ends aside. */
static void check_namespace(struct contract_document *d, const struct node *node)
{
    const char *text = node->text;
    size_t length = node->count;

    str_trim(&text, &length);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x21 || (unsigned char)text[i] > 0x7e) {
            problem(d, node, AT_VALUE, NULL,
                    "'namespace' has a byte in it that no header can have");
            return;
        }
}

static void check_server_name(struct contract_document *d, const struct node *node)
{
    for (const char *c = node->text; *c; c++)
        if (!strchr("-._", *c) && !isalnum((unsigned char)*c)) {
            problem(d, node, AT_VALUE, "It is one name, without a scheme and a port.",
                    "'tls_server_name' is not the name of a host");
            return;
        }
}

void reach_check(struct contract_document *d, const struct node *const at[VAULT_KEY_COUNT])
{
    if (is_text(at[VAULT_ADDRESS]))
        check_address(d, at[VAULT_ADDRESS], "address", true);
    check_list(d, at[VAULT_ADDRESSES], "addresses", true);
    check_list(d, at[VAULT_REDIRECT_HOSTS], "redirect_hosts", false);
    if (is_text(at[VAULT_NAMESPACE]))
        check_namespace(d, at[VAULT_NAMESPACE]);
    if (is_text(at[VAULT_TLS_SERVER_NAME]))
        check_server_name(d, at[VAULT_TLS_SERVER_NAME]);
}
