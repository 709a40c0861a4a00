/* resolve -- names to IPv4 addresses on the loop, by libevent's evdns: the hosts file, then the
 * name servers of resolv.conf.  Loop thread only.
 */
#ifndef HOST_RDSN_RESOLVE_H
#define HOST_RDSN_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct resolver;
struct lookup;

/* why NULL: `ipv4` is the address.  Else a few words on the failure. */
typedef void resolver_done(void *arg, uint32_t ipv4, const char *why);

/* resolv_conf NULL: /etc/resolv.conf; "nameserver" may name a port there. */
struct resolver *resolver_new(struct event_base *base, const char *resolv_conf);

/* Cancels everything; the last memory goes in the loop's next turns. */
void resolver_free(struct resolver *resolver);

/* Never calls back from inside.  The lookup is gone after the callback. */
struct lookup *resolver_ask(struct resolver *resolver, const char *host, resolver_done *done,
                            void *arg);

/* No callback will come. */
void resolver_cancel(struct lookup *lookup);

#endif
