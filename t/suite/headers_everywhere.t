use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# All four dialects, for every block that says nothing else.
my $policies = <<'_END_';
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s algorithm=fixed;
    ratelimit_policy never key=$arg_k quota=0/60s;
    ratelimit_policy free  key=$arg_k quota=unlimited;
_END_

my $dialects = <<'_END_';
    ratelimit_headers x-ratelimit;
    ratelimit_headers ietf;
    ratelimit_headers draft3;
    ratelimit_headers per-policy prefix=X-Limit-;
_END_

# What they say after the first request of ten.
our $fields = <<'_END_';
X-RateLimit-Limit: 10
X-RateLimit-Remaining: 9
X-RateLimit-Reset: 60
RateLimit-Policy: "token";q=10;w=60
RateLimit: "token";r=9;t=60
RateLimit-Limit: 10
RateLimit-Remaining: 9
RateLimit-Reset: 60
X-Limit-token-interval-ms: 60000
X-Limit-token-max: 10
X-Limit-token-remaining: 9
! Retry-After
_END_

our $none = join '', map { "! $_\n" } grep { $_ } $fields =~ /^([\w-]+):/mg;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', $policies . $dialects) if !defined $block->http_config;
});

run_tests();

__DATA__

=== TEST 1: on 200
--- config
    location /t { ratelimit token; empty_gif; }
--- request
GET /t?k=a
--- response_headers eval
$::fields



=== TEST 2: on 304
--- config
    location /t { ratelimit token; alias $TEST_NGINX_HTML_DIR/t; }
--- user_files
>>> t 202301021504.05
text
--- request
GET /t?k=a
--- more_headers
If-Modified-Since: Mon, 02 Jan 2023 15:04:05 GMT
--- error_code: 304
--- response_headers eval
$::fields



=== TEST 3: on 404
--- config
    location /t { ratelimit token; root $TEST_NGINX_HTML_DIR; }
--- request
GET /t/nothing?k=a
--- error_code: 404
--- response_headers eval
$::fields



=== TEST 4: on 403
--- config
    location /t { ratelimit token; deny all; empty_gif; }
--- request
GET /t?k=a
--- error_code: 403
--- response_headers eval
$::fields



=== TEST 5: on 405 and 413, made by nginx behind the decision
--- config
    location /t { ratelimit token; client_max_body_size 5; proxy_pass http://backend; }
    location /s { ratelimit token; empty_gif; }
--- backend
    location / { return 204; }
--- request eval
["POST /t?k=a\nmore than five bytes", "POST /s?k=b"]
--- error_code eval
[413, 405]
--- response_headers eval
["", $::fields]



=== TEST 6: on 429
--- config
    location /t { ratelimit never; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Retry-After: 60
X-RateLimit-Limit: 0
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 60
RateLimit-Policy: "never";q=0;w=60
RateLimit: "never";r=0
RateLimit-Limit: 0
RateLimit-Remaining: 0
RateLimit-Reset: 60
X-Limit-never-interval-ms: 60000
X-Limit-never-max: 0
X-Limit-never-remaining: 0



=== TEST 7: on 429 with a body of its own
--- config
    location /t { ratelimit never; ratelimit_body problem; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Retry-After: 60
X-RateLimit-Limit: 0
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 60
RateLimit-Policy: "never";q=0;w=60
RateLimit-Limit: 0
RateLimit-Remaining: 0
RateLimit-Reset: 60
X-Limit-never-max: 0



=== TEST 8: on 502, the upstream being away
--- config
    location /t { ratelimit token; proxy_pass http://unix:$TEST_NGINX_HTML_DIR/nobody.sock; }
--- request
GET /t?k=a
--- error_code: 502
--- response_headers eval
$::fields
--- error_log eval
# freenginx and Angie take an absent socket for an [error].
[qr/\[(?:crit|error)\] .*connect\(\) to unix:/]



=== TEST 9: on an upstream's errors
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / { return 500 "mine\n"; }
--- request
GET /t?k=a
--- error_code: 500
--- response_headers eval
$::fields
--- response_body
mine



=== TEST 10: on an upstream's error that nginx replaces
--- config
    location /t {
        ratelimit token;
        proxy_intercept_errors on;
        error_page 500 =503 /sorry.txt;
        proxy_pass http://backend;
    }
    location = /sorry.txt { root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> sorry.txt
sorry
--- backend
    location / { return 500 "mine\n"; }
--- request
GET /t?k=a
--- error_code: 503
--- response_headers eval
$::fields
--- response_body
sorry



=== TEST 11: on HEAD
--- config
    location /t { ratelimit token; empty_gif; }
--- request
HEAD /t?k=a
--- response_headers eval
$::fields



=== TEST 12: on 206 and 416
--- config
    location /t { ratelimit token; alias $TEST_NGINX_HTML_DIR/t; }
--- user_files
>>> t
0123456789
--- request eval
["GET /t?k=a", "GET /t?k=b"]
--- more_headers eval
["Range: bytes=2-4", "Range: bytes=500-600"]
--- error_code eval
[206, 416]
--- response_headers eval
[$::fields, $::fields]



=== TEST 13: on 412, which a filter makes of a response under way
--- config
    location /t { ratelimit token; alias $TEST_NGINX_HTML_DIR/t; }
--- user_files
>>> t
text
--- request
GET /t?k=a
--- more_headers
If-Match: "another"
--- error_code: 412
--- response_headers eval
$::fields



=== TEST 14: on error pages, the fields of the location that decided
--- config
    location /t { ratelimit token; error_page 404 /404.txt; root $TEST_NGINX_HTML_DIR; }
    location = /404.txt { ratelimit_headers off; root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> 404.txt
nothing here
--- request
GET /t/nothing?k=a
--- error_code: 404
--- response_headers eval
$::fields
--- response_body
nothing here



=== TEST 15: in named locations, the fields of the location that decided
--- config
    location /t { ratelimit token; error_page 403 = @other; deny all; }
    location @other { ratelimit_headers off; proxy_pass http://backend; }
--- backend
    location / { return 202 "other\n"; }
--- request
GET /t?k=a
--- error_code: 202
--- response_headers eval
$::fields
--- response_body
other



=== TEST 16: a further location that decides: its dialects
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
    ratelimit_policy page  key=$arg_k quota=5/60s;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; error_page 403 = @other; deny all; }
    location @other { ratelimit page; ratelimit_headers draft3; empty_gif; }
--- request
GET /t?k=a
--- response_headers
! X-RateLimit-Limit
RateLimit-Limit: 5
RateLimit-Remaining: 4



=== TEST 17: fields of the same name from upstream are replaced
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / {
        add_header X-RateLimit-Limit 1;
        add_header x-ratelimit-remaining 1;
        add_header X-RATELIMIT-RESET 1;
        add_header RateLimit-Policy 1;
        add_header RateLimit 1;
        add_header RateLimit-Limit 1;
        add_header RateLimit-Remaining 1;
        add_header RateLimit-Reset 1;
        add_header X-Limit-Token-Interval-Ms 1;
        add_header X-Limit-Token-Max 1;
        add_header X-Limit-Token-Remaining 1;
        return 200 "app\n";
    }
--- request
GET /t?k=a
--- response_headers eval
$::fields



=== TEST 18: on an upstream's refusal its fields are replaced, its Retry-After stays
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / {
        add_header X-RateLimit-Limit 1 always;
        add_header Retry-After 7 always;
        return 429 "app\n";
    }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
X-RateLimit-Limit: 10
Retry-After: 7
--- response_body
app



=== TEST 19: only unlimited: no fields, and the upstream's pass
--- config
    location /t { ratelimit free; proxy_pass http://backend; }
--- backend
    location / { add_header X-RateLimit-Limit 77; add_header RateLimit-Remaining 3; return 200 "app\n"; }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 77
RateLimit-Remaining: 3
! X-RateLimit-Remaining
! RateLimit



=== TEST 20: nothing decided: no fields, and the upstream's pass
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / { add_header X-RateLimit-Limit 77; return 200 "app\n"; }
--- request
GET /t
--- response_headers
X-RateLimit-Limit: 77
! X-RateLimit-Remaining



=== TEST 21: headers off: the upstream's pass
--- config
    location /t { ratelimit token; ratelimit_headers off; proxy_pass http://backend; }
--- backend
    location / { add_header X-RateLimit-Limit 77; return 200 "app\n"; }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 77
! X-RateLimit-Remaining



=== TEST 22: a response that is tried at another upstream has its fields once
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s algorithm=fixed;
    ratelimit_headers x-ratelimit;
    ratelimit_headers draft3;
    upstream two {
        server unix:$TEST_NGINX_HTML_DIR/one.sock max_fails=0;
        server unix:$TEST_NGINX_HTML_DIR/two.sock backup;
    }
    server {
        listen unix:$TEST_NGINX_HTML_DIR/one.sock;
        location / { add_header X-RateLimit-Limit 1 always; return 500; }
    }
    server {
        listen unix:$TEST_NGINX_HTML_DIR/two.sock;
        location / { add_header X-RateLimit-Limit 2; return 200 "two\n"; }
    }
--- config
    location /t { ratelimit token; proxy_next_upstream http_500; proxy_pass http://two; }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 10
X-RateLimit-Remaining: 9
RateLimit-Remaining: 9
--- response_body
two



=== TEST 23: behind X-Accel-Redirect, to a file
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
    location /files/ { internal; alias $TEST_NGINX_HTML_DIR/; }
--- user_files
>>> report.txt
report
--- backend
    location / {
        add_header X-Accel-Redirect /files/report.txt;
        add_header X-RateLimit-Limit 77;
        return 200;
    }
--- request
GET /t?k=a
--- response_headers eval
$::fields
--- response_body
report



=== TEST 24: 201 with Location, 204 without a body, 303
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location /t/201 { add_header Location /new always; return 201; }
    location /t/204 { return 204; }
    location /t/303 { return 303 /elsewhere; }
--- request eval
["POST /t/201?k=a", "DELETE /t/204?k=b", "GET /t/303?k=c"]
--- error_code eval
[201, 204, 303]
--- response_headers eval
[$::fields, $::fields, $::fields]



=== TEST 25: expires, add_header and etags of a static file are undisturbed
--- config
    location /t { ratelimit token; add_header X-Mine yes; expires 1h; alias $TEST_NGINX_HTML_DIR/t; }
--- user_files
>>> t
text
--- request
GET /t?k=a
--- response_headers
X-Mine: yes
Cache-Control: max-age=3600
X-RateLimit-Remaining: 9
--- response_body
text



=== TEST 26: the auto-index redirect of the static handler is behind the decision
--- config
    location /t { ratelimit token; root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> t/sub/x
--- request
GET /t/sub?k=a
--- error_code: 301
--- response_headers eval
$::fields



=== TEST 27: many fields: over one part of nginx's list of headers
--- config eval
"location /t { ratelimit token;"
. CORE::join('', map { "add_header X-Number-$_ $_;" } 1 .. 40) . " empty_gif; }"
--- request
GET /t?k=a
--- response_headers eval
$::fields . "X-Number-1: 1\nX-Number-40: 40\n"
