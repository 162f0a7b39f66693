use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';
use IO::Select;

worker_connections(256);

# Asks all of these at once; when each was answered, in milliseconds since the
# first was, its status, and what it says it has waited, in the order of their
# answers.
sub at_once {
    my (@paths) = @_;
    my $all = IO::Select->new();
    my (%path, @answers, $first);

    for my $path (@paths) {
        my $socket = IO::Socket::INET->new(PeerAddr => server_addr(), PeerPort => server_port_for_client())
            or die "cannot connect: $!";
        print $socket "GET $path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        Time::HiRes::sleep(0.01);
        $path{$socket} = $path;
        $all->add($socket);
    }

    while ($all->count) {
        my @ready = $all->can_read(10) or die 'no answer';
        for my $socket (@ready) {
            my $text = do { local $/; <$socket> };
            my ($status) = $text =~ m{^HTTP/1.1 (\d+)};
            my ($waited) = $text =~ /^X-Waited: (\d*)/mi;
            my ($retry) = $text =~ /^Retry-After: (\d+)/mi;
            my $now = Time::HiRes::time();
            $first //= $now;
            push @answers, { path => $path{$socket}, status => $status, waited => $waited // '',
                             retry => $retry // '', at => 1000 * ($now - $first), text => $text };
            $all->remove($socket);
        }
    }

    return @answers;
}

sub statuses { return join(' ', map { $_->{status} } @_) . "\n" }

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_' . ($block->http_config // ''));
    ratelimit_zone   zone=api:64k;
    ratelimit_policy even  key=$arg_k quota=10/1s algorithm=gcra capacity=1;
    ratelimit_policy slow  key=$arg_k quota=1/1h;
    ratelimit_policy place key=$arg_k concurrent=1;
    add_header X-Waited $ratelimit_waited_ms always;
    add_header X-Status $ratelimit_status always;
_END_
});

run_tests();

__DATA__

=== TEST 1: six at once are spaced as the rate has it, first come first served
--- config
    location /t { ratelimit even wait=2s; empty_gif; }
--- init
my @answers = main::at_once(map { "/t?k=a&n=$_" } 1 .. 6);
my @n = map { $_->{path} =~ /n=(\d)/ } @answers;
my @gaps = sort { $a <=> $b } map { $answers[$_]{at} - $answers[$_ - 1]{at} } 1 .. 5;
RateLimit::publish('all', main::statuses(@answers) . "@n\n"
    . ($gaps[2] >= 90 && $gaps[2] <= 115 ? "even\n" : "gaps @gaps\n")
    . join(' ', map { /X-Status: (\w+)/ } map { $_->{text} } @answers) . "\n");
--- request
GET /all
--- response_body
200 200 200 200 200 200
1 2 3 4 5 6
even
PASSED DELAYED DELAYED DELAYED DELAYED DELAYED
--- timed



=== TEST 2: what would have to wait for too long is refused at once, and told how long
--- config
    location /t { ratelimit slow wait=1s; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers_like eval
["Retry-After:", "Retry-After: 3[67]\\d\\d"]



=== TEST 3: of a queue of two the third is refused
--- config
    location /t { ratelimit even wait=2s queue=2; empty_gif; }
--- init
my @answers = main::at_once(map { "/t?k=b&n=$_" } 1 .. 4);
RateLimit::publish('all', join('', map { "$_->{status} " . ($_->{path} =~ /n=(\d)/)[0] . "\n" }
    sort { $a->{path} cmp $b->{path} } @answers));
--- request
GET /all
--- response_body
200 1
200 2
200 3
429 4
--- timed



=== TEST 4: a place is waited for, and taken when it is free
--- config
    location /t { ratelimit place wait=5s; limit_rate 4000; root $TEST_NGINX_HTML_DIR; try_files /body =404; }
--- user_files eval
">>> body\n" . ('x' x 4500)
--- init
my @answers = main::at_once(map { "/t?k=c&n=$_" } 1 .. 2);
RateLimit::publish('all', main::statuses(@answers) . join(' ', map { /X-Status: (\w+)/ } map { $_->{text} } @answers) . "\n");
--- request
GET /all
--- response_body
200 200
PASSED DELAYED



=== TEST 5: nobody waits longer than that
--- config
    location /t { ratelimit place wait=200ms; limit_rate 4000; root $TEST_NGINX_HTML_DIR; try_files /body =404; }
--- user_files eval
">>> body\n" . ('x' x 8500)
--- init
my @answers = main::at_once(map { "/t?k=d&n=$_" } 1 .. 2);
RateLimit::publish('all', join('', sort map { "$_->{status} [$_->{retry}]\n" } @answers));
--- request
GET /all
--- response_body
200 []
429 [1]
--- timed



=== TEST 6: a client that leaves lets the next one come
--- config
    location /t { ratelimit even wait=5s; empty_gif; }
--- init
my @answers;
main::at_once('/t?k=e');
my $socket = IO::Socket::INET->new(PeerAddr => server_addr(), PeerPort => server_port_for_client());
print $socket "GET /t?k=e HTTP/1.1\r\nHost: a\r\n\r\n";
Time::HiRes::sleep(0.01);
close $socket;
@answers = main::at_once('/t?k=e');
RateLimit::publish('all', main::statuses(@answers) . ($answers[0]{waited} < 300 ? "soon\n" : "$answers[0]{waited}\n"));
--- request
GET /all
--- response_body
200
soon
--- timed



=== TEST 7: a policy of another line that does not wait refuses
--- config
    location /t { ratelimit even wait=2s; ratelimit slow; empty_gif; }
--- request eval
["GET /t?k=f", "GET /t?k=f"]
--- error_code eval
[200, 429]



=== TEST 8: counted once
--- config
    location /t { ratelimit even wait=2s; empty_gif; }
    location /api/ { ratelimit_api; allow all; }
--- init
main::at_once(map { "/t?k=g&n=$_" } 1 .. 3);
--- request eval
"GET /api/metrics"
--- response_body_like eval
qr/requests_total\{zone="api",policy="even",result="admitted"\} 3\n.*policy="even",result="refused"\} 0\n.*nginx_ratelimit_delayed_total\{zone="api",policy="even"\} 2\n/s



=== TEST 9: as limit_req's burst=20: twenty in line, the last of them in time
--- config
    location /t { ratelimit even wait=2s queue=20; empty_gif; }
--- init
my %got;
$got{$_->{status}}++ for main::at_once(map { "/t?k=h&n=$_" } 1 .. 21);
RateLimit::publish('all', join(' ', map { "$_ x $got{$_}" } sort keys %got) . "\n");
--- request
GET /all
--- response_body
200 x 21
--- timed



=== TEST 10: who waited before a redirect is let in at once behind it
--- http_config
    ratelimit_policy first  key=$arg_k quota=1/300ms algorithm=gcra;
    ratelimit_policy second key=$arg_k quota=9/1h;
--- config
    location /u { ratelimit first wait=2s; try_files /nothing /behind; }
    location /behind { ratelimit second wait=2s; empty_gif; }
    location /api/ { ratelimit_api; allow all; }
--- request eval
["GET /u?k=i", "GET /u?k=i", "GET /u?k=i", "GET /api/metrics"]
--- error_code eval
[(200) x 4]
--- response_body_like eval
[("GIF") x 3, qr/delayed_total\{zone="api",policy="first"\} 2\n.*policy="second"\} 0\n/]



=== TEST 11: a client that left makes nobody wait for its post_action
--- http_config
    ratelimit_policy pace key=$arg_k quota=1/500ms algorithm=gcra capacity=1;
--- config
    location /t { ratelimit pace wait=2s; post_action /silent; empty_gif; }
    location /u { ratelimit pace wait=2s; empty_gif; }
    location /silent { proxy_read_timeout 10s; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/silent.sock; }
--- init
use IO::Socket::UNIX;
my $silent = IO::Socket::UNIX->new(Local => html_dir() . '/silent.sock', Listen => 9) or die "no socket: $!";
chmod 0777, html_dir() . '/silent.sock';
my $first = RateLimit::curl('-o /dev/null -w %{http_code}', '/u?k=p');
my $gone = RateLimit::connection();
print $gone "GET /t?k=p HTTP/1.1\r\nHost: a\r\n\r\n";
Time::HiRes::sleep(0.1);
close $gone;
my ($waited) = RateLimit::curl('-o /dev/null -D -', '/u?k=p') =~ /^X-Waited: (\d+)/mi;
Test::More::is($first, 200, 'the first one');
Test::More::cmp_ok($waited // 9999, '<', 1200, 'the next one need not wait for post_action');
--- request
GET /u?k=q
--- timed



=== TEST 12: streams of one HTTP/2 connection stand in line, and one that is reset leaves it
--- http2
--- config
    location /t { ratelimit even wait=3s; empty_gif; }
--- init
my $since = Time::HiRes::time();
my @statuses = RateLimit::streams(map { "GET /t?k=s&n=$_" } 1 .. 5);
my $took = Time::HiRes::time() - $since;
Test::More::is("@statuses", '200 200 200 200 200', 'all five are let in');
Test::More::cmp_ok($took, '>=', 0.39, 'four of them have waited');

# Eight more, of which the last five are reset.
my $frame = sub { substr(pack('N', length $_[3]), 1) . pack('CCN', @_[0 .. 2]) . $_[3] };
my $h2 = RateLimit::connection();
syswrite $h2, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . $frame->(4, 0, 0, '') . join '', map {
    $frame->(1, 5, 2 * $_ - 1, "\x82\x86\x04" . pack('C/a', '/t?k=r') . "\x01" . pack('C/a', 'localhost'))
} 1 .. 8;
Time::HiRes::sleep(0.05);
syswrite $h2, join '', map { $frame->(3, 0, 2 * $_ - 1, pack 'N', 8) } 8, 7, 6, 5, 4;
Time::HiRes::sleep(0.05);
my ($waited) = RateLimit::curl('--http2-prior-knowledge -o /dev/null -D -', '/t?k=r') =~ /^X-Waited: (\d+)/mi;
Test::More::cmp_ok($waited, '<=', 310, 'the next one stands behind those that are left');
close $h2;
--- request
GET /t?k=q
--- timed



=== TEST 13: behind a full queue nobody is let in, whose units are those of others
--- config
    location /t { ratelimit few wait=5s queue=1 cost=$arg_c; empty_gif; }
--- http_config
    ratelimit_policy few key=$arg_k quota=10/2s algorithm=fixed;
--- init
my @answers = main::at_once('/t?k=q&c=9&n=1', '/t?k=q&c=5&n=2', '/t?k=q&c=1&n=3');
RateLimit::publish('all', join('', map { "$_->{status} " . ($_->{path} =~ /n=(\d)/)[0] . " [$_->{retry}]\n" }
    sort { substr($a->{path}, -1) cmp substr($b->{path}, -1) } @answers));
--- request
GET /all
--- response_body
200 1 []
200 2 []
429 3 [1]



=== TEST 14: who waits for two policies does not hold up those who wait for one
--- config
    location /one { ratelimit even wait=2s; empty_gif; }
    location /two { ratelimit even wait=2s; ratelimit place wait=2s; empty_gif; }
--- init
my @answers = main::at_once(map { "$_?k=w" } '/one', '/two', ('/one') x 4);
RateLimit::publish('all', main::statuses(grep { $_->{path} =~ /one/ } @answers)
    . join(' ', map { $_->{text} =~ /X-Status: (\w+)/ } grep { $_->{path} =~ /one/ } @answers) . "\n");
--- request
GET /all
--- response_body
200 200 200 200 200
PASSED DELAYED DELAYED DELAYED DELAYED



=== TEST 15: fields of one's own tell for how long a request has waited
--- http_config
    ratelimit_policy much key=$arg_k quota=1000/1h;
--- config
    location /t {
        ratelimit even much wait=2s;
        ratelimit_headers fields "X-Told: {waited_ms} of {limit}" "X-List: {policy}={waited_ms}" "X-{policy}-Told: {waited_ms}";
        empty_gif;
    }
--- init
my @answers = main::at_once(map { "/t?k=told" } 1 .. 3);
RateLimit::publish('all', CORE::join '', map {
    my ($text, $waited) = @$_{qw(text waited)};
    my @told = $text =~ /^X-(?:Told|even-Told|much-Told): (\d+)/mig;
    $text =~ /^X-List: even=(\d+), much=(\d+)/mi and push @told, $1, $2;
    scalar(@told) . (grep({ $_ != $waited } @told) ? " @told not $waited" : '')
        . ($waited == 0 ? " none\n" : $waited > 60 ? " some\n" : " $waited\n");
} @answers);
--- request
GET /all
--- response_body
5 none
5 some
5 some
--- timed
