use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;
use IO::Socket::INET;
use Time::HiRes qw(sleep);

# Streams of one HTTP/2 connection that wait for Redis at once.
our ($redis, $port);

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
    $redis->open_shards('ratelimit:');
    $ENV{TEST_NGINX_H2_PORT} = $port = Redis::free_port();
}

plan('no_plan');
workers(1);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_redis  main server=127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=5s;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=refuse;
    ratelimit_policy shared key=$arg_k quota=5/1h;
    server {
        listen 127.0.0.1:$TEST_NGINX_H2_PORT http2;
        location /t { ratelimit shared; empty_gif; }
    }
_END_
    $block->set_value('config', 'location /active { stub_status; }');
    $block->set_value('request', "GET /out\n");
});

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

# Eight streams while Redis does not answer, of which the first ones are
# cancelled; how the others end once it does.
sub streams {
    my ($key, $cancelled) = @_;
    my ($headers, $rst_stream, $settings) = (1, 3, 4);
    my ($end_of_both, $cancel) = (0x5, 8);
    my $path = "/t?k=$key";

    RateLimit::connection();
    sleep 0.5;  # a link to Redis
    $redis->pause;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die "connect: $!";

    # HPACK: GET and http by their indices, ":path" and ":authority" as they are.
    syswrite $socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame($settings, 0, 0, '')
        . join '', map { frame($headers, $end_of_both, 2 * $_ + 1, "\x82\x86\x04" . pack('C/a', $path)
                               . "\x01" . pack('C/a', 'localhost')) } 0 .. 7;
    sleep 0.3;
    syswrite $socket, join '', map { frame($rst_stream, 0, 2 * $_ + 1, pack 'N', $cancel) }
        0 .. $cancelled - 1 if $cancelled;
    sleep 0.3;
    my $waited = waiting();
    $redis->continue;

    my ($got, %statuses, %ended) = ('');

    while (keys %ended < 8 - $cancelled) {
        sysread $socket, $got, 65536, length $got or die 'closed';

        while (length $got >= 9) {
            my ($high, $low, $type, $flags, $stream) = unpack 'CnCCN', $got;
            my $len = $high << 16 | $low;
            last if length $got < 9 + $len;
            my $payload = substr $got, 9, $len;
            substr($got, 0, 9 + $len) = '';
            next if $type != $headers;

            # ":status" is the first: 200 by its index, else as digits.
            $statuses{$payload =~ /\A(?:[\x20-\x3f])?\x88/ ? 200 : 429}++;
            $ended{$stream} = 1;
        }
    }

    RateLimit::publish('out', "$waited waited\n"
                              . join(' ', map { "$_:$statuses{$_}" } sort keys %statuses) . "\n");
}

# Of this worker's requests, those that have no answer yet.
sub waiting {
    my $socket = RateLimit::connection();
    syswrite $socket, "GET /active HTTP/1.0\r\n\r\n";
    sleep 0.1;
    sysread $socket, my $got, 4096;
    return $got =~ /Writing: (\d+)/ ? $1 - 1 : "none of $got";
}

run_tests();

__DATA__

=== TEST 1: all wait, and are decided: the quota, to the unit
--- init: main::streams('a', 0)
--- response_body
8 waited
200:5 429:3



=== TEST 2: some are cancelled while they wait: they leave, and cost the others nothing
--- init: main::streams('b', 4)
--- response_body
4 waited
200:4
