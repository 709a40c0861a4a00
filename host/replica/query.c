/* query -- what meta servers and people ask a replica server (src/replica/replica_stub.cpp,
 * src/remote_cmd/remote_command.cpp).
 */
#include <stdlib.h>
#include <string.h>

#include "host/replica/stub.h"

void query_fill_info(const struct replica *replica, struct msg_replica_info *info)
{
    wire_init(&wire_replica_info, info);
    info->pid = replica->pid;
    info->ballot = replica->config.ballot;
    info->status = replica->config.role;
    info->last_committed_decree = replica_committed(replica);
    info->last_prepared_decree = replica_prepared(replica);
    info->last_durable_decree = replica->durable;
    info->app_type = replica->table.type;
    info->disk_tag = replica->data->tag;
    WIRE_SET(info, 9);
}

static int query_compare(const void *a, const void *b)
{
    const struct replica *one = *(struct replica *const *) a, *other = *(struct replica *const *) b;
    if (one->pid.app_id != other->pid.app_id)
        return one->pid.app_id < other->pid.app_id ? -1 : 1;
    return (one->pid.partition > other->pid.partition)
           - (one->pid.partition < other->pid.partition);
}

/* All of them, in any life, by gpid; in the arena. */
static struct replica **query_sorted(struct stub *stub)
{
    struct replica **sorted =
        arena_alloc(&stub->arena, stub->replica_count * sizeof(struct replica *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < stub->slot_count; i++) {
        if (stub->slots[i])
            sorted[count++] = stub->slots[i];
    }
    if (count > 0)
        qsort(sorted, count, sizeof *sorted, query_compare);
    return sorted;
}

/* One table an id, from an open replica where there is one. */
void query_app_info(struct stub *stub, struct rdsn_incoming *incoming)
{
    struct msg_query_app_info_response response;
    struct replica **sorted = query_sorted(stub);
    struct msg_app_info *infos = arena_alloc(&stub->arena, stub->replica_count * sizeof *infos);
    wire_init(&wire_query_app_info_response, &response);
    response.apps.items = infos;
    for (uint32_t i = 0; i < stub->replica_count;) {
        const struct replica *best = sorted[i];
        for (int32_t id = best->pid.app_id; i < stub->replica_count && sorted[i]->pid.app_id == id;
             i++)
            best = sorted[i]->life < best->life ? sorted[i] : best;
        info_from_table(&best->table, &infos[response.apps.count++]);
    }
    stub_answer(stub, incoming, &wire_query_app_info_response, &response);
}

void query_replica_info(struct stub *stub, struct rdsn_incoming *incoming)
{
    struct msg_query_replica_info_response response;
    struct replica **sorted = query_sorted(stub);
    struct msg_replica_info *infos = arena_alloc(&stub->arena, stub->replica_count * sizeof *infos);
    wire_init(&wire_query_replica_info_response, &response);
    for (uint32_t i = 0; i < stub->replica_count; i++)
        query_fill_info(sorted[i], &infos[i]);
    response.replicas = (struct wire_list){ .items = infos, .count = stub->replica_count };
    stub_answer(stub, incoming, &wire_query_replica_info_response, &response);
}

void query_decree(struct stub *stub, struct rdsn_incoming *incoming, const void *message)
{
    const struct msg_query_pn_decree_request *request = message;
    struct msg_query_pn_decree_response response;
    const struct replica *replica = table_serving(stub, request->pid);
    wire_init(&wire_query_pn_decree_response, &response);
    if (!replica)
        response.err = "ERR_OBJECT_NOT_FOUND";
    else if (replica->config.role != BR_ROLE_LEARNER)
        response.last_decree = replica_committed(replica);
    stub_answer(stub, incoming, &wire_query_pn_decree_response, &response);
}

/* -- Remote commands -------------------------------------------------------------------------- */

static void query_say_help(struct stub *stub, struct buf *text)
{
    (void) stub;
    buf_text(text, "commands: help, perf-counters, replica.info, server-info");
}

static void query_say_server(struct stub *stub, struct buf *text)
{
    char when[32];
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&stub->started, &tm));
    buf_printf(text, "replicad %s (Apache Pegasus %s protocol), Started at %s", BRIDLE_VERSION,
               stub->options.named ? "2.6" : "2.5", when);
}

static void query_say_replica(struct stub *stub, const struct replica *replica, struct buf *text)
{
    static const char *const lives[] = { "", " closing", " closed" };
    bool primary = replica->config.role == BR_ROLE_PRIMARY;
    buf_printf(text, "%d.%d %s %lld %lld %lld %s %s%s\n", replica->pid.app_id,
               replica->pid.partition, replica_role_name(replica->config.role),
               (long long) replica->config.ballot, (long long) replica_committed(replica),
               (long long) replica_prepared(replica), peer_name(replica->config.primary),
               primary ? strchr(membership_text(&replica->primary.members, &stub->arena), '[')
                       : "[]",
               lives[replica->life]);
}

/* gpid status ballot committed prepared primary [secondaries, as its primary knows them] life */
static void query_say_replicas(struct stub *stub, struct buf *text)
{
    struct replica **sorted = query_sorted(stub);
    for (uint32_t i = 0; i < stub->replica_count; i++)
        query_say_replica(stub, sorted[i], text);
}

/* The one counter of Pegasus's that the shell asks for, in the shape of 2.5 (src/perf_counter/
 * perf_counters.cpp:get_counter_info_json).  Which ones are asked for is not looked at. */
static void query_say_counters(struct stub *stub, struct buf *text)
{
    struct replica **sorted = query_sorted(stub);
    const char *comma = "";
    time_t now = time(NULL);
    buf_printf(text, "{\"result\":\"OK\",\"timestamp\":%lld,\"counters\":[", (long long) now);
    for (uint32_t i = 0; i < stub->replica_count; i++) {
        if (!sorted[i]->store)
            continue;
        int64_t rows = data_store_estimate(sorted[i]->store);
        buf_printf(text,
                   "%s{\"name\":\"replica*app.pegasus*rdb.estimate_num_keys@%d.%d\","
                   "\"type\":\"NUMBER\",\"value\":%lld}",
                   comma, sorted[i]->pid.app_id, sorted[i]->pid.partition,
                   (long long) (rows < 0 ? 0 : rows));
        comma = ",";
    }
    buf_text(text, "]}");
}

static const struct {
    const char *name;
    void (*say)(struct stub *stub, struct buf *text);
} query_commands[] = {
    { "help", query_say_help },
    { "server-info", query_say_server },
    { "replica.info", query_say_replicas },
    { "perf-counters", query_say_counters },
};

void query_command(struct stub *stub, struct rdsn_incoming *incoming, const void *message)
{
    const struct msg_command *command = message;
    void (*say)(struct stub * stub, struct buf * text) = query_say_help;
    struct buf text = { 0 };
    for (size_t i = 0; i < sizeof query_commands / sizeof *query_commands; i++) {
        if (strcmp(command->cmd, query_commands[i].name) == 0)
            say = query_commands[i].say;
    }
    say(stub, &text);
    const char *answer = buf_string(&text);
    buf_clear(&stub->body);
    wire_encode_value(WIRE_STRING, &answer, &stub->body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&stub->body));
    buf_done(&text);
}
