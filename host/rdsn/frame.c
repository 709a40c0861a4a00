/* frame -- see frame.h: the native framing, what a stream's first bytes decide, and headers of
 * replies.  THFT is thft.c's.
 */
#include "host/rdsn/frame.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "host/base/crc.h"
#include "host/rdsn/thft.h"

enum { FRAME_HEADER_CRC_AT = 12, FRAME_NAME_AT = 40, FRAME_ERROR_AT = 136 };

static const char frame_magics[][5] = { "RDSN", "THFT", "GET ", "POST" };
static const int frame_framings[] = { FRAMING_RDSN, FRAMING_THFT, FRAMING_HTTP, FRAMING_HTTP };

static uint32_t frame_load32(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static uint64_t frame_load64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

static void frame_store32(unsigned char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static void frame_store64(unsigned char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

/* -- the 192 bytes ---------------------------------------------------------------------------- */

void frame_pack_header(const struct rdsn_header *header, unsigned char out[RDSN_HEADER_SIZE])
{
    memset(out, 0, RDSN_HEADER_SIZE);
    memcpy(out, frame_magics[0], 4);
    frame_store32(out + 4, header->version);
    frame_store32(out + 8, header->length);
    frame_store32(out + FRAME_HEADER_CRC_AT, header->header_crc);
    frame_store32(out + 16, header->body_length);
    frame_store32(out + 20, header->body_crc);
    frame_store64(out + 24, header->id);
    frame_store64(out + 32, header->trace_id);
    memcpy(out + FRAME_NAME_AT, header->rpc_name, strnlen(header->rpc_name, RDSN_NAME_SIZE - 1));
    frame_store32(out + 88, header->code);
    frame_store32(out + 92, header->code_hash);
    frame_store32(out + 96, (uint32_t) header->app_id);
    frame_store32(out + 100, (uint32_t) header->partition);
    frame_store64(out + 104, header->context);
    frame_store64(out + 112, header->from_address);
    frame_store32(out + 120, (uint32_t) header->timeout_ms);
    frame_store32(out + 124, (uint32_t) header->thread_hash);
    frame_store64(out + 128, header->partition_hash);
    memcpy(out + FRAME_ERROR_AT, header->error_name,
           strnlen(header->error_name, RDSN_NAME_SIZE - 1));
    frame_store32(out + 184, header->error_code);
    frame_store32(out + 188, header->error_hash);
}

static br_status frame_unpack_name(const unsigned char *in, const char *what,
                                   char ret_name[RDSN_NAME_SIZE], struct fail *ret_fail)
{
    size_t size = strnlen((const char *) in, RDSN_NAME_SIZE);
    if (size == RDSN_NAME_SIZE)
        return fail_set(ret_fail, BR_CORRUPT, "RDSN header: the %s name has no end", what);
    memset(ret_name, 0, RDSN_NAME_SIZE);
    memcpy(ret_name, in, size);
    return BR_OK;
}

br_status frame_unpack_header(const unsigned char in[RDSN_HEADER_SIZE], struct rdsn_header *ret,
                              struct fail *ret_fail)
{
    if (memcmp(in, frame_magics[0], 4) != 0)
        return fail_set(ret_fail, BR_CORRUPT, "RDSN header: begins with other bytes than RDSN");
    struct rdsn_header header = {
        .version = frame_load32(in + 4),
        .length = frame_load32(in + 8),
        .header_crc = frame_load32(in + FRAME_HEADER_CRC_AT),
        .body_length = frame_load32(in + 16),
        .body_crc = frame_load32(in + 20),
        .code = frame_load32(in + 88),
        .code_hash = frame_load32(in + 92),
        .error_code = frame_load32(in + 184),
        .error_hash = frame_load32(in + 188),
        .app_id = (int32_t) frame_load32(in + 96),
        .partition = (int32_t) frame_load32(in + 100),
        .timeout_ms = (int32_t) frame_load32(in + 120),
        .thread_hash = (int32_t) frame_load32(in + 124),
        .id = frame_load64(in + 24),
        .trace_id = frame_load64(in + 32),
        .context = frame_load64(in + 104),
        .from_address = frame_load64(in + 112),
        .partition_hash = frame_load64(in + 128),
    };
    br_status status = frame_unpack_name(in + FRAME_NAME_AT, "RPC's", header.rpc_name, ret_fail);
    if (status == BR_OK)
        status = frame_unpack_name(in + FRAME_ERROR_AT, "error's", header.error_name, ret_fail);
    if (status == BR_OK)
        *ret = header;
    return status;
}

/* The checksum of a packed header: its own field counts as zero. */
static uint32_t frame_header_crc(const unsigned char packed[RDSN_HEADER_SIZE])
{
    static const unsigned char zero[4];
    uint32_t crc = crc32c(packed, FRAME_HEADER_CRC_AT, 0);
    crc = crc32c(zero, sizeof zero, crc);
    return crc32c(packed + FRAME_HEADER_CRC_AT + 4, RDSN_HEADER_SIZE - FRAME_HEADER_CRC_AT - 4,
                  crc);
}

/* -- reading ---------------------------------------------------------------------------------- */

static br_status frame_need(size_t size, size_t *ret_need)
{
    *ret_need = size;
    return BR_UNAVAILABLE;
}

static br_status frame_parse_rdsn(br_bytes bytes, uint32_t body_max, struct frame *ret_frame,
                                  size_t *ret_need, struct fail *ret_fail)
{
    if (bytes.size < RDSN_HEADER_SIZE)
        return frame_need(RDSN_HEADER_SIZE, ret_need);
    const unsigned char *data = bytes.data;
    struct frame frame = { .framing = FRAMING_RDSN };
    br_status status = frame_unpack_header(data, &frame.header, ret_fail);
    if (status != BR_OK)
        return status;
    const struct rdsn_header *header = &frame.header;
    if (header->header_crc && header->header_crc != frame_header_crc(data))
        return fail_set(ret_fail, BR_CORRUPT, "%s: the header's checksum is %08x, not %08x",
                        header->rpc_name, frame_header_crc(data), header->header_crc);
    if (header->body_length > body_max)
        return fail_set(ret_fail, BR_TOOBIG, "%s: a body of %u bytes; at most %u are taken",
                        header->rpc_name, header->body_length, body_max);
    frame.size = (size_t) RDSN_HEADER_SIZE + header->body_length;
    if (bytes.size < frame.size)
        return frame_need(frame.size, ret_need);
    frame.body = (br_bytes){ data + RDSN_HEADER_SIZE, header->body_length };
    if (header->body_crc) {
        uint32_t crc = crc32c(frame.body.data, frame.body.size, 0);
        if (crc != header->body_crc)
            return fail_set(ret_fail, BR_CORRUPT, "%s: the body's checksum is %08x, not %08x",
                            header->rpc_name, crc, header->body_crc);
    }
    *ret_frame = frame;
    return BR_OK;
}

/* By the first four bytes, or as many of them as there are: FRAMING_..., or 0. */
static int frame_sniff(br_bytes bytes)
{
    size_t size = bytes.size < 4 ? bytes.size : 4;
    for (size_t i = 0; i < sizeof frame_framings / sizeof *frame_framings; i++)
        if (size == 0 || memcmp(bytes.data, frame_magics[i], size) == 0)
            return frame_framings[i];
    return 0;
}

br_status frame_parse(br_bytes bytes, int framing, uint32_t body_max, struct frame *ret_frame,
                      size_t *ret_need, struct fail *ret_fail)
{
    if (framing == 0) {
        framing = frame_sniff(bytes);
        if (framing == 0)
            return fail_set(ret_fail, BR_CORRUPT,
                            "the connection begins neither with RDSN nor with THFT");
        if (bytes.size < 4)
            return frame_need(4, ret_need);
    }
    if (framing == FRAMING_RDSN)
        return frame_parse_rdsn(bytes, body_max, ret_frame, ret_need, ret_fail);
    if (framing == FRAMING_THFT)
        return thft_parse_request(bytes, body_max, ret_frame, ret_need, ret_fail);
    return fail_set(ret_fail, BR_UNSUPPORTED, "HTTP is not served on this port");
}

/* -- writing ---------------------------------------------------------------------------------- */

void frame_put(struct buf *buf, const struct rdsn_header *header, br_bytes body, bool crc)
{
    assert(body.size <= UINT32_MAX);
    unsigned char packed[RDSN_HEADER_SIZE];
    struct rdsn_header full = *header;
    full.version = 0;
    full.length = RDSN_HEADER_SIZE;
    full.body_length = (uint32_t) body.size;
    full.header_crc = 0;
    full.body_crc = crc ? crc32c(body.data, body.size, 0) : 0;
    frame_pack_header(&full, packed);
    if (crc)
        frame_store32(packed + FRAME_HEADER_CRC_AT, frame_header_crc(packed));
    buf_reserve(buf, sizeof packed + body.size);
    buf_put(buf, packed, sizeof packed);
    buf_put(buf, body.data, body.size);
}

/* Appends as much as fits; what is cut goes to somebody who matches by id. */
static void frame_add_name(char name[RDSN_NAME_SIZE], const char *text)
{
    size_t size = strnlen(name, RDSN_NAME_SIZE - 1);
    size_t more = strnlen(text, RDSN_NAME_SIZE - 1 - size);
    memcpy(name + size, text, more);
    memset(name + size + more, 0, RDSN_NAME_SIZE - size - more);
}

void frame_make_reply(struct rdsn_header *header, const char *error_name, uint64_t self)
{
    frame_add_name(header->rpc_name, "_ACK");
    header->error_name[0] = '\0';
    frame_add_name(header->error_name, error_name);
    header->context &= ~(uint64_t) RDSN_REQUEST;
    header->from_address = self;
    header->header_crc = 0;
    header->body_crc = 0;
    header->code = 0;
    header->error_code = 0;
}
