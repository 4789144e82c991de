/* Memory runs out at every allocation of reading a contract, one after the other. */
#include "base/clock.h"
#include "tests/lib/heap.h"
#include "tests/unit/envcontract_load.h"

enum { RELATED_FINDINGS = 15 };

/* Every kind of key, and problems of several kinds. */
static const char text[] =
    "{'contract': 1, 'include': ['more.json'], 'profile': {'var': 'R', 'values': ['dev', 'prod']}, "
    "'base': {'source': 'vault:kv/{profile}#{name}'}, 'strict_profiles': ['prod'],\n"
    "'vault': {'address': 'https://v\\u00e9', 'kv': {'kv': 2}, 'auth': {'method': 'token', "
    "'token': "
    "'env:T'}},\n"
    "'vars': {'R': {'source': 'env'}, 'A': {'type': 'enum', 'values': ['a', 2], 'default': 'a', "
    "'pattern': '[a-z]+'}, 'B': {'secret': true, 'source': {'x': 'env', 'y': {'command': ['c', "
    "'{name}']}}, 'compose': '{x|url}-{y}', 'profiles': {'dev': {'source': 'sealed:B', 'compose': "
    "null}}}, 'C': {'type': 'url', 'url': {'port': [1], 'query': {'a': ['b']}, 'scheme': 'https'}, "
    "'required': {'any': [{'A': ['a', 'b']}, {'not': {'R': true}}]}}, 'D': {'type': "
    "'postgres-url'}, "
    "'P': {'type': 'path', 'path': {'dir': true}}, 'T': {'type': 'jwt', 'default': 'e30.e30.e30'}, "
    "'L': {'type': 'list', 'item': {'type': 'int', 'pattern': '[0-9]+'}, 'default': '1,x'}},\n"
    "'database': {'url': 'D', 'create': {'sql': ['s.sql']}}, 'run': {'unset': ['A']}}";

static int read_all(struct loaded *l)
{
    if (contract_load(l->path, CLOCK_NEVER, &l->contract, &l->findings, &l->err) != 0)
        return -1;
    if (contract_select(l->contract, "dev", NULL, &l->findings, &l->err) != 0)
        return -1;
    return contract_lint(l->contract, &l->findings, &l->err);
}

static void reset(struct loaded *l)
{
    contract_free(l->contract);
    l->contract = NULL;
    findings_release(&l->findings);
}

/* The failure is said, or it did no harm: never another model, never a finding fewer. */
static void no_memory_is_never_another_contract(void **state)
{
    struct loaded l;
    long allocations = 0;
    bool whole = false;

    (void)state;
    NEEDS_HEAP();
    new_folder(&l);
    write_contract(&l, "contract.json", text);
    write_contract(&l, "more.json", "{'contract': 1, 'vars': {'M': {'tpye': 1}}}");
    assert_int_equal(read_all(&l), 0);
    size_t findings = l.findings.count;
    assert_true(findings >= 3);
    reset(&l);
    while (!whole) {
        heap_fail_after(allocations++);
        int result = read_all(&l);
        whole = heap_successes >= 0; /* it never came to the failure */
        heap_fail_after(-1);
        if (result == 0 ? l.findings.count != findings : l.err.kind != ERR_RESOURCE) {
            print_findings(&l);
            fail_msg("allocation %ld: %d %s", allocations - 1, result, l.err.text);
        }
        reset(&l);
    }
    assert_true(allocations > 30);
    unload(&l);
}

/* What is said of several variables, and of their lives; each is broken. */
static const char related[] =
    "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']}, 'records': 'vault:kv/r', "
    "'unknown': {'prefix': ['X_']}, 'fences': {'prod': {'hosts': ['*.io'], 'values': ['a*b*c']}}, "
    "'base': {'required': false}, 'vars': {'R': {}, 'A': {'secret': true, 'source': "
    "'vault:kv/a#b', "
    "'distinct': true, 'rotate': {'strategy': 'random', 'depends_on': ['B']}}, 'B': {'secret': "
    "true, "
    "'source': 'env', 'forbidden': {'R': 'dev'}, 'expires': '2001-01-01', 'rotate': {'strategy': "
    "'none'}}, 'U': {'type': 'postgres-url', 'aliases': [{'name': 'OLD', 'remove': '2001-01-01'}], "
    "'deprecated': {'use': 'A'}}},\n"
    "'groups': [{'at_most_one': ['A', 'B'], 'when': {'R': 'd*'}}],\n"
    "'rules': [{'id': 'm', 'match': {'U#user': 'x', 'A': '[0-9]'}}, {'id': 'd', 'differ': ['A', "
    "'B']},\n{'id': 'e', 'equal': ['A', 'U#host'], 'when': {'R': 'dev'}}],\n"
    "'database': {'url': 'U', 'authority': {'var': 'R', 'hosts': {'dev': ['localhost']}}}}";

static int hold_all(struct loaded *l)
{
    static const char *const entries[] = {"R=dev", "OLD=postgresql://u:p@h.io/d", "X_Y=1", NULL};
    static const char *const texts[] = {"dev", "abbc", "abbc", "postgresql://u:p@h.io/d"};
    struct contract_value values[4] = {0};

    if (contract_load(l->path, CLOCK_NEVER, &l->contract, &l->findings, &l->err) != 0 ||
        contract_select(l->contract, "dev", NULL, &l->findings, &l->err) != 0 ||
        contract_lint(l->contract, &l->findings, &l->err) != 0)
        return -1;
    assert_int_equal(l->contract->variable_count, ARRAY_LEN(values));
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        values[i] = (struct contract_value){.bytes = secret_borrow(texts[i], strlen(texts[i])),
                                            .origin = VALUE_ENVIRONMENT,
                                            .resolved = true};
    if (contract_check(l->contract, values, &l->findings, &l->err) != 0)
        return -1;
    return contract_check_environment(l->contract, values, entries, ARRAY_LEN(entries),
                                      &l->findings, &l->err);
}

static void no_memory_is_never_a_rule_that_holds(void **state)
{
    struct loaded l;
    long allocations = 0;
    bool whole = false;

    (void)state;
    NEEDS_HEAP();
    new_folder(&l);
    write_contract(&l, "contract.json", related);
    assert_int_equal(hold_all(&l), 0);
    size_t findings = l.findings.count;
    if (findings != RELATED_FINDINGS) {
        print_findings(&l);
        fail_msg("%zu findings", findings);
    }
    reset(&l);
    while (!whole) {
        heap_fail_after(allocations++);
        int result = hold_all(&l);
        whole = heap_successes >= 0; /* it never came to the failure */
        heap_fail_after(-1);
        if (result == 0 ? l.findings.count != findings : l.err.kind != ERR_RESOURCE) {
            print_findings(&l);
            fail_msg("allocation %ld: %d %s", allocations - 1, result, l.err.text);
        }
        reset(&l);
    }
    assert_true(allocations > 60);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_is_never_another_contract),
        cmocka_unit_test(no_memory_is_never_a_rule_that_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
