use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: draft3: three fields without a prefix, the reset in seconds
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s algorithm=fixed;
--- config
    location /t { ratelimit token; ratelimit_headers draft3; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["RateLimit-Limit: 1\nRateLimit-Remaining: 0\nRateLimit-Reset: 60\n! RateLimit\n! X-RateLimit-Limit",
 "RateLimit-Limit: 1\nRateLimit-Remaining: 0\nRateLimit-Reset: 60\nRetry-After: 60"]



=== TEST 2: draft3: of several the nearest to refusing is reported, policies= or not
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=10/60s;
    ratelimit_policy hour   key=$arg_k quota=20/1h;
--- config
    location /all  { ratelimit minute; ratelimit hour; ratelimit_headers draft3; empty_gif; }
    location /hour { ratelimit minute; ratelimit hour; ratelimit_headers draft3 policies=hour; empty_gif; }
--- request eval
["GET /all?k=a", "GET /hour?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["RateLimit-Limit: 10\nRateLimit-Remaining: 9\nRateLimit-Reset: 60",
 "RateLimit-Limit: 20\nRateLimit-Remaining: 18\nRateLimit-Reset: 3600"]



=== TEST 3: per-policy: three fields for every policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy api_key   key=$arg_key   quota=300/10s;
    ratelimit_policy api_token key=$arg_token quota=100/10s;
--- config
    location /t {
        ratelimit api_key;
        ratelimit api_token;
        ratelimit_headers per-policy prefix=x-rate-limit-;
        empty_gif;
    }
--- request
GET /t?key=k&token=t
--- response_headers
x-rate-limit-api-key-interval-ms: 10000
x-rate-limit-api-key-max: 300
x-rate-limit-api-key-remaining: 299
x-rate-limit-api-token-interval-ms: 10000
x-rate-limit-api-token-max: 100
x-rate-limit-api-token-remaining: 99



=== TEST 4: per-policy: only those that decided
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy api_key   key=$arg_key   quota=300/10s;
    ratelimit_policy api_token key=$arg_token quota=100/10s;
--- config
    location /t {
        ratelimit api_key;
        ratelimit api_token;
        ratelimit_headers per-policy prefix=x-rate-limit-;
        empty_gif;
    }
--- request
GET /t?token=t
--- response_headers
! x-rate-limit-api-key-max
! x-rate-limit-api-key-interval-ms
! x-rate-limit-api-key-remaining
x-rate-limit-api-token-max: 100



=== TEST 5: per-policy: policies= leaves the others out
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one   key=$arg_k quota=1/10s;
    ratelimit_policy two   key=$arg_k quota=2/10s;
    ratelimit_policy three key=$arg_k quota=3/10s;
--- config
    location /t {
        ratelimit one;
        ratelimit two;
        ratelimit three;
        ratelimit_headers per-policy prefix=X- policies=one,three;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-one-max: 1
! X-two-max
X-three-max: 3



=== TEST 6: per-policy on a refused response: what each has left, the admitting ones uncharged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy narrow key=$arg_k quota=1/60s;
    ratelimit_policy wide   key=$arg_k quota=9/60s;
--- config
    location /t {
        ratelimit narrow;
        ratelimit wide;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["X-narrow-remaining: 0\nX-wide-remaining: 8", "X-narrow-remaining: 0\nX-wide-remaining: 8"]



=== TEST 7: per-policy: the interval is the window, max the capacity for gcra
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a_b_c key=$arg_k quota=10/250ms;
    ratelimit_policy days  key=$arg_k quota=10/366d;
    ratelimit_policy leaky key=$arg_k quota=10/1m algorithm=gcra capacity=3;
--- config
    location /t {
        ratelimit a_b_c;
        ratelimit days;
        ratelimit leaky;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-a-b-c-interval-ms: 250
X-days-interval-ms: 31622400000
X-leaky-interval-ms: 60000
X-leaky-max: 3
X-leaky-remaining: 2



=== TEST 8: per-policy twice, with two prefixes
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers per-policy prefix=X-One-;
        ratelimit_headers per-policy prefix=X-Two-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-One-token-max: 10
X-Two-token-max: 10



=== TEST 9: all four dialects together
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        ratelimit_headers ietf;
        ratelimit_headers draft3;
        ratelimit_headers per-policy prefix=X-Limit-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 10
X-RateLimit-Remaining: 9
X-RateLimit-Reset: 60
RateLimit-Policy: "token";q=10;w=60
RateLimit: "token";r=9;t=60
RateLimit-Limit: 10
RateLimit-Remaining: 9
RateLimit-Reset: 60
X-Limit-token-interval-ms: 60000
X-Limit-token-max: 10
X-Limit-token-remaining: 9
