/* bridle/types.h -- the plain data that crosses the plugin boundary.
 *
 * Nothing here has behaviour and nothing here includes anything but libc.  Enumerations are
 * fixed-width integers, because the width of a C enum is the compiler's business and an ABI must
 * not depend on it.
 */
#ifndef BRIDLE_TYPES_H
#define BRIDLE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nanoseconds on the host's monotonic clock.  Never wall-clock time. */
typedef int64_t br_time;

#define BR_MILLISECOND ((br_time) 1000000)
#define BR_SECOND      ((br_time) 1000000000)
#define BR_MINUTE      (60 * BR_SECOND)

/* A run of bytes that somebody else owns.  `data` may be NULL where `size` is 0. */
typedef struct br_bytes {
    const void *data;
    size_t size;
} br_bytes;

/* What became of an operation.  The order is the contract: everything below BR_UNKNOWN certainly
 * did not happen; everything from BR_UNKNOWN on may have happened and must be read back before it
 * is tried again.  A read never yields the latter. */
typedef int32_t br_status;

enum {
    BR_OK = 0,
    BR_NOTFOUND = 1,    /* the path, node or table is not there */
    BR_EXISTS = 2,      /* create: the path is already there */
    BR_CONFLICT = 3,    /* a version check failed, or a deleted path has children */
    BR_INVALID = 4,     /* bad argument or option; trying again cannot help */
    BR_UNSUPPORTED = 5, /* this plugin or this host cannot do that */
    BR_DENIED = 6,      /* authentication or permission */
    BR_TOOBIG = 7,      /* over a limit */
    BR_UNAVAILABLE = 8, /* not connected; the request was not carried out */
    BR_CORRUPT = 9,     /* it was read, and it makes no sense */
    BR_CANCELED = 10,   /* given up before it was carried out */
    BR_NOMEM = 11,
    BR_INTERNAL = 12, /* a bug; the message says where */
    BR_REFUSED = 13,  /* the other side answered, with an error of its own */
    BR_TIMEOUT = 14,  /* a read whose deadline passed */
    BR_UNKNOWN = 64,  /* sent, and no answer came */
    BR_FENCED = 65,   /* the lock is lost: stop writing at once */
};

static inline bool br_may_have_happened(br_status status)
{
    return status >= BR_UNKNOWN;
}

/* A replica's state as its server reports it.  The numbers are Pegasus's partition_status
 * (idl/metadata.thrift). */
typedef int32_t br_role;

enum {
    BR_ROLE_INVALID = 0,
    BR_ROLE_INACTIVE = 1,
    BR_ROLE_ERROR = 2,
    BR_ROLE_PRIMARY = 3,
    BR_ROLE_SECONDARY = 4,
    BR_ROLE_LEARNER = 5, /* PS_POTENTIAL_SECONDARY */
    BR_ROLE_SPLIT = 6,   /* PS_PARTITION_SPLIT: the child of a split under way */
};

/* A table's status; the numbers are Pegasus's app_status (idl/dsn.layer2.thrift). */
enum {
    BR_TABLE_INVALID = 0,
    BR_TABLE_AVAILABLE = 1,
    BR_TABLE_CREATING = 2,
    BR_TABLE_CREATE_FAILED = 3,
    BR_TABLE_DROPPING = 4,
    BR_TABLE_DROP_FAILED = 5,
    BR_TABLE_DROPPED = 6,
    BR_TABLE_RECALLING = 7,
};

enum {
    BR_TABLE_STATEFUL = 1 << 0,
    BR_TABLE_DUPLICATING = 1 << 1,
    BR_TABLE_BULK_LOADING = 1 << 2,
    BR_TABLE_ATOMIC_IDEMPOTENT = 1 << 3,
};

#define BR_BALLOT_INVALID INT64_C(-1)
#define BR_DECREE_INVALID INT64_C(-1)

#define BR_NODES_MAX        4096    /* nodes of one recovery */
#define BR_TABLES_MAX       65536   /* tables of one cluster, placeholders included */
#define BR_TABLE_ID_MAX     65536   /* the highest table id that is believed */
#define BR_PARTITIONS_MAX   1048576 /* partitions of one table */
#define BR_REPLICAS_MAX     64      /* reports about one partition, all nodes together */
#define BR_DROPS_MAX        15      /* last_drops of one partition */
#define BR_NAME_MAX         1024    /* bytes of a table's name */
#define BR_FINDING_TEXT_MAX 1024    /* bytes of a finding's sentence */

/* A whole table definition, as one node reports it (Pegasus's app_info), and, as a policy's
 * verdict, as it shall be written.  Strings are NUL-terminated and owned like the row itself. */
struct br_table {
    int32_t node; /* index in the operator's list; -1 in a verdict */
    int32_t id;
    int32_t status; /* BR_TABLE_AVAILABLE ... */
    int32_t partition_count;
    int32_t replica_count; /* max_replica_count */
    int32_t init_partition_count;
    uint32_t flags;        /* BR_TABLE_STATEFUL ... */
    uint32_t env_count;    /* pairs in envs */
    int64_t expire_second; /* unix seconds; 0: not set */
    int64_t create_second;
    int64_t drop_second;
    const char *name;
    const char *type;
    const char *const *envs; /* key, value, key, value ...; 2 * env_count strings */
};

/* One replica, as its server reports it (Pegasus's replica_info). */
struct br_replica {
    int32_t node; /* index in the operator's list */
    int32_t table;
    int32_t partition;
    br_role role;
    int64_t ballot;
    int64_t committed; /* decrees */
    int64_t prepared;
    int64_t durable;
    const char *type; /* app_type */
    const char *disk; /* disk_tag */
};

#endif
