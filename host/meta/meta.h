/* meta -- the meta server: stands for election, loads or recovers the metadata, serves them.
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
#include "host/model/layout.h"
#include "host/plugins/plugin.h"
#include "host/rdsn/server.h"
#include "host/recovery/load.h"

#define META_EXIT_REFUSED 78          /* a human must change something first (EX_CONFIG) */
#define META_LIVE_PERCENT 65          /* node_live_percentage_threshold_for_update */
#define META_RETRY        (BR_SECOND) /* between attempts at a store that does not answer */

enum meta_state {
    META_STARTING = 1,
    META_CANDIDATE,
    META_LOADING,
    META_RECOVERING,
    META_SERVING,
    META_STOPPING,
};

struct recover;

struct meta {
    struct loop *loop;
    const struct log *log;
    const struct config *config;
    struct plugin *store, *transport, *policy;
    const char *store_hosts; /* for cluster_info's zookeeper_hosts */

    enum meta_state state;
    struct rdsn_server *server;
    const char *name; /* meta_server.listen: "host:port" */
    uint64_t address;
    enum layout_version version;
    struct buf root;
    struct buf lock_path;

    char *fence; /* of the leader lock; NULL: not leading */
    char leader[NODE_NAME_MAX + 1];
    uint64_t leader_address;
    struct br_call *lock_call, *owner_call, *lost_call;

    struct detector detector;
    struct cluster cluster; /* what is served; empty before */
    struct root_look *look;
    struct load *load;
    struct recover *recover; /* a recovery under way */
    bool recovered;          /* by this process: what is in the store since then is its own work */
    struct timer *retry;
    struct timer *watch_again; /* who leads could not be told */
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

/* Served from now on.  Takes what is in the cluster, which is empty afterwards. */
void meta_serve(struct meta *meta, struct cluster *cluster);

/* What a function level is called with, after the freeze rule
 * (src/meta/meta_service.cpp:check_freeze). */
const char *meta_level(const struct meta *meta);

BR_PRINTF(3, 4)
void meta_log(const struct meta *meta, br_level level, const char *format, ...);

#endif
