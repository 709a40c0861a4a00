/* mem -- see mem.h: allocation that says so and ends the process where there is none left. */
#include "host/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_refused(size_t size)
{
    fprintf(stderr, "out of memory: %zu bytes were refused by the system\n", size);
    _exit(MEM_EXIT);
}

static void *mem_check(void *memory, size_t size)
{
    if (!memory)
        mem_refused(size);
    return memory;
}

/* malloc(0) may give NULL; nobody wants to tell that from a failure. */
void *mem_new(size_t size)
{
    return mem_check(calloc(1, size ? size : 1), size);
}

void *mem_array(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        mem_check(NULL, SIZE_MAX);
    return mem_new(total);
}

void *mem_grow(void *old, size_t size)
{
    return mem_check(realloc(old, size ? size : 1), size);
}

char *mem_text(const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(mem_check(malloc(size), size), text, size);
}
