use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

our ($id, $other);

run_tests();

__DATA__

=== TEST 1: behind a decision the variables say what was decided
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1m algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        add_header X-All "$ratelimit_status $ratelimit_policy $ratelimit_limit $ratelimit_remaining $ratelimit_reset [$ratelimit_retry_after] $ratelimit_window" always;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-All: PASSED token 2 1 60 [] 1m", "X-All: PASSED token 2 0 60 [] 1m", "X-All: REJECTED token 2 0 60 [60] 1m"]



=== TEST 2: $ratelimit_status, every value
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1m;
    ratelimit_policy open  key=$arg_k quota=9/1m;
    add_header X-Status "[$ratelimit_status]" always;
--- config
    location /none     { empty_gif; }
    location /passed   { ratelimit open; empty_gif; }
    location /rejected { ratelimit token; empty_gif; }
    location /dry      { ratelimit token; ratelimit_dry_run on; empty_gif; }
    location /bypassed { ratelimit token if=0; empty_gif; }
    location /off      { ratelimit off; empty_gif; }
--- request eval
[map { "GET /$_?k=a" } qw(none passed rejected dry bypassed off)]
--- error_code eval
[200, 200, 429, 200, 200, 200]
--- response_headers eval
["X-Status: []", "X-Status: [PASSED]", "X-Status: [REJECTED]", "X-Status: [REJECTED_DRY_RUN]", "X-Status: [BYPASSED]", "X-Status: []"]



=== TEST 3: read before any decision they only look: /rate_limit tells a client's standing
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1m algorithm=fixed;
--- config
    ratelimit token;
    location /t { empty_gif; }
    location /rate_limit {
        return 200 "$ratelimit_policy $ratelimit_limit $ratelimit_remaining $ratelimit_reset $ratelimit_window [$ratelimit_status]\n";
    }
--- request eval
["GET /rate_limit?k=a", "GET /rate_limit?k=a", "GET /t?k=a", "GET /rate_limit?k=a", "GET /t?k=a", "GET /t?k=a", "GET /rate_limit?k=a", "GET /rate_limit?k=b"]
--- error_code eval
[200, 200, 200, 200, 200, 429, 200, 200]
--- response_body_filters eval
[map { [$_] } (sub { $_[0] }) x 2, sub { "" }, sub { $_[0] }, sub { "" }, sub { "" }, (sub { $_[0] }) x 2]
--- response_body_like eval
["^token 2 2 \\d+ 1m \\[\\]\$", "^token 2 2 \\d+ 1m \\[\\]\$", "", "^token 2 1 60 1m \\[\\]\$", "", "", "^token 2 0 60 1m \\[\\]\$", "^token 2 2 \\d+ 1m \\[\\]\$"]



=== TEST 4: _NAME is of one policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute   key=$arg_k quota=10/1m algorithm=fixed;
    ratelimit_policy per_hour key=$arg_k quota=20/1h algorithm=fixed;
--- config
    location /t {
        ratelimit minute;
        ratelimit per_hour cost=3;
        add_header X-Minute "$ratelimit_status_minute $ratelimit_policy_minute $ratelimit_limit_minute $ratelimit_remaining_minute $ratelimit_reset_minute $ratelimit_window_minute" always;
        add_header X-Hour "$ratelimit_status_per_hour $ratelimit_policy_per_hour $ratelimit_limit_per_hour $ratelimit_remaining_per_hour $ratelimit_reset_per_hour $ratelimit_window_per_hour" always;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-Minute: PASSED minute 10 9 60 1m
X-Hour: PASSED per_hour 20 17 3600 1h



=== TEST 5: _NAME on a refusal: who refused and who did not
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=1/1m algorithm=fixed;
    ratelimit_policy hour   key=$arg_k quota=20/1h algorithm=fixed;
--- config
    location /t {
        ratelimit minute;
        ratelimit hour;
        add_header X-Minute "$ratelimit_status_minute [$ratelimit_retry_after_minute] $ratelimit_remaining_minute" always;
        add_header X-Hour   "$ratelimit_status_hour [$ratelimit_retry_after_hour] $ratelimit_remaining_hour" always;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["X-Minute: PASSED [] 0\nX-Hour: PASSED [] 19", "X-Minute: REJECTED [60] 0\nX-Hour: PASSED [] 19"]



=== TEST 6: _NAME of a policy that stands elsewhere only looks
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=10/1m;
    ratelimit_policy search key=$arg_k quota=5/1m;
--- config
    location /t { ratelimit token; add_header X-Search "$ratelimit_remaining_search" always; empty_gif; }
    location /search { ratelimit search; empty_gif; }
    location /rate_limit { return 200 "$ratelimit_remaining_token $ratelimit_remaining_search\n"; }
--- request eval
["GET /t?k=a", "GET /search?k=a", "GET /t?k=a", "GET /rate_limit?k=a"]
--- error_code eval
[(200) x 4]
--- response_headers eval
["X-Search: 5", "", "X-Search: 4", ""]
--- response_body_filters eval
[map { [$_] } (sub { "" }) x 3, sub { $_[0] }]
--- response_body eval
["", "", "", "8 4\n"]



=== TEST 7: $ratelimit_reset_at is a Unix time
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1d algorithm=calendar;
--- config
    location /t { ratelimit token; add_header X-At "$ratelimit_reset_at $ratelimit_reset_at_token" always; empty_gif; }
--- request
GET /t?k=a
--- response_headers eval
my $at = 86400 * (int(time() / 86400) + 1);
"X-At: $at $at"



=== TEST 8: $ratelimit_window is as it was written
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a key=$arg_k quota=1/60s;
    ratelimit_policy b key=$arg_k quota=2/1m;
    ratelimit_policy c key=$arg_k quota=3/60000ms;
    ratelimit_policy d key=$arg_k quota=4/$arg_w;
--- config
    location /t {
        ratelimit a; ratelimit b; ratelimit c; ratelimit d;
        add_header X-Window "$ratelimit_window_a $ratelimit_window_b $ratelimit_window_c $ratelimit_window_d";
        empty_gif;
    }
--- request
GET /t?k=a&w=24h
--- response_headers
X-Window: 60s 1m 60000ms 24h



=== TEST 9: $ratelimit_key_id is 16 hex digits, the same for the same key and policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=9/1m;
    ratelimit_policy two key=$arg_k quota=9/1m;
--- config
    location /t { ratelimit one; ratelimit two; proxy_pass http://backend; proxy_set_header X-One $ratelimit_key_id_one; proxy_set_header X-Two $ratelimit_key_id_two; }
--- backend
    location / { return 200 "$http_x_one $http_x_two"; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=b"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[[sub { $main::id = $_[0]; $_[0] =~ /\A([0-9a-f]{16}) (?!\1)[0-9a-f]{16}\z/ ? "two ids" : $_[0] }],
 [sub { $_[0] eq $main::id ? "the same" : "others" }],
 [sub { $_[0] eq $main::id ? "the same" : "others" }]]
--- response_body eval
["two ids", "the same", "others"]



=== TEST 10: looking and deciding name the same key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=9/1m;
--- config
    ratelimit one;
    location /look { return 200 "$ratelimit_key_id"; }
    location /t { proxy_pass http://backend; proxy_set_header X-Id $ratelimit_key_id; }
--- backend
    location / { return 200 "$http_x_id"; }
--- request eval
["GET /look?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200]
--- response_body_filters eval
[[sub { $main::other = $_[0]; "" }], [sub { $_[0] eq $main::other && length $_[0] == 16 ? "the same" : "another" }]]
--- response_body eval
["", "the same"]



=== TEST 11: in a subrequest they are the main request's
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=9/1m;
    ratelimit_policy inner key=$arg_k quota=5/1m;
--- config
    location /t { ratelimit token; ssi on; ssi_types text/plain; default_type text/plain; alias $TEST_NGINX_HTML_DIR/page; }
    location /part { ratelimit inner; proxy_pass http://backend; proxy_set_header X-All "$ratelimit_status $ratelimit_policy $ratelimit_remaining"; }
--- backend
    location / { return 200 "$http_x_all"; }
--- user_files
>>> page
[<!--# include virtual="/part" -->]
--- request
GET /t?k=a
--- response_body
[PASSED token 8]



=== TEST 12: they are not cached: before and behind the decision
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=9/1m;
--- config
    location /t {
        ratelimit token;
        set $before $ratelimit_remaining;
        add_header X-Before $before;
        add_header X-After $ratelimit_remaining;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-Before: 9
X-After: 8



=== TEST 13: without a key there is no standing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=9/1m;
--- config
    ratelimit token;
    location /t { return 200 "[$ratelimit_policy][$ratelimit_limit][$ratelimit_remaining][$ratelimit_reset][$ratelimit_reset_at][$ratelimit_retry_after][$ratelimit_window][$ratelimit_key_id]\n"; }
--- response_body
[][][][][][][][]



=== TEST 14: where no ratelimit stands they are empty
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=9/1m;
--- config
    location /t { return 200 "[$ratelimit_status][$ratelimit_policy][$ratelimit_remaining]\n"; }
--- request
GET /t?k=a
--- response_body
[][][]



=== TEST 15: of several, the unsuffixed ones look at the one nearest to refusing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=10/1m;
    ratelimit_policy hour   key=$arg_k quota=5/1h;
    ratelimit_policy secret key=$arg_k quota=1/1h hidden;
--- config
    ratelimit minute; ratelimit hour; ratelimit secret;
    location /t { return 200 "$ratelimit_policy $ratelimit_remaining\n"; }
--- request
GET /t?k=a
--- response_body
hour 5



=== TEST 16: the variables may steer proxying
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1m;
    map $ratelimit_remaining $mood { default fine; 0 last; }
--- config
    location /t { ratelimit token; proxy_set_header X-Mood $mood; proxy_pass http://backend; }
--- backend
    location / { return 200 "$http_x_mood\n"; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- response_body eval
["fine\n", "last\n"]
--- error_code eval
[200, 200]



=== TEST 17: an unknown _NAME does not pass nginx -t
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1m;
--- config
    location /t { return 200 $ratelimit_remaining_nope; }
--- must_die
--- error_log
[emerg]
unknown policy "nope" in variable "$ratelimit_remaining_nope"



=== TEST 18: so that $ratelimit_reset_at is unambiguous, no policy may be called at...
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy at key=$arg_k quota=2/1m;
--- must_die
--- error_log
invalid name "at" in "ratelimit_policy"



=== TEST 19: looking creates no bucket and charges nothing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1m;
--- config
    ratelimit token;
    location /look { return 200 "$ratelimit_remaining\n"; }
    location /t { empty_gif; }
--- init
RateLimit::pipeline(100, sub { "/look?k=a" });
--- request eval
["GET /look?k=a", "GET /t?k=a", "GET /look?k=a"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[[sub { $_[0] }], [sub { "" }], [sub { $_[0] }]]
--- response_body eval
["1\n", "", "0\n"]



=== TEST 20: a main request without a limit has no standing, though its subrequest's location has one
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy inner key=everybody quota=5/1m;
--- config
    location /t { ssi on; ssi_types text/plain; default_type text/plain; alias $TEST_NGINX_HTML_DIR/page; }
    location /part { ratelimit inner; proxy_pass http://backend; proxy_set_header X-All "$ratelimit_status.$ratelimit_policy.$ratelimit_remaining"; }
--- backend
    location / { return 200 "$http_x_all"; }
--- user_files
>>> page
[<!--# include virtual="/part" -->]
--- response_body
[..]



=== TEST 21: a policy may depend on another one's standing, and a line on its own policy's
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=5/1h;
    ratelimit_policy two key=$arg_k key=$ratelimit_status_two.$ratelimit_policy_one quota=${ratelimit_remaining_one}0/1h;
    ratelimit_policy three key=$arg_k quota=7/1h;
--- config
    location /look { return 200 "$ratelimit_limit_two\n"; }
    location /t {
        ratelimit one;
        ratelimit two phase=precontent;
        ratelimit three phase=precontent if=$ratelimit_remaining_three cost=$ratelimit_remaining_three;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request eval
["GET /look?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["", "X-one-remaining: 4\nX-two-max: 40\nX-three-remaining: 0", "X-one-remaining: 3\nX-two-max: 30\n! X-three-remaining"]
--- response_body_filters eval
[[sub { $_[0] }], [sub { "" }], [sub { "" }]]
--- response_body eval
["50\n", "", ""]



=== TEST 22: a look within a look yields nothing: what a map hides from nginx -t
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_m       $own   { volatile; default "<$ratelimit_remaining_one$ratelimit_remaining_one>"; }
    map $arg_m       $back  { volatile; default "[$ratelimit_remaining_two]"; }
    map $arg_m       $forth { volatile; default "($ratelimit_remaining_three)"; }
    ratelimit_policy one   key=$own   quota=1/1h;
    ratelimit_policy two   key=$forth quota=2/1h;
    ratelimit_policy three key=$back  quota=3/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit one; ratelimit two; ratelimit three; empty_gif; }
    location /look { return 200 "$ratelimit_remaining_one $ratelimit_remaining_two $ratelimit_remaining_three\n"; }
--- request eval
["GET /look", "GET /t", "GET /look"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["", "X-one-remaining: 0\nX-two-remaining: 1\nX-three-remaining: 2", ""]
--- response_body_filters eval
[[sub { $_[0] }], [sub { "" }], [sub { $_[0] }]]
--- response_body eval
["1 2 3\n", "", qr/\A1 \d \d\n\z/]



=== TEST 23: nor does a line whose condition asks which policy is reported
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=1/1h;
    ratelimit_policy two key=$arg_k quota=2/1h;
--- config
    location /t { ratelimit one if=$ratelimit_remaining; ratelimit two; set $x "$ratelimit_remaining $ratelimit_policy"; add_header X-Before $x; add_header X-After $ratelimit_policy; empty_gif; }
--- request
GET /t?k=a
--- response_headers
X-Before: 2 two
X-After: two



=== TEST 24: a look belongs to the key and the quota of its moment
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$k quota=$q;
--- config
    set $k everybody;
    set $q 9/1m;
    location /t { ratelimit one; empty_gif; }
    location /look {
        set $a "$ratelimit_remaining_one $ratelimit_window_one";
        set $k nobody;
        set $b "$ratelimit_remaining_one $ratelimit_window_one";
        set $q 7/60s;
        set $c "$ratelimit_remaining_one $ratelimit_window_one";
        set $q 7/1m;
        set $d "$ratelimit_remaining_one $ratelimit_window_one";
        set $k "";
        return 200 "$a, $b, $c, $d, $ratelimit_remaining_one\n";
    }
--- request eval
["GET /t", "GET /look"]
--- error_code eval
[200, 200]
--- response_body_filters eval
[[sub { "" }], [sub { $_[0] }]]
--- response_body eval
["", "8 1m, 9 1m, 7 60s, 7 1m, \n"]



=== TEST 25: a look where a line was asked and did not apply
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy none key=everybody quota=0/60s;
--- config
    location /t {
        ratelimit none if=$arg_never;
        add_header X-Look "$ratelimit_status_none $ratelimit_retry_after_none";
        empty_gif;
    }
--- request
GET /t
--- response_headers
X-Look: BYPASSED 60



=== TEST 26: the module's version
--- config
    location /t { return 200 "$ratelimit_version\n"; }
--- response_body_like
^\d+\.\d+\.\d+$
