/* envcontract/addresses.c: where the contract says that Vault is. What only a start would have met is
 * told by every command that reads the contract. */
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "envcontract/keys.h"

#define UNIX_SCHEME "unix://"
#define LOOKS_LIKE  "It looks like https://vault.example:8200."

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
        if (item->kind == NODE_STRING && item->count > 0)
            check_address(d, item, key, may_be_socket);
}

void addresses_check(struct contract_document *d, const struct node *address,
                     const struct node *addresses, const struct node *origins)
{
    if (address && address->kind == NODE_STRING && address->count > 0)
        check_address(d, address, "address", true);
    check_list(d, addresses, "addresses", true);
    check_list(d, origins, "redirect_hosts", false);
}
