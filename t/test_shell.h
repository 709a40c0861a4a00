/* test_shell -- what the suite's files share: a meta server made of one function, in a process of
 * its own, and commands run with their output kept.
 */
#ifndef T_TEST_SHELL_H
#define T_TEST_SHELL_H

#include <sys/types.h>

#include "host/rdsn/server.h"
#include "host/shell/shell.h"
#include "t/test.h"

struct fake {
    pid_t pid;
    uint64_t address;
    char node[ADDRESS_TEXT_MAX]; /* "127.0.0.1:PORT" */
};

typedef void fake_request(struct rdsn_incoming *incoming, const void *arg);

/* A server whose every request goes to `request`; it is gone with this process. */
void fake_start(struct fake *fake, fake_request *request, const void *arg);
void fake_stop(struct fake *fake);

/* Answer with a response struct. */
void fake_reply(struct rdsn_incoming *incoming, const struct wire_schema *schema,
                const void *response);

/* Answer as a meta server that refuses: only the body's err. */
void fake_error(struct rdsn_incoming *incoming, const char *error);

/* "127.0.0.1:PORT" where connections are refused as long as this process lives. */
void fake_refused(char node[ADDRESS_TEXT_MAX]);

/* One command line against these meta servers (comma-separated). */
struct ran {
    int status;
    char *out, *err;
};
struct ran run_line(const char *metas, enum wire_peer peer, const char *line);
void ran_free(struct ran *ran);

/* Run it, compare everything, free it. */
void check_line(const char *metas, const char *line, int status, const char *out, const char *err);

/* A cluster of one table, "temp", with a whole partition, one of one replica and one of none; three
 * nodes, of which one is dead. */
struct cluster_of {
    bool named; /* hp_* fields and atomic_idempotent, as from 2.6 on */
};
void made_request(struct rdsn_incoming *incoming, const void *cluster_of);
extern const char app_temp[]; /* what `app temp` prints of it; ls -d */
extern const char ls_detailed[];

TCase *test_shell_meta(void);
TCase *test_shell_fail(void);
TCase *test_shell_recover(void);
TCase *test_shell_prompt(void);

#endif
