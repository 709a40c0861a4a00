/* test_etcd -- the etcd store against a real server: what the conformance kit cannot ask, because
 * it is etcd's alone.  t/test_etcd.sh runs it below t/etcd.sh.
 */
#include "t/test_etcd.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *server_post(const char *what, const char *json, const char *token)
{
    struct buf command = { 0 };
    buf_printf(&command, "'%s' --post '%s' %s '%s' %s", server_env("SCRIPT"), server_env("HOME"),
               what, json, token ? token : "");
    FILE *pipe = popen(command.data, "r");
    buf_done(&command);
    ck_assert_ptr_nonnull(pipe);
    json_t *root = json_loadf(pipe, JSON_DISABLE_EOF_CHECK, NULL);
    pclose(pipe);
    ck_assert_msg(json_is_object(root), "%s: no answer", what);
    return root;
}

void server_put(const char *key, const char *value)
{
    struct buf json = { 0 };
    buf_text(&json, "{\"key\":\"");
    etcd_base64(&json, key, strlen(key));
    buf_text(&json, "\",\"value\":\"");
    etcd_base64(&json, value, strlen(value));
    buf_text(&json, "\"}");
    json_t *root = server_post("/v3/kv/put", buf_string(&json), NULL);
    ck_assert_ptr_null(json_object_get(root, "error"));
    json_decref(root);
    buf_done(&json);
}

const struct etcd *server_etcd(const struct instance *in)
{
    return in->plugin.owner.env.self;
}

void server_revoke(const struct instance *in)
{
    char json[64];
    snprintf(json, sizeof json, "{\"ID\":\"%" PRId64 "\"}", server_etcd(in)->lease);
    json_t *root = server_post("/v3/lease/revoke", json, NULL);
    ck_assert_ptr_null(json_object_get(root, "error"));
    json_decref(root);
}

/* -- Text -------------------------------------------------------------------------------------- */

/* RFC 4648's own examples, and what is none. */
START_TEST(base64)
{
    static const char *const pairs[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };
    static const char *const wrong[] = { "Z",    "Zg=",      "Zg",   "Z===",
                                         "====", "Zg==Zg==", "Z!==", "Zm9v\n" };
    char bytes[16];
    size_t size;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf text = { 0 };
        etcd_base64(&text, pairs[i][0], strlen(pairs[i][0]));
        ck_assert_str_eq(buf_string(&text), pairs[i][1]);
        ck_assert(etcd_unbase64(pairs[i][1], bytes, &size));
        ck_assert_uint_eq(size, strlen(pairs[i][0]));
        ck_assert_mem_eq(bytes, pairs[i][0], size);
        buf_done(&text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!etcd_unbase64(wrong[i], bytes, &size), "%s", wrong[i]);
}
END_TEST

START_TEST(keys)
{
    static const struct etcd etcd = { .prefix = "/p" };
    static const char *const rows[][4] = {
        { "/", "/p/", "/p//", "/p/0" },
        { "/a", "/p//a", "/p/a//", "/p/a/0" },
        { "/a/b c", "/p/a//b c", "/p/a/b c//", "/p/a/b c/0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *key = etcd_key(&etcd, rows[i][0]), *end;
        char *from = etcd_children(&etcd, rows[i][0], &end);
        ck_assert_str_eq(key, rows[i][1]);
        ck_assert_str_eq(from, rows[i][2]);
        ck_assert_str_eq(end, rows[i][3]);
        free(key);
        free(from);
        free(end);
    }
}
END_TEST

START_TEST(values)
{
    static const struct {
        const char *text;
        int64_t version; /* -1: it is none */
        const char *data;
    } rows[] = { { "0 ", 0, "" },   { "12 a b", 12, "a b" }, { "", -1, "" },   { " x", -1, "" },
                 { "x y", -1, "" }, { "-1 x", -1, "" },      { "12", -1, "" }, { "1x y", -1, "" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t version = -1;
        br_bytes data = { NULL, 0 };
        bool good = etcd_value(rows[i].text, strlen(rows[i].text), &version, &data);
        ck_assert_msg(good == (rows[i].version >= 0), "%s", rows[i].text);
        if (!good)
            continue;
        ck_assert_int_eq(version, rows[i].version);
        ck_assert_uint_eq(data.size, strlen(rows[i].data));
        ck_assert_mem_eq(data.data, rows[i].data, data.size);
    }
}
END_TEST

/* As the gateway has numbers and bytes, and has not. */
START_TEST(fields)
{
    json_t *json = json_loads("{\"a\":\"12\",\"b\":7,\"c\":\"x\",\"d\":\"eA==\",\"e\":\"=\",\"f\":["
                              "],\"g\":false,\"h\":true}",
                              0, NULL);
    static const struct {
        const char *name;
        int64_t number;
        const char *bytes; /* NULL: none */
    } rows[] = { { "a", 12, NULL }, { "b", 7, NULL }, { "c", 0, NULL }, { "d", 0, "x" },
                 { "e", 0, NULL },  { "f", 0, NULL }, { "none", 0, "" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = 0;
        ck_assert_int_eq(etcd_number(json, rows[i].name), rows[i].number);
        char *bytes = etcd_bytes(json, rows[i].name, &size);
        ck_assert_msg(!bytes == !rows[i].bytes, "%s", rows[i].name);
        if (bytes)
            ck_assert_str_eq(bytes, rows[i].bytes);
        free(bytes);
    }
    ck_assert(etcd_true(json, "h") && !etcd_true(json, "g") && !etcd_true(json, "a")
              && !etcd_true(json, "none"));
    json_decref(json);
}
END_TEST

TCase *etcd_text_case(void)
{
    TCase *tcase = tcase_create("text");
    tcase_add_test(tcase, base64);
    tcase_add_test(tcase, keys);
    tcase_add_test(tcase, values);
    tcase_add_test(tcase, fields);
    return tcase;
}

static int with_tls(void)
{
    struct etcd probe = { .cacert = "", .cert = "" };
    const char *wrong = etcd_tls_begin(&probe);
    if (wrong) {
        fprintf(stderr, "SKIPPED: %s\n", wrong);
        return 77;
    }
    etcd_tls_end(&probe);
    return test_run("etcd tls", etcd_tls_case(), NULL);
}

int main(int argc, char **argv)
{
    char *load[] = { (char *) (uintptr_t) "etcd" };
    server_use("ETCD");
    signal(SIGPIPE, SIG_IGN); /* as the host does */
    if (!server_env("HOSTS")) {
        fprintf(stderr, "SKIPPED: no server: run t/test_etcd.sh\n");
        return 77;
    }
    conform.patience = 15;
    conform_load(1, load, NULL);
    if (server_env("TLS"))
        return with_tls();
    if (argc > 1 && strcmp(argv[1], "proxy") == 0)
        return test_run("etcd behind a proxy", etcd_answer_case(), etcd_proxy_case(),
                        etcd_session_case(), NULL);
    return test_run("etcd", etcd_text_case(), etcd_option_case(), etcd_batch_case(),
                    etcd_lock_case(), etcd_fault_case(), etcd_auth_case(), NULL);
}
