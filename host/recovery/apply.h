/* apply -- a plan into a store: fenced, in batches, invisible until the last write, resumable.
 *
 *   <root>/apps = "lock"; <root>/bridle/journal = the plan's hash and state; <root>/bridle/released
 *       is deleted: what a recovery wrote is frozen (meta/freeze.h)
 *   every record under apps, in full atomic batches with several in flight
 *   where an earlier attempt left an invisible tree: converge it (create, put, delete), then list
 *       and compare every record
 *   one batch: fence, check of apps' version, apps = "unlock", journal = done
 *
 * Every batch begins with the fence and a check that `apps` still has the version it got when it
 * became "lock": a batch that comes late, after the unlock, fails as a whole.
 *
 * The journal is one line of JSON:
 *
 *     {"version":2,"state":"writing","plan":"<SHA-256 of the plan, hex>","records":640,
 *      "apps":null,"bulk_load":false,"backup":false,"converged":false,"elections":-1}
 *
 * set in one batch with `apps` = "lock" (so that a kill leaves nothing or our mark) and put to
 * state "done" in one batch with `apps` = "unlock".  Behind "records" stands what an undo needs
 * (struct apply_journal); version 1, which is read and continued, has none of it.  Once the tree
 * was amended (host/stage/amend.h) "amendment" with that hash stands at the end.
 *
 * A fresh root is not compared record by record before the unlock (load.h does that afterwards);
 * the tables are counted.  Where an earlier attempt left something, rounds of list, delete, read,
 * create and put go on until a whole round finds nothing to change.
 *
 * A reader sees nothing or everything (src/meta/server_state.cpp:sync_apps_from_remote_storage).
 * Whatever kills it, asking again with a new plan from new evidence finishes it.  A root that holds
 * tables, or a half-written one that is not ours, is named and not touched.
 */
#ifndef HOST_RECOVERY_APPLY_H
#define HOST_RECOVERY_APPLY_H

#include "host/plugins/plugin.h"
#include "host/recovery/audit.h"
#include "host/recovery/plan.h"

#define APPLY_ATTEMPTS_MAX   8    /* failures in a row before it is given up */
#define APPLY_ROUNDS_MAX     8    /* of converging */
#define APPLY_COMPONENTS_MAX 64   /* of a root's path */
#define APPLY_JOURNAL_MAX    4096 /* bytes of a journal that is looked at */

enum journal_state {
    JOURNAL_NONE = 0,
    JOURNAL_WRITING,
    JOURNAL_DONE,
    JOURNAL_MARKING, /* to be undone, if nobody has led: nothing is deleted yet */
    JOURNAL_UNDOING,
    JOURNAL_AMENDING, /* a whole tree that is half amended: no recovery may write over it */
    JOURNAL_STRANGE,  /* not ours, or of a later version */
};

enum apps_before { APPS_ABSENT = 0, APPS_EMPTY, APPS_UNLOCK };

/* What was written, and what was there before the first of it, whoever continued since. */
struct apply_journal {
    enum journal_state state;
    char hash[PLAN_HASH_SIZE]; /* "": none of ours */
    uint64_t records;          /* as it says */
    bool known;                /* version 2: what follows is */
    enum apps_before apps;
    bool bulk_load, backup; /* <root>/bulk_load, <root>/backup were there */
    bool converged;         /* records may be at another version than 0 */
    int64_t elections; /* store.h's number when it was unlocked, our own coming in it; -1: none */
    char amendment[PLAN_HASH_SIZE]; /* the last one, or the one under way; "": never amended */
};

/* What it is not becomes JOURNAL_STRANGE. */
void apply_journal_get(br_bytes value, struct apply_journal *ret);
void apply_journal_put(const struct apply_journal *journal, uint64_t records, struct buf *buf);

/* What a root is, before anything is written (C5). */
enum root_state {
    ROOT_EMPTY = 1,   /* no `apps`, or a childless one that is not locked by somebody else */
    ROOT_OURS = 2,    /* `apps` is "lock" and the journal is ours: unfinished, or half undone */
    ROOT_TABLES = 3,  /* `apps` is "unlock" or "" and has children: metadata */
    ROOT_FOREIGN = 4, /* half-written, and not by us; or a value that is none of Pegasus's */
};

struct root_facts {
    enum root_state state;
    int64_t apps_version;    /* -1: `apps` is not there */
    int64_t journal_version; /* -1: no journal */
    bool released;           /* <root>/bridle/released is there, whatever it says */
    uint32_t table_count;    /* children of `apps` */
    enum apps_before apps;   /* where it is neither "lock" nor strange */
    struct apply_journal journal;
    char text[FAIL_TEXT_MAX]; /* one sentence: the root, what was found there, what to do */
};

/* Did the journal's plan begin to be taken back? */
bool root_undoing(const struct root_facts *facts);

typedef void root_done(void *arg, const struct root_facts *facts, const struct fail *fail);

/* `root` normalised.  `done` gets the facts, or NULL and a failure.  The handle is good until
 * `done`; after root_look_cancel (NULL-safe) it is not called. */
struct root_look;
struct root_look *root_look(struct plugin *store, const char *root, root_done *done, void *arg);
void root_look_cancel(struct root_look *look);

struct apply_progress {
    uint64_t written, total; /* records */
    uint32_t phase;          /* APPLY_* */
};

enum { APPLY_LOCK = 1, APPLY_WRITE = 2, APPLY_COMPARE = 3, APPLY_UNLOCK = 4 };

struct apply_request {
    const struct plan *plan;   /* lives until done */
    const char *fence;         /* of the leader lock; NULL: none (a store without locks) */
    const struct audit *audit; /* gets an entry in the batch of the lock and of the unlock, and how
                                  it ended in its file; NULL: none; lives until done */
    void (*progress)(void *arg, const struct apply_progress *progress); /* or NULL */
    void (*done)(void *arg, br_status status, const char *text);        /* text: "" or a sentence */
    void *arg;
};

/* Every failure leaves the tree invisible (`apps` is "lock") or untouched; the sentence says
 * which, and that asking again continues.  BR_FENCED: another meta server leads.  BR_EXISTS: the
 * root holds tables; BR_CONFLICT: it is foreign, or somebody else writes to it.  BR_UNKNOWN: the
 * store stopped answering and how far the last write got is not known.  The handle is good until
 * `done`, which is never called from inside apply_start. */
struct apply;
struct apply *apply_start(struct loop *loop, struct plugin *store,
                          const struct apply_request *request);

/* NULL-safe; done is not called any more; writes in flight may still happen. */
void apply_cancel(struct apply *apply);

/* After the success was answered: <root>/bulk_load and <root>/backup, empty, as Pegasus makes them
 * then.  That they are there already is fine, a failure is only logged.
 * `done` (may be NULL) is called once both were answered. */
#define APPLY_AFTER 2
void apply_afterwards(struct loop *loop, struct plugin *store, const char *root, const char *fence,
                      void (*done)(void *arg), void *arg);

/* The path of one of the two: 0 bulk_load, 1 backup. */
const char *apply_after_path(struct arena *arena, const char *root, uint32_t index);

#endif
