/* Memory runs out at every allocation of making each document, one after the other. */
#include "tests/lib/heap.h"
#include "tests/unit/envcontract_load.h"

#include "envcontract/docs.h"

enum { ROOM = 256 * 1024 };

static const char text[] =
    "{'contract': 1, 'project': 'p', 'profile': {'var': 'R', 'values': ['dev', 'prod']},\n"
    "'strict_profiles': ['prod'], 'records': 'vault:kv/.agent/{name}', 'vault': {'address': "
    "'https://v', 'auth': {'method': 'approle', 'role_id': 'env:ID', 'secret_id': 'file:/s'}},\n"
    "'fences': {'prod': {'values': ['live_*']}}, 'base': {'source': 'vault:kv/{profile}#{name}'},\n"
    "'vars': {'R': {'source': 'env'}, 'A': {'type': 'enum', 'values': ['a', 'b'], 'default': 'a', "
    "'source': 'env', 'doc': 'x | y', 'aliases': [{'name': 'B'}]}, 'D': {'type': 'postgres-url', "
    "'secret': true, 'source': {'x': 'vault:kv/d#x', 'y': 'vault:kv/d#y'}, 'compose': "
    "'postgresql://{x}:{y}@h/d', 'rotate': {'strategy': 'none', 'why': 'w'}}, 'K': {'secret': "
    "true, "
    "'required': {'A': 'a'}, 'rotate': {'strategy': 'manual', 'every': '1d', 'steps': ['s']}}, "
    "'E': {'source': 'env', 'example': 'live_1'}, 'U': {'type': 'url', 'source': 'env'}},\n"
    "'groups': [{'at_least_one': ['A', 'K']}],\n"
    "'database': {'url': 'D', 'owner': 'o', 'create': {'sql': ['s.sql']}, 'stamp': {'alembic': "
    "'a'}, 'expect': ['t']},\n"
    "'docs': {'ENVIRONMENT_CONTRACT.md': {}, 'DB_AUTHORITY.md': {}, 'SECRETS_ROTATION.md': {}, "
    "'.env.dev.example': {}, 'contract.schema.json': {}}}";

static int render(struct loaded *l, size_t index, const struct buf *present, struct buf *out)
{
    static const char *const none[] = {NULL};
    static const struct docs_migration one = {
        .id = "1", .message = "m", .file = "f.py", .parents = none, .is_head = true};
    static const char *const heads[] = {"1", NULL};
    const struct docs_migrations migrations = {.list = &one, .count = 1, .heads = heads};
    const struct docs_present there = {.path = "p",
                                       .text = present ? buf_text(present) : NULL,
                                       .length = present ? present->len : 0};
    AUTO_ARENA arena = ARENA_INIT;
    const struct docs_file *files;
    size_t count;

    if (docs_list(l->contract, &arena, &files, &count, &l->err) != 0)
        return -1;
    assert_true(index < count);
    return docs_render(l->contract, &files[index], &migrations, &there, out, &l->err);
}

static void reset(struct loaded *l)
{
    contract_free(l->contract);
    l->contract = NULL;
    findings_release(&l->findings);
}

static void assert_same(size_t index, long allocation, const struct buf *out,
                        const struct buf *wanted)
{
    size_t at = 0;

    while (at < out->len && at < wanted->len && out->data[at] == wanted->data[at])
        at++;
    if (at < out->len || at < wanted->len)
        fail_msg("document %zu, allocation %ld: other text from '%.100s' on", index, allocation,
                 wanted->data + at);
}

/* Each allocation of one document; PRESENT: of making it anew between its markers. */
static void fail_each(struct loaded *l, size_t index, const struct buf *present,
                      const struct buf *wanted)
{
    long allocations = 0;

    for (bool whole = false; !whole;) {
        AUTO_BUF out = BUF_INIT(ROOM);
        load(l);
        err_clear(&l->err);
        heap_fail_after(allocations++);
        int result = render(l, index, present, &out);
        whole = heap_successes >= 0;
        heap_fail_after(-1);
        if (result != 0 && l->err.kind != ERR_RESOURCE)
            fail_msg("document %zu, allocation %ld: %s", index, allocations - 1, l->err.text);
        if (result == 0)
            assert_same(index, allocations - 1, &out, wanted);
        reset(l);
    }
    assert_true(allocations > 5);
}

static void no_memory_is_never_another_document(void **state)
{
    struct loaded l;

    (void)state;
    NEEDS_HEAP();
    new_folder(&l);
    write_contract(&l, "contract.json", text);
    for (size_t index = 0; index < DOCS_KIND_COUNT; index++) {
        AUTO_BUF wanted = BUF_INIT(ROOM);
        load(&l);
        assert_clean(&l);
        if (render(&l, index, NULL, &wanted) != 0)
            fail_msg("document %zu: %s", index, l.err.text);
        reset(&l);
        fail_each(&l, index, NULL, &wanted);
        fail_each(&l, index, &wanted, &wanted);
    }
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_is_never_another_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
