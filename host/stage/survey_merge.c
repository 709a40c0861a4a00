/* survey_merge -- several surveys as one: of each node the newest. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/stage/survey_file.h"

struct merged {
    struct survey_node node;
    uint32_t from; /* index of the file */
};

struct merge {
    struct survey *survey;
    struct merged *nodes;        /* BR_NODES_MAX */
    struct survey_node *answers; /* the newest complete one of each */
    const char *const *files;
    const struct survey_assume *assume;
    struct buf *notes;
    struct fail *fail;
};

static bool merge_named(const char *const *names, const char *name)
{
    for (; names && *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

static br_time merge_time(const struct survey_node *node)
{
    return node->answered_at > node->asked_at ? node->answered_at : node->asked_at;
}

static void merge_note(struct merge *merge, const struct survey_node *kept, const char *kept_file,
                       const struct survey_node *gone, const char *gone_file)
{
    static const char *const words[] = { "silence", "answer" };
    buf_printf(merge->notes, "node(%s): the %s of %s counts, the %s of %s is %lld ms older\n",
               kept->name, words[kept->complete], kept_file, words[gone->complete], gone_file,
               (long long) ((merge_time(kept) - merge_time(gone)) / BR_MILLISECOND));
}

static bool merge_node(struct merge *merge, uint32_t file, const struct survey_node *node)
{
    uint32_t at = 0;
    while (at < merge->survey->node_count && strcmp(merge->nodes[at].node.name, node->name) != 0)
        at++;
    if (at == BR_NODES_MAX) {
        fail_set(merge->fail, BR_TOOBIG, "%s: more than %d nodes together", merge->files[file],
                 BR_NODES_MAX);
        return false;
    }
    struct merged *merged = &merge->nodes[at];
    struct survey_node *answer = &merge->answers[at];
    if (node->complete && (!answer->name || merge_time(node) >= merge_time(answer)))
        *answer = *node;
    if (at == merge->survey->node_count) {
        merge->survey->node_count++;
        *merged = (struct merged){ .node = *node, .from = file };
    } else if (merged->from == file) {
        fail_set(merge->fail, BR_CORRUPT, "%s: node %s stands there twice", merge->files[file],
                 node->name);
        return false;
    } else if (merge_time(node) >= merge_time(&merged->node)) {
        merge_note(merge, node, merge->files[file], &merged->node, merge->files[merged->from]);
        *merged = (struct merged){ .node = *node, .from = file };
    } else {
        merge_note(merge, &merged->node, merge->files[merged->from], node, merge->files[file]);
    }
    return true;
}

static bool merge_assume(struct merge *merge, uint32_t at)
{
    struct survey_node *node = &merge->nodes[at].node;
    const struct survey_node *answer = &merge->answers[at];
    const char *name = node->name;
    if (merge_named(merge->assume->dead, name)) {
        *node = (struct survey_node){ .name = name,
                                      .address = node->address,
                                      .asked_at = node->asked_at,
                                      .error = "ERR_ASSUMED_DEAD",
                                      .why = "it is assumed to be dead" };
    } else if (merge_named(merge->assume->back, name) && !node->complete) {
        if (!answer->name) {
            fail_set(merge->fail, BR_NOTFOUND,
                     "node %s cannot be assumed to be back: no survey that was given has an "
                     "answer of it, so nothing is known of what it holds",
                     name);
            return false;
        }
        *node = *answer;
    }
    return true;
}

/* An assumption about a node that no survey knows is a slip of the pen. */
static bool merge_known(struct merge *merge, const char *const *names)
{
    for (; names && *names; names++) {
        uint32_t at = 0;
        while (at < merge->survey->node_count && strcmp(merge->nodes[at].node.name, *names) != 0)
            at++;
        if (at < merge->survey->node_count)
            continue;
        fail_set(merge->fail, BR_NOTFOUND, "no survey that was given knows node %s", *names);
        return false;
    }
    return true;
}

/* The rows say whose they are by index.  They are files', read by us, and nobody else's. */
static uint64_t merge_renumber(const struct br_chunk *chunk, int32_t index)
{
    uint64_t count = 0;
    for (; chunk; chunk = chunk->next) {
        char *row = (char *) (uintptr_t) chunk->rows;
        for (uint32_t i = 0; i < chunk->count; i++, row += chunk->row_size)
            memcpy(row, &index, sizeof index); /* both kinds begin with it */
        count += chunk->count;
    }
    return count;
}

uint64_t survey_renumber(const struct br_chunk *tables, const struct br_chunk *replicas,
                         int32_t index)
{
    merge_renumber(tables, index);
    return merge_renumber(replicas, index);
}

static void merge_finish(struct merge *merge)
{
    struct survey *survey = merge->survey;
    survey->nodes = arena_zero(&survey->arena, survey->node_count * sizeof *survey->nodes);
    for (uint32_t i = 0; i < survey->node_count; i++) {
        survey->nodes[i] = merge->nodes[i].node;
        if (!survey->nodes[i].complete)
            survey->nodes[i].tables = survey->nodes[i].replicas = NULL;
        survey->replica_count +=
            survey_renumber(survey->nodes[i].tables, survey->nodes[i].replicas, (int32_t) i);
        survey->silent_count += !survey->nodes[i].complete;
    }
}

static bool merge_all(struct merge *merge, struct survey **surveys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (surveys[i]->second > merge->survey->second)
            merge->survey->second = surveys[i]->second;
        for (uint32_t j = 0; j < surveys[i]->node_count; j++) {
            if (!merge_node(merge, i, &surveys[i]->nodes[j]))
                return false;
        }
    }
    if (!merge_known(merge, merge->assume->dead) || !merge_known(merge, merge->assume->back))
        return false;
    for (uint32_t i = 0; i < merge->survey->node_count; i++) {
        if (!merge_assume(merge, i))
            return false;
    }
    merge_finish(merge);
    return true;
}

struct survey *survey_merge(struct survey **surveys, const char *const *files, uint32_t count,
                            const struct survey_assume *assume, struct buf *notes,
                            struct fail *ret_fail)
{
    static const struct survey_assume nothing = { 0 };
    struct merge merge = { .survey = mem_new(sizeof *merge.survey),
                           .nodes = mem_array(BR_NODES_MAX + 1, sizeof *merge.nodes),
                           .answers = mem_array(BR_NODES_MAX + 1, sizeof *merge.answers),
                           .files = files,
                           .assume = assume ? assume : &nothing,
                           .notes = notes,
                           .fail = ret_fail };
    arena_init(&merge.survey->arena, 0);
    bool ok = merge_all(&merge, surveys, count);
    for (uint32_t i = 0; i < count; i++) {
        arena_adopt(&merge.survey->arena, &surveys[i]->arena);
        survey_free(surveys[i]);
    }
    free(merge.nodes);
    free(merge.answers);
    if (ok)
        return merge.survey;
    survey_free(merge.survey);
    return NULL;
}
