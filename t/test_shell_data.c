/* test_shell_data -- the commands about rows: what is printed, as Pegasus's shell prints it, and
 * what is wrong usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/shell_data.h"

#define TAIL      "\napp_id          : 7\npartition_index : 2\n"
#define SERVER    "server          : NODE\n"
#define WROTE     TAIL "decree          : 1\n" SERVER
#define READ      TAIL SERVER
#define ROW(sort) "\"user3\" : \"" sort "\""
#define AGE       ROW("age") " => \"3\"\n"
#define BIN       ROW("bin\\x01") " => \"\\xFF\\\"\\\\\"\n"
#define NAME      ROW("name") " => \"Ann\"\n"
#define ZIP       ROW("zip") " => \"\"\n"
#define SHORT     "hint: it may have been carried out all the same: look before trying again\n"

static const struct line {
    const char *line; /* behind `use temp`, which says OK */
    int status;
    const char *out, *err;
} lines[] = {
    { "set user3 new value", SHELL_OK, "", "OK\n" WROTE },
};

START_TEST(line)
{
    struct buf text = { 0 }, err = { 0 };
    buf_printf(&text, "use temp\n%s", lines[_i].line);
    buf_printf(&err, "OK\n%s", lines[_i].err);
    shop_run(buf_string(&text), lines[_i].status, lines[_i].out, buf_string(&err));
    buf_done(&text);
    buf_done(&err);
}
END_TEST

static void setup(void)
{
    shop_start(NULL);
}

int main(void)
{
    TCase *tcase = tcase_create("lines");
    tcase_add_checked_fixture(tcase, setup, shop_stop);
    tcase_add_loop_test(tcase, line, 0, (int) (sizeof lines / sizeof *lines));
    return test_run("shell_data", tcase, NULL);
}
