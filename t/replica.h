/* replica -- a replica server between a meta server and peers that do as they are told, over real
 * sockets: what test_replica*.c share.
 */
#ifndef T_REPLICA_H
#define T_REPLICA_H

#include "host/replica/files.h"
#include "host/replica/stub.h"
#include "t/test.h"

#define STAGE_PEERS   3
#define STAGE_RECORDS 256

/* A message that a scripted server got. */
struct record {
    char rpc[RDSN_NAME_SIZE];
    struct rdsn_header header;
    br_bytes body; /* in stage.arena */
};

/* A scripted server: it records, and answers with what `stage.answer_*` says. */
struct scripted {
    struct rdsn_server *server;
    uint64_t address;
    char name[ADDRESS_TEXT_MAX];
    struct record records[STAGE_RECORDS];
    uint32_t count;
    uint32_t beacons, syncs, updates;
    bool mute;               /* answers nothing */
    const char *prepare_err; /* NULL: ERR_OK; "": no answer */
    void (*prepare_edit)(struct msg_prepare_ack *ack);
    void (*learn)(struct msg_learn_response *response); /* NULL: no answer to RPC_LEARN */
    void (*other)(struct rdsn_incoming *incoming);      /* takes what no script does; may be NULL */
};

struct stage {
    struct log log;
    struct loop *loop;
    struct arena arena;
    char *directory;
    struct inventory_dir dir;
    const char *metas[2];
    char name[ADDRESS_TEXT_MAX]; /* of the replica server */
    struct stub_options options;
    struct stub stub;
    bool running;
    struct scripted meta, peers[STAGE_PEERS];
    struct rdsn_client *client;

    /* The meta server's script. */
    bool not_leader;
    const char *sync_err; /* NULL: ERR_OK */
    uint32_t sync_busy;   /* so many times ERR_BUSY first */
    struct msg_configuration_update_request listed[4];
    uint32_t listed_count;
    struct gpid garbage;
    const char *update_err; /* NULL: ERR_OK and what was asked for; "": no answer */
    uint32_t update_fails;  /* so many times update_err, then ERR_OK */
    void (*update_edit)(struct msg_configuration_update_response *response);
    struct msg_configuration_update_request update; /* the last one asked */
};

extern struct stage stage;

void stage_setup(void);
void stage_teardown(void);

/* As 2.6, by a name that is not its address; before stage_start. */
void stage_named(void);

/* Replica 1.0 of table "t" (2 partitions, 3 replicas) on disk, before stage_start. */
void stage_disk(int64_t ballot, int64_t decree);
void stage_start(void);
void stage_stop(void);

/* A configuration of 1.0: members are "self", 0 to 2 peers by number ("012"), 's' self. */
struct msg_configuration_update_request stage_config(int32_t type, int64_t ballot, char primary,
                                                     const char *secondaries, char node);
void stage_list(int64_t ballot, char primary, const char *secondaries);
void stage_propose(const struct msg_configuration_update_request *request);
uint64_t stage_address(char who);

/* The replica 1.0 in the table, or NULL. */
struct replica *stage_replica(void);

/* Run the loop until ... (20 s at most). */
#define STAGE_UNTIL(condition)                                                                     \
    do {                                                                                           \
        struct timer *watchdog_ = loop_after(stage.loop, 20 * BR_SECOND, stage_too_late,           \
                                             (void *) (uintptr_t) #condition);                     \
        while (!(condition))                                                                       \
            loop_turn(stage.loop);                                                                 \
        timer_cancel(watchdog_);                                                                   \
    } while (0)
void stage_too_late(void *what);
void stage_connect(void); /* until connected and synced once */
void stage_role(br_role role, int64_t ballot);

/* As primary at ballot 2 from ballot 1, with these secondaries. */
void stage_primary(const char *secondaries);

/* One request to the replica server; the header's error is returned, the body in stage_body. */
const char *stage_ask(const char *rpc, bool data, br_bytes body);
const char *stage_ask_message(const char *rpc, const struct wire_schema *schema,
                              const void *message);
extern struct buf stage_body;
bool stage_busy(void);                           /* stage_send's answer has not come */
void stage_send(const char *rpc, br_bytes body); /* a data request that is not awaited */
const char *stage_sent_error(void);
void stage_decode(const struct wire_schema *schema, void *message);

/* The server is primary of 1.0, and peer 1 is proposed as its learner: its signature. */
int64_t stage_add_learner(void);

/* Peer 1 asks what to learn; the answer lives as long as the stage. */
struct msg_learn_response stage_learns(int64_t signature, int64_t applied);

/* The n-th record of this RPC at a server, or NULL. */
const struct record *stage_record(const struct scripted *server, const char *rpc, uint32_t n);
uint32_t stage_records(const struct scripted *server, const char *rpc);

/* A prepare from peer 0 as primary, as the functions below send it. */
struct prepare stage_prepare_message(int64_t ballot, br_role role, int64_t signature,
                                     int64_t decree, int64_t committed);
void stage_prepare_send(struct prepare *prepare, const char *code);

const char *stage_prepare(int64_t ballot, br_role role, int64_t signature, int64_t decree,
                          int64_t committed, struct msg_prepare_ack *ack);

/* The replica server learns from peer 0 as a learner at ballot 4, signature 77. */
void stage_learner(void);

TCase *replica_names(void);
TCase *replica_limits(void);
TCase *replica_sync(void);
TCase *replica_proposals(void);
TCase *replica_commits(void);
TCase *replica_kills(void);
TCase *replica_learning(void);
TCase *replica_aborts(void);

#endif
