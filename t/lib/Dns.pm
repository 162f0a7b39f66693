package Dns;

# A name server for the suites, on a free port of the loopback, which answers
# for every name: with the addresses that a file says, or that there is no such
# name where it is empty, always for 0 seconds.
#
#     my $dns = Dns->start; $dns->set('127.0.0.1', '127.0.0.2'); $dns->set;

use strict;
use warnings;

use IO::Socket::INET;

my @started;
my $owner = $$;

sub start {
    my ($class) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
        or die "no port: $!";
    my $self = bless { port => $socket->sockport,
                       file => "$ENV{TEST_NGINX_SERVROOT}-dns-" . $socket->sockport }, $class;

    $self->set;
    defined($self->{pid} = fork) or die "fork: $!";

    if (!$self->{pid}) {
        $self->answer($socket) while 1;
    }

    $ENV{TEST_NGINX_DNS_PORT} //= $self->{port};
    push @started, $self;
    return $self;
}

sub set {
    my ($self, @addresses) = @_;
    open my $out, '>', $self->{file} or die "$self->{file}: $!";
    print $out "@addresses";
    close $out;
}

sub pause    { kill 'STOP', $_[0]{pid} }
sub continue { kill 'CONT', $_[0]{pid} }

sub answer {
    my ($self, $socket) = @_;
    $socket->recv(my $query, 512) // return;
    open my $in, '<', $self->{file} or return;
    my @addresses = split / /, <$in> // '';

    my ($id, $flags, $questions) = unpack 'n3', $query;
    my ($question) = substr($query, 12) =~ /\A((?:[^\0].*?)\0.{4})/s or return;
    my $is_a = substr($question, -4) eq pack('n2', 1, 1);
    my @found = $is_a ? @addresses : ();

    $socket->send(pack('n6', $id, @addresses ? 0x8180 : 0x8183, 1, scalar @found, 0, 0)
                  . $question
                  . join '', map { pack 'n n n N n a4', 0xc00c, 1, 1, 0, 4, inet_aton($_) } @found);
}

END {
    if ($$ == $owner) {
        my $status = $?;
        for my $dns (@started) {
            kill 'KILL', $dns->{pid};
            waitpid $dns->{pid}, 0;
            unlink $dns->{file};
        }
        $? = $status;
    }
}

1;
