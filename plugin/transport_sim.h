/* transport_sim -- what its files share.
 *
 * A cluster is made from a seed: nothing of it is kept, every row is a function of the seed, the
 * options, and its table, partition and slot (sim_made.c).  Partitions are dealt out in rounds of
 * as many as there are servers; in each round, by a permutation of its own, every server has every
 * slot once: slot 0 is the primary's, those below `replicas` the secondaries', and the last one
 * that of a learner or of a replica that was left behind.  So a server finds its own rows without
 * looking at others'.
 *
 * Each fault is decided by a hash of its own: to turn one on changes nothing but what it is about.
 */
#ifndef PLUGIN_TRANSPORT_SIM_H
#define PLUGIN_TRANSPORT_SIM_H

#include <sys/queue.h>

#include <bridle/plugin.h>

#define SIM_PARTITIONS_MAX 4194304 /* of all tables together, as the host's */
#define SIM_SHARE_MAX      1000000 /* shares are parts of a million */
#define SIM_DISKS_MAX      8
#define SIM_LATENCY_MAX    (10 * BR_MINUTE)
#define SIM_ANSWERS_MAX    1000000 /* of lease_answers */
#define SIM_TURN_MAX       1024    /* rounds of partitions looked at in one turn of the loop */
#define SIM_CHUNK_MAX      1024    /* rows of one chunk */
#define SIM_ROWS_MAX       3       /* rows of one slot */
#define SIM_NAME_MAX       32      /* bytes of a server's or a table's name, NUL included */

/* What is wrong with a server, with a table: at most one thing. */
enum sim_server {
    SIM_SERVER_WELL = 0,
    SIM_SERVER_DOWN,       /* nobody listens */
    SIM_SERVER_SILENT,     /* it never answers */
    SIM_SERVER_REFUSING,   /* it answers ERR_BUSY */
    SIM_SERVER_CUT,        /* its answer is not whole */
    SIM_SERVER_RESTARTING, /* down at the first question, restarted at the second */
    SIM_SERVER_SLOW,
};

enum sim_table {
    SIM_TABLE_WELL = 0,
    SIM_TABLE_DROPPED,
    SIM_TABLE_FORGOTTEN,   /* nothing of it is left */
    SIM_TABLE_UNDESCRIBED, /* its replicas are there, and no server describes it */
    SIM_TABLE_RENAMED,     /* some servers know its old name only */
    SIM_TABLE_CONFLICTING, /* some servers know another table of this id */
    SIM_TABLE_NAMESAKE,    /* its name is that of other tables, too */
};

enum { SIM_TABLES = 0, SIM_REPLICAS = 1, SIM_KINDS = 2 }; /* the questions */
enum { SIM_INACTIVE = 0, SIM_SERVING = 1 };               /* `roles` */
enum { SIM_FIXED = 0, SIM_EVEN = 1, SIM_LONG = 2 };       /* `spread` */

struct sim_job;
TAILQ_HEAD(sim_jobs, sim_job);

struct sim {
    /* Options; transport_sim.c describes them. */
    int64_t seed, servers, tables, partitions, partitions_max, replicas, disks;
    const char *first;
    int32_t roles, spread;
    int64_t lease_answers;
    br_time latency, slow_latency;
    int64_t down, silent, refusing, cut, restarting, slow;                    /* servers */
    int64_t dropped, forgotten, undescribed, renamed, conflicting, namesakes; /* tables */
    int64_t lost, inverted, learners, leftovers, splits, outside; /* of a million partitions */
    int64_t missing, stale, errors, twice, no_ballot;             /* of a million replicas */

    uint32_t address; /* of `first`, IPv4 in host order */
    uint16_t port;
    uint32_t asked[SIM_KINDS][BR_NODES_MAX]; /* how often each server was */
    struct sim_jobs waiting;                 /* for their time */
    struct sim_jobs ready;
    bool posted; /* a turn is */
};

/* The group behind a partition: what was acknowledged to clients is in every replica of this ballot
 * that has prepared up to `committed`. */
struct sim_group {
    int64_t ballot, committed;
    int64_t prepared; /* of the group's members */
    uint64_t hash;
    bool lost, inverted, learner, leftover;
    bool split, outside; /* there are replicas of partitions that the table does not have */
};

/* Numbers up to 2^64 from numbers: the same everywhere. */
uint64_t sim_hash(uint64_t key, uint64_t value);

/* A permutation of 0 .. count - 1 by key, and back; count up to 65536. */
uint32_t sim_permute(uint64_t key, uint32_t count, uint32_t value);
uint32_t sim_permute_back(uint64_t key, uint32_t count, uint32_t value);

/* Servers count from 0, tables (their ids) from 1. */
enum sim_server sim_server_fault(const struct sim *sim, uint32_t server);
enum sim_table sim_table_fault(const struct sim *sim, int32_t table);

/* How long the server takes for its answer number `nth`. */
br_time sim_delay(const struct sim *sim, uint32_t server, int kind, uint32_t nth);

int32_t sim_partition_count(const struct sim *sim, int32_t table);
int32_t sim_rounds(const struct sim *sim, int32_t table);

/* Slots of a partition; whose one is. */
uint32_t sim_slots(const struct sim *sim);
uint32_t sim_slot_server(const struct sim *sim, int32_t table, int32_t partition, uint32_t slot);

/* The server's place in a round, and which partition it has there in a slot (-1: none). */
uint32_t sim_place(const struct sim *sim, int32_t table, int32_t round, uint32_t server);
int32_t sim_slot_partition(const struct sim *sim, int32_t table, int32_t round, uint32_t place,
                           uint32_t slot);

void sim_group(const struct sim *sim, int32_t table, int32_t partition, struct sim_group *ret);

/* The rows that the server of a slot reports of it, and how many; all but `node` set. */
uint32_t sim_rows(const struct sim *sim, int32_t table, int32_t partition,
                  const struct sim_group *group, uint32_t slot,
                  struct br_replica ret_rows[SIM_ROWS_MAX]);

/* The definition that this server gives of a table; all but `node` set, .name is `name`. */
void sim_table(const struct sim *sim, int32_t table, uint32_t server, char name[SIM_NAME_MAX],
               struct br_table *ret);

#endif
