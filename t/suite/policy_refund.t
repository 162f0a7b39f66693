use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: skip_status=304: Not Modified does not count, and its own fields show that
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_status=304;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; alias $TEST_NGINX_HTML_DIR/t; }
--- user_files
>>> t 202301021504.05
text
--- request eval
[("GET /t?k=a") x 4]
--- more_headers eval
my $not_modified = "If-Modified-Since: Mon, 02 Jan 2023 15:04:05 GMT";
["X: y", $not_modified, $not_modified, "X: y"]
--- error_code eval
[200, 304, 304, 200]
--- response_headers eval
["X-RateLimit-Remaining: 9", "X-RateLimit-Remaining: 9", "X-RateLimit-Remaining: 9", "X-RateLimit-Remaining: 8"]



=== TEST 2: a bucket that had been untouched is so again, whatever the algorithm and the cost
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=10/366d algorithm=sliding  skip_status=404;
    ratelimit_policy fixed    key=$arg_k quota=10/366d algorithm=fixed    skip_status=404;
    ratelimit_policy calendar key=$arg_k quota=10/366d algorithm=calendar skip_status=404;
    ratelimit_policy gcra     key=$arg_k quota=10/366d algorithm=gcra     skip_status=404;
--- config
    location /t {
        ratelimit sliding cost=7; ratelimit fixed cost=7; ratelimit calendar cost=7; ratelimit gcra cost=7;
        ratelimit_headers per-policy prefix=X-;
        root $TEST_NGINX_HTML_DIR;
    }
--- request eval
[("GET /t/nothing?k=a") x 3]
--- error_code eval
[404, 404, 404]
--- response_headers eval
[("X-sliding-remaining: 10\nX-fixed-remaining: 10\nX-calendar-remaining: 10\nX-gcra-remaining: 10") x 3]



=== TEST 3: a class of statuses, here from upstream
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_status=304,5xx;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; proxy_pass http://backend/$arg_s; }
--- backend
    location = /500 { return 500; }
    location = /599 { return 599; }
    location = /404 { return 404; }
    location = /200 { return 200; }
--- request eval
[map { "GET /t?k=a&s=$_" } 500, 599, 404, 200, 500]
--- error_code eval
[500, 599, 404, 200, 500]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 10, 10, 9, 8, 8]



=== TEST 4: a 502 and a 504 that nginx itself makes
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_status=5xx;
--- config
    location /502 { ratelimit token; ratelimit_headers x-ratelimit; proxy_pass http://backend; }
    location /504 { ratelimit token; ratelimit_headers x-ratelimit; proxy_read_timeout 100ms; proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- backend
    location / { return 444; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 300ms
--- tcp_reply: nothing of interest
--- request eval
["GET /502?k=a", "GET /504?k=a"]
--- error_code eval
[502, 504]
--- response_headers eval
["X-RateLimit-Remaining: 10", "X-RateLimit-Remaining: 10"]



=== TEST 5: without skip_status a failure keeps the charge
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; deny all; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[403, 403]
--- response_headers eval
["X-RateLimit-Remaining: 9", "X-RateLimit-Remaining: 8"]



=== TEST 6: HEAD gives back as GET does
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_status=404;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; root $TEST_NGINX_HTML_DIR; }
--- request
HEAD /t/nothing?k=a
--- error_code: 404
--- response_headers
X-RateLimit-Remaining: 10



=== TEST 7: the status is the one that is sent: error_page changes it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy skips  key=$arg_k quota=10/60s skip_status=404;
    ratelimit_policy skips2 key=$arg_k quota=10/60s skip_status=202;
--- config
    location /t {
        ratelimit skips; ratelimit skips2;
        ratelimit_headers per-policy prefix=X-;
        error_page 404 =202 /page.txt;
        root $TEST_NGINX_HTML_DIR;
    }
    location = /page.txt { root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> page.txt
page
--- request
GET /t/nothing?k=a
--- error_code: 202
--- response_headers
X-skips-remaining: 9
X-skips2-remaining: 10



=== TEST 8: what later modules make of a response counts: 206 and 416
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy parts key=$arg_k quota=10/60s skip_status=206;
    ratelimit_policy wrong key=$arg_k quota=10/60s skip_status=416;
    ratelimit_policy whole key=$arg_k quota=10/60s skip_status=200;
--- config
    location /t {
        ratelimit parts; ratelimit wrong; ratelimit whole;
        ratelimit_headers per-policy prefix=X-;
        alias $TEST_NGINX_HTML_DIR/t;
    }
--- user_files
>>> t
0123456789
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /t?k=c"]
--- more_headers eval
["Range: bytes=2-4", "Range: bytes=500-600", "X: y"]
--- error_code eval
[206, 416, 200]
--- response_headers eval
["X-parts-remaining: 10\nX-wrong-remaining: 9\nX-whole-remaining: 9",
 "X-parts-remaining: 9\nX-wrong-remaining: 10\nX-whole-remaining: 9",
 "X-parts-remaining: 9\nX-wrong-remaining: 9\nX-whole-remaining: 10"]



=== TEST 9: a refusal has nothing to give back, though its status is named
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s algorithm=fixed skip_status=429;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 429, 429]
--- response_headers eval
[("X-RateLimit-Remaining: 0") x 3]



=== TEST 10: an upstream's 429 is a status as any other
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_status=429;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; proxy_pass http://backend; }
--- backend
    location / { return 429; }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
X-RateLimit-Remaining: 10
! Retry-After



=== TEST 11: skip_if: a true value gives the units back
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_if=$upstream_http_x_free;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; proxy_pass http://backend/$arg_f; }
--- backend
    location / { return 200; }
    location = /1 { add_header X-Free 1; return 200; }
    location = /0 { add_header X-Free 0; return 200; }
    location = /yes { add_header X-Free yes; return 200; }
--- request eval
["GET /t?k=a&f=1", "GET /t?k=a&f=0", "GET /t?k=a&f=yes", "GET /t?k=a&f=none"]
--- error_code eval
[(200) x 4]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 10, 9, 9, 8]



=== TEST 12: count_status: only such responses stay charged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy logins key=$arg_k quota=2/60s algorithm=fixed count_status=401,403;
--- config
    location /t { ratelimit logins; ratelimit_headers x-ratelimit; proxy_pass http://backend/$arg_s; }
--- backend
    location = /200 { return 200; }
    location = /401 { return 401; }
    location = /403 { return 403; }
--- request eval
[map { "GET /t?k=a&s=$_" } 200, 200, 200, 401, 200, 403, 200, 401]
--- error_code eval
[200, 200, 200, 401, 200, 403, 429, 429]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 2, 2, 2, 1, 1, 0, 0, 0]



=== TEST 13: count_if: only with a true value they stay charged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s count_if=$upstream_http_x_wrong;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; proxy_pass http://backend/$arg_w; }
--- backend
    location = /0 { return 200; }
    location = /1 { add_header X-Wrong 1; return 200; }
--- request eval
[map { "GET /t?k=a&w=$_" } 0, 1, 0]
--- error_code eval
[200, 200, 200]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 10, 9, 9]



=== TEST 14: count_status and count_if together: either counts; skip_status has the last word
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s count_status=4xx count_if=$upstream_http_x_wrong skip_status=404;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; proxy_pass http://backend/$arg_s; }
--- backend
    location = /200   { return 200; }
    location = /wrong { add_header X-Wrong 1; return 200; }
    location = /401   { return 401; }
    location = /404   { return 404; }
--- request eval
[map { "GET /t?k=a&s=$_" } 200, "wrong", 401, 404]
--- error_code eval
[200, 200, 401, 404]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 10, 9, 8, 8]



=== TEST 15: count_status with auth_basic: wrong passwords are limited, right ones free
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy guesses key=$remote_addr quota=3/60s algorithm=fixed count_status=401;
--- config
    location /t {
        ratelimit guesses;
        auth_basic closed;
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        empty_gif;
    }
--- user_files
>>> users
alice:{PLAIN}secret
--- request eval
[("GET /t") x 8]
--- more_headers eval
my $right = "Authorization: Basic YWxpY2U6c2VjcmV0";
my $wrong = "Authorization: Basic YWxpY2U6d3Jvbmc=";
[$right, $right, $wrong, $right, $wrong, $wrong, $wrong, $right]
--- error_code eval
[200, 200, 401, 200, 401, 401, 429, 429]



=== TEST 16: parallel wrong passwords cannot pass: units are reserved at the decision
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy guesses key=$remote_addr quota=3/60s algorithm=fixed count_status=401;
    limit_req_zone   everybody zone=slow:64k rate=20r/s;
--- config
    location /t    { ratelimit guesses; auth_request /auth; empty_gif; }
    location = /auth { internal; proxy_pass http://backend; }
    location /look { ratelimit guesses cost=0; ratelimit_headers x-ratelimit; proxy_pass http://backend/401; }
--- backend
    location / { limit_req zone=slow burst=9; root $TEST_NGINX_HTML_DIR; error_page 404 =401 /401; }
    location = /401 { return 401; }
--- init
my @sockets;
for (1 .. 8) {
    my $socket = RateLimit::connection();
    print $socket "GET /t HTTP/1.0\r\n\r\n";
    push @sockets, $socket;
}
my %answers;
for my $socket (@sockets) {
    my $line = <$socket>;
    $answers{$1}++ if $line =~ /^HTTP\S+ (\d+)/;
}
RateLimit::publish('answers', CORE::join '', map { "$_: $answers{$_}\n" } sort keys %answers);
--- request eval
["GET /answers", "GET /look"]
--- error_code eval
[200, 401]
--- response_headers eval
["", "X-RateLimit-Remaining: 0"]
--- response_body eval
["401: 3\n429: 5\n", qr/401/]



=== TEST 17: a request that ends without response headers stays charged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=10/60s count_status=401;
--- config
    location /t    { ratelimit token; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/mute.sock; }
    location /look { ratelimit token cost=0; ratelimit_headers x-ratelimit; empty_gif; }
--- init
our $mute = IO::Socket::UNIX->new(Local => "$ENV{TEST_NGINX_HTML_DIR}/mute.sock", Listen => 1);
my $socket = RateLimit::connection();
print $socket "GET /t HTTP/1.1\r\nHost: localhost\r\n\r\n";
Time::HiRes::sleep(0.1);
close $socket;
Time::HiRes::sleep(0.1);
--- request
GET /look
--- response_headers
X-RateLimit-Remaining: 9



=== TEST 18: cached responses: a HIT that is not modified does not count
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_status=304;
    proxy_cache_path $TEST_NGINX_HTML_DIR/cache keys_zone=pages:1m;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        proxy_cache pages;
        proxy_cache_key $uri;
        proxy_cache_valid 200 1h;
        add_header X-Cache $upstream_cache_status always;
        proxy_pass http://backend/file;
    }
--- user_files
>>> file 202301021504.05
page
--- backend
    location / { root $TEST_NGINX_HTML_DIR; }
--- request eval
[("GET /t?k=a") x 3]
--- more_headers eval
["X: y", "If-Modified-Since: Mon, 02 Jan 2023 15:04:05 GMT", "X: y"]
--- error_code eval
[200, 304, 200]
--- response_headers eval
["X-Cache: MISS\nX-RateLimit-Remaining: 9", "X-Cache: HIT\nX-RateLimit-Remaining: 9", "X-Cache: HIT\nX-RateLimit-Remaining: 8"]



=== TEST 19: what is free when it comes from the cache
--- http_config
    ratelimit_zone   zone=api:64k;
    map $upstream_cache_status $cached { default 0; HIT 1; }
    ratelimit_policy token key=$arg_k quota=10/60s skip_if=$cached;
    proxy_cache_path $TEST_NGINX_HTML_DIR/cache keys_zone=pages:1m;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        proxy_cache pages;
        proxy_cache_key $uri;
        proxy_cache_valid 200 1h;
        proxy_pass http://backend/file;
    }
--- user_files
>>> file
page
--- backend
    location / { root $TEST_NGINX_HTML_DIR; }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 200]
--- response_headers eval
[("X-RateLimit-Remaining: 9") x 3]



=== TEST 20: settle= is the final cost, down
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=$arg_k quota=100/1h;
--- config
    location /t { ratelimit units cost=50 settle=$upstream_http_x_cost; ratelimit_headers x-ratelimit; proxy_pass http://backend/$arg_c; }
--- backend
    location = /none { return 200; }
    location = /3    { add_header X-Cost 3 always; return 200; }
    location = /0    { add_header X-Cost 0 always; return 404; }
--- request eval
["GET /t?k=a&c=3", "GET /t?k=a&c=0", "GET /t?k=a&c=none", "GET /t?k=a&c=3"]
--- error_code eval
[200, 404, 200, 429]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 97, 97, 47, 47]



=== TEST 21: settle= up, into debt if need be; Remaining is never negative
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=10/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=10/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=10/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=10/366d algorithm=gcra;
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding  settle=$upstream_http_x_cost; proxy_pass http://backend/25; }
    location /fixed    { ratelimit fixed    settle=$upstream_http_x_cost; proxy_pass http://backend/25; }
    location /calendar { ratelimit calendar settle=$upstream_http_x_cost; proxy_pass http://backend/25; }
    location /gcra     { ratelimit gcra     settle=$upstream_http_x_cost; proxy_pass http://backend/25; }
--- backend
    location = /25 { add_header X-Cost 25; return 200; }
--- request eval
[map { ("GET /$_?k=a", "GET /$_?k=a") } qw(sliding fixed calendar gcra)]
--- error_code eval
[(200, 429) x 4]
--- response_headers eval
[("X-RateLimit-Remaining: 0") x 8]



=== TEST 22: a settle's nonsense is logged, and the reserved cost stays
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=$arg_k quota=100/1h;
--- config
    location /t { ratelimit units cost=5 settle=$upstream_http_x_cost; ratelimit_headers x-ratelimit; proxy_pass http://backend; }
--- backend
    location / { add_header X-Cost lots; return 200; }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Remaining: 95
--- error_log
[error]
ratelimit: policy "units" has invalid settle "lots", it must be an integer of 0 to 999999999999999; the reserved cost stays



=== TEST 23: skip_status beats settle=
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=$arg_k quota=100/1h skip_status=5xx;
--- config
    location /t { ratelimit units cost=5 settle=$upstream_http_x_cost; ratelimit_headers x-ratelimit; proxy_pass http://backend; }
--- backend
    location / { add_header X-Cost 50 always; return 500; }
--- request
GET /t?k=a
--- error_code: 500
--- response_headers
X-RateLimit-Remaining: 100



=== TEST 24: one policy gives back, the other keeps
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy keeps key=$arg_k quota=10/60s;
    ratelimit_policy skips key=$arg_k quota=10/60s skip_status=404;
--- config
    location /t { ratelimit keeps; ratelimit skips; ratelimit_headers per-policy prefix=X-; root $TEST_NGINX_HTML_DIR; }
--- request eval
["GET /t/nothing?k=a", "GET /t/nothing?k=a"]
--- error_code eval
[404, 404]
--- response_headers eval
["X-keeps-remaining: 9\nX-skips-remaining: 10", "X-keeps-remaining: 8\nX-skips-remaining: 10"]



=== TEST 25: a refund never mints units: many responses that give back, in parallel with others
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=100/1h algorithm=fixed skip_status=404;
--- config
    keepalive_requests 10000;
    location /t    { ratelimit token; ratelimit_log_level info; root $TEST_NGINX_HTML_DIR; }
    location /look { ratelimit token cost=0; ratelimit_headers x-ratelimit; empty_gif; }
--- user_files
>>> t/there
there
--- init
RateLimit::pipeline(1000, sub { $_[0] % 10 ? "/t/nothing" : "/t/there" });
--- request
GET /look
--- response_headers
X-RateLimit-Remaining: 0



=== TEST 26: the whole response is told by the variables too
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s skip_status=404;
    log_format left '$status $ratelimit_remaining';
--- config
    location /t { ratelimit token; access_log logs/left.log left; root $TEST_NGINX_HTML_DIR; }
    location /seen { alias $TEST_NGINX_SERVER_ROOT/logs/left.log; default_type text/plain; }
--- user_files
>>> t/there
there
--- request eval
["GET /t/nothing?k=a", "GET /t/there?k=a", "GET /seen"]
--- error_code eval
[404, 200, 200]
--- response_body_filters eval
[[sub { '' }], [sub { '' }], [sub { $_[0] }]]
--- response_body eval
["", "", "404 10\n200 9\n"]



=== TEST 27: in dry run as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s skip_status=404;
--- config
    location /t { ratelimit token; ratelimit_dry_run on; ratelimit_headers x-ratelimit; root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> t/there
there
--- request eval
["GET /t/nothing?k=a", "GET /t/there?k=a", "GET /t/nothing?k=a"]
--- error_code eval
[404, 200, 404]
--- response_headers eval
["X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0"]



=== TEST 28: behind an internal redirect the policies of both locations give back
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=everybody quota=10/60s skip_status=404;
    ratelimit_policy two key=everybody quota=10/60s skip_status=404;
--- config
    location /t { ratelimit one; try_files /nothing /inner; }
    location /inner { ratelimit two; ratelimit_headers per-policy prefix=X-; root $TEST_NGINX_HTML_DIR; }
--- error_code: 404
--- response_headers
X-one-remaining: 10
X-two-remaining: 10



=== TEST 29: statuses that are none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h skip_status=6xx;
--- must_die
--- error_log
invalid skip_status "6xx" in "ratelimit_policy", it must be codes of 200 to 599 or classes such as 5xx, separated by "," in



=== TEST 30: the same for count_status
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h count_status=401,;
--- must_die
--- error_log
invalid count_status "401," in "ratelimit_policy", it must be codes of 200 to 599 or classes such as 5xx, separated by "," in



=== TEST 31: a client that goes away before the response pays what was reserved, or what is known by then
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy reserved key=everybody quota=100/1h skip_status=499,5xx;
    ratelimit_policy known    key=everybody quota=100/1h;
    ratelimit_policy less     key=everybody quota=100/1h;
    ratelimit_policy nothing  key=everybody quota=100/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t {
        ratelimit reserved cost=5 settle=$upstream_http_x_cost;
        ratelimit known    cost=5 settle=$arg_cost;
        ratelimit less     cost=5 settle=1;
        ratelimit nothing  cost=$arg_none settle=$upstream_http_x_cost;
        proxy_pass http://unix:$TEST_NGINX_HTML_DIR/mute.sock;
    }
    location /look { ratelimit reserved known less nothing cost=0; empty_gif; }
--- init
our $mute = IO::Socket::UNIX->new(Local => "$ENV{TEST_NGINX_HTML_DIR}/mute.sock", Listen => 5);
for my $uri ('/t?cost=20&none=0') {
    my $socket = RateLimit::connection();
    print $socket "GET $uri HTTP/1.1\r\nHost: localhost\r\n\r\n";
    Time::HiRes::sleep(0.1);
    close $socket;
}
Time::HiRes::sleep(0.1);
--- request
GET /look
--- response_headers
X-reserved-remaining: 95
X-known-remaining: 80
X-less-remaining: 99
X-nothing-remaining: 100



=== TEST 32: an X-Accel-Redirect into another proxy_pass does not lose the settled cost
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=$arg_k quota=100/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit units cost=5 settle=$upstream_http_x_cost; proxy_pass http://backend/$arg_to; }
    location = /files { internal; proxy_pass http://backend/file; }
    location = /costly { internal; ratelimit units cost=50 settle=$upstream_http_x_cost; proxy_pass http://backend/30; }
--- backend
    location = /plain  { add_header X-Cost 40; add_header X-Accel-Redirect /files; return 200; }
    location = /first  { add_header X-Cost 40; add_header X-Accel-Redirect /costly; return 200; }
    location = /second { add_header X-Accel-Redirect /costly; return 200; }
    location = /wrong  { add_header X-Cost lots; add_header X-Accel-Redirect /costly; return 200; }
    location = /30     { add_header X-Cost 30; return 200; }
    location = /file   { return 200; }
--- request eval
[map { "GET /t?k=$_&to=$_" } qw(plain first second wrong)]
--- error_code eval
[(200) x 4]
--- response_headers eval
[map { "X-units-remaining: $_" } 60, 60, 70, 70]



=== TEST 33: nor does an intercepted error, while the status is the one that is sent
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=$arg_k quota=100/1h skip_status=404;
    ratelimit_headers per-policy prefix=X-;
--- config
    proxy_intercept_errors on;
    location /sent { ratelimit units cost=5 settle=$upstream_http_x_cost; error_page 404 =200 /file; proxy_pass http://backend/none; }
    location /skipped { ratelimit units cost=5 settle=$upstream_http_x_cost; error_page 404 /file; proxy_pass http://backend/none; }
    location = /file { internal; proxy_pass http://backend; }
--- backend
    location = /none { add_header X-Cost 40 always; return 404; }
    location = /file { return 200; }
--- request eval
["GET /sent?k=a", "GET /skipped?k=b"]
--- error_code eval
[200, 404]
--- response_headers eval
["X-units-remaining: 60", "X-units-remaining: 100"]



=== TEST 34: a client that goes away behind such a redirect pays what the first upstream said
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=everybody quota=100/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit units cost=5 settle=$upstream_http_x_cost; proxy_pass http://backend; }
    location = /mute { internal; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/mute.sock; }
    location /look { ratelimit units cost=0; empty_gif; }
--- backend
    location / { add_header X-Cost 40; add_header X-Accel-Redirect /mute; return 200; }
--- init
our $mute = IO::Socket::UNIX->new(Local => "$ENV{TEST_NGINX_HTML_DIR}/mute.sock", Listen => 5);
for my $uri ('/t') {
    my $socket = RateLimit::connection();
    print $socket "GET $uri HTTP/1.1\r\nHost: localhost\r\n\r\n";
    Time::HiRes::sleep(0.1);
    close $socket;
}
Time::HiRes::sleep(0.1);
--- request
GET /look
--- response_headers
X-units-remaining: 60



=== TEST 35: a refusal behind the redirect leaves the settled cost alone
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=everybody quota=100/1h;
    ratelimit_policy never key=everybody quota=0/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit units cost=5 settle=$upstream_http_x_cost; proxy_pass http://backend; }
    location = /inner { internal; ratelimit never; empty_gif; }
--- backend
    location / { add_header X-Cost 40; add_header X-Accel-Redirect /inner; return 200; }
--- error_code: 429
--- response_headers
X-units-remaining: 60
X-never-remaining: 0



=== TEST 36: values of several upstreams are no cost: logged, and the reserved one stays
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=everybody quota=100/1h;
    ratelimit_headers per-policy prefix=X-;
    upstream two {
        server unix:$TEST_NGINX_HTML_DIR/none.sock;
        server unix:$TEST_NGINX_HTML_DIR/backend.sock backup;
    }
--- config
    location /t { ratelimit units cost=5 settle=$upstream_header_time; proxy_pass http://two; }
--- backend
    location / { return 200; }
--- response_headers
X-units-remaining: 95
--- error_log eval
qr/ratelimit: policy "units" has invalid settle "-, 0\.\d{3}".*; the reserved cost stays/



=== TEST 37: cost=0 beside settle= reserves nothing: nginx -t warns
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=everybody quota=100/1h;
--- config
    location /t { ratelimit units cost=0 settle=$upstream_http_x_cost; empty_gif; }
--- error_log eval
qr/\[warn\].*"cost=0" reserves nothing for "settle=": requests are admitted whatever is left, and free when the client goes away; reserve an estimate in .*nginx.conf:\d+/



=== TEST 38: a settle= beyond the maximum is the maximum, a decimal is rounded up
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy units key=$arg_k quota=100/1h;
--- config
    location /t { ratelimit units cost=5 settle=$upstream_http_x_cost; ratelimit_headers x-ratelimit; proxy_pass http://backend; }
--- backend
    location / { add_header X-Cost $arg_c; return 200; }
--- request eval
["GET /t?k=a&c=0.123", "GET /t?k=a&c=12.5", "GET /t?k=a&c=4294967297", "GET /t?k=a&c=1"]
--- response_headers eval
["X-RateLimit-Remaining: 99", "X-RateLimit-Remaining: 86", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0"]
--- error_code eval
[(200) x 3, 429]



=== TEST 39: of 499 and 444 there is no response: nginx -t warns
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a key=everybody quota=100/1h skip_status=304,499;
    ratelimit_policy b key=everybody quota=100/1h count_status=444;
    ratelimit_policy c key=everybody quota=100/1h skip_status=4xx;
--- config
    location /t { ratelimit a b c; empty_gif; }
--- error_log eval
[qr/\[warn\].*"skip_status=304,499" matches no response of nginx's: with 499 none is sent in .*nginx.conf:\d+/,
 qr/\[warn\].*"count_status=444" matches no response of nginx's: with 444 none is sent in .*nginx.conf:\d+/]
--- no_error_log
4xx
