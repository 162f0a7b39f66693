package Example;

# Runs a file of conf-examples/ in a suite: the file itself, read at run time.
# Only what ties it to a machine is put in other words: its ports (the second,
# the application's stand-in, becomes a unix socket), its prefix, the module's
# path (that is Test::Nginx's business), the secret beside it, and /run/nginx,
# which becomes run_dir().
#
# - "--- example: projekt.conf" makes the file's http block the block's own.
#   The file's first server gets the suite's port.
# - "--- windows: 60s=2s 1h=4s" compresses time, in this block's copy: every
#   quota of 60s becomes one of 2s.
# - "--- quotas: 50000/1M=5/1M" makes a quota another one, in this block's copy.
# - "--- traffic" is sent before the block's request, a line at a time:
#
#       600 GET /issues worker-01: 200 600 0 60
#
#   600 requests with this bearer token ("-" or none: without) are to be
#   answered 200, and the last one's X-RateLimit-Limit, -Remaining and -Reset
#   (@Fields) are to match these patterns.  "from 127.0.0.2" names another
#   address to send from, "wait 1.5" sleeps.  $Credential makes request fields
#   of what stands for the token.
# - "--- client: name" calls main::name() before the block's request.

use strict;
use warnings;

use RateLimit;

use Cwd qw(getcwd);
use IO::Socket::INET;
use Test::More ();
use Test::Nginx::Socket ();
use Test::Nginx::Util;
use Time::HiRes qw(sleep time);

our $Folder = 'conf-examples';
our @Fields = map { "x-ratelimit-$_" } qw(limit remaining reset);
our $Credential = sub { return (Authorization => "Bearer $_[0]") };

sub run_dir { return server_root() . '/html/run' }

# The inside of the file's http block, fit for Test::Nginx.
sub http_block {
    my ($file, $windows, $quotas) = @_;

    open my $in, '<', "$Folder/$file" or die "cannot read $file: $!";
    my $text = do { local $/; <$in> };
    close $in;

    $text =~ s/\A.*?^http \{\n(.*)^\}\s*\z/$1/ms or die "no http block: $file";

    # Test::Nginx has lines of its own for where nginx writes.
    $text =~ s/^ *\w+_temp_path .*\n//mg;
    $text =~ s/\baccess_log +access\.log/access_log logs\/access.log/g;

    $text =~ s/(ratelimit_jwt +\w+ +)(?=[\w.-]+[ ;])/$1@{[getcwd()]}\/$Folder\//g;
    $text =~ s/\/run\/nginx\//run_dir() . '\/'/ge;

    my $servers = $text =~ s/(listen +)127\.0\.0\.1:8080;/$1\$TEST_NGINX_SERVER_PORT;/g;
    my $apps = $text =~ s/127\.0\.0\.1:8081;/unix:\$TEST_NGINX_HTML_DIR\/app.sock;/g;
    die "not the usual ports: $file" if $servers != 1 || $apps != 2;

    for my $pair (split ' ', $quotas // '') {
        my ($from, $to) = split /=/, $pair;
        $text =~ s{(?<=[ =])\Q$from\E(?=[ ;])}{$to}g or die "no quota of $from: $file";
    }

    for my $pair (split ' ', $windows // '') {
        my ($from, $to) = split /=/, $pair;
        my $found = $text =~ s{(?<=[ =])(\d+)/\Q$from\E(?=[ ;])}{$1/$to}g;
        die "no window of $from: $file" if !$found;
    }

    return $text;
}

add_block_preprocessor(sub {
    my $block = shift;

    return if !defined $block->example;

    my $file = $block->example;
    $file =~ s/\s+\z//;
    $block->set_value('http_config', http_block($file, scalar $block->windows,
                                                 scalar $block->quotas));

    # The example's server is the first on its port: it gets every request, if
    # the one that Test::Nginx adds does not claim their name.
    $block->set_value('server_name', 'of-test-nginx');

    # There a burst takes longer than a compressed window.
    if ($ENV{TEST_NGINX_USE_VALGRIND} && defined $block->windows) {
        $block->set_value('skip_eval', '1: 1');
    }
    $block->set_value('config', '') if !defined $block->config;
});

# Sends the same request $count times and returns the answers, each a hash of
# status, headers (by name in lower case) and body.
sub ask {
    my (%request) = @_;
    my $count = $request{count} // 1;
    my @answers;

    my $text = "$request{method} $request{uri} HTTP/1.1\r\nHost: localhost\r\n";
    my %fields = (defined $request{token} ? $Credential->($request{token}) : (),
                  %{$request{headers} || {}});
    $text .= "$_: $fields{$_}\r\n" for sort keys %fields;
    $text .= "Content-Length: 0\r\n" if $request{method} =~ /^P/;
    $text .= "\r\n";

    # nginx closes a connection after 1,000 requests.
    while (@answers < $count) {
        my $left = $count - @answers;
        push @answers, one_connection($request{from}, $text,
                                      $left < 500 ? $left : 500);
    }
    return @answers;
}

sub one_connection {
    my ($from, $text, $count) = @_;
    my $batch = 25;
    my ($buffer, @answers) = ('');
    my $socket;

    # Under valgrind nginx takes its time to start.
    for (1 .. 200) {
        $socket = IO::Socket::INET->new(
            PeerAddr => server_addr(), PeerPort => server_port_for_client(),
            $from ? (LocalAddr => $from) : (),
        ) and last;
        sleep 0.05;
    }
    die "cannot connect: $!" if !$socket;

    while (@answers < $count) {
        my $end = @answers + $batch < $count ? @answers + $batch : $count;
        syswrite $socket, $text x ($end - @answers) or die "cannot send: $!";

        while (@answers < $end) {
            my $answer = take_answer(\$buffer);
            if ($answer) {
                push @answers, $answer;
                next;
            }
            sysread $socket, $buffer, 65536, length $buffer
                or die 'connection closed after ' . @answers . ' answers';
        }
    }

    close $socket;
    return @answers;
}

# Cuts one answer off the buffer; nothing if it is not complete.
sub take_answer {
    my ($buffer) = @_;

    my $end = index $$buffer, "\r\n\r\n";
    return if $end < 0;

    my ($line, @fields) = split /\r\n/, substr $$buffer, 0, $end;
    my %headers = map { /^([^:]+):\s*(.*)/ ? (lc $1 => $2) : () } @fields;
    my ($status) = $line =~ m{^HTTP/1\.1 (\d+)};
    my $length = $status =~ /204|304/ ? 0 : $headers{'content-length'};
    die "no Content-Length: $line" if !defined $length;

    return if length $$buffer < $end + 4 + $length;
    my $body = substr $$buffer, $end + 4, $length;
    substr($$buffer, 0, $end + 4 + $length) = '';
    return { status => $status, headers => \%headers, body => $body };
}

sub one_line_of_traffic {
    my ($line, $name) = @_;

    if ($line =~ /^\s*wait\s+([\d.]+)\s*$/) {
        sleep $1;
        return;
    }

    my ($count, $method, $uri, $token, $from, $status, $fields) = $line =~
        m{^\s*(?:(\d+)\s+)?([A-Z]+)\s+(/\S*?)(?:\s+(\S+?))?
          (?:\s+from\s+(\S+?))?:\s+(\d+)(?:\s+(\S.*?))?\s*$}x
        or die "no traffic: $line";
    undef $token if defined $token && $token eq '-';

    my @answers = ask(count => $count // 1, method => $method, uri => $uri,
                      token => $token, from => $from);

    my %got;
    $got{$_->{status}}++ for @answers;
    my $got = join ', ', map { "$got{$_} x $_" } sort keys %got;
    Test::More::is($got, @answers . " x $status", "$name - $line");

    if (defined $fields) {
        my $last = $answers[-1]{headers};
        my $told = join ' ', map { $last->{$_} // 'none' } @Fields;
        Test::More::like($told, qr/^(?:$fields)$/, "$name - $line");
    }
}

my $run_test_helper = $RunTestHelper;

$RunTestHelper = sub {
    my ($block, $dry_run) = @_;

    if (!$dry_run) {
        one_line_of_traffic($_, $block->name)
            for grep { /\S/ } split /\n/, $block->traffic // '';

        if (defined $block->client) {
            my ($client) = $block->client =~ /(\w+)/;
            no strict 'refs';
            &{"main::$client"}($block);
        }
    }
    return $run_test_helper->(@_);
};

1;
