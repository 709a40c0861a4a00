/* The suite of client and server: real sockets on the loopback, ports chosen by the kernel. */
#include "t/net.h"

int main(void)
{
    return test_run("net", net_server_case(), net_limits_case(), net_client_case(), net_peer_case(),
                    net_names_case(), net_datagram_case(), NULL);
}
