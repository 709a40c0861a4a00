/* sim_world -- a disk as it was found, bridled as a process on it, and an operator who asks for the
 * recovery as soon as there is somebody to ask.
 *
 * A process that dies is cut off from the store first; what its own clean-up then does reaches
 * nobody, and is done only so that its memory is free again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/message.h"
#include "host/rdsn/thrift.h"
#include "t/sim.h"

#define SIM_AFTER                                                                                  \
    (5 * BR_SECOND) /* a finished recovery is watched for, before it begins to cure                \
                     */

/* -- The world --------------------------------------------------------------------------------- */

static void world_root(void)
{
    if (sim.setting.root >= ROOT_PARENTS) {
        sim_disk_set("/pegasus/other/apps", LAYOUT_UNLOCK);
        sim_disk_set("/pegasus/other/apps/1", "{\"status\":\"app_status::AS_AVAILABLE\"}");
        sim_disk_set("/pegasus/other/bridle/journal", "somebody's");
    }
    switch (sim.setting.root) {
    case ROOT_OPEN:
        sim_disk_set(SIM_ROOT "/apps", LAYOUT_UNLOCK);
        sim_disk_set(SIM_ROOT "/zone", "kept");
        break;
    case ROOT_EMPTY_VALUE: sim_disk_set(SIM_ROOT "/apps", ""); break;
    case ROOT_FULL:
        sim_disk_set(SIM_ROOT "/apps", LAYOUT_UNLOCK);
        sim_disk_set(SIM_ROOT "/apps/7", "{}");
        break;
    case ROOT_LOCKED:
        sim_disk_set(SIM_ROOT "/apps", LAYOUT_LOCK);
        sim_disk_set(SIM_ROOT "/apps/7", "{}");
        break;
    default: break;
    }
}

void sim_world_config(void)
{
    static const char *const hots[] = { "auto", "cold", "off" };
    const struct sim_setting *setting = &sim.setting;
    struct buf text = { 0 };
    struct fail fail;
    config_done(&sim.config);
    buf_printf(&text,
               "meta_server:\n  listen: 10.0.0.100:34601\n  cluster_root: " SIM_ROOT "\n"
               "  lock_root: %s\n  recover_from_replica_server: true\n  pegasus_version: \"%s\"\n"
               "replication:\n  cluster_name: sim\n"
               "recovery:\n  hot: %s\n  consents: [%s%s%s]\n",
               setting->lock_below ? SIM_ROOT : "/locks", setting->version ? "2.6" : "2.5",
               hots[setting->hot], setting->skip_stray ? "skip_stray_replicas" : "",
               setting->skip_stray && setting->pass_over ? ", " : "",
               setting->pass_over ? "pass_over_replicas" : "");
    if (config_parse(&sim.config, "sim", text.data, text.size, NULL, &fail) != BR_OK) {
        fprintf(stderr, "sim: %s\n", fail.text);
        exit(META_EXIT_REFUSED);
    }
    buf_done(&text);
}

void sim_world_begin(void)
{
    size_t used = sim_disk->used;
    sim_disk_reset();
    const struct sim_tree empty = sim_disk->tree;
    sim_disk->used = used > sim_disk->used ? used : sim_disk->used;
    sim_disk->tree = empty;
    world_root();
    sim_disk->before = sim_disk->tree;
    sim.now = BR_SECOND;
    sim.away = 0;
    sim.plan_count = sim.processes = 0;
    sim_world_config();
}

void sim_world_end(void)
{
    config_done(&sim.config);
}

/* -- A process --------------------------------------------------------------------------------- */

static void process_told(void *arg, struct call_answer *answer)
{
    (void) answer;
    *(bool *) arg = true;
}

static void process_open(struct plugin *plugin, const struct br_plugin *desc, const char *kind)
{
    struct fail fail;
    bool started = false;
    if (plugin_open(plugin, sim.process.loop, desc, kind, NULL, &fail) != BR_OK) {
        fprintf(stderr, "sim: %s\n", fail.text);
        exit(1);
    }
    plugin_start(plugin, 0, process_told, &started);
    while (!started)
        loop_turn(sim.process.loop);
}

void sim_start_plugins(void)
{
    struct sim_process *process = &sim.process;
    memset(process, 0, sizeof *process);
    process->log = (struct log){ .fd = 1, .level = BR_DEBUG };
    sim.shut = false;
    process->life = LIFE_UP;
    process->loop = loop_new(sim.trace ? &process->log : NULL);
    process_open(&process->store, &bridle_store_sim, "store");
    sim_store_limits(&process->store.ops.store);
    process_open(&process->transport, &bridle_transport_sim, "transport");
    process_open(&process->policy, &bridle_policy_pegasus, "policy");
}

static void world_moves(void)
{
    for (uint32_t i = 0; i < sim.cluster.node_count; i++) {
        if (sim.cluster.nodes[i].restarted < UINT8_MAX)
            sim.cluster.nodes[i].restarted++;
    }
}

void sim_start(void)
{
    struct sim_process *process = &sim.process;
    struct fail fail;
    if (sim.setting.moving && sim.faults.unsteady && sim_percent(&sim.chance, 50))
        world_moves();
    sim.processes++;
    sim_trace("process %u starts", sim.processes);
    sim_start_plugins();
    process->meta.store = &process->store;
    process->meta.transport = &process->transport;
    process->meta.policy = &process->policy;
    process->meta.store_hosts = "sim";
    if (meta_start(&process->meta, process->loop, &sim.config, &fail) != BR_OK)
        sim_break("it does not start: %s", fail.text);
}

void sim_kill(const char *why)
{
    if (!sim.shut) {
        sim_trace("killed %s", why);
        sim.shut = true;
        sim_store_die();
    }
    sim.kills++;
    sim.process.life = LIFE_DEAD;
    sim_bury();
}

static void process_close(struct plugin *plugin)
{
    bool stopped = false;
    plugin_stop(plugin, PLUGIN_FOREVER, process_told, &stopped);
    while (!stopped)
        loop_turn(sim.process.loop);
    plugin_close(plugin);
}

void sim_bury(void)
{
    struct sim_process *process = &sim.process;
    bool trace = sim.trace;
    if (!process->loop)
        return;
    process->log.level = -1; /* the dead do not log */
    sim.trace = false;
    if (!sim.shut && process->meta.server)
        sim_store_die(); /* it went by itself; what is on its way may arrive */
    sim.shut = true;
    if (process->meta.server) {
        process->asked = true; /* the answer goes nowhere */
        meta_stop(&process->meta, 0);
        meta_done(&process->meta);
    }
    process_close(&process->policy);
    process_close(&process->transport);
    process_close(&process->store);
    loop_free(process->loop);
    process->loop = NULL;
    sim.trace = trace;
}

/* -- The operator ------------------------------------------------------------------------------ */

static void operator_answered(const char *error, br_bytes body)
{
    struct sim_process *process = &sim.process;
    struct msg_configuration_recovery_response response;
    struct arena arena;
    struct fail fail;
    arena_init(&arena, 0);
    process->answered = true;
    if (sim.shut) {
        process->err[0] = '\0';
    } else if (strcmp(error, "ERR_OK") != 0
               || wire_decode(&wire_configuration_recovery_response, body, wire_arena(&arena),
                              &response, &fail)
                      != BR_OK) {
        sim_break("the answer makes no sense: %s", error);
    } else {
        snprintf(process->err, sizeof process->err, "%s", response.err);
        snprintf(process->hint, sizeof process->hint, "%s", response.hint_message);
        sim_trace("answered: %s\n%s", process->err, process->hint);
    }
    arena_done(&arena);
}

static void operator_asks(void)
{
    struct sim_process *process = &sim.process;
    struct msg_configuration_recovery_request request;
    uint64_t addresses[SIM_NODES_MAX];
    struct buf body = { 0 };
    wire_init(&wire_configuration_recovery_request, &request);
    for (uint32_t i = 0; i < sim.cluster.node_count; i++)
        addresses[i] = sim.cluster.nodes[i].address;
    request.recovery_nodes = (struct wire_list){ addresses, sim.cluster.node_count };
    request.skip_bad_nodes = sim.setting.skip_bad_nodes;
    request.skip_lost_partitions = sim.setting.skip_lost_partitions;
    wire_encode(&wire_configuration_recovery_request, &request, WIRE_PEER_25, &body);
    process->asked = true;
    process->answered = process->applying = false;
    memset(&process->evidence, 0, sizeof process->evidence);
    sim_trace("the operator asks");
    sim.recoveries++;
    sim_wire_request("RPC_CM_START_RECOVERY", buf_bytes(&body), operator_answered);
    buf_done(&body);
}

/* -- Events ------------------------------------------------------------------------------------ */

/* Misfortunes that come between two events. */
static bool step_misfortune(void)
{
    const struct sim_faults *faults = &sim.faults;
    if (sim.process.events + 1 == faults->kill_event
        || sim_below(&sim.chance, 1000) < faults->kill) {
        sim_kill("between two events");
        return true;
    }
    if (sim_below(&sim.chance, 1000) < faults->fence)
        sim_store_steal();
    if (sim_below(&sim.chance, 1000) < faults->away)
        sim.away = sim.now + sim_below(&sim.chance, 15) * BR_SECOND;
    return false;
}

void sim_step(void)
{
    struct sim_process *process = &sim.process;
    if (step_misfortune())
        return;
    process->events++;
    loop_turn(process->loop);
    if (sim.shut) {
        sim_kill("");
        return;
    }
    sim_check_event();
    if (sim_loop_stopped(process->loop))
        process->life = LIFE_EXITED;
    else if (!process->asked && process->meta.state_now == META_RECOVERING)
        operator_asks();
}

/* What follows the answer is watched for a while, too. */
static enum sim_end live_after(void)
{
    for (br_time end = sim.now + SIM_AFTER; sim.now < end;) {
        if (sim_tree_find(&sim_disk->tree, SIM_ROOT "/bulk_load")
            && sim_tree_find(&sim_disk->tree, SIM_ROOT "/backup"))
            break;
        sim_step();
        if (sim.process.life != LIFE_UP || sim.process.meta.state_now != META_SERVING)
            break;
    }
    return END_RECOVERED;
}

enum sim_end sim_live(void)
{
    struct sim_process *process = &sim.process;
    while (process->events < SIM_EVENTS_MAX) {
        sim_step();
        if (process->life == LIFE_DEAD)
            return END_KILLED;
        if (process->answered) {
            bool good = strcmp(process->err, "ERR_OK") == 0;
            process->answered = process->asked = false;
            sim_check_answer(good);
            return good ? live_after() : END_REFUSED;
        }
        if (process->life == LIFE_EXITED) {
            sim_trace("exited with status %d", process->meta.exit_status);
            return sim_visible() && sim.setting.root != ROOT_FULL ? END_VISIBLE : END_EXITED;
        }
        if (process->meta.state_now == META_SERVING && !process->asked)
            return END_VISIBLE;
        if (sim_loop_idle(process->loop))
            break;
    }
    sim_break("it goes in circles, or waits for nothing");
    return END_STUCK;
}
