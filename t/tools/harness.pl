#!/usr/bin/perl

# Runs TAP producers: harness.pl [--jobs N] [--timeout S] FILE...
#
# The last line of the output is "passed failed".

use strict;
use warnings;

use Getopt::Long;
use TAP::Harness;

my ($jobs, $timeout) = (1, 900);
GetOptions('jobs=i' => \$jobs, 'timeout=i' => \$timeout)
    or die "harness.pl: bad arguments\n";

sub command {
    my (undef, $file) = @_;

    return ['timeout', $timeout, 'bash', $file] if $file =~ /\.sh$/;

    # "Bail out!" would end the run of all suites: a failed test does.
    return ['bash', '-c', q{set -o pipefail
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
