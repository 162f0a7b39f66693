#!/usr/bin/perl

# Sends COUNT requests over one connection, some at a time, %d in PATH being
# FIRST, FIRST + 1, ..., each of them REPEAT times, and prints how many answers
# there were of each status.
#
#   pipeline.pl PORT COUNT PATH [FIRST [REPEAT]]

use strict;
use warnings;

use IO::Socket::INET;

my ($port, $count, $path, $base, $repeat) = @ARGV;
$base   //= 0;
$repeat //= 1;

my $batch = 100;
my %answers;

my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 30)
    or die "cannot connect: $!\n";
alarm 600;

for (my $first = 0; $first < $count; $first += $batch) {
    my $n = $first + $batch < $count ? $batch : $count - $first;
    my $text = '';

    for my $i ($first .. $first + $n - 1) {
        my $number = $base + int($i / $repeat);
        (my $uri = $path) =~ s/%d/$number/g;
        $text .= "HEAD $uri HTTP/1.1\r\nHost: localhost\r\n\r\n";
    }

    print $socket $text or die "cannot send: $!\n";

    my $got = '';

    while ((() = $got =~ /\r\n\r\n/g) < $n) {
        sysread($socket, $got, 65536, length $got)
            or die "connection closed\n";
    }

    $answers{$_}++ for $got =~ /^HTTP\/1\.1 (\d+)/mg;
}

print map { "$_: $answers{$_}\n" } sort keys %answers;
