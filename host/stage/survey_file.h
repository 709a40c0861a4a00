/* survey_file -- what replica servers answered, as a file: written, read, merged.
 *
 *     {"format":"bridle survey","version":1,"second":1700000000,"nodes":[
 *     {"name":"h1:34801","address":"10.0.0.1:34801","asked_ms":...,"answered_ms":...,
 *      "error":"","why":"","tables":[
 *     {"id":2,"status":1,"name":"temp","type":"pegasus","partition_count":8,"replica_count":3,
 *      "init_partition_count":-1,"flags":1,"expire_second":0,"create_second":1700000000,
 *      "drop_second":0,"envs":["key","value"]}
 *     ],"replicas":[
 *     [2,0,1,7,120,120,118,"pegasus","ssd1"]
 *     ]}
 *     ]}
 *
 * Keys in this order.  Times are the wall clock's, unix milliseconds; answered_ms is 0 where the
 * node is silent, and then `error` and `why` say why.  A replica is [table id, partition, role,
 * ballot, committed, prepared, durable decree, type, disk]; roles, statuses and flags are
 * <bridle/types.h>'s numbers.  An address that is not known is "".  Strings that are not UTF-8
 * (environments may be that) keep their bytes.
 *
 * In memory a survey of a file is recovery/survey.h's, but asked_at and answered_at are wall-clock
 * times.
 */
#ifndef HOST_STAGE_SURVEY_FILE_H
#define HOST_STAGE_SURVEY_FILE_H

#include "host/base/buf.h"
#include "host/recovery/survey.h"
#include "host/stage/reader.h"

#define STAGE_FILE_MAX    (UINT64_C(4) << 30) /* bytes of a file that is read */
#define STAGE_SURVEYS_MAX 1024                /* merged at once */
#define STAGE_NODES_MAX   BR_NODES_MAX
#define STAGE_VERSION     1

/* A survey just made: its times from the loop's clock to the wall's, cut to milliseconds. */
void survey_to_wall(struct survey *survey, br_time now);

void survey_put(const struct survey *survey, struct buf *buf);

/* The survey, survey_free()'s; NULL and *reader's sentence. */
struct survey *survey_get(struct reader *reader);

/* The whole file.  `text` is changed. */
struct survey *survey_parse(const char *file, char *text, size_t size, struct fail *ret_fail);
struct survey *survey_load(const char *file, struct fail *ret_fail);

/* A whole file, NUL-terminated; false: a sentence. */
bool stage_read_file(const char *file, struct buf *ret_buf, struct fail *ret_fail);

/* To a file as a whole or not at all: beside it, synced, then renamed. */
bool stage_write_file(const char *file, const struct buf *buf, struct fail *ret_fail);

/* What is assumed of nodes, by name; NULL-terminated lists, NULL: none. */
struct survey_assume {
    const char *const *dead; /* counts as silent, ERR_ASSUMED_DEAD */
    const char *const *back; /* its newest answer counts, though it is silent in a newer survey */
};

/* One survey of several: nodes in the order in which they first stand, of each the newest (of equal
 * ones that of the later file), whether it answered or not.  Each replaced answer is a line in
 * `notes`.  Takes over and frees what it is given, also where it fails: NULL, and a sentence. */
struct survey *survey_merge(struct survey **surveys, const char *const *files, uint32_t count,
                            const struct survey_assume *assume, struct buf *notes,
                            struct fail *ret_fail);

/* Rows that a file gave, as those of the node with this index.  Returns how many replicas. */
uint64_t survey_renumber(const struct br_chunk *tables, const struct br_chunk *replicas,
                         int32_t index);

#endif
