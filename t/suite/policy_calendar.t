use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

use POSIX ();

# The Unix time at which the next window begins: of days or months, in a
# time zone that is $east seconds east of UTC.
sub next_day {
    my ($days, $east) = @_;
    my $s = 86400 * $days;

    return $s * (int((time() + $east) / $s) + 1) - $east;
}

sub next_month {
    my ($months, $east) = @_;
    my (undef, undef, undef, undef, $month, $year) = gmtime(time() + $east);
    my $next = $months * (int((12 * $year + $month) / $months) + 1);

    local $ENV{TZ} = 'UTC';
    POSIX::tzset();
    return POSIX::mktime(0, 0, 0, 1, $next % 12, int($next / 12)) - $east;
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', <<'_END_') if !defined $block->config;
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit reset=unix;
        empty_gif;
    }
_END_
    $block->set_value('request', ['GET /t?k=a', 'GET /t?k=a', 'GET /t?k=a']);
    $block->set_value('error_code', [200, 200, 429]);
});

run_tests();

__DATA__

=== TEST 1: days begin at midnight, of UTC
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1d algorithm=calendar;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_day(1, 0) } 1, 0, 0]



=== TEST 2: tz= says where, east of Greenwich
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1d algorithm=calendar tz=+09:00;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_day(1, 9 * 3600) } 1, 0, 0]



=== TEST 3: and west of it, by half an hour too
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1d algorithm=calendar tz=-03:30;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_day(1, -3.5 * 3600) } 1, 0, 0]



=== TEST 4: tz=Z is UTC
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1d algorithm=calendar tz=Z;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_day(1, 0) } 1, 0, 0]



=== TEST 5: months, which begin on the first
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1M algorithm=calendar;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_month(1, 0) } 1, 0, 0]



=== TEST 6: months in a time zone
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1M algorithm=calendar tz=+09:00;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_month(1, 9 * 3600) } 1, 0, 0]



=== TEST 7: quarters
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/3M algorithm=calendar;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_month(3, 0) } 1, 0, 0]



=== TEST 8: years
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/12M algorithm=calendar;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_month(12, 0) } 1, 0, 0]



=== TEST 9: a month from a variable
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_k $quota { default 2/1M; }
    ratelimit_policy token key=$arg_k quota=$quota algorithm=calendar;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_month(1, 0) } 1, 0, 0]



=== TEST 10: the window is told as it was written; ietf leaves out a month's seconds
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1M algorithm=calendar;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers ietf;
        add_header X-Window $ratelimit_window always;
        empty_gif;
    }
--- response_headers eval
["X-Window: 1M\nRateLimit-Policy: \"token\";q=2", "X-Window: 1M\nRateLimit-Policy: \"token\";q=2", "X-Window: 1M\nRateLimit-Policy: \"token\";q=2"]



=== TEST 11: hours and minutes on the clock
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/6h algorithm=calendar tz=+05:45;
--- response_headers eval
[map { "X-RateLimit-Remaining: $_\nX-RateLimit-Reset: " . main::next_day(0.25, 5.75 * 3600) } 1, 0, 0]
