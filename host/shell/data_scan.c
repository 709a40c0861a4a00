/* data_scan -- see data_scan.h. */
#include "host/shell/data_scan.h"

#include <string.h>

static bool filter_type(const struct data *data, const char *name, bool exact, int32_t *ret)
{
    *ret = data_filter(optarg, exact);
    if (*ret == FILTER_NONE)
        fprintf(data->shell->err, "ERROR: invalid %s_filter_type param\n", name);
    return *ret != FILTER_NONE;
}

static bool filter_number(const struct data *data, const char *what, int64_t low, int32_t *ret)
{
    int64_t value = 0;
    bool good = number_i64(optarg, strlen(optarg), &value) && value >= low && value <= INT32_MAX;
    if (!good)
        fprintf(data->shell->err, "ERROR: parse %s as %s failed\n", optarg, what);
    *ret = (int32_t) value;
    return good;
}

bool data_filter_option(struct data *data, struct data_filters *filters, int option)
{
    switch (option) {
    case 'p': return filter_number(data, "partition id", 0, &filters->partition);
    case 't': return filter_number(data, "timeout_ms", 1, &filters->timeout_ms);
    case 'h': return filter_type(data, "hash_key", false, &filters->hash.type);
    case 'x': return data_text(data, optarg, &filters->hash.pattern);
    case 's': return filter_type(data, "sort_key", true, &filters->sort.type);
    case 'y': return data_text(data, optarg, &filters->sort.pattern);
    case 'v': return filter_type(data, "value", true, &filters->value.type);
    case 'z': return data_text(data, optarg, &filters->value.pattern);
    default: return false;
    }
}

void data_filter_apply(const struct data_filters *filters, struct table_scan_options *options)
{
    options->hash_filter = filters->hash;
    options->sort_filter = filters->sort;
    if (filters->sort.type == FILTER_EXACT) /* the shell does the rest */
        options->sort_filter.type = FILTER_PREFIX;
    options->partition = filters->partition;
    options->timeout = filters->timeout_ms * BR_MILLISECOND;
}

static bool bytes_match(const struct table_filter *filter, br_bytes bytes)
{
    const char *data = bytes.data;
    size_t size = filter->pattern.size;
    if (filter->type == FILTER_NONE || size == 0)
        return filter->type != FILTER_EXACT || bytes.size == 0;
    if (size > bytes.size || (filter->type == FILTER_EXACT && size != bytes.size))
        return false;
    if (filter->type == FILTER_ANYWHERE)
        return memmem(data, bytes.size, filter->pattern.data, size) != NULL;
    size_t at = filter->type == FILTER_POSTFIX ? bytes.size - size : 0;
    return memcmp(data + at, filter->pattern.data, size) == 0;
}

bool data_filter_row(const struct data_filters *filters, const struct table_row *row)
{
    return (filters->sort.type != FILTER_EXACT || bytes_match(&filters->sort, row->key.sort))
           && bytes_match(&filters->value, row->value);
}

void data_scan_error(const struct data *data, FILE *out, const struct table_result *result)
{
    bool came = result->response != NULL;
    fprintf(out, "ERROR: %s {app_id=%d, partition_index=%d, server=%s}\n", data_error_text(result),
            came ? result->app_id : -1, came ? result->partition : -1, came ? result->server : "");
    if (out != data->shell->err)
        return;
    struct buf why = { 0 };
    table_clean(&why, result->why ? result->why : "");
    fprintf(out, "%s\n", buf_string(&why));
    shell_hint(data->shell, result->error);
    buf_done(&why);
}
