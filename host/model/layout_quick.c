/* layout_quick -- a partition's record as it is written: these keys, this order, no spaces, plain
 * strings, nodes that are known.  A million of them are read at a start, and all but a few of them
 * look so; a tree of JSON for each would take most of the time.
 *
 * Whatever looks otherwise, or wrong, is left to layout_read.c: this file says yes or nothing.
 */
#include "host/model/layout_quick.h"

#include <string.h>

#include "host/base/number.h"
#include "host/model/layout_text.h"

#define QUICK_MEMBERS_MAX 16 /* of one list; more are rare */
#define QUICK_DIGITS_MAX  18 /* that no int64_t overflows */
#define QUICK_DIGITS_32   9

struct quick {
    const char *at;
    const char *end;
};

struct quick_list {
    br_bytes texts[QUICK_MEMBERS_MAX];
    uint32_t count;
};

/* Addresses, or names. */
struct quick_nodes {
    br_bytes primary;
    struct quick_list secondaries, drops;
};

struct quick_record {
    int64_t pid[2], ballot, replica_count, committed, flags;
    struct quick_nodes addresses, names;
    bool named; /* the hp_* keys are there */
};

static bool quick_is(struct quick *quick, const char *literal)
{
    size_t size = strlen(literal);
    if ((size_t) (quick->end - quick->at) < size || memcmp(quick->at, literal, size) != 0)
        return false;
    quick->at += size;
    return true;
}

/* No sign, no leading zero: a negative ballot is rare. */
static bool quick_number(struct quick *quick, int digits_max, int64_t *ret_number)
{
    const char *first = quick->at;
    int64_t number = 0;
    while (quick->at < quick->end && *quick->at >= '0' && *quick->at <= '9') {
        if (quick->at - first == digits_max)
            return false;
        number = 10 * number + (*quick->at++ - '0');
    }
    *ret_number = number;
    return quick->at > first && (*first != '0' || quick->at - first == 1);
}

/* Printable ASCII without an escape, and the quotes around it. */
static bool quick_text(struct quick *quick, br_bytes *ret_text)
{
    if (!quick_is(quick, "\""))
        return false;
    const char *first = quick->at;
    while (quick->at < quick->end && *quick->at >= ' ' && *quick->at <= '~' && *quick->at != '"'
           && *quick->at != '\\')
        quick->at++;
    *ret_text = (br_bytes){ first, (size_t) (quick->at - first) };
    return quick_is(quick, "\"");
}

static bool quick_texts(struct quick *quick, struct quick_list *list)
{
    list->count = 0;
    if (!quick_is(quick, "["))
        return false;
    if (quick_is(quick, "]"))
        return true;
    do {
        if (list->count == QUICK_MEMBERS_MAX || !quick_text(quick, &list->texts[list->count++]))
            return false;
    } while (quick_is(quick, ","));
    return quick_is(quick, "]");
}

static bool quick_scan(struct quick *quick, struct quick_record *record)
{
    struct quick_nodes *addresses = &record->addresses, *names = &record->names;
    if (!quick_is(quick, "{\"pid\":\"") || !quick_number(quick, QUICK_DIGITS_32, &record->pid[0])
        || !quick_is(quick, ".") || !quick_number(quick, QUICK_DIGITS_32, &record->pid[1])
        || !quick_is(quick, "\",\"ballot\":")
        || !quick_number(quick, QUICK_DIGITS_MAX, &record->ballot)
        || !quick_is(quick, ",\"max_replica_count\":")
        || !quick_number(quick, QUICK_DIGITS_32, &record->replica_count)
        || !quick_is(quick, ",\"primary\":") || !quick_text(quick, &addresses->primary)
        || !quick_is(quick, ",\"secondaries\":") || !quick_texts(quick, &addresses->secondaries)
        || !quick_is(quick, ",\"last_drops\":") || !quick_texts(quick, &addresses->drops)
        || !quick_is(quick, ",\"last_committed_decree\":")
        || !quick_number(quick, QUICK_DIGITS_MAX, &record->committed)
        || !quick_is(quick, ",\"partition_flags\":")
        || !quick_number(quick, QUICK_DIGITS_32, &record->flags))
        return false;
    record->named = quick_is(quick, ",\"hp_primary\":");
    if (record->named
        && (!quick_text(quick, &names->primary) || !quick_is(quick, ",\"hp_secondaries\":")
            || !quick_texts(quick, &names->secondaries) || !quick_is(quick, ",\"hp_last_drops\":")
            || !quick_texts(quick, &names->drops)))
        return false;
    return quick_is(quick, "}") && quick->at == quick->end;
}

static bool quick_same(br_bytes text, const char *string)
{
    return strlen(string) == text.size && memcmp(string, text.data, text.size) == 0;
}

/* A node that the cluster knows by this name and at this address; -1: none such. */
static int32_t quick_node(const struct cluster *cluster, br_bytes name, br_bytes address)
{
    char text[NODE_NAME_MAX + 1];
    if (name.size > NODE_NAME_MAX)
        return -1;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    int32_t index = cluster_node(cluster, text);
    if (index < 0 || !cluster->nodes[index].address
        || !quick_same(address, cluster->nodes[index].address_text))
        return -1;
    return index;
}

static bool quick_primary(const struct cluster *cluster, const struct quick_record *record,
                          int32_t *ret_primary)
{
    br_bytes address = record->addresses.primary;
    br_bytes name = record->named ? record->names.primary : address;
    *ret_primary = -1;
    if (quick_same(name, record->named ? LAYOUT_NO_NAME : LAYOUT_NO_ADDRESS))
        return quick_same(address, LAYOUT_NO_ADDRESS);
    *ret_primary = quick_node(cluster, name, address);
    return *ret_primary >= 0;
}

/* Appends them. */
static bool quick_members(const struct cluster *cluster, const struct quick_list *names,
                          const struct quick_list *addresses, int32_t *members, uint32_t *count)
{
    if (names->count != addresses->count)
        return false;
    for (uint32_t i = 0; i < names->count; i++) {
        int32_t index = quick_node(cluster, names->texts[i], addresses->texts[i]);
        if (index < 0)
            return false;
        members[(*count)++] = index;
    }
    return true;
}

bool layout_quick_partition(struct cluster *cluster, br_bytes json, struct partition *ret_partition,
                            int32_t ret_pid[2])
{
    struct quick quick = { json.data, (const char *) json.data + json.size };
    struct quick_record record;
    int32_t members[2 * QUICK_MEMBERS_MAX], primary, *kept = NULL;
    uint32_t count = 0;
    if (!json.size || !quick_scan(&quick, &record))
        return false;
    const struct quick_nodes *addresses = &record.addresses;
    const struct quick_nodes *names = record.named ? &record.names : addresses;
    if (!quick_primary(cluster, &record, &primary)
        || !quick_members(cluster, &names->secondaries, &addresses->secondaries, members, &count)
        || !quick_members(cluster, &names->drops, &addresses->drops, members, &count))
        return false;
    if (count) {
        kept = arena_alloc(&cluster->arena, count * sizeof *kept);
        memcpy(kept, members, count * sizeof *kept);
    }
    *ret_partition = (struct partition){ .ballot = record.ballot,
                                         .committed = record.committed,
                                         .primary = primary,
                                         .secondary_count = (uint16_t) names->secondaries.count,
                                         .drop_count = (uint16_t) names->drops.count,
                                         .members = kept,
                                         .flags = (uint32_t) record.flags,
                                         .replica_count = (int32_t) record.replica_count };
    ret_pid[0] = (int32_t) record.pid[0];
    ret_pid[1] = (int32_t) record.pid[1];
    return true;
}
