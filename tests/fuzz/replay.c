/* tests/fuzz/replay.c: run a fuzz target over the files of a folder, without a fuzzer.
 *
 *   replay FOLDER    each file of it, in the order of the names, and the empty input
 *   replay FILE      that one
 * Prints how many inputs there were; exit 1 when there were none, or a file could not be read. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX_BYTES = 1024 * 1024 };

static int replay_file(const char *path)
{
    AUTO_BUF input = BUF_INIT(INPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    if (file_read_all(path, &input, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    /* A block of exactly this size: a read behind its end is seen by AddressSanitizer. */
    uint8_t *exact = malloc(input.len ? input.len : 1);
    if (!exact)
        return -1;
    if (input.len)
        memcpy(exact, input.data, input.len);
    (void)LLVMFuzzerTestOneInput(exact, input.len);
    free(exact);
    return 0;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_input, alphasort);
    int failed = 0;

    for (int i = 0; i < count; i++) {
        char *path = file_join(folder, entries[i]->d_name);
        if (!path || replay_file(path) != 0)
            failed = 1;
        free(path);
        free(entries[i]);
    }
    free(entries);
    return count < 0 || failed ? -1 : count;
}

int main(int argc, char **argv)
{
    struct stat status;

    if (argc != 2 || stat(argv[1], &status) != 0) {
        (void)fprintf(stderr, "usage: replay FOLDER|FILE\n");
        return 1;
    }
    if (!S_ISDIR(status.st_mode))
        return replay_file(argv[1]) != 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    int count = replay_folder(argv[1]);
    if (count > 0)
        (void)printf("%d inputs\n", count + 1);
    return count > 0 ? 0 : 1;
}
