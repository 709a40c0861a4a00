/* test_table_client_config -- meta servers: which is asked, how often, and what is believed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/number.h"
#include "t/table_client.h"

START_TEST(test_no_primary)
{
    struct told put = { 0 };
    stage_place(8, NULL);
    stage_open(1, 0);
    stage_begin_put("k", "v", 60 * BR_SECOND, &put);
    NET_UNTIL(&stage.net, stage.metas[0].asked == 3);
    ck_assert_int_eq(put.count, 0);
    ck_assert_int_eq(stage.metas[0].indices, 1);
    stage_place(8, &stage.replicas[2]);
    NET_UNTIL(&stage.net, put.count);
    ck_assert_int_eq(put.status, BR_OK);
    ck_assert_uint_eq(put.attempts, 1);
    ck_assert_str_eq(put.server, stage.replicas[2].name);
}
END_TEST

START_TEST(test_never_a_primary)
{
    struct told put = { 0 };
    stage_place(8, NULL);
    stage_open(1, 0);
    stage_begin_put("k", "v", 30 * BR_MILLISECOND, &put);
    NET_UNTIL(&stage.net, put.count);
    ck_assert_int_eq(put.status, BR_TIMEOUT); /* nothing was sent */
    ck_assert_str_eq(put.error, "ERR_TIMEOUT");
    ck_assert_uint_eq(put.attempts, 0);
    ck_assert_ptr_nonnull(strstr(put.why, "no primary"));
}
END_TEST

/* What the first meta server does so that the second or third one is asked. */
enum {
    FIRST_DEAD,
    FIRST_MUTE,
    FIRST_GARBAGE,
    FIRST_SENSELESS,
    FIRST_ERROR,
    FIRST_LEADERLESS_HEADER,
    FIRST_LEADERLESS_BODY,
    FIRST_FORWARDS_HEADER,
    FIRST_FORWARDS_BODY,
    FIRST_FORWARDS_NAMED,
    FIRST_NAMES_A_DEAD_ONE,
    FIRST_NAMES_ITSELF,
    FIRST_NAMES_NONSENSE,
    FIRST_END,
};

static void first_does(struct fake_meta *first, int what)
{
    const struct fake_meta *third = &stage.metas[2];
    switch (what) {
    case FIRST_DEAD: stage_stop_meta(first); break;
    case FIRST_MUTE: first->mute = true; break;
    case FIRST_GARBAGE: first->garbage = true; break;
    case FIRST_SENSELESS: first->app_shift = 1; break;
    case FIRST_ERROR: first->error = "ERR_HANDLER_NOT_FOUND"; break;
    case FIRST_LEADERLESS_HEADER: first->error = "ERR_FORWARD_TO_OTHERS"; break;
    case FIRST_LEADERLESS_BODY: first->refuse = "ERR_FORWARD_TO_OTHERS"; break;
    case FIRST_FORWARDS_HEADER: first->forward_header = third->address; break;
    case FIRST_FORWARDS_BODY: first->forward_body = third->address; break;
    case FIRST_FORWARDS_NAMED:
        first->forward_named = (struct host_port){ "localhost", address_port(third->address), 1 };
        break;
    case FIRST_NAMES_A_DEAD_ONE: first->forward_header = net_dead_port(false); break;
    case FIRST_NAMES_ITSELF: first->forward_header = first->address; break;
    default: first->forward_named = (struct host_port){ "no host", 1, 1 };
    }
}

START_TEST(test_next_meta)
{
    bool third = _i >= FIRST_FORWARDS_HEADER && _i <= FIRST_FORWARDS_NAMED;
    first_does(&stage.metas[0], _i);
    stage_open(third ? 1 : 2, 0); /* the leader need not be in the list */
    ck_assert_int_eq(stage_put("k", "v").status, BR_OK);
    ck_assert_int_eq(stage.metas[third ? 2 : 1].asked, 1);
    ck_assert_int_eq(stage.metas[third ? 1 : 2].asked, 0);
    int before = stage.metas[0].asked;
    ck_assert_int_le(before, 1 + TABLE_CLIENT_HOPS_MAX);

    stage.replicas[0].error = "ERR_INVALID_STATE"; /* the one that answered is asked again */
    stage.replicas[0].error_count = 1;
    ck_assert_int_eq(stage_put("k", "v").status, BR_OK);
    ck_assert_int_eq(stage.metas[third ? 2 : 1].asked, 2);
    ck_assert_int_eq(stage.metas[0].asked, before);
}
END_TEST

/* The known leader dies: the list is asked again, and names another one. */
START_TEST(test_leader_dies)
{
    stage.metas[0].forward_header = stage.metas[1].address;
    stage_open(1, 0);
    ck_assert_int_eq(stage_put("k", "v").status, BR_OK);
    stage_stop_meta(&stage.metas[1]);
    stage.metas[0].forward_header = stage.metas[2].address;
    stage.replicas[0].error = "ERR_INVALID_STATE";
    stage.replicas[0].error_count = 1;
    ck_assert_int_eq(stage_put("k", "v").status, BR_OK);
    ck_assert_int_eq(stage.metas[2].asked, 1);
}
END_TEST

/* Two that name each other do not keep us busy: the leaders followed have an end, and after it a
 * pause. */
START_TEST(test_hops_max)
{
    struct told put = { 0 };
    stage.metas[0].forward_header = stage.metas[1].address;
    stage.metas[1].forward_header = stage.metas[0].address;
    stage_open(1, 0);
    stage_begin_put("k", "v", 60 * BR_SECOND, &put);
    NET_UNTIL(&stage.net, table_client_questions(stage.table) == 1 + TABLE_CLIENT_HOPS_MAX);
    NET_UNTIL(&stage.net, table_client_questions(stage.table) > 1 + TABLE_CLIENT_HOPS_MAX);
    stage.metas[0].forward_header = stage.metas[1].forward_header = 0;
    NET_UNTIL(&stage.net, put.count);
    ck_assert_int_eq(put.status, BR_OK);
}
END_TEST

/* All of them are away, then one is back. */
START_TEST(test_no_meta)
{
    struct told put = { 0 };
    for (int i = 0; i < 3; i++)
        stage.metas[i].error = "ERR_INVALID_STATE";
    stage_open(3, 0);
    stage_begin_put("k", "v", 60 * BR_SECOND, &put);
    NET_UNTIL(&stage.net, table_client_questions(stage.table) == 7);
    ck_assert_int_eq(put.count, 0);
    ck_assert_int_eq(stage.metas[2].asked, 2);
    stage.metas[1].error = NULL;
    NET_UNTIL(&stage.net, put.count);
    ck_assert_int_eq(put.status, BR_OK);
}
END_TEST

static const struct {
    const char *refuse, *error; /* error NULL: asked again */
} bodies[] = {
    { "ERR_UNDER_RECOVERY", NULL },
    { "ERR_SERVICE_NOT_ACTIVE", NULL },
    { "ERR_BUSY_CREATING", NULL },
    { "ERR_OBJECT_NOT_FOUND", "ERR_APP_NOT_EXIST" },
    { "ERR_APP_NOT_EXIST", "ERR_APP_NOT_EXIST" },
    { "ERR_OPERATION_DISABLED", "ERR_OPERATION_DISABLED" },
    { "ERR_HANDLER_NOT_FOUND", "ERR_HANDLER_NOT_FOUND" },
};

START_TEST(test_body_error)
{
    struct told put = { 0 };
    stage.metas[0].refuse = bodies[_i].refuse;
    stage_open(1, 0);
    stage_begin_put("k", "v", 60 * BR_SECOND, &put);
    if (bodies[_i].error) {
        NET_UNTIL(&stage.net, put.count);
        ck_assert_int_eq(put.status, BR_REFUSED);
        ck_assert_str_eq(put.error, bodies[_i].error);
        ck_assert_int_eq(stage.metas[0].asked, 1);
        ck_assert_ptr_nonnull(strstr(put.why, bodies[_i].refuse));
    } else {
        NET_UNTIL(&stage.net, stage.metas[0].asked == 2);
        stage.metas[0].refuse = NULL;
        NET_UNTIL(&stage.net, put.count);
        ck_assert_int_eq(put.status, BR_OK);
    }
}
END_TEST

/* Configurations that make no sense are refused as a whole. */
START_TEST(test_senseless_configuration)
{
    struct told put = { 0 };
    static char longest[NODE_NAME_MAX + 8];
    memset(longest, 'n', NODE_NAME_MAX);
    switch (_i) {
    case 0: stage.app_id = 0; break;
    case 1: stage.primaries[3] = 2; break; /* a group */
    case 2: stage.named[3] = (struct host_port){ "no host", 1, 1 }; break;
    case 3: stage.named[3] = (struct host_port){ longest, 34801, 1 }; break;
    default: stage.metas[0].app_shift = 1;
    }
    stage_open(1, 0);
    stage_begin_put("k", "v", 60 * BR_SECOND, &put);
    NET_UNTIL(&stage.net, stage.metas[0].asked == 3);
    ck_assert_int_eq(put.count, 0);
    ck_assert_int_eq(table_client_partitions(stage.table), 0);
    ck_assert_int_eq(stage.replicas[0].asked, 0);
    stage.app_id = STAGE_APP;
    stage.metas[0].app_shift = 0;
    stage.named[3] = (struct host_port){ 0 };
    stage.primaries[3] = stage.replicas[0].address;
    NET_UNTIL(&stage.net, put.count);
    ck_assert_int_eq(put.status, BR_OK);
}
END_TEST

/* The name is preferred: here the address is nobody's. */
START_TEST(test_named)
{
    for (int i = 0; i < 8; i++) {
        stage.primaries[i] = net_dead_port(false);
        stage.named[i] =
            (struct host_port){ "localhost", address_port(stage.replicas[1].address), 1 };
    }
    stage_open(1, 0);
    struct told put = stage_put("k", "v");
    ck_assert_int_eq(put.status, BR_OK);
    ck_assert_uint_eq(put.attempts, 1);
    ck_assert_int_eq(strncmp(put.server, "localhost:", 10), 0);
}
END_TEST

/* Each key goes to its partition of `count`. */
static void put_many(int32_t count)
{
    for (int i = 0; i < 32; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        struct table_key whole = { .hash = { key, strlen(key) } };
        struct told put = stage_put(key, "v");
        ck_assert_int_eq(put.status, BR_OK);
        ck_assert_int_eq(put.partition, (int32_t) (table_key_hash(&whole) % (uint32_t) count));
    }
}

/* 8 partitions become 16: what is known is thrown away, and the children are found. */
START_TEST(test_split)
{
    stage_open(1, 0);
    ck_assert_int_eq(stage_put("k", "v").status, BR_OK);
    stage_place(16, &stage.replicas[1]);
    stage.replicas[0].error = _i == 0 ? "ERR_PARENT_PARTITION_MISUSED" : "ERR_OBJECT_NOT_FOUND";
    put_many(16);
    ck_assert_int_eq(table_client_partitions(stage.table), 16);
}
END_TEST

/* A child that is not ready: its parent serves it. */
START_TEST(test_child)
{
    stage_place(16, &stage.replicas[0]);
    for (int i = 8; i < 16; i++) {
        stage.ballots[i] = -1;
        stage.primaries[i] = 0;
    }
    stage_open(1, 0);
    put_many(8);
    ck_assert_uint_eq(table_client_questions(stage.table), 1);
}
END_TEST

/* The table was dropped and made again under its name. */
START_TEST(test_other_table)
{
    stage_open(1, 0);
    ck_assert_int_eq(stage_put("k", "v").status, BR_OK);
    stage.app_id = STAGE_APP + 1;
    stage_place(8, &stage.replicas[1]);
    stage.replicas[0].error = "ERR_OBJECT_NOT_FOUND";
    struct told put = stage_put("k", "v");
    ck_assert_int_eq(put.status, BR_OK);
    ck_assert_int_eq(put.app_id, STAGE_APP + 1);
    ck_assert_int_eq(stage.replicas[1].header.app_id, STAGE_APP + 1);
}
END_TEST

/* So many partitions are asked for by index; one more, and all are. */
START_TEST(test_indices_max)
{
    static struct told told[STAGE_PARTITIONS];
    static bool seen[STAGE_PARTITIONS];
    int want = TABLE_CLIENT_INDICES_MAX + _i, begun = 0;
    memset(told, 0, sizeof told);
    memset(seen, 0, sizeof seen);
    stage_place(STAGE_PARTITIONS, NULL);
    stage_open(1, 0);
    for (int i = 0; begun < want; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        struct table_key whole = { .hash = { key, strlen(key) } };
        uint64_t partition = table_key_hash(&whole) % STAGE_PARTITIONS;
        if (!seen[partition])
            stage_begin_put(key, "v", 60 * BR_SECOND, &told[begun++]);
        seen[partition] = true;
    }
    NET_UNTIL(&stage.net, stage.metas[0].asked == 2);
    ck_assert_int_eq(stage.metas[0].indices, _i == 0 ? TABLE_CLIENT_INDICES_MAX : 0);
    stage_place(STAGE_PARTITIONS, &stage.replicas[0]);
    for (int i = 0; i < want; i++)
        NET_UNTIL(&stage.net, told[i].count);
    ck_assert_int_eq(told[want - 1].status, BR_OK);
    ck_assert_int_eq(stage.metas[0].asked, 3);
}
END_TEST

/* While one question is under way there is no other; what came meanwhile shares the next one. */
START_TEST(test_one_at_a_time)
{
    struct told told[40] = { 0 };
    stage_place(8, NULL);
    stage_open(1, 0);
    stage.metas[0].hold = true;
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        stage_begin_put(key, "v", 60 * BR_SECOND, &told[i]);
        if (i == 0)
            NET_UNTIL(&stage.net, stage.metas[0].held);
    }
    stage_answer(&stage.metas[0]); /* no primaries */
    stage_place(8, &stage.replicas[0]);
    for (int i = 0; i < 40; i++)
        NET_UNTIL(&stage.net, told[i].count);
    ck_assert_int_eq(stage.metas[0].asked, 2);
    ck_assert_int_eq(stage.metas[0].indices, 8);
}
END_TEST

TCase *table_client_config_case(void)
{
    TCase *tcase = tcase_create("configuration");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_test(tcase, test_no_primary);
    tcase_add_test(tcase, test_never_a_primary);
    tcase_add_loop_test(tcase, test_next_meta, 0, FIRST_END);
    tcase_add_test(tcase, test_leader_dies);
    tcase_add_test(tcase, test_hops_max);
    tcase_add_test(tcase, test_no_meta);
    tcase_add_loop_test(tcase, test_body_error, 0, (int) (sizeof bodies / sizeof *bodies));
    tcase_add_loop_test(tcase, test_senseless_configuration, 0, 5);
    tcase_add_test(tcase, test_named);
    tcase_add_loop_test(tcase, test_split, 0, 2);
    tcase_add_test(tcase, test_child);
    tcase_add_test(tcase, test_other_table);
    tcase_add_loop_test(tcase, test_indices_max, 0, 2);
    tcase_add_test(tcase, test_one_at_a_time);
    return tcase;
}
