# conf-examples/upstat.conf, as it stands; where time passes, with shorter
# windows.  What the API's page says, and the tests that fail without it:
#
#   U1  per token 1,000 a minute                           1 2
#       per token 10,000 an hour                           3
#       per account 5,000 a minute                         4
#       all three at once                                  3 4 5
#   U2  the three headers, Reset in Unix time              1 6 7
#       refused: 429, Retry-After, Remaining 0             1 4 7 8
#   U3  the headers tell of the nearest to refusing        3 5
#   U4  a refusal by the account does not use up the
#       token's quota                                      9
#       nor the other way round                            10
#   U5  a client that backs off 1, 2, 4, 8, 16 s           11
#       or by Retry-After gets through                     12

use lib 't/lib';
use Client;
use Example;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

# Windows are on the clock: a block shall not begin at the end of a minute.
my $room = $ENV{TEST_NGINX_USE_VALGRIND} ? 40 : 10;

add_block_preprocessor(sub {
    my $left = 60 - time() % 60;
    sleep $left + 0.1 if $left < $room;
});

sub monitors {
    my ($token, $count) = @_;
    return Example::ask(method => 'GET', uri => '/v1/monitors',
                        token => $token, count => $count // 1);
}

sub uses_up_the_hour {
    my ($block) = @_;
    my ($admitted, $answer, $deadline) = (0, undef, time() + 120);

    while ($admitted < 10_000 && time() < $deadline) {
        my $wanted = 10_000 - $admitted;
        my @answers = monitors('solo', $wanted < 250 ? $wanted : 250);
        my $refused = grep { $_->{status} == 429 } @answers;
        $admitted += @answers - $refused;
        sleep 0.1 if $refused;
        $answer = $answers[-1] if $answers[-1]{status} == 200;
    }

    my $name = $block->name;
    is($admitted, 10_000, "$name - admitted");
    is($answer->{headers}{'x-ratelimit-limit'}, 10_000, "$name - Limit");
    is($answer->{headers}{'x-ratelimit-remaining'}, 0, "$name - Remaining");

    sleep 0.3;
    ($answer) = monitors('solo');
    my $end = (int(time() / 3600) + 1) * 3600;
    is($answer->{status}, 429, "$name - then it is refused");
    is($answer->{headers}{'x-ratelimit-limit'}, 10_000, "$name - by the hour");
    is($answer->{headers}{'x-ratelimit-reset'}, $end, "$name - until its end");
}

# Reset is the Unix time at which the minute ends, Retry-After the way there.
sub reads_the_clock {
    my ($block) = @_;
    my $name = $block->name;

    for my $case ([200, 1], [429, 1000]) {
        my ($status, $count) = @$case;
        my $before = int time();
        my $answer = (monitors('solo', $count))[-1];
        my $end = (int($before / 60) + 1) * 60;

        is($answer->{status}, $status, "$name - $status");
        is($answer->{headers}{'x-ratelimit-reset'}, $end,
           "$name - $status: Reset");

        my $wait = $answer->{headers}{'retry-after'};
        if ($status == 200) {
            is($wait, undef, "$name - 200: no Retry-After");
            next;
        }
        ok($wait >= $end - time() && $wait <= $end - $before,
           "$name - 429: Retry-After $wait")
            or diag("end $end, before $before, now " . time());
    }
}

# "Retry 1: 1 second, 2: 2 seconds, 3: 4 seconds, 4: 8 seconds, ...": twice,
# at most, until a window of 3 s is over.
sub backs_off {
    my ($block) = @_;

    Client::job(2500, sub {
        Client::backs_off(method => 'GET', uri => '/v1/monitors',
                          token => 'solo');
    })->completes($block->name, refused => 4, a_call => 3, seconds => 2.9);
}

# "Always respect the Retry-After header."
sub respects_retry_after {
    my ($block) = @_;

    Client::job(2500, sub {
        Client::respects_retry_after(method => 'GET', uri => '/v1/monitors',
                                     token => 'solo');
    })->completes($block->name, refused => 2, seconds => 2.9);
}

run_tests();

__DATA__

=== TEST 1: a token has 1,000 a minute
--- example: upstat.conf
--- traffic
  5 GET /v1/monitors acme-1: 200 1000 995 \d+
995 GET /v1/monitors acme-1: 200 1000 0 \d+
  1 GET /v1/monitors acme-1: 429 1000 0 \d+
  1 GET /v1/monitors acme-2: 200 1000 999 \d+
  1 GET /v1/monitors globex-1: 200 1000 999 \d+
--- request
GET /v1/monitors
--- more_headers
Authorization: Bearer acme-1
--- error_code: 429
--- response_headers_like
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 0
X-RateLimit-Reset: \d{9}0
Retry-After: ([1-9]|[1-5]\d|60)



=== TEST 2: and again when the minute is over
--- example: upstat.conf
--- windows: 1m=3s
--- traffic
 900 GET /v1/monitors acme-1: 200
wait 3
 900 GET /v1/monitors acme-1: 200
wait 3
--- request
GET /v1/monitors
--- more_headers
Authorization: Bearer acme-1
--- response_headers
X-RateLimit-Remaining: 999



=== TEST 3: a token has 10,000 an hour
--- example: upstat.conf
--- windows: 1m=100ms
--- client: uses_up_the_hour
--- request
GET /v1/monitors
--- more_headers
Authorization: Bearer other
--- error_code: 200



=== TEST 4: an account has 5,000 a minute, all of its tokens together
--- example: upstat.conf
--- traffic
1000 GET /v1/monitors acme-1: 200 1000 0 \d+
1000 GET /v1/monitors acme-2: 200 1000 0 \d+
1000 GET /v1/monitors acme-3: 200 1000 0 \d+
1000 GET /v1/monitors acme-4: 200 1000 0 \d+
 999 GET /v1/monitors acme-5: 200
   1 GET /v1/monitors acme-5: 200 (1000|5000) 0 \d+
   1 GET /v1/monitors acme-6: 429 5000 0 \d+
   1 GET /v1/monitors globex-1: 200 1000 999 \d+
--- request
GET /v1/monitors
--- more_headers
Authorization: Bearer acme-6
--- error_code: 429
--- response_headers_like
X-RateLimit-Limit: 5000
X-RateLimit-Remaining: 0
X-RateLimit-Reset: \d{9}0
Retry-After: ([1-9]|[1-5]\d|60)



=== TEST 5: the headers tell of the policy that is nearest to refusing
--- example: upstat.conf
--- traffic
990 GET /v1/monitors acme-1: 200 1000 10 \d+
990 GET /v1/monitors acme-2: 200 1000 10 \d+
990 GET /v1/monitors acme-3: 200 1000 10 \d+
990 GET /v1/monitors acme-4: 200 1000 10 \d+
990 GET /v1/monitors acme-5: 200 1000 10 \d+
  1 GET /v1/monitors acme-6: 200 5000 49 \d+
  1 GET /v1/monitors acme-1: 200 1000 9 \d+
--- request
GET /v1/monitors
--- more_headers
Authorization: Bearer acme-6
--- response_headers
X-RateLimit-Limit: 5000
X-RateLimit-Remaining: 47



=== TEST 6: headers on every response, whatever its status
--- example: upstat.conf
--- request eval
["GET /v1/monitors", "HEAD /v1/monitors", "POST /v1/monitors\n{}",
 "GET /v1/missing", "GET /v1/broken"]
--- more_headers
Authorization: Bearer acme-1
--- error_code eval
[200, 200, 200, 404, 500]
--- response_headers_like eval
[map { "X-RateLimit-Limit: 1000\nX-RateLimit-Remaining: $_\n"
       . "X-RateLimit-Reset: \\d{9}0\nRetry-After:" } map { 999 - $_ } 0 .. 4]



=== TEST 7: Reset is the Unix time at which the minute ends
--- example: upstat.conf
--- client: reads_the_clock
--- request
GET /v1/monitors
--- more_headers
Authorization: Bearer solo
--- error_code: 429



=== TEST 8: the refusal's body
--- example: upstat.conf
--- traffic
1000 GET /v1/monitors acme-1: 200
--- request
GET /v1/monitors
--- more_headers
Authorization: Bearer acme-1
--- error_code: 429
--- response_headers
Content-Type: application/json
--- response_body_like chomp
^\{"error":"rate_limited","policy":"token_minute","retry_after":[1-9]\d?\}$



=== TEST 9: what the account refuses is not charged to the token
--- example: upstat.conf
--- traffic
1000 GET /v1/monitors acme-1: 200
1000 GET /v1/monitors acme-2: 200
1000 GET /v1/monitors acme-3: 200
1000 GET /v1/monitors acme-4: 200
1000 GET /v1/monitors acme-5: 200
 100 GET /v1/monitors acme-6: 429 5000 0 \d+
--- request
GET /rate_limit
--- more_headers
Authorization: Bearer acme-6
--- response_body_filters eval
\&RateLimit::standing
--- response_body_like eval
"^account_minute 5000 5000 0 \\d+\ntoken_hour 10000 0 10000 \\d+\ntoken_minute 1000 0 1000 \\d+\n\$"



=== TEST 10: what the token's limit refuses is not charged to the account
--- example: upstat.conf
--- traffic
1000 GET /v1/monitors globex-1: 200 1000 0 \d+
 100 GET /v1/monitors globex-1: 429 1000 0 \d+
--- request
GET /rate_limit
--- more_headers
Authorization: Bearer globex-1
--- response_body_filters eval
\&RateLimit::standing
--- response_body_like eval
"^account_minute 5000 1000 4000 \\d+\ntoken_hour 10000 1000 9000 \\d+\ntoken_minute 1000 1000 0 \\d+\n\$"



=== TEST 11: a client that backs off 1, 2, 4, 8, 16 seconds gets through
--- example: upstat.conf
--- windows: 1m=3s
--- client: backs_off
--- request
GET /v1/monitors



=== TEST 12: a client that respects Retry-After gets through
--- example: upstat.conf
--- windows: 1m=3s
--- client: respects_retry_after
--- request
GET /v1/monitors



=== TEST 13: without a token the address counts, and no account
--- example: upstat.conf
--- traffic
5 GET /v1/monitors: 200 1000 995 \d+
--- request
GET /rate_limit
--- response_body_filters eval
\&RateLimit::standing
--- response_body_like eval
"^account_minute null null null null\ntoken_hour 10000 5 9995 \\d+\ntoken_minute 1000 5 995 \\d+\n\$"
