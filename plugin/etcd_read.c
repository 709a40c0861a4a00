/* etcd_read -- many paths in a few transactions that only read, over several connections; and a
 * node's children, page by page at one revision.  etcd answers with what was committed before it
 * was asked, whichever connection that came over.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/store_etcd.h"

static const br_bytes nothing = { NULL, 0 };

enum etcd_lane etcd_read_lane(const struct etcd *etcd)
{
    int best = ETCD_LANE_READ;
    for (int i = best; i < ETCD_LANES; i++)
        if (etcd->lines[i].count < etcd->lines[best].count)
            best = i;
    return (enum etcd_lane) best;
}

/* -- Values ------------------------------------------------------------------------------------ */

struct reading {
    struct br_call *call;
    const char *const *paths;
    struct br_value *values;
    uint32_t count;
    uint32_t issued;
    uint32_t parts; /* under way */
    br_status status;
    char why[256];
};

struct part {
    struct reading *reading;
    uint32_t first, count;
};

static void reading_go(struct etcd *etcd, struct reading *reading);

static void reading_fail(struct reading *reading, br_status status, const char *path,
                         const char *why)
{
    if (reading->status != BR_OK)
        return;
    reading->status = status;
    snprintf(reading->why, sizeof reading->why, "%.100s: %s", path, why);
}

static bool reading_take(struct reading *reading, uint32_t index, const json_t *range)
{
    struct br_value *row = &reading->values[index];
    const json_t *kv = etcd_kv(range);
    *row = (struct br_value){ .status = BR_NOTFOUND };
    if (!kv)
        return range != NULL;
    const char *text = json_string_value(json_object_get(kv, "value"));
    size_t size;
    if (!text)
        return false;
    char *value = br_rows(reading->call, strlen(text) / 4 * 3 + 1);
    row->status = BR_OK;
    return etcd_unbase64(text, value, &size) && etcd_value(value, size, &row->version, &row->value);
}

static void part_done(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct part *part = arg;
    struct reading *reading = part->reading;
    if (reply->status != BR_OK)
        reading_fail(reading, reply->status, reading->paths[part->first], reply->why);
    for (uint32_t i = 0; i < part->count && reading->status == BR_OK; i++) {
        const json_t *range = etcd_response(reply->json, i, "response_range");
        if (!reading_take(reading, part->first + i, range))
            reading_fail(reading, BR_CORRUPT, reading->paths[part->first + i],
                         "its value was not written by bridle");
    }
    reading->parts--;
    free(part);
    reading_go(etcd, reading);
}

static void part_issue(struct etcd *etcd, struct reading *reading)
{
    struct part *part = mem_new(sizeof *part);
    struct buf ranges = { 0 };
    uint32_t rest = reading->count - reading->issued;
    part->reading = reading;
    part->first = reading->issued;
    part->count = rest < ETCD_READ_PATHS ? rest : ETCD_READ_PATHS;
    reading->issued += part->count;
    reading->parts++;
    for (uint32_t i = 0; i < part->count; i++) {
        char *key = etcd_key(etcd, reading->paths[part->first + i]);
        etcd_put_range(&ranges, etcd_text(key), nothing, "");
        free(key);
    }
    etcd_ask_ranges(etcd, etcd_read_lane(etcd), &ranges, part_done, part);
}

static void reading_answer(struct etcd *etcd, struct reading *reading)
{
    struct br_call *call = reading->call;
    if (reading->status != BR_OK) {
        br_reply_fail(call, reading->status, "%s: %s", etcd->hosts, reading->why);
        return;
    }
    br_reply_array(call, BR_ROW_VALUE, reading->values, sizeof *reading->values, reading->count);
}

/* A part on each connection, until all are issued or one failed; answer with the last. */
static void reading_go(struct etcd *etcd, struct reading *reading)
{
    while (reading->status == BR_OK && reading->issued < reading->count
           && reading->parts < ETCD_READ_LANES)
        part_issue(etcd, reading);
    if (reading->parts > 0)
        return;
    reading_answer(etcd, reading);
    free(reading);
}

void etcd_read(struct br_env *env, const char *const *paths, uint32_t count, struct br_call *call)
{
    struct etcd *etcd = env->self;
    for (uint32_t i = 0; i < count; i++)
        if (br_path_refused(paths[i], call))
            return;
    if (etcd_refuse_down(etcd, call))
        return;
    struct reading *reading = mem_new(sizeof *reading);
    reading->call = call;
    reading->paths = paths;
    reading->count = count;
    reading->values = br_rows(call, count * sizeof *reading->values);
    reading_go(etcd, reading);
}

/* -- Children ---------------------------------------------------------------------------------- */

struct listing {
    struct br_call *call;
    char *path;
    char *from, *end; /* the range; `from` moves on, from_size may count a NUL */
    size_t from_size;
    size_t skip;      /* bytes of a key before the name */
    int64_t revision; /* of the first page; 0: not yet */
    struct br_chunk *first;
    struct br_chunk **last;
};

static void list_page(struct etcd *etcd, struct listing *listing);

static void list_free(struct listing *listing)
{
    free(listing->path);
    free(listing->from);
    free(listing->end);
    free(listing);
}

static void list_fail(struct etcd *etcd, struct listing *listing, br_status status, const char *why)
{
    br_reply_fail(listing->call, status, "%s: %.200s: %s", etcd->hosts, listing->path, why);
    list_free(listing);
}

/* The names of one page; false: it makes no sense. */
static bool list_take(struct listing *listing, const json_t *kvs)
{
    size_t count = json_array_size(kvs);
    struct br_chunk *chunk = br_rows(listing->call, sizeof *chunk);
    const char **rows = br_rows(listing->call, count * sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        size_t size;
        char *key = etcd_bytes(json_array_get(kvs, i), "key", &size);
        if (!key || size <= listing->skip) {
            free(key);
            return false;
        }
        char *name = br_rows(listing->call, size + 1 - listing->skip);
        memcpy(name, key + listing->skip, size + 1 - listing->skip);
        rows[i] = name;
        if (i + 1 == count) {
            free(listing->from);
            listing->from = key;
            listing->from_size = size + 1; /* with its NUL: the next one */
        } else {
            free(key);
        }
    }
    *chunk = (struct br_chunk){
        .kind = BR_ROW_NAME, .row_size = sizeof *rows, .count = (uint32_t) count, .rows = rows
    };
    *listing->last = chunk;
    listing->last = (struct br_chunk **) (uintptr_t) &chunk->next;
    return true;
}

static void list_seen(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct listing *listing = arg;
    const json_t *range = etcd_response(reply->json, 1, "response_range");
    if (reply->status != BR_OK) {
        list_fail(etcd, listing, reply->status, reply->why);
    } else if (!listing->revision
               && etcd_number(etcd_response(reply->json, 0, "response_range"), "count") == 0) {
        list_fail(etcd, listing, BR_NOTFOUND, "is not there");
    } else if (!range || !list_take(listing, json_object_get(range, "kvs"))) {
        list_fail(etcd, listing, BR_CORRUPT, "its children were not written by bridle");
    } else if (etcd_true(range, "more")) {
        listing->revision = listing->revision ? listing->revision : reply->revision;
        list_page(etcd, listing);
    } else {
        br_reply_rows(listing->call, listing->first);
        list_free(listing);
    }
}

static void list_page(struct etcd *etcd, struct listing *listing)
{
    struct buf ranges = { 0 };
    char more[96];
    char *key = etcd_key(etcd, listing->path);
    snprintf(more, sizeof more, ",\"keys_only\":true,\"limit\":%d,\"revision\":\"%" PRId64 "\"",
             ETCD_LIST_PAGE, listing->revision);
    etcd_put_range(&ranges, etcd_text(key), nothing, ",\"count_only\":true");
    etcd_put_range(&ranges, (br_bytes){ listing->from, listing->from_size },
                   etcd_text(listing->end), more);
    etcd_ask_ranges(etcd, etcd_read_lane(etcd), &ranges, list_seen, listing);
    free(key);
}

void etcd_list(struct br_env *env, const char *path, struct br_call *call)
{
    struct etcd *etcd = env->self;
    if (br_path_refused(path, call) || etcd_refuse_down(etcd, call))
        return;
    struct listing *listing = mem_new(sizeof *listing);
    listing->call = call;
    listing->path = mem_text(path);
    listing->from = etcd_children(etcd, path, &listing->end);
    listing->from_size = listing->skip = strlen(listing->from);
    listing->last = &listing->first;
    list_page(etcd, listing);
}
