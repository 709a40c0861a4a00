/* store_older -- what a compiler would have made of an older minor version: a descriptor that ends
 * with its functions, a table of functions that ends with commit, options without flags.  Behind
 * each stand bytes that would do harm if they were read.
 */
#include <bridle/plugin.h>

struct older_option {
    const char *name, *help, *fallback, *choices;
    int64_t min, max;
    uint32_t offset;
    int32_t type;
};

struct older_store {
    uint32_t flags, batch_ops_max, batch_bytes_max, write_overhead, batches_max;
    void (*read)(struct br_env *, const char *const *, uint32_t, struct br_call *);
    void (*list)(struct br_env *, const char *, struct br_call *);
    void (*commit)(struct br_env *, const struct br_write *const *, uint32_t, struct br_call *);
    void *harm[6];
};

struct older {
    const char *root;
    bool loud;
};

static void older_read(struct br_env *env, const char *const *paths, uint32_t count,
                       struct br_call *call)
{
    (void) env;
    (void) paths;
    br_reply_fail(call, BR_INTERNAL, "%u paths", count);
}

static void older_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) path;
    const struct older *older = env->self;
    br_reply_value(call, (br_bytes){ older->root, 5 }, older->loud);
}

static void older_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                         struct br_call *call)
{
    (void) env;
    (void) writes;
    (void) count;
    br_reply_ok(call);
}

static const struct older_option older_options[] = {
    { .name = "root",
      .help = "Where.",
      .fallback = "/from",
      .type = BR_OPT_STRING,
      .offset = offsetof(struct older, root) },
    { .name = "loud",
      .help = "How.",
      .fallback = "true",
      .type = BR_OPT_BOOL,
      .offset = offsetof(struct older, loud) },
    { 0 },
};

static const struct older_store older_store = {
    .read = older_read,
    .list = older_list,
    .commit = older_commit,
    .harm = { (void *) 1, (void *) 1, (void *) 1, (void *) 1, (void *) 1, (void *) 1 },
};

/* The exported object is a whole descriptor only so that the harmful pointers have a place. */
static void older_harm(struct br_env *env)
{
    __builtin_trap();
    (void) env;
}

extern BR_EXPORT const struct br_plugin bridle_store_older;
const struct br_plugin bridle_store_older = {
    .magic = BR_MAGIC,
    .abi_major = BR_ABI_MAJOR,
    .abi_minor = 0,
    .size = offsetof(struct br_plugin, open),
    .ops_size = offsetof(struct older_store, harm),
    .option_size = sizeof(struct older_option),
    .state_size = sizeof(struct older),
    .kind = "store",
    .name = "older",
    .options = (const struct br_option *) (const void *) older_options,
    .ops.any = &older_store,
    .close = older_harm,
};
