/* test_state -- the state, its drop lists, its way to the wire and back; see state_cure.c and
 * state_detector.c for what is decided from it.
 */
#include <stdlib.h>
#include <string.h>

#include "host/meta/drops.h"
#include "host/meta/partition_wire.h"
#include "t/state_kit.h"

#define PID ((struct gpid){ 1, 0 })

static struct state *state(void)
{
    return &kit.meta.state;
}

/* -- Records ---------------------------------------------------------------------------------- */

/* Whatever is put into it, everything derived stays true, and lists are used again. */
START_TEST(records_come_and_go)
{
    uint64_t seed = 2463534242u;
    kit_nodes(9);
    for (int32_t t = 1; t <= 3; t++)
        kit_table(t * 10, 7, 3);
    size_t used = 0;
    for (int round = 0; round < 4000; round++) {
        struct gpid pid = { (int32_t) (1 + kit_random(&seed) % 3) * 10,
                            (int32_t) (kit_random(&seed) % 7) };
        int32_t nodes[9] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
        for (int i = 8; i > 0; i--) {
            int k = (int) (kit_random(&seed) % (uint64_t) (i + 1));
            int32_t swap = nodes[i];
            nodes[i] = nodes[k];
            nodes[k] = swap;
        }
        int secondaries = (int) (kit_random(&seed) % 5);
        int drops = (int) (kit_random(&seed) % 4);
        struct partition next = { .ballot = round,
                                  .primary = kit_random(&seed) % 4 ? nodes[8] : -1,
                                  .secondary_count = (uint16_t) secondaries,
                                  .drop_count = (uint16_t) drops,
                                  .members = nodes };
        uint64_t hint = state()->unhealthy_hint;
        state_set_partition(state(), pid, &next);
        ck_assert_uint_ne(state()->unhealthy_hint, hint);
        const struct partition *now = state_partition(state(), pid);
        ck_assert_int_eq(now->ballot, round);
        if (secondaries + drops)
            ck_assert_mem_eq(now->members, nodes, (size_t) (secondaries + drops) * sizeof *nodes);
        if (round % 100 == 0)
            kit_check();
        if (round == 2000)
            used = state()->cluster.arena.used;
    }
    kit_check();
    ck_assert_uint_le(state()->cluster.arena.used, used + 21 * 8 * 4);
}
END_TEST

/* A record may be made from the one that it replaces. */
START_TEST(a_record_replaces_itself)
{
    kit_nodes(4);
    kit_table(1, 1, 3);
    kit_partition(PID, 5, 0, (int32_t[]){ 1, 2, -1 }, (int32_t[]){ 3, -1 });
    struct partition next = *state_partition(state(), PID);
    next.primary = -1;
    next.ballot++;
    state_set_partition(state(), PID, &next);
    const struct partition *now = state_partition(state(), PID);
    ck_assert_mem_eq(now->members, ((int32_t[]){ 1, 2, 3 }), 3 * sizeof(int32_t));
    ck_assert(partition_has(now, 2) && !partition_has(now, 0) && !partition_has(now, 3));
    ck_assert_uint_eq(state()->nodes[0].partitions.count, 0);
    kit_check();
}
END_TEST

START_TEST(as_many_members_as_there_may_be)
{
    int32_t secondaries[STATE_MEMBERS_MAX / 2 + 1];
    int32_t drops[STATE_MEMBERS_MAX / 2 + 1];
    kit_nodes(STATE_MEMBERS_MAX);
    kit_table(1, 1, 3);
    for (int32_t i = 0; i < STATE_MEMBERS_MAX / 2; i++) {
        secondaries[i] = i;
        drops[i] = STATE_MEMBERS_MAX / 2 + i;
    }
    secondaries[STATE_MEMBERS_MAX / 2] = -1;
    drops[STATE_MEMBERS_MAX / 2] = -1;
    kit_partition(PID, 5, -1, secondaries, drops);
    kit_partition(PID, 6, -1, NULL, NULL);
    kit_partition(PID, 7, -1, secondaries, drops);
    kit_check();
    ck_assert_int_le(2 * LAYOUT_MEMBERS_MAX, STATE_MEMBERS_MAX); /* what can be loaded fits */
}
END_TEST

START_TEST(shares_grow_with_the_nodes)
{
    kit_nodes(2);
    kit_table(1, 2, 2);
    kit_partition(PID, 5, 0, (int32_t[]){ 1, -1 }, NULL);
    ck_assert_uint_eq(state_shares(state(), 0)[1].replicas, 1);
    int32_t node = state_node(state(), "another:1", 0);
    kit_partition((struct gpid){ 1, 1 }, 5, node, (int32_t[]){ 1, -1 }, NULL);
    ck_assert_uint_eq(state_shares(state(), 0)[node].primaries, 1);
    kit_check();
}
END_TEST

/* Records that change, and nodes that come, while a table is counted part by part. */
START_TEST(shares_are_counted_in_parts)
{
    uint32_t most = 3;
    kit_nodes(3);
    kit_table(1, 8, 2);
    for (int32_t i = 0; i < 8; i++)
        kit_partition((struct gpid){ 1, i }, 5, i % 3, (int32_t[]){ (i + 1) % 3, -1 }, NULL);
    ck_assert(!state_shares_more(state(), 0, &most));
    ck_assert_uint_eq(most, 0);
    int32_t node = state_node(state(), "another:1", 0);
    kit_partition((struct gpid){ 1, 1 }, 6, node, (int32_t[]){ 0, -1 }, NULL); /* counted */
    kit_partition((struct gpid){ 1, 7 }, 6, 0, (int32_t[]){ node, -1 }, NULL); /* not yet */
    most = 100;
    ck_assert(state_shares_more(state(), 0, &most));
    ck_assert_uint_eq(most, 95);
    kit_check();
    ck_assert(state_shares_more(state(), 0, &most));
    ck_assert_uint_eq(most, 95);
}
END_TEST

START_TEST(coming_and_going_is_a_change)
{
    kit_nodes(1);
    uint64_t hint = state()->unhealthy_hint;
    state_set_alive(state(), 0, false);
    ck_assert(!state()->nodes[0].alive);
    ck_assert_uint_ne(state()->unhealthy_hint, hint);
}
END_TEST

START_TEST(what_is_not_there)
{
    kit_nodes(1);
    kit_table(3, 4, 1);
    static const struct gpid none[] = { { 2, 0 }, { 3, 4 }, { 3, -1 }, { -1, 0 }, { 4, 0 } };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ck_assert_ptr_null(state_partition(state(), none[i]));
        ck_assert_ptr_null(state_cure(state(), none[i]));
    }
    ck_assert_int_eq(state_table(state(), 3), 0);
    ck_assert_int_eq(state_table(state(), 2), -1);
    ck_assert_ptr_nonnull(state_partition(state(), (struct gpid){ 3, 3 }));
    ck_assert_ptr_null(state_cure(state(), (struct gpid){ 3, 3 }));
    struct gpid pid = { 3, INT32_MAX };
    ck_assert_int_eq(state_gpid(state_key(pid)).partition, INT32_MAX);
    ck_assert_int_eq(state_gpid(state_key(pid)).app_id, 3);
}
END_TEST

START_TEST(how_many_there_shall_be)
{
    kit_nodes(3);
    kit_table(1, 1, 3);
    kit_partition(PID, 5, 0, (int32_t[]){ 1, -1 }, NULL);
    ck_assert_int_eq(state_replica_count(state(), PID), 3);
    ck_assert(!state_healthy(state(), PID));
    struct partition next = *state_partition(state(), PID);
    next.replica_count = 2; /* its own says more than the table's */
    state_set_partition(state(), PID, &next);
    ck_assert_int_eq(state_replica_count(state(), PID), 2);
    ck_assert(state_healthy(state(), PID));
    kit_partition(PID, 6, -1, (int32_t[]){ 0, 1, 2, -1 }, NULL);
    ck_assert(!state_healthy(state(), PID));
}
END_TEST

/* -- Tables ----------------------------------------------------------------------------------- */

START_TEST(tables_are_added)
{
    kit_nodes(2);
    for (int32_t id = 1; id <= 300; id++) {
        int32_t table = kit_table(id * 2, 1 + id % 3, 1);
        ck_assert_int_eq(table, id - 1);
        kit_partition((struct gpid){ id * 2, id % 3 }, 1, id % 2, NULL, NULL);
        state_cure_make(state(), (struct gpid){ id * 2, 0 })->dirty = true;
    }
    for (int32_t id = 1; id <= 300; id++) {
        ck_assert_int_eq(state_table(state(), id * 2), id - 1);
        ck_assert_int_eq(state_partition(state(), (struct gpid){ id * 2, id % 3 })->ballot, 1);
        ck_assert(state_cure(state(), (struct gpid){ id * 2, 0 })->dirty);
    }
    kit_check();
}
END_TEST

START_TEST(partitions_have_a_limit)
{
    struct br_table def = { .partition_count = BR_PARTITIONS_MAX, .name = "x", .type = "p" };
    for (def.id = 1; def.id <= CLUSTER_PARTITIONS_MAX / BR_PARTITIONS_MAX; def.id++)
        ck_assert_int_ge(state_add_table(state(), &def), 0);
    def.partition_count = 1;
    ck_assert_int_eq(state_add_table(state(), &def), -1);
}
END_TEST

START_TEST(definitions_change)
{
    static const char *const envs[] = { "a", "1", "b", "2" };
    char name[] = "other";
    kit_nodes(1);
    kit_table(1, 1, 1);
    struct br_table def = state()->cluster.tables[0].def;
    def.name = name;
    def.envs = envs;
    def.env_count = 2;
    def.status = BR_TABLE_DROPPING;
    state_set_def(state(), 0, &def);
    name[0] = '?';
    const struct br_table *now = &state()->cluster.tables[0].def;
    ck_assert_str_eq(now->name, "other");
    ck_assert_uint_eq(now->env_count, 2);
    ck_assert_str_eq(now->envs[3], "2");
    ck_assert_int_eq(now->status, BR_TABLE_DROPPING);
    def = *now;
    def.replica_count = 5;
    state_set_def(state(), 0, &def); /* the same strings */
    ck_assert_str_eq(now->envs[0], "a");
    ck_assert_str_eq(now->name, "other");
    ck_assert_int_eq(now->replica_count, 5);
    def.env_count = 0;
    state_set_def(state(), 0, &def);
    ck_assert_uint_eq(now->env_count, 0);
}
END_TEST

/* What was made for a query goes with every change. */
START_TEST(answers_that_were_kept_go)
{
    kit_nodes(1);
    kit_table(1, 1, 1);
    buf_text(&state()->tables[0].routes[0], "kept");
    buf_text(&state()->tables[0].routes[1], "kept");
    kit_partition(PID, 1, 0, NULL, NULL);
    ck_assert_uint_eq(state()->tables[0].routes[0].size, 0);
    ck_assert_uint_eq(state()->tables[0].routes[1].size, 0);
}
END_TEST

/* -- Cures ------------------------------------------------------------------------------------ */

START_TEST(a_cure_goes_when_nothing_goes_on)
{
    kit_nodes(1);
    kit_table(1, 1, 1);
    struct cure *cure = state_cure_make(state(), PID);
    ck_assert_ptr_eq(state_cure_make(state(), PID), cure);
    bool *const flags[] = { &cure->waits, &cure->dirty, &cure->asleep, &cure->ddd };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        *flags[i] = true;
        state_cure_settle(state(), cure);
        ck_assert_ptr_eq(state_cure(state(), PID), cure);
        *flags[i] = false;
    }
    cure->action_count = 1;
    state_cure_settle(state(), cure);
    ck_assert_ptr_eq(state_cure(state(), PID), cure);
    cure->action_count = 0;
    state_cure_settle(state(), cure);
    ck_assert_ptr_null(state_cure(state(), PID));
}
END_TEST

/* -- Drops ------------------------------------------------------------------------------------ */

static struct drop told(int32_t node, int64_t ballot, int64_t committed)
{
    return (struct drop){
        .node = node, .ballot = ballot, .committed = committed, .prepared = committed
    };
}

static void expect_drops(const int32_t *nodes)
{
    const struct cure *cure = state_cure(state(), PID);
    uint32_t count = 0;
    for (; nodes[count] >= 0; count++) {
        ck_assert_ptr_nonnull(cure);
        ck_assert_uint_lt(count, cure->drop_count);
        ck_assert_int_eq(cure->drops[count].node, nodes[count]);
    }
    ck_assert_uint_eq(cure ? cure->drop_count : 0, count);
    if (count)
        ck_assert_int_eq(cure->preferred, (int32_t) count - 1);
}

START_TEST(drops_are_sorted)
{
    struct drop a = told(1, 5, 9);
    struct drop b = told(2, 4, 99);
    struct drop c = told(3, 5, 9);
    kit_nodes(6);
    kit_table(1, 1, 3);
    ck_assert(drops_collect(state(), PID, &a));
    ck_assert(drops_collect(state(), PID, &b));
    expect_drops((int32_t[]){ 2, 1, -1 });
    ck_assert(drops_collect(state(), PID, &c)); /* equal: before the one that was there */
    expect_drops((int32_t[]){ 2, 3, 1, -1 });
    drops_record(state(), PID, 4, 1000); /* whoever left last is the best */
    expect_drops((int32_t[]){ 2, 3, 1, 4, -1 });
    drops_record(state(), PID, 4, 2000); /* known */
    ck_assert_int_eq(drops_find(state_cure(state(), PID), 4)->time_ms, 1000);
    struct drop d = told(4, 7, 7);
    ck_assert(drops_collect(state(), PID, &d));
    ck_assert_int_eq(drops_find(state_cure(state(), PID), 4)->time_ms, 1000); /* kept */
    ck_assert_int_eq(drops_find(state_cure(state(), PID), 4)->ballot, 7);
    drops_remove(state(), PID, 3);
    expect_drops((int32_t[]){ 2, 1, 4, -1 });
    drops_remove(state(), PID, 3);
    ck_assert_ptr_null(drops_find(NULL, 3));
}
END_TEST

/* Members and drops together are at most DROPS_RESERVED more than there shall be. */
START_TEST(the_worst_drops_go)
{
    kit_nodes(8);
    kit_table(1, 1, 3);
    kit_partition(PID, 5, 0, (int32_t[]){ 1, -1 }, NULL);
    struct drop a = told(2, 5, 9);
    struct drop b = told(3, 6, 9);
    struct drop c = told(4, 4, 9);
    ck_assert(drops_collect(state(), PID, &a));
    ck_assert(drops_collect(state(), PID, &b));
    expect_drops((int32_t[]){ 2, 3, -1 });
    ck_assert(!drops_collect(state(), PID, &c));
    expect_drops((int32_t[]){ 2, 3, -1 });
    c.ballot = 9;
    ck_assert(drops_collect(state(), PID, &c));
    expect_drops((int32_t[]){ 3, 4, -1 });
    ck_assert(drops_collect(state(), PID, &c)); /* the same again */
    expect_drops((int32_t[]){ 3, 4, -1 });
    ck_assert_uint_eq(3 + DROPS_RESERVED, 2 + 2);
}
END_TEST

/* Nothing of it is kept: nothing stays behind, either. */
START_TEST(a_full_group_keeps_one)
{
    kit_nodes(8);
    kit_table(1, 1, 3);
    kit_partition(PID, 5, 0, (int32_t[]){ 1, 2, 3, -1 }, NULL); /* one more than it shall */
    struct drop a = told(4, 5, 9);
    ck_assert(!drops_collect(state(), PID, &a));
    ck_assert_ptr_null(state_cure(state(), PID));
}
END_TEST

START_TEST(drops_of_a_record)
{
    kit_nodes(8);
    kit_table(1, 1, 3);
    kit_partition(PID, 5, -1, NULL, (int32_t[]){ 3, 1, 2, -1 });
    drops_from_record(state(), PID, _i ? 1000 : 0);
    if (_i) /* the last is the best; all equal, the first is */
        expect_drops((int32_t[]){ 3, 1, 2, -1 });
    else
        expect_drops((int32_t[]){ 2, 1, 3, -1 });
    drops_from_record(state(), PID, 5000); /* twice is once */
    ck_assert_uint_eq(state_cure(state(), PID)->drop_count, 3);
}
END_TEST

static const struct {
    int32_t secondaries[4], drops[5], node;
    bool left;
    int32_t want[4];
} changes[] = {
    { { 1, -1 }, { -1 }, 2, true, { 2, -1 } },
    { { 1, -1 }, { 2, 3, -1 }, 4, true, { 2, 3, 4, -1 } },
    { { 1, -1 }, { 2, 3, 4, -1 }, 5, true, { 3, 4, 5, -1 } },  /* the oldest goes */
    { { 1, -1 }, { 2, 3, 4, -1 }, 2, true, { 3, 4, 2, -1 } },  /* again */
    { { 1, 3, -1 }, { 2, 3, 4, -1 }, 3, false, { 2, 4, -1 } }, /* joined */
    { { 1, 2, -1 }, { 2, 0, 4, -1 }, 1, false, { 4, -1 } },    /* no member stands there */
    { { 1, -1 }, { 2, -1 }, 1, true, { 2, -1 } },              /* it is a member all the same */
    { { 1, -1 }, { 2, -1 }, -1, true, { 2, -1 } },             /* nobody */
    { { -1 }, { 5, 4, 3, 2, -1 }, 1, false, { 4, 3, 2, -1 } }, /* too many came */
};

START_TEST(last_drops_of_a_change)
{
    int32_t members[16];
    struct partition partition = { .primary = 0, .members = members };
    for (int i = 0; changes[_i].secondaries[i] >= 0; i++)
        members[partition.secondary_count++] = changes[_i].secondaries[i];
    for (int i = 0; i < 5 && changes[_i].drops[i] >= 0; i++)
        members[partition.secondary_count + partition.drop_count++] = changes[_i].drops[i];
    last_drops_change(&partition, members, changes[_i].node, changes[_i].left);
    uint16_t count = 0;
    for (; count < 3 && changes[_i].want[count] >= 0; count++)
        ck_assert_int_eq(partition_drops(&partition)[count], changes[_i].want[count]);
    ck_assert_uint_eq(partition.drop_count, count);
}
END_TEST

/* -- The wire --------------------------------------------------------------------------------- */

/* As an old peer or as a new one sends it, it comes back. */
START_TEST(a_record_goes_over_the_wire)
{
    struct msg_partition_configuration config;
    struct msg_partition_configuration decoded;
    struct arena arena;
    struct buf bytes = { 0 };
    struct fail fail;
    int32_t members[STATE_MEMBERS_MAX];
    struct partition back;
    arena_init(&arena, 0);
    kit_nodes(4);
    for (int32_t i = 0; i < 4; i++)
        ck_assert(
            address_parse(state()->cluster.nodes[i].name, &state()->cluster.nodes[i].address));
    kit_table(1, 1, 3);
    kit_partition(PID, 5, _i / 2 ? 0 : -1, (int32_t[]){ 2, 1, -1 }, (int32_t[]){ 3, -1 });
    struct partition *partition = state_partition(state(), PID);
    partition->committed = 77;
    partition->flags = PARTITION_DROPPED | PARTITION_UNCONFIRMED;
    enum wire_peer peer = _i % 2 ? WIRE_PEER_26 : WIRE_PEER_25;
    partition_to_wire(state(), PID, peer, &arena, &config);
    ck_assert_int_eq(config.partition_flags, PARTITION_DROPPED); /* ours is not told */
    ck_assert_int_eq(config.max_replica_count, 3);
    wire_encode(&wire_partition_configuration, &config, peer, &bytes);
    ck_assert_int_eq(wire_decode(&wire_partition_configuration, buf_bytes(&bytes),
                                 wire_arena(&arena), &decoded, &fail),
                     BR_OK);
    ck_assert_ptr_null(partition_from_wire(state(), &decoded, members, &back));
    ck_assert_int_eq(back.ballot, 5);
    ck_assert_int_eq(back.committed, 77);
    ck_assert_int_eq(back.primary, partition->primary);
    ck_assert_uint_eq(back.secondary_count, 2);
    ck_assert_uint_eq(back.drop_count, 1);
    ck_assert_mem_eq(members, ((int32_t[]){ 2, 1, 3 }), 3 * sizeof *members);
    ck_assert_uint_eq(state()->cluster.node_count, 4);
    buf_done(&bytes);
    arena_done(&arena);
}
END_TEST

/* address_make(10.0.0.x, 34801) */
#define N(last) ((uint64_t) (0x0a000000 + (last)) << 32 | UINT64_C(34801) << 16 | 1)

static const struct {
    uint64_t primary, secondaries[40], drops[4];
    struct host_port hp_primary;
    const char *wrong;
} bads[] = {
    { N(1), { N(2), N(2) }, { 0 }, { 0 }, "a node twice" },
    { N(1), { N(2) }, { N(3), N(3) }, { 0 }, "a node twice" },
    { N(1), { N(2), N(1) }, { 0 }, { 0 }, "its primary is a secondary" },
    { N(1), { 7 }, { 0 }, { 0 }, "without host and port" },
    { 7, { N(2) }, { 0 }, { 0 }, "its primary is a node without host and port" },
    { N(1), { N(2) }, { 0 }, { "a b", 1, 1 }, "its primary is a node without host and port" },
    { N(1), { N(2) }, { 0 }, { "", 0, 1 }, "its primary is a node without host and port" },
    { 0, { N(2) }, { N(2) }, { 0 }, NULL },
};

START_TEST(records_that_make_no_sense)
{
    struct msg_partition_configuration config;
    int32_t members[STATE_MEMBERS_MAX];
    struct partition back;
    wire_init(&wire_partition_configuration, &config);
    uint32_t secondaries = 0;
    uint32_t drops = 0;
    while (bads[_i].secondaries[secondaries])
        secondaries++;
    while (bads[_i].drops[drops])
        drops++;
    config.primary = bads[_i].primary;
    config.secondaries =
        (struct wire_list){ (void *) (uintptr_t) bads[_i].secondaries, secondaries };
    config.last_drops = (struct wire_list){ (void *) (uintptr_t) bads[_i].drops, drops };
    config.hp_primary = bads[_i].hp_primary;
    if (config.hp_primary.type)
        WIRE_SET(&config, 9);
    const char *wrong = partition_from_wire(state(), &config, members, &back);
    if (bads[_i].wrong)
        ck_assert_msg(wrong && strstr(wrong, bads[_i].wrong), "%s", wrong ? wrong : "nothing");
    else
        ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

START_TEST(too_many_nodes_are_refused)
{
    uint64_t nodes[STATE_MEMBERS_MAX / 2 + 1];
    struct msg_partition_configuration config;
    int32_t members[STATE_MEMBERS_MAX];
    struct partition back;
    wire_init(&wire_partition_configuration, &config);
    for (uint32_t i = 0; i <= STATE_MEMBERS_MAX / 2; i++)
        nodes[i] = N(i + 1);
    config.secondaries = (struct wire_list){ nodes, STATE_MEMBERS_MAX / 2 };
    config.last_drops = (struct wire_list){ nodes, STATE_MEMBERS_MAX / 2 };
    ck_assert_ptr_null(partition_from_wire(state(), &config, members, &back));
    config.last_drops.count++;
    ck_assert_str_eq(partition_from_wire(state(), &config, members, &back),
                     "it names too many nodes");
}
END_TEST

/* Names alone, or more names than addresses: names count. */
START_TEST(names_count_before_addresses)
{
    struct host_port names[] = { { "rs2", 34801, 1 }, { "rs3", 34801, 1 } };
    uint64_t address = N(9);
    struct msg_partition_configuration config;
    int32_t members[STATE_MEMBERS_MAX];
    struct partition back;
    wire_init(&wire_partition_configuration, &config);
    config.primary = N(1);
    config.hp_primary = (struct host_port){ "rs1", 34801, 1 };
    config.secondaries = (struct wire_list){ &address, 1 };
    config.hp_secondaries = (struct wire_list){ names, 2 };
    WIRE_SET(&config, 9);
    WIRE_SET(&config, 10);
    ck_assert_ptr_null(partition_from_wire(state(), &config, members, &back));
    ck_assert_uint_eq(back.secondary_count, 2);
    ck_assert_str_eq(state()->cluster.nodes[back.primary].name, "rs1:34801");
    ck_assert_uint_eq(state()->cluster.nodes[back.primary].address, N(1));
    ck_assert_str_eq(state()->cluster.nodes[members[1]].name, "rs3:34801");
    ck_assert_uint_eq(state()->cluster.nodes[members[0]].address, 0); /* whose it is is not known */
}
END_TEST

static TCase *records(void)
{
    TCase *tcase = tcase_create("state");
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_test(tcase, records_come_and_go);
    tcase_add_test(tcase, a_record_replaces_itself);
    tcase_add_test(tcase, as_many_members_as_there_may_be);
    tcase_add_test(tcase, shares_grow_with_the_nodes);
    tcase_add_test(tcase, shares_are_counted_in_parts);
    tcase_add_test(tcase, coming_and_going_is_a_change);
    tcase_add_test(tcase, what_is_not_there);
    tcase_add_test(tcase, how_many_there_shall_be);
    tcase_add_test(tcase, tables_are_added);
    tcase_add_test(tcase, partitions_have_a_limit);
    tcase_add_test(tcase, definitions_change);
    tcase_add_test(tcase, answers_that_were_kept_go);
    tcase_add_test(tcase, a_cure_goes_when_nothing_goes_on);
    return tcase;
}

static TCase *drops(void)
{
    TCase *tcase = tcase_create("drops");
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_test(tcase, drops_are_sorted);
    tcase_add_test(tcase, the_worst_drops_go);
    tcase_add_test(tcase, a_full_group_keeps_one);
    tcase_add_loop_test(tcase, drops_of_a_record, 0, 2);
    tcase_add_loop_test(tcase, last_drops_of_a_change, 0, sizeof changes / sizeof *changes);
    return tcase;
}

static TCase *wire(void)
{
    TCase *tcase = tcase_create("wire");
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_loop_test(tcase, a_record_goes_over_the_wire, 0, 4);
    tcase_add_loop_test(tcase, records_that_make_no_sense, 0, sizeof bads / sizeof *bads);
    tcase_add_test(tcase, too_many_nodes_are_refused);
    tcase_add_test(tcase, names_count_before_addresses);
    return tcase;
}

int main(void)
{
    return test_run("state", records(), drops(), wire(), state_cure_cases(), state_detector_cases(),
                    NULL);
}
