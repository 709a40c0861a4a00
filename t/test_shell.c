/* test_shell -- the shell's own parts: tables, lists of nodes, command lines. */
#include "t/test_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_sample(struct report *report)
{
    report_init(report);
    struct table *table = table_columns(report, "rows");
    table_column(table, "name", false);
    table_column(table, "n", true);
    table_cell(table, "%s", "a\"b\x01");
    table_cell(table, "%d", 1);
    table_cell(table, "%s", "");
    table_cell(table, "%d", 12345);
    table = table_pairs(report, "pairs");
    table_pair(table, "k", "%s", "v");
    table_pair(table, "longer", "%d", 42);
    table = table_columns(report, "none");
    table_column(table, "only", false);
}

START_TEST(table_text)
{
    struct report report;
    struct buf text = { 0 };
    put_sample(&report);
    report_text(&report, true, &text);
    ck_assert_str_eq(text.data, "[rows]\n"
                                "name        n\n"
                                "a\"b?        1\n"
                                "        12345\n"
                                "\n"
                                "[pairs]\n"
                                "k       : v \n"
                                "longer  : 42\n"
                                "\n"
                                "[none]\n"
                                "only  \n"
                                "\n");
    buf_clear(&text);
    report_done(&report);
    report_init(&report);
    table_pair(table_pairs(&report, "one"), "k", "v");
    report_text(&report, false, &text);
    ck_assert_str_eq(text.data, "[one]\nk  : v\n");
    report_done(&report);
    buf_done(&text);
}
END_TEST

START_TEST(table_as_json)
{
    struct report report;
    struct buf text = { 0 };
    put_sample(&report);
    report_json(&report, &text);
    ck_assert_str_eq(text.data, "{\n"
                                "    \"rows\": {\n"
                                "        \"a\\\"b\\u0001\": {\n"
                                "            \"name\": \"a\\\"b\\u0001\",\n"
                                "            \"n\": \"1\"\n"
                                "        },\n"
                                "        \"\": {\n"
                                "            \"name\": \"\",\n"
                                "            \"n\": \"12345\"\n"
                                "        }\n"
                                "    },\n"
                                "    \"pairs\": {\n"
                                "        \"k\": \"v\",\n"
                                "        \"longer\": \"42\"\n"
                                "    },\n"
                                "    \"none\": {}\n"
                                "}\n");
    report_done(&report);
    buf_clear(&text);
    report_init(&report);
    report_json(&report, &text);
    ck_assert_str_eq(text.data, "{}\n");
    report_done(&report);
    buf_done(&text);
}
END_TEST

/* Enough rows that the cells' array grows several times. */
START_TEST(table_long)
{
    struct report report;
    struct buf text = { 0 };
    report_init(&report);
    struct table *table = table_columns(&report, "t");
    for (int i = 0; i < TABLE_COLUMNS_MAX; i++)
        table_column(table, "c", false);
    for (int i = 0; i < 1000 * TABLE_COLUMNS_MAX; i++)
        table_cell(table, "%d", i % 10);
    report_text(&report, false, &text);
    ck_assert_uint_eq(text.size, 4 + 1001 * (3 * TABLE_COLUMNS_MAX + 1));
    report_done(&report);
    buf_done(&text);
}
END_TEST

START_TEST(split)
{
    struct arena arena;
    const char *bad = NULL;
    arena_init(&arena, 0);
    const char *const *nodes = session_split(&arena, " a:1 , b.c:65535,,\td-e_f:3", &bad);
    ck_assert_ptr_nonnull(nodes);
    ck_assert_str_eq(nodes[0], "a:1");
    ck_assert_str_eq(nodes[1], "b.c:65535");
    ck_assert_str_eq(nodes[2], "d-e_f:3");
    ck_assert_ptr_null(nodes[3]);
    nodes = session_split(&arena, "", &bad);
    ck_assert_ptr_null(nodes[0]);
    ck_assert_ptr_null(bad);
    static const char *const wrong[] = {
        "a", "a:0", "a:65536", ":1", "a:1 b:2", "a:1;b:2", "a:01"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_ptr_null(session_split(&arena, wrong[i], &bad));
        ck_assert_str_eq(bad, wrong[i]);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(metas)
{
    struct fail fail = { 0 };
    struct buf many = { 0 };
    ck_assert_ptr_null(session_new("nonsense", WIRE_PEER_25, &fail));
    ck_assert_str_eq(fail.text, "--meta: \"nonsense\" is not host:port");
    ck_assert_ptr_null(session_new(" , ", WIRE_PEER_25, &fail));
    ck_assert_str_eq(fail.text, "--meta names no meta server");
    for (int i = 0; i < SESSION_METAS_MAX; i++)
        buf_printf(&many, "%sh:%d", i ? "," : "", i + 1);
    struct session *session = session_new(many.data, WIRE_PEER_25, &fail);
    ck_assert_ptr_nonnull(session);
    ck_assert_str_eq(session_metas(session)[SESSION_METAS_MAX - 1], "h:16");
    session_free(session);
    buf_text(&many, ",h:17");
    ck_assert_ptr_null(session_new(many.data, WIRE_PEER_25, &fail));
    ck_assert_str_eq(fail.text, "--meta names more than 16 meta servers");
    buf_done(&many);
}
END_TEST

static const struct {
    const char *line;
    int status;
    const char *out, *err; /* beginnings where they end with '*' */
} lines[] = {
    { "", SHELL_OK, "", "" },
    { "   \t", SHELL_OK, "", "" },
    { "# ls", SHELL_OK, "", "" },
    { "nonsense", SHELL_USAGE, "\trecover *", "ERROR: invalid subcommand 'nonsense'\n" },
    { "ls 'x", SHELL_USAGE, "", "ERROR: a quotation mark is not closed\n" },
    { "ls x", SHELL_USAGE, "", "USAGE: \tls *" },
    { "ls -s odd", SHELL_USAGE, "", "USAGE: \tls *" },
    { "ls -m odd", SHELL_USAGE, "", "USAGE: \tls *" },
    { "ls -Z", SHELL_USAGE, "", "USAGE: \tls *" },
    { "app", SHELL_USAGE, "", "USAGE: \tapp *" },
    { "app \"\"", SHELL_USAGE, "", "USAGE: \tapp *" },
    { "app a b", SHELL_USAGE, "", "USAGE: \tapp *" },
    { "nodes -s odd", SHELL_USAGE, "", "USAGE: \tnodes *" },
    { "cluster_info x", SHELL_USAGE, "", "USAGE: \tcluster_info *" },
    { "server_info -t odd", SHELL_USAGE, "", "USAGE: \tserver_info *" },
    { "help", SHELL_OK, "\trecover *", "" },
    { "ls --help", SHELL_OK, "ls: list the tables\n\tls *", "" },
    { "create -h", SHELL_OK, "create: make a table *", "" },
    { "help recover", SHELL_OK, "recover: rebuild *", "" },
    { "help nonsense", SHELL_USAGE, "", "ERROR: invalid subcommand 'nonsense'\n*" },
    { "help a b", SHELL_USAGE, "", "USAGE: \thelp *" },
    { "exit now", SHELL_USAGE, "", "USAGE: \texit *" },
    { "exit", SHELL_OK, "", "" },
};

static void check_begins(const char *got, const char *want)
{
    size_t size = strlen(want);
    if (size > 0 && want[size - 1] == '*')
        ck_assert_msg(strncmp(got, want, size - 1) == 0, "%s", got);
    else
        ck_assert_str_eq(got, want);
}

START_TEST(line)
{
    struct ran ran = run_line("127.0.0.1:1", WIRE_PEER_25, lines[_i].line);
    check_begins(ran.err, lines[_i].err);
    check_begins(ran.out, lines[_i].out);
    ck_assert_int_eq(ran.status, lines[_i].status);
    ran_free(&ran);
}
END_TEST

/* Each command teaches: its usage and an example that is its own. */
START_TEST(help)
{
    for (const struct command *command = shell_commands; command->name; command++) {
        struct buf text = { 0 };
        buf_printf(&text, "help %s", command->name);
        struct ran ran = run_line("127.0.0.1:1", WIRE_PEER_25, text.data);
        ck_assert_int_eq(ran.status, SHELL_OK);
        buf_clear(&text);
        buf_printf(&text, "example: %s", command->name);
        ck_assert_msg(strstr(ran.out, text.data) != NULL, "%s", ran.out);
        ran_free(&ran);
        buf_done(&text);
    }
}
END_TEST

static int run_pipe(const char *text, size_t size, char **ret_out, char **ret_err)
{
    size_t out_size, err_size;
    struct shell shell = { 0 };
    shell.out = open_memstream(ret_out, &out_size);
    shell.err = open_memstream(ret_err, &err_size);
    FILE *in = fmemopen((void *) (uintptr_t) text, size, "r");
    ck_assert_ptr_nonnull(in);
    int status = shell_loop(&shell, in, false);
    fclose(in);
    fclose(shell.out);
    fclose(shell.err);
    return status;
}

START_TEST(pipes)
{
    char *out, *err;
    static const char some[] = "help exit\nnonsense\nls -Z\nhelp quit\nexit\nhelp recover\n";
    ck_assert_int_eq(run_pipe(some, sizeof some - 1, &out, &err), SHELL_USAGE);
    ck_assert_ptr_nonnull(strstr(out, "exit: leave the shell"));
    ck_assert_ptr_nonnull(strstr(out, "quit: leave the shell"));
    ck_assert_ptr_null(strstr(out, "recover: "));
    ck_assert_ptr_nonnull(strstr(err, "ERROR: invalid subcommand 'nonsense'\nUSAGE: \tls"));
    free(out);
    free(err);
    static const char last[] = "help quit";
    ck_assert_int_eq(run_pipe(last, sizeof last - 1, &out, &err), SHELL_OK);
    ck_assert_ptr_nonnull(strstr(out, "quit: leave the shell"));
    free(out);
    free(err);
}
END_TEST

START_TEST(line_limits)
{
    char *out, *err;
    struct buf text = { 0 };
    buf_char(&text, '#');
    while (text.size < SHELL_LINE_MAX - 1)
        buf_char(&text, 'x');
    buf_char(&text, '\n');
    ck_assert_int_eq(run_pipe(text.data, text.size, &out, &err), SHELL_OK);
    free(out);
    free(err);
    text.data[text.size - 1] = 'x';
    buf_text(&text, "\nhelp quit\n");
    ck_assert_int_eq(run_pipe(text.data, text.size, &out, &err), SHELL_USAGE);
    ck_assert_str_eq(err, "ERROR: a line of more than 65536 bytes, or with a NUL character\n");
    ck_assert_ptr_nonnull(strstr(out, "quit: leave the shell"));
    free(out);
    free(err);
    ck_assert_int_eq(run_pipe("help\0x\n", 7, &out, &err), SHELL_USAGE);
    free(out);
    free(err);
    buf_done(&text);
}
END_TEST

int main(void)
{
    setenv("TZ", "UTC", 1);
    TCase *tcase = tcase_create("shell");
    tcase_add_test(tcase, table_text);
    tcase_add_test(tcase, table_as_json);
    tcase_add_test(tcase, table_long);
    tcase_add_test(tcase, split);
    tcase_add_test(tcase, metas);
    tcase_add_loop_test(tcase, line, 0, sizeof lines / sizeof *lines);
    tcase_add_test(tcase, help);
    tcase_add_test(tcase, pipes);
    tcase_add_test(tcase, line_limits);
    return test_run("shell", tcase, test_shell_meta(), test_shell_fail(), test_shell_recover(),
                    test_shell_prompt(), test_shell_consent(), test_shell_table(), test_shell_ddd(),
                    NULL);
}
