/* replica_kill -- what a kill leaves of a replica's decrees. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host/replica/decrees.h"
#include "t/replica.h"

/* The directory of 1.0, in the stage's arena. */
static const char *kill_directory(void)
{
    struct buf path = { 0 };
    files_path(&path, stage.directory, 1, 0, "pegasus");
    const char *text = arena_text(&stage.arena, path.data, path.size);
    buf_done(&path);
    return text;
}

/* It goes without its last word: .init-info says what it said before. */
static void kill_and_start(int64_t ballot, int64_t durable)
{
    struct fail fail;
    stage_stop();
    ck_assert_int_eq(files_store_init(kill_directory(),
                                      &(struct init_info){ .ballot = ballot, .durable = durable },
                                      &fail),
                     BR_OK);
    stage_start();
}

/* What a primary was told is committed, and what is prepared above it, is still there: a
 * secondary's acknowledgement counts. */
START_TEST(acknowledged_prepares_stay)
{
    struct msg_prepare_ack ack;
    stage_disk(5, 10);
    stage_list(5, '0', "s1");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 5);
    for (int64_t decree = 11; decree <= 13; decree++)
        ck_assert_str_eq(stage_prepare(5, BR_ROLE_SECONDARY, 0, decree, decree - 1, &ack),
                         "ERR_OK");
    kill_and_start(5, 10);
    ck_assert_int_eq(replica_committed(stage_replica()), 12);
    ck_assert_int_eq(replica_prepared(stage_replica()), 13);
    struct msg_configuration_update_request proposal = stage_config(2, 5, 0, "s1", 's');
    stage_role(BR_ROLE_SECONDARY, 5);
    stage_propose(&proposal);
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_PRIMARY
                && replica_committed(stage_replica()) == 13);
    ck_assert_int_eq(stage_replica()->config.ballot, 6);
}
END_TEST

/* A learner's decrees are those that it learned, whatever was prepared meanwhile. */
START_TEST(a_history_that_was_lost_goes)
{
    struct msg_prepare_ack ack;
    stage_disk(5, 10);
    stage_list(5, '0', "s1");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 5);
    stage_prepare(5, BR_ROLE_SECONDARY, 0, 11, 10, &ack);
    struct replica *replica = stage_replica();
    prepare_list_reset(&replica->list, replica->applied);
    replica_note_decrees(replica);
    kill_and_start(5, 10);
    ck_assert_int_eq(replica_committed(stage_replica()), 10);
    ck_assert_int_eq(replica_prepared(stage_replica()), 10);
}
END_TEST

static const struct {
    const char *name;
    int64_t durable;
    struct decrees put, want;
} reads[] = {
    { "nothing above", 3, { 7, 7, 2 }, { 7, 7, 0 } },
    { "something above", 3, { 7, 9, 2 }, { 7, 9, 2 } },
    { "as much as a list holds",
      0,
      { 7, 6 + PREPARE_LIST_MAX, 2 },
      { 7, 6 + PREPARE_LIST_MAX, 2 } },
    { "one more", 0, { 7, 7 + PREPARE_LIST_MAX, 2 }, { 7, 7, 0 } },
    { "prepared below committed", 0, { 7, 3, 2 }, { 7, 7, 0 } },
    { "the other file knows more", 8, { 7, 9, 2 }, { 8, 8, 0 } },
};

START_TEST(what_is_read)
{
    struct decrees_file *file;
    struct decrees got;
    struct fail fail;
    const char *dir = stage.directory;
    ck_assert_int_eq(decrees_open(dir, &file, &fail), BR_OK);
    decrees_read(dir, reads[_i].durable, &got); /* made, and nothing put yet */
    ck_assert_int_eq(got.committed, reads[_i].durable);
    decrees_put(file, &(struct decrees){ 1000, 1001, 9 }); /* goes up, then down */
    decrees_put(file, &reads[_i].put);
    decrees_close(file);
    decrees_read(dir, reads[_i].durable, &got);
    ck_assert_msg(memcmp(&got, &reads[_i].want, sizeof got) == 0, "%s: %lld %lld %lld",
                  reads[_i].name, (long long) got.committed, (long long) got.prepared,
                  (long long) got.ballot);
}
END_TEST

START_TEST(no_such_file)
{
    struct decrees_file *file;
    struct decrees got;
    struct fail fail;
    ck_assert_int_eq(decrees_open("/dev/null", &file, &fail), BR_DENIED);
    ck_assert_ptr_null(file);
    ck_assert_ptr_nonnull(strstr(fail.text, "/dev/null/.decrees: "));
    decrees_close(file);
    decrees_read("/dev/null", 4, &got);
    ck_assert_int_eq(got.committed, 4);
    ck_assert_int_eq(got.prepared, 4);
}
END_TEST

/* Short, or somebody else's: as if there were none. */
START_TEST(a_foreign_file)
{
    struct decrees got;
    struct buf path = { 0 };
    buf_printf(&path, "%s/.decrees", stage.directory);
    int fd = open(path.data, O_WRONLY | O_CREAT, 0666);
    static const char bytes[40] = "these are not ours, but they are forty";
    ck_assert_int_eq(write(fd, bytes, _i ? sizeof bytes : 8), _i ? (int) sizeof bytes : 8);
    close(fd);
    buf_done(&path);
    decrees_read(stage.directory, 4, &got);
    ck_assert_int_eq(got.committed, 4);
    ck_assert_int_eq(got.prepared, 4);
}
END_TEST

TCase *replica_kills(void)
{
    TCase *tcase = tcase_create("kill");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_test(tcase, acknowledged_prepares_stay);
    tcase_add_test(tcase, a_history_that_was_lost_goes);
    tcase_add_loop_test(tcase, what_is_read, 0, (int) (sizeof reads / sizeof *reads));
    tcase_add_test(tcase, no_such_file);
    tcase_add_loop_test(tcase, a_foreign_file, 0, 2);
    return tcase;
}
