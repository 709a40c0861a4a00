/* meta -- a meta server, replica servers and a client in one process, over real sockets: what
 * test_meta*.c share.
 */
#ifndef T_META_H
#define T_META_H

#include "host/meta/meta.h"
#include "host/rdsn/client.h"
#include "t/test.h"

#define WORLD_REPLICAS_MAX 64
#define WORLD_TABLES_MAX   8

/* A replica server: what it says when asked. */
struct actor {
    struct rdsn_server *server;
    char name[NODE_NAME_MAX + 1];
    uint64_t address;
    struct br_table tables[WORLD_TABLES_MAX];
    uint32_t table_count;
    struct br_replica replicas[WORLD_REPLICAS_MAX];
    uint32_t replica_count;
    bool mute;          /* takes requests and never answers */
    const char *refuse; /* answers with this `err` */
    bool keeps; /* takes a question what replicas it holds, and answers later (actor_answer) */
    struct rdsn_incoming *kept;
    uint32_t asked;
    uint32_t asked_replicas;
    int64_t start_time; /* of its beacons; 0: it does not say */
    void (*proposal)(struct actor *actor, const struct rdsn_incoming *incoming); /* NULL: ignored */
};

struct world {
    struct log log;
    struct loop *loop;
    struct loader *loader;
    struct config config;
    struct plugin store, transport, policy;
    struct meta meta;
    struct rdsn_client *client;
    struct actor actors[4];
    uint32_t actor_count;
    bool hasty;         /* leases of a second: servers that are silent are waited for */
    const char *target; /* whom world_ask asks; NULL: the meta server */
};

extern struct world world;

/* Fixture: plugins opened and started, no meta server yet. */
void world_setup(void);
void world_teardown(void);

/* Start the meta server; `extra` are lines under meta_server:. */
void world_meta(const char *extra);

/* One more on the same store, which the caller stops. */
void world_meta_in(struct meta *meta, struct config *config, const char *extra);
void world_wait_state(enum meta_state state);

/* The meta server stops and another one starts on the same store. */
void world_meta_again(const char *extra);

struct actor *world_actor(void);
void actor_stop(struct actor *actor);
void actor_answer(struct actor *actor); /* what it kept, if anything */
void actor_table(struct actor *actor, int32_t id, const char *name, int32_t partitions,
                 int32_t replicas);
void actor_replica(struct actor *actor, int32_t table, int32_t partition, int64_t ballot,
                   int64_t decree);

/* A whole exchange with the meta server; the reply's body is in world_body, its header's error is
 * returned. */
const char *world_ask(const char *rpc, const struct wire_schema *schema, const void *request);
extern struct buf world_body;
void world_decode(const struct wire_schema *schema, void *response);

/* A remote command with one argument or none; the answer is good until the next. */
const char *world_command(const char *name, const char *argument);

/* start_recovery with the actors as the list; returns the ticket of the request. */
void world_recover_body(struct buf *body, bool skip_bad, bool skip_lost);
struct msg_configuration_recovery_response world_recover(bool skip_bad, bool skip_lost);

void world_put(const char *path, const char *value); /* straight into the store */

/* Run the loop until *flag or 20 s have passed, which fails the test. */
void world_until(const bool *flag);

/* Who asked for a recovery, and what was answered. */
struct asked {
    bool done;
    char err[32];
    char hint[4096];
};

/* The reply of RPC_CM_START_RECOVERY; arg is a struct asked. */
void asked_reply(void *arg, const struct rdsn_reply *reply);

#endif
