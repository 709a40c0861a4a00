/* cmd_data_scan -- hash_scan and full_scan (src/shell/commands/data_operations.cpp).
 *
 * With --json each row is an object on a line of its own, as there may be any number of them.
 */
#include <stdlib.h>
#include <string.h>

#include "host/shell/data_scan.h"

struct rows {
    struct data data;
    struct data_filters filters;
    struct table_scan_options options;
    bool of_hash;
    const char *file;
    bool detailed;
    int32_t max_count;

    FILE *out; /* where rows go */
    struct table_scan *scan;
    uint32_t count;
};

static const struct option rows_options[] = {
    DATA_OPTIONS,
    DATA_FILTERS,
    { "detailed", no_argument, NULL, 'd' },
    { "max_count", required_argument, NULL, 'n' },
    { "output", required_argument, NULL, 'o' },
    { "start_inclusive", required_argument, NULL, 'a' },
    { "stop_inclusive", required_argument, NULL, 'b' },
    { "no_value", no_argument, NULL, 'i' },
    { NULL, 0, NULL, 0 },
};

/* "ERROR: " and this; false. */
static bool rows_invalid(const struct rows *rows, const char *what)
{
    fprintf(rows->data.shell->err, "ERROR: invalid %s param\n", what);
    return false;
}

static bool rows_option(struct rows *rows, int option)
{
    bool start_inclusive;
    int64_t value;
    switch (option) {
    case 'd': rows->detailed = true; return true;
    case 'i': rows->options.no_value = true; return true;
    case 'o': rows->file = optarg; return true;
    case 'n':
        if (!shell_number(rows->data.shell, optarg, "max_count", INT32_MIN, INT32_MAX, &value))
            return false;
        rows->max_count = (int32_t) value;
        return true;
    case 'a':
        if (!data_bool(optarg, &start_inclusive))
            return rows_invalid(rows, "start_inclusive");
        rows->options.start_exclusive = !start_inclusive;
        return true;
    case 'b':
        return data_bool(optarg, &rows->options.stop_inclusive)
               || rows_invalid(rows, "stop_inclusive");
    default:
        return data_filter_option(&rows->data, &rows->filters, option)
               || data_option(&rows->data, option);
    }
}

/* -- What is asked for ------------------------------------------------------------------------- */

static void say_key(const struct rows *rows, const char *name, br_bytes value)
{
    const struct shell *shell = rows->data.shell;
    fprintf(shell->err, "%s: ", name);
    data_quote(shell, shell->err, value, false);
    fputc('\n', shell->err);
}

static void say_filter(const struct rows *rows, const char *name, const struct table_filter *filter)
{
    static const char *const types[] = { "no_filter", "anywhere", "prefix", "postfix", "exact" };
    char pattern[64];
    fprintf(rows->data.shell->err, "%s_filter_type: %s\n", name, types[filter->type]);
    snprintf(pattern, sizeof pattern, "%s_filter_pattern", name);
    if (filter->type != FILTER_NONE)
        say_key(rows, pattern, filter->pattern);
}

static void rows_say(const struct rows *rows)
{
    FILE *err = rows->data.shell->err;
    const struct table_scan_options *options = &rows->options;
    if (rows->of_hash) {
        say_key(rows, "hash_key", rows->data.words[0]);
        say_key(rows, "start_sort_key", options->start);
        fprintf(err, "start_inclusive: %s\n", options->start_exclusive ? "false" : "true");
        say_key(rows, "stop_sort_key", options->stop);
        fprintf(err, "stop_inclusive: %s\n", options->stop_inclusive ? "true" : "false");
    } else {
        if (options->partition >= 0)
            fprintf(err, "partition: %d\n", options->partition);
        else
            fputs("partition: all\n", err);
        say_filter(rows, "hash_key", &rows->filters.hash);
    }
    say_filter(rows, "sort_key", &rows->filters.sort);
    say_filter(rows, "value", &rows->filters.value);
    fprintf(err, "max_count: %d\ntimout_ms: %d\ndetailed: %s\nno_value: %s\n\n", rows->max_count,
            rows->filters.timeout_ms, rows->detailed ? "true" : "false",
            options->no_value ? "true" : "false");
}

/* -- Rows -------------------------------------------------------------------------------------- */

static void json_member(struct buf *buf, const char *key, br_bytes value, bool all)
{
    struct buf text = { 0 };
    data_escape(&text, value, all);
    buf_printf(buf, "%s\"%s\": ", buf->size > 1 ? ", " : "", key);
    buf_json(buf, buf_string(&text));
    buf_done(&text);
}

static void row_json(const struct rows *rows, const struct table_batch *batch,
                     const struct table_row *row)
{
    struct buf line = { 0 };
    bool all = rows->data.shell->escape_all;
    buf_char(&line, '{');
    json_member(&line, "hash_key", row->key.hash, all);
    json_member(&line, "sort_key", row->key.sort, all);
    if (!rows->options.no_value)
        json_member(&line, "value", row->value, all);
    if (rows->detailed) {
        buf_printf(&line,
                   ", \"app_id\": \"%d\", \"partition_index\": \"%d\", \"server\": ", batch->app_id,
                   batch->partition);
        buf_json(&line, batch->server);
    }
    fprintf(rows->out, "%s}\n", buf_string(&line));
    buf_done(&line);
}

static void row_text(const struct rows *rows, const struct table_batch *batch,
                     const struct table_row *row)
{
    const struct shell *shell = rows->data.shell;
    data_quote(shell, rows->out, row->key.hash, true);
    fputs(" : ", rows->out);
    data_quote(shell, rows->out, row->key.sort, true);
    if (!rows->options.no_value) {
        fputs(" => ", rows->out);
        data_quote(shell, rows->out, row->value, true);
    }
    if (rows->detailed)
        fprintf(rows->out, " {app_id=%d, partition_index=%d, server=%s}", batch->app_id,
                batch->partition, batch->server);
    fputc('\n', rows->out);
}

static void rows_take(void *arg, const struct table_batch *batch)
{
    struct rows *rows = arg;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        if (!data_filter_row(&rows->filters, &batch->rows[i]))
            continue;
        if (rows->data.json)
            row_json(rows, batch, &batch->rows[i]);
        else
            row_text(rows, batch, &batch->rows[i]);
        rows->count++;
        if (rows->max_count > 0 && rows->count == (uint32_t) rows->max_count) {
            table_scan_free(rows->scan);
            rows->scan = NULL;
            rows->data.done = true;
            return;
        }
    }
}

static void rows_end(void *arg, const struct table_result *result)
{
    struct rows *rows = arg;
    rows->data.done = true;
    if (result->status == BR_OK)
        return;
    data_scan_error(&rows->data, rows->data.shell->err, result);
    if (rows->file && !rows->data.json)
        data_scan_error(&rows->data, rows->out, result);
    rows->data.status = SHELL_FAILED;
}

/* Pegasus's shell goes on with the next partition after an error; what is not whole ends here. */
static int rows_run(struct rows *rows)
{
    struct data *data = &rows->data;
    FILE *normal = data->json ? data->shell->out : data->shell->err;
    rows->out = rows->file ? shell_open(data->shell, rows->file) : normal;
    if (!rows->out)
        return SHELL_FAILED;
    if (!data->json)
        rows_say(rows);
    rows->options.rows = rows_take;
    rows->options.done = rows_end;
    rows->options.arg = rows;
    rows->scan = table_scan_new(data->table, &rows->options);
    session_until(data->shell->session, &data->done);
    table_scan_free(rows->scan);
    if (rows->file && shell_close(data->shell, rows->file, rows->out) != SHELL_OK)
        data->status = SHELL_FAILED;
    if (data->json)
        return data->status;
    if (!rows->file && rows->count > 0)
        fputc('\n', data->shell->err);
    fprintf(data->shell->err, "%u key-value pairs got.\n", rows->count);
    return data->status;
}

static int rows_command(struct rows *rows, int argc, char **argv, const char *letters)
{
    struct shell *shell = rows->data.shell;
    int option, status = SHELL_OK;
    uint32_t words = rows->of_hash ? 3 : 0;
    rows->max_count = -1;
    rows->filters.timeout_ms = (int32_t) (data_timeout(shell) / BR_MILLISECOND);
    rows->filters.partition = -1;
    arena_init(&rows->data.arena, 0);
    while (status == SHELL_OK
           && (option = getopt_long(argc, argv, letters, rows_options, NULL)) != -1) {
        if (!strchr(letters, option) && option != 'A')
            status = shell_usage(shell, argv[0]);
        else if (!rows_option(rows, option))
            status = shell_usage(shell, argv[0]);
    }
    if (status == SHELL_OK && rows->filters.value.type != FILTER_NONE && rows->options.no_value) {
        fputs("ERROR: no_value should not be set when value_filter_type is set\n", shell->err);
        status = shell_usage(shell, argv[0]);
    }
    if (status == SHELL_OK)
        status = data_open(&rows->data, argc, argv, words, words);
    if (status == SHELL_OK) {
        data_filter_apply(&rows->filters, &rows->options);
        rows->options.hash = rows->of_hash ? &rows->data.words[0] : NULL;
        rows->options.start = rows->data.words[rows->of_hash ? 1 : 0];
        rows->options.stop = rows->data.words[rows->of_hash ? 2 : 0];
        status = rows_run(rows);
    }
    data_close(&rows->data);
    return status;
}

int cmd_hash_scan(struct shell *shell, int argc, char **argv)
{
    struct rows rows = { .data = { .shell = shell }, .of_hash = true };
    return rows_command(&rows, argc, argv, "dn:t:o:a:b:s:y:v:z:ij");
}

int cmd_full_scan(struct shell *shell, int argc, char **argv)
{
    struct rows rows = { .data = { .shell = shell } };
    return rows_command(&rows, argc, argv, "dn:p:t:o:h:x:s:y:v:z:ij");
}
