# conf-examples/backlog.conf, as it stands; where time passes, with shorter
# windows.  What the API's page says, and the tests that fail without it:
#
#   B1  per user and minute                                1 5
#       the minute opens with the first request            1 2
#       refused until it is over, then accepted again      2
#       other users unaffected                             1 2
#   B2  per user, not per API key                          3
#   B3  four request types, 600, 150, 150, 60              4
#       counted apart                                      4
#   B4  the free plan: 60, 15, 15, 6, looked up            5
#   B5  the three headers, Reset in Unix time              1 4 6
#       on every response, 429 past the limit              6
#   B6  announced: headers, Remaining 0, never refused     7
#       new spaces are refused                             7
#   B7  one user's quota is cut or suspended: in the list  8
#       without a reload                                   9
#   B8  overloaded: limits cut without a reload, by a flag 10
#       by the API                                         11
#   a client that waits for Reset gets its job done        12

use lib 't/lib';
use Client;
use Example;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

sub api {
    my ($name, $call, @more) = @_;
    my ($method, $uri) = split / /, $call;

    my ($answer) = Example::ask(method => $method,
                                uri => "/ratelimit/$uri", @more);
    return $answer;
}

sub traffic {
    my ($block, $lines) = @_;

    Example::one_line_of_traffic($_, $block->name)
        for grep { /\S/ } split /\n/, $lines;
}

# The page's example: "USER A starts sending API requests at 12:34:10 and
# reaches the limit at 12:34:30.  [...]  Requests will be accepted a minute
# later at 12:35:10."
sub opens_with_the_first_request {
    my ($block) = @_;
    my $name = $block->name;
    my @search = (method => 'GET', uri => '/api/v2/search?apiKey=alice-1');

    my $before = time();
    my ($first) = Example::ask(@search);
    my $after = time();
    my $reset = $first->{headers}{'x-ratelimit-reset'};
    ok($reset >= int($before) + 60 && $reset <= $after + 61,
       "$name - a minute after the first request")
        or diag("$reset, between $before and $after");

    sleep 1.2;
    my @answers = Example::ask(@search, count => 149);
    is($answers[-1]{headers}{'x-ratelimit-reset'}, $reset,
       "$name - it does not move with the last");
    is($answers[-1]{status}, 200, "$name - the limit is reached");

    $before = time();
    my ($refused) = Example::ask(@search);
    my $wait = $refused->{headers}{'retry-after'};
    is($refused->{status}, 429, "$name - then requests are rejected");
    is($refused->{headers}{'x-ratelimit-reset'}, $reset,
       "$name - until the same time");
    ok($wait <= $reset - $before + 1 && $wait >= $reset - time() - 1,
       "$name - which is Retry-After")
        or diag("$wait, from $before until $reset");
}

sub cuts_without_reload {
    my ($block) = @_;
    my $override = 'overrides?policy=request&key=acme/bob&key=read';

    traffic($block, '1 GET /api/v2/issues?apiKey=bob-1: 200 600 599 \d+');

    is(api($block->name, "PUT $override&quota=20")->{status}, 200,
       $block->name . ' - cut');
    traffic($block, <<'_END_');
 19 GET /api/v2/issues?apiKey=bob-1: 200 20 0 \d+
  1 GET /api/v2/issues?apiKey=bob-1: 429 20 0 \d+
  1 POST /api/v2/issues?apiKey=bob-1: 200 150 149 \d+
600 GET /api/v2/issues?apiKey=alice-1: 200 600 0 \d+
_END_

    is(api($block->name, "PUT $override&quota=0")->{status}, 200,
       $block->name . ' - suspended');
    traffic($block, <<'_END_');
  1 GET /api/v2/issues?apiKey=bob-1: 429 0 0 \d+
  1 GET /api/v2/issues?apiKey=erin-1: 200 60 59 \d+
_END_

    is(api($block->name, "DELETE $override")->{status}, 200,
       $block->name . ' - and given back');
    traffic($block, '580 GET /api/v2/issues?apiKey=bob-1: 200 600 0 \d+');

    is(api($block->name, "PUT $override&quota=9", from => '127.0.0.2')->{status},
       403, $block->name . ' - not by others');
}

my $cut = <<'_END_';
 14 GET /api/v2/issues?apiKey=erin-1: 200 15 0 \d+
  1 GET /api/v2/issues?apiKey=erin-1: 429 15 0 \d+
150 GET /api/v2/issues?apiKey=alice-1: 200 150 0 \d+
  1 GET /api/v2/issues?apiKey=alice-1: 429 150 0 \d+
  1 GET /api/v2/users/1/icon?apiKey=erin-1: 200 1 0 \d+
  1 GET /api/v2/users/1/icon?apiKey=erin-1: 429 1 0 \d+
_END_

my $restored = <<'_END_';
 45 GET /api/v2/issues?apiKey=erin-1: 200 60 0 \d+
450 GET /api/v2/issues?apiKey=alice-1: 200 600 0 \d+
_END_

sub cut_by_a_flag {
    my ($block) = @_;
    my $flag = Example::run_dir() . '/overloaded';

    traffic($block, '1 GET /api/v2/issues?apiKey=erin-1: 200 60 59 \d+');

    mkdir Example::run_dir() or die "mkdir: $!";
    open my $out, '>', $flag or die "cannot write $flag: $!";
    close $out;
    traffic($block, $cut);

    unlink $flag;
    traffic($block, $restored);
}

sub cut_by_the_api {
    my ($block) = @_;
    my $override = 'overrides?policy=request';

    traffic($block, '1 GET /api/v2/issues?apiKey=erin-1: 200 60 59 \d+');

    is(api($block->name, "PUT $override&scale=25%25&for=10m")->{status}, 200,
       $block->name . ' - cut');
    traffic($block, $cut);

    is(api($block->name, "DELETE $override")->{status}, 200,
       $block->name . ' - and given back');
    traffic($block, $restored);
}

sub waits_for_reset {
    my ($block) = @_;

    Client::job(150, sub {
        Client::waits_for_reset(method => 'GET',
                                uri => '/api/v2/issues?apiKey=erin-1');
    })->completes($block->name, refused => 2, seconds => 3.9);
}

run_tests();

__DATA__

=== TEST 1: a minute opens with a user's first request
--- example: backlog.conf
--- client: opens_with_the_first_request
--- request
GET /api/v2/search?apiKey=bob-1
--- response_headers_like
X-RateLimit-Limit: 150
X-RateLimit-Remaining: 149
X-RateLimit-Reset: \d{10}



=== TEST 2: when it is over all requests are accepted again
--- example: backlog.conf
--- windows: 60s=3s
--- traffic
 75 GET /api/v2/search?apiKey=alice-1: 200 150 75 \d+
wait 1
 75 GET /api/v2/search?apiKey=alice-1: 200 150 0 \d+
 10 GET /api/v2/search?apiKey=alice-1: 429 150 0 \d+
  1 GET /api/v2/search?apiKey=bob-1: 200 150 149 \d+
wait 2.2
150 GET /api/v2/search?apiKey=alice-1: 200 150 0 \d+
--- request
GET /api/v2/search?apiKey=alice-1
--- error_code: 429



=== TEST 3: two API keys of one user share a quota
--- example: backlog.conf
--- traffic
300 GET /api/v2/issues?apiKey=alice-1: 200 600 300 \d+
300 GET /api/v2/issues?apiKey=alice-2: 200 600 0 \d+
  1 GET /api/v2/issues?apiKey=alice-1: 429 600 0 \d+
  1 GET /api/v2/issues?apiKey=bob-1: 200 600 599 \d+
--- request
GET /api/v2/issues?apiKey=alice-2
--- error_code: 429



=== TEST 4: four types of request, counted apart
--- example: backlog.conf
--- traffic
600 GET /api/v2/issues?apiKey=alice-1: 200 600 0 \d{10}
 50 POST /api/v2/issues?apiKey=alice-1: 200 150 100 \d{10}
 50 PATCH /api/v2/issues/1?apiKey=alice-1: 200 150 50 \d{10}
 25 PUT /api/v2/issues/1?apiKey=alice-1: 200 150 25 \d{10}
 25 DELETE /api/v2/issues/1?apiKey=alice-1: 200 150 0 \d{10}
150 GET /api/v2/wikis/search?apiKey=alice-1&keyword=x: 200 150 0 \d{10}
 60 GET /api/v2/users/1/icon?apiKey=alice-1: 200 60 0 \d{10}
  1 GET /api/v2/issues?apiKey=alice-1: 429 600 0 \d{10}
  1 POST /api/v2/issues?apiKey=alice-1: 429 150 0 \d{10}
  1 GET /api/v2/wikis/search?apiKey=alice-1&keyword=x: 429 150 0 \d{10}
--- request
GET /api/v2/users/1/icon?apiKey=alice-1
--- error_code: 429
--- response_headers
X-RateLimit-Limit: 60
X-RateLimit-Remaining: 0



=== TEST 5: the free plan, and strangers, have a tenth of it
--- example: backlog.conf
--- traffic
60 GET /api/v2/issues?apiKey=erin-1: 200 60 0 \d+
15 POST /api/v2/issues?apiKey=erin-1: 200 15 0 \d+
15 GET /api/v2/wikis/search?apiKey=erin-1: 200 15 0 \d+
 6 GET /api/v2/users/1/icon?apiKey=erin-1: 200 6 0 \d+
 1 GET /api/v2/issues?apiKey=erin-1: 429 60 0 \d+
 1 POST /api/v2/issues?apiKey=erin-1: 429 15 0 \d+
 1 GET /api/v2/wikis/search?apiKey=erin-1: 429 15 0 \d+
 1 GET /api/v2/users/1/icon?apiKey=erin-1: 429 6 0 \d+
30 GET /api/v2/issues: 200 60 30 \d+
30 GET /api/v2/issues?apiKey=guess-1: 200 60 0 \d+
 1 GET /api/v2/issues?apiKey=guess-2: 429 60 0 \d+
 1 GET /api/v2/issues from 127.0.0.2: 200 60 59 \d+
--- request
GET /api/v2/issues?apiKey=alice-1
--- more_headers
Host: hobby.backlog.example
--- response_headers
X-RateLimit-Limit: 600
X-RateLimit-Remaining: 599



=== TEST 6: the headers are on every response, whatever its status
--- example: backlog.conf
--- traffic
5 GET /api/v2/users/1/icon?apiKey=erin-1: 200
--- request eval
[map { "$_?apiKey=erin-1" } "GET /api/v2/issues", "HEAD /api/v2/issues",
 "GET /api/v2/missing", "GET /api/v2/broken", "GET /api/v2/users/1/icon",
 "GET /api/v2/users/1/icon"]
--- error_code eval
[200, 200, 404, 500, 200, 429]
--- response_headers_like eval
[map { "X-RateLimit-Limit: $_->[0]\nX-RateLimit-Remaining: $_->[1]\n"
       . "X-RateLimit-Reset: \\d{10}\nRetry-After: ?$_->[2]" }
 [60, 59, ""], [60, 58, ""], [60, 57, ""], [60, 56, ""], [6, 0, ""],
 [6, 0, '([1-9]|[1-5]\d|60)']]



=== TEST 7: where the limits are only announced nobody is refused
--- example: backlog.conf
--- traffic
59 GET /api/v2/users/1/icon?apiKey=frank-1: 200 60 1 \d+
 1 GET /api/v2/users/1/icon?apiKey=frank-1: 200 60 0 \d+
90 GET /api/v2/users/1/icon?apiKey=frank-1: 200 60 0 \d+
60 GET /api/v2/users/1/icon?apiKey=bob-1: 200 60 0 \d+
 1 GET /api/v2/users/1/icon?apiKey=bob-1: 429 60 0 \d+
--- request
GET /api/v2/users/1/icon?apiKey=frank-1
--- response_headers_like
X-RateLimit-Limit: 60
X-RateLimit-Remaining: 0
X-RateLimit-Reset: \d{10}
Retry-After:



=== TEST 8: one user's quota is cut, another's suspended
--- example: backlog.conf
--- traffic
 60 GET /api/v2/issues?apiKey=carol-1: 200 60 0 \d+
  1 GET /api/v2/issues?apiKey=carol-1: 429 60 0 \d+
 15 POST /api/v2/issues?apiKey=carol-1: 200 15 0 \d+
  1 POST /api/v2/issues?apiKey=carol-1: 429 15 0 \d+
  1 GET /api/v2/issues?apiKey=dave-1: 429 0 0 \d+
600 GET /api/v2/issues?apiKey=bob-1: 200 600 0 \d+
--- request
GET /api/v2/users/1/icon?apiKey=dave-1
--- error_code: 429
--- response_headers_like
Retry-After: ([1-9]|[1-5]\d|60)



=== TEST 9: the same without a reload
--- example: backlog.conf
--- client: cuts_without_reload
--- request
GET /api/v2/issues?apiKey=bob-1
--- error_code: 429



=== TEST 10: while the system is overloaded, as a flag says, limits are a quarter
--- example: backlog.conf
--- client: cut_by_a_flag
--- request
GET /api/v2/issues?apiKey=alice-1
--- error_code: 429



=== TEST 11: the same by the API
--- example: backlog.conf
--- client: cut_by_the_api
--- request
GET /api/v2/issues?apiKey=alice-1
--- error_code: 429



=== TEST 12: a client that waits for Reset gets a job of two and a half quotas done
--- example: backlog.conf
--- windows: 60s=2s
--- client: waits_for_reset
--- request
GET /api/v2/issues?apiKey=alice-1



=== TEST 13: the API's own client sends its key in a field, or a token of OAuth
--- example: backlog.conf
--- request eval
["GET /api/v2/issues", "GET /api/v2/issues", "GET /api/v2/issues?apiKey=alice-1"]
--- more_headers eval
["Backlog-API-Key: alice-1", "Authorization: Bearer alice-2", ""]
--- response_headers eval
["X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 599", "X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 598",
 "X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 597"]



=== TEST 14: a refusal is in the API's format of errors
--- example: backlog.conf
--- traffic
 1 GET /api/v2/issues dave-1: 429 0 0 \d+
--- request
GET /api/v2/issues?apiKey=dave-1
--- error_code: 429
--- response_headers
Content-Type: application/json
--- response_body_filters eval
\&RateLimit::canonical_json
--- response_body
{"errors":[{"code":13,"message":"API rate limit exceeded","moreInfo":""}]}
