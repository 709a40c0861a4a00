/* meta -- election and life: see meta.h for the states.  Every wait is a call of the store's whose
 * answer moves the state on; losing the lock moves it back in the same turn.
 */
#include "host/meta/meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/meta/ddl.h"
#include "host/meta/recover.h"
#include "host/rdsn/client.h"

static void meta_stand(struct meta *meta);
static void meta_look(struct meta *meta);

void meta_log(const struct meta *meta, br_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_vput(meta->log, level, "meta", format, args);
    va_end(args);
}

/* -- Leaving ---------------------------------------------------------------------------------- */

static void meta_unlocked(void *arg, struct call_answer *answer)
{
    struct meta *meta = arg;
    if (answer->status)
        meta_log(meta, BR_WARN, "the leader lock could not be given back: %s", answer->message);
    loop_stop(meta->loop);
}

static void meta_forget_call(struct meta *meta, struct br_call **call)
{
    if (*call) {
        store_cancel(meta->store, *call);
        call_forget(*call);
    }
    *call = NULL;
}

static void meta_unwatch(struct meta *meta)
{
    meta_forget_call(meta, &meta->owner_call);
    timer_cancel(meta->watch_again);
    meta->watch_again = NULL;
}

static void meta_unguard(struct meta *meta)
{
    meta_forget_call(meta, &meta->lost_call);
    timer_cancel(meta->guard_again);
    meta->guard_again = NULL;
}

static void meta_drop_work(struct meta *meta, const char *error, const char *why)
{
    recover_abandon(meta, error, why);
    if (meta->load)
        load_cancel(meta->load);
    meta->load = NULL;
    if (meta->look)
        root_look_cancel(meta->look);
    meta->look = NULL;
    timer_cancel(meta->retry);
    meta->retry = NULL;
    meta_unserve(meta);
}

void meta_stop(struct meta *meta, int exit_status)
{
    if (meta->state_now == META_STOPPING)
        return;
    meta_drop_work(meta, "ERR_SERVICE_NOT_ACTIVE", "this meta server is stopping");
    meta->state_now = META_STOPPING;
    meta->exit_status = exit_status;
    meta_forget_call(meta, &meta->lock_call);
    meta_unwatch(meta);
    meta_unguard(meta);
    if (meta->fence)
        store_unlock(meta->store, meta->fence, 0, meta_unlocked, meta);
    else
        loop_stop(meta->loop);
}

/* -- Loading ---------------------------------------------------------------------------------- */

static void meta_again(void *arg)
{
    struct meta *meta = arg;
    meta->retry = NULL;
    meta_look(meta);
}

static void meta_retry(struct meta *meta, const char *what, const char *why)
{
    meta_log(meta, BR_WARN, "%s: %s; trying again in 1 s", what, why);
    meta->retry = loop_after(meta->loop, META_RETRY, meta_again, meta);
}

static void meta_refuse(struct meta *meta, const char *sentence)
{
    meta_log(meta, BR_ERROR, "%s", sentence);
    meta_stop(meta, META_EXIT_REFUSED);
}

static void meta_repair(struct meta *meta, const struct repair *repair)
{
    int32_t id = meta->state.cluster.tables[repair->table].def.id;
    if (repair->kind != REPAIR_SPLIT)
        ddl_repair(meta, (struct gpid){ id, repair->partition }, repair->kind);
}

static void meta_loaded(void *arg, struct cluster *cluster, const struct fail *fail)
{
    struct meta *meta = arg;
    uint32_t count = 0;
    const struct repair *repairs = cluster ? load_repairs(meta->load, &count) : NULL;
    if (count)
        load_tell_repairs(meta->load, cluster);
    meta->load = NULL;
    if (cluster) {
        meta_serve(meta, cluster, false); /* which takes over what the repairs lie in */
        free(cluster);
        for (uint32_t i = 0; i < count; i++)
            meta_repair(meta, &repairs[i]);
    } else if (fail->status == BR_UNAVAILABLE || fail->status == BR_TIMEOUT) {
        meta_retry(meta, "loading the metadata failed", fail->text);
    } else {
        meta_refuse(meta, fail->text);
    }
}

static void meta_start_empty(struct meta *meta)
{
    struct cluster none;
    cluster_init(&none);
    meta_log(meta, BR_WARN,
             "%s holds no tables: serving none; if replica servers hold data, set "
             "meta_server.recover_from_replica_server to true, restart, and run `bridle recover`",
             buf_string(&meta->root));
    meta_serve(meta, &none, false);
    cluster_done(&none);
}

static void meta_start_recovering(struct meta *meta, const struct root_facts *facts)
{
    meta->state_now = META_RECOVERING;
    if (facts->state == ROOT_OURS)
        meta_log(meta, BR_WARN, "%s", facts->text);
    meta_log(meta, BR_INFO,
             "recovery mode: %s holds no tables; run `bridle recover -f FILE` with the list of "
             "replica servers",
             buf_string(&meta->root));
}

/* What is in the root decides what this server is
 * (src/meta/server_state.cpp:initialize_data_structure; C5).  The flag is spent once this process
 * has recovered: elected again, it loads what it wrote. */
static void meta_looked(void *arg, const struct root_facts *facts, const struct fail *fail)
{
    struct meta *meta = arg;
    meta->look = NULL;
    bool recovering = meta->config->meta.recover_from_replica_server && !meta->recovered;
    if (!facts) {
        if (fail->status == BR_UNAVAILABLE || fail->status == BR_TIMEOUT)
            meta_retry(meta, "looking at the store failed", fail->text);
        else
            meta_refuse(meta, fail->text);
    } else if (facts->state == ROOT_TABLES && recovering && !meta->looked) {
        meta_refuse(meta, facts->text);
    } else if (facts->state == ROOT_TABLES) {
        if (recovering)
            meta_log(meta, BR_WARN,
                     "%s holds tables now, which somebody recovered while this meta server stood "
                     "by: serving them; set meta_server.recover_from_replica_server back to false, "
                     "or its next start is refused",
                     buf_string(&meta->root));
        meta->load =
            load_start(meta->loop, meta->store, buf_string(&meta->root), meta_loaded, meta);
    } else if (facts->state == ROOT_FOREIGN || (facts->state == ROOT_OURS && !recovering)) {
        meta_refuse(meta, facts->text);
    } else if (recovering) {
        meta_start_recovering(meta, facts);
    } else {
        meta_start_empty(meta);
    }
}

static void meta_look(struct meta *meta)
{
    meta->state_now = META_LOADING;
    meta->look = root_look(meta->store, buf_string(&meta->root), meta_looked, meta);
}

/* -- Election --------------------------------------------------------------------------------- */

void meta_step_down(struct meta *meta)
{
    if (meta->state_now == META_STOPPING)
        return;
    meta_log(meta, BR_WARN, "the leader lock is lost: this meta server stops leading");
    meta_unguard(meta);
    meta_drop_work(meta, "ERR_HOLD_BY_OTHERS", "the leader lock was lost in mid-recovery");
    detector_forget_acks(&meta->detector);
    meta->leading_since = 0;
    free(meta->fence);
    meta->fence = NULL;
    meta_stand(meta);
}

static void meta_guard(struct meta *meta);

static void meta_guard_again(void *arg)
{
    struct meta *meta = arg;
    meta->guard_again = NULL;
    meta_guard(meta);
}

/* A question that failed says nothing about the lock.  To stand again now would be to wait for
 * ourselves: so it is asked again, and until then the fence keeps our writes from doing harm. */
static void meta_lost(void *arg, struct call_answer *answer)
{
    struct meta *meta = arg;
    meta->lost_call = NULL;
    if (!answer->status) {
        meta_step_down(meta);
        return;
    }
    meta_log(meta, BR_WARN,
             "whether the leader lock is still held is not known: %s; asking again "
             "in 1 s",
             answer->message);
    meta->guard_again = loop_after(meta->loop, META_RETRY, meta_guard_again, meta);
}

static void meta_guard(struct meta *meta)
{
    meta->lost_call = store_lost(meta->store, meta->fence, meta_lost, meta);
}

static void meta_stand_again(void *arg)
{
    struct meta *meta = arg;
    meta->retry = NULL;
    meta_stand(meta);
}

static void meta_elected(void *arg, struct call_answer *answer)
{
    struct meta *meta = arg;
    meta->lock_call = NULL;
    if (answer->status == BR_UNSUPPORTED) {
        meta_log(meta, BR_INFO, "the store knows no locks: this meta server is the only one");
    } else if (answer->status) {
        meta_log(meta, BR_WARN, "standing for election failed: %s", answer->message);
        meta_unwatch(meta);
        meta->retry = loop_after(meta->loop, META_RETRY, meta_stand_again, meta);
        return;
    } else {
        struct buf fence = { 0 };
        buf_put(&fence, answer->value.data, answer->value.size);
        meta->fence = fence.data;
        meta_guard(meta);
        meta_log(meta, BR_INFO, "elected: holding %s", meta->fence);
    }
    meta_unwatch(meta);
    meta->leading_since = loop_now(meta->loop);
    detector_forget_acks(&meta->detector);
    snprintf(meta->leader, sizeof meta->leader, "%s", meta->name);
    meta->leader_address = meta->address;
    meta_look(meta);
}

static void meta_watch(struct meta *meta);

static void meta_watch_again(void *arg)
{
    struct meta *meta = arg;
    meta->watch_again = NULL;
    meta_watch(meta);
}

static void meta_owner_seen(void *arg, struct call_answer *answer)
{
    struct meta *meta = arg;
    meta->owner_call = NULL;
    if (meta->state_now != META_CANDIDATE || answer->status == BR_UNSUPPORTED)
        return;
    if (answer->status) {
        meta_log(meta, BR_WARN, "who leads is not known: %s; asking again in 1 s", answer->message);
        meta->watch_again = loop_after(meta->loop, META_RETRY, meta_watch_again, meta);
        return;
    }
    snprintf(meta->leader, sizeof meta->leader, "%.*s", (int) answer->value.size,
             (const char *) answer->value.data);
    if (!address_parse(meta->leader, &meta->leader_address))
        meta->leader_address = 0;
    meta_log(meta, BR_INFO, "the leader is %s", meta->leader[0] ? meta->leader : "nobody");
    meta_watch(meta);
}

static void meta_watch(struct meta *meta)
{
    meta->owner_call =
        store_owner(meta->store, buf_string(&meta->lock_path), meta->leader, meta_owner_seen, meta);
}

static void meta_stand(struct meta *meta)
{
    meta->state_now = META_CANDIDATE;
    meta->leader[0] = 0;
    meta->leader_address = 0;
    meta->lock_call =
        store_lock(meta->store, buf_string(&meta->lock_path), meta->name, meta_elected, meta);
    meta_watch(meta);
}

/* With the flag on a root that holds tables is refused at the start, leader or not (C5); what a
 * leader writes there later is no reason to stop a standby. */
static void meta_looked_first(void *arg, const struct root_facts *facts, const struct fail *fail);

static void meta_look_first(void *arg)
{
    struct meta *meta = arg;
    meta->retry = NULL;
    meta->look = root_look(meta->store, buf_string(&meta->root), meta_looked_first, meta);
}

static void meta_looked_first(void *arg, const struct root_facts *facts, const struct fail *fail)
{
    struct meta *meta = arg;
    meta->look = NULL;
    if (!facts && (fail->status == BR_UNAVAILABLE || fail->status == BR_TIMEOUT)) {
        meta_log(meta, BR_WARN, "looking at the store failed: %s; trying again in 1 s", fail->text);
        meta->retry = loop_after(meta->loop, META_RETRY, meta_look_first, meta);
    } else if (!facts || facts->state == ROOT_TABLES) {
        meta_refuse(meta, facts ? facts->text : fail->text);
    } else {
        meta->looked = true;
        meta_stand(meta);
    }
}

/* -- Starting --------------------------------------------------------------------------------- */

static void meta_server_event(void *arg, br_level level, const char *text)
{
    const struct meta *meta = arg;
    log_put(meta->log, level, "server", "%s", text);
}

static void meta_server_reply(void *arg, const struct rdsn_header *header, br_bytes body)
{
    const struct meta *meta = arg;
    rdsn_client_deliver(meta->client, header, body);
}

static br_status meta_listen(struct meta *meta, struct fail *ret_fail)
{
    char text[ADDRESS_TEXT_MAX];
    if (!address_resolve(meta->name, &meta->address))
        return fail_set(ret_fail, BR_INVALID,
                        "meta_server.listen: %s cannot be resolved: give host:port", meta->name);
    address_format(meta->address, text);
    *strrchr(text, ':') = 0;
    const struct config_limits *limits = &meta->config->limits;
    meta->server = rdsn_server_new(meta->loop->base,
                                   &(struct rdsn_server_options){
                                       .host = text,
                                       .port = address_port(meta->address),
                                       .datagrams = true,
                                       .body_max = (uint32_t) limits->frame_size,
                                       .connections_max = (uint32_t) limits->connections,
                                       .idle = limits->idle,
                                       .request = routes_request,
                                       .reply = meta_server_reply,
                                       .event = meta_server_event,
                                       .arg = meta,
                                   },
                                   ret_fail);
    return meta->server ? BR_OK : ret_fail->status;
}

static br_status meta_paths(struct meta *meta, struct fail *ret_fail)
{
    const struct config_meta *config = &meta->config->meta;
    br_status status = layout_root(config->cluster_root, &meta->root, ret_fail);
    if (status)
        return fail_prefix(ret_fail, "meta_server.cluster_root");
    status = layout_lock_path(config->lock_root, &meta->lock_path, ret_fail);
    if (status)
        fail_prefix(ret_fail, "meta_server.lock_root");
    return status;
}

/* A recovering meta server balances nothing until it is told to (src/meta/meta_service.cpp). */
static int32_t meta_first_level(const struct config *config)
{
    int32_t level = LEVEL_STOPPED;
    while (level < LEVEL_LIVELY
           && strcmp(meta_level_text(level), config->meta.meta_function_level_on_start) != 0)
        level += 100;
    bool lively = level == LEVEL_LIVELY && config->meta.recover_from_replica_server;
    return lively ? LEVEL_STEADY : level;
}

br_status meta_start(struct meta *meta, struct loop *loop, const struct config *config,
                     struct fail *ret_fail)
{
    meta->loop = loop;
    meta->log = loop->log;
    meta->config = config;
    meta->name = config->meta.listen;
    meta->version = config->meta.pegasus_version ? LAYOUT_26 : LAYOUT_25;
    meta->start_second = (int64_t) time(NULL);
    meta->state_now = META_STARTING;
    meta->level = meta_first_level(config);
    meta->highest_id = (int32_t) config->meta.min_table_id - 1;
    state_init(&meta->state);
    detector_init(&meta->detector,
                  &(struct detector_rules){
                      .grace = config->replication.fd_grace,
                      .lease = config->replication.fd_lease,
                      .stable_time = config->meta.stable_rs_min_running,
                      .restarts_max = (uint32_t) config->meta.max_succssive_unstable_restart,
                  });
    br_status status = meta_paths(meta, ret_fail);
    if (!status)
        status = meta_listen(meta, ret_fail);
    if (status)
        return status;
    meta->client =
        rdsn_client_new(loop->base, &(struct rdsn_client_options){ .from_address = meta->address });
    meta_log(meta, BR_INFO, "listening on %s, root %s", meta->name, buf_string(&meta->root));
    if (config->meta.recover_from_replica_server)
        meta_look_first(meta);
    else
        meta_stand(meta);
    return BR_OK;
}

void meta_done(struct meta *meta)
{
    if (meta->server)
        rdsn_server_free(meta->server);
    if (meta->client)
        rdsn_client_free(meta->client);
    detector_done(&meta->detector);
    meta_unserve(meta);
    buf_done(&meta->root);
    buf_done(&meta->lock_path);
    free(meta->fence);
}
