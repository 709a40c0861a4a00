/* store -- one store, broken. */
#include "broken.h"

#pragma push_macro("BR_PLUGIN")
#undef BR_PLUGIN
#define BR_PLUGIN(kind_, name_, ops_, ...)                                                         \
    static const struct br_plugin base = { .ops = { .kind_ = (ops_) }, __VA_ARGS__ }
#include "../abi/store_first.c"
#pragma pop_macro("BR_PLUGIN")

#define READ    example_read
#define LIST    example_list
#define COMMIT  example_commit
#define LOCK    example_lock
#define OPEN    example_open
#define STOP    example_stop
#define CLOSE   example_close
#define VERSION "1"

#define COMMIT_ARGS                                                                                \
    struct br_env *env, const struct br_write *const *writes, uint32_t count, struct br_call *call
#define READ_ARGS struct br_env *env, const char *const *paths, uint32_t count, struct br_call *call

#ifdef IS_twice
static void broken_commit(COMMIT_ARGS)
{
    example_commit(env, writes, count, call);
    br_reply_ok(call);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_afterwards /* uses the call when it has replied */
static void broken_list(struct br_env *env, const char *path, struct br_call *call)
{
    example_list(env, path, call);
    br_rows(call, 8);
}
#undef LIST
#define LIST broken_list
#endif

#ifdef IS_never
static void broken_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    (void) path;
    (void) call;
}
#undef LIST
#define LIST broken_list
#endif

#ifdef IS_deadthread /* the thread that should reply ends before it does */
static void *broken_run(void *call)
{
    if (call)
        pthread_exit(NULL);
    br_reply_ok(call);
    return NULL;
}
static void broken_commit(COMMIT_ARGS)
{
    (void) env;
    (void) writes;
    (void) count;
    broken_thread(broken_run, call);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_stackrows /* rows of the plugin's own memory, which a thread takes away with it */
static void *broken_run(void *arg)
{
    struct br_call *call = arg;
    struct br_value row = { .status = BR_NOTFOUND };
    reply_rows(call, BR_ROW_VALUE, &row, sizeof row, 1);
    return NULL;
}
static void broken_read(READ_ARGS)
{
    if (count == 1)
        broken_thread(broken_run, call);
    else
        example_read(env, paths, count, call);
}
#undef READ
#define READ broken_read
#endif

#if defined(IS_rowsize) || defined(IS_rowkind) || defined(IS_tooshort)
static void broken_read(READ_ARGS)
{
    struct br_value *rows = br_rows(call, (count + 1) * sizeof *rows);
    (void) env;
    (void) paths;
    memset(rows, 0, (count + 1) * sizeof *rows);
#ifdef IS_rowsize
    reply_rows(call, BR_ROW_VALUE, rows, 16, count);
#elif defined IS_rowkind
    reply_rows(call, BR_ROW_NAME, rows, sizeof *rows, count);
#else
    reply_rows(call, BR_ROW_VALUE, rows, sizeof *rows, count ? count - 1 : 0);
#endif
}
#undef READ
#define READ broken_read
#endif

#ifdef IS_blocks
static void broken_commit(COMMIT_ARGS)
{
    broken_pass_time();
    example_commit(env, writes, count, call);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_hangs
static void broken_list(struct br_env *env, const char *path, struct br_call *call)
{
    for (;;)
        pause();
    example_list(env, path, call);
}
#undef LIST
#define LIST broken_list
#endif

#ifdef IS_leaks
static void *broken_lost[4096];
static void broken_commit(COMMIT_ARGS)
{
    static unsigned next;
    broken_lost[next++ % 4096] = malloc(100);
    example_commit(env, writes, count, call);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_leaksopen
static void broken_close(struct br_env *env)
{
    (void) env;
}
#undef CLOSE
#define CLOSE broken_close
#endif

#ifdef IS_past /* looks at one write more than there are */
static void broken_commit(COMMIT_ARGS)
{
    if (count > 0 && *(const struct br_write *const volatile *) (writes + count) == writes[0])
        return;
    example_commit(env, writes, count, call);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_scribbles
static void broken_commit(COMMIT_ARGS)
{
    if (count > 1)
        ((struct br_write *) (uintptr_t) writes[1])->reserved = 1;
    example_commit(env, writes, count, call);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_nofence /* forgets the fence */
static void broken_commit(COMMIT_ARGS)
{
    const struct br_write **kept = malloc((count + 1) * sizeof *kept);
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++)
        if (writes[i]->kind != BR_FENCE)
            kept[left++] = writes[i];
    example_commit(env, kept, left, call);
    free(kept);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_halfway /* what went well before a failure stays */
static void broken_commit(COMMIT_ARGS)
{
    struct example *example = env->self;
    uint32_t at = 0;
    br_status status = BR_OK;
    if (count < 3 || br_batch_wrong(&example_store, writes, count, &at, &status)) {
        example_commit(env, writes, count, call);
        return;
    }
    struct tree next = tree_copy(&example->tree, count);
    for (at = 0, status = BR_OK; at < count && !status; at++)
        status = write_one(&next, writes[at]);
    tree_free(&example->tree);
    example->tree = next;
    if (status)
        br_reply_fail(call, status, "write %u failed", at);
    else
        br_reply_ok(call);
}
#undef COMMIT
#define COMMIT broken_commit
#endif

#ifdef IS_order /* commits are carried out as they happen to arrive: the last one first */
struct late {
    const struct br_write *const *writes;
    uint32_t count;
    struct br_call *call;
    struct late *next;
};
static struct late *broken_last;
static void broken_carry_out(struct br_env *env, void *arg)
{
    struct late *late = broken_last;
    (void) arg;
    if (!late)
        return; /* stop was faster */
    broken_last = late->next;
    example_commit(env, late->writes, late->count, late->call);
    free(late);
}
static void broken_commit(COMMIT_ARGS)
{
    struct late *late = malloc(sizeof *late);
    *late = (struct late){ writes, count, call, broken_last };
    broken_last = late;
    br_post(env, broken_carry_out, NULL);
}
static void broken_stop(struct br_env *env, struct br_call *call)
{
    while (broken_last)
        broken_carry_out(env, NULL);
    example_stop(env, call);
}
#undef COMMIT
#undef STOP
#define COMMIT broken_commit
#define STOP   broken_stop
#endif

#ifdef IS_mute
static void broken_list(struct br_env *env, const char *path, struct br_call *call)
{
    const struct example *example = env->self;
    if (tree_look(&example->tree, path))
        example_list(env, path, call);
    else
        br_reply_fail(call, BR_NOTFOUND, "%s", "");
}
#undef LIST
#define LIST broken_list
#endif

#if defined(IS_crashes) || defined(IS_exits)
static void broken_list(struct br_env *env, const char *path, struct br_call *call)
{
    const struct example *example = env->self;
    if (!tree_look(&example->tree, path)) {
#ifdef IS_exits
        exit(0);
#else
        raise(SIGSEGV);
#endif
    }
    example_list(env, path, call);
}
#undef LIST
#define LIST broken_list
#endif

#if defined(IS_prints) || defined(IS_signals) || defined(IS_options)
static br_status broken_open(struct br_env *env)
{
#ifdef IS_prints
    printf("hello\n");
#elif defined IS_signals
    signal(SIGPIPE, SIG_IGN);
#else
    if (((struct example *) env->self)->nodes_max == 1000000)
        return BR_INVALID; /* and no word why */
#endif
    return example_open(env);
}
#undef OPEN
#define OPEN broken_open
#endif

#ifdef IS_exports
extern BR_EXPORT int broken_helper;
int broken_helper = 1;
#endif

#ifdef IS_unnamed
#undef VERSION
#define VERSION ""
#endif

#ifdef IS_stopsearly
static void broken_stop(struct br_env *env, struct br_call *call)
{
    (void) env;
    br_reply_ok(call);
}
#undef STOP
#define STOP broken_stop
#endif

#ifdef IS_elects /* everybody, at once */
static void broken_lock(struct br_env *env, const char *path, const char *value,
                        struct br_call *call)
{
    struct example *example = env->self;
    if (refused(path, call))
        return;
    const struct wait wait = {
        .what = WAIT_LOCK, .call = call, .path = text(path), .text = text(value)
    };
    elect(example, &wait);
    free(wait.path);
    free(wait.text);
    settle(example);
}
#undef LOCK
#define LOCK broken_lock
#endif

#ifdef IS_samefence
static void broken_lock(struct br_env *env, const char *path, const char *value,
                        struct br_call *call)
{
    ((struct example *) env->self)->fences = 0;
    example_lock(env, path, value, call);
}
#undef LOCK
#define LOCK broken_lock
#endif

#ifdef IS_miscounts /* how often it was asked, not how often somebody led */
static void broken_elections(struct br_env *env, const char *path, struct br_call *call)
{
    static int64_t asked;
    (void) env;
    if (!br_path_refused(path, call))
        br_reply_value(call, (br_bytes){ "", 0 }, asked++);
}
#define ELECTIONS broken_elections
#else
#define ELECTIONS NULL
#endif

static const struct br_store broken_store = {
    .flags = BR_STORE_EPHEMERAL,
    .batch_ops_max = 1000,
    .batch_bytes_max = 4 << 20,
    .read = READ,
    .list = LIST,
    .commit = COMMIT,
    .lock = LOCK,
    .owner = example_owner,
    .lost = example_lost,
    .unlock = example_unlock,
    .cancel = example_cancel,
    .elections = ELECTIONS,
};

BROKEN_PLUGIN(store, NAME, &broken_store, .summary = "A broken store.", .version = VERSION,
              .license = "Apache-2.0", BR_STATE(struct example, example_options), .open = OPEN,
              .stop = STOP, .close = CLOSE);
