/* session -- the shell's questions to the cluster: one after the other or many at once.
 *
 * A question without a node goes to the meta servers: the one that leads as far as known, else the
 * first of the list.  A server that cannot be reached makes way for the next one; a server that
 * does not lead and names the leader (ERR_FORWARD_TO_OTHERS) is believed.  A server that took the
 * question and does not answer is waited for until the deadline, as asking another would not help.
 */
#ifndef HOST_SHELL_SESSION_H
#define HOST_SHELL_SESSION_H

#include <string.h>

#include "host/base/number.h"
#include "host/rdsn/client.h"
#include "host/rdsn/message.h"
#include "host/rdsn/table_client.h"

#define SESSION_METAS_MAX 16
#define SESSION_HOPS_MAX  4  /* forwards of one question */
#define SESSION_PARALLEL  64 /* questions under way at once */
#define SESSION_TIMEOUT   (10 * BR_SECOND)
#define SESSION_WHY_MAX   512
#define SESSION_PAUSE_MIN (BR_SECOND / 4)
#define SESSION_PAUSE_MAX (2 * BR_SECOND)

struct session;

struct exchange {
    const char *rpc;
    const char *node;    /* NULL: the meta servers */
    const void *request; /* the RPC's request struct */
    void *response;      /* its response struct, or `const char **` where that is a string */
    struct arena *arena; /* what the response points to */
    br_time timeout;     /* of all attempts together; 0: SESSION_TIMEOUT */
    void (*take)(struct exchange *exchange); /* on the answer, whatever it is; NULL: none */
    void *arg;

    /* The answer.  error is "ERR_OK" only where the response says so itself. */
    char error[RDSN_NAME_SIZE];
    char why[SESSION_WHY_MAX]; /* a sentence where no usable answer came; else "" */

    /* The session's own. */
    struct session *session;
    struct buf body;
    br_time deadline;
    uint32_t tried, hops;
    bool by_leader;
};

static inline bool exchange_ok(const struct exchange *exchange)
{
    return strcmp(exchange->error, "ERR_OK") == 0;
}

/* `metas`: "host:port,host:port"; NULL and a sentence where it is not that. */
struct session *session_new(const char *metas, enum wire_peer peer, struct fail *ret_fail);
void session_free(struct session *session);

/* The meta servers, NULL-terminated. */
const char *const *session_metas(const struct session *session);
enum wire_peer session_peer(const struct session *session);

/* Ask all of them and come back when each was answered or given up.  `tick` (may be NULL) is
 * called once a second meanwhile, with 0, 1, 2 ... */
void session_run(struct session *session, struct exchange *exchanges, size_t count,
                 void (*tick)(void *arg, int second), void *arg);

/* Ask one question and come back; whether the answer is ERR_OK. */
bool session_ask(struct session *session, struct exchange *exchange);

/* The session's client of this table, made when it is first asked for and kept until another table
 * is: valid until then.  NULL: it cannot be had. */
struct table_client *session_table(struct session *session, const char *table,
                                   struct fail *ret_fail);

/* Run what goes on until *done, which a callback sets. */
void session_until(struct session *session, const bool *done);

/* Waiting for a state of the cluster: one pause before each look, from SESSION_PAUSE_MIN on twice
 * as long each time, until the deadline. */
struct session_pace {
    br_time deadline, pause;
};
void session_pace_start(struct session_pace *pace, br_time timeout);

/* One pause, cut at the deadline; false, at once, where the deadline is over. */
bool session_wait(struct session *session, struct session_pace *pace);

/* Cut "a:1, b:2" at its commas into host:port each, spaces trimmed, empty pieces dropped.  Returns
 * a NULL-terminated array in the arena, or NULL with *ret_bad the piece that is no host:port. */
const char *const *session_split(struct arena *arena, const char *text, const char **ret_bad);

#endif
