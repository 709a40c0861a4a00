/* core -- see core.h. */
#include "t/core.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct log core_log;
struct loop *core_loop;

void core_setup(void)
{
    core_log = (struct log){ .fd = memfd_create("log", MFD_CLOEXEC), .level = BR_DEBUG };
    ck_assert_int_ge(core_log.fd, 0);
    core_loop = loop_new(&core_log);
    ck_assert_ptr_nonnull(core_loop);
}

void core_teardown(void)
{
    loop_free(core_loop);
    close(core_log.fd);
}

const char *core_logged(void)
{
    static char text[1 << 20];
    ssize_t got = pread(core_log.fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(got, 0);
    text[got] = '\0';
    return text;
}

void core_done(void *arg, struct call_answer *answer)
{
    struct core_told *told = arg;
    told->count++;
    told->status = answer->status;
    told->version = answer->version;
    told->chunks = answer->chunks;
    snprintf(told->code, sizeof told->code, "%s", answer->code ? answer->code : "");
    snprintf(told->message, sizeof told->message, "%s", answer->message);
    snprintf(told->value, sizeof told->value, "%.*s", (int) answer->value.size,
             answer->value.data ? (const char *) answer->value.data : "");
    if (answer->chunks) {
        arena_init(&told->kept, 0);
        arena_adopt(&told->kept, answer->arena);
    }
}

void core_wait(const struct core_told *told, int count)
{
    while (told->count < count)
        loop_turn(core_loop);
}

static void core_mark(void *arg)
{
    *(bool *) arg = true;
}

void core_settle(void)
{
    bool seen = false;
    loop_post(core_loop, core_mark, &seen);
    while (!seen)
        loop_turn(core_loop);
}

const char *core_abort_words(void (*fn)(void *arg), void *arg)
{
    static char text[4096];
    int fd = memfd_create("stderr", 0), status;
    ck_assert_int_ge(fd, 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        signal(SIGABRT, SIG_DFL);
        core_log.fd = fd;
        fn(arg);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x", status);
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(got, 0);
    text[got] = '\0';
    close(fd);
    return text;
}
