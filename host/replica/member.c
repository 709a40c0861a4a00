/* member -- see member.h. */
#include "host/replica/member.h"

#include <string.h>

#include "host/base/buf.h"

/* One of the message's two lists: names where they count, with addresses beside them. */
static br_status membership_list(struct peers *peers, const char *what,
                                 const struct wire_list *addresses, const struct wire_list *names,
                                 struct peer **ret, uint32_t *ret_count, struct fail *ret_fail)
{
    const uint64_t *address = addresses->items;
    const struct host_port *name = names->items;
    uint32_t count = peers->named ? names->count : addresses->count;
    if (count > MEMBERS_MAX)
        return fail_set(ret_fail, BR_TOOBIG, "%u %s, more than %d", count, what, MEMBERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (!peers_get(peers, i < addresses->count ? address[i] : 0, peers->named ? &name[i] : NULL,
                       &ret[i]))
            return fail_set(ret_fail, BR_TOOBIG, "more than %d servers", PEERS_MAX);
    }
    *ret_count = count;
    return BR_OK;
}

br_status membership_read(struct peers *peers, const struct msg_partition_configuration *message,
                          struct membership *ret, struct fail *ret_fail)
{
    *ret = (struct membership){
        .pid = message->pid,
        .ballot = message->ballot,
        .replica_count = message->max_replica_count,
        .flags = message->partition_flags,
        .committed = message->last_committed_decree,
        .unnamed = peers->named && !WIRE_HAS(message, 10),
    };
    bool named = message->hp_primary.type == 1;
    if (peers->named && !named)
        ret->primary = NULL;
    else if (!peers_get(peers, message->primary, peers->named ? &message->hp_primary : NULL,
                        &ret->primary))
        return fail_set(ret_fail, BR_TOOBIG, "more than %d servers", PEERS_MAX);
    br_status status =
        membership_list(peers, "secondaries", &message->secondaries, &message->hp_secondaries,
                        ret->secondaries, &ret->secondary_count, ret_fail);
    return status
               ? status
               : membership_list(peers, "last_drops", &message->last_drops, &message->hp_last_drops,
                                 ret->drops, &ret->drop_count, ret_fail);
}

static void membership_put(struct peer *const *peers, uint32_t count, struct arena *arena,
                           struct wire_list *ret_addresses, struct wire_list *ret_names)
{
    uint64_t *addresses = arena_alloc(arena, count * sizeof *addresses);
    struct host_port *names = arena_alloc(arena, count * sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        addresses[i] = peer_address(peers[i]);
        names[i] = peer_host_port(peers[i]);
    }
    *ret_addresses = (struct wire_list){ .items = addresses, .count = count };
    *ret_names = (struct wire_list){ .items = names, .count = count };
}

void membership_write(const struct membership *members, struct arena *arena,
                      struct msg_partition_configuration *ret_message)
{
    wire_init(&wire_partition_configuration, ret_message);
    ret_message->pid = members->pid;
    ret_message->ballot = members->ballot;
    ret_message->max_replica_count = members->replica_count;
    ret_message->partition_flags = members->flags;
    ret_message->last_committed_decree = members->committed;
    ret_message->primary = peer_address(members->primary);
    ret_message->hp_primary = peer_host_port(members->primary);
    membership_put(members->secondaries, members->secondary_count, arena, &ret_message->secondaries,
                   &ret_message->hp_secondaries);
    membership_put(members->drops, members->drop_count, arena, &ret_message->last_drops,
                   &ret_message->hp_last_drops);
    WIRE_SET(ret_message, 9);
    WIRE_SET(ret_message, 10);
    WIRE_SET(ret_message, 11);
}

br_role membership_role(const struct membership *members, const struct peer *peer)
{
    if (peer && members->primary == peer)
        return BR_ROLE_PRIMARY;
    for (uint32_t i = 0; i < members->secondary_count; i++) {
        if (members->secondaries[i] == peer)
            return BR_ROLE_SECONDARY;
    }
    return BR_ROLE_INACTIVE;
}

bool membership_same_secondaries(const struct membership *a, const struct membership *b)
{
    return a->secondary_count == b->secondary_count
           && memcmp(a->secondaries, b->secondaries, a->secondary_count * sizeof *a->secondaries)
                  == 0;
}

void membership_add(struct membership *members, struct peer *peer)
{
    for (uint32_t i = 0; i < members->secondary_count; i++) {
        if (members->secondaries[i] == peer)
            return;
    }
    if (members->secondary_count < MEMBERS_MAX)
        members->secondaries[members->secondary_count++] = peer;
}

bool membership_remove(struct membership *members, const struct peer *peer)
{
    for (uint32_t i = 0; i < members->secondary_count; i++) {
        if (members->secondaries[i] != peer)
            continue;
        members->secondary_count--;
        memmove(&members->secondaries[i], &members->secondaries[i + 1],
                (members->secondary_count - i) * sizeof *members->secondaries);
        return true;
    }
    return false;
}

const char *membership_text(const struct membership *members, struct arena *arena)
{
    struct buf text = { 0 };
    buf_printf(&text, "%s [", peer_name(members->primary));
    for (uint32_t i = 0; i < members->secondary_count; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", peer_name(members->secondaries[i]));
    buf_char(&text, ']');
    const char *copy = arena_text(arena, text.data, text.size);
    buf_done(&text);
    return copy;
}
