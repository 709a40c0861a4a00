/* transport_sim_life -- questions under way: servers that are away, refuse, restart, are slow or
 * never answer; answers in slices; what is given up, stopped and closed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/transport_sim.h"

#define FIRST "10.0.0.1:34801"

/* -- Names ------------------------------------------------------------------------------------ */

START_TEST(life_names)
{
    static const char *const strangers[] = {
        "10.0.0.6:34801",
        "10.0.0.0:34801",
        "10.0.0.1:34802",
        "10.0.0.1",
        "10.0.0.01:34801",
        "host:34801",
        "10.0.0.1:034801",
        "10.0.0.1:34801 ",
        "",
        "a.host.whose.name.is.longer.than.an.address.can.be:34801",
    };
    struct rehearsal rehearsal;
    struct core_told told = { 0 };
    rehearsal_open(&rehearsal, "{}");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        rehearsal_ask(&rehearsal, strangers[i], 0, (int) i % SIM_KINDS, &told);
        ck_assert_int_eq(told.status, BR_REFUSED);
        ck_assert_str_eq(told.code, "ERR_OBJECT_NOT_FOUND");
        ck_assert_msg(
            strstr(told.message, ": the simulated ones are 10.0.0.1:34801 to 10.0.0.5:34801"), "%s",
            told.message);
    }
    told = (struct core_told){ 0 };
    transport_nodes(&rehearsal.transport, 0, core_done, &told);
    core_wait(&told, 1);
    ck_assert_uint_eq(told.chunks->count, 5);
    ck_assert_str_eq(((const char *const *) told.chunks->rows)[4], "10.0.0.5:34801");
    rehearsal_told_done(&told);
    rehearsal_close(&rehearsal);
    rehearsal_open(&rehearsal, "{first: '10.0.0.254:1', servers: 3}");
    ck_assert_str_eq(rehearsal_name(rehearsal.sim, 2), "10.0.1.0:1");
    rehearsal_ask(&rehearsal, "10.0.1.0:1", 0, SIM_REPLICAS, &told);
    ck_assert_int_eq(told.status, BR_OK);
    rehearsal_told_done(&told);
    rehearsal_close(&rehearsal);
}
END_TEST

/* -- Faults ----------------------------------------------------------------------------------- */

START_TEST(life_faults)
{
    static const struct {
        const char *yaml;
        br_status first, second;
        const char *code, *says;
    } faults[] = {
        { "{down: 5}", BR_UNAVAILABLE, BR_UNAVAILABLE, "",
          "cannot connect to " FIRST ": Connection refused" },
        { "{refusing: 5}", BR_REFUSED, BR_REFUSED, "ERR_BUSY", FIRST " answered ERR_BUSY" },
        { "{cut: 5}", BR_CORRUPT, BR_CORRUPT, "", FIRST ": the answer ends before it is whole" },
        { "{restarting: 5}", BR_UNAVAILABLE, BR_OK, "", "cannot connect to " FIRST },
        { "{slow: 5, slow_latency: 2ms, spread: even}", BR_OK, BR_OK, "", "" },
        { "{latency: 1ms, spread: long}", BR_OK, BR_OK, "", "" },
    };
    struct rehearsal rehearsal;
    struct core_told told;
    rehearsal_open(&rehearsal, faults[_i].yaml);
    for (int kind = 0; kind < SIM_KINDS; kind++) {
        rehearsal_ask(&rehearsal, FIRST, 0, kind, &told);
        ck_assert_int_eq(told.status, faults[_i].first);
        ck_assert_str_eq(told.code, faults[_i].code);
        ck_assert_msg(strstr(told.message, faults[_i].says) != NULL, "%s", told.message);
        rehearsal_told_done(&told);
        rehearsal_ask(&rehearsal, FIRST, 0, kind, &told);
        ck_assert_int_eq(told.status, faults[_i].second);
        rehearsal_told_done(&told);
    }
    rehearsal_close(&rehearsal);
}
END_TEST

/* As many as asked for, and each is one thing only. */
START_TEST(life_counts)
{
    struct rehearsal rehearsal;
    uint32_t servers[SIM_SERVER_SLOW + 1] = { 0 }, tables[SIM_TABLE_NAMESAKE + 1] = { 0 };
    rehearsal_open(&rehearsal,
                   "{servers: 30, down: 1, silent: 2, refusing: 3, cut: 4, restarting: 5, slow: 6, "
                   "tables: 31, dropped: 1, forgotten: 2, undescribed: 3, renamed: 4, conflicting: "
                   "5, namesakes: 6}");
    for (uint32_t i = 0; i < 30; i++)
        servers[sim_server_fault(rehearsal.sim, i)]++;
    for (int32_t i = 1; i <= 31; i++)
        tables[sim_table_fault(rehearsal.sim, i)]++;
    ck_assert_uint_eq(servers[0], 9);
    ck_assert_uint_eq(tables[0], 10);
    for (uint32_t i = 1; i <= SIM_SERVER_SLOW; i++)
        ck_assert_uint_eq(servers[i], i);
    for (uint32_t i = 1; i <= SIM_TABLE_NAMESAKE; i++)
        ck_assert_uint_eq(tables[i], i);
    rehearsal_close(&rehearsal);
}
END_TEST

static uint32_t life_claims(struct rehearsal *rehearsal)
{
    struct core_told told;
    uint32_t claims = 0;
    rehearsal_ask(rehearsal, FIRST, 0, SIM_REPLICAS, &told);
    for (const struct br_chunk *chunk = told.chunks; chunk; chunk = chunk->next) {
        const struct br_replica *rows = chunk->rows;
        for (uint32_t i = 0; i < chunk->count; i++)
            claims += rows[i].role == BR_ROLE_PRIMARY || rows[i].role == BR_ROLE_SECONDARY
                      || rows[i].role == BR_ROLE_LEARNER;
    }
    rehearsal_told_done(&told);
    return claims;
}

/* A lease runs out after so many answers; whoever restarts has none. */
START_TEST(life_roles)
{
    struct rehearsal rehearsal;
    rehearsal_open(&rehearsal, "{roles: serving, lease_answers: 2, learners: 500000}");
    uint32_t claims = life_claims(&rehearsal);
    ck_assert_uint_ge(claims, 24 * 3 / 5);
    ck_assert_uint_eq(life_claims(&rehearsal), claims);
    ck_assert_uint_eq(life_claims(&rehearsal), 0);
    ck_assert_uint_eq(life_claims(&rehearsal), 0);
    rehearsal_close(&rehearsal);
    rehearsal_open(&rehearsal, "{roles: serving, restarting: 5}");
    ck_assert_uint_eq(life_claims(&rehearsal), 0); /* it is away */
    ck_assert_uint_eq(life_claims(&rehearsal), 0);
    rehearsal_close(&rehearsal);
    rehearsal_open(&rehearsal, "{}");
    ck_assert_uint_eq(life_claims(&rehearsal), 0);
    rehearsal_close(&rehearsal);
}
END_TEST

/* -- Time ------------------------------------------------------------------------------------- */

START_TEST(life_delays)
{
    static const struct {
        const char *yaml;
        br_time least, most;
    } spreads[] = {
        { "{latency: 10ms}", 10 * BR_MILLISECOND, 10 * BR_MILLISECOND },
        { "{latency: 10ms, spread: even}", 0, 20 * BR_MILLISECOND },
        { "{latency: 10ms, spread: long}", 0, 500 * BR_MILLISECOND },
        { "{latency: 1h, slow: 5, slow_latency: 10ms}", 0, 0 }, /* refused */
        { "{latency: 1s, slow: 5, slow_latency: 10ms}", 10 * BR_MILLISECOND, 10 * BR_MILLISECOND },
        { "{latency: 10min, spread: long}", 0, 420 * BR_MINUTE },
    };
    enum { ASKED = 10000 };
    struct rehearsal rehearsal;
    struct fail fail;
    br_time sum = 0, mean;
    if (spreads[_i].most == 0) {
        ck_assert_int_eq(rehearsal_try(&rehearsal, spreads[_i].yaml, &fail), BR_INVALID);
        return;
    }
    rehearsal_open(&rehearsal, spreads[_i].yaml);
    mean = rehearsal.sim->slow ? rehearsal.sim->slow_latency : rehearsal.sim->latency;
    for (uint32_t i = 0; i < ASKED; i++) {
        br_time delay = sim_delay(rehearsal.sim, i % 5, (int) i % 2, i);
        ck_assert_int_eq(sim_delay(rehearsal.sim, i % 5, (int) i % 2, i), delay);
        ck_assert(delay >= spreads[_i].least && delay <= spreads[_i].most);
        sum += delay / ASKED;
    }
    ck_assert_msg(sum > mean * 95 / 100 && sum < mean * 105 / 100, "%lld, not about %lld",
                  (long long) sum, (long long) mean);
    rehearsal_close(&rehearsal);
}
END_TEST

/* A server that never answers is waited for as long as the call says, or until somebody gives up.
 */
START_TEST(life_silence)
{
    struct rehearsal rehearsal;
    struct core_told told = { 0 };
    rehearsal_open(&rehearsal, "{silent: 5}");
    transport_replicas(&rehearsal.transport, FIRST, 0, 20 * BR_MILLISECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_TIMEOUT);
    told = (struct core_told){ 0 };
    struct br_call *call =
        transport_replicas(&rehearsal.transport, FIRST, 0, PLUGIN_FOREVER, core_done, &told);
    core_settle();
    ck_assert_int_eq(told.count, 0);
    transport_cancel(&rehearsal.transport, call);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_CANCELED);
    rehearsal_close(&rehearsal);
}
END_TEST

/* Its deadline has passed before it is asked: it says so at once. */
START_TEST(life_silence_that_is_over)
{
    struct rehearsal rehearsal;
    struct core_told told = { 0 };
    rehearsal_open(&rehearsal, "{silent: 5}");
    transport_tables(&rehearsal.transport, FIRST, 0, 1, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_TIMEOUT);
    rehearsal_close(&rehearsal);
}
END_TEST

/* -- Under way -------------------------------------------------------------------------------- */

/* More rounds than one turn looks at, for two at once, and one who gives up in between. */
START_TEST(life_slices)
{
    struct rehearsal rehearsal;
    struct core_told big = { 0 }, other = { 0 }, given_up = { 0 };
    rehearsal_open(&rehearsal, "{servers: 3, replicas: 2, tables: 2, partitions: 9000}");
    transport_replicas(&rehearsal.transport, FIRST, 0, 60 * BR_SECOND, core_done, &big);
    struct br_call *call = transport_replicas(&rehearsal.transport, "10.0.0.2:34801", 1,
                                              60 * BR_SECOND, core_done, &given_up);
    transport_replicas(&rehearsal.transport, "10.0.0.3:34801", 2, 60 * BR_SECOND, core_done,
                       &other);
    core_settle();
    core_settle();
    ck_assert_int_eq(big.count + other.count, 0);
    transport_cancel(&rehearsal.transport, call);
    core_wait(&given_up, 1);
    ck_assert_int_eq(given_up.status, BR_CANCELED);
    core_wait(&big, 1);
    core_wait(&other, 1);
    uint32_t count = 0;
    for (const struct br_chunk *chunk = big.chunks; chunk; chunk = chunk->next) {
        count += chunk->count;
        ck_assert_uint_le(chunk->count, SIM_CHUNK_MAX);
    }
    ck_assert_uint_eq(count, 2 * 9000 * 2 / 3);
    ck_assert_int_eq(((const struct br_replica *) other.chunks->rows)->node, 2);
    rehearsal_told_done(&big);
    rehearsal_told_done(&other);
    rehearsal_close(&rehearsal);
}
END_TEST

/* The only question is given up before its turn, and another one comes. */
START_TEST(life_given_up)
{
    struct rehearsal rehearsal;
    struct core_told told = { 0 }, slow = { 0 };
    rehearsal_open(&rehearsal, "{slow: 5, slow_latency: 10min}");
    struct br_call *call =
        transport_tables(&rehearsal.transport, FIRST, 0, PLUGIN_FOREVER, core_done, &slow);
    transport_cancel(&rehearsal.transport, call);
    core_wait(&slow, 1);
    ck_assert_int_eq(slow.status, BR_CANCELED);
    rehearsal_close(&rehearsal);
    rehearsal_open(&rehearsal, "{}");
    call = transport_tables(&rehearsal.transport, FIRST, 0, 0, core_done, &told);
    transport_cancel(&rehearsal.transport, call);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_CANCELED);
    core_settle();
    rehearsal_ask(&rehearsal, FIRST, 0, SIM_TABLES, &told);
    ck_assert_int_eq(told.status, BR_OK);
    rehearsal_told_done(&told);
    rehearsal_close(&rehearsal);
}
END_TEST

static void life_ask_all(struct rehearsal *rehearsal, struct core_told told[10])
{
    for (uint32_t i = 0; i < 5; i++) {
        const char *name = rehearsal_name(rehearsal->sim, i);
        transport_tables(&rehearsal->transport, name, 0, PLUGIN_FOREVER, core_done, &told[2 * i]);
        transport_replicas(&rehearsal->transport, name, 0, PLUGIN_FOREVER, core_done,
                           &told[2 * i + 1]);
    }
}

static void life_all_canceled(const struct core_told told[10])
{
    for (int i = 0; i < 10; i++) {
        core_wait(&told[i], 1);
        ck_assert_int_eq(told[i].status, BR_CANCELED);
        ck_assert_msg(strstr(told[i].message, "the transport stops") != NULL, "%s",
                      told[i].message);
    }
}

START_TEST(life_stopped)
{
    static const char *const yaml[] = { "{}", "{latency: 10min}", "{silent: 3, slow: 1}",
                                        "{servers: 5, replicas: 1, partitions: 1000000}" };
    struct rehearsal rehearsal;
    struct core_told told[10] = { { 0 } };
    rehearsal_open(&rehearsal, yaml[_i]);
    life_ask_all(&rehearsal, told);
    rehearsal_close(&rehearsal);
    life_all_canceled(told);
}
END_TEST

/* Closed without a stop, as by a host that ends. */
START_TEST(life_closed)
{
    struct rehearsal rehearsal;
    struct core_told told[10] = { { 0 } };
    rehearsal_open(&rehearsal, "{silent: 1, slow: 1, slow_latency: 10min}");
    life_ask_all(&rehearsal, told);
    plugin_close(&rehearsal.transport);
    life_all_canceled(told);
    core_settle();
    arena_done(&rehearsal.options);
}
END_TEST

TCase *transport_sim_life(void)
{
    TCase *tcase = tcase_create("transport_sim_life");
    tcase_add_checked_fixture(tcase, core_setup, core_teardown);
    tcase_add_test(tcase, life_names);
    tcase_add_loop_test(tcase, life_faults, 0, 6);
    tcase_add_test(tcase, life_counts);
    tcase_add_test(tcase, life_roles);
    tcase_add_loop_test(tcase, life_delays, 0, 6);
    tcase_add_test(tcase, life_silence);
    tcase_add_test(tcase, life_silence_that_is_over);
    tcase_add_test(tcase, life_slices);
    tcase_add_test(tcase, life_given_up);
    tcase_add_loop_test(tcase, life_stopped, 0, 4);
    tcase_add_test(tcase, life_closed);
    return tcase;
}
