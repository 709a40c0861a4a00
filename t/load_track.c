/* load_track -- see load.h.  A file of lines: "table ID", "partition INDEX DECREE",
 * "key NUMBER DONE BEGUN".
 */
#include "t/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "host/base/number.h"

void track_grow(struct track *track, int32_t count)
{
    if (count <= track->partition_count || count > LOAD_PARTITIONS_MAX)
        return;
    track->partitions = mem_grow(track->partitions, (size_t) count * sizeof *track->partitions);
    for (int32_t i = track->partition_count; i < count; i++)
        track->partitions[i] = (struct load_partition){ .decree = -1 };
    track->partition_count = count;
}

void track_done(struct track *track)
{
    free(track->partitions);
    free(track->keys);
}

/* Numbers behind a line's word; false: not so many. */
static bool track_numbers(char *rest, int64_t *numbers, int count)
{
    for (int i = 0; i < count; i++) {
        const char *word = strsep(&rest, " \n");
        if (!word || !number_i64(word, strlen(word), &numbers[i]) || numbers[i] < 0)
            return false;
    }
    return true;
}

static bool track_line(struct track *track, char *line)
{
    int64_t n[3];
    char *rest = line;
    const char *word = strsep(&rest, " ");
    if (strcmp(word, "table") == 0 && track_numbers(rest, n, 1) && n[0] <= INT32_MAX) {
        track->app_id = (int32_t) n[0];
    } else if (strcmp(word, "partition") == 0 && track_numbers(rest, n, 2)
               && n[0] < LOAD_PARTITIONS_MAX) {
        track_grow(track, (int32_t) n[0] + 1);
        track->partitions[n[0]].decree = n[1];
    } else if (strcmp(word, "key") == 0 && track_numbers(rest, n, 3) && n[0] < track->key_count
               && n[1] <= n[2] && n[2] <= UINT32_MAX) {
        track->keys[n[0]].done = (uint32_t) n[1];
        track->keys[n[0]].begun = (uint32_t) n[2];
    } else {
        return false;
    }
    return true;
}

br_status track_read(struct track *track, const char *path, struct fail *ret_fail)
{
    char *line = NULL;
    size_t size = 0;
    unsigned number = 0;
    br_status status = BR_OK;
    FILE *file = fopen(path, "r");
    if (!file && errno == ENOENT)
        return BR_OK;
    if (!file)
        return fail_set(ret_fail, BR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    while (status == BR_OK && getline(&line, &size, file) > 0) {
        number++;
        if (!track_line(track, line))
            status = fail_set(ret_fail, BR_CORRUPT,
                              "%s:%u is no line of a record, or of one with more keys than --keys",
                              path, number);
    }
    free(line);
    fclose(file);
    return status;
}

static void track_print(const struct track *track, FILE *file)
{
    fprintf(file, "table %d\n", track->app_id);
    for (int32_t i = 0; i < track->partition_count; i++)
        if (track->partitions[i].decree >= 0)
            fprintf(file, "partition %d %lld\n", i, (long long) track->partitions[i].decree);
    for (uint32_t i = 0; i < track->key_count; i++)
        if (track->keys[i].begun > 0)
            fprintf(file, "key %u %u %u\n", i, track->keys[i].done, track->keys[i].begun);
}

br_status track_write(const struct track *track, const char *path, struct fail *ret_fail)
{
    struct buf other = { 0 };
    buf_printf(&other, "%s.new", path);
    FILE *file = fopen(other.data, "w");
    bool ok = file != NULL;
    if (file) {
        track_print(track, file);
        ok = !ferror(file);
        ok = fclose(file) == 0 && ok;
    }
    br_status status = BR_OK;
    if (!ok || rename(other.data, path) != 0)
        status = fail_set(ret_fail, BR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    buf_done(&other);
    return status;
}
