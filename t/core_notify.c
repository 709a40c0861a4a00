/* core_notify -- what a service manager is told. */
#include "t/core.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/core/notify.h"

#define PATH_BYTES_MAX (sizeof((struct sockaddr_un *) 0)->sun_path - 1)

/* A manager's socket: a file of the longest name, or, without a name, an abstract one that the
 * kernel chooses; `name` is what it is for NOTIFY_SOCKET. */
static int manager_new(const char *path, char name[static 128])
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    socklen_t length = sizeof at.sun_family;
    if (path) {
        memcpy(at.sun_path, path, strlen(path));
        length = sizeof at;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &at, length), 0);
    length = sizeof at;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &at, &length), 0);
    if (path)
        snprintf(name, 128, "%s", path);
    else
        snprintf(name, 128, "@%.*s", (int) (length - offsetof(struct sockaddr_un, sun_path)) - 1,
                 at.sun_path + 1);
    return fd;
}

/* One datagram, and no other. */
static void manager_hears(int fd, const char *want)
{
    char text[64] = "";
    ck_assert_int_eq(recv(fd, text, sizeof text - 1, 0), (ssize_t) strlen(want));
    ck_assert_str_eq(text, want);
    ck_assert_int_lt(recv(fd, text, sizeof text, 0), 0);
}

/* The longest path that an address holds, in a directory of the build's whatever its own length. */
static void longest_path(char path[static PATH_BYTES_MAX + 1])
{
    char *dir = test_directory();
    ck_assert_int_eq(chdir(dir), 0);
    free(dir);
    memset(path, 's', PATH_BYTES_MAX);
    path[PATH_BYTES_MAX] = 0;
    memcpy(path, "/proc/self/cwd/", strlen("/proc/self/cwd/"));
}

START_TEST(notify_is_heard)
{
    char path[PATH_BYTES_MAX + 1], name[128];
    longest_path(path);
    int fd = manager_new(_i ? path : NULL, name);
    setenv("NOTIFY_SOCKET", name, 1);
    ck_assert_int_eq(notify_manager("READY=1", NULL), BR_OK);
    manager_hears(fd, "READY=1");
    close(fd);
}
END_TEST

/* Nobody asked; a name that is none, or one byte too long; nobody there; nobody who reads. */
START_TEST(notify_is_not_heard)
{
    char path[PATH_BYTES_MAX + 1], longer[PATH_BYTES_MAX + 2], name[128];
    struct fail fail;
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(notify_manager("READY=1", NULL), BR_OK);
    setenv("NOTIFY_SOCKET", "", 1);
    ck_assert_int_eq(notify_manager("READY=1", NULL), BR_OK);
    longest_path(path);
    snprintf(longer, sizeof longer, "%ss", path);
    const struct {
        const char *name, *says;
        br_status status;
    } wrong[] = {
        { "s", "NOTIFY_SOCKET=s: neither a path nor", BR_INVALID },
        { longer, "of at most 107 bytes", BR_INVALID },
        { path, "cannot send READY=1: No such file", BR_UNAVAILABLE },
        { "@", "cannot send READY=1: Connection refused", BR_UNAVAILABLE },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("NOTIFY_SOCKET", wrong[i].name, 1);
        ck_assert_int_eq(notify_manager("READY=1", &fail), wrong[i].status);
        ck_assert_msg(strstr(fail.text, wrong[i].says) != NULL, "%s", fail.text);
    }
    int fd = manager_new(NULL, name), told = 0;
    setenv("NOTIFY_SOCKET", name, 1);
    while (notify_manager("READY=1", &fail) == BR_OK)
        ck_assert_int_lt(told++, 1000000); /* its queue is full: never waited for */
    ck_assert_ptr_nonnull(strstr(fail.text, strerror(EAGAIN)));
    close(fd);
}
END_TEST

TCase *core_notify_cases(void)
{
    TCase *notify = tcase_create("notify");
    tcase_add_loop_test(notify, notify_is_heard, 0, 2);
    tcase_add_test(notify, notify_is_not_heard);
    return notify;
}
