/* asker -- see learner.h: the question that a recovery asks every server, to one, by the transport
 * plugin.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/freeze.h"
#include "host/meta/guardian.h"
#include "host/meta/learner.h"
#include "host/recovery/survey.h"

/* One server that was asked, or is to be. */
struct ask {
    struct asker *asker;
    int32_t node;
    struct br_call *call; /* under way */
    struct timer *timer;  /* until it may be asked again */
    bool queued;
    TAILQ_ENTRY(ask) link;
    br_time ended; /* the last one; 0: none */
    br_time pause;
    char *why; /* malloc'ed; NULL: it answered, or was not asked */
    struct cure_list waiting;
};

struct asker {
    struct meta *meta;
    struct ask **asks; /* by node; NULL: never asked */
    uint32_t count;
    uint32_t flying;
    TAILQ_HEAD(, ask) queue;
};

static void asker_pump(struct asker *asker);

static const char *ask_name(const struct ask *ask)
{
    return ask->asker->meta->state.cluster.nodes[ask->node].name;
}

static struct ask *ask_find(const struct asker *asker, int32_t node)
{
    return asker && (uint32_t) node < asker->count ? asker->asks[node] : NULL;
}

static struct ask *ask_make(struct asker *asker, int32_t node)
{
    uint32_t count = asker->meta->state.cluster.node_count;
    if (count > asker->count) {
        asker->asks = mem_grow(asker->asks, count * sizeof(struct ask *));
        memset(asker->asks + asker->count, 0, (count - asker->count) * sizeof(struct ask *));
        asker->count = count;
    }
    if (!asker->asks[node]) {
        struct ask *ask = mem_new(sizeof *ask);
        ask->asker = asker;
        ask->node = node;
        TAILQ_INIT(&ask->waiting);
        asker->asks[node] = ask;
    }
    return asker->asks[node];
}

/* What is under way is no longer; who waits is looked at. */
static void ask_stop(struct ask *ask)
{
    struct asker *asker = ask->asker;
    if (ask->queued)
        TAILQ_REMOVE(&asker->queue, ask, link);
    ask->queued = false;
    timer_cancel(ask->timer);
    ask->timer = NULL;
    if (ask->call) {
        transport_cancel(asker->meta->transport, ask->call);
        call_forget(ask->call);
        ask->call = NULL;
        asker->flying--;
    }
    guardian_resume(asker->meta, &ask->waiting);
}

/* -- The answer ---------------------------------------------------------------------------------
 */

static void ask_failed(struct ask *ask, const char *format, const char *what)
{
    struct meta *meta = ask->asker->meta;
    struct buf why = { 0 };
    buf_printf(&why, format, what);
    if (!ask->why)
        meta_log(meta, BR_WARN,
                 "%s does not say what replicas it holds: %s; while the cluster is frozen nothing "
                 "is copied to it: see to it that it answers RPC_QUERY_REPLICA_INFO, or `bridle "
                 "release`",
                 ask_name(ask), buf_string(&why));
    free(ask->why);
    ask->why = why.data;
}

static void ask_take(struct ask *ask, const struct br_chunk *chunks)
{
    struct meta *meta = ask->asker->meta;
    learner_begin(meta, ask->node);
    for (const struct br_chunk *chunk = chunks; chunk; chunk = chunk->next) {
        const char *row = chunk->rows;
        for (uint32_t i = 0; i < chunk->count; i++, row += chunk->row_size) {
            struct br_replica replica;
            memcpy(&replica, row, sizeof replica);
            learner_told(meta, ask->node,
                         &(struct told){ .pid = { replica.table, replica.partition },
                                         .status = replica.role,
                                         .ballot = replica.ballot,
                                         .committed = replica.committed });
        }
    }
    learner_end(meta, ask->node);
    if (ask->why) {
        meta_log(meta, BR_INFO, "%s says what replicas it holds again", ask_name(ask));
        guardian_scan(meta);
    }
    free(ask->why);
    ask->why = NULL;
}

static void ask_answered(void *arg, struct call_answer *answer)
{
    struct ask *ask = arg;
    struct asker *asker = ask->asker;
    const char *fault = NULL;
    ask->call = NULL;
    ask->ended = loop_now(asker->meta->loop);
    asker->flying--;
    for (const struct br_chunk *chunk = answer->chunks; !answer->status && chunk && !fault;
         chunk = chunk->next)
        fault = survey_chunk_fault(chunk, BR_ROW_REPLICA, (uint32_t) ask->node);
    if (answer->status)
        ask_failed(ask, "%.300s", answer->message);
    else if (fault)
        ask_failed(ask, "the transport plugin answered %s: a fault of the plugin", fault);
    else
        ask_take(ask, answer->chunks);
    guardian_resume(asker->meta, &ask->waiting);
    asker_pump(asker);
}

/* -- The question -------------------------------------------------------------------------------
 */

static void ask_send(struct ask *ask)
{
    struct meta *meta = ask->asker->meta;
    const struct node *node = &meta->state.cluster.nodes[ask->node];
    ask->asker->flying++;
    meta_log(meta, BR_DEBUG, "%s is asked what replicas it holds", node->name);
    ask->call =
        transport_replicas(meta->transport, node->address ? node->address_text : node->name,
                           ask->node, meta->config->recovery.node_deadline, ask_answered, ask);
}

static void asker_pump(struct asker *asker)
{
    struct ask *ask;
    while (asker->flying < ASK_PARALLEL_MAX && freeze_known(asker->meta)
           && (ask = TAILQ_FIRST(&asker->queue))) {
        TAILQ_REMOVE(&asker->queue, ask, link);
        ask->queued = false;
        ask_send(ask);
    }
}

static void ask_queue(struct ask *ask)
{
    TAILQ_INSERT_TAIL(&ask->asker->queue, ask, link);
    ask->queued = true;
    asker_pump(ask->asker);
}

static void ask_again(void *arg)
{
    struct ask *ask = arg;
    ask->timer = NULL;
    ask_queue(ask);
}

void ask_node(struct meta *meta, int32_t node)
{
    struct ask *ask = ask_make(meta->asker, node);
    br_time now = loop_now(meta->loop);
    if (ask->call || ask->timer || ask->queued)
        return;
    if (!ask->ended || now - ask->ended > 2 * ask->pause + BR_SECOND)
        ask->pause = ASK_PAUSE;
    else if (ask->pause < ASK_PAUSE_LONGEST / 2)
        ask->pause *= 2;
    else
        ask->pause = ASK_PAUSE_LONGEST;
    br_time due = ask->ended ? ask->ended + ask->pause : now;
    if (due > now)
        ask->timer = loop_after(meta->loop, due - now, ask_again, ask);
    else
        ask_queue(ask);
}

struct cure_list *ask_waiting(struct meta *meta, int32_t node)
{
    return &ask_make(meta->asker, node)->waiting;
}

const char *ask_silent(const struct meta *meta, int32_t node)
{
    const struct ask *ask = ask_find(meta->asker, node);
    return ask ? ask->why : NULL;
}

/* -- What happens meanwhile ---------------------------------------------------------------------
 */

void ask_told(struct meta *meta, int32_t node)
{
    struct ask *ask = ask_find(meta->asker, node);
    if (!ask)
        return;
    if (ask->why)
        guardian_scan(meta);
    free(ask->why);
    ask->why = NULL;
    ask_stop(ask);
    asker_pump(meta->asker);
}

void ask_forget(struct meta *meta, int32_t node)
{
    struct ask *ask = ask_find(meta->asker, node);
    learner_forget(&meta->state.nodes[node]);
    ask_told(meta, node);
    if (ask)
        ask->ended = 0;
}

void asker_frozen(struct meta *meta)
{
    if (!meta->asker)
        return;
    if (freeze_why(meta)) {
        asker_pump(meta->asker);
        return;
    }
    for (uint32_t i = 0; i < meta->state.cluster.node_count; i++)
        ask_forget(meta, (int32_t) i);
    guardian_scan(meta);
}

struct asker *asker_new(struct meta *meta)
{
    struct asker *asker = mem_new(sizeof *asker);
    asker->meta = meta;
    TAILQ_INIT(&asker->queue);
    return asker;
}

void asker_free(struct asker *asker)
{
    for (uint32_t i = 0; asker && i < asker->count; i++) {
        struct ask *ask = asker->asks[i];
        if (!ask)
            continue;
        ask_stop(ask);
        free(ask->why);
        free(ask);
    }
    if (asker)
        free(asker->asks);
    free(asker);
}
