/* cmd_table -- create, drop, recall, rename: tables made, taken away and named.  What they print is
 * Pegasus's (src/client/replication_ddl_client.cpp), as of 2.5.0. */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/shell/shell.h"

#define TABLE_BUSY_WAIT 20 /* seconds, as Pegasus's shell: three questions, ten seconds between */
#define TABLE_WAIT      "3600"

/* replication_ddl_client.cpp:validate_app_name */
static bool table_name(const char *name, bool empty)
{
    for (const char *at = name; *at; at++) {
        if (!isalnum((unsigned char) *at) && !strchr("_.:", *at))
            return false;
    }
    return *name || empty;
}

/* Ask, and again while the table is being made or dropped. */
static bool table_ask(struct shell *shell, struct exchange *exchange, int64_t wait)
{
    struct session_pace pace;
    session_pace_start(&pace, (wait < TABLE_BUSY_WAIT ? wait : TABLE_BUSY_WAIT) * BR_SECOND);
    while (!session_ask(shell->session, exchange)) {
        bool busy = strcmp(exchange->error, "ERR_BUSY_CREATING") == 0
                    || strcmp(exchange->error, "ERR_BUSY_DROPPING") == 0;
        if (!busy || !session_wait(shell->session, &pace))
            return false;
    }
    return true;
}

/* -- Waiting until a table serves ------------------------------------------------------------- */

struct ready {
    const char *name;
    int32_t replicas;
    char error[RDSN_NAME_SIZE]; /* where the waiting is over */
};

static bool ready_count(struct shell *shell, const struct ready *ready,
                        const struct msg_query_cfg_response *response)
{
    const struct msg_partition_configuration *partitions = response->partitions.items;
    int32_t count = 0;
    for (uint32_t i = 0; i < response->partitions.count; i++)
        count += health_has_primary(&partitions[i])
                 && (int64_t) health_replicas(&partitions[i]) >= ready->replicas;
    bool all = count == response->partition_count;
    fprintf(shell->out,
            all ? "%s is ready now: (%d/%d)\n" : "%s not ready yet, still waiting... (%d/%d)\n",
            ready->name, (int) count, (int) response->partition_count);
    return all;
}

/* Whether the waiting is over. */
static bool ready_look(struct shell *shell, struct ready *ready)
{
    struct msg_query_cfg_request request;
    struct msg_query_cfg_response response;
    struct arena arena;
    bool over = true;
    wire_init(&wire_query_cfg_request, &request);
    request.app_name = ready->name;
    arena_init(&arena, 0);
    struct exchange exchange = { .rpc = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
                                 .request = &request,
                                 .response = &response,
                                 .arena = &arena };
    if (session_ask(shell->session, &exchange)) {
        over = ready_count(shell, ready, &response);
    } else if (strcmp(exchange.error, "ERR_INVALID_STATE") == 0) {
        fprintf(shell->out, "%s not ready yet, still waiting...\n", ready->name);
        over = false;
    } else {
        fprintf(shell->out, "create app %s failed: [query] %s server error: %s\n", ready->name,
                exchange.why[0] ? "call" : "received", exchange.error);
        shell_why(shell, &exchange);
    }
    memcpy(ready->error, exchange.error, sizeof ready->error);
    fflush(shell->out);
    arena_done(&arena);
    return over;
}

/* Whether each partition got a primary and all its replicas within the time. */
static bool ready_wait(struct shell *shell, struct ready *ready, int64_t wait)
{
    struct session_pace pace;
    session_pace_start(&pace, wait * BR_SECOND);
    bool over = ready_look(shell, ready);
    while (!over && session_wait(shell->session, &pace))
        over = ready_look(shell, ready);
    if (!over) {
        fprintf(shell->err,
                "the table is there, but does not serve after %lld seconds: see app %s -d, nodes\n",
                (long long) wait, ready->name);
        memcpy(ready->error, "ERR_TIMEOUT", sizeof "ERR_TIMEOUT");
    }
    return strcmp(ready->error, "ERR_OK") == 0;
}

/* -- create ----------------------------------------------------------------------------------- */

struct create {
    struct arena arena;
    struct msg_create_app_request request;
    const char *partitions, *replicas, *envs, *wait_text;
    int64_t wait;
};

static bool create_options(struct create *create, int argc, char **argv)
{
    static const struct option options[] = {
        { "partition_count", required_argument, NULL, 'p' },
        { "replica_count", required_argument, NULL, 'r' },
        { "fail_if_exist", no_argument, NULL, 'f' },
        { "atomic_idempotent", no_argument, NULL, 'i' },
        { "envs", required_argument, NULL, 'e' },
        { "wait_seconds", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    struct msg_create_app_options *wanted = &create->request.options;
    int option;
    while ((option = getopt_long(argc, argv, "p:r:fie:w:", options, NULL)) != -1) {
        switch (option) {
        case 'p': create->partitions = optarg; break;
        case 'r': create->replicas = optarg; break;
        case 'f': wanted->success_if_exist = false; break;
        case 'i': wanted->atomic_idempotent = true; break;
        case 'e': create->envs = optarg; break;
        case 'w': create->wait_text = optarg; break;
        default: return false;
        }
    }
    if (optind + 1 != argc)
        return false;
    create->request.app_name = argv[optind];
    return true;
}

static int env_compare(const void *a, const void *b)
{
    return strcmp(((const struct wire_pair *) a)->key, ((const struct wire_pair *) b)->key);
}

/* "k=v,k=v" as Pegasus reads it (strings.cpp:parse_kv_map), by key; false: it is not that, or names
 * a key twice. */
static bool create_envs(struct create *create)
{
    size_t room = 1;
    for (const char *at = create->envs; *at; at++)
        room += *at == ',';
    struct wire_pair *pairs = arena_alloc(&create->arena, room * sizeof *pairs);
    uint32_t count = 0;
    const char *text = create->envs;
    while (*text) {
        size_t size = strcspn(text, ",");
        const char *from = text + strspn(text, " \t"), *to = text + size;
        while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        const char *equals = to > from ? memchr(from, '=', (size_t) (to - from)) : from;
        if (!equals)
            return false;
        if (to > from)
            pairs[count++] = (struct wire_pair){
                .key = arena_text(&create->arena, from, (size_t) (equals - from)),
                .value = arena_text(&create->arena, equals + 1, (size_t) (to - equals - 1)),
            };
        text += size + (text[size] == ',');
    }
    qsort(pairs, count, sizeof *pairs, env_compare);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(pairs[i - 1].key, pairs[i].key) == 0)
            return false;
    }
    create->request.options.envs = (struct wire_list){ .items = pairs, .count = count };
    return true;
}

/* What the options say together; SHELL_OK or what to end with. */
static int create_check(struct shell *shell, struct create *create)
{
    struct msg_create_app_options *wanted = &create->request.options;
    int64_t partitions, replicas;
    if (!shell_number(shell, create->partitions, "partition_count", INT32_MIN, INT32_MAX,
                      &partitions)
        || !shell_number(shell, create->replicas, "replica_count", INT32_MIN, INT32_MAX, &replicas)
        || !shell_number(shell, create->wait_text, "wait_seconds", 0, SHELL_WAIT_MAX,
                         &create->wait))
        return shell_usage(shell, "create");
    if (create->envs && !create_envs(create)) {
        fprintf(shell->err, "invalid envs: %s\n", create->envs);
        return shell_usage(shell, "create");
    }
    if (wanted->atomic_idempotent && session_peer(shell->session) != WIRE_PEER_26) {
        fputs("--atomic_idempotent needs bridle --pegasus-version 2.6\n", shell->err);
        return SHELL_USAGE;
    }
    wanted->partition_count = (int32_t) partitions;
    wanted->replica_count = (int32_t) replicas;
    const char *name = create->request.app_name;
    const char *bad = partitions < 1             ? "partition_count should >= 1"
                      : replicas < 1             ? "replica_count should >= 1"
                      : !table_name(name, false) ? "invalid app_name"
                                                 : NULL;
    if (!bad)
        return SHELL_OK;
    fprintf(shell->out,
            "create app %s failed: %s\ncreate app \"%s\" failed, error = ERR_INVALID_PARAMETERS\n",
            name, bad, name);
    return SHELL_USAGE;
}

static int create_run(struct shell *shell, struct create *create)
{
    const char *name = create->request.app_name;
    struct msg_create_app_response response;
    struct exchange exchange = { .rpc = "RPC_CM_CREATE_APP",
                                 .request = &create->request,
                                 .response = &response,
                                 .arena = &create->arena };
    struct ready ready = { .name = name, .replicas = create->request.options.replica_count };
    const char *error = exchange.error;
    if (!table_ask(shell, &exchange, create->wait)) {
        fprintf(shell->out, "create app %s failed: [create] %s server error: %s\n", name,
                exchange.why[0] ? "call" : "received", exchange.error);
        shell_why(shell, &exchange);
    } else {
        fprintf(shell->out, "create app %s succeed, waiting for app ready\n", name);
        if (ready_wait(shell, &ready, create->wait))
            fprintf(shell->out, "%s is ready now!\n", name);
        error = ready.error;
    }
    if (strcmp(error, "ERR_OK") == 0) {
        fprintf(shell->out, "create app \"%s\" succeed\n", name);
        return SHELL_OK;
    }
    fprintf(shell->out, "create app \"%s\" failed, error = %s\n", name, error);
    return SHELL_FAILED;
}

int cmd_create(struct shell *shell, int argc, char **argv)
{
    struct create create = { .partitions = "4", .replicas = "3", .wait_text = TABLE_WAIT };
    wire_init(&wire_create_app_request, &create.request);
    create.request.options.success_if_exist = true;
    create.request.options.app_type = "pegasus";
    create.request.options.is_stateful = true;
    if (!create_options(&create, argc, argv))
        return shell_usage(shell, argv[0]);
    arena_init(&create.arena, 0);
    int status = create_check(shell, &create);
    if (status == SHELL_OK)
        status = create_run(shell, &create);
    arena_done(&create.arena);
    return status;
}

/* -- drop ------------------------------------------------------------------------------------- */

int cmd_drop(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "reserve_seconds", required_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    int64_t reserve = 0;
    int option;
    while ((option = getopt_long(argc, argv, "r:", options, NULL)) != -1) {
        if (option != 'r'
            || !shell_number(shell, optarg, "reserve_seconds", INT32_MIN, INT32_MAX, &reserve))
            return shell_usage(shell, argv[0]);
    }
    if (optind + 1 != argc)
        return shell_usage(shell, argv[0]);
    const char *name = argv[optind];
    fprintf(shell->out, "reserve_seconds = %d\n", (int) reserve);
    if (!table_name(name, false)) {
        fprintf(shell->out, "drop app %s failed, error=ERR_INVALID_PARAMETERS\n", name);
        return SHELL_USAGE;
    }
    struct msg_drop_app_request request;
    struct msg_error_response response;
    struct arena arena;
    wire_init(&wire_drop_app_request, &request);
    request.app_name = name;
    request.options.success_if_not_exist = true;
    request.options.reserve_seconds = reserve;
    WIRE_SET(&request.options, 2);
    arena_init(&arena, 0);
    struct exchange exchange = {
        .rpc = "RPC_CM_DROP_APP", .request = &request, .response = &response, .arena = &arena
    };
    int status = SHELL_OK;
    if (table_ask(shell, &exchange, TABLE_BUSY_WAIT)) {
        fprintf(shell->out, "drop app %s succeed\n", name);
    } else {
        fprintf(shell->out, "drop app %s failed, error=%s\n", name, exchange.error);
        status = shell_why(shell, &exchange);
    }
    arena_done(&arena);
    return status;
}

/* -- recall ----------------------------------------------------------------------------------- */

struct recall {
    struct msg_recall_app_request request;
    int64_t wait;
};

/* SHELL_OK or what to end with. */
static int recall_options(struct shell *shell, struct recall *recall, int argc, char **argv)
{
    static const struct option options[] = {
        { "wait_seconds", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    const char *wait = TABLE_WAIT;
    int64_t id;
    int option;
    while ((option = getopt_long(argc, argv, "w:", options, NULL)) != -1) {
        if (option != 'w')
            return shell_usage(shell, argv[0]);
        wait = optarg;
    }
    if (optind == argc || argc - optind > 2
        || !shell_number(shell, wait, "wait_seconds", 0, SHELL_WAIT_MAX, &recall->wait)
        || !shell_number(shell, argv[optind], "id", INT32_MIN, INT32_MAX, &id))
        return shell_usage(shell, argv[0]);
    recall->request.app_id = (int32_t) id;
    recall->request.new_app_name = optind + 1 < argc ? argv[optind + 1] : "";
    if (table_name(recall->request.new_app_name, true))
        return SHELL_OK;
    fprintf(shell->out, "recall app %d failed, error=ERR_INVALID_PARAMETERS\n", (int) id);
    return SHELL_USAGE;
}

int cmd_recall(struct shell *shell, int argc, char **argv)
{
    struct recall recall;
    struct msg_recall_app_response response;
    struct arena arena;
    wire_init(&wire_recall_app_request, &recall.request);
    int status = recall_options(shell, &recall, argc, argv);
    if (status != SHELL_OK)
        return status;
    arena_init(&arena, 0);
    struct exchange exchange = { .rpc = "RPC_CM_RECALL_APP",
                                 .request = &recall.request,
                                 .response = &response,
                                 .arena = &arena };
    const char *error = exchange.error;
    struct ready ready = { .name = "" };
    if (table_ask(shell, &exchange, recall.wait)) {
        ready.name = response.info.app_name;
        ready.replicas = response.info.max_replica_count;
        fprintf(shell->out, "recall app ok, id(%d), name(%s), partition_count(%d), wait it ready\n",
                (int) response.info.app_id, ready.name, (int) response.info.partition_count);
        ready_wait(shell, &ready, recall.wait);
        error = ready.error;
    } else {
        shell_why(shell, &exchange);
    }
    bool ok = strcmp(error, "ERR_OK") == 0;
    fprintf(shell->out, "recall app %d %s%s\n", (int) recall.request.app_id,
            ok ? "succeed" : "failed, error=", ok ? "" : error);
    arena_done(&arena);
    return ok ? SHELL_OK : SHELL_FAILED;
}

/* -- rename ----------------------------------------------------------------------------------- */

int cmd_rename(struct shell *shell, int argc, char **argv)
{
    if (argc != 3)
        return shell_usage(shell, argv[0]);
    struct msg_rename_app_request request;
    struct msg_hint_response response;
    struct arena arena;
    wire_init(&wire_rename_app_request, &request);
    request.old_app_name = argv[1];
    request.new_app_name = argv[2];
    arena_init(&arena, 0);
    struct exchange exchange = {
        .rpc = "RPC_CM_RENAME_APP", .request = &request, .response = &response, .arena = &arena
    };
    int status = SHELL_OK;
    if (session_ask(shell->session, &exchange)) {
        fprintf(shell->out, "rename app ok, old_app_name(%s), new_app_name(%s)\n", argv[1],
                argv[2]);
    } else {
        bool hint = !exchange.why[0] && response.hint_message && *response.hint_message;
        struct buf clean = { 0 };
        table_clean(&clean, hint ? response.hint_message : "");
        fprintf(shell->err,
                "rename app failed, old_app_name(%s), new_app_name(%s), failed: %s%s%s\n", argv[1],
                argv[2], exchange.error, hint ? ", " : "", buf_string(&clean));
        buf_done(&clean);
        status = shell_why(shell, &exchange);
    }
    arena_done(&arena);
    return status;
}
