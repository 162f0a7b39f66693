use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

# What is not used is not touched: of a zone of gigabytes the start, requests
# and a walk through all of it by the API take what the keys need.

sub shared_kb {
    my $pid = $_[0];
    open my $in, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^RssShmem:\s+(\d+)/ ? $1 : () } <$in>;
    return $kb // 0;
}

# A filter: whether the worker, which tells its process id, has less than so much.
sub takes_less_than {
    my ($limit_kb) = @_;

    return [sub {
        my ($body) = @_;
        my $kb = $body =~ /"worker": (\d+)/ ? shared_kb($1) : 'no worker';
        return $kb =~ /^\d+$/ && $kb > 0 && $kb < $limit_kb ? "yes\n" : "$kb kB\n";
    }];
}

run_tests();

__DATA__

=== TEST 1: a zone of gigabytes takes what its keys need
--- http_config
    ratelimit_zone   zone=large:4g;
    ratelimit_policy p key=$arg_k quota=10/60s zone=large;
--- config
    location /t   { ratelimit p; empty_gif; }
    location /api { ratelimit_api; allow 127.0.0.1; }
--- request eval
[(map { "GET /t?k=$_" } 1 .. 50), 'GET /api']
--- error_code eval
[(200) x 51]
--- response_body_filters eval
[(Api::any()) x 50, main::takes_less_than(4096)]
--- response_body eval
[('') x 50, "yes\n"]
