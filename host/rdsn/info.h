/* info -- what servers hold, between the wire (app_info, replica_info) and the boundary (struct
 * br_table, struct br_replica).
 */
#ifndef HOST_RDSN_INFO_H
#define HOST_RDSN_INFO_H

#include "host/rdsn/message.h"
#include <bridle/types.h>

/* Strings and environments are borrowed, not copied: they must outlive the other. */
void info_from_table(const struct br_table *table, struct msg_app_info *ret_info);

/* The reverse; node is left -1. */
void info_to_table(const struct msg_app_info *info, struct br_table *ret_table);

/* query_replica_info_response as struct msg_query_replica_info_response whose replicas are struct
 * br_replica: decoded in place, without a pass over the rows.  manual_compact_status (9) is left
 * out; `node` is 0.  A number that the server did not write is INFO_ABSENT. */
extern const struct wire_schema wire_replica_rows;

#define INFO_ABSENT INT32_MIN

#endif
