/* codec_hostile -- bodies that are cut, flipped, too deep, too large or lying.  All of them are
 * refused with a sentence; none takes memory that its bytes do not pay for.
 */
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/thrift.h"
#include "t/test.h"
#include "t/test_codec.h"

/* The body of a native vector and the table for it; NULL: no struct. */
static const struct wire_schema *body_of(const struct vector *vector, br_bytes *ret_body)
{
    struct frame frame;
    size_t need;
    if (strcmp(vector->framing, "RDSN") != 0 || strstr(vector->name, "json"))
        return NULL;
    ck_assert_int_eq(frame_parse(buf_bytes(&vector->bytes), 0, FRAME_BODY_MAX, &frame, &need, NULL),
                     BR_OK);
    char name[RDSN_NAME_SIZE] = { 0 };
    bool reply = !(frame.header.context & RDSN_REQUEST);
    memcpy(name, frame.header.rpc_name, strlen(frame.header.rpc_name) - (reply ? 4 : 0));
    const struct rpc *rpc = rpc_find(name);
    *ret_body = frame.body;
    if (reply && strcmp(frame.header.error_name, "ERR_OK") != 0)
        return NULL;
    return reply ? rpc->response : rpc->request;
}

START_TEST(cut_everywhere)
{
    size_t count, bodies = 0;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++) {
        br_bytes body;
        const struct wire_schema *schema = body_of(&vectors[i], &body);
        if (!schema)
            continue;
        struct fail fail = { 0 };
        for (size_t size = 0; size < body.size; size++)
            ck_assert_int_eq(codec_try(schema, (br_bytes){ body.data, size }, &fail, NULL),
                             BR_CORRUPT);
        ck_assert_int_eq(codec_try(schema, body, &fail, NULL), BR_OK);
        bodies++;
    }
    ck_assert_uint_ge(bodies, 50);
}
END_TEST

START_TEST(flipped_everywhere)
{
    size_t count, taken = 0, refused = 0;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++) {
        br_bytes body;
        const struct wire_schema *schema = body_of(&vectors[i], &body);
        if (!schema)
            continue;
        struct buf copy = { 0 };
        buf_put(&copy, body.data, body.size);
        for (size_t bit = 0; bit < body.size * 8; bit++) {
            struct fail fail = { 0 };
            size_t used;
            copy.data[bit / 8] = (char) (copy.data[bit / 8] ^ 1 << bit % 8);
            br_status status = codec_try(schema, buf_bytes(&copy), &fail, &used);
            ck_assert_uint_le(used, 65536 + CODEC_EXPANSION_MAX * body.size);
            *(status == BR_OK ? &taken : &refused) += 1;
            copy.data[bit / 8] = (char) (copy.data[bit / 8] ^ 1 << bit % 8);
        }
        buf_done(&copy);
    }
    ck_assert_uint_gt(taken, 1000);
    ck_assert_uint_gt(refused, 1000);
}
END_TEST

/* Each field of each table under each other type byte. */
START_TEST(wrong_types)
{
    for (size_t i = 0; i < codec_schema_count; i++) {
        const struct wire_schema *schema = codec_schemas[i];
        for (uint16_t f = 0; f < schema->count; f++)
            for (int type = 1; type < 17; type++) {
                const struct wire_field *field = &schema->fields[f];
                if (type == thrift_kinds[field->kind].type)
                    continue;
                char body[100] = { 0x0c, 0, 0, (char) type, 0, (char) field->id };
                struct fail fail = { 0 };
                ck_assert_int_eq(codec_try(schema, (br_bytes){ body, sizeof body }, &fail, NULL),
                                 BR_CORRUPT);
                ck_assert_ptr_nonnull(strstr(fail.text, schema->name));
                ck_assert_ptr_nonnull(strstr(fail.text, field->name));
            }
    }
}
END_TEST

START_TEST(lies)
{
    static const struct {
        const struct wire_schema *schema;
        const char *hex;
        const char *why; /* in the sentence */
    } table[] = {
        { &wire_list_nodes_request, "", "a body of 0 bytes" },
        { &wire_list_nodes_request, "0c00", "a body of 2 bytes" },
        { &wire_list_nodes_request, "0b0000 080001 00000000 00 00", "type 11" },
        { &wire_list_nodes_request, "0c0000 080001 00000000 00", "without its end" },
        { &wire_list_nodes_request, "0c0000 080001 00000000 00 01", "without its end" },
        { &wire_list_nodes_request, "0c0000 080001 00000000 00 00 00", "1 bytes behind the end" },
        { &wire_list_nodes_request, "0c0000 080001 000000", "ends in a value" },
        { &wire_list_nodes_request, "0c0000 0800", "ends inside a struct" },
        { &wire_list_nodes_request, "0c0000 010005 00 00", "unknown field 5" },
        { &wire_list_nodes_request, "0c0000 0f0005 01 00000001 00 00", "type" },
        { &wire_list_nodes_request, "0c0000 0f0005 00 00000001 00 00 00", "type" },
        { &wire_list_nodes_request, "0c0000 0e0005 00 00000001 00 00 00", "type" },
        { &wire_list_nodes_request, "0c0000 0d0005 00 08 00000001 00000000 00 00 00", "type" },
        { &wire_list_nodes_request, "0c0000 0b0005 7fffffff 00 00", "ends in a value" },
        { &wire_list_nodes_request, "0c0000 0b0005 ffffffff 00 00", "ends in a value" },
        { &wire_list_nodes_request, "0c0000 0f0005 08 ffffffff 00 00", "more elements" },
        { &wire_list_nodes_request, "0c0000 0f0005 0c 7fffffff 00 00", "more elements" },
        { &wire_list_nodes_request, "0c0000 0f0005 0a 00000002 00 00", "ends in a value" },
        { &wire_list_nodes_request, "0c0000 0d0005 08 08 ffffffff 00 00", "more elements" },
        { &wire_list_nodes_request, "0c0000 0d0005 0b 0b 00000003 00 00", "more elements" },
        { &wire_rename_app_request, "0c0000 0b0001 00000003 610062 00 00", "NUL" },
        { &wire_rename_app_request, "0c0000 0b0001 ffffffff 610062 00 00", "-1 bytes" },
        { &wire_rename_app_request, "0c0000 0b0001 00000004 610000", "4 bytes, but 3 are left" },
        { &wire_rename_app_request, "0c0000 0b0001 7fffffff 610000 00 00", "are left" },
        { &wire_rename_app_request, "0c0000 0b0001 0000", "ends in a length" },
        { &wire_query_cfg_request, "0c0000 0f0002 08 ffffffff 00 00", "-1 elements" },
        { &wire_query_cfg_request, "0c0000 0f0002 08 00000001 000000", "1 elements" },
        { &wire_query_cfg_request, "0c0000 0f0002 08 7fffffff 00000000 00 00", "elements" },
        { &wire_query_cfg_request, "0c0000 0f0002 0a 00000001 0000000000000000 00 00", "of type" },
        { &wire_query_cfg_request, "0c0000 0f0002 08 0000", "ends in a list" },
        { &wire_app_info, "0c0000 0d0006 0b0b ffffffff 00 00", "-1 elements" },
        { &wire_app_info, "0c0000 0d0006 0b0b 00000001 00000000 00 00", "1 elements" },
        { &wire_app_info, "0c0000 0d0006 0b08 00000001 00000000 00000000 00 00", "a map of types" },
        { &wire_app_info, "0c0000 0d0006 0b", "ends in a map" },
        { &wire_app_info, "0c0000 020007 02 00 00", "a boolean of 2" },
        { &wire_app_info, "0c0000 020007 ff 0b0002 00000000 0b0003 00000000 00 00", "of 255" },
        { &wire_beacon_ack, "0c0000 0c0006 00000001 61 0001 02 00 00", "host_port of type 2" },
        { &wire_beacon_ack, "0c0000 0c0006 00000001 61 0001", "ends in a host_port" },
        { &wire_beacon_ack, "0c0000 0c0006 00000002 6100 0001 01 00 00", "NUL" },
        { &wire_duplication_sync_request,
          "0c0000 0d0002 0c 0f 00000001 0000000000000000 0c00000000 00 00", "only empty" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fail fail = { 0 };
        ck_assert_msg(codec_try_hex(table[i].schema, table[i].hex, &fail) == BR_CORRUPT, "%s",
                      table[i].hex);
        ck_assert_msg(strstr(fail.text, table[i].why), "%s: %s", table[i].hex, fail.text);
    }
}
END_TEST

/* Structs in structs, lists in lists and maps in maps as deep as may be, and one deeper. */
START_TEST(depth_max)
{
    static const struct {
        const char *open, *close;
    } table[] = { { "0c0001", "00" }, { "", "" }, { "", "00" } };
    for (int shape = 0; shape < 3; shape++)
        for (int depth = 1; depth < 100; depth++) {
            struct buf hex = { 0 };
            struct fail fail = { 0 };
            buf_text(&hex, "0c0000");
            static const char *const first[] = { "", "0f0063", "0d0063" };
            buf_text(&hex, first[shape]);
            for (int i = 0; i < depth; i++) {
                bool last = i == depth - 1;
                if (shape == 0)
                    buf_text(&hex, table[0].open);
                else if (shape == 1)
                    buf_text(&hex, last ? "0b 00000001 00000000" : "0f 00000001");
                else
                    buf_text(&hex, last ? "0b02 00000001 00000000" : "0d02 00000001");
            }
            for (int i = 0; i < depth; i++)
                buf_text(&hex, shape == 2 ? "01" : table[shape].close);
            buf_text(&hex, "0000");
            /* The message itself is one of them. */
            br_status want = depth < CODEC_DEPTH_MAX ? BR_OK : BR_CORRUPT;
            br_status status = codec_try_hex(&wire_empty_request, hex.data, &fail);
            ck_assert_msg(status == want, "shape %d, depth %d: %s", shape, depth, fail.text);
            ck_assert(want == BR_OK || strstr(fail.text, "nested too deeply"));
            buf_done(&hex);
        }
}
END_TEST

/* A body of `count` elements of one byte each, which are structs of 400 bytes here. */
static br_status empty_rows(uint32_t claimed, uint32_t count, struct fail *fail, size_t *ret_used,
                            size_t *ret_size)
{
    struct buf buf = { 0 };
    uint8_t number[4];
    thrift_store32(number, claimed);
    buf_put(&buf, "\x0c\0\0\x0f\0\2\x0c", 7);
    buf_put(&buf, number, 4);
    for (uint32_t i = 0; i < count + 2; i++)
        buf_char(&buf, '\0');
    br_status status =
        codec_try(&wire_configuration_query_by_node_response, buf_bytes(&buf), fail, ret_used);
    *ret_size = buf.size;
    buf_done(&buf);
    return status;
}

START_TEST(expansion_max)
{
    struct fail fail = { 0 };
    size_t used, size;
    ck_assert_msg(empty_rows(50, 50, &fail, &used, &size) == BR_OK, "%s", fail.text);
    ck_assert_int_eq(empty_rows(100000, 100000, &fail, &used, &size), BR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fail.text, "16 bytes of memory per byte"));
    ck_assert_uint_le(used, 65536 + CODEC_EXPANSION_MAX * size);
    ck_assert_uint_gt(used, CODEC_EXPANSION_MAX * size / 4); /* it came as far as it may */
}
END_TEST

/* A count alone gets next to nothing. */
START_TEST(no_memory_for_counts)
{
    static const uint32_t counts[] = { 1001, 100000, INT32_MAX, UINT32_MAX };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct fail fail = { 0 };
        size_t used, size;
        ck_assert_int_eq(empty_rows(counts[i], 0, &fail, &used, &size), BR_CORRUPT);
        ck_assert_uint_eq(used, 0);
        /* Enough bytes for as many rows as claimed, but not for likely ones: room is made for the
         * latter, and more as they come. */
        ck_assert_int_eq(empty_rows(1000, 1000, &fail, &used, &size), BR_CORRUPT);
        ck_assert_uint_le(used, 65536 + CODEC_EXPANSION_MAX * size);
    }
}
END_TEST

/* As many bytes as any text may have. */
START_TEST(long_text)
{
    struct buf buf = { 0 };
    struct fail fail = { 0 };
    size_t used;
    uint32_t size = 8u << 20;
    uint8_t number[4];
    thrift_store32(number, size);
    buf_put(&buf, "\x0c\0\0\x0b\0\1", 6);
    buf_put(&buf, number, 4);
    buf_reserve(&buf, size);
    memset(buf.data + buf.size, 'x', size);
    buf.size += size;
    buf_put(&buf, "\0\0", 2);
    ck_assert_int_eq(codec_try(&wire_rename_app_request, buf_bytes(&buf), &fail, &used), BR_OK);
    ck_assert_uint_ge(used, size);
    ck_assert_uint_le(used, size + 64);
    buf_done(&buf);
}
END_TEST

TCase *codec_hostile(void)
{
    TCase *hostile = tcase_create("hostile");
    tcase_set_timeout(hostile, 120);
    tcase_add_test(hostile, cut_everywhere);
    tcase_add_test(hostile, flipped_everywhere);
    tcase_add_test(hostile, wrong_types);
    tcase_add_test(hostile, lies);
    tcase_add_test(hostile, depth_max);
    tcase_add_test(hostile, expansion_max);
    tcase_add_test(hostile, no_memory_for_counts);
    tcase_add_test(hostile, long_text);
    return hostile;
}
