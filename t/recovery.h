/* recovery -- what the suites of host/recovery share: a loop, real stores on it, clusters by seed,
 * and each engine's function as one that waits.
 */
#ifndef T_RECOVERY_H
#define T_RECOVERY_H

#include "host/recovery/apply.h"
#include "host/recovery/load.h"
#include "t/test.h"

extern struct loop *recovery_loop;
extern struct loader *recovery_loader; /* made by main */

/* Fixture: a loop that logs errors to a file in memory. */
void recovery_setup(void);
void recovery_teardown(void);
const char *recovery_logged(void); /* static memory until the next call */

/* A store that is open and started: "memory", or "sqlite" with its file. */
struct plugin *recovery_store(const char *name, const char *file);
struct plugin *recovery_open(const struct br_plugin *desc, const char *file);
void recovery_close(struct plugin *plugin);

/* xorshift: the tests' only source of chance. */
uint64_t recovery_random(uint64_t *seed);

/* A cluster of `tables` tables with ids in steps of 1 to 3, up to `partitions` partitions each. */
void recovery_cluster(struct cluster *cluster, uint64_t seed, uint32_t tables, int32_t partitions);

/* Waiting versions.  Texts are kept until the next call. */
struct applied {
    bool done;
    br_status status;
    char text[2048];
    uint64_t written;
};
struct applied recovery_apply(struct plugin *store, const struct plan *plan, const char *fence);
void recovery_applied(void *arg, br_status status, const char *text);
struct root_facts recovery_look(struct plugin *store, const char *root);

/* NULL: it failed with *ret_fail. */
struct cluster *recovery_load(struct plugin *store, const char *root, struct fail *ret_fail);
void recovery_free(struct cluster *cluster);

/* One write of its own, and its status. */
br_status recovery_write(struct plugin *store, br_write_kind kind, const char *path,
                         const char *value);

/* Everything below `root`, a line a node, sorted: path, version (where asked for), value; without
 * versions also without what a journal says of the time before. */
char *recovery_dump(struct plugin *store, const char *root, bool versions);

/* The same, as the plan would have it once it is applied. */
char *recovery_dump_plan(const struct plan *plan);

/* A store that only reads, from another one, and after `left` calls does so no longer. */
enum sickness {
    SICK_DENIES,
    SICK_FEW,     /* it answers too few values */
    SICK_FORGETS, /* what was listed is not there */
    SICK_TWICE,   /* it lists one child twice */
    SICK_MANY,    /* it lists too many */
};
struct plugin *recovery_sick(struct plugin *inner);
void recovery_sicken(int left, enum sickness sickness);

TCase *recovery_plan_cases(void);
TCase *recovery_survey_cases(void);
TCase *recovery_root_cases(void);
TCase *recovery_apply_cases(void);
TCase *recovery_audit_cases(void);
TCase *recovery_fault_cases(void);
TCase *recovery_kill_cases(void);
TCase *recovery_load_cases(void);
TCase *recovery_odd_cases(void);
TCase *recovery_repair_cases(void);

#endif
