/* envcontract/docs_rotation.c: SECRETS_ROTATION.md: for each secret how it is replaced.
 *
 * The steps are those of one machine for every strategy: stage, set, test, promote, propagate, soak,
 * retire. What they do depends on the strategy, in the table below. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

static const struct strategy {
    const char *name, *how;
    const char *stage, *set, *test, *promote, *retire; /* NULL: the strategy has no such step */
    const char *overlap;                               /* where the contract says no grace */
} strategies[] = {
    {"pg-two-login", "two logins of one owner take turns, and no query fails",
     "the login that is idle gets a new password, written as pending beside the current one",
     "`ALTER ROLE` gives the idle login that password, as a verifier",
     "a new connection with it acts as the owner, and may use a table",
     "user and password become current, unless somebody changed them meanwhile",
     "the former login may not log in any more; a refused connection proves it",
     "until the former login is retired"},
    {"pg-login", "one login gets another password",
     "a new password is written as pending beside the current one",
     "`ALTER ROLE` gives the login that password, as a verifier",
     "a new connection with it works; if not, the former password is put back",
     "the password becomes current", "the former password is refused",
     "none; between set and promote new connections with the current password fail"},
    {"vault-static", "Vault's database engine owns the password", "the rotation is written down",
     "the engine rotates the role", "the new password is read, and logs in", NULL,
     "the former password is refused", "none; the former password ends when the engine rotates"},
    {"vault-root", "Vault's database engine replaces its own administrator's password",
     "the rotation is written down", "the engine rotates its root",
     "the engine still makes credentials that log in", NULL, NULL,
     "none; nobody else may use that password"},
    {"vault-dynamic", "every process has a login of its own, on a lease", NULL, NULL,
     "a new lease is made, and logs in", NULL,
     "former leases end by themselves, or are revoked in an emergency",
     "each process keeps its own until its lease ends"},
    {"random", "a new random value",
     "the new value is generated and written as pending beside the current one", NULL, NULL,
     "it becomes current; former ones that are kept stay readable beside it",
     "what is kept no longer is removed", "the former value stays as long as it is kept"},
    {"hook", "a program of ours speaks to the provider",
     "an intent with a name of its own is written down, and `create` makes the new secret under it",
     "`set` makes the provider accept it", "`test` uses it", "it becomes current",
     "`retire` takes the former one away", "none; the provider keeps one at a time"},
    {"manual", "somebody makes it by hand",
     "the new value is asked for, without echo, and written as pending beside the current one",
     NULL, "the new value is tried", "it becomes current", "the former one is taken away by hand",
     "as the provider has it"},
    {"token", "a new token of Vault's", "a new token is made and written as pending", NULL,
     "it looks itself up", "it becomes current", "the former one is revoked, and refused",
     "until the former one is revoked"},
};

/* One secret's flow, in those profiles that share it. */
struct flow {
    size_t index;
    const struct node *rotate; /* NULL: a gap */
    uint32_t profiles;
};

static const struct strategy *find_strategy(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(strategies); i++)
        if (str_eq(strategies[i].name, name))
            return &strategies[i];
    return NULL;
}

static bool is_none(const struct node *rotate)
{
    return rotate && str_eq(node_text(node_member(rotate, "strategy")), "none");
}

/* The flows of one variable: *count of them, in FLOWS; 0 where it is no secret. */
static size_t flows_of(struct docs_look *look, size_t index,
                       struct flow flows[static CONTRACT_MAX_PROFILES])
{
    size_t count = 0;
    size_t looks = docs_looks(look, index);

    for (size_t i = 0; i < looks; i++) {
        struct layers layers;
        size_t same = 0;
        layers_merge(look->d, index, docs_profile(look, i), &layers);
        if (!node_truth(layers.at[VARIABLE_SECRET], false) && !layers.at[VARIABLE_ROTATE])
            continue;
        while (same < count && flows[same].rotate != layers.at[VARIABLE_ROTATE])
            same++;
        if (same == count)
            flows[count++] = (struct flow){.index = index, .rotate = layers.at[VARIABLE_ROTATE]};
        flows[same].profiles |= looks == 1 ? docs_all_profiles(look) : UINT32_C(1) << i;
    }
    return count;
}

/* " (prod)" where the flow is not that of every profile. */
static void add_scope(struct docs_look *look, const struct flow *flow, struct docs_words *w)
{
    if (flow->profiles == docs_all_profiles(look))
        return;
    docs_say(w, " (");
    docs_profiles(look, flow->profiles, w);
    docs_say(w, ")");
}

static void add_text(struct docs_words *w, const struct node *rotate, const char *key,
                     const char *otherwise)
{
    const char *text = node_scalar(node_member(rotate, key));

    if (text)
        docs_text(w, text);
    else
        docs_say(w, otherwise);
}

static void add_owner(struct docs_look *look, const struct docs_view *view, struct docs_words *w)
{
    (void)look;
    if (node_text(view->layers.at[VARIABLE_OWNER]))
        docs_text(w, node_text(view->layers.at[VARIABLE_OWNER]));
}

/* ---- overview ---------------------------------------------------------------------------------- */

static void write_overview(struct docs_look *look)
{
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};
    struct flow flows[CONTRACT_MAX_PROFILES];

    docs_say(&w, "| secret | strategy | every | overlap | owner |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < look->d->variable_count && !look->d->no_memory; i++) {
        size_t count = flows_of(look, i, flows);
        for (size_t k = 0; k < count; k++) {
            const struct node *rotate = flows[k].rotate;
            docs_say(&w, "| ");
            docs_code(&w, look->d->variables[i]->key);
            add_scope(look, &flows[k], &w);
            docs_say(&w, " | ");
            add_text(&w, rotate, "strategy", "**not said**");
            docs_say(&w, " | ");
            add_text(&w, rotate, "every", "–");
            docs_say(&w, " | ");
            add_text(&w, rotate, "grace", "–");
            docs_say(&w, " | ");
            docs_by_profile(look, i, add_owner, &w);
            docs_say(&w, " |\n");
            docs_forget(look);
        }
    }
}

/* ---- flows ------------------------------------------------------------------------------------- */

/* Parameters that one strategy or another has; as bullets, in the order of the specification. */
static const struct {
    const char *key, *title;
} parameters[] = {
    {"logins", "Logins"},
    {"login", "Login"},
    {"owner", "Role that owns the objects"},
    {"admin", "Made with"},
    {"password", "Password as"},
    {"mount", "Mount"},
    {"role", "Vault's role"},
    {"connection", "Connection"},
    {"bytes", "Random bytes"},
    {"as", "Written as"},
    {"length", "Characters"},
    {"alphabet", "Out of"},
    {"keep", "Former values kept"},
    {"hook", "Hook"},
    {"env", "The hook gets"},
    {"timeout", "Time for the hook"},
    {"depends_on", "After"},
    {"mirrors", "Also written to"},
};

static void write_parameters(struct docs_words *w, const struct node *rotate)
{
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        const struct node *value = node_member(rotate, parameters[i].key);
        if (!value || value->kind == NODE_NULL)
            continue;
        buf_addf(w->out, "- %s: ", parameters[i].title);
        if (str_eq(parameters[i].key, "hook")) {
            docs_argv(w, value);
        } else if (value->kind == NODE_ARRAY) {
            for (const struct node *item = value->first; item; item = item->next) {
                docs_say(w, item == value->first ? "" : ", ");
                docs_code(w, node_scalar(item) ? node_scalar(item) : "");
            }
        } else {
            docs_code(w, node_scalar(value) ? node_scalar(value) : "");
        }
        docs_say(w, "\n");
    }
}

/* What is run or signalled once the new secret is current. */
static void add_after(struct docs_words *w, const struct node *rotate)
{
    const struct node *after = node_member(rotate, "after");
    const struct node *first = after && after->kind == NODE_ARRAY ? after->first : NULL;

    for (const struct node *one = first; one; one = one->next) {
        const char *name = node_text(node_member(one, "signal"));
        docs_say(w, one == first ? "" : ", then ");
        if (node_member(one, "command")) {
            docs_argv(w, node_member(one, "command"));
            continue;
        }
        docs_say(w, "the signal ");
        docs_code(w, name ? name : "");
        docs_say(w, " to the process in ");
        docs_code(w, node_text(node_member(one, "pidfile")) ? node_text(node_member(one, "pidfile"))
                                                            : "");
    }
    if (!first)
        docs_say(w, "whoever uses it gets it with the next start or refresh");
    if (node_member(rotate, "mirrors"))
        docs_say(w, "; the mirrors are written");
}

struct steps {
    struct docs_words *w;
    unsigned count;
};

static void add_step(struct steps *s, const char *name, const char *what)
{
    if (!what)
        return;
    buf_addf(s->w->out, "%u. **%s**: %s", ++s->count, name, what);
    docs_say(s->w, ".\n");
}

/* What a person does, before agent goes on. */
static void write_manual(struct steps *s, const struct node *rotate)
{
    const struct node *list = node_member(rotate, "steps");

    for (const struct node *one = list && list->kind == NODE_ARRAY ? list->first : NULL; one;
         one = one->next) {
        buf_addf(s->w->out, "%u. By hand: ", ++s->count);
        docs_text(s->w, node_text(one) ? node_text(one) : "");
        docs_say(s->w, "\n");
    }
}

static void write_steps(struct docs_words *w, const struct node *rotate,
                        const struct strategy *strategy)
{
    const struct node *grace = node_member(rotate, "grace");
    const struct node *test = node_member(node_member(rotate, "test"), "command");
    struct steps s = {.w = w};

    docs_say(w, "\n");
    write_manual(&s, rotate);
    add_step(&s, "stage", strategy->stage);
    add_step(&s, "set", strategy->set);
    if (strategy->test || test) {
        buf_addf(w->out, "%u. **test**: %s", ++s.count, strategy->test ? strategy->test : "");
        docs_say(w, strategy->test && test ? ", and " : "");
        if (test)
            docs_argv(w, test);
        docs_say(w, test ? " exits 0.\n" : ".\n");
    }
    add_step(&s, "promote", strategy->promote);
    buf_addf(w->out, "%u. **propagate**: ", ++s.count);
    add_after(w, rotate);
    docs_say(w, ".\n");
    if (node_text(grace)) {
        buf_addf(w->out, "%u. **soak**: for ", ++s.count);
        docs_text(w, node_text(grace));
        docs_say(w, " the former one still works.\n");
    }
    add_step(&s, "retire", strategy->retire);
}

static void write_facts(struct docs_look *look, const struct flow *flow,
                        const struct strategy *strategy)
{
    struct docs_words w = {.out = look->out, .style = DOCS_PROSE};
    const char *grace = node_text(node_member(flow->rotate, "grace"));

    docs_say(&w, "\n- Strategy: ");
    docs_code(&w, strategy->name);
    docs_say(&w, ", ");
    docs_say(&w, strategy->how);
    docs_say(&w, "\n- Period: ");
    add_text(&w, flow->rotate, "every", "none is said");
    docs_say(&w, "\n- Overlap: ");
    if (grace)
        docs_text(&w, grace);
    else
        docs_say(&w, strategy->overlap);
    docs_say(&w, "\n- Owner: ");
    size_t before = look->out->len;
    docs_by_profile(look, flow->index, add_owner, &w);
    if (look->out->len == before)
        docs_say(&w, "nobody is named");
    docs_say(&w, "\n- Comes from: ");
    w.style = DOCS_PROSE;
    docs_by_profile(look, flow->index, docs_source, &w);
    docs_say(&w, "\n");
    docs_forget(look);
    write_parameters(&w, flow->rotate);
}

static void write_flow(struct docs_look *look, const struct flow *flow, size_t *count)
{
    struct docs_words w = {.out = look->out, .style = DOCS_PROSE};
    const char *name = node_text(node_member(flow->rotate, "strategy"));
    const struct strategy *strategy = find_strategy(name);
    struct layers layers;

    docs_say(&w, (*count)++ > 0 ? "\n### " : "### ");
    docs_code(&w, look->d->variables[flow->index]->key);
    add_scope(look, flow, &w);
    docs_say(&w, "\n\n");
    layers_merge(look->d, flow->index, NULL, &layers);
    docs_text(&w, node_text(layers.at[VARIABLE_DOC]) ? node_text(layers.at[VARIABLE_DOC])
                                                     : "What it is for is not said.");
    docs_say(&w, "\n");
    if (!strategy) { /* a strategy that this table has not: what the contract says of it */
        docs_say(&w, "\n- Strategy: ");
        docs_code(&w, name ? name : "(none is said)");
        docs_say(&w, "\n");
        write_parameters(&w, flow->rotate);
        return;
    }
    write_facts(look, flow, strategy);
    write_steps(&w, flow->rotate, strategy);
}

static void write_flows(struct docs_look *look)
{
    struct flow flows[CONTRACT_MAX_PROFILES];
    size_t written = 0;

    for (size_t i = 0; i < look->d->variable_count && !look->d->no_memory; i++) {
        size_t count = flows_of(look, i, flows);
        for (size_t k = 0; k < count; k++)
            if (flows[k].rotate && !is_none(flows[k].rotate))
                write_flow(look, &flows[k], &written);
    }
    if (written == 0)
        buf_adds(look->out, "No secret is replaced by a flow.\n");
}

/* ---- what is not replaced ---------------------------------------------------------------------- */

static void write_exempt(struct docs_look *look)
{
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};
    struct flow flows[CONTRACT_MAX_PROFILES];
    size_t written = 0;

    for (size_t i = 0; i < look->d->variable_count; i++) {
        size_t count = flows_of(look, i, flows);
        for (size_t k = 0; k < count; k++) {
            if (!is_none(flows[k].rotate))
                continue;
            if (written++ == 0)
                docs_say(&w, "| secret | why nobody replaces it |\n|---|---|\n");
            docs_say(&w, "| ");
            docs_code(&w, look->d->variables[i]->key);
            add_scope(look, &flows[k], &w);
            docs_say(&w, " | ");
            add_text(&w, flows[k].rotate, "why", "**no reason is given**");
            docs_say(&w, " |\n");
        }
    }
    if (written == 0)
        docs_say(&w, "Every secret is replaced in some way.\n");
}

static void write_gaps(struct docs_look *look)
{
    struct docs_words w = {.out = look->out, .style = DOCS_PROSE};
    struct flow flows[CONTRACT_MAX_PROFILES];
    size_t written = 0;

    for (size_t i = 0; i < look->d->variable_count; i++) {
        size_t count = flows_of(look, i, flows);
        for (size_t k = 0; k < count; k++) {
            if (flows[k].rotate)
                continue;
            if (written++ == 0)
                docs_say(&w, "The contract does not say how these are replaced:\n\n");
            docs_say(&w, "- ");
            docs_code(&w, look->d->variables[i]->key);
            add_scope(look, &flows[k], &w);
            docs_say(&w, "\n");
        }
    }
    if (written == 0)
        docs_say(&w, "None: the contract says of every secret how it is replaced, or why not.\n");
}

static const struct docs_section sections[] = {
    {"overview", "Overview", write_overview},
    {"flows", "Flows", write_flows},
    {"exempt", "Not replaced, for a reason", write_exempt},
    {"gaps", "Gaps", write_gaps},
};

const struct docs_sections docs_rotation_sections = {sections, ARRAY_LEN(sections)};
