use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# A policy that counts what happens, and one that refuses, where a block says
# nothing else.
add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=10/1h;
    ratelimit_policy extra key=everybody quota=20/1h;
    ratelimit_policy never key=everybody quota=0/60s;
    ratelimit_headers per-policy prefix=X-;
_END_
});

run_tests();

__DATA__

=== TEST 1: a request that error_page sends on is charged once per policy
--- config
    location /t { ratelimit token; error_page 403 /page; deny all; }
    location = /page { ratelimit token; empty_gif; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[403, 403]
--- response_headers eval
["X-token-remaining: 9", "X-token-remaining: 8"]



=== TEST 2: a redirect into a location with further policies decides only those
--- config
    location /t { ratelimit token; error_page 403 = /page; deny all; }
    location = /page { ratelimit token; ratelimit extra; empty_gif; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-token-remaining: 9\nX-extra-remaining: 19", "X-token-remaining: 8\nX-extra-remaining: 18"]



=== TEST 3: a redirect may be refused where it goes: what was charged before it stays charged
--- config
    location /t { ratelimit token; error_page 403 = /page; deny all; }
    location = /page { ratelimit never; empty_gif; }
    location /look { ratelimit token cost=0; empty_gif; }
--- request eval
["GET /t", "GET /look"]
--- error_code eval
[429, 200]
--- response_headers eval
["X-token-remaining: 9\nX-never-remaining: 0\nRetry-After: 60", "X-token-remaining: 9"]



=== TEST 4: after a refusal nothing more is decided, not by the error page's location either
--- config
    location /t { ratelimit never; error_page 429 = /page; empty_gif; }
    location = /page { ratelimit token; empty_gif; }
    location /look { ratelimit token cost=0; empty_gif; }
--- request eval
["GET /t", "GET /look"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-never-remaining: 0\n! X-token-remaining\nRetry-After: 60", "X-token-remaining: 10"]



=== TEST 5: an error page of a refusal in a location under the same policy is no loop
--- config
    ratelimit never;
    error_page 429 /page.txt;
    location /t { empty_gif; }
    location = /page.txt { root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> page.txt
come back later
--- error_code: 429
--- response_headers
Retry-After: 60
--- response_body
come back later



=== TEST 6: try_files
--- config
    location /t { ratelimit token; root $TEST_NGINX_HTML_DIR; try_files $uri /fallback; }
    location = /fallback { ratelimit token; ratelimit extra; empty_gif; }
--- request
GET /t
--- response_headers
X-token-remaining: 9
X-extra-remaining: 19



=== TEST 7: try_files to a named location
--- config
    location /t { ratelimit token; root $TEST_NGINX_HTML_DIR; try_files $uri @fallback; }
    location @fallback { ratelimit token; ratelimit extra; empty_gif; }
--- response_headers
X-token-remaining: 9
X-extra-remaining: 19



=== TEST 8: index
--- config
    location /t/ { ratelimit token; root $TEST_NGINX_HTML_DIR; index page.txt; }
    location = /t/page.txt { ratelimit token; root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> t/page.txt
page
--- request
GET /t/
--- response_headers
X-token-remaining: 9
--- response_body
page



=== TEST 9: X-Accel-Redirect
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
    location /files/ { internal; ratelimit token; ratelimit extra; alias $TEST_NGINX_HTML_DIR/; }
--- user_files
>>> report.txt
report
--- backend
    location / { add_header X-Accel-Redirect /files/report.txt; return 200; }
--- response_headers
X-token-remaining: 9
X-extra-remaining: 19
--- response_body
report



=== TEST 10: X-Accel-Redirect to a named location
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
    location @other { ratelimit token; ratelimit extra; empty_gif; }
--- backend
    location / { add_header X-Accel-Redirect @other; return 200; }
--- response_headers
X-token-remaining: 9
X-extra-remaining: 19



=== TEST 11: many redirects in a row
--- config
    location = /1 { ratelimit token; try_files /nothing /2; }
    location = /2 { ratelimit token; try_files /nothing /3; }
    location = /3 { ratelimit token; try_files /nothing /4; }
    location = /4 { ratelimit token; try_files /nothing /5; }
    location = /5 { ratelimit token; ratelimit extra; empty_gif; }
--- request
GET /1
--- response_headers
X-token-remaining: 9
X-extra-remaining: 19



=== TEST 12: auth_request's subrequest is never decided
--- config
    location /t { ratelimit token; auth_request /auth; empty_gif; }
    location = /auth { ratelimit never; ratelimit token; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- response_headers
X-token-remaining: 9
! X-never-remaining



=== TEST 13: a 401 or 403 of auth_request keeps the charge
--- config
    location /t { ratelimit token; auth_request /auth; empty_gif; }
    location = /auth { proxy_pass http://backend; }
--- backend
    location / { return 401; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[401, 401]
--- response_headers eval
["X-token-remaining: 9", "X-token-remaining: 8"]



=== TEST 14: a refused request is not asked about
--- config
    location /t { ratelimit never; auth_request /auth; empty_gif; }
    location = /auth { ratelimit token; proxy_pass http://backend; }
    location /seen { alias $TEST_NGINX_HTML_DIR/seen; }
--- backend
    access_log $TEST_NGINX_HTML_DIR/seen;
    location / { return 204; }
--- request eval
["GET /t", "GET /seen"]
--- error_code eval
[429, 200]
--- response_body eval
[qr/429/, ""]



=== TEST 15: mirror's subrequests are never decided
--- config
    location /t { ratelimit token; mirror /mirror; empty_gif; }
    location = /mirror { internal; ratelimit token; ratelimit never; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-token-remaining: 9\n! X-never-remaining", "X-token-remaining: 8"]



=== TEST 16: a refused request is not mirrored
--- config
    location /t { ratelimit never; mirror /mirror; empty_gif; }
    location = /mirror { internal; proxy_pass http://backend; }
    location /seen { alias $TEST_NGINX_HTML_DIR/seen; }
--- backend
    access_log $TEST_NGINX_HTML_DIR/seen;
    location / { return 204; }
--- request eval
["GET /t", "GET /seen"]
--- error_code eval
[429, 200]
--- response_body eval
[qr/429/, ""]



=== TEST 17: neither is one that is refused in precontent
--- config
    location /t { ratelimit never phase=precontent; mirror /mirror; empty_gif; }
    location = /mirror { internal; proxy_pass http://backend; }
    location /seen { alias $TEST_NGINX_HTML_DIR/seen; }
--- backend
    access_log $TEST_NGINX_HTML_DIR/seen;
    location / { return 204; }
--- request eval
["GET /t", "GET /seen"]
--- error_code eval
[429, 200]
--- response_body eval
[qr/429/, ""]



=== TEST 18: SSI's includes are never decided
--- config
    location /t { ratelimit token; ssi on; ssi_types text/plain; alias $TEST_NGINX_HTML_DIR/page; }
    location /part { ratelimit token; ratelimit never; proxy_pass http://backend; }
--- backend
    location / { return 200 "part"; }
--- user_files
>>> page
[<!--# include virtual="/part" -->][<!--# include virtual="/part" -->]
--- response_headers
X-token-remaining: 9
! X-never-remaining
--- response_body
[part][part]



=== TEST 19: slice's subrequests are never decided
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=10/1h;
    ratelimit_headers per-policy prefix=X-;
    proxy_cache_path $TEST_NGINX_HTML_DIR/cache keys_zone=slices:1m;
--- config
    location /t {
        ratelimit token;
        slice 4;
        proxy_cache slices;
        proxy_cache_key $uri$slice_range;
        proxy_cache_valid 200 206 1h;
        proxy_set_header Range $slice_range;
        proxy_pass http://backend/file;
    }
--- user_files
>>> file
0123456789abcdef
--- backend
    location / { root $TEST_NGINX_HTML_DIR; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-token-remaining: 9", "X-token-remaining: 8"]
--- response_body eval
["0123456789abcdef\n", "0123456789abcdef\n"]



=== TEST 20: return answers before the decision
--- config
    location /t { ratelimit never; return 200 "free\n"; }
--- response_headers
! X-never-remaining
! Retry-After
--- response_body
free



=== TEST 21: so do rewrites that redirect, and a server's own return
--- config
    rewrite ^/old$ /new redirect;
    if ($arg_stop) { return 403; }
    location /x { ratelimit never; empty_gif; }
    location /t { ratelimit never; rewrite ^ /elsewhere permanent; }
--- request eval
["GET /old", "GET /x?stop=1", "GET /t", "GET /x"]
--- error_code eval
[302, 403, 301, 429]
--- response_headers eval
[("! X-never-remaining\n! Retry-After") x 3, "Retry-After: 60"]



=== TEST 22: an internal rewrite is decided where it ends
--- config
    location /t { ratelimit never; rewrite ^ /new last; }
    location /new { ratelimit token; empty_gif; }
--- response_headers
X-token-remaining: 9
! X-never-remaining



=== TEST 23: the automatic redirect to a slash is undecided
--- config
    location /t/ { ratelimit never; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t", "GET /t/"]
--- error_code eval
[301, 429]
--- response_headers eval
["! Retry-After", "Retry-After: 60"]



=== TEST 24: a bad request is undecided
--- config
    ratelimit never;
    location /t { empty_gif; }
--- raw_request eval
"GET /t HTTP/1.1\r\nConnection: close\r\n\r\n"
--- error_code: 400
--- response_headers
! X-never-remaining
! Retry-After



=== TEST 25: a request line that is none is undecided
--- config
    ratelimit never;
    location /t { empty_gif; }
--- raw_request eval
"nonsense\r\n\r\n"
--- error_code: 400
--- response_headers
! Retry-After



=== TEST 26: an error page of an undecided request is not decided by accident
--- config
    ratelimit never;
    error_page 400 /400.txt;
    location = /400.txt { ratelimit off; root $TEST_NGINX_HTML_DIR; }
    location /t { empty_gif; }
--- user_files
>>> 400.txt
what?
--- raw_request eval
"GET /t HTTP/1.1\r\nConnection: close\r\n\r\n"
--- error_code: 400
--- response_body
what?



=== TEST 27: if and rewrite inside a location keep its limit
--- config
    location /t {
        ratelimit token;
        if ($arg_a) { set $x 1; }
        rewrite ^ /t/inner break;
        proxy_pass http://backend;
    }
--- backend
    location / { return 200 "$uri\n"; }
--- request
GET /t?a=1
--- response_headers
X-token-remaining: 9
--- response_body
/t/inner



=== TEST 28: limit_except keeps the location's limit
--- config
    location /t {
        ratelimit token;
        limit_except GET { proxy_pass http://backend; }
        empty_gif;
    }
--- backend
    location / { return 204; }
--- request eval
["GET /t", "DELETE /t"]
--- error_code eval
[200, 204]
--- response_headers eval
["X-token-remaining: 9", "X-token-remaining: 8"]



=== TEST 29: a filter that turns the response into an error: the fields stand once
--- config
    location /t { ratelimit token; error_page 412 /412.txt; alias $TEST_NGINX_HTML_DIR/t; }
    location = /412.txt { ratelimit token; ratelimit extra; root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> t
text
>>> 412.txt
changed
--- more_headers
If-Match: "other"
--- error_code: 412
--- response_headers
X-token-remaining: 9



=== TEST 30: a request body is read behind the decision
--- config
    location /t { ratelimit never; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["POST /t\n" . "x" x 100000]
--- error_code: 429
--- response_headers
Retry-After: 60



=== TEST 31: Expect: 100-continue: a refused body is not asked for
--- config
    location /t { ratelimit never; lingering_timeout 100ms; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- raw_request eval
"POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
--- error_code: 429
--- response_headers
Retry-After: 60



=== TEST 32: 100 Continue comes without fields, the answer behind it with them
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- raw_request eval
["POST /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", "body"]
--- raw_request_middle_delay: 0.1
--- error_code: 100
--- raw_response_headers_unlike: remaining



=== TEST 33: an upstream that sends 103 first: the fields stand once, in the final response
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=10/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit token; proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1; }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 103 Early Hints\r\nLink: </x.css>\r\nX-token-remaining: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-token-remaining: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes"
--- skip_nginx
4: < 1.29.0
--- response_headers
X-token-remaining: 9
--- response_body chomp
yes



=== TEST 34: an upstream that hangs up: its replacement response has the fields once
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / { return 444; }
--- error_code: 502
--- response_headers
X-token-remaining: 9
--- error_log
upstream prematurely closed connection



=== TEST 35: a client that is gone before the answer has been charged once
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
    location /look { ratelimit token cost=0; empty_gif; }
--- backend
    location / { limit_rate 1; return 200 "0123456789012345678901234567890123456789"; }
--- init
my $socket = RateLimit::connection();
print $socket "GET /t HTTP/1.1\r\nHost: localhost\r\n\r\n";
Time::HiRes::sleep(0.1);
close $socket;
Time::HiRes::sleep(0.1);
--- request
GET /look
--- response_headers
X-token-remaining: 9



=== TEST 36: HEAD, OPTIONS, unknown methods are decided as any other
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["HEAD /t", "OPTIONS /t", "PROPFIND /t", "BREW /t"]
--- error_code eval
[(204) x 4]
--- response_headers eval
[map { "X-token-remaining: $_" } 9, 8, 7, 6]



=== TEST 37: a subrequest of a refused request's error page is not decided either
--- config
    location /t { ratelimit never; error_page 429 /page; empty_gif; }
    location = /page { ssi on; ssi_types text/plain; alias $TEST_NGINX_HTML_DIR/page; }
    location /part { ratelimit token; proxy_pass http://backend; }
    location /look { ratelimit token cost=0; empty_gif; }
--- backend
    location / { return 200 "part"; }
--- user_files
>>> page
[<!--# include virtual="/part" -->]
--- request eval
["GET /t", "GET /look"]
--- error_code eval
[429, 200]
--- response_headers eval
["Retry-After: 60", "X-token-remaining: 10"]



=== TEST 38: addition's subrequests are never decided
--- config
    location /t { ratelimit token; addition_types text/plain; add_after_body /part; alias $TEST_NGINX_HTML_DIR/page; }
    location /part { ratelimit never; proxy_pass http://backend; }
--- backend
    location / { return 200 "part\n"; }
--- user_files
>>> page
page
--- response_headers
X-token-remaining: 9
--- response_body
page
part



=== TEST 39: a named location that redirects again is charged once
--- config
    location /t { ratelimit token; error_page 418 = @one; recursive_error_pages on; error_page 403 = @one; deny all; }
    location @one { ratelimit token; ratelimit extra; recursive_error_pages on; error_page 404 = @two; root $TEST_NGINX_HTML_DIR/none; }
    location @two { ratelimit token; ratelimit extra; empty_gif; }
--- response_headers
X-token-remaining: 9
X-extra-remaining: 19



=== TEST 40: behind a redirect a key is evaluated anew
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy outer key=$arg_k quota=10/1h;
    ratelimit_policy inner key=$arg_k quota=20/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit outer; error_page 404 =200 /inner?k=fixed; root $TEST_NGINX_HTML_DIR; }
    location = /inner { ratelimit inner; empty_gif; }
--- request eval
["GET /t/none?k=a", "GET /t/none?k=b", "GET /t/none?k=a"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-outer-remaining: 9\nX-inner-remaining: 19", "X-outer-remaining: 9\nX-inner-remaining: 18",
 "X-outer-remaining: 8\nX-inner-remaining: 17"]



=== TEST 41: one decision's policies share the key, further policies' of a named location do not
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client $user arg=k;
    ratelimit_policy one   key=$client quota=10/1h;
    ratelimit_policy two   key=$client quota=20/1h;
    ratelimit_policy three key=$client quota=30/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    set $user "";
    location /t { ratelimit one; ratelimit two cost=2; try_files /nothing @named; }
    location @named { set $user everybody; ratelimit one; ratelimit three; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=b"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-one-remaining: 9\nX-two-remaining: 18\nX-three-remaining: 29", "X-one-remaining: 9\nX-two-remaining: 18\nX-three-remaining: 28"]



=== TEST 42: a refusal behind an X-Accel-Redirect does not give back what a backend has worked for
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy work  key=everybody quota=3/1h;
    ratelimit_policy never key=everybody quota=0/60s;
    ratelimit_headers per-policy prefix=X-;
    log_format one x;
--- config
    location /t { ratelimit work; proxy_pass http://backend; }
    location /inner { internal; ratelimit never; empty_gif; }
    location /seen { alias $TEST_NGINX_HTML_DIR/seen; }
--- backend
    access_log $TEST_NGINX_HTML_DIR/seen one;
    location / { add_header X-Accel-Redirect /inner; return 200; }
--- request eval
[("GET /t") x 5, "GET /seen"]
--- error_code eval
[(429) x 5, 200]
--- response_headers eval
["X-work-remaining: 2\nX-never-remaining: 0", "X-work-remaining: 1", "X-work-remaining: 0", "X-work-remaining: 0\n! X-never-remaining", "X-work-remaining: 0", ""]
--- response_body_filters eval
[([sub { "" }]) x 5, [sub { $_[0] }]]
--- response_body eval
[("") x 5, "x\nx\nx\n"]



=== TEST 43: the same of an upstream's error that is intercepted, and a named location
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy work  key=everybody quota=3/1h;
    ratelimit_policy never key=everybody quota=0/60s;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit work; proxy_pass http://backend; proxy_intercept_errors on; error_page 404 = @fallback; }
    location @fallback { ratelimit never; empty_gif; }
--- backend
    location / { return 404; }
--- request eval
[("GET /t") x 4]
--- error_code eval
[(429) x 4]
--- response_headers eval
["X-work-remaining: 2\nX-never-remaining: 0", "X-work-remaining: 1", "X-work-remaining: 0", "X-work-remaining: 0\n! X-never-remaining"]



=== TEST 44: the same behind try_files, index and auth_request's 401
--- config
    location /try { ratelimit token; try_files /nothing /inner; }
    location = /named { ratelimit token; try_files /nothing @inner; }
    location /index/ { ratelimit token; index /inner; root $TEST_NGINX_HTML_DIR; }
    location /auth { ratelimit token; auth_request /who; error_page 401 = @inner; empty_gif; }
    location = /inner { ratelimit never; empty_gif; }
    location @inner { ratelimit never; empty_gif; }
    location = /who { internal; proxy_pass http://backend; }
--- user_files
>>> inner
text
--- backend
    location / { return 401; }
--- request eval
["GET /try", "GET /named", "GET /index/", "GET /auth"]
--- error_code eval
[(429) x 4]
--- response_headers eval
[map { "X-token-remaining: $_\nX-never-remaining: 0" } 9, 8, 7, 6]



=== TEST 45: behind a redirect a refusal in precontent returns what was charged since that
--- config
    location /t { ratelimit token; error_page 403 = @named; deny all; }
    location @named { ratelimit extra; ratelimit never phase=precontent; empty_gif; }
--- error_code: 429
--- response_headers
X-token-remaining: 9
X-extra-remaining: 20
X-never-remaining: 0



=== TEST 46: post_action: once the answer is sent nothing is decided or given back
--- config
    location /t { ratelimit token; empty_gif; post_action @never; }
    location = /phase { ratelimit token; empty_gif; post_action @phase; }
    location = /free { empty_gif; post_action /extra; }
    location = /refused { ratelimit never; empty_gif; post_action /extra; }
    location @never { ratelimit never; empty_gif; }
    location @phase { ratelimit extra; ratelimit never phase=precontent; empty_gif; }
    location = /extra { ratelimit extra; empty_gif; }
    location /look { ratelimit token cost=0; ratelimit extra cost=0; empty_gif; }
--- request eval
["GET /t", "GET /phase", "GET /free", "GET /refused", "GET /look"]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers eval
["X-token-remaining: 9", "X-token-remaining: 8", "! X-extra-remaining", "X-never-remaining: 0", "X-token-remaining: 8\nX-extra-remaining: 20"]



=== TEST 47: a named location's own status, body, fields, dry run and log level
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=10/1h;
    ratelimit_policy never key=everybody quota=0/60s;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit token; error_page 403 = @named; deny all; }
    location /dry { ratelimit token; error_page 403 = @dry; deny all; }
    location @named {
        ratelimit never;
        ratelimit_status 503;
        ratelimit_body text/plain "named $ratelimit_policy\n";
        ratelimit_headers per-policy prefix=Y-;
        empty_gif;
    }
    location @dry {
        ratelimit never;
        ratelimit_dry_run on;
        ratelimit_log_level warn;
        return 200 unseen;
    }
--- request eval
["GET /t", "GET /dry"]
--- error_code eval
[503, 200]
--- response_headers eval
["Y-token-remaining: 9\nY-never-remaining: 0\n! X-token-remaining\nRetry-After: 60", "X-token-remaining: 8\n! X-never-remaining"]
--- response_body eval
["named never\n", "unseen"]



=== TEST 48: an internal location is decided, and what it refuses has its own body
--- config
    location /t { try_files /nothing /inner; }
    location = /inner { internal; ratelimit never; ratelimit_body text/plain inner; ratelimit_status 420; empty_gif; }
--- request eval
["GET /t", "GET /inner"]
--- error_code eval
[420, 404]
--- response_body eval
["inner", qr/404/]



=== TEST 49: mirror and auth_request of a redirected request are not decided either
--- config
    location /t { error_page 403 = @named; deny all; }
    location @named { ratelimit token; auth_request /who; mirror /copy; empty_gif; }
    location = /who { internal; ratelimit token; ratelimit never; proxy_pass http://backend; }
    location = /copy { internal; ratelimit never; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-token-remaining: 9\n! X-never-remaining", "X-token-remaining: 8"]



=== TEST 50: a standing that a subrequest tells is no redirect
--- http_config
    ratelimit_zone    zone=api:64k;
    ratelimit_policy  first key=$arg_k quota=5/1h algorithm=fixed;
    ratelimit_policy  never key=$arg_k quota=0/1h;
    ratelimit_headers x-ratelimit;
--- config
    location /t {
        ratelimit first;
        ratelimit never phase=precontent;
        auth_request /auth;
        empty_gif;
    }
    location = /auth { internal; ratelimit first; ratelimit_standing; }
    location /look   { ratelimit first cost=0; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /look?k=a"]
--- error_code eval
[429, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 5"]
