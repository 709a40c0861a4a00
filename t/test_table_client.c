/* test_table_client -- operations and their attempts; where primaries are is
 * test_table_client_config.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/crc.h"
#include "t/table_client.h"

START_TEST(test_round)
{
    stage_open(1, 0);
    struct told put = stage_put("user1", "Ann");
    ck_assert_int_eq(put.status, BR_OK);
    ck_assert_str_eq(put.error, "ERR_OK");
    ck_assert_int_eq(put.decree, 1);
    ck_assert_uint_eq(put.attempts, 1);
    ck_assert_int_eq(put.app_id, STAGE_APP);
    ck_assert_str_eq(put.server, stage.replicas[0].name);
    struct told get = stage_get("user1");
    ck_assert_int_eq(get.status, BR_OK);
    ck_assert_str_eq(get.value, "Ann");
    ck_assert_int_eq(get.decree, -1);
    struct told gone = stage_remove("user1");
    ck_assert_int_eq(gone.status, BR_OK);
    ck_assert_int_eq(gone.decree, 2);
    ck_assert_int_eq(stage_get("user1").status, BR_NOTFOUND);
    ck_assert_uint_eq(table_client_questions(stage.table), 1);
    ck_assert_int_eq(table_client_partitions(stage.table), 8);
}
END_TEST

/* Every key goes to its partition's primary, under its partition's numbers. */
START_TEST(test_routing)
{
    for (int i = 0; i < 8; i++)
        stage.primaries[i] = stage.replicas[i % STAGE_REPLICAS].address;
    stage_open(1, 0);
    for (int i = 0; i < 64; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        uint64_t hash = crc64(key, strlen(key), 0);
        int32_t partition = (int32_t) (hash % 8);
        struct fake_replica *replica = &stage.replicas[partition % STAGE_REPLICAS];
        struct told put = stage_put(key, "x");
        ck_assert_int_eq(put.status, BR_OK);
        ck_assert_str_eq(put.server, replica->name);
        ck_assert_int_eq(put.partition, partition);
        ck_assert_int_eq(replica->header.app_id, STAGE_APP);
        ck_assert_int_eq(replica->header.partition, partition);
        ck_assert_int_eq(replica->header.thread_hash, STAGE_APP * 7919 + partition);
        ck_assert_uint_eq(replica->header.partition_hash, hash);
        ck_assert_int_gt(replica->header.timeout_ms, 0);
    }
}
END_TEST

/* Known hashes; the sort key decides where there is no hash key. */
START_TEST(test_hash)
{
    struct table_key hash = { .hash = { "hash", 4 }, .sort = { "sort", 4 } };
    struct table_key sort = { .sort = { "hash", 4 } };
    struct table_key none = { .hash = { NULL, 0 } };
    ck_assert_uint_eq(table_key_hash(&hash), UINT64_C(0x5fec6e448a0b067c));
    ck_assert_uint_eq(table_key_hash(&sort), UINT64_C(0x5fec6e448a0b067c));
    ck_assert_uint_eq(table_key_hash(&none), 0);
}
END_TEST

static const struct {
    const char *error;
    bool again; /* it is tried again */
    int questions;
} refusals[] = {
    { "ERR_OBJECT_NOT_FOUND", true, 2 },
    { "ERR_INVALID_STATE", true, 2 },
    { "ERR_PARENT_PARTITION_MISUSED", true, 2 },
    { "ERR_INACTIVE_STATE", true, 2 },
    { "ERR_WHAT_NEWER_SERVERS_SAY", true, 2 },
    { "ERR_NOT_ENOUGH_MEMBER", true, 1 },
    { "ERR_CAPACITY_EXCEEDED", true, 1 },
    { "ERR_BUSY", false, 1 },
    { "ERR_HANDLER_NOT_FOUND", false, 1 },
    { "ERR_OPERATION_DISABLED", false, 1 },
    { "ERR_SPLITTING", false, 1 },
    { "ERR_DISK_INSUFFICIENT", false, 1 },
    { "ERR_ACL_DENY", false, 1 },
};

START_TEST(test_refusal)
{
    stage_open(1, 0);
    stage.replicas[0].error = refusals[_i].error;
    stage.replicas[0].error_count = 1;
    struct told put = stage_put("k", "v");
    if (refusals[_i].again) {
        ck_assert_int_eq(put.status, BR_OK);
        ck_assert_uint_eq(put.attempts, 2);
    } else {
        ck_assert_int_eq(put.status, BR_REFUSED);
        ck_assert_str_eq(put.error, refusals[_i].error);
        ck_assert_uint_eq(put.attempts, 1);
    }
    ck_assert_uint_eq(table_client_questions(stage.table), (uint64_t) refusals[_i].questions);
}
END_TEST

START_TEST(test_one_attempt)
{
    stage_open(1, 1);
    stage.replicas[0].error = "ERR_INVALID_STATE";
    struct told put = stage_put("k", "v");
    ck_assert_int_eq(put.status, BR_REFUSED);
    ck_assert_str_eq(put.error, "ERR_INVALID_STATE");
    ck_assert_uint_eq(put.attempts, 1);
    stage_stop_replica(&stage.replicas[0]);
    struct told get = stage_get("k");
    ck_assert_int_eq(get.status, BR_UNAVAILABLE);
    ck_assert_str_eq(get.error, "ERR_NETWORK_FAILURE");
    ck_assert_int_eq(stage_put("k", "v").status, BR_UNKNOWN);
}
END_TEST

/* A primary that moved, and says so or is dead. */
START_TEST(test_moved)
{
    stage_open(1, 0);
    ck_assert_int_eq(stage_put("k", "old").status, BR_OK);
    stage_place(8, &stage.replicas[1]);
    if (_i == 0)
        stage.replicas[0].error = "ERR_INVALID_STATE";
    else
        stage_stop_replica(&stage.replicas[0]);
    struct told put = stage_put("k", "new");
    ck_assert_int_eq(put.status, BR_OK);
    ck_assert_uint_eq(put.attempts, 2);
    ck_assert_str_eq(put.server, stage.replicas[1].name);
    ck_assert_str_eq(stage_get("k").value, "new");
    ck_assert_int_eq(stage.metas[0].indices, 1); /* only the one that moved */
}
END_TEST

/* The primary dies while the request is with it. */
START_TEST(test_lost)
{
    struct told put = { 0 };
    stage_open(1, 0);
    stage.replicas[0].mute = true;
    stage_begin_put("k", "v", 60 * BR_SECOND, &put);
    NET_UNTIL(&stage.net, stage.replicas[0].asked);
    stage_place(8, &stage.replicas[1]);
    stage_stop_replica(&stage.replicas[0]);
    NET_UNTIL(&stage.net, put.count);
    ck_assert_int_eq(put.status, BR_OK);
    ck_assert_uint_eq(put.attempts, 2);
}
END_TEST

/* Nobody answers: a write may have happened, a read has not. */
START_TEST(test_deadline)
{
    struct told put = { 0 }, get = { 0 };
    stage_open(1, 0);
    stage.replicas[0].mute = true;
    stage_begin_put("k", "v", 30 * BR_MILLISECOND, &put);
    stage_begin_get("k", 30 * BR_MILLISECOND, &get);
    NET_UNTIL(&stage.net, put.count && get.count);
    ck_assert_int_eq(put.status, BR_UNKNOWN);
    ck_assert_str_eq(put.error, "ERR_TIMEOUT");
    ck_assert_int_eq(get.status, BR_TIMEOUT);
    ck_assert_str_eq(get.error, "ERR_TIMEOUT");
    ck_assert_ptr_nonnull(strstr(get.why, stage.replicas[0].name));
}
END_TEST

/* Refused until there is no time left: it certainly did not happen. */
START_TEST(test_refused_to_the_end)
{
    struct told put = { 0 };
    stage_open(1, 0);
    stage.replicas[0].error = "ERR_INVALID_STATE";
    stage_begin_put("k", "v", 400 * BR_MILLISECOND, &put);
    NET_UNTIL(&stage.net, put.count);
    ck_assert_int_eq(put.status, BR_TIMEOUT);
    ck_assert_str_eq(put.error, "ERR_TIMEOUT");
    ck_assert_ptr_nonnull(strstr(put.why, "ERR_INVALID_STATE"));
}
END_TEST

START_TEST(test_senseless)
{
    stage_open(1, 0);
    stage.replicas[0].garbage = _i == 0;
    stage.replicas[0].foreign = _i == 1;
    struct told put = stage_put("k", "v"), get = stage_get("k");
    ck_assert_int_eq(put.status, BR_UNKNOWN);
    ck_assert_str_eq(put.error, "ERR_INVALID_DATA");
    ck_assert_int_eq(get.status, BR_CORRUPT);
    ck_assert_str_eq(get.error, "ERR_INVALID_DATA");
    ck_assert_uint_eq(get.attempts, 1);
    ck_assert_ptr_nonnull(strstr(get.why, "makes no sense"));
}
END_TEST

START_TEST(test_storage)
{
    stage_open(1, 0);
    stage.replicas[0].storage = 4;
    struct told put = stage_put("k", "v"), get = stage_get("k");
    ck_assert_int_eq(put.status, BR_REFUSED);
    ck_assert_str_eq(put.error, "ERR_OK");
    ck_assert_int_eq(put.storage, 4);
    ck_assert_int_eq(put.decree, -1);
    ck_assert_int_eq(get.status, BR_REFUSED);
    ck_assert_int_eq(get.storage, 4);
    stage.replicas[0].storage = 1; /* "not found" is no answer to a write */
    ck_assert_int_eq(stage_put("k", "v").status, BR_REFUSED);
}
END_TEST

/* Many failures of one primary are one question. */
START_TEST(test_one_question)
{
    enum { MANY = 500 };
    static struct told told[MANY];
    memset(told, 0, sizeof told);
    stage_open(1, 0);
    for (int i = 0; i < MANY; i++)
        stage_begin_put("k", "v", 60 * BR_SECOND, &told[i]);
    for (int i = 0; i < MANY; i++)
        NET_UNTIL(&stage.net, told[i].count);
    ck_assert_uint_eq(table_client_questions(stage.table), 1);
    stage_place(8, &stage.replicas[1]);
    stage.replicas[0].error = "ERR_INVALID_STATE";
    for (int i = 0; i < MANY; i++)
        stage_begin_put("k", "v", 60 * BR_SECOND, &told[i]);
    for (int i = 0; i < MANY; i++)
        NET_UNTIL(&stage.net, told[i].count == 2);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(told[i].status, BR_OK);
    ck_assert_uint_eq(table_client_questions(stage.table), 2);
    ck_assert_int_eq(stage.metas[0].indices, 1);
}
END_TEST

/* -- Limits ----------------------------------------------------------------------------------- */

START_TEST(test_operations_max)
{
    struct told *told = calloc(TABLE_CLIENT_OPERATIONS_MAX + 1, sizeof *told);
    stage_open(1, 0);
    stage.metas[0].hold = true;
    for (int i = 0; i <= TABLE_CLIENT_OPERATIONS_MAX; i++)
        stage_begin_get("k", 60 * BR_SECOND, &told[i]);
    NET_UNTIL(&stage.net, told[TABLE_CLIENT_OPERATIONS_MAX].count);
    ck_assert_int_eq(told[TABLE_CLIENT_OPERATIONS_MAX].status, BR_UNAVAILABLE);
    ck_assert_str_eq(told[TABLE_CLIENT_OPERATIONS_MAX].error, "ERR_BUSY");
    NET_UNTIL(&stage.net, stage.metas[0].held);
    stage_answer(&stage.metas[0]);
    for (int i = 0; i < TABLE_CLIENT_OPERATIONS_MAX; i++)
        NET_UNTIL(&stage.net, told[i].count);
    ck_assert_int_eq(told[TABLE_CLIENT_OPERATIONS_MAX - 1].status, BR_NOTFOUND);
    ck_assert_int_eq(stage_get("k").status, BR_NOTFOUND); /* there is room again */
    free(told);
}
END_TEST

START_TEST(test_hash_key_max)
{
    char *key = malloc(TABLE_CLIENT_HASH_KEY_MAX + 2);
    memset(key, 'k', TABLE_CLIENT_HASH_KEY_MAX + 1);
    key[TABLE_CLIENT_HASH_KEY_MAX + 1] = '\0';
    stage_open(1, 0);
    struct told put = stage_put(key, "v");
    ck_assert_int_eq(put.status, BR_INVALID);
    ck_assert_str_eq(put.error, "ERR_INVALID_PARAMETERS");
    ck_assert_uint_eq(put.attempts, 0);
    key[TABLE_CLIENT_HASH_KEY_MAX] = '\0';
    ck_assert_int_eq(stage_put(key, "v").status, BR_OK);
    free(key);
}
END_TEST

START_TEST(test_options)
{
    const char *good[TABLE_CLIENT_METAS_MAX + 1], *bad[] = { "10.0.0.1" };
    struct fail fail;
    for (int i = 0; i <= TABLE_CLIENT_METAS_MAX; i++)
        good[i] = "127.0.0.1:34601";
    const struct {
        struct table_client_options options;
        const char *says;
    } rows[] = {
        { { .table = "", .metas = good, .meta_count = 1 }, "no name" },
        { { .table = "t", .metas = good, .meta_count = 0 }, "0 meta servers" },
        { { .table = "t", .metas = good, .meta_count = TABLE_CLIENT_METAS_MAX + 1 }, "17 meta" },
        { { .table = "t", .metas = bad, .meta_count = 1 }, "\"10.0.0.1\" is not host:port" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_ptr_null(table_client_new(stage.net.base, &rows[i].options, &fail));
        ck_assert_msg(strstr(fail.text, rows[i].says) != NULL, "%s", fail.text);
    }
    struct table_client_options options = { .table = "t",
                                            .metas = good,
                                            .meta_count = TABLE_CLIENT_METAS_MAX };
    stage.table = table_client_new(stage.net.base, &options, &fail);
    ck_assert_ptr_nonnull(stage.table);
}
END_TEST

/* -- Life ------------------------------------------------------------------------------------- */

/* Freed from inside a callback, with others in every state. */
START_TEST(test_free_inside)
{
    struct told first = { .free_table = true }, others[5] = { 0 };
    stage_open(1, 0);
    if (_i == 0)
        stage.metas[0].refuse = "ERR_OBJECT_NOT_FOUND"; /* out of the walk over those that wait */
    if (_i == 1)
        stage.replicas[0].error = "ERR_BUSY"; /* out of an answer */
    if (_i == 2)
        stage.replicas[0].mute = true; /* out of a deadline */
    if (_i == 3)
        stage_place(8, NULL); /* out of a deadline while waiting */
    stage_begin_put("k", "v", _i < 2 ? 60 * BR_SECOND : 20 * BR_MILLISECOND, &first);
    for (int i = 0; i < 5; i++)
        stage_begin_get("k", 60 * BR_SECOND, &others[i]);
    NET_UNTIL(&stage.net, first.count);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(others[i].count, 0);
}
END_TEST

static void told_again(void *arg, const struct table_result *result)
{
    struct told *told = arg;
    struct table_key key = { .hash = { "k", 1 } };
    told_done(told, result);
    if (told->count < 3)
        table_client_get(stage.table, &key, 60 * BR_SECOND, told_again, told);
}

START_TEST(test_begin_inside)
{
    struct told told = { 0 };
    struct table_key key = { .hash = { "k", 1 } };
    stage_open(1, 0);
    stage.metas[0].refuse = "ERR_OBJECT_NOT_FOUND";
    table_client_get(stage.table, &key, 60 * BR_SECOND, told_again, &told);
    table_client_get(stage.table, &key, 60 * BR_SECOND, NULL, NULL);
    NET_UNTIL(&stage.net, told.count == 3);
    ck_assert_str_eq(told.error, "ERR_APP_NOT_EXIST");
}
END_TEST

static TCase *table_client_case(void)
{
    TCase *tcase = tcase_create("operations");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_test(tcase, test_round);
    tcase_add_test(tcase, test_routing);
    tcase_add_test(tcase, test_hash);
    tcase_add_loop_test(tcase, test_refusal, 0, (int) (sizeof refusals / sizeof *refusals));
    tcase_add_test(tcase, test_one_attempt);
    tcase_add_loop_test(tcase, test_moved, 0, 2);
    tcase_add_test(tcase, test_lost);
    tcase_add_test(tcase, test_deadline);
    tcase_add_test(tcase, test_refused_to_the_end);
    tcase_add_loop_test(tcase, test_senseless, 0, 2);
    tcase_add_test(tcase, test_storage);
    tcase_add_test(tcase, test_one_question);
    tcase_add_test(tcase, test_operations_max);
    tcase_add_test(tcase, test_hash_key_max);
    tcase_add_test(tcase, test_options);
    tcase_add_loop_test(tcase, test_free_inside, 0, 4);
    tcase_add_test(tcase, test_begin_inside);
    return tcase;
}

int main(void)
{
    return test_run("table_client", table_client_case(), table_client_config_case(),
                    table_client_call_case(), table_scan_case(), NULL);
}
