/* judge_bad_policy -- a policy that breaks each invariant in turn: a refusal that names it, never a
 * crash.  One option says which; for the rest its verdicts are good.
 */
#include <string.h>

#include "host/recovery/evidence.h"
#include "t/judge.h"

struct bad {
    int64_t way;
};

enum way {
    WAY_GOOD,
    TABLE_FAILS,
    TABLE_FAILS_SILENTLY,
    TABLE_ID,
    TABLE_STATUS,
    TABLE_PARTITIONS,
    TABLE_PARTITIONS_NEGATIVE,
    TABLE_PARTITIONS_MANY,
    TABLE_REPLICAS,
    TABLE_REPLICAS_MANY,
    TABLE_NAME_NULL,
    TABLE_NAME_CONTROL,
    TABLE_TYPE_EMPTY,
    TABLE_ENVS,
    TABLE_ENVS_MANY,
    TABLE_ENV_NULL,
    TABLE_HOLE_LIVES,
    NAMES_FAIL,
    NAMES_INDEX,
    NAMES_EMPTY,
    NAMES_UTF8,
    NAMES_LONG,
    NAMES_RESTLESS,
    NAMES_SAME,
    PARTITION_FAILS,
    PRIMARY_HIGH,
    PRIMARY_NEGATIVE,
    PRIMARY_NONE,
    PRIMARY_NONE_DROPS,
    PRIMARY_NONE_BALLOT,
    PRIMARY_LOWER,
    PRIMARY_LESS_PREPARED,
    PRIMARY_LESS_COMMITTED,
    BALLOT,
    DROP_HIGH,
    DROP_NEGATIVE,
    DROP_TWICE,
    DROP_IS_PRIMARY,
    DROPS_MANY,
    WAYS
};

static enum way bad_way(struct br_env *env)
{
    return (enum way)((struct bad *) env->self)->way;
}

/* Table 3, which nobody describes. */
static const struct br_table bad_hole = { .status = BR_TABLE_DROPPED,
                                          .partition_count = 1,
                                          .replica_count = 3,
                                          .name = "hole",
                                          .type = "pegasus" };

static br_status bad_table(struct br_env *env, const struct br_table_evidence *evidence,
                           struct br_table_verdict *verdict)
{
    static const char *const null_value[] = { "key", NULL };
    struct br_table *table = &verdict->table;
    *table = evidence->placeholder ? bad_hole : *evidence->claims[0];
    table->id = evidence->id;
    switch (bad_way(env)) {
    case TABLE_FAILS: return br_fail(env, BR_INVALID, "table %d is ugly", evidence->id);
    case TABLE_FAILS_SILENTLY: return BR_INTERNAL;
    case TABLE_ID: table->id++; break;
    case TABLE_STATUS: table->status = BR_TABLE_DROPPING; break;
    case TABLE_PARTITIONS: table->partition_count++; break;
    case TABLE_PARTITIONS_NEGATIVE: table->partition_count = -8; break;
    case TABLE_PARTITIONS_MANY: table->partition_count = BR_PARTITIONS_MAX + 1; break;
    case TABLE_REPLICAS: table->replica_count = 0; break;
    case TABLE_REPLICAS_MANY: table->replica_count = BR_DROPS_MAX + 2; break;
    case TABLE_NAME_NULL: table->name = NULL; break;
    case TABLE_NAME_CONTROL: table->name = "a\nb"; break;
    case TABLE_TYPE_EMPTY: table->type = ""; break;
    case TABLE_ENVS: table->env_count = 1; break;
    case TABLE_ENVS_MANY: table->env_count = EVIDENCE_ENVS_MAX + 1; break;
    case TABLE_ENV_NULL:
        table->env_count = 1;
        table->envs = null_value;
        break;
    case TABLE_HOLE_LIVES: table->status = BR_TABLE_AVAILABLE; break;
    default: break;
    }
    return BR_OK;
}

static br_status bad_names(struct br_env *env, const struct br_names_evidence *evidence,
                           struct br_names_verdict *verdict)
{
    char text[BR_NAME_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    switch (bad_way(env)) {
    case NAMES_FAIL: return br_fail(env, BR_INVALID, "no names today");
    case NAMES_INDEX: verdict->give(verdict, evidence->count, "x"); break;
    case NAMES_EMPTY: verdict->give(verdict, 0, ""); break;
    case NAMES_UTF8: verdict->give(verdict, 0, "a\xc0\x80"); break;
    case NAMES_LONG: verdict->give(verdict, 0, text); break;
    case NAMES_RESTLESS:
        verdict->give(verdict, 0, *evidence->tables[0]->name == 'a' ? "b" : "a");
        break;
    case NAMES_SAME: verdict->give(verdict, 0, evidence->tables[1]->name); break;
    default: break;
    }
    return BR_OK;
}

/* Replica 0 has the highest ballot, 1 and 2 are equal but for the prepared decree. */
static br_status bad_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                               struct br_partition_verdict *verdict)
{
    verdict->primary = 0;
    verdict->ballot = evidence->replicas[0]->ballot;
    verdict->drop_count = 2;
    verdict->drops[0] = 1;
    verdict->drops[1] = 2;
    switch (bad_way(env)) {
    case PARTITION_FAILS: return BR_NOMEM;
    case PRIMARY_HIGH: verdict->primary = 3; break;
    case PRIMARY_NEGATIVE: verdict->primary = -2; break;
    case PRIMARY_NONE_DROPS: verdict->primary = -1; break;
    case PRIMARY_NONE_BALLOT:
        verdict->primary = -1;
        verdict->drop_count = 0;
        break;
    case PRIMARY_NONE:
        verdict->primary = -1;
        verdict->drop_count = 0;
        verdict->ballot = 0;
        break;
    case PRIMARY_LOWER:
        verdict->primary = 1;
        verdict->drops[0] = 0;
        verdict->ballot = evidence->replicas[1]->ballot;
        break;
    case PRIMARY_LESS_PREPARED:
    case PRIMARY_LESS_COMMITTED:
        verdict->primary = 1;
        verdict->drop_count = 0;
        verdict->ballot = evidence->replicas[1]->ballot;
        break;
    case BALLOT: verdict->ballot++; break;
    case DROP_HIGH: verdict->drops[1] = 3; break;
    case DROP_NEGATIVE: verdict->drops[1] = -1; break;
    case DROP_TWICE: verdict->drops[1] = 1; break;
    case DROP_IS_PRIMARY: verdict->drops[1] = 0; break;
    case DROPS_MANY: verdict->drop_count = BR_DROPS_MAX + 1; break;
    default: break;
    }
    return BR_OK;
}

static const struct br_policy bad_policy = { .table = bad_table,
                                             .names = bad_names,
                                             .partition = bad_partition };
static const struct br_option bad_options[] = {
    BR_INTEGER(struct bad, way, .help = "What to do wrong.", .fallback = "0"), { 0 }
};
BR_PLUGIN(policy, bad, &bad_policy, .summary = "Wrong.", .version = "1.0", .license = "Apache-2.0",
          BR_STATE(struct bad, bad_options));

#define TABLE(what)     "ERROR: policy bad gave app(1) " what
#define PARTITION(what) "ERROR: policy bad gave partition(1.0) " what
#define A_NAME          "a name that is empty, too long, not UTF-8 or with control characters"

static const struct bad_case {
    const char *line; /* among the findings; NULL: none */
    const char *fail; /* no cluster: its sentence; NULL: there is one */
} bad_cases[WAYS] = {
    [WAY_GOOD] = { NULL, NULL },
    [TABLE_FAILS] = { NULL, "policy bad: table 1 is ugly (on table 1)" },
    [TABLE_FAILS_SILENTLY] = { NULL, "policy bad failed on table 1 and did not say why" },
    [TABLE_ID] = { TABLE("the id of another table"), "id of another" },
    [TABLE_STATUS] = { TABLE("a status other than available or dropped"), "status" },
    [TABLE_PARTITIONS] = { TABLE("a number of partitions that no node reports"), "partitions" },
    [TABLE_PARTITIONS_NEGATIVE] = { TABLE("an impossible number of partitions"), "partitions" },
    [TABLE_PARTITIONS_MANY] = { TABLE("an impossible number of partitions"), "partitions" },
    [TABLE_REPLICAS_MANY] = { TABLE("an impossible number of replicas"), "replicas" },
    [TABLE_REPLICAS] = { TABLE("an impossible number of replicas"), "replicas" },
    [TABLE_NAME_NULL] = { TABLE(A_NAME), "name" },
    [TABLE_NAME_CONTROL] = { TABLE(A_NAME), "name" },
    [TABLE_TYPE_EMPTY] = { TABLE("a type that is empty, too long, not UTF-8 or with control "
                                 "characters"),
                           "type" },
    [TABLE_ENVS] = { TABLE("impossible environments"), "environments" },
    [TABLE_ENVS_MANY] = { TABLE("impossible environments"), "environments" },
    [TABLE_ENV_NULL] = { TABLE("impossible environments"), "environments" },
    [TABLE_HOLE_LIVES] = { "ERROR: policy bad gave app(3) a status other than dropped, though no "
                           "node describes it",
                           "status" },
    [NAMES_FAIL] = { NULL, "policy bad: no names today (on the names)" },
    [NAMES_INDEX] = { "ERROR: policy bad gave a name to a table that is not there", "not there" },
    [NAMES_EMPTY] = { "ERROR: policy bad gave " A_NAME, "name" },
    [NAMES_UTF8] = { "ERROR: policy bad gave " A_NAME, "name" },
    [NAMES_LONG] = { "ERROR: policy bad gave " A_NAME, "name" },
    [NAMES_RESTLESS] = { "ERROR: policy bad gave other names in every round", "round" },
    [NAMES_SAME] = { "ERROR: policy bad leaves app(1) and app(2) with the same name (u)", NULL },
    [PARTITION_FAILS] = { NULL, "policy bad failed on partition 1.0 and did not say why" },
    [PRIMARY_HIGH] = { PARTITION("a primary that is none of its replicas"), NULL },
    [PRIMARY_NEGATIVE] = { PARTITION("a primary that is none of its replicas"), NULL },
    [PRIMARY_NONE] = { PARTITION("no primary without finding a loss"), NULL },
    [PRIMARY_NONE_DROPS] = { PARTITION("drops or a ballot without a primary"), NULL },
    [PRIMARY_NONE_BALLOT] = { PARTITION("drops or a ballot without a primary"), NULL },
    [PRIMARY_LESS_COMMITTED] = { "ERROR: policy bad gave partition(4.0) a primary that passes over "
                                 "a higher replica without finding a loss",
                                 NULL },
    [PRIMARY_LOWER] = { PARTITION("a primary that passes over a higher replica without finding a "
                                  "loss"),
                        NULL },
    [PRIMARY_LESS_PREPARED] = { "ERROR: policy bad gave partition(2.0) a primary that passes over "
                                "a "
                                "higher replica without finding a loss",
                                NULL },
    [BALLOT] = { PARTITION("a ballot that is not its primary's"), NULL },
    [DROP_HIGH] = { PARTITION("a drop that is none of its replicas"), NULL },
    [DROP_NEGATIVE] = { PARTITION("a drop that is none of its replicas"), NULL },
    [DROP_TWICE] = { PARTITION("one replica twice"), NULL },
    [DROP_IS_PRIMARY] = { PARTITION("one replica twice"), NULL },
    [DROPS_MANY] = { PARTITION("more drops than can be"), NULL },
};

START_TEST(bad_case)
{
    const struct bad_case *at = &bad_cases[_i];
    struct kit kit;
    struct buf yaml = { 0 };
    buf_printf(&yaml, "way: %d\n", _i);
    kit_init_with(&kit, &bridle_policy_bad, yaml.data, NULL);
    kit_nodes(&kit, 3);
    kit_table_everywhere(&kit, 1, "t", 1);
    kit_table_everywhere(&kit, 2, "u", 1);
    kit_table_everywhere(&kit, 4, "v", 1);
    for (int32_t i = 0; i < 3; i++) {
        kit_replica(&kit, i, 1, 0, i == 0 ? 6 : 5, 9, 9);
        kit_replica(&kit, i, 4, 0, 5, i == 0 ? 9 : 8, 9);
        kit_replica(&kit, i, 2, 0, 5, 9, i == 0 ? 10 : 9);
    }
    kit_judge(&kit);
    ck_assert_int_eq(kit.status != BR_OK, at->fail != NULL);
    if (at->fail)
        ck_assert_msg(strstr(kit.fail.text, at->fail) != NULL, "%s", kit.fail.text);
    if (at->line)
        kit_has(&kit, at->line);
    ck_assert_int_eq(kit_pass(&kit), _i == WAY_GOOD);
    kit_done(&kit);
    buf_done(&yaml);
}
END_TEST

START_TEST(bad_lacks_a_function)
{
    static const struct br_policy none = { .table = bad_table, .names = bad_names };
    struct kit kit;
    struct br_plugin desc = bridle_policy_bad;
    desc.ops.policy = &none;
    kit_init_with(&kit, &desc, "", NULL);
    kit_nodes(&kit, 1);
    kit_judge(&kit);
    ck_assert_int_eq(kit.status, BR_UNSUPPORTED);
    ck_assert_str_eq(kit.fail.text, "policy bad lacks one of its three functions");
    kit_done(&kit);
}
END_TEST

TCase *judge_bad_policy(void)
{
    TCase *tcase = tcase_create("bad policy");
    tcase_add_loop_test(tcase, bad_case, 0, WAYS);
    tcase_add_test(tcase, bad_lacks_a_function);
    return tcase;
}
