/* survey_read -- see survey_read.h. */
#include "host/disk/survey_read.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/intern.h"
#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/rdsn/address.h"

#define SURVEY_CHUNK 1024 /* rows of one chunk as it is read */

void survey_free(struct survey *survey)
{
    if (!survey)
        return;
    arena_done(&survey->arena);
    free(survey);
}

struct survey_reader {
    struct reader *reader;
    struct survey *survey;
    struct intern intern;
    int32_t node; /* index of the one that is read */
};

/* Rows as they come, in chunks. */
struct survey_rows {
    struct br_chunk *first, *last;
    size_t size; /* of a row */
    int32_t kind;
};

static void *survey_row(struct survey_reader *from, struct survey_rows *rows)
{
    struct arena *arena = &from->survey->arena;
    if (!rows->last || rows->last->count == SURVEY_CHUNK) {
        struct br_chunk *chunk = arena_zero(arena, sizeof *chunk);
        chunk->kind = rows->kind;
        chunk->row_size = (uint32_t) rows->size;
        chunk->rows = arena_alloc(arena, SURVEY_CHUNK * rows->size);
        if (rows->last)
            rows->last->next = chunk;
        else
            rows->first = chunk;
        rows->last = chunk;
    }
    /* They are the arena's, and ours until the survey is handed out. */
    return (char *) (uintptr_t) rows->last->rows + rows->last->count++ * rows->size;
}

static const char *survey_get_text(struct survey_reader *from)
{
    const char *text = reader_text_or_null(from->reader);
    return text ? intern_bytes(&from->intern, text, strlen(text)) : NULL;
}

static void survey_get_envs(struct survey_reader *from, struct br_table *table)
{
    const char **envs = NULL;
    size_t count = 0, room = 0;
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (count == room) {
            room = room ? 2 * room : 16;
            envs = mem_grow(envs, room * sizeof *envs);
        }
        envs[count++] = survey_get_text(from);
    }
    if (count % 2 || count > UINT32_MAX / 2)
        reader_complain(from->reader, "environments are keys and values by turns");
    table->env_count = (uint32_t) (count / 2);
    if (count) {
        const char **kept = arena_alloc(&from->survey->arena, count * sizeof *kept);
        memcpy(kept, envs, count * sizeof *kept);
        table->envs = kept;
    }
    free(envs);
}

static int32_t survey_get_i32(struct survey_reader *from, const char *key)
{
    reader_key(from->reader, key);
    return (int32_t) reader_number(from->reader, INT32_MIN, INT32_MAX);
}

static int64_t survey_get_i64(struct survey_reader *from, const char *key)
{
    reader_key(from->reader, key);
    return reader_number(from->reader, INT64_MIN, INT64_MAX);
}

static void survey_get_table(struct survey_reader *from, struct br_table *table)
{
    *table = (struct br_table){ .node = from->node };
    reader_open(from->reader, '{');
    table->id = survey_get_i32(from, "id");
    table->status = survey_get_i32(from, "status");
    reader_key(from->reader, "name");
    table->name = survey_get_text(from);
    reader_key(from->reader, "type");
    table->type = survey_get_text(from);
    table->partition_count = survey_get_i32(from, "partition_count");
    table->replica_count = survey_get_i32(from, "replica_count");
    table->init_partition_count = survey_get_i32(from, "init_partition_count");
    reader_key(from->reader, "flags");
    table->flags = (uint32_t) reader_number(from->reader, 0, UINT32_MAX);
    table->expire_second = survey_get_i64(from, "expire_second");
    table->create_second = survey_get_i64(from, "create_second");
    table->drop_second = survey_get_i64(from, "drop_second");
    reader_key(from->reader, "envs");
    survey_get_envs(from, table);
    reader_close(from->reader, '}');
}

static int64_t survey_get_next(struct survey_reader *from, int64_t low, int64_t high)
{
    reader_next(from->reader);
    return reader_number(from->reader, low, high);
}

static void survey_get_replica(struct survey_reader *from, struct br_replica *replica)
{
    *replica = (struct br_replica){ .node = from->node };
    reader_open(from->reader, '[');
    replica->table = (int32_t) survey_get_next(from, INT32_MIN, INT32_MAX);
    replica->partition = (int32_t) survey_get_next(from, INT32_MIN, INT32_MAX);
    replica->role = (br_role) survey_get_next(from, INT32_MIN, INT32_MAX);
    replica->ballot = survey_get_next(from, INT64_MIN, INT64_MAX);
    replica->committed = survey_get_next(from, INT64_MIN, INT64_MAX);
    replica->prepared = survey_get_next(from, INT64_MIN, INT64_MAX);
    replica->durable = survey_get_next(from, INT64_MIN, INT64_MAX);
    reader_next(from->reader);
    replica->type = survey_get_text(from);
    reader_next(from->reader);
    replica->disk = survey_get_text(from);
    reader_close(from->reader, ']');
}

static void survey_get_rows(struct survey_reader *from, struct survey_node *node)
{
    struct survey_rows tables = { .kind = BR_ROW_TABLE, .size = sizeof(struct br_table) };
    struct survey_rows replicas = { .kind = BR_ROW_REPLICA, .size = sizeof(struct br_replica) };
    reader_key(from->reader, "tables");
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']'))
        survey_get_table(from, survey_row(from, &tables));
    reader_key(from->reader, "replicas");
    reader_open(from->reader, '[');
    for (; reader_more(from->reader, ']'); from->survey->replica_count++)
        survey_get_replica(from, survey_row(from, &replicas));
    node->tables = tables.first;
    node->replicas = replicas.first;
    if (!node->complete && (node->tables || node->replicas))
        reader_complain(from->reader, "node %s did not answer, and has rows", node->name);
}

static void survey_get_node(struct survey_reader *from, struct survey_node *node)
{
    struct reader *reader = from->reader;
    size_t host;
    uint16_t port;
    reader_open(reader, '{');
    reader_key(reader, "name");
    node->name = survey_get_text(from);
    if (!node->name || (*node->name != '/' && !number_node(node->name, &host, &port)))
        reader_complain(reader, "a node's name is host:port, or a path");
    reader_key(reader, "address");
    const char *address = reader_text(reader);
    if (*address && !address_parse(address, &node->address))
        reader_complain(reader, "a node's address is four numbers and a port, or \"\"");
    reader_key(reader, "asked_ms");
    node->asked_at = reader_number(reader, 0, INT64_MAX / BR_MILLISECOND) * BR_MILLISECOND;
    reader_key(reader, "answered_ms");
    node->answered_at = reader_number(reader, 0, INT64_MAX / BR_MILLISECOND) * BR_MILLISECOND;
    node->complete = node->answered_at > 0;
    reader_key(reader, "error");
    const char *error = survey_get_text(from);
    reader_key(reader, "why");
    const char *why = survey_get_text(from);
    if (!node->complete) {
        node->error = error ? error : "ERR_UNKNOWN";
        node->why = why ? why : "";
        from->survey->silent_count++;
    }
    survey_get_rows(from, node);
    reader_close(reader, '}');
}

static void survey_get_nodes(struct survey_reader *from)
{
    struct survey *survey = from->survey;
    struct survey_node *nodes = mem_array(BR_NODES_MAX, sizeof *nodes);
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (survey->node_count == BR_NODES_MAX) {
            reader_complain(from->reader, "more than %d nodes", BR_NODES_MAX);
            break;
        }
        from->node = (int32_t) survey->node_count;
        survey_get_node(from, &nodes[survey->node_count++]);
    }
    size_t size = survey->node_count * sizeof *nodes;
    survey->nodes = arena_alloc(&survey->arena, size);
    memcpy(survey->nodes, nodes, size);
    free(nodes);
}

struct survey *survey_get(struct reader *reader)
{
    struct survey_reader from = { .reader = reader, .survey = mem_new(sizeof *from.survey) };
    arena_init(&from.survey->arena, 0);
    intern_init(&from.intern, &from.survey->arena);
    reader_open(reader, '{');
    reader_key(reader, "format");
    if (strcmp(reader_text(reader), "bridle survey") != 0)
        reader_complain(reader, "this is no survey");
    reader_key(reader, "version");
    if (reader_number(reader, 0, INT32_MAX) != SURVEY_VERSION)
        reader_complain(reader, "a survey of another version than %d: use the bridle that wrote it",
                        SURVEY_VERSION);
    reader_key(reader, "second");
    from.survey->second = reader_number(reader, 0, INT64_MAX / BR_SECOND);
    reader_key(reader, "nodes");
    survey_get_nodes(&from);
    reader_close(reader, '}');
    intern_done(&from.intern);
    if (!reader->wrong)
        return from.survey;
    survey_free(from.survey);
    return NULL;
}

struct survey *survey_parse(const char *file, char *text, size_t size, struct fail *ret_fail)
{
    struct reader reader;
    reader_init(&reader, file, text, size, ret_fail);
    struct survey *survey = survey_get(&reader);
    if (survey && reader_done(&reader) == BR_OK)
        return survey;
    survey_free(survey);
    return NULL;
}
