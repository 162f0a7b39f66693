use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: windows are written in ms, s, m, h and d
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy ms key=$arg_k quota=0/1500ms;
    ratelimit_policy s  key=$arg_k quota=0/60s;
    ratelimit_policy m  key=$arg_k quota=0/2m;
    ratelimit_policy h  key=$arg_k quota=0/3h;
    ratelimit_policy d  key=$arg_k quota=0/366d;
--- config
    location /ms { ratelimit ms; empty_gif; }
    location /s  { ratelimit s;  empty_gif; }
    location /m  { ratelimit m;  empty_gif; }
    location /h  { ratelimit h;  empty_gif; }
    location /d  { ratelimit d;  empty_gif; }
--- request eval
["GET /ms?k=a", "GET /s?k=a", "GET /m?k=a", "GET /h?k=a", "GET /d?k=a"]
--- error_code eval
[(429) x 5]
--- response_headers eval
["Retry-After: 2", "Retry-After: 60", "Retry-After: 120", "Retry-After: 10800", "Retry-After: 1728000"]



=== TEST 2: Retry-After is at least one second, even for a window of 1 ms
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1ms;
--- config
    location /t { ratelimit token; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Retry-After: 1



=== TEST 3: the quota may come from a variable
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_plan $quota { default 1/1h; paid 3/1h; }
    ratelimit_policy token key=$arg_k quota=$quota;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=b&plan=paid", "GET /t?k=b&plan=paid", "GET /t?k=b&plan=paid", "GET /t?k=b&plan=paid"]
--- error_code eval
[200, 429, 200, 200, 200, 429]
--- response_headers eval
["X-RateLimit-Limit: 1\nX-RateLimit-Remaining: 0",
 "X-RateLimit-Limit: 1\nX-RateLimit-Remaining: 0",
 "X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 2",
 "X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 1",
 "X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 0",
 "X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 0"]



=== TEST 4: only the window may come from a variable as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/$arg_w;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t?k=a&w=60s", "GET /t?k=a&w=2h"]
--- error_code eval
[429, 429]
--- response_headers eval
["Retry-After: 60", "Retry-After: 7200"]



=== TEST 5: unlimited, or nothing, and the policy does not apply
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q;
    ratelimit_policy never key=$arg_k quota=unlimited;
--- config
    location /t {
        ratelimit token;
        ratelimit never;
        ratelimit_headers x-ratelimit;
        add_header X-Status "$ratelimit_status" always;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=unlimited", "GET /t?k=a&q=", "GET /t?k=a&q=0/1s"]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-Status: BYPASSED\n! X-RateLimit-Limit",
 "X-Status: BYPASSED\n! X-RateLimit-Limit",
 "X-Status: REJECTED\nX-RateLimit-Limit: 0"]



=== TEST 6: a quota of 0 refuses all, for the whole window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[429, 429]
--- response_headers eval
[("Retry-After: 60\nX-RateLimit-Limit: 0\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 60") x 2]



=== TEST 7: a variable's nonsense is logged, and the policy does not apply
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request
GET /t?k=a&q=nonsense
--- response_headers
! X-RateLimit-Limit
--- error_log
[error]
ratelimit: policy "token" has invalid quota "nonsense", it must be
; the policy does not apply



=== TEST 8: a variable's nonsense leaves the other policies in force
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q;
    ratelimit_policy other key=$arg_k quota=1/1h;
--- config
    location /t {
        ratelimit token;
        ratelimit other;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=10/", "GET /t?k=a&q=10/"]
--- error_code eval
[200, 429]



=== TEST 9: nonsense from variables; units out of bounds are the maximum
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q;
--- config
    location /t {
        ratelimit token;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=1/367d", "GET /t?k=a&q=1/0s", "GET /t?k=a&q=-1/1s",
 "GET /t?k=a&q=1.5/1s", "GET /t?k=a&q=1/1s1", "GET /t?k=a&q=1/1M", "GET /t?k=a&q=1e9/1s",
 "GET /t?k=a&q=999999999999999/366d", "GET /t?k=a&q=1000000000000000/1s", "GET /t?k=a&q=99999999999999999999/1s"]
--- response_headers eval
[("X-Status: ERROR") x 7, ("X-Status: PASSED") x 3]



=== TEST 10: a changed quota takes effect at the next request, both ways, sliding
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q/1h algorithm=sliding;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=2", "GET /t?k=a&q=2", "GET /t?k=a&q=2", "GET /t?k=a&q=5", "GET /t?k=a&q=1", "GET /t?k=a&q=5"]
--- error_code eval
[200, 200, 429, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0",
 "X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 1"]



=== TEST 11: a changed quota takes effect at the next request, both ways, fixed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q/1h algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=2", "GET /t?k=a&q=2", "GET /t?k=a&q=2", "GET /t?k=a&q=5", "GET /t?k=a&q=1", "GET /t?k=a&q=5"]
--- error_code eval
[200, 200, 429, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0",
 "X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 1"]



=== TEST 12: a changed quota takes effect at the next request, both ways, calendar
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q/366d algorithm=calendar;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=2", "GET /t?k=a&q=2", "GET /t?k=a&q=2", "GET /t?k=a&q=5", "GET /t?k=a&q=1", "GET /t?k=a&q=5"]
--- error_code eval
[200, 200, 429, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0",
 "X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 1"]



=== TEST 13: a changed quota takes effect at the next request, gcra: the debt in units stays, capped at the new capacity
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q/366d algorithm=gcra;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=4", "GET /t?k=a&q=4", "GET /t?k=a&q=9", "GET /t?k=a&q=3", "GET /t?k=a&q=4", "GET /t?k=a&q=1"]
--- error_code eval
[200, 200, 200, 429, 200, 429]
--- response_headers eval
["X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 6",
 "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0"]



=== TEST 14: scale= cuts the quota, rounded down, but to no less than 1
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_s $scale { default ""; half 50%; tiny 1%; none 0%; twice 200%; eighth 12.5%; }
    ratelimit_policy token key=$arg_k quota=9/1h scale=$scale;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=b&s=half", "GET /t?k=c&s=tiny", "GET /t?k=d&s=none", "GET /t?k=e&s=twice", "GET /t?k=f&s=eighth"]
--- error_code eval
[200, 200, 200, 429, 200, 200]
--- response_headers eval
["X-RateLimit-Limit: 9", "X-RateLimit-Limit: 4", "X-RateLimit-Limit: 1", "X-RateLimit-Limit: 0", "X-RateLimit-Limit: 18", "X-RateLimit-Limit: 1"]



=== TEST 15: several scale= are multiplied
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_load $load  { default ""; high 50%; }
    map $arg_k    $abuse { default ""; bad 20%; }
    ratelimit_policy token key=$arg_k quota=100/1h scale=$load scale=$abuse scale=90%;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=b&load=high", "GET /t?k=bad", "GET /t?k=bad&load=high"]
--- response_headers eval
["X-RateLimit-Limit: 90", "X-RateLimit-Limit: 45", "X-RateLimit-Limit: 18", "X-RateLimit-Limit: 9"]
--- error_code eval
[(200) x 4]



=== TEST 16: a scale takes effect for keys already known, both ways
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_s $scale { default ""; half 50%; }
    ratelimit_policy token key=$arg_k quota=4/1h scale=$scale;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a&s=half", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429, 200, 200, 429]



=== TEST 17: a scale's nonsense is logged, and the policy does not apply
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h scale=$arg_s;
--- config
    location /t { ratelimit token; empty_gif; }
--- request
GET /t?k=a&s=half
--- error_log
[error]
ratelimit: policy "token" has invalid scale "half", it must be
; the policy does not apply



=== TEST 18: status= is the policy's own refusal status
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy busy  key=$arg_busy  quota=0/60s status=503;
    ratelimit_policy token key=$arg_token quota=0/60s;
--- config
    location /t {
        ratelimit busy;
        ratelimit token;
        ratelimit_status 420;
        empty_gif;
    }
--- request eval
["GET /t?busy=a", "GET /t?token=a"]
--- error_code eval
[503, 420]
--- response_headers eval
["Retry-After: 60", "Retry-After: 60"]



=== TEST 19: of several that refuse, the reported one gives the status
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy short key=$arg_k quota=0/60s status=503;
    ratelimit_policy long  key=$arg_k quota=0/1h  status=420;
--- config
    location /t {
        ratelimit short;
        ratelimit long;
        empty_gif;
    }
--- request
GET /t?k=a
--- error_code: 420
--- response_headers
Retry-After: 3600



=== TEST 20: a hidden policy is in no field, but refuses with Retry-After
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy secret key=$arg_k quota=$arg_q/60s hidden;
    ratelimit_policy token  key=$arg_k quota=100/1h;
--- config
    location /t {
        ratelimit secret;
        ratelimit token;
        ratelimit_headers x-ratelimit;
        ratelimit_headers ietf;
        add_header X-Policy "$ratelimit_policy" always;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=5", "GET /t?k=a&q=0"]
--- error_code eval
[200, 429]
--- response_headers_like eval
["X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 99\nX-Policy: token\nRateLimit-Policy: \"token\";q=100;w=3600\nRateLimit: \"token\";r=99;t=\\d+",
 "Retry-After: 60\nX-RateLimit-Limit: 100\nX-RateLimit-Remaining: 99\nX-Policy: token\nRateLimit-Policy: \"token\";q=100;w=3600\nRateLimit: \"token\";r=99(?:;t=\\d+)?"]



=== TEST 21: a hidden policy alone shows no field at all
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy secret key=$arg_k quota=1/60s hidden;
--- config
    location /t {
        ratelimit secret;
        ratelimit_headers x-ratelimit;
        ratelimit_headers ietf;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["! X-RateLimit-Limit\n! X-RateLimit-Remaining\n! RateLimit\n! RateLimit-Policy\n! X-secret-max\n! Retry-After",
 "! X-RateLimit-Limit\n! X-RateLimit-Remaining\n! RateLimit\n! RateLimit-Policy\n! X-secret-max"]



=== TEST 22: the order of the parameters is free
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token status=503 hidden algorithm=gcra capacity=1 quota=1/1h zone=api key=$arg_k;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 503]



=== TEST 23: names with digits and underscores
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a_1_b2 key=$arg_k quota=0/1h;
    ratelimit_policy z      key=$arg_k quota=0/60s;
    ratelimit_policy one    key=$arg_k quota=0/60s;
    ratelimit_policy offer  key=$arg_k quota=0/60s;
--- config
    location /t {
        ratelimit a_1_b2;
        ratelimit z;
        ratelimit one;
        ratelimit offer;
        add_header X-Policy $ratelimit_policy always;
        empty_gif;
    }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
X-Policy: a_1_b2



=== TEST 24: the same key under two policies is two buckets
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy read  key=$arg_k quota=2/1h;
    ratelimit_policy write key=$arg_k quota=1/1h;
--- config
    location /r { ratelimit read;  empty_gif; }
    location /w { ratelimit write; empty_gif; }
--- request eval
["GET /w?k=a", "GET /w?k=a", "GET /r?k=a", "GET /r?k=a", "GET /r?k=a"]
--- error_code eval
[200, 429, 200, 200, 429]
