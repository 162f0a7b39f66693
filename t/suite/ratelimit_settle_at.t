use lib 't/lib';
use BothEnds;
use Grpc;
use RateLimit;
use Test::More;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_' . ($block->more_http // '')) if !defined $block->http_config;
    ratelimit_zone    zone=api:64k;
    ratelimit_policy  units key=$arg_k quota=10000/1h;
    ratelimit_headers x-ratelimit;
_END_
    $block->set_value('config', $block->config . "\nlocation /look { ratelimit units cost=0; empty_gif; }\n");
    $block->set_value('request', "GET /look?k=none\n") if !defined $block->request;
});

master_on();
run_tests();

__DATA__

=== TEST 1: what was reserved is told with the response, what was sent is charged behind it
--- config
    location /t { ratelimit units cost=50 settle=$body_bytes_sent settle_at=end; root $TEST_NGINX_HTML_DIR; }
--- user_files eval
">>> t/file\n" . 'x' x 1000
--- request eval
["GET /t/file?k=a", "GET /look?k=a", "HEAD /t/file?k=b", "GET /look?k=b", "GET /t/none?k=c", "GET /look?k=d"]
--- error_code eval
[200, 200, 200, 200, 404, 200]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 9950, 9000, 9950, 10000, 9950, 10000]
--- response_body_filters eval
[(sub { '' }) x 6]
--- response_body eval
["", "", "", "", "", ""]



=== TEST 2: all algorithms, into debt if need be; it shows at the next request
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=10/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=10/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=10/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=10/366d algorithm=gcra;
    ratelimit_policy units    key=none quota=1/1h;
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding  settle=$upstream_http_x_cost settle_at=end; proxy_pass http://backend/25; }
    location /fixed    { ratelimit fixed    settle=$upstream_http_x_cost settle_at=end; proxy_pass http://backend/25; }
    location /calendar { ratelimit calendar settle=$upstream_http_x_cost settle_at=end; proxy_pass http://backend/25; }
    location /gcra     { ratelimit gcra     settle=$upstream_http_x_cost settle_at=end; proxy_pass http://backend/25; }
--- backend
    location = /25 { add_header X-Cost 25; return 200; }
--- request eval
[map { ("GET /$_?k=a", "GET /$_?k=a") } qw(sliding fixed calendar gcra)]
--- error_code eval
[(200, 429) x 4]
--- response_headers eval
[("X-RateLimit-Remaining: 9", "X-RateLimit-Remaining: 0") x 4]



=== TEST 3: unit=ms: seconds with decimals, of several upstreams too
--- config
    location /t { ratelimit units settle=$upstream_http_x_time unit=ms settle_at=end; proxy_pass http://backend/$arg_n; }
--- backend
    location = /1 { add_header X-Time 0.125; return 200; }
    location = /2 { add_header X-Time "0.125, - : 1.0001"; return 200; }
    location = /3 { add_header X-Time never; return 200; }
    location = /4 { add_header X-Time 1.; return 200; }
    location = /5 { add_header X-Time "1,2"; return 200; }
    location = /6 { add_header X-Time 99999999999999999999; return 200; }
--- request eval
[map { ("GET /t?k=$_&n=$_", "GET /look?k=$_") } 1 .. 6]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 9999, 9875, 9999, 8874, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 0]



=== TEST 4: a client that goes away pays what was sent so far; without a value what was reserved
--- config
    location /t { ratelimit units cost=7 settle=$upstream_response_length settle_at=end; proxy_buffering off; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock; }
    location /e { ratelimit units cost=7 settle=$upstream_http_x_none settle_at=end; proxy_buffering off; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock; }
--- init
for my $case (['/t?k=a', 500, 9500], ['/e?k=b', 0, 9993]) {
    my ($target, $bytes, $left) = @$case;
    my $open = BothEnds::open_at($target, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", "Connection: close\r\n");
    $open->passes('x' x $bytes);
    $open->is_left;
    my ($k) = $target =~ /k=(.*)/;
    Test::More::is(BothEnds::remaining("/look?k=$k"), $left, "aborted, of $target");
}



=== TEST 5: a client that goes away before any response
--- config
    location /t { ratelimit units cost=7 settle=$body_bytes_sent settle_at=end; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock; }
--- init
my $listener = BothEnds::listener();
my $client = RateLimit::connection();
syswrite $client, "GET /t?k=a HTTP/1.1\r\nHost: localhost\r\n\r\n";
my $backend = $listener->accept;
Test::More::is(BothEnds::remaining('/look?k=a'), 9993, 'what is reserved shows at once');
close $client;
sysread $backend, my $all, 65536;
sysread $backend, $all, 65536;
Test::More::is(BothEnds::remaining('/look?k=a'), 10000, 'nothing was sent');



=== TEST 6: an upgraded connection: at its end
--- config
    location /t {
        ratelimit units cost=100 settle=$upstream_bytes_received settle_at=end;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock;
    }
--- init
my $open = BothEnds::open_at('/t?k=a', $BothEnds::UPGRADED);
$open->passes('x' x 500);
Test::More::is(BothEnds::remaining('/look?k=a'), 9900, 'reserved while it lasts');
$open->ends;
Test::More::is(BothEnds::remaining('/look?k=a'), 9500 - length $BothEnds::UPGRADED, 'settled at its end');



=== TEST 7: settle_every= raises the charge of an upgraded connection, and gives nothing back before the end
--- config
    location /t {
        ratelimit units cost=400 settle=$upstream_bytes_received settle_at=end settle_every=1s;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock;
    }
--- init
my $open = BothEnds::open_at('/t?k=a', $BothEnds::UPGRADED);
my $head = length $BothEnds::UPGRADED;
$open->passes('x' x 100);
Time::HiRes::sleep(1.2);
Test::More::is(BothEnds::remaining('/look?k=a'), 9600, 'less than was reserved');
$open->passes('x' x 400);
Time::HiRes::sleep(1.2);
Test::More::is(BothEnds::remaining('/look?k=a'), 9500 - $head, 'raised once');
$open->passes('x' x 1000);
Time::HiRes::sleep(1.2);
Test::More::is(BothEnds::remaining('/look?k=a'), 8500 - $head, 'raised twice');
$open->passes('x' x 10);
$open->ends;
Test::More::is(BothEnds::remaining('/look?k=a'), 8490 - $head, 'the rest at the end');



=== TEST 8: parallel streams pass the quota by no more than each used beyond what it reserved
--- http_config
    ratelimit_zone    zone=api:64k;
    ratelimit_policy  units key=$arg_k quota=$arg_q/1h algorithm=fixed;
    ratelimit_headers x-ratelimit;
--- config
    location /t {
        ratelimit units cost=300 settle=$upstream_response_length settle_at=end;
        proxy_buffering off;
        proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock;
    }
--- init
my @open = map { BothEnds::open_at('/t?k=a&q=1000', "HTTP/1.1 200 OK\r\n\r\n", "Connection: close\r\n") } 1 .. 5;
Test::More::is(join(' ', map { $_->{status} } @open), '200 200 200 429 429', 'three fit');
$_->passes('x' x 500) for @open[0 .. 2];
$_->ends for @open[0 .. 2];
Test::More::is(BothEnds::remaining('/look?k=a&q=1000'), 0, 'nothing is left');
Test::More::is(BothEnds::remaining('/look?k=a&q=2000'), 500, '1500 were used: at most 1000 + 3 * (500 - 300)');



=== TEST 9: an X-Accel-Redirect, error_page and try_files: settled once, at the end
--- config
    location /accel { ratelimit units cost=5 settle=$body_bytes_sent settle_at=end; proxy_pass http://backend; }
    location /error { ratelimit units cost=5 settle=$body_bytes_sent settle_at=end; error_page 404 /file; proxy_intercept_errors on; proxy_pass http://backend; }
    location /try   { ratelimit units cost=5 settle=$body_bytes_sent settle_at=end; root $TEST_NGINX_HTML_DIR; try_files /none /file; }
    location = /file { internal; root $TEST_NGINX_HTML_DIR; }
--- backend
    location /accel { add_header X-Accel-Redirect /file; return 200; }
    location /error { return 404; }
--- user_files eval
">>> file\n" . 'x' x 100
--- request eval
[map { ("GET /$_?k=$_", "GET /look?k=$_") } qw(accel error try)]
--- error_code eval
[200, 200, 404, 200, 200, 200]
--- response_headers eval
[("X-RateLimit-Remaining: 9995", "X-RateLimit-Remaining: 9900") x 3]
--- response_body_filters eval
[(sub { '' }) x 6]
--- response_body eval
["", "", "", "", "", ""]



=== TEST 10: from the cache
--- more_http
    proxy_cache_path $TEST_NGINX_HTML_DIR/cache keys_zone=cache:1m;
--- config
    location /t { ratelimit units cost=5 settle=$body_bytes_sent settle_at=end; proxy_cache cache; proxy_cache_key same; proxy_cache_valid 1m; proxy_pass http://backend; add_header X-Cached $upstream_cache_status; }
--- backend
    location /t { return 200 0123456789; }
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /look?k=b"]
--- response_headers eval
["X-Cached: MISS", "X-Cached: HIT", "X-RateLimit-Remaining: 9990"]
--- response_body_filters eval
[(sub { '' }) x 3]
--- response_body eval
["", "", ""]



=== TEST 11: HTTP/2
--- config
    location /t { ratelimit units cost=5 settle=$body_bytes_sent settle_at=end; root $TEST_NGINX_HTML_DIR; }
--- http2
--- user_files eval
">>> t/file\n" . 'x' x 1000
--- request eval
["GET /t/file?k=a", "GET /look?k=a"]
--- response_headers eval
["X-RateLimit-Remaining: 9995", "X-RateLimit-Remaining: 9000"]
--- response_body_filters eval
[(sub { '' }) x 2]
--- response_body eval
["", ""]



=== TEST 12: what skip_status= gave back is not settled any more
--- http_config
    ratelimit_zone    zone=api:64k;
    ratelimit_policy  units key=$arg_k quota=10000/1h skip_status=404;
    ratelimit_headers x-ratelimit;
--- config
    location /t { ratelimit units cost=5 settle=77 settle_at=end; root $TEST_NGINX_HTML_DIR; }
--- request eval
["GET /t/none?k=a", "GET /look?k=a"]
--- error_code eval
[404, 200]
--- response_headers eval
["X-RateLimit-Remaining: 10000", "X-RateLimit-Remaining: 10000"]



=== TEST 13: a refused request is charged nothing, in whatever phase it is refused
--- more_http
    ratelimit_policy  never key=$arg_k quota=0/1h;
--- config
    location /now   { ratelimit units cost=5 settle=77 settle_at=end; ratelimit never; empty_gif; }
    location /later { ratelimit units cost=5 settle=77 settle_at=end; ratelimit never phase=precontent; empty_gif; }
--- request eval
["GET /now?k=a", "GET /look?k=a", "GET /later?k=a", "GET /look?k=a"]
--- error_code eval
[429, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 10000", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 10000"]



=== TEST 14: dry run counts as enforcement would
--- http_config
    ratelimit_zone    zone=api:64k;
    ratelimit_policy  units key=$arg_k quota=100/1h algorithm=fixed;
    ratelimit_headers x-ratelimit;
--- config
    location /t { ratelimit units cost=60 settle=80 settle_at=end dry_run=on; empty_gif; }
--- request eval
["GET /t?k=a", "GET /look?k=a", "GET /t?k=a", "GET /look?k=a"]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 40, 20, 0, 20]



=== TEST 15: before a post_action, which settles nothing
--- config
    location /t     { ratelimit units cost=5 settle=$upstream_http_x_cost settle_at=end; post_action /after; proxy_pass http://backend/30; }
    location /after { proxy_pass http://backend/9; }
--- backend
    location /30 { add_header X-Cost 30; return 200; }
    location /9  { add_header X-Cost 9; return 200; }
--- request eval
["GET /t?k=a", "GET /look?k=a"]
--- response_headers eval
["X-RateLimit-Remaining: 9995", "X-RateLimit-Remaining: 9970"]



=== TEST 16: a worker that is to exit settles what ends with it
--- config
    location /t {
        ratelimit units cost=100 settle=$upstream_bytes_received settle_at=end settle_every=1h;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock;
    }
--- main_config
    worker_shutdown_timeout 200ms;
--- init
my $open = BothEnds::open_at('/t?k=a', $BothEnds::UPGRADED);
$open->passes('x' x 500);
RateLimit::curl('', '/look?k=b');
kill HUP => Test::Nginx::Util::get_pid_from_pidfile('reload');
while (sysread $open->{client}, my $rest, 65536) { }
Test::More::is(BothEnds::remaining('/look?k=a'), 9500 - length $BothEnds::UPGRADED, 'settled');



=== TEST 17: what is no time is logged, and the reserved cost stays
--- config
    location /t { ratelimit units settle=$upstream_http_x_time unit=ms settle_at=end; proxy_pass http://backend; }
--- backend
    location / { add_header X-Time never; return 200; }
--- request
GET /t?k=a
--- error_log
ratelimit: policy "units" has invalid settle "never", it must be seconds such as "0.250", or several of them as nginx writes those of its upstreams; the reserved cost stays



=== TEST 18: operators see units as they are charged: reserved + settled - returned is what was used
--- config
    location /t { ratelimit units cost=$arg_c settle=$arg_s settle_at=end; empty_gif; }
    location /one { ratelimit units; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a&c=50&s=80", "GET /t?k=b&c=50&s=20", "GET /t?k=c&c=10&s=", "GET /t?k=d&c=0&s=7", "GET /one?k=e", "GET /t?k=f&c=20000&s=1", "GET /api/metrics"]
--- error_code eval
[200, 200, 200, 200, 200, 429, 200]
--- response_body_filters eval
[([sub { "" }]) x 6, [RateLimit::lines_like(qr/^nginx_ratelimit_units_total\{.*policy="units",(.*)/)]]
--- response_body eval
[('') x 6, <<'_END_']
kind="reserved"} 111
kind="settled"} 37
kind="returned"} 30
_END_



=== TEST 19: a trailer of gRPC
--- config
    location /t { ratelimit units cost=50 settle=$upstream_trailer_x_cost settle_at=end; grpc_pass unix:$TEST_NGINX_HTML_DIR/ends.sock; }
--- init
for my $case (['a', 120, 9880], ['b', 7, 9993], ['c', 0, 10000], ['d', 20000, 0]) {
    my ($k, $cost, $left) = @$case;
    my $call = Grpc::call("/t?k=$k");
    Test::More::like($call->{head}, qr/^X-RateLimit-Remaining: 9950\r$/m, "$cost - told with the response");
    $call->message('x' x 100) for 1 .. 3;
    Test::More::is(BothEnds::remaining("/look?k=$k"), 9950, "$cost - reserved while it lasts");
    $call->ends('grpc-status' => 0, 'x-cost' => $cost);
    Test::More::is(BothEnds::remaining("/look?k=$k"), $left, "$cost - settled");
}



=== TEST 20: a call of gRPC that ends without its trailers, or without this one, pays what was reserved
--- config
    location /t { ratelimit units cost=50 settle=$upstream_trailer_x_cost settle_at=end; grpc_pass unix:$TEST_NGINX_HTML_DIR/ends.sock; }
--- init
for my $case (['none of its name', sub { $_[0]->ends('grpc-status' => 13) }],
              ['reset by the back end', sub { $_[0]->is_reset }],
              ['left by the client', sub { $_[0]->is_left }])
{
    my ($name, $end) = @$case;
    my ($k) = $name =~ /(\w+)/;
    my $call = Grpc::call("/t?k=$k");
    $call->message('x' x 100);
    $end->($call);
    Test::More::is(BothEnds::remaining("/look?k=$k"), 9950, $name);
}



=== TEST 21: a trailer of gRPC that is no number is logged
--- config
    location /t { ratelimit units cost=50 settle=$upstream_trailer_x_cost settle_at=end; grpc_pass unix:$TEST_NGINX_HTML_DIR/ends.sock; }
--- init
my $call = Grpc::call('/t?k=a');
$call->ends('grpc-status' => 0, 'x-cost' => 'much');
Test::More::is(BothEnds::remaining('/look?k=a'), 9950, 'the reserved cost stays');
--- error_log
ratelimit: policy "units" has invalid settle "much", it must be
