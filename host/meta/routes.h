/* routes -- from a request to its answer: the gate, then the handler. */
#ifndef HOST_META_ROUTES_H
#define HOST_META_ROUTES_H

#include "host/meta/meta.h"

/* The server's request function; arg is the struct meta. */
void routes_request(void *arg, struct rdsn_incoming *incoming);

/* One request being handled: decoded by the codec, answered exactly once with route_*. */
struct route {
    struct meta *meta;
    struct rdsn_incoming *incoming;
    const struct rpc *rpc; /* NULL: a name that the table does not know */
    struct arena arena;    /* of the decoded request and of what the answer is made from */
};

/* Decode the body into *message; false: it was rejected (and the route is over). */
bool route_decode(struct route *route, void *message);

/* Answer with a whole response. */
void route_reply(struct route *route, const void *response);

/* Answer with a default response whose `err` is this. */
void route_error(struct route *route, const char *error);

/* The gate of what needs a served cluster, for handlers that look before it.  true: it is closed,
 * and the request was answered. */
bool route_closed(struct route *route);

/* How the requester wants hp_* fields: THFT clients never get them. */
enum wire_peer route_peer(const struct route *route);

/* -- handlers, by file ------------------------------------------------------------------------ */

void query_list_apps(struct route *route);
void query_list_nodes(struct route *route);
void query_cluster_info(struct route *route);
void query_configuration(struct route *route);
void recover_request(struct route *route);
void admin_command(struct route *route);
void admin_reply(struct rdsn_incoming *incoming, const char *text); /* to a remote command */
void beacon_request(struct route *route);
void sync_request(struct route *route);
void update_request(struct route *route);
void level_request(struct route *route);
void propose_request(struct route *route);
void ddd_request(struct route *route);
void duplication_request(struct route *route);
void ddl_create_request(struct route *route);
void ddl_drop_request(struct route *route);
void ddl_recall_request(struct route *route);
void ddl_rename_request(struct route *route);
void ddl_env_request(struct route *route);
void ddl_get_count_request(struct route *route);
void ddl_set_count_request(struct route *route);
void ddl_get_atomic_request(struct route *route);
void ddl_set_atomic_request(struct route *route);
void admin_negotiation(struct route *route);

#endif
