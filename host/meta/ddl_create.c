/* ddl_create -- a table is made (src/meta/server_state.cpp: create_app), in a root that may have
 * to be made first, and the tables of the configuration (initialize_default_apps).
 *
 * The root of an empty store is made in one group: its components, `apps` as "unlock" at once, and
 * the two empty nodes that Apache Pegasus expects beside it.  Nothing or all of it is there,
 * whenever we die, and Apache Pegasus takes both for an empty cluster; "lock", which it writes
 * meanwhile, would make it refuse to start.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"
#include "host/meta/ddl_run.h"
#include "host/meta/guardian.h"
#include "host/recovery/rows.h"

/* -- The root --------------------------------------------------------------------------------- */

static void root_look_now(struct ddl *ddl);

/* The paths that make up a root, parents first: its components, then what stands in it. */
static const char **root_paths(const struct meta *meta, struct arena *arena, uint32_t *ret_count)
{
    static const char *const inside[] = { "/apps", "/backup", "/bulk_load" };
    const char *root = buf_string(&meta->root);
    size_t size = strcmp(root, "/") == 0 ? 0 : strlen(root);
    uint32_t count = 0;
    uint32_t most = 3;
    for (size_t i = 0; i < size; i++)
        most += root[i] == '/';
    const char **paths = arena_alloc(arena, most * sizeof *paths);
    for (size_t i = 1; i <= size; i++) {
        if (i == size || root[i] == '/')
            paths[count++] = arena_text(arena, root, i);
    }
    for (int i = 0; i < 3; i++) {
        struct buf path = { 0 };
        buf_put(&path, root, size);
        buf_text(&path, inside[i]);
        paths[count++] = arena_text(arena, path.data, path.size);
        buf_done(&path);
    }
    *ret_count = count;
    return paths;
}

static void root_again(void *arg)
{
    struct ddl *ddl = arg;
    ddl->again = NULL;
    root_look_now(ddl);
}

static void root_wait(struct ddl *ddl, const char *why)
{
    meta_log(ddl->meta, BR_WARN, "the root %s cannot be made: %s; trying again in 1 s",
             buf_string(&ddl->meta->root), why);
    ddl->again = loop_after(ddl->meta->loop, META_RETRY, root_again, ddl);
}

/* Tables that wait for it are written now. */
static void root_made(struct ddl *ddl)
{
    struct state *state = &ddl->meta->state;
    ddl->root = DDL_ROOT_MADE;
    for (uint32_t i = 0; i < state->cluster.table_count; i++) {
        struct ddl_ops *ops = state->tables[i].ddl;
        struct ddl_op *op = ops ? TAILQ_FIRST(ops) : NULL;
        if (op && state->cluster.tables[i].def.status == BR_TABLE_CREATING)
            ddl_write(op, true, true);
    }
}

static void root_written(void *arg, br_status status, const char *why)
{
    struct ddl *ddl = arg;
    ddl->making = NULL;
    if (status)
        root_wait(ddl, why);
    else
        root_made(ddl);
}

static void root_looked(void *arg, struct call_answer *answer)
{
    struct ddl *ddl = arg;
    struct rows rows = rows_of(answer);
    struct arena arena;
    uint32_t count;
    ddl->look = NULL;
    if (answer->status) {
        root_wait(ddl, answer->message);
        return;
    }
    arena_init(&arena, 1024);
    const char **paths = root_paths(ddl->meta, &arena, &count);
    struct write_group *group = writer_begin(ddl->meta->writer);
    for (uint32_t i = 0; i < count; i++) {
        const struct br_value *value = rows_value(&rows);
        bool apps = i + 3 == count;
        if (value && value->status == BR_NOTFOUND)
            writer_add(group, BR_CREATE, paths[i],
                       apps ? (br_bytes){ LAYOUT_UNLOCK, strlen(LAYOUT_UNLOCK) }
                            : (br_bytes){ NULL, 0 });
        else if (apps && value)
            writer_add(group, BR_PUT, paths[i], (br_bytes){ LAYOUT_UNLOCK, strlen(LAYOUT_UNLOCK) });
    }
    arena_done(&arena);
    ddl->making = group;
    writer_issue(group, root_written, ddl);
}

static void root_look_now(struct ddl *ddl)
{
    struct arena memory;
    uint32_t count;
    arena_init(&memory, 1024);
    const char **paths = root_paths(ddl->meta, &memory, &count);
    ddl->root = DDL_ROOT_MAKING;
    ddl->look = store_read(ddl->meta->store, paths, count, &memory, 0, root_looked, ddl);
}

void ddl_root_forget(struct ddl *ddl)
{
    if (ddl->look)
        call_forget(ddl->look);
    if (ddl->making)
        writer_forget(ddl->making);
    timer_cancel(ddl->again);
}

/* -- Creating --------------------------------------------------------------------------------- */

const char *ddl_replicas_wrong(struct arena *arena, const struct meta *meta, int64_t count)
{
    struct buf text = { 0 };
    int64_t most = meta->config->meta.max_allowed_replica_count;
    if (count < 1 || count > most)
        buf_printf(&text,
                   "requested replica count(%lld) must be within the range of [min=1, max=%lld]",
                   (long long) count, (long long) most);
    else if (count > ddl_alive(meta))
        buf_printf(&text,
                   "there are not enough alive replica servers(%u) for the requested replica "
                   "count(%lld)",
                   ddl_alive(meta), (long long) count);
    const char *wrong = text.size ? arena_text(arena, text.data, text.size) : NULL;
    buf_done(&text);
    return wrong;
}

static const char *create_env_wrong(struct ddl_op *op)
{
    const char *wrong = NULL;
    for (uint32_t i = 0; i < op->def.env_count && !wrong; i++)
        wrong = ddl_create_env_wrong(&op->arena, op->def.envs[2 * i], op->def.envs[2 * i + 1],
                                     op->ddl->meta->version);
    return wrong;
}

/* What is asked for can be no table, whatever there is already; NULL: it can. */
static const char *create_wrong(struct ddl_op *op)
{
    const struct br_table *def = &op->def;
    if (def->partition_count <= 0 || def->partition_count > BR_PARTITIONS_MAX)
        return "a table has 1 to 1048576 partitions";
    if (!config_table_name(def->name))
        return "a table's name is of letters, digits, '.', '_' and ':'";
    if (strcmp(def->type, "pegasus") != 0 || !(def->flags & BR_TABLE_STATEFUL))
        return "the only kind of table is pegasus, stateful";
    const char *wrong = create_env_wrong(op);
    if (!wrong && !op->trusted)
        wrong = ddl_replicas_wrong(&op->arena, op->ddl->meta, def->replica_count);
    if (!wrong && !ddl_storable(op, def))
        wrong = "its record cannot be stored: it is too large, or its text is not UTF-8";
    return wrong;
}

static const char *create_env(const struct br_table *def, const char *key)
{
    for (uint32_t i = 0; i < def->env_count; i++) {
        if (strcmp(def->envs[2 * i], key) == 0)
            return def->envs[2 * i + 1];
    }
    return NULL;
}

/* Is the table that is there the one that is asked for? */
static bool create_same(const struct br_table *asked, const struct br_table *there)
{
    bool same = asked->partition_count == there->partition_count
                && asked->replica_count == there->replica_count
                && strcmp(asked->type, there->type) == 0 && asked->env_count == there->env_count
                && (there->flags & BR_TABLE_STATEFUL);
    for (uint32_t i = 0; same && i < there->env_count; i++) {
        const char *value = create_env(asked, there->envs[2 * i]);
        same = value && strcmp(value, there->envs[2 * i + 1]) == 0;
    }
    return same;
}

static const char *create_exists(struct ddl_op *op, const struct br_table *there)
{
    switch (there->status) {
    case BR_TABLE_CREATING:
    case BR_TABLE_RECALLING: return "ERR_BUSY_CREATING";
    case BR_TABLE_DROPPING: return "ERR_BUSY_DROPPING";
    default: break;
    }
    if (!op->flag)
        return "ERR_APP_EXIST";
    if (!create_same(&op->def, there))
        return "ERR_INVALID_PARAMETERS";
    op->id = there->id;
    return DDL_OK;
}

/* Ids are never used again: above all that were ever seen. */
static const char *create_add(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    const struct cluster *cluster = &meta->state.cluster;
    int32_t id = meta->highest_id;
    if (id < meta->config->meta.min_table_id - 1)
        id = (int32_t) meta->config->meta.min_table_id - 1;
    if (cluster->table_count && cluster->tables[cluster->table_count - 1].def.id > id)
        id = cluster->tables[cluster->table_count - 1].def.id;
    op->def.id = id + 1;
    op->def.status = BR_TABLE_CREATING;
    if (id >= BR_TABLE_ID_MAX || state_add_table(&meta->state, &op->def) < 0) {
        op->hint = "there are too many tables or partitions, or the ids are used up";
        return "ERR_CAPACITY_EXCEEDED";
    }
    op->def.status = BR_TABLE_AVAILABLE;
    op->id = op->def.id;
    meta->highest_id = op->id;
    return NULL;
}

/* src/meta/server_state.cpp: create_app; the order of the checks is its. */
static const char *create_check(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    if (!op->trusted && meta_level_now(meta) <= LEVEL_FREEZED)
        return "ERR_STATE_FREEZED";
    op->hint = create_wrong(op);
    if (op->hint)
        return "ERR_INVALID_PARAMETERS";
    const struct table *there = ddl_named(meta, op->def.name);
    if (there)
        return create_exists(op, &there->def);
    if (ddl_taken(meta, op->def.name))
        return "ERR_APP_EXIST";
    op->hint = meta_create_wrong(meta);
    if (op->hint)
        return "ERR_INVALID_STATE"; /* C6 */
    return create_add(op);
}

static void create_begin(struct ddl_op *op)
{
    if (op->ddl->root == DDL_ROOT_MADE)
        ddl_write(op, true, true);
    else if (op->ddl->root == DDL_ROOT_UNKNOWN)
        root_look_now(op->ddl);
}

static void create_written(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    ddl_set_status(op, BR_TABLE_AVAILABLE);
    guardian_scan(meta);
    ddl_end(op, DDL_OK);
}

static void create_answer(struct ddl_op *op, const char *error)
{
    struct msg_create_app_response response;
    wire_init(&wire_create_app_response, &response);
    response.err = error;
    response.appid = strcmp(error, DDL_OK) == 0 ? op->id : 0;
    ddl_reply(op, &response);
}

static const struct ddl_kind create_kind = {
    .name = "creation",
    .check = create_check,
    .begin = create_begin,
    .written = create_written,
    .answer = create_answer,
    .write = BR_CREATE,
};

/* A key that stands there twice counts once, with its last value, as in a map. */
static void create_envs(struct ddl_op *op, const struct wire_pair *pairs, uint32_t count)
{
    const char **envs = arena_alloc(&op->arena, 2 * (count + 1ul) * sizeof *envs);
    op->def.envs = envs;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < op->def.env_count && strcmp(envs[2 * at], pairs[i].key) != 0)
            at++;
        envs[2 * at] = pairs[i].key;
        envs[2 * at + 1] = pairs[i].value;
        op->def.env_count += at == op->def.env_count;
    }
}

void ddl_create_request(struct route *route)
{
    struct meta *meta = route->meta;
    struct msg_create_app_request request;
    const struct msg_create_app_options *options = &request.options;
    if (!route_decode(route, &request))
        return;
    if (options->envs.count > DDL_ENVS_MAX) {
        route_error(route, "ERR_INVALID_PARAMETERS");
        return;
    }
    struct ddl_op *op = ddl_op_new(meta, &create_kind, route);
    bool idempotent = meta->version == LAYOUT_26 && options->atomic_idempotent;
    op->name = request.app_name;
    op->flag = options->success_if_exist;
    op->def = (struct br_table){
        .node = -1,
        .name = request.app_name,
        .type = options->app_type,
        .partition_count = options->partition_count,
        .init_partition_count = options->partition_count,
        .replica_count = options->replica_count,
        .create_second = (int64_t) time(NULL),
        .flags = (options->is_stateful ? BR_TABLE_STATEFUL : 0u)
                 | (idempotent ? BR_TABLE_ATOMIC_IDEMPOTENT : 0u),
    };
    create_envs(op, options->envs.items, options->envs.count);
    ddl_enter(op);
}

/* -- The configuration's tables ---------------------------------------------------------------- */

static void default_table(struct ddl *ddl, const struct config_app *app)
{
    struct ddl_op *op = ddl_op_new(ddl->meta, &create_kind, NULL);
    struct wire_pair *pairs;
    uint32_t count = 0;
    while (app->envs[count])
        count++;
    pairs = arena_alloc(&op->arena, (count + 1ul) * sizeof *pairs);
    for (uint32_t i = 0; i < count; i++) {
        const char *equals = strchr(app->envs[i], '='); /* config_fill_apps saw to it */
        pairs[i].key = arena_text(&op->arena, app->envs[i], (size_t) (equals - app->envs[i]));
        pairs[i].value = equals + 1;
    }
    op->name = app->name;
    op->trusted = true;
    op->def = (struct br_table){
        .node = -1,
        .name = app->name,
        .type = app->app_type,
        .partition_count = (int32_t) app->partition_count,
        .init_partition_count = -1,
        .replica_count = (int32_t) app->max_replica_count,
        .create_second = (int64_t) time(NULL),
        .flags = BR_TABLE_STATEFUL,
    };
    create_envs(op, pairs, count);
    ddl_enter(op);
}

void ddl_default_tables(struct ddl *ddl)
{
    for (uint32_t i = 0; i < ddl->meta->config->app_count; i++)
        default_table(ddl, &ddl->meta->config->apps[i]);
}
