use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# A master of a cluster fails, and what its replica may lack is told to it by
# the workers of a machine together.
our @nodes;

BEGIN {
    plan(skip_all => 'not under valgrind, by the clock') if $ENV{TEST_NGINX_USE_VALGRIND};
    plan(skip_all => 'no redis-server') if !Redis::program();

    @nodes = Redis->cluster({}, {}, {});
    push @nodes, Redis->start_node;
    my $id = $nodes[0]->ask('CLUSTER', 'MYID');
    $nodes[3]->meet($nodes[0]);
    Redis::wait_for('the node', sub { $nodes[3]->ask('CLUSTER', 'NODES') =~ $id });
    Redis::wait_for('the replica', sub { $nodes[3]->ask('CLUSTER', 'REPLICATE', $id) eq 'OK' });
    Redis::wait_for('its copy', sub { $nodes[3]->ask('INFO', 'replication') =~ /link_status:up/ });

    $ENV{TEST_NGINX_REDIS_NODE} = $nodes[1]{port};
}

plan('no_plan');
master_on();
workers(4);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_redis  main server=127.0.0.1:$TEST_NGINX_REDIS_NODE cluster=on timeout=500ms;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=refuse;
    ratelimit_policy one key=$arg_a quota=3/1h;
_END_
    $block->set_value('config', <<'_END_');
    location /t { ratelimit one; empty_gif; }
_END_
});

sub buckets { scalar grep { !/gen$|machines$/ } @{$_[0]->ask('KEYS', '*')} }

run_tests();

__DATA__

=== TEST 1: each row is told once, whoever of the workers notices it
--- init
sleep 1.5;
RateLimit::pipeline(100, sub { "/t?a=$_[0]" });
sleep 0.5;
my $buckets = main::buckets($main::nodes[0]);
$main::nodes[0]->stop;
Redis::wait_for('the failover', sub {
    $main::nodes[3]->ask('INFO', 'replication') =~ /role:master/ });
$main::nodes[3]->ask('CONFIG', 'RESETSTAT');
sleep 3;
my ($set) = $main::nodes[3]->ask('INFO', 'commandstats') =~ /cmdstat_set:calls=(\d+)/;
RateLimit::publish('out', $buckets > 20 && $set >= $buckets && $set < 1.5 * $buckets
                          ? "once\n" : "$set for $buckets\n");
--- request
GET /out
--- response_body
once
--- no_error_log
[alert]
[emerg]
