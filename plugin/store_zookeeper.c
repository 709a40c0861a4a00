/* store_zookeeper -- the cluster's ZooKeeper, through libzookeeper's multi-threaded client.
 *
 * Its completion thread replies to calls itself; what has state is posted to the loop.  This file
 * is the plugin's face: options, start and stop, the vtable.
 */
#include "plugin/store_zookeeper.h"

#include <string.h>

static const struct br_option zookeeper_options[] = {
    BR_STRING(struct zookeeper, hosts, .flags = BR_REQUIRED,
              .help = "The servers, as host:port, separated by commas."),
    BR_STRING(struct zookeeper, chroot, .fallback = "",
              .help = "A path put before every path, at most 64 bytes; it is created where it is "
                      "missing."),
    BR_CHOICE(struct zookeeper, acl, .fallback = "open", .choices = "open|creator",
              .help = "Who may touch what is created: everybody, or only who gives the same auth."),
    BR_STRING(struct zookeeper, auth, .fallback = "", .flags = BR_SECRET,
              .help = "Digest authentication, as user:password; empty: none."),
    BR_DURATION(struct zookeeper, session_timeout, .fallback = "30s", .min = BR_SECOND,
                .max = 10 * BR_MINUTE,
                .help = "How long the servers keep the session, and with it the leader lock, of a "
                        "silent client; they have limits of their own."),
    BR_INTEGER(struct zookeeper, read_connections, .fallback = "8", .max = ZOOKEEPER_READERS_MAX,
               .help = "Connections over which large reads are spread, beside the one that does "
                       "everything else; open only while there are such reads; 0: none."),
    { 0 },
};

static br_status zookeeper_open(struct br_env *env)
{
    const struct zookeeper *zookeeper = env->self;
    const char *chroot = zookeeper->chroot;
    if (strchr(zookeeper->hosts, '/'))
        return br_fail(env, BR_INVALID, "hosts: %s: a path belongs into chroot", zookeeper->hosts);
    if (!zookeeper_hosts_ok(zookeeper->hosts))
        return br_fail(env, BR_INVALID, "hosts: %s: write host:port, separated by commas",
                       zookeeper->hosts);
    br_status status = BR_INVALID;
    const char *wrong = chroot[0] == '\0' ? NULL : br_path_wrong(chroot, &status);
    if (wrong || strcmp(chroot, "/") == 0)
        return br_fail(env, status, "chroot: %s: write an absolute path, such as /pegasus%s%s",
                       chroot, wrong ? ": " : "", wrong ? wrong : "");
    if (strlen(chroot) > ZOOKEEPER_CHROOT_MAX)
        return br_fail(env, BR_TOOBIG, "chroot: %s: over %d bytes", chroot, ZOOKEEPER_CHROOT_MAX);
    const char *colon = strchr(zookeeper->auth, ':');
    if (zookeeper->auth[0] != '\0' && (!colon || colon == zookeeper->auth || !colon[1]))
        return br_fail(env, BR_INVALID, "auth: write user:password");
    if (zookeeper->acl == ZOOKEEPER_ACL_CREATOR && zookeeper->auth[0] == '\0')
        return br_fail(env, BR_INVALID, "acl: creator needs auth, since the creator must be known");
    return BR_OK;
}

/* -- Start ------------------------------------------------------------------------------------ */

static struct br_call *zookeeper_started(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    struct br_call *call = zookeeper->starting;
    zookeeper->starting = NULL;
    if (zookeeper->patience)
        br_disarm(env, zookeeper->patience);
    zookeeper->patience = NULL;
    return call;
}

void zookeeper_ready(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    if (zookeeper->starting)
        br_reply_ok(zookeeper_started(env));
    zookeeper_walkers_resume(env);
}

void zookeeper_refused(struct br_env *env, br_status status, const char *why)
{
    struct zookeeper *zookeeper = env->self;
    zookeeper_session_drop(env);
    if (zookeeper->starting)
        br_reply_fail(zookeeper_started(env), status, "%s%s%s: %s", zookeeper->hosts,
                      zookeeper->chroot[0] ? " with chroot " : "", zookeeper->chroot, why);
}

static void zookeeper_impatient(struct br_env *env, void *arg)
{
    struct zookeeper *zookeeper = env->self;
    (void) arg;
    zookeeper->patience = NULL;
    zookeeper_refused(env, BR_UNAVAILABLE,
                      "no server answers: is ZooKeeper running there, and does it serve?");
}

static void zookeeper_start(struct br_env *env, struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    zookeeper->starting = call;
    zookeeper->rooted = zookeeper->chroot[0] == '\0';
    if (call->deadline) {
        /* A little before the host's own, whose sentence could not name the servers. */
        br_time left = call->deadline - br_now(env);
        zookeeper->patience = br_after(env, left - left / 20, zookeeper_impatient, NULL);
    }
    zoo_set_debug_level((ZooLogLevel) 0); /* the library formats nothing for nobody */
    zookeeper_session_open(env);
}

/* -- Stop ------------------------------------------------------------------------------------- */

void zookeeper_closed(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    struct br_call *call = zookeeper->stopping;
    if (!call || zookeeper->sessions > 0)
        return;
    zookeeper->stopping = NULL;
    zookeeper_walkers_stop(env);
    br_reply_ok(call);
}

static void zookeeper_stop(struct br_env *env, struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    zookeeper->stopping = call;
    if (zookeeper->starting)
        br_reply_fail(zookeeper_started(env), BR_CANCELED, "stopped while connecting");
    if (zookeeper->retry)
        br_disarm(env, zookeeper->retry);
    if (zookeeper->again)
        br_disarm(env, zookeeper->again);
    zookeeper->retry = zookeeper->again = NULL;
    zookeeper_session_drop(env);
    zookeeper_closed(env);
}

const struct br_store zookeeper_store = {
    .flags = BR_STORE_LOCK,
    .batch_bytes_max = ZOOKEEPER_REQUEST_MAX - ZOOKEEPER_REQUEST_FRAME,
    .write_overhead = ZOOKEEPER_CREATE_OVERHEAD + ZOOKEEPER_CHROOT_MAX,
    .batches_max = ZOOKEEPER_BATCHES_MAX,
    .read = zookeeper_read,
    .list = zookeeper_list,
    .commit = zookeeper_commit,
    .lock = zookeeper_lock,
    .owner = zookeeper_owner,
    .lost = zookeeper_lost,
    .unlock = zookeeper_unlock,
    .cancel = zookeeper_cancel,
    .elections = zookeeper_elections,
};

BR_PLUGIN(store, zookeeper, &zookeeper_store, .summary = "The cluster's ZooKeeper.",
          .version = "1.0", .license = "Apache-2.0", BR_STATE(struct zookeeper, zookeeper_options),
          .open = zookeeper_open, .start = zookeeper_start, .stop = zookeeper_stop);
