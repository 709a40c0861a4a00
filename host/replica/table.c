/* table -- which replicas there are: opening, closing and collecting them
 * (src/replica/replica_stub.cpp).
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/replica/files.h"
#include "host/replica/stub.h"

#define TABLE_SLOTS_MIN 64

/* -- The table -------------------------------------------------------------------------------- */

static uint32_t table_hash(struct gpid pid)
{
    uint64_t key = (uint64_t) (uint32_t) pid.app_id << 32 | (uint32_t) pid.partition;
    return (uint32_t) (key * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

static struct replica **table_slot(struct replica **slots, uint32_t count, struct gpid pid)
{
    uint32_t at = table_hash(pid) & (count - 1);
    while (slots[at]
           && (slots[at]->pid.app_id != pid.app_id || slots[at]->pid.partition != pid.partition))
        at = (at + 1) & (count - 1);
    return &slots[at];
}

struct replica *table_find(struct stub *stub, struct gpid pid)
{
    return stub->slot_count ? *table_slot(stub->slots, stub->slot_count, pid) : NULL;
}

struct replica *table_serving(struct stub *stub, struct gpid pid)
{
    struct replica *replica = table_find(stub, pid);
    return replica && replica->life == LIFE_SERVING ? replica : NULL;
}

static void table_grow(struct stub *stub)
{
    uint32_t count = stub->slot_count ? stub->slot_count * 2 : TABLE_SLOTS_MIN;
    struct replica **slots = mem_array(count, sizeof(struct replica *));
    for (uint32_t i = 0; i < stub->slot_count; i++) {
        if (stub->slots[i])
            *table_slot(slots, count, stub->slots[i]->pid) = stub->slots[i];
    }
    free(stub->slots);
    stub->slots = slots;
    stub->slot_count = count;
}

/* Takes over the caller's hold. */
void table_add(struct stub *stub, struct replica *replica)
{
    if ((stub->replica_count + 1) * 2 > stub->slot_count)
        table_grow(stub);
    *table_slot(stub->slots, stub->slot_count, replica->pid) = replica;
    stub->replica_count++;
}

/* What stood behind it in its run of slots is put in again. */
static void table_remove(struct stub *stub, struct replica *replica)
{
    struct replica **slot = table_slot(stub->slots, stub->slot_count, replica->pid);
    uint32_t at = (uint32_t) (slot - stub->slots);
    *slot = NULL;
    for (;;) {
        at = (at + 1) & (stub->slot_count - 1);
        struct replica *next = stub->slots[at];
        if (!next)
            break;
        stub->slots[at] = NULL;
        *table_slot(stub->slots, stub->slot_count, next->pid) = next;
    }
    stub->replica_count--;
    replica_quiet(replica);
    replica_release(replica);
}

/* -- Closing ---------------------------------------------------------------------------------- */

static void table_closed(void *arg)
{
    struct replica *replica = arg;
    replica->close_timer = NULL;
    replica_log(replica, BR_INFO, "closed");
    replica->life = LIFE_CLOSED;
    if (files_exists(replica->dir))
        replica_store_init(replica);
    replica_quiet(replica);
    replica_shut(replica);
    prepare_list_reset(&replica->list, replica->list.committed);
}

void table_close(struct replica *replica)
{
    struct stub *stub = replica->stub;
    REPLICA_CHECK(replica,
                  replica->config.role == BR_ROLE_ERROR || replica->config.role == BR_ROLE_INACTIVE,
                  "replica_stub.cpp:begin_close_replica", "invalid state when calling close: %s",
                  replica_role_name(replica->config.role));
    if (replica->life != LIFE_SERVING)
        return;
    replica->life = LIFE_CLOSING;
    replica_stop_check(replica);
    replica_refuse_queue(replica, NULL);
    replica->close_timer = loop_after(
        stub->loop, replica->config.role == BR_ROLE_INACTIVE ? stub->options.gc_memory_interval : 0,
        table_closed, replica);
}

void table_collect(struct stub *stub, struct gpid pid)
{
    struct replica *replica = table_find(stub, pid);
    struct fail fail;
    if (!replica || replica->life != LIFE_CLOSED)
        return;
    if (!files_exists(replica->dir)) {
        replica_log(replica, BR_WARN, "%s is gone already", replica->dir);
    } else if (files_set_aside(replica->dir, ".gar", &fail) != BR_OK) {
        replica_log(replica, BR_WARN, "cannot be set aside: %s", fail.text);
        return;
    }
    replica_log(replica, BR_INFO, "its directory is garbage now");
    table_remove(stub, replica);
}

/* -- Opening ---------------------------------------------------------------------------------- */

/* The data directory with the fewest replicas. */
static const struct inventory_dir *table_emptiest(const struct stub *stub)
{
    uint32_t counts[INVENTORY_DIRS_MAX] = { 0 }, best = 0;
    for (uint32_t i = 0; i < stub->slot_count; i++) {
        if (stub->slots[i])
            counts[stub->slots[i]->data - stub->options.dirs]++;
    }
    for (uint32_t i = 1; i < stub->options.dir_count; i++)
        best = counts[i] < counts[best] ? i : best;
    return &stub->options.dirs[best];
}

/* A type becomes part of a path. */
static bool table_good_type(const char *type)
{
    struct replica_name name;
    struct buf text = { 0 };
    buf_printf(&text, "1.0.%s", type);
    bool good = replica_name_parse(text.data, &name) && !strchr(type, '/')
                && replica_suffix(text.data) == REPLICA_LIVE;
    buf_done(&text);
    return good;
}

/* What cannot be read is set aside, never deleted. */
static void table_set_aside(struct stub *stub, const char *dir, const struct fail *why)
{
    struct fail fail;
    log_put(stub->log, BR_ERROR, "table", "%s: %s", dir, why->text);
    if (files_set_aside(dir, ".err", &fail) != BR_OK)
        log_put(stub->log, BR_ERROR, "table", "%s", fail.text);
}

/* Out of its directory, where one is there. */
static struct replica *table_load(struct stub *stub, const char *entry)
{
    struct replica *replica = NULL;
    for (uint32_t i = 0; i < stub->options.dir_count && !replica; i++) {
        const struct inventory_dir *data = &stub->options.dirs[i];
        struct inventory_replica from;
        struct fail fail;
        struct buf dir = { 0 };
        buf_printf(&dir, "%s/replica/reps/%s", data->path, entry);
        if (files_exists(dir.data)) {
            if (inventory_load(&stub->arena, data, entry, &from, &fail) == BR_OK)
                replica = replica_new(stub, &from, &fail);
            if (!replica)
                table_set_aside(stub, dir.data, &fail);
        }
        buf_done(&dir);
    }
    return replica;
}

void table_open_found(struct stub *stub, const struct inventory_replica *from)
{
    struct fail fail;
    struct replica *replica = replica_new(stub, from, &fail);
    if (replica) {
        replica->transient = true;
        table_add(stub, replica);
        return;
    }
    struct buf dir = { 0 };
    files_path(&dir, from->data->path, from->row.table, from->row.partition, from->table.type);
    table_set_aside(stub, dir.data, &fail);
    buf_done(&dir);
}

/* new_replica: at ballot 0 and decree 0. */
static struct replica *table_make(struct stub *stub, const struct br_table *table, struct gpid pid)
{
    struct replica *replica = NULL;
    struct fail fail;
    const struct inventory_replica from = {
        .row = { .table = pid.app_id, .partition = pid.partition, .role = BR_ROLE_INACTIVE },
        .table = *table,
        .data = table_emptiest(stub),
    };
    if (files_create(from.data->path, table, pid.partition, 0, 0, stub->options.named, &fail)
        == BR_OK)
        replica = replica_new(stub, &from, &fail);
    if (!replica)
        log_put(stub->log, BR_ERROR, "table", "replica %d.%d cannot be made: %s", pid.app_id,
                pid.partition, fail.text);
    return replica;
}

static struct replica *table_open_new(struct stub *stub, const struct br_table *table,
                                      struct gpid pid, const struct proposal *proposal)
{
    struct buf entry = { 0 };
    buf_printf(&entry, "%d.%d.%s", pid.app_id, pid.partition, table->type);
    struct replica *replica = table_load(stub, entry.data);
    bool loaded = replica != NULL;
    buf_done(&entry);
    if (!loaded && proposal && (table->flags & BR_TABLE_STATEFUL)
        && (proposal->members.ballot != 0 || proposal->members.committed != 0))
        replica_abort(stub->log, pid, "replica_stub.cpp:open_replica",
                      "cannot load replica, ballot = %lld, last_committed_decree = %lld, but it "
                      "does not exist",
                      (long long) proposal->members.ballot,
                      (long long) proposal->members.committed);
    if (!loaded)
        replica = table_make(stub, table, pid);
    if (!replica)
        return NULL;
    replica->transient = loaded;
    table_add(stub, replica);
    replica_log(replica, BR_INFO, "%s", loaded ? "opened" : "made");
    return replica;
}

struct replica *table_open(struct stub *stub, const struct msg_app_info *info, struct gpid pid,
                           const struct proposal *proposal)
{
    struct br_table table;
    struct replica *replica = table_find(stub, pid);
    if (replica && replica->life == LIFE_CLOSING) {
        if (replica->config.role != BR_ROLE_INACTIVE)
            return NULL;
        timer_cancel(replica->close_timer);
        replica->close_timer = NULL;
        replica->life = LIFE_SERVING;
        return proposal ? NULL : replica; /* a proposal is not taken up again, only a learner */
    }
    info_to_table(info, &table);
    if (pid.app_id != table.id || pid.partition < 0 || pid.partition >= table.partition_count
        || !table_good_type(table.type)) {
        log_put(stub->log, BR_ERROR, "table",
                "replica %d.%d cannot be opened: its table is %d, type %s, of %d partitions",
                pid.app_id, pid.partition, table.id, table.type, table.partition_count);
        return NULL;
    }
    if (replica)
        table_remove(stub, replica);
    return table_open_new(stub, &table, pid, proposal);
}
