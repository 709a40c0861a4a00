/* tiny -- the least store that loads: every read finds nothing, every commit is done at once. */
#ifndef T_PLUGINS_TINY_H
#define T_PLUGINS_TINY_H

#include <bridle/plugin.h>

static inline void tiny_read(struct br_env *env, const char *const *paths, uint32_t count,
                             struct br_call *call)
{
    (void) env;
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    struct br_value *values = br_rows(call, count * sizeof *values);
    for (uint32_t i = 0; i < count; i++)
        values[i] = (struct br_value){ .status = paths[i] ? BR_NOTFOUND : BR_OK };
    *chunk = (struct br_chunk){
        .kind = BR_ROW_VALUE, .row_size = sizeof *values, .count = count, .rows = values
    };
    br_reply_rows(call, chunk);
}

static inline void tiny_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    br_reply_fail(call, BR_NOTFOUND, "%s: no such node", path);
}

static inline void tiny_commit(struct br_env *env, const struct br_write *const *writes,
                               uint32_t count, struct br_call *call)
{
    (void) env;
    (void) writes;
    (void) count;
    br_reply_ok(call);
}

static const struct br_store tiny_store = {
    .read = tiny_read,
    .list = tiny_list,
    .commit = tiny_commit,
};

#endif
