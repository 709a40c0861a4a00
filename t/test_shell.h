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

/* Several lines, one after the other, with `input` (NULL: none) for what they ask. */
struct ran run_lines(const char *metas, enum wire_peer peer, const char *lines, const char *input);
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

/* -- A server that follows a script (shell_script.c) --------------------------------------------
 */

#define SCRIPT_STEPS_MAX 16
#define SCRIPT_BODY_MAX  4096

/* The request that comes next, and what it is answered.  A last one with an empty rpc ends it; a
 * request that is not the next one is answered ERR_HANDLER_NOT_FOUND. */
struct step {
    const char *rpc;
    const char
        *error;     /* the body's err, with its hint behind a '|'; of RPC_CLI_CLI_CALL the reply */
    int32_t number; /* app id, level, count; of a partition's query: how many are ready */
    const void *response; /* the whole response instead, of the RPC's struct */
};

struct script {
    struct fake fake;
    struct step steps[SCRIPT_STEPS_MAX];
    struct script_taken {           /* in memory shared with the server */
        uint32_t count;             /* requests */
        char wrong[RDSN_NAME_SIZE]; /* the first that was not the next one; "" */
        struct {
            size_t size;
            char body[SCRIPT_BODY_MAX];
        } requests[SCRIPT_STEPS_MAX];
    } * taken;
};
void script_start(struct script *script, const struct step *steps);

/* Run a line and compare everything; each step was taken. */
void script_line(struct script *script, enum wire_peer peer, const char *line, const char *input,
                 int status, const char *out, const char *err);
void script_stop(struct script *script);

/* Request `index` is byte for byte a captured one ("golden/..."), which has a header. */
void script_same(const struct script *script, uint32_t index, const char *path);

/* Decode request `index`; what it points to is in the arena. */
void script_request(const struct script *script, uint32_t index, const struct wire_schema *schema,
                    struct arena *arena, void *ret_request);

TCase *test_shell_meta(void);
TCase *test_shell_table(void);
TCase *test_shell_ddd(void);
TCase *test_shell_fail(void);
TCase *test_shell_recover(void);
TCase *test_shell_prompt(void);
TCase *test_shell_consent(void);

#endif
