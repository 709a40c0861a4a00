/* frame_thft -- host/rdsn/thft.c: requests of both versions and replies, strict and not, damaged
 * and too large.
 */
#include <stdlib.h>
#include <string.h>

#include "t/test.h"
#include "t/test_frame.h"

/* A version 0 request around these bytes, given as hex. */
static void request_v0(struct buf *buf, const char *hex)
{
    struct buf body = { 0 };
    unsigned char head[48] = "THFT";
    test_unhex(hex, strlen(hex), &body);
    head[11] = 48;
    head[18] = (unsigned char) (body.size >> 8);
    head[19] = (unsigned char) body.size;
    buf_put(buf, head, sizeof head);
    buf_put(buf, body.data, body.size);
    buf_done(&body);
}

START_TEST(fields)
{
    struct frame frame;
    struct fail fail = { 0 };
    static const struct {
        const char *name;
        int version;
        int32_t app_id, partition, thread_hash, timeout_ms;
    } table[] = {
        { "thft_v0_query_cfg_req_go", 0, 0, 0, 0, 0 },
        { "thft_v0_query_cfg_req_node", 0, 0, 0, 0, 0 },
        { "thft_v0_query_cfg_req_nonstrict", 0, 0, 0, 0, 0 },
        { "thft_v1_query_cfg_req", 1, 0, 0, 0, 1000 },
        { "thft_v1_get_req", 1, 2, 0, 2 * 7919, 1000 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert_int_eq(frame_try(wire_vector_bytes(table[i].name), 0, 1000, &frame, &fail),
                         BR_OK);
        ck_assert_int_eq(frame.framing, FRAMING_THFT);
        ck_assert_int_eq(frame.thft_version, table[i].version);
        ck_assert_int_eq(frame.header.app_id, table[i].app_id);
        ck_assert_int_eq(frame.header.partition, table[i].partition);
        ck_assert_int_eq(frame.header.thread_hash, table[i].thread_hash);
        ck_assert_int_eq(frame.header.timeout_ms, table[i].timeout_ms);
        ck_assert_uint_eq(frame.header.context, RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY);
        ck_assert_uint_eq(frame.header.from_address, 0);
    }
}
END_TEST

/* All that a header of either version can say comes back. */
START_TEST(there_and_back)
{
    static const char body[] = "\x0c\0\0\0";
    for (int version = 0; version < 2; version++) {
        struct rdsn_header header = {
            .app_id = -1,
            .partition = INT32_MAX,
            .timeout_ms = INT32_MIN,
            .thread_hash = version ? -7919 + INT32_MAX : 77,
            .partition_hash = UINT64_MAX - 5,
            .id = 0xFFFFFFFFu,
            .context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY,
            .rpc_name = "RPC_OF_FORTY_SEVEN_BYTES_WHICH_IS_THE_MOST_HERE",
        };
        header.context |= version ? RDSN_BACKUP_REQUEST : 0; /* version 0 cannot say it */
        struct buf buf = { 0 };
        struct frame frame;
        size_t need;
        frame_put_thft_request(&buf, &header, version, (br_bytes){ body, 4 });
        ck_assert_int_eq(frame_parse(buf_bytes(&buf), 0, 1000, &frame, &need, NULL), BR_OK);
        ck_assert_uint_eq(frame.size, buf.size);
        ck_assert_mem_eq(frame.body.data, "\x0c\0\1\0", 4);
        header.length = frame.header.length;
        header.body_length = 4;
        ck_assert_mem_eq(&frame.header, &header, sizeof header);
        buf_done(&buf);
    }
}
END_TEST

START_TEST(cut_and_flipped)
{
    size_t count;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(vectors[i].framing, "THFT", 4) != 0)
            continue;
        bool reply = strcmp(vectors[i].framing, "THFT response") == 0;
        frame_cut(buf_bytes(&vectors[i].bytes), reply ? FRAME_REPLY : 0);
        ck_assert_uint_gt(frame_flip(buf_bytes(&vectors[i].bytes), reply ? FRAME_REPLY : 0), 50);
    }
}
END_TEST

/* Message begins: hex of a whole body, and what becomes of it. */
START_TEST(begins)
{
    static const struct {
        const char *hex, *what;
        br_status status;
    } table[] = {
        { "80010001 00000003 525043 00000007 0c000100", "strict call", BR_OK },
        { "80010004 00000003 525043 00000007 0c000100", "strict one-way", BR_OK },
        { "00000003 525043 01 00000007 0c000100", "old call", BR_OK },
        { "00000003 525043 04 00000007 0c000100", "old one-way", BR_OK },
        { "80010001 00000003 525043 00000007", "no body", BR_OK },
        { "80010001 00000000 00000007 00", "no name", BR_OK },
        { "80010002 00000003 525043 00000007 00", "reply", BR_CORRUPT },
        { "80010003 00000003 525043 00000007 00", "exception", BR_CORRUPT },
        { "80010000 00000003 525043 00000007 00", "type 0", BR_CORRUPT },
        { "00000003 525043 02 00000007 00", "old reply", BR_CORRUPT },
        { "80020001 00000003 525043 00000007 00", "version 2", BR_CORRUPT },
        { "ffffffff 00000003 525043 00000007 00", "version -1", BR_CORRUPT },
        { "80010001 ffffffff 525043 00000007 00", "negative name", BR_CORRUPT },
        { "80010001 00000004 525043", "name cut", BR_CORRUPT },
        { "80010001 00000003 520043 00000007 00", "NUL in the name", BR_CORRUPT },
        { "80010001 00000030 525043525043525043525043525043525043525043525043525043525043525043"
          "525043525043525043525043525043 00000007 00",
          "name of 48", BR_CORRUPT },
        { "80010001 0000002f 525043525043525043525043525043525043525043525043525043525043525043"
          "5250435250435250435250435250 00000007 00",
          "name of 47", BR_OK },
        { "80010001 00000003 525043 000000", "number cut", BR_CORRUPT },
        { "80010001", "nothing behind the version", BR_CORRUPT },
        { "8001", "version cut", BR_CORRUPT },
        { "00000003 525043", "old, nothing behind the name", BR_CORRUPT },
        { "", "nothing", BR_CORRUPT },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf buf = { 0 };
        struct frame frame;
        struct fail fail = { 0 };
        request_v0(&buf, table[i].hex);
        br_status status = frame_try(buf_bytes(&buf), 0, 1000, &frame, &fail);
        ck_assert_msg(status == table[i].status, "%s: %d", table[i].what, status);
        if (status == BR_OK && !strstr(table[i].what, "name"))
            ck_assert(strcmp(frame.header.rpc_name, "RPC") == 0 && frame.header.id == 7);
        buf_done(&buf);
    }
}
END_TEST

START_TEST(versions_and_lengths)
{
    static const struct {
        const char *hex;
        br_status status;
    } table[] = {
        { "54484654 00000002 00000030 00000000", BR_CORRUPT },
        { "54484654 ffffffff 00000030 00000000", BR_CORRUPT },
        { "54484654 00000000 00000031 00000000 00000000 00000000 00000000 00000000 00000000"
          "00000000 00000000 00000000",
          BR_CORRUPT },
        { "54484654 00000000 00000030 00000000 000003e9 00000000 00000000 00000000 00000000"
          "00000000 00000000 00000000",
          BR_TOOBIG },
        { "54484654 00000000 00000030 00000000 000003e8 00000000 00000000 00000000 00000000"
          "00000000 00000000 00000000",
          BR_UNAVAILABLE },
        { "54484654 00000001 00000001 000003e9", BR_TOOBIG },
        { "54484654 00000001 00000001 000003e8", BR_UNAVAILABLE },
        { "54484654 00000001 00001000 00000000", BR_UNAVAILABLE }, /* THFT_META_MAX */
        { "54484654 00000001 00001001 00000000", BR_TOOBIG },
        { "54484654 00000001 ffffffff ffffffff", BR_TOOBIG },
        { "54484654 00000001 00000000 00000000", BR_CORRUPT },          /* no meta struct */
        { "54484654 00000001 00000001 00000000 00", BR_CORRUPT },       /* no message begin */
        { "54484654 00000001 00000002 00000000 0000", BR_CORRUPT },     /* a byte behind it */
        { "54484654 00000001 00000004 00000000 0b000100", BR_CORRUPT }, /* app_id a text */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf buf = { 0 };
        struct frame frame;
        struct fail fail = { 0 };
        test_unhex(table[i].hex, strlen(table[i].hex), &buf);
        br_status status = frame_try(buf_bytes(&buf), 0, 1000, &frame, &fail);
        ck_assert_msg(status == table[i].status, "%s: %d %s", table[i].hex, status, fail.text);
        buf_done(&buf);
    }
}
END_TEST

/* A meta struct as large as may be, filled by a field of a newer client. */
START_TEST(meta_max)
{
    br_bytes plain = wire_vector_bytes("thft_v1_query_cfg_req");
    struct buf buf = { 0 };
    struct frame frame;
    struct fail fail = { 0 };
    static const char text[THFT_META_MAX - 37 - 7];
    buf_put(&buf, plain.data, 16 + 36); /* the meta struct but for its end */
    buf.data[10] = THFT_META_MAX >> 8;
    buf.data[11] = 0;
    test_unhex("0b0009 00000fd4", 15, &buf);
    buf_put(&buf, text, sizeof text);
    buf_put(&buf, (const char *) plain.data + 16 + 36, plain.size - 16 - 36);
    br_status status = frame_try(buf_bytes(&buf), 0, 1000, &frame, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    ck_assert_int_eq(frame.header.timeout_ms, 1000);
    ck_assert_str_eq(frame.header.rpc_name, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX");
    buf_done(&buf);
}
END_TEST

START_TEST(replies_refused)
{
    static const struct {
        const char *hex;
        br_status status;
    } table[] = {
        { "00000003", BR_CORRUPT },
        { "00000004", BR_CORRUPT },
        { "00000000", BR_CORRUPT },
        { "ffffffff", BR_TOOBIG },
        { "00010000", BR_TOOBIG },
        { "000003e8", BR_UNAVAILABLE },
        { "0000001d 00000006 4552525f4f4b 80010002 00000003 415050 00000001", BR_OK },
        { "0000001d 00000006 4552525f4f4b 80010003 00000003 415050 00000001", BR_CORRUPT },
        { "0000001d 00000006 4552525f4f4b 80010001 00000003 415050 00000001", BR_CORRUPT },
        { "0000001d 00000007 4552525f4f4b 80010002 00000003 415050 00000001", BR_CORRUPT },
        { "0000001d ffffffff 4552525f4f4b 80010002 00000003 415050 00000001", BR_CORRUPT },
        { "0000001d 00000006 4552525f004b 80010002 00000003 415050 00000001", BR_CORRUPT },
        { "0000001a 00000006 4552525f4f4b 00000003 415050 02 00000001", BR_OK },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf buf = { 0 };
        struct frame frame;
        struct fail fail = { 0 };
        test_unhex(table[i].hex, strlen(table[i].hex), &buf);
        br_status status = frame_try(buf_bytes(&buf), FRAME_REPLY, 1000, &frame, &fail);
        ck_assert_msg(status == table[i].status, "%s: %d %s", table[i].hex, status, fail.text);
        buf_done(&buf);
    }
}
END_TEST

TCase *frame_thft(void)
{
    TCase *thft = tcase_create("thft");
    tcase_set_timeout(thft, 60);
    tcase_add_test(thft, fields);
    tcase_add_test(thft, there_and_back);
    tcase_add_test(thft, cut_and_flipped);
    tcase_add_test(thft, begins);
    tcase_add_test(thft, versions_and_lengths);
    tcase_add_test(thft, meta_max);
    tcase_add_test(thft, replies_refused);
    return thft;
}
