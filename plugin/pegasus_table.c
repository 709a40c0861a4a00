/* pegasus_table -- which definition a table gets, and which name
 * (src/meta/server_state.cpp:construct_apps).
 *
 * Definitions are compared field by field, the fields that Apache Pegasus compares; claims that
 * agree in all of them form a group.  Where creation times differ, one id was given to two tables:
 * nothing but a refusal is safe.
 */
#include "plugin/policy_pegasus.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/intern.h"

#define PEGASUS_DEFINITIONS_MAX 16  /* different definitions of one table */
#define PEGASUS_SHOWN_MAX       128 /* bytes of one value in a sentence */
#define PEGASUS_PLACEHOLDER     "__drop_holder__"

#define PEGASUS_CONSENT_DEFINITIONS "accept_definitions"
#define PEGASUS_CONSENT_UNAVAILABLE "accept_unavailable"
#define PEGASUS_CONSENT_ENVS        "accept_envs"
#define PEGASUS_CONSENT_NAMES       "accept_names"
#define PEGASUS_CONSENT_NO_TABLES   "accept_no_tables"

enum pegasus_kind { PEGASUS_I32, PEGASUS_I64, PEGASUS_TEXT, PEGASUS_FLAG };

struct pegasus_field {
    const char *name;
    enum pegasus_kind kind;
    uint32_t flag;
    bool fixed; /* never changes in a table's life: a difference is another table */
    size_t offset;
};

#define PEGASUS_AT(f) offsetof(struct br_table, f)

static const struct pegasus_field pegasus_fields[] = {
    { "status", PEGASUS_I32, 0, false, PEGASUS_AT(status) },
    { "app_type", PEGASUS_TEXT, 0, true, PEGASUS_AT(type) },
    { "app_name", PEGASUS_TEXT, 0, false, PEGASUS_AT(name) },
    { "partition_count", PEGASUS_I32, 0, true, PEGASUS_AT(partition_count) },
    { "is_stateful", PEGASUS_FLAG, BR_TABLE_STATEFUL, true, PEGASUS_AT(flags) },
    { "max_replica_count", PEGASUS_I32, 0, false, PEGASUS_AT(replica_count) },
    { "expire_second", PEGASUS_I64, 0, false, PEGASUS_AT(expire_second) },
    { "create_second", PEGASUS_I64, 0, true, PEGASUS_AT(create_second) },
    { "drop_second", PEGASUS_I64, 0, false, PEGASUS_AT(drop_second) },
    { "atomic_idempotent", PEGASUS_FLAG, BR_TABLE_ATOMIC_IDEMPOTENT, false, PEGASUS_AT(flags) },
};
#define PEGASUS_FIELDS (sizeof pegasus_fields / sizeof *pegasus_fields)

struct pegasus_group {
    const struct br_table *first;
    uint32_t count;
};

static int64_t pegasus_number(const struct br_table *table, const struct pegasus_field *field)
{
    const char *at = (const char *) table + field->offset;
    if (field->kind == PEGASUS_I32)
        return *(const int32_t *) (const void *) at;
    if (field->kind == PEGASUS_I64)
        return *(const int64_t *) (const void *) at;
    return (table->flags & field->flag) != 0;
}

static const char *pegasus_text(const struct br_table *table, const struct pegasus_field *field)
{
    return *(const char *const *) (const void *) ((const char *) table + field->offset);
}

static bool pegasus_differs(const struct br_table *a, const struct br_table *b,
                            const struct pegasus_field *field)
{
    if (field->kind == PEGASUS_TEXT)
        return strcmp(pegasus_text(a, field), pegasus_text(b, field)) != 0;
    return pegasus_number(a, field) != pegasus_number(b, field);
}

/* Do they differ at all; only in what never changes? */
static bool pegasus_differ(const struct br_table *a, const struct br_table *b, bool fixed_only)
{
    for (size_t i = 0; i < PEGASUS_FIELDS; i++)
        if ((pegasus_fields[i].fixed || !fixed_only) && pegasus_differs(a, b, &pegasus_fields[i]))
            return true;
    return false;
}

static void pegasus_show(const struct br_table *table, const struct pegasus_field *field,
                         char text[PEGASUS_SHOWN_MAX])
{
    if (field->kind == PEGASUS_TEXT)
        snprintf(text, PEGASUS_SHOWN_MAX, "%s", pegasus_text(table, field));
    else
        snprintf(text, PEGASUS_SHOWN_MAX, "%" PRId64, pegasus_number(table, field));
}

/* "app_name(a) and app_name(b), ..." */
static void pegasus_differences(const struct br_table *a, const struct br_table *b, char *text,
                                size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < PEGASUS_FIELDS && at < size; i++) {
        const struct pegasus_field *field = &pegasus_fields[i];
        char left[PEGASUS_SHOWN_MAX];
        char right[PEGASUS_SHOWN_MAX];
        if (!pegasus_differs(a, b, field))
            continue;
        pegasus_show(a, field, left);
        pegasus_show(b, field, right);
        int put = snprintf(text + at, size - at, "%s%s(%s) and (%s)", at ? ", " : "", field->name,
                           left, right);
        at += put > 0 ? (size_t) put : 0;
    }
}

/* UINT32_MAX: too many different ones. */
static uint32_t pegasus_group(const struct br_table_evidence *evidence,
                              struct pegasus_group *groups)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < evidence->claim_count; i++) {
        const struct br_table *claim = evidence->claims[i];
        uint32_t at = 0;
        while (at < count && pegasus_differ(groups[at].first, claim, false))
            at++;
        if (at == PEGASUS_DEFINITIONS_MAX)
            return UINT32_MAX;
        if (at == count)
            groups[count++] = (struct pegasus_group){ .first = claim };
        groups[at].count++;
    }
    return count;
}

/* An available definition before any other: data before their deletion. */
static uint32_t pegasus_majority(const struct pegasus_group *groups, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        bool available = groups[i].first->status == BR_TABLE_AVAILABLE;
        bool best_available = groups[best].first->status == BR_TABLE_AVAILABLE;
        if (available != best_available ? available : groups[i].count > groups[best].count)
            best = i;
    }
    return best;
}

static struct br_subject pegasus_subject(const struct br_table_evidence *evidence, int32_t node,
                                         int32_t severity)
{
    return (struct br_subject){
        .node = node, .table = evidence->id, .partition = -1, .severity = severity
    };
}

/* One finding for each definition that was not taken. */
static void pegasus_disagree(struct br_env *env, const struct br_table_evidence *evidence,
                             const struct pegasus_group *groups, uint32_t count, uint32_t taken,
                             bool refuse, struct br_findings *findings)
{
    const struct br_table *ours = groups[taken].first;
    for (uint32_t i = 0; i < count; i++) {
        const struct br_table *other = groups[i].first;
        char text[BR_FINDING_TEXT_MAX / 2];
        char what[2 * BR_FINDING_TEXT_MAX]; /* the host cuts what is too long */
        if (i == taken)
            continue;
        struct br_subject subject = pegasus_subject(evidence, other->node, BR_REFUSAL);
        pegasus_differences(ours, other, text, sizeof text);
        if (refuse) {
            br_find(env, findings, &subject,
                    "ERROR: app(%d) is defined differently by node(%s) and node(%s): %s; leave the "
                    "node that is wrong out of the node list",
                    evidence->id, evidence->nodes[ours->node], evidence->nodes[other->node], text);
            continue;
        }
        snprintf(what, sizeof what,
                 "app(%d) is defined differently by node(%s) and node(%s): %s; the first is taken "
                 "(reported by %u nodes, the second by %u)",
                 evidence->id, evidence->nodes[ours->node], evidence->nodes[other->node], text,
                 groups[taken].count, groups[i].count);
        pegasus_odd(env, findings, subject, PEGASUS_CONSENT_DEFINITIONS, what);
    }
}

static const struct br_table *pegasus_definition(struct br_env *env,
                                                 const struct br_table_evidence *evidence,
                                                 struct br_findings *findings)
{
    const struct pegasus *pegasus = env->self;
    struct pegasus_group groups[PEGASUS_DEFINITIONS_MAX];
    uint32_t count = pegasus_group(evidence, groups);
    if (count == 1)
        return groups[0].first;
    if (count == UINT32_MAX) {
        struct br_subject subject = pegasus_subject(evidence, -1, BR_REFUSAL);
        br_find(env, findings, &subject,
                "ERROR: app(%d) is defined in more than %d different ways by the nodes",
                evidence->id, PEGASUS_DEFINITIONS_MAX);
        return evidence->claims[0];
    }
    bool refuse = !pegasus_careful(pegasus, pegasus->conflicts);
    for (uint32_t i = 1; i < count && !refuse; i++)
        refuse = pegasus_differ(groups[0].first, groups[i].first, true);
    uint32_t taken = refuse ? 0 : pegasus_majority(groups, count);
    pegasus_disagree(env, evidence, groups, count, taken, refuse, findings);
    return groups[taken].first;
}

static const struct br_table *pegasus_envs(const struct pegasus *pegasus,
                                           const struct br_table_evidence *evidence)
{
    const struct br_table *best = evidence->claims[0];
    if (!pegasus_careful(pegasus, pegasus->envs))
        return best;
    for (uint32_t i = 1; i < evidence->claim_count; i++)
        if (evidence->claims[i]->env_count > best->env_count)
            best = evidence->claims[i];
    return best;
}

static bool pegasus_same_envs(const struct br_table *a, const struct br_table *b)
{
    if (a->env_count != b->env_count)
        return false;
    for (uint32_t i = 0; i < 2 * a->env_count; i++)
        if (strcmp(a->envs[i], b->envs[i]) != 0)
            return false;
    return true;
}

/* The first node whose environments are others than those taken; NULL: all agree.  They are of a
 * map and come in its order. */
static const struct br_table *pegasus_other_envs(const struct br_table_evidence *evidence,
                                                 const struct br_table *taken)
{
    for (uint32_t i = 0; i < evidence->claim_count; i++)
        if (!pegasus_same_envs(evidence->claims[i], taken))
            return evidence->claims[i];
    return NULL;
}

static void pegasus_ask_envs(struct br_env *env, const struct br_table_evidence *evidence,
                             const struct br_table *taken, struct br_findings *findings)
{
    char what[BR_FINDING_TEXT_MAX];
    const struct br_table *other = pegasus_other_envs(evidence, taken);
    if (!other)
        return;
    snprintf(what, sizeof what,
             "app(%d)'s environments are others on node(%s) (%u) and node(%s) (%u); those of the "
             "first are taken",
             evidence->id, evidence->nodes[taken->node], taken->env_count,
             evidence->nodes[other->node], other->env_count);
    pegasus_ask(env, findings, pegasus_subject(evidence, other->node, BR_LOSS),
                PEGASUS_CONSENT_ENVS, what);
}

static void pegasus_advise(struct br_env *env, const struct br_table_evidence *evidence,
                           const struct br_table *envs, bool available,
                           const struct br_table_verdict *verdict)
{
    const struct pegasus *pegasus = env->self;
    const struct br_table *table = &verdict->table;
    char what[2 * BR_FINDING_TEXT_MAX]; /* the host cuts what is too long */
    bool back = table->status == BR_TABLE_AVAILABLE;
    if (!pegasus_careful(pegasus, pegasus->advice))
        return;
    struct br_subject subject = pegasus_subject(evidence, envs->node, BR_WARNING);
    snprintf(what, sizeof what, "app(%d) (%s) is not available on the nodes that report it, it %s",
             evidence->id, table->name,
             back ? "comes back as an ordinary table; drop it again if it shall not"
                  : "is written as dropped and its replicas are not named");
    if (!available)
        pegasus_odd(env, verdict->findings, subject, PEGASUS_CONSENT_UNAVAILABLE, what);
    if (back)
        br_find(env, verdict->findings, &subject,
                "WARNING: app(%d)'s environments are known only as far as node(%s) still had them "
                "(%u), check them with get_app_envs",
                evidence->id, evidence->nodes[envs->node], table->env_count);
    if (back && pegasus->strict)
        pegasus_ask_envs(env, evidence, envs, verdict->findings);
}

static void pegasus_placeholder(const struct pegasus *pegasus,
                                const struct br_table_evidence *evidence,
                                struct br_table_verdict *verdict)
{
    bool never = pegasus_careful(pegasus, pegasus->placeholder_expire);
    br_table_placeholder(evidence, PEGASUS_PLACEHOLDER, verdict);
    verdict->table.expire_second = never ? 0 : evidence->now_second;
}

br_status pegasus_table(struct br_env *env, const struct br_table_evidence *evidence,
                        struct br_table_verdict *verdict)
{
    const struct pegasus *pegasus = env->self;
    if (!evidence->claim_count) {
        pegasus_placeholder(pegasus, evidence, verdict);
        return BR_OK;
    }
    struct br_table *table = &verdict->table;
    *table = *pegasus_definition(env, evidence, verdict->findings);
    const struct br_table *envs = pegasus_envs(pegasus, evidence);
    table->node = -1;
    table->env_count = envs->env_count;
    table->envs = envs->envs;
    bool available = table->status == BR_TABLE_AVAILABLE;
    bool back = available || pegasus_careful(pegasus, pegasus->unavailable);
    table->status = back ? BR_TABLE_AVAILABLE : BR_TABLE_DROPPED;
    pegasus_advise(env, evidence, envs, available, verdict);
    return BR_OK;
}

/* -- Names ------------------------------------------------------------------------------------ */

/* Is the name new?  Remembers it. */
static bool pegasus_take_name(struct intern *taken, const char *name)
{
    uint32_t before = taken->count;
    intern_bytes(taken, name, strlen(name));
    return taken->count != before;
}

/* The name with the id behind it, as often as needed; false: it gets too long. */
static bool pegasus_rename(struct intern *taken, int32_t id, const char *separator,
                           char name[BR_NAME_MAX + 1])
{
    do {
        size_t size = strlen(name);
        int more = snprintf(name + size, BR_NAME_MAX + 1 - size, "%s%d", separator, id);
        if (size + (size_t) more > BR_NAME_MAX)
            return false;
    } while (!pegasus_take_name(taken, name));
    return true;
}

static void pegasus_name(struct br_env *env, const struct br_table *table, uint32_t index,
                         struct intern *taken, struct br_names_verdict *verdict)
{
    const struct pegasus *pegasus = env->self;
    char name[BR_NAME_MAX + 1];
    char what[4 * BR_FINDING_TEXT_MAX]; /* the host cuts what is too long */
    if (pegasus_take_name(taken, table->name))
        return;
    struct br_subject subject = {
        .node = -1, .table = table->id, .partition = -1, .severity = BR_WARNING
    };
    snprintf(name, sizeof name, "%s", table->name);
    const char *separator = pegasus_careful(pegasus, pegasus->conflict_name) ? "-" : "__";
    if (!pegasus_rename(taken, table->id, separator, name)) {
        subject.severity = BR_REFUSAL;
        br_find(env, verdict->findings, &subject,
                "ERROR: app(%d)'s name is conflict with others, and with its id it would be longer "
                "than %d bytes",
                table->id, BR_NAME_MAX);
        return;
    }
    verdict->give(verdict, index, name);
    snprintf(what, sizeof what, "app(%d)'s old name(%s) is conflict with others, rename it to (%s)",
             table->id, table->name, name);
    pegasus_odd(env, verdict->findings, subject, PEGASUS_CONSENT_NAMES, what);
}

/* An empty cluster recovers, and a list of servers that were never the cluster's looks the same. */
static void pegasus_no_tables(struct br_env *env, struct br_findings *findings)
{
    const struct pegasus *pegasus = env->self;
    const struct br_subject subject = { -1, -1, -1, BR_WARNING, NULL, NULL };
    if (pegasus_careful(pegasus, pegasus->advice))
        pegasus_odd(env, findings, subject, PEGASUS_CONSENT_NO_TABLES,
                    "no node described a table, so that none is recovered: if there were any, "
                    "these are not their nodes, or their disks are not mounted");
}

/* From the largest id down, which therefore keeps its name. */
br_status pegasus_names(struct br_env *env, const struct br_names_evidence *evidence,
                        struct br_names_verdict *verdict)
{
    struct arena arena;
    struct intern taken;
    if (!evidence->count)
        pegasus_no_tables(env, verdict->findings);
    arena_init(&arena, 0);
    intern_init(&taken, &arena);
    for (uint32_t i = evidence->count; i-- > 0;)
        pegasus_name(env, evidence->tables[i], i, &taken, verdict);
    intern_done(&taken);
    arena_done(&arena);
    return BR_OK;
}
