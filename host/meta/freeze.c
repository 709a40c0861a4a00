/* freeze -- see freeze.h: the record, read and written, and the operator's two words. */
#include "host/meta/freeze.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"
#include "host/meta/learner.h"
#include "host/meta/routes.h"
#include "host/recovery/rows.h"

#define FREEZE_WHY_MAX 512
#define FREEZE_TIME    32

/* Who waits for an answer, and for what to be written. */
struct order {
    bool release;
    struct rdsn_incoming *incoming; /* NULL: nobody */
    char by[FREEZE_BY_MAX + 1];
};

struct freeze {
    struct meta *meta;
    bool released;            /* by the record as it was last read or written */
    bool read;                /* it could be read, so that these are known: */
    bool there, parent;       /* the record, whatever it says; <root>/bridle */
    char why[FREEZE_WHY_MAX]; /* where it is not released */
    char told[FREEZE_WHY_MAX];
    char by[FREEZE_BY_MAX + 1]; /* of the release */
    char version[64];
    int64_t at;
    br_time read_at; /* when it was last known to be released */
    struct br_call *call;
    struct timer *timer;
    struct write_group *group; /* on its way; then `order` is what it is for */
    struct order order;
    bool overtaken; /* a freeze came while the release was on its way */
    bool held;      /* frozen by an operator since this server leads */
    bool empty;     /* the store held no tables when this server began to lead */
};

/* -- What counts ------------------------------------------------------------------------------ */

BR_PRINTF(2, 3)
static void freeze_set(struct freeze *freeze, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(freeze->why, sizeof freeze->why, format, args);
    va_end(args);
    freeze->released = false;
}

const char *freeze_why(const struct meta *meta)
{
    const struct freeze *freeze = meta->freeze;
    if (!freeze)
        return "frozen: this meta server does not serve";
    if (!freeze->released)
        return freeze->why;
    if (loop_now(meta->loop) - freeze->read_at > FREEZE_FRESH)
        return "frozen: the store has not said lately that it is released";
    return NULL;
}

bool freeze_known(const struct meta *meta)
{
    return meta->freeze && meta->freeze->told[0];
}

/* Said when it changes. */
static void freeze_tell(struct freeze *freeze)
{
    const char *now = freeze->released ? "" : freeze->why;
    if (freeze->told[0] != 0 && strcmp(freeze->told + 1, now) == 0)
        return;
    snprintf(freeze->told, sizeof freeze->told, "!%.500s", now);
    if (freeze->released)
        meta_log(freeze->meta, BR_WARN,
                 "released by %s: replicas of dropped and expired tables are collected at level "
                 "lively",
                 freeze->by);
    else
        meta_log(freeze->meta, BR_INFO, "no replica is deleted anywhere: %s", now);
    asker_frozen(freeze->meta);
}

/* -- Reading ---------------------------------------------------------------------------------- */

static const char *freeze_text(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static void freeze_take_json(struct freeze *freeze, const json_t *json)
{
    const char *cluster = freeze_text(json, "cluster");
    const char *ours = freeze->meta->config->replication.cluster_name;
    json_t *version = json_object_get(json, "version");
    json_t *at = json_object_get(json, "at");
    bool known = json_is_integer(version) && json_integer_value(version) == 1 && json_is_integer(at)
                 && freeze_text(json, "by")[0] && cluster[0];
    if (!known) {
        freeze_set(freeze, "frozen: the record of a release is none that this version understands");
    } else if (strcmp(cluster, ours) != 0) {
        freeze_set(freeze,
                   "frozen: the record of a release is of cluster '%.64s', and this is "
                   "'%.64s'",
                   cluster, ours);
    } else {
        snprintf(freeze->by, sizeof freeze->by, "%s", freeze_text(json, "by"));
        snprintf(freeze->version, sizeof freeze->version, "%s", freeze_text(json, "bridled"));
        freeze->at = json_integer_value(at);
        freeze->released = true;
    }
}

static void freeze_take(struct freeze *freeze, br_bytes value)
{
    json_t *json = NULL;
    if (value.size && value.size <= FREEZE_RECORD_MAX)
        json = json_loadb(value.data, value.size, JSON_REJECT_DUPLICATES, NULL);
    freeze_take_json(freeze, json);
    json_decref(json);
}

static void freeze_write(struct freeze *freeze);

/* What it says, and beside it whether the lock's node is still there. */
static void freeze_take_rows(struct freeze *freeze, const struct call_answer *answer)
{
    struct meta *meta = freeze->meta;
    struct rows rows = rows_of(answer);
    freeze->read = true;
    freeze->parent = rows_value(&rows)->status == BR_OK;
    const struct br_value *record = rows_value(&rows);
    freeze->there = record->status == BR_OK;
    if (!freeze->there)
        freeze_set(freeze, "frozen: no operator has released it");
    else if (freeze->held)
        freeze_set(freeze, "frozen: by an operator, but the record of a release is still there");
    else if (freeze->empty)
        freeze_set(freeze,
                   "frozen: the store held no tables, so the release there was not of these");
    else
        freeze_take(freeze, record->value);
    if (meta->fence && rows_value(&rows)->status != BR_OK)
        freeze_set(freeze, "frozen: the leader lock is gone");
}

static void freeze_again(void *arg)
{
    struct freeze *freeze = arg;
    freeze->timer = NULL;
    freeze_look(freeze->meta);
}

/* A release from before the tables were gone is not to come back with the next leader. */
static void freeze_clean(struct freeze *freeze)
{
    if (!freeze->empty || !freeze->there || freeze->group)
        return;
    freeze->order = (struct order){ .release = false };
    freeze_write(freeze);
}

static void freeze_read(void *arg, struct call_answer *answer)
{
    struct freeze *freeze = arg;
    struct meta *meta = freeze->meta;
    uint32_t wanted = meta->fence ? 3 : 2;
    br_time asked = freeze->read_at;
    freeze->call = NULL;
    freeze->read = false;
    if (answer->status)
        freeze_set(freeze, "frozen: the record of a release cannot be read: %.300s",
                   answer->message);
    else if (rows_count(answer, BR_ROW_VALUE) < wanted)
        freeze_set(freeze, "frozen: the store answered fewer values than asked for");
    else
        freeze_take_rows(freeze, answer);
    freeze->read_at = freeze->released ? loop_now(meta->loop) : asked;
    freeze_tell(freeze);
    if (!freeze->read || freeze->released)
        freeze->timer = loop_after(meta->loop, freeze->released ? FREEZE_LOOK : META_RETRY,
                                   freeze_again, freeze);
    if (freeze->read)
        freeze_clean(freeze);
}

/* While something is on its way the record is not looked at: its end does that. */
void freeze_look(struct meta *meta)
{
    struct freeze *freeze = meta->freeze;
    if (freeze->group || freeze->call)
        return;
    timer_cancel(freeze->timer);
    freeze->timer = NULL;
    struct buf path = { 0 };
    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, 3 * sizeof *paths);
    layout_bridle_path(&path, buf_string(&meta->root));
    paths[0] = arena_text(&memory, path.data, path.size);
    buf_clear(&path);
    layout_released_path(&path, buf_string(&meta->root));
    paths[1] = arena_text(&memory, path.data, path.size);
    if (meta->fence)
        paths[2] = arena_text(&memory, meta->fence, strlen(meta->fence));
    buf_done(&path);
    freeze->call =
        store_read(meta->store, paths, meta->fence ? 3 : 2, &memory, 0, freeze_read, freeze);
}

/* -- Writing ---------------------------------------------------------------------------------- */

BR_PRINTF(2, 3)
static void order_answer(struct order *order, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;
    if (!order->incoming)
        return;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    admin_reply(order->incoming, buf_string(&text));
    order->incoming = NULL;
    buf_done(&text);
}

static void order_take(struct order *order, bool release, const char *by,
                       struct rdsn_incoming *incoming)
{
    *order = (struct order){ .release = release, .incoming = incoming };
    snprintf(order->by, sizeof order->by, "%s", *by ? by : "somebody");
}

static void freeze_released(struct freeze *freeze)
{
    snprintf(freeze->by, sizeof freeze->by, "%s", freeze->order.by);
    snprintf(freeze->version, sizeof freeze->version, "%s", BRIDLE_VERSION);
    freeze->released = true;
    freeze->read_at = loop_now(freeze->meta->loop);
    freeze_tell(freeze);
    order_answer(&freeze->order, "OK");
}

static void freeze_taken_back(struct freeze *freeze)
{
    freeze_set(freeze, "frozen: no operator has released it");
    freeze_tell(freeze);
    order_answer(&freeze->order, "OK");
}

static void freeze_written(void *arg, br_status status, const char *why)
{
    struct freeze *freeze = arg;
    bool release = freeze->order.release;
    bool gone = !release && status == BR_NOTFOUND;
    freeze->group = NULL;
    if (freeze->overtaken) { /* whatever became of it */
        freeze->overtaken = false;
        freeze->order.release = false;
        freeze_write(freeze);
        return;
    }
    if (status && !gone) {
        meta_log(freeze->meta, BR_ERROR, "the record of a release cannot be %s: %s",
                 release ? "written" : "deleted", why);
        order_answer(&freeze->order, "ERROR: the store refused it: %s", why);
    } else {
        freeze->there = release;
        freeze->parent = freeze->parent || release;
        if (release)
            freeze_released(freeze);
        else
            freeze_taken_back(freeze);
    }
    freeze_look(freeze->meta);
}

static void freeze_put_record(const struct freeze *freeze, struct buf *json)
{
    buf_text(json, "{\"version\":1,\"cluster\":");
    buf_json(json, freeze->meta->config->replication.cluster_name);
    buf_text(json, ",\"by\":");
    buf_json(json, freeze->order.by);
    buf_printf(json, ",\"at\":%lld,\"bridled\":", (long long) freeze->at);
    buf_json(json, BRIDLE_VERSION);
    buf_char(json, '}');
}

/* Who said so, for ever; in the same group of writes. */
static void freeze_add_audit(struct freeze *freeze)
{
    struct meta *meta = freeze->meta;
    struct buf path = { 0 };
    struct buf line = { 0 };
    struct audit audit = { .loop = meta->loop,
                           .file = meta->config->recovery.audit_file,
                           .program = "bridled",
                           .deed = freeze->order.release ? "release" : "freeze",
                           .plan = "",
                           .cluster = meta->config->replication.cluster_name,
                           .root = buf_string(&meta->root),
                           .asked_by = freeze->order.by };
    audit_entry(&audit, audit.root, "done", AUDIT_ENTRY_MAX, &path, &line);
    writer_add(freeze->group, BR_CREATE, path.data, buf_bytes(&line));
    audit_append(&audit, &line);
    audit_done(&audit);
    buf_done(&path);
    buf_done(&line);
}

/* The order, into the store.  What was read meanwhile would be older than it. */
static void freeze_write(struct freeze *freeze)
{
    struct meta *meta = freeze->meta;
    struct buf path = { 0 };
    struct buf json = { 0 };
    const br_bytes none = { 0 };
    if (freeze->call)
        call_forget(freeze->call);
    freeze->call = NULL;
    timer_cancel(freeze->timer);
    freeze->timer = NULL;
    freeze->group = writer_begin(meta->writer);
    if (freeze->order.release && !freeze->parent) {
        layout_bridle_path(&path, buf_string(&meta->root));
        writer_add(freeze->group, BR_CREATE, path.data, none);
        buf_clear(&path);
    }
    layout_released_path(&path, buf_string(&meta->root));
    if (freeze->order.release) {
        freeze->at = (int64_t) time(NULL);
        freeze_put_record(freeze, &json);
        writer_add(freeze->group, freeze->there ? BR_PUT : BR_CREATE, path.data, buf_bytes(&json));
    } else {
        writer_add(freeze->group, BR_DELETE, path.data, none);
    }
    freeze_add_audit(freeze);
    buf_done(&path);
    buf_done(&json);
    writer_issue(freeze->group, freeze_written, freeze);
}

/* -- The operator's word ----------------------------------------------------------------------- */

/* NULL: the leader can do it; else why not, in `text`. */
static const char *freeze_closed(const struct meta *meta, char *text, size_t size)
{
    if (!meta->freeze && meta->state_now == META_CANDIDATE && meta->leader[0])
        snprintf(text, size, "%.200s leads, ask it", meta->leader);
    else if (!meta->freeze)
        snprintf(text, size, "this meta server does not serve, or not yet");
    return meta->freeze ? NULL : text;
}

static const char *freeze_release_wrong(const struct meta *meta, const char *cluster, char *text,
                                        size_t size)
{
    const char *ours = meta->config->replication.cluster_name;
    const char *closed = freeze_closed(meta, text, size);
    if (closed)
        return closed;
    if (strcmp(cluster, ours) != 0) {
        snprintf(text, size, "give the cluster's name, '%.100s'", ours);
        return text;
    }
    if (meta->freeze->group)
        return "another release or freeze is on its way into the store: try again";
    if (!meta->freeze->read)
        return meta->freeze->why;
    if (meta->state.cluster.table_count == 0)
        return "there are no tables, and so nothing to release";
    if (meta_level_now(meta) <= LEVEL_BLIND)
        return "at this function level nothing is written";
    return NULL;
}

void freeze_release(struct meta *meta, const char *cluster, const char *by,
                    struct rdsn_incoming *incoming)
{
    char text[256];
    struct order order;
    struct freeze *freeze = meta->freeze;
    const char *wrong = freeze_release_wrong(meta, cluster, text, sizeof text);
    order_take(&order, true, by, incoming);
    if (wrong) {
        order_answer(&order, "ERROR: %s", wrong);
        return;
    }
    freeze->order = order;
    freeze->held = false;
    freeze->empty = false;
    freeze_set(freeze, "frozen: a release is on its way into the store");
    meta_log(meta, BR_WARN, "%s releases the cluster", order.by);
    freeze_write(freeze);
}

void freeze_take_back(struct meta *meta, const char *by, struct rdsn_incoming *incoming)
{
    char text[256];
    struct order order;
    struct freeze *freeze = meta->freeze;
    const char *wrong = freeze_closed(meta, text, sizeof text);
    order_take(&order, false, by, incoming);
    if (wrong) {
        order_answer(&order, "ERROR: %s", wrong);
        return;
    }
    meta_log(meta, BR_WARN, "%s freezes the cluster", order.by);
    freeze->held = true;
    freeze_set(freeze, "frozen: by %.128s", order.by);
    freeze_tell(freeze);
    if (freeze->group && !freeze->order.release) {
        order_answer(&order, "ERROR: frozen, and another freeze is on its way into the store");
    } else if (freeze->group) {
        order_answer(&freeze->order, "ERROR: a freeze came after it");
        order.release = true; /* which is what is on its way */
        freeze->order = order;
        freeze->overtaken = true;
    } else if (freeze->read && !freeze->there) {
        order_answer(&order, "OK");
    } else {
        freeze->order = order;
        freeze_write(freeze);
        if (meta_level_now(meta) <= LEVEL_BLIND)
            order_answer(&freeze->order, "ERROR: frozen by this leader; at this function level "
                                         "nothing is written, so that the next one finds the "
                                         "release again");
    }
}

/* -- Status ----------------------------------------------------------------------------------- */

static uint32_t freeze_ripe(const struct meta *meta)
{
    uint32_t count = 0;
    for (uint32_t i = 0; meta->freeze && i < meta->state.cluster.node_count; i++)
        count += meta->state.nodes[i].ripe;
    return count;
}

static void freeze_put_json(const struct meta *meta, const char *why, struct buf *buf)
{
    const struct freeze *freeze = meta->freeze;
    buf_printf(buf, "{\"serving\":%s,\"leader\":", freeze ? "true" : "false");
    buf_json(buf, meta->leader);
    buf_text(buf, ",\"cluster\":");
    buf_json(buf, meta->config->replication.cluster_name);
    buf_printf(buf, ",\"frozen\":%s,\"why\":", why ? "true" : "false");
    buf_json(buf, why ? why : "");
    buf_text(buf, ",\"by\":");
    buf_json(buf, why ? "" : freeze->by);
    buf_printf(buf, ",\"at\":%lld,\"bridled\":", why ? 0LL : (long long) freeze->at);
    buf_json(buf, why ? "" : freeze->version);
    if (freeze && why) {
        buf_char(buf, ',');
        learners_put(meta, true, buf);
    }
    buf_printf(buf, ",\"meta_level\":\"%s\",\"collectable\":%u}",
               meta_level_text(meta_level_now(meta)), freeze_ripe(meta));
}

void freeze_put_status(const struct meta *meta, bool json, struct buf *buf)
{
    const char *why = freeze_why(meta);
    char when[FREEZE_TIME];
    char closed[256];
    uint32_t ripe = freeze_ripe(meta);
    bool lively = meta_level_now(meta) == LEVEL_LIVELY;
    if (json) {
        freeze_put_json(meta, why, buf);
        return;
    }
    if (freeze_closed(meta, closed, sizeof closed)) {
        buf_printf(buf, "not known here: %s\n", closed);
        return;
    }
    if (why) {
        buf_printf(buf, "%s\n%u replicas of dropped and expired tables stay\n", why, ripe);
        learners_put(meta, false, buf);
        return;
    }
    time_t at = (time_t) meta->freeze->at;
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&at, &tm));
    buf_printf(buf, "released by %s at %s (bridled %s)\n", meta->freeze->by, when,
               meta->freeze->version);
    buf_printf(buf, "%u replicas of dropped and expired tables %s\n", ripe,
               lively ? "are being collected" : "stay until the function level is lively");
}

/* -- Beginning and ending ---------------------------------------------------------------------- */

struct freeze *freeze_new(struct meta *meta)
{
    struct freeze *freeze = mem_new(sizeof *freeze);
    freeze->meta = meta;
    freeze->empty = meta->began_empty;
    freeze_set(freeze, "frozen: whether it is released has not been read yet");
    freeze->timer = loop_after(meta->loop, 0, freeze_again, freeze);
    return freeze;
}

void freeze_free(struct freeze *freeze)
{
    if (!freeze)
        return;
    order_answer(&freeze->order,
                 "ERROR: leadership is over; ask the next leader what became of it");
    if (freeze->group)
        writer_forget(freeze->group);
    if (freeze->call)
        call_forget(freeze->call);
    timer_cancel(freeze->timer);
    free(freeze);
}
