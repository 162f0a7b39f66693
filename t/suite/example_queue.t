# conf-examples/queue.conf, as it stands.

use lib 't/lib';
use Example;
use Test::Nginx::Socket 'no_plan';
use IO::Select;

worker_connections(256);

# So many at once, each of a client of its own, or all of one; the statuses, as
# in "200: 15, 503: 2".
sub at_once {
    my ($n, $clients) = @_;
    my $all = IO::Select->new();
    my %got;

    for my $i (1 .. $n) {
        my $socket = IO::Socket::INET->new(PeerAddr => server_addr(), PeerPort => server_port_for_client())
            or die "cannot connect: $!";
        my $client = $i % $clients;
        print $socket "GET /reports HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer client-$client\r\n\r\n";
        $all->add($socket);
    }

    while ($all->count) {
        for my $socket ($all->can_read(20)) {
            my $text = do { local $/; <$socket> };
            $got{$1}++ if $text =~ m{^HTTP/1.1 (\d+)};
            $all->remove($socket);
        }
    }

    return join ', ', map { "$_: $got{$_}" } sort keys %got;
}

sub thirty_three { is(at_once(33, 33), '200: 30, 503: 3', 'ten at once, twenty in line, three too many') }
sub one_client   { is(at_once(5, 1), '200: 3, 429: 2', 'three of one client') }

run_tests();

__DATA__

=== TEST 1: of 33 three are too many
--- example: queue.conf
--- client: thirty_three
--- request
GET /



=== TEST 2: of one client three at once
--- example: queue.conf
--- client: one_client
--- request
GET /
