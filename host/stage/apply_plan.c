/* apply_plan -- see apply_plan.h; apply_check.c says whether. */
#include "host/stage/apply_plan.h"

#include <string.h>

struct applying {
    const struct stage_deed *deed;
    struct audit audit;
    bool done;
    bool unlocking;
    br_status status;
    struct buf text;
};

static void applying_progress(void *arg, const struct apply_progress *progress)
{
    static const char *const phases[] = { [APPLY_LOCK] = "locking",
                                          [APPLY_WRITE] = "writing",
                                          [APPLY_COMPARE] = "comparing",
                                          [APPLY_UNLOCK] = "unlocking" };
    struct applying *applying = arg;
    applying->unlocking = progress->phase == APPLY_UNLOCK;
    if (applying->deed->progress)
        applying->deed->progress(applying->deed->arg, phases[progress->phase], progress->written,
                                 progress->total);
}

static void applying_done(void *arg, br_status status, const char *text)
{
    struct applying *applying = arg;
    applying->done = true;
    applying->status = status;
    buf_text(&applying->text, text);
}

static void applying_made(void *arg)
{
    bool *done = arg;
    *done = true;
}

static void applying_say(const struct applying *applying, const struct tool *tool,
                         struct deed_result *result)
{
    const char *config = tool->file ? tool->file : "CONFIG";
    const char *file = applying->deed->file;
    if (!applying->done) {
        deed_say(result, DEED_FAILED, "interrupted", "interrupted: %s",
                 applying->unlocking
                     ? "whether the plan became visible is not known: applying it again tells"
                     : "nothing of the plan is visible, and applying it again goes on");
    } else if (applying->status == BR_OK) {
        result->records = applying->deed->plan->plan.records;
        deed_say(result, DEED_DONE, "applied", "%llu records are visible at %s",
                 (unsigned long long) result->records, tool->root.data);
        buf_printf(&result->next, "bridle verify %s -c %s", file, config);
        return;
    } else {
        deed_say(result, applying->status == BR_EXISTS ? DEED_REFUSED : DEED_FAILED, "failed", "%s",
                 buf_string(&applying->text));
    }
    buf_printf(&result->next, "bridle apply %s -c %s", file, config);
}

void stage_audit(const struct stage_deed *deed, const struct tool *tool, const char *name,
                 struct audit *ret)
{
    const struct stage_plan *plan = deed->plan;
    *ret = (struct audit){ .loop = tool->loop,
                           .file = tool->config.recovery.audit_file,
                           .program = "bridle",
                           .deed = name,
                           .plan = plan->plan.hash,
                           .cluster = plan->cluster_name,
                           .root = plan->root,
                           .asked_by = "" };
    audit_add(ret, "file", deed->file);
    audit_add(ret, "policy", plan->policy);
    audit_add_list(ret, "consents", plan->consents);
    for (uint32_t i = 0; strcmp(name, "apply") == 0 && i < plan->finding_count; i++)
        audit_add_finding(ret, plan->findings[i].severity, plan->findings[i].consented,
                          plan->findings[i].text);
}

static void stage_apply_elected(struct applying *applying, const struct deed *deed,
                                struct deed_result *result)
{
    struct tool *tool = deed->tool;
    const struct apply_request request = { .plan = &applying->deed->plan->plan,
                                           .fence = deed->fence,
                                           .audit = &applying->audit,
                                           .progress = applying_progress,
                                           .done = applying_done,
                                           .arg = applying };
    struct apply *apply = apply_start(tool->loop, &tool->store, &request);
    while (!applying->done && !deed->interrupted)
        loop_turn(tool->loop);
    if (!applying->done) {
        apply_cancel(apply);
        audit_note(&applying->audit, "failed", "interrupted");
    }
    bool made = false;
    if (applying->done && applying->status == BR_OK) {
        apply_afterwards(tool->loop, &tool->store, tool->root.data, deed->fence, applying_made,
                         &made);
        tool_until(tool, &made);
    }
    applying_say(applying, tool, result);
}

void stage_apply(const struct stage_deed *deed, struct tool *tool, struct deed_result *result)
{
    struct applying applying = { .deed = deed };
    struct fail fail = { .status = BR_OK };
    struct deed of;
    if (tool_open_store_to_write(tool, &fail) != BR_OK) {
        deed_say(result, DEED_FAILED, "failed", "%s; nothing was written", fail.text);
        return;
    }
    stage_audit(deed, tool, "apply", &applying.audit);
    deed_begin(&of, tool);
    if (deed_lead(&of, deed->wait, result))
        stage_apply_elected(&applying, &of, result);
    else
        buf_text(&result->text, "nothing was written\n");
    deed_end(&of, result);
    audit_done(&applying.audit);
    buf_done(&applying.text);
}
