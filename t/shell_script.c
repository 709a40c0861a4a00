/* shell_script -- see test_shell.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "t/test_shell.h"

#define SCRIPT_PARTITIONS 4

static void script_partitions(struct rdsn_incoming *incoming, const struct step *step)
{
    struct msg_query_cfg_response response;
    struct msg_partition_configuration partitions[SCRIPT_PARTITIONS];
    uint64_t secondaries[] = { address_make(0x7f000002, 34801), address_make(0x7f000003, 34801) };
    for (int32_t i = 0; i < SCRIPT_PARTITIONS; i++) {
        wire_init(&wire_partition_configuration, &partitions[i]);
        partitions[i].pid = (struct gpid){ 1, i };
        partitions[i].primary = address_make(0x7f000001, 34801);
        partitions[i].secondaries =
            (struct wire_list){ .items = secondaries, .count = i < step->number ? 2 : 1 };
    }
    wire_init(&wire_query_cfg_response, &response);
    response.app_id = 1;
    response.partition_count = SCRIPT_PARTITIONS;
    response.partitions = (struct wire_list){ .items = partitions, .count = SCRIPT_PARTITIONS };
    fake_reply(incoming, &wire_query_cfg_response, &response);
}

static void script_text(struct rdsn_incoming *incoming, const char *text)
{
    struct buf body = { 0 };
    wire_encode_value(WIRE_STRING, &text, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void script_hint(struct rdsn_incoming *incoming, const char *error, const char *hint)
{
    struct msg_hint_response response;
    wire_init(&wire_hint_response, &response);
    response.err = error;
    response.hint_message = hint;
    fake_reply(incoming, &wire_hint_response, &response);
}

static void script_number(struct rdsn_incoming *incoming, const struct rpc *rpc, int32_t number)
{
    struct msg_create_app_response created;
    struct msg_control_meta_response controlled;
    struct msg_get_max_replica_count_response counted;
    ck_assert(rpc->response == &wire_create_app_response
              || rpc->response == &wire_control_meta_response
              || rpc->response == &wire_get_max_replica_count_response);
    wire_init(rpc->response, rpc->response == &wire_create_app_response     ? (void *) &created
                             : rpc->response == &wire_control_meta_response ? (void *) &controlled
                                                                            : (void *) &counted);
    if (rpc->response == &wire_create_app_response) {
        created.err = "ERR_OK";
        created.appid = number;
        fake_reply(incoming, rpc->response, &created);
    } else if (rpc->response == &wire_control_meta_response) {
        controlled.err = "ERR_OK";
        controlled.old_level = number;
        fake_reply(incoming, rpc->response, &controlled);
    } else {
        counted.err = "ERR_OK";
        counted.max_replica_count = number;
        fake_reply(incoming, rpc->response, &counted);
    }
}

static void script_answer(struct rdsn_incoming *incoming, const struct step *step)
{
    const struct rpc *rpc = rpc_find(step->rpc);
    const char *hint = strchr(step->error, '|');
    char error[RDSN_NAME_SIZE];
    snprintf(error, sizeof error, "%.*s", (int) strcspn(step->error, "|"), step->error);
    if (!rpc->response)
        script_text(incoming, step->error);
    else if (step->response)
        fake_reply(incoming, rpc->response, step->response);
    else if (rpc->response == &wire_hint_response)
        script_hint(incoming, error, hint ? hint + 1 : "");
    else if (strcmp(error, "ERR_OK") != 0 || rpc->response == &wire_error_response)
        fake_error(incoming, error);
    else if (rpc->response == &wire_query_cfg_response)
        script_partitions(incoming, step);
    else
        script_number(incoming, rpc, step->number);
}

static void script_request_in(struct rdsn_incoming *incoming, const void *arg)
{
    const struct script *script = arg;
    struct script_taken *taken = script->taken;
    const struct step *step = &script->steps[taken->count];
    if (!step->rpc || strcmp(step->rpc, incoming->header.rpc_name) != 0
        || incoming->body.size > SCRIPT_BODY_MAX) {
        if (!taken->wrong[0])
            snprintf(taken->wrong, sizeof taken->wrong, "%s", incoming->header.rpc_name);
        rdsn_server_reply(incoming, "ERR_HANDLER_NOT_FOUND", (br_bytes){ NULL, 0 });
        return;
    }
    taken->requests[taken->count].size = incoming->body.size;
    memcpy(taken->requests[taken->count++].body, incoming->body.data, incoming->body.size);
    script_answer(incoming, step);
}

void script_start(struct script *script, const struct step *steps)
{
    *script = (struct script){ 0 };
    for (uint32_t i = 0; steps[i].rpc; i++) {
        ck_assert_uint_lt(i, SCRIPT_STEPS_MAX - 1);
        script->steps[i] = steps[i];
    }
    script->taken = mmap(NULL, sizeof *script->taken, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(script->taken, MAP_FAILED);
    fake_start(&script->fake, script_request_in, script);
}

void script_line(struct script *script, enum wire_peer peer, const char *line, const char *input,
                 int status, const char *out, const char *err)
{
    uint32_t steps = 0;
    struct ran ran = run_lines(script->fake.node, peer, line, input);
    ck_assert_str_eq(ran.out, out);
    ck_assert_str_eq(ran.err, err);
    ck_assert_int_eq(ran.status, status);
    while (script->steps[steps].rpc)
        steps++;
    ck_assert_str_eq(script->taken->wrong, "");
    ck_assert_uint_eq(script->taken->count, steps);
    ran_free(&ran);
}

void script_stop(struct script *script)
{
    fake_stop(&script->fake);
    munmap(script->taken, sizeof *script->taken);
}

void script_same(const struct script *script, uint32_t index, const char *path)
{
    struct buf want = { 0 };
    const char *full = test_reference(path);
    if (!full)
        return;
    ck_assert_msg(test_read(full, &want), "%s", path);
    ck_assert_uint_eq(script->taken->requests[index].size, want.size - RDSN_HEADER_SIZE);
    ck_assert_mem_eq(script->taken->requests[index].body, want.data + RDSN_HEADER_SIZE,
                     want.size - RDSN_HEADER_SIZE);
    buf_done(&want);
}

void script_request(const struct script *script, uint32_t index, const struct wire_schema *schema,
                    struct arena *arena, void *ret_request)
{
    br_bytes body = { script->taken->requests[index].body, script->taken->requests[index].size };
    ck_assert_int_eq(wire_decode(schema, body, wire_arena(arena), ret_request, NULL), BR_OK);
}
