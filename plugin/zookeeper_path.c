/* zookeeper_path -- paths, names and error codes: the store's words and ZooKeeper's, both ways. */
#include "plugin/store_zookeeper.h"

#include <ctype.h>
#include <stdatomic.h>
#include <string.h>

#include "host/base/number.h"

static const char lock_name[] = "LOCKNODE";

/* A read never changes anything, so its doubts are not doubts.  A write that was sent and not
 * answered may have happened. */
br_status zookeeper_status(int rc, bool write)
{
    switch (rc) {
    case ZNONODE: return BR_NOTFOUND;
    case ZNODEEXISTS: return BR_EXISTS;
    case ZBADVERSION:
    case ZNOCHILDRENFOREPHEMERALS:
    case ZNOTEMPTY: return BR_CONFLICT;
    case ZNOAUTH:
    case ZINVALIDACL: return BR_DENIED;
    case ZBADARGUMENTS: return BR_INVALID;
    case ZUNIMPLEMENTED: return BR_UNSUPPORTED;
    case ZINVALIDSTATE:
    case ZNOTREADONLY:
    case ZTHROTTLEDOP: return BR_UNAVAILABLE;
    default: return write ? BR_UNKNOWN : BR_UNAVAILABLE;
    }
}

const char *zookeeper_word(int rc)
{
    switch (rc) {
    case ZNOAUTH: return "permission denied by its ACL";
    case ZCONNECTIONLOSS: return "the connection was lost";
    case ZOPERATIONTIMEOUT: return "the server stopped answering";
    case ZSESSIONEXPIRED: return "the session expired";
    case ZCLOSING: return "the session was closed";
    case ZINVALIDSTATE: return "not connected";
    default: return zerror(rc);
    }
}

char *zookeeper_path_full(const struct zookeeper *zookeeper, const char *path)
{
    size_t prefix = strlen(zookeeper->chroot);
    if (prefix && path[1] == '\0')
        path = ""; /* the root is the chroot itself */
    size_t size = strlen(path) + 1;
    char *full = mem_new(prefix + size);
    memcpy(full, zookeeper->chroot, prefix);
    memcpy(full + prefix, path, size);
    return full;
}

/* "host:port", or "[v6]:port", between commas. */
static bool host_ok(const char *text, size_t size)
{
    char name[NODE_NAME_MAX + 1];
    size_t host_size;
    uint16_t port;
    if (size == 0 || size > NODE_NAME_MAX)
        return false;
    memcpy(name, text, size);
    name[size] = '\0';
    if (name[0] != '[')
        return number_node(name, &host_size, &port);
    char *end = strstr(name, "]:");
    int32_t number;
    return end && number_i32(end + 2, strlen(end + 2), &number) && number > 0 && number < 65536;
}

bool zookeeper_hosts_ok(const char *hosts)
{
    for (;; hosts++) {
        size_t size = strcspn(hosts, ",");
        if (!host_ok(hosts, size))
            return false;
        hosts += size;
        if (*hosts == '\0')
            return true;
    }
}

const struct ACL_vector *zookeeper_acl(const struct zookeeper *zookeeper)
{
    return zookeeper->acl == ZOOKEEPER_ACL_CREATOR ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE;
}

struct making {
    struct zookeeper_pending pending; /* first */
    string_completion_t done;
    void *arg;
    int rc;      /* the completion thread's: the last component's result so far ... */
    int cause;   /* ... and why one before it could not be made */
    int refused; /* the loop thread's: why the rest could not even be asked for */
    atomic_uint left;
};

static void making_over(struct making *making, unsigned count)
{
    if (atomic_fetch_sub(&making->left, count) != count)
        return;
    zookeeper_pending_drop(&making->pending);
    int rc = making->refused != ZOK ? making->refused : making->rc;
    if (rc == ZNONODE && making->cause != ZOK)
        rc = making->cause;
    making->done(rc, NULL, making->arg);
    free(making);
}

/* A component that exists may stand where we may not create, so a refusal is the cause only where
 * its children then have no parent. */
static void making_answer(int rc, const char *path, const void *data)
{
    struct making *making = (struct making *) (uintptr_t) data;
    (void) path;
    making->rc = rc;
    if (rc == ZOK || rc == ZNODEEXISTS)
        making->cause = ZOK;
    else if (rc != ZNONODE)
        making->cause = rc;
    making_over(making, 1);
}

static void making_abandon(struct zookeeper_pending *pending)
{
    struct making *making = (struct making *) (void *) pending;
    making->cause = ZOK;
    making->rc = ZCLOSING;
    making_over(making, atomic_load(&making->left));
}

void zookeeper_make_path(struct zookeeper *zookeeper, zhandle_t *handle, const char *path,
                         string_completion_t done, void *arg)
{
    struct making *making = mem_new(sizeof *making);
    char *part = mem_text(path);
    unsigned left = 0;
    for (const char *c = path; *c; c++)
        left += *c == '/';
    making->done = done;
    making->arg = arg;
    atomic_init(&making->left, left);
    zookeeper_pending_add(zookeeper->session, &making->pending, making_abandon);
    for (char *end = part; left > 0 && making->refused == ZOK; left--) {
        end += 1 + strcspn(end + 1, "/");
        char kept = *end;
        *end = '\0';
        int rc = zoo_acreate(handle, part, "", 0, zookeeper_acl(zookeeper), ZOO_PERSISTENT,
                             making_answer, making);
        *end = kept;
        if (rc != ZOK) {
            making->refused = rc;
            making_over(making, left);
            break;
        }
    }
    free(part);
}

/* Pegasus counts a child whose name ends with digits behind a text that ends with LOCKNODE. */
int64_t zookeeper_lock_number(const char *name)
{
    size_t size = strlen(name), digits = 0, word = sizeof lock_name - 1;
    while (digits < size && isdigit((unsigned char) name[size - digits - 1]))
        digits++;
    int64_t number;
    if (digits == 0 || size - digits < word
        || memcmp(name + size - digits - word, lock_name, word) != 0
        || !number_i64(name + size - digits, digits, &number))
        return -1;
    return number;
}
