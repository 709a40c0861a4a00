/* test_wire -- byte for byte what real Pegasus code wrote: the vectors of t/vectors and, where they
 * are at hand, messages captured from real servers.  Each is read, written again and compared.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/test.h"
#include "t/wire.h"

#define KINDS_MAX 128

static void same_bytes(const char *what, br_bytes got, br_bytes want)
{
    size_t size = got.size < want.size ? got.size : want.size;
    size_t at = 0;
    while (at < size && ((const char *) got.data)[at] == ((const char *) want.data)[at])
        at++;
    ck_assert_msg(at == size && got.size == want.size,
                  "%s: differs from byte %zu on (%zu bytes, should be %zu)", what, at, got.size,
                  want.size);
}

static struct frame parse(const char *what, br_bytes bytes, bool thft_reply)
{
    struct frame frame;
    struct fail fail = { 0 };
    size_t need = 0;
    br_status status = thft_reply
                           ? frame_parse_thft_reply(bytes, FRAME_BODY_MAX, &frame, &need, &fail)
                           : frame_parse(bytes, 0, FRAME_BODY_MAX, &frame, &need, &fail);
    ck_assert_msg(status == BR_OK, "%s: status %d: %s", what, status, fail.text);
    ck_assert_uint_eq(frame.size, bytes.size);
    return frame;
}

/* -- vectors ---------------------------------------------------------------------------------- */

START_TEST(vectors_rdsn)
{
    size_t count, seen = 0, json = 0, opaque = 0;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++) {
        const struct vector *vector = &vectors[i];
        if (strcmp(vector->framing, "RDSN") != 0)
            continue;
        struct frame frame = parse(vector->name, buf_bytes(&vector->bytes), false);
        struct buf body = { 0 }, whole = { 0 };
        struct fail fail = { 0 };
        enum wire_again again = wire_again(&frame, &body, &fail);
        if ((frame.header.context & 0x3C0) != RDSN_FORMAT_THRIFT_BINARY) {
            ck_assert_int_eq(again, AGAIN_CORRUPT);
            json++;
        } else if (again == AGAIN_OPAQUE) {
            ck_assert_str_eq(vector->name, "rdsn_prepare_req");
            opaque++;
        } else {
            ck_assert_msg(again == AGAIN_OK, "%s: %d: %s", vector->name, again, fail.text);
            frame_put(&whole, &frame.header, buf_bytes(&body), vector->crc);
            same_bytes(vector->name, buf_bytes(&whole), buf_bytes(&vector->bytes));
            seen++;
        }
        buf_done(&body);
        buf_done(&whole);
    }
    ck_assert_uint_eq(seen, 60);
    ck_assert_uint_eq(json, 2);
    ck_assert_uint_eq(opaque, 1);
}
END_TEST

START_TEST(vectors_thft_requests)
{
    size_t count, seen = 0;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++) {
        const struct vector *vector = &vectors[i];
        if (strncmp(vector->framing, "THFT request", 12) != 0)
            continue;
        struct frame frame = parse(vector->name, buf_bytes(&vector->bytes), false);
        ck_assert_int_eq(frame.framing, FRAMING_THFT);
        ck_assert_int_eq(frame.thft_version, vector->framing[14] - '0');
        struct buf body = { 0 }, whole = { 0 };
        struct fail fail = { 0 };
        enum wire_again again = wire_again(&frame, &body, &fail);
        ck_assert_msg(again == AGAIN_OK, "%s: %s", vector->name, fail.text);
        frame_put_thft_request(&whole, &frame.header, frame.thft_version, buf_bytes(&body));
        bool old = strstr(vector->name, "nonstrict") != NULL; /* we write the new form only */
        same_bytes(vector->name, buf_bytes(&whole),
                   old ? wire_vector_bytes("thft_v0_query_cfg_req_go") : buf_bytes(&vector->bytes));
        buf_done(&body);
        buf_done(&whole);
        seen++;
    }
    ck_assert_uint_eq(seen, 7);
}
END_TEST

START_TEST(vectors_thft_replies)
{
    size_t count, seen = 0;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++) {
        const struct vector *vector = &vectors[i];
        if (strcmp(vector->framing, "THFT response") != 0)
            continue;
        struct frame frame = parse(vector->name, buf_bytes(&vector->bytes), true);
        struct buf body = { 0 }, whole = { 0 };
        struct fail fail = { 0 };
        enum wire_again again = wire_again(&frame, &body, &fail);
        ck_assert_msg(again == AGAIN_OK, "%s: %s", vector->name, fail.text);
        struct rdsn_header request = frame.header;
        request.rpc_name[strlen(request.rpc_name) - 4] = '\0';
        frame_put_thft_reply(&whole, &request, frame.header.error_name, buf_bytes(&body));
        same_bytes(vector->name, buf_bytes(&whole), buf_bytes(&vector->bytes));
        buf_done(&body);
        buf_done(&whole);
        seen++;
    }
    ck_assert_uint_eq(seen, 9);
}
END_TEST

/* A native reply has its request's header but for a few fields. */
START_TEST(vectors_make_reply)
{
    static const char *const pairs[][2] = {
        { "rdsn_query_app_info_req", "rdsn_query_app_info_resp" },
        { "rdsn_list_nodes_req", "rdsn_list_nodes_resp" },
        { "rdsn_start_recovery_req", "rdsn_start_recovery_resp" },
        { "rdsn_query_cfg_req", "rdsn_handler_not_found_resp" },
        { "rdsn_fd_ping_req_crc", "rdsn_fd_ping_ack_crc" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct frame request = parse(pairs[i][0], wire_vector_bytes(pairs[i][0]), false);
        br_bytes want = wire_vector_bytes(pairs[i][1]);
        struct frame reply = parse(pairs[i][1], want, false);
        struct rdsn_header header = request.header;
        frame_make_reply(&header, reply.header.error_name, reply.header.from_address);
        header.code = reply.header.code; /* numbers local to the process that made the vector */
        header.error_code = reply.header.error_code;
        struct buf whole = { 0 };
        frame_put(&whole, &header, reply.body, wire_vector(pairs[i][1])->crc);
        same_bytes(pairs[i][1], buf_bytes(&whole), want);
        buf_done(&whole);
    }
}
END_TEST

/* What a peer of 2.5 gets is what 2.5 writes: the vectors of both are there. */
START_TEST(vectors_for_older_peers)
{
    static const char *const names[] = {
        "rdsn_query_cfg_resp",     "rdsn_list_nodes_resp",    "rdsn_fd_ping_ack",
        "rdsn_fd_ping_req",        "rdsn_update_config_req",  "rdsn_update_config_resp",
        "rdsn_query_app_info_req", "rdsn_start_recovery_req", "rdsn_query_replica_info_req",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf name = { 0 }, body = { 0 };
        buf_printf(&name, "%s_hp", names[i]);
        struct frame newer = parse(name.data, wire_vector_bytes(name.data), false);
        struct frame older = parse(names[i], wire_vector_bytes(names[i]), false);
        const char *rpc_name = newer.header.rpc_name;
        char plain[RDSN_NAME_SIZE] = { 0 };
        bool reply = !(newer.header.context & RDSN_REQUEST);
        memcpy(plain, rpc_name, strlen(rpc_name) - (reply ? 4 : 0));
        const struct rpc *rpc = rpc_find(plain);
        const struct wire_schema *schema = reply ? rpc->response : rpc->request;
        struct arena arena;
        arena_init(&arena, 0);
        void *message = arena_alloc(&arena, schema->size);
        ck_assert_int_eq(wire_decode(schema, newer.body, wire_arena(&arena), message, NULL), BR_OK);
        wire_encode(schema, message, WIRE_PEER_25, &body);
        if (!strstr(names[i], "update_config_req")) /* whose app_info is of 2.6 in both */
            same_bytes(names[i], buf_bytes(&body), older.body);
        else
            ck_assert_uint_eq(body.size + 4, older.body.size); /* without atomic_idempotent */
        arena_done(&arena);
        buf_done(&name);
        buf_done(&body);
    }
}
END_TEST

/* -- captures --------------------------------------------------------------------------------- */

struct kind {
    char name[64];
    size_t same, opaque;
};

static struct kind kinds[KINDS_MAX];
static size_t kind_count;

static struct kind *kind_of(const char *rpc_name)
{
    for (size_t i = 0; i < kind_count; i++)
        if (strcmp(kinds[i].name, rpc_name) == 0)
            return &kinds[i];
    ck_assert_uint_lt(kind_count, KINDS_MAX);
    strncpy(kinds[kind_count].name, rpc_name, sizeof kinds[0].name - 1);
    return &kinds[kind_count++];
}

static void capture(const char *path)
{
    struct buf file = { 0 }, body = { 0 }, whole = { 0 };
    struct fail fail = { 0 };
    ck_assert_msg(test_read(path, &file), "cannot read %s", path);
    struct frame frame = parse(path, buf_bytes(&file), false);
    struct kind *kind = kind_of(frame.header.rpc_name);
    enum wire_again again = wire_again(&frame, &body, &fail);
    if (again == AGAIN_OPAQUE) {
        kind->opaque++;
    } else {
        ck_assert_msg(again == AGAIN_OK, "%s: %d: %s", path, again, fail.text);
        frame_put(&whole, &frame.header, buf_bytes(&body), false);
        same_bytes(path, buf_bytes(&whole), buf_bytes(&file));
        kind->same++;
    }
    buf_done(&file);
    buf_done(&body);
    buf_done(&whole);
}

static size_t captures(const char *pattern)
{
    const char *golden = test_reference("golden");
    struct buf full = { 0 };
    glob_t found;
    buf_printf(&full, "%s/%s", golden, pattern);
    ck_assert_int_eq(glob(full.data, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        capture(found.gl_pathv[i]);
    size_t count = found.gl_pathc;
    globfree(&found);
    buf_done(&full);
    return count;
}

START_TEST(captured_messages)
{
    if (!test_reference("golden"))
        return;
    size_t count = captures("rpc/*/*.bin") + captures("*/msgs/*.bin");
    size_t opaque = 0, same = 0;
    for (size_t i = 0; i < kind_count; i++) {
        printf("%6zu same %6zu not decoded  %s\n", kinds[i].same, kinds[i].opaque, kinds[i].name);
        same += kinds[i].same;
        opaque += kinds[i].opaque;
        ck_assert(kinds[i].opaque == 0 || strcmp(kinds[i].name, "RPC_PREPARE") == 0);
    }
    printf("%6zu same %6zu not decoded  of %zu messages of %zu kinds\n", same, opaque, count,
           kind_count);
    ck_assert_uint_eq(same + opaque, count);
    ck_assert_uint_ge(same, 3700);
    ck_assert_uint_ge(kind_count, 43); /* 22 RPCs, of which one has no reply */
}
END_TEST

int main(void)
{
    TCase *vectors = tcase_create("vectors");
    tcase_add_test(vectors, vectors_rdsn);
    tcase_add_test(vectors, vectors_thft_requests);
    tcase_add_test(vectors, vectors_thft_replies);
    tcase_add_test(vectors, vectors_make_reply);
    tcase_add_test(vectors, vectors_for_older_peers);
    TCase *captured = tcase_create("captures");
    tcase_set_timeout(captured, 120);
    tcase_add_test(captured, captured_messages);
    return test_run("wire", vectors, captured, NULL);
}
