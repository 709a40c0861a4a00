/* ddl_alter -- what a table is called, and its environments (src/meta/server_state.cpp: rename_app,
 * set_app_envs, del_app_envs, clear_app_envs).
 *
 * Texts of answers are Apache Pegasus's: tools show them.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/ddl_run.h"

enum { ENV_SET = 1, ENV_DELETE = 2, ENV_CLEAR = 3 }; /* idl/meta_admin.thrift: app_env_operation */

const char *ddl_text(struct ddl_op *op, struct buf *text)
{
    const char *copy = arena_text(&op->arena, text->size ? text->data : "", text->size);
    buf_done(text);
    return copy;
}

void ddl_alter_begin(struct ddl_op *op)
{
    ddl_write(op, true, false);
}

void ddl_alter_written(struct ddl_op *op)
{
    ddl_set_def(op);
    ddl_end(op, DDL_OK);
}

/* -- Renaming --------------------------------------------------------------------------------- */

static const char *rename_check(struct ddl_op *op)
{
    struct buf text = { 0 };
    const char *error = ddl_check_named(op, true);
    if (error) {
        bool missing = strcmp(error, "ERR_APP_NOT_EXIST") == 0;
        buf_printf(&text,
                   missing ? "ERROR: app(%s) not exist!"
                           : "ERROR: app(%s) status can't execute rename.",
                   op->name);
        op->hint = ddl_text(op, &text);
        return error;
    }
    bool taken = ddl_taken(op->ddl->meta, op->new_name);
    if (taken)
        buf_printf(&text, "ERROR: app(%s) already exist!", op->new_name);
    else if (!config_table_name(op->new_name))
        buf_printf(&text, "ERROR: app(%s): a name is of letters, digits, '.', '_' and ':'",
                   op->new_name);
    if (text.size) {
        op->hint = ddl_text(op, &text);
        return "ERR_INVALID_PARAMETERS";
    }
    op->def = *ddl_def(op);
    op->def.name = op->new_name;
    return NULL;
}

static const struct ddl_kind rename_kind = {
    DDL_ALTER_KIND("new name"),
    .check = rename_check,
    .answer = ddl_answer_hint,
};

void ddl_rename_request(struct route *route)
{
    struct msg_rename_app_request request;
    if (!route_decode(route, &request))
        return;
    struct ddl_op *op = ddl_op_new(route->meta, &rename_kind, route);
    op->name = request.old_app_name;
    op->new_name = request.new_app_name;
    ddl_enter(op);
}

/* -- Environments ----------------------------------------------------------------------------- */

static const char *env_find(struct ddl_op *op)
{
    const char *error = ddl_check_named(op, false);
    if (error)
        op->hint = strcmp(error, "ERR_APP_NOT_EXIST") == 0 ? "app cannot be found"
                                                           : "app is being dropped";
    return error;
}

const char **ddl_envs_copy(struct ddl_op *op, uint32_t more)
{
    const struct br_table *def = ddl_def(op);
    const char **envs =
        arena_alloc(&op->arena, 2 * ((size_t) def->env_count + more + 1) * sizeof *envs);
    if (def->env_count)
        memcpy(envs, def->envs, 2 * (size_t) def->env_count * sizeof *envs);
    op->def = *def;
    op->def.envs = envs;
    return envs;
}

uint32_t ddl_envs_place(const struct br_table *def, const char *key)
{
    uint32_t at = 0;
    while (at < def->env_count && strcmp(def->envs[2 * at], key) != 0)
        at++;
    return at;
}

void ddl_envs_put(struct br_table *def, const char **envs, const char *key, const char *value)
{
    uint32_t at = ddl_envs_place(def, key);
    envs[2 * at] = key;
    envs[2 * at + 1] = value;
    def->env_count += at == def->env_count;
}

void ddl_envs_remove(struct br_table *def, const char **envs, uint32_t at)
{
    memmove(&envs[2 * at], &envs[2 * (at + 1)],
            2 * (size_t) (def->env_count - at - 1) * sizeof *envs);
    def->env_count--;
}

static const char *env_set_check(struct ddl_op *op)
{
    for (uint32_t i = 0; i < op->env_count; i++) {
        op->hint = ddl_env_wrong(&op->arena, op->envs[i].key, op->envs[i].value);
        if (op->hint)
            return "ERR_INVALID_PARAMETERS";
    }
    const char *error = env_find(op);
    if (error)
        return error;
    const char **envs = ddl_envs_copy(op, op->env_count);
    for (uint32_t i = 0; i < op->env_count; i++)
        ddl_envs_put(&op->def, envs, op->envs[i].key, op->envs[i].value);
    if (ddl_storable(op, &op->def))
        return NULL;
    op->hint = "the table's record cannot be stored: it is too large, or its text is not UTF-8";
    return "ERR_INVALID_PARAMETERS";
}

/* In the answer, each on a line; where there was none, all is done. */
static const char *env_deleted(struct ddl_op *op, struct buf *text)
{
    if (text->size) {
        op->hint = ddl_text(op, text);
        return NULL;
    }
    op->hint = "no key needs to be deleted";
    return DDL_OK;
}

static void env_delete_at(struct ddl_op *op, const char **envs, uint32_t at, struct buf *text)
{
    buf_printf(text, "%s\n    %s", text->size ? "" : "deleted keys:", envs[2 * at]);
    ddl_envs_remove(&op->def, envs, at);
}

static const char *env_delete_check(struct ddl_op *op)
{
    struct buf text = { 0 };
    const char *error = env_find(op);
    if (error)
        return error;
    const char **envs = ddl_envs_copy(op, 0);
    for (uint32_t i = 0; i < op->env_count; i++) {
        uint32_t at = ddl_envs_place(&op->def, op->keys[i]);
        if (at < op->def.env_count)
            env_delete_at(op, envs, at, &text);
    }
    return env_deleted(op, &text);
}

/* "business" clears "business.info", and neither "business." nor "businesses.x". */
static bool env_below(const char *key, const char *prefix)
{
    size_t size = strlen(prefix);
    return size == 0
           || (strlen(key) > size + 1 && strncmp(key, prefix, size) == 0 && key[size] == '.');
}

static const char *env_clear_check(struct ddl_op *op)
{
    struct buf text = { 0 };
    const char *error = env_find(op);
    if (error)
        return error;
    const char **envs = ddl_envs_copy(op, 0);
    for (uint32_t i = 0; i < op->def.env_count;) {
        if (env_below(envs[2 * i], op->prefix))
            env_delete_at(op, envs, i, &text);
        else
            i++;
    }
    return env_deleted(op, &text);
}

static const struct ddl_kind env_kinds[] = {
    [ENV_SET] = { DDL_ALTER_KIND("environments"), .check = env_set_check,
                  .answer = ddl_answer_hint },
    [ENV_DELETE] = { DDL_ALTER_KIND("deletion of environments"), .check = env_delete_check,
                     .answer = ddl_answer_hint },
    [ENV_CLEAR] = { DDL_ALTER_KIND("clearing of environments"), .check = env_clear_check,
                    .answer = ddl_answer_hint },
};

static bool env_request_good(const struct msg_update_app_env_request *request)
{
    uint32_t count = request->keys.count;
    switch (request->op) {
    case ENV_SET: return count > 0 && count <= DDL_ENVS_MAX && request->values.count == count;
    case ENV_DELETE: return count > 0 && count <= DDL_ENVS_MAX;
    case ENV_CLEAR: return WIRE_HAS(request, 5);
    default: return false;
    }
}

void ddl_env_request(struct route *route)
{
    struct msg_update_app_env_request request;
    if (!route_decode(route, &request))
        return;
    if (!env_request_good(&request)) {
        route_error(route, "ERR_INVALID_PARAMETERS");
        return;
    }
    struct ddl_op *op = ddl_op_new(route->meta, &env_kinds[request.op], route);
    op->name = request.app_name;
    op->prefix = request.clear_prefix;
    op->keys = request.keys.items;
    op->env_count = request.keys.count;
    if (request.op == ENV_SET) {
        const char **values = request.values.items;
        op->envs = arena_alloc(&op->arena, op->env_count * sizeof *op->envs);
        for (uint32_t i = 0; i < op->env_count; i++)
            op->envs[i] = (struct wire_pair){ .key = op->keys[i], .value = values[i] };
    }
    ddl_enter(op);
}
