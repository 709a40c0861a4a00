/* data -- what the commands about rows share: their table, their keys, one question, and the words
 * that Pegasus's shell says (src/shell/commands/data_operations.cpp).
 *
 * Keys and values are printed, and taken, as C writes strings: \n \r \t \" \' \\ and \xHH; what is
 * printable stands for itself (src/base/pegasus_utils.cpp:c_escape_string).  An argument may hold
 * any other byte as it is, too.
 *
 * As in Pegasus's shell everything goes to err; with --json the result goes to out instead, and
 * only reasons to err.
 */
#ifndef HOST_SHELL_DATA_H
#define HOST_SHELL_DATA_H

#include <getopt.h>

#include "host/rdsn/message_data.h"
#include "host/rdsn/table_client.h"
#include "host/shell/shell.h"

#define DATA_EPOCH 1451606400 /* 2016-01-01 00:00:00 UTC (src/base/pegasus_utils.h) */

struct data {
    struct shell *shell;
    const char *command;
    const char *app; /* of --app; then the table that is meant */
    bool json;
    struct table_client *table;
    struct arena arena;
    br_bytes *words; /* the arguments, unescaped */
    uint32_t count;

    /* Of the question under way. */
    struct report report;
    struct table *pairs; /* with json */
    int status;
    bool done;
};

/* The options that all have; more are behind them.  --app takes 'A', --json 'j'. */
#define DATA_OPTIONS                                                                               \
    { "app", required_argument, NULL, 'A' },                                                       \
    {                                                                                              \
        "json", no_argument, NULL, 'j'                                                             \
    }

/* true: it was one of DATA_OPTIONS. */
bool data_option(struct data *data, int option);

/* The words behind the options, `least` to `most` of them, and the table.  SHELL_OK, or it was
 * said. data_close in either case. */
int data_open(struct data *data, int argc, char **argv, uint32_t least, uint32_t most);
void data_close(struct data *data);

/* For commands without options of their own: these, and data_open. */
int data_arguments(struct data *data, struct shell *shell, int argc, char **argv, uint32_t least,
                   uint32_t most);

br_time data_timeout(const struct shell *shell);

/* Append it as it is printed.  `all`: every byte as \xHH. */
void data_escape(struct buf *buf, br_bytes bytes, bool all);

/* The same, in quotes, on a line's way to err; `shown` as escape_all says, else as it is taken. */
void data_quote(const struct shell *shell, FILE *out, br_bytes bytes, bool shown);

/* NULL-terminated text, in the arena; false: an escape that is none. */
bool data_unescape(struct arena *arena, const char *text, br_bytes *ret);

/* An option's text; false: it was said. */
bool data_text(struct data *data, const char *text, br_bytes *ret);

/* "anywhere" and so on, and with `exact` that too, as FILTER_EXACT; 0: it is none. */
enum { FILTER_EXACT = 4 };
int32_t data_filter(const char *text, bool exact);
bool data_bool(const char *text, bool *ret);

/* One question: `show` tells its result (not called where the client could not ask), then app id,
 * partition, decree (`write`) and server follow.  Returns what the command ends with. */
typedef void data_show(struct data *data, const struct table_result *result, void *arg);
struct data_question {
    enum table_operation operation;
    struct table_key key;
    void *request;
    bool write;
    data_show *show;
    void *arg;
};
int data_ask(struct data *data, const struct data_question *question);

/* One line of the result: the text to err, or the pair with json. */
BR_PRINTF(3, 4)
void data_say(struct data *data, const char *key, const char *format, ...);

/* "ERROR: " and Pegasus's words for it, and the reason; the command has failed. */
void data_error(struct data *data, const struct table_result *result);
const char *data_error_text(const struct table_result *result);

#endif
