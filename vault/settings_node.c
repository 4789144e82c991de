/* settings_node.c: which nodes Vault has, and how each is spoken to. */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "vault/settings.h"

#define DEFAULT_ADDRESS "https://127.0.0.1:8200"

/* Where the address came from, for messages and for the kind of error. */
struct origin_of_text {
    const char *name;
    enum err_kind kind;
};

static int plain_http(struct settings_reading *r, struct vault_node *node,
                      const struct origin_of_text *from)
{
    if (node->loopback)
        return 0;
    if (!r->settings->allow_http) {
        (void)err_set(
            r->err, from->kind,
            "%s is plain http to another machine: tokens and secrets would be readable on "
            "the way",
            from->name);
        return err_hint(r->err, "Use https://, or allow it with \"allow_http\": true in the "
                                "contract's vault section.");
    }
    log_line(LOG_WARN,
             "Vault is spoken to in plain http: tokens and secrets are readable on the way",
             "address", node->address, NULL);
    return 0;
}

static int unix_address(struct settings_reading *r, struct vault_node *node,
                        const struct origin_of_text *from)
{
    const char *path = node->address + strlen("unix://");

    if (path[0] != '/')
        return err_set(r->err, from->kind, "%s has no absolute path of a socket behind unix://",
                       from->name);
    node->base_url = "http://localhost";
    return settings_keep(r, &node->socket_path, path);
}

static int parse_address(struct settings_reading *r, struct vault_node *node,
                         const struct origin_of_text *from)
{
    const char *text = node->address;
    size_t length = strlen(text);
    struct url url;

    if (length > VAULT_ADDRESS_MAX_BYTES)
        return err_set(r->err, from->kind, "%s is longer than %d bytes", from->name,
                       VAULT_ADDRESS_MAX_BYTES);
    if (str_starts(text, "unix://"))
        return unix_address(r, node, from);
    if (url_parse(text, length, &url, from->kind, r->err) != 0) {
        (void)err_wrap(r->err, "%s", from->name);
        return err_hint(r->err, "It looks like https://vault.example:8200.");
    }
    node->tls = url_scheme_is(&url, "https");
    if (!node->tls && !url_scheme_is(&url, "http"))
        return err_set(r->err, from->kind, "%s has to start with https://, http:// or unix://",
                       from->name);
    if (url.user.start || url.password.start || url.query.start || url.fragment.start)
        return err_set(r->err, from->kind, "%s has a user name, a query or a fragment in it",
                       from->name);
    if (url.host.length == 0 || memchr(url.host.start, '%', url.host.length))
        return err_set(r->err, from->kind, "%s has no usable host in it", from->name);
    node->loopback = url_host_is_loopback(&url);
    while (length > 0 && text[length - 1] == '/')
        length--;
    char *base = arena_dup_n(&r->config->strings, text, length);
    if (!base)
        return err_nomem(r->err);
    node->base_url = base;
    return node->tls ? 0 : plain_http(r, node, from);
}

/* Names of hosts with SRV records are not looked up: better said than reached somewhere else. */
static int refuse_srv(struct settings_reading *r, const struct vault_node *node)
{
    bool wanted = false;
    struct url url;

    if (settings_read_bool("SRV_LOOKUP", &wanted, r->err) != 0)
        return -1;
    if (!wanted || node->socket_path)
        return 0;
    if (url_parse(node->base_url, strlen(node->base_url), &url, ERR_USAGE, r->err) != 0)
        return -1;
    if (url.port.length > 0)
        return 0; /* Vault's own client ignores it then, too */
    return err_set(r->err, ERR_USAGE,
                   "VAULT_SRV_LOOKUP is not in this version: name Vault's host and port");
}

static int add_node(struct settings_reading *r, const char *text, const struct origin_of_text *from)
{
    struct vault_config *config = r->config;
    struct vault_node *node = &config->nodes[config->node_count];

    for (size_t i = 0; i < config->node_count; i++)
        if (str_eq(config->nodes[i].address, text))
            return 0;
    if (config->node_count == VAULT_NODES_MAX)
        return err_set(r->err, from->kind, "%s: Vault has at most %d addresses", from->name,
                       VAULT_NODES_MAX);
    if (settings_keep(r, &node->address, text) != 0 || parse_address(r, node, from) != 0 ||
        refuse_srv(r, node) != 0)
        return -1;
    config->tls = config->tls || node->tls;
    config->node_count++;
    return 0;
}

/* The contract's `address` and then its `addresses`, in their order. */
static int contract_nodes(struct settings_reading *r)
{
    const struct origin_of_text one = {"the contract's vault.address", ERR_CONTRACT};
    const struct origin_of_text several = {"the contract's vault.addresses", ERR_CONTRACT};
    const char *const *address = r->settings->addresses;

    if (r->settings->address && *r->settings->address &&
        add_node(r, r->settings->address, &one) != 0)
        return -1;
    for (; address && *address; address++)
        if (add_node(r, *address, &several) != 0)
            return -1;
    return 0;
}

/* Where a node that has no TLS itself may send us on to, token and all. */
static int check_redirects(struct settings_reading *r)
{
    const struct origin_of_text from = {"the contract's vault.redirect_hosts", ERR_CONTRACT};
    bool any_plain = false;

    for (size_t i = 0; i < r->config->node_count; i++)
        any_plain = any_plain || !r->config->nodes[i].tls;
    for (const char *const *host = r->settings->redirect_hosts; any_plain && host && *host;
         host++) {
        struct vault_node node = {.address = *host};
        struct url url;
        if (url_parse(*host, strlen(*host), &url, from.kind, r->err) != 0)
            return err_wrap(r->err, "%s", from.name);
        node.loopback = url_host_is_loopback(&url);
        if (url_scheme_is(&url, "http") && plain_http(r, &node, &from) != 0)
            return -1;
    }
    return 0;
}

static int read_nodes(struct settings_reading *r)
{
    struct origin_of_text from = {.kind = ERR_USAGE};
    struct vault_config *config = r->config;
    const char *text = vault_environment("AGENT_ADDR", &from.name);

    config->is_agent = text != NULL;
    if (!text)
        text = vault_environment("ADDR", &from.name);
    if (text)
        return add_node(r, text, &from);
    if (contract_nodes(r) != 0)
        return -1;
    if (config->node_count > 0)
        return 0;
    from.name = "the default address";
    config->address_is_default = true;
    return add_node(r, DEFAULT_ADDRESS, &from);
}

int settings_read_nodes(struct settings_reading *r)
{
    return read_nodes(r) == 0 ? check_redirects(r) : -1;
}

static bool same_span(const struct url_span *a, const struct url_span *b)
{
    return a->length == b->length &&
           (a->length == 0 || strncasecmp(a->start, b->start, a->length) == 0);
}

bool vault_same_origin(const char *a, const char *b)
{
    struct err ignored;
    struct url ua, ub;

    if (url_parse(a, strlen(a), &ua, ERR_USAGE, &ignored) != 0 ||
        url_parse(b, strlen(b), &ub, ERR_USAGE, &ignored) != 0)
        return false;
    const char *usual = url_scheme_is(&ua, "https") ? "443" : "80";
    if (ua.port.length == 0)
        ua.port = (struct url_span){usual, strlen(usual)};
    if (ub.port.length == 0)
        ub.port = (struct url_span){usual, strlen(usual)};
    return same_span(&ua.scheme, &ub.scheme) && same_span(&ua.host, &ub.host) &&
           same_span(&ua.port, &ub.port);
}

/* curl takes the name to ask for and to check from the URL: so the URL gets that name, and the
 * address is what is connected to and what the Host header says. */
static int name_server(struct settings_reading *r, struct vault_node *node, const char *name)
{
    struct arena *strings = &r->config->strings;
    struct url url;

    if (url_parse(node->base_url, strlen(node->base_url), &url, ERR_USAGE, r->err) != 0)
        return -1;
    bool six = memchr(url.host.start, ':', url.host.length) != NULL;
    int host_length = (int)url.host.length, port_length = (int)url.port.length;
    const char *port = port_length ? url.port.start : "443";
    if (!port_length)
        port_length = (int)strlen("443");
    node->host_header = arena_printf(strings, "%s%.*s%s:%.*s", six ? "[" : "", host_length,
                                     url.host.start, six ? "]" : "", port_length, port);
    node->connect_to = arena_printf(strings, "%s:%.*s:%s", name, port_length, port,
                                    node->host_header ? node->host_header : "");
    node->base_url = arena_printf(strings, "https://%s:%.*s%.*s", name, port_length, port,
                                  (int)url.path.length, url.path.start ? url.path.start : "");
    if (!node->host_header || !node->connect_to || !node->base_url)
        return err_nomem(r->err);
    return 0;
}

int settings_name_servers(struct settings_reading *r, const char *name)
{
    if (!name)
        return 0;
    for (const char *c = name; *c; c++)
        if (!strchr("-._", *c) && !isalnum((unsigned char)*c))
            return err_set(r->err, ERR_USAGE, "the TLS server name is not the name of a host");
    for (size_t i = 0; i < r->config->node_count; i++)
        if (r->config->nodes[i].tls && name_server(r, &r->config->nodes[i], name) != 0)
            return -1;
    return 0;
}
