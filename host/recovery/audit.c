/* audit -- see audit.h. */
#include "host/recovery/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/mem.h"

#define AUDIT_NAME_MAX 256 /* bytes of a user's and of a host's name */

void audit_done(struct audit *audit)
{
    buf_done(&audit->details);
    buf_done(&audit->findings);
}

static void audit_key(struct buf *buf, const char *key)
{
    buf_char(buf, ',');
    buf_json(buf, key);
    buf_char(buf, ':');
}

static void audit_put(struct buf *buf, const char *key, const char *value)
{
    audit_key(buf, key);
    buf_json(buf, value ? value : "");
}

void audit_add(struct audit *audit, const char *key, const char *value)
{
    audit_put(&audit->details, key, value);
}

void audit_add_list(struct audit *audit, const char *key, const char *const *values)
{
    audit_key(&audit->details, key);
    buf_char(&audit->details, '[');
    for (uint32_t i = 0; values && values[i]; i++) {
        if (i)
            buf_char(&audit->details, ',');
        buf_json(&audit->details, values[i]);
    }
    buf_char(&audit->details, ']');
}

/* -- Findings --------------------------------------------------------------------------------- */

void audit_add_finding(struct audit *audit, int32_t severity, bool consented, const char *text)
{
    static const char *const words[] = { "note", "warning", "loss", "refusal" };
    struct buf *buf = &audit->findings;
    if (severity < BR_WARNING || severity > BR_REFUSAL)
        return;
    if (audit->finding_count == AUDIT_FINDINGS_MAX || buf->size + strlen(text) > AUDIT_ENTRY_MAX) {
        audit->findings_left_out++;
        return;
    }
    buf_text(buf, audit->finding_count++ ? ",{\"severity\":" : "{\"severity\":");
    buf_json(buf, words[severity]);
    if (severity == BR_LOSS)
        buf_printf(buf, ",\"consented\":%s", consented ? "true" : "false");
    audit_put(buf, "text", text);
    buf_char(buf, '}');
}

void audit_add_findings(struct audit *audit, const struct findings *findings)
{
    for (int group = FINDING_NODE; group < FINDING_GROUPS; group++) {
        for (const struct finding *at = findings->first[group]; at; at = at->next)
            audit_add_finding(audit, at->subject.severity, at->consented, at->text);
    }
    audit->findings_left_out += findings->left_out;
}

/* -- Entries ---------------------------------------------------------------------------------- */

/* Who runs this process: the name, or the number where there is none. */
static void audit_put_user(struct buf *buf)
{
    struct passwd entry, *found = NULL;
    char room[4096], name[AUDIT_NAME_MAX];
    uid_t uid = geteuid();
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found)
        snprintf(name, sizeof name, "%s", found->pw_name);
    else
        snprintf(name, sizeof name, "%lu", (unsigned long) uid);
    audit_put(buf, "user", name);
}

static void audit_put_process(const struct audit *audit, struct buf *buf)
{
    char host[AUDIT_NAME_MAX] = "";
    gethostname(host, sizeof host - 1);
    audit_put_user(buf);
    audit_put(buf, "host", host);
    buf_printf(buf, ",\"pid\":%ld", (long) getpid());
    buf_printf(buf, ",\"program\":\"%s " BRIDLE_VERSION "\"", audit->program);
    audit_put(buf, "asked_by", audit->asked_by);
}

static void audit_put_findings(const struct audit *audit, struct buf *buf)
{
    buf_put(buf, audit->details.data, audit->details.size);
    buf_text(buf, ",\"findings\":[");
    buf_put(buf, audit->findings.data, audit->findings.size);
    buf_printf(buf, "],\"findings_left_out\":%llu", (unsigned long long) audit->findings_left_out);
}

static void audit_put_line(const struct audit *audit, const struct timespec *now, const char *step,
                           const char *text, bool whole, struct buf *buf)
{
    struct tm tm;
    char time[64], sentence[AUDIT_TEXT_MAX + 1];
    gmtime_r(&now->tv_sec, &tm);
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(sentence, sizeof sentence, "%s", text ? text : "");
    buf_printf(buf, "{\"time\":\"%s.%06ldZ\"", time, now->tv_nsec / 1000);
    audit_put(buf, "deed", audit->deed);
    audit_put(buf, "step", step);
    audit_put(buf, "plan", audit->plan);
    audit_put(buf, "cluster", audit->cluster);
    audit_put(buf, "root", audit->root);
    audit_put_process(audit, buf);
    if (whole)
        audit_put_findings(audit, buf);
    else
        buf_printf(buf, ",\"findings_left_out\":%llu",
                   (unsigned long long) (audit->finding_count + audit->findings_left_out));
    audit_put(buf, "text", sentence);
    buf_char(buf, '}');
}

/* The chance keeps two entries of one microsecond apart. */
void audit_entry(const struct audit *audit, const char *root, const char *step, size_t max,
                 struct buf *ret_path, struct buf *ret_line)
{
    struct timespec now;
    struct tm tm;
    char time[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(time, sizeof time, "%Y%m%dT%H%M%S", &tm);
    buf_printf(ret_path, "%s/bridle/" AUDIT_PREFIX "%s.%06ldZ-%08x",
               strcmp(root, "/") == 0 ? "" : root, time, now.tv_nsec / 1000,
               (unsigned) loop_random(audit->loop));
    audit_put_line(audit, &now, step, "", true, ret_line);
    if (ret_line->size > max) {
        buf_clear(ret_line);
        audit_put_line(audit, &now, step, "", false, ret_line);
    }
}

/* -- The file --------------------------------------------------------------------------------- */

/* Did the last writer get no further than into a line? */
static bool audit_torn(int fd)
{
    char last;
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* 0, or errno. */
static int audit_write(const char *file, const struct buf *line)
{
    int fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return errno;
    struct buf whole = { 0 };
    if (audit_torn(fd))
        buf_char(&whole, '\n');
    buf_put(&whole, line->data, line->size);
    buf_char(&whole, '\n');
    ssize_t size;
    do
        size = write(fd, whole.data, whole.size);
    while (size < 0 && errno == EINTR);
    int error = size < 0 ? errno : (size_t) size < whole.size ? ENOSPC : 0;
    buf_done(&whole);
    return close(fd) != 0 && !error ? errno : error;
}

void audit_append(const struct audit *audit, const struct buf *line)
{
    if (!audit->file || !*audit->file)
        return;
    int error = audit_write(audit->file, line);
    if (error)
        log_put(audit->loop->log, BR_WARN, "audit",
                "%s cannot be appended to: %s; this is only in the store: %s", audit->file,
                strerror(error), line->data);
}

void audit_note(const struct audit *audit, const char *step, const char *text)
{
    struct buf line = { 0 };
    struct timespec now;
    if (!audit->file || !*audit->file)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    audit_put_line(audit, &now, step, text, true, &line);
    audit_append(audit, &line);
    buf_done(&line);
}
