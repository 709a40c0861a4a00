/* test_frame -- host/rdsn/frame.c: native frames, whole, in pieces, damaged and too large. */
#include "t/test_frame.h"

#include <stdlib.h>
#include <string.h>

#include "t/test.h"

/* -- helpers of both files -------------------------------------------------------------------- */

br_status frame_try(br_bytes bytes, int framing, uint32_t body_max, struct frame *ret_frame,
                    struct fail *ret_fail)
{
    /* A copy of the exact size, so that a sanitizer sees one byte too many. */
    char *copy = malloc(bytes.size ? bytes.size : 1);
    ck_assert_ptr_nonnull(copy);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    size_t need = 0;
    bytes.data = copy;
    br_status status = framing == FRAME_REPLY
                           ? frame_parse_thft_reply(bytes, body_max, ret_frame, &need, ret_fail)
                           : frame_parse(bytes, framing, body_max, ret_frame, &need, ret_fail);
    if (status == BR_UNAVAILABLE)
        ck_assert_uint_gt(need, bytes.size);
    else if (status != BR_OK)
        ck_assert_msg(ret_fail->status == status && ret_fail->text[0], "no sentence");
    free(copy);
    return status;
}

void frame_cut(br_bytes bytes, int framing)
{
    for (size_t size = 0; size < bytes.size; size++) {
        struct frame frame;
        struct fail fail = { 0 };
        br_status status =
            frame_try((br_bytes){ bytes.data, size }, framing, FRAME_BODY_MAX, &frame, &fail);
        ck_assert_msg(status == BR_UNAVAILABLE, "%zu of %zu bytes: %s", size, bytes.size,
                      fail.text);
    }
}

size_t frame_flip(br_bytes bytes, int framing)
{
    size_t taken = 0;
    struct buf copy = { 0 };
    buf_put(&copy, bytes.data, bytes.size);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        struct frame frame;
        struct fail fail = { 0 };
        copy.data[bit / 8] = (char) (copy.data[bit / 8] ^ 1 << bit % 8);
        taken += frame_try(buf_bytes(&copy), framing, FRAME_BODY_MAX, &frame, &fail) == BR_OK;
        copy.data[bit / 8] = (char) (copy.data[bit / 8] ^ 1 << bit % 8);
    }
    buf_done(&copy);
    return taken;
}

static const struct rdsn_header full_header = {
    .version = 0,
    .length = RDSN_HEADER_SIZE,
    .code = 17,
    .code_hash = 18,
    .error_code = 19,
    .error_hash = 20,
    .app_id = -1,
    .partition = INT32_MIN,
    .timeout_ms = INT32_MAX,
    .thread_hash = -7919,
    .id = UINT64_MAX,
    .trace_id = UINT64_C(0x0123456789ABCDEF),
    .context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY | RDSN_FORWARD_SUPPORTED,
    .from_address = UINT64_C(0x0a00000b87f10001),
    .partition_hash = UINT64_C(0xFEDCBA9876543210),
    .rpc_name = "RPC_OF_FORTY_SEVEN_BYTES_WHICH_IS_THE_MOST_HERE",
    .error_name = "ERR_OF_FORTY_SEVEN_BYTES_WHICH_IS_THE_MOST_HERE",
};

/* -- whole ------------------------------------------------------------------------------------ */

START_TEST(header_fields)
{
    unsigned char packed[RDSN_HEADER_SIZE];
    struct rdsn_header back;
    ck_assert_uint_eq(strlen(full_header.rpc_name), RDSN_NAME_SIZE - 1);
    frame_pack_header(&full_header, packed);
    ck_assert_int_eq(frame_unpack_header(packed, &back, NULL), BR_OK);
    ck_assert_mem_eq(&back, &full_header, sizeof back);
    struct fail fail = { 0 };
    packed[40 + 47] = 'X'; /* no NUL left */
    ck_assert_int_eq(frame_unpack_header(packed, &back, &fail), BR_CORRUPT);
    packed[40 + 47] = 0;
    packed[136 + 47] = 'X';
    ck_assert_int_eq(frame_unpack_header(packed, &back, &fail), BR_CORRUPT);
    packed[136 + 47] = 0;
    packed[0] = 'X';
    ck_assert_int_eq(frame_unpack_header(packed, &back, &fail), BR_CORRUPT);
}
END_TEST

START_TEST(put_and_parse)
{
    static const char body[] = "any bytes";
    for (int crc = 0; crc < 2; crc++)
        for (size_t size = 0; size < sizeof body; size++) {
            struct buf buf = { 0 };
            struct frame frame;
            size_t need;
            frame_put(&buf, &full_header, (br_bytes){ body, size }, crc);
            frame_put(&buf, &full_header, (br_bytes){ body, size }, crc);
            ck_assert_int_eq(frame_parse(buf_bytes(&buf), 0, FRAME_BODY_MAX, &frame, &need, NULL),
                             BR_OK);
            ck_assert_int_eq(frame.framing, FRAMING_RDSN);
            ck_assert_uint_eq(frame.size, buf.size / 2); /* the second one is left alone */
            ck_assert_uint_eq(frame.body.size, size);
            ck_assert_mem_eq(frame.body.data, body, size);
            ck_assert(crc == (frame.header.header_crc != 0));
            ck_assert_str_eq(frame.header.rpc_name, full_header.rpc_name);
            buf_done(&buf);
        }
}
END_TEST

START_TEST(replies)
{
    struct rdsn_header header = full_header;
    frame_make_reply(&header, "ERR_TIMEOUT", 42);
    ck_assert_str_eq(header.rpc_name, full_header.rpc_name); /* no room for _ACK */
    ck_assert_str_eq(header.error_name, "ERR_TIMEOUT");
    ck_assert_uint_eq(header.context, RDSN_FORMAT_THRIFT_BINARY | RDSN_FORWARD_SUPPORTED);
    ck_assert_uint_eq(header.from_address, 42);
    ck_assert_uint_eq(header.id, full_header.id);
    for (size_t size = 0; size < RDSN_NAME_SIZE; size++) {
        memset(header.rpc_name, 0, sizeof header.rpc_name);
        memset(header.rpc_name, 'R', size);
        frame_make_reply(&header, "ERR_OK", 42);
        size_t want = size + 4 < RDSN_NAME_SIZE ? size + 4 : RDSN_NAME_SIZE - 1;
        ck_assert_uint_eq(strlen(header.rpc_name), want);
        ck_assert_int_eq(strncmp(header.rpc_name + size, "_ACK", want - size), 0);
    }
}
END_TEST

START_TEST(addresses)
{
    char text[ADDRESS_TEXT_MAX];
    uint64_t address = 0;
    ck_assert(address_parse("10.0.0.11:34801", &address));
    ck_assert(address == UINT64_C(0x0a00000b87f10001));
    ck_assert_str_eq(address_format(address, text), "10.0.0.11:34801");
    ck_assert(address_parse("255.255.255.255:65535", &address));
    ck_assert_str_eq(address_format(address, text), "255.255.255.255:65535");
    ck_assert_str_eq(address_format(0, text), "invalid address");
    ck_assert_str_eq(address_format(2, text), "invalid address");
    static const char *const bad[] = { "10.0.0:1", "rs1:34801", "10.0.0.1", "10.0.0.256:1", "" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!address_parse(bad[i], &address), "%s", bad[i]);
    ck_assert(address_resolve("127.0.0.1:7", &address) && address == address_make(0x7F000001, 7));
    ck_assert(address_resolve("localhost:7", &address) && address == address_make(0x7F000001, 7));
    ck_assert(!address_resolve("localhost", &address));
    ck_assert(!address_resolve("no-such-host.invalid:1", &address));
}
END_TEST

START_TEST(host_ports)
{
    char host[NODE_NAME_MAX], text[NODE_NAME_MAX + 1];
    struct host_port host_port;
    ck_assert(host_port_parse("rs1:34801", host, &host_port));
    ck_assert_str_eq(host_port.host, "rs1");
    ck_assert_uint_eq(host_port.port, 34801);
    ck_assert_uint_eq(host_port.type, 1);
    ck_assert_str_eq(host_port_format(&host_port, text), "rs1:34801");
    ck_assert(!host_port_parse("rs1", host, &host_port));
    ck_assert_str_eq(host_port_format(&(struct host_port){ .host = "" }, text),
                     "invalid host_port");
    ck_assert_str_eq(host_port_format(&(struct host_port){ .type = 1 }, text), "invalid host_port");
}
END_TEST

/* -- damaged ---------------------------------------------------------------------------------- */

START_TEST(cut_everywhere)
{
    size_t count;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(vectors[i].framing, "RDSN") == 0)
            frame_cut(buf_bytes(&vectors[i].bytes), 0);
}
END_TEST

/* With checksums no flipped bit gets through; without them nothing breaks. */
START_TEST(flipped_everywhere)
{
    ck_assert_uint_eq(frame_flip(wire_vector_bytes("rdsn_fd_ping_req_crc"), 0), 0);
    ck_assert_uint_eq(frame_flip(wire_vector_bytes("rdsn_fd_ping_ack_crc_hp"), FRAMING_RDSN), 0);
    ck_assert_uint_gt(frame_flip(wire_vector_bytes("rdsn_fd_ping_req"), 0), 1000);
    ck_assert_uint_gt(frame_flip(wire_vector_bytes("rdsn_query_app_info_resp"), 0), 1000);
}
END_TEST

START_TEST(wrong_checksums)
{
    struct buf buf = { 0 };
    struct frame frame;
    struct fail fail = { 0 };
    buf_put(&buf, wire_vector("rdsn_fd_ping_req_crc")->bytes.data, 241);
    buf.data[240] ^= 1;
    ck_assert_int_eq(frame_try(buf_bytes(&buf), 0, 1000, &frame, &fail), BR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fail.text, "the body's checksum"));
    buf.data[24] ^= 1;
    ck_assert_int_eq(frame_try(buf_bytes(&buf), 0, 1000, &frame, &fail), BR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fail.text, "the header's checksum"));
    memset(buf.data + 12, 0, 4); /* 0: not used; and the body's without the header's */
    ck_assert_int_eq(frame_try(buf_bytes(&buf), 0, 1000, &frame, &fail), BR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fail.text, "the body's checksum"));
    memset(buf.data + 20, 0, 4);
    ck_assert_int_eq(frame_try(buf_bytes(&buf), 0, 1000, &frame, &fail), BR_OK);
    buf_done(&buf);
}
END_TEST

/* A length is believed only up to the limit, and before its bytes are there. */
START_TEST(body_max)
{
    static const struct {
        uint32_t length, max;
        br_status status;
    } table[] = {
        { 100, 100, BR_UNAVAILABLE },
        { 101, 100, BR_TOOBIG },
        { FRAME_BODY_MAX, FRAME_BODY_MAX, BR_UNAVAILABLE },
        { FRAME_BODY_MAX + 1, FRAME_BODY_MAX, BR_TOOBIG },
        { UINT32_MAX, FRAME_BODY_MAX, BR_TOOBIG },
        { 1, 0, BR_TOOBIG },
        { 0, 0, BR_OK },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct rdsn_header header = full_header;
        unsigned char packed[RDSN_HEADER_SIZE];
        struct frame frame;
        struct fail fail = { 0 };
        header.body_length = table[i].length;
        frame_pack_header(&header, packed);
        ck_assert_int_eq(
            frame_try((br_bytes){ packed, sizeof packed }, 0, table[i].max, &frame, &fail),
            table[i].status);
    }
}
END_TEST

START_TEST(first_bytes)
{
    static const struct {
        const char *bytes;
        int framing;
        br_status status;
    } table[] = {
        { "", 0, BR_UNAVAILABLE },
        { "R", 0, BR_UNAVAILABLE },
        { "THF", 0, BR_UNAVAILABLE },
        { "GET", 0, BR_UNAVAILABLE },
        { "P", 0, BR_UNAVAILABLE },
        { "RDSN", 0, BR_UNAVAILABLE },
        { "THFT", 0, BR_UNAVAILABLE },
        { "GET ", 0, BR_UNSUPPORTED },
        { "POST", 0, BR_UNSUPPORTED },
        { "X", 0, BR_CORRUPT },
        { "RX", 0, BR_CORRUPT },
        { "_RAW", 0, BR_CORRUPT },
        { "rdsn", 0, BR_CORRUPT },
        { "THFT", FRAMING_RDSN, BR_UNAVAILABLE },
        { "X", FRAMING_HTTP, BR_UNSUPPORTED },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct frame frame;
        struct fail fail = { 0 };
        br_status status = frame_try((br_bytes){ table[i].bytes, strlen(table[i].bytes) },
                                     table[i].framing, 1000, &frame, &fail);
        ck_assert_msg(status == table[i].status, "%s: %d", table[i].bytes, status);
    }
    /* The first message decides for the whole connection. */
    struct frame frame;
    struct fail fail = { 0 };
    ck_assert_int_eq(
        frame_try(wire_vector_bytes("rdsn_fd_ping_req"), FRAMING_THFT, 1000, &frame, &fail),
        BR_CORRUPT);
    br_bytes thft = wire_vector_bytes("thft_v0_query_cfg_req_go");
    struct buf padded = { 0 };
    buf_put(&padded, thft.data, thft.size);
    buf_put(&padded, full_header.rpc_name, 48);
    buf_put(&padded, full_header.rpc_name, 48);
    ck_assert_int_eq(frame_try(buf_bytes(&padded), FRAMING_RDSN, 1000, &frame, &fail), BR_CORRUPT);
    buf_done(&padded);
}
END_TEST

int main(void)
{
    TCase *whole = tcase_create("whole");
    tcase_add_test(whole, header_fields);
    tcase_add_test(whole, put_and_parse);
    tcase_add_test(whole, replies);
    tcase_add_test(whole, addresses);
    tcase_add_test(whole, host_ports);
    TCase *damaged = tcase_create("damaged");
    tcase_set_timeout(damaged, 60);
    tcase_add_test(damaged, cut_everywhere);
    tcase_add_test(damaged, flipped_everywhere);
    tcase_add_test(damaged, wrong_checksums);
    tcase_add_test(damaged, body_max);
    tcase_add_test(damaged, first_bytes);
    return test_run("frame", whole, damaged, frame_thft(), NULL);
}
