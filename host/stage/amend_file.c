/* amend_file -- an amendment as a file, both ways, and as a page.  See amend.h. */
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"
#include "host/stage/amend.h"

#define AMEND_HEAD "{\"format\":\"bridle amendment\",\"version\":1,\n\"hash\":\""

static const char *const amend_words[AMEND_WHATS] = { "lost", "newer", "table", "partition" };

/* -- Out -------------------------------------------------------------------------------------- */

static void put_text(struct buf *buf, const char *key, const char *text)
{
    buf_text(buf, key);
    if (text)
        buf_json(buf, text);
    else
        buf_text(buf, "null");
}

static void put_number(struct buf *buf, const char *key, int64_t value)
{
    buf_text(buf, key);
    buf_i64(buf, value);
}

static void put_texts(struct buf *buf, const char *key, const char *const *texts, uint32_t count)
{
    buf_text(buf, key);
    for (uint32_t i = 0; i < count; i++)
        put_text(buf, i ? ",\n" : "\n", texts[i]);
    buf_char(buf, ']');
}

static void put_record(struct buf *buf, const struct amend_record *record)
{
    put_text(buf, "{\"what\":", amend_words[record->what]);
    put_text(buf, ",\"path\":", record->path);
    put_text(buf, ",\"old\":", record->old);
    put_text(buf, ",\"new\":", record->value);
    put_number(buf, ",\"server\":", record->server);
    put_number(buf, ",\"ballot\":", record->ballot);
    put_number(buf, ",\"committed\":", record->committed);
    put_number(buf, ",\"prepared\":", record->prepared);
    put_text(buf, ",\"why\":", record->why);
    buf_char(buf, '}');
}

/* What the hash is over. */
static void put_body(const struct stage_amendment *amendment, struct buf *buf)
{
    put_text(buf, ",\"plan\":", amendment->plan);
    put_text(buf, ",\n\"cluster\":", amendment->cluster_name);
    put_text(buf, ",\"root\":", amendment->root);
    put_text(buf, ",\"layout\":", amendment->version == LAYOUT_26 ? "2.6" : "2.5");
    put_number(buf, ",\"second\":", amendment->second);
    put_texts(buf, ",\n\"servers\":[", amendment->servers, amendment->server_count);
    put_texts(buf, ",\n\"findings\":[", (const char *const *) amendment->findings,
              amendment->finding_count);
    buf_text(buf, ",\n\"records\":[");
    for (uint32_t i = 0; i < amendment->record_count; i++) {
        buf_text(buf, i ? ",\n" : "\n");
        put_record(buf, &amendment->records[i]);
    }
    buf_text(buf, "]}\n");
}

static void amend_hash(const char *text, size_t size, char hash[PLAN_HASH_SIZE])
{
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *) text, size);
    SHA256End(&context, hash);
}

void stage_amendment_put(struct stage_amendment *amendment, struct buf *buf)
{
    struct buf body = { 0 };
    put_body(amendment, &body);
    amend_hash(body.data, body.size, amendment->hash);
    buf_text(buf, AMEND_HEAD);
    buf_text(buf, amendment->hash);
    buf_char(buf, '"');
    buf_put(buf, body.data, body.size);
    buf_done(&body);
}

/* -- In --------------------------------------------------------------------------------------- */

struct amend_reader {
    struct reader *reader;
    struct stage_amendment *amendment;
};

static const char *get_text(struct amend_reader *from, const char *key)
{
    if (key)
        reader_key(from->reader, key);
    const char *text = reader_text(from->reader);
    return arena_text(&from->amendment->arena, text, strlen(text));
}

static int64_t get_number(struct amend_reader *from, const char *key, int64_t low, int64_t high)
{
    reader_key(from->reader, key);
    return reader_number(from->reader, low, high);
}

static const char **get_texts(struct amend_reader *from, const char *key, uint32_t max,
                              uint32_t *ret_count)
{
    const char **texts = arena_alloc(&from->amendment->arena, ((size_t) max + 1) * sizeof *texts);
    uint32_t count = 0;
    reader_key(from->reader, key);
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (count == max) {
            reader_complain(from->reader, "more than %u entries", max);
            break;
        }
        texts[count++] = get_text(from, NULL);
    }
    *ret_count = count;
    return texts;
}

static void get_hash(struct amend_reader *from, char *ret_hash, const char *key)
{
    const char *text = get_text(from, key);
    if (strlen(text) == PLAN_HASH_SIZE - 1)
        memcpy(ret_hash, text, PLAN_HASH_SIZE);
    else
        reader_complain(from->reader, "a hash has %d digits", PLAN_HASH_SIZE - 1);
}

static enum amend_what get_what(struct amend_reader *from)
{
    const char *word = get_text(from, "what");
    for (int i = 0; i < AMEND_WHATS; i++) {
        if (strcmp(word, amend_words[i]) == 0)
            return (enum amend_what) i;
    }
    reader_complain(from->reader, "a change is lost, newer, table or partition");
    return AMEND_LOST;
}

/* "apps/2", "apps/2/5": nothing else is ever written. */
static void get_path(struct amend_reader *from, struct amend_record *record)
{
    char id[16];
    record->path = get_text(from, "path");
    const char *at = record->path;
    record->table = record->partition = -1;
    if (strncmp(at, "apps/", 5) == 0) {
        at += 5;
        const size_t size = strcspn(at, "/");
        if (size < sizeof id) {
            memcpy(id, at, size);
            id[size] = '\0';
            record->table = rows_number(id, BR_TABLE_ID_MAX);
        }
        at += size;
        if (*at)
            record->partition = rows_number(at + 1, BR_PARTITIONS_MAX - 1);
    }
    bool own = record->what == AMEND_TABLE;
    if (record->table < 1 || own != (record->partition < 0) || own != !*at)
        reader_complain(from->reader, "a path is apps/ID or apps/ID/PARTITION");
}

static void get_record(struct amend_reader *from, struct amend_record *record)
{
    struct reader *reader = from->reader;
    int32_t servers = (int32_t) from->amendment->server_count;
    reader_open(reader, '{');
    record->what = get_what(from);
    get_path(from, record);
    reader_key(reader, "old");
    const char *old = reader_text_or_null(reader);
    record->old = old ? arena_text(&from->amendment->arena, old, strlen(old)) : NULL;
    record->value = get_text(from, "new");
    record->server = (int32_t) get_number(from, "server", -1, servers - 1);
    record->ballot = get_number(from, "ballot", 0, INT64_MAX);
    record->committed = get_number(from, "committed", INT64_MIN, INT64_MAX);
    record->prepared = get_number(from, "prepared", INT64_MIN, INT64_MAX);
    record->why = get_text(from, "why");
    reader_close(reader, '}');
    if (strlen(record->value) > BR_STORE_VALUE_MAX)
        reader_complain(reader, "a value of more than %d bytes", BR_STORE_VALUE_MAX);
}

/* Ascending, so that no path stands twice and a table comes before its partitions. */
static void get_order(struct amend_reader *from)
{
    const struct stage_amendment *amendment = from->amendment;
    const struct amend_record *last = &amendment->records[amendment->record_count - 1];
    if (amendment->record_count < 2)
        return;
    const struct amend_record *before = last - 1;
    if (last->table < before->table
        || (last->table == before->table && last->partition <= before->partition))
        reader_complain(from->reader, "records stand by ascending table and partition");
}

static void get_records(struct amend_reader *from)
{
    struct stage_amendment *amendment = from->amendment;
    uint32_t room = 0;
    reader_key(from->reader, "records");
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (amendment->record_count == AMEND_RECORDS_MAX) {
            reader_complain(from->reader, "more than %d records", AMEND_RECORDS_MAX);
            break;
        }
        if (amendment->record_count == room) {
            room = room ? 2 * room : 64;
            amendment->records = mem_grow(amendment->records, room * sizeof *amendment->records);
        }
        get_record(from, &amendment->records[amendment->record_count++]);
        get_order(from);
    }
}

static void get_head(struct amend_reader *from)
{
    struct stage_amendment *amendment = from->amendment;
    char plan[PLAN_HASH_SIZE] = "";
    if (strcmp(get_text(from, "format"), "bridle amendment") != 0)
        reader_complain(from->reader, "this is no amendment");
    if (get_number(from, "version", 0, INT32_MAX) != STAGE_VERSION)
        reader_complain(from->reader,
                        "an amendment of another version than %d: use the bridle that wrote it",
                        STAGE_VERSION);
    get_hash(from, amendment->hash, "hash");
    get_hash(from, plan, "plan");
    amendment->plan = arena_text(&amendment->arena, plan, strlen(plan));
    amendment->cluster_name = get_text(from, "cluster");
    amendment->root = get_text(from, "root");
    const char *layout = get_text(from, "layout");
    amendment->version = strcmp(layout, "2.6") == 0 ? LAYOUT_26 : LAYOUT_25;
    if (amendment->version == LAYOUT_25 && strcmp(layout, "2.5") != 0)
        reader_complain(from->reader, "a layout is 2.5 or 2.6");
    amendment->second = get_number(from, "second", 0, INT64_MAX);
}

br_status stage_amendment_parse(struct stage_amendment *amendment, const char *file, char *text,
                                size_t size, struct fail *ret_fail)
{
    struct reader reader;
    struct amend_reader from = { &reader, amendment };
    char hash[PLAN_HASH_SIZE] = "";
    const size_t head = sizeof AMEND_HEAD - 1 + PLAN_HASH_SIZE;
    *amendment = (struct stage_amendment){ .record_count = 0 };
    arena_init(&amendment->arena, 0);
    if (size > head) /* before strings are decoded in place */
        amend_hash(text + head, size - head, hash);
    reader_init(&reader, file, text, size, ret_fail);
    reader_open(&reader, '{');
    get_head(&from);
    amendment->servers = get_texts(&from, "servers", AMEND_SERVERS_MAX, &amendment->server_count);
    amendment->findings =
        get_texts(&from, "findings", AMEND_FINDINGS_MAX + 1, &amendment->finding_count);
    get_records(&from);
    reader_close(&reader, '}');
    br_status status = reader_done(&reader);
    if (status == BR_OK && strcmp(hash, amendment->hash) != 0)
        return fail_set(ret_fail, BR_CORRUPT,
                        "%s: what it says does not have the hash that it says (%.12s, not "
                        "%.12s): it was changed or damaged; make the amendment again",
                        file, hash, amendment->hash);
    return status;
}

br_status stage_amendment_load(struct stage_amendment *amendment, const char *file,
                               struct fail *ret_fail)
{
    struct buf text = { 0 };
    *amendment = (struct stage_amendment){ .record_count = 0 };
    arena_init(&amendment->arena, 0);
    br_status status;
    if (stage_read_file(file, &text, ret_fail)) {
        stage_amendment_done(amendment);
        status = stage_amendment_parse(amendment, file, text.data, text.size, ret_fail);
    } else {
        status = ret_fail->status;
    }
    buf_done(&text);
    return status;
}

bool stage_is_amendment(const char *file)
{
    static const char format[] = "{\"format\":\"bridle amendment\"";
    char text[sizeof format - 1];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    return got == (ssize_t) sizeof text && memcmp(text, format, sizeof text) == 0;
}

/* -- The page --------------------------------------------------------------------------------- */

static void amend_count(const struct stage_amendment *amendment, uint32_t count[AMEND_WHATS])
{
    memset(count, 0, AMEND_WHATS * sizeof *count);
    for (uint32_t i = 0; i < amendment->record_count; i++)
        count[amendment->records[i].what]++;
}

void stage_amendment_summary(const struct stage_amendment *amendment, struct buf *buf)
{
    uint32_t count[AMEND_WHATS];
    amend_count(amendment, count);
    for (uint32_t i = 0; i < amendment->finding_count && i < AMEND_SHOWN_MAX; i++)
        buf_printf(buf, "%s\n", amendment->findings[i]);
    if (amendment->finding_count > AMEND_SHOWN_MAX)
        buf_printf(buf, "and %u more findings\n", amendment->finding_count - AMEND_SHOWN_MAX);
    buf_printf(buf, "plan      %.16s, cluster %s, root %s\n", amendment->plan,
               amendment->cluster_name, amendment->root);
    if (!amendment->record_count) {
        buf_text(buf, "changes   none: no partition is lost, or untouched since the plan, that "
                      "these servers hold more of\n");
        return;
    }
    buf_printf(buf,
               "changes   %u partitions that were lost, %u by newer replicas, %u tables that come "
               "back with %u partitions; %u records\n",
               count[AMEND_LOST], count[AMEND_NEWER], count[AMEND_TABLE], count[AMEND_PARTITION],
               amendment->record_count);
    for (uint32_t i = 0; i < amendment->record_count && i < AMEND_SHOWN_MAX; i++)
        buf_printf(buf, "          %s: %s\n", amendment->records[i].path,
                   amendment->records[i].why);
    if (amendment->record_count > AMEND_SHOWN_MAX)
        buf_printf(buf, "          and %u more\n", amendment->record_count - AMEND_SHOWN_MAX);
}

void stage_amendment_summary_json(const struct stage_amendment *amendment, struct buf *buf)
{
    uint32_t count[AMEND_WHATS];
    amend_count(amendment, count);
    put_text(buf, "{\"hash\":", amendment->hash);
    put_text(buf, ",\"plan\":", amendment->plan);
    for (int i = 0; i < AMEND_WHATS; i++)
        buf_printf(buf, ",\"%s\":%u", amend_words[i], count[i]);
    put_number(buf, ",\"records\":", amendment->record_count);
    buf_text(buf, ",\"findings\":[");
    for (uint32_t i = 0; i < amendment->finding_count; i++)
        put_text(buf, i ? "," : "", amendment->findings[i]);
    buf_text(buf, "]}\n");
}
