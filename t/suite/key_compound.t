use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: repeated key= make one key of their parts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy route key=$uri key=$arg_user quota=1/1h;
--- config
    location /t { ratelimit route; empty_gif; }
--- request eval
["GET /t/a?user=x", "GET /t/b?user=x", "GET /t/a?user=y", "GET /t/a?user=x", "GET /t/b?user=x"]
--- error_code eval
[200, 200, 200, 429, 429]



=== TEST 2: parts do not run into each other
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy pair key=$arg_a key=$arg_b quota=1/1h;
--- config
    location /t { ratelimit pair; empty_gif; }
--- request eval
["GET /t?a=ab&b=c", "GET /t?a=a&b=bc", "GET /t?a=abc&b=c", "GET /t?a=ab&b=c"]
--- error_code eval
[200, 200, 200, 429]



=== TEST 3: one part of several variables is another key than several parts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy joined key=$arg_a$arg_b quota=1/1h;
--- config
    location /t { ratelimit joined; empty_gif; }
--- request eval
["GET /t?a=ab&b=c", "GET /t?a=a&b=bc"]
--- error_code eval
[200, 429]



=== TEST 4: any part empty, and the request is not counted
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy pair key=$arg_a key=$arg_b quota=0/1h;
--- config
    location /t {
        ratelimit pair;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- request eval
["GET /t?a=1", "GET /t?b=1", "GET /t", "GET /t?a=1&b=1"]
--- error_code eval
[200, 200, 200, 429]
--- response_headers eval
["X-Status: BYPASSED", "X-Status: BYPASSED", "X-Status: BYPASSED", "X-Status: REJECTED"]



=== TEST 5: a constant key is one bucket for everybody
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy all key=everybody quota=2/1h;
--- config
    location /t { ratelimit all; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /t?k=c"]
--- error_code eval
[200, 200, 429]



=== TEST 6: text and variables mix in a part
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token "key=$request_method $arg_k" quota=1/1h;
--- config
    location /t { ratelimit token; proxy_pass http://backend; }
--- backend
    location / { return 204; }
--- request eval
["GET /t?k=a", "POST /t?k=a", "GET /t?k=a", "POST /t?k=a"]
--- error_code eval
[204, 204, 429, 429]



=== TEST 7: the parts' order matters
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy pair key=$arg_a key=$arg_b quota=1/1h;
--- config
    location /t { ratelimit pair; empty_gif; }
--- request eval
["GET /t?a=1&b=2", "GET /t?a=2&b=1", "GET /t?a=1&b=2"]
--- error_code eval
[200, 200, 429]



=== TEST 8: a route, an API key and a token, each counted by itself and all together
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy key   key=$arg_key                            quota=3/1h;
    ratelimit_policy token key=$arg_token                          quota=2/1h;
    ratelimit_policy route key=$uri key=$arg_key key=$arg_token    quota=1/1h;
--- config
    location /t {
        ratelimit key;
        ratelimit token;
        ratelimit route;
        add_header X-Policy $ratelimit_policy always;
        empty_gif;
    }
--- request eval
["GET /t/1?key=k&token=t", "GET /t/1?key=k&token=t", "GET /t/2?key=k&token=t",
 "GET /t/3?key=k&token=t", "GET /t/3?key=k&token=u", "GET /t/4?key=k&token=u"]
--- error_code eval
[200, 429, 200, 429, 200, 429]
--- response_headers eval
["X-Policy: route", "X-Policy: route", "X-Policy: token", "X-Policy: token", "X-Policy: key", "X-Policy: key"]



=== TEST 9: many parts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy parts key=$arg_a key=$arg_b key=$arg_c key=$arg_d key=$arg_e key=$arg_f key=$arg_g key=$arg_h quota=1/1h;
--- config
    location /t { ratelimit parts; empty_gif; }
--- request eval
["GET /t?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8", "GET /t?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=9",
 "GET /t?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8", "GET /t?a=1&b=2&c=3&d=4&e=5&f=6&g=7"]
--- error_code eval
[200, 200, 429, 200]
