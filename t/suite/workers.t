use lib 't/lib';
use RateLimit;
# Valgrind runs one process at a time, for longer than a lock is waited for.
use Test::Nginx::Socket $ENV{TEST_NGINX_USE_VALGRIND}
    ? (skip_all => 'not under valgrind') : 'no_plan';

# Two workers, each with a listening socket of its own, so that both get
# their share of 64 connections.
master_on();
workers(2);
worker_connections(1024);
$Test::Nginx::Util::ReusePort = 1;

# One second of 64 connections; how many answers there were, and how many were
# of 2xx.
sub wrk {
    my ($uri) = @_;
    my $url = 'http://' . server_addr() . ':' . server_port_for_client() . $uri;

    RateLimit::connection();
    my $out = `wrk -t2 -c64 -d1s '$url' 2>&1`;

    my ($all) = $out =~ /(\d+) requests in/;
    my ($others) = $out =~ /Non-2xx or 3xx responses: (\d+)/;
    return ("wrk says: $out") x 2 if !$all;
    return ($all, $all - ($others // 0));
}

sub admitted {
    return (wrk(@_))[1];
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:1m;
    ratelimit_policy sliding  key=$arg_k quota=1000/1h   algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=1000/1h   algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=1000/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=1/1h      algorithm=gcra capacity=1000;
    ratelimit_log_level info;
    keepalive_requests 1000000;
    map $status $admitted { default 0; 200 1; }
    log_format pids '$pid';
_END_
});

run_tests();

__DATA__

=== TEST 1: two workers, 64 connections, one key: sliding admits the quota exactly
--- config
    location /t { ratelimit sliding; empty_gif; access_log off; }
--- init
RateLimit::publish('admitted', main::admitted('/t?k=a') . "\n");
--- request
GET /admitted
--- response_body
1000



=== TEST 2: fixed admits the quota exactly
--- config
    location /t { ratelimit fixed; empty_gif; access_log off; }
--- init
RateLimit::publish('admitted', main::admitted('/t?k=a') . "\n");
--- request
GET /admitted
--- response_body
1000



=== TEST 3: calendar admits the quota exactly
--- config
    location /t { ratelimit calendar; empty_gif; access_log off; }
--- init
RateLimit::publish('admitted', main::admitted('/t?k=a') . "\n");
--- request
GET /admitted
--- response_body
1000



=== TEST 4: gcra admits the capacity exactly
--- config
    location /t { ratelimit gcra; empty_gif; access_log off; }
--- init
RateLimit::publish('admitted', main::admitted('/t?k=a') . "\n");
--- request
GET /admitted
--- response_body
1000



=== TEST 5: as the access log sees it, which misses no answer, and both workers admitted some
--- config
    location /t { ratelimit sliding; empty_gif; access_log logs/admitted.log pids if=$admitted; }
--- init
main::admitted('/t?k=a');
Time::HiRes::sleep(0.1);
my %pids;
open my $in, '<', Test::Nginx::Util::server_root() . '/logs/admitted.log';
$pids{$_}++ while <$in>;
my $all = 0;
$all += $_ for values %pids;
RateLimit::publish('admitted', "$all by " . keys(%pids) . " workers\n");
--- request
GET /admitted
--- response_body
1000 by 2 workers



=== TEST 6: all or none under load: what the narrow one refused was never charged to the wide one
--- http_config
    ratelimit_zone   zone=api:1m;
    ratelimit_policy wide   key=$arg_k quota=5000/1h;
    ratelimit_policy narrow key=$uri   quota=700/1h algorithm=fixed;
    ratelimit_log_level info;
    keepalive_requests 1000000;
--- config
    location /t { ratelimit wide; ratelimit narrow; empty_gif; access_log off; }
    location /look { ratelimit wide cost=0; ratelimit_headers x-ratelimit; empty_gif; }
--- init
RateLimit::publish('admitted', main::admitted('/t?k=a') . "\n");
--- request eval
["GET /admitted", "GET /look?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["", "X-RateLimit-Remaining: 4300"]
--- response_body eval
["700\n", qr/^GIF/]



=== TEST 7: eight policies of two zones and all algorithms at once
--- http_config
    ratelimit_zone   zone=one:1m;
    ratelimit_zone   zone=two:64k;
    ratelimit_policy a zone=one key=$arg_k quota=2000/1h;
    ratelimit_policy b zone=two key=$arg_k quota=2000/1h;
    ratelimit_policy c zone=one key=$arg_k quota=2000/1h algorithm=fixed;
    ratelimit_policy d zone=two key=$arg_k quota=2000/1h algorithm=fixed;
    ratelimit_policy e zone=one key=$arg_k quota=2000/366d algorithm=calendar;
    ratelimit_policy f zone=two key=$arg_k quota=2000/366d algorithm=calendar;
    ratelimit_policy g zone=one key=$arg_k quota=1/1h algorithm=gcra capacity=2000;
    ratelimit_policy h zone=two key=$arg_k quota=1/1h algorithm=gcra capacity=900;
    ratelimit_log_level info;
    keepalive_requests 1000000;
--- config
    ratelimit_headers per-policy prefix=X-;
    location /t {
        ratelimit a; ratelimit b; ratelimit c; ratelimit d;
        ratelimit e; ratelimit f; ratelimit g; ratelimit h;
        empty_gif; access_log off;
    }
    location /look {
        ratelimit h cost=0; ratelimit g cost=0; ratelimit f cost=0; ratelimit e cost=0;
        ratelimit d cost=0; ratelimit c cost=0; ratelimit b cost=0; ratelimit a cost=0;
        empty_gif;
    }
--- init
RateLimit::publish('admitted', main::admitted('/t?k=a') . "\n");
--- request eval
["GET /admitted", "GET /look?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["", CORE::join("\n", (map { "X-$_-remaining: 1100" } "a" .. "g"), "X-h-remaining: 0")]
--- response_body eval
["900\n", qr/^GIF/]



=== TEST 8: refunds under load: precontent refuses, preaccess has all its units again
--- http_config
    ratelimit_zone   zone=api:1m;
    ratelimit_policy wide   key=$arg_k quota=1000000/1h;
    ratelimit_policy narrow key=$uri   quota=500/1h;
    ratelimit_log_level info;
    keepalive_requests 1000000;
--- config
    location /t { ratelimit wide; ratelimit narrow phase=precontent; empty_gif; access_log off; }
    location /look { ratelimit wide cost=0; ratelimit_headers x-ratelimit; empty_gif; }
--- init
RateLimit::publish('admitted', main::admitted('/t?k=a') . "\n");
--- request eval
["GET /admitted", "GET /look?k=a"]
--- error_code eval
[200, 200]
--- response_headers eval
["", "X-RateLimit-Remaining: 999500"]
--- response_body eval
["500\n", qr/^GIF/]



=== TEST 9: the variable of one worker is the other's: both see the same bucket
--- config
    ratelimit sliding;
    location /look { return 200 "$ratelimit_remaining\n"; }
    location /t { empty_gif; }
--- request eval
["GET /t?k=a", "GET /look?k=a", "GET /t?k=a", "GET /look?k=a", "GET /look?k=a", "GET /look?k=a"]
--- error_code eval
[(200) x 6]
--- response_body eval
[qr/^GIF/, "999\n", qr/^GIF/, "998\n", "998\n", "998\n"]



=== TEST 10: a refused key's log is throttled over both workers
--- config
    location /t   { ratelimit sliding if=1 cost=1001; ratelimit_log_level error; empty_gif; access_log off; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- init
main::admitted('/t?k=a');
--- request
GET /log
--- response_body_filters eval
sub { my $n = () = $_[0] =~ /ratelimit: refused by policy "sliding"/g; $n >= 1 && $n <= 3 ? "a line a second\n" : "$n lines\n" }
--- response_body
a line a second



=== TEST 11: a worker is killed under load: the others go on, and no unit is lost or minted
--- http_config
    ratelimit_zone   zone=api:1m;
    ratelimit_policy many key=$arg_k quota=100000000/1h;
    keepalive_requests 1000000;
    map $status $admitted { default 0; 200 1; }
    log_format pids '$pid';
--- config
    location /t { ratelimit many; empty_gif; access_log logs/admitted.log pids if=$admitted; }
    location /look { ratelimit many cost=0; ratelimit_headers x-ratelimit; empty_gif; }
--- init
RateLimit::connection();
my $master = Test::Nginx::Util::get_pid_from_pidfile('TEST 11');
my $pid = fork();
if (!$pid) {
    main::admitted('/t?k=a');
    POSIX::_exit(0);
}
Time::HiRes::sleep(0.4);
my ($worker) = `pgrep -P $master`;
kill 'KILL', $worker;
waitpid $pid, 0;
Time::HiRes::sleep(0.1);
my ($remaining) = RateLimit::curl('-i', '/look?k=a') =~ /Remaining: (\d+)/;
my $answered = () = `cat $ENV{TEST_NGINX_SERVER_ROOT}/logs/admitted.log` =~ /\n/g;
my $charged = 100000000 - $remaining;
RateLimit::publish('counted', $answered > 100 && $answered <= $charged && $charged <= $answered + 64
                              ? "right\n" : "$answered answered, $charged charged\n");
--- request
GET /counted
--- response_body
right
--- error_log
[alert]
exited on signal 9



=== TEST 12: a text with a standing has one length, though the other worker decides meanwhile
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=10/1h skip_status=404;
    keepalive_requests 1000000;
    access_log off;
    log_not_found off;
    open_file_cache max=10;
    open_file_cache_errors on;
--- config eval
"
    location /t { ratelimit token; ratelimit_log_level info; root \$TEST_NGINX_HTML_DIR; }
    location /text { set \$text '" . (' $ratelimit_remaining_token' x 140) . "'; return 204; }
"
--- init
RateLimit::connection();
my $pid = fork();
if (!$pid) {
    main::admitted('/t');
    POSIX::_exit(0);
}
my ($all, $admitted) = main::wrk('/text');
waitpid $pid, 0;
RateLimit::publish('answers', $all == $admitted ? "all\n" : "$admitted of $all\n");
--- request
GET /answers
--- response_body
all
