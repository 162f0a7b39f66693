package Client;

# Clients that behave as the pages of the five APIs tell their users, and jobs
# for them that are larger than a quota.
#
#     my $job = Client::job(250, sub { Client::fetch_with_retry(@request) });
#     $job->completes($block->name, refused => 2, seconds => 4);
#
# A client is a function of a request, as Example::ask takes it; it returns the
# answer that it got in the end.  What it was refused on the way is counted.

use strict;
use warnings;

use List::Util qw(max min);
use Test::More ();
use Time::HiRes qw(sleep time);

use Example;

my $refused;

sub send_one {
    my ($answer) = Example::ask(@_);

    $refused++ if $answer->{status} == 429;
    return $answer;
}

# Longer than any compressed window: a test is to fail, not to hang.
sub wait_for {
    my ($seconds) = @_;

    sleep min(max($seconds // 5, 0), 10);
}

# Calls a client so often, one call after the other: its number is the
# argument.  A lost one is the end: what follows it would wait for nothing.
sub job {
    my ($count, $client) = @_;
    my ($begin, $most, $lost) = (time(), 0);

    $refused = 0;
    for my $number (1 .. $count) {
        my $before = $refused;
        my $answer = $client->($number);
        $most = max($most, $refused - $before);
        $lost = !$answer || $answer->{status} != 200;
        last if $lost;
    }

    return bless { lost => $lost, refused => $refused, most => $most,
                   seconds => time() - $begin };
}

# No call is lost; none is refused again after the wait that it was told, or
# `a_call` times at most; no more are refused than the advice implies; and it
# takes as long as the limit makes it take, or there was none.
#
# What was used at once comes back at once.  On a slow machine calls are spread
# and come back in pieces: a refusal more for each second that the job takes
# longer, since each is followed by a wait of a second at least.
sub completes {
    my ($job, $name, %bounds) = @_;
    my $late = max(0, $job->{seconds} - $bounds{seconds});

    Test::More::ok(!$job->{lost}, "$name - no request is lost");
    Test::More::cmp_ok($job->{most}, '<=', $bounds{a_call} // 1,
                       "$name - waiting as told is enough");
    Test::More::cmp_ok($job->{refused}, '<=', $bounds{refused} + int $late,
                       "$name - no more 429s than it takes");
    Test::More::cmp_ok($job->{seconds}, '>=', $bounds{seconds},
                       "$name - as long as the limit says");
}

# Projekt's call(), line by line.
sub projekt_call {
    my $answer;

    for my $attempt (1 .. 6) {
        $answer = send_one(@_);
        return $answer if $answer->{status} != 429;
        wait_for($answer->{headers}{'x-ratelimit-reset'});
    }
    return $answer;
}

# One Stack's fetchWithRetry(), line by line.
sub fetch_with_retry {
    my $max_retries = 3;

    for my $attempt (1 .. $max_retries) {
        my $answer = send_one(@_);
        return $answer if $answer->{status} != 429;
        wait_for($answer->{headers}{'retry-after'});
    }
    return;
}

# Upstat: "Always respect the Retry-After header."
sub respects_retry_after {
    my $answer = send_one(@_);
    return $answer if $answer->{status} != 429;

    wait_for($answer->{headers}{'retry-after'});
    return send_one(@_);
}

# Upstat: "For transient errors and rate limits, use exponential backoff".
sub backs_off {
    my $answer = send_one(@_);

    for my $wait (1, 2, 4, 8, 16) {
        last if $answer->{status} != 429;
        wait_for($wait);
        $answer = send_one(@_);
    }
    return $answer;
}

# Backlog: "Make requests for a single user serially.  When you have been
# limited, [...] adjust it using the value of the X-RateLimit-Reset header."
sub waits_for_reset {
    my $answer = send_one(@_);
    return $answer if $answer->{status} != 429;

    wait_for($answer->{headers}{'x-ratelimit-reset'} - time());
    return send_one(@_);
}

# Trello: "use the information contained in these headers to stay within the
# rate limit": when nothing remains of a token's or the key's interval, it is
# waited for before anything else is sent.
sub keeps_within_intervals {
    my $answer = send_one(@_);

    for my $limit (map { "x-rate-limit-api-$_" } qw(token key)) {
        next if $answer->{headers}{"$limit-remaining"};
        wait_for($answer->{headers}{"$limit-interval-ms"} / 1000);
    }
    return $answer;
}

1;
