/* test_base -- host/base: memory, texts, numbers, checksums. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/arena.h"
#include "host/base/crc.h"
#include "host/base/fail.h"
#include "host/base/intern.h"
#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/base/set64.h"
#include "t/test.h"

/* -- mem -------------------------------------------------------------------------------------- */

START_TEST(mem_zeroed)
{
    unsigned char *bytes = mem_new(1000);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_int_eq(bytes[i], 0);
    bytes = mem_grow(bytes, 2000);
    memset(bytes, 1, 2000);
    free(bytes);
    free(mem_new(0));
    int *array = mem_array(10, sizeof *array);
    ck_assert_int_eq(array[9], 0);
    free(array);
    ck_assert_ptr_null(mem_text(NULL));
    char *text = mem_text("abc");
    ck_assert_str_eq(text, "abc");
    free(text);
}
END_TEST

START_TEST(mem_overflow)
{
    mem_array(SIZE_MAX / 2, 3);
}
END_TEST

/* -- buf -------------------------------------------------------------------------------------- */

START_TEST(buf_grows)
{
    struct buf buf = { 0 };
    ck_assert_str_eq(buf_string(&buf), "");
    for (int i = 0; i < 10000; i++) {
        buf_i64(&buf, i);
        buf_char(&buf, ' ');
        ck_assert_int_eq(buf.data[buf.size], '\0');
    }
    buf_put(&buf, NULL, 0);
    ck_assert_uint_eq(buf.size, 48890);
    size_t cap = buf.cap;
    buf_clear(&buf);
    ck_assert_uint_eq(buf.size, 0);
    ck_assert_uint_eq(buf.cap, cap);
    ck_assert_str_eq(buf.data, "");
    buf_done(&buf);
    ck_assert_ptr_null(buf.data);
}
END_TEST

START_TEST(buf_numbers)
{
    static const struct {
        int64_t value;
        const char *text;
    } table[] = { { 0, "0" },
                  { -1, "-1" },
                  { 10, "10" },
                  { INT64_MAX, "9223372036854775807" },
                  { INT64_MIN, "-9223372036854775808" } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf buf = { 0 };
        buf_i64(&buf, table[i].value);
        ck_assert_str_eq(buf.data, table[i].text);
        buf_done(&buf);
    }
}
END_TEST

/* Shorter than, as long as and longer than the room that is there. */
START_TEST(buf_prints)
{
    for (int size = 0; size < 300; size++) {
        struct buf buf = { 0 };
        buf_text(&buf, ">");
        buf_printf(&buf, "%*s|%d", size, "", size);
        ck_assert_uint_eq(buf.size, strlen(buf.data));
        ck_assert_int_eq(buf.data[size + 1], '|');
        int64_t value;
        ck_assert(number_i64(buf.data + size + 2, buf.size - (size_t) size - 2, &value));
        ck_assert_int_eq(value, size);
        buf_done(&buf);
    }
}
END_TEST

START_TEST(buf_escapes)
{
    static const struct {
        const char *text, *json;
    } table[] = {
        { "", "\"\"" },
        { "plain", "\"plain\"" },
        { "a\"b\\c/d", "\"a\\\"b\\\\c/d\"" },
        { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
        { "\x01\x1f\x7f", "\"\\u0001\\u001F\x7f\"" },
        { "\xc3\xa9\xff", "\"\xc3\xa9\xff\"" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf buf = { 0 };
        buf_json(&buf, table[i].text);
        ck_assert_str_eq(buf.data, table[i].json);
        buf_done(&buf);
    }
}
END_TEST

/* -- arena, intern ---------------------------------------------------------------------------- */

START_TEST(arena_many)
{
    struct arena arena;
    arena_init(&arena, 256);
    unsigned char *kept[500];
    for (size_t i = 0; i < 500; i++) {
        kept[i] = arena_alloc(&arena, i);
        ck_assert_uint_eq((uintptr_t) kept[i] % 8, 0);
        memset(kept[i], (int) (i & 255), i);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_uint_eq(kept[i][j], i & 255);
    ck_assert_uint_ge(arena.held, arena.used);
    const unsigned char *zero = arena_zero(&arena, 100);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(zero[i], 0);
    arena_done(&arena);
    ck_assert_uint_eq(arena.held, 0);
    ck_assert_str_eq(arena_text(&arena, "again", 3), "aga");
    ck_assert_str_eq(arena_text(&arena, NULL, 0), "");
    arena_done(&arena);
}
END_TEST

/* All pairs of empty, one block and several. */
START_TEST(arena_adopts)
{
    static const int sizes[] = { 0, 1, 40 };
    for (size_t i = 0; i < 9; i++) {
        struct arena to, from;
        arena_init(&to, 64);
        arena_init(&from, 64);
        const char *last = "";
        for (int j = 0; j < sizes[i % 3]; j++)
            arena_text(&to, "to", 2);
        for (int j = 0; j < sizes[i / 3]; j++)
            last = arena_text(&from, "from", 4);
        size_t used = to.used + from.used, held = to.held + from.held;
        arena_adopt(&to, &from);
        ck_assert_uint_eq(to.used, used);
        ck_assert_uint_eq(to.held, held);
        ck_assert_ptr_null(from.block);
        ck_assert(sizes[i / 3] == 0 || strcmp(last, "from") == 0);
        arena_text(&to, "more", 4);
        arena_text(&from, "anew", 4);
        arena_done(&to);
        arena_done(&from);
    }
}
END_TEST

START_TEST(intern_same)
{
    struct arena arena;
    struct intern intern;
    arena_init(&arena, 0);
    intern_init(&intern, &arena);
    const char *seen[2000];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2000; i++) {
            char text[32];
            int size = snprintf(text, sizeof text, "%0*d", i % 20, i);
            const char *copy = intern_bytes(&intern, text, (size_t) size);
            ck_assert_str_eq(copy, text);
            if (round)
                ck_assert_ptr_eq(copy, seen[i]);
            seen[i] = copy;
        }
    ck_assert_str_eq(intern_bytes(&intern, "", 0), "");
    ck_assert_str_eq(intern_bytes(&intern, "12345", 2), "12");
    intern_done(&intern);
    ck_assert_str_eq(seen[7], "0000007");
    arena_done(&arena);
}
END_TEST

/* More texts of one hash than are looked through: later ones get copies of their own. */
START_TEST(intern_probes_max)
{
    struct arena arena;
    struct intern intern;
    arena_init(&arena, 0);
    intern_init(&intern, &arena);
    const char *first = intern_bytes(&intern, "first", 5);
    for (uint32_t i = 0; i < 2 * INTERN_PROBES_MAX; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        intern_bytes(&intern, text, strlen(text));
    }
    ck_assert_uint_gt(intern.mask, INTERN_PROBES_MAX);
    for (uint32_t i = 0; i <= intern.mask; i++) /* as if all had collided */
        if (!intern.slots[i].text)
            intern.slots[i] = (struct intern_slot){ "other", 0, 5 };
    ck_assert_ptr_eq(intern_bytes(&intern, "first", 5), first);
    ck_assert_ptr_null(intern_place(&intern, "newcomer", 8));
    const char *own = intern_bytes(&intern, "newcomer", 8);
    ck_assert_str_eq(own, "newcomer");
    ck_assert_ptr_ne(intern_bytes(&intern, "newcomer", 8), own);
    intern_done(&intern);
    arena_done(&arena);
}
END_TEST

/* -- number ----------------------------------------------------------------------------------- */

START_TEST(number_texts)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } table[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "007", true, 7 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "99999999999999999999", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "0x1", false, 0 },
        { "--1", false, 0 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t value = 42;
        bool ok = number_i64(table[i].text, strlen(table[i].text), &value);
        ck_assert_msg(ok == table[i].ok, "%s", table[i].text);
        ck_assert_int_eq(value, ok ? table[i].value : 42);
    }
    int32_t small = 0;
    ck_assert(number_i32("-2147483648", 11, &small) && small == INT32_MIN);
    ck_assert(number_i32("2147483647", 10, &small) && small == INT32_MAX);
    ck_assert(!number_i32("2147483648", 10, &small));
    ck_assert(!number_i32("-2147483649", 11, &small));
    ck_assert(number_i32("12345", 2, &small) && small == 12);
}
END_TEST

START_TEST(number_nodes)
{
    static const struct {
        const char *text;
        size_t host; /* 0: refused */
        uint16_t port;
    } table[] = {
        { "10.0.0.1:34801", 8, 34801 },
        { "rs_1.dc-2:1", 9, 1 },
        { "h:65535", 1, 65535 },
        { "h:65536", 0, 0 },
        { "h:0", 0, 0 },
        { "h:01", 0, 0 },
        { "h:", 0, 0 },
        { "h", 0, 0 },
        { ":1", 0, 0 },
        { "", 0, 0 },
        { "a b:1", 0, 0 },
        { "h:1 ", 0, 0 },
        { "h:-1", 0, 0 },
        { "h:123456", 0, 0 },
        { "h:1:2", 0, 0 },
        { "[::1]:80", 0, 0 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t host = 0;
        uint16_t port = 0;
        bool ok = number_node(table[i].text, &host, &port);
        ck_assert_msg(ok == (table[i].host > 0), "%s", table[i].text);
        ck_assert_uint_eq(host, table[i].host);
        ck_assert_uint_eq(port, table[i].port);
    }
    char text[NODE_NAME_MAX + 3];
    size_t host;
    uint16_t port;
    memset(text, 'h', sizeof text);
    strncpy(text + 255, ":65535", 7);
    ck_assert(number_node(text, &host, &port) && strlen(text) == NODE_NAME_MAX);
    memset(text, 'h', sizeof text);
    strncpy(text + 256, ":6553", 6);
    ck_assert(!number_node(text, &host, &port));
}
END_TEST

/* -- crc, fail -------------------------------------------------------------------------------- */

START_TEST(crc_values)
{
    ck_assert_uint_eq(crc32c("123456789", 9, 0), 0xE3069283);
    ck_assert_uint_eq(crc32c_portable("123456789", 9, 0), 0xE3069283);
    ck_assert_uint_eq(crc32c(NULL, 0, 0), 0);
    ck_assert(crc64("123456789", 9, 0) == UINT64_C(0xae8b14860a799888));
    ck_assert(crc64("hash", 4, 0) == UINT64_C(0x5fec6e448a0b067c));
    ck_assert(crc64(NULL, 0, 0) == 0);
}
END_TEST

/* Every length and alignment, in one piece and in two. */
START_TEST(crc_same)
{
    unsigned char bytes[300];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        seed = seed * 1103515245u + 12345u;
        bytes[i] = (unsigned char) (seed >> 16);
    }
    for (size_t at = 0; at < 9; at++)
        for (size_t size = 0; size < sizeof bytes - 9; size++) {
            uint32_t whole = crc32c(bytes + at, size, 0);
            ck_assert_uint_eq(whole, crc32c_portable(bytes + at, size, 0));
            size_t cut = size / 3;
            ck_assert_uint_eq(crc32c(bytes + at + cut, size - cut, crc32c(bytes + at, cut, 0)),
                              whole);
            ck_assert(crc64(bytes + at + cut, size - cut, crc64(bytes + at, cut, 0))
                      == crc64(bytes + at, size, 0));
        }
}
END_TEST

START_TEST(fail_sentences)
{
    struct fail fail = { 0 };
    ck_assert_int_eq(fail_set(NULL, BR_CORRUPT, "unheard"), BR_CORRUPT);
    ck_assert_int_eq(fail_set(&fail, BR_TOOBIG, "%d bytes", 7), BR_TOOBIG);
    ck_assert_int_eq(fail_prefix(&fail, "file %s", "x"), BR_TOOBIG);
    ck_assert_str_eq(fail.text, "file x: 7 bytes");
    char text[2 * FAIL_TEXT_MAX];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    fail_set(&fail, BR_INVALID, "%s", text);
    ck_assert_uint_eq(strlen(fail.text), FAIL_TEXT_MAX - 1);
    fail_prefix(&fail, "%s", "b");
    ck_assert_uint_eq(strlen(fail.text), FAIL_TEXT_MAX - 1);
    ck_assert_int_eq(strncmp(fail.text, "b: aaa", 6), 0);
    fail_prefix(&fail, "%s", text);
    ck_assert_uint_eq(strlen(fail.text), FAIL_TEXT_MAX - 1);
}
END_TEST

/* -- set64 ------------------------------------------------------------------------------------ */

START_TEST(set64_is_empty)
{
    struct set64 set = { 0 };
    uint32_t at = 0;
    uint64_t key;
    ck_assert(!set64_has(&set, 0));
    ck_assert(!set64_remove(&set, 0));
    ck_assert(!set64_next(&set, &at, &key));
    set64_done(&set);
    ck_assert(set64_add(&set, 0)); /* after done, too */
    ck_assert(set64_has(&set, 0) && !set64_has(&set, 1));
    set64_done(&set);
}
END_TEST

/* Against a plain array: keys that lie side by side, as partitions do, and keys far apart. */
START_TEST(set64_same_as_an_array)
{
    enum { KEYS = 500, STEPS = 40000 };
    static bool there[KEYS];
    struct set64 set = { 0 };
    uint64_t seed = 12345;
    uint32_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t i = (uint32_t) (seed >> 33) % KEYS;
        uint64_t key = _i ? (uint64_t) i << 32 | (i & 3) : i;
        /* it fills in the first half and empties in the second */
        bool add = (seed >> 20 & 7) < (step < STEPS / 2 ? 6u : 2u);
        bool changed = add ? set64_add(&set, key) : set64_remove(&set, key);
        ck_assert_int_eq(changed, add != there[i]);
        there[i] = add;
        count = changed ? (add ? count + 1 : count - 1) : count;
        ck_assert_uint_eq(set.count, count);
        ck_assert_int_eq(set64_has(&set, key), add);
    }
    uint32_t at = 0;
    uint32_t walked = 0;
    for (uint64_t key; set64_next(&set, &at, &key); walked++)
        ck_assert(there[_i ? key >> 32 : key]);
    ck_assert_uint_eq(walked, count);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint64_t key = _i ? (uint64_t) i << 32 | (i & 3) : i;
        ck_assert_int_eq(set64_has(&set, key), there[i]);
        ck_assert_int_eq(set64_remove(&set, key), there[i]);
        there[i] = false;
    }
    ck_assert_uint_eq(set.count, 0);
    set64_done(&set);
}
END_TEST

START_TEST(set64_half_full_at_most)
{
    struct set64 set = { 0 };
    for (uint64_t i = 0; i < 10000; i++) {
        set64_add(&set, UINT64_MAX - 1 - i);
        ck_assert_uint_le(2 * (uint64_t) set.count, (uint64_t) set.mask + 3);
    }
    ck_assert_uint_eq(set.count, 10000);
    set64_done(&set);
}
END_TEST

int main(void)
{
    TCase *mem = tcase_create("mem");
    tcase_add_test(mem, mem_zeroed);
    if (!getenv("CK_FORK") || strcmp(getenv("CK_FORK"), "no") != 0)
        tcase_add_exit_test(mem, mem_overflow, MEM_EXIT);
    tcase_add_test(mem, arena_many);
    tcase_add_test(mem, arena_adopts);
    tcase_add_test(mem, intern_same);
    tcase_add_test(mem, intern_probes_max);
    tcase_add_test(mem, set64_is_empty);
    tcase_add_loop_test(mem, set64_same_as_an_array, 0, 2);
    tcase_add_test(mem, set64_half_full_at_most);
    TCase *text = tcase_create("text");
    tcase_add_test(text, buf_grows);
    tcase_add_test(text, buf_numbers);
    tcase_add_test(text, buf_prints);
    tcase_add_test(text, buf_escapes);
    tcase_add_test(text, number_texts);
    tcase_add_test(text, number_nodes);
    tcase_add_test(text, fail_sentences);
    TCase *crc = tcase_create("crc");
    tcase_add_test(crc, crc_values);
    tcase_add_test(crc, crc_same);
    return test_run("base", mem, text, crc, NULL);
}
