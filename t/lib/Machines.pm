package Machines;

# Two nginx that share zones through a Redis: the suite's own, with two workers,
# and another one beside it.  A suite that says "use Machines;" has
#
#     $redis, @nodes     a Redis; masters of a cluster, $TEST_NGINX_NODE_PORT
#     configure($block, $prefix, $http, $server)
#                        both of them, of "add_block_preprocessor"
#     begin(); $one, $two
#                        in a block's "init": as Machine, with links to Redis
#     tell(@lines)       what the block's response is to be

use strict;
use warnings;

use Exporter ();
use Machine;
use RateLimit;
use Redis;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

our @EXPORT = qw($redis @nodes $one $two $http $server configure begin tell);
our ($redis, @nodes, $one, $two, $http, $server);

sub import {
    plan(skip_all => 'not under valgrind, by the clock') if $ENV{TEST_NGINX_USE_VALGRIND};
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    @nodes = Redis->cluster({}, {}, {});
    $ENV{TEST_NGINX_NODE_PORT} = $nodes[1]{port};
    goto &Exporter::import;
}

sub configure {
    (my $block, my $prefix, $http, $server) = @_;
    $block->set_value('http_config', $http);
    $block->set_value('config', $server);
    $redis->open_shards($prefix) if !defined $block->cluster;
    workers(2);
    $block->set_value('request', "GET /out\n");
}

# Nobody else has a part in their prefix.
sub begin {
    Machine->stop_all;
    $one = Machine->own;
    $two = Machine->start($http, $server);
    $one->connect;
    sleep 1;
}

sub tell { RateLimit::publish('out', join('', map { "$_\n" } @_)) }

1;
