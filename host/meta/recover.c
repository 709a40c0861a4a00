/* recover -- one recovery at a time: survey and judge (rounds.c), plan, apply, verify, serve.  Each
 * step's answer starts the next; any failure ends in one answer to everybody who waits, and in
 * recovery mode.
 */
#include "host/meta/recover.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/recover_run.h"

#define RECOVER_BODY_MAX  (2 << 20) /* bytes of a request: it is kept until the answer */
#define RECOVER_NOTES_MAX 1000      /* lines in the log of one recovery */

/* -- Answering -------------------------------------------------------------------------------- */

static void recover_free(struct recover *recover)
{
    rounds_cancel(recover);
    if (recover->apply)
        apply_cancel(recover->apply);
    if (recover->load)
        load_cancel(recover->load);
    timer_cancel(recover->retry);
    findings_done(&recover->findings);
    audit_done(&recover->audit);
    cluster_done(&recover->cluster);
    arena_done(&recover->arena);
    free(recover);
}

static void recover_encode(enum wire_peer peer, const char *error, const char *hint,
                           struct buf *body)
{
    struct msg_configuration_recovery_response response;
    wire_init(&wire_configuration_recovery_response, &response);
    response.err = error;
    response.hint_message = hint;
    wire_encode(&wire_configuration_recovery_response, &response, peer, body);
}

/* The findings, then what went wrong beside them; one answer to everybody; the recovery is over. */
void recover_answer(struct recover *recover, const char *error, const char *more)
{
    struct meta *meta = recover->meta;
    struct buf hint = { 0 };
    struct buf body = { 0 };
    findings_put(&recover->findings, &hint);
    if (more && *more)
        buf_printf(&hint, "ERROR: %s\n", more);
    recover_encode(recover->peer, error, buf_string(&hint), &body);
    for (uint32_t i = 0; i < recover->waiting_count; i++)
        meta_reply(meta, recover->waiting[i], "ERR_OK", buf_bytes(&body));
    meta_log(meta, strcmp(error, "ERR_OK") == 0 ? BR_INFO : BR_WARN,
             "recovery over after %lld ms: %s, %u findings%s%s",
             (long long) ((loop_now(meta->loop) - recover->started) / BR_MILLISECOND), error,
             recover->findings.count, more && *more ? ": " : "", more ? more : "");
    buf_done(&hint);
    buf_done(&body);
    meta->recover = NULL;
    meta->all_cold = false; /* asked for one recovery */
    recover_free(recover);
}

void recover_abandon(struct meta *meta, const char *error, const char *why)
{
    if (meta->recover)
        recover_answer(meta->recover, error, why);
}

static const char *recover_state(const struct meta *meta)
{
    const struct recover *recover = meta->recover;
    if (!recover)
        return meta->state_now == META_RECOVERING ? "waiting for a recovery command"
               : meta->state_now == META_SERVING  ? "no recovery is under way: serving"
                                                  : "no recovery is under way";
    if (recover->load)
        return "reading back";
    if (recover->apply)
        return "writing";
    return recover->retry ? "waiting" : "asking";
}

void recover_put_status(const struct meta *meta, bool json, struct buf *buf)
{
    const struct recover *recover = meta->recover;
    const char *detail = recover && recover->retry ? buf_string(&recover->progress) : "";
    int64_t ms = recover ? (loop_now(meta->loop) - recover->started) / BR_MILLISECOND : 0;
    if (!json) {
        buf_printf(buf, "%s%s%s", recover_state(meta), *detail ? ": " : "", detail);
        return;
    }
    buf_text(buf, "{\"state\":");
    buf_json(buf, recover_state(meta));
    buf_text(buf, ",\"detail\":");
    buf_json(buf, detail);
    buf_printf(buf, ",\"milliseconds\":%lld,\"rounds\":%u}", (long long) ms,
               recover ? recover->rounds : 0);
}

/* -- Verifying -------------------------------------------------------------------------------- */

static void recover_read_back(void *arg, struct cluster *found, const struct fail *fail);

static void recover_read(void *arg)
{
    struct recover *recover = arg;
    struct meta *meta = recover->meta;
    recover->retry = NULL;
    recover->load =
        load_start(meta->loop, meta->store, buf_string(&meta->root), recover_read_back, recover);
}

/* A store that does not answer now is asked again: what was written is written. */
static void recover_read_back(void *arg, struct cluster *found, const struct fail *fail)
{
    struct recover *recover = arg;
    struct meta *meta = recover->meta;
    struct fail why = { .status = BR_OK };
    recover->load = NULL;
    if (!found && (fail->status == BR_UNAVAILABLE || fail->status == BR_TIMEOUT)) {
        meta_log(meta, BR_WARN, "reading back: %s; trying again in 1 s", fail->text);
        recover->retry = loop_after(meta->loop, META_RETRY, recover_read, recover);
        return;
    }
    if (!found)
        why = *fail;
    else if (verify_cluster(&recover->cluster, found, meta->version, &why) != BR_OK)
        fail_prefix(&why, "what was read back differs from the plan");
    if (why.status) {
        if (found)
            cluster_done(found);
        free(found);
        recover_answer(recover, "ERR_INCONSISTENT_STATE", why.text);
        return;
    }
    meta->recovered = true;
    meta_serve(meta, found, true);
    free(found);
    recover_answer(recover, "ERR_OK", NULL);
    apply_afterwards(meta->loop, meta->store, buf_string(&meta->root), meta->fence, NULL, NULL);
}

/* -- Applying --------------------------------------------------------------------------------- */

bool recover_due(struct recover *recover)
{
    br_time now = loop_now(recover->meta->loop);
    if (now - recover->told < RECOVER_PROGRESS)
        return false;
    recover->told = now;
    return true;
}

static void recover_apply_progress(void *arg, const struct apply_progress *progress)
{
    struct recover *recover = arg;
    if (recover_due(recover))
        meta_log(recover->meta, BR_INFO, "writing: %llu of %llu records",
                 (unsigned long long) progress->written, (unsigned long long) progress->total);
}

static void recover_applied(void *arg, br_status status, const char *text)
{
    struct recover *recover = arg;
    struct meta *meta = recover->meta;
    recover->apply = NULL;
    if (status == BR_FENCED) {
        recover_answer(recover, "ERR_HOLD_BY_OTHERS", text);
    } else if (status) {
        recover_answer(recover, "ERR_TRY_AGAIN", text);
    } else {
        meta_log(meta, BR_INFO, "written; reading back");
        recover_read(recover);
    }
}

/* Notes are for the log alone; so many of them are enough. */
static void recover_log_notes(const struct recover *recover)
{
    uint32_t told = 0;
    for (int group = FINDING_NODE; group < FINDING_GROUPS; group++) {
        const struct finding *at = recover->findings.first[group];
        for (; at && told < RECOVER_NOTES_MAX; at = at->next) {
            if (at->subject.severity != BR_NOTE)
                continue;
            meta_log(recover->meta, BR_INFO, "%s", at->text);
            told++;
        }
    }
}

static void recover_audit(struct recover *recover)
{
    struct meta *meta = recover->meta;
    const char **nodes = arena_zero(&recover->arena, (recover->node_count + 1) * sizeof *nodes);
    memcpy(nodes, recover->names, recover->node_count * sizeof *nodes);
    if (recover->waiting_count)
        address_format(recover->waiting[0]->peer, recover->asked_by);
    recover->audit = (struct audit){ .loop = meta->loop,
                                     .file = meta->config->recovery.audit_file,
                                     .program = "bridled",
                                     .deed = "recover",
                                     .plan = recover->plan.hash,
                                     .cluster = meta->config->replication.cluster_name,
                                     .root = buf_string(&meta->root),
                                     .asked_by = recover->asked_by };
    audit_add(&recover->audit, "policy", meta->policy->desc->name);
    audit_add_list(&recover->audit, "nodes", nodes);
    audit_add_list(&recover->audit, "consents", recover->consents);
    audit_add_findings(&recover->audit, &recover->findings);
}

void recover_write(struct recover *recover)
{
    struct meta *meta = recover->meta;
    recover_log_notes(recover);
    plan_make(&recover->plan, &recover->cluster, buf_string(&meta->root), meta->version);
    meta_log(meta, BR_INFO, "plan %.16s: %u tables, %llu records", recover->plan.hash,
             recover->cluster.table_count, (unsigned long long) plan_count(&recover->plan));
    recover_audit(recover);
    recover->apply = apply_start(meta->loop, meta->store,
                                 &(struct apply_request){
                                     .plan = &recover->plan,
                                     .fence = meta->fence,
                                     .audit = &recover->audit,
                                     .progress = recover_apply_progress,
                                     .done = recover_applied,
                                     .arg = recover,
                                 });
}

/* -- The request ------------------------------------------------------------------------------ */

static void recover_refuse(struct route *route, const char *error, const char *hint)
{
    struct buf body = { 0 };
    recover_encode(route_peer(route), error, hint, &body);
    meta_reply(route->meta, route->incoming, "ERR_OK", buf_bytes(&body));
    route->incoming = NULL;
    buf_done(&body);
}

/* The node's name: its own where the request has names, else its address as text.  NULL: neither
 * makes sense. */
static const char *recover_name(struct arena *arena,
                                const struct msg_configuration_recovery_request *request,
                                uint32_t index)
{
    const struct wire_list *names = &request->hp_recovery_nodes;
    const uint64_t *addresses = request->recovery_nodes.items;
    char text[NODE_NAME_MAX + 1];
    size_t host;
    uint16_t port;
    if (WIRE_HAS(request, 4) && names->count == request->recovery_nodes.count)
        host_port_format((const struct host_port *) names->items + index, text);
    else
        address_format(addresses[index], text);
    if (!number_node(text, &host, &port))
        return NULL;
    return arena_text(arena, text, strlen(text));
}

/* Named twice is asked once (src/client/replication_ddl_client.cpp:do_recovery). */
static bool recover_has(const struct recover *recover, const char *name)
{
    for (uint32_t i = 0; i < recover->node_count; i++) {
        if (strcmp(recover->names[i], name) == 0)
            return true;
    }
    return false;
}

static bool recover_nodes(struct recover *recover,
                          const struct msg_configuration_recovery_request *request)
{
    uint32_t count = request->recovery_nodes.count;
    const uint64_t *addresses = request->recovery_nodes.items;
    recover->names = arena_alloc(&recover->arena, count * sizeof *recover->names);
    recover->addresses = arena_alloc(&recover->arena, count * sizeof *recover->addresses);
    recover->told_cold = arena_zero(&recover->arena, count * sizeof *recover->told_cold);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = recover_name(&recover->arena, request, i);
        if (!name)
            return false;
        if (recover_has(recover, name))
            continue;
        recover->names[recover->node_count] = name;
        recover->addresses[recover->node_count++] = addresses[i];
    }
    return true;
}

static void recover_consents(struct recover *recover, const struct config_recovery *config)
{
    uint32_t count = 0;
    if (recover->skip_bad_nodes)
        recover->consents[count++] = "skip_bad_nodes";
    if (recover->skip_lost_partitions)
        recover->consents[count++] = "skip_lost_partitions";
    for (uint32_t i = 0; config->consents && config->consents[i] && i < CONSENTS_MAX; i++)
        recover->consents[count++] = config->consents[i];
    recover->consents[count] = NULL;
}

static struct recover *recover_new(struct route *route,
                                   const struct msg_configuration_recovery_request *request)
{
    struct recover *recover = mem_new(sizeof *recover);
    arena_init(&recover->arena, 0);
    cluster_init(&recover->cluster);
    recover->meta = route->meta;
    recover->peer = route_peer(route);
    recover->skip_bad_nodes = request->skip_bad_nodes;
    recover->skip_lost_partitions = request->skip_lost_partitions;
    recover->started = recover->told = loop_now(route->meta->loop);
    recover_consents(recover, &route->meta->config->recovery);
    findings_init(&recover->findings, recover->consents);
    return recover;
}

static bool recover_same(const struct recover *one, const struct recover *other)
{
    if (one->node_count != other->node_count || one->skip_bad_nodes != other->skip_bad_nodes
        || one->skip_lost_partitions != other->skip_lost_partitions)
        return false;
    for (uint32_t i = 0; i < one->node_count; i++) {
        if (strcmp(one->names[i], other->names[i]) != 0)
            return false;
    }
    return true;
}

static void recover_join(struct route *route, struct recover *asked)
{
    struct recover *running = route->meta->recover;
    if (!recover_same(running, asked)) {
        recover_refuse(route, "ERR_SERVICE_ALREADY_RUNNING",
                       "ERROR: another recovery is running; ask again when it is over\n");
    } else if (running->waiting_count == RECOVER_WAITERS_MAX) {
        recover_refuse(route, "ERR_BUSY", "ERROR: too many requests wait for this recovery\n");
    } else {
        running->waiting[running->waiting_count++] = route->incoming;
        route->incoming = NULL;
    }
    recover_free(asked);
}

static void recover_begin(struct route *route, struct recover *recover)
{
    struct meta *meta = route->meta;
    recover->waiting[recover->waiting_count++] = route->incoming;
    route->incoming = NULL;
    meta->recover = recover;
    meta_log(meta, BR_INFO, "recovery: asking %u nodes, skip_bad_nodes %s, skip_lost_partitions %s",
             recover->node_count, recover->skip_bad_nodes ? "true" : "false",
             recover->skip_lost_partitions ? "true" : "false");
    rounds_begin(recover);
}

void recover_request(struct route *route)
{
    struct msg_configuration_recovery_request request;
    if (route->incoming->body.size > RECOVER_BODY_MAX) {
        recover_refuse(route, "ERR_INVALID_PARAMETERS", "ERROR: the request is too large\n");
        return;
    }
    if (!route_decode(route, &request))
        return;
    if (route->meta->state_now == META_SERVING) {
        recover_refuse(route, "ERR_SERVICE_ALREADY_RUNNING", "");
        return;
    }
    if (request.recovery_nodes.count == 0 || request.recovery_nodes.count > BR_NODES_MAX) {
        recover_refuse(route, "ERR_INVALID_PARAMETERS",
                       "ERROR: the list of nodes must name 1 to 4096 replica servers\n");
        return;
    }
    struct recover *asked = recover_new(route, &request);
    if (!recover_nodes(asked, &request)) {
        recover_refuse(route, "ERR_INVALID_PARAMETERS",
                       "ERROR: the list of nodes has an entry without a valid host and port\n");
        recover_free(asked);
    } else if (route->meta->recover) {
        recover_join(route, asked);
    } else {
        recover_begin(route, asked);
    }
}
