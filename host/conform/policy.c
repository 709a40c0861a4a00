/* policy -- the rules of policies: verdicts that the host can take, and functions in the
 * mathematician's sense.  Evidence is made from numbers (policy_made.c); what the host refuses in a
 * recovery is asked of the host's own checks (host/recovery/judge_check.h).
 */
#include "host/conform/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/recovery/judge_check.h"

#define CASES 400

/* -- Asking ----------------------------------------------------------------------------------- */

struct sink {
    struct br_findings head; /* first */
    struct buf text;
    bool found; /* a loss, or a note that names its consent, or a refusal */
    bool refused;
    const char *wrong;
};

static void sink_find(struct br_findings *findings, const struct br_subject *subject,
                      const char *sentence)
{
    struct sink *sink = (struct sink *) findings;
    const char *consent = subject->consent ? subject->consent : "";
    if (!*sentence)
        sink->wrong = "an empty finding";
    if (subject->severity < BR_NOTE || subject->severity > BR_REFUSAL)
        sink->wrong = "a finding of no severity of the ABI";
    sink->found |= subject->severity >= BR_LOSS || *consent;
    sink->refused |= subject->severity == BR_REFUSAL;
    buf_printf(&sink->text, "%d %d %d %d %s: %s\n", subject->severity, subject->node,
               subject->table, subject->partition, consent, sentence);
}

static void sink_init(struct sink *sink)
{
    *sink = (struct sink){ .head = { .find = sink_find } };
}

static void sink_check(struct conform *c, const struct sink *sink)
{
    need(!sink->wrong, "%s", sink->wrong);
}

static struct br_env *policy_env(struct instance *in)
{
    in->plugin.owner.fail.status = BR_OK;
    return call_env(&in->plugin.owner);
}

/* A failure without br_fail stops a recovery without a word. */
static void check_failure(struct conform *c, const struct instance *in, br_status status)
{
    if (status != BR_OK && in->plugin.owner.fail.status == BR_OK)
        conform_broken(c, &conform_reasons, CONFORM_WHERE, "%s without br_fail",
                       conform_status(status));
}

/* The verdict and the findings as text; and what the host says to it, where it objects. */
static void ask_partition(struct instance *in, const struct br_partition_evidence *shown,
                          struct buf *ret_text, const char **ret_wrong, int32_t *ret_node)
{
    struct conform *c = in->c;
    struct sink sink;
    struct br_partition_verdict *verdict = conform_guarded(sizeof *verdict);
    sink_init(&sink);
    *verdict = (struct br_partition_verdict){ .primary = -1, .findings = &sink.head };
    br_status status = in->plugin.ops.policy.partition(policy_env(in), shown, verdict);
    check_failure(c, in, status);
    sink_check(c, &sink);
    *ret_wrong = status ? NULL : judge_partition_wrong(shown, verdict, sink.found);
    *ret_node = -1;
    if (status == BR_OK && !*ret_wrong && verdict->primary >= 0)
        *ret_node = shown->replicas[verdict->primary]->node;
    buf_printf(ret_text, "status %d primary %d ballot %" PRId64 " drops", status, verdict->primary,
               verdict->ballot);
    for (uint32_t i = 0; i < verdict->drop_count && i < BR_DROPS_MAX; i++)
        buf_printf(ret_text, " %d", verdict->drops[i]);
    buf_printf(ret_text, "\n%s", buf_string(&sink.text));
    buf_done(&sink.text);
    conform_unguard(verdict, sizeof *verdict);
}

static void put_table(struct buf *text, const struct br_table *table)
{
    buf_printf(text, "%d %d %d %d %d %x %lld %lld %lld %s %s", table->id, table->status,
               table->partition_count, table->replica_count, table->init_partition_count,
               table->flags, (long long) table->expire_second, (long long) table->create_second,
               (long long) table->drop_second, table->name, table->type);
    for (uint32_t i = 0; i < 2 * table->env_count; i++)
        buf_printf(text, " %s", table->envs[i]);
    buf_char(text, '\n');
}

static void ask_table(struct instance *in, const struct br_table_evidence *shown,
                      struct buf *ret_text, const char **ret_wrong)
{
    struct conform *c = in->c;
    struct sink sink;
    struct br_table_verdict *verdict = conform_guarded(sizeof *verdict);
    sink_init(&sink);
    memset(verdict, 0, sizeof *verdict);
    verdict->findings = &sink.head;
    br_status status = in->plugin.ops.policy.table(policy_env(in), shown, verdict);
    check_failure(c, in, status);
    sink_check(c, &sink);
    *ret_wrong = status || sink.refused ? NULL : judge_table_wrong(shown, verdict);
    buf_printf(ret_text, "status %d: ", status);
    if (!status && !sink.refused && !*ret_wrong)
        put_table(ret_text, &verdict->table);
    buf_text(ret_text, buf_string(&sink.text));
    buf_done(&sink.text);
    conform_unguard(verdict, sizeof *verdict);
}

/* -- Verdicts --------------------------------------------------------------------------------- */

static void partitions_are_allowed(struct conform *c)
{
    struct buf text = { 0 };
    for (uint32_t seed = 0; seed < CASES; seed++) {
        struct made *made = made_partition(seed, MADE_PLAIN);
        const char *wrong;
        int32_t node;
        buf_clear(&text);
        ask_partition(c->in, &made->partition, &text, &wrong, &node);
        need(!wrong, "evidence %u, of %u replicas: %s; the verdict: %s", seed,
             made->partition.replica_count, wrong, buf_string(&text));
        made_free(made);
    }
    buf_done(&text);
}

static void tables_are_allowed(struct conform *c)
{
    struct buf text = { 0 };
    for (uint32_t seed = 0; seed < CASES; seed++) {
        struct made *made = made_table(seed, MADE_PLAIN);
        const char *wrong;
        buf_clear(&text);
        ask_table(c->in, &made->table, &text, &wrong);
        need(!wrong, "evidence %u, of %u claims: %s", seed, made->table.claim_count, wrong);
        made_free(made);
    }
    buf_done(&text);
}

/* -- Names ------------------------------------------------------------------------------------ */

#define NAMES 12

struct given {
    struct br_names_verdict verdict; /* first */
    struct conform *c;
    char *names[NAMES]; /* malloc'ed; NULL: as it was */
    bool any;           /* in any round: who renames nobody leaves it to the host to refuse */
};

static void given_take(struct br_names_verdict *verdict, uint32_t index, const char *name)
{
    struct given *given = (struct given *) verdict;
    struct conform *c = given->c;
    need(index < NAMES, "a name for table %u of %d", index, NAMES);
    need(evidence_text(name, BR_NAME_MAX),
         "a name that is empty, longer than BR_NAME_MAX, not UTF-8 or with control characters: %zu "
         "bytes",
         name ? strlen(name) : 0);
    free(given->names[index]);
    given->names[index] = mem_text(name);
}

/* Row 0: all different; 1: some the same; 2: all the same; 3: the same, and as long as may be; 4:
 * renamed as others are called already. */
static void names_make(uint32_t row, char *names[NAMES])
{
    for (uint32_t i = 0; i < NAMES; i++) {
        char *name = names[i] = mem_new(BR_NAME_MAX + 1);
        if (row == 3)
            memset(name, 'n', BR_NAME_MAX);
        else if (row == 4 && i % 2)
            snprintf(name, BR_NAME_MAX, "temp-%u", i);
        else if (row == 4 && i % 4 == 2)
            snprintf(name, BR_NAME_MAX, "temp__%u", i + 2);
        else
            snprintf(name, BR_NAME_MAX, "temp%u", row == 0 ? i : row == 1 ? i / 2 : 0);
    }
}

static bool names_round(struct conform *c, struct br_table *tables, char *names[NAMES],
                        struct given *given, struct sink *sink)
{
    const struct br_table *list[NAMES];
    const struct br_names_evidence shown = { .count = NAMES, .tables = list };
    bool changed = false;
    for (int i = 0; i < NAMES; i++)
        list[i] = &tables[i];
    br_status status = c->in->plugin.ops.policy.names(policy_env(c->in), &shown, &given->verdict);
    check_failure(c, c->in, status);
    sink_check(c, sink);
    for (int i = 0; i < NAMES; i++) {
        if (!given->names[i])
            continue;
        given->any = true;
        changed |= strcmp(given->names[i], names[i]) != 0;
        free(names[i]);
        names[i] = given->names[i];
        tables[i].name = names[i];
        given->names[i] = NULL;
    }
    return changed && !sink->refused && status == BR_OK;
}

static void names_are_unique(struct conform *c)
{
    char *names[NAMES];
    struct br_table tables[NAMES];
    struct given given = { .verdict.give = given_take, .c = c };
    struct sink sink;
    int rounds = 0;
    sink_init(&sink);
    given.verdict.findings = &sink.head;
    names_make(c->row, names);
    for (int i = 0; i < NAMES; i++)
        tables[i] = (struct br_table){ .node = -1,
                                       .id = i + 1,
                                       .status = BR_TABLE_AVAILABLE,
                                       .partition_count = 4,
                                       .replica_count = 3,
                                       .name = names[i],
                                       .type = "pegasus" };
    while (names_round(c, tables, names, &given, &sink))
        need(++rounds < BR_NAME_ROUNDS_MAX, "other names in every of %d rounds", rounds);
    need(c->row != 0 || rounds == 0, "names that were good are given anew");
    for (int i = 0; i < NAMES; i++)
        for (int j = 0; j < i; j++)
            need(sink.refused || !given.any || strcmp(names[i], names[j]) != 0,
                 "tables %d and %d are both called %.64s", j + 1, i + 1, names[i]);
    for (int i = 0; i < NAMES; i++)
        free(names[i]);
    buf_done(&sink.text);
}

/* -- Functions in the mathematician's sense --------------------------------------------------- */

static void expect_again(struct conform *c, struct instance *in, uint32_t seed, enum made_how how,
                         const char *first, const char *when)
{
    struct buf again = { 0 };
    const char *wrong;
    int32_t node;
    struct made *made = made_partition(seed, how);
    ask_partition(in, &made->partition, &again, &wrong, &node);
    made_free(made);
    made = made_table(seed, how);
    ask_table(in, &made->table, &again, &wrong);
    made_free(made);
    need(strcmp(first, buf_string(&again)) == 0, "evidence %u %s: first\n%sthen\n%s", seed, when,
         first, buf_string(&again));
    buf_done(&again);
}

static void first_verdict(struct instance *in, uint32_t seed, struct buf *text)
{
    const char *wrong;
    int32_t node;
    struct made *made = made_partition(seed, MADE_PLAIN);
    ask_partition(in, &made->partition, text, &wrong, &node);
    made_free(made);
    made = made_table(seed, MADE_PLAIN);
    ask_table(in, &made->table, text, &wrong);
    made_free(made);
}

static void asked_again(struct conform *c)
{
    struct instance *other = conform_start(c);
    for (uint32_t seed = 0; seed < CASES; seed++) {
        struct buf text = { 0 }, between = { 0 };
        first_verdict(c->in, seed, &text);
        expect_again(c, c->in, seed, MADE_PLAIN, buf_string(&text), "asked again at once");
        first_verdict(c->in, seed + 1, &between);
        expect_again(c, c->in, seed, MADE_PLAIN, buf_string(&text), "asked again after another");
        expect_again(c, other, seed, MADE_PLAIN, buf_string(&text), "asked of another instance");
        buf_done(&text);
        buf_done(&between);
    }
    instance_free(other);
}

static void memory_does_not_matter(struct conform *c)
{
    for (uint32_t seed = 0; seed < CASES; seed++) {
        struct buf text = { 0 };
        first_verdict(c->in, seed, &text);
        expect_again(c, c->in, seed, MADE_BACKWARDS, buf_string(&text),
                     "with its rows elsewhere in memory, as if they had arrived in another order");
        buf_done(&text);
    }
}

/* Where the evidence decides, the operator's order does not: no two replicas are alike. */
static void order_does_not_matter(struct conform *c)
{
    struct buf text = { 0 };
    for (uint32_t seed = 0; seed < CASES; seed++) {
        const char *wrong;
        int32_t first, then;
        struct made *made = made_partition(seed, MADE_DISTINCT);
        ask_partition(c->in, &made->partition, &text, &wrong, &first);
        first = first < 0 ? first : made->label[first];
        made_free(made);
        made = made_partition(seed, MADE_PERMUTED);
        ask_partition(c->in, &made->partition, &text, &wrong, &then);
        then = then < 0 ? then : made->label[then];
        made_free(made);
        need(first == then,
             "evidence %u, no two replicas of which are alike: the primary is on %d, "
             "and with the nodes in another order on %d",
             seed, first, then);
    }
    buf_done(&text);
}

/* The spied services break the rule by ending this process; they are called with nothing but env,
 * which the face of the plugin's owner is. */
static struct conform *spied(const struct br_env *env)
{
    return *(struct conform *const *) (const void *) (env->instance - sizeof(struct conform *));
}

static br_time spy_now(const struct br_env *env)
{
    conform_broken(spied(env), NULL, CONFORM_WHERE, "it looks at the clock (br_now)");
}

static uint64_t spy_random(struct br_env *env)
{
    conform_broken(spied(env), NULL, CONFORM_WHERE, "it asks for a random number (br_random)");
}

static void spy_post(struct br_env *env, br_fn *fn, void *arg)
{
    (void) fn;
    (void) arg;
    conform_broken(spied(env), NULL, CONFORM_WHERE, "it leaves work for later (br_post)");
}

static struct br_timer *spy_after(struct br_env *env, br_time delay, br_fn *fn, void *arg)
{
    (void) delay;
    (void) fn;
    (void) arg;
    conform_broken(spied(env), NULL, CONFORM_WHERE, "it leaves work for later (br_after)");
}

static void nothing_from_outside(struct conform *c)
{
    struct br_env *env = call_env(&c->in->plugin.owner);
    const struct br_env kept = *env;
    struct br_host host = *env->host;
    struct {
        struct conform *c;
        char instance[16];
    } name = { c, "policy" }; /* what stands before the instance's name says whose it is */
    host.now = spy_now;
    host.random = spy_random;
    host.post = spy_post;
    host.after = spy_after;
    env->host = &host;
    env->instance = name.instance;
    for (uint32_t seed = 0; seed < CASES; seed++) {
        struct buf text = { 0 };
        first_verdict(c->in, seed, &text);
        buf_done(&text);
    }
    *env = kept;
}

static void evidence_is_not_touched(struct conform *c)
{
    for (uint32_t seed = 0; seed < CASES / 4; seed++) {
        struct buf text = { 0 };
        const char *wrong;
        int32_t node;
        struct made *made = made_partition(seed, MADE_SEALED);
        ask_partition(c->in, &made->partition, &text, &wrong, &node);
        made_free(made);
        made = made_table(seed, MADE_SEALED);
        ask_table(c->in, &made->table, &text, &wrong);
        made_free(made);
        buf_done(&text);
    }
}

/* -- Time and memory -------------------------------------------------------------------------- */

static void verdicts_do_not_block(struct conform *c)
{
    br_time best = INT64_MAX;
    for (int i = 0; i < CONFORM_STALL_TRIES && best > CONFORM_STALL_MAX; i++) {
        struct buf text = { 0 };
        br_time start = loop_now(c->loop);
        first_verdict(c->in, 1, &text);
        br_time took = loop_now(c->loop) - start;
        best = took < best ? took : best;
        buf_done(&text);
    }
    need(best <= CONFORM_STALL_MAX, "two verdicts took %lld ms",
         (long long) (best / BR_MILLISECOND));
}

static void grow_once(struct conform *c, uint32_t round)
{
    struct buf text = { 0 };
    first_verdict(c->in, round % 16, &text);
    buf_done(&text);
}

static void verdicts_do_not_grow(struct conform *c)
{
    conform_repeat(c, 64, 128, grow_once);
}

const struct conform_rule conform_policy_rules[] = {
    { "verdict-allowed",
      "Primary and drops are replicas given, none twice; the ballot is the "
      "primary's; nothing higher is passed over, and no partition starts empty, without a loss "
      "found.",
      partitions_are_allowed, 0, CONFORM_IN },
    { "table-allowed",
      "A table's verdict is one of the table asked about, available or dropped, with a "
      "number of partitions that a node reports and a name of at most BR_NAME_MAX bytes.",
      tables_are_allowed, 0, CONFORM_IN },
    { "names-unique",
      "Names given are at most BR_NAME_MAX bytes of UTF-8, and after a few rounds all are unique, "
      "or "
      "it is refused.",
      names_are_unique, 5, CONFORM_IN },
    { "same-verdict",
      "The same evidence gives the same verdict, asked again, after other questions, of "
      "another instance: no memory between calls.",
      asked_again, 0, CONFORM_IN },
    { "arrival-order", "In which order rows came to lie in memory does not matter.",
      memory_does_not_matter, 0, CONFORM_IN },
    { "list-order",
      "Where no two replicas are alike the verdict is the same in whatever order the "
      "operator lists the nodes.",
      order_does_not_matter, 0, CONFORM_IN },
    { "no-clock",
      "A policy asks nothing but the evidence: no clock, no random number, nothing left "
      "for later.",
      nothing_from_outside, 0, CONFORM_IN },
    { "evidence-not-touched",
      "A policy reads the evidence as far as its counts say, and changes "
      "none of it.",
      evidence_is_not_touched, 0, CONFORM_IN | CONFORM_CRASH },
    { "failures-say-why", "A failure says in a sentence what, of whom and why.",
      partitions_are_allowed, 0, CONFORM_IN },
    { "never-blocks", "A function that the host calls returns at once.", verdicts_do_not_block, 0,
      CONFORM_IN },
    { "no-growth", "What is opened, started and asked for is given back when it is over.",
      verdicts_do_not_grow, 0, CONFORM_IN },
    { 0 },
};
