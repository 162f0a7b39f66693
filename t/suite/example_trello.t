# conf-examples/trello.conf, as it stands; where time passes, with shorter
# windows.  What the API's page says, and the tests that fail without it:
#
#   T1  100 per 10 s for each token                        1 2
#       300 per 10 s for each API key                      1 3
#   T2  /1/members, /1/membersSearch, /1/search:
#       100 per 900 s                                      4 5 6
#       counted against route, key and token at once       4
#       nested resources are not counted there             7
#   T3  the 429 body tells which limit                     8 9
#   T4  the fields for token and key, values as shown      10
#       on every response                                  11
#   a client that keeps within the intervals gets its job
#   done, with one token                                   12
#       with several of one key                            13

use lib 't/lib';
use Client;
use Example;
use JSON::PP ();
use Test::Nginx::Socket 'no_plan';

@Example::Fields = map { "x-rate-limit-api-$_-remaining" } qw(token key);

# A filter for response bodies: what JSON::PP reads, and the text.
sub read_by_json_pp {
    my ($body) = @_;
    my $json = eval { JSON::PP->new->utf8->decode($body) };

    return "not JSON: $body" if ref $json ne 'HASH';
    return "$json->{error}: $json->{message}\n$body";
}

sub one_token {
    my ($block) = @_;

    Client::job(450, sub {
        Client::keeps_within_intervals(method => 'GET',
                                       uri => '/1/boards/b?key=k&token=t');
    })->completes($block->name, refused => 0, seconds => 3.9);
}

sub several_tokens {
    my ($block) = @_;

    Client::job(750, sub {
        my $token = $_[0] % 4;
        Client::keeps_within_intervals(
            method => 'GET', uri => "/1/boards/b?key=k&token=t$token");
    })->completes($block->name, refused => 0, seconds => 1.9);
}

run_tests();

__DATA__

=== TEST 1: 100 requests for a token, 300 for an API key, in 10 seconds
--- example: trello.conf
--- traffic
100 GET /1/boards/b?key=k1&token=t1: 200 0 200
 10 GET /1/boards/b?key=k1&token=t1: 429 0 200
100 GET /1/boards/b?key=k1&token=t2: 200 0 100
 99 GET /1/boards/b?key=k1&token=t3: 200 1 1
  1 GET /1/boards/b?key=k1&token=t4: 200 99 0
 10 GET /1/boards/b?key=k1&token=t4: 429 99 0
  1 GET /1/boards/b?key=k2&token=t4: 200 98 299
  1 GET /1/boards/b?key=%6b2&token=%744: 200 97 298
--- request
GET /1/boards/b?key=k1&token=t5
--- error_code: 429
--- response_headers_like
x-rate-limit-api-token-max: 100
x-rate-limit-api-token-remaining: 100
x-rate-limit-api-key-max: 300
x-rate-limit-api-key-remaining: 0
Retry-After: ([1-9]|10)



=== TEST 2: after a token's interval 100 more
--- example: trello.conf
--- windows: 10s=1s
--- traffic
100 GET /1/boards/b?key=k&token=t: 200 0 200
 10 GET /1/boards/b?key=k&token=t: 429 0 200
wait 1.1
100 GET /1/boards/b?key=k&token=t: 200 0 200
--- request
GET /1/boards/b?key=k&token=t
--- error_code: 429



=== TEST 3: after an API key's interval 300 more
--- example: trello.conf
--- windows: 10s=2s
--- traffic
100 GET /1/boards/b?key=k&token=t1: 200 0 200
100 GET /1/boards/b?key=k&token=t2: 200 0 100
100 GET /1/boards/b?key=k&token=t3: 200 0 0
 10 GET /1/boards/b?key=k&token=t4: 429 100 0
wait 2.1
100 GET /1/boards/b?key=k&token=t1: 200 0 200
100 GET /1/boards/b?key=k&token=t2: 200 0 100
100 GET /1/boards/b?key=k&token=t3: 200 0 0
--- request
GET /1/boards/b?key=k&token=t4
--- error_code: 429



=== TEST 4: members, 100 in 900 seconds, on top of key and token
--- example: trello.conf
--- windows: 10s=1s
--- traffic
 30 GET /1/members/me?key=k&token=t: 200 70 270
 30 GET /1/members?key=k&token=t: 200 40 240
 40 GET /1/members/?key=k&token=t: 200 0 200
wait 1.1
 10 GET /1/members/me?key=k&token=t: 429 100 300
  1 GET /1/members/other?key=k&token=t: 429 100 300
  1 GET /1/members/me?key=k&token=t2: 200 99 299
--- request
GET /1/members/me?key=k&token=t
--- error_code: 429
--- response_headers_like
Retry-After: (8[89]\d|900)



=== TEST 5: membersSearch and search have such a limit each
--- example: trello.conf
--- windows: 10s=1s
--- traffic
100 GET /1/membersSearch?key=k&token=t&query=x: 200 0 200
wait 1.1
100 GET /1/search?key=k&token=t&query=x: 200 0 200
wait 1.1
  1 GET /1/membersSearch?key=k&token=t&query=y: 429 100 300
  1 GET /1/search?key=k&token=t&query=y: 429 100 300
  1 GET /1/members/me?key=k&token=t: 200 99 299
--- request
GET /1/boards/b/members?key=k&token=t
--- response_headers
x-rate-limit-api-token-remaining: 98



=== TEST 6: to leave the token or the key out is no way around that
--- example: trello.conf
--- windows: 10s=1s
--- traffic
100 GET /1/search?key=k: 200 none 200
  1 GET /1/search?key=k: 429 none 200
  1 GET /1/search?key=k2: 200 none 299
100 GET /1/search: 200 none none
  1 GET /1/search: 429 none none
  1 GET /1/search from 127.0.0.2: 200 none none
--- request
GET /1/search?key=k&token=t
--- response_headers
x-rate-limit-api-token-remaining: 99



=== TEST 7: nested resources do not count against the route
--- example: trello.conf
--- windows: 10s=1s
--- traffic
 50 GET /1/members/me/boards/?key=k&token=t: 200 50 250
 50 GET /1/members/me/boards?key=k&token=t: 200 0 200
wait 1.1
100 GET /1/boards/b/members?key=k&token=t: 200 0 200
wait 1.1
100 GET /1/members/me?key=k&token=t: 200 0 200
wait 1.1
 10 GET /1/members/me?key=k&token=t: 429 100 300
--- request
GET /1/members/me/boards/?key=k&token=t
--- response_headers
x-rate-limit-api-token-remaining: 99



=== TEST 8: the body tells whether token or key is exceeded, as the page shows it
--- example: trello.conf
--- traffic
100 GET /1/boards/b?key=k&token=t1: 200
100 GET /1/boards/b?key=k&token=t2: 200
 99 GET /1/boards/b?key=k&token=t3: 200
  1 GET /1/boards/b?key=k&token=t4: 200
--- request eval
["GET /1/boards/b?key=k2&token=t1", "GET /1/boards/b?key=k&token=t4"]
--- error_code eval
[429, 429]
--- response_headers eval
[("Content-Type: application/json") x 2]
--- response_body_filters eval
\&main::read_by_json_pp
--- response_body eval
[map { "$_: Rate limit exceeded\n" . <<"_END_" } "API_TOKEN_LIMIT_EXCEEDED", "API_KEY_LIMIT_EXCEEDED"]
{
  "error": "$_",
  "message": "Rate limit exceeded"
}
_END_



=== TEST 9: or a route's own limit
--- example: trello.conf
--- windows: 10s=1s
--- traffic
100 GET /1/search?key=k&token=t: 200
wait 1.1
--- request
GET /1/search?key=k&token=t
--- error_code: 429
--- response_body_filters eval
\&RateLimit::canonical_json
--- response_body
{"error":"API_ROUTE_LIMIT_EXCEEDED","message":"Rate limit exceeded"}



=== TEST 10: the fields of the page's example
--- example: trello.conf
--- request
HEAD /1/members/me?key=yourKey&token=yourToken
--- raw_response_headers_like eval
"x-rate-limit-api-token-interval-ms: 10000\r
x-rate-limit-api-token-max: 100\r
x-rate-limit-api-token-remaining: 99\r
x-rate-limit-api-key-interval-ms: 10000\r
x-rate-limit-api-key-max: 300\r
x-rate-limit-api-key-remaining: 299\r
"
--- response_headers
!X-RateLimit-Limit
!x-rate-limit-costly-route-max



=== TEST 11: they are on every response, whatever its status
--- example: trello.conf
--- request eval
[map { "$_?key=k&token=t" } "GET /1/boards/b", "POST /1/cards", "GET /1/missing", "GET /1/broken"]
--- error_code eval
[200, 200, 404, 500]
--- response_headers eval
[map { "x-rate-limit-api-token-interval-ms: 10000
x-rate-limit-api-token-max: 100
x-rate-limit-api-token-remaining: " . (100 - $_) . "
x-rate-limit-api-key-interval-ms: 10000
x-rate-limit-api-key-max: 300
x-rate-limit-api-key-remaining: " . (300 - $_) } 1 .. 4]



=== TEST 12: a client that keeps within the intervals is never refused
--- example: trello.conf
--- windows: 10s=1s
--- client: one_token
--- request
GET /1/boards/b?key=k2&token=t2



=== TEST 13: nor with several tokens of one key
--- example: trello.conf
--- windows: 10s=1s
--- client: several_tokens
--- request
GET /1/boards/b?key=k2&token=t5
