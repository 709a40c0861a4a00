/* replica_give -- a primary with data and those who learn from it; the files that it gives out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/replica_files.h"

static void put_some(uint32_t count)
{
    int64_t decree;
    for (uint32_t i = 1; i <= count; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        ck_assert_str_eq(kept_put(key, "v", &decree), "ERR_OK");
    }
}

/* -- Files ------------------------------------------------------------------------------------ */

static int32_t sizes_of(const char *dir, const char **files, uint32_t count, int64_t *ret_sizes)
{
    struct msg_nfs_size_request request;
    struct msg_nfs_size_response response;
    wire_init(&wire_nfs_size_request, &request);
    request.source_dir = dir;
    request.file_list = (struct wire_list){ files, count };
    ck_assert_str_eq(stage_ask_message("RPC_NFS_GET_FILE_SIZE", &wire_nfs_size_request, &request),
                     "ERR_OK");
    stage_decode(&wire_nfs_size_response, &response);
    ck_assert_uint_eq(response.size_list.count, response.error ? 0 : count);
    if (response.size_list.count > 0)
        memcpy(ret_sizes, response.size_list.items, count * sizeof *ret_sizes);
    return response.error;
}

static const char *piece_of(const char *dir, const char *file, int64_t offset, int32_t size,
                            br_bytes *ret_bytes)
{
    struct msg_nfs_copy_request request;
    struct msg_nfs_copy_response response;
    wire_init(&wire_nfs_copy_request, &request);
    request.source_dir = dir;
    request.file_name = file;
    request.offset = offset;
    request.size = size;
    ck_assert_str_eq(stage_ask_message("RPC_NFS_COPY", &wire_nfs_copy_request, &request), "ERR_OK");
    stage_decode(&wire_nfs_copy_response, &response);
    ck_assert_int_eq(response.offset, offset);
    *ret_bytes = response.file_content;
    return response.error;
}

/* All of it, into a directory, by one piece a file. */
static void fetch(const struct msg_learn_response *response, const char *to)
{
    const char **files = response->state.files.items;
    uint32_t count = response->state.files.count;
    int64_t *sizes = arena_zero(&stage.arena, (count + 1u) * sizeof *sizes);
    ck_assert_int_eq(sizes_of(response->base_local_dir, files, count, sizes), 0);
    for (uint32_t i = 0; i < count; i++) {
        br_bytes bytes;
        char path[1024];
        const char *slash = strrchr(files[i], '/');
        ck_assert_str_eq(
            piece_of(response->base_local_dir, files[i], 0, (int32_t) sizes[i], &bytes), "ERR_OK");
        ck_assert_int_eq((int64_t) bytes.size, sizes[i]);
        snprintf(path, sizeof path, "%s/%s", to, slash ? slash + 1 : files[i]);
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
        ck_assert_int_eq(fclose(file), 0);
    }
}

/* -- What is given ---------------------------------------------------------------------------- */

/* Where nothing is missing, prepares begin: be there a mutation in memory or not. */
START_TEST(nothing_is_missing)
{
    kept_primary("");
    put_some((uint32_t) _i);
    if (_i == 2) {
        stage_stop();
        stage_start();
        stage_role(BR_ROLE_PRIMARY, 3);
    }
    struct msg_learn_response response = stage_learns(stage_add_learner(), _i);
    ck_assert_str_eq(response.err, "ERR_OK");
    ck_assert_int_eq(response.type, LEARN_CACHE);
    ck_assert_int_eq(response.prepare_start_decree, _i + 1);
    ck_assert_uint_eq(response.state.meta.size, 0);
    ck_assert_uint_eq(response.state.files.count, 0);
}
END_TEST

static uint32_t seen; /* mutations, in order */

static br_status see(void *arg, const struct mutation_header *header, br_bytes updates,
                     struct fail *fail)
{
    (void) arg, (void) updates, (void) fail;
    ck_assert_int_eq(header->decree, ++seen);
    return BR_OK;
}

/* What is not in memory any more is in the log. */
START_TEST(by_the_log)
{
    struct plog_dir log;
    struct fail fail;
    uint32_t count = PREPARE_LIST_MAX * 2;
    char *to = test_directory();
    kept_primary("");
    put_some(count);
    struct msg_learn_response response = stage_learns(stage_add_learner(), 0);
    ck_assert_str_eq(response.err, "ERR_OK");
    ck_assert_int_eq(response.type, LEARN_LOG);
    ck_assert_int_eq(response.prepare_start_decree, -1);
    ck_assert_int_eq(response.last_committed_decree, count);
    ck_assert_int_eq(response.state.to_decree_included, count);
    ck_assert_str_eq(response.base_local_dir, kept_path("plog"));
    fetch(&response, to);
    seen = 0;
    ck_assert_msg(plog_dir_read(to, (struct gpid){ 1, 0 }, see, NULL, &log, &fail) == BR_OK, "%s",
                  fail.text);
    ck_assert_uint_eq(seen, count);
    plog_dir_done(&log);
    free(to);
}
END_TEST

/* Data and a log that begins behind them: every file of it, as one file of the log ends with a
 * restart. */
static int64_t primary_without_a_log(void)
{
    kept_primary("");
    put_some(5);
    stage_stop();
    stage_start();
    stage_role(BR_ROLE_PRIMARY, 3);
    put_some(1);
    journal_collect(stage_replica()->journal, 5);
    ck_assert(!journal_reaches(stage_replica()->journal, 4));
    return stage_add_learner();
}

/* Neither in memory nor in the log: a checkpoint is made, and given again to the next one. */
START_TEST(by_a_checkpoint)
{
    char *to = test_directory();
    struct data_shared *shared = data_shared_new();
    struct data_store *store;
    struct fail fail;
    int64_t signature = primary_without_a_log();
    for (int i = 0; i < 2; i++) {
        struct msg_learn_response response = stage_learns(signature, 0);
        ck_assert_str_eq(response.err, "ERR_OK");
        ck_assert_int_eq(response.type, LEARN_APP);
        ck_assert_int_eq(response.state.to_decree_included, 6);
        ck_assert_str_eq(response.base_local_dir, kept_path("data"));
        ck_assert_int_eq(stage_replica()->checkpoint.decree, 6);
        ck_assert_int_eq(stage_replica()->checkpoint.older, 0);
        ck_assert_int_eq(stage_replica()->durable, 6);
        if (i == 0)
            fetch(&response, to);
    }
    ck_assert_uint_eq(kept_count(kept_path("data"), "checkpoint.6"), 1);
    ck_assert_msg(data_store_open(shared, to, &store, &fail) == BR_OK, "%s", fail.text);
    ck_assert_int_eq(data_store_flushed(store), 6);
    data_store_close(store);
    data_shared_free(shared);
    free(to);
    ck_assert_int_eq(stage_learns(signature, 6).type, LEARN_CACHE); /* from there on */
}
END_TEST

/* The last two stay, for those who are copying. */
START_TEST(old_checkpoints_go)
{
    kept_primary("");
    for (int64_t i = 1; i <= 4; i++) {
        put_some(1);
        replica_make_checkpoint(stage_replica());
        replica_make_checkpoint(stage_replica()); /* one at a time */
        STAGE_UNTIL(!stage_replica()->checkpoint.making);
        ck_assert_int_eq(stage_replica()->checkpoint.decree, i);
        ck_assert_int_eq(stage_replica()->checkpoint.older, i - 1);
    }
    ck_assert(!files_exists(kept_path("data/checkpoint.1")));
    ck_assert(!files_exists(kept_path("data/checkpoint.2")));
    ck_assert(files_exists(kept_path("data/checkpoint.3")));
    ck_assert(files_exists(kept_path("data/checkpoint.4")));
}
END_TEST

/* Data that are given up take their checkpoints with them: they are of another history. */
START_TEST(checkpoints_of_another_history)
{
    struct fail fail;
    kept_primary("");
    for (int i = 0; i < 2; i++) {
        put_some(1);
        replica_make_checkpoint(stage_replica());
        STAGE_UNTIL(!stage_replica()->checkpoint.making);
    }
    ck_assert_msg(replica_replace(stage_replica(), NULL, &fail) == BR_OK, "%s", fail.text);
    ck_assert_int_eq(stage_replica()->checkpoint.decree, 0);
    ck_assert_int_eq(stage_replica()->checkpoint.older, 0);
    ck_assert(!files_exists(kept_path("data/checkpoint.1")));
    ck_assert(!files_exists(kept_path("data/checkpoint.2")));
}
END_TEST

/* A checkpoint that cannot be made: the learner hears nothing and asks again. */
START_TEST(no_checkpoint)
{
    struct fail fail;
    int64_t signature = primary_without_a_log();
    struct msg_learn_request request;
    struct buf body = { 0 };
    ck_assert_int_eq(files_make_dir(kept_path("data/checkpoint.tmp"), &fail), BR_OK);
    ck_assert_int_eq(files_make_dir(kept_path("data/checkpoint.tmp/other"), &fail), BR_OK);
    wire_init(&wire_learn_request, &request);
    request.pid = (struct gpid){ 1, 0 };
    request.learner = stage_address('1');
    request.signature = signature;
    wire_encode(&wire_learn_request, &request, WIRE_PEER_25, &body);
    rdsn_client_call(stage.client, stage.name,
                     &(struct rdsn_request){ .rpc = "RPC_LEARN", .body = buf_bytes(&body) }, NULL,
                     NULL);
    buf_done(&body);
    STAGE_UNTIL(stage_replica()->checkpoint.making);
    STAGE_UNTIL(!stage_replica()->checkpoint.making);
    ck_assert_uint_eq(stage_replica()->checkpoint.waiting_count, 0);
    ck_assert_int_eq(stage_replica()->checkpoint.decree, 0);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_PRIMARY);
    ck_assert_int_eq(rmdir(kept_path("data/checkpoint.tmp/other")), 0);
    ck_assert_int_eq(stage_learns(signature, 0).type, LEARN_APP);
}
END_TEST

/* -- What is not given out -------------------------------------------------------------------- */

/* {reps}: the directory of replicas; {data}: the data directory. */
static const char *expand(const char *text)
{
    struct buf path = { 0 };
    if (strncmp(text, "{reps}", 6) == 0)
        buf_printf(&path, "%s/replica/reps%s", stage.directory, text + 6);
    else if (strncmp(text, "{data}", 6) == 0)
        buf_printf(&path, "%s%s", stage.directory, text + 6);
    else
        buf_text(&path, text);
    const char *copy = arena_text(&stage.arena, buf_string(&path), path.size);
    buf_done(&path);
    return copy;
}

static const struct {
    const char *dir, *file;
    bool given;
} paths[] = {
    { "{reps}/1.0.pegasus", ".app-info", true },
    { "{reps}/1.0.pegasus/data/rdb", "CURRENT", true },
    { "{reps}/1.0.pegasus/data", "rdb/CURRENT", true },
    { "{reps}", "1.0.pegasus/.app-info", true },
    { "{reps}/1.0.pegasus", "none", false },
    { "{reps}/none", ".app-info", false },
    { "{reps}/1.0.pegasus", "../secret", false },
    { "{reps}/1.0.pegasus/..", "secret", false },
    { "{reps}/1.0.pegasus", "../../../secret", false },
    { "{reps}/../..", "secret", false },
    { "{reps}/1.0.pegasus", "data/../.app-info", false },
    { "{data}", "secret", false },
    { "{data}", "replica/../secret", false },
    { "{data}/replica/repsX", "secret", false },
    { "{data}X/replica/reps", "secret", false },
    { "/etc", "passwd", false },
    { "", "/etc/passwd", false },
    { "", "", false },
    { ".", "secret", false },
    { "{reps}/1.0.pegasus", "..", false },
    { "{reps}/1.0.pegasus", "data", false },
};

START_TEST(only_what_is_below)
{
    const char *secret = expand("{data}/secret");
    kept_primary("");
    FILE *file = fopen(secret, "w");
    ck_assert_int_gt(fprintf(file, "a secret that is longer than sixteen bytes"), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(link(secret, expand("{reps}/secret")), 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *files[] = { paths[i].file };
        int64_t size = -1;
        br_bytes bytes;
        const char *dir = expand(paths[i].dir);
        bool sized = sizes_of(dir, files, 1, &size) == 0;
        ck_assert_msg(sized == paths[i].given, "%s/%s", paths[i].dir, paths[i].file);
        const char *error = piece_of(dir, files[0], 0, 8, &bytes);
        ck_assert_msg((strcmp(error, "ERR_OK") == 0) == paths[i].given, "%s/%s: %s", paths[i].dir,
                      paths[i].file, error);
        ck_assert_uint_eq(bytes.size, paths[i].given ? 8 : 0);
    }
}
END_TEST

static const struct {
    int64_t offset;
    int32_t size;
    const char *error;
} pieces[] = {
    { 0, 0, "ERR_OK" },
    { 0, 8, "ERR_OK" },
    { 8, 8, "ERR_OK" },
    { -1, 8, "ERR_INVALID_PARAMETERS" },
    { 0, -1, "ERR_INVALID_PARAMETERS" },
    { INT64_MIN, INT32_MIN, "ERR_INVALID_PARAMETERS" },
    { 0, (8 << 20) + 1, "ERR_INVALID_PARAMETERS" }, /* NFS_PIECE_MAX and one */
    { 0, 8 << 20, "ERR_FILE_OPERATION_FAILED" },    /* more than there is */
    { 1000000, 1, "ERR_FILE_OPERATION_FAILED" },
    { INT64_MAX, 1, "ERR_FILE_OPERATION_FAILED" },
};

START_TEST(only_what_is_there)
{
    br_bytes bytes;
    kept_primary("");
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const char *error = piece_of(expand("{reps}/1.0.pegasus"), ".app-info", pieces[i].offset,
                                     pieces[i].size, &bytes);
        ck_assert_str_eq(error, pieces[i].error);
        ck_assert_uint_eq(bytes.size, strcmp(error, "ERR_OK") == 0 ? (size_t) pieces[i].size : 0);
    }
}
END_TEST

/* One that is not given out, and no size of the others either. */
START_TEST(all_sizes_or_none)
{
    const char *files[] = { ".app-info", ".init-info", "../secret" };
    int64_t sizes[3];
    kept_primary("");
    ck_assert_int_eq(sizes_of(expand("{reps}/1.0.pegasus"), files, 2, sizes), 0);
    ck_assert_int_gt(sizes[0], 8);
    ck_assert_int_gt(sizes[1], 8);
    ck_assert_int_ne(sizes_of(expand("{reps}/1.0.pegasus"), files, 3, sizes), 0);
    ck_assert_int_eq(sizes_of(expand("{reps}/1.0.pegasus"), files, 0, sizes), 0);
}
END_TEST

TCase *replica_give_data(void)
{
    TCase *tcase = tcase_create("give");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, kept_setup, stage_teardown);
    tcase_add_loop_test(tcase, nothing_is_missing, 0, 3);
    tcase_add_test(tcase, by_the_log);
    tcase_add_test(tcase, by_a_checkpoint);
    tcase_add_test(tcase, old_checkpoints_go);
    tcase_add_test(tcase, checkpoints_of_another_history);
    tcase_add_test(tcase, no_checkpoint);
    tcase_add_test(tcase, only_what_is_below);
    tcase_add_test(tcase, only_what_is_there);
    tcase_add_test(tcase, all_sizes_or_none);
    return tcase;
}
