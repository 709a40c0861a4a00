/* notify -- see notify.h. */
#include "host/core/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

br_status notify_manager(const char *state, struct fail *ret_fail)
{
    const char *path = secure_getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (!path || !*path)
        return BR_OK;
    size_t size = strlen(path);
    if ((*path != '/' && *path != '@') || size >= sizeof to.sun_path)
        return fail_set(
            ret_fail, BR_INVALID,
            "NOTIFY_SOCKET=%s: neither a path nor an abstract name of at most %zu bytes", path,
            sizeof to.sun_path - 1);
    memcpy(to.sun_path, path, size);
    if (*path == '@')
        to.sun_path[0] = 0; /* abstract: in no directory, without a 0 at its end */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + size);
    br_status status = BR_OK;
    if (fd < 0
        || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *) &to, length) < 0)
        status = fail_set(ret_fail, BR_UNAVAILABLE, "NOTIFY_SOCKET=%s: cannot send %s: %s", path,
                          state, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}
