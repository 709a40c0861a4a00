/* test_codec -- host/rdsn's tables, encoder and decoder: what is written and read when all is well.
 */
#include "t/test_codec.h"

#include <stdlib.h>
#include <string.h>

#include "host/rdsn/thrift.h"
#include "t/test.h"

#define ALL(name) &wire_##name,
const struct wire_schema *const codec_schemas[] = { WIRE_SCHEMAS(ALL) WIRE_DATA_SCHEMAS(ALL) };
const size_t codec_schema_count = sizeof codec_schemas / sizeof *codec_schemas;

br_status codec_try(const struct wire_schema *schema, br_bytes body, struct fail *ret_fail,
                    size_t *ret_used)
{
    struct arena arena;
    arena_init(&arena, 0);
    char *copy = malloc(body.size ? body.size : 1);
    ck_assert_ptr_nonnull(copy);
    if (body.size)
        memcpy(copy, body.data, body.size);
    void *message = arena_alloc(&arena, schema->size);
    size_t before = arena.used;
    br_status status =
        wire_decode(schema, (br_bytes){ copy, body.size }, wire_arena(&arena), message, ret_fail);
    if (ret_used)
        *ret_used = arena.used - before;
    if (status != BR_OK)
        ck_assert_msg(status == BR_CORRUPT && ret_fail->status == status && ret_fail->text[0],
                      "status %d: %s", status, ret_fail->text);
    free(copy);
    arena_done(&arena);
    return status;
}

br_status codec_try_hex(const struct wire_schema *schema, const char *hex, struct fail *ret_fail)
{
    struct buf buf = { 0 };
    test_unhex(hex, strlen(hex), &buf);
    br_status status = codec_try(schema, buf_bytes(&buf), ret_fail, NULL);
    buf_done(&buf);
    return status;
}

/* -- tables ----------------------------------------------------------------------------------- */

static void check_field(const struct wire_schema *schema, const struct wire_field *field)
{
    const char *name = field->name;
    ck_assert_msg(field->id > 0 && field->id < 32, "%s.%s", schema->name, name);
    ck_assert_msg(field->kind >= WIRE_BOOL && field->kind <= WIRE_MAP, "%s.%s", schema->name, name);
    size_t size = field->kind == WIRE_STRUCT ? field->schema->size : thrift_kinds[field->kind].size;
    ck_assert_msg(field->offset >= 4 && field->offset + size <= schema->size, "%s.%s", schema->name,
                  name);
    bool hp = strncmp(name, "hp_", 3) == 0;
    ck_assert_msg(!hp || field->flags & WIRE_HP, "%s.%s", schema->name, name);
    if (field->flags & WIRE_HP)
        ck_assert_msg(field->flags & (WIRE_OPTIONAL | WIRE_DEFAULTED), "%s.%s", schema->name, name);
    if (field->kind == WIRE_STRUCT || field->element == WIRE_STRUCT)
        ck_assert_ptr_nonnull(field->schema);
}

START_TEST(tables)
{
    ck_assert_uint_eq(codec_schema_count, 86);
    for (size_t i = 0; i < codec_schema_count; i++) {
        const struct wire_schema *schema = codec_schemas[i];
        ck_assert(schema->has_present && schema->fields && schema->size >= 4);
        for (uint16_t f = 0; f < schema->count; f++) {
            check_field(schema, &schema->fields[f]);
            ck_assert_msg(f == 0 || schema->fields[f - 1].id < schema->fields[f].id, "%s.%s",
                          schema->name, schema->fields[f].name);
        }
    }
}
END_TEST

START_TEST(rpcs)
{
    size_t count = 0;
    for (const struct rpc *rpc = rpc_table; rpc->name; rpc++, count++) {
        ck_assert_ptr_eq(rpc_find(rpc->name), rpc);
        ck_assert_uint_lt(strlen(rpc->name) + 4, RDSN_NAME_SIZE);
        if (rpc->one_way)
            ck_assert(!rpc->response && !rpc->response_kind);
        else
            ck_assert_msg(rpc->response || rpc->response_kind, "%s", rpc->name);
    }
    ck_assert_uint_eq(count, 41);
    ck_assert_ptr_null(rpc_find("RPC_CM_LIST_APPS_ACK"));
    ck_assert_ptr_null(rpc_find(""));
    ck_assert(rpc_find("RPC_CONFIG_PROPOSAL")->one_way);
}
END_TEST

/* -- encoding --------------------------------------------------------------------------------- */

static void same_hex(const struct buf *buf, const char *hex)
{
    struct buf want = { 0 };
    test_unhex(hex, strlen(hex), &want);
    ck_assert_uint_eq(buf->size, want.size);
    ck_assert_mem_eq(buf->data, want.data, want.size);
    ck_assert_int_eq(buf->data[buf->size], '\0');
    buf_done(&want);
}

START_TEST(defaults)
{
    struct msg_configuration_update_request request;
    wire_init(&wire_configuration_update_request, &request);
    ck_assert_uint_eq(request.present, 0);
    ck_assert_uint_eq(request.info.present, WIRE_BIT(12) | WIRE_BIT(14) | WIRE_BIT(15));
    ck_assert_uint_eq(request.config.present, 0);
    struct msg_group_check_request check;
    wire_init(&wire_group_check_request, &check);
    ck_assert_uint_eq(check.config.present, WIRE_BIT(6) | WIRE_BIT(7));
}
END_TEST

/* What was never set is written as Pegasus writes it. */
START_TEST(unset)
{
    struct msg_configuration_recovery_response response;
    struct buf buf = { 0 };
    wire_init(&wire_configuration_recovery_response, &response);
    wire_encode(&wire_configuration_recovery_response, &response, WIRE_PEER_26, &buf);
    same_hex(&buf, "0c0000 0c0001 00000006 4552525f4f4b 0b0002 00000000 00 00");
    buf_clear(&buf);
    struct msg_configuration_recovery_request request;
    wire_init(&wire_configuration_recovery_request, &request);
    WIRE_SET(&request, 4);
    wire_encode(&wire_configuration_recovery_request, &request, WIRE_PEER_26, &buf);
    same_hex(&buf, "0c0000 0f0001 0c00000000 02000200 02000300 0f0004 0c00000000 00 00");
    buf_clear(&buf);
    wire_encode(&wire_configuration_recovery_request, &request, WIRE_PEER_25, &buf);
    same_hex(&buf, "0c0000 0f0001 0c00000000 02000200 02000300 00 00");
    buf_clear(&buf);
    struct msg_empty_request empty = { 0 };
    wire_encode(&wire_empty_request, &empty, WIRE_PEER_26, &buf);
    same_hex(&buf, "0c0000 00 00");
    buf_done(&buf);
}
END_TEST

START_TEST(values)
{
    struct buf buf = { 0 };
    struct arena arena;
    arena_init(&arena, 0);
    const char *text = "ok", *back = NULL;
    wire_encode_value(WIRE_STRING, &text, &buf);
    same_hex(&buf, "0b0000 00000002 6f6b 00");
    ck_assert_int_eq(
        wire_decode_value(WIRE_STRING, buf_bytes(&buf), wire_arena(&arena), &back, NULL), BR_OK);
    ck_assert_str_eq(back, "ok");
    struct fail fail = { 0 };
    uint64_t address = UINT64_C(0x0a00000287290001), other = 0;
    ck_assert_int_eq(
        wire_decode_value(WIRE_ADDRESS, buf_bytes(&buf), wire_arena(&arena), &other, &fail),
        BR_CORRUPT);
    buf_clear(&buf);
    wire_encode_value(WIRE_ADDRESS, &address, &buf);
    same_hex(&buf, "0c0000 0a00000287290001 00");
    ck_assert_int_eq(
        wire_decode_value(WIRE_ADDRESS, buf_bytes(&buf), wire_arena(&arena), &other, NULL), BR_OK);
    ck_assert(other == address);
    struct gpid gpid = { 2, 1 }, pid = { 0 };
    buf_clear(&buf);
    wire_encode_value(WIRE_GPID, &gpid, &buf);
    same_hex(&buf, "0c0000 0000000100000002 00");
    ck_assert_int_eq(wire_decode_value(WIRE_GPID, buf_bytes(&buf), wire_arena(&arena), &pid, NULL),
                     BR_OK);
    ck_assert(pid.app_id == 2 && pid.partition == 1);
    buf_done(&buf);
    arena_done(&arena);
}
END_TEST

/* Texts of all lengths around those that are copied without a call, and long ones, in rows whose
 * other texts repeat. */
START_TEST(texts)
{
    enum { ROWS = 100 };
    char names[ROWS][128];
    struct msg_app_info rows[ROWS];
    struct msg_list_apps_response list = { .infos = { rows, ROWS } }, back;
    for (int i = 0; i < ROWS; i++) {
        wire_init(&wire_app_info, &rows[i]);
        memset(names[i], 'a' + i % 2, sizeof names[i]);
        names[i][i] = '\0';
        rows[i].app_name = names[i];
        rows[i].app_type = i % 3 ? "pegasus" : NULL;
        rows[i].app_id = i;
    }
    struct buf buf = { 0 };
    struct arena arena;
    arena_init(&arena, 0);
    wire_encode(&wire_list_apps_response, &list, WIRE_PEER_26, &buf);
    ck_assert_int_eq(
        wire_decode(&wire_list_apps_response, buf_bytes(&buf), wire_arena(&arena), &back, NULL),
        BR_OK);
    ck_assert_uint_eq(back.infos.count, ROWS);
    const struct msg_app_info *got = back.infos.items;
    for (int i = 0; i < ROWS; i++) {
        ck_assert_str_eq(got[i].app_name, names[i]);
        ck_assert_str_eq(got[i].app_type, i % 3 ? "pegasus" : "");
        ck_assert_int_eq(got[i].app_id, i);
    }
    ck_assert_ptr_eq(got[1].app_type, got[ROWS - 2].app_type); /* held once */
    buf_done(&buf);
    arena_done(&arena);
}
END_TEST

/* -- decoding --------------------------------------------------------------------------------- */

/* What is not there is "", 0 or the default, and never NULL; nothing is marked present. */
START_TEST(absent)
{
    for (size_t i = 0; i < codec_schema_count; i++) {
        const struct wire_schema *schema = codec_schemas[i];
        union {
            max_align_t align;
            uint32_t present;
            char bytes[2048];
        } message;
        struct arena arena;
        arena_init(&arena, 0);
        memset(&message, 0xFF, sizeof message);
        ck_assert_int_eq(wire_decode(schema, (br_bytes){ "\x0c\0\0\0\0", 5 }, wire_arena(&arena),
                                     &message, NULL),
                         BR_OK);
        ck_assert_uint_eq(message.present, 0);
        for (uint16_t f = 0; f < schema->count; f++) {
            const struct wire_field *field = &schema->fields[f];
            if (field->kind == WIRE_STRING || field->kind == WIRE_ERROR)
                ck_assert_str_eq(*(char **) (void *) (message.bytes + field->offset), "");
        }
        arena_done(&arena);
    }
}
END_TEST

/* The rows of somebody else's struct, which has fields that the table does not, and the other way
 * round. */
START_TEST(foreign_rows)
{
    struct answer {
        uint32_t present;
        const char *err; /* a raw type: it cannot be skipped, a table must have it */
        struct wire_list rows;
    } answer;
    static const struct wire_field row_fields[] = {
        { .id = 1, .kind = WIRE_GPID, .offset = offsetof(struct br_replica, table), .name = "1" },
        { .id = 2, .kind = WIRE_I64, .offset = offsetof(struct br_replica, ballot), .name = "2" },
        { .id = 8, .kind = WIRE_STRING, .offset = offsetof(struct br_replica, disk), .name = "8" },
    };
    static const struct wire_schema row = {
        .name = "row", .fields = row_fields, .count = 3, .size = sizeof(struct br_replica)
    };
    static const struct wire_field fields[] = {
        { .name = "err", .id = 1, .kind = WIRE_ERROR, .offset = offsetof(struct answer, err) },
        { .name = "rows",
          .id = 2,
          .kind = WIRE_LIST,
          .element = WIRE_STRUCT,
          .schema = &row,
          .offset = offsetof(struct answer, rows) },
    };
    const struct wire_schema schema = {
        .name = "answer", .fields = fields, .count = 2, .size = sizeof answer, .has_present = true
    };
    struct msg_replica_info infos[50];
    struct msg_query_replica_info_response response = { .replicas = { infos, 50 } };
    for (int i = 0; i < 50; i++)
        infos[i] = (struct msg_replica_info){ .pid = { i, i + 1 },
                                              .ballot = i,
                                              .status = 3,
                                              .app_type = "pegasus",
                                              .disk_tag = i % 2 ? "ssd1" : "a disk of a long name",
                                              .present = i % 3 ? WIRE_BIT(9) : 0 };
    struct buf buf = { 0 }, again = { 0 };
    struct arena arena;
    struct fail fail = { 0 };
    arena_init(&arena, 0);
    wire_encode(&wire_query_replica_info_response, &response, WIRE_PEER_26, &buf);
    ck_assert_msg(wire_decode(&schema, buf_bytes(&buf), wire_arena(&arena), &answer, &fail)
                      == BR_OK,
                  "%s", fail.text);
    ck_assert_uint_eq(answer.present, WIRE_BIT(1) | WIRE_BIT(2));
    ck_assert_uint_eq(answer.rows.count, 50);
    const struct br_replica *rows = answer.rows.items;
    for (int i = 0; i < 50; i++) {
        ck_assert(rows[i].table == i && rows[i].partition == i + 1 && rows[i].ballot == i);
        ck_assert(rows[i].node == 0 && rows[i].role == 0 && rows[i].type == NULL);
        ck_assert_str_eq(rows[i].disk, i % 2 ? "ssd1" : "a disk of a long name");
    }
    wire_encode(&schema, &answer, WIRE_PEER_26, &again); /* rows without bits are written whole */
    ck_assert_int_eq(wire_decode(&schema, buf_bytes(&again), wire_arena(&arena), &answer, NULL),
                     BR_OK);
    ck_assert_int_eq(((struct br_replica *) answer.rows.items)[49].partition, 50);
    buf_done(&buf);
    buf_done(&again);
    arena_done(&arena);
}
END_TEST

/* Fields in any order, twice, with unknown ones of every type between them. */
START_TEST(any_order)
{
    static const char *const bodies[] = {
        "0c0000 080001 00000005 0b0002 00000001 61 00 00",
        "0c0000 0b0002 00000001 61 080001 00000005 00 00",
        "0c0000 080001 00000009 0b0002 00000001 62 0b0002 00000001 61 080001 00000005 00 00",
        "0c0001 020063 01 080001 00000005 030064 01 0b0002 00000001 61 00 00",
        "0c7fff 04000a 0000000000000000 080001 00000005 06000b 0000 08000c 00000000"
        "0b0002 00000001 61 0a000d 0000000000000000 00 00",
        "0c0000 080001 00000005 0b000e 00000003 000000 0b0002 00000001 61"
        "0c000f 080001 00000007 0c0001 00 00 00 00",
        "0c0000 0f0010 08 00000002 00000000 00000000 0f0010 0b 00000002 00000000 00000001 7a"
        "0f0010 0c 00000002 00 00 080001 00000005 0b0002 00000001 61 00 00",
        "0c0000 0e0010 0f 00000001 0b 00000001 00000000 080001 00000005 0b0002 00000001 61 00 00",
        "0c0000 0d0011 0b 0c 00000002 00000001 6b 00 00000000 080001 00000001 00"
        "0d0011 08 0a 00000000 080001 00000005 0b0002 00000001 61 00 00",
        "0c0000 080000 00000000 08ffff 00000000 080020 00000000 080001 00000005"
        "0b0002 00000001 61 00 00",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct msg_recall_app_request request;
        struct buf buf = { 0 };
        struct arena arena;
        struct fail fail = { 0 };
        arena_init(&arena, 0);
        test_unhex(bodies[i], strlen(bodies[i]), &buf);
        br_status status = wire_decode(&wire_recall_app_request, buf_bytes(&buf),
                                       wire_arena(&arena), &request, &fail);
        ck_assert_msg(status == BR_OK, "%zu: %s", i, fail.text);
        ck_assert_int_eq(request.app_id, 5);
        ck_assert_str_eq(request.new_app_name, "a");
        ck_assert_uint_eq(request.present, WIRE_BIT(1) | WIRE_BIT(2));
        buf_done(&buf);
        arena_done(&arena);
    }
}
END_TEST

/* As many different structs, one in the other, as a message may have; both limits at once. */
START_TEST(schemas_max)
{
    struct wire_schema chain[CODEC_SCHEMAS_MAX];
    struct wire_field fields[CODEC_SCHEMAS_MAX];
    ck_assert_int_eq(CODEC_SCHEMAS_MAX, CODEC_DEPTH_MAX);
    for (int i = 0; i < CODEC_SCHEMAS_MAX; i++) {
        bool last = i == CODEC_SCHEMAS_MAX - 1;
        fields[i] = (struct wire_field){ .name = "inner",
                                         .id = (int16_t) (i + 1),
                                         .kind = last ? WIRE_I32 : WIRE_STRUCT,
                                         .schema = last ? NULL : &chain[i + 1] };
        chain[i] = (struct wire_schema){
            .name = "link", .fields = &fields[i], .count = 1, .size = sizeof(int32_t)
        };
    }
    int32_t number = 77, back = 0;
    struct buf buf = { 0 };
    wire_encode(&chain[0], &number, WIRE_PEER_26, &buf);
    ck_assert_int_eq(
        wire_decode(&chain[0], buf_bytes(&buf), (struct wire_memory){ 0 }, &back, NULL), BR_OK);
    ck_assert_int_eq(back, 77);
    buf_done(&buf);
}
END_TEST

int main(void)
{
    TCase *table = tcase_create("tables");
    tcase_add_test(table, tables);
    tcase_add_test(table, rpcs);
    TCase *well = tcase_create("well");
    tcase_add_test(well, defaults);
    tcase_add_test(well, unset);
    tcase_add_test(well, values);
    tcase_add_test(well, texts);
    tcase_add_test(well, absent);
    tcase_add_test(well, foreign_rows);
    tcase_add_test(well, any_order);
    tcase_add_test(well, schemas_max);
    return test_run("codec", table, well, codec_hostile(), NULL);
}
