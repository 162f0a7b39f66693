
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * In which of its forms a client would rather have an answer.
 */


#include "ngx_http_ratelimit.h"
#include "api/ngx_http_ratelimit_api.h"


#define ngx_http_ratelimit_api_is(text, name)                                 \
    ((text)->len == sizeof(name) - 1                                          \
     && ngx_strncasecmp((text)->data, (u_char *) name, sizeof(name) - 1) == 0)


/* a member of Accept, as in "text/plain; version=0.0.4; q=0.5" */

typedef struct {
    ngx_str_t                    type;
    ngx_str_t                    version;    /* data NULL: any */
    ngx_uint_t                   weight;     /* in thousandths */
} ngx_http_ratelimit_api_range_t;


static ngx_uint_t ngx_http_ratelimit_api_next_range(ngx_str_t *rest,
    ngx_http_ratelimit_api_range_t *range);
static ngx_str_t ngx_http_ratelimit_api_cut(ngx_str_t *rest, u_char ch);
static ngx_uint_t ngx_http_ratelimit_api_weight(ngx_str_t *value);


/*
 * Browsers name text/html first and programs not at all, or behind what they
 * would rather have; the fine print of Accept decides nothing more here.
 */

ngx_uint_t
ngx_http_ratelimit_api_wants_page(ngx_http_request_t *r)
{
    u_char     *html, *json, *last;
    ngx_str_t  *accept;

    accept = ngx_http_ratelimit_api_header(r, "Accept");
    if (accept == NULL) {
        return 0;
    }

    last = accept->data + accept->len;

    html = ngx_strlcasestrn(accept->data, last, (u_char *) "text/html",
                            sizeof("text/html") - 2);
    json = ngx_strlcasestrn(accept->data, last, (u_char *) "application/json",
                            sizeof("application/json") - 2);

    return html && (json == NULL || html < json);
}


/*
 * Prometheus names both forms of metrics, several versions of them, and by
 * weights what it prefers.  What is not named, or only by wildcards, is the
 * plain one.
 */

ngx_uint_t
ngx_http_ratelimit_api_wants_openmetrics(ngx_http_request_t *r)
{
    ngx_str_t                       rest, *accept;
    ngx_uint_t                      open, plain;
    ngx_http_ratelimit_api_range_t  range;

    accept = ngx_http_ratelimit_api_header(r, "Accept");
    if (accept == NULL) {
        return 0;
    }

    rest = *accept;
    open = 0;
    plain = 0;

    while (ngx_http_ratelimit_api_next_range(&rest, &range)) {

        if (ngx_http_ratelimit_api_is(&range.type,
                                      "application/openmetrics-text")
            && (range.version.data == NULL
                || ngx_http_ratelimit_api_is(&range.version, "1.0.0")))
        {
            open = ngx_max(open, range.weight);

        } else if (ngx_http_ratelimit_api_is(&range.type, "text/plain")) {
            plain = ngx_max(plain, range.weight);
        }
    }

    return open && open >= plain;
}


static ngx_uint_t
ngx_http_ratelimit_api_next_range(ngx_str_t *rest,
    ngx_http_ratelimit_api_range_t *range)
{
    ngx_str_t  member, value, name;

    if (rest->len == 0) {
        return 0;
    }

    member = ngx_http_ratelimit_api_cut(rest, ',');

    range->type = ngx_http_ratelimit_api_cut(&member, ';');
    range->version.data = NULL;
    range->version.len = 0;
    range->weight = 1000;

    while (member.len) {
        value = ngx_http_ratelimit_api_cut(&member, ';');
        name = ngx_http_ratelimit_api_cut(&value, '=');

        if (ngx_http_ratelimit_api_is(&name, "version")) {
            range->version = value;

        } else if (ngx_http_ratelimit_api_is(&name, "q")) {
            range->weight = ngx_http_ratelimit_api_weight(&value);
        }
    }

    return 1;
}


/* what stands before ch, without spaces around; the rest is what follows */

static ngx_str_t
ngx_http_ratelimit_api_cut(ngx_str_t *rest, u_char ch)
{
    u_char     *p, *end;
    ngx_str_t   cut;

    end = rest->data + rest->len;
    p = ngx_strlchr(rest->data, end, ch);

    cut.data = rest->data;
    cut.len = (p ? p : end) - cut.data;

    rest->data = p ? p + 1 : end;
    rest->len = end - rest->data;

    while (cut.len && (cut.data[0] == ' ' || cut.data[0] == '\t')) {
        cut.data++;
        cut.len--;
    }

    while (cut.len && (cut.data[cut.len - 1] == ' '
                       || cut.data[cut.len - 1] == '\t'))
    {
        cut.len--;
    }

    while (rest->len && (rest->data[0] == ' ' || rest->data[0] == '\t')) {
        rest->data++;
        rest->len--;
    }

    return cut;
}


/* nonsense is nothing that anybody would rather have */

static ngx_uint_t
ngx_http_ratelimit_api_weight(ngx_str_t *value)
{
    ngx_int_t  weight;

    weight = ngx_atofp(value->data, value->len, 3);

    return (weight == NGX_ERROR || weight > 1000) ? 0 : weight;
}
