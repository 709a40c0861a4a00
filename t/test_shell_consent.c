/* test_shell_consent -- who must agree before a store is written to: what is typed at a terminal, a
 * real one, and what a script gives instead.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "host/shell/consent.h"
#include "t/test_shell.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    bool terminal, losses; /* the plan has some, and the command asks for them */
    const char *hash;
    const char *typed;
    bool given;
    const char *asked; /* on err */
    const char *why;   /* where it was not given */
} rows[] = {
    { true, false, NULL, "c1\n", true, "Do it to c1 (plan 0123456789abcdef, 7 records, root /r).\n",
      "" },
    { true, false, NULL, "c1\r\n", true, "Type the cluster's name to go on: ", "" },
    { true, false, NULL, "c2\n", false, "", "\"c1\" was asked for, and not typed" },
    { true, false, NULL, "c1 \n", false, "", "\"c1\" was asked for, and not typed" },
    { true, false, NULL, "\n", false, "", "\"c1\" was asked for" },
    { true, false, NULL, "\004", false, "", "\"c1\" was asked for" }, /* the end */
    { true, true, NULL, "lose data\nc1\n", true, "everything is lost\n", "" },
    { true, true, NULL, "c1\nc1\n", false,
      "Type \"lose data\" to go on: ", "\"lose data\" was asked for, and not typed" },
    { true, true, NULL, "lose data\nlose data\n", false, "skip_bad_nodes\n",
      "\"c1\" was asked for" },
    { false, false, NULL, "c1\n", false, "",
      "nobody is at a terminal to agree: give --plan-hash "
      "0123456789abcdef if this is the plan" },
    { false, true, HASH, "", true, "", "" },
    { false, true, "0123456789abcdef", "", true, "", "" },
    { false, false, "0123456789abcde", "", false, "", "at least the first 16 digits" },
    { false, false, "", "", false, "", "at least the first 16 digits" },
    { false, false, "0123456789abcdee", "", false, "", "another plan's: this one's hash is " HASH },
    { true, false, HASH "0", "c1\n", false, "", "another plan's" },
};

/* Where what is typed can be read: a terminal's end, or a pipe. */
static FILE *typed(bool terminal, const char *text, int *ret_other)
{
    int ends[2];
    if (terminal) {
        ends[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(ends[1], 0);
        ck_assert_int_eq(grantpt(ends[1]) || unlockpt(ends[1]), 0);
        ends[0] = open(ptsname(ends[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(ends[0], 0);
    } else {
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    }
    ck_assert_int_eq(write(ends[1], text, strlen(text)), (ssize_t) strlen(text));
    *ret_other = ends[1];
    return fdopen(ends[0], "r");
}

START_TEST(consents)
{
    struct stage_finding findings[] = {
        { .severity = BR_WARNING, .consent = "", .text = "a warning" },
        { .severity = BR_LOSS, .consent = "x", .consented = true, .text = "everything is lost" },
        { .severity = BR_LOSS, .consent = "skip_bad_nodes", .consented = true, .text = "" },
    };
    struct stage_plan plan = { .findings = findings, .finding_count = rows[_i].losses ? 3 : 1 };
    struct consent consent = { .question = "Do it to",
                               .what = "plan",
                               .own_hash = HASH,
                               .cluster = "c1",
                               .root = "/r",
                               .records = 7,
                               .hash = rows[_i].hash,
                               .losses = rows[_i].losses ? &plan : NULL };
    struct fail fail = { .status = BR_OK };
    struct shell shell = { .in = NULL };
    char *err;
    size_t size;
    int other;
    shell.in = typed(rows[_i].terminal, rows[_i].typed, &other);
    shell.out = shell.err = open_memstream(&err, &size);
    bool given = consent_given(&shell, &consent, &fail);
    fclose(shell.err);
    ck_assert_msg(given == rows[_i].given, "%s%s", err, fail.text);
    ck_assert_msg(strstr(err, rows[_i].asked), "%s", err);
    ck_assert_msg(strstr(fail.text, rows[_i].why) && (*rows[_i].why || !*fail.text), "%s",
                  fail.text);
    ck_assert_ptr_null(strstr(err, "a warning"));
    fclose(shell.in);
    close(other);
    free(err);
}
END_TEST

/* A line without an end, and nowhere to read from at all. */
START_TEST(consent_limits)
{
    static char line[CONSENT_LINE_MAX + 2];
    struct consent consent = {
        .question = "Do it to", .what = "plan", .own_hash = HASH, .cluster = line, .root = "/r"
    };
    struct fail fail = { .status = BR_OK };
    struct shell shell = { .err = fopen("/dev/null", "we") };
    int other;
    ck_assert(!consent_given(&shell, &consent, &fail));
    ck_assert_ptr_nonnull(strstr(fail.text, "nobody is at a terminal"));
    for (size_t i = 0; i < 2; i++) { /* the longest that can be typed, and one more */
        memset(line, 'x', sizeof line - 1);
        line[CONSENT_LINE_MAX - 2 + i] = '\n';
        line[CONSENT_LINE_MAX - 1 + i] = '\0';
        shell.in = typed(true, line, &other);
        line[CONSENT_LINE_MAX - 2 + i] = '\0';
        ck_assert(consent_given(&shell, &consent, &fail) == (i == 0));
        fclose(shell.in);
        close(other);
    }
    fclose(shell.err);
}
END_TEST

TCase *test_shell_consent(void)
{
    TCase *tcase = tcase_create("consent");
    tcase_add_loop_test(tcase, consents, 0, (int) (sizeof rows / sizeof *rows));
    tcase_add_test(tcase, consent_limits);
    return tcase;
}
