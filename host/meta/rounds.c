/* rounds -- survey and judgement of a recovery, as often as it takes.
 *
 * A group that provably still serves goes on serving (hot.h).  To know that, everybody is asked
 * twice; who claims to serve and is not of such a group gets no acknowledgement any more, so that
 * its lease runs out, and after a pause everybody is asked again.  Nothing is written before nobody
 * needs to be waited for.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/recover_run.h"

#define ROUNDS_PAUSE (BR_SECOND) /* between two rounds; longer where a round takes long */

static void rounds_ask(struct recover *recover, void (*done)(void *arg, struct survey *survey));
static void rounds_first(void *arg, struct survey *survey);

static void rounds_forget(struct recover *recover)
{
    if (recover->second && recover->second != recover->first)
        survey_free(recover->second);
    survey_free(recover->first);
    recover->first = recover->second = NULL;
}

/* -- Whom we acknowledge ---------------------------------------------------------------------- */

static void rounds_thaw(struct meta *meta)
{
    for (uint32_t i = 0; i < meta->detector.count; i++)
        meta->detector.nodes[i].cold = false;
}

void rounds_cancel(struct recover *recover)
{
    if (recover->survey_run)
        survey_cancel(recover->survey_run);
    recover->survey_run = NULL;
    rounds_forget(recover);
    buf_done(&recover->progress);
    rounds_thaw(recover->meta);
}

static void rounds_chill(struct detector_node *node, bool cold)
{
    if (!node)
        return;
    node->cold = cold;
    if (cold)
        node->acked_since = 0;
}

/* -- What the judgement is told --------------------------------------------------------------- */

/* The server of this entry of the list: by its name, else by its address, which somebody typed. */
static struct detector_node *rounds_node(const struct recover *recover, uint32_t index)
{
    const struct detector *detector = &recover->meta->detector;
    struct detector_node *node = detector_find(detector, recover->names[index]);
    uint64_t address = recover->addresses[index];
    for (uint32_t i = 0; !node && address && i < detector->count; i++) {
        if (detector->nodes[i].address == address)
            node = &detector->nodes[i];
    }
    return node && !node->presumed ? node : NULL;
}

static br_time rounds_last_ack(const struct meta *meta, const struct detector_node *node)
{
    return node && node->acked > meta->leading_since ? node->acked : meta->leading_since;
}

static void rounds_fact(struct recover *recover, uint32_t index, br_time now,
                        struct hot_server *ret)
{
    const struct detector_node *node = rounds_node(recover, index);
    bool stale = node && now - node->last > detector_gap(&recover->meta->detector);
    *ret = (struct hot_server){
        .beacon = node ? node->name : NULL,
        .acked_since = node && !stale && !node->cold ? node->acked_since : 0,
        .last_ack = rounds_last_ack(recover->meta, node),
        .answered_at = recover->first->nodes[index].answered_at,
        .asked_again_at = recover->second->nodes[index].asked_at,
        .stopped = stale,
        .returned = node && node->gaps > 0,
    };
}

/* Servers that beacon to us and stand nowhere in the list. */
static uint32_t rounds_strangers(struct recover *recover, struct hot_stranger *strangers)
{
    const struct detector *detector = &recover->meta->detector;
    bool *listed = mem_array(detector->count + 1u, sizeof *listed);
    uint32_t count = 0;
    for (uint32_t i = 0; i < recover->node_count; i++) {
        const struct detector_node *node = rounds_node(recover, i);
        if (node)
            listed[node - detector->nodes] = true;
    }
    for (uint32_t i = 0; i < detector->count; i++) {
        const struct detector_node *node = &detector->nodes[i];
        if (listed[i] || node->presumed)
            continue;
        strangers[count++] =
            (struct hot_stranger){ .name = node->name,
                                   .last_ack = rounds_last_ack(recover->meta, node) };
    }
    free(listed);
    return count;
}

/* -- What follows from it --------------------------------------------------------------------- */

static void rounds_again(void *arg)
{
    struct recover *recover = arg;
    recover->retry = NULL;
    rounds_ask(recover, rounds_first);
}

/* Why a server stops serving is told once, when it is chosen. */
static void rounds_chill_listed(struct recover *recover, const struct hot *hot, uint32_t index)
{
    struct detector_node *node = rounds_node(recover, index);
    bool cold = hot_cold(&hot->nodes[index]);
    if (hot->nodes[index].busy && !recover->told_cold[index]) {
        struct buf why = { 0 };
        hot_put_why(&hot->nodes[index], &why);
        meta_log(recover->meta, BR_WARN, "node(%s) must stop serving first: %s",
                 recover->names[index], buf_string(&why));
        buf_done(&why);
        recover->told_cold[index] = true;
    }
    rounds_chill(node, cold);
}

/* Who is cold is acknowledged no more; after a pause everybody is asked again. */
static void rounds_wait(struct recover *recover, const struct hot *hot,
                        const struct hot_stranger *strangers, uint32_t stranger_count)
{
    struct meta *meta = recover->meta;
    br_time now = loop_now(meta->loop);
    br_time took = now - recover->asked;
    for (uint32_t i = 0; i < recover->node_count; i++)
        rounds_chill_listed(recover, hot, i);
    for (uint32_t i = 0; i < stranger_count; i++)
        rounds_chill(detector_find(&meta->detector, strangers[i].name), true);
    buf_clear(&recover->progress);
    hot_put_progress(hot, now, &recover->progress);
    if (recover_due(recover) || !recover->waited)
        meta_log(meta, BR_INFO, "%s", buf_string(&recover->progress));
    recover->waited = true;
    cluster_done(&recover->cluster);
    rounds_forget(recover);
    br_time pause = took > ROUNDS_PAUSE / 4 ? took * 4 : ROUNDS_PAUSE;
    recover->retry = loop_after(meta->loop, pause, rounds_again, recover);
}

/* A primary knows the order of its secondaries, and we do not: until it has said it, nothing is
 * proposed to it. */
static void rounds_mark(struct recover *recover, const struct hot *hot)
{
    struct meta *meta = recover->meta;
    struct buf text = { 0 };
    for (uint64_t i = 0; i < hot->kept_count; i++) {
        const struct table *table = cluster_table(&recover->cluster, hot->kept[i].table);
        table->partitions[hot->kept[i].partition].flags |= PARTITION_UNCONFIRMED;
    }
    hot_put_progress(hot, loop_now(meta->loop), &text);
    meta_log(meta, BR_INFO, "%s", buf_string(&text));
    buf_done(&text);
}

static void rounds_judged(struct recover *recover, const struct hot *hot,
                          const struct hot_stranger *strangers, uint32_t stranger_count)
{
    struct fail fail;
    if (!findings_pass(&recover->findings)) {
        recover_answer(recover, "ERR_TRY_AGAIN", NULL);
    } else if (!hot->ready) {
        rounds_wait(recover, hot, strangers, stranger_count);
    } else if (layout_check(&recover->cluster, recover->meta->version, &fail) != BR_OK) {
        recover_answer(recover, "ERR_INVALID_PARAMETERS", fail.text);
    } else {
        rounds_mark(recover, hot);
        rounds_forget(recover); /* the verdicts are copies */
        recover_write(recover);
    }
}

static void rounds_failed(struct recover *recover, const struct fail *fail)
{
    bool found = recover->findings.refusals > 0;
    recover_answer(recover, "ERR_TRY_AGAIN", found ? NULL : fail->text);
}

static void rounds_judge(struct recover *recover)
{
    struct meta *meta = recover->meta;
    struct fail fail = { .status = BR_OK };
    struct hot hot;
    br_time now = loop_now(meta->loop);
    struct hot_server *servers = mem_array(recover->node_count, sizeof *servers);
    struct hot_stranger *strangers = mem_array(meta->detector.count + 1u, sizeof *strangers);
    uint32_t stranger_count = rounds_strangers(recover, strangers);
    for (uint32_t i = 0; i < recover->node_count; i++)
        rounds_fact(recover, i, now, &servers[i]);
    const struct hot_request request = {
        .second = recover->second,
        .servers = servers,
        .strangers = strangers,
        .stranger_count = stranger_count,
        .min_live = (uint32_t) meta->config->meta.min_live_node_count_for_unfreeze,
        .all_cold = meta->all_cold || meta->config->recovery.hot == CONFIG_HOT_COLD,
        .motion = meta->config->recovery.hot_motion > 0,
        .now = now,
        .grace = meta->config->replication.fd_grace,
    };
    if (judge_hot(recover->first, &request, meta->policy, &recover->findings, &recover->cluster,
                  &hot, &fail)
        != BR_OK) {
        rounds_failed(recover, &fail);
    } else {
        rounds_judged(recover, &hot, strangers, stranger_count);
        hot_done(&hot);
    }
    free(servers);
    free(strangers);
}

/* As Apache Pegasus does it: nobody is waited for. */
static void rounds_judge_plainly(struct recover *recover)
{
    struct meta *meta = recover->meta;
    struct fail fail = { .status = BR_OK };
    if (judge(recover->first, meta->policy, &recover->findings, &recover->cluster, &fail)
        != BR_OK) {
        rounds_failed(recover, &fail);
    } else if (!findings_pass(&recover->findings)) {
        recover_answer(recover, "ERR_TRY_AGAIN", NULL);
    } else if (layout_check(&recover->cluster, meta->version, &fail) != BR_OK) {
        recover_answer(recover, "ERR_INVALID_PARAMETERS", fail.text);
    } else {
        rounds_forget(recover);
        recover_write(recover);
    }
}

/* -- Asking ----------------------------------------------------------------------------------- */

static void rounds_second(void *arg, struct survey *survey)
{
    struct recover *recover = arg;
    recover->survey_run = NULL;
    recover->second = survey;
    rounds_judge(recover);
}

static void rounds_ask_again(void *arg)
{
    struct recover *recover = arg;
    recover->retry = NULL;
    rounds_ask(recover, rounds_second);
}

/* Has this server found us, and did we acknowledge it before it was asked? */
static bool rounds_found_us(const struct recover *recover, uint32_t index)
{
    const struct detector_node *node = rounds_node(recover, index);
    if (!node)
        return false;
    return node->cold
           || (node->acked_since != 0
               && node->acked_since <= recover->first->nodes[index].asked_at);
}

/* Who claims to serve beacons to somebody; just after we took the lead it may not have found us
 * yet, or not as the leader, which is no sign that it obeys another. */
static bool rounds_early(const struct recover *recover)
{
    const struct meta *meta = recover->meta;
    if (loop_now(meta->loop) - meta->leading_since > detector_gap(&meta->detector))
        return false;
    for (uint32_t i = 0; i < recover->node_count; i++) {
        if (hot_claims(&recover->first->nodes[i], NULL, 0) && !rounds_found_us(recover, i))
            return true;
    }
    return false;
}

static void rounds_look_later(struct recover *recover)
{
    struct meta *meta = recover->meta;
    buf_clear(&recover->progress);
    buf_text(&recover->progress, "replica servers that serve are given time to find this meta "
                                 "server");
    if (recover_due(recover))
        meta_log(meta, BR_INFO, "%s", buf_string(&recover->progress));
    rounds_forget(recover);
    recover->retry = loop_after(meta->loop, ROUNDS_PAUSE / 4, rounds_again, recover);
}

static bool rounds_claimed(const struct survey *survey)
{
    for (uint32_t i = 0; i < survey->node_count; i++) {
        if (hot_claims(&survey->nodes[i], NULL, 0))
            return true;
    }
    return false;
}

static void rounds_first(void *arg, struct survey *survey)
{
    struct recover *recover = arg;
    struct meta *meta = recover->meta;
    recover->survey_run = NULL;
    recover->first = survey;
    if (recover->rounds++ == 0)
        meta_log(meta, BR_INFO, "survey: %u of %u nodes answered, %llu replicas",
                 survey->node_count - survey->silent_count, survey->node_count,
                 (unsigned long long) survey->replica_count);
    findings_done(&recover->findings);
    findings_init(&recover->findings, recover->consents);
    survey_find(survey, &recover->findings);
    if (!findings_pass(&recover->findings)) {
        recover_answer(recover, "ERR_TRY_AGAIN", NULL);
    } else if (meta->config->recovery.hot == CONFIG_HOT_OFF) {
        rounds_judge_plainly(recover);
    } else if (rounds_early(recover)) {
        rounds_look_later(recover);
    } else if (rounds_claimed(survey) && meta->config->recovery.hot_motion) {
        buf_clear(&recover->progress);
        buf_text(&recover->progress, "groups are given time to move");
        recover->retry =
            loop_after(meta->loop, meta->config->recovery.hot_motion, rounds_ask_again, recover);
    } else if (rounds_claimed(survey)) {
        rounds_ask(recover, rounds_second);
    } else {
        recover->second = survey; /* nobody serves: there is nothing to compare */
        rounds_judge(recover);
    }
}

static void rounds_progress(void *arg, uint32_t answered, uint32_t silent, uint32_t total)
{
    struct recover *recover = arg;
    if (recover->rounds == 0 && recover_due(recover)) /* later ones say what is waited for */
        meta_log(recover->meta, BR_INFO, "asking: %u of %u nodes answered, %u silent", answered,
                 total, silent);
}

static void rounds_ask(struct recover *recover, void (*done)(void *arg, struct survey *survey))
{
    struct meta *meta = recover->meta;
    const struct config_recovery *config = &meta->config->recovery;
    if (done == rounds_first)
        recover->asked = loop_now(meta->loop);
    recover->survey_run = survey_start(
        meta->loop, meta->transport,
        &(struct survey_request){
            .names = recover->names,
            .addresses = recover->addresses,
            .count = recover->node_count,
            .parallel = (uint32_t) config->parallel,
            .retries = config->retries ? (uint32_t) config->retries : SURVEY_NO_RETRIES,
            .node_deadline = config->node_deadline,
            .progress = rounds_progress,
            .done = done,
            .arg = recover,
        });
}

void rounds_begin(struct recover *recover)
{
    rounds_ask(recover, rounds_first);
}
