/* forward -- see forward.h. */
#include "host/meta/forward.h"

#include <string.h>

bool forward_known(const struct meta *meta)
{
    return meta->leader[0] && strcmp(meta->leader, meta->name) != 0
           && meta->leader_address != meta->address;
}

bool forward_may(const struct route *route)
{
    const struct rdsn_incoming *incoming = route->incoming;
    uint64_t context = incoming->header.context;
    return incoming->framing == FRAMING_RDSN && !incoming->datagram
           && (context & RDSN_FORWARD_SUPPORTED) && !(context & RDSN_FORWARDED)
           && forward_known(route->meta);
}

void forward_request(struct route *route)
{
    const struct meta *meta = route->meta;
    struct rdsn_header header = route->incoming->header;
    header.context |= RDSN_FORWARDED;
    rdsn_client_post(meta->client, meta->leader, &header, route->incoming->body, FORWARD_TIMEOUT);
    rdsn_server_drop(route->incoming);
    route->incoming = NULL;
}

void meta_reply(struct meta *meta, struct rdsn_incoming *incoming, const char *error_name,
                br_bytes body)
{
    struct rdsn_header header = incoming->header;
    char node[ADDRESS_TEXT_MAX];
    bool elsewhere = incoming->framing == FRAMING_RDSN && !incoming->datagram
                     && (header.context & RDSN_FORWARDED)
                     && (header.from_address & 3) == ADDRESS_IPV4
                     && address_port(header.from_address) != 0;
    if (!elsewhere) {
        rdsn_server_reply(incoming, error_name, body);
        return;
    }
    address_format(header.from_address, node); /* which the reply's header replaces by ours */
    frame_make_reply(&header, error_name, meta->address);
    rdsn_client_post(meta->client, node, &header, body, FORWARD_TIMEOUT);
    rdsn_server_drop(incoming);
}
