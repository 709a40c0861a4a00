/* bench_zookeeper -- see bench_zookeeper.h.  The loop of batches is what one writes who knows the
 * records beforehand and has nothing else to do: no copy, no check, no event loop.
 */
#include "t/bench_zookeeper.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADED
#include <zookeeper/zookeeper.h>

#include "host/base/mem.h"

#define BENCH_REQUEST_MAX 1048575 /* the server's jute.maxbuffer */
#define BENCH_FRAME       17      /* of a request with a multi */
#define BENCH_OVERHEAD    48      /* of a create with the open ACL in it */
#define BENCH_SINGLES_MAX 1000    /* in flight */

struct bench_client {
    zhandle_t *handle;
    sem_t up;
    sem_t room; /* one for each request that may be issued */
};

static void bench_fail(const char *what, int rc)
{
    fprintf(stderr, "bench: %s: %s\n", what, zerror(rc));
    exit(1);
}

static void bench_event(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    struct bench_client *client = context;
    (void) handle, (void) path;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE)
        sem_post(&client->up);
}

struct bench_client *bench_connect(const char *hosts)
{
    struct bench_client *client = mem_new(sizeof *client);
    zoo_set_debug_level((ZooLogLevel) 0);
    sem_init(&client->up, 0, 0);
    sem_init(&client->room, 0, 0);
    client->handle = zookeeper_init(hosts, bench_event, 30000, NULL, client, 0);
    if (!client->handle)
        bench_fail("connect", ZSYSTEMERROR);
    zoo_set_servers_resolution_delay(client->handle, -1); /* as the plugin does */
    sem_wait(&client->up);
    return client;
}

void bench_close(struct bench_client *client)
{
    zookeeper_close(client->handle);
    free(client);
}

struct batch {
    struct bench_client *client;
    zoo_op_result_t results[];
};

static void batch_done(int rc, const void *data)
{
    struct batch *batch = (struct batch *) (uintptr_t) data;
    if (rc != ZOK)
        bench_fail("multi", rc);
    sem_post(&batch->client->room);
    free(batch);
}

static void batch_send(struct bench_client *client, const zoo_op_t *ops, uint32_t count)
{
    struct batch *batch = mem_new(sizeof *batch + count * sizeof batch->results[0]);
    batch->client = client;
    int rc = zoo_amulti(client->handle, (int) count, ops, batch->results, batch_done, batch);
    if (rc != ZOK)
        bench_fail("multi", rc);
}

static void take(struct bench_client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sem_wait(&client->room);
}

static void give(struct bench_client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sem_post(&client->room);
}

static size_t write_size(const struct br_write *write)
{
    return BENCH_OVERHEAD + strlen(write->path) + write->value.size;
}

void bench_batches(struct bench_client *client, const struct br_write *writes, uint32_t count,
                   uint32_t flight)
{
    zoo_op_t *ops = mem_array(BENCH_REQUEST_MAX / BENCH_OVERHEAD, sizeof *ops);
    give(client, flight);
    for (uint32_t next = 0; next < count;) {
        uint32_t used = 0;
        for (size_t left = BENCH_REQUEST_MAX - BENCH_FRAME;
             next < count && write_size(&writes[next]) <= left; next++) {
            left -= write_size(&writes[next]);
            zoo_create_op_init(&ops[used++], writes[next].path, writes[next].value.data,
                               (int) writes[next].value.size, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
        }
        take(client, 1);
        batch_send(client, ops, used);
    }
    take(client, flight);
    free(ops);
}

static void single_done(int rc, const char *path, const void *data)
{
    struct bench_client *client = (struct bench_client *) (uintptr_t) data;
    (void) path;
    if (rc != ZOK)
        bench_fail("create", rc);
    sem_post(&client->room);
}

void bench_singles(struct bench_client *client, const struct br_write *writes, uint32_t count)
{
    give(client, BENCH_SINGLES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        take(client, 1);
        int rc =
            zoo_acreate(client->handle, writes[i].path, writes[i].value.data,
                        (int) writes[i].value.size, &ZOO_OPEN_ACL_UNSAFE, 0, single_done, client);
        if (rc != ZOK)
            bench_fail("create", rc);
    }
    take(client, BENCH_SINGLES_MAX);
}

/* -- Reads ------------------------------------------------------------------------------------ */

struct reader {
    pthread_t thread;
    struct bench_client *client;
    const char *const *paths;
    uint32_t count;
};

static void read_done(int rc, const char *value, int size, const struct Stat *stat,
                      const void *data)
{
    struct bench_client *client = (struct bench_client *) (uintptr_t) data;
    (void) value, (void) size, (void) stat;
    if (rc != ZOK)
        bench_fail("get", rc);
    sem_post(&client->room);
}

static void *reader_run(void *arg)
{
    struct reader *reader = arg;
    give(reader->client, BENCH_SINGLES_MAX);
    for (uint32_t i = 0; i < reader->count; i++) {
        take(reader->client, 1);
        int rc = zoo_aget(reader->client->handle, reader->paths[i], 0, read_done, reader->client);
        if (rc != ZOK)
            bench_fail("get", rc);
    }
    take(reader->client, BENCH_SINGLES_MAX);
    return NULL;
}

void bench_reads(struct bench_client *const *clients, uint32_t client_count,
                 const char *const *paths, uint32_t count)
{
    struct reader *readers = mem_array(client_count, sizeof *readers);
    for (uint32_t i = 0; i < client_count; i++) {
        uint32_t first = (uint32_t) ((uint64_t) count * i / client_count);
        uint32_t next = (uint32_t) ((uint64_t) count * (i + 1) / client_count);
        readers[i] =
            (struct reader){ .client = clients[i], .paths = paths + first, .count = next - first };
        if (pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]) != 0)
            bench_fail("thread", ZSYSTEMERROR);
    }
    for (uint32_t i = 0; i < client_count; i++)
        pthread_join(readers[i].thread, NULL);
    free(readers);
}

void bench_delete(struct bench_client *client, const struct br_write *writes, uint32_t count)
{
    enum { PART = 2000 };
    zoo_op_t ops[PART];
    give(client, 1);
    while (count > 0) {
        uint32_t used = 0;
        while (used < PART && count > 0)
            zoo_delete_op_init(&ops[used++], writes[--count].path, -1);
        take(client, 1);
        batch_send(client, ops, used);
    }
    take(client, 1);
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *) a, right = *(const double *) b;
    return (left > right) - (left < right);
}

double bench_median(double *rates, int count)
{
    qsort(rates, (size_t) count, sizeof *rates, ascending);
    return rates[count / 2];
}
