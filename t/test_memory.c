/* test_memory -- what only store_memory has: its limit, and that its instances share nothing. */
#include "t/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
    conform_setup();
    conform.options[0] = NULL;
}

START_TEST(nodes_max_is_reached)
{
    conform.options[0] = "nodes_max=3";
    conform.options[1] = NULL;
    struct instance *in = instance_new();
    const struct br_write writes[] = {
        { .kind = BR_CREATE, .path = "/1" }, { .kind = BR_CREATE, .path = "/2" },
        { .kind = BR_CREATE, .path = "/3" }, { .kind = BR_CREATE, .path = "/4" },
        { .kind = BR_DELETE, .path = "/1" },
    };
    ck_assert_int_eq(conform_commit(in, writes, 4), BR_TOOBIG);
    ck_assert_msg(strstr(conform.text, "nodes_max") != NULL, "%s", conform.text);
    ck_assert_int_eq(conform_commit(in, writes, 3), BR_OK);
    ck_assert_int_eq(conform_commit(in, writes + 3, 1), BR_TOOBIG);
    ck_assert_int_eq(conform_commit(in, writes + 4, 1), BR_OK);
    ck_assert_int_eq(conform_commit(in, writes + 3, 1), BR_OK);
    instance_free(in);
}
END_TEST

START_TEST(instances_share_nothing)
{
    struct instance *in = instance_new(), *other = instance_new();
    ck_assert_int_eq(conform_write(in, BR_CREATE, "/a", "", 0), BR_OK);
    ck_assert_int_eq(conform_get(other, "/a", NULL, NULL), BR_NOTFOUND);
    ck_assert_int_eq(conform_write(other, BR_CREATE, "/a", "", 0), BR_OK);
    instance_free(in);
    ck_assert_int_eq(conform_get(other, "/a", NULL, NULL), BR_OK);
    instance_free(other);
}
END_TEST

/* Well past the table's first size, and all gone again. */
START_TEST(table_grows)
{
    enum { BATCH = 1000, BATCHES = 20 };
    static char paths[BATCH][32];
    static struct br_write writes[BATCH];
    struct instance *in = instance_new();
    for (int pass = 0; pass < 2 * BATCHES; pass++) {
        for (int i = 0; i < BATCH; i++) {
            snprintf(paths[i], sizeof paths[i], "/%d", pass % BATCHES * BATCH + i);
            writes[i] = (struct br_write){ .kind = pass < BATCHES ? BR_CREATE : BR_DELETE,
                                           .path = paths[i],
                                           .value = { paths[i], strlen(paths[i]) } };
        }
        ck_assert_msg(conform_commit(in, writes, BATCH) == BR_OK, "%s", conform.text);
        struct buf value = { 0 };
        br_status expected = pass < BATCHES ? BR_OK : BR_NOTFOUND;
        ck_assert_int_eq(conform_get(in, paths[BATCH - 1], &value, NULL), expected);
        if (expected == BR_OK)
            ck_assert_str_eq(value.data, paths[BATCH - 1]);
        buf_done(&value);
    }
    instance_free(in);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("memory");
    conform_load(1, (char *[]){ "memory" }, NULL);
    tcase_add_checked_fixture(tcase, setup, conform_teardown);
    tcase_add_test(tcase, nodes_max_is_reached);
    tcase_add_test(tcase, instances_share_nothing);
    tcase_add_test(tcase, table_grows);
    return test_run("memory", tcase, NULL);
}
