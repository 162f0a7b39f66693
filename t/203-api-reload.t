use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

# Every block is a reload of the one before.
use_hup();
no_shuffle();

run_tests();

__DATA__

=== TEST 1: counted before any reload
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    ratelimit_policy gone  key=$arg_k quota=1/1h;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /g   { ratelimit gone; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /g?k=a", "GET /api", "GET /api"]
--- error_code eval
[200, 429, 200, 200, 200]
--- response_body_filters eval
[(map { Api::any() } 1 .. 3), Api::counts(0), Api::counts(1)]
--- response_body eval
["", "", "", "admitted=1 refused=1 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n",
 "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n"]



=== TEST 2: a reload goes on counting, also under another quota, algorithm and place
--- http_config
    ratelimit_zone   zone=api:128k;
    ratelimit_policy first key=$arg_k quota=1/1h;
    ratelimit_policy token key=$arg_k quota=2/1h algorithm=fixed;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api", "GET /api"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[Api::any(), Api::counts(0), Api::counts(1)]
--- response_body eval
["", "admitted=0 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n",
 "admitted=2 refused=1 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n"]



=== TEST 3: a policy that comes back has its counts, one in another zone starts anew
--- http_config
    ratelimit_zone   zone=api:128k;
    ratelimit_zone   zone=other:64k;
    ratelimit_policy gone  key=$arg_k quota=1/1h zone=api;
    ratelimit_policy token key=$arg_k quota=2/1h zone=other;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api", "GET /api", "GET /api/keys?top=5&policy=gone"]
--- error_code eval
[200, 200, 200, 200]
--- response_body_filters eval
[Api::any(), Api::counts(0), Api::counts(1), Api::at("busiest.n")]
--- response_body eval
["", "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n",
 "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n", "busiest.n: 1\n"]
