package Redis;

# Servers of Redis, or of its relatives, for the suites: each on a free port of
# the loopback, with a folder of its own, stopped when the suite ends.
#
#     my $redis = Redis->start(options => ['--maxmemory', '1mb']);
#     $redis->ask('GET', 'key'); $redis->pause; $redis->continue; $redis->stop;
#     my @nodes = Redis->cluster({}, {}, {});  # masters, as for start()
#
# Where nothing is said, $TEST_NGINX_REDIS_PORT is the port of the first one.
# The program is $REDIS_SERVER, or redis-server, or Debian's redis-check-rdb,
# which is the same program and comes without a service.

use strict;
use warnings;

use Cwd qw(getcwd);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);

use RateLimit;

my @started;
my $owner = $$;

sub program {
    return $ENV{REDIS_SERVER} if $ENV{REDIS_SERVER};

    for my $dir (split /:/, $ENV{PATH}) {
        return "$dir/redis-server" if -x "$dir/redis-server";
    }

    my $same = '/usr/bin/redis-check-rdb';
    return undef if !-x $same;

    # It goes by the name that it is called by.
    my $link = ($ENV{BUILD} // getcwd() . '/build') . '/redis-server';
    symlink $same, $link if !-l $link;
    return $link;
}

sub free_port {
    my ($address) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => $address // '127.0.0.1', Listen => 1)
        or die "no port: $!";
    return $socket->sockport;
}

sub start {
    my ($class, %how) = @_;
    my $address = $how{address} // '127.0.0.1';
    my $self = bless { address => $address, port => $how{port} // free_port(), options => $how{options} // [],
                       program => $how{program} // program(), user => $how{user},
                       password => $how{password} }, $class;

    $self->{dir} = "$ENV{TEST_NGINX_SERVROOT}-redis-$address-$self->{port}";
    remove_tree($self->{dir});
    make_path($self->{dir});
    $self->{unix} = "$self->{dir}/socket";
    $ENV{TEST_NGINX_REDIS_PORT} //= $self->{port};
    push @started, $self;
    $self->run;
    return $self;
}

sub run {
    my ($self) = @_;

    defined($self->{pid} = fork) or die "fork: $!";

    if (!$self->{pid}) {
        open STDOUT, '>>', "$self->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        exec $self->{program}, '--port', $self->{port}, '--bind', $self->{address},
             '--unixsocket', $self->{unix}, '--save', '', '--appendonly', 'no',
             '--dir', $self->{dir}, @{$self->{options}} or POSIX::_exit(1);
    }

    for (1 .. 500) {
        if (waitpid($self->{pid}, WNOHANG)) {
            die "redis-server ended: " . `tail -n 5 '$self->{dir}/log'`;
        }

        return if -S $self->{unix} && IO::Socket::UNIX->new(Peer => $self->{unix});
        sleep 0.02;
    }

    die 'redis-server does not start';
}

# A cluster of masters, one for each argument, which share the slots.
sub cluster {
    my ($class, @masters) = @_;
    my @nodes = map { $class->start_node(%$_) } @masters;

    for my $i (0 .. $#nodes) {
        $nodes[$i]->ask('CLUSTER', 'ADDSLOTSRANGE', int(16384 * $i / @nodes),
                        int(16384 * ($i + 1) / @nodes) - 1);
        $nodes[$i]->meet($nodes[0]) if $i;
    }
    for my $node (@nodes) {
        my $known = 'cluster_known_nodes:' . @nodes;
        wait_for('the cluster', sub {
            $node->ask('CLUSTER', 'INFO') =~ /cluster_state:ok.*$known\b/s });
    }
    return @nodes;
}

# Of a cluster, without slots.
sub start_node {
    my ($class, %how) = @_;

    return $class->start(%how, options => [
        '--cluster-enabled', 'yes', '--cluster-node-timeout', 1500,
        '--cluster-port', free_port($how{address}),
        '--cluster-announce-ip', $how{address} // '127.0.0.1',
        '--cluster-require-full-coverage', 'no']);
}

sub meet {
    my ($self, $other) = @_;
    my %option = @{$other->{options}};

    $self->ask('CLUSTER', 'MEET', $other->{address}, $other->{port}, $option{'--cluster-port'});
}

sub wait_for {
    my ($what, $until) = @_;

    for (1 .. 200) {
        return if $until->();
        sleep 0.1;
    }
    die "waited in vain for $what";
}

# Every connection but the one that says so.
sub disconnect { $_[0]->ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes') }

# By the unix socket, so that it may speak TLS elsewhere.
sub ask {
    my ($self, @args) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->{unix}) or die "connect: $!";

    if (defined $self->{password}) {
        send_command($socket, 'AUTH', $self->{user} // (), $self->{password});
        read_reply($socket);
    }

    send_command($socket, @args);
    return read_reply($socket);
}

sub send_command {
    my ($socket, @args) = @_;

    $socket->syswrite('*' . @args . "\r\n"
                      . join '', map { '$' . length() . "\r\n$_\r\n" } @args);
}

sub read_reply {
    my ($socket) = @_;
    my $line = <$socket> // die 'redis-server closed the connection';
    my ($kind, $rest) = $line =~ /\A(.)(.*)\r\n\z/s;

    return $rest if $kind =~ /[+:-]/;
    return [map { read_reply($socket) } 1 .. $rest] if $kind eq '*';
    return undef if $rest < 0;

    read $socket, my $data, $rest + 2;
    return substr $data, 0, $rest;
}

# A new Redis gives nothing in its first second: this one is not new.
sub open_shards {
    my ($self, $prefix) = @_;

    $self->ask('SET', sprintf('%s{%02x}gen', $prefix, $_), "\0" x 6 . 'thefirst')
        for 0 .. 255;
}

sub pause    { kill 'STOP', $_[0]{pid} }
sub continue { kill 'CONT', $_[0]{pid} }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'CONT', $pid;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    unlink $self->{unix};
}

END {
    if ($$ == $owner) {
        my $status = $?;
        for my $redis (@started) {
            $redis->stop;
            remove_tree($redis->{dir});
        }
        $? = $status;
    }
}

1;
