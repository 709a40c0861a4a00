/* stages_applier -- what the suites of apply and undo share: a store, a plan, and both commands as
 * functions, offline, on a real SQLite file.
 */
#ifndef T_STAGES_APPLIER_H
#define T_STAGES_APPLIER_H

#include "host/stage/undo.h"
#include "t/recovery.h"
#include "t/stages.h"

#define ROOT          "/pegasus/c1"
#define APPLIER_AUDIT ROOT "/bridle/audit-"
#define APPLIER_ABOVE "/pegasus v0 \n" ROOT " v0 \n" ROOT "/bridle v0 \n" /* what is above it */
#define LOCK          "/locks/dsn.meta.server.leader"

#define BASE                                                                                       \
    { BR_CREATE, "/pegasus", "" },                                                                 \
    {                                                                                              \
        BR_CREATE, ROOT, "theirs"                                                                  \
    }

#define LOOP(test, rows) tcase_add_loop_test(tcase, test, 0, (int) (sizeof(rows) / sizeof *(rows)))

extern const char *const applier_consents[];

struct applier {
    struct kit kit;
    struct tool tool; /* whose policy judged */
    struct stage_plan plan;
    const struct stage_amendment *amendment; /* instead of the plan; or NULL */
    struct buf file;                         /* the option */
    const char *sets[5];
    struct deed_result result;
    int signal_at; /* at this report of progress, once it may write; 0: never */
    void (*meddle)(struct applier *of); /* instead of raising SIGTERM */
};

void applier_init(struct applier *of);
void applier_done(struct applier *of);
struct plugin *applier_store(const struct applier *of); /* recovery_close() it */

typedef bool check_function(const struct stage_deed *, struct tool *, struct deed_result *);
typedef void deed_function(const struct stage_deed *, struct tool *, struct deed_result *);

/* Look, and write where the look says so; `signal_at` as above. */
enum deed_exit applier_run(struct applier *of, check_function *check, deed_function *carry,
                           int signal_at);
enum deed_exit applier_apply(struct applier *of);
enum deed_exit applier_undo(struct applier *of);

/* The result's word, and what its text holds. */
void applier_says(const struct applier *of, const char *word, const char *text);

/* Everything but the lock's directory, which is the store's; free() it. */
char *applier_dump(const struct applier *of, bool versions);

struct edit {
    br_write_kind kind; /* 0: none more */
    const char *path, *value;
};

void applier_edit(const struct applier *of, const struct edit *edits);

/* Puts the journal, which is done, into this state, and `apps` to this value. */
void applier_mark(const struct applier *of, enum journal_state state, const char *apps);
struct root_facts applier_look(const struct applier *of);

/* Be the leader, until the store is closed. */
void applier_lead(struct plugin *store, struct buf *ret_fence);

#endif
