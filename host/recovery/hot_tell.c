/* hot_tell -- what the operator is told: a sentence a server where a server is to be corrected, and
 * a sentence a reason, with the first few partitions, where groups are not whole.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/recovery/hot_run.h"

#define HOT_STOP_OTHERS "stop every other meta server"

/* -- Why -------------------------------------------------------------------------------------- */

static const char *hot_why(enum hot_reason reason)
{
    static const char *const texts[HOT_REASONS] = {
        [HOT_WHOLE] = "nothing",
        [HOT_UNREPORTED] = "no server reports a replica",
        [HOT_IDLE] = "no replica is PRIMARY, SECONDARY or learning",
        [HOT_CROWD] = "more servers report a replica than can be judged",
        [HOT_TWICE] = "a server reports its replica twice",
        [HOT_NO_BALLOT] = "a replica has an invalid ballot",
        [HOT_SPLIT] = "a split is under way",
        [HOT_HEADLESS] = "replicas are SECONDARY or learning, but none on a listed server is "
                         "PRIMARY",
        [HOT_PRIMARIES] = "more than one replica is PRIMARY",
        [HOT_HIGHER] = "a replica has a higher ballot than the PRIMARY",
        [HOT_FEW] = "there are fewer members than max_replica_count",
        [HOT_NAME] = "a member's server calls itself otherwise than the node list does",
        [HOT_OBEYS] = "a server that claims PRIMARY may obey another meta server",
        [HOT_UNACKED] = "a member's server was not acknowledged all the time since before it "
                        "answered",
        [HOT_EARLY] = "a member was asked again before the PRIMARY had answered",
        [HOT_CHANGED] = "the reports changed between the two rounds",
        [HOT_BEHIND] = "a SECONDARY lacks what the PRIMARY has committed",
        [HOT_AHEAD] = "a SECONDARY has committed what the PRIMARY has not",
        [HOT_STILL] = "a SECONDARY prepared nothing between the two rounds",
        [HOT_SILENT] = "a listed server did not answer",
        [HOT_STRANGER] = "a server outside the node list sends beacons",
        [HOT_CHOSEN] = "the operator wants nothing to stay hot",
        [HOT_STRAY] = "no table that is recovered has this partition",
        [HOT_SHARED] = "a server is shared with partitions that are not whole",
    };
    return texts[reason];
}

void hot_put_why(const struct hot_node *node, struct buf *buf)
{
    if (!hot_cold(node))
        return;
    if (node->reason == HOT_SHARED)
        buf_text(buf, "it shares partitions, directly or over other servers, with a cold one: ");
    if (node->why.table)
        buf_printf(buf, "partition(%d.%d): ", node->why.table, node->why.partition);
    buf_text(buf, hot_why(node->why_reason));
}

/* -- Servers ---------------------------------------------------------------------------------- */

static void hot_tell_name(struct hot_run *run, uint32_t i, struct br_subject *subject)
{
    const char *name = run->survey->nodes[i].name;
    const char *beacon = run->request->servers[i].beacon;
    if (!beacon || strcmp(beacon, name) == 0)
        return;
    subject->severity = BR_REFUSAL;
    findings_add(run->findings, subject,
                 "ERROR: node(%s) calls itself %s in its beacons, and under another name its "
                 "partitions would be taken for dead; write %s in the node list (the bridle shell "
                 "sends names with --pegasus-version 2.6)",
                 name, beacon, beacon);
}

/* Long after its lease must have ended: somebody prolongs it. */
static bool hot_overdue(const struct hot_run *run, uint32_t i)
{
    const struct hot_server *server = &run->request->servers[i];
    return run->hot->nodes[i].busy && !server->acked_since
           && server->asked_again_at - server->last_ack >= HOT_GRACES * run->request->grace
           && hot_claims(&run->request->second->nodes[i], NULL, 0) > 0;
}

static void hot_tell_obeys(struct hot_run *run, uint32_t i, struct br_subject *subject)
{
    const struct hot_server *server = &run->request->servers[i];
    const char *name = run->survey->nodes[i].name;
    if (hot_overdue(run, i)) {
        subject->severity = BR_REFUSAL;
        findings_add(run->findings, subject,
                     "ERROR: node(%s) still reports %" PRIu64 " replicas as PRIMARY, SECONDARY or "
                     "learning %" PRId64 " s after our last acknowledgement, so that another meta "
                     "server must be prolonging its lease; " HOT_STOP_OTHERS " and recover again",
                     name, run->hot->nodes[i].claims,
                     (server->asked_again_at - server->last_ack) / BR_SECOND);
    } else if (run->obeys[i]) {
        subject->severity = BR_WARNING;
        findings_add(run->findings, subject,
                     "WARNING: node(%s) claims to be PRIMARY, but %s; it may obey another meta "
                     "server, so it is not hot; " HOT_STOP_OTHERS,
                     name,
                     !server->beacon    ? "sends us no beacons"
                     : server->returned ? "its beacons stopped and came back"
                                        : "its beacons stopped");
    }
}

static void hot_tell_live(struct hot_run *run)
{
    const struct hot_request *request = run->request;
    uint32_t live = request->stranger_count;
    for (uint32_t i = 0; i < run->hot->node_count; i++)
        live += request->servers[i].beacon && !request->servers[i].stopped;
    if (live >= request->min_live)
        return;
    struct br_subject subject = { -1, -1, -1, BR_WARNING, NULL, NULL };
    findings_add(run->findings, &subject,
                 "WARNING: %u replica servers send beacons, fewer than the %u of "
                 "min_live_node_count_for_unfreeze: until more do, the cluster is frozen and only "
                 "what is hot is served",
                 live, request->min_live);
}

void hot_tell_servers(struct hot_run *run)
{
    const struct hot_request *request = run->request;
    run->findings->group = FINDING_NODE;
    for (uint32_t i = 0; i < run->hot->node_count; i++) {
        struct br_subject subject = { (int32_t) i, -1, -1, BR_WARNING, NULL, NULL };
        hot_tell_name(run, i, &subject);
        hot_tell_obeys(run, i, &subject);
    }
    for (uint32_t i = 0; i < request->stranger_count; i++) {
        struct br_subject subject = { -1, -1, -1, BR_WARNING, NULL, NULL };
        findings_add(run->findings, &subject,
                     "WARNING: node(%s) sends us beacons but is not in the node list, so that "
                     "replicas of it, PRIMARYs among them, may be left out and nothing can stay "
                     "hot; add it to the list",
                     request->strangers[i].name);
    }
    hot_tell_live(run);
}

/* -- Groups ----------------------------------------------------------------------------------- */

/* What is not served in any case, or was chosen, is for the log. */
static int32_t hot_severity(enum hot_reason reason)
{
    return reason == HOT_IDLE || reason == HOT_UNREPORTED || reason == HOT_CHOSEN ? BR_NOTE
                                                                                  : BR_WARNING;
}

static const char *hot_advice(enum hot_reason reason)
{
    switch (reason) {
    case HOT_HEADLESS:
        return "; a PRIMARY may be on a server outside the list: list every replica server";
    case HOT_PRIMARIES: return "; two groups may be alive: " HOT_STOP_OTHERS;
    case HOT_OBEYS: return "; " HOT_STOP_OTHERS;
    case HOT_AHEAD:
    case HOT_BEHIND: return "; one ballot may name two groups, after an earlier recovery";
    case HOT_NAME: return "; write the servers' own names in the list";
    default: return "";
    }
}

static void hot_tell_reason(struct hot_run *run, enum hot_reason reason)
{
    uint64_t count = run->hot->reasons[reason];
    const struct hot_gpid *some = run->some[reason];
    int32_t severity = hot_severity(reason);
    struct br_subject subject = { -1, some[0].table, some[0].partition, severity, NULL, NULL };
    struct buf names = { 0 };
    for (uint64_t i = 0; i < count && i < HOT_NAMED_MAX; i++)
        buf_printf(&names, "%s%d.%d", i ? ", " : "", some[i].table, some[i].partition);
    findings_add(
        run->findings, &subject, "%s: %" PRIu64 " partition%s (%s%s) cannot stay hot: %s%s",
        severity == BR_NOTE ? "NOTE" : "WARNING", count, count == 1 ? "" : "s", buf_string(&names),
        count > HOT_NAMED_MAX ? " ..." : "", hot_why(reason), hot_advice(reason));
    buf_done(&names);
}

void hot_tell_groups(struct hot_run *run)
{
    run->findings->group = FINDING_PARTITION;
    for (int reason = HOT_WHOLE + 1; reason < HOT_REASONS; reason++)
        if (run->hot->reasons[reason])
            hot_tell_reason(run, (enum hot_reason) reason);
}

/* -- Progress --------------------------------------------------------------------------------- */

/* The partition behind the last one of the range that begins at `from`. */
static uint64_t hot_range(const struct hot *hot, uint64_t from)
{
    uint64_t to = from + 1;
    while (to < hot->kept_count && hot->kept[to].table == hot->kept[from].table
           && hot->kept[to].partition == hot->kept[to - 1].partition + 1)
        to++;
    return to;
}

void hot_put_kept(const struct hot *hot, struct buf *buf)
{
    uint64_t at = 0;
    for (int ranges = 0; at < hot->kept_count && ranges < HOT_RANGES_MAX; ranges++) {
        uint64_t to = hot_range(hot, at);
        buf_printf(buf, "%s%d.%d", ranges ? ", " : "", hot->kept[at].table,
                   hot->kept[at].partition);
        if (to - at > 1)
            buf_printf(buf, "-%d", hot->kept[to - 1].partition);
        at = to;
    }
    if (!hot->kept_count)
        buf_text(buf, "none");
    else if (at < hot->kept_count)
        buf_printf(buf, " and %" PRIu64 " more", hot->kept_count - at);
}

void hot_put_progress(const struct hot *hot, br_time now, struct buf *buf)
{
    buf_printf(buf, "%" PRIu64 " of %" PRIu64 " partitions stay hot (", hot->kept_count,
               hot->kept_count + hot->rest_count);
    hot_put_kept(hot, buf);
    buf_printf(buf, "), %u of %u servers are cold", hot->cold_count, hot->node_count);
    if (hot->ready)
        return;
    br_time left = hot->until > now ? hot->until - now : 0;
    buf_printf(buf, ", %u servers are waited for, at most %" PRId64 " s", hot->busy_count,
               (left + BR_SECOND - 1) / BR_SECOND);
}
