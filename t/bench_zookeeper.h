/* bench_zookeeper -- writing and reading records of ZooKeeper with nothing between: what the
 * benchmarks of apply and of loading are measured against.
 */
#ifndef T_BENCH_ZOOKEEPER_H
#define T_BENCH_ZOOKEEPER_H

#include "t/bench.h"

#include <stdbool.h>
#include <stdint.h>

#include <bridle/store.h>

struct bench_client;

struct bench_client *bench_connect(const char *hosts);
void bench_close(struct bench_client *client);

/* All return when everything was answered, and end the program where something failed. */

/* Full `multi` batches, `flight` of them in flight. */
void bench_batches(struct bench_client *client, const struct br_write *writes, uint32_t count,
                   uint32_t flight);

/* One create each, pipelined. */
void bench_singles(struct bench_client *client, const struct br_write *writes, uint32_t count);

/* One get each, pipelined, an equal part on each of the clients, issued by a thread of its own. */
void bench_reads(struct bench_client *const *clients, uint32_t client_count,
                 const char *const *paths, uint32_t count);

/* The paths, children first: the last one first. */
void bench_delete(struct bench_client *client, const struct br_write *writes, uint32_t count);

/* Sorts them. */
double bench_median(double *rates, int count);

#endif
