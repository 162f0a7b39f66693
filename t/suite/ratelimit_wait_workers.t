use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket $ENV{TEST_NGINX_USE_VALGRIND}
    ? (skip_all => 'not under valgrind') : 'no_plan';
use IO::Select;
use POSIX ();

# Two workers, each with a listening socket of its own, so that both get some
# of the connections.
master_on();
workers(2);
worker_connections(256);
$Test::Nginx::Util::ReusePort = 1;

sub ask {
    my ($path) = @_;
    my $socket = RateLimit::connection();
    print $socket "GET $path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    return $socket;
}

# When each of these was answered, in ms since the first one, with its text.
sub answers {
    my $all = IO::Select->new(@_);
    my @answers;

    while ($all->count) {
        my @ready = $all->can_read(10) or die 'no answer';
        for my $socket (@ready) {
            my $text = do { local $/; <$socket> };
            push @answers, { at => 1000 * Time::HiRes::time(), text => $text };
            $all->remove($socket);
        }
    }

    $_->{at} -= $answers[0]{at} for reverse @answers;
    return @answers;
}

sub waiting {
    my ($options, $policy) = @_;
    my $text = RateLimit::curl($options // '', '/api/metrics');
    $policy //= 'even';
    return $text =~ /^nginx_ratelimit_waiting\{[^}]*policy="$policy"\} (\d+)/m ? $1 : '?';
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_zone   zone=api:64k;
    ratelimit_policy even key=$arg_k quota=10/1s algorithm=gcra capacity=1;
    ratelimit_policy place key=$arg_k concurrent=1;
    add_header X-Pid $pid always;
_END_
    $block->set_value('config', <<'_END_') if !defined $block->config;
    location /t { ratelimit even wait=5s; empty_gif; }
    location /api/ { ratelimit_api; allow all; }
_END_
});

run_tests();

__DATA__

=== TEST 1: what waits in two workers is let in evenly, all together
--- init
my @answers = main::answers(map { main::ask('/t?k=a') } 1 .. 16);
my @gaps = sort { $a <=> $b } map { $answers[$_]{at} - $answers[$_ - 1]{at} } 1 .. 15;
my %pids = map { $_->{text} =~ /X-Pid: (\d+)/ ? ($1 => 1) : () } @answers;
Test::More::is(scalar(keys %pids), 2, 'both workers had some');
Test::More::is(scalar(grep { $_->{text} =~ m{^HTTP/1.1 200} } @answers), 16, 'all were let in');
Test::More::cmp_ok(abs($gaps[7] - 100), '<=', 5, "100 ms apart at the median, of @gaps");
Test::More::cmp_ok(abs($answers[-1]{at} - 1500), '<=', 50, 'the last one in time');
--- request
GET /t?k=z
--- error_code: 200
--- timed



=== TEST 2: who waits is counted, but not what a killed worker had
--- init
my @sockets = map { main::ask('/t?k=b') } 1 .. 31;
my $waiting;
for (1 .. 50) {
    $waiting = main::waiting();
    last if $waiting >= 25;
    Time::HiRes::sleep(0.02);
}
Test::More::cmp_ok($waiting, '>=', 25, 'nearly all wait');
# The workers, whose parent is the one that is in nginx.pid.
my $master = Test::Nginx::Util::get_pid_from_pidfile('TEST 2');
my @workers = split ' ', `ps -o pid= --ppid $master`;
kill KILL => @workers;
for (1 .. 100) {
    $waiting = eval { main::waiting() } // '?';
    last if $waiting eq '0';
    Time::HiRes::sleep(0.02);
}
Test::More::is($waiting, 0, 'nobody waits any more');
--- request
GET /t?k=z
--- error_code: 200
--- error_log
exited on signal 9
[alert]



=== TEST 3: streams in line when their worker is told to go are let in
--- http2
--- init
my $master = Test::Nginx::Util::get_pid_from_pidfile('TEST 3');
my @before = sort split ' ', `ps -o pid= --ppid $master`;
my $reload = fork // die "cannot fork: $!";
if ($reload == 0) {
    for (1 .. 50) { last if main::waiting('--http2-prior-knowledge') > 10; Time::HiRes::sleep(0.02); }
    kill HUP => $master;
    POSIX::_exit(0);
}
my $since = Time::HiRes::time();
my @statuses = RateLimit::streams(map { "GET /t?k=h" } 1 .. 16);
my $took = Time::HiRes::time() - $since;
waitpid $reload, 0;
Test::More::is("@statuses", CORE::join(' ', (200) x 16), 'all were let in');
Test::More::cmp_ok($took, '>=', 1.45, 'none of them early');
for (1 .. 100) {
    last if !grep { kill 0 => $_ } @before;
    Time::HiRes::sleep(0.05);
}
Test::More::is(scalar(grep { kill 0 => $_ } @before), 0, 'the workers from before are gone');
Test::More::is(main::waiting('--http2-prior-knowledge'), 0, 'nobody waits any more');
--- request
GET /t?k=z
--- error_code: 200
--- timed



=== TEST 4: a place that one worker gives back is seen soon by those who wait in another
--- config
    location /hold { ratelimit place; limit_rate 1; root $TEST_NGINX_HTML_DIR; try_files /body =404; }
    location /p { ratelimit place wait=20s; empty_gif; }
    location /left { return 200 $ratelimit_remaining_place; }
    location /api/ { ratelimit_api; allow all; }
--- user_files eval
">>> body\n" . ('x' x 60)
--- init
my $held = main::ask('/hold?k=p');
for (1 .. 100) {
    last if RateLimit::curl('', '/left?k=p') eq '0';
    Time::HiRes::sleep(0.02);
}
my @sockets = map { main::ask('/p?k=p') } 1 .. 16;
for (1 .. 100) {
    last if main::waiting('', 'place') eq '16';
    Time::HiRes::sleep(0.02);
}
my $since = Time::HiRes::time();
close $held;
my @answers = main::answers(@sockets);
my $took = 1000 * (Time::HiRes::time() - $since);
my %pids = map { $_->{text} =~ /X-Pid: (\d+)/ ? ($1 => 1) : () } @answers;
Test::More::is(scalar(keys %pids), 2, 'both workers had some');
Test::More::is(scalar(grep { $_->{text} =~ m{^HTTP/1.1 200} } @answers), 16, 'all were let in');
Test::More::cmp_ok($took, '<', 500, 'in 10 ms each at most, and what this machine is late');
--- request
GET /t?k=z
--- error_code: 404
--- timed
