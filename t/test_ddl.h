/* test_ddl -- what test_ddl*.c share: a serving meta server with replica servers that are alive and
 * hold nothing, tables' operations as a client asks for them, and the store's records as they lie
 * there.
 */
#ifndef T_TEST_DDL_H
#define T_TEST_DDL_H

#include "host/meta/ddl.h"
#include "t/meta.h"

#define ROOT "/pegasus/test"

/* Fixture: `servers` replica servers, alive and synced; the world is set up and torn down. */
void tables_setup(void);
void tables_serve(const char *extra, uint32_t servers);

/* A replica server beacons, and tells that it holds these partitions of a table (0: none). */
void server_alive(struct actor *actor);
void server_sync(struct actor *actor, int32_t table, uint32_t partitions);

/* Each returns the answer's `err`; what else it says stands in `said`. */
extern struct said {
    int32_t id, count;
    bool flag;
    char hint[512];
    struct msg_app_info info;
} said;
const char *ask_create(const char *name, int32_t partitions, int32_t replicas);
const char *ask_create_with(const struct msg_create_app_request *request);
void ask_create_fill(struct msg_create_app_request *request, const char *name, int32_t partitions,
                     int32_t replicas);
const char *ask_drop(const char *name, bool quiet, int64_t reserve);
const char *ask_recall(int32_t id, const char *name);
const char *ask_rename(const char *name, const char *new_name);
const char *ask_env(const char *name, int32_t op, const char *const *keys,
                    const char *const *values, uint32_t count, const char *prefix);
const char *ask_count(const char *name, int32_t count); /* 0: ask for it */
const char *ask_atomic(const char *name, int value);    /* below 0: ask for it */

/* Sent, not waited for: *done and the `err` come with the answer. */
struct ticket {
    bool done;
    char err[48];
};
void ask_send(struct ticket *ticket, const char *rpc, const struct wire_schema *schema,
              const void *request);

/* The value at ROOT/path; NULL: no such node.  Until the next call. */
const char *stored(const char *path);

/* The store's commits from the at-th on (from 0, from now) go wrong `times` times. */
enum fault { FAULT_UNAVAILABLE = 1, FAULT_ANSWER_LOST, FAULT_REFUSED, FAULT_HANG };
void fault_set(enum fault fault, uint32_t at, uint32_t times);
extern uint32_t fault_commits;   /* since fault_set */
extern uint32_t fault_writes[8]; /* writes of the first of them, fence included */

/* What hung is carried out and answered. */
void fault_release(void);

TCase *ddl_alter_cases(void);
TCase *ddl_fail_cases(void);

#endif
