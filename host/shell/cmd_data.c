/* cmd_data -- one row: set, get, del, exist, ttl, incr; count of a hash key's; hash, timeout,
 * escape_all (src/shell/commands/data_operations.cpp, misc.cpp). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/shell/data.h"

static struct table_key data_key(const struct data *data)
{
    return (struct table_key){ .hash = data->words[0], .sort = data->words[1] };
}

/* An argument that is a number, which was unescaped. */
static bool data_number(const struct data *data, uint32_t index, int64_t *ret)
{
    return number_i64(data->words[index].data, data->words[index].size, ret);
}

static void show_written(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    if (result->status == BR_OK)
        data_say(data, "result", "OK");
    else
        data_error(data, result);
}

/* -- set, del ---------------------------------------------------------------------------------- */

/* false: it was said. */
static bool set_expire(struct data *data, int32_t *ret_expire)
{
    int64_t ttl, now = (int64_t) time(NULL) - DATA_EPOCH;
    FILE *err = data->shell->err;
    struct buf text = { 0 };
    data_escape(&text, data->words[3], false);
    bool number = data_number(data, 3, &ttl), good = number && ttl > 0 && ttl <= INT32_MAX - now;
    if (!number)
        fprintf(err, "ERROR: parse %s as ttl failed\n", buf_string(&text));
    else if (!good)
        fprintf(err, "ERROR: invalid ttl %s\n", buf_string(&text));
    else
        *ret_expire = (int32_t) (ttl + now);
    buf_done(&text);
    return good;
}

int cmd_set(struct shell *shell, int argc, char **argv)
{
    struct data data;
    struct msg_rrdb_update_request request;
    wire_init(&wire_rrdb_update_request, &request);
    int status = data_arguments(&data, shell, argc, argv, 3, 4);
    if (status == SHELL_OK && data.count == 4 && !set_expire(&data, &request.expire_ts_seconds))
        status = shell_usage(shell, argv[0]);
    if (status == SHELL_OK) {
        request.value = data.words[2];
        status = data_ask(&data, &(struct data_question){ .operation = TABLE_PUT,
                                                          .key = data_key(&data),
                                                          .request = &request,
                                                          .write = true,
                                                          .show = show_written });
    }
    data_close(&data);
    return status;
}

/* A question about one key that has no request of its own. */
static int ask_key(struct shell *shell, int argc, char **argv, enum table_operation operation,
                   bool write, data_show *show)
{
    struct data data;
    uint32_t words = operation == TABLE_SORTKEY_COUNT ? 1 : 2;
    int status = data_arguments(&data, shell, argc, argv, words, words);
    if (status == SHELL_OK)
        status = data_ask(&data, &(struct data_question){ .operation = operation,
                                                          .key = data_key(&data),
                                                          .write = write,
                                                          .show = show });
    data_close(&data);
    return status;
}

int cmd_del(struct shell *shell, int argc, char **argv)
{
    return ask_key(shell, argc, argv, TABLE_REMOVE, true, show_written);
}

/* -- get, exist, ttl, count -------------------------------------------------------------------- */

static void show_missing(struct data *data)
{
    data->status = SHELL_FAILED;
    data_say(data, "error", "Not found");
}

static void show_value(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    if (result->status == BR_OK) {
        struct buf text = { 0 };
        data_escape(&text, result->value, data->shell->escape_all);
        const char *quote = data->json ? "" : "\"";
        data_say(data, "value", "%s%s%s", quote, buf_string(&text), quote);
        buf_done(&text);
    } else if (result->status == BR_NOTFOUND) {
        show_missing(data);
    } else {
        data_error(data, result);
    }
}

int cmd_get(struct shell *shell, int argc, char **argv)
{
    return ask_key(shell, argc, argv, TABLE_GET, false, show_value);
}

static void show_exist(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    bool found = result->status == BR_OK;
    if (!found && result->status != BR_NOTFOUND) {
        data_error(data, result);
        return;
    }
    if (!found)
        data->status = SHELL_FAILED;
    data_say(data, "exist", "%s",
             data->json ? (found ? "true" : "false") : (found ? "True" : "False"));
}

int cmd_exist(struct shell *shell, int argc, char **argv)
{
    return ask_key(shell, argc, argv, TABLE_TTL, false, show_exist);
}

static void show_ttl(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    const struct msg_rrdb_ttl_response *response = result->response;
    if (result->status != BR_OK && result->status != BR_NOTFOUND)
        data_error(data, result);
    else if (result->status == BR_NOTFOUND || response->ttl_seconds == -2)
        show_missing(data);
    else if (response->ttl_seconds == -1)
        data_say(data, "ttl", "Infinite");
    else
        data_say(data, "ttl", "%d", response->ttl_seconds);
}

int cmd_ttl(struct shell *shell, int argc, char **argv)
{
    return ask_key(shell, argc, argv, TABLE_TTL, false, show_ttl);
}

static void show_count(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    const struct msg_rrdb_count_response *response = result->response;
    if (result->status != BR_OK) {
        data_error(data, result);
    } else if (response->count == -1) {
        data->status = SHELL_FAILED;
        data_say(data, "error", "%sit takes too long to count sortkey",
                 data->json ? "" : "ERROR: ");
    } else {
        data_say(data, "count", "%lld", (long long) response->count);
    }
}

int cmd_count(struct shell *shell, int argc, char **argv)
{
    return ask_key(shell, argc, argv, TABLE_SORTKEY_COUNT, false, show_count);
}

/* -- incr -------------------------------------------------------------------------------------- */

static void show_number(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    const struct msg_rrdb_number_response *response = result->response;
    if (result->status == BR_OK)
        data_say(data, "value", "%lld", (long long) response->number);
    else
        data_error(data, result);
}

int cmd_incr(struct shell *shell, int argc, char **argv)
{
    struct data data;
    struct msg_rrdb_incr_request request;
    wire_init(&wire_rrdb_incr_request, &request);
    request.increment = 1;
    int status = data_arguments(&data, shell, argc, argv, 2, 3);
    if (status == SHELL_OK && data.count == 3 && !data_number(&data, 2, &request.increment)) {
        fputs("ERROR: invalid increment param\n", shell->err);
        status = shell_usage(shell, argv[0]);
    }
    if (status == SHELL_OK)
        status = data_ask(&data, &(struct data_question){ .operation = TABLE_INCR,
                                                          .key = data_key(&data),
                                                          .request = &request,
                                                          .write = true,
                                                          .show = show_number });
    data_close(&data);
    return status;
}

/* -- hash -------------------------------------------------------------------------------------- */

struct hash {
    uint64_t hash;
    const char *app;
    struct table *table;
    struct exchange bad; /* error "" : it answered */
};

static void hash_members(struct hash *hash, const struct msg_partition_configuration *partition)
{
    char name[NODE_NAME_MAX + 1];
    const uint64_t *secondaries = partition->secondaries.items;
    const struct host_port *names = partition->hp_secondaries.items;
    bool named = WIRE_HAS(partition, 10) && partition->hp_secondaries.count > 0;
    uint32_t count = named ? partition->hp_secondaries.count : partition->secondaries.count;
    struct buf text = { 0 };
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&text, "%s%s", i > 0 ? "," : "",
                   shell_node(named ? 0 : secondaries[i], named ? &names[i] : NULL, name));
    table_pair(hash->table, "primary", "%s",
               health_has_primary(partition) ? shell_node(
                   partition->primary, WIRE_HAS(partition, 9) ? &partition->hp_primary : NULL, name)
                                             : "");
    table_pair(hash->table, "secondaries", "%s", buf_string(&text));
    buf_done(&text);
}

static void hash_take(void *arg, uint32_t index, const struct exchange *exchange,
                      const struct msg_query_cfg_response *response)
{
    (void) index;
    struct hash *hash = arg;
    const struct msg_partition_configuration *partitions = response->partitions.items;
    hash->bad = *exchange;
    if (!exchange_ok(exchange))
        return;
    if (response->partition_count < 1) {
        snprintf(hash->bad.error, sizeof hash->bad.error, "ERR_INVALID_DATA");
        return;
    }
    int32_t at = (int32_t) (hash->hash % (uint64_t) response->partition_count);
    table_pair(hash->table, "app_name", "%s", hash->app);
    table_pair(hash->table, "app_id", "%d", response->app_id);
    table_pair(hash->table, "partition_count", "%d", response->partition_count);
    table_pair(hash->table, "partition_index", "%d", at);
    for (uint32_t i = 0; i < response->partitions.count; i++) {
        if (partitions[i].pid.partition == at)
            hash_members(hash, &partitions[i]);
    }
}

static int hash_show(struct data *data)
{
    struct shell *shell = data->shell;
    struct table_key key = data_key(data);
    struct hash hash = { .hash = table_key_hash(&key), .app = data->app };
    struct report report;
    report_init(&report);
    hash.table = table_pairs(&report, data->json ? "hash" : "");
    table_pair(hash.table, "key_hash", "%llu", (unsigned long long) hash.hash);
    if (data->app) {
        const char *const names[] = { data->app };
        ask_tables(shell, &(struct ask_tables){ names, 1, hash_take, &hash });
        if (!exchange_ok(&hash.bad)) {
            report_done(&report);
            fprintf(shell->out, "list app [%s] failed, error=%s\n", data->app, hash.bad.error);
            return shell_why(shell, &hash.bad);
        }
    }
    return shell_report(shell, &report, NULL, data->json, false);
}

/* Without a table it is the hash alone. */
int cmd_hash(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = { DATA_OPTIONS, { NULL, 0, NULL, 0 } };
    struct data data = { .shell = shell };
    int option, status = SHELL_USAGE;
    while ((option = getopt_long(argc, argv, "+j", options, NULL)) != -1) {
        if (!data_option(&data, option))
            return shell_usage(shell, argv[0]);
    }
    if (argc - optind != 2)
        return shell_usage(shell, argv[0]);
    if (!data.app && shell->app[0])
        data.app = shell->app;
    arena_init(&data.arena, 0);
    data.words = arena_zero(&data.arena, 2 * sizeof *data.words);
    if (data_text(&data, argv[optind], &data.words[0])
        && data_text(&data, argv[optind + 1], &data.words[1]))
        status = hash_show(&data);
    data_close(&data);
    return status;
}

/* -- timeout, escape_all ----------------------------------------------------------------------- */

int cmd_timeout(struct shell *shell, int argc, char **argv)
{
    int64_t value;
    if (argc > 2)
        return shell_usage(shell, argv[0]);
    if (argc == 2) {
        if (!shell_number(shell, argv[1], "timeout", 1, INT32_MAX, &value))
            return SHELL_USAGE;
        shell->timeout_ms = (int32_t) value;
        fputs("OK\n", shell->err);
        return SHELL_OK;
    }
    fprintf(shell->err, "Current timeout: %lld milliseconds.\n",
            (long long) (data_timeout(shell) / BR_MILLISECOND));
    return SHELL_OK;
}

int cmd_escape_all(struct shell *shell, int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && !data_bool(argv[1], &shell->escape_all)))
        return shell_usage(shell, argv[0]);
    if (argc == 2)
        fputs("OK\n", shell->err);
    else
        fprintf(shell->err, "Current escape_all: %s.\n", shell->escape_all ? "true" : "false");
    return SHELL_OK;
}
