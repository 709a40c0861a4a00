/* table_client -- meta and replica servers that say what a test wants, over real sockets, and what
 * a table's client was told: what test_table_client*.c share.
 */
#ifndef T_TABLE_CLIENT_H
#define T_TABLE_CLIENT_H

#include "host/rdsn/message.h"
#include "host/rdsn/message_data.h"
#include "host/rdsn/table_client.h"
#include "t/net.h"

#define STAGE_METAS      3
#define STAGE_REPLICAS   3
#define STAGE_PARTITIONS 2048
#define STAGE_APP        7

struct fake_meta {
    struct rdsn_server *server;
    uint64_t address;
    char name[ADDRESS_TEXT_MAX];
    int asked;
    int indices; /* of the last question; 0: all */

    /* What it does; all unset: answers from the stage. */
    bool mute;
    bool garbage;
    uint64_t forward_header, forward_body; /* the leader's address */
    struct host_port forward_named;
    const char *error;          /* in the header */
    const char *refuse;         /* in the body */
    int32_t app_shift;          /* of the rows' app id */
    struct rdsn_incoming *held; /* with `hold` */
    bool hold;
};

struct fake_replica {
    struct rdsn_server *server;
    uint64_t address;
    char name[ADDRESS_TEXT_MAX];
    int asked;
    struct rdsn_header header; /* of the last request */
    int64_t decree;
    char key[64], value[64]; /* the last one put; "" key: none */

    bool mute;
    bool garbage;
    bool foreign;      /* speaks of another partition */
    const char *error; /* in the header */
    int error_count;   /* so many times; 0: always */
    int32_t storage;
    void (*serve)(struct fake_replica *replica, struct rdsn_incoming *incoming); /* instead */
};

struct stage {
    struct net net;
    struct fake_meta metas[STAGE_METAS];
    struct fake_replica replicas[STAGE_REPLICAS];
    int32_t app_id, count;
    uint64_t primaries[STAGE_PARTITIONS];
    struct host_port named[STAGE_PARTITIONS];
    int64_t ballots[STAGE_PARTITIONS];
    struct table_client *table;
};

extern struct stage stage;

/* Fixture: three servers of each kind; 8 partitions, all on replicas[0]; no client. */
void stage_setup(void);
void stage_teardown(void);

/* All partitions: `count` of them, their primary this one (NULL: none). */
void stage_place(int32_t count, const struct fake_replica *replica);

/* A client of table "temp" over the first `metas` meta servers; requery and query_timeout
 * short. */
void stage_open(uint32_t metas, uint32_t attempts_max);
void stage_stop_meta(struct fake_meta *meta);
void stage_stop_replica(struct fake_replica *replica);
void stage_answer(struct fake_meta *meta); /* what is held */

/* What an operation was told. */
struct told {
    int count;
    br_status status;
    char error[RDSN_NAME_SIZE];
    char why[FAIL_TEXT_MAX];
    char value[64];
    char server[64];
    int32_t storage, app_id, partition;
    int64_t decree;
    uint32_t attempts;
    bool response;   /* one came */
    bool free_table; /* from inside */
};

void told_done(void *arg, const struct table_result *result);

/* Begin it (never told from inside), or run it to its end. */
void stage_begin_put(const char *key, const char *value, br_time timeout, struct told *told);
void stage_begin_get(const char *key, br_time timeout, struct told *told);
struct told stage_put(const char *key, const char *value);
struct told stage_get(const char *key);
struct told stage_remove(const char *key);

/* Answer with a struct. */
void stage_reply(struct rdsn_incoming *incoming, const struct wire_schema *schema,
                 const void *response);

TCase *table_client_config_case(void);
TCase *table_client_call_case(void);
TCase *table_scan_case(void);

#endif
