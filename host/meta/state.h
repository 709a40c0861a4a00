/* state -- the cluster as it is served: what stands in the store, and beside it what is going on.
 *
 * `cluster` holds exactly what the store holds (but for a table's status, which while it is being
 * created, dropped or recalled is BR_TABLE_CREATING, _DROPPING, _RECALLING: the store never has
 * these).  Beside each table, node and partition stands what is only known while we lead:
 * src/meta/meta_data.h's app_state, node_state and config_context.  Records change only through
 * state_set_partition and state_set_def, which keep everything that is derived from them true.
 * Loop thread only.
 */
#ifndef HOST_META_STATE_H
#define HOST_META_STATE_H

#include <sys/queue.h>

#include "host/base/set64.h"
#include "host/core/loop.h"
#include "host/model/cluster.h"
#include "host/rdsn/codec.h"

#define STATE_MEMBERS_MAX 64 /* secondaries and drops of one partition together */

/* Pegasus's config_type (idl/metadata.thrift). */
enum {
    CONFIG_NONE = 0,
    CONFIG_ASSIGN_PRIMARY = 1,
    CONFIG_UPGRADE_TO_PRIMARY = 2,
    CONFIG_ADD_SECONDARY = 3,
    CONFIG_UPGRADE_TO_SECONDARY = 4,
    CONFIG_DOWNGRADE_TO_SECONDARY = 5,
    CONFIG_DOWNGRADE_TO_INACTIVE = 6,
    CONFIG_REMOVE = 7,
    CONFIG_ADD_SECONDARY_FOR_LB = 8,
    CONFIG_FORCE_UPDATE_BALLOT = 9,
    CONFIG_DROP_PARTITION = 10,
    CONFIG_REGISTER_CHILD = 11,
};

const char *config_type_name(int32_t type);

/* A replica that exists and is no member; sorted by time, ballot, committed, prepared, the best at
 * the back (src/meta/meta_data.h: dropped_replica). */
struct drop {
    int32_t node;
    int64_t time_ms; /* unix; 0: not dropped while we led */
    int64_t ballot;  /* BR_BALLOT_INVALID: its server has not told yet */
    int64_t committed;
    int64_t prepared;
};

/* What a replica server is to be asked (a proposal). */
struct action {
    int32_t type;   /* CONFIG_*; CONFIG_NONE: nothing */
    int32_t target; /* the node that is asked */
    int32_t node;   /* the node that it is about */
};

/* Does the node become a learner by it? */
static inline bool action_learns(const struct action *action)
{
    return action->type == CONFIG_ADD_SECONDARY || action->type == CONFIG_ADD_SECONDARY_FOR_LB;
}

#define CURE_ACTIONS_MAX 4 /* steps of one operator's or balancer's proposal */

struct change;
struct cure_list;

/* What is going on with one partition; most have none. */
struct cure {
    struct gpid pid;
    struct change *change;                   /* being written to the store; NULL: nothing */
    struct action actions[CURE_ACTIONS_MAX]; /* the first is proposed, the others come after it */
    uint8_t action_count;
    bool planned;           /* they are the operator's or the balancer's, not the guardian's own */
    bool counted;           /* the first is in its node's planned_* */
    uint8_t stage;          /* of the proposal: how often it was sent (guardian) */
    bool waits;             /* in the guardian's list of proposals sent */
    bool dirty;             /* in the guardian's list to be looked at */
    bool starved;           /* it lacks a member, and frozen nobody may become it (learner.h) */
    struct cure_list *held; /* dirty, but in this list instead: looked at once a node takes more
                               again, or has told */
    bool asleep;            /* its primary may be INACTIVE: ask it to serve (after a recovery) */
    bool ddd;               /* no primary could be chosen; `reason` says why */
    br_time due;            /* when the proposal is sent again */
    TAILQ_ENTRY(cure) look;
    TAILQ_ENTRY(cure) wait;
    struct drop *drops;
    uint16_t drop_count, drop_cap;
    int32_t preferred;  /* the next of drops to become a secondary; below 0: none */
    const char *reason; /* static or in `text` */
    char *text;
    int64_t told, told_ballot; /* what the primary of that ballot had committed, by its own word */
    br_time told_at;           /* ... when; 0: never */
    uint8_t vain; /* how often it told since, and was no primary of this group by its own word */
    bool kept;    /* for that, until the next look at all partitions */
};

TAILQ_HEAD(cure_list, cure);

/* A replica that a server told of and that is no member. */
struct held {
    uint64_t key; /* state_key */
    int64_t committed;
};

/* How much of a table one node carries; kept once somebody asked (state_shares). */
struct share {
    uint32_t primaries;
    uint32_t replicas; /* primaries among them */
};

struct state_table {
    struct cure **cures;  /* by partition; NULL where nothing is going on */
    bool known;           /* created or recovered while we led: what looks new is new */
    uint32_t writing;     /* partition changes that are being written */
    struct share *shares; /* by node; NULL: nobody asked */
    uint32_t share_count; /* of `shares` */
    int32_t shared;       /* partitions that are in them, from the first on */
    struct buf routes[2]; /* by enum wire_peer: the answer to a query of all partitions; empty: to
                             be made */
    void *ddl;            /* of ddl.c: operations on this table, under way and waiting */
};

struct state_node {
    struct set64 partitions;    /* state_key of each that it is a member of */
    uint32_t primaries;         /* of them */
    uint32_t planned_primaries; /* proposed, not yet decided */
    uint32_t planned_replicas;
    bool alive;
    bool collected;       /* has synced since it came alive */
    int64_t told_ms;      /* its last sync that was listened to, unix */
    uint32_t unknown;     /* replicas of its last sync that no table here has */
    uint32_t strays;      /* replicas that serve and are not ours to serve there */
    bool named;           /* a 2.6 server: speaks and compares host names */
    bool unheard;         /* alive because the metadata name it: its version is not known */
    uint32_t ripe;        /* replicas of its last sync that a release lets be collected */
    struct set64 garbage; /* state_key of each that it was last told to collect */
    struct held *held;    /* of learner.c, while frozen: by ascending key */
    uint32_t held_count, held_cap;
    bool holds;            /* what it tells now is kept: the cluster is frozen */
    br_time held_at;       /* when it told of them; 0: it has not since it came */
    struct set64 left;     /* state_key of each partition that it left since */
    uint32_t ahead;        /* of them, of which the group's primary told less */
    uint32_t ahead_before; /* the time before */
    uint32_t ahead_said;   /* how many were last spoken of */
};

struct state {
    struct cluster cluster;
    struct state_table *tables; /* parallel to cluster.tables */
    struct state_node *nodes;   /* parallel to cluster.nodes */
    uint32_t table_cap, node_cap;
    uint32_t writing;        /* partition changes of all tables */
    uint64_t unhealthy_hint; /* changes with every change: what was derived from before is stale */
    void *spare[STATE_MEMBERS_MAX / 2 + 1]; /* member lists to use again, by size / 8 */
};

/* The wall clock, unix milliseconds: drop times are on it. */
int64_t state_wall_ms(void);

void state_init(struct state *state);
void state_done(struct state *state);

/* Take over a loaded cluster, which is empty afterwards. */
void state_take(struct state *state, struct cluster *cluster);

static inline uint64_t state_key(struct gpid pid)
{
    return (uint64_t) (uint32_t) pid.app_id << 32 | (uint32_t) pid.partition;
}

static inline struct gpid state_gpid(uint64_t key)
{
    return (struct gpid){ .app_id = (int32_t) (key >> 32), .partition = (int32_t) key };
}

/* Indexes into cluster.tables and tables; -1: no such table. */
int32_t state_table(const struct state *state, int32_t id);

/* NULL: no such table or partition. */
struct partition *state_partition(const struct state *state, struct gpid pid);
struct cure *state_cure(const struct state *state, struct gpid pid);

/* The same, making it; the partition must exist. */
struct cure *state_cure_make(struct state *state, struct gpid pid);

/* Free it where nothing is going on any more. */
void state_cure_settle(struct state *state, struct cure *cure);

/* The node's index in cluster.nodes and nodes, adding it; -1: BR_NODES_MAX. */
int32_t state_node(struct state *state, const char *name, uint64_t address);

/* Put another record in the partition's place; its members are copied.  ballot, members, flags ...
 */
void state_set_partition(struct state *state, struct gpid pid, const struct partition *next);

/* A new table with an id above all others, its partitions as newly created; strings are copied.
 * Returns its index; -1: BR_TABLES_MAX or CLUSTER_PARTITIONS_MAX. */
int32_t state_add_table(struct state *state, const struct br_table *def);

/* Another definition with the same id and partition_count; strings are copied. */
void state_set_def(struct state *state, int32_t table, const struct br_table *def);

/* By node index; counts what is stored, without plans.  Valid until a node is added.  The first
 * call counts all of the table's partitions; later ones cost nothing. */
const struct share *state_shares(struct state *state, int32_t table);

/* That first count in parts: looks at up to *most more partitions and takes them from *most.  true:
 * that was all. */
bool state_shares_more(struct state *state, int32_t table, uint32_t *most);

/* A replica server came or went: what was derived from before is stale. */
void state_set_alive(struct state *state, int32_t node, bool alive);

static inline bool partition_has_secondary(const struct partition *partition, int32_t node)
{
    for (int i = 0; i < partition->secondary_count; i++) {
        if (partition->members[i] == node)
            return true;
    }
    return false;
}

static inline bool partition_has(const struct partition *partition, int32_t node)
{
    return partition->primary == node || partition_has_secondary(partition, node);
}

/* Taken over as it serves: its primary is proposed nothing, by nobody, until it has sent an update
 * of its own, whose group is then the truth. */
static inline bool partition_unconfirmed(const struct partition *partition)
{
    return (partition->flags & PARTITION_UNCONFIRMED) != 0;
}

static inline const int32_t *partition_drops(const struct partition *partition)
{
    return partition->members + partition->secondary_count;
}

/* What its record says: max_replica_count. */
int32_t state_replica_count(const struct state *state, struct gpid pid);

/* A primary, and as many members as there shall be. */
bool state_healthy(const struct state *state, struct gpid pid);

#endif
