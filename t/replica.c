/* replica -- see replica.h. */
#include "t/replica.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/number.h"
#include "host/replica/files.h"

struct stage stage;
struct buf stage_body;

/* -- Waiting ---------------------------------------------------------------------------------- */

void stage_too_late(void *what)
{
    ck_abort_msg("not within 20 s: %s", (const char *) what);
}

void stage_connect(void)
{
    STAGE_UNTIL(stage.stub.state == STUB_CONNECTED && stage.meta.syncs > 0 && !stage.stub.syncing);
}

void stage_role(br_role role, int64_t ballot)
{
    STAGE_UNTIL(stage_replica() && stage_replica()->config.role == role
                && stage_replica()->config.ballot == ballot && !stage_replica()->update.pending);
}

/* -- Scripted servers ---------------------------------------------------------------------------
 */

static void scripted_reply(struct rdsn_incoming *incoming, const struct wire_schema *schema,
                           const void *message)
{
    struct buf body = { 0 };
    wire_encode(schema, message, stage.stub.peer, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void scripted_decode(const struct rdsn_incoming *incoming, const struct wire_schema *schema,
                            void *message)
{
    struct fail fail;
    ck_assert_msg(wire_decode(schema, incoming->body, wire_arena(&stage.arena), message, &fail)
                      == BR_OK,
                  "%s", fail.text);
}

static void scripted_beacon(struct scripted *server, struct rdsn_incoming *incoming)
{
    struct msg_beacon_msg message;
    struct msg_beacon_ack ack;
    scripted_decode(incoming, &wire_beacon_msg, &message);
    server->beacons++;
    if (server->mute) {
        rdsn_server_drop(incoming);
        return;
    }
    wire_init(&wire_beacon_ack, &ack);
    ack.time = message.time;
    ack.this_node = message.to_node;
    ack.is_master = !stage.not_leader;
    ack.allowed = true;
    ack.primary_node = server->address;
    scripted_reply(incoming, &wire_beacon_ack, &ack);
}

static void scripted_sync(struct scripted *server, struct rdsn_incoming *incoming)
{
    struct msg_configuration_query_by_node_response response;
    struct msg_replica_info garbage;
    server->syncs++;
    wire_init(&wire_configuration_query_by_node_response, &response);
    response.err = stage.sync_err;
    if (stage.sync_busy > 0) {
        stage.sync_busy--;
        response.err = "ERR_BUSY";
    }
    if (!response.err)
        response.partitions = (struct wire_list){ stage.listed, stage.listed_count };
    if (stage.garbage.app_id) {
        wire_init(&wire_replica_info, &garbage);
        garbage.pid = stage.garbage;
        response.gc_replicas = (struct wire_list){ &garbage, 1 };
        WIRE_SET(&response, 3);
    }
    scripted_reply(incoming, &wire_configuration_query_by_node_response, &response);
}

static void scripted_update(struct scripted *server, struct rdsn_incoming *incoming)
{
    struct msg_configuration_update_response response;
    scripted_decode(incoming, &wire_configuration_update_request, &stage.update);
    server->updates++;
    wire_init(&wire_configuration_update_response, &response);
    response.config = stage.update.config;
    bool fails = stage.update_err && (stage.update_fails == 0 || stage.update_fails-- > 1);
    if (stage.update_err && !fails)
        stage.update_err = NULL;
    response.err = fails ? stage.update_err : "ERR_OK";
    if (stage.update_edit)
        stage.update_edit(&response);
    if (fails && !*stage.update_err)
        rdsn_server_drop(incoming);
    else
        scripted_reply(incoming, &wire_configuration_update_response, &response);
}

static void scripted_prepare(struct scripted *server, struct rdsn_incoming *incoming)
{
    struct prepare prepare;
    struct msg_prepare_ack ack;
    struct fail fail;
    ck_assert_msg(prepare_decode(incoming->body, wire_arena(&stage.arena), &prepare, &fail)
                      == BR_OK,
                  "%s", fail.text);
    wire_init(&wire_prepare_ack, &ack);
    ack.pid = prepare.pid;
    ack.err = server->prepare_err;
    ack.ballot = prepare.config.ballot;
    ack.decree = prepare.header.decree;
    if (server->prepare_edit)
        server->prepare_edit(&ack);
    if (server->prepare_err && !*server->prepare_err)
        rdsn_server_drop(incoming);
    else
        scripted_reply(incoming, &wire_prepare_ack, &ack);
}

static void scripted_check(struct scripted *server, struct rdsn_incoming *incoming)
{
    struct msg_group_check_response response;
    wire_init(&wire_group_check_response, &response);
    response.pid = (struct gpid){ 1, 0 };
    response.node = server->address;
    scripted_reply(incoming, &wire_group_check_response, &response);
}

static void scripted_learn(struct scripted *server, struct rdsn_incoming *incoming)
{
    struct msg_learn_request request;
    struct msg_learn_response response;
    scripted_decode(incoming, &wire_learn_request, &request);
    if (!server->learn) {
        rdsn_server_drop(incoming);
        return;
    }
    wire_init(&wire_learn_response, &response);
    response.config.pid = request.pid;
    response.config.ballot = 4;
    response.config.status = BR_ROLE_LEARNER;
    response.config.learner_signature = request.signature;
    response.config.primary = server->address;
    response.prepare_start_decree = -1;
    server->learn(&response);
    scripted_reply(incoming, &wire_learn_response, &response);
}

static void scripted_request(void *arg, struct rdsn_incoming *incoming)
{
    static const struct {
        const char *rpc;
        void (*take)(struct scripted *server, struct rdsn_incoming *incoming);
    } scripts[] = {
        { "RPC_FD_FAILURE_DETECTOR_PING", scripted_beacon },
        { "RPC_CM_CONFIG_SYNC", scripted_sync },
        { "RPC_CM_UPDATE_PARTITION_CONFIGURATION", scripted_update },
        { "RPC_PREPARE", scripted_prepare },
        { "RPC_GROUP_CHECK", scripted_check },
        { "RPC_LEARN", scripted_learn },
    };
    struct scripted *server = arg;
    const char *rpc = incoming->header.rpc_name;
    bool beacon = strcmp(rpc, scripts[0].rpc) == 0;
    if (!beacon && server->count < STAGE_RECORDS) {
        struct record *record = &server->records[server->count++];
        snprintf(record->rpc, sizeof record->rpc, "%s", rpc);
        record->header = incoming->header;
        record->body =
            (br_bytes){ arena_text(&stage.arena, incoming->body.data, incoming->body.size),
                        incoming->body.size };
    }
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        if (strcmp(rpc, scripts[i].rpc) == 0) {
            scripts[i].take(server, incoming);
            return;
        }
    }
    if (server->other)
        server->other(incoming);
    else
        rdsn_server_drop(incoming);
}

static void scripted_start(struct scripted *server)
{
    struct fail fail;
    server->server = rdsn_server_new(
        stage.loop->base,
        &(struct rdsn_server_options){ .request = scripted_request, .arg = server }, &fail);
    ck_assert_msg(server->server != NULL, "%s", fail.text);
    server->address = rdsn_server_address(server->server);
    address_format(server->address, server->name);
}

/* -- The stage -------------------------------------------------------------------------------- */

void stage_setup(void)
{
    memset(&stage, 0, sizeof stage);
    const char *loud = getenv("LOUD");
    stage.log =
        (struct log){ .fd = loud ? 2 : open("/dev/null", O_WRONLY | O_CLOEXEC), .level = BR_INFO };
    arena_init(&stage.arena, 0);
    stage.loop = loop_new(&stage.log);
    stage.directory = test_directory();
    stage.dir = (struct inventory_dir){ "default", stage.directory };
    scripted_start(&stage.meta);
    for (int i = 0; i < STAGE_PEERS; i++)
        scripted_start(&stage.peers[i]);
    snprintf(stage.name, sizeof stage.name, "127.0.0.1:%u", test_port());
    stage.metas[0] = stage.meta.name;
    stage.options = stub_defaults;
    stage.options.without_data = true;
    stage.options.name = stage.name;
    stage.options.dirs = &stage.dir;
    stage.options.dir_count = 1;
    stage.options.metas = stage.metas;
    stage.options.beacon_interval = 20 * BR_MILLISECOND;
    stage.options.check_interval = 10 * BR_MILLISECOND;
    stage.client = rdsn_client_new(stage.loop->base, &(struct rdsn_client_options){ .idle = 0 });
}

void stage_stop(void)
{
    if (stage.running)
        stub_stop(&stage.stub);
    stage.running = false;
}

void stage_teardown(void)
{
    stage_stop();
    rdsn_client_free(stage.client);
    rdsn_server_free(stage.meta.server);
    for (int i = 0; i < STAGE_PEERS; i++)
        rdsn_server_free(stage.peers[i].server);
    loop_free(stage.loop);
    if (stage.log.fd != 2)
        close(stage.log.fd);
    free(stage.directory);
    arena_done(&stage.arena);
    buf_done(&stage_body);
}

static struct br_table stage_table(void)
{
    return (struct br_table){ .id = 1,
                              .status = BR_TABLE_AVAILABLE,
                              .partition_count = 2,
                              .init_partition_count = 2,
                              .replica_count = 3,
                              .flags = BR_TABLE_STATEFUL,
                              .name = "t",
                              .type = "pegasus" };
}

void stage_named(void)
{
    snprintf(stage.name, sizeof stage.name, "localhost:%u", test_port());
    stage.options.named = true;
}

void stage_disk(int64_t ballot, int64_t decree)
{
    struct br_table table = stage_table();
    struct fail fail;
    ck_assert_msg(files_create(stage.directory, &table, 0, ballot, decree, false, &fail) == BR_OK,
                  "%s", fail.text);
}

static void stage_reps(void)
{
    static const char *const parts[] = { "/replica", "/replica/reps" };
    for (int i = 0; i < 2; i++) {
        struct buf path = { 0 };
        buf_printf(&path, "%s%s", stage.directory, parts[i]);
        mkdir(path.data, 0777);
        buf_done(&path);
    }
}

void stage_start(void)
{
    struct fail fail;
    stage_reps();
    ck_assert_msg(stub_start(&stage.stub, stage.loop, &stage.options, &fail) == BR_OK, "%s",
                  fail.text);
    stage.running = true;
}

uint64_t stage_address(char who)
{
    uint64_t self;
    ck_assert(address_resolve(stage.name, &self));
    return who == 's' ? self : who >= '0' && who <= '2' ? stage.peers[who - '0'].address : 0;
}

static struct host_port stage_name(char who)
{
    struct host_port name = { .host = "" };
    char *host = arena_alloc(&stage.arena, NODE_NAME_MAX);
    const char *text = who == 's'           ? stage.name
                       : stage_address(who) ? stage.peers[who - '0'].name
                                            : "";
    host_port_parse(text, host, &name);
    return name;
}

struct msg_configuration_update_request stage_config(int32_t type, int64_t ballot, char primary,
                                                     const char *secondaries, char node)
{
    struct msg_configuration_update_request request;
    struct br_table table = stage_table();
    uint32_t count = (uint32_t) strlen(secondaries);
    uint64_t *addresses = arena_alloc(&stage.arena, count * sizeof *addresses);
    struct host_port *names = arena_alloc(&stage.arena, count * sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        addresses[i] = stage_address(secondaries[i]);
        names[i] = stage_name(secondaries[i]);
    }
    wire_init(&wire_configuration_update_request, &request);
    info_from_table(&table, &request.info);
    request.config.pid = (struct gpid){ 1, 0 };
    request.config.ballot = ballot;
    request.config.max_replica_count = 3;
    request.config.primary = stage_address(primary);
    request.config.hp_primary = stage_name(primary);
    request.config.secondaries = (struct wire_list){ addresses, count };
    request.config.hp_secondaries = (struct wire_list){ names, count };
    request.config.present |= WIRE_BIT(9) | WIRE_BIT(10) | WIRE_BIT(11);
    request.type = type;
    request.node = stage_address(node);
    request.hp_node = stage_name(node);
    WIRE_SET(&request, 7);
    return request;
}

void stage_list(int64_t ballot, char primary, const char *secondaries)
{
    stage.listed[0] = stage_config(0, ballot, primary, secondaries, 0);
    stage.listed_count = 1;
}

struct replica *stage_replica(void)
{
    return table_find(&stage.stub, (struct gpid){ 1, 0 });
}

/* -- Asking ----------------------------------------------------------------------------------- */

static char stage_error[RDSN_NAME_SIZE];
static bool stage_waits;

static void stage_answered(void *arg, const struct rdsn_reply *reply)
{
    (void) arg;
    snprintf(stage_error, sizeof stage_error, "%s", reply->error);
    buf_clear(&stage_body);
    buf_put(&stage_body, reply->body.data, reply->body.size);
    stage_waits = false;
}

static void stage_post(const char *rpc, bool data, br_bytes body)
{
    stage_waits = true;
    rdsn_client_call(stage.client, stage.name,
                     &(struct rdsn_request){
                         .rpc = rpc, .body = body, .timeout = 30 * BR_SECOND, .app_id = data },
                     stage_answered, NULL);
}

const char *stage_ask(const char *rpc, bool data, br_bytes body)
{
    stage_post(rpc, data, body);
    STAGE_UNTIL(!stage_waits);
    return stage_error;
}

const char *stage_ask_message(const char *rpc, const struct wire_schema *schema,
                              const void *message)
{
    struct buf body = { 0 };
    wire_encode(schema, message, stage.stub.peer, &body);
    const char *error = stage_ask(rpc, false, buf_bytes(&body));
    buf_done(&body);
    return error;
}

void stage_send(const char *rpc, br_bytes body)
{
    stage_post(rpc, true, body);
}

bool stage_busy(void)
{
    return stage_waits;
}

const char *stage_sent_error(void)
{
    STAGE_UNTIL(!stage_waits);
    return stage_error;
}

void stage_decode(const struct wire_schema *schema, void *message)
{
    struct fail fail;
    ck_assert_msg(
        wire_decode(schema, buf_bytes(&stage_body), wire_arena(&stage.arena), message, &fail)
            == BR_OK,
        "%s", fail.text);
}

int64_t stage_add_learner(void)
{
    struct msg_configuration_update_request proposal =
        stage_config(3, stage_replica()->config.ballot, 's', "", '1');
    stage_propose(&proposal);
    ck_assert_uint_eq(stage_replica()->primary.learner_count, 1);
    return stage_replica()->primary.learners[0].signature;
}

struct msg_learn_response stage_learns(int64_t signature, int64_t applied)
{
    struct msg_learn_request request;
    struct msg_learn_response response;
    struct fail fail;
    wire_init(&wire_learn_request, &request);
    request.pid = (struct gpid){ 1, 0 };
    request.learner = stage_address('1');
    request.signature = signature;
    request.last_committed_decree_in_app = applied;
    ck_assert_str_eq(stage_ask_message("RPC_LEARN", &wire_learn_request, &request), "ERR_OK");
    br_bytes body = { arena_text(&stage.arena, stage_body.data, stage_body.size), stage_body.size };
    ck_assert_int_eq(
        wire_decode(&wire_learn_response, body, wire_arena(&stage.arena), &response, &fail), BR_OK);
    return response;
}

static bool stage_posted;

static void stage_told(void *arg, const struct rdsn_reply *reply)
{
    (void) arg;
    (void) reply;
    stage_posted = true;
}

/* One-way; behind it, on the same connection, a question: so it was taken when this returns. */
void stage_propose(const struct msg_configuration_update_request *request)
{
    struct buf body = { 0 };
    wire_encode(&wire_configuration_update_request, request, stage.stub.peer, &body);
    rdsn_client_call(stage.client, stage.name,
                     &(struct rdsn_request){
                         .rpc = "RPC_CONFIG_PROPOSAL", .body = buf_bytes(&body), .one_way = true },
                     stage_told, NULL);
    buf_done(&body);
    stage_ask("RPC_QUERY_REPLICA_INFO", false, (br_bytes){ NULL, 0 });
}

const struct record *stage_record(const struct scripted *server, const char *rpc, uint32_t n)
{
    for (uint32_t i = 0; i < server->count; i++) {
        if (strcmp(server->records[i].rpc, rpc) == 0 && n-- == 0)
            return &server->records[i];
    }
    return NULL;
}

uint32_t stage_records(const struct scripted *server, const char *rpc)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < server->count; i++)
        count += strcmp(server->records[i].rpc, rpc) == 0;
    return count;
}

void stage_primary(const char *secondaries)
{
    stage_disk(1, 10);
    stage_list(1, 's', secondaries);
    stage_start();
    stage_role(BR_ROLE_PRIMARY, 2);
}

struct prepare stage_prepare_message(int64_t ballot, br_role role, int64_t signature,
                                     int64_t decree, int64_t committed)
{
    struct prepare prepare = { .pid = { 1, 0 } };
    wire_init(&wire_replica_configuration, &prepare.config);
    prepare.config.pid = prepare.pid;
    prepare.config.ballot = ballot;
    prepare.config.status = role;
    prepare.config.learner_signature = signature;
    prepare.config.primary = stage_address('0');
    prepare.config.hp_primary = stage_name('0');
    WIRE_SET(&prepare.config, 8);
    prepare.header = (struct mutation_header){ .pid = prepare.pid,
                                               .ballot = ballot,
                                               .decree = decree,
                                               .log_offset = -1,
                                               .last_committed_decree = committed };
    return prepare;
}

void stage_prepare_send(struct prepare *prepare, const char *code)
{
    struct buf updates = { 0 }, body = { 0 };
    mutation_put_count(&updates, 1);
    mutation_put_update(&updates, code, 0, 0);
    prepare->updates = buf_bytes(&updates);
    prepare_encode(prepare, stage.stub.peer, &body);
    stage_ask("RPC_PREPARE", false, buf_bytes(&body));
    buf_done(&updates);
    buf_done(&body);
}

const char *stage_prepare(int64_t ballot, br_role role, int64_t signature, int64_t decree,
                          int64_t committed, struct msg_prepare_ack *ack)
{
    struct prepare prepare = stage_prepare_message(ballot, role, signature, decree, committed);
    stage_prepare_send(&prepare, "RPC_REPLICATION_WRITE_EMPTY");
    stage_decode(&wire_prepare_ack, ack);
    return ack->err;
}

void stage_learner(void)
{
    struct msg_group_check_request request;
    struct msg_configuration_update_request table = stage_config(0, 0, 0, "", 0);
    stage_start();
    stage_connect();
    wire_init(&wire_group_check_request, &request);
    request.app = table.info;
    request.config.pid = (struct gpid){ 1, 0 };
    request.config.ballot = 4;
    request.config.status = BR_ROLE_LEARNER;
    request.config.learner_signature = 77;
    request.config.primary = stage_address('0');
    stage_ask_message("RPC_GROUP_CHECK", &wire_group_check_request, &request);
    STAGE_UNTIL(stage_records(&stage.peers[0], "RPC_LEARN") >= 1);
}
