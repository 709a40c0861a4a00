/* judge_kit -- surveys made by hand, judged by the real policy: for the suites of policy and judge.
 */
#ifndef T_JUDGE_KIT_H
#define T_JUDGE_KIT_H

#include "host/core/loop.h"
#include "host/model/layout.h"
#include "host/recovery/judge.h"
#include "t/test.h"

struct kit_node {
    struct br_table *tables;
    struct br_replica *replicas;
    uint32_t table_count, replica_count;
    struct br_chunk chunks[2];
};

struct kit {
    struct arena arena;
    struct loop *loop;
    struct plugin policy;
    struct survey survey;
    struct kit_node *nodes;
    struct findings findings;
    struct cluster cluster;
    struct fail fail;
    struct buf text; /* the findings */
    br_status status;
};

extern const struct br_plugin bridle_policy_pegasus;
extern const struct br_plugin bridle_policy_strict; /* linked where they are tested */
extern const struct br_plugin bridle_policy_newest;

/* yaml: the policy's options, "" for the defaults; consents: NULL-terminated or NULL. */
void kit_init(struct kit *kit, const char *yaml, const char *const *consents);
void kit_init_with(struct kit *kit, const struct br_plugin *desc, const char *yaml,
                   const char *const *consents);
void kit_done(struct kit *kit);

/* The nodes 10.0.0.1:34801, 10.0.0.2:34801 ... */
void kit_nodes(struct kit *kit, uint32_t count);
void kit_node(struct kit *kit, const char *name, uint64_t address);
void kit_silent(struct kit *kit, int32_t node, const char *error);

/* An available table of three replicas, as one node describes it; to be changed at will. */
struct br_table *kit_table(struct kit *kit, int32_t node, int32_t id, const char *name,
                           int32_t partition_count);
/* The same on every node. */
void kit_table_everywhere(struct kit *kit, int32_t id, const char *name, int32_t partition_count);

struct br_replica *kit_replica(struct kit *kit, int32_t node, int32_t id, int32_t partition,
                               int64_t ballot, int64_t committed, int64_t prepared);

/* Make the nodes' rows the survey's chunks; they must not grow any more. */
void kit_pack(struct survey *survey, struct kit_node *nodes);

/* Judge; fills status, text, cluster. */
void kit_judge(struct kit *kit);
bool kit_pass(const struct kit *kit);

/* Is this one of the lines found?  And nothing but these lines (each ended by '\n')? */
void kit_has(const struct kit *kit, const char *line);
void kit_has_not(const struct kit *kit, const char *part);
void kit_is(const struct kit *kit, const char *lines);

/* "primary,drop,drop" by node numbers from 1, "-" for none; static memory. */
const char *kit_group(const struct kit *kit, int32_t id, int32_t index);

/* Numbers from a seed, the same everywhere. */
struct random {
    uint64_t state;
};

uint32_t random_below(struct random *random, uint32_t limit);

#endif
