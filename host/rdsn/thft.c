/* thft -- see frame.h: what Java, Go, Node and Python clients speak
 * (src/rpc/thrift_message_parser.cpp).  A request is mapped to the header that a native one would
 * have had.
 */
#include "host/rdsn/thft.h"

#include <assert.h>
#include <string.h>

#include "host/rdsn/thrift.h"

enum { THFT_CALL = 1, THFT_REPLY = 2, THFT_ONE_WAY = 4 };

#define THFT_STRICT      0x80010000u
#define THFT_V1_SIZE     16
#define THFT_REPLY_EXTRA (4 + 4 + RDSN_NAME_SIZE + 12 + RDSN_NAME_SIZE)
#define THFT_THREAD_HASH 7919 /* of Pegasus's gpid: app_id * 7919 + partition */

/* The meta struct of version 1 (src/rpc/request_meta.thrift). */
struct thft_meta {
    int32_t app_id;
    int32_t partition;
    int32_t timeout_ms;
    int64_t partition_hash;
    bool backup;
};

#define THFT_META(id_, kind_, name_)                                                               \
    {                                                                                              \
        .name = #name_, .id = (id_), .kind = (kind_), .offset = offsetof(struct thft_meta, name_)  \
    }

static const struct wire_field thft_meta_fields[] = {
    THFT_META(1, WIRE_I32, app_id),     THFT_META(2, WIRE_I32, partition),
    THFT_META(3, WIRE_I32, timeout_ms), THFT_META(4, WIRE_I64, partition_hash),
    THFT_META(5, WIRE_BOOL, backup),
};

static const struct wire_schema thft_meta = {
    .name = "request_meta",
    .fields = thft_meta_fields,
    .count = sizeof thft_meta_fields / sizeof *thft_meta_fields,
    .size = sizeof(struct thft_meta),
};

static br_status thft_need(size_t size, size_t *ret_need)
{
    *ret_need = size;
    return BR_UNAVAILABLE;
}

/* -- message begin ---------------------------------------------------------------------------- */

struct thft_reader {
    const uint8_t *at, *end;
};

static bool thft_read_u32(struct thft_reader *reader, uint32_t *ret_value)
{
    if (reader->end - reader->at < 4)
        return false;
    *ret_value = thrift_load32(reader->at);
    reader->at += 4;
    return true;
}

/* `size` bytes as a name that fits a header, NUL-padded. */
static bool thft_read_name(struct thft_reader *reader, uint32_t size, char name[RDSN_NAME_SIZE])
{
    if (size >= RDSN_NAME_SIZE || size > (size_t) (reader->end - reader->at)
        || memchr(reader->at, '\0', size))
        return false;
    memset(name, 0, RDSN_NAME_SIZE);
    memcpy(name, reader->at, size);
    reader->at += size;
    return true;
}

/* Both forms: with the version word, and the old one that begins with the name's length. */
static bool thft_read_begin(struct thft_reader *reader, struct rdsn_header *header, int *ret_type)
{
    uint32_t word, size, seqid;
    if (!thft_read_u32(reader, &word))
        return false;
    bool strict = (word & 0x80000000u) != 0;
    if (strict) {
        if ((word & 0xFFFF0000u) != THFT_STRICT || !thft_read_u32(reader, &size))
            return false;
        *ret_type = (int) (word & 0xFF);
    } else {
        size = word;
    }
    if (!thft_read_name(reader, size, header->rpc_name))
        return false;
    if (!strict) {
        if (reader->at == reader->end)
            return false;
        *ret_type = *reader->at++;
    }
    if (!thft_read_u32(reader, &seqid))
        return false;
    header->id = seqid;
    return true;
}

static void thft_put_u32(struct buf *buf, uint32_t value)
{
    uint8_t bytes[4];
    thrift_store32(bytes, value);
    buf_put(buf, bytes, sizeof bytes);
}

static void thft_put_u64(struct buf *buf, uint64_t value)
{
    thft_put_u32(buf, (uint32_t) (value >> 32));
    thft_put_u32(buf, (uint32_t) value);
}

static void thft_put_begin(struct buf *buf, unsigned type, const char *name, const char *tail,
                           uint64_t id)
{
    size_t size = strlen(name);
    thft_put_u32(buf, THFT_STRICT | type);
    thft_put_u32(buf, (uint32_t) (size + strlen(tail)));
    buf_put(buf, name, size);
    buf_text(buf, tail);
    thft_put_u32(buf, (uint32_t) id);
}

/* -- requests --------------------------------------------------------------------------------- */

/* What stands before the body: header, and of version 1 the meta struct. */
struct thft_sizes {
    size_t head;
    uint32_t meta;
    uint32_t body;
};

static br_status thft_read_sizes(const uint8_t *data, int version, struct thft_sizes *ret_sizes,
                                 struct fail *ret_fail)
{
    struct thft_sizes sizes = { .head = THFT_V1_SIZE, .body = thrift_load32(data + 12) };
    if (version == 0) {
        if (thrift_load32(data + 8) != THFT_V0_SIZE)
            return fail_set(ret_fail, BR_CORRUPT, "THFT version 0: a header of %u bytes, not %d",
                            thrift_load32(data + 8), THFT_V0_SIZE);
        sizes.head = THFT_V0_SIZE;
        sizes.body = thrift_load32(data + 16);
    } else {
        sizes.meta = thrift_load32(data + 8);
        if (sizes.meta > THFT_META_MAX)
            return fail_set(ret_fail, BR_TOOBIG,
                            "THFT version 1: a meta struct of %u bytes; at most %d are taken",
                            sizes.meta, THFT_META_MAX);
    }
    *ret_sizes = sizes;
    return BR_OK;
}

static br_status thft_read_meta(br_bytes bytes, struct rdsn_header *header, struct fail *ret_fail)
{
    struct thft_meta meta;
    struct wire_memory none = { 0 }; /* there is nothing in it that takes any */
    br_status status = wire_decode_bare(&thft_meta, bytes, none, &meta, ret_fail);
    if (status != BR_OK)
        return fail_prefix(ret_fail, "THFT version 1"), status;
    header->app_id = meta.app_id;
    header->partition = meta.partition;
    header->timeout_ms = meta.timeout_ms;
    header->partition_hash = (uint64_t) meta.partition_hash;
    header->thread_hash =
        (int32_t) ((uint32_t) meta.app_id * THFT_THREAD_HASH + (uint32_t) meta.partition);
    if (meta.backup)
        header->context |= RDSN_BACKUP_REQUEST;
    return BR_OK;
}

static void thft_read_v0(const uint8_t *data, struct rdsn_header *header)
{
    header->app_id = (int32_t) thrift_load32(data + 24);
    header->partition = (int32_t) thrift_load32(data + 28);
    header->timeout_ms = (int32_t) thrift_load32(data + 32);
    header->thread_hash = (int32_t) thrift_load32(data + 36);
    header->partition_hash = thrift_load64(data + 40);
}

static br_status thft_read_body(struct frame *frame, const uint8_t *data, const uint8_t *end,
                                struct fail *ret_fail)
{
    struct thft_reader reader = { data, end };
    int type = 0;
    if (!thft_read_begin(&reader, &frame->header, &type))
        return fail_set(ret_fail, BR_CORRUPT, "THFT: the message does not begin as Thrift's do");
    if (type != THFT_CALL && type != THFT_ONE_WAY)
        return fail_set(ret_fail, BR_CORRUPT, "THFT: %s: a message of type %d is no request",
                        frame->header.rpc_name, type);
    frame->body = (br_bytes){ reader.at, (size_t) (end - reader.at) };
    frame->header.body_length = (uint32_t) frame->body.size;
    return BR_OK;
}

br_status thft_parse_request(br_bytes bytes, uint32_t body_max, struct frame *ret_frame,
                             size_t *ret_need, struct fail *ret_fail)
{
    const uint8_t *data = bytes.data;
    if (bytes.size < 8)
        return thft_need(THFT_V1_SIZE, ret_need);
    uint32_t version = thrift_load32(data + 4);
    if (memcmp(data, "THFT", 4) != 0)
        return fail_set(ret_fail, BR_CORRUPT, "THFT header: begins with other bytes than THFT");
    if (version > 1)
        return fail_set(ret_fail, BR_CORRUPT, "THFT version %u is unknown", version);
    size_t head = version == 0 ? THFT_V0_SIZE : THFT_V1_SIZE;
    if (bytes.size < head)
        return thft_need(head, ret_need);
    struct thft_sizes sizes = { 0 };
    br_status status = thft_read_sizes(data, (int) version, &sizes, ret_fail);
    if (status != BR_OK)
        return status;
    if (sizes.body > body_max)
        return fail_set(ret_fail, BR_TOOBIG, "THFT: a body of %u bytes; at most %u are taken",
                        sizes.body, body_max);
    struct frame frame = { .framing = FRAMING_THFT, .thft_version = (int) version };
    frame.size = sizes.head + sizes.meta + sizes.body;
    if (bytes.size < frame.size)
        return thft_need(frame.size, ret_need);
    frame.header.length = RDSN_HEADER_SIZE;
    frame.header.context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY;
    if (version == 0)
        thft_read_v0(data, &frame.header);
    else
        status =
            thft_read_meta((br_bytes){ data + sizes.head, sizes.meta }, &frame.header, ret_fail);
    if (status == BR_OK)
        status =
            thft_read_body(&frame, data + sizes.head + sizes.meta, data + frame.size, ret_fail);
    if (status == BR_OK)
        *ret_frame = frame;
    return status;
}

static void thft_put_v0(struct buf *buf, const struct rdsn_header *header, size_t body_size)
{
    thft_put_u32(buf, 0);
    thft_put_u32(buf, THFT_V0_SIZE);
    thft_put_u32(buf, 0);
    thft_put_u32(buf, (uint32_t) body_size);
    thft_put_u32(buf, 0);
    thft_put_u32(buf, (uint32_t) header->app_id);
    thft_put_u32(buf, (uint32_t) header->partition);
    thft_put_u32(buf, (uint32_t) header->timeout_ms);
    thft_put_u32(buf, (uint32_t) header->thread_hash);
    thft_put_u64(buf, header->partition_hash);
}

static void thft_put_v1(struct buf *buf, const struct rdsn_header *header, size_t body_size)
{
    const struct thft_meta meta = {
        .app_id = header->app_id,
        .partition = header->partition,
        .timeout_ms = header->timeout_ms,
        .partition_hash = (int64_t) header->partition_hash,
        .backup = (header->context & RDSN_BACKUP_REQUEST) != 0,
    };
    struct buf bytes = { 0 };
    wire_encode_bare(&thft_meta, &meta, WIRE_PEER_25, &bytes);
    thft_put_u32(buf, 1);
    thft_put_u32(buf, (uint32_t) bytes.size);
    thft_put_u32(buf, (uint32_t) body_size);
    buf_put(buf, bytes.data, bytes.size);
    buf_done(&bytes);
}

void frame_put_thft_request(struct buf *buf, const struct rdsn_header *header, int thft_version,
                            br_bytes body)
{
    assert(body.size >= 3 && body.size <= FRAME_BODY_MAX);
    size_t size = 12 + strlen(header->rpc_name) + body.size;
    buf_text(buf, "THFT");
    if (thft_version == 0)
        thft_put_v0(buf, header, size);
    else
        thft_put_v1(buf, header, size);
    thft_put_begin(buf, THFT_CALL, header->rpc_name, "", header->id);
    buf_put(buf, body.data, 1);
    buf_put(buf, "\0\1", 2); /* the arguments' field id */
    buf_put(buf, (const char *) body.data + 3, body.size - 3);
}

/* -- replies ---------------------------------------------------------------------------------- */

void frame_put_thft_reply(struct buf *buf, const struct rdsn_header *request,
                          const char *error_name, br_bytes body)
{
    size_t start = buf->size;
    size_t error_size = strlen(error_name);
    assert(body.size <= FRAME_BODY_MAX);
    thft_put_u32(buf, 0); /* the whole size, known at the end */
    thft_put_u32(buf, (uint32_t) error_size);
    buf_put(buf, error_name, error_size);
    thft_put_begin(buf, THFT_REPLY, request->rpc_name, "_ACK", request->id);
    if (strcmp(error_name, "ERR_OK") == 0)
        buf_put(buf, body.data, body.size);
    thrift_store32((uint8_t *) buf->data + start, (uint32_t) (buf->size - start));
}

static br_status thft_read_reply(struct thft_reader *reader, struct frame *frame,
                                 struct fail *ret_fail)
{
    uint32_t size;
    int type = 0;
    if (!thft_read_u32(reader, &size) || !thft_read_name(reader, size, frame->header.error_name))
        return fail_set(ret_fail, BR_CORRUPT, "THFT reply: no name of an error");
    if (!thft_read_begin(reader, &frame->header, &type))
        return fail_set(ret_fail, BR_CORRUPT,
                        "THFT reply: the message does not begin as Thrift's do");
    if (type != THFT_REPLY)
        return fail_set(ret_fail, BR_CORRUPT, "THFT reply: %s: a message of type %d is no reply",
                        frame->header.rpc_name, type);
    frame->body = (br_bytes){ reader->at, (size_t) (reader->end - reader->at) };
    frame->header.body_length = (uint32_t) frame->body.size;
    return BR_OK;
}

br_status frame_parse_thft_reply(br_bytes bytes, uint32_t body_max, struct frame *ret_frame,
                                 size_t *ret_need, struct fail *ret_fail)
{
    if (bytes.size < 4)
        return thft_need(4, ret_need);
    const uint8_t *data = bytes.data;
    uint32_t size = thrift_load32(data);
    if (size < 4)
        return fail_set(ret_fail, BR_CORRUPT, "THFT reply: a size of %u bytes", size);
    if (size > (uint64_t) body_max + THFT_REPLY_EXTRA)
        return fail_set(ret_fail, BR_TOOBIG, "THFT reply: %u bytes; bodies of at most %u are taken",
                        size, body_max);
    if (bytes.size < size)
        return thft_need(size, ret_need);
    struct frame frame = { .framing = FRAMING_THFT, .size = size };
    frame.header.length = RDSN_HEADER_SIZE;
    frame.header.context = RDSN_FORMAT_THRIFT_BINARY;
    struct thft_reader reader = { data + 4, data + size };
    br_status status = thft_read_reply(&reader, &frame, ret_fail);
    if (status == BR_OK)
        *ret_frame = frame;
    return status;
}
