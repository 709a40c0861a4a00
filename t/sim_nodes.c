/* sim_nodes -- the transport plugin: each server answers in its manner, and what it answered is
 * written down as the evidence of the attempt.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/sim.h"

/* A question on its way.  Its arena is the call's. */
struct question {
    struct question *next;
    struct br_call *call;
    uint64_t id;
    struct br_timer *timer;
    uint32_t node;
    int query;      /* 0: tables, 1: replicas */
    uint32_t asked; /* the how-many-th of this attempt it is */
    struct sim_lot lot;
};

struct sim_nodes {
    struct question *first;
};

static void question_free(struct br_env *env, struct question *question)
{
    struct sim_nodes *nodes = env->self;
    struct question **at = &nodes->first;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    br_disarm(env, question->timer);
    free(question);
}

/* -- Answers ----------------------------------------------------------------------------------- */

/* As it is now; a server may restart between two answers. */
static struct sim_said node_said(uint32_t index, int query)
{
    struct sim_node *node = &sim.cluster.nodes[index];
    struct sim_said said = { .process = node->restarted, .claims = node->lease > 0 };
    if (sim.setting.hot != CONFIG_HOT_OFF && sim.now >= node->lease)
        said.claims = false;
    if (node->manner == MANNER_RESTARTING && sim.faults.unsteady && query == 0
        && node->restarted < UINT8_MAX && sim_percent(&sim.chance, 50))
        node->restarted++; /* seen from the other answer on */
    return said;
}

static void answer_rows(struct question *question)
{
    struct br_call *call = question->call;
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    struct sim_said said = node_said(question->node, question->query);
    if (question->query == 0) {
        struct br_table *rows = br_rows(call, SIM_TABLES_MAX * sizeof *rows);
        *chunk = (struct br_chunk){ .kind = BR_ROW_TABLE, .row_size = sizeof *rows, .rows = rows };
        chunk->count = sim_tables_of(&sim.cluster, question->node, said, rows);
    } else {
        struct br_replica *rows = br_rows(call, SIM_ROWS_MAX * sizeof *rows);
        *chunk =
            (struct br_chunk){ .kind = BR_ROW_REPLICA, .row_size = sizeof *rows, .rows = rows };
        chunk->count = sim_replicas_of(&sim.cluster, question->node, said, rows);
    }
    bool late = call->deadline && sim.now >= call->deadline;
    struct sim_evidence *evidence = &sim.process.evidence;
    if (!late && evidence->nodes[question->node].asked[question->query] == question->asked) {
        evidence->nodes[question->node].good[question->query] = true;
        evidence->nodes[question->node].said[question->query] = said;
    }
    sim_trace("node %u: %u rows of query %d%s", question->node + 1, chunk->count, question->query,
              late ? ", too late" : "");
    br_reply_rows(call, chunk);
}

static void node_answer(struct br_env *env, void *arg)
{
    struct question *question = arg;
    struct question asked = *question;
    question->timer = NULL;
    if (sim.shut)
        return;
    question_free(env, question);
    if (asked.lot.fate == FATE_FAIL && asked.lot.status == BR_REFUSED)
        br_reply_fail_as(asked.call, BR_REFUSED, "ERR_BUSY", "node %u is busy", asked.node + 1);
    else if (asked.lot.fate == FATE_FAIL)
        br_reply_fail(asked.call, asked.lot.status, "node %u gave no rows", asked.node + 1);
    else
        answer_rows(&asked);
}

/* -- Manners ----------------------------------------------------------------------------------- */

static struct sim_lot lot_fail(br_status status)
{
    return (struct sim_lot){ .fate = FATE_FAIL, .status = status, .back = BR_MILLISECOND };
}

/* What a server does that is not well; `asked`: how often it was asked in this attempt. */
static struct sim_lot manner_lot(const struct sim_node *node, int query, uint32_t asked,
                                 struct sim_lot lot)
{
    bool unsteady = sim.faults.unsteady;
    switch (node->manner) {
    case MANNER_SLOW: lot.back = sim_below(&sim.chance, 4000) * BR_MILLISECOND; return lot;
    case MANNER_SILENT: return (struct sim_lot){ .fate = FATE_LOST };
    case MANNER_DOWN: return lot_fail(BR_UNAVAILABLE);
    case MANNER_BUSY: return lot_fail(BR_REFUSED);
    case MANNER_GARBLED: return lot_fail(BR_CORRUPT);
    case MANNER_FORGETFUL:
        return unsteady && query == 1 ? (struct sim_lot){ .fate = FATE_LOST } : lot;
    case MANNER_ONCE_DOWN: return unsteady && asked <= 1 ? lot_fail(BR_UNAVAILABLE) : lot;
    case MANNER_LATE:
        if (unsteady)
            lot.back = 6 * BR_SECOND + sim_below(&sim.chance, 9000) * BR_MILLISECOND;
        return lot;
    case MANNER_WAKING: return unsteady && sim.now < node->waking ? lot_fail(BR_UNAVAILABLE) : lot;
    default: return lot;
    }
}

static struct sim_lot node_lot(uint32_t node, int query)
{
    struct sim_lot lot = { .back = sim_below(&sim.chance, 5000) * (BR_MILLISECOND / 1000) };
    uint32_t number = ++sim.process.calls;
    if (number == sim.faults.fail_call)
        return sim.faults.lot;
    return manner_lot(&sim.cluster.nodes[node], query,
                      sim.process.evidence.nodes[node].asked[query], lot);
}

/* -- What the host calls ----------------------------------------------------------------------- */

static void node_ask(struct br_env *env, int query, const char *name, int32_t index,
                     struct br_call *call)
{
    struct sim_nodes *nodes = env->self;
    struct question *question = mem_new(sizeof *question);
    *question = (struct question){
        .next = nodes->first, .call = call, .id = call->id, .node = (uint32_t) index, .query = query
    };
    nodes->first = question;
    if (sim.shut)
        return;
    if (strcmp(name, sim.cluster.nodes[index].name) != 0)
        sim_break("%s was asked as number %d", name, (int) index);
    question->asked = ++sim.process.evidence.nodes[index].asked[query];
    sim.process.evidence.nodes[index].good[query] = false;
    question->lot = node_lot(question->node, query);
    if (question->lot.fate == FATE_GOOD || question->lot.fate == FATE_FAIL)
        question->timer = br_after(env, question->lot.back, node_answer, question);
}

static void sim_ask_tables(struct br_env *env, const char *node, int32_t index,
                           struct br_call *call)
{
    node_ask(env, 0, node, index, call);
}

static void sim_ask_replicas(struct br_env *env, const char *node, int32_t index,
                             struct br_call *call)
{
    node_ask(env, 1, node, index, call);
}

static void sim_ask_cancel(struct br_env *env, struct br_call *call)
{
    const struct sim_nodes *nodes = env->self;
    struct question *at = nodes->first;
    while (at && at->call != call)
        at = at->next;
    if (!at || call->id % 2)
        return; /* a hint */
    question_free(env, at);
    br_reply_fail(call, BR_CANCELED, "given up");
}

static void sim_ask_stop(struct br_env *env, struct br_call *call)
{
    const struct sim_nodes *nodes = env->self;
    while (nodes->first) {
        struct br_call *asked = nodes->first->call;
        question_free(env, nodes->first);
        br_reply_fail(asked, BR_CANCELED, "the transport stops");
    }
    br_reply_ok(call);
}

static const struct br_transport sim_ops = {
    .tables = sim_ask_tables,
    .replicas = sim_ask_replicas,
    .cancel = sim_ask_cancel,
};

static const struct br_option sim_options[] = { { 0 } };

BR_PLUGIN(transport, sim, &sim_ops, .summary = "Replica servers in a simulation.", .version = "1",
          .license = "Apache-2.0", BR_STATE(struct sim_nodes, sim_options), .stop = sim_ask_stop);
