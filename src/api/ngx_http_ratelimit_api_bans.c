
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Bans: how many keys a policy bans, which, and lifting one.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


/* as far as it is found, and told */

typedef struct {
    rl_bans_walk_t               walk;       /* in the zone call->next */
    rl_banned_t                 *banned;     /* of the policies asked for */
    ngx_uint_t                   nbanned;
    uint64_t                     total;      /* keys */
    ngx_uint_t                   max;
    ngx_uint_t                   n;
    rl_banned_key_t              keys[NGX_HTTP_RATELIMIT_API_MAX_TOP];
} ngx_http_ratelimit_bans_t;


/* as those of a scan; some 10 microseconds a key */

#define NGX_HTTP_RATELIMIT_API_SLICE  256
#define NGX_HTTP_RATELIMIT_API_KEYS   32


static int ngx_libc_cdecl ngx_http_ratelimit_api_cmp_banned(const void *one,
    const void *two);
static ngx_int_t ngx_http_ratelimit_api_bans_turn(
    ngx_http_ratelimit_api_call_t *call);
static ngx_int_t ngx_http_ratelimit_api_walk_bans(
    ngx_http_ratelimit_api_call_t *call, rl_process_t *process);
static void ngx_http_ratelimit_api_add_ban(ngx_http_ratelimit_bans_t *bans,
    rl_banned_key_t *key);
static ngx_int_t ngx_http_ratelimit_api_list_bans_turn(
    ngx_http_ratelimit_api_call_t *call);
static json_t *ngx_http_ratelimit_api_ban(ngx_http_ratelimit_api_call_t *call,
    rl_banned_key_t *key);


ngx_uint_t
ngx_http_ratelimit_api_banning(ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_policy_t *policy, rl_time_t *now, rl_banned_t *banned)
{
    ngx_uint_t                     i, n;
    ngx_http_ratelimit_policy_t  **policies;

    policies = rmcf->policies.elts;

    for (i = 0, n = 0; i < rmcf->policies.nelts; i++) {
        if (policies[i]->core.ban
            && (policy == NULL || policies[i] == policy))
        {
            banned[n].policy_id = policies[i]->core.secret.lo;
            banned[n].reset_at_ms = rl_policy_reset_at(&policies[i]->core,
                                                       now);
            banned[n].keys = 0;
            n++;
        }
    }

    ngx_qsort(banned, n, sizeof(rl_banned_t),
              ngx_http_ratelimit_api_cmp_banned);

    return n;
}


static int ngx_libc_cdecl
ngx_http_ratelimit_api_cmp_banned(const void *one, const void *two)
{
    uint64_t  a, b;

    a = ((const rl_banned_t *) one)->policy_id;
    b = ((const rl_banned_t *) two)->policy_id;

    return (a > b) - (a < b);
}


/* as a scan of the zones has counted them */

uint64_t
ngx_http_ratelimit_api_banned(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    rl_banned_t  *banned;

    banned = rl_find_banned(call->banned, call->nbanned,
                            policy->core.secret.lo);

    return banned ? banned->keys : 0;
}


/* of one policy, or of all */

ngx_int_t
ngx_http_ratelimit_api_get_bans(ngx_http_ratelimit_api_call_t *call)
{
    ngx_uint_t                    max;
    ngx_http_ratelimit_bans_t    *bans;
    ngx_http_ratelimit_policy_t  *policy;

    policy = NULL;

    if (ngx_http_ratelimit_api_parse_top(call, &max) != NGX_OK
        || (call->args.policy.data
            && ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK))
    {
        return call->rc;
    }

    bans = ngx_pcalloc(call->request->pool, sizeof(ngx_http_ratelimit_bans_t));
    if (bans == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    bans->banned = ngx_palloc(call->request->pool,
                              ngx_max(call->conf->policies.nelts, 1)
                              * sizeof(rl_banned_t));
    if (bans->banned == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    bans->nbanned = ngx_http_ratelimit_api_banning(call->conf, policy,
                                                   &call->now, bans->banned);
    bans->max = max;

    call->data = bans;

    return ngx_http_ratelimit_api_turns(call,
                                        ngx_http_ratelimit_api_bans_turn);
}


static ngx_int_t
ngx_http_ratelimit_api_bans_turn(ngx_http_ratelimit_api_call_t *call)
{
    rl_process_t               *process;
    ngx_http_ratelimit_bans_t  *bans;

    bans = call->data;
    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        return ngx_http_ratelimit_api_no_place(call);
    }

    if (bans->nbanned && call->next < call->conf->zones.nelts) {
        if (ngx_http_ratelimit_api_walk_bans(call, process) == NGX_OK) {
            return NGX_AGAIN;
        }

        ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "the zone is held by a stopped "
                                       "process");
        return call->rc;
    }

    call->next = 0;
    call->turn = ngx_http_ratelimit_api_list_bans_turn;

    return NGX_AGAIN;
}


/* a slice of a zone */

static ngx_int_t
ngx_http_ratelimit_api_walk_bans(ngx_http_ratelimit_api_call_t *call,
    rl_process_t *process)
{
    int                         rc;
    size_t                      i, n;
    ngx_uint_t                  sets;
    rl_banned_t                *banned;
    ngx_shm_zone_t            **zones;
    rl_banned_key_t             keys[RL_MAX_BANNED_OF_SET];
    ngx_http_ratelimit_bans_t  *bans;
    ngx_http_ratelimit_zone_t  *zone;

    bans = call->data;
    zones = call->conf->zones.elts;
    zone = zones[call->next]->data;

    for (sets = 0; sets < NGX_HTTP_RATELIMIT_API_SLICE; sets++) {

        rc = rl_next_banned(process, &zone->zone, &bans->walk, &call->now,
                            keys, &n);

        if (rc == RL_ERROR) {
            return NGX_ERROR;
        }

        if (rc == 0) {
            ngx_memzero(&bans->walk, sizeof(rl_bans_walk_t));
            call->next++;
            return NGX_OK;
        }

        for (i = 0; i < n; i++) {
            banned = rl_find_banned(bans->banned, bans->nbanned,
                                    keys[i].policy_id);

            if (banned && keys[i].since_ms >= banned->reset_at_ms) {
                ngx_http_ratelimit_api_add_ban(bans, &keys[i]);
            }
        }
    }

    return NGX_OK;
}


/*
 * The newest first, the oldest fall off.  In a zone that changes its size one
 * may come twice.
 */

static void
ngx_http_ratelimit_api_add_ban(ngx_http_ratelimit_bans_t *bans,
    rl_banned_key_t *key)
{
    ngx_uint_t        i;
    rl_banned_key_t  *keys;

    keys = bans->keys;
    bans->total++;

    if (bans->n == bans->max
        && keys[bans->n - 1].since_ms >= key->since_ms)
    {
        return;
    }

    for (i = 0; i < bans->n; i++) {
        if (keys[i].key_id == key->key_id
            && keys[i].policy_id == key->policy_id)
        {
            bans->total--;
            return;
        }
    }

    i = (bans->n < bans->max) ? bans->n++ : bans->n - 1;

    for ( /* void */ ; i > 0 && keys[i - 1].since_ms < key->since_ms; i--) {
        keys[i] = keys[i - 1];
    }

    keys[i] = *key;
}


static ngx_int_t
ngx_http_ratelimit_api_list_bans_turn(ngx_http_ratelimit_api_call_t *call)
{
    u_char                      head[NGX_INT64_LEN + 32];
    ngx_uint_t                  i, end;
    ngx_http_ratelimit_bans_t  *bans;

    bans = call->data;
    i = call->next;
    end = ngx_http_ratelimit_api_slice(&call->next, bans->n,
                                       NGX_HTTP_RATELIMIT_API_KEYS);

    if (i == 0) {
        ngx_sprintf(head, "{\n  \"banned\": %uL,\n  \"bans\": [%Z",
                    bans->total);

        if (ngx_http_ratelimit_api_add_text(call, (char *) head) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    for ( /* void */ ; i < end; i++) {
        if (ngx_http_ratelimit_api_add_text(call, i ? ",\n    " : "\n    ")
            != NGX_OK
            || ngx_http_ratelimit_api_add_json(call,
                               ngx_http_ratelimit_api_ban(call,
                                                          &bans->keys[i]), 4)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (end < bans->n) {
        return NGX_AGAIN;
    }

    if (ngx_http_ratelimit_api_add_text(call, bans->n ? "\n  ]\n}\n"
                                                      : "]\n}\n")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_send(call, NGX_HTTP_OK, "application/json",
                                       call->out);
}


/* of a policy that is there: others' bans are not listed */

static json_t *
ngx_http_ratelimit_api_ban(ngx_http_ratelimit_api_call_t *call,
    rl_banned_key_t *key)
{
    json_t                        *json;
    const rl_ban_t                *ban;
    ngx_uint_t                     level;
    ngx_http_ratelimit_policy_t   *policy, **policies;

    policies = call->conf->policies.elts;

    while ((*policies)->core.secret.lo != key->policy_id) {
        policies++;
    }

    policy = *policies;
    ban = policy->core.ban;

    /* it may have begun when "ban=" had more durations */

    level = ngx_min(key->level, ban->n - 1);

    json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I}",
               "policy", ngx_http_ratelimit_api_string(&policy->name),
               "zone", ngx_http_ratelimit_api_string(
                                             &policy->shm_zone->shm.name),
               "key_id", ngx_http_ratelimit_api_key_id(
                                       rl_key_id(&policy->core, key->key_id)),
               "since", ngx_http_ratelimit_api_time(&call->now,
                                                    key->since_ms),
               "until", ngx_http_ratelimit_api_time(&call->now,
                                                    key->until_ms),
               "level", (json_int_t) level + 1,
               "duration_ms", (json_int_t) ban->durations_ms[level]);

    if (policy->label) {
        json_object_set_new(json, "label",
                            ngx_http_ratelimit_api_key_label(policy,
                                                             key->key_id));
    }

    return json;
}


/*
 * Of one key.  With units in use it would be refused at once, and perhaps be
 * banned again.
 */

ngx_int_t
ngx_http_ratelimit_api_delete_ban(ngx_http_ratelimit_api_call_t *call)
{
    int                           rc;
    u_char                        id[16];
    uint64_t                      until_ms;
    rl_hash_t                     bucket;
    rl_process_t                 *process;
    ngx_http_ratelimit_zone_t    *zone;
    ngx_http_ratelimit_policy_t  *policy;

    if (ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK
        || ngx_http_ratelimit_api_find_bucket(call, policy, &bucket) != NGX_OK)
    {
        return call->rc;
    }

    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        return ngx_http_ratelimit_api_no_place(call);
    }

    rc = rl_banned_until(process, &policy->core, bucket.lo, &call->now,
                         &until_ms);

    zone = policy->shm_zone->data;

    if (rc == 1 && zone->redis) {
        return ngx_http_ratelimit_api_lift(call, policy, &bucket, 1);
    }

    if (rc == 1) {
        rc = ngx_http_ratelimit_api_reset_key(process, policy, &bucket,
                                              &call->now);
    }

    if (rc == RL_ERROR) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "the key is locked, try again");
        return call->rc;
    }

    if (rc == 0) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                       "the key is not banned");
        return call->rc;
    }

    rl_render_key_id(rl_key_id(&policy->core, bucket.lo), id);

    ngx_http_ratelimit_api_log(call, "ban of key %*s of policy \"%V\" lifted",
                               sizeof(id), id, &policy->name);

    return ngx_http_ratelimit_api_send_key(call, policy, &bucket);
}
