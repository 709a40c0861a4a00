/* etcd_elect -- the steps of an election, one request or two each: see etcd_lock.c. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/etcd_stand.h"

#define LOCK_NAME       "LOCKNODE"
#define LOCK_NUMBER_MAX INT64_C(9999999999) /* ten digits */

static const br_bytes nothing = { NULL, 0 };

static void stand_elect(struct etcd_stand *stand)
{
    char fence[ETCD_NODE_MAX];
    etcd_stand_node(stand, stand->number, fence);
    stand->elected = true;
    br_reply_value(stand->call, etcd_text(fence), 0);
    stand->call = NULL;
}

/* -- Steps ------------------------------------------------------------------------------------- */

/* Is it still there?  The end of the lease, and of all, end a stand in the middle of a step. */
static bool stand_lives(const struct etcd *etcd, const struct etcd_stand *stand)
{
    return etcd->stepping == stand;
}

/* What can be answered without another attempt: the operator must do something. */
static bool step_final(br_status status)
{
    return status != BR_OK && status != BR_UNAVAILABLE && status < BR_UNKNOWN;
}

static void step_fail(struct etcd *etcd, struct etcd_stand *stand, br_status status,
                      const char *why)
{
    if (step_final(status) && stand_lives(etcd, stand) && !stand->elected)
        etcd_stand_end(etcd, stand, status, why);
    etcd_step_over(etcd);
}

/* -- Giving back ------------------------------------------------------------------------------- */

static void release_done(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct etcd_stand *stand = arg;
    br_status status;
    const char *why;
    int done = etcd_chained(etcd, reply, &status, &why);
    if (done == 1 && stand_lives(etcd, stand))
        etcd_stand_gone(etcd, stand);
    etcd_step_over(etcd);
}

void etcd_release_go(struct etcd *etcd, struct etcd_stand *stand)
{
    struct buf compares = { 0 }, ops = { 0 };
    char node[ETCD_NODE_MAX];
    etcd_stand_node(stand, stand->number, node);
    char *key = etcd_key(etcd, node);
    etcd_put_delete(&ops, key);
    etcd_chain(etcd, &compares, &ops, release_done, stand);
    free(key);
}

static void leftover_done(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct etcd_stand *stand = arg;
    br_status status;
    const char *why;
    if (etcd_chained(etcd, reply, &status, &why) == 1 && stand_lives(etcd, stand))
        br_log(etcd->env, BR_INFO, "%s, left over from an earlier life, deleted", stand->leftover);
    if (stand_lives(etcd, stand)) {
        free(stand->leftover);
        stand->leftover = NULL;
        stand->due = true;
    }
    etcd_step_over(etcd);
}

void etcd_leftover_go(struct etcd *etcd, struct etcd_stand *stand)
{
    struct buf compares = { 0 }, ops = { 0 };
    etcd_put_compare(&compares, "MOD", "EQUAL", etcd_text(stand->leftover), nothing,
                     stand->leftover_revision);
    etcd_put_delete(&ops, stand->leftover);
    etcd_chain(etcd, &compares, &ops, leftover_done, stand);
}

/* -- Standing ---------------------------------------------------------------------------------- */

/* The path and all above it, shortest first; malloc'ed.  "/" is there and not among them. */
static char *ancestor(const char *path, uint32_t index)
{
    const char *end = path;
    for (uint32_t i = 0; i <= index; i++)
        end += 1 + strcspn(end + 1, "/");
    char *part = mem_text(path);
    part[end - path] = '\0';
    return part;
}

uint32_t etcd_depth(const char *path)
{
    uint32_t count = 0;
    for (const char *c = path; *c; c++)
        count += *c == '/';
    return path[1] ? count : 0;
}

static void lock_range(const struct etcd *etcd, const char *path, struct buf *from, struct buf *to)
{
    char *end, *start = etcd_children(etcd, path, &end);
    buf_printf(from, "%s" LOCK_NAME, start);
    buf_printf(to, "%sLOCKNODF", start);
    free(start);
    free(end);
}

/* The number of a candidate's key, which has so many bytes before it; -1: it is none. */
static int64_t lock_number(const char *key, size_t before)
{
    int64_t number;
    const char *digits = key + before + strlen(LOCK_NAME);
    return isdigit((unsigned char) *digits) && number_i64(digits, strlen(digits), &number) ? number
                                                                                           : -1;
}

static void counter_key(const struct etcd *etcd, const char *path, struct buf *key)
{
    buf_printf(key, "%s.counter%s", etcd->prefix, path);
}

/* What a lock's counter says; next is a number that nobody had. */
struct counter {
    int64_t stood, next;
    int64_t revision; /* 0: it is not there */
};

#define COUNTER_FOREIGN "its counter was not written by bridle"

static bool counter_take(const json_t *range, struct counter *ret)
{
    const json_t *kv = etcd_kv(range);
    size_t size;
    br_bytes next;
    *ret = (struct counter){ .revision = etcd_number(kv, "mod_revision") };
    if (!kv)
        return range != NULL;
    char *text = etcd_bytes(kv, "value", &size);
    bool good = text && etcd_value(text, size, &ret->stood, &next)
                && number_i64(next.data, next.size, &ret->next) && ret->stood <= ret->next
                && ret->next <= LOCK_NUMBER_MAX + 1;
    free(text);
    return good;
}

/* NULL: it was not there. */
static const json_t *seen_ancestor(const struct etcd_reply *reply, uint32_t index)
{
    return etcd_kv(etcd_response(reply->json, index + 1, "response_range"));
}

static void stood(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct etcd_stand *stand = arg;
    br_status status;
    const char *why;
    int done = etcd_chained(etcd, reply, &status, &why);
    if (!stand_lives(etcd, stand)) {
        etcd_step_over(etcd);
    } else if (done == 1) {
        stand->number = stand->tried;
        stand->tried = -1;
        stand->due = true;
        etcd_step_over(etcd);
    } else {
        if (done == 0 || status < BR_UNKNOWN)
            stand->tried = -1;
        step_fail(etcd, stand, done == 0 ? BR_OK : status, why);
    }
}

/* Of what was read before: 0 the counter, then the path's ancestors, then the candidates. */
static void stand_put(struct etcd *etcd, struct etcd_stand *stand, const struct etcd_reply *reply,
                      const struct counter *counter)
{
    struct buf compares = { 0 }, ops = { 0 }, name = { 0 };
    char text[48], node[ETCD_NODE_MAX];
    counter_key(etcd, stand->path, &name);
    etcd_put_compare(&compares, "MOD", "EQUAL", buf_bytes(&name), nothing, counter->revision);
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, counter->stood + 1, counter->next + 1);
    etcd_put_put(&ops, name.data, text, nothing, 0, false);
    buf_done(&name);
    for (uint32_t i = 0; i < etcd_depth(stand->path); i++) {
        char *part = ancestor(stand->path, i), *key = etcd_key(etcd, part);
        int64_t made = etcd_number(seen_ancestor(reply, i), "create_revision");
        etcd_put_compare(&compares, "CREATE", "EQUAL", etcd_text(key), nothing, made);
        if (!made)
            etcd_put_put(&ops, key, "0 ", nothing, 0, false);
        free(part);
        free(key);
    }
    etcd_stand_node(stand, counter->next, node);
    char *key = etcd_key(etcd, node);
    etcd_put_compare(&compares, "CREATE", "EQUAL", etcd_text(key), nothing, 0);
    etcd_put_put(&ops, key, "0 ", etcd_text(stand->value), etcd->lease, false);
    free(key);
    stand->tried = counter->next;
    etcd_chain(etcd, &compares, &ops, stood, stand);
}

/* Whoever stands by other means than the counter is not overtaken. */
static int64_t seen_taken(const struct etcd_stand *stand, const struct etcd_reply *reply)
{
    const json_t *last =
        etcd_kv(etcd_response(reply->json, etcd_depth(stand->path) + 1, "response_range"));
    size_t size;
    char *key = last ? etcd_bytes(last, "key", &size) : NULL;
    const char *slash = key ? strrchr(key, '/') : NULL;
    int64_t taken = slash ? lock_number(key, (size_t) (slash + 1 - key)) : -1;
    free(key);
    return taken;
}

/* What was seen as a reason not to stand. */
static br_status seen_wrong(const struct etcd_stand *stand, const struct etcd_reply *reply,
                            struct counter *ret_counter, const char **ret_why)
{
    for (uint32_t i = 0; i < etcd_depth(stand->path); i++) {
        *ret_why = "it lies below a lock's node";
        if (etcd_number(seen_ancestor(reply, i), "lease"))
            return BR_CONFLICT;
    }
    *ret_why = COUNTER_FOREIGN;
    if (!counter_take(etcd_response(reply->json, 0, "response_range"), ret_counter))
        return BR_CORRUPT;
    int64_t taken = seen_taken(stand, reply);
    if (taken >= ret_counter->next)
        ret_counter->next = taken + 1;
    *ret_why = "it has been stood for too often";
    return ret_counter->next > LOCK_NUMBER_MAX ? BR_TOOBIG : BR_OK;
}

static void stand_seen(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct etcd_stand *stand = arg;
    struct counter counter;
    const char *why = reply->why;
    br_status status = reply->status;
    bool go = status == BR_OK && stand_lives(etcd, stand) && !stand->leaving;
    if (go)
        status = seen_wrong(stand, reply, &counter, &why);
    if (go && status == BR_OK)
        stand_put(etcd, stand, reply, &counter);
    else
        step_fail(etcd, stand, status, why);
}

void etcd_stand_go(struct etcd *etcd, struct etcd_stand *stand)
{
    struct buf ranges = { 0 }, counter = { 0 }, from = { 0 }, to = { 0 };
    counter_key(etcd, stand->path, &counter);
    etcd_put_range(&ranges, buf_bytes(&counter), nothing, "");
    for (uint32_t i = 0; i < etcd_depth(stand->path); i++) {
        char *part = ancestor(stand->path, i), *key = etcd_key(etcd, part);
        etcd_put_range(&ranges, etcd_text(key), nothing, ",\"keys_only\":true");
        free(part);
        free(key);
    }
    lock_range(etcd, stand->path, &from, &to);
    etcd_put_range(&ranges, buf_bytes(&from), buf_bytes(&to),
                   ",\"keys_only\":true,\"limit\":1,\"sort_order\":\"DESCEND\"");
    etcd_ask_ranges(etcd, ETCD_LANE_WRITE, &ranges, stand_seen, stand);
    buf_done(&counter);
    buf_done(&from);
    buf_done(&to);
}

/* -- Looking ----------------------------------------------------------------------------------- */

struct view {
    int64_t least; /* -1: nobody stands */
    char *key;     /* the leader's ... */
    char *value;
    int64_t revision;
};

static void view_done(struct view *view)
{
    free(view->key);
    free(view->value);
}

/* Who leads, among the candidates of a range's answer. */
static void view_take(struct view *view, const json_t *kvs, size_t before)
{
    const json_t *leader = NULL;
    size_t size;
    *view = (struct view){ .least = -1 };
    for (size_t i = 0; i < json_array_size(kvs); i++) {
        const json_t *kv = json_array_get(kvs, i);
        char *key = etcd_bytes(kv, "key", &size);
        int64_t number = key && size > before ? lock_number(key, before) : -1;
        if (number >= 0 && (view->least < 0 || number < view->least)) {
            free(view->key);
            view->key = key;
            view->least = number;
            leader = kv;
        } else {
            free(key);
        }
    }
    char *value = leader ? etcd_bytes(leader, "value", &size) : NULL;
    br_bytes data = nothing;
    int64_t version;
    if (value && etcd_value(value, size, &version, &data))
        view->value = strndup(data.data, data.size);
    else
        view->value = mem_text("");
    view->revision = etcd_number(leader, "mod_revision");
    free(value);
}

/* Is the node with this number, and our lease, there? */
static bool view_has(const json_t *kvs, size_t before, int64_t number, int64_t lease)
{
    size_t size;
    bool found = false;
    for (size_t i = 0; i < json_array_size(kvs); i++) {
        const json_t *kv = json_array_get(kvs, i);
        char *key = etcd_bytes(kv, "key", &size);
        found |= key && size > before && lock_number(key, before) == number
                 && etcd_number(kv, "lease") == lease;
        free(key);
    }
    return found;
}

static bool lead_by_us(const struct etcd *etcd, const struct etcd_stand *who, int64_t number)
{
    const struct etcd_stand *stand = etcd->stands;
    while (stand
           && !(stand->number == number && stand->candidate && strcmp(stand->path, who->path) == 0))
        stand = stand->next;
    return stand != NULL;
}

static void look_candidate(struct etcd *etcd, struct etcd_stand *stand, const struct view *view,
                           bool there)
{
    if (stand->number < 0)
        return;
    if (!there && (stand->elected || stand->leaving)) {
        etcd_stand_lose(etcd, stand, "its node is gone");
    } else if (!there) {
        stand->number = -1; /* somebody deleted it: stand again */
    } else if (stand->number == view->least) {
        if (!stand->elected && !stand->leaving)
            stand_elect(stand);
    } else if (strcmp(view->value, stand->value) == 0 && !stand->leftover && !stand->elected
               && !lead_by_us(etcd, stand, view->least)) {
        stand->leftover = mem_text(view->key);
        stand->leftover_revision = view->revision;
    }
}

static void look_observer(struct etcd *etcd, struct etcd_stand *stand, const struct view *view)
{
    if (strcmp(view->value, stand->value) == 0)
        return;
    br_reply_value(stand->call, etcd_text(view->value), 0);
    stand->call = NULL;
    etcd_stand_gone(etcd, stand);
}

/* A step without an answer: was it carried out? */
static void look_tried(struct etcd *etcd, struct etcd_stand *stand, const json_t *kvs,
                       size_t before)
{
    if (stand->tried >= 0 && view_has(kvs, before, stand->tried, etcd->lease))
        stand->number = stand->tried;
    stand->tried = -1;
}

/* All that concerns this lock, since what was seen is as good for one as for the other. */
static void look_all(struct etcd *etcd, const char *path, const json_t *kvs, size_t before)
{
    struct view view;
    view_take(&view, kvs, before);
    for (struct etcd_stand *next, *stand = etcd->stands; stand; stand = next) {
        next = stand->next;
        if (strcmp(stand->path, path) != 0)
            continue;
        stand->due = false;
        look_tried(etcd, stand, kvs, before);
        if (stand->candidate)
            look_candidate(etcd, stand, &view,
                           stand->number >= 0 && view_has(kvs, before, stand->number, etcd->lease));
        else
            look_observer(etcd, stand, &view);
    }
    view_done(&view);
}

static void looked(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct etcd_stand *stand = arg;
    if (reply->status != BR_OK || !stand_lives(etcd, stand)) {
        step_fail(etcd, stand, reply->status, reply->why);
        return;
    }
    char *end, *start = etcd_children(etcd, stand->path, &end), *path = mem_text(stand->path);
    look_all(etcd, path, json_object_get(reply->json, "kvs"), strlen(start));
    free(path);
    free(start);
    free(end);
    etcd_step_over(etcd);
}

void etcd_look_go(struct etcd *etcd, struct etcd_stand *stand)
{
    struct buf from = { 0 }, to = { 0 }, body = { 0 };
    lock_range(etcd, stand->path, &from, &to);
    buf_char(&body, '{');
    etcd_put_key(&body, buf_bytes(&from), buf_bytes(&to));
    buf_char(&body, '}');
    etcd_ask(etcd, ETCD_LANE_WRITE, "/v3/kv/range", &body, looked, stand);
    buf_done(&from);
    buf_done(&to);
}

/* -- Counting ---------------------------------------------------------------------------------- */

/* Who stood by the counter has a lease, and nothing else has one there. */
static void counted(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    struct br_call *call = arg;
    struct counter counter;
    int64_t stand = 0;
    if (reply->status != BR_OK) {
        br_reply_fail(call, reply->status, "%s: %s", etcd->hosts, reply->why);
        return;
    }
    if (!counter_take(etcd_response(reply->json, 0, "response_range"), &counter)) {
        br_reply_fail(call, BR_CORRUPT, "%s: a lock's number: " COUNTER_FOREIGN, etcd->hosts);
        return;
    }
    const json_t *kvs = json_object_get(etcd_response(reply->json, 1, "response_range"), "kvs");
    for (size_t i = 0; i < json_array_size(kvs); i++)
        stand += etcd_number(json_array_get(kvs, i), "lease") != 0;
    br_reply_value(call, nothing, 2 * counter.stood - stand);
}

void etcd_elections(struct br_env *env, const char *path, struct br_call *call)
{
    struct etcd *etcd = env->self;
    struct buf ranges = { 0 }, key = { 0 }, from = { 0 }, to = { 0 };
    if (br_path_refused(path, call) || etcd_refuse_down(etcd, call))
        return;
    counter_key(etcd, path, &key);
    lock_range(etcd, path, &from, &to);
    etcd_put_range(&ranges, buf_bytes(&key), nothing, "");
    etcd_put_range(&ranges, buf_bytes(&from), buf_bytes(&to), ",\"keys_only\":true");
    etcd_ask_ranges(etcd, etcd_read_lane(etcd), &ranges, counted, call);
    buf_done(&key);
    buf_done(&from);
    buf_done(&to);
}
