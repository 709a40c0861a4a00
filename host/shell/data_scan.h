/* data_scan -- what the commands that walk rows share: which rows, how long, and what went wrong.
 */
#ifndef HOST_SHELL_DATA_SCAN_H
#define HOST_SHELL_DATA_SCAN_H

#include "host/rdsn/table_scan.h"
#include "host/shell/data.h"

/* The server looks at hash and sort keys; at values, and at exact sort keys, the shell does. */
struct data_filters {
    struct table_filter hash, sort, value;
    int32_t partition; /* -1: all */
    int32_t timeout_ms;
};

#define DATA_FILTERS                                                                               \
    { "partition", required_argument, NULL, 'p' }, { "timeout_ms", required_argument, NULL, 't' }, \
        { "hash_key_filter_type", required_argument, NULL, 'h' },                                  \
        { "hash_key_filter_pattern", required_argument, NULL, 'x' },                               \
        { "sort_key_filter_type", required_argument, NULL, 's' },                                  \
        { "sort_key_filter_pattern", required_argument, NULL, 'y' },                               \
        { "value_filter_type", required_argument, NULL, 'v' },                                     \
    {                                                                                              \
        "value_filter_pattern", required_argument, NULL, 'z'                                       \
    }

/* true: it was one of DATA_FILTERS, and makes sense; what does not was said. */
bool data_filter_option(struct data *data, struct data_filters *filters, int option);

/* The part of them that the server does, the partition and the timeout. */
void data_filter_apply(const struct data_filters *filters, struct table_scan_options *options);

/* The shell's part. */
bool data_filter_row(const struct data_filters *filters, const struct table_row *row);

/* "ERROR: WHAT {app_id=..}", and the reason. */
void data_scan_error(const struct data *data, FILE *out, const struct table_result *result);

#endif
