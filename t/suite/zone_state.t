# "state=" of ratelimit_zone: what was counted outlives a restart.

use lib 't/lib';
use RateLimit;
use Api;
use JSON::PP ();
use Test::Nginx::Socket 'no_plan';
use File::Temp qw(tempdir);
use POSIX ();

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

# A filter for any answer: what the API, here at /api, says of the zones' files
# once a first one is written; seconds as S, since they differ.
sub ages {
    return [sub {
        for (1 .. 100) {
            my $zones = JSON::PP->new->decode(Api::ask('GET', '/api'))->{zones};

            if (grep { defined $_->{state_age_ms} } @$zones) {
                my $metrics = Api::ask('GET', '/api/metrics');
                my @metrics = $metrics =~ /^.*state_age_seconds.*$/mg;
                return CORE::join "\n",
                    (map { "$_->{name}: " . (!exists $_->{state_age_ms} ? 'none'
                           : $_->{state_age_ms} // 'null') =~ s/^\d{1,4}$/S/r } @$zones),
                    (map { s/ [0-9]\.\d{3}$/ S/r } @metrics), '';
            }

            select undef, undef, undef, 0.05;
        }

        return "no state file is written\n";
    }];
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
[qr/429/, qr/GIF/, qr/zone "api" of 65536 bytes holds 930 buckets, 1 carried over/]



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
    main::damage('damaged.state', sub { substr($_[0], 0, 1100) . "x" . substr($_[0], 1101) });
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



=== TEST 7: whatever else stands in a file's place is neither read, followed nor waited for
--- http_config
    ratelimit_zone zone=fifo:64k  state=STATEDIR/fifo.state;
    ratelimit_zone zone=dir:64k   state=STATEDIR/dir.state;
    ratelimit_zone zone=link:64k  state=STATEDIR/link.state;
    ratelimit_zone zone=dev:64k   state=STATEDIR/dev.state;
    ratelimit_zone zone=hard:64k  state=STATEDIR/hard.state;
    ratelimit_zone zone=open:64k  state=STATEDIR/open.state;
    ratelimit_zone zone=tail:64k  state=STATEDIR/tail.state;
--- config
    location /t {
        empty_gif;
    }
--- before_start
    main::damage($_, sub { $_[0] }) for qw(whole.state hard.state open.state);
    main::damage('tail.state', sub { $_[0] . "\0" });
    chmod 0600, map { "$main::dir/$_" } qw(whole.state hard.state tail.state);
    chmod 0660, "$main::dir/open.state";
    POSIX::mkfifo("$main::dir/fifo.state", 0600) or die "mkfifo: $!";
    mkdir "$main::dir/dir.state" or die "mkdir: $!";
    symlink "$main::dir/whole.state", "$main::dir/link.state" or die "symlink: $!";
    symlink '/dev/zero', "$main::dir/dev.state" or die "symlink: $!";
    link "$main::dir/hard.state", "$main::dir/other-name" or die "link: $!";
--- request
GET /t
--- error_log
fifo.state" is not a regular file, zone "fifo" starts empty
dir.state" is not a regular file, zone "dir" starts empty
link.state" is a symbolic link, zone "link" starts empty
dev.state" is a symbolic link, zone "dev" starts empty
hard.state" has other names (hard links), zone "hard" starts empty
open.state" may be written to by others, zone "open" starts empty
tail.state" is damaged, zone "tail" starts empty
--- no_error_log
carried over



=== TEST 8: it is replaced, what it led to is left alone, and no other file stays
--- http_config
    ratelimit_zone zone=link:64k  state=STATEDIR/link.state;
    ratelimit_zone zone=whole:64k state=STATEDIR/whole.state;
--- config
    location /t {
        empty_gif;
    }
--- init
    Test::More::ok(-f "$main::dir/$_.state" && !-l "$main::dir/$_.state", "$_.state is a file")
        for qw(fifo link dev hard open tail);
    Test::More::ok(-d "$main::dir/dir.state", 'a directory is not replaced');
    Test::More::is(CORE::join(' ', grep { /\.state\./ } map { s/.*\///r } glob "$main::dir/*"), '',
        'no temporary file is left');
--- request
GET /t
--- error_log
zone "link" of 65536 bytes holds 930 buckets
zone "whole" of 65536 bytes holds 930 buckets, 2 carried over



=== TEST 9: a file of somebody else is not read
--- skip_eval: 4: $> != 0
--- http_config
    ratelimit_zone zone=api:64k state=STATEDIR/foreign.state;
--- config
    location /t {
        empty_gif;
    }
--- before_start
    main::damage('foreign.state', sub { $_[0] });
    chmod 0600, "$main::dir/foreign.state";
    chown 12345, 12345, "$main::dir/foreign.state";
--- request
GET /t
--- error_log
foreign.state" belongs to neither root nor the user of the workers, zone "api" starts empty



=== TEST 10: a directory that does not exist is refused
--- http_config
    ratelimit_zone zone=api:64k state=/nonexistent/dir/api.state;
--- config
--- must_die
--- suppress_stderr
--- error_log
invalid state "/nonexistent/dir/api.state" in "ratelimit_zone", it must be a file in a directory that exists
--- no_error_log
[alert]



=== TEST 11: two zones cannot share a file
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



=== TEST 12: how old the last whole copy is, where there is to be one
--- http_config
    ratelimit_zone zone=kept:64k   state=STATEDIR/kept.state;
    ratelimit_zone zone=failed:64k state=STATEDIR/dir.state;
    ratelimit_zone zone=lost:64k;
--- config
    location /t   { empty_gif; }
    location /api { ratelimit_api; allow 127.0.0.1; }
--- request
GET /t
--- response_body_filters eval
main::ages()
--- response_body
kept: S
failed: null
lost: none
# HELP nginx_ratelimit_zone_state_age_seconds How old the last whole copy in a zone's state file is.
# TYPE nginx_ratelimit_zone_state_age_seconds gauge
nginx_ratelimit_zone_state_age_seconds{zone="kept"} S
nginx_ratelimit_zone_state_age_seconds{zone="failed"} +Inf
--- error_log
cannot rename state file



=== TEST 13: without such a zone there is no such figure
--- http_config
    ratelimit_zone zone=lost:64k;
--- config
    location /api { ratelimit_api; allow 127.0.0.1; }
--- request
GET /api/metrics
--- response_body_like: nginx_ratelimit_zone_capacity_buckets
--- response_body_unlike: state_age



=== TEST 14: two keys are banned
--- http_config
    ratelimit_zone   zone=api:64k state=STATEDIR/ban.state;
    ratelimit_policy login key=$arg_k quota=1/1m ban=10m,1h after=1;
    ratelimit_policy brief key=$arg_k quota=1/100ms ban=10m after=1;
--- config
    location /t { ratelimit login; empty_gif; }
    location /b { ratelimit brief; empty_gif; }
--- init
1 while RateLimit::curl("-o /dev/null -w '%{http_code}'", '/b?k=b') == 200;
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]



=== TEST 15: after a restart the API lists and lifts their bans, by the id although nothing else is known of the key
--- http_config
    ratelimit_zone   zone=api:64k state=STATEDIR/ban.state;
    ratelimit_policy login key=$arg_k quota=1/1m ban=10m,1h after=1;
    ratelimit_policy brief key=$arg_k quota=1/100ms ban=10m after=1;
--- config
    location /t   { ratelimit login; empty_gif; }
    location /b   { ratelimit brief; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a", "GET /api/bans", "DELETE /api/bans?policy=login&key=a", "GET /t?k=a", "GET /api/bans", "GET /b?k=b", "GET /api/bans"]
--- error_code eval
[429, 200, 200, 200, 200, 200, 200]
--- response_body_filters eval
[Api::any(), Api::at("banned", "bans.0.level"), Api::at("banned_until"), Api::any(), [sub {
    my ($id) = $_[0] =~ /"key_id": "(\w+)"/;
    return Api::value_at(JSON::PP->new->decode(Api::ask('DELETE', "/api/bans?policy=brief&id=$id")), 'banned_until');
}], Api::any(), Api::at("banned")]
--- response_body eval
["", "banned: 2\nbans.0.level: 1\n", "banned_until: null\n", "", "null", "", "banned: 0\n"]
