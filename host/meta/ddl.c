/* ddl -- see ddl.h. */
#include "host/meta/ddl.h"

#include <stdlib.h>

#include "host/base/mem.h"

struct ddl {
    struct meta *meta;
};

struct ddl *ddl_new(struct meta *meta)
{
    struct ddl *ddl = mem_new(sizeof *ddl);
    ddl->meta = meta;
    return ddl;
}

void ddl_free(struct ddl *ddl)
{
    free(ddl);
}

void ddl_settled(struct meta *meta, int32_t table)
{
    (void) meta;
    (void) table;
}

void ddl_synced(struct meta *meta)
{
    (void) meta;
}
