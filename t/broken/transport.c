/* transport -- one node, which is not asked but known by heart; broken. */
#include "broken.h"

#define NODE "10.0.0.1:34801"
#define ROWS 4

#ifdef IS_twice
#define AFTER(call) br_reply_rows(call, NULL)
#else
#define AFTER(call) (void) call
#endif

static bool broken_is_up(const char *node, struct br_call *call)
{
    if (strcmp(node, NODE) == 0)
        return true;
#ifdef IS_empty /* a node that is down is taken for one that holds nothing */
    br_reply_rows(call, NULL);
#else
    br_reply_fail(call, BR_UNAVAILABLE, "%s is down", node);
#endif
    return false;
}

static void broken_reply(struct br_call *call, int32_t kind, const void *rows, uint32_t row_size,
                         uint32_t count)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    *chunk = (struct br_chunk){ .kind = kind, .row_size = row_size, .count = count, .rows = rows };
    br_reply_rows(call, chunk);
    AFTER(call);
}

static void broken_nodes(struct br_env *env, struct br_call *call)
{
    static const char *const names[] = { NODE, NODE };
    const char **rows = br_rows(call, sizeof names);
    (void) env;
    memcpy(rows, names, sizeof names);
#ifdef IS_nodestwice
    broken_reply(call, BR_ROW_NAME, rows, sizeof *rows, 2);
#else
    broken_reply(call, BR_ROW_NAME, rows, sizeof *rows, 1);
#endif
}

static void broken_tables(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    (void) env;
    if (!broken_is_up(node, call))
        return;
#ifdef IS_blocks
    broken_pass_time();
#endif
    struct br_table *row = br_rows(call, sizeof *row);
    *row = (struct br_table){ .node = index,
                              .id = 1,
                              .status = BR_TABLE_AVAILABLE,
                              .partition_count = ROWS,
                              .replica_count = 3,
                              .name = "temp",
                              .type = "pegasus" };
#ifdef IS_ownstrings /* a name that is gone when the host reads it */
    char name[16];
    memcpy(name, "temp", sizeof "temp");
    row->name = name;
#endif
    broken_reply(call, BR_ROW_TABLE, row, sizeof *row, 1);
}

static void broken_replicas(struct br_env *env, const char *node, int32_t index,
                            struct br_call *call)
{
    (void) env;
    if (!broken_is_up(node, call))
        return;
#ifdef IS_never
    return;
#endif
    struct br_replica *rows = br_rows(call, ROWS * sizeof *rows);
    for (int32_t i = 0; i < ROWS; i++)
        rows[i] = (struct br_replica){ .node = index,
                                       .table = 1,
                                       .partition = i,
                                       .role = BR_ROLE_INACTIVE,
                                       .type = "pegasus",
                                       .disk = "ssd" };
#ifdef IS_index /* of whoever was asked first */
    rows[ROWS - 1].node = 0;
#endif
#ifdef IS_role
    rows[1].role = 77;
#endif
#ifdef IS_rowsize
    broken_reply(call, BR_ROW_REPLICA, rows, 32, ROWS);
#else
    broken_reply(call, BR_ROW_REPLICA, rows, sizeof *rows, ROWS);
#endif
}

static const struct br_transport broken_transport = {
    .nodes = broken_nodes,
    .tables = broken_tables,
    .replicas = broken_replicas,
};

BROKEN_PLUGIN(transport, NAME, &broken_transport, .summary = "A broken transport.", .version = "1",
              .license = "Apache-2.0");
