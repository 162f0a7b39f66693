use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;

# Shared quotas beyond what 32 bits hold.
our $redis;

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    $redis->open_shards('ratelimit:');
}

plan('no_plan');
no_shuffle();

add_block_preprocessor(sub {
    my $block = shift;
    my $mode = $block->mode;

    $block->set_value('http_config', <<"_END_");
    ratelimit_redis  main server=127.0.0.1:\$TEST_NGINX_REDIS_PORT timeout=2s;
    ratelimit_zone   zone=api:1m redis=main mode=$mode on_error=refuse;
    ratelimit_policy sliding  key=\$arg_k quota=50G/366d algorithm=sliding;
    ratelimit_policy fixed    key=\$arg_k quota=50G/366d algorithm=fixed;
    ratelimit_policy calendar key=\$arg_k quota=50G/12M  algorithm=calendar;
    ratelimit_policy gcra     key=\$arg_k quota=1/366d   algorithm=gcra capacity=50G;
_END_
    $block->set_value('config', CORE::join '',
                      "ratelimit_headers x-ratelimit;\n",
                      map { "location /$_ { ratelimit $_ cost=\$arg_c settle=\$arg_s; empty_gif; }\n" }
                      qw(sliding fixed calendar gcra));
    $block->set_value('init', 'select undef, undef, undef, 0.5');
    $block->set_value('request', [map { my $name = $_; map { "GET /$name?k=$mode&$_" }
                                        "c=1", "c=5G", "c=20G&s=7", "c=44999999992", "c=1", "c=0&s=2T", "c=1" }
                                  qw(sliding fixed calendar gcra)]);
    $block->set_value('error_code', [(200, 200, 200, 200, 429, 200, 429) x 4]);
    $block->set_value('response_headers',
                      [map { "X-RateLimit-Limit: 50000000000\r\nX-RateLimit-Remaining: $_" }
                       (49999999999, 44999999999, 44999999992, 0, 0, 0, 0) x 4]);
});

run_tests();

__DATA__

=== TEST 1: decided by Redis
--- mode: strict



=== TEST 2: decided by borrowed units
--- mode: lease
