use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

# Quotas that machines share through Redis, mode=lease: units are borrowed, and
# decided by without asking.
our $redis;

BEGIN {
    plan(skip_all => 'not under valgrind, by the clock') if $ENV{TEST_NGINX_USE_VALGRIND};
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    $redis->open_shards('ratelimit:');
}

plan('no_plan');
master_on();
no_shuffle();
no_long_string();

our $policies = <<'_END_';
    ratelimit_policy sliding  key=$arg_k quota=500/1h;
    ratelimit_policy fixed    key=$arg_k quota=500/1h algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=500/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=1/1h algorithm=gcra capacity=500;
    ratelimit_policy large    key=$arg_k quota=100000/1m;
    ratelimit_policy small    key=$arg_k quota=5/1h;
    ratelimit_policy host     key=$arg_h quota=300/1h;
_END_

add_block_preprocessor(sub {
    my $block = shift;
    my $zone = $block->zone // 'on_error=refuse';

    $block->set_value('http_config', <<"_END_");
    ratelimit_redis main server=127.0.0.1:\$TEST_NGINX_REDIS_PORT timeout=1s;
    ratelimit_zone  zone=api:1m redis=main $zone;
$policies
    ratelimit_log_level info;
    keepalive_requests 1000000;
_END_
    $block->set_value('config', <<'_END_');
    ratelimit_headers x-ratelimit;
    add_header X-Status "$ratelimit_status" always;
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /cost     { ratelimit sliding cost=39; empty_gif; }
    location /fixed    { ratelimit fixed;    empty_gif; }
    location /calendar { ratelimit calendar; empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
    location /large    { ratelimit large;    empty_gif; }
    location /small    { ratelimit small;    empty_gif; }
    location /both     { ratelimit large host; empty_gif; }
    location /ratelimit/ { ratelimit_api; allow all; }
_END_
    workers($block->workers // 1);
    $block->set_value('request', "GET /out\n") if !defined $block->request;
});

# How often Redis was asked to decide, since the last time.
our $known = 0;

sub asked {
    my ($all) = $redis->ask('INFO', 'commandstats') =~ /cmdstat_evalsha:calls=(\d+)/;
    my $since = ($all // 0) - $known;
    $known = $all // 0;
    return $since;
}

# One request after the other, as fast as that goes or a pause apart: how many
# were admitted, refused, and neither.
sub steadily {
    my ($count, $uri, $pause) = @_;
    my %answers = (200 => 0, 429 => 0);
    my $socket = RateLimit::connection();

    for (1 .. $count) {
        syswrite $socket, "HEAD $uri HTTP/1.1\r\nHost: localhost\r\n\r\n";
        my $got = '';
        sysread $socket, $got, 4096, length $got or die 'closed' until $got =~ /\r\n\r\n/;
        $answers{($got =~ /^HTTP\/1.1 (\d+)/)[0]}++;
        sleep $pause if $pause;
    }

    return join ' ', map { "$_:$answers{$_}" } sort keys %answers;
}

# A key in such use that it has borrowed.
sub warm_up {
    my ($uri) = @_;

    RateLimit::connection();
    sleep 0.2;  # a link to Redis
    my $got = steadily(100, $uri, 0.002);
    die "while warming up: $got" if $got !~ /200:100/;
}

# A Redis that is new gives nothing in its first second.
sub until_open {
    my ($uri) = @_;

    for (1 .. 100) {
        return if steadily(1, $uri) =~ /200:1/;
        sleep 0.1;
    }

    die 'it does not open';
}

sub admitted {
    my ($count, $uri) = @_;
    my $answers = RateLimit::pipeline($count, sub { $uri });
    return $answers->{200} // 0;
}

sub master {
    open my $in, '<', server_root() . '/logs/nginx.pid' or die;
    return <$in> + 0;
}

sub workers_of_master {
    my $master = master();
    open my $in, '<', "/proc/$master/task/$master/children" or die;
    return split ' ', <$in> // '';
}

sub reload {
    my ($old) = workers_of_master();

    kill 'HUP', master();

    for (1 .. 200) {
        sleep 0.02;
        return if !grep { $_ == $old } workers_of_master();
    }

    die 'the old worker stays';
}

# What the workers have of Redis's buckets, as they counted last.
sub held {
    my $socket = RateLimit::connection();
    print $socket "GET /ratelimit/metrics HTTP/1.0\r\n\r\n";
    my %gauge = do { local $/; <$socket> } =~ /^nginx_ratelimit_redis_(\w+)\{redis="main"\} (\d+)$/mg;
    return "rows $gauge{rows}, held " . ($gauge{held_units} ? 'some' : 0);
}

# What a block says, as the answer to its request.
sub tell { RateLimit::publish('out', join('', map { "$_\n" } @_)) }

sub few { my ($n, $most) = @_; return $n <= $most ? 'few' : "$n, more than $most" }

run_tests();

__DATA__

=== TEST 1: a key in use is decided without asking
--- init
main::warm_up('/large?k=a');
main::asked();
main::tell(main::steadily(500, '/large?k=a', 0.001), main::few(main::asked(), 25));
--- response_body
200:500 429:0
few



=== TEST 2: sliding: the quota, to the unit; then it is refused without asking
--- init
main::warm_up('/sliding?k=a');
my $admitted = main::admitted(1000, '/sliding?k=a');
main::asked();
main::tell($admitted, main::steadily(500, '/sliding?k=a'), main::few(main::asked(), 3));
--- response_body
400
200:0 429:500
few



=== TEST 3: fixed
--- init
main::warm_up('/fixed?k=a');
my $admitted = main::admitted(1000, '/fixed?k=a');
main::asked();
main::tell($admitted, main::steadily(500, '/fixed?k=a'), main::few(main::asked(), 3));
--- response_body
400
200:0 429:500
few



=== TEST 4: calendar
--- init
main::warm_up('/calendar?k=a');
my $admitted = main::admitted(1000, '/calendar?k=a');
main::asked();
main::tell($admitted, main::steadily(500, '/calendar?k=a'), main::few(main::asked(), 3));
--- response_body
400
200:0 429:500
few



=== TEST 5: gcra
--- init
main::warm_up('/gcra?k=a');
my $admitted = main::admitted(1000, '/gcra?k=a');
main::asked();
main::tell($admitted, main::steadily(500, '/gcra?k=a'), main::few(main::asked(), 3));
--- response_body
400
200:0 429:500
few



=== TEST 6: a cost that the units in hand do not cover is asked for
--- init
main::warm_up('/sliding?k=b');
my $admitted = main::admitted(10, '/cost?k=b');
main::tell($admitted, main::admitted(100, '/sliding?k=b'), main::admitted(10, '/sliding?k=b'));
--- response_body
10
10
0



=== TEST 7: several policies, all or none
--- init
main::warm_up('/both?k=c&h=h');
my $admitted = main::admitted(1000, '/both?k=c&h=h');
my $other = main::steadily(10, '/both?k=c&h=other');
my ($left) = RateLimit::curl('-I', '/large?k=c') =~ /X-RateLimit-Remaining: (\d+)/;
main::tell($admitted, $other, $left);
--- response_body
200
200:10 429:0
99689



=== TEST 8: a small quota asks each time, and tells what is left
--- request eval
[("GET /small?k=a") x 6]
--- error_code eval
[(200) x 5, 429]
--- response_headers eval
[(map { "X-RateLimit-Remaining: $_" } 4, 3, 2, 1, 0, 0)]



=== TEST 9: what is left while units are borrowed
--- init
main::warm_up('/large?k=d');
--- request eval
[("GET /large?k=d") x 3]
--- response_headers eval
[(map { "X-RateLimit-Remaining: $_" } 99899, 99898, 99897)]



=== TEST 10: two workers: no more than the quota, and nearly all of it
--- workers: 2
--- init
my $url = 'http://127.0.0.1:' . server_port_for_client() . '/sliding?k=e';
RateLimit::connection();
sleep 0.2;
my ($all, $refused) = `wrk -t1 -c20 -d1s '$url'` =~ /(\d+) requests in.*?Non-2xx or 3xx responses: (\d+)/s;
my $admitted = $all - $refused;
main::tell($admitted <= 500 && $admitted > 490 ? 'the quota' : $admitted);
--- response_body
the quota



=== TEST 11: after a reload what was borrowed is there
--- init
main::warm_up('/sliding?k=f');
main::reload();
sleep 0.2;
main::tell(main::admitted(1000, '/sliding?k=f'));
--- response_body
400



=== TEST 12: a Redis that was emptied is told what was used
--- init
main::warm_up('/sliding?k=g');
$main::redis->ask('FLUSHALL');
sleep 0.1;
main::steadily(1000, '/sliding?k=g') =~ /200:(\d+)/;
my $meanwhile = $1;
sleep 1;
main::tell($meanwhile + main::admitted(1000, '/sliding?k=g'));
--- response_body
400
--- error_log
the counts of redis "main" are new



=== TEST 13: a Redis that was killed and came back empty
--- init
RateLimit::connection();
main::until_open('/sliding?k=open');
main::warm_up('/sliding?k=h');
$main::redis->stop;
$main::redis->run;
$main::known = 0;
sleep 2;
main::tell(main::admitted(1000, '/sliding?k=h'));
--- response_body
400
--- no_error_log
[alert]



=== TEST 14: units in hand are used while Redis is away, then on_error= holds
--- init
main::warm_up('/large?k=i');
$main::redis->pause;
my %got = map { split /:/ } split / /, main::steadily(1000, '/large?k=i');
$main::redis->continue;
main::tell($got{200} > 5 && $got{200} < 900 ? 'some' : $got{200}, $got{200} + $got{503});
--- response_body
some
1000
--- timeout: 10



=== TEST 15: mode=strict asks each time
--- zone: mode=strict on_error=refuse
--- init
sleep 0.6;
main::asked();
my $got = main::steadily(100, '/large?k=j', 0.001);
my $asked = main::asked();
main::tell($got, $asked >= 100 ? 'each' : $asked);
--- response_body
200:100 429:0
each



=== TEST 16: rows and units that are held outlive a killed worker
--- init
main::warm_up('/sliding?k=held');
sleep 1.6;
my $held = main::held();
my ($worker) = main::workers_of_master();
kill 'KILL', $worker;
sleep 0.1 while !main::workers_of_master() || (main::workers_of_master())[0] == $worker;
RateLimit::connection();
sleep 1.6;
main::tell($held, main::held());
--- response_body
rows 1, held some
rows 1, held some
--- error_log
[alert]
exited on signal 9
