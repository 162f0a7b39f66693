package Api;

# Filters that read the answers of ratelimit_api.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use Test::Nginx::Util;

sub value_at {
    my ($value, $path) = @_;

    for my $name (split /\./, $path) {
        return 'nothing' if !ref $value;
        $value = ref $value eq 'ARRAY'
            ? ($name eq 'n' ? scalar @$value : $value->[$name]) : $value->{$name};
    }

    return 'null' if !defined $value;
    return $value ? 'true' : 'false' if JSON::PP::is_bool($value);
    return JSON::PP->new->canonical->encode($value) if ref $value;
    return $value;
}

# A filter for a response body: what stands at the paths, a line each.
# "policies.0.name" goes down, "zones.n" is how many there are.
sub at {
    my @paths = @_;

    return [sub {
        my ($body) = @_;
        my $json = eval { JSON::PP->new->utf8->decode($body) };

        return "not JSON: $body" if !defined $json;
        return join '', map { "$_: " . value_at($json, $_) . "\n" } @paths;
    }];
}

# A filter: the six figures of a policy in one line.
sub counts {
    my ($index) = @_;
    my @names = qw(admitted refused refused_dry_run bypassed refunded errors);

    return [sub {
        my ($body) = @_;
        my $json = eval { JSON::PP->new->utf8->decode($body) };

        return "not JSON: $body" if !defined $json;
        my $requests = $json->{policies}[$index]{requests};
        return join(' ', map { "$_=$requests->{$_}" } @names) . "\n";
    }];
}

# Asks the block's server, from within a filter; returns the body.
sub ask {
    my ($method, $uri) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => server_addr(),
                                       PeerPort => server_port_for_client())
        or return "cannot connect: $!";

    print $socket "$method $uri HTTP/1.0\r\nHost: localhost\r\n\r\n";
    my $answer = do { local $/; <$socket> };
    close $socket;
    $answer =~ s/^.*?\r\n\r\n//s;
    return $answer;
}

# A filter: nothing of the body matters.
sub any { return [sub { '' }] }

# A filter: the lines of a metric, or of several.
sub metric {
    my ($pattern) = @_;

    return [sub {
        my ($body) = @_;
        return join '', map { "$_\n" } grep { /^$pattern/ } split /\n/, $body // '';
    }];
}

1;
