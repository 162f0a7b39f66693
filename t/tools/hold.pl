#!/usr/bin/perl

# Requests that last: COUNT connections, of each a request of PATH, which nginx
# passes on to UPSTREAM, a port that is listened to and never answers.  Says
# "held" once all are sent, and keeps them until it is killed.
#
#   hold.pl PORT UPSTREAM COUNT PATH

use strict;
use warnings;

use IO::Socket::INET;

my ($port, $upstream, $count, $path) = @ARGV;

# Of several of these one listens.
my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$upstream", Listen => 4096);
my @held;

for (1 .. $count) {
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 10)
        or die "cannot connect: $!\n";
    print $socket "GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n";
    push @held, $socket;
}

$| = 1;
print "held\n";
sleep 3600;
