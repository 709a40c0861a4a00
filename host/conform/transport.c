/* transport -- the rules of transports: what living nodes answer, and that a node which is down, or
 * talks nonsense, or says nothing, is never taken for one that holds nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/conform/kit.h"

enum { ASK_TABLES = 0, ASK_REPLICAS = 1, ASKS = 2 };

static struct br_call *ask(struct conform *c, int what, const char *node, int32_t index,
                           struct answer *answer)
{
    answer_begin(c, answer);
    if (what == ASK_TABLES)
        return transport_tables(&c->in->plugin, node, index, PLUGIN_FOREVER, answer_take, answer);
    return transport_replicas(&c->in->plugin, node, index, PLUGIN_FOREVER, answer_take, answer);
}

/* -- What living nodes answer ----------------------------------------------------------------- */

static void check_table(struct conform *c, const struct br_table *row, int32_t index)
{
    need(row->node == index, "asked as node %d it answers a table of node %d", index, row->node);
    need(row->id >= 1, "a table with the id %d", row->id);
    need(row->partition_count >= 0, "table %d with %d partitions", row->id, row->partition_count);
}

static void check_replica(struct conform *c, const struct br_replica *row, int32_t index)
{
    need(row->node == index, "asked as node %d it answers a replica of node %d", index, row->node);
    need(row->table >= 1 && row->partition >= 0, "a replica of %d.%d", row->table, row->partition);
    need(row->role >= BR_ROLE_INVALID && row->role <= BR_ROLE_SPLIT, "a replica with the role %d",
         row->role);
}

static uint64_t check_rows(struct conform *c, const struct answer *answer, int32_t index)
{
    uint64_t count = 0;
    for (const struct br_chunk *chunk = answer->chunks; chunk; chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++, count++) {
            struct br_table table;
            struct br_replica replica;
            if (chunk->kind == BR_ROW_TABLE)
                check_table(c, call_row(chunk, i, &table, sizeof table), index);
            else
                check_replica(c, call_row(chunk, i, &replica, sizeof replica), index);
        }
    }
    return count;
}

static void expect_answer(struct conform *c, int what, const char *node, int32_t index)
{
    struct answer answer;
    ask(c, what, node, index, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "%s: %s", node, answer.text);
    check_rows(c, &answer, index);
    answer_done(&answer);
}

static void rows_carry_the_index(struct conform *c)
{
    static const int32_t indexes[] = { 0, 7, BR_NODES_MAX - 1 };
    for (uint32_t node = 0; node < c->node_count; node++)
        for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
            for (int what = 0; what < ASKS; what++)
                expect_answer(c, what, c->nodes[node], indexes[i]);
}

static void each_call_is_answered(struct conform *c)
{
    struct answer answers[CONFORM_NODES_MAX][ASKS];
    for (uint32_t node = 0; node < c->node_count; node++)
        for (int what = 0; what < ASKS; what++)
            ask(c, what, c->nodes[node], (int32_t) node, &answers[node][what]);
    for (uint32_t node = 0; node < c->node_count; node++)
        for (int what = 0; what < ASKS; what++)
            answer_wait(&answers[node][what]);
    conform_linger(c); /* a second reply may come from a thread */
    for (uint32_t node = 0; node < c->node_count; node++)
        for (int what = 0; what < ASKS; what++)
            answer_done(&answers[node][what]);
}

static void many_at_once(struct conform *c)
{
    enum { MANY = 128 };
    static struct answer answers[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        ask(c, (int) (i / c->node_count % ASKS), c->nodes[i % c->node_count], (int32_t) i,
            &answers[i]);
    for (uint32_t i = 0; i < MANY; i++) {
        answer_wait(&answers[i]);
        need(answers[i].status == BR_OK, "call %u of %d at once: %s", i, MANY, answers[i].text);
        check_rows(c, &answers[i], (int32_t) i);
        answer_done(&answers[i]);
    }
}

/* HOST:PORT, or a path where nobody knows the name. */
static bool is_node(const char *name)
{
    const char *colon = strrchr(name, ':');
    return name[0] == '/'
           || (colon && colon > name && colon[1]
               && strspn(colon + 1, "0123456789") == strlen(colon + 1));
}

static void nodes_are_names(struct conform *c)
{
    struct answer answer;
    if (!c->in->plugin.ops.transport.nodes)
        return;
    answer_begin(c, &answer);
    transport_nodes(&c->in->plugin, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "%s", answer.text);
    char *seen[BR_NODES_MAX];
    uint32_t count = 0;
    for (const struct br_chunk *chunk = answer.chunks; chunk; chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            const char *room, *name = *(const char *const *) call_row(chunk, i, &room, sizeof room);
            need(is_node(name), "\"%s\" is not HOST:PORT, and no path", name);
            need(count < BR_NODES_MAX, "more than %d nodes", BR_NODES_MAX);
            for (uint32_t j = 0; j < count; j++)
                need(strcmp(seen[j], name) != 0, "%s stands twice", name);
            seen[count++] = mem_text(name);
        }
    }
    while (count)
        free(seen[--count]);
    answer_done(&answer);
}

static void calls_do_not_block(struct conform *c)
{
    br_time best = INT64_MAX;
    for (int i = 0; i < CONFORM_STALL_TRIES && best > CONFORM_STALL_MAX; i++) {
        struct answer answers[ASKS];
        br_time start = loop_now(c->loop);
        for (int what = 0; what < ASKS; what++)
            ask(c, what, c->nodes[0], 0, &answers[what]);
        br_time longest = loop_now(c->loop) - start;
        for (int what = 0; what < ASKS; what++) {
            br_time stalled = conform_stalled(&answers[what]);
            longest = stalled > longest ? stalled : longest;
            answer_done(&answers[what]);
        }
        best = longest < best ? longest : best;
    }
    need(best <= CONFORM_STALL_MAX, "the loop stood still for %lld ms while a node was asked",
         (long long) (best / BR_MILLISECOND));
}

static void grow_once(struct conform *c, uint32_t round)
{
    (void) round;
    expect_answer(c, ASK_TABLES, c->nodes[0], 0);
    expect_answer(c, ASK_REPLICAS, c->nodes[0], 0);
}

static void calls_do_not_grow(struct conform *c)
{
    conform_repeat(c, 520, 50, grow_once); /* 520: the host keeps the last 1024 calls */
}

/* -- What does not live ----------------------------------------------------------------------- */

/* A socket of 127.0.0.1 on a port of the kernel's choice; its name. */
static int bound(struct conform *c, char *ret_name, size_t size)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && bind(fd, (struct sockaddr *) &in, sizeof in) == 0
             && getsockname(fd, (struct sockaddr *) &in, &length) == 0,
         "no port of 127.0.0.1: %s", strerror(errno));
    snprintf(ret_name, size, "127.0.0.1:%u", ntohs(in.sin_port));
    return fd;
}

static void expect_silent(struct conform *c, const char *node)
{
    for (int what = 0; what < ASKS; what++) {
        struct answer answer;
        ask(c, what, node, 3, &answer);
        answer_wait(&answer);
        need(answer.status == BR_UNAVAILABLE || answer.status == BR_NOTFOUND
                 || answer.status == BR_REFUSED,
             "a node that is down: %s instead of BR_UNAVAILABLE", conform_status(answer.status));
        answer_done(&answer);
    }
}

static void down_is_unavailable(struct conform *c)
{
    char name[64];
    int fd = bound(c, name, sizeof name); /* nobody listens there, and nobody else can */
    expect_silent(c, name);
    close(fd);
}

static const char *const nonsense[] = {
    "", /* closed at once */
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "THFT\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    "\x01\x02\x03",
};

#define NONSENSE (sizeof nonsense / sizeof *nonsense)

/* Another process: whoever comes is told this, and then no more. */
static void talk(int fd, const char *text)
{
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        char asked[4096];
        int peer = accept(fd, NULL, NULL);
        if (peer < 0)
            _exit(1);
        if (*text && read(peer, asked, sizeof asked) > 0)
            (void) !write(peer, text, strlen(text));
        close(peer);
    }
}

static void nonsense_is_no_answer(struct conform *c)
{
    char name[64];
    int fd = bound(c, name, sizeof name);
    need_true(listen(fd, 16) == 0);
    pid_t pid = fork();
    if (pid == 0)
        talk(fd, nonsense[c->row]);
    close(fd);
    for (int what = 0; what < ASKS; what++) {
        struct answer answer;
        ask(c, what, name, 3, &answer);
        answer_wait(&answer);
        need(answer.status != BR_OK, "a node that talks nonsense is taken for one with %llu rows",
             (unsigned long long) check_rows(c, &answer, 3));
        need(!br_may_have_happened(answer.status), "a read's status is %s",
             conform_status(answer.status));
        answer_done(&answer);
    }
    kill(pid, SIGKILL);
}

/* A node that takes the connection and never says a word. */
static void stop_answers_everything(struct conform *c)
{
    struct answer answers[2 * ASKS];
    char name[64];
    int fd = bound(c, name, sizeof name);
    need_true(listen(fd, 16) == 0);
    struct instance *in = c->in = conform_start(c);
    for (int i = 0; i < 2 * ASKS; i++)
        ask(c, i % ASKS, name, i, &answers[i]);
    conform_turn(c, 10);
    instance_free(in);
    for (int i = 0; i < 2 * ASKS; i++)
        answer_done(&answers[i]);
    c->in = NULL;
    close(fd);
}

static void canceled_is_answered(struct conform *c)
{
    struct answer answers[ASKS];
    char name[64];
    int fd = bound(c, name, sizeof name);
    need_true(listen(fd, 16) == 0);
    for (int what = 0; what < ASKS; what++) {
        struct br_call *call = ask(c, what, name, 1, &answers[what]);
        conform_turn(c, 2);
        if (!answers[what].done)
            transport_cancel(&c->in->plugin, call);
    }
    for (int what = 0; what < ASKS; what++) {
        answer_wait(&answers[what]); /* the host's word or the plugin's */
        answer_done(&answers[what]);
    }
    expect_answer(c, ASK_TABLES, c->nodes[0], 0); /* and the rest goes on */
    close(fd);
}

const struct conform_rule conform_transport_rules[] = {
    { "every-call-answered", "Every call is replied to before long.", each_call_is_answered, 0,
      CONFORM_NODES },
    { "one-reply", "A call is replied to once, and not used after the reply.",
      each_call_is_answered, 0, CONFORM_NODES },
    { "rows-are-whole",
      "Chunks are of the kind and number asked, of rows of a size that the ABI has, and with all "
      "their strings in memory of br_rows or of the plugin's file.",
      each_call_is_answered, 0, CONFORM_NODES },
    { "rows-carry-the-index",
      "Each row's node is the index that was asked with; ids and roles are "
      "possible ones.",
      rows_carry_the_index, 0, CONFORM_NODES },
    { "never-blocks", "A function that the host calls returns at once.", calls_do_not_block, 0,
      CONFORM_NODES },
    { "no-growth", "What is opened, started and asked for is given back when it is over.",
      calls_do_not_grow, 0, CONFORM_NODES },
    { "many-at-once", "Calls to many nodes at once are answered as one alone is.", many_at_once, 0,
      CONFORM_NODES },
    { "canceled-call", "A call that was cancelled takes no other with it.", canceled_is_answered, 0,
      CONFORM_NODES },
    { "nodes-are-names", "nodes() replies HOST:PORT, or a path, each once.", nodes_are_names, 0,
      CONFORM_IN },
    { "down-is-unavailable",
      "A node that is down is BR_UNAVAILABLE, or BR_REFUSED where nobody is asked, never an empty "
      "success.",
      down_is_unavailable, 0, CONFORM_IN },
    { "nonsense-is-no-answer",
      "A node whose answer makes no sense or is not whole is a failure, never "
      "rows.",
      nonsense_is_no_answer, NONSENSE, CONFORM_IN },
    { "stop-replies-last", "stop replies after every outstanding call was replied to.",
      stop_answers_everything, 0, 0 },
    { 0 },
};
