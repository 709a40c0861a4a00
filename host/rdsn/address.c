/* address -- see address.h.  Dotted quads are libc's business, host:port is number_node's. */
#include "host/rdsn/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "host/base/mem.h"
#include "host/base/number.h"

const char *address_format(uint64_t address, char text[ADDRESS_TEXT_MAX])
{
    if ((address & 3) != ADDRESS_IPV4) {
        snprintf(text, ADDRESS_TEXT_MAX, "invalid address");
        return text;
    }
    unsigned ip = (unsigned) (address >> 32);
    snprintf(text, ADDRESS_TEXT_MAX, "%u.%u.%u.%u:%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
             ip & 255, (unsigned) address_port(address));
    return text;
}

bool address_parse(const char *text, uint64_t *ret_address)
{
    char host[NODE_NAME_MAX];
    struct host_port host_port;
    struct in_addr in;
    if (!host_port_parse(text, host, &host_port) || inet_pton(AF_INET, host, &in) != 1)
        return false;
    *ret_address = address_make(ntohl(in.s_addr), host_port.port);
    return true;
}

bool address_resolve(const char *text, uint64_t *ret_address)
{
    char host[NODE_NAME_MAX];
    struct host_port host_port;
    if (!host_port_parse(text, host, &host_port))
        return false;
    const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (error == EAI_MEMORY)
        mem_refused(sizeof *found); /* which says nothing about the name */
    if (error != 0 || !found)
        return false;
    struct sockaddr_in in;
    memcpy(&in, found->ai_addr, sizeof in);
    freeaddrinfo(found);
    *ret_address = address_make(ntohl(in.sin_addr.s_addr), host_port.port);
    return true;
}

bool host_port_parse(const char *text, char *host, struct host_port *ret_host_port)
{
    size_t size;
    uint16_t port;
    if (!number_node(text, &size, &port))
        return false;
    memcpy(host, text, size);
    host[size] = '\0';
    *ret_host_port = (struct host_port){ .host = host, .port = port, .type = 1 };
    return true;
}

const char *host_port_format(const struct host_port *host_port, char *text)
{
    if (host_port->type == 0 || !host_port->host)
        snprintf(text, NODE_NAME_MAX + 1, "invalid host_port");
    else
        snprintf(text, NODE_NAME_MAX + 1, "%s:%u", host_port->host, (unsigned) host_port->port);
    return text;
}
