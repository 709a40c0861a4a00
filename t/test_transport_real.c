/* The transport plugin: what it asks, and what real servers answered. */
#include "t/transport.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Requests --------------------------------------------------------------------------------- */

/* A vector's body. */
static void transport_vector(const char *name, struct buf *ret_body)
{
    struct buf bytes = { 0 };
    test_vector(name, &bytes);
    buf_put(ret_body, bytes.data + RDSN_HEADER_SIZE, bytes.size - RDSN_HEADER_SIZE);
    buf_done(&bytes);
}

START_TEST(transport_request_bytes)
{
    struct core_told told = { 0 };
    struct buf want = { 0 };
    transport_vector("rdsn_query_app_info_req", &want);
    transport_vector("rdsn_query_app_info_resp", &node.tables);
    transport_start("{meta_server: '10.0.0.1:34601'}");
    transport_tables(&plugin, node.name, 0, 7 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_msg(told.status == BR_OK, "%s", told.message);
    ck_assert_uint_eq(node.asked[0].size, want.size);
    ck_assert_mem_eq(node.asked[0].data, want.data, want.size);
    ck_assert_uint_eq(node.header.from_address, address_make(0x0a000001, 34601));
    ck_assert_int_eq(node.header.app_id, 0);
    ck_assert_int_le(node.header.timeout_ms, 7000);
    ck_assert_int_gt(node.header.timeout_ms, 5000);
    const struct br_table *table = told.chunks->rows; /* as in the real server's answer */
    ck_assert_str_eq(table->name, "temp");
    ck_assert_int_eq(table->id, 2);
    ck_assert_str_eq(table->envs[0], "k");
    ck_assert_int_eq(table->create_second, 0x6553f100);
    transport_told_done(&told);
    buf_done(&want);
    transport_stop();
}
END_TEST

/* Hosts are named from 2.6 on; the node's own address where it is a dotted quad. */
START_TEST(transport_request_versions)
{
    struct core_told told = { 0 };
    struct msg_query_replica_info_request replicas;
    struct msg_query_app_info_request tables;
    struct arena arena;
    struct fail fail;
    char local[64];
    bool hosts = _i == 1;
    node_put_tables(NULL, 0);
    node_put_replicas(0, NULL);
    transport_start(hosts ? "{pegasus_version: 2.6, meta_server: '10.0.0.1:34601'}"
                          : "{pegasus_version: 2.5}");
    transport_tables(&plugin, node.name, 0, 0, core_done, &told);
    core_wait(&told, 1);
    transport_replicas(&plugin, node.name, 0, 0, core_done, &told);
    core_wait(&told, 2);
    ck_assert_msg(told.status == BR_OK, "%s", told.message);
    arena_init(&arena, 0);
    ck_assert_int_eq(wire_decode(&wire_query_app_info_request, buf_bytes(&node.asked[0]),
                                 wire_arena(&arena), &tables, &fail),
                     BR_OK);
    ck_assert_int_eq(wire_decode(&wire_query_replica_info_request, buf_bytes(&node.asked[1]),
                                 wire_arena(&arena), &replicas, &fail),
                     BR_OK);
    ck_assert_uint_eq(tables.meta_server, hosts ? address_make(0x0a000001, 34601) : 0);
    ck_assert_int_eq(WIRE_HAS(&tables, 2), hosts);
    ck_assert_uint_eq(replicas.node1, rdsn_server_address(node.server));
    ck_assert_int_eq(WIRE_HAS(&replicas, 2), hosts);
    if (hosts) {
        ck_assert_str_eq(tables.hp_meta_server.host, "10.0.0.1");
        ck_assert_str_eq(replicas.hp_node1.host, "127.0.0.1");
    }
    snprintf(local, sizeof local, "localhost%s", strchr(node.name, ':'));
    transport_stop();
    transport_start("{pegasus_version: 2.6, idle: 1s}");
    do { /* the first connection gives its place up as soon as the server saw its end */
        told.count = 0;
        transport_replicas(&plugin, local, 0, 0, core_done, &told);
        core_wait(&told, 1);
    } while (told.status == BR_UNAVAILABLE);
    ck_assert_msg(told.status == BR_OK, "%s", told.message);
    ck_assert_int_eq(wire_decode(&wire_query_replica_info_request, buf_bytes(&node.asked[1]),
                                 wire_arena(&arena), &replicas, &fail),
                     BR_OK);
    ck_assert_uint_eq(replicas.node1, 0);
    ck_assert_str_eq(replicas.hp_node1.host, "localhost");
    arena_done(&arena);
    transport_stop();
}
END_TEST

/* -- Captured answers ------------------------------------------------------------------------- */

/* Every answer that was captured from real servers, with as many rows as it has. */
START_TEST(transport_captured)
{
    static const char *const rpcs[] = { "RPC_QUERY_APP_INFO", "RPC_QUERY_REPLICA_INFO" };
    char path[128];
    glob_t found;
    struct arena arena;
    struct fail fail;
    snprintf(path, sizeof path, "golden/rpc/%s", rpcs[_i]);
    const char *directory = test_reference(path);
    if (!directory)
        return;
    struct buf pattern = { 0 };
    buf_printf(&pattern, "%s/resp_*.bin", directory);
    ck_assert_int_eq(glob(pattern.data, 0, NULL, &found), 0);
    transport_start("{}");
    arena_init(&arena, 0);
    struct buf *body = _i == 0 ? &node.tables : &node.replicas;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct buf message = { 0 };
        struct core_told told = { 0 };
        union {
            struct msg_query_app_info_response tables;
            struct msg_query_replica_info_response replicas;
        } want;
        ck_assert(test_read(found.gl_pathv[i], &message));
        buf_clear(body);
        buf_put(body, message.data + RDSN_HEADER_SIZE, message.size - RDSN_HEADER_SIZE);
        ck_assert_int_eq(
            wire_decode(_i == 0 ? &wire_query_app_info_response : &wire_query_replica_info_response,
                        buf_bytes(body), wire_arena(&arena), &want, &fail),
            BR_OK);
        uint32_t count = _i == 0 ? want.tables.apps.count : want.replicas.replicas.count;
        (_i == 0 ? transport_tables : transport_replicas)(&plugin, node.name, 0, 10 * BR_SECOND,
                                                          core_done, &told);
        core_wait(&told, 1);
        ck_assert_msg(told.status == BR_OK, "%s: %s", found.gl_pathv[i], told.message);
        ck_assert_uint_eq(told.chunks ? told.chunks->count : 0, count);
        transport_told_done(&told);
        buf_done(&message);
    }
    arena_done(&arena);
    globfree(&found);
    buf_done(&pattern);
    transport_stop();
}
END_TEST

TCase *transport_real_case(void)
{
    TCase *tcase = tcase_create("transport_rdsn_real");
    tcase_set_timeout(tcase, 110);
    tcase_add_checked_fixture(tcase, transport_setup, transport_teardown);
    tcase_add_test(tcase, transport_request_bytes);
    tcase_add_loop_test(tcase, transport_request_versions, 0, 2);
    tcase_add_loop_test(tcase, transport_captured, 0, 2);
    return tcase;
}
