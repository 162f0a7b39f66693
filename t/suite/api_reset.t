use lib 't/lib';
use RateLimit;
use Api;
# Valgrind runs one process at a time, for longer than a lock is waited for.
use Test::Nginx::Socket $ENV{TEST_NGINX_USE_VALGRIND}
    ? (skip_all => 'not under valgrind') : 'no_plan';
use POSIX ();
use Time::HiRes ();

# All keys of a policy at once: two workers, each with a listening socket of its
# own, so that both get their share of 64 connections.
master_on();
workers(2);
worker_connections(1024);
$Test::Nginx::Util::ReusePort = 1;

# So many seconds of 64 connections; how many answers were of 2xx.
sub admitted {
    my ($uri, $seconds) = @_;
    my $url = 'http://' . server_addr() . ':' . server_port_for_client() . $uri;

    RateLimit::connection();
    my $out = `wrk -t2 -c64 -d${seconds}s '$url' 2>&1`;
    my ($all) = $out =~ /(\d+) requests in/ or return "wrk says: $out";
    my ($others) = $out =~ /Non-2xx or 3xx responses: (\d+)/;

    return $all - ($others // 0);
}

sub reset_all {
    return Api::ask('DELETE', "/api/keys?policy=$_[0]&all=yes") =~ /"reset_at": \d{10}/ ? '' : "no reset\n";
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:1m;
    ratelimit_policy sliding  key=$arg_k quota=1000/1h algorithm=sliding;
    ratelimit_policy calendar key=$arg_k quota=1000/1M algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=1/1h    algorithm=gcra capacity=1000;
    ratelimit_policy other    key=$arg_k quota=3/1h;
    ratelimit_policy pace_1   key=$arg_k quota=1/1s    algorithm=gcra capacity=20;
    ratelimit_policy pace_2   key=$arg_k quota=1/1s    algorithm=gcra capacity=20;
    ratelimit_policy places   key=$arg_k concurrent=3;
    ratelimit_log_level info;
    keepalive_requests 1000000;
    access_log off;
_END_
});

run_tests();

__DATA__

=== TEST 1: in both workers every key has its whole quota again, and no more
--- config
    location /sliding  { ratelimit sliding; empty_gif; }
    location /calendar { ratelimit calendar; empty_gif; }
    location /gcra     { ratelimit gcra; empty_gif; }
    location /api      { ratelimit_api write=on; allow all; }
--- init
my $said = '';
for my $policy (qw(sliding calendar gcra)) {
    $said .= "$policy: " . main::admitted("/$policy?k=a", 1);
    main::reset_all($policy);
    $said .= ' ' . main::admitted("/$policy?k=a", 1) . "\n";
}
RateLimit::publish('admitted', $said);
--- request
GET /admitted
--- response_body
sliding: 1000 1000
calendar: 1000 1000
gcra: 1000 1000



=== TEST 2: under load in both workers, when the quota was used up: it is there once more
--- config
    location /t   { ratelimit sliding; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- init
RateLimit::connection();
my $pid = fork();
if (!$pid) {
    Time::HiRes::sleep(1);
    main::reset_all('sliding');
    POSIX::_exit(0);
}
my $admitted = main::admitted('/t?k=a', 2);
waitpid $pid, 0;
RateLimit::publish('admitted', "$admitted\n");
--- request
GET /admitted
--- response_body
2000



=== TEST 3: it is no override, and other policies are left alone
--- config
    location /t   { ratelimit sliding other; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=b", "DELETE /api/keys?policy=sliding&all=yes",
 (map { "GET /api/keys?policy=$_" } 'sliding&key=a', 'sliding&key=b', 'other&key=a'), "GET /api/overrides"]
--- response_body_filters eval
[Api::any(), Api::any(), Api::at("policy", "zone"), (Api::at("remaining")) x 3, Api::at("overrides.n")]
--- response_body eval
["", "", "policy: sliding\nzone: api\n", ("remaining: 1000\n") x 2, "remaining: 2\n", "overrides.n: 0\n"]



=== TEST 4: what must not reset all by mistake, and cannot
--- config
    location /api  { ratelimit_api write=on; allow all; }
    location /read { ratelimit_api; allow all; }
--- request eval
["DELETE /api/keys?policy=sliding", "DELETE /api/keys?policy=sliding&all=no", "DELETE /api/keys?policy=sliding&all=yes&key=a",
 "DELETE /api/keys?policy=none&all=yes", "DELETE /api/keys?all=yes", "DELETE /api/keys?policy=places&all=yes",
 "DELETE /read/keys?policy=sliding&all=yes"]
--- error_code eval
[400, 400, 400, 404, 400, 409, 405]
--- response_body_filters eval
[(Api::at("detail")) x 6, Api::any()]
--- response_body eval
["detail: policy \"sliding\" needs \"id=\" or 1 times \"key=\", not 0\n", "detail: \"all=\" must be \"yes\"\n",
 "detail: \"all=\" excludes \"key=\" and \"id=\"\n", "detail: unknown policy \"none\"\n", "detail: no \"policy=\"\n",
 "detail: the units of policy \"places\" are held by requests, and come back as these end\n", ""]



=== TEST 5: a reset needs a place among the overrides of its zone
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request
GET /api/overrides
--- response_body_filters eval
[sub {
    Api::ask('PUT', "/api/overrides?policy=other&key=$_&quota=1") for 1 .. 40;
    return Api::ask('DELETE', '/api/keys?policy=sliding&all=yes') =~ /"detail": "(.*)"/ ? "$1\n" : "done\n";
}]
--- response_body
a zone has no more than 40 overrides and resets, delete an override



=== TEST 6: it is logged
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request
DELETE /api/keys?policy=sliding&all=yes
--- response_body_filters eval
Api::at("policy")
--- response_body
policy: sliding
--- error_log eval
qr/\[warn\] .*ratelimit: all keys of policy "sliding" reset by "ratelimit_api", client: 127\.0\.0\.1/



=== TEST 7: a request that waits meanwhile does not bring back what was there before
--- config
    location /t   { ratelimit pace_1 pace_2 cost=$arg_c wait=5s; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- init
RateLimit::curl('', '/t?k=a&c=20');
my $pid = fork();
if (!$pid) {
    RateLimit::curl('', '/t?k=a&c=2');
    POSIX::_exit(0);
}
Time::HiRes::sleep(0.5);
my ($waited) = Api::ask('GET', '/api') =~ /"name": "pace_1".*?"waiting": (\d+)/s;
main::reset_all($_) for qw(pace_1 pace_2);
waitpid $pid, 0;
my $said = join '', map { Api::ask('GET', "/api/keys?policy=$_&key=a") =~ /"remaining": (\d+)/ && "$_: $1\n" } qw(pace_1 pace_2);
RateLimit::publish('left', "waited: $waited\n$said");
--- request
GET /left
--- response_body_like eval
qr/\Awaited: 1\npace_1: (18|19|20)\npace_2: (18|19|20)\n\z/
