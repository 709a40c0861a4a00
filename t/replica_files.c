/* replica_files -- see replica_files.h. */
#include "t/replica_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/data/key.h"

struct disk disk;
struct giver giver;

/* Instead of the C library's: nothing of a test has to outlive a loss of power. */
int fdatasync(int fd);
int fdatasync(int fd)
{
    (void) fd;
    if (disk.held) {
        sem_post(&disk.begun);
        sem_wait(&disk.go);
    }
    errno = disk.error;
    return disk.error ? -1 : 0;
}

void kept_setup(void)
{
    stage_setup();
    stage.options.without_data = false;
    stage.options.min_replicas = 1;
    memset(&disk, 0, sizeof disk);
    sem_init(&disk.begun, 0, 0);
    sem_init(&disk.go, 0, 0);
}

static const char *format(const char *text, const char *a, const char *b)
{
    struct buf path = { 0 };
    buf_printf(&path, text, a, b);
    const char *copy = arena_text(&stage.arena, path.data, path.size);
    buf_done(&path);
    return copy;
}

const char *kept_path(const char *name)
{
    return format("%s/replica/reps/1.0.pegasus/%s", stage.directory, name);
}

uint32_t kept_count(const char *dir, const char *suffix)
{
    uint32_t count = 0;
    DIR *stream = opendir(dir);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        size_t size = strlen(entry->d_name), want = strlen(suffix);
        count += size >= want && strcmp(entry->d_name + size - want, suffix) == 0;
    }
    if (stream)
        closedir(stream);
    return count;
}

void kept_limit(uint64_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size == UINT64_MAX ? limit.rlim_max : (rlim_t) size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* -- Puts ------------------------------------------------------------------------------------- */

static br_bytes whole_key(const char *key)
{
    struct buf whole = { 0 };
    data_key_put(&whole, (br_bytes){ key, strlen(key) }, (br_bytes){ NULL, 0 });
    br_bytes bytes = { arena_text(&stage.arena, whole.data, whole.size), whole.size };
    buf_done(&whole);
    return bytes;
}

static void put_body(const char *key, const char *value, struct buf *body)
{
    struct msg_rrdb_update_request request;
    wire_init(&wire_rrdb_update_request, &request);
    request.key = whole_key(key);
    request.value = (br_bytes){ value, strlen(value) };
    wire_encode(&wire_rrdb_update_request, &request, WIRE_PEER_25, body);
}

const char *kept_put(const char *key, const char *value, int64_t *ret_decree)
{
    struct msg_rrdb_update_response response;
    struct buf body = { 0 };
    put_body(key, value, &body);
    const char *error = stage_ask("RPC_RRDB_RRDB_PUT", true, buf_bytes(&body));
    buf_done(&body);
    if (strcmp(error, "ERR_OK") == 0) {
        stage_decode(&wire_rrdb_update_response, &response);
        ck_assert_int_eq(response.error, DATA_OK);
        *ret_decree = response.decree;
    }
    return error;
}

void kept_updates(const char *key, const char *value, struct buf *updates)
{
    struct buf body = { 0 };
    put_body(key, value, &body);
    mutation_put_count(updates, 1);
    mutation_put_update(updates, "RPC_RRDB_RRDB_PUT", 1, body.size);
    buf_put(updates, body.data, body.size);
    buf_done(&body);
}

const char *kept_prepare(int64_t ballot, int64_t decree, const char *key, const char *value)
{
    struct prepare prepare =
        stage_prepare_message(ballot, BR_ROLE_SECONDARY, 0, decree, decree - 1);
    struct buf updates = { 0 }, body = { 0 };
    struct msg_prepare_ack ack;
    kept_updates(key, value, &updates);
    prepare.updates = buf_bytes(&updates);
    prepare_encode(&prepare, stage.stub.peer, &body);
    const char *error = stage_ask("RPC_PREPARE", false, buf_bytes(&body));
    buf_done(&updates);
    buf_done(&body);
    if (strcmp(error, "ERR_OK") != 0)
        return error;
    stage_decode(&wire_prepare_ack, &ack);
    return ack.err;
}

const char *kept_all(void)
{
    struct buf text = { 0 };
    for (char n = '1'; n <= '9'; n++) {
        const char key[] = { 'k', n, 0 };
        struct data_got got;
        if (data_store_get(stage_replica()->store, whole_key(key), 0, &got) == DATA_OK)
            buf_printf(&text, "%s%s=%.*s", text.size ? " " : "", key, (int) got.user.size,
                       (const char *) got.user.data);
        data_got_free(&got);
    }
    const char *copy = arena_text(&stage.arena, buf_string(&text), text.size);
    buf_done(&text);
    return copy;
}

/* -- Servers ---------------------------------------------------------------------------------- */

/* A database with kN=vN from 1 to `decree`, and a checkpoint of it where that is not NULL. */
static void make_store(const char *path, int64_t decree, const char *checkpoint)
{
    struct data_shared *shared = data_shared_new();
    struct data_store *store;
    struct fail fail;
    int64_t got;
    ck_assert_msg(data_store_open(shared, path, &store, &fail) == BR_OK, "%s", fail.text);
    for (int64_t i = 1; i <= decree; i++) {
        char key[24], value[24];
        snprintf(key, sizeof key, "k%lld", (long long) i);
        snprintf(value, sizeof value, "v%lld", (long long) i);
        data_store_put(store, whole_key(key), (br_bytes){ value, strlen(value) }, 0, 0);
        ck_assert_int_eq(data_store_commit(store, i, &fail), BR_OK);
    }
    if (checkpoint)
        ck_assert_msg(data_store_checkpoint(store, checkpoint, &got, &fail) == BR_OK, "%s",
                      fail.text);
    data_store_close(store);
    data_shared_free(shared);
}

void kept_disk(int64_t ballot, int64_t decree)
{
    stage_disk(ballot, decree);
    ck_assert_int_eq(mkdir(kept_path("data"), 0777), 0);
    make_store(kept_path("data/rdb"), decree, NULL);
}

void kept_primary(const char *secondaries)
{
    stage_disk(1, 0);
    stage_list(1, 's', secondaries);
    stage_start();
    stage_role(BR_ROLE_PRIMARY, 2);
    stage_list(2, 's', secondaries);
}

void kept_secondary(int64_t ballot)
{
    stage_disk(ballot, 0);
    stage_list(ballot, '0', "s");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, ballot);
}

static char *copied(void)
{
    char *copy = test_directory();
    ck_assert_int_eq(system(format("cp -r '%s/replica' '%s'", stage.directory, copy)), 0);
    return copy;
}

static void start_on(char *directory)
{
    stage_stop();
    free(stage.directory);
    stage.directory = directory;
    stage.dir.path = directory;
    stage_start();
}

void kept_kill(void)
{
    start_on(copied());
}

#define RENAMES_MAX 256
static char *renames[RENAMES_MAX];
static uint32_t rename_count;
static bool renames_kept;

/* Instead of the C library's, for RocksDB too. */
__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
    int result = (int) syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    int error = errno;
    if (renames_kept && rename_count < RENAMES_MAX)
        renames[rename_count++] = copied();
    errno = error;
    return result;
}

uint32_t kept_renames(bool on)
{
    renames_kept = on;
    return rename_count;
}

void kept_as_of(uint32_t n)
{
    start_on(renames[n]);
}

/* -- What a scripted primary has --------------------------------------------------------------- */

void giver_setup(void)
{
    kept_setup();
    memset(&giver, 0, sizeof giver);
    giver.directory = test_directory();
}

void giver_teardown(void)
{
    stage_teardown();
    free(giver.directory);
}

static void giver_learn(struct msg_learn_response *response)
{
    static uint32_t round;
    uint32_t asked = stage_records(&stage.peers[0], "RPC_LEARN");
    round = asked < giver.answer_count ? asked : giver.answer_count;
    struct msg_replica_configuration config = response->config;
    *response = giver.answers[round - 1];
    response->config = config;
}

static void giver_reply(struct rdsn_incoming *incoming, const struct wire_schema *schema,
                        const void *message)
{
    struct buf body = { 0 };
    wire_encode(schema, message, stage.stub.peer, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void giver_sizes(struct rdsn_incoming *incoming)
{
    struct msg_nfs_size_request request;
    struct msg_nfs_size_response response;
    struct fail fail;
    ck_assert_int_eq(wire_decode(&wire_nfs_size_request, incoming->body, wire_arena(&stage.arena),
                                 &request, &fail),
                     BR_OK);
    const char *const *names = request.file_list.items;
    int64_t *sizes = arena_zero(&stage.arena, (request.file_list.count + 1u) * sizeof *sizes);
    for (uint32_t i = 0; i < request.file_list.count; i++) {
        struct stat info;
        if (stat(format("%s/%s", request.source_dir, names[i]), &info) == 0)
            sizes[i] = info.st_size;
    }
    giver.size_calls++;
    wire_init(&wire_nfs_size_response, &response);
    response.file_list = request.file_list;
    response.size_list = (struct wire_list){ sizes, request.file_list.count };
    if (giver.sizes)
        giver.sizes(&response);
    giver_reply(incoming, &wire_nfs_size_response, &response);
}

static void giver_piece(struct rdsn_incoming *incoming)
{
    struct msg_nfs_copy_request request;
    struct msg_nfs_copy_response response;
    struct fail fail;
    ck_assert_int_eq(wire_decode(&wire_nfs_copy_request, incoming->body, wire_arena(&stage.arena),
                                 &request, &fail),
                     BR_OK);
    ck_assert_int_gt(request.size, 0);
    ck_assert_int_le(request.size, COPY_PIECE);
    char *bytes = arena_zero(&stage.arena, (size_t) request.size);
    int fd = open(format("%s/%s", request.source_dir, request.file_name), O_RDONLY);
    ssize_t got = fd < 0 ? -1 : pread(fd, bytes, (size_t) request.size, request.offset);
    if (fd >= 0)
        close(fd);
    giver.piece_calls++;
    wire_init(&wire_nfs_copy_response, &response);
    response.error = got == request.size ? "ERR_OK" : "ERR_FILE_OPERATION_FAILED";
    response.offset = request.offset;
    response.size = request.size;
    response.file_content = (br_bytes){ bytes, (size_t) request.size };
    if (giver.piece)
        giver.piece(&response);
    giver_reply(incoming, &wire_nfs_copy_response, &response);
}

static void giver_other(struct rdsn_incoming *incoming)
{
    if (strcmp(incoming->header.rpc_name, "RPC_NFS_GET_FILE_SIZE") == 0)
        giver_sizes(incoming);
    else if (strcmp(incoming->header.rpc_name, "RPC_NFS_COPY") == 0)
        giver_piece(incoming);
    else
        rdsn_server_drop(incoming);
}

void giver_start(void)
{
    stage.peers[0].learn = giver_learn;
    stage.peers[0].other = giver_other;
    stage_learner();
}

static void giver_add_file(const char *name)
{
    giver.files = mem_grow(giver.files, (giver.count + 1u) * sizeof *giver.files);
    giver.files[giver.count++] = name;
}

static void giver_mutation(int64_t decree, struct mutation_header *header, struct buf *updates)
{
    char key[24], value[24];
    snprintf(key, sizeof key, "k%lld", (long long) decree);
    snprintf(value, sizeof value, "v%lld", (long long) decree);
    buf_clear(updates);
    kept_updates(key, value, updates);
    *header = (struct mutation_header){ .pid = { 1, 0 },
                                        .ballot = 4,
                                        .decree = decree,
                                        .log_offset = -1,
                                        .last_committed_decree = decree - 1 };
}

void giver_log(int64_t from, int64_t to)
{
    struct journal *journal;
    struct fail fail;
    struct buf updates = { 0 };
    struct mutation_header header;
    char name[PLOG_NAME_MAX];
    uint32_t index = 0;
    const struct journal_options options = { .dir = giver.directory, .pid = { 1, 0 } };
    ck_assert_int_eq(journal_open(&options, NULL, NULL, &journal, &fail), BR_OK);
    for (int64_t decree = from; decree <= to; decree++) {
        giver_mutation(decree, &header, &updates);
        ck_assert_int_eq(journal_append(journal, &header, buf_bytes(&updates), &fail), BR_OK);
    }
    while (journal_next_file(journal, 0, &index, name))
        giver_add_file(arena_text(&stage.arena, name, strlen(name)));
    journal_close(journal);
    buf_done(&updates);
}

void giver_checkpoint(int64_t decree)
{
    struct wire_list list;
    const char *checkpoint = format("%s/%s", giver.directory, "checkpoint.9");
    make_store(format("%s/%s", giver.directory, "rdb"), decree, checkpoint);
    files_list(checkpoint, "checkpoint.9", &stage.arena, &list);
    for (uint32_t i = 0; i < list.count; i++)
        giver_add_file(((const char **) list.items)[i]);
}

static struct msg_learn_response *giver_answer(int32_t type, int64_t committed)
{
    struct msg_learn_response *answer = &giver.answers[giver.answer_count++];
    wire_init(&wire_learn_response, answer);
    answer->type = type;
    answer->last_committed_decree = committed;
    answer->prepare_start_decree = -1;
    answer->learnee = stage_address('0');
    return answer;
}

struct msg_learn_response *giver_files(int32_t type, int64_t to)
{
    struct msg_learn_response *answer = giver_answer(type, to);
    answer->state.to_decree_included = to;
    answer->state.files = (struct wire_list){ giver.files, giver.count };
    answer->base_local_dir =
        type == LEARN_LOG ? format("%s/%s", giver.directory, "plog") : giver.directory;
    return answer;
}

struct msg_learn_response *giver_cache(int64_t from, int64_t to)
{
    struct msg_learn_response *answer = giver_answer(LEARN_CACHE, to);
    struct buf updates = { 0 }, cache = { 0 };
    struct mutation_header header;
    for (int64_t decree = from; decree <= to; decree++) {
        giver_mutation(decree, &header, &updates);
        mutation_encode(&header, buf_bytes(&updates), &cache);
    }
    answer->prepare_start_decree = to + 1;
    answer->state.meta =
        (br_bytes){ arena_text(&stage.arena, buf_string(&cache), cache.size), cache.size };
    buf_done(&updates);
    buf_done(&cache);
    return answer;
}
