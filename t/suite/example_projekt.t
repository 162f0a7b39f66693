# conf-examples/projekt.conf, as it stands; where time passes, with shorter
# windows.  What the API's page says, and the tests that fail without it:
#
#   P1  600 per 60 s per token, a sliding window           1 2
#       unauthenticated calls by IP at the same rate       3
#   P2  tighter limits on top, counted as well             4 5 6 7 8
#       POST /api-keys 10/hour                             4
#       GET of three search routes 30/60s together         5
#       POST /projects, PUT and DELETE /projects/:id
#       30/60s together                                    6
#       POST /oauth/register 5/hour, by IP                 7
#       POST /oauth/token 60/60s, by IP                    8
#       other methods and routes: the ceiling only         9
#   P3  headers on every response, Reset in seconds        1 10 11
#       the tighter route's threshold in its headers       4 5 6 7 8 12
#   P4  on 429 sleep Reset, retry once: succeeds           13 14
#       the page's Python client                           15
#   P5  one token on many machines shares the bucket       16
#       one token a worker has each its own                17

use lib 't/lib';
use Client;
use Example;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

# "On 429, sleep X-RateLimit-Reset seconds and retry exactly once."
sub sleeps_and_retries {
    my ($block) = @_;

    for my $route (['GET', '/issues', 601], ['GET', '/orgs/search', 31]) {
        my ($method, $uri, $count) = @$route;
        my @call = (method => $method, uri => $uri, token => "cli-$uri");
        my @answers = Example::ask(@call, count => $count);
        my $wait = $answers[-1]{headers}{'x-ratelimit-reset'};

        is($answers[-1]{status}, 429, $block->name . " - $uri is refused");
        is($answers[-1]{headers}{'retry-after'}, $wait,
           $block->name . " - $uri: Reset is Retry-After");
        sleep($wait < 5 ? $wait : 5);
        is((Example::ask(@call))[0]{status}, 200,
           $block->name . " - $uri: the one retry succeeds");
    }
}

# The page's call(), 75 times: 30 at once, a wait, 30 more, a wait, the rest.
sub python_client {
    my ($block) = @_;

    Client::job(75, sub {
        Client::projekt_call(method => 'GET', uri => '/people/search',
                             token => 'worker-01');
    })->completes($block->name, refused => 2, seconds => 3.9);
}

run_tests();

__DATA__

=== TEST 1: 600 requests per token in 60 seconds, no more
--- example: projekt.conf
--- traffic
  1 GET /issues worker-01: 200 600 599 60
598 GET /issues worker-01: 200 600 1 60
--- pipelined_requests eval
[("GET /issues") x 2]
--- more_headers
Authorization: Bearer worker-01
--- error_code eval
[200, 429]
--- response_headers_like eval
["X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 0\n"
 . "X-RateLimit-Reset: 60\nRetry-After:",
 "X-RateLimit-Limit: 600\nX-RateLimit-Remaining: 0\n"
 . "X-RateLimit-Reset: (5\\d|60)\nRetry-After: (5\\d|60)"]



=== TEST 2: the window slides
--- example: projekt.conf
--- windows: 60s=3s
--- traffic
300 GET /issues worker-01: 200 600 300 3
wait 1.5
300 GET /issues worker-01: 200 600 0 3
  1 GET /issues worker-01: 429 600 0 [12]
wait 1.8
300 GET /issues worker-01: 200 600 0 3
--- request
GET /issues
--- more_headers
Authorization: Bearer worker-01
--- error_code: 429



=== TEST 3: without a token the address counts, at the same rate
--- example: projekt.conf
--- traffic
600 GET /issues: 200 600 0 60
  1 GET /issues: 429 600 0 (5\d|60)
  1 GET /issues from 127.0.0.2: 200 600 599 60
  1 GET /issues worker-01: 200 600 599 60
--- request
GET /orgs/search
--- error_code: 429



=== TEST 4: POST /api-keys, 10 an hour
--- example: projekt.conf
--- pipelined_requests eval
[("POST /api-keys\n{}") x 11]
--- more_headers
Authorization: Bearer worker-01
--- error_code eval
[(200) x 10, 429]
--- response_headers_like eval
[(map { "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: $_\n"
        . "X-RateLimit-Reset: 3600\nRetry-After:" } map { 9 - $_ } 0 .. 9),
 "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: 0\n"
 . "X-RateLimit-Reset: 36(0\\d|1[0-5])\nRetry-After: 36(0\\d|1[0-5])"]



=== TEST 5: three search routes, 30 in 60 seconds together
--- example: projekt.conf
--- traffic
10 GET /orgs/search worker-01: 200 30 20 60
10 GET /people/search?q=x worker-01: 200 30 10 60
10 GET /palette/search worker-01: 200 30 0 60
 1 GET /orgs/search worker-01: 429 30 0 (59|60)
 1 GET /people/search worker-01: 429 30 0 (59|60)
 1 GET /palette/search worker-01: 429 30 0 (59|60)
 1 GET /orgs/search worker-02: 200 30 29 60
--- request
GET /issues
--- more_headers
Authorization: Bearer worker-01
--- response_headers
X-RateLimit-Limit: 600
X-RateLimit-Remaining: 569



=== TEST 6: POST, PUT and DELETE of projects, 30 in 60 seconds together
--- example: projekt.conf
--- traffic
10 POST /projects worker-01: 200 30 20 60
10 PUT /projects/1 worker-01: 200 30 10 60
10 DELETE /projects/2 worker-01: 200 30 0 60
 1 POST /projects worker-01: 429 30 0 (59|60)
 1 PUT /projects/3 worker-01: 429 30 0 (59|60)
 1 DELETE /projects/4 worker-01: 429 30 0 (59|60)
 1 POST /projects worker-02: 200 30 29 60
--- request
GET /projects
--- more_headers
Authorization: Bearer worker-01
--- response_headers
X-RateLimit-Limit: 600
X-RateLimit-Remaining: 569



=== TEST 7: POST /oauth/register, 5 an hour for an address
--- example: projekt.conf
--- traffic
5 POST /oauth/register: 200 5 0 3600
1 POST /oauth/register: 429 5 0 36(0\d|1[0-5])
1 POST /oauth/register made-up: 429 5 0 36(0\d|1[0-5])
1 POST /oauth/register from 127.0.0.2: 200 5 4 3600
--- request
GET /issues
--- response_headers
X-RateLimit-Limit: 600
X-RateLimit-Remaining: 594



=== TEST 8: POST /oauth/token, 60 in 60 seconds for an address
--- example: projekt.conf
--- traffic
30 POST /oauth/token: 200 60 30 60
30 POST /oauth/token made-up: 200 60 0 60
 1 POST /oauth/token: 429 60 0 (59|60)
 1 POST /oauth/token another: 429 60 0 (59|60)
 1 POST /oauth/token from 127.0.0.2: 200 60 59 60
--- request
GET /issues
--- response_headers
X-RateLimit-Limit: 600
X-RateLimit-Remaining: 539



=== TEST 9: other methods and routes count against the ceiling only
--- example: projekt.conf
--- traffic
15 GET /api-keys worker-01: 200 600 585 60
40 POST /orgs/search worker-01: 200 600 545 60
40 GET /projects/1 worker-01: 200 600 505 60
40 PUT /projects/1/issues worker-01: 200 600 465 60
10 GET /oauth/register: 200 600 590 60
70 GET /oauth/token: 200 600 520 60
--- request
GET /issues
--- response_headers
X-RateLimit-Limit: 600
X-RateLimit-Remaining: 519



=== TEST 10: headers on every response, whatever its status
--- example: projekt.conf
--- request eval
["GET /issues", "HEAD /issues", "OPTIONS /issues", "GET /missing",
 "GET /broken", "GET /dead"]
--- more_headers
Authorization: Bearer worker-01
--- error_code eval
[200, 200, 200, 404, 500, 502]
--- response_headers eval
[map { "X-RateLimit-Limit: 600\nX-RateLimit-Remaining: $_\n"
       . "X-RateLimit-Reset: 60\n!Retry-After" } map { 599 - $_ } 0 .. 5]



=== TEST 11: a refusal has a body that programs understand
--- example: projekt.conf
--- traffic
10 POST /api-keys worker-01: 200 10 0 3600
--- request
POST /api-keys
--- more_headers
Authorization: Bearer worker-01
--- error_code: 429
--- response_headers_like
Content-Type: application/problem\+json
X-RateLimit-Limit: 10
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 36(0\d|1[0-5])
Retry-After: 36(0\d|1[0-5])
--- response_body_filters eval
\&RateLimit::canonical_json
--- response_body
{"status":429,"title":"Request cannot be satisfied as assigned quota has been exceeded","type":"https://iana.org/assignments/http-problem-types#quota-exceeded","violated-policies":["api_keys"]}



=== TEST 12: where the ceiling is nearer, a tighter route's headers tell of that
--- example: projekt.conf
--- traffic
580 GET /issues worker-01: 200 600 20 60
  1 GET /orgs/search worker-01: 200 600 19 60
 19 GET /orgs/search worker-01: 200 600 0 60
  1 GET /orgs/search worker-01: 429 600 0 (5\d|60)
--- request
GET /orgs/search
--- more_headers
Authorization: Bearer worker-01
--- error_code: 429
--- response_headers
X-RateLimit-Limit: 600



=== TEST 13: a client that sleeps Reset seconds and retries once succeeds
--- example: projekt.conf
--- windows: 60s=2s
--- client: sleeps_and_retries
--- request
GET /issues



=== TEST 14: requests that were refused do not lengthen the wait
--- example: projekt.conf
--- windows: 60s=2s
--- traffic
 30 GET /orgs/search worker-01: 200 30 0 2
wait 1
100 GET /orgs/search worker-01: 429 30 0 [12]
wait 1.2
 30 GET /orgs/search worker-01: 200 30 0 2
--- request
GET /orgs/search
--- more_headers
Authorization: Bearer worker-01
--- error_code: 429



=== TEST 15: the page's Python client gets all of its calls done
--- example: projekt.conf
--- windows: 60s=2s
--- client: python_client
--- request
GET /issues



=== TEST 16: one token on many machines shares the bucket
--- example: projekt.conf
--- traffic
300 GET /issues worker-01 from 127.0.0.1: 200 600 300 60
300 GET /issues worker-01 from 127.0.0.2: 200 600 0 60
  1 GET /issues worker-01 from 127.0.0.3: 429 600 0 (5\d|60)
--- request
GET /issues
--- more_headers
Authorization: Bearer worker-01
--- error_code: 429



=== TEST 17: one token a worker, each with a budget of its own
--- example: projekt.conf
--- traffic
600 GET /issues worker-01: 200 600 0 60
600 GET /issues worker-02: 200 600 0 60
  1 GET /issues worker-01: 429 600 0 (5\d|60)
  1 GET /issues worker-02: 429 600 0 (5\d|60)
--- request
GET /issues
--- more_headers
Authorization: Bearer worker-03
--- response_headers
X-RateLimit-Limit: 600
X-RateLimit-Remaining: 599
