/* data -- see data.h. */
#include "host/shell/data.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* -- Keys and values --------------------------------------------------------------------------- */

static const char data_escapes[] = "n\nr\rt\t\"\"''\\\\";

void data_escape(struct buf *buf, br_bytes bytes, bool all)
{
    const unsigned char *at = bytes.data;
    for (size_t i = 0; i < bytes.size; i++) {
        const char *escape = NULL;
        for (const char *pair = data_escapes; *pair && !escape; pair += 2)
            escape = (unsigned char) pair[1] == at[i] ? pair : NULL;
        if (escape && !all)
            buf_printf(buf, "\\%c", *escape);
        else if (all || at[i] < ' ' || at[i] > '~')
            buf_printf(buf, "\\x%02X", at[i]);
        else
            buf_char(buf, (char) at[i]);
    }
}

void data_quote(const struct shell *shell, FILE *out, br_bytes bytes, bool shown)
{
    struct buf text = { 0 };
    data_escape(&text, bytes, shown && shell->escape_all);
    fprintf(out, "\"%s\"", buf_string(&text));
    buf_done(&text);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char) c)) : NULL;
    return at ? (int) (at - digits) : -1;
}

bool data_unescape(struct arena *arena, const char *text, br_bytes *ret)
{
    char *to = arena_alloc(arena, strlen(text) + 1);
    *ret = (br_bytes){ to, 0 };
    for (; *text; text++) {
        if (*text != '\\') {
            to[ret->size++] = *text;
            continue;
        }
        text++;
        if (*text == 'x' || *text == 'X') {
            int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);
            if (low < 0)
                return false;
            to[ret->size++] = (char) (high << 4 | low);
            text += 2;
            continue;
        }
        const char *pair = data_escapes;
        while (*pair && *pair != *text)
            pair += 2;
        if (!*pair)
            return false;
        to[ret->size++] = pair[1];
    }
    return true;
}

bool data_text(struct data *data, const char *text, br_bytes *ret)
{
    if (data_unescape(&data->arena, text, ret))
        return true;
    fprintf(data->shell->err,
            "ERROR: %s has an escape that is none of \\n \\r \\t \\\" \\' \\\\ \\xHH\n", text);
    return false;
}

/* -- Arguments --------------------------------------------------------------------------------- */

int32_t data_filter(const char *text, bool exact)
{
    static const char *const names[] = { "", "anywhere", "prefix", "postfix", "exact" };
    for (int32_t i = FILTER_ANYWHERE; i <= (exact ? FILTER_EXACT : FILTER_POSTFIX); i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    return FILTER_NONE;
}

bool data_bool(const char *text, bool *ret)
{
    *ret = strcmp(text, "true") == 0;
    return *ret || strcmp(text, "false") == 0;
}

br_time data_timeout(const struct shell *shell)
{
    return (shell->timeout_ms > 0 ? shell->timeout_ms : SHELL_DATA_TIMEOUT) * BR_MILLISECOND;
}

bool data_option(struct data *data, int option)
{
    if (option == 'A')
        data->app = optarg;
    else if (option == 'j')
        data->json = true;
    return option == 'A' || option == 'j';
}

int data_open(struct data *data, int argc, char **argv, uint32_t least, uint32_t most)
{
    struct fail fail;
    struct shell *shell = data->shell;
    uint32_t count = (uint32_t) (argc - optind);
    if (count < least || count > most)
        return shell_usage(shell, argv[0]);
    data->command = argv[0];
    data->words = arena_zero(&data->arena, (count + 1) * sizeof *data->words);
    for (; data->count < count; data->count++) {
        if (!data_text(data, argv[optind + (int) data->count], &data->words[data->count]))
            return SHELL_USAGE;
    }
    data->app = shell_app(shell, data->app);
    if (!data->app)
        return SHELL_USAGE;
    data->table = session_table(shell->session, data->app, &fail);
    if (data->table)
        return SHELL_OK;
    fprintf(shell->err, "get client error, app_name(%s): %s\n", data->app, fail.text);
    return SHELL_FAILED;
}

void data_close(struct data *data)
{
    arena_done(&data->arena);
}

int data_arguments(struct data *data, struct shell *shell, int argc, char **argv, uint32_t least,
                   uint32_t most)
{
    static const struct option options[] = { DATA_OPTIONS, { NULL, 0, NULL, 0 } };
    int option;
    *data = (struct data){ .shell = shell };
    arena_init(&data->arena, 0);
    while ((option = getopt_long(argc, argv, "+j", options, NULL)) != -1) {
        if (!data_option(data, option))
            return shell_usage(shell, argv[0]);
    }
    return data_open(data, argc, argv, least, most);
}

/* -- Results ----------------------------------------------------------------------------------- */

void data_say(struct data *data, const char *key, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (data->json)
        table_pair(data->pairs, key, "%s", buf_string(&text));
    else
        fprintf(data->shell->err, "%s\n", buf_string(&text));
    buf_done(&text);
}

static const struct {
    const char *error, *text;
} data_errors[] = {
    { "ERR_TIMEOUT", "timeout" },
    { "ERR_FILE_OPERATION_FAILED", "server internal error" },
    { "ERR_INVALID_STATE", "server changed" },
    { "ERR_OBJECT_NOT_FOUND", "object not found" },
    { "ERR_NETWORK_FAILURE", "network failure" },
    { "ERR_HANDLER_NOT_FOUND", "handler not found" },
    { "ERR_OPERATION_DISABLED", "operation disabled" },
    { "ERR_NOT_ENOUGH_MEMBER", "no enough member" },
    { "ERR_APP_NOT_EXIST", "app not exist" },
    { "ERR_APP_EXIST", "app already exist" },
    { "ERR_BUSY", "app busy" },
    { "ERR_SPLITTING", "app splitting" },
    { "ERR_DISK_INSUFFICIENT", "disk insufficient" },
    { "ERR_INVALID_PARAMETERS", "invalid argument" },
};

const char *data_error_text(const struct table_result *result)
{
    static const char *const storage[] = {
        "success",           "not found",        "corruption",
        "not supported",     "invalid argument", "io error",
        "merge in progress", "incomplete",       "shutdown in progress",
        "rocksdb time out",  "aborted",          "busy",
        "expired",           "try again"
    };
    const int32_t known = sizeof storage / sizeof *storage;
    if (result->response && result->storage > 0 && result->storage < known)
        return storage[result->storage];
    for (size_t i = 0; i < sizeof data_errors / sizeof *data_errors; i++) {
        if (strcmp(data_errors[i].error, result->error) == 0)
            return data_errors[i].text;
    }
    return "unknown error";
}

void data_error(struct data *data, const struct table_result *result)
{
    FILE *err = data->shell->err;
    data->status = SHELL_FAILED;
    if (data->json)
        table_pair(data->pairs, "error", "%s", data_error_text(result));
    else
        fprintf(err, "ERROR: %s\n", data_error_text(result));
    if (result->why) {
        struct buf why = { 0 };
        table_clean(&why, result->why);
        fprintf(err, "%s\n", buf_string(&why));
        buf_done(&why);
    }
    if (result->status == BR_UNKNOWN)
        fputs("hint: it may have been carried out all the same: look before trying again\n", err);
    shell_hint(data->shell, result->error);
}

/* Who answered; -1 and nobody where no answer came. */
static void data_tail(struct data *data, const struct table_result *result, bool write)
{
    static const char *const keys[] = { "app_id", "partition_index", "decree", "server" };
    bool came = result->response != NULL;
    struct buf values[4] = { { 0 } };
    buf_printf(&values[0], "%d", came ? result->app_id : -1);
    buf_printf(&values[1], "%d", came ? result->partition : -1);
    buf_printf(&values[2], "%lld", (long long) result->decree);
    buf_printf(&values[3], "%s", came ? result->server : "");
    if (!data->json)
        fputc('\n', data->shell->err);
    for (int i = 0; i < 4; i++) {
        if (data->json && (i != 2 || write))
            table_pair(data->pairs, keys[i], "%s", buf_string(&values[i]));
        else if (i != 2 || write)
            fprintf(data->shell->err, "%-16s: %s\n", keys[i], buf_string(&values[i]));
        buf_done(&values[i]);
    }
}

/* -- One question ------------------------------------------------------------------------------ */

struct data_asked {
    struct data *data;
    const struct data_question *question;
};

static void data_answered(void *arg, const struct table_result *result)
{
    struct data_asked *asked = arg;
    struct data *data = asked->data;
    asked->question->show(data, result, asked->question->arg);
    data_tail(data, result, asked->question->write);
    data->done = true;
}

int data_ask(struct data *data, const struct data_question *question)
{
    struct shell *shell = data->shell;
    struct data_asked asked = { .data = data, .question = question };
    report_init(&data->report);
    if (data->json)
        data->pairs = table_pairs(&data->report, data->command);
    data->status = SHELL_OK;
    data->done = false;
    table_client_call(data->table, &(struct table_call){ .operation = question->operation,
                                                         .key = &question->key,
                                                         .request = question->request,
                                                         .timeout = data_timeout(shell),
                                                         .done = data_answered,
                                                         .arg = &asked });
    session_until(shell->session, &data->done);
    if (!data->json)
        report_done(&data->report);
    else if (shell_report(shell, &data->report, NULL, true, false) != SHELL_OK)
        return SHELL_FAILED;
    return data->status;
}
