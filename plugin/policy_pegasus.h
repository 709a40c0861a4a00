/* policy_pegasus -- what its files share, and policy_strict and policy_newest with them: the rules
 * are the same, and those two are `struct pegasus` with other defaults and questions of their own.
 */
#ifndef PLUGIN_POLICY_PEGASUS_H
#define PLUGIN_POLICY_PEGASUS_H

#include <bridle/plugin.h>

/* Consents that a loss of more than one of the three policies names. */
#define PEGASUS_CONSENT_PASS "pass_over_replicas"

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
    bool strict; /* what is odd is asked, not warned of: policy_strict */
    bool newest; /* the committed decree counts before the ballot: policy_newest */
};

static inline bool pegasus_careful(const struct pegasus *pegasus, int32_t option)
{
    return (option ? option - 1 : pegasus->mode) == 0;
}

/* Odd, but it can be decided: a warning, or, for who is strict, a loss that names the consent.
 * `what` is the sentence without its beginning, and without an end. */
void pegasus_odd(struct br_env *env, struct br_findings *findings, struct br_subject subject,
                 const char *consent, const char *what);

/* A loss: `what` is as above. */
void pegasus_ask(struct br_env *env, struct br_findings *findings, struct br_subject subject,
                 const char *consent, const char *what);

struct br_subject pegasus_about(const struct br_partition_evidence *evidence, int32_t node,
                                int32_t severity);

const char *pegasus_role(br_role role);

/* May it be whole?  Nothing proves that it is. */
bool pegasus_promising(const struct br_replica *replica);

br_status pegasus_table(struct br_env *env, const struct br_table_evidence *evidence,
                        struct br_table_verdict *verdict);
br_status pegasus_names(struct br_env *env, const struct br_names_evidence *evidence,
                        struct br_names_verdict *verdict);
br_status pegasus_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                            struct br_partition_verdict *verdict);

#endif
