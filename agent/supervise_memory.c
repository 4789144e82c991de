/* agent/supervise_memory.c: be small while the application runs.
 *
 * What was needed for the start (the reader of the contract, TLS, HTTP) stays mapped, and its code
 * resident, though none of it runs again for hours. Code and constants come from files and are never
 * written, so their pages can be given back: what is still needed is read again from the file's
 * cache. */
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/supervise_parts.h"

/* Segments that can be written have been (relocations): they stay. */
static int give_back(struct dl_phdr_info *object, size_t size, void *context)
{
    uintptr_t page = *(const uintptr_t *)context;

    (void)size;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
            continue;
        uintptr_t first = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        /* Its failure changes nothing: the pages stay. The address is the loader's. */
        (void)madvise((void *)first, end - first, MADV_DONTNEED); /* NOLINT(performance-*) */
    }
    return 0;
}

void supervise_shed_memory(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)malloc_trim(0);
    (void)dl_iterate_phdr(give_back, &page);
}
