use lib 't/lib';
use Redis;
use RateLimit;
use Test::Nginx::Socket;

# Quotas that machines share through Redis: mode=strict with one server.
our $redis;

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();
    $redis = Redis->start;
}

plan('no_plan');
workers(2);
no_shuffle();
no_long_string();

our $policies = <<'_END_';
    ratelimit_policy sliding  key=$arg_k quota=3/1h;
    ratelimit_policy fixed    key=$arg_k quota=3/1h algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=3/1d algorithm=calendar tz=+09:00;
    ratelimit_policy gcra     key=$arg_k quota=3/1h algorithm=gcra;
    ratelimit_policy host     key=$arg_h quota=4/1h;
_END_

our $locations = <<'_END_';
    add_header X-Status "$ratelimit_status" always;
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /fixed    { ratelimit fixed;    empty_gif; }
    location /calendar { ratelimit calendar; empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
    location /both     { ratelimit sliding host; empty_gif; }
    location /cost     { ratelimit sliding cost=$arg_c; empty_gif; }
    location /dry      { ratelimit sliding dry_run=on; empty_gif; }
    location /left     { return 200 "$ratelimit_remaining_sliding\n"; }
_END_

# The shards of a new Redis open after a second.
sub http {
    my ($zone, $redis) = @_;
    $redis //= 'server=127.0.0.1:$TEST_NGINX_REDIS_PORT';
    return "    ratelimit_redis main $redis timeout=2s;\n"
           . "    ratelimit_zone zone=api:1m redis=main mode=strict $zone;\n$policies";
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', http('on_error=refuse')) if !defined $block->http_config;
    $block->set_value('config', $locations) if !defined $block->config;
    $block->set_value('init', 'select undef, undef, undef, 0.7') if !defined $block->init;
});

$redis->open_shards($_) for 'ratelimit:', 'other:';
run_tests();

__DATA__

=== TEST 1: a quota is used up, whichever worker a request comes to
--- request eval
[map { my $p = $_; map { "GET /$p?k=a" } 1 .. 4 } qw(sliding fixed calendar gcra)]
--- error_code eval
[(200, 200, 200, 429) x 4]
--- response_headers eval
[(map { my $a = $_; map { "X-RateLimit-Remaining: " . ($_ > 2 ? 0 : 2 - $_)
                          . "\nX-Status: " . ($_ > 2 ? 'REJECTED' : 'PASSED') } 0 .. 3 } 1 .. 4)]



=== TEST 2: all or nothing: what another policy refuses is charged to none
--- request eval
["GET /both?k=b&h=h", "GET /both?k=b&h=h", "GET /both?k=b&h=h", "GET /both?k=b&h=h",
 "GET /both?k=c&h=h", "GET /both?k=c&h=h", "GET /sliding?k=c", "GET /sliding?k=c",
 "GET /sliding?k=c"]
--- error_code eval
[200, 200, 200, 429, 200, 429, 200, 200, 429]



=== TEST 3: a cost; one above the quota; a look
--- request eval
["GET /cost?k=d&c=0", "GET /cost?k=d&c=2", "GET /cost?k=d&c=2", "GET /cost?k=d&c=1",
 "GET /cost?k=e&c=4", "GET /cost?k=e&c=3"]
--- error_code eval
[200, 200, 429, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 1",
 "X-RateLimit-Remaining: 0", "Retry-After: 3600", "X-RateLimit-Remaining: 0"]



=== TEST 4: a dry run counts and refuses nothing
--- request eval
["GET /dry?k=f", "GET /dry?k=f", "GET /dry?k=f", "GET /dry?k=f", "GET /sliding?k=f"]
--- error_code eval
[200, 200, 200, 200, 429]
--- response_headers eval
["X-Status: PASSED", "X-Status: PASSED", "X-Status: PASSED", "X-Status: REJECTED_DRY_RUN",
 "X-Status: REJECTED"]



=== TEST 5: counts outlive a restart of nginx
--- request eval
["GET /sliding?k=a", "GET /fixed?k=a", "GET /calendar?k=a", "GET /gcra?k=a"]
--- error_code eval
[429, 429, 429, 429]



=== TEST 6: under another prefix they are other buckets
--- http_config eval: main::http('on_error=refuse', 'server=127.0.0.1:$TEST_NGINX_REDIS_PORT prefix=other:')
--- request eval
[("GET /sliding?k=a") x 4]
--- error_code eval
[200, 200, 200, 429]



=== TEST 7: a unix socket, another database, which is new: it gives nothing yet
--- timed
--- http_config eval: main::http('on_error=allow', 'server=unix:' . $main::redis->{unix} . ' db=3')
--- init
    select undef, undef, undef, 0.1;
--- config
    location /t { ratelimit sliding; empty_gif; }
    add_header X-Status "$ratelimit_status" always;
--- request eval
["GET /t?k=z", (map { "GET /t?k=b$_" } 1 .. 3)]
--- error_code eval
[200, 200, 200, 200]
--- response_headers eval
["X-Status: ERROR", ("X-Status: ERROR") x 3]



=== TEST 8: a second later the same gives units
--- init
    select undef, undef, undef, 1.2;
--- http_config eval: main::http('on_error=refuse', 'server=unix:' . $main::redis->{unix} . ' db=3')
--- request eval
[("GET /sliding?k=a") x 4]
--- error_code eval
[200, 200, 200, 429]
