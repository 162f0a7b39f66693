#!/usr/bin/perl

# Requests that last, at least one in each worker: connects to PORT and asks for
# PATH until WORKERS of them have passed a request on to the upstream that this
# program is itself, which never answers.  PATH is given as "u" the upstream's
# port and as "n" a number that is another for each request; nginx tells its
# process in the field X-Worker.  Says "held" and keeps them until it is killed.
#
#   hold.pl PORT WORKERS PATH

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;

my ($port, $workers, $path) = @ARGV;

my $upstream = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 4096)
    or die "cannot listen: $!\n";
my $waiting = IO::Select->new($upstream);
my (@held, %holds);

# take_passed_on: what nginx passes on within 50 ms.
sub take_passed_on {
    while ($waiting->can_read(0.05)) {
        my $passed_on = $upstream->accept or die "cannot accept: $!\n";
        my $head = '';
        $head .= <$passed_on> // die "nginx left\n" until $head =~ /\r\n\r\n\z/;
        $head =~ /^X-Worker: (\d+)\r$/m or die "no X-Worker\n";
        $holds{$1} = 1;
        push @held, $passed_on;
    }
}

my $sent = 0;
while (keys %holds < $workers) {
    die "after $sent requests only " . keys(%holds) . " of $workers workers\n"
        if $sent >= 100 * $workers;
    for (1 .. $workers) {
        my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 10)
            or die "cannot connect: $!\n";
        print $socket "GET $path&u=", $upstream->sockport, "&n=", ++$sent,
            " HTTP/1.1\r\nHost: localhost\r\n\r\n";
        push @held, $socket;
    }
    take_passed_on();
}

$| = 1;
print "held\n";
sleep 3600;
