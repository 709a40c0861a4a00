/* store_etcd -- the metadata in etcd, through its JSON gateway.  This file is the plugin's face:
 * options, start and stop, the vtable; store_etcd.h says how it works.
 */
#include "plugin/store_etcd.h"

#include <stdlib.h>
#include <string.h>

static const struct br_option etcd_options[] = {
    BR_STRING(struct etcd, hosts, .flags = BR_REQUIRED,
              .help =
                  "The servers' client addresses, as host:port, separated by commas, at most 16; "
                  "one is used, and the next one where it fails."),
    BR_STRING(struct etcd, prefix, .fallback = "/bridle",
              .help = "What all keys begin with, at most 64 bytes; clusters may share it, other "
                      "programs may not."),
    BR_STRING(struct etcd, username, .fallback = "", .help = "Who we are; empty: nobody."),
    BR_STRING(struct etcd, password, .fallback = "", .flags = BR_SECRET,
              .help = "The password of username."),
    BR_BOOL(struct etcd, tls, .fallback = "false",
            .help = "Speak TLS 1.2 or later; the servers' certificates must be for the names or "
                    "addresses in hosts."),
    BR_STRING(struct etcd, cacert, .fallback = "",
              .help = "The file of the certificates (PEM) that theirs must be signed by; empty: "
                      "the system's.  Like the next two it is read again with each connection."),
    BR_STRING(struct etcd, cert, .fallback = "",
              .help = "The file of our certificate and those above it (PEM), for servers that "
                      "want one; empty: none."),
    BR_STRING(struct etcd, key, .fallback = "",
              .help = "The file of its private key (PEM), not encrypted."),
    BR_DURATION(struct etcd, session_timeout, .fallback = "30s", .min = BR_SECOND,
                .max = 10 * BR_MINUTE,
                .help = "How long the servers keep the lease, and with it the leader lock, of a "
                        "silent client: whole seconds, rounded up, and not below the servers' own "
                        "least."),
    BR_DURATION(struct etcd, request_timeout, .fallback = "5s", .min = 10 * BR_MILLISECOND,
                .max = 10 * BR_MINUTE,
                .help = "After which a server that says nothing is given up for the next one."),
    { 0 },
};

static br_status etcd_open(struct br_env *env)
{
    struct etcd *etcd = env->self;
    etcd->env = env;
    if (!etcd_hosts_read(etcd))
        return br_fail(env, BR_INVALID,
                       "hosts: %s: write host:port, separated by commas, at most %d (no http://; "
                       "for https:// set tls: true)",
                       etcd->hosts, ETCD_HOSTS_MAX);
    if (strlen(etcd->prefix) > ETCD_PREFIX_MAX)
        return br_fail(env, BR_TOOBIG, "prefix: %s: over %d bytes", etcd->prefix, ETCD_PREFIX_MAX);
    if (!etcd->username[0] != !etcd->password[0])
        return br_fail(env, BR_INVALID, "username and password belong together");
    if (!etcd->cert[0] != !etcd->key[0])
        return br_fail(env, BR_INVALID, "cert and key belong together");
    if (!etcd->tls && (etcd->cacert[0] || etcd->cert[0]))
        return br_fail(env, BR_INVALID, "cacert, cert and key are of no use without tls: true");
    return BR_OK;
}

bool etcd_refuse_down(struct etcd *etcd, struct br_call *call)
{
    bool down = !etcd->up || etcd->going_down;
    if (down)
        br_reply_fail(call, BR_UNAVAILABLE, "not connected to %s", etcd->hosts);
    return down;
}

/* -- Start ------------------------------------------------------------------------------------- */

static struct br_call *etcd_started(struct etcd *etcd)
{
    struct br_call *call = etcd->starting;
    etcd->starting = NULL;
    if (etcd->patience)
        br_disarm(etcd->env, etcd->patience);
    etcd->patience = NULL;
    return call;
}

void etcd_ready(struct etcd *etcd)
{
    if (etcd->starting)
        br_reply_ok(etcd_started(etcd));
}

void etcd_refused(struct etcd *etcd, br_status status, const char *why)
{
    br_reply_fail(etcd_started(etcd), status, "%s", why);
}

static void etcd_impatient(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    (void) unused;
    etcd->patience = NULL;
    br_reply_fail(etcd_started(etcd), BR_UNAVAILABLE,
                  "%s: no server answers%s%s: is etcd running there, %s TLS, and has it a leader?",
                  etcd->hosts, etcd->why[0] ? ": " : "", etcd->why, etcd->tls ? "with" : "without");
}

static void etcd_start(struct br_env *env, struct br_call *call)
{
    struct etcd *etcd = env->self;
    etcd->starting = call;
    if (call->deadline) {
        /* A little before the host's own, whose sentence could not name the servers. */
        br_time left = call->deadline - br_now(env);
        etcd->patience = br_after(env, left - left / 10, etcd_impatient, NULL);
    }
    etcd_connect(etcd);
}

/* -- Stop -------------------------------------------------------------------------------------- */

/* Behind everything that was posted before. */
static void etcd_stopped(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    struct br_call *call = etcd->stopping;
    (void) unused;
    etcd->stopping = NULL;
    br_reply_ok(call);
}

void etcd_parted(struct etcd *etcd)
{
    if (etcd->patience)
        br_disarm(etcd->env, etcd->patience);
    etcd->patience = NULL;
    etcd_disconnect(etcd);
    br_post(etcd->env, etcd_stopped, NULL);
}

static void etcd_stop(struct br_env *env, struct br_call *call)
{
    struct etcd *etcd = env->self;
    etcd->stopping = call;
    if (etcd->starting)
        br_reply_fail(etcd_started(etcd), BR_CANCELED, "stopped while connecting");
    etcd_jobs_drop(etcd, BR_CANCELED, "the store stops");
    etcd_lock_stop(etcd);
    etcd_part(etcd);
}

const struct br_store etcd_store = {
    .flags = BR_STORE_LOCK,
    .batch_ops_max = ETCD_BATCH_OPS_MAX,
    .batch_bytes_max = ETCD_BATCH_BYTES,
    .write_overhead = ETCD_WRITE_OVERHEAD,
    .batches_max = 2, /* one is carried out, the next is there */
    .read = etcd_read,
    .list = etcd_list,
    .commit = etcd_commit,
    .lock = etcd_lock,
    .owner = etcd_owner,
    .lost = etcd_lost,
    .unlock = etcd_unlock,
    .cancel = etcd_cancel,
    .elections = etcd_elections,
};

BR_PLUGIN(store, etcd, &etcd_store, .summary = "An etcd cluster.", .version = "1.0",
          .license = "Apache-2.0", .flags = BR_NEEDS_LOOP, BR_STATE(struct etcd, etcd_options),
          .open = etcd_open, .start = etcd_start, .stop = etcd_stop);
