/* finding -- see finding.h.  Kept in one list per group, so that the report's order does not depend
 * on the order of the work.  Of a loss only the sentence that will be shown is kept.
 */
#include "host/model/finding.h"

#include <stdio.h>
#include <string.h>

static void findings_sink(struct br_findings *sink, const struct br_subject *subject,
                          const char *sentence);

void findings_init(struct findings *findings, const char *const *consents)
{
    *findings = (struct findings){ .sink.find = findings_sink,
                                   .consents = consents,
                                   .group = FINDING_NODE };
    arena_init(&findings->arena, 0);
    for (int i = 0; i < FINDING_GROUPS; i++)
        findings->last[i] = &findings->first[i];
}

void findings_done(struct findings *findings)
{
    arena_done(&findings->arena);
    findings_init(findings, NULL);
}

bool findings_consented(const struct findings *findings, const char *consent)
{
    const char *const *consents = findings->consents;
    for (uint32_t i = 0; consents && consents[i]; i++)
        if (strcmp(consents[i], consent) == 0)
            return true;
    return false;
}

bool findings_pass(const struct findings *findings)
{
    return findings->refusals == 0 && findings->losses == 0;
}

/* One line, whatever the names in it hold. */
static const char *findings_text(struct findings *findings, const char *sentence)
{
    size_t size = strnlen(sentence, BR_FINDING_TEXT_MAX);
    char *text = arena_text(&findings->arena, sentence, size);
    for (char *at = text; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7f)
            *at = '?';
    return text;
}

/* The name of a consent is nearly always the same as the last one's. */
static const char *findings_consent(struct findings *findings, const char *consent)
{
    if (consent && (!findings->consent || strcmp(findings->consent, consent) != 0))
        findings->consent = arena_text(&findings->arena, consent, strlen(consent));
    return consent ? findings->consent : NULL;
}

/* Is it a loss that was consented to?  Counts what must stop the recovery. */
static bool findings_weigh(struct findings *findings, const struct br_subject *subject)
{
    bool named = subject->consent && *subject->consent;
    if (subject->severity == BR_NOTE && named) {
        findings->found_losses++; /* the site's configuration allows it */
        return true;
    }
    if (subject->severity == BR_LOSS && named) {
        findings->found_losses++;
        if (findings_consented(findings, subject->consent))
            return true;
        findings->losses++;
    } else if (subject->severity != BR_NOTE && subject->severity != BR_WARNING) {
        findings->refusals++; /* a loss that nothing can allow is a refusal, too */
    }
    return false;
}

/* Is there room for it?  For what stops the recovery a little longer. */
static bool findings_room(struct findings *findings, size_t size, bool stops)
{
    if (findings->kept < FINDINGS_MAX && findings->bytes + size <= FINDINGS_BYTES_MAX)
        return true;
    if (stops && findings->beyond < FINDINGS_STOP_MAX) {
        findings->beyond++;
        return true;
    }
    findings->left_out++;
    return false;
}

static void findings_keep(struct findings *findings, const struct br_subject *subject,
                          const char *sentence)
{
    uint32_t before = findings->refusals + findings->losses;
    bool consented = findings_weigh(findings, subject);
    bool stops = findings->refusals + findings->losses != before;
    if (consented && subject->consented)
        sentence = subject->consented;
    findings->count++;
    if (!*sentence)
        return;
    size_t size = strnlen(sentence, BR_FINDING_TEXT_MAX) + 1;
    if (!findings_room(findings, size, stops))
        return;
    findings->kept++;
    findings->bytes += size;
    struct finding *finding = arena_zero(&findings->arena, sizeof *finding);
    finding->subject = *subject;
    finding->subject.consent = findings_consent(findings, subject->consent);
    finding->subject.consented = NULL;
    finding->text = findings_text(findings, sentence);
    finding->consented = consented;
    *findings->last[findings->group] = finding;
    findings->last[findings->group] = &finding->next;
}

static void findings_sink(struct br_findings *sink, const struct br_subject *subject,
                          const char *sentence)
{
    findings_keep((struct findings *) sink, subject, sentence);
}

void findings_add(struct findings *findings, const struct br_subject *subject, const char *format,
                  ...)
{
    char sentence[BR_FINDING_TEXT_MAX + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    findings_keep(findings, subject, sentence);
}

void findings_put(const struct findings *findings, struct buf *buf)
{
    for (int group = FINDING_NODE; group < FINDING_GROUPS; group++) {
        for (const struct finding *at = findings->first[group]; at; at = at->next) {
            if (at->subject.severity == BR_NOTE)
                continue;
            buf_text(buf, at->text);
            buf_char(buf, '\n');
        }
    }
    if (findings->left_out)
        buf_printf(buf, "WARNING: %u more findings are not listed\n", findings->left_out);
}
