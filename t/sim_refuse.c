/* sim_refuse -- a recovery in a child process to which the system refuses one allocation, of ours
 * or of a library: it must end by itself with a sentence, or go on; nothing half visible is left,
 * and asking again finishes it.
 *
 * malloc, calloc and realloc of this program are its own (GNU libc's under other names); where a
 * sanitizer has them already, there is nothing to refuse.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "t/sim.h"

enum { CHILD_RECOVERED = 0, CHILD_ANSWERED = 40, CHILD_BROKEN = 41 };

static uint64_t refuse_at, refuse_count;

void sim_refuse_at(uint64_t nth)
{
    refuse_at = nth;
    refuse_count = 0;
}

uint64_t sim_refuse_count(void)
{
    return refuse_count;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define REFUSE_WORKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)                            \
    || __has_feature(memory_sanitizer)
#define REFUSE_WORKS 0
#endif
#endif
#ifndef REFUSE_WORKS
#define REFUSE_WORKS 1
#endif

bool sim_refuse_works(void)
{
    return REFUSE_WORKS;
}

#if REFUSE_WORKS
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* By the libraries, too. */
#define SEEN __attribute__((visibility("default")))

static bool refuse_this(void)
{
    if (++refuse_count != refuse_at)
        return false;
    errno = ENOMEM;
    return true;
}

SEEN void *malloc(size_t size)
{
    return refuse_this() ? NULL : __libc_malloc(size);
}

SEEN void *calloc(size_t count, size_t size)
{
    return refuse_this() ? NULL : __libc_calloc(count, size);
}

SEEN void *realloc(void *old, size_t size)
{
    return refuse_this() ? NULL : __libc_realloc(old, size);
}
#endif

/* -- One child --------------------------------------------------------------------------------- */

struct refusals {
    uint64_t tried, ended, answered, went_on;
    int said; /* a file in memory: what the child says on stderr */
};

static _Noreturn void refuse_child(int said, uint64_t nth)
{
    dup2(said, STDERR_FILENO);
    dup2(said, STDOUT_FILENO);
    sim_refuse_at(nth);
    sim_world_config();
    enum sim_end end = sim_sweep_live();
    sim_refuse_at(0);
    if (sim.broken)
        _exit(CHILD_BROKEN);
    _exit(end == END_RECOVERED ? CHILD_RECOVERED : CHILD_ANSWERED);
}

static const char *refuse_said(int said)
{
    static char text[4096];
    ssize_t got = pread(said, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void refuse_judge(struct refusals *refusals, uint64_t nth, int status)
{
    const char *said = refuse_said(refusals->said);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == MEM_EXIT && strstr(said, "out of memory"))
        refusals->ended++;
    else if (code == CHILD_RECOVERED)
        refusals->went_on++;
    else if (code == CHILD_ANSWERED || code == META_EXIT_REFUSED)
        refusals->answered++;
    else
        sim_break("allocation %llu is refused: the process ends with %s %d and says \"%s\"",
                  (unsigned long long) nth, WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : code, said);
}

static void refuse_one(struct refusals *refusals, uint64_t nth)
{
    char name[64];
    int status;
    sim_sweep_restore();
    if (ftruncate(refusals->said, 0) != 0 || lseek(refusals->said, 0, SEEK_SET) != 0)
        sim_break("a file in memory cannot be emptied");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        refuse_child(refusals->said, nth);
    if (child < 0 || waitpid(child, &status, 0) != child) {
        sim_break("no child process: %s", strerror(errno));
        return;
    }
    refusals->tried++;
    refuse_judge(refusals, nth, status);
    if (sim_disk->holder == HOLDER_US) {
        sim_disk->holder = HOLDER_DEAD;
        sim_disk->holder_until = sim.now + BR_SECOND;
    }
    snprintf(name, sizeof name, "allocation %llu was refused", (unsigned long long) nth);
    sim_sweep_finish(name);
}

int sim_every_refusal(uint32_t step)
{
    struct refusals refusals = { 0 };
    if (!sim_refuse_works()) {
        printf("SKIPPED: allocations are not refused: a sanitizer has the allocator\n");
        return 0;
    }
    sim_sweep_begin();
    sim_sweep_restore();
    sim_refuse_at(0);
    sim_world_config();
    sim_sweep_live();
    uint64_t count = sim_refuse_count();
    sim_bury();
    refusals.said = memfd_create("said", MFD_CLOEXEC);
    for (uint64_t nth = 1; nth <= count && !sim.broken; nth += step)
        refuse_one(&refusals, nth);
    close(refusals.said);
    printf(
        "every refusal: %llu allocations, %llu of them refused; %llu times the process ended "
        "with status %d and its sentence, %llu times it told and %llu times it went on; all were "
        "finished when asked again\n",
        (unsigned long long) count, (unsigned long long) refusals.tried,
        (unsigned long long) refusals.ended, MEM_EXIT, (unsigned long long) refusals.answered,
        (unsigned long long) refusals.went_on);
    sim_sweep_end();
    return sim.broken;
}
