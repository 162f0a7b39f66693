
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Small scripts of one key.  They are seldom called, so that they are not
 * loaded before the server says that it does not know them.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_eval.h"

#include <ngx_sha1.h>


static void ngx_http_ratelimit_eval_load_reply(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_command_t *command,
    redisReply *reply);


ngx_http_ratelimit_command_t *
ngx_http_ratelimit_eval(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_reply_pt handler, ngx_str_t *script, ngx_str_t *key,
    ngx_str_t *args, ngx_uint_t nargs)
{
    u_char       sha[20], hex[40];
    ngx_str_t    all[4 + NGX_HTTP_RATELIMIT_EVAL_ARGS];
    ngx_uint_t   i;
    ngx_sha1_t   sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, script->data, script->len);
    ngx_sha1_final(sha, &sha1);

    ngx_str_set(&all[0], "EVALSHA");
    all[1].data = hex;
    all[1].len = ngx_hex_dump(hex, sha, sizeof(sha)) - hex;
    ngx_str_set(&all[2], "1");
    all[3] = *key;

    for (i = 0; i < nargs; i++) {
        all[4 + i] = args[i];
    }

    return ngx_http_ratelimit_command(link, handler, all, 4 + nargs);
}


ngx_uint_t
ngx_http_ratelimit_no_script(ngx_http_ratelimit_link_t *link,
    redisReply *reply, ngx_str_t *script)
{
    ngx_str_t  args[3];

    if (reply->type != REDIS_REPLY_ERROR
        || ngx_strncmp(reply->str, "NOSCRIPT", 8) != 0)
    {
        return 0;
    }

    ngx_str_set(&args[0], "SCRIPT");
    ngx_str_set(&args[1], "LOAD");
    args[2] = *script;

    (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_eval_load_reply,
                                      args, 3);
    return 1;
}


/* whether it was loaded shows when it is called */

static void
ngx_http_ratelimit_eval_load_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
}


uint64_t
ngx_http_ratelimit_reply_ms(redisReply *reply)
{
    ngx_int_t     s, us;
    redisReply  **element;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return 0;
    }

    element = reply->element;

    if (element[0]->type != REDIS_REPLY_STRING
        || element[1]->type != REDIS_REPLY_STRING)
    {
        return 0;
    }

    s = ngx_atoi((u_char *) element[0]->str, element[0]->len);
    us = ngx_atoi((u_char *) element[1]->str, element[1]->len);

    return (s == NGX_ERROR || us == NGX_ERROR)
           ? 0 : (uint64_t) s * 1000 + us / 1000;
}
