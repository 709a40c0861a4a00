/* meta -- the meta server: stands for election, loads or recovers the metadata, serves the cluster.
 *
 *     starting -> candidate -> loading -> serving
 *                     ^           |
 *                     |           +-> recovering -> serving     (flag on, nothing in the store)
 *                     +--- the lock is lost ---
 *
 * Beacons are answered in every state; everything else passes the gate
 * (src/meta/meta_service.h:check_leader_status).  Loop thread only.
 */
#ifndef HOST_META_META_H
#define HOST_META_META_H

#include "host/config/config.h"
#include "host/meta/detector.h"
#include "host/meta/state.h"
#include "host/meta/writer.h"
#include "host/model/layout.h"
#include "host/plugins/plugin.h"
#include "host/rdsn/client.h"
#include "host/rdsn/server.h"
#include "host/recovery/load.h"

#define META_EXIT_REFUSED 78          /* a human must change something first (EX_CONFIG) */
#define META_RETRY        (BR_SECOND) /* between attempts at a store that does not answer */
#define META_TICK         (500 * BR_MILLISECOND) /* between looks at who is alive */
#define META_BURY_MAX     8000 /* partitions of dead servers, listed to be looked at in one turn */

enum meta_state {
    META_STARTING = 1,
    META_CANDIDATE,
    META_LOADING,
    META_RECOVERING,
    META_SERVING,
    META_STOPPING,
};

/* meta_function_level (idl/meta_admin.thrift): what is done of its own accord. */
enum {
    LEVEL_STOPPED = 100,
    LEVEL_BLIND = 200,
    LEVEL_FREEZED = 300,
    LEVEL_STEADY = 400,
    LEVEL_LIVELY = 500,
    LEVEL_INVALID = 10000,
};

/* What the balancer would do, or does (src/meta/greedy_load_balancer.cpp). */
struct balance_count {
    uint32_t move_primary, copy_primary, copy_secondary;
};

struct recover;
struct guardian;
struct balancer;
struct freeze;
struct asker;
struct ddl;
struct rdsn_client;

struct meta {
    struct loop *loop;
    const struct log *log;
    const struct config *config;
    struct plugin *store, *transport, *policy;
    const char *store_hosts; /* for cluster_info's zookeeper_hosts */

    enum meta_state state_now;
    struct rdsn_server *server;
    struct rdsn_client *client; /* proposals, forwarding */
    const char *name;           /* meta_server.listen: "host:port" */
    uint64_t address;
    enum layout_version version;
    struct buf root;
    struct buf lock_path;

    char *fence; /* of the leader lock; NULL: not leading */
    char leader[NODE_NAME_MAX + 1];
    uint64_t leader_address;
    struct br_call *lock_call, *owner_call, *lost_call;

    struct detector detector;
    struct state state;        /* what is served; empty before */
    struct writer *writer;     /* NULL: not serving */
    struct guardian *guardian; /* NULL: not serving */
    struct balancer *balancer; /* NULL: not serving */
    struct ddl *ddl;           /* NULL: not serving */
    struct freeze *freeze;     /* NULL: not serving */
    struct asker *asker;       /* NULL: not serving */
    int32_t level;             /* LEVEL_*, as set; meta_level_now is what counts */
    int32_t level_told;        /* the last one that counted */
    bool too_few;              /* servers are alive, as of the last tick or change */
    struct timer *tick;
    br_time scanned;              /* the last look at all partitions */
    struct balance_count balance; /* what was to be moved when it was last counted */
    int32_t highest_id;           /* of a table, seen anywhere */
    bool began_empty;             /* the store held no tables when it was loaded */

    struct root_look *look;
    struct load *load;
    struct recover *recover; /* a recovery under way */
    bool all_cold;           /* no group shall go on serving in the next recovery */
    bool recovered;          /* by this process: what is in the store since then is its own work */
    bool looked;             /* with the flag on: the root was empty when this process started */
    struct timer *retry;
    struct timer *watch_again; /* who leads could not be told */
    struct timer *guard_again; /* whether the lock is lost could not be told */
    br_time leading_since;     /* on the loop's clock; 0: not leading */
    int64_t start_second;
    int exit_status;
};

/* The plugins are started.  BR_OK: it listens and stands for election; else the sentence says
 * what to change. */
br_status meta_start(struct meta *meta, struct loop *loop, const struct config *config,
                     struct fail *ret_fail);

/* Begin to leave: nothing is answered any more, the lock is given back, then the loop stops. */
void meta_stop(struct meta *meta, int exit_status);

/* After the loop has stopped. */
void meta_done(struct meta *meta);

/* The lock is lost, or will be: stop leading, stand again.  Only from the loop. */
void meta_step_down(struct meta *meta);

/* Answer a request: to a forwarded one over a connection to whoever sent it first. */
void meta_reply(struct meta *meta, struct rdsn_incoming *incoming, const char *error_name,
                br_bytes body);

BR_PRINTF(3, 4)
void meta_log(const struct meta *meta, br_level level, const char *format, ...);

/* -- serve.c: while it serves ------------------------------------------------------------------ */

/* Served from now on.  Takes what is in the cluster, which is empty afterwards.  `recovered`: it
 * was written by a recovery just now, so that primaries are asked to serve at once. */
void meta_serve(struct meta *meta, struct cluster *cluster, bool recovered);

/* No longer: what was under way is forgotten; replica servers and clients ask again. */
void meta_unserve(struct meta *meta);

/* What counts: the level that is set, but at most freezed with too few servers alive
 * (src/meta/meta_service.cpp:check_freeze). */
int32_t meta_level_now(const struct meta *meta);
const char *meta_level_text(int32_t level); /* "steady" */

/* A level was set, or a server came or went: what follows from it. */
void meta_level_changed(struct meta *meta);

/* A beacon of an unknown or dead server came. */
void meta_node_alive(struct meta *meta, const struct detector_node *node);

/* A server has told for the first time since it came alive what it holds. */
void meta_synced(struct meta *meta);

/* May tables be created?  NULL: yes; else why not: replicas unknown to us exist, or may. */
const char *meta_create_wrong(const struct meta *meta);

#endif
