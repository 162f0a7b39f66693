use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a client is admitted up to the quota and refused beyond it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1h;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
--- request eval
[("GET /t?k=alice") x 4]
--- error_code eval
[200, 200, 429, 429]



=== TEST 2: every key has a bucket of its own
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
--- request eval
["GET /t?k=alice", "GET /t?k=bob", "GET /t?k=alice", "GET /t?k=carol"]
--- error_code eval
[200, 200, 429, 200]



=== TEST 3: a location without ratelimit is not limited
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
    location /free {
        empty_gif;
    }
--- request eval
["GET /t?k=alice", "GET /free?k=alice"]
--- error_code eval
[429, 200]
--- response_headers eval
["Retry-After: 3600", "!Retry-After"]



=== TEST 4: a refused request gets nginx's own page and Retry-After, nothing else by default
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
--- request
GET /t?k=alice
--- error_code: 429
--- response_headers
Retry-After: 60
Content-Type: text/html
! X-RateLimit-Limit
! RateLimit
! RateLimit-Policy
! RateLimit-Limit
--- response_body_like: <title>429 Too Many Requests</title>



=== TEST 5: a request whose key is empty is not counted
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request eval
["GET /t", "GET /t?k="]
--- error_code eval
[200, 200]
--- response_headers eval
["X-Status: BYPASSED\n! X-RateLimit-Limit", "X-Status: BYPASSED\n! X-RateLimit-Limit"]



=== TEST 6: at the level of the server, ratelimit holds in all its locations together
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1h;
--- config
    ratelimit token;
    location /a { empty_gif; }
    location /b { empty_gif; }
--- request eval
["GET /a?k=alice", "GET /b?k=alice", "GET /a?k=alice", "GET /b?k=alice"]
--- error_code eval
[200, 200, 429, 429]



=== TEST 7: at the level of http, ratelimit holds in all servers
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    ratelimit        token;
--- config
    location /t { empty_gif; }
--- request eval
["GET /t?k=alice", "GET /t?k=alice"]
--- error_code eval
[200, 429]



=== TEST 8: several policies decide together, and the tighter one refuses first
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=3/60s;
    ratelimit_policy hour   key=$arg_k quota=2/1h;
--- config
    location /t {
        ratelimit minute;
        ratelimit hour;
        empty_gif;
    }
--- request eval
[("GET /t?k=alice") x 3]
--- error_code eval
[200, 200, 429]



=== TEST 9: one line may name a single policy, several lines add up
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_one quota=1/1h;
    ratelimit_policy two key=$arg_two quota=1/1h;
--- config
    location /t {
        ratelimit one;
        ratelimit two;
        empty_gif;
    }
--- request eval
["GET /t?one=a&two=a", "GET /t?one=b&two=a", "GET /t?one=a&two=b", "GET /t?one=c&two=c"]
--- error_code eval
[200, 429, 429, 200]



=== TEST 10: a refused request is charged to no policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_one quota=1/1h;
    ratelimit_policy two key=$arg_two quota=1/1h;
--- config
    location /t {
        ratelimit one;
        ratelimit two;
        empty_gif;
    }
--- request eval
["GET /t?one=a&two=a", "GET /t?one=b&two=a", "GET /t?one=b&two=b"]
--- error_code eval
[200, 429, 200]



=== TEST 11: the whole configuration of the documentation
--- http_config
    ratelimit_zone   zone=api:64m;
    ratelimit_key    $client bearer|header=X-API-Key|arg=api_key addr;

    ratelimit_policy token  key=$client quota=600/60s;
    ratelimit_policy search key=$client quota=30/60s;
    ratelimit_policy create key=$client quota=10/1h;
--- config
    ratelimit         token;
    ratelimit_headers x-ratelimit reset=delta;
    ratelimit_inherit merge;

    location /search   { ratelimit search; proxy_pass http://backend; }
    location /api-keys { ratelimit create methods=POST; proxy_pass http://backend; }
    location /app      { proxy_pass http://backend; }
--- backend
    location / { return 200 "app\n"; }
--- more_headers
Authorization: Bearer secret
--- request eval
["GET /app", "GET /search", "POST /api-keys", "GET /api-keys", "GET /app"]
--- response_headers eval
["X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 599\nX-RateLimit-Reset: 60",
 "X-RateLimit-Limit: 30\nX-RateLimit-Remaining: 29\nX-RateLimit-Reset: 60",
 "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: 9\nX-RateLimit-Reset: 3600",
 "X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 596\nX-RateLimit-Reset: 60",
 "X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 595\nX-RateLimit-Reset: 60"]
--- error_code eval
[(200) x 5]
--- response_body eval
[("app\n") x 5]



=== TEST 12: a policy may be used before it is defined
--- http_config
    ratelimit        later;
    ratelimit_policy later key=$arg_k quota=1/1h;
    ratelimit_zone   zone=api:64k;
--- config
    location /t { empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
