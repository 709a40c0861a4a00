/* consent -- before a command writes to a store: somebody at a terminal types the cluster's name,
 * and another word where data are lost; a script gives the plan's hash, which says that it knows
 * what it does.
 */
#ifndef HOST_SHELL_CONSENT_H
#define HOST_SHELL_CONSENT_H

#include "host/shell/shell.h"
#include "host/stage/plan_file.h"

#define CONSENT_HASH_MIN  16 /* digits of a hash that are enough */
#define CONSENT_LINE_MAX  1024
#define CONSENT_SHOWN_MAX 20 /* losses that are shown */
#define CONSENT_LOSE      "lose data"

struct consent {
    const char *question; /* what is about to happen, up to the cluster's name */
    const char *what;     /* "plan", "amendment" */
    const char *own_hash, *cluster, *root;
    uint64_t records;
    const char *hash;                /* --plan-hash; NULL: not given */
    const struct stage_plan *losses; /* ask for what it loses, too; NULL: nothing */
};

/* False: it was not given, and a sentence why. */
bool consent_given(struct shell *shell, const struct consent *consent, struct fail *ret_fail);

#endif
