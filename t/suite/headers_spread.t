use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# "spread": requests of one key that are refused are told different times.

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy short   key=$arg_k quota=2/600s algorithm=fixed;
    ratelimit_policy sliding key=$arg_k quota=2/600s;
    ratelimit_policy steady  key=$arg_k quota=2/600s algorithm=gcra;
    ratelimit_policy slow    key=$arg_k quota=1/1h algorithm=fixed;
    ratelimit_policy never   key=$arg_k quota=0/60s;
    ratelimit_policy month   key=$arg_k quota=1/12d algorithm=fixed;
    ratelimit_policy large   key=$arg_k quota=2/600s algorithm=fixed;
_END_
});

run_tests();

__DATA__

=== TEST 1: as many are told a window as it has units
--- timed
--- config
    location /t { ratelimit short; ratelimit_headers x-ratelimit spread; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a",
 "GET /t?k=b", "GET /t?k=b", "GET /t?k=b"]
--- error_code eval
[200, 200, 429, 429, 429, 429, 429, 200, 200, 429]
--- response_headers eval
["! Retry-After", "! Retry-After", "Retry-After: 600", "Retry-After: 600", "Retry-After: 1203", "Retry-After: 1203",
 "Retry-After: 1806", "! Retry-After", "! Retry-After", "Retry-After: 600"]



=== TEST 2: without it all are told the same
--- timed
--- config
    location /t { ratelimit short; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429, 429, 429]
--- response_headers eval
["", "", "Retry-After: 600", "Retry-After: 600", "Retry-After: 600"]



=== TEST 3: all that a response says is the same moment
--- timed
--- config
    location /t {
        ratelimit short;
        ratelimit_headers x-ratelimit ietf draft3 retry_after_ms spread;
        ratelimit_headers fields "X-Wait: {retry_after}" "X-{policy}-Wait: {reset}";
        ratelimit_body text/plain "$ratelimit_retry_after $ratelimit_retry_after_short $ratelimit_reset $ratelimit_reset_short $ratelimit_retry_after_ms";
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429, 429, 429]
--- response_headers_like eval
["", "", "", "Retry-After: 600",
 "Retry-After: 1203\nRetry-After-Ms: 120[23]\\d\\d\\d\nX-RateLimit-Reset: 1203\nRateLimit: \"short\";r=0;t=1203\nRateLimit-Reset: 1203\nX-Wait: 1203\nX-short-Wait: 1203"]
--- response_body_like eval
["", "", "^600 600 600 600 ", "^600 600 600 600 ", "^1203 1203 1203 1203 120[23]...\$"]



=== TEST 4: by sliding as by fixed, by gcra a unit after the other
--- timed
--- config
    ratelimit_headers ietf spread;
    location /sliding { ratelimit sliding; empty_gif; }
    location /steady  { ratelimit steady;  empty_gif; }
--- request eval
["GET /sliding?k=a", "GET /sliding?k=a", "GET /sliding?k=a", "GET /sliding?k=a", "GET /sliding?k=a",
 "GET /steady?k=a", "GET /steady?k=a", "GET /steady?k=a", "GET /steady?k=a", "GET /steady?k=a"]
--- error_code eval
[200, 200, 429, 429, 429, 200, 200, 429, 429, 429]
--- response_headers eval
["", "", "Retry-After: 600", "Retry-After: 600", "Retry-After: 1203",
 "", "", "Retry-After: 300", "Retry-After: 600", "Retry-After: 900"]



=== TEST 5: of several policies each has its turns, and the longest is told
--- timed
--- config
    ratelimit_headers x-ratelimit spread;
    location /short { ratelimit short; empty_gif; }
    location /both  { ratelimit short; ratelimit slow; empty_gif; }
--- request eval
["GET /both?k=a", "GET /short?k=a", "GET /both?k=a", "GET /both?k=a", "GET /short?k=a"]
--- error_code eval
[200, 200, 429, 429, 429]
--- response_headers eval
["", "", "Retry-After: 3600\nX-RateLimit-Limit: 1", "Retry-After: 7215\nX-RateLimit-Reset: 7215", "Retry-After: 1203"]



=== TEST 6: a level of its own goes back to the truth, one within inherits
--- timed
--- config
    ratelimit_headers spread;
    location /in  { ratelimit short; empty_gif; }
    location /out { ratelimit short; ratelimit_headers x-ratelimit; empty_gif; }
    location /off { ratelimit short; ratelimit_headers off; empty_gif; }
--- request eval
["GET /in?k=a", "GET /in?k=a", "GET /in?k=a", "GET /in?k=a", "GET /out?k=a", "GET /in?k=a", "GET /off?k=a"]
--- error_code eval
[200, 200, 429, 429, 429, 429, 429]
--- response_headers eval
["", "", "Retry-After: 600", "Retry-After: 600", "Retry-After: 600", "Retry-After: 1203\n! X-RateLimit-Limit",
 "Retry-After: 600"]



=== TEST 7: at most eight windows more, and never above the cap
--- timed
--- config
    location /t      { ratelimit short; ratelimit_headers spread; empty_gif; }
    location /capped { ratelimit slow;  ratelimit_headers spread retry_after_max=59s; empty_gif; }
    location /month  { ratelimit month; ratelimit_headers spread; empty_gif; }
--- init
RateLimit::curl('-i', '/t?k=a') for 1 .. 40;
--- request eval
["GET /t?k=a", "GET /capped?k=a", "GET /capped?k=a", "GET /capped?k=a", "GET /month?k=a", "GET /month?k=a", "GET /month?k=a"]
--- error_code eval
[429, 200, 429, 429, 200, 429, 429]
--- response_headers_like eval
["Retry-After: 48\\d\\d", "", "Retry-After: 59", "Retry-After: 59", "", "Retry-After: 1036800", "Retry-After: 1728000"]



=== TEST 8: costs weigh
--- timed
--- config
    location /t { ratelimit large cost=$arg_cost; ratelimit_headers spread; empty_gif; }
--- request eval
["GET /t?k=a&cost=2", "GET /t?k=a&cost=2", "GET /t?k=a&cost=1", "GET /t?k=a&cost=2", "GET /t?k=a&cost=3"]
--- error_code eval
[200, 429, 429, 429, 429]
--- response_headers eval
["", "Retry-After: 600", "Retry-After: 1203", "Retry-After: 1806", "Retry-After: 600"]



=== TEST 9: where waiting cannot help, and in a dry run, there are no turns
--- timed
--- config
    ratelimit_headers x-ratelimit spread;
    location /never { ratelimit never; empty_gif; }
    location /dry   { ratelimit slow dry_run=on; empty_gif; }
    location /slow  { ratelimit slow; empty_gif; }
--- request eval
["GET /never?k=a", "GET /never?k=a", "GET /never?k=a", "GET /dry?k=b", "GET /dry?k=b", "GET /dry?k=b", "GET /slow?k=b"]
--- error_code eval
[429, 429, 429, 200, 200, 200, 429]
--- response_headers eval
["Retry-After: 60", "Retry-After: 60", "Retry-After: 60", "! Retry-After", "! Retry-After", "! Retry-After", "Retry-After: 3600"]
