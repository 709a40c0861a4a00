/* guardian -- sees to it that every partition has a primary and as many members as it shall
 * (src/meta/partition_guardian.cpp), by proposals to replica servers.
 *
 * Partitions that something happened to are looked at in the same turn or the next; all of them
 * every `lb_interval`, and when servers come, with rests in between.  A proposal that brought no
 * update is sent again, ever more slowly: proposals are one-way and may overtake the answer that
 * they build on.  Loop thread only.
 */
#ifndef HOST_META_GUARDIAN_H
#define HOST_META_GUARDIAN_H

#include "host/meta/meta.h"

/* In one turn so many partitions at rest are looked at; one that is not costs as much as
 * GUARDIAN_DECISION of them, and as one more for 16 nodes each. */
#define GUARDIAN_LOOKS_MAX 2000
#define GUARDIAN_DECISION  20

/* After a look at all partitions there is none for so many times its time. */
#define GUARDIAN_REST         3
#define GUARDIAN_REST_LONGEST (5 * BR_SECOND)

#define GUARDIAN_PROPOSALS_MAX 20000 /* under way at once; the others wait for their turn */
#define GUARDIAN_STAGES_MAX    5     /* delays before a proposal is sent again */

struct guardian;

struct guardian *guardian_new(struct meta *meta);
void guardian_free(struct guardian *guardian); /* NULL-safe */

/* Look at this partition soon; at all of them soon, a part in each turn, once however often it is
 * asked for meanwhile; at all that this node is a member of. */
void guardian_touch(struct meta *meta, struct gpid pid);
void guardian_scan(struct meta *meta);
void guardian_touch_node(struct meta *meta, int32_t node);

/* Cures that were held in that list are looked at soon. */
void guardian_resume(struct meta *meta, struct cure_list *list);

/* This server has just come, or come back: what it was asked before may not have reached it, and
 * is sent again at once. */
void guardian_renew(struct meta *meta, int32_t node);

/* A change was written: what was proposed is done, or out of date. */
void guardian_decided(struct meta *meta, struct gpid pid, int32_t type, int32_t node);

/* Steps that an operator or the balancer wants done, one after the other, in place of the
 * guardian's own.  NULL: taken; else why not. */
const char *guardian_plan(struct meta *meta, struct gpid pid, const struct action *actions,
                          uint32_t count);

/* One proposal, now, whatever the guardian thinks of it (propose --force).  NULL: sent; else why
 * not: the group is unconfirmed, or frozen and the learner would delete, or has
 * not told: then it is asked now (learner.h). */
const char *guardian_send(struct meta *meta, struct gpid pid, const struct action *action);

/* Has the whole cluster been looked at since the last change, and was every partition of an
 * available table at rest (cure_unrest), and has been whenever it was looked at since, and nothing
 * was planned?  (the balancer's condition) */
bool guardian_all_healthy(const struct meta *meta);

/* Partitions that lack a member which frozen nobody may become, at the last look at all of them. */
uint32_t guardian_starved(const struct meta *meta);

uint64_t guardian_scans(const struct meta *meta); /* looks at all partitions, begun so far */

/* -- cure.c: what one partition needs --------------------------------------------------------- */

/* Fill the cure's first action; action_count stays 0 where nothing is to be done or nothing can be
 * (then `ddd` and `reason` may say why). */
void cure_decide(struct meta *meta, struct gpid pid);

/* Is the first action still to be done?  NULL: yes; else why not. */
const char *cure_stale(const struct meta *meta, const struct cure *cure);

/* Has something happened since it was decided that goes first, or settled it?  NULL: no. */
const char *cure_overtaken(const struct meta *meta, const struct cure *cure);

/* Does nothing go on with it, and need nothing?  NULL: so it is; else why not: it is unconfirmed,
 * has too few members or too many or a dead one, is being changed, proposed something, asleep, or
 * no primary can be chosen. */
const char *cure_unrest(const struct state *state, struct gpid pid);

#endif
