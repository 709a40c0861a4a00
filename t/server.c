/* server -- see server.h. */
#include "t/server.h"

#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "host/base/number.h"

static const char *server_prefix;

void server_use(const char *prefix)
{
    server_prefix = prefix;
}

const char *server_env(const char *name)
{
    char whole[32];
    snprintf(whole, sizeof whole, "%s_%s", server_prefix, name);
    return getenv(whole);
}

/* -- The server -------------------------------------------------------------------------------- */

static pid_t server_pid(void)
{
    struct buf path = { 0 }, text = { 0 };
    int32_t pid;
    buf_printf(&path, "%s/pid", server_env("HOME"));
    ck_assert(test_read(path.data, &text));
    ck_assert(number_i32(text.data, strcspn(text.data, "\n"), &pid) && pid > 1);
    buf_done(&path);
    buf_done(&text);
    return pid;
}

/* Is no thread of it running any more? */
static bool server_stands(pid_t pid)
{
    struct buf pattern = { 0 }, text = { 0 };
    glob_t tasks;
    bool stands = true;
    buf_printf(&pattern, "/proc/%d/task/*/stat", (int) pid);
    ck_assert_int_eq(glob(pattern.data, GLOB_NOSORT, NULL, &tasks), 0);
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        buf_clear(&text);
        const char *end = test_read(tasks.gl_pathv[i], &text) ? strrchr(text.data, ')') : NULL;
        stands &= !end || end[2] == 'T';
    }
    globfree(&tasks);
    buf_done(&pattern);
    buf_done(&text);
    return stands;
}

void server_pause(void)
{
    pid_t pid = server_pid();
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    while (!server_stands(pid))
        sched_yield();
}

void server_continue(void)
{
    kill(server_pid(), SIGCONT);
}

void server_kill(void)
{
    ck_assert_int_eq(kill(server_pid(), SIGKILL), 0);
}

void server_start(void)
{
    struct buf command = { 0 };
    buf_printf(&command, "exec '%s' --start '%s'", server_env("SCRIPT"), server_env("HOME"));
    int status = system(command.data);
    buf_done(&command);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server does not start");
}

static void server_serve(void)
{
    server_continue();
    if (kill(server_pid(), 0) != 0)
        server_start();
}

static void server_nothing(void)
{
}

TCase *server_case(const char *name)
{
    TCase *tcase = conform_case(name);
    tcase_add_checked_fixture(tcase, server_serve, server_nothing);
    tcase_add_unchecked_fixture(tcase, server_nothing, server_serve);
    return tcase;
}

/* -- Instances --------------------------------------------------------------------------------- */

static void server_options(const char *first, va_list args)
{
    struct buf hosts = { 0 };
    int count = 0;
    buf_printf(&hosts, "hosts=%s", server_env("HOSTS"));
    bool given = false;
    for (const char *option = first; option; option = va_arg(args, const char *)) {
        given |= strncmp(option, "hosts=", 6) == 0;
        conform.options[count++] = mem_text(option);
    }
    if (given)
        buf_done(&hosts);
    else
        conform.options[count++] = hosts.data;
    conform.options[count] = NULL;
}

static void server_options_done(void)
{
    for (int i = 0; conform.options[i]; i++)
        free(conform.options[i]);
    conform.options[0] = NULL;
}

struct instance *server_instance(const char *first, ...)
{
    va_list args;
    va_start(args, first);
    server_options(first, args);
    va_end(args);
    struct instance *in = instance_new();
    server_options_done();
    return in;
}

struct instance *server_instance_made(const char *first, ...)
{
    va_list args;
    va_start(args, first);
    server_options(first, args);
    va_end(args);
    struct instance *in = instance_make();
    server_options_done();
    return in;
}

void server_ask_lock(struct instance *in, const char *path, const char *value,
                     struct answer *answer)
{
    answer_init(answer);
    store_lock(&in->plugin, path, value, answer_take, answer);
}

void server_ask_lost(struct instance *in, const char *fence, struct answer *answer)
{
    answer_init(answer);
    store_lost(&in->plugin, fence, answer_take, answer);
}

char *server_lock(struct instance *in, const char *path, const char *value)
{
    struct answer answer;
    struct buf fence = { 0 };
    server_ask_lock(in, path, value, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    buf_put(&fence, answer.value.data, answer.value.size);
    answer_done(&answer);
    return fence.data;
}

/* -- Asking ------------------------------------------------------------------------------------ */

void server_expect_owner(struct instance *in, const char *path, const char *last, const char *now)
{
    struct answer answer;
    answer_init(&answer);
    store_owner(&in->plugin, path, last, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    ck_assert_uint_eq(answer.value.size, strlen(now));
    ck_assert_mem_eq(answer.value.data, now, answer.value.size);
    answer_done(&answer);
}

br_status server_commit_fenced(struct instance *in, const char *fence, const char *path)
{
    const struct br_write writes[] = { { .kind = BR_FENCE, .path = fence },
                                       { .kind = BR_CREATE, .path = path } };
    return conform_commit(in, writes, 2);
}

static void time_is_up(void *up)
{
    *(bool *) up = true;
}

void server_let_pass(br_time time)
{
    bool up = false;
    loop_after(conform.loop, time, time_is_up, &up);
    while (!up)
        loop_turn(conform.loop);
}

/* After a lost connection: until the store says something else than "not connected". */
br_status server_get_when_back(struct instance *in, const char *path)
{
    br_status status;
    br_time until = loop_now(conform.loop) + (br_time) conform.patience * BR_SECOND;
    while ((status = conform_get(in, path, NULL, NULL)) == BR_UNAVAILABLE) {
        ck_assert(loop_now(conform.loop) < until);
        server_let_pass(5 * BR_MILLISECOND); /* it answers at once: not all the time */
    }
    return status;
}

br_status server_unlock(struct instance *in, const char *fence)
{
    struct answer answer;
    answer_init(&answer);
    store_unlock(&in->plugin, fence, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    br_status status = answer.status;
    answer_done(&answer);
    return status;
}

uint32_t server_child_count(struct instance *in, const char *path)
{
    struct answer answer;
    char **names;
    uint32_t count;
    ck_assert_int_eq(conform_list(in, path, &answer, &names, &count), BR_OK);
    for (uint32_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    answer_done(&answer);
    return count;
}

void server_dies_under_reads_and_locks(void)
{
    enum { READS = 3000 };
    struct answer read, list, lock, owner, gone;
    const char **paths = mem_array(READS, sizeof *paths);
    struct instance *in = server_instance(NULL, NULL), *other = server_instance(NULL, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    for (int i = 0; i < READS; i++)
        paths[i] = conform.root;
    server_ask_lock(other, conform.root, "i:2", &lock);
    while (server_child_count(in, conform.root) < 2)
        ck_assert(!lock.done);
    answer_init(&owner);
    store_owner(&other->plugin, conform.root, "h:1", answer_take, &owner);
    server_pause();
    answer_init(&read);
    store_read(&in->plugin, paths, READS, NULL, PLUGIN_FOREVER, answer_take, &read);
    answer_init(&list);
    store_list(&in->plugin, conform.root, PLUGIN_FOREVER, answer_take, &list);
    answer_init(&gone);
    store_unlock(&in->plugin, fence, PLUGIN_FOREVER, answer_take, &gone);
    server_kill();
    answer_wait(&read);
    ck_assert_int_eq(read.status, BR_UNAVAILABLE);
    answer_wait(&list);
    ck_assert_int_eq(list.status, BR_UNAVAILABLE);
    ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_UNAVAILABLE);
    ck_assert_int_eq(conform_write(in, BR_PUT, "/", "", -1), BR_UNAVAILABLE);
    ck_assert(!gone.done && !lock.done && !owner.done);
    server_start();
    answer_wait(&gone);
    ck_assert_int_eq(gone.status, BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    answer_wait(&owner);
    ck_assert_mem_eq(owner.value.data, "i:2", 3);
    struct answer *all[] = { &read, &list, &lock, &owner, &gone };
    for (int i = 0; i < 5; i++)
        answer_done(all[i]);
    free(paths);
    free(fence);
    instance_free(in);
    instance_free(other);
}

void server_options_refused(const char *const given[3], const char *sentence)
{
    struct fail fail;
    struct plugin plugin;
    struct arena arena;
    char *options[4] = { NULL };
    for (int i = 0; i < 3; i++)
        options[i] = (char *) (uintptr_t) given[i];
    arena_init(&arena, 0);
    br_status status = plugin_open(&plugin, conform.loop, conform.desc, "store",
                                   conform_section(&arena, options), &fail);
    ck_assert_int_ne(status, BR_OK);
    ck_assert_msg(strstr(fail.text, sentence), "%s", fail.text);
    ck_assert_ptr_null(strstr(fail.text, "nobody")); /* the secret of these tests */
    arena_done(&arena);
}

int server_port_taken(struct sockaddr_in *ret_address)
{
    socklen_t size = sizeof *ret_address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *ret_address = (struct sockaddr_in){ .sin_family = AF_INET };
    ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *) ret_address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) ret_address, &size), 0);
    return fd;
}

void server_stop_starting(struct instance *in, struct answer *start)
{
    instance_stop(in);
    ck_assert(start->done);
    ck_assert_int_eq(start->status, BR_CANCELED);
    answer_done(start);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
}

void server_stops_while_starting(void)
{
    struct answer start;
    struct sockaddr_in address;
    char option[64];
    int fd = server_port_taken(&address);
    snprintf(option, sizeof option, "hosts=127.0.0.1:%d", ntohs(address.sin_port));
    struct instance *in = server_instance_made(option, NULL);
    answer_init(&start);
    plugin_start(&in->plugin, PLUGIN_FOREVER, answer_take, &start);
    server_stop_starting(in, &start);
    close(fd);
}

void server_deleted_candidate_stands_again(bool at_once)
{
    struct answer lock;
    struct instance *in = server_instance(NULL, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    struct instance *other = server_instance(NULL, NULL);
    server_ask_lock(other, conform.root, "i:2", &lock);
    while (conform_get(in, at("LOCKNODE0000000001"), NULL, NULL) != BR_OK)
        ck_assert(!lock.done);
    ck_assert_int_eq(conform_write(in, BR_DELETE, at("LOCKNODE0000000001"), "", -1), BR_OK);
    while (at_once && conform_get(in, at("LOCKNODE0000000002"), NULL, NULL) != BR_OK)
        ck_assert(!lock.done);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    ck_assert_mem_eq(lock.value.data, at("LOCKNODE0000000002"), lock.value.size);
    answer_done(&lock);
    free(fence);
    instance_free(other);
    instance_free(in);
}

/* Who was elected; -1: nobody yet.  Asked before a turn: the answer may have come while the last
 * leader left. */
static int race_leader(struct instance *const *ins, const struct answer *locks, int count)
{
    for (int i = 0; i < count; i++)
        if (ins[i] && locks[i].done)
            return i;
    return -1;
}

void server_race(void)
{
    enum { COUNT = 4 };
    struct instance *ins[COUNT];
    struct answer locks[COUNT];
    char value[16];
    for (int i = 0; i < COUNT; i++)
        ins[i] = server_instance(NULL, NULL);
    for (int i = 0; i < COUNT; i++) {
        snprintf(value, sizeof value, "h:%d", i + 1);
        server_ask_lock(ins[i], conform.root, value, &locks[i]);
    }
    for (int round = 0; round < COUNT; round++) {
        int leader = race_leader(ins, locks, COUNT);
        for (; leader < 0; leader = race_leader(ins, locks, COUNT))
            loop_turn(conform.loop);
        for (int i = 0; i < COUNT; i++)
            ck_assert(i == leader || !ins[i] || !locks[i].done);
        ck_assert_int_eq(locks[leader].status, BR_OK);
        instance_free(ins[leader]);
        ins[leader] = NULL;
        answer_done(&locks[leader]);
    }
}
