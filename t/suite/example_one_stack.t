# conf-examples/one-stack.conf, as it stands; where time passes, with shorter
# windows.  What the API's page says, and the tests that fail without it:
#
#   O1  100 a minute per tenant                            1 2
#       over a JWT's claim, API keys and sessions          1
#       an expired or forged token has no tenant           3
#   O2  429 exactly, JSON, retryAfter as Retry-After       4
#   O3  the three headers on every response                5
#       Reset in Unix time                                 4 5
#   O4  a 304 does not count                               6 7
#       and its own headers show that                      6 7
#   O5  a batch request is one request                     8
#   the page's fetchWithRetry gets its job done            9

use lib 't/lib';
use Client;
use Example;
use JSON::PP ();
use Jwt;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

sub file_secret {
    open my $in, '<', 'conf-examples/one-stack.secret' or die "secret: $!";
    chomp(my $secret = <$in>);
    return $secret;
}

sub signed {
    my ($secret, %claims) = @_;

    return token('HS256', $secret,
                 {sub => 'user-1', exp => time() + 600, %claims});
}

# Tokens that name a tenant and do not verify.
sub bad_token {
    my ($fault) = @_;
    my @acme = (tenant_id => 'acme');

    return signed(file_secret(), @acme, exp => time() - 1)
        if $fault eq 'expired';
    return signed(file_secret(), @acme, nbf => time() + 600)
        if $fault eq 'early';
    return signed('one-stack-demo-secret-of-somebody', @acme)
        if $fault eq 'forged';
    return signed(file_secret(), @acme) . 'A' if $fault eq 'damaged';

    my ($header, $claims) = map { b64($_) }
        '{"alg":"none","typ":"JWT"}', '{"tenant_id":"acme"}';
    return "$header.$claims." if $fault eq 'unsigned';
    die "no such fault: $fault";
}

my %fields = (
    key     => sub { ('X-API-Key' => $_[0]) },
    session => sub { (Cookie => "theme=dark; session=$_[0]") },
    jwt     => sub { (Authorization =>
                      'Bearer ' . signed(file_secret(), tenant_id => $_[0])) },
    bad     => sub { (Authorization => 'Bearer ' . bad_token($_[0])) },
);

$Example::Credential = sub {
    my ($kind, $value) = split /:/, $_[0];
    return $fields{$kind}->($value);
};

sub refusal_is_exact {
    my ($block) = @_;
    my $name = $block->name;
    my $before = int time();
    my ($answer) = reverse Example::ask(method => 'GET', uri => '/api/tickets',
                                        token => 'key:acme-1', count => 101);
    my $wait = $answer->{headers}{'retry-after'};

    is($answer->{status}, 429, "$name - status");
    is($answer->{headers}{'content-type'}, 'application/json', "$name - type");
    ok($wait >= 50 && $wait <= 60, "$name - Retry-After $wait");

    my $reset = $answer->{headers}{'x-ratelimit-reset'};
    ok($reset >= $before + 60 && $reset <= time() + 61, "$name - Reset")
        or diag("$reset, asked at $before");

    is_deeply(eval { JSON::PP->new->utf8->decode($answer->{body}) }, {
        error => 'Rate limit exceeded',
        code => 'RATE_LIMIT_EXCEEDED',
        details => { limit => 100, window => '1m', retryAfter => $wait },
    }, "$name - body");

}

sub asks_for_what_is_unchanged {
    my ($block) = @_;
    my @catalog = (method => 'GET', uri => '/api/service-catalog');
    my ($first) = Example::ask(@catalog, token => 'key:acme-1');
    is($first->{status}, 200, $block->name . ' - the first of all counts');

    for my $who (qw(key:acme-1 session:acme-web jwt:acme)) {
        my @answers = Example::ask(@catalog, token => $who, count => 150,
                                   headers => {'If-None-Match' => '"abc123"'});
        my @told = grep { $_->{status} == 304
                          && $_->{headers}{'x-ratelimit-remaining'} == 99 }
                   @answers;
        is(@told, 150, $block->name . " - $who");
    }
}

sub fetches_with_retry {
    my ($block) = @_;

    Client::job(250, sub {
        Client::fetch_with_retry(method => 'GET', uri => '/api/tickets',
                                 token => 'key:globex-1');
    })->completes($block->name, refused => 2, seconds => 3.9);
}

run_tests();

__DATA__

=== TEST 1: one budget for a tenant's keys, sessions and tokens
--- example: one-stack.conf
--- traffic
40 GET /api/tickets key:acme-1: 200 100 60 \d{10}
20 GET /api/tickets key:acme-2: 200 100 40 \d{10}
20 GET /api/tickets session:acme-web: 200 100 20 \d{10}
20 GET /api/tickets jwt:acme: 200 100 0 \d{10}
 1 GET /api/tickets key:acme-1: 429 100 0 \d{10}
 1 GET /api/tickets key:acme-2: 429 100 0 \d{10}
 1 GET /api/tickets session:acme-web: 429 100 0 \d{10}
 1 GET /api/tickets jwt:acme: 429 100 0 \d{10}
 1 GET /api/tickets key:globex-1: 200 100 99 \d{10}
 1 GET /api/tickets session:globex-web: 200 100 98 \d{10}
 1 GET /api/tickets jwt:globex: 200 100 97 \d{10}
 1 GET /api/tickets jwt:initech: 200 100 99 \d{10}
--- request
GET /api/tickets
--- response_headers
X-RateLimit-Remaining: 99



=== TEST 2: a minute later there are 100 more
--- example: one-stack.conf
--- windows: 1m=2s
--- traffic
100 GET /api/tickets key:acme-1: 200 100 0 \d{10}
 10 GET /api/tickets jwt:acme: 429 100 0 \d{10}
wait 2.1
100 GET /api/tickets jwt:acme: 200 100 0 \d{10}
--- request
GET /api/tickets
--- more_headers
X-API-Key: acme-1
--- error_code: 429



=== TEST 3: who does not prove a tenant counts for the address
--- example: one-stack.conf
--- traffic
10 GET /api/tickets bad:expired: 200 100 90 \d{10}
10 GET /api/tickets bad:early: 200 100 80 \d{10}
10 GET /api/tickets bad:forged: 200 100 70 \d{10}
10 GET /api/tickets bad:damaged: 200 100 60 \d{10}
10 GET /api/tickets bad:unsigned: 200 100 50 \d{10}
10 GET /api/tickets key:guessed: 200 100 40 \d{10}
10 GET /api/tickets session:over: 200 100 30 \d{10}
10 GET /api/tickets: 200 100 20 \d{10}
 1 GET /api/tickets from 127.0.0.2: 200 100 99 \d{10}
--- request
GET /api/tickets
--- more_headers
X-API-Key: acme-1
--- response_headers
X-RateLimit-Remaining: 99



=== TEST 4: the refusal, as the page shows it
--- example: one-stack.conf
--- client: refusal_is_exact
--- request
GET /api/tickets
--- more_headers
X-API-Key: acme-1
--- error_code: 429
--- response_headers
Content-Type: application/json
--- response_body_like chomp
\A\{
  "error": "Rate limit exceeded",
  "code": "RATE_LIMIT_EXCEEDED",
  "details": \{
    "limit": 100,
    "window": "1m",
    "retryAfter": [1-9]\d?
  \}
\}
\z



=== TEST 5: the three headers are on every response, whatever its status
--- example: one-stack.conf
--- request eval
["GET /api/tickets", "HEAD /api/tickets", "GET /api/missing",
 "GET /api/broken", "POST /api/tickets\n{}", "GET /api/service-catalog"]
--- more_headers
X-API-Key: acme-1
If-None-Match: "abc123"
--- error_code eval
[200, 200, 404, 500, 200, 304]
--- response_headers_like eval
[map { "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: $_\n"
       . "X-RateLimit-Reset: \\d{10}\nRetry-After:" } 99, 98, 97, 96, 95, 95]



=== TEST 6: a 304 does not count, and says so itself
--- example: one-stack.conf
--- request eval
[("GET /api/service-catalog") x 6]
--- more_headers eval
[map { "X-API-Key: acme-1\n$_" }
 'If-None-Match: "abc123"', 'X: y', ('If-None-Match: "abc123"') x 2,
 'If-None-Match: "older"', 'If-None-Match: "abc123"']
--- error_code eval
[304, 200, 304, 304, 200, 304]
--- response_headers eval
[map { "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: $_" }
 100, 99, 99, 99, 98, 98]
--- response_body eval
["", "catalog\n", "", "", "catalog\n", ""]



=== TEST 7: not even hundreds of them, from whichever credential
--- example: one-stack.conf
--- client: asks_for_what_is_unchanged
--- request
GET /api/tickets
--- more_headers
X-API-Key: acme-2
--- response_headers
X-RateLimit-Remaining: 98



=== TEST 8: a batch is one request
--- example: one-stack.conf
--- request eval
["POST /api/tickets/batch\n" . '{"ids": ["t1", "t2", "t3", "t4", "t5"]}',
 (map { "GET /api/tickets/t$_" } 1 .. 5),
 "POST /api/tickets/batch\n" . '{"ids": ["t1", "t2", "t3", "t4", "t5"]}']
--- more_headers
X-API-Key: acme-1
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 99, 98, 97, 96, 95, 94, 93]



=== TEST 9: fetchWithRetry gets a job of two and a half quotas done
--- example: one-stack.conf
--- windows: 1m=2s
--- client: fetches_with_retry
--- request
GET /api/tickets
