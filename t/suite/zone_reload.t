use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# Every block is a reload of the one before: nginx goes on with its zones.
use_hup();
no_shuffle();

run_tests();

__DATA__

=== TEST 1: two requests of three, before any reload
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=3/1h;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 8"]



=== TEST 2: a reload keeps the counts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=3/1h;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    # a comment more
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 7"]



=== TEST 3: a larger quota applies to known keys, units used stay used
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1h;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 6"]



=== TEST 4: a smaller quota applies to known keys as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=4/1h;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[429, 200]
--- response_headers eval
["X-RateLimit-Limit: 4\nX-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 5"]



=== TEST 5: a changed algorithm starts that policy afresh, without disturbing the other
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=4/1h algorithm=fixed;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 4"]



=== TEST 6: a changed key starts that policy afresh, though its value is the same
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_k $alias { default $arg_k; }
    ratelimit_policy token key=$alias quota=4/1h algorithm=fixed;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 3"]



=== TEST 7: another scale, status, place among the policies or hidden leaves the counts
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_k $alias { default $arg_k; }
    ratelimit_policy first key=$alias quota=4/1h algorithm=fixed;
    ratelimit_policy token key=$alias quota=8/1h algorithm=fixed scale=50% status=503;
    ratelimit_policy other key=$arg_k quota=9/1h hidden;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; return 200 "$ratelimit_remaining_other\n"; }
--- request eval
["GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-RateLimit-Limit: 4\nX-RateLimit-Remaining: 2", ""]
--- response_body eval
[qr/^GIF/, "3\n"]



=== TEST 8: a larger zone takes every active bucket along
--- http_config
    ratelimit_zone   zone=api:256k;
    map $arg_k $alias { default $arg_k; }
    ratelimit_policy token key=$alias quota=4/1h algorithm=fixed;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Remaining: 1
--- error_log
ratelimit: zone "api" of 262144 bytes holds 3906 buckets as soon as the workers before have gone



=== TEST 9: a smaller one does so too
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_k $alias { default $arg_k; }
    ratelimit_policy token key=$alias quota=4/1h algorithm=fixed;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t     { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /other?k=a"]
--- error_code eval
[200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 2"]



=== TEST 10: a policy that is gone for a while finds its buckets again
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /other { ratelimit other; ratelimit_headers x-ratelimit; empty_gif; }
--- request
GET /other?k=a
--- response_headers
X-RateLimit-Remaining: 1



=== TEST 11: and here it is again
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_k $alias { default $arg_k; }
    ratelimit_policy token key=$alias quota=4/1h algorithm=fixed;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429



=== TEST 12: a configuration that does not load leaves the running one and its counts
--- http_config
    ratelimit_zone   zone=api:128k;
    ratelimit_policy token key=$arg_k quota=4/1h algorithm=nonsense;
--- config
    location /t { ratelimit token; }
--- reload_fails
--- request
GET /t?k=a
--- error_code: 429
--- error_log
[emerg]
invalid algorithm "nonsense" in "ratelimit_policy"



=== TEST 13: another zone is another memory
--- http_config
    ratelimit_zone   zone=fresh:64k;
    map $arg_k $alias { default $arg_k; }
    ratelimit_policy token key=$alias quota=4/1h algorithm=fixed;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Remaining: 3



=== TEST 14: all four algorithms, before a reload
--- http_config
    ratelimit_zone   zone=four:64k;
    ratelimit_policy sliding  key=$arg_k quota=5/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=5/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=5/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=5/366d algorithm=gcra;
--- config
    location /t {
        ratelimit sliding; ratelimit fixed; ratelimit calendar; ratelimit gcra;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-sliding-remaining: 4
X-fixed-remaining: 4
X-calendar-remaining: 4
X-gcra-remaining: 4



=== TEST 15: all four behind a reload that changes quotas, window and the zone's size
--- http_config
    ratelimit_zone   zone=four:1m;
    ratelimit_policy sliding  key=$arg_k quota=9/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=9/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=9/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=9/366d algorithm=gcra;
--- config
    location /t {
        ratelimit sliding; ratelimit fixed; ratelimit calendar; ratelimit gcra;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-sliding-remaining: 7
X-fixed-remaining: 7
X-calendar-remaining: 7
X-gcra-remaining: 7
