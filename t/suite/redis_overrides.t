use lib 't/lib';
use JSON::PP ();
use Machines;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

# What an operator sets on one of the machines that share a zone holds on all.

plan('no_plan');
master_on();
no_shuffle();
no_long_string();

my $blocks = 0;

add_block_preprocessor(sub {
    my $block = shift;
    my $zone = $block->zone // 'mode=strict on_error=refuse';
    my $prefix = 'of' . ++$blocks . ':';
    my $where = $block->cluster // '$TEST_NGINX_REDIS_PORT';

    my $http = <<"_END_";
    ratelimit_redis  main server=127.0.0.1:$where timeout=300ms prefix=$prefix;
    ratelimit_zone   zone=api:1m redis=main $zone;
    ratelimit_zone   zone=here:1m;
    ratelimit_policy p key=\$arg_k quota=3/1h zone=api;
    ratelimit_policy large key=\$arg_k quota=1000/1h zone=api;
    ratelimit_policy local key=\$arg_k quota=3/1h zone=here;
_END_
    my $server = <<'_END_';
    location /p     { ratelimit p; empty_gif; }
    location /large { ratelimit large; empty_gif; }
    location /local { ratelimit local; empty_gif; }
    location /ratelimit/ { ratelimit_api write=on; allow 127.0.0.1; deny all; }
_END_
    configure($block, $prefix, $http, $server);
});

# What a machine has set, as "key or policy=value", in order.
sub listed {
    my ($machine) = @_;
    my (undef, $body) = $machine->ask('GET', '/ratelimit/overrides');
    my $json = eval { JSON::PP->new->decode($body) } or return "no JSON: $body";

    return join(' ', sort map {
        ($_->{policy} // $_->{zone}) . ($_->{key_id} ? '.key=' : '=')
        . ($_->{quota_units} // ($_->{scale_percent} ? "$_->{scale_percent}%" : 'unlimited'))
    } @{$json->{overrides}}) || 'none';
}

# Whether a machine has that within two seconds.
sub soon {
    my ($machine, $wanted) = @_;
    my ($end, $has) = time + 2;

    do {
        $has = listed($machine);
        return "soon $wanted" if $has eq $wanted;
        sleep 0.05;
    } while (time < $end);
    return "not $wanted but $has";
}

sub put    { $_[0]->ask('PUT', "/ratelimit/overrides?$_[1]") }
sub delete { $_[0]->ask('DELETE', "/ratelimit/overrides?$_[1]") }

run_tests();

__DATA__

=== TEST 1: set, changed and cleared, on either; each has a line in the other's log
--- init
main::begin();
my @told;
push @told, scalar main::put($main::one, 'policy=p&key=a&quota=5');
push @told, main::soon($main::two, 'p.key=5');
push @told, $main::two->count(7, 200, '/p?k=a'), $main::two->count(7, 200, '/p?k=b');
push @told, scalar main::put($main::two, 'policy=p&key=a&quota=unlimited&for=1h');
push @told, main::listed($main::two), main::soon($main::one, 'p.key=unlimited');
push @told, $main::one->count(7, 200, '/p?k=a');
push @told, scalar main::put($main::one, 'zone=api&scale=200%'), scalar main::put($main::one, 'policy=large&scale=50%');
push @told, main::soon($main::two, 'api=200% large=50% p.key=unlimited');
push @told, scalar main::delete($main::one, 'policy=p&key=a');
push @told, main::soon($main::two, 'api=200% large=50%'), scalar main::delete($main::two, 'policy=p&key=a');
push @told, scalar main::delete($main::two, 'zone=api');
push @told, main::soon($main::one, 'large=50%');
push @told, $main::two->log =~ /\[warn\].*ratelimit: override of (key) \w{16} of (policy "p" set to 5, as redis "main" says)/;
push @told, $main::two->log =~ /ratelimit: override of (policy "large" set to 50\.000%, as)/;
push @told, $main::two->log =~ /ratelimit: override of (key) \w{16} of (policy "p" cleared, as)/;
push @told, scalar(() = $main::two->log =~ /as redis "main" says/g);
main::tell(@told);
--- response_body
200
soon p.key=5
5
3
200
p.key=unlimited
soon p.key=unlimited
7
200
200
soon api=200% large=50% p.key=unlimited
200
soon api=200% large=50%
404
200
soon large=50%
key
policy "p" set to 5, as redis "main" says
policy "large" set to 50.000%, as
key
policy "p" cleared, as
4
--- error_log eval
[qr/override of key \w{16} of policy "p" set to unlimited for \d+s, as redis "main" says/,
 qr/override of zone "api" cleared, as redis "main" says/,
 qr/override of policy "large" set to 50% by "ratelimit_api", client: /]



=== TEST 2: a machine that stood still, and one that begins later, have it
--- init
main::begin();
my @told;
$main::two->pause;
push @told, scalar main::put($main::one, 'policy=p&quota=9');
sleep 2.5;
$main::two->continue;
push @told, main::soon($main::two, 'p=9');
my $three = Machine->start($main::http, $main::server);
push @told, main::soon($three, 'p=9');
push @told, scalar main::delete($three, 'policy=p');
push @told, main::soon($main::one, 'none'), main::soon($main::two, 'none');
main::tell(@told);
--- response_body
200
soon p=9
soon p=9
200
soon none
soon none



=== TEST 3: it is over everywhere when its time is
--- init
main::begin();
my @told;
push @told, scalar main::put($main::one, 'policy=p&quota=9&for=3s');
push @told, main::soon($main::two, 'p=9');
sleep 3.1;
push @told, main::listed($main::one), main::listed($main::two);
my $three = Machine->start($main::http, $main::server);
sleep 1.5;
push @told, main::listed($three);
main::tell(@told);
--- response_body
200
soon p=9
none
none
none



=== TEST 4: a Redis that has lost everything is told again, and not what was cleared
--- init
main::begin();
my @told;
main::put($main::one, "policy=p&key=$_&quota=9") for 'a', 'b';
push @told, main::soon($main::two, 'p.key=9 p.key=9');
$main::two->pause;
push @told, scalar main::delete($main::one, 'policy=p&key=a');
$main::redis->stop;
$main::redis->run;
$main::two->continue;
sleep 3;
push @told, main::listed($main::one), main::listed($main::two);
my $three = Machine->start($main::http, $main::server);
push @told, main::soon($three, 'p.key=9');
main::tell(@told);
--- response_body
soon p.key=9 p.key=9
200
p.key=9
p.key=9
soon p.key=9



=== TEST 5: while Redis is away nothing is set, and that is told
--- init
main::begin();
my @told;
push @told, scalar main::put($main::one, 'policy=p&quota=9');
push @told, main::soon($main::two, 'p=9');
$main::redis->pause;
my ($status, $body) = main::put($main::one, 'policy=p&quota=8');
push @told, $status, $body =~ /"detail": "(.*?)"/;
($status, $body) = main::delete($main::one, 'policy=p');
push @told, $status, $body =~ /"detail": "(.*?)"/;
push @told, main::listed($main::one), scalar main::put($main::one, 'policy=local&quota=7');
$main::redis->continue;
sleep 3;
push @told, main::listed($main::one), main::listed($main::two);
main::tell(@told);
--- response_body
200
soon p=9
503
Redis is away, nothing was changed
503
Redis is away, nothing was changed
p=9
200
local=7 p=9
p=9



=== TEST 6: operators on both at once, as many as there is room for
--- init
main::begin();
my @told;
my @pids = map { my $n = $_; my $pid = fork; if (!$pid) {
    my $all = 0;
    $all += main::put($n < 2 ? $main::one : $main::two, "policy=p&key=$n-$_&quota=9") == 200 for 1 .. 10;
    POSIX::_exit($all);
} $pid } 0 .. 3;
push @told, join ' ', map { waitpid $_, 0; $? >> 8 } @pids;
my $forty = join ' ', ('p.key=9') x 40;
push @told, map { main::soon($_, $forty) eq "soon $forty" ? 'forty' : 'not forty' } $main::one, $main::two;
my ($status, $body) = main::put($main::one, 'policy=p&key=more&quota=9');
push @told, $status, $body =~ /"detail": "(.*?)"/;
main::tell(@told);
--- response_body
10 10 10 10
forty
forty
507
a zone has no more than 40 overrides, delete one



=== TEST 7: a key that was refused is let in, and one that is over its new quota is not
--- zone: mode=lease on_error=refuse
--- init
main::begin();
my @told;
push @told, $main::two->count(4, 200, '/p?k=c');
main::put($main::one, 'policy=p&key=c&quota=6');
push @told, main::soon($main::two, 'p.key=6');
push @told, $main::two->count(7, 200, '/p?k=c');
for (1 .. 100) { $main::two->count(1, 200, '/large?k=d'); sleep 0.002 }
main::put($main::one, 'policy=large&key=d&quota=10');
push @told, main::soon($main::two, 'large.key=10 p.key=6');
my (undef, $body) = $main::one->ask('GET', '/ratelimit/keys?policy=large&key=d');
my ($held) = $body =~ /"held": (\d+)/;
my $more = $main::two->count(1000, 200, '/large?k=d');
push @told, $more <= $held ? 'no more than was held' : "$more of $held";
push @told, $main::one->count(10, 200, '/large?k=d');
main::tell(@told);
--- response_body
3
soon p.key=6
3
soon large.key=10 p.key=6
no more than was held
0



=== TEST 8: what another program has written there is told, and harms nothing
--- init
main::begin();
my @told;
push @told, scalar main::put($main::one, 'policy=p&quota=9');
my $key = $main::redis->ask('KEYS', 'of8:*overrides*')->[0];
push @told, $key =~ /\Aof8:\{00\}overrides:[0-9a-f]{16}\z/ ? 'its name' : $key;
push @told, $main::redis->ask('STRLEN', $key), $main::redis->ask('TTL', $key);
$main::redis->ask('SET', $key, 'nonsense');
sleep 1.6;
push @told, main::listed($main::one);
my ($status, $body) = main::put($main::one, 'policy=p&quota=8');
push @told, $status, $body =~ /"detail": "(.*?)"/;
$main::redis->ask('DEL', $key);
sleep 1.6;
push @told, $main::redis->ask('STRLEN', $key);
main::tell(@told);
--- response_body
200
its name
88
-1
p=9
503
what Redis has is not this module's, nothing was changed
88
--- error_log eval
qr/overrides of zone "api" are not those of redis "main": what Redis has is not this module's/



=== TEST 9: in a cluster they are in one slot, also when that has moved
--- cluster: $TEST_NGINX_NODE_PORT cluster=on
--- init
main::begin();
my @told;
push @told, scalar main::put($main::one, 'policy=p&quota=9');
push @told, main::soon($main::two, 'p=9');
my $key = "of9:{00}gen";
my $slot = $main::nodes[0]->ask('CLUSTER', 'KEYSLOT', $key);
my ($from) = grep { ref $_->ask('CLUSTER', 'GETKEYSINSLOT', $slot, 1) && @{$_->ask('CLUSTER', 'GETKEYSINSLOT', $slot, 9)} } @main::nodes;
my ($to) = grep { $_ != $from } @main::nodes;
my ($from_id, $to_id) = map { $_->ask('CLUSTER', 'MYID') } $from, $to;
$to->ask('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from_id);
$from->ask('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to_id);
$from->ask('MIGRATE', $to->{address}, $to->{port}, '', 0, 5000, 'KEYS', @{$from->ask('CLUSTER', 'GETKEYSINSLOT', $slot, 100)});
push @told, scalar main::put($main::one, 'policy=p&quota=8');
push @told, main::soon($main::two, 'p=8');
$_->ask('CLUSTER', 'SETSLOT', $slot, 'NODE', $to_id) for $to, $from;
push @told, scalar main::put($main::two, 'policy=p&quota=7');
push @told, main::soon($main::one, 'p=7');
push @told, scalar @{$to->ask('KEYS', 'of9:*overrides*')}, scalar @{$from->ask('KEYS', 'of9:*overrides*')};
main::tell(@told);
--- response_body
200
soon p=9
200
soon p=8
200
soon p=7
1
0



=== TEST 10: over reloads, with workers that are killed
--- init
main::begin();
my @told;
my $master = do { local (@ARGV, $/) = "$main::one->{dir}/logs/nginx.pid"; <> + 0 };
push @told, scalar main::put($main::one, 'policy=p&quota=9&for=1h');
kill 'HUP', $master;
sleep 0.5;
push @told, main::listed($main::one), main::soon($main::two, 'p=9');
push @told, scalar main::put($main::two, 'policy=p&quota=8');
push @told, main::soon($main::one, 'p=8');
kill 'KILL', $main::two->worker_pids;
sleep 0.3;
push @told, scalar main::put($main::one, 'policy=p&quota=7');
push @told, main::soon($main::two, 'p=7');
push @told, scalar main::delete($main::two, 'policy=p'), main::soon($main::one, 'none');
main::tell(@told);
--- response_body
200
p=9
soon p=9
200
soon p=8
200
soon p=7
200
soon none
--- no_error_log
are not those of redis
