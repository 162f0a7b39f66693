#!/usr/bin/perl

# Runs TAP producers: harness.pl [--jobs N] [--timeout S] --dir DIR FILE...
#
# Every suite gets a free port of 127.0.0.1 and a folder below DIR of its own.
# The last line of the output is "passed failed".

use strict;
use warnings;

use File::Path qw(make_path);
use Getopt::Long;
use IO::Socket::INET;
use TAP::Harness;

my ($jobs, $timeout, $dir) = (1, 900);
GetOptions('jobs=i' => \$jobs, 'timeout=i' => \$timeout, 'dir=s' => \$dir)
    or die "harness.pl: bad arguments\n";

my %taken;

sub free_port {
    for (1 .. 1000) {
        my $port = 20000 + int rand 10000;
        next if $taken{$port};
        my $socket = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1,
        ) or next;
        close $socket;
        $taken{$port} = 1;
        return $port;
    }
    die "harness.pl: no free port\n";
}

sub command {
    my (undef, $file) = @_;

    my ($name) = $file =~ m{([^/]+)\.\w+$};
    return ['timeout', $timeout, 'bash', $file] if $file =~ /\.sh$/;

    make_path("$dir/$name");
    unlink "$dir/$name/error.log";
    my $port = free_port();
    return ['env',
            "TEST_NGINX_SERVER_PORT=127.0.0.1:$port",
            "TEST_NGINX_CLIENT_PORT=$port",
            "TEST_NGINX_STREAM_PORT=" . free_port(),
            "TEST_NGINX_SERVROOT=$dir/$name/servroot",
            "TEST_NGINX_ERROR_LOG=$dir/$name/error.log",
            # "Bail out!" would end the run of all suites: a failed test does.
            'bash', '-c', q{set -o pipefail
                 timeout "$@" | sed -u 's/^Bail out!/not ok - bailed out:/'},
            'suite', $timeout, $^X, '-It/lib', $file];
}

my $harness = TAP::Harness->new({
    exec => \&command, jobs => $jobs, timer => 1, failures => 1, merge => 0,
    color => -t STDOUT ? 1 : 0,
});
my $aggregate = $harness->runtests(@ARGV);

my ($passed, $failed) = (0, 0);

for my $file ($aggregate->descriptions) {
    my ($suite) = $aggregate->parsers($file);
    my $bad = $suite->failed;

    # A suite that stopped early failed by all that it planned and did not run.
    my $missing = ($suite->tests_planned || 0) - $suite->tests_run;
    $bad += $missing if $missing > 0;
    $bad = 1 if !$bad && $suite->has_problems;
    if (!$suite->tests_run && !$bad) {
        print "$file: ran nothing: ", $suite->skip_all || 'no plan', "\n";
        $bad = 1 unless $suite->skip_all;
    }
    $passed += $suite->passed - $suite->skipped;
    print "$file: ", scalar $suite->skipped, " skipped\n" if $suite->skipped;
    $failed += $bad;
}

print "$passed $failed\n";
