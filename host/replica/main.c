/* replicad -- a replica server for oneboxes, tests and small clusters: it opens data directories in
 * Pegasus's format, sends beacons, and tells what it holds.
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
#include "host/rdsn/info.h"
#include "host/rdsn/server.h"
#include "host/replica/beacon.h"
#include "host/replica/inventory.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char replicad_help[] =
    "usage: replicad --listen HOST:PORT --data [TAG:]DIR... [--meta HOST:PORT,...]\n"
    "       replicad --create ID:NAME:PARTITIONS:REPLICAS --data DIR [--partitions LIST]\n"
    "\n"
    "replicad is a replica server for oneboxes and tests, not for production: it opens data\n"
    "directories in Apache Pegasus's on-disk format (DIR/replica/reps/1.0.pegasus ...), sends\n"
    "beacons to the meta servers, and answers what tables and replicas it holds.\n"
    "\n"
    "  -l, --listen HOST:PORT   where it listens and what it calls itself\n"
    "  -d, --data [TAG:]DIR     a data directory; may be given again\n"
    "  -m, --meta LIST          meta servers, separated by commas\n"
    "                           (default 127.0.0.1:34601)\n"
    "  -u, --udp                beacons as datagrams, as Pegasus's stock configuration\n"
    "      --pegasus-version V  2.5 (default) or 2.6: whether to send host names\n"
    "      --create TABLE       make empty replicas of a table in the first DIR, and exit\n"
    "      --partitions LIST    with --create: which, e.g. 0,2,5 (default: all)\n"
    "      --ballot N           with --create: their ballot (default 1)\n"
    "      --decree N           with --create: their durable decree (default 0)\n"
    "  -V, --version            the version\n"
    "  -h, --help               this text\n"
    "\n"
    "example: replicad -l 127.0.0.1:34801 -d onebox/replica1/data -m 127.0.0.1:34601\n";

struct replicad {
    const char *listen;
    struct inventory_dir dirs[INVENTORY_DIRS_MAX];
    uint32_t dir_count;
    char *metas_text;
    const char *metas[BEACON_METAS_MAX + 1];
    bool udp, named;
    const char *create, *partitions;
    int64_t ballot, decree, created;

    struct log log;
    struct loop *loop;
    uint64_t address;
    time_t started;
    struct inventory inventory;
    struct rdsn_server *server;
    struct rdsn_client *client;
    struct beacon *beacon;
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
    if (replicad->dir_count == INVENTORY_DIRS_MAX)
        return false;
    char *colon = strchr(text, ':');
    struct inventory_dir *dir = &replicad->dirs[replicad->dir_count++];
    *dir = (struct inventory_dir){ .tag = "default", .path = text };
    if (colon) {
        *colon = 0;
        *dir = (struct inventory_dir){ .tag = text, .path = colon + 1 };
    }
    return *dir->tag && *dir->path;
}

static const char *replicad_option(struct replicad *replicad, int option)
{
    switch (option) {
    case 'l': replicad->listen = optarg; return NULL;
    case 'd': return replicad_data(replicad, optarg) ? NULL : "--data makes no sense";
    case 'm': return replicad_metas(replicad, optarg) ? NULL : "--meta is not a list of host:port";
    case 'u': replicad->udp = true; return NULL;
    case 'v':
        replicad->named = strcmp(optarg, "2.6") == 0;
        return replicad->named || strcmp(optarg, "2.5") == 0 ? NULL
                                                             : "--pegasus-version is 2.5 or 2.6";
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
        { "udp", no_argument, NULL, 'u' },
        { "pegasus-version", required_argument, NULL, 'v' },
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
    while ((option = getopt_long(argc, argv, "l:d:m:uVh", options, NULL)) != -1) {
        if (option == 'h' || option == 'V') {
            fputs(option == 'h' ? replicad_help : "replicad " BRIDLE_VERSION "\n", stdout);
            return 0;
        }
        const char *wrong = replicad_option(replicad, option);
        if (wrong)
            return replicad_usage(wrong);
    }
    if (optind != argc || replicad->dir_count == 0)
        return replicad_usage(optind != argc ? "unexpected argument" : "--data is missing");
    if (!replicad->listen && !replicad->create)
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
            && inventory_create(replicad->dirs[0].path, &table, i, replicad->ballot,
                                replicad->decree, &fail)
                   != BR_OK) {
            fprintf(stderr, "replicad: %s\n", fail.text);
            status = EXIT_FAILED;
        }
    }
    free(text);
    return status;
}

/* -- Answering -------------------------------------------------------------------------------- */

static void replicad_send(struct rdsn_incoming *incoming, struct buf *body)
{
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(body));
    buf_done(body);
}

static void replicad_tell_tables(struct replicad *replicad, struct rdsn_incoming *incoming)
{
    const struct inventory *inventory = &replicad->inventory;
    struct msg_query_app_info_response response;
    struct arena arena;
    struct buf body = { 0 };
    arena_init(&arena, 0);
    wire_init(&wire_query_app_info_response, &response);
    struct msg_app_info *infos = arena_alloc(&arena, inventory->table_count * sizeof *infos);
    for (uint32_t i = 0; i < inventory->table_count; i++)
        info_from_table(&inventory->tables[i], &infos[i]);
    response.apps = (struct wire_list){ .items = infos, .count = inventory->table_count };
    wire_encode(&wire_query_app_info_response, &response,
                replicad->named ? WIRE_PEER_26 : WIRE_PEER_25, &body);
    arena_done(&arena);
    replicad_send(incoming, &body);
}

static void replicad_tell_replicas(struct replicad *replicad, struct rdsn_incoming *incoming)
{
    const struct inventory *inventory = &replicad->inventory;
    struct msg_query_replica_info_response response;
    struct arena arena;
    struct buf body = { 0 };
    arena_init(&arena, 0);
    wire_init(&wire_query_replica_info_response, &response);
    struct msg_replica_info *infos = arena_alloc(&arena, inventory->replica_count * sizeof *infos);
    for (uint32_t i = 0; i < inventory->replica_count; i++) {
        const struct br_replica *replica = &inventory->replicas[i];
        struct msg_replica_info *info = &infos[i];
        wire_init(&wire_replica_info, info);
        info->pid = (struct gpid){ .app_id = replica->table, .partition = replica->partition };
        info->ballot = replica->ballot;
        info->status = replica->role;
        info->last_committed_decree = replica->committed;
        info->last_prepared_decree = replica->prepared;
        info->last_durable_decree = replica->durable;
        info->app_type = replica->type;
        info->disk_tag = replica->disk;
        WIRE_SET(info, 9);
    }
    response.replicas = (struct wire_list){ .items = infos, .count = inventory->replica_count };
    wire_encode(&wire_query_replica_info_response, &response, WIRE_PEER_25, &body);
    arena_done(&arena);
    replicad_send(incoming, &body);
}

static void replicad_command(struct replicad *replicad, struct rdsn_incoming *incoming)
{
    struct msg_command command;
    struct arena arena;
    struct fail fail;
    arena_init(&arena, 1024);
    if (wire_decode(&wire_command, incoming->body, wire_arena(&arena), &command, &fail) != BR_OK) {
        rdsn_server_reject(incoming, fail.text);
        arena_done(&arena);
        return;
    }
    char when[32];
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&replicad->started, &tm));
    struct buf text = { 0 };
    struct buf body = { 0 };
    if (command.cmd && strcmp(command.cmd, "server-info") == 0)
        buf_printf(&text, "replicad %s (Apache Pegasus %s protocol), Started at %s", BRIDLE_VERSION,
                   replicad->named ? "2.6" : "2.5", when);
    else
        buf_text(&text, "commands: help, server-info");
    const char *answer = buf_string(&text);
    wire_encode_value(WIRE_STRING, &answer, &body);
    arena_done(&arena);
    buf_done(&text);
    replicad_send(incoming, &body);
}

static void replicad_request(void *arg, struct rdsn_incoming *incoming)
{
    struct replicad *replicad = arg;
    const char *name = incoming->header.rpc_name;
    const struct rpc *rpc = rpc_find(name);
    if (strcmp(name, "RPC_QUERY_APP_INFO") == 0)
        replicad_tell_tables(replicad, incoming);
    else if (strcmp(name, "RPC_QUERY_REPLICA_INFO") == 0)
        replicad_tell_replicas(replicad, incoming);
    else if (strcmp(name, "RPC_CLI_CLI_CALL") == 0)
        replicad_command(replicad, incoming);
    else if (rpc && rpc->one_way)
        rdsn_server_drop(incoming);
    else
        rdsn_server_reply(incoming, "ERR_HANDLER_NOT_FOUND", (br_bytes){ NULL, 0 });
}

/* -- Running ---------------------------------------------------------------------------------- */

static void replicad_event(void *arg, br_level level, const char *text)
{
    const struct replicad *replicad = arg;
    log_put(&replicad->log, level, "server", "%s", text);
}

static void replicad_signal(evutil_socket_t number, short what, void *arg)
{
    struct replicad *replicad = arg;
    (void) number;
    (void) what;
    loop_stop(replicad->loop);
}

static br_status replicad_open(struct replicad *replicad, struct fail *fail)
{
    char host[ADDRESS_TEXT_MAX];
    if (!address_resolve(replicad->listen, &replicad->address))
        return fail_set(fail, BR_INVALID, "--listen %s cannot be resolved", replicad->listen);
    address_format(replicad->address, host);
    *strrchr(host, ':') = 0;
    br_status status = inventory_open(&replicad->inventory, replicad->dirs, replicad->dir_count,
                                      &replicad->log, fail);
    if (status)
        return status;
    replicad->server = rdsn_server_new(replicad->loop->base,
                                       &(struct rdsn_server_options){
                                           .host = host,
                                           .port = address_port(replicad->address),
                                           .request = replicad_request,
                                           .event = replicad_event,
                                           .arg = replicad,
                                       },
                                       fail);
    return replicad->server ? BR_OK : fail->status;
}

static void replicad_serve(struct replicad *replicad)
{
    struct event *term = evsignal_new(replicad->loop->base, SIGTERM, replicad_signal, replicad);
    struct event *interrupt = evsignal_new(replicad->loop->base, SIGINT, replicad_signal, replicad);
    evsignal_add(term, NULL);
    evsignal_add(interrupt, NULL);
    replicad->client = rdsn_client_new(
        replicad->loop->base, &(struct rdsn_client_options){ .from_address = replicad->address });
    replicad->beacon = beacon_start(replicad->loop, replicad->client,
                                    &(struct beacon_options){
                                        .name = replicad->listen,
                                        .address = replicad->address,
                                        .metas = replicad->metas,
                                        .datagrams = replicad->udp,
                                        .named = replicad->named,
                                    });
    log_put(&replicad->log, BR_INFO, "replicad", "serving %u replicas of %u tables on %s",
            replicad->inventory.replica_count, replicad->inventory.table_count, replicad->listen);
    loop_run(replicad->loop);
    rdsn_client_free(replicad->client);
    beacon_stop(replicad->beacon);
    event_free(term);
    event_free(interrupt);
}

static int replicad_run(struct replicad *replicad)
{
    struct fail fail;
    signal(SIGPIPE, SIG_IGN);
    replicad->started = time(NULL);
    replicad->loop = loop_new(&replicad->log);
    if (!replicad->loop) {
        fprintf(stderr, "replicad: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    br_status status = replicad_open(replicad, &fail);
    if (status)
        log_put(&replicad->log, BR_ERROR, "replicad", "%s", fail.text);
    else
        replicad_serve(replicad);
    if (replicad->server)
        rdsn_server_free(replicad->server);
    inventory_close(&replicad->inventory);
    loop_free(replicad->loop);
    return status ? EXIT_FAILED : 0;
}

int main(int argc, char **argv)
{
    struct replicad replicad = { .ballot = 1, .log = { .fd = STDERR_FILENO, .level = BR_INFO } };
    replicad_metas(&replicad, "127.0.0.1:34601");
    int status = replicad_arguments(&replicad, argc, argv);
    if (status < 0)
        status = replicad.create ? replicad_create(&replicad) : replicad_run(&replicad);
    free(replicad.metas_text);
    return status;
}
