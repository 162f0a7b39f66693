use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=3/60s algorithm=fixed;
    ratelimit_headers x-ratelimit;
_END_
});

run_tests();

__DATA__

=== TEST 1: HTTP/1.0
--- timed
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t?k=a HTTP/1.0") x 4]
--- error_code eval
[200, 200, 200, 429]
--- response_headers eval
[(map { "X-RateLimit-Remaining: $_" } 2, 1, 0), "X-RateLimit-Remaining: 0\nRetry-After: 60"]



=== TEST 2: HTTP/0.9 is decided, and has no fields to show
--- config
    location /s { ratelimit token; alias $TEST_NGINX_HTML_DIR/s; }
--- user_files
>>> s
text
--- raw_request eval
"GET /s?k=a\r\n"
--- http09
--- response_body
text



=== TEST 3: keep-alive: every request of a connection is decided anew
--- config
    location /t { ratelimit token; empty_gif; }
--- pipelined_requests eval
["GET /t?k=a", "GET /t?k=b", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=b"]
--- error_code eval
[200, 200, 200, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0\nRetry-After: 60", "X-RateLimit-Remaining: 1"]



=== TEST 4: a refused connection stays usable
--- config
    location /t { ratelimit token; ratelimit_body text/plain "no\n"; root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> t
yes
--- pipelined_requests eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=b"]
--- error_code eval
[200, 200, 200, 429, 429, 200]
--- response_body eval
["yes\n", "yes\n", "yes\n", "no\n", "no\n", "yes\n"]



=== TEST 5: HTTP/2
--- config
    location /t { ratelimit token; empty_gif; }
--- http2
--- request eval
[("GET /t?k=a") x 4]
--- error_code eval
[200, 200, 200, 429]
--- response_headers_like eval
[(map { "X-RateLimit-Limit: 3\nX-RateLimit-Remaining: $_\nX-RateLimit-Reset: (60|5\\d)" } 2, 1, 0),
 "X-RateLimit-Limit: 3\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: (60|5\\d)\nRetry-After: (60|5\\d)"]



=== TEST 6: HTTP/2, all dialects, each field by itself
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        ratelimit_headers ietf;
        ratelimit_headers draft3;
        ratelimit_headers per-policy prefix=X-Limit-;
        empty_gif;
    }
--- http2
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 3
X-RateLimit-Remaining: 2
RateLimit-Policy: "token";q=3;w=60
RateLimit: "token";r=2;t=60
RateLimit-Limit: 3
X-Limit-token-interval-ms: 60000



=== TEST 7: HTTP/2, many streams of one connection: one stream is one request
--- config
    location /t { ratelimit token; empty_gif; }
--- http2
--- init
my @statuses = RateLimit::streams(("GET /t?k=a") x 8);
RateLimit::publish('statuses', CORE::join '', map { "$_\n" } sort @statuses);
--- request
GET /statuses
--- response_body
200
200
200
429
429
429
429
429



=== TEST 8: HTTP/2, a refusal with a body, and HEAD
--- config
    location /t { ratelimit token; ratelimit_body problem; empty_gif; }
--- http2
--- request eval
["GET /t?k=a", "GET /t?k=a", "HEAD /t?k=a", "GET /t?k=a", "HEAD /t?k=a"]
--- error_code eval
[200, 200, 200, 429, 429]
--- response_headers_like eval
["", "", "X-RateLimit-Remaining: 0", "Content-Type: application/problem.json\nRetry-After: (60|5\\d)", "Content-Type: application/problem.json\nRetry-After: (60|5\\d)"]



=== TEST 9: HTTP/2, a refused POST whose body is still to come
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / { return 200; }
--- http2
--- init
my @statuses = RateLimit::streams(("GET /t?k=a") x 3, "POST /t?k=a", "GET /t?k=b");
RateLimit::publish('statuses', CORE::join '', map { "$_\n" } sort @statuses);
--- request
GET /statuses
--- response_body
200
200
200
200
429



=== TEST 10: HEAD is counted as GET is
--- timed
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["HEAD /t?k=a", "GET /t?k=a", "HEAD /t?k=a", "HEAD /t?k=a"]
--- error_code eval
[200, 200, 200, 429]
--- response_headers eval
["X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0\nRetry-After: 60"]



=== TEST 11: gzip
--- timed
--- config
    location /t {
        ratelimit token;
        ratelimit_body text/plain "no no no no no no no no no no no no no\n";
        gzip on; gzip_types text/plain; gzip_min_length 1;
        root $TEST_NGINX_HTML_DIR;
    }
--- user_files
>>> t
yes yes yes yes yes yes yes yes yes yes yes yes yes
--- more_headers
Accept-Encoding: gzip
--- request eval
[("GET /t?k=a") x 4]
--- error_code eval
[200, 200, 200, 429]
--- response_headers eval
["Content-Encoding: gzip\nX-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0\nRetry-After: 60"]



=== TEST 12: chunked responses
--- config
    location /t { ratelimit token; ssi on; ssi_types text/plain; alias $TEST_NGINX_HTML_DIR/t; }
--- user_files
>>> t
some <!--# echo var="arg_k" --> text
--- request
GET /t?k=a
--- response_headers
Transfer-Encoding: chunked
X-RateLimit-Remaining: 2
--- response_body
some a text



=== TEST 13: hits of proxy_cache are counted, and their fields are of now, not of the cache
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=3/60s algorithm=fixed;
    ratelimit_headers x-ratelimit;
    proxy_cache_path $TEST_NGINX_HTML_DIR/cache keys_zone=pages:1m;
--- config
    location /t {
        ratelimit token;
        proxy_cache pages;
        proxy_cache_key $uri;
        proxy_cache_valid 200 1h;
        add_header X-Cache $upstream_cache_status always;
        proxy_pass http://backend;
    }
--- backend
    location / { add_header X-RateLimit-Remaining 77; return 200 "page\n"; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=b", "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 200, 200, 200, 429]
--- response_headers eval
["X-Cache: MISS\nX-RateLimit-Remaining: 2", "X-Cache: HIT\nX-RateLimit-Remaining: 1", "X-Cache: HIT\nX-RateLimit-Remaining: 2", "X-Cache: HIT\nX-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0\nRetry-After: 60"]



=== TEST 14: a large response
--- config
    location /t { ratelimit token; root $TEST_NGINX_HTML_DIR; }
--- user_files eval
[["t", "x" x 3000000]]
--- request
GET /t?k=a
--- response_headers
Content-Length: 3000000
X-RateLimit-Remaining: 2
--- response_body_filters
length
--- response_body chomp
3000000



=== TEST 15: an upgraded connection is one request
--- config
    location /t {
        ratelimit token;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n"
--- more_headers
Upgrade: chat
Connection: upgrade
--- request
GET /t?k=a
--- error_code: 101
--- response_headers
X-RateLimit-Remaining: 2



=== TEST 16: the protocol may be a key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy port key=$server_protocol quota=1/60s;
--- config
    location /t { ratelimit port; empty_gif; }
--- request eval
["GET /t HTTP/1.1", "GET /t HTTP/1.1", "GET /t HTTP/1.0"]
--- error_code eval
[200, 429, 200]
