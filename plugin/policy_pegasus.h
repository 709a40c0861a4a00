/* policy_pegasus -- what its files share: the options.  See policy_pegasus.c. */
#ifndef PLUGIN_POLICY_PEGASUS_H
#define PLUGIN_POLICY_PEGASUS_H

#include <bridle/plugin.h>

/* Each behaviour's option is 0 (as `mode` says), 1 (the careful way) or 2 (the historical way). */
struct pegasus {
    int32_t mode; /* 0 careful, 1 historical */
    int32_t conflict_name;
    int32_t conflicts;
    int32_t envs;
    int32_t status_order;
    int32_t ties;
    int32_t placeholder_expire;
    int32_t advice;
    int32_t unavailable;
};

static inline bool pegasus_careful(const struct pegasus *pegasus, int32_t option)
{
    return (option ? option - 1 : pegasus->mode) == 0;
}

br_status pegasus_table(struct br_env *env, const struct br_table_evidence *evidence,
                        struct br_table_verdict *verdict);
br_status pegasus_names(struct br_env *env, const struct br_names_evidence *evidence,
                        struct br_names_verdict *verdict);
br_status pegasus_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                            struct br_partition_verdict *verdict);

#endif
