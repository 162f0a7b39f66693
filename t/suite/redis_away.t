use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

# What becomes of requests while Redis is away, and what is said of it.
our $redis;

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    $redis->open_shards('ratelimit:');
}

plan('no_plan');
workers(1);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    my $how = $block->on_error;

    $block->set_value('http_config', <<"_END_");
    ratelimit_redis  main server=127.0.0.1:\$TEST_NGINX_REDIS_PORT timeout=150ms;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=$how;
    ratelimit_zone   zone=here:1m;
    ratelimit_policy shared key=\$arg_k quota=3/1h zone=api;
    ratelimit_policy own    key=\$arg_k quota=4/1h zone=here;
_END_
    $block->set_value('config', <<'_END_');
    keepalive_requests 10000;
    add_header X-Status "$ratelimit_status" always;
    ratelimit_headers x-ratelimit;
    location /t    { ratelimit shared; empty_gif; }
    location /two  { ratelimit shared own; empty_gif; }
    location /look { ratelimit shared cost=0; empty_gif; }
    location /free { empty_gif; }
_END_
});

# Test::Nginx asks when init is done.
sub away {
    sleep 0.3;
    $redis->pause;
}

# How often the worker woke within a second.
sub wakes {
    my $pid_file = "$ENV{TEST_NGINX_SERVROOT}/logs/nginx.pid";
    my $pid = do { local (@ARGV, $/) = $pid_file; <> + 0 };
    my $count = sub {
        my $status = do { local (@ARGV, $/) = "/proc/$pid/status"; <> };
        return $status =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : die $status;
    };
    my $before = $count->();
    sleep 1;
    return $count->() - $before;
}

sub log_has {
    my ($text) = @_;
    open my $in, '<', "$ENV{TEST_NGINX_SERVROOT}/logs/error.log" or die $!;
    return scalar grep { /$text/ } <$in>;
}

run_tests();

__DATA__

=== TEST 1: refuse: 503, and nothing is charged, neither there nor here
--- on_error: refuse
--- init: main::away();
--- request eval
["GET /t?k=a", "GET /two?k=b", "GET /look?k=a", "GET /free"]
--- error_code eval
[503, 503, 200, 200]
--- response_headers eval
["X-Status: ERROR\nRetry-After: 1\n! X-RateLimit-Limit",
 "X-Status: ERROR\nRetry-After: 1", "X-Status: ERROR", "X-Status: "]


=== TEST 2: it is back, and has charged nothing
--- on_error: refuse
--- init: $main::redis->continue; sleep 1
--- request eval
[("GET /two?k=b") x 3, "GET /two?k=b"]
--- error_code eval
[200, 200, 200, 429]
--- no_error_log
[error] ratelimit: redis "main" is away



=== TEST 3: allow: all pass, and are told from others
--- on_error: allow
--- init: main::away();
--- request eval
[("GET /t?k=c") x 5, ("GET /two?k=c") x 5]
--- error_code eval
[(200) x 9, 429]
--- response_headers eval
[("X-Status: ERROR") x 9, "X-Status: REJECTED"]



=== TEST 4: local: this machine's part, which is all where it is the only one
--- on_error: local
--- init: main::away();
--- request eval
[("GET /t?k=d") x 4]
--- error_code eval
[200, 200, 200, 429]
--- response_headers eval
["X-Status: PASSED\nX-RateLimit-Remaining: 2", "X-Status: PASSED", "X-Status: PASSED",
 "X-Status: REJECTED"]



=== TEST 5: an outage is one line, and one when it ends; a Redis that lost all is noticed
--- on_error: local
--- init
    $main::redis->continue;
    sleep 1;
    $main::redis->stop;
    sleep 1.5;
    $main::redis->run;
    sleep 2.5;
--- request
GET /t?k=e
--- error_code: 200
--- response_headers
X-Status: PASSED
--- grep_error_log eval: qr/redis "main" is (?:away|back)|the counts of redis "main" are new/
--- grep_error_log_out
redis "main" is away
the counts of redis "main" are new
redis "main" is back



=== TEST 6: no redis at all when nginx starts
--- on_error: local
--- init: $main::redis->stop; sleep 0.3
--- request eval
[("GET /t?k=f") x 4]
--- error_code eval
[200, 200, 200, 429]



=== TEST 7: a Redis that is away before it was told all: nobody tries until it is back
--- on_error: refuse
--- init
    $main::redis->run;
    sleep 3;
    RateLimit::pipeline(8000, sub { "/t?k=many$_[0]" });
    $main::redis->stop;
    $main::redis->run;
    Redis::wait_for('the loss', sub { main::log_has('counts of redis "main" are new') });
    $main::redis->stop;
    sleep 0.3;
    RateLimit::publish('wakes', main::wakes() < 60 ? "few\n" : "many\n");
    $main::redis->run;
    sleep 4;
--- request eval
["GET /wakes", ("GET /t?k=many7999") x 4]
--- error_code eval
[200, 200, 200, 429, 429]
--- response_body_like eval
["few", ("GIF") x 2, ("429") x 2]
