/* test_table_scan -- scans against servers that keep rows and contexts, lose them, move, and lie.
 */
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/table_scan.h"
#include "t/table_client.h"

#define ROWS_MAX 64
#define LOST     999 /* a context that nobody has */

/* One table for all servers: rows by stored key, in order; a context is the index of the next row
 * and the server that gave it. */
static struct {
    struct buf keys[ROWS_MAX];
    uint32_t count;
    int asked, scans, begins, cleared;
    struct msg_rrdb_get_scanner_request last; /* without its pointers */
    char last_start[16];
    size_t last_start_size;
    bool old;        /* knows no counting */
    int lose_every;  /* so many SCANs find no context; 0: all do */
    int move_at;     /* at this SCAN the primary becomes replicas[1], which has other contexts */
    int cut_at;      /* this question is answered STORAGE_INCOMPLETE, half the batch with it */
    int32_t storage; /* every answer */
    int repeat_at;   /* this question is answered with the first row again */
    bool keyless;    /* rows without keys */
    bool shared;     /* the other servers have contexts of the same numbers, five rows on */
    int64_t context; /* instead; 0: as it should be */
    int resize_at;   /* at this question the table gets another number of partitions */
} shop;

static void shop_add(const char *hash, const char *sort)
{
    table_key_put(&shop.keys[shop.count++], &(struct table_key){ .hash = { hash, strlen(hash) },
                                                                 .sort = { sort, strlen(sort) } });
}

static int shop_compare(br_bytes a, br_bytes b)
{
    size_t least = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, least);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Contexts of the n-th server are n * 1000 + the next row. */
static void shop_answer(struct fake_replica *replica, struct rdsn_incoming *incoming, uint32_t from)
{
    struct msg_rrdb_scan_response response;
    struct msg_rrdb_key_value kvs[ROWS_MAX];
    uint32_t count = 0, limit = (uint32_t) shop.last.batch_size, i = from;
    bool cut = shop.asked == shop.cut_at;
    wire_init(&wire_rrdb_scan_response, &response);
    if (cut)
        limit /= 2;
    for (; i < shop.count && count < limit; i++) {
        struct table_key key;
        ck_assert(table_key_parse(buf_bytes(&shop.keys[i]), &key));
        uint64_t hash = table_key_hash(&key);
        if ((int32_t) (hash % (uint64_t) stage.count) != incoming->header.partition)
            continue;
        if (shop_compare(buf_bytes(&shop.keys[i]), shop.last.stop_key) >= 0)
            break;
        wire_init(&wire_rrdb_key_value, &kvs[count]);
        kvs[count].key = buf_bytes(&shop.keys[shop.asked == shop.repeat_at ? 0 : i]);
        if (shop.keyless)
            kvs[count].key.size = 1;
        kvs[count].value = (br_bytes){ "v", 1 };
        kvs[count].expire_ts_seconds = 77;
        WIRE_SET(&kvs[count], 3);
        count++;
    }
    bool more = i < shop.count && count == limit;
    response.context_id = more ? (replica - stage.replicas) * 1000 + (int64_t) i : -1;
    if (shop.context != 0)
        response.context_id = shop.context;
    response.kvs = (struct wire_list){ .items = kvs, .count = count };
    if (shop.last.only_return_count && !shop.old) {
        response.kv_count = (int32_t) count;
        WIRE_SET(&response, 7);
        response.kvs.count = 0;
    }
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition;
    response.error = cut ? STORAGE_INCOMPLETE : shop.storage;
    stage_reply(incoming, &wire_rrdb_scan_response, &response);
}

static void shop_lost(struct rdsn_incoming *incoming)
{
    struct msg_rrdb_scan_response response;
    wire_init(&wire_rrdb_scan_response, &response);
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition;
    response.error = STORAGE_NOT_FOUND;
    stage_reply(incoming, &wire_rrdb_scan_response, &response);
}

static void shop_scan(struct fake_replica *replica, struct rdsn_incoming *incoming)
{
    struct msg_rrdb_scan_request request;
    struct arena arena;
    arena_init(&arena, 0);
    ck_assert_int_eq(
        wire_decode(&wire_rrdb_scan_request, incoming->body, wire_arena(&arena), &request, NULL),
        BR_OK);
    shop.scans++;
    int64_t mine = request.context_id - (replica - stage.replicas) * 1000;
    if (shop.shared && mine < 0)
        mine = request.context_id + 5;
    if (shop.scans == shop.move_at) {
        stage_place(stage.count, &stage.replicas[1]);
        rdsn_server_reply(incoming, "ERR_INVALID_STATE", (br_bytes){ NULL, 0 });
    } else if (mine < 0 || mine >= 1000 || (shop.lose_every && shop.scans % shop.lose_every == 0)) {
        shop_lost(incoming);
    } else {
        shop_answer(replica, incoming, (uint32_t) mine);
    }
    arena_done(&arena);
}

static void shop_begin(struct fake_replica *replica, struct rdsn_incoming *incoming)
{
    static struct buf stop;
    struct arena arena;
    uint32_t from = 0;
    arena_init(&arena, 0);
    ck_assert_int_eq(wire_decode(&wire_rrdb_get_scanner_request, incoming->body, wire_arena(&arena),
                                 &shop.last, NULL),
                     BR_OK);
    shop.begins++;
    buf_clear(&stop);
    buf_put(&stop, shop.last.stop_key.data, shop.last.stop_key.size);
    br_bytes start = shop.last.start_key;
    shop.last_start_size = start.size;
    memcpy(shop.last_start, start.data, start.size < 16 ? start.size : 16);
    for (; from < shop.count; from++) {
        int order = shop_compare(buf_bytes(&shop.keys[from]), start);
        if (order > 0 || (order == 0 && shop.last.start_inclusive))
            break;
    }
    shop.last.start_key = (br_bytes){ NULL, 0 };
    shop.last.stop_key = buf_bytes(&stop);
    shop_answer(replica, incoming, from);
    arena_done(&arena);
}

static void shop_serve(struct fake_replica *replica, struct rdsn_incoming *incoming)
{
    if (strcmp(incoming->header.rpc_name, "RPC_RRDB_RRDB_CLEAR_SCANNER") == 0) {
        shop.cleared++;
        rdsn_server_drop(incoming);
        return;
    }
    if (++shop.asked == shop.resize_at) {
        stage_place(2 * stage.count, &stage.replicas[0]);
        rdsn_server_reply(incoming, "ERR_PARENT_PARTITION_MISUSED", (br_bytes){ NULL, 0 });
    } else if (strcmp(incoming->header.rpc_name, "RPC_RRDB_RRDB_GET_SCANNER") == 0) {
        shop_begin(replica, incoming);
    } else {
        shop_scan(replica, incoming);
    }
}

/* -- Who listens ------------------------------------------------------------------------------ */

static struct heard {
    struct table_scan *scan;
    struct buf rows; /* "hash:sort " */
    int batches, lasts, ends;
    int64_t count;
    br_status status;
    char why[FAIL_TEXT_MAX];
    int stop_at; /* batch that frees the scan */
} heard;

static void heard_rows(void *arg, const struct table_batch *batch)
{
    ck_assert_ptr_eq(arg, &heard);
    ck_assert_int_eq(batch->app_id, STAGE_APP);
    for (uint32_t i = 0; i < batch->row_count; i++) {
        const struct table_row *row = &batch->rows[i];
        buf_put(&heard.rows, row->key.hash.data, row->key.hash.size);
        buf_char(&heard.rows, ':');
        buf_put(&heard.rows, row->key.sort.data, row->key.sort.size);
        buf_char(&heard.rows, ' ');
        ck_assert_int_eq(row->expire, 77);
        ck_assert_mem_eq(row->value.data, "v", 1);
    }
    heard.count += batch->count;
    heard.lasts += batch->last;
    if (++heard.batches == heard.stop_at) {
        table_scan_free(heard.scan);
        heard.scan = NULL;
    }
}

static void heard_end(void *arg, const struct table_result *result)
{
    ck_assert_ptr_eq(arg, &heard);
    heard.ends++;
    heard.status = result->status;
    snprintf(heard.why, sizeof heard.why, "%s", result->why ? result->why : "");
    table_scan_free(heard.scan);
    heard.scan = NULL;
}

static void scan_setup(void)
{
    stage_setup();
    memset(&shop, 0, sizeof shop);
    memset(&heard, 0, sizeof heard);
    for (int i = 0; i < STAGE_REPLICAS; i++)
        stage.replicas[i].serve = shop_serve;
    stage_place(1, &stage.replicas[0]);
    static const char *const hashes[] = { "a", "b", "c", "bb" };
    for (size_t i = 0; i < 4; i++) {
        for (char sort = '0'; sort <= '9'; sort++)
            shop_add(hashes[i], (char[]){ sort, '\0' });
    }
    stage_open(1, 0);
}

static void scan_teardown(void)
{
    table_scan_free(heard.scan);
    for (uint32_t i = 0; i < shop.count; i++)
        buf_done(&shop.keys[i]);
    buf_done(&heard.rows);
    stage_teardown();
}

static void scan_begin(struct table_scan_options options)
{
    options.rows = heard_rows;
    options.done = heard_end;
    options.arg = &heard;
    heard.scan = table_scan_new(stage.table, &options);
    ck_assert_int_eq(heard.ends, 0);
}

static void scan_run(struct table_scan_options options)
{
    scan_begin(options);
    NET_UNTIL(&stage.net, heard.ends || (heard.stop_at && heard.batches == heard.stop_at));
    ck_assert(heard.stop_at || heard.ends == 1);
}

/* All rows, each once, in order. */
static void check_all(void)
{
    struct buf want = { 0 };
    for (uint32_t i = 0; i < shop.count; i++) {
        struct table_key key;
        table_key_parse(buf_bytes(&shop.keys[i]), &key);
        buf_printf(&want, "%.*s:%.*s ", (int) key.hash.size, (const char *) key.hash.data,
                   (int) key.sort.size, (const char *) key.sort.data);
    }
    ck_assert_msg(heard.status == BR_OK, "%s", heard.why);
    ck_assert_str_eq(buf_string(&heard.rows), buf_string(&want));
    ck_assert_int_eq(heard.count, shop.count);
    buf_done(&want);
}

static const struct table_scan_options everything = { .partition = -1, .batch = 7 };

START_TEST(test_scan)
{
    scan_run(everything);
    check_all();
    ck_assert_int_eq(shop.begins, 1);
    ck_assert_int_eq(shop.scans, 5);
    ck_assert_int_eq(heard.lasts, 1);
    ck_assert_int_eq(shop.cleared, 0);
    ck_assert(shop.last.validate_partition_hash && shop.last.full_scan);
    ck_assert(shop.last.start_inclusive && !shop.last.stop_inclusive);
    ck_assert(!shop.last.only_return_count && !shop.last.return_expire_ts && !shop.last.no_value);
    ck_assert_uint_eq(shop.last_start_size, 2);
    ck_assert_mem_eq(shop.last_start, "\0\0", 2);
}
END_TEST

START_TEST(test_scan_partitions)
{
    stage_place(8, &stage.replicas[0]);
    for (int i = 0; i < 8; i++)
        stage.primaries[i] = stage.replicas[i % STAGE_REPLICAS].address;
    scan_run(everything);
    ck_assert_msg(heard.status == BR_OK, "%s", heard.why);
    ck_assert_int_eq(heard.count, shop.count);
    ck_assert_int_eq(heard.lasts, 8);
    ck_assert_int_eq(shop.begins, 8);
}
END_TEST

START_TEST(test_scan_one_partition)
{
    stage_place(8, &stage.replicas[0]);
    int64_t total = 0;
    for (int32_t i = 0; i < 8; i++) {
        heard.count = heard.ends = 0;
        scan_run((struct table_scan_options){ .partition = i });
        ck_assert_msg(heard.status == BR_OK, "%s", heard.why);
        ck_assert_uint_eq(stage.replicas[0].header.partition_hash, (uint64_t) i);
        ck_assert_int_eq(shop.last.batch_size, TABLE_SCAN_BATCH);
        total += heard.count;
    }
    ck_assert_int_eq(total, shop.count);
    heard.ends = 0;
    scan_run((struct table_scan_options){ .partition = 8 });
    ck_assert_int_eq(heard.status, BR_INVALID);
    ck_assert_msg(strstr(heard.why, "there is no partition 8: the table has 8"), "%s", heard.why);
}
END_TEST

/* Ranges of one hash key: what is asked for, and which rows that gives. */
static const struct {
    const char *start, *stop;
    bool start_exclusive, stop_inclusive;
    const char *prefix;
    const char *rows;
} ranges[] = {
    { "", "", false, false, NULL, "b:0 b:1 b:2 b:3 b:4 b:5 b:6 b:7 b:8 b:9 " },
    { "7", "", false, false, NULL, "b:7 b:8 b:9 " },
    { "7", "", true, true, NULL, "b:8 b:9 " },
    { "3", "6", false, false, NULL, "b:3 b:4 b:5 " },
    { "", "", false, false, "4", "b:4 " },
    { "2", "6", false, false, "4", "b:4 " },
    { "5", "", false, false, "4", "" },
    { "6", "3", false, false, NULL, "" }, /* nothing is asked */
    { "3", "3", false, false, NULL, "" }, /* likewise */
    { "3", "3", true, true, NULL, "" },
};

START_TEST(test_scan_hash)
{
    br_bytes hash = { "b", 1 };
    const char *prefix = ranges[_i].prefix;
    scan_run((struct table_scan_options){
        .hash = &hash,
        .start = { ranges[_i].start, strlen(ranges[_i].start) },
        .stop = { ranges[_i].stop, strlen(ranges[_i].stop) },
        .start_exclusive = ranges[_i].start_exclusive,
        .stop_inclusive = ranges[_i].stop_inclusive,
        .sort_filter = { prefix ? FILTER_PREFIX : FILTER_NONE, { prefix, prefix ? 1 : 0 } },
        .batch = 2 });
    ck_assert_msg(heard.status == BR_OK, "%s", heard.why);
    ck_assert_str_eq(buf_string(&heard.rows), ranges[_i].rows);
    ck_assert_int_eq(shop.begins, *ranges[_i].rows ? 1 : 0);
    ck_assert(!shop.last.validate_partition_hash && !shop.last.full_scan);
    if (*ranges[_i].rows)
        ck_assert_uint_eq(stage.replicas[0].header.partition_hash,
                          table_key_hash(&(struct table_key){ .hash = hash }));
}
END_TEST

START_TEST(test_scan_hash_key)
{
    char *big = calloc(1, TABLE_CLIENT_HASH_KEY_MAX + 1);
    br_bytes hashes[] = { { "", 0 }, { big, TABLE_CLIENT_HASH_KEY_MAX + 1 } };
    for (int i = 0; i < 2; i++) {
        heard.ends = 0;
        scan_run((struct table_scan_options){ .hash = &hashes[i] });
        ck_assert_int_eq(heard.status, BR_INVALID);
        ck_assert_ptr_nonnull(strstr(heard.why, "1 to 65534 bytes"));
    }
    ck_assert_int_eq(shop.asked, 0);
    free(big);
}
END_TEST

/* Of one byte 0xff there is nothing behind with the same length: the stop is shorter. */
START_TEST(test_scan_hash_ff)
{
    br_bytes hash = { "\xff\xff", 2 };
    shop_add("\xff\xff", "x");
    scan_run((struct table_scan_options){ .hash = &hash });
    ck_assert_int_eq(heard.count, 1);
    ck_assert_uint_eq(shop.last.stop_key.size, 2);
    ck_assert_mem_eq(shop.last.stop_key.data, "\0\3", 2);
}
END_TEST

START_TEST(test_scan_options)
{
    scan_run((struct table_scan_options){ .partition = -1,
                                          .no_value = true,
                                          .with_expire = true,
                                          .hash_filter = { FILTER_ANYWHERE, { "x", 1 } },
                                          .sort_filter = { FILTER_POSTFIX, { "y", 1 } } });
    ck_assert_int_eq(heard.status, BR_OK);
    ck_assert(shop.last.no_value && shop.last.return_expire_ts);
    ck_assert_int_eq(shop.last.hash_key_filter_type, FILTER_ANYWHERE);
    ck_assert_uint_eq(shop.last.hash_key_filter_pattern.size, 1);
    ck_assert_int_eq(shop.last.sort_key_filter_type, FILTER_POSTFIX);
    ck_assert_uint_eq(shop.last.sort_key_filter_pattern.size, 1);
}
END_TEST

/* -- Counting --------------------------------------------------------------------------------- */

START_TEST(test_scan_count)
{
    struct table_scan_options options = everything;
    stage_place(4, &stage.replicas[0]);
    options.count_only = true;
    shop.old = _i == 1;
    shop.lose_every = _i == 2 ? 3 : 0;
    shop.move_at = _i == 3 ? 2 : 0;
    scan_run(options);
    ck_assert_msg(heard.status == BR_OK, "%s", heard.why);
    ck_assert_int_eq(heard.count, shop.count); /* none twice */
    ck_assert_int_eq(heard.batches, 4);
    ck_assert_str_eq(buf_string(&heard.rows), "");
}
END_TEST

/* -- What is lost ----------------------------------------------------------------------------- */

START_TEST(test_scan_lost)
{
    shop.lose_every = 1 + _i; /* with 1 every context is lost */
    scan_run(everything);
    check_all();
    ck_assert_int_gt(shop.begins, 1);
    ck_assert(!shop.last.start_inclusive);
    ck_assert_uint_gt(shop.last_start_size, 2);
}
END_TEST

START_TEST(test_scan_moved)
{
    shop.move_at = 1 + _i;
    scan_run(everything);
    check_all();
    ck_assert_int_eq(shop.begins, 2);
    ck_assert_int_gt(stage.replicas[1].asked, 1);
}
END_TEST

/* The new primary happens to have a context of that number, which is somebody else's. */
START_TEST(test_scan_false_context)
{
    shop.move_at = 2;
    shop.shared = true;
    scan_run(everything);
    check_all();
}
END_TEST

START_TEST(test_scan_cut)
{
    shop.cut_at = 1 + _i;
    scan_run(everything);
    check_all();
    ck_assert_int_eq(shop.begins, 2);
}
END_TEST

START_TEST(test_scan_restarts_max)
{
    static const char *const none = "lost the scan of partition 7.0 9 times";
    while (shop.count > 0)
        buf_done(&shop.keys[--shop.count]);
    shop.context = _i == 0 ? LOST * 1000 : -2;
    scan_run(everything);
    ck_assert_int_eq(heard.status, BR_REFUSED);
    ck_assert_msg(strstr(heard.why, none) != NULL, "%s", heard.why);
    ck_assert_int_eq(shop.begins, TABLE_SCAN_RESTARTS_MAX + 1);
}
END_TEST

/* -- What goes wrong -------------------------------------------------------------------------- */

START_TEST(test_scan_wrong)
{
    static const struct {
        int repeat_at;
        bool keyless;
        int32_t storage;
        const char *error;
        br_status status;
        const char *says;
    } rows[] = {
        { 1, false, 0, NULL, BR_CORRUPT, "row 1 of a batch is not behind the one before" },
        { 2, false, 0, NULL, BR_CORRUPT, "row 0 of a batch is not behind the one before" },
        { 0, true, 0, NULL, BR_CORRUPT, "row 0 of a batch has no key" },
        { 0, false, 5, NULL, BR_REFUSED, "says 5" },
        { 0, false, 0, "ERR_BUSY", BR_REFUSED, "ERR_BUSY" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heard.ends = 0;
        shop.asked = 0;
        shop.repeat_at = rows[i].repeat_at;
        shop.keyless = rows[i].keyless;
        shop.storage = rows[i].storage;
        stage.replicas[0].error = rows[i].error;
        scan_run(everything);
        ck_assert_int_eq(heard.status, rows[i].status);
        ck_assert_msg(strstr(heard.why, rows[i].says) != NULL, "%s", heard.why);
    }
}
END_TEST

/* A count that was cut short has no key to go on behind. */
START_TEST(test_scan_count_cut)
{
    struct table_scan_options options = everything;
    options.count_only = true;
    shop.cut_at = 2;
    shop.storage = STORAGE_INCOMPLETE;
    scan_run(options);
    ck_assert_int_eq(heard.status, BR_REFUSED);
    ck_assert_int_eq(heard.lasts, 0);
}
END_TEST

START_TEST(test_scan_resized)
{
    stage_place(2, &stage.replicas[0]);
    shop.resize_at = 4;
    scan_run((struct table_scan_options){ .partition = -1, .batch = 3 });
    ck_assert_int_eq(heard.status, BR_REFUSED);
    ck_assert_msg(strstr(heard.why, "7 with 2 partitions when the scan began, and is 7 with 4"),
                  "%s", heard.why);
}
END_TEST

/* -- Life ------------------------------------------------------------------------------------- */

/* Freed with a question under way, before any, and from inside: the context is given back. */
START_TEST(test_scan_free)
{
    scan_begin(everything);
    table_scan_free(heard.scan);
    scan_begin(everything);
    NET_UNTIL(&stage.net, shop.asked == 1);
    table_scan_free(heard.scan);
    heard.stop_at = 1;
    scan_run(everything);
    ck_assert_ptr_null(heard.scan);
    NET_UNTIL(&stage.net, shop.cleared == 1);
    ck_assert_int_eq(heard.ends, 0);
}
END_TEST

/* So it is where it ends badly. */
START_TEST(test_scan_clears)
{
    shop.repeat_at = 2;
    scan_run(everything);
    ck_assert_int_eq(heard.status, BR_CORRUPT);
    NET_UNTIL(&stage.net, shop.cleared == 1);
}
END_TEST

TCase *table_scan_case(void)
{
    TCase *tcase = tcase_create("scans");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_checked_fixture(tcase, scan_setup, scan_teardown);
    tcase_add_test(tcase, test_scan);
    tcase_add_test(tcase, test_scan_partitions);
    tcase_add_test(tcase, test_scan_one_partition);
    tcase_add_loop_test(tcase, test_scan_hash, 0, (int) (sizeof ranges / sizeof *ranges));
    tcase_add_test(tcase, test_scan_hash_key);
    tcase_add_test(tcase, test_scan_hash_ff);
    tcase_add_test(tcase, test_scan_options);
    tcase_add_loop_test(tcase, test_scan_count, 0, 4);
    tcase_add_loop_test(tcase, test_scan_lost, 0, 3);
    tcase_add_loop_test(tcase, test_scan_moved, 0, 3);
    tcase_add_test(tcase, test_scan_false_context);
    tcase_add_loop_test(tcase, test_scan_cut, 0, 3);
    tcase_add_loop_test(tcase, test_scan_restarts_max, 0, 2);
    tcase_add_test(tcase, test_scan_wrong);
    tcase_add_test(tcase, test_scan_count_cut);
    tcase_add_test(tcase, test_scan_resized);
    tcase_add_test(tcase, test_scan_free);
    tcase_add_test(tcase, test_scan_clears);
    return tcase;
}
