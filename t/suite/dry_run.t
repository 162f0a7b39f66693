use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: dry run counts and tells, but refuses nothing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_dry_run on;
        ratelimit_headers x-ratelimit;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 4]
--- error_code eval
[200, 200, 200, 200]
--- response_headers eval
["X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 1\nX-Status: PASSED\n! Retry-After",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-Status: PASSED\n! Retry-After",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-Status: REJECTED_DRY_RUN\n! Retry-After",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-Status: REJECTED_DRY_RUN\n! Retry-After"]



=== TEST 2: in dry run Remaining is 0 where a costly request would have been refused
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/60s;
--- config
    location /t {
        ratelimit token cost=$arg_c;
        ratelimit_dry_run on;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&c=2", "GET /t?k=a&c=4", "GET /t?k=a&c=1"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 2"]



=== TEST 3: it counts as enforcement would: what would be refused is not charged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_one quota=1/60s;
    ratelimit_policy two key=$arg_two quota=1/60s;
--- config
    ratelimit one;
    ratelimit two;
    location /dry  { ratelimit_dry_run on; empty_gif; }
    location /real { empty_gif; }
--- request eval
["GET /dry?one=a&two=a", "GET /dry?one=b&two=a", "GET /real?one=b&two=b"]
--- error_code eval
[200, 200, 200]



=== TEST 4: dry run and enforcement share the bucket
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/60s;
--- config
    ratelimit token;
    location /dry  { ratelimit_dry_run on; empty_gif; }
    location /real { ratelimit_dry_run off; empty_gif; }
--- request eval
["GET /dry?k=a", "GET /real?k=a", "GET /real?k=a", "GET /dry?k=a"]
--- error_code eval
[200, 200, 429, 200]



=== TEST 5: the announcement period: a variable says who is refused
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s;
    map $arg_k $announced { default off; old1 on; old2 1; old3 yes; }
--- config
    location /t {
        ratelimit token;
        ratelimit_dry_run $announced;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=new", "GET /t?k=new", "GET /t?k=old1", "GET /t?k=old1", "GET /t?k=old2", "GET /t?k=old2", "GET /t?k=old3", "GET /t?k=old3"]
--- error_code eval
[200, 429, 200, 200, 200, 200, 200, 429]
--- response_headers eval
[("X-RateLimit-Remaining: 0") x 8]



=== TEST 6: a line's own dry_run leaves the other policies in force
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy old key=$arg_k quota=2/60s;
    ratelimit_policy new key=$arg_k quota=1/60s;
--- config
    location /t {
        ratelimit old;
        ratelimit new dry_run=on;
        ratelimit_headers per-policy prefix=X-;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-old-remaining: 1\nX-new-remaining: 0\nX-Status: PASSED",
 "X-old-remaining: 0\nX-new-remaining: 0\nX-Status: REJECTED_DRY_RUN",
 "X-old-remaining: 0\nX-new-remaining: 0\nX-Status: REJECTED"]



=== TEST 7: dry run logs what it would have refused
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t { ratelimit token; ratelimit_dry_run on; empty_gif; }
--- request
GET /t?k=a
--- error_log eval
[qr/\[error\] .*ratelimit: would be refused \(dry run\) by policy "token", key [0-9a-f]{16}, retry after 60s/]



=== TEST 8: status and body are not for dry runs
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s status=503;
--- config
    location /t {
        ratelimit token;
        ratelimit_dry_run on;
        ratelimit_body problem;
        proxy_pass http://backend;
    }
--- backend
    location / { return 200 "app\n"; }
--- request
GET /t?k=a
--- response_headers
! Retry-After
--- response_body
app



=== TEST 9: in dry run the reset is told, the ietf dialect too
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_dry_run on;
        ratelimit_headers x-ratelimit;
        ratelimit_headers ietf;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers_like
X-RateLimit-Limit: 0
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 60
RateLimit-Policy: "token";q=0;w=60
RateLimit: "token";r=0(;t=60)?
