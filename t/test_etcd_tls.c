/* test_etcd_tls -- the etcd store and a real server that speaks TLS, is certified for localhost and
 * wants to see a certificate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/test_etcd.h"

/* "cacert=%s/ca.pem" with the directory of the certificates; malloc'ed. */
static char *option(const char *format)
{
    struct buf text = { 0 };
    const char *hole = strstr(format, "%s");
    if (!hole)
        return mem_text(format);
    buf_put(&text, format, (size_t) (hole - format));
    buf_printf(&text, "%s%s", server_env("HOME"), hole + 2);
    return text.data;
}

static char *host(const char *name)
{
    struct buf text = { 0 };
    buf_printf(&text, "hosts=%s%s", name, strchr(server_env("HOSTS"), ':'));
    return text.data;
}

/* Everything over it; and again, once the server was killed: nothing of the old connection is left.
 */
START_TEST(all_of_it)
{
    char *hosts = host("localhost"), *cacert = option("cacert=%s/ca.pem"),
         *cert = option("cert=%s/client.pem"), *key = option("key=%s/client.key");
    struct instance *in = server_instance(hosts, "tls=true", cacert, cert, key, NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(server_commit_fenced(in, fence, at("n%d", i)), BR_OK);
        ck_assert_uint_eq(server_child_count(in, conform.root), 2 + (uint32_t) i);
        if (i == 1)
            break;
        struct answer answer;
        const char *root = conform.root;
        server_pause();
        answer_init(&answer);
        store_read(&in->plugin, &root, 1, NULL, PLUGIN_FOREVER, answer_take, &answer);
        server_kill();
        answer_wait(&answer);
        ck_assert_int_eq(answer.status, BR_UNAVAILABLE);
        answer_done(&answer);
        server_start();
        ck_assert_int_eq(server_get_when_back(in, at("n0")), BR_OK);
    }
    ck_assert_int_eq(conform_elections(in, at("lock")), 1);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    free(fence);
    instance_free(in);
    free(hosts);
    free(cacert);
    free(cert);
    free(key);
}
END_TEST

static const struct {
    const char *host;
    const char *options[3];
    br_status status;
    const char *sentence; /* part of it */
} refusals[] = {
    /* The server's certificate is not to be trusted. */
    { "localhost",
      { "cert=%s/client.pem", "key=%s/client.key" },
      BR_UNAVAILABLE,
      "the server's certificate: " },
    { "localhost",
      { "cacert=%s/other.pem", "cert=%s/client.pem", "key=%s/client.key" },
      BR_UNAVAILABLE,
      "the server's certificate: " },
    { "127.0.0.1",
      { "cacert=%s/ca.pem", "cert=%s/client.pem", "key=%s/client.key" },
      BR_UNAVAILABLE,
      "the server's certificate: IP address mismatch" },
    /* Ours is not there, or not the one. */
    { "localhost", { "cacert=%s/ca.pem" }, BR_UNAVAILABLE, "TLS: " },
    { "localhost",
      { "cacert=%s/ca.pem", "cert=%s/other.pem", "key=%s/other.key" },
      BR_UNAVAILABLE,
      "TLS: " },
    /* The files. */
    { "localhost", { "cacert=%s/none.pem" }, BR_INVALID, "none.pem: No such file" },
    { "localhost", { "cacert=%s/ports" }, BR_INVALID, "cacert: " },
    { "localhost",
      { "cacert=%s/ca.pem", "cert=%s/none.pem", "key=%s/client.key" },
      BR_INVALID,
      "none.pem: No such file" },
    { "localhost",
      { "cacert=%s/ca.pem", "cert=%s/client.pem", "key=%s/other.key" },
      BR_INVALID,
      "other.key: key values mismatch" },
    { "localhost",
      { "cacert=%s/ca.pem", "cert=%s/client.pem", "key=%s/locked.key" },
      BR_INVALID,
      "locked.key: " },
};

/* It is refused at once, or tries again and again because of that. */
static void expect_start(struct instance *in, br_status status, const char *sentence)
{
    struct answer answer;
    answer_init(&answer);
    plugin_start(&in->plugin, PLUGIN_FOREVER, answer_take, &answer);
    while (!answer.done && (status != BR_UNAVAILABLE || !strstr(server_etcd(in)->why, sentence)))
        loop_turn(conform.loop);
    ck_assert_int_eq(answer.done, status != BR_UNAVAILABLE);
    ck_assert_msg(!answer.done || answer.status == status, "%d: %s", answer.status, answer.text);
    ck_assert_msg(!answer.done || strstr(answer.text, sentence), "%s", answer.text);
    instance_free(in);
    answer_done(&answer);
}

START_TEST(refused)
{
    char *options[4] = { host(refusals[_i].host) };
    for (int i = 0; i < 3; i++)
        options[i + 1] = refusals[_i].options[i] ? option(refusals[_i].options[i]) : NULL;
    struct instance *in =
        server_instance_made("tls=true", options[0], options[1], options[2], options[3], NULL);
    expect_start(in, refusals[_i].status, refusals[_i].sentence);
    for (int i = 0; i < 4; i++)
        free(options[i]);
}
END_TEST

START_TEST(plain_client)
{
    struct instance *in = server_instance_made(NULL, NULL);
    expect_start(in, BR_UNAVAILABLE, "no answer came");
}
END_TEST

/* A certificate that was renewed is read without a restart. */
START_TEST(renewed)
{
    struct buf command = { 0 };
    struct answer answer;
    char *hosts = host("localhost"), *cacert = option("cacert=%s/late.pem"),
         *cert = option("cert=%s/client.pem"), *key = option("key=%s/client.key");
    buf_printf(&command, "cd '%s' && cp other.pem late.pem", server_env("HOME"));
    ck_assert_int_eq(system(buf_string(&command)), 0);
    struct instance *in = server_instance_made("tls=true", hosts, cacert, cert, key, NULL);
    answer_init(&answer);
    plugin_start(&in->plugin, 20 * BR_SECOND, answer_take, &answer);
    while (!server_etcd(in)->why[0])
        loop_turn(conform.loop);
    ck_assert_msg(strstr(server_etcd(in)->why, "certificate"), "%s", server_etcd(in)->why);
    buf_clear(&command);
    buf_printf(&command, "cd '%s' && cp ca.pem late.tmp && mv late.tmp late.pem",
               server_env("HOME"));
    ck_assert_int_eq(system(buf_string(&command)), 0);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    answer_done(&answer);
    buf_done(&command);
    instance_free(in);
    free(hosts);
    free(cacert);
    free(cert);
    free(key);
}
END_TEST

TCase *etcd_tls_case(void)
{
    TCase *tcase = server_case("tls");
    tcase_add_test(tcase, all_of_it);
    tcase_add_loop_test(tcase, refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(tcase, plain_client);
    tcase_add_test(tcase, renewed);
    return tcase;
}
