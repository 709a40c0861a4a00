/* stages_amender -- what the suites of amend share: a plan that was applied, and what a server that
 * has returned says.
 */
#ifndef T_STAGES_AMENDER_H
#define T_STAGES_AMENDER_H

#include "host/stage/amend.h"
#include "t/stages_applier.h"

#define RETURNED "10.0.0.4:34801" /* no server of the plan's */
#define LATER    (1700000100 * BR_SECOND)

struct amender_table {
    int32_t id;
    const char *name;
    int32_t partition_count;
};

struct amender_row {
    int32_t table, partition;
    int64_t ballot, committed;
    br_role role; /* 0: inactive */
};

struct amender_said {
    const char *name;               /* NULL: RETURNED */
    struct amender_table tables[3]; /* id 0: none more; "users" of 4 partitions beside them */
    struct amender_row rows[8];     /* table 0: none more; prepared is committed + 1 */
};

struct amender {
    struct applier applier;
    struct kit kit; /* the returned server */
    struct stage_amendment amendment;
    struct fail fail;
    br_status status;
};

/* Applies the plan of stages_cluster, or one without any server's answer but the first two's. */
void amender_init(struct amender *of);

/* Made from what the server says now; may be called once. */
void amender_make(struct amender *of, const struct amender_said *said);

/* The records, a line each: "lost apps/1/3 7", with the ballot held; free() it. */
char *amender_records(const struct amender *of);

/* Is there a finding that holds these words? */
bool amender_found(const struct amender *of, const char *words);

/* Of what was made, in its file and back. */
void amender_reread(struct amender *of);
enum deed_exit amender_apply(struct amender *of);
void amender_done(struct amender *of);

/* Two partitions, one of them newer and one that was lost, and a table that comes back: 5 records.
 */
extern const struct amender_said amender_five;
#define AMENDER_FIVE                                                                               \
    "newer apps/1/0 9\nlost apps/1/3 6\ntable apps/2 0\npartition apps/2/0 5\n"                    \
    "partition apps/2/1 0\n"

#endif
