/* cmd_ddd -- ddd_diagnose: partitions all of whose replicas are gone, which of the nodes that had
 * one last should lead, and the proposal that makes it (src/shell/commands/recovery.cpp). */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/shell/shell.h"

struct ddd {
    struct arena arena;
    struct gpid pid;
    bool diagnose, automatic, skip, json;
    const char *file;

    struct buf text; /* what is not written yet */
    FILE *out;
    struct report report; /* with json */
    struct table *partitions, *dropped;
    uint32_t count, proposed, refused;
    bool unanswered; /* a question had no answer: no more are asked */
};

/* One partition, as far as it is shown. */
struct ddd_one {
    const struct msg_ddd_partition_info *info;
    uint32_t drops;                 /* how many last_drops */
    char latest[NODE_NAME_MAX + 1]; /* the last of them, the last but one; "": none */
    char second[NODE_NAME_MAX + 1];
    char primary[NODE_NAME_MAX + 1]; /* recommended or given; "": none */
    char response[RDSN_NAME_SIZE];   /* of the proposal; "": none was made */
};

/* "2.5", or "2" for all partitions of that table. */
static bool ddd_gpid(const char *text, struct gpid *ret_pid)
{
    if (shell_gpid(text, ret_pid))
        return true;
    ret_pid->partition = -1;
    return number_i32(text, strlen(text), &ret_pid->app_id);
}

static bool ddd_options(struct shell *shell, struct ddd *ddd, int argc, char **argv)
{
    static const struct option options[] = {
        { "gpid", required_argument, NULL, 'g' },
        { "diagnose", no_argument, NULL, 'd' },
        { "auto_diagnose", no_argument, NULL, 'a' },
        { "skip_prompt", no_argument, NULL, 's' },
        { "json", no_argument, NULL, 'j' },
        { "output", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "g:dasjo:", options, NULL)) != -1) {
        switch (option) {
        case 'g':
            if (!ddd_gpid(optarg, &ddd->pid)) {
                fprintf(shell->err, "ERROR: invalid gpid %s\n", optarg);
                return false;
            }
            break;
        case 'd': ddd->diagnose = true; break;
        case 'a': ddd->automatic = true; break;
        case 's': ddd->skip = true; break;
        case 'j': ddd->json = true; break;
        case 'o': ddd->file = optarg; break;
        default: return false;
        }
    }
    if (ddd->json && ddd->diagnose && !ddd->skip) {
        fputs("--json asks nothing: --diagnose needs --skip_prompt, too\n", shell->err);
        return false;
    }
    return optind == argc;
}

/* "2026-11-23 01:12:47.123" in local time (time_utils.cpp:time_ms_to_string). */
static const char *ddd_time(int64_t ms, char text[40])
{
    time_t second = (time_t) (ms / 1000);
    struct tm tm;
    size_t size =
        ms >= 0 && localtime_r(&second, &tm) ? strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm) : 0;
    if (size == 0)
        memcpy(text, "-", 2);
    else
        snprintf(text + size, 40 - size, ".%03d", (int) (ms % 1000));
    return text;
}

/* -- What there is ---------------------------------------------------------------------------- */

static uint32_t ddd_drops(const struct msg_partition_configuration *config)
{
    return config->hp_last_drops.count > config->last_drops.count ? config->hp_last_drops.count
                                                                  : config->last_drops.count;
}

static const char *ddd_drop(const struct msg_partition_configuration *config, uint32_t index,
                            char text[NODE_NAME_MAX + 1])
{
    const uint64_t *addresses = config->last_drops.items;
    const struct host_port *names = config->hp_last_drops.items;
    return shell_node(index < config->last_drops.count ? addresses[index] : 0,
                      index < config->hp_last_drops.count ? &names[index] : NULL, text);
}

static const char *ddd_node(const struct msg_ddd_node_info *node, char text[NODE_NAME_MAX + 1])
{
    return shell_node(node->node, WIRE_HAS(node, 8) ? &node->hp_node : NULL, text);
}

static const char *ddd_mark(const struct ddd_one *one, const char *node)
{
    return !*node                           ? ""
           : strcmp(node, one->latest) == 0 ? "  <== the latest"
           : strcmp(node, one->second) == 0 ? "  <== the secondary latest"
                                            : "";
}

/* Whether this is the dropped replica of `node`, fit to be asked: alive, and its state is known. */
static const struct msg_ddd_node_info *ddd_fit(const struct ddd_one *one, const char *node)
{
    const struct msg_ddd_node_info *dropped = one->info->dropped.items;
    for (uint32_t i = 0; i < one->info->dropped.count; i++) {
        char text[NODE_NAME_MAX + 1];
        if (strcmp(ddd_node(&dropped[i], text), node) == 0)
            return dropped[i].is_alive && dropped[i].is_collected ? &dropped[i] : NULL;
    }
    return NULL;
}

/* Of the two nodes that were dropped last the one with more committed, at least what the meta
 * server knows to be committed; the higher ballot where they have the same. */
static void ddd_recommend(struct ddd_one *one)
{
    if (one->drops < 2)
        return;
    int64_t committed = one->info->config.last_committed_decree;
    const struct msg_ddd_node_info *second = ddd_fit(one, one->second);
    const struct msg_ddd_node_info *best = ddd_fit(one, one->latest);
    if (second
        && (!best || second->last_committed_decree > best->last_committed_decree
            || (second->last_committed_decree == best->last_committed_decree
                && second->ballot > best->ballot)))
        best = second;
    if (best && best->last_committed_decree >= committed)
        ddd_node(best, one->primary);
}

static void ddd_one_init(struct ddd_one *one, const struct msg_ddd_partition_info *info)
{
    *one = (struct ddd_one){ .info = info, .drops = ddd_drops(&info->config) };
    if (one->drops > 0)
        ddd_drop(&info->config, one->drops - 1, one->latest);
    if (one->drops > 1)
        ddd_drop(&info->config, one->drops - 2, one->second);
    ddd_recommend(one);
}

/* -- Text ------------------------------------------------------------------------------------- */

static void ddd_flush(struct ddd *ddd)
{
    struct buf clean = { 0 };
    table_clean(&clean, buf_string(&ddd->text));
    fwrite(buf_string(&clean), 1, clean.size, ddd->out);
    fflush(ddd->out);
    buf_done(&clean);
    buf_clear(&ddd->text);
}

static void ddd_text(struct ddd *ddd, const struct ddd_one *one)
{
    const struct msg_partition_configuration *config = &one->info->config;
    const struct msg_ddd_node_info *dropped = one->info->dropped.items;
    struct buf *text = &ddd->text;
    char node[NODE_NAME_MAX + 1], time[40];
    buf_printf(text, "(%u) %d.%d\n", (unsigned) ddd->count, (int) config->pid.app_id,
               (int) config->pid.partition);
    buf_printf(text, "    config: ballot(%lld), last_committed(%lld)\n    ----\n",
               (long long) config->ballot, (long long) config->last_committed_decree);
    for (uint32_t i = 0; i < one->info->dropped.count; i++, dropped++) {
        ddd_node(dropped, node);
        buf_printf(text,
                   "    dropped[%u]: node(%s), drop_time(%s), alive(%s), collected(%s), "
                   "ballot(%lld), last_committed(%lld), last_prepared(%lld)%s\n",
                   (unsigned) i, node, ddd_time(dropped->drop_time_ms, time),
                   dropped->is_alive ? "true" : "false", dropped->is_collected ? "true" : "false",
                   (long long) dropped->ballot, (long long) dropped->last_committed_decree,
                   (long long) dropped->last_prepared_decree, ddd_mark(one, node));
    }
    buf_text(text, "    ----\n");
    for (uint32_t i = 0; i < one->drops; i++)
        buf_printf(text, "    last_drops[%u]: node(%s)%s\n", (unsigned) i,
                   ddd_drop(config, i, node),
                   i + 1 == one->drops   ? "  <== the latest"
                   : i + 2 == one->drops ? "  <== the secondary latest"
                                         : "");
    buf_printf(text, "    ----\n    ddd_reason: %s\n", one->info->reason);
}

/* -- JSON ------------------------------------------------------------------------------------- */

static void ddd_json_start(struct ddd *ddd)
{
    static const char *const partitions[] = {
        "pid", "ballot", "last_committed", "reason", "recommend_primary", "propose_response"
    };
    static const char *const dropped[] = {
        "replica",   "pid",    "node",           "drop_time",     "alive",
        "collected", "ballot", "last_committed", "last_prepared", "dropped_last"
    };
    report_init(&ddd->report);
    ddd->partitions = table_columns(&ddd->report, "ddd_partitions");
    for (size_t i = 0; i < sizeof partitions / sizeof *partitions; i++)
        table_column(ddd->partitions, partitions[i], false);
    ddd->dropped = table_columns(&ddd->report, "dropped");
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        table_column(ddd->dropped, dropped[i], false);
}

static void ddd_json(struct ddd *ddd, const struct ddd_one *one)
{
    const struct msg_partition_configuration *config = &one->info->config;
    const struct msg_ddd_node_info *dropped = one->info->dropped.items;
    int app = (int) config->pid.app_id, partition = (int) config->pid.partition;
    table_cell(ddd->partitions, "%d.%d", app, partition);
    table_cell(ddd->partitions, "%lld", (long long) config->ballot);
    table_cell(ddd->partitions, "%lld", (long long) config->last_committed_decree);
    table_cell(ddd->partitions, "%s", one->info->reason);
    table_cell(ddd->partitions, "%s", one->primary);
    table_cell(ddd->partitions, "%s", one->response);
    for (uint32_t i = 0; i < one->info->dropped.count; i++, dropped++) {
        char node[NODE_NAME_MAX + 1], time[40];
        ddd_node(dropped, node);
        table_cell(ddd->dropped, "%d.%d@%s", app, partition, node);
        table_cell(ddd->dropped, "%d.%d", app, partition);
        table_cell(ddd->dropped, "%s", node);
        table_cell(ddd->dropped, "%s", ddd_time(dropped->drop_time_ms, time));
        table_cell(ddd->dropped, "%s", dropped->is_alive ? "true" : "false");
        table_cell(ddd->dropped, "%s", dropped->is_collected ? "true" : "false");
        table_cell(ddd->dropped, "%lld", (long long) dropped->ballot);
        table_cell(ddd->dropped, "%lld", (long long) dropped->last_committed_decree);
        table_cell(ddd->dropped, "%lld", (long long) dropped->last_prepared_decree);
        table_cell(ddd->dropped, "%s",
                   strcmp(node, one->latest) == 0   ? "latest"
                   : strcmp(node, one->second) == 0 ? "secondary latest"
                                                    : "");
    }
}

/* -- Questions -------------------------------------------------------------------------------- */

/* One word of an answer; false: there is nobody to answer. */
static bool ddd_answer(struct shell *shell, struct ddd *ddd, const char *question,
                       char answer[NODE_NAME_MAX + 1])
{
    static const char space[] = " \t\r\n";
    char *line = NULL;
    size_t room = 0;
    ddd_flush(ddd);
    fprintf(shell->out, "    > %s: ", question);
    fflush(shell->out);
    bool there = shell->in && getline(&line, &room, shell->in) >= 0;
    const char *word = there ? line + strspn(line, space) : "";
    snprintf(answer, NODE_NAME_MAX + 1, "%.*s", (int) strcspn(word, space), word);
    free(line);
    if (!there) {
        fputs("\n", shell->out);
        fputs("nobody answers: the rest is only shown; --skip_prompt asks nothing\n", shell->err);
        ddd->unanswered = true;
    }
    return there;
}

/* Whether to propose the recommended primary; it is empty where another one is wanted. */
static bool ddd_confirm(struct shell *shell, struct ddd *ddd, struct ddd_one *one)
{
    char answer[NODE_NAME_MAX + 1];
    while (ddd_answer(shell, ddd, "Are you sure to use the recommend primary? [y/n/s(skip)]",
                      answer)) {
        if (strcmp(answer, "y") == 0)
            return true;
        if (strcmp(answer, "n") == 0) {
            one->primary[0] = '\0';
            return true;
        }
        if (strcmp(answer, "s") == 0) {
            fputs("    > You have choosed to skip diagnosing this partition.\n", shell->out);
            return false;
        }
    }
    return false;
}

static bool ddd_input(struct shell *shell, struct ddd *ddd, struct ddd_one *one)
{
    struct propose_node node;
    char answer[NODE_NAME_MAX + 1];
    while (ddd_answer(shell, ddd, "Please input the primary node", answer)) {
        if (shell_resolve(&ddd->arena, answer, &node.address, &node.name)) {
            memcpy(one->primary, answer, sizeof answer);
            return true;
        }
        fputs("    > Sorry, you have input an invalid node address.\n", shell->out);
    }
    return false;
}

/* -- Proposals -------------------------------------------------------------------------------- */

static void ddd_propose(struct shell *shell, struct ddd *ddd, struct ddd_one *one)
{
    struct proposal proposal = { .pid = one->info->config.pid, .type = CONFIG_ASSIGN_PRIMARY };
    struct exchange exchange;
    if (!shell_resolve(&ddd->arena, one->primary, &proposal.node.address, &proposal.node.name)) {
        fprintf(shell->err, "%s has no address\n", one->primary);
        snprintf(one->response, sizeof one->response, "ERR_NETWORK_FAILURE");
        ddd->refused++;
        return;
    }
    proposal.target = proposal.node;
    ddd->refused += !propose_send(shell, &proposal, &exchange);
    memcpy(one->response, exchange.error, sizeof one->response);
    shell_why(shell, &exchange);
    ddd->proposed++;
}

static void ddd_diagnose(struct shell *shell, struct ddd *ddd, struct ddd_one *one)
{
    buf_printf(&ddd->text, "    ----\n    recommend_primary: %s%s\n",
               *one->primary ? one->primary : "none", ddd_mark(one, one->primary));
    bool go = !ddd->unanswered || ddd->skip || (ddd->automatic && *one->primary);
    if (go && *one->primary && !ddd->automatic && !ddd->skip)
        go = ddd_confirm(shell, ddd, one);
    if (go && !*one->primary)
        go = !ddd->skip && ddd_input(shell, ddd, one);
    if (!go) {
        buf_text(&ddd->text, "    propose_request: none\n");
        return;
    }
    ddd_propose(shell, ddd, one);
    buf_printf(&ddd->text,
               "    propose_request: propose -g %d.%d -p ASSIGN_PRIMARY -t %s -n %s\n"
               "    propose_response: %s\n",
               (int) one->info->config.pid.app_id, (int) one->info->config.pid.partition,
               one->primary, one->primary, one->response);
}

static int ddd_show(struct shell *shell, struct ddd *ddd,
                    const struct msg_ddd_diagnose_response *response)
{
    const struct msg_ddd_partition_info *infos = response->partitions.items;
    unsigned total = (unsigned) response->partitions.count;
    buf_printf(&ddd->text, "Total %u ddd partitions:\n\n", total);
    for (uint32_t i = 0; i < response->partitions.count; i++) {
        struct ddd_one one;
        ddd->count++;
        ddd_one_init(&one, &infos[i]);
        ddd_text(ddd, &one);
        if (ddd->diagnose)
            ddd_diagnose(shell, ddd, &one);
        buf_printf(&ddd->text, "\nProposed count: %u/%u\n\n", (unsigned) ddd->proposed, total);
        if (ddd->json) {
            buf_clear(&ddd->text);
            ddd_json(ddd, &one);
        } else {
            ddd_flush(ddd);
        }
    }
    int status = SHELL_OK;
    if (ddd->json) {
        status = shell_report(shell, &ddd->report, ddd->file, true, false);
    } else {
        ddd_flush(ddd);
        status = shell_close(shell, ddd->file, ddd->out);
        fputs("Diagnose ddd done.\n", shell->out);
        if (total > 0 && !ddd->diagnose)
            fputs("hint: ddd_diagnose -d proposes a primary for each\n", shell->err);
    }
    return status != SHELL_OK || ddd->refused || ddd->unanswered ? SHELL_FAILED : SHELL_OK;
}

static int ddd_run(struct shell *shell, struct ddd *ddd)
{
    struct msg_ddd_diagnose_request request;
    struct msg_ddd_diagnose_response response;
    wire_init(&wire_ddd_diagnose_request, &request);
    request.pid = ddd->pid;
    struct exchange exchange = { .rpc = "RPC_CM_DDD_DIAGNOSE",
                                 .request = &request,
                                 .response = &response,
                                 .arena = &ddd->arena };
    if (!session_ask(shell->session, &exchange)) {
        fprintf(shell->err, "ERROR: DDD diagnose failed with err = %s\n", exchange.error);
        return shell_why(shell, &exchange);
    }
    if (ddd->json)
        ddd_json_start(ddd);
    else if (!(ddd->out = shell_open(shell, ddd->file)))
        return SHELL_FAILED;
    return ddd_show(shell, ddd, &response);
}

int cmd_ddd_diagnose(struct shell *shell, int argc, char **argv)
{
    struct ddd ddd = { .pid = { -1, -1 } };
    if (!ddd_options(shell, &ddd, argc, argv))
        return shell_usage(shell, argv[0]);
    arena_init(&ddd.arena, 0);
    int status = ddd_run(shell, &ddd);
    arena_done(&ddd.arena);
    buf_done(&ddd.text);
    return status;
}
