/* commands_data -- the commands about a table's rows, as shell.c's table has the others. */
#include "host/shell/shell.h"

#define APP_JSON                                                                                   \
    "    --app TABLE             instead of that of use\n"                                         \
    "-j, --json                  as JSON"
#define TYPES         "anywhere|prefix|postfix"
#define OUTPUT_DATA   "-o, --output FILE           rows go there instead of to the terminal\n"
#define KEYS_ARE_TEXT "\nkeys and values take \\n \\r \\t \\\" \\' \\\\ \\xHH, and are printed so"
#define VALUE_FILTER                                                                               \
    "-v, --value_filter_type T   " TYPES "|exact; the shell looks\n"                               \
    "-z, --value_filter_pattern P    for this\n"
#define HASH_FILTER                                                                                \
    "-h, --hash_key_filter_type T    " TYPES "\n"                                                  \
    "-x, --hash_key_filter_pattern P for this\n"
#define SORT_FILTER                                                                                \
    "-s, --sort_key_filter_type T    " TYPES "|exact\n"                                            \
    "-y, --sort_key_filter_pattern P for this\n"
#define INCLUSIVE                                                                                  \
    "-a, --start_inclusive B     true|false (true)\n"                                              \
    "-b, --stop_inclusive B      true|false (false)\n"

const struct command shell_data_commands[] = {
    { "timeout", "[MILLISECONDS]", "set, or tell, how long a question about rows may take (5000)",
      "timeout 10000", cmd_timeout },
    { "escape_all", "[true|false]", "print every byte of keys and values as \\xHH",
      "escape_all true", cmd_escape_all },
    { "hash", "[--app TABLE] [-j] HASH_KEY SORT_KEY\n" APP_JSON,
      "show a key's hash, and its partition where a table is meant", "hash user1 name", cmd_hash },
    { "set", "[--app TABLE] [-j] HASH_KEY SORT_KEY VALUE [TTL_SECONDS]\n" APP_JSON KEYS_ARE_TEXT,
      "write a row", "set user1 name Ann", cmd_set },
    { "multi_set", "[--app TABLE] [-j] HASH_KEY SORT_KEY VALUE [SORT_KEY VALUE...]\n" APP_JSON,
      "write rows of one hash key at once", "multi_set user1 name Ann age 30", cmd_multi_set },
    { "get", "[--app TABLE] [-j] HASH_KEY SORT_KEY\n" APP_JSON, "read a row", "get user1 name",
      cmd_get },
    { "multi_get", "[--app TABLE] [-j] HASH_KEY [SORT_KEY...]\n" APP_JSON,
      "read rows of one hash key, or all of them", "multi_get user1", cmd_multi_get },
    { "multi_get_range",
      "HASH_KEY START_SORT_KEY STOP_SORT_KEY [OPTION...]\n" INCLUSIVE
      "-s, --sort_key_filter_type T    " TYPES "\n"
      "-y, --sort_key_filter_pattern P for this\n"
      "-n, --max_count N           so many at most\n"
      "-i, --no_value              without the values\n"
      "-r, --reverse               from the end of the range\n" APP_JSON,
      "read a range of one hash key's rows", "multi_get_range user1 a m", cmd_multi_get_range },
    { "multi_get_sortkeys", "[--app TABLE] [-j] HASH_KEY\n" APP_JSON,
      "read the sort keys of one hash key", "multi_get_sortkeys user1", cmd_multi_get_sortkeys },
    { "del", "[--app TABLE] [-j] HASH_KEY SORT_KEY\n" APP_JSON, "remove a row", "del user1 name",
      cmd_del },
    { "multi_del", "[--app TABLE] [-j] HASH_KEY SORT_KEY [SORT_KEY...]\n" APP_JSON,
      "remove rows of one hash key at once", "multi_del user1 name age", cmd_multi_del },
    { "incr", "[--app TABLE] [-j] HASH_KEY SORT_KEY [INCREMENT]\n" APP_JSON,
      "add to a value that is a number", "incr user1 visits 1", cmd_incr },
    { "check_and_set",
      "HASH_KEY -c SORT_KEY -t TYPE [-o OPERAND] -s SORT_KEY -v VALUE [OPTION...]\n"
      "-c, --check_sort_key K      the row whose value is looked at\n"
      "-t, --check_type TYPE       not_exist|not_exist_or_empty|exist|not_empty,\n"
      "                            match_anywhere|match_prefix|match_postfix,\n"
      "                            bytes_ or int_ "
      "less|less_or_equal|equal|greater_or_equal|greater\n"
      "-o, --check_operand TEXT    what it is compared with\n"
      "-s, --set_sort_key K        the row that is written if it is so\n"
      "-v, --set_value VALUE       its value\n"
      "-l, --set_value_ttl_seconds N   when it expires\n"
      "-r, --return_check_value    show the value that was looked at\n" APP_JSON,
      "write a row if another one is so", "check_and_set user1 -c name -t not_exist -s name -v Ann",
      cmd_check_and_set },
    { "exist", "[--app TABLE] [-j] HASH_KEY SORT_KEY\n" APP_JSON, "ask whether a row exists",
      "exist user1 name", cmd_exist },
    { "count", "[--app TABLE] [-j] HASH_KEY\n" APP_JSON, "count the rows of one hash key",
      "count user1", cmd_count },
    { "ttl", "[--app TABLE] [-j] HASH_KEY SORT_KEY\n" APP_JSON,
      "ask in how many seconds a row expires", "ttl user1 name", cmd_ttl },
    { "hash_scan",
      "HASH_KEY START_SORT_KEY STOP_SORT_KEY [OPTION...]\n" INCLUSIVE SORT_FILTER VALUE_FILTER
      "-n, --max_count N           so many at most\n"
      "-t, --timeout_ms N          of each question\n"
      "-d, --detailed              with partition and server\n"
      "-i, --no_value              without the values\n" OUTPUT_DATA APP_JSON ", one row a line",
      "walk the rows of one hash key", "hash_scan user1 '' ''", cmd_hash_scan },
    { "full_scan",
      "[OPTION...]\n" HASH_FILTER SORT_FILTER VALUE_FILTER
      "-p, --partition N           only this one\n"
      "-n, --max_count N           so many at most\n"
      "-t, --timeout_ms N          of each question\n"
      "-d, --detailed              with partition and server\n"
      "-i, --no_value              without the values\n" OUTPUT_DATA APP_JSON ", one row a line",
      "walk the rows of a table", "full_scan -n 10", cmd_full_scan },
    { "count_data",
      "[-c [OPTION...]]\n"
      "-c, --precise               count, which reads the whole table; else what servers estimate\n"
      "-p, --partition N           only this one\n"
      "-b, --max_batch_count N     rows of one question (500)\n"
      "-t, --timeout_ms N          of each question\n" HASH_FILTER SORT_FILTER VALUE_FILTER
      "-d, --diff_hash_key         count hash keys, too\n" APP_JSON,
      "count the rows of a table", "count_data -c", cmd_count_data },
    { NULL, NULL, NULL, NULL, NULL },
};
