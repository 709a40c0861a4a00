/* survey_file -- see survey_file.h: writing.  survey_merge.c merges, file.c has files. */
#include "host/stage/survey_file.h"

#include <string.h>
#include <time.h>

#include "host/rdsn/address.h"

/* -- Writing ---------------------------------------------------------------------------------- */

static br_time survey_wall(br_time at, br_time now, br_time wall)
{
    br_time then = wall - (now - at);
    return then - then % BR_MILLISECOND;
}

void survey_to_wall(struct survey *survey, br_time now)
{
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    br_time wall = clock.tv_sec * BR_SECOND + clock.tv_nsec;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        struct survey_node *node = &survey->nodes[i];
        node->asked_at = survey_wall(node->asked_at, now, wall);
        node->answered_at = node->complete ? survey_wall(node->answered_at, now, wall) : 0;
    }
}

static void survey_put_number(struct buf *buf, const char *key, int64_t value)
{
    buf_text(buf, key);
    buf_i64(buf, value);
}

static void survey_put_text(struct buf *buf, const char *key, const char *text)
{
    buf_text(buf, key);
    if (text)
        buf_json(buf, text);
    else
        buf_text(buf, "null");
}

static void survey_put_table(struct buf *buf, const struct br_table *table)
{
    survey_put_number(buf, "{\"id\":", table->id);
    survey_put_number(buf, ",\"status\":", table->status);
    survey_put_text(buf, ",\"name\":", table->name);
    survey_put_text(buf, ",\"type\":", table->type);
    survey_put_number(buf, ",\"partition_count\":", table->partition_count);
    survey_put_number(buf, ",\"replica_count\":", table->replica_count);
    survey_put_number(buf, ",\"init_partition_count\":", table->init_partition_count);
    survey_put_number(buf, ",\"flags\":", table->flags);
    survey_put_number(buf, ",\"expire_second\":", table->expire_second);
    survey_put_number(buf, ",\"create_second\":", table->create_second);
    survey_put_number(buf, ",\"drop_second\":", table->drop_second);
    buf_text(buf, ",\"envs\":[");
    for (uint32_t i = 0; table->envs && i < 2 * table->env_count; i++)
        survey_put_text(buf, i ? "," : "", table->envs[i]);
    buf_text(buf, "]}");
}

static void survey_put_replica(struct buf *buf, const struct br_replica *replica)
{
    survey_put_number(buf, "[", replica->table);
    survey_put_number(buf, ",", replica->partition);
    survey_put_number(buf, ",", replica->role);
    survey_put_number(buf, ",", replica->ballot);
    survey_put_number(buf, ",", replica->committed);
    survey_put_number(buf, ",", replica->prepared);
    survey_put_number(buf, ",", replica->durable);
    survey_put_text(buf, ",", replica->type);
    survey_put_text(buf, ",", replica->disk);
    buf_char(buf, ']');
}

static void survey_put_rows(struct buf *buf, const struct br_chunk *chunk)
{
    union {
        struct br_table table;
        struct br_replica replica;
    } room;
    bool first = true;
    for (; chunk; chunk = chunk->next) {
        bool table = chunk->kind == BR_ROW_TABLE;
        for (uint32_t i = 0; i < chunk->count; i++) {
            const void *row =
                call_row(chunk, i, &room, table ? sizeof room.table : sizeof room.replica);
            buf_text(buf, first ? "\n" : ",\n");
            first = false;
            if (table)
                survey_put_table(buf, row);
            else
                survey_put_replica(buf, row);
        }
    }
}

static void survey_put_node(struct buf *buf, const struct survey_node *node)
{
    char address[ADDRESS_TEXT_MAX];
    survey_put_text(buf, "{\"name\":", node->name);
    survey_put_text(buf,
                    ",\"address\":", node->address ? address_format(node->address, address) : "");
    survey_put_number(buf, ",\"asked_ms\":", node->asked_at / BR_MILLISECOND);
    survey_put_number(buf,
                      ",\"answered_ms\":", node->complete ? node->answered_at / BR_MILLISECOND : 0);
    survey_put_text(buf, ",\"error\":", node->complete ? "" : node->error);
    survey_put_text(buf, ",\"why\":", node->complete ? "" : node->why);
    buf_text(buf, ",\"tables\":[");
    if (node->complete)
        survey_put_rows(buf, node->tables);
    buf_text(buf, "],\"replicas\":[");
    if (node->complete)
        survey_put_rows(buf, node->replicas);
    buf_text(buf, "]}");
}

void survey_put(const struct survey *survey, struct buf *buf)
{
    buf_printf(buf, "{\"format\":\"bridle survey\",\"version\":%d,\"second\":%lld,\"nodes\":[\n",
               STAGE_VERSION, (long long) survey->second);
    for (uint32_t i = 0; i < survey->node_count; i++) {
        buf_text(buf, i ? ",\n" : "");
        survey_put_node(buf, &survey->nodes[i]);
    }
    buf_text(buf, "\n]}\n");
}

struct survey *survey_load(const char *file, struct fail *ret_fail)
{
    struct buf text = { 0 };
    struct survey *survey = NULL;
    if (stage_read_file(file, &text, ret_fail))
        survey = survey_parse(file, text.data, text.size, ret_fail);
    buf_done(&text);
    return survey;
}
