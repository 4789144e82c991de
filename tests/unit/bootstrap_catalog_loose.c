/* tests/unit/bootstrap_catalog_loose.c: definitions without what only a column's history put there. */
#include "tests/lib/unit.h"

#include <string.h>

#include "bootstrap/catalog_internal.h"

enum { OUTPUT_BYTES = 64 * 1024 };

static void loose_text(const char *kind, const char *raw, struct buf *out)
{
    struct catalog_object columns[] = {
        {.kind = "column", .name = "t.b", .definition = "bigint"},
        {.kind = "column", .name = "t.d", .definition = "double precision"},
        {.kind = "column", .name = "t.i", .definition = "integer not null"},
        {.kind = "column", .name = "t.n", .definition = "numeric(10,2)"},
        {.kind = "column", .name = "t.r", .definition = "real"},
        {.kind = "column", .name = "t.s", .definition = "character varying(10)"},
        {.kind = "column", .name = "t.x", .definition = "text[]"},
    };
    const struct catalog catalog = {.objects = columns, .count = ARRAY_LEN(columns)};
    const struct catalog_object object = {.kind = kind, .parent_kind = "table", .parent = "t"};
    catalog_add_loose(&catalog, &object, raw, out);
}

static void casts_are_taken_out_only_where_they_say_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *loose;
    } cases[] = {
        {"text 'x'::text", "text 'x'::text"}, /* outside of a zone */
        {"\1'x'::text\2", "'x'"},
        {"\1'x'::character varying\2", "'x'"},
        {"\1'x'::character varying(3)\2", "'x' :: character varying ( 3 )"},
        {"\1'it''s'::text\2", "'it''s'"},
        {"\1E'a\\'::text'::text\2", "E'a\\'::text'"},
        {"\1NULL::text\2", "NULL"},
        {"\1'2026-01-01'::date\2", "'2026-01-01' :: date"},
        {"\1((s)::text = 'a'::text)\2", "( s = 'a' )"},
        {"\1((i)::text = 'a'::text)\2", "( i :: text = 'a' )"},
        {"\1((x)::text = 'a'::text)\2", "( x :: text = 'a' )"},
        {"\1(lower((s)::text) = 'a'::text)\2", "( lower ( s ) = 'a' )"},
        {"\1(lower(s))::text\2", "( lower ( s ) ) :: text"},
        {"\1(s = ANY ((ARRAY['a'::text])::text[]))\2", "( s = ANY ARRAY [ 'a' ] )"},
        {"\1(s = ANY (ARRAY['a'::text]))\2", "( s = ANY ARRAY [ 'a' ] )"},
        {"\1(i = ANY ((ARRAY[1, 2])::text[]))\2", "( i = ANY ( ARRAY [ 1 , 2 ] :: text [ ] ) )"},
        {"\1'-1'::integer\2", "-1"},
        {"\1'0'::bigint\2 tail", "0 tail"},
        {"\1(n > (0)::numeric)\2", "( n > 0 )"},
        {"\1((i)::numeric > (0)::numeric)\2", "( i > 0 )"},
        {"\1((i)::numeric / (2)::numeric)\2", "( i :: numeric / 2 :: numeric )"},
        {"\1round((i)::numeric)\2", "round ( i :: numeric )"},
        /* a number that another type rounds */
        {"\1((n)::integer > 0)\2", "( n :: integer > 0 )"},
        {"\1((d)::real = (r)::real)\2", "( d :: real = r )"},
        {"\1((n)::double precision > '-1'::double precision)\2", "( n :: double precision > -1 )"},
        {"\1((b)::double precision > (0)::double precision)\2", "( b :: double precision > 0 )"},
        {"\1((i)::double precision > (0)::double precision)\2", "( i > 0 )"},
        {"\1((r)::double precision)::text\2", "( r :: double precision ) :: text"},
        {"\1(i = (2.5)::integer)\2", "( i = 2.5 :: integer )"},
        {"\1(r = '0.1'::real)\2", "( r = '0.1' :: real )"},
        {"\1(n = '0.1'::numeric)\2", "( n = 0.1 )"},
        {"\1(r = (16777217)::real)\2", "( r = 16777217 :: real )"},
        {"\1(d = (16777217)::double precision)\2", "( d = 16777217 )"},
        {"\1((i + 1) * 2)\2", "( ( i + 1 ) * 2 )"},
        {"\1(i + (1 * 2))\2", "( i + ( 1 * 2 ) )"},
        {"\1(((i)))\2", "i"},
        {"\1f(i)\2", "f ( i )"},
        {"\1())(\2", "( ) ) ("}, /* no bracket has its partner: as it is */
        {"\1::\2", "::"},
        {"\1'open::text\2", "'open::text"},
        {"\1\2", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
        loose_text("constraint", cases[i].raw, &out);
        if (strcmp(buf_text(&out), cases[i].loose) != 0)
            fail_msg("case %zu: '%s' became '%s'", i, cases[i].raw, buf_text(&out));
    }
}

static void ends_of_lines_of_functions_are_taken_out(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    loose_text("function", "BEGIN \t\r\n  x := ' ';  \nEND \1", &out);
    assert_string_equal(buf_text(&out), "BEGIN\n  x := ' ';\nEND \1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(casts_are_taken_out_only_where_they_say_nothing),
        cmocka_unit_test(ends_of_lines_of_functions_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
