/* message_replica -- see message_replica.h. */
#include "host/rdsn/message_replica.h"

#include <endian.h>
#include <string.h>

#include "host/rdsn/message_table.h"
#include "host/rdsn/thrift.h"

static const struct wire_field learn_state_fields[] = {
    FIELD(learn_state, 1, from_decree_excluded, 0),
    FIELD(learn_state, 2, to_decree_included, 0),
    FIELD(learn_state, 3, meta, 0),
    LIST(learn_state, 4, files, WIRE_STRING, 0),
    FIELD(learn_state, 5, learn_start_decree, OPT),
    LIST(learn_state, 6, file_sizes, WIRE_I64, OPT),
    LIST(learn_state, 7, file_digests, WIRE_STRING, OPT),
};
SCHEMA(learn_state, "learn_state");

static const struct wire_field learn_request_fields[] = {
    FIELD(learn_request, 1, pid, 0),
    FIELD(learn_request, 2, learner, 0),
    FIELD(learn_request, 3, signature, 0),
    FIELD(learn_request, 4, last_committed_decree_in_app, 0),
    FIELD(learn_request, 5, last_committed_decree_in_prepare_list, 0),
    FIELD(learn_request, 6, app_specific_learn_request, 0),
    FIELD(learn_request, 7, max_gced_decree, OPT),
    FIELD(learn_request, 8, hp_learner, HP),
    FIELD(learn_request, 9, checksum_type, HP),
};
SCHEMA(learn_request, "learn_request");

static const struct wire_field learn_response_fields[] = {
    ERROR(learn_response, 1, err),
    STRUCT(learn_response, 2, config, replica_configuration, 0),
    FIELD(learn_response, 3, last_committed_decree, 0),
    FIELD(learn_response, 4, prepare_start_decree, 0),
    FIELD(learn_response, 5, type, 0),
    STRUCT(learn_response, 6, state, learn_state, 0),
    FIELD(learn_response, 7, learnee, 0),
    FIELD(learn_response, 8, base_local_dir, 0),
    FIELD(learn_response, 9, replica_disk_tag, OPT),
    FIELD(learn_response, 10, hp_learnee, HP),
};
SCHEMA(learn_response, "learn_response");

static const struct wire_field learn_notify_response_fields[] = {
    FIELD(learn_notify_response, 1, pid, 0),
    ERROR(learn_notify_response, 2, err),
    FIELD(learn_notify_response, 3, signature, 0),
};
SCHEMA(learn_notify_response, "learn_notify_response");

static const struct wire_field nfs_copy_request_fields[] = {
    FIELD(nfs_copy_request, 1, source, 0),
    FIELD(nfs_copy_request, 2, source_dir, 0),
    FIELD(nfs_copy_request, 3, dst_dir, 0),
    FIELD(nfs_copy_request, 4, file_name, 0),
    FIELD(nfs_copy_request, 5, offset, 0),
    FIELD(nfs_copy_request, 6, size, 0),
    FIELD(nfs_copy_request, 7, is_last, 0),
    FIELD(nfs_copy_request, 8, overwrite, 0),
    FIELD(nfs_copy_request, 9, source_disk_tag, OPT),
    FIELD(nfs_copy_request, 10, pid, OPT),
    FIELD(nfs_copy_request, 11, hp_source, HP),
};
SCHEMA(nfs_copy_request, "copy_request");

static const struct wire_field nfs_copy_response_fields[] = {
    ERROR(nfs_copy_response, 1, error),
    FIELD(nfs_copy_response, 2, file_content, 0),
    FIELD(nfs_copy_response, 3, offset, 0),
    FIELD(nfs_copy_response, 4, size, 0),
};
SCHEMA(nfs_copy_response, "copy_response");

static const struct wire_field nfs_size_request_fields[] = {
    FIELD(nfs_size_request, 1, source, 0),
    FIELD(nfs_size_request, 2, dst_dir, 0),
    LIST(nfs_size_request, 3, file_list, WIRE_STRING, 0),
    FIELD(nfs_size_request, 4, source_dir, 0),
    FIELD(nfs_size_request, 5, overwrite, 0),
    FIELD(nfs_size_request, 6, source_disk_tag, OPT),
    FIELD(nfs_size_request, 7, dest_disk_tag, OPT),
    FIELD(nfs_size_request, 8, pid, OPT),
    FIELD(nfs_size_request, 9, hp_source, HP),
};
SCHEMA(nfs_size_request, "get_file_size_request");

static const struct wire_field nfs_size_response_fields[] = {
    FIELD(nfs_size_response, 1, error, 0),
    LIST(nfs_size_response, 2, file_list, WIRE_STRING, 0),
    LIST(nfs_size_response, 3, size_list, WIRE_I64, 0),
};
SCHEMA(nfs_size_response, "get_file_size_response");

/* -- Mutations -------------------------------------------------------------------------------- */

static int64_t message_load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return (int64_t) le64toh(value);
}

static int32_t message_load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return (int32_t) le32toh(value);
}

static void message_put32(struct buf *buf, int32_t value)
{
    uint32_t little = htole32((uint32_t) value);
    buf_put(buf, &little, sizeof little);
}

void mutation_put_count(struct buf *buf, int32_t count)
{
    message_put32(buf, count);
}

void mutation_put_update(struct buf *buf, const char *code, int32_t format, size_t size)
{
    size_t code_size = strlen(code);
    message_put32(buf, (int32_t) code_size);
    buf_put(buf, code, code_size);
    message_put32(buf, format);
    message_put32(buf, (int32_t) size);
}

void mutation_encode(const struct mutation_header *header, br_bytes updates, struct buf *buf)
{
    uint64_t words[MUTATION_HEADER_SIZE / 8] = {
        0,
        htole64((uint64_t) (uint32_t) header->pid.partition << 32 | (uint32_t) header->pid.app_id),
        htole64((uint64_t) header->ballot),
        htole64((uint64_t) header->decree),
        htole64((uint64_t) header->log_offset),
        htole64((uint64_t) header->last_committed_decree),
        htole64((uint64_t) header->timestamp),
    };
    buf_put(buf, words, sizeof words);
    buf_put(buf, updates.data, updates.size);
}

/* One name with its format and its size; NULL where it does not fit. */
static const uint8_t *mutation_entry(const uint8_t *at, const uint8_t *end,
                                     struct mutation_update *ret_update)
{
    if (end - at < 4)
        return NULL;
    int32_t code_size = message_load32(at);
    at += 4;
    if (code_size < 0 || end - at < code_size || end - at - code_size < 8)
        return NULL;
    ret_update->code = (const char *) at;
    ret_update->code_size = (uint32_t) code_size;
    at += code_size;
    ret_update->format = message_load32(at);
    int32_t size = message_load32(at + 4);
    ret_update->data = (br_bytes){ NULL, (size_t) size };
    return size < 0 ? NULL : at + 8;
}

br_status mutation_decode(br_bytes bytes, struct mutation_header *ret_header, br_bytes *ret_updates,
                          size_t *ret_size, struct fail *ret_fail)
{
    const uint8_t *start = bytes.data, *end = start + bytes.size;
    if (bytes.size < MUTATION_HEADER_SIZE + 4)
        return fail_set(ret_fail, BR_CORRUPT, "a mutation of %zu bytes", bytes.size);
    if (message_load64(start) != 0)
        return fail_set(ret_fail, BR_CORRUPT, "a mutation of version %lld",
                        (long long) message_load64(start));
    ret_header->pid = (struct gpid){ message_load32(start + 8), message_load32(start + 12) };
    ret_header->ballot = message_load64(start + 16);
    ret_header->decree = message_load64(start + 24);
    ret_header->log_offset = message_load64(start + 32);
    ret_header->last_committed_decree = message_load64(start + 40);
    ret_header->timestamp = message_load64(start + 48);
    const uint8_t *updates = start + MUTATION_HEADER_SIZE, *at = updates + 4;
    int32_t count = message_load32(updates);
    uint64_t data = 0;
    for (int32_t i = 0; at && i < count; i++) {
        struct mutation_update update;
        at = mutation_entry(at, end, &update);
        data += at ? update.data.size : 0;
    }
    if (!at || count < 0 || data > (uint64_t) (end - at))
        return fail_set(ret_fail, BR_CORRUPT, "a mutation of %d updates does not fit its bytes",
                        count);
    *ret_updates = (br_bytes){ updates, (size_t) (at - updates) + (size_t) data };
    *ret_size = MUTATION_HEADER_SIZE + ret_updates->size;
    return BR_OK;
}

void mutation_walk_begin(br_bytes updates, struct mutation_walk *walk)
{
    struct mutation_update update;
    const uint8_t *start = updates.data;
    walk->left = message_load32(start);
    walk->end = start + updates.size;
    walk->entry = walk->data = start + 4;
    for (int32_t i = 0; i < walk->left; i++)
        walk->data = mutation_entry(walk->data, walk->end, &update);
}

bool mutation_walk_next(struct mutation_walk *walk, struct mutation_update *ret_update)
{
    if (walk->left == 0)
        return false;
    walk->left--;
    walk->entry = mutation_entry(walk->entry, walk->end, ret_update);
    ret_update->data.data = walk->data;
    walk->data += ret_update->data.size;
    return true;
}

/* -- RPC_PREPARE ------------------------------------------------------------------------------ */

#define PREPARE_PID_SIZE 12 /* 0c 00 00, eight bytes, 00 */

void prepare_encode(const struct prepare *prepare, enum wire_peer peer, struct buf *buf)
{
    wire_encode_value(WIRE_GPID, &prepare->pid, buf);
    wire_encode(&wire_replica_configuration, &prepare->config, peer, buf);
    mutation_encode(&prepare->header, prepare->updates, buf);
}

br_status prepare_decode_pid(br_bytes body, struct gpid *ret_pid, struct fail *ret_fail)
{
    if (body.size < PREPARE_PID_SIZE)
        return fail_set(ret_fail, BR_CORRUPT, "a prepare of %zu bytes", body.size);
    return wire_decode_value(WIRE_GPID, (br_bytes){ body.data, PREPARE_PID_SIZE },
                             (struct wire_memory){ NULL, NULL }, ret_pid, ret_fail);
}

/* Bytes of one field of a replica_configuration; 0: there is none such. */
static size_t prepare_field_size(uint8_t type, uint16_t id, const uint8_t *at, const uint8_t *end)
{
    static const uint8_t fixed[16] = { [THRIFT_BOOL] = 1, [THRIFT_I32] = 4, [THRIFT_I64] = 8 };
    if (type != THRIFT_STRUCT)
        return type < sizeof fixed ? fixed[type] : 0;
    if (id != 8) /* pid and primary */
        return 8;
    return end - at < 4 ? 0 : 4 + (size_t) thrift_load32(at) + 3;
}

/* Where the second part ends: its table knows no bytes behind it.  NULL: it does not end. */
static const uint8_t *prepare_config_end(const uint8_t *at, const uint8_t *end)
{
    at += 3;
    while (at < end && *at != THRIFT_STOP) {
        if (end - at < 3)
            return NULL;
        size_t size = prepare_field_size(at[0], thrift_load16(at + 1), at + 3, end);
        if (size == 0 || size > (size_t) (end - at) - 3)
            return NULL;
        at += 3 + size;
    }
    return end - at < 2 ? NULL : at + 2;
}

br_status prepare_decode(br_bytes body, struct wire_memory memory, struct prepare *ret_prepare,
                         struct fail *ret_fail)
{
    size_t size;
    const uint8_t *start = body.data, *end = start + body.size;
    br_status status = prepare_decode_pid(body, &ret_prepare->pid, ret_fail);
    if (status)
        return status;
    start += PREPARE_PID_SIZE;
    const uint8_t *mutation = end - start < 3 ? NULL : prepare_config_end(start, end);
    if (!mutation)
        return fail_set(ret_fail, BR_CORRUPT, "a prepare whose configuration does not end");
    status =
        wire_decode(&wire_replica_configuration, (br_bytes){ start, (size_t) (mutation - start) },
                    memory, &ret_prepare->config, ret_fail);
    if (!status)
        status = mutation_decode((br_bytes){ mutation, (size_t) (end - mutation) },
                                 &ret_prepare->header, &ret_prepare->updates, &size, ret_fail);
    if (!status && size != (size_t) (end - mutation))
        status = fail_set(ret_fail, BR_CORRUPT, "%zu bytes behind a mutation",
                          (size_t) (end - mutation) - size);
    return status;
}
