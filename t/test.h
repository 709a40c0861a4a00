/* test -- what every suite shares: running a suite, reference data, a loop to wait on.
 *
 * A suite is `int main(void) { return test_run("name", tcase, ...); }`.
 */
#ifndef T_TEST_H
#define T_TEST_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/buf.h"

/* Run the cases (NULL at the end) with one line per test; 0: all passed, 77: nothing ran because
 * test_skip was called in main.  CK_FORK=no in the environment runs them in this process. */
int test_run(const char *name, TCase *first, ...);

/* The path of captured reference data ("spec/vectors"), or NULL after saying loudly on stderr that
 * what needs it is skipped.  Static memory until the next call. */
const char *test_reference(const char *path);

/* The path of a file of the source tree ("t/corpus/frame"); of the build tree.  malloc'ed. */
char *test_source(const char *path);
char *test_build(const char *path);

/* A whole file; false: it cannot be read.  buf is appended to. */
bool test_read(const char *path, struct buf *buf);

/* Hex text (white space ignored) to bytes, appended. */
void test_unhex(const char *hex, size_t size, struct buf *buf);

/* The bytes of t/vectors/NAME.hex, appended; the test fails where it is not there. */
void test_vector(const char *name, struct buf *buf);

/* A fresh empty directory below the build tree's t/tmp; malloc'ed. */
char *test_directory(void);

/* A port of 127.0.0.1 on which nobody listens: the kernel's choice.  It stays this process's until
 * it ends: a socket is bound to it that never listens, so that neither an outgoing connection nor
 * another test gets it while a server is down that comes back.  Servers listen there beside it
 * with SO_REUSEADDR, set on the one that is held after it was bound alone. */
uint16_t test_port(void);

#endif
