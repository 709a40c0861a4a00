/* process -- other processes of a rule, and memory that ends where it must not be passed. */
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/conform/kit.h"

extern char **environ;

void *conform_guarded(size_t size)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    char *map =
        mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + whole, page, PROT_NONE) != 0)
        abort();
    return map + (whole - size) / sizeof(uint64_t) * sizeof(uint64_t);
}

void conform_read_only(void *memory, size_t size)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE), at = (uintptr_t) memory % page;
    if (mprotect((char *) memory - at, (size + at + page - 1) / page * page, PROT_READ) != 0)
        abort();
}

/* -- Other processes -------------------------------------------------------------------------- */

void conform_unguard(void *memory, size_t size)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE), at = (uintptr_t) memory % page;
    munmap((char *) memory - at, (size + at + page - 1) / page * page + page);
}

struct child conform_spawn(struct conform *c, char **args)
{
    char self[4096];
    int to[2], from[2];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    need_true(size > 0);
    self[size] = 0;
    args[0] = self;
    need_true(pipe(to) == 0 && pipe(from) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    for (int i = 0; i < 2; i++) {
        posix_spawn_file_actions_addclose(&actions, to[i]);
        posix_spawn_file_actions_addclose(&actions, from[i]);
    }
    struct child child = { .c = c, .in = to[1], .out = from[0] };
    same(posix_spawn(&child.pid, self, &actions, NULL, args, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    return child;
}

void child_end(struct child *child, int signal)
{
    struct conform *c = child->c;
    int status;
    if (signal)
        kill(child->pid, signal);
    close(child->in);
    same(waitpid(child->pid, &status, 0), child->pid);
    if (signal)
        need_true(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    else
        need_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(child->out);
}
