/* message_replica -- what replica servers send each other (src/common/consensus.thrift,
 * src/replica/mutation.cpp): learning by table, as message.h; RPC_PREPARE by hand, because its
 * body is three things behind each other, the last of them raw little-endian memory.
 */
#ifndef HOST_RDSN_MESSAGE_REPLICA_H
#define HOST_RDSN_MESSAGE_REPLICA_H

#include "host/rdsn/message.h"

/* Decrees that may be prepared and not committed (max_mutation_count_in_prepare_list). */
#define PREPARE_LIST_MAX 110

/* learner_status_ of a group_check_response. */
enum {
    LEARNER_INVALID = 0,
    LEARNER_WITHOUT_PREPARE = 1,
    LEARNER_WITH_PREPARE_TRANSIENT = 2,
    LEARNER_WITH_PREPARE = 3,
    LEARNER_SUCCEEDED = 4,
    LEARNER_FAILED = 5,
};

enum { LEARN_INVALID = 0, LEARN_CACHE = 1, LEARN_APP = 2, LEARN_LOG = 3 };

struct msg_learn_state {
    uint32_t present;
    int64_t from_decree_excluded;  /* 1 */
    int64_t to_decree_included;    /* 2 */
    br_bytes meta;                 /* 3: of LEARN_CACHE: mutations, one behind the other */
    struct wire_list files;        /* 4: const char * */
    int64_t learn_start_decree;    /* 5? */
    struct wire_list file_sizes;   /* 6?: int64_t */
    struct wire_list file_digests; /* 7?: const char * */
};

struct msg_learn_request {
    uint32_t present;
    struct gpid pid;                               /* 1 */
    uint64_t learner;                              /* 2 */
    int64_t signature;                             /* 3 */
    int64_t last_committed_decree_in_app;          /* 4 */
    int64_t last_committed_decree_in_prepare_list; /* 5 */
    br_bytes app_specific_learn_request;           /* 6 */
    int64_t max_gced_decree;                       /* 7? */
    int32_t checksum_type;                         /* 9? 2.6 */
    struct host_port hp_learner;                   /* 8? 2.6 */
};

struct msg_learn_response {
    uint32_t present;
    const char *err;                         /* 1 */
    struct msg_replica_configuration config; /* 2 */
    int64_t last_committed_decree;           /* 3 */
    int64_t prepare_start_decree;            /* 4: -1: none yet */
    int32_t type;                            /* 5: LEARN_CACHE ... */
    struct msg_learn_state state;            /* 6 */
    uint64_t learnee;                        /* 7 */
    const char *base_local_dir;              /* 8 */
    const char *replica_disk_tag;            /* 9? */
    struct host_port hp_learnee;             /* 10? 2.6 */
};

struct msg_learn_notify_response {
    uint32_t present;
    struct gpid pid;   /* 1 */
    const char *err;   /* 2 */
    int64_t signature; /* 3 */
};

/* Copying files (src/nfs/nfs.thrift). */
struct msg_nfs_copy_request {
    uint32_t present;
    uint64_t source;             /* 1 */
    const char *source_dir;      /* 2 */
    const char *dst_dir;         /* 3 */
    const char *file_name;       /* 4 */
    int64_t offset;              /* 5 */
    int32_t size;                /* 6 */
    bool is_last;                /* 7 */
    bool overwrite;              /* 8 */
    const char *source_disk_tag; /* 9? */
    struct gpid pid;             /* 10? */
    struct host_port hp_source;  /* 11? 2.6 */
};

struct msg_nfs_copy_response {
    uint32_t present;
    const char *error;     /* 1 */
    br_bytes file_content; /* 2 */
    int64_t offset;        /* 3 */
    int32_t size;          /* 4 */
};

struct msg_nfs_size_request {
    uint32_t present;
    uint64_t source;             /* 1 */
    const char *dst_dir;         /* 2 */
    struct wire_list file_list;  /* 3: const char *; empty: all */
    const char *source_dir;      /* 4 */
    bool overwrite;              /* 5 */
    const char *source_disk_tag; /* 6? */
    const char *dest_disk_tag;   /* 7? */
    struct gpid pid;             /* 8? */
    struct host_port hp_source;  /* 9? 2.6 */
};

struct msg_nfs_size_response {
    uint32_t present;
    int32_t error;              /* 1: a code's number; 0 is ERR_OK */
    struct wire_list file_list; /* 2: const char * */
    struct wire_list size_list; /* 3: int64_t */
};

#define WIRE_REPLICA_SCHEMAS(X)                                                                    \
    X(learn_state)                                                                                 \
    X(learn_request)                                                                               \
    X(learn_response)                                                                              \
    X(learn_notify_response)                                                                       \
    X(nfs_copy_request)                                                                            \
    X(nfs_copy_response)                                                                           \
    X(nfs_size_request)                                                                            \
    X(nfs_size_response)

#define WIRE_DECLARE(name) extern const struct wire_schema wire_##name;
WIRE_REPLICA_SCHEMAS(WIRE_DECLARE)
#undef WIRE_DECLARE

/* -- Mutations -------------------------------------------------------------------------------- */

#define MUTATION_HEADER_SIZE 56

struct mutation_header {
    struct gpid pid;
    int64_t ballot;
    int64_t decree;
    int64_t log_offset; /* -1 on the wire */
    int64_t last_committed_decree;
    int64_t timestamp; /* microseconds of the primary's clock */
};

/* One update of a mutation: a client's request as it came. */
struct mutation_update {
    const char *code; /* not NUL-terminated */
    uint32_t code_size;
    int32_t format; /* serialize_format of the data: 1 is Thrift binary; 0 for an empty write */
    br_bytes data;
};

/* The updates of a mutation as bytes: a number, then a name, a format and a size each, then the
 * data of all.  Put the names of all, then the data of all. */
void mutation_put_count(struct buf *buf, int32_t count);
void mutation_put_update(struct buf *buf, const char *code, int32_t format, size_t size);

/* Append header and updates. */
void mutation_encode(const struct mutation_header *header, br_bytes updates, struct buf *buf);

/* The first mutation of `bytes`; *ret_updates points into them and was looked through, *ret_size is
 * the bytes it takes.  BR_CORRUPT: it makes no sense. */
br_status mutation_decode(br_bytes bytes, struct mutation_header *ret_header, br_bytes *ret_updates,
                          size_t *ret_size, struct fail *ret_fail);

/* Update after update of what mutation_decode gave; false: no more. */
struct mutation_walk {
    const uint8_t *entry, *data, *end;
    int32_t left;
};

void mutation_walk_begin(br_bytes updates, struct mutation_walk *walk);
bool mutation_walk_next(struct mutation_walk *walk, struct mutation_update *ret_update);

/* The body of RPC_PREPARE. */
struct prepare {
    struct gpid pid;
    struct msg_replica_configuration config;
    struct mutation_header header;
    br_bytes updates;
};

void prepare_encode(const struct prepare *prepare, enum wire_peer peer, struct buf *buf);

/* Updates point into the body, a name into `memory`. */
br_status prepare_decode(br_bytes body, struct wire_memory memory, struct prepare *ret_prepare,
                         struct fail *ret_fail);

/* The first part alone: enough to find the replica. */
br_status prepare_decode_pid(br_bytes body, struct gpid *ret_pid, struct fail *ret_fail);

#endif
