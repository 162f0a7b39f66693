use lib 't/lib';
use JSON::PP ();
use Machines;
use RateLimit;
use Test::Nginx::Socket;
use Test::Nginx::Util qw(server_root);
use Time::HiRes qw(sleep time);

# A key that one of the machines resets, and all keys of a policy, have their whole
# quota on all, and not more.

plan('no_plan');
master_on();
no_shuffle();
no_long_string();

my $blocks = 0;

add_block_preprocessor(sub {
    my $block = shift;
    my $mode = $block->mode // 'strict';
    my $prefix = 'reset' . ++$blocks . ':';
    my $where = $block->cluster // '$TEST_NGINX_REDIS_PORT';

    my $http = <<"_END_";
    ratelimit_redis  main server=127.0.0.1:$where timeout=300ms prefix=$prefix;
    ratelimit_zone   zone=api:1m redis=main mode=$mode on_error=refuse;
    ratelimit_policy sliding  key=\$arg_k quota=300/1h;
    ratelimit_policy fixed    key=\$arg_k quota=300/1h algorithm=fixed;
    ratelimit_policy calendar key=\$arg_k quota=300/366d algorithm=calendar;
    ratelimit_policy gcra     key=\$arg_k quota=1/1h algorithm=gcra capacity=300;
    ratelimit_policy short    key=\$arg_k quota=300/32s;
    ratelimit_policy window   key=\$arg_k quota=300/32s algorithm=fixed;
    ratelimit_policy varies   key=\$arg_k quota=\$arg_q;
    keepalive_requests 1000000;
_END_
    my $server = <<'_END_';
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /fixed    { ratelimit fixed;    empty_gif; }
    location /calendar { ratelimit calendar; empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
    location /short    { ratelimit short;    empty_gif; }
    location /window   { ratelimit window;   empty_gif; }
    location /varies   { ratelimit varies;   empty_gif; }
    location /standing { ratelimit sliding; ratelimit_standing; }
    location /ratelimit/ { ratelimit_api write=on; allow 127.0.0.1; deny all; }
_END_
    configure($block, $prefix, $http, $server);
});

sub master {
    open my $in, '<', server_root() . '/logs/nginx.pid' or die;
    return <$in> + 0;
}

# All keys of a policy.
sub renew { scalar main::reset($_[0], "$_[1]&all=yes") }

sub reset { $_[0]->ask('DELETE', "/ratelimit/keys?policy=$_[1]") }

# What counts of a key, and what is held.
sub counts {
    my (undef, $body) = $one->ask('GET', "/ratelimit/keys?policy=$_[0]");
    my ($used, $held) = $body =~ /"used": (\d+),\s*"held": (\d+)/ or return $body;
    return ($used, $held);
}

our @algorithms = qw(sliding fixed calendar gcra);

run_tests();

__DATA__

=== TEST 1: of every algorithm, where both have used units; it has a line in the other's log
--- init
main::begin();
my @told;
for my $algorithm (@main::algorithms) {
    my @before = map { $_->count(200, 200, "/$algorithm?k=a") } $main::one, $main::two;
    sleep 0.2;
    my ($status, $body) = main::reset($main::one, "$algorithm&key=a");
    my ($used) = $body =~ /"shared": \{\s*"used": (\d+),/;
    sleep 2;
    my @after = map { $_->count(200, 200, "/$algorithm?k=a") } $main::two, $main::one;
    push @told, "$algorithm @before $status $used @after " . $main::one->count(1, 200, "/$algorithm?k=b");
}
push @told, scalar(() = $main::two->log =~ /\[warn\].*ratelimit: key \w{16} of zone "api" reset, as redis "main" says/g);
main::tell(@told);
--- response_body
sliding 200 100 200 0 200 100 1
fixed 200 100 200 0 200 100 1
calendar 200 100 200 0 200 100 1
gcra 200 100 200 0 200 100 1
4
--- error_log eval
qr/ratelimit: key \w{16} of policy "gcra" reset by "ratelimit_api", client/



=== TEST 2: units that the other holds are of the new quota
--- mode: lease
--- init
main::begin();
my @told;
for my $algorithm (@main::algorithms) {
    for (1 .. 60) { $main::two->count(1, 200, "/$algorithm?k=a"); sleep 0.002 }
    my ($used, $held) = main::counts("$algorithm&key=a");
    my ($status) = main::reset($main::one, "$algorithm&key=a");
    my $after = $main::two->count(300, 200, "/$algorithm?k=a");
    $after += $main::one->count(400, 200, "/$algorithm?k=a") + $main::two->count(20, 200, "/$algorithm?k=a");
    push @told, "$algorithm $status " . ($held ? 'held' : 'held nothing') . ($after > 300 ? " too many: $after" : $after >= 240 ? ' enough' : " too few: $after");
}
main::tell(@told);
--- response_body
sliding 200 held enough
fixed 200 held enough
calendar 200 held enough
gcra 200 held enough



=== TEST 3: of a lease that was over and charged nothing comes back after a reset
--- mode: lease
--- init
main::begin();
my (@told, %held);
for my $policy ('short', 'window') {
    for (1 .. 60) { $main::two->count(1, 200, "/$policy?k=a"); sleep 0.002 }
    $held{$policy} = (main::counts("$policy&key=a"))[1];
}
$main::two->pause;
sleep 2.5;
for my $policy ('short', 'window') {
    $main::one->count(1, 200, "/$policy?k=a");
    sleep 0.3;
    my ($status) = main::reset($main::one, "$policy&key=a");
    push @told, "$policy $status" . ($held{$policy} ? '' : ' held nothing'), $main::one->count(301, 200, "/$policy?k=a");
}
$main::two->continue;
push @told, map { $main::two->count(10, 200, "/$_?k=a") } 'short', 'window';
main::tell(@told);
--- response_body
short 200
300
window 200
300
0
0



=== TEST 4: by its id, where the machine has used it; what cannot be reset
--- init
main::begin();
my @told;
push @told, $main::one->count(301, 200, '/sliding?k=a');
my (undef, $body) = $main::one->ask('GET', '/ratelimit/keys?policy=sliding&key=a');
my ($id) = $body =~ /"(?:key_)?id": "(\w{16})"/;
my ($used, $held) = main::counts("sliding&id=$id");
push @told, $used + $held;
push @told, scalar main::reset($main::one, "sliding&id=$id"), $main::one->count(301, 200, '/sliding?k=a');
$main::one->ask('PUT', "/ratelimit/overrides?policy=fixed&key=b&quota=3");
for my $what ('fixed&id=' . ($main::one->ask('GET', '/ratelimit/keys?policy=fixed&key=b'))[1] =~ s/.*"(?:key_)?id": "(\w{16})".*/$1/sr,
              'varies&key=a', 'fixed&key=never') {
    my ($status, $body) = main::reset($main::one, $what);
    push @told, $status, $body =~ /"detail": "(.*?)"/;
}
main::tell(@told);
--- response_body
300
300
200
300
409
Redis has keys by their name, not by their id
409
no request has told the key's quota
200



=== TEST 5: while Redis is away nothing is reset
--- init
main::begin();
my @told;
push @told, $main::one->count(301, 200, '/sliding?k=a');
$main::redis->pause;
for my $what ('sliding&key=a', 'sliding&key=a', 'sliding&all=yes') {
    my ($status, $body) = main::reset($main::one, $what);
    push @told, $status, $body =~ /"detail": "(.*?)"/;
}
$main::redis->continue;
main::tell(@told);
--- response_body
300
503
Redis is away, nothing was changed
503
Redis is away, nothing was changed
503
Redis is away, nothing was changed



=== TEST 6: a Redis that has lost its counts is not told what was reset
--- init
main::begin();
my @told;
push @told, $main::two->count(301, 200, '/sliding?k=a');
sleep 0.2;
push @told, scalar main::reset($main::one, 'sliding&key=a');
sleep 2;
push @told, $main::two->count(100, 200, '/sliding?k=a');
$main::redis->stop;
$main::redis->run;
sleep 3;
push @told, $main::two->count(300, 200, '/sliding?k=a');
main::tell(@told);
--- response_body
300
200
100
200



=== TEST 7: in a cluster, of a shard whose slot moves
--- cluster: $TEST_NGINX_NODE_PORT cluster=on
--- init
main::begin();
my @told;
sleep 1.5;  # the shards have opened
push @told, $main::two->count(301, 200, '/sliding?k=a');
my ($from, $key);
for my $node (@main::nodes) {
    for (@{$node->ask('KEYS', 'reset7:*')}) { ($from, $key) = ($node, $_) if /\}[\w-]{14}\z/ }
}
my $slot = $from->ask('CLUSTER', 'KEYSLOT', $key);
my ($to) = grep { $_ != $from } @main::nodes;
my ($from_id, $to_id) = map { $_->ask('CLUSTER', 'MYID') } $from, $to;
$to->ask('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from_id);
$from->ask('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to_id);
$from->ask('MIGRATE', $to->{address}, $to->{port}, '', 0, 5000, 'KEYS', @{$from->ask('CLUSTER', 'GETKEYSINSLOT', $slot, 100)});
push @told, scalar main::reset($main::one, 'sliding&key=a');
$_->ask('CLUSTER', 'SETSLOT', $slot, 'NODE', $to_id) for $to, $from;
sleep 2;
push @told, $main::two->count(301, 200, '/sliding?k=a');
push @told, scalar main::reset($main::two, 'sliding&key=a');
sleep 2;
push @told, $main::one->count(301, 200, '/sliding?k=a');
main::tell(@told);
--- response_body
300
200
300
200
300



=== TEST 8: all keys of a policy: at once here, within two seconds there; it has a line in the other's log
--- init
main::begin();
my @told;
for my $algorithm (@main::algorithms) {
    my @before = (map({ $_->count(200, 200, "/$algorithm?k=a") } $main::one, $main::two), $main::two->count(301, 200, "/$algorithm?k=b"));
    my (undef, $answer) = main::reset($main::one, "$algorithm&all=yes");
    my ($at) = $answer =~ /"policy": "$algorithm",\s*"zone": "api",\s*"reset_at": (\d+)/;
    my @counts = main::counts("$algorithm&key=a");
    my $after = $main::one->count(100, 200, "/$algorithm?k=a");
    sleep 2;
    $after += $main::two->count(150, 200, "/$algorithm?k=a") + $main::one->count(200, 200, "/$algorithm?k=a");
    push @told, "$algorithm @before, " . (abs($at - time) < 5 ? 'then' : 'when?') . " @counts, $after "
                . $main::two->count(301, 200, "/$algorithm?k=b");
}
push @told, scalar(() = $main::two->log =~ /\[warn\].*ratelimit: all keys of policy "\w+" reset, as redis "main" says/g);
push @told, ($main::one->ask('GET', '/ratelimit/overrides'))[1] =~ /"overrides": \[\]/ ? 'no override' : 'overrides';
main::tell(@told);
--- response_body
sliding 200 100 300, then 0 0, 300 300
fixed 200 100 300, then 0 0, 300 300
calendar 200 100 300, then 0 0, 300 300
gcra 200 100 300, then 0 0, 300 300
4
no override
--- error_log eval
qr/ratelimit: all keys of policy "gcra" reset by "ratelimit_api", client/



=== TEST 9: a machine that has not heard of it is told by the bucket, one that starts as well
--- init
main::begin();
my @told;
for my $algorithm (@main::algorithms) {
    push @told, join ' ', $algorithm, $main::two->count(200, 200, "/$algorithm?k=a"), main::renew($main::one, $algorithm),
        $main::one->count(100, 200, "/$algorithm?k=a"), $main::two->count(100, 200, "/$algorithm?k=a");
}
$main::two->stop;
$main::two = Machine->start($main::http, $main::server);
push @told, map { my $k = $_; join ' ', $k, map { $_->count(150, 200, "/$k?k=a") } $main::two, $main::one } @main::algorithms;
main::tell(@told);
--- response_body
sliding 200 200 100 100
fixed 200 200 100 100
calendar 200 200 100 100
gcra 200 200 100 100
sliding 100 0
fixed 100 0
calendar 100 0
gcra 100 0



=== TEST 10: what the other holds is worth nothing once it knows
--- mode: lease
--- init
main::begin();
my @told;
for my $algorithm (@main::algorithms) {
    for (1 .. 60) { $main::two->count(1, 200, "/$algorithm?k=a"); sleep 0.002 }
    my ($used, $held) = main::counts("$algorithm&key=a");
    my ($status) = main::renew($main::one, $algorithm);
    my @after = main::counts("$algorithm&key=a");
    sleep 2;
    my $n = 0;
    for (1 .. 20) { $n += $_->count(20, 200, "/$algorithm?k=a") for $main::two, $main::one }
    push @told, "$algorithm $status " . ($held ? 'held' : 'held nothing') . " @after $n";
}
main::tell(@told);
--- response_body
sliding 200 held 0 0 300
fixed 200 held 0 0 300
calendar 200 held 0 0 300
gcra 200 held 0 0 300



=== TEST 11: one reset after the other; a Redis that has lost everything is told of it
--- init
main::begin();
my @told;
for my $machine ($main::one, $main::two, $main::one) {
    push @told, $machine->count(301, 200, '/sliding?k=a'), main::renew($machine, 'sliding');
    sleep 2;
}
push @told, $main::one->count(100, 200, '/sliding?k=a'), $main::two->count(50, 200, '/sliding?k=a');
$main::redis->stop;
$main::redis->run;
sleep 4;
push @told, $main::two->count(300, 200, '/sliding?k=a') + $main::one->count(300, 200, '/sliding?k=a');
$main::two->stop;
$main::two = Machine->start($main::http, $main::server);
push @told, $main::two->count(50, 200, '/sliding?k=a');
main::tell(@told);
--- response_body
300
200
300
200
300
200
100
50
150
0



=== TEST 12: over a reload, with old workers and new ones; a standing shows the whole quota
--- init
main::begin();
my @told;
push @told, $main::one->count(301, 200, '/sliding?k=a'), main::renew($main::one, 'sliding');
my (undef, $standing) = $main::one->ask('GET', '/standing?k=a');
push @told, $standing =~ /"remaining": ?(\d+)/;
push @told, $main::one->count(100, 200, '/sliding?k=a');
kill 'HUP', main::master();
sleep 1;
push @told, $main::one->count(300, 200, '/sliding?k=a'), main::renew($main::one, 'sliding'), $main::one->count(301, 200, '/sliding?k=a');
main::tell(@told);
--- response_body
300
200
300
100
200
200
300



=== TEST 13: in a cluster
--- cluster: $TEST_NGINX_NODE_PORT cluster=on
--- init
main::begin();
my @told;
sleep 1.5;  # the shards have opened
for my $algorithm (@main::algorithms) {
    push @told, join ' ', $algorithm, map({ $main::two->count(301, 200, "/$algorithm?k=$_") } 'a' .. 'c'), main::renew($main::one, $algorithm);
    sleep 2;
    $told[-1] .= join ' ', '', map { my $k = $_; map { $_->count(200, 200, "/$algorithm?k=$k") } $main::one, $main::two } 'a' .. 'c';
}
main::tell(@told);
--- response_body
sliding 300 300 300 200 200 100 200 100 200 100
fixed 300 300 300 200 200 100 200 100 200 100
calendar 300 300 300 200 200 100 200 100 200 100
gcra 300 300 300 200 200 100 200 100 200 100
