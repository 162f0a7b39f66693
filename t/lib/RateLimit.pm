package RateLimit;

# What the suites share: defaults for every block, and a few helpers that a
# block's own Perl may call.
#
# - No block may leave an [alert] or [emerg] in the error log; where nginx must
#   refuse the configuration, no [alert]; where a block expects one, no [emerg].
# - "--- backend" is the inside of a second server on a unix socket, which
#   "proxy_pass http://backend;" reaches.
# - "--- timed" marks what holds only if a request takes far less than a second,
#   which valgrind does not let it.
# - A block without "--- config" has one empty location, one without
#   "--- request" asks for "/t".

use strict;
use warnings;

use Cwd qw(getcwd);
use File::Basename qw(basename);
use File::Path qw(make_path);
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use Time::HiRes ();

# What Test::Nginx takes from the environment when it is loaded, where that does
# not say: Debian's nginx, the module in build/, and for each suite a port and a
# folder of its own, so that several can run at once.
our $port_mark;

sub free_port {
    for (1 .. 1000) {
        my %place = (LocalAddr => '127.0.0.1', LocalPort => 20000 + int rand 10000);

        # Nginx is not listening yet: until this suite ends, UDP's port of the
        # same number tells others that it is taken.
        $port_mark = IO::Socket::INET->new(%place, Proto => 'udp') or next;
        return $place{LocalPort} if IO::Socket::INET->new(%place, Listen => 1);
    }

    die "no free port\n";
}

BEGIN {
    my $build = $ENV{BUILD} // getcwd() . '/build';
    my $dir = "$build/suites/" . basename($0, '.t');
    make_path($dir);

    $ENV{TEST_NGINX_BINARY} //= '/usr/sbin/nginx';
    $ENV{TEST_NGINX_LOAD_MODULES} //= "$build/ngx_http_ratelimit_module.so";
    $ENV{TEST_NGINX_SERVROOT} //= "$dir/servroot";

    # Debug lines would be most of the time that a run takes.
    $ENV{TEST_NGINX_LOG_LEVEL} //= 'info';

    if (!defined $ENV{TEST_NGINX_ERROR_LOG}) {
        $ENV{TEST_NGINX_ERROR_LOG} = "$dir/error.log";
        unlink $ENV{TEST_NGINX_ERROR_LOG};
    }

    if (!defined $ENV{TEST_NGINX_SERVER_PORT}) {
        my $port = free_port();
        $ENV{TEST_NGINX_SERVER_PORT} = "127.0.0.1:$port";
        $ENV{TEST_NGINX_CLIENT_PORT} = $port;
        $ENV{TEST_NGINX_STREAM_PORT} = $port + 1;
    }
}

use Test::Nginx::Util;

$ENV{TEST_NGINX_HTML_DIR} ||= html_dir();

# "--- http2" writes "http2 on;" for versions of nginx that do not have it yet
# and know only "listen ... http2": tell them for older still.
my $version;

sub mend_http2 {
    my ($block) = @_;

    $version //= $NginxVersion;
    $NginxVersion = defined $block->http2 && $version < 1.025001
                    ? 1.019008 : $version;
}

# The server's port may have an address before it, which is no part of a URL.
{
    no warnings 'redefine';
    my $original = \&Test::Nginx::Util::test_config_version;

    *Test::Nginx::Util::test_config_version = sub ($$) {
        local $Test::Nginx::Util::ServerPort = server_port_for_client();
        $original->(@_);
    };
}

sub listed {
    my ($value) = @_;

    return () if !defined $value;
    return @$value if ref $value eq 'ARRAY';
    return ($value) if ref $value;
    return grep { $_ ne '' } split /\n+/, $value;
}

add_block_preprocessor(sub {
    my $block = shift;

    mend_http2($block);

    if (defined $block->timed && $ENV{TEST_NGINX_USE_VALGRIND}) {
        $block->set_value('SKIP', '');
    }

    my @never;

    push @never, '[alert]' if !grep { $_ eq '[alert]' } listed($block->error_log);
    push @never, '[emerg]' if !defined $block->must_die && !defined $block->reload_fails;

    $block->set_value('no_error_log', [listed($block->no_error_log), @never]);

    if (defined $block->must_die) {
        $block->set_value('suppress_stderr', '');
        $block->set_value('error_log', ['[emerg]', listed($block->error_log)]);
    }

    if (!defined $block->config) {
        $block->set_value('config', "location /t { }\n");
    }

    if (!defined $block->request && !defined $block->raw_request
        && !defined $block->pipelined_requests)
    {
        $block->set_value('request', "GET /t\n");
    }

    if (defined $block->backend) {
        my $inside = $block->backend;

        $block->set_value('http_config', ($block->http_config || '') . <<"_END_");
    upstream backend {
        server unix:\$TEST_NGINX_HTML_DIR/backend.sock;
    }

    server {
        listen unix:\$TEST_NGINX_HTML_DIR/backend.sock;
$inside
    }
_END_
    }
});

# A filter for response bodies: JSON as an independent parser understands it,
# with sorted names; anything else becomes a complaint.
sub canonical_json {
    my ($body) = @_;
    my $json = JSON::PP->new->utf8->canonical;
    my $value = eval { $json->decode($body) };

    return "not JSON: $body" if !defined $value;
    return $json->encode($value) . "\n";
}

# A filter for response bodies: the lines that match, each cut to what the
# pattern captures (or the whole match).
sub lines_like {
    my ($pattern) = @_;

    return sub {
        my ($body) = @_;
        return join '', map { /$pattern/ ? ($1 // $&) . "\n" : () }
               split /\n/, $body // '';
    };
}

# A connection to nginx, which may take its time to start, under valgrind.
sub connection {
    for (1 .. 100) {
        my $socket = IO::Socket::INET->new(PeerAddr => server_addr(),
                                           PeerPort => server_port_for_client());
        return $socket if $socket;
        Time::HiRes::sleep(0.1);
    }

    die "cannot connect: $!";
}

# What curl with these options writes of the answer to a GET.
sub curl {
    my ($options, $uri) = @_;
    my $url = 'http://' . server_addr() . ':' . server_port_for_client() . $uri;

    connection();
    return scalar `curl -s $options '$url'`;
}

# Sends $count requests over one connection, some at a time, and returns how
# many answers there were of each status.  $request->($i) is a URI or a whole
# request; answers must not have bodies that look like status lines.
sub pipeline {
    my ($count, $request) = @_;
    my $batch = 50;
    my %answers;

    my $socket = connection();

    for (my $first = 0; $first < $count; $first += $batch) {
        my $last = $first + $batch < $count ? $first + $batch : $count;
        my $text = '';

        for my $i ($first .. $last - 1) {
            my $one = $request->($i);
            $one = "HEAD $one HTTP/1.1\r\nHost: localhost\r\n\r\n"
                if $one !~ /\r\n/;
            $text .= $one;
        }

        print $socket $text or die "cannot send: $!";

        my ($got, $heads) = ('', 0);

        while ($heads < $last - $first) {
            sysread($socket, $got, 65536, length $got)
                or die "connection closed after $heads answers of a batch";
            $heads = () = $got =~ /HTTP\/1\.1 \d+ .*?\r\n\r\n/sg;
        }

        $answers{$_}++ for $got =~ /HTTP\/1\.1 (\d+) /g;
    }

    close $socket;
    return \%answers;
}

# A frame of HTTP/2.
sub http2_frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $stream) . $payload;
}

# Sends each request ("GET /t", or "POST /t" with a body that never comes) as a
# stream of one HTTP/2 connection, all at once, and returns their statuses.
sub streams {
    my @requests = @_;
    my ($headers, $settings) = (1, 4);
    my ($end_stream, $end_headers) = (1, 4);

    # HPACK: ":method: GET" or "POST" and ":scheme: http" by their indices, the
    # values of ":path" and ":authority" as they are.
    my $text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . http2_frame($settings, 0, 0, '');
    for my $i (0 .. $#requests) {
        my ($method, $uri) = split / /, $requests[$i];
        my $is_get = $method eq 'GET';

        $text .= http2_frame($headers, $end_headers | ($is_get ? $end_stream : 0),
                             2 * $i + 1,
                             ($is_get ? "\x82" : "\x83") . "\x86\x04"
                             . pack('C/a', $uri) . "\x01" . pack('C/a', 'localhost'));
    }

    my $socket = connection();
    syswrite $socket, $text;

    my ($got, @statuses) = ('');

    while (@statuses < @requests) {
        sysread($socket, $got, 65536, length $got)
            or die 'connection closed after ' . @statuses . ' streams';

        while (length $got >= 9) {
            my ($high, $low, $type) = unpack 'CnC', $got;
            my $len = $high << 16 | $low;
            last if length $got < 9 + $len;

            my $payload = substr($got, 9, $len);
            substr($got, 0, 9 + $len) = '';
            next if $type != $headers;

            # 200 has an index, others are digits behind a name's index.
            push @statuses, $payload =~ /\A[\x20-\x3f]?\x88/ ? 200
                            : $payload =~ /\A[\x20-\x3f]?\x48\x03(\d+)/ ? $1 : '?';
        }
    }

    close $socket;
    return @statuses;
}

# Writes a file that "GET /NAME" shows.
sub publish {
    my ($name, $text) = @_;

    open my $out, '>', html_dir() . "/$name" or die "cannot write $name: $!";
    print $out $text;
    close $out;
}

# The answer of "ratelimit_standing", a policy a line: its name, limit, used,
# remaining, and how many seconds ahead its reset is.  What is no JSON, an empty
# GIF, is nothing.
sub standing {
    my ($body) = @_;

    my $json = eval { JSON::PP->new->decode($body) } or return '';
    my $resources = $json->{resources};
    my $text = '';

    for my $name (sort keys %$resources) {
        my $one = $resources->{$name};
        my $ahead = defined $one->{reset} ? $one->{reset} - time : 'null';
        $text .= join(' ', $name, (map { $one->{$_} // 'null' } qw(limit used remaining)), $ahead) . "\n";
    }

    return $text;
}

1;
