/* cmd_data_multi -- many rows of one hash key: multi_set, multi_get, multi_get_range,
 * multi_get_sortkeys, multi_del (src/shell/commands/data_operations.cpp). */
#include <stdlib.h>
#include <string.h>

#include "host/shell/data.h"

static struct table_key multi_key(const struct data *data)
{
    return (struct table_key){ .hash = data->words[0] };
}

static int word_compare(const void *a, const void *b)
{
    const br_bytes *x = a, *y = b;
    size_t least = x->size < y->size ? x->size : y->size;
    int order = least > 0 ? memcmp(x->data, y->data, least) : 0;
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static int multi_row_compare(const void *a, const void *b)
{
    const struct msg_rrdb_key_value *x = a, *y = b;
    return word_compare(&x->key, &y->key);
}

/* The sort keys, in order and each once. */
static struct wire_list sort_keys(struct data *data)
{
    br_bytes *keys = data->words + 1;
    uint32_t count = data->count - 1, kept = 0;
    if (count > 1)
        qsort(keys, count, sizeof *keys, word_compare);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || word_compare(&keys[i], &keys[kept - 1]) != 0)
            keys[kept++] = keys[i];
    }
    return (struct wire_list){ .items = keys, .count = kept };
}

/* -- multi_set --------------------------------------------------------------------------------- */

static void show_set(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    if (result->status == BR_OK)
        data_say(data, "result", "OK");
    else
        data_error(data, result);
}

/* false: one comes twice, which was said. */
static bool set_kvs(struct data *data, struct msg_rrdb_key_value *kvs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        wire_init(&wire_rrdb_key_value, &kvs[i]);
        kvs[i].key = data->words[1 + 2 * i];
        kvs[i].value = data->words[2 + 2 * i];
    }
    qsort(kvs, count, sizeof *kvs, multi_row_compare);
    for (uint32_t i = 1; i < count; i++) {
        if (multi_row_compare(&kvs[i - 1], &kvs[i]) != 0)
            continue;
        struct buf text = { 0 };
        data_escape(&text, kvs[i].key, false);
        fprintf(data->shell->err, "ERROR: duplicate sort key %s\n", buf_string(&text));
        buf_done(&text);
        return false;
    }
    return true;
}

int cmd_multi_set(struct shell *shell, int argc, char **argv)
{
    struct data data;
    struct msg_rrdb_multi_put_request request;
    wire_init(&wire_rrdb_multi_put_request, &request);
    int status = data_arguments(&data, shell, argc, argv, 3, UINT32_MAX);
    if (status == SHELL_OK && data.count % 2 == 0)
        status = shell_usage(shell, argv[0]);
    if (status == SHELL_OK) {
        uint32_t count = data.count / 2;
        struct msg_rrdb_key_value *kvs = arena_alloc(&data.arena, count * sizeof *kvs);
        request.kvs = (struct wire_list){ .items = kvs, .count = count };
        status = !set_kvs(&data, kvs, count)
                     ? SHELL_USAGE
                     : data_ask(&data, &(struct data_question){ .operation = TABLE_MULTI_PUT,
                                                                .key = multi_key(&data),
                                                                .request = &request,
                                                                .write = true,
                                                                .show = show_set });
    }
    data_close(&data);
    return status;
}

/* -- multi_get, multi_get_range, multi_get_sortkeys ---------------------------------------------
 */

struct multi_get {
    struct msg_rrdb_multi_get_request request;
    bool keys_only; /* multi_get_sortkeys */
    bool range;
};

static void show_row(struct data *data, const struct multi_get *get,
                     const struct msg_rrdb_key_value *row)
{
    const struct shell *shell = data->shell;
    if (!get->keys_only) {
        data_quote(shell, shell->err, data->words[0], true);
        fputs(" : ", shell->err);
    }
    data_quote(shell, shell->err, row->key, true);
    if (!get->request.no_value) {
        fputs(" => ", shell->err);
        data_quote(shell, shell->err, row->value, true);
    }
    fputc('\n', shell->err);
}

/* Rows as a section whose first column counts them: sort keys need not be text. */
static void show_json(struct data *data, const struct multi_get *get,
                      const struct msg_rrdb_key_value *rows, uint32_t count)
{
    struct table *table = table_columns(&data->report, "rows");
    table_column(table, "row", false);
    table_column(table, "sort_key", false);
    if (!get->request.no_value)
        table_column(table, "value", false);
    for (uint32_t i = 0; i < count; i++) {
        struct buf key = { 0 }, value = { 0 };
        data_escape(&key, rows[i].key, data->shell->escape_all);
        data_escape(&value, rows[i].value, data->shell->escape_all);
        table_cell(table, "%u", (unsigned) i);
        table_cell(table, "%s", buf_string(&key));
        if (!get->request.no_value)
            table_cell(table, "%s", buf_string(&value));
        buf_done(&key);
        buf_done(&value);
    }
}

static void show_rows(struct data *data, const struct table_result *result, void *arg)
{
    const struct multi_get *get = arg;
    const struct msg_rrdb_multi_get_response *response = result->response;
    if (result->status != BR_OK) {
        data_error(data, result);
        return;
    }
    const char *completed = result->storage == STORAGE_INCOMPLETE ? "not completed" : "completed";
    uint32_t count = response->kvs.count;
    struct msg_rrdb_key_value *rows = response->kvs.items;
    if (count > 1)
        qsort(rows, count, sizeof *rows, multi_row_compare);
    if (data->json) {
        table_pair(data->pairs, "count", "%u", count);
        table_pair(data->pairs, "fetch", "%s", completed);
        show_json(data, get, rows, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        show_row(data, get, &rows[i]);
    if (!get->range || count > 0)
        fputc('\n', data->shell->err);
    fprintf(data->shell->err, "%u %s got, fetch %s.\n", count,
            get->keys_only ? "sort keys" : "key-value pairs", completed);
}

static int multi_ask(struct data *data, struct multi_get *get)
{
    return data_ask(data, &(struct data_question){ .operation = TABLE_MULTI_GET,
                                                   .key = multi_key(data),
                                                   .request = &get->request,
                                                   .show = show_rows,
                                                   .arg = get });
}

static void multi_get_init(struct multi_get *get)
{
    *get = (struct multi_get){ .range = false };
    wire_init(&wire_rrdb_multi_get_request, &get->request);
    get->request.max_kv_count = get->request.max_kv_size = -1;
    get->request.start_inclusive = true;
}

int cmd_multi_get(struct shell *shell, int argc, char **argv)
{
    struct data data;
    struct multi_get get;
    multi_get_init(&get);
    int status = data_arguments(&data, shell, argc, argv, 1, UINT32_MAX);
    if (status == SHELL_OK) {
        get.request.sort_keys = sort_keys(&data);
        status = multi_ask(&data, &get);
    }
    data_close(&data);
    return status;
}

int cmd_multi_get_sortkeys(struct shell *shell, int argc, char **argv)
{
    struct data data;
    struct multi_get get;
    multi_get_init(&get);
    get.keys_only = get.request.no_value = true;
    int status = data_arguments(&data, shell, argc, argv, 1, 1);
    if (status == SHELL_OK)
        status = multi_ask(&data, &get);
    data_close(&data);
    return status;
}

static bool range_option(struct data *data, struct msg_rrdb_multi_get_request *request, int option)
{
    struct shell *shell = data->shell;
    int64_t count = -1;
    bool good = true;
    switch (option) {
    case 'a':
        good = data_bool(optarg, &request->start_inclusive);
        if (!good)
            fputs("invalid start_inclusive param\n", shell->err);
        return good;
    case 'b':
        good = data_bool(optarg, &request->stop_inclusive);
        if (!good)
            fputs("invalid stop_inclusive param\n", shell->err);
        return good;
    case 's':
        request->sort_key_filter_type = data_filter(optarg, false);
        if (request->sort_key_filter_type == FILTER_NONE)
            fputs("invalid sort_key_filter_type param\n", shell->err);
        return request->sort_key_filter_type != FILTER_NONE;
    case 'y': return data_text(data, optarg, &request->sort_key_filter_pattern);
    case 'n':
        good = shell_number(shell, optarg, "max_count", INT32_MIN, INT32_MAX, &count);
        request->max_kv_count = (int32_t) count;
        return good;
    case 'i': request->no_value = true; return true;
    case 'r': request->reverse = true; return true;
    default: return data_option(data, option);
    }
}

static void range_say(const struct data *data, const struct msg_rrdb_multi_get_request *request)
{
    static const char *const filters[] = { "no_filter", "anywhere", "prefix", "postfix" };
    const struct shell *shell = data->shell;
    FILE *err = shell->err;
    const struct {
        const char *name;
        br_bytes value;
    } keys[] = { { "hash_key", data->words[0] },
                 { "start_sort_key", data->words[1] },
                 { "stop_sort_key", data->words[2] } };
    for (int i = 0; i < 3; i++) {
        fprintf(err, "%s: ", keys[i].name);
        data_quote(shell, err, keys[i].value, false);
        fputc('\n', err);
        if (i > 0)
            fprintf(err, "%s_inclusive: %s\n", i == 1 ? "start" : "stop",
                    (i == 1 ? request->start_inclusive : request->stop_inclusive) ? "true"
                                                                                  : "false");
    }
    fprintf(err, "sort_key_filter_type: %s\n", filters[request->sort_key_filter_type]);
    if (request->sort_key_filter_type != FILTER_NONE) {
        fputs("sort_key_filter_pattern: ", err);
        data_quote(shell, err, request->sort_key_filter_pattern, false);
        fputc('\n', err);
    }
    fprintf(err, "max_count: %d\nno_value: %s\nreverse: %s\n\n", request->max_kv_count,
            request->no_value ? "true" : "false", request->reverse ? "true" : "false");
}

int cmd_multi_get_range(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        DATA_OPTIONS,
        { "start_inclusive", required_argument, NULL, 'a' },
        { "stop_inclusive", required_argument, NULL, 'b' },
        { "sort_key_filter_type", required_argument, NULL, 's' },
        { "sort_key_filter_pattern", required_argument, NULL, 'y' },
        { "max_count", required_argument, NULL, 'n' },
        { "no_value", no_argument, NULL, 'i' },
        { "reverse", no_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    struct data data = { .shell = shell };
    struct multi_get get;
    int option, status = SHELL_OK;
    multi_get_init(&get);
    get.range = true;
    arena_init(&data.arena, 0);
    while (status == SHELL_OK
           && (option = getopt_long(argc, argv, "a:b:s:y:n:irj", options, NULL)) != -1) {
        if (!range_option(&data, &get.request, option))
            status = shell_usage(shell, argv[0]);
    }
    if (status == SHELL_OK)
        status = data_open(&data, argc, argv, 3, 3);
    if (status == SHELL_OK) {
        get.request.start_sortkey = data.words[1];
        get.request.stop_sortkey = data.words[2];
        if (!data.json)
            range_say(&data, &get.request);
        status = multi_ask(&data, &get);
    }
    data_close(&data);
    return status;
}

/* -- multi_del --------------------------------------------------------------------------------- */

static void show_deleted(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    const struct msg_rrdb_number_response *response = result->response;
    if (result->status != BR_OK) {
        data_error(data, result);
        return;
    }
    bool incomplete = result->storage == STORAGE_INCOMPLETE;
    long long count = response->number;
    if (!data->json)
        fprintf(data->shell->err, "%lld key-value pairs deleted%s.\n", count,
                incomplete ? ", but not completed" : "");
    else
        table_pair(data->pairs, "deleted", "%lld", count);
    if (incomplete)
        data->status = SHELL_FAILED;
}

int cmd_multi_del(struct shell *shell, int argc, char **argv)
{
    struct data data;
    struct msg_rrdb_multi_remove_request request;
    wire_init(&wire_rrdb_multi_remove_request, &request);
    int status = data_arguments(&data, shell, argc, argv, 2, UINT32_MAX);
    if (status == SHELL_OK) {
        request.sort_keys = sort_keys(&data);
        status = data_ask(&data, &(struct data_question){ .operation = TABLE_MULTI_REMOVE,
                                                          .key = multi_key(&data),
                                                          .request = &request,
                                                          .write = true,
                                                          .show = show_deleted });
    }
    data_close(&data);
    return status;
}
