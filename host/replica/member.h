/* member -- a partition's configuration: who is primary, who are the secondaries, at which ballot
 * (Pegasus's partition_configuration, its servers as peers).
 */
#ifndef HOST_REPLICA_MEMBER_H
#define HOST_REPLICA_MEMBER_H

#include "host/base/arena.h"
#include "host/base/fail.h"
#include "host/rdsn/message.h"
#include "host/replica/peer.h"

#define MEMBERS_MAX BR_DROPS_MAX /* secondaries, learners or drops of one partition */

struct membership {
    struct gpid pid;
    int64_t ballot;
    int32_t replica_count; /* max_replica_count */
    int32_t flags;
    int64_t committed; /* last_committed_decree */
    bool unnamed;      /* names count, and the secondaries' list of them was not there */
    struct peer *primary;
    uint32_t secondary_count, drop_count;
    struct peer *secondaries[MEMBERS_MAX];
    struct peer *drops[MEMBERS_MAX];
};

/* Where names count the hp_* fields are read and no others (replica_config.cpp does not look at the
 * addresses): a primary without a name is nobody.  BR_TOOBIG: over a limit. */
br_status membership_read(struct peers *peers, const struct msg_partition_configuration *message,
                          struct membership *ret, struct fail *ret_fail);

/* Lists go to the arena; strings are the peers'. */
void membership_write(const struct membership *members, struct arena *arena,
                      struct msg_partition_configuration *ret_message);

/* Where it stands: BR_ROLE_PRIMARY, BR_ROLE_SECONDARY, BR_ROLE_INACTIVE. */
br_role membership_role(const struct membership *members, const struct peer *peer);

bool membership_same_secondaries(const struct membership *a, const struct membership *b);

/* At the end; one that is there already stays (src/common/replication_other_types.h). */
void membership_add(struct membership *members, struct peer *peer);

/* false: it is no secondary. */
bool membership_remove(struct membership *members, const struct peer *peer);

/* "rs1:34801 [rs2:34801, rs3:34801]", in the arena. */
const char *membership_text(const struct membership *members, struct arena *arena);

#endif
