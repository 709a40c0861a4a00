/* cmd_apply -- apply and undo: the two commands that write to a store.  Both look, ask, and write,
 * each with a tool of its own, so that nothing can be written before it was agreed to.
 */
#include <getopt.h>
#include <string.h>
#include <time.h>

#include "host/shell/consent.h"
#include "host/shell/stages.h"
#include "host/stage/amend.h"
#include "host/stage/undo.h"

struct apply_kind {
    const char *name, *question;
    bool losses; /* and --offline */
    bool (*check)(const struct stage_deed *deed, struct tool *tool, struct deed_result *result);
    void (*carry_out)(const struct stage_deed *deed, struct tool *tool, struct deed_result *result);
};

static const struct apply_kind apply_kind = {
    "apply",     "This makes these records the metadata of the cluster", true, stage_apply_check,
    stage_apply,
};
static const struct apply_kind undo_kind = {
    "undo",     "This deletes the metadata that the plan gave the cluster", false, stage_undo_check,
    stage_undo,
};
static const struct apply_kind amend_kind = {
    "apply",
    "This changes these records of the metadata of the cluster",
    true,
    stage_amend_check,
    stage_amend_apply,
};

/* A plan or an amendment. */
struct apply_file {
    const char *what; /* "plan", "amendment" */
    const char *hash, *cluster, *root;
    uint64_t records;
    struct stage_plan plan;
    struct stage_amendment amendment;
};

struct apply_command {
    const struct apply_kind *kind;
    struct shell *shell;
    struct stages_options stages;
    const char *hash;
    int64_t wait; /* seconds; 0: not given */
    bool offline, json;
    struct timespec began, told;
    const char *phase; /* the last one told of */
    uint64_t first;    /* records done when it began */
};

static bool apply_option(struct apply_command *command, int option, const char *value)
{
    switch (option) {
    case 'c': command->stages.config = value; return true;
    case 's': return stages_set(&command->stages, value);
    case 'p': command->hash = value; return true;
    case 'n': command->offline = true; return command->kind->losses;
    case 'j': command->json = true; return true;
    case 'w':
        return shell_number(command->shell, value, "wait_seconds", 1, SHELL_WAIT_MAX,
                            &command->wait);
    default: return false;
    }
}

static bool apply_options(struct apply_command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "set", required_argument, NULL, 's' },
        { "offline", no_argument, NULL, 'n' },
        { "plan-hash", required_argument, NULL, 'p' },
        { "json", no_argument, NULL, 'j' },
        { "wait_seconds", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:s:np:jw:", options, NULL)) != -1) {
        if (!apply_option(command, option, optarg))
            return false;
    }
    return optind + 1 == argc && command->stages.config;
}

/* -- Progress --------------------------------------------------------------------------------- */

static double apply_seconds(const struct timespec *from, const struct timespec *to)
{
    return (double) (to->tv_sec - from->tv_sec) + 1e-9 * (double) (to->tv_nsec - from->tv_nsec);
}

/* A line a second, on err; nothing of what takes less. */
static void apply_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct apply_command *command = arg;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!command->phase || strcmp(command->phase, what) != 0) {
        command->phase = what;
        command->began = command->told = now;
        command->first = done;
    }
    if (apply_seconds(&command->told, &now) < 1)
        return;
    command->told = now;
    double rate = (double) (done - command->first) / apply_seconds(&command->began, &now);
    fprintf(command->shell->err, "%s: %llu of %llu records, %.0f/s", what,
            (unsigned long long) done, (unsigned long long) total, rate);
    if (rate > 0 && total > done)
        fprintf(command->shell->err, ", %.0f s left", (double) (total - done) / rate);
    fputc('\n', command->shell->err);
}

/* -- The result ------------------------------------------------------------------------------- */

static void apply_json(const struct apply_command *command, const struct apply_file *file,
                       const struct deed_result *result, struct buf *buf)
{
    buf_text(buf, "{\"command\":");
    buf_json(buf, command->kind->name);
    buf_text(buf, ",\"result\":");
    buf_json(buf, result->word);
    buf_printf(buf, ",\"status\":%d,\"%s\":", (int) result->exit, file->what);
    buf_json(buf, file->hash);
    buf_printf(buf, ",\"records\":%llu,\"milliseconds\":%lld,\"text\":",
               (unsigned long long) result->records, (long long) (result->took / BR_MILLISECOND));
    buf_json(buf, buf_string(&result->text));
    buf_text(buf, ",\"next\":");
    buf_json(buf, buf_string(&result->next));
    buf_text(buf, "}\n");
}

/* Sentences on err where it failed; a result, for people or scripts, on out. */
static void apply_tell(const struct apply_command *command, const struct apply_file *file,
                       const struct deed_result *result)
{
    struct shell *shell = command->shell;
    struct buf text = { 0 };
    FILE *out = result->exit == DEED_DONE || command->json ? shell->out : shell->err;
    if (command->json) {
        apply_json(command, file, result, &text);
        fputs(buf_string(&text), out);
        buf_done(&text);
        return;
    }
    fputs(buf_string(&result->text), out);
    if (result->exit == DEED_DONE)
        fprintf(out, "%s OK: %s, %s %.16s\n", command->kind->name, result->word, file->what,
                file->hash);
    else
        fprintf(out, "%s FAILED: %s, %s %.16s\n", command->kind->name, result->word, file->what,
                file->hash);
    if (result->next.size)
        fprintf(out, "next:    %s\n", result->next.data);
}

/* -- The command ------------------------------------------------------------------------------ */

static void apply_write(struct apply_command *command, const struct stage_deed *deed,
                        struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    struct tool tool;
    if (tool_init(&tool, command->stages.config, command->stages.sets, &fail) == BR_OK)
        command->kind->carry_out(deed, &tool, result);
    else
        deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", fail.text);
    tool_done(&tool);
}

static bool apply_look(struct apply_command *command, const struct stage_deed *deed,
                       struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    struct tool tool;
    bool ok = tool_init(&tool, command->stages.config, command->stages.sets, &fail) == BR_OK
              || deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", fail.text);
    ok = ok && command->kind->check(deed, &tool, result);
    tool_done(&tool);
    return ok;
}

static void apply_run(struct apply_command *command, const struct stage_deed *deed,
                      const struct apply_file *file, struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    const struct consent consent = { .question = command->kind->question,
                                     .what = file->what,
                                     .own_hash = file->hash,
                                     .cluster = file->cluster,
                                     .root = file->root,
                                     .records = file->records,
                                     .hash = command->hash,
                                     .losses = command->kind->losses ? deed->plan : NULL };
    if (!apply_look(command, deed, result))
        return;
    fputs(buf_string(&result->text), command->shell->err); /* what is continued */
    buf_clear(&result->text);
    if (consent_given(command->shell, &consent, &fail))
        apply_write(command, deed, result);
    else
        deed_say(result, DEED_REFUSED, "not agreed to", "%s; nothing was written", fail.text);
}

static br_status apply_load(struct apply_file *file, const char *name, bool amendment,
                            struct fail *fail)
{
    const struct stage_plan *plan = &file->plan;
    const struct stage_amendment *of = &file->amendment;
    br_status status;
    if (amendment) {
        status = stage_amendment_load(&file->amendment, name, fail);
        file->hash = of->hash;
        file->cluster = of->cluster_name;
        file->root = of->root;
        file->records = of->record_count;
    } else {
        status = stage_plan_load(&file->plan, name, fail);
        file->hash = plan->plan.hash;
        file->cluster = plan->cluster_name;
        file->root = plan->root;
        file->records = plan->plan.records;
    }
    return status;
}

static int apply_command(const struct apply_kind *kind, struct shell *shell, int argc, char **argv)
{
    struct apply_command command = { .kind = kind, .shell = shell };
    struct deed_result result = { .exit = DEED_REFUSED, .word = "refused" };
    struct fail fail = { .status = BR_OK };
    if (!apply_options(&command, argc, argv))
        return shell_usage(shell, argv[0]);
    const bool amendment = kind == &apply_kind && stage_is_amendment(argv[optind]);
    struct apply_file file = { .what = amendment ? "amendment" : "plan" };
    const struct stage_deed deed = { .plan = amendment ? NULL : &file.plan,
                                     .amendment = amendment ? &file.amendment : NULL,
                                     .file = argv[optind],
                                     .offline = command.offline,
                                     .wait = command.wait * BR_SECOND,
                                     .progress = apply_progress,
                                     .arg = &command };
    if (amendment)
        command.kind = &amend_kind;
    if (apply_load(&file, deed.file, amendment, &fail) == BR_OK) {
        apply_run(&command, &deed, &file, &result);
        apply_tell(&command, &file, &result);
    } else {
        stages_failed(shell, kind->name, &fail);
    }
    int status = (int) result.exit;
    deed_result_done(&result);
    stage_plan_done(&file.plan);
    stage_amendment_done(&file.amendment);
    return status;
}

int cmd_apply(struct shell *shell, int argc, char **argv)
{
    return apply_command(&apply_kind, shell, argc, argv);
}

int cmd_undo(struct shell *shell, int argc, char **argv)
{
    return apply_command(&undo_kind, shell, argc, argv);
}
