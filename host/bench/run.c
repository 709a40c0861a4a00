/* run -- one benchmark: so many operations under way, each followed by the next one. */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/bench/bench.h"
#include "host/rdsn/stream.h"

struct bench_slot {
    struct bench *bench;
    uint64_t number; /* of its key */
    br_time began;   /* the first attempt */
    uint32_t tries;
};

struct bench {
    const struct bench_options *options;
    struct event_base *base;
    struct table_client *table;
    struct bench_slot *slots;
    char *key, *value; /* of the operation that is begun, or checked */

    struct keys keys; /* of the benchmark that runs */
    struct bench_result *result;
    uint64_t next; /* operation */
    uint32_t busy; /* slots */
    uint64_t told; /* what was wrong with a value */
    bool showed;   /* progress */
};

/* table_client's own clock is libevent's, too coarse for operations of microseconds. */
static br_time bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (br_time) now.tv_sec * BR_SECOND + (br_time) now.tv_nsec;
}

static const char *bench_word(enum bench_type type)
{
    static const char *const words[BENCH_TYPES] = { "Set", "Set", "Get", "Del" };
    return words[type];
}

/* What is said next must not stand behind the progress. */
static void bench_line(struct bench *bench)
{
    if (bench->showed)
        fputc('\n', stderr);
    bench->showed = false;
}

/* -- Operations ------------------------------------------------------------------------------- */

static void slot_done(void *arg, const struct table_result *result);

static void slot_try(struct bench_slot *slot)
{
    struct bench *bench = slot->bench;
    br_time timeout = bench->options->timeout_ms * BR_MILLISECOND;
    struct table_key key = keys_key(&bench->keys, slot->number, bench->key);
    switch (bench->result->type) {
    case BENCH_READRANDOM: table_client_get(bench->table, &key, timeout, slot_done, slot); break;
    case BENCH_DELETERANDOM:
        table_client_remove(bench->table, &key, timeout, slot_done, slot);
        break;
    default:
        table_client_put(bench->table, &key, keys_value(&bench->keys, &key, bench->value), 0,
                         timeout, slot_done, slot);
    }
}

static void slot_next(struct bench_slot *slot)
{
    struct bench *bench = slot->bench;
    if (bench->next == bench->keys.count) {
        if (--bench->busy == 0)
            event_base_loopbreak(bench->base);
        return;
    }
    bool shuffle = bench->keys.kind == KEYS_SEQUENTIAL && bench->result->type != BENCH_FILLSEQ;
    slot->number = shuffle ? keys_shuffled(&bench->keys, bench->next) : bench->next;
    bench->next++;
    slot->tries = 1;
    slot->began = bench_now();
    slot_try(slot);
}

/* The value that a fill wrote, or a sentence. */
static void slot_check(struct bench_slot *slot, const struct table_key *key,
                       const struct table_result *result)
{
    struct bench *bench = slot->bench;
    const char *why = "is not there";
    if (result->status == BR_OK) {
        br_bytes want = keys_value(&bench->keys, key, bench->value);
        if (result->value.size == want.size
            && (want.size == 0 || memcmp(result->value.data, want.data, want.size) == 0))
            return;
        bench->result->wrong++;
        why = "holds another value than a fill with this seed and these sizes writes";
    }
    if (bench->told++ >= BENCH_SAY_MAX)
        return;
    bench_line(bench);
    fprintf(stderr, "bridle-bench: key %llu %s (%d.%d, %s)\n", (unsigned long long) slot->number,
            why, result->app_id, result->partition, result->server);
}

static void slot_count(struct bench_slot *slot, const struct table_result *result)
{
    struct bench *bench = slot->bench;
    struct bench_result *total = bench->result;
    struct table_key key = keys_key(&bench->keys, slot->number, bench->key);
    histogram_add(&total->latency, bench_now() - slot->began);
    total->done++;
    if (total->type == BENCH_READRANDOM) {
        total->found += result->status == BR_OK;
        total->missing += result->status == BR_NOTFOUND;
        if (result->status == BR_OK)
            total->bytes += key.hash.size + key.sort.size + result->value.size;
        if (bench->options->verify)
            slot_check(slot, &key, result);
    } else if (total->type != BENCH_DELETERANDOM) {
        total->bytes += key.hash.size + key.sort.size + bench->keys.value_size;
    }
}

/* As Pegasus's: a timeout is tried again, anything else is the end. */
static void slot_failed(struct bench_slot *slot, const struct table_result *result)
{
    struct bench *bench = slot->bench;
    const char *word = bench_word(bench->result->type);
    bench_line(bench);
    if (strcmp(result->error, "ERR_TIMEOUT") == 0 && slot->tries < BENCH_TRIES_MAX) {
        fprintf(stderr, "%s timeout, retry(%u)\n", word, slot->tries);
        bench->result->timeouts++;
        slot->tries++;
        slot_try(slot);
        return;
    }
    fprintf(stderr, "%s returned an error: %s: %s\n", word, result->error,
            result->why ? result->why : "no reason given");
    snprintf(bench->result->error, sizeof bench->result->error, "%s", result->error);
    if (strcmp(result->error, "ERR_OK") == 0)
        snprintf(bench->result->error, sizeof bench->result->error, "storage %d", result->storage);
    event_base_loopbreak(bench->base);
}

static void slot_done(void *arg, const struct table_result *result)
{
    struct bench_slot *slot = arg;
    if (*slot->bench->result->error)
        return; /* it has ended */
    if (result->status == BR_OK || result->status == BR_NOTFOUND) {
        slot_count(slot, result);
        slot_next(slot);
    } else {
        slot_failed(slot, result);
    }
}

/* -- Running ---------------------------------------------------------------------------------- */

static void bench_on_second(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct bench *bench = arg;
    bench->showed = true;
    fprintf(stderr, "... finished %llu ops\r", (unsigned long long) bench->result->done);
}

static void bench_on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void) what;
    struct bench *bench = arg;
    snprintf(bench->result->error, sizeof bench->result->error, "signal %d", (int) fd);
    event_base_loopbreak(bench->base);
}

static void bench_loop(struct bench *bench)
{
    struct event second;
    struct event *signals[] = { evsignal_new(bench->base, SIGTERM, bench_on_signal, bench),
                                evsignal_new(bench->base, SIGINT, bench_on_signal, bench) };
    for (int i = 0; i < 2; i++)
        event_add(signals[i], NULL);
    event_assign(&second, bench->base, -1, EV_PERSIST, bench_on_second, bench);
    if (bench->options->progress || isatty(STDERR_FILENO))
        event_add(&second, &(struct timeval){ .tv_sec = 1 });
    br_time began = bench_now();
    bench->busy = (uint32_t) bench->options->threads;
    for (uint32_t i = 0, count = bench->busy; i < count; i++)
        slot_next(&bench->slots[i]);
    if (bench->busy > 0)
        event_base_dispatch(bench->base);
    bench->result->took = bench_now() - began;
    event_del(&second);
    for (int i = 0; i < 2; i++)
        event_free(signals[i]);
}

bool bench_run(struct bench *bench, enum bench_type type, enum keys_kind keys,
               struct bench_result *ret_result)
{
    const struct bench_options *options = bench->options;
    *ret_result = (struct bench_result){ .type = type, .keys = keys };
    bench->result = ret_result;
    bench->keys = (struct keys){ .kind = keys,
                                 .seed = (uint64_t) options->seed,
                                 .count = (uint64_t) options->num,
                                 .hash_size = (uint32_t) options->hash_size,
                                 .sort_size = (uint32_t) options->sort_size,
                                 .value_size = (uint32_t) options->value_size };
    bench->next = bench->told = 0;
    bench->showed = false;
    bench_loop(bench);
    bench_line(bench);
    return !*ret_result->error
           && !(options->verify && (ret_result->missing > 0 || ret_result->wrong > 0));
}

struct bench *bench_new(const struct bench_options *options, struct fail *ret_fail)
{
    struct bench *bench = mem_new(sizeof *bench);
    bench->options = options;
    bench->base = event_base_new();
    bench->slots = mem_array((size_t) options->threads, sizeof *bench->slots);
    for (int64_t i = 0; i < options->threads; i++)
        bench->slots[i].bench = bench;
    bench->key = mem_new((size_t) (options->hash_size + options->sort_size));
    bench->value = mem_new((size_t) options->value_size + 1);
    bench->table = table_client_new(bench->base,
                                    &(struct table_client_options){
                                        .table = options->table,
                                        .metas = options->metas,
                                        .meta_count = options->meta_count,
                                    },
                                    ret_fail);
    if (!bench->table) {
        bench_free(bench);
        return NULL;
    }
    return bench;
}

void bench_free(struct bench *bench)
{
    table_client_free(bench->table);
    event_base_loop(bench->base, EVLOOP_NONBLOCK); /* connections close in the loop */
    event_base_free(bench->base);
    free(bench->slots);
    free(bench->key);
    free(bench->value);
    free(bench);
}
