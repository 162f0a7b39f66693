
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The "jwt=" sources of "ratelimit_key": claims of verified tokens.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_jwt.h"
#include "key/ngx_http_ratelimit_key_field.h"

#include <sys/random.h>


static ngx_int_t ngx_http_ratelimit_jwt_token(ngx_http_request_t *r,
    rl_jwt_cache_t *cache, ngx_http_ratelimit_jwt_set_t *set,
    rl_jwt_set_t *core, ngx_http_ratelimit_scratch_t *scratch);


/* the index of a claim that a "jwt=" source yields */

char *
ngx_http_ratelimit_jwt_add_claim(ngx_conf_t *cf, rl_str_t *name,
    ngx_int_t *index)
{
    rl_str_t                        *claim;
    ngx_uint_t                       i;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    if (rmcf->jwt_claims == NULL) {
        rmcf->jwt_claims = ngx_array_create(cf->pool, 4, sizeof(rl_str_t));
        if (rmcf->jwt_claims == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    claim = rmcf->jwt_claims->elts;

    for (i = 0; i < rmcf->jwt_claims->nelts; i++) {
        if (claim[i].len == name->len
            && ngx_memcmp(claim[i].data, name->data, name->len) == 0)
        {
            *index = i;
            return NGX_CONF_OK;
        }
    }

    claim = ngx_array_push(rmcf->jwt_claims);
    if (claim == NULL) {
        return NGX_CONF_ERROR;
    }

    *claim = *name;
    *index = i;

    return NGX_CONF_OK;
}


/*
 * The cache is made in the master: workers are forks, and each writes into a
 * copy of its own.  Its keys are those of this configuration, so it ends with
 * that.
 */

ngx_int_t
ngx_http_ratelimit_init_jwt(ngx_conf_t *cf)
{
    void                            *memory;
    u_char                           seed[16];
    ngx_array_t                     *claims;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);
    claims = rmcf->jwt_claims;

    if (claims == NULL) {
        return NGX_OK;
    }

    if (rmcf->jwt_sets == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"jwt=%*s\" in \"ratelimit_key\" yields nothing, "
                      "there is no \"ratelimit_jwt\"",
                      ((rl_str_t *) claims->elts)->len,
                      ((rl_str_t *) claims->elts)->data);
        return NGX_OK;
    }

    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "ratelimit: getrandom() failed for \"ratelimit_jwt\"");
        return NGX_ERROR;
    }

    memory = ngx_palloc(cf->pool, rl_jwt_cache_size(claims->nelts));
    if (memory == NULL) {
        return NGX_ERROR;
    }

    rmcf->jwt_cache = rl_jwt_cache_create(memory, claims->elts, claims->nelts,
                                          seed);

    return NGX_OK;
}


/* NGX_DECLINED: no token of this location yields the claim */

ngx_int_t
ngx_http_ratelimit_jwt_value(ngx_http_request_t *r, ngx_int_t claim,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out)
{
    u_char                          *p;
    rl_str_t                         value;
    rl_time_t                        now;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    const char                      *reason;
    rl_jwt_set_t                     core;
    ngx_http_ratelimit_scratch_t     own, *known;
    ngx_http_ratelimit_jwt_set_t    *set;
    ngx_http_ratelimit_loc_conf_t   *rlcf;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->jwt == NULL) {
        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    ngx_http_ratelimit_now(&now);

    own.jwt_set = NULL;
    known = scratch ? scratch : &own;

    set = rlcf->jwt->elts;

    for (i = 0; i < rlcf->jwt->nelts; i++) {

        core.id = set[i].id;
        core.lines = set[i].lines.elts;
        core.nlines = set[i].lines.nelts;

        rc = ngx_http_ratelimit_jwt_token(r, rmcf->jwt_cache, &set[i], &core,
                                          known);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        reason = rl_jwt_claim(rmcf->jwt_cache, &core, &known->token, claim,
                              &now, &value);

        if (reason) {
            ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "ratelimit: JSON Web Token %s", reason);
            continue;
        }

        /* the cache may overwrite it at the next token */

        p = ngx_http_ratelimit_key_buf(r, scratch, value.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, value.data, value.len);

        *out = ngx_http_ratelimit_make_str(p, value.len);

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* to scratch->token, unless the set has read it there already */

static ngx_int_t
ngx_http_ratelimit_jwt_token(ngx_http_request_t *r, rl_jwt_cache_t *cache,
    ngx_http_ratelimit_jwt_set_t *set, rl_jwt_set_t *core,
    ngx_http_ratelimit_scratch_t *scratch)
{
    rl_str_t   text;
    ngx_int_t  rc;
    ngx_str_t  value;

    if (scratch->jwt_set == set) {
        return NGX_OK;
    }

    if (set->text.len == 0) {
        rc = ngx_http_ratelimit_bearer(r, &text);

        if (rc != NGX_OK) {
            return rc;
        }

    } else {
        if (ngx_http_ratelimit_value(r, set->token, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0) {
            return NGX_DECLINED;
        }

        text = ngx_http_ratelimit_str(&value);
    }

    scratch->jwt_set = set;
    rl_jwt_name(cache, core, text, &scratch->token);

    return NGX_OK;
}
