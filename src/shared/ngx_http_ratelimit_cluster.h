
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

/* the node that "MOVED 3999 127.0.0.1:6381" names, or "ASK ..."; NULL: none */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_redirect(
    ngx_http_ratelimit_link_t *link, char *text);

/* the node of that address, made if need be; its certificate is for host */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_node_at(
    ngx_http_ratelimit_redis_t *redis, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_str_t *host);

void ngx_http_ratelimit_set_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_http_ratelimit_link_t *link);


#endif /* _NGX_HTTP_RATELIMIT_CLUSTER_H_INCLUDED_ */
