use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# A Redis that vanishes is noticed by workers that nobody asks for anything.
our $redis;

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    $redis->open_shards('ratelimit:');
}

plan('no_plan');
master_on();
workers(3);
no_shuffle();
no_long_string();

# For how long each connection over TCP has said nothing, in seconds.
sub idle {
    return map { /\bidle=(\d+)/ } grep { /\baddr=127/ } split /\n/, $redis->ask('CLIENT', 'LIST');
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_redis  main server=127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=150ms;
    ratelimit_zone   zone=api:1m redis=main;
    ratelimit_policy shared key=$arg_k quota=3/1h zone=api;
_END_
    $block->set_value('config', 'location /t { ratelimit shared; empty_gif; }');
});

run_tests();

__DATA__

=== TEST 1: every worker asks its Redis in each second whether it is there
--- init
    sleep 4;
    my @idle = main::idle();
    RateLimit::publish('idle', scalar(@idle) . ' connections, ' . (grep { $_ > 1 } @idle) . " idle\n");
--- request
GET /idle
--- response_body
3 connections, 0 idle



=== TEST 2: and so knows it soon, where it says nothing any more
--- init
    $main::redis->pause;
    sleep 0.9;
--- request
GET /t?k=a
--- grep_error_log eval: qr/redis "main" is away/
--- grep_error_log_out
redis "main" is away
--- error_code: 200
