
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A cluster: which of its nodes has a shard.
 */


#ifndef _NGX_HTTP_RATELIMIT_CLUSTER_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_CLUSTER_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


/* asks a node for all slots; its login goes on with the answer */

void ngx_http_ratelimit_look_for_slots(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_look_event(ngx_event_t *ev);

/*
 * What a node answers of a slot that is not its own, "MOVED 3999 host:port",
 * or not any more, "ASK ...": the node that has it.  NULL: text says nothing
 * such, or not whom.  That of ASK is to be asked at once.
 */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_moved(
    ngx_http_ratelimit_link_t *link, char *text, ngx_uint_t shard);
ngx_http_ratelimit_link_t *ngx_http_ratelimit_asking(
    ngx_http_ratelimit_link_t *link, char *text);

/*
 * ngx_http_ratelimit_node.c: the node of that address, as text or not, made if
 * need be; its certificate is for host
 */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_node(
    ngx_http_ratelimit_redis_t *redis, u_char *host, size_t len,
    ngx_int_t port);
ngx_http_ratelimit_link_t *ngx_http_ratelimit_node_at(
    ngx_http_ratelimit_redis_t *redis, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_str_t *host);


#endif /* _NGX_HTTP_RATELIMIT_CLUSTER_H_INCLUDED_ */
