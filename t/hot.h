/* hot -- clusters that still serve, in two rounds, for t/test_hot.c. */
#ifndef T_HOT_H
#define T_HOT_H

#include "host/recovery/hot.h"
#include "t/judge_kit.h"

#define HOT_QUIET   "advice: no\n"
#define HOT_ACKED   (10 * BR_SECOND)
#define HOT_ANSWER  (20 * BR_SECOND)
#define HOT_AGAIN   (30 * BR_SECOND)
#define HOT_NOW     (40 * BR_SECOND)
#define HOT_GRACE   (22 * BR_SECOND)
#define HOT_BALLOT  5
#define HOT_DECREE  100
#define HOT_GUESTS  4 /* strangers at most */
#define HOT_SERVERS 80

struct hot_kit {
    struct kit kit; /* the first round */
    struct survey second;
    struct kit_node *again; /* the second round; NULL until hot_kit_again */
    struct hot_server servers[HOT_SERVERS];
    struct hot_stranger strangers[HOT_GUESTS];
    struct hot_request request;
    struct hot hot;
    struct buf kept; /* hot_put_kept */
};

/* `nodes` servers, all acknowledged, each beaconing with its listed name. */
void hot_kit_init(struct hot_kit *kit, uint32_t nodes, const char *const *consents);
void hot_kit_done(struct hot_kit *kit);

/* A living group of ballot 5 and committed decree 100: the primary, then the secondaries; -1 ends
 * the list. */
void hot_kit_group(struct hot_kit *kit, int32_t table, int32_t partition, const int32_t *nodes);

/* Ends the first round; the second finds the same. */
void hot_kit_again(struct hot_kit *kit);

/* The node's report of a partition, in a round; the test fails where it has none. */
struct br_replica *hot_kit_report(struct kit_node *round, int32_t node, int32_t table,
                                  int32_t partition);
/* The same replica in both rounds. */
void hot_kit_set(struct hot_kit *kit, int32_t node, int32_t table, int32_t partition, br_role role,
                 int64_t ballot);

/* Judge; fills kit.status, kit.text, hot and kept. */
void hot_kit_judge(struct hot_kit *kit);

/* "1,2" by node numbers from 1, primary first, then secondaries; "-": none.  Static memory. */
const char *hot_kit_members(const struct hot_kit *kit, int32_t table, int32_t partition);
/* The cold nodes by number from 1, then "!" where it is busy: "1!,3".  Static memory. */
const char *hot_kit_cold(const struct hot_kit *kit);

/* Seven servers: 1.0 on 1, 2, 3 and 1.1 on 6, 4, 5, the primary first, which share nothing; 7 has
 * no replica.  One table. */
void hot_two(struct hot_kit *kit, const char *const *consents);
/* The reports of 1.0 there, by round. */
struct br_replica *hot_first(struct hot_kit *kit, int32_t node);
struct br_replica *hot_second(struct hot_kit *kit, int32_t node);

/* What ails it then: a server outside the list; 7 silent in the second round; 1.0 claimed by
 * nobody, by two PRIMARYs, by none. */
void hot_guest(struct hot_kit *kit);
void hot_no_second(struct hot_kit *kit);
void hot_idle(struct hot_kit *kit);
void hot_primaries(struct hot_kit *kit);
void hot_headless(struct hot_kit *kit);

#define HOT_ALL "1!,2!,3!,4!,5!,6!" /* its servers that hold anything, all busy */

TCase *hot_groups(void);
TCase *hot_random(void);

#endif
