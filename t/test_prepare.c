/* test_prepare -- RPC_PREPARE, byte for byte: the vector, and every prepare captured from real
 * servers where they are at hand; and what makes no sense.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/message_replica.h"
#include "t/test.h"
#include "t/wire.h"

/* Read, written again, compared. */
static void again(const char *what, br_bytes bytes)
{
    struct frame frame;
    struct fail fail;
    struct prepare prepare;
    struct arena arena;
    size_t need;
    struct buf body = { 0 };
    arena_init(&arena, 0);
    ck_assert_int_eq(frame_parse(bytes, 0, FRAME_BODY_MAX, &frame, &need, &fail), BR_OK);
    ck_assert_str_eq(frame.header.rpc_name, "RPC_PREPARE");
    ck_assert_msg(prepare_decode(frame.body, wire_arena(&arena), &prepare, &fail) == BR_OK,
                  "%s: %s", what, fail.text);
    struct mutation_update update;
    struct mutation_walk walk;
    uint32_t updates = 0;
    mutation_walk_begin(prepare.updates, &walk);
    for (; mutation_walk_next(&walk, &update); updates++)
        ck_assert_mem_eq(update.code, "RPC_R", 5);
    ck_assert_uint_gt(updates, 0);
    prepare_encode(&prepare, WIRE_PEER_26, &body);
    ck_assert_uint_eq(body.size, frame.body.size);
    ck_assert_mem_eq(body.data, frame.body.data, body.size);
    buf_done(&body);
    arena_done(&arena);
}

START_TEST(vector)
{
    again("rdsn_prepare_req", wire_vector_bytes("rdsn_prepare_req"));
}
END_TEST

START_TEST(captured)
{
    const char *root = test_reference("golden");
    if (!root)
        return;
    struct buf pattern = { 0 };
    glob_t files;
    buf_printf(&pattern, "%s/*/msgs/*_RPC_PREPARE.req.bin", root);
    ck_assert_int_eq(glob(pattern.data, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct buf bytes = { 0 };
        ck_assert(test_read(files.gl_pathv[i], &bytes));
        again(files.gl_pathv[i], buf_bytes(&bytes));
        buf_done(&bytes);
    }
    printf("%zu captured prepares: same bytes\n", files.gl_pathc);
    ck_assert_uint_ge(files.gl_pathc, 100);
    globfree(&files);
    buf_done(&pattern);
}
END_TEST

static br_status try_body(br_bytes body)
{
    struct prepare prepare;
    struct arena arena;
    struct fail fail = { .text = "" };
    arena_init(&arena, 0);
    char *copy = malloc(body.size ? body.size : 1); /* so that a sanitizer sees the end */
    memcpy(copy, body.data, body.size);
    br_status status =
        prepare_decode((br_bytes){ copy, body.size }, wire_arena(&arena), &prepare, &fail);
    if (status)
        ck_assert_uint_gt(strlen(fail.text), 0);
    free(copy);
    arena_done(&arena);
    return status;
}

/* Cut short, with something behind it, with every byte turned: an error or a prepare, never more.
 */
START_TEST(hostile)
{
    br_bytes bytes = wire_vector_bytes("rdsn_prepare_req");
    struct frame frame;
    struct fail fail;
    size_t need;
    struct buf body = { 0 };
    ck_assert_int_eq(frame_parse(bytes, 0, FRAME_BODY_MAX, &frame, &need, &fail), BR_OK);
    for (size_t size = 0; size < frame.body.size; size++)
        ck_assert_int_eq(try_body((br_bytes){ frame.body.data, size }), BR_CORRUPT);
    buf_put(&body, frame.body.data, frame.body.size);
    buf_char(&body, 'x');
    ck_assert_int_eq(try_body(buf_bytes(&body)), BR_CORRUPT);
    for (size_t at = 0; at < frame.body.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            body.data[at] = (char) (body.data[at] ^ 1 << bit);
            try_body((br_bytes){ body.data, frame.body.size });
            body.data[at] = (char) (body.data[at] ^ 1 << bit);
        }
    }
    buf_done(&body);
}
END_TEST

/* Several updates in one mutation: names first, then the data of all. */
START_TEST(several_updates)
{
    struct buf updates = { 0 }, whole = { 0 };
    struct mutation_header header = { .pid = { 3, 4 }, .ballot = 5, .decree = 6, .log_offset = -1 };
    struct mutation_header got;
    br_bytes rest;
    size_t size;
    struct mutation_walk walk;
    struct fail fail;
    struct mutation_update update;
    mutation_put_count(&updates, 3);
    mutation_put_update(&updates, "RPC_A", 1, 2);
    mutation_put_update(&updates, "RPC_BB", 1, 0);
    mutation_put_update(&updates, "RPC_C", 0, 3);
    buf_text(&updates, "aaccc");
    mutation_encode(&header, buf_bytes(&updates), &whole);
    buf_text(&whole, "behind");
    ck_assert_int_eq(mutation_decode(buf_bytes(&whole), &got, &rest, &size, &fail), BR_OK);
    ck_assert_uint_eq(size, whole.size - 6);
    ck_assert_int_eq(got.pid.app_id, 3);
    ck_assert_int_eq(got.pid.partition, 4);
    ck_assert_int_eq(got.decree, 6);
    mutation_walk_begin(rest, &walk);
    ck_assert(mutation_walk_next(&walk, &update));
    ck_assert_mem_eq(update.data.data, "aa", 2);
    ck_assert(mutation_walk_next(&walk, &update));
    ck_assert_uint_eq(update.data.size, 0);
    ck_assert(mutation_walk_next(&walk, &update));
    ck_assert_mem_eq(update.data.data, "ccc", 3);
    ck_assert(!mutation_walk_next(&walk, &update));
    buf_done(&updates);
    buf_done(&whole);
}
END_TEST

static TCase *prepares(void)
{
    TCase *tcase = tcase_create("prepare");
    tcase_add_test(tcase, vector);
    tcase_add_test(tcase, captured);
    tcase_add_test(tcase, hostile);
    tcase_add_test(tcase, several_updates);
    return tcase;
}

int main(void)
{
    return test_run("prepare", prepares(), NULL);
}
