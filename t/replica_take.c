/* replica_take -- learning with data from a scripted primary: its memory, its log, its checkpoint;
 * and primaries that give what makes no sense.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/replica_files.h"

static void learned(int64_t decree, const char *all)
{
    STAGE_UNTIL(stage_replica()->learn.status == LEARNER_SUCCEEDED);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_LEARNER);
    ck_assert_int_eq(stage_replica()->applied, decree);
    ck_assert_int_eq(replica_committed(stage_replica()), decree);
    ck_assert_str_eq(kept_all(), all);
    STAGE_UNTIL(stage_records(&stage.peers[0], "RPC_LEARN_COMPLETION_NOTIFY") > 0);
}

/* The n-th question says how far it is. */
static void check_asked(uint32_t n, int64_t applied)
{
    struct msg_learn_request request;
    struct fail fail;
    const struct record *record = stage_record(&stage.peers[0], "RPC_LEARN", n);
    ck_assert_ptr_nonnull(record);
    ck_assert_int_eq(
        wire_decode(&wire_learn_request, record->body, wire_arena(&stage.arena), &request, &fail),
        BR_OK);
    ck_assert_int_eq(request.signature, 77);
    ck_assert_int_eq(request.last_committed_decree_in_app, applied);
}

/* -- What is given ---------------------------------------------------------------------------- */

START_TEST(out_of_memory)
{
    giver_cache(1, 3);
    giver_start();
    learned(3, "k1=v1 k2=v2 k3=v3");
    ck_assert_uint_eq(giver.size_calls, 0);
    kept_kill(); /* it is in the log */
    ck_assert_int_eq(replica_prepared(stage_replica()), 3);
}
END_TEST

START_TEST(nothing_is_missing)
{
    giver_cache(1, 0);
    giver_start();
    learned(0, "");
}
END_TEST

START_TEST(by_the_log)
{
    giver_log(1, 5);
    giver_files(LEARN_LOG, 4); /* the fifth was not committed yet */
    giver_cache(5, 5);
    giver_start();
    learned(5, "k1=v1 k2=v2 k3=v3 k4=v4 k5=v5");
    check_asked(0, 0);
    check_asked(1, 4);
    kept_kill();
    ck_assert_int_eq(replica_prepared(stage_replica()), 5);
    ck_assert_str_eq(kept_all(), "k1=v1 k2=v2 k3=v3 k4=v4");
}
END_TEST

/* It has a part of it already. */
START_TEST(by_a_part_of_the_log)
{
    kept_disk(3, 3);
    giver_log(1, 5);
    giver_files(LEARN_LOG, 5);
    giver_cache(6, 6);
    giver_start();
    learned(6, "k1=v1 k2=v2 k3=v3 k4=v4 k5=v5 k6=v6");
    check_asked(0, 3);
    check_asked(1, 5);
}
END_TEST

/* By a checkpoint, in place of what it had; then what came after it, in a log that begins there,
 * whether the server is killed or stopped. */
START_TEST(by_a_checkpoint)
{
    if (_i % 2)
        kept_disk(3, 2);
    giver_checkpoint(7);
    giver_files(LEARN_APP, 7);
    giver_cache(8, 9);
    giver_start();
    learned(9, "k1=v1 k2=v2 k3=v3 k4=v4 k5=v5 k6=v6 k7=v7 k8=v8 k9=v9");
    check_asked(0, _i % 2 ? 2 : 0);
    check_asked(1, 7);
    ck_assert_int_gt(giver.piece_calls, 3);
    ck_assert_int_eq(stage_replica()->durable, 7);
    ck_assert(!files_exists(kept_path("learn")));
    ck_assert(!files_exists(kept_path("data/rdb.old")));
    ck_assert(!journal_reaches(stage_replica()->journal, 6));
    ck_assert(journal_reaches(stage_replica()->journal, 7));
    if (_i < 2) {
        kept_kill();
    } else {
        stage_stop();
        stage_start();
    }
    ck_assert_int_eq(replica_prepared(stage_replica()), 9);
    ck_assert(!journal_reaches(stage_replica()->journal, 6));
}
END_TEST

/* A file of several pieces, and an empty one, come as they are. */
START_TEST(large_files)
{
    struct buf got = { 0 };
    const char *path = arena_text(&stage.arena, giver.directory, strlen(giver.directory));
    static const char *const names[] = { "large", "empty", "sub/small" };
    char command[1024];
    snprintf(command, sizeof command,
             "cd '%s' && head -c 5000001 /dev/zero | tr '\\0' 'x' >large && : >empty && mkdir sub "
             "&& echo small >sub/small",
             path);
    ck_assert_int_eq(system(command), 0);
    giver.files = (const char **) (uintptr_t) names;
    giver.count = 3;
    giver_files(LEARN_APP, 1);
    giver_start();
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_INACTIVE); /* it is no database */
    ck_assert_uint_eq(giver.piece_calls, 6);
    ck_assert(test_read(kept_path("learn/large"), &got));
    ck_assert_uint_eq(got.size, 5000001);
    ck_assert_uint_eq(strspn(got.data, "x"), 5000001);
    buf_clear(&got);
    ck_assert(test_read(kept_path("learn/empty"), &got));
    ck_assert_uint_eq(got.size, 0);
    ck_assert(test_read(kept_path("learn/small"), &got));
    ck_assert_str_eq(got.data, "small\n");
    buf_done(&got);
}
END_TEST

/* -- What makes no sense ---------------------------------------------------------------------- */

static void sizes_error(struct msg_nfs_size_response *response)
{
    response->error = 7;
}

static void sizes_fewer(struct msg_nfs_size_response *response)
{
    response->size_list.count--;
}

static void sizes_negative(struct msg_nfs_size_response *response)
{
    ((int64_t *) response->size_list.items)[0] = -1;
}

static void sizes_larger(struct msg_nfs_size_response *response)
{
    ((int64_t *) response->size_list.items)[0]++;
}

static void sizes_smaller(struct msg_nfs_size_response *response)
{
    for (uint32_t i = 0; i < response->size_list.count; i++)
        ((int64_t *) response->size_list.items)[i] /= 2;
}

static void piece_error(struct msg_nfs_copy_response *response)
{
    response->error = "ERR_OBJECT_NOT_FOUND";
}

static void piece_offset(struct msg_nfs_copy_response *response)
{
    response->offset++;
}

static void piece_short(struct msg_nfs_copy_response *response)
{
    response->file_content.size--;
}

static void piece_long(struct msg_nfs_copy_response *response)
{
    response->file_content = (br_bytes){ arena_zero(&stage.arena, (size_t) response->size + 1),
                                         (size_t) response->size + 1 };
}

static void piece_damaged(struct msg_nfs_copy_response *response)
{
    memset((void *) (uintptr_t) response->file_content.data, '?', response->file_content.size);
}

static const struct {
    const char *name;
    int32_t type;
    int64_t to;
    void (*sizes)(struct msg_nfs_size_response *response);
    void (*piece)(struct msg_nfs_copy_response *response);
} failures[] = {
    { "no sizes", LEARN_APP, 7, sizes_error, NULL },
    { "sizes of fewer files", LEARN_APP, 7, sizes_fewer, NULL },
    { "a size below 0", LEARN_APP, 7, sizes_negative, NULL },
    { "a file is shorter than its size", LEARN_APP, 7, sizes_larger, NULL },
    { "half of every file", LEARN_APP, 7, sizes_smaller, NULL },
    { "no piece", LEARN_APP, 7, NULL, piece_error },
    { "another piece", LEARN_APP, 7, NULL, piece_offset },
    { "a piece that is too short", LEARN_APP, 7, NULL, piece_short },
    { "a piece that is too long", LEARN_APP, 7, NULL, piece_long },
    { "a damaged checkpoint", LEARN_APP, 7, NULL, piece_damaged },
    { "a damaged log", LEARN_LOG, 5, NULL, piece_damaged },
    { "half of a log", LEARN_LOG, 5, sizes_smaller, NULL },
    { "a log that ends too early", LEARN_LOG, 6, NULL, NULL },
};

/* Learning fails, and what the learner has is as it was: also after a restart. */
START_TEST(failures_leave_the_data)
{
    kept_disk(3, 2);
    if (failures[_i].type == LEARN_APP)
        giver_checkpoint(7);
    else
        giver_log(3, 5);
    giver_files(failures[_i].type, failures[_i].to);
    giver.sizes = failures[_i].sizes;
    giver.piece = failures[_i].piece;
    giver_start();
    STAGE_UNTIL(stage_replica()->config.role != BR_ROLE_LEARNER);
    ck_assert_msg(stage_replica()->config.role == BR_ROLE_INACTIVE, "%s", failures[_i].name);
    ck_assert_int_ge(stage_replica()->applied, 2);
    ck_assert_int_eq(strncmp(kept_all(), "k1=v1 k2=v2", 11), 0);
    kept_kill();
    ck_assert_ptr_nonnull(stage_replica());
    ck_assert_int_ge(stage_replica()->applied, 2);
    ck_assert_int_eq(strncmp(kept_all(), "k1=v1 k2=v2", 11), 0);
}
END_TEST

/* A log of somebody else's, one with a hole, one that begins too late. */
START_TEST(logs_that_do_not_fit)
{
    kept_disk(3, 2);
    giver_log(_i ? 4 : 200, _i ? 5 : 201);
    giver_files(LEARN_LOG, _i ? 5 : 201);
    giver_start();
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_INACTIVE);
    ck_assert_int_eq(stage_replica()->applied, 2);
    ck_assert_str_eq(kept_all(), "k1=v1 k2=v2");
}
END_TEST

static const struct {
    const char *file, *lands; /* NULL: it is refused */
} names[] = {
    { "..", NULL },
    { ".", NULL },
    { "", NULL },
    { "/", NULL },
    { "a/..", NULL },
    { "a/.", NULL },
    { "a/", NULL },
    { "../../../../..", NULL },
    { "a/../b", "b" },
    { "../../../data/rdb/CURRENT", "CURRENT" },
    { "/an/absolute/name", "name" },
    { "plain", "plain" },
};

static void sizes_none(struct msg_nfs_size_response *response)
{
    memset(response->size_list.items, 0, response->size_list.count * sizeof(int64_t));
}

/* Whatever a file is called, it comes into learn/ or not at all. */
START_TEST(evil_names)
{
    struct stat before, after;
    kept_disk(3, 2);
    ck_assert_int_eq(stat(kept_path("data/rdb/CURRENT"), &before), 0);
    giver.files = malloc(2 * sizeof *giver.files);
    giver.files[0] = "good";
    giver.files[1] = names[_i].file;
    giver.count = 2;
    giver.sizes = sizes_none;
    giver_files(LEARN_APP, 7);
    giver_start();
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_INACTIVE);
    ck_assert_uint_eq(giver.size_calls, names[_i].lands ? 1 : 0);
    ck_assert_uint_eq(kept_count(kept_path("learn"), "good"), names[_i].lands ? 1 : 0);
    if (names[_i].lands)
        ck_assert_uint_eq(kept_count(kept_path("learn"), names[_i].lands), 1);
    ck_assert_int_eq(stat(kept_path("data/rdb/CURRENT"), &after), 0);
    ck_assert_int_eq(before.st_size, after.st_size);
    ck_assert_str_eq(kept_all(), "k1=v1 k2=v2");
}
END_TEST

/* No files of a kind that is files, and kinds that are none. */
START_TEST(nothing_is_given)
{
    static const int32_t types[] = { LEARN_APP, LEARN_LOG, LEARN_INVALID, 99 };
    kept_disk(3, 2);
    giver_files(types[_i], 7);
    giver_start();
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_INACTIVE);
    ck_assert_int_eq(stage_replica()->applied, 2);
    ck_assert_uint_eq(giver.size_calls, 0);
}
END_TEST

/* -- Ahead of its primary --------------------------------------------------------------------- */

/* What nobody else may have is set aside, not deleted; learning begins anew. */
START_TEST(ahead_of_its_primary)
{
    kept_disk(3, 9);
    if (_i == 0) {
        giver_cache(1, 4);
    } else {
        giver_checkpoint(3);
        giver_files(LEARN_APP, 3);
        giver_cache(4, 4);
    }
    giver_start();
    learned(4, "k1=v1 k2=v2 k3=v3 k4=v4");
    check_asked(0, 9);
    ck_assert_uint_eq(kept_count(kept_path("data"), ".bak"), 1);
    ck_assert_uint_eq(kept_count(kept_path("data"), ".old"), 0);
    kept_kill();
    ck_assert_int_eq(replica_prepared(stage_replica()), 4);
    ck_assert_uint_eq(kept_count(kept_path("data"), ".bak"), 1);
}
END_TEST

/* A kill at every rename on the way: whatever is there then is a replica with data, and what was
 * to be set aside is not lost. */
START_TEST(killed_on_the_way)
{
    kept_disk(3, _i ? 2 : 9);
    if (_i) {
        giver_checkpoint(7);
        giver_files(LEARN_APP, 7);
    }
    giver_cache(_i ? 8 : 1, _i ? 8 : 4);
    kept_renames(true);
    giver_start();
    learned(_i ? 8 : 4,
            _i ? "k1=v1 k2=v2 k3=v3 k4=v4 k5=v5 k6=v6 k7=v7 k8=v8" : "k1=v1 k2=v2 k3=v3 k4=v4");
    uint32_t count = kept_renames(false);
    ck_assert_uint_ge(count, 5);
    for (uint32_t i = 0; i < count; i++) {
        kept_as_of(i);
        ck_assert_ptr_nonnull(stage_replica());
        int64_t applied = stage_replica()->applied;
        if (_i)
            ck_assert_int_ge(applied, 2);
        else
            ck_assert(applied == 9 || kept_count(kept_path("data"), ".bak") == 1);
        ck_assert_uint_eq(kept_count(kept_path("data"), "rdb.old"), 0);
    }
}
END_TEST

TCase *replica_take_data(void)
{
    TCase *tcase = tcase_create("take");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, giver_setup, giver_teardown);
    tcase_add_test(tcase, out_of_memory);
    tcase_add_test(tcase, nothing_is_missing);
    tcase_add_test(tcase, by_the_log);
    tcase_add_test(tcase, by_a_part_of_the_log);
    tcase_add_loop_test(tcase, by_a_checkpoint, 0, 4);
    tcase_add_test(tcase, large_files);
    tcase_add_loop_test(tcase, failures_leave_the_data, 0,
                        (int) (sizeof failures / sizeof *failures));
    tcase_add_loop_test(tcase, logs_that_do_not_fit, 0, 2);
    tcase_add_loop_test(tcase, evil_names, 0, (int) (sizeof names / sizeof *names));
    tcase_add_loop_test(tcase, nothing_is_given, 0, 4);
    tcase_add_loop_test(tcase, ahead_of_its_primary, 0, 2);
    tcase_add_loop_test(tcase, killed_on_the_way, 0, 2);
    return tcase;
}
