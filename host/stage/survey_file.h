/* survey_file -- what replica servers answered, as a file: written and merged; survey_read.h has
 * the format, and reads it.
 *
 * In memory a survey of a file is recovery/survey.h's, but asked_at and answered_at are wall-clock
 * times.
 */
#ifndef HOST_STAGE_SURVEY_FILE_H
#define HOST_STAGE_SURVEY_FILE_H

#include "host/base/buf.h"
#include "host/recovery/survey.h"

#define STAGE_FILE_MAX    (UINT64_C(4) << 30) /* bytes of a file that is read */
#define STAGE_SURVEYS_MAX 1024                /* merged at once */
#define STAGE_NODES_MAX   BR_NODES_MAX
#define STAGE_VERSION     SURVEY_VERSION

/* A survey just made: its times from the loop's clock to the wall's, cut to milliseconds. */
void survey_to_wall(struct survey *survey, br_time now);

void survey_put(const struct survey *survey, struct buf *buf);

/* A whole file. */
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
