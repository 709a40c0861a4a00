/* bench_wire -- what reading and writing a query_replica_info answer of 3,000 rows costs, beside
 * memcpy of the same bytes in the same run.  Medians of many rounds, taken in turn; all of them
 * write to memory that was written to before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/rdsn/info.h"

#define ROWS        3000
#define ROUNDS      301
#define TIMES       4
#define RATIO_MAX   10.0
#define DECODED_MAX (8u << 20)

enum { COPY, DECODE_ROWS, DECODE_STRUCTS, ENCODE };

struct bench {
    struct buf body;
    struct buf out;
    struct msg_query_replica_info_response message;
    char *memory; /* what is decoded goes here */
    size_t used;
    double ns[TIMES][ROUNDS];
};

/* A plugin's own view of the answer: rows as the host wants them. */
static void make(struct bench *bench)
{
    static const char *const disks[] = { "ssd0", "ssd1", "ssd2", "ssd3" };
    struct msg_replica_info *rows = calloc(ROWS, sizeof *rows);
    for (int i = 0; i < ROWS; i++) {
        struct msg_replica_info *row = &rows[i];
        row->pid = (struct gpid){ 1 + i / 64, i % 64 };
        row->ballot = 3 + i % 5;
        row->status = 1 + i % 4;
        row->last_committed_decree = 1000000 + i;
        row->last_prepared_decree = 1000001 + i;
        row->last_durable_decree = 900000 + i;
        row->app_type = "pegasus";
        row->disk_tag = disks[i % 4];
        row->manual_compact_status = 0;
        WIRE_SET(row, 9);
    }
    bench->message.err = "ERR_OK";
    bench->message.replicas = (struct wire_list){ rows, ROWS };
    wire_encode(&wire_query_replica_info_response, &bench->message, WIRE_PEER_26, &bench->body);
}

static void *take(void *context, size_t size)
{
    struct bench *bench = context;
    void *memory = bench->memory + bench->used;
    bench->used += (size + 7) & ~(size_t) 7;
    return memory;
}

static void decode(struct bench *bench, const struct wire_schema *schema, void *message)
{
    struct fail fail;
    struct wire_memory memory = { take, bench };
    bench->used = 0;
    if (wire_decode(schema, buf_bytes(&bench->body), memory, message, &fail) != BR_OK) {
        fprintf(stderr, "bench_wire: %s\n", fail.text);
        exit(1);
    }
}

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_wire: %s is wrong\n", what);
    exit(1);
}

static void once(struct bench *bench, int what)
{
    struct msg_query_replica_info_response answer;
    struct msg_query_replica_info_response response;
    buf_clear(&bench->out);
    switch (what) {
    case COPY: buf_put(&bench->out, bench->body.data, bench->body.size); break;
    case DECODE_ROWS:
        decode(bench, &wire_replica_rows, &answer);
        check(((struct br_replica *) answer.replicas.items)[ROWS - 1].committed
                  == 1000000 + ROWS - 1,
              "the last row");
        break;
    case DECODE_STRUCTS:
        decode(bench, &wire_query_replica_info_response, &response);
        check(response.replicas.count == ROWS, "the number of rows");
        break;
    default:
        wire_encode(&wire_query_replica_info_response, &bench->message, WIRE_PEER_26, &bench->out);
        check(bench->out.size == bench->body.size, "the size encoded");
    }
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return x < y ? -1 : x > y;
}

int main(void)
{
    static const char *const names[TIMES] = { "memcpy", "decode into br_replica",
                                              "decode into replica_info", "encode" };
    static struct bench bench;
    bool ok = true;
    make(&bench);
    bench.memory = malloc(DECODED_MAX); /* which the decoder's own bound keeps it below */
    for (int round = 0; round < ROUNDS; round++)
        for (int what = 0; what < TIMES; what++) {
            double start = now();
            once(&bench, what);
            bench.ns[what][round] = now() - start;
        }
    printf("query_replica_info, %d rows, %zu bytes, medians of %d\n", ROWS, bench.body.size,
           ROUNDS);
    for (int what = 0; what < TIMES; what++) {
        qsort(bench.ns[what], ROUNDS, sizeof(double), compare);
        double ns = bench.ns[what][ROUNDS / 2], ratio = ns / bench.ns[COPY][ROUNDS / 2];
        printf("%-26s %7.1f ns per row  %5.2f times memcpy\n", names[what], ns / ROWS, ratio);
        ok = ok && ratio <= RATIO_MAX;
    }
    free(bench.message.replicas.items);
    buf_done(&bench.body);
    buf_done(&bench.out);
    free(bench.memory);
    printf("at most %.0f times memcpy: %s\n", RATIO_MAX, ok ? "yes" : "NO");
    return ok ? 0 : 1;
}
