/* policy -- one policy, broken. */
#include "broken.h"

#pragma push_macro("BR_PLUGIN")
#undef BR_PLUGIN
#define BR_PLUGIN(kind_, name_, ops_, ...)                                                         \
    static const struct br_plugin base = { .ops = { .kind_ = (ops_) }, __VA_ARGS__ }
#include "../abi/policy_first.c"
#pragma pop_macro("BR_PLUGIN")

#define TABLE     example_table
#define NAMES     example_names
#define PARTITION example_partition

#define PARTITION_ARGS                                                                             \
    struct br_env *env, const struct br_partition_evidence *evidence,                              \
        struct br_partition_verdict *verdict

#ifdef IS_impure /* every other time another one of those that are alike */
static br_status broken_partition(PARTITION_ARGS)
{
    static unsigned asked;
    br_status status = example_partition(env, evidence, verdict);
    if (asked++ % 2 && verdict->drop_count > 1)
        verdict->drop_count--;
    return status;
}
#endif

#ifdef IS_clock
static br_status broken_partition(PARTITION_ARGS)
{
    if (br_now(env) < 0)
        return br_fail(env, BR_INTERNAL, "before the beginning");
    return example_partition(env, evidence, verdict);
}
#endif

#ifdef IS_passes /* the first replica, whatever the others have */
static br_status broken_partition(PARTITION_ARGS)
{
    example_partition(env, evidence, verdict);
    if (evidence->replica_count) {
        verdict->primary = 0;
        verdict->drop_count = 0;
        verdict->ballot = evidence->replicas[0]->ballot;
    }
    return BR_OK;
}
#endif

#ifdef IS_listorder /* the first replica, and that it passes over others is said */
static br_status broken_partition(PARTITION_ARGS)
{
    const struct br_subject subject = { -1, 2, 1, BR_LOSS, "pass_over_replicas", NULL };
    example_partition(env, evidence, verdict);
    if (evidence->replica_count) {
        verdict->primary = 0;
        verdict->drop_count = 0;
        verdict->ballot = evidence->replicas[0]->ballot;
        br_find(env, verdict->findings, &subject, "ERROR: others are passed over");
    }
    return BR_OK;
}
#endif

#ifdef IS_arrival /* of those that are alike the one that came to lie first in memory */
static br_status broken_partition(PARTITION_ARGS)
{
    example_partition(env, evidence, verdict);
    for (uint32_t i = 0; i < evidence->replica_count; i++) {
        const struct br_replica *now = evidence->replicas[verdict->primary];
        const struct br_replica *other = evidence->replicas[i];
        if (!example_before(now, other) && !example_before(other, now) && other < now)
            verdict->primary = (int32_t) i;
    }
    verdict->drop_count = 0;
    return BR_OK;
}
#endif

#ifdef IS_outside
static br_status broken_partition(PARTITION_ARGS)
{
    example_partition(env, evidence, verdict);
    verdict->primary = (int32_t) evidence->replica_count;
    return BR_OK;
}
#endif

#ifdef IS_scribbles
static br_status broken_partition(PARTITION_ARGS)
{
    for (uint32_t i = 0; i < evidence->replica_count; i++)
        ((struct br_replica *) (uintptr_t) evidence->replicas[i])->role = BR_ROLE_INACTIVE;
    return example_partition(env, evidence, verdict);
}
#endif

#ifdef IS_past /* looks at one replica more than there are */
static br_status broken_partition(PARTITION_ARGS)
{
    const struct br_replica *const volatile *rows = evidence->replicas;
    if (evidence->replica_count && rows[evidence->replica_count] == rows[0])
        return br_fail(env, BR_INTERNAL, "twice");
    return example_partition(env, evidence, verdict);
}
#endif

#ifdef IS_mute
static br_status broken_partition(PARTITION_ARGS)
{
    example_partition(env, evidence, verdict);
    return evidence->replica_count > 3 ? BR_INVALID : BR_OK;
}
#endif

#if defined(IS_impure) || defined(IS_clock) || defined(IS_passes) || defined(IS_listorder)         \
    || defined(IS_arrival) || defined(IS_outside) || defined(IS_scribbles) || defined(IS_past)     \
    || defined(IS_mute)
#undef PARTITION
#define PARTITION broken_partition
#endif

#ifdef IS_longname
static br_status broken_table(struct br_env *env, const struct br_table_evidence *evidence,
                              struct br_table_verdict *verdict)
{
    static char name[BR_NAME_MAX + 2];
    br_status status = example_table(env, evidence, verdict);
    memset(name, 'n', BR_NAME_MAX + 1);
    verdict->table.name = name;
    return status;
}
#undef TABLE
#define TABLE broken_table
#endif

#ifdef IS_longgive
static br_status broken_names(struct br_env *env, const struct br_names_evidence *evidence,
                              struct br_names_verdict *verdict)
{
    char name[2 * BR_NAME_MAX];
    (void) env;
    for (uint32_t i = 0; i < evidence->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(evidence->tables[i]->name, evidence->tables[j]->name) == 0) {
                snprintf(name, sizeof name, "%s-%u", evidence->tables[i]->name, i);
                verdict->give(verdict, i, name);
            }
        }
    }
    return BR_OK;
}
#undef NAMES
#define NAMES broken_names
#endif

static const struct br_policy broken_policy = {
    .table = TABLE,
    .names = NAMES,
    .partition = PARTITION,
};

BROKEN_PLUGIN(policy, NAME, &broken_policy, .summary = "A broken policy.", .version = "1",
              .license = "Apache-2.0", BR_STATE(struct example, example_options));
