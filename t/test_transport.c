/* The transport plugin: rows, failures, waiting, options. */
#include "t/transport.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- Rows ------------------------------------------------------------------------------------- */

START_TEST(transport_rows)
{
    struct core_told tables = { 0 }, replicas = { 0 };
    struct msg_app_info apps[] = { node_table(2, "temp"), node_table(5, "other") };
    apps[1].status = BR_TABLE_DROPPED;
    apps[1].duplicating = true;
    apps[1].envs.count = 0;
    node_put_tables(apps, 2);
    node_put_replicas(1000, NULL);
    transport_start("{}");
    transport_tables(&plugin, node.name, 17, 10 * BR_SECOND, core_done, &tables);
    transport_replicas(&plugin, node.name, 17, 10 * BR_SECOND, core_done, &replicas);
    core_wait(&tables, 1);
    core_wait(&replicas, 1);
    ck_assert_msg(tables.status == BR_OK, "%s", tables.message);
    ck_assert_msg(replicas.status == BR_OK, "%s", replicas.message);

    ck_assert_int_eq(tables.chunks->kind, BR_ROW_TABLE);
    ck_assert_uint_eq(tables.chunks->count, 2);
    const struct br_table *table = tables.chunks->rows;
    ck_assert_int_eq(table->node, 17);
    ck_assert_int_eq(table->id, 2);
    ck_assert_int_eq(table->status, BR_TABLE_AVAILABLE);
    ck_assert_int_eq(table->partition_count, 8);
    ck_assert_int_eq(table->replica_count, 3);
    ck_assert_int_eq(table->init_partition_count, 4);
    ck_assert_uint_eq(table->flags, BR_TABLE_STATEFUL | BR_TABLE_BULK_LOADING);
    ck_assert_uint_eq(table->env_count, 2);
    ck_assert_str_eq(table->envs[0], "default_ttl");
    ck_assert_str_eq(table->envs[3], "v");
    ck_assert_int_eq(table->expire_second, 7);
    ck_assert_int_eq(table->create_second, 1700000000);
    ck_assert_int_eq(table->drop_second, 9);
    ck_assert_str_eq(table->name, "temp");
    ck_assert_str_eq(table->type, "pegasus");
    ck_assert_int_eq(table[1].status, BR_TABLE_DROPPED);
    ck_assert_uint_eq(table[1].env_count, 0);
    ck_assert_uint_ne(table[1].flags & BR_TABLE_DUPLICATING, 0);

    ck_assert_int_eq(replicas.chunks->kind, BR_ROW_REPLICA);
    ck_assert_uint_eq(replicas.chunks->count, 1000);
    const struct br_replica *row = replicas.chunks->rows;
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(row[i].node, 17);
        ck_assert_int_eq(row[i].table, 1 + i / 256);
        ck_assert_int_eq(row[i].partition, i % 256);
        ck_assert_int_eq(row[i].role, BR_ROLE_PRIMARY + i % 3);
        ck_assert_int_eq(row[i].ballot, 3 + i);
        ck_assert_int_eq(row[i].committed, INT64_C(10000000000) + i);
        ck_assert_int_eq(row[i].prepared, INT64_C(20000000000) + i);
        ck_assert_int_eq(row[i].durable, INT64_C(30000000000) + i);
        ck_assert_str_eq(row[i].type, "pegasus");
        ck_assert_ptr_eq(row[i].type, row[0].type); /* once in memory */
        ck_assert_str_eq(row[i].disk, i % 2 ? "disk_a" : "disk_b");
    }
    transport_told_done(&tables);
    transport_told_done(&replicas);
    transport_stop();
}
END_TEST

START_TEST(transport_nothing_held)
{
    struct core_told told = { 0 };
    node_put_tables(NULL, 0);
    node_put_replicas(0, NULL);
    transport_start("{}");
    transport_tables(&plugin, node.name, 0, 0, core_done, &told);
    core_wait(&told, 1);
    transport_replicas(&plugin, node.name, 0, 0, core_done, &told);
    core_wait(&told, 2);
    ck_assert_int_eq(told.status, BR_OK);
    ck_assert(!told.chunks || told.chunks->count == 0);
    transport_stop();
}
END_TEST

/* -- Failures --------------------------------------------------------------------------------- */

static void break_error(void)
{
    struct msg_query_replica_info_response answer;
    wire_init(&wire_query_replica_info_response, &answer);
    answer.err = "ERR_BUSY";
    buf_clear(&node.replicas);
    wire_encode(&wire_query_replica_info_response, &answer, WIRE_PEER_25, &node.replicas);
}

static void break_header(void)
{
    node.error = "ERR_HANDLER_NOT_FOUND";
    buf_clear(&node.replicas);
}

static void break_cut(void)
{
    node.replicas.size -= 9;
}

static void break_longer(void)
{
    buf_char(&node.replicas, '\0');
}

static void break_empty(void)
{
    buf_clear(&node.replicas);
}

static void break_no_list(void)
{
    buf_clear(&node.replicas);
    buf_put(&node.replicas, "\14\0\0\14\0\1\0\0\0\6ERR_OK\0\0", 18);
}

static void break_no_error(void)
{
    buf_clear(&node.replicas);
    buf_put(&node.replicas, "\14\0\0\17\0\2\14\0\0\0\0\0\0", 13);
}

/* Rows with nothing but a gpid and a status, and ballot and decrees, but no text. */
static void break_numbers(void)
{
    static const char row[] = "\14\0\0\14\0\1\0\0\0\6ERR_OK\17\0\2\14\0\0\0\1"
                              "\14\0\1\0\0\0\0\0\0\0\1\10\0\3\0\0\0\1\0\0";
    buf_clear(&node.replicas);
    buf_put(&node.replicas, row, sizeof row);
}

static void break_strings(void)
{
    node_put_replicas(1, NULL);
    char *at = memmem(node.replicas.data, node.replicas.size, "pegasus", 7);
    ck_assert_ptr_nonnull(at);
    at[-1] = 0; /* an empty text, and what stood there is gone */
    memmove(at, at + 7, node.replicas.size - (size_t) (at + 7 - node.replicas.data));
    node.replicas.size -= 7;
}

static void break_too_big(void)
{
    node_put_replicas(100, NULL);
}

static const struct msg_replica_info row_no_table = { .pid = { 0, 1 }, .status = 1 };
static const struct msg_replica_info row_no_partition = { .pid = { 1, -1 }, .status = 1 };
static const struct msg_replica_info row_no_status = { .pid = { 1, 1 }, .status = 7 };

static const struct {
    void (*make)(void);
    const struct msg_replica_info *row;
    br_status status;
    const char *code, *message;
} failures[] = {
    { break_error, NULL, BR_REFUSED, "ERR_BUSY", "answered ERR_BUSY" },
    { break_header, NULL, BR_REFUSED, "ERR_HANDLER_NOT_FOUND", "RPC_QUERY_REPLICA_INFO" },
    { break_cut, NULL, BR_CORRUPT, "", "byte" },
    { break_longer, NULL, BR_CORRUPT, "", "behind the end" },
    { break_empty, NULL, BR_CORRUPT, "", "0 bytes" },
    { break_no_list, NULL, BR_CORRUPT, "", "lacks its list" },
    { break_no_error, NULL, BR_CORRUPT, "", "lacks its err" },
    { break_numbers, NULL, BR_CORRUPT, "", "lacks its ballot or a decree" },
    { break_strings, NULL, BR_CORRUPT, "", "lacks its app_type" },
    { break_too_big, NULL, BR_TOOBIG, "ERR_INVALID_DATA", "at most 4096" },
    { NULL, &row_no_table, BR_CORRUPT, "", "replica 3 of 8, 0.1 of status 1, is no partition" },
    { NULL, &row_no_partition, BR_CORRUPT, "", "1.-1 of status 1, is no partition" },
    { NULL, &row_no_status, BR_CORRUPT, "", "status 7, has a status that does not exist" },
};

START_TEST(transport_failures)
{
    struct core_told told = { 0 };
    node_put_replicas(8, failures[_i].row);
    if (failures[_i].make)
        failures[_i].make();
    transport_start("{reply_max: 4096B}");
    transport_replicas(&plugin, node.name, 0, 10 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, failures[_i].status);
    ck_assert_str_eq(told.code, failures[_i].code);
    ck_assert_msg(strstr(told.message, failures[_i].message) != NULL, "%s", told.message);
    ck_assert_msg(strstr(told.message, node.name) != NULL, "%s", told.message);
    ck_assert_ptr_null(told.chunks);
    transport_stop();
}
END_TEST

START_TEST(transport_bad_tables)
{
    static const char *const says[] = { "is no table", "a status that does not exist",
                                        "a negative count", "a negative count" };
    struct core_told told = { 0 };
    struct msg_app_info apps[] = { node_table(1, "good"), node_table(2, "bad") };
    if (_i == 0)
        apps[1].app_id = 0;
    else if (_i == 1)
        apps[1].status = 8;
    else if (_i == 2)
        apps[1].partition_count = -1;
    else
        apps[1].max_replica_count = -3;
    node_put_tables(apps, 2);
    transport_start("{}");
    transport_tables(&plugin, node.name, 0, 10 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_CORRUPT);
    ck_assert_msg(strstr(told.message, says[_i]) != NULL, "%s", told.message);
    ck_assert_ptr_nonnull(strstr(told.message, "table 1 of 2"));
    transport_stop();
}
END_TEST

START_TEST(transport_dead_port)
{
    struct core_told told = { 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof in;
    char name[64];
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    close(fd);
    snprintf(name, sizeof name, "127.0.0.1:%u", (unsigned) ntohs(in.sin_port));
    transport_start("{}");
    transport_tables(&plugin, name, 0, 60 * BR_SECOND, core_done, &told);
    transport_replicas(&plugin, name, 0, 60 * BR_SECOND, core_done, &told);
    core_wait(&told, 2);
    ck_assert_int_eq(told.status, BR_UNAVAILABLE);
    ck_assert_str_eq(told.code, "ERR_NETWORK_FAILURE");
    ck_assert_msg(strstr(told.message, "refused") != NULL, "%s", told.message);
    transport_stop();
}
END_TEST

/* -- Waiting ---------------------------------------------------------------------------------- */

START_TEST(transport_hung_then_stop)
{
    struct core_told hung = { 0 }, left = { 0 }, canceled = { 0 };
    node.hangs = true;
    transport_start("{}");
    transport_tables(&plugin, node.name, 0, 50 * BR_MILLISECOND, core_done, &hung);
    core_wait(&hung, 1);
    ck_assert_int_eq(hung.status, BR_TIMEOUT);
    struct br_call *call =
        transport_tables(&plugin, node.name, 0, PLUGIN_FOREVER, core_done, &canceled);
    while (node.requests < 2)
        loop_turn(core_loop);
    transport_cancel(&plugin, call);
    core_wait(&canceled, 1);
    ck_assert_int_eq(canceled.status, BR_CANCELED);

    transport_replicas(&plugin, node.name, 0, PLUGIN_FOREVER, core_done, &left);
    transport_replicas(&plugin, node.name, 0, PLUGIN_FOREVER, core_done, &left);
    while (node.requests < 4)
        loop_turn(core_loop);
    struct core_told stopped = { 0 };
    plugin_stop(&plugin, 10 * BR_SECOND, core_done, &stopped);
    core_wait(&stopped, 1);
    ck_assert_int_eq(stopped.status, BR_OK);
    ck_assert_int_eq(left.count, 2); /* both before */
    ck_assert_int_eq(left.status, BR_CANCELED);
    ck_assert_uint_eq(plugin.owner.outstanding, 0);
    plugin_close(&plugin);
}
END_TEST

START_TEST(transport_options)
{
    static const struct {
        const char *yaml, *says;
    } table[] = {
        { "{meta_server: 'meta1:34601'}", "not an IPv4 address and a port" },
        { "{meta_server: '10.0.0.1'}", "not an IPv4 address and a port" },
        { "{pegasus_version: 2.4}", "pegasus_version" },
        { "{connections_max: 0}", "connections_max" },
        { "{reply_max: 257MiB}", "reply_max" },
        { "{idle: 60}", "idle" },
    };
    struct fail fail = { 0 };
    ck_assert_int_ne(transport_open(table[_i].yaml, &fail), BR_OK);
    ck_assert_msg(strstr(fail.text, table[_i].says) != NULL, "%s", fail.text);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("transport_rdsn");
    tcase_set_timeout(tcase, 110);
    tcase_add_checked_fixture(tcase, transport_setup, transport_teardown);
    tcase_add_test(tcase, transport_rows);
    tcase_add_test(tcase, transport_nothing_held);
    tcase_add_loop_test(tcase, transport_failures, 0, (int) (sizeof failures / sizeof *failures));
    tcase_add_loop_test(tcase, transport_bad_tables, 0, 4);
    tcase_add_test(tcase, transport_dead_port);
    tcase_add_test(tcase, transport_hung_then_stop);
    tcase_add_loop_test(tcase, transport_options, 0, 6);
    return test_run("transport", tcase, transport_real_case(), NULL);
}
