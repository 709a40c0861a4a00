/* test_scan -- what the cases of t/test_scan.c share: a transport in the real host, trees of
 * replicas.
 */
#ifndef T_TEST_SCAN_H
#define T_TEST_SCAN_H

#include "host/plugins/plugin.h"
#include "t/core.h"

#define ONE "127.0.0.1:34801"
#define TWO "127.0.0.1:34802"

extern const struct br_plugin bridle_transport_scan, bridle_transport_replay;
extern struct plugin scan_plugin;
extern char *scan_root; /* an empty directory */

/* Fixture: the loop of t/core.h and the directory. */
void scan_setup(void);
void scan_teardown(void);

/* Open and start, stop and close; `yaml` has %s for scan_root, up to three times. */
br_status scan_open(const struct br_plugin *desc, const char *yaml, struct fail *ret_fail);
void scan_begin(const struct br_plugin *desc, const char *yaml);
void scan_end(void);

/* Both answers about a node. */
struct scan_told {
    struct core_told tables, replicas;
};
void scan_ask(const char *node, int32_t index, struct scan_told *told);
void scan_told_done(struct scan_told *told);

/* "1.0:7:120/121/118:tag ..." and "1:temp:8 ..."; static memory until the next call. */
const char *scan_rows(const struct scan_told *told);
const char *scan_tables(const struct scan_told *told);

/* A replica of table `id` ("tID", 8 partitions) below ROOT/DATA. */
void scan_make(const char *data, int32_t id, int32_t partition, int64_t ballot, int64_t durable);

/* Write below scan_root; NULL: a directory. */
void scan_put(const char *path, const void *bytes, size_t size);

/* A log of mutations { ballot, decree, committed }, up to one of ballot 0, in one file. */
void scan_log(const char *replica, int32_t table, int32_t partition, const int64_t (*mutations)[3]);

TCase *scan_tail_case(void);
TCase *scan_replay_case(void);
TCase *scan_real_case(void);

#endif
