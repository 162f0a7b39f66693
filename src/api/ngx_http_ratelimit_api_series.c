
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the text of metrics is made of: heads, labels, a histogram.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


/* what OpenMetrics calls a counter has no "_total", which its series have */

u_char *
ngx_http_ratelimit_api_head(u_char *p, ngx_http_ratelimit_api_call_t *call,
    char *name, char *type, char *help)
{
    size_t  len;

    len = ngx_strlen(name);

    if (call->openmetrics && ngx_strcmp(type, "counter") == 0) {
        len -= sizeof("_total") - 1;
    }

    return ngx_sprintf(p, "# HELP %*s %s\n# TYPE %*s %s\n", len, name, help,
                       len, name, type);
}


/* the format is UTF-8; zones are the only names that could be anything */

u_char *
ngx_http_ratelimit_api_label(u_char *p, ngx_str_t *value)
{
    u_char      *s, *last, *from;
    uint32_t     code;

    s = value->data;
    last = s + value->len;

    while (s < last) {
        from = s;

        if (*s < 0x80) {
            if (*s == '\\' || *s == '"' || *s == LF) {
                *p++ = '\\';
            }

            *p++ = (*s == LF) ? 'n' : *s;
            s++;
            continue;
        }

        code = ngx_utf8_decode(&s, last - s);

        if (code > 0x10ffff) {
            s = from + 1;
            *p++ = '?';
            continue;
        }

        p = ngx_cpymem(p, from, s - from);
    }

    return p;
}


/* NGX_HTTP_RATELIMIT_API_USED_SERIES of them */

u_char *
ngx_http_ratelimit_api_used(u_char *p, ngx_http_ratelimit_policy_t *policy)
{
    uint64_t    sum, shares[RL_USED_SHARES];
    ngx_str_t  *zone;
    ngx_uint_t  i;

    /* RL_USED_BOUNDS, as OpenMetrics writes them */

    static char  *bounds[RL_USED_SHARES] = { "0.25", "0.5", "0.75", "0.9",
                                             "1.0" };

    zone = &policy->shm_zone->shm.name;

    rl_used_shares(&policy->core, shares, &sum);

    for (i = 0; i <= RL_USED_SHARES; i++) {
        p = ngx_sprintf(p, "nginx_ratelimit_used_ratio_bucket{zone=\"");
        p = ngx_http_ratelimit_api_label(p, zone);
        p = ngx_sprintf(p, "\",policy=\"%V\",le=\"", &policy->name);

        p = (i == RL_USED_SHARES)
            ? ngx_sprintf(p, "+Inf\"} %uL\n", shares[RL_USED_SHARES - 1])
            : ngx_sprintf(p, "%s\"} %uL\n", bounds[i], shares[i]);
    }

    p = ngx_sprintf(p, "nginx_ratelimit_used_ratio_sum{zone=\"");
    p = ngx_http_ratelimit_api_label(p, zone);
    p = ngx_sprintf(p, "\",policy=\"%V\"} %uL.%03uL\n"
                       "nginx_ratelimit_used_ratio_count{zone=\"",
                    &policy->name, sum / 1000, sum % 1000);
    p = ngx_http_ratelimit_api_label(p, zone);

    return ngx_sprintf(p, "\",policy=\"%V\"} %uL\n", &policy->name,
                       shares[RL_USED_SHARES - 1]);
}
