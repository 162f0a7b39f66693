
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Files of "ratelimit_redis" with a secret, and the secret that machines have
 * in common.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "shared/ngx_http_ratelimit_redis.h"

#include <openssl/evp.h>


#define NGX_HTTP_RATELIMIT_MAX_SECRET  1024


/* the file's bytes, but for the newline at its end */

char *
ngx_http_ratelimit_redis_secret(ngx_conf_t *cf, char *what, ngx_str_t *path,
    ngx_str_t *secret)
{
    u_char           ch;
    size_t           i;
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    if (path->len == 0) {
        return ngx_http_ratelimit_invalid(cf, what, path,
                                          "must be a file's path");
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "%s \"%V\" of \"ratelimit_redis\" cannot be opened",
                           what, path);
        return NGX_CONF_ERROR;
    }

    n = -1;
    secret->data = ngx_pnalloc(cf->pool, NGX_HTTP_RATELIMIT_MAX_SECRET + 1);

    if (secret->data && ngx_fd_info(fd, &fi) == 0 && ngx_is_file(&fi)) {
        n = ngx_read_fd(fd, secret->data, NGX_HTTP_RATELIMIT_MAX_SECRET + 1);

        if (ngx_file_access(&fi) & 0007) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "%s \"%V\" of \"ratelimit_redis\" may be read "
                               "by everybody", what, path);
        }
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    if (n > 0 && secret->data[n - 1] == '\n') {
        n--;
    }

    if (n < 1 || n > NGX_HTTP_RATELIMIT_MAX_SECRET) {
        return ngx_http_ratelimit_invalid(cf, what, path,
                   "must be a file of 1 to 1024 bytes");
    }

    secret->len = n;

    for (i = 0; i < secret->len; i++) {
        ch = secret->data[i];

        if (ch == '\0' || ch == '\n') {
            return ngx_http_ratelimit_invalid(cf, what, path,
                                              "must hold a single line");
        }
    }

    return NGX_CONF_OK;
}


/*
 * Machines agree on the names of buckets since they hash keys under the same
 * secret: of these two that they have in common anyway.
 */

char *
ngx_http_ratelimit_redis_seed(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *secret)
{
    u_char         digest[EVP_MAX_MD_SIZE];
    uint64_t       len;
    EVP_MD_CTX    *ctx;
    unsigned int   n;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    len = secret->len;
    n = 0;

    if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)
        && EVP_DigestUpdate(ctx, &len, sizeof(len))
        && EVP_DigestUpdate(ctx, secret->data, secret->len)
        && EVP_DigestUpdate(ctx, redis->prefix.data, redis->prefix.len)
        && EVP_DigestFinal_ex(ctx, digest, &n))
    {
        ngx_memcpy(redis->seed, digest, sizeof(redis->seed));
    }

    EVP_MD_CTX_free(ctx);
    ngx_explicit_memzero(secret->data, secret->len);

    return n ? NGX_CONF_OK : NGX_CONF_ERROR;
}


void
ngx_http_ratelimit_redis_forget(void *data)
{
    ngx_str_t *password = data;

    ngx_explicit_memzero(password->data, password->len);
}
