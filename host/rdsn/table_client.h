/* table_client -- read and write one Pegasus table, as Pegasus's C++ client does.
 *
 * A table is known by its name and a list of meta servers.  The first operation asks them for the
 * configuration (RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX); a key's partition is its hash modulo the
 * partition count, and an operation goes to that partition's primary.
 *
 * Attempts (src/client/partition_resolver.cpp:call_task).  An operation has one deadline; inside it
 * a failed attempt is followed by another after 8, 16, 32 ... ms, at most TABLE_CLIENT_GAP_MAX.
 * ERR_HANDLER_NOT_FOUND, ERR_OPERATION_DISABLED, ERR_BUSY, ERR_SPLITTING, ERR_DISK_INSUFFICIENT and
 * ERR_ACL_DENY are told at once; whatever else goes wrong is tried again, and becomes ERR_TIMEOUT
 * when there is no time left.  An attempt may last as long as the operation: a primary that holds
 * its connection and says nothing uses up the deadline.
 *
 * Configuration (src/client/partition_resolver_simple.cpp).  A failed attempt forgets where the
 * partition's primary is, but for ERR_CAPACITY_EXCEEDED and ERR_NOT_ENOUGH_MEMBER;
 * ERR_PARENT_PARTITION_MISUSED forgets the table's partition count too.  At most one question is
 * under way, for all partitions that operations wait for; while a partition has no primary it is
 * asked about once in `requery`.  A meta server that fails, does not answer within `query_timeout`,
 * or talks nonsense makes way for the next one; one that names the leader (ERR_FORWARD_TO_OTHERS
 * with an address as the body, or in the body with partitions[0].primary) is believed.  A table
 * that does not exist is ERR_APP_NOT_EXIST at once.  Names (hp_primary) are preferred to addresses.
 *
 * A write that is tried again may be carried out twice, as with Pegasus's own client, which makes
 * no difference between writes.  Put and remove bear it, unless somebody else writes the same key
 * meanwhile; incr may add twice, and a check that passed may be told as not passed, because its own
 * first attempt changed what is checked.  Who cannot bear that sets attempts_max to 1 and reads
 * back after BR_UNKNOWN.
 *
 * Loop thread only.  Every table has its own connections.  Scans: table_scan.h.  Not here: backup
 * requests, authentication.
 */
#ifndef HOST_RDSN_TABLE_CLIENT_H
#define HOST_RDSN_TABLE_CLIENT_H

#include "host/base/buf.h"
#include "host/rdsn/client.h"

#define TABLE_CLIENT_METAS_MAX      16
#define TABLE_CLIENT_OPERATIONS_MAX 32768 /* outstanding; a further one is ERR_BUSY */
#define TABLE_CLIENT_INDICES_MAX    1024  /* partitions of one question; more: all are asked for */
#define TABLE_CLIENT_HOPS_MAX       4     /* leaders followed within one question */
#define TABLE_CLIENT_HASH_KEY_MAX   65534 /* bytes (src/base/pegasus_key_schema.h) */
#define TABLE_CLIENT_GAP_MAX        BR_SECOND
#define TABLE_CLIENT_TIMEOUT        (5 * BR_SECOND)

struct table_client;

struct table_client_options {
    const char *table;               /* copied */
    const char *const *metas;        /* "host:port" each; copied */
    uint32_t meta_count;             /* 1 .. TABLE_CLIENT_METAS_MAX */
    uint32_t attempts_max;           /* of one operation; 0: as many as its deadline allows */
    br_time query_timeout;           /* of one meta server; 0: 2 s */
    br_time requery;                 /* 0: 1 s, Pegasus's */
    struct rdsn_client_options rdsn; /* of its connections */
};

enum { STORAGE_NOT_FOUND = 1, STORAGE_INCOMPLETE = 7, STORAGE_TRY_AGAIN = 13 };

struct table_key {
    br_bytes hash; /* decides the partition; where it is empty, `sort` does */
    br_bytes sort;
};

/* What can be asked of a partition, and the struct (message_data.h) that it is asked with; those
 * without one are about the key alone. */
enum table_operation {
    TABLE_PUT,              /* msg_rrdb_update_request */
    TABLE_GET,              /* none; of the answer, `value` is in the result */
    TABLE_REMOVE,           /* none */
    TABLE_TTL,              /* none; ttl_seconds: -1 it does not expire */
    TABLE_INCR,             /* msg_rrdb_incr_request */
    TABLE_MULTI_PUT,        /* msg_rrdb_multi_put_request */
    TABLE_MULTI_GET,        /* msg_rrdb_multi_get_request; the answer's keys are sort keys */
    TABLE_MULTI_REMOVE,     /* msg_rrdb_multi_remove_request */
    TABLE_SORTKEY_COUNT,    /* none; count: -1 counting would take too long */
    TABLE_BATCH_GET,        /* msg_rrdb_batch_get_request; all keys of one partition, the key's */
    TABLE_CHECK_AND_SET,    /* msg_rrdb_check_and_set_request */
    TABLE_CHECK_AND_MUTATE, /* msg_rrdb_check_and_mutate_request */
    TABLE_GET_SCANNER,      /* msg_rrdb_get_scanner_request */
    TABLE_SCAN,             /* msg_rrdb_scan_request */
};

/* status       error             what became of it
 * BR_OK        ERR_OK            done; `storage` is 0, or STORAGE_INCOMPLETE where a read of many
 *                                has more than the server tells at once, or STORAGE_TRY_AGAIN where
 *                                a check did not pass
 * BR_NOTFOUND  ERR_OK            get, ttl: there is no such key; scan: no such context
 * BR_REFUSED   the server's, or ERR_OK and `storage` says what its storage says
 * BR_TIMEOUT   ERR_TIMEOUT       it was not carried out within its deadline
 * BR_UNKNOWN   any               a write: at least one attempt was sent and not answered, so that
 *                                it may have been carried out, once or more often
 * BR_CORRUPT   ERR_INVALID_DATA  a read: the answer makes no sense
 * BR_UNAVAILABLE ERR_NETWORK_FAILURE with attempts_max; ERR_BUSY: over a limit
 * BR_TOOBIG, BR_INVALID  ERR_INVALID_DATA, ERR_INVALID_PARAMETERS: it cannot be sent */
struct table_result {
    br_status status;
    const char *error;
    const char *why;      /* a sentence unless BR_OK or BR_NOTFOUND; else NULL */
    int32_t storage;      /* RocksDB's status code, 0 to 13 */
    br_bytes value;       /* of get */
    const void *response; /* the operation's response struct (message_data.h), whatever `storage`
                             says; NULL where no answer came that makes sense */
    int64_t decree;       /* of a write that was done; else -1 */
    int32_t app_id;       /* 0: the configuration was not had */
    int32_t partition;    /* -1: likewise */
    const char *server;   /* "host:port" that the last attempt went to; "": none */
    uint32_t attempts;    /* requests sent */
    br_time latency;
};

/* Never called from inside the function that began the operation.  Everything in the result is
 * valid during the callback only.  May begin further operations and free the table. */
typedef void table_client_done(void *arg, const struct table_result *result);

/* NULL: the sentence says which option is wrong.  No question is asked yet. */
struct table_client *table_client_new(struct event_base *base,
                                      const struct table_client_options *options,
                                      struct fail *ret_fail);

/* What is outstanding is dropped without a callback. */
void table_client_free(struct table_client *table);

/* Keys and values are copied.  timeout 0: TABLE_CLIENT_TIMEOUT.  expire: seconds since 2016-01-01
 * 00:00:00 UTC (src/base/pegasus_utils.h), 0: never.  done may be NULL. */
void table_client_put(struct table_client *table, const struct table_key *key, br_bytes value,
                      int32_t expire, br_time timeout, table_client_done *done, void *arg);
void table_client_get(struct table_client *table, const struct table_key *key, br_time timeout,
                      table_client_done *done, void *arg);
void table_client_remove(struct table_client *table, const struct table_key *key, br_time timeout,
                         table_client_done *done, void *arg);

/* One operation of any kind.
 *
 * key      decides the partition, and is written into the request: put, get, remove, ttl and incr
 *          are about this key, the others but scans about its hash key (and `sort` is not looked
 *          at).  Multi-operations and the count need a hash key that is not empty.
 * hash     instead of a key, where that is NULL: scans, and a batch_get
 * request  the operation's struct, NULL where it has none.  Its `key` or `hash_key` is set here;
 *          everything is copied.  Pegasus's clients give -1 for "no limit". */
struct table_call {
    enum table_operation operation;
    const struct table_key *key;
    uint64_t hash;
    void *request;
    br_time timeout; /* 0: TABLE_CLIENT_TIMEOUT */
    table_client_done *done;
    void *arg;
};
void table_client_call(struct table_client *table, const struct table_call *call);

/* The operations that were begun with this arg go on, but nobody is told. */
void table_client_forget(struct table_client *table, const void *arg);

/* Tell the server that gave a scan's context, if it still is the primary of this hash, that it is
 * no longer needed.  Nothing is awaited: it forgets them by itself, too. */
void table_client_clear_scanner(struct table_client *table, uint64_t hash, const char *server,
                                int64_t context_id);

/* A key as it is stored: u16be length of the hash key, hash key, sort key
 * (src/base/pegasus_key_schema.h).  false: the bytes are none. */
void table_key_put(struct buf *buf, const struct table_key *key);
bool table_key_parse(br_bytes whole, struct table_key *ret_key);

/* The hash that decides a key's partition (src/base/pegasus_key_schema.h:pegasus_key_hash). */
uint64_t table_key_hash(const struct table_key *key);

/* How many partitions the table has as far as known; 0: not yet asked. */
int32_t table_client_partitions(const struct table_client *table);

/* Questions sent to meta servers so far, forwards and next servers included. */
uint64_t table_client_questions(const struct table_client *table);

#endif
