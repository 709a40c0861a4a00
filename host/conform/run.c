/* run -- each rule in a process of its own, its verdict as one line of TAP.  The kit outlives what
 * the plugin does to its process: a crash, a loop that stands still, an exit are broken rules, too.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/conform/kit.h"
#include "host/plugins/check.h"

#define RUN_BROKEN    99   /* exit status of a child that found a rule broken */
#define RUN_SAID_MAX  4096 /* of what a child said, the last so many bytes are shown */
#define RUN_PATIENCES 6    /* a rule may wait so often, all in all */

/* What a child tells its parent: in memory that both have. */
struct run_report {
    bool finished; /* it came to its end: exit(0) alone does not say so */
    bool broken;
    char rule[64], says[256], where[128], text[FAIL_TEXT_MAX];
};

struct run {
    struct conform *c;
    const struct conform_run *how;
    struct run_report *report;
    uint32_t number, broken;
    int said; /* the running child's stdout and stderr */
    bool over;
};

/* -- Which rules ------------------------------------------------------------------------------ */

const struct conform_rule *const *conform_rules(const char *kind)
{
    static const struct conform_rule *const store[] = {
        conform_every_rules, conform_life_rules,      conform_write_rules, conform_batch_rules,
        conform_lock_rules,  conform_elections_rules, conform_death_rules, NULL,
    };
    static const struct conform_rule *const transport[] = { conform_every_rules,
                                                            conform_transport_rules, NULL };
    static const struct conform_rule *const policy[] = { conform_every_rules, conform_policy_rules,
                                                         NULL };
    return strcmp(kind, "store") == 0 ? store : strcmp(kind, "transport") == 0 ? transport : policy;
}

static const char *run_why_skip(const struct conform *c, const struct conform_rule *rule)
{
    struct br_store store;
    if ((rule->needs & CONFORM_NODES) && !c->node_count)
        return "no nodes to ask: name them with --node";
    if (!(rule->needs & (CONFORM_LOCK | CONFORM_ACROSS | CONFORM_COUNTS)))
        return NULL;
    check_copy(&store, sizeof store, c->desc->ops.any, c->desc->ops_size);
    if ((rule->needs & CONFORM_LOCK) && !store.lock)
        return "this store has no lock";
    if ((rule->needs & CONFORM_ACROSS) && !(store.lock && (store.flags & BR_STORE_LOCK)))
        return "this store's lock is its process's own";
    if ((rule->needs & CONFORM_COUNTS) && !(store.lock && store.elections))
        return "this store does not count elections";
    return NULL;
}

/* -- In the child ----------------------------------------------------------------------------- */

static void run_fail(struct conform *c, const struct conform_rule *rule, const char *where,
                     const char *text)
{
    struct run_report *report = c->arg;
    const char *slash = strstr(where, "host/conform/");
    if (rule) {
        snprintf(report->rule, sizeof report->rule, "%s", rule->name);
        snprintf(report->says, sizeof report->says, "%s", rule->says);
    }
    snprintf(report->where, sizeof report->where, "%s", slash ? slash : where);
    snprintf(report->text, sizeof report->text, "%s", text);
    report->broken = true;
    _exit(RUN_BROKEN);
}

static void run_rule(struct conform *c, const struct conform_rule *rule, uint32_t row)
{
    c->row = row;
    c->in = NULL;
    conform_begin(c);
    if (rule->needs & (CONFORM_IN | CONFORM_ROOT | CONFORM_LOCK | CONFORM_NODES))
        c->in = conform_start(c);
    if (rule->needs & CONFORM_ROOT)
        same_status(conform_write(c->in, BR_CREATE, c->root, "", 0), BR_OK);
    c->lock = mem_text(conform_at(c, "lock/dsn.meta.server.leader")); /* nothing of it is there */
    rule->run(c);
    if (c->in)
        instance_free(c->in);
    free((void *) (uintptr_t) c->lock);
    conform_end(c);
}

static _Noreturn void run_child(struct run *run, const struct conform_rule *rule, uint32_t row)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(run->said, STDOUT_FILENO);
    dup2(run->said, STDERR_FILENO);
    run_rule(run->c, rule, row);
    run->report->finished = true;
    exit(0); /* not _exit: leak checkers look then */
}

/* -- In the parent ---------------------------------------------------------------------------- */

/* false: it did not end in time, and was killed. */
static bool run_wait(const struct run *run, pid_t pid, int *ret_status)
{
    sigset_t child;
    struct timespec now, end;
    bool ended = true;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t) run->c->patience * RUN_PATIENCES;
    while (waitpid(pid, ret_status, WNOHANG) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= end.tv_sec) {
            ended = false;
            kill(-pid, SIGKILL);
            waitpid(pid, ret_status, 0);
            break;
        }
        sigtimedwait(&child, NULL, &(struct timespec){ .tv_sec = 1 });
    }
    kill(-pid, SIGKILL); /* processes of the rule's own */
    return ended;
}

static void run_said(const struct run *run, char said[RUN_SAID_MAX + 1])
{
    off_t size = lseek(run->said, 0, SEEK_END),
          from = size > RUN_SAID_MAX ? size - RUN_SAID_MAX : 0;
    ssize_t got = pread(run->said, said, RUN_SAID_MAX, from);
    said[got > 0 ? got : 0] = 0;
}

static void run_name(struct run_report *report, const struct conform_rule *rule)
{
    if (report->rule[0])
        return;
    snprintf(report->rule, sizeof report->rule, "%s", rule->name);
    snprintf(report->says, sizeof report->says, "%s", rule->says);
}

/* What became of the child, where it could not say so itself. */
static void run_judge(struct run_report *report, const struct conform_rule *rule, int status,
                      bool ended, const char *said)
{
    if (!ended) {
        run_name(report, &conform_blocks);
        snprintf(report->text, sizeof report->text,
                 "the process did not come back, and was killed");
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT
               && strstr(said, "which is a bug of the plugin's")) {
        run_name(report, &conform_once);
        snprintf(report->text, sizeof report->text, "the host would have aborted: see below");
    } else if (WIFSIGNALED(status)) {
        run_name(report, rule->needs & CONFORM_CRASH ? rule : &conform_survives);
        snprintf(report->text, sizeof report->text, "the process died of signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        run_name(report, &conform_survives);
        snprintf(report->text, sizeof report->text, "the process ended with status %d",
                 WEXITSTATUS(status));
    }
    report->broken = true;
}

static void run_tell(struct run *run, const struct conform_rule *rule, const char *said)
{
    const struct run_report *report = run->report;
    const char *as = strcmp(report->rule, rule->name) == 0 ? "" : rule->name;
    printf("not ok %u - %s%s%s%s", run->number, report->rule, *as ? " (seen at " : "", as,
           *as ? ")" : "");
    if (rule->rows)
        printf(" [%u of %u]", run->c->row + 1, rule->rows);
    printf("\n# rule:  %s\n# found: %s\n", report->says, report->text);
    if (report->where[0])
        printf("# at:    %s\n", report->where);
    for (const char *line = said; *line;) {
        size_t size = strcspn(line, "\n");
        printf("# said:  %.*s\n", (int) size, line);
        line += size + (line[size] == '\n');
    }
}

static void run_one(struct run *run, const struct conform_rule *rule, uint32_t row)
{
    char said[RUN_SAID_MAX + 1];
    int status = 0;
    run->said = memfd_create("said", MFD_CLOEXEC);
    memset(run->report, 0, sizeof *run->report);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        run_child(run, rule, row);
    bool ended = pid > 0 && run_wait(run, pid, &status);
    run_said(run, said);
    close(run->said);
    run->c->row = row;
    run->number++;
    bool well = run->report->finished && ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!run->report->broken && !well)
        run_judge(run->report, rule, status, ended, said);
    if (!run->report->broken) {
        printf("ok %u - %s", run->number, rule->name);
        if (rule->rows)
            printf(" [%u of %u]", row + 1, rule->rows);
        printf("\n");
        return;
    }
    run_name(run->report, rule);
    run_tell(run, rule, said);
    run->broken++;
    run->over = run->how->stop;
}

static void run_inside_fail(struct conform *c, const struct conform_rule *rule, const char *where,
                            const char *text)
{
    (void) c;
    printf("not ok - %s\n# found: %s\n# at:    %s\n", rule ? rule->name : "this rule", text, where);
    fflush(stdout);
    _exit(1);
}

static void run_inside(struct run *run, const struct conform_rule *rule, uint32_t row)
{
    printf("# %s [%u]\n", rule->name, row + 1);
    fflush(stdout);
    run->c->fail = run_inside_fail;
    run_rule(run->c, rule, row);
    printf("ok %u - %s\n", ++run->number, rule->name);
}

static void run_rows(struct run *run, const struct conform_rule *rule)
{
    const char *skip = run_why_skip(run->c, rule);
    if (skip) {
        printf("ok %u - %s # SKIP %s\n", ++run->number, rule->name, skip);
        return;
    }
    for (uint32_t row = 0; row < (rule->rows ? rule->rows : 1) && !run->over; row++) {
        if (run->how->inside)
            run_inside(run, rule, row);
        else
            run_one(run, rule, row);
    }
}

static bool run_wanted(const struct run *run, const struct conform_rule *rule)
{
    return !run->how->only || strcmp(run->how->only, rule->name) == 0;
}

static uint32_t run_count(const struct run *run)
{
    uint32_t count = 0;
    for (const struct conform_rule *const *set = conform_rules(run->c->kind); *set; set++)
        for (const struct conform_rule *rule = *set; rule->name; rule++)
            if (run_wanted(run, rule))
                count += run_why_skip(run->c, rule) || !rule->rows ? 1 : rule->rows;
    return count;
}

int conform_run(struct conform *c, const struct conform_run *how)
{
    struct run run = { .c = c, .how = how };
    sigset_t child;
    run.report =
        mmap(NULL, sizeof *run.report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.report == MAP_FAILED)
        return 1;
    c->fail = run_fail;
    c->arg = run.report;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    printf("TAP version 13\n1..%u\n", run_count(&run));
    for (const struct conform_rule *const *set = conform_rules(c->kind); *set; set++)
        for (const struct conform_rule *rule = *set; rule->name && !run.over; rule++)
            if (run_wanted(&run, rule))
                run_rows(&run, rule);
    if (run.over)
        printf("Bail out! stopped at the first broken rule\n");
    printf("# %s %s: %u broken\n", c->kind, c->name, run.broken);
    munmap(run.report, sizeof *run.report);
    return run.broken ? 1 : 0;
}
