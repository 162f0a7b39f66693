use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: the key may be what authentication found out
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user key=$user quota=2/1h;
--- config
    location /t {
        auth_request     /auth;
        auth_request_set $user $upstream_http_x_user;
        ratelimit        user phase=precontent;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
    location = /auth { internal; proxy_pass http://backend; }
--- backend
    location / { add_header X-User $http_x_token; return 204; }
--- request eval
[("GET /t") x 5]
--- more_headers eval
["X-Token: alice", "X-Token: bob", "X-Token: alice", "X-Token: alice", "X-Token: bob"]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0"]



=== TEST 2: the same in preaccess would not see the user yet
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user key=$user quota=0/1h;
--- config
    location /t {
        auth_request     /auth;
        auth_request_set $user $upstream_http_x_user;
        ratelimit        user;
        empty_gif;
    }
    location = /auth { internal; proxy_pass http://backend; }
--- backend
    location / { add_header X-User alice; return 204; }



=== TEST 3: both phases in one location, all policies told
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy address key=$remote_addr quota=9/1h;
    ratelimit_policy user    key=$arg_k       quota=5/1h;
--- config
    location /t {
        ratelimit address;
        ratelimit user phase=precontent;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-address-remaining: 8
X-user-remaining: 4



=== TEST 4: a refusal in precontent returns the request's preaccess charges
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy address key=$remote_addr quota=9/1h;
    ratelimit_policy user    key=$arg_k       quota=1/1h;
--- config
    location /t {
        ratelimit address;
        ratelimit user phase=precontent;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=b"]
--- error_code eval
[200, 429, 429, 200]
--- response_headers eval
["X-address-remaining: 8\nX-user-remaining: 0", "X-address-remaining: 8\nX-user-remaining: 0",
 "X-address-remaining: 8\nX-user-remaining: 0", "X-address-remaining: 7\nX-user-remaining: 0"]



=== TEST 5: the same for every algorithm and for costs above 1
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=90/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=90/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=90/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=90/366d algorithm=gcra;
    ratelimit_policy user     key=$arg_k quota=$arg_q/1h;
--- config
    location /t {
        ratelimit sliding  cost=3;
        ratelimit fixed    cost=4;
        ratelimit calendar cost=5;
        ratelimit gcra     cost=6;
        ratelimit user phase=precontent;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request eval
["GET /t?k=a&q=9", "GET /t?k=a&q=0", "GET /t?k=a&q=0", "GET /t?k=a&q=9"]
--- error_code eval
[200, 429, 429, 200]
--- response_headers eval
["X-sliding-remaining: 87\nX-fixed-remaining: 86\nX-calendar-remaining: 85\nX-gcra-remaining: 84",
 "X-sliding-remaining: 87\nX-fixed-remaining: 86\nX-calendar-remaining: 85\nX-gcra-remaining: 84",
 "X-sliding-remaining: 87\nX-fixed-remaining: 86\nX-calendar-remaining: 85\nX-gcra-remaining: 84",
 "X-sliding-remaining: 84\nX-fixed-remaining: 82\nX-calendar-remaining: 80\nX-gcra-remaining: 78"]



=== TEST 6: a refusal in preaccess, and precontent is not asked
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy address key=$remote_addr quota=0/60s;
    ratelimit_policy user    key=$arg_k       quota=5/1h;
--- config
    location /t {
        ratelimit address;
        ratelimit user phase=precontent;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
    location /look { ratelimit user cost=0; ratelimit_headers per-policy prefix=X-; empty_gif; }
--- request eval
["GET /t?k=a", "GET /look?k=a"]
--- error_code eval
[429, 200]
--- response_headers eval
["! X-user-remaining\nRetry-After: 60", "X-user-remaining: 5"]



=== TEST 7: before try_files
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user key=$arg_k quota=1/60s;
--- config
    location /t {
        ratelimit user phase=precontent;
        root $TEST_NGINX_HTML_DIR;
        try_files /page =404;
    }
--- user_files
>>> page
page
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]



=== TEST 8: in the order of the phases, not of the lines, and merged over levels
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user    key=$arg_k quota=0/60s status=503;
    ratelimit_policy address key=$arg_k quota=0/60s status=420;
--- config
    ratelimit user phase=precontent;
    ratelimit_inherit merge;
    location /t { ratelimit address; empty_gif; }
--- request
GET /t?k=a
--- error_code: 420



=== TEST 9: a policy on a line of each phase is decided once, by the first that applies
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user key=$user quota=9/1h;
--- config
    location /t {
        auth_request     /auth;
        auth_request_set $user $upstream_http_x_user;
        ratelimit user;
        ratelimit user phase=precontent cost=2;
        ratelimit_headers x-ratelimit;
        empty_gif;
    }
    location = /auth { internal; proxy_pass http://backend; }
--- backend
    location / { add_header X-User alice; return 204; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-RateLimit-Remaining: 7", "X-RateLimit-Remaining: 5"]



=== TEST 10: precontent and an internal redirect: once per policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user  key=$arg_k quota=9/1h;
    ratelimit_policy extra key=$arg_k quota=5/1h;
--- config
    location /t {
        ratelimit user phase=precontent;
        try_files /nothing /inner?k=$arg_k;
    }
    location /inner {
        ratelimit user phase=precontent;
        ratelimit extra phase=precontent;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-user-remaining: 8
X-extra-remaining: 4



=== TEST 11: a refusal in precontent gets body, status and Retry-After as any other
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user key=$arg_k quota=0/60s;
--- config
    location /t {
        ratelimit user phase=precontent;
        ratelimit_status 503;
        ratelimit_body text/plain "$ratelimit_policy $ratelimit_retry_after\n";
        empty_gif;
    }
--- request
GET /t?k=a
--- error_code: 503
--- response_headers
Retry-After: 60
--- response_body
user 60



=== TEST 12: a refund does not credit beyond what was charged
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy address key=$remote_addr quota=2/1h;
    ratelimit_policy user    key=$arg_k       quota=0/1h;
--- config
    ratelimit address;
    ratelimit_headers x-ratelimit policies=address;
    location /t { ratelimit user phase=precontent; ratelimit_inherit merge; empty_gif; }
    location /free { empty_gif; }
--- request eval
[("GET /t?k=a") x 5, ("GET /free") x 3]
--- error_code eval
[(429) x 5, 200, 200, 429]
--- response_headers eval
[("X-RateLimit-Remaining: 2") x 5, "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0"]



=== TEST 13: basic authentication: decided for those who got in
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user key=$remote_user quota=1/1h;
--- config
    location /t {
        auth_basic           closed;
        auth_basic_user_file $TEST_NGINX_HTML_DIR/users;
        ratelimit user phase=precontent;
        empty_gif;
    }
--- user_files
>>> users
alice:{PLAIN}secret
--- request eval
[("GET /t") x 4]
--- more_headers eval
["Authorization: Basic YWxpY2U6c2VjcmV0", "Authorization: Basic YWxpY2U6d3Jvbmc=", "", "Authorization: Basic YWxpY2U6c2VjcmV0"]
--- error_code eval
[200, 401, 401, 429]



=== TEST 14: what preaccess decided ages until the response, authentication's time included
--- timed
--- http_config
    limit_req_zone   everybody zone=slow:64k rate=40r/m;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy address key=$arg_k quota=9/60s algorithm=fixed;
    ratelimit_policy user    key=$arg_k quota=9/60s algorithm=fixed;
--- config
    location /t {
        auth_request /auth;
        ratelimit address;
        ratelimit user phase=precontent;
        ratelimit_headers x-ratelimit policies=address prefix=X-Address-;
        ratelimit_headers x-ratelimit policies=user    prefix=X-User-;
        empty_gif;
    }
    location = /auth { internal; proxy_pass http://backend; }
--- backend
    location / { limit_req zone=slow burst=5; root $TEST_NGINX_HTML_DIR; try_files /yes =500; }
--- user_files
>>> yes
yes
--- init
RateLimit::pipeline(1, sub { "/t?k=other" });
--- request
GET /t?k=a
--- response_headers
X-Address-Reset: 59
X-User-Reset: 60



=== TEST 15: a key that authentication changes is evaluated anew after it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client $user header=X-API-Key addr;
    ratelimit_policy burst key=$client quota=100/1h;
    ratelimit_policy daily key=$client quota=3/24h;
--- config
    location /t {
        auth_request      /auth;
        auth_request_set  $user $upstream_http_x_user;
        ratelimit         burst;
        ratelimit         daily phase=precontent;
        ratelimit_headers per-policy prefix=X-;
        empty_gif;
    }
    location = /auth { internal; proxy_pass http://backend; }
--- backend
    location / { add_header X-User $http_x_token; return 204; }
--- request eval
[("GET /t") x 7]
--- more_headers eval
["X-Token: alice\nX-API-Key: 1", "X-Token: alice\nX-API-Key: 2", "X-Token: bob\nX-API-Key: 1",
 "X-Token: alice\nX-API-Key: 3", "X-Token: alice\nX-API-Key: 4", "X-Token: alice", "X-Token: bob"]
--- error_code eval
[200, 200, 200, 200, 429, 429, 200]
--- response_headers eval
["X-burst-remaining: 99\nX-daily-remaining: 2", "X-burst-remaining: 99\nX-daily-remaining: 1",
 "X-burst-remaining: 98\nX-daily-remaining: 2", "X-burst-remaining: 99\nX-daily-remaining: 0",
 "X-daily-remaining: 0", "X-daily-remaining: 0", "X-daily-remaining: 1"]



=== TEST 16: keep: its charge stays when a later phase refuses
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy address key=$remote_addr quota=3/1h keep;
    ratelimit_policy total   key=everybody    quota=9/1h;
    ratelimit_policy user    key=$user        quota=1/1h;
    ratelimit_headers per-policy prefix=X-;
    log_format one x;
--- config
    location /t {
        ratelimit         address;
        ratelimit         total;
        auth_request      /auth;
        auth_request_set  $user $upstream_http_x_user;
        ratelimit         user phase=precontent;
        empty_gif;
    }
    location = /auth { internal; proxy_pass http://backend; }
    location /seen { alias $TEST_NGINX_HTML_DIR/seen; }
--- backend
    access_log $TEST_NGINX_HTML_DIR/seen one;
    location / { add_header X-User alice; return 204; }
--- request eval
[("GET /t") x 5, "GET /seen"]
--- error_code eval
[200, (429) x 4, 200]
--- response_headers eval
["X-address-remaining: 2\nX-total-remaining: 8\nX-user-remaining: 0", "X-address-remaining: 1\nX-total-remaining: 8\nX-user-remaining: 0",
 "X-address-remaining: 0\nX-total-remaining: 8", "X-address-remaining: 0\nX-total-remaining: 8\n! X-user-remaining", "X-address-remaining: 0", ""]
--- response_body_filters eval
[([sub { "" }]) x 5, [sub { $_[0] }]]
--- response_body eval
[("") x 5, "x\nx\nx\n"]



=== TEST 17: keep: within one phase a refused request is charged to none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy address key=$remote_addr quota=3/1h keep;
    ratelimit_policy never   key=everybody    quota=0/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit address never; empty_gif; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[429, 429]
--- response_headers eval
["X-address-remaining: 3", "X-address-remaining: 3"]



=== TEST 18: keep: the response's status has the last word, of a refusal too
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy guesses key=$remote_addr quota=9/1h keep count_status=401;
    ratelimit_policy address key=$remote_addr quota=9/1h keep skip_status=403;
    ratelimit_policy never   key=everybody    quota=0/1h;
    ratelimit_headers per-policy prefix=X-;
--- config
    location /t { ratelimit guesses; ratelimit address cost=2 settle=5; ratelimit never phase=precontent; empty_gif; }
--- request
GET /t
--- error_code: 429
--- response_headers
X-guesses-remaining: 9
X-address-remaining: 7
