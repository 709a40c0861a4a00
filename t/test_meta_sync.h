/* test_meta_sync -- a meta server that serves a made-up cluster, and replica servers that beacon,
 * sync, take proposals and carry them out: what meta_*.c share.
 */
#ifndef T_TEST_META_SYNC_H
#define T_TEST_META_SYNC_H

#include "t/meta.h"

#define PROPOSALS_MAX 512

/* A proposal as it came. */
struct proposal {
    struct gpid pid;
    int32_t type;
    int64_t ballot;
    int to, node; /* actors' indexes */
};

/* What all replica servers were asked. */
struct seen {
    struct proposal list[PROPOSALS_MAX];
    uint32_t count;
    bool obey;       /* carry them out: answer with an update */
    struct buf body; /* of the last one */
    int32_t thread_hash;
};
extern struct seen seen;

/* Fixture. */
void made_setup(void);
void made_teardown(void);

/* The cluster that is to be served: so many replica servers, tables, records.  Members are actors'
 * indexes, lists end with -1. */
void made_actors(int count);
void made_table(int32_t id, int32_t partitions, int32_t replicas);
struct br_table *made_def(int32_t id); /* of a table made before */
struct partition *made_record(struct gpid pid, int64_t ballot, int primary, const int *secondaries,
                              const int *drops);

/* Into the store, a meta server on it, and a beacon of everybody (but those in `silent`, a set of
 * bits). */
void made_serve(const char *extra, unsigned silent);

void made_beacon(const struct actor *actor);

/* Everybody who is alive has told that it holds nothing beside. */
void made_told(void);

/* The operator's release. */
void made_released(void);

/* The failure detector has not heard of it for too long. */
void made_dead(int actor);

/* The present record. */
const struct partition *made_now(struct gpid pid);
int made_actor_of(int32_t node); /* index of the actor; -1 */
int made_primary(struct gpid pid);

/* One replica of a config sync. */
struct stored {
    struct gpid pid;
    int32_t status;
    int64_t ballot, decree;
};

/* `err` of the answer; the response is decoded into *ret. */
const char *made_sync(int actor, const struct stored *stored, uint32_t count,
                      struct msg_configuration_query_by_node_response *ret);

/* An update, about `node`, with this group; `err` of the answer. */
struct group {
    struct gpid pid;
    int32_t type;
    int node;
    int64_t ballot;
    int primary;
    int secondaries[8]; /* end: -1 */
};
void made_update_body(const struct group *group, struct buf *body);
const char *made_update(const struct group *group, struct msg_configuration_update_response *ret);

const char *made_level(int32_t level);

/* `err` of propose. */
const char *made_propose(struct gpid pid, const struct action *steps, uint32_t count, bool force);

/* Turns until fn() or 20 s have passed, which fails the test; so many turns. */
void made_until(bool (*fn)(void));
void made_turns(int count);

/* What has been logged so far. */
const char *made_logged(void);

TCase *meta_freeze_cases(void);
TCase *meta_guardian_cases(void);
TCase *meta_learner_cases(void);
TCase *meta_update_cases(void);

#endif
