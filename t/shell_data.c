/* shell_data -- see shell_data.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/message_data.h"
#include "host/rdsn/table_client.h"
#include "t/shell_data.h"

#define ROWS_MAX   16
#define PARTITIONS 4

/* -- The replica server ------------------------------------------------------------------------
 * In each process one: rows in the order of their stored keys, all in partition 2, as all hash keys
 * of the tests are ("user3" is, by its hash; the others are asked of by scans alone). */

struct row {
    struct buf key, value;
};

static struct shop {
    struct row rows[ROWS_MAX];
    uint32_t count;
    int64_t decree;
} shop;

static void row_put(br_bytes key, br_bytes value)
{
    uint32_t at = 0;
    for (; at < shop.count; at++) {
        size_t size = shop.rows[at].key.size;
        int order = memcmp(shop.rows[at].key.data, key.data, size < key.size ? size : key.size);
        if (order == 0 && size == key.size) {
            buf_clear(&shop.rows[at].value);
            buf_put(&shop.rows[at].value, value.data, value.size);
            return;
        }
        if (order > 0 || (order == 0 && size > key.size))
            break;
    }
    memmove(&shop.rows[at + 1], &shop.rows[at], (shop.count++ - at) * sizeof *shop.rows);
    shop.rows[at] = (struct row){ .key = { 0 } };
    buf_put(&shop.rows[at].key, key.data, key.size);
    buf_put(&shop.rows[at].value, value.data, value.size);
}

static const struct row *row_find(br_bytes key)
{
    for (uint32_t i = 0; i < shop.count; i++) {
        if (shop.rows[i].key.size == key.size
            && memcmp(shop.rows[i].key.data, key.data, key.size) == 0)
            return &shop.rows[i];
    }
    return NULL;
}

static br_bytes whole_key(struct arena *arena, br_bytes hash, br_bytes sort)
{
    struct buf whole = { 0 };
    table_key_put(&whole, &(struct table_key){ .hash = hash, .sort = sort });
    br_bytes key = { arena_text(arena, whole.data, whole.size), whole.size };
    buf_done(&whole);
    return key;
}

/* Where all responses have what they all have. */
#define COMMON(response)                                                                           \
    ((response).app_id = incoming->header.app_id,                                                  \
     (response).partition_index = incoming->header.partition)

static void say_updated(struct rdsn_incoming *incoming)
{
    struct msg_rrdb_update_response response;
    wire_init(&wire_rrdb_update_response, &response);
    COMMON(response);
    response.decree = 1;
    fake_reply(incoming, &wire_rrdb_update_response, &response);
}

static void on_put(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_update_request request;
    wire_decode(&wire_rrdb_update_request, incoming->body, wire_arena(arena), &request, NULL);
    row_put(request.key, request.value);
    say_updated(incoming);
}

static void on_multi_put(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_multi_put_request request;
    wire_decode(&wire_rrdb_multi_put_request, incoming->body, wire_arena(arena), &request, NULL);
    const struct msg_rrdb_key_value *kvs = request.kvs.items;
    for (uint32_t i = 0; i < request.kvs.count; i++)
        row_put(whole_key(arena, request.hash_key, kvs[i].key), kvs[i].value);
    say_updated(incoming);
}

static void on_get(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_read_response response;
    br_bytes key;
    wire_decode_value(WIRE_BLOB, incoming->body, wire_arena(arena), &key, NULL);
    const struct row *row = row_find(key);
    wire_init(&wire_rrdb_read_response, &response);
    COMMON(response);
    response.error = row ? 0 : STORAGE_NOT_FOUND;
    if (row)
        response.value = buf_bytes(&row->value);
    fake_reply(incoming, &wire_rrdb_read_response, &response);
}

/* A value is as long as it lives; of one byte it does not expire. */
static void on_ttl(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_ttl_response response;
    br_bytes key;
    wire_decode_value(WIRE_BLOB, incoming->body, wire_arena(arena), &key, NULL);
    const struct row *row = row_find(key);
    wire_init(&wire_rrdb_ttl_response, &response);
    COMMON(response);
    response.error = row ? 0 : STORAGE_NOT_FOUND;
    response.ttl_seconds = !row || row->value.size == 1 ? -1 : (int32_t) row->value.size;
    fake_reply(incoming, &wire_rrdb_ttl_response, &response);
}

static bool of_hash(const struct row *row, br_bytes hash)
{
    struct table_key key;
    return table_key_parse(buf_bytes(&row->key), &key) && key.hash.size == hash.size
           && memcmp(key.hash.data, hash.data, hash.size) == 0;
}

static void on_count(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_count_response response;
    br_bytes hash;
    wire_decode_value(WIRE_BLOB, incoming->body, wire_arena(arena), &hash, NULL);
    wire_init(&wire_rrdb_count_response, &response);
    COMMON(response);
    for (uint32_t i = 0; i < shop.count; i++)
        response.count += of_hash(&shop.rows[i], hash);
    if (response.count == 0)
        response.count = -1; /* so that a test has it */
    fake_reply(incoming, &wire_rrdb_count_response, &response);
}

static void say_number(struct rdsn_incoming *incoming, int32_t error, int64_t number)
{
    struct msg_rrdb_number_response response;
    wire_init(&wire_rrdb_number_response, &response);
    COMMON(response);
    response.decree = 1;
    response.error = error;
    response.number = number;
    fake_reply(incoming, &wire_rrdb_number_response, &response);
}

static void on_incr(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_incr_request request;
    wire_decode(&wire_rrdb_incr_request, incoming->body, wire_arena(arena), &request, NULL);
    const struct row *row = row_find(request.key);
    int64_t value = 0;
    bool number = !row || number_i64(row->value.data, row->value.size, &value);
    say_number(incoming, number ? 0 : 4, value + request.increment);
}

static void on_multi_remove(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_multi_remove_request request;
    wire_decode(&wire_rrdb_multi_remove_request, incoming->body, wire_arena(arena), &request, NULL);
    say_number(incoming, 0, request.sort_keys.count);
}

/* All rows of the hash key whatever is asked for; two at most, then there is more. */
static void on_multi_get(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_multi_get_request request;
    struct msg_rrdb_multi_get_response response;
    struct msg_rrdb_key_value kvs[ROWS_MAX];
    uint32_t count = 0;
    wire_decode(&wire_rrdb_multi_get_request, incoming->body, wire_arena(arena), &request, NULL);
    wire_init(&wire_rrdb_multi_get_response, &response);
    COMMON(response);
    for (uint32_t i = shop.count; i-- > 0;) {
        struct table_key key;
        if (!of_hash(&shop.rows[i], request.hash_key))
            continue;
        if (count == (uint32_t) request.max_kv_count)
            response.error = STORAGE_INCOMPLETE;
        else if (table_key_parse(buf_bytes(&shop.rows[i].key), &key)) {
            wire_init(&wire_rrdb_key_value, &kvs[count]);
            kvs[count].key = key.sort;
            if (!request.no_value)
                kvs[count].value = buf_bytes(&shop.rows[i].value);
            count++;
        }
    }
    response.kvs = (struct wire_list){ .items = kvs, .count = count };
    fake_reply(incoming, &wire_rrdb_multi_get_response, &response);
}

/* The check passes where the checked row exists. */
static void on_check(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_check_and_set_request request;
    struct msg_rrdb_check_response response;
    wire_decode(&wire_rrdb_check_and_set_request, incoming->body, wire_arena(arena), &request,
                NULL);
    const struct row *row = row_find(whole_key(arena, request.hash_key, request.check_sort_key));
    wire_init(&wire_rrdb_check_response, &response);
    COMMON(response);
    response.decree = 1;
    response.error = row ? 0 : STORAGE_TRY_AGAIN;
    response.check_value_returned = request.return_check_value;
    response.check_value_exist = row != NULL;
    if (row)
        response.check_value = buf_bytes(&row->value);
    fake_reply(incoming, &wire_rrdb_check_response, &response);
}

/* Contexts are the number of the next row; the range is looked at by its start alone. */
static void say_rows(struct rdsn_incoming *incoming, uint32_t from, uint32_t batch, bool count_only)
{
    struct msg_rrdb_scan_response response;
    struct msg_rrdb_key_value kvs[ROWS_MAX];
    uint32_t count = 0;
    wire_init(&wire_rrdb_scan_response, &response);
    COMMON(response);
    for (; from < shop.count && count < batch && incoming->header.partition == 2; from++) {
        wire_init(&wire_rrdb_key_value, &kvs[count]);
        kvs[count].key = buf_bytes(&shop.rows[from].key);
        kvs[count++].value = buf_bytes(&shop.rows[from].value);
    }
    response.kvs = (struct wire_list){ .items = kvs, .count = count_only ? 0 : count };
    response.context_id = count == batch && from < shop.count ? (int64_t) from : -1;
    if (count_only) {
        response.kv_count = (int32_t) count;
        WIRE_SET(&response, 7);
    }
    fake_reply(incoming, &wire_rrdb_scan_response, &response);
}

static void on_scanner(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_get_scanner_request request;
    wire_decode(&wire_rrdb_get_scanner_request, incoming->body, wire_arena(arena), &request, NULL);
    uint32_t from = 0;
    size_t size = request.start_key.size;
    while (from < shop.count
           && (shop.rows[from].key.size < size
               || memcmp(shop.rows[from].key.data, request.start_key.data, size) < 0))
        from++;
    say_rows(incoming, from, request.no_value ? ROWS_MAX : 3, request.only_return_count);
}

static void on_scan(struct rdsn_incoming *incoming, struct arena *arena)
{
    struct msg_rrdb_scan_request request;
    wire_decode(&wire_rrdb_scan_request, incoming->body, wire_arena(arena), &request, NULL);
    say_rows(incoming, (uint32_t) request.context_id, 3, false);
}

static void on_command(struct rdsn_incoming *incoming, struct arena *arena, bool counters)
{
    struct msg_command command;
    wire_decode(&wire_command, incoming->body, wire_arena(arena), &command, NULL);
    const char *const *arguments = command.arguments.items;
    const char *text =
        counters && strcmp(command.cmd, "perf-counters") == 0
                && strcmp(arguments[0], ".*@7\\..*") == 0
            ? "{\"result\":\"OK\",\"counters\":["
              "{\"name\":\"replica*app.pegasus*rdb.estimate_num_keys@7.0\",\"value\":12.5},"
              "{\"name\":\"replica*app.pegasus*rdb.estimate_num_keys@7.9\",\"value\":1},"
              "{\"name\":\"replica*app.pegasus*rdb.estimate_num_keys@8.1\",\"value\":1},"
              "{\"name\":\"replica*app.pegasus*get_qps@7.1\",\"value\":1},"
              "{\"name\":\"replica*app.pegasus*rdb.estimate_num_keys@7.3\",\"value\":3}]}"
            : "unknown command 'perf-counters'";
    struct buf body = { 0 };
    wire_encode_value(WIRE_STRING, &text, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static const struct {
    const char *rpc;
    void (*take)(struct rdsn_incoming *incoming, struct arena *arena);
} handlers[] = {
    { "PUT", on_put },
    { "REMOVE", NULL },
    { "GET", on_get },
    { "TTL", on_ttl },
    { "INCR", on_incr },
    { "SORTKEY_COUNT", on_count },
    { "MULTI_PUT", on_multi_put },
    { "MULTI_GET", on_multi_get },
    { "MULTI_REMOVE", on_multi_remove },
    { "CHECK_AND_SET", on_check },
    { "GET_SCANNER", on_scanner },
    { "SCAN", on_scan },
};

struct replica {
    const char *error; /* in every header */
};

static void replica_request(struct rdsn_incoming *incoming, const void *arg)
{
    const struct replica *replica = arg;
    const char *name = incoming->header.rpc_name;
    struct arena arena;
    arena_init(&arena, 0);
    if (strcmp(name, "RPC_CLI_CLI_CALL") == 0 && (!replica->error || !*replica->error)) {
        on_command(incoming, &arena, replica->error == NULL);
    } else if (replica->error && !*replica->error) {
        rdsn_server_drop(incoming);
    } else if (replica->error) {
        rdsn_server_reply(incoming, replica->error, (br_bytes){ NULL, 0 });
    } else if (strcmp(name, "RPC_RRDB_RRDB_REMOVE") == 0) {
        say_updated(incoming);
    } else {
        size_t i = 0;
        while (i < sizeof handlers / sizeof *handlers
               && strcmp(name + strlen("RPC_RRDB_RRDB_"), handlers[i].rpc) != 0)
            i++;
        if (i < sizeof handlers / sizeof *handlers)
            handlers[i].take(incoming, &arena);
        else
            rdsn_server_drop(incoming); /* CLEAR_SCANNER */
    }
    arena_done(&arena);
}

/* -- The meta server --------------------------------------------------------------------------- */

static void meta_request(struct rdsn_incoming *incoming, const void *arg)
{
    const uint64_t *primary = arg;
    struct msg_query_cfg_request request;
    struct msg_query_cfg_response response;
    struct msg_partition_configuration rows[PARTITIONS];
    uint64_t secondaries[] = { address_make(0x7f000002, 34801), address_make(0x7f000003, 34801) };
    struct arena arena;
    arena_init(&arena, 0);
    wire_decode(&wire_query_cfg_request, incoming->body, wire_arena(&arena), &request, NULL);
    if (strcmp(request.app_name, "temp") != 0) {
        fake_error(incoming, "ERR_OBJECT_NOT_FOUND");
        arena_done(&arena);
        return;
    }
    wire_init(&wire_query_cfg_response, &response);
    response.app_id = 7;
    response.partition_count = PARTITIONS;
    for (int32_t i = 0; i < PARTITIONS; i++) {
        wire_init(&wire_partition_configuration, &rows[i]);
        rows[i].pid = (struct gpid){ 7, i };
        rows[i].primary = *primary;
        rows[i].secondaries = (struct wire_list){ .items = secondaries, .count = 2 };
    }
    response.partitions = (struct wire_list){ .items = rows, .count = PARTITIONS };
    fake_reply(incoming, &wire_query_cfg_response, &response);
    arena_done(&arena);
}

/* -- Both ------------------------------------------------------------------------------------- */

static struct fake replica_fake, meta_fake;

void shop_start(const char *error)
{
    struct replica replica = { .error = error };
    static const char *const rows[][2] = {
        { "name", "Ann" }, { "age", "3" }, { "bin\x01", "\xff\"\\" }, { "zip", "" }
    };
    for (int i = 0; i < 4; i++) {
        struct buf whole = { 0 };
        table_key_put(&whole, &(struct table_key){ .hash = { "user3", 5 },
                                                   .sort = { rows[i][0], strlen(rows[i][0]) } });
        row_put(buf_bytes(&whole), (br_bytes){ rows[i][1], strlen(rows[i][1]) });
        buf_done(&whole);
    }
    fake_start(&replica_fake, replica_request, &replica);
    fake_start(&meta_fake, meta_request, &replica_fake.address);
}

void shop_stop(void)
{
    fake_stop(&meta_fake);
    fake_stop(&replica_fake);
    for (uint32_t i = 0; i < shop.count; i++) {
        buf_done(&shop.rows[i].key);
        buf_done(&shop.rows[i].value);
    }
    shop.count = 0;
}

/* With NODE for the replica server's name. */
static void check_text(const char *line, const char *text, const char *want)
{
    struct buf got = { 0 };
    for (const char *at = text; *at;) {
        size_t size = strlen(replica_fake.node);
        bool node = strncmp(at, replica_fake.node, size) == 0;
        bool meta = strncmp(at, meta_fake.node, strlen(meta_fake.node)) == 0;
        buf_put(&got, node ? "NODE" : meta ? "META" : at, node || meta ? 4 : 1);
        at += node ? size : meta ? strlen(meta_fake.node) : 1;
    }
    ck_assert_msg(strcmp(buf_string(&got), want) == 0, "%s\n-- got:\n%s-- want:\n%s", line,
                  buf_string(&got), want);
    buf_done(&got);
}

struct ran shop_ran(const char *lines)
{
    return run_lines(meta_fake.node, WIRE_PEER_25, lines, NULL);
}

void shop_run(const char *lines, int status, const char *out, const char *err)
{
    struct ran ran = shop_ran(lines);
    check_text(lines, ran.out, out);
    check_text(lines, ran.err, err);
    ck_assert_int_eq(ran.status, status);
    ran_free(&ran);
}
