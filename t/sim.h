/* sim -- a recovery in a world of its own: bridled's own code (host/meta, host/recovery, the real
 * policy) on a loop with virtual time, over replica servers and a store that misbehave as a seed
 * says.
 *
 *     sim.c         runs by seed: cluster, faults, kills; the command line
 *     sim_sweep.c   one small cluster: every kill point, pairs of them, every failure
 *     sim_refuse.c  the same, every allocation refused once, in child processes
 *     sim_world.c   bridled as a process: started, asked by an operator, killed, started again
 *     sim_cluster.c what replica servers hold, what they say of it, and their lies
 *     sim_nodes.c   the transport: when they say it
 *     sim_store.c   the store: what becomes of each request
 *     sim_carry.c   batches, also of the dead
 *     sim_disk.c    the tree, which outlives every process
 *     sim_check.c   what must be true after every event
 *     sim_oracle.c  what a recovery may do, told from the answers that it was given
 *     sim_loop.c    host/core/loop.h and mailbox.h, linked in their place
 *     sim_wire.c    host/rdsn/server.h and client.h, likewise: no sockets
 *
 * Everything that happens is an event: one letter opened or one timer fired.  A seed decides which
 * of those that are ready comes next.  A kill takes effect between two events, or at a request of
 * the store's, before or after it was carried out; what happens of the rest of that event, nobody
 * outside can see.
 */
#ifndef T_SIM_H
#define T_SIM_H

#include "host/meta/meta.h"
#include "host/meta/recover_run.h"

#define SIM_NODES_MAX      5
#define SIM_TABLES_MAX     4
#define SIM_PARTITIONS_MAX 8
#define SIM_ROWS_MAX       64          /* replicas that one server reports */
#define SIM_MEMORY         (32u << 20) /* bytes of everything that outlives a process */
#define SIM_EVENTS_MAX     20000 /* of one process, after which it counts as going in circles */
#define SIM_PLANS_MAX      16    /* plans that one run may write */
#define SIM_POSTS_MAX      64    /* requests of the dead that are still on their way */
#define SIM_HINT_MAX       8192
#define SIM_ID_GAP         2 /* table ids that nobody knows, between two */

/* -- Chance -- */

static inline uint64_t sim_draw(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 (Steele, Lea, Flood) */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint32_t sim_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t) (sim_draw(state) % limit);
}

static inline bool sim_percent(uint64_t *state, uint32_t percent)
{
    return sim_below(state, 100) < percent;
}

/* -- The disk -- */

struct sim_item {
    const char *path;
    const char *value;
    uint32_t size;
    int64_t version;
};

/* A tree is an array sorted by path that is never changed again: a copy of this structure keeps it.
 */
struct sim_tree {
    const struct sim_item *items;
    uint32_t count;
};

/* Whose the leader lock is. */
enum sim_holder { HOLDER_NONE = 0, HOLDER_US, HOLDER_DEAD, HOLDER_RIVAL };

/* A commit on its way to the store. */
struct sim_post {
    const struct br_write *const *writes;
    uint32_t count;
    br_time due;
};

/* Lies in memory that is shared with child processes. */
struct sim_disk {
    size_t used; /* of the memory */
    struct sim_tree tree;
    struct sim_tree before;                /* what was there when the run began */
    struct sim_post ghosts[SIM_POSTS_MAX]; /* of processes that are dead */
    uint32_t ghost_count;
    int64_t sequence; /* of the next fence */
    const char *fence;
    enum sim_holder holder;
    br_time holder_until; /* HOLDER_DEAD, HOLDER_RIVAL */
    uint32_t commits;     /* carried out and not in vain */
};

extern struct sim_disk *sim_disk;

void sim_disk_make(void);  /* once a program */
void sim_disk_reset(void); /* an empty tree, all memory free */
void *sim_disk_memory(size_t size);
const char *sim_disk_text(const char *text, size_t size);
const struct sim_item *sim_tree_find(const struct sim_tree *tree, const char *path);
uint64_t sim_tree_hash(const struct sim_tree *tree); /* of paths, values, versions; not the audit */
void sim_tree_print(const struct sim_tree *tree);

/* One batch; false where it failed, with the place of the first write that did and why. */
bool sim_disk_commit(const struct br_write *const *writes, uint32_t count, uint32_t *ret_index,
                     br_status *ret_status);
void sim_disk_set(const char *path, const char *value); /* with its parents; for making a world */

/* -- The cluster -- */

enum sim_manner {
    MANNER_STEADY = 0, /* answers within milliseconds */
    MANNER_SLOW,       /* within seconds, before its deadline */
    MANNER_SILENT,     /* never */
    MANNER_DOWN,       /* refuses connections, for ever */
    MANNER_BUSY,       /* with an error of its own, for ever */
    MANNER_GARBLED,    /* with what makes no sense, for ever */
    MANNER_FORGETFUL,  /* from here on faults that pass: not for one of the queries, then ... */
    MANNER_ONCE_DOWN,  /* refuses at first */
    MANNER_LATE,       /* at first long after its deadline */
    MANNER_WAKING,     /* not before a certain time */
    MANNER_RESTARTING, /* restarts between two answers, and holds something else then */
    MANNER_COUNT
};

enum sim_lie {
    LIE_NONE = 0,
    LIE_COUNT,   /* another partition count of one table */
    LIE_FACTOR,  /* another max_replica_count */
    LIE_NAME,    /* a table's name is garbage */
    LIE_TWICE,   /* a replica stands there twice, once better */
    LIE_STRAY,   /* a replica of a partition that its table does not have */
    LIE_ORPHAN,  /* a replica of a table that nobody describes */
    LIE_BALLOT,  /* an invalid ballot */
    LIE_SILENCE, /* a table that it holds replicas of is not described */
    LIE_MAX
};

struct sim_node {
    char name[NODE_NAME_MAX + 1];
    uint64_t address;
    enum sim_manner manner;
    enum sim_lie lie;
    uint64_t lie_seed;
    br_time waking;    /* MANNER_WAKING: when */
    br_time lease;     /* claims to serve until then; 0: never */
    uint8_t restarted; /* how often */
};

struct sim_replica {
    int8_t node; /* -1: none */
    br_role role;
    int64_t ballot, committed, prepared;
};

struct sim_table {
    int32_t id, partitions, factor, status;
    char name[32];
    uint32_t envs;
    uint32_t known_by; /* a bit a node */
    struct sim_replica replicas[SIM_PARTITIONS_MAX][SIM_NODES_MAX];
};

struct sim_cluster {
    struct sim_node nodes[SIM_NODES_MAX];
    uint32_t node_count;
    struct sim_table tables[SIM_TABLES_MAX];
    uint32_t table_count;
};

/* What a server said, as far as it matters: how often it was restarted, and whether it
 * claimed to serve. */
struct sim_said {
    uint8_t process;
    bool claims;
};

void sim_cluster_make(struct sim_cluster *cluster, uint64_t seed);
void sim_cluster_small(struct sim_cluster *cluster); /* the sweeps': honest, three servers */

/* All rows of one answer, in the order reported.  Strings are literals or the cluster's. */
uint32_t sim_tables_of(const struct sim_cluster *cluster, uint32_t node, struct sim_said said,
                       struct br_table *rows);
uint32_t sim_replicas_of(const struct sim_cluster *cluster, uint32_t node, struct sim_said said,
                         struct br_replica *rows);

/* -- Evidence: what was answered in the newest round -- */

struct sim_evidence {
    struct {
        uint32_t asked[2]; /* tables, replicas: how often */
        bool good[2];      /* the last answer was one, in time */
        struct sim_said said[2];
    } nodes[SIM_NODES_MAX];
};

/* -- What becomes of requests -- */

enum sim_ask {
    ASK_READ = 0,
    ASK_LIST,
    ASK_COMMIT,
    ASK_LOCK,
    ASK_OWNER,
    ASK_LOST,
    ASK_UNLOCK,
    ASK_TABLES,
    ASK_REPLICAS
};

enum sim_fate {
    FATE_GOOD = 0,
    FATE_FAIL,        /* not carried out, answered with `status` */
    FATE_LOST,        /* not carried out, not answered */
    FATE_ANSWER_LOST, /* carried out, not answered */
    FATE_ANSWER_BAD,  /* carried out, answered with `status` */
    FATE_LATE,        /* carried out long after the deadline, not answered */
    FATE_KILL,        /* the process dies, and nothing is carried out */
    FATE_KILL_AFTER,  /* the process dies right after it was carried out */
};

struct sim_lot {
    enum sim_fate fate;
    br_status status;
    br_time there, back; /* how long the request takes, and the answer */
};

/* -- The world -- */

enum sim_life {
    LIFE_DEAD = 0, /* killed */
    LIFE_UP,
    LIFE_EXITED, /* by itself, with process.meta.exit_status */
};

struct sim_process {
    enum sim_life life;
    struct loop *loop;
    struct log log;
    struct plugin store, transport, policy;
    struct meta meta;
    uint32_t events; /* so far */
    uint32_t asks;   /* of the store's, so far */
    uint32_t calls;  /* of the transport's */
    bool asked;      /* the operator's request is under way */
    bool answered;
    char err[32];
    char hint[SIM_HINT_MAX];
    struct sim_evidence evidence; /* of the attempt under way */
    bool applying;                /* it was seen to write */
};

/* What may go wrong, in percent; and exactly one thing. */
struct sim_faults {
    uint32_t store; /* of requests */
    uint32_t kill;  /* of a thousand events */
    uint32_t fence; /* of a thousand events: the lock is lost to somebody else */
    uint32_t away;  /* of a thousand events: the store is away for a while */
    bool unsteady;  /* servers' faults that pass do not */
    uint32_t kill_event, kill_ask, fail_ask, fail_call; /* the number of one, from 1; 0: none */
    struct sim_lot lot;                                 /* of kill_ask or fail_ask; of fail_call */
    int ghosts; /* what a kill leaves on its way arrives: 0 nothing, 1 half, 2 all, 3 by chance */
    bool late;  /* ... and only once everything else is over */
};

/* How it is configured. */
struct sim_setting {
    bool skip_bad_nodes, skip_lost_partitions, skip_stray, pass_over;
    bool moving;     /* between two processes of ours all servers may be restarted */
    bool lockless;   /* the store knows no locks */
    bool lock_below; /* the lock's path lies below the cluster's root */
    int version;     /* LAYOUT_25, LAYOUT_26 */
    int hot;         /* CONFIG_HOT_* */
    uint32_t ops_max, flights;
    int root; /* what is there: see sim_world.c */
};

struct sim_plan {
    struct sim_item *records; /* sorted by path */
    uint32_t count;
    struct sim_evidence evidence;
};

struct sim {
    uint64_t seed;
    uint64_t chance;   /* what happens next */
    uint64_t schedule; /* which of several ready events is next */
    br_time now;
    bool trace;
    bool broken;  /* an invariant does not hold: said once */
    bool shut;    /* the process is dead: nothing reaches the store any more */
    br_time away; /* until then the store answers nothing */
    struct sim_cluster cluster;
    struct sim_setting setting;
    struct sim_faults faults;
    struct config config;
    struct sim_process process;
    struct sim_plan plans[SIM_PLANS_MAX];
    uint32_t plan_count;
    uint32_t processes; /* started in this run */
    uint64_t kills, recoveries;
    uint8_t *kinds; /* where to write down the kinds of the store's requests; NULL: nowhere */
};

extern struct sim sim;

BR_PRINTF(1, 2) void sim_trace(const char *format, ...);

/* An invariant does not hold: the seed and why, once; the run goes on to its end. */
BR_PRINTF(1, 2) void sim_break(const char *format, ...);

/* -- sim_world.c -- */

#define SIM_ROOT "/pegasus/sim"

enum {
    ROOT_NOTHING = 0,
    ROOT_PARENTS,
    ROOT_OPEN,
    ROOT_EMPTY_VALUE,
    ROOT_FULL,
    ROOT_LOCKED,
    ROOT_KINDS
};

void sim_world_config(void); /* the setting as bridled.yaml; instead of the one before */
void sim_world_begin(void);  /* for sim.seed, with cluster and setting made: a fresh disk */
void sim_world_end(void);

/* Start a process; one event of it, and what the operator does; kill it; what is left of one that
 * died or exited is freed. */
void sim_start_plugins(void);
void sim_start(void);
void sim_step(void);
void sim_kill(const char *why);
void sim_bury(void);

/* What came of one process, from its start to its end or its answer. */
enum sim_end {
    END_KILLED = 1,
    END_RECOVERED, /* it was answered that all is well */
    END_VISIBLE,   /* a recovery had been finished before */
    END_REFUSED,   /* the answer says why */
    END_EXITED,
    END_STUCK,
};
enum sim_end sim_live(void);

/* -- sim_loop.c -- */
struct loop *sim_loop_new(const struct log *log);
bool sim_loop_idle(const struct loop *loop); /* nothing is ready, and nothing ever will be */
bool sim_loop_stopped(const struct loop *loop);

/* -- sim_store.c, sim_nodes.c -- */
extern const struct br_plugin bridle_store_sim, bridle_transport_sim, bridle_policy_pegasus;
void sim_store_limits(struct br_store *ops); /* as the setting says */
void sim_store_die(void);   /* the process is dead: what is on its way is settled */
void sim_store_steal(void); /* somebody else takes the lock for a while */
struct sim_lot sim_lot_of_store(enum sim_ask ask);

/* -- sim_carry.c -- */
br_status sim_carry(const struct br_write *const *writes, uint32_t count, char *why, size_t size);

/* One of `all` batches that were on their way when their process died. */
void sim_ghost(const struct br_write *const *writes, uint32_t count, uint32_t place, uint32_t all);
void sim_ghosts_await(struct br_env *env); /* those that are to arrive later */
void sim_ghosts_arrive(void);              /* all that are left, now */

/* -- sim_wire.c -- */
void sim_wire_request(const char *rpc, br_bytes body,
                      void (*reply)(const char *error, br_bytes body));

/* -- sim_check.c -- */
void sim_check_commit(const struct sim_tree *before); /* a batch was carried out */
void sim_check_event(void);                           /* an event is over */
void sim_check_answer(bool recovered);                /* the operator was answered */
bool sim_visible(void);
void sim_check_untouched(void); /* nothing but the lock's nodes was written */
void sim_check_loads(void);     /* what is visible can be loaded, and needs no repair */
bool sim_same_tree(const struct sim_tree *one,
                   const struct sim_tree *other); /* but the journal's */

/* -- sim_oracle.c -- */

/* May this be written, with the consents of the setting?  NULL: yes; else why not. */
const char *sim_oracle_stop(const struct sim_evidence *evidence);

/* Are the losses told, and does every partition have the best that was offered? */
void sim_oracle_told(const struct sim_evidence *evidence, const char *hint);
void sim_oracle_tree(const struct sim_evidence *evidence, const struct sim_tree *tree);

/* -- sim_sweep.c, sim_refuse.c: exit statuses -- */
int sim_every_kill(bool pairs);
int sim_every_failure(void);
int sim_every_refusal(uint32_t step);
void sim_refuse_at(uint64_t nth); /* this allocation from now on fails; 0: none */
uint64_t sim_refuse_count(void);  /* allocations since */
bool sim_refuse_works(void);

/* The small cluster's recovery: its disk as it was found, one process on it, and what must come of
 * it in the end. */
void sim_sweep_begin(void);
void sim_sweep_restore(void);
enum sim_end sim_sweep_live(void);
void sim_sweep_finish(const char *what);
void sim_sweep_end(void);

#endif
