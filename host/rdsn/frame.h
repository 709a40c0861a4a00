/* frame -- where a message begins and ends: RDSN and THFT on one port
 * (src/rpc/dsn_message_parser.cpp, src/rpc/thrift_message_parser.cpp).
 *
 * Pure: bytes in, fields out.  Nothing is allocated and nothing is copied; a body points into the
 * bytes given.  All integers of an RDSN header are little-endian; those of THFT big-endian.
 */
#ifndef HOST_RDSN_FRAME_H
#define HOST_RDSN_FRAME_H

#include "host/base/buf.h"
#include "host/base/fail.h"

#define RDSN_HEADER_SIZE  192
#define RDSN_NAME_SIZE    48
#define THFT_V0_SIZE      48
#define FRAME_BODY_MAX    (256u << 20) /* bytes; a server's or client's own limit may be lower */
#define THFT_META_MAX     4096         /* bytes of a v1 meta struct */
#define RDSN_DATAGRAM_MAX 1000         /* bytes of a UDP message, header included */

enum { FRAMING_RDSN = 1, FRAMING_THFT = 2, FRAMING_HTTP = 3 };

enum {
    RDSN_REQUEST = 1 << 0,
    RDSN_FORWARDED = 1 << 1,
    RDSN_FORMAT_SHIFT = 6, /* four bits: the serialize_format; 1 is Thrift binary */
    RDSN_FORMAT_THRIFT_BINARY = 1 << 6,
    RDSN_FORWARD_SUPPORTED = 1 << 10,
    RDSN_BACKUP_REQUEST = 1 << 11,
};

/* The 192 bytes of struct message_header (src/rpc/rpc_message.h), also what a THFT request is
 * mapped to. */
struct rdsn_header {
    uint32_t version;
    uint32_t length;
    uint32_t header_crc; /* 0: not used */
    uint32_t body_length;
    uint32_t body_crc; /* 0: not used */
    uint32_t code;     /* sender-local; ignored */
    uint32_t code_hash;
    uint32_t error_code; /* sender-local; ignored */
    uint32_t error_hash;
    int32_t app_id;
    int32_t partition;
    int32_t timeout_ms;
    int32_t thread_hash;
    uint64_t id;
    uint64_t trace_id;
    uint64_t context;      /* RDSN_REQUEST ... */
    uint64_t from_address; /* address.h */
    uint64_t partition_hash;
    char rpc_name[RDSN_NAME_SIZE];   /* NUL-terminated */
    char error_name[RDSN_NAME_SIZE]; /* replies: "ERR_OK" ...; requests: "" */
};

struct frame {
    int framing;      /* FRAMING_RDSN ... */
    int thft_version; /* 0, 1 */
    struct rdsn_header header;
    br_bytes body; /* as native: `<type> 00 00|01 <value> 00`; a THFT message-begin is cut off */
    size_t size;   /* bytes of the whole frame */
};

/* Look at the bytes of a stream, from the first of a frame.  `framing`: 0 for the first frame of
 * an accepted connection (its first four bytes decide), then what that one was.
 * BR_OK: *ret_frame is whole.  BR_UNAVAILABLE: *ret_need bytes are needed to go on (a lower
 * bound).  BR_CORRUPT, BR_TOOBIG, BR_UNSUPPORTED (HTTP): close the connection; the sentence says
 * why. */
br_status frame_parse(br_bytes bytes, int framing, uint32_t body_max, struct frame *ret_frame,
                      size_t *ret_need, struct fail *ret_fail);

/* Append an RDSN message: version, length, body_length and both checksums (0 without `crc`) are set
 * here. */
void frame_put(struct buf *buf, const struct rdsn_header *header, br_bytes body, bool crc);

/* Turn a request's header into its reply's: is_request off, "_ACK", the error's name, and
 * from_address = self (src/rpc/rpc_message.cpp:create_response).  Works in place; a name that
 * becomes too long for the header is cut. */
void frame_make_reply(struct rdsn_header *header, const char *error_name, uint64_t self);

/* Append a THFT response (thrift_message_parser.cpp:prepare_on_send): `body` is the native body,
 * left out where error_name is not ERR_OK. */
void frame_put_thft_reply(struct buf *buf, const struct rdsn_header *request,
                          const char *error_name, br_bytes body);

/* Append a THFT v0 or v1 request around a native body (whose field id becomes 1). */
void frame_put_thft_request(struct buf *buf, const struct rdsn_header *header, int thft_version,
                            br_bytes body);

/* Read one THFT response from the first bytes of a stream; statuses as frame_parse. */
br_status frame_parse_thft_reply(br_bytes bytes, uint32_t body_max, struct frame *ret_frame,
                                 size_t *ret_need, struct fail *ret_fail);

/* The 192 bytes, both ways.  The checksums are not looked at. */
void frame_pack_header(const struct rdsn_header *header, unsigned char out[RDSN_HEADER_SIZE]);
br_status frame_unpack_header(const unsigned char in[RDSN_HEADER_SIZE], struct rdsn_header *ret,
                              struct fail *ret_fail);

#endif
