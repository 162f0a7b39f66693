use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: methods= says which methods a line applies to
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy create key=$arg_k quota=1/1h;
--- config
    location /t { ratelimit create methods=POST,PUT; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t?k=a", "POST /t?k=a", "GET /t?k=a", "PUT /t?k=a", "POST /t?k=a", "DELETE /t?k=a"]
--- error_code eval
[204, 204, 204, 429, 429, 204]



=== TEST 2: GET includes HEAD
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy read key=$arg_k quota=1/1h;
--- config
    location /t { ratelimit read methods=GET; empty_gif; }
--- request eval
["HEAD /t?k=a", "GET /t?k=a", "HEAD /t?k=a"]
--- error_code eval
[200, 429, 429]



=== TEST 3: HEAD alone is HEAD alone
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy look key=$arg_k quota=1/1h;
--- config
    location /t { ratelimit look methods=HEAD; empty_gif; }
--- request eval
["GET /t?k=a", "HEAD /t?k=a", "HEAD /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429, 200]



=== TEST 4: an exclamation mark: all methods but these, so that preflight is free
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /t { ratelimit token methods=!OPTIONS,TRACE; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["OPTIONS /t?k=a", "GET /t?k=a", "OPTIONS /t?k=a", "GET /t?k=a", "POST /t?k=a"]
--- error_code eval
[204, 204, 204, 429, 429]



=== TEST 5: !GET excludes HEAD as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy write key=$arg_k quota=0/1h;
--- config
    location /t { ratelimit write methods=!GET; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t?k=a", "HEAD /t?k=a", "DELETE /t?k=a"]
--- error_code eval
[204, 204, 429]



=== TEST 6: if= says when a line applies: empty or 0 is false
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    location /t { ratelimit token if=$arg_if; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a&if=", "GET /t?k=a&if=0", "GET /t?k=a&if=1", "GET /t?k=a&if=00", "GET /t?k=a&if=false"]
--- error_code eval
[200, 200, 200, 429, 429, 429]



=== TEST 7: methods= and if= together
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    location /t { ratelimit token methods=POST if=$arg_if; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t?k=a&if=1", "POST /t?k=a", "POST /t?k=a&if=1"]
--- error_code eval
[204, 204, 429]



=== TEST 8: cost= is the units that a request takes
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1h;
--- config
    location /t {
        ratelimit token cost=$arg_c;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&c=4", "GET /t?k=a&c=5", "GET /t?k=a&c=2", "GET /t?k=a&c=1"]
--- error_code eval
[200, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 6", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0"]



=== TEST 9: the same with a constant cost, for every algorithm
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=7/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=7/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=7/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=7/366d algorithm=gcra;
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding  cost=3; empty_gif; }
    location /fixed    { ratelimit fixed    cost=3; empty_gif; }
    location /calendar { ratelimit calendar cost=3; empty_gif; }
    location /gcra     { ratelimit gcra     cost=3; empty_gif; }
--- request eval
[map { ("GET /$_?k=a") x 3 } qw(sliding fixed calendar gcra)]
--- error_code eval
[(200, 200, 429) x 4]
--- response_headers eval
[("X-RateLimit-Remaining: 4", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 1") x 4]



=== TEST 10: a cost of 0 only looks: always admitted, and nothing is charged
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s algorithm=fixed;
--- config
    ratelimit_headers x-ratelimit;
    location /look { ratelimit token cost=0; empty_gif; }
    location /t    { ratelimit token; empty_gif; }
--- request eval
["GET /look?k=a", "GET /t?k=a", "GET /look?k=a", "GET /t?k=a", "GET /look?k=a"]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 1\n! Retry-After", "X-RateLimit-Remaining: 0\n! Retry-After", "X-RateLimit-Remaining: 0\n! Retry-After",
 "X-RateLimit-Remaining: 0\nRetry-After: 60", "X-RateLimit-Remaining: 0\n! Retry-After"]



=== TEST 11: a cost of 0 is admitted even by a quota of 0
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t { ratelimit token cost=0; empty_gif; }
--- request
GET /t?k=a



=== TEST 12: an empty, negative or nonsensical cost counts 1
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1h;
--- config
    location /t {
        ratelimit token cost=$arg_c;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a&c=", "GET /t?k=a&c=-5", "GET /t?k=a&c=many", "GET /t?k=a&c=1e9", "GET /t?k=a&c=0x10", "GET /t?k=a&c=1.5"]
--- response_headers eval
["X-RateLimit-Remaining: 9", "X-RateLimit-Remaining: 8", "X-RateLimit-Remaining: 7", "X-RateLimit-Remaining: 6",
 "X-RateLimit-Remaining: 5", "X-RateLimit-Remaining: 4", "X-RateLimit-Remaining: 2"]
--- error_code eval
[(200) x 7]



=== TEST 13: a cost that counts 1 for want of a better one is logged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1h;
--- config
    location /t { ratelimit token cost=$arg_c; empty_gif; }
--- request
GET /t?k=a&c=-5
--- error_log
[error]
ratelimit: policy "token" has invalid cost "-5", it must be
; counted as 1



=== TEST 14: a cost above the quota can never be admitted: Retry-After is the window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=5/60s algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=5/60s algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=5/60s algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=5/60s algorithm=gcra;
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding  cost=6; empty_gif; }
    location /fixed    { ratelimit fixed    cost=6; empty_gif; }
    location /calendar { ratelimit calendar cost=6; empty_gif; }
    location /gcra     { ratelimit gcra     cost=6; empty_gif; }
--- request eval
["GET /sliding?k=a", "GET /fixed?k=a", "GET /calendar?k=a", "GET /gcra?k=a"]
--- error_code eval
[429, 429, 429, 429]
--- response_headers eval
[("Retry-After: 60\nX-RateLimit-Limit: 5\nX-RateLimit-Remaining: 5\nX-RateLimit-Reset: 60") x 4]



=== TEST 15: two policies with costs of their own
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy calls key=$arg_k quota=10/1h;
    ratelimit_policy bytes key=$arg_k quota=1000/1h;
--- config
    location /t {
        ratelimit calls;
        ratelimit bytes cost=400;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-calls-remaining: 9\nX-bytes-remaining: 600", "X-calls-remaining: 8\nX-bytes-remaining: 200", "X-calls-remaining: 8\nX-bytes-remaining: 200"]



=== TEST 16: dry_run= of a line: its refusal refuses nothing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /t {
        ratelimit token dry_run=$arg_dry;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request eval
["GET /t?k=a&dry=on", "GET /t?k=a&dry=on", "GET /t?k=a&dry=1", "GET /t?k=a&dry=off", "GET /t?k=a&dry=0", "GET /t?k=a", "GET /t?k=a&dry=yes"]
--- error_code eval
[200, 200, 200, 429, 429, 429, 429]
--- response_headers eval
["X-Status: PASSED", "X-Status: REJECTED_DRY_RUN", "X-Status: REJECTED_DRY_RUN", ("X-Status: REJECTED") x 4]



=== TEST 17: for a policy on several lines the first line that applies counts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=100/1h;
--- config
    location /t {
        ratelimit token if=$arg_batch cost=10;
        ratelimit token methods=POST cost=5;
        ratelimit token;
        ratelimit_headers x-ratelimit;
        proxy_pass http://backend;
    }
--- backend
    location / { return 204; }
--- request eval
["GET /t?k=a", "POST /t?k=a", "POST /t?k=a&batch=1", "GET /t?k=a&batch=1"]
--- error_code eval
[(204) x 4]
--- response_headers eval
["X-RateLimit-Remaining: 99", "X-RateLimit-Remaining: 94", "X-RateLimit-Remaining: 84", "X-RateLimit-Remaining: 74"]



=== TEST 18: no line applies: BYPASSED, no fields
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    location /t {
        ratelimit token methods=POST;
        ratelimit token if=$arg_if;
        ratelimit_headers x-ratelimit;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-Status: BYPASSED
! X-RateLimit-Limit



=== TEST 19: phase=preaccess is the default, and may be written
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /t {
        ratelimit token phase=preaccess;
        deny all;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[403, 429]



=== TEST 20: phase=precontent decides behind the access phase: what is denied there is not charged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /denied { ratelimit token phase=precontent; deny all; empty_gif; }
    location /t      { ratelimit token phase=precontent; empty_gif; }
--- request eval
["GET /denied?k=a", "GET /denied?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[403, 403, 200, 429]



=== TEST 21: cost, condition and method all from variables and constants in one line
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_size $cost { default 1; large 3; }
    ratelimit_policy token key=$arg_k quota=4/1h;
--- config
    location /t {
        ratelimit token methods=GET,POST if=$arg_if cost=$cost dry_run=off phase=preaccess;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&if=1&size=large", "GET /t?k=a&size=large", "GET /t?k=a&if=1&size=large", "GET /t?k=a&if=1"]
--- error_code eval
[200, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 1", "! X-RateLimit-Remaining", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0"]



=== TEST 22: ratelimit off
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    ratelimit token;
    location /t { ratelimit off; add_header X-Status "[$ratelimit_status]" always; empty_gif; }
--- request
GET /t?k=a
--- response_headers
X-Status: []



=== TEST 23: a line may name several policies, its parameters hold for each
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=9/1h;
    ratelimit_policy two key=$arg_k quota=7/1h;
--- config
    location /t {
        ratelimit one two methods=GET cost=2;
        ratelimit_headers per-policy prefix=X-;
        proxy_pass http://backend;
    }
--- backend
    location / { return 204; }
--- request eval
["GET /t?k=a", "POST /t?k=a"]
--- error_code eval
[204, 204]
--- response_headers eval
["X-one-remaining: 7\nX-two-remaining: 5", "! X-one-remaining\n! X-two-remaining"]



=== TEST 24: methods that nginx does not know by themselves
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy brew key=$arg_k quota=0/60s;
    ratelimit_policy rest key=$arg_k quota=0/60s status=503;
--- config
    location /t {
        ratelimit brew methods=BREW,PURGE;
        ratelimit rest methods=!BREW,PURGE,GET;
        proxy_pass http://backend;
    }
--- backend
    location / { return 204; }
--- request eval
["BREW /t?k=a", "PURGE /t?k=a", "GET /t?k=a", "SEARCH /t?k=a", "MKCOL /t?k=a"]
--- error_code eval
[429, 429, 204, 503, 503]



=== TEST 25: exempt whom a map names
--- http_config
    ratelimit_zone   zone=api:64k;
    geo $internal_net { default 0; 127.0.0.0/8 1; }
    map "$internal_net$http_x_partner" $limited { default 1; ~^1gold$ 0; }
    ratelimit_policy token key=$remote_addr quota=1/60s;
--- config
    location /t { ratelimit token if=$limited; empty_gif; }
--- request eval
[("GET /t") x 4]
--- more_headers eval
["X-Partner: gold", "X-Partner: gold", "X-Partner: tin", "X-Partner: tin"]
--- error_code eval
[200, 200, 200, 429]



=== TEST 26: policies of one key, behind one that has none, still share theirs
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $token arg=k;
    ratelimit_key    $account arg=a;
    ratelimit_policy token  key=$token quota=5/1h;
    ratelimit_policy minute key=$account quota=7/1m;
    ratelimit_policy hour   key=$account quota=9/1h;
--- config
    ratelimit_headers per-policy prefix=Quota-;
    location /t { ratelimit token minute hour; empty_gif; }
--- request eval
["GET /t?a=x", "GET /t?k=x", "GET /t?k=x&a=x", "GET /t?k=x&a=x", "GET /t"]
--- response_headers eval
["Quota-token-remaining:\nQuota-minute-remaining: 6\nQuota-hour-remaining: 8",
 "Quota-token-remaining: 4\nQuota-minute-remaining:\nQuota-hour-remaining:",
 "Quota-token-remaining: 3\nQuota-minute-remaining: 5\nQuota-hour-remaining: 7",
 "Quota-token-remaining: 2\nQuota-minute-remaining: 4\nQuota-hour-remaining: 6",
 "Quota-token-remaining:\nQuota-minute-remaining:\nQuota-hour-remaining:"]
--- error_code eval
[(200) x 5]



=== TEST 27: of two locations that inherit one line, each has its own fields
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/60s;
--- config
    ratelimit token;
    location /x    { ratelimit_headers x-ratelimit; empty_gif; }
    location /ietf { ratelimit_headers ietf; empty_gif; }
--- request eval
["GET /x?k=a", "GET /ietf?k=a", "GET /x?k=a"]
--- response_headers_like eval
["X-RateLimit-Remaining: 4",
 "RateLimit: \"token\";r=3;t=(59|60)",
 "X-RateLimit-Remaining: 2"]
--- error_code eval
[(200) x 3]



=== TEST 28: a cost beyond the maximum is the maximum, a decimal is rounded up
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy bytes key=$arg_k quota=10/1h;
--- config
    location /t {
        ratelimit bytes cost=$arg_c;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&c=1000000000000000", "GET /t?k=a&c=5000000000000000", "GET /t?k=a&c=" . "9" x 300, "GET /t?k=a&c=0.123",
 "GET /t?k=a&c=007.0", "GET /t?k=a&c=1.01"]
--- response_headers eval
[("X-RateLimit-Remaining: 10") x 3, "X-RateLimit-Remaining: 9", "X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 0"]
--- error_code eval
[(429) x 3, (200) x 3]
--- no_error_log
invalid cost



=== TEST 29: a constant beyond the maximum is an error all the same
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy bytes key=$arg_k quota=10/1h;
--- config
    location /t { ratelimit bytes cost=5000000000000000; empty_gif; }
--- must_die
--- error_log
[emerg]
invalid cost "5000000000000000" in "ratelimit", it must be an integer of 0 to 999999999999999 in
