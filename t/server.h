/* server -- for suites of stores behind a real server: the one that t/zookeeper.sh or t/etcd.sh
 * started and what can be done to it, and asking instances that are connected to it.
 */
#ifndef T_SERVER_H
#define T_SERVER_H

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

/* A test of every such store: the server is killed with reads, a lock, an observer and an unlock
 * under way.  Reads are unavailable, the others outlive it. */
void server_dies_under_reads_and_locks(void);

/* After a lost connection: until the store says something else than "not connected". */
br_status server_get_when_back(struct instance *in, const char *path);

#endif
