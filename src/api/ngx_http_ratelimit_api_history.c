
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The last hour of each policy, as JSON.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


/* some 200 microseconds a policy */

#define NGX_HTTP_RATELIMIT_API_HISTORIES  4


static ngx_int_t ngx_http_ratelimit_api_history_turn(
    ngx_http_ratelimit_api_call_t *call);
static ngx_int_t ngx_http_ratelimit_api_add_history(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);


ngx_int_t
ngx_http_ratelimit_api_history(ngx_http_ratelimit_api_call_t *call)
{
    u_char  text[sizeof("{\n  \"now_ms\": ,\n  \"policies\": [")
                 + NGX_INT64_LEN];

    (void) ngx_sprintf(text, "{\n  \"now_ms\": %uL,\n  \"policies\": [%Z",
                       call->now.wall_ms);

    if (ngx_http_ratelimit_api_add_text(call, (char *) text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_turns(call,
                                        ngx_http_ratelimit_api_history_turn);
}


static ngx_int_t
ngx_http_ratelimit_api_history_turn(ngx_http_ratelimit_api_call_t *call)
{
    ngx_uint_t                     i, n, end;
    ngx_http_ratelimit_policy_t  **policies;

    policies = call->conf->policies.elts;
    n = call->conf->policies.nelts;
    i = call->next;
    end = ngx_http_ratelimit_api_slice(&call->next, n,
                                       NGX_HTTP_RATELIMIT_API_HISTORIES);

    for ( /* void */ ; i < end; i++) {
        if (ngx_http_ratelimit_api_add_text(call, i ? ",\n    " : "\n    ")
            != NGX_OK
            || ngx_http_ratelimit_api_add_history(call, policies[i]) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (end < n) {
        return NGX_AGAIN;
    }

    if (ngx_http_ratelimit_api_add_text(call, n ? "\n  ]\n}\n" : "]\n}\n")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_send(call, NGX_HTTP_OK, "application/json",
                                       call->out);
}


/* in one line */

static ngx_int_t
ngx_http_ratelimit_api_add_history(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    char                 *text;
    json_t               *json, *samples;
    size_t                i, n;
    ngx_int_t             rc;
    uint64_t              at_ms;
    rl_history_sample_t   history[RL_HISTORY_SAMPLES];

    samples = json_array();
    n = rl_history(&policy->core, &call->now, history);

    for (i = 0; i < n; i++) {
        at_ms = call->now.wall_ms - (call->now.mono_ms - history[i].at_ms);

        json_array_append_new(samples,
            json_pack("[I, i, I, I, I, I]", (json_int_t) (at_ms / 1000),
                      (int) (history[i].span_ms / 1000),
                      (json_int_t) history[i].admitted,
                      (json_int_t) history[i].refused,
                      (json_int_t) history[i].dry_run,
                      (json_int_t) history[i].waiting));
    }

    json = json_pack("{s:o, s:o, s:o}",
               "name", ngx_http_ratelimit_api_string(&policy->name),
               "zone", ngx_http_ratelimit_api_string(
                                             &policy->shm_zone->shm.name),
               "samples", samples);

    text = json ? json_dumps(json, 0) : NULL;

    json_decref(json);

    if (text == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_ratelimit_api_add_text(call, text);

    free(text);

    return rc;
}
