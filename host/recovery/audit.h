/* audit -- who changed the metadata by a deed of ours, when, and on what grounds: append-only.
 *
 * A deed (a recovery, an apply, an undo ...) leaves an entry where it begins and one where it ends,
 * each in the very batch that begins or ends it: an entry is there exactly if the deed is.  Nothing
 * of ours changes or deletes one; an undo leaves them, too.  One entry is one node,
 *
 *     <root>/bridle/audit-20261126T080001.123456Z-1a2b3c4d
 *
 * the time in UTC, and a line of JSON.  The same lines go to a file where the configuration names
 * one (recovery.audit_file), and there also what came to nothing, and whole where a store's batches
 * are too small for it:
 *
 *     {"time":"2026-11-26T08:00:01.123456Z","deed":"apply","step":"begin","plan":"<hash>",
 *      "cluster":"c1","root":"/pegasus/c1","user":"root","host":"h1","pid":4711,
 *      "program":"bridle 0.1.0","asked_by":"",...details...,
 *      "findings":[{"severity":"loss","consented":true,"text":"..."}],"findings_left_out":0,
 *      "text":""}
 *
 * Apache Pegasus never looks below <root>/bridle.
 */
#ifndef HOST_RECOVERY_AUDIT_H
#define HOST_RECOVERY_AUDIT_H

#include "host/base/buf.h"
#include "host/core/loop.h"
#include "host/model/finding.h"

#define AUDIT_PREFIX       "audit-"
#define AUDIT_ENTRY_MAX    65536 /* bytes of one entry's details: findings beyond it are counted */
#define AUDIT_FINDINGS_MAX 100   /* findings of one entry */
#define AUDIT_TEXT_MAX     4096  /* bytes of its sentence: longer is cut */

/* What all entries of one deed share.  Strings are the caller's and outlive it. */
struct audit {
    struct loop *loop;
    const char *file;    /* NULL or "": none */
    const char *program; /* "bridled" */
    const char *deed;    /* "recover", "apply", "undo", "amend", "release", "freeze" */
    const char *plan;    /* its hash; "": none */
    const char *cluster;
    const char *root;     /* normalised */
    const char *asked_by; /* host:port, where somebody asked over the network; "": nobody did */
    struct buf details;   /* further keys: ,"key":value */
    struct buf findings;  /* objects, with commas between them */
    uint32_t finding_count;
    uint64_t findings_left_out;
};

void audit_done(struct audit *audit);

/* Add a key to the details: a string; a list of them, NULL-terminated. */
void audit_add(struct audit *audit, const char *key, const char *value);
void audit_add_list(struct audit *audit, const char *key, const char *const *values);

/* One more finding (of br_severity, notes are left out), or all of these; what is too much is
 * counted. */
void audit_add_finding(struct audit *audit, int32_t severity, bool consented, const char *text);
void audit_add_findings(struct audit *audit, const struct findings *findings);

/* One entry, to be created in the batch of the deed: appends its path below `root` (which may be
 * longer than audit->root by a ZooKeeper chroot) and its line, without a line's end.  `step`:
 * "begin", "done", "failed".  A line of more than `max` bytes is made again without details and
 * findings; the caller looks whether that fits. */
void audit_entry(const struct audit *audit, const char *root, const char *step, size_t max,
                 struct buf *ret_path, struct buf *ret_line);

/* The line into the file, where there is one, in one write: lines of several processes do not mix.
 * A failure is a warning in the log: the deed goes on. */
void audit_append(const struct audit *audit, const struct buf *line);

/* An entry for the file alone. */
void audit_note(const struct audit *audit, const char *step, const char *text);

#endif
