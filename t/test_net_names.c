/* Clients and names: the hosts file, and a name server of our own on the loopback. */
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/net.h"

/* Knows rs1.test, says that nothing.test does not exist, and never answers silent.test. */
struct names {
    int fd;
    struct evdns_server_port *port;
    int questions;
    char *directory;
    char path[512]; /* a resolv.conf that leads here */
};

static void names_on_question(struct evdns_server_request *request, void *arg)
{
    struct names *names = arg;
    const char *name = request->questions[0]->name; /* in mixed case, which resolvers choose */
    names->questions++;
    if (strcasecmp(name, "silent.test") == 0) {
        evdns_server_request_drop(request);
        return;
    }
    if (strcasecmp(name, "rs1.test") == 0) {
        uint32_t ip = htonl(INADDR_LOOPBACK);
        evdns_server_request_add_a_reply(request, name, 1, &ip, 60);
        evdns_server_request_respond(request, DNS_ERR_NONE);
        return;
    }
    evdns_server_request_respond(request, DNS_ERR_NOTEXIST);
}

static void names_open(struct names *names, struct net *net)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof in;
    *names = (struct names){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0) };
    ck_assert_int_eq(bind(names->fd, (struct sockaddr *) &in, sizeof in), 0);
    ck_assert_int_eq(getsockname(names->fd, (struct sockaddr *) &in, &size), 0);
    names->port =
        evdns_add_server_port_with_base(net->base, names->fd, 0, names_on_question, names);
    names->directory = test_directory();
    snprintf(names->path, sizeof names->path, "%s/resolv.conf", names->directory);
    FILE *file = fopen(names->path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "nameserver 127.0.0.1:%u\n", (unsigned) ntohs(in.sin_port));
    fclose(file);
}

static void names_close(struct names *names)
{
    evdns_close_server_port(names->port);
    close(names->fd);
    unlink(names->path);
    rmdir(names->directory);
    free(names->directory);
}

static void names_node(char node[64], const char *host, const struct site *site)
{
    snprintf(node, 64, "%s:%u", host, (unsigned) address_port(site->address));
}

START_TEST(names_hosts_file)
{
    struct net net;
    struct site site = { 0 };
    struct answer answer = { 0 };
    char node[64];
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    struct rdsn_client *client = rdsn_client_new(net.base, &(struct rdsn_client_options){ 0 });
    names_node(node, "localhost", &site);
    net_ask(client, node, "hello", 0, &answer);
    NET_UNTIL(&net, answer.count == 1);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.why);
    answer_clear(&answer);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(names_server)
{
    struct net net;
    struct site site = { .options.datagrams = true };
    struct names names;
    struct answer good = { 0 }, datagram = { 0 }, bad = { 0 }, silent = { 0 }, canceled = { 0 };
    char node[64];
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    names_open(&names, &net);
    struct rdsn_client *client =
        rdsn_client_new(net.base, &(struct rdsn_client_options){ .resolv_conf = names.path });
    names_node(node, "rs1.test", &site);
    net_ask(client, node, "hello", 0, &good);
    struct rdsn_request beacon = { .rpc = "RPC_TEST", .timeout = 30 * BR_SECOND };
    rdsn_client_datagram(client, node, &beacon, answer_done, &datagram);
    names_node(node, "nothing.test", &site);
    net_ask(client, node, "hello", 0, &bad);
    names_node(node, "silent.test", &site);
    net_ask(client, node, "hello", 200 * BR_MILLISECOND, &silent);
    uint64_t ticket = net_ask(client, node, "hello", 0, &canceled);
    NET_UNTIL(&net, good.count == 1 && bad.count == 1 && datagram.count == 1);
    ck_assert_msg(good.status == BR_OK, "%s", good.why);
    ck_assert_msg(datagram.status == BR_OK, "%s", datagram.why);
    ck_assert_int_eq(bad.status, BR_UNAVAILABLE);
    ck_assert_str_eq(bad.error, "ERR_NETWORK_FAILURE");
    ck_assert_ptr_nonnull(strstr(bad.why, "cannot resolve nothing.test:"));
    rdsn_client_cancel(client, ticket);
    NET_UNTIL(&net, silent.count == 1 && canceled.count == 1);
    ck_assert_int_eq(canceled.status, BR_CANCELED);
    ck_assert_int_eq(silent.status, BR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(silent.why, "name was being resolved"));
    answer_clear(&good);
    answer_clear(&datagram);
    answer_clear(&bad);
    answer_clear(&silent);
    answer_clear(&canceled);
    rdsn_client_free(client);
    site_close(&site);
    names_close(&names);
    net_close(&net);
}
END_TEST

/* A client freed while a name is being resolved. */
START_TEST(names_free)
{
    struct net net;
    struct names names;
    struct answer answer = { 0 };
    net_open(&net);
    names_open(&names, &net);
    struct rdsn_client *client =
        rdsn_client_new(net.base, &(struct rdsn_client_options){ .resolv_conf = names.path });
    net_ask(client, "silent.test:34801", "hello", 0, &answer);
    net_ask(client, "silent.test:34802", "hello", 0, &answer);
    NET_UNTIL(&net, names.questions >= 2);
    rdsn_client_free(client);
    ck_assert_int_eq(answer.count, 0);
    names_close(&names);
    net_close(&net);
}
END_TEST

TCase *net_names_case(void)
{
    TCase *tcase = tcase_create("names");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_test(tcase, names_hosts_file);
    tcase_add_test(tcase, names_server);
    tcase_add_test(tcase, names_free);
    return tcase;
}
