/* replicad -- a replica server for oneboxes and tests: the options, and a stub that runs until a
 * signal comes.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/number.h"
#include "host/config/option.h"
#include "host/core/libraries.h"
#include "host/replica/files.h"
#include "host/replica/stub.h"

#define LOG_SIZE_MIN 65536

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char replicad_help[] =
    "usage: replicad --listen HOST:PORT --data [TAG:]DIR... [--meta HOST:PORT,...]\n"
    "       replicad --create ID:NAME:PARTITIONS:REPLICAS --data DIR [--partitions LIST]\n"
    "\n"
    "replicad is a replica server for oneboxes, tests and small clusters: one RocksDB per\n"
    "replica, in Apache Pegasus's on-disk format (DIR/replica/reps/...).  It obeys the meta\n"
    "servers, and speaks with Pegasus's clients.  What it has acknowledged outlives the kill of\n"
    "any process; with --sync, the loss of power.  Where a real replica server aborts, it exits\n"
    "with status 70.\n"
    "\n"
    "  -l, --listen HOST:PORT   where it listens and what it calls itself\n"
    "  -d, --data [TAG:]DIR     a data directory; may be given again\n"
    "  -m, --meta LIST          meta servers, separated by commas\n"
    "                           (default 127.0.0.1:34601)\n"
    "  -s, --sync               what is acknowledged is synced first (Pegasus does not)\n"
    "      --log-size BYTES     of a replica's private log from which its data are flushed\n"
    "                           (4194304)\n"
    "      --without-data       keep no data: writes get their decrees, are replicated and\n"
    "                           forgotten; for tests and rehearsals\n"
    "  -u, --udp                beacons as datagrams, as Pegasus's stock configuration\n"
    "      --pegasus-version V  2.5 (default) or 2.6: whether servers are names or addresses\n"
    "      --min-replicas N     members that a write needs (default: more than half of the\n"
    "                           table's replicas, 1 of up to 2)\n"
    "      --create TABLE       make empty replicas of a table in the first DIR, and exit\n"
    "      --partitions LIST    with --create: which, e.g. 0,2,5 (default: all)\n"
    "      --ballot N           with --create: their ballot (default 1)\n"
    "      --decree N           with --create: their durable decree (default 0)\n"
    "  -V, --version            the version\n"
    "  -h, --help               this text\n"
    "\n"
    "times, with a unit (500ms, 20s, 10min):\n"
    "      --lease TIME                 how long a leader's answer counts (20s)\n"
    "      --beacon-interval TIME       between beacons (3s)\n"
    "      --check-interval TIME        between looks at the lease (2s)\n"
    "      --config-sync-interval TIME  between config syncs (30s)\n"
    "      --group-check-interval TIME  between a primary's group checks (10s)\n"
    "      --gc-memory-interval TIME    how long an inactive replica that no meta server knows\n"
    "                                   is kept (10min)\n"
    "\n"
    "example: replicad -l 127.0.0.1:34801 -d onebox/replica1/data -m 127.0.0.1:34601\n";

struct replicad {
    struct stub_options options;
    struct inventory_dir dirs[INVENTORY_DIRS_MAX];
    char *metas_text;
    const char *metas[BEACON_METAS_MAX + 1];
    const char *create, *partitions;
    int64_t ballot, decree, created;

    struct fail fail; /* why an option was refused */
    struct log log;
    struct loop *loop;
    struct stub stub;
};

/* -- Arguments -------------------------------------------------------------------------------- */

static int replicad_usage(const char *why)
{
    fprintf(stderr, "replicad: %s; see replicad --help\n", why);
    return EXIT_USAGE;
}

static bool replicad_metas(struct replicad *replicad, const char *list)
{
    free(replicad->metas_text);
    replicad->metas_text = strdup(list);
    uint32_t count = 0;
    char *rest = replicad->metas_text;
    for (char *item; (item = strsep(&rest, ","));) {
        size_t host;
        uint16_t port;
        if (count == BEACON_METAS_MAX || !number_node(item, &host, &port))
            return false;
        replicad->metas[count++] = item;
    }
    replicad->metas[count] = NULL;
    return count > 0;
}

static bool replicad_data(struct replicad *replicad, char *text)
{
    if (replicad->options.dir_count == INVENTORY_DIRS_MAX)
        return false;
    char *colon = strchr(text, ':');
    struct inventory_dir *dir = &replicad->dirs[replicad->options.dir_count++];
    *dir = (struct inventory_dir){ .tag = "default", .path = text };
    if (colon) {
        *colon = 0;
        *dir = (struct inventory_dir){ .tag = text, .path = colon + 1 };
    }
    return *dir->tag && *dir->path;
}

/* Options that are a time; from OPTION_TIME on. */
#define REPLICAD_TIME(field)                                                                       \
    BR_DURATION(struct stub_options, field, .help = "a time", .min = BR_MILLISECOND,               \
                .max = 24 * 60 * BR_MINUTE)

enum { OPTION_TIME = 1000, OPTION_TIMES = 6 };

static const struct br_option replicad_times[OPTION_TIMES] = {
    REPLICAD_TIME(lease),
    REPLICAD_TIME(beacon_interval),
    REPLICAD_TIME(check_interval),
    REPLICAD_TIME(config_sync_interval),
    REPLICAD_TIME(group_check_interval),
    REPLICAD_TIME(gc_memory_interval),
};

static const char *replicad_time(struct replicad *replicad, const struct br_option *option)
{
    struct arena arena;
    const struct yaml value = { .kind = YAML_SCALAR, .file = "command line", .text = optarg };
    arena_init(&arena, 0);
    br_status status =
        option_parse(&arena, &value, option, "replicad", &replicad->options, &replicad->fail);
    arena_done(&arena);
    return status ? replicad->fail.text : NULL;
}

static const char *replicad_option(struct replicad *replicad, int option)
{
    if (option >= OPTION_TIME && option < OPTION_TIME + OPTION_TIMES)
        return replicad_time(replicad, &replicad_times[option - OPTION_TIME]);
    switch (option) {
    case 'l': replicad->options.name = optarg; return NULL;
    case 'd': return replicad_data(replicad, optarg) ? NULL : "--data makes no sense";
    case 'm': return replicad_metas(replicad, optarg) ? NULL : "--meta is not a list of host:port";
    case 's': replicad->options.sync = true; return NULL;
    case 'L':
        return number_i64(optarg, strlen(optarg), &replicad->options.log_size)
                       && replicad->options.log_size >= LOG_SIZE_MIN
                   ? NULL
                   : "--log-size is not a number of at least 65536";
    case 'w': replicad->options.without_data = true; return NULL;
    case 'u': replicad->options.datagrams = true; return NULL;
    case 'v':
        replicad->options.named = strcmp(optarg, "2.6") == 0;
        return replicad->options.named || strcmp(optarg, "2.5") == 0
                   ? NULL
                   : "--pegasus-version is 2.5 or 2.6";
    case 'n':
        return number_i64(optarg, strlen(optarg), &replicad->options.min_replicas)
                       && replicad->options.min_replicas > 0
                   ? NULL
                   : "--min-replicas is not a number above 0";
    case 'c': replicad->create = optarg; return NULL;
    case 'p': replicad->partitions = optarg; return NULL;
    case 'b':
        return number_i64(optarg, strlen(optarg), &replicad->ballot) ? NULL
                                                                     : "--ballot is not a number";
    case 'e':
        return number_i64(optarg, strlen(optarg), &replicad->decree) ? NULL
                                                                     : "--decree is not a number";
    case 't':
        return number_i64(optarg, strlen(optarg), &replicad->created) ? NULL
                                                                      : "--created is not a number";
    default: return "unknown option";
    }
}

/* -1: go on; else the exit status. */
static int replicad_arguments(struct replicad *replicad, int argc, char **argv)
{
    static const struct option options[] = {
        { "listen", required_argument, NULL, 'l' },
        { "data", required_argument, NULL, 'd' },
        { "meta", required_argument, NULL, 'm' },
        { "sync", no_argument, NULL, 's' },
        { "log-size", required_argument, NULL, 'L' },
        { "without-data", no_argument, NULL, 'w' },
        { "udp", no_argument, NULL, 'u' },
        { "pegasus-version", required_argument, NULL, 'v' },
        { "min-replicas", required_argument, NULL, 'n' },
        { "lease", required_argument, NULL, OPTION_TIME },
        { "beacon-interval", required_argument, NULL, OPTION_TIME + 1 },
        { "check-interval", required_argument, NULL, OPTION_TIME + 2 },
        { "config-sync-interval", required_argument, NULL, OPTION_TIME + 3 },
        { "group-check-interval", required_argument, NULL, OPTION_TIME + 4 },
        { "gc-memory-interval", required_argument, NULL, OPTION_TIME + 5 },
        { "create", required_argument, NULL, 'c' },
        { "partitions", required_argument, NULL, 'p' },
        { "ballot", required_argument, NULL, 'b' },
        { "decree", required_argument, NULL, 'e' },
        { "created", required_argument, NULL, 't' },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "l:d:m:suVh", options, NULL)) != -1) {
        if (option == 'h' || option == 'V') {
            fputs(option == 'h' ? replicad_help : "replicad " BRIDLE_VERSION "\n", stdout);
            return 0;
        }
        const char *wrong = replicad_option(replicad, option);
        if (wrong)
            return replicad_usage(wrong);
    }
    if (optind != argc || replicad->options.dir_count == 0)
        return replicad_usage(optind != argc ? "unexpected argument" : "--data is missing");
    if (!replicad->options.name && !replicad->create)
        return replicad_usage("--listen is missing");
    return -1;
}

/* -- Making replicas -------------------------------------------------------------------------- */

static bool replicad_wanted(const char *list, int32_t partition)
{
    for (const char *at = list; at && *at;) {
        size_t size = strcspn(at, ",");
        int32_t number;
        if (number_i32(at, size, &number) && number == partition)
            return true;
        at += size + (at[size] == ',');
    }
    return list == NULL;
}

/* Every entry is a partition of the table; no list means all of them. */
static bool replicad_partitions(const char *list, int32_t count)
{
    bool good = true;
    for (const char *at = list; at && good;) {
        size_t size = strcspn(at, ",");
        int32_t number;
        good = number_i32(at, size, &number) && number >= 0 && number < count;
        at = at[size] ? at + size + 1 : NULL;
    }
    return good;
}

/* Data that end at the decree, with nothing in them. */
static br_status replicad_create_data(const struct replicad *replicad, const struct br_table *table,
                                      int32_t partition, struct fail *fail)
{
    struct data_shared *shared = data_shared_new();
    struct data_store *store = NULL;
    struct buf path = { 0 };
    files_path(&path, replicad->dirs[0].path, table->id, partition, table->type);
    buf_text(&path, "/data");
    br_status status = files_make_dir(path.data, fail);
    buf_text(&path, "/rdb");
    if (!status)
        status = data_store_open(shared, path.data, &store, fail);
    if (!status)
        status = data_store_commit(store, replicad->decree, fail);
    if (!status)
        status = data_store_flush(store, fail);
    data_store_close(store);
    data_shared_free(shared);
    buf_done(&path);
    return status;
}

static br_status replicad_create_one(const struct replicad *replicad, const struct br_table *table,
                                     int32_t partition, struct fail *fail)
{
    br_status status = files_create(replicad->dirs[0].path, table, partition, replicad->ballot,
                                    replicad->decree, false, fail);
    if (!status && !replicad->options.without_data && replicad->decree > 0)
        status = replicad_create_data(replicad, table, partition, fail);
    return status;
}

/* "ID:NAME:PARTITIONS:REPLICAS", cut in place. */
static bool replicad_table(char *text, struct br_table *table)
{
    char *part[4] = { NULL };
    for (int i = 0; i < 4; i++)
        part[i] = strsep(&text, ":");
    table->name = part[1];
    return part[3] && !text && *part[1] && number_i32(part[0], strlen(part[0]), &table->id)
           && number_i32(part[2], strlen(part[2]), &table->partition_count)
           && number_i32(part[3], strlen(part[3]), &table->replica_count) && table->id > 0
           && table->partition_count > 0 && table->partition_count <= BR_PARTITIONS_MAX
           && table->replica_count > 0;
}

static int replicad_create(struct replicad *replicad)
{
    struct br_table table = {
        .status = BR_TABLE_AVAILABLE,
        .type = "pegasus",
        .flags = BR_TABLE_STATEFUL,
        .create_second = replicad->created ? replicad->created : (int64_t) time(NULL),
    };
    struct fail fail;
    char *text = strdup(replicad->create);
    int status = 0;
    if (!replicad_table(text, &table))
        status = replicad_usage("--create wants ID:NAME:PARTITIONS:REPLICAS");
    else if (!replicad_partitions(replicad->partitions, table.partition_count))
        status = replicad_usage("--partitions is not a list of the table's partitions");
    table.init_partition_count = table.partition_count;
    for (int32_t i = 0; i < table.partition_count && status == 0; i++) {
        if (replicad_wanted(replicad->partitions, i)
            && replicad_create_one(replicad, &table, i, &fail) != BR_OK) {
            fprintf(stderr, "replicad: %s\n", fail.text);
            status = EXIT_FAILED;
        }
    }
    free(text);
    return status;
}

/* -- Running ---------------------------------------------------------------------------------- */

static void replicad_signal(evutil_socket_t number, short what, void *arg)
{
    struct replicad *replicad = arg;
    (void) number;
    (void) what;
    loop_stop(replicad->loop);
}

static void replicad_serve(struct replicad *replicad)
{
    struct event *term = evsignal_new(replicad->loop->base, SIGTERM, replicad_signal, replicad);
    struct event *interrupt = evsignal_new(replicad->loop->base, SIGINT, replicad_signal, replicad);
    evsignal_add(term, NULL);
    evsignal_add(interrupt, NULL);
    log_put(&replicad->log, BR_INFO, "replicad", "serving %u replicas on %s",
            replicad->stub.replica_count, replicad->options.name);
    loop_run(replicad->loop);
    stub_stop(&replicad->stub);
    event_free(term);
    event_free(interrupt);
}

static int replicad_run(struct replicad *replicad)
{
    struct fail fail;
    signal(SIGPIPE, SIG_IGN);
    replicad->options.dirs = replicad->dirs;
    replicad->options.metas = replicad->metas;
    replicad->loop = loop_new(&replicad->log);
    if (!replicad->loop) {
        fprintf(stderr, "replicad: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    br_status status = stub_start(&replicad->stub, replicad->loop, &replicad->options, &fail);
    if (status)
        log_put(&replicad->log, BR_ERROR, "replicad", "%s", fail.text);
    else
        replicad_serve(replicad);
    loop_free(replicad->loop);
    return status ? EXIT_FAILED : 0;
}

int main(int argc, char **argv)
{
    struct replicad replicad = { .options = stub_defaults,
                                 .ballot = 1,
                                 .log = { .fd = STDERR_FILENO, .level = BR_INFO } };
    libraries_memory();
    replicad_metas(&replicad, "127.0.0.1:34601");
    int status = replicad_arguments(&replicad, argc, argv);
    if (status < 0)
        status = replicad.create ? replicad_create(&replicad) : replicad_run(&replicad);
    free(replicad.metas_text);
    return status;
}
