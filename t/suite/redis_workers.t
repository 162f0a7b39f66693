use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# The workers of a machine have one row of a shared bucket in Redis, whoever of
# them is killed, replaced or told to leave.
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

add_block_preprocessor(sub {
    my $block = shift;
    my $mode = $block->mode // 'lease';

    $block->set_value('http_config', <<"_END_");
    ratelimit_redis main server=127.0.0.1:\$TEST_NGINX_REDIS_PORT timeout=1s;
    ratelimit_zone  zone=api:1m redis=main mode=$mode on_error=refuse;
    ratelimit_policy large key=\$arg_k quota=60000/1m;
    ratelimit_policy small key=\$arg_k quota=500/1h;
    ratelimit_policy hour  key=\$arg_k quota=1000000/1h;
    keepalive_requests 1000000;
_END_
    $block->set_value('config', <<'_END_');
    location /large { ratelimit large; empty_gif; }
    location /small { ratelimit small; empty_gif; }
    location /both  { ratelimit large small; empty_gif; }
    location /hour  { ratelimit hour; empty_gif; }
    location /slow  {
        ratelimit  hour cost=5 settle=$upstream_http_x_cost;
        proxy_pass http://127.0.0.1:$arg_u;
    }
_END_
    workers($block->workers // 4);
    $block->set_value('request', "GET /out\n");
});

# Each bucket's name and the rows that it has in Redis.
our $of_buckets = <<'_END_';
for _, key in ipairs(redis.call('KEYS', '*')) do
    if not key:find('}gen$') and not key:find('}machines$') then
        %s
    end
end
return 'none'
_END_

sub rows {
    my $script = sprintf $of_buckets, "return (redis.call('STRLEN', key) - 72) / 36 .. ''";
    return 'rows ' . $redis->ask('EVAL', $script, 0);
}

# Nothing is there, and all workers have their links.
sub begin {
    $redis->ask('EVAL', sprintf($of_buckets, "redis.call('DEL', key)"), 0);
    RateLimit::connection();
    sleep 0.3;
}

# By 20 connections for a second, or by fewer, or while something else is done.
sub admitted {
    my ($uri, $seconds, $connections) = @_;
    my $url = 'http://127.0.0.1:' . server_port_for_client() . $uri;
    my $said = `wrk -t1 -c${\($connections // 20)} -d${\($seconds // 1)}s '$url'`;
    my ($all) = $said =~ /(\d+) requests in/;
    my ($refused) = $said =~ /Non-2xx or 3xx responses: (\d+)/;
    return $all - ($refused // 0);
}

sub master {
    open my $in, '<', server_root() . '/logs/nginx.pid' or die;
    return <$in> + 0;
}

sub workers_now {
    my $master = master();
    open my $in, '<', "/proc/$master/task/$master/children" or die;
    return split ' ', <$in> // '';
}

# Until its condition holds.
sub wait_for {
    my ($what, $is) = @_;
    for (1 .. 500) { return if $is->(); sleep 0.02 }
    die "not within 10 s: $what";
}

sub asked {
    my ($all) = $redis->ask('INFO', 'commandstats') =~ /cmdstat_evalsha:calls=(\d+)/;
    return $all // 0;
}

# A request that a worker has until the function that is returned is called.
sub slow {
    my ($uri) = @_;
    my $backend = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die;
    my $client = RateLimit::connection();
    $client->print("GET $uri&u=" . $backend->sockport . " HTTP/1.0\r\n\r\n");
    my $served = $backend->accept;
    return sub {
        $served->print("HTTP/1.0 204 x\r\nX-Cost: 1\r\n\r\n");
        $served->close;
        return scalar <$client>;
    };
}

sub tell { RateLimit::publish('out', join('', map { "$_\n" } @_)) }

run_tests();

__DATA__

=== TEST 1: four workers have one row
--- init
main::begin();
main::tell(main::admitted('/large?k=a') > 100 ? 'many' : 'few', main::rows());
--- response_body
many
rows 1
--- no_error_log
[alert]
[emerg]



=== TEST 2: and admit the quota, to the unit
--- init
main::begin();
main::tell(main::admitted('/small?k=b'), main::rows());
--- response_body
500
rows 1
--- no_error_log
[alert]
[emerg]



=== TEST 3: also where each unit is asked for
--- mode: strict
--- init
main::begin();
main::tell(main::admitted('/small?k=c'), main::rows());
--- response_body
500
rows 1
--- no_error_log
[alert]
[emerg]



=== TEST 4: of two policies as well
--- init
main::begin();
main::tell(main::admitted('/both?k=d'));
--- response_body
500
--- no_error_log
[alert]
[emerg]



=== TEST 5: never more when workers are killed, and the rest is admitted
--- init
main::begin();
my $pid = fork // die;
if (!$pid) {
    for (1 .. 15) { sleep 0.1; kill 'KILL', (main::workers_now())[0] }
    require POSIX;
    POSIX::_exit(0);
}
my $admitted = main::admitted('/small?k=e', 2);
waitpid $pid, 0;
sleep 0.5;
$admitted += main::admitted('/small?k=e');
main::tell($admitted <= 500 && $admitted > 300 ? 'the quota' : $admitted);
--- response_body
the quota
--- error_log
[alert]
exited on signal 9
--- no_error_log
[emerg]



=== TEST 6: after a reload units in hand are used
--- init
main::begin();
main::admitted('/large?k=f', 1, 2);
my @old = main::workers_now();
kill 'HUP', main::master();
main::wait_for('reload', sub { my %now = map { $_ => 1 } main::workers_now(); !grep { $now{$_} } @old });
sleep 0.3;
my $asked = main::asked();
my $got = RateLimit::pipeline(5, sub { '/large?k=f' })->{200};
main::tell($got, main::asked() - $asked <= 1 ? 'not asked' : 'asked', main::rows());
--- response_body
5
not asked
rows 1
--- no_error_log
[alert]
[emerg]



=== TEST 7: the last worker gives all back
--- init
main::begin();
main::admitted('/small?k=g', 1);
kill 'WINCH', main::master();
main::wait_for('all workers gone', sub { !main::workers_now() });
main::tell(main::rows());
kill 'HUP', main::master();
main::wait_for('workers', sub { scalar main::workers_now() });
--- response_body
rows 0
--- no_error_log
[alert]
[emerg]



=== TEST 8: a worker that is about to end leaves the others what is in hand
--- workers: 1
--- init
main::begin();
my ($finish, $end) = map { main::slow("/slow?k=$_") } 'h', 'other';
main::admitted('/hour?k=h', 1);
kill 'HUP', main::master();
main::wait_for('reload', sub { main::workers_now() == 2 });
sleep 0.5;
RateLimit::pipeline(20, sub { '/hour?k=h' });
my $said = $finish->();
sleep 0.2;
my $asked = main::asked();
RateLimit::pipeline(1, sub { '/hour?k=h' });
$asked = main::asked() - $asked;
$end->();
main::tell($said =~ / 204 / ? 'settled' : $said, $asked ? 'asked' : 'not asked');
--- response_body
settled
not asked
--- no_error_log
[alert]
[emerg]
