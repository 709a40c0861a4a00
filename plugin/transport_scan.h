/* transport_scan -- what its files share.
 *
 * The loop thread parses options and queues jobs (transport_scan.c).  A job is one server; its data
 * directories are its parts, each read by one of the worker threads (scan_dir.c); whoever ends the
 * last part puts them together and replies (scan_reply.c).  Both questions about a server that are
 * asked at once are answered from one job.
 */
#ifndef PLUGIN_TRANSPORT_SCAN_H
#define PLUGIN_TRANSPORT_SCAN_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <bridle/plugin.h>

#include "host/base/arena.h"
#include "host/base/fail.h"

#define SCAN_THREADS_MAX  64
#define SCAN_REPLICAS_MAX 1000000 /* names in one data directory */
#define SCAN_NOTES_MAX    100     /* sentences logged about one data directory */

/* One entry of `dirs`: "[NODE=][TAG:]PATH". */
struct scan_place {
    const char *node; /* "host:port", or the path where no server is named */
    const char *tag;
    const char *path;
};

struct scan_node {
    const char *name;
    const struct scan_place **places;
    uint32_t count;
};

/* What one data directory holds. */
struct scan_part {
    const struct scan_place *place;
    struct arena arena;      /* strings */
    struct br_replica *rows; /* .type and .disk as in a row; .node is not set */
    struct br_table *tables; /* one an id, in the order met */
    uint32_t count, table_count;
    uint32_t notes;
    struct fail fail; /* .status BR_OK: read */
    const char *code; /* the error's name, where there is one */
};

enum { SCAN_TABLES = 0, SCAN_REPLICAS = 1, SCAN_KINDS = 2 };

struct scan_job {
    TAILQ_ENTRY(scan_job) link;
    const struct scan_node *node;
    struct br_call *calls[SCAN_KINDS]; /* the mutex's; NULL: not asked, or given up */
    int32_t index[SCAN_KINDS];
    struct scan_part *parts; /* as many as node->count */
    uint32_t next, left;     /* the mutex's: parts to begin, to end */
    bool ready;              /* the mutex's: workers may take it */
    _Atomic bool given_up;   /* nobody waits any more */
};

struct scan {
    const char *const *dirs; /* options */
    int64_t threads;

    struct br_env *env;
    struct arena arena; /* places, nodes */
    struct scan_place *places;
    struct scan_node *nodes;
    uint32_t place_count, node_count;

    pthread_t workers[SCAN_THREADS_MAX];
    uint32_t worker_count; /* loop thread */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    TAILQ_HEAD(, scan_job) jobs; /* all that have not ended */
    uint32_t running;            /* workers that have not ended */
    bool stopping;
    struct br_call *stop;
};

/* Read job's part; what is left out or can be salvaged is logged.  Any thread. */
void scan_dir(struct scan *scan, struct scan_job *job, struct scan_part *part);

/* All parts to an answer of each call that is not NULL. */
void scan_reply(struct scan_job *job, struct br_call *const calls[SCAN_KINDS]);

#endif
