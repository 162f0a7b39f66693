use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# A cluster of three masters and a replica.
our @nodes;

sub id { $_[0]->ask('CLUSTER', 'MYID') }

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();

    @nodes = Redis->cluster({}, {}, {});
    push @nodes, Redis->start_node;
    $nodes[3]->meet($nodes[0]);
    Redis::wait_for('the node', sub { $nodes[3]->ask('CLUSTER', 'NODES') =~ id($nodes[0]) });
    Redis::wait_for('the replica', sub { $nodes[3]->ask('CLUSTER', 'REPLICATE', id($nodes[0])) eq 'OK' });
    Redis::wait_for('its copy', sub { $nodes[3]->ask('INFO', 'replication') =~ /link_status:up/ });

    $ENV{TEST_NGINX_REDIS_NODE} = $nodes[1]{port};
    $ENV{TEST_NGINX_REDIS_FIRST} = $nodes[0]{port};
}

plan('no_plan');
workers(1);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    my $seed = $block->seed // '';
    $block->set_value('http_config', <<'_END_' =~ s/SEED/$seed/r);
    ratelimit_redis  main server=127.0.0.1:$TEST_NGINX_REDIS_NODE
                          server=127.0.0.1:$TEST_NGINX_REDIS_FIRST SEED cluster=on timeout=500ms;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=refuse;
    ratelimit_policy one key=$arg_a quota=3/1h;
    ratelimit_policy two key=$arg_b quota=3/1h;
_END_
    $block->set_value('config', <<'_END_');
    location /t   { ratelimit one; empty_gif; }
    location /two { ratelimit one two; empty_gif; }
    location /ratelimit/ { ratelimit_api; allow all; }
_END_
});

# Slot by slot, those of the shards: the keys are few.  Half: the keys are moved,
# and the slot is said to be on its way.
sub move_slots {
    my ($from, $to, $half) = @_;

    for my $shard (0 .. 255) {
        my $slot = $from->ask('CLUSTER', 'KEYSLOT', sprintf('{%02x}', $shard));
        my $keys = $from->ask('CLUSTER', 'GETKEYSINSLOT', $slot, 100);
        next if !ref $keys || !@$keys;
        $to->ask('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', id($from));
        $from->ask('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', id($to));
        $from->ask('MIGRATE', '127.0.0.1', $to->{port}, '', 0, 5000, 'KEYS', @$keys);
        next if $half;
        $_->ask('CLUSTER', 'SETSLOT', $slot, 'NODE', id($to)) for $to, $from;
    }
}

# What $node says of slots of $from, until the others have told it better.
sub tell_wrongly {
    my ($node, $from, $to) = @_;

    for my $range (@{$from->ask('CLUSTER', 'SLOTS')}) {
        my ($first, $last, $master) = @$range;
        next if $master->[1] != $from->{port};
        for my $shard (0 .. 255) {
            my $slot = $from->ask('CLUSTER', 'KEYSLOT', sprintf('{%02x}', $shard));
            $node->ask('CLUSTER', 'SETSLOT', $slot, 'NODE', id($to))
                if $slot >= $first && $slot <= $last;
        }
    }
}

# Of keys that Redis has decided: on a busy machine a link is up again later.
sub statuses { join ' ', map { decided("/t?a=$_") } @_ }

sub decided {
    my ($path) = @_;
    my $status;

    for (1 .. 100) {
        $status = RateLimit::curl('-o /dev/null -w "%{http_code}"', $path);
        last if $status != 503;
        sleep 0.1;
    }
    return $status;
}

run_tests();

__DATA__

=== TEST 1: keys of all nodes, and requests whose policies lie on several
--- init: sleep 1.5
--- request eval
[(map { ("GET /t?a=k$_") x 4 } 1 .. 6), map { "GET /two?a=a$_&b=b" } 1 .. 4]
--- error_code eval
[((200, 200, 200, 429) x 6), 200, 200, 200, 429]
--- no_error_log
is away



=== TEST 2: what was refused by one policy was charged to none, on whatever node
--- init: sleep 1.5
--- request eval
[("GET /t?a=a4") x 4]
--- error_code eval
[200, 200, 200, 429]



=== TEST 3: slots that move take their counts along
--- init
    sleep 1.5;
    RateLimit::curl('-o /dev/null', '/t?a=m');
    main::move_slots($main::nodes[1], $main::nodes[2]);
--- request eval
[("GET /t?a=m") x 3, map { "GET /t?a=k$_" } 1 .. 6]
--- error_code eval
[200, 200, 429, (429) x 6]



=== TEST 4: a master fails, and its replica takes over
--- init
    sleep 1.5;
    $main::nodes[0]->stop;
    Redis::wait_for('the failover', sub {
        $main::nodes[3]->ask('INFO', 'replication') =~ /role:master/ });
    sleep 3;
--- request eval
[(map { "GET /t?a=k$_" } 1 .. 6), ("GET /two?a=x&b=y") x 4]
--- error_code eval
[(429) x 6, 200, 200, 200, 429]



=== TEST 5: a node without slots of its own starts anew: no counts are lost
--- init
    $main::nodes[0]->run;
    Redis::wait_for('the replica', sub {
        $main::nodes[0]->ask('INFO', 'replication') =~ /link_status:up/ });
    sleep 2.5;
    $main::nodes[0]->stop;
    $main::nodes[0]->run;
    sleep 3;
--- request
GET /t?a=k1
--- error_code: 429
--- error_log
is back at 127.0.0.1:
--- no_error_log
are new



=== TEST 6: nor is a node asked for what it only was told to have
--- init
    sleep 1.5;
    main::tell_wrongly($main::nodes[1], $main::nodes[3], $main::nodes[2]);
    $_->disconnect for $main::nodes[1], $main::nodes[2];
    sleep 1.5;
    RateLimit::publish('out', main::statuses(map { "k$_" } 1 .. 6));
--- request
GET /out
--- response_body chomp
429 429 429 429 429 429
--- error_log
is back at 127.0.0.1:
--- no_error_log
are new



=== TEST 7: a master is replaced that is there, by a replica that lacks writes
--- init
    sleep 1.5;
    my ($master, $replica) = @main::nodes[3, 0];
    $master->ask('ACL', 'SETUSER', 'default', '-psync', '-sync');
    $master->ask('CLIENT', 'KILL', 'TYPE', 'replica');
    main::statuses(map { ("n$_") x 3 } 1 .. 30);
    $replica->ask('CLUSTER', 'FAILOVER', 'TAKEOVER');
    Redis::wait_for('it', sub { $master->ask('INFO', 'replication') =~ /role:slave/ });
    main::statuses(map { "n$_" } 1 .. 30);
    sleep 2.5;
    RateLimit::publish('out', main::statuses(map { "n$_" } 1 .. 30));
--- request
GET /out
--- response_body eval
'429' . ' 429' x 29
--- error_log
are new, it is told



=== TEST 8: a look-up follows a slot that has moved
--- init
    sleep 1.5;
    main::move_slots($main::nodes[2], $main::nodes[1]);
--- request eval
[map "GET /ratelimit/keys?policy=one&key=k$_", 1 .. 6]
--- more_headers
Accept: application/json
--- response_body_like eval
[(qr/"shared": \{\s*"used": \d,\s*"held": \d,\s*"remaining": 0,/) x 6]



=== TEST 9: and one that moves
--- init
    sleep 1.5;
    main::move_slots($main::nodes[1], $main::nodes[2], 'half');
--- request eval
[map "GET /ratelimit/keys?policy=one&key=k$_", 1 .. 6]
--- more_headers
Accept: application/json
--- response_body_like eval
[(qr/"shared": \{\s*"used": \d,\s*"held": \d,\s*"remaining": 0,/) x 6]



=== TEST 10: so does what is decided
--- init: sleep 1.5
--- request eval
[map "GET /t?a=k$_", 1 .. 6]
--- error_code eval
[(429) x 6]
--- no_error_log
did not decide



=== TEST 11: a server without slots that is away: the cluster is not
--- seed: server=127.0.0.1:1
--- init: sleep 1.5
--- request
GET /ratelimit/
--- more_headers
Accept: application/json
--- response_body_like: "connected_since": \d
--- error_log
is away at 127.0.0.1:1:



=== TEST 12: a node with slots that is away: so is the cluster, until it is back
--- init
    sleep 1.5;
    $main::nodes[0]->stop;
    sleep 0.5;
    RateLimit::publish('away', RateLimit::curl(q(-H 'Accept: application/json'), '/ratelimit/'));
    $main::nodes[0]->run;
    sleep 3;
--- request eval
["GET /away", "GET /ratelimit/"]
--- more_headers
Accept: application/json
--- response_body_like eval
[qr/"connected_since": null/, qr/"connected_since": \d/]
