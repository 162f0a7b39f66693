use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# Several servers, of which the one that says it is the master is used.
our ($first, $second);

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $first = Redis->start;
    $second = Redis->start;
    $ENV{TEST_NGINX_REDIS_SECOND_PORT} = $second->{port};
    $first->open_shards('ratelimit:');
    $second->ask('REPLICAOF', '127.0.0.1', $first->{port});
    for (1 .. 100) {
        last if $second->ask('INFO', 'replication') =~ /master_link_status:up/;
        sleep 0.1;
    }
}

plan('no_plan');
workers(1);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_redis  main server=127.0.0.1:$TEST_NGINX_REDIS_SECOND_PORT
                          server=127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=500ms;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=refuse;
    ratelimit_policy shared key=$arg_k quota=4/1h;
_END_
    $block->set_value('config', <<'_END_');
    location /t { ratelimit shared; empty_gif; }
_END_
});

run_tests();

__DATA__

=== TEST 1: the master is the second in the configuration
--- init: sleep 0.5
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200]
--- no_error_log
[error]



=== TEST 2: the other one becomes the master: its counts are those of the first
--- init
    sleep 0.5;
    RateLimit::curl('-o /dev/null', '/t?k=a');
    sleep 0.5;
    $main::first->stop;
    $main::second->ask('REPLICAOF', 'NO', 'ONE');
    sleep 2;
--- request
GET /t?k=a
--- error_code: 200
--- error_log
the counts of redis "main" are new



=== TEST 3: the first one comes back as the replica and is not used, and four is the quota
--- init
    $main::first->run;
    $main::first->ask('REPLICAOF', '127.0.0.1', $main::second->{port});
    sleep 1;
--- request
GET /t?k=a
--- error_code: 429
