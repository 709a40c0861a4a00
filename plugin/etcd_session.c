/* etcd_session -- which server we speak to, and the lease: what comes and goes with a connection.
 *
 * To be up: a server answers, it took our name and password, a lease is there, and our session's
 * key was put behind whatever of ours may still be under way somewhere.  Whatever goes wrong with a
 * request takes everything down, and the next host is tried; the lease outlives that.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/resolve.h"
#include "plugin/store_etcd.h"

static void session_grant(struct etcd *etcd);
static void session_renew(struct br_env *env, void *unused);
static void session_retry(struct br_env *env, void *unused);

/* -- Down -------------------------------------------------------------------------------------- */

static void session_disarm(struct etcd *etcd, struct br_timer **timer)
{
    if (*timer)
        br_disarm(etcd->env, *timer);
    *timer = NULL;
}

static void session_drop(struct etcd *etcd)
{
    etcd->up = etcd->connecting = false;
    etcd->renew_sent = 0;
    if (etcd->lookup)
        resolver_cancel(etcd->lookup);
    etcd->lookup = NULL;
    free(etcd->token);
    etcd->token = NULL;
    etcd_http_reset(etcd, "the connection was lost");
    if (etcd->tls_context)
        etcd_tls_end(etcd);
}

static void session_down(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    (void) unused;
    etcd->going_down = false;
    if (etcd->stopping)
        return;
    if (etcd->up)
        br_log(env, BR_WARN, "%s: %s, reconnecting", etcd->host[etcd->at].text, etcd->why);
    session_drop(etcd);
    etcd_jobs_drop(etcd, BR_UNAVAILABLE, "not connected");
    etcd->at = (etcd->at + 1) % etcd->host_count;
    if (!etcd->retry)
        etcd->retry = br_after(env, ETCD_RETRY_DELAY, session_retry, NULL);
}

void etcd_go_down(struct etcd *etcd, const char *why)
{
    if (etcd->going_down)
        return;
    etcd->going_down = true;
    snprintf(etcd->why, sizeof etcd->why, "%s", why);
    br_post(etcd->env, session_down, NULL);
}

void etcd_disconnect(struct etcd *etcd)
{
    session_disarm(etcd, &etcd->retry);
    session_disarm(etcd, &etcd->renewal);
    session_drop(etcd);
    if (etcd->resolver)
        resolver_free(etcd->resolver);
    etcd->resolver = NULL;
}

/* -- The lease --------------------------------------------------------------------------------- */

/* The lock is lost a little before the lease can have run out. */
static br_time session_limit(const struct etcd *etcd)
{
    return etcd->lease_end - etcd->ttl / 10;
}

static void session_lost(struct etcd *etcd, const char *why, bool revoke)
{
    etcd->stale = revoke ? etcd->lease : 0;
    etcd->lease = 0;
    etcd_lock_expire(etcd, why);
}

/* A renewal is due, or the end of what the last one gave. */
static void session_wait(struct etcd *etcd)
{
    br_time now = br_now(etcd->env), left = session_limit(etcd) - now, delay = etcd->ttl / 3;
    session_disarm(etcd, &etcd->renewal);
    if (etcd->renew_sent || !etcd->up)
        delay = left;
    if (delay > left)
        delay = left;
    etcd->renewal = br_after(etcd->env, delay > 0 ? delay : 0, session_renew, NULL);
}

static void session_renewed(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    (void) arg;
    br_time sent = etcd->renew_sent;
    if (!sent)
        return; /* it went down */
    if (reply->status != BR_OK) {
        etcd_go_down(etcd, reply->why);
        return;
    }
    etcd->renew_sent = 0;
    int64_t ttl = etcd_number(json_object_get(reply->json, "result"), "TTL");
    if (ttl <= 0) {
        session_lost(etcd, "it ran out on the server", false);
        etcd_go_down(etcd, "the lease is gone");
        return;
    }
    etcd->lease_end = sent + ttl * BR_SECOND;
    session_wait(etcd);
}

static void session_renew(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    (void) unused;
    etcd->renewal = NULL;
    if (!etcd->lease)
        return;
    if (br_now(env) >= session_limit(etcd)) {
        session_lost(etcd, "it could not be renewed in time", true);
        etcd_go_down(etcd, "the server does not renew the lease");
        return;
    }
    if (!etcd->up) {
        session_wait(etcd);
        return;
    }
    struct buf body = { 0 };
    buf_printf(&body, "{\"ID\":\"%" PRId64 "\"}", etcd->lease);
    etcd->renew_sent = br_now(env);
    session_wait(etcd);
    etcd_ask(etcd, ETCD_LANE_LEASE, "/v3/lease/keepalive", &body, session_renewed, NULL);
}

/* -- Up ---------------------------------------------------------------------------------------- */

void etcd_session_key(const struct etcd *etcd, struct buf *ret_key)
{
    buf_printf(ret_key, "%s.session/%" PRIx64, etcd->prefix, (uint64_t) etcd->lease);
}

static void session_up(struct etcd *etcd)
{
    etcd->connecting = false;
    etcd->up = true;
    br_log(etcd->env, BR_INFO, "%s: %sconnected, lease %" PRIx64 " of %" PRId64 " s",
           etcd->host[etcd->at].text, etcd->was_up ? "re" : "", (uint64_t) etcd->lease,
           etcd->ttl / BR_SECOND);
    etcd->was_up = true;
    session_disarm(etcd, &etcd->renewal);
    session_renew(etcd->env, NULL);
    etcd_ready(etcd);
    etcd_lock_up(etcd);
}

/* The server itself refuses: what did not reach it, or was not heard, takes everything down. */
static void session_failed(struct etcd *etcd, const struct etcd_reply *reply)
{
    char why[300];
    if (etcd->going_down || etcd->stopping)
        return;
    snprintf(why, sizeof why, "%s: %s", etcd->host[etcd->at].text, reply->why);
    if (etcd->starting)
        etcd_refused(etcd, reply->status, why);
    etcd_go_down(etcd, reply->why);
}

static void session_put(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    (void) arg;
    if (etcd->going_down || etcd->stopping)
        return;
    const bool there = etcd_true(reply->json, "succeeded");
    if (reply->status != BR_OK && reply->status != BR_NOTFOUND) {
        session_failed(etcd, reply);
    } else if (!there) {
        session_lost(etcd, "it ran out on the server", false);
        session_grant(etcd);
    } else {
        etcd->chain = reply->revision;
        session_up(etcd);
    }
}

/* Our key: one that is there proves that the lease is; and what was sent before is behind the times
 * from now on.  A new one goes along with "/". */
static void session_join(struct etcd *etcd, bool fresh)
{
    struct buf key = { 0 }, compares = { 0 }, ops = { 0 }, body = { 0 };
    const br_bytes none = { NULL, 0 };
    etcd_session_key(etcd, &key);
    etcd_put_compare(&compares, "CREATE", fresh ? "EQUAL" : "GREATER", buf_bytes(&key), none, 0);
    etcd_chain_put(etcd, &ops);
    if (fresh) {
        char *root = etcd_key(etcd, "/");
        struct buf compare = { 0 }, put = { 0 };
        etcd_put_compare(&compare, "CREATE", "EQUAL", etcd_text(root), none, 0);
        etcd_put_put(&put, root, "0 ", none, 0, false);
        buf_printf(&ops, ",{\"request_txn\":{\"compare\":[%s],\"success\":[%s]}}", compare.data,
                   put.data);
        buf_done(&compare);
        buf_done(&put);
        free(root);
    }
    buf_printf(&body, "{\"compare\":[%s],\"success\":[%s]}", compares.data, ops.data);
    etcd_ask(etcd, ETCD_LANE_LEASE, "/v3/kv/txn", &body, session_put, NULL);
    buf_done(&key);
    buf_done(&compares);
    buf_done(&ops);
}

static void session_granted(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    (void) arg;
    if (etcd->going_down || etcd->stopping)
        return;
    if (reply->status != BR_OK) {
        session_failed(etcd, reply);
        return;
    }
    etcd->lease = etcd_number(reply->json, "ID");
    etcd->ttl = etcd_number(reply->json, "TTL") * BR_SECOND;
    etcd->lease_end = etcd->renew_sent + etcd->ttl;
    etcd->renew_sent = 0;
    session_join(etcd, true);
}

static void session_revoked(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    (void) arg;
    if (reply->status == BR_OK || reply->status == BR_NOTFOUND)
        etcd->stale = 0;
}

static void session_revoke(struct etcd *etcd, int64_t lease, etcd_done *done)
{
    struct buf body = { 0 };
    buf_printf(&body, "{\"ID\":\"%" PRId64 "\"}", lease);
    etcd_ask(etcd, ETCD_LANE_LEASE, "/v3/lease/revoke", &body, done, NULL);
}

static void session_grant(struct etcd *etcd)
{
    struct buf body = { 0 };
    if (etcd->lease) {
        session_join(etcd, false);
        return;
    }
    if (etcd->stale)
        session_revoke(etcd, etcd->stale, session_revoked);
    etcd->renew_sent = br_now(etcd->env);
    buf_printf(&body, "{\"TTL\":%" PRId64 "}", (etcd->session_timeout + BR_SECOND - 1) / BR_SECOND);
    etcd_ask(etcd, ETCD_LANE_LEASE, "/v3/lease/grant", &body, session_granted, NULL);
}

static void session_authenticated(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    (void) arg;
    const char *token = json_string_value(json_object_get(reply->json, "token"));
    if (etcd->going_down || etcd->stopping)
        return;
    if (reply->status != BR_OK || !token) {
        struct etcd_reply denied = *reply;
        if (!denied.why)
            denied.why = "it gives no token";
        denied.status = BR_DENIED;
        session_failed(etcd, &denied);
        return;
    }
    etcd->token = mem_text(token);
    session_grant(etcd);
}

static void session_begin(struct etcd *etcd)
{
    struct etcd_reply wrong = { .status = BR_INVALID };
    wrong.why = etcd->tls ? etcd_tls_begin(etcd) : NULL;
    if (wrong.why) {
        session_failed(etcd, &wrong);
        return;
    }
    if (!etcd->username[0]) {
        session_grant(etcd);
        return;
    }
    struct buf body = { 0 };
    buf_text(&body, "{\"name\":");
    buf_json(&body, etcd->username);
    buf_text(&body, ",\"password\":");
    buf_json(&body, etcd->password);
    buf_char(&body, '}');
    etcd_ask(etcd, ETCD_LANE_LEASE, "/v3/auth/authenticate", &body, session_authenticated, NULL);
}

static void session_resolved(void *arg, uint32_t ipv4, const char *why)
{
    struct etcd *etcd = arg;
    const struct in_addr address = { htonl(ipv4) };
    etcd->lookup = NULL;
    if (why) {
        etcd_go_down(etcd, why);
        return;
    }
    inet_ntop(AF_INET, &address, etcd->address, sizeof etcd->address);
    session_begin(etcd);
}

void etcd_connect(struct etcd *etcd)
{
    struct in_addr address;
    const struct etcd_host *host = &etcd->host[etcd->at];
    etcd->connecting = true;
    if (inet_pton(AF_INET, host->name, &address) == 1) {
        inet_ntop(AF_INET, &address, etcd->address, sizeof etcd->address);
        session_begin(etcd);
        return;
    }
    if (!etcd->resolver)
        etcd->resolver = resolver_new(etcd->env->loop, NULL);
    etcd->lookup = resolver_ask(etcd->resolver, host->name, session_resolved, etcd);
}

static void session_retry(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    (void) unused;
    etcd->retry = NULL;
    etcd_connect(etcd);
}

/* -- Transactions, one behind the other -------------------------------------------------------- */

void etcd_chain_compare(const struct etcd *etcd, struct buf *compares)
{
    struct buf key = { 0 };
    etcd_session_key(etcd, &key);
    etcd_put_compare(compares, "MOD", "EQUAL", buf_bytes(&key), (br_bytes){ NULL, 0 }, etcd->chain);
    buf_done(&key);
}

void etcd_chain_put(const struct etcd *etcd, struct buf *ops)
{
    struct buf key = { 0 };
    etcd_session_key(etcd, &key);
    etcd_put_put(ops, key.data, "", (br_bytes){ NULL, 0 }, etcd->lease, false);
    buf_done(&key);
}

void etcd_chain(struct etcd *etcd, struct buf *compares, struct buf *ops, etcd_done *done,
                void *arg)
{
    struct buf body = { 0 }, failure = { 0 }, key = { 0 };
    etcd_session_key(etcd, &key);
    etcd_put_range(&failure, buf_bytes(&key), (br_bytes){ NULL, 0 }, ",\"keys_only\":true");
    etcd_chain_compare(etcd, compares);
    etcd_chain_put(etcd, ops);
    buf_printf(&body, "{\"compare\":[%s],\"success\":[", compares->data);
    buf_put(&body, ops->data, ops->size);
    buf_printf(&body, "],\"failure\":[%s]}", failure.data);
    etcd_ask(etcd, ETCD_LANE_WRITE, "/v3/kv/txn", &body, done, arg);
    buf_done(&key);
    buf_done(&failure);
    buf_done(compares);
    buf_done(ops);
}

int etcd_chained(struct etcd *etcd, const struct etcd_reply *reply, br_status *ret_status,
                 const char **ret_why)
{
    *ret_status = reply->status;
    *ret_why = reply->why;
    if (reply->status != BR_OK)
        return -1;
    if (etcd_true(reply->json, "succeeded")) {
        etcd->chain = reply->revision;
        return 1;
    }
    const json_t *kv = etcd_kv(etcd_response(reply->json, 0, "response_range"));
    if (etcd_number(kv, "mod_revision") == etcd->chain)
        return 0;
    *ret_status = BR_UNAVAILABLE;
    *ret_why = "the session is gone";
    etcd_go_down(etcd, *ret_why);
    return -1;
}

/* -- The write lane ---------------------------------------------------------------------------- */

static void jobs_go(struct br_env *env, void *job)
{
    struct etcd *etcd = env->self;
    if (etcd->jobs == job) /* it has not been dropped meanwhile */
        etcd->jobs->go(etcd, etcd->jobs);
}

void etcd_job_add(struct etcd *etcd, struct etcd_job *job)
{
    struct etcd_job **last = &etcd->jobs;
    while (*last)
        last = &(*last)->next;
    *last = job;
    job->next = NULL;
    if (etcd->jobs == job)
        job->go(etcd, job);
}

void etcd_job_over(struct etcd *etcd, struct etcd_job *job)
{
    etcd->jobs = job->next;
    if (etcd->jobs)
        br_post(etcd->env, jobs_go, etcd->jobs);
}

/* The one under way hears it from its own request. */
void etcd_jobs_drop(struct etcd *etcd, br_status status, const char *why)
{
    struct etcd_job *job = etcd->jobs ? etcd->jobs->next : NULL;
    if (etcd->jobs)
        etcd->jobs->next = NULL;
    for (struct etcd_job *next; job; job = next) {
        next = job->next;
        job->drop(etcd, job, status, why);
    }
}

/* -- The end ----------------------------------------------------------------------------------- */

static void session_parted(struct etcd *etcd, void *arg, const struct etcd_reply *reply)
{
    (void) arg, (void) reply;
    if (!etcd->parted)
        etcd_parted(etcd);
    etcd->parted = true;
}

static void session_impatient(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    (void) unused;
    etcd->patience = NULL;
    session_parted(etcd, NULL, NULL);
}

void etcd_part(struct etcd *etcd)
{
    bool revoke = etcd->up && !etcd->going_down && etcd->lease;
    etcd->parted = false;
    session_disarm(etcd, &etcd->renewal);
    session_disarm(etcd, &etcd->retry);
    if (!revoke) {
        session_parted(etcd, NULL, NULL);
        return;
    }
    etcd->patience = br_after(etcd->env, ETCD_PARTING, session_impatient, NULL);
    session_revoke(etcd, etcd->lease, session_parted);
}
