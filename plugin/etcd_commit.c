/* etcd_commit -- a batch on its way: tried at once where it can be said without a snapshot, else,
 * or where a compare failed, with one; the snapshot also says which write fails.  All of it is one
 * job of the write lane, so that batches are carried out in the order issued.
 */
#include <stdlib.h>
#include <string.h>

#include "plugin/etcd_batch.h"

struct committing {
    struct etcd_job job; /* first */
    struct br_call *call;
    uint32_t tries;
    struct etcd_batch batch;
};

static void commit_snapshot(struct etcd *etcd, struct committing *commit);

static void commit_free(struct committing *commit)
{
    etcd_batch_done(&commit->batch);
    free(commit);
}

/* It was replied to: the next job's turn. */
static void commit_over(struct etcd *etcd, struct committing *commit)
{
    etcd_job_over(etcd, &commit->job);
    commit_free(commit);
}

static void commit_fail(struct etcd *etcd, struct committing *commit, br_status status,
                        const char *why)
{
    br_reply_fail(commit->call, status, "%s: %s", etcd->host[etcd->at].text, why);
    commit_over(etcd, commit);
}

static void commit_drop(struct etcd *etcd, struct etcd_job *job, br_status status, const char *why)
{
    struct committing *commit = (struct committing *) job;
    (void) etcd;
    br_reply_fail(commit->call, status, "%s", why);
    commit_free(commit);
}

/* A write that fails says which path, and why. */
static void commit_refuse(struct etcd *etcd, struct committing *commit)
{
    const struct etcd_batch *batch = &commit->batch;
    const struct br_write *write = batch->writes[batch->failed];
    br_reply_fail(commit->call, batch->status, "%.200s %s", write->path,
                  br_write_why(write, batch->status));
    commit_over(etcd, commit);
}

static void commit_answered(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct committing *commit = arg;
    br_status status;
    const char *why;
    int done = etcd_chained(etcd, reply, &status, &why);
    if (done < 0) {
        commit_fail(etcd, commit, status, why);
    } else if (done > 0) {
        br_reply_ok(commit->call);
        commit_over(etcd, commit);
    } else if (++commit->tries == ETCD_TRIES_MAX) {
        commit_fail(etcd, commit, BR_UNAVAILABLE,
                    "what the batch rests on changed again and again");
    } else {
        commit_snapshot(etcd, commit);
    }
}

static void commit_send(struct etcd *etcd, struct committing *commit)
{
    struct buf compares = { 0 }, ops = { 0 };
    if (etcd_batch_put(&commit->batch, &compares, &ops)) {
        etcd_chain(etcd, &compares, &ops, commit_answered, commit);
        return;
    }
    buf_done(&compares);
    buf_done(&ops);
    commit_snapshot(etcd, commit);
}

static void commit_seen(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct committing *commit = arg;
    if (reply->status != BR_OK) {
        br_status status = br_may_have_happened(reply->status) ? BR_UNAVAILABLE : reply->status;
        commit_fail(etcd, commit, status, reply->why);
    } else if (!etcd_batch_take_snapshot(&commit->batch, reply)) {
        commit_fail(etcd, commit, BR_CORRUPT, "a node's value was not written by bridle");
    } else if (etcd_batch_run(&commit->batch) != BR_OK) {
        commit_refuse(etcd, commit);
    } else {
        commit_send(etcd, commit);
    }
}

static void commit_snapshot(struct etcd *etcd, struct committing *commit)
{
    struct buf groups = { 0 };
    etcd_batch_put_snapshot(&commit->batch, &groups);
    etcd_ask_ranges(etcd, ETCD_LANE_WRITE, &groups, commit_seen, commit);
}

static void commit_go(struct etcd *etcd, struct etcd_job *job)
{
    struct committing *commit = (struct committing *) job;
    if (!etcd->up || etcd->going_down)
        commit_fail(etcd, commit, BR_UNAVAILABLE, "not connected");
    else if (!etcd_batch_needs_snapshot(&commit->batch) && etcd_batch_run(&commit->batch) == BR_OK)
        commit_send(etcd, commit);
    else
        commit_snapshot(etcd, commit);
}

void etcd_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                 struct br_call *call)
{
    struct etcd *etcd = env->self;
    br_status status;
    uint32_t index;
    const char *wrong = br_batch_wrong(&etcd_store, writes, count, &index, &status);
    if (wrong) {
        br_reply_fail(call, status, "'%.200s': %s", writes[index]->path, wrong);
        return;
    }
    if (count == 0) {
        br_reply_ok(call);
        return;
    }
    if (etcd_refuse_down(etcd, call))
        return;
    struct committing *commit = mem_new(sizeof *commit);
    commit->call = call;
    commit->job = (struct etcd_job){ .go = commit_go, .drop = commit_drop };
    etcd_batch_init(&commit->batch, etcd, writes, count);
    etcd_job_add(etcd, &commit->job);
}
