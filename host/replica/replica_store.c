/* replica_store -- a replica's life in memory, and its two files on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/replica/decrees.h"
#include "host/replica/files.h"
#include "host/replica/stub.h"

/* A definition with all its strings in one piece of memory. */
static void *store_copy_table(const struct br_table *from, struct br_table *ret)
{
    size_t size = strlen(from->name) + strlen(from->type) + 2;
    for (uint32_t i = 0; i < 2 * from->env_count; i++)
        size += strlen(from->envs[i]) + 1;
    const char **envs = mem_grow(NULL, 2 * from->env_count * sizeof *envs + size);
    char *text = (char *) (envs + 2 * (size_t) from->env_count);
    *ret = *from;
    ret->envs = envs;
    for (uint32_t i = 0; i < 2 * from->env_count; i++) {
        envs[i] = text;
        text = stpcpy(text, from->envs[i]) + 1;
    }
    ret->name = text;
    text = stpcpy(text, from->name) + 1;
    ret->type = text;
    stpcpy(text, from->type);
    return envs;
}

void replica_set_table(struct replica *replica, const struct br_table *table)
{
    struct br_table copy;
    void *memory = store_copy_table(table, &copy);
    free(replica->table_memory);
    replica->table_memory = memory;
    replica->table = copy;
}

/* What was prepared and not known to be committed is prepared again. */
static void store_prepared(struct replica *replica, const struct inventory_replica *from)
{
    for (int64_t decree = from->row.committed + 1; decree <= from->row.prepared; decree++) {
        struct mutation *mutation = mutation_new(&replica->stub->pool);
        mutation->header = (struct mutation_header){ .pid = replica->pid,
                                                     .ballot = from->prepared_ballot,
                                                     .decree = decree,
                                                     .log_offset = -1,
                                                     .last_committed_decree = from->row.committed };
        mutation_set_empty(mutation);
        mutation->logged = true;
        prepare_list_put(&replica->list, mutation);
        mutation_release(mutation);
    }
}

void replica_note_decrees(struct replica *replica)
{
    bool whole = replica->applied == replica_committed(replica); /* else it learns */
    int64_t prepared = whole ? replica_prepared(replica) : replica->applied;
    const struct mutation *last = prepare_list_get(&replica->list, prepared);
    if (replica->decrees)
        decrees_put(replica->decrees,
                    &(struct decrees){ .committed = replica->applied,
                                       .prepared = prepared,
                                       .ballot = last ? last->header.ballot : 0 });
}

/* Without data: where the decrees are kept. */
static void store_open_decrees(struct replica *replica, const struct inventory_replica *from)
{
    struct fail fail;
    store_prepared(replica, from);
    if (decrees_open(replica->dir, &replica->decrees, &fail) != BR_OK)
        replica_log(replica, BR_ERROR, "after a kill its decrees are lost: %s", fail.text);
}

struct replica *replica_new(struct stub *stub, const struct inventory_replica *from,
                            struct fail *ret_fail)
{
    struct replica *replica = mem_new(sizeof *replica);
    struct buf dir = { 0 };
    replica->stub = stub;
    replica->holders = 1;
    replica->pid = (struct gpid){ from->row.table, from->row.partition };
    replica->thread_hash =
        (int32_t) ((uint32_t) from->row.table * 7919u + (uint32_t) from->row.partition);
    replica_set_table(replica, &from->table);
    replica->data = from->data;
    files_path(&dir, from->data->path, from->row.table, from->row.partition, from->table.type);
    replica->dir = dir.data;
    replica->config =
        (struct replica_config){ .ballot = from->row.ballot, .role = BR_ROLE_INACTIVE };
    replica->initialising = true;
    replica->created_at = loop_now(stub->loop);
    replica->primary.last_prepare = replica->created_at;
    replica->durable = from->row.durable;
    replica->applied = from->row.committed;
    prepare_list_init(&replica->list, from->row.committed);
    replica->learn.prepare_start = -1;
    if (!stub->shared)
        store_open_decrees(replica, from);
    if (replica_open(replica, from, ret_fail) != BR_OK) {
        replica_release(replica);
        return NULL;
    }
    return replica;
}

void replica_hold(struct replica *replica)
{
    replica->holders++;
}

void replica_release(struct replica *replica)
{
    if (!replica || --replica->holders > 0)
        return;
    replica_quiet(replica);
    replica_shut(replica);
    prepare_list_done(&replica->list);
    decrees_close(replica->decrees);
    free(replica->primary.queue);
    free(replica->table_memory);
    free(replica->dir);
    free(replica);
}

void replica_quiet(struct replica *replica)
{
    struct timer **const timers[] = { &replica->primary.check_timer, &replica->learn.timer,
                                      &replica->update.timer, &replica->close_timer,
                                      &replica->broken_timer };
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        timer_cancel(*timers[i]);
        *timers[i] = NULL;
    }
    replica->update.pending = false;
    replica->update.round++;
    replica->primary.check_round++;
    replica->learn.round++;
    learned_cancel(replica);
    learnee_go_on(replica, false);
    for (; replica->primary.queue_count > 0; replica->primary.queue_count--) {
        rdsn_server_drop(replica->primary.queue[replica->primary.queue_first]);
        replica->primary.queue_first =
            (replica->primary.queue_first + 1) % replica->primary.queue_room;
    }
}

void replica_store_init(struct replica *replica)
{
    struct fail fail;
    if (!replica->stub->shared)
        replica->durable = replica->applied;
    const struct init_info info = { .ballot = replica->config.ballot,
                                    .durable = replica->durable,
                                    .offset_in_private_log = replica->valid_from };
    if (files_store_init(replica->dir, &info, &fail) != BR_OK)
        replica_log(replica, BR_ERROR, "%s", fail.text);
    replica_note_decrees(replica);
}

void replica_store_table(struct replica *replica)
{
    struct fail fail;
    br_status status =
        files_store_table(replica->dir, &replica->table, replica->stub->options.named, &fail);
    REPLICA_CHECK(replica, status == BR_OK, "replica_config.cpp:update_app_name",
                  "its .app-info cannot be stored: %s", fail.text);
}

void replica_log(const struct replica *replica, br_level level, const char *format, ...)
{
    char text[LOG_LINE_MAX / 2];
    va_list args;
    if (level > replica->stub->log->level)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_put(replica->stub->log, level, "replica", "%d.%d %s @ %lld: %s", replica->pid.app_id,
            replica->pid.partition, replica_role_name(replica->config.role),
            (long long) replica->config.ballot, text);
}

void replica_die(const struct replica *replica, const char *where, const char *format, ...)
{
    char text[LOG_LINE_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    replica_abort(replica->stub->log, replica->pid, where, "%s", text);
}

const char *replica_role_name(br_role role)
{
    static const char *const names[] = { "PS_INVALID",        "PS_INACTIVE",
                                         "PS_ERROR",          "PS_PRIMARY",
                                         "PS_SECONDARY",      "PS_POTENTIAL_SECONDARY",
                                         "PS_PARTITION_SPLIT" };
    return role >= 0 && role < (br_role) (sizeof names / sizeof *names) ? names[role]
                                                                        : "an unknown status";
}
