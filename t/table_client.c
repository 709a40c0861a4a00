/* table_client -- see table_client.h. */
#include "t/table_client.h"

#include <string.h>

struct stage stage;

void stage_reply(struct rdsn_incoming *incoming, const struct wire_schema *schema,
                 const void *response)
{
    struct buf body = { 0 };
    wire_encode(schema, response, WIRE_PEER_25, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

/* -- Meta servers ----------------------------------------------------------------------------- */

static void meta_reply(struct rdsn_incoming *incoming,
                       const struct msg_query_cfg_response *response)
{
    struct buf body = { 0 };
    wire_encode(&wire_query_cfg_response, response, WIRE_PEER_26, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void meta_row(struct msg_partition_configuration *row, const struct fake_meta *meta,
                     int32_t index)
{
    wire_init(&wire_partition_configuration, row);
    row->pid = (struct gpid){ stage.app_id + meta->app_shift, index };
    row->ballot = stage.ballots[index];
    row->primary = stage.primaries[index];
    row->hp_primary = stage.named[index];
    if (row->hp_primary.type)
        WIRE_SET(row, 9);
}

static void meta_configuration(struct fake_meta *meta, struct rdsn_incoming *incoming)
{
    static struct msg_partition_configuration rows[STAGE_PARTITIONS];
    struct msg_query_cfg_request request;
    struct msg_query_cfg_response response;
    struct arena arena;
    arena_init(&arena, 0);
    ck_assert_int_eq(
        wire_decode(&wire_query_cfg_request, incoming->body, wire_arena(&arena), &request, NULL),
        BR_OK);
    ck_assert_str_eq(request.app_name, "temp");
    const int32_t *indices = request.partition_indices.items;
    meta->indices = (int) request.partition_indices.count;
    wire_init(&wire_query_cfg_response, &response);
    response.app_id = stage.app_id;
    response.partition_count = stage.count;
    response.is_stateful = true;
    uint32_t count = 0;
    for (int i = 0; i < meta->indices; i++)
        if (indices[i] < stage.count)
            meta_row(&rows[count++], meta, indices[i]);
    for (int32_t i = 0; count == 0 || (meta->indices == 0 && i < stage.count); i++)
        meta_row(&rows[count++], meta, i);
    response.partitions = (struct wire_list){ .items = rows, .count = count };
    meta_reply(incoming, &response);
    arena_done(&arena);
}

static void meta_refuse(const struct fake_meta *meta, struct rdsn_incoming *incoming)
{
    struct msg_query_cfg_response response;
    struct msg_partition_configuration row;
    wire_init(&wire_query_cfg_response, &response);
    wire_init(&wire_partition_configuration, &row);
    response.err = meta->refuse;
    if (meta->forward_body || meta->forward_named.type) {
        response.err = "ERR_FORWARD_TO_OTHERS";
        row.primary = meta->forward_body;
        row.hp_primary = meta->forward_named;
        if (row.hp_primary.type)
            WIRE_SET(&row, 9);
        response.partitions = (struct wire_list){ .items = &row, .count = 1 };
    }
    meta_reply(incoming, &response);
}

static void meta_request(void *arg, struct rdsn_incoming *incoming)
{
    struct fake_meta *meta = arg;
    struct buf body = { 0 };
    meta->asked++;
    if (meta->mute) {
        rdsn_server_drop(incoming);
    } else if (meta->hold) {
        ck_assert_ptr_null(meta->held);
        meta->held = incoming;
    } else if (meta->garbage) {
        rdsn_server_reply(incoming, "ERR_OK", (br_bytes){ "\x0c\0\0\x0b nonsense", 13 });
    } else if (meta->forward_header) {
        wire_encode_value(WIRE_ADDRESS, &meta->forward_header, &body);
        rdsn_server_reply(incoming, "ERR_FORWARD_TO_OTHERS", buf_bytes(&body));
    } else if (meta->error) {
        rdsn_server_reply(incoming, meta->error, (br_bytes){ NULL, 0 });
    } else if (meta->refuse || meta->forward_body || meta->forward_named.type) {
        meta_refuse(meta, incoming);
    } else {
        meta_configuration(meta, incoming);
    }
    buf_done(&body);
}

void stage_answer(struct fake_meta *meta)
{
    struct rdsn_incoming *incoming = meta->held;
    meta->held = NULL;
    meta->hold = false;
    meta->asked--;
    meta_request(meta, incoming);
}

/* -- Replica servers -------------------------------------------------------------------------- */

static void replica_read(struct fake_replica *replica, struct rdsn_incoming *incoming,
                         const br_bytes *key)
{
    struct msg_rrdb_read_response response;
    struct buf body = { 0 };
    wire_init(&wire_rrdb_read_response, &response);
    bool found = key->size == strlen(replica->key + 2) + 2
                 && memcmp(key->data, replica->key, key->size) == 0;
    response.error = replica->storage ? replica->storage : found ? 0 : 1;
    response.value = (br_bytes){ replica->value, strlen(replica->value) };
    response.app_id = incoming->header.app_id + replica->foreign;
    response.partition_index = incoming->header.partition;
    wire_encode(&wire_rrdb_read_response, &response, WIRE_PEER_25, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void replica_write(struct fake_replica *replica, struct rdsn_incoming *incoming,
                          const br_bytes *key, const br_bytes *value)
{
    struct msg_rrdb_update_response response;
    struct buf body = { 0 };
    memset(replica->key, 0, sizeof replica->key);
    memset(replica->value, 0, sizeof replica->value);
    if (value && key->size < sizeof replica->key && value->size < sizeof replica->value) {
        memcpy(replica->key, key->data, key->size);
        memcpy(replica->value, value->data, value->size);
    }
    wire_init(&wire_rrdb_update_response, &response);
    response.error = replica->storage;
    response.decree = ++replica->decree;
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition + replica->foreign;
    wire_encode(&wire_rrdb_update_response, &response, WIRE_PEER_25, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void replica_serve(struct fake_replica *replica, struct rdsn_incoming *incoming)
{
    struct msg_rrdb_update_request request;
    br_bytes key;
    struct arena arena;
    arena_init(&arena, 0);
    if (strcmp(incoming->header.rpc_name, "RPC_RRDB_RRDB_PUT") == 0) {
        ck_assert_int_eq(wire_decode(&wire_rrdb_update_request, incoming->body, wire_arena(&arena),
                                     &request, NULL),
                         BR_OK);
        replica_write(replica, incoming, &request.key, &request.value);
    } else {
        bool get = strcmp(incoming->header.rpc_name, "RPC_RRDB_RRDB_GET") == 0;
        ck_assert_int_eq(
            wire_decode_value(WIRE_BLOB, incoming->body, wire_arena(&arena), &key, NULL), BR_OK);
        if (get)
            replica_read(replica, incoming, &key);
        else
            replica_write(replica, incoming, &key, NULL);
    }
    arena_done(&arena);
}

static void replica_request(void *arg, struct rdsn_incoming *incoming)
{
    struct fake_replica *replica = arg;
    const char *error = replica->error;
    replica->asked++;
    replica->header = incoming->header;
    if (error && replica->error_count > 0 && --replica->error_count == 0)
        replica->error = NULL;
    if (replica->mute)
        rdsn_server_drop(incoming);
    else if (replica->garbage)
        rdsn_server_reply(incoming, "ERR_OK", (br_bytes){ "\x0c\0\0\x0b nonsense", 13 });
    else if (error)
        rdsn_server_reply(incoming, error, (br_bytes){ NULL, 0 });
    else if (replica->serve)
        replica->serve(replica, incoming);
    else
        replica_serve(replica, incoming);
}

/* -- The stage -------------------------------------------------------------------------------- */

static uint64_t stage_listen(void (*request)(void *, struct rdsn_incoming *), void *arg,
                             struct rdsn_server **ret_server, char *ret_name)
{
    struct fail fail;
    struct rdsn_server_options options = { .request = request, .arg = arg, .pending_max = 65536 };
    *ret_server = rdsn_server_new(stage.net.base, &options, &fail);
    ck_assert_msg(*ret_server != NULL, "%s", fail.text);
    address_format(rdsn_server_address(*ret_server), ret_name);
    return rdsn_server_address(*ret_server);
}

void stage_setup(void)
{
    memset(&stage, 0, sizeof stage);
    net_open(&stage.net);
    for (int i = 0; i < STAGE_METAS; i++)
        stage.metas[i].address = stage_listen(meta_request, &stage.metas[i], &stage.metas[i].server,
                                              stage.metas[i].name);
    for (int i = 0; i < STAGE_REPLICAS; i++)
        stage.replicas[i].address = stage_listen(replica_request, &stage.replicas[i],
                                                 &stage.replicas[i].server, stage.replicas[i].name);
    stage.app_id = STAGE_APP;
    stage_place(8, &stage.replicas[0]);
}

void stage_stop_meta(struct fake_meta *meta)
{
    rdsn_server_free(meta->server);
    meta->server = NULL;
    if (meta->held)
        rdsn_server_drop(meta->held);
    meta->held = NULL;
}

void stage_stop_replica(struct fake_replica *replica)
{
    rdsn_server_free(replica->server);
    replica->server = NULL;
}

void stage_teardown(void)
{
    table_client_free(stage.table);
    for (int i = 0; i < STAGE_METAS; i++)
        if (stage.metas[i].server)
            stage_stop_meta(&stage.metas[i]);
    for (int i = 0; i < STAGE_REPLICAS; i++)
        if (stage.replicas[i].server)
            stage_stop_replica(&stage.replicas[i]);
    net_close(&stage.net);
}

void stage_place(int32_t count, const struct fake_replica *replica)
{
    stage.count = count;
    for (int32_t i = 0; i < count; i++) {
        stage.primaries[i] = replica ? replica->address : 0;
        stage.ballots[i]++;
    }
}

void stage_open(uint32_t metas, uint32_t attempts_max)
{
    const char *names[STAGE_METAS];
    struct fail fail;
    for (uint32_t i = 0; i < metas; i++)
        names[i] = stage.metas[i].name;
    stage.table = table_client_new(stage.net.base,
                                   &(struct table_client_options){
                                       .table = "temp",
                                       .metas = names,
                                       .meta_count = metas,
                                       .attempts_max = attempts_max,
                                       .query_timeout = 100 * BR_MILLISECOND,
                                       .requery = 5 * BR_MILLISECOND,
                                   },
                                   &fail);
    ck_assert_msg(stage.table != NULL, "%s", fail.text);
}

/* -- Operations ------------------------------------------------------------------------------- */

void told_done(void *arg, const struct table_result *result)
{
    struct told *told = arg;
    told->count++;
    told->status = result->status;
    snprintf(told->error, sizeof told->error, "%s", result->error);
    snprintf(told->why, sizeof told->why, "%s", result->why ? result->why : "");
    snprintf(told->value, sizeof told->value, "%.*s", (int) result->value.size,
             result->value.size ? (const char *) result->value.data : "");
    snprintf(told->server, sizeof told->server, "%s", result->server);
    told->response = result->response != NULL;
    told->storage = result->storage;
    told->app_id = result->app_id;
    told->partition = result->partition;
    told->decree = result->decree;
    told->attempts = result->attempts;
    ck_assert_int_ge(result->latency, 0);
    bool plain = result->status == BR_OK || result->status == BR_NOTFOUND;
    ck_assert_int_eq(result->why != NULL, !plain);
    if (told->free_table) {
        table_client_free(stage.table);
        stage.table = NULL;
    }
}

static struct table_key stage_key(const char *key)
{
    return (struct table_key){ .hash = { key, strlen(key) } };
}

void stage_begin_put(const char *key, const char *value, br_time timeout, struct told *told)
{
    struct table_key whole = stage_key(key);
    int before = told->count;
    table_client_put(stage.table, &whole, (br_bytes){ value, strlen(value) }, 0, timeout, told_done,
                     told);
    ck_assert_int_eq(told->count, before);
}

void stage_begin_get(const char *key, br_time timeout, struct told *told)
{
    struct table_key whole = stage_key(key);
    int before = told->count;
    table_client_get(stage.table, &whole, timeout, told_done, told);
    ck_assert_int_eq(told->count, before);
}

struct told stage_put(const char *key, const char *value)
{
    struct told told = { 0 };
    stage_begin_put(key, value, 60 * BR_SECOND, &told);
    NET_UNTIL(&stage.net, told.count);
    return told;
}

struct told stage_get(const char *key)
{
    struct told told = { 0 };
    stage_begin_get(key, 60 * BR_SECOND, &told);
    NET_UNTIL(&stage.net, told.count);
    return told;
}

struct told stage_remove(const char *key)
{
    struct told told = { 0 };
    struct table_key whole = stage_key(key);
    table_client_remove(stage.table, &whole, 60 * BR_SECOND, told_done, &told);
    NET_UNTIL(&stage.net, told.count);
    return told;
}
