package BothEnds;

# Responses whose client and back end are both this process, so that it says
# which end does what, and when:
#
#     my $open = BothEnds::open_at('/t?k=a', $BothEnds::UPGRADED);
#     $open->passes('x' x 500);    # from the back end to the client
#     $open->ends;                 # the back end closes, the client has read all
#
# The back end is unix:$TEST_NGINX_HTML_DIR/ends.sock.

use strict;
use warnings;

use IO::Socket::UNIX;
use RateLimit;

our $UPGRADED = "HTTP/1.1 101 Switching Protocols\r\n"
                . "Upgrade: chat\r\nConnection: upgrade\r\n\r\n";

my ($listener, $listens_at);

sub listener {
    my $path = "$ENV{TEST_NGINX_HTML_DIR}/ends.sock";

    if (!$listener || !-S $path) {
        unlink $path;
        $listener = IO::Socket::UNIX->new(Local => $path, Listen => 16)
            // die "$path: $!\n";
    }

    return $listener;
}

sub read_head {
    my ($socket) = @_;
    my $head = '';

    while ($head !~ /\r\n\r\n\z/) {
        sysread($socket, $head, 1, length $head) or last;
    }

    return $head;
}

# A request that is refused has no back end, only a status.
sub open_at {
    my ($target, $response, $fields) = @_;
    my $back_ends = listener();
    my $client = RateLimit::connection();
    my $self = bless { client => $client };

    $fields //= "Connection: upgrade\r\nUpgrade: chat\r\n";
    syswrite $client, "GET $target HTTP/1.1\r\nHost: localhost\r\n$fields\r\n";

    my $waits = '';
    vec($waits, fileno $_, 1) = 1 for $back_ends, $client;
    select $waits, undef, undef, 10;

    if (vec($waits, fileno $back_ends, 1)) {
        $self->{backend} = $back_ends->accept;
        read_head($self->{backend});
        syswrite $self->{backend}, $response;
    }

    $self->{head} = read_head($client);
    ($self->{status}) = $self->{head} =~ m{^HTTP/1.1 (\d+)};
    return $self;
}

sub passes {
    my ($self, $bytes) = @_;

    syswrite $self->{backend}, $bytes;
    for (my $got = 0; $got < length $bytes; ) {
        $got += sysread($self->{client}, my $piece, length($bytes) - $got)
                || die "the connection was closed\n";
    }
}

sub ends {
    my ($self) = @_;

    close $self->{backend};
    while (sysread $self->{client}, my $rest, 65536) { }
    close $self->{client};
}

# The client goes away; nginx has noticed once it closes the back end's end.
sub is_left {
    my ($self) = @_;

    close $self->{client};
    while (sysread $self->{backend}, my $rest, 65536) { }
    close $self->{backend};
}

# What a response's field says.
sub field {
    my ($target, $name) = @_;
    my $client = RateLimit::connection();

    syswrite $client, "GET $target HTTP/1.1\r\nHost: localhost\r\n"
                      . "Connection: close\r\n\r\n";
    my ($value) = read_head($client) =~ /^\Q$name\E: (.*?)\r$/mi;
    return $value;
}

sub remaining {
    return field($_[0], 'X-RateLimit-Remaining');
}

1;
