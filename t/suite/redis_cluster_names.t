use lib 't/lib';
use Dns;
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# A cluster that is told by a name: the nodes are at several addresses, all with
# the same port, and another cluster is there for the time when the first is not.
our ($dns, @nodes, $other);

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();

    my $port = $ENV{TEST_NGINX_REDIS_PORT} = Redis::free_port();
    @nodes = Redis->cluster(map +{ address => "127.0.0.$_", port => $port }, 1, 2);
    ($other) = Redis->cluster({ address => '127.0.0.3', port => $port });
    $_->open_shards('ratelimit:') for @nodes, $other;
    $dns = Dns->start;
    $dns->set('127.0.0.1');
}

plan('no_plan');
workers(1);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_redis  main server=redis.test:$TEST_NGINX_REDIS_PORT cluster=on timeout=500ms;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=refuse;
    ratelimit_policy shared key=$arg_k quota=2/1h;
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
_END_
    $block->set_value('config', 'location /t { ratelimit shared; empty_gif; }');
});

# Each has a shard of either node among them.
our @keys = 'a' .. 'f';

sub once { RateLimit::curl('-o /dev/null', "/t?k=$_[0]$_") for @keys }

run_tests();

__DATA__

=== TEST 1: the name is gone and the node's link breaks: the node is still the same
--- init
    sleep 1;
    main::once('first');
    $main::dns->set;
    sleep 1.1;
    $main::nodes[0]->disconnect;
    sleep 1.5;
--- request eval
[map { ("GET /t?k=first$_") x 2 } @main::keys]
--- error_code eval
[map { (200, 429) } @main::keys]
--- no_error_log
are new



=== TEST 2: the name stands for both nodes: neither is taken for the other
--- init
    $main::dns->set('127.0.0.1', '127.0.0.2');
    sleep 1;
    main::once('second');
    for (1 .. 6) {
        $_->disconnect for @main::nodes;
        sleep 0.5;
    }
--- request eval
[map { ("GET /t?k=second$_") x 2 } @main::keys]
--- error_code eval
[map { (200, 429) } @main::keys]
--- no_error_log
are new



=== TEST 3: the nodes that are known are all gone, the name leads to others, which are told
--- init
    main::once('third');
    $_->stop for @main::nodes;
    $main::dns->set('127.0.0.3');
    sleep 5;
--- request eval
[map { ("GET /t?k=third$_") x 2 } @main::keys]
--- error_code eval
[map { (200, 429) } @main::keys]
