use lib 't/lib';
use Dns;
use RateLimit;
use Redis;
use Test::Nginx::Socket;

# A Redis that is named, and looked up by nginx's resolver.
our ($redis, $dns);

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start(address => '127.0.0.9');
    my $local = Redis->start(port => $redis->{port});
    $_->open_shards('ratelimit:') for $redis, $local;
    $dns = Dns->start;
}

plan('no_plan');
workers(1);
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    my $server = $block->server // 'redis.test';
    my $resolver = $block->resolver // 'resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;';

    $block->set_value('http_config', <<"_END_");
    ratelimit_redis  main server=$server:\$TEST_NGINX_REDIS_PORT timeout=500ms;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=refuse;
    ratelimit_policy shared key=\$arg_k quota=2/1h;
    $resolver
_END_
    $block->set_value('config', <<'_END_');
    ratelimit_headers x-ratelimit;
    location /t { ratelimit shared; empty_gif; }
_END_
    $block->set_value('request', 'GET /t?k=' . $block->name =~ s/\W//gr) if !defined $block->request;
});

sub wait_until_decided {
    Redis::wait_for('Redis', sub {
        RateLimit::curl('-o /dev/null -w "%{http_code}"', '/t?k=' . rand) eq '200' });
}

# Where none is configured Angie takes the system's name servers, unless it is told.
sub no_resolver {
    return `'$ENV{TEST_NGINX_BINARY}' -v 2>&1` =~ /Angie/ ? 'resolver off;' : '';
}

run_tests();

__DATA__

=== TEST 1: a name that does not resolve: nginx starts, and says so
--- init
    $main::dns->set;
    select undef, undef, undef, 1;
--- request
GET /t?k=a
--- error_code: 503
--- error_log
its name is not resolved (3: Host not found)



=== TEST 2: it is looked up again: there is a server now
--- init
    $main::dns->set('127.0.0.9');
    select undef, undef, undef, 3;
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429]



=== TEST 3: the name stands for another address after the link broke
--- init
    $main::dns->set('127.0.0.7');
    select undef, undef, undef, 2.1;  # an answer is kept until its second ends
    $main::redis->disconnect;
    select undef, undef, undef, 1;
--- request
GET /t?k=b
--- error_code: 503
--- error_log
: the server closed the connection



=== TEST 4: and back
--- init
    $main::dns->set('127.0.0.9');
    select undef, undef, undef, 3;
--- request eval
["GET /t?k=b", "GET /t?k=b", "GET /t?k=b"]
--- error_code eval
[200, 200, 429]



=== TEST 5: without a resolver the system is asked when nginx starts
--- resolver eval: main::no_resolver()
--- must_die
--- error_log
host not found in "server=redis.test:
of "ratelimit_redis" "main", and http has no "resolver", in



=== TEST 6: of several addresses all are tried at once, in order
--- init
    $main::dns->set(map "127.0.0.$_", 2 .. 9);
    select undef, undef, undef, 2.1;
    $main::redis->disconnect;
    select undef, undef, undef, 0.7;
--- request eval
["GET /t?k=c", "GET /t?k=c", "GET /t?k=c"]
--- error_code eval
[200, 200, 429]



=== TEST 7: the name server is away: the address is the one that was told last
--- init
    main::wait_until_decided();
    $main::dns->pause;
    select undef, undef, undef, 2.1;
    $main::redis->disconnect;
    select undef, undef, undef, 0.2;
    main::wait_until_decided();
    $main::dns->set;  # for the next block, whose nginx starts before its init
    $main::dns->continue;
--- request eval
["GET /t?k=d", "GET /t?k=d", "GET /t?k=d"]
--- error_code eval
[200, 200, 429]
--- no_error_log
not resolved



=== TEST 8: a name that only the system knows
--- server: localhost
--- init: select undef, undef, undef, 1
--- request eval
["GET /t?k=d", "GET /t?k=d", "GET /t?k=d"]
--- error_code eval
[200, 200, 429]
--- no_error_log
not resolved
