
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The shim between nginx and the core.  Three kinds of struct, by their life:
 * zones live in shared memory and are the core's; what stands below under
 * "configuration" is read-only once nginx has started; the record is one
 * request's and survives its internal redirects.
 */


#ifndef _NGX_HTTP_RATELIMIT_MODULE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ratelimit/ratelimit.h"


/* apart from its caller, which so needs not save registers for it */

#define ngx_http_ratelimit_noinline  __attribute__((noinline))

/* compiled anew for each of its callers, for what is constant there */

#define ngx_http_ratelimit_always_inline                                      \
    inline __attribute__((always_inline))


/* configuration */

typedef struct {
    rl_zone_t                    zone;       /* valid after zone init */
    ngx_str_t                    name;
    ngx_str_t                    state;      /* the file's path, or empty */
    ngx_shm_zone_t              *registry;
    ngx_core_conf_t             *core_conf;  /* tells the workers' user */

    /* of a zone whose size changes */

    rl_zone_t                    next;
    rl_zone_t                    older;
    ngx_shm_t                    kept;       /* the memory of older */
    uint64_t                    *lives;      /* who knows of nothing but that;
                                                0 terminated */
    ngx_event_t                  event;
} ngx_http_ratelimit_zone_t;


/* what a policy's buckets are partitioned by; shared by equal policies */

typedef struct {
    ngx_shm_zone_t              *shm_zone;
    ngx_str_t                    text;       /* as written, length-prefixed */
    ngx_array_t                  parts;      /* ngx_http_ratelimit_value_t */
} ngx_http_ratelimit_partition_t;


typedef struct ngx_http_ratelimit_key_s  ngx_http_ratelimit_key_t;


/* a complex value; one that is a single variable is read without a copy */

typedef struct {
    ngx_http_complex_value_t     complex;
    ngx_str_t                    name;       /* of the variable, or empty */
    ngx_str_t                    arg;        /* it is $arg_NAME, or empty */
    rl_str_t                     plain_arg;  /* its key's first source is an
                                                argument of a plain name, */
    ngx_uint_t                   bearer;     /* unsigned  bearer:1;  or that */
    ngx_int_t                    index;      /* of the variable, or -1 */
    ngx_http_ratelimit_key_t    *key;        /* that defines it, or NULL */
    rl_hash_start_t             *starts;     /* one for each of its sources;
                                                keys of one part have them */
} ngx_http_ratelimit_value_t;


/* what a key of usual length is decoded into, on the stack */

#define NGX_HTTP_RATELIMIT_SCRATCH  128


typedef struct ngx_http_ratelimit_response_s  ngx_http_ratelimit_response_t;


typedef struct {
    rl_policy_t                  core;       /* first: rl_item_t points here */
    ngx_str_t                    name;
    ngx_uint_t                   index;      /* among the policies */

    ngx_shm_zone_t              *shm_zone;
    ngx_str_t                    zone_name;
    ngx_http_ratelimit_partition_t *partition;

    ngx_http_complex_value_t    *quota;      /* NULL: constant_quota holds */
    rl_quota_t                   constant_quota;
    rl_item_t                    item;       /* what is known beforehand */
    ngx_array_t                  scales;     /* ngx_http_complex_value_t */
    ngx_http_complex_value_t    *capacity;
    ngx_uint_t                   status;     /* 0: the location's */
    ngx_http_ratelimit_response_t *response; /* NULL: none matters */

    u_char                      *file;       /* of the definition, or while */
    ngx_uint_t                   line;       /* undefined of the first use */
    ngx_str_t                    user;       /* the directive that used it */
    unsigned                     defined:1;
    unsigned                     visit:2;    /* of the search for cycles */
    unsigned                     keep:1;     /* its charges, when a later
                                                phase refuses */
    unsigned                     constant:1; /* item.quota is the quota */
    unsigned                     quick:1;    /* only the key varies, and that
                                                is one value */
} ngx_http_ratelimit_policy_t;


/* more would be a mistake, and the product is exact for so many */

#define NGX_HTTP_RATELIMIT_MAX_SCALES  8


/* one "ratelimit" line */

typedef struct {
    ngx_uint_t                   methods;    /* NGX_HTTP_GET|..., 0: any */
    ngx_array_t                 *unknown;    /* ngx_str_t: other methods */
    ngx_http_complex_value_t    *condition;
    ngx_http_complex_value_t    *cost;       /* NULL: 1 */
    ngx_http_complex_value_t    *settle;     /* NULL: the cost is final */
    ngx_http_complex_value_t    *dry_run;    /* NULL: the location's */
    unsigned                     plain:1;    /* none of the above */
    unsigned                     except:1;   /* methods=!... */
    unsigned                     precontent:1;
} ngx_http_ratelimit_rule_t;


/* a policy of such a line; lines are flattened into these */

typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    ngx_http_ratelimit_rule_t   *rule;
} ngx_http_ratelimit_entry_t;


/* "ratelimit_jwt" lines of one level whose token is the same */

typedef struct {
    ngx_uint_t                   id;         /* in the cache */
    ngx_str_t                    text;       /* of token=, empty: the bearer */
    ngx_http_ratelimit_value_t   token;
    ngx_array_t                  lines;      /* rl_jwt_line_t */
} ngx_http_ratelimit_jwt_set_t;


/* one "ratelimit_headers" dialect */

typedef struct {
    rl_dialect_t                 core;
    ngx_array_t                 *policies;   /* of ngx_http_ratelimit_policy_t
                                                pointers; NULL: all */
    ngx_table_elt_t             *fields;     /* without values,
                                                RL_DIALECT_FIELDS, for
                                                per-policy as many a policy */
    u_char                      *file;
    ngx_uint_t                   line;
} ngx_http_ratelimit_dialect_t;


/* a piece of a refusal's body; a variable in JSON is escaped */

typedef struct {
    ngx_http_complex_value_t     complex;
    ngx_uint_t                   escape;     /* unsigned  escape:1; */
} ngx_http_ratelimit_piece_t;


typedef struct {
    ngx_str_t                    type;
    ngx_array_t                 *pieces;     /* NULL: problem */
} ngx_http_ratelimit_body_t;


typedef struct ngx_http_ratelimit_api_s  ngx_http_ratelimit_api_t;


typedef struct {
    ngx_array_t                  zones;      /* ngx_shm_zone_t * */
    ngx_array_t                  partitions; /* ngx_http_ratelimit_partition_t
                                                pointers */
    ngx_array_t                  keys;       /* ngx_http_ratelimit_key_t
                                                pointers */
    ngx_array_t                  policies;   /* ngx_http_ratelimit_policy_t
                                                pointers */
    ngx_array_t                  dialects;   /* ngx_http_ratelimit_dialect_t
                                                pointers */
    ngx_array_t                  quick;      /* ngx_http_ratelimit_loc_conf_t
                                                pointers */
    ngx_array_t                  apis;       /* ngx_http_ratelimit_api_t
                                                pointers */
    ngx_shm_zone_t              *registry;
    ngx_shm_zone_t              *counters;
    rl_zone_t                  **core_zones; /* zones.nelts of them */
    ngx_array_t                 *jwt_claims; /* rl_str_t, of jwt= sources */
    rl_jwt_cache_t              *jwt_cache;  /* each worker's own copy */
    ngx_uint_t                   jwt_sets;
    unsigned                     used:1;     /* a "ratelimit" line exists */
    unsigned                     precontent:1; /* one of that phase */
    unsigned                     settles:1;  /* one with "settle=" */
} ngx_http_ratelimit_main_conf_t;


typedef struct {
    ngx_array_t                 *entries;    /* this level's own lines; */
    unsigned                     off:1;      /* "ratelimit off" */

    ngx_array_t                  preaccess;  /* ngx_http_ratelimit_entry_t, */
    ngx_array_t                  precontent; /* after inheritance */
    rl_item_t                   *items;      /* of preaccess, but for the keys;
                                                NULL: more than they varies */
    ngx_uint_t                   inherit;

    ngx_array_t                 *dialects;   /* ngx_http_ratelimit_dialect_t
                                                pointers; NULL: inherit */
    unsigned                     headers_off:1;
    unsigned                     want_next:1; /* of dialects, next_ms */
    ngx_http_ratelimit_body_t   *body;
    ngx_array_t                 *jwt;        /* ngx_http_ratelimit_jwt_set_t;
                                                NULL: inherit */
    ngx_http_complex_value_t    *dry_run;
    ngx_uint_t                   status;
    ngx_uint_t                   log_level;
    ngx_uint_t                   on_error;
    ngx_http_ratelimit_api_t    *api;        /* of the location, which its
                                                blocks share */
} ngx_http_ratelimit_loc_conf_t;


#define NGX_HTTP_RATELIMIT_INHERIT_OFF    0
#define NGX_HTTP_RATELIMIT_INHERIT_ON     1
#define NGX_HTTP_RATELIMIT_INHERIT_MERGE  2

#define NGX_HTTP_RATELIMIT_PASS    0
#define NGX_HTTP_RATELIMIT_REFUSE  1


/* what the values of one dialect need, of one policy of "ietf" as well */

#define NGX_HTTP_RATELIMIT_ROOM  128


/* one request's */

typedef struct {
    ngx_http_ratelimit_loc_conf_t *conf;     /* that decided last */
    rl_item_t                   *items;
    ngx_uint_t                   nitems;
    ngx_uint_t                   size;       /* items has room for */
    ngx_uint_t                   kept;       /* the first of items: a redirect
                                                came after them */
    rl_time_t                    time;       /* of the last decision */
    uint64_t                     retry_after_ms;
    unsigned                     refused:1;
    unsigned                     dry_run:1;  /* would have been refused */
    unsigned                     responds:1; /* a charge depends on the
                                                response */
    unsigned                     error:1;    /* a policy was not decided, */
    unsigned                     failed:1;   /* and so the request refused */
    unsigned                     rendered:1; /* values is in use */
    u_char                       values[NGX_HTTP_RATELIMIT_ROOM];
} ngx_http_ratelimit_record_t;


/*
 * An item's data is the "settle=" of its line, which is still to be read; NULL
 * once it is done, or there is none.
 */

#define ngx_http_ratelimit_item_policy(item)                                  \
    ((ngx_http_ratelimit_policy_t *) (item)->policy)


/* ngx_http_ratelimit_conf.c */

char *ngx_http_ratelimit_parse_status(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *status);

/* ngx_http_ratelimit_api.c, ngx_http_ratelimit_api_access.c */

char *ngx_http_ratelimit_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_ratelimit_merge_api(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf);
void ngx_http_ratelimit_check_apis(ngx_conf_t *cf);

/* ngx_http_ratelimit_zone.c */

char *ngx_http_ratelimit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_shm_zone_t *ngx_http_ratelimit_find_zone(
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_str_t *name);
void *ngx_http_ratelimit_memory(ngx_shm_zone_t *shm_zone, size_t *size);
ngx_shm_zone_t *ngx_http_ratelimit_old_zone(ngx_shm_zone_t *shm_zone);
void ngx_http_ratelimit_zone_warn(ngx_http_request_t *r,
    ngx_http_ratelimit_main_conf_t *rmcf, rl_time_t *now);

extern time_t  ngx_http_ratelimit_warned;

/* ngx_http_ratelimit_process.c */

ngx_int_t ngx_http_ratelimit_add_registry(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf);
rl_process_t *ngx_http_ratelimit_join(ngx_http_ratelimit_main_conf_t *rmcf);
ngx_int_t ngx_http_ratelimit_init_process(ngx_cycle_t *cycle);
void ngx_http_ratelimit_exit_process(ngx_cycle_t *cycle);
void ngx_http_ratelimit_count(ngx_http_ratelimit_policy_t *policy,
    rl_counter_e what);
void ngx_http_ratelimit_count_items(rl_item_t *items, ngx_uint_t n,
    rl_counter_e what);

extern rl_process_t  ngx_http_ratelimit_this_process;

/* this process in the register; NULL: there is no room for it */

static ngx_inline rl_process_t *
ngx_http_ratelimit_process(ngx_http_ratelimit_main_conf_t *rmcf)
{
    return (ngx_http_ratelimit_this_process.zones == rmcf->core_zones
            && ngx_http_ratelimit_this_process.registry != NULL)
           ? &ngx_http_ratelimit_this_process : ngx_http_ratelimit_join(rmcf);
}

static ngx_inline void
ngx_http_ratelimit_zone_check(ngx_http_request_t *r,
    ngx_http_ratelimit_main_conf_t *rmcf, rl_time_t *now)
{
    if (ngx_time() != ngx_http_ratelimit_warned) {
        ngx_http_ratelimit_zone_warn(r, rmcf, now);
    }
}

/*
 * ahead by the longest window, so that what began before this boot, as a
 * state file tells, did not begin before zero
 */

static ngx_inline uint64_t
ngx_http_ratelimit_mono_ms(void)
{
    return RL_MAX_WINDOW_MS + ngx_current_msec;
}

static ngx_inline void
ngx_http_ratelimit_now(rl_time_t *now)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    now->mono_ms = ngx_http_ratelimit_mono_ms();
    now->wall_ms = (uint64_t) tp->sec * 1000 + tp->msec;
}

/* ngx_http_ratelimit_move.c */

void ngx_http_ratelimit_free_kept(void *data);
ngx_int_t ngx_http_ratelimit_succeed_zone(ngx_shm_zone_t *shm_zone,
    ngx_shm_zone_t *old);
ngx_int_t ngx_http_ratelimit_attach_zone(ngx_shm_zone_t *shm_zone,
    ngx_http_ratelimit_zone_t *old);
ngx_int_t ngx_http_ratelimit_keep_older(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone);
void ngx_http_ratelimit_await_move(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone);

/* ngx_http_ratelimit_state.c */

char *ngx_http_ratelimit_state(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path);
ngx_int_t ngx_http_ratelimit_load_state(ngx_shm_zone_t *shm_zone,
    uint64_t *buckets);
void ngx_http_ratelimit_boot_id(u_char *id);

/* ngx_http_ratelimit_state_tmp.c */

#define NGX_HTTP_RATELIMIT_TMP_SUFFIX  (2 * (1 + 16))

ngx_fd_t ngx_http_ratelimit_create_tmp(ngx_http_ratelimit_zone_t *zone,
    u_char *path);
void ngx_http_ratelimit_remove_stale(ngx_http_ratelimit_zone_t *zone,
    u_char *path, ngx_log_t *log);

/* ngx_http_ratelimit_state_write.c */

ngx_int_t ngx_http_ratelimit_init_writer(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone);
ngx_int_t ngx_http_ratelimit_write_state(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone, rl_process_t *process);

/* ngx_http_ratelimit_state_exit.c */

void ngx_http_ratelimit_exit_master(ngx_cycle_t *cycle);

/* ngx_http_ratelimit_policy_conf.c */

char *ngx_http_ratelimit_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
#define NGX_HTTP_RATELIMIT_CAPACITY  "must be an integer of 1 to 999999999"
const char *ngx_http_ratelimit_parse_capacity(ngx_str_t *text,
    uint32_t *units);

/* ngx_http_ratelimit_counters.c */

ngx_int_t ngx_http_ratelimit_add_counters(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf);
void ngx_http_ratelimit_init_counters(ngx_http_ratelimit_main_conf_t *rmcf);

/* ngx_http_ratelimit_policy.c */

ngx_int_t ngx_http_ratelimit_policy_name(ngx_str_t *name);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_add_policy(ngx_conf_t *cf,
    ngx_str_t *name);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_find_policy(
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_str_t *name);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_use_policy(ngx_conf_t *cf,
    ngx_str_t *name);
ngx_array_t *ngx_http_ratelimit_policies(ngx_conf_t *cf, ngx_str_t *names);
ngx_int_t ngx_http_ratelimit_init_policies(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_init_module(ngx_cycle_t *cycle);

/* ngx_http_ratelimit_rule.c */

char *ngx_http_ratelimit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ratelimit_compile_dry_run(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value);

/* ngx_http_ratelimit_inherit.c */

char *ngx_http_ratelimit_merge_rules(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf);

/* ngx_http_ratelimit_item.c */

ngx_int_t ngx_http_ratelimit_item(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown, rl_time_t *now);
ngx_int_t ngx_http_ratelimit_rule_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_rule_t *rule);
ngx_uint_t ngx_http_ratelimit_is_true(ngx_str_t *value);
ngx_int_t ngx_http_ratelimit_rule_cost(ngx_http_request_t *r,
    ngx_http_ratelimit_entry_t *entry, rl_item_t *item);
ngx_int_t ngx_http_ratelimit_rule_dry_run(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_rule_t *rule,
    rl_item_t *item);

/* ngx_http_ratelimit_key_conf.c */

char *ngx_http_ratelimit_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_http_ratelimit_key_t *ngx_http_ratelimit_find_key(ngx_conf_t *cf,
    ngx_str_t *variable);

/* ngx_http_ratelimit_key.c */

ngx_int_t ngx_http_ratelimit_key_text(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, ngx_str_t *out);
ngx_int_t ngx_http_ratelimit_value_starts(ngx_cycle_t *cycle, rl_zone_t *zone,
    ngx_http_ratelimit_value_t *value);

/* ngx_http_ratelimit_key_source.c */

ngx_int_t ngx_http_ratelimit_bearer(ngx_http_request_t *r, rl_str_t *out);

/* ngx_http_ratelimit_value.c */

ngx_int_t ngx_http_ratelimit_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *cv);
char *ngx_http_ratelimit_compile_slot(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **cv);
ngx_int_t ngx_http_ratelimit_compile_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t *value);
void ngx_http_ratelimit_bind_value(ngx_conf_t *cf,
    ngx_http_ratelimit_value_t *value);
void ngx_http_ratelimit_bind_argument(ngx_http_core_main_conf_t *cmcf,
    ngx_http_ratelimit_value_t *value);
ngx_int_t ngx_http_ratelimit_value(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, ngx_str_t *out);

/* ngx_http_ratelimit_handler.c */

/* as ngx_http_core_generic_phase() goes on, of what a decision returned */

static ngx_inline ngx_int_t
ngx_http_ratelimit_go_on(ngx_http_request_t *r, ngx_int_t rc)
{
    if (rc == NGX_DECLINED) {
        r->phase_handler++;
        return NGX_AGAIN;
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }

    return NGX_OK;
}

ngx_int_t ngx_http_ratelimit_init_handlers(ngx_conf_t *cf);
void ngx_http_ratelimit_init_phases(ngx_cycle_t *cycle);

/* ngx_http_ratelimit_decide.c */

ngx_int_t ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries);
ngx_int_t ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t first);
ngx_int_t ngx_http_ratelimit_busy(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    ngx_uint_t n);
void ngx_http_ratelimit_not_evaluated(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy);

/* ngx_http_ratelimit_quick.c */

char *ngx_http_ratelimit_find_quick(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf);
ngx_int_t ngx_http_ratelimit_init_quick(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_decide_quickly(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf);

/* ngx_http_ratelimit_record.c */

ngx_http_ratelimit_record_t *ngx_http_ratelimit_find_record(
    ngx_http_request_t *r);
ngx_http_ratelimit_record_t *ngx_http_ratelimit_make_record(
    ngx_http_request_t *r, ngx_uint_t nentries);
void ngx_http_ratelimit_age_record(ngx_http_ratelimit_record_t *record);
void ngx_http_ratelimit_record_cleanup(void *data);

/* ngx_http_ratelimit_refuse.c */

char *ngx_http_ratelimit_body(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_ratelimit_refuse(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t status);

/* ngx_http_ratelimit_headers.c */

char *ngx_http_ratelimit_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_ratelimit_init_headers(ngx_conf_t *cf);
void ngx_http_ratelimit_merge_headers(ngx_http_ratelimit_loc_conf_t *prev,
    ngx_http_ratelimit_loc_conf_t *conf);

/* ngx_http_ratelimit_header_filter.c */

ngx_int_t ngx_http_ratelimit_init_filter(ngx_conf_t *cf);

/* ngx_http_ratelimit_jwt_conf.c */

char *ngx_http_ratelimit_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_ratelimit_jwt.c */

char *ngx_http_ratelimit_jwt_add_claim(ngx_conf_t *cf, rl_str_t *name,
    ngx_int_t *index);
ngx_int_t ngx_http_ratelimit_init_jwt(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_jwt_value(ngx_http_request_t *r, ngx_int_t claim,
    rl_str_t *out);

/* ngx_http_ratelimit_variables.c */

ngx_int_t ngx_http_ratelimit_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_check_variables(ngx_conf_t *cf);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_policy_of(ngx_conf_t *cf,
    ngx_str_t *variable);

/* ngx_http_ratelimit_cycle.c */

ngx_int_t ngx_http_ratelimit_check_cycles(ngx_conf_t *cf);

/* ngx_http_ratelimit_response.c */

char *ngx_http_ratelimit_response_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_t *policy, char *name, ngx_str_t *value);
ngx_int_t ngx_http_ratelimit_response_counts(ngx_http_request_t *r,
    ngx_http_ratelimit_response_t *response);

/* ngx_http_ratelimit_charge.c */

void ngx_http_ratelimit_return_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process, ngx_uint_t n);
void ngx_http_ratelimit_keep_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);
ngx_int_t ngx_http_ratelimit_correct_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);
void ngx_http_ratelimit_end_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);

/* ngx_http_ratelimit_log.c */

/* bytes of a nonsensical value that a log line shows: it may be a client's */
#define NGX_HTTP_RATELIMIT_MAX_SHOWN  64


void ngx_http_ratelimit_log_refusal(ngx_http_request_t *r, rl_item_t *item,
    ngx_uint_t level, rl_time_t *now);
void ngx_http_ratelimit_log_busy(ngx_http_request_t *r,
    const rl_policy_t *policy, rl_complaint_e what, char *consequence);
void ngx_http_ratelimit_log_invalid(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_complaint_e what, ngx_str_t *value,
    const char *allowed, char *consequence);
char *ngx_http_ratelimit_invalid(ngx_conf_t *cf, char *what, ngx_str_t *value,
    const char *allowed);
char *ngx_http_ratelimit_duplicate(ngx_conf_t *cf, ngx_str_t *parameter);


#define ngx_http_ratelimit_str(s)                                             \
    ngx_http_ratelimit_make_str((s)->data, (s)->len)

static ngx_inline rl_str_t
ngx_http_ratelimit_make_str(u_char *data, size_t len)
{
    rl_str_t  s;

    s.len = len;
    s.data = data;

    return s;
}


/* true: "name" is at the start of the argument; *value is what follows it */

static ngx_inline ngx_uint_t
ngx_http_ratelimit_parameter(ngx_str_t *arg, char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len < len || ngx_strncmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->len = arg->len - len;
    value->data = arg->data + len;

    return 1;
}


extern ngx_module_t  ngx_http_ratelimit_module;


/*
 * nginx zeroes a request's module contexts at an internal redirect, so the
 * record hangs on a pool cleanup as well, as ngx_http_realip_module's does.
 */

static ngx_inline ngx_http_ratelimit_record_t *
ngx_http_ratelimit_get_record(ngx_http_request_t *r)
{
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_get_module_ctx(r, ngx_http_ratelimit_module);

    if (record == NULL && (r->internal || r->filter_finalize)) {
        return ngx_http_ratelimit_find_record(r);
    }

    return record;
}


static ngx_inline ngx_http_ratelimit_record_t *
ngx_http_ratelimit_create_record(ngx_http_request_t *r, ngx_uint_t nentries)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_ratelimit_record_t  *record;

    /* as ngx_pool_cleanup_add(), with one allocation: 30 instructions less */

    cln = ngx_palloc(r->pool, sizeof(ngx_pool_cleanup_t)
                              + sizeof(ngx_http_ratelimit_record_t)
                              + nentries * sizeof(rl_item_t));
    if (cln == NULL) {
        return NULL;
    }

    record = (ngx_http_ratelimit_record_t *) (cln + 1);
    ngx_memzero(record, offsetof(ngx_http_ratelimit_record_t, values));

    record->items = (rl_item_t *) (record + 1);
    record->size = nentries;

    cln->handler = ngx_http_ratelimit_record_cleanup;
    cln->data = record;
    cln->next = r->pool->cleanup;
    r->pool->cleanup = cln;

    ngx_http_set_ctx(r, record, ngx_http_ratelimit_module);

    return record;
}


#endif /* _NGX_HTTP_RATELIMIT_MODULE_H_INCLUDED_ */
