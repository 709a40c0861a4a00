/* evidence -- see evidence.h: rows, claims and text.  evidence_replicas.c has the replicas. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/evidence_run.h"

/* -- Rows ------------------------------------------------------------------------------------- */

/* Rows of a plugin that knew another size are copied once; all others stay where they are. */
static const void *evidence_rows(struct evidence *evidence, const struct br_chunk *chunk,
                                 size_t size)
{
    if (chunk->row_size == size)
        return chunk->rows;
    char *rows = arena_zero(&evidence->arena, chunk->count * size);
    size_t both = chunk->row_size < size ? chunk->row_size : size;
    for (uint32_t i = 0; i < chunk->count; i++)
        memcpy(rows + i * size, (const char *) chunk->rows + (size_t) i * chunk->row_size, both);
    return rows;
}

static const struct br_chunk *evidence_chunks(const struct survey_node *node, int32_t kind)
{
    if (!node->complete)
        return NULL;
    return kind == BR_ROW_TABLE ? node->tables : node->replicas;
}

static struct evidence_run *evidence_runs(struct evidence *evidence, int32_t kind, size_t size,
                                          uint32_t *ret_count)
{
    const struct survey *survey = evidence->survey;
    uint32_t count = 0;
    for (uint32_t i = 0; i < survey->node_count; i++)
        for (const struct br_chunk *at = evidence_chunks(&survey->nodes[i], kind); at;
             at = at->next)
            count++;
    struct evidence_run *runs = arena_alloc(&evidence->arena, (count + 1) * sizeof *runs);
    count = 0;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        for (const struct br_chunk *at = evidence_chunks(&survey->nodes[i], kind); at;
             at = at->next) {
            struct br_subject subject = { (int32_t) i, -1, -1, BR_REFUSAL, NULL, NULL };
            if (at->kind == kind)
                runs[count++] = (struct evidence_run){ evidence_rows(evidence, at, size), at->count,
                                                       (int32_t) i };
            else
                findings_add(evidence->findings, &subject,
                             "ERROR: the transport gave rows of another kind for node(%s)",
                             evidence->nodes[i]);
        }
    }
    *ret_count = count;
    return runs;
}

/* -- Text ------------------------------------------------------------------------------------- */

/* Bytes of the character that begins here; 0: it is none. */
static size_t evidence_char(const unsigned char *at)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (at[0] < 0x80)
        return 1;
    size_t size = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    uint32_t code = at[0] & (0xffU >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[size] || code > 0x10ffff || surrogate ? 0 : size;
}

bool evidence_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *) text;
    while (*at) {
        size_t size = evidence_char(at);
        if (!size)
            return false;
        at += size;
    }
    return true;
}

bool evidence_text(const char *text, size_t max)
{
    if (!text || !*text || strnlen(text, max + 1) > max)
        return false;
    for (const unsigned char *at = (const unsigned char *) text; *at; at++)
        if (*at < 0x20 || *at == 0x7f)
            return false;
    return evidence_utf8(text);
}

/* -- Claims ----------------------------------------------------------------------------------- */

/* What is wrong with a claim; NULL: nothing. */
static const char *evidence_claim_wrong(const struct br_table *claim)
{
    if (!evidence_text(claim->name, BR_NAME_MAX))
        return "a name that is empty, over 1024 bytes, not UTF-8 or with control characters";
    if (!evidence_text(claim->type, BR_NAME_MAX))
        return "a type that is empty, over 1024 bytes, not UTF-8 or with control characters";
    if (claim->partition_count < 1 || claim->partition_count > BR_PARTITIONS_MAX)
        return "a partition_count that is not between 1 and 1048576";
    if (claim->replica_count < 1 || claim->replica_count > BR_DROPS_MAX + 1)
        return "a max_replica_count that is not between 1 and 16";
    if (claim->env_count > EVIDENCE_ENVS_MAX)
        return "more than 4096 environments";
    for (uint32_t i = 0; i < 2 * claim->env_count; i++)
        if (!claim->envs || !claim->envs[i])
            return "an environment without text";
    return NULL;
}

_Static_assert(BR_NAME_MAX == 1024 && BR_PARTITIONS_MAX == 1048576 && BR_DROPS_MAX == 15
                   && EVIDENCE_ENVS_MAX == 4096,
               "evidence_claim_wrong names the limits");

static bool evidence_id_known(int32_t id)
{
    return id > 0 && id <= BR_TABLE_ID_MAX;
}

static void evidence_claim_id(struct evidence *evidence, int32_t node, const struct br_table *claim)
{
    struct br_subject subject = { node, -1, -1, BR_REFUSAL, NULL, NULL };
    if (claim->node != node)
        findings_add(evidence->findings, &subject,
                     "ERROR: the transport gave a table of another node for node(%s)",
                     evidence->nodes[node]);
    else
        findings_add(evidence->findings, &subject,
                     "ERROR: node(%s) reports a table with the id %d, which is not between 1 and "
                     "%d; leave the node out of the list to recover without it",
                     evidence->nodes[node], claim->id, BR_TABLE_ID_MAX);
}

static void evidence_count_claims(struct evidence *evidence)
{
    for (uint32_t i = 0; i < evidence->table_run_count; i++) {
        const struct evidence_run *run = &evidence->table_runs[i];
        const struct br_table *rows = run->rows;
        for (uint32_t j = 0; j < run->count; j++) {
            if (rows[j].node != run->node || !evidence_id_known(rows[j].id)) {
                evidence_claim_id(evidence, run->node, &rows[j]);
                continue;
            }
            evidence->claim_start[rows[j].id + 1]++;
            if (rows[j].id > evidence->max_id)
                evidence->max_id = rows[j].id;
        }
    }
    for (int32_t id = 1; id <= BR_TABLE_ID_MAX + 1; id++)
        evidence->claim_start[id] += evidence->claim_start[id - 1];
}

static void evidence_place_claims(struct evidence *evidence)
{
    uint32_t total = evidence->claim_start[BR_TABLE_ID_MAX + 1];
    evidence->claims = mem_array((size_t) total + 1, sizeof(void *));
    for (uint32_t i = 0; i < evidence->table_run_count; i++) {
        const struct evidence_run *run = &evidence->table_runs[i];
        const struct br_table *rows = run->rows;
        for (uint32_t j = 0; j < run->count; j++) {
            int32_t id = rows[j].id;
            if (rows[j].node == run->node && evidence_id_known(id))
                evidence->claims[evidence->claim_start[id] + evidence->claim_count[id]++] =
                    &rows[j];
        }
    }
}

static void evidence_claim_find(struct evidence *evidence, const struct br_table *claim,
                                bool others, const char *wrong)
{
    struct br_subject subject = { .node = claim->node,
                                  .table = claim->id,
                                  .partition = -1,
                                  .severity = others ? BR_WARNING : BR_REFUSAL };
    const char *name = evidence->nodes[claim->node];
    if (!wrong)
        findings_add(evidence->findings, &subject,
                     "WARNING: node(%s) describes app(%d) more than once, the first counts", name,
                     claim->id);
    else if (others)
        findings_add(evidence->findings, &subject,
                     "WARNING: node(%s) describes app(%d) with %s, it is not believed", name,
                     claim->id, wrong);
    else
        findings_add(evidence->findings, &subject,
                     "ERROR: node(%s) describes app(%d) with %s, and no node describes it better",
                     name, claim->id, wrong);
}

/* Of one id: what holds together moves to the front, the rest becomes findings. */
static void evidence_sift_claims(struct evidence *evidence, int32_t id)
{
    const struct br_table **claims = evidence->claims + evidence->claim_start[id];
    uint32_t all = evidence->claim_count[id];
    uint32_t good = 0;
    for (uint32_t i = 0; i < all; i++)
        good += evidence_claim_wrong(claims[i]) == NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all; i++) {
        const char *wrong = evidence_claim_wrong(claims[i]);
        bool again = kept && claims[kept - 1]->node == claims[i]->node;
        if (wrong || again)
            evidence_claim_find(evidence, claims[i], good > 0, wrong);
        else
            claims[kept++] = claims[i];
    }
    evidence->claim_count[id] = kept;
    evidence->described[id] = kept > 0;
}

void evidence_init(struct evidence *evidence, const struct survey *survey,
                   struct findings *findings)
{
    const size_t ids = BR_TABLE_ID_MAX + 2;
    *evidence = (struct evidence){ .survey = survey, .findings = findings };
    arena_init(&evidence->arena, 0);
    findings->group = FINDING_NODE;
    evidence->nodes = arena_alloc(&evidence->arena, (survey->node_count + 1) * sizeof(char *));
    for (uint32_t i = 0; i < survey->node_count; i++)
        evidence->nodes[i] = survey->nodes[i].name;
    evidence->table_runs =
        evidence_runs(evidence, BR_ROW_TABLE, sizeof(struct br_table), &evidence->table_run_count);
    evidence->replica_runs = evidence_runs(evidence, BR_ROW_REPLICA, sizeof(struct br_replica),
                                           &evidence->replica_run_count);
    evidence->claim_start = arena_zero(&evidence->arena, ids * sizeof(uint32_t));
    evidence->claim_count = arena_zero(&evidence->arena, ids * sizeof(uint32_t));
    evidence->described = arena_zero(&evidence->arena, ids * sizeof(bool));
    evidence->partitions = arena_zero(&evidence->arena, ids * sizeof(int32_t));
    evidence->first = arena_alloc(&evidence->arena, ids * sizeof(int64_t));
    for (size_t i = 0; i < ids; i++)
        evidence->first[i] = -1;
    evidence_count_claims(evidence);
    evidence_place_claims(evidence);
    for (int32_t id = 1; id <= evidence->max_id; id++)
        evidence_sift_claims(evidence, id);
}

void evidence_done(struct evidence *evidence)
{
    free(evidence->claims);
    free(evidence->end);
    free(evidence->replicas);
    arena_done(&evidence->arena);
    *evidence = (struct evidence){ 0 };
}

void evidence_define(struct evidence *evidence, const struct br_table *table)
{
    evidence->partitions[table->id] = table->partition_count;
    if (!evidence->described[table->id] || table->status != BR_TABLE_AVAILABLE)
        return;
    evidence->first[table->id] = (int64_t) evidence->partition_total;
    evidence->partition_total += (uint64_t) table->partition_count;
}
