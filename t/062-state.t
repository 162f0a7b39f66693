# "state=" of ratelimit_zone: what was counted outlives a restart.

use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';
use File::Temp qw(tempdir);

# Each block starts nginx anew and stops it, by a signal, behind it.
our $dir = tempdir(CLEANUP => 1);
chmod 0777, $dir;

add_block_preprocessor(sub {
    my $block = shift;

    (my $http = $block->http_config // '') =~ s/STATEDIR/$dir/g;
    $block->set_value(http_config => $http);

    # nginx starts with what this leaves
    eval $block->before_start if defined $block->before_start;
    die $@ if $@;
});

# A copy of what an earlier block left, changed.
sub damage {
    my ($to, $how) = @_;

    open my $in, '<:raw', "$dir/api.state" or die "no state file: $!";
    my $bytes = do { local $/; <$in> };

    open my $out, '>:raw', "$dir/$to" or die "cannot write: $!";
    print $out $how->($bytes);
    close $out;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: without a state file a zone starts empty
--- http_config
    ratelimit_zone   zone=api:64k state=STATEDIR/api.state;
    ratelimit_policy token key=$arg_k quota=2/1h;
    ratelimit_headers x-ratelimit;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 429]



=== TEST 2: after a restart a client that was refused still is
--- http_config
    ratelimit_zone   zone=api:64k state=STATEDIR/api.state;
    ratelimit_policy token key=$arg_k quota=2/1h;
    ratelimit_headers x-ratelimit;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
    location /log {
        alias $TEST_NGINX_HTML_DIR/../logs/error.log;
    }
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /log"]
--- error_code eval
[429, 200, 200]
--- raw_response_headers_like eval
[qr/X-RateLimit-Remaining: 0/, qr/X-RateLimit-Remaining: 1/, qr/200 OK/]
--- response_body_like eval
[qr/429/, qr/GIF/, qr/zone "api" of 65536 bytes holds 930 keys, 1 carried over/]



=== TEST 3: a zone of another size takes the file as well
--- http_config
    ratelimit_zone   zone=api:1m state=STATEDIR/api.state;
    ratelimit_policy token key=$arg_k quota=2/1h;
    ratelimit_headers x-ratelimit;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=b"]
--- raw_response_headers_like eval
[qr/X-RateLimit-Remaining: 0/, qr/X-RateLimit-Remaining: 0/]
--- error_code eval
[429, 200]



=== TEST 4: only the server's user may read the file
--- http_config
    ratelimit_zone   zone=api:64k state=STATEDIR/api.state;
--- config
    location /t {
        return 200;
    }
--- init
    my $mode = (stat "$main::dir/api.state")[2] & 07777;
    Test::More::is(sprintf('%o', $mode), '600', 'mode of the state file');
--- request
GET /t
--- error_code: 200



=== TEST 5: a damaged file is one line in the log and an empty zone
--- http_config
    ratelimit_zone   zone=api:64k state=STATEDIR/damaged.state;
    ratelimit_policy token key=$arg_k quota=2/1h;
    ratelimit_headers x-ratelimit;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
    location /log {
        alias $TEST_NGINX_HTML_DIR/../logs/error.log;
    }
--- before_start
    main::damage('damaged.state', sub { substr($_[0], 0, 1500) . 'x' . substr($_[0], 1501) });
--- request eval
["GET /t?k=a", "GET /log"]
--- raw_response_headers_like eval
[qr/X-RateLimit-Remaining: 1/, qr/200 OK/]
--- response_body_like eval
[qr/GIF/, qr/damaged.state" is damaged, zone "api" starts empty/]



=== TEST 6: so is one that was cut short
--- http_config
    ratelimit_zone   zone=api:64k state=STATEDIR/short.state;
    ratelimit_policy token key=$arg_k quota=2/1h;
    ratelimit_headers x-ratelimit;
--- config
    location /t {
        ratelimit token;
        empty_gif;
    }
    location /log {
        alias $TEST_NGINX_HTML_DIR/../logs/error.log;
    }
--- before_start
    main::damage('short.state', sub { substr($_[0], 0, 1000) });
--- request eval
["GET /t?k=a", "GET /log"]
--- raw_response_headers_like eval
[qr/X-RateLimit-Remaining: 1/, qr/200 OK/]
--- response_body_like eval
[qr/GIF/, qr/short.state" is cut short, zone "api" starts empty/]



=== TEST 7: a directory that does not exist is refused
--- http_config
    ratelimit_zone zone=api:64k state=/nonexistent/dir/api.state;
--- config
--- must_die
--- suppress_stderr
--- error_log
invalid state "/nonexistent/dir/api.state" in "ratelimit_zone", it must be a file in a directory that exists
--- no_error_log
[alert]



=== TEST 8: two zones cannot share a file
--- http_config
    ratelimit_zone zone=api:64k state=STATEDIR/x.state;
    ratelimit_zone zone=web:64k state=STATEDIR/x.state;
--- config
--- must_die
--- suppress_stderr
--- error_log
in "ratelimit_zone", it must be a file of this zone's own
--- no_error_log
[alert]
