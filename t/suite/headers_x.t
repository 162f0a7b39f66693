use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: x-ratelimit: limit, remaining, and the seconds until the whole quota is there again
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- raw_response_headers_like eval
[qr/X-RateLimit-Limit: 600\r\n(?:.*\r\n)*?X-RateLimit-Remaining: 599\r\n(?:.*\r\n)*?X-RateLimit-Reset: 60\r\n/,
 qr/X-RateLimit-Limit: 600\r\n(?:.*\r\n)*?X-RateLimit-Remaining: 598\r\n(?:.*\r\n)*?X-RateLimit-Reset: 60\r\n/]
--- error_code eval
[200, 200]



=== TEST 2: reset=delta is the default, and on a refusal equals Retry-After
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/90s algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit reset=delta;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["X-RateLimit-Limit: 1\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 90\n! Retry-After",
 "X-RateLimit-Limit: 1\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 90\nRetry-After: 90"]



=== TEST 3: reset=unix is a time in seconds, rounded up
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1d algorithm=calendar;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit reset=unix;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers eval
"X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 4\nX-RateLimit-Reset: " . 86400 * (int(time() / 86400) + 1)



=== TEST 4: reset=unix_ms is a time in milliseconds
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1d algorithm=calendar;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit reset=unix_ms;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers eval
"X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 4\nX-RateLimit-Reset: " . 86400 * (int(time() / 86400) + 1) . "000"



=== TEST 5: reset=unix of a sliding window is now and the window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1h;
--- config
    location /now {
        ratelimit token;
        ratelimit_headers x-ratelimit reset=unix;
        add_header X-In "$ratelimit_reset" always;
        add_header X-At "$ratelimit_reset_at" always;
        empty_gif;
    }
--- init
my $before = time();
my $answer = RateLimit::curl('-i', '/now?k=a');
my $after = time();
my ($reset) = $answer =~ /^X-RateLimit-Reset: (\d+)/m;
my ($in) = $answer =~ /^X-In: (\d+)/m;
my ($at) = $answer =~ /^X-At: (\d+)/m;
RateLimit::publish('seen', $in == 3600 && $at == $reset && $reset >= $before + 3600
                           && $reset <= $after + 3601 ? "right\n" : "$before $answer $after\n");
--- request
GET /seen
--- response_body
right



=== TEST 6: prefix= gives other names
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit prefix=X-Rate-Limit-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-Rate-Limit-Limit: 5
X-Rate-Limit-Remaining: 4
X-Rate-Limit-Reset: 60
! X-RateLimit-Limit



=== TEST 7: of several policies the one with the smallest remaining is reported
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=3/60s;
    ratelimit_policy hour   key=$arg_k quota=4/1h;
--- config
    location /both { ratelimit minute; ratelimit hour; ratelimit_headers x-ratelimit; empty_gif; }
    location /hour { ratelimit hour; empty_gif; }
--- request eval
["GET /both?k=a", "GET /hour?k=a", "GET /hour?k=a", "GET /both?k=a"]
--- error_code eval
[(200) x 4]
--- response_headers eval
["X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 2\nX-RateLimit-Reset: 60", "", "",
 "X-RateLimit-Limit: 4\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 3600"]



=== TEST 8: smallest remaining divided by its cost
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy calls key=$arg_k quota=10/60s;
    ratelimit_policy units key=$arg_k quota=100/60s;
--- config
    location /t {
        ratelimit calls;
        ratelimit units cost=20;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 100
X-RateLimit-Remaining: 80



=== TEST 9: ties go to the longest reset
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=5/60s;
    ratelimit_policy day    key=$arg_k quota=5/1d;
    ratelimit_policy hour   key=$arg_k quota=5/1h;
--- config
    location /t {
        ratelimit minute;
        ratelimit day;
        ratelimit hour;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 5
X-RateLimit-Remaining: 4
X-RateLimit-Reset: 86400



=== TEST 10: of several that refuse, the one that takes longest to admit again is reported
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=0/60s;
    ratelimit_policy day    key=$arg_k quota=0/1d;
    ratelimit_policy hour   key=$arg_k quota=0/1h;
--- config
    location /t {
        ratelimit minute;
        ratelimit day;
        ratelimit hour;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Retry-After: 86400
X-RateLimit-Limit: 0
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 86400



=== TEST 11: one that refuses is reported before one that admits, however little that has left
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy large key=$arg_k quota=100/60s;
    ratelimit_policy small key=$arg_k quota=1/1d;
--- config
    location /large { ratelimit large cost=$arg_c; empty_gif; }
    location /t {
        ratelimit small;
        ratelimit large cost=50;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /large?k=a&c=60", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["", "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 40"]



=== TEST 12: policies= says which may be reported
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=10/60s;
    ratelimit_policy hour   key=$arg_k quota=20/1h;
    ratelimit_policy day    key=$arg_k quota=30/1d;
--- config
    location /t {
        ratelimit minute;
        ratelimit hour;
        ratelimit day;
        ratelimit_headers x-ratelimit policies=hour,day;
        ratelimit_headers x-ratelimit policies=day prefix=X-Day-;
        ratelimit_headers x-ratelimit prefix=X-All-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 20
X-RateLimit-Remaining: 19
X-Day-Limit: 30
X-Day-Remaining: 29
X-All-Limit: 10
X-All-Remaining: 9



=== TEST 13: none of policies= decided: no fields
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=10/60s;
    ratelimit_policy hour   key=$arg_k quota=20/1h;
--- config
    location /t {
        ratelimit minute;
        ratelimit_headers x-ratelimit policies=hour;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
! X-RateLimit-Limit
! X-RateLimit-Remaining
! X-RateLimit-Reset



=== TEST 14: a refusal by one that may not be reported still has Retry-After
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=0/60s;
    ratelimit_policy hour   key=$arg_k quota=20/1h;
--- config
    location /t {
        ratelimit minute;
        ratelimit hour;
        ratelimit_headers x-ratelimit policies=hour;
        empty_gif;
    }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Retry-After: 60
X-RateLimit-Limit: 20
X-RateLimit-Remaining: 20



=== TEST 15: several dialects on one line, each with its parameters
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit reset=delta prefix=X-One- draft3 x-ratelimit;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-One-Remaining: 4
RateLimit-Remaining: 4
X-RateLimit-Remaining: 4



=== TEST 16: off, the default, may be written
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t { ratelimit token; ratelimit_headers off; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Retry-After: 60
! X-RateLimit-Limit



=== TEST 17: Remaining is never negative, the reset never more than the window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q/1h;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a&q=3", "GET /t?k=a&q=3", "GET /t?k=a&q=3", "GET /t?k=a&q=1"]
--- error_code eval
[200, 200, 200, 429]
--- response_headers_like eval
["X-RateLimit-Remaining: 2\nX-RateLimit-Reset: 3600", "X-RateLimit-Remaining: 1\nX-RateLimit-Reset: 3600",
 "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 3600", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 36\\d\\d"]



=== TEST 18: a refused response's reset equals Retry-After, whatever the algorithm
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=1/900ms algorithm=sliding;
    ratelimit_policy gcra     key=$arg_k quota=1/900ms algorithm=gcra;
    ratelimit_policy slow     key=$arg_k quota=1/1h algorithm=gcra capacity=4;
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
    location /slow     { ratelimit slow cost=3; empty_gif; }
--- request eval
["GET /sliding?k=a", "GET /sliding?k=a", "GET /gcra?k=a", "GET /gcra?k=a", "GET /slow?k=a", "GET /slow?k=a"]
--- error_code eval
[200, 429, 200, 429, 200, 429]
--- response_headers eval
["X-RateLimit-Reset: 1", "X-RateLimit-Reset: 1\nRetry-After: 1",
 "X-RateLimit-Reset: 1", "X-RateLimit-Reset: 1\nRetry-After: 1",
 "X-RateLimit-Remaining: 1\nX-RateLimit-Reset: 10800", "X-RateLimit-Remaining: 1\nX-RateLimit-Reset: 7200\nRetry-After: 7200"]
