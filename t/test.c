/* test -- see test.h. */
#include "t/test.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int test_run(const char *name, TCase *first, ...)
{
    Suite *suite = suite_create(name);
    va_list args;
    va_start(args, first);
    for (TCase *tcase = first; tcase; tcase = va_arg(args, TCase *))
        suite_add_tcase(suite, tcase);
    va_end(args);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

const char *test_reference(const char *path)
{
    static char full[4096];
    const char *root = getenv("BRIDLE_REFERENCE");
    struct stat st;
    if (root && *root) {
        snprintf(full, sizeof full, "%s/%s", root, path);
        if (stat(full, &st) == 0)
            return full;
    }
    fprintf(stderr,
            "SKIPPED: no reference data %s: set BRIDLE_REFERENCE or configure "
            "--with-reference=DIR\n",
            path);
    return NULL;
}

static char *test_below(const char *variable, const char *path)
{
    const char *root = getenv(variable);
    struct buf buf = { 0 };
    buf_printf(&buf, "%s/%s", root && *root ? root : ".", path);
    return buf.data;
}

char *test_source(const char *path)
{
    return test_below("top_srcdir", path);
}

char *test_build(const char *path)
{
    return test_below("top_builddir", path);
}

bool test_read(const char *path, struct buf *buf)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char chunk[65536];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_put(buf, chunk, got);
    bool ok = !ferror(file);
    fclose(file);
    return ok;
}

static int test_nibble(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

void test_unhex(const char *hex, size_t size, struct buf *buf)
{
    int high = -1;
    for (size_t i = 0; i < size; i++) {
        if (!isxdigit((unsigned char) hex[i]))
            continue;
        int nibble = test_nibble(hex[i]);
        if (high < 0) {
            high = nibble;
        } else {
            buf_char(buf, (char) (high << 4 | nibble));
            high = -1;
        }
    }
}

void test_vector(const char *name, struct buf *buf)
{
    struct buf path = { 0 };
    struct buf hex = { 0 };
    buf_printf(&path, "t/vectors/%s.hex", name);
    char *full = test_source(path.data);
    ck_assert_msg(test_read(full, &hex), "%s cannot be read", full);
    test_unhex(hex.data, hex.size, buf);
    free(full);
    buf_done(&path);
    buf_done(&hex);
}

char *test_directory(void)
{
    char *root = test_build("t/tmp");
    if (mkdir(root, 0700) != 0 && errno != EEXIST)
        ck_abort_msg("%s: %s", root, strerror(errno));
    struct buf buf = { 0 };
    buf_printf(&buf, "%s/XXXXXX", root);
    free(root);
    ck_assert_ptr_nonnull(mkdtemp(buf.data));
    return buf.data;
}

uint16_t test_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &in, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
    return ntohs(in.sin_port); /* fd stays */
}
