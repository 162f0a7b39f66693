use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# Requests that stay: GET in the background, until the block's own Perl ends
# them.  limit_rate holds a response for as long as its client reads.
our @held;

sub hold {
    my ($path, @arguments) = @_;
    my $url = 'http://127.0.0.1:' . server_port_for_client() . $path;
    my $pid = fork();

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'curl', '-sS', '--max-time', '30', @arguments, $url;
    }

    push @held, $pid;
}

sub let_go {
    kill 'KILL', @held;
    waitpid $_, 0 for @held;
    @held = ();
}

# Until what is remaining of the policy is that.
sub until_remaining {
    my ($want, $path) = @_;
    my $url = 'http://127.0.0.1:' . server_port_for_client() . ($path // '/left?k=a');
    my $got;

    for (1 .. 200) {
        $got = `curl -sS '$url'`;
        return "$want\n" if $got eq $want;
        Time::HiRes::sleep(0.02);
    }

    return "$got, not $want\n";
}

# Status, remaining and Retry-After of a response.
sub told {
    my ($path) = @_;
    my $url = 'http://127.0.0.1:' . server_port_for_client() . $path;

    return `curl -sS -o /dev/null -w '%{http_code} %header{x-ratelimit-remaining} %header{retry-after}.\n' '$url'`;
}

END { local $?; let_go() }

master_on();
workers(2);
worker_connections(512);
$Test::Nginx::Util::ReusePort = 1;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_' . ($block->http_config // ''));
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=3;
_END_

    $block->set_value('config', <<'_END_' . ($block->config // ''));
    location /left { return 200 $ratelimit_remaining_place; }
    location /slow { ratelimit place; limit_rate 1; root $TEST_NGINX_HTML_DIR; try_files /body =404; }
    location /body { }
_END_
    $block->set_value('user_files', ">>> body\n" . ('x' x 60) . "\n");
});

run_tests();

__DATA__

=== TEST 1: a request takes a place and gives it back, one after the other
--- config
    location /t { ratelimit place; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
[("GET /t?k=a") x 5]
--- error_code eval
[(200) x 5]
--- response_headers eval
[("X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 2\nX-RateLimit-Reset:\nRetry-After:") x 5]



=== TEST 2: three are in flight: one more is refused, another key is not; those that leave give theirs back
--- config
    location /t { ratelimit place; ratelimit_headers x-ratelimit; empty_gif; }
--- init
my $all = main::until_remaining(3);
main::hold('/slow?k=a') for 1 .. 3;
$all .= main::until_remaining(0);
$all .= main::told($_) for '/t?k=a', '/t?k=b', '/t?k=a';
main::let_go();
$all .= main::until_remaining(3) . main::told('/t?k=a');
RateLimit::publish('all', $all);
--- request
GET /all
--- response_body
3
0
429 0 1.
200 2 .
429 0 1.
3
200 2 .



=== TEST 3: ietf names the unit, and no time
--- config
    location /t { ratelimit place; ratelimit_headers ietf; empty_gif; }
--- request
GET /t?k=a
--- response_headers
RateLimit-Policy: "place";q=3;qu="concurrent-requests"
RateLimit: "place";r=2



=== TEST 4: all or none with a quota, each refusing
--- http_config
    ratelimit_policy token key=$arg_k quota=2/1h;
--- config
    location /t { ratelimit place token; ratelimit_headers per-policy prefix=X-; empty_gif; }
--- request eval
[("GET /t?k=c") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-place-remaining: 2\nX-token-remaining: 1", "X-place-remaining: 2\nX-token-remaining: 0",
 "X-place-remaining: 3\nX-token-remaining: 0"]



=== TEST 5: cost= weighs
--- config
    location /t { ratelimit place cost=$arg_c; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a&c=3", "GET /t?k=a&c=4", "GET /t?k=a&c=0", "GET /t?k=a&c=2"]
--- error_code eval
[200, 429, 200, 200]
--- response_headers eval
["X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 3\nRetry-After: 1", "X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 1"]



=== TEST 6: one place for a request that is redirected, and for its subrequests
--- config
    location /t { ratelimit place; error_page 404 = /again; root /nonexistent; }
    location /again { ratelimit place; ratelimit_headers x-ratelimit; rewrite ^ /last; }
    location /last { ratelimit place; ratelimit_headers x-ratelimit; empty_gif; }
    location /ssi { ratelimit place; ratelimit_headers x-ratelimit; ssi on; ssi_types *; return 200 '<!--#include virtual="/left?k=a"-->'; }
--- request eval
["GET /t?k=a", "GET /left?k=a", "GET /t?k=a", "GET /left?k=a"]
--- response_body_like eval
["GIF", "^3\$", "GIF", "^3\$"]



=== TEST 7: a later refusal, in another phase, gives it back at once
--- http_config
    ratelimit_policy none key=$arg_k quota=0/1h;
--- config
    location /t { ratelimit place; ratelimit none phase=precontent; ratelimit_headers per-policy prefix=X-; empty_gif; }
--- request eval
["GET /t?k=a", "GET /left?k=a"]
--- error_code eval
[429, 200]
--- response_body_like eval
["429", "^3\$"]



=== TEST 8: of a variable; empty and unlimited do not apply
--- http_config
    ratelimit_policy varied key=$arg_k concurrent=$arg_n;
--- config
    location /t { ratelimit varied; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a&n=7", "GET /t?k=a", "GET /t?k=a&n=unlimited", "GET /t?k=a&n=0"]
--- error_code eval
[200, 200, 200, 429]
--- response_headers eval
["X-RateLimit-Remaining: 6", "X-RateLimit-Limit:", "X-RateLimit-Limit:", "X-RateLimit-Remaining: 0\nRetry-After: 1"]



=== TEST 9: scale= and dry_run=
--- http_config
    ratelimit_policy scaled key=$arg_k concurrent=10 scale=50%;
--- config
    location /t { ratelimit scaled; ratelimit_headers x-ratelimit; empty_gif; }
    location /dry { ratelimit scaled cost=$arg_c dry_run=on; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a", "GET /dry?k=a&c=6", "GET /t?k=a"]
--- response_headers eval
["X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 4", "X-RateLimit-Remaining: 0\nRetry-After:", "X-RateLimit-Remaining: 4"]



=== TEST 10: the variables tell no time
--- config
    location /t {
        ratelimit place;
        add_header X-All "$ratelimit_policy $ratelimit_limit $ratelimit_remaining $ratelimit_used [$ratelimit_reset$ratelimit_reset_at$ratelimit_reset_ms$ratelimit_window]";
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-All: place 3 2 1 []



=== TEST 11: each stream of an HTTP/2 connection is one
--- http2
--- config
    location /t { ratelimit place; empty_gif; }
--- init
my $url = 'http://127.0.0.1:' . server_port_for_client();
main::hold("/slow?k=a", '-Z', '--parallel-immediate', '--http2-prior-knowledge', '-o', '/dev/null', '-o', '/dev/null', "$url/slow?k=a");
my $left = '';
for (1 .. 200) {
    $left = `curl -s --http2-prior-knowledge '$url/left?k=a'`;
    last if $left eq '1';
    Time::HiRes::sleep(0.02);
}
main::let_go();
for (1 .. 200) {
    last if `curl -s --http2-prior-knowledge '$url/left?k=a'` eq '3';
    Time::HiRes::sleep(0.02);
}
RateLimit::publish('streams', "$left\n" . `curl -s --http2-prior-knowledge '$url/left?k=a'`);
--- request
GET /streams
--- response_body chop
1
3



=== TEST 12: the API tells of it
--- config
    location /api/ { ratelimit_api; allow all; }
    location /t { ratelimit place; empty_gif; }
--- request eval
["GET /t?k=a", "GET /api/", "GET /api/keys?policy=place&key=a"]
--- more_headers
Accept: application/json
--- response_body_like eval
["GIF", qr/"algorithm": "concurrent".*"quota": "3"/s, qr/"limit": 3,\s*"remaining": 3,\s*"window": null,\s*"window_ms": null,\s*"reset_ms": null/]



=== TEST 13: nonsense of a variable is told
--- http_config
    ratelimit_policy varied key=$arg_k concurrent=$arg_n;
--- config
    location /t { ratelimit varied; empty_gif; }
--- request
GET /t?k=a&n=5/1s
--- response_body_like: GIF
--- error_log
must be an integer of 0 to 1000000, or "unlimited"
