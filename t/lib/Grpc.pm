package Grpc;

# Calls of gRPC whose client and back end are both this process, as those of
# BothEnds; "grpc_pass unix:$TEST_NGINX_HTML_DIR/ends.sock;" reaches the back
# end.  nginx's client speaks HTTP/1.1, which needs no HTTP/2 of the test's own:
#
#     my $call = Grpc::call('/t?k=a');
#     $call->message('x' x 100);
#     $call->ends('grpc-status' => 0, 'x-cost' => 25);    # its trailers
#
# What ends without trailers ends by is_reset, or by is_left, by the client.

use strict;
use warnings;

use BothEnds;
use RateLimit;

my ($DATA, $HEADERS, $RST_STREAM, $SETTINGS) = (0, 1, 3, 4);
my ($END_STREAM, $ACK, $END_HEADERS) = (1, 1, 4);
my $PREFACE = length "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

# Of names and values, each as it is: HPACK without indices.
sub fields {
    my @fields = @_;
    my $block = '';

    while (my ($name, $value) = splice @fields, 0, 2) {
        $block .= "\0" . pack('C/a', $name) . pack('C/a', $value);
    }

    return $block;
}

sub call {
    my ($target) = @_;
    my $back_ends = BothEnds::listener();
    my $client = RateLimit::connection();

    syswrite $client, "POST $target HTTP/1.1\r\nHost: localhost\r\n"
                      . "Content-Type: application/grpc\r\nTE: trailers\r\n"
                      . "Content-Length: 0\r\nConnection: close\r\n\r\n";

    my $self = bless { client => $client, backend => scalar $back_ends->accept };

    $self->read_request;
    $self->sends($SETTINGS, 0, 0, '');
    $self->sends($SETTINGS, $ACK, 0, '');
    $self->sends($HEADERS, $END_HEADERS, 1,
                 "\x88" . fields('content-type' => 'application/grpc'));
    $self->{head} = BothEnds::read_head($client);
    return $self;
}

sub read_bytes {
    my ($self, $count) = @_;

    for (my $got = ''; ; ) {
        return $got if length $got == $count;
        sysread($self->{backend}, $got, $count - length $got, length $got)
            or die "nginx has closed the connection\n";
    }
}

# Up to the frame that ends it.
sub read_request {
    my ($self) = @_;

    $self->read_bytes($PREFACE);
    for (my ($type, $flags) = ($SETTINGS, 0); ; ) {
        (my ($high, $low), $type, $flags) = unpack 'CnCC', $self->read_bytes(9);
        $self->read_bytes($high << 16 | $low);
        return if ($type == $DATA || $type == $HEADERS) && $flags & $END_STREAM;
    }
}

sub sends {
    my ($self, @frame) = @_;

    syswrite $self->{backend}, RateLimit::http2_frame(@frame);
}

sub message {
    my ($self, $bytes) = @_;

    $self->sends($DATA, 0, 1, "\0" . pack('N/a', $bytes));
}

sub ends {
    my ($self, @trailers) = @_;

    $self->sends($HEADERS, $END_HEADERS | $END_STREAM, 1, fields(@trailers));
    $self->is_over;
}

sub is_reset {
    my ($self) = @_;
    my $internal_error = 2;

    $self->sends($RST_STREAM, 0, 1, pack('N', $internal_error));
    $self->is_over;
}

sub is_over {
    my ($self) = @_;

    while (sysread $self->{client}, my $rest, 65536) { }
    close $self->{client};
    close $self->{backend};
}

# nginx has noticed once it closes the back end's end.
sub is_left {
    my ($self) = @_;

    close $self->{client};
    while (sysread $self->{backend}, my $rest, 65536) { }
    close $self->{backend};
}

1;
