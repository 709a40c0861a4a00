/* cmd_propose -- propose: tell the meta server what to do with one partition
 * (src/shell/commands/rebalance.cpp). */
#include <getopt.h>
#include <string.h>

#include "host/shell/shell.h"

/* config_type of Pegasus's idl/metadata.thrift, without its "CT_": the place is the number. */
static const char *const config_types[] = {
    "INVALID",
    "ASSIGN_PRIMARY",
    "UPGRADE_TO_PRIMARY",
    "ADD_SECONDARY",
    "UPGRADE_TO_SECONDARY",
    "DOWNGRADE_TO_SECONDARY",
    "DOWNGRADE_TO_INACTIVE",
    "REMOVE",
    "ADD_SECONDARY_FOR_LB",
    "PRIMARY_FORCE_UPDATE_BALLOT",
    "DROP_PARTITION",
    "REGISTER_CHILD",
};

static int32_t config_type(const char *text)
{
    for (int32_t i = 0; i < (int32_t) (sizeof config_types / sizeof *config_types); i++) {
        if (strcmp(config_types[i], text) == 0)
            return i;
    }
    return CONFIG_INVALID;
}

bool propose_send(struct shell *shell, const struct proposal *proposal, struct exchange *exchange)
{
    struct msg_configuration_proposal_action action;
    struct msg_configuration_balancer_request request;
    struct msg_error_response response;
    struct arena arena;
    wire_init(&wire_configuration_proposal_action, &action);
    action.target = proposal->target.address;
    action.node = proposal->node.address;
    action.type = proposal->type;
    if (session_peer(shell->session) == WIRE_PEER_26) {
        action.hp_target = proposal->target.name;
        action.hp_node = proposal->node.name;
        WIRE_SET(&action, 5);
        WIRE_SET(&action, 6);
    }
    wire_init(&wire_configuration_balancer_request, &request);
    request.gpid = proposal->pid;
    request.action_list = (struct wire_list){ .items = &action, .count = 1 };
    request.force = proposal->force;
    arena_init(&arena, 0);
    *exchange = (struct exchange){ .rpc = "RPC_CM_PROPOSE_BALANCER",
                                   .request = &request,
                                   .response = &response,
                                   .arena = &arena };
    bool ok = session_ask(shell->session, exchange);
    arena_done(&arena);
    return ok;
}

struct propose {
    const char *gpid, *type, *target, *node;
    struct proposal proposal;
};

static bool propose_options(struct propose *propose, int argc, char **argv)
{
    static const struct option options[] = {
        { "force", no_argument, NULL, 'f' },      { "gpid", required_argument, NULL, 'g' },
        { "type", required_argument, NULL, 'p' }, { "target", required_argument, NULL, 't' },
        { "node", required_argument, NULL, 'n' }, { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "fg:p:t:n:", options, NULL)) != -1) {
        switch (option) {
        case 'f': propose->proposal.force = true; break;
        case 'g': propose->gpid = optarg; break;
        case 'p': propose->type = optarg; break;
        case 't': propose->target = optarg; break;
        case 'n': propose->node = optarg; break;
        default: return false;
        }
    }
    return optind == argc;
}

static bool propose_check(struct shell *shell, struct propose *propose, struct arena *arena)
{
    struct proposal *proposal = &propose->proposal;
    if (!propose->target)
        fputs("need set target by -t\n", shell->err);
    else if (!propose->node)
        fputs("need set node by -n\n", shell->err);
    else if (!propose->gpid)
        fputs("need set gpid by -g\n", shell->err);
    else if (!shell_gpid(propose->gpid, &proposal->pid))
        fprintf(shell->err, "parse %s as gpid failed\n", propose->gpid);
    else if (!shell_resolve(arena, propose->target, &proposal->target.address,
                            &proposal->target.name))
        fprintf(shell->err, "parse %s as target_host_port failed\n", propose->target);
    else if (!shell_resolve(arena, propose->node, &proposal->node.address, &proposal->node.name))
        fprintf(shell->err, "parse %s as node failed\n", propose->node);
    else if ((proposal->type = config_type(propose->type ? propose->type : "")) == CONFIG_INVALID)
        fprintf(shell->err, "parse CT_%s as config_type failed.\n",
                propose->type ? propose->type : "");
    else
        return true;
    return false;
}

int cmd_propose(struct shell *shell, int argc, char **argv)
{
    struct propose propose = { .gpid = NULL };
    struct exchange exchange;
    struct arena arena;
    if (!propose_options(&propose, argc, argv))
        return shell_usage(shell, argv[0]);
    arena_init(&arena, 0);
    int status;
    if (propose_check(shell, &propose, &arena)) {
        status = propose_send(shell, &propose.proposal, &exchange) ? SHELL_OK : SHELL_FAILED;
        fprintf(shell->out, "send proposal response: %s\n", exchange.error);
        shell_why(shell, &exchange);
    } else {
        status = shell_usage(shell, argv[0]);
    }
    arena_done(&arena);
    return status;
}
