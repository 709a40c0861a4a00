/* propose -- sends a replica server one proposal, to the letter as told: what a meta server that
 * knows a group wrongly would send.  For scripts that show what follows.
 *
 *     propose SERVER TABLE.PARTITION BALLOT PRIMARY,SECONDARY,... NODE
 *
 * SERVER is asked to add NODE to the group of that ballot, whose secondaries are in that order.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "host/base/number.h"
#include "host/meta/state.h"
#include "host/rdsn/client.h"
#include "host/rdsn/message.h"

#define PROPOSE_MEMBERS_MAX 16
#define PROPOSE_USAGE       2

struct propose {
    struct event_base *base;
    bool written;
};

static void propose_written(void *arg, const struct rdsn_reply *reply)
{
    struct propose *propose = arg;
    propose->written = reply->status == BR_OK;
    if (!propose->written)
        fprintf(stderr, "propose: %s\n", reply->why);
    event_base_loopbreak(propose->base);
}

static bool propose_gpid(char *text, struct gpid *ret)
{
    int64_t table, partition;
    char *dot = strchr(text, '.');
    if (!dot || !number_i64(text, (size_t) (dot - text), &table)
        || !number_i64(dot + 1, strlen(dot + 1), &partition))
        return false;
    *ret = (struct gpid){ (int32_t) table, (int32_t) partition };
    return true;
}

/* The first is the primary. */
static uint32_t propose_members(char *list, uint64_t *members)
{
    uint32_t count = 0;
    for (char *item; (item = strsep(&list, ","));) {
        if (count == PROPOSE_MEMBERS_MAX || !address_resolve(item, &members[count]))
            return 0;
        count++;
    }
    return count;
}

static bool propose_request(char **words, struct msg_configuration_update_request *request,
                            uint64_t *members)
{
    wire_init(&wire_configuration_update_request, request);
    struct msg_partition_configuration *config = &request->config;
    uint32_t count = propose_members(words[4], members);
    if (!propose_gpid(words[2], &config->pid)
        || !number_i64(words[3], strlen(words[3]), &config->ballot) || count == 0
        || !address_resolve(words[5], &request->node))
        return false;
    config->primary = members[0];
    config->secondaries = (struct wire_list){ .items = members + 1, .count = count - 1 };
    config->max_replica_count = (int32_t) count + 1;
    request->type = CONFIG_ADD_SECONDARY;
    request->info.app_id = config->pid.app_id;
    request->info.app_type = "pegasus";
    request->info.app_name = "proposed";
    return true;
}

static bool propose_send(struct propose *propose, const char *server,
                         const struct msg_configuration_update_request *request)
{
    struct buf body = { 0 };
    wire_encode(&wire_configuration_update_request, request, WIRE_PEER_25, &body);
    propose->base = event_base_new();
    struct rdsn_client *client = rdsn_client_new(
        propose->base,
        &(struct rdsn_client_options){ .from_address = address_make(0x7f000001, 1) });
    rdsn_client_call(client, server,
                     &(struct rdsn_request){ .rpc = "RPC_CONFIG_PROPOSAL",
                                             .body = buf_bytes(&body),
                                             .timeout = 5 * BR_SECOND,
                                             .one_way = true },
                     propose_written, propose);
    event_base_dispatch(propose->base);
    buf_done(&body);
    rdsn_client_free(client);
    event_base_free(propose->base);
    return propose->written;
}

int main(int argc, char **argv)
{
    struct propose propose = { .written = false };
    struct msg_configuration_update_request request;
    uint64_t members[PROPOSE_MEMBERS_MAX];
    signal(SIGPIPE, SIG_IGN);
    if (argc != 6 || !propose_request(argv, &request, members)) {
        fputs("usage: propose SERVER TABLE.PARTITION BALLOT PRIMARY,SECONDARY,... NODE\n", stderr);
        return PROPOSE_USAGE;
    }
    return propose_send(&propose, argv[1], &request) ? 0 : 1;
}
