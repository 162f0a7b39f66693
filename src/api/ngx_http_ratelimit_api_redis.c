
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * How this machine stands with the Redis that others share: as JSON, and as
 * Prometheus' text.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_redis.h"
#include "api/ngx_http_ratelimit_api.h"


typedef struct {
    char                        *name;
    char                        *type;
    char                        *help;
    char                        *label;      /* or "" */
    size_t                       offset;     /* in the statistics */
} ngx_http_ratelimit_redis_metric_t;


#define ngx_http_ratelimit_redis_stat(field)                                  \
    offsetof(ngx_http_ratelimit_redis_stats_t, field)


/* of one name: one after the other */

static ngx_http_ratelimit_redis_metric_t
    ngx_http_ratelimit_redis_metrics[] =
{

    { "nginx_ratelimit_redis_connected_since_seconds", "gauge",
      "When Redis was there again, Unix time; 0: it is away.",
      "", ngx_http_ratelimit_redis_stat(connected) },

    { "nginx_ratelimit_redis_machines", "gauge",
      "Machines that share a Redis, as seen lately.",
      "", ngx_http_ratelimit_redis_stat(machines) },

    { "nginx_ratelimit_redis_decisions_total", "counter",
      "Decisions of shared policies: by a lease, Redis, or as on_error= says.",
      ",by=\"lease\"", ngx_http_ratelimit_redis_stat(leased) },
    { "nginx_ratelimit_redis_decisions_total", NULL, NULL,
      ",by=\"redis\"", ngx_http_ratelimit_redis_stat(decided) },
    { "nginx_ratelimit_redis_decisions_total", NULL, NULL,
      ",by=\"local\"", ngx_http_ratelimit_redis_stat(local) },
    { "nginx_ratelimit_redis_decisions_total", NULL, NULL,
      ",by=\"allow\"", ngx_http_ratelimit_redis_stat(allowed) },
    { "nginx_ratelimit_redis_decisions_total", NULL, NULL,
      ",by=\"refuse\"", ngx_http_ratelimit_redis_stat(refused) },

    { "nginx_ratelimit_redis_outages_total", "counter",
      "How often Redis went away.",
      "", ngx_http_ratelimit_redis_stat(outages) },

    { "nginx_ratelimit_redis_losses_total", "counter",
      "How often Redis was found to have lost counts.",
      "", ngx_http_ratelimit_redis_stat(losses) },

    { "nginx_ratelimit_redis_clock_steps_total", "counter",
      "How often Redis's clock was found to be set forward.",
      "", ngx_http_ratelimit_redis_stat(clock_sets) },

    { NULL, NULL, NULL, NULL, 0 }
};


static json_t *ngx_http_ratelimit_api_redis(ngx_http_ratelimit_redis_t *redis);
static json_t *ngx_http_ratelimit_api_latencies(
    ngx_http_ratelimit_redis_stats_t *stats);
static u_char *ngx_http_ratelimit_api_held(u_char *p,
    ngx_http_ratelimit_api_call_t *call);
static u_char *ngx_http_ratelimit_api_histogram(u_char *p,
    ngx_http_ratelimit_redis_t *redis);


#define ngx_http_ratelimit_api_count(value)  ((json_int_t) (value))


json_t *
ngx_http_ratelimit_api_redises(ngx_http_ratelimit_api_call_t *call)
{
    json_t                       *json;
    ngx_uint_t                    i;
    ngx_http_ratelimit_redis_t  **redises;

    json = json_array();
    redises = call->conf->redises.elts;

    for (i = 0; i < call->conf->redises.nelts; i++) {
        json_array_append_new(json, ngx_http_ratelimit_api_redis(redises[i]));
    }

    return json;
}


static json_t *
ngx_http_ratelimit_api_redis(ngx_http_ratelimit_redis_t *redis)
{
    json_t                            *since, *server;
    uint64_t                           rows, held_units;
    ngx_http_ratelimit_server_t       *servers;
    ngx_http_ratelimit_redis_stats_t  *stats;

    stats = redis->stats;
    servers = redis->servers.elts;

    ngx_http_ratelimit_sum_held(redis, &rows, &held_units);

    since = json_null();
    server = json_null();

    if (stats->connected) {
        since = json_integer(ngx_http_ratelimit_api_count(stats->connected));
    }

    if (stats->connected && !redis->cluster) {
        server = ngx_http_ratelimit_api_string(
                     &servers[stats->server % redis->servers.nelts].name);
    }

    return json_pack("{s:o, s:b, s:o, s:o, s:I, s:I, s:I, "
                     "s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:I, s:I, s:I}",
               "name", ngx_http_ratelimit_api_string(&redis->name),
               "cluster", (int) redis->cluster,
               "connected_since", since,
               "server", server,
               "machines", ngx_http_ratelimit_api_count(stats->machines),
               "rows", ngx_http_ratelimit_api_count(rows),
               "held_units", ngx_http_ratelimit_api_count(held_units),
               "decisions",
               "lease", ngx_http_ratelimit_api_count(stats->leased),
               "redis", ngx_http_ratelimit_api_count(stats->decided),
               "local", ngx_http_ratelimit_api_count(stats->local),
               "allow", ngx_http_ratelimit_api_count(stats->allowed),
               "refuse", ngx_http_ratelimit_api_count(stats->refused),
               "round_trips", ngx_http_ratelimit_api_latencies(stats),
               "outages", ngx_http_ratelimit_api_count(stats->outages),
               "losses", ngx_http_ratelimit_api_count(stats->losses),
               "clock_steps", ngx_http_ratelimit_api_count(stats->clock_sets));
}


static json_t *
ngx_http_ratelimit_api_latencies(ngx_http_ratelimit_redis_stats_t *stats)
{
    json_t      *below;
    ngx_uint_t   i;

    below = json_array();

    for (i = 0; i < NGX_HTTP_RATELIMIT_LATENCIES; i++) {
        if (stats->latencies[i] == 0) {
            continue;
        }

        json_array_append_new(below,
            json_pack("{s:o, s:I}", "below_us",
                      (i == NGX_HTTP_RATELIMIT_LATENCIES - 1)
                      ? json_null() : json_integer((json_int_t) 64 << i),
                      "count",
                      ngx_http_ratelimit_api_count(stats->latencies[i])));
    }

    return json_pack("{s:I, s:I, s:o}",
               "count", ngx_http_ratelimit_api_count(stats->round_trips),
               "sum_us", ngx_http_ratelimit_api_count(stats->round_trips_us),
               "latencies", below);
}


size_t
ngx_http_ratelimit_api_redis_metrics_len(ngx_http_ratelimit_api_call_t *call)
{
    /* names and help; of each Redis a line a metric and latency */

    return 14 * 300
           + call->conf->redises.nelts
             * (15 + NGX_HTTP_RATELIMIT_LATENCIES)
             * (NGX_HTTP_RATELIMIT_MAX_REDIS_NAME + 160);
}


u_char *
ngx_http_ratelimit_api_redis_metrics(u_char *p,
    ngx_http_ratelimit_api_call_t *call)
{
    ngx_uint_t                          i, n;
    ngx_atomic_t                       *value;
    ngx_http_ratelimit_redis_t        **redises;
    ngx_http_ratelimit_redis_metric_t  *metric;

    redises = call->conf->redises.elts;
    n = call->conf->redises.nelts;

    if (n == 0) {
        return p;
    }

    for (metric = ngx_http_ratelimit_redis_metrics; metric->name; metric++) {

        if (metric->type) {
            p = ngx_http_ratelimit_api_head(p, call, metric->name,
                                            metric->type, metric->help);
        }

        for (i = 0; i < n; i++) {
            value = (ngx_atomic_t *) ((u_char *) redises[i]->stats
                                      + metric->offset);
            p = ngx_sprintf(p, "%s{redis=\"%V\"%s} %uL\n", metric->name,
                            &redises[i]->name, metric->label,
                            (uint64_t) *value);
        }
    }

    p = ngx_http_ratelimit_api_held(p, call);

    p = ngx_http_ratelimit_api_head(p, call,
                                    "nginx_ratelimit_redis_round_trip_seconds",
                                    "histogram",
                                    "How long calls of Redis took.");

    for (i = 0; i < n; i++) {
        p = ngx_http_ratelimit_api_histogram(p, redises[i]);
    }

    return p;
}


static u_char *
ngx_http_ratelimit_api_held(u_char *p, ngx_http_ratelimit_api_call_t *call)
{
    uint64_t                      rows, held_units;
    ngx_uint_t                    i, units;
    ngx_http_ratelimit_redis_t  **redises;

    redises = call->conf->redises.elts;

    for (units = 0; units < 2; units++) {
        p = ngx_http_ratelimit_api_head(p, call,
                units ? "nginx_ratelimit_redis_held_units"
                      : "nginx_ratelimit_redis_rows",
                "gauge",
                units ? "Units that this machine has borrowed."
                      : "Rows that this machine has in buckets.");

        for (i = 0; i < call->conf->redises.nelts; i++) {
            ngx_http_ratelimit_sum_held(redises[i], &rows, &held_units);

            p = ngx_sprintf(p, "nginx_ratelimit_redis_%s{redis=\"%V\"} %uL\n",
                            units ? "held_units" : "rows", &redises[i]->name,
                            units ? held_units : rows);
        }
    }

    return p;
}


static u_char *
ngx_http_ratelimit_api_histogram(u_char *p, ngx_http_ratelimit_redis_t *redis)
{
    uint64_t                           us, sum;
    ngx_uint_t                         i;
    ngx_http_ratelimit_redis_stats_t  *stats;

    stats = redis->stats;
    sum = 0;

    for (i = 0; i < NGX_HTTP_RATELIMIT_LATENCIES; i++) {
        sum += stats->latencies[i];
        us = (uint64_t) 64 << i;

        p = ngx_sprintf(p, "nginx_ratelimit_redis_round_trip_seconds_bucket"
                           "{redis=\"%V\",le=\"", &redis->name);
        p = (i == NGX_HTTP_RATELIMIT_LATENCIES - 1)
            ? ngx_sprintf(p, "+Inf\"} %uL\n", sum)
            : ngx_sprintf(p, "%uL.%06uL\"} %uL\n", us / 1000000, us % 1000000,
                          sum);
    }

    us = stats->round_trips_us;

    return ngx_sprintf(p, "nginx_ratelimit_redis_round_trip_seconds_sum"
                          "{redis=\"%V\"} %uL.%06uL\n"
                          "nginx_ratelimit_redis_round_trip_seconds_count"
                          "{redis=\"%V\"} %uL\n",
                       &redis->name, us / 1000000, us % 1000000,
                       &redis->name, sum);
}
