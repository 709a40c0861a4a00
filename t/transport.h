/* transport -- what the suites about the transport plugin share: the plugin in the real host, and a
 * replica server of our own that it asks over real sockets.  The plugin is linked in, so that
 * sanitizers see all of it.
 */
#ifndef T_TRANSPORT_H
#define T_TRANSPORT_H

#include "host/plugins/plugin.h"
#include "host/rdsn/message.h"
#include "host/rdsn/server.h"
#include "t/core.h"

#define BROKEN_ROW 3

struct transport_node {
    struct rdsn_server *server;
    char name[ADDRESS_TEXT_MAX];
    struct buf tables, replicas; /* the bodies it answers with */
    const char *error;           /* the header's */
    bool hangs;
    struct rdsn_incoming *held[8];
    int held_count;
    int requests;
    struct buf asked[2]; /* the bodies that it was asked with: tables, replicas */
    struct rdsn_header header;
};

extern struct transport_node node;
extern struct plugin plugin;

/* Fixture: the loop of t/core.h and the node. */
void transport_setup(void);
void transport_teardown(void);

/* Open the plugin with these options; open and start it; stop and close it. */
br_status transport_open(const char *yaml, struct fail *ret_fail);
void transport_start(const char *yaml);
void transport_stop(void);

void transport_told_done(struct core_told *told);

/* What the node answers.  `broken` stands at BROKEN_ROW where it is not NULL. */
void node_put_replicas(uint32_t count, const struct msg_replica_info *broken);
struct msg_app_info node_table(int32_t id, const char *name);
void node_put_tables(struct msg_app_info *apps, uint32_t count);

TCase *transport_real_case(void);

#endif
