/* layout_quick -- the usual partition's record, read without a tree of JSON. */
#ifndef HOST_MODEL_LAYOUT_QUICK_H
#define HOST_MODEL_LAYOUT_QUICK_H

#include "host/model/layout.h"

/* true: read, with the very result that the general way would have (layout_get_partition, which
 * tries this first).  false: it is not written in the usual way, names a node that the cluster does
 * not have with this address, or is wrong; nothing has changed. */
bool layout_quick_partition(struct cluster *cluster, br_bytes json, struct partition *ret_partition,
                            int32_t ret_pid[2]);

#endif
