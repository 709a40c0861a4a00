/* resolve -- see resolve.h.  evdns answers a cancelled request later, from the loop, and touches
 * its base then; so a resolver outlives resolver_free until the last answer came.
 */
#include "host/rdsn/resolve.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <stdlib.h>

#include "host/base/mem.h"

struct resolver {
    struct evdns_base *dns;
    struct event end;
    uint32_t lookups;
    bool closed;
};

struct lookup {
    struct resolver *resolver;
    struct evdns_getaddrinfo_request *request;
    resolver_done *done; /* NULL: cancelled */
    void *arg;
    struct event later; /* an answer that came from inside */
    bool asking;
    uint32_t ipv4;
    const char *why;
};

static const struct timeval resolver_now = { 0, 0 };

static void resolver_end(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct resolver *resolver = arg;
    evdns_base_free(resolver->dns, 0);
    free(resolver);
}

struct resolver *resolver_new(struct event_base *base, const char *resolv_conf)
{
    struct evdns_base *dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!dns)
        return NULL;
    struct resolver *resolver = mem_new(sizeof *resolver);
    resolver->dns = dns;
    evtimer_assign(&resolver->end, base, resolver_end, resolver);
    /* Where the file cannot be read evdns falls back to a name server on this machine. */
    evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL,
                                 resolv_conf ? resolv_conf : "/etc/resolv.conf");
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    resolver->closed = true;
    if (resolver->lookups == 0)
        resolver_end(-1, 0, resolver);
}

static void lookup_end(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    resolver->lookups--;
    if (resolver->closed && resolver->lookups == 0)
        evtimer_add(&resolver->end, &resolver_now);
    free(lookup);
}

static void lookup_deliver(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct lookup *lookup = arg;
    if (lookup->done)
        lookup->done(lookup->arg, lookup->ipv4, lookup->why);
    lookup_end(lookup);
}

static void lookup_answer(int error, struct evutil_addrinfo *list, void *arg)
{
    struct lookup *lookup = arg;
    lookup->request = NULL;
    lookup->why = error ? evutil_gai_strerror(error) : "no IPv4 address";
    for (struct evutil_addrinfo *it = list; it && lookup->why; it = it->ai_next) {
        if (it->ai_family != AF_INET)
            continue;
        lookup->ipv4 = ntohl(((const struct sockaddr_in *) (void *) it->ai_addr)->sin_addr.s_addr);
        lookup->why = NULL;
    }
    if (list)
        evutil_freeaddrinfo(list);
    if (lookup->asking)
        evtimer_add(&lookup->later, &resolver_now);
    else
        lookup_deliver(-1, 0, lookup);
}

struct lookup *resolver_ask(struct resolver *resolver, const char *host, resolver_done *done,
                            void *arg)
{
    struct lookup *lookup = mem_new(sizeof *lookup);
    *lookup = (struct lookup){ .resolver = resolver, .done = done, .arg = arg, .asking = true };
    evtimer_assign(&lookup->later, event_get_base(&resolver->end), lookup_deliver, lookup);
    resolver->lookups++;
    struct evutil_addrinfo hints = { .ai_family = AF_INET,
                                     .ai_socktype = SOCK_STREAM,
                                     .ai_protocol = IPPROTO_TCP };
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(resolver->dns, host, NULL, &hints, lookup_answer, lookup);
    if (!evtimer_pending(&lookup->later, NULL))
        lookup->request = request;
    lookup->asking = false;
    return lookup;
}

void resolver_cancel(struct lookup *lookup)
{
    lookup->done = NULL;
    if (lookup->request)
        evdns_getaddrinfo_cancel(lookup->request);
}
