/* envcontract/rotation.c: `rotate` of one variable, read off the tree for whoever rotates it. */
#include <string.h>

#include "base/str.h"
#include "envcontract/keys.h"

enum { CONFIG_MAX_BYTES = 256 * 1024 }; /* of one `config` as JSON */

/* ---- config as JSON ------------------------------------------------------------------------------ */

/* What stands behind VALUE: the next one, or the ends of what it lies in. */
static const struct node *next_value(const struct node *value, const struct node *root,
                                     struct buf *out)
{
    while (value != root && !value->next) {
        value = value->parent;
        buf_addc(out, value->kind == NODE_ARRAY ? ']' : '}');
    }
    if (value == root)
        return NULL;
    buf_addc(out, ',');
    return value->next;
}

/* One value; of a list or object only how it begins. */
static void add_value(const struct node *value, struct buf *out)
{
    if (value->key && value->parent && value->parent->kind == NODE_OBJECT) {
        str_add_json(out, value->key, strlen(value->key));
        buf_addc(out, ':');
    }
    switch ((enum node_kind)value->kind) {
    case NODE_NULL:
        buf_adds(out, "null");
        break;
    case NODE_BOOL:
        buf_adds(out, value->truth ? "true" : "false");
        break;
    case NODE_INTEGER:
    case NODE_NUMBER:
        buf_adds(out, value->text); /* as it was written */
        break;
    case NODE_STRING:
        str_add_json(out, value->text, value->count);
        break;
    case NODE_ARRAY:
    case NODE_OBJECT:
        buf_addc(out, value->kind == NODE_ARRAY ? '[' : '{');
        break;
    }
}

static bool holds_values(const struct node *value)
{
    return (value->kind == NODE_ARRAY || value->kind == NODE_OBJECT) && value->first;
}

/* The tree below ROOT, from the top down without recursion: a contract may be as deep as it likes. */
static void add_tree(const struct node *root, struct buf *out)
{
    const struct node *value = root;

    if (root->kind != NODE_OBJECT)
        return;
    buf_addc(out, '{');
    for (value = root->first; value;) {
        add_value(value, out);
        if (holds_values(value)) {
            value = value->first;
            continue;
        }
        if (value->kind == NODE_ARRAY || value->kind == NODE_OBJECT)
            buf_addc(out, value->kind == NODE_ARRAY ? ']' : '}');
        value = next_value(value, root, out);
    }
    if (!root->first)
        buf_addc(out, '}');
}

static int config_of(struct contract_document *d, const struct node *config, const char **out,
                     struct err *err)
{
    AUTO_BUF text = BUF_INIT(CONFIG_MAX_BYTES);

    if (!config || config->kind != NODE_OBJECT)
        return 0;
    add_tree(config, &text);
    if (buf_check(&text, ERR_CONTRACT, "'config' of a rotation", err) != 0)
        return -1;
    const char *copy = arena_dup_n(&d->selected, buf_text(&text), text.len);
    if (!copy)
        return err_nomem(err);
    *out = copy;
    return 0;
}

/* ---- lists --------------------------------------------------------------------------------------- */

static int mirrors_of(struct contract_document *d, const struct node *list, const char *variable,
                      const char *profile, const char *const **out, struct err *err)
{
    const char *const *written = node_list(list);
    size_t count = 0;

    if (!written)
        return 0;
    while (written[count])
        count++;
    const char **mirrors = arena_new(&d->selected, count + 1, sizeof *mirrors);
    if (!mirrors)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++) {
        mirrors[i] = source_substitute(d, &d->selected, written[i], variable, profile);
        if (!mirrors[i])
            return err_nomem(err);
    }
    *out = mirrors;
    return 0;
}

static int after_of(struct contract_document *d, const struct node *list,
                    struct contract_rotation *out, struct err *err)
{
    if (!list || list->kind != NODE_ARRAY || list->count == 0)
        return 0;
    struct contract_after *after = arena_new(&d->selected, list->count, sizeof *after);
    if (!after)
        return err_nomem(err);
    for (const struct node *item = list->first; item; item = item->next) {
        after[out->after_count++] = (struct contract_after){
            .command = node_list(node_member(item, "command")),
            .signal = node_text(node_member(item, "signal")),
            .pidfile = node_text(node_member(item, "pidfile")),
        };
    }
    out->after = after;
    return 0;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

/* `records` says where to keep the state of what has no KV path of its own. */
static int records_of(struct contract_document *d, const char *variable, const char *profile,
                      const char **out, struct err *err)
{
    const char *text = node_text(node_member(d->files[0].root, "records"));

    if (!text)
        return 0;
    const char *path = ref_behind(text, REF_VAULT);
    if (!path || strchr(path, '#')) {
        (void)err_set(err, ERR_CONTRACT, "'records' is no path in Vault");
        return err_hint(err,
                        "Write \"records\": \"vault:secret/…/.agent/{name}\", without a field.");
    }
    text = source_substitute(d, &d->selected, path, variable, profile);
    if (!text)
        return err_nomem(err);
    *out = text;
    return 0;
}

static bool is_url(enum contract_type type)
{
    return (contract_type_constraints(type) & HAS_URL) != 0;
}

static size_t count_of(const struct node *node)
{
    int64_t number = node_integer(node, 0);

    return number > 0 ? (size_t)number : 0;
}

static struct contract_rotation plain_keys(const struct node *const at[static ROTATE_KEY_COUNT])
{
    return (struct contract_rotation){
        .strategy = node_text(at[ROTATE_STRATEGY]),
        .every_ms = node_duration_ms(at[ROTATE_EVERY], 0),
        .grace_ms = node_duration_ms(at[ROTATE_GRACE], 0),
        .timeout_ms = node_duration_ms(at[ROTATE_TIMEOUT], 0),
        .hook = node_list(at[ROTATE_HOOK]),
        .env = node_list(at[ROTATE_ENV]),
        .depends_on = node_list(at[ROTATE_DEPENDS_ON]),
        .logins = node_list(at[ROTATE_LOGINS]),
        .steps = node_list(at[ROTATE_STEPS]),
        .test_command = node_list(node_member(at[ROTATE_TEST], "command")),
        .owner = node_text(at[ROTATE_OWNER]),
        .login = node_text(at[ROTATE_LOGIN]),
        .admin = node_text(at[ROTATE_ADMIN]),
        .plain_password = str_eq(node_text(at[ROTATE_PASSWORD]), "plain"),
        .mount = node_text(at[ROTATE_MOUNT]),
        .role = node_text(at[ROTATE_ROLE]),
        .connection = node_text(at[ROTATE_CONNECTION]),
        .bytes = count_of(at[ROTATE_BYTES]),
        .length = count_of(at[ROTATE_LENGTH]),
        .keep = count_of(at[ROTATE_KEEP]),
        .as = node_text(at[ROTATE_AS]),
        .alphabet = node_text(at[ROTATE_ALPHABET]),
    };
}

int contract_rotation_of(struct contract *contract, const struct contract_variable *variable,
                         const struct contract_rotation **out, struct err *err)
{
    struct contract_document *d = contract->document;
    const struct node *at[ROTATE_KEY_COUNT] = {NULL};
    struct layers layers;

    *out = NULL;
    layers_merge(d, (size_t)(variable - contract->variables), contract->profile, &layers);
    const struct node *rotate = layers.at[VARIABLE_ROTATE];
    if (!rotate || rotate->kind != NODE_OBJECT)
        return 0;
    keys_merge(rotate, at, ROTATE_KEY_COUNT);
    struct contract_rotation *rotation = arena_new(&d->selected, 1, sizeof *rotation);
    if (!rotation)
        return err_nomem(err);
    *rotation = plain_keys(at);
    rotation->value_is_url = is_url(variable->rules->type);
    rotation->separator = variable->rules->separator;
    if (after_of(d, at[ROTATE_AFTER], rotation, err) != 0 ||
        mirrors_of(d, at[ROTATE_MIRRORS], variable->name, contract->profile, &rotation->mirrors,
                   err) != 0 ||
        records_of(d, variable->name, contract->profile, &rotation->records, err) != 0 ||
        config_of(d, at[ROTATE_CONFIG], &rotation->config, err) != 0)
        return err_wrap(err, "'rotate' of %s", variable->name);
    if (!rotation->admin)
        rotation->admin = contract->database.admin_url;
    *out = rotation;
    return 0;
}
