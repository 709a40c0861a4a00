/* load -- constant load on one table, for scripts that kill servers meanwhile: load --help
 * (load_options.c) says how.
 *
 * So many operations are always under way; one that has ended makes room for the next, after a
 * little pause where it failed.  At most one operation on a key is under way, so that what a key
 * must hold is known.  It survives the death of every server, and ends when it is told to.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/rdsn/stream.h"
#include "host/rdsn/table_client.h"
#include "t/load.h"

#define LOAD_ERRORS_MAX 32 /* different ones; the rest is counted as "others" */
#define LOAD_SAY_MAX    20 /* violations told with a sentence; all are counted */
#define LOAD_TICK       (100 * BR_MILLISECOND)
#define LOAD_PAUSE      (20 * BR_MILLISECOND)

struct load_error {
    char name[RDSN_NAME_SIZE];
    uint64_t count;
};

struct load;

struct slot {
    struct load *load;
    struct event pause;
    uint32_t key;
    uint32_t number; /* of the write; 0: a read */
    int64_t floor;   /* of its partition's decree when it began; -1: not known */
    int32_t floor_partition;
};

struct load {
    struct options options;
    struct event_base *base;
    struct table_client *table;
    struct track track;
    struct slot *slots;
    struct event tick;
    uint32_t busy; /* slots that are not done for good */
    bool stopping;
    uint64_t random;
    uint32_t verify_next;
    char *value;

    br_time started;
    uint64_t ok, failed, retried, attempts, violations, last_ok, ticks;
    uint64_t reads, writes, missing;
    br_time longest;
    struct load_error errors[LOAD_ERRORS_MAX];
    uint32_t error_count;
};

/* -- Counting --------------------------------------------------------------------------------- */

BR_PRINTF(2, 3) static void load_violation(struct load *load, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (load->violations++ < LOAD_SAY_MAX) {
        fputs("load: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    }
    va_end(args);
}

static void load_error(struct load *load, const struct table_result *result)
{
    char name[RDSN_NAME_SIZE];
    snprintf(name, sizeof name, "%s", result->error);
    if (strcmp(name, "ERR_OK") == 0)
        snprintf(name, sizeof name, "storage %d", result->storage);
    uint32_t at = 0;
    while (at < load->error_count && strcmp(load->errors[at].name, name) != 0)
        at++;
    if (at == LOAD_ERRORS_MAX) {
        at--;
        snprintf(load->errors[at].name, RDSN_NAME_SIZE, "others");
    } else if (at == load->error_count) {
        snprintf(load->errors[at].name, RDSN_NAME_SIZE, "%s", name);
        load->error_count++;
    }
    if (load->errors[at].count++ == 0)
        fprintf(stderr, "load: the first %s: %s\n", name, result->why);
}

static void load_gap(const struct load *load, struct load_partition *partition, br_time now)
{
    br_time since = now - (partition->last ? partition->last : load->started);
    if (since > partition->longest_gap)
        partition->longest_gap = since;
}

static void load_succeeded(struct load *load, const struct table_result *result)
{
    struct track *track = &load->track;
    br_time now = stream_now();
    load->ok++;
    track_grow(track, table_client_partitions(load->table));
    if (result->partition >= track->partition_count)
        return;
    struct load_partition *partition = &track->partitions[result->partition];
    load_gap(load, partition, now);
    partition->last = now;
    partition->ok++;
    if (track->app_id != result->app_id) { /* another table's decrees are no measure */
        for (int32_t i = 0; i < track->partition_count; i++)
            track->partitions[i].decree = -1;
        track->app_id = result->app_id;
    }
}

static void load_decree(struct load *load, const struct slot *slot,
                        const struct table_result *result)
{
    if (result->partition >= load->track.partition_count)
        return;
    struct load_partition *partition = &load->track.partitions[result->partition];
    if (result->decree < 0
        || (slot->floor_partition == result->partition && partition->decree >= 0
            && result->decree <= slot->floor))
        load_violation(load,
                       "%d.%d: %s acknowledged a write with decree %lld, though decree %lld had "
                       "been acknowledged before it began",
                       result->app_id, result->partition, result->server,
                       (long long) result->decree, (long long) slot->floor);
    if (result->decree > partition->decree)
        partition->decree = result->decree;
}

/* -- Values ----------------------------------------------------------------------------------- */

static struct table_key load_key(uint32_t key, char *text, size_t size)
{
    int length = snprintf(text, size, "load%u", key);
    return (struct table_key){ .hash = { text, (size_t) length }, .sort = { "sort", 4 } };
}

/* "KEY NUMBER ....": as many bytes as asked for, at least the two numbers. */
static br_bytes load_value(struct load *load, uint32_t key, uint32_t number)
{
    size_t size = (size_t) load->options.value_size;
    int length = snprintf(load->value, 32, "%u %u ", key, number);
    if (size < (size_t) length)
        size = (size_t) length;
    memset(load->value + length, '.', size - (size_t) length);
    return (br_bytes){ load->value, size };
}

/* Must be one of the writes from the last acknowledged to the last begun. */
static void load_check(struct load *load, uint32_t at, const struct table_result *result)
{
    const struct load_key *key = &load->track.keys[at];
    char text[48];
    unsigned number = 0, of = 0;
    if (result->status == BR_NOTFOUND) {
        load->missing++;
        load_violation(load, "key %u is gone: write %u was acknowledged (%d.%d, %s)", at, key->done,
                       result->app_id, result->partition, result->server);
        return;
    }
    snprintf(text, sizeof text, "%.*s", result->value.size < 40 ? (int) result->value.size : 40,
             (const char *) result->value.data);
    if (sscanf(text, "%u %u ", &of, &number) != 2 || of != at || number < key->done
        || number > key->begun)
        load_violation(load,
                       "key %u holds \"%s\", but write %u was acknowledged and %u the last (%d.%d, "
                       "%s)",
                       at, text, key->done, key->begun, result->app_id, result->partition,
                       result->server);
}

/* -- Operations ------------------------------------------------------------------------------- */

static void slot_next(struct slot *slot);

static void slot_on_pause(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    slot_next(arg);
}

static void load_count(struct load *load, const struct table_result *result)
{
    load->attempts += result->attempts;
    load->retried += result->attempts > 1;
    if (result->latency > load->longest)
        load->longest = result->latency;
}

static void slot_done(void *arg, const struct table_result *result)
{
    struct slot *slot = arg;
    struct load *load = slot->load;
    struct load_key *key = &load->track.keys[slot->key];
    bool good = result->status == BR_OK || result->status == BR_NOTFOUND;
    key->busy = false;
    load_count(load, result);
    if (good) {
        load_succeeded(load, result);
    } else {
        load->failed++;
        load_error(load, result);
    }
    if (good && slot->number > 0) {
        key->done = slot->number;
        load_decree(load, slot, result);
    } else if (good && load->options.verify) {
        load_check(load, slot->key, result);
    }
    if (good) {
        slot_next(slot);
    } else {
        struct timeval pause = stream_timeval(LOAD_PAUSE);
        evtimer_add(&slot->pause, &pause);
    }
}

/* xorshift64*: the same keys for the same seed. */
static uint64_t load_random(struct load *load)
{
    uint64_t x = load->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    load->random = x;
    return x * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

/* A key nobody is busy with: there are more keys than slots.  false: all were verified. */
static bool load_choose(struct load *load, uint32_t *ret_key)
{
    struct track *track = &load->track;
    if (load->options.verify) {
        while (load->verify_next < track->key_count && track->keys[load->verify_next].done == 0)
            load->verify_next++;
        *ret_key = load->verify_next++;
        return *ret_key < track->key_count;
    }
    uint32_t key = (uint32_t) (load_random(load) % track->key_count);
    while (track->keys[key].busy)
        key = key + 1 == track->key_count ? 0 : key + 1;
    *ret_key = key;
    return true;
}

static void slot_end(struct load *load)
{
    if (--load->busy == 0)
        event_base_loopbreak(load->base);
}

static void slot_write(struct slot *slot, const struct table_key *key)
{
    struct load *load = slot->load;
    int32_t count = table_client_partitions(load->table);
    slot->number = ++load->track.keys[slot->key].begun;
    slot->floor = slot->floor_partition = -1;
    if (count > 0 && count <= load->track.partition_count) {
        slot->floor_partition = (int32_t) (table_key_hash(key) % (uint64_t) count);
        slot->floor = load->track.partitions[slot->floor_partition].decree;
    }
    load->writes++;
    table_client_put(load->table, key, load_value(load, slot->key, slot->number), 0,
                     load->options.timeout_ms * BR_MILLISECOND, slot_done, slot);
}

static void slot_next(struct slot *slot)
{
    struct load *load = slot->load;
    char text[24];
    if (load->stopping || !load_choose(load, &slot->key)) {
        slot_end(load);
        return;
    }
    struct table_key key = load_key(slot->key, text, sizeof text);
    load->track.keys[slot->key].busy = true;
    bool read =
        load->options.verify || (int64_t) (load_random(load) % 100) < load->options.read_percent;
    slot->number = 0;
    if (read) {
        load->reads++;
        table_client_get(load->table, &key, load->options.timeout_ms * BR_MILLISECOND, slot_done,
                         slot);
    } else {
        slot_write(slot, &key);
    }
}

/* -- Telling ---------------------------------------------------------------------------------- */

static double load_seconds(br_time time)
{
    return (double) time / (double) BR_SECOND;
}

static void load_progress(struct load *load)
{
    if (load->options.quiet)
        return;
    fprintf(stderr, "load: %3.0f s: %llu ok (+%llu), %llu failed, %llu retried, longest %.3f s\n",
            load_seconds(stream_now() - load->started), (unsigned long long) load->ok,
            (unsigned long long) (load->ok - load->last_ok), (unsigned long long) load->failed,
            (unsigned long long) load->retried, load_seconds(load->longest));
    load->last_ok = load->ok;
}

static void load_on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct load *load = arg;
    const struct options *options = &load->options;
    if (++load->ticks % 10 == 0)
        load_progress(load);
    if (options->seconds > 0 && stream_now() - load->started >= options->seconds * BR_SECOND)
        load->stopping = true;
    if (options->until_file && access(options->until_file, F_OK) == 0)
        load->stopping = true;
}

static void load_on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct load *load = arg;
    load->stopping = true;
}

static void load_json_partitions(const struct load *load, struct buf *buf)
{
    const struct track *track = &load->track;
    buf_text(buf, "  \"partitions\": [\n");
    for (int32_t i = 0; i < track->partition_count; i++)
        buf_printf(buf,
                   "    { \"index\": %d, \"ok\": %llu, \"decree\": %lld, "
                   "\"longest_without_success\": %.3f }%s\n",
                   i, (unsigned long long) track->partitions[i].ok,
                   (long long) track->partitions[i].decree,
                   load_seconds(track->partitions[i].longest_gap),
                   i + 1 < track->partition_count ? "," : "");
    buf_text(buf, "  ]\n");
}

static void load_json(const struct load *load, br_time took, struct buf *buf)
{
    buf_printf(buf,
               "{\n  \"table\": %d,\n  \"seconds\": %.3f,\n  \"ok\": %llu,\n  \"failed\": %llu,\n"
               "  \"reads\": %llu,\n  \"writes\": %llu,\n  \"retried\": %llu,\n"
               "  \"attempts\": %llu,\n  \"violations\": %llu,\n  \"missing\": %llu,\n"
               "  \"longest_operation\": %.3f,\n  \"questions\": %llu,\n  \"errors\": {",
               load->track.app_id, load_seconds(took), (unsigned long long) load->ok,
               (unsigned long long) load->failed, (unsigned long long) load->reads,
               (unsigned long long) load->writes, (unsigned long long) load->retried,
               (unsigned long long) load->attempts, (unsigned long long) load->violations,
               (unsigned long long) load->missing, load_seconds(load->longest),
               (unsigned long long) table_client_questions(load->table));
    for (uint32_t i = 0; i < load->error_count; i++) {
        buf_text(buf, i > 0 ? ", " : " ");
        buf_json(buf, load->errors[i].name);
        buf_printf(buf, ": %llu", (unsigned long long) load->errors[i].count);
    }
    buf_text(buf, load->error_count > 0 ? " },\n" : "},\n");
    load_json_partitions(load, buf);
    buf_text(buf, "}\n");
}

static bool load_write_json(const struct load *load, br_time took)
{
    const char *path = load->options.json;
    struct buf buf = { 0 };
    load_json(load, took, &buf);
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    bool ok = file && fwrite(buf.data, 1, buf.size, file) == buf.size;
    if (file && file != stdout)
        ok = fclose(file) == 0 && ok;
    if (!ok)
        fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
    buf_done(&buf);
    return ok;
}

static void load_summary(const struct load *load, br_time took)
{
    br_time gap = 0;
    int32_t worst = -1;
    for (int32_t i = 0; i < load->track.partition_count; i++)
        if (load->track.partitions[i].longest_gap > gap) {
            gap = load->track.partitions[i].longest_gap;
            worst = i;
        }
    fprintf(stderr,
            "load: %llu ok (%.0f/s), %llu failed, %llu retried, %llu violations in %.1f s; "
            "longest operation %.3f s; longest without a success %.3f s (partition %d)\n",
            (unsigned long long) load->ok, (double) load->ok / load_seconds(took),
            (unsigned long long) load->failed, (unsigned long long) load->retried,
            (unsigned long long) load->violations, load_seconds(took), load_seconds(load->longest),
            load_seconds(gap), worst);
    for (uint32_t i = 0; i < load->error_count; i++)
        fprintf(stderr, "load:   %s %llu\n", load->errors[i].name,
                (unsigned long long) load->errors[i].count);
}

/* -- Running ---------------------------------------------------------------------------------- */

static int load_end(struct load *load)
{
    struct fail fail;
    br_time now = stream_now(), took = now - load->started;
    const struct options *options = &load->options;
    bool bad = load->violations > 0 || (load->failed > 0 && (options->strict || options->verify));
    if (!options->verify)
        for (int32_t i = 0; i < load->track.partition_count; i++)
            load_gap(load, &load->track.partitions[i], now);
    load_summary(load, took);
    if (options->json && !load_write_json(load, took))
        bad = true;
    if (options->track && !options->verify
        && track_write(&load->track, options->track, &fail) != BR_OK) {
        fprintf(stderr, "load: %s\n", fail.text);
        bad = true;
    }
    return bad ? EXIT_FAILED : 0;
}

static int load_run(struct load *load)
{
    struct timeval tick = stream_timeval(LOAD_TICK);
    struct event *signals[] = { evsignal_new(load->base, SIGTERM, load_on_signal, load),
                                evsignal_new(load->base, SIGINT, load_on_signal, load) };
    for (int i = 0; i < 2; i++)
        event_add(signals[i], NULL);
    event_assign(&load->tick, load->base, -1, EV_PERSIST, load_on_tick, load);
    event_add(&load->tick, &tick);
    load->started = stream_now();
    load->random = (uint64_t) load->options.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    load->busy = (uint32_t) load->options.inflight;
    for (uint32_t i = 0; i < load->options.inflight; i++) {
        load->slots[i].load = load;
        evtimer_assign(&load->slots[i].pause, load->base, slot_on_pause, &load->slots[i]);
        evtimer_add(&load->slots[i].pause, &(struct timeval){ 0 });
    }
    event_base_dispatch(load->base);
    event_del(&load->tick);
    for (int i = 0; i < 2; i++)
        event_free(signals[i]);
    return load_end(load);
}

/* -1: go on; else the exit status. */
static int load_open(struct load *load)
{
    const struct options *options = &load->options;
    struct fail fail;
    load->track.key_count = (uint32_t) options->keys;
    load->track.keys = mem_array((size_t) options->keys, sizeof *load->track.keys);
    if (options->track && track_read(&load->track, options->track, &fail) != BR_OK) {
        fprintf(stderr, "load: %s\n", fail.text);
        return EXIT_USAGE;
    }
    load->slots = mem_array((size_t) options->inflight, sizeof *load->slots);
    load->value = mem_new(LOAD_VALUE_MAX + 32);
    load->base = event_base_new();
    load->table = table_client_new(load->base,
                                   &(struct table_client_options){
                                       .table = options->table,
                                       .metas = options->metas,
                                       .meta_count = options->meta_count,
                                       .attempts_max = options->strict ? 1 : 0,
                                   },
                                   &fail);
    if (!load->table) {
        fprintf(stderr, "load: %s\n", fail.text);
        return EXIT_USAGE;
    }
    return -1;
}

static void load_close(struct load *load)
{
    table_client_free(load->table);
    if (load->base) {
        event_base_loop(load->base, EVLOOP_NONBLOCK);
        event_base_free(load->base);
    }
    track_done(&load->track);
    free(load->slots);
    free(load->value);
    free(load->options.metas_text);
}

int main(int argc, char **argv)
{
    struct load load = { .busy = 0 };
    signal(SIGPIPE, SIG_IGN);
    int status = options_read(&load.options, argc, argv);
    if (status < 0)
        status = load_open(&load);
    if (status < 0)
        status = load_run(&load);
    load_close(&load);
    return status;
}
