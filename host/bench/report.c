/* report -- what a bench tells: lines as Apache Pegasus's prints them, percentiles, JSON. */
#include "host/bench/bench.h"

static const struct {
    const char *name;
    double share;
} report_shares[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };

static double report_micros(br_time time)
{
    return (double) time / 1000.0;
}

static double report_seconds(const struct bench_result *result)
{
    return result->took > 0 ? (double) result->took / (double) BR_SECOND : 1e-9;
}

static const char *report_keys(enum keys_kind keys)
{
    return keys == KEYS_SEQUENTIAL ? "sequential" : "random";
}

/* The lines of benchmark.cpp:print_header. */
void bench_report_head(const struct bench_options *options, FILE *out)
{
    double megabytes = (double) (options->hash_size + options->sort_size + options->value_size)
                       * (double) options->num / 1048576.0;
    fprintf(out,
            "Hashkeys:       %lld bytes each\n"
            "Sortkeys:       %lld bytes each\n"
            "Values:         %lld bytes each\n"
            "Entries:        %lld\n"
            "FileSize:       %lld MB (estimated)\n"
            "------------------------------------------------\n",
            (long long) options->hash_size, (long long) options->sort_size,
            (long long) options->value_size, (long long) options->num, (long long) megabytes);
}

/* The heading of today's report, then percentiles instead of RocksDB's table, then the line of the
 * report of old, which ends in what was found. */
void bench_report(const struct bench_options *options, const struct bench_result *result, FILE *out)
{
    static const char *const words[] = { "write", "write", "read", "delete" };
    const struct histogram *latency = &result->latency;
    double seconds = report_seconds(result);
    double done = result->done > 0 ? (double) result->done : 1;
    fprintf(out, "Statistics for %s:  \nmicros:", words[result->type]);
    for (size_t i = 0; i < sizeof report_shares / sizeof *report_shares; i++)
        fprintf(out, " %s %.1f,", report_shares[i].name,
                report_micros(histogram_at(latency, report_shares[i].share)));
    fprintf(out, " max %.1f, mean %.1f\n", report_micros(latency->max),
            report_micros(histogram_mean(latency)));
    fprintf(out, "%-12s : %11.3f micros/op %.0f ops/sec; %6.1f MB/s", bench_names[result->type],
            seconds * 1e6 / done, (double) result->done / seconds,
            (double) result->bytes / 1048576.0 / seconds);
    if (result->type == BENCH_READRANDOM && options->verify)
        fprintf(out, " (%llu of %lld as written)",
                (unsigned long long) (result->found - result->wrong), (long long) options->num);
    if (result->type == BENCH_READRANDOM)
        fprintf(out, " (%llu of %lld found)", (unsigned long long) result->found,
                (long long) options->num);
    fputc('\n', out);
}

void bench_json_head(const struct bench_options *options, struct buf *buf)
{
    buf_text(buf, "{\n  \"table\": ");
    buf_json(buf, options->table);
    buf_printf(buf,
               ",\n  \"num\": %lld,\n  \"threads\": %lld,\n  \"hashkey_size\": %lld,\n"
               "  \"sortkey_size\": %lld,\n  \"value_size\": %lld,\n  \"seed\": %lld,\n"
               "  \"verify\": %s,\n  \"benchmarks\": [",
               (long long) options->num, (long long) options->threads,
               (long long) options->hash_size, (long long) options->sort_size,
               (long long) options->value_size, (long long) options->seed,
               options->verify ? "true" : "false");
}

void bench_json(const struct bench_result *result, bool first, struct buf *buf)
{
    const struct histogram *latency = &result->latency;
    buf_printf(buf,
               "%s\n    { \"type\": \"%s\", \"keys\": \"%s\", \"done\": %llu, \"found\": %llu,\n"
               "      \"missing\": %llu, \"wrong\": %llu, \"timeouts\": %llu, \"bytes\": %llu,\n"
               "      \"seconds\": %.6f, \"ops_per_second\": %.1f,\n      \"micros\": { ",
               first ? "" : ",", bench_names[result->type], report_keys(result->keys),
               (unsigned long long) result->done, (unsigned long long) result->found,
               (unsigned long long) result->missing, (unsigned long long) result->wrong,
               (unsigned long long) result->timeouts, (unsigned long long) result->bytes,
               report_seconds(result), (double) result->done / report_seconds(result));
    for (size_t i = 0; i < sizeof report_shares / sizeof *report_shares; i++)
        buf_printf(buf, "\"%s\": %.1f, ", report_shares[i].name,
                   report_micros(histogram_at(latency, report_shares[i].share)));
    buf_printf(buf, "\"min\": %.1f, \"max\": %.1f, \"mean\": %.1f },\n      \"error\": ",
               report_micros(latency->min), report_micros(latency->max),
               report_micros(histogram_mean(latency)));
    buf_json(buf, result->error);
    buf_text(buf, " }");
}

void bench_json_tail(struct buf *buf)
{
    buf_text(buf, "\n  ]\n}\n");
}
