/* recovery_sick -- see recovery.h. */
#include "t/recovery.h"

static struct sick {
    struct plugin *inner;
    int left; /* calls until it fails */
    enum sickness sickness;
} sick;

static const struct br_chunk *sick_values(struct br_call *call, uint32_t count)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    struct br_value *values = br_rows(call, count * sizeof *values);
    for (uint32_t i = 0; i < count; i++)
        values[i] = (struct br_value){ .status = BR_NOTFOUND };
    *chunk = (struct br_chunk){
        .kind = BR_ROW_VALUE, .row_size = sizeof *values, .count = count, .rows = values
    };
    return chunk;
}

static const struct br_chunk *sick_names(struct br_call *call, uint32_t count, const char *name)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    const char **names = br_rows(call, count * sizeof *names);
    for (uint32_t i = 0; i < count; i++)
        names[i] = name;
    *chunk = (struct br_chunk){
        .kind = BR_ROW_NAME, .row_size = sizeof *names, .count = count, .rows = names
    };
    return chunk;
}

static void sick_read(struct br_env *env, const char *const *paths, uint32_t count,
                      struct br_call *call)
{
    (void) env;
    if (sick.left-- > 0)
        sick.inner->ops.store.read(&sick.inner->owner.env, paths, count, call);
    else if (sick.sickness == SICK_FEW)
        br_reply_rows(call, NULL);
    else if (sick.sickness == SICK_FORGETS)
        br_reply_rows(call, sick_values(call, count));
    else
        br_reply_fail(call, BR_DENIED, "not for you");
}

static void sick_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    if (sick.left-- > 0)
        sick.inner->ops.store.list(&sick.inner->owner.env, path, call);
    else if (sick.sickness == SICK_TWICE)
        br_reply_rows(call, sick_names(call, 2, "7"));
    else if (sick.sickness == SICK_MANY)
        br_reply_rows(call, sick_names(call, BR_TABLES_MAX + 1, "7"));
    else
        br_reply_fail(call, BR_DENIED, "not for you");
}

static const struct br_store sick_store = { .read = sick_read, .list = sick_list };

BR_PLUGIN(store, sick, &sick_store, .summary = "A store that fails.", .version = "1",
          .license = "Apache-2.0");

struct plugin *recovery_sick(struct plugin *inner)
{
    sick.inner = inner;
    return recovery_open(&bridle_store_sick, NULL);
}

void recovery_sicken(int left, enum sickness sickness)
{
    sick.left = left;
    sick.sickness = sickness;
}
