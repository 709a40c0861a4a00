/* consent -- see consent.h. */
#include "host/shell/consent.h"

#include <string.h>
#include <unistd.h>

static bool consent_by_hash(const struct consent *consent, struct fail *ret_fail)
{
    const char *planned = consent->own_hash;
    size_t size = strlen(consent->hash);
    if (size < CONSENT_HASH_MIN)
        fail_set(ret_fail, BR_INVALID, "--plan-hash needs at least the first %d digits of the hash",
                 CONSENT_HASH_MIN);
    else if (strncmp(planned, consent->hash, size) != 0)
        fail_set(ret_fail, BR_INVALID, "--plan-hash is another %s's: this one's hash is %s",
                 consent->what, planned);
    else
        return true;
    return false;
}

/* The line typed, without its end; false: there is none, or it is too long. */
static bool consent_line(struct shell *shell, char line[CONSENT_LINE_MAX])
{
    if (!fgets(line, CONSENT_LINE_MAX, shell->in) || !strchr(line, '\n'))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

static bool consent_typed(struct shell *shell, const char *word, struct fail *ret_fail)
{
    char line[CONSENT_LINE_MAX];
    fflush(shell->err);
    if (consent_line(shell, line) && strcmp(line, word) == 0)
        return true;
    fail_set(ret_fail, BR_INVALID, "\"%s\" was asked for, and not typed", word);
    return false;
}

/* What the operator agreed to lose when the plan was made. */
static uint32_t consent_show_losses(struct shell *shell, const struct stage_plan *plan)
{
    uint32_t count = 0;
    struct buf text = { 0 };
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        const struct stage_finding *finding = &plan->findings[i];
        if (finding->severity != BR_LOSS || count++ >= CONSENT_SHOWN_MAX)
            continue;
        buf_clear(&text);
        table_clean(&text, *finding->text ? finding->text : finding->consent);
        fprintf(shell->err, "%s\n", buf_string(&text));
    }
    if (count > CONSENT_SHOWN_MAX)
        fprintf(shell->err, "and %u more, all of them in the plan\n", count - CONSENT_SHOWN_MAX);
    buf_done(&text);
    return count;
}

bool consent_given(struct shell *shell, const struct consent *consent, struct fail *ret_fail)
{
    if (consent->hash)
        return consent_by_hash(consent, ret_fail);
    if (!shell->in || !isatty(fileno(shell->in))) {
        fail_set(
            ret_fail, BR_INVALID,
            "nobody is at a terminal to agree: give --plan-hash %.16s if this is the %s that was "
            "read",
            consent->own_hash, consent->what);
        return false;
    }
    if (consent->losses && consent_show_losses(shell, consent->losses)) {
        fprintf(shell->err, "What these lines say is lost.  Type \"%s\" to go on: ", CONSENT_LOSE);
        if (!consent_typed(shell, CONSENT_LOSE, ret_fail))
            return false;
    }
    fprintf(shell->err,
            "%s %s (%s %.16s, %llu records, root %s).\nType the cluster's name to go on: ",
            consent->question, consent->cluster, consent->what, consent->own_hash,
            (unsigned long long) consent->records, consent->root);
    return consent_typed(shell, consent->cluster, ret_fail);
}
