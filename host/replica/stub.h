/* stub -- a replica server: its table of replicas, its connection to the meta servers, and who gets
 * which request (src/replica/replica_stub.cpp).
 *
 * The parts: stub.c has start, stop and calls; dispatch.c the requests; table.c opening and
 * closing; sync.c the lease and config sync; client_data.c what clients send; query.c what people
 * ask. Loop thread only.
 */
#ifndef HOST_REPLICA_STUB_H
#define HOST_REPLICA_STUB_H

#include <sys/queue.h>

#include "host/data/operation.h"
#include "host/rdsn/client.h"
#include "host/rdsn/info.h"
#include "host/rdsn/message_data.h"
#include "host/rdsn/server.h"
#include "host/replica/beacon.h"
#include "host/replica/replica.h"

struct stub_options {
    const char *name; /* "host:port": where it listens and what it calls itself */
    const struct inventory_dir *dirs;
    uint32_t dir_count;
    const char *const *metas; /* NULL-terminated, 1 to BEACON_METAS_MAX */
    bool datagrams;           /* beacons over UDP */
    bool without_data;        /* nothing is kept but decrees: for tests and rehearsals */
    int64_t log_size;         /* bytes of a private log from which the data are flushed */
    bool sync;            /* what is acknowledged outlives a loss of power (Pegasus: only a kill) */
    bool named;           /* 2.6: names are sent, read and compared; else addresses */
    int64_t min_replicas; /* members that a write needs; 0: more than half of a table's replicas,
                             1 of up to 2 (app_mutation_2pc_min_replica_count) */
    br_time beacon_interval, check_interval, lease;
    br_time config_sync_interval, group_check_interval, gc_memory_interval;
};

/* As Pegasus 2.6 without a configuration; every time of it. */
extern const struct stub_options stub_defaults;

enum stub_state { STUB_DISCONNECTED = 0, STUB_CONNECTING, STUB_CONNECTED };

/* One request of ours under way. */
typedef void outgoing_done(struct outgoing *call, const struct rdsn_reply *reply);
struct outgoing {
    TAILQ_ENTRY(outgoing) link;
    struct stub *stub;
    struct replica *replica;   /* held; may be NULL */
    struct mutation *mutation; /* held; may be NULL */
    struct peer *peer;
    outgoing_done *done;
    struct timer *timer; /* set by `done`: the call is still wanted, stub_forget is to follow */
    br_role role;
    int64_t ballot, decree;
    uint64_t round;
    struct copy *copy; /* held; of files, and which piece: */
    uint32_t file;
    int64_t offset;
    size_t size;
};
TAILQ_HEAD(outgoing_list, outgoing);

struct stub {
    struct stub_options options;
    struct loop *loop;
    const struct log *log;
    struct peers peers;
    struct peer *self;
    enum wire_peer peer; /* for encoding */
    char address[ADDRESS_TEXT_MAX];
    struct rdsn_server *server;
    struct rdsn_client *client;
    struct beacon *beacon;
    time_t started;

    struct replica **slots; /* by gpid, open addressing */
    uint32_t slot_count;    /* a power of two; 0: none yet */
    uint32_t replica_count;

    enum stub_state state;
    bool syncing; /* a config sync or the pause before the next one is under way */
    uint64_t sync_round;
    struct timer *sync_timer, *sync_pause;

    struct data_shared *shared; /* NULL: without data */
    struct worker *worker;      /* flushes and checkpoints; NULL without data */
    struct syncer *syncer;      /* NULL unless options.sync */
    struct mutation_pool pool;
    struct arena applying; /* of the mutation that is carried out */
    struct buf responses;  /* of its updates */
    struct outgoing_list calls, idle_calls;
    struct arena arena; /* of the event under way */
    struct buf body;    /* for encoding */
};

/* Opens the directories, listens, begins to beacon.  Options' texts must outlive it. */
br_status stub_start(struct stub *stub, struct loop *loop, const struct stub_options *options,
                     struct fail *ret_fail);

/* .init-info of every replica is written. */
void stub_stop(struct stub *stub);

/* -- stub.c ----------------------------------------------------------------------------------- */

/* A call about to be made; `replica` may be NULL. */
struct outgoing *stub_outgoing(struct stub *stub, struct replica *replica, outgoing_done *done);

/* Send stub->body to `node`; the call's `done` is called once, unless the stub stops before.
 * `timeout` 0: 5 s. */
void stub_call(struct outgoing *call, const char *node, const char *rpc, br_time timeout);

/* The end of a call whose timer was set. */
void stub_forget(struct outgoing *call);

/* Send stub->body and await nothing. */
void stub_tell(struct stub *stub, const struct replica *replica, const char *node, const char *rpc);

/* Encode into stub->body, which is emptied before. */
void stub_encode(struct stub *stub, const struct wire_schema *schema, const void *message);

/* A reply's body; false: it was an error, or made no sense; *ret_error is its name then. */
bool stub_decode(struct stub *stub, const struct rdsn_reply *reply,
                 const struct wire_schema *schema, void *message, const char **ret_error);

void stub_answer(struct stub *stub, struct rdsn_incoming *incoming,
                 const struct wire_schema *schema, const void *message);

/* Whom a message means by an address with a name beside it (src/rpc/rpc_host_port.h,
 * GET_HOST_PORT).  NULL: nobody, or there are too many servers. */
struct peer *stub_peer(struct stub *stub, uint64_t address, const struct host_port *host_port);

/* -- table.c ---------------------------------------------------------------------------------- */

struct replica *table_find(struct stub *stub, struct gpid pid); /* in any life */
struct replica *table_serving(struct stub *stub, struct gpid pid);
void table_add(struct stub *stub, struct replica *replica);

/* One that was found at start; what cannot be opened is set aside. */
void table_open_found(struct stub *stub, const struct inventory_replica *from);

/* begin_open_replica: from its directory or fresh; NULL: it cannot be opened (now).  `proposal`:
 * what wants it, where it is an ASSIGN_PRIMARY. */
struct replica *table_open(struct stub *stub, const struct msg_app_info *info, struct gpid pid,
                           const struct proposal *proposal);

/* begin_close_replica. */
void table_close(struct replica *replica);

/* on_gc_replica. */
void table_collect(struct stub *stub, struct gpid pid);

/* -- sync.c ----------------------------------------------------------------------------------- */

void sync_start(struct stub *stub);
void sync_stop(struct stub *stub);
void sync_connected(void *arg);
void sync_disconnected(void *arg);

/* remove_replica_on_meta_server. */
void sync_remove_on_meta(struct stub *stub, const struct br_table *table,
                         const struct membership *members);

/* -- dispatch.c, client_data.c, query.c ------------------------------------------------------- */

void dispatch_request(void *arg, struct rdsn_incoming *incoming);
void dispatch_proposal(struct stub *stub, struct proposal *proposal);
void dispatch_add_learner(struct stub *stub, const struct msg_group_check_request *request);

/* A replica_configuration as this server understands it. */
struct replica_config dispatch_config(struct stub *stub,
                                      const struct msg_replica_configuration *message);

void client_request(struct stub *stub, const struct data_operation *operation,
                    struct rdsn_incoming *incoming);
void client_refuse(struct rdsn_incoming *incoming, const char *error);

/* nfs.c: files for learners. */
void nfs_sizes(struct stub *stub, struct rdsn_incoming *incoming, const void *message);
void nfs_copy(struct stub *stub, struct rdsn_incoming *incoming, const void *message);

void query_app_info(struct stub *stub, struct rdsn_incoming *incoming);
void query_replica_info(struct stub *stub, struct rdsn_incoming *incoming);
void query_decree(struct stub *stub, struct rdsn_incoming *incoming, const void *message);
void query_command(struct stub *stub, struct rdsn_incoming *incoming, const void *message);
void query_fill_info(const struct replica *replica, struct msg_replica_info *ret);

#endif
