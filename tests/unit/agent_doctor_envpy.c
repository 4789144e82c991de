/* tests/unit/agent_doctor_envpy.c: whether an env.py commits what it stamps, by reading it. */
#include "tests/lib/unit.h"

#include <string.h>

#include "agent/doctor.h"

#define OFFLINE                                                    \
    "def run_migrations_offline():\n"                              \
    "    context.configure(url=connection_url, literal_binds=1)\n" \
    "    with context.begin_transaction():\n"                      \
    "        context.run_migrations()\n"
#define CONNECT   "    with engine.connect() as connection:\n"
#define CONFIGURE "        context.configure(connection=connection, target_metadata=None)\n"
#define TRANSACTION                               \
    "        with context.begin_transaction():\n" \
    "            context.run_migrations()\n"
#define ONLINE OFFLINE "def run_migrations_online():\n"

static void assert_judged(const char *text, enum envpy_fault wanted, unsigned wanted_line)
{
    struct err err = ERR_INIT;
    enum envpy_fault fault;
    unsigned line;

    assert_int_equal(envpy_judge(text, strlen(text), &fault, &line, &err), 0);
    assert_int_equal(fault, wanted);
    if (wanted != ENVPY_FINE)
        assert_int_equal(line, wanted_line);
}

static void what_alembic_commits_is_fine(void **state)
{
    (void)state;
    assert_judged(ONLINE CONNECT CONFIGURE TRANSACTION, ENVPY_FINE, 0);
    assert_judged(OFFLINE, ENVPY_FINE, 0);
    assert_judged("def do_run(connection):\n    context.configure(connection)\n"
                  "    with context.begin_transaction():\n        context.run_migrations()\n"
                  "async def run_async():\n    async with engine.connect() as connection:\n"
                  "        await connection.run_sync(do_run)\n",
                  ENVPY_FINE, 0);
}

static void a_begin_that_a_with_ends_commits_all_that_is_in_it(void **state)
{
    (void)state;
    assert_judged("with create_engine(url.replace(\n    '(', 'x')).begin() as connection:\n"
                  "    connection.execute(text('SET x'))\n" CONFIGURE
                  "    context.run_migrations()\n",
                  ENVPY_FINE, 0);
    assert_judged("async with engine.begin() as c:\n    pass\n" CONFIGURE
                  "context.run_migrations()\n",
                  ENVPY_FINE, 0);
}

static void a_statement_before_configure_is_found_with_its_line(void **state)
{
    (void)state;
    assert_judged(ONLINE CONNECT
                  "        connection.execute(text('SELECT 1'))\n" CONFIGURE TRANSACTION,
                  ENVPY_STATEMENT, 7);
    assert_judged(ONLINE CONNECT "        connection.execute(text('SELECT 1'))\n"
                                 "        connection.commit()\n" CONFIGURE TRANSACTION,
                  ENVPY_FINE, 0);
    assert_judged(ONLINE CONNECT
                  "        connection.execute(text('SELECT 1'))\n" CONFIGURE TRANSACTION
                  "        connection.commit()\n",
                  ENVPY_FINE, 0);
    assert_judged("engine = create_engine(u, isolation_level='AUTOCOMMIT')\n" ONLINE CONNECT
                  "        connection.execute(text('SELECT 1'))\n" CONFIGURE TRANSACTION,
                  ENVPY_FINE, 0);
}

static void migrations_without_a_transaction_are_found(void **state)
{
    (void)state;
    assert_judged(ONLINE CONNECT CONFIGURE "        context.run_migrations()\n",
                  ENVPY_NO_TRANSACTION, 8);
    assert_judged(ONLINE CONNECT CONFIGURE "        context.run_migrations()\n"
                                           "        connection.commit()\n",
                  ENVPY_FINE, 0);
}

static void a_begin_that_nobody_ends_is_found(void **state)
{
    (void)state;
    assert_judged(
        ONLINE
        "    connection = engine.connect()\n    trans = connection.begin()\n" CONFIGURE TRANSACTION,
        ENVPY_OPEN_BEGIN, 7);
    assert_judged(
        ONLINE
        "    connection = engine.connect()\n    trans = connection.begin()\n" CONFIGURE TRANSACTION
        "    trans.commit()\n",
        ENVPY_FINE, 0);
}

static void comments_and_strings_are_no_code(void **state)
{
    (void)state;
    assert_judged(ONLINE CONNECT
                  "        # connection.execute('SELECT 1')\n"
                  "        \"\"\"connection.begin() \\\"\"\" \"\"\"\n" CONFIGURE TRANSACTION,
                  ENVPY_FINE, 0);
    assert_judged(ONLINE CONNECT CONFIGURE
                  "        context.run_migrations()\n# connection.commit()\n",
                  ENVPY_NO_TRANSACTION, 8);
}

static void what_runs_no_migrations_is_not_known(void **state)
{
    (void)state;
    assert_judged("from app.migrations import main\nmain()\n", ENVPY_NO_RUN, 1);
    assert_judged("", ENVPY_NO_RUN, 1);
    assert_judged("x = 'never ended\ncontext.run_migrations", ENVPY_NO_RUN, 1);
    assert_judged("\"\"\"never ended context.run_migrations()", ENVPY_NO_RUN, 1);
    assert_judged("context.configure(", ENVPY_NO_RUN, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_alembic_commits_is_fine),
        cmocka_unit_test(a_begin_that_a_with_ends_commits_all_that_is_in_it),
        cmocka_unit_test(a_statement_before_configure_is_found_with_its_line),
        cmocka_unit_test(migrations_without_a_transaction_are_found),
        cmocka_unit_test(a_begin_that_nobody_ends_is_found),
        cmocka_unit_test(comments_and_strings_are_no_code),
        cmocka_unit_test(what_runs_no_migrations_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
