
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the module says of refusals, and of nonsense at run time.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "request/ngx_http_ratelimit_log.h"


static u_char *ngx_http_ratelimit_suppressed(u_char *p, uint32_t suppressed);


/* ", N similar suppressed", or nothing */

#define NGX_HTTP_RATELIMIT_SUPPRESSED_LEN  64


/*
 * The key is named by its id alone: error logs are read by more people than
 * may know credentials.
 */

void
ngx_http_ratelimit_log_refusal(ngx_http_request_t *r, rl_item_t *item,
    ngx_uint_t level, rl_time_t *now)
{
    u_char                        *p, id[16];
    u_char                         text[NGX_HTTP_RATELIMIT_SUPPRESSED_LEN];
    uint32_t                       suppressed;
    ngx_http_ratelimit_policy_t   *policy;

    if (r->connection->log->log_level < level
        || !rl_log_throttle(item->policy->zone, item->bucket.lo, now,
                            &suppressed))
    {
        return;
    }

    policy = (ngx_http_ratelimit_policy_t *) item->policy;

    rl_render_key_id(rl_key_id(item->policy, item->bucket.lo), id);

    p = ngx_http_ratelimit_suppressed(text, suppressed);

    ngx_log_error(level, r->connection->log, 0,
                  "ratelimit: %s by policy \"%V\", key %*s, "
                  "retry after %uLs%*s",
                  item->dry_run ? "would be refused (dry run)" : "refused",
                  &policy->name, (size_t) 16, id,
                  rl_seconds_up(item->retry_after_ms),
                  (size_t) (p - text), text);
}


void
ngx_http_ratelimit_log_ban(ngx_http_request_t *r, rl_item_t *item,
    ngx_uint_t level)
{
    u_char                        id[16];
    ngx_http_ratelimit_policy_t  *policy;

    policy = (ngx_http_ratelimit_policy_t *) item->policy;

    rl_render_key_id(rl_key_id(item->policy, item->bucket.lo), id);

    ngx_log_error(level, r->connection->log, 0,
                  "ratelimit: %s by policy \"%V\", key %*s, for %uLs",
                  item->dry_run ? "would be banned (dry run)" : "banned",
                  &policy->name, (size_t) 16, id,
                  rl_seconds_up(item->retry_after_ms));
}


static u_char *
ngx_http_ratelimit_suppressed(u_char *p, uint32_t suppressed)
{
    return suppressed
           ? ngx_sprintf(p, ", %uD similar suppressed", suppressed) : p;
}


/* what was not decided, or corrected, through no fault of a client's */

void
ngx_http_ratelimit_log_undecided(ngx_http_request_t *r,
    const rl_policy_t *policy, rl_complaint_e what, char *reason,
    char *consequence)
{
    u_char     *p, text[NGX_HTTP_RATELIMIT_SUPPRESSED_LEN];
    uint32_t    suppressed;
    rl_time_t   now;

    ngx_http_ratelimit_now(&now);

    if (!rl_complaint_throttle(policy, what, &now, &suppressed)) {
        return;
    }

    p = ngx_http_ratelimit_suppressed(text, suppressed);

    ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                  "ratelimit: policy \"%*s\": %s; %s%*s",
                  policy->name.len, policy->name.data, reason, consequence,
                  (size_t) (p - text), text);
}


/* a variable's nonsense, throttled: an attacker may have sent it */

void
ngx_http_ratelimit_log_invalid(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_complaint_e what, ngx_str_t *value,
    const char *allowed, char *consequence)
{
    u_char     *p, shown[NGX_HTTP_RATELIMIT_MAX_SHOWN];
    u_char      text[NGX_HTTP_RATELIMIT_SUPPRESSED_LEN];
    size_t      i, len;
    uint32_t    suppressed;
    rl_time_t   now;

    static char  *names[] = { "quota", "scale", "capacity", "cost", "settle" };

    ngx_http_ratelimit_count(policy, RL_COUNT_ERRORS);

    ngx_http_ratelimit_now(&now);

    if (!rl_complaint_throttle(&policy->core, what, &now, &suppressed)) {
        return;
    }

    p = ngx_http_ratelimit_suppressed(text, suppressed);

    len = ngx_min(value->len, NGX_HTTP_RATELIMIT_MAX_SHOWN);

    for (i = 0; i < len; i++) {
        shown[i] = (value->data[i] >= 0x20 && value->data[i] < 0x7f)
                   ? value->data[i] : '?';
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "ratelimit: policy \"%V\" has invalid %s \"%*s\", it %s; "
                  "%s%*s",
                  &policy->name, names[what], len, shown, allowed, consequence,
                  (size_t) (p - text), text);
}


void
ngx_http_ratelimit_log_unread(ngx_http_request_t *r, const rl_policy_t *policy,
    ngx_str_t *name, char *reason)
{
    u_char     *p, text[NGX_HTTP_RATELIMIT_SUPPRESSED_LEN];
    uint32_t    suppressed;
    rl_time_t   now;

    ngx_http_ratelimit_now(&now);

    if (!rl_complaint_throttle(policy, RL_UNREAD, &now, &suppressed)) {
        return;
    }

    p = ngx_http_ratelimit_suppressed(text, suppressed);

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "ratelimit: policy \"%*s\": %s; \"$%V\" is not read "
                  "from it%*s",
                  policy->name.len, policy->name.data, reason, name,
                  (size_t) (p - text), text);
}
