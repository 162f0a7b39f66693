use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# "ratelimit_body grpc": t/clients has a client of gRPC's own over HTTP/2.

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=0/60s;
    ratelimit_policy secret key=$arg_k quota=0/30s hidden;
    ratelimit_body   grpc;
    ratelimit_headers x-ratelimit retry_after_ms;
_END_
});

run_tests();

__DATA__

=== TEST 1: a call is refused in its own terms
--- config
    location /t { ratelimit token; empty_gif; }
--- request
POST /t?k=a
a message
--- more_headers
Content-Type: application/grpc+proto
TE: trailers
--- error_code: 200
--- response_headers
Content-Type: application/grpc
Content-Length: 0
grpc-status: 8
grpc-message: quota token exceeded, retry after 60 s
grpc-retry-pushback-ms: 60000
Retry-After: 60
Retry-After-Ms: 60000
X-RateLimit-Limit: 0
X-RateLimit-Remaining: 0
Cache-Control: no-store
--- response_body



=== TEST 2: a hidden policy is not named
--- config
    location /t { ratelimit secret; empty_gif; }
--- request
POST /t?k=a
--- more_headers
Content-Type: APPLICATION/GRPC
--- error_code: 200
--- response_headers
grpc-status: 8
grpc-message: quota exceeded, retry after 30 s
! X-RateLimit-Limit



=== TEST 3: gRPC-Web has its own type
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["POST /t?k=a", "POST /t?k=a", "POST /t?k=a"]
--- more_headers eval
["Content-Type: application/grpc-web", "Content-Type: application/grpc-web-text+proto", "Content-Type: application/grpc; x=y"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["Content-Type: application/grpc-web\ngrpc-status: 8", "Content-Type: application/grpc-web-text\ngrpc-status: 8",
 "Content-Type: application/grpc\ngrpc-status: 8"]



=== TEST 4: what is no call is refused by its status
--- config
    location /t { ratelimit token; error_page 429 /sorry.txt; empty_gif; }
    location /sorry.txt { root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> sorry.txt
slow down
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a"]
--- more_headers eval
["", "Content-Type: application/grpcx", "Content-Type: application/json"]
--- error_code eval
[429, 429, 429]
--- response_headers eval
[("! grpc-status\nRetry-After: 60") x 3]
--- response_body eval
[("slow down\n") x 3]



=== TEST 5: a call that is admitted
--- config
    location /t { ratelimit token dry_run=on; empty_gif; }
--- request
GET /t?k=a
--- more_headers
Content-Type: application/grpc
--- response_headers
! grpc-status
X-RateLimit-Remaining: 0
