/* transport_sim -- a whole cluster from a seed, of any size, with faults, for rehearsals and
 * benchmarks.  This file is the plugin as the host sees it: options, questions under way, answers.
 *
 * What a server answers depends on the seed, the options and how often it was asked the same
 * question, on nothing else: not on time, nor on who else was asked.  Answers are made a slice at a
 * time, so that a large one does not hold up the loop.
 */
#include "plugin/transport_sim.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"

#define SIM_COUNT(f, least, most, text, otherwise)                                                 \
    BR_INTEGER(struct sim, f, .min = (least), .max = (most), .help = (text),                       \
               .fallback = (otherwise))
#define SIM_SERVERS(f, text)   SIM_COUNT(f, 0, BR_NODES_MAX, text, "0")
#define SIM_TABLES_OF(f, text) SIM_COUNT(f, 0, BR_TABLES_MAX, text, "0")
#define SIM_SHARE(f, text)     SIM_COUNT(f, 0, SIM_SHARE_MAX, text, "0")

static const struct br_option sim_options[] = {
    SIM_COUNT(seed, 0, INT64_MAX, "Another seed is another cluster.", "1"),
    BR_STRING(struct sim, first, .fallback = "10.0.0.1:34801",
              .help = "The first server's address; the others' count up from it."),
    SIM_COUNT(servers, 1, BR_NODES_MAX, "Replica servers.", "5"),
    SIM_COUNT(tables, 1, BR_TABLES_MAX, "Tables, with the ids from 1 on.", "3"),
    SIM_COUNT(partitions, 1, BR_PARTITIONS_MAX, "Partitions of each table.", "8"),
    SIM_COUNT(partitions_max, 0, BR_PARTITIONS_MAX,
              "Tables have from `partitions` up to so many; 0: all have as many.", "0"),
    SIM_COUNT(replicas, 1, BR_DROPS_MAX + 1, "Replicas of each partition (max_replica_count).",
              "3"),
    SIM_COUNT(disks, 1, SIM_DISKS_MAX, "Disks of each server.", "2"),
    BR_CHOICE(struct sim, roles, .choices = "inactive|serving", .fallback = "inactive",
              .help = "What replicas say that they are: inactive, as after a start, or primary, "
                      "secondary and learning."),
    SIM_COUNT(lease_answers, 0, SIM_ANSWERS_MAX,
              "After so many answers a server that serves has lost its lease, and its replicas are "
              "inactive; 0: never.",
              "0"),
    BR_DURATION(struct sim, latency, .fallback = "0ms", .min = 0, .max = SIM_LATENCY_MAX,
                .help = "How long an answer takes on average."),
    BR_CHOICE(struct sim, spread, .choices = "fixed|even|long", .fallback = "fixed",
              .help = "Every answer takes as long as the average; or anything up to twice that; or "
                      "mostly less and seldom much longer."),
    SIM_SERVERS(slow, "Servers whose answers take slow_latency on average."),
    BR_DURATION(struct sim, slow_latency, .fallback = "1s", .min = 0, .max = SIM_LATENCY_MAX,
                .help = "How long a slow server's answer takes on average."),
    SIM_SERVERS(down, "Servers that cannot be reached."),
    SIM_SERVERS(silent, "Servers that never answer."),
    SIM_SERVERS(refusing, "Servers that answer ERR_BUSY."),
    SIM_SERVERS(cut, "Servers whose answer ends too early."),
    SIM_SERVERS(restarting, "Servers that cannot be reached at the first question, and answer the "
                            "next ones as after a start."),
    SIM_TABLES_OF(dropped, "Tables that were dropped, and whose replicas are still there."),
    SIM_TABLES_OF(forgotten, "Tables of which nothing is left but their id."),
    SIM_TABLES_OF(undescribed, "Tables of which there are replicas, and no definition."),
    SIM_TABLES_OF(renamed, "Tables of which a quarter of the servers knows an older name."),
    SIM_TABLES_OF(conflicting, "Tables whose id a quarter of the servers gives to another table."),
    SIM_TABLES_OF(namesakes, "Tables that all have the same name."),
    SIM_SHARE(lost, "Of a million partitions, so many are lost: no server has a replica."),
    SIM_SHARE(inverted,
              "Of a million partitions, so many have a primary of a higher ballot than the "
              "others that lacks what they have committed."),
    SIM_SHARE(learners,
              "Of a million partitions, so many have one more replica, which is learning."),
    SIM_SHARE(leftovers, "Of a million partitions, so many have one more replica, which was left "
                         "behind at an older ballot."),
    SIM_SHARE(splits, "Of a million partitions, so many are being split."),
    SIM_SHARE(outside, "Of a million partitions, so many have a replica with an index that their "
                       "table does not have."),
    SIM_SHARE(missing, "Of a million replicas, so many are gone."),
    SIM_SHARE(stale, "Of a million replicas, so many have an older ballot and older decrees."),
    SIM_SHARE(errors, "Of a million replicas, so many are in status ERROR."),
    SIM_SHARE(twice, "Of a million replicas, so many are reported twice by their server."),
    SIM_SHARE(no_ballot, "Of a million replicas, so many have the ballot -1."),
    { 0 },
};

struct sim_job {
    TAILQ_ENTRY(sim_job) link;
    struct br_call *call;
    struct br_timer *timer; /* NULL: none is armed */
    int kind;
    uint32_t server;
    int32_t index;         /* what the host calls the server */
    uint32_t nth;          /* how often it was asked this before */
    bool waiting;          /* in that list; else in `ready` */
    int32_t table;         /* what is looked at next */
    int32_t round, rounds; /* of this table */
    struct br_chunk *first, *last;
    uint32_t room; /* rows that the last chunk has room for */
};

/* -- Options ---------------------------------------------------------------------------------- */

static br_status sim_check_first(struct br_env *env)
{
    struct sim *sim = env->self;
    char host[INET_ADDRSTRLEN];
    struct in_addr address;
    size_t size;
    bool good = number_node(sim->first, &size, &sim->port) && size < sizeof host;
    if (good) {
        memcpy(host, sim->first, size);
        host[size] = '\0';
        good = inet_pton(AF_INET, host, &address) == 1;
    }
    if (!good)
        return br_fail(env, BR_INVALID,
                       "first: \"%s\" is no IPv4 address and port, as in \"10.0.0.1:34801\"",
                       sim->first);
    sim->address = ntohl(address.s_addr);
    if (UINT32_MAX - sim->address < (uint64_t) sim->servers - 1)
        return br_fail(env, BR_INVALID,
                       "first: from %s on there are no %" PRId64 " addresses: begin lower",
                       sim->first, sim->servers);
    return BR_OK;
}

/* One server, one table has one fault at most. */
static br_status sim_check_faults(struct br_env *env)
{
    const struct sim *sim = env->self;
    int64_t servers =
        sim->down + sim->silent + sim->refusing + sim->cut + sim->restarting + sim->slow;
    int64_t tables = sim->dropped + sim->forgotten + sim->undescribed + sim->renamed
                     + sim->conflicting + sim->namesakes;
    if (servers > sim->servers)
        return br_fail(env, BR_INVALID,
                       "down, silent, refusing, cut, restarting and slow are %" PRId64
                       " servers together, and there are %" PRId64,
                       servers, sim->servers);
    if (tables > sim->tables)
        return br_fail(env, BR_INVALID,
                       "dropped, forgotten, undescribed, renamed, conflicting and namesakes are "
                       "%" PRId64 " tables together, and there are %" PRId64,
                       tables, sim->tables);
    return BR_OK;
}

static br_status sim_check_partitions(struct br_env *env)
{
    const struct sim *sim = env->self;
    int64_t total = 0;
    if (sim->partitions_max && sim->partitions_max < sim->partitions)
        return br_fail(env, BR_INVALID,
                       "partitions_max is %" PRId64 ", less than partitions (%" PRId64 ")",
                       sim->partitions_max, sim->partitions);
    for (int32_t table = 1; table <= sim->tables; table++)
        total += sim_partition_count(sim, table);
    if (total > SIM_PARTITIONS_MAX)
        return br_fail(env, BR_INVALID, "%" PRId64 " partitions of all tables together are over %d",
                       total, SIM_PARTITIONS_MAX);
    if (sim->servers < (int64_t) sim_slots(sim))
        return br_fail(env, BR_INVALID,
                       "%u replicas of a partition%s need as many servers, and there are %" PRId64,
                       sim_slots(sim),
                       sim->learners || sim->leftovers ? ", with learners or leftovers," : "",
                       sim->servers);
    return BR_OK;
}

static br_status sim_open(struct br_env *env)
{
    struct sim *sim = env->self;
    TAILQ_INIT(&sim->waiting);
    TAILQ_INIT(&sim->ready);
    br_status status = sim_check_first(env);
    if (!status)
        status = sim_check_faults(env);
    return status ? status : sim_check_partitions(env);
}

/* -- Names ------------------------------------------------------------------------------------ */

static void sim_name(const struct sim *sim, uint32_t server, char name[SIM_NAME_MAX])
{
    uint32_t at = sim->address + server;
    snprintf(name, SIM_NAME_MAX, "%u.%u.%u.%u:%u", at >> 24, at >> 16 & 255, at >> 8 & 255,
             at & 255, sim->port);
}

/* false: there is none of that name. */
static bool sim_find(const struct sim *sim, const char *name, uint32_t *ret_server)
{
    char host[SIM_NAME_MAX], again[SIM_NAME_MAX];
    struct in_addr address;
    size_t size = strcspn(name, ":");
    if (size >= sizeof host)
        return false;
    memcpy(host, name, size);
    host[size] = '\0';
    if (inet_pton(AF_INET, host, &address) != 1)
        return false;
    *ret_server = ntohl(address.s_addr) - sim->address;
    if (*ret_server >= sim->servers)
        return false;
    sim_name(sim, *ret_server, again);
    return strcmp(name, again) == 0;
}

static void sim_nodes(struct br_env *env, struct br_call *call)
{
    const struct sim *sim = env->self;
    uint32_t count = (uint32_t) sim->servers;
    char(*names)[SIM_NAME_MAX] = br_rows(call, count * sizeof *names);
    const char **rows = br_rows(call, count * sizeof *rows);
    for (uint32_t i = 0; i < count; i++) {
        sim_name(sim, i, names[i]);
        rows[i] = names[i];
    }
    br_reply_array(call, BR_ROW_NAME, rows, sizeof *rows, count);
}

/* -- Rows of an answer ------------------------------------------------------------------------ */

/* Room for one row more; what a chunk has room for grows with the answer. */
static void *sim_put(struct sim_job *job, int32_t kind, uint32_t size)
{
    if (!job->last || job->last->count == job->room) {
        struct br_chunk *chunk = br_rows(job->call, sizeof *chunk);
        job->room = !job->last ? 16 : job->room < SIM_CHUNK_MAX ? 2 * job->room : SIM_CHUNK_MAX;
        *chunk = (struct br_chunk){ .kind = kind, .row_size = size };
        chunk->rows = br_rows(job->call, (size_t) job->room * size);
        if (job->last)
            job->last->next = chunk;
        else
            job->first = chunk;
        job->last = chunk;
    }
    char *rows = (char *) (uintptr_t) job->last->rows;
    return rows + (size_t) job->last->count++ * size;
}

static void sim_put_table(const struct sim *sim, struct sim_job *job)
{
    struct br_table *row = sim_put(job, BR_ROW_TABLE, sizeof *row);
    sim_table(sim, job->table, job->server, br_rows(job->call, SIM_NAME_MAX), row);
    row->node = job->index;
}

/* Its lease has run out, or it has just started. */
static bool sim_inactive(const struct sim *sim, const struct sim_job *job)
{
    return sim_server_fault(sim, job->server) == SIM_SERVER_RESTARTING
           || (sim->lease_answers && job->nth >= sim->lease_answers);
}

static bool sim_claims(const struct br_replica *row)
{
    return row->role == BR_ROLE_PRIMARY || row->role == BR_ROLE_SECONDARY
           || row->role == BR_ROLE_LEARNER;
}

static void sim_put_replicas(struct sim_job *job, const struct br_replica *from, uint32_t count,
                             bool inactive)
{
    for (uint32_t i = 0; i < count; i++) {
        struct br_replica *row = sim_put(job, BR_ROW_REPLICA, sizeof *row);
        *row = from[i];
        row->node = job->index;
        if (inactive && sim_claims(row))
            row->role = BR_ROLE_INACTIVE;
    }
}

/* What the server has of one round.  A server knows the tables of which it has a replica: true,
 * where that is all there is to know. */
static bool sim_round(const struct sim *sim, struct sim_job *job, bool inactive)
{
    struct br_replica rows[SIM_ROWS_MAX];
    uint32_t place = sim_place(sim, job->table, job->round, job->server);
    for (uint32_t slot = 0; slot < sim_slots(sim); slot++) {
        struct sim_group group;
        int32_t partition = sim_slot_partition(sim, job->table, job->round, place, slot);
        if (partition < 0)
            continue;
        sim_group(sim, job->table, partition, &group);
        uint32_t count = sim_rows(sim, job->table, partition, &group, slot, rows);
        if (count && job->kind == SIM_TABLES) {
            sim_put_table(sim, job);
            return true;
        }
        sim_put_replicas(job, rows, count, inactive);
    }
    return false;
}

/* What is asked is not there of this table. */
static bool sim_nothing(const struct sim *sim, const struct sim_job *job)
{
    enum sim_table fault = sim_table_fault(sim, job->table);
    return fault == SIM_TABLE_FORGOTTEN
           || (fault == SIM_TABLE_UNDESCRIBED && job->kind == SIM_TABLES);
}

/* One round of one table; false: that was all. */
static bool sim_step(const struct sim *sim, struct sim_job *job, bool inactive)
{
    if (job->round == 0)
        job->rounds = sim_nothing(sim, job) ? 0 : sim_rounds(sim, job->table);
    if (job->round >= job->rounds || sim_round(sim, job, inactive) || ++job->round == job->rounds) {
        job->round = 0;
        job->table++;
    }
    return job->table <= sim->tables;
}

/* -- Questions under way ---------------------------------------------------------------------- */

static void sim_turn(struct br_env *env, void *arg);

static void sim_wake(struct br_env *env)
{
    struct sim *sim = env->self;
    if (sim->posted || TAILQ_EMPTY(&sim->ready))
        return;
    sim->posted = true;
    br_post(env, sim_turn, NULL);
}

/* The call is the caller's to reply to. */
static struct br_call *sim_end(struct br_env *env, struct sim_job *job)
{
    struct sim *sim = env->self;
    struct br_call *call = job->call;
    TAILQ_REMOVE(job->waiting ? &sim->waiting : &sim->ready, job, link);
    if (job->timer)
        br_disarm(env, job->timer);
    free(job);
    return call;
}

/* true: the fault was the answer. */
static bool sim_failed(struct br_env *env, struct sim_job *job)
{
    const struct sim *sim = env->self;
    char name[SIM_NAME_MAX];
    enum sim_server fault = sim_server_fault(sim, job->server);
    bool away = fault == SIM_SERVER_DOWN || (fault == SIM_SERVER_RESTARTING && job->nth == 0);
    bool silent = fault == SIM_SERVER_SILENT;
    if (!away && !silent && fault != SIM_SERVER_REFUSING && fault != SIM_SERVER_CUT)
        return false;
    sim_name(sim, job->server, name);
    struct br_call *call = sim_end(env, job);
    if (away)
        br_reply_fail(call, BR_UNAVAILABLE, "cannot connect to %s: Connection refused", name);
    else if (silent)
        br_reply_fail(call, BR_TIMEOUT, "%s did not answer in time", name);
    else if (fault == SIM_SERVER_REFUSING)
        br_reply_fail_as(call, BR_REFUSED, "ERR_BUSY", "%s answered ERR_BUSY", name);
    else
        br_reply_fail(call, BR_CORRUPT, "%s: the answer ends before it is whole", name);
    return true;
}

/* A slice of the first answer; the others have their turn before its next one. */
static void sim_turn(struct br_env *env, void *arg)
{
    struct sim *sim = env->self;
    struct sim_job *job = TAILQ_FIRST(&sim->ready);
    (void) arg;
    sim->posted = false;
    if (job && !sim_failed(env, job)) {
        bool inactive = sim_inactive(sim, job), more = true;
        for (uint32_t i = 0; more && i < SIM_TURN_MAX; i++)
            more = sim_step(sim, job, inactive);
        if (more) {
            TAILQ_REMOVE(&sim->ready, job, link);
            TAILQ_INSERT_TAIL(&sim->ready, job, link);
        } else {
            const struct br_chunk *first = job->first;
            br_reply_rows(sim_end(env, job), first);
        }
    }
    sim_wake(env);
}

static void sim_due(struct br_env *env, void *arg)
{
    struct sim *sim = env->self;
    struct sim_job *job = arg;
    job->timer = NULL;
    job->waiting = false;
    TAILQ_REMOVE(&sim->waiting, job, link);
    TAILQ_INSERT_TAIL(&sim->ready, job, link);
    sim_wake(env);
}

/* When its answer is due; below 0: never. */
static br_time sim_wait(const struct br_env *env, const struct sim_job *job)
{
    const struct sim *sim = env->self;
    if (sim_server_fault(sim, job->server) != SIM_SERVER_SILENT)
        return sim_delay(sim, job->server, job->kind, job->nth);
    if (!job->call->deadline)
        return -1;
    br_time left = job->call->deadline - br_now(env);
    return left > 0 ? left : 0;
}

static void sim_ask(struct br_env *env, const char *name, int32_t index, int kind,
                    struct br_call *call)
{
    struct sim *sim = env->self;
    uint32_t server;
    if (!sim_find(sim, name, &server)) {
        char first[SIM_NAME_MAX], last[SIM_NAME_MAX];
        sim_name(sim, 0, first);
        sim_name(sim, (uint32_t) sim->servers - 1, last);
        br_reply_fail_as(call, BR_REFUSED, "ERR_OBJECT_NOT_FOUND",
                         "there is no server %s: the simulated ones are %s to %s", name, first,
                         last);
        return;
    }
    struct sim_job *job = mem_new(sizeof *job);
    job->call = call;
    job->kind = kind;
    job->server = server;
    job->index = index;
    job->nth = sim->asked[kind][server]++;
    job->table = 1;
    job->waiting = true;
    TAILQ_INSERT_TAIL(&sim->waiting, job, link);
    br_time wait = sim_wait(env, job);
    if (wait > 0)
        job->timer = br_after(env, wait, sim_due, job);
    else if (wait == 0)
        sim_due(env, job);
}

static void sim_ask_tables(struct br_env *env, const char *node, int32_t index,
                           struct br_call *call)
{
    sim_ask(env, node, index, SIM_TABLES, call);
}

static void sim_ask_replicas(struct br_env *env, const char *node, int32_t index,
                             struct br_call *call)
{
    sim_ask(env, node, index, SIM_REPLICAS, call);
}

/* This call's, or (NULL) anybody's. */
static struct sim_job *sim_job_of(const struct sim *sim, const struct br_call *call)
{
    const struct sim_jobs *lists[] = { &sim->waiting, &sim->ready };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct sim_job *job;
        TAILQ_FOREACH(job, lists[i], link)
        {
            if (!call || job->call == call)
                return job;
        }
    }
    return NULL;
}

static void sim_cancel(struct br_env *env, struct br_call *call)
{
    struct sim_job *job = sim_job_of(env->self, call);
    if (job)
        br_reply_fail(sim_end(env, job), BR_CANCELED, "given up");
}

/* -- Life ------------------------------------------------------------------------------------- */

static void sim_call_off(struct br_env *env)
{
    struct sim_job *job;
    while ((job = sim_job_of(env->self, NULL)))
        br_reply_fail(sim_end(env, job), BR_CANCELED, "the transport stops");
}

static void sim_stop(struct br_env *env, struct br_call *call)
{
    sim_call_off(env);
    br_reply_ok(call);
}

/* The host has disarmed the timers. */
static void sim_close(struct br_env *env)
{
    const struct sim *sim = env->self;
    struct sim_job *job;
    TAILQ_FOREACH(job, &sim->waiting, link)
    job->timer = NULL;
    sim_call_off(env);
}

static const struct br_transport sim_transport = {
    .nodes = sim_nodes,
    .tables = sim_ask_tables,
    .replicas = sim_ask_replicas,
    .cancel = sim_cancel,
};

BR_PLUGIN(transport, sim, &sim_transport,
          .summary = "A cluster of any size from a seed, with faults, for rehearsals.",
          .version = "1.0", .license = "Apache-2.0", BR_STATE(struct sim, sim_options),
          .open = sim_open, .stop = sim_stop, .close = sim_close);
