use lib 't/lib';
use RateLimit;
use Redis;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# What ratelimit_api tells of Redis.
our $redis;

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    $redis->open_shards('ratelimit:');
}

plan('no_plan');
master_on();
workers(1);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_redis  main server=127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=500ms;
    ratelimit_zone   zone=api:1m redis=main mode=strict;
    ratelimit_zone   zone=here:1m;
    ratelimit_policy shared key=$arg_k quota=3/1h zone=api;
    ratelimit_policy fixed key=$arg_k quota=9/1h algorithm=fixed zone=api;
    ratelimit_policy calendar key=$arg_k quota=9/366d algorithm=calendar zone=api;
    ratelimit_policy gcra key=$arg_k quota=1/1h algorithm=gcra capacity=9 zone=api;
    ratelimit_policy varies key=$arg_k quota=$arg_q zone=api;
    ratelimit_policy several key=$several quota=9/1h zone=api;
    ratelimit_key $several header=X-A cookie=a;
_END_
    $block->set_value('config', <<'_END_');
    location /t { ratelimit shared; empty_gif; }
    location /all { ratelimit fixed calendar gcra cost=2; empty_gif; }
    location /varies { ratelimit varies; empty_gif; }
    location /left { return 200 "$ratelimit_remaining_shared\n"; }
    location /ratelimit/ { ratelimit_api; allow all; }
    location /write/ { ratelimit_api write=on; allow 127.0.0.1; deny all; }
_END_
    $block->set_value('init', 'select undef, undef, undef, 0.5') if !defined $block->init;
});

# What is answered to a look-up that is on its way when nginx reloads, or quits,
# once nothing of that worker is left.
sub look_over {
    my ($signal) = @_;
    my $socket = RateLimit::connection();
    my $pid_file = "$ENV{TEST_NGINX_SERVROOT}/logs/nginx.pid";
    my $master = do { local (@ARGV, $/) = $pid_file; <> + 0 };
    my $worker = `pgrep -P $master` + 0;

    sleep 0.5;  # a link to Redis
    $redis->pause;
    syswrite $socket, "GET /ratelimit/keys?policy=shared&key=e HTTP/1.0\r\n\r\n";
    sleep 0.1;
    kill $signal, $signal eq 'HUP' ? $master : $worker;
    sleep 0.2;
    my $waits = kill 0, $worker;
    $redis->continue;
    my $answer = do { local $/; <$socket> } // '';
    Redis::wait_for('the end of a worker', sub { !kill 0, $worker });
    RateLimit::connection();
    RateLimit::publish('out', "$waits\n$answer");
}

run_tests();

__DATA__

=== TEST 1: JSON
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /ratelimit/"]
--- more_headers
Accept: application/json
--- response_body_like eval
["", "", qr/"redis": \[\s*\{\s*"name": "main",\s*"cluster": false,\s*"connected_since": \d{10},\s*"server": "127\.0\.0\.1:$ENV{TEST_NGINX_REDIS_PORT}",\s*"machines": 1,\s*"rows": \d+,\s*"held_units": 0,\s*"decisions": \{\s*"lease": 0,\s*"redis": 2,\s*"local": 0,\s*"allow": 0,\s*"refuse": 0\s*\},\s*"round_trips": \{\s*"count": [1-9]\d*,\s*"sum_us": [1-9]\d*,\s*"latencies": \[\s*\{\s*"below_us": \d+,\s*"count": [1-9]/]



=== TEST 2: a zone says by which Redis it is shared
--- request
GET /ratelimit/
--- more_headers
Accept: application/json
--- response_body_like: "name": "api",(?:\s*"\w+": \d+,)+\s*"redis": "main"\s*\},\s*\{\s*"name": "here",(?:\s*"\w+": \d+,?)+\s*\}



=== TEST 3: metrics
--- request eval
["GET /t?k=b", "GET /ratelimit/metrics"]
--- response_body_like eval
["", qr/nginx_ratelimit_redis_connected_since_seconds\{redis="main"\} \d{10}\n(?s:.*)nginx_ratelimit_redis_decisions_total\{redis="main",by="redis"\} 1\n(?s:.*)nginx_ratelimit_redis_round_trip_seconds_bucket\{redis="main",le="0\.000064"\} \d+\n(?s:.*)le="\+Inf"\} [1-9]\d*\nnginx_ratelimit_redis_round_trip_seconds_sum\{redis="main"\} \d+\.\d{6}\nnginx_ratelimit_redis_round_trip_seconds_count\{redis="main"\} [1-9]/]



=== TEST 4: while it is away
--- init
    $main::redis->stop;
    select undef, undef, undef, 1;
--- request eval
["GET /t?k=c", "GET /ratelimit/"]
--- more_headers
Accept: application/json
--- response_body_like eval
["", qr/"connected_since": null,\s*"server": null,\s*"machines": 1,\s*"rows": \d+,\s*"held_units": 0,\s*"decisions": \{\s*"lease": 0,\s*"redis": 0,\s*"local": 1,\s*"allow": 0,\s*"refuse": 0\s*\}/]



=== TEST 5: what a key has left, as this worker was told last; all are reset
--- init
    $main::redis->run;
    $main::redis->open_shards('ratelimit:');
    select undef, undef, undef, 3;
--- request eval
["GET /left?k=d", "GET /t?k=d", "GET /left?k=d", "GET /ratelimit/keys?policy=shared&key=d",
 "DELETE /write/keys?policy=shared&key=d", "DELETE /write/keys?policy=shared&all=yes"]
--- more_headers
Accept: application/json
--- error_code eval
[200, 200, 200, 200, 200, 200]
--- response_body_like eval
["^\n", "", "^2\n", qr/"remaining": 2\b/, qr/"shared": \{[^}]*"remaining": [23],/, qr/"reset_at": \d+/]



=== TEST 6: a key is looked up in Redis
--- init
    select undef, undef, undef, 0.5;
--- request eval
["GET /t?k=e", "GET /t?k=e", (map "GET /ratelimit/keys?policy=$_&key=e", 'shared', 'fixed')]
--- more_headers
Accept: application/json
--- response_body_like eval
["", "", qr/"remaining": 1,(?s:.*)"shared": \{\s*"used": [12],\s*"held": [01],\s*"remaining": 1,\s*"rows": 1\s*\}/,
 qr/"remaining": null,(?s:.*)"shared": \{\s*"used": 0,\s*"held": 0,\s*"remaining": 9,\s*"rows": 0\s*\}/]



=== TEST 7: of every algorithm
--- request eval
["GET /all?k=f", "GET /all?k=f",
 map "GET /ratelimit/keys?policy=$_&key=f", 'fixed', 'calendar', 'gcra']
--- more_headers
Accept: application/json
--- response_body_like eval
["", "", (qr/"shared": \{\s*"used": [234],\s*"held": [012],\s*"remaining": 5,\s*"rows": 1\s*\}/) x 3]



=== TEST 8: what others have used, of which this worker knows nothing
--- init
    select undef, undef, undef, 0.5;
--- request eval
[map "GET /ratelimit/keys?policy=$_&key=f", 'fixed', 'calendar', 'gcra']
--- more_headers
Accept: application/json
--- response_body_like eval
[(qr/"remaining": null,(?s:.*)"shared": \{\s*"used": 4,\s*"held": 0,\s*"remaining": 5,\s*"rows": \d\s*\}/) x 3]



=== TEST 9: what cannot be looked up; several that may be meant
--- request eval
["GET /ratelimit/keys?policy=varies&key=g", "GET /ratelimit/keys?policy=shared&id=0123456789abcdef",
 "GET /ratelimit/keys?policy=several&key=g"]
--- more_headers
Accept: application/json
--- response_body_like eval
[qr/"shared": \{\s*"unknown": "no request has told the key's quota"\s*\}/,
 qr/"shared": \{\s*"unknown": "Redis has keys by their name, not by their id"\s*\}/,
 qr/"shared": \{[^}]*"remaining": 9,(?s:.*)"tags": \[\s*"header"(?s:.*)"shared": \{[^}]*"remaining": 9,(?s:.*)"cookie"/]



=== TEST 10: a Redis that does not answer, and then is away, is told
--- init
    select undef, undef, undef, 0.5;
    $main::redis->pause;
--- request eval
["GET /ratelimit/keys?policy=shared&key=e", "GET /ratelimit/keys?policy=shared&key=e"]
--- more_headers
Accept: application/json
--- response_body_like eval
[qr/"shared": \{\s*"unknown": "Redis went away"\s*\}/, qr/"shared": \{\s*"unknown": "Redis is away"\s*\}/]



=== TEST 11: a worker that a reload ends waits for the answer to a look-up
--- init
    $main::redis->continue;
    sleep 1;
    main::look_over('HUP');
--- request
GET /out
--- response_body_like: ^1\nHTTP/1.1 200 (?s:.*)"shared": \{\s*"used": 2,



=== TEST 12: and so does one that is to quit
--- init: main::look_over('QUIT')
--- request
GET /out
--- response_body_like: ^1\nHTTP/1.1 200 (?s:.*)"shared": \{\s*"used": 2,
