
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
 * A node answers "MOVED 3999 host:port" of a slot that is not its own.  True:
 * it does, and who has the shard now is asked for; what waits is sent then.
 */

ngx_uint_t ngx_http_ratelimit_moved(ngx_http_ratelimit_link_t *link,
    char *text, ngx_uint_t shard);

/*
 * The node that it names there, or in "ASK ..." of a slot that is on its way,
 * who is to be asked at once.  NULL: it says nothing such, or that is away.
 */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_redirect(
    ngx_http_ratelimit_link_t *link, char *text);

/*
 * ngx_http_ratelimit_node.c: the node of that address, as text or not; NULL if
 * there is none, and it is not to be made.  Its certificate is for host.
 */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_node(
    ngx_http_ratelimit_redis_t *redis, u_char *host, size_t len,
    ngx_int_t port, ngx_uint_t make);
ngx_http_ratelimit_link_t *ngx_http_ratelimit_node_at(
    ngx_http_ratelimit_redis_t *redis, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_str_t *host);


#endif /* _NGX_HTTP_RATELIMIT_CLUSTER_H_INCLUDED_ */
