/* bench -- what the files of bridle-bench share: its options, one benchmark's run, and its report.
 *
 * The names and the report's lines are those of Apache Pegasus's own bench (src/test/bench_test/,
 * and what stood there until 2019).  Unlike there, `num` is the number of operations of all
 * "threads" together, and a thread is no thread: so many operations are always under way on one
 * event loop, each following the one before it, as so many synchronous clients would have it.
 */
#ifndef HOST_BENCH_BENCH_H
#define HOST_BENCH_BENCH_H

#include <stdio.h>

#include "host/base/buf.h"
#include "host/bench/histogram.h"
#include "host/bench/keys.h"
#include "host/rdsn/frame.h"
#include "host/rdsn/table_client.h"

#define BENCH_TYPES_MAX   64
#define BENCH_NUM_MAX     1000000000000
#define BENCH_THREADS_MAX 4096
#define BENCH_SORT_MAX    65534
#define BENCH_VALUE_MAX   (1 << 20)
#define BENCH_TRIES_MAX   4  /* of an operation that times out (benchmark.cpp:write_random) */
#define BENCH_SAY_MAX     20 /* values that are wrong told one by one; all are counted */
#define BENCH_METAS       "127.0.0.1:34601,127.0.0.1:34602,127.0.0.1:34603"

enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2 };

enum bench_type {
    BENCH_FILLSEQ = 0,
    BENCH_FILLRANDOM,
    BENCH_READRANDOM,
    BENCH_DELETERANDOM,
    BENCH_TYPES
};

extern const char *const bench_names[BENCH_TYPES]; /* "fillseq_pegasus" ... */

struct bench_options {
    char *metas_text;
    const char *metas[TABLE_CLIENT_METAS_MAX];
    uint32_t meta_count;
    const char *table;
    enum bench_type types[BENCH_TYPES_MAX];
    uint32_t type_count;
    enum keys_kind keys; /* of a read or delete before which nothing was filled */
    int64_t num, threads, hash_size, sort_size, value_size, timeout_ms, seed;
    bool verify, json, progress;
};

/* Defaults, then what the command line says; a sentence on stderr where it makes no sense.  -1: go
 * on; else the exit status.  What argv holds is not copied.  bench_options_done in any case. */
int bench_options_read(struct bench_options *options, int argc, char **argv);
void bench_options_done(struct bench_options *options);

/* What became of one benchmark. */
struct bench_result {
    enum bench_type type;
    enum keys_kind keys;
    uint64_t done, found, missing, wrong, timeouts;
    uint64_t bytes; /* of keys and values written, or read */
    br_time took;
    char error[RDSN_NAME_SIZE]; /* what ended it; "": nothing did */
    struct histogram latency;
};

struct bench;

/* NULL: the sentence says why.  The options must outlive it. */
struct bench *bench_new(const struct bench_options *options, struct fail *ret_fail);
void bench_free(struct bench *bench);

/* Run one benchmark; what goes wrong is told on stderr.  false: an operation failed, a value was
 * wrong, or a signal came; none must be run after it then. */
bool bench_run(struct bench *bench, enum bench_type type, enum keys_kind keys,
               struct bench_result *ret_result);

/* -- The report (report.c) -------------------------------------------------------------------- */

void bench_report_head(const struct bench_options *options, FILE *out);
void bench_report(const struct bench_options *options, const struct bench_result *result,
                  FILE *out);

/* One object; `first`: no comma before it. */
void bench_json_head(const struct bench_options *options, struct buf *buf);
void bench_json(const struct bench_result *result, bool first, struct buf *buf);
void bench_json_tail(struct buf *buf);

#endif
