/* cmd_data_count -- count_data: how many rows a table has, as its servers estimate it, or counted
 * (src/shell/commands/data_operations.cpp).
 *
 * The estimate is RocksDB's, from the primaries' perf-counters as up to 2.5; newer servers have it
 * in their HTTP metrics alone, and bridle does not ask there.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/data_scan.h"

#define COUNTER "replica*app.pegasus*rdb.estimate_num_keys@"

/* -- The estimate ------------------------------------------------------------------------------ */

struct estimate {
    struct shell *shell;
    struct arena arena;
    int32_t app_id, count;
    const char **primaries; /* by partition; "": none */
    double *rows;
    struct exchange bad; /* error "": it answered */
};

static void estimate_take(void *arg, uint32_t index, const struct exchange *exchange,
                          const struct msg_query_cfg_response *response)
{
    (void) index;
    struct estimate *estimate = arg;
    const struct msg_partition_configuration *row = response->partitions.items;
    char name[NODE_NAME_MAX + 1];
    estimate->bad = *exchange;
    if (!exchange_ok(exchange))
        return;
    estimate->app_id = response->app_id;
    estimate->count = (int32_t) response->partitions.count;
    estimate->primaries =
        arena_zero(&estimate->arena, response->partitions.count * sizeof *estimate->primaries);
    estimate->rows =
        arena_zero(&estimate->arena, response->partitions.count * sizeof *estimate->rows);
    for (int32_t i = 0; i < estimate->count; i++) {
        const char *node = !health_has_primary(&row[i])
                               ? ""
                               : shell_node(row[i].primary,
                                            WIRE_HAS(&row[i], 9) ? &row[i].hp_primary : NULL, name);
        estimate->primaries[i] = arena_text(&estimate->arena, node, strlen(node));
    }
}

/* One counter of a server's: "...@2.5", which counts where it is that partition's primary. */
static void estimate_counter(struct estimate *estimate, const char *node, const json_t *counter)
{
    const char *name = json_string_value(json_object_get(counter, "name"));
    struct gpid pid;
    if (!name || strncmp(name, COUNTER, strlen(COUNTER)) != 0
        || !shell_gpid(name + strlen(COUNTER), &pid) || pid.app_id != estimate->app_id
        || pid.partition >= estimate->count
        || strcmp(estimate->primaries[pid.partition], node) != 0)
        return;
    estimate->rows[pid.partition] = json_number_value(json_object_get(counter, "value"));
}

/* false: the server's reply is none. */
static bool estimate_reply(struct estimate *estimate, const char *node, const char *text)
{
    json_t *reply = json_loads(text, 0, NULL);
    const json_t *counters = json_object_get(reply, "counters");
    size_t index;
    const json_t *counter;
    bool good = json_is_array(counters);
    json_array_foreach(counters, index, counter) estimate_counter(estimate, node, counter);
    json_decref(reply);
    return good;
}

/* Each primary once. */
static uint32_t estimate_nodes(const struct estimate *estimate, const char **nodes)
{
    uint32_t count = 0;
    for (int32_t i = 0; i < estimate->count; i++) {
        bool known = !*estimate->primaries[i];
        for (uint32_t j = 0; j < count && !known; j++)
            known = strcmp(nodes[j], estimate->primaries[i]) == 0;
        if (!known)
            nodes[count++] = estimate->primaries[i];
    }
    return count;
}

static int estimate_failed(struct shell *shell, const char *node, const struct exchange *exchange)
{
    fputs("ERROR: query app stat from server failed\n", shell->err);
    if (exchange_ok(exchange))
        fprintf(shell->err, "%s has no perf-counters; servers from 2.6 on tell it by HTTP only\n",
                node);
    else
        shell_why(shell, exchange);
    fputs("hint: count_data -c counts instead\n", shell->err);
    return SHELL_FAILED;
}

static int estimate_ask(struct estimate *estimate)
{
    struct shell *shell = estimate->shell;
    struct buf pattern = { 0 };
    buf_printf(&pattern, ".*@%d\\..*", estimate->app_id);
    const char *arguments[] = { buf_string(&pattern) };
    const struct msg_command command = { .cmd = "perf-counters",
                                         .arguments = { .items = arguments, .count = 1 } };
    const char **nodes = mem_array((size_t) estimate->count + 1, sizeof *nodes);
    uint32_t count = estimate_nodes(estimate, nodes);
    struct exchange *exchanges = mem_array(count + 1, sizeof *exchanges);
    const char **texts = mem_array(count + 1, sizeof *texts);
    int status = SHELL_OK;
    for (uint32_t i = 0; i < count; i++)
        exchanges[i] = (struct exchange){ .rpc = "RPC_CLI_CLI_CALL",
                                          .node = nodes[i],
                                          .request = &command,
                                          .response = &texts[i],
                                          .arena = &estimate->arena };
    session_run(shell->session, exchanges, count, NULL, NULL);
    for (uint32_t i = 0; i < count && status == SHELL_OK; i++) {
        if (!exchange_ok(&exchanges[i]) || !estimate_reply(estimate, nodes[i], texts[i]))
            status = estimate_failed(shell, nodes[i], &exchanges[i]);
    }
    free(texts);
    free(exchanges);
    free(nodes);
    buf_done(&pattern);
    return status;
}

static int estimate_show(const struct estimate *estimate, bool json)
{
    struct report report;
    double total = 0;
    report_init(&report);
    struct table *table = table_columns(&report, "count_data");
    table_column(table, "pidx", false);
    table_column(table, "estimate_count", false);
    for (int32_t i = 0; i < estimate->count; i++) {
        table_cell(table, "%d", i);
        table_cell(table, "%.2f", estimate->rows[i]);
        total += estimate->rows[i];
    }
    table_cell(table, "(total:%d)", estimate->count);
    table_cell(table, "%.2f", total);
    return shell_report(estimate->shell, &report, NULL, json, false);
}

static int estimate_run(struct data *data)
{
    struct estimate estimate = { .shell = data->shell };
    const char *const names[] = { data->app };
    arena_init(&estimate.arena, 0);
    ask_tables(data->shell, &(struct ask_tables){ names, 1, estimate_take, &estimate });
    int status = exchange_ok(&estimate.bad)
                     ? estimate_ask(&estimate)
                     : estimate_failed(data->shell, data->app, &estimate.bad);
    if (status == SHELL_OK)
        status = estimate_show(&estimate, data->json);
    arena_done(&estimate.arena);
    return status;
}

/* -- Counting ---------------------------------------------------------------------------------- */

struct split {
    int32_t partition;
    int64_t rows, hash_keys;
};

struct count {
    struct data data;
    struct data_filters filters;
    bool precise, other, hash_keys; /* other: any option that only counting has */
    int32_t batch;

    struct split *splits; /* partitions that are done, and the one under way */
    uint32_t split_count;
    struct buf last; /* hash key */
    bool any;
};

static struct split *count_split(struct count *count, int32_t partition)
{
    if (count->split_count > 0 && count->splits[count->split_count - 1].partition == partition)
        return &count->splits[count->split_count - 1];
    count->splits = mem_grow(count->splits, (count->split_count + 1) * sizeof *count->splits);
    count->splits[count->split_count] = (struct split){ .partition = partition };
    count->any = false;
    return &count->splits[count->split_count++];
}

static void count_take(void *arg, const struct table_batch *batch)
{
    struct count *count = arg;
    struct split *split = count_split(count, batch->partition);
    if (!batch->rows)
        split->rows += batch->count;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        const struct table_row *row = &batch->rows[i];
        br_bytes hash = row->key.hash;
        if (!data_filter_row(&count->filters, row))
            continue;
        split->rows++;
        bool same = count->any && count->last.size == hash.size
                    && (hash.size == 0 || memcmp(count->last.data, hash.data, hash.size) == 0);
        split->hash_keys += !same;
        buf_clear(&count->last);
        buf_put(&count->last, hash.data, hash.size);
        count->any = true;
    }
}

static void count_end(void *arg, const struct table_result *result)
{
    struct count *count = arg;
    count->data.done = true;
    if (result->status == BR_OK)
        return;
    data_scan_error(&count->data, count->data.shell->err, result);
    fputs("ERROR: error occurred, terminate processing\n", count->data.shell->err);
    count->data.status = SHELL_FAILED;
}

static void count_keys(const struct count *count, char text[64], int64_t keys)
{
    *text = '\0';
    if (count->hash_keys)
        snprintf(text, 64, " (%lld hash keys)", (long long) keys);
}

static int count_show_json(const struct count *count)
{
    struct report report;
    struct split total = { .rows = 0 };
    report_init(&report);
    struct table *table = table_columns(&report, "count_data");
    table_column(table, "pidx", false);
    table_column(table, "count", false);
    if (count->hash_keys)
        table_column(table, "hash_keys", false);
    for (uint32_t i = 0; i <= count->split_count; i++) {
        const struct split *split = i < count->split_count ? &count->splits[i] : &total;
        if (split == &total)
            table_cell(table, "(total:%u)", count->split_count);
        else
            table_cell(table, "%d", split->partition);
        table_cell(table, "%lld", (long long) split->rows);
        if (count->hash_keys)
            table_cell(table, "%lld", (long long) split->hash_keys);
        total.rows += split->rows;
        total.hash_keys += split->hash_keys;
    }
    return shell_report(count->data.shell, &report, NULL, true, false);
}

static int count_show(const struct count *count)
{
    FILE *err = count->data.shell->err;
    bool failed = count->data.status != SHELL_OK;
    int64_t rows = 0, keys = 0;
    char text[64];
    if (count->data.json)
        return failed ? SHELL_FAILED : count_show_json(count);
    for (uint32_t i = 0; i < count->split_count; i++) {
        const struct split *split = &count->splits[i];
        count_keys(count, text, split->hash_keys);
        fprintf(err, "INFO: split[%d]: %lld rows%s\n", split->partition, (long long) split->rows,
                text);
        rows += split->rows;
        keys += split->hash_keys;
    }
    count_keys(count, text, keys);
    fprintf(err, "Count %s, total %lld rows.%s\n", failed ? "terminated as error occurred" : "done",
            (long long) rows, text);
    return count->data.status;
}

static void count_say_filter(const struct count *count, const char *name,
                             const struct table_filter *filter)
{
    static const char *const types[] = { "no_filter", "anywhere", "prefix", "postfix", "exact" };
    FILE *err = count->data.shell->err;
    fprintf(err, "INFO: %s_filter_type = %s\n", name, types[filter->type]);
    if (filter->type == FILTER_NONE)
        return;
    fprintf(err, "INFO: %s_filter_pattern = ", name);
    data_quote(count->data.shell, err, filter->pattern, false);
    fputc('\n', err);
}

static void count_say(const struct count *count)
{
    FILE *err = count->data.shell->err;
    fprintf(err, "INFO: app_name = %s\n", count->data.app);
    if (count->filters.partition >= 0)
        fprintf(err, "INFO: partition = %d\n", count->filters.partition);
    else
        fputs("INFO: partition = all\n", err);
    fprintf(err, "INFO: max_batch_count = %d\nINFO: timeout_ms = %d\n", count->batch,
            count->filters.timeout_ms);
    count_say_filter(count, "hash_key", &count->filters.hash);
    count_say_filter(count, "sort_key", &count->filters.sort);
    count_say_filter(count, "value", &count->filters.value);
    fprintf(err, "INFO: diff_hash_key = %s\n", count->hash_keys ? "true" : "false");
}

/* The server counts where nothing of a row must be looked at here. */
static int count_run(struct count *count)
{
    struct table_scan_options options = { .batch = count->batch };
    struct shell *shell = count->data.shell;
    const struct data_filters *filters = &count->filters;
    data_filter_apply(filters, &options);
    options.no_value = filters->value.type == FILTER_NONE;
    options.count_only =
        options.no_value && filters->sort.type != FILTER_EXACT && !count->hash_keys;
    options.rows = count_take;
    options.done = count_end;
    options.arg = count;
    if (!count->data.json)
        count_say(count);
    if (!count->data.json && options.count_only)
        fputs("INFO: scanner only return kv count, not return value\n", shell->err);
    struct table_scan *scan = table_scan_new(count->data.table, &options);
    session_until(shell->session, &count->data.done);
    table_scan_free(scan);
    int status = count_show(count);
    free(count->splits);
    buf_done(&count->last);
    return status;
}

static bool count_option(struct count *count, int option)
{
    int64_t value;
    count->other |= option != 'A' && option != 'j';
    switch (option) {
    case 'c': count->precise = true; return true;
    case 'd': count->hash_keys = true; return true;
    case 'b':
        if (!number_i64(optarg, strlen(optarg), &value) || value <= 1 || value > INT32_MAX) {
            fputs("ERROR: max_batch_count should be greater than 1\n", count->data.shell->err);
            return false;
        }
        count->batch = (int32_t) value;
        return true;
    default:
        return data_filter_option(&count->data, &count->filters, option)
               || data_option(&count->data, option);
    }
}

int cmd_count_data(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        DATA_OPTIONS,
        DATA_FILTERS,
        { "precise", no_argument, NULL, 'c' },
        { "max_batch_count", required_argument, NULL, 'b' },
        { "diff_hash_key", no_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    struct count count = { .data = { .shell = shell }, .batch = 500, .filters.partition = -1 };
    int option, status = SHELL_OK;
    count.filters.timeout_ms = (int32_t) (data_timeout(shell) / BR_MILLISECOND);
    arena_init(&count.data.arena, 0);
    while (status == SHELL_OK
           && (option = getopt_long(argc, argv, "cp:b:t:h:x:s:y:v:z:dj", options, NULL)) != -1) {
        if (!count_option(&count, option))
            status = shell_usage(shell, argv[0]);
    }
    if (status == SHELL_OK && count.other && !count.precise) {
        fputs("ERROR: you must input [-c|--precise] flag when you expect to get precise result by "
              "scaning all record online\n",
              shell->err);
        status = shell_usage(shell, argv[0]);
    }
    if (status == SHELL_OK)
        status = data_open(&count.data, argc, argv, 0, 0);
    if (status == SHELL_OK)
        status = count.precise ? count_run(&count) : estimate_run(&count.data);
    data_close(&count.data);
    return status;
}
