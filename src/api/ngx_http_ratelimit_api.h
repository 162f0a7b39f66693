
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the files of "ratelimit_api" share.
 */


#ifndef _NGX_HTTP_RATELIMIT_API_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_API_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"

#include <jansson.h>


/* of a location */

struct ngx_http_ratelimit_api_s {
    ngx_http_conf_ctx_t         *ctx;        /* to see who may come in */
    u_char                      *file;
    ngx_uint_t                   line;
    ngx_array_t                  hosts;      /* ngx_str_t; it answers to these,
                                                the server's names also */
    unsigned                     write:1;
    unsigned                     write_set:1;
};


/* the parameters of one request; an empty data is one that is not there */

typedef struct {
    ngx_str_t                    policy;
    ngx_str_t                    zone;
    ngx_str_t                    id;
    ngx_str_t                    top;
    ngx_str_t                    scale;
    ngx_str_t                    quota;
    ngx_str_t                    duration;
    ngx_str_t                    all;
    ngx_array_t                  keys;       /* rl_str_t */
} ngx_http_ratelimit_api_args_t;


/* what an answer is made of */

typedef struct ngx_http_ratelimit_api_call_s  ngx_http_ratelimit_api_call_t;

typedef ngx_int_t (*ngx_http_ratelimit_api_pt)(
    ngx_http_ratelimit_api_call_t *call);


struct ngx_http_ratelimit_api_call_s {
    ngx_http_request_t          *request;
    ngx_int_t                    rc;         /* of what was sent; until then
                                                an internal error */
    ngx_http_ratelimit_main_conf_t *conf;
    ngx_http_ratelimit_api_t    *api;
    rl_zone_stats_t             *zones;      /* conf->zones.nelts */
    rl_banned_t                 *banned;     /* of the policies that ban */
    ngx_uint_t                   nbanned;
    rl_time_t                    now;
    ngx_http_ratelimit_api_args_t args;
    ngx_str_t                    path;       /* below the location */
    ngx_uint_t                   write;      /* unsigned  write:1; */
    ngx_uint_t                   openmetrics; /* unsigned  openmetrics:1; */

    /* of an answer that is made in several turns */

    ngx_event_t                  event;
    ngx_event_t                  hold;       /* a worker that is to exit */
    ngx_http_ratelimit_api_pt    turn;
    ngx_uint_t                   next;       /* policy, metric, key */
    ngx_chain_t                 *out;
    ngx_chain_t                 *last;
    void                        *data;
};


/* a key that a request may mean */

typedef struct {
    rl_hash_t                    bucket;
    json_t                      *tags;       /* of its parts; NULL by an id */
} ngx_http_ratelimit_api_meant_t;


/* more keys than this are not listed, whatever "top=" asks for */

#define NGX_HTTP_RATELIMIT_API_MAX_TOP  100


/* ngx_http_ratelimit_api.c */

ngx_int_t ngx_http_ratelimit_api_handler(ngx_http_request_t *r);

/* ngx_http_ratelimit_api_conf.c, ngx_http_ratelimit_api_access.c */

char *ngx_http_ratelimit_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_ratelimit_merge_api(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf);
ngx_int_t ngx_http_ratelimit_check_apis(ngx_conf_t *cf);

/* ngx_http_ratelimit_api_accept.c */

ngx_uint_t ngx_http_ratelimit_api_wants_page(ngx_http_request_t *r);
ngx_uint_t ngx_http_ratelimit_api_wants_openmetrics(ngx_http_request_t *r);

/* ngx_http_ratelimit_api_args.c */

ngx_int_t ngx_http_ratelimit_api_parse_args(
    ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_redis.c */

json_t *ngx_http_ratelimit_api_redises(ngx_http_ratelimit_api_call_t *call);
size_t ngx_http_ratelimit_api_redis_metrics_len(
    ngx_http_ratelimit_api_call_t *call);
u_char *ngx_http_ratelimit_api_redis_metrics(u_char *p,
    ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_send.c */

ngx_int_t ngx_http_ratelimit_api_send(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t status, char *type, ngx_chain_t *out);
ngx_int_t ngx_http_ratelimit_api_send_text(ngx_http_ratelimit_api_call_t *call,
    char *type, ngx_str_t *text);
ngx_int_t ngx_http_ratelimit_api_send_json(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t status, json_t *json);
ngx_int_t ngx_http_ratelimit_api_problem(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t status, const char *format, ...);
ngx_int_t ngx_http_ratelimit_api_no_place(ngx_http_ratelimit_api_call_t *call);
ngx_int_t ngx_http_ratelimit_api_add_header(ngx_http_request_t *r, char *name,
    ngx_str_t *value);
void ngx_http_ratelimit_api_log(ngx_http_ratelimit_api_call_t *call,
    const char *format, ...);

/* ngx_http_ratelimit_api_scan.c */

ngx_int_t ngx_http_ratelimit_api_scan(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_pt handler);

/* ngx_http_ratelimit_api_series.c */

#define NGX_HTTP_RATELIMIT_API_USED_SERIES  (RL_USED_SHARES + 3)

u_char *ngx_http_ratelimit_api_head(u_char *p,
    ngx_http_ratelimit_api_call_t *call, char *name, char *type, char *help);
u_char *ngx_http_ratelimit_api_label(u_char *p, ngx_str_t *value);
u_char *ngx_http_ratelimit_api_used(u_char *p,
    ngx_http_ratelimit_policy_t *policy);

/* ngx_http_ratelimit_api_state.c */

void ngx_http_ratelimit_api_state_age(ngx_http_ratelimit_api_call_t *call,
    ngx_shm_zone_t *shm_zone, json_t *entry);
size_t ngx_http_ratelimit_api_state_metrics_len(
    ngx_http_ratelimit_api_call_t *call);
u_char *ngx_http_ratelimit_api_state_metrics(u_char *p,
    ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_turns.c */

ngx_int_t ngx_http_ratelimit_api_turns(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_pt handler);
ngx_int_t ngx_http_ratelimit_api_later(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_pt handler);
ngx_uint_t ngx_http_ratelimit_api_slice(ngx_uint_t *next, ngx_uint_t n,
    ngx_uint_t max);
ngx_int_t ngx_http_ratelimit_api_add_text(ngx_http_ratelimit_api_call_t *call,
    const char *text);
ngx_int_t ngx_http_ratelimit_api_add_json(ngx_http_ratelimit_api_call_t *call,
    json_t *json, ngx_uint_t indent);

/* ngx_http_ratelimit_api_json.c */

json_t *ngx_http_ratelimit_api_string(ngx_str_t *text);
json_t *ngx_http_ratelimit_api_key_id(uint64_t key_id);
json_t *ngx_http_ratelimit_api_key_label(ngx_http_ratelimit_policy_t *policy,
    uint64_t key_id);
json_t *ngx_http_ratelimit_api_time(rl_time_t *now, uint64_t mono_ms);

/* ngx_http_ratelimit_api_status.c */

ngx_int_t ngx_http_ratelimit_api_status(ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_override_list.c */

ngx_int_t ngx_http_ratelimit_api_overrides(
    ngx_http_ratelimit_api_call_t *call);
json_t *ngx_http_ratelimit_api_list_overrides(
    ngx_http_ratelimit_api_call_t *call);
json_t *ngx_http_ratelimit_api_override(ngx_http_ratelimit_api_call_t *call,
    ngx_str_t *zone, rl_override_t *override);
ngx_str_t ngx_http_ratelimit_api_override_policy(rl_override_t *override);

/* ngx_http_ratelimit_api_history.c */

ngx_int_t ngx_http_ratelimit_api_history(ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_metrics.c */

ngx_int_t ngx_http_ratelimit_api_metrics(ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_keys.c */

ngx_int_t ngx_http_ratelimit_api_get_keys(ngx_http_ratelimit_api_call_t *call);
json_t *ngx_http_ratelimit_api_refused_keys(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
ngx_int_t ngx_http_ratelimit_api_send_key(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    rl_hash_t *bucket);

/* ngx_http_ratelimit_api_reset.c */

ngx_int_t ngx_http_ratelimit_api_delete_keys(
    ngx_http_ratelimit_api_call_t *call);
int ngx_http_ratelimit_api_reset_key(rl_process_t *process,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket, rl_time_t *now);
ngx_int_t ngx_http_ratelimit_api_parse_top(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t *max);

/* ngx_http_ratelimit_api_find.c */

ngx_int_t ngx_http_ratelimit_api_find_policy(
    ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t **policy);
ngx_int_t ngx_http_ratelimit_api_find_buckets(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    ngx_array_t *meant);
void ngx_http_ratelimit_api_free_tags(ngx_array_t *meant);
ngx_int_t ngx_http_ratelimit_api_find_bucket(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    rl_hash_t *bucket);
ngx_int_t ngx_http_ratelimit_api_parse_id(
    ngx_http_ratelimit_api_call_t *call, uint64_t *id);

/* ngx_http_ratelimit_api_key.c */

json_t *ngx_http_ratelimit_api_bucket(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket);

/*
 * ngx_http_ratelimit_api_shared.c: what Redis says of keys of a shared policy,
 * before they are told.  The tags of what is meant are taken.
 */

ngx_int_t ngx_http_ratelimit_api_send_shared(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    ngx_array_t *meant);

/* ngx_http_ratelimit_api_overrides.c */

ngx_int_t ngx_http_ratelimit_api_put_override(
    ngx_http_ratelimit_api_call_t *call);
ngx_int_t ngx_http_ratelimit_api_delete_override(
    ngx_http_ratelimit_api_call_t *call);
ngx_int_t ngx_http_ratelimit_api_no_room(ngx_http_ratelimit_api_call_t *call);

/*
 * ngx_http_ratelimit_api_change.c: changes of overrides of shared zones.
 * Those of one zone are added in a row; until_ms is from now on.  What was
 * done is logged, and answered by answer() with the call's data, when all have
 * been made.
 */

typedef struct ngx_http_ratelimit_api_changes_s
    ngx_http_ratelimit_api_changes_t;

ngx_http_ratelimit_api_changes_t *ngx_http_ratelimit_api_changes(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_api_pt answer);
ngx_int_t ngx_http_ratelimit_api_add_change(
    ngx_http_ratelimit_api_changes_t *changes,
    ngx_http_ratelimit_zone_t *zone, rl_override_t *override);
ngx_int_t ngx_http_ratelimit_api_make_changes(
    ngx_http_ratelimit_api_changes_t *changes, ngx_str_t *what);

/* rc, and why, as an exchange has them */

ngx_int_t ngx_http_ratelimit_api_not_changed(
    ngx_http_ratelimit_api_call_t *call, ngx_int_t rc, ngx_str_t *why);

/* what the log is to say; data NULL: there is no memory for it */

ngx_str_t ngx_http_ratelimit_api_what(ngx_http_ratelimit_api_call_t *call,
    const char *format, ...);

/* the answer: it was reset at at_ms */

ngx_int_t ngx_http_ratelimit_api_send_policy_reset(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    uint64_t at_ms);

/*
 * ngx_http_ratelimit_api_lift.c: a shared key is reset, and what is known of
 * its refusals goes; banned: a ban is lifted
 */

ngx_int_t ngx_http_ratelimit_api_lift(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket,
    ngx_uint_t banned);

/* ngx_http_ratelimit_api_reset_shared.c: a known key; one key; all keys */

ngx_int_t ngx_http_ratelimit_api_reset_shared_item(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    rl_item_t *item);

ngx_int_t ngx_http_ratelimit_api_reset_shared(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
ngx_int_t ngx_http_ratelimit_api_reset_shared_policy(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);

/* ngx_http_ratelimit_api_bans.c */

/*
 * The policies that ban, all or one, to count their keys: room for one where
 * that is given, else for conf->policies.nelts.  Returns how many.
 */

ngx_uint_t ngx_http_ratelimit_api_banning(ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_policy_t *policy, rl_time_t *now, rl_banned_t *banned);
uint64_t ngx_http_ratelimit_api_banned(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy);
ngx_int_t ngx_http_ratelimit_api_get_bans(ngx_http_ratelimit_api_call_t *call);
ngx_int_t ngx_http_ratelimit_api_delete_ban(
    ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_page.c */

ngx_int_t ngx_http_ratelimit_api_page(ngx_http_ratelimit_api_call_t *call);

/* ngx_http_ratelimit_api_access.c */

char *ngx_http_ratelimit_api_host(ngx_conf_t *cf,
    ngx_http_ratelimit_api_t *api, ngx_str_t *parameter);
ngx_int_t ngx_http_ratelimit_api_check_host(
    ngx_http_ratelimit_api_call_t *call);
ngx_int_t ngx_http_ratelimit_api_check_origin(
    ngx_http_ratelimit_api_call_t *call);
ngx_str_t *ngx_http_ratelimit_api_header(ngx_http_request_t *r, char *name);


#endif /* _NGX_HTTP_RATELIMIT_API_H_INCLUDED_ */
