/* cmd_data_check -- check_and_set (src/shell/commands/data_operations.cpp). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/shell/data.h"

/* By cas_check_type; without an operand those before CHECK_ANYWHERE. */
static const char *const check_types[] = {
    NULL,
    "not_exist",
    "not_exist_or_empty",
    "exist",
    "not_empty",
    "match_anywhere",
    "match_prefix",
    "match_postfix",
    "bytes_less",
    "bytes_less_or_equal",
    "bytes_equal",
    "bytes_greater_or_equal",
    "bytes_greater",
    "int_less",
    "int_less_or_equal",
    "int_equal",
    "int_greater_or_equal",
    "int_greater",
};

struct check {
    struct msg_rrdb_check_and_set_request request;
    bool sort_key, operand, set_key, value; /* were given */
    int64_t ttl;
};

static bool check_type(struct check *check, struct shell *shell)
{
    for (int32_t i = CHECK_NOT_EXIST; i <= CHECK_INT_GREATER; i++) {
        if (strcmp(optarg, check_types[i]) == 0)
            check->request.check_type = i;
    }
    if (check->request.check_type == CHECK_NONE)
        fputs("ERROR: invalid check_type param\n", shell->err);
    return check->request.check_type != CHECK_NONE;
}

static bool check_ttl(struct check *check, struct shell *shell)
{
    int64_t now = (int64_t) time(NULL) - DATA_EPOCH;
    if (!number_i64(optarg, strlen(optarg), &check->ttl) || check->ttl < 0
        || check->ttl > INT32_MAX - now) {
        fputs("ERROR: invalid set_value_ttl_seconds param\n", shell->err);
        return false;
    }
    check->request.set_expire_ts_seconds = check->ttl > 0 ? (int32_t) (check->ttl + now) : 0;
    return true;
}

static bool check_option(struct data *data, struct check *check, int option)
{
    struct msg_rrdb_check_and_set_request *request = &check->request;
    switch (option) {
    case 'c': check->sort_key = true; return data_text(data, optarg, &request->check_sort_key);
    case 't': return check_type(check, data->shell);
    case 'o': check->operand = true; return data_text(data, optarg, &request->check_operand);
    case 's': check->set_key = true; return data_text(data, optarg, &request->set_sort_key);
    case 'v': check->value = true; return data_text(data, optarg, &request->set_value);
    case 'l': return check_ttl(check, data->shell);
    case 'r': request->return_check_value = true; return true;
    default: return data_option(data, option);
    }
}

/* NULL: everything is there. */
static const char *check_missing(const struct check *check)
{
    return !check->sort_key                                                 ? "check_sort_key"
           : check->request.check_type == CHECK_NONE                        ? "check_type"
           : !check->operand && check->request.check_type >= CHECK_ANYWHERE ? "check_operand"
           : !check->set_key                                                ? "set_sort_key"
           : !check->value                                                  ? "set_value"
                                                                            : NULL;
}

static void check_say(const struct data *data, const struct check *check)
{
    const struct msg_rrdb_check_and_set_request *request = &check->request;
    const struct shell *shell = data->shell;
    const struct {
        const char *name;
        br_bytes value;
        bool shown;
    } keys[] = { { "hash_key", data->words[0], true },
                 { "check_sort_key", request->check_sort_key, true },
                 { "check_operand", request->check_operand, request->check_type >= CHECK_ANYWHERE },
                 { "set_sort_key", request->set_sort_key, true },
                 { "set_value", request->set_value, true } };
    for (int i = 0; i < 5; i++) {
        if (i == 2)
            fprintf(shell->err, "check_type: %s\n", check_types[request->check_type]);
        if (!keys[i].shown)
            continue;
        fprintf(shell->err, "%s: ", keys[i].name);
        data_quote(shell, shell->err, keys[i].value, false);
        fputc('\n', shell->err);
    }
    fprintf(shell->err, "set_value_ttl_seconds: %lld\nreturn_check_value: %s\n\n",
            (long long) check->ttl, request->return_check_value ? "true" : "false");
}

/* The value that was checked, where it was asked for. */
static void show_checked(struct data *data, const struct msg_rrdb_check_response *response)
{
    if (!response->check_value_returned)
        return;
    struct buf text = { 0 };
    data_escape(&text, response->check_value, data->shell->escape_all);
    if (data->json) {
        table_pair(data->pairs, "check_value_exist", "%s",
                   response->check_value_exist ? "true" : "false");
        table_pair(data->pairs, "check_value", "%s", buf_string(&text));
    } else if (response->check_value_exist) {
        fprintf(data->shell->err, "\nCheck value: \"%s\"\n", buf_string(&text));
    } else {
        fputs("\nCheck value not exist.\n", data->shell->err);
    }
    buf_done(&text);
}

static void show_set(struct data *data, const struct table_result *result, void *arg)
{
    (void) arg;
    if (result->status != BR_OK) {
        data_error(data, result);
        return;
    }
    bool passed = result->storage == 0;
    if (!passed)
        data->status = SHELL_FAILED;
    if (data->json)
        table_pair(data->pairs, "set_succeed", "%s", passed ? "true" : "false");
    else
        fputs(passed ? "Set succeed.\n" : "Set failed, because check not passed.\n",
              data->shell->err);
    show_checked(data, result->response);
}

static int check_ask(struct data *data, struct check *check)
{
    struct msg_rrdb_check_and_set_request *request = &check->request;
    request->set_diff_sort_key = request->check_sort_key.size != request->set_sort_key.size
                                 || memcmp(request->check_sort_key.data, request->set_sort_key.data,
                                           request->set_sort_key.size)
                                        != 0;
    if (!data->json)
        check_say(data, check);
    if (!request->set_diff_sort_key)
        request->set_sort_key = (br_bytes){ NULL, 0 };
    return data_ask(data, &(struct data_question){ .operation = TABLE_CHECK_AND_SET,
                                                   .key = { .hash = data->words[0] },
                                                   .request = request,
                                                   .write = true,
                                                   .show = show_set });
}

int cmd_check_and_set(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        DATA_OPTIONS,
        { "check_sort_key", required_argument, NULL, 'c' },
        { "check_type", required_argument, NULL, 't' },
        { "check_operand", required_argument, NULL, 'o' },
        { "set_sort_key", required_argument, NULL, 's' },
        { "set_value", required_argument, NULL, 'v' },
        { "set_value_ttl_seconds", required_argument, NULL, 'l' },
        { "return_check_value", no_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    struct data data = { .shell = shell };
    struct check check = { .ttl = 0 };
    int option, status = SHELL_OK;
    wire_init(&wire_rrdb_check_and_set_request, &check.request);
    arena_init(&data.arena, 0);
    while (status == SHELL_OK
           && (option = getopt_long(argc, argv, "c:t:o:s:v:l:rj", options, NULL)) != -1) {
        if (!check_option(&data, &check, option))
            status = shell_usage(shell, argv[0]);
    }
    const char *missing = status == SHELL_OK && argc - optind == 1 ? check_missing(&check) : NULL;
    if (missing) {
        fprintf(shell->err, "ERROR: %s not provided\n", missing);
        status = shell_usage(shell, argv[0]);
    }
    if (status == SHELL_OK)
        status = data_open(&data, argc, argv, 1, 1);
    if (status == SHELL_OK)
        status = check_ask(&data, &check);
    data_close(&data);
    return status;
}
