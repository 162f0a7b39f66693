use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

our $id;

run_tests();

__DATA__

=== TEST 1: a refusal is one line with policy, key id and retry time, never the key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$http_x_key quota=0/60s;
--- config
    location /t { ratelimit token; empty_gif; }
--- more_headers
X-Key: topsecret
--- error_code: 429
--- error_log eval
[qr/\[error\] .*ratelimit: refused by policy "token", key [0-9a-f]{16}, retry after 60s[^0-9,]*, client: "?127\.0\.0\.1\b/]
--- no_error_log
topsecret



=== TEST 2: ratelimit_log_level sets the level
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /info   { ratelimit token; ratelimit_log_level info;   empty_gif; }
    location /notice { ratelimit token; ratelimit_log_level notice; empty_gif; }
    location /warn   { ratelimit token; ratelimit_log_level warn;   empty_gif; }
    location /error  { ratelimit token; ratelimit_log_level error;  empty_gif; }
    location /log    { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- request eval
["GET /info?k=a", "GET /notice?k=b", "GET /warn?k=c", "GET /error?k=d", "GET /log"]
--- error_code eval
[429, 429, 429, 429, 200]
--- response_body_filters eval
[map { [$_] } (sub { '' }) x 4, RateLimit::lines_like(qr/(\[\w+\]) .*ratelimit: refused by policy/)]
--- response_body eval
["", "", "", "", "[info]\n[notice]\n[warn]\n[error]\n"]



=== TEST 3: a level below the error log's stays silent
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t { ratelimit token; ratelimit_log_level notice; error_log logs/error.log warn; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- no_error_log
ratelimit: refused



=== TEST 4: repeats of the same refused key are suppressed: one line a second, with a count
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- init
RateLimit::pipeline(18, sub { "/t?k=a" });
--- request eval
["GET /log", "GET /t?k=a", "GET /log"]
--- wait: 1.05
--- error_code eval
[200, 429, 200]
--- response_body_filters eval
[map { [$_] } RateLimit::lines_like(qr/retry after \d+s(?:, \d+ similar suppressed)?/), sub { '' },
 RateLimit::lines_like(qr/retry after \d+s(?:, \d+ similar suppressed)?/)]
--- response_body eval
["retry after 60s\n", "", "retry after 60s\nretry after 60s, 17 similar suppressed\n"]



=== TEST 5: other keys are not suppressed with it, nor other policies
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=0/60s;
    ratelimit_policy two key=$arg_k quota=0/60s;
--- config
    location /one { ratelimit one; empty_gif; }
    location /two { ratelimit two; empty_gif; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- init
RateLimit::pipeline(6, sub { ("/one?k=a", "/one?k=b", "/two?k=a")[$_[0] % 3] });
--- request
GET /log
--- response_body_filters eval
[RateLimit::lines_like(qr/refused by policy "(\w+)"/)]
--- response_body
one
one
two



=== TEST 6: $ratelimit_key_id is the id of the log line
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/60s;
--- config
    location /t   { ratelimit token; ratelimit_body text/plain $ratelimit_key_id; empty_gif; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- request eval
["GET /t?k=a", "GET /log"]
--- error_code eval
[429, 200]
--- response_body_filters eval
[[sub { $main::id = $_[0]; $_[0] =~ /\A[0-9a-f]{16}\z/ ? "an id" : "no id" }],
 [sub { $_[0] =~ /policy "token", key $main::id, retry/ ? "the same" : "another" }]]
--- response_body eval
["an id", "the same"]



=== TEST 7: the request and the client stand on the line, as nginx does it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=0/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- error_code: 429
--- error_log eval
# Angie quotes values and has another name for the request's line.
[qr/retry after 3600s, client: ("?)127\.0\.0\.1\1, server: \1localhost\1, request(?:_line)?: "GET \/t HTTP\/1\.1"/]



=== TEST 8: a variable's nonsense is throttled as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- init
RateLimit::pipeline(20, sub { "/t?k=a&q=bad" });
--- request
GET /log
--- response_body_filters eval
[RateLimit::lines_like(qr/\[error\] .*ratelimit: (policy "token" has invalid quota "bad")/)]
--- response_body
policy "token" has invalid quota "bad"



=== TEST 9: admitted requests leave no line
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=5/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- no_error_log
ratelimit: refused
[error]



=== TEST 10: the hidden policy's refusals are logged under its name
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy secret key=everybody quota=0/60s hidden;
--- config
    location /t { ratelimit secret; empty_gif; }
--- error_code: 429
--- error_log
ratelimit: refused by policy "secret", key



=== TEST 11: the variables serve the access log
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s;
    log_format limits '$ratelimit_status $ratelimit_policy $ratelimit_limit $ratelimit_remaining [$ratelimit_retry_after]';
--- config
    location /t { ratelimit token; access_log logs/limits.log limits; empty_gif; }
    location /seen { alias $TEST_NGINX_SERVER_ROOT/logs/limits.log; default_type text/plain; }
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /seen"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[[sub { '' }], [sub { '' }], [sub { $_[0] }]]
--- response_body eval
["", "", "PASSED token 1 0 []\n" x 2]



=== TEST 12: a flood of one kind of nonsense does not hide another, nor another policy's
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=$arg_q scale=$arg_s algorithm=gcra capacity=$arg_c;
    ratelimit_policy two key=$arg_k quota=$arg_q;
--- config
    location /one { ratelimit one cost=$arg_cost settle=$arg_settle; empty_gif; }
    location /two { ratelimit two; empty_gif; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- init
RateLimit::pipeline(60, sub { "/one?k=a&q=9/1h&s=&c=9&cost=bad" });
RateLimit::pipeline(5, sub {
    ("/one?k=a&q=bad", "/one?k=a&q=9/1h&s=bad", "/one?k=a&q=9/1h&c=bad",
     "/one?k=b&q=9/1h&c=9&cost=1&settle=bad", "/two?k=a&q=bad")[$_[0]]
});
--- request
GET /log
--- response_body_filters eval
[RateLimit::lines_like(qr/ratelimit: (policy "\w+" has invalid \w+ "bad")/),
 sub { my %seen; CORE::join '', sort grep { !$seen{$_}++ } split /^/, $_[0] }]
--- response_body
policy "one" has invalid capacity "bad"
policy "one" has invalid cost "bad"
policy "one" has invalid quota "bad"
policy "one" has invalid scale "bad"
policy "one" has invalid settle "bad"
policy "two" has invalid quota "bad"



=== TEST 13: nor does a flood of refused keys, of which 120 a second are told of
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy none key=$arg_k quota=0/1h;
    ratelimit_policy bad  key=$arg_k quota=$arg_q;
--- config
    location /none { ratelimit none; empty_gif; }
    location /bad  { ratelimit bad; empty_gif; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- init
RateLimit::pipeline(900, sub { "/none?k=$_[0]" });
RateLimit::pipeline(1, sub { "/bad?k=a&q=bad" });
--- request
GET /log
--- response_body_filters eval
sub {
    my $refused = () = $_[0] =~ /ratelimit: refused/g;
    my $bad = () = $_[0] =~ /has invalid quota/g;
    ($refused <= 120 * 4 ? "a bounded number" : "$refused") . " and $bad\n";
}
--- response_body
a bounded number and 1



=== TEST 14: a complaint that repeats says how often
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$arg_q;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- init
RateLimit::pipeline(18, sub { "/t?k=a&q=bad" });
--- request eval
["GET /log", "GET /t?k=a&q=bad", "GET /log"]
--- wait: 1.05
--- response_body_filters eval
[map { [$_] } RateLimit::lines_like(qr/does not apply(?:, \d+ similar suppressed)?/), sub { '' },
 RateLimit::lines_like(qr/does not apply(?:, \d+ similar suppressed)?/)]
--- response_body eval
["does not apply\n", "", "does not apply\ndoes not apply, 17 similar suppressed\n"]
