/* evidence_run -- a chunk's rows as evidence.c and evidence_replicas.c walk them. */
#ifndef HOST_RECOVERY_EVIDENCE_RUN_H
#define HOST_RECOVERY_EVIDENCE_RUN_H

#include "host/recovery/evidence.h"

struct evidence_run {
    const void *rows; /* of this host's size */
    uint32_t count;
    int32_t node;
};

#endif
