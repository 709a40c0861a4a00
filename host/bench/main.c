/* bridle-bench -- fill a table, read it, delete from it, and say how fast that was. */
#include <signal.h>

#include "host/bench/bench.h"

/* The keys of a fill are those of the reads and deletes behind it in the list. */
static enum keys_kind main_keys(enum bench_type type, enum keys_kind before)
{
    switch (type) {
    case BENCH_FILLSEQ: return KEYS_SEQUENTIAL;
    case BENCH_FILLRANDOM: return KEYS_RANDOM;
    default: return before;
    }
}

static int main_run(const struct bench_options *options, struct bench *bench)
{
    struct bench_result result;
    enum keys_kind keys = options->keys;
    struct buf json = { 0 };
    bool good = true;
    if (options->json)
        bench_json_head(options, &json);
    else
        bench_report_head(options, stdout);
    for (uint32_t i = 0; i < options->type_count && good; i++) {
        keys = main_keys(options->types[i], keys);
        good = bench_run(bench, options->types[i], keys, &result);
        if (options->json)
            bench_json(&result, i == 0, &json);
        else
            bench_report(options, &result, stdout);
        fflush(stdout);
    }
    if (options->json) {
        bench_json_tail(&json);
        fputs(buf_string(&json), stdout);
    }
    buf_done(&json);
    return good ? BENCH_OK : BENCH_FAILED;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    struct fail fail;
    signal(SIGPIPE, SIG_IGN);
    int status = bench_options_read(&options, argc, argv);
    if (status < 0) {
        struct bench *bench = bench_new(&options, &fail);
        if (bench) {
            status = main_run(&options, bench);
            bench_free(bench);
        } else {
            fprintf(stderr, "bridle-bench: %s\n", fail.text);
            status = BENCH_USAGE;
        }
    }
    bench_options_done(&options);
    if (fflush(stdout) != 0 || ferror(stdout))
        return status == BENCH_OK ? BENCH_FAILED : status;
    return status;
}
