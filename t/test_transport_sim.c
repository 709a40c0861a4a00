/* transport_sim: options and their limits, the same answers always and everywhere, servers' faults,
 * questions under way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/cluster.h"
#include "t/transport_sim.h"

_Static_assert(SIM_PARTITIONS_MAX == CLUSTER_PARTITIONS_MAX, "what the host can judge");

/* -- Options ---------------------------------------------------------------------------------- */

START_TEST(sim_refuses)
{
    static const struct {
        const char *yaml, *says;
    } wrong[] = {
        { "{seed: -1}", "seed (transport sim) must be between 0 and 9223372036854775807, not -1" },
        { "{servers: 0}", "servers (transport sim) must be between 1 and 4096, not 0" },
        { "{servers: 4097}", "servers (transport sim) must be between 1 and 4096, not 4097" },
        { "{tables: 0}", "tables (transport sim) must be between 1 and 65536, not 0" },
        { "{tables: 65537}", "must be between 1 and 65536, not 65537" },
        { "{partitions: 0}", "partitions (transport sim) must be between 1 and 1048576, not 0" },
        { "{partitions: 1048577}", "must be between 1 and 1048576, not 1048577" },
        { "{partitions_max: 1048577}", "must be between 0 and 1048576, not 1048577" },
        { "{partitions_max: 7}", "partitions_max is 7, less than partitions (8)" },
        { "{tables: 5, partitions: 1000000}",
          "5000000 partitions of all tables together are over 4194304" },
        { "{servers: 20, replicas: 17}", "replicas (transport sim) must be between 1 and 16" },
        { "{servers: 2}", "3 replicas of a partition need as many servers, and there are 2" },
        { "{servers: 3, learners: 1}",
          "4 replicas of a partition, with learners or leftovers, need as many servers" },
        { "{servers: 3, leftovers: 1}", "and there are 3" },
        { "{disks: 9}", "disks (transport sim) must be between 1 and 8, not 9" },
        { "{roles: primary}",
          "roles (transport sim) must be one of inactive|serving; not \"primary\"" },
        { "{spread: wide}", "spread (transport sim) must be one of fixed|even|long; not \"wide\"" },
        { "{lease_answers: 1000001}", "must be between 0 and 1000000, not 1000001" },
        { "{latency: 11min}", "latency (transport sim) must be between 0ns and 10min, not 11min" },
        { "{slow_latency: 11min}", "must be between 0ns and 10min, not 11min" },
        { "{lost: 1000001}", "lost (transport sim) must be between 0 and 1000000, not 1000001" },
        { "{stale: -1}", "stale (transport sim) must be between 0 and 1000000, not -1" },
        { "{down: 4097}", "down (transport sim) must be between 0 and 4096, not 4097" },
        { "{down: 1, silent: 1, refusing: 1, cut: 1, restarting: 1, slow: 1}",
          "are 6 servers together, and there are 5" },
        { "{dropped: 1, forgotten: 1, undescribed: 1, renamed: 1}",
          "are 4 tables together, and there are 3" },
        { "{conflicting: 2, namesakes: 2}", "are 4 tables together, and there are 3" },
        { "{first: nowhere}", "first: \"nowhere\" is no IPv4 address and port" },
        { "{first: 'host:34801'}", "is no IPv4 address and port, as in \"10.0.0.1:34801\"" },
        { "{first: '10.0.0.1:0'}", "is no IPv4 address and port" },
        { "{first: 'a.host.whose.name.is.longer.than.an.address:1'}",
          "is no IPv4 address and port" },
        { "{first: '255.255.255.254:1'}",
          "from 255.255.255.254:1 on there are no 5 addresses: begin lower" },
        { "{nonsense: 1}", "nonsense" },
    };
    struct rehearsal rehearsal;
    struct fail fail = { 0 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(rehearsal_try(&rehearsal, wrong[i].yaml, &fail) == BR_INVALID, "%s",
                      wrong[i].yaml);
        ck_assert_msg(strstr(fail.text, wrong[i].says) != NULL, "%s", fail.text);
    }
}
END_TEST

START_TEST(sim_takes_its_limits)
{
    static const char *const most[] = {
        "{seed: 9223372036854775807, servers: 4096, tables: 65536, partitions: 1}",
        "{servers: 16, replicas: 16, tables: 4, partitions: 1048576, partitions_max: 1048576}",
        "{disks: 8, roles: serving, lease_answers: 1000000, latency: 10min, slow_latency: 10min}",
        "{lost: 1000000, stale: 1000000, no_ballot: 1000000}",
        "{first: '255.255.255.251:65535', down: 5, namesakes: 3}",
    };
    struct rehearsal rehearsal;
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        rehearsal_open(&rehearsal, most[i]);
        rehearsal_close(&rehearsal);
    }
}
END_TEST

/* Shares of partitions: about so many as asked for; none and all are exact. */
START_TEST(sim_shares)
{
    static const struct {
        int share;
        uint32_t least, most;
    } wants[] = {
        { 0, 0, 0 }, { 10000, 800, 1200 }, { 500000, 49000, 51000 }, { 1000000, 100000, 100000 }
    };
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        char yaml[128];
        struct rehearsal rehearsal;
        uint32_t lost = 0;
        snprintf(yaml, sizeof yaml, "{tables: 1, partitions: 100000, lost: %d}", wants[i].share);
        rehearsal_open(&rehearsal, yaml);
        for (int32_t partition = 0; partition < 100000; partition++) {
            struct sim_group group;
            sim_group(rehearsal.sim, 1, partition, &group);
            lost += group.lost;
        }
        ck_assert_uint_ge(lost, wants[i].least);
        ck_assert_uint_le(lost, wants[i].most);
        rehearsal_close(&rehearsal);
    }
}
END_TEST

/* -- The same always -------------------------------------------------------------------------- */

START_TEST(sim_permutes)
{
    static const uint32_t counts[] = { 1, 2, 3, 4, 5, 15, 16, 17, 1000, 4096, 65536 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        bool *seen = calloc(counts[i], sizeof *seen);
        uint32_t moved = 0;
        ck_assert_ptr_nonnull(seen);
        for (uint32_t value = 0; value < counts[i]; value++) {
            uint32_t to = sim_permute(i, counts[i], value);
            ck_assert_uint_lt(to, counts[i]);
            ck_assert(!seen[to]);
            seen[to] = true;
            ck_assert_uint_eq(sim_permute_back(i, counts[i], to), value);
            moved += to != value;
        }
        ck_assert(counts[i] < 1000 || moved > counts[i] * 9 / 10);
        free(seen);
    }
}
END_TEST

/* Written down once: every machine and every process must say this. */
static const char golden_replicas[] =
    "1.2:15:1336660427/1336660430/1336660407:ssd2:4 "
    "1.1:15:139273553/139273555/139273465:ssd1:4 "
    "2.0:12:2874342350/2874342352/2874342341:ssd1:4 "
    "3.1:17:1360455450/1360455453/1360455449:ssd1:4 "
    "3.0:12:2040290584/2040290587/2040290487:ssd2:1 "
    "5.1:13:1303648957/1303648957/1303648945:ssd1:1 "
    "5.1:12:1303648705/1303648708/1303648656:ssd1:1 "
    "5.0:7:395726969/395726972/395726913:ssd1:1 5.0:6:395726402/395726405/395726346:ssd1:1 "
    "6.1:18:2803889445/2803889446/2803889370:ssd2:3 "
    "6.1:17:2803889244/2803889245/2803889169:ssd2:3 "
    "6.0:13:2477575551/2477575552/2477575529:ssd1:4 "
    "6.0:12:2477574884/2477574885/2477574862:ssd1:4 "
    "6.3:6:3784851051/3784851052/3784850968:ssd2:4 "
    "6.3:5:3784849989/3784849991/3784849906:ssd2:4 "
    "6.2:14:1492444395/1492444397/1492444324:ssd1:5";
static const char golden_tables[] =
    "1:table_1:3:1 2:table_2:2:1 3:table_3:2:1 5:table_5:2:6 6:table_6:4:1";

START_TEST(sim_says_what_it_said)
{
    struct rehearsal rehearsal;
    struct core_told told;
    rehearsal_open(&rehearsal, "{seed: 7, servers: 4, tables: 6, partitions: 1, partitions_max: 4, "
                               "roles: serving, dropped: 1, lost: 100000, inverted: 100000, "
                               "learners: 200000, leftovers: 200000, splits: 100000, "
                               "outside: 100000, missing: 50000, stale: 200000, errors: 50000, "
                               "twice: 100000, no_ballot: 50000}");
    rehearsal_ask(&rehearsal, "10.0.0.2:34801", 9, SIM_REPLICAS, &told);
    char *text = rehearsal_text(&told);
    ck_assert_str_eq(text, golden_replicas);
    ck_assert_int_eq(((const struct br_replica *) told.chunks->rows)->node, 9);
    ck_assert_str_eq(((const struct br_replica *) told.chunks->rows)->type, "pegasus");
    rehearsal_told_done(&told);
    free(text);
    rehearsal_ask(&rehearsal, "10.0.0.2:34801", 9, SIM_TABLES, &told);
    text = rehearsal_text(&told);
    ck_assert_str_eq(text, golden_tables);
    ck_assert_int_eq(((const struct br_table *) told.chunks->rows)->node, 9);
    rehearsal_told_done(&told);
    free(text);
    rehearsal_close(&rehearsal);
}
END_TEST

static char *order_text(struct rehearsal *rehearsal, uint32_t server, int kind)
{
    struct core_told told;
    rehearsal_ask(rehearsal, rehearsal_name(rehearsal->sim, server), 0, kind, &told);
    char *text = rehearsal_text(&told);
    rehearsal_told_done(&told);
    return text;
}

/* Two instances, one asked forwards and one backwards, one of them everything twice. */
START_TEST(sim_order_does_not_matter)
{
    enum { SERVERS = 12 };
    static const char yaml[] = "{servers: 12, tables: 5, partitions: 3, partitions_max: 90, lost: "
                               "100000, stale: 300000, twice: 10000, renamed: 2, seed: 11}";
    struct rehearsal one, two;
    char *texts[SERVERS][SIM_KINDS];
    rehearsal_open(&one, yaml);
    rehearsal_open(&two, yaml);
    for (uint32_t i = 0; i < SERVERS; i++)
        for (int kind = 0; kind < SIM_KINDS; kind++)
            texts[i][kind] = order_text(&one, i, kind);
    for (uint32_t i = 2 * SERVERS; i-- > 0;) {
        for (int kind = SIM_KINDS; kind-- > 0;) {
            char *text = order_text(&two, i / 2, kind);
            ck_assert_str_eq(text, texts[i / 2][kind]);
            free(text);
        }
    }
    ck_assert_str_ne(texts[0][SIM_REPLICAS], texts[1][SIM_REPLICAS]);
    for (uint32_t i = 0; i < SERVERS; i++)
        for (int kind = 0; kind < SIM_KINDS; kind++)
            free(texts[i][kind]);
    rehearsal_close(&one);
    rehearsal_close(&two);
}
END_TEST

/* Another seed is another cluster; a fault changes nothing but what it is about. */
START_TEST(sim_seeds)
{
    static const char *const yaml[] = { "{seed: 1}", "{seed: 2}", "{seed: 1, down: 1, dropped: 1}",
                                        "{seed: 1, lost: 1, learners: 1}" };
    struct rehearsal rehearsal;
    uint32_t server = 0;
    char *texts[4];
    rehearsal_open(&rehearsal, yaml[2]);
    while (sim_server_fault(rehearsal.sim, server))
        server++;
    rehearsal_close(&rehearsal);
    for (int i = 0; i < 4; i++) {
        rehearsal_open(&rehearsal, yaml[i]);
        texts[i] = order_text(&rehearsal, server, SIM_REPLICAS);
        rehearsal_close(&rehearsal);
    }
    ck_assert_str_ne(texts[0], texts[1]);
    ck_assert_str_eq(texts[0], texts[2]);
    ck_assert_str_eq(texts[0], texts[3]);
    for (int i = 0; i < 4; i++)
        free(texts[i]);
}
END_TEST

/* In whole rounds every server has as many primaries and as many replicas as every other. */
START_TEST(sim_spreads)
{
    struct rehearsal rehearsal;
    rehearsal_open(&rehearsal, "{servers: 10, tables: 2, partitions: 200, roles: serving}");
    for (uint32_t i = 0; i < 10; i++) {
        char *text = order_text(&rehearsal, i, SIM_REPLICAS);
        uint32_t rows = 1, primaries = 0;
        for (const char *at = text; (at = strchr(at, ' ')); at++)
            rows++;
        for (const char *at = text; (at = strstr(at, ":3")); at++)
            primaries += at[2] == ' ' || at[2] == '\0';
        ck_assert_uint_eq(rows, 2 * 200 * 3 / 10);
        ck_assert_uint_eq(primaries, 2 * 200 / 10);
        free(text);
    }
    rehearsal_close(&rehearsal);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("transport_sim");
    tcase_add_checked_fixture(tcase, core_setup, core_teardown);
    tcase_add_test(tcase, sim_refuses);
    tcase_add_test(tcase, sim_takes_its_limits);
    tcase_add_test(tcase, sim_shares);
    tcase_add_test(tcase, sim_permutes);
    tcase_add_test(tcase, sim_says_what_it_said);
    tcase_add_test(tcase, sim_order_does_not_matter);
    tcase_add_test(tcase, sim_seeds);
    tcase_add_test(tcase, sim_spreads);
    return test_run("transport_sim", tcase, transport_sim_life(), transport_sim_truth(), NULL);
}
