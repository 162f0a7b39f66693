# conf-examples/llm.conf, as it stands.  What is tested:
#
#   requests and tokens a minute, by plan                1 2
#   what a response took, JSON and events, both APIs     1 3
#   a client's own estimate                              2
#   fields and errors in each API's shape                1 2 3
#   a month that is used up: SDKs are told to give up    4

use lib 't/lib';
use Example;
use JSON::PP ();
use Test::Nginx::Socket 'no_plan';

sub call {
    my ($uri, $token, %fields) = @_;
    my ($answer) = Example::ask(method => 'GET', uri => $uri, token => $token, headers => \%fields);
    return $answer;
}

sub field { return $_[0]{headers}{$_[1]} }

sub openai {
    my ($block) = @_;
    my $name = $block->name;
    my $first = call('/v1/chat/completions', 'sk-free');

    is($first->{status}, 200, "$name - admitted");
    is(field($first, 'x-ratelimit-limit-tokens'), 2000, "$name - Limit");
    is(field($first, 'x-ratelimit-remaining-tokens'), 1500, "$name - the estimate is reserved");
    is(field($first, 'x-ratelimit-remaining-requests'), 59, "$name - of requests");
    like(field($first, 'x-ratelimit-reset-requests'), qr/^(\d+m)?(\d+(\.\d+)?m?s)$/, "$name - as Go writes it");

    my $second = call('/v1/chat/completions', 'sk-free');
    is(field($second, 'x-ratelimit-remaining-tokens'), 1400, "$name - 100 were taken");

    my $stream = call('/v1/stream', 'sk-free');
    is(field($stream, 'x-ratelimit-remaining-tokens'), 1300, "$name - and 100 more");
    like($stream->{body}, qr/data: \[DONE\]/, "$name - the stream as it is");
    my $after = call('/v1/chat/completions', 'sk-free');
    is(field($after, 'x-ratelimit-remaining-tokens'), 1100, "$name - and 200 of the stream");
}

sub refuses_as_openai_does {
    my ($block) = @_;
    my $name = $block->name;
    my $first = call('/v1/chat/completions', 'sk-free', 'X-Max-Tokens' => 1999);
    my $refused = call('/v1/chat/completions', 'sk-free', 'X-Max-Tokens' => 1999);
    my $error = JSON::PP::decode_json($refused->{body})->{error};

    is($first->{status}, 200, "$name - an estimate of the client's");
    is(field($first, 'x-ratelimit-remaining-tokens'), 1, "$name - is reserved");
    is($refused->{status}, 429, "$name - more is refused");
    is($error->{code}, 'rate_limit_exceeded', "$name - by its code");
    is($error->{type}, 'tokens', "$name - and type");
    ok(field($refused, 'retry-after-ms') > 0, "$name - in milliseconds");
    is(field($refused, 'x-should-retry'), undef, "$name - to be retried");
    is(call('/v1/chat/completions', 'sk-pro', 'X-Max-Tokens' => 1999)->{status}, 200, "$name - but not of another plan");
    is(call('/v1/chat/completions', 'sk-none')->{status}, 401, "$name - a key that is none");
}

sub anthropic {
    my ($block) = @_;
    my $name = $block->name;

    call('/v1/messages', undef, 'X-Api-Key' => 'sk-free');
    my $second = call('/v1/messages', undef, 'X-Api-Key' => 'sk-free');
    is(field($second, 'anthropic-ratelimit-tokens-remaining'), 1400, "$name - 40 and 60 were taken");
    like(field($second, 'anthropic-ratelimit-tokens-reset'), qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "$name - a moment");

    my $refused = call('/v1/messages', undef, 'X-Api-Key' => 'sk-free', 'X-Max-Tokens' => 1999);
    my $error = JSON::PP::decode_json($refused->{body});
    is($refused->{status}, 429, "$name - refused");
    is($error->{error}{type}, 'rate_limit_error', "$name - by its type");
    is(call('/v1/messages', 'sk-free')->{headers}{'anthropic-ratelimit-tokens-remaining'}, 1300,
       "$name - one key, however it is sent");
}

sub month {
    my ($block) = @_;
    my $name = $block->name;
    my $refused = call('/v1/chat/completions', 'sk-pro', 'X-Max-Tokens' => 180000);

    is($refused->{status}, 429, "$name - refused");
    is(JSON::PP::decode_json($refused->{body})->{error}{code}, 'insufficient_quota', "$name - by the month");
    is(field($refused, 'x-should-retry'), 'false', "$name - and not to be retried");
}

run_tests();

__DATA__

=== TEST 1: OpenAI's SDKs are told what is left, and charged what was taken
--- example: llm.conf
--- client: openai
--- request
GET /
--- error_code: 401



=== TEST 2: and are refused in its shape
--- example: llm.conf
--- client: refuses_as_openai_does
--- request
GET /
--- error_code: 401



=== TEST 3: Anthropic's too
--- example: llm.conf
--- client: anthropic
--- request
GET /
--- error_code: 401



=== TEST 4: of a month that is used up
--- example: llm.conf
--- quotas: 50000000/1M=150000/1M
--- client: month
--- request
GET /
--- error_code: 401
