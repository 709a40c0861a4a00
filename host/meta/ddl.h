/* ddl -- tables are created, dropped, recalled, renamed; their environments and replica counts
 * change (src/meta/server_state.cpp).
 *
 * Operations on one table are done one after the other, in the order they came; each is answered
 * when it is in the store.  What the store refuses for good is said and tried again every second.
 * Loop thread only.
 */
#ifndef HOST_META_DDL_H
#define HOST_META_DDL_H

#include "host/meta/meta.h"

struct ddl *ddl_new(struct meta *meta);

/* Requests under way go unanswered.  NULL-safe. */
void ddl_free(struct ddl *ddl);

/* A partition's change of this table (an index) is over. */
void ddl_settled(struct meta *meta, int32_t table);

/* It may be known now what every replica server holds: the tables of the configuration are created
 * where the store was empty. */
void ddl_synced(struct meta *meta);

/* Write what a former leader left half done (load.h), beginning in the next turn of the loop;
 * repairs of one kind and one table asked for in one turn are written together.  The partition must
 * exist.  Of a split's child nothing is written. */
void ddl_repair(struct meta *meta, struct gpid pid, enum repair_kind kind);

#endif
