use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

# What becomes of a request that cannot be decided.  That a worker finds no
# place in the process table, and that a lock's owner does not move, is planted by
# t/system/undecided.sh.
add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy quota    key=$arg_k quota=$arg_q;
    ratelimit_policy scale    key=$arg_k quota=9/1h scale=$arg_s;
    ratelimit_policy capacity key=$arg_k quota=9/1h algorithm=gcra capacity=$arg_c;
    ratelimit_policy other    key=$arg_k quota=2/1h;
_END_
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: pass, the default: the other policies decide, and the status is ERROR
--- config
    add_header X-Status "$ratelimit_status $ratelimit_status_quota $ratelimit_status_other" always;
    location /default { ratelimit quota other; empty_gif; }
    location /pass    { ratelimit quota other; ratelimit_on_error pass; empty_gif; }
--- request eval
["GET /default?k=a&q=bad", "GET /pass?k=a&q=bad", "GET /pass?k=a&q=bad"]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-Status: ERROR ERROR PASSED", "X-Status: ERROR ERROR PASSED", "X-Status: REJECTED ERROR REJECTED"]



=== TEST 2: refuse: 503, Retry-After: 1, ERROR, and no fields
--- config
    ratelimit_on_error refuse;
    ratelimit_headers  x-ratelimit ietf per-policy prefix=X-P-;
    add_header X-Status "$ratelimit_status $ratelimit_retry_after" always;
    location /quota    { ratelimit quota;    empty_gif; }
    location /scale    { ratelimit scale;    empty_gif; }
    location /capacity { ratelimit capacity; empty_gif; }
--- request eval
["GET /quota?k=a&q=bad", "GET /scale?k=a&s=bad", "GET /capacity?k=a&c=bad"]
--- error_code eval
[503, 503, 503]
--- response_headers eval
[("X-Status: ERROR 1\nRetry-After: 1\n! X-RateLimit-Limit\n! RateLimit\n! RateLimit-Policy\n! X-P-quota-max") x 3]
--- response_body_like eval
[("503 Service") x 3]



=== TEST 3: refuse charges nothing to the policies that could decide
--- config
    location /t    { ratelimit other quota; ratelimit_on_error refuse; empty_gif; }
    location /left { return 200 "$ratelimit_remaining_other\n"; }
--- request eval
["GET /t?k=a&q=bad", "GET /left?k=a", "GET /t?k=a&q=9/1h", "GET /left?k=a"]
--- error_code eval
[503, 200, 200, 200]
--- response_body_like eval
["503", "^2\n", "^GIF", "^1\n"]



=== TEST 4: in precontent it gives back what preaccess charged
--- config
    location /t    { ratelimit other; ratelimit quota phase=precontent; ratelimit_on_error refuse; empty_gif; }
    location /left { return 200 "$ratelimit_remaining_other\n"; }
--- request eval
["GET /t?k=a&q=bad", "GET /left?k=a", "GET /t?k=a&q=9/1h", "GET /left?k=a"]
--- error_code eval
[503, 200, 200, 200]
--- response_body_like eval
["503", "^2\n", "^GIF", "^1\n"]



=== TEST 5: what refuses nothing does not refuse this: dry run, a cost of 0, a line that does not apply
--- config
    ratelimit_on_error refuse;
    add_header X-Status "$ratelimit_status" always;
    location /dry    { ratelimit quota; ratelimit_dry_run on; empty_gif; }
    location /line   { ratelimit quota dry_run=on; empty_gif; }
    location /look   { ratelimit quota cost=0; empty_gif; }
    location /if     { ratelimit quota if=$arg_if; empty_gif; }
    location /method { ratelimit quota methods=POST; empty_gif; }
    location /off    { ratelimit off; empty_gif; }
    location /no_key { ratelimit other; empty_gif; }
--- request eval
["GET /dry?k=a&q=bad", "GET /line?k=a&q=bad", "GET /look?k=a&q=bad", "GET /if?k=a&q=bad",
 "GET /method?k=a&q=bad", "GET /off?k=a&q=bad", "GET /no_key", "GET /if?k=a&q=bad&if=1"]
--- error_code eval
[(200) x 7, 503]
--- response_headers eval
[("X-Status: ERROR") x 3, ("X-Status: BYPASSED") x 2, "! X-Status", "X-Status: BYPASSED", "X-Status: ERROR"]



=== TEST 6: ratelimit_status and ratelimit_body are for refusals; error_page is for both
--- config
    ratelimit_on_error refuse;
    ratelimit_status   420;
    ratelimit_body     problem;
    location /t    { ratelimit quota; empty_gif; }
    location /page { ratelimit quota; error_page 503 =200 @page; empty_gif; }
    location @page { ratelimit other; return 200 "$ratelimit_status\n"; }
--- request eval
["GET /t?k=a&q=bad", "GET /t?k=a&q=0/1s", "GET /page?k=a&q=bad"]
--- error_code eval
[503, 420, 200]
--- response_headers eval
["Content-Type: text/html\nRetry-After: 1", "Content-Type: application/problem+json", "Retry-After: 1"]
--- response_body_like eval
["503", "quota-exceeded", "^ERROR\n"]



=== TEST 7: inherited by locations, if and limit_except, and replaced
--- http_config
    ratelimit_zone     zone=api:64k;
    ratelimit_policy   quota key=$arg_k quota=$arg_q;
    ratelimit_on_error refuse;
--- config
    ratelimit quota;
    location /outer { empty_gif; }
    location /pass  { ratelimit_on_error pass; empty_gif; location /pass/inner { ratelimit_on_error refuse; empty_gif; } }
    location /if    { if ($arg_k) { set $x 1; } empty_gif; }
    location /lmt   { limit_except POST { allow all; } empty_gif; }
--- request eval
["GET /outer?k=a&q=bad", "GET /pass?k=a&q=bad", "GET /pass/inner?k=a&q=bad", "GET /if?k=a&q=bad", "GET /lmt?k=a&q=bad"]
--- error_code eval
[503, 200, 503, 503, 503]



=== TEST 8: it is counted as an error; only who is let in has bypassed the policy
--- config
    location /pass   { ratelimit quota; empty_gif; }
    location /refuse { ratelimit quota; ratelimit_on_error refuse; empty_gif; }
    location /api    { ratelimit_api; allow all; }
--- request eval
["GET /pass?k=a&q=bad", "GET /refuse?k=a&q=bad", "GET /refuse?k=a&q=9/1h", "GET /api"]
--- error_code eval
[200, 503, 200, 200]
--- response_body_filters eval
[Api::any(), Api::any(), Api::any(), Api::counts(0)]
--- response_body eval
["", "", "", "admitted=1 refused=0 refused_dry_run=0 bypassed=1 refunded=0 errors=2\n"]



=== TEST 9: the log line of refuse
--- config
    location /t { ratelimit quota; ratelimit_on_error refuse; empty_gif; }
--- request
GET /t?k=a&q=bad
--- error_code: 503
--- error_log
ratelimit: policy "quota" has invalid quota "bad", it must be
; the policy cannot decide, client
--- no_error_log
[alert]
[emerg]

