
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The state as Prometheus' text, or OpenMetrics, which differ in what counters
 * are called, and in how they end.  A series is one of a zone or a policy,
 * never one of a key: there are as many as the configuration has of these.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


/* a figure of every policy, of every zone */

typedef struct {
    ngx_str_t                    labels;     /* further ones of the series */
    ngx_uint_t                   index;      /* of the figures of one */
} ngx_http_ratelimit_series_t;


typedef struct {
    char                        *name;
    char                        *type;
    char                        *help;
    ngx_http_ratelimit_series_t  series[4];  /* labels.data NULL: no more */
} ngx_http_ratelimit_metric_t;


/* the figures of a zone; those of a policy are its counters, and these */

#define NGX_HTTP_RATELIMIT_POLICY_BANS     RL_COUNTERS
#define NGX_HTTP_RATELIMIT_POLICY_DELAYED  (RL_COUNTERS + 1)
#define NGX_HTTP_RATELIMIT_POLICY_WAITED   (RL_COUNTERS + 2)
#define NGX_HTTP_RATELIMIT_POLICY_WAITING  (RL_COUNTERS + 3)
#define NGX_HTTP_RATELIMIT_POLICY_BANNED   (RL_COUNTERS + 4)
#define NGX_HTTP_RATELIMIT_POLICY_FIGURES  (RL_COUNTERS + 5)

typedef enum {
    NGX_HTTP_RATELIMIT_ZONE_CAPACITY = 0,
    NGX_HTTP_RATELIMIT_ZONE_IDLE,
    NGX_HTTP_RATELIMIT_ZONE_ACTIVE,
    NGX_HTTP_RATELIMIT_ZONE_EVICTED_IDLE,
    NGX_HTTP_RATELIMIT_ZONE_EVICTED_ACTIVE,
    NGX_HTTP_RATELIMIT_ZONE_LOCK_RECOVERIES,
    NGX_HTTP_RATELIMIT_ZONE_FIGURES
} ngx_http_ratelimit_zone_figure_e;


/* as far as it is written */

typedef struct {
    u_char                      *start;
    u_char                      *last;
    ngx_http_ratelimit_metric_t *metric;     /* of policies, the next one */
} ngx_http_ratelimit_api_text_t;


/* a policy takes up to two microseconds */

#define NGX_HTTP_RATELIMIT_API_POLICIES  256


static ngx_int_t ngx_http_ratelimit_api_metrics_turn(
    ngx_http_ratelimit_api_call_t *call);
static size_t ngx_http_ratelimit_api_metrics_len(
    ngx_http_ratelimit_api_call_t *call);
static ngx_uint_t ngx_http_ratelimit_api_count_series(
    ngx_http_ratelimit_metric_t *metric);
static u_char *ngx_http_ratelimit_api_policy_metric(u_char *p,
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_metric_t *metric);
static u_char *ngx_http_ratelimit_api_zone_metric(u_char *p,
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_metric_t *metric);
static void ngx_http_ratelimit_api_zone_figures(rl_zone_stats_t *stats,
    uint64_t *figures);


#define ngx_http_ratelimit_no_series  { ngx_null_string, 0 }


static ngx_http_ratelimit_metric_t  ngx_http_ratelimit_policy_metrics[] = {

    { "nginx_ratelimit_requests_total", "counter",
      "Requests that a policy decided, or that bypassed it.",
      { { ngx_string(",result=\"admitted\""), RL_COUNT_ADMITTED },
        { ngx_string(",result=\"refused\""), RL_COUNT_REFUSED },
        { ngx_string(",result=\"refused_dry_run\""), RL_COUNT_DRY_RUN },
        { ngx_string(",result=\"bypassed\""), RL_COUNT_BYPASSED } } },

    { "nginx_ratelimit_refunds_total", "counter",
      "Admitted requests whose units were given back.",
      { { ngx_string(""), RL_COUNT_REFUNDED },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_units_total", "counter",
      "Units reserved by decisions, charged beyond them, and given back.",
      { { ngx_string(",kind=\"reserved\""), RL_COUNT_RESERVED },
        { ngx_string(",kind=\"settled\""), RL_COUNT_SETTLED },
        { ngx_string(",kind=\"returned\""), RL_COUNT_RETURNED },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_errors_total", "counter",
      "Nonsense from a policy's variables, and requests left undecided.",
      { { ngx_string(""), RL_COUNT_ERRORS },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_bans_total", "counter",
      "Bans of keys that a policy has begun.",
      { { ngx_string(""), NGX_HTTP_RATELIMIT_POLICY_BANS },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_banned_keys", "gauge",
      "Keys that a policy bans now.",
      { { ngx_string(""), NGX_HTTP_RATELIMIT_POLICY_BANNED },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_delayed_total", "counter",
      "Admitted requests that had to wait for a policy's units or places.",
      { { ngx_string(""), NGX_HTTP_RATELIMIT_POLICY_DELAYED },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_waited_seconds_total", "counter",
      "Whole seconds that they have waited.",
      { { ngx_string(""), NGX_HTTP_RATELIMIT_POLICY_WAITED },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_waiting", "gauge",
      "Requests that wait for a policy's units or places now.",
      { { ngx_string(""), NGX_HTTP_RATELIMIT_POLICY_WAITING },
        ngx_http_ratelimit_no_series } },

    /* its series are those of a histogram */

    { "nginx_ratelimit_used_ratio", "histogram",
      "Share of its quota that a key of admitted requests has used; sampled.",
      { ngx_http_ratelimit_no_series } },

    { NULL, NULL, NULL, { ngx_http_ratelimit_no_series } }
};


static ngx_http_ratelimit_metric_t  ngx_http_ratelimit_zone_metrics[] = {

    { "nginx_ratelimit_zone_capacity_buckets", "gauge",
      "Buckets that a zone has room for.",
      { { ngx_string(""), NGX_HTTP_RATELIMIT_ZONE_CAPACITY },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_zone_buckets", "gauge",
      "Buckets that a zone holds; active ones have units in use.",
      { { ngx_string(",state=\"idle\""), NGX_HTTP_RATELIMIT_ZONE_IDLE },
        { ngx_string(",state=\"active\""), NGX_HTTP_RATELIMIT_ZONE_ACTIVE },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_zone_evictions_total", "counter",
      "Buckets that had to go for new ones; idle ones cost nobody anything.",
      { { ngx_string(",state=\"idle\""),
          NGX_HTTP_RATELIMIT_ZONE_EVICTED_IDLE },
        { ngx_string(",state=\"active\""),
          NGX_HTTP_RATELIMIT_ZONE_EVICTED_ACTIVE },
        ngx_http_ratelimit_no_series } },

    { "nginx_ratelimit_zone_lock_recoveries_total", "counter",
      "Locks recovered from worker processes that died.",
      { { ngx_string(""), NGX_HTTP_RATELIMIT_ZONE_LOCK_RECOVERIES },
        ngx_http_ratelimit_no_series } },

    { NULL, NULL, NULL, { ngx_http_ratelimit_no_series } }
};


ngx_int_t
ngx_http_ratelimit_api_metrics(ngx_http_ratelimit_api_call_t *call)
{
    ngx_http_ratelimit_api_text_t  *text;

    text = ngx_palloc(call->request->pool,
                      sizeof(ngx_http_ratelimit_api_text_t));
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text->start = ngx_pnalloc(call->request->pool,
                              ngx_http_ratelimit_api_metrics_len(call));
    if (text->start == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text->last = ngx_http_ratelimit_api_head(text->start, call,
                                             "nginx_ratelimit_build_info",
                                             "gauge",
                                             "Versions of the module and of "
                                             "nginx.");
    text->last = ngx_sprintf(text->last,
                             "nginx_ratelimit_build_info{version=\"%s\","
                             "nginx=\"%s\"} 1\n",
                             NGX_HTTP_RATELIMIT_VERSION, NGINX_VERSION);
    text->metric = ngx_http_ratelimit_policy_metrics;

    call->data = text;

    return ngx_http_ratelimit_api_turns(call,
                                        ngx_http_ratelimit_api_metrics_turn);
}


static ngx_int_t
ngx_http_ratelimit_api_metrics_turn(ngx_http_ratelimit_api_call_t *call)
{
    ngx_str_t                       out;
    ngx_http_ratelimit_metric_t    *metric;
    ngx_http_ratelimit_api_text_t  *text;

    text = call->data;

    if (text->metric->name) {
        text->last = ngx_http_ratelimit_api_policy_metric(text->last, call,
                                                          text->metric);

        if (call->next == call->conf->policies.nelts) {
            text->metric++;
            call->next = 0;
        }

        return NGX_AGAIN;
    }

    for (metric = ngx_http_ratelimit_zone_metrics; metric->name; metric++) {
        text->last = ngx_http_ratelimit_api_zone_metric(text->last, call,
                                                        metric);
    }

    text->last = ngx_http_ratelimit_api_state_metrics(text->last, call);
    text->last = ngx_http_ratelimit_api_redis_metrics(text->last, call);

    if (call->openmetrics) {
        text->last = ngx_cpymem(text->last, "# EOF\n",
                                sizeof("# EOF\n") - 1);
    }

    out.data = text->start;
    out.len = text->last - text->start;

    return ngx_http_ratelimit_api_send_text(call,
                                            call->openmetrics
                                            ? "application/openmetrics-text; "
                                              "version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; "
                                              "charset=utf-8",
                                            &out);
}


/* a label takes at most two bytes for one */

static size_t
ngx_http_ratelimit_api_metrics_len(ngx_http_ratelimit_api_call_t *call)
{
    size_t                         len;
    ngx_uint_t                     i, n;
    ngx_shm_zone_t               **zones;
    ngx_http_ratelimit_policy_t  **policies;

    /* the longest name, labels' names, a value; names and help of all */

    static const size_t  line = sizeof("nginx_ratelimit_zone_"
                                       "lock_recoveries_total"
                                       "{zone=\"\",policy=\"\","
                                       "result=\"refused_dry_run\"} \n")
                                + NGX_INT64_LEN;

    len = 20 * 300;

    policies = call->conf->policies.elts;
    n = ngx_http_ratelimit_api_count_series(ngx_http_ratelimit_policy_metrics)
        + NGX_HTTP_RATELIMIT_API_USED_SERIES;

    for (i = 0; i < call->conf->policies.nelts; i++) {
        len += n * (line + 2 * policies[i]->name.len
                    + 2 * policies[i]->shm_zone->shm.name.len);
    }

    zones = call->conf->zones.elts;
    n = ngx_http_ratelimit_api_count_series(ngx_http_ratelimit_zone_metrics);

    for (i = 0; i < call->conf->zones.nelts; i++) {
        len += n * (line + 2 * zones[i]->shm.name.len);
    }

    return len + ngx_http_ratelimit_api_state_metrics_len(call)
           + ngx_http_ratelimit_api_redis_metrics_len(call);
}


static ngx_uint_t
ngx_http_ratelimit_api_count_series(ngx_http_ratelimit_metric_t *metric)
{
    ngx_uint_t  i, n;

    for (n = 0; metric->name; metric++) {
        for (i = 0; i < 4 && metric->series[i].labels.data; i++) {
            n++;
        }
    }

    return n;
}


/* of a slice of the policies, from call->next on */

static u_char *
ngx_http_ratelimit_api_policy_metric(u_char *p,
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_metric_t *metric)
{
    uint64_t                       waited_ms;
    uint64_t                       counts[NGX_HTTP_RATELIMIT_POLICY_FIGURES];
    ngx_uint_t                     i, j, end;
    ngx_http_ratelimit_series_t   *series;
    ngx_http_ratelimit_policy_t  **policies;

    policies = call->conf->policies.elts;

    i = call->next;

    if (i == 0) {
        p = ngx_http_ratelimit_api_head(p, call, metric->name, metric->type,
                                        metric->help);
    }

    end = ngx_http_ratelimit_api_slice(&call->next, call->conf->policies.nelts,
                                       NGX_HTTP_RATELIMIT_API_POLICIES);

    for ( /* void */ ; i < end; i++) {
        rl_counts(&policies[i]->core, counts);
        counts[NGX_HTTP_RATELIMIT_POLICY_BANS] = rl_bans(&policies[i]->core);
        counts[NGX_HTTP_RATELIMIT_POLICY_BANNED] =
                    ngx_http_ratelimit_api_banned(call, policies[i]);
        counts[NGX_HTTP_RATELIMIT_POLICY_DELAYED] =
                               rl_delays(&policies[i]->core, &waited_ms);
        counts[NGX_HTTP_RATELIMIT_POLICY_WAITED] = waited_ms / 1000;
        counts[NGX_HTTP_RATELIMIT_POLICY_WAITING] =
                    rl_waiting(ngx_http_ratelimit_process(call->conf),
                               &policies[i]->core);

        for (j = 0; j < 4 && metric->series[j].labels.data; j++) {
            series = &metric->series[j];

            p = ngx_sprintf(p, "%s{zone=\"", metric->name);
            p = ngx_http_ratelimit_api_label(p,
                                             &policies[i]->shm_zone->shm.name);
            p = ngx_sprintf(p, "\",policy=\"%V\"%V} %uL\n", &policies[i]->name,
                            &series->labels, counts[series->index]);
        }

        if (metric->series[0].labels.data == NULL) {
            p = ngx_http_ratelimit_api_used(p, policies[i]);
        }
    }

    return p;
}


static u_char *
ngx_http_ratelimit_api_zone_metric(u_char *p,
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_metric_t *metric)
{
    uint64_t                      figures[NGX_HTTP_RATELIMIT_ZONE_FIGURES];
    ngx_uint_t                    i, j;
    ngx_shm_zone_t              **zones;
    ngx_http_ratelimit_series_t  *series;

    zones = call->conf->zones.elts;

    p = ngx_http_ratelimit_api_head(p, call, metric->name, metric->type,
                                    metric->help);

    for (i = 0; i < call->conf->zones.nelts; i++) {
        ngx_http_ratelimit_api_zone_figures(&call->zones[i], figures);

        for (j = 0; j < 4 && metric->series[j].labels.data; j++) {
            series = &metric->series[j];

            p = ngx_sprintf(p, "%s{zone=\"", metric->name);
            p = ngx_http_ratelimit_api_label(p, &zones[i]->shm.name);
            p = ngx_sprintf(p, "\"%V} %uL\n", &series->labels,
                            figures[series->index]);
        }
    }

    return p;
}


static void
ngx_http_ratelimit_api_zone_figures(rl_zone_stats_t *stats, uint64_t *figures)
{
    figures[NGX_HTTP_RATELIMIT_ZONE_CAPACITY] = stats->capacity;
    figures[NGX_HTTP_RATELIMIT_ZONE_IDLE] = stats->entries - stats->active;
    figures[NGX_HTTP_RATELIMIT_ZONE_ACTIVE] = stats->active;
    figures[NGX_HTTP_RATELIMIT_ZONE_EVICTED_IDLE] = stats->evicted_idle;
    figures[NGX_HTTP_RATELIMIT_ZONE_EVICTED_ACTIVE] = stats->evicted_active;
    figures[NGX_HTTP_RATELIMIT_ZONE_LOCK_RECOVERIES] = stats->lock_recoveries;
}
