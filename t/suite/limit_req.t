use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: limit_req and ratelimit both have their say
--- http_config
    limit_req_zone   $arg_k zone=smooth:64k rate=1r/m;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1h;
--- config
    location /t {
        limit_req zone=smooth burst=2 nodelay;
        ratelimit token;
        ratelimit_headers x-ratelimit;
        add_header X-Req $limit_req_status always;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 4]
--- error_code eval
[200, 200, 200, 503]
--- response_headers eval
["X-Req: PASSED\nX-RateLimit-Remaining: 4", "X-Req: PASSED\nX-RateLimit-Remaining: 3", "X-Req: PASSED\nX-RateLimit-Remaining: 2", "X-Req: REJECTED\n! X-RateLimit-Remaining"]



=== TEST 2: what limit_req refuses is undecided, and not charged
--- http_config
    limit_req_zone   $arg_k zone=smooth:64k rate=1r/m;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1h;
--- config
    ratelimit token;
    ratelimit_headers x-ratelimit;
    location /t { limit_req zone=smooth; empty_gif; }
    location /look { ratelimit token cost=0; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /look?k=a"]
--- error_code eval
[200, 503, 503, 200]
--- response_headers eval
["X-RateLimit-Remaining: 4", "! X-RateLimit-Remaining", "! X-RateLimit-Remaining", "X-RateLimit-Remaining: 4"]



=== TEST 3: limit_conn runs beside it
--- http_config
    limit_conn_zone  $arg_k zone=open:64k;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /t {
        limit_conn open 1;
        ratelimit token;
        add_header X-Conn $limit_conn_status always;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["X-Conn: PASSED\nX-Status: PASSED", "X-Conn: PASSED\nX-Status: REJECTED"]



=== TEST 4: what limit_conn refuses is undecided, and not charged
--- http_config
    limit_conn_zone  $arg_k zone=open:64k;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1h;
--- config
    ratelimit token;
    ratelimit_headers x-ratelimit;
    location /slow { limit_conn open 1; limit_rate 1; root $TEST_NGINX_HTML_DIR; }
    location /t    { limit_conn open 1; empty_gif; }
    location /look { ratelimit token cost=0; empty_gif; }
--- user_files
>>> slow
0123456789012345678901234567890123456789
--- init
our $open = RateLimit::connection();
print $open "GET /slow?k=a HTTP/1.1\r\nHost: localhost\r\n\r\n";
Time::HiRes::sleep(0.1);
--- request eval
["GET /t?k=a", "GET /look?k=a"]
--- error_code eval
[503, 200]
--- response_headers eval
["! X-RateLimit-Remaining", "X-RateLimit-Remaining: 4"]



=== TEST 5: a refused request frees limit_conn's place
--- http_config
    limit_conn_zone  $arg_k zone=open:64k;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
    ratelimit_policy other key=$arg_k quota=9/1h;
--- config
    location /t    { limit_conn open 1; ratelimit token; empty_gif; }
    location /free { limit_conn open 1; ratelimit other; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /free?k=a"]
--- error_code eval
[429, 429, 200]



=== TEST 6: a request that limit_req delayed is charged once
--- timed
--- http_config
    limit_req_zone   $arg_k zone=smooth:64k rate=5r/s;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1h;
--- config
    location /t {
        limit_req zone=smooth burst=5;
        ratelimit token;
        ratelimit_headers x-ratelimit;
        add_header X-Req $limit_req_status always;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-Req: PASSED\nX-RateLimit-Remaining: 4", "X-Req: DELAYED\nX-RateLimit-Remaining: 3", "X-Req: DELAYED\nX-RateLimit-Remaining: 2"]



=== TEST 7: limit_req in dry run and ratelimit in force
--- http_config
    limit_req_zone   $arg_k zone=smooth:64k rate=1r/m;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1h;
--- config
    location /t {
        limit_req zone=smooth;
        limit_req_dry_run on;
        ratelimit token;
        add_header X-Req $limit_req_status always;
        empty_gif;
    }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-Req: PASSED", "X-Req: REJECTED_DRY_RUN", "X-Req: REJECTED_DRY_RUN"]



=== TEST 8: one zone name of limit_req and one of ours do not mix
--- http_config
    limit_req_zone $arg_k zone=api:64k rate=1r/m;
    ratelimit_zone zone=api:64k;
--- must_die
--- error_log
the shared memory zone "api" is already declared for a different use
