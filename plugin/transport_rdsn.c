/* transport_rdsn -- asks the replica servers themselves, with the two RPCs that a recovering meta
 * server sends: RPC_QUERY_APP_INFO and RPC_QUERY_REPLICA_INFO.
 *
 * One attempt per call, both on one connection a node; rows are decoded straight into the host's
 * memory.  A node counts only if its answer is whole and its own `err` is ERR_OK.  What is checked
 * here is what the boundary promises; what the evidence means is the policy's and the host's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <bridle/plugin.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/rdsn/client.h"
#include "host/rdsn/info.h"

struct rdsn_query {
    LIST_ENTRY(rdsn_query) link;
    struct br_call *call;
    uint64_t ticket;
    int32_t index; /* of the node */
    bool replicas; /* else tables */
    char node[NODE_NAME_MAX + 1];
};

struct rdsn {
    const char *meta_server;
    int32_t pegasus_version; /* enum wire_peer */
    int64_t connections_max;
    uint64_t reply_max;
    br_time idle;
    uint64_t meta_address;
    struct host_port meta_host_port;
    char meta_host[NODE_NAME_MAX + 1];
    struct rdsn_client *client;
    LIST_HEAD(, rdsn_query) queries;
    struct br_call *stopping;
};

static const struct br_option rdsn_options[] = {
    BR_STRING(struct rdsn, meta_server, .fallback = "",
              .help = "Our own address, \"a.b.c.d:port\", as replica servers are told it; empty: "
                      "none."),
    BR_CHOICE(struct rdsn, pegasus_version, .choices = "2.5|2.6", .fallback = "2.5",
              .help = "The replica servers' version: from 2.6 on requests name hosts too."),
    BR_INTEGER(struct rdsn, connections_max, .fallback = "256", .min = 1, .max = BR_NODES_MAX,
               .help = "Connections open at once; further nodes wait for their turn."),
    BR_SIZE(struct rdsn, reply_max, .fallback = "256MiB", .min = 4096, .max = FRAME_BODY_MAX,
            .help = "The largest answer of one node that is taken."),
    BR_DURATION(struct rdsn, idle, .fallback = "60s", .min = BR_MILLISECOND, .max = 60 * BR_MINUTE,
                .help = "How long a connection without requests is kept."),
    { 0 },
};

/* -- Decoding --------------------------------------------------------------------------------- */

static void *rdsn_alloc(void *call, size_t size)
{
    return br_rows(call, size);
}

static struct wire_memory rdsn_memory(struct br_call *call)
{
    return (struct wire_memory){ .alloc = rdsn_alloc, .context = call };
}

/* The part that both answers share: whole, and the node's own error is ERR_OK.  false: the call is
 * replied to. */
static bool rdsn_accept(const struct rdsn_query *query, uint32_t present, const char *err)
{
    if (!(present & WIRE_BIT(1)) || !(present & WIRE_BIT(2))) {
        br_reply_fail(query->call, BR_CORRUPT, "%s: the answer lacks its %s", query->node,
                      present & WIRE_BIT(1) ? "list" : "err");
        return false;
    }
    if (strcmp(err, "ERR_OK") != 0) {
        br_reply_fail_as(query->call, BR_REFUSED, err, "%s answered %s", query->node, err);
        return false;
    }
    return true;
}

static void rdsn_reply_rows(const struct rdsn_query *query, int32_t kind, uint32_t row_size,
                            uint32_t count, const void *rows)
{
    struct br_chunk *chunk = NULL;
    if (count > 0) {
        chunk = br_rows(query->call, sizeof *chunk);
        *chunk =
            (struct br_chunk){ .kind = kind, .row_size = row_size, .count = count, .rows = rows };
    }
    br_reply_rows(query->call, chunk);
}

/* -- Replicas --------------------------------------------------------------------------------- */

/* NULL: the row is what the boundary promises. */
static const char *rdsn_check_replica(const struct br_replica *row)
{
    if (row->table < 1 || row->partition < 0)
        return "is no partition";
    if (row->role < BR_ROLE_INVALID || row->role > BR_ROLE_SPLIT)
        return "has a status that does not exist";
    if (row->ballot == INFO_ABSENT || row->committed == INFO_ABSENT || row->prepared == INFO_ABSENT
        || row->durable == INFO_ABSENT)
        return "lacks its ballot or a decree";
    if (*row->type == '\0')
        return "lacks its app_type";
    return NULL;
}

static void rdsn_got_replicas(const struct rdsn_query *query, br_bytes body)
{
    struct msg_query_replica_info_response answer;
    struct fail fail;
    if (wire_decode(&wire_replica_rows, body, rdsn_memory(query->call), &answer, &fail) != BR_OK) {
        br_reply_fail(query->call, BR_CORRUPT, "%s: %s", query->node, fail.text);
        return;
    }
    if (!rdsn_accept(query, answer.present, answer.err))
        return;
    struct br_replica *rows = answer.replicas.items;
    for (uint32_t i = 0; i < answer.replicas.count; i++) {
        rows[i].node = query->index;
        const char *why = rdsn_check_replica(&rows[i]);
        if (why) {
            br_reply_fail(query->call, BR_CORRUPT, "%s: replica %u of %u, %d.%d of status %d, %s",
                          query->node, i, answer.replicas.count, rows[i].table, rows[i].partition,
                          rows[i].role, why);
            return;
        }
    }
    rdsn_reply_rows(query, BR_ROW_REPLICA, sizeof *rows, answer.replicas.count, rows);
}

/* -- Tables ----------------------------------------------------------------------------------- */

static const char *rdsn_check_table(const struct msg_app_info *app)
{
    if (app->app_id < 1)
        return "is no table";
    if (app->status < BR_TABLE_INVALID || app->status > BR_TABLE_RECALLING)
        return "has a status that does not exist";
    if (app->partition_count < 0 || app->max_replica_count < 0)
        return "has a negative count";
    if (*app->app_type == '\0' || *app->app_name == '\0')
        return "lacks its app_type or app_name";
    return NULL;
}

static void rdsn_got_tables(const struct rdsn_query *query, br_bytes body)
{
    struct msg_query_app_info_response answer;
    struct fail fail;
    if (wire_decode(&wire_query_app_info_response, body, rdsn_memory(query->call), &answer, &fail)
        != BR_OK) {
        br_reply_fail(query->call, BR_CORRUPT, "%s: %s", query->node, fail.text);
        return;
    }
    if (!rdsn_accept(query, answer.present, answer.err))
        return;
    const struct msg_app_info *apps = answer.apps.items;
    struct br_table *rows = br_rows(query->call, answer.apps.count * sizeof *rows);
    for (uint32_t i = 0; i < answer.apps.count; i++) {
        const char *why = rdsn_check_table(&apps[i]);
        if (why) {
            br_reply_fail(query->call, BR_CORRUPT, "%s: table %u of %u, id %d of status %d, %s",
                          query->node, i, answer.apps.count, apps[i].app_id, apps[i].status, why);
            return;
        }
        info_to_table(&apps[i], &rows[i]);
        rows[i].node = query->index;
    }
    rdsn_reply_rows(query, BR_ROW_TABLE, sizeof *rows, answer.apps.count, rows);
}

/* -- Asking ----------------------------------------------------------------------------------- */

static void rdsn_end(struct rdsn *self, struct rdsn_query *query)
{
    LIST_REMOVE(query, link);
    free(query);
    if (self->stopping && LIST_EMPTY(&self->queries)) {
        struct br_call *call = self->stopping;
        self->stopping = NULL;
        br_reply_ok(call);
    }
}

static void rdsn_on_reply(void *arg, const struct rdsn_reply *reply)
{
    struct rdsn_query *query = arg;
    struct rdsn *self = query->call->env->self;
    if (reply->status != BR_OK)
        br_reply_fail_as(query->call, reply->status, reply->error, "%s", reply->why);
    else if (query->replicas)
        rdsn_got_replicas(query, reply->body);
    else
        rdsn_got_tables(query, reply->body);
    rdsn_end(self, query);
}

static void rdsn_ask(struct br_env *env, const char *node, int32_t index, bool replicas,
                     const struct buf *body, struct br_call *call)
{
    struct rdsn *self = env->self;
    struct rdsn_query *query = mem_new(sizeof *query);
    query->call = call;
    query->index = index;
    query->replicas = replicas;
    snprintf(query->node, sizeof query->node, "%s", node);
    call->user = query;
    LIST_INSERT_HEAD(&self->queries, query, link);
    br_time left = call->deadline ? call->deadline - br_now(env) : 0;
    struct rdsn_request request = {
        .rpc = replicas ? "RPC_QUERY_REPLICA_INFO" : "RPC_QUERY_APP_INFO",
        .body = buf_bytes(body),
        .timeout = call->deadline && left < 1 ? 1 : left,
    };
    query->ticket = rdsn_client_call(self->client, node, &request, rdsn_on_reply, query);
}

static void rdsn_tables(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    const struct rdsn *self = env->self;
    struct msg_query_app_info_request ask;
    wire_init(&wire_query_app_info_request, &ask);
    ask.meta_server = self->meta_address;
    ask.hp_meta_server = self->meta_host_port;
    WIRE_SET(&ask, 2);
    struct buf body = { 0 };
    wire_encode(&wire_query_app_info_request, &ask, (enum wire_peer) self->pegasus_version, &body);
    rdsn_ask(env, node, index, false, &body, call);
    buf_done(&body);
}

/* Field 1 is the replica server's own address; where the operator names a host it is left out, and
 * servers do not look at it. */
static void rdsn_replicas(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    const struct rdsn *self = env->self;
    struct msg_query_replica_info_request ask;
    char host[NODE_NAME_MAX + 1];
    wire_init(&wire_query_replica_info_request, &ask);
    if (!address_parse(node, &ask.node1))
        ask.node1 = 0;
    if (host_port_parse(node, host, &ask.hp_node1))
        WIRE_SET(&ask, 2);
    struct buf body = { 0 };
    wire_encode(&wire_query_replica_info_request, &ask, (enum wire_peer) self->pegasus_version,
                &body);
    rdsn_ask(env, node, index, true, &body, call);
    buf_done(&body);
}

static void rdsn_cancel(struct br_env *env, struct br_call *call)
{
    const struct rdsn *self = env->self;
    const struct rdsn_query *query = call->user;
    if (query)
        rdsn_client_cancel(self->client, query->ticket);
}

/* -- Life ------------------------------------------------------------------------------------- */

static br_status rdsn_open(struct br_env *env)
{
    struct rdsn *self = env->self;
    LIST_INIT(&self->queries);
    if (*self->meta_server == '\0')
        return BR_OK;
    if (!address_parse(self->meta_server, &self->meta_address)
        || !host_port_parse(self->meta_server, self->meta_host, &self->meta_host_port))
        return br_fail(env, BR_INVALID,
                       "meta_server: \"%s\" is not an IPv4 address and a port, as in "
                       "\"10.0.0.1:34601\"",
                       self->meta_server);
    return BR_OK;
}

static void rdsn_start(struct br_env *env, struct br_call *call)
{
    struct rdsn *self = env->self;
    struct rdsn_client_options options = {
        .from_address = self->meta_address,
        .connections_max = (uint32_t) self->connections_max,
        .body_max = (uint32_t) self->reply_max,
        .idle = self->idle,
    };
    self->client = rdsn_client_new(env->loop, &options);
    br_reply_ok(call);
}

static void rdsn_stop(struct br_env *env, struct br_call *call)
{
    struct rdsn *self = env->self;
    if (LIST_EMPTY(&self->queries)) {
        br_reply_ok(call);
        return;
    }
    self->stopping = call;
    struct rdsn_query *query;
    LIST_FOREACH(query, &self->queries, link)
    rdsn_client_cancel(self->client, query->ticket);
}

static void rdsn_close(struct br_env *env)
{
    struct rdsn *self = env->self;
    rdsn_client_free(self->client);
    self->client = NULL;
}

static const struct br_transport rdsn_transport = {
    .tables = rdsn_tables,
    .replicas = rdsn_replicas,
    .cancel = rdsn_cancel,
};

BR_PLUGIN(transport, rdsn, &rdsn_transport,
          .summary = "Asks running replica servers over Pegasus's own protocol.", .version = "1.0",
          .license = "Apache-2.0", .flags = BR_NEEDS_LOOP, BR_STATE(struct rdsn, rdsn_options),
          .open = rdsn_open, .start = rdsn_start, .stop = rdsn_stop, .close = rdsn_close);
