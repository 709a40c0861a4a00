/* survey_read -- what replica servers answered, and a file of it that is read.
 *
 *     {"format":"bridle survey","version":1,"second":1700000000,"nodes":[
 *     {"name":"h1:34801","address":"10.0.0.1:34801","asked_ms":...,"answered_ms":...,
 *      "error":"","why":"","tables":[
 *     {"id":2,"status":1,"name":"temp","type":"pegasus","partition_count":8,"replica_count":3,
 *      "init_partition_count":-1,"flags":1,"expire_second":0,"create_second":1700000000,
 *      "drop_second":0,"envs":["key","value"]}
 *     ],"replicas":[
 *     [2,0,1,7,120,120,118,"pegasus","ssd1"]
 *     ]}
 *     ]}
 *
 * Keys in this order.  Times are the wall clock's, unix milliseconds; answered_ms is 0 where the
 * node is silent, and then `error` and `why` say why.  A replica is [table id, partition, role,
 * ballot, committed, prepared, durable decree, type, disk]; roles, statuses and flags are
 * <bridle/types.h>'s numbers.  An address that is not known is "".  A node whose name is not known
 * (transport_scan) is called by the path of its disk.  Strings that are not UTF-8 (environments may
 * be that) keep their bytes.
 */
#ifndef HOST_DISK_SURVEY_READ_H
#define HOST_DISK_SURVEY_READ_H

#include "host/base/arena.h"
#include "host/base/reader.h"

#define SURVEY_VERSION 1

struct survey_node {
    const char *name;
    uint64_t address;
    bool complete;
    br_time asked_at;    /* the attempt that counts began, on the loop's clock */
    br_time answered_at; /* a complete node's: both answers were there */
    const char *error;   /* of a silent one: "ERR_NETWORK_FAILURE", "ERR_TIMEOUT", its own ... */
    const char *why;     /* a sentence, for the log */
    const struct br_chunk *tables; /* NULL where silent */
    const struct br_chunk *replicas;
};

struct survey {
    struct arena arena; /* names, rows */
    struct survey_node *nodes;
    uint32_t node_count;
    uint32_t silent_count;
    uint64_t replica_count;
    int64_t second; /* wall clock when it was finished, unix seconds */
};

void survey_free(struct survey *survey); /* NULL: nothing */

/* The survey, survey_free()'s; NULL and *reader's sentence.  Its times are the wall clock's. */
struct survey *survey_get(struct reader *reader);

/* The whole file.  `text` is changed. */
struct survey *survey_parse(const char *file, char *text, size_t size, struct fail *ret_fail);

#endif
