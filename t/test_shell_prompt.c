/* test_shell_prompt -- the prompt on a terminal of its own: editing, completion, history. */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "t/test_shell.h"

struct terminal {
    pid_t pid;
    int fd;
    struct buf seen;
    size_t from; /* what is before was waited for */
};

static void terminal_start(struct terminal *terminal, const char *home)
{
    *terminal = (struct terminal){ 0 };
    fflush(NULL);
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, NULL);
    ck_assert_int_ge(terminal->pid, 0);
    if (terminal->pid > 0)
        return;
    struct shell shell = { .out = stdout, .err = stderr };
    signal(SIGINT, SIG_DFL); /* Check has a handler */
    setenv("HOME", home, 1);
    setenv("TERM", "xterm", 1);
    int status = shell_loop(&shell, stdin, true);
    fflush(stdout);
    _exit(status);
}

static const char *terminal_find(const struct terminal *terminal, const char *want)
{
    return strstr(buf_string(&terminal->seen) + terminal->from, want);
}

/* libedit shows the prompt first and takes the terminal over then; a Ctrl-D between is lost. */
static void terminal_wait(const struct terminal *terminal)
{
    struct termios termios;
    for (int i = 0; i < 20000; i++) {
        ck_assert_int_eq(tcgetattr(terminal->fd, &termios), 0);
        if (!(termios.c_lflag & ICANON))
            return;
        poll(NULL, 0, 1);
    }
    ck_abort_msg("the terminal was never taken over");
}

/* Type, and read until `want` is there, behind what was waited for before. */
static void terminal_type(struct terminal *terminal, const char *keys, const char *want)
{
    char chunk[4096];
    if (*keys) {
        terminal_wait(terminal);
        ck_assert_int_eq(write(terminal->fd, keys, strlen(keys)), (ssize_t) strlen(keys));
    }
    while (!terminal_find(terminal, want)) {
        struct pollfd pollfd = { .fd = terminal->fd, .events = POLLIN };
        ck_assert_msg(poll(&pollfd, 1, 20000) == 1, "no \"%s\" in: %s", want,
                      buf_string(&terminal->seen));
        ssize_t size = read(terminal->fd, chunk, sizeof chunk);
        ck_assert_msg(size > 0, "no \"%s\" in: %s", want, buf_string(&terminal->seen));
        buf_put(&terminal->seen, chunk, (size_t) size);
    }
    terminal->from =
        (size_t) (terminal_find(terminal, want) - buf_string(&terminal->seen)) + strlen(want);
}

static void terminal_end(struct terminal *terminal, int want_status)
{
    char chunk[4096];
    int status;
    while (read(terminal->fd, chunk, sizeof chunk) > 0)
        ;
    ck_assert_int_eq(waitpid(terminal->pid, &status, 0), terminal->pid);
    ck_assert_int_eq(status, want_status);
    close(terminal->fd);
    buf_done(&terminal->seen);
}

START_TEST(prompt)
{
    struct terminal terminal;
    char *home = test_directory();
    struct buf path = { 0 }, text = { 0 };
    terminal_start(&terminal, home);
    terminal_type(&terminal, "", ">>> ");
    /* Completed: a command, and a command's name behind help. */
    terminal_type(&terminal, "hel\tqui\t\n", "quit: leave the shell");
    terminal_type(&terminal, "nonsense\n", "ERROR: invalid subcommand 'nonsense'");
    terminal_type(&terminal, "", ">>> ");
    terminal_type(&terminal, "exit\n", "exit");
    terminal_end(&terminal, 0);
    buf_printf(&path, "%s/.bridle_history", home);
    ck_assert(test_read(path.data, &text));
    ck_assert_ptr_nonnull(strstr(text.data, "nonsense\n"));
    /* Two keys up in the next session: over `exit` to `nonsense`. */
    terminal_start(&terminal, home);
    terminal_type(&terminal, "", ">>> ");
    terminal_type(&terminal, "\x10\x10\n", "ERROR: invalid subcommand 'nonsense'");
    terminal_type(&terminal, "", ">>> ");
    /* Ctrl-D leaves, too. */
    terminal_type(&terminal, "\x04", "\n");
    terminal_end(&terminal, 0);
    /* Ctrl-C. */
    terminal_start(&terminal, home);
    terminal_type(&terminal, "", ">>> ");
    terminal_type(&terminal, "\x03", "");
    terminal_end(&terminal, SIGINT);
    buf_done(&path);
    buf_done(&text);
    free(home);
}
END_TEST

TCase *test_shell_prompt(void)
{
    TCase *tcase = tcase_create("prompt");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, prompt);
    return tcase;
}
