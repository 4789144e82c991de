/* tests/unit/base_file_tree.c: a folder removed with all that is in it. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static void make_file(const char *folder, const char *name)
{
    char path[128];
    struct err err = ERR_INIT;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(file_replace(path, "x", 1, 0600, &err), 0);
}

static void make_folder(const char *folder, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void a_tree_goes_and_what_its_links_point_to_stays(void **state)
{
    char tree[] = "/tmp/agent-tree-XXXXXX", other[] = "/tmp/agent-tree-XXXXXX", link[64], kept[64];
    struct err err = ERR_INIT;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(tree));
    assert_non_null(mkdtemp(other));
    make_file(other, "kept");
    make_folder(tree, "a");
    make_folder(tree, "a/b");
    make_file(tree, "a/b/file");
    make_file(tree, "file");
    (void)snprintf(link, sizeof(link), "%s/a/link", tree);
    (void)snprintf(kept, sizeof(kept), "%s/kept", other);
    assert_int_equal(symlink(other, link), 0);
    assert_int_equal(file_remove_tree(tree, &err), 0);
    assert_int_equal(stat(tree, &st), -1);
    assert_int_equal(stat(kept, &st), 0);
    assert_int_equal(file_remove_tree(other, &err), 0);
    assert_int_equal(stat(other, &st), -1);
}

static void nothing_there_is_nothing_to_do(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(file_remove_tree("/tmp/agent-tree-that-is-not-there", &err), 0);
}

static void what_cannot_be_removed_is_named(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(file_remove_tree("/proc/self/status", &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, "/proc/self/status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_goes_and_what_its_links_point_to_stays),
        cmocka_unit_test(nothing_there_is_nothing_to_do),
        cmocka_unit_test(what_cannot_be_removed_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
