
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Places of "concurrent=", which a request holds until it ends.
 */


#ifndef _NGX_HTTP_RATELIMIT_PLACE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_PLACE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* of a request that ends; the items need not live any longer */

void ngx_http_ratelimit_release_places(rl_item_t *items, ngx_uint_t n);


#endif /* _NGX_HTTP_RATELIMIT_PLACE_H_INCLUDED_ */
