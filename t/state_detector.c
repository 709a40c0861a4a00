/* state_detector -- who is alive, who has been without a gap, who restarts too often. */
#include "host/meta/detector.h"
#include "t/state_kit.h"

static struct detector detector;
static bool fresh;

static void setup(void)
{
    detector_init(&detector, &(struct detector_rules){ .grace = 22 * BR_SECOND,
                                                       .stable_time = 600 * BR_SECOND,
                                                       .restarts_max = 3 });
}

static void teardown(void)
{
    detector_done(&detector);
}

static struct detector_node *see(const char *name, int64_t start_ms, br_time second)
{
    struct detector_node *node =
        detector_see(&detector, name, 7, start_ms, second * BR_SECOND, &fresh);
    ck_assert_ptr_nonnull(node);
    return node;
}

START_TEST(a_server_dies_once)
{
    see("b:1", 0, 100);
    ck_assert(fresh);
    see("a:1", 0, 110);
    see("b:1", 0, 103);
    ck_assert(!fresh);
    ck_assert_ptr_null(detector_died(&detector, 125 * BR_SECOND));
    struct detector_node *dead = detector_died(&detector, 126 * BR_SECOND);
    ck_assert_ptr_nonnull(dead);
    ck_assert_str_eq(dead->name, "b:1");
    ck_assert_ptr_null(detector_died(&detector, 126 * BR_SECOND));
    see("b:1", 0, 127);
    ck_assert(fresh);
}
END_TEST

/* Another process in its place has heard of nothing. */
START_TEST(a_server_that_restarted_is_new)
{
    see("a:1", 1000, 100);
    see("a:1", 1000, 103);
    ck_assert(!fresh);
    see("a:1", 2000, 104);
    ck_assert(fresh);
    see("a:1", 1000, 105); /* a beacon that came late */
    ck_assert(!fresh);
}
END_TEST

/* It passed its grace unnoticed, and is back: whoever asks must hear of it. */
START_TEST(a_server_is_new_after_its_grace)
{
    see("a:1", 0, 100);
    see("a:1", 0, 130);
    ck_assert(fresh);
}
END_TEST

START_TEST(a_server_of_the_metadata_is_presumed)
{
    struct detector_node *node = detector_presume(&detector, "a:1", 9, 100 * BR_SECOND);
    ck_assert(node->presumed && node->alive);
    ck_assert_ptr_null(detector_died(&detector, 122 * BR_SECOND));
    node = see("a:1", 0, 120);
    ck_assert(fresh && !node->presumed);
    ck_assert_uint_eq(node->gaps, 0);
    node = detector_presume(&detector, "a:1", 9, 121 * BR_SECOND);
    ck_assert(!node->presumed); /* it is known better */
}
END_TEST

/* A follower heard it long ago; the leader that gave it its lease is gone only now. */
START_TEST(a_whole_grace_passes_after_a_takeover)
{
    see("a:1", 0, 100);
    detector_presume(&detector, "a:1", 9, 120 * BR_SECOND);
    ck_assert_ptr_null(detector_died(&detector, 141 * BR_SECOND));
    ck_assert_ptr_nonnull(detector_died(&detector, 143 * BR_SECOND));
}
END_TEST

START_TEST(a_server_may_never_come)
{
    detector_presume(&detector, "a:1", 9, 100 * BR_SECOND);
    ck_assert_ptr_nonnull(detector_died(&detector, 123 * BR_SECOND));
    ck_assert_uint_eq(detector_alive_count(&detector, 123 * BR_SECOND), 0);
}
END_TEST

START_TEST(acknowledgements_have_no_gap)
{
    struct detector_node *node = see("a:1", 5, 100);
    detector_acked(node, 100 * BR_SECOND);
    node = see("a:1", 5, 107);
    detector_acked(node, 107 * BR_SECOND);
    ck_assert_int_eq(node->acked_since, 100 * BR_SECOND);
    ck_assert_int_eq(node->acked, 107 * BR_SECOND);
    ck_assert_uint_eq(node->gaps, 0);
    node = see("a:1", 5, 115); /* more than DETECTOR_GAP */
    ck_assert_int_eq(node->acked_since, 0);
    ck_assert_uint_eq(node->gaps, 1);
    detector_acked(node, 115 * BR_SECOND);
    ck_assert_int_eq(node->acked_since, 115 * BR_SECOND);
    node->cold = true;
    ck_assert_ptr_nonnull(detector_refuses(&detector, node));
    detector_forget_acks(&detector);
    ck_assert_int_eq(node->acked_since, 0);
    ck_assert_ptr_null(detector_refuses(&detector, node));
}
END_TEST

/* Presumed alive in the midst of a silence, its beacon comes: there was a gap all the same. */
START_TEST(a_presumption_hides_no_gap)
{
    struct detector_node *node = see("a:1", 5, 100);
    detector_acked(node, 100 * BR_SECOND);
    detector_presume(&detector, "a:1", 7, 160 * BR_SECOND);
    node = see("a:1", 5, 161);
    ck_assert_uint_eq(node->gaps, 1);
    ck_assert_int_eq(node->acked_since, 0);
}
END_TEST

START_TEST(another_process_was_not_acknowledged)
{
    struct detector_node *node = see("a:1", 5, 100);
    detector_acked(node, 100 * BR_SECOND);
    node = see("a:1", 99000, 101);
    ck_assert_int_eq(node->acked_since, 0);
}
END_TEST

/* Beacons of one server: (start of its process in s, when it came) and how many restarts in a row
 * count after it. */
static const struct {
    int64_t start, when;
    uint32_t restarts;
} starts[] = {
    { 1000, 100, 0 },  /* the first is none */
    { 1100, 200, 1 },  /* too soon */
    { 1100, 203, 1 },  /* the same process */
    { 1150, 250, 2 },  /* ... again */
    { 1100, 251, 2 },  /* a beacon that came late */
    { 1200, 300, 3 },  /* refused from now on */
    { 1200, 899, 3 },  /* ... still */
    { 1200, 900, 0 },  /* it ran for 600 s: forgiven */
    { 1300, 1000, 1 }, /* counted from 0 */
    { 1900, 1600, 0 }, /* after 600 s */
    { 0, 1601, 0 },    /* it did not say */
    { INT64_MIN, 1602, 0 },
};

START_TEST(restarts_in_a_row)
{
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        int64_t start = starts[i].start > 0 ? starts[i].start * 1000 : starts[i].start;
        struct detector_node *node = see("a:1", start, starts[i].when);
        ck_assert_msg(node->restarts == starts[i].restarts, "row %zu: %u", i, node->restarts);
        ck_assert_int_eq(detector_refuses(&detector, node) != NULL, starts[i].restarts >= 3);
    }
}
END_TEST

/* Who gets no answer has no lease: it dies, and lives again once it is forgiven. */
START_TEST(unstable_is_dead)
{
    for (int64_t i = 1; i <= 4; i++)
        see("a:1", i * 100000, 100 + (br_time) i);
    br_time now = 104 * BR_SECOND + detector.rules.grace;
    ck_assert_ptr_null(detector_died(&detector, 103 * BR_SECOND + detector.rules.grace));
    see("a:1", 400000, now / BR_SECOND);
    struct detector_node *node = detector_died(&detector, now);
    ck_assert_ptr_nonnull(node);
    ck_assert(!detector_alive(&detector, node, now));
    now += detector.rules.stable_time;
    detector_see(&detector, "a:1", 1, 400000, now, &fresh);
    ck_assert(fresh);
    ck_assert(detector_alive(&detector, node, now));
}
END_TEST

/* Whatever number a stranger sends. */
START_TEST(absurd_start_times)
{
    static const int64_t times[] = { INT64_MAX, INT64_MIN, -1, 1, INT64_MAX, INT64_MIN, INT64_MAX };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        see("a:1", times[i], 100 + (br_time) i);
    struct detector_node *node = see("b:1", INT64_MIN, 100);
    see("b:1", INT64_MAX, 100);
    ck_assert_ptr_null(detector_refuses(&detector, node));
}
END_TEST

START_TEST(an_address_is_kept)
{
    detector_see(&detector, "a:1", 7, 0, 1, &fresh);
    ck_assert_uint_eq(detector_see(&detector, "a:1", 0, 0, 2, &fresh)->address, 7);
    ck_assert_uint_eq(detector_see(&detector, "a:1", 8, 0, 3, &fresh)->address, 8);
    ck_assert_ptr_null(detector_find(&detector, "a:2"));
}
END_TEST

TCase *state_detector_cases(void)
{
    TCase *tcase = tcase_create("detector");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_server_dies_once);
    tcase_add_test(tcase, a_server_that_restarted_is_new);
    tcase_add_test(tcase, a_server_is_new_after_its_grace);
    tcase_add_test(tcase, a_server_of_the_metadata_is_presumed);
    tcase_add_test(tcase, a_whole_grace_passes_after_a_takeover);
    tcase_add_test(tcase, a_server_may_never_come);
    tcase_add_test(tcase, acknowledgements_have_no_gap);
    tcase_add_test(tcase, a_presumption_hides_no_gap);
    tcase_add_test(tcase, another_process_was_not_acknowledged);
    tcase_add_test(tcase, restarts_in_a_row);
    tcase_add_test(tcase, unstable_is_dead);
    tcase_add_test(tcase, absurd_start_times);
    tcase_add_test(tcase, an_address_is_kept);
    return tcase;
}
