/* hot -- which partitions go on serving while the rest is recovered: a judgement over two surveys.
 *
 * A group is whole where it provably still serves; then the written configuration is that very
 * group, at the ballot that it has, so that reads and writes never stop.  It is whole only if
 *
 *   - every listed server answered in both rounds, and no server outside the list beacons to us;
 *   - each of its servers reports it once, with a possible ballot, and no split is under way;
 *   - exactly one report is PRIMARY, of whatever ballot, and none has a higher ballot than it;
 *   - it and the SECONDARYs of its ballot are at least max_replica_count;
 *   - each member's listed name is the one that its server beacons with; that server has been
 *     acknowledged by us without a gap since before its answer, and does not seem to obey another
 *     meta server;
 *   - the second round, asked after the primary's answer, finds the same reports with the same
 *     statuses and ballots, and every secondary's prepared decree at or above what the primary had
 *     committed in the first; and no secondary had committed in the first round what the primary
 *     had not in the second (a primary commits first, src/replica/replica_2pc.cpp);
 *   - where `motion` is asked for: every secondary prepared something between the rounds.
 *
 * What the reports cannot tell: the order of the secondaries, on whose account a primary aborts
 * when a proposal names them otherwise (src/replica/replica_config.cpp:add_potential_secondary).
 * Nor, without `motion`, a lone PRIMARY that has committed nothing since an earlier recovery copied
 * its ballot, beside SECONDARYs that are left of the older group.  A hot partition is therefore
 * unconfirmed: send its primary no proposal until it has itself sent a configuration update.
 *
 * Leases belong to servers.  A server is cold where it was silent, where a group of which it
 * reports a replica is not whole, or where it shares a partition with a cold one, to a fixed point:
 * hot partitions and cold servers have nothing in common.  A cold server gets no acknowledgement
 * until it is quiet: it claims nothing (PRIMARY, SECONDARY or learning), or it does not answer and
 * was last acknowledged `grace` ago.  Then everybody is asked again, twice, and judged again by the
 * same function; hot groups must stand the whole test again.
 *
 * Pure: no I/O, no clock; times are the caller's, of one clock.  The calls are judge_hot's
 * (judge.h), but for those below.
 */
#ifndef HOST_RECOVERY_HOT_H
#define HOST_RECOVERY_HOT_H

#include "host/model/cluster.h"
#include "host/recovery/survey.h"

#define HOT_NAMED_MAX  5   /* partitions that one sentence names */
#define HOT_RANGES_MAX 100 /* ranges of partitions that the operator is shown */
#define HOT_GRACES     2 /* who claims so many graces after our last acknowledgement obeys another */

enum hot_reason {
    HOT_WHOLE = 0,
    /* of a group, the first that holds */
    HOT_UNREPORTED, /* no server reports it: it makes nobody cold */
    HOT_IDLE,       /* nobody claims anything: nothing is served, nothing is to be waited for */
    HOT_CROWD,      /* more than BR_REPLICAS_MAX reports */
    HOT_TWICE,      /* one server reports it twice */
    HOT_NO_BALLOT,  /* a ballot below 0 */
    HOT_SPLIT,      /* a split is under way */
    HOT_HEADLESS,   /* members, but no PRIMARY */
    HOT_PRIMARIES,  /* more than one */
    HOT_HIGHER,     /* a report of a higher ballot than the PRIMARY's */
    HOT_FEW,        /* members than max_replica_count */
    HOT_NAME,       /* a member's server calls itself otherwise */
    HOT_OBEYS,      /* a member's server may obey another meta server; also of a server */
    HOT_UNACKED,    /* a member's server was not acknowledged all the time */
    HOT_EARLY,      /* the second round was asked before the primary's answer */
    HOT_CHANGED,    /* between the rounds */
    HOT_BEHIND,     /* a secondary lacks what the primary had committed */
    HOT_AHEAD,      /* a secondary committed what the primary has not */
    HOT_STILL,      /* no motion */
    HOT_SILENT,     /* a listed server did not answer; also of a server */
    HOT_STRANGER,   /* a server outside the list beacons to us */
    HOT_CHOSEN,     /* the operator wants all cold */
    /* of a server only */
    HOT_STRAY,  /* it reports a replica of a partition that is none of its table's, or of a table
                   that is not recovered as available */
    HOT_SHARED, /* it shares partitions with a cold one */
    HOT_REASONS
};

/* What the failure detector knows of a listed server: the one that beacons with its name or, where
 * none does, from its address. */
struct hot_server {
    const char *beacon;  /* the name that it beacons with; NULL: no beacon came, in a time in which
                            several should have */
    br_time acked_since; /* acknowledged since then without a gap, until now; 0: it is not */
    br_time last_ack;    /* our last acknowledgement; none: when we took the lead */
    br_time answered_at; /* its answer of the first round came; 0: none */
    br_time asked_again_at; /* it was asked in the second round; 0: it was not */
    bool stopped;           /* its beacons came, and stopped */
    bool returned;          /* they stopped and came back */
};

/* A server that beacons to us and is none of the list by name or address. */
struct hot_stranger {
    const char *name;
    br_time last_ack;
};

/* All of it is the caller's and must outlive the call. */
struct hot_request {
    const struct survey *second;      /* the same list as the first, in the same order */
    const struct hot_server *servers; /* by node index */
    const struct hot_stranger *strangers;
    uint32_t stranger_count;
    uint32_t min_live; /* min_live_node_count_for_unfreeze: a warning where fewer beacon; 0: none */
    bool all_cold;     /* the operator's choice */
    bool motion;       /* the rounds are so far apart that every living group has prepared something
                          between them: more than the replica servers' group_check_interval_ms (100 s),
                          in which a primary prepares an empty mutation where nobody writes
                          (src/replica/replica_check.cpp:broadcast_group_check) */
    br_time now;
    br_time grace; /* fd_grace */
};

struct hot_gpid {
    int32_t table;
    int32_t partition;
};

struct hot_node {
    enum hot_reason reason;     /* HOT_WHOLE: it is not cold */
    struct hot_gpid why;        /* the first partition that made it cold; table 0: none did */
    enum hot_reason why_reason; /* HOT_SHARED: why that one is not whole */
    bool busy;                  /* cold, and not quiet yet */
    uint64_t claims;            /* PRIMARY, SECONDARY or learning, in the round that had more */
};

struct hot {
    struct arena arena; /* all of it */
    struct hot_node *nodes;
    uint32_t node_count;
    uint32_t cold_count;
    uint32_t busy_count;   /* strangers included */
    bool ready;            /* nobody is busy: the cluster may be written */
    br_time until;         /* nobody needs to be waited for any longer than this; 0: ready */
    struct hot_gpid *kept; /* the hot partitions, ascending */
    uint64_t kept_count;
    uint64_t rest_count;           /* partitions of available tables that are not hot */
    uint64_t reasons[HOT_REASONS]; /* partitions that are not whole, by reason; HOT_SHARED: whole,
                                      but on cold servers */
    uint8_t *fates;                /* private */
};

void hot_done(struct hot *hot);

static inline bool hot_cold(const struct hot_node *node)
{
    return node->reason != HOT_WHOLE;
}

/* How many replicas of this answer are PRIMARY, SECONDARY or learning; 0 of a silent node.  The
 * first `room` of them go to ret_some, which may be NULL where room is 0. */
uint64_t hot_claims(const struct survey_node *node, struct hot_gpid *ret_some, uint32_t room);

/* Is a cold server quiet?  `node` is its newest answer. */
bool hot_quiet(const struct survey_node *node, br_time last_ack, br_time now, br_time grace);

/* "1.0-3, 2.5", at most HOT_RANGES_MAX ranges, then how many partitions more; "none". */
void hot_put_kept(const struct hot *hot, struct buf *buf);

/* One sentence without its end: how many partitions stay hot and which, how many servers are cold,
 * how many of those are waited for and for how long at most. */
void hot_put_progress(const struct hot *hot, br_time now, struct buf *buf);

/* Why a server is cold, as the end of a sentence; "" where it is not. */
void hot_put_why(const struct hot_node *node, struct buf *buf);

#endif
