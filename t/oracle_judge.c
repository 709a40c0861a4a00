/* oracle_judge -- judges the clusters of its input and tells all of every verdict: what the real
 * judge and the real policies say, for t/oracle_compare.py.
 *
 * Input, a line each, words between single blanks; a text is '=' and its bytes, those that are not
 * printable, blanks and '%' as %XX; '~' is NULL:
 *
 *   options [policy=NAME] [NAME=VALUE...]
 *                                of the policy (pegasus), for all clusters below
 *   consents NAME...             likewise
 *   cluster LABEL SECOND         a survey begins, finished at this unix second
 *   node NAME ADDRESS|- [ERROR]  ERROR: it is silent
 *   table NODE ID STATUS PARTITIONS REPLICAS INIT FLAGS EXPIRE CREATE DROP NAME TYPE [KEY VALUE]...
 *   replica NODE TABLE PARTITION ROLE BALLOT COMMITTED PREPARED
 *                                rows of the node before them; NODE is what the row says itself
 *   judge
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/address.h"
#include "t/judge_kit.h"

#define ORACLE_WORDS_MAX (32 + 2 * 4097)

struct oracle {
    struct kit kit;
    bool open;
    struct arena arena; /* texts of the cluster */
    struct arena consent_arena;
    const char *consents[CONSENTS_MAX + 1];
    struct buf out;
    size_t line;
    char **word;
    size_t words;
};

static _Noreturn void oracle_die(const struct oracle *oracle, const char *what)
{
    fprintf(stderr, "oracle_judge: line %zu: %s\n", oracle->line, what);
    exit(2);
}

/* -- Words ------------------------------------------------------------------------------------- */

static void oracle_split(struct oracle *oracle, char *line)
{
    char *word;
    oracle->words = 0;
    while ((word = strsep(&line, " \n")) != NULL) {
        if (!*word)
            continue;
        if (oracle->words == ORACLE_WORDS_MAX)
            oracle_die(oracle, "too many words");
        oracle->word[oracle->words++] = word;
    }
}

static char *oracle_word(const struct oracle *oracle, size_t at)
{
    if (at >= oracle->words)
        oracle_die(oracle, "too few words");
    return oracle->word[at];
}

static int64_t oracle_i64(const struct oracle *oracle, size_t at)
{
    char *end;
    const char *word = oracle_word(oracle, at);
    errno = 0;
    int64_t value = strtoll(word, &end, 10);
    if (errno || *end || end == word)
        oracle_die(oracle, "not a number");
    return value;
}

static int32_t oracle_i32(const struct oracle *oracle, size_t at)
{
    int64_t value = oracle_i64(oracle, at);
    if (value < INT32_MIN || value > INT32_MAX)
        oracle_die(oracle, "a number out of range");
    return (int32_t) value;
}

static int oracle_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *oracle_text(struct oracle *oracle, size_t at)
{
    const char *word = oracle_word(oracle, at);
    if (strcmp(word, "~") == 0)
        return NULL;
    if (*word++ != '=')
        oracle_die(oracle, "not a text");
    char *text = arena_text(&oracle->arena, word, strlen(word));
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = oracle_digit(from[1]);
        int low = high < 0 ? -1 : oracle_digit(from[2]);
        if (low < 0)
            oracle_die(oracle, "not %XX");
        *to++ = (char) (high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return text;
}

/* -- Input ------------------------------------------------------------------------------------- */

static void oracle_forget(struct oracle *oracle)
{
    struct kit *kit = &oracle->kit;
    for (uint32_t i = 0; i < kit->survey.node_count; i++) {
        free(kit->nodes[i].tables);
        free(kit->nodes[i].replicas);
    }
    kit->survey.node_count = kit->survey.silent_count = 0;
    kit->survey.replica_count = 0;
    kit->fail.status = BR_OK;
    findings_done(&kit->findings);
    findings_init(&kit->findings, oracle->consents);
    arena_clear(&oracle->arena);
}

static void oracle_close(struct oracle *oracle)
{
    if (!oracle->open)
        return;
    oracle_forget(oracle);
    kit_done(&oracle->kit);
    oracle->open = false;
}

/* As kit_init does, which is for tests only. */
static void oracle_open(struct oracle *oracle, const struct br_plugin *policy, const char *text)
{
    struct kit *kit = &oracle->kit;
    struct yaml *options = NULL;
    *kit = (struct kit){ .fail.status = BR_OK };
    arena_init(&kit->arena, 0);
    arena_init(&kit->survey.arena, 0);
    findings_init(&kit->findings, NULL);
    cluster_init(&kit->cluster);
    kit->loop = loop_new(NULL);
    if (!kit->loop)
        oracle_die(oracle, "no loop");
    if (yaml_parse(&kit->arena, "options", text, strlen(text), &options, &kit->fail) != BR_OK
        || plugin_open(&kit->policy, kit->loop, policy, "policy", options, &kit->fail) != BR_OK)
        oracle_die(oracle, kit->fail.text);
    oracle->open = true;
}

static const struct br_plugin *oracle_policy(const struct oracle *oracle, const char *name)
{
    static const struct br_plugin *const policies[] = { &bridle_policy_pegasus,
                                                        &bridle_policy_strict,
                                                        &bridle_policy_newest };
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    oracle_die(oracle, "no such policy");
}

static void oracle_options(struct oracle *oracle)
{
    struct buf yaml = { 0 };
    const struct br_plugin *policy = &bridle_policy_pegasus;
    for (size_t i = 1; i < oracle->words; i++) {
        char *value = strchr(oracle->word[i], '=');
        if (!value)
            oracle_die(oracle, "an option without '='");
        *value++ = '\0';
        if (strcmp(oracle->word[i], "policy") == 0)
            policy = oracle_policy(oracle, value);
        else
            buf_printf(&yaml, "%s: %s\n", oracle->word[i], value);
    }
    oracle_close(oracle);
    oracle_open(oracle, policy, buf_string(&yaml));
    buf_done(&yaml);
}

static void oracle_consents(struct oracle *oracle)
{
    size_t count = oracle->words - 1;
    if (count > CONSENTS_MAX)
        oracle_die(oracle, "too many consents");
    arena_clear(&oracle->consent_arena);
    for (size_t i = 0; i < count; i++)
        oracle->consents[i] =
            arena_text(&oracle->consent_arena, oracle->word[i + 1], strlen(oracle->word[i + 1]));
    oracle->consents[count] = NULL;
}

static void oracle_cluster(struct oracle *oracle)
{
    if (!oracle->open)
        oracle_die(oracle, "no options yet");
    oracle_forget(oracle);
    oracle->kit.survey.second = oracle_i64(oracle, 2);
    buf_printf(&oracle->out, "cluster %s\n", oracle_word(oracle, 1));
}

static void oracle_node(struct oracle *oracle)
{
    struct kit *kit = &oracle->kit;
    const char *address = oracle_word(oracle, 2);
    uint64_t number = 0;
    if (strcmp(address, "-") != 0 && !address_parse(address, &number))
        oracle_die(oracle, "not an address");
    kit_node(kit, oracle_text(oracle, 1), number);
    if (oracle->words > 3)
        kit_silent(kit, (int32_t) kit->survey.node_count - 1,
                   arena_text(&oracle->arena, oracle->word[3], strlen(oracle->word[3])));
}

static int32_t oracle_last_node(const struct oracle *oracle)
{
    if (!oracle->kit.survey.node_count)
        oracle_die(oracle, "no node yet");
    return (int32_t) oracle->kit.survey.node_count - 1;
}

static void oracle_table(struct oracle *oracle)
{
    const char *name = oracle_text(oracle, 11);
    const char *type = oracle_text(oracle, 12);
    struct br_table *table = kit_table(&oracle->kit, oracle_last_node(oracle),
                                       oracle_i32(oracle, 2), name, oracle_i32(oracle, 4));
    size_t pairs = (oracle->words - 13) / 2;
    const char **envs = arena_alloc(&oracle->arena, (2 * pairs + 1) * sizeof *envs);
    table->node = oracle_i32(oracle, 1);
    table->status = oracle_i32(oracle, 3);
    table->replica_count = oracle_i32(oracle, 5);
    table->init_partition_count = oracle_i32(oracle, 6);
    table->flags = (uint32_t) oracle_i64(oracle, 7);
    table->expire_second = oracle_i64(oracle, 8);
    table->create_second = oracle_i64(oracle, 9);
    table->drop_second = oracle_i64(oracle, 10);
    table->type = type;
    for (size_t i = 0; i < 2 * pairs; i++)
        envs[i] = oracle_text(oracle, 13 + i);
    table->env_count = (uint32_t) pairs;
    table->envs = envs;
}

static void oracle_replica(struct oracle *oracle)
{
    struct br_replica *replica = kit_replica(
        &oracle->kit, oracle_last_node(oracle), oracle_i32(oracle, 2), oracle_i32(oracle, 3),
        oracle_i64(oracle, 5), oracle_i64(oracle, 6), oracle_i64(oracle, 7));
    replica->node = oracle_i32(oracle, 1);
    replica->role = oracle_i32(oracle, 4);
}

/* -- Output ------------------------------------------------------------------------------------ */

static void oracle_put_text(struct buf *out, const char *text)
{
    buf_text(out, " =");
    for (; *text; text++) {
        if (*text <= ' ' || *text >= 0x7f || *text == '%')
            buf_printf(out, "%%%02x", (unsigned char) *text);
        else
            buf_char(out, *text);
    }
}

static void oracle_put_number(struct buf *out, int64_t number)
{
    buf_char(out, ' ');
    buf_i64(out, number);
}

static void oracle_put_finding(struct buf *out, int group, const struct finding *finding)
{
    const struct br_subject *subject = &finding->subject;
    buf_text(out, "finding");
    oracle_put_number(out, group);
    oracle_put_number(out, subject->severity);
    oracle_put_number(out, subject->node);
    oracle_put_number(out, subject->table);
    oracle_put_number(out, subject->partition);
    buf_char(out, ' ');
    buf_text(out, subject->consent ? subject->consent : "-");
    oracle_put_number(out, finding->consented);
    buf_char(out, ' ');
    buf_text(out, finding->text);
    buf_char(out, '\n');
}

static void oracle_put_findings(struct buf *out, const struct findings *findings)
{
    for (int group = FINDING_NODE; group < FINDING_GROUPS; group++)
        for (const struct finding *at = findings->first[group]; at; at = at->next)
            oracle_put_finding(out, group, at);
    buf_text(out, "stops");
    oracle_put_number(out, findings->refusals);
    oracle_put_number(out, findings->losses);
    buf_text(out, findings_pass(findings) ? " pass\n" : " stop\n");
}

static void oracle_put_partition(struct buf *out, const struct partition *partition)
{
    int members = partition->secondary_count + partition->drop_count;
    buf_text(out, "partition");
    oracle_put_number(out, partition->ballot);
    oracle_put_number(out, partition->committed);
    oracle_put_number(out, partition->flags);
    oracle_put_number(out, partition->replica_count);
    oracle_put_number(out, partition->primary);
    oracle_put_number(out, partition->secondary_count);
    for (int i = 0; i < members; i++)
        oracle_put_number(out, partition->members[i]);
    buf_char(out, '\n');
}

static void oracle_put_table(struct buf *out, const struct table *table)
{
    const struct br_table *def = &table->def;
    buf_text(out, "table");
    oracle_put_number(out, def->id);
    oracle_put_number(out, def->status);
    oracle_put_number(out, def->partition_count);
    oracle_put_number(out, def->replica_count);
    oracle_put_number(out, def->init_partition_count);
    oracle_put_number(out, def->flags);
    oracle_put_number(out, def->expire_second);
    oracle_put_number(out, def->create_second);
    oracle_put_number(out, def->drop_second);
    oracle_put_text(out, def->name);
    oracle_put_text(out, def->type);
    for (uint32_t i = 0; i < 2 * def->env_count; i++)
        oracle_put_text(out, def->envs[i]);
    buf_char(out, '\n');
    for (int32_t i = 0; i < def->partition_count; i++)
        oracle_put_partition(out, &table->partitions[i]);
}

static void oracle_put_cluster(struct buf *out, const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        buf_text(out, "node");
        oracle_put_text(out, cluster->nodes[i].name);
        buf_char(out, ' ');
        buf_text(out, cluster->nodes[i].address_text);
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < cluster->table_count; i++)
        oracle_put_table(out, &cluster->tables[i]);
}

/* As a recovery does it: what is said of silent servers may stop it before anything is judged. */
static void oracle_run(struct oracle *oracle)
{
    struct kit *kit = &oracle->kit;
    struct buf *out = &oracle->out;
    struct cluster cluster;
    kit_pack(&kit->survey, kit->nodes);
    survey_find(&kit->survey, &kit->findings);
    if (!findings_pass(&kit->findings)) {
        oracle_put_findings(out, &kit->findings);
        buf_text(out, "silent\n");
    } else if (judge(&kit->survey, &kit->policy, &kit->findings, &cluster, &kit->fail) != BR_OK) {
        oracle_put_findings(out, &kit->findings);
        buf_printf(out, "failed %d %s\n", kit->fail.status, kit->fail.text);
    } else {
        oracle_put_findings(out, &kit->findings);
        oracle_put_cluster(out, &cluster);
        cluster_done(&cluster);
    }
    fwrite(out->data, 1, out->size, stdout);
    buf_clear(out);
}

static void oracle_line(struct oracle *oracle, char *line)
{
    static const struct {
        const char *word;
        void (*fn)(struct oracle *oracle);
    } kinds[] = {
        { "replica", oracle_replica },   { "table", oracle_table },
        { "node", oracle_node },         { "judge", oracle_run },
        { "cluster", oracle_cluster },   { "options", oracle_options },
        { "consents", oracle_consents },
    };
    oracle_split(oracle, line);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].word, oracle_word(oracle, 0)) == 0) {
            kinds[i].fn(oracle);
            return;
        }
    }
    oracle_die(oracle, "no such line");
}

int main(void)
{
    struct oracle oracle = { .line = 1, .word = calloc(ORACLE_WORDS_MAX, sizeof(char *)) };
    char *line = NULL;
    size_t size = 0;
    /* A judge's own memory is large beside a small cluster: keep it between them. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
    arena_init(&oracle.arena, 0);
    arena_init(&oracle.consent_arena, 0);
    for (; getline(&line, &size, stdin) > 0; oracle.line++)
        oracle_line(&oracle, line);
    oracle_close(&oracle);
    free(line);
    free(oracle.word);
    buf_done(&oracle.out);
    arena_done(&oracle.arena);
    arena_done(&oracle.consent_arena);
    return ferror(stdin) || fflush(stdout) != 0;
}
