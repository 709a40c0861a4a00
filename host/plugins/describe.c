/* describe -- see describe.h. */
#include "host/plugins/describe.h"

#include <string.h>

#include "host/config/option.h"
#include "host/plugins/check.h"

bool describe_option(const struct br_plugin *plugin, uint32_t index, struct br_option *ret_option)
{
    if (!plugin->options)
        return false;
    check_copy(ret_option, sizeof *ret_option,
               (const char *) plugin->options + (size_t) index * plugin->option_size,
               plugin->option_size);
    return ret_option->name != NULL;
}

const char *describe_type(const struct br_option *option)
{
    static const char *const names[] = {
        [BR_OPT_STRING] = "text",       [BR_OPT_BOOL] = "true or false",
        [BR_OPT_INTEGER] = "integer",   [BR_OPT_DURATION] = "duration",
        [BR_OPT_SIZE] = "size",         [BR_OPT_CHOICE] = "choice",
        [BR_OPT_LIST] = "list of text",
    };
    return names[option->type]; /* the loader has checked it */
}

static void describe_choices(const char *choices, struct buf *buf)
{
    for (const char *at = choices; *at;) {
        size_t size = strcspn(at, "|");
        buf_put(buf, at, size);
        at += size + (at[size] == '|');
        if (*at)
            buf_text(buf, strchr(at, '|') ? ", " : " or ");
    }
}

void describe_range(const struct br_option *option, struct buf *buf)
{
    bool number = option->type == BR_OPT_INTEGER || option->type == BR_OPT_DURATION
                  || option->type == BR_OPT_SIZE;
    if (option->type == BR_OPT_CHOICE) {
        describe_choices(option->choices, buf);
    } else if (number && option->min < option->max) {
        option_put_number(option, option->min, buf);
        buf_text(buf, " to ");
        option_put_number(option, option->max, buf);
    }
}

void describe_default(const struct br_option *option, struct buf *buf)
{
    static const char *const zeros[] = {
        [BR_OPT_STRING] = "none", [BR_OPT_BOOL] = "false", [BR_OPT_INTEGER] = "0",
        [BR_OPT_DURATION] = "0s", [BR_OPT_SIZE] = "0B",    [BR_OPT_CHOICE] = "the first",
        [BR_OPT_LIST] = "none",
    };
    if (option->flags & BR_REQUIRED)
        buf_text(buf, "required");
    else if (option->fallback)
        buf_text(buf, *option->fallback ? option->fallback : "\"\"");
    else
        buf_text(buf, zeros[option->type]);
}

/* -- For a terminal -----------------------------------------------------------------------------
 */

void describe_text(const struct br_plugin *plugin, struct buf *buf)
{
    struct br_option option;
    buf_printf(buf, "%s %s %s (ABI %u.%u, %s)\n%s\n", plugin->kind, plugin->name, plugin->version,
               plugin->abi_major, plugin->abi_minor, plugin->license, plugin->summary);
    if (!describe_option(plugin, 0, &option))
        buf_text(buf, "\nIt has no options.\n");
    for (uint32_t i = 0; describe_option(plugin, i, &option); i++) {
        struct buf range = { 0 }, fallback = { 0 };
        describe_range(&option, &range);
        describe_default(&option, &fallback);
        buf_printf(buf, "\n%s: %s%s%s; %s%s%s\n    %s\n", option.name, describe_type(&option),
                   range.size ? ", " : "", buf_string(&range),
                   option.flags & BR_REQUIRED ? "" : "default ", buf_string(&fallback),
                   option.flags & BR_SECRET ? "; a secret, or file:PATH" : "", option.help);
        buf_done(&range);
        buf_done(&fallback);
    }
}

/* -- As JSON ---------------------------------------------------------------------------------- */

static void describe_member(struct buf *buf, const char *key, const char *value)
{
    buf_printf(buf, "\"%s\":", key);
    buf_json(buf, value ? value : "");
    buf_char(buf, ',');
}

static void describe_json_option(const struct br_option *option, struct buf *buf)
{
    struct buf range = { 0 }, fallback = { 0 };
    describe_range(option, &range);
    describe_default(option, &fallback);
    buf_char(buf, '{');
    describe_member(buf, "name", option->name);
    describe_member(buf, "type", describe_type(option));
    describe_member(buf, "range", buf_string(&range));
    describe_member(buf, "default", buf_string(&fallback));
    describe_member(buf, "help", option->help);
    buf_printf(buf, "\"required\":%s,\"secret\":%s}",
               option->flags & BR_REQUIRED ? "true" : "false",
               option->flags & BR_SECRET ? "true" : "false");
    buf_done(&range);
    buf_done(&fallback);
}

void describe_json(const struct br_plugin *plugin, struct buf *buf)
{
    struct br_option option;
    buf_char(buf, '{');
    describe_member(buf, "kind", plugin->kind);
    describe_member(buf, "name", plugin->name);
    describe_member(buf, "version", plugin->version);
    describe_member(buf, "summary", plugin->summary);
    describe_member(buf, "license", plugin->license);
    buf_printf(buf, "\"abi\":\"%u.%u\",\"options\":[", plugin->abi_major, plugin->abi_minor);
    for (uint32_t i = 0; describe_option(plugin, i, &option); i++) {
        if (i > 0)
            buf_char(buf, ',');
        describe_json_option(&option, buf);
    }
    buf_text(buf, "]}");
}

/* -- As a man page ------------------------------------------------------------------------------
 */

/* troff's own characters, and a '.' or '\'' that would begin a line. */
static void describe_troff(struct buf *buf, const char *text)
{
    if (*text == '.' || *text == '\'')
        buf_text(buf, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            buf_text(buf, "\\e");
        else if (*text == '-')
            buf_text(buf, "\\-");
        else
            buf_char(buf, *text);
    }
}

static void describe_upper(struct buf *buf, const char *text)
{
    for (; *text; text++)
        buf_char(buf, (char) (*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text));
}

static void describe_man_option(const struct br_option *option, struct buf *buf)
{
    struct buf range = { 0 }, fallback = { 0 };
    describe_range(option, &range);
    describe_default(option, &fallback);
    buf_printf(buf, ".TP\n.B %s\n", option->name);
    describe_troff(buf, option->help);
    buf_text(buf, "\n.br\n");
    describe_troff(buf, describe_type(option));
    if (range.size) {
        buf_text(buf, ", ");
        describe_troff(buf, buf_string(&range));
    }
    buf_text(buf, option->flags & BR_REQUIRED ? "; " : "; default ");
    describe_troff(buf, buf_string(&fallback));
    if (option->flags & BR_SECRET)
        buf_text(buf, ".\nA secret: never printed; file:PATH names a file that holds it");
    buf_text(buf, ".\n");
    buf_done(&range);
    buf_done(&fallback);
}

void describe_man(const struct br_plugin *plugin, struct buf *buf)
{
    struct br_option option;
    buf_text(buf, ".TH BRIDLE\\-");
    describe_upper(buf, plugin->kind);
    buf_text(buf, "\\-");
    describe_upper(buf, plugin->name);
    buf_printf(buf, " 5 \"\" \"bridle\" \"File Formats\"\n.SH NAME\nbridle\\-%s\\-%s \\- ",
               plugin->kind, plugin->name);
    describe_troff(buf, plugin->summary);
    buf_printf(buf,
               "\n.SH SYNOPSIS\n.EX\n%s:\n  plugin: %s\n  \\fIoption\\fR: \\fIvalue\\fR\n.EE\n",
               plugin->kind, plugin->name);
    buf_printf(buf, ".SH DESCRIPTION\nVersion %s, ABI %u.%u, licence ", plugin->version,
               plugin->abi_major, plugin->abi_minor);
    describe_troff(buf, plugin->license);
    buf_printf(
        buf,
        ".\nThese are the keys of the section\n.B %s\nin the configuration of\n.BR bridled (8),\n"
        "beside\n.B plugin\nand\n.BR deadline .\n"
        "Durations and sizes are whole numbers with a unit (250ms, 10s, 5min, 1h; 4096B, 64KiB, "
        "1MiB);\na list is written [a, b].\n.SH OPTIONS\n",
        plugin->kind);
    if (!describe_option(plugin, 0, &option))
        buf_text(buf, "It has none.\n");
    for (uint32_t i = 0; describe_option(plugin, i, &option); i++)
        describe_man_option(&option, buf);
    buf_text(buf, ".SH SEE ALSO\n.BR bridled (8),\n.BR bridle (1)\n");
}
