
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What JSON is made of: text, ids and labels of keys, times.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


/* configured names may be anything, JSON is UTF-8 */

json_t *
ngx_http_ratelimit_api_string(ngx_str_t *text)
{
    u_char   *ascii;
    size_t    i;
    json_t   *json;

    json = json_stringn((char *) text->data, text->len);

    if (json || text->len == 0) {
        return json;
    }

    ascii = ngx_alloc(text->len, ngx_cycle->log);
    if (ascii == NULL) {
        return NULL;
    }

    for (i = 0; i < text->len; i++) {
        ascii[i] = text->data[i] < 0x80 ? text->data[i] : '?';
    }

    json = json_stringn((char *) ascii, text->len);

    ngx_free(ascii);

    return json;
}


json_t *
ngx_http_ratelimit_api_key_id(uint64_t key_id)
{
    u_char  id[16];

    rl_render_key_id(key_id, id);

    return json_stringn((char *) id, sizeof(id));
}


/* null: it has none, or is not listed */

json_t *
ngx_http_ratelimit_api_key_label(ngx_http_ratelimit_policy_t *policy,
    uint64_t key_id)
{
    u_char     buf[RL_LABEL_LEN];
    ngx_str_t  label;

    label.data = buf;
    label.len = rl_key_label(&policy->core, key_id, buf);

    return label.len ? ngx_http_ratelimit_api_string(&label) : json_null();
}


/* Unix seconds of a monotonic time */

json_t *
ngx_http_ratelimit_api_time(rl_time_t *now, uint64_t mono_ms)
{
    return json_integer((json_int_t) (now->wall_ms + mono_ms - now->mono_ms)
                        / 1000);
}
