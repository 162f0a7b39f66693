package Machine;

# Other nginx beside a suite's own, each with memory of its own, as another
# machine that shares quotas has: on a free port of the loopback, with a folder
# of its own, stopped when the suite ends.
#
#     my $other = Machine->start($http_config, $server_config);
#     my ($status, $body) = Machine->own->ask('GET', '/t');
#     $other->log; $other->pause; $other->continue; $other->stop;

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);

use RateLimit;
use Redis;
use Test::Nginx::Util qw(server_port_for_client server_root);

my @started;
my $owner = $$;

# The suite's own.
sub own { bless { dir => server_root(), port => server_port_for_client() }, $_[0] }

sub start {
    my ($class, $http, $server) = @_;
    my $port = Redis::free_port();
    my $self = bless { dir => "$ENV{TEST_NGINX_SERVROOT}-machine-$port", port => $port }, $class;

    s/\$(TEST_NGINX_\w+)/$ENV{$1}/g for $http, $server;
    remove_tree($self->{dir});
    make_path("$self->{dir}/logs", "$self->{dir}/html");
    open my $out, '>', "$self->{dir}/nginx.conf" or die;
    print $out join '', map("load_module $_;\n", split ' ', $ENV{TEST_NGINX_LOAD_MODULES}), <<"_END_";
daemon off;
user root;
worker_processes 1;
error_log $self->{dir}/logs/error.log info;
pid $self->{dir}/logs/nginx.pid;
events { }
http {
    access_log off;
    client_body_temp_path $self->{dir}/body;
    proxy_temp_path $self->{dir}/proxy;
    fastcgi_temp_path $self->{dir}/fastcgi;
    uwsgi_temp_path $self->{dir}/uwsgi;
    scgi_temp_path $self->{dir}/scgi;
$http
    server {
        listen 127.0.0.1:$port;
$server
    }
}
_END_
    close $out;
    push @started, $self;
    defined($self->{pid} = fork) or die "fork: $!";

    if (!$self->{pid}) {
        open STDERR, '>', "$self->{dir}/logs/stderr";
        exec $ENV{TEST_NGINX_BINARY}, '-p', $self->{dir}, '-c', "$self->{dir}/nginx.conf"
            or POSIX::_exit(1);
    }
    $self->connect;
    return $self;
}

sub connect {
    my ($self) = @_;

    for (1 .. 200) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port});
        return $socket if $socket;
        sleep 0.05;
    }
    die "cannot connect to $self->{port}: " . $self->log;
}

# The answer's status and body.
sub ask {
    my ($self, $method, $uri) = @_;
    my $socket = $self->connect;

    syswrite $socket, "$method $uri HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                      . "Accept: application/json\r\n\r\n";
    my $answer = do { local $/; <$socket> } // '';
    my ($status, $body) = $answer =~ /\AHTTP\/1\.1 (\d+).*?\r\n\r\n(.*)\z/s;
    return wantarray ? ($status // 0, $body // '') : $status // 0;
}

# How many of so many requests, one after the other, have this status.
sub count {
    my ($self, $n, $status, $uri) = @_;
    my $socket = $self->connect;
    my $count = 0;

    for (1 .. $n) {
        syswrite $socket, "HEAD $uri HTTP/1.1\r\nHost: localhost\r\n\r\n";
        my $got = '';
        sysread $socket, $got, 4096, length $got or die 'closed' until $got =~ /\r\n\r\n/;
        $count += $got =~ /\AHTTP\/1\.1 $status /;
    }
    return $count;
}

sub log {
    my ($self) = @_;

    local (@ARGV, $/) = "$self->{dir}/logs/error.log";
    return -e $ARGV[0] ? <> : '';
}

sub worker_pids {
    my ($self) = @_;

    open my $in, '<', "/proc/$self->{pid}/task/$self->{pid}/children" or die;
    return split ' ', <$in> // '';
}

sub pause    { kill 'STOP', $_[0]->worker_pids }
sub continue { kill 'CONT', $_[0]->worker_pids }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'QUIT', $pid;
    waitpid $pid, 0;
}

sub stop_all { $_->stop for @started }

END {
    if ($$ == $owner) {
        my $status = $?;
        stop_all();
        remove_tree($_->{dir}) for @started;
        $? = $status;
    }
}

1;
