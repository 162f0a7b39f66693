#!/usr/bin/perl

# Sends a request once for every allocation that the module makes for it, with
# that one failing, to a server with t/system/fault/alloc.c in it.
#
#   fail_allocations.pl PORT FAULT-FILE ERROR-LOG [REFUSED]
#
# Asks for "/t?k=KEY" with a key of its own each; with REFUSED the key has used
# up its quota before.  "/left?k=KEY" tells what is left of every policy.  A
# line says what happened how often, and the last one is "bypasses: N": requests
# that were let in, not charged to every policy, and not told of in the log.

use strict;
use warnings;

use IO::Socket::INET;

my ($port, $file, $log, $refused) = @ARGV;
my ($bypasses, %seen) = (0);

sub control {
    my ($countdown) = @_;

    open my $io, '+<:raw', $file or die "cannot open $file: $!\n";
    if (defined $countdown) {
        print $io pack 'Q2', $countdown, 0;
        return;
    }
    read $io, my $text, 16;
    return (unpack 'Q2', $text)[1];
}

sub ask {
    my ($text) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 10)
        or die "cannot connect: $!\n";
    my $got = '';

    print $socket $text;
    alarm 20;
    1 while sysread $socket, $got, 65536, length $got;
    alarm 0;
    return $got;
}

sub request {
    my ($path) = @_;
    return join "\r\n", "GET $path HTTP/1.1", 'Host: localhost', 'Connection: close',
                'Authorization: Bearer abc', '', '';
}

sub status {
    my ($answer) = @_;
    return $answer =~ /^HTTP\/1\.1 (\d+)/ ? $1 : 'closed';
}

sub remaining {
    my ($key) = @_;
    return ask(request("/left?k=$key")) =~ /^left: (.*)$/m ? split / /, $1 : ();
}

# all, none or some of the policies
sub charged {
    my ($before, $after) = @_;
    my $n = grep { $before->[$_] ne $after->[$_] } 0 .. $#$before;
    return !$n ? 'not charged' : $n == @$before ? 'charged' : 'charged in part';
}

for (my $n = 1; $n < 500; $n++) {
    my $key = ($refused ? 'r' : 'a') . $n;

    if ($refused) {
        ask(request("/t?k=$key")) for 1 .. 3;
    }

    my @before = remaining($key);
    my $logged = -s $log;
    control($n);
    my $answer = ask(request("/t?k=$key"));
    my $failed = control();
    control(0);
    last if !$failed;

    my $status = status($answer);
    my $charged = charged(\@before, [remaining($key)]);
    my $told = -s $log > $logged ? 'logged' : 'not logged';
    my $what = "$status, $charged, $told";

    if ($status eq '200' && $charged ne 'charged' && $told eq 'not logged') {
        $bypasses++;
        $what .= ' (allocation ' . $n . ')';
    }
    $seen{$what}++;
}

print map { "$seen{$_} x $_\n" } sort keys %seen;
print "bypasses: $bypasses\n";
