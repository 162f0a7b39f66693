use lib 't/lib';
use JSON::PP ();
use Machines;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

# Whom the machines that share a zone refuse again and again, all of them ban.

plan('no_plan');
master_on();
no_shuffle();
no_long_string();

our $prefix;
my $blocks = 0;

add_block_preprocessor(sub {
    my $block = shift;
    my $zone = $block->zone // 'mode=strict on_error=refuse';
    my $where = $block->cluster // '$TEST_NGINX_REDIS_PORT';

    $prefix = 'ban' . ++$blocks . ':';
    my $http = <<"_END_";
    ratelimit_redis  main server=127.0.0.1:$where timeout=1s prefix=$prefix;
    ratelimit_zone   zone=api:1m redis=main $zone;
    ratelimit_zone   zone=here:1m;
    ratelimit_policy login  key=\$arg_k quota=1/1m ban=10m,1h after=4 zone=api;
    ratelimit_policy second key=\$arg_k quota=1/1m ban=20m after=2 zone=api;
    ratelimit_policy quick  key=\$arg_k quota=1/500ms ban=1s,2s,30s after=2 zone=api;
    ratelimit_policy longer key=\$arg_k quota=1/1s ban=8s after=1 ban_restarts zone=api;
    ratelimit_policy varies key=\$arg_k quota=\$arg_q ban=5m zone=api;
    ratelimit_policy large  key=\$arg_k quota=1000/1h zone=api;
    ratelimit_policy local  key=\$arg_k quota=1/1m ban=5m after=1 zone=here;
    ratelimit_headers x-ratelimit;
    ratelimit_log_level notice;
_END_
    my $server = <<'_END_';
    location /login  { ratelimit login; empty_gif; }
    location /both   { ratelimit login second large; empty_gif; }
    location /quick  { ratelimit quick; empty_gif; }
    location /longer { ratelimit longer; empty_gif; }
    location /local  { ratelimit local large; empty_gif; }
    location /varies { ratelimit varies; empty_gif; }
    location /dry    { ratelimit login dry_run=on; empty_gif; }
    location /left   { return 200 "$ratelimit_remaining_login $ratelimit_retry_after_login"; }
    location /ratelimit/ { ratelimit_api write=on; allow 127.0.0.1; deny all; }
_END_
    configure($block, $prefix, $http, $server);
});

# Requests on a machine, one after the other: their statuses.
sub try {
    my ($machine, $uri, $n) = @_;
    return join ' ', map { sleep 0.02; scalar $machine->ask('GET', $uri) } 1 .. $n;
}

# Who is banned, by a machine: "policy=level", and for how many seconds more.
sub banned {
    my ($machine) = @_;
    my (undef, $body) = $machine->ask('GET', '/ratelimit/bans');
    my $json = eval { JSON::PP->new->decode($body) } or return "no JSON: $body";
    return map { ["$_->{policy}=$_->{level}", $_->{until} - int time, $_->{key_id}, $_->{since}] } @{$json->{bans}};
}

sub listed { join(' ', sort map { $_->[0] } banned($_[0])) || 'nobody' }

# Whether a machine has those within a second and a half.
sub soon {
    my ($machine, $wanted) = @_;
    my ($end, $has) = time + 1.5;

    do {
        $has = listed($machine);
        return "soon $wanted" if $has eq $wanted;
        sleep 0.05;
    } while (time < $end);
    return "not $wanted but $has";
}

# The first is as the second or up to so much less.
sub about {
    my ($value, $wanted, $less) = @_;
    return $value <= $wanted && $value >= $wanted - ($less // 3) ? "about $wanted" : "not $wanted but $value";
}

sub retry_after {
    my ($machine, $uri) = @_;
    my $socket = $machine->connect;
    syswrite $socket, "GET $uri HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    my $answer = do { local $/; <$socket> };
    my ($after) = $answer =~ /^Retry-After: (\d+)/m;
    my ($reset) = $answer =~ /^X-RateLimit-Reset: (\d+)/mi;
    return ($after // 'none', $reset // 'none');
}

# What counts of a key, whether Redis knows that it was used or not yet.
sub used {
    my (undef, $body) = $one->ask('GET', "/ratelimit/keys?policy=$_[0]");
    return $body =~ /"used": (\d+),\s*"held": (\d+)/ ? $1 + $2 : $body;
}

sub lift { $_[0]->ask('DELETE', "/ratelimit/bans?$_[1]") }

sub lines { scalar(() = $_[0]->log =~ /ratelimit: banned by policy/g) }

run_tests();

__DATA__

=== TEST 1: refusals of both count together; the ban holds on both, and is one line
--- init
main::begin();
my @told;
push @told, main::try($main::one, '/login?k=a', 3), main::try($main::two, '/login?k=a', 1), main::listed($main::two);
push @told, main::try($main::two, '/login?k=a', 1);
push @told, main::soon($main::two, 'login=1'), main::soon($main::one, 'login=1');
for my $machine ($main::one, $main::two) {
    push @told, map { main::about($_, 600) } main::retry_after($machine, '/login?k=a'), map { $_->[1] } main::banned($machine);
    push @told, main::try($machine, '/login?k=b', 1), scalar $machine->ask('GET', '/login?k=a');
    push @told, ($machine->ask('GET', '/left?k=a'))[1] =~ /^0 (?:600|59\d)$/ ? 'nothing left' : 'left';
}
push @told, main::lines($main::one) + main::lines($main::two);
push @told, $main::two->log =~ /(ratelimit: banned by policy "login", key) \w{16}, (for 600s, client: 127\.0\.0\.1, by what all machines have refused)/;
main::tell(@told);
--- response_body
200 429 429
429
nobody
429
soon login=1
soon login=1
about 600
about 600
about 600
200
429
nothing left
about 600
about 600
about 600
429
429
nothing left
1
ratelimit: banned by policy "login", key
for 600s, client: 127.0.0.1, by what all machines have refused



=== TEST 2: one that refuses often enough begins it itself, and outlives it in all others
--- init
main::begin();
my @told;
push @told, main::try($main::two, '/login?k=a', 4), main::about((main::retry_after($main::two, '/login?k=a'))[0], 600);
push @told, main::soon($main::one, 'login=1');
$main::two->stop;
my $three = Machine->start($main::http, $main::server);
push @told, main::soon($three, 'login=1'), main::try($three, '/login?k=a', 1);
my @since = map { (main::banned($_))[0][3] } $main::one, $three;
push @told, abs($since[0] - $since[1]) <= 1 ? 'of one time' : "@since";
push @told, $main::redis->ask('ZCARD', "${main::prefix}{00}bans");
push @told, map { /\A\w+:\{00\}ban:[0-9a-f]{16}\z/ ? 'its name' : $_ } @{$main::redis->ask('KEYS', "$main::prefix*}ban:*")};
push @told, map { $main::redis->ask('PTTL', $_) > 3600e3 ? 'it goes' : 'it stays' } "${main::prefix}{00}bans", @{$main::redis->ask('KEYS', "$main::prefix*}ban:*")};
main::tell(@told);
--- response_body
200 429 429 429
about 600
soon login=1
soon login=1
429
of one time
2
its name
it goes
it goes



=== TEST 3: the next ones last longer, wherever they begin
--- init
main::begin();
my @told;
push @told, main::try($main::one, '/quick?k=a', 3), main::soon($main::two, 'quick=1');
sleep 1.6;
push @told, main::try($main::two, '/quick?k=a', 3), main::soon($main::one, 'quick=2');
sleep 2.6;
push @told, main::listed($main::one);
push @told, main::try($main::one, '/quick?k=a', 2), main::try($main::two, '/quick?k=a', 1);
push @told, main::soon($main::one, 'quick=3'), main::soon($main::two, 'quick=3');
push @told, map { main::about($_, 30) } map { (main::retry_after($_, '/quick?k=a'))[0] } $main::one, $main::two;
main::tell(@told);
--- response_body
200 429 429
soon quick=1
200 429 429
soon quick=2
nobody
200 429
429
soon quick=3
soon quick=3
about 30
about 30



=== TEST 4: what is refused during a ban does not prolong it, but with ban_restarts
--- init
main::begin();
my @told;
push @told, main::try($main::one, '/login?k=a', 5), main::try($main::one, '/longer?k=a', 2);
push @told, main::soon($main::two, 'login=1 longer=1');
my %before = map { @$_[0, 1] } main::banned($main::one);
for (1 .. 15) { sleep 0.2; $main::two->ask('GET', $_) for '/login?k=a', '/longer?k=a' }
sleep 0.7;
for my $machine ($main::one, $main::two) {
    my %after = map { @$_[0, 1] } main::banned($machine);
    push @told, $after{'login=1'} <= $before{'login=1'} - 3 ? 'goes on' : 'prolonged', main::about($after{'longer=1'}, 8, 2);
}
main::tell(@told);
--- response_body
200 429 429 429 429
200 429
soon login=1 longer=1
goes on
about 8
goes on
about 8



=== TEST 5: lifted on one, by key or id, it is lifted on both, with the units in use
--- init
main::begin();
my @told;
push @told, main::try($main::one, "/login?k=$_", 5) for 'a', 'b';
push @told, main::soon($main::two, 'login=1 login=1');
my ($status, $body) = main::lift($main::one, 'policy=login&key=a');
push @told, $status, $body =~ /("banned_until": null)/, main::listed($main::one), main::soon($main::two, 'login=1');
push @told, main::try($main::two, '/login?k=a', 2);
my $id = (main::banned($main::two))[0][2];
push @told, scalar main::lift($main::two, "policy=login&id=$id"), main::soon($main::one, 'nobody');
push @told, main::try($main::one, '/login?k=b', 2);
push @told, scalar main::lift($main::one, 'policy=login&key=a'), scalar main::lift($main::two, "policy=login&id=$id");
push @told, main::try($main::two, '/login?k=a', 5), main::soon($main::one, 'login=1');
push @told, (map { main::about($_, 600) } (main::banned($main::one))[0][1]);
($status) = $main::two->ask('DELETE', '/ratelimit/keys?policy=login&key=a');
push @told, $status, main::soon($main::one, 'nobody'), main::try($main::one, '/login?k=a', 1);
push @told, scalar $main::one->ask('DELETE', "/ratelimit/keys?policy=$_") for 'login&key=never', 'varies&key=never';
main::tell(@told);
--- response_body
200 429 429 429 429
200 429 429 429 429
soon login=1 login=1
200
"banned_until": null
login=1
soon login=1
200 429
200
soon nobody
200 429
404
404
429 429 429 429 429
soon login=1
about 600
200
soon nobody
200
200
409
--- error_log eval
qr/ratelimit: ban of key \w{16} of policy "login" lifted by "ratelimit_api", client/



=== TEST 6: a Redis that has lost everything is told again, and what was lifted stays so
--- init
main::begin();
my @told;
push @told, main::try($main::one, "/login?k=$_", 5) for 'a', 'b';
push @told, main::soon($main::two, 'login=1 login=1');
push @told, scalar main::lift($main::two, 'policy=login&key=a'), main::soon($main::one, 'login=1');
$main::redis->stop;
$main::redis->run;
sleep 3;
push @told, main::listed($main::one), main::listed($main::two);
my $three = Machine->start($main::http, $main::server);
push @told, main::soon($three, 'login=1'), main::about((main::banned($three))[0][1], 600, 12);
push @told, $main::redis->ask('ZCARD', "${main::prefix}{00}bans");
$main::redis->ask('FLUSHALL');
my $four = Machine->start($main::http, $main::server);
sleep 1;
push @told, main::soon($four, 'login=1');
push @told, main::try($_, '/login?k=b', 1) for $main::one, $main::two, $three, $four;
main::tell(@told);
--- response_body
200 429 429 429 429
200 429 429 429 429
soon login=1 login=1
200
soon login=1
login=1
login=1
soon login=1
about 600
2
soon login=1
429
429
429
429



=== TEST 7: while Redis is away each goes on with what it knows, and bans by itself
--- zone: mode=strict on_error=local
--- init
main::begin();
my @told;
push @told, main::try($main::one, '/login?k=a', 5), main::soon($main::two, 'login=1');
$main::redis->pause;
$main::two->ask('GET', '/login?k=x');
push @told, main::try($main::two, '/login?k=a', 1), main::try($main::two, '/login?k=b', 5), main::listed($main::two);
my ($status, $body) = main::lift($main::two, 'policy=login&key=a');
push @told, $status, $body =~ /"detail": "(.*?)"/, main::listed($main::two), main::listed($main::one);
$main::redis->continue;
sleep 1.5;
push @told, main::soon($main::one, 'login=1 login=1');
push @told, main::about((main::retry_after($main::one, '/login?k=b'))[0], 600, 12);
push @told, main::lines($main::one) + main::lines($main::two);
main::tell(@told);
--- response_body
200 429 429 429 429
soon login=1
429
200 429 429 429 429
login=1 login=1
503
Redis is away, nothing was changed
login=1 login=1
login=1
soon login=1 login=1
about 600
2



=== TEST 8: of two policies each bans; others are not charged, nor where a zone is not shared
--- init
main::begin();
my @told;
push @told, main::try($main::one, '/both?k=a', 2), main::try($main::two, '/both?k=a', 1);
push @told, main::soon($main::one, 'second=1'), main::soon($main::two, 'second=1');
push @told, main::about((main::retry_after($main::one, '/both?k=a'))[0], 1200);
push @told, main::try($main::one, '/login?k=a', 1), main::soon($main::one, 'login=1 second=1');
push @told, main::used('large&key=a');
push @told, main::try($main::two, '/local?k=c', 3), main::soon($main::two, 'local=1 login=1 second=1');
push @told, main::try($main::one, '/local?k=c', 1), main::used('large&key=c');
main::tell(@told);
--- response_body
200 429
429
soon second=1
soon second=1
about 1200
429
soon login=1 second=1
1
200 429 429
soon local=1 login=1 second=1
200
2



=== TEST 9: a dry run bans nobody where it stands, and everybody where it does not
--- init
main::begin();
my @told;
push @told, main::try($main::one, '/dry?k=a', 3), main::try($main::two, '/dry?k=a', 2), main::soon($main::one, 'login=1');
push @told, main::try($main::one, '/dry?k=a', 1), main::try($main::one, '/login?k=a', 1), main::soon($main::two, 'login=1');
push @told, main::try($main::two, '/login?k=a', 1);
push @told, $main::two->log =~ /(would be banned \(dry run\) by policy "login")/;
main::tell(@told);
--- response_body
200 200 200
200 200
soon login=1
200
429
soon login=1
429
would be banned (dry run) by policy "login"



=== TEST 10: units in hand are of no use to who is banned, and go to others
--- zone: mode=lease on_error=refuse
--- init
main::begin();
my @told;
for (1 .. 100) { $main::two->count(1, 200, '/both?k=a'); sleep 0.002 }
push @told, main::soon($main::two, 'login=1 second=1'), main::soon($main::one, 'login=1 second=1');
push @told, main::try($main::one, '/both?k=a', 2), main::try($main::two, '/login?k=a', 2);
main::tell(@told);
--- response_body
soon login=1 second=1
soon login=1 second=1
429 429
429 429



=== TEST 11: in a cluster, also when the slot has moved
--- cluster: $TEST_NGINX_NODE_PORT cluster=on
--- init
main::begin();
my @told;
sleep 1.5;  # the shards have opened
push @told, main::try($main::one, '/login?k=a', 3), main::try($main::two, '/login?k=a', 2), main::soon($main::one, 'login=1');
my $slot = $main::nodes[0]->ask('CLUSTER', 'KEYSLOT', "${main::prefix}{00}bans");
my ($from) = grep { @{$_->ask('CLUSTER', 'GETKEYSINSLOT', $slot, 9)} } @main::nodes;
my ($to) = grep { $_ != $from } @main::nodes;
my ($from_id, $to_id) = map { $_->ask('CLUSTER', 'MYID') } $from, $to;
$to->ask('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from_id);
$from->ask('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to_id);
$from->ask('MIGRATE', $to->{address}, $to->{port}, '', 0, 5000, 'KEYS', @{$from->ask('CLUSTER', 'GETKEYSINSLOT', $slot, 100)});
$_->ask('CLUSTER', 'SETSLOT', $slot, 'NODE', $to_id) for $to, $from;
sleep 1;
push @told, main::try($main::two, '/login?k=b', 5), main::soon($main::one, 'login=1 login=1');
push @told, scalar main::lift($main::one, 'policy=login&key=a'), main::soon($main::two, 'login=1');
main::tell(@told);
--- response_body
200 429 429
429 429
soon login=1
200 429 429 429 429
soon login=1 login=1
200
soon login=1



=== TEST 12: over reloads, with workers that are killed
--- init
main::begin();
my @told;
my $master = do { local (@ARGV, $/) = "$main::one->{dir}/logs/nginx.pid"; <> + 0 };
push @told, main::try($main::one, '/login?k=a', 3);
kill 'HUP', $master;
sleep 0.8;
push @told, main::try($main::two, '/login?k=a', 2), main::soon($main::one, 'login=1');
kill 'KILL', $main::two->worker_pids;
sleep 0.5;
push @told, main::listed($main::two), main::try($main::two, '/login?k=b', 5), main::soon($main::one, 'login=1 login=1');
push @told, scalar main::lift($main::one, 'policy=login&key=b'), main::soon($main::two, 'login=1');
main::tell(@told);
--- response_body
200 429 429
429 429
soon login=1
login=1
200 429 429 429 429
soon login=1 login=1
200
soon login=1



=== TEST 13: what another program has written there is told, and harms nothing
--- init
main::begin();
my @told;
push @told, main::try($main::one, '/login?k=a', 5), main::soon($main::two, 'login=1');
my $feed = "${main::prefix}{00}bans";
$main::redis->ask('ZADD', $feed, 1e9, 'nonsense');
sleep 1.2;
push @told, main::listed($main::one), main::try($main::two, '/login?k=a', 1);
$main::redis->ask('DEL', $feed);
$main::redis->ask('SET', $feed, 'nonsense');
sleep 1.2;
push @told, main::try($main::one, '/login?k=b', 5), main::listed($main::one), main::listed($main::two);
$main::redis->ask('DEL', $feed);
push @told, main::soon($main::two, 'login=1 login=1');
main::tell(@told);
--- response_body
200 429 429 429 429
soon login=1
login=1
429
200 429 429 429 429
login=1 login=1
login=1
soon login=1 login=1
--- error_log eval
qr/ratelimit: bans are not those of redis "main": /



=== TEST 14: the reference's line of an ACL is enough
--- init
main::begin();
my @told;
my ($acl) = do { local (@ARGV, $/) = 'src/REFERENCE.md'; <> } =~ /^user nginx on >PASSWORD (.*)$/m;
push @told, $main::redis->ask('ACL', 'SETUSER', 'default', 'resetkeys', split ' ', $acl =~ s/~ratelimit:/~$main::prefix/r);
push @told, main::try($main::one, '/login?k=a', 3), main::try($main::two, '/login?k=a', 2);
push @told, main::soon($main::one, 'login=1'), scalar main::lift($main::one, 'policy=login&key=a'), main::soon($main::two, 'nobody');
main::tell(@told);
--- response_body
OK
200 429 429
429 429
soon login=1
200
soon nobody
