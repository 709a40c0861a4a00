/* address -- Pegasus's two kinds of address (src/rpc/rpc_address.h, src/rpc/rpc_host_port.h).
 *
 * An rpc_address is one 64-bit number: bits 0-1 its type (0 invalid, 1 IPv4, 2 group: in-process,
 * never on the wire), bits 16-31 the port, bits 32-63 the IPv4 address.  A host_port is a name, a
 * port and a type; both stand side by side in messages since 2.6.
 */
#ifndef HOST_RDSN_ADDRESS_H
#define HOST_RDSN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_TEXT_MAX 32 /* "255.255.255.255:65535", "invalid address" and the NUL */

enum { ADDRESS_INVALID = 0, ADDRESS_IPV4 = 1 };

struct host_port {
    const char *host; /* NULL or "" where type is 0 */
    uint16_t port;
    uint8_t type; /* 0 invalid, 1 a named host */
};

static inline uint64_t address_make(uint32_t ipv4, uint16_t port)
{
    return (uint64_t) ipv4 << 32 | (uint64_t) port << 16 | ADDRESS_IPV4;
}

static inline uint16_t address_port(uint64_t address)
{
    return (uint16_t) (address >> 16);
}

/* "10.0.0.1:34801" or, where the type is not IPv4, "invalid address". Returns `text`. */
const char *address_format(uint64_t address, char text[ADDRESS_TEXT_MAX]);

/* "a.b.c.d:port" to an address.  false: not a dotted quad with a port. */
bool address_parse(const char *text, uint64_t *ret_address);

/* "host:port" to an address by the system's resolver; blocks.  false: cannot be resolved. */
bool address_resolve(const char *text, uint64_t *ret_address);

/* "host:port" cut in two; the host is copied into `host` (at least NODE_NAME_MAX bytes). */
bool host_port_parse(const char *text, char *host, struct host_port *ret_host_port);

/* "host:port", or "invalid host_port".  Returns `text` (at least NODE_NAME_MAX + 1 bytes). */
const char *host_port_format(const struct host_port *host_port, char *text);

#endif
