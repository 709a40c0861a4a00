/* options -- the command line of bridle-bench. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/bench/bench.h"

const char *const bench_names[BENCH_TYPES] = {
    [BENCH_FILLSEQ] = "fillseq_pegasus",
    [BENCH_FILLRANDOM] = "fillrandom_pegasus",
    [BENCH_READRANDOM] = "readrandom_pegasus",
    [BENCH_DELETERANDOM] = "deleterandom_pegasus",
};

static const char bench_help[] =
    "usage: bridle-bench [OPTION]...\n"
    "\n"
    "Fills a table of a Pegasus cluster, reads it and deletes from it, and says how fast that "
    "was.\n"
    "\n"
    "  -t, --type LIST        what to run, one after the other:\n"
    "                           fillseq_pegasus       write keys 0 to N-1 in order\n"
    "                           fillrandom_pegasus    write N random keys\n"
    "                           readrandom_pegasus    read N keys, each once\n"
    "                           deleterandom_pegasus  delete N keys, each once\n"
    "                         (fillrandom_pegasus,readrandom_pegasus,deleterandom_pegasus)\n"
    "  -n, --num N            operations of each, all threads together (10000)\n"
    "  -m, --cluster LIST     the meta servers, host:port,host:port...; also --meta\n"
    "                         (" BENCH_METAS ")\n"
    "  -a, --app_name NAME    the table (temp)\n"
    "      --threads N        operations always under way, on one event loop, as that many\n"
    "                         synchronous clients would have; also --thread_num (1)\n"
    "      --hashkey_size N   bytes (16)\n"
    "      --sortkey_size N   bytes; sequential keys have no sort key (16)\n"
    "      --value_size N     bytes (100)\n"
    "      --timeout MS       of one attempt; four in a row that time out are a failure (1000)\n"
    "      --seed N           decides random keys, every value, and the order of reading;\n"
    "                         0 means 1000 (1000)\n"
    "      --keys KIND        which keys are read or deleted where nothing was filled before them\n"
    "                         in the list: sequential or random (sequential)\n"
    "      --verify           a key that is not there, or holds another value than a fill with "
    "the\n"
    "                         same seed and sizes wrote, is a failure\n"
    "      --progress         say every second how far it is, also where stderr is no terminal\n"
    "      --json             the report as JSON\n"
    "  -V, --version          the version\n"
    "  -h, --help             this text\n"
    "\n"
    "Reading and deleting take the keys of the last fill in the list, else those of --keys: what\n"
    "one run filled with fillseq_pegasus, another one of the same -n finds.\n"
    "\n"
    "exit status: 0; 1: an operation failed, or --verify found a key wrong; 2: wrong usage\n"
    "\n"
    "example: bridle-bench --app_name temp -t fillseq_pegasus -n 10000\n"
    "         bridle-bench --app_name temp -t readrandom_pegasus -n 10000 --verify\n";

static int options_wrong(const char *what, const char *why)
{
    fprintf(stderr, "bridle-bench: %s: %s; see bridle-bench --help\n", what, why);
    return BENCH_USAGE;
}

static const char *options_metas(struct bench_options *options, const char *list)
{
    free(options->metas_text);
    options->metas_text = mem_text(list);
    options->meta_count = 0;
    char *rest = options->metas_text;
    for (char *item; (item = strsep(&rest, ","));) {
        size_t host;
        uint16_t port;
        if (options->meta_count == TABLE_CLIENT_METAS_MAX)
            return "more than 16 meta servers";
        if (!number_node(item, &host, &port))
            return "not a list of host:port";
        options->metas[options->meta_count++] = item;
    }
    return NULL;
}

static bool options_type(const char *name, size_t size, enum bench_type *ret_type)
{
    for (int i = 0; i < BENCH_TYPES; i++) {
        if (strlen(bench_names[i]) == size && memcmp(bench_names[i], name, size) == 0) {
            *ret_type = (enum bench_type) i;
            return true;
        }
    }
    return false;
}

static const char *options_types(struct bench_options *options, const char *list)
{
    options->type_count = 0;
    for (const char *at = list; *at;) {
        size_t size = strcspn(at, ",");
        if (size > 0 && options->type_count == BENCH_TYPES_MAX)
            return "more than 64 benchmarks";
        if (size > 0 && !options_type(at, size, &options->types[options->type_count++]))
            return "not a list of fillseq_pegasus, fillrandom_pegasus, readrandom_pegasus and "
                   "deleterandom_pegasus";
        at += size + (at[size] == ',');
    }
    return options->type_count > 0 ? NULL : "no benchmark";
}

static const char *options_keys(struct bench_options *options, const char *kind)
{
    if (strcmp(kind, "sequential") != 0 && strcmp(kind, "random") != 0)
        return "neither sequential nor random";
    options->keys = *kind == 's' ? KEYS_SEQUENTIAL : KEYS_RANDOM;
    return NULL;
}

static const char *options_number(struct bench_options *options, int letter, const char *text)
{
    const struct {
        int letter;
        int64_t *to, min, max;
        const char *why;
    } rows[] = {
        { 'n', &options->num, 1, BENCH_NUM_MAX, "not a number from 1 to 1000000000000" },
        { 'T', &options->threads, 1, BENCH_THREADS_MAX, "not a number from 1 to 4096" },
        { 'H', &options->hash_size, 1, TABLE_CLIENT_HASH_KEY_MAX, "not a number from 1 to 65534" },
        { 'S', &options->sort_size, 0, BENCH_SORT_MAX, "not a number from 0 to 65534" },
        { 'v', &options->value_size, 0, BENCH_VALUE_MAX, "not a number from 0 to 1048576" },
        { 'M', &options->timeout_ms, 1, 3600000, "not a number from 1 to 3600000" },
        { 's', &options->seed, 0, INT64_MAX, "not a number from 0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].letter == letter)
            return number_i64(text, strlen(text), rows[i].to) && *rows[i].to >= rows[i].min
                           && *rows[i].to <= rows[i].max
                       ? NULL
                       : rows[i].why;
    return "unknown";
}

/* NULL, or why not. */
static const char *options_one(struct bench_options *options, int letter)
{
    switch (letter) {
    case 'm': return options_metas(options, optarg);
    case 't': return options_types(options, optarg);
    case 'k': return options_keys(options, optarg);
    case 'a': options->table = optarg; return *optarg ? NULL : "no name";
    case 'y': options->verify = true; return NULL;
    case 'j': options->json = true; return NULL;
    case 'p': options->progress = true; return NULL;
    default: return options_number(options, letter, optarg);
    }
}

static int options_sense(const struct bench_options *options)
{
    bool sequential = false;
    enum keys_kind keys = options->keys;
    for (uint32_t i = 0; i < options->type_count; i++) {
        if (options->types[i] == BENCH_FILLSEQ || options->types[i] == BENCH_FILLRANDOM)
            keys = options->types[i] == BENCH_FILLSEQ ? KEYS_SEQUENTIAL : KEYS_RANDOM;
        sequential = sequential || keys == KEYS_SEQUENTIAL;
    }
    if (sequential && !keys_differ((uint32_t) options->hash_size, (uint64_t) options->num))
        return options_wrong("--hashkey_size", "has no room for so many different sequential keys");
    return -1;
}

static const struct option options_long[] = {
    { "type", required_argument, NULL, 't' },
    { "num", required_argument, NULL, 'n' },
    { "cluster", required_argument, NULL, 'm' },
    { "meta", required_argument, NULL, 'm' },
    { "app_name", required_argument, NULL, 'a' },
    { "threads", required_argument, NULL, 'T' },
    { "thread_num", required_argument, NULL, 'T' },
    { "hashkey_size", required_argument, NULL, 'H' },
    { "sortkey_size", required_argument, NULL, 'S' },
    { "value_size", required_argument, NULL, 'v' },
    { "timeout", required_argument, NULL, 'M' },
    { "seed", required_argument, NULL, 's' },
    { "keys", required_argument, NULL, 'k' },
    { "verify", no_argument, NULL, 'y' },
    { "progress", no_argument, NULL, 'p' },
    { "json", no_argument, NULL, 'j' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int options_wrong_value(int letter, const char *why)
{
    char what[256];
    const struct option *option = options_long;
    while (option->val != letter)
        option++;
    snprintf(what, sizeof what, "--%s %s", option->name, optarg);
    return options_wrong(what, why);
}

static void options_defaults(struct bench_options *options)
{
    *options = (struct bench_options){ .table = "temp",
                                       .keys = KEYS_SEQUENTIAL,
                                       .num = 10000,
                                       .threads = 1,
                                       .hash_size = 16,
                                       .sort_size = 16,
                                       .value_size = 100,
                                       .timeout_ms = 1000,
                                       .seed = 1000 };
    options_metas(options, BENCH_METAS);
    options_types(options, "fillrandom_pegasus,readrandom_pegasus,deleterandom_pegasus");
}

int bench_options_read(struct bench_options *options, int argc, char **argv)
{
    options_defaults(options);
    opterr = 0; /* we say it */
    for (int letter, at;
         (letter = getopt_long(argc, argv, "t:n:m:a:Vh", options_long, &at)) != -1;) {
        if (letter == 'h' || letter == 'V') {
            fputs(letter == 'h' ? bench_help : "bridle-bench " BRIDLE_VERSION "\n", stdout);
            return fflush(stdout) == 0 ? BENCH_OK : BENCH_FAILED;
        }
        if (letter == '?')
            return options_wrong(argv[optind - 1],
                                 "an option that is not known, or lacks its value");
        const char *why = options_one(options, letter);
        if (why)
            return options_wrong_value(letter, why);
    }
    if (optind < argc)
        return options_wrong(argv[optind], "not an option");
    if (options->seed == 0)
        options->seed = 1000; /* benchmark.cpp:run_benchmark */
    return options_sense(options);
}

void bench_options_done(struct bench_options *options)
{
    free(options->metas_text);
}
