/* data_check -- check_and_set and check_and_mutate: every check, every outcome. */
#include <stdio.h>

#include "t/data.h"

#define ABSENT NULL

static const struct check_case {
    int32_t type;
    const char *value; /* ABSENT */
    const char *operand;
    int32_t error; /* DATA_OK: it passes */
} cases[] = {
    { CHECK_NONE, ABSENT, "", DATA_OK },
    { CHECK_NONE, "x", "y", DATA_OK },
    { CHECK_NOT_EXIST, ABSENT, "", DATA_OK },
    { CHECK_NOT_EXIST, "", "", DATA_TRY_AGAIN },
    { CHECK_NOT_EXIST, "x", "", DATA_TRY_AGAIN },
    { CHECK_NOT_EXIST_OR_EMPTY, ABSENT, "", DATA_OK },
    { CHECK_NOT_EXIST_OR_EMPTY, "", "", DATA_OK },
    { CHECK_NOT_EXIST_OR_EMPTY, "x", "", DATA_TRY_AGAIN },
    { CHECK_EXIST, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_EXIST, "", "", DATA_OK },
    { CHECK_EXIST, "x", "", DATA_OK },
    { CHECK_NOT_EMPTY, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_NOT_EMPTY, "", "", DATA_TRY_AGAIN },
    { CHECK_NOT_EMPTY, "x", "", DATA_OK },
    { CHECK_ANYWHERE, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_ANYWHERE, "", "", DATA_OK },
    { CHECK_ANYWHERE, "abc", "", DATA_OK },
    { CHECK_ANYWHERE, "abc", "b", DATA_OK },
    { CHECK_ANYWHERE, "abc", "ac", DATA_TRY_AGAIN },
    { CHECK_ANYWHERE, "abc", "abcd", DATA_TRY_AGAIN },
    { CHECK_PREFIX, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_PREFIX, "abc", "", DATA_OK },
    { CHECK_PREFIX, "abc", "ab", DATA_OK },
    { CHECK_PREFIX, "abc", "bc", DATA_TRY_AGAIN },
    { CHECK_POSTFIX, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_POSTFIX, "abc", "", DATA_OK },
    { CHECK_POSTFIX, "abc", "bc", DATA_OK },
    { CHECK_POSTFIX, "abc", "ab", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS, ABSENT, "x", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS, "", "x", DATA_OK },
    { CHECK_BYTES_LESS, "a", "b", DATA_OK },
    { CHECK_BYTES_LESS, "b", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS, "c", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS, "9", "10", DATA_TRY_AGAIN }, /* bytes, not numbers */
    { CHECK_BYTES_LESS, "\x7f", "\x80", DATA_OK },
    { CHECK_BYTES_LESS + 1, "a", "b", DATA_OK },
    { CHECK_BYTES_LESS + 1, "b", "b", DATA_OK },
    { CHECK_BYTES_LESS + 1, "c", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS + 1, ABSENT, "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS + 2, "a", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS + 2, "b", "b", DATA_OK },
    { CHECK_BYTES_LESS + 2, "c", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS + 2, "b", "bb", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS + 2, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS + 3, "a", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_LESS + 3, "b", "b", DATA_OK },
    { CHECK_BYTES_LESS + 3, "c", "b", DATA_OK },
    { CHECK_BYTES_LESS + 3, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_BYTES_GREATER, "a", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_GREATER, "b", "b", DATA_TRY_AGAIN },
    { CHECK_BYTES_GREATER, "c", "b", DATA_OK },
    { CHECK_BYTES_GREATER, ABSENT, "", DATA_TRY_AGAIN },
    { CHECK_INT_LESS, ABSENT, "1", DATA_TRY_AGAIN },
    { CHECK_INT_LESS, ABSENT, "no number", DATA_TRY_AGAIN },
    { CHECK_INT_LESS, "9", "10", DATA_OK },
    { CHECK_INT_LESS, "10", "10", DATA_TRY_AGAIN },
    { CHECK_INT_LESS, "11", "10", DATA_TRY_AGAIN },
    { CHECK_INT_LESS, "-9223372036854775808", "9223372036854775807", DATA_OK },
    { CHECK_INT_LESS, "", "10", DATA_INVALID_ARGUMENT },
    { CHECK_INT_LESS, "ten", "10", DATA_INVALID_ARGUMENT },
    { CHECK_INT_LESS, "9", "", DATA_INVALID_ARGUMENT },
    { CHECK_INT_LESS, "9", "ten", DATA_INVALID_ARGUMENT },
    { CHECK_INT_LESS, "9", "9223372036854775808", DATA_INVALID_ARGUMENT },
    { CHECK_INT_LESS + 1, "9", "10", DATA_OK },
    { CHECK_INT_LESS + 1, "10", "10", DATA_OK },
    { CHECK_INT_LESS + 1, "11", "10", DATA_TRY_AGAIN },
    { CHECK_INT_LESS + 1, "x", "10", DATA_INVALID_ARGUMENT },
    { CHECK_INT_LESS + 2, "9", "10", DATA_TRY_AGAIN },
    { CHECK_INT_LESS + 2, "0xa", "10", DATA_OK },
    { CHECK_INT_LESS + 2, "11", "10", DATA_TRY_AGAIN },
    { CHECK_INT_LESS + 2, "10", "x", DATA_INVALID_ARGUMENT },
    { CHECK_INT_LESS + 3, "9", "10", DATA_TRY_AGAIN },
    { CHECK_INT_LESS + 3, "10", "10", DATA_OK },
    { CHECK_INT_LESS + 3, "11", "10", DATA_OK },
    { CHECK_INT_LESS + 3, "x", "10", DATA_INVALID_ARGUMENT },
    { CHECK_INT_GREATER, "9", "10", DATA_TRY_AGAIN },
    { CHECK_INT_GREATER, "10", "10", DATA_TRY_AGAIN },
    { CHECK_INT_GREATER, "11", "10", DATA_OK },
    { CHECK_INT_GREATER, "11", "-9223372036854775809", DATA_INVALID_ARGUMENT },
    { -1, ABSENT, "", DATA_INVALID_ARGUMENT },
    { -1, "x", "", DATA_INVALID_ARGUMENT },
    { CHECK_INT_GREATER + 1, "11", "10", DATA_INVALID_ARGUMENT },
    { INT32_MAX, "11", "10", DATA_INVALID_ARGUMENT },
    { INT32_MIN, "11", "10", DATA_INVALID_ARGUMENT },
};

static char hash[16]; /* each case has its own */

static struct msg_rrdb_check_and_set_request set_request(const struct check_case *want)
{
    struct msg_rrdb_check_and_set_request request;
    wire_init(&wire_rrdb_check_and_set_request, &request);
    request.hash_key = kit_text(hash);
    request.check_sort_key = B("check");
    request.check_type = want->type;
    request.check_operand = kit_text(want->operand);
    request.set_diff_sort_key = true;
    request.set_sort_key = B("set");
    request.set_value = B("done");
    return request;
}

static struct msg_rrdb_check_response set(const struct msg_rrdb_check_and_set_request *request)
{
    struct msg_rrdb_check_response response;
    kit_run("RPC_RRDB_RRDB_CHECK_AND_SET", &wire_rrdb_check_and_set_request, request);
    kit_take(&wire_rrdb_check_response, &response);
    return response;
}

static struct msg_rrdb_mutate mutation(int32_t operation, const char *sort, const char *value)
{
    struct msg_rrdb_mutate one;
    wire_init(&wire_rrdb_mutate, &one);
    one.operation = operation;
    one.sort_key = kit_text(sort);
    one.value = kit_text(value);
    return one;
}

static struct msg_rrdb_check_response
mutate(const struct check_case *want, struct msg_rrdb_mutate *list, uint32_t count, bool wanted)
{
    struct msg_rrdb_check_and_mutate_request request;
    struct msg_rrdb_check_response response;
    wire_init(&wire_rrdb_check_and_mutate_request, &request);
    request.hash_key = kit_text(hash);
    request.check_sort_key = B("check");
    request.check_type = want->type;
    request.check_operand = kit_text(want->operand);
    request.mutate_list = (struct wire_list){ list, count };
    request.return_check_value = wanted;
    kit_run("RPC_RRDB_RRDB_CHECK_AND_MUTATE", &wire_rrdb_check_and_mutate_request, &request);
    kit_take(&wire_rrdb_check_response, &response);
    return response;
}

static void check_value(const struct check_case *want, const struct msg_rrdb_check_response *got,
                        bool wanted)
{
    bool looked = want->type >= CHECK_NONE && want->type <= CHECK_INT_GREATER;
    bool there = wanted && looked && want->value;
    ck_assert_msg(got->error == want->error, "%s: %d", hash, got->error);
    ck_assert_int_eq(got->check_value_returned, wanted && looked);
    ck_assert_int_eq(got->check_value_exist, there);
    ck_assert_int_eq(data_compare(got->check_value, kit_text(there ? want->value : "")), 0);
}

static void check_and_set(const struct check_case *want, bool wanted)
{
    uint32_t expires;
    if (want->value)
        kit_put(hash, "check", want->value, 0);
    struct msg_rrdb_check_and_set_request request = set_request(want);
    request.return_check_value = wanted;
    struct msg_rrdb_check_response response = set(&request);
    check_value(want, &response, wanted);
    ck_assert_str_eq(kit_stored(hash, "set", &expires), want->error == DATA_OK ? "done" : "(none)");
    ck_assert_str_eq(kit_stored(hash, "check", &expires), want->value ? want->value : "(none)");
}

static void check_and_mutate(const struct check_case *want, bool wanted)
{
    uint32_t expires;
    bool done = want->error == DATA_OK;
    struct msg_rrdb_mutate list[] = { mutation(MUTATE_PUT, "set", "done"),
                                      mutation(MUTATE_DELETE, "gone", "") };
    if (want->value)
        kit_put(hash, "check", want->value, 0);
    kit_put(hash, "gone", "here", 0);
    struct msg_rrdb_check_response response = mutate(want, list, 2, wanted);
    check_value(want, &response, wanted);
    ck_assert_str_eq(kit_stored(hash, "set", &expires), done ? "done" : "(none)");
    ck_assert_str_eq(kit_stored(hash, "gone", &expires), done ? "(none)" : "here");
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Without and with the value that was looked at. */
START_TEST(every_check)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int wanted = 0; wanted < 2; wanted++) {
            snprintf(hash, sizeof hash, "%s %zu %d", _i ? "mutate" : "set", i, wanted);
            if (_i)
                check_and_mutate(&cases[i], wanted);
            else
                check_and_set(&cases[i], wanted);
        }
    }
}
END_TEST

static const struct check_case always = { CHECK_NONE, ABSENT, "", DATA_OK };
static const struct check_case exists = { CHECK_EXIST, ABSENT, "", DATA_OK };

/* Without another sort key the one that was looked at is set. */
START_TEST(set_in_its_place)
{
    uint32_t expires;
    struct msg_rrdb_check_and_set_request request = set_request(&always);
    request.set_diff_sort_key = false;
    request.set_expire_ts_seconds = (int32_t) KIT_SECONDS + 4;
    ck_assert_int_eq(set(&request).error, DATA_OK);
    ck_assert_str_eq(kit_stored(hash, "check", &expires), "done");
    ck_assert_uint_eq(expires, KIT_SECONDS + 4);
    ck_assert_str_eq(kit_stored(hash, "set", &expires), "(none)");
}
END_TEST

/* What has expired is not there. */
START_TEST(what_has_expired)
{
    kit_put(hash, "check", "value", KIT_SECONDS);
    struct msg_rrdb_check_and_set_request request = set_request(&exists);
    request.return_check_value = true;
    struct msg_rrdb_check_response response = set(&request);
    ck_assert_int_eq(response.error, DATA_TRY_AGAIN);
    ck_assert(response.check_value_returned);
    ck_assert(!response.check_value_exist);
    ck_assert_uint_eq(response.check_value.size, 0);
    kit.seconds--;
    ck_assert_int_eq(set(&request).error, DATA_OK);
}
END_TEST

/* One after the other; of one key the last one counts. */
START_TEST(mutations_in_order)
{
    uint32_t expires;
    struct msg_rrdb_mutate list[] = {
        mutation(MUTATE_PUT, "a", "1"),    mutation(MUTATE_DELETE, "a", ""),
        mutation(MUTATE_DELETE, "b", ""),  mutation(MUTATE_PUT, "b", "2"),
        mutation(MUTATE_PUT, "check", ""), mutation(MUTATE_DELETE, "none", "ignored"),
    };
    list[3].set_expire_ts_seconds = (int32_t) KIT_SECONDS + 6;
    ck_assert_int_eq(mutate(&always, list, 6, false).error, DATA_OK);
    ck_assert_str_eq(kit_stored(hash, "a", &expires), "(none)");
    ck_assert_str_eq(kit_stored(hash, "b", &expires), "2");
    ck_assert_uint_eq(expires, KIT_SECONDS + 6);
    ck_assert_str_eq(kit_stored(hash, "check", &expires), "");
}
END_TEST

/* Nothing to do, or one operation among good ones that is none: nothing is done. */
START_TEST(bad_mutations)
{
    static const int32_t operations[] = { -1, MUTATE_DELETE + 1, INT32_MAX };
    struct buf left = { 0 };
    ck_assert_int_eq(mutate(&always, NULL, 0, true).error, DATA_INVALID_ARGUMENT);
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t place = 0; place < 3; place++) {
            struct msg_rrdb_mutate list[] = { mutation(MUTATE_PUT, "a", "1"),
                                              mutation(MUTATE_PUT, "b", "2"),
                                              mutation(MUTATE_DELETE, "c", "") };
            list[place].operation = operations[i];
            struct msg_rrdb_check_response response = mutate(&always, list, 3, true);
            ck_assert_int_eq(response.error, DATA_INVALID_ARGUMENT);
            ck_assert(!response.check_value_returned);
        }
    }
    kit_all(kit.store, &left);
    ck_assert_uint_eq(left.size, 0);
}
END_TEST

TCase *data_checks(void)
{
    TCase *tcase = tcase_create("check");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_loop_test(tcase, every_check, 0, 2);
    tcase_add_test(tcase, set_in_its_place);
    tcase_add_test(tcase, what_has_expired);
    tcase_add_test(tcase, mutations_in_order);
    tcase_add_test(tcase, bad_mutations);
    return tcase;
}
