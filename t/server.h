/* server -- for suites of stores behind a real server: the one that t/zookeeper.sh or t/etcd.sh
 * started and what can be done to it, and asking instances that are connected to it.
 */
#ifndef T_SERVER_H
#define T_SERVER_H

#include <netinet/in.h>

#include "t/conform.h"

/* Whose: "ZK" for ZK_HOSTS, ZK_HOME and ZK_SCRIPT.  Before anything else. */
void server_use(const char *prefix);
const char *server_env(const char *name); /* "HOSTS" ... */

/* Before and after each of its tests the server serves, whatever the one before did to it. */
TCase *server_case(const char *name);

void server_pause(void);
void server_continue(void);
void server_kill(void);
void server_start(void); /* again, on the same data; returns when it serves */

/* Open an instance with these options ("key=value", NULL at the end) beside hosts=; the latter does
 * not wait for the start. */
struct instance *server_instance(const char *first, ...);
struct instance *server_instance_made(const char *first, ...);

/* Take the lock and wait for it: the fence, malloc'ed. */
char *server_lock(struct instance *in, const char *path, const char *value);
void server_ask_lock(struct instance *in, const char *path, const char *value,
                     struct answer *answer);
void server_ask_lost(struct instance *in, const char *fence, struct answer *answer);

/* Ask and wait. */
void server_expect_owner(struct instance *in, const char *path, const char *last, const char *now);
br_status server_commit_fenced(struct instance *in, const char *fence, const char *path);
br_status server_unlock(struct instance *in, const char *fence);
uint32_t server_child_count(struct instance *in, const char *path);
void server_let_pass(br_time time);

/* A port of 127.0.0.1 that is taken and where nobody listens: its socket. */
int server_port_taken(struct sockaddr_in *ret_address);

/* An instance whose start is under way stops: the start is answered as canceled.  Frees both. */
void server_stop_starting(struct instance *in, struct answer *start);

/* Tests of every such store.  The options ("key=value") are refused, with a sentence that has this
 * in it and not "nobody", which stands for a secret. */
void server_options_refused(const char *const given[3], const char *sentence);
void server_stops_while_starting(void);

/* Somebody deletes a waiting candidate's node: it stands again, at once or when the leader has
 * left. */
void server_deleted_candidate_stands_again(bool at_once);

/* Of many that stand at once one leads; one after the other gets it. */
void server_race(void);

/* The server is killed with reads, a lock, an observer and an unlock
 * under way.  Reads are unavailable, the others outlive it. */
void server_dies_under_reads_and_locks(void);

/* After a lost connection: until the store says something else than "not connected". */
br_status server_get_when_back(struct instance *in, const char *path);

#endif
