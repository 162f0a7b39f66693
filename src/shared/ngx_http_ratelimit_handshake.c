
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * TLS of a link: nginx's, with the certificate's chain and name checked.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


#if (NGX_SSL)

static void ngx_http_ratelimit_handshaken(ngx_connection_t *c);


void
ngx_http_ratelimit_handshake(ngx_http_ratelimit_link_t *link)
{
    u_char                       host[NGX_MAXHOSTNAMELEN];
    ngx_int_t                    rc;
    ngx_str_t                    name;
    ngx_connection_t            *c;
    X509_VERIFY_PARAM           *param;
    ngx_http_ratelimit_redis_t  *redis;

    c = link->peer.connection;
    redis = link->redis;

    name = redis->certificate_name.len ? redis->certificate_name
                                       : link->server->host;

    /* certificates have neither a URL's brackets nor the dot of the root */

    if (name.len > 2 && name.data[0] == '[') {
        name.data++;
        name.len -= 2;

    } else if (name.len > 1 && name.data[name.len - 1] == '.') {
        name.len--;
    }

    if (name.len >= sizeof(host)
        || ngx_ssl_create_connection(redis->ssl, c, NGX_SSL_CLIENT) != NGX_OK)
    {
        ngx_http_ratelimit_break_link(link, 0, "TLS cannot begin");
        return;
    }

    (void) ngx_cpystrn(host, name.data, name.len + 1);

    /* the certificate must be for the address, or for the name, that is told
       to the server as well */

    param = SSL_get0_param(c->ssl->connection);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, (char *) host) != 1
        && (SSL_set1_host(c->ssl->connection, (char *) host) != 1
            || SSL_set_tlsext_host_name(c->ssl->connection, (char *) host)
               != 1))
    {
        ngx_http_ratelimit_break_link(link, 0, "TLS cannot begin");
        return;
    }

    ERR_clear_error();

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_http_ratelimit_handshaken;
        return;
    }

    ngx_http_ratelimit_handshaken(c);
}


static void
ngx_http_ratelimit_handshaken(ngx_connection_t *c)
{
    long                        rc;
    const char                 *why;
    ngx_http_ratelimit_link_t  *link;

    link = c->data;

    if (c->ssl->handshaked) {
        ngx_http_ratelimit_logged_in(link);
        return;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    why = (rc == X509_V_OK) ? "the TLS handshake failed"
                            : X509_verify_cert_error_string(rc);

    ngx_http_ratelimit_break_link(link, 0, (char *) why);
}

#endif
