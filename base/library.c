/* base/library.c: a shared library opened on demand. */
#include "base/library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
    CAUSES_BYTES = 1024,
    NAMES_BYTES = 256,
    OPENSSL_START_BYTES = 256 * 1024, /* more than it takes to start */
};

/* Behind what LIST (of SIZE bytes) holds, separated; what does not fit is cut. */
static void append(char *list, size_t size, const char *separator, const char *text)
{
    size_t length = strlen(list);
    (void)snprintf(list + length, size - length, "%s%s", length ? separator : "", text);
}

static const char *loader_says(void)
{
    const char *text = dlerror();
    return text ? text : "the loader gave no reason";
}

/* The first symbol that the library has not, or NULL. Every slot is filled then, else none. */
static const char *bind_symbols(void *library, const struct library_symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!dlsym(library, symbols[i].name))
            return symbols[i].name;
    }
    for (size_t i = 0; i < count; i++)
        *symbols[i].slot = dlsym(library, symbols[i].name);
    return NULL;
}

int library_open(const char *const *sonames, const char *debian_package,
                 const struct library_symbol *symbols, size_t count, struct err *err)
{
    /* Fixed arrays: that memory is gone may be why a library does not open. */
    char names[NAMES_BYTES] = "", causes[CAUSES_BYTES] = "";

    for (; *sonames; sonames++) {
        append(names, sizeof names, ", ", *sonames);
        /* LAZY: what we call is looked up below, so that a library that lacks it fails here and not
         * in the middle of the work; NOW would also bind what two dozen libraries behind it call
         * among themselves, for 4 % of the processor time of a whole `agent run`. */
        void *library = dlopen(*sonames, RTLD_LAZY | RTLD_LOCAL);
        if (!library) {
            append(causes, sizeof causes, "; ", loader_says());
            continue;
        }
        const char *missing = bind_symbols(library, symbols, count);
        if (!missing)
            return 0; /* stays open: its functions are in the slots */

        char cause[NAMES_BYTES];
        (void)snprintf(cause, sizeof cause, "%s has no function '%s'", *sonames, missing);
        append(causes, sizeof causes, "; ", cause);
        (void)dlclose(library); /* nothing of it is in use */
    }
    (void)err_set(err, ERR_RESOURCE, "open the library %s: %s", names,
                  causes[0] ? causes : "no name of it is known");
    return err_hint(err, "Install the package %s.", debian_package);
}

/* Where its memory ends while OpenSSL starts, 3.5 waits for itself for ever: the lock that it could
 * not make is an error, and the first error makes the locks. And what then makes the context that all
 * of it shares leaves half of one, at which the first random number crashes. */
int library_start_openssl(struct err *err)
{
    int (*start)(uint64_t options, const void *settings) = NULL;
    void *(*context)(void) = NULL;
    const struct library_symbol symbols[] = {
        {"OPENSSL_init_crypto", (void **)&start},
        {"OSSL_LIB_CTX_get0_global_default", (void **)&context},
    };
    void *library = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_NOLOAD);
    bool is_there = library && !bind_symbols(library, symbols, ARRAY_LEN(symbols));
    char *room = mem_new(1, OPENSSL_START_BYTES);

    /* Before all else: the loader that has no memory to look with says that nothing is there. */
    if (!room)
        return err_nomem(err);
    free(room);
    if (!is_there)
        return 0;
    return start(0, NULL) == 1 && context() ? 0 : err_nomem(err);
}
