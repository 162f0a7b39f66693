use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep);

# More than a socket takes, over TLS, to a Redis that stands still for a while:
# what is to be sent grows, and so moves, while OpenSSL has begun with it.
our ($redis, $dir);

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();

    $dir = $ENV{TEST_NGINX_REDIS_DIR} = "$ENV{TEST_NGINX_SERVROOT}-redis-keys";
    mkdir $dir;
    system("cd '$dir' && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -batch "
           . '-x509 -days 2 -subj /CN=redis -addext subjectAltName=DNS:localhost '
           . '-keyout key.pem -out redis.pem >> openssl.log 2>&1') == 0 or die 'openssl';

    my $tls = $ENV{TEST_NGINX_REDIS_TLS_PORT} = Redis::free_port();
    $redis = Redis->start(options => [
        '--tls-port', $tls, '--tls-cert-file', "$dir/redis.pem", '--tls-key-file', "$dir/key.pem",
        '--tls-ca-cert-file', "$dir/redis.pem", '--tls-auth-clients', 'no']);
    $redis->open_shards('x' x 64);
}

plan('no_plan');
workers(1);
worker_connections(1024);
no_long_string();

# How so many requests of a hundred policies each end, which come one after the
# other while Redis stands still.
sub burst {
    my ($requests) = @_;
    my (@sockets, %statuses);

    RateLimit::connection();
    sleep 1;  # a link to Redis
    $redis->pause;

    for my $i (1 .. $requests) {
        my $socket = RateLimit::connection();
        syswrite $socket, "GET /t?k=$i HTTP/1.0\r\n\r\n";
        push @sockets, $socket;
        sleep 0.01;
    }

    $redis->continue;
    $statuses{<$_> =~ /\A\S+ (\d+)/ ? $1 : 'none'}++ for @sockets;
    RateLimit::publish('out', join(' ', map { "$_:$statuses{$_}" } sort keys %statuses) . "\n");
}

add_block_preprocessor(sub {
    my $block = shift;
    my $prefix = 'x' x 64;

    $block->set_value('http_config', <<"_END_" . join '', map <<"_END_", 0 .. 99);
    ratelimit_redis  main server=localhost:\$TEST_NGINX_REDIS_TLS_PORT prefix=$prefix timeout=10s
                          tls=on ca=\$TEST_NGINX_REDIS_DIR/redis.pem;
    ratelimit_zone   zone=api:16m redis=main mode=strict on_error=refuse;
_END_
    ratelimit_policy p$_ key=\$arg_k quota=3/1h;
_END_
    $block->set_value('config', 'location /t { ratelimit ' . join(' ', map "p$_", 0 .. 99)
                                . '; empty_gif; }');
});

run_tests();

__DATA__

=== TEST 1: the connection stands, and all are decided for which there was room
--- init: main::burst(190)
--- request
GET /out
--- response_body_like: ^200:1\d\d( 503:\d+)?$
--- no_error_log
[error]
