/* test_oracle -- 160 random clusters and what a real Apache Pegasus 2.5.0 meta server answered and
 * wrote for each (oracle/README.md): the historical mode must equal all of it.
 *
 * Three allowances: a dead node's error may be ERR_NETWORK_FAILURE or ERR_TIMEOUT, a placeholder's
 * expire_second is the time of the run, and conflicting names are written with "__".
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/address.h"
#include "t/judge_kit.h"

#define ORACLE_CASES 160

static bool oracle_absent;

static json_t *oracle_load(int number, const char *what)
{
    char path[64];
    json_error_t error;
    snprintf(path, sizeof path, "oracle/cases/%d.%s.json", number, what);
    const char *full = test_reference(path);
    ck_assert_ptr_nonnull(full);
    json_t *root = json_load_file(full, 0, &error);
    ck_assert_msg(root != NULL, "%s: %s", full, error.text);
    return root;
}

static int64_t oracle_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *oracle_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* -- The survey that the cluster would give ---------------------------------------------------- */

static void oracle_table(struct kit *kit, int32_t node, const json_t *app)
{
    json_t *envs = json_object_get(app, "envs");
    struct br_table *table =
        kit_table(kit, node, (int32_t) oracle_number(app, "id"), oracle_text(app, "name"),
                  (int32_t) oracle_number(app, "partitions"));
    table->status = (int32_t) oracle_number(app, "status");
    table->replica_count = (int32_t) oracle_number(app, "replicas");
    table->expire_second = oracle_number(app, "expire");
    table->create_second = oracle_number(app, "create");
    table->drop_second = oracle_number(app, "drop");
    table->init_partition_count = (int32_t) oracle_number(app, "init_partitions");
    if (oracle_number(app, "duplicating"))
        table->flags |= BR_TABLE_DUPLICATING;
    table->env_count = (uint32_t) json_object_size(envs);
    const char **pairs = arena_alloc(&kit->arena, 2 * table->env_count * sizeof *pairs);
    const char *key;
    json_t *value;
    size_t at = 0;
    json_object_foreach(envs, key, value)
    {
        pairs[at++] = key;
        pairs[at++] = json_string_value(value);
    }
    table->envs = pairs;
}

static void oracle_node(struct kit *kit, int32_t node, const json_t *spec, const char *dead_error)
{
    size_t i;
    json_t *row;
    if (json_is_true(json_object_get(spec, "dead"))) {
        kit_silent(kit, node, dead_error);
        return;
    }
    json_array_foreach(json_object_get(spec, "apps"), i, row)
    {
        oracle_table(kit, node, row);
    }
    json_array_foreach(json_object_get(spec, "replicas"), i, row)
    {
        struct br_replica *replica =
            kit_replica(kit, node, (int32_t) oracle_number(row, "app"),
                        (int32_t) oracle_number(row, "p"), oracle_number(row, "ballot"),
                        oracle_number(row, "committed"), oracle_number(row, "prepared"));
        replica->role = (br_role) oracle_number(row, "status");
        replica->durable = oracle_number(row, "durable");
    }
}

static const json_t *oracle_find(const json_t *nodes, const char *name)
{
    size_t i;
    json_t *node;
    json_array_foreach(nodes, i, node)
    {
        if (strcmp(oracle_text(node, "node"), name) == 0)
            return node;
    }
    ck_abort_msg("%s is not described", name);
    return NULL;
}

static void oracle_survey(struct kit *kit, const json_t *spec, const char *dead_error)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(spec, "list"), i, name)
    {
        const char *text = json_string_value(name);
        uint64_t address;
        ck_assert(address_parse(text, &address));
        kit_node(kit, text, address);
        oracle_node(kit, (int32_t) i, oracle_find(json_object_get(spec, "nodes"), text),
                    dead_error);
    }
}

/* -- The comparison ---------------------------------------------------------------------------- */

static void oracle_record(const json_t *tree, int number, const struct buf *path,
                          const struct buf *record)
{
    const char *real = oracle_text(tree, path->data);
    ck_assert_msg(real && strcmp(real, record->data) == 0,
                  "case %d, %s:\nours %.1500s\nreal %.1500s", number, path->data, record->data,
                  real ? real : "nothing");
}

/* The time at which the real one ran, from its placeholders. */
static int64_t oracle_second(const json_t *tree)
{
    const char *path;
    json_t *value;
    json_object_foreach((json_t *) (uintptr_t) tree, path, value)
    {
        const char *text = json_string_value(value);
        const char *at = strstr(text, "\"app_name\":\"__drop_holder__");
        if (at && (at = strstr(at, "\"expire_second\":")))
            return strtoll(at + strlen("\"expire_second\":"), NULL, 10);
    }
    return 0;
}

static size_t oracle_table_records(const struct kit *kit, const struct table *table,
                                   const json_t *tree, int number)
{
    struct buf path = { 0 };
    struct buf record = { 0 };
    layout_table_path(&path, "/", table->def.id);
    layout_put_table(&record, &table->def, LAYOUT_25);
    oracle_record(tree, number, &path, &record);
    for (int32_t i = 0; i < table->def.partition_count; i++) {
        buf_clear(&path);
        buf_clear(&record);
        layout_partition_path(&path, "/", table->def.id, i);
        layout_put_partition(&record, &kit->cluster, table->def.id, table->def.replica_count, i,
                             &table->partitions[i], LAYOUT_25);
        oracle_record(tree, number, &path, &record);
    }
    buf_done(&path);
    buf_done(&record);
    return 1 + (size_t) table->def.partition_count;
}

static void oracle_tree(const struct kit *kit, const json_t *tree, int number)
{
    size_t records = 1; /* apps itself */
    if (!kit_pass(kit)) {
        ck_assert_uint_eq(json_object_size(tree), 0);
        return;
    }
    ck_assert_str_eq(oracle_text(tree, "/apps"), LAYOUT_UNLOCK);
    for (uint32_t i = 0; i < kit->cluster.table_count; i++)
        records += oracle_table_records(kit, &kit->cluster.tables[i], tree, number);
    ck_assert_uint_eq(json_object_size(tree), records);
}

static void oracle_answer(const struct kit *kit, const json_t *real, int number)
{
    const char *err = kit_pass(kit) ? "ERR_OK" : "ERR_TRY_AGAIN";
    ck_assert_msg(strcmp(err, oracle_text(real, "err")) == 0, "case %d: ours %s, real %s\n%.1500s",
                  number, err, oracle_text(real, "err"), buf_string(&kit->text));
    const char *hint = oracle_text(real, "hint");
    ck_assert_msg(strcmp(buf_string(&kit->text), hint) == 0, "case %d:\nours\n%.1500sreal\n%.1500s",
                  number, buf_string(&kit->text), hint);
}

START_TEST(oracle_case)
{
    int number = _i;
    if (oracle_absent)
        return;
    json_t *spec = oracle_load(number, "spec");
    json_t *real = oracle_load(number, "real");
    const json_t *tree = json_object_get(real, "tree");
    const char *consents[3] = { NULL };
    int count = 0;
    if (json_is_true(json_object_get(spec, "skip_bad")))
        consents[count++] = "skip_bad_nodes";
    if (json_is_true(json_object_get(spec, "skip_lost")))
        consents[count++] = "skip_lost_partitions";
    bool timeout = strstr(oracle_text(real, "hint"), "err(ERR_TIMEOUT)") != NULL;
    struct kit kit;
    kit_init(&kit, "mode: historical\n", consents);
    oracle_survey(&kit, spec, timeout ? "ERR_TIMEOUT" : "ERR_NETWORK_FAILURE");
    kit.survey.second = oracle_second(tree);
    survey_find(&kit.survey, &kit.findings);
    if (findings_pass(&kit.findings))
        kit_judge(&kit);
    else
        findings_put(&kit.findings, &kit.text);
    oracle_answer(&kit, real, number);
    oracle_tree(&kit, tree, number);
    kit_done(&kit);
    json_decref(real);
    json_decref(spec);
}
END_TEST

int main(void)
{
    oracle_absent = test_reference("oracle/cases/1.spec.json") == NULL;
    if (oracle_absent)
        return 77;
    TCase *tcase = tcase_create("oracle");
    tcase_add_loop_test(tcase, oracle_case, 1, ORACLE_CASES + 1);
    int status = test_run("oracle", tcase, NULL);
    printf("%d clusters compared with a real meta server's: %s\n", ORACLE_CASES,
           status ? "they differ" : "all equal");
    return status;
}
