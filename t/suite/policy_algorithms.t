use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: sliding is the default
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy plain   key=$arg_k quota=3/60s;
    ratelimit_policy sliding key=$arg_k quota=3/60s algorithm=sliding;
--- config
    ratelimit_headers x-ratelimit;
    location /plain   { ratelimit plain;   empty_gif; }
    location /sliding { ratelimit sliding; empty_gif; }
--- request eval
[("GET /plain?k=a", "GET /sliding?k=a") x 2]
--- response_headers eval
[("X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 2\nX-RateLimit-Reset: 60") x 2,
 ("X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 1\nX-RateLimit-Reset: 60") x 2]
--- error_code eval
[(200) x 4]



=== TEST 2: sliding never admits more than the quota in any interval as long as the window
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1s algorithm=sliding;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t?k=a") x 6]
--- wait: 0.35
--- error_code eval
[200, 200, 429, 200, 200, 429]



=== TEST 3: sliding, a burst at once comes back at once, a window later
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/300ms algorithm=sliding;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t?k=a") x 3]
--- wait: 0.35
--- error_code eval
[200, 200, 200]



=== TEST 4: sliding, a refused request says when to come back: the oldest unit's age
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s algorithm=sliding;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers_like eval
["X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 60",
 "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: (59|60)\nRetry-After: (59|60)"]



=== TEST 5: fixed, the window opens with the key's first request
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/60s algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 1\nX-RateLimit-Reset: 60",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 60",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 60\nRetry-After: 60"]



=== TEST 6: fixed, at the window's end the whole quota is there again
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1s algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 6]
--- wait: 0.35
--- error_code eval
[200, 200, 429, 200, 200, 429]
--- response_headers eval
["X-RateLimit-Remaining: 1\nX-RateLimit-Reset: 1", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1",
 "X-RateLimit-Remaining: 1\nX-RateLimit-Reset: 1", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1"]



=== TEST 7: calendar, windows on the clock's multiples of the window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy day  key=$arg_k quota=2/1d algorithm=calendar;
    ratelimit_policy hour key=$arg_k quota=2/1h algorithm=calendar;
    ratelimit_policy half key=$arg_k quota=2/12h algorithm=calendar;
--- config
    ratelimit_headers x-ratelimit reset=unix;
    location /day  { ratelimit day;  empty_gif; }
    location /hour { ratelimit hour; empty_gif; }
    location /half { ratelimit half; empty_gif; }
--- request eval
["GET /day?k=a", "GET /hour?k=a", "GET /half?k=a", "GET /day?k=a", "GET /day?k=a"]
--- error_code eval
[200, 200, 200, 200, 429]
--- response_headers eval
sub next_multiple { my ($s) = @_; return $s * (int(time() / $s) + 1); }
["X-RateLimit-Remaining: 1\nX-RateLimit-Reset: " . next_multiple(86400),
 "X-RateLimit-Remaining: 1\nX-RateLimit-Reset: " . next_multiple(3600),
 "X-RateLimit-Remaining: 1\nX-RateLimit-Reset: " . next_multiple(43200),
 "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: " . next_multiple(86400),
 "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: " . next_multiple(86400)]



=== TEST 8: calendar, at the window's end the whole quota is there again
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/300ms algorithm=calendar;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t?k=a") x 3]
--- wait: 0.32
--- error_code eval
[200, 200, 200]



=== TEST 9: gcra, the limit told is the capacity, by default the quota's units
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy plain key=$arg_k quota=5/1h algorithm=gcra;
    ratelimit_policy small key=$arg_k quota=5/1h algorithm=gcra capacity=2;
    ratelimit_policy large key=$arg_k quota=5/1h algorithm=gcra capacity=20;
--- config
    ratelimit_headers x-ratelimit;
    location /plain { ratelimit plain; empty_gif; }
    location /small { ratelimit small; empty_gif; }
    location /large { ratelimit large; empty_gif; }
--- request eval
["GET /plain?k=a", "GET /small?k=a", "GET /small?k=a", "GET /small?k=a", "GET /large?k=a"]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 4\nX-RateLimit-Reset: 720",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 1\nX-RateLimit-Reset: 720",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1440",
 "X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 720\nRetry-After: 720",
 "X-RateLimit-Limit: 20\nX-RateLimit-Remaining: 19\nX-RateLimit-Reset: 720"]



=== TEST 10: gcra, a steady rate: a unit comes back every 720 seconds, here every 100 ms
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1s algorithm=gcra capacity=1;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t?k=a") x 5]
--- wait: 0.12
--- error_code eval
[(200) x 5]



=== TEST 11: gcra, limit_req's burst=2 is capacity=3
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=3;
    limit_req_zone $arg_k zone=r:64k rate=1r/m;
--- config
    location /t { ratelimit token; empty_gif; }
    location /r { limit_req zone=r burst=2 nodelay; limit_req_status 429; empty_gif; }
--- request eval
[("GET /t?k=a", "GET /r?k=a") x 4]
--- error_code eval
[200, 200, 200, 200, 200, 200, 429, 429]



=== TEST 12: capacity= may come from a variable
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=$arg_c;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
--- request eval
["GET /t?k=a&c=2", "GET /t?k=b&c=7"]
--- response_headers eval
["X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 1", "X-RateLimit-Limit: 7\nX-RateLimit-Remaining: 6"]
--- error_code eval
[200, 200]



=== TEST 13: a capacity's nonsense is logged, and the policy does not apply
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=$arg_c;
--- config
    location /t { ratelimit token; empty_gif; }
--- request
GET /t?k=a&c=many
--- error_log
[error]
ratelimit: policy "token" has invalid capacity "many", it must be
; the policy does not apply



=== TEST 14: exact: 7 in 3 seconds is 7, not 2 a second
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=7/3s algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=7/3s algorithm=fixed;
    ratelimit_policy gcra     key=$arg_k quota=7/3s algorithm=gcra;
--- config
    keepalive_requests 10000;
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /fixed    { ratelimit fixed;    empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
--- init
my $text = '';
for my $name (qw(sliding fixed gcra)) {
    my $answers = RateLimit::pipeline(20, sub { "/$name?k=a" });
    $text .= "$name $answers->{200}\n";
}
RateLimit::publish('answers', $text);
--- request
GET /answers
--- response_body
sliding 7
fixed 7
gcra 7



=== TEST 15: more than a thousand a second is exact as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=2500/10s algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=2500/10s algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=2500/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=1/1h capacity=2500 algorithm=gcra;
    ratelimit_log_level info;
--- config
    keepalive_requests 10000;
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /fixed    { ratelimit fixed;    empty_gif; }
    location /calendar { ratelimit calendar; empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
--- init
my $text = '';
for my $name (qw(sliding fixed calendar gcra)) {
    my $answers = RateLimit::pipeline(3000, sub { "/$name?k=a" });
    $text .= "$name $answers->{200} $answers->{429}\n";
}
RateLimit::publish('answers', $text);
--- request
GET /answers
--- response_body
sliding 2500 500
fixed 2500 500
calendar 2500 500
gcra 2500 500



=== TEST 16: a client that waits for Retry-After is admitted, whatever the algorithm
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=1/1s algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=1/1s algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=1/1s algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=1/1s algorithm=gcra;
--- config
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /fixed    { ratelimit fixed;    empty_gif; }
    location /calendar { ratelimit calendar; empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
    location = /all    {
        ratelimit sliding; ratelimit fixed; ratelimit calendar; ratelimit gcra;
        empty_gif;
    }
--- request eval
["GET /all?k=a", "GET /all?k=a"]
--- wait: 1.1
--- error_code eval
[200, 200]



=== TEST 17: two policies that differ only in the algorithm do not share a bucket
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=1/1h algorithm=sliding;
    ratelimit_policy two key=$arg_k quota=1/1h algorithm=fixed;
--- config
    location /one { ratelimit one; empty_gif; }
    location /two { ratelimit two; empty_gif; }
--- request eval
["GET /one?k=a", "GET /two?k=a", "GET /one?k=a", "GET /two?k=a"]
--- error_code eval
[200, 200, 429, 429]
