/* test_policy -- policy_pegasus on tables and names: definitions, placeholders, environments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/policy.h"

#define QUIET "advice: no\n"

/* A table whose partitions are all whole, on all nodes. */
static void policy_whole(struct kit *kit, int32_t id, const char *name, int32_t partition_count)
{
    kit_table_everywhere(kit, id, name, partition_count);
    for (int32_t p = 0; p < partition_count; p++)
        for (uint32_t i = 0; i < kit->survey.node_count; i++)
            kit_replica(kit, (int32_t) i, id, p, 1, 1, 1);
}

static struct br_table *policy_claim(struct kit *kit, int32_t node)
{
    return &kit->nodes[node].tables[0];
}

static const struct br_table *policy_def(const struct kit *kit, int32_t id)
{
    const struct table *table = cluster_table(&kit->cluster, id);
    ck_assert_ptr_nonnull(table);
    return &table->def;
}

/* -- Names ------------------------------------------------------------------------------------- */

static const struct policy_names {
    const char *options;
    const char *before[7]; /* by id; NULL: nobody describes it */
    const char *after[7];
    const char *lines;
} policy_names[] = {
    { QUIET,
      { NULL, "test", "test" },
      { NULL, "test-1", "test" },
      "WARNING: app(1)'s old name(test) is conflict with others, rename it to (test-1)\n" },
    { QUIET "conflict_name: name__id\n",
      { NULL, "test", "test" },
      { NULL, "test__1", "test" },
      "WARNING: app(1)'s old name(test) is conflict with others, rename it to (test__1)\n" },
    { "mode: historical\n",
      { NULL, NULL, "test__4", NULL, "test", NULL, "test" },
      { NULL, "__drop_holder__1", "test__4__2", "__drop_holder__3", "test__4", "__drop_holder__5",
        "test" },
      "WARNING: app(4)'s old name(test) is conflict with others, rename it to (test__4)\n"
      "WARNING: app(2)'s old name(test__4) is conflict with others, rename it to (test__4__2)\n" },
    { "mode: historical\nconflict_name: name-id\n",
      { NULL, "a", "a", "a", "b", "b" },
      { NULL, "a-1", "a-2", "a", "b-4", "b" },
      "WARNING: app(4)'s old name(b) is conflict with others, rename it to (b-4)\n"
      "WARNING: app(2)'s old name(a) is conflict with others, rename it to (a-2)\n"
      "WARNING: app(1)'s old name(a) is conflict with others, rename it to (a-1)\n" },
    /* Placeholders take part; repeatedly, too. */
    { QUIET,
      { NULL, NULL, "__drop_holder__1", "x-1", "x" },
      { NULL, "__drop_holder__1-1", "__drop_holder__1", "x-1", "x" },
      "WARNING: app(1)'s old name(__drop_holder__1) is conflict with others, rename it to "
      "(__drop_holder__1-1)\n" },
    { QUIET,
      { NULL, "x", "x-1-1", "x-1", "x" },
      { NULL, "x-1-1-1", "x-1-1", "x-1", "x" },
      "WARNING: app(1)'s old name(x) is conflict with others, rename it to (x-1-1-1)\n" },
};

START_TEST(policy_names_case)
{
    const struct policy_names *at = &policy_names[_i];
    struct kit kit;
    kit_init(&kit, at->options, NULL);
    kit_nodes(&kit, 3);
    for (int32_t id = 1; id < 7; id++)
        if (at->before[id])
            policy_whole(&kit, id, at->before[id], 2);
    kit_judge(&kit);
    ck_assert_msg(kit_pass(&kit), "%s", buf_string(&kit.text));
    kit_is(&kit, at->lines);
    for (int32_t id = 1; id < 7; id++)
        if (at->after[id])
            ck_assert_str_eq(policy_def(&kit, id)->name, at->after[id]);
    kit_done(&kit);
}
END_TEST

START_TEST(policy_name_max)
{
    struct kit kit;
    char *name = mem_new(BR_NAME_MAX + 1);
    memset(name, 'n', BR_NAME_MAX);
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, 3);
    policy_whole(&kit, 1, name, 1);
    policy_whole(&kit, 2, name, 1);
    kit_judge(&kit);
    ck_assert(!kit_pass(&kit));
    kit_has(&kit, "ERROR: app(1)'s name is conflict with others, and with its id it would be "
                  "longer than 1024 bytes");
    kit_done(&kit);
    free(name);
}
END_TEST

/* -- Placeholders, status, environments -------------------------------------------------------- */

START_TEST(policy_placeholder)
{
    static const struct {
        const char *options;
        int64_t expire;
    } cases[] = { { "", 0 },
                  { "mode: historical\n", 1700000000 },
                  { "placeholder_expire: now\n", 1700000000 },
                  { "mode: historical\nplaceholder_expire: zero\n", 0 } };
    struct kit kit;
    kit_init(&kit, cases[_i].options, NULL);
    kit_nodes(&kit, 3);
    policy_whole(&kit, 2, "t", 1);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    const struct br_table *def = policy_def(&kit, 1);
    ck_assert_str_eq(def->name, "__drop_holder__1");
    ck_assert_str_eq(def->type, "pegasus");
    ck_assert_int_eq(def->status, BR_TABLE_DROPPED);
    ck_assert_int_eq(def->partition_count, 1);
    ck_assert_int_eq(def->replica_count, 3);
    ck_assert_int_eq(def->init_partition_count, -1);
    ck_assert_int_eq(def->expire_second, cases[_i].expire);
    ck_assert_int_eq(def->create_second, 0);
    ck_assert_uint_eq(def->flags, BR_TABLE_STATEFUL);
    ck_assert_str_eq(kit_group(&kit, 1, 0), "-");
    kit_done(&kit);
}
END_TEST

/* What nodes hold replicas of comes back, whatever they took the table for (C10); in the
 * historical way anything but available is written as dropped, its partitions empty. */
START_TEST(policy_status)
{
    bool drop = _i > BR_TABLE_RECALLING;
    int32_t status = _i % (BR_TABLE_RECALLING + 1);
    bool back = !drop || status == BR_TABLE_AVAILABLE;
    struct kit kit;
    kit_init(&kit, drop ? "unavailable: drop\n" : "", NULL);
    kit_nodes(&kit, 3);
    policy_whole(&kit, 1, "t", 2);
    for (int32_t i = 0; i < 3; i++)
        policy_claim(&kit, i)->status = status;
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_int_eq(policy_def(&kit, 1)->status, back ? BR_TABLE_AVAILABLE : BR_TABLE_DROPPED);
    ck_assert_str_eq(kit_group(&kit, 1, 1), back ? "2,1,3" : "-");
    if (status == BR_TABLE_AVAILABLE)
        kit_has_not(&kit, "is not available");
    else if (drop)
        kit_is(&kit, "WARNING: app(1) (t) is not available on the nodes that report it, it is "
                     "written as dropped and its replicas are not named\n");
    else
        kit_has(&kit, "WARNING: app(1) (t) is not available on the nodes that report it, it comes "
                      "back as an ordinary table; drop it again if it shall not");
    kit_done(&kit);
}
END_TEST

START_TEST(policy_envs)
{
    static const char *const few[] = { "a", "1" };
    static const char *const many[] = { "b", "2", "a", "3" };
    static const struct {
        const char *options;
        uint32_t count;
        const char *lines;
    } cases[] = {
        { "", 2,
          "WARNING: app(1)'s environments are known only as far as node(10.0.0.3:34801) still had "
          "them (2), check them with get_app_envs\n" },
        { "envs: first\n", 1,
          "WARNING: app(1)'s environments are known only as far as node(10.0.0.1:34801) still had "
          "them (1), check them with get_app_envs\n" },
        { "mode: historical\n", 1, "" },
        { "mode: historical\nenvs: most\n", 2, "" },
    };
    struct kit kit;
    kit_init(&kit, cases[_i].options, NULL);
    kit_nodes(&kit, 4);
    policy_whole(&kit, 1, "t", 2);
    for (int32_t i = 0; i < 4; i++) {
        policy_claim(&kit, i)->envs = i < 2 ? few : many;
        policy_claim(&kit, i)->env_count = i < 2 ? 1 : 2;
    }
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    kit_is(&kit, cases[_i].lines);
    ck_assert_uint_eq(policy_def(&kit, 1)->env_count, cases[_i].count);
    kit_done(&kit);
}
END_TEST

/* -- Definitions that differ ------------------------------------------------------------------- */

enum change {
    NAME,
    COUNT,
    REPLICAS,
    TYPE,
    STATEFUL,
    CREATED,
    EXPIRE,
    DROP,
    ATOMIC,
    STATUS,
    HARMLESS
};

static void policy_change(struct br_table *claim, enum change change)
{
    switch (change) {
    case NAME: claim->name = "other"; break;
    case COUNT: claim->partition_count = 4; break;
    case REPLICAS: claim->replica_count = 5; break;
    case TYPE: claim->type = "simple"; break;
    case STATEFUL: claim->flags ^= BR_TABLE_STATEFUL; break;
    case CREATED: claim->create_second++; break;
    case EXPIRE: claim->expire_second = 7; break;
    case DROP: claim->drop_second = 7; break;
    case ATOMIC: claim->flags ^= BR_TABLE_ATOMIC_IDEMPOTENT; break;
    case STATUS: claim->status = BR_TABLE_DROPPED; break;
    case HARMLESS:
        claim->flags ^= BR_TABLE_DUPLICATING | BR_TABLE_BULK_LOADING;
        claim->init_partition_count = 2;
        break;
    }
}

static const struct policy_differ {
    enum change change;
    const char *what; /* NULL: not compared */
    bool refused;     /* even for a majority */
} policy_differs[] = {
    { NAME, "app_name(t) and (other)", false },
    { COUNT, "partition_count(2) and (4)", true },
    { REPLICAS, "max_replica_count(3) and (5)", false },
    { TYPE, "app_type(pegasus) and (simple)", true },
    { STATEFUL, "is_stateful(1) and (0)", true },
    { CREATED, "create_second(1600000000) and (1600000001)", true },
    { EXPIRE, "expire_second(0) and (7)", false },
    { DROP, "drop_second(0) and (7)", false },
    { ATOMIC, "atomic_idempotent(0) and (1)", false },
    { STATUS, "status(1) and (6)", false },
    { HARMLESS, NULL, false },
};

static void policy_expect(const struct kit *kit, const struct policy_differ *at, bool refused)
{
    char line[BR_FINDING_TEXT_MAX];
    snprintf(line, sizeof line,
             refused ? "ERROR: app(1) is defined differently by node(10.0.0.1:34801) and "
                       "node(10.0.0.2:34801): %s; leave the node that is wrong out of the node list"
                     : "WARNING: app(1) is defined differently by node(10.0.0.1:34801) and "
                       "node(10.0.0.2:34801): %s; the first is taken (reported by 2 nodes, the "
                       "second by 1)",
             at->what ? at->what : "");
    if (at->what)
        kit_has(kit, line);
    else
        kit_is(kit, "");
    ck_assert_int_eq(kit_pass(kit), !refused);
}

/* The abort that a rename while one server was down gave (abort 8). */
START_TEST(policy_differ)
{
    const struct policy_differ *at = &policy_differs[_i / 2];
    bool refuse = _i % 2;
    struct kit kit;
    kit_init(&kit, refuse ? QUIET "conflicts: refuse\n" : QUIET, NULL);
    kit_nodes(&kit, 3);
    policy_whole(&kit, 1, "t", 2);
    policy_change(policy_claim(&kit, 1), at->change);
    kit_judge(&kit);
    policy_expect(&kit, at, at->what && (refuse || at->refused));
    ck_assert_str_eq(policy_def(&kit, 1)->name, "t");
    ck_assert_int_eq(policy_def(&kit, 1)->status, BR_TABLE_AVAILABLE);
    kit_done(&kit);
}
END_TEST

/* The majority, not the first; list order among equals; data before a deletion. */
START_TEST(policy_majority)
{
    static const struct {
        const char *names[4];
        int32_t status[4];
        const char *taken;
    } cases[] = {
        { { "a", "b", "b", NULL }, { 1, 1, 1 }, "b" },
        { { "a", "b", "b", "a" }, { 1, 1, 1, 1 }, "a" },
        { { "a", "a", "b", NULL }, { 6, 6, 1 }, "b" },
        { { "a", "a", "b", "b" }, { 6, 7, 1, 6 }, "b" },
        { { "a", "b", "b", NULL }, { 6, 6, 6 }, "b" },
    };
    struct kit kit;
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, 4);
    for (int32_t i = 0; i < 4; i++) {
        if (cases[_i].names[i])
            kit_table(&kit, i, 1, cases[_i].names[i], 1)->status = cases[_i].status[i];
        kit_replica(&kit, i, 1, 0, 1, 1, 1);
    }
    kit_judge(&kit);
    ck_assert_msg(kit_pass(&kit), "%s", buf_string(&kit.text));
    ck_assert_str_eq(policy_def(&kit, 1)->name, cases[_i].taken);
    kit_done(&kit);
}
END_TEST

START_TEST(policy_definitions_max)
{
    struct kit kit;
    int32_t count = _i ? 17 : 16;
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, (uint32_t) count);
    for (int32_t i = 0; i < count; i++) {
        kit_table(&kit, i, 1, "t", 1)->drop_second = i;
        kit_replica(&kit, i, 1, 0, 1, 1, 1);
    }
    kit_judge(&kit);
    ck_assert_int_eq(kit_pass(&kit), !_i);
    if (_i)
        kit_has(&kit, "ERROR: app(1) is defined in more than 16 different ways by the nodes");
    kit_done(&kit);
}
END_TEST

#define CASES(a) (int) (sizeof(a) / sizeof *(a))

int main(void)
{
    TCase *tcase = tcase_create("tables");
    tcase_add_loop_test(tcase, policy_names_case, 0, CASES(policy_names));
    tcase_add_test(tcase, policy_name_max);
    tcase_add_loop_test(tcase, policy_placeholder, 0, 4);
    tcase_add_loop_test(tcase, policy_status, 0, 2 * (BR_TABLE_RECALLING + 1));
    tcase_add_loop_test(tcase, policy_envs, 0, 4);
    tcase_add_loop_test(tcase, policy_differ, 0, 2 * CASES(policy_differs));
    tcase_add_loop_test(tcase, policy_majority, 0, 5);
    tcase_add_loop_test(tcase, policy_definitions_max, 0, 2);
    return test_run("policy", tcase, policy_partition(), policy_others(), NULL);
}
