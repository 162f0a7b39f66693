# Every directive in the blocks that nginx has inside a location, or runs a
# request in: "if", "limit_except", named and internal locations, subrequests.

use lib 't/lib';
use RateLimit;
use Jwt;
use File::Temp qw(tempdir);
use Test::Nginx::Socket 'no_plan';

our $locations = <<'_END_';
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client jwt=sub;
    ratelimit_policy never key=$arg_k quota=0/60s;
    ratelimit_policy token key=$arg_k quota=1/60s;
    ratelimit_policy user  key=$client quota=5/60s;
    ratelimit_log_level info;
_END_

# Where no directive of ours can stand, and all that can be written there.
my @lines = (
    'ratelimit_zone zone=b:64k', 'ratelimit_key $client addr', 'ratelimit_jwt HS256 secret.txt',
    'ratelimit_policy other key=$arg_k quota=1/1h', 'ratelimit token', 'ratelimit off',
    'ratelimit_inherit merge', 'ratelimit_headers ietf', 'ratelimit_status 503',
    'ratelimit_body problem', 'ratelimit_dry_run on', 'ratelimit_log_level info', 'ratelimit_api',
);

our @nowhere = map {
    my $line = $_;
    map { [(split ' ', $line)[0], sprintf $_, "$line;"] } (
        'if ($arg_a) { %s }',
        'location /t { if ($arg_a) { %s } }',
        'location /t { limit_except GET { %s } }',
        'location /t { location /t/in { limit_except GET { %s } } }',
    );
} @lines;

# And those of the http level in a server or a location.
push @nowhere, map {
    my $line = $_;
    map { [(split ' ', $line)[0], sprintf $_, "$line;"] } ('%s', 'location /t { %s }', 'location @t { %s }');
} grep { /^ratelimit_(zone|key|policy) / } @lines;

push @nowhere, ['ratelimit_api', 'ratelimit_api;'];

# What "nginx -t" says of a server.
sub tested {
    my $config = shift;
    my $dir = tempdir(CLEANUP => 1);
    my $modules = CORE::join '', map { "load_module $_;\n" } split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';

    open my $out, '>', "$dir/blocks.conf" or die "cannot write: $!";
    print $out "${modules}pid $dir/blocks.pid;\nevents { }\nhttp {\n$locations\nserver {\n$config\n}\n}\n";
    close $out;

    return scalar qx($ENV{TEST_NGINX_BINARY} -t -q -p $dir/ -c $dir/blocks.conf -e stderr 2>&1);
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', $locations . ($block->http_config // ''));
    $block->set_value('user_files', [
        ['one.txt' => secret() . "\n"], ['two.txt' => "another secret, which is older\n"],
    ]) if !defined $block->user_files;
});

run_tests();

__DATA__

=== TEST 1: what cannot work in if or limit_except is an error, as is what is for http elsewhere
--- config
    location /t { empty_gif; }
--- init
for (@main::nowhere) {
    my ($name, $config) = @$_;
    Test::More::like(main::tested($config), qr/\A.*\[emerg\] .*"$name" directive is not allowed here in \S+\n.* test failed\n\z/, $config);
}



=== TEST 2: all that holds in a location holds in its if
--- config
    location /t {
        ratelimit           never;
        ratelimit_headers   draft3;
        ratelimit_status    420;
        ratelimit_body      text/plain "calm down\n";
        ratelimit_log_level warn;
        if ($arg_if) { set $x 1; }
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=b&if=1"]
--- error_code eval
[420, 420]
--- response_body eval
["calm down\n", "calm down\n"]
--- response_headers eval
[("RateLimit-Limit: 0\nContent-Type: text/plain") x 2]
--- grep_error_log eval: qr/\[warn\].*refused by policy "never"/
--- grep_error_log_out eval
[qr/refused/, qr/refused/]



=== TEST 3: ... in its limit_except, for the methods that this is about
--- config
    location /t {
        ratelimit           never;
        ratelimit_headers   draft3;
        ratelimit_status    420;
        ratelimit_body      text/plain "calm down\n";
        ratelimit_log_level warn;
        limit_except GET { allow all; }
        empty_gif;
    }
--- request eval
["GET /t?k=a", "DELETE /t?k=b"]
--- error_code eval
[420, 420]
--- response_body eval
["calm down\n", "calm down\n"]
--- response_headers eval
[("RateLimit-Limit: 0\nContent-Type: text/plain") x 2]
--- grep_error_log eval: qr/\[warn\].*refused by policy "never"/
--- grep_error_log_out eval
[qr/refused/, qr/refused/]



=== TEST 4: ... an if inside if's location and a limit_except of a nested one as well
--- config
    location /t {
        ratelimit         never;
        ratelimit_headers draft3;
        ratelimit_status  420;
        location /t/in {
            limit_except GET { allow all; }
            if ($arg_if) { set $x 1; }
            empty_gif;
        }
    }
--- request eval
["GET /t/in?k=a&if=1", "DELETE /t/in?k=a&if=1", "DELETE /t/in?k=a"]
--- error_code eval
[420, 420, 420]
--- response_headers eval
[("RateLimit-Limit: 0") x 3]



=== TEST 5: dry run, ratelimit off, inherit and precontent in if and limit_except
--- config
    ratelimit token;
    location /dry { ratelimit never; ratelimit_dry_run on; if ($arg_if) { set $x 1; } limit_except GET { allow all; } proxy_pass http://backend; }
    location /off { ratelimit off; if ($arg_if) { set $x 1; } limit_except GET { allow all; } proxy_pass http://backend; }
    location /in  { ratelimit_inherit merge; ratelimit never; if ($arg_if) { set $x 1; } limit_except GET { allow all; } proxy_pass http://backend; }
    location /pre { ratelimit never phase=precontent; if ($arg_if) { set $x 1; } limit_except GET { allow all; } proxy_pass http://backend; }
--- backend
    location / { return 200; }
--- request eval
[map { ("GET /$_?k=a&if=1", "DELETE /$_?k=a", "DELETE /$_?k=a&if=1") } qw(dry off in pre)]
--- error_code eval
[(200) x 6, (429) x 6]



=== TEST 6: keys for JSON Web Tokens in if, limit_except and a named location
--- config
    location /t {
        ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/one.txt;
        if ($arg_if) { set $x 1; }
        limit_except GET { allow all; }
        proxy_pass http://backend/?client=$client;
    }
    location /named { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/two.txt; error_page 418 = @named; if ($arg_if) { set $x 1; } return 418; }
    location @named { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/one.txt; proxy_pass http://backend/named?client=$client; }
--- backend
    location / { return 200 "$request_method $arg_client\n"; }
--- request eval
["GET /t?if=1", "DELETE /t", "DELETE /t?if=1", "GET /named?if=1"]
--- more_headers eval
[(main::bearer(main::token('HS256', main::secret(), {sub => 'alice'}))) x 4]
--- response_body eval
["GET jwt:alice\n", "DELETE jwt:alice\n", "DELETE jwt:alice\n", "GET jwt:alice\n"]



=== TEST 7: a named and an internal location have all of their own
--- config
    location /named    { error_page 403 = @other; deny all; }
    location /internal { error_page 403 = /inside?k=b; deny all; }
    location @other {
        ratelimit           never;
        ratelimit_headers   draft3;
        ratelimit_status    420;
        ratelimit_body      text/plain "calm down\n";
        ratelimit_log_level warn;
        empty_gif;
    }
    location = /inside {
        internal;
        ratelimit           never;
        ratelimit_headers   draft3;
        ratelimit_status    421;
        ratelimit_body      text/plain "not here\n";
        ratelimit_log_level warn;
        empty_gif;
    }
--- request eval
["GET /named?k=a", "GET /internal?k=c"]
--- error_code eval
[420, 421]
--- response_body eval
["calm down\n", "not here\n"]
--- response_headers eval
["RateLimit-Limit: 0", "RateLimit-Limit: 0"]
--- grep_error_log eval: qr/\[warn\].*refused by policy "never"/
--- grep_error_log_out eval
[qr/refused/, qr/refused/]



=== TEST 8: dry run in a named location is that location's
--- config
    location /t { ratelimit_dry_run off; error_page 403 = @other; deny all; }
    location @other { ratelimit never; ratelimit_headers draft3; ratelimit_dry_run on; empty_gif; }
--- request
GET /t?k=a
--- error_code: 200
--- response_headers
RateLimit-Remaining: 0
! Retry-After



=== TEST 9: none of it holds in a subrequest, however that ends
--- http_config
    ratelimit_policy shut key=$server_port quota=0/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        auth_request /auth;
        auth_request_set $seen $sent_http_ratelimit_limit;
        mirror /mirror;
        add_header X-Seen "[$seen]" always;
        empty_gif;
    }
    location /auth {
        ratelimit         shut;
        ratelimit_headers draft3;
        ratelimit_status  503;
        ratelimit_body    text/plain "no\n";
        if ($request_uri ~ if=1) { set $x 1; }
        proxy_pass http://backend$request_uri;
    }
    location /mirror {
        ratelimit         shut;
        ratelimit_headers draft3;
        ratelimit_status  503;
        limit_except POST { allow all; }
        proxy_pass http://backend;
    }
--- backend
    location / { if ($arg_no) { return 401; } return 200; }
--- request eval
["GET /t?k=a&if=1", "GET /t?k=a&if=1", "GET /t?k=b&no=1"]
--- error_code eval
[200, 429, 401]
--- response_headers eval
["X-RateLimit-Remaining: 0\nX-Seen: []\n! RateLimit-Limit", "X-RateLimit-Remaining: 0\n! RateLimit-Limit", "X-RateLimit-Remaining: 0\n! RateLimit-Limit"]
--- no_error_log
policy "shut"



=== TEST 10: the API in if, limit_except, behind a redirect and in a subrequest
--- config
    location /api/ {
        allow all;
        ratelimit_api write=on;
        if ($http_x_if) { set $x 1; }
    }
    location /own/ {
        allow all;
        ratelimit_api write=on;
        limit_except GET { allow 127.0.0.1; deny all; }
    }
    location /shut/ {
        allow all;
        ratelimit_api write=on;
        limit_except GET { deny all; }
    }
    location /to { error_page 403 = /api/metrics; deny all; }
    location /t { auth_request /api/metrics; empty_gif; }
--- request eval
["GET /api/", "GET /api/metrics", "DELETE /api/keys?policy=token&key=a",
 "GET /own/", "DELETE /own/keys?policy=token&key=a", "GET /shut/", "DELETE /shut/keys?policy=token&key=a",
 "GET /to", "GET /t"]
--- more_headers
X-If: 1
--- error_code_like eval
my $done = qr/^20\d$|^404$/;
[200, 200, $done, 200, $done, 200, 403, 200, 200]
