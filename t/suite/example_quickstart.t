# conf-examples/quickstart.conf, as it stands.

use lib 't/lib';
use Example;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: ten requests in ten seconds, told with every response
--- example: quickstart.conf
--- pipelined_requests eval
[("GET /") x 11]
--- error_code eval
[(200) x 10, 429]
--- response_headers_like eval
[(map { "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: $_\n"
        . "X-RateLimit-Reset: 10\nRetry-After:" } map { 9 - $_ } 0 .. 9),
 "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: 0\n"
 . "X-RateLimit-Reset: 1[01]\nRetry-After: 1[01]"]
--- response_body_like eval
[("^hello from the app\n\$") x 10, '"violated-policies"']



=== TEST 2: the refusal's body is application/problem+json
--- example: quickstart.conf
--- traffic
10 GET /: 200 10 0 10
--- request
GET /
--- error_code: 429
--- response_headers
Content-Type: application/problem+json
--- response_body_filters eval
\&RateLimit::canonical_json
--- response_body
{"status":429,"title":"Request cannot be satisfied as assigned quota has been exceeded","type":"https://iana.org/assignments/http-problem-types#quota-exceeded","violated-policies":["client"]}



=== TEST 3: one API key is one client, whatever else is sent with it
--- example: quickstart.conf
--- request eval
["GET /", "GET /?api_key=x", "GET /", "GET /", "GET /", "GET /"]
--- more_headers eval
["X-API-Key: alice", "X-API-Key: alice", "X-API-Key: alice\nAuthorization: Bearer x",
 "x-api-key:  alice", "X-API-Key: bob", "Authorization: Bearer alice"]
--- error_code eval
[(200) x 6]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 9, 8, 7, 6, 9, 9]



=== TEST 4: without a key the address is the client
--- example: quickstart.conf
--- traffic
10 GET /: 200 10 0 10
 1 GET /: 429 10 0 1[01]
 1 GET / from 127.0.0.2: 200 10 9 10
--- request
GET /
--- error_code: 429



=== TEST 5: ten seconds later all ten are there again
--- example: quickstart.conf
--- windows: 10s=1s
--- traffic
10 GET /: 200 10 0 1
 1 GET /: 429 10 0 [12]
wait 1.2
10 GET /: 200 10 0 1
--- request
GET /
--- error_code: 429



=== TEST 6: a preflight is not counted and told nothing
--- example: quickstart.conf
--- traffic
20 OPTIONS /: 200 none none none
--- request
GET /
--- response_headers
X-RateLimit-Remaining: 9



=== TEST 7: five logins a minute for an address, whatever key is sent
--- example: quickstart.conf
--- traffic
5 POST /login: 200 5 0 60
1 POST /login: 429 5 0 (59|60)
1 POST /login made-up: 429 5 0 (59|60)
1 POST /login from 127.0.0.2: 200 5 4 60
--- request
GET /login
--- response_headers
X-RateLimit-Limit: 10
X-RateLimit-Remaining: 4



=== TEST 8: a login counts as any request does, and one that is refused as none
--- example: quickstart.conf
--- traffic
5 POST /login: 200 5 0 60
3 POST /login: 429 5 0 (59|60)
--- request
GET /
--- response_headers
X-RateLimit-Limit: 10
X-RateLimit-Remaining: 4



=== TEST 9: to ask for one's standing costs nothing
--- example: quickstart.conf
--- traffic
3 GET /: 200 10 7 10
3 GET /rate_limit: 200 none none none
--- request
GET /rate_limit
--- response_headers
Content-Type: application/json
--- response_body_filters eval
\&RateLimit::standing
--- response_body_like eval
"^client 10 3 7 1[01]\n\$"



=== TEST 10: the access log tells what was decided
--- example: quickstart.conf
--- traffic
9 GET /: 200
--- pipelined_requests eval
["GET /", "GET /", "GET /rate_limit"]
--- error_code eval
[200, 429, 200]
--- access_log eval
['"GET / HTTP/1.1" 200 PASSED client 0',
 '"GET / HTTP/1.1" 429 REJECTED client 0']



=== TEST 11: the error log tells of a refusal
--- example: quickstart.conf
--- traffic
10 GET /: 200
--- request
GET /
--- error_code: 429
--- error_log eval
qr/ratelimit: refused by policy "client", key [0-9a-f]{16}, retry after 1[01]s/
