/* admin -- the remote command and the security handshake: what is answered in every state
 * (src/remote_cmd/remote_command.cpp, src/security/server_negotiation.cpp).
 */
#include <string.h>
#include <time.h>

#include "host/meta/routes.h"

/* -- The remote command ----------------------------------------------------------------------- */

static void command_server_info(const struct meta *meta, struct buf *text)
{
    char when[32];
    time_t start = (time_t) meta->start_second;
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&start, &tm));
    if (meta->version == LAYOUT_25) {
        buf_printf(text, "bridled %s (Apache Pegasus 2.5 protocol), Started at %s", BRIDLE_VERSION,
                   when);
        return;
    }
    buf_text(text, "{\"version\":");
    buf_json(text, "bridled " BRIDLE_VERSION);
    buf_text(text, ",\"build_type\":\"\",\"git_SHA\":\"\",\"start_time\":");
    buf_json(text, when);
    buf_char(text, '}');
}

void admin_command(struct route *route)
{
    struct msg_command command;
    if (!route_decode(route, &command))
        return;
    const char *name = command.cmd ? command.cmd : "";
    struct buf text = { 0 };
    if (strcmp(name, "server-info") == 0)
        command_server_info(route->meta, &text);
    else if (strcmp(name, "help") == 0)
        buf_text(&text, "help                list these commands\n"
                        "server-info         version and start time of this server\n");
    else
        buf_printf(&text, "unknown command '%s'; try help", name);
    struct buf body = { 0 };
    const char *answer = buf_string(&text);
    wire_encode_value(WIRE_STRING, &answer, &body);
    rdsn_server_reply(route->incoming, "ERR_OK", buf_bytes(&body));
    route->incoming = NULL;
    buf_done(&body);
    buf_done(&text);
}

/* -- Security --------------------------------------------------------------------------------- */

enum { NEGOTIATION_AUTH_DISABLE = 9 };

void admin_negotiation(struct route *route)
{
    struct msg_negotiation answer;
    wire_init(&wire_negotiation, &answer);
    answer.status = NEGOTIATION_AUTH_DISABLE;
    route_reply(route, &answer);
}
