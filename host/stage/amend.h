/* amend -- servers that were missing have returned: what they hold where that was lost, or is newer
 * than what a plan took and nobody has served from since.
 *
 *     {"format":"bridle amendment","version":1,
 *     "hash":"<SHA-256 of all that follows, hex>","plan":"<hash>","cluster":"c1",
 *     "root":"/pegasus/c1","layout":"2.5","second":1700000000,
 *     "servers":["h4:34801"],"findings":["..."],"records":[
 *     {"what":"lost","path":"apps/2/5","old":"{...}","new":"{...}","server":0,"ballot":7,
 *      "committed":120,"prepared":121,"why":"..."}
 *     ]}
 *
 * Keys in this order.  A path is below the root; "old" is the exact value that the store had when
 * this was made, null where there was none; "server" holds what is adopted, by its place in
 * "servers", with at least these numbers; -1: nobody (an empty partition of a table that comes
 * back).  The records of a table that comes back stand together, its own first.
 *
 * Three clusters are compared: what the plan wrote, what stands in the store, and what the plan's
 * policy, options and consents make of the plan's survey with the new answers in it.
 *
 *   "lost"       nobody is in the partition, and a returned server holds it: adopted
 *   "newer"      the record is what the plan wrote, to the byte, so that nobody has served from it;
 *                a returned server holds a higher ballot, or as high a one and a higher decree, and
 *                is the new judgement's primary: replaced
 *   "table", "partition"
 *                the plan wrote a placeholder, which is untouched, or nothing at this id, and a
 *                returned server has the definition: the table comes back
 *
 * Everything else is left as it is, and said where a returned server held more: who has served
 * since has data of his own, and a member that follows the one history and holds the beginning of
 * the other would mix both.
 */
#ifndef HOST_STAGE_AMEND_H
#define HOST_STAGE_AMEND_H

#include "host/stage/apply_plan.h"

#define AMEND_RECORDS_MAX  100000 /* of one amendment */
#define AMEND_FINDINGS_MAX 1000   /* kept; one more counts the rest */
#define AMEND_SERVERS_MAX  BR_NODES_MAX
#define AMEND_SHOWN_MAX    20 /* findings, and records, on the page */

enum amend_what { AMEND_LOST = 0, AMEND_NEWER, AMEND_TABLE, AMEND_PARTITION, AMEND_WHATS };

struct amend_record {
    enum amend_what what;
    const char *path;  /* below the root, without a slash before it */
    const char *old;   /* NULL: it is created */
    const char *value; /* what it shall be */
    int32_t server;    /* -1: nobody */
    int64_t ballot, committed, prepared;
    const char *why;
    int32_t table, partition; /* of the path; -1: the table's own record */
};

struct stage_amendment {
    struct arena arena;
    char hash[PLAN_HASH_SIZE];
    const char *plan; /* the hash of the plan that it amends */
    const char *cluster_name;
    const char *root;
    enum layout_version version;
    int64_t second; /* wall clock, unix seconds */
    const char *const *servers;
    uint32_t server_count;
    const char **findings;
    uint32_t finding_count; /* at most AMEND_FINDINGS_MAX + 1 */
    struct amend_record *records;
    uint32_t record_count;
    uint64_t untold; /* findings beyond those that are kept */
};

/* Reads only.  The tool has the plan's policy and the store open; `now` is what the returned
 * servers answered, all of them, and is taken over, also where it fails.  BR_OK: the amendment,
 * which may have no record.  stage_amendment_done in any case. */
br_status stage_amend_make(struct stage_amendment *amendment, const struct stage_plan *plan,
                           struct tool *tool, struct survey *now, struct fail *ret_fail);
void stage_amendment_done(struct stage_amendment *amendment);

/* The file; the hash is made here. */
void stage_amendment_put(struct stage_amendment *amendment, struct buf *buf);

/* Is this file one, by its beginning?  A file that cannot be read is none. */
bool stage_is_amendment(const char *file);

/* stage_amendment_done in any case. */
br_status stage_amendment_parse(struct stage_amendment *amendment, const char *file, char *text,
                                size_t size, struct fail *ret_fail);
br_status stage_amendment_load(struct stage_amendment *amendment, const char *file,
                               struct fail *ret_fail);

/* The page for people, and one line for scripts. */
void stage_amendment_summary(const struct stage_amendment *amendment, struct buf *buf);
void stage_amendment_summary_json(const struct stage_amendment *amendment, struct buf *buf);

/* Is it for the place that the configuration names?  BR_INVALID: a sentence says why not. */
br_status stage_amend_place(const struct stage_amendment *amendment, const struct tool *tool,
                            struct fail *ret_fail);

/* -- Into the store --------------------------------------------------------------------------- */

/* As stage_apply_check and stage_apply.  Refused: another place; a store that does not hold what
 * the amendment's plan wrote, or in which a record is neither what it was nor what it shall be; a
 * server that does not answer or holds less than it did.
 *
 * What fits into one batch of the store is one batch.  Else `apps` becomes "lock" and the journal
 * "amending" in one batch, the records follow in batches, and one more says "unlock", so that a
 * reader sees nothing or everything.  Every batch names the fence and `apps`' version.  Killed
 * anywhere, asking again finishes it. */
bool stage_amend_check(const struct stage_deed *deed, struct tool *tool,
                       struct deed_result *result);
void stage_amend_apply(const struct stage_deed *deed, struct tool *tool,
                       struct deed_result *result);

/* -- Afterwards ------------------------------------------------------------------------------- */

struct amend_verify {
    uint64_t same, moved, differing; /* moved: the partition has served since */
    struct buf text;                 /* what differs, the first of it, a line each */
};

/* Is it written?  Reads path by path, and shares no code with what writes.  BR_OK whatever was
 * found; else the store did not answer. */
br_status stage_amend_verify(const struct stage_amendment *amendment, struct tool *tool,
                             struct amend_verify *verify, struct fail *ret_fail);

#endif
