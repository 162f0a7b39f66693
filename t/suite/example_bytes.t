# conf-examples/bytes.conf, as it stands.

use lib 't/lib';
use Example;
use JSON::PP ();
use Test::Nginx::Socket 'no_plan';

sub fetch {
    my ($uri, $customer, $count) = @_;
    return Example::ask(method => 'GET', uri => $uri, count => $count // 1, headers => { 'X-Customer' => $customer });
}

sub left {
    my ($answer) = fetch('/left', $_[0]);
    return JSON::PP::decode_json($answer->{body})->{left};
}

sub bytes {
    my ($block) = @_;
    my $name = $block->name;

    is(left('acme'), 900_000_000, "$name - all is left");
    my ($first) = fetch('/files/a', 'acme');
    is($first->{status}, 200, "$name - a download");
    is($first->{headers}{'x-ratelimit-remaining'}, 810_000_000, "$name - reserves a tenth");

    my $left = left('acme');
    ok($left > 899_999_000 && $left < 899_999_990, "$name - and is charged what was sent")
        or diag($left);
    fetch('/files/a', 'acme', 99);
    my $used = 900_000_000 - left('acme');
    my $one = 900_000_000 - $left;
    ok($used >= 99 * $one && $used <= 101 * $one, "$name - a hundred times") or diag($used);
    is(left('globex'), 900_000_000, "$name - another customer");
}

run_tests();

__DATA__

=== TEST 1: what was sent is what counts
--- example: bytes.conf
--- client: bytes
--- request
GET /left
