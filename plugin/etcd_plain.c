/* etcd_plain -- in the place of etcd_tls.c where bridle is built without OpenSSL. */
#include "plugin/store_etcd.h"

const char *etcd_tls_begin(struct etcd *etcd)
{
    (void) etcd;
    return "tls: this bridle was built without it (it takes libevent_openssl and OpenSSL 1.1.1)";
}

void etcd_tls_end(struct etcd *etcd)
{
    (void) etcd;
}

struct bufferevent *etcd_tls_connection(struct etcd *etcd)
{
    (void) etcd;
    return NULL;
}

const char *etcd_tls_why(struct etcd *etcd, struct bufferevent *connection)
{
    (void) etcd, (void) connection;
    return NULL;
}
