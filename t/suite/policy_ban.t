use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_' . ($block->http_config // ''));
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=1/1m ban=10m,1h after=2;
    ratelimit_headers x-ratelimit;
    ratelimit_log_level notice;
_END_
});

run_tests();

__DATA__

=== TEST 1: the second refusal begins a ban, which outlasts the window
--- config
    location /t { ratelimit login; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=b"]
--- error_code eval
[200, 429, 429, 429, 200]
--- response_headers_like eval
["Retry-After:", "Retry-After: 6[0-5]", "Retry-After: 600\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 600",
 "Retry-After: (?:600|599)\nX-RateLimit-Reset: (?:600|599)", "Retry-After:"]



=== TEST 2: units that are back do not lift it
--- http_config
    ratelimit_policy quick key=$arg_k quota=1/500ms ban=10m after=1;
--- config
    location /t { ratelimit quick; empty_gif; }
--- init
my $url = 'http://127.0.0.1:' . server_port_for_client() . '/t?k=c';
1 while `curl -s -o /dev/null -w '%{http_code}' '$url'` == 200;
Time::HiRes::sleep(1.2);
--- request
GET /t?k=c
--- error_code: 429
--- response_headers_like
Retry-After: 59\d



=== TEST 3: what is told of it
--- http_config
--- config
    location /t { ratelimit login; ratelimit_body problem; empty_gif; }
    location /left { return 200 "$ratelimit_remaining_login $ratelimit_retry_after_login $ratelimit_limit_login"; }
--- request eval
[("GET /t?k=e") x 3, "GET /left?k=e", "GET /left?k=f"]
--- error_code eval
[200, 429, 429, 200, 200]
--- response_body_like eval
["GIF", "quota-exceeded", "violated-policies.*login", "^0 (?:600|599) 1\$", "^1  1\$"]



=== TEST 4: a dry run is told, and refuses nothing
--- config
    location /t { ratelimit login dry_run=on; empty_gif; add_header X-Status $ratelimit_status always; }
--- request eval
[("GET /t?k=g") x 4]
--- error_code eval
[200, 200, 200, 200]
--- response_headers eval
["X-Status: PASSED", ("X-Status: REJECTED_DRY_RUN\nRetry-After:") x 3]



=== TEST 5: a banned request charges no other policy
--- http_config
    ratelimit_policy other key=$arg_k quota=10/1h;
--- config
    location /t { ratelimit login other; ratelimit_headers per-policy prefix=X-; empty_gif; }
--- request eval
[("GET /t?k=h") x 5]
--- error_code eval
[200, 429, 429, 429, 429]
--- response_headers eval
[("X-other-remaining: 9") x 5]



=== TEST 6: only failed logins count, and after a ban so do few
--- http_config
    ratelimit_policy failed key=$arg_k quota=2/1m count_status=401 ban=1h after=1;
--- config
    location /t { ratelimit failed; error_page 404 =401 /nobody; root /nonexistent; }
    location /nobody { return 401; }
    location /good { ratelimit failed; empty_gif; }
--- request eval
["GET /good?k=i", "GET /good?k=i", "GET /good?k=i", "GET /t?k=i", "GET /t?k=i", "GET /t?k=i", "GET /good?k=i"]
--- error_code eval
[200, 200, 200, 401, 401, 429, 429]
--- response_headers_like eval
[("Retry-After:") x 5, "Retry-After: 3600", "Retry-After: (?:3600|3599)"]



=== TEST 7: ban_restarts
--- http_config
    ratelimit_policy strict key=$arg_k quota=1/500ms ban=5s after=1 ban_restarts;
--- config
    location /t { ratelimit strict; empty_gif; }
--- init
my $url = 'http://127.0.0.1:' . server_port_for_client() . '/t?k=j';
1 while `curl -s -o /dev/null -w '%{http_code}' '$url'` == 200;
Time::HiRes::sleep(1.2);
--- request
GET /t?k=j
--- error_code: 429
--- response_headers
Retry-After: 5



=== TEST 8: the API shows and lifts it
--- config
    location /t { ratelimit login; empty_gif; }
    location /api/ { ratelimit_api write=on; allow all; }
--- request eval
[("GET /t?k=l") x 3, "GET /api/keys?policy=login&key=l", "GET /api/", "GET /api/metrics",
 "DELETE /api/keys?policy=login&key=l", "GET /t?k=l"]
--- more_headers
Accept: application/json
--- error_code eval
[200, 429, 429, 200, 200, 200, 200, 200]
--- response_body_like eval
["", "", "", qr/"remaining": 0.*"banned_until": \d+/s, qr/"bans": 1/, qr/nginx_ratelimit_bans_total\{zone="api",policy="login"\} 1\n/,
 qr/"banned_until": null/, "GIF"]



=== TEST 9: cost=0 only looks
--- config
    location /t { ratelimit login; empty_gif; }
    location /look { ratelimit login cost=0; empty_gif; }
--- request eval
[("GET /t?k=m") x 3, "GET /look?k=m"]
--- error_code eval
[200, 429, 429, 200]



=== TEST 10: a line tells of each ban, once
--- config
    location /t { ratelimit login; empty_gif; }
--- init
my $url = 'http://127.0.0.1:' . server_port_for_client() . '/t?k=n';
`curl -s -o /dev/null '$url'` for 1 .. 6;
--- request
GET /t?k=n
--- error_code: 429
--- grep_error_log eval
qr/ratelimit: banned by policy "login", key [0-9a-f]{16}, for 600s/
--- grep_error_log_out eval
qr/^ratelimit: banned [^\n]*\n$/



=== TEST 11: and in dry run, of what it would be
--- config
    location /t { ratelimit login dry_run=on; empty_gif; }
--- init
my $url = 'http://127.0.0.1:' . server_port_for_client() . '/t?k=o';
`curl -s -o /dev/null '$url'` for 1 .. 6;
--- request
GET /t?k=o
--- grep_error_log eval
qr/ratelimit: would be banned \(dry run\)/
--- grep_error_log_out
ratelimit: would be banned (dry run)



=== TEST 12: beside a ban, too, nothing remains of what a dry run would refuse
--- http_config
    ratelimit_policy dry key=$arg_k quota=3/1h;
--- config
    location /t { ratelimit login; ratelimit dry cost=5 dry_run=on; empty_gif; add_header X-Dry $ratelimit_remaining_dry always; }
--- request eval
[("GET /t?k=p") x 4]
--- error_code eval
[200, 429, 429, 429]
--- response_headers eval
[("X-Dry: 0") x 4]
