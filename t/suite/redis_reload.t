use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# Reloads that change which Redis it is, or the mode of a zone: each block is a
# reload of the one before.
our ($first, $second);

BEGIN {
    plan(skip_all => 'not under valgrind, by the clock') if $ENV{TEST_NGINX_USE_VALGRIND};
    plan(skip_all => 'no redis-server') if !Redis::program();
    $first = Redis->start;
    $second = Redis->start;
    $_->open_shards('ratelimit:') for $first, $second;
    $ENV{TEST_NGINX_REDIS_SECOND_PORT} = $second->{port};
}

plan('no_plan');
workers(1);
master_on();
use_hup();
no_shuffle();
no_long_string();

our $requests = 0;

add_block_preprocessor(sub {
    my $block = shift;
    my $server = $block->server // 'server=127.0.0.1:$TEST_NGINX_REDIS_PORT';
    my $mode = $block->mode // 'lease';
    my $n = ++$requests;

    $block->set_value('http_config', <<"_END_");
    ratelimit_redis  main $server timeout=1s;
    ratelimit_zone   zone=api:1m redis=main mode=$mode on_error=refuse;
    ratelimit_policy small key=\$arg_k quota=5/1h;
    ratelimit_policy large key=\$arg_k quota=60000/1m;
    keepalive_requests 1000000;
_END_
    $block->set_value('config', <<"_END_");
    # reload $n
    location /small { ratelimit small; empty_gif; }
    location /large { ratelimit large; empty_gif; }
    location /slow  { ratelimit small; proxy_pass http://127.0.0.1:\$arg_u; proxy_read_timeout 1h; }
_END_
});

# The rows of all buckets there.
sub rows {
    my ($redis) = @_;
    return $redis->ask('EVAL', <<'_END_', 0);
local n = 0
for _, key in ipairs(redis.call('KEYS', '*')) do
    if not key:find('}gen$') and not key:find('}machines$') then
        n = n + (redis.call('STRLEN', key) - 72) / 36
    end
end
return n
_END_
}

# The workers before have gone, and this one has its link.
sub begin {
    my $pid_file = server_root() . '/logs/nginx.pid';
    my $master = do { local (@ARGV, $/) = $pid_file; <> + 0 };
    for (1 .. 500) {
        my $workers = do { local (@ARGV, $/) = "/proc/$master/task/$master/children"; <> // '' };
        last if split(' ', $workers) == 1;
        sleep 0.02;
    }
    sleep 0.5;
}

# Of so many requests one after the other: what was asked of Redis.
sub asked {
    my ($count, $uri) = @_;
    my $all = sub { ($first->ask('INFO', 'commandstats') =~ /cmdstat_evalsha:calls=(\d+)/)[0] // 0 };
    my $before = $all->();
    RateLimit::pipeline(1, sub { $uri }) for 1 .. $count;
    return $all->() - $before;
}

run_tests();

__DATA__

=== TEST 1: three of five units
--- init: main::begin();
--- request eval
[("GET /small?k=a") x 3]
--- error_code eval
[200, 200, 200]



=== TEST 2: another server is another Redis, which is told nothing of the first's rows
--- server: server=127.0.0.1:$TEST_NGINX_REDIS_SECOND_PORT
--- init: main::begin();
--- request eval
[("GET /small?k=a") x 6]
--- error_code eval
[(200) x 5, 429]



=== TEST 3: whose rows went back when the worker before ended
--- server: server=127.0.0.1:$TEST_NGINX_REDIS_SECOND_PORT
--- init
main::begin();
RateLimit::publish('out', main::rows($main::first) . ' ' . main::rows($main::second) . "\n");
--- request
GET /out
--- response_body
0 1



=== TEST 4: the first one again, which has its counts
--- init: main::begin();
--- request eval
[("GET /small?k=a") x 3]
--- error_code eval
[200, 200, 429]



=== TEST 5: another database is another Redis
--- server: server=127.0.0.1:$TEST_NGINX_REDIS_PORT db=1
--- init: main::begin(); sleep 1.5;
--- request eval
[("GET /small?k=a") x 6]
--- error_code eval
[(200) x 5, 429]



=== TEST 6: two servers of one
--- server: server=127.0.0.1:$TEST_NGINX_REDIS_PORT server=127.0.0.1:1
--- init: main::begin();
--- request
GET /small?k=b



=== TEST 7: they are the same in another order, and the row stays
--- server: server=127.0.0.1:1 server=127.0.0.1:$TEST_NGINX_REDIS_PORT
--- init
main::begin();
RateLimit::publish('out', main::rows($main::first) . "\n");
--- request
GET /out
--- response_body
1



=== TEST 8: a key that borrows
--- init
main::begin();
RateLimit::publish('out', main::asked(200, '/large?k=m') < 60 ? "borrows\n" : "asks\n");
--- request
GET /out
--- response_body
borrows



=== TEST 9: asks each time when its zone is strict
--- mode: strict
--- init
main::begin();
RateLimit::publish('out', main::asked(50, '/large?k=m') < 45 ? "borrows\n" : "asks\n");
--- request
GET /out
--- response_body
asks



=== TEST 10: and borrows again when it is not
--- init
main::begin();
RateLimit::publish('out', main::asked(200, '/large?k=m') < 60 ? "borrows\n" : "asks\n");
--- request
GET /out
--- response_body
borrows
