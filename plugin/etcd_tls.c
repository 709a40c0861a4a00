/* etcd_tls -- connections with TLS: OpenSSL's, below libevent's.  etcd_plain.c stands here where it
 * was built without.
 */
#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "plugin/store_etcd.h"

/* The first of OpenSSL's errors says the cause, the later ones what could not be done therefore. */
static const char *tls_reason(unsigned long error)
{
    const char *reason = ERR_GET_LIB(error) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(error))
                                                           : ERR_reason_error_string(error);
    return reason ? reason : "OpenSSL does not say why";
}

static const char *tls_wrong(struct etcd *etcd, const char *option, const char *file)
{
    snprintf(etcd->tls_why, sizeof etcd->tls_why, "%s: %s: %s", option, file,
             tls_reason(ERR_peek_error()));
    ERR_clear_error();
    return etcd->tls_why;
}

/* A key that is encrypted is refused: nobody is there to be asked. */
static int tls_no_passphrase(char *text, int size, int writing, void *arg)
{
    (void) text, (void) size, (void) writing, (void) arg;
    return -1;
}

static const char *tls_files(struct etcd *etcd, SSL_CTX *context)
{
    bool trust = etcd->cacert[0] ? SSL_CTX_load_verify_locations(context, etcd->cacert, NULL)
                                 : SSL_CTX_set_default_verify_paths(context);
    if (!trust)
        return tls_wrong(etcd, "cacert", etcd->cacert);
    if (!etcd->cert[0])
        return NULL;
    if (SSL_CTX_use_certificate_chain_file(context, etcd->cert) != 1)
        return tls_wrong(etcd, "cert", etcd->cert);
    if (SSL_CTX_use_PrivateKey_file(context, etcd->key, SSL_FILETYPE_PEM) != 1)
        return tls_wrong(etcd, "key", etcd->key);
    return NULL;
}

const char *etcd_tls_begin(struct etcd *etcd)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return tls_wrong(etcd, "tls", "OpenSSL");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(context, tls_no_passphrase);
    const char *wrong = tls_files(etcd, context);
    if (wrong)
        SSL_CTX_free(context);
    else
        etcd->tls_context = context;
    return wrong;
}

void etcd_tls_end(struct etcd *etcd)
{
    SSL_CTX_free(etcd->tls_context);
    etcd->tls_context = NULL;
}

/* The certificate must be for what stands in hosts, be it a name or an address. */
static bool tls_expect(SSL *ssl, const char *name)
{
    struct in_addr address;
    if (inet_pton(AF_INET, name, &address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1
           && SSL_set_tlsext_host_name(ssl, (char *) (uintptr_t) name) == 1;
}

struct bufferevent *etcd_tls_connection(struct etcd *etcd)
{
    SSL *ssl = SSL_new(etcd->tls_context);
    if (!ssl || !tls_expect(ssl, etcd->host[etcd->at].name)) {
        SSL_free(ssl);
        return NULL;
    }
    return bufferevent_openssl_socket_new(etcd->env->loop, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                          BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
}

const char *etcd_tls_why(struct etcd *etcd, struct bufferevent *connection)
{
    SSL *ssl = bufferevent_openssl_get_ssl(connection);
    unsigned long error = bufferevent_get_openssl_error(connection);
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK)
        snprintf(etcd->tls_why, sizeof etcd->tls_why, "the server's certificate: %s",
                 X509_verify_cert_error_string(verdict));
    else if (error)
        snprintf(etcd->tls_why, sizeof etcd->tls_why, "TLS: %s", tls_reason(error));
    else
        return NULL;
    return etcd->tls_why;
}
