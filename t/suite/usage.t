use lib 't/lib';
use BothEnds;
use RateLimit;
use Test::More;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_' . ($block->more_http // '')) if !defined $block->http_config;
    ratelimit_zone    zone=api:64k;
    ratelimit_policy  tokens key=$arg_k quota=10000/1h;
    ratelimit_headers x-ratelimit;
    ratelimit_usage   $total json=/usage/total_tokens|/response/usage/total_tokens;
_END_
    $block->set_value('config', ($block->config // <<'_END_') . "\nlocation /look { ratelimit tokens cost=0; empty_gif; }\n");
    location /t { ratelimit tokens cost=500 settle=$total settle_at=end; proxy_pass http://backend; }
_END_
    $block->set_value('request', "GET /look?k=none\n") if !defined $block->request;
});

run_tests();

__DATA__

=== TEST 1: a JSON body, whatever parameters its type has; what is reserved shows at once
--- backend
    location = /t/1 { default_type application/json; return 200 '{"choices":[],"usage":{"prompt_tokens":12,"total_tokens":46}}'; }
    location = /t/2 { default_type "Application/JSON; charset=utf-8"; return 200 '{"usage":{"total_tokens":46}}'; }
    location = /t/3 { default_type application/json; return 400 '{"error":{"message":"no"}}'; }
    location = /t/4 { default_type application/xml; return 200 '{"usage":{"total_tokens":46}}'; }
--- request eval
[map { ("GET /t/$_?k=$_", "GET /look?k=$_") } 1 .. 4]
--- error_code eval
[200, 200, 200, 200, 400, 200, 200, 200]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 9500, 9954, 9500, 9954, 9500, 9500, 9500, 9500]
--- response_body_filters eval
[(sub { '' }) x 8]
--- response_body eval
[('') x 8]



=== TEST 2: events, cut anywhere; they reach the client as they come
--- config
    location /t { ratelimit tokens cost=500 settle=$total settle_at=end; proxy_buffering off; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock; }
--- init
my $open = BothEnds::open_at('/t?k=a', "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", "Connection: close\r\n");
$open->passes($_) for "data: {\"choices\":[],\"usa", "ge\":null}\n\n", "data: {\"usage\":{\"total_tok", "ens\":46}", "}\n", "\n", "data: [DONE]\n\n";
$open->ends;
Test::More::is(BothEnds::remaining('/look?k=a'), 9954, 'settled');



=== TEST 3: a client that goes away pays what was told so far, or else what was reserved
--- config
    location /t { ratelimit tokens cost=500 settle=$tokens settle_at=end; proxy_buffering off; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/ends.sock; }
--- more_http
    ratelimit_usage $tokens json=/message/usage/input_tokens json=/usage/output_tokens|/message/usage/output_tokens;
--- init
my $head = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
my $open = BothEnds::open_at('/t?k=a', $head, '');
$open->passes("event: ping\ndata: {}\n\n");
$open->is_left;
Test::More::is(BothEnds::remaining('/look?k=a'), 9500, 'nothing was told');
$open = BothEnds::open_at('/t?k=b', $head, '');
$open->passes("event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n");
$open->passes("event: content_block_delta\ndata: {\"delta\":{\"text\":\"Hi\"}}\n\n");
$open->is_left;
Test::More::is(BothEnds::remaining('/look?k=b'), 9974, 'message_start only');
$open = BothEnds::open_at('/t?k=c', $head, "Connection: close\r\n");
$open->passes("event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n");
$open->passes("event: message_delta\ndata: {\"usage\":{\"output_tokens\":15}}\n\n");
$open->ends;
Test::More::is(BothEnds::remaining('/look?k=c'), 9960, 'message_delta too');



=== TEST 4: lines, and other types by name
--- more_http
    ratelimit_usage $counts json=/prompt_eval_count json=/eval_count types=application/x-ndjson,application/vnd.x+json;
--- config
    location /t { ratelimit tokens cost=500 settle=$counts settle_at=end; proxy_pass http://backend; }
--- backend
    location = /t/1 { default_type application/x-ndjson; return 200 '{"done":false}\n{"done":true,"prompt_eval_count":26,"eval_count":290}\n'; }
    location = /t/2 { default_type application/vnd.x+json; return 200 '{"eval_count":1}'; }
    location = /t/3 { default_type application/json; return 200 '{"eval_count":1}'; }
--- request eval
[map { ("GET /t/$_?k=$_", "GET /look?k=$_") } 1 .. 3]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 9500, 9684, 9500, 9999, 9500, 9500]
--- response_body_filters eval
[(sub { '' }) x 6]
--- response_body eval
[('') x 6]



=== TEST 5: nginx's own gzip changes nothing, a compressed upstream is told in the log
--- config
    gzip on; gzip_types *; gzip_min_length 1;
    location /t { ratelimit tokens cost=500 settle=$total settle_at=end; proxy_pass http://backend; }
    location /z { ratelimit tokens cost=500 settle=$total settle_at=end; proxy_set_header Accept-Encoding gzip; proxy_pass http://backend; }
--- backend
    gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0; gzip_proxied any;
    default_type application/json;
    location / { proxy_set_header Accept-Encoding ""; return 200 '{"usage":{"total_tokens":46}}'; }
    location /t { gzip off; return 200 '{"usage":{"total_tokens":46}}'; }
--- more_headers
Accept-Encoding: gzip
--- request eval
["GET /z?k=a", "GET /look?k=a", "GET /t?k=b", "GET /look?k=b"]
--- response_headers eval
["Content-Encoding: gzip", "X-RateLimit-Remaining: 9500", "Content-Encoding: gzip", "X-RateLimit-Remaining: 9954"]
--- response_body_filters eval
[(sub { '' }) x 4]
--- response_body eval
[('') x 4]



=== TEST 6: what is longer than max= yields nothing, and is told
--- more_http
    ratelimit_usage $short json=/usage/total_tokens max=1k;
--- config
    location /t { ratelimit tokens cost=500 settle=$short settle_at=end; proxy_pass http://backend; }
--- user_files eval
">>> long\n" . '{"a":"' . ('x' x 1000) . '","usage":{"total_tokens":46}}' . "\n>>> fits\n" . '{"a":"' . ('x' x 980) . '","usage":{"total_tokens":46}}'
--- backend
    location /t { default_type application/json; alias $TEST_NGINX_HTML_DIR/; }
--- request eval
["GET /t/long?k=a", "GET /look?k=a", "GET /t/fits?k=b", "GET /look?k=b"]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } 9500, 9500, 9500, 9954]
--- response_body_filters eval
[(sub { '' }) x 4]
--- response_body eval
[('') x 4]



=== TEST 7: from a file and from the cache
--- more_http
    proxy_cache_path $TEST_NGINX_HTML_DIR/cache keys_zone=cache:1m;
--- config
    location /t { ratelimit tokens cost=500 settle=$total settle_at=end; default_type application/json; alias $TEST_NGINX_HTML_DIR/; }
    location /c { ratelimit tokens cost=500 settle=$total settle_at=end; proxy_cache cache; proxy_cache_key same; proxy_cache_valid 1m; proxy_pass http://backend; add_header X-Cached $upstream_cache_status; }
--- user_files eval
">>> file\n" . '{"a":"' . ('x' x 30000) . '","usage":{"total_tokens":46}}'
--- backend
    location /c { default_type application/json; alias $TEST_NGINX_HTML_DIR/file; }
--- request eval
["GET /t/file?k=a", "GET /look?k=a", "GET /c?k=b", "GET /look?k=b", "GET /c?k=c", "GET /look?k=c"]
--- response_headers eval
["X-RateLimit-Remaining: 9500", "X-RateLimit-Remaining: 9954", "X-Cached: MISS", "X-RateLimit-Remaining: 9954", "X-Cached: HIT", "X-RateLimit-Remaining: 9954"]
--- response_body_filters eval
[(sub { '' }) x 6]
--- response_body eval
[('') x 6]



=== TEST 8: HEAD has no body, a 304 neither: what was reserved stays
--- backend
    location /t { default_type application/json; return 200 '{"usage":{"total_tokens":46}}'; }
--- request eval
["HEAD /t?k=a", "GET /look?k=a"]
--- response_headers eval
["X-RateLimit-Remaining: 9500", "X-RateLimit-Remaining: 9500"]
--- response_body_filters eval
[(sub { '' }) x 2]
--- response_body eval
[('') x 2]



=== TEST 9: several variables, several policies, one of them in text
--- more_http
    ratelimit_policy prompts key=$arg_k quota=100/1h;
    ratelimit_usage  $prompt json=/usage/prompt_tokens;
    ratelimit_usage  $tenths json=/usage/completion_tokens;
--- config
    location /t {
        ratelimit tokens  settle=${tenths}0 settle_at=end;
        ratelimit prompts settle=$prompt settle_at=end;
        proxy_pass http://backend;
    }
    location /prompts { ratelimit prompts cost=0; empty_gif; }
--- backend
    location /t { default_type application/json; return 200 '{"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}'; }
--- request eval
["GET /t?k=a", "GET /look?k=a", "GET /prompts?k=a"]
--- response_headers eval
["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 9660", "X-RateLimit-Remaining: 88"]
--- response_body_filters eval
[(sub { '' }) x 3]
--- response_body eval
[('') x 3]



=== TEST 10: HTTP/2, and a body behind an internal redirect
--- http2
--- init
RateLimit::connection()
--- config
    location /t { ratelimit tokens cost=500 settle=$total settle_at=end; proxy_pass http://backend; }
    location /x { internal; proxy_pass http://backend; }
--- backend
    location /t { add_header X-Accel-Redirect /x; return 200; }
    location /x { default_type application/json; return 200 '{"usage":{"total_tokens":46}}'; }
--- request eval
["GET /t?k=a", "GET /look?k=a"]
--- response_headers eval
["X-RateLimit-Remaining: 9500", "X-RateLimit-Remaining: 9954"]
--- response_body_filters eval
[(sub { '' }) x 2]
--- response_body eval
[('') x 2]



=== TEST 11: a response that is no JSON is told in the log
--- backend
    location /t { default_type application/json; return 200 '{"usage":{"total_tokens":46}'; }
--- request
GET /t?k=a
--- error_log
ratelimit: policy "tokens": the response is no JSON; "$total" is not read from it
--- response_body_filters eval
sub { '' }
--- response_body:



=== TEST 12: a variable that no line asks for is told, and reads nothing
--- config
    location /t { ratelimit tokens cost=500; add_header X-Total "<$total>"; proxy_pass http://backend; }
--- backend
    location /t { default_type application/json; return 200 '{"usage":{"total_tokens":46}}'; }
--- request
GET /t?k=a
--- response_headers
X-Total: <>
X-RateLimit-Remaining: 9500
--- response_body_filters eval
sub { '' }
--- response_body:
--- error_log
"$total" of "ratelimit_usage" stays empty, since it stands in no "settle=" of a "ratelimit" line in



=== TEST 13: a compressed response is told
--- config
    location /z { ratelimit tokens cost=500 settle=$total settle_at=end; proxy_pass http://backend; }
--- backend
    location / { default_type application/json; add_header Content-Encoding br; return 200 'x'; }
--- request
GET /z?k=a
--- response_body chomp
x
--- error_log
ratelimit: policy "tokens": the response has a Content-Encoding; "$total" is not read from it



=== TEST 14: a response that is longer than max= is told
--- more_http
    ratelimit_usage $short json=/usage/total_tokens max=1k;
--- config
    location /t { ratelimit tokens cost=500 settle=$short settle_at=end; default_type application/json; alias $TEST_NGINX_HTML_DIR/; }
--- user_files eval
">>> long\n" . 'x' x 1030
--- request
GET /t/long?k=a
--- response_body_filters eval
sub { '' }
--- response_body:
--- error_log
a part of the response, or all of it, is longer than "max="; "$short" is not read from it
