use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: on, the default: the outer lines hold only where a level has none of its own
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=1/1h;
    ratelimit_policy search key=$arg_k quota=2/1h;
--- config
    ratelimit token;
    location /plain  { empty_gif; }
    location /search { ratelimit search; empty_gif; }
--- request eval
["GET /plain?k=a", "GET /plain?k=a", "GET /search?k=a", "GET /search?k=a", "GET /search?k=a"]
--- error_code eval
[200, 429, 200, 200, 429]



=== TEST 2: on may be written
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=0/1h;
    ratelimit_policy search key=$arg_k quota=2/1h;
    ratelimit_inherit merge;
--- config
    ratelimit token;
    location /search { ratelimit search; ratelimit_inherit on; empty_gif; }
    location /plain  { ratelimit_inherit on; empty_gif; }
--- request eval
["GET /search?k=a", "GET /plain?k=a"]
--- error_code eval
[200, 429]



=== TEST 3: merge: the outer lines and its own
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=3/1h;
    ratelimit_policy search key=$arg_k quota=1/1h;
--- config
    ratelimit token;
    ratelimit_inherit merge;
    ratelimit_headers per-policy prefix=X-;
    location /plain  { empty_gif; }
    location /search { ratelimit search; empty_gif; }
--- request eval
["GET /search?k=a", "GET /search?k=a", "GET /plain?k=a", "GET /plain?k=a", "GET /plain?k=a"]
--- error_code eval
[200, 429, 200, 200, 429]
--- response_headers eval
["X-token-remaining: 2\nX-search-remaining: 0", "X-token-remaining: 2\nX-search-remaining: 0",
 "X-token-remaining: 1\n! X-search-remaining", "X-token-remaining: 0", "X-token-remaining: 0"]



=== TEST 4: merge in the inner level alone
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=3/1h;
    ratelimit_policy search key=$arg_k quota=1/1h;
--- config
    ratelimit token;
    ratelimit_headers per-policy prefix=X-;
    location /both { ratelimit search; ratelimit_inherit merge; empty_gif; }
    location /own  { ratelimit search; empty_gif; }
--- request eval
["GET /both?k=a", "GET /own?k=b"]
--- response_headers eval
["X-token-remaining: 2\nX-search-remaining: 0", "! X-token-remaining\nX-search-remaining: 0"]
--- error_code eval
[200, 200]



=== TEST 5: merge over three levels
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy world  key=$arg_k quota=9/1h;
    ratelimit_policy token  key=$arg_k quota=8/1h;
    ratelimit_policy search key=$arg_k quota=7/1h;
    ratelimit_inherit merge;
    ratelimit world;
    ratelimit_headers per-policy prefix=X-;
--- config
    ratelimit token;
    location /t { ratelimit search; empty_gif; }
--- request
GET /t?k=a
--- response_headers
X-world-remaining: 8
X-token-remaining: 7
X-search-remaining: 6



=== TEST 6: merge, a policy in both: the level's own line wins
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=100/1h;
--- config
    ratelimit token cost=1;
    ratelimit_inherit merge;
    ratelimit_headers x-ratelimit;
    location /plain { empty_gif; }
    location /heavy { ratelimit token cost=10; empty_gif; }
--- request eval
["GET /heavy?k=a", "GET /plain?k=a"]
--- response_headers eval
["X-RateLimit-Remaining: 90", "X-RateLimit-Remaining: 89"]
--- error_code eval
[200, 200]



=== TEST 7: off: none of the outer lines, its own stay
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=0/1h;
    ratelimit_policy search key=$arg_k quota=1/1h;
--- config
    ratelimit token;
    location /none { ratelimit_inherit off; empty_gif; }
    location /own  { ratelimit_inherit off; ratelimit search; empty_gif; }
--- request eval
["GET /none?k=a", "GET /own?k=a", "GET /own?k=a"]
--- error_code eval
[200, 200, 429]



=== TEST 8: ratelimit off ends the limit, merge or not
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    ratelimit token;
    location /on     { ratelimit off; empty_gif; }
    location /merge  { ratelimit off; ratelimit_inherit merge; empty_gif; }
    location /t      { empty_gif; }
--- request eval
["GET /on?k=a", "GET /merge?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429]



=== TEST 9: what ratelimit off ended can begin again further in
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
    ratelimit_policy other key=$arg_k quota=1/1h;
--- config
    ratelimit token;
    location /t {
        ratelimit off;
        location /t/in   { empty_gif; }
        location /t/more { ratelimit other; ratelimit_inherit merge; empty_gif; }
    }
--- request eval
["GET /t/in?k=a", "GET /t/more?k=a", "GET /t/more?k=a"]
--- error_code eval
[200, 200, 429]



=== TEST 10: nested locations inherit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /a {
        ratelimit token;
        location /a/b {
            location /a/b/c { empty_gif; }
        }
    }
--- request eval
["GET /a/b/c?k=a", "GET /a/b/c?k=a"]
--- error_code eval
[200, 429]



=== TEST 11: an if block inherits
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        ratelimit_status 420;
        if ($arg_if) {
            proxy_pass http://backend;
        }
        empty_gif;
    }
--- backend
    location / { return 200; }
--- request eval
["GET /t?k=a&if=1", "GET /t?k=a&if=1", "GET /t?k=a"]
--- error_code eval
[200, 420, 420]
--- response_headers eval
[("X-RateLimit-Remaining: 0") x 3]



=== TEST 12: an if block of the server level changes nothing for the locations
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    ratelimit token;
    set $x "";
    if ($arg_if) { set $x 1; }
    location /t { empty_gif; }
--- request eval
["GET /t?k=a&if=1", "GET /t?k=a&if=1"]
--- error_code eval
[200, 429]



=== TEST 13: a limit_except block inherits
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1h;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        limit_except GET { deny all; }
        empty_gif;
    }
--- request eval
["GET /t?k=a", "POST /t?k=a", "DELETE /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 403, 429, 429]
--- response_headers eval
["X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0"]



=== TEST 14: ratelimit_headers, status, body and the rest hold in the locations inside
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
    ratelimit_headers x-ratelimit;
    ratelimit_status 420;
    ratelimit_body   text/plain "calm down\n";
--- config
    location /t { ratelimit token; empty_gif; }
--- request
GET /t?k=a
--- error_code: 420
--- response_headers
X-RateLimit-Limit: 0
Content-Type: text/plain
--- response_body
calm down



=== TEST 15: a level's own ratelimit_headers replace the outer ones
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/60s;
--- config
    ratelimit token;
    ratelimit_headers x-ratelimit;
    location /outer { empty_gif; }
    location /inner { ratelimit_headers draft3; empty_gif; }
    location /none  { ratelimit_headers off; empty_gif; }
--- request eval
["GET /outer?k=a", "GET /inner?k=a", "GET /none?k=a"]
--- response_headers eval
["X-RateLimit-Remaining: 4\n! RateLimit-Remaining", "! X-RateLimit-Remaining\nRateLimit-Remaining: 3", "! X-RateLimit-Remaining\n! RateLimit-Remaining"]
--- error_code eval
[(200) x 3]



=== TEST 16: several ratelimit_headers lines add up
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        ratelimit_headers draft3;
        ratelimit_headers x-ratelimit prefix=X-Old- reset=unix;
        ratelimit_headers per-policy prefix=x-limit-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Remaining: 4
RateLimit-Remaining: 4
X-Old-Remaining: 4
x-limit-token-remaining: 4



=== TEST 17: a server's own lines do not reach other servers
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$http_x_key quota=0/60s;
--- config
    ratelimit token;
    location /t    { empty_gif; }
    location /free { ratelimit off; proxy_pass http://backend; }
--- backend
    location / { empty_gif; }
--- more_headers
X-Key: a
--- request eval
["GET /t", "GET /free"]
--- error_code eval
[429, 200]



=== TEST 18: merge keeps each line's conditions
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=9/1h;
    ratelimit_policy create key=$arg_k quota=9/1h;
--- config
    ratelimit token methods=GET;
    ratelimit_inherit merge;
    ratelimit_headers per-policy prefix=X-;
    location /t { ratelimit create methods=POST; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t?k=a", "POST /t?k=a"]
--- error_code eval
[204, 204]
--- response_headers eval
["X-token-remaining: 8\n! X-create-remaining", "! X-token-remaining\nX-create-remaining: 8"]
