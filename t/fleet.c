/* fleet -- all replica servers of a synthetic cluster (synthetic.h), simulated in one process at
 * the wire, against one meta server that serves that cluster:
 *
 *     t/synthetic_store --store sqlite --file F --root /r --nodes 1000 --tables 100 \
 *         --partitions 1000000 --seed 1
 *     bridled -c CONF &                             # with meta_server.cluster_root: /r
 *     t/fleet --meta 127.0.0.1:34601 --meta-pid $! --nodes 1000 --tables 100 \
 *         --partitions 1000000 --seed 1 --seconds 60
 *
 * Each server has an address of its own, connects from it, sends a beacon every 3 s and a config
 * sync of all its replicas every 30 s, as Apache Pegasus does (src/replica/replica_stub.cpp); their
 * phases are spread evenly.  They accept connections, too, and count the proposals that come.
 *
 * Each answer is checked: a beacon's is the leader's, allows and echoes; a sync's is ERR_OK (or
 * ERR_BUSY) with exactly the server's partitions as the cluster has them and nothing to delete. Any
 * that is wrong, and any that does not come before the next one is due, makes the exit status 1.
 * Figures are of the time after every server was answered once: beacons' latency, how many came
 * later than a second, and the meta server's share of a core.
 */
#include "t/fleet.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "host/base/number.h"

#define MILLISECOND   INT64_C(1000000)
#define SECOND        (1000 * MILLISECOND)
#define FLEET_DRAIN   (3 * SECOND) /* after the end, for what is still to be answered */
#define FLEET_FDS_MAX 65536

int64_t fleet_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

void fleet_wrong(struct fleet *fleet, const char *format, ...)
{
    va_list args;
    if (fleet->count.wrong++ >= FLEET_SENTENCES_MAX)
        return;
    va_start(args, format);
    fputs("WRONG: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* -- The meta server's process -------------------------------------------------------------------
 */

struct usage {
    int64_t ns;      /* since when */
    double meta_cpu; /* seconds */
    double own_cpu;
    double meta_rss; /* bytes */
};

/* The fields of /proc/PID/stat behind the name, which may hold anything: 14 utime, 15 stime, 24
 * rss. */
static void usage_of(int32_t pid, struct usage *usage)
{
    char path[64], line[1024];
    double fields[25] = { 0 };
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) {
        fprintf(stderr, "fleet: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    fclose(file);
    char *at = strrchr(line, ')');
    at = at ? at + 2 : line;
    at += strcspn(at, " "); /* the state */
    for (int field = 4; field < 25; field++)
        fields[field] = strtod(at, &at);
    usage->meta_cpu = (fields[14] + fields[15]) / (double) sysconf(_SC_CLK_TCK);
    usage->meta_rss = fields[24] * (double) sysconf(_SC_PAGESIZE);
}

static struct usage usage_now(int32_t pid)
{
    struct usage usage = { .ns = fleet_now() };
    struct timespec own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    usage.own_cpu = (double) own.tv_sec + (double) own.tv_nsec / 1e9;
    if (pid)
        usage_of(pid, &usage);
    return usage;
}

/* -- Keeping time
 * ---------------------------------------------------------------------------------- */

/* Server `number` % nodes is due at first + number * every / nodes. */
struct beat {
    int64_t first, every;
    uint64_t number;
    void (*due)(struct fleet_server *server);
};

static int64_t beat_due(const struct fleet *fleet, const struct beat *beat)
{
    uint64_t nodes = fleet->shape.nodes;
    return beat->first + (int64_t) (beat->number / nodes) * beat->every
           + (int64_t) (beat->number % nodes) * beat->every / (int64_t) nodes;
}

static void beacon_due(struct fleet_server *server)
{
    struct fleet *fleet = server->fleet;
    if (server->beacon_id) {
        fleet->count.lost++;
        fleet_wrong(fleet, "%s: its beacon was not answered before the next was due", server->name);
    }
    if (server->fd < 0)
        fleet_connect(server);
    fleet->count.beacons++;
    fleet_put_beacon(server, &server->out);
    fleet_flush(server);
}

static void sync_due(struct fleet_server *server)
{
    if (server->sync_id)
        fleet_wrong(server->fleet, "%s: its sync was not answered before the next was due",
                    server->name);
    if (server->fd < 0)
        return; /* which was told; with the next beacon it comes back */
    server->fleet->count.syncs++;
    fleet_put_sync(server, &server->out);
    fleet_flush(server);
}

static int64_t beats_play(struct fleet *fleet, struct beat *beats, int count)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < count; i++) {
        struct beat *beat = &beats[i];
        int64_t now = fleet_now(), due;
        while ((due = beat_due(fleet, beat)) <= now) {
            if (now - due > fleet->count.behind_max)
                fleet->count.behind_max = now - due;
            beat->due(&fleet->servers[beat->number++ % fleet->shape.nodes]);
        }
        if (due < next)
            next = due;
    }
    return next;
}

static void fleet_run(struct fleet *fleet, struct beat *beats, int count, int64_t until)
{
    while (fleet_now() < until) {
        int64_t next = beats_play(fleet, beats, count);
        fleet_wait(fleet, next < until ? next : until);
    }
}

static uint64_t fleet_open(const struct fleet *fleet)
{
    uint64_t open = 0;
    for (uint32_t i = 0; i < fleet->shape.nodes; i++)
        open += (fleet->servers[i].beacon_id ? 1u : 0u) + (fleet->servers[i].sync_id ? 1u : 0u);
    return open;
}

static void fleet_drain(struct fleet *fleet)
{
    int64_t until = fleet_now() + FLEET_DRAIN;
    while (fleet_open(fleet) > 0 && fleet_now() < until)
        fleet_wait(fleet, until);
    if (fleet_open(fleet) > 0)
        fleet_wrong(fleet, "%llu requests were not answered at the end",
                    (unsigned long long) fleet_open(fleet));
}

/* -- Figures
 * --------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;
    return (left > right) - (left < right);
}

static double percentile(const struct fleet_count *count, double share)
{
    if (!count->latency_count)
        return 0;
    return count->latencies[(size_t) (share * (double) (count->latency_count - 1))] / 1000.0;
}

static void report(struct fleet *fleet, const struct usage *from, const struct usage *to)
{
    struct fleet_count *count = &fleet->count;
    double seconds = (double) (to->ns - from->ns) / 1e9;
    qsort(count->latencies, count->latency_count, sizeof *count->latencies, ascending);
    printf("fleet    %u servers, %u partitions in %u tables, %.0f s\n", fleet->shape.nodes,
           fleet->shape.partitions, fleet->shape.tables, seconds);
    printf("beacons  %llu sent, %llu answered; latency p50 %.2f ms, p99 %.2f ms, max %.2f ms; late "
           "%llu, lost %llu\n",
           (unsigned long long) count->beacons, (unsigned long long) count->acks,
           percentile(count, 0.5), percentile(count, 0.99), percentile(count, 1),
           (unsigned long long) count->late, (unsigned long long) count->lost);
    printf(
        "syncs    %llu sent, %llu answered, %llu of them ERR_BUSY; %llu partitions told; latency "
        "max %.1f ms\n",
        (unsigned long long) count->syncs, (unsigned long long) count->answers,
        (unsigned long long) count->busy, (unsigned long long) count->partitions,
        count->sync_latency_max / 1000.0);
    printf("others   %llu proposals\n", (unsigned long long) count->proposals);
    if (to->meta_rss > 0)
        printf("meta     cores: %.2f of one; %.0f MiB, %.0f bytes a partition\n",
               (to->meta_cpu - from->meta_cpu) / seconds, to->meta_rss / 1048576,
               to->meta_rss / fleet->shape.partitions);
    printf("self     cores: %.2f of one; at most %.1f ms behind its plan\n",
           (to->own_cpu - from->own_cpu) / seconds, (double) count->behind_max / 1e6);
    printf("wrong    %llu\n", (unsigned long long) count->wrong);
}

/* Begin to count: what is wrong stays. */
static void count_anew(struct fleet *fleet)
{
    uint64_t wrong = fleet->count.wrong;
    free(fleet->count.latencies);
    fleet->count = (struct fleet_count){ .wrong = wrong };
}

/* -- Begin and end -------------------------------------------------------------------------------
 */

static void fleet_make(struct fleet *fleet)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < FLEET_FDS_MAX ? limit.rlim_max : FLEET_FDS_MAX;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    synthetic_cluster(&fleet->cluster, &fleet->shape);
    fleet->servers = mem_array(fleet->shape.nodes, sizeof *fleet->servers);
    for (uint32_t i = 0; i < fleet->shape.nodes; i++) {
        struct fleet_server *server = &fleet->servers[i];
        *server = (struct fleet_server){
            .fleet = fleet, .index = i, .address = synthetic_address(i), .fd = -1
        };
        address_format(server->address, server->name);
    }
    address_format(fleet->meta, fleet->meta_name);
    fleet->start_ms = (int64_t) time(NULL) * 1000;
    fleet_prepare(fleet);
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    fleet_listen(fleet);
}

static void fleet_done(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->shape.nodes; i++) {
        struct fleet_server *server = &fleet->servers[i];
        if (server->fd >= 0)
            close(server->fd);
        buf_done(&server->sync);
        buf_done(&server->in);
        buf_done(&server->out);
    }
    close(fleet->listener);
    close(fleet->epoll);
    free(fleet->servers);
    free(fleet->stamps);
    free(fleet->count.latencies);
    cluster_done(&fleet->cluster);
}

/* A round of beacons, a round of syncs, then what is counted. */
static void fleet_measure(struct fleet *fleet, int32_t pid, int64_t seconds)
{
    int64_t start = fleet_now();
    int64_t syncs = start + fleet->beacon_every + fleet->late_after;
    struct beat beats[] = {
        { .first = start, .every = fleet->beacon_every, .due = beacon_due },
        { .first = syncs, .every = fleet->sync_every, .due = sync_due },
    };
    fleet_run(fleet, beats, 2, syncs + fleet->sync_every);
    count_anew(fleet);
    struct usage from = usage_now(pid);
    fleet_run(fleet, beats, 2, fleet_now() + seconds * SECOND);
    struct usage to = usage_now(pid);
    fleet_drain(fleet);
    report(fleet, &from, &to);
}

/* -- Arguments -----------------------------------------------------------------------------------
 */

struct arguments {
    int32_t pid;
    int64_t seconds;
};

static int usage(const char *why)
{
    fprintf(stderr,
            "fleet: %s\n"
            "usage: fleet --meta A.B.C.D:PORT [--meta-pid PID] [--seconds N] [--nodes N]\n"
            "       [--tables N] [--partitions N] [--seed N] [--version 2.5|2.6]\n"
            "       [--beacon-ms N] [--sync-ms N] [--late-ms N]\n",
            why);
    return 2;
}

static bool take_option(struct fleet *fleet, struct arguments *arguments, int option,
                        const char *text)
{
    int32_t number = 0;
    if (option == 'm')
        return address_parse(text, &fleet->meta);
    if (option == 'v') {
        fleet->named = strcmp(text, "2.6") == 0;
        return fleet->named || strcmp(text, "2.5") == 0;
    }
    if (!number_i32(text, strlen(text), &number) || number < 1)
        return false;
    switch (option) {
    case 'i': arguments->pid = number; return true;
    case 'c': arguments->seconds = number; return true;
    case 'n': fleet->shape.nodes = (uint32_t) number; return true;
    case 't': fleet->shape.tables = (uint32_t) number; return true;
    case 'p': fleet->shape.partitions = (uint32_t) number; return true;
    case 'e': fleet->shape.seed = (uint64_t) number; return true;
    case 'b': fleet->beacon_every = number * MILLISECOND; return true;
    case 'y': fleet->sync_every = number * MILLISECOND; return true;
    case 'l': fleet->late_after = number * MILLISECOND; return true;
    default: return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "meta", required_argument, NULL, 'm' },
        { "meta-pid", required_argument, NULL, 'i' },
        { "seconds", required_argument, NULL, 'c' },
        { "nodes", required_argument, NULL, 'n' },
        { "tables", required_argument, NULL, 't' },
        { "partitions", required_argument, NULL, 'p' },
        { "seed", required_argument, NULL, 'e' },
        { "version", required_argument, NULL, 'v' },
        { "beacon-ms", required_argument, NULL, 'b' },
        { "sync-ms", required_argument, NULL, 'y' },
        { "late-ms", required_argument, NULL, 'l' },
        { 0 },
    };
    static struct fleet fleet = { .shape = { .nodes = 3, .tables = 1, .partitions = 8, .seed = 1 },
                                  .beacon_every = 3 * SECOND,
                                  .sync_every = 30 * SECOND,
                                  .late_after = SECOND };
    struct arguments arguments = { .seconds = 60 };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (option == '?' || !take_option(&fleet, &arguments, option, optarg))
            return usage("an option that is not known, or a value that is none");
    const char *wrong = synthetic_wrong(&fleet.shape);
    if (wrong || optind < argc || !fleet.meta)
        return usage(wrong ? wrong : "--meta is needed, and there are only options");
    fleet_make(&fleet);
    fleet_measure(&fleet, arguments.pid, arguments.seconds);
    int status = fleet.count.wrong > 0;
    fleet_done(&fleet);
    return status;
}
