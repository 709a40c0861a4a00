/* info -- a table's definition between the wire (app_info) and the boundary (struct br_table). */
#ifndef HOST_RDSN_INFO_H
#define HOST_RDSN_INFO_H

#include "host/rdsn/message.h"
#include <bridle/types.h>

/* Strings and environments are borrowed, not copied: they must outlive the other. */
void info_from_table(const struct br_table *table, struct msg_app_info *ret_info);

/* The reverse; node is left -1. */
void info_to_table(const struct msg_app_info *info, struct br_table *ret_table);

#endif
