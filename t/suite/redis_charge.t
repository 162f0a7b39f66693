use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;

# Charges of shared quotas that are corrected once the response is known.
our $redis;

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    $redis->open_shards('ratelimit:');
}

plan('no_plan');
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    my $zone = $block->zone // '';
    my $how = $block->how // '';

    $block->set_value('http_config', <<"_END_");
    ratelimit_redis  main server=127.0.0.1:\$TEST_NGINX_REDIS_PORT timeout=2s;
    ratelimit_zone   zone=api:1m redis=main on_error=refuse $zone;
    ratelimit_policy skip   key=\$arg_k quota=3/1h skip_status=404 $how;
    ratelimit_policy login  key=\$arg_k quota=2/1h count_status=403 $how;
    ratelimit_policy settle key=\$arg_k quota=10/1h $how;
    ratelimit_policy late   key=\$arg_k quota=1/1h $how;
    ratelimit_policy second key=\$arg_k quota=10/2s $how;
_END_
    $block->set_value('config', <<'_END_');
    ratelimit_headers x-ratelimit;
    location = /skip/200  { ratelimit skip;  empty_gif; }
    location = /skip/404  { ratelimit skip;  alias /nowhere; }
    location = /login/200 { ratelimit login; empty_gif; }
    location = /login/403 { ratelimit login; deny all; }
    location = /settle {
        ratelimit  settle cost=$arg_c settle=$upstream_http_x_cost;
        proxy_pass http://127.0.0.1:$server_port/cost?f=$arg_f;
    }
    location = /second { ratelimit second; empty_gif; }
    location = /slow {
        ratelimit  second settle=$upstream_http_x_cost;
        proxy_pass http://127.0.0.1:$arg_u;
    }
    location = /cost { add_header X-Cost $arg_f; return 204; }
    location = /both {
        ratelimit skip;
        ratelimit late phase=precontent;
        empty_gif;
    }
_END_
    $block->set_value('init', 'select undef, undef, undef, 0.5') if !defined $block->init;
});

# A request whose response comes after so long, and tells its final cost.
sub slow {
    my ($uri, $seconds, $cost) = @_;
    my $backend = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die;
    my $client = RateLimit::connection();
    select undef, undef, undef, 0.5;
    $client->print("GET $uri&u=" . $backend->sockport . " HTTP/1.0\r\n\r\n");
    my $served = $backend->accept;
    select undef, undef, undef, $seconds;
    $served->print("HTTP/1.0 204 x\r\nX-Cost: $cost\r\n\r\n");
    $served->close;
    <$client> =~ / 204 / or die;
}

run_tests();

__DATA__

=== TEST 1: skip_status= gives back, and the fields say so
--- request eval
["GET /skip/404?k=a", "GET /skip/200?k=a", "GET /skip/404?k=a", "GET /skip/404?k=a",
 "GET /skip/200?k=a", "GET /skip/200?k=a", "GET /skip/200?k=a", "GET /skip/404?k=a"]
--- error_code eval
[404, 200, 404, 404, 200, 200, 429, 429]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 3, 2, 2, 2, 1, 0, 0, 0]



=== TEST 2: fixed
--- how: algorithm=fixed
--- request eval
["GET /skip/404?k=b", "GET /skip/200?k=b", "GET /skip/404?k=b", "GET /skip/404?k=b",
 "GET /skip/200?k=b", "GET /skip/200?k=b", "GET /skip/200?k=b", "GET /skip/404?k=b"]
--- error_code eval
[404, 200, 404, 404, 200, 200, 429, 429]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 3, 2, 2, 2, 1, 0, 0, 0]



=== TEST 3: calendar
--- how: algorithm=calendar
--- request eval
["GET /skip/404?k=c", "GET /skip/200?k=c", "GET /skip/404?k=c", "GET /skip/404?k=c",
 "GET /skip/200?k=c", "GET /skip/200?k=c", "GET /skip/200?k=c", "GET /skip/404?k=c"]
--- error_code eval
[404, 200, 404, 404, 200, 200, 429, 429]



=== TEST 4: gcra
--- how: algorithm=gcra
--- request eval
["GET /skip/404?k=d", "GET /skip/200?k=d", "GET /skip/404?k=d", "GET /skip/404?k=d",
 "GET /skip/200?k=d", "GET /skip/200?k=d", "GET /skip/200?k=d", "GET /skip/404?k=d"]
--- error_code eval
[404, 200, 404, 404, 200, 200, 429, 429]



=== TEST 5: mode=strict
--- zone: mode=strict
--- request eval
["GET /skip/404?k=e", "GET /skip/200?k=e", "GET /skip/404?k=e", "GET /skip/404?k=e",
 "GET /skip/200?k=e", "GET /skip/200?k=e", "GET /skip/200?k=e", "GET /skip/404?k=e"]
--- error_code eval
[404, 200, 404, 404, 200, 200, 429, 429]



=== TEST 6: count_status= counts these alone
--- request eval
["GET /login/200?k=a", "GET /login/200?k=a", "GET /login/200?k=a", "GET /login/403?k=a",
 "GET /login/200?k=a", "GET /login/403?k=a", "GET /login/200?k=a"]
--- error_code eval
[200, 200, 200, 403, 200, 403, 429]



=== TEST 7: settle= gives back, and charges more, into debt if need be
--- request eval
["GET /settle?k=a&c=5&f=2", "GET /settle?k=a&c=1&f=4", "GET /settle?k=a&c=1&f=9",
 "GET /settle?k=a&c=1&f=0", "GET /settle?k=b&c=0&f=10", "GET /settle?k=b&c=1&f=1"]
--- error_code eval
[204, 204, 204, 429, 204, 429]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 8, 4, 0, 0, 0, 0]



=== TEST 8: what a later phase refuses is given back
--- request eval
["GET /both?k=f", "GET /both?k=f", "GET /both?k=f", "GET /both?k=f",
 "GET /skip/200?k=f", "GET /skip/200?k=f", "GET /skip/200?k=f"]
--- error_code eval
[200, 429, 429, 429, 200, 200, 429]



=== TEST 9: Redis knows of what was given back
--- request eval
["GET /skip/200?k=a", "GET /skip/200?k=f", "GET /login/200?k=a", "GET /settle?k=a&c=1&f=0"]
--- error_code eval
[429, 429, 429, 429]



=== TEST 10: a final cost that comes when its window is over counts in the next
--- how: algorithm=fixed
--- init: main::slow('/slow?k=f', 2.4, 8)
--- request eval
[("GET /second?k=f") x 4]
--- error_code eval
[200, 200, 200, 429]



=== TEST 11: and that of a bucket that was idle since
--- init: main::slow('/slow?k=g', 2.8, 8)
--- request eval
[("GET /second?k=g") x 4]
--- error_code eval
[200, 200, 200, 429]
