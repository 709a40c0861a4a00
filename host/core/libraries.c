/* libraries -- see libraries.h. */
#include "host/core/libraries.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>

#include "host/base/mem.h"

static void *libraries_new(size_t size)
{
    return mem_grow(NULL, size);
}

void libraries_memory(void)
{
    event_set_mem_functions(libraries_new, mem_grow, free);
    json_set_alloc_funcs(libraries_new, free);
}
