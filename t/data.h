/* data -- a real database in a directory of its own, and Pegasus's operations on it: what
 * test_data.c and its parts share.
 *
 * "Now" is kit.seconds, far in the future, so that RocksDB's compactions, which go by the clock,
 * take nothing away.
 */
#ifndef T_DATA_H
#define T_DATA_H

#include "host/data/key.h"
#include "host/data/operation.h"
#include "host/rdsn/message_data.h"
#include "t/test.h"

#define KIT_SECONDS UINT32_C(2000000000) /* since DATA_EPOCH */
#define KIT_SERVER  "127.0.0.1:34801"

/* Text, or bytes with NULs in them, as br_bytes: B in expressions, S in static tables. */
#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define B(text) ((br_bytes) S(text))

struct data_kit {
    char *directory;
    struct data_shared *shared;
    struct data_store *store;
    struct arena arena;
    struct buf response;
    int64_t decree; /* of the last write */
    uint32_t seconds;
    br_time now;
    struct fail fail;
};

extern struct data_kit kit;

void kit_setup(void);
void kit_teardown(void);

/* DIRECTORY/name, in the arena. */
const char *kit_path(const char *name);

br_bytes kit_text(const char *text); /* NULL: no bytes */
br_bytes kit_key(const char *hash, const char *sort);
int64_t kit_microseconds(void);

/* A request by its bytes, by its message, by a key alone.  A write is committed. */
br_status kit_run_bytes(const char *rpc, br_bytes body);
void kit_run(const char *rpc, const struct wire_schema *schema, const void *request);
void kit_run_key(const char *rpc, br_bytes key);

/* The response to the last one; who answered is checked. */
void kit_take(const struct wire_schema *schema, void *response);

void kit_put(const char *hash, const char *sort, const char *value, uint32_t expires);

/* What is stored there: the user's value and when it expires.  "(none)": nothing, at any time. */
const char *kit_stored(const char *hash, const char *sort, uint32_t *ret_expires);

/* Every key and stored value, one behind the other. */
void kit_all(struct data_store *store, struct buf *buf);

/* "a=1 b=2" of rows, their keys being whole keys or sort keys. */
const char *kit_rows(const struct wire_list *rows, bool whole_keys);

/* A copy of a directory as it is now: what a kill leaves. */
void kit_copy(const char *from, const char *to);

TCase *data_writes(void);
TCase *data_checks(void);
TCase *data_reads(void);
TCase *data_scans(void);
TCase *data_stores(void);

#endif
