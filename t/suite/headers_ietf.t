use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: ietf: the policy's quota and window, what is left and until when
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60s algorithm=fixed;
--- config
    location /t { ratelimit token; ratelimit_headers ietf; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["RateLimit-Policy: \"token\";q=600;w=60\nRateLimit: \"token\";r=599;t=60",
 "RateLimit-Policy: \"token\";q=600;w=60\nRateLimit: \"token\";r=598;t=60"]



=== TEST 2: every policy is an item, in the order of the lines
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy hour   key=$arg_k quota=1000/1h algorithm=fixed;
    ratelimit_policy minute key=$arg_k quota=100/1m  algorithm=fixed;
    ratelimit_policy day    key=$arg_k quota=5000/1d algorithm=fixed;
--- config
    location /t {
        ratelimit minute;
        ratelimit hour;
        ratelimit day;
        ratelimit_headers ietf;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
RateLimit-Policy: "minute";q=100;w=60, "hour";q=1000;w=3600, "day";q=5000;w=86400
RateLimit: "minute";r=99;t=60, "hour";r=999;t=3600, "day";r=4999;t=86400



=== TEST 3: t of a sliding window is the time to the next unit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/60s;
--- config
    location /t { ratelimit token; ratelimit_headers ietf; empty_gif; }
--- request
GET /t?k=a
--- response_headers_like
RateLimit-Policy: "token";q=5;w=60
RateLimit: "token";r=4;t=(59|60)



=== TEST 4: t of a gcra is the time to the next unit, q its capacity, w the time that fills it
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=6/1h algorithm=gcra capacity=2;
--- config
    location /t { ratelimit token; ratelimit_headers ietf; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["RateLimit-Policy: \"token\";q=2;w=1200\nRateLimit: \"token\";r=1;t=600",
 "RateLimit-Policy: \"token\";q=2;w=1200\nRateLimit: \"token\";r=0;t=600"]



=== TEST 5: w is left out where the window is not whole seconds
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy short key=$arg_k quota=5/1500ms algorithm=fixed;
    ratelimit_policy odd   key=$arg_k quota=7/1s capacity=3 algorithm=gcra;
--- config
    location /short { ratelimit short; ratelimit_headers ietf; empty_gif; }
    location /odd   { ratelimit odd;   ratelimit_headers ietf; empty_gif; }
--- request eval
["GET /short?k=a", "GET /odd?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["RateLimit-Policy: \"short\";q=5\nRateLimit: \"short\";r=4;t=2",
 "RateLimit-Policy: \"odd\";q=3\nRateLimit: \"odd\";r=2;t=1"]



=== TEST 6: a refused response: t and Retry-After agree
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s algorithm=fixed;
--- config
    location /t { ratelimit token; ratelimit_headers ietf; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["RateLimit-Policy: \"token\";q=1;w=60\nRateLimit: \"token\";r=0;t=60\n! Retry-After",
 "RateLimit-Policy: \"token\";q=1;w=60\nRateLimit: \"token\";r=0;t=60\nRetry-After: 60"]



=== TEST 7: t is left out where it would exceed Retry-After
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=1/60s algorithm=fixed;
    ratelimit_policy hour   key=$arg_k quota=9/1h  algorithm=fixed;
--- config
    location /t { ratelimit minute; ratelimit hour; ratelimit_headers ietf; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["RateLimit: \"minute\";r=0;t=60, \"hour\";r=8;t=3600",
 "RateLimit: \"minute\";r=0;t=60, \"hour\";r=8\nRetry-After: 60"]



=== TEST 8: policies= leaves the others out
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=10/60s algorithm=fixed;
    ratelimit_policy hour   key=$arg_k quota=20/1h  algorithm=fixed;
    ratelimit_policy day    key=$arg_k quota=30/1d  algorithm=fixed;
--- config
    location /t {
        ratelimit minute;
        ratelimit hour;
        ratelimit day;
        ratelimit_headers ietf policies=day,minute;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
RateLimit-Policy: "minute";q=10;w=60, "day";q=30;w=86400
RateLimit: "minute";r=9;t=60, "day";r=29;t=86400



=== TEST 9: a policy that does not apply is no item; none left, no field
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s algorithm=fixed;
    ratelimit_policy free  key=$arg_k quota=unlimited;
    ratelimit_policy other key=$arg_o quota=20/60s algorithm=fixed;
--- config
    location /t {
        ratelimit free;
        ratelimit token;
        ratelimit other;
        ratelimit_headers ietf;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?o=a", "GET /t"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["RateLimit-Policy: \"token\";q=10;w=60\nRateLimit: \"token\";r=9;t=60",
 "RateLimit-Policy: \"other\";q=20;w=60\nRateLimit: \"other\";r=19;t=60",
 "! RateLimit-Policy\n! RateLimit"]



=== TEST 10: the scaled quota of the moment is told
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s scale=50% algorithm=fixed;
--- config
    location /t { ratelimit token; ratelimit_headers ietf; empty_gif; }
--- request
GET /t?k=a
--- response_headers
RateLimit-Policy: "token";q=5;w=60
RateLimit: "token";r=4;t=60



=== TEST 11: one field each, not one an item
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=10/60s algorithm=fixed;
    ratelimit_policy hour   key=$arg_k quota=20/1h  algorithm=fixed;
--- config
    location /t { ratelimit minute; ratelimit hour; ratelimit_headers ietf; empty_gif; }
--- request
GET /t?k=a
--- raw_response_headers_unlike: (?s)\nRateLimit:.*\nRateLimit:



=== TEST 12: a look at an untouched bucket has no t for gcra and sliding: no unit is out
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy gcra    key=$arg_k quota=10/60s algorithm=gcra;
    ratelimit_policy sliding key=$arg_k quota=10/60s;
--- config
    location /t { ratelimit gcra cost=0; ratelimit sliding cost=0; ratelimit_headers ietf; empty_gif; }
--- request
GET /t?k=a
--- response_headers
RateLimit-Policy: "gcra";q=10;w=60, "sliding";q=10;w=60
RateLimit: "gcra";r=10, "sliding";r=10



=== TEST 13: a quota of 0
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s algorithm=fixed;
--- config
    location /t { ratelimit token; ratelimit_headers ietf; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers_like
RateLimit-Policy: "token";q=0;w=60
RateLimit: "token";r=0(;t=60)?
Retry-After: 60
