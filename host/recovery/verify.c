/* verify -- the cluster that was planned against the one that was read back: the first difference,
 * as a sentence.  Relies on both being sorted.
 */
#include "host/recovery/load.h"

#include <string.h>

struct verify {
    const struct cluster *planned;
    const struct cluster *found;
    enum layout_version version;
    struct fail *fail;
};

static br_status verify_number(struct verify *verify, const char *what, int64_t planned,
                               int64_t found)
{
    if (planned == found)
        return BR_OK;
    return fail_set(verify->fail, BR_CONFLICT, "%s is %lld in the store, %lld was planned", what,
                    (long long) found, (long long) planned);
}

static br_status verify_text(struct verify *verify, const char *what, const char *planned,
                             const char *found)
{
    planned = planned ? planned : "";
    found = found ? found : "";
    if (strcmp(planned, found) == 0)
        return BR_OK;
    return fail_set(verify->fail, BR_CONFLICT,
                    "%s is \"%.200s\" in the store, \"%.200s\" was planned", what, found, planned);
}

/* Pairs in the order planned; the store's are sorted by key, so each is looked for. */
static br_status verify_envs(struct verify *verify, const struct br_table *planned,
                             const struct br_table *found)
{
    br_status status =
        verify_number(verify, "number of envs", planned->env_count, found->env_count);
    for (uint32_t i = 0; i < planned->env_count && !status; i++) {
        const char *key = planned->envs[2 * (size_t) i];
        const char *value = NULL;
        for (uint32_t k = 0; k < found->env_count && !value; k++) {
            if (strcmp(found->envs[2 * (size_t) k], key) == 0)
                value = found->envs[2 * (size_t) k + 1];
        }
        if (!value)
            return fail_set(verify->fail, BR_CONFLICT, "env %.200s is not in the store", key);
        status = verify_text(verify, key, planned->envs[2 * (size_t) i + 1], value);
    }
    return status;
}

static br_status verify_def(struct verify *verify, const struct br_table *planned,
                            const struct br_table *found)
{
    uint32_t kept =
        verify->version == LAYOUT_25 ? ~(uint32_t) BR_TABLE_ATOMIC_IDEMPOTENT : ~(uint32_t) 0;
    const struct {
        const char *what;
        int64_t planned, found;
    } numbers[] = {
        { "app_id", planned->id, found->id },
        { "status", planned->status, found->status },
        { "partition_count", planned->partition_count, found->partition_count },
        { "max_replica_count", planned->replica_count, found->replica_count },
        { "init_partition_count", planned->init_partition_count, found->init_partition_count },
        { "flags", planned->flags & kept, found->flags & kept },
        { "expire_second", planned->expire_second, found->expire_second },
        { "create_second", planned->create_second, found->create_second },
        { "drop_second", planned->drop_second, found->drop_second },
    };
    br_status status = BR_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++)
        status = verify_number(verify, numbers[i].what, numbers[i].planned, numbers[i].found);
    if (!status)
        status = verify_text(verify, "app_name", planned->name, found->name);
    if (!status)
        status = verify_text(verify, "app_type", planned->type, found->type);
    return status ? status : verify_envs(verify, planned, found);
}

/* How the layout names a planned node: the older one knows only addresses. */
static const char *verify_planned_name(const struct verify *verify, int32_t index)
{
    if (index < 0)
        return "";
    const struct node *node = &verify->planned->nodes[index];
    return verify->version == LAYOUT_25 ? node->address_text : node->name;
}

static br_status verify_node(struct verify *verify, const char *what, int32_t planned,
                             int32_t found)
{
    const char *name = found < 0 ? "" : verify->found->nodes[found].name;
    br_status status = verify_text(verify, what, verify_planned_name(verify, planned), name);
    if (status || planned < 0 || verify->version == LAYOUT_25)
        return status;
    return verify_number(verify, "a node's address",
                         (int64_t) verify->planned->nodes[planned].address,
                         (int64_t) verify->found->nodes[found].address);
}

static br_status verify_members(struct verify *verify, const struct partition *planned,
                                const struct partition *found)
{
    br_status status = verify_number(verify, "number of secondaries", planned->secondary_count,
                                     found->secondary_count);
    if (!status)
        status =
            verify_number(verify, "number of last_drops", planned->drop_count, found->drop_count);
    uint32_t count = (uint32_t) planned->secondary_count + planned->drop_count;
    for (uint32_t i = 0; i < count && !status; i++)
        status = verify_node(verify, i < planned->secondary_count ? "a secondary" : "a last_drop",
                             planned->members[i], found->members[i]);
    return status;
}

static br_status verify_partition(struct verify *verify, const struct br_table *def,
                                  const struct partition *planned, const struct partition *found)
{
    int32_t replicas = planned->replica_count ? planned->replica_count : def->replica_count;
    int32_t replicas_found = found->replica_count ? found->replica_count : def->replica_count;
    br_status status = verify_number(verify, "ballot", planned->ballot, found->ballot);
    if (!status)
        status = verify_number(verify, "max_replica_count", replicas, replicas_found);
    if (!status)
        status =
            verify_number(verify, "last_committed_decree", planned->committed, found->committed);
    if (!status)
        status = verify_number(verify, "partition_flags", planned->flags, found->flags);
    if (!status)
        status = verify_node(verify, "primary", planned->primary, found->primary);
    return status ? status : verify_members(verify, planned, found);
}

static br_status verify_table(struct verify *verify, const struct table *planned,
                              const struct table *found)
{
    const struct br_table *def = &planned->def;
    if (verify_def(verify, def, &found->def))
        return fail_prefix(verify->fail, "table %d", def->id);
    for (int32_t i = 0; i < def->partition_count; i++) {
        if (verify_partition(verify, def, &planned->partitions[i], &found->partitions[i]))
            return fail_prefix(verify->fail, "partition %d.%d", def->id, i);
    }
    return BR_OK;
}

br_status verify_cluster(const struct cluster *planned, const struct cluster *found,
                         enum layout_version version, struct fail *ret_fail)
{
    struct fail room;
    struct verify verify = {
        .planned = planned, .found = found, .version = version, .fail = ret_fail ? ret_fail : &room
    };
    br_status status =
        verify_number(&verify, "number of tables", planned->table_count, found->table_count);
    for (uint32_t i = 0; i < planned->table_count && !status; i++)
        status = verify_table(&verify, &planned->tables[i], &found->tables[i]);
    return status;
}
