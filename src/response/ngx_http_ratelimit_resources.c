
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_standing": a location that tells its caller's standing in every
 * policy that holds there, in the manner of GitHub's /rate_limit, and charges
 * nothing.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_standing.h"
#include "request/ngx_http_ratelimit_vary.h"
#include "response/ngx_http_ratelimit_field.h"
#include "response/ngx_http_ratelimit_resources.h"

#include <jansson.h>


static ngx_int_t ngx_http_ratelimit_standing_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_add_resources(ngx_http_request_t *r,
    ngx_array_t *plan, json_t *resources);
static ngx_int_t ngx_http_ratelimit_add_resource(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, json_t *resources, char *name);
static ngx_int_t ngx_http_ratelimit_send_resources(ngx_http_request_t *r,
    json_t *root);


static ngx_table_elt_t  ngx_http_ratelimit_no_store = {
    .hash = 1,
    .key = ngx_string("Cache-Control"),
    .lowcase_key = (u_char *) "cache-control"
};


char *
ngx_http_ratelimit_standing(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_ratelimit_shown_t  *shown;

    if (rlcf->shown) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "must be the only one that answers requests of its location";
    }

    shown = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_shown_t));
    if (shown == NULL) {
        return NGX_CONF_ERROR;
    }

    shown->file = cf->conf_file->file.name.data;
    shown->line = cf->conf_file->line;

    rlcf->shown = shown;
    clcf->handler = ngx_http_ratelimit_standing_handler;

    return NGX_CONF_OK;
}


/*
 * Behind ngx_http_ratelimit_merge_rules().  A location that another handler
 * answers must be limited as ever.
 */

char *
ngx_http_ratelimit_merge_standing(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->shown == NULL) {

        /* blocks in the location, which are locations of their own to nginx */

        if (!clcf->noname || prev->shown == NULL || clcf->handler) {
            return NGX_CONF_OK;
        }

        conf->shown = ngx_palloc(cf->pool, sizeof(ngx_http_ratelimit_shown_t));
        if (conf->shown == NULL) {
            return NGX_CONF_ERROR;
        }

        *conf->shown = *prev->shown;

        if (clcf->lmt_excpt) {
            clcf->handler = ngx_http_ratelimit_standing_handler;
        }

        return NGX_CONF_OK;
    }

    if (clcf->handler != ngx_http_ratelimit_standing_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ratelimit_standing\" must be the only directive that "
                      "answers requests of its location in %s:%ui",
                      conf->shown->file, conf->shown->line);
        return NGX_CONF_ERROR;
    }

    if (conf->preaccess.nelts + conf->precontent.nelts == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ratelimit_standing\" tells of nothing, no "
                      "\"ratelimit\" line holds in its location in %s:%ui",
                      conf->shown->file, conf->shown->line);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ratelimit_standing_handler(ngx_http_request_t *r)
{
    json_t                         *root, *resources;
    ngx_int_t                       rc;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    resources = json_object();
    root = json_pack("{s:o}", "resources", resources);

    if (root == NULL
        || ngx_http_ratelimit_add_resources(r, &rlcf->shown->preaccess,
                                            resources)
           != NGX_OK
        || ngx_http_ratelimit_add_resources(r, &rlcf->shown->precontent,
                                            resources)
           != NGX_OK)
    {
        json_decref(root);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_ratelimit_send_resources(r, root);

    json_decref(root);

    return rc;
}


/*
 * The method of this request says nothing of those that the caller has in
 * mind, so "methods=" does not matter; "if=" does.
 */

static ngx_int_t
ngx_http_ratelimit_add_resources(ngx_http_request_t *r, ngx_array_t *plan,
    json_t *resources)
{
    char                       *name;
    json_t                     *known;
    ngx_str_t                  *text;
    ngx_uint_t                  i;
    ngx_http_ratelimit_step_t  *step;

    step = plan->elts;

    for (i = 0; i < plan->nelts; i++) {

        if (step[i].policy->core.hidden) {
            continue;
        }

        text = &step[i].policy->name;

        name = ngx_pnalloc(r->pool, text->len + 1);
        if (name == NULL) {
            return NGX_ERROR;
        }

        ngx_cpystrn((u_char *) name, text->data, text->len + 1);

        /* of several lines of a policy the first that applies counts */

        known = json_object_get(resources, name);

        if (known && !json_is_null(json_object_get(known, "limit"))) {
            continue;
        }

        if (ngx_http_ratelimit_add_resource(r, &step[i], resources, name)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add_resource(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, json_t *resources, char *name)
{
    json_t                         *one;
    ngx_int_t                       rc;
    rl_item_t                      *item;
    ngx_http_ratelimit_standing_t   standing;

    standing.item = NULL;

    rc = ngx_http_ratelimit_rule_applies(r, step->rule);

    if (rc == NGX_OK) {
        rc = ngx_http_ratelimit_stand(r, step->policy, &standing);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    item = standing.item;

    one = item
          ? json_pack("{s:I, s:I, s:I, s:I}",
                      "limit", (json_int_t) item->limit_units,
                      "used", (json_int_t) rl_used_units(item),
                      "remaining", (json_int_t) item->remaining_units,
                      "reset", (json_int_t) rl_unix_seconds(&standing.time,
                                                            item->reset_ms))
          : json_pack("{s:n, s:n, s:n, s:n}", "limit", "used", "remaining",
                      "reset");

    if (item && item->policy->algorithm == RL_CONCURRENT) {
        json_object_set_new(one, "reset", json_null());
    }

    return json_object_set_new(resources, name, one) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_ratelimit_send_resources(ngx_http_request_t *r, json_t *root)
{
    static ngx_str_t  type = ngx_string("application/json");
    static rl_str_t   no_store = { 8, (u_char *) "no-store" };

    char                      *text;
    ngx_http_complex_value_t   cv;

    text = json_dumps(root, JSON_INDENT(2));
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.len = ngx_strlen(text) + 1;
    cv.value.data = ngx_pnalloc(r->pool, cv.value.len);

    if (cv.value.data) {
        *ngx_cpymem(cv.value.data, text, cv.value.len - 1) = LF;
    }

    free(text);

    if (cv.value.data == NULL
        || ngx_http_ratelimit_add_fields(r, 0, &ngx_http_ratelimit_no_store,
                                         &no_store, 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}
