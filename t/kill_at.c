/* kill_at -- preloaded into a server (LD_PRELOAD) by scripts that want it dead, or stopped, at one
 * exact moment: it kills itself right after the KILL_NTH-th line to standard error that contains
 * KILL_AT.  With SIGKILL; where KILL_STOPS is set with SIGSTOP, so that something can be done to
 * others in that moment.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) ssize_t write(int fd, const void *bytes, size_t size)
{
    static _Atomic int hits;
    ssize_t put = syscall(SYS_write, fd, bytes, size);
    const char *at = fd == STDERR_FILENO ? getenv("KILL_AT") : NULL;
    const char *nth = getenv("KILL_NTH");
    if (at && put > 0 && memmem(bytes, size, at, strlen(at))
        && atomic_fetch_add(&hits, 1) + 1 == (nth ? strtol(nth, NULL, 10) : 1))
        kill(getpid(), getenv("KILL_STOPS") ? SIGSTOP : SIGKILL);
    return put;
}
